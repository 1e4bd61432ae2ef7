"""Fluorescence back to events: non-negative deconvolution of orders 1 and 2, exact and linear in the number of frames.

The compiled kernels minimise ½ Σ (target - c)² over calcium c with events s ≥ 0, where
s[t] = c[t] - g₁ c[t-1] - g₂ c[t-2] and c is 0 before the first frame: s[0] is the calcium the trace starts with.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.base.provenance import jsonable
from netlib.calcium.baselines import running_baseline
from netlib.calcium.indicators import Indicator, indicator, noise_sd, time_constants
from netlib.recordings.recording import Recording, Trace

__all__ = [
    "Deconvolution",
    "SpikeScore",
    "deconvolve",
    "deconvolve_trace",
    "events_of",
    "oasis_ar1",
    "pivoting_ar2",
    "spike_rate_correlation",
]


@dataclass(frozen=True, eq=False)
class Deconvolution:
    """What one trace was taken apart into.

    Attributes
    ----------
    events : ndarray, shape (n_frames,)
        Non-negative events, in ``unit``: with an indicator an estimate of action potentials per frame (AP), without
        one the dF/F of each event.
    calcium : ndarray, shape (n_frames,)
        Calcium the events leave, in AP or dF/F.
    fitted, baseline : ndarray, shape (n_frames,)
        dF/F of the model, and of the model without calcium.
    unit : str
        ``"AP"`` or ``"dF/F"``.
    rate : float
        Frame rate (Hz).
    order : int
        1: events decay; 2: they rise too.
    decay, rise : float
        Time constants (ms) used; rise is 0 for order 1.
    noise : float
        Standard deviation of the noise of one frame, in ``unit``.
    penalty : float
        Penalty on the sum of events, in ``unit``.
    lag : float
        How much later than its action potentials an event comes on average (ms): half a frame at order 1, plus
        the rise time constant, which only an indicator tells (otherwise it is left out); a whole frame at order 2.

    Examples
    --------
    >>> dff = 0.01 * np.random.default_rng(1).standard_normal(600)
    >>> result = deconvolve_trace(dff, 30.0, decay=400.0)
    >>> result.order, result.decay, round(result.noise, 3), round(result.lag, 1)
    (1, 400.0, 0.01, 16.7)
    """

    events: np.ndarray
    calcium: np.ndarray
    fitted: np.ndarray
    baseline: np.ndarray
    unit: str
    rate: float
    order: int
    decay: float
    rise: float
    noise: float
    penalty: float
    lag: float


def deconvolve_trace(
    dff: np.ndarray,
    rate: float,
    *,
    indicator: Indicator | str | None = None,
    order: int = 1,
    decay: float | str | None = None,
    rise: float | str | None = None,
    noise: float | None = None,
    penalty: float | None = None,
    minimum: float | None = None,
    baseline: str | float = "running",
    window: float = 60_000.0,
    percentile: float = 20.0,
) -> Deconvolution:
    """Non-negative deconvolution of one dF/F trace.

    The trace is baseline + calcium + noise, where calcium[t] = g₁ calcium[t-1] + g₂ calcium[t-2] + events[t] and
    events ≥ 0. By default the sum of events is the smallest that leaves residuals as large as the noise
    (Friedrich, Zhou & Paninski 2017, PLoS Comput Biol 13:e1005423, doi:10.1371/journal.pcbi.1005423); if even
    no penalty leaves more, there is none. A constant added to the baseline is optimised with it.

    Parameters
    ----------
    dff : array_like, shape (n_frames,)
        dF/F (1 = 100 %), at regular times.
    rate : float
        Frame rate (Hz).
    indicator : Indicator or str, optional
        Gives both time constants, and the saturation curve: the trace is first turned into calcium, so that events
        are in action potentials. Without it the trace is taken as linear.
    order : int
        1 or 2.
    decay, rise : float or "estimate", optional
        Time constants (ms); by default the indicator's, and without one estimated from the trace
        (:func:`netlib.calcium.indicators.time_constants`). ``rise`` is for order 2.
    noise : float, optional
        Standard deviation of the noise of one frame (dF/F); by default :func:`noise_sd`.
    penalty : float, optional
        A fixed penalty (dF/F, or AP with an indicator) instead of the noise constraint.
    minimum : float, optional
        Smallest event (same unit) instead of a penalty; order 1 only.
    baseline : str or float
        ``"running"`` or ``"constant"`` percentile
        (:func:`~netlib.calcium.baselines.running_baseline`), or a number (dF/F), which is then kept.
    window, percentile : float
        Of the running baseline (ms, %).

    Raises
    ------
    ValueError
        If a parameter is out of range, the trace has NaN or fewer than 10 frames, or two ways of choosing the
        penalty are given.

    Examples
    --------
    >>> dff = np.zeros(300)
    >>> dff[100:] = 0.3 * np.exp(-np.arange(200) / 15)
    >>> result = deconvolve_trace(dff, 30.0, decay=500.0, noise=0.01, baseline=0.0)
    >>> int(result.events.argmax()), round(float(result.events.sum()), 2), result.unit
    (100, 0.24, 'dF/F')
    """
    trace = check_array("dff", dff, "dF/F", ndim=1)
    if len(trace) < 10:
        raise ValueError(f"dff has {len(trace)} frames: it must have at least 10")
    check_number("rate", rate, "Hz", 0, low_open=True)
    check_integer("order", order, 1, 2)
    if penalty is not None and minimum is not None:
        raise ValueError(f"penalty = {penalty!r} and minimum = {minimum!r} are both given: give one")
    if minimum is not None and order == 2:
        raise ValueError(f"minimum = {minimum!r} is for order = 1: order = 2 takes a penalty")
    preset = None if indicator is None else _preset(indicator)
    base = _baseline(trace, rate, baseline, window, percentile)
    target = trace - base if preset is None else preset.calcium(trace - base)
    sd = noise_sd(target)
    if noise is not None:
        sd = check_number("noise", noise, "dF/F", 0) / (1.0 if preset is None else preset.amplitude)
    kinetics = _kinetics(target, rate, order, preset, decay, rise)
    gain = _gain(kinetics, preset)
    solve = _solver(kinetics, len(target), 0.0 if minimum is None else check_number("minimum", minimum, "", 0) / gain)
    if penalty is None and minimum is None:
        calcium, offset, shift = _noise_constrained(target, sd, solve, free=isinstance(baseline, str))
        penalty = (shift - offset) / kinetics.loss
    else:
        penalty = 0.0 if penalty is None else check_number("penalty", penalty, "", 0)
        calcium, offset = solve(target - penalty * kinetics.loss), 0.0
    forward = (lambda x: x) if preset is None else preset.fluorescence
    return Deconvolution(
        events=_events(calcium, kinetics) * gain,
        calcium=calcium,
        fitted=base + forward(offset + calcium),
        baseline=base + forward(np.asarray(offset)),
        unit="dF/F" if preset is None else "AP",
        rate=float(rate),
        order=order,
        decay=kinetics.decay,
        rise=kinetics.rise,
        noise=sd,
        penalty=penalty,
        lag=kinetics.frame if order == 2 else kinetics.frame / 2 + (0.0 if preset is None else preset.rise),
    )


_preset = indicator


class _Kinetics(NamedTuple):
    """Order, frame interval and time constants (ms), and what follows from them."""

    order: int
    frame: float
    decay: float
    rise: float

    @property
    def coefficients(self) -> tuple[float, float]:
        falls, rises = math.exp(-self.frame / self.decay), math.exp(-self.frame / self.rise) if self.rise else 0.0
        return falls + rises, -falls * rises

    @property
    def loss(self) -> float:
        """1 - g₁ - g₂; the calcium of one event sums to its inverse over the frames."""
        return 1.0 - sum(self.coefficients)


def _baseline(trace: np.ndarray, rate: float, baseline: str | float, window: float, percentile: float) -> np.ndarray:
    if not isinstance(baseline, str):
        return np.full(len(trace), check_number("baseline", baseline, "dF/F"))
    check_choice("baseline", baseline, ["running", "constant"])
    length = 1000.0 * len(trace) / rate
    # Blocks of 1 s, shorter in a trace of a few seconds.
    block = min(1000.0, length / 10)
    return running_baseline(trace, rate, window if baseline == "running" else 3 * length, percentile, block)


def _kinetics(
    target: np.ndarray,
    rate: float,
    order: int,
    preset: Indicator | None,
    decay: float | str | None,
    rise: float | str | None,
) -> _Kinetics:
    """Time constants: those given, else the indicator's, else estimated."""
    if preset is not None:
        decay, rise = preset.decay if decay is None else decay, preset.rise if rise is None else rise
    unknown = (None, "estimate")
    if decay in unknown or (order == 2 and rise in unknown):
        estimated = time_constants(target, rate, order)
        decay = estimated[0] if decay in unknown else check_number("decay", decay, "ms", 0, low_open=True)
        rise = min(estimated[1], decay / 2) if rise in unknown else rise
    decay = check_number("decay", decay, "ms", 0, low_open=True)
    rise = 0.0 if order == 1 else check_number("rise", rise, "ms", 0, decay, high_open=True)
    return _Kinetics(order, 1000.0 / rate, decay, rise)


