"""Figures of behaviour in the operant box: what the mouse did, what followed what, and how that changed by training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from netlib.base.checks import check_number, check_type
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.pathways.figures.style import (
    BEHAVIOUR_COLOURS,
    GROUP_COLOURS,
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    behaviour_colour,
    category_names,
    check_columns,
    check_some,
    cluster_colour,
    draw_matrix,
    label_edges,
    legend_patches,
    mark_schedules,
    panel_grid,
    pathways_of,
    side_by_side,
    sign_image,
)

__all__ = [
    "plot_behaviour_candidates",
    "plot_cycle_histogram",
    "plot_cycles",
    "plot_durations",
    "plot_session_raster",
    "plot_sessions",
    "plot_time_budget",
    "plot_training",
    "plot_transition_matrices",
]


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
        By title; from :func:`netlib.pathways.behaviour.transitions` or ``average_transitions``.
    sd : mapping of DataFrame, optional
        Standard deviations over mice, written below the means.
    """
    check_some("matrices", matrices)
    columns = min(4, len(matrices))
    rows = -(-len(matrices) // columns)
    tall = 1.0 if sd is None else 1.25
    figure = new_figure(2.5 * columns + 1.2, 2.35 * rows * tall + 0.6, figure)
    grid = panel_grid(figure, len(matrices), columns, sharex=True, sharey=True)
    for ax, (title, matrix) in zip(grid.flat, matrices.items(), strict=False):
        text = None if sd is None else _with_sd(matrix, sd[title])
        text = _plain(matrix) if text is None else text
        image = draw_matrix(ax, matrix, matrix.index, matrix.columns, text=text, size=5.8)
        ax.set_title(title)
        ax.tick_params(axis="x", rotation=90)
    label_edges(grid, "to", "from")
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


# ---------------------------------------------------------------- training


SECOND = 1000.0


def draw_by_session(ax: Axes, table: pd.DataFrame, value: str, scale: float = 1.0) -> None:
    """A thin line for each mouse and a thick one with marks for the mean of the mice of each pathway."""
    for pathway in pathways_of(table):
        part = table[table["pathway"] == pathway]
        colour = PATHWAY_COLOURS.get(pathway, "0.3")
        for mouse, own in part.sort_values("session").groupby("mouse"):
            ax.plot(own["session"], own[value] * scale, color=colour, lw=0.8, alpha=0.45, gid=f"mouse {mouse}")
        mean = part.groupby("session")[value].mean() * scale
        name = f"{PATHWAY_NAMES.get(pathway, pathway)}, {part['mouse'].nunique()} mice"
        mark = PATHWAY_MARKS.get(pathway, "s")
        ax.plot(mean.index, mean, color=colour, lw=1.8, marker=mark, ms=4.5, label=name, gid=pathway)
    sessions = sorted(set(table["session"]))
    ax.set(xlabel="session", xticks=sessions, xlim=(sessions[0] - 0.5, sessions[-1] + 0.5))
    if "schedule" in table:
        mark_schedules(ax, table)


@styled
def plot_training(
    table: pd.DataFrame,
    values: Mapping[str, str],
    scale: Mapping[str, float] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Numbers of the sessions, an axes for each: mice as thin lines, their mean by pathway, limits of schedules.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.pathways.training.metrics_table`.
    values : mapping of str
        Label with unit of each column to draw, such as ``{"presses_per_reward": "presses per reward"}``.
    scale : mapping of float, optional
        Factor for a column: 0.001 turns ms into s.
    """
    check_columns("table", table, "mouse", "pathway", "session", *check_type("values", values, Mapping))
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    figure = new_figure(3.0 * columns + 0.3, 2.5 * rows + 0.4, figure)
    grid = panel_grid(figure, len(values), columns)
    for ax, (value, label) in zip(grid.flat, values.items(), strict=False):
        draw_by_session(ax, table, value, (scale or {}).get(value, 1.0))
        ax.set(ylabel=label, ylim=(0, None))
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


@styled
def plot_cycles(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Whole cycles of each session, and those with the presses that the schedule asks for.

    Parameters
    ----------
    table : DataFrame
        With ``mouse``, ``pathway``, ``session``, ``schedule``, ``cycles``, ``cycles_at_ratio``.
    """
    names = {"cycles": "cycles per session", "cycles_at_ratio": "cycles with enough presses\nper session"}
    check_columns("table", table, "schedule")
    return plot_training(table, names, figure=figure)


@styled
def plot_durations(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Mean duration of each behaviour, overall and in whole cycles: a point for each mouse and session.

    Parameters
    ----------
    table : DataFrame
        From ``metrics_table``: ``duration_<behaviour>`` and ``duration_in_cycles_<behaviour>`` (ms). Bars: medians.
    """
    check_columns("table", table, "mouse", "pathway", "session")
    figure = new_figure(7.5, 3.0, figure)
    wanted = {p: [b for b in BEHAVIOUR_COLOURS if f"{p}{b}" in table] for p in ("duration_", "duration_in_cycles_")}
    if not all(wanted.values()):
        raise ValueError("table must have columns duration_<behaviour> and duration_in_cycles_<behaviour> (ms)")
    widths = [len(names) for names in wanted.values()]
    axes = figure.subplots(1, 2, sharey=True, width_ratios=widths)
    for ax, (prefix, names), title in zip(axes, wanted.items(), ("all", "in whole cycles"), strict=True):
        for k, name in enumerate(names):
            _duration_column(ax, k, table, f"{prefix}{name}")
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        ax.set(yscale="log", xlim=(-0.6, len(names) - 0.4))
        ax.set_title(title)
    axes[0].set_ylabel("mean duration (s)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _duration_column(ax: Axes, k: int, table: pd.DataFrame, column: str) -> None:
    pathways = pathways_of(table)
    for j, pathway in enumerate(pathways):
        seconds = table.loc[table["pathway"] == pathway, column].dropna().to_numpy(float) / SECOND
        centre = k + 0.36 * (j - (len(pathways) - 1) / 2)
        spread = side_by_side(len(seconds), 0.12)
        colour, label = PATHWAY_COLOURS.get(pathway, "0.3"), PATHWAY_NAMES.get(pathway, pathway) if k == 0 else None
        ax.plot(centre + spread, seconds, PATHWAY_MARKS.get(pathway, "s"), ms=2.5, alpha=0.6, color=colour, label=label)
        if len(seconds):
            ax.hlines(np.median(seconds), centre - 0.16, centre + 0.16, color="black", lw=1.4)


@styled
def plot_cycle_histogram(histograms: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """Durations of whole cycles, a histogram for each schedule, with the median.

    Parameters
    ----------
    histograms : mapping of DataFrame
        By schedule, from :func:`netlib.pathways.behaviour.cycle_histogram`: ``start`` (ms), ``count``;
        ``attrs["median"]`` (ms).
    """
    check_some("histograms", histograms)
    figure = new_figure(3.4 * len(histograms), 2.5, figure)
    axes = figure.subplots(1, len(histograms), sharex=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, histograms.items(), strict=True):
        start = table["start"].to_numpy(float) / SECOND
        width = start[1] - start[0] if len(start) > 1 else 0.5
        ax.bar(start, table["count"], width, align="edge", color="0.55", lw=0)
        median = float(table.attrs.get("median", np.nan)) / SECOND
        ax.axvline(median, color=PATHWAY_COLOURS["D1"], lw=1.4, ls="--")
        ax.set(xlabel="duration of a cycle (s)", ylabel=f"cycles per {1000 * width:.0f} ms bin")
        ax.set_title(f"{name}: {int(table['count'].sum())} cycles, median {median:.1f} s")
    axes[0].set_xlim(0, None)
    return figure


@styled
def plot_sessions(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Sessions that each mouse had under each schedule and, where given, needed to reach the criterion.

    Parameters
    ----------
    table : DataFrame
        From ``sessions_to_criterion``: ``mouse``, ``pathway``, ``schedule``, ``sessions``, ``to_criterion`` (NaN: never
        met, drawn as a cross above the sessions there were); the last may be missing.
    """
    check_columns("table", table, "mouse", "pathway", "schedule", "sessions")
    schedules = sorted(set(table["schedule"]))
    figure = new_figure(2.6 * len(schedules) + 1.2, 2.7, figure)
    axes = figure.subplots(1, len(schedules), sharey=True, squeeze=False)[0]
    for ax, schedule in zip(axes, schedules, strict=True):
        part = table[table["schedule"] == schedule]
        mice = part.sort_values(["pathway", "mouse"], key=lambda s: s.map(lambda v: (v != "D1", v)))
        _sessions_of(ax, mice)
        ax.set_title(schedule)
    axes[0].set_ylabel("sessions")
    marks = {"to criterion": "o", "never met": "x"} if "to_criterion" in table else {}
    handles = [Patch(facecolor="0.8", label="given")]
    handles += [Line2D([], [], color="black", marker=mark, ls="", label=name) for name, mark in marks.items()]
    figure.legend(handles=handles, loc="outside right center")
    return figure


def _sessions_of(ax: Axes, table: pd.DataFrame) -> None:
    x, given = np.arange(len(table)), table["sessions"].to_numpy(float)
    colours = [PATHWAY_COLOURS.get(p, "0.3") for p in table["pathway"]]
    ax.bar(x, given, 0.7, color=colours, alpha=0.35, lw=0)
    if "to_criterion" in table:
        reached = table["to_criterion"].to_numpy(float)
        met = np.isfinite(reached)
        ax.scatter(x[met], reached[met], color=np.array(colours, object)[met].tolist(), s=28)
        ax.plot(x[~met], given[~met] + 0.3, "x", color="black", ms=6)
    ax.set_xticks(x, [f"{m}\n{p}" for m, p in zip(table["mouse"], table["pathway"], strict=True)], fontsize=7)
    ax.set_ylim(0, None)


@styled
def plot_time_budget(
    table: pd.DataFrame, groups: Sequence[str] = tuple(GROUP_COLOURS), figure: Figure | None = None
) -> Figure:
    """Share of the session spent in each group of behaviours, mean of the mice, by session and pathway.

    Parameters
    ----------
    table : DataFrame
        From ``metrics_table``: ``fraction_<group>``.
    """
    check_columns("table", table, "pathway", "session", *(f"fraction_{g}" for g in groups))
    pathways = pathways_of(table)
    figure = new_figure(3.4 * len(pathways), 2.8, figure)
    axes = figure.subplots(1, len(pathways), sharey=True, squeeze=False)[0]
    for ax, pathway in zip(axes, pathways, strict=True):
        mean = table[table["pathway"] == pathway].groupby("session")[[f"fraction_{g}" for g in groups]].mean()
        bottom = np.zeros(len(mean))
        for group in groups:
            share = mean[f"fraction_{group}"].to_numpy(float)
            ax.bar(mean.index, share, 0.8, bottom=bottom, color=GROUP_COLOURS[group], label=group, lw=0)
            bottom += share
        ax.set(xlabel="session", xticks=mean.index, ylim=(0, 1))
        ax.set_title(PATHWAY_NAMES.get(pathway, pathway))
    axes[0].set_ylabel("fraction of the session")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return figure
