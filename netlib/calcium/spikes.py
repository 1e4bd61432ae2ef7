"""Fluorescence to whole numbers of action potentials: the most likely path of calcium, baseline and spikes.

The model and the way to solve it are those of MLspike (Deneux et al. 2016, Nat Commun 7:12190): calcium falls by a
fixed share each frame and rises by one step per spike, the baseline drifts as a random walk, fluorescence saturates,
spikes are Poisson. Dynamic programming goes backward over a grid of (calcium, baseline), and forward with calcium
itself, which no grid rounds.

The state of frame t is (calcium c, baseline b) after its spikes. value[t][c, b] is the least cost of frame t and all
later ones from that state; going on costs, per frame, the squared misfit, the spikes and the move of the baseline.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.base.provenance import jsonable
from netlib.calcium.indicators import Indicator, indicator, noise_sd
from netlib.recordings.recording import Recording, Trace

__all__ = ["SpikeInference", "backward", "forward", "infer_recording", "infer_spikes"]


#: Frames of which the values of the grid are held at a time; the rest is computed a second time.
SEGMENT = 512


@dataclass(frozen=True, eq=False)
class SpikeInference:
    """The most likely spikes of one trace.

    Attributes
    ----------
    counts : ndarray of int, shape (n_frames,)
        Action potentials in each frame.
    calcium : ndarray, shape (n_frames,)
        Calcium above rest (AP).
    baseline : ndarray, shape (n_frames,)
        Baseline (dF/F).
    fitted : ndarray, shape (n_frames,)
        dF/F of the model.
    sigma : float
        Standard deviation of the noise of one frame (dF/F).
    cost : float
        Minus the log of the joint probability of trace, spikes and baseline, up to a constant.
    rate : float
        Frame rate (Hz).
    lag : float
        How much later than its action potentials a count comes on average (ms): half a frame and the rise time.

    Examples
    --------
    >>> dff = np.zeros(300)
    >>> dff[100:] = 0.5 * np.exp(-np.arange(200) / 12)
    >>> result = infer_spikes(dff, 30.0, sigma=0.05)
    >>> int(result.counts.sum()), int(result.counts.argmax()), round(result.lag)
    (4, 100, 34)
    """

    counts: np.ndarray
    calcium: np.ndarray
    baseline: np.ndarray
    fitted: np.ndarray
    sigma: float
    cost: float
    rate: float
    lag: float


def infer_spikes(
    dff: np.ndarray,
    rate: float,
    *,
    indicator: Indicator | str = "GCaMP6f",
    polynomial: tuple[float, float] | None = None,
    sigma: float | None = None,
    spike_rate: float = 0.5,
    drift: float = 0.02,
    max_spikes: int = 3,
    n_calcium: int = 60,
    n_baseline: int = 25,
) -> SpikeInference:
    """Most likely whole numbers of action potentials per frame of one dF/F trace.

    dF/F = (1 + b)(1 + f(c)) - 1 + noise; c falls by exp(-frame / decay) per frame and rises by one unit per spike; f is
    the indicator's Hill curve. The rise of calcium is left out: it makes spikes a little late (``lag``), and the unit
    is such that the area under one action potential is right.

    Parameters
    ----------
    dff : array_like, shape (n_frames,)
        dF/F (1 = 100 %), at regular times.
    rate : float
        Frame rate (Hz).
    indicator : Indicator or str
        Time constants, amplitude and saturation.
    polynomial : (p2, p3), optional
        f(c) = amplitude · [c + p2 (c² - c) + p3 (c³ - c)] instead of the Hill curve, as in MLspike.
    sigma : float, optional
        Noise of one frame (dF/F); by default found from the upper half of the spectrum of the trace.
    spike_rate : float
        Rate of spikes expected beforehand (Hz): the lower, the more a spike must explain.
    drift : float
        Standard deviation of the baseline's random walk after one second (dF/F).
    max_spikes : int
        Most spikes in one frame, 1 to 10.
    n_calcium, n_baseline : int
        Points of the grid.

    Returns
    -------
    SpikeInference

    Raises
    ------
    ValueError
        If a parameter is out of range, or the trace has NaN or fewer than 10 frames, or no noise.

    Examples
    --------
    >>> truth = np.zeros(200, int)
    >>> truth[[50, 51, 120]] = 1, 2, 1
    >>> flash = Indicator("linear", rise=0.0, decay=500.0, amplitude=0.2)
    >>> from scipy.signal import lfilter
    >>> trace = 0.2 * lfilter([1], [1, -np.exp(-0.1)], truth) / (10 * (1 - np.exp(-0.1)))
    >>> found = infer_spikes(trace, 20.0, indicator=flash, sigma=0.02)
    >>> bool((found.counts == truth).all())
    True
    """
    trace = check_array("dff", dff, "dF/F", ndim=1)
    if len(trace) < 10:
        raise ValueError(f"dff has {len(trace)} frames: it must have at least 10")
    check_number("rate", rate, "Hz", 0, low_open=True)
    preset = _preset(indicator)
    frame = 1000.0 / rate
    sd = noise_sd(trace) if sigma is None else sigma
    sd = check_number("sigma", sd, "dF/F", 0, low_open=True)
    expected = check_number("spike_rate", spike_rate, "Hz", 0, rate, low_open=True) / rate
    check_number("drift", drift, "s^-1/2", 0, low_open=True)
    max_spikes = check_integer("max_spikes", max_spikes, 1, 10, "spikes")
    n_calcium = check_integer("n_calcium", n_calcium, 10, 500)
    n_baseline = check_integer("n_baseline", n_baseline, 3, 200)
    keep = math.exp(-frame / preset.decay)
    unit = (preset.decay - preset.rise) / preset.peak * (1 - keep) / frame
    curve = _curve(preset, polynomial)
    base, move = _baselines(trace, sd, drift / math.sqrt(rate), n_baseline)
    calcium = _calcium_grid(trace, sd, base[0], unit, max_spikes, keep, curve, n_calcium)
    spike_cost = np.array([expected - k * math.log(expected) + math.lgamma(k + 1) for k in range(max_spikes + 1)])
    counts, level, at, cost = _solve(trace, calcium, curve(calcium), base, move, spike_cost, keep, unit, sd)
    fitted = (1 + base[at]) * (1 + curve(level)) - 1
    return SpikeInference(counts, level, base[at], fitted, sd, cost, float(rate), frame / 2 + preset.rise)


_preset = indicator


def _curve(preset: Indicator, polynomial: tuple[float, float] | None):
    if polynomial is None:
        return preset.fluorescence
    p2, p3 = (check_number(f"polynomial[{k}]", p) for k, p in enumerate(polynomial))
    return lambda c: preset.amplitude * (c + p2 * (c**2 - c) + p3 * (c**3 - c))


def _baselines(trace: np.ndarray, sd: float, step: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Grid of baselines, and the costs of staying and of moving by one point (a walk of the same variance)."""
    low = np.percentile(trace, 1) - sd
    high = max(np.percentile(trace, 60), low + 4 * sd) + sd
    base = np.linspace(low, high, n)
    jump = min((step / (base[1] - base[0])) ** 2 / 2, 1 / 3)
    return base, np.array([-math.log1p(-2 * jump), -math.log(jump)])


