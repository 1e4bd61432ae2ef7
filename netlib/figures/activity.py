"""Spikes as they fell: raster with rates, a map of rate over orientation and time, and activity around the ring.

The ring is a polar figure, of which one turn is 180 degrees of orientation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import MaxNLocator

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.figures.style import colour_of, dashes_of, name_of, new_axes, new_figure, styled
from netlib.recordings.recording import Recording

__all__ = [
    "RING_PLACES",
    "check_populations",
    "check_window",
    "plot_orientation_time",
    "plot_raster",
    "plot_ring_activity",
    "ring_place",
    "ring_rates",
    "shown_in",
    "space_time_rates",
    "spikes_in",
    "time_edges",
]

#: Most places on the ring in a map: 5 degrees each.
PLACES = 36
#: Most places on the ring in a polar figure: 10 degrees each.
RING_PLACES = 18


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
    figure: Any = ax.get_figure()  # typed as None, too: axes can be taken out
    figure.colorbar(mesh, ax=ax, label="mean rate per cell (Hz)", pad=0.01)
    return ax


@styled
def plot_ring_activity(
    recording: Recording,
    window: tuple[float, float] | None = None,
    populations: Sequence[str] | None = None,
    places: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean rate of the cells around the ring in a stretch of time, with the orientation of the stimulus.

    Parameters
    ----------
    recording : Recording
        What to draw.
    window : tuple of float, optional
        Start and end (ms); by default the first presentation.
    populations : sequence of str, optional
        Which populations; by default E and I.
    places : int, optional
        Number of bins on the ring; by default 18 of 10 deg, or one per cell if there are fewer.
    ax : Axes, optional
        Draw into these polar axes.

    Returns
    -------
    Axes
        Polar; the angle is twice the orientation and labelled in degrees of orientation.
    """
    check_window(recording, None)
    if window is None:
        window = recording.protocol.windows()[0]
    start, stop = check_window(recording, window)
    names = check_populations(recording, populations, ("E", "I"))
    ax = cast(PolarAxes, new_axes(ax, 4.2, 4.6, "polar"))
    for name in names:
        cells = recording.population(name)
        centres, rates = ring_rates(cells, np.array([[start, stop]]), places or min(RING_PLACES, len(cells)))
        angle, radius = closed(centres, rates[:, 0])
        ax.plot(angle, radius, color=colour_of(name), ls=dashes_of(name), lw=1.8, label=name_of(name), gid=name)
        ax.fill(angle, radius, color=colour_of(name), alpha=0.12, lw=0)
    top = max((np.nanmax(line.get_ydata()) for line in ax.get_lines()), default=0.0)
    prepare_ring(ax, top)
    angles = sorted({a for _, _, a in shown_in(recording, start, stop) if np.isfinite(a)})
    for angle in angles:
        mark_stimulus(ax, angle)
    if angles:  # the rates are labelled on the far side, where the curves are low
        ax.set_rlabel_position(2 * angles[0] + 165)
    finish_legend(ax, f"mean rate per cell by orientation, {start:g}–{stop:g} ms")
    return ax


# ---------------------------------------------------------------- parts of a raster


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


# ---------------------------------------------------------------- parts of a polar figure


