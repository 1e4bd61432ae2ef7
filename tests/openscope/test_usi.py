"""Selectivity for unexpected events: the index, its null by matrix products, and which relabellings are right."""

import time
import tracemalloc

import numpy as np
import pytest

from netlib.base.seeds import stream
from netlib.openscope import usi as module
from netlib.openscope.usi import OPERATORS, usi, usi_null
from netlib.statistics.resampling import relabelled, run_lengths


def schedule(seed, n_trials=600):
    """Labels in runs of 2 to 4 unexpected after 20 to 60 expected, as the Gabor sequences have them."""
    rng, labels = stream(seed, "schedule"), []
    while len(labels) < n_trials:
        labels += [False] * rng.integers(20, 61) + [True] * rng.integers(2, 5)
    return np.array(labels[:n_trials])


def slow_usi(x, label, operator):
    out = []
    for roi in range(x.shape[1]):
        u = [x[t, roi] for t in range(len(x)) if label[t]]
        e = [x[t, roi] for t in range(len(x)) if not label[t]]
        mu, me = sum(u) / len(u), sum(e) / len(e)
        vu, ve = sum((v - mu) ** 2 for v in u) / len(u), sum((v - me) ** 2 for v in e) / len(e)
        formulas = {"d-prime": (mu - me) / ((vu + ve) / 2) ** 0.5, "diff": mu - me}
        formulas |= {"rel_diff": (mu - me) / (mu + me), "ratio": mu / me}
        out.append(formulas[operator])
    return np.array(out)


@pytest.mark.parametrize("operator", OPERATORS)
def test_index_by_plain_loops(operator):
    x = stream(1, "x").gamma(2, 1, (40, 5))
    label = np.arange(40) % 5 == 2
    np.testing.assert_allclose(usi(x, label, operator), slow_usi(x, label, operator), rtol=1e-12)


def test_index_of_normal_responses_is_the_planted_d_prime():
    rng, label = stream(2, "x"), np.arange(40_000) % 10 == 0
    x = rng.normal(10, 3, (len(label), 3)) + np.outer(label, [0.0, 1.5, -3.0])
    np.testing.assert_allclose(usi(x, label), [0, 0.5, -1.0], atol=0.05)
    np.testing.assert_allclose(usi(5 - 2 * x, label), -usi(x, label), rtol=1e-9)  # no unit, and a sign


def test_a_roi_that_never_varies_has_no_index():
    x = np.column_stack([np.ones(60), stream(3, "x").normal(size=60)])
    found = usi_null(x, np.arange(60) % 5 == 0, 200)
    assert np.isnan(found.value[0]) and np.isnan(found.percentile[0]) and np.isnan(found.p_high[0])
    assert np.isfinite(found.value[1]) and not any(side[0] for side in found.significant())


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("permutation", ["label", "circular", "block"])
def test_null_equals_the_direct_computation(operator, permutation, monkeypatch):
    monkeypatch.setattr(module, "_NULL_VALUES", 300 * 8)  # several blocks of ROIs
    label = schedule(4, 300)
    x = stream(4, "x").gamma(0.5, 40, (300, 21)) + 1e4 * np.arange(21)
    found = usi_null(x, label, 300, seed=7, permutation=permutation, operator=operator, keep_null=True)
    direct = np.array([usi(x, row, operator) for row in relabelled(label, 300, 7, permutation)])
    np.testing.assert_allclose(found.null, direct, rtol=0, atol=1e-9 * max(1, np.abs(direct).max()))
    np.testing.assert_allclose(found.quantiles, np.quantile(direct, found.levels, axis=0), rtol=1e-9, atol=1e-9)
    value = usi(x, label, operator)
    tie = 1e-9 * (1 + np.abs(value))
    low, equal = (direct < value - tie).mean(axis=0), (np.abs(direct - value) <= tie).mean(axis=0)
    np.testing.assert_allclose(found.percentile, 100 * (low + equal / 2), rtol=1e-12)
    np.testing.assert_allclose(found.p_low, ((low + equal) * 300 + 1) / 301, rtol=1e-12)
    np.testing.assert_allclose(found.p_high, ((1 - low) * 300 + 1) / 301, rtol=1e-12)


def test_the_null_does_not_depend_on_the_blocks_and_all_rois_share_it(monkeypatch):
    label, x = schedule(5, 200), stream(5, "x").normal(size=(200, 30))
    x[:, 29] = 3 * x[:, 0] + 1
    whole = usi_null(x, label, 500, keep_null=True)
    np.testing.assert_allclose(whole.null[:, 29], whole.null[:, 0], atol=1e-12)
    monkeypatch.setattr(module, "_NULL_VALUES", 500 * 8)
    np.testing.assert_allclose(usi_null(x, label, 500).quantiles, whole.quantiles, atol=1e-12)
    assert usi_null(x, label, 500).null is None
    assert not np.array_equal(usi_null(x, label, 500, seed=1).percentile, whole.percentile)


def test_an_outlier_costs_no_precision():
    label, x = schedule(6, 200), 1e-6 * stream(6, "x").normal(size=(200, 2))
    x[17, 0] = 1e3
    null = usi_null(x, label, 100, keep_null=True).null
    np.testing.assert_allclose(null, [usi(x, row) for row in relabelled(label, 100)], atol=1e-6)


