"""The two clocks of a session, stimulus frames and two-photon frames, and maps between them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.units import check_array

__all__ = ["check_clock", "frame_rate", "nearest_frames"]


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
