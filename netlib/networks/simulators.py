"""The PyNN simulators NEST, Brian2 and NEURON: how to start and end them, and where they differ.

A simulator is imported quietly, at its first use, and an error says what to install. NEURON's mechanisms are compiled
once per installation. The rest makes all of them run the same network: integration step, solver, and times of spikes.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import logging
import math
import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.networks.parameters import Cell

__all__ = [
    "BACKENDS",
    "compile_mechanisms",
    "integration_step",
    "load",
    "missing_tools",
    "open_simulator",
    "run_slices",
    "run_to",
    "sampling_step",
    "set_solver",
    "source_times",
]

#: Simulators that run a ring, and what to install for each.
BACKENDS = {
    "nest": "pip install 'nest-simulator==3.10.0'",
    "brian2": "pip install 'netlib-v1[brian2]'",
    "neuron": "pip install 'netlib-v1[neuron]', and C and C++ compilers and make for its mechanisms",
}
#: NEURON's step is at most this fraction of the shortest synaptic time constant.
NEURON_STEP = 0.01


@contextlib.contextmanager
def open_simulator(
    backend: str = "nest",
    *,
    timestep: float = 0.1,
    min_delay: float = 1.0,
    max_delay: float = 1.0,
    threads: int = 1,
    seed: int = 1,
) -> Iterator[Any]:
    """Set a PyNN simulator up, and end it whatever happens.

    One simulation at a time and one fresh set-up each: populations of an earlier one are dead.

    Parameters
    ----------
    backend : {"nest", "brian2", "neuron"}
        Name of the simulator.
    timestep : float
        Integration step (ms).
    min_delay, max_delay : float
        Bounds of the synaptic delays (ms); the true minimum makes NEST faster.
    threads : int
        Threads of NEST; more than one pays only on an idle machine.
    seed : int
        Seed of the simulator's own generator.

    Yields
    ------
    module
        The PyNN simulator.
    """
    check_number("timestep", timestep, "ms", 0, low_open=True)
    check_number("min_delay", min_delay, "ms", timestep)
    check_number("max_delay", max_delay, "ms", min_delay)
    check_integer("threads", threads, 1, 256)
    check_choice("backend", backend, BACKENDS)
    if threads > 1 and backend != "nest":
        raise ValueError(f"threads = {threads} is for NEST alone: with backend = {backend!r} it must be 1")
    sim = load(backend)
    options: dict[str, Any] = {"timestep": timestep, "min_delay": min_delay, "max_delay": max_delay}
    if backend == "nest":
        options |= {"threads": threads, "rng_seed": seed, "spike_precision": "on_grid", "verbosity": "error"}
    with warnings.catch_warnings():
        _ignore_known_warnings()
        sim.setup(**options)
        if backend == "nest":
            _sources_on_grid()
        try:
            yield sim
        finally:
            sim.end()


def load(backend: str = "nest") -> Any:
    """Import a PyNN simulator by name, without its banner and without the one warning that means nothing.

    NEURON compiles PyNN's mechanisms the first time (half a minute). Brian2 is set to its NumPy target, which needs
    no compiler: a ring of a few hundred cells runs sooner than its C++ code is compiled. To have compiled code, set
    ``brian2.prefs.codegen.target = "cython"`` before.

    Parameters
    ----------
    backend : {"nest", "brian2", "neuron"}
        Name of the simulator.

    Raises
    ------
    ValueError
        If the name is unknown.
    ImportError
        If it is not installed or cannot start; the message says what to install.
    """
    check_choice("backend", backend, BACKENDS)
    os.environ.setdefault("PYNEST_QUIET", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    try:
        with warnings.catch_warnings(), _quiet():
            _ignore_known_warnings()
            if backend == "neuron":
                compile_mechanisms()
            if backend == "brian2":
                _set_brian2()
            return importlib.import_module(f"pyNN.{backend}")
    except Exception as error:
        raise ImportError(
            f"backend = {backend!r} cannot be loaded ({type(error).__name__}: {error}). "
            f"To install it: {BACKENDS[backend]}"
        ) from error


def _set_brian2() -> None:
    hook = sys.excepthook
    import brian2

    sys.excepthook = hook  # Brian2 calls any error of any program one of its own
    if brian2.prefs.codegen.target == "auto":
        brian2.prefs.codegen.target = "numpy"


def _worth_saying(record: logging.LogRecord) -> bool:
    """False for what PyNN says of every current-based cell on NEST: that its synaptic currents start at 0."""
    return "setting an initial value for I_syn" not in record.getMessage()


def _ignore_known_warnings() -> None:
    # PyNN tries to compile an extension that only synapse types unused here need.
    warnings.filterwarnings("ignore", message=".*(nest-config|cmake|NEST extensions|extension).*")
    # PyNN 0.13 calls functions that NEST 3.10 deprecates.
    warnings.filterwarnings("ignore", message="(?s).*(backward compatibility|future version of NEST).*")
    warnings.filterwarnings("ignore", message="mpi4py not available")
    logging.getLogger("PyNN").addFilter(_worth_saying)
    warnings.simplefilter("ignore", DeprecationWarning)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ code prints to nowhere, for the time of an import or a set-up."""
    saved = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _sources_on_grid() -> None:
    """Have NEST's spike sources round times to its time base (1 us) and then up to a step, as its own cells do.

    PyNN asks for precise times and takes the shortest delay off each: what is left of rounding, 1e-16 ms, then
    puts one spike in a hundred a step late.
    """
    import nest

    nest.SetDefaults("spike_generator", {"precise_times": False, "allow_offgrid_times": True})