def _solver(kinetics: _Kinetics, n_frames: int, minimum: float) -> Callable[[np.ndarray], np.ndarray]:

    g1, g2 = kinetics.coefficients
    if kinetics.order == 1:
        return lambda target: oasis_ar1(target, g1, minimum)
    # Where events are carries over from one penalty to the next, which saves most of the work.
    free = np.zeros(n_frames, bool)
    return lambda target: pivoting_ar2(target, g1, g2, free)


def _noise_constrained(
    target: np.ndarray, sd: float, solve: Callable[[np.ndarray], np.ndarray], free: bool
) -> tuple[np.ndarray, float, float]:
    """Calcium, offset of the baseline and shift such that the residuals have the variance of the noise.

    A penalty λ on the sum of events lowers the target by λ (1 - g₁ - g₂) (events so late that the recording does not
    see their decay pay less), just as a higher baseline does: both are one number, the shift, which is their sum.
    The residuals grow with it.
    """
    from scipy.optimize import brentq

    def excess(shift: float) -> float:
        residual = target - solve(target - shift)
        return float(residual.var() if free else np.mean(residual**2)) - sd**2

    shift, top = 0.0, max(float(target.max()), 0.0)
    if excess(0.0) < 0:
        step = max(sd, 1e-3 * top)
        while shift < top and excess(shift) < 0:
            shift, step = min(shift + step, top), 2 * step
        if excess(shift) > 0:
            shift = brentq(excess, 0.0, shift, xtol=1e-3 * sd + 1e-9 * top, rtol=1e-6)
    calcium = solve(target - shift)
    offset = min(float(np.mean(target - calcium)), shift) if free and shift > 0 else 0.0
    return calcium, offset, shift


