"""One object for what was recorded, from a simulated network or a real one: spikes, traces, protocol, provenance.

:func:`record_ring` records a simulated network while a protocol is shown to it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_choice, check_number, check_type
from netlib.base.provenance import atomic_write, jsonable
from netlib.networks.weights import Weights
from netlib.stimuli.protocol import Protocol

__all__ = ["Recording", "Trace"]

#: Arrays of which :class:`~netlib.networks.weights.Weights` are made.
PARTS = ("pre", "post", "delay", "times", "values")


@dataclass(frozen=True, eq=False)
class Trace:
    """A quantity sampled at regular times in some of the cells.

    Attributes
    ----------
    values : ndarray, shape (n_cells, n_samples)
        Samples, the first at time 0.
    cells : ndarray of int, shape (n_cells,)
        Row of each cell in ``Recording.neurons``.
    dt : float
        Sampling interval (ms).
    unit : str
        Unit of the values.

    Examples
    --------
    >>> trace = Trace(np.zeros((2, 3)), np.array([0, 4]), dt=0.5, unit="mV")
    >>> trace.times.tolist()
    [0.0, 0.5, 1.0]
    """

    values: np.ndarray
    cells: np.ndarray
    dt: float
    unit: str

    def __post_init__(self) -> None:
        check_number("dt", self.dt, "ms", 0, low_open=True)
        if self.values.ndim != 2 or len(self.values) != len(self.cells):
            raise ValueError(
                f"values has shape {self.values.shape}: it must be (n_cells, n_samples) with "
                f"n_cells = {len(self.cells)}, the length of cells"
            )

    @property
    def times(self) -> np.ndarray:
        """Time of each sample (ms)."""
        return np.arange(self.values.shape[1]) * self.dt


@dataclass(frozen=True, eq=False)
class Recording:
    """Spikes and traces of a set of units while a protocol was shown.

    Attributes
    ----------
    neurons : DataFrame
        One row per unit; columns ``population`` ("input", "E", "I"...) and ``orientation`` (deg; for a
        simulated cell its place on the ring, NaN where unknown).
    spike_index, spike_time : ndarray, shape (n_spikes,)
        Unit and time (ms) of each spike, in order of time.
    duration : float
        Length of the recording (ms).
    protocol : Protocol
        What was shown when.
    traces : dict of Trace
        Sampled quantities by name, such as ``"v"`` (mV).
    provenance : dict
        Parameters, seed, versions, platform, wall time.
    weights : dict of Weights
        Synaptic weights in time, by projection, where they were plastic.

    Examples
    --------
    >>> from netlib.stimuli import Grating
    >>> protocol = Protocol.sequence([Grating(0.0), Grating(90.0)], duration=100.0)
    >>> cells = pd.DataFrame({"population": ["E", "I"], "orientation": [0.0, 90.0]})
    >>> recording = Recording(cells, np.array([0, 0, 1]), np.array([5.0, 50.0, 150.0]), 200.0, protocol)
    >>> recording.counts().tolist(), recording.rates().tolist(), recording.population("I").counts().tolist()
    ([[2, 0], [0, 1]], [10.0, 5.0], [[0, 1]])
    """

    neurons: pd.DataFrame
    spike_index: np.ndarray
    spike_time: np.ndarray
    duration: float
    protocol: Protocol
    traces: dict[str, Trace] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_type("neurons", self.neurons, pd.DataFrame)
        check_type("protocol", self.protocol, Protocol)
        check_number("duration", self.duration, "ms", 0, low_open=True)
        missing = {"population", "orientation"} - set(self.neurons.columns)
        if missing:
            raise ValueError(
                f"neurons lacks the columns {sorted(missing)}: it must have 'population' and 'orientation'"
            )
        if len(self.spike_index) != len(self.spike_time):
            raise ValueError(
                f"spike_index has {len(self.spike_index)} values and spike_time {len(self.spike_time)}: "
                "each spike needs one of both"
            )
        if len(self.spike_index):
            check_array("spike_index", self.spike_index, "", 0, len(self.neurons) - 1, ndim=1)
            check_array("spike_time", self.spike_time, "ms", 0, self.duration, ndim=1)
            if (np.diff(self.spike_time) < 0).any():
                raise ValueError("spike_time is not in order: spikes must be sorted by time")

    def __len__(self) -> int:
        return len(self.neurons)

    @property
    def populations(self) -> list[str]:
        """Names of the populations, in order of appearance."""
        return list(dict.fromkeys(self.neurons["population"]))

    def population(self, name: str) -> Recording:
        """Recording of one population alone, its units renumbered from 0.

        Raises
        ------
        ValueError
            If no unit belongs to it.
        """
        check_choice("population", name, self.populations)
        return self.select((self.neurons["population"] == name).to_numpy())

    def select(self, keep: np.ndarray) -> Recording:
        """Recording of the units where the boolean array ``keep`` (n_units,) is true, renumbered from 0."""
        renumber = np.cumsum(keep) - 1
        spikes = keep[self.spike_index]
        traces = {}
        for name, trace in self.traces.items():
            rows = keep[trace.cells]
            if rows.any():
                traces[name] = Trace(trace.values[rows], renumber[trace.cells[rows]], trace.dt, trace.unit)
        return dataclasses.replace(
            self,
            neurons=self.neurons[keep].reset_index(drop=True),
            spike_index=renumber[self.spike_index[spikes]].astype(np.int32),
            spike_time=self.spike_time[spikes],
            traces=traces,
        )

    def counts(self, windows: np.ndarray | None = None) -> np.ndarray:
        """Spike counts in half-open windows.

        Parameters
        ----------
        windows : array_like, shape (n_windows, 2), optional
            Start and end (ms) of each; by default the presentations of the protocol.

        Returns
        -------
        ndarray of int, shape (n_units, n_windows)
        """
        windows = self.protocol.windows() if windows is None else check_array("windows", windows, "ms", ndim=2)
        edges = np.searchsorted(self.spike_time, windows, side="left")
        counts = np.empty((len(self), len(windows)), dtype=np.int64)
        for k, (start, stop) in enumerate(edges):
            counts[:, k] = np.bincount(self.spike_index[start:stop], minlength=len(self))
        return counts

    def rates(self) -> np.ndarray:
        """Mean rate of each unit over the whole recording (Hz), shape (n_units,)."""
        return np.bincount(self.spike_index, minlength=len(self)) / self.duration * 1000.0

    def save(self, path: str | os.PathLike) -> Path:
        """Write everything to one ``.npz`` file, atomically; :meth:`load` reads it back."""
        header = {
            "neurons": self.neurons.to_dict("list"),
            "duration": self.duration,
            "protocol": self.protocol.table.to_dict("list"),
            "protocol_duration": self.protocol.duration,
            "provenance": jsonable(self.provenance),
            "traces": {name: {"dt": t.dt, "unit": t.unit} for name, t in self.traces.items()},
            "weights": {name: w.w_max for name, w in self.weights.items()},
        }
        arrays: dict[str, Any] = {f"trace_{name}": t.values for name, t in self.traces.items()}
        arrays |= {f"cells_{name}": t.cells for name, t in self.traces.items()}
        arrays |= {f"weights_{name}_{part}": getattr(w, part) for name, w in self.weights.items() for part in PARTS}
        text = json.dumps(jsonable(header))

        def write(file: Any) -> None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, header=text, spike_index=self.spike_index, spike_time=self.spike_time, **arrays)
            file.write(buffer.getbuffer())

        return atomic_write(path, write)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Recording:
        """Read a recording written by :meth:`save`.

        Raises
        ------
        ValueError
            If the file is not such a recording, or is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = dict(data)
            header = json.loads(str(arrays.pop("header")))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            if not Path(path).exists():
                raise
            raise ValueError(f"path = {str(path)!r} is not a whole recording ({error}): save it again") from error
        neurons = pd.DataFrame(header["neurons"])
        neurons["orientation"] = neurons["orientation"].astype(float)
        return cls(
            neurons=neurons,
            spike_index=arrays["spike_index"],
            spike_time=arrays["spike_time"],
            duration=header["duration"],
            protocol=Protocol.from_table(pd.DataFrame(header["protocol"]), header["protocol_duration"]),
            traces={
                name: Trace(arrays[f"trace_{name}"], arrays[f"cells_{name}"], **facts)
                for name, facts in header["traces"].items()
            },
            provenance=header["provenance"],
            weights={
                name: Weights(**{part: arrays[f"weights_{name}_{part}"] for part in PARTS}, w_max=float(w_max))
                for name, w_max in header.get("weights", {}).items()
            },
        )
