"""The striatal model: parameters are checked, both engines do the same, and what they do is the published rule."""

import dataclasses
import math

import numpy as np
import pytest
from _step_by_step import simulate_by_steps
from numpy.testing import assert_allclose, assert_array_equal

from netlib.striatum import (
    LEGACY,
    PUBLISHED,
    Parameters,
    Phase,
    Plan,
    article,
    draw_plan,
    from_options,
    simulate,
)

#: Short trials, much noise, fast learning: every rule gets its chance.
SHORT = {
    "stim_duration": 16.0, "stim_offset": 8.0, "epsilon": 0.06, "noise_input": 0.02,
    "num_training_initial": 8, "num_training_learning": 40, "num_training_maintenance": 12, "num_training_recall": 16,
}  # fmt: skip
CADENCE = {"test_every": 15, "test_detail_trials": 0}


def short(**options) -> Parameters:
    return article(**(SHORT | {"constants": CADENCE} | options))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"Apostpre": 1.0},
        {"Aprepost": 1.0, "Apostpre": 0.5},
        {"noise_input": 0.2, "stim_recall": 0.5, "homeostasy_post": 0.3},
        {"noise_input": 0.0, "noise_pattern": 0.0},
        {"P": 20, "stim_by_pattern": 5, "n_pattern": 12, "dt": 0.5, "noise_pattern": 2.0},
        {"stop_learning": "number_success", "num_success_params": 1, "Apostpre": 1.0},
        {"stop_learning": "exponential_trace", "new_set": 1, "n_pattern": 4},
        {"constants": CADENCE | {"nearest": True, "V_reset": -90.0, "background_weight": 0.3, "tau_post": 7.0}},
    ],
)
def test_both_engines_do_the_same(options, legacy):
    parameters = short(**options, legacy=legacy)
    plan = draw_plan(parameters, 3, 1)
    slow, fast = simulate_by_steps(parameters, plan), simulate(parameters, plan, record=True)
    assert_array_equal(slow.spikes, fast.spikes)
    assert_allclose(slow.trial_weights, fast.trial_weights, rtol=0, atol=1e-12)
    assert_allclose(slow.weights, fast.weights, rtol=0, atol=1e-12)
    for name in ("fired", "correct", "n_spikes"):
        assert_array_equal(getattr(slow, name), getattr(fast, name))
    assert len(slow.spikes) > 0
    assert (np.ptp(slow.trial_weights, axis=0) > 0.01).any()


def made_plan(p: Parameters, weights=0.0, shown=(), noise=(), rewarded=True) -> Plan:
    """Every trial is of pattern 0, neurons 0, 1 and 2; noise is given as (step, source)."""
    noise = sorted(noise)
    step = np.array([s for s, _ in noise], int)
    return Plan(
        patterns=np.arange(3 * p.n_pattern).reshape(1, -1, 3) % p.P,
        rewarded=np.resize(rewarded, (1, p.n_pattern)),
        weights=np.full(p.P, float(weights)),
        phase=np.zeros(p.n_trials, int),
        pattern=np.arange(p.n_trials) % p.n_pattern,
        shown=np.isin(np.arange(p.n_trials), shown),
        spike_step=np.full((p.n_trials, 3), p.offset_steps - 1),
        noise_step=step,
        noise_source=np.array([s for _, s in noise], int),
        noise_first=np.searchsorted(step, np.arange(p.n_trials + 1) * p.steps),
    )


def bare(trials=2, n_pattern=1, **options) -> Parameters:
    """One rewarded phase, without anything random."""
    return Parameters(n_pattern=n_pattern, phases=(Phase("learning", trials),), noise_input=0.0, **options)


ENGINES = pytest.mark.parametrize("engine", [simulate_by_steps, lambda p, plan: simulate(p, plan, record=True)])


@ENGINES
@pytest.mark.parametrize("lag", [2, 3, 40, 200])
@pytest.mark.parametrize("Apostpre", [-1.0, 1.0])
def test_pairs_change_the_weight_by_the_kernel(engine, lag, Apostpre):
    p = bare(1, Apostpre=Apostpre, Aprepost=-0.7)
    # A background spike makes the neuron fire one step later.
    pre_first = made_plan(p, 0.3, noise=[(100, 4), (100 + lag - 1, p.P)], rewarded=False)
    post_first = made_plan(p, 0.3, noise=[(100 + lag, 4), (99, p.P)], rewarded=False)
    kernel = 0.02 * math.exp(-(lag - 1) * p.dt / 20.0)
    assert_allclose(engine(p, pre_first).trial_weights[-1, 4] - 0.3, -0.7 * kernel, rtol=1e-10)
    assert_allclose(engine(p, post_first).trial_weights[-1, 4] - 0.3, Apostpre * kernel, rtol=1e-10)


