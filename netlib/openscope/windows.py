"""What a session computes on plain arrays: windows of frames around events, clocks, running and pupil.

Windows are read without reading what lies between them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_number

#: Longest stretch of frames held at once.
LONGEST = 4096
#: Values held at once when whole traces are read (64 MB as float64).
BLOCK = 8_000_000
#: Largest change of the running velocity from one frame to the next (cm/s).
LARGEST_JUMP = 50.0
#: Fraction of lost frames above which a signal is suspect.
TOLERATED = 0.0003


# ---------------------------------------------------------------- windows


def window_size(pre: float, post: float, fps: float) -> tuple[int, int]:
    """Frames before an event and from it on: ``round(pre * fps)`` and ``round(post * fps)``.

    Parameters
    ----------
    pre, post : float
        Time before and after the event (s); one may be negative, to look away from it.
    fps : float
        Frames per second.

    Raises
    ------
    ValueError
        If no frame is left.

    Examples
    --------
    >>> window_size(0.9, 0.6, 30.08)
    (27, 18)
    """
    n_pre, n_post = (round(check_number(name, t, "s") * fps) for name, t in (("pre", pre), ("post", post)))
    if n_pre + n_post < 1:
        raise ValueError(f"pre = {pre:g} s and post = {post:g} s hold no frame at {fps:g} frames/s: make them longer")
    return n_pre, n_post


def window_times(n_pre: int, n_post: int, fps: float) -> np.ndarray:
    """Time of each frame of a window from its event (s): ``(k - n_pre) / fps``.

    The published analysis spread ``n`` labels evenly over [-pre, post], which stretches them by n/(n-1).
    """
    return (np.arange(n_pre + n_post) - n_pre) / fps


def inside(frames: np.ndarray, n_pre: int, n_post: int, n_frames: int) -> np.ndarray:
    """Tell which events have their whole window inside the recording."""
    return (frames - n_pre >= 0) & (frames + n_post <= n_frames)


def merge(starts: np.ndarray, length: int, gap: int = 0, longest: int | None = None) -> Iterator[tuple[int, int]]:
    """Join the windows ``[start, start + length)``, sorted, into spans that hold each window whole.

    Parameters
    ----------
    starts : ndarray of int
        Starts, in ascending order.
    length : int
        Length of every window.
    gap : int
        Windows no further apart than this are joined.
    longest : int, optional
        Longest span made by joining.

    Examples
    --------
    >>> list(merge(np.array([0, 5, 100]), 10))
    [(0, 15), (100, 110)]
    """
    first = last = None
    for start in starts.tolist():
        if first is not None and start <= last + gap and (longest is None or start + length - first <= longest):
            last = start + length
            continue
        if first is not None:
            yield first, last
        first, last = start, start + length
    if first is not None:
        yield first, last


def read_windows(
    data: Any, starts: ArrayLike, length: int, columns: ArrayLike | None = None, dtype: Any = np.float64
) -> np.ndarray:
    """Read windows of rows from a 1-D or 2-D array or HDF5 dataset, each stretch of it once.

    Windows that overlap, or lie within one chunk of the file, are read together; a stretch is never longer
    than a few thousand rows, so the recording need not fit into memory.

    Parameters
    ----------
    data : array-like, shape (n_frames,) or (n_frames, n_columns)
        Anything sliced like an array.
    starts : array_like of int, shape (n_events,)
        First row of each window, all windows inside the data.
    length : int
        Rows per window.
    columns : array_like of int, optional
        Columns to read, by default all.

    Returns
    -------
    ndarray, shape (n_events, length) or (n_events, n_columns, length)
    """
    starts = np.asarray(starts, np.int64)
    order = np.argsort(starts, kind="stable")
    sorted_starts = starts[order]
    chunks = getattr(data, "chunks", None) or (0,) * data.ndim
    offsets = np.arange(length)
    if data.ndim == 1:
        out = np.empty((len(starts), length), dtype)
    else:
        columns = np.arange(data.shape[1]) if columns is None else np.asarray(columns, np.int64)
        out = np.empty((len(starts), len(columns), length), dtype)
    for first, last in merge(sorted_starts, length, chunks[0], max(LONGEST, length)):
        low, high = np.searchsorted(sorted_starts, [first, last - length + 1])
        here = order[low:high]
        rows = (starts[here] - first)[:, None] + offsets
        if data.ndim == 1:
            out[here] = _slice(data, slice(first, last))[rows]
        else:
            block = read_block(data, slice(first, last), columns, chunks[1])
            out[here] = block[rows].transpose(0, 2, 1)
    return out


def read_columns(data: Any, columns: ArrayLike) -> Iterator[tuple[slice, np.ndarray]]:
    """Read whole columns, some at a time: yields (places in ``columns``, float64 array (some, n_frames))."""
    columns = np.asarray(columns, np.int64)
    most = max(1, BLOCK // data.shape[0])
    width = min((getattr(data, "chunks", None) or (1, 1))[1], most)
    step = most // width * width  # whole chunks of a file
    for first in range(0, len(columns), step):
        place = slice(first, min(first + step, len(columns)))
        yield place, read_block(data, slice(None), columns[place]).T.astype(np.float64, order="C")


def read_block(data: Any, rows: slice, columns: np.ndarray, gap: int = 0) -> np.ndarray:
    """Some columns of a stretch of rows, by contiguous spans: fancy indices are slow in HDF5."""
    wanted = np.unique(columns)
    spans = list(merge(wanted, 1, gap))
    read = np.concatenate([_slice(data, (rows, slice(a, b))) for a, b in spans], axis=1)
    held = np.concatenate([np.arange(a, b) for a, b in spans])
    if np.array_equal(held, columns):
        return read
    return read[:, np.searchsorted(held, columns)]


def _slice(data: Any, where: Any) -> np.ndarray:
    try:
        return np.asarray(data[where])
    except OSError as error:  # a chunk that cannot be unpacked
        name = getattr(data, "name", "data")
        path = getattr(getattr(data, "file", None), "filename", "the file")
        raise ValueError(f"{path}: {name} is damaged and cannot be read ({error}): fetch the file again") from error


# ---------------------------------------------------------------- clocks


def check_clock(name: str, times: ArrayLike) -> np.ndarray:
    """Return the times of frames (s) as an array, or raise an error if they do not increase.

    Raises
    ------
    ValueError
        If there are fewer than two, or they are not finite or do not increase.
    """
    times = check_array(name, times, "s", ndim=1)
    steps = np.diff(times)
    if len(times) < 2 or not (steps > 0).all():
        at = int(np.argmin(steps > 0)) + 1 if len(steps) else 0
        raise ValueError(f"{name}[{at}] = {times[at]:g} s does not follow the time before it: times must increase")
    return times


def frame_rate(trials: pd.DataFrame, clock: str, times: np.ndarray, where: str = "") -> float:
    """Frames per second: frames between the first start and the last stop of the trials, over their seconds.

    Raises
    ------
    ValueError
        If it differs by more than 5 % from the clock itself: frames or times are wrong, or not in seconds.
    """
    frames = trials[f"stop_frame_{clock}"].iloc[-1] - trials[f"start_frame_{clock}"].iloc[0]
    rate = float(frames / (trials["stop_time_sec"].iloc[-1] - trials["start_time_sec"].iloc[0]))
    own = 1.0 / float(np.median(np.diff(times)))
    # The ends of few trials fall on whole frames of the other clock: one frame of slack.
    if abs(rate - own) > max(0.05, 2.0 / frames) * own:
        raise ValueError(
            f"{where}trials hold {rate:.6g} {clock} frames/s, the {clock} clock {own:.6g} frames/s: "
            "both must be in seconds and agree within 5 %"
        )
    return rate


def nearest_frames(source: np.ndarray, target: np.ndarray, *, outside: str = "nearest") -> np.ndarray:
    """Frame of the target clock nearest in time to each frame of the source clock.

    Parameters
    ----------
    source, target : ndarray
        Times of the frames (s), increasing.
    outside : {"nearest", "nan"}
        What to give for source frames before the first or after the last target frame.

    Returns
    -------
    ndarray
        Whole numbers; as floats with ``outside="nan"``.

    Examples
    --------
    >>> nearest_frames(np.array([0.0, 0.4, 0.6, 9.0]), np.array([0.0, 0.5, 1.0]))
    array([0, 1, 1, 2])
    """
    right = np.clip(np.searchsorted(target, source), 1, len(target) - 1)
    frames = right - ((source - target[right - 1]) <= (target[right] - source))
    if outside == "nearest":
        return frames
    return np.where((source < target[0]) | (source > target[-1]), np.nan, frames)


# ---------------------------------------------------------------- running and pupil


def remove_jumps(velocity: ArrayLike, largest: float = LARGEST_JUMP) -> np.ndarray:
    """Replace by NaN what follows a jump, until the signal is back near the last good value.

    Parameters
    ----------
    velocity : array_like, shape (n_frames,)
        Running velocity (cm/s).
    largest : float
        Largest change allowed from the last good value (cm/s).

    Returns
    -------
    ndarray, shape (n_frames,)

    Examples
    --------
    >>> remove_jumps([1.0, 2, 90, 91, 3, 2])
    array([ 1.,  2., nan, nan,  3.,  2.])
    """
    largest = check_number("largest", largest, "cm/s", 0, low_open=True)
    clean = np.array(velocity, float)
    known = np.flatnonzero(np.isfinite(clean))
    values = clean[known]
    back_at = -1
    for jump in np.flatnonzero(np.abs(np.diff(values)) > largest) + 1:
        if jump <= back_at:  # inside what the jump before it spoiled, or the step back
            continue
        back = np.abs(values[jump:] - values[jump - 1]) <= largest
        back_at = jump + int(np.argmax(back)) if back.any() else len(values)
        clean[known[jump:back_at]] = np.nan
    return clean


def bridge_nan(values: ArrayLike, name: str = "values") -> np.ndarray:
    """Fill NaN by linear interpolation along time, at the ends by the nearest value.

    Raises
    ------
    ValueError
        If nothing but NaN is there.

    Examples
    --------
    >>> bridge_nan([np.nan, 1.0, np.nan, 3.0])
    array([1., 1., 2., 3.])
    """
    known = pd.Series(values, dtype=float).where(np.isfinite)
    if not known.count():
        raise ValueError(f"{name} holds no finite value among {len(known)}: nothing can be interpolated")
    return known.interpolate(limit_direction="both").to_numpy(copy=True)


def warn_if_lost(values: np.ndarray, name: str) -> None:
    """Warn where more than 0.03 % of the values are lost (NaN)."""
    fraction = float(np.mean(~np.isfinite(values)))
    if fraction > TOLERATED:
        text = f"{name}: {fraction:.2%} of the frames are lost, more than {TOLERATED:.2%}"
        warnings.warn(text, UserWarning, stacklevel=3)


def robust_scale(values: ArrayLike, low: float = 25.0, high: float = 75.0) -> np.ndarray:
    """Subtract the median and divide by the difference of two percentiles, both without NaN.

    Raises
    ------
    ValueError
        If the percentiles are equal.

    Examples
    --------
    >>> robust_scale([0.0, 1, 2, 3, 4])
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    """
    values = np.asarray(values, float)
    bottom, middle, top = np.nanpercentile(values, [low, 50, high])
    if not top > bottom:
        raise ValueError(f"values are {bottom:g} at both percentiles {low:g} and {high:g}: they cannot be scaled")
    return (values - middle) / (top - bottom)
