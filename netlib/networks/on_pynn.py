"""A ring network in PyNN: populations, projections, what is recorded, and access to it while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from netlib.networks.bulk import bulk_connector, pynn_connector
from netlib.networks.differences import run_slices, sampling_step, set_solver, source_times
from netlib.networks.drive import SpikeDrive
from netlib.networks.kernels import connection_mask
from netlib.networks.parameters import Connection, RingParameters
from netlib.networks.readout import spikes_of, traces_of
from netlib.networks.simulator import run_to
from netlib.networks.synapses import delay_array, weight_array
from netlib.networks.weights import SimulatorWeights
from netlib.seeds import stream

__all__ = ["PyNNRing"]


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

    def weights(self, projection: str) -> SimulatorWeights:
        """Access to the weights of a projection."""
        return SimulatorWeights(self.sim, self.projections[projection])

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
