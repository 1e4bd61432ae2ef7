"""Figures of results: decoding, the population in time, mixed models, and claims about pathways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from netlib.base.checks import check_integer, check_number, check_type
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.pathways.figures.style import (
    CLUSTER_MARKS,
    MISSING,
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    SIGN_COLOURS,
    behaviour_colour,
    check_columns,
    check_some,
    cluster_colour,
    draw_matrix,
    label_edges,
    legend_patches,
    mouse_marks,
    panel_grid,
    pathways_of,
    row_shares,
    side_by_side,
    strip,
)

__all__ = [
    "plot_cluster_changes",
    "plot_codes",
    "plot_confusion",
    "plot_decoding",
    "plot_leakage",
    "plot_learning_curve",
    "plot_mixed_model",
    "plot_mouse_claims",
    "plot_planted",
    "plot_population_components",
    "plot_recall_maps",
    "plot_score_sizes",
    "plot_time_correlation",
    "plot_verdicts",
]


# ---------------------------------------------------------------- decoding


SCORE = "balanced accuracy"


@styled
def plot_decoding(
    table: pd.DataFrame, chance: float = 0.25, score: str = SCORE, title: str = "", figure: Figure | None = None
) -> Figure:
    """Decoding of behaviour from each cluster, by session: bars are means of the mice, marks are mice.

    Parameters
    ----------
    table : DataFrame
        ``cluster``, ``session``, ``mouse``, ``score``; optionally ``size`` (neurons), drawn below.
    chance : float
        Dashed.
    score : str
        What the score is.
    title : str
        Such as the pathway.
    """
    check_columns("table", table, "cluster", "session", "mouse", "score")
    clusters, sessions = sorted(set(table["cluster"])), sorted(set(table["session"]))
    values = {"score": score, **({"size": "neurons"} if "size" in table else {})}
    figure = new_figure(max(4.5, 0.12 * len(clusters) * len(sessions) + 1.8), 1.6 * len(values) + 1.5, figure)
    axes = figure.subplots(len(values), 1, sharex=True, squeeze=False, height_ratios=(1.7, 1)[: len(values)])[:, 0]
    width, marks = 0.84 / len(clusters), mouse_marks(table)
    for ax, (value, name) in zip(axes, values.items(), strict=True):
        for k, cluster in enumerate(clusters):
            own = table[table["cluster"] == cluster]
            shift = (k - (len(clusters) - 1) / 2) * width
            mean = own.groupby("session")[value].mean().reindex(sessions)
            label = f"cluster {cluster}" if value == "score" else None
            x, colour = np.arange(len(sessions)) + shift, cluster_colour(cluster)
            ax.bar(x, mean, 0.92 * width, color=colour, lw=0, alpha=0.75, label=label)
            for mouse, part in own.groupby("mouse"):
                x = [sessions.index(s) + shift for s in part["session"]]
                ax.plot(x, part[value], marks[mouse], color="black", mfc="none", ms=2.6, mew=0.6, ls="",
                        label=str(mouse) if k == 0 and value == "score" else None)  # fmt: skip
        ax.set(ylabel=name, ylim=(0, None))
    axes[0].axhline(check_number("chance", chance, "", 0, 1), color="black", lw=0.9, ls="--", gid="chance")
    axes[0].set_ylim(0, 1)
    axes[0].set_title(f"{title}{', ' if title else ''}dashed: chance", loc="left")
    axes[-1].set_xticks(range(len(sessions)), [str(s) for s in sessions])
    axes[-1].set_xlabel("session")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=7)
    return figure


@styled
def plot_confusion(matrices: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """Behaviour shown (rows) and behaviour decoded (columns), shares of the row; an axes for each matrix.

    Parameters
    ----------
    matrices : mapping of DataFrame
        Counts or shares by title, behaviours as index and columns.
    """
    check_some("matrices", matrices)
    size = max(len(m) for m in matrices.values())
    figure = new_figure((0.42 * size + 1.0) * len(matrices) + 0.8, 0.36 * size + 1.6, figure)
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, counts) in zip(axes, matrices.items(), strict=True):
        share, _ = row_shares(counts)
        image = draw_matrix(ax, share, counts.index, counts.columns)
        ax.set_xticks(range(len(counts.columns)), counts.columns, rotation=45, ha="right", rotation_mode="anchor")
        ax.set(xlabel="decoded", title=title)
    axes[0].set_ylabel("shown")
    figure.colorbar(image, ax=axes, label="fraction of the frames shown")
    return figure


@styled
def plot_codes(
    table: pd.DataFrame, chance: float = 0.25, score: str = "balanced_accuracy", figure: Figure | None = None
) -> Figure:
    """Decoding from activated neurons only, from inactivated ones only and from all, at equal numbers of neurons.

    Parameters
    ----------
    table : DataFrame
        Tables of :func:`netlib.pathways.decoding.code_scores` (``set``, ``balanced_accuracy``), stacked, with
        ``pathway`` and ``mouse`` (or another unit, such as a seed) beside. Lines join the scores of a unit; of several
        draws or sessions of a unit, the mean is shown.
    chance : float
        Dashed.
    score : str
        Column of the score; "mean" of tables of :func:`netlib.pathways.decoding.summarise_draws`.
    """
    check_columns("table", table, "pathway", "set", "mouse", score)
    codes = [c for c in ("activation", "inactivation", "all") if c in set(table["set"])]
    colours = {"activation": SIGN_COLOURS["activated"], "inactivation": SIGN_COLOURS["inactivated"], "all": "#999999"}
    pathways = pathways_of(table)
    figure = new_figure(2.6 * len(pathways) + 0.4, 2.9, figure)
    axes = figure.subplots(1, len(pathways), sharey=True, squeeze=False)[0]
    for ax, pathway in zip(axes, pathways, strict=True):
        own = table[table["pathway"] == pathway].pivot_table(index="mouse", columns="set", values=score)
        own = own.reindex(columns=codes)
        ax.bar(range(len(codes)), own.mean(), 0.65, color=[colours[c] for c in codes], alpha=0.75, lw=0)
        for line in own.to_numpy(float):
            ax.plot(range(len(codes)), line, "o-", color="0.25", mfc="white", ms=3.5, lw=0.6, alpha=0.8)
        ax.axhline(chance, color="black", lw=0.9, ls="--", gid="chance")
        names = {"activation": "activated\nonly", "inactivation": "inactivated\nonly", "all": "all"}
        ax.set_xticks(range(len(codes)), [names[c] for c in codes])
        ax.set(ylim=(0, 1), title=PATHWAY_NAMES.get(pathway, pathway))
    axes[0].set_ylabel(f"{SCORE} (dashed: chance)")
    return figure


@styled
def plot_leakage(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Scores under random and blocked splits: what is above the blocked one has leaked from neighbouring bins.

    Parameters
    ----------
    table : DataFrame
        ``features``, ``split`` ("random", "blocked"), ``score``, ``chance``; of several rows of one kind (mice, seeds)
        points, and the bar is their mean.
    """
    check_columns("table", table, "features", "split", "score", "chance")
    features = list(dict.fromkeys(table["features"]))
    figure = new_figure(1.3 * len(features) + 2.2, 2.7, figure)
    ax = figure.subplots()
    for shift, split, colour in ((-0.2, "random", PALETTE[1]), (0.2, "blocked", PALETTE[5])):
        for x, name in enumerate(features):
            score = table.loc[(table["features"] == name) & (table["split"] == split), "score"].to_numpy(float)
            ax.bar(x + shift, score.mean(), 0.37, lw=0, color=colour, label=None if x else f"{split} split")
            if len(score) > 1:
                place = x + shift + 0.12 * np.linspace(-1, 1, len(score))
                ax.plot(place, score, "o", ms=2.6, mew=0.6, mfc="none", color="black")
    chance = table.groupby("features")["chance"].mean()[features]
    x = np.arange(len(features))
    ax.hlines(chance, x - 0.45, x + 0.45, color="black", lw=1, ls="--", label="chance")
    ax.set_xticks(x, [name.replace(", ", ",\n") for name in features])
    ax.set(ylim=(0, 1), ylabel=SCORE, xlabel="features")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


