"""Figures of clusters of neurons: vectors sorted by cluster, trees, methods side by side, and what judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_type
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.pathways.figures.style import (
    MISSING,
    SIGN_COLOURS,
    category_names,
    check_columns,
    check_some,
    cluster_colour,
    draw_matrix,
    legend_patches,
    p_text,
    panel_grid,
    row_shares,
    sign_image,
    strip,
)

__all__ = [
    "plot_ari_matrix",
    "plot_cluster_choice",
    "plot_cluster_map",
    "plot_comparison",
    "plot_contingency",
    "plot_dendrogram",
    "plot_method_panel",
    "plot_mouse_balance",
]


def _sorted_rows(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of neurons by cluster (those without at the end), clusters there are, and where each begins."""
    key = np.where(labels < 0, np.iinfo(np.int64).max, labels)
    order = np.argsort(key, kind="stable")
    clusters, start = np.unique(key[order], return_index=True)
    return order, np.where(clusters == np.iinfo(np.int64).max, -1, clusters), start


def _check_labels(labels: ArrayLike, n: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ValueError(f"clusters has shape {labels.shape}: it must be ({n},), one for each neuron")
    return labels.astype(np.int64)


@styled
def plot_cluster_map(
    vectors: ArrayLike,
    clusters: ArrayLike,
    sessions: Sequence[object] | None = None,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Category vectors of all neurons, sorted by cluster: ↑ vermillion, ↓ blue, absent grey.

    Parameters
    ----------
    vectors : array_like, shape (n_neurons, 8 * n_sessions)
        0, 1, or NaN where the neuron is absent.
    clusters : array_like of int, shape (n_neurons,)
        From 0; below it, not assigned.
    sessions : sequence, optional
        Names of the sessions, by default 1, 2, ...
    title : str
        Such as the pathway.
    """
    image = sign_image(np.asarray(vectors, float))
    labels = _check_labels(clusters, len(image))
    n_sessions = image.shape[1] // 8
    sessions = range(1, n_sessions + 1) if sessions is None else sessions
    order, names, start = _sorted_rows(labels)
    figure = new_figure(max(5.0, 1.6 + 0.75 * n_sessions), 4.2, figure)
    side, ax = figure.subplots(1, 2, width_ratios=(0.03, 1))
    strip(side, [cluster_colour(c) for c in labels[order]], vertical=True)
    middle = (start + np.r_[start[1:], len(labels)] - 1) / 2
    side.set_yticks(middle, [f"{c}" if c >= 0 else "none" for c in names])
    side.tick_params(axis="y", length=0)
    side.set_ylabel("cluster")
    ax.imshow(image[order], aspect="auto", interpolation="nearest")
    for edge in start[1:]:
        ax.axhline(edge - 0.5, color="black", lw=0.7)
    for k in range(1, n_sessions):
        ax.axvline(8 * k - 0.5, color="0.35", lw=0.7)
    ax.set_xticks(8 * np.arange(n_sessions) + 3.5, [str(s) for s in sessions])
    ax.set_yticks([])
    ax.tick_params(axis="x", length=0)
    order_of = ", ".join(name[:-2] for name in category_names()[:4])
    ax.set_xlabel(f"session\n(columns in each: {order_of} ↑, then ↓)")
    ax.set_title(f"{title}{', ' if title else ''}{len(labels)} neurons", loc="left")
    colours = {"activated": SIGN_COLOURS["activated"], "inactivated": SIGN_COLOURS["inactivated"]}
    figure.legend(handles=legend_patches({**colours, "unmodulated": "white", "absent": MISSING}), ncols=4,
                  loc="outside lower center")  # fmt: skip
    return figure


@styled
def plot_dendrogram(
    linkage: ArrayLike, k: int, clusters: ArrayLike | None = None, title: str = "", figure: Figure | None = None
) -> Figure:
    """Tree of a hierarchical clustering, cut into k clusters.

    Parameters
    ----------
    linkage : array_like, shape (n - 1, 4)
        As SciPy makes it.
    k : int
        Clusters.
    clusters : array_like of int, shape (n,), optional
        Cluster of each neuron, for the colours of branches; without it they are numbered from left to right.
    title : str
        Such as method and pathway.
    """
    from matplotlib.collections import LineCollection
    from scipy.cluster.hierarchy import dendrogram

    linkage = check_array("linkage", linkage, ndim=2)
    n = len(linkage) + 1
    k = check_integer("k", k, 1, n, unit="clusters")
    heights = np.r_[0.0, np.sort(linkage[:, 2])]
    cut = (heights[n - k] + heights[n - k + 1]) / 2 if k > 1 else 1.02 * heights[-1]
    owner = _branches(linkage, cut)
    leaves = dendrogram(linkage, no_plot=True)["leaves"]
    if clusters is None:
        number = {node: i for i, node in enumerate(dict.fromkeys(owner[leaves]))}
    else:
        number = dict(zip(owner[:n], _check_labels(clusters, n), strict=True))
    own = {node: cluster_colour(cluster) for node, cluster in number.items()}
    tree = dendrogram(linkage, no_plot=True, link_color_func=lambda node: own.get(owner[node], "#555555"))
    lines = [np.column_stack(pair) for pair in zip(tree["icoord"], tree["dcoord"], strict=True)]
    figure = new_figure(6.5, 2.8, figure)
    ax = figure.subplots()
    ax.add_collection(LineCollection(lines, colors=tree["color_list"], lw=0.8))
    ax.axhline(cut, color="black", lw=0.9, ls="--", gid="cut")
    ax.set(xlim=(0, 10 * n), ylim=(0, 1.05 * heights[-1]), xticks=[], ylabel="distance of merging")
    ax.set_xlabel(f"{n} neurons; dashed: cut into {k} clusters")
    ax.set_title(title, loc="left")
    return figure


def _branches(linkage: np.ndarray, cut: float) -> np.ndarray:
    """For each node of the tree the top node of its branch below the cut, or -1 above it."""
    n = len(linkage) + 1
    owner = np.full(2 * n - 1, -1)
    owner[:n] = np.arange(n)
    for node in range(2 * n - 2, n - 1, -1):
        if linkage[node - n, 2] < cut:
            owner[node] = node if owner[node] < 0 else owner[node]
            owner[linkage[node - n, :2].astype(int)] = owner[node]
    return owner


@styled
def plot_method_panel(
    vectors: ArrayLike, methods: Mapping[str, ArrayLike], columns: int = 3, figure: Figure | None = None
) -> Figure:
    """The same vectors sorted by the clusters of each method, with the clusters as a strip at the left of each.

    Parameters
    ----------
    vectors : array_like, shape (n_neurons, 8 * n_sessions)
        0, 1 or NaN.
    methods : mapping of array_like
        Clusters by name of the method.
    columns : int
        Panels in a row.
    """
    check_some("methods", methods)
    image = sign_image(np.asarray(vectors, float))
    rows = -(-len(methods) // columns)
    figure = new_figure(2.5 * columns, 1.9 * rows + 0.3, figure)
    grid = panel_grid(figure, 2 * len(methods), 2 * columns, width_ratios=(0.05, 1) * columns)
    for k, (name, clusters) in enumerate(methods.items()):
        side, ax = grid[k // columns, 2 * (k % columns) : 2 * (k % columns) + 2]
        labels = _check_labels(clusters, len(image))
        order, names, start = _sorted_rows(labels)
        strip(side, [cluster_colour(c) for c in labels[order]], vertical=True)
        ax.imshow(image[order], aspect="auto", interpolation="nearest")
        for edge in start[1:]:
            ax.axhline(edge - 0.5, color="black", lw=0.6)
        ax.set(xticks=[], yticks=[], title=f"{name} (k = {(names >= 0).sum()})")
        ax.title.set_fontsize(8)
        if k // columns == (len(methods) - 1 - k % columns) // columns:
            ax.set_xlabel("sessions × 8 categories", fontsize=7)
        if k % columns == 0:
            side.set_ylabel(f"{len(image)} neurons", fontsize=7)
    return figure


# ---------------------------------------------------------------- judging clusterings


SCORE_NAMES = {"rand": "Rand", "ari": "adjusted Rand", "mi": "mutual information (nat)"}
SCORE_NAMES |= {"ami": "adjusted mutual information", "fowlkes_mallows": "Fowlkes–Mallows"}


@styled
def plot_ari_matrix(
    table: pd.DataFrame, label: str = "adjusted Rand index", title: str = "", figure: Figure | None = None
) -> Figure:
    """Agreement of every two clusterings.

    Parameters
    ----------
    table : DataFrame
        Square, names of the clusterings as index and columns.
    label : str
        What the numbers are.
    """
    n = len(check_type("table", table, pd.DataFrame))
    figure = new_figure(0.47 * n + 2.4, 0.38 * n + 1.8, figure)
    ax = figure.subplots()
    image = draw_matrix(ax, table, table.index, table.columns)
    ax.set_xticks(range(n), [str(c) for c in table.columns], rotation=45, ha="right", rotation_mode="anchor")
    ax.set_title(title)
    figure.colorbar(image, ax=ax, label=label)
    return figure


@styled
def plot_cluster_choice(table: pd.DataFrame, chosen: int | None = None, figure: Figure | None = None) -> Figure:
    """Measures of the number of clusters: an axes for each of silhouette, gap statistic and stability there is.

    Parameters
    ----------
    table : DataFrame, indexed by k
        Of :class:`netlib.pathways.clusters.KChoice`: any of ``silhouette``, ``gap`` (with ``gap_error``),
        ``stability_ari``.
    chosen : int, optional
        Number of clusters chosen, dashed.
    """
    check_columns("table", table)
    names = {"silhouette": "mean silhouette", "gap": "gap statistic (nat)", "stability_ari": "stability (ARI)"}
    names = {name: label for name, label in names.items() if name in table}
    if not names:
        raise ValueError(f"table must have one of silhouette, gap, stability_ari; it has {list(table)}")
    figure = new_figure(2.6 * len(names), 2.4, figure)
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for ax, (name, label) in zip(axes, names.items(), strict=True):
        error = table.get(f"{name}_error")
        ax.errorbar(table.index, table[name], error, marker="o", ms=4, lw=1.2, color=PALETTE[5], capsize=2)
        if chosen is not None:
            ax.axvline(chosen, color="black", lw=0.9, ls="--", zorder=0)
        ax.set(xlabel="number of clusters k", ylabel=label, xticks=table.index)
    return figure


@styled
def plot_comparison(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Scores of agreement of two clusterings, over their permutation nulls (grey: mean ± 2 sd).

    Parameters
    ----------
    table : DataFrame, indexed by score
        From :func:`netlib.pathways.cluster_checks.compare`: ``value``, ``null_mean``, ``null_std``, ``p``.
    """
    check_columns("table", table, "value", "null_mean", "null_std", "p")
    figure = new_figure(4.6, 0.36 * len(table) + 1.0, figure)
    ax = figure.subplots()
    y = np.arange(len(table))
    low, high = (table["null_mean"] + s * 2 * table["null_std"] for s in (-1, 1))
    ax.hlines(y, low, high, color="#BBBBBB", lw=6, label="null")
    ax.plot(table["value"], y, "o", color=PALETTE[5], ms=6, label="found")
    for row, place in zip(table.itertuples(), y, strict=True):
        ax.annotate(p_text(row.p), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    names = [SCORE_NAMES.get(score, str(score)) for score in table.index]
    ax.set(yticks=y, yticklabels=names, ylim=(len(y) - 0.5, -0.5), xlabel="agreement")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def plot_contingency(counts: pd.DataFrame, first: str, second: str, figure: Figure | None = None) -> Figure:
    """Neurons of each cluster of one clustering (rows) by those of another: shares of the row, and counts."""
    share, text = row_shares(check_type("counts", counts, pd.DataFrame))
    figure = new_figure(0.5 * share.shape[1] + 2.2, 0.4 * share.shape[0] + 1.2, figure)
    ax = figure.subplots()
    image = draw_matrix(ax, share, counts.index, counts.columns, text=text, size=7.5)
    ax.set(ylabel=f"cluster, {first}", xlabel=f"cluster, {second}")
    figure.colorbar(image, ax=ax, label="fraction of the row")
    return figure


@styled
def plot_mouse_balance(counts: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """Neurons of each mouse in each cluster, stacked, an axes for each pathway.

    Parameters
    ----------
    counts : mapping of DataFrame
        By pathway, from :func:`netlib.pathways.clusters.mouse_balance`: a row for each cluster, a column for each
        mouse, and ``balance``, written above the bars.
    """
    check_some("counts", counts)
    figure = new_figure(3.2 * len(counts), 2.6, figure)
    axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, counts.items(), strict=True):
        _stack(ax, table)
        ax.set_xlabel(f"cluster of {name}")
    axes[0].set_ylabel("neurons (number above:\nbalance of the mice)")
    return figure


def _stack(ax: Axes, table: pd.DataFrame) -> None:
    table = table.set_index("cluster") if "cluster" in table else table
    balance = table.get("balance")
    table = table.drop(columns="balance", errors="ignore")
    bottom, hatches = np.zeros(len(table)), ("", "///", "...", "xx", "\\\\\\", "++")
    for k, mouse in enumerate(table.columns):
        values = table[mouse].to_numpy(float)
        ax.bar(range(len(table)), values, 0.75, bottom=bottom, color=str(0.9 - 0.6 * k / max(len(table.columns), 1)),
               edgecolor="0.2", lw=0.5, hatch=hatches[k % len(hatches)], label=str(mouse))  # fmt: skip
        bottom += values
    for x, value in enumerate(balance if balance is not None else ()):
        ax.text(x, bottom[x], f"{value:.2f}", ha="center", va="bottom", fontsize=6.5)
    ax.set_xticks(range(len(table)), [str(c) for c in table.index])
    ax.set_ylim(0, None)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=7, ncols=len(table.columns), loc="lower center", bbox_to_anchor=(0.5, 1.0))
