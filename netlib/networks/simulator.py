"""The life cycle of a PyNN simulator: quiet import, set-up, clean end, and errors that say what to install."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from netlib.networks.mechanisms import compile_mechanisms
from netlib.units import check_choice, check_integer, check_number

__all__ = ["BACKENDS", "load", "open_simulator", "run_to"]

#: Simulators that run a ring, and what to install for each.
BACKENDS = {
    "nest": "pip install 'nest-simulator==3.10.0'",
    "brian2": "pip install 'netlib[brian2]'",
    "neuron": "pip install 'netlib[neuron]', and C and C++ compilers and make for its mechanisms",
}


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


def run_to(sim: Any, now: float, end: float) -> None:
    """Run a simulator from time ``now``, where the last call left it, to time ``end`` (ms).

    It is PyNN's ``run_until`` without its dozen questions to NEST about the time, of 2 ms each.
    """
    if sim.__name__ == "pyNN.nest":
        sim.simulator.state.run(round(float(end) - float(now), 6))
    else:
        sim.run_until(float(end))
