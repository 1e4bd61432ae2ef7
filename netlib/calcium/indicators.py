"""Spikes to fluorescence: what a calcium indicator makes of each action potential.

The indicator is a double exponential in calcium, then a Hill curve in fluorescence. Spike times are used as they
are, never rounded to a grid; only the result is sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.fields import Declared, number, part

__all__ = [
    "DECAYS",
    "GCAMP6F",
    "GCAMP6S",
    "INDICATORS",
    "Indicator",
    "calcium_trace",
    "indicator",
    "noise_sd",
    "time_constants",
]


@dataclass(frozen=True)
class Indicator(Declared):
    """A fluorescent calcium indicator in a cell.

    One action potential adds c(t) = [exp(-t/decay) - exp(-t/rise)] / peak, of maximum 1. The fluorescence is
    dF/F = amplitude · [H(rest + c) - H(rest)] / [H(rest + 1) - H(rest)] with the Hill curve
    H(x) = xⁿ / (xⁿ + Kⁿ): one action potential gives ``amplitude`` whatever the curve.

    Attributes
    ----------
    name : str
        What it is called.
    rise, decay : float
        Time constants (ms), rise < decay; rise = 0 gives a plain exponential.
    amplitude : float
        Peak dF/F of one action potential (1 = 100 %).
    hill : float
        Hill exponent n.
    half_saturation : float
        Half-saturation K, in calcium of one action potential (AP); infinite for a linear indicator.
    rest : float
        Calcium of the cell at rest (AP). A resting level makes the foot of the Hill curve nearly straight.

    Examples
    --------
    >>> GCAMP6F.peak_time.__round__(), GCAMP6S.peak_time.__round__()
    (45, 180)
    >>> [round(float(GCAMP6F.fluorescence(n) / GCAMP6F.amplitude), 1) for n in (1, 2, 5, 100)]
    [1.0, 2.2, 7.4, 160.8]
    """

    name: str = part(..., str)
    rise: float = number(..., "ms", 0)
    decay: float = number(..., "ms", 0, low_open=True)
    amplitude: float = number(..., "dF/F", 0, low_open=True)
    hill: float = number(1.0, "", 0, 10, low_open=True)
    half_saturation: float = number(math.inf, "AP", 0, low_open=True, finite=False)
    rest: float = number(0.0, "AP", 0)

    def check(self) -> None:
        check_number("rise", self.rise, "ms", 0, self.decay, high_open=True)

    @property
    def peak_time(self) -> float:
        """Time from the action potential to the peak of its calcium (ms)."""
        if self.rise == 0:
            return 0.0
        return self.decay * self.rise / (self.decay - self.rise) * math.log(self.decay / self.rise)

    @property
    def peak(self) -> float:
        """Maximum of exp(-t/decay) - exp(-t/rise)."""
        rising = math.exp(-self.peak_time / self.rise) if self.rise else 0.0
        return math.exp(-self.peak_time / self.decay) - rising

    def kernel(self, t: np.ndarray) -> np.ndarray:
        """Calcium (AP) at the times ``t`` (ms) after one action potential; 0 before it."""
        t = np.asarray(t, float)
        after = np.maximum(t, 0.0)
        rising = np.exp(-after / self.rise) if self.rise else 0.0
        return np.where(t >= 0, np.exp(-after / self.decay) - rising, 0.0) / self.peak

    def fluorescence(self, calcium: np.ndarray) -> np.ndarray:
        """Map calcium above rest (AP) to dF/F; below rest the curve goes on straight, with its slope up to 1 AP."""
        calcium = np.asarray(calcium, float)
        if math.isinf(self.half_saturation):
            return self.amplitude * calcium
        low, one = self._occupancy(self.rest), self._occupancy(self.rest + 1.0)
        above = (self._occupancy(self.rest + np.maximum(calcium, 0.0)) - low) / (one - low)
        return self.amplitude * np.where(calcium > 0, above, calcium)

    def calcium(self, dff: np.ndarray) -> np.ndarray:
        """Calcium above rest (AP) that gives ``dff``: the inverse of :meth:`fluorescence`.

        Above 95 % of the way to saturation, where noise would be blown up without limit, the result is cut.
        """
        dff = np.asarray(dff, float)
        if math.isinf(self.half_saturation):
            return dff / self.amplitude
        low, one = self._occupancy(self.rest), self._occupancy(self.rest + 1.0)
        bound = np.clip(low + np.maximum(dff, 0.0) / self.amplitude * (one - low), low, low + 0.95 * (1.0 - low))
        with np.errstate(divide="ignore"):
            level = self.half_saturation * np.exp(np.log(bound / (1.0 - bound)) / self.hill)
        return np.where(dff > 0, level - self.rest, dff / self.amplitude)

    def _occupancy(self, calcium: float | np.ndarray) -> np.ndarray:
        power = (np.asarray(calcium) / self.half_saturation) ** self.hill
        return power / (1.0 + power)


#: GCaMP6f in pyramidal cells of mouse V1 in vivo, one action potential: peak after 45 ms, half-decay 142 ms, 19 %
#: dF/F (Chen et al. 2013, Nature 499:295, doi:10.1038/nature12354; quoted from memory, not from the tables); the two
#: time constants are those of the double exponential with that peak and half-decay. Hill exponent 2.27, K_d 375 nM,
#: dynamic range 51.8 in vitro (same paper, from memory). With 50 nM at rest (our assumption) a step of 19 % is about
#: 11 nM, hence K = 34 AP and rest = 4.5 AP.
GCAMP6F = Indicator("GCaMP6f", rise=17.5, decay=178.0, amplitude=0.19, hill=2.27, half_saturation=34.0, rest=4.5)

#: GCaMP6s, same source: peak after 180 ms, half-decay 550 ms, 23 %; 2.90, 144 nM, 63.2 in vitro: a step of 5.2 nM.
GCAMP6S = Indicator("GCaMP6s", rise=71.0, decay=685.0, amplitude=0.23, hill=2.9, half_saturation=28.0, rest=9.6)

#: Presets by name.
INDICATORS = {preset.name: preset for preset in (GCAMP6F, GCAMP6S)}


def indicator(name: str | Indicator) -> Indicator:
    """Preset of that name, in any case; an :class:`Indicator` is returned as it is.

    Examples
    --------
    >>> indicator("gcamp6s").decay
    685.0
    """
    if isinstance(name, Indicator):
        return name
    by_lower = {key.lower(): preset for key, preset in INDICATORS.items()}
    found = by_lower.get(str(name).lower())
    return INDICATORS[check_choice("indicator", name, INDICATORS)] if found is None else found


def calcium_trace(
    spike_times: Sequence,
    times: np.ndarray | None = None,
    *,
    rate: float | None = None,
    duration: float | None = None,
    indicator: Indicator | str = GCAMP6F,
    exposure: float = 0.0,
    saturation: bool = True,
) -> np.ndarray:
    """dF/F that spikes cause, without noise, at the times of the microscope's frames.

    Two exponential filters run from frame to frame; a spike enters at the next frame with the exact decay since its
    own time, so the result is the sum of kernels to rounding error, in O(spikes + frames).

    Parameters
    ----------
    spike_times : array_like, shape (n_spikes,), or list of them
        Spike times (ms) of one cell, in any order, or one array per cell. Spikes before the first frame count.
    times : array_like, shape (n_frames,), optional
        Increasing frame times (ms). Or give ``rate`` and ``duration``.
    rate : float
        Frame rate (Hz): frames at 0, 1000/rate, ... below ``duration``.
    duration : float
        Length of the recording (ms).
    indicator : Indicator or str
        Or the name of a preset.
    exposure : float
        A frame averages calcium exactly over the ``exposure`` ms that end at its time; 0 takes the instant. (The
        saturation curve is applied to that average.)
    saturation : bool
        Apply the Hill curve; without it the result is ``amplitude`` times calcium.

    Returns
    -------
    ndarray, shape (n_frames,) for one array of spikes, else (n_cells, n_frames)

    Raises
    ------
    ValueError
        If neither or both of ``times`` and ``rate`` are given, times do not increase, or a spike time is not finite.

    Examples
    --------
    >>> calcium_trace([0.0], times=[0.0, GCAMP6S.peak_time], indicator="GCaMP6s").round(6).tolist()
    [0.0, 0.23]
    """
    preset = _named(indicator)
    frames = _frame_times(times, rate, duration)
    check_number("exposure", exposure, "ms", 0)
    cells, single = _as_cells(spike_times)
    calcium = _filtered(cells, frames, preset.decay, exposure)
    if preset.rise:
        calcium -= _filtered(cells, frames, preset.rise, exposure)
    # The difference of two sums may fall below 0 by rounding.
    calcium = np.maximum(calcium / preset.peak, 0.0)
    dff = preset.fluorescence(calcium) if saturation else preset.amplitude * calcium
    return dff[0] if single else dff


_named = indicator


def _frame_times(times: np.ndarray | None, rate: float | None, duration: float | None) -> np.ndarray:
    if (times is None) == (rate is None) or (rate is None) != (duration is None):
        raise ValueError("give either times (ms), or rate (Hz) and duration (ms)")
    if times is None:
        step = 1000.0 / check_number("rate", rate, "Hz", 0, low_open=True)
        length = check_number("duration", duration, "ms", 0, low_open=True)
        return np.arange(math.ceil(length / step - 1e-9)) * step
    frames = check_array("times", times, "ms", ndim=1)
    bad = np.flatnonzero(np.diff(frames) <= 0) + 1
    if len(bad):
        raise ValueError(f"times[{bad[0]}] = {frames[bad[0]]:g} ms is not after the frame before it")
    return frames


def _as_cells(spike_times: Sequence) -> tuple[list[np.ndarray], bool]:
    """Split into one array of finite times per cell, and whether a single cell was given."""
    single = len(spike_times) == 0 or np.ndim(spike_times[0]) == 0
    cells = [np.asarray(s, float).ravel() for s in ([spike_times] if single else spike_times)]
    for k, spikes in enumerate(cells):
        if spikes.size:
            check_array("spike_times" if single else f"spike_times[{k}]", spikes, "ms")
    return cells, single


def _filtered(cells: list[np.ndarray], frames: np.ndarray, tau: float, exposure: float) -> np.ndarray:
    """Sum over spikes of exp(-(t - spike)/tau), at each frame or averaged over the exposure before it."""
    end = _exponential(cells, frames, tau)
    if exposure == 0:
        return end
    # dx/dt = -x/tau + spikes, integrated over the exposure: mean x = tau (spikes + x before - x after) / exposure.
    start = _exponential(cells, frames - exposure, tau)
    spikes = np.array([_count(s, frames) - _count(s, frames - exposure) for s in map(np.sort, cells)])
    return tau / exposure * (spikes + start - end)


def _count(spikes: np.ndarray, until: np.ndarray) -> np.ndarray:
    return np.searchsorted(spikes, until, side="right")


def _exponential(cells: list[np.ndarray], frames: np.ndarray, tau: float) -> np.ndarray:
    from scipy.signal import lfilter

    enters = np.zeros((len(cells), len(frames)))
    for row, spikes in zip(enters, cells, strict=True):
        frame = np.searchsorted(frames, spikes, side="left")
        seen = frame < len(frames)
        frame = frame[seen]
        row += np.bincount(frame, np.exp((spikes[seen] - frames[frame]) / tau), minlength=len(frames))
    if len(frames) == 1:
        return enters
    steps = np.diff(frames)
    if np.ptp(steps) <= 1e-9 * steps[0]:
        return lfilter([1.0], [1.0, -math.exp(-(frames[-1] - frames[0]) / (len(frames) - 1) / tau)], enters, axis=1)
    for k, factor in enumerate(np.exp(-steps / tau), start=1):
        enters[:, k] += factor * enters[:, k - 1]
    return enters


# ---------------------------------------------------------------- noise and time constants of a trace


#: Decay time constants (ms) that indicators in use have in cells: an estimate outside is brought to the nearest.
DECAYS = (100.0, 3000.0)


def noise_sd(trace: np.ndarray) -> float:
    """Standard deviation of the white noise of a trace (n_frames,), from the upper half of its spectrum.

    Calcium is slow: above a quarter of the frame rate the power spectrum (Welch's, segments of 256 frames) is that of
    the noise alone, its mean 2 · variance · frame interval.

    Examples
    --------
    >>> round(noise_sd(5.0 + 0.1 * np.random.default_rng(1).standard_normal(20_000)), 2)
    0.1
    """
    from scipy.signal import welch

    values = check_array("trace", trace, ndim=1)
    frequency, power = welch(values, nperseg=min(256, len(values)))
    return math.sqrt(float(power[frequency > 0.25].mean()) / 2.0)


def time_constants(trace: np.ndarray, rate: float, order: int = 1, span: float = 500.0) -> tuple[float, float]:
    """Decay and rise time constants (ms) from the autocovariance of a trace.

    Calcium of order p driven by unrelated events has autocovariances a[k] = g₁ a[k-1] + g₂ a[k-2] (Yule and Walker).
    Solved by least squares over lags k up to ``span`` ms, from the first whose equation is free of the noise of
    single frames, which is in a[0] alone.

    Parameters
    ----------
    trace : array_like, shape (n_frames,)
    rate : float
        Frame rate (Hz).
    order : int
        1 (the rise is then 0) or 2. Where order 2 has no two real time constants, the rise is one frame.
    span : float
        Longest lag (ms).

    Returns
    -------
    decay, rise : float
        The decay is kept within :data:`DECAYS`.

    Examples
    --------
    >>> from scipy.signal import lfilter
    >>> events = np.random.default_rng(1).random(20_000) < 0.02
    >>> decay, rise = time_constants(lfilter([1.0], [1.0, -np.exp(-1000 / 30 / 500)], events), rate=30.0)
    >>> round(decay, -2), rise
    (500.0, 0.0)
    """
    values = check_array("trace", trace, ndim=1)
    frame = 1000.0 / check_number("rate", rate, "Hz", 0, low_open=True)
    check_integer("order", order, 1, 2)
    values = values - values.mean()
    n_lags = min(max(round(check_number("span", span, "ms", 0) / frame), order + 4), len(values) - 1)
    covariance = np.array([values[k:] @ values[: len(values) - k] for k in range(n_lags + 1)])
    lags = np.arange(order + 1, n_lags + 1)
    equations = np.stack([covariance[lags - p] for p in range(1, order + 1)], axis=1)
    solution = np.linalg.lstsq(equations, covariance[lags])[0]
    if order == 1:
        return _time_constant(float(solution[0]), frame), 0.0
    roots = np.roots([1.0, -solution[0], -solution[1]])
    if np.iscomplex(roots).any() or not (roots.min() > 0 and roots.max() < 1):
        return time_constants(trace, rate, 1, span)[0], min(frame, DECAYS[0] / 2)
    decay = _time_constant(float(roots.max()), frame)
    return decay, min(-frame / math.log(float(roots.min())), decay / 2)


def _time_constant(share: float, frame: float) -> float:
    if share >= 1:
        return DECAYS[1]
    return float(np.clip(-frame / math.log(share), *DECAYS)) if share > 0 else DECAYS[0]