@ENGINES
def test_a_spike_in_the_same_step_changes_nothing_and_all_others_count(engine):
    p = bare(1)
    same = engine(p, made_plan(p, 0.3, noise=[(100, 4), (99, p.P)], rewarded=False))
    assert_array_equal(same.spikes, [100])
    assert_array_equal(same.trial_weights[-1], np.full(10, 0.3))
    twice = engine(p, made_plan(p, 0.2, noise=[(50, 4), (100, 4), (149, p.P)], rewarded=False))
    kernel = sum(0.02 * math.exp(-(150 - t - 1) * p.dt / 20.0) for t in (50, 100))
    assert_allclose(0.2 - twice.trial_weights[-1, 4], kernel, rtol=1e-10)


@ENGINES
def test_reward_alone_and_reward_against_depression(engine):
    p = bare(2)
    silent = engine(p, made_plan(p, 0.1, shown=[0, 1]))
    assert len(silent.spikes) == 0
    assert_allclose(silent.trial_weights[:, :3], 0.1 + 0.02 * 0.95 * np.array([[1], [2]]) * np.ones(3))
    assert_array_equal(silent.trial_weights[:, 3:], np.full((2, 7), 0.1))
    # 3 x 0.15 > 35 / 80: the pattern fires, one step after its spikes, and gets the whole depression.
    firing = engine(p, made_plan(p, 0.15, shown=[0]))
    assert_array_equal(firing.spikes, [p.offset_steps])
    assert_allclose(firing.trial_weights[0, :3], 0.15 + 0.02 * (0.95 - 1.0))


@ENGINES
def test_weights_stay_in_bounds(engine):
    p = bare(3, epsilon=3.0)
    assert engine(p, made_plan(p, 0.1, shown=[0, 1, 2])).trial_weights.max() == 2.0
    p = bare(3, epsilon=3.0, Apostpre=-1.0)
    assert engine(p, made_plan(p, 0.2, shown=[0, 1, 2], rewarded=False)).trial_weights[:, :3].max() == 0.0


@ENGINES
def test_the_neuron_is_deaf_for_the_step_after_a_spike(engine):
    p = bare(1)
    spikes = engine(p, made_plan(p, noise=[(100, p.P), (101, p.P), (102, p.P)])).spikes
    assert_array_equal(spikes, [101, 103])


@ENGINES
def test_a_spike_at_the_end_of_a_trial_is_rewarded_as_its_trial(engine):
    for legacy, gain in ((False, 0.019), (True, 0.0)):
        p = bare(2, n_pattern=2, legacy=legacy, test_detail_trials=0)
        plan = made_plan(p, 0.1, noise=[(p.steps - 1, 4)], rewarded=[True, False])
        assert_allclose(engine(p, plan).trial_weights[-1, 4], 0.1 + gain)


def test_tests_do_not_touch_training_but_in_legacy():
    for legacy in (False, True):
        runs = []
        for every in (4, 30):
            constants = {"test_detail": every, "test_every": 20, "test_detail_trials": 8}
            p = short(legacy=legacy, Apostpre=1.0, constants=constants)
            runs.append(simulate(p, draw_plan(p, 2, 0), record=True))
        same = len(runs[0].spikes) == len(runs[1].spikes) and np.array_equal(*(r.trial_weights for r in runs))
        assert same is not legacy


def test_a_new_set_is_tested_after_the_old():
    p, old = short(new_set=1), short(new_set=1, legacy=True)
    at = p.test_trials().index(60)
    assert p.test_sets()[at : at + 2] == [0, 1]
    assert old.test_sets()[at : at + 2] == [1, 1]
    assert p.test_sets()[-1] == 1


def test_the_error_trace_depends_on_the_step_in_legacy_only():
    p = bare(4, stop_learning="exponential_trace", dt=0.5)
    plan = made_plan(p, 0.01, shown=[0, 1, 2, 3])
    for legacy, factor in ((False, math.exp(-0.2)), (True, math.exp(-0.5))):
        run = simulate(dataclasses.replace(p, legacy=legacy, test_detail_trials=0), plan, record=True)
        gates = [1.0, factor, factor + factor**2, factor + factor**2 + factor**3]
        assert_allclose(np.diff(run.trial_weights[:, 0], prepend=0.01), 0.019 * np.array(gates), rtol=1e-9)


def test_number_success_stops_after_more_than_its_number():
    p = bare(6, stop_learning="number_success", num_success_params=1)
    run = simulate(p, made_plan(p, 0.01, shown=range(6), rewarded=False), record=True)
    assert run.correct.all()  # silent, as it should be
    p = dataclasses.replace(p, phases=(Phase("learning", 6, reward=0.0),))
    run = simulate(p, made_plan(p, 0.3, shown=range(6), rewarded=True), record=True)
    steps = np.diff(run.trial_weights[:, 0], prepend=0.3)
    assert run.correct[:2].all()
    assert (steps[:2] < -0.01).all() and (steps[2:] == 0).all()


# ---------------------------------------------------------------- what is drawn


def test_a_simulation_is_the_same_alone_and_settings_share_what_they_are_fed():
    p = article()
    plan, other = draw_plan(p, 1, 5), draw_plan(article(Apostpre=1.0, epsilon=0.1), 1, 5)
    for field in dataclasses.fields(Plan):
        assert_array_equal(getattr(plan, field.name), getattr(other, field.name))
    assert not np.array_equal(plan.weights, draw_plan(p, 1, 6).weights)
    assert not np.array_equal(plan.weights, draw_plan(p, 2, 5).weights)


