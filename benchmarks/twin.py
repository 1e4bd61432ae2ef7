"""The ring written by hand in PyNEST: what netlib's PyNN network has to equal, spike for spike, and to keep up with.

Only parameter values are netlib's: cells, synapses, devices and their units are written here a second time.
"""

from __future__ import annotations

import os
from contextlib import nullcontext

os.environ.setdefault("PYNEST_QUIET", "1")

import nest
import numpy as np

from netlib.networks import RingParameters, SpikeDrive
from netlib.networks.parameters import Cell

MODELS = {"IF_cond_exp": "iaf_cond_exp", "IF_curr_exp": "iaf_psc_exp"}

Spikes = dict[str, tuple[np.ndarray, np.ndarray]]


def von_mises_weights(n_pre: int, n_post: int, B_theta: float, weight: float) -> np.ndarray:
    """Weights (n_pre, n_post) that follow ``exp{[cos 2d - 1] / (4 B^2)}`` and sum to ``weight`` onto each cell."""
    distance = 180.0 * np.arange(n_pre)[:, None] / n_pre - 180.0 * np.arange(n_post) / n_post
    profile = np.exp((np.cos(2 * np.radians(distance)) - 1) / (4 * np.radians(B_theta) ** 2))
    return weight * profile / profile.sum(axis=0)


def simulate(
    parameters: RingParameters,
    drive: SpikeDrive,
    v_init: dict[str, np.ndarray],
    weights: dict[str, np.ndarray] | None = None,
    synapses: dict[str, tuple[np.ndarray, ...]] | None = None,
    clocks: tuple = (),
) -> Spikes:
    """Simulate a ring whose input cells are connected one to one.

    Parameters
    ----------
    parameters : RingParameters
        Cells of one of ``MODELS``; constant delays; input projections one to one, the others between all pairs, or
        given by ``synapses``.
    drive : SpikeDrive
        Spikes on the time grid, none before the second step after the shortest delay.
    v_init : dict of ndarray
        Initial potentials (mV) of "E" and "I".
    weights : dict of ndarray (n_pre, n_post), optional
        Weights (uS or nA, positive) of the recurrent projections by name; by default von Mises.
    synapses : dict of (pre, post, weight, delay), optional
        Synapses of sparse recurrent projections by name: indices, uS or nA, ms.
    clocks : (Clock, Clock), optional
        Started around the construction and around the simulation.

    Returns
    -------
    dict
        For "E" and "I": index and time (ms) of the spikes, in order of time, then of index.
    """
    with clocks[0] if clocks else nullcontext():
        nodes, recorders, shortest = build(parameters, drive, v_init, weights, synapses)
    with clocks[1] if clocks else nullcontext():
        # NEST hands spikes over at the end of a slice, as long as the shortest delay: one more, for the last of them.
        nest.Simulate(drive.duration + shortest)
    return {name: spikes(recorder, nodes[name], drive.duration) for name, recorder in recorders.items()}


def build(parameters: RingParameters, drive: SpikeDrive, v_init: dict, weights: dict | None, synapses: dict | None):
    """Nodes and recorders by name, and the shortest delay (ms): see :func:`simulate`."""
    sizes = {"input": parameters.n_input, "E": parameters.n_excitatory, "I": parameters.n_inhibitory}
    cells = {"E": parameters.excitatory, "I": parameters.inhibitory}
    projections = parameters.projections()
    delays = [connection.delay.mean for connection in projections.values()]

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.set(resolution=parameters.timestep, min_delay=min(delays), max_delay=max(delays))
    trains = [drive.time[drive.index == cell] for cell in range(drive.n_cells)]
    nodes = {"input": nest.Create("spike_generator", sizes["input"], [{"spike_times": train} for train in trains])}
    recorders = {}
    for name, cell in cells.items():
        nodes[name] = nest.Create(MODELS[cell.model], sizes[name], native(cell))
        nodes[name].V_m = v_init[name]
        recorders[name] = nest.Create("spike_recorder")
        nest.Connect(nodes[name], recorders[name])

    for name, connection in projections.items():
        source, target = name.split("_to_")
        scale = -1000.0 if source == "I" else 1000.0  # nS or pA
        if synapses and name in synapses:
            pre, post, weight, delay = synapses[name]
            ids = (np.asarray(nodes[cell].tolist())[index] for cell, index in ((source, pre), (target, post)))
            full = np.broadcast_to(scale * weight, len(pre)), np.broadcast_to(delay, len(pre)).astype(float)
            nest.Connect(*ids, "one_to_one", {"weight": full[0], "delay": full[1]})
            continue
        if source == "input":
            rule, weight = "one_to_one", connection.weight
        else:
            rule = "all_to_all"
            matrix = weights[name] if weights else None
            if matrix is None:
                matrix = von_mises_weights(sizes[source], sizes[target], connection.kernel.B_theta, connection.weight)
            weight = matrix.T  # NEST wants (n_post, n_pre)
        nest.Connect(nodes[source], nodes[target], rule, {"weight": scale * weight, "delay": connection.delay.mean})
    return nodes, recorders, min(delays)


def native(cell: Cell) -> dict[str, float]:
    """Parameters of a NEST cell (pF, nS) from PyNN's (nF, ms)."""
    parameters = {
        "C_m": 1000.0 * cell.cm,
        "E_L": cell.v_rest,
        "V_reset": cell.v_reset,
        "V_th": cell.v_thresh,
        "t_ref": cell.tau_refrac,
        "tau_syn_ex": cell.tau_syn_E,
        "tau_syn_in": cell.tau_syn_I,
    }
    if cell.model == "IF_curr_exp":
        return parameters | {"tau_m": cell.tau_m}
    return parameters | {"g_L": 1000.0 * cell.cm / cell.tau_m, "E_ex": cell.e_rev_E, "E_in": cell.e_rev_I}


def spikes(recorder: nest.NodeCollection, nodes: nest.NodeCollection, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Index and time of what a recorder holds, in order."""
    events = recorder.events
    keep = events["times"] <= duration + 1e-6
    index, time = events["senders"][keep] - nodes[0].global_id, np.round(events["times"][keep], 6)
    order = np.lexsort((index, time))
    return index[order], time[order]
