"""A network of the striatum that watches a mouse behave, session by session, in PyNN on NEST.

Cortical cells of five populations drive the network: one for each group of behaviours, active during it, and one that
knows no behaviour. Spiny neurons (MSNs) of one subpopulation share cortical input: those activated by a behaviour get
many synapses from its cortical population, those inactivated by it are inhibited by fast-spiking interneurons (FSIs)
that it drives. Synapses from cortex to MSNs learn from session to session: spike pairs around a reward change them, up
onto D1 and down onto D2 neurons (dopamine's opposite effects; Shen et al. 2008, Science 321:848, quoted from memory).

Cells are leaky integrate-and-fire with conductances; their parameters are textbook values of our choice
(hyperpolarised, slow MSNs; fast FSIs), not fits, and weights were set for MSN rates of about 1 Hz.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_number
from netlib.base.fields import Declared, integer, number, part
from netlib.base.seeds import simulator_seed, stream
from netlib.lgn.rates import poisson_spikes
from netlib.networks.bulk import bulk_connector
from netlib.networks.drive import SpikeDrive
from netlib.networks.parameters import Cell
from netlib.networks.plasticity import STDP, Synapses
from netlib.networks.pynn import spikes_of
from netlib.networks.simulators import open_simulator, run_to
from netlib.pathways.behaviour import GROUPS, merge_behaviours, state_at
from netlib.pathways.session import PATHWAYS

__all__ = ["NetworkParameters", "StriatalNetwork", "build_network", "cortical_drive", "learn", "run_session"]


#: Medium spiny neuron: rests far below threshold.
MSN = Cell(cm=0.2, tau_m=20.0, tau_refrac=2.0, tau_syn_E=5.0, tau_syn_I=10.0,
           v_rest=-80.0, v_reset=-75.0, v_thresh=-50.0, e_rev_E=0.0, e_rev_I=-75.0)  # fmt: skip
#: Fast-spiking interneuron.
FSI = Cell(cm=0.1, tau_m=10.0, tau_refrac=1.0, tau_syn_E=3.0, tau_syn_I=8.0,
           v_rest=-75.0, v_reset=-70.0, v_thresh=-52.0, e_rev_E=0.0, e_rev_I=-75.0)  # fmt: skip


@dataclass(frozen=True)
class NetworkParameters(Declared):
    """The network around the MSNs.

    Attributes
    ----------
    cortex, background : int
        Cortical cells of each behaviour, and of no behaviour.
    active, idle, background_rate : float
        Rates of a behaviour's cells during it and else, and of the background (Hz).
    fsi : int
        Interneurons for each behaviour.
    msn, interneuron : Cell
        Cell models.
    to_msn, to_fsi : float
        Weights of cortical synapses (uS).
    fsi_to_msn, msn_to_msn : float
        Weights of inhibitory synapses (uS).
    p_strong, p_weak, p_background, p_fsi, p_msn : float
        Connection probabilities: cortex to the MSNs it activates, to the others, background to MSNs, FSIs to the
        MSNs they silence, MSNs to MSNs.
    d1, d2 : STDP
        What pairs of spikes around a reward do to cortical synapses onto D1 and D2 neurons.
    before, after : float
        Pairs from so long before the entry to a full dispenser until so long after it change weights (ms).
    delay, timestep : float
        Synaptic delay and time step (ms).
    """

    cortex: int = integer(40, 1, 100_000, "cells")
    background: int = integer(120, 1, 100_000, "cells")
    active: float = number(12.0, "Hz", 0, 1000)
    idle: float = number(2.0, "Hz", 0, 1000)
    background_rate: float = number(5.0, "Hz", 0, 1000)
    fsi: int = integer(4, 1, 100_000, "cells")
    msn: Cell = part(MSN, Cell)
    interneuron: Cell = part(FSI, Cell)
    to_msn: float = number(0.0016, "uS", 0)
    to_fsi: float = number(0.0025, "uS", 0)
    fsi_to_msn: float = number(0.01, "uS", 0)
    msn_to_msn: float = number(0.0005, "uS", 0)
    p_strong: float = number(0.35, "", 0, 1)
    p_weak: float = number(0.1, "", 0, 1)
    p_background: float = number(0.6, "", 0, 1)
    p_fsi: float = number(0.8, "", 0, 1)
    p_msn: float = number(0.1, "", 0, 1)
    d1: STDP = part(STDP(0.01, -0.004, 20.0, 20.0, w_max=0.0032), STDP)
    d2: STDP = part(STDP(-0.004, 0.002, 20.0, 20.0, w_max=0.0032), STDP)
    before: float = number(5000.0, "ms", 0)
    after: float = number(1000.0, "ms", 0)
    delay: float = number(1.0, "ms", 0, low_open=True)
    timestep: float = number(0.5, "ms", 0, low_open=True)

    def check(self) -> None:
        check_number("timestep", self.timestep, "ms", 0, self.delay, low_open=True)

    @property
    def n_cortex(self) -> int:
        """All cortical cells."""
        return len(GROUPS) * self.cortex + self.background


@dataclass(frozen=True, eq=False)
class StriatalNetwork:
    """Who connects to whom, and how strongly. Arrays are (n_pre, n_post), weights in uS, 0 where not connected.

    Attributes
    ----------
    parameters : NetworkParameters
    seed : int
    plastic : dict of ndarray
        Cortex to "D1" and "A2A" MSNs: these weights learn.
    cortex_to_fsi : ndarray
    fsi_to_msn, msn_to_msn : dict of ndarray
        By pathway of the target; MSNs inhibit those of their own pathway.
    """

    parameters: NetworkParameters
    seed: int
    plastic: dict[str, np.ndarray]
    cortex_to_fsi: np.ndarray
    fsi_to_msn: dict[str, np.ndarray]
    msn_to_msn: dict[str, np.ndarray]


def build_network(
    seed: int, categories: dict[str, np.ndarray], parameters: NetworkParameters | None = None
) -> StriatalNetwork:
    """Draw the connections of a network.

    Parameters
    ----------
    seed : int
        Master seed.
    categories : dict of ndarray of bool, shape (n_neurons, 8)
        By pathway ("D1", "A2A"), what each MSN is wired to code: (sequence, zones, food, explo) up, then down.
    parameters : NetworkParameters, optional
    """
    p = NetworkParameters() if parameters is None else parameters
    owner = np.repeat(np.arange(len(GROUPS)), p.cortex)
    fsi_owner = np.repeat(np.arange(len(GROUPS)), p.fsi)
    plastic, fsi_to_msn, msn_to_msn = {}, {}, {}
    for pathway in PATHWAYS:
        wired = np.asarray(categories[pathway], bool)
        if wired.ndim != 2 or wired.shape[1] != 2 * len(GROUPS):
            raise ValueError(f"categories[{pathway!r}] has shape {wired.shape}: it must be (n_neurons, 8)")
        rng = stream(seed, "striatum", pathway)
        n = len(wired)
        probability = np.vstack(
            [np.where(wired[:, :4].T[owner], p.p_strong, p.p_weak), np.full((p.background, n), p.p_background)]
        )
        plastic[pathway] = p.to_msn * (rng.random(probability.shape) < probability)
        fsi_to_msn[pathway] = p.fsi_to_msn * (rng.random((len(fsi_owner), n)) < p.p_fsi * wired[:, 4:].T[fsi_owner])
        msn_to_msn[pathway] = p.msn_to_msn * (rng.random((n, n)) < p.p_msn) * ~np.eye(n, dtype=bool)
    own = np.concatenate([owner[:, None] == fsi_owner[None, :], np.zeros((p.background, len(fsi_owner)), bool)])
    return StriatalNetwork(p, seed, plastic, p.to_fsi * own, fsi_to_msn, msn_to_msn)


# ---------------------------------------------------------------- simulation and learning


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
