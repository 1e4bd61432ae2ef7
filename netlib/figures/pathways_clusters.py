"""Figures of clusters of neurons: vectors sorted by cluster, trees, methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from netlib.figures.pathways_style import (
    MISSING,
    SIGN_COLOURS,
    category_names,
    cluster_colour,
    legend_patches,
    sign_image,
    strip,
)
from netlib.figures.style import new_figure, styled
from netlib.units import check_array, check_integer, check_type

__all__ = ["plot_cluster_map", "plot_dendrogram", "plot_method_panel"]


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
    figure : Figure, optional
        Draw into this one.
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
    figure : Figure, optional
        Draw into this one.
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
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("methods", methods, Mapping):
        raise ValueError("methods is empty: it must hold at least one")
    image = sign_image(np.asarray(vectors, float))
    rows = -(-len(methods) // columns)
    figure = new_figure(2.5 * columns, 1.9 * rows + 0.3, figure)
    grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=(0.05, 1) * columns)
    for ax in grid.flat[2 * len(methods) :]:
        ax.set_visible(False)
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
