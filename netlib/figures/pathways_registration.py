"""Figures of neurons followed across sessions: how many, for how long, where they lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from netlib.figures.pathways_style import (
    CLUSTER_MARKS,
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    check_columns,
    cluster_colour,
    draw_matrix,
    p_text,
    pathways_of,
)
from netlib.figures.pathways_training import draw_by_session
from netlib.figures.style import new_figure, styled
from netlib.units import check_type

__all__ = ["plot_follow_matrix", "plot_footprints", "plot_neuron_counts", "plot_registration"]


@styled
def plot_neuron_counts(table: pd.DataFrame, p: float | None = None, figure: Figure | None = None) -> Figure:
    """Neurons by session and pathway: over sessions, and all sessions of a pathway as a box.

    Whiskers reach from the 2.5th to the 97.5th percentile; the line is the median, the dashed one the mean.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.analysis.neuron_table.neuron_counts`: ``mouse``, ``pathway``, ``session``, ``n``; with
        ``schedule`` its limits are marked.
    p : float, optional
        Of a test with the mouse as the unit (:func:`netlib.analysis.neuron_table.count_test`).
    figure : Figure, optional
        Draw into this one.
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
        By title, from :func:`netlib.analysis.registration_quality.follow_matrix`.
    limits : (float, float)
        Range of the colours; (0.56, 1) as published.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("matrices", matrices, Mapping):
        raise ValueError("matrices is empty: it must hold at least one")
    columns = min(3, len(matrices))
    rows = -(-len(matrices) // columns)
    figure = new_figure(2.7 * columns + 0.9, 2.6 * rows, figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat[len(matrices) :]:
        ax.set_visible(False)
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
        :class:`netlib.analysis.registration_quality.RegistrationQuality`.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("bins", bins, Mapping):
        raise ValueError("bins is empty: it must hold at least one")
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
        By title: x, y (px), y downwards; from :func:`netlib.analysis.footprints.centroids`.
    clusters : mapping of array_like, shape (n,)
        By title: cluster from 0; below it, not assigned (hollow).
    shape : (int, int)
        Height and width of the field (px).
    tests : mapping, optional
        By title, from :func:`netlib.analysis.spatial_clustering`: its ``p`` is stated.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("points", points, Mapping) or set(points) - set(clusters):
        raise ValueError("points must hold at least one field, and clusters the same names")
    columns = min(3, len(points))
    rows = -(-len(points) // columns)
    height, width = shape
    figure = new_figure(3.1 * columns, (2.7 * height / width + 0.75) * rows + 0.3, figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat[len(points) :]:
        ax.set_visible(False)
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
