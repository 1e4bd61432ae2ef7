"""How well an inferred rate follows the true spikes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netlib.units import check_array, check_number

__all__ = ["SpikeScore", "spike_rate_correlation"]


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