@styled
def plot_learning_curve(table: pd.DataFrame, chance: float = 0.25, figure: Figure | None = None) -> Figure:
    """Score against the number of neurons, by pathway or by cluster, with the range of the draws.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.pathways.decoding.summarise_draws`: ``n``, ``mean``, ``low``, ``high``; with
        ``pathway`` or ``cluster``, a curve for each.
    chance : float
        Dashed.
    """
    check_columns("table", table, "n", "mean", "low", "high")
    by = next((c for c in ("pathway", "cluster") if c in table), None)
    figure = new_figure(4.6, 2.8, figure)
    ax = figure.subplots()
    for name, own in table.sort_values("n").groupby(by) if by else [("all", table.sort_values("n"))]:
        _draw_curve(ax, own, name, by == "cluster")
    ax.axhline(chance, color="black", lw=0.9, ls="--", gid="chance", label="chance")
    ax.set(xlabel="neurons", ylabel=SCORE, ylim=(0, 1), xlim=(0, None))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


def _draw_curve(ax: Axes, table: pd.DataFrame, name: object, is_cluster: bool) -> None:
    colour = cluster_colour(int(name)) if is_cluster else PATHWAY_COLOURS.get(str(name), "0.3")
    label = f"cluster {name}" if is_cluster else PATHWAY_NAMES.get(str(name), str(name))
    ax.plot(table["n"], table["mean"], color=colour, marker=PATHWAY_MARKS.get(str(name), "o"), ms=4, label=label)
    ax.fill_between(table["n"], table["low"], table["high"], color=colour, alpha=0.2, lw=0)


