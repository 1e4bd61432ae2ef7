"""A network of the striatum that watches a mouse behave, session by session, in PyNN on NEST.

Synapses from cortex to spiny neurons (:mod:`netlib.imaging.striatal_wiring`) learn from session to session: spike pairs
around a reward change them, up onto D1 and down onto D2 neurons (dopamine's opposite effects; Shen et al. 2008, Science
321:848, quoted from memory).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from netlib.imaging.striatal_wiring import NetworkParameters, StriatalNetwork
from netlib.lgn.poisson import poisson_spikes
from netlib.networks.bulk import bulk_connector
from netlib.networks.drive import SpikeDrive
from netlib.networks.readout import spikes_of
from netlib.networks.simulator import open_simulator, run_to
from netlib.networks.stdp import Synapses
from netlib.recordings.operant.behaviour_segments import GROUPS, merge_behaviours, state_at
from netlib.recordings.operant.behaviour_session import PATHWAYS
from netlib.seeds import simulator_seed, stream

__all__ = ["cortical_drive", "learn", "run_session"]

#: Bins of the cortical rates (ms).
BIN = 20.0


def cortical_drive(
    seed: int, intervals: pd.DataFrame, duration: float, parameters: NetworkParameters | None = None
) -> SpikeDrive:
    """Spikes of the cortical cells during a session: four populations in order of the groups, then the background.

    They are on the time grid, at most one per cell and step.
    """
    p = NetworkParameters() if parameters is None else parameters
    times = (np.arange(int(np.ceil(duration / BIN))) + 0.5) * BIN
    merged = merge_behaviours(intervals)
    row = state_at(merged, np.minimum(times, duration))
    code = np.append(pd.Index(GROUPS).get_indexer(merged["label"]), -1)[row]  # row -1: no behaviour
    active = code[None, :] == np.repeat(np.arange(len(GROUPS)), p.cortex)[:, None]
    rates = np.full((p.n_cortex, len(times)), p.background_rate)
    rates[: len(active)] = np.where(active, p.active, p.idle)
    index, time = poisson_spikes(rates, BIN, stream(seed, "cortex"))
    # One spike per cell and step, by whole numbers: much sooner than by pairs.
    step = np.ceil(time / p.timestep - 1e-9).astype(np.int64)
    inside = (step >= np.ceil((p.delay + p.timestep) / p.timestep)) & (step * p.timestep <= duration)
    step, index = np.divmod(np.unique(step[inside] * p.n_cortex + index[inside]), p.n_cortex)
    return SpikeDrive(index.astype(np.int32), step * p.timestep, p.n_cortex, duration)


def run_session(network: StriatalNetwork, drive: SpikeDrive) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Simulate a session with constant weights, in PyNN on NEST.

    Returns
    -------
    dict
        Spikes (index, time in ms) of "D1", "A2A" and "FSI", by time, then by cell.
    """
    p = network.parameters
    with open_simulator(
        timestep=p.timestep,
        min_delay=p.delay,
        max_delay=p.delay,
        seed=simulator_seed(network.seed, "striatum", "simulator"),
    ) as sim:
        populations = _populations(sim, network, drive)
        for pathway in PATHWAYS:
            target = populations[pathway]
            _project(sim, populations["cortex"], target, network.plastic[pathway], p.delay, "excitatory")
            _project(sim, populations["FSI"], target, network.fsi_to_msn[pathway], p.delay, "inhibitory")
            _project(sim, target, target, network.msn_to_msn[pathway], p.delay, "inhibitory")
        _project(sim, populations["cortex"], populations["FSI"], network.cortex_to_fsi, p.delay, "excitatory")
        run_to(sim, 0.0, drive.duration)
        return {name: spikes_of(sim, populations[name], drive.duration) for name in (*PATHWAYS, "FSI")}


def _populations(sim: Any, network: StriatalNetwork, drive: SpikeDrive) -> dict[str, Any]:
    from pyNN.parameters import Sequence

    p = network.parameters
    trains = [Sequence(train) for train in drive.by_cell()]
    made = {"cortex": sim.Population(drive.n_cells, sim.SpikeSourceArray(spike_times=trains), label="cortex")}
    sizes = {pathway: network.plastic[pathway].shape[1] for pathway in PATHWAYS}
    for name, n in {**sizes, "FSI": network.cortex_to_fsi.shape[1]}.items():
        cell = p.interneuron if name == "FSI" else p.msn
        start = stream(network.seed, "v_init", name).uniform(cell.v_rest, cell.v_rest + 10.0, n)
        model = getattr(sim, cell.model)(**cell.pynn_parameters())
        made[name] = sim.Population(n, model, initial_values={"v": start}, label=name)
        made[name].record("spikes")
    return made


def _project(sim: Any, source: Any, target: Any, weights: np.ndarray, delay: float, receptor: str) -> None:
    from lazyarray import larray

    if (weights > 0).any():
        synapse = sim.StaticSynapse(weight=larray(weights), delay=delay)
        sim.Projection(source, target, bulk_connector(sim, larray(weights > 0)), synapse, receptor_type=receptor)


def learn(
    network: StriatalNetwork,
    drive: SpikeDrive,
    spikes: dict[str, tuple[np.ndarray, np.ndarray]],
    intervals: pd.DataFrame,
) -> StriatalNetwork:
    """Weights after a session: spike pairs around each reward change the synapses of behaviour-driven cortex.

    Synapses from the background population stay as they are. Weights change between sessions only: a session runs
    with those it began with.
    """
    p = network.parameters
    fed = intervals.loc[(intervals["label"] == "pellet").to_numpy(), "onset"].to_numpy(float)
    windows = _joined(np.stack([np.maximum(fed - p.before, 0.0), np.minimum(fed + p.after, drive.duration)], axis=1))
    n_tuned = len(GROUPS) * p.cortex
    plastic = {}
    for pathway, rule in zip(PATHWAYS, (p.d1, p.d2), strict=True):
        weights = network.plastic[pathway].copy()
        pre, post = np.nonzero(weights[:n_tuned])
        synapses = Synapses(rule, pre, post, np.full(len(pre), p.delay), weights[pre, post], n_tuned, weights.shape[1])
        for start, stop in windows:
            synapses.advance((np.zeros(0, int), np.zeros(0)), (np.zeros(0, int), np.zeros(0)), start, learn=False)
            inside = (drive.time > start) & (drive.time <= stop) & (drive.index < n_tuned)
            index, time = spikes[pathway]
            near = (time > start) & (time <= stop)
            synapses.advance((drive.index[inside], drive.time[inside]), (index[near], time[near]), stop)
        weights[pre, post] = synapses.weight
        plastic[pathway] = weights
    return dataclasses.replace(network, plastic=plastic)


def _joined(windows: np.ndarray) -> list[tuple[float, float]]:
    """Windows in order of time, those that overlap made one."""
    joined: list[tuple[float, float]] = []
    for start, stop in windows:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((float(start), float(stop)))
    return joined
