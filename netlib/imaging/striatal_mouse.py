"""Sessions of a mouse whose spikes come from a network of the striatum, imaged as any others."""

from __future__ import annotations

import dataclasses

import numpy as np

from netlib.imaging.populations import CLAIMS, MousePlan, SyntheticParameters, plan_mouse, template
from netlib.imaging.striatal_network import cortical_drive, learn, run_session
from netlib.imaging.striatal_wiring import NetworkParameters, build_network
from netlib.imaging.synthetic import observe
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.recordings.operant.behaviour_session import PATHWAYS, BehaviourSession
from netlib.recordings.operant.simulate_behaviour import simulate_behaviour
from netlib.seeds import stream

__all__ = ["network_mouse", "wiring"]


def wiring(parameters: SyntheticParameters, plan: MousePlan, seed: int) -> dict[str, np.ndarray]:
    """What the MSNs of both pathways are wired to code; those of the imaged pathway by the plan of the mouse."""
    found = {}
    for pathway in PATHWAYS:
        own = plan if pathway == plan.pathway else plan_mouse(seed, f"{plan.mouse} (other)", pathway, parameters)
        parts = CLAIMS[parameters.claims][pathway]
        ever = np.stack([template(part, parameters.sessions).any(axis=0) for part in parts])
        found[pathway] = ever[own.cluster]
    return found


def network_mouse(
    seed: int,
    plan: MousePlan,
    parameters: SyntheticParameters,
    network: NetworkParameters | None = None,
    **options: bool,
) -> list[BehaviourSession]:
    """All sessions of a mouse, its spikes from a network whose cortical synapses learn from session to session.

    Parameters
    ----------
    seed : int
        Master seed.
    plan : MousePlan
        Who is imaged when. Its base rates and categories by session are not used: what the neurons do is the
        network's affair. ``truth["cluster"]`` tells which share cortical input.
    parameters : SyntheticParameters
        Those of the plan.
    network : NetworkParameters, optional
        The network around the MSNs.
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`netlib.imaging.synthetic.observe`.

    Returns
    -------
    list of BehaviourSession
        ``truth`` also holds ``weights``, the mean weight (uS) of each MSN from each of the four cortical populations
        during the session, shape (n_neurons, 4), and ``wired``, the categories it is wired to code.
    """
    own = int(stream(seed, "network", plan.mouse).integers(2**62))
    wired = wiring(parameters, plan, seed)
    striatum = build_network(own, wired, network)
    p = striatum.parameters
    sessions = []
    for k in range(parameters.sessions):
        behaviour = simulate_behaviour(
            seed,
            plan.mouse,
            plan.pathway,
            k + 1,
            n_sessions=parameters.sessions,
            duration=parameters.duration,
        )
        drive_seed = int(stream(own, "drive", k).integers(2**62))
        drive = cortical_drive(drive_seed, behaviour.intervals, behaviour.duration, p)
        spikes = run_session(striatum, drive)
        index, time = _visible(spikes[plan.pathway], plan.local[k], len(plan.base))
        seen = observe(behaviour, plan, index, time, drive_seed, parameters, **options)
        tuned = striatum.plastic[plan.pathway][: len(GROUPS) * p.cortex, plan.local[k]]
        tuned = tuned.reshape(len(GROUPS), p.cortex, -1)
        truth = {
            "weights": (tuned.sum(axis=1) / np.maximum((tuned > 0).sum(axis=1), 1)).T,
            "wired": wired[plan.pathway][plan.local[k]],
            "fsi": spikes["FSI"],
        }
        sessions.append(dataclasses.replace(seen, truth={**seen.truth, **truth}))
        striatum = learn(striatum, drive, spikes, behaviour.intervals)
    return sessions


def _visible(spikes: tuple[np.ndarray, np.ndarray], cells: np.ndarray, n_pool: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the imaged cells by local index."""
    local = np.full(n_pool, -1)
    local[cells] = np.arange(len(cells))
    index, time = spikes
    keep = local[index] >= 0
    return local[index[keep]].astype(np.int32), time[keep]