def _gain(kinetics: _Kinetics, preset: Indicator | None) -> float:
    """Action potentials per event of size 1: the ratio of their areas, which is what the fit matches."""
    if preset is None:
        return 1.0
    return kinetics.frame / kinetics.loss / ((preset.decay - preset.rise) / preset.peak)


def _events(calcium: np.ndarray, kinetics: _Kinetics) -> np.ndarray:

    events = events_of(calcium, *kinetics.coefficients)
    # What the trace starts with is no event.
    events[0] = 0.0
    return events


def deconvolve(recording: Recording, trace: str = "dff", name: str = "events", **options) -> Recording:
    """Deconvolve every cell of a trace: adds the trace ``name``.

    Parameters
    ----------
    recording : Recording
    trace : str
        Trace to take apart (dF/F).
    name : str
        Name of the new trace.
    **options
        As for :func:`deconvolve_trace`.

    Raises
    ------
    ValueError
        If the recording has no such trace, or an option is out of range.

    Examples
    --------
    >>> from netlib.calcium.ground_truth import JointRecording
    >>> times, noise = np.arange(600) * 33.0, 0.01 * np.random.default_rng(1).standard_normal(600)
    >>> cell = JointRecording("one", times, noise, np.array([])).recording()
    >>> found = deconvolve(cell, decay=400.0)
    >>> found.traces["events"].values.shape, found.traces["events"].unit
    ((1, 600), 'dF/F')
    """
    check_type("recording", recording, Recording)
    source = recording.traces[check_choice("trace", trace, recording.traces)]
    rate = 1000.0 / source.dt
    values = np.empty(source.values.shape, np.float32)
    facts: dict[str, list] = {key: [] for key in ("decay", "rise", "noise", "penalty", "lag")}
    unit = source.unit
    for k, row in enumerate(source.values):
        result = deconvolve_trace(row, rate, **options)
        values[k], unit = result.events, result.unit
        for key, found in facts.items():
            found.append(getattr(result, key))
    said = {"trace": trace, "options": options, "cells": facts}
    return dataclasses.replace(
        recording,
        traces=recording.traces | {name: Trace(values, source.cells, source.dt, unit)},
        provenance=recording.provenance | {"deconvolution": jsonable(said)},
    )


