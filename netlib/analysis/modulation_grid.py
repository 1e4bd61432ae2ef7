"""Activity and behaviours on one grid of time, and sums of the one over the other at every circular lag."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from netlib.analysis.resampling import blocks
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, GROUPS, check_intervals
from netlib.units import check_array, check_choice, check_integer, check_number

__all__ = [
    "KINDS",
    "GridActivity",
    "activity_on_grid",
    "autocorrelation_bins",
    "behaviour_labels",
    "behaviour_weights",
    "lagged_sums",
]

#: What activity may be: times of events, counts per frame, or a sampled trace.
KINDS = ("events", "counts", "trace")


class GridActivity(NamedTuple):
    """Activity per bin (n_neurons, n_bins), the bin (ms), and which neurons are there (the others are rows of 0)."""

    values: np.ndarray
    width: float
    present: np.ndarray


def activity_on_grid(
    activity: Sequence, duration: float, dt: float, kind: str = "events", grid: float | None = None
) -> GridActivity:
    """Put activity of any kind on the grid of time.

    Parameters
    ----------
    activity : list of array_like, tuple (index, time, n_neurons), or array_like, shape (n_neurons, n_frames)
        Event times (ms), as one array per neuron or flat; or counts or trace per frame. Row k of all NaN, or None in
        a list, is a neuron that was not there.
    duration : float
        Length of the session (ms).
    dt : float
        Frame interval (ms); frame k stands for the time from k dt to (k + 1) dt.
    kind : {"events", "counts", "trace"}
        What ``activity`` is.
    grid : float, optional
        Bins of events (ms), by default ``dt``: event times are exact up to this.

    Raises
    ------
    ValueError
        If an event is out of the session, counts are negative, values are partly NaN, or frames do not fill it.
    """
    check_choice("kind", kind, KINDS)
    duration = check_number("duration", duration, "ms", 0, low_open=True)
    dt = check_number("dt", dt, "ms", 0, duration, low_open=True)
    if kind == "events":
        width = dt if grid is None else check_number("grid", grid, "ms", 0, duration, low_open=True)
        return _binned_events(activity, duration, width)
    if grid is not None:
        raise ValueError(f"grid = {grid!r} is for kind = 'events': {kind} have their frames of dt = {dt:g} ms")
    values = np.array(activity, float, ndmin=2)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"activity has shape {values.shape}: {kind} must be (n_neurons, n_frames)")
    if abs(values.shape[1] * dt - duration) > 1.5 * dt:
        raise ValueError(
            f"activity has {values.shape[1]} frames of {dt:g} ms, {values.shape[1] * dt:g} ms in all: "
            f"they must fill the session of {duration:g} ms to a frame"
        )
    present = ~np.isnan(values).all(axis=1)
    check_array("activity", values[present], low=0 if kind == "counts" else None) if present.any() else None
    values[~present] = 0.0
    return GridActivity(values, dt, present)


def _binned_events(activity: Sequence, duration: float, width: float) -> GridActivity:
    n_bins = math.ceil(duration / width - 1e-9)
    if isinstance(activity, tuple):
        index, time, n = np.asarray(activity[0], int), np.asarray(activity[1], float), activity[2]
        n = check_integer("n_neurons", n, 1)
        if index.shape != time.shape or (index.size and not 0 <= index.min() <= index.max() < n):
            raise ValueError(f"activity: index {index.shape} and time {time.shape} must pair, indices in [0, {n})")
        present = np.ones(n, bool)
    else:
        present = np.array([row is not None for row in activity], bool)
        rows = [np.asarray([] if row is None else row, float).ravel() for row in activity]
        if not rows:
            raise ValueError("activity is empty: it must hold the event times of at least one neuron")
        n, index = len(rows), np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        time = np.concatenate(rows)
    if time.size:
        check_array("activity", time, "ms", 0, duration)
    place = np.minimum((time / width + 1e-9).astype(np.int64), n_bins - 1)
    counts = np.bincount(index * n_bins + place, minlength=n * n_bins).astype(float)
    return GridActivity(counts.reshape(n, n_bins), width, present)


def behaviour_labels(intervals: pd.DataFrame, labels: Sequence[str] | None = None) -> tuple[str, ...]:
    """Labels to test: those given, else the four groups if the intervals are merged, else the seven behaviours."""
    if labels is not None:
        return tuple(check_choice("labels", label, {*BEHAVIOURS, *GROUPS}) for label in labels)
    return GROUPS if set(intervals["label"]) & (set(GROUPS) - set(BEHAVIOURS)) else BEHAVIOURS


def behaviour_weights(intervals: pd.DataFrame, labels: Sequence[str], n_bins: int, width: float) -> np.ndarray:
    """Share of each bin that each behaviour covers: the rows times ``width`` sum to the time spent in it.

    A bin at the edge of an interval counts in part, so that no press is too short to be seen.

    Parameters
    ----------
    intervals : DataFrame
        ``onset``, ``offset`` (ms), ``label``; half-open, disjoint, in order. What lies beyond the last bin is cut.
    labels : sequence of str
        Rows of the result.
    n_bins : int
    width : float
        Bin (ms).

    Returns
    -------
    ndarray, shape (n_labels, n_bins), in [0, 1]

    Examples
    --------
    >>> one = pd.DataFrame({"onset": [20.0], "offset": [110.0], "label": ["sequence"]})
    >>> behaviour_weights(one, ["sequence"], 4, 50.0).tolist()
    [[0.6, 1.0, 0.2, 0.0]]
    """
    table = check_intervals(intervals)
    edges = np.arange(n_bins + 1) * width
    weights = np.zeros((len(labels), n_bins))
    for row, label in zip(weights, labels, strict=True):
        own = table[(table["label"] == label).to_numpy()]
        if len(own):
            times = own[["onset", "offset"]].to_numpy().ravel()
            covered = np.cumsum(np.diff(times, prepend=times[0]) * (np.arange(len(times)) % 2))
            row[:] = np.clip(np.diff(np.interp(edges, times, covered)) / width, 0.0, 1.0)
    return weights


def lagged_sums(
    values: np.ndarray, weights: np.ndarray, elements: int = 4_000_000
) -> Iterator[tuple[slice, np.ndarray]]:
    """Sums of activity over behaviours with the activity moved later by every circular lag, a few neurons at a time.

    sums[i, b, k] = sum over bins t of weights[b, t] · values[i, (t - k) mod n_bins], by the Fourier transform: all
    lags cost what a few would.

    Parameters
    ----------
    values : ndarray, shape (n_neurons, n_bins)
    weights : ndarray, shape (n_labels, n_bins)
    elements : int
        Values held at a time.

    Yields
    ------
    rows : slice of neurons
    sums : ndarray, shape (len(rows), n_labels, n_bins)
    """
    from scipy.fft import irfft, rfft

    n_bins = values.shape[1]
    behaviour = rfft(weights, axis=1)
    for rows in blocks(len(values), weights.size, elements):
        yield rows, irfft(behaviour[None] * rfft(values[rows], axis=1).conj()[:, None], n_bins, axis=2)


def autocorrelation_bins(signal: np.ndarray) -> np.ndarray:
    """Bins per independent value of signals on a circle: the sum of the autocorrelation out to its first zero.

    Parameters
    ----------
    signal : ndarray, shape (..., n_bins)

    Returns
    -------
    ndarray, shape (...)
        At least 1; 1 for a constant.

    Examples
    --------
    >>> autocorrelation_bins(np.repeat([[1.0, -1.0, -1.0, 1.0]], 2, axis=0).repeat(5, axis=1)).round(9).tolist()
    [5.0, 5.0]
    """
    from scipy.fft import irfft, rfft

    n = signal.shape[-1]
    spectrum = rfft(signal - signal.mean(axis=-1, keepdims=True), axis=-1)
    covariance = irfft(spectrum.real**2 + spectrum.imag**2, n, axis=-1)[..., : n // 2 + 1]
    largest = covariance[..., :1]
    rho = np.divide(covariance, largest, out=np.zeros_like(covariance), where=largest > 1e-12 * n)
    positive = np.cumprod(rho > 1e-12, axis=-1, dtype=bool)
    return np.maximum(2.0 * (rho * positive).sum(axis=-1) - 1.0, 1.0)
