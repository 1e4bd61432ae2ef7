"""Choosing ROIs to show: by their selectivity, or by how clear and repeatable their responses are.

Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figure 4A; Gillon, Lecoq et al. 2023, Sci Data 10:287,
Figure 5. What is shown was chosen for being clear: it is no sample of the population.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.trace_quality import rolling_mean
from netlib.seeds import stream
from netlib.units import check_array, check_integer, check_number

__all__ = ["choose_by_selectivity", "choose_responsive", "response_features", "roughness", "trial_correlation"]


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
    windows = _windows(windows)
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

    windows = _windows(windows)
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
        Of :func:`netlib.analysis.trace_quality.signal_to_noise`.
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


def _windows(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"windows has shape {array.shape}: it must be (trials, rois, time), with one of each at least")
    return array
