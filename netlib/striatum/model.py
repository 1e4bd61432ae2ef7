"""The striatal learning model: one neuron, its synapses, the task and its phases; and what chance decides in each run.

Names follow the published program of Perez, Cui, Vignoud, Perrin, Mendes, Touboul & Venance (2022), "Striatum expresses
region-specific plasticity consistent with distinct memory abilities", Cell Reports 38(11):110521.

A :class:`Plan` holds all that chance decides in a simulation. It is drawn before the simulation starts, so that any
engine can be fed the same.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_integer, check_number, check_type, on_grid
from netlib.base.fields import Declared, choice, integer, number, part
from netlib.base.seeds import stream

__all__ = ["LEGACY", "Parameters", "Phase", "Plan", "draw_plan"]

STOP_LEARNING = ("None", "exponential_trace", "number_success")

#: What ``legacy=True`` does as the published program does, and what happens without.
LEGACY = {
    "tests": "a test runs the network: it resets potential and traces, leaves those of its last pattern to the next "
    "trial, and a spike of the trial before can leak into its first pattern; otherwise a test is a matrix product on "
    "the weights, and training does not notice it",
    "boundary": "a spike in the last step of a trial is rewarded and gated as the next trial is, or lost in a test; "
    "otherwise as its own trial is",
    "error_trace": "stop_learning = exponential_trace forgets by exp(-dt / 1 ms) a trial; otherwise by "
    "exp(-1 / error_memory), the same at dt = 0.2 ms and error_memory = 5 trials",
    "new_set": "with a new pattern set, the test between maintenance and relearning is of the new set; otherwise of "
    "the set learned before, so that it measures retention",
    "grid": "durations are cut down to whole steps (0.6 ms are 2 steps of 0.2 ms); otherwise refused",
}


@dataclass(frozen=True)
class Phase(Declared):
    """A stretch of trials under the same conditions.

    Parameters
    ----------
    name : str
        What it is called.
    trials : int
        Number of trials.
    noise : float
        Factor of the noise rate.
    reward : float
        Weight gained, in units of epsilon, by a synapse at each presynaptic spike in a trial of a rewarded pattern.
    presentation : float
        Probability that the pattern of a trial is shown.
    pattern_set : int
        Number of the set of patterns: 0, or 1 for a second set that replaces it.

    Examples
    --------
    >>> Phase("maintenance", trials=100, noise=4.0, reward=0.0, presentation=0.0).reward
    0.0
    >>> Phase("learning", presentation=1.5)
    Traceback (most recent call last):
    ...
    ValueError: phase 'learning': presentation = 1.5 is out of range: it must be in [0, 1]
    """

    name: str = part(..., str)
    trials: int = integer(500, 0, 10**7, "trials")
    noise: float = number(1.0, "", 0)
    reward: float = number(0.95)
    presentation: float = number(1.0, "", 0, 1)
    pattern_set: int = integer(0, 0, 100)

    @property
    def prefix(self) -> str:
        """Which phase is meant, where a field is refused."""
        return f"phase {self.name!r}: "


@dataclass(frozen=True)
class Parameters(Declared):
    """Everything that decides a simulation, but its seed. Defaults are the article's, for the dorsomedial striatum.

    Parameters
    ----------
    P, stim_by_pattern, n_pattern : int
        Cortical neurons, those active in a pattern, and patterns to learn.
    Apostpre, Aprepost : float
        Weight change, in units of epsilon, of a post-pre and of a pre-post pair at lag 0. DMS: (-1, -1); DLS: (1, -1).
    epsilon : float
        Learning rate (dimensionless weight).
    noise_pattern : float
        SD of the time of each pattern spike in training (ms).
    noise_input : float
        Rate of background spikes that force the neuron, and of noise spikes of all cortical neurons together (per ms).
    stop_learning : {"None", "exponential_trace", "number_success"}
        Gate of plasticity: always open; open by the recent errors; shut for a pattern right more than
        ``num_success_params`` times in a row.
    p_reward : float
        Probability that a pattern is rewarded.
    stim_duration, stim_offset : float
        Length of a trial, and time of the pattern in it (ms).
    dt : float
        Time step (ms).
    phases : tuple of Phase
        What happens, in order.
    tau_pre, tau_post : float
        Time constants of the presynaptic and postsynaptic traces (ms).
    nearest : bool
        A trace is set to 1 by a spike (nearest neighbour) instead of growing by 1 (all to all).
    w_min, w_max, w_initial_low, w_initial_high : float
        Bounds of the weights, and of the uniform distribution they start from (dimensionless).
    background_weight : float
        Weight of a background spike; the default always makes the neuron fire.
    test_every, test_detail, test_detail_trials : int
        Tests come every ``test_detail`` trials in the first ``test_detail_trials`` of a phase, then every
        ``test_every``.
    error_memory : float
        Time constant of ``exponential_trace`` (trials).
    R, tau_m, E_L, V_th, V_reset : float
        Leaky integrate-and-fire neuron: jump by a spike of weight 1 (mV), membrane time constant (ms), resting,
        threshold and reset potential (mV); values of Yim, Aertsen & Kumar (2011), PLoS Comput Biol 7:e1002254.
    legacy : bool
        Do as the published program does where we differ on purpose; see ``LEGACY``.

    Raises
    ------
    TypeError, ValueError
        If a value is illegal or two do not fit together.

    Examples
    --------
    >>> parameters = Parameters(P=20, stim_by_pattern=5, phases=(Phase("learning", 100), Phase("recall", 50)))
    >>> parameters.n_trials, parameters.phase_ends, parameters.threshold
    (150, (100, 150), 0.4375)
    """

    P: int = integer(10, 2, 10_000, "neurons")
    stim_by_pattern: int = integer(3, 1, unit="neurons")
    n_pattern: int = integer(10, 1, 100_000, "patterns")
    Apostpre: float = number(-1.0)
    Aprepost: float = number(-1.0)
    epsilon: float = number(0.02, "", 0)
    noise_pattern: float = number(0.2, "ms", 0)
    noise_input: float = number(0.005, "per ms", 0)
    stop_learning: str = choice("None", STOP_LEARNING)
    num_success_params: int = integer(0, 0)
    p_reward: float = number(0.5, "", 0, 1)
    stim_duration: float = number(100.0, "ms", 0, low_open=True)
    stim_offset: float = number(50.0, "ms", 0, low_open=True)
    dt: float = number(0.2, "ms", 0, 10, low_open=True)
    phases: tuple[Phase, ...] = part(
        (
            Phase("initial", noise=4.0, reward=0.0, presentation=0.0),
            Phase("learning"),
            Phase("maintenance", noise=4.0, reward=0.0, presentation=0.0),
            Phase("recall"),
        ),
        tuple,
    )
    tau_pre: float = number(20.0, "ms", 0, low_open=True)
    tau_post: float = number(20.0, "ms", 0, low_open=True)
    nearest: bool = part(False, bool)
    w_min: float = number(0.0, "", 0)
    w_max: float = number(2.0, "", 0, low_open=True)
    w_initial_low: float = number(0.0, "", 0)
    w_initial_high: float = number(0.05, "", 0)
    background_weight: float = number(1.0, "", 0)
    test_every: int = integer(50, 1, unit="trials")
    test_detail: int = integer(5, 1, unit="trials")
    test_detail_trials: int = integer(50, 0, unit="trials")
    error_memory: float = number(5.0, "trials", 0, low_open=True)
    R: float = number(80.0, "mV", 0, low_open=True)
    tau_m: float = number(16.0, "ms", 0, low_open=True)
    E_L: float = number(-80.0, "mV")
    V_th: float = number(-45.0, "mV")
    V_reset: float = number(-80.0, "mV")
    legacy: bool = part(False, bool)

    def check(self) -> None:
        self._check_task()
        self._check_time()
        check_number("w_max", self.w_max, "", self.w_min, low_open=True)
        check_number("w_initial_low", self.w_initial_low, "", self.w_min, self.w_max)
        check_number("w_initial_high", self.w_initial_high, "", self.w_initial_low, self.w_max)
        check_number("V_th", self.V_th, "mV", self.E_L, low_open=True)
        check_number("V_reset", self.V_reset, "mV", None, self.V_th)
        for name in ("tau_pre", "tau_post", "tau_m"):
            check_number(name, getattr(self, name), "ms", self.dt)

    def _check_task(self) -> None:
        check_integer("stim_by_pattern", self.stim_by_pattern, 1, self.P, "neurons")
        subsets = math.comb(self.P, self.stim_by_pattern)
        if self.n_pattern > subsets:
            raise ValueError(
                f"n_pattern = {self.n_pattern} patterns is out of range: P = {self.P} neurons have only {subsets} "
                f"subsets of stim_by_pattern = {self.stim_by_pattern}"
            )
        if subsets >= 2**63:
            raise ValueError(
                f"P = {self.P} and stim_by_pattern = {self.stim_by_pattern} give too many subsets to number"
            )
        for phase in self.phases:
            check_type("phase", phase, Phase)
        if sum(phase.trials for phase in self.phases) < 1:
            raise ValueError("phases hold no trial: give at least one")

    def _check_time(self) -> None:
        check_number("stim_duration", self.stim_duration, "ms", 2 * self.dt)
        check_number("stim_offset", self.stim_offset, "ms", self.dt, self.stim_duration, high_open=True)
        if not self.legacy:
            for name in ("stim_duration", "stim_offset"):
                on_grid(name, getattr(self, name), self.dt)
        if not 1 <= self.offset_steps < self.steps:
            raise ValueError(f"stim_offset = {self.stim_offset} ms is out of range: it is no step inside a trial")
        gain = max(phase.noise for phase in self.phases)
        if gain * self.noise_input * self.dt > 1:
            raise ValueError(
                f"noise_input = {self.noise_input} per ms is out of range: with a factor of {gain:g} it must be "
                f"at most one spike in each step of {self.dt:g} ms"
            )

    @property
    def steps(self) -> int:
        """Steps of a trial."""
        return self._to_steps(self.stim_duration)

    @property
    def offset_steps(self) -> int:
        """Time of the pattern in a trial (steps); its spikes are emitted one step earlier."""
        return self._to_steps(self.stim_offset)

    def _to_steps(self, time: float) -> int:
        return int(time / self.dt) if self.legacy else round(time / self.dt)

    @property
    def threshold(self) -> float:
        """Sum of weights above which spikes in one step make the resting neuron fire."""
        return (self.V_th - self.E_L) / self.R

    @property
    def n_trials(self) -> int:
        """Training trials of all phases."""
        return sum(phase.trials for phase in self.phases)

    @property
    def phase_ends(self) -> tuple[int, ...]:
        """Trials done at the end of each phase."""
        ends, done = [], 0
        for phase in self.phases:
            done += phase.trials
            ends.append(done)
        return tuple(ends)

    def test_trials(self) -> list[int]:
        """Trials done when each test is made; the last comes after all trials."""
        tests, done = [], 0
        for phase in self.phases:
            for i in range(phase.trials):
                if i % (self.test_detail if i < self.test_detail_trials else self.test_every) == 0:
                    tests.append(done + i)
            done += phase.trials
        return [*tests, done]

    def test_sets(self) -> list[int]:
        """Pattern set of each test."""
        sets, done = [], 0
        for before, phase in zip((None, *self.phases[:-1]), self.phases, strict=True):
            ours = [t for t in self.test_trials()[:-1] if done <= t < done + phase.trials]
            sets += [phase.pattern_set] * len(ours)
            if ours and before is not None and not self.legacy:
                sets[-len(ours)] = before.pattern_set
            done += phase.trials
        return [*sets, self.phases[-1].pattern_set]


# ---------------------------------------------------------------- what chance decides


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
