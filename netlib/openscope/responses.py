"""Responses around events: integrals of windows, unexpected against expected, early against late, block by block.

Windows have shape (trials, rois, time), responses (trials, rois). Facts: Gillon, Pina et al. 2024, J Neurosci 44(5)
e1009232023, Figures 2, 3 and 6 (dF/F) and 8 (running and pupil).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_number
from netlib.statistics.permutation import PermutationResult, compare_samples

__all__ = [
    "Summary",
    "block_differences",
    "block_test",
    "early_and_late",
    "integrated_response",
    "roi_differences",
    "run_numbers",
    "summarise",
    "third_differences",
]


class Summary(NamedTuple):
    """Centre and error of values, and how many of them counted. Quartiles have a first axis of 2 (low, high)."""

    center: np.ndarray
    error: np.ndarray
    n: np.ndarray


def integrated_response(windows: ArrayLike, fps: float, *, frames: slice | None = None) -> np.ndarray:
    """Integral of each window over time: the sum over its frames, divided by the frame rate.

    Parameters
    ----------
    windows : array_like, shape (..., time)
        Such as (trials, rois, time), in dF/F.
    fps : float
        Frame rate (Hz).
    frames : slice, optional
        Frames to take; by default all.

    Returns
    -------
    ndarray, shape (...)
        In dF/F s. No baseline is subtracted. A window with a NaN frame gives NaN.
    """
    windows = _values("windows", windows)
    fps = check_number("fps", fps, "Hz", 0, low_open=True)
    taken = windows if frames is None else windows[..., frames]
    if taken.shape[-1] == 0:
        raise ValueError(f"frames = {frames!r} holds no frame: windows have {windows.shape[-1]}")
    return taken.sum(-1) / fps


def summarise(values: ArrayLike, axis: int = 0, *, stats: str = "mean", error: str = "sem") -> Summary:
    """Centre and error of values along one axis; NaN is left out.

    Parameters
    ----------
    values : array_like
        Values.
    axis : int
        Along which axis.
    stats : {"mean", "median"}
        Centre.
    error : {"sem", "std"}
        With the mean: standard error (ddof 1) or standard deviation (ddof 0). With the median: median absolute
        deviation for "sem", quartiles (25, 75 %, on a new first axis) for "std".

    Returns
    -------
    Summary
        NaN where nothing counted; a standard error of one value is NaN.

    Examples
    --------
    >>> summary = summarise([1.0, 2.0, 3.0, float("nan")])
    >>> float(summary.center), round(float(summary.error), 4), int(summary.n)
    (2.0, 0.5774, 3)
    """
    check_choice("stats", stats, ("mean", "median"))
    check_choice("error", error, ("sem", "std"))
    values = np.moveaxis(_values("values", values), axis, 0)
    n = np.isfinite(values).sum(0)
    if stats == "mean":
        center, spread = _mean_and_error(values, n, error)
        return Summary(center, spread, n)
    filled = np.where(n == 0, 0.0, values)  # an all-NaN column would warn
    center = np.nanmedian(filled, axis=0)
    spread = (
        np.nanmedian(np.abs(filled - center), axis=0) if error == "sem" else np.nanpercentile(filled, [25, 75], axis=0)
    )
    return Summary(np.where(n == 0, np.nan, center), np.where(n == 0, np.nan, spread), n)


def _mean_and_error(values: np.ndarray, n: np.ndarray, error: str) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=0) / n
        squares = np.nansum((values - mean) ** 2, axis=0)
        if error == "std":
            return mean, np.where(n > 0, np.sqrt(squares / n), np.nan)
        spread = np.sqrt(squares / (n - 1) / n)
    return mean, np.where(n > 1, spread, np.nan)


# ---------------------------------------------------------------- unexpected against expected


def roi_differences(responses: ArrayLike, unexpected: ArrayLike) -> np.ndarray:
    """Mean unexpected minus mean expected response of each ROI.

    Parameters
    ----------
    responses : array_like, shape (trials, rois)
        Integrated responses. NaN is left out.
    unexpected : array_like of bool, shape (trials,)
        Which trials are unexpected.

    Returns
    -------
    ndarray, shape (rois,)
        NaN for a ROI without a number on either side.

    Examples
    --------
    >>> roi_differences([[1.0], [2.0], [6.0]], [False, False, True]).tolist()
    [4.5]
    """
    responses = _responses(responses)
    unexpected = check_trials("unexpected", unexpected, len(responses))
    u, e = (summarise(responses[rows]).center for rows in (unexpected, ~unexpected))
    return u - e


def early_and_late(segments: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """First and last third of a session, by percentiles of the segment numbers.

    Parameters
    ----------
    segments : array_like, shape (trials,)
        Segment number (or time) of each trial.

    Returns
    -------
    early, late : ndarray of bool, shape (trials,)
        Up to percentile 100/3, and from 200/3 on, ends included (percentiles by linear interpolation).

    Examples
    --------
    >>> early, late = early_and_late(range(10))
    >>> early.nonzero()[0].tolist(), late.nonzero()[0].tolist()
    ([0, 1, 2, 3], [6, 7, 8, 9])
    """
    segments = check_array("segments", segments, ndim=1)
    low, high = np.percentile(segments, [100 / 3, 200 / 3])
    slack = 1e-9 * max(1.0, float(np.abs(segments).max()))  # an end that is itself a segment belongs to its third
    return segments <= low + slack, segments >= high - slack


def third_differences(
    responses: ArrayLike, unexpected: ArrayLike, segments: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences per ROI in the first and last third, and their paired change (Figure 3).

    Parameters
    ----------
    responses, unexpected
        As in :func:`roi_differences`.
    segments : array_like, shape (trials,)
        As in :func:`early_and_late`.

    Returns
    -------
    early, late, change : ndarray, shape (rois,)
        ``change = late - early``. Its test: :func:`netlib.statistics.permutation.compare_samples` of early and late,
        paired (12 comparisons in the paper).
    """
    responses = _responses(responses)
    unexpected = check_trials("unexpected", unexpected, len(responses))
    segments = np.asarray(segments)
    if segments.shape != unexpected.shape:
        raise ValueError(f"segments has shape {segments.shape}: it must be {unexpected.shape}, one per trial")
    parts = []
    for name, rows in zip(("early", "late"), early_and_late(segments), strict=True):
        if unexpected[rows].all() or not unexpected[rows].any():
            raise ValueError(f"the {name} third holds {rows.sum()} trials of one kind: both kinds must occur")
        parts.append(roi_differences(responses[rows], unexpected[rows]))
    return parts[0], parts[1], parts[1] - parts[0]


