"""What a calcium trace says of its own noise and time constants."""

from __future__ import annotations

import math

import numpy as np

from netlib.units import check_array, check_integer, check_number

__all__ = ["DECAYS", "noise_sd", "time_constants"]

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