def test_relabellings_keep_what_they_promise():
    label = schedule(7, 400)
    free, circular, block = (relabelled(label, 200, 1, kind) for kind in ("label", "circular", "block"))
    for made in (free, circular, block):
        assert (made.sum(axis=1) == label.sum()).all() and len(np.unique(made, axis=0)) > 100
    shifts = {np.roll(label, k).tobytes() for k in range(400)}
    assert all(row.tobytes() in shifts for row in circular)
    assert not any(row.tobytes() in shifts for row in free)
    lengths = run_lengths(label)
    orders = [{tuple(run_lengths(row)[kind::2]) for row in block} for kind in (0, 1)]
    assert min(map(len, orders)) > 20
    for row in block:
        found = run_lengths(row)
        assert row[0] == label[0]
        assert sorted(found[::2]) == sorted(lengths[::2]) and sorted(found[1::2]) == sorted(lengths[1::2])


def test_free_relabellings_are_uniform():
    made = relabelled([True, False, False, False, False, False, True], 21_000, 3)
    counts = np.unique(made, axis=0, return_counts=True)[1]
    assert len(counts) == 21 and ((counts - 1000) ** 2 / 1000).sum() < 45.3  # chi2(20) at 0.1 %


def test_strata_keep_one_of_each_pair():
    pairs = np.repeat(np.arange(30), 2)
    made = relabelled(np.tile([False, True], 30), 300, 1, strata=pairs)
    assert (made.reshape(300, 30, 2).sum(axis=2) == 1).all()
    assert abs(made[:, 1].mean() - 0.5) < 0.1
    interleaved = np.tile(np.arange(30), 2)
    made = relabelled(np.repeat([False, True], 30), 50, 1, strata=interleaved)
    assert (made[:, :30] != made[:, 30:]).all()


def test_null_recordings_give_5_percent():
    shares = []
    for seed in range(5):
        x = stream(seed, "null").gamma(0.5, 1, (600, 300))
        low, high = usi_null(x, schedule(seed), 1000, seed=seed).significant()
        shares.append((low | high).mean())
    assert 0.035 < np.mean(shares) < 0.065


def test_planted_selectivity_is_found_with_the_power_of_the_z_test():
    label = schedule(8, 1360)
    d = 3.3 / np.sqrt(label.sum() * (~label).sum() / 1360)  # power 0.91 at 5 % two-sided
    x = stream(8, "planted").normal(size=(1360, 400)) + d * np.outer(label, np.repeat([1, -1], 200))
    found = usi_null(x, label, 1000)
    low, high = found.significant()
    assert high[:200].mean() > 0.85 and low[200:].mean() > 0.85 and not high[200:].any()
    assert (found.significant(rule="exact")[1] <= high).all()  # (b + 1) / (m + 1) is the stricter
    assert found.p.min() == pytest.approx(2 / 1001)


def false_positives(permutation, n_schedules=24, n_rois=60):
    """Share significant when responses remember the trial before (AR(1), 0.7) and nothing is unexpected."""
    found = []
    for seed in range(n_schedules):
        noise = stream(seed, "memory").normal(size=(600, n_rois))
        for t in range(1, 600):
            noise[t] = 0.7 * noise[t - 1] + np.sqrt(1 - 0.49) * noise[t]
        null = usi_null(noise, schedule(100 + seed), 400, seed=seed, permutation=permutation)
        found.append((null.p <= 0.05).mean())
    return np.mean(found)


def test_free_shuffles_fail_when_trials_remember_and_whole_runs_do_not():
    assert false_positives("label") > 0.12
    assert 0.03 < false_positives("circular") < 0.07
    assert 0.03 < false_positives("block") < 0.07


@pytest.mark.parametrize(
    "responses, unexpected, message",
    [
        ([[1.0], [np.nan], [2.0]], [0, 1, 0], r"responses\[1, 0\]"),
        ([[1.0], [2.0]], [0, 1, 0], "one per trial"),
        ([[1.0], [2.0]], [0, 0], "both kinds must occur"),
        ([[1.0], [2.0]], [0, 2], "True and False"),
        ([1.0, 2.0], [0, 1], "dimensions"),
        ([[1.0], [2.0], [3.0]], [0, 1, 0], "only 3 different"),
    ],
)
def test_bad_input_is_named(responses, unexpected, message):
    with pytest.raises(ValueError, match=message):
        usi_null(responses, unexpected, 10)


def test_too_few_relabellings_and_unknown_names():
    label = np.repeat([False, True], 30)
    with pytest.raises(ValueError, match="'block' has only 1 different"):
        usi_null(np.ones((60, 1)), label, 10, permutation="block")
    with pytest.raises(ValueError, match="'circular' has only 2 different"):
        relabelled(np.tile([False, True], 30), 10, 0, "circular")
    with pytest.raises(ValueError, match="permutation = 'run'"):
        relabelled(label, 10, 0, "run")
    with pytest.raises(ValueError, match="operator = 'dprime'"):
        usi(np.ones((60, 1)), label, "dprime")
    with pytest.raises(ValueError, match="n_permutations"):
        usi_null(np.ones((60, 1)), label, 0)


@pytest.mark.slow
def test_a_whole_session_takes_seconds_and_little_memory():
    label, x = schedule(9, 1360), stream(9, "x").gamma(0.5, 1, (1360, 1600))
    start = time.process_time()
    found = usi_null(x, label, 10_000)
    took = time.process_time() - start
    low, high = found.significant()
    assert took < 20 and 0.03 < (low | high).mean() < 0.07
    tracemalloc.start()
    usi_null(x, label, 10_000)
    assert tracemalloc.get_traced_memory()[1] < 300e6
    tracemalloc.stop()
