"""Run a ring network on a drive, in any engine, and bring its spikes and potentials back as flat arrays."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.base.seeds import simulator_seed
from netlib.networks.drive import SpikeDrive
from netlib.networks.parameters import RingParameters
from netlib.networks.pynn import PyNNRing
from netlib.networks.simulators import BACKENDS, integration_step, open_simulator
from netlib.networks.weights import Weights

__all__ = ["ENGINES", "Activity", "chosen_backend", "run_ring", "use_backend"]

#: The PyNN simulators, the compiled engine, and the choice between it and NEST.
ENGINES = (*BACKENDS, "compiled", "auto")
_DEFAULT: contextvars.ContextVar[str] = contextvars.ContextVar("netlib backend", default="nest")


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
    backend : str
        What ran it.

    Examples
    --------
    >>> index, time = np.array([0, 1, 1]), np.array([5.0, 6.0, 40.0])
    >>> activity = Activity({"E": (index, time)}, {}, sampling=1.0, duration=50.0, build_time=0.0, run_time=0.0)
    >>> 1000 * len(activity.spikes["E"][1]) / activity.duration
    60.0
    """

    spikes: dict[str, tuple[np.ndarray, np.ndarray]]
    potentials: dict[str, tuple[np.ndarray, np.ndarray]]
    sampling: float
    duration: float
    build_time: float
    run_time: float
    weights: dict[str, Weights] = field(default_factory=dict)
    backend: str = "nest"


def run_ring(
    parameters: RingParameters,
    drive: SpikeDrive,
    seed: int,
    *,
    backend: str | None = None,
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
    backend : {"nest", "brian2", "neuron", "compiled", "auto"}, optional
        PyNN simulator; or the compiled engine, which runs the same network sooner; or "auto", the compiled engine
        where it knows the cells, else NEST. By default that of :func:`~netlib.networks.ring.use_backend`, NEST
        outside of it.
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

    Examples
    --------
    >>> from netlib.networks.drive import input_rates, rate_drive
    >>> from netlib.networks.presets import preset
    >>> from netlib.stimuli import Grating, Protocol
    >>> ring = preset("v1")
    >>> drive = rate_drive(input_rates(ring, Protocol.sequence([Grating()], 100.0)), ring.n_input, seed=1)
    >>> activity = run_ring(ring, drive, seed=1, backend="compiled", record_v=2)
    >>> activity.backend, activity.potentials["E"][1].shape
    ('compiled', (2, 101))
    """
    check_type("parameters", parameters, RingParameters)
    check_type("drive", drive, SpikeDrive)
    backend = chosen_backend(backend, parameters)
    check_choice("connector", connector, ("bulk", "pynn"))
    check_integer("record_v", record_v, 0, unit="cells")
    check_number("sampling", sampling, "ms", parameters.timestep)
    if drive.n_cells != parameters.n_input:
        raise ValueError(f"drive has {drive.n_cells} cells: it must have n_input = {parameters.n_input} cells")
    started = time.perf_counter()
    frozen = drive.on_grid(parameters.timestep, parameters.delay_bounds()[0] + parameters.timestep)
    course = _course(parameters, drive.duration, plastic, update, snapshots, weights)
    recorded = {p: _sampled(parameters.size(p), record_v) for p in parameters.populations if record_v}
    with _opened(backend, parameters, frozen, seed, recorded, sampling, connector, threads) as ring:
        built = time.perf_counter()
        if course is None:
            history = {}
            _run(ring, drive.duration, progress)
        else:
            history = course.run(ring, frozen, progress)
        ran = time.perf_counter()
        spikes = {p: ring.spikes(p, drive.duration) for p in parameters.populations}
        potentials = {p: (recorded[p], values) for p, values in ring.potentials().items()}
    spikes = {"input": (frozen.index, frozen.time), **spikes}
    return Activity(spikes, potentials, sampling, drive.duration, built - started, ran - built, history, backend)


@contextlib.contextmanager
def use_backend(backend: str) -> Iterator[None]:
    """Have every network run by ``backend`` where the call names none.

    Parameters
    ----------
    backend : {"nest", "brian2", "neuron", "compiled", "auto"}
        The engine. "auto" is the compiled engine where it knows the cells of a network, else NEST.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> with use_backend("auto"):
    ...     chosen_backend(None, preset("v1"))
    'compiled'
    >>> chosen_backend(None, preset("v1"))
    'nest'
    """
    token = _DEFAULT.set(check_choice("backend", backend, ENGINES))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def chosen_backend(backend: str | None, parameters: RingParameters) -> str:
    """The engine that runs a network: the one named, else the default, with "auto" decided.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> chosen_backend("auto", preset("v1")), chosen_backend("brian2", preset("v1"))
    ('compiled', 'brian2')
    """
    name = check_choice("backend", _DEFAULT.get() if backend is None else backend, ENGINES)
    if name != "auto":
        return name
    from netlib.networks.compiled import SUPPORTED

    known = all(parameters.cell(population).model in SUPPORTED for population in parameters.populations)
    return "compiled" if known else "nest"


@contextlib.contextmanager
def _opened(
    backend: str,
    parameters: RingParameters,
    drive: SpikeDrive,
    seed: int,
    recorded: dict[str, np.ndarray],
    sampling: float,
    connector: str,
    threads: int,
) -> Iterator[Any]:
    """The network, built: a :class:`~netlib.networks.pynn.PyNNRing` or a ``CompiledRing``."""
    if backend == "compiled":
        from netlib.networks.compiled import CompiledRing

        if threads > 1:
            raise ValueError(f"threads = {threads} is for NEST alone: with backend = {backend!r} it must be 1")
        yield CompiledRing(parameters, drive, seed, recorded, sampling)
        return
    low, high = parameters.delay_bounds()
    with open_simulator(
        backend,
        timestep=integration_step(backend, parameters.timestep, map(parameters.cell, parameters.populations)),
        min_delay=low,
        max_delay=max(high, low),
        threads=threads,
        seed=simulator_seed(seed, "simulator"),
    ) as sim:
        yield PyNNRing(sim, parameters, drive, seed, recorded, sampling, connector)


def _course(parameters: RingParameters, duration: float, plastic: Any, *settings: Any) -> Any:
    """What changes weights in the course of the run; None for a static network, which needs no compiler."""
    rules = [c for c in parameters.projections().values() if c.plasticity is not None]
    if not rules and not settings[-1]:
        return None
    from netlib.networks.learning import Learning

    return Learning(parameters, duration, plastic, *settings)


def _sampled(size: int, n_cells: int) -> np.ndarray:
    """Indices of ``n_cells`` cells, evenly spaced."""
    return np.unique(np.linspace(0, size, min(n_cells, size), endpoint=False).astype(int))


def _run(ring: Any, duration: float, progress: bool | None) -> None:
    """Run in slices of whole ms, for the bar; the slices change nothing in a frozen drive."""
    ends = np.unique(np.append(np.round(np.linspace(0, duration, ring.slices + 1)[1:-1]), duration))
    now = 0.0  # a hidden bar does not count
    with tqdm(total=duration, unit=" ms", desc="simulating", disable=None if progress is None else not progress) as bar:
        for end in ends[ends > 0].tolist():
            ring.run_to(now, end)
            bar.update(end - now)
            now = end
