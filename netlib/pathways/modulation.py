"""Is a neuron more or less active in a behaviour than chance? Activity against itself at other times.

Activity is moved in time against behaviour, and the statistic taken anew: what is left is chance, with all the memory
that activity and behaviour have (Elber-Dorozko & Loewenstein 2018, eLife 7:e34231). All lags are computed at once by
the Fourier transform, and wrap at the end of the session.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.pathways.behaviour import BEHAVIOURS, GROUPS, check_intervals, inter_sequence_intervals
from netlib.statistics.resampling import adjust_p_values, blocks

__all__ = [
    "FAR",
    "FIELDS",
    "GUARD",
    "HIGH",
    "KINDS",
    "LOW",
    "NULLS",
    "P_VALUES",
    "GridActivity",
    "Guard",
    "Modulation",
    "Percentiles",
    "activity_on_grid",
    "autocorrelation_bins",
    "behaviour_labels",
    "behaviour_weights",
    "bout_comparison",
    "compare",
    "correlation_times",
    "lagged_sums",
    "percentile_signs",
    "percentile_test",
    "permuted_bouts",
    "published_shifts",
    "shift_comparison",
    "shift_test",
    "suggest_guard",
]

#: What activity may be: times of events, counts per frame, or a sampled trace.
KINDS = ("events", "counts", "trace")
NULLS = ("circular", "linear", "bouts")
P_VALUES = ("p", "p_lags", "p_tail", "q")
FIELDS = ("statistic", "null_mean", "null_sd", "effect", "percentile", "p", "p_lags", "p_tail", "n_independent")
#: Guard of the published analysis (ms).
GUARD = 20_000.0
#: Published bounds of percentiles: at or above HIGH activated, at or below LOW inactivated.
LOW, HIGH = 5.0, 95.0
#: Longest shift (ms) of the published test: 100 s for events and traces, 50 s for counts of an inference.
FAR = {"events": 100_000.0, "counts": 50_000.0, "trace": 100_000.0}


@dataclass(frozen=True, eq=False)
class Modulation:
    """Neurons against behaviours in one session; arrays are (n_neurons, n_labels), NaN where there is no answer.

    Attributes
    ----------
    labels : tuple of str
        Behaviours.
    statistic : ndarray
        Events or counts per ms in the behaviour, or mean of the trace over it.
    null_mean, null_sd : ndarray
        Of the statistic under the null.
    effect : ndarray
        (statistic - null mean) / null sd; 0 for a neuron that never changes.
    ratio : ndarray
        statistic / null mean, for events and counts; NaN for traces, which have no zero.
    percentile : ndarray
        Place of the statistic in the null, 0 to 100, ties counting half.
    p, p_lags, p_tail : ndarray
        Two-sided p values, never 0 (:func:`compare`): of the number of independent
        shifts, of all lags as if they were independent, and of a curve fitted to the null.
    q : ndarray
        Benjamini–Hochberg over all neurons and behaviours of the session, on the p values named by ``fdr_on``.
    n_independent : ndarray
        Independent shifts.
    missing : ndarray of bool, shape (n_labels,)
        Behaviours that did not occur: NaN for all neurons.
    absent : ndarray of bool, shape (n_neurons,)
        Neurons that were not there: NaN for all behaviours.
    kind, null, fdr_on : str
        What activity was, which null, what q is made of.
    guard : float
        Shortest shift (ms).
    n_null : int
        Values in each null.
    notes : tuple of str
        Doubts.
    """

    labels: tuple[str, ...]
    statistic: np.ndarray
    null_mean: np.ndarray
    null_sd: np.ndarray
    effect: np.ndarray
    ratio: np.ndarray
    percentile: np.ndarray
    p: np.ndarray
    p_lags: np.ndarray
    p_tail: np.ndarray
    q: np.ndarray
    n_independent: np.ndarray
    missing: np.ndarray
    absent: np.ndarray
    kind: str
    null: str
    fdr_on: str
    guard: float
    n_null: int
    notes: tuple[str, ...] = ()

    def signs(self, alpha: float = 0.05, by: str = "q") -> np.ndarray:
        """1 (activated), -1 (inactivated), 0 or NaN for each neuron and behaviour.

        Parameters
        ----------
        alpha : float
            Level, in (0, 1).
        by : {"q", "p", "p_lags", "p_tail"}
            Which p value must not exceed it.
        """
        check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
        p = getattr(self, check_choice("by", by, P_VALUES))
        return np.where(np.isnan(p), np.nan, np.where(p <= alpha, np.sign(self.effect), 0.0))

    def table(self) -> pd.DataFrame:
        """One row per neuron and behaviour: ``neuron``, ``behaviour`` and the arrays of this object."""
        n, m = self.statistic.shape
        columns = {"neuron": np.repeat(np.arange(n), m), "behaviour": np.tile(np.array(self.labels, object), n)}
        for name in (*FIELDS, "ratio", "q"):
            columns[name] = getattr(self, name).ravel()
        columns["missing"], columns["absent"] = np.tile(self.missing, n), np.repeat(self.absent, m)
        return pd.DataFrame(columns)


def shift_test(
    activity: Sequence,
    intervals: pd.DataFrame,
    duration: float,
    dt: float,
    kind: str = "events",
    *,
    labels: Sequence[str] | None = None,
    null: str = "circular",
    guard: float | str = GUARD,
    grid: float | None = None,
    max_shift: float | None = None,
    n_permutations: int = 1000,
    fdr_on: str = "p_tail",
    seed: int = 0,
) -> Modulation:
    """Test every neuron against every behaviour of a session.

    The circular null holds all lags from ``guard`` to ``duration - guard``. Neighbouring lags are nearly the same
    value, so their number says little: ``p`` counts independent ones, which leaves it at 0.01 or more in a session of
    20 minutes, too coarse to correct for hundreds of tests. ``p_tail`` goes on from there by a curve, and ``q`` is
    made of it by default. On ten sessions of 60 neurons with slow changes of rate (OU process of 3 s) 3.5 % of the
    ``p`` and 4.6 % of the ``p_tail`` lie below 0.05, 3 % of the discoveries at q = 0.05 are false, and 99.5 % of
    neurons that change fourfold are found (97 % from fluorescence). Linear shifts find 6 in 10 of these.

    Parameters
    ----------
    activity : list of array_like, tuple (index, time, n_neurons), or array_like, shape (n_neurons, n_frames)
        Event times (ms), or counts or a trace per frame; None, or a row of NaN, is a neuron that was not there.
    intervals : DataFrame
        Behaviours (``onset``, ``offset`` in ms, ``label``), seven or four.
    duration, dt : float
        Length of the session and frame interval (ms).
    kind : {"events", "counts", "trace"}
        What activity is. The statistic is the number (or sum) per ms for the first two, the mean for the third.
    labels : sequence of str, optional
        Behaviours to test; by default all seven, or all four if the intervals are merged.
    null : {"circular", "linear", "bouts"}
        Shifts that wrap at the end of the session; shifts that do not, behaviour being cut to the middle of the
        session (safer where activity drifts; Harris 2020); or bouts of behaviour dealt in another order.
    guard : float or "auto"
        Shortest shift (ms); "auto" takes that of :func:`suggest_guard`.
    grid : float, optional
        Bin of events (ms): their times are exact up to this; by default ``dt``.
    max_shift : float, optional
        Longest linear shift (ms), by default a quarter of the session; as much is cut off behaviour at either end.
    n_permutations : int
        Orders of bouts.
    fdr_on : {"p_tail", "p", "p_lags"}
        Which p values q is made of.
    seed : int
        Master seed, for the orders of bouts.

    Returns
    -------
    Modulation

    Raises
    ------
    ValueError
        If a parameter is out of range, activity does not fill the session, or the guard leaves too few shifts.

    Examples
    --------
    >>> on = np.arange(5_000.0, 600_000.0, 30_000.0)
    >>> behaviour = pd.DataFrame({"onset": on, "offset": on + 4_000.0, "label": "sequence"})
    >>> found = shift_test([on + 1_000.0], behaviour, 600_000.0, 50.0, labels=["sequence"])
    >>> bool(found.effect[0, 0] > 2), float(found.ratio[0, 0].round(1))
    (True, 7.4)
    """
    check_choice("null", null, NULLS)
    check_choice("fdr_on", fdr_on, P_VALUES[:3])
    binned = activity_on_grid(activity, duration, dt, kind, grid)
    labels = behaviour_labels(intervals, labels)
    weights = behaviour_weights(intervals, labels, binned.values.shape[1], binned.width)
    if guard == "auto":
        guard = suggest_guard(intervals, duration, dt, activity, kind).guard
    guard = check_number("guard", guard, "ms", 0, duration / 3)
    notes = [] if null == "bouts" else _doubts_of_guard(binned, weights, guard)
    n_permutations = check_integer("n_permutations", n_permutations, 20)
    per = 1.0 if kind == "trace" else binned.width
    if null == "bouts":
        used, n_null, amount = weights, n_permutations, _amount(weights) * per
        found = bout_comparison(binned.values, binned.width, intervals, labels, amount, n_permutations, seed)
    else:
        used, lags = _lags(weights, binned.width, null, guard, max_shift)
        n_null = len(lags)
        found = shift_comparison(binned.values, used, _amount(used) * per, lags, null == "linear")
    fields = {name: np.array(value, float) for name, value in found.items()}
    missing = used.sum(axis=1) <= 0
    for array in fields.values():
        array[:, missing] = np.nan
        array[~binned.present] = np.nan
    mean = fields["null_mean"]
    defined = mean > (np.inf if kind == "trace" else 1e-15)
    ratio = np.divide(fields["statistic"], mean, out=np.full(mean.shape, np.nan), where=defined)
    return Modulation(
        labels=labels,
        **fields,
        ratio=ratio,
        q=adjust_p_values(fields[fdr_on], "bh"),
        missing=missing,
        absent=~binned.present,
        kind=kind,
        null=null,
        fdr_on=fdr_on,
        guard=guard,
        n_null=n_null,
        notes=tuple(notes),
    )


def _doubts_of_guard(binned: GridActivity, weights: np.ndarray, guard: float) -> list[str]:
    notes = []
    times = correlation_times(binned.values, weights, binned.width)
    for name, time in zip(("behaviour", "activity"), times, strict=True):
        if time > guard / 3:
            note = f"guard = {guard:g} ms is less than three autocorrelation times of {name} ({time:.0f} ms)"
            notes.append(note)
            warnings.warn(note + ": take guard='auto'", RuntimeWarning, stacklevel=3)
    return notes


def _amount(weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1)
    return np.where(total > 0, total, 1.0)


def _lags(
    weights: np.ndarray, width: float, null: str, guard: float, max_shift: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights to use and lags (bins) of the null."""
    n_bins = weights.shape[1]
    first = max(1, int(np.ceil(guard / width - 1e-9)))
    if null == "circular":
        return weights, np.arange(first, n_bins - first + 1)
    longest = check_number("max_shift", n_bins * width / 4 if max_shift is None else max_shift, "ms", 0)
    last = int(longest / width + 1e-9)
    if not first < last < n_bins / 2:
        raise ValueError(
            f"max_shift = {longest:g} ms is out of range: it must be above the guard, {guard:g} ms, and below half "
            f"of the session, {n_bins * width / 2:g} ms"
        )
    middle = weights.copy()
    middle[:, :last] = middle[:, n_bins - last :] = 0.0
    return middle, np.concatenate([np.arange(-last, -first + 1), np.arange(first, last + 1)])


