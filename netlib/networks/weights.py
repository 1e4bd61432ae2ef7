"""Weights of a projection: as a record in time, and read from and written to a running simulator."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from netlib.base.checks import check_number
from netlib.base.seeds import stream

__all__ = ["SimulatorWeights", "Weights"]


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the synapses of a projection at some times.

    Attributes
    ----------
    pre, post : ndarray of int, shape (n_synapses,)
        Cells each synapse connects, in order of ``pre``, then ``post``.
    delay : ndarray, shape (n_synapses,)
        Delays (ms).
    times : ndarray, shape (n_times,)
        Times (ms), in order.
    values : ndarray, shape (n_times, n_synapses)
        Magnitudes of the weights (uS or nA).
    w_max : float
        Upper bound (uS or nA); infinite where the projection is static.

    Examples
    --------
    >>> cells, times = np.array([0, 1]), np.array([0.0, 100.0])
    >>> weights = Weights(cells, cells, np.ones(2), times, np.array([[0.1, 0.1], [0.1, 0.15]]), w_max=0.2)
    >>> weights.at(50.0).tolist(), weights.last.tolist()
    ([0.1, 0.1], [0.1, 0.15])
    """

    pre: np.ndarray
    post: np.ndarray
    delay: np.ndarray
    times: np.ndarray
    values: np.ndarray
    w_max: float = np.inf

    def __post_init__(self) -> None:
        n = len(self.pre)
        if not (len(self.post) == len(self.delay) == n and self.values.shape == (len(self.times), n)):
            raise ValueError(
                f"values has shape {self.values.shape}: it must be (n_times, n_synapses) = ({len(self.times)}, {n}), "
                f"and pre, post and delay ({len(self.post)}, {len(self.delay)}) one value per synapse"
            )

    def __len__(self) -> int:
        return len(self.pre)

    @property
    def last(self) -> np.ndarray:
        """Weights at the last time, shape (n_synapses,)."""
        return self.values[-1]

    def at(self, time: float) -> np.ndarray:
        """Weights at the last recorded time that is not after ``time`` (ms), shape (n_synapses,)."""
        check_number("time", time, "ms", float(self.times[0]))
        return self.values[np.searchsorted(self.times, time + 1e-6) - 1]

    def shuffled(self, seed: int) -> Weights:
        """The last weights dealt anew among the synapses: the same distribution without its structure."""
        order = stream(seed, "shuffled weights").permutation(len(self))
        return dataclasses.replace(self, times=self.times[-1:], values=self.values[-1:, order])


class SimulatorWeights:
    """Access to the weights of a PyNN projection as flat magnitudes, in order of ``pre``, then ``post``.

    On NEST all weights are read or set in one call; elsewhere PyNN's ``projection.get`` and ``set`` do it.

    Attributes
    ----------
    pre, post : ndarray of int, shape (n_synapses,)
        Cells each synapse connects.
    """

    def __init__(self, sim: Any, projection: Any) -> None:
        self.sim, self.projection = sim, projection
        inhibitory = projection.receptor_type == "inhibitory"
        self.sign = -1.0 if inhibitory and not projection.post.conductance_based else 1.0
        if sim.__name__ == "pyNN.nest":
            self.sign = 1000.0 * (-1.0 if inhibitory else 1.0)  # NEST's unit (nS or pA) and sign
            self.handle = self._connections()
            pre, post = (
                np.asarray(cells, dtype=np.int64) - int(population.all_cells[0])
                for cells, population in (
                    (list(self.handle.sources()), projection.pre),
                    (list(self.handle.targets()), projection.post),
                )
            )
        else:
            pre, post, _ = self._listed("weight")
        self.order = np.lexsort((post, pre))
        self.pre, self.post = pre[self.order], post[self.order]

    def refreshed(self) -> SimulatorWeights:
        """The same after the simulator may have renumbered its connections, as NEST does at its first step."""
        fresh = type(self)(self.sim, self.projection)
        if not (np.array_equal(fresh.pre, self.pre) and np.array_equal(fresh.post, self.post)):
            raise RuntimeError(f"the synapses of {self.projection.label} changed during the simulation")
        return fresh

    def get(self) -> np.ndarray:
        """Weights, shape (n_synapses,) (uS or nA)."""
        return self._read("weight") / self.sign

    def delays(self) -> np.ndarray:
        """Delays, shape (n_synapses,) (ms)."""
        return np.round(self._read("delay"), 9)

    def set(self, values: np.ndarray) -> None:
        """Set all weights (uS or nA), shape (n_synapses,)."""
        if self.sim.__name__ == "pyNN.nest":
            native = np.empty(len(values))
            native[self.order] = values * self.sign
            self.handle.set([{"weight": value} for value in native.tolist()])  # faster than weight=native
            return
        matrix = np.zeros((self.projection.pre.size, self.projection.post.size))
        matrix[self.pre, self.post] = values * self.sign
        self.projection.set(weight=matrix)

    def _read(self, name: str) -> np.ndarray:
        if self.sim.__name__ == "pyNN.nest":
            return np.atleast_1d(np.asarray(self.handle.get(name), dtype=float))[self.order]
        return self._listed(name)[2][self.order]

    def _listed(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        table = np.asarray(self.projection.get([name], "list"), dtype=float).reshape(-1, 3)
        return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]

    def _connections(self) -> Any:
        import nest

        return nest.GetConnections(
            nest.NodeCollection(sorted(self.projection._sources)),
            synapse_model=self.projection.nest_synapse_model,
            synapse_label=self.projection.nest_synapse_label,
        )
