"""Build a ring network in PyNN, run it on a drive, and bring its spikes and potentials back as flat arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from lazyarray import larray
from scipy.special import ndtr, ndtri
from tqdm.auto import tqdm

from netlib.networks.bulk import bulk_connector, pynn_connector
from netlib.networks.drive import SpikeDrive
from netlib.networks.kernels import connection_mask, pairwise
from netlib.networks.parameters import Connection, Delay, RingParameters
from netlib.networks.readout import spikes_of, traces_of
from netlib.networks.simulator import open_simulator
from netlib.seeds import child, pair_uniform, simulator_seed, stream
from netlib.units import check_choice, check_integer, check_number, check_type

__all__ = ["Activity", "delay_array", "run_ring", "weight_array"]


@dataclass(frozen=True, eq=False)
class Activity:
    """What the cells of a ring did.

    Attributes
    ----------
    spikes : dict
        For "input" and each population ("E", "I"): (index, time in ms), in order of time.
    potentials : dict
        For each population where recorded: (cells, values of shape (n_cells, n_samples) in mV).
    sampling : float
        Interval between samples (ms), the first at time 0.
    duration : float
        Length (ms).
    build_time, run_time : float
        Wall time of the construction and of the simulation (s).
    """

    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    potentials: dict[str, tuple[np.ndarray, np.ndarray]]
    sampling: float
    duration: float
    build_time: float
    run_time: float


def weight_array(connection: Connection, n_pre: int, n_post: int) -> float | larray:
    """Magnitude of the weights of a projection: one number, or a lazy array (n_pre, n_post)."""
    factor = connection.kernel.factor(n_pre, n_post)
    return connection.weight if factor is None else factor * connection.weight


def delay_array(delay: Delay, n_pre: int, n_post: int, seed: int, name: str, timestep: float) -> float | larray:
    """Delays of a projection (ms), rounded to time steps: one number, or a lazy array (n_pre, n_post)."""
    if delay.sd == 0:
        return delay.mean
    key = int(child(seed, "delays", name).generate_state(1, np.uint64)[0])
    low, high = (ndtr((bound - delay.mean) / delay.sd) for bound in delay.bounds)

    def drawn(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        values = delay.mean + delay.sd * ndtri(low + (high - low) * pair_uniform(key, i, j))
        return np.clip(np.round(values / timestep), *np.round(np.array(delay.bounds) / timestep)) * timestep

    return pairwise(drawn, n_pre, n_post)


def run_ring(
    parameters: RingParameters,
    drive: SpikeDrive,
    seed: int,
    *,
    backend: str = "nest",
    connector: str = "bulk",
    record_v: int = 0,
    sampling: float = 1.0,
    threads: int = 1,
    progress: bool | None = False,
) -> Activity:
    """Build a ring, play a drive to it, and return its activity.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    drive : SpikeDrive
        Spikes of the ``n_input`` input cells; its duration is that of the simulation.
    seed : int
        Master seed; streams: topology, delays and initial potentials.
    backend : {"nest", "brian2", "neuron"}
        PyNN simulator.
    connector : {"bulk", "pynn"}
        How synapses are made: in blocks, or PyNN's own way (the same synapses, slower).
    record_v : int
        Number of cells of each population, evenly spaced, whose potential is sampled.
    sampling : float
        Interval between samples of potential (ms).
    threads : int
        Threads of NEST.
    progress : bool or None
        Show a progress bar; None shows it on a terminal only.

    Returns
    -------
    Activity

    Raises
    ------
    ValueError
        If a parameter is out of range or the drive does not fit the network.
    ImportError
        If the simulator cannot be loaded.
    """
    check_type("parameters", parameters, RingParameters)
    check_type("drive", drive, SpikeDrive)
    check_choice("connector", connector, ("bulk", "pynn"))
    check_integer("record_v", record_v, 0, unit="cells")
    check_number("sampling", sampling, "ms", parameters.timestep)
    if drive.n_cells != parameters.n_input:
        raise ValueError(f"drive has {drive.n_cells} cells: it must have n_input = {parameters.n_input} cells")
    started = time.perf_counter()
    low, high = parameters.delay_bounds()
    frozen = drive.on_grid(parameters.timestep, low + parameters.timestep)
    with open_simulator(
        backend,
        timestep=parameters.timestep,
        min_delay=low,
        max_delay=max(high, low),
        threads=threads,
        seed=simulator_seed(seed, "simulator"),
    ) as sim:
        populations = _populations(sim, parameters, frozen, seed)
        projections = [  # noqa: F841  PyNN's projections must outlive the run
            _project(sim, parameters, name, connection, populations, seed, connector)
            for name, connection in parameters.projections().items()
        ]
        recorded = {p: _record(populations[p], record_v, sampling) for p in parameters.populations}
        built = time.perf_counter()
        _run(sim, drive.duration, progress)
        ran = time.perf_counter()
        spikes = {p: spikes_of(sim, populations[p], drive.duration) for p in parameters.populations}
        potentials = {
            p: (cells, traces_of(sim, populations[p], cells, sampling, drive.duration))
            for p, cells in recorded.items()
            if len(cells)
        }
    spikes = {"input": (frozen.index, frozen.time), **spikes}
    return Activity(spikes, potentials, sampling, drive.duration, built - started, ran - built)


def _populations(sim: Any, parameters: RingParameters, drive: SpikeDrive, seed: int) -> dict[str, Any]:
    from pyNN.parameters import Sequence

    trains = [Sequence(train) for train in drive.by_cell()]
    made = {"input": sim.Population(drive.n_cells, sim.SpikeSourceArray(spike_times=trains), label="input")}
    for name in parameters.populations:
        cell = parameters.cell(name)
        model = getattr(sim, cell.model)(**cell.pynn_parameters())
        start = stream(seed, "v_init", name).uniform(*parameters.v_init, parameters.size(name))
        made[name] = sim.Population(parameters.size(name), model, initial_values={"v": start}, label=name)
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


def _record(population: Any, n_cells: int, sampling: float) -> np.ndarray:
    population.record("spikes")
    if not n_cells:
        return np.empty(0, dtype=int)
    cells = np.unique(np.linspace(0, population.size, min(n_cells, population.size), endpoint=False).astype(int))
    population[cells].record("v", sampling_interval=sampling)
    return cells


def _run(sim: Any, duration: float, progress: bool | None, slices: int = 50) -> None:
    """Run in slices of whole ms, for the bar; the slices change nothing in a frozen drive."""
    ends = np.unique(np.append(np.round(np.linspace(0, duration, slices + 1)[1:-1]), duration))
    with tqdm(total=duration, unit=" ms", desc="simulating", disable=None if progress is None else not progress) as bar:
        for end in ends[ends > 0]:
            sim.run_until(float(end))
            bar.update(float(end) - bar.n)