# ---------------------------------------------------------------- blocks of running and pupil


def run_numbers(*keys: ArrayLike) -> np.ndarray:
    """Number of the run of equal values that each trial belongs to, from 0.

    Parameters
    ----------
    *keys : array_like, shape (trials,)
        A run ends where any of them changes.

    Examples
    --------
    >>> run_numbers([0, 0, 1, 1, 0]).tolist(), run_numbers([0, 0, 0], ["a", "b", "b"]).tolist()
    ([0, 0, 1, 1, 2], [0, 1, 1])
    """
    columns = [np.asarray(key) for key in keys]
    if not columns or any(c.ndim != 1 or c.shape != columns[0].shape or c.size == 0 for c in columns):
        raise ValueError(f"keys have shapes {[c.shape for c in columns]}: they must be equal and (trials,), not empty")
    change = np.zeros(len(columns[0]), bool)
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.cumsum(change)


def block_differences(values: ArrayLike, unexpected: ArrayLike, part: ArrayLike | None = None) -> pd.DataFrame:
    """Mean over unexpected minus mean over expected sequences, for each block.

    A block is a run of consecutive expected sequences and the unexpected run that follows. Expected sequences that no
    unexpected ones follow, and unexpected ones that no expected ones precede, belong to no block.

    Parameters
    ----------
    values : array_like, shape (trials,) or (trials, time)
        Running (cm/s) or pupil (mm) at each sequence, in order of time. Windows are averaged over time. NaN is left
        out.
    unexpected : array_like of bool, shape (trials,)
        Which sequences are unexpected.
    part : array_like, shape (trials,), optional
        Part of the session (such as the main direction of flow); no block crosses from one to another.

    Returns
    -------
    DataFrame, one row per block
        ``first_trial``, ``n_expected`` and ``n_unexpected`` (numbers that are not NaN), ``expected``, ``unexpected``
        and ``difference``. The means are NaN in a block without a number on one side.

    Examples
    --------
    >>> block_differences([1.0, 2, 3, 9, 1], [0, 0, 1, 1, 0])[["n_expected", "difference"]].values.tolist()
    [[2.0, 4.5]]
    """
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(f"values has shape {values.shape}: it must be (trials,) or (trials, time)")
    known = np.isfinite(values)
    if values.ndim == 2:
        with np.errstate(invalid="ignore"):
            values = np.where(known, values, 0.0).sum(1) / known.sum(1)
    unexpected = check_trials("unexpected", unexpected, len(values))
    part = np.zeros(len(values)) if part is None else np.asarray(part)
    runs = run_numbers(part, unexpected)
    starts = np.flatnonzero(np.r_[True, np.diff(runs) > 0])
    rows = []
    for k in range(len(starts) - 1):
        a, b = starts[k], starts[k + 1]
        c = starts[k + 2] if k + 2 < len(starts) else len(values)
        if unexpected[a] or part[a] != part[b]:
            continue
        before, after = (x[np.isfinite(x)] for x in (values[a:b], values[b:c]))
        left, right = (x.mean() if x.size else np.nan for x in (before, after))
        rows.append((a, before.size, after.size, left, right, right - left))
    columns = ["first_trial", "n_expected", "n_unexpected", "expected", "unexpected", "difference"]
    if not rows:
        raise ValueError("unexpected holds no expected run followed by an unexpected one: there is no block")
    return pd.DataFrame(rows, columns=columns)


