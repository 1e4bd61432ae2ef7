"""The striatal model step by step in plain Python: slow, and the definition that the compiled engine is held to."""

import math

import numpy as np

from netlib.striatum import Parameters, Plan, Run


def simulate_by_steps(parameters: Parameters, plan: Plan) -> Run:
    """Simulate one plan, every step of every trial.

    The equations are those of :mod:`netlib.striatum.engine`.

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
