"""Figures of neurons: modulation against its null, labels, agreement of sources, and neurons followed over sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_type
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.pathways.figures.behaviour import draw_by_session
from netlib.pathways.figures.style import (
    CLUSTER_MARKS,
    GROUP_COLOURS,
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    SIGN_COLOURS,
    check_columns,
    check_some,
    cluster_colour,
    draw_matrix,
    p_text,
    panel_grid,
    pathways_of,
    row_shares,
    side_by_side,
)

__all__ = [
    "plot_agreement",
    "plot_best_labels",
    "plot_candidates",
    "plot_follow_matrix",
    "plot_footprints",
    "plot_fractions",
    "plot_guard",
    "plot_labels_per_neuron",
    "plot_neuron_counts",
    "plot_registration",
    "plot_shift_null",
    "plot_sign_confusion",
]


# ---------------------------------------------------------------- modulation


SECOND = 1000.0
KINDS = {"up": "activated", "down": "inactivated", "both": "both", "none": "unmodulated"}


@styled
def plot_shift_null(
    null: ArrayLike,
    observed: float,
    lags: ArrayLike | None = None,
    *,
    guard: float = 20_000.0,
    percentile: float | None = None,
    p: float | None = None,
    unit: str = "events per s",
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """One neuron and one behaviour: the statistic at every lag, and the histogram of this null with the true value.

    Parameters
    ----------
    null : array_like, shape (n_lags,)
        Statistic at each shift of activity against behaviour.
    observed : float
        Statistic without a shift.
    lags : array_like, shape (n_lags,), optional
        Shifts (ms); without them the histogram is drawn alone.
    guard : float
        Shortest shift (ms), shaded.
    percentile, p : float, optional
        Stated in the title; dotted lines are the 5th and 95th percentiles of the null.
    unit : str
        Unit of the statistic.
    """
    null = check_array("null", null, ndim=1)
    figure = new_figure(7.2 if lags is not None else 3.4, 2.6, figure)
    if lags is None:
        right = figure.subplots()
    else:
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1), sharey=True)
        _draw_lags(left, null, observed, np.asarray(lags, float) / SECOND, guard / SECOND)
        left.set_ylabel(f"activity in the behaviour\n({unit})")
    right.hist(null, 40, color="0.65", orientation="vertical" if lags is None else "horizontal")
    draw = right.axvline if lags is None else right.axhline
    draw(observed, color=SIGN_COLOURS["activated"], lw=1.8, gid="observed")
    for edge in np.percentile(null, (5, 95)):
        draw(edge, color="black", lw=0.9, ls=":", gid="threshold")
    (right.set_ylabel if lags is None else right.set_xlabel)("shifts")
    if lags is None:
        right.set_xlabel(f"activity in the behaviour ({unit})")
    found = [] if percentile is None else [f"percentile {percentile:.1f}"]
    found += [] if p is None else [p_text(p)]
    right.set_title(", ".join(found))
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_lags(ax: Axes, null: np.ndarray, observed: float, lags: np.ndarray, guard: float) -> None:
    """The null over the lags, with gaps where lags are left out."""
    order = np.argsort(lags)
    lags, null = lags[order], null[order]
    step = np.median(np.diff(lags)) if len(lags) > 1 else 1.0
    breaks = np.flatnonzero(np.diff(lags) > 3 * step) + 1
    ax.plot(np.insert(lags, breaks, np.nan), np.insert(null, breaks, np.nan), color="0.45", lw=0.8)
    two_sided = lags[0] < 0
    last = lags[-1] + guard
    shades = [(-guard, guard)] if two_sided else [(0, guard), (last - guard, last)]
    for low, high in shades:
        ax.axvspan(low, high, color="0.92", lw=0, zorder=0, gid="guard")
    ax.plot(0, observed, "o", color=SIGN_COLOURS["activated"], ms=6, clip_on=False, zorder=5)
    ax.set(xlabel="shift of activity (s); grey: guard", xlim=(lags[0], lags[-1]) if two_sided else (0, last))


@styled
def plot_guard(
    waits: ArrayLike,
    chosen: float,
    lags: ArrayLike | None = None,
    curves: Mapping[str, ArrayLike] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """What the guard interval is chosen from: times between sequences, and autocorrelations.

    Parameters
    ----------
    waits : array_like
        Times from one sequence to the next (ms).
    chosen : float
        Guard (ms).
    lags : array_like, optional
        Of the autocorrelations (ms).
    curves : mapping of array_like, optional
        Autocorrelations by name, such as "sequence" or "activity".
    """
    waits = check_array("waits", waits, "ms", 0, ndim=1)
    figure = new_figure(3.5 if not curves else 7.0, 2.5, figure)
    axes = figure.subplots(1, 1 if not curves else 2, squeeze=False)[0]
    axes[0].hist(waits / SECOND, 30, color="0.6")
    axes[0].set(xlabel="time between sequences (s)", ylabel="intervals")
    if curves:
        extra = iter((PALETTE[0], PALETTE[6], PALETTE[1]))
        for name, curve in curves.items():
            colour = GROUP_COLOURS.get(name) or next(extra, "0.4")
            style = "-" if name in GROUP_COLOURS else "--"
            axes[1].plot(np.asarray(lags, float) / SECOND, curve, color=colour, ls=style, lw=1.3, label=name)
        axes[1].axhline(0, color="0.7", lw=0.7, zorder=0)
        axes[1].set(xlabel="lag (s)", ylabel="autocorrelation")
        axes[1].legend(loc="upper right")
    for ax in axes:
        ax.axvline(chosen / SECOND, color=SIGN_COLOURS["activated"], lw=1.5, ls="--", gid="guard")
    axes[0].set_title(f"guard {chosen / SECOND:.1f} s (dashed)")
    return figure


@styled
def plot_fractions(table: pd.DataFrame, by: str = "any", figure: Figure | None = None) -> Figure:
    """Fractions of neurons activated, inactivated and neither, by session and pathway, with their intervals.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.pathways.labels.pathway_fractions`: ``pathway``, ``session``, ``behaviour``,
        ``kind``, ``fraction``, ``low``, ``high``.
    by : {"any", "behaviour"}
        Neurons with at least one behaviour of a kind; or a row of axes for each of the four groups.
    """
    check_columns("table", table, "pathway", "session", "behaviour", "kind", "fraction", "low", "high")
    rows = ["any"] if check_choice("by", by, ("any", "behaviour")) == "any" else list(GROUP_COLOURS)
    shown = table[table["behaviour"].isin(rows)]
    kinds = [kind for kind in KINDS if kind in set(shown["kind"])]
    if not kinds:
        raise ValueError(f"table has no rows of behaviour {rows}")
    figure = new_figure(2.4 * len(kinds) + 0.4, 1.6 * len(rows) + 1.0, figure)
    grid = figure.subplots(len(rows), len(kinds), sharex=True, sharey=True, squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            _fraction_lines(ax, shown[(shown["behaviour"] == row) & (shown["kind"] == kind)])
        line[0].set_ylabel("fraction of neurons" if row == "any" else f"{row}:\nfraction of neurons")
    for ax, kind in zip(grid[0], kinds, strict=True):
        ax.set_title(KINDS[kind])
    for ax in grid[-1]:
        ax.set(xlabel="session", xticks=sorted(set(shown["session"])), ylim=(0, None))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _fraction_lines(ax: Axes, table: pd.DataFrame) -> None:
    pathways = pathways_of(table)
    for k, pathway in enumerate(pathways):
        own = table[table["pathway"] == pathway].sort_values("session")
        value = own["fraction"].to_numpy(float)
        error = np.clip([value - own["low"], own["high"] - value], 0, None)
        x = own["session"] + 0.16 * (k - (len(pathways) - 1) / 2)
        ax.errorbar(x, value, error, color=PATHWAY_COLOURS.get(pathway, "0.3"), marker=PATHWAY_MARKS.get(pathway, "s"),
                    ms=4, lw=1.2, elinewidth=0.8, label=PATHWAY_NAMES.get(pathway, pathway))  # fmt: skip


@styled
def plot_labels_per_neuron(tables: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """How many neurons are modulated in 0 to 4 behaviours, by pathway: activated, inactivated, either.

    Parameters
    ----------
    tables : mapping of DataFrame
        By pathway (or another name), from :func:`netlib.pathways.labels.labels_per_neuron`.
    """
    check_some("tables", tables)
    figure = new_figure(7.0, 2.5, figure)
    axes = figure.subplots(1, 3, sharey=True)
    width = 0.8 / len(tables)
    columns = {"up": "activated", "down": "inactivated", "any": "either"}
    for ax, (column, title) in zip(axes, columns.items(), strict=True):
        for k, (name, table) in enumerate(tables.items()):
            x = np.asarray(table.index, float) + (k - (len(tables) - 1) / 2) * width
            colour = PATHWAY_COLOURS.get(name, str(0.3 + 0.5 * k / len(tables)))
            ax.bar(x, table[column], 0.92 * width, color=colour, lw=0, label=PATHWAY_NAMES.get(name, name))
        ax.set(xlabel="behaviours of a neuron", xticks=range(5), title=title)
    axes[0].set_ylabel("neurons")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(tables))
    return figure


@styled
def plot_agreement(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Correlation of two sources of activity by behaviour; the grey bar is the null, 0 ± 2 sd.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.pathways.labels.agreement`: ``a``, ``b``, ``behaviour``, ``pearson``, ``null_sd``.
        Tables of several sessions or mice may be stacked: each row is a point, and a line their mean.
    """
    check_columns("table", table, "a", "b", "behaviour", "pearson")
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    names = list(dict.fromkeys(table["behaviour"]))
    figure = new_figure(2.5 * len(pairs) + 0.4, 2.7, figure)
    axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for ax, (a, b) in zip(axes, pairs, strict=True):
        part = table[(table["a"] == a) & (table["b"] == b)]
        for k, name in enumerate(names):
            own = part[part["behaviour"] == name]
            x = k + side_by_side(len(own), 0.25)
            if "null_sd" in own:
                ax.vlines(x, -2 * own["null_sd"], 2 * own["null_sd"], color="#CCCCCC", lw=3.5, zorder=0, gid="null")
            ax.plot(x, own["pearson"], "o", ms=3.5, color=GROUP_COLOURS.get(name, "0.3"))
            ax.hlines(own["pearson"].mean(), k - 0.35, k + 0.35, color="black", lw=1.4)
        ax.axhline(0, color="0.7", lw=0.7, zorder=0)
        ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(f"{a} and {b}")
    axes[0].set(ylabel="correlation r (grey: null)", ylim=(min(-0.3, axes[0].get_ylim()[0]), 1.05))
    return figure


@styled
def plot_sign_confusion(
    matrices: Mapping[str, pd.DataFrame], kappa: Mapping[str, float] | None = None, figure: Figure | None = None
) -> Figure:
    """Neurons called ↑, 0 or ↓ by one source (rows) and by another (columns), with Cohen's κ.

    Parameters
    ----------
    matrices : mapping of DataFrame
        Counts by title, such as "events and trace"; colours are shares of the row.
    kappa : mapping of float, optional
        By title.
    """
    check_some("matrices", matrices)
    figure = new_figure(2.5 * len(matrices) + 0.8, 2.6, figure)
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, counts) in zip(axes, matrices.items(), strict=True):
        share, text = row_shares(counts)
        image = draw_matrix(ax, share, counts.index, counts.columns, text=text, size=8)
        first, _, second = title.partition(" and ")
        stated = f"κ = {kappa[title]:.2f}" if kappa and title in kappa else ""
        ax.set(title=stated, ylabel=first, xlabel=second or "other source")
    figure.colorbar(image, ax=axes, label="fraction of the row")
    return figure


# ---------------------------------------------------------------- labels of single neurons


@styled
def plot_best_labels(
    tables: Mapping[str, pd.DataFrame], labels: Sequence[str] = tuple(GROUP_COLOURS), figure: Figure | None = None
) -> Figure:
    """Neurons by the one behaviour that they tell of best: activated upwards, inactivated downwards.

    Parameters
    ----------
    tables : mapping of DataFrame
        By pathway (or another name), from :func:`netlib.pathways.labels.best_label`: ``label``,
        ``direction``, ``significant``. Bars count significant ones; outlines add those that are not.
    labels : sequence of str
        Behaviours, in order.
    """
    check_some("tables", tables)
    figure = new_figure(0.55 * len(labels) * len(tables) + 1.8, 2.8, figure)
    axes = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        check_columns("table", table, "label", "direction", "significant")
        for k, label in enumerate(labels):
            for direction, sign in (("up", 1), ("down", -1)):
                own = table[(table["label"] == label) & (table["direction"] == direction)]
                colour = GROUP_COLOURS.get(label, PATHWAY_COLOURS.get(name, "0.5"))
                ax.bar(k, sign * int(own["significant"].sum()), 0.7, color=colour, lw=0)
                ax.bar(k, sign * len(own), 0.7, fill=False, edgecolor="0.4", lw=0.7, ls=":")
        ax.axhline(0, color="black", lw=0.8)
        ax.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(f"{PATHWAY_NAMES.get(name, name)}: {len(table)} neurons", fontsize=8)
        ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("neurons: activated ↑,\ninactivated ↓ (dotted: all)")
    return figure


@styled
def plot_candidates(
    models: pd.DataFrame, candidates: pd.DataFrame, title: str = "", figure: Figure | None = None
) -> Figure:
    """How well members are assigned to their own cluster, left out one by one, and where the candidates go.

    Parameters
    ----------
    models : DataFrame
        A row for each session: ``session``, ``accuracy``, ``accepted`` (share of members not rejected),
        ``accuracy_accepted``, ``chance``, as of ``Candidates.leave_one_out`` of
        :func:`netlib.pathways.cluster_checks.fit_candidates`.
    candidates : DataFrame
        ``session``, ``cluster`` (-1: rejected), a row for each.
    title : str
        Such as the pathway.
    """
    check_columns("models", models, "session", "accuracy", "accepted", "accuracy_accepted", "chance")
    check_columns("candidates", candidates, "session", "cluster")
    figure = new_figure(7.4, 2.8, figure)
    left, right = figure.subplots(1, 2)
    names = {"accuracy": ("all members", PALETTE[0], "o-"), "accuracy_accepted": ("not rejected", PALETTE[5], "s-")}
    names["accepted"] = ("share not rejected", "0.6", "^:")
    for column, (name, colour, style) in names.items():
        left.plot(models["session"], models[column], style, color=colour, ms=4, lw=1.2, label=name)
    left.plot(models["session"], models["chance"], color="black", lw=0.9, ls="--", label="chance", gid="chance")
    left.set(xlabel="session", ylabel="members assigned\nto their own cluster", ylim=(0, 1.02))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6.5)
    _stack_candidates(right, candidates)
    sessions = sorted(set(models["session"]) | set(candidates["session"]))
    for ax in (left, right):
        ax.set(xticks=sessions, xlim=(sessions[0] - 0.6, sessions[-1] + 0.6))
    figure.suptitle(title, fontsize=9)
    return figure


def _stack_candidates(ax: Axes, candidates: pd.DataFrame) -> None:
    counts = pd.crosstab(candidates["session"], candidates["cluster"])
    order = [c for c in counts.columns if c >= 0] + [c for c in counts.columns if c < 0]
    bottom = np.zeros(len(counts))
    for cluster in order:
        n = counts[cluster].to_numpy(float)
        name = f"cluster {cluster}" if cluster >= 0 else "rejected"
        ax.bar(counts.index, n, 0.75, bottom=bottom, color=cluster_colour(cluster), lw=0, label=name)
        bottom += n
    ax.set(xlabel="session", ylabel="candidates")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5))


# ---------------------------------------------------------------- neurons over sessions


@styled
def plot_neuron_counts(table: pd.DataFrame, p: float | None = None, figure: Figure | None = None) -> Figure:
    """Neurons by session and pathway: over sessions, and all sessions of a pathway as a box.

    Whiskers reach from the 2.5th to the 97.5th percentile; the line is the median, the dashed one the mean.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.pathways.neurons.neuron_counts`: ``mouse``, ``pathway``, ``session``, ``n``; with
        ``schedule`` its limits are marked.
    p : float, optional
        Of a test with the mouse as the unit (:func:`netlib.pathways.neurons.count_test`).
    """
    check_columns("table", table, "mouse", "pathway", "session", "n")
    figure = new_figure(6.8, 2.8, figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.7, 1))
    draw_by_session(left, table, "n")
    left.set(ylabel="neurons per session", ylim=(0, None))
    pathways = pathways_of(table)
    for k, pathway in enumerate(pathways):
        part = table[table["pathway"] == pathway]
        colour = PATHWAY_COLOURS.get(pathway, "0.3")
        right.boxplot(part["n"], positions=[k], widths=0.5, whis=(2.5, 97.5), showmeans=True, meanline=True,
                      showfliers=False, medianprops={"color": "black"},
                      meanprops={"color": "black", "ls": "--"})  # fmt: skip
        place = k + 0.14 * np.linspace(-1, 1, len(part))
        right.plot(place, part["n"], PATHWAY_MARKS.get(pathway, "s"), ms=3, color=colour, alpha=0.6)
    right.set_xticks(range(len(pathways)), [PATHWAY_NAMES.get(name, name) for name in pathways])
    right.set_xlim(-0.6, len(pathways) - 0.4)
    if p is not None:
        right.set_title(f"mouse as unit: {p_text(p)}")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def plot_follow_matrix(
    matrices: Mapping[str, ArrayLike], limits: tuple[float, float] = (0.0, 1.0), figure: Figure | None = None
) -> Figure:
    """Share of the neurons of one session (row) found again in another (column), a matrix for each mouse.

    Parameters
    ----------
    matrices : mapping of array_like, shape (n_sessions, n_sessions)
        By title, from :func:`netlib.pathways.registration.follow_matrix`.
    limits : (float, float)
        Range of the colours; (0.56, 1) as published.
    """
    check_some("matrices", matrices)
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(2.7 * columns + 0.9, 2.6 * rows, figure)
    grid = panel_grid(figure, len(matrices), columns)
    for ax, (title, matrix) in zip(grid.flat, matrices.items(), strict=False):
        matrix = np.asarray(matrix, float)
        sessions = range(1, len(matrix) + 1)
        image = draw_matrix(ax, matrix, sessions, sessions, limits=limits, size=6.0)
        ax.set(title=title, xlabel="found in session", ylabel="neurons of session")
    figure.colorbar(image, ax=grid, label="fraction of neurons followed", shrink=0.8)
    return figure


@styled
def plot_registration(bins: Mapping[str, pd.Series], figure: Figure | None = None) -> Figure:
    """Registered neurons by the share, or the number, of the sessions that they are found in.

    Parameters
    ----------
    bins : mapping of Series
        For each mouse (or pathway), neurons by bin: ``fraction_bins`` or ``count_bins`` of
        :class:`netlib.pathways.registration.RegistrationQuality`.
    """
    check_some("bins", bins)
    figure = new_figure(5.2, 2.7, figure)
    ax = figure.subplots()
    width = 0.84 / len(bins)
    shades = np.linspace(0.25, 0.8, len(bins))
    for k, (name, series) in enumerate(bins.items()):
        x = np.arange(len(series)) + (k - (len(bins) - 1) / 2) * width
        colour = PATHWAY_COLOURS.get(name, str(round(shades[k], 2)))
        ax.bar(x, series.to_numpy(float), 0.92 * width, color=colour, lw=0,
               label=f"{PATHWAY_NAMES.get(name, name)}: {int(series.sum())} neurons")  # fmt: skip
    names = [str(label) for label in next(iter(bins.values())).index]
    ax.set_xticks(range(len(names)), [name.replace("-", "–") for name in names])
    ax.set(xlabel="sessions in which a neuron is found", ylabel="registered neurons")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


@styled
def plot_footprints(
    points: Mapping[str, ArrayLike],
    clusters: Mapping[str, ArrayLike],
    shape: tuple[int, int] = (200, 320),
    tests: Mapping[str, Mapping[str, float]] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Centres of footprints in the field, coloured and marked by cluster, a field for each mouse (or session).

    Parameters
    ----------
    points : mapping of array_like, shape (n, 2)
        By title: x, y (px), y downwards; from :func:`netlib.pathways.registration.centroids`.
    clusters : mapping of array_like, shape (n,)
        By title: cluster from 0; below it, not assigned (hollow).
    shape : (int, int)
        Height and width of the field (px).
    tests : mapping, optional
        By title, from :func:`netlib.pathways.cluster_checks`: its ``p`` is stated.
    """
    if not check_type("points", points, Mapping) or set(points) - set(clusters):
        raise ValueError("points must hold at least one field, and clusters the same names")
    columns = min(3, len(points))
    rows = -(-len(points) // columns)
    height, width = shape
    figure = new_figure(3.1 * columns, (2.7 * height / width + 0.75) * rows + 0.3, figure)
    grid = panel_grid(figure, len(points), columns)
    seen = sorted({int(c) for own in clusters.values() for c in np.asarray(own)})
    for ax, (title, xy) in zip(grid.flat, points.items(), strict=False):
        xy, own = np.asarray(xy, float), np.asarray(clusters[title], int)
        for cluster in seen:
            at = xy[own == cluster]
            if cluster >= 0:
                style = {"marker": CLUSTER_MARKS[cluster % 7], "color": cluster_colour(cluster), "lw": 0}
            else:
                style = {"marker": "o", "facecolors": "none", "edgecolors": "0.6", "lw": 0.7}
            ax.scatter(*at.T, s=16, label=f"cluster {cluster}" if cluster >= 0 else "not assigned", **style)
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x (px)", ylabel="y (px)")
        ax.spines[:].set_visible(True)
        stated = f": neighbours alike, {p_text(tests[title]['p'])}" if tests and title in tests else ""
        ax.set_title(f"{title}{stated}", fontsize=8)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(7, len(names)))
    return figure
