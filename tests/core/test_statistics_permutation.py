"""Permutation tests, p values, corrections, binomial tests and bootstraps against closed forms and slow twins."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from netlib.base.seeds import stream
from netlib.statistics.permutation import (
    binomial_interval,
    binomial_p,
    compare_samples,
    count_significant,
    exact_p,
    joint_difference_test,
    null_interval,
    percent_test,
    permutation_result,
    published_binomial_p,
    published_p,
    session_null,
)
from netlib.statistics.resampling import (
    adjust_p_values,
    bootstrap_interval,
    bootstrap_std,
    bootstrap_values,
    relabelled,
)

NULL = np.arange(1000.0)


def test_published_p_is_the_mean_percentile_folded_and_multiplied():
    for value in (-5.0, 3.0, 3.5, 500.0, 990.0, 2000.0):
        percentile = stats.percentileofscore(NULL, value, kind="mean") / 100
        assert published_p(value, NULL, "lo")[0] == pytest.approx(percentile)
        assert published_p(value, NULL, 2)[0] == pytest.approx(min(percentile, 1 - percentile))
    assert published_p(3.0, NULL, 2, 12) == pytest.approx((0.0035, 0.0035 * 24))
    assert published_p(3.0, NULL, "lo", 12) == pytest.approx((0.0035, 0.0035 * 12))
    assert published_p(500.0, NULL, 2, 12)[1] == 1
    assert published_p(990.0, NULL, "hi", 3) == pytest.approx((0.0095, 0.0285))
    assert published_p(2000.0, NULL)[0] == 0  # what the other one never is
    assert published_p(-5.0, NULL, "hi")[0] == 0  # and a value in the wrong tail passes


def test_exact_p_counts_the_value_itself():
    assert exact_p(2000.0, NULL, "hi") == 1 / 1001 and exact_p(-5.0, NULL, "hi") == 1
    assert exact_p(-5.0, NULL, "lo") == 1 / 1001 and exact_p(-5.0, NULL) == 2 / 1001
    assert exact_p(499.5, NULL) == 1
    assert exact_p(0.1 + 0.2, [0.3] * 19, "hi") == 1  # rounding makes no difference


def test_intervals_and_the_guard():
    assert null_interval(NULL, 0.05) == tuple(np.percentile(NULL, [2.5, 50, 97.5]))
    assert null_interval(NULL, 0.05, "hi", 5) == tuple(np.percentile(NULL, [0, 50, 99]))
    assert null_interval(NULL, 0.05, "lo", 5) == tuple(np.percentile(NULL, [1, 50, 100]))
    null_interval(NULL, 0.05, 2, 25)
    with pytest.raises(ValueError, match=r"n_permutations = 1000 is too few .* at least 1040"):
        null_interval(NULL, 0.05, 2, 26)
    with pytest.raises(ValueError, match="tails = 1"):
        null_interval(NULL, 0.05, 1)
    with pytest.raises(ValueError, match=r"null\[1\]"):
        permutation_result(1.0, [0.0, np.nan])


def moments(name, x):
    return {"mean": np.mean(x), "mean_abs": np.mean(np.abs(x)), "variance": np.var(x), "median": np.median(x)}[name]


@pytest.mark.parametrize("name", ["mean", "mean_abs", "variance", "median"])
def test_nulls_hold_the_exact_distribution(name):
    rng = stream(1, name)
    a, b = rng.normal(0.3, 1, 5), rng.normal(0, 2, 5)
    exact = []
    for swap in product([False, True], repeat=5):
        exact.append(moments(name, np.where(swap, a, b)) - moments(name, np.where(swap, b, a)))
    value, null = session_null(a, b, paired=True, statistic=name, n_permutations=4000)
    assert value == pytest.approx(moments(name, b) - moments(name, a))
    check_same(null, exact)
    pool, exact = np.concatenate([a, b[:3]]), []
    for chosen in combinations(range(8), 5):
        mask = np.isin(np.arange(8), chosen)
        exact.append(moments(name, pool[~mask]) - moments(name, pool[mask]))
    check_same(session_null(a, b[:3], statistic=name, n_permutations=6000)[1], exact)


def check_same(null, exact):
    """Every value is one of the exact ones, and each comes as often as it should (chi2 at 0.1 %)."""
    exact = np.sort(exact)
    exact = exact[np.concatenate([[True], np.diff(exact) > 1e-9])] if len(exact) > 32 else exact
    levels, weights = np.unique(np.round(exact, 9), return_counts=True)
    nearest = np.abs(null[:, None] - levels).argmin(axis=1)
    assert np.abs(null - levels[nearest]).max() < 1e-8
    if weights.sum() == 32:
        expected = len(null) * weights / weights.sum()
        found = np.bincount(nearest, minlength=len(levels))
        assert ((found - expected) ** 2 / expected).sum() < stats.chi2.ppf(0.999, len(levels) - 1)


def test_fast_and_general_statistics_agree():
    rng = stream(2, "pair")
    a, b = rng.normal(size=60), rng.normal(0.2, 1.2, 60)
    for paired in (True, False):
        for name, function in (("mean", np.mean), ("variance", np.var)):
            fast = compare_samples(a, b, paired=paired, statistic=name, n_permutations=20_000, seed=1)
            slow = compare_samples(a, b, paired=paired, statistic=function, n_permutations=20_000, seed=2)
            assert fast.value == pytest.approx(slow.value)
            assert abs(fast.raw_p - slow.raw_p) < 5 * np.sqrt(2 * fast.raw_p / 20_000)
            np.testing.assert_allclose(fast.null_ci, slow.null_ci, atol=0.05)


def test_pairing_sees_what_pooling_hides():
    rng = stream(3, "pair")
    a = rng.normal(0, 5, 80)
    b = a + 0.3 + rng.normal(0, 0.3, 80)
    assert compare_samples(a, b, paired=True).p_exact < 0.001 < 0.2 < compare_samples(a, b).p_exact


def test_null_samples_give_5_percent():
    p_values = []
    for seed in range(300):
        rng = stream(seed, "null")
        a, b = rng.gamma(0.5, 1, 20), rng.gamma(0.5, 1, 30)
        p_values.append((compare_samples(a, b, n_permutations=400, seed=seed).p_exact,))
        p_values[-1] += (compare_samples(a, b[:20], paired=True, n_permutations=400, seed=seed).p_exact,)
    assert ((np.array(p_values) <= 0.05).mean(axis=0) < 0.085).all()
    assert ((np.array(p_values) <= 0.5).mean(axis=0) > 0.42).all()


def test_joint_difference_test_pools_rois_and_keeps_their_correlation():
    rng = stream(4, "joint")
    label = np.arange(200) % 8 == 3
    common = rng.normal(size=(200, 1))
    sessions = [(common + 0.1 * rng.normal(size=(200, 40)), label), (rng.normal(size=(200, 7)), label[::-1])]
    found = joint_difference_test(sessions, n_permutations=2000, multcomp=2)
    diffs = np.concatenate([np.asarray(x)[g].mean(axis=0) - np.asarray(x)[~g].mean(axis=0) for x, g in sessions])
    assert found.value == pytest.approx(diffs.mean())
    spread = 40 / 47 * np.sqrt(1 / label.sum() + 1 / (~label).sum())  # the ROIs of mouse 1 move as one
    assert found.null_ci[2] == pytest.approx(2.24 * spread, rel=0.2)
    shuffled = relabelled(label, 2000)
    slow = np.array([common[g].mean() - common[~g].mean() for g in shuffled])
    assert found.null_ci[2] == pytest.approx(40 / 47 * np.percentile(slow, 98.75), rel=0.15)
    with pytest.raises(ValueError, match="sessions is empty"):
        joint_difference_test([])


def test_corrections_against_their_definitions():
    p = np.array([[0.001, 0.02], [np.nan, 0.04], [0.5, 0.03]])
    sorted_p = np.array([0.001, 0.02, 0.03, 0.04, 0.5])
    place = np.searchsorted(sorted_p, p[np.isfinite(p)])
    holm = np.minimum(1, np.maximum.accumulate(sorted_p * [5, 4, 3, 2, 1]))[place]
    bh = np.minimum.accumulate((sorted_p * 5 / np.arange(1, 6))[::-1])[::-1][place]
    for method, expected in (("bonferroni", np.minimum(1, 5 * sorted_p[place])), ("holm", holm), ("bh", bh)):
        found = adjust_p_values(p, method)
        assert np.isnan(found[1, 0])
        np.testing.assert_allclose(found[np.isfinite(p)], expected)
    harmonic = (1 / np.arange(1, 6)).sum()
    np.testing.assert_allclose(adjust_p_values(p, "by")[np.isfinite(p)], np.minimum(1, bh * harmonic))
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        adjust_p_values([0.1, 1.2])
    with pytest.raises(ValueError, match="method = 'fdr'"):
        adjust_p_values([0.1], "fdr")
    assert np.isnan(adjust_p_values([np.nan])).all()


def test_binomial_p_values():
    n, null = 204, 0.025
    pmf = stats.binom.pmf(np.arange(n + 1), n, null)
    assert binomial_p(14, n, null, "hi") == pytest.approx(pmf[14:].sum(), rel=1e-9)
    assert binomial_p(14, n, null, "lo") == pytest.approx(pmf[:15].sum(), rel=1e-9)
    assert published_binomial_p(14, n, null) == pytest.approx(pmf[15:].sum(), rel=1e-6)  # one ROI too far
    assert published_binomial_p(2, n, null) == pytest.approx(pmf[:3].sum())
    found = percent_test(14, n, null, multcomp=8)
    assert found["p"] == pytest.approx(16 * pmf[15:].sum(), rel=1e-6)
    assert found["p_exact"] == pytest.approx(2 * pmf[14:].sum())
    assert found["std"] == pytest.approx(found["std_exact"], rel=0.03)
    assert found["wilson"][0] < found["percent"] < found["wilson"][1]
    assert binomial_interval(0.5, 100, 0.05) == (40, 50, 60)
    for k, message in ((205, "k = 205"), (-1, "k = -1"), (1.5, "k = 1.5")):
        with pytest.raises((ValueError, TypeError), match=message):
            percent_test(k, n, null)


def test_counts_of_significant_rois():
    with pytest.raises(ValueError, match="percentiles"):
        count_significant([101.0], [0.1])
    found = count_significant([2.4, 2.5, 97.6, 50], [-1, -1, 1, 0], alpha=0.05)
    assert found == {"n_rois": 4, "n_low": 1, "n_high": 1, "n_positive": 1}


def test_bootstraps_against_closed_forms():
    x = stream(5, "x").normal(3, 2, 400)
    assert bootstrap_std(x) == pytest.approx(x.std() / 20, rel=0.03)
    assert bootstrap_std(x, "variance") == pytest.approx(4 * np.sqrt(2 / 400), rel=0.2)
    y = 0.6 * (x - 3) / 2 + 0.8 * stream(5, "y").normal(size=400)
    assert bootstrap_std((x, y), "correlation") == pytest.approx((1 - 0.36) / 20, rel=0.2)
    assert np.abs(bootstrap_values((x, x), "correlation", 50) - 1).max() < 1e-9  # pairs stay pairs
    low, high = bootstrap_interval(x, n_resamples=2000)
    assert low == pytest.approx(x.mean() - 1.96 * x.std() / 20, abs=0.03) and high == pytest.approx(
        x.mean() + 1.96 * x.std() / 20, abs=0.03
    )
    low, high = bootstrap_interval((x, y), "correlation", n_resamples=1000, method="percentile")
    assert low < np.corrcoef(x, y)[0, 1] < high
    with pytest.raises(ValueError, match="lengths"):
        bootstrap_values((x, y[1:]), "correlation")
    with pytest.raises(ValueError, match="statistic = 'skew'"):
        bootstrap_values(x, "skew")