# ---------------------------------------------------------------- score


class SpikeScore(NamedTuple):
    """Pearson correlation at the best lag, and that lag (ms; positive where the inferred rate comes late).

    Examples
    --------
    >>> score = SpikeScore(r=0.9, lag=33.3)
    >>> f"r = {score.r}, {score.lag:.0f} ms late"
    'r = 0.9, 33 ms late'
    """

    r: float
    lag: float


def spike_rate_correlation(
    spike_times: np.ndarray,
    inferred: np.ndarray,
    rate: float,
    *,
    smoothing: float = 100.0,
    max_lag: float = 200.0,
    start: float = 0.0,
) -> SpikeScore:
    """Correlate an inferred rate with the true one, both smoothed, at the best lag.

    Parameters
    ----------
    spike_times : array_like, shape (n_spikes,)
        True spike times (ms); those outside of the frames are left out.
    inferred : array_like, shape (n_frames,)
        Inferred events or rate, any unit; frame k is at ``start`` + k / rate.
    rate : float
        Frame rate (Hz).
    smoothing : float
        Standard deviation of the Gaussian that smooths both (ms); 0 for none.
    max_lag : float
        Longest lag tried, either way (ms).
    start : float
        Time of the first frame (ms).

    Returns
    -------
    SpikeScore
        r is NaN where either is constant.

    Examples
    --------
    >>> events = np.zeros(300)
    >>> events[[33, 153]] = 0.4
    >>> spike_rate_correlation([1000.0, 5000.0], events, 30.0)
    SpikeScore(r=1.0, lag=100.0)
    """
    from scipy.ndimage import gaussian_filter1d

    frame = 1000.0 / check_number("rate", rate, "Hz", 0, low_open=True)
    events = check_array("inferred", inferred, ndim=1)
    sd = check_number("smoothing", smoothing, "ms", 0) / frame
    reach = int(check_number("max_lag", max_lag, "ms", 0) / frame + 1e-9)
    if len(events) < 2 * reach + 3:
        raise ValueError(f"inferred has {len(events)} frames: it must have more than {2 * reach + 2} for that max_lag")
    spikes = np.asarray(spike_times, float).ravel()
    place = np.floor((spikes - start) / frame + 0.5)
    true = np.bincount(place[(place >= 0) & (place < len(events))].astype(int), minlength=len(events)).astype(float)
    if sd > 0:
        true, events = gaussian_filter1d(true, sd), gaussian_filter1d(events, sd)
    best = SpikeScore(math.nan, math.nan)
    for lag in sorted(range(-reach, reach + 1), key=abs):
        a, b = true[max(-lag, 0) : len(true) - max(lag, 0)], events[max(lag, 0) : len(events) - max(-lag, 0)]
        if a.std() > 0 and b.std() > 0:
            r = float(np.corrcoef(a, b)[0, 1])
            if not r <= best.r:
                best = SpikeScore(round(r, 12), lag * frame)
    return best


