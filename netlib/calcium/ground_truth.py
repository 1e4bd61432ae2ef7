"""Real cells imaged and recorded electrically at once: how well spikes explain fluorescence, and what limits it.

The reader is of the public ``CAttached`` files, the format of the collection of ground truth for spike inference of
Rupprecht et al. 2021 (Nat Neurosci 24:1324, doi:10.1038/s41593-021-00895-5), which gathers data of many laboratories:
cite the original data.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_number
from netlib.calcium.baselines import noise_level, running_baseline
from netlib.calcium.indicators import GCAMP6F, INDICATORS, Indicator, calcium_trace, noise_sd
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.stimulus import Blank

__all__ = ["JointRecording", "forward_fit", "load_joint_recordings"]


#: Fields of each struct: frame times (s), dF/F, action potentials (1e-4 s).
FIELDS = ("fluo_time", "fluo_mean", "events_AP")


@dataclass(frozen=True, eq=False)
class JointRecording:
    """dF/F and spikes of one real cell.

    Attributes
    ----------
    name : str
        File and, where it holds several, number of the struct in it.
    times : ndarray, shape (n_frames,)
        Frame times (ms), increasing.
    dff : ndarray, shape (n_frames,)
        dF/F (1 = 100 %), without NaN.
    spikes : ndarray, shape (n_spikes,)
        Times of the action potentials (ms), in order.
    indicator : Indicator or None
        Preset named in the file's name.
    missing : float
        Share of frames that were left out or filled in.

    Examples
    --------
    >>> cell = JointRecording("one", np.arange(100) * 10.0, np.zeros(100), np.array([105.0, 500.0]))
    >>> round(cell.rate), len(cell.resample(20.0).times), np.flatnonzero(cell.resample(20.0).counts()).tolist()
    (100, 20, [2, 10])
    """

    name: str
    times: np.ndarray
    dff: np.ndarray
    spikes: np.ndarray
    indicator: Indicator | None = None
    missing: float = 0.0

    def __post_init__(self) -> None:
        check_array("times", self.times, "ms", ndim=1)
        check_array("dff", self.dff, "dF/F", ndim=1)
        if len(self.times) != len(self.dff) or len(self.times) < 2:
            raise ValueError(
                f"times has {len(self.times)} values, dff {len(self.dff)}: they must be equal, and at least 2"
            )
        if (np.diff(self.times) <= 0).any():
            raise ValueError("times does not increase: frames must be in order")

    @property
    def rate(self) -> float:
        """Frame rate (Hz), from the median interval."""
        return 1000.0 / float(np.median(np.diff(self.times)))

    def resample(self, rate: float = 30.0) -> JointRecording:
        """Cell at regular frames of another rate (Hz), as a slower microscope would see it.

        A frame is the mean of the original frames that fall into it, its time the middle; empty ones are interpolated
        (and counted in ``missing``). At more than half of the original rate frames are interpolated instead.
        """
        step = 1000.0 / check_number("rate", rate, "Hz", 0, low_open=True)
        own = 1000.0 / self.rate
        first = self.times[0] - own / 2
        n_frames = int((self.times[-1] + own / 2 - first) / step + 1e-9)
        if n_frames < 2:
            raise ValueError(f"rate = {rate:g} Hz gives {n_frames} frames of a recording of {np.ptp(self.times):g} ms")
        times = first + (np.arange(n_frames) + 0.5) * step
        if rate > self.rate / 2:
            return dataclasses.replace(self, times=times, dff=np.interp(times, self.times, self.dff))
        frame = ((self.times - first) / step).astype(int)
        inside = frame < n_frames
        number = np.bincount(frame[inside], minlength=n_frames)
        total = np.bincount(frame[inside], self.dff[inside], minlength=n_frames)
        seen = number > 0
        values = np.interp(times, times[seen], total[seen] / number[seen])
        return dataclasses.replace(self, times=times, dff=values, missing=max(self.missing, float(np.mean(~seen))))

    def counts(self) -> np.ndarray:
        """Action potentials in each frame, frames being centred on their times."""
        edges = np.concatenate([[-np.inf], (self.times[1:] + self.times[:-1]) / 2, [np.inf]])
        half = 500.0 / self.rate
        edges[0], edges[-1] = self.times[0] - half, self.times[-1] + half
        return np.histogram(self.spikes, edges)[0]

    def recording(self) -> Recording:
        """One cell as a :class:`Recording` with the trace ``dff``, time 0 being its first frame.

        Raises
        ------
        ValueError
            If frames are not regular: :meth:`resample` first.
        """
        steps = np.diff(self.times)
        if np.ptp(steps) > 1e-3 * steps.mean():
            raise ValueError(f"{self.name} has frames {steps.min():g} to {steps.max():g} ms apart: resample it first")
        start, dt = self.times[0], float(steps.mean())
        duration = len(self.times) * dt
        spikes = self.spikes[(self.spikes >= start) & (self.spikes <= start + duration)] - start
        return Recording(
            neurons=pd.DataFrame({"population": ["E"], "orientation": [np.nan]}),
            spike_index=np.zeros(len(spikes), np.int32),
            spike_time=spikes,
            duration=duration,
            protocol=Protocol.sequence([Blank()], duration=duration),
            traces={"dff": Trace(self.dff[None], np.zeros(1, int), dt, "dF/F")},
            provenance={"source": self.name, "start": float(start)},
        )


def load_joint_recordings(path: str | os.PathLike) -> list[JointRecording]:
    """Read a ``.mat`` file with ``CAttached`` (a struct, an array or a cell of structs), or every one in a folder.

    Frames whose time is NaN, or not after the one before, are left out; dF/F that is NaN is interpolated; spikes
    that are NaN are left out.

    Parameters
    ----------
    path : path
        File, or folder with files.

    Returns
    -------
    list of JointRecording
        One for each struct, in order.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no ``.mat`` file in the folder.
    ValueError
        If a file is damaged, lacks a variable or a field, or its frames have no use.
    """
    from scipy.io import loadmat

    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.mat"))
        if not files:
            raise FileNotFoundError(f"path = {str(path)!r} holds no .mat file")
        return [cell for file in files for cell in load_joint_recordings(file)]
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r} is no file")
    try:
        content = loadmat(path)
    except Exception as error:  # the reader raises what it likes on damaged files
        raise ValueError(f"path = {str(path)!r} is not a readable MATLAB 4 to 7.2 file ({error})") from error
    if "CAttached" not in content:
        names = sorted(name for name in content if not name.startswith("__"))
        raise ValueError(f"path = {str(path)!r} has no variable 'CAttached': it has {names}")
    structs = list(_structs(content["CAttached"]))
    if not structs:
        raise ValueError(f"path = {str(path)!r}: its CAttached holds no struct")
    suffix = (lambda k: f"[{k}]") if len(structs) > 1 else (lambda k: "")
    return [_cell(path.stem + suffix(k), struct) for k, struct in enumerate(structs)]


def _structs(value: np.ndarray) -> Iterator[np.void]:
    """Every struct in arrays of structs and cells of them."""
    if isinstance(value, np.void):
        yield value
    elif isinstance(value, np.ndarray) and (value.dtype.names or value.dtype == object):
        for element in value.ravel():
            yield from _structs(element)


def _cell(name: str, struct: np.void) -> JointRecording:
    names = struct.dtype.names or ()
    missing = [field for field in FIELDS if field not in names]
    if missing:
        raise ValueError(f"{name} lacks the fields {missing}: it has {list(names)}")
    seconds, values, events = (np.asarray(struct[field], float).ravel() for field in FIELDS)
    if len(seconds) != len(values):
        raise ValueError(f"{name}: fluo_time has {len(seconds)} values and fluo_mean {len(values)}: they must be equal")
    latest = np.fmax.accumulate(np.concatenate([[-np.inf], seconds[:-1]]))
    kept = np.isfinite(seconds) & (seconds > latest)
    valid = kept & np.isfinite(values)
    if valid.sum() < 2 or valid.sum() < len(values) / 2:
        raise ValueError(f"{name}: {valid.sum()} of {len(values)} frames have a time after the last and a finite value")
    times = seconds[kept] * 1000.0
    return JointRecording(
        name=name,
        times=times,
        dff=np.interp(times, seconds[valid] * 1000.0, values[valid]),
        spikes=np.sort(events[np.isfinite(events)]) * 0.1,
        indicator=next((preset for key, preset in INDICATORS.items() if key.lower() in name.lower()), None),
        missing=1.0 - float(valid.mean()),
    )


# ---------------------------------------------------------------- forward model


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