def test_noise_has_its_rate_and_keeps_to_its_sources():
    p = article(noise_input=0.05)
    plan = draw_plan(p, 1, 0)
    phase = plan.noise_step // p.steps // 500
    for number, gain in enumerate((4, 1, 4, 1)):
        for background in (False, True):
            n = np.sum((phase == number) & ((plan.noise_source == p.P) == background))
            expected = gain * 0.05 * 500 * 100.0
            assert abs(n - expected) < 5 * math.sqrt(expected)
    assert (np.diff(plan.noise_step) >= 0).all()
    cortical = np.bincount(plan.noise_source, minlength=11)[:10]
    assert abs(cortical / cortical.mean() - 1).max() < 5 / math.sqrt(cortical.mean())
    per_step = plan.noise_step * 11 + plan.noise_source
    assert len(np.unique(per_step)) == len(per_step)
    assert_array_equal(np.diff(plan.noise_first), np.bincount(plan.noise_step // p.steps, minlength=2000))


def test_patterns_are_distinct_subsets_all_equally_likely():
    p = Parameters(P=5, stim_by_pattern=2, n_pattern=4, phases=(Phase("learning", 1),))
    found = np.zeros((5, 5))
    for simulation in range(500):
        (patterns,) = draw_plan(p, 1, simulation).patterns
        assert len({tuple(pattern) for pattern in patterns}) == 4
        found[patterns[:, 0], patterns[:, 1]] += 1
    counts = found[np.triu_indices(5, 1)]
    assert counts.sum() == 2000
    assert abs(counts - 200).max() < 4.5 * math.sqrt(200 * 0.6)


def test_jitter_and_presentation():
    p = article(noise_pattern=1.0, stim_recall=0.3)
    plan = draw_plan(p, 1, 0)
    assert plan.spike_step.mean() == pytest.approx(p.offset_steps - 1.5, abs=0.3)
    assert plan.spike_step.std() * p.dt == pytest.approx(1.0, rel=0.05)
    assert plan.shown[500:1000].all() and plan.shown[1500:].all()
    assert plan.shown[:500].mean() == pytest.approx(0.3, abs=0.08)
    wide = draw_plan(dataclasses.replace(p, noise_pattern=500.0), 1, 0).spike_step
    assert wide.min() == 0 and wide.max() == p.steps - 2


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"P": 1}, "P = 1 neurons"),
        ({"P": 4, "stim_by_pattern": 3, "n_pattern": 5}, "n_pattern = 5 patterns is out of range: P = 4"),
        ({"stim_by_pattern": 11}, "stim_by_pattern = 11"),
        ({"stop_learning": "number_succes"}, "did you mean 'number_success'"),
        ({"noise_input": -0.1}, "noise_input = -0.1 per ms"),
        ({"noise_input": 2.0}, "at most one spike in each step"),
        ({"noise_pattern": -1.0}, "noise_pattern = -1.0 ms"),
        ({"stim_offset": 100.0}, "stim_offset = 100.0 ms"),
        ({"stim_offset": 0.0}, "stim_offset = 0.0 ms"),
        ({"stim_duration": 100.1}, "whole number of time steps"),
        ({"p_reward": 1.5}, "p_reward = 1.5"),
        ({"stim_recall": -1.0}, "stim_recall = -1.0"),
        ({"epsilon": float("nan")}, "epsilon = nan"),
        ({"num_training_recall": -1}, "num_training_recall = -1 trials"),
        ({"new_set": 2}, "new_set = 2"),
        ({"dt": 0.0}, "dt = 0.0 ms"),
        ({"homeostasis": 1.0}, "did you mean 'homeostasy'"),
        ({f"num_training_{name}": 0 for name in ("initial", "learning", "maintenance", "recall")}, "no trial"),
        ({"constants": {"V_th": -90.0}}, "V_th = -90.0 mV"),
        ({"constants": {"w_initial_high": 3.0}}, "w_initial_high = 3.0"),
        ({"constants": {"tau_pre": 0.0}}, "tau_pre = 0.0 ms"),
    ],
)
def test_bad_options_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        article(**options)


def test_steps_are_cut_down_in_legacy():
    assert from_options(stim_duration=4.6, stim_offset=0.6, legacy=True).offset_steps == 2
    assert from_options(stim_duration=4.6, stim_offset=0.6).offset_steps == 3
    assert {"tests", "boundary", "error_trace", "new_set", "grid"} == LEGACY.keys()


def test_published_defaults():
    p = from_options()
    assert (p.epsilon, p.steps, p.offset_steps, p.n_trials) == (0.2, 250, 100, 800)
    assert [phase.noise for phase in p.phases] == [4.0, 1.0, 4.0, 1.0]
    assert from_options(stop_learning=None) == p
    assert len(PUBLISHED) == 21
    assert article() == Parameters()
    assert article().threshold == 0.4375
