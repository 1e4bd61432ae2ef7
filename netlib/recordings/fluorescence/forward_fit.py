"""How well spikes explain the fluorescence of real cells, and what limits it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from netlib.recordings.fluorescence.baselines import noise_level, running_baseline
from netlib.recordings.fluorescence.calcium import GCAMP6F, Indicator, calcium_trace
from netlib.recordings.fluorescence.joint_recordings import JointRecording
from netlib.recordings.fluorescence.time_constants import noise_sd
from netlib.units import check_number

__all__ = ["forward_fit"]


def forward_fit(
    cells: JointRecording | Iterable[JointRecording],
    rate: float = 30.0,
    indicator: Indicator | None = None,
    slow: float = 20_000.0,
) -> pd.DataFrame:
    """Drive the forward model by the true spikes and compare it with the recorded dF/F, step by step.

    Each r is Pearson's between model and dF/F at ``rate``, of a model that has one freedom more:

    - ``r_preset``: the indicator as it is;
    - ``r_kinetics``: linear, its two time constants fitted;
    - ``r_power``: dF/F ∝ calcium^power as well, all three fitted: above 1 supralinear, below 1 saturating;
    - ``r_drift``: and a slow baseline, cosines of period ``slow`` and more, by linear regression;
    - ``r_spikes``: and an amplitude for each spike (non-negative least squares), on the same time constants;
    - ``r_noise``: the ceiling that white noise alone sets, sqrt(1 - noise variance / variance).

    r² rises from 0 to 1 through these; ``limit`` names the largest of the steps after ``r_preset``: "kinetics",
    "nonlinearity", "drift", "spike amplitudes", "slow fluctuations" (what is left between ``r_spikes`` and
    ``r_noise``: signal of no spike, such as neuropil or movement) or "noise".

    Parameters
    ----------
    cells : JointRecording or several
    rate : float
        Frame rate to resample to (Hz).
    indicator : Indicator, optional
        By default each cell's own, or GCaMP6f where unknown.
    slow : float
        Shortest period of the baseline (ms).

    Returns
    -------
    DataFrame
        One row per cell: ``cell``, ``indicator``, ``n_spikes``, ``noise`` (% Hz^-1/2), ``amplitude`` (dF/F that the
        linear fit gives one spike), ``rise``, ``decay`` (ms), ``power``, the six r, and ``limit``.

    Raises
    ------
    ValueError
        If a cell has no spike within its frames.

    Examples
    --------
    >>> times, spikes = np.arange(1000) * 20.0, np.arange(2000.0, 18_000.0, 4000.0)
    >>> dff = calcium_trace([spikes], rate=50.0, duration=20_000.0, indicator=GCAMP6F)[0]
    >>> table = forward_fit(JointRecording("one", times, dff, spikes))
    >>> len(table), round(float(table["r_preset"][0]), 1)
    (1, 1.0)
    """
    check_number("slow", slow, "ms", 0, low_open=True)
    cells = [cells] if isinstance(cells, JointRecording) else list(cells)
    rows = [_row(cell.resample(rate), rate, indicator or cell.indicator or GCAMP6F, slow) for cell in cells]
    return pd.DataFrame(rows)


def _row(cell: JointRecording, rate: float, preset: Indicator, slow: float) -> dict:
    spikes = cell.spikes[(cell.spikes > cell.times[0] - 5 * preset.decay) & (cell.spikes < cell.times[-1])]
    if not len(spikes):
        raise ValueError(f"{cell.name} has no spike within its frames: the forward model has nothing to show")
    dff, frame = cell.dff, 1000.0 / rate
    # A frame's time is the middle of its exposure.
    ends = cell.times + frame / 2

    def model(kind: Indicator, **options) -> np.ndarray:
        return calcium_trace(spikes, ends, indicator=kind, exposure=frame, **options)

    linear = Indicator("fitted", preset.rise, preset.decay, 1.0)
    rise, decay, _ = _fit(dff, model, linear, power=False)
    kinetic = dataclasses.replace(linear, rise=rise, decay=decay)
    slope = np.polyfit(model(kinetic), dff, 1)[0]
    rise, decay, power = _fit(dff, model, kinetic, power=True)
    curved = dataclasses.replace(linear, rise=rise, decay=decay)
    trace = model(curved) ** power
    basis = _slow_basis(cell.times, slow)
    r = {
        "r_preset": _r(model(preset), dff),
        "r_kinetics": _r(model(kinetic), dff),
        "r_power": _r(trace, dff),
        "r_drift": _multiple_r(np.column_stack([trace, basis]), dff),
        "r_spikes": _spike_r(spikes, ends, frame, curved, basis, dff),
        "r_noise": math.sqrt(max(1.0 - noise_sd(dff) ** 2 / dff.var(), 0.0)),
    }
    names = ["kinetics", "nonlinearity", "drift", "spike amplitudes", "slow fluctuations", "noise"]
    steps = np.diff([max(value, 0.0) ** 2 for value in r.values()] + [1.0])
    return {
        "cell": cell.name,
        "indicator": preset.name,
        "n_spikes": len(spikes),
        "noise": noise_level(dff - running_baseline(dff, rate), rate),
        "amplitude": float(slope),
        "rise": kinetic.rise,
        "decay": kinetic.decay,
        "power": power,
        **r,
        "limit": names[int(np.argmax(steps))],
    }


def _fit(dff: np.ndarray, model, start: Indicator, power: bool) -> tuple[float, float, float]:
    """Rise and decay (ms) and power of best correlation, by Nelder and Mead's simplex on their logarithms."""
    from scipy.optimize import minimize

    def unpack(x: np.ndarray) -> tuple[float, float, float]:
        decay = float(np.clip(math.exp(x[0]), 20.0, 10_000.0))
        rise = float(np.clip(math.exp(x[1]), 0.1, 0.9 * decay))
        return rise, decay, float(np.clip(math.exp(x[2]), 0.2, 5.0)) if power else 1.0

    def loss(x: np.ndarray) -> float:
        rise, decay, exponent = unpack(x)
        return -_r(model(dataclasses.replace(start, rise=rise, decay=decay)) ** exponent, dff)

    x = np.log([start.decay, start.rise, 1.0])[: 3 if power else 2]
    return unpack(minimize(loss, x, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6}).x)


