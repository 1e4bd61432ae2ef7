"""All that chance decides in one simulation, drawn before it starts, so that any engine can play it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from netlib.seeds import stream
from netlib.striatum.parameters import Parameters
from netlib.units import check_integer

__all__ = ["Plan", "draw_plan"]


@dataclass(frozen=True)
class Plan:
    """What one simulation is fed.

    Parameters
    ----------
    patterns : ndarray of int, shape (n_sets, n_pattern, stim_by_pattern)
        Active neurons of each pattern.
    rewarded : ndarray of bool, shape (n_sets, n_pattern)
    weights : ndarray, shape (P,)
        Weights at the start.
    phase, pattern : ndarray of int, shape (n_trials,)
        Phase and pattern of each trial.
    shown : ndarray of bool, shape (n_trials,)
        Whether the pattern is shown.
    spike_step : ndarray of int, shape (n_trials, stim_by_pattern)
        Step of the trial in which each active neuron emits its spike.
    noise_step, noise_source : ndarray of int, shape (n_events,)
        Noise spikes in order of time: step since the start of training, and neuron; ``P`` is the background.
    noise_first : ndarray of int, shape (n_trials + 1,)
        Position in these of the first event of each trial, and their number.

    Examples
    --------
    >>> plan = draw_plan(Parameters(), seed=1, simulation=0)
    >>> plan.patterns.shape, len(plan.pattern), plan.spike_step.shape
    ((1, 10, 3), 2000, (2000, 3))
    """

    patterns: np.ndarray
    rewarded: np.ndarray
    weights: np.ndarray
    phase: np.ndarray
    pattern: np.ndarray
    shown: np.ndarray
    spike_step: np.ndarray
    noise_step: np.ndarray
    noise_source: np.ndarray
    noise_first: np.ndarray


def draw_plan(parameters: Parameters, seed: int, simulation: int) -> Plan:
    """Draw what simulation number ``simulation`` is fed under the master seed.

    Each simulation has a seed of its own, a child of the master seed, and patterns, weights, trials and noise have
    one each under it. So one simulation can be run again alone, and settings that differ only in their plasticity
    are fed the same: compare them in pairs.

    Examples
    --------
    >>> a, b = (draw_plan(Parameters(Apostpre=value), seed=1, simulation=3) for value in (-1.0, 1.0))
    >>> bool((a.patterns == b.patterns).all() and (a.noise_step == b.noise_step).all())
    True
    """
    check_integer("simulation", simulation, 0)
    p = parameters
    rng = {name: stream(seed, "striatum", simulation, name) for name in ("patterns", "weights", "trials", "noise")}
    sets = [_draw_set(p, rng["patterns"]) for _ in range(1 + max(phase.pattern_set for phase in p.phases))]
    trials, noise = rng["trials"], rng["noise"]
    shown, events, start = [], [], 0
    for phase in p.phases:
        shown.append(trials.random(phase.trials) < phase.presentation)
        events.append(_draw_noise(p, noise, phase.noise, phase.trials, start))
        start += phase.trials * p.steps
    time = p.offset_steps + p.noise_pattern / p.dt * trials.standard_normal((p.n_trials, p.stim_by_pattern))
    noise_step = np.concatenate([step for step, _ in events])
    return Plan(
        patterns=np.stack([patterns for patterns, _ in sets]),
        rewarded=np.stack([rewarded for _, rewarded in sets]),
        weights=rng["weights"].uniform(p.w_initial_low, p.w_initial_high, p.P),
        phase=np.repeat(np.arange(len(p.phases)), [phase.trials for phase in p.phases]),
        pattern=trials.integers(p.n_pattern, size=p.n_trials),
        shown=np.concatenate(shown),
        # Cut down to a whole step, as in the published program.
        spike_step=np.clip(time, 1, p.steps - 1).astype(np.int64) - 1,
        noise_step=noise_step,
        noise_source=np.concatenate([source for _, source in events]),
        noise_first=np.searchsorted(noise_step, np.arange(p.n_trials + 1) * p.steps),
    )


def _draw_set(p: Parameters, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Distinct random patterns, and whether each is rewarded."""
    ranks = rng.choice(math.comb(p.P, p.stim_by_pattern), p.n_pattern, replace=False)
    patterns = np.array([_subset(int(rank), p.P, p.stim_by_pattern) for rank in ranks])
    return patterns, rng.random(p.n_pattern) < p.p_reward


@functools.lru_cache(maxsize=10_000)
def _subset(rank: int, n: int, size: int) -> tuple[int, ...]:
    """Subset number ``rank`` of ``size`` of the numbers 0..n-1, in lexicographic order."""
    chosen, value = [], 0
    while len(chosen) < size:
        with_value = math.comb(n - value - 1, size - len(chosen) - 1)
        if rank < with_value:
            chosen.append(value)
        else:
            rank -= with_value
        value += 1
    return tuple(chosen)


def _draw_noise(
    p: Parameters, rng: np.random.Generator, gain: float, trials: int, start: int
) -> tuple[np.ndarray, np.ndarray]:
    """Noise spikes of a phase that starts at step ``start``: (step, source), in order of time."""
    steps, rate = trials * p.steps, gain * p.noise_input * p.dt
    cortical = _successes(rng, steps * p.P, rate / p.P)
    background = _successes(rng, steps, rate)
    step = np.concatenate([cortical // p.P, background])
    source = np.concatenate([cortical % p.P, np.full(len(background), p.P)])
    order = np.argsort(step, kind="stable")
    return start + step[order], source[order]


def _successes(rng: np.random.Generator, n: int, probability: float) -> np.ndarray:
    """Which of ``n`` Bernoulli trials succeed, drawn by the geometric gaps between them."""
    if probability <= 0 or n == 0:
        return np.zeros(0, np.int64)
    size = int(n * probability + 5 * math.sqrt(n * probability) + 10)
    found, last = [], -1
    while last < n:
        found.append(last + np.cumsum(rng.geometric(probability, size)))
        last = int(found[-1][-1])
    place = np.concatenate(found)
    return place[: np.searchsorted(place, n)]
