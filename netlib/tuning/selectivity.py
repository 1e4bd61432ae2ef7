"""Selectivity without a fit: circular variance, orientation and direction indices, widths, sparseness, over many cells.

Functions of a tuning curve take ``rates`` of shape (..., n_levels), the mean response at each orientation, and return
one value per curve, NaN where the cell is silent. A response below 0 makes no sense here and is refused. Those of
spike counts know what noise adds, and correct for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_number
from netlib.base.orientation import wrap
from netlib.tuning.counts import check_counts, check_orientations

__all__ = [
    "circular_variance",
    "circular_variance_of_counts",
    "direction_index",
    "half_width",
    "orientation_index",
    "preferred_orientation",
    "sparseness",
    "squared_resultant",
]


def circular_variance(orientations: ArrayLike, rates: ArrayLike) -> np.ndarray:
    """Circular variance ``1 - |sum r exp(2i theta) / sum r|``: 0 for one orientation alone, 1 for a flat curve.

    A von Mises of concentration k without baseline has ``1 - I1(k) / I0(k)``. Source: Ringach, Shapley & Hawken
    2002, J Neurosci 22:5639.

    Parameters
    ----------
    orientations : array_like, shape (n_levels,)
        Orientations (deg), evenly spread over 180 degrees.
    rates : array_like, shape (..., n_levels)
        Mean response (Hz).

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If orientations are uneven, in radians or of another number than the rates; if a rate is below 0.
    """
    return 1 - np.abs(_resultant(orientations, rates))


def preferred_orientation(orientations: ArrayLike, rates: ArrayLike) -> np.ndarray:
    """Preferred orientation (deg) by vector average, ``arg(sum r exp(2i theta)) / 2``; NaN for a silent or flat cell.

    Parameters as in :func:`circular_variance`.
    """
    vector = _resultant(orientations, rates)
    return np.where(np.abs(vector) > 1e-12, wrap(np.degrees(np.angle(vector)) / 2), np.nan)


def orientation_index(orientations: ArrayLike, rates: ArrayLike) -> np.ndarray:
    """Orientation selectivity index ``(R_pref - R_orth) / (R_pref + R_orth)``, from 0 to 1.

    ``R_pref`` is the largest response and ``R_orth`` the one 90 degrees away, interpolated between neighbours.

    Parameters as in :func:`circular_variance`, but the orientations need not be even.
    """
    levels, rates = _ordered(orientations, rates)
    peak = rates.max(-1)
    orthogonal = _interpolate(levels, rates, levels[rates.argmax(-1)] + 90.0, 180.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(peak > 0, (peak - orthogonal) / (peak + orthogonal), np.nan)


def direction_index(directions: ArrayLike, rates: ArrayLike) -> np.ndarray:
    """Direction index ``(R_pref - R_null) / (R_pref + R_null)``, from 0 to 1.

    Parameters
    ----------
    directions : array_like, shape (n_levels,)
        Distinct directions of motion over the whole circle (deg, in [0, 360)).
    rates : array_like, shape (..., n_levels)
        Mean response (Hz).

    Returns
    -------
    ndarray, shape (...)
        ``R_pref`` is the largest response, ``R_null`` the one 180 degrees away, interpolated.

    Raises
    ------
    ValueError
        If directions repeat, cover half the circle only, or look like radians.
    """
    theta = np.mod(check_array("directions", directions, "deg", -360, 360, ndim=1), 360.0)
    if len(theta) < 2 or len(np.unique(np.round(theta, 9))) < len(theta):
        raise ValueError("directions must hold at least 2 distinct values, each once")
    if theta.max() < 2 * np.pi + 1e-6:
        raise ValueError(f"directions reach {theta.max():g} deg only: they look like radians; they are in degrees")
    rates = _curve("directions", theta, rates)
    order = np.argsort(theta)
    theta, rates = theta[order], rates[..., order]
    if np.diff(np.append(theta, theta[0] + 360.0)).max() > 180.0 + 1e-9:
        raise ValueError("directions leave more than 180 deg of the circle empty: they must go all around")
    peak = rates.max(-1)
    null = _interpolate(theta, rates, theta[rates.argmax(-1)] + 180.0, 360.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(peak > 0, (peak - null) / (peak + null), np.nan)


def half_width(orientations: ArrayLike, rates: ArrayLike, level: float = 0.5, reference: str = "zero") -> np.ndarray:
    """Half width of the curve itself (deg), at a fraction of its peak, by linear interpolation.

    Parameters
    ----------
    orientations, rates : array_like
        As in :func:`circular_variance`, but the orientations need not be even.
    level : float
        Fraction of the height: 0.5 for the half width at half height, ``1 / sqrt(2)`` for the half-bandwidth of
        Ringach, Shapley & Hawken 2002 (who smooth the curve first; here it is taken as it is).
    reference : {"zero", "minimum"}
        Height counted from 0 or from the smallest response of the curve.

    Returns
    -------
    ndarray, shape (...)
        Mean of the two sides; NaN if the cell is silent or the curve never falls to that level.
    """
    level = check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    check_choice("reference", reference, ("zero", "minimum"))
    levels, rates = _ordered(orientations, rates)
    peak = rates.max(-1, keepdims=True)
    floor = rates.min(-1, keepdims=True) if reference == "minimum" else np.zeros_like(peak)
    walk = (rates.argmax(-1)[..., None] + np.arange(len(levels) + 1)) % len(levels)
    excess = np.take_along_axis((rates - floor) - level * (peak - floor), walk, -1)
    travelled = np.mod(levels[walk] - levels[walk[..., :1]], 180.0)
    travelled[..., -1] = 180.0
    up = _crossing(excess, travelled)
    down = _crossing(excess[..., ::-1], 180.0 - travelled[..., ::-1])
    return np.where((peak > floor)[..., 0], (up + down) / 2, np.nan)


def sparseness(responses: ArrayLike, axis: int = -1) -> np.ndarray:
    """Sparseness ``(1 - <r>^2 / <r^2>) / (1 - 1/n)``: 0 for equal responses, 1 for a single one.

    The activity ratio ``<r>^2 / <r^2>`` is that of Rolls & Tovee (1995, J Neurophysiol 73:713), the scale from 0 to 1
    that of Vinje & Gallant (2000, Science 287:1273). Over stimuli it is the *lifetime* sparseness of a cell, over
    cells the *population* sparseness of a response. Noise of the counts adds to ``<r^2>``: few spikes look sparse,
    so that populations are compared at equal rates (:func:`netlib.v1.two_rings.thin`) or not at all.

    Parameters
    ----------
    responses : array_like
        Responses, 0 or more (spikes or Hz): for example (n_cells, n_stimuli).
    axis : int
        Axis of the n >= 2 stimuli (lifetime) or cells (population).

    Returns
    -------
    ndarray
        Without that axis; NaN where every response is 0.

    Raises
    ------
    ValueError
        If a response is below 0 or not finite, or there are fewer than 2.

    Examples
    --------
    >>> sparseness([[1, 1, 1, 1], [0, 0, 3, 0], [0, 2, 2, 0]]).round(3).tolist()
    [0.0, 1.0, 0.667]
    """
    responses = check_array("responses", responses, "", 0)
    if not -responses.ndim <= axis < responses.ndim:
        raise ValueError(f"axis = {axis} does not exist: responses has {responses.ndim} dimensions")
    n = responses.shape[axis]
    if n < 2:
        raise ValueError(f"responses has {n} value along axis {axis}: sparseness needs at least 2")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = responses.mean(axis) ** 2 / (responses**2).mean(axis)
        return np.maximum(1 - ratio, 0.0) / (1 - 1 / n)


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


# ---------------------------------------------------------------- helpers


def _curve(name: str, angles: np.ndarray, rates: ArrayLike) -> np.ndarray:
    rates = check_array("rates", rates, "Hz", 0)
    if rates.shape[-1] != len(angles):
        raise ValueError(
            f"rates has {rates.shape[-1]} values per curve (shape {rates.shape}): it must have one for each of the "
            f"{len(angles)} {name}"
        )
    return rates


def _ordered(orientations: ArrayLike, rates: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Distinct orientations in order with the mean rate at each (two directions of one orientation are pooled)."""
    theta = check_orientations("orientations", orientations, distinct=3)
    rates = _curve("orientations", theta, rates)
    levels, inverse, repeats = np.unique(theta, return_inverse=True, return_counts=True)
    return levels, rates @ (inverse[:, None] == np.arange(len(levels))) / repeats