@styled
def plot_recall_maps(
    table: pd.DataFrame, values: Mapping[str, str], title: str = "", figure: Figure | None = None
) -> Figure:
    """Scores of every cluster (row) in every session (column), mean of the mice: a map for each behaviour and for all.

    Parameters
    ----------
    table : DataFrame
        ``cluster``, ``session`` and the columns of ``values``; a row for each mouse.
    values : mapping of str
        Title of each column, such as ``{"recall food": "food", "score": "balanced accuracy"}``.
    title : str
        Such as the pathway.
    """
    check_columns("table", table, "cluster", "session", *check_type("values", values, Mapping))
    clusters, sessions = sorted(set(table["cluster"])), sorted(set(table["session"]))
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    width, height = 0.33 * len(sessions) + 0.5, 0.27 * len(clusters) + 0.75
    figure = new_figure(width * columns + 1.1, height * rows + 0.3, figure)
    grid = panel_grid(figure, len(values), columns, sharex=True, sharey=True)
    for ax, (column, name) in zip(grid.flat, values.items(), strict=False):
        mean = table.pivot_table(index="cluster", columns="session", values=column).reindex(clusters, columns=sessions)
        image = draw_matrix(ax, mean, clusters, sessions, size=5.5)
        ax.set_title(name)
    label_edges(grid, "session", "cluster")
    figure.colorbar(image, ax=grid, label="fraction of the bins decoded right", shrink=0.8)
    figure.suptitle(title, fontsize=9)
    return figure


