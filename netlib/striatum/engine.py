"""The engine: from spike to spike, in compiled code; what lies between decays in closed form.

In each step (Perez et al. 2022, Cell Reports 38(11):110521; Euler integration) the spikes of the step before act. With
the presynaptic spikes s, the background spike q, the postsynaptic spike z and the traces x and y before these spikes,

- V changes by dt / tau_m (E_L - V) + R (w·s + background_weight q); above V_th the neuron fires, and the next step puts
  it to V_reset whatever it receives;
- w_i changes by gate (epsilon Aprepost z x_i + epsilon Apostpre y s_i + epsilon reward r s_i) and stays in bounds;
- x and y decay by exp(-dt / tau) and grow by s and z.

The tests hold it against a plain Python program that does every step (``tests/striatum/_step_by_step.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from netlib.striatum.model import STOP_LEARNING, Parameters, Plan

__all__ = ["Run", "patterns_fire", "simulate"]


@dataclass(frozen=True)
class Run:
    """One simulation.

    Parameters
    ----------
    weights : ndarray, shape (n_tests, P)
        Weights at each test.
    fired : ndarray of bool, shape (n_tests, n_pattern)
        Whether each pattern made the neuron fire in each test.
    correct : ndarray of int, shape (n_trials,)
        1 where the answer to the pattern of a training trial was right, 0 where wrong, -1 where none was shown.
    n_spikes : ndarray of int, shape (n_trials,)
        Postsynaptic spikes in each trial.
    spikes : ndarray of int
        Steps since the start of training at which the neuron fired.
    trial_weights : ndarray, shape (n_trials, P)
        Weights at the end of each trial.
    active_step, active_voltage : ndarray
        Steps in which spikes arrived and potential (mV) after them; from :func:`simulate` only.

    Examples
    --------
    >>> Run(np.zeros((2, 10)), np.zeros((2, 5), bool), np.array([1, 0, -1]), np.array([1, 0, 0])).correct.tolist()
    [1, 0, -1]
    """

    weights: np.ndarray
    fired: np.ndarray
    correct: np.ndarray
    n_spikes: np.ndarray
    spikes: np.ndarray | None = None
    trial_weights: np.ndarray | None = None
    active_step: np.ndarray | None = None
    active_voltage: np.ndarray | None = None


@njit(cache=True, nogil=True)
def _window(
    w, x, s, state, when, noise_step, noise_source, first, end, start, steps, constants, nearest,
    reward_before, gate_before, reward, gate, log_step, log_u, log_spike, log_n,
):  # fmt: skip
    """Run one trial; ``when`` is the step in which each neuron emits a pattern spike, or -1.

    Only steps that receive a spike change anything but by decay. ``state`` holds potential above rest, trace y,
    postsynaptic spike z and background spike q of the last step; it and w, x, s are changed in place.
    """
    P = len(w)
    a, decay_x, decay_y, R, u_th, u_reset, background, pre_post, post_pre, w_min, w_max = constants
    u, y, z, q = state
    pending = z > 0 or q > 0
    for i in range(P):
        pending = pending or s[i] > 0
    n, last, event, fired = -1, -1, first, 0
    while True:
        if pending:
            n += 1
        else:
            following = noise_step[event] - start if event < end else steps
            for i in range(P):
                if n < when[i] < following:
                    following = when[i]
            n = following
        if n >= steps:
            break
        if pending:
            quiet = n - last - 1
            fade_x = decay_x**quiet
            y *= decay_y**quiet
            reward_now, gate_now = (reward_before, gate_before) if n == 0 else (reward, gate)
            drive = background * q
            for i in range(P):
                drive += w[i] * s[i]
                x[i] *= fade_x
                change = pre_post * z * x[i] + (post_pre * y + reward_now) * s[i]
                if change != 0.0:
                    w[i] = min(max(w[i] + gate_now * change, w_min), w_max)
                x[i] = 1.0 if nearest and s[i] > 0 else x[i] * decay_x + s[i]
            y = 1.0 if nearest and z > 0 else y * decay_y + z
            u = u_reset if z > 0 else u * a ** (quiet + 1) + R * drive
            z = 0.0
            if u > u_th:
                u, z = u_th, 1.0
                fired += 1
            last = n
            if len(log_step):
                log_step[log_n[0]], log_u[log_n[0]], log_spike[log_n[0]] = start + n, u, z > 0
                log_n[0] += 1
        s[:] = 0.0
        q = 0.0
        pending = z > 0
        while event < end and noise_step[event] - start == n:
            if noise_source[event] == P:
                q = 1.0
            else:
                s[noise_source[event]] = 1.0
            event += 1
            pending = True
        for i in range(P):
            if when[i] == n:
                s[i] = 1.0
                pending = True
    quiet = steps - 1 - last
    u *= a**quiet
    y *= decay_y**quiet
    x *= decay_x**quiet
    state[0], state[1], state[2], state[3] = u, y, z, q
    return fired


@njit(cache=True, nogil=True)
def _simulate(
    w, patterns, rewarded, phase, pattern, shown, spike_step, noise_step, noise_source, noise_first,
    phase_reward, phase_set, test_trials, test_sets, steps, offset, constants, nearest, legacy,
    stop, num_success, error_decay, log_step, log_u, log_spike, trial_weights,
):  # fmt: skip
    """All trials: (weights at tests, fired in tests, correct, spikes in each trial, entries of the log)."""
    P, n_trials, n_pattern, n_tests = len(w), len(phase), patterns.shape[1], len(test_trials)
    weights, fired = np.zeros((n_tests, P)), np.zeros((n_tests, n_pattern), np.bool_)
    correct, n_spikes = np.full(n_trials, -1, np.int8), np.zeros(n_trials, np.int32)
    x, s, state = np.zeros(P), np.zeros(P), np.zeros(4)
    when, in_a_row, log_n = np.full(P, -1, np.int64), np.zeros(n_pattern, np.int64), np.zeros(1, np.int64)
    no_step, no_u, no_spike = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
    gate, error, test, reward_before, gate_before = 1.0, 0.0, 0, 0.0, 1.0
    for trial in range(n_trials + 1):
        if test < n_tests and test_trials[test] == trial:
            weights[test] = w
            if legacy:
                for k in range(n_pattern):
                    state[:3] = 0.0
                    x[:] = 0.0
                    when[:] = -1
                    for neuron in patterns[test_sets[test], k]:
                        when[neuron] = offset - 1
                    n = _window(
                        w, x, s, state, when, noise_step, noise_source, 0, 0, 0, steps, constants, nearest,
                        0.0, 0.0, 0.0, 0.0, no_step, no_u, no_spike, log_n,
                    )  # fmt: skip
                    fired[test, k] = n > 0
            test += 1
        if trial == n_trials:
            break
        pattern_set = phase_set[phase[trial]]
        if trial > 0 and phase_set[phase[trial - 1]] != pattern_set:
            in_a_row[:] = 0
        k = pattern[trial]
        good = rewarded[pattern_set, k]
        reward = phase_reward[phase[trial]] if good else 0.0
        if stop == 2:
            gate = 0.0 if in_a_row[k] > num_success else 1.0
        when[:] = -1
        if shown[trial]:
            for j in range(patterns.shape[2]):
                when[patterns[pattern_set, k, j]] = spike_step[trial, j]
        if legacy:
            reward_before, gate_before = reward, gate
        n_spikes[trial] = _window(
            w, x, s, state, when, noise_step, noise_source, noise_first[trial], noise_first[trial + 1],
            trial * steps, steps, constants, nearest, reward_before, gate_before, reward, gate,
            log_step, log_u, log_spike, log_n,
        )  # fmt: skip
        reward_before, gate_before = reward, gate
        if shown[trial]:
            right = (n_spikes[trial] >= 1) == good
            correct[trial] = right
            in_a_row[k] = in_a_row[k] + 1 if right else 0
            error += 0.0 if right else 1.0
        error *= error_decay
        if stop == 1:
            gate = error
        if len(trial_weights):
            trial_weights[trial] = w
    return weights, fired, correct, n_spikes, log_n[0]


def simulate(parameters: Parameters, plan: Plan, record: bool = False) -> Run:
    """Simulate one plan from spike to spike.

    Parameters
    ----------
    parameters : Parameters
    plan : Plan
        From :func:`netlib.striatum.draw_plan`, with the same parameters.
    record : bool
        Keep spikes, potential and the weights after each trial.

    Examples
    --------
    >>> from netlib.striatum import Parameters, Phase, draw_plan
    >>> short = Parameters(phases=(Phase("learning", 100),))
    >>> run = simulate(short, draw_plan(short, seed=1, simulation=0))
    >>> run.weights.shape, run.fired.shape, run.correct.shape
    ((12, 10), (12, 10), (100,))
    """
    p = parameters
    constants = (
        1.0 - p.dt / p.tau_m, math.exp(-p.dt / p.tau_pre), math.exp(-p.dt / p.tau_post), float(p.R), p.V_th - p.E_L,
        p.V_reset - p.E_L, float(p.background_weight), p.epsilon * p.Aprepost, p.epsilon * p.Apostpre,
        float(p.w_min), float(p.w_max),
    )  # fmt: skip
    # A step is logged when it receives a spike: emitted in the step before, or fired in it.
    capacity = 2 * (len(plan.noise_step) + plan.spike_step.size) if record else 0
    log_step, log_u, log_spike = np.zeros(capacity, np.int64), np.zeros(capacity), np.zeros(capacity, bool)
    trial_weights = np.zeros((p.n_trials if record else 0, p.P))
    weights, fired, correct, n_spikes, n = _simulate(
        plan.weights.copy(), plan.patterns, plan.rewarded, plan.phase, plan.pattern, plan.shown, plan.spike_step,
        plan.noise_step, plan.noise_source, plan.noise_first,
        np.array([p.epsilon * phase.reward for phase in p.phases]), np.array([phase.pattern_set for phase in p.phases]),
        np.array(p.test_trials()), np.array(p.test_sets()), p.steps, p.offset_steps, constants, p.nearest, p.legacy,
        STOP_LEARNING.index(p.stop_learning), p.num_success_params,
        math.exp(-p.dt) if p.legacy else math.exp(-1.0 / p.error_memory), log_step, log_u, log_spike, trial_weights,
    )  # fmt: skip
    if not p.legacy:
        fired = patterns_fire(p, plan.patterns[p.test_sets()], weights)
    if not record:
        return Run(weights, fired, correct, n_spikes)
    spikes, voltage = log_step[:n][log_spike[:n]], p.E_L + log_u[:n]
    return Run(weights, fired, correct, n_spikes, spikes, trial_weights, log_step[:n], voltage)


def patterns_fire(parameters: Parameters, patterns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Whether patterns, shown at once and without noise, make the resting neuron fire.

    Parameters
    ----------
    patterns : ndarray of int, shape (..., n_pattern, stim_by_pattern)
        Active neurons.
    weights : ndarray, shape (..., P)
        Weights.

    Returns
    -------
    ndarray of bool, shape (..., n_pattern)
    """
    shown = np.zeros((*patterns.shape[:-1], parameters.P))
    np.put_along_axis(shown, patterns, 1.0, axis=-1)
    return (shown @ weights[..., None])[..., 0] > parameters.threshold