def _resultant(orientations: ArrayLike, rates: ArrayLike) -> np.ndarray:
    levels, rates = _ordered(orientations, rates)
    phase = np.exp(2j * np.radians(levels))
    if abs(phase.mean()) > 1e-6:
        raise ValueError(
            "orientations are not evenly spread over 180 deg: a flat curve would look tuned; "
            "show an even grid, or fit the curve instead"
        )
    total = rates.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, rates @ phase / total, np.nan)


def _interpolate(levels: np.ndarray, rates: np.ndarray, at: np.ndarray, period: float) -> np.ndarray:
    """Value of each curve (..., n) at its own angle ``at`` (...), linear between neighbours on the circle."""
    grid = np.append(levels, levels[0] + period)
    values = np.concatenate([rates, rates[..., :1]], axis=-1)
    at = np.mod(at - levels[0], period) + levels[0]
    right = np.clip(np.searchsorted(grid, at, side="right"), 1, len(levels))
    part = (at - grid[right - 1]) / (grid[right] - grid[right - 1])
    before = np.take_along_axis(values, (right - 1)[..., None], -1)[..., 0]
    after = np.take_along_axis(values, right[..., None], -1)[..., 0]
    return (1 - part) * before + part * after


def _crossing(excess: np.ndarray, travelled: np.ndarray) -> np.ndarray:
    """Distance travelled from the peak, along the last axis, to where ``excess`` first falls to 0."""
    fell = excess <= 0
    first = np.where(fell.any(-1), fell.argmax(-1), 1)[..., None]
    first = np.maximum(first, 1)
    high, low = (np.take_along_axis(excess, k, -1) for k in (first - 1, first))
    near, far = (np.take_along_axis(travelled, k, -1) for k in (first - 1, first))
    with np.errstate(invalid="ignore", divide="ignore"):
        where = near + (far - near) * high / (high - low)
    return np.where(fell.any(-1), where[..., 0], np.nan)


def _squared(S: np.ndarray, N: np.ndarray) -> np.ndarray:
    """:func:`squared_resultant` from the sums of phases and the numbers of spikes."""
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