def closed(centres: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polar angle (radians) and radius of a curve that ends where it starts; places without cells are left out."""
    known = np.isfinite(rates)
    angle, radius = 2 * np.radians(centres[known]), rates[known]
    return np.append(angle, angle[:1] + 2 * np.pi), np.append(radius, radius[:1])


def prepare_ring(ax: PolarAxes, top: float) -> None:
    """Label polar axes in degrees of orientation and in Hz up to ``top``."""
    labels = np.arange(0, 180, 30)
    ax.set_xticks(2 * np.radians(labels), [f"{a}°" for a in labels])
    ax.set_ylim(0, 1.12 * top if top > 0 else 1.0)
    ax.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
    ax.yaxis.set_major_formatter("{x:g} Hz")
    ax.set_rlabel_position(150)
    ax.tick_params(axis="y", labelsize=7, labelcolor="0.25")
    ax.grid(color="0.85", lw=0.7)
    ax.spines["polar"].set_color("0.6")
    ax.set_axisbelow(True)


def mark_stimulus(ax: Axes, orientation: float) -> list:
    """Mark an orientation (deg) on polar axes; its label is in the legend."""
    angle, top = 2 * np.radians(orientation), ax.get_ylim()[1]
    (line,) = ax.plot([angle, angle], [0, top], color="black", lw=1.2, ls=(0, (1, 1.5)), gid="stimulus")
    (tip,) = ax.plot([angle], [top], marker="D", ms=6, color="black", clip_on=False, ls="none", gid="stimulus tip")
    tip.set_label(f"stimulus, {orientation:.4g}°")
    return [line, tip]


def finish_legend(ax: Axes, title: str) -> None:
    """Legend below the ring, with what is drawn as its title."""
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, columnspacing=1.2, handlelength=2.2, title=title
    )


# ---------------------------------------------------------------- bins of time and of place on the ring


def check_window(recording: Recording, window: object | None) -> tuple[float, float]:
    """Start and end (ms) of what is drawn: ``window``, or the whole recording."""
    check_type("recording", recording, Recording)
    if window is None:
        return 0.0, recording.duration
    ends = check_array("window", window, "ms", 0, recording.duration, ndim=1)
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError(f"window = {window!r} is not a stretch of time: it must be (start, end) in ms, start < end")
    return float(ends[0]), float(ends[1])


def check_populations(
    recording: Recording, populations: Iterable[str] | None, default: Iterable[str] | None = None
) -> list[str]:
    """Names of the populations to draw: those asked for, or the default ones that exist, or all."""
    if populations is None:
        known = [name for name in (default or recording.populations) if name in recording.populations]
        return known or recording.populations
    names = [populations] if isinstance(populations, str) else list(populations)
    if not names:
        raise ValueError("populations is empty: it must name at least one population")
    return [check_choice("populations", name, recording.populations) for name in names]


def time_edges(start: float, stop: float, width: float) -> np.ndarray:
    """Edges of bins of ``width`` from start to stop (ms); the last bin may be shorter."""
    width = check_number("bin", width, "ms", 0, stop - start, low_open=True)
    n = int(np.ceil((stop - start) / width - 1e-9))
    return np.append(start + width * np.arange(n), stop)


def spikes_in(recording: Recording, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit and time of the spikes in [start, stop) ms."""
    first, last = np.searchsorted(recording.spike_time, (start, stop), side="left")
    return recording.spike_index[first:last], recording.spike_time[first:last]


def ring_place(recording: Recording, places: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place on the ring of each unit, among ``places`` centred on 0, 180/places, ... degrees.

    Returns
    -------
    place : ndarray of int, shape (n_units,)
    centres : ndarray, shape (places,)
        Orientation (deg).
    cells : ndarray of int, shape (places,)
        How many units each place holds.
    """
    orientation = recording.neurons["orientation"].to_numpy(float)
    if not np.isfinite(orientation).all():
        raise ValueError(
            f"orientation is unknown for {(~np.isfinite(orientation)).sum()} of {len(recording)} units: "
            "every unit needs a place on the ring (deg)"
        )
    n = min(PLACES, len(recording)) if places is None else check_integer("places", places, 3, 720)
    place = np.floor(orientation / (180.0 / n) + 0.5 + 1e-9).astype(int) % n
    return place, 180.0 * np.arange(n) / n, np.bincount(place, minlength=n)


def ring_rates(recording: Recording, windows: np.ndarray, places: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean rate per cell at each place on the ring in each window.

    Returns
    -------
    centres : ndarray, shape (places,)
        Orientation (deg).
    rates : ndarray, shape (places, n_windows)
        Hz; NaN where a place holds no cell.
    """
    place, centres, _ = ring_place(recording, places)
    counts = pd.DataFrame(recording.counts(windows)).groupby(place).mean().reindex(range(len(centres)))
    return centres, counts.to_numpy() / (np.diff(windows, axis=1).ravel() / 1000.0)


def space_time_rates(
    recording: Recording, edges: np.ndarray, places: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`ring_rates` for the adjacent bins of time between ``edges`` (ms), in one pass."""
    place, centres, cells = ring_place(recording, places)
    index, time = spikes_in(recording, edges[0], edges[-1])
    bins = len(edges) - 1
    when = np.searchsorted(edges, time, side="right") - 1
    counts = np.bincount(place[index] * bins + when, minlength=len(centres) * bins).reshape(len(centres), bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        return centres, counts / cells[:, None] / (np.diff(edges) / 1000.0)


def shown_in(recording: Recording, start: float, stop: float) -> list[tuple[float, float, float]]:
    """Presentations that overlap [start, stop): (onset, offset, orientation), times cut to the stretch (ms, deg)."""
    windows = recording.protocol.windows()
    angles = recording.protocol.table["orientation"].to_numpy(float)
    seen = (windows[:, 0] < stop) & (windows[:, 1] > start)
    return [
        (max(on, start), min(off, stop), float(angle))
        for (on, off), angle in zip(windows[seen], angles[seen], strict=True)
    ]