# ---------------------------------------------------------------- kernels


#: Exchanges of whole blocks without progress that are allowed before single exchanges, which cannot cycle.
PATIENCE = 10


def events_of(calcium: np.ndarray, g1: float, g2: float = 0.0) -> np.ndarray:
    """Events s[t] = c[t] - g₁ c[t-1] - g₂ c[t-2], those below rounding error set to 0.

    Examples
    --------
    >>> events_of(np.array([0.0, 1.0, 0.5, 0.25, 1.125]), 0.5).tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0]
    """
    events = calcium.copy()
    events[1:] -= g1 * calcium[:-1]
    events[2:] -= g2 * calcium[:-2]
    events[events < 1e-10 * max(calcium.max(), 1e-300)] = 0.0
    return events


@njit(cache=True)
def oasis_ar1(target: np.ndarray, g: float, minimum: float = 0.0) -> np.ndarray:
    """Calcium of order 1 by pooling adjacent frames that would need a negative event.

    Friedrich, Zhou & Paninski 2017, PLoS Comput Biol 13:e1005423, algorithm 1 (exact with ``minimum`` 0), and
    with the condition of its section on hard thresholds, s[t] = 0 or s[t] ≥ minimum (a greedy pass, not exact).

    Parameters
    ----------
    target : ndarray, shape (n_frames,)
        dF/F minus baseline and penalty.
    g : float
        Share of calcium that is left after one frame, exp(-frame / decay).
    minimum : float
        Smallest event.

    Examples
    --------
    >>> calcium = oasis_ar1(np.array([0.0, 1.0, 0.5, 0.25, -0.1]), 0.5, 0.0)
    >>> events_of(calcium, 0.5).round(2).tolist()
    [0.0, 0.98, 0.0, 0.0, 0.0]
    """
    n = len(target)
    powers = np.ones(n + 1)
    for t in range(n):
        powers[t + 1] = powers[t] * g
    value, weight = np.empty(n), np.empty(n)
    start, length = np.empty(n, np.int64), np.empty(n, np.int64)
    last = -1
    for t in range(n):
        last += 1
        value[last], weight[last], start[last], length[last] = target[t], 1.0, t, 1
        while last > 0 and value[last] < value[last - 1] * powers[length[last - 1]] + minimum:
            before = last - 1
            shrink = powers[length[before]]
            total = weight[before] + shrink * shrink * weight[last]
            value[before] = (weight[before] * value[before] + shrink * weight[last] * value[last]) / total
            weight[before] = total
            length[before] += length[last]
            last = before
    calcium = np.empty(n)
    for k in range(last + 1):
        for j in range(length[k]):
            calcium[start[k] + j] = max(value[k], 0.0) * powers[j]
    return calcium


