"""Spikes in time: raster with rates, and a map of rate over orientation and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from netlib.figures.binning import (
    check_populations,
    check_window,
    shown_in,
    space_time_rates,
    spikes_in,
    time_edges,
)
from netlib.figures.style import colour_of, dashes_of, name_of, new_axes, new_figure, styled
from netlib.recordings.recording import Recording

__all__ = ["plot_orientation_time", "plot_raster"]


@styled
def plot_raster(
    recording: Recording,
    populations: Sequence[str] | None = None,
    window: tuple[float, float] | None = None,
    bin: float | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Every spike by time and orientation of its cell, one panel per population, and the population rates below.

    Presentations are shaded, their orientation printed above and drawn as a line at its place on the ring.

    Parameters
    ----------
    recording : Recording
        What to draw.
    populations : sequence of str, optional
        Which populations, from the top down; by default all.
    window : tuple of float, optional
        Start and end (ms); by default the whole recording.
    bin : float, optional
        Width of the bins of the rates (ms); by default 10, more where that makes over 400 bins.
    figure : Figure, optional
        Draw into this one.

    Returns
    -------
    Figure
        One axes per population, then that of the rates.
    """
    start, stop = check_window(recording, window)
    names = check_populations(recording, populations)
    bin = _default_bin(stop - start) if bin is None else bin
    edges = time_edges(start, stop, bin)
    shown = shown_in(recording, start, stop)
    figure = new_figure(8.0, 1.6 + 1.5 * len(names), figure)
    axes = figure.subplots(len(names) + 1, 1, sharex=True, height_ratios=[*[1.0] * len(names), 0.8])
    for ax, name in zip(axes, names, strict=False):
        _draw_spikes(ax, recording.population(name), name, (start, stop), shown)
    for ax in axes:
        for onset, offset, _ in shown:
            ax.axvspan(onset, offset, color="0.92", lw=0, zorder=0)
    _label_presentations(axes[0], shown)
    for name in names:
        cells = recording.population(name)
        counts = np.histogram(spikes_in(cells, start, stop)[1], edges)[0]
        rate = 1000.0 * counts / np.diff(edges) / len(cells)
        axes[-1].stairs(rate, edges, color=colour_of(name), ls=dashes_of(name), lw=1.1, label=name, baseline=None)
    axes[-1].set(xlabel="time (ms)", ylabel=f"rate per cell (Hz)\nin {bin:g} ms", xlim=(start, stop), ylim=(0, None))
    axes[-1].legend(loc="lower right", bbox_to_anchor=(1.0, 0.96), ncols=len(names), borderaxespad=0)
    figure.align_ylabels()
    return figure


def _default_bin(length: float) -> float:
    """Width of a bin (ms) for a stretch of this length: 10 or a round number that gives at most 400 bins."""
    return next((b for b in (10.0, 20.0, 50.0, 100.0, 200.0, 500.0) if length / b <= 400), length / 400)


def _draw_spikes(ax: Axes, cells: Recording, name: str, window: tuple[float, float], shown: list) -> None:
    """Raster of one population."""
    index, time = spikes_in(cells, *window)
    place = cells.neurons["orientation"].to_numpy(float)
    known = np.isfinite(place).all()
    y = place[index] if known else index
    # Smaller and fainter marks where there are many, so that structure stays visible.
    crowd = len(time) / 3000.0
    ax.plot(
        time, y, ls="none", marker=".", ms=np.clip(3.0 / max(crowd, 1e-9) ** 0.4, 0.7, 3.5), mew=0,
        color=colour_of(name), alpha=float(np.clip(1.0 / max(crowd, 1e-9) ** 0.3, 0.35, 1.0)), rasterized=True,
    )  # fmt: skip
    if known:
        for onset, offset, angle in shown:
            if np.isfinite(angle):
                ax.plot([onset, offset], [angle, angle], color="black", lw=0.9, ls=(0, (4, 2)), zorder=3)
        ax.set(ylim=(-3, 183), yticks=[0, 45, 90, 135, 180])
    else:
        ax.set(ylim=(-1, len(cells)))
    unit = "orientation (deg)" if known else "cell (number)"
    ax.set_ylabel(f"{name}: {len(cells)} cells\n{unit}", color=colour_of(name))


def _label_presentations(ax: Axes, shown: list) -> None:
    """Print the orientation of each presentation above the axes, in as small a type and as often as fits."""
    step = max(1, int(np.ceil(len(shown) / 60)))
    crowded = len(shown) > 16
    for onset, offset, angle in shown[::step]:
        text = f"{angle:.4g}°" if np.isfinite(angle) else "no orientation" if len(shown) < 5 else "–"
        ax.annotate(
            text, ((onset + offset) / 2, 1.0), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="center", va="bottom", fontsize=7 if crowded else 8, rotation=90 if crowded else 0,
            annotation_clip=False, gid="presentation",
        )  # fmt: skip


@styled
def plot_orientation_time(
    recording: Recording,
    population: str = "E",
    bin: float = 10.0,
    window: tuple[float, float] | None = None,
    places: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Rate over orientation and time, with the orientation of the stimulus as a line.

    Parameters
    ----------
    recording : Recording
        What to draw.
    population : str
        Whose rate.
    bin : float
        Width of the bins of time (ms); the last may be shorter.
    window : tuple of float, optional
        Start and end (ms); by default the whole recording.
    places : int, optional
        Number of bins on the ring; by default 36 of 5 deg, or one per cell if there are fewer.
    ax : Axes, optional
        Draw into these.

    Returns
    -------
    Axes
        Its first collection holds the rates (Hz), shape (places, bins of time).
    """
    start, stop = check_window(recording, window)
    (name,) = check_populations(recording, population)
    edges = time_edges(start, stop, bin)
    centres, rates = space_time_rates(recording.population(name), edges, places)
    half = 90.0 / len(centres)
    ax = new_axes(ax, 8.0, 2.8)
    mesh = ax.pcolormesh(
        edges, np.append(centres - half, 180.0 - half), np.ma.masked_invalid(rates), cmap="inferno", vmin=0,
        rasterized=True,
    )  # fmt: skip
    outline = [Stroke(linewidth=2.6, foreground="black"), Normal()]
    for onset, offset, angle in shown_in(recording, start, stop):
        if np.isfinite(angle):
            # A bin centred on 0 lies partly below it: 179 deg is drawn at -1.
            y = angle - 180.0 if angle > 180.0 - half else angle
            ax.plot([onset, offset], [y, y], color="#56B4E9", lw=1.4, path_effects=outline, gid="stimulus")
    ax.set(xlabel="time (ms)", ylabel=f"orientation of {name_of(name)} cells (deg)", yticks=[0, 45, 90, 135])
    ax.set(xlim=(start, stop), ylim=(-half, 180.0 - half))
    line = "line: orientation of the stimulus; " if ax.lines else ""
    ax.set_title(f"{line}bins of {bin:g} ms × {2 * half:.3g} deg", loc="left")
    ax.get_figure().colorbar(mesh, ax=ax, label="mean rate per cell (Hz)", pad=0.01)
    return ax
