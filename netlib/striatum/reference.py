"""The model step by step in plain Python: slow, and the definition that the fast engine is held against."""

from __future__ import annotations

import logging
import math

import numpy as np

from netlib.networks.simulators import open_simulator, run_to
from netlib.striatum.engine import Run, patterns_fire
from netlib.striatum.model import Parameters, Plan

__all__ = ["simulate_by_steps", "simulate_on_nest"]


# -------------------- The model step by step in plain Python: slow, and the definition that the fast engine is ...


def simulate_by_steps(parameters: Parameters, plan: Plan) -> Run:
    """Simulate one plan, every step of every trial.

    In each step (Perez et al. 2022; Euler integration) the spikes of the step before act: with the presynaptic spikes
    s, the background spike q, the postsynaptic spike z and the traces x and y before these spikes,

    - V changes by dt / tau_m (E_L - V) + R (w·s + background_weight q); above V_th the neuron fires, and the next
      step puts it to V_reset whatever it receives;
    - w_i changes by gate (epsilon Aprepost z x_i + epsilon Apostpre y s_i + epsilon reward r s_i) and stays in bounds;
    - x and y decay by exp(-dt / tau) and grow by s and z.

    Returns
    -------
    Run
        With spikes and the weights after each trial.

    Examples
    --------
    >>> from netlib.striatum import Phase, draw_plan
    >>> short = Parameters(stim_duration=20.0, stim_offset=10.0, phases=(Phase("learning", 5),))
    >>> run = simulate_by_steps(short, draw_plan(short, seed=1, simulation=0))
    >>> run.trial_weights.shape, run.n_spikes.shape
    ((5, 10), (5,))
    """
    return _Steps(parameters, plan).run()


class _Steps:
    def __init__(self, parameters: Parameters, plan: Plan) -> None:
        self.p, self.plan = parameters, plan
        P = parameters.P
        self.w, self.x, self.y, self.V = plan.weights.copy(), np.zeros(P), 0.0, parameters.E_L
        self.s, self.z, self.q = np.zeros(P), False, False
        self.spikes: list[int] = []
        self.before = (0.0, 1.0)

    def run(self) -> Run:
        p, plan = self.p, self.plan
        test_trials, test_sets = p.test_trials(), p.test_sets()
        weights, fired, correct, trial_weights, n_spikes = [], [], [], [], []
        gate, error, in_a_row, test = 1.0, 0.0, np.zeros(p.n_pattern, int), 0
        decay = math.exp(-p.dt) if p.legacy else math.exp(-1.0 / p.error_memory)
        for trial in range(p.n_trials):
            if test_trials[test] == trial:
                weights.append(self.w.copy())
                fired.append(self.test(plan.patterns[test_sets[test]]))
                test += 1
            phase = p.phases[plan.phase[trial]]
            if trial and p.phases[plan.phase[trial - 1]].pattern_set != phase.pattern_set:
                in_a_row[:] = 0
            k = plan.pattern[trial]
            rewarded = plan.rewarded[phase.pattern_set, k]
            if p.stop_learning == "number_success":
                gate = 0.0 if in_a_row[k] > p.num_success_params else 1.0
            active = [set() for _ in range(p.steps)]
            for event in range(plan.noise_first[trial], plan.noise_first[trial + 1]):
                active[plan.noise_step[event] - trial * p.steps].add(int(plan.noise_source[event]))
            if plan.shown[trial]:
                for neuron, step in zip(plan.patterns[phase.pattern_set, k], plan.spike_step[trial], strict=True):
                    active[step].add(int(neuron))
            n = self.window(active, p.epsilon * phase.reward * rewarded, gate, trial * p.steps)
            n_spikes.append(n)
            right = (n >= 1) == rewarded
            correct.append(int(right) if plan.shown[trial] else -1)
            if plan.shown[trial]:
                in_a_row[k] = in_a_row[k] + 1 if right else 0
                error += not right
            error *= decay
            if p.stop_learning == "exponential_trace":
                gate = error
            trial_weights.append(self.w.copy())
        weights.append(self.w.copy())
        fired.append(self.test(plan.patterns[test_sets[-1]]))
        arrays = (weights, fired, correct, n_spikes, self.spikes, trial_weights)
        return Run(*(np.array(a) for a in arrays))

    def test(self, patterns: np.ndarray) -> list[bool]:
        """Which patterns make the neuron fire, without noise, jitter and plasticity."""
        p, fired = self.p, []
        kept = self.w.copy(), self.x.copy(), self.y, self.V, self.s.copy(), self.z, self.q, self.before
        for pattern in patterns:
            self.V, self.z, self.y, self.x = p.E_L, False, 0.0, np.zeros(p.P)
            if not p.legacy:
                self.s, self.q = np.zeros(p.P), False
            active = [set() for _ in range(p.steps)]
            active[p.offset_steps - 1] = {int(neuron) for neuron in pattern}
            fired.append(self.window(active, 0.0, 0.0, None) >= 1)
        if not p.legacy:
            self.w, self.x, self.y, self.V, self.s, self.z, self.q, self.before = kept
        return fired

    def window(self, active: list[set[int]], reward: float, gate: float, start: int | None) -> int:
        """Run one trial, in which step j emits the spikes ``active[j]``; returns the number of postsynaptic spikes."""
        p, fired = self.p, 0
        decay_x, decay_y = math.exp(-p.dt / p.tau_pre), math.exp(-p.dt / p.tau_post)
        for j, sources in enumerate(active):
            reward_now, gate_now = self.before if j == 0 and not p.legacy else (reward, gate)
            drive = p.R * (self.w @ self.s + p.background_weight * self.q)
            change = p.epsilon * (p.Aprepost * self.z * self.x + p.Apostpre * self.y * self.s) + reward_now * self.s
            self.w = np.clip(self.w + gate_now * change, p.w_min, p.w_max)
            if p.nearest:
                self.x = np.where(self.s > 0, 1.0, self.x * decay_x)
                self.y = 1.0 if self.z else self.y * decay_y
            else:
                self.x = self.x * decay_x + self.s
                self.y = self.y * decay_y + self.z
            V = self.V + p.dt / p.tau_m * (p.E_L - self.V) + drive
            if self.z:
                V = p.V_reset
            self.z = p.V_th < V
            self.V = p.V_th if self.z else V
            if self.z:
                fired += 1
                if start is not None:
                    self.spikes.append(start + j)
            self.s = np.zeros(p.P)
            self.s[[source for source in sources if source < p.P]] = 1.0
            self.q = p.P in sources
        self.before = (reward, gate)
        return fired


# -------------------- The same simulation with the neuron in NEST, through PyNN: a cross-check, thousands of ...


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
