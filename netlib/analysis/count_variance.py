"""Circular variance of spike counts without the bias of small counts, and how sure it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.checks import check_counts, check_orientations

__all__ = ["circular_variance_of_counts", "squared_resultant"]


def squared_resultant(orientations: ArrayLike, counts: ArrayLike) -> np.ndarray:
    """Unbiased estimate of the squared length of the resultant of Poisson counts, (1 - circular variance)^2.

    ``(|S|^2 - N) / (N (N - 1))``, with S the sum of ``exp(2i theta)`` over N spikes: the mean of ``cos 2(a - b)`` over
    all pairs of spikes (the pairwise consistency of Vinck et al. 2010, NeuroImage 51:112). It can be below 0.

    Parameters as in :func:`circular_variance_of_counts`.

    Returns
    -------
    ndarray, shape (n_cells,)
        NaN for a cell with fewer than 2 spikes.
    """
    phase, counts = _checked(orientations, counts)
    return _squared(counts @ phase, counts.sum(1))


def _squared(S: np.ndarray, N: np.ndarray) -> np.ndarray:
    """The same from the sums of phases and the numbers of spikes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(N >= 2, (np.abs(S) ** 2 - N) / (N * (N - 1)), np.nan)


def _checked(orientations: ArrayLike, counts: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """``exp(2i theta)`` of each presentation, and the counts."""
    theta = check_orientations("orientations", orientations, distinct=3)
    counts = check_counts("counts", counts, len(theta))
    repeats = np.unique(np.round(theta, 6), return_counts=True)[1]
    phase = np.exp(2j * np.radians(theta))
    if abs(phase.mean()) > 1e-6 or np.ptp(repeats):
        raise ValueError("orientations are not an even grid, each equally often: a flat curve would look tuned")
    return phase, counts


def circular_variance_of_counts(
    orientations: ArrayLike, counts: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Circular variance of each cell from its spike counts, corrected for their noise, with its standard error.

    The resultant of N spikes is too long by chance: that of a flat cell is about ``1 / sqrt(N)``. The variance returned
    is one minus the root of :func:`squared_resultant`, which has no such bias, or 1 where that is below 0.

    Parameters
    ----------
    orientations : array_like, shape (n_presentations,)
        Orientation of each presentation (deg), an even grid, each shown equally often and long.
    counts : array_like of int, shape (n_cells, n_presentations)
        Spikes.

    Returns
    -------
    variance, error : ndarray, shape (n_cells,)
        NaN for a cell with fewer than 2 spikes. The error is the root of the variance of R^2 (to leading orders in 1/N)
        brought to the scale of R.
    n_spikes : ndarray of int, shape (n_cells,)

    Raises
    ------
    ValueError
        If orientations are uneven or not equally often shown, or counts are not whole numbers of 0 or more.
    """
    phase, counts = _checked(orientations, counts)
    S, N = counts @ phase, counts.sum(1)
    square = _squared(S, N)
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.sqrt(np.clip(square, 0, 1))
        # Spread of single spikes along the mean direction: (1 + m4) / 2 - R^2, with m4 the second harmonic there.
        m4 = np.real(np.exp(-2j * np.angle(S)) * (counts @ phase**2)) / N
        along = np.maximum((1 + m4) / 2 - np.clip(square, 0, 1), 0.0)
        # No length below 1 / sqrt(N) can be told from another there: the error is that at this length.
        least = np.maximum(length, 1 / np.sqrt(N))
        error = np.sqrt(4 * least**2 * along / N + (1 - length**2) ** 2 / N**2) / (2 * least)
        error = np.maximum(error, 0.5 / N)
    return 1 - length, np.where(N >= 2, error, np.nan), N.astype(int)
