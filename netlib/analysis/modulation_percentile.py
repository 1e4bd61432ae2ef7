"""The published percentile test, with shifts that wrap where they should: on the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.analysis.modulation_grid import activity_on_grid, behaviour_labels, behaviour_weights, lagged_sums
from netlib.units import check_number

__all__ = ["FAR", "HIGH", "LOW", "Percentiles", "percentile_signs", "percentile_test", "published_shifts"]

#: Published bounds of percentiles: at or above HIGH activated, at or below LOW inactivated.
LOW, HIGH = 5.0, 95.0
#: Longest shift (ms) of the published test: 100 s for events and traces, 50 s for counts of an inference.
FAR = {"events": 100_000.0, "counts": 50_000.0, "trace": 100_000.0}


@dataclass(frozen=True, eq=False)
class Percentiles:
    """Place of each neuron's statistic among the shifted ones, arrays (n_neurons, n_labels).

    Attributes
    ----------
    labels : tuple of str
        Behaviours.
    percentile : ndarray
        0 to 100 as of :func:`scipy.stats.percentileofscore`: ties count half (and the first of them one half more);
        NaN where behaviour is missing or the neuron absent (the published code puts 50
        there, by way of a made-up rate).
    statistic : ndarray
        Events or counts per ms, or mean of the trace.
    missing : ndarray of bool, shape (n_labels,)
    absent : ndarray of bool, shape (n_neurons,)
    shifts : ndarray, shape (n_shifts,)
        Shifts of activity (ms).
    """

    labels: tuple[str, ...]
    percentile: np.ndarray
    statistic: np.ndarray
    missing: np.ndarray
    absent: np.ndarray
    shifts: np.ndarray

    def signs(self, low: float = LOW, high: float = HIGH) -> np.ndarray:
        """See :func:`percentile_signs`."""
        return percentile_signs(self.percentile, low, high)


def percentile_signs(percentile: np.ndarray, low: float = LOW, high: float = HIGH) -> np.ndarray:
    """1 where a percentile is at least ``high``, -1 where at most ``low``, else 0; NaN stays.

    Examples
    --------
    >>> percentile_signs(np.array([95.0, 5.0, 94.99, np.nan])).tolist()
    [1.0, -1.0, 0.0, nan]
    """
    check_number("low", low, "%", 0, 50, high_open=True)
    check_number("high", high, "%", 50, 100, low_open=True)
    percentile = np.asarray(percentile, float)
    return np.where(np.isnan(percentile), np.nan, 1.0 * (percentile >= high) - 1.0 * (percentile <= low))


def published_shifts(near: float = 20_000.0, far: float = 100_000.0, step: float = 100.0) -> np.ndarray:
    """Shifts (ms) from -``far`` to -``near`` and from ``near`` to ``far``, each side without its end.

    Examples
    --------
    >>> len(published_shifts()), len(published_shifts(far=50_000.0))
    (1600, 600)
    """
    check_number("near", near, "ms", 0)
    check_number("far", far, "ms", near, low_open=True)
    check_number("step", step, "ms", 0, far - near, low_open=True)
    side = np.arange(round((far - near) / step)) * step
    return np.concatenate([-far + side, near + side])


def percentile_test(
    activity: Sequence,
    intervals: pd.DataFrame,
    duration: float,
    dt: float,
    kind: str = "events",
    *,
    labels: Sequence[str] | None = None,
    shifts: np.ndarray | None = None,
    grid: float | None = None,
) -> Percentiles:
    """Percentile of each neuron in each behaviour as published, shifts in either direction wrapping on the session.

    Steps of 0.1 s make far fewer independent values than shifts, and nothing corrects for the number of tests:
    about half of neurons without any modulation get one of eight labels. :func:`~netlib.analysis.modulation.shift_test`
    is the test to use.

    Parameters
    ----------
    activity, intervals, duration, dt, kind, labels, grid
        As for :func:`~netlib.analysis.modulation.shift_test`.
    shifts : array_like, optional
        Shifts (ms), by default :func:`published_shifts` as far as :data:`FAR`; rounded to whole bins.

    Raises
    ------
    ValueError
        If the longest shift is more than half of the session, which would wrap it onto other shifts.
    """
    binned = activity_on_grid(activity, duration, dt, kind, grid)
    labels = behaviour_labels(intervals, labels)
    n_bins = binned.values.shape[1]
    weights = behaviour_weights(intervals, labels, n_bins, binned.width)
    shifts = published_shifts(far=FAR[kind]) if shifts is None else np.asarray(shifts, float)
    if np.abs(shifts).max() > duration / 2:
        raise ValueError(
            f"shifts reach {np.abs(shifts).max():g} ms: they must be within half of the session, {duration / 2:g} ms"
        )
    lags = np.round(shifts / binned.width).astype(int)
    total = weights.sum(axis=1)
    missing = total <= 0
    amount = np.where(missing, 1.0, total) * (1.0 if kind == "trace" else binned.width)
    statistic, percentile = np.empty((2, len(binned.values), len(labels)))
    for rows, sums in lagged_sums(binned.values, weights):
        observed, null = sums[..., :1], sums[..., lags]
        tie = 1e-9 * np.abs(sums).max(axis=-1, keepdims=True) + 1e-300
        below, reached = (null < observed - tie).sum(axis=-1), (null <= observed + tie).sum(axis=-1)
        percentile[rows] = np.minimum(50 * (below + reached + (reached > below)) / len(lags), 100.0)
        statistic[rows] = observed[..., 0] / amount
    for array in (statistic, percentile):
        array[:, missing] = np.nan
        array[~binned.present] = np.nan
    return Percentiles(labels, percentile, statistic, missing, ~binned.present, lags * binned.width)