def _calcium_grid(trace, sd, lowest, unit, max_spikes, keep, curve, n) -> np.ndarray:
    """Grid of calcium from 0, finer near it, to above what the brightest frame needs."""
    top = (1 + trace.max() + 2 * sd) / (1 + lowest) - 1
    high = max_spikes * unit
    while curve(np.array(high)) < top and high < 1e3:
        if curve(np.array(1.2 * high)) <= curve(np.array(high)):
            break
        high *= 1.2
    return (high + max_spikes * unit) * np.linspace(0, 1, n) ** 1.5


def _solve(trace, calcium, bright, base, move, spike_cost, keep, unit, sd):
    """Backward over the grid with the values at segment ends kept, then forward segment by segment."""
    after = keep * calcium[:, None] + unit * np.arange(len(spike_cost))
    inside = after <= calcium[-1] + 1e-9
    place = np.clip(np.searchsorted(calcium, after, side="right") - 1, 0, len(calcium) - 2)
    share = np.clip((after - calcium[place]) / (calcium[place + 1] - calcium[place]), 0.0, 1.0)
    spike = np.where(inside, spike_cost, np.inf)
    mean = (1 + bright[:, None]) * (1 + base) - 1
    precision = 0.5 / sd**2
    starts = list(range(0, len(trace), SEGMENT))
    ends = {}
    value = np.zeros(mean.shape)
    for start in reversed(starts):
        ends[start] = value
        value = backward(trace[start : start + SEGMENT], value, mean, precision, place, share, spike, move)[0]
    counts, level, at = np.zeros(len(trace), np.int64), np.zeros(len(trace)), np.zeros(len(trace), np.int64)
    # Before the first frame calcium may be anything: what the trace begins with is no spike.
    k, j = np.unravel_index(np.argmin(value), value.shape)
    now, cost = calcium[k], float(value[k, j])
    for start in starts:
        rows = slice(start, start + SEGMENT)
        values = backward(trace[rows], ends[start], mean, precision, place, share, spike, move)
        now, j = forward(
            trace[rows], values, mean, precision, calcium, keep, unit, spike_cost, move, now, j,
            counts[rows], level[rows], at[rows],
        )  # fmt: skip
    return counts, level, at, cost


