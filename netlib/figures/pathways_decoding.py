"""Figures of decoding behaviour: scores of clusters, confusion, codes of activation and inactivation, leakage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from netlib.figures.pathways_style import (
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    SIGN_COLOURS,
    check_columns,
    cluster_colour,
    draw_matrix,
    mouse_marks,
    pathways_of,
)
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.units import check_number, check_type

__all__ = [
    "plot_codes",
    "plot_confusion",
    "plot_decoding",
    "plot_leakage",
    "plot_learning_curve",
    "plot_recall_maps",
    "plot_score_sizes",
]

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
    figure : Figure, optional
        Draw into this one.
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
    if not check_type("matrices", matrices, Mapping):
        raise ValueError("matrices is empty: it must hold at least one")
    size = max(len(m) for m in matrices.values())
    figure = new_figure((0.42 * size + 1.0) * len(matrices) + 0.8, 0.36 * size + 1.6, figure)
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, counts) in zip(axes, matrices.items(), strict=True):
        values = counts.to_numpy(float)
        total = values.sum(axis=1, keepdims=True)
        share = np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0)
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
        Tables of :func:`netlib.analysis.decoding_sizes.code_scores` (``set``, ``balanced_accuracy``), stacked, with
        ``pathway`` and ``mouse`` (or another unit, such as a seed) beside. Lines join the scores of a unit; of several
        draws or sessions of a unit, the mean is shown.
    chance : float
        Dashed.
    score : str
        Column of the score; "mean" of tables of :func:`netlib.analysis.decoding_sizes.summarise_draws`.
    figure : Figure, optional
        Draw into this one.
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
    figure : Figure, optional
        Draw into this one.
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
        From :func:`netlib.analysis.decoding_sizes.summarise_draws`: ``n``, ``mean``, ``low``, ``high``; with
        ``pathway`` or ``cluster``, a curve for each.
    chance : float
        Dashed.
    figure : Figure, optional
        Draw into this one.
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
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "cluster", "session", *check_type("values", values, Mapping))
    clusters, sessions = sorted(set(table["cluster"])), sorted(set(table["session"]))
    columns = min(3, len(values))
    rows = -(-len(values) // columns)
    width, height = 0.33 * len(sessions) + 0.5, 0.27 * len(clusters) + 0.75
    figure = new_figure(width * columns + 1.1, height * rows + 0.3, figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax in grid.flat[len(values) :]:
        ax.set_visible(False)
    for ax, (column, name) in zip(grid.flat, values.items(), strict=False):
        mean = table.pivot_table(index="cluster", columns="session", values=column).reindex(clusters, columns=sessions)
        image = draw_matrix(ax, mean, clusters, sessions, size=5.5)
        ax.set_title(name)
    for ax in grid[:, 0]:
        ax.set_ylabel("cluster")
    for k in range(columns):
        last = [ax for ax in grid[:, k] if ax.get_visible()][-1]
        last.set_xlabel("session")
        last.tick_params(axis="x", labelbottom=True)
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
        Score per doubling, from :func:`netlib.analysis.decoding_statistics.size_control`: drawn through the mean.
    chance : float
        Dashed.
    figure : Figure, optional
        Draw into this one.
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
