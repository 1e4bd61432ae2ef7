"""Activity around the ring, as a polar figure: one turn is 180 degrees of orientation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from netlib.figures.binning import check_populations, check_window, ring_rates, shown_in
from netlib.figures.style import colour_of, dashes_of, name_of, new_axes, styled
from netlib.recordings.recording import Recording

__all__ = ["plot_ring_activity"]

#: Most places on the ring that are drawn: 10 degrees each.
PLACES = 18


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
    ax = new_axes(ax, 4.2, 4.6, "polar")
    for name in names:
        cells = recording.population(name)
        centres, rates = ring_rates(cells, np.array([[start, stop]]), places or min(PLACES, len(cells)))
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


def closed(centres: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polar angle (radians) and radius of a curve that ends where it starts; places without cells are left out."""
    known = np.isfinite(rates)
    angle, radius = 2 * np.radians(centres[known]), rates[known]
    return np.append(angle, angle[:1] + 2 * np.pi), np.append(radius, radius[:1])


def prepare_ring(ax: Axes, top: float) -> None:
    """Label polar axes in degrees of orientation and in Hz up to ``top``."""
    labels = np.arange(0, 180, 30)
    ax.set_xticks(2 * np.radians(labels), [f"{a}°" for a in labels])
    ax.set_ylim(0, 1.12 * top if top > 0 else 1.0)
    ax.yaxis.set_major_locator(_few_ticks())
    ax.yaxis.set_major_formatter("{x:g} Hz")
    ax.set_rlabel_position(150)
    ax.tick_params(axis="y", labelsize=7, labelcolor="0.25")
    ax.grid(color="0.85", lw=0.7)
    ax.spines["polar"].set_color("0.6")
    ax.set_axisbelow(True)


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(3, prune="lower")


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
