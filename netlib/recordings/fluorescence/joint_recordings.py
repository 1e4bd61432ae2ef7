"""Real cells imaged and recorded electrically at once: the reader of the public ``CAttached`` files.

The format is that of the collection of ground truth for spike inference of Rupprecht et al. 2021 (Nat Neurosci
24:1324, doi:10.1038/s41593-021-00895-5), which gathers data of many laboratories: cite the original data.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from netlib.recordings.fluorescence.calcium import INDICATORS, Indicator
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.base import Blank
from netlib.stimuli.protocol import Protocol
from netlib.units import check_array, check_number

__all__ = ["JointRecording", "load_joint_recordings"]

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
    missing = [field for field in FIELDS if field not in struct.dtype.names]
    if missing:
        raise ValueError(f"{name} lacks the fields {missing}: it has {list(struct.dtype.names)}")
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