def block_test(
    blocks: pd.DataFrame, *, n_permutations: int = 10_000, seed: int = 905, alpha: float = 0.05, multcomp: int = 1
) -> tuple[Summary, PermutationResult]:
    """Mean difference over blocks and its paired test: the two sides of each block are swapped or not.

    Parameters
    ----------
    blocks : DataFrame
        Of :func:`block_differences`; those of several sessions may be stacked (``pandas.concat``). Blocks with a NaN
        are left out.
    n_permutations, seed, alpha, multcomp
        As in :func:`netlib.statistics.permutation.compare_samples`; two-tailed. The paper: 10,000, not corrected.

    Returns
    -------
    summary : Summary
        Mean, standard error (ddof 1) and number of blocks.
    test : PermutationResult
    """
    sides = blocks[["expected", "unexpected"]].dropna().to_numpy(float)
    if not len(sides):
        raise ValueError("blocks holds no block with a number on both sides")
    test = compare_samples(
        sides[:, 0], sides[:, 1], paired=True, n_permutations=n_permutations, seed=seed, alpha=alpha, multcomp=multcomp
    )
    return summarise(sides[:, 1] - sides[:, 0]), test


# ---------------------------------------------------------------- checks


def check_axes(name: str, value: ArrayLike, axes: str, dtype: Any = float) -> np.ndarray:
    """Return an array of floats with as many axes as "(trials, rois)" names, none of length 0; NaN may be in it.

    With ``dtype`` None numbers keep their precision: whole traces are large.
    """
    array = np.asarray(value, dtype)
    array = array if np.issubdtype(array.dtype, np.floating) else array.astype(float)
    if array.ndim != axes.count(",") + 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: it must be {axes}, with one of each at least")
    return array


def check_trials(name: str, value: ArrayLike, n_trials: int) -> np.ndarray:
    """Return one bool per trial, or raise an error that names them; both kinds must occur."""
    flags = np.asarray(value)
    if flags.shape != (n_trials,):
        raise ValueError(f"{name} has shape {flags.shape}: it must be ({n_trials},), one per trial")
    if flags.dtype != bool:
        numbers = flags.astype(float)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise ValueError(f"{name} must hold only True and False (or 1 and 0)")
        flags = numbers.astype(bool)
    if flags.all() or not flags.any():
        raise ValueError(f"{name} is {bool(flags[0])} for every trial: both kinds must occur")
    return flags


def _refuse_infinities(name: str, array: np.ndarray) -> np.ndarray:
    if np.isinf(array).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(array))[0])
        raise ValueError(f"{name}{list(where)} is infinite: it must hold finite numbers, or NaN where unknown")
    return array


def _values(name: str, value: ArrayLike) -> np.ndarray:
    """Return an array of floats of one axis or more; NaN may be in it, infinities may not."""
    array = np.asarray(value, dtype=float)
    if array.size == 0 or array.ndim == 0:
        raise ValueError(f"{name} has shape {array.shape}: it must hold a number, and have an axis")
    return _refuse_infinities(name, array)


def _responses(value: ArrayLike) -> np.ndarray:
    return _refuse_infinities("responses", check_axes("responses", value, "(trials, rois)"))
