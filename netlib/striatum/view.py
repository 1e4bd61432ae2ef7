"""One simulation in detail, for looking at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.striatum.engine import simulate
from netlib.striatum.parameters import Parameters
from netlib.striatum.plan import draw_plan
from netlib.units import check_integer

__all__ = ["SimulationView", "view_simulation"]


@dataclass(frozen=True)
class SimulationView:
    """One simulation, and its spikes and potential in a few trials.

    Parameters
    ----------
    parameters : Parameters
    first, last : int
        Trials shown in detail: from ``first`` until before ``last``.
    spike_time, spike_neuron : ndarray
        Cortical spikes (ms since the start of training, neuron) in these trials.
    background_time, output_time : ndarray
        Background and postsynaptic spikes in these trials (ms).
    time, voltage : ndarray
        Potential of the neuron (ms, mV) in these trials.
    weights : ndarray, shape (n_trials, P)
        After each trial.
    training_accuracy : ndarray, shape (n_trials,)
        Right answers in training: running mean over 41 trials, NaN where fewer than five of them
        showed a pattern.
    test_trial, test_accuracy : ndarray, shape (n_tests,)
    rewarded : ndarray of bool, shape (n_pattern,)
        Of the last pattern set.
    in_a_row : ndarray of int, shape (n_pattern,)
        Right answers in a row to each pattern at the end of training.

    Examples
    --------
    >>> view = view_simulation(Parameters(), seed=1, trials=5)
    >>> view.first, view.last, view.weights.shape
    (750, 755, (2000, 10))
    """

    parameters: Parameters
    first: int
    last: int
    spike_time: np.ndarray
    spike_neuron: np.ndarray
    background_time: np.ndarray
    output_time: np.ndarray
    time: np.ndarray
    voltage: np.ndarray
    weights: np.ndarray
    training_accuracy: np.ndarray
    test_trial: np.ndarray
    test_accuracy: np.ndarray
    rewarded: np.ndarray
    in_a_row: np.ndarray


def view_simulation(
    parameters: Parameters, seed: int, simulation: int = 0, first: int | None = None, trials: int = 10, smooth: int = 41
) -> SimulationView:
    """Run one simulation and keep what a figure of it needs.

    Parameters
    ----------
    parameters, seed, simulation
        As for :func:`netlib.striatum.draw_plan`.
    first : int, optional
        First trial shown in detail; by default the middle of the second phase, or of training.
    trials : int
        Trials shown in detail.
    smooth : int
        Trials of the running mean of the training accuracy; ends are mirrored.

    Examples
    --------
    >>> view = view_simulation(Parameters(), seed=1, first=0, trials=2)
    >>> view.time.shape, round(float(view.voltage.min()))
    ((1000,), -80)
    """
    p = parameters
    ends = p.phase_ends
    middle = (ends[0] + ends[1]) // 2 if len(ends) > 1 else ends[0] // 2
    first = check_integer("first", min(middle, p.n_trials - 1) if first is None else first, 0, p.n_trials - 1, "trials")
    last = min(p.n_trials, first + check_integer("trials", trials, 1, unit="trials"))
    plan = draw_plan(p, seed, simulation)
    run = simulate(p, plan, record=True)
    start, stop = first * p.steps, last * p.steps
    noise = slice(plan.noise_first[first], plan.noise_first[last])
    step, source = [plan.noise_step[noise]], [plan.noise_source[noise]]
    sets = np.array([phase.pattern_set for phase in p.phases])[plan.phase]
    for trial in np.flatnonzero(plan.shown[first:last]) + first:
        step.append(trial * p.steps + plan.spike_step[trial])
        source.append(plan.patterns[sets[trial], plan.pattern[trial]])
    step, source = np.concatenate(step), np.concatenate(source)
    time, voltage = _voltage(p, run.active_step, run.active_voltage, start, stop)
    tests = np.array(p.test_sets())
    expected = plan.rewarded[tests]
    return SimulationView(
        p, first, last,
        spike_time=step[source < p.P] * p.dt, spike_neuron=source[source < p.P],
        background_time=step[source == p.P] * p.dt,
        output_time=run.spikes[(run.spikes >= start) & (run.spikes < stop)] * p.dt,
        time=time, voltage=voltage, weights=run.trial_weights,
        training_accuracy=_running_mean(run.correct, check_integer("smooth", smooth, 1, unit="trials")),
        test_trial=np.array(p.test_trials()), test_accuracy=(run.fired == expected).mean(-1),
        rewarded=plan.rewarded[sets[-1]], in_a_row=_in_a_row(plan.pattern, run.correct, sets, p.n_pattern),
    )  # fmt: skip


def _voltage(p: Parameters, step: np.ndarray, V: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Potential at every step of a stretch: it decays from the last step in which something arrived."""
    every = np.arange(start, stop)
    last = np.searchsorted(step, every, side="right") - 1
    since = every - np.where(last < 0, 0, step[last])
    above = np.where(last < 0, 0.0, V[last] - p.E_L)
    return every * p.dt, p.E_L + above * (1.0 - p.dt / p.tau_m) ** since


def _running_mean(correct: np.ndarray, width: int) -> np.ndarray:
    """Running mean with mirrored ends over the trials that showed a pattern, where there are five."""
    half = min(width // 2, len(correct) - 1)
    padded = np.pad(correct.astype(float), half, mode="reflect")
    shown = padded >= 0
    kernel = np.ones(2 * half + 1)
    total = np.convolve(np.where(shown, padded, 0.0), kernel, mode="valid")
    count = np.convolve(shown.astype(float), kernel, mode="valid")
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 4.5)


def _in_a_row(pattern: np.ndarray, correct: np.ndarray, sets: np.ndarray, n_pattern: int) -> np.ndarray:
    """Right answers in a row at the end; a new pattern set starts at 0."""
    found = np.zeros(n_pattern, int)
    for k in range(n_pattern):
        answers = correct[(pattern == k) & (sets == sets[-1]) & (correct >= 0)]
        wrong = np.flatnonzero(answers == 0)
        found[k] = len(answers) - (wrong[-1] + 1 if len(wrong) else 0)
    return found
