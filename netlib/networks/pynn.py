"""A ring network in PyNN: built, run, and read as flat arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from netlib.base.seeds import stream
from netlib.networks.bulk import bulk_connector, pynn_connector
from netlib.networks.drive import SpikeDrive
from netlib.networks.kernels import connection_mask
from netlib.networks.parameters import Connection, RingParameters
from netlib.networks.simulators import run_slices, run_to, sampling_step, set_solver, source_times
from netlib.networks.synapses import delay_array, weight_array

__all__ = ["PyNNRing", "PyNNWeights", "spikes_of", "traces_of"]


class PyNNRing:
    """A network and its state in a PyNN simulator that has been set up.

    Parameters
    ----------
    sim : module
        The simulator.
    parameters : RingParameters
        The network.
    drive : SpikeDrive
        Spikes of the input, on the time grid.
    seed : int
        Master seed of topology, delays and initial potentials.
    recorded : dict
        Cells of each population whose potential is kept.
    sampling : float
        Interval between samples (ms).
    connector : {"bulk", "pynn"}
        How synapses are made.
    """

    def __init__(
        self,
        sim: Any,
        parameters: RingParameters,
        drive: SpikeDrive,
        seed: int,
        recorded: dict[str, np.ndarray],
        sampling: float,
        connector: str = "bulk",
    ) -> None:
        self.sim, self.recorded, self.sampling, self.duration = sim, recorded, sampling, drive.duration
        self.slices = run_slices(sim)
        self.populations = _populations(sim, parameters, drive, seed)
        self.projections = {
            name: _project(sim, parameters, name, connection, self.populations, seed, connector)
            for name, connection in parameters.projections().items()
        }
        for name in parameters.populations:
            self.populations[name].record("spikes")
        for name, cells in recorded.items():
            interval = sampling_step(sim, sampling, parameters.timestep)
            self.populations[name][cells].record("v", sampling_interval=interval)

    def size(self, population: str) -> int:
        """Number of cells."""
        return self.populations[population].size

    def weights(self, projection: str) -> PyNNWeights:
        """Access to the weights of a projection."""
        return PyNNWeights(self.sim, self.projections[projection])

    def run_to(self, now: float, end: float) -> None:
        """Advance from time ``now``, where the last call left it, to time ``end`` (ms)."""
        run_to(self.sim, now, end)

    def spikes(self, population: str, end: float, since: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of a population from ``since`` to ``end`` (ms): (cell, time in ms), by time, then by cell."""
        return spikes_of(self.sim, self.populations[population], end, since)

    def potentials(self) -> dict[str, np.ndarray]:
        """Sampled potentials (mV) of each population, shape (n_cells, n_samples)."""
        return {
            name: traces_of(self.sim, self.populations[name], cells, self.sampling, self.duration)
            for name, cells in self.recorded.items()
        }


def _populations(sim: Any, parameters: RingParameters, drive: SpikeDrive, seed: int) -> dict[str, Any]:
    from pyNN.parameters import Sequence

    trains = [Sequence(source_times(sim, train, parameters.timestep)) for train in drive.by_cell()]
    made = {"input": sim.Population(drive.n_cells, sim.SpikeSourceArray(spike_times=trains), label="input")}
    for name in parameters.populations:
        cell = parameters.cell(name)
        model = getattr(sim, cell.model)(**cell.pynn_parameters())
        start = stream(seed, "v_init", name).uniform(*parameters.v_init, parameters.size(name))
        made[name] = sim.Population(parameters.size(name), model, initial_values={"v": start}, label=name)
        set_solver(sim, made[name], cell)
    return made


def _project(
    sim: Any,
    parameters: RingParameters,
    name: str,
    connection: Connection,
    populations: dict[str, Any],
    seed: int,
    connector: str,
) -> Any:
    source, target = name.split("_to_")
    n_pre, n_post = parameters.size(source), parameters.size(target)
    allowed = connection.self_connections or source != target
    mask = connection_mask(connection.kernel, n_pre, n_post, seed, name, allowed)
    inhibitory = source.startswith("I")  # "I", "I2"...; the input is "input"
    weight = weight_array(connection, n_pre, n_post)
    if inhibitory and not parameters.cell(target).conductance_based:
        weight = weight * -1.0  # PyNN wants the sign of a current, not of a conductance
    make = bulk_connector if connector == "bulk" else pynn_connector
    return sim.Projection(
        populations[source],
        populations[target],
        make(sim, mask),
        sim.StaticSynapse(
            weight=weight, delay=delay_array(connection.delay, n_pre, n_post, seed, name, parameters.timestep)
        ),
        receptor_type="inhibitory" if inhibitory else "excitatory",
        label=name,
    )


class PyNNWeights:
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

    def refreshed(self) -> PyNNWeights:
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


def spikes_of(sim: Any, population: Any, duration: float, since: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of a population.

    Parameters
    ----------
    sim : module
        The PyNN simulator that runs it.
    population : pyNN.Population
        Its spikes were recorded.
    duration : float
        Later spikes are left out (ms): NEST runs a little longer than asked.
    since : float
        Earlier spikes are left out (ms).

    Returns
    -------
    index, time : ndarray, shape (n_spikes,)
        Cell and time (ms) of each, sorted by time, then by cell.
    """
    if sim.__name__ == "pyNN.nest":
        events = population.recorder._spike_detector.device.events
        first = int(population.all_cells[0])
        index, time = np.asarray(events["senders"]) - first, np.asarray(events["times"])
    else:
        trains = population.get_data("spikes").segments[0].spiketrains
        index = np.concatenate([np.full(len(t), t.annotations["source_index"]) for t in trains] or [np.empty(0)])
        time = np.concatenate([t.rescale("ms").magnitude for t in trains] or [np.empty(0)])
        if sim.__name__ == "pyNN.brian2":  # dates a spike by the start of its step, the others by the end
            time = time + sim.get_time_step()
    if since > 0:
        late = time >= since - 1e-6
        index, time = index[late], time[late]
    index, time = index.astype(np.int32), np.round(time.astype(float), 6)
    keep = time <= duration
    order = np.lexsort((index[keep], time[keep]))
    return index[keep][order], time[keep][order]


def traces_of(sim: Any, population: Any, cells: np.ndarray, sampling: float, duration: float) -> np.ndarray:
    """Membrane potentials of some cells (mV), shape (n_cells, n_samples), the first sample at time 0."""
    n_samples = int(np.floor(duration / sampling + 1e-9)) + 1
    if sim.__name__ != "pyNN.nest":
        signal = population[cells].get_data("v").segments[0].filter(name="v")[0]
        every = round(sampling / float(signal.sampling_period.rescale("ms")))
        values = np.asarray(signal.magnitude)[::every].T[:, :n_samples].astype(np.float32)
        if sim.__name__ == "pyNN.neuron" and (n_samples - 1) * sampling > duration - 1e-6:
            # Rounding makes NEURON stop before it samples the end, and PyNN repeats the sample before.
            values[:, -1] = [cell._cell.seg.v for cell in population[cells]]
        return values
    events = population.recorder._multimeter.device.events
    row = np.searchsorted(np.asarray(population.all_cells[cells], np.int64), np.asarray(events["senders"]))
    column = np.round(np.asarray(events["times"]) / sampling).astype(int)
    values = np.full((len(cells), n_samples), np.nan, dtype=np.float32)
    keep = column < n_samples
    values[row[keep], column[keep]] = np.asarray(events["V_m"])[keep]
    values[:, 0] = np.atleast_1d(population.initial_values["v"].evaluate())[cells]  # a number where there is one cell
    return values
