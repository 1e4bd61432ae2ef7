"""What simulations say: learning curves, checkpoints, likeness of weights, comparisons; one simulation in detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import Bounds, LinearConstraint, milp

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.statistics.resampling import adjust_p_values
from netlib.striatum.engine import simulate
from netlib.striatum.experiment import Result
from netlib.striatum.model import Parameters, draw_plan

__all__ = [
    "SimulationView",
    "checkpoint_table",
    "compare",
    "curve_table",
    "separability_bound",
    "similarity_table",
    "view_simulation",
    "weight_similarity",
]


def curve_table(result: Result, level: float = 0.95) -> pd.DataFrame:
    """Learning curve: mean over simulations at each test.

    Returns
    -------
    DataFrame
        ``trial``, then ``accuracy``, ``balanced_accuracy`` (means), ``sd`` and ``se`` of the accuracy, ``low`` and
        ``high`` ends of the interval of its mean (Student), and ``success`` (fraction of simulations all right).

    Examples
    --------
    >>> from netlib.striatum import Parameters, Phase, run_simulations
    >>> result = run_simulations(Parameters(phases=(Phase("learning", 200),)), seed=1, simulations=20)
    >>> curve_table(result)[["trial", "accuracy"]].iloc[[0, -1]].round(1).to_numpy().tolist()
    [[0.0, 0.5], [200.0, 0.8]]
    """
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    accuracy = result.accuracy
    n, mean = len(accuracy), accuracy.mean(0)
    sd = accuracy.std(0, ddof=1) if n > 1 else np.full(len(mean), np.nan)
    half = sd / np.sqrt(n) * (stats.t.ppf(0.5 + level / 2, n - 1) if n > 1 else np.nan)
    table = {"trial": result.trial, "accuracy": mean, "balanced_accuracy": _mean(result.balanced_accuracy)}
    table |= {"sd": sd, "se": sd / np.sqrt(n), "low": mean - half, "high": mean + half}
    return pd.DataFrame(table | {"success": result.success.mean(0)})


def checkpoint_table(result: Result, reference: str = "learning") -> pd.DataFrame:
    """State of each simulation at the start and at the end of each phase.

    Parameters
    ----------
    result : Result
    reference : str
        Phase whose final weights the others are compared with, if there is one of this name.

    Returns
    -------
    DataFrame
        ``simulation``, ``checkpoint``, ``trial``, ``accuracy``, ``balanced_accuracy``, ``success``, ``w_mean``,
        ``w_max``, and ``similarity``, ``cosine`` of :func:`weight_similarity`.

    Examples
    --------
    >>> from netlib.striatum import Parameters, Phase, run_simulations
    >>> result = run_simulations(Parameters(phases=(Phase("learning", 200),)), seed=1, simulations=20)
    >>> checkpoint_table(result).groupby("checkpoint")[["accuracy", "similarity"]].mean().round(1)
                accuracy  similarity
    checkpoint
    learning         0.8         1.0
    start            0.5         0.5
    """
    places = result.checkpoints
    weights = result.weights
    alike = weight_similarity(weights, weights[:, places[check_choice("reference", reference, places)], None])
    columns = {
        "accuracy": result.accuracy, "balanced_accuracy": result.balanced_accuracy, "success": result.success,
        "w_mean": weights.mean(-1), "w_max": weights.max(-1), "similarity": alike["similarity"],
        "cosine": alike["cosine"],
    }  # fmt: skip
    parts = [
        pd.DataFrame({"simulation": result.simulation, "checkpoint": name, "trial": result.trial[test]}).assign(
            **{column: values[:, test] for column, values in columns.items()}
        )
        for name, test in places.items()
    ]
    return pd.concat(parts, ignore_index=True)


def weight_similarity(weights: Any, reference: Any) -> dict[str, np.ndarray]:
    """Compare weights with others, along the last axis.

    Returns
    -------
    dict of ndarray
        ``distance`` = ||w - ref||; ``similarity`` = 1 / (1 + distance / ||ref||), so 1 for the same and 0.5 for w = 0;
        ``product`` = scalar product of both after subtraction of their means, and ``cosine`` = the same over the
        product of their norms, 0 where one of them is constant. ``similarity`` is NaN where the reference is 0.

    Examples
    --------
    >>> found = weight_similarity([0.0, 0.0], [3.0, 4.0])
    >>> float(found["similarity"]), float(found["cosine"])
    (0.5, 0.0)
    """
    weights, reference = np.broadcast_arrays(np.asarray(weights, float), np.asarray(reference, float))
    distance, size = np.linalg.norm(weights - reference, axis=-1), np.linalg.norm(reference, axis=-1)
    similarity = np.full(np.shape(size), np.nan)
    np.divide(size, size + distance, out=similarity, where=size > 0)
    a, b = (values - values.mean(-1, keepdims=True) for values in (weights, reference))
    product = (a * b).sum(-1)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    # A constant vector minus its mean is zero but for rounding.
    cosine = np.divide(product, norms, out=np.zeros_like(product), where=norms > 1e-20)
    return {"distance": distance, "similarity": similarity, "product": product, "cosine": cosine}


def similarity_table(result: Result, reference: str = "learning") -> pd.DataFrame:
    """Similarity and cosine of the weights to those at the end of a phase, at each test: means over simulations.

    Examples
    --------
    >>> from netlib.striatum import Parameters, Phase, run_simulations
    >>> result = run_simulations(Parameters(phases=(Phase("learning", 200),)), seed=1, simulations=20)
    >>> similarity_table(result)[["trial", "similarity"]].iloc[[0, -1]].round(1).to_numpy().tolist()
    [[0.0, 0.5], [200.0, 1.0]]
    """
    place = result.checkpoints[check_choice("reference", reference, result.checkpoints)]
    alike = weight_similarity(result.weights, result.weights[:, place, None])
    table = {"trial": result.trial}
    for name in ("similarity", "cosine"):
        table |= {name: _mean(alike[name]), f"{name}_se": stats.sem(alike[name], axis=0, nan_policy="omit")}
    return pd.DataFrame(table)


def separability_bound(parameters: Parameters, patterns: Any, rewarded: Any) -> float:
    """Best accuracy that any weights within their bounds can reach, by mixed-integer linear programming.

    Parameters
    ----------
    parameters : Parameters
        They give threshold and bounds of the weights.
    patterns : ndarray of int, shape (n_pattern, stim_by_pattern)
        Neurons active in each pattern.
    rewarded : ndarray of bool, shape (n_pattern,)
        Whether the neuron should fire.

    Examples
    --------
    Of two overlapping pairs, one can be told from the other; with all three pairs of three neurons also.

    >>> from netlib.striatum import Parameters
    >>> separability_bound(
    ...     Parameters(P=3, stim_by_pattern=2, n_pattern=3), [[0, 1], [0, 2], [1, 2]], [True, False, False]
    ... )
    1.0
    """
    p = parameters
    patterns, rewarded = np.asarray(patterns), np.asarray(rewarded, bool)
    n = len(patterns)
    shown = np.zeros((n, p.P))
    np.put_along_axis(shown, patterns, 1.0, axis=-1)
    sign = np.where(rewarded, 1.0, -1.0)
    margin = 1e-6
    # With z_k = 1, pattern k must be on its side of the threshold; with z_k = 0 the constraint is void.
    void = p.w_max * p.P + p.threshold + 1.0
    rows = np.hstack([sign[:, None] * shown, -void * np.eye(n)])
    found = milp(
        np.r_[np.zeros(p.P), -np.ones(n)],
        integrality=np.r_[np.zeros(p.P), np.ones(n)],
        bounds=Bounds(np.r_[np.full(p.P, p.w_min), np.zeros(n)], np.r_[np.full(p.P, p.w_max), np.ones(n)]),
        constraints=LinearConstraint(rows, sign * p.threshold + margin - void, np.inf),
    )
    if not found.success:
        raise RuntimeError(f"the best weights were not found: {found.message}")
    return float(round(-found.fun) / n)


def compare(values: Mapping[str, Any], reference: str, paired: bool = True, level: float = 0.95) -> pd.DataFrame:
    """Compare each condition with a reference one: difference of means, its interval, and tests corrected for number.

    Parameters
    ----------
    values : mapping of array
        For each condition, one value for each simulation.
    reference : str
        Name of the condition the others are compared with.
    paired : bool
        Use differences of simulations: those of one seed share patterns and noise. Otherwise Welch's test.
    level : float
        Of the interval.

    Returns
    -------
    DataFrame
        ``condition``, ``n``, ``difference``, ``low``, ``high``, ``p``, and ``p_holm``, corrected by the method of Holm
        (1979), Scand. J. Stat. 6:65. Pairs with a NaN are left out. Without spread, p is 1 for no difference, else 0.

    Examples
    --------
    >>> values = {"DMS": [0.9, 0.8, 1.0, 0.9], "DLS": [0.7, 0.7, 0.9, 0.6]}
    >>> compare(values, "DMS")[["condition", "n", "difference", "p_holm"]].round(3).to_numpy().tolist()
    [['DLS', 4, -0.175, 0.035]]
    """
    check_choice("reference", reference, check_type("values", values, Mapping))
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    rows = []
    base = np.asarray(values[reference], float)
    for name in (name for name in values if name != reference):
        other = np.asarray(values[name], float)
        if paired:
            if other.shape != base.shape:
                raise ValueError(f"values[{name!r}] has shape {other.shape}: to be paired it must have {base.shape}")
            change = check_array("differences", (other - base)[np.isfinite(other - base)])
            n, difference = len(change), change.mean()
            error, freedom = stats.sem(change), n - 1
        else:
            a, b = other[np.isfinite(other)], base[np.isfinite(base)]
            n, difference = len(a), a.mean() - b.mean()
            parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
            error = np.sqrt(parts.sum())
            freedom = parts.sum() ** 2 / (parts**2 / (len(a) - 1, len(b) - 1)).sum() if error else np.inf
        p = 2 * stats.t.sf(abs(difference) / error, freedom) if error else float(difference == 0)
        half = stats.t.ppf(0.5 + level / 2, freedom) * error if error else 0.0
        rows.append((name, n, difference, difference - half, difference + half, p))
    table = pd.DataFrame(rows, columns=["condition", "n", "difference", "low", "high", "p"])
    return table.assign(p_holm=adjust_p_values(table["p"].to_numpy(), "holm"))


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over simulations that leaves out NaN; NaN where there is nothing else."""
    good = np.isfinite(values)
    total = np.where(good, values, 0.0).sum(0)
    return np.divide(total, good.sum(0), out=np.full(total.shape, np.nan), where=good.sum(0) > 0)


# ---------------------------------------------------------------- one simulation in detail


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
