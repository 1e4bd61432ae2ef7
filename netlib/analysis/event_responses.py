"""Responses around events: windows and their time axes, integrated responses, and traces pooled over cells.

Windows have shape (trials, rois, time). Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_choice, check_integer, check_number

__all__ = [
    "SequenceTraces",
    "Summary",
    "integrated_response",
    "pool_traces",
    "published_stretched_times",
    "sequence_traces",
    "summarise",
    "window_length",
    "window_times",
]


class Summary(NamedTuple):
    """Centre and error of values, and how many of them counted. Quartiles have a first axis of 2 (low, high)."""

    center: np.ndarray
    error: np.ndarray
    n: np.ndarray


class SequenceTraces(NamedTuple):
    """Traces around one kind of event.

    ``per_roi`` (rois, time) averages over sequences; ``center`` and ``error`` (time,) summarise it over ROIs.
    ``n_sequences`` counts events and ``n_rois`` the ROIs with a number in ``per_roi`` at each time.
    """

    per_roi: np.ndarray
    center: np.ndarray
    error: np.ndarray
    n_sequences: int
    n_rois: np.ndarray


def window_length(pre: float, post: float, fps: float) -> tuple[int, int]:
    """Frames before and after an event: frames ``ref - n_pre`` to ``ref + n_post - 1`` are the window.

    Parameters
    ----------
    pre, post : float
        Time before and after the event (s); a negative one starts the window late, or ends it early.
    fps : float
        Frame rate (Hz).

    Examples
    --------
    >>> window_length(0.9, 0.6, 30.08), window_length(0, 0.45, 30.08)
    ((27, 18), (0, 14))
    """
    fps = check_number("fps", fps, "Hz", 0, low_open=True)
    n_pre, n_post = (round(check_number(name, x, "s") * fps) for name, x in (("pre", pre), ("post", post)))
    if n_pre + n_post < 1:
        raise ValueError(f"pre = {pre:g} s and post = {post:g} s leave no frame at {fps:g} Hz")
    return n_pre, n_post


def window_times(pre: float, post: float, fps: float) -> np.ndarray:
    """Time of each frame of a window from its event (s): ``(k - n_pre) / fps``.

    Examples
    --------
    >>> window_times(0.1, 0.1, 30.0).round(4).tolist()
    [-0.1, -0.0667, -0.0333, 0.0, 0.0333, 0.0667]
    """
    n_pre, n_post = window_length(pre, post, fps)
    return np.arange(-n_pre, n_post) / fps


def published_stretched_times(pre: float, post: float, fps: float) -> np.ndarray:
    """Time axis of the published figures (s), for comparison with them only: ``linspace(-pre, post, n)``.

    Its last label is ``post``, one frame late, so labels are stretched by n / (n - 1), by up to about 35 ms.
    :func:`window_times` is right.

    Examples
    --------
    >>> published_stretched_times(0.1, 0.1, 30.0).round(4).tolist()
    [-0.1, -0.06, -0.02, 0.02, 0.06, 0.1]
    """
    return np.linspace(-pre, post, sum(window_length(pre, post, fps)))


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
    windows = _windows("windows", windows, 1)
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
    values = np.moveaxis(_windows("values", values, 1), axis, 0)
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


def sequence_traces(windows: ArrayLike, *, stats: str = "mean", error: str = "sem") -> SequenceTraces:
    """Trace of each ROI over sequences, then their centre and error over ROIs (section "sequential pooling").

    Statistics are pooled one axis after the other, and the error is taken over the last of them only, ROIs: it says
    nothing about the variability of sequences, nor of mice.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        One kind of event; NaN is left out.
    stats, error : str
        As in :func:`summarise`.
    """
    windows = _windows("windows", windows, 3)
    if windows.ndim != 3:
        raise ValueError(f"windows has shape {windows.shape}: it must be (trials, rois, time)")
    per_roi = summarise(windows, 0, stats=stats, error=error).center
    pooled = summarise(per_roi, 0, stats=stats, error=error)
    return SequenceTraces(per_roi, pooled.center, pooled.error, len(windows), pooled.n)


def pool_traces(
    traces: list[SequenceTraces] | tuple[SequenceTraces, ...], *, stats: str = "mean", error: str = "sem"
) -> SequenceTraces:
    """Traces of a group of sessions: their ROIs are pooled, so a session counts by its number of ROIs.

    Raises
    ------
    ValueError
        If there is none, or their windows differ in length.
    """
    if not traces:
        raise ValueError("traces is empty: it must hold the traces of at least one session")
    lengths = {t.per_roi.shape[1] for t in traces}
    if len(lengths) > 1:
        raise ValueError(f"traces have {sorted(lengths)} frames: all must have the same number")
    per_roi = np.concatenate([t.per_roi for t in traces])
    pooled = summarise(per_roi, 0, stats=stats, error=error)
    return SequenceTraces(per_roi, pooled.center, pooled.error, sum(t.n_sequences for t in traces), pooled.n)


def _windows(name: str, value: ArrayLike, ndim: int) -> np.ndarray:
    """Return an array of floats; NaN may be in it, infinities may not."""
    array = np.asarray(value, dtype=float)
    if array.ndim < ndim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: it must have {ndim} dimensions or more and hold a number")
    if np.isinf(array).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(array))[0])
        raise ValueError(f"{name}{list(where)} is infinite: it must hold finite numbers, or NaN where unknown")
    return array


def _mean_and_error(values: np.ndarray, n: np.ndarray, error: str) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=0) / n
        squares = np.nansum((values - mean) ** 2, axis=0)
        if error == "std":
            return mean, np.where(n > 0, np.sqrt(squares / n), np.nan)
        spread = np.sqrt(squares / (n - 1) / n)
    return mean, np.where(n > 1, spread, np.nan)


def check_trials(name: str, value: ArrayLike, n_trials: int) -> np.ndarray:
    """Return one bool per trial, or raise an error that names them; both kinds must occur."""
    flags = np.asarray(value)
    if flags.shape != (check_integer("n_trials", n_trials, 1),):
        raise ValueError(f"{name} has shape {flags.shape}: it must be ({n_trials},), one per trial")
    if flags.dtype != bool:
        numbers = flags.astype(float)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise ValueError(f"{name} must hold only True and False (or 1 and 0)")
        flags = numbers.astype(bool)
    if flags.all() or not flags.any():
        raise ValueError(f"{name} is {bool(flags[0])} for every trial: both kinds must occur")
    return flags
