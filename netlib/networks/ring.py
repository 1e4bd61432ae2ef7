"""Build a ring network in PyNN, run it on a drive, and bring its spikes and potentials back as flat arrays."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lazyarray import larray
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from tqdm.auto import tqdm

from netlib.networks.bulk import bulk_connector, pynn_connector
from netlib.networks.differences import integration_step, run_slices, sampling_step, set_solver, source_times
from netlib.networks.drive import SpikeDrive
from netlib.networks.kernels import connection_mask, pairwise
from netlib.networks.parameters import Connection, Delay, RingParameters
from netlib.networks.readout import spikes_of, traces_of
from netlib.networks.simulator import open_simulator, run_to
from netlib.networks.weights import Weights
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
    weights : dict
        :class:`~netlib.networks.weights.Weights` of each projection that is plastic or was given weights.
    """

    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    potentials: dict[str, tuple[np.ndarray, np.ndarray]]
    sampling: float
    duration: float
    build_time: float
    run_time: float
    weights: dict[str, Weights] = field(default_factory=dict)


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
    plastic: bool | ArrayLike = True,
    update: float = 50.0,
    snapshots: ArrayLike | None = None,
    weights: Mapping[str, Weights | ArrayLike] | None = None,
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
    plastic : bool or array_like, shape (n_windows, 2)
        Whether the projections that have a rule follow it; or windows (start, stop] (ms) in which they do.
    update : float
        Longest time between two updates of the weights in the simulator (ms).
    snapshots : array_like, optional
        Times (ms) at which weights are kept, besides the start and the end.
    weights : mapping, optional
        Weights to start from, by projection: :class:`~netlib.networks.weights.Weights` of another run with the same
        seed (their last are taken), or an array (n_synapses,) in order of presynaptic, then postsynaptic cell.
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
    course = _course(parameters, drive.duration, plastic, update, snapshots, weights)
    with open_simulator(
        backend,
        timestep=integration_step(backend, parameters.timestep, map(parameters.cell, parameters.populations)),
        min_delay=low,
        max_delay=max(high, low),
        threads=threads,
        seed=simulator_seed(seed, "simulator"),
    ) as sim:
        populations = _populations(sim, parameters, frozen, seed)
        projections = {  # PyNN's projections must outlive the run
            name: _project(sim, parameters, name, connection, populations, seed, connector)
            for name, connection in parameters.projections().items()
        }
        recorded = {
            p: _record(sim, populations[p], record_v, sampling, parameters.timestep) for p in parameters.populations
        }
        built = time.perf_counter()
        if course is None:
            history = {}
            _run(sim, drive.duration, progress)
        else:
            history = course.run(sim, populations, projections, frozen, progress)
        ran = time.perf_counter()
        spikes = {p: spikes_of(sim, populations[p], drive.duration) for p in parameters.populations}
        potentials = {
            p: (cells, traces_of(sim, populations[p], cells, sampling, drive.duration))
            for p, cells in recorded.items()
            if len(cells)
        }
    spikes = {"input": (frozen.index, frozen.time), **spikes}
    return Activity(spikes, potentials, sampling, drive.duration, built - started, ran - built, history)


def _course(parameters: RingParameters, duration: float, plastic: Any, *settings: Any) -> Any:
    """What changes weights in the course of the run; None for a static network, which needs no compiler."""
    rules = [c for c in parameters.projections().values() if c.plasticity is not None]
    if not rules and not settings[-1]:
        return None
    from netlib.networks.learning import Learning

    return Learning(parameters, duration, plastic, *settings)


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


def _record(sim: Any, population: Any, n_cells: int, sampling: float, timestep: float) -> np.ndarray:
    population.record("spikes")
    if not n_cells:
        return np.empty(0, dtype=int)
    cells = np.unique(np.linspace(0, population.size, min(n_cells, population.size), endpoint=False).astype(int))
    population[cells].record("v", sampling_interval=sampling_step(sim, sampling, timestep))
    return cells


def _run(sim: Any, duration: float, progress: bool | None) -> None:
    """Run in slices of whole ms, for the bar; the slices change nothing in a frozen drive."""
    ends = np.unique(np.append(np.round(np.linspace(0, duration, run_slices(sim) + 1)[1:-1]), duration))
    now = 0.0  # a hidden bar does not count
    with tqdm(total=duration, unit=" ms", desc="simulating", disable=None if progress is None else not progress) as bar:
        for end in ends[ends > 0].tolist():
            run_to(sim, now, end)
            bar.update(end - now)
            now = end
