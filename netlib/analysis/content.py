"""Orientation over time: what a population says from moment to moment, and how well two such readings agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.decoding import population_vector
from netlib.recordings.recording import Recording
from netlib.units import check_array, check_integer, check_type

__all__ = ["circular_correlation", "content_correlation", "content_orientation", "orientation_rates"]


def orientation_rates(recording: Recording, population: str, edges: ArrayLike, n_bins: int = 18) -> np.ndarray:
    """Mean rate of the cells of a population by their orientation and time.

    Parameters
    ----------
    recording : Recording
        Cells need an ``orientation``.
    population : str
        Which cells.
    edges : array_like, shape (n_times + 1,)
        Edges of the bins of time (ms), rising.
    n_bins : int
        Bins of orientation; bin i is centred on ``180 i / n_bins`` degrees.

    Returns
    -------
    ndarray, shape (n_times, n_bins)
        Rates (Hz).

    Raises
    ------
    ValueError
        If edges do not rise, or a bin of orientation holds no cell.
    """
    cells = check_type("recording", recording, Recording).population(population)
    edges = check_array("edges", edges, "ms", 0, ndim=1)
    check_integer("n_bins", n_bins, 2)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("edges do not rise: they must be the edges of at least one bin of time (ms)")
    place = np.round(cells.neurons["orientation"].to_numpy(float) / (180.0 / n_bins)).astype(int) % n_bins
    member = (place == np.arange(n_bins)[:, None]).astype(float)
    if (member.sum(1) == 0).any():
        raise ValueError(f"n_bins = {n_bins} leaves bins without cells: there are {len(cells)} cells, take fewer bins")
    counts = cells.counts(np.column_stack([edges[:-1], edges[1:]]))
    return 1000.0 * (member @ counts / member.sum(1, keepdims=True) / np.diff(edges)).T


def content_orientation(content: ArrayLike) -> np.ndarray:
    """Population vector of each row of an orientation content (n_times, n_bins): degrees, NaN where it is empty."""
    content = check_array("content", content, "", 0, ndim=2)
    return population_vector(content.T, 180.0 * np.arange(content.shape[1]) / content.shape[1])[0]


def circular_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of two series of orientations, from -1 to 1.

    ``sum sin 2(a_i - a_j) sin 2(b_i - b_j) / sqrt(sum sin^2 2(a_i - a_j) sum sin^2 2(b_i - b_j))`` over all pairs
    i < j (Fisher & Lee 1983, Biometrika 70:327, on the doubled angle): it needs no mean direction, which evenly spread
    orientations do not have. 1 where b is a rotated, -1 where it is a mirrored.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Orientations (deg); a pair with a NaN is left out.

    Returns
    -------
    float
        NaN with fewer than 3 pairs, or where one series is constant.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: both must be (n,), orientations of the same times")
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    x, y = (np.sin(2 * np.radians(np.subtract.outer(v[known], v[known]))) for v in (a, b))
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale > 1e-9 else float("nan")


def content_correlation(a: ArrayLike, b: ArrayLike, changes_only: bool = False) -> float:
    """Pearson correlation of two orientation contents, over all times and orientations.

    Parameters
    ----------
    a, b : array_like, shape (n_times, n_bins)
        Contents: rates, energies or fractions.
    changes_only : bool
        Subtract from each orientation its mean over time: what is left does not credit a content that never changes.

    Returns
    -------
    float
        NaN where one of them is constant.
    """
    a, b = (check_array(name, value, "", ndim=2) for name, value in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: both must be (n_times, n_bins)")
    mean = {"axis": 0, "keepdims": True} if changes_only else {}
    a, b = a - a.mean(**mean), b - b.mean(**mean)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else float("nan")
