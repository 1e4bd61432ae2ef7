"""How far activity must be shifted before it has forgotten where it was: the guard interval, chosen from the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.analysis.behaviour_cycles import inter_sequence_intervals
from netlib.analysis.modulation_grid import (
    activity_on_grid,
    autocorrelation_bins,
    behaviour_labels,
    behaviour_weights,
)
from netlib.units import check_number

__all__ = ["GUARD", "Guard", "correlation_times", "suggest_guard"]

#: Guard of the published analysis (ms).
GUARD = 20_000.0


@dataclass(frozen=True)
class Guard:
    """Guard interval ``guard`` (ms) and what it was chosen from.

    Attributes
    ----------
    guard : float
        Shortest shift (ms).
    inter_sequence : float
        Median time from one sequence to the next (ms); NaN without two.
    behaviour_time, activity_time : float
        Autocorrelation times (ms): the longest of the behaviours, and that of activity (NaN where not given).
    limited : bool
        The data ask for more than a quarter of the session, which is what they get.
    """

    guard: float
    inter_sequence: float
    behaviour_time: float
    activity_time: float
    limited: bool


def correlation_times(values: np.ndarray, weights: np.ndarray, width: float) -> tuple[float, float]:
    """Autocorrelation times (ms): the longest of the behaviours, and that of activity.

    For a behaviour it is the sum of the autocorrelation to its first zero. That of activity is taken over all neurons
    together, from lag 1 on, where the independent noise of single bins is gone: the first lag at which it falls below
    1/e of what it is there, or 0 if it is nothing there already.

    Parameters
    ----------
    values : ndarray, shape (n_neurons, n_bins)
    weights : ndarray, shape (n_labels, n_bins)
    width : float
        Bin (ms).
    """
    from scipy.fft import irfft, rfft

    shown = weights[np.ptp(weights, axis=1) > 0]
    behaviour = float((autocorrelation_bins(shown) / 2).max() * width) if len(shown) else np.nan
    centred = values - values.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1)
    centred = centred[spread > 0] / spread[spread > 0, None]
    if not len(centred):
        return behaviour, np.nan
    n = values.shape[1]
    power = np.zeros(n // 2 + 1)
    for row in centred:
        power += np.abs(rfft(row)) ** 2
    rho = irfft(power, n)[: n // 2] / (n * len(centred))
    if rho[1] < 3 / np.sqrt(n * len(centred)):
        return behaviour, 0.0
    low = np.flatnonzero(rho[1:] < rho[1] / np.e)
    return behaviour, float((low[0] if len(low) else n // 2) * width)


def suggest_guard(
    intervals: pd.DataFrame,
    duration: float,
    dt: float,
    activity: Sequence | None = None,
    kind: str = "events",
    *,
    least: float = 0.0,
) -> Guard:
    """Choose the guard interval of a session.

    It is the longest of the median time between sequences (a shorter shift puts activity of one press beside the next
    one's approach) and three times the autocorrelation times of behaviours and of activity, in whole seconds.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours, seven or four.
    duration, dt : float
        Length of the session and frame interval (ms).
    activity : optional
        As for :func:`~netlib.analysis.modulation.shift_test`.
    kind : {"events", "counts", "trace"}
        What it is.
    least : float
        Shortest guard (ms).

    Returns
    -------
    Guard
    """
    least = check_number("least", least, "ms", 0, duration / 4)
    if activity is None:
        values = np.zeros((1, int(np.ceil(duration / dt - 1e-9))))
    else:
        values = activity_on_grid(activity, duration, dt, kind).values
    labels = behaviour_labels(intervals)
    weights = behaviour_weights(intervals, labels, values.shape[1], dt)
    behaviour_time, activity_time = correlation_times(values, weights, dt)
    between = inter_sequence_intervals(intervals)
    pause = float(np.median(between)) if len(between) else np.nan
    wanted = np.nanmax([least, 1000.0, pause, 3 * behaviour_time, 3 * activity_time])
    guard = min(1000.0 * np.ceil(wanted / 1000.0 - 1e-9), duration / 4)
    return Guard(float(guard), pause, behaviour_time, activity_time, bool(wanted > duration / 4))
