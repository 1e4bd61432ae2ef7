"""Robust scaling of recordings: by median and a percentile range, for cells (5 to 95) and for behaviour (25 to 75)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_number

__all__ = ["BEHAVIOUR_QUANTILES", "ROI_QUANTILES", "ScaleFactors", "apply_scale", "robust_scale", "scale_factors"]

#: Percentiles whose distance scales the trace of a cell, and a running or pupil trace (Gillon et al. 2024, J Neurosci
#: 44(5):e1009232023).
ROI_QUANTILES = (5.0, 95.0)
BEHAVIOUR_QUANTILES = (25.0, 75.0)


class ScaleFactors(NamedTuple):
    """What :func:`scale_factors` found: a trace is scaled by ``(x - median) / spread``.

    ``flat`` marks traces that cannot be scaled (a spread of zero, or no number at all); their spread is NaN.
    """

    median: np.ndarray
    spread: np.ndarray
    flat: np.ndarray
    n: np.ndarray


def scale_factors(
    values: ArrayLike, *, quantiles: tuple[float, float] = ROI_QUANTILES, axis: int | tuple[int, ...] = 0
) -> ScaleFactors:
    """Median and percentile range of each trace.

    Parameters
    ----------
    values : array_like
        Traces, by default of shape (frames, rois) or (frames,). NaN is left out.
    quantiles : pair of float
        Percentiles whose distance is the spread, in [0, 100]: ``ROI_QUANTILES`` or ``BEHAVIOUR_QUANTILES``.
    axis : int or tuple of int
        Along which axes the statistics run: time, or trials and time.

    Returns
    -------
    ScaleFactors
        Each field has the shape of ``values`` without ``axis``; ``n`` counts the numbers that are not NaN.

    Examples
    --------
    >>> factors = scale_factors([[0.0, 3.0], [1.0, 3.0], [2.0, 3.0]], quantiles=(0, 100))
    >>> factors.median.tolist(), factors.spread.tolist(), factors.flat.tolist()
    ([1.0, 3.0], [2.0, nan], [False, True])
    """
    values = _traces(values)
    low, high = _quantiles(quantiles)
    known = np.isfinite(values)
    n = np.atleast_1d(known.sum(axis)) if values.ndim == 1 else known.sum(axis)
    if known.all():
        middle, bottom, top = np.percentile(values, [50.0, low, high], axis=axis)
    else:
        kept = np.where(known, values, np.nan)
        empty = ~known.any(axis, keepdims=True)
        middle, bottom, top = np.nanpercentile(np.where(empty, 0.0, kept), [50.0, low, high], axis=axis)
        empty = empty.reshape(np.shape(middle))
        middle = np.where(empty, np.nan, middle)
    spread = np.asarray(top - bottom)
    flat = ~(spread > 0)
    shape = spread.shape
    return ScaleFactors(np.asarray(middle), np.where(flat, np.nan, spread), flat, np.reshape(n, shape))


def apply_scale(values: ArrayLike, factors: ScaleFactors, *, axis: int = -1) -> np.ndarray:
    """Scale values with factors found elsewhere, such as windows with those of the whole session.

    Parameters
    ----------
    values : array_like
        Whose axis ``axis`` runs over the traces of ``factors``: -1 for (frames, rois), 1 for (trials, rois, time).
    factors : ScaleFactors
        Of shape (rois,), or of a single trace (shape ``()``), in which case ``axis`` says nothing.

    Returns
    -------
    ndarray of float
        NaN stays NaN, and a flat trace becomes NaN.

    Raises
    ------
    ValueError
        If the numbers of traces differ.
    """
    values = _traces(values)
    if factors.median.ndim == 0:
        return (values - factors.median) / factors.spread
    n = len(factors.median)
    if values.shape[axis] != n:
        raise ValueError(f"values has {values.shape[axis]} traces on axis {axis}: it must have {n}, as the factors")
    shape = [1] * values.ndim
    shape[axis] = n
    return (values - factors.median.reshape(shape)) / factors.spread.reshape(shape)


def robust_scale(
    values: ArrayLike, *, quantiles: tuple[float, float] = ROI_QUANTILES
) -> tuple[np.ndarray, ScaleFactors]:
    """Scale whole-session traces (frames, rois) or one trace (frames,) by their own factors.

    Returns
    -------
    scaled : ndarray
        As ``values``; NaN stays NaN, flat traces become NaN.
    factors : ScaleFactors

    Examples
    --------
    >>> import numpy as np
    >>> scaled, factors = robust_scale(np.arange(101.0), quantiles=BEHAVIOUR_QUANTILES)
    >>> float(scaled[75] - scaled[25]), float(factors.median)
    (1.0, 50.0)
    """
    factors = scale_factors(values, quantiles=quantiles, axis=0)
    return apply_scale(values, factors), factors


def _traces(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(float)
    if values.size == 0 or values.ndim == 0:
        raise ValueError(f"values has shape {values.shape}: it must hold at least one trace with one number")
    return values


def _quantiles(quantiles: tuple[float, float]) -> tuple[float, float]:
    if len(quantiles) != 2:
        raise ValueError(f"quantiles = {quantiles!r}: it must be two percentiles in [0, 100] %")
    low, high = (check_number(f"quantiles[{i}]", q, "%", 0, 100) for i, q in enumerate(quantiles))
    if low >= high:
        raise ValueError(f"quantiles = {quantiles!r} %: the first must be below the second")
    return low, high
