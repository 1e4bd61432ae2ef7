"""The same simulation with the neuron in NEST, through PyNN: a cross-check, thousands of times slower."""

from __future__ import annotations

import logging
import math

import numpy as np

from netlib.networks.simulators import open_simulator, run_to
from netlib.striatum.engine import Run, patterns_fire
from netlib.striatum.model import Parameters, Plan

__all__ = ["simulate_on_nest"]


def simulate_on_nest(parameters: Parameters, plan: Plan) -> Run:
    """Simulate a plan with PyNN's IF_curr_delta on NEST, which is fed the plan's spikes.

    Weights follow the same rule, but in Python, from the spikes of a trial, and act from the next trial on: within a
    trial the neuron sees those from its start. Besides, NEST decays by exp(-dt / tau_m) a step and not by
    1 - dt / tau_m. So runs agree until a pattern comes so near the threshold that one of the two decides it.

    Raises
    ------
    ValueError
        If the parameters have what is not built here: a gate of plasticity, nearest-neighbour traces, legacy.
    """
    p = parameters
    if p.stop_learning != "None" or p.nearest or p.legacy:
        raise ValueError("parameters must have stop_learning = 'None', nearest = False and legacy = False for NEST")
    step, source = _all_spikes(p, plan)
    logging.getLogger("PyNN").addFilter(_worth_saying)
    with open_simulator("nest", timestep=p.dt, min_delay=p.dt, max_delay=p.dt) as sim:
        import nest

        cell = sim.Population(
            1,
            sim.IF_curr_delta(
                v_rest=p.E_L, v_reset=p.V_reset, v_thresh=p.V_th, tau_m=p.tau_m, tau_refrac=p.dt, cm=1.0, i_offset=0.0
            ),
        )
        trains = [sim.Sequence((step[source == i] + 1) * p.dt) for i in range(p.P + 1)]
        inputs = sim.Population(p.P + 1, sim.SpikeSourceArray(spike_times=trains))
        synapse = sim.StaticSynapse(weight=p.R * p.background_weight, delay=p.dt)
        sim.Projection(inputs, cell, sim.AllToAllConnector(), synapse)
        neuron = nest.NodeCollection([int(cell[0])])
        recorder = nest.Create("spike_recorder")
        nest.Connect(neuron, recorder, syn_spec={"delay": p.dt})
        neuron.set(V_m=p.E_L)
        by_source = nest.GetConnections(target=neuron)
        order = np.argsort(np.argsort(by_source.get("source")))
        learner = _Learner(p, plan.weights)
        spikes, trial_weights, n_spikes, seen, now = [], [], [], 0, 0.0
        for trial in range(p.n_trials):
            magnitudes = np.append(learner.w, p.background_weight)[order]
            by_source.set(weight=(p.R * magnitudes).tolist())
            end = (trial + 1) * p.steps * p.dt
            run_to(sim, now, end)
            now = end
            fired = np.round(np.sort(recorder.get("events")["times"]) / p.dt).astype(int)[seen:] - 1
            fired = fired[fired < (trial + 1) * p.steps]  # PyNN runs a step ahead
            seen += len(fired)
            mine = step // p.steps == trial
            reward = p.phases[plan.phase[trial]].reward * _rewarded(p, plan, trial)
            learner.learn(step[mine], source[mine], fired, p.epsilon * reward)
            spikes.append(fired)
            n_spikes.append(len(fired))
            trial_weights.append(learner.w.copy())
    history = np.vstack([plan.weights, trial_weights])
    weights = history[p.test_trials()]
    rewarded = np.array([_rewarded(p, plan, trial) for trial in range(p.n_trials)])
    right = (np.array(n_spikes) >= 1) == rewarded
    fired = patterns_fire(p, plan.patterns[p.test_sets()], weights)
    correct = np.where(plan.shown, right, -1)
    return Run(weights, fired, correct, np.array(n_spikes), np.concatenate(spikes), np.array(trial_weights))


def _worth_saying(record: logging.LogRecord) -> bool:
    # PyNN starts every cell at a potential of its own, which NEST refuses for this one; we set it.
    return "setting an initial value for v" not in record.getMessage()


def _rewarded(p: Parameters, plan: Plan, trial: int) -> bool:
    return bool(plan.rewarded[p.phases[plan.phase[trial]].pattern_set, plan.pattern[trial]])


def _all_spikes(p: Parameters, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Steps and sources of all spikes of noise and patterns, each pair once."""
    trial = np.flatnonzero(plan.shown)
    sets = np.array([phase.pattern_set for phase in p.phases])[plan.phase[trial]]
    members = plan.patterns[sets, plan.pattern[trial]]
    shown = trial[:, None] * p.steps + plan.spike_step[trial]
    pairs = np.concatenate([shown.ravel(), plan.noise_step]) * (p.P + 1)
    pairs = np.unique(pairs + np.concatenate([members.ravel(), plan.noise_source]))
    return pairs // (p.P + 1), pairs % (p.P + 1)


class _Learner:
    """Weights and traces, advanced by the spikes of one trial at a time."""

    def __init__(self, p: Parameters, weights: np.ndarray) -> None:
        self.p, self.w, self.x, self.y, self.last = p, weights.copy(), np.zeros(p.P), 0.0, 0

    def learn(self, step: np.ndarray, source: np.ndarray, fired: np.ndarray, reward: float) -> None:
        """Apply the rule to presynaptic spikes (step, source) and postsynaptic ones; the background has no synapse."""
        p = self.p
        decay_x, decay_y = math.exp(-p.dt / p.tau_pre), math.exp(-p.dt / p.tau_post)
        for n in np.union1d(step, fired).astype(int):
            s = np.zeros(p.P)
            s[[i for i in source[step == n] if i < p.P]] = 1.0
            z = float(n in fired)
            x, y = self.x * decay_x ** (n - self.last), self.y * decay_y ** (n - self.last)
            change = p.epsilon * (p.Aprepost * z * x + p.Apostpre * y * s) + reward * s
            self.w = np.clip(self.w + change, p.w_min, p.w_max)
            self.x, self.y, self.last = x + s / decay_x, y + z / decay_y, n