def _r(model: np.ndarray, dff: np.ndarray) -> float:
    return float(np.corrcoef(model, dff)[0, 1])


def _slow_basis(times: np.ndarray, slow: float) -> np.ndarray:
    """Constant and cosines over the recording, of period ``slow`` at least."""
    phase = np.pi * (times - times[0]) / max(np.ptp(times), 1e-9)
    return np.cos(np.outer(phase, np.arange(int(2 * np.ptp(times) / slow) + 1)))


def _multiple_r(columns: np.ndarray, dff: np.ndarray) -> float:
    coefficients = np.linalg.lstsq(columns, dff)[0]
    return _r(columns @ coefficients, dff)


def _spike_r(
    spikes: np.ndarray, ends: np.ndarray, frame: float, kind: Indicator, basis: np.ndarray, dff: np.ndarray
) -> float:
    """Correlation when each spike has its own amplitude; the baseline is taken out of both sides first."""
    from scipy.optimize import nnls

    kernels = calcium_trace([[t] for t in spikes], ends, indicator=kind, exposure=frame).T
    q = np.linalg.qr(basis)[0]
    flat, columns = dff - q @ (q.T @ dff), kernels - q @ (q.T @ kernels)
    # Through the triangular factor, which is as small as the number of spikes.
    rotation, small = np.linalg.qr(columns)
    amplitudes = nnls(small, rotation.T @ flat, maxiter=50 * len(spikes))[0]
    fitted = kernels @ amplitudes
    return _r(fitted + q @ (q.T @ (dff - fitted)), dff)