# ---------------------------------------------------------------- where they differ


def run_to(sim: Any, now: float, end: float) -> None:
    """Run a simulator from time ``now``, where the last call left it, to time ``end`` (ms).

    It is PyNN's ``run_until`` without its dozen questions to NEST about the time, of 2 ms each.
    """
    if sim.__name__ == "pyNN.nest":
        sim.simulator.state.run(round(float(end) - float(now), 6))
    else:
        sim.run_until(float(end))


def integration_step(backend: str, timestep: float, cells: Iterable[Cell]) -> float:
    """Time step of a simulator (ms) for a network whose delays and drive lie on steps of ``timestep`` (ms).

    NEURON's fixed-step method holds a conductance at its value at the start of a step, which makes the charge of a
    postsynaptic event ``dt / (2 tau_syn)`` too large: it gets a whole fraction of the time step, such that this is
    at most 0.5 %.

    Examples
    --------
    >>> integration_step("nest", 0.1, [Cell(tau_syn_E=3.0)]), integration_step("neuron", 0.1, [Cell(tau_syn_E=3.0)])
    (0.1, 0.025)
    """
    if backend != "neuron":
        return timestep
    shortest = min(tau for cell in cells for tau in (cell.tau_syn_E, cell.tau_syn_I))
    return timestep / math.ceil(timestep / (NEURON_STEP * shortest) - 1e-9)


def set_solver(sim: Any, population: Any, cell: Cell) -> None:
    """Give Brian2's cells a solver, a refractory period and a cut-off like those of NEST.

    PyNN lets Brian2 choose, which takes Euler's method for conductances, counts the refractory period from the start of
    the step in which the spike falls, one step too short, and cuts the spikes of the EIF 5 ``delta_T`` above
    ``v_thresh`` wherever ``v_spike`` is.
    """
    if sim.__name__ != "pyNN.brian2":
        return
    group = population.brian2_group
    group.state_updater.method_choice = "rk4" if cell.conductance_based else "exact"
    if cell.tau_refrac > 0:
        from brian2 import ms

        group._refractory = (cell.tau_refrac + sim.get_time_step()) * ms
    if cell.model.startswith("EIF"):
        group.events["spike"] = f"v > {cell.v_spike!r}*mV"


