"""Where PyNN's Brian2 and NEURON differ from its NEST, and what makes them run the same network (PyNN 0.13)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from netlib.networks.parameters import Cell

__all__ = ["integration_step", "run_slices", "sampling_step", "set_solver", "source_times"]

#: NEURON's step is at most this fraction of the shortest synaptic time constant.
NEURON_STEP = 0.01


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
