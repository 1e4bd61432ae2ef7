"""Quality of whole-session traces: signal to noise, correlations between cells, which cells are active.

Traces have shape (frames, rois), as in a session. Facts: Gillon, Lecoq et al. 2023, Sci Data 10:287, Figure 7.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.units import check_integer, check_number

__all__ = ["active_rois", "correlation_histogram", "pairwise_correlations", "rolling_mean", "signal_to_noise"]


def signal_to_noise(traces: ArrayLike, percentile: float = 95.0) -> pd.DataFrame:
    """Signal-to-noise ratio and mean signal of each ROI.

    Noise is the values up to the median, mirrored about it; the threshold is a percentile of the normal distribution
    with the mean and the standard deviation of this noise; signal is the mean of the values above the threshold.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F. NaN is left out.
    percentile : float
        Of the normal distribution, in (0, 100).

    Returns
    -------
    DataFrame, one row per ROI
        ``snr`` (signal over noise sd), ``signal``, ``noise_mean``, ``noise_sd`` and ``threshold`` in the unit of the
        traces, ``n_signal`` and ``n`` frames. ``snr`` is NaN where the noise is flat or nothing exceeds the threshold.
    """
    from scipy.special import ndtri

    traces = _traces(traces)
    z = float(ndtri(check_number("percentile", percentile, "%", 0, 100, low_open=True, high_open=True) / 100))
    rows = []
    for trace in traces.T:
        values = np.asarray(trace[np.isfinite(trace)], float)
        if not values.size:
            rows.append((np.nan,) * 5 + (0, 0))
            continue
        median = np.median(values)
        below = values[values <= median]
        sd = np.sqrt(np.mean((below - median) ** 2))  # of `below` and its mirror image, whose mean is the median
        threshold = median + z * sd
        above = values[values > threshold]
        signal = above.mean() if above.size else np.nan
        rows.append((signal / sd if sd > 0 else np.nan, signal, median, sd, threshold, above.size, values.size))
    columns = ["snr", "signal", "noise_mean", "noise_sd", "threshold", "n_signal", "n"]
    return pd.DataFrame(rows, columns=columns).rename_axis("roi")


def rolling_mean(values: ArrayLike, n: int = 4, axis: int = -1) -> np.ndarray:
    """Rolling mean over ``n`` samples, mirrored at the ends (the last sample is not repeated).

    Parameters
    ----------
    values : array_like
        NaN spreads over its window.
    n : int
        Samples; with an even number the window reaches one further forward than back: ``k - n / 2 + 1`` to
        ``k + n / 2``.
    axis : int
        Axis of time.

    Examples
    --------
    >>> rolling_mean([0.0, 0, 4, 0, 0, 0], 4).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    from scipy.ndimage import convolve1d

    values = np.asarray(values)
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
    n = check_integer("n", n, 1, unit="samples")
    if values.ndim == 0 or values.shape[axis] < n:
        raise ValueError(f"n = {n} samples is longer than the values (shape {values.shape}, axis {axis})")
    return convolve1d(values, np.full(n, 1.0 / n), axis=axis, mode="mirror")


def pairwise_correlations(traces: ArrayLike, n: int = 4) -> np.ndarray:
    """Pearson correlation of every pair of ROIs, after a rolling mean over ``n`` frames.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F.
    n : int
        Frames of the rolling mean; 1 for none.

    Returns
    -------
    ndarray, shape (rois, rois)
        Ones on the diagonal. A ROI that is flat or holds a NaN has NaN in its row and column.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(50.0))
    >>> pairwise_correlations(np.column_stack([x, -x]), 1).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    traces = _traces(traces)
    smooth = rolling_mean(traces, n, axis=0).astype(float, copy=False)
    smooth -= smooth.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.sqrt(np.einsum("ij,ij->j", smooth, smooth))
        smooth /= np.where(traces.max(0) > traces.min(0), norm, np.nan)
    known = np.isfinite(smooth[0])
    smooth = smooth if known.all() else smooth[:, known]
    matrix = np.full((len(known), len(known)), np.nan)
    matrix[np.ix_(known, known)] = np.clip(smooth.T @ smooth, -1.0, 1.0)
    diagonal = np.flatnonzero(known)
    matrix[diagonal, diagonal] = 1.0
    return matrix


def correlation_histogram(matrix: ArrayLike, bins: int = 40) -> pd.DataFrame:
    """Histogram on [-1, 1] of the correlations of distinct pairs.

    Parameters
    ----------
    matrix : array_like, shape (rois, rois)
        Of :func:`pairwise_correlations`. NaN is left out.
    bins : int
        Number of bins.

    Returns
    -------
    DataFrame, one row per bin
        ``low`` and ``high`` edge, ``count`` of pairs and ``fraction`` of those that are not NaN. Its ``attrs`` hold
        ``n`` pairs and their ``median``.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"matrix has shape {matrix.shape}: it must be (rois, rois), with 2 ROIs or more")
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    pairs = pairs[np.isfinite(pairs)]
    count, edges = np.histogram(pairs, check_integer("bins", bins, 1), (-1.0, 1.0))
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count, "fraction": count / max(1, len(pairs))})
    table.attrs = {"n": len(pairs), "median": float(np.median(pairs)) if len(pairs) else float("nan")}
    return table


def active_rois(traces: ArrayLike, n: int = 5, n_sd: float = 3.0) -> np.ndarray:
    """Which ROIs ever exceed their median by ``n_sd`` standard deviations, after a median filter.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F, of the frames to judge by. A NaN counts as the ROI's median.
    n : int
        Frames of the median filter, odd (zeros beyond the ends).
    n_sd : float
        Median and standard deviation (ddof 0) are those of the filtered trace.

    Returns
    -------
    ndarray of bool, shape (rois,)
        False for a ROI that is NaN throughout.
    """
    from scipy.signal import medfilt

    traces = _traces(traces)
    check_number("n_sd", n_sd, "standard deviations", 0)
    if check_integer("n", n, 1, unit="frames") % 2 == 0:
        raise ValueError(f"n = {n} frames is even: the median filter needs an odd number of frames")
    active = np.zeros(traces.shape[1], bool)
    for k, trace in enumerate(traces.T):
        known = np.isfinite(trace)
        if known.any():
            smooth = medfilt(np.where(known, trace, np.median(trace[known])).astype(float), int(n))
            active[k] = bool((smooth > np.median(smooth) + n_sd * smooth.std()).any())
    return active


def _traces(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    array = array if np.issubdtype(array.dtype, np.floating) else array.astype(float)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"traces has shape {array.shape}: it must be (frames, rois), with one of each at least")
    return array