@styled
def plot_score_sizes(
    table: pd.DataFrame, slope: float | None = None, chance: float = 0.25, figure: Figure | None = None
) -> Figure:
    """Score of each cluster against the number of its neurons: a point for each mouse and session.

    Parameters
    ----------
    table : DataFrame
        ``cluster``, ``mouse``, ``score``, ``size`` (neurons).
    slope : float, optional
        Score per doubling, from :func:`netlib.pathways.decoding.size_control`: drawn through the mean.
    chance : float
        Dashed.
    """
    check_columns("table", table, "cluster", "mouse", "score", "size")
    table, marks = table[(table["size"] > 0) & table["score"].notna()], mouse_marks(table)
    figure = new_figure(5.0, 3.0, figure)
    ax = figure.subplots()
    for (cluster, mouse), own in table.groupby(["cluster", "mouse"]):
        ax.plot(own["size"], own["score"], marks[mouse], ms=3.5, mew=0.8, mfc="none", color=cluster_colour(cluster))
    if slope is not None and len(table):
        x = np.array([table["size"].min(), table["size"].max()], float)
        centre = np.log2(table["size"]).mean()
        ax.plot(x, table["score"].mean() + slope * (np.log2(x) - centre), color="black", lw=1.4, gid="slope")
        ax.set_title(f"{slope:+.3f} per doubling, within mice and sessions")
    ax.axhline(chance, color="black", lw=0.9, ls="--", gid="chance")
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="neurons of the cluster", ylabel=f"{SCORE} (dashed: chance)", ylim=(0, 1))
    clusters = sorted(set(table["cluster"]))
    handles = [Line2D([], [], color=cluster_colour(c), marker="s", ls="", label=f"cluster {c}") for c in clusters]
    handles += [Line2D([], [], color="0.3", mfc="none", marker=m, ls="", label=str(n)) for n, m in marks.items()]
    figure.legend(handles=handles, loc="outside right center", fontsize=7)
    return figure


# ---------------------------------------------------------------- population in time


#: Most instants that are drawn along a side.
MOST = 1500


def _names(labels: ArrayLike) -> list[str]:
    return [str(x) for x in np.asarray(labels, object)]


