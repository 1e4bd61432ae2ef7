"""The same ROIs over sessions: correlations of their indices, and size and spread of them.

Published analyses: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Figs. 4G, 4H and 9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.bootstrap import bootstrap_std, bootstrap_values
from netlib.analysis.permutation import PermutationResult, permutation_result
from netlib.analysis.relabelling import strata_indices
from netlib.analysis.resampling import blocks, correlation, generator
from netlib.units import check_array, check_choice, check_integer

__all__ = ["CorrelationResult", "mean_abs_sem", "pairing_density", "tracked_correlation", "variance_std"]


def mean_abs_sem(values: ArrayLike) -> tuple[float, float]:
    """Mean of |values| and its standard error (ddof 1) over ROIs.

    Examples
    --------
    >>> mean_abs_sem([-1.0, 3.0])
    (2.0, 1.0)
    """
    x = np.abs(check_array("values", values, ndim=1))
    return float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")


def variance_std(
    values: ArrayLike, n_resamples: int = 10_000, seed: int | np.random.Generator = 0
) -> tuple[float, float]:
    """Variance of values over ROIs (ddof 0, as published) and its bootstrapped standard deviation."""
    x = check_array("values", values, ndim=1)
    return float(x.var()), bootstrap_std(x, "variance", n_resamples, seed)


@dataclass(frozen=True)
class CorrelationResult:
    """Correlation over sessions: ``r`` (normalised where asked), bootstrapped ``std``, ``n``, and its ``test``."""

    r: float
    std: float
    n: int
    test: PermutationResult


def tracked_correlation(
    x: ArrayLike,
    y: ArrayLike,
    *,
    permute: str = "tracking",
    kind: str = "r",
    mice: ArrayLike | None = None,
    n_permutations: int = 10_000,
    n_resamples: int = 10_000,
    seed: int = 0,
    tails: int | str = "lo",
    alpha: float = 0.05,
    multcomp: int = 1,
) -> CorrelationResult:
    """Correlation of the indices of tracked ROIs between two sessions, against a null.

    Parameters
    ----------
    x, y : array_like, shape (rois,)
        Index in the earlier and the later session, the same ROIs in the same order.
    permute : {"tracking", "sess"}
        "tracking": r(x, y), identities of ROIs shuffled between sessions. "sess": r(x, y - x), each ROI's two
        sessions swapped or not; as x is in both sides this null is not centred on 0, so r is rescaled to put the
        null's median at 0 and keep -1 and 1: (r - median) / abs(±1 - median).
    kind : {"r", "r_squared"}
        Pearson r, or its square (use ``tails="hi"``).
    mice : array_like, shape (rois,), optional
        Shuffle identities within each mouse only. The published null does not: differences between mice then count
        as correlation.
    n_permutations, n_resamples : int
        Size of the null and of the bootstrap (pairs are resampled).
    seed : int
        Master seed.
    tails, alpha, multcomp
        As in :func:`netlib.analysis.permutation.permutation_result`; published: "lo", 8 comparisons.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 3 ROIs or one session does not vary.
    """
    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=1)
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(f"x has {len(x)} ROIs and y {len(y)}: they must be equal, at least 3")
    check_choice("kind", kind, ("r", "r_squared"))
    by_session = check_choice("permute", permute, ("tracking", "sess")) == "sess"
    if by_session and mice is not None:
        raise ValueError("mice = ... has no effect with permute = 'sess': swaps never leave the ROI")
    n_permutations = check_integer("n_permutations", n_permutations, 1)
    rng = generator(seed, "tracked null", permute)
    null = _swap_null(x, y, n_permutations, rng) if by_session else _shuffle_null(x, y, mice, n_permutations, rng)
    pair = (x, y - x) if by_session else (x, y)
    r = float(correlation(*pair))
    if np.isnan(r) or np.isnan(null).any():
        raise ValueError("x or y does not vary over ROIs: there is no correlation")
    resampled = bootstrap_values(pair, "correlation", n_resamples, generator(seed, "tracked bootstrap"))
    values = [np.atleast_1d(r), null, resampled]
    if by_session:
        median = float(np.median(null))
        values = [_about(v, median) for v in values]
    if kind == "r_squared":
        values = [v * v for v in values]
    r = float(values[0][0])
    test = permutation_result(r, values[1], tails=tails, alpha=alpha, multcomp=multcomp)
    return CorrelationResult(r, float(np.nanstd(values[2])), len(x), test)


def _about(r: np.ndarray, median: float) -> np.ndarray:
    """Rescale r so that ``median`` becomes 0, and -1 and 1 stay."""
    return np.where(r >= median, (r - median) / (1 - median), (r - median) / (1 + median))


def _shuffle_null(x: np.ndarray, y: np.ndarray, mice: ArrayLike | None, n: int, rng: np.random.Generator) -> np.ndarray:
    u, v = ((a - a.mean()) / np.linalg.norm(a - a.mean()) if np.ptp(a) else np.full(len(a), np.nan) for a in (x, y))
    parts = strata_indices(mice, len(x))
    null = np.empty(n)
    for rows in blocks(n, len(x)):
        shuffled = np.tile(v, (rows.stop - rows.start, 1))
        for part in parts:
            shuffled[:, part] = rng.permuted(shuffled[:, part], axis=1)
        null[rows] = shuffled @ u
    return null


def _swap_null(x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    null = np.empty(n)
    for rows in blocks(n, len(x)):
        swap = rng.integers(0, 2, (rows.stop - rows.start, len(x)), dtype=np.uint8).astype(bool)
        first, second = np.where(swap, y, x), np.where(swap, x, y)
        null[rows] = correlation(first, second - first)
    return null


def pairing_density(
    x: ArrayLike, y: ArrayLike, *, n_bins: int = 200, n_permutations: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density of (x, y) over random pairings of ROIs, smoothed: the background of the published scatter panels.

    Parameters
    ----------
    x, y : array_like, shape (rois,)
        Index in two sessions.
    n_bins : int
        Bins along each axis; smoothing is Gaussian with standard deviation n_bins / 20 bins.

    Returns
    -------
    density : ndarray, shape (n_bins, n_bins)
        Mean count per pairing, x along the first axis.
    x_edges, y_edges : ndarray, shape (n_bins + 1,)
    """
    from scipy.ndimage import gaussian_filter

    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=1)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} ROIs and y {len(y)}: they must be equal")
    rng = generator(seed, "pairing density")
    x_edges, y_edges = (np.histogram_bin_edges(a, check_integer("n_bins", n_bins, 1)) for a in (x, y))
    density = np.zeros((n_bins, n_bins))
    for rows in blocks(check_integer("n_permutations", n_permutations, 1), len(x)):
        shuffled = rng.permuted(np.tile(y, (rows.stop - rows.start, 1)), axis=1)
        density += np.histogram2d(np.tile(x, len(shuffled)), shuffled.ravel(), (x_edges, y_edges))[0]
    return gaussian_filter(density / n_permutations, n_bins / 20), x_edges, y_edges