def source_times(sim: Any, times: np.ndarray, timestep: float) -> np.ndarray:
    """Times (ms) to give a spike source so that its spikes leave at ``times``.

    What Brian2 sends in a step acts from the end of that step: it is sent one step before.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source_times(SimpleNamespace(__name__="pyNN.brian2"), np.array([1.0, 2.0]), 0.1).tolist()
    [0.9, 1.9]
    """
    return np.maximum(times - timestep, 0.0) if sim.__name__ == "pyNN.brian2" else times


def sampling_step(sim: Any, sampling: float, timestep: float) -> float:
    """Interval (ms) at which to record for samples every ``sampling`` ms.

    PyNN's Brian2 samples at the end of the first step of each interval: right only where an interval is a step.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> sampling_step(SimpleNamespace(__name__="pyNN.brian2"), 1.0, 0.1)
    0.1
    >>> sampling_step(SimpleNamespace(__name__="pyNN.nest"), 1.0, 0.1)
    1.0
    """
    return timestep if sim.__name__ == "pyNN.brian2" else sampling


def run_slices(sim: Any) -> int:
    """In how many slices to run for a progress bar: Brian2 makes its code anew for each, in half a second.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> run_slices(SimpleNamespace(__name__="pyNN.brian2")), run_slices(SimpleNamespace(__name__="pyNN.nest"))
    (1, 50)
    """
    return 1 if sim.__name__ == "pyNN.brian2" else 50


# ---------------------------------------------------------------- NEURON's mechanisms


def missing_tools() -> list[str]:
    """What of the C compiler, the C++ compiler and make cannot be found; NEURON's ``nrnivmodl`` runs all three.

    Compilers are those of the environment variables CC and CXX, else those that Python was built with.
    """
    tools = {name: os.environ.get(name) or sysconfig.get_config_var(name) or "" for name in ("CC", "CXX")}
    kinds = {"C compiler": tools["CC"], "C++ compiler": tools["CXX"], "make": "make"}
    return [f"{kind} ({tool})" for kind, tool in kinds.items() if not shutil.which((tool.split() or ["?"])[0])]


def compile_mechanisms(folder: Path | None = None) -> None:
    """Run ``nrnivmodl`` in PyNN's folder of mechanisms unless that was done: half a minute.

    PyNN 0.13 does so itself at its first import, but only where ``nrnivmodl`` is on the PATH, without a reason when
    it fails, and two processes at a time would disturb each other: here the second waits for the first.

    Parameters
    ----------
    folder : Path, optional
        Folder of ``.mod`` files; by default PyNN's own.

    Raises
    ------
    ImportError
        If PyNN, NEURON or a compiler is missing, or the compilation fails; the message says which.
    """
    if folder is None:
        pynn = importlib.util.find_spec("pyNN")
        if pynn is None or pynn.origin is None:
            raise ImportError("PyNN is not installed")
        folder = Path(pynn.origin).parent / "neuron" / "nmodl"
    if _done(folder):
        return
    program = shutil.which("nrnivmodl", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if program is None:
        raise ImportError("NEURON is not installed: its program nrnivmodl is not found")
    missing = missing_tools()
    if missing:
        raise ImportError(
            f"NEURON must compile PyNN's mechanisms once, and there is no {' and no '.join(missing)}. "
            "On Debian or Ubuntu: apt install build-essential"
        )
    try:
        with open(folder / "compile.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _done(folder):
                ran = subprocess.run([program], cwd=folder, capture_output=True, text=True, check=False)
                if ran.returncode or not _done(folder):
                    said = "\n".join((ran.stdout + ran.stderr).splitlines()[-15:])
                    raise ImportError(f"nrnivmodl failed on PyNN's mechanisms in {folder}:\n{said}")
    except OSError as error:
        raise ImportError(f"PyNN's mechanisms cannot be compiled in {folder}: {error}") from error


def _done(folder: Path) -> bool:
    """Whether there is what nrnivmodl makes last, its program ``special``, in the folder of an architecture."""
    return any(folder.glob("*/special"))
