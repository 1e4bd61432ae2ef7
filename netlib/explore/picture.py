"""The explorer's picture on paper: what the page shows, drawn by matplotlib."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_type
from netlib.explore.run import Result
from netlib.figures.activity import closed, mark_stimulus, plot_orientation_time, prepare_ring
from netlib.figures.style import PALETTE, colour_of, dashes_of, new_figure, styled
from netlib.figures.tuning import fitted

__all__ = ["CELL_COLOURS", "DEGREES", "plot_result"]

#: Colours of single cells: those of the palette that are legible on white.
CELL_COLOURS = (PALETTE[6], PALETTE[5], PALETTE[3], PALETTE[7], PALETTE[1], PALETTE[2])
DEGREES = [0, 45, 90, 135, 180]


@styled
def plot_result(result: Result) -> Figure:
    """A frame of the movie, bump on the ring, aligned bumps, tuning curves, spikes and rates over time.

    Parameters
    ----------
    result : Result
        From :func:`netlib.explore.compute`.

    Returns
    -------
    Figure
    """
    check_type("result", result, Result)
    figure = new_figure(11.0, 7.6)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    grid = above.add_gridspec(1, 4, width_ratios=(0.8, 1, 1, 1))
    _draw_frame(above.add_subplot(grid[0]), result)
    _draw_ring(above.add_subplot(grid[1], projection="polar"), result)
    if result.bumps:
        _draw_bumps(above.add_subplot(grid[2]), result)
        _draw_tuning(above.add_subplot(grid[3]), result)
    spikes, rates = below.subplots(2, 1, sharex=True)
    _draw_spikes(spikes, result)
    plot_orientation_time(result.recording, result.output, bin=20.0, ax=rates)
    rates.set_ylabel("orientation (deg)")
    spikes.set_xlim(0, result.recording.duration)
    return figure


def _draw_frame(ax: Axes, result: Result) -> None:
    frames = result.movie.frames
    ax.imshow(frames[min(len(frames) - 1, 10)], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=f"{result.state.stimulus}, contrast {result.state.contrast:g}")


def _draw_ring(ax: Axes, result: Result) -> None:
    """Rates around the ring in the first presentation."""
    names = ("input", "I", result.output)
    for name in names:
        line = closed(*result.ring[name])
        ax.plot(*line, color=colour_of(name), ls=dashes_of(name), label=name)
    prepare_ring(ax, max(float(np.nanmax(result.ring[name][1])) for name in names))
    theta = float(result.recording.protocol.table["orientation"].iloc[0])
    if np.isfinite(theta):
        mark_stimulus(ax, theta)
    ax.set_title("first presentation")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _draw_bumps(ax: Axes, result: Result) -> None:
    """Activity around the ring, every presentation turned so that its orientation is 0, over the fits' peaks."""
    theta = np.linspace(-90, 90, 181)
    for name in (result.output, "I", "input"):
        bump = result.bumps[name]
        line = None if bump.fit is None or not bump.fit["success"] else fitted(bump.fit, theta)
        top = max(bump.rate.max(), 0 if line is None else line.max()) or 1.0
        width = f"{bump.hwhh:.0f}°" if np.isfinite(bump.hwhh) else "–"
        ax.plot(bump.distance, bump.rate / top, ".", ms=4, color=colour_of(name), label=f"{name}: {width}")
        if line is not None:
            ax.plot(theta, line / top, color=colour_of(name), ls=dashes_of(name))
    ax.set(
        xlabel="cell − stimulus orientation (deg)",
        ylabel="rate / largest",
        xticks=(-90, -45, 0, 45, 90),
        ylim=(0, 1.35),
    )
    ax.set_title("bump, half width at half height")
    ax.legend(loc="upper center", ncols=3, handletextpad=0.1, columnspacing=0.8)


def _draw_tuning(ax: Axes, result: Result) -> None:
    theta = np.linspace(0, 180, 181)
    rows = [row for _, row in result.table.iterrows()]
    for row, colour in zip(rows, CELL_COLOURS, strict=False):
        curve = result.curves[result.curves["cell"] == row.cell]
        ax.plot(curve["orientation"], curve["rate"], "o", ms=3, color=colour)
        if row.success:
            ax.plot(theta, fitted(row, theta), color=colour)
    good = sum(bool(row.success) for row in rows)
    ax.set(xlabel="stimulus orientation (deg)", ylabel="rate (Hz)", xticks=DEGREES, ylim=(0, None))
    ax.set_title(f"{len(rows)} {result.output} cells, {good} fits")


def _draw_spikes(ax: Axes, result: Result) -> None:
    for name in ("I", result.output):
        cells = result.recording.population(name)
        place = cells.neurons["orientation"].to_numpy(float)
        style = {"ls": "none", "marker": ".", "ms": 2.2, "mew": 0, "alpha": 0.6, "rasterized": True}
        ax.plot(cells.spike_time, place[cells.spike_index], color=colour_of(name), label=name, **style)
    ax.set(ylabel="orientation (deg)", yticks=DEGREES, ylim=(-3, 183))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=6, handletextpad=0.2)