def infer_recording(recording: Recording, trace: str = "dff", name: str = "counts", **options) -> Recording:
    """Infer the spikes of every cell of a trace: adds the trace ``name`` (AP per frame).

    Parameters
    ----------
    recording : Recording
    trace : str
        Trace to take apart (dF/F).
    name : str
        Name of the new trace.
    **options
        As for :func:`infer_spikes`.

    Raises
    ------
    ValueError
        If the recording has no such trace, or an option is out of range.

    Examples
    --------
    >>> from netlib.calcium.ground_truth import JointRecording
    >>> cell = JointRecording("one", np.arange(300) * 33.0, np.zeros(300), np.array([])).recording()
    >>> float(infer_recording(cell, sigma=0.05).traces["counts"].values.sum())
    0.0
    """
    check_type("recording", recording, Recording)
    source = recording.traces[check_choice("trace", trace, recording.traces)]
    found = [infer_spikes(row, 1000.0 / source.dt, **options) for row in source.values]
    values = np.array([one.counts for one in found], np.float32).reshape(source.values.shape)
    said = {"trace": trace, "options": options, "sigma": [one.sigma for one in found]}
    return dataclasses.replace(
        recording,
        traces=recording.traces | {name: Trace(values, source.cells, source.dt, "AP")},
        provenance=recording.provenance | {"spike inference": jsonable(said)},
    )


# ---------------------------------------------------------------- compiled passes


@njit(cache=True)
def backward(trace, end, mean, precision, place, share, spike, move):
    """Values of a stretch of frames, the row after the last being ``end``.

    Parameters
    ----------
    trace : ndarray, shape (n_frames,)
    end : ndarray, shape (n_calcium, n_baseline)
        What follows: least cost from each state of the last frame on, without that frame itself.
    mean : ndarray, shape (n_calcium, n_baseline)
        Trace without noise.
    precision : float
        1 / (2 σ²).
    place, share : ndarray, shape (n_calcium, n_spikes + 1)
        Where calcium goes after one frame with so many spikes: left point of the grid, and share of the right one.
    spike : ndarray, shape (n_calcium, n_spikes + 1)
        Cost of spikes, infinite where calcium would leave the grid.
    move : ndarray, shape (2,)
        Cost of a baseline that stays, or moves by one point.

    Returns
    -------
    ndarray, shape (n_frames + 1, n_calcium, n_baseline)
        Row t: least cost of going on from a state of the frame before frame t.
    """
    n, (n_c, n_b), n_s = len(trace), mean.shape, spike.shape[1]
    values = np.empty((n + 1, n_c, n_b))
    values[n] = end
    here, moved = np.empty((n_c, n_b)), np.empty((n_c, n_b))
    for t in range(n - 1, -1, -1):
        for c in range(n_c):
            for b in range(n_b):
                misfit = trace[t] - mean[c, b]
                here[c, b] = values[t + 1, c, b] + precision * misfit * misfit
            for b in range(n_b):
                best = here[c, b] + move[0]
                if b > 0:
                    best = min(best, here[c, b - 1] + move[1])
                if b < n_b - 1:
                    best = min(best, here[c, b + 1] + move[1])
                moved[c, b] = best
        for c in range(n_c):
            for b in range(n_b):
                best = np.inf
                for s in range(n_s):
                    if spike[c, s] < np.inf:
                        k, w = place[c, s], share[c, s]
                        best = min(best, spike[c, s] + (1 - w) * moved[k, b] + w * moved[k + 1, b])
                values[t, c, b] = best
    return values


@njit(cache=True)
def forward(trace, values, mean, precision, calcium, keep, unit, spike, move, now, base, counts, level, at):
    """Follow the least cost through a stretch of frames, calcium being a number and not a point of the grid.

    Parameters
    ----------
    trace, mean, precision, move
        As for :func:`backward`, whose result is ``values``.
    calcium : ndarray, shape (n_calcium,)
        Grid.
    keep, unit : float
        Share of calcium left after a frame, and what a spike adds.
    spike : ndarray, shape (n_spikes + 1,)
        Cost of spikes.
    now, base : float, int
        Calcium and baseline (its point) of the frame before.
    counts, level, at : ndarray, shape (n_frames,)
        Filled in: spikes, calcium and baseline of each frame.

    Returns
    -------
    now, base
        Of the last frame.
    """
    n_c, n_b = mean.shape
    for t in range(len(trace)):
        best, best_s, best_b = np.inf, 0, base
        k = 0
        for s in range(len(spike)):
            c = keep * now + unit * s
            if s > 0 and c > calcium[n_c - 1]:
                break
            while k < n_c - 2 and calcium[k + 1] <= c:
                k += 1
            w = min(max((c - calcium[k]) / (calcium[k + 1] - calcium[k]), 0.0), 1.0)
            for b in range(max(base - 1, 0), min(base + 2, n_b)):
                misfit = trace[t] - (1 - w) * mean[k, b] - w * mean[k + 1, b]
                cost = spike[s] + move[0 if b == base else 1] + precision * misfit * misfit
                cost += (1 - w) * values[t + 1, k, b] + w * values[t + 1, k + 1, b]
                if cost < best:
                    best, best_s, best_b = cost, s, b
        now, base = keep * now + unit * best_s, best_b
        counts[t], level[t], at[t] = best_s, now, base
    return now, base
