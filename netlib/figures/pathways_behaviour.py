"""Figures of behaviour in the operant box: what the mouse did, what followed what, and neurons beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from netlib.figures.pathways_style import (
    BEHAVIOUR_COLOURS,
    behaviour_colour,
    category_names,
    check_columns,
    cluster_colour,
    draw_matrix,
    legend_patches,
    sign_image,
)
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.units import check_number, check_type

__all__ = ["plot_behaviour_candidates", "plot_session_raster", "plot_transition_matrices"]

#: Rows of the raster, from the top: name, labels; two labels of one row are half as high, the first above.
ROWS = (
    ("press", ()),
    ("sequence", ("sequence",)),
    ("zone 1 / zone 2", ("zone 1", "zone 2")),
    ("pellet / no pellet", ("pellet", "no pellet")),
    ("explo 1 / explo 2", ("explo 1", "explo 2")),
)
MINUTE = 60_000.0


def _draw_behaviour(ax: Axes, intervals: pd.DataFrame, presses: ArrayLike | None) -> None:
    """Five rows of behaviour in minutes; the four merged behaviours fit the same rows."""
    start = intervals["onset"].to_numpy(float) / MINUTE
    width = intervals["offset"].to_numpy(float) / MINUTE - start
    label = intervals["label"].to_numpy(object)
    merged = {"zones": 2, "food": 3, "explo": 4}
    for k, (_, names) in enumerate(ROWS):
        for j, name in enumerate(names):
            low, height = (k - 0.4, 0.8) if len(names) == 1 else (k - 0.4 + 0.4 * j, 0.38)
            _bars(ax, start, width, label == name, (low, height), name)
        for name in (n for n, row in merged.items() if row == k):
            _bars(ax, start, width, label == name, (k - 0.4, 0.8), name)
    if presses is not None:
        ax.vlines(np.asarray(presses, float) / MINUTE, -0.4, 0.4, color=PALETTE[0], lw=0.6, gid="press")
    ax.set(ylim=(len(ROWS) - 0.5, -0.5), yticks=range(len(ROWS)), yticklabels=[name for name, _ in ROWS])
    ax.tick_params(axis="y", length=0)


def _bars(
    ax: Axes, start: np.ndarray, width: np.ndarray, of: np.ndarray, place: tuple[float, float], name: str
) -> None:
    if of.any():
        bars = list(zip(start[of], width[of], strict=True))
        ax.broken_barh(bars, place, facecolors=behaviour_colour(name), lw=0, gid=name)


@styled
def plot_session_raster(
    intervals: pd.DataFrame,
    duration: float,
    presses: ArrayLike | None = None,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Behaviours of one session in five rows.

    Parameters
    ----------
    intervals : DataFrame
        Seven or four behaviours: ``onset``, ``offset`` (ms), ``label``.
    duration : float
        Length of the session (ms).
    presses : array_like, optional
        Times of the presses (ms).
    title : str
        Such as mouse, session and schedule.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("intervals", intervals, "onset", "offset", "label")
    figure = new_figure(7.5, 2.0, figure)
    ax = figure.subplots()
    _draw_behaviour(ax, intervals, presses)
    end = check_number("duration", duration, "ms", 0, low_open=True) / MINUTE
    ax.set(xlim=(0, end), xlabel="time (min)")
    ax.set_title(title, loc="left")
    found = set(intervals["label"])
    colours = {name: colour for name, colour in BEHAVIOUR_COLOURS.items() if name in found}
    if len(colours) > 1:
        figure.legend(handles=legend_patches(colours), loc="outside lower center", ncols=len(colours), fontsize=7)
    return figure


@styled
def plot_transition_matrices(
    matrices: Mapping[str, pd.DataFrame], sd: Mapping[str, pd.DataFrame] | None = None, figure: Figure | None = None
) -> Figure:
    """Probability that the behaviour of a column follows that of a row, a matrix for each session (or mouse).

    Parameters
    ----------
    matrices : mapping of DataFrame
        By title; from :func:`netlib.analysis.behaviour.transitions` or ``average_transitions``.
    sd : mapping of DataFrame, optional
        Standard deviations over mice, written below the means.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("matrices", matrices, Mapping):
        raise ValueError("matrices is empty: it must hold at least one")
    columns = min(4, len(matrices))
    rows = -(-len(matrices) // columns)
    tall = 1.0 if sd is None else 1.25
    figure = new_figure(2.5 * columns + 1.2, 2.35 * rows * tall + 0.6, figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax in grid.flat[len(matrices) :]:
        ax.set_visible(False)
    for ax, (title, matrix) in zip(grid.flat, matrices.items(), strict=False):
        text = None if sd is None else _with_sd(matrix, sd[title])
        text = _plain(matrix) if text is None else text
        image = draw_matrix(ax, matrix, matrix.index, matrix.columns, text=text, size=5.8)
        ax.set_title(title)
        ax.tick_params(axis="x", rotation=90)
    for ax in grid[:, 0]:
        ax.set_ylabel("from")
    for k in range(columns):
        last = [ax for ax in grid[:, k] if ax.get_visible()][-1]
        last.set_xlabel("to")
        last.tick_params(axis="x", labelbottom=True)
    figure.colorbar(image, ax=grid, label="probability of the transition", shrink=0.7, pad=0.01)
    return figure


def _plain(matrix: pd.DataFrame) -> np.ndarray:
    """Numbers without leading zero; none for 0."""
    values = matrix.to_numpy(float)
    words = np.vectorize(lambda v: "" if not v > 0 else "1" if v > 0.995 else f"{v:.2f}"[1:], otypes=[object])
    return words(values)


def _with_sd(mean: pd.DataFrame, sd: pd.DataFrame) -> np.ndarray:
    words = _plain(mean)
    spread = sd.to_numpy(float)
    for place in np.ndindex(words.shape):
        if words[place] and np.isfinite(spread[place]):
            words[place] += f"\n±{spread[place]:.2f}".replace("0.", ".")
    return words


@styled
def plot_behaviour_candidates(
    intervals: pd.DataFrame,
    duration: float,
    events: Sequence[ArrayLike],
    status: Sequence[str],
    vectors: ArrayLike | None = None,
    *,
    presses: ArrayLike | None = None,
    cluster: int = 0,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """One session: behaviour above, events of the neurons of one cluster below, registered ones and candidates.

    Parameters
    ----------
    intervals, duration, presses, title
        As in :func:`plot_session_raster`.
    events : sequence of array_like
        Times of the events of each neuron (ms).
    status : sequence of str
        ``"registered"`` or ``"candidate"``, for each neuron; candidates are drawn below the others.
    vectors : array_like, shape (n_neurons, 8), optional
        Categories of this session: what is significant is marked at the right, ↑ vermillion and ↓ blue.
    cluster : int
        Gives the colour of registered neurons; candidates are black.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("intervals", intervals, "onset", "offset", "label")
    status = np.asarray(status, object)
    if len(events) != len(status) or not len(events) or set(status) - {"registered", "candidate"}:
        raise ValueError(
            f"status has {len(status)} entries for {len(events)} neurons: one for each, 'registered' or 'candidate'"
        )
    order = np.argsort(status != "registered", kind="stable")
    figure = new_figure(8.0, 2.2 + max(1.2, 0.055 * len(events)), figure)
    heights = (1.3, max(1.2, 0.055 * len(events)))
    grid = figure.subplots(2, 2, width_ratios=(6, 0.9), height_ratios=heights, squeeze=False)
    (above, spare), (below, side) = grid
    spare.set_visible(False)
    side.set_visible(vectors is not None)
    _draw_behaviour(above, intervals, presses)
    above.set_title(title, loc="left")
    colours = {"registered": cluster_colour(cluster), "candidate": PALETTE[0]}
    below.eventplot([np.asarray(events[k], float) / MINUTE for k in order], lineoffsets=np.arange(len(order)),
                    linelengths=0.9, linewidths=0.5, colors=[colours[status[k]] for k in order])  # fmt: skip
    limit = int((status == "registered").sum())
    below.axhline(limit - 0.5, color="0.5", lw=0.7, ls=":")
    below.set_title(f"cluster {cluster}: {limit} registered, {len(order) - limit} candidates (black)", fontsize=8)
    below.set(xlabel="time (min)", ylabel="neuron", ylim=(len(order) - 0.5, -0.5))
    for ax in (above, below):
        ax.set_xlim(0, duration / MINUTE)
    above.tick_params(axis="x", labelbottom=False)
    if vectors is not None:
        _draw_significant(side, np.asarray(vectors, float)[order])
    return figure


def _draw_significant(ax: Axes, vectors: np.ndarray) -> None:
    ax.imshow(sign_image(vectors), aspect="auto", interpolation="nearest")
    ax.set_xticks(range(8), category_names(), rotation=90, fontsize=7)
    ax.set_yticks([])
    ax.set_title("significant", fontsize=8)