@styled
def plot_time_correlation(
    matrix: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    step: float = 1000.0,
    limit: float = 0.5,
    sessions: Sequence[int] = (),
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Correlation of the population at every two instants, beside behaviour and clusters of instants.

    Parameters
    ----------
    matrix : array_like, shape (n, n)
        Correlations.
    labels : array_like of str, shape (n,)
        Behaviour at each instant; one not known is light grey.
    clusters : array_like of int, shape (n,), optional
        Cluster of each instant, from 0.
    step : float
        Time between instants (ms). Of more than 1500 instants, as many as fit are left out between those drawn.
    limit : float
        The colours end at -limit and limit.
    sessions : sequence of int
        First instant of each session, marked.
    title : str
        Such as the mouse, and the agreement of clusters with behaviour.
    """
    matrix = np.asarray(matrix, float)
    n = len(matrix)
    found = _names(labels)
    if matrix.shape != (n, n) or len(found) != n:
        raise ValueError(f"matrix has shape {matrix.shape} for {len(found)} labels: it must be (n, n), n labels")
    every = -(-n // MOST)
    matrix, found, step = matrix[::every, ::every], found[::every], step * every
    sessions = [first / every for first in sessions]
    clusters = None if clusters is None else np.asarray(clusters, int)[::every]
    figure = new_figure(5.6, 5.0, figure)
    rows = 1 + (clusters is not None)
    grid = figure.subplots(rows + 1, 1, height_ratios=(0.05,) * rows + (1,), sharex=True, squeeze=False)[:, 0]
    end = len(matrix) * step / 60_000.0
    strip(grid[0], [behaviour_colour(x) for x in found], extent=(0, end, 0, 1))
    grid[0].set_ylabel("behaviour", rotation=0, ha="right", va="center", fontsize=8)
    if clusters is not None:
        strip(grid[1], [cluster_colour(c) for c in clusters], extent=(0, end, 0, 1))
        grid[1].set_ylabel("cluster", rotation=0, ha="right", va="center", fontsize=8)
    ax = grid[-1]
    ax.set_facecolor(MISSING)
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit, extent=(0, end, end, 0), aspect="auto",
                      interpolation="nearest")  # fmt: skip
    for first in sessions:
        for draw in (ax.axvline, ax.axhline):
            draw(first * step / 60_000.0, color="black", lw=0.6)
    ax.set(xlabel="time (min)", ylabel="time (min)")
    ax.locator_params(nbins=6)
    ax.tick_params(labelbottom=True)
    figure.colorbar(image, ax=grid.tolist(), label="correlation of the population", shrink=0.7, extend="both")
    handles = legend_patches({x: behaviour_colour(x) for x in dict.fromkeys(found)})
    figure.legend(handles=handles, loc="outside lower center", ncols=min(7, len(handles)), fontsize=7)
    grid[0].set_title(title, loc="left")
    return figure


@styled
def plot_population_components(
    scores: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike,
    explained: ArrayLike | None = None,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """First two principal components of the population, instants coloured by behaviour and by cluster.

    Parameters
    ----------
    scores : array_like, shape (n, at least 2)
        Principal components; three give a second row, 1 against 3.
    labels : array_like of str, shape (n,)
        Behaviours.
    clusters : array_like of int, shape (n,)
        Clusters of instants, from 0.
    explained : array_like, optional
        Fraction of the variance of each component.
    title : str
        Such as the mouse.
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or scores.shape[1] < 2 or len(scores) != len(np.asarray(labels)) != 0:
        raise ValueError(f"scores has shape {scores.shape}: it must be (n, 2 or more), one row for each label")
    others = range(1, min(3, scores.shape[1]))
    figure = new_figure(7.0, 2.7 * len(others) + 0.3, figure)
    grid = figure.subplots(len(others), 2, squeeze=False, sharex=True, sharey="row")
    share = [""] * scores.shape[1] if explained is None else [f" ({100 * x:.0f} % of variance)" for x in explained]
    for line, k in zip(grid, others, strict=True):
        _scatter(line[0], scores[:, [0, k]], np.asarray(_names(labels), object), behaviour_colour)
        _scatter(line[1], scores[:, [0, k]], np.asarray(clusters, int), cluster_colour)
        line[0].set_ylabel(f"component {k + 1}{share[k]}")
    for ax, name in zip(grid[0], ("by behaviour", "by cluster of instants"), strict=True):
        ax.set_title(name)
        ax.legend(fontsize=6.5, markerscale=1.6, loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2)
    for ax in grid[-1]:
        ax.set_xlabel(f"component 1{share[0]}")
    figure.suptitle(title, fontsize=9)
    return figure


def _scatter(ax: Axes, points: np.ndarray, names: np.ndarray, colour_of: object) -> None:
    for k, name in enumerate(sorted(set(names.tolist()))):
        ax.scatter(*points[names == name].T, s=7, lw=0, alpha=0.75, color=colour_of(name),
                   marker=CLUSTER_MARKS[k % 7], label=str(name))  # fmt: skip


# ---------------------------------------------------------------- statistics


@styled
def plot_mixed_model(
    terms: pd.DataFrame, factors: pd.DataFrame, unit: str = "", title: str = "", figure: Figure | None = None
) -> Figure:
    """Coefficients of a mixed model with their intervals, and the p value of each factor.

    Parameters
    ----------
    terms : DataFrame
        ``term``, ``estimate``, ``low``, ``high``; filled points where the interval excludes 0.
    factors : DataFrame
        ``factor``, ``p`` (of the mixed model) and, optionally, ``p_ols``, of a model that takes repeated measures as
        independent: shown beside as what not to trust.
    unit : str
        Unit of the coefficients.
    title : str
        Such as the formula and the number of mice.
    """
    check_columns("terms", terms, "term", "estimate", "low", "high")
    check_columns("factors", factors, "factor", "p")
    figure = new_figure(7.6, max(2.3, 0.22 * len(terms) + 1.1), figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    y = np.arange(len(terms))
    away = ((terms["low"] > 0) | (terms["high"] < 0)).to_numpy()
    left.axvline(0, color="0.6", lw=0.8, ls="--", zorder=0)
    left.hlines(y, terms["low"], terms["high"], color=PALETTE[5], lw=1.3)
    for shown, face in ((away, PALETTE[5]), (~away, "white")):
        left.plot(terms["estimate"][shown], y[shown], "o", mec=PALETTE[5], mfc=face, ms=4.5)
    left.set(yticks=y, yticklabels=terms["term"], ylim=(len(y) - 0.4, -0.6))
    left.set_xlabel(f"coefficient, 95 % interval{f' ({unit})' if unit else ''}")
    _draw_log_p(right, factors)
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_log_p(ax: Axes, factors: pd.DataFrame) -> None:
    series = {"p": ("mixed model", PALETTE[5], "")}
    if "p_ols" in factors:
        series["p_ols"] = ("OLS (repeated measures taken as independent)", "0.75", "///")
    height = 0.8 / len(series)
    for k, (column, (name, colour, hatch)) in enumerate(series.items()):
        p = np.clip(factors[column].to_numpy(float), 1e-300, 1)
        y = np.arange(len(factors)) + (k - (len(series) - 1) / 2) * height
        ax.barh(y, -np.log10(p), 0.9 * height, color=colour, hatch=hatch, edgecolor="white", lw=0, label=name)
    ax.axvline(-np.log10(0.05), color="black", lw=0.9, ls="--")
    ax.text(-np.log10(0.05), 1.01, "0.05", transform=ax.get_xaxis_transform(), ha="center", fontsize=7)
    ax.set(yticks=range(len(factors)), yticklabels=factors["factor"], ylim=(len(factors) - 0.4, -0.6))
    ax.set_xlabel("−log10 p of the factor")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower right", fontsize=7, ncols=2)


@styled
def plot_cluster_changes(
    table: pd.DataFrame, limit: float | None = None, unit: str = "Hz", title: str = "", figure: Figure | None = None
) -> Figure:
    """Change of activity of each cluster from session to session: its sign where significant, and its size.

    Parameters
    ----------
    table : DataFrame
        ``cluster``, ``behaviour``, ``comparison`` (such as "1→2"), ``mean_a``, ``mean_b``, ``change`` (relative) and
        ``q`` (corrected).
    limit : float, optional
        Largest change of the colours; by default the largest there is, but at most 1.
    unit : str
        Unit of the means.
    title : str
        Such as the pathway.
    """
    check_columns("table", table, "cluster", "behaviour", "comparison", "mean_a", "mean_b", "change", "q")
    behaviours, steps = list(dict.fromkeys(table["behaviour"])), list(dict.fromkeys(table["comparison"]))
    clusters = sorted(set(table["cluster"]))
    finite = np.abs(table["change"][np.isfinite(table["change"])])
    limit = min(1.0, float(finite.max())) if limit is None and len(finite) else limit or 1.0
    columns = min(2, len(behaviours))
    rows = -(-len(behaviours) // columns)
    width, height = 0.55 * len(steps) + 1.0, 0.3 * len(clusters) + 0.95
    figure = new_figure(columns * width + 0.8, rows * height + 0.3, figure)
    grid = panel_grid(figure, len(behaviours), columns, sharex=True, sharey=True)
    for ax, behaviour in zip(grid.flat, behaviours, strict=False):
        own = table[table["behaviour"] == behaviour].set_index(["cluster", "comparison"])
        own = own.reindex(pd.MultiIndex.from_product([clusters, steps]))
        text = np.array([_change_text(row) for row in own.itertuples()], object).reshape(len(clusters), len(steps))
        values = own["change"].to_numpy(float).reshape(text.shape)
        image = draw_matrix(ax, values, clusters, steps, cmap="RdBu_r", limits=(-limit, limit), text=text, size=5.5)
        ax.set_title(behaviour)
    for ax in grid[:, 0]:
        ax.set_ylabel("cluster")
    for ax in grid[-1]:
        ax.set_xlabel("sessions compared")
    label = f"relative change (mean → mean in {unit};\n▲ ▼ where q < 0.05)"
    figure.colorbar(image, ax=grid, label=label, shrink=0.8, extend="both")
    figure.suptitle(title, fontsize=9)
    return figure


def _change_text(row: tuple) -> str:
    if not np.isfinite(row.change):
        return ""
    sign = "" if not row.q < 0.05 else "▲" if row.change > 0 else "▼"
    return f"{row.mean_a:.2g}→{row.mean_b:.2g}" + (f"\n{sign}" if sign else "")


# ---------------------------------------------------------------- claims


@styled
def plot_mouse_claims(
    tables: Mapping[str, pd.DataFrame],
    values: Mapping[str, str],
    limits: Mapping[str, tuple[float, float]] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Mice of both pathways, a point each, with the mean of a pathway; an axes for each value.

    Parameters
    ----------
    tables : mapping of DataFrame
        By what was planted (or another title): ``pathway`` and the columns of ``values``.
    values : mapping of str
        Label of each column to draw, such as ``{"engaged": "share of neurons engaged"}``.
    limits : mapping of (float, float), optional
        Range of the axis of a value; a range that crosses 0 gets a line there.
    """
    if not check_type("tables", tables, Mapping) or not check_type("values", values, Mapping):
        raise ValueError("tables and values must hold at least one each")
    figure = new_figure(max(2.2, 0.75 * len(tables) + 1.1) * len(values), 2.7, figure)
    axes = figure.subplots(1, len(values), squeeze=False)[0]
    for ax, (value, label) in zip(axes, values.items(), strict=True):
        for x, table in enumerate(tables.values()):
            pathways = pathways_of(check_columns("table", table, "pathway", value))
            for k, pathway in enumerate(pathways):
                own = table.loc[table["pathway"] == pathway, value].dropna().to_numpy(float)
                centre = x + 0.34 * (k - (len(pathways) - 1) / 2)
                colour = PATHWAY_COLOURS.get(pathway, "0.3")
                ax.plot(
                    centre + side_by_side(len(own), 0.08),
                    own,
                    PATHWAY_MARKS.get(pathway, "s"),
                    ms=4.5,
                    color=colour,
                    alpha=0.8,
                )
                if len(own):
                    ax.hlines(own.mean(), centre - 0.13, centre + 0.13, color="black", lw=1.4)
        ax.set_xticks(range(len(tables)), list(tables))
        ax.set(ylabel=label, xlim=(-0.5, len(tables) - 0.5), ylim=(limits or {}).get(value))
        if ax.get_ylim()[0] < 0 < ax.get_ylim()[1]:
            ax.axhline(0, color="0.6", lw=0.8, ls="--", zorder=0, gid="zero")
    names = list(dict.fromkeys(p for table in tables.values() for p in pathways_of(table)))
    handles = [
        Line2D([], [], color=PATHWAY_COLOURS.get(p, "0.3"), marker=PATHWAY_MARKS.get(p, "s"), ls="",
               label=PATHWAY_NAMES.get(p, p)) for p in names
    ]  # fmt: skip
    figure.legend(handles=[*handles, Line2D([], [], color="black", label="mean of mice")],
                  loc="outside lower center", ncols=len(names) + 1)  # fmt: skip
    return figure


@styled
def plot_planted(
    table: pd.DataFrame,
    panels: Mapping[str, Sequence[str]],
    references: Mapping[str, float] | None = None,
    columns: int = 3,
    figure: Figure | None = None,
) -> Figure:
    """Measures by what was planted, means over data sets with their intervals; an axes for each panel.

    Parameters
    ----------
    table : DataFrame
        ``condition``, ``measure``, ``mean``, ``low``, ``high``.
    panels : mapping of sequence of str
        Measures drawn together, by the label of their axis. A measure that ends in a pathway has its colour and mark;
        one that names a code is filled for activation, and hollow for inactivation.
    references : mapping of float, optional
        A dashed line for a panel, such as chance.
    columns : int
        Panels in a row.
    """
    check_columns("table", table, "condition", "measure", "mean", "low", "high")
    conditions = list(dict.fromkeys(table["condition"]))
    columns = min(check_integer("columns", columns, 1), len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure((0.42 * len(conditions) + 1.3) * columns, 2.9 * rows, figure)
    grid = panel_grid(figure, len(panels), columns)
    for ax, (label, measures) in zip(grid.flat, panels.items(), strict=False):
        for k, measure in enumerate(measures):
            own = table[table["measure"] == measure].set_index("condition").reindex(conditions)
            if own["mean"].isna().all():
                raise ValueError(f"table has no values of the measure {measure!r}")
            x = np.arange(len(conditions)) + 0.62 * (k - (len(measures) - 1) / 2) / len(measures)
            error = np.clip([own["mean"] - own["low"], own["high"] - own["mean"]], 0, None)
            ax.errorbar(x, own["mean"], error, ls="", ms=4.5, elinewidth=1.1, capsize=2, **_look(measure))
        if label in (references or {}):
            ax.axhline(references[label], color="black", lw=0.9, ls="--", zorder=0, gid="reference")
        ax.set_xticks(range(len(conditions)), conditions, rotation=40, ha="right", rotation_mode="anchor")
        ax.set(ylabel=label, xlim=(-0.5, len(conditions) - 0.5))
        if len(measures) > 1:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=6.5, handletextpad=0.2)
    return figure


def _look(measure: str) -> dict[str, object]:
    pathway = next((p for p in PATHWAY_COLOURS if measure.endswith(f" {p}")), None)
    colour = PATHWAY_COLOURS.get(pathway, "0.25")
    hollow = "inactivation" in measure
    name = measure.replace(str(pathway), PATHWAY_NAMES.get(pathway, "")) if pathway else measure
    mark = PATHWAY_MARKS.get(pathway, "s")
    return {"color": colour, "marker": mark, "mfc": "white" if hollow else colour, "label": name}


@styled
def plot_verdicts(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """How often each claim was found, by what was planted, and how often its opposite.

    Parameters
    ----------
    table : DataFrame
        ``condition``, ``claim``, ``found`` and ``reversed`` (number of data sets), ``n`` (data sets).
    """
    check_columns("table", table, "condition", "claim", "found", "reversed", "n")
    conditions, claims = list(dict.fromkeys(table["condition"])), list(dict.fromkeys(table["claim"]))
    wide = table.set_index(["claim", "condition"]).reindex(pd.MultiIndex.from_product([claims, conditions]))
    shape = (len(claims), len(conditions))
    net = ((wide["found"] - wide["reversed"]) / wide["n"]).to_numpy(float).reshape(shape)
    text = np.array([_count(row) for row in wide.itertuples()], object).reshape(shape)
    figure = new_figure(0.95 * len(conditions) + 3.3, 0.42 * len(claims) + 1.2, figure)
    ax = figure.subplots()
    image = draw_matrix(ax, net, claims, conditions, cmap="RdBu_r", limits=(-1, 1), text=text, size=7.5)
    ax.set_xlabel("planted")
    figure.colorbar(image, ax=ax, label="(found − opposite found)\n/ data sets", ticks=(-1, 0, 1))
    return figure


def _count(row: tuple) -> str:
    if not row.n > 0:
        return ""
    if row.reversed:
        return f"{row.found:.0f} / {row.n:.0f}\nopposite {row.reversed:.0f}"
    return f"{row.found:.0f} / {row.n:.0f}"