@njit(cache=True)
def _calcium_of(target, g1, g2, free, multiplier, inverse, lower1, lower2, place):
    """Best calcium with events only where ``free``; fills in the multipliers of the other frames.

    c = target + Gᵀμ with (G c)[t] = 0 and μ[t] unknown where not free: the equations in μ are rows and columns of
    G Gᵀ, a matrix of five diagonals, factorised as L D Lᵀ on the way down and solved on the way up.
    """
    n = len(target)
    m = 0
    for t in range(n):
        multiplier[t] = 0.0
        if free[t]:
            continue
        diagonal, value = 1.0, -target[t]
        if t > 0:
            diagonal += g1 * g1
            value += g1 * target[t - 1]
        if t > 1:
            diagonal += g2 * g2
            value += g2 * target[t - 2]
        near = far = 0.0
        if m > 1 and t - place[m - 2] == 2:
            far = -g2
        if m > 0 and t - place[m - 1] == 1:
            near = -g1 + (g1 * g2 if t > 1 else 0.0)
        elif m > 0 and t - place[m - 1] == 2:
            near = -g2
        if m > 0:
            if m > 1:
                lower2[m] = far * inverse[m - 2]
                near -= far * lower1[m - 1]
                diagonal -= far * lower2[m]
                value -= lower2[m] * multiplier[place[m - 2]]
            lower1[m] = near * inverse[m - 1]
            diagonal -= near * lower1[m]
            value -= lower1[m] * multiplier[place[m - 1]]
        place[m], inverse[m], multiplier[t] = t, 1.0 / diagonal, value
        m += 1
    for k in range(m - 1, -1, -1):
        value = multiplier[place[k]] * inverse[k]
        if k + 1 < m:
            value -= lower1[k + 1] * multiplier[place[k + 1]]
        if k + 2 < m:
            value -= lower2[k + 2] * multiplier[place[k + 2]]
        multiplier[place[k]] = value
    calcium = target + multiplier
    calcium[:-1] -= g1 * multiplier[1:]
    calcium[:-2] -= g2 * multiplier[2:]
    return calcium


@njit(cache=True)
def pivoting_ar2(target: np.ndarray, g1: float, g2: float, free: np.ndarray) -> np.ndarray:
    """Calcium of order 2, where the OASIS pass is not exact, by exchanging frames with and without an event.

    Block principal pivoting (Portugal, Júdice & Vicente 1994, Math Comput 63:625): every frame that breaks a
    condition (a negative event, or a multiplier that asks for one) changes side at once; about ten solutions of a
    banded system. With g₂ = 0 it solves order 1 too.

    Parameters
    ----------
    target : ndarray, shape (n_frames,)
        dF/F minus baseline and penalty.
    g1, g2 : float
        d + r and -d r for the shares d, r of calcium left after one frame of decay and of rise.
    free : ndarray of bool, shape (n_frames,)
        Where events are thought to be: a first guess, changed in place into the answer.

    Examples
    --------
    >>> calcium = np.array([0.0, 1.0, 1.1, 0.91, 0.671])  # one event, with g1 = 1.1 and g2 = -0.3
    >>> found = pivoting_ar2(calcium, 1.1, -0.3, np.zeros(5, bool))
    >>> events_of(found, 1.1, -0.3).round(2).tolist()
    [0.0, 1.0, 0.0, 0.0, 0.0]
    """
    n = len(target)
    multiplier, inverse, lower1, lower2 = np.empty(n), np.empty(n), np.zeros(n), np.zeros(n)
    place = np.empty(n, np.int64)
    wrong = np.empty(n, np.int64)
    tolerance = 1e-10 * max(np.abs(target).max(), 1e-300)
    fewest, patience = n + 1, PATIENCE
    calcium = np.empty(n)
    for _ in range(20 * n + 100):
        calcium = _calcium_of(target, g1, g2, free, multiplier, inverse, lower1, lower2, place)
        count = 0
        for t in range(n):
            size = multiplier[t]
            if free[t]:
                size = calcium[t]
                if t > 0:
                    size -= g1 * calcium[t - 1]
                if t > 1:
                    size -= g2 * calcium[t - 2]
            if size < -tolerance:
                wrong[count] = t
                count += 1
        if count == 0:
            break
        if count < fewest:
            fewest, patience = count, PATIENCE
        else:
            patience -= 1
        for k in range(count if patience >= 0 else 1):
            t = wrong[count - 1 - k]
            free[t] = not free[t]
    return calcium
