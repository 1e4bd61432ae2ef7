"""Quality of whole traces, and which ROIs to show: signal to noise, correlations, clear and repeatable responses.

Traces have shape (frames, rois), windows (trials, rois, time). Gillon, Lecoq et al. 2023, Sci Data 10:287, Figures 5
and 7; Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Figure 4A. What is shown was chosen for being clear: it
is no sample of the population.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.seeds import stream
from netlib.openscope.responses import check_axes

__all__ = [
    "choose_by_selectivity",
    "choose_responsive",
    "correlation_histogram",
    "pairwise_correlations",
    "response_features",
    "rolling_mean",
    "roughness",
    "signal_to_noise",
    "trial_correlation",
]


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

    traces = check_axes("traces", traces, "(frames, rois)", dtype=None)
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
    traces = check_axes("traces", traces, "(frames, rois)", dtype=None)
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


# ---------------------------------------------------------------- examples to show


def roughness(mean_traces: ArrayLike, n: int = 3) -> np.ndarray:
    """Mean squared distance between each trace and its rolling mean over ``n`` samples.

    Parameters
    ----------
    mean_traces : array_like, shape (rois, time)
        Mean trace of each ROI. A ROI with a NaN has NaN.

    Returns
    -------
    ndarray, shape (rois,)
    """
    traces = np.asarray(mean_traces, dtype=float)
    if traces.ndim != 2:
        raise ValueError(f"mean_traces has shape {traces.shape}: it must be (rois, time)")
    return ((traces - rolling_mean(traces, n)) ** 2).mean(-1)


def choose_by_selectivity(
    usi: ArrayLike,
    significant: ArrayLike,
    rough: ArrayLike,
    *,
    targets: Sequence[tuple[float, bool]] = ((0.5, True), (0.0, False), (-0.5, True)),
    smoothest: float = 12.0,
) -> pd.DataFrame:
    """For each target, the ROI nearest to it among the smoothest (Figure 4A).

    Parameters
    ----------
    usi : array_like, shape (rois,)
        Unexpected-event selectivity index.
    significant : array_like of bool, shape (rois,)
        Whether it differs from its null.
    rough : array_like, shape (rois,)
        Of :func:`roughness`.
    targets : sequence of (usi, significant)
        A ROI is a candidate for a target if its significance is the target's and, if the target's USI is not 0, its
        sign too.
    smoothest : float
        Percentile of the roughness of these candidates up to which they are considered (%), in (0, 100].

    Returns
    -------
    DataFrame, one row per target
        ``target``, ``roi`` (-1 if there is no candidate), ``usi``, ``significant``, ``n_candidates`` (smooth ones). A
        ROI with a NaN is no candidate; the first of equally near ones is taken.
    """
    usi, rough = np.asarray(usi, dtype=float), np.asarray(rough, dtype=float)
    significant = np.asarray(significant, dtype=bool)
    if usi.ndim != 1 or not usi.shape == rough.shape == significant.shape:
        shapes = f"{usi.shape}, {significant.shape} and {rough.shape}"
        raise ValueError(f"usi, significant and rough have shapes {shapes}: all must be (rois,)")
    check_number("smoothest", smoothest, "%", 0, 100, low_open=True)
    rows = []
    for target, wanted in targets:
        fit = np.isfinite(usi) & np.isfinite(rough) & (significant == wanted)
        if target:
            fit &= np.sign(usi) == np.sign(target)
        candidates = np.flatnonzero(fit)
        if candidates.size:
            candidates = candidates[rough[candidates] <= np.percentile(rough[candidates], smoothest)]
            best = int(candidates[np.abs(usi[candidates] - target).argmin()])
            rows.append((target, best, usi[best], bool(significant[best]), candidates.size))
        else:
            rows.append((target, -1, np.nan, wanted, 0))
    return pd.DataFrame(rows, columns=["target", "roi", "usi", "significant", "n_candidates"])


def trial_correlation(windows: ArrayLike) -> np.ndarray:
    """Median Pearson correlation between the traces of every pair of trials, for each ROI.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        Trials that are flat or hold a NaN are left out, ROI by ROI.

    Returns
    -------
    ndarray, shape (rois,)
        NaN with fewer than 2 trials left.
    """
    windows = check_axes("windows", windows, "(trials, rois, time)")
    result = np.full(windows.shape[1], np.nan)
    for k in range(windows.shape[1]):
        trials = windows[:, k]
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = trials - trials.mean(1, keepdims=True)
            centred /= np.sqrt((centred**2).sum(1, keepdims=True))
        centred = centred[np.isfinite(centred).all(1)]
        if len(centred) > 1:
            result[k] = np.median((centred @ centred.T)[np.triu_indices(len(centred), 1)])
    return result


def response_features(windows: ArrayLike, n_pre: int | None = None) -> pd.DataFrame:
    """How clear and repeatable the response of each ROI is.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        One kind of event. NaN is left out of the mean traces.
    n_pre : int, optional
        Frames before the event: adds the column ``difference``.

    Returns
    -------
    DataFrame, one row per ROI
        ``std`` (ddof 0) and ``skew`` of the mean trace over time, ``trial_correlation``, and with ``n_pre``
        ``difference`` of the mean trace, after minus before the event.
    """
    from scipy.stats import skew

    windows = check_axes("windows", windows, "(trials, rois, time)")
    known = np.isfinite(windows)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, windows, 0.0).sum(0) / known.sum(0)
    table = pd.DataFrame(
        {"std": mean.std(1), "skew": skew(mean, axis=1), "trial_correlation": trial_correlation(windows)}
    )
    if n_pre is not None:
        n_pre = check_integer("n_pre", n_pre, 1, windows.shape[2] - 1, "frames")
        table["difference"] = mean[:, n_pre:].mean(1) - mean[:, :n_pre].mean(1)
    return table.rename_axis("roi")


def choose_responsive(
    snr: ArrayLike,
    features: pd.DataFrame,
    *,
    columns: Sequence[str] = ("std", "skew", "trial_correlation"),
    percentile: float = 75.0,
    n: int = 6,
    seed: int = 905,
) -> np.ndarray:
    """Pick ROIs at random among the clear ones (data paper, Figure 5).

    First the signal-to-noise ratio must exceed its median over ROIs; then every feature must exceed its percentile over
    the ROIs that are left.

    Parameters
    ----------
    snr : array_like, shape (rois,)
        Of :func:`signal_to_noise`.
    features : DataFrame, one row per ROI
        Of :func:`response_features`.
    columns : sequence of str
        Features to use: the default for Gabor sequences, ("difference", "trial_correlation") for flow.
    percentile : float
        In [0, 100) %.
    n : int
        ROIs to pick; fewer are returned if fewer qualify.
    seed : int
        Master seed.

    Returns
    -------
    ndarray of int
        Indices, in order. A ROI with a NaN never qualifies.
    """
    snr = np.asarray(snr, dtype=float)
    if snr.shape != (len(features),) or not len(snr):
        raise ValueError(f"snr has shape {snr.shape}: it must be ({len(features)},), one per row of features")
    missing = [c for c in columns if c not in features]
    if missing:
        raise ValueError(f"features has no column {missing}: it has {list(features.columns)}")
    check_number("percentile", percentile, "%", 0, 100, high_open=True)
    n = check_integer("n", n, 1)
    values = features[list(columns)].to_numpy(float)
    known = np.isfinite(snr) & np.isfinite(values).all(1)
    if not known.any():
        return np.empty(0, int)
    kept = known & (snr > np.median(check_array("snr", snr[known])))
    if not kept.any():
        return np.empty(0, int)
    kept &= (values > np.percentile(values[kept], percentile, axis=0)).all(1)
    found = np.flatnonzero(kept)
    if len(found) <= n:
        return found
    return np.sort(stream(seed, "example rois").choice(found, n, replace=False))
