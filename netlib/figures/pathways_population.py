"""Figures of the whole population in time: correlation of every two instants, and principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from netlib.figures.pathways_style import (
    CLUSTER_MARKS,
    MISSING,
    behaviour_colour,
    cluster_colour,
    legend_patches,
    strip,
)
from netlib.figures.style import new_figure, styled

__all__ = ["plot_population_components", "plot_time_correlation"]

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
    figure : Figure, optional
        Draw into this one.
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
    figure : Figure, optional
        Draw into this one.
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