# ---------------------------------------------------------------- published percentiles


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
    about half of neurons without any modulation get one of eight labels. :func:`shift_test`
    is the test to use.

    Parameters
    ----------
    activity, intervals, duration, dt, kind, labels, grid
        As for :func:`shift_test`.
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


# ---------------------------------------------------------------- activity and behaviours on one grid


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


# ---------------------------------------------------------------- nulls


class Reference(NamedTuple):
    """How many values a null has for one tail, and how many of them count as one independent value."""

    size: float
    clump: np.ndarray | float


def compare(observed: np.ndarray, null: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    """Place each observed value in its null.

    Parameters
    ----------
    observed : ndarray, shape (...)
    null : ndarray, shape (..., n_values)
    reference : Reference
        ``size`` is n_values, or less where a smaller number is honest.

    Returns
    -------
    dict of ndarray, shape (...)
        :data:`FIELDS`; every p is two-sided, twice that of the smaller tail:

        - ``p_lags``: (1 + #) / (1 + N), # of the N values being as extreme (Phipson & Smyth 2010);
        - ``p``: (1 + #/τ) / (1 + N/τ), neighbouring lags being one value τ times over: never below 2 / (1 + N/τ);
        - ``p_tail``: from a Pearson III curve with the mean, variance and skewness of the null (Winkler et al. 2016,
          NeuroImage 141:502), taken to Student's t with N/τ - 1 degrees of freedom, as the moments are of N/τ
          independent values only; at least 2 / (1 + N).
    """
    from scipy.stats import norm, pearson3, t

    tie = 1e-9 * np.maximum(np.abs(null).max(axis=-1), np.abs(observed))[..., None] + 1e-300
    above = (null > observed[..., None] + tie).sum(axis=-1)
    below = (null < observed[..., None] - tie).sum(axis=-1)
    equal = null.shape[-1] - above - below
    mean, sd = null.mean(axis=-1), null.std(axis=-1)
    varies = sd > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    scale = np.where(varies, sd, 1.0)
    effect = np.where(varies, (observed - mean) / scale, 0.0)
    centred = (null - mean[..., None]) / scale[..., None]
    skew = np.where(varies, np.einsum("...k,...k,...k->...", centred, centred, centred) / null.shape[-1], 0.0)
    tail = np.minimum(pearson3.sf(effect, skew), pearson3.cdf(effect, skew))
    independent = np.maximum(reference.size / np.asarray(reference.clump), 3.0)
    normal = norm.isf(np.clip(tail, 1e-300, 0.5)) / np.sqrt(1 + 1 / independent)
    fitted = np.clip(2 * t.sf(normal, independent - 1), 2 / (1 + reference.size), 1.0)
    extreme = np.minimum(above, below) + equal
    clump = reference.size / independent
    found = {
        "statistic": observed,
        "null_mean": mean,
        "null_sd": sd,
        "effect": effect,
        "percentile": 100.0 * (below + equal / 2) / null.shape[-1],
        "p": np.minimum(1.0, 2 * (1 + extreme / clump) / (1 + independent)),
        "p_lags": np.minimum(1.0, 2 * (1 + extreme) / (1 + reference.size)),
        "p_tail": np.where(varies, fitted, 1.0),
        "n_independent": independent,
    }
    return {name: np.broadcast_to(value, observed.shape) for name, value in found.items()}


def _assembled(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}


def shift_comparison(
    values: np.ndarray, weights: np.ndarray, amount: np.ndarray, lags: np.ndarray, linear: bool
) -> dict[str, np.ndarray]:
    """Compare lag 0 with other lags.

    Parameters
    ----------
    values : ndarray, shape (n_neurons, n_bins)
    weights : ndarray, shape (n_labels, n_bins)
    amount : ndarray, shape (n_labels,)
        What sums are divided by.
    lags : ndarray of int
        Lags (bins) of the null, 0 not among them; negative ones are earlier.
    linear : bool
        The weights leave room at both ends, so that no lag wraps. Lags on both sides then count half: m of 2N linear
        shifts prove no more than m / (N + 1) (Harris 2020, bioRxiv 2020.11.29.402719).
    """
    n_lags = len(lags) / 2 if linear else len(lags)
    parts = []
    for _, sums in lagged_sums(values, weights):
        sums /= amount[:, None]
        reference = Reference(n_lags, autocorrelation_bins(sums))
        parts.append(compare(sums[..., 0], sums[..., lags], reference))
    return _assembled(parts)


def permuted_bouts(intervals: pd.DataFrame, duration: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bouts dealt in other orders, each with its own length; time without a label is a bout too.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours.
    duration : float
        Length of the session (ms).
    n : int
        Orders.

    Returns
    -------
    edges : ndarray, shape (n, n_bouts + 1)
        Where bouts begin and end (ms); the first row of a session of its own order would be its onsets.
    order : ndarray of int, shape (n, n_bouts)
        Rows of ``intervals``, -1 for a gap.
    """
    table = check_intervals(intervals, duration)
    times = np.unique(np.r_[0.0, table[["onset", "offset"]].to_numpy().ravel(), duration])
    rows = np.searchsorted(table["onset"].to_numpy(), times[:-1], side="right") - 1
    inside = (rows >= 0) & (times[:-1] < table["offset"].to_numpy()[rows]) if len(table) else np.zeros(len(rows), bool)
    bout = np.where(inside, rows, -1)
    places = stream(seed, "bout permutation").permuted(np.tile(np.arange(len(bout)), (n, 1)), axis=1)
    edges = np.concatenate([np.zeros((n, 1)), np.cumsum(np.diff(times)[places], axis=1)], axis=1)
    return edges, bout[places]


def bout_comparison(
    values: np.ndarray,
    width: float,
    intervals: pd.DataFrame,
    labels: tuple[str, ...],
    amount: np.ndarray,
    n_permutations: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Compare the order of bouts that was with other orders, activity staying where it is.

    What a bin holds is spread evenly over it, as in :func:`behaviour_weights`.
    """
    n_bins = values.shape[1]
    duration = n_bins * width
    cut = intervals.assign(offset=np.minimum(intervals["offset"], duration))
    cut = cut[(cut["offset"] > cut["onset"]).to_numpy()]
    edges, order = permuted_bouts(cut, duration, n_permutations, seed)
    code = np.r_[pd.Index(labels).get_indexer(cut["label"]), -1][order]
    cell = np.minimum((edges / width).astype(np.int64), n_bins - 1)
    share = edges / width - cell
    observed = values @ behaviour_weights(intervals, labels, n_bins, width).T / amount
    parts = []
    for rows in blocks(len(values), edges.size):
        total = np.concatenate([np.zeros((len(values[rows]), 1)), np.cumsum(values[rows], axis=1)], axis=1)
        held = np.diff(total[:, cell] * (1 - share) + total[:, cell + 1] * share, axis=2)
        null = np.stack([np.where(code == b, held, 0.0).sum(axis=2) for b in range(len(labels))], axis=1)
        parts.append(compare(observed[rows], null / amount[:, None], Reference(n_permutations, 1.0)))
    return _assembled(parts)


# ---------------------------------------------------------------- guard


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
        As for :func:`shift_test`.
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
