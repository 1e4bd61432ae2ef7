"""Indices of tracked ROIs over sessions, changes to two stimuli, and statistics over mice."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from netlib.base.seeds import stream
from netlib.openscope.changes import StimulusPair, change, stimulus_change
from netlib.openscope.published import (
    correlation_table,
    mean_abs_usi_table,
    mouse_level_table,
    session_tests_table,
    usi_frame,
    variance_table,
)
from netlib.openscope.usi import mean_abs_sem, pairing_density, tracked_correlation, variance_std
from netlib.statistics.mice import (
    design_effect,
    hierarchical_bootstrap,
    mixed_model,
    mouse_interval,
    mouse_means,
    mouse_permutation_test,
    mouse_sign_test,
)


def pair(rho, n, seed=0):
    rng = stream(seed, "pair")
    x = rng.normal(size=n)
    return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)


def test_correlation_and_its_null():
    x, y = pair(-0.3, 200)
    found = tracked_correlation(x, y, n_permutations=4000)
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12) and found.n == 200
    many = tracked_correlation(*pair(-0.3, 4000), n_permutations=100, n_resamples=1000, alpha=0.2)
    assert many.std == pytest.approx((1 - many.r**2) / np.sqrt(4000), rel=0.12)
    low, median, _ = found.test.null_ci
    assert low == pytest.approx(-1.645 / np.sqrt(200), rel=0.1) and abs(median) < 0.01
    assert found.test.raw_p < 0.001 and tracked_correlation(x, -y, n_permutations=1000).test.raw_p > 0.99
    squared = tracked_correlation(x, y, kind="r_squared", tails="hi", n_permutations=1000)
    assert squared.r == pytest.approx(found.r**2) and squared.test.p_exact < 0.01


def test_session_swaps_take_out_regression_to_the_mean():
    """x against y - x is near -0.7 for unrelated x and y: the normalised value is near 0."""
    rs, p_values = [], []
    for seed in range(60):
        x, y = pair(0.0, 150, seed)
        assert np.corrcoef(x, y - x)[0, 1] < -0.5
        found = tracked_correlation(x, y, permute="sess", tails=2, n_permutations=300, n_resamples=50, seed=seed)
        rs.append(found.r)
        p_values.append(found.test.p_exact)
        assert abs(found.test.null_ci[1]) < 1e-3
    assert abs(np.mean(rs)) < 0.03 and np.mean(np.array(p_values) <= 0.05) < 0.14
    x = stream(1, "x").normal(size=50)
    same_sign = tracked_correlation(x, 3 * x, permute="sess", n_permutations=300, n_resamples=50)
    assert same_sign.r == pytest.approx(1)  # the ends stay


def test_differences_between_mice_count_unless_shuffled_within_mice():
    mice = np.repeat([1, 2, 3], 60)
    rng = stream(3, "mice")
    shift = np.array([-1.0, 0.0, 1.0])[mice - 1]
    x, y = rng.normal(size=180) + shift, rng.normal(size=180) + shift
    pooled = tracked_correlation(x, y, tails="hi", n_permutations=1000)
    within = tracked_correlation(x, y, tails="hi", n_permutations=1000, mice=mice)
    assert pooled.r == within.r and pooled.test.p_exact < 0.01 < 0.05 < within.test.p_exact
    with pytest.raises(ValueError, match="no effect"):
        tracked_correlation(x, y, permute="sess", mice=mice)


def test_correlation_refuses():
    with pytest.raises(ValueError, match="at least 3"):
        tracked_correlation([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="does not vary"):
        tracked_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="permute = 'sessions'"):
        tracked_correlation([1.0, 2.0, 0.0], [1.0, 2.0, 3.0], permute="sessions")


def test_size_and_spread():
    x = stream(4, "x").normal(0, 0.2, 500)
    assert mean_abs_sem(x) == pytest.approx((np.abs(x).mean(), stats.sem(np.abs(x))))
    value, std = variance_std(x)
    assert value == pytest.approx(np.var(x)) and std == pytest.approx(0.04 * np.sqrt(2 / 500), rel=0.15)


def test_density_of_pairings_is_the_product_of_the_margins():
    x, y = pair(0.9, 300)
    density, x_edges, y_edges = pairing_density(x, y, n_bins=40, n_permutations=200)
    assert density.shape == (40, 40) and len(x_edges) == len(y_edges) == 41
    assert density.sum() == pytest.approx(300, rel=0.02)
    assert np.linalg.svd(density)[1][1] < 0.05 * np.linalg.svd(density)[1][0]


def test_change_ratios():
    assert change(2.0, 3.0) == 0.5 and change(-2.0, -3.0) == 0.5
    assert change(1.0, 2.0, "log") == pytest.approx(change(2.0, 1.0, "log"))
    rng = stream(5, "change")
    g1 = rng.gamma(4, 1, 200)
    groups = {
        "moved": StimulusPair(g1, 1.8 * g1, g1 + rng.normal(0, 0.1, 200), g1 + rng.normal(0, 0.1, 200)),
        "still": StimulusPair(*rng.gamma(4, 1, (4, 200))),
    }
    table = stimulus_change(groups, n_permutations=2000, n_resamples=2000)
    assert list(table.index) == ["moved", "still", "all"]
    assert table.loc["moved", "gabors"] == pytest.approx(0.8) and table.loc["moved", "gabors_std"] < 1e-9
    assert table.loc["moved", "p_exact"] < 0.01 and table.loc["moved", "difference"] < -0.7
    assert table.loc["all", "gabors"] == pytest.approx(table["gabors"].iloc[:2].mean())
    assert table.loc["still", "p"] == pytest.approx(min(1, 6 * table.loc["still", "raw_p"]))
    apart = stimulus_change({"moved": groups["moved"]}, tracked=False, n_permutations=500, n_resamples=2000)
    m = g1.mean()
    expected = 1.8 * np.sqrt(2 * g1.var() / 200) / m  # delta method, sessions resampled apart
    assert apart.loc["moved", "gabors_std"] == pytest.approx(expected, rel=0.1)


def test_swap_null_of_changes_by_enumeration():
    values = stream(6, "swaps").gamma(1, 1, (4, 5))
    g1, g3, v1, v3 = values
    null = []
    for swaps in product([False, True], repeat=10):
        s1, s3 = np.array(swaps[:5]), np.array(swaps[5:])
        gabors = change(np.where(s1, v1, g1).mean(), np.where(s3, v3, g3).mean())
        null.append(change(np.where(s1, g1, v1).mean(), np.where(s3, g3, v3).mean()) - gabors)
    found = stimulus_change({"g": StimulusPair(*values)}, n_permutations=100_000, n_resamples=2, multcomp=1).loc["g"]
    real = change(v1.mean(), v3.mean()) - change(g1.mean(), g3.mean())
    expected = 2 * min(np.mean(np.array(null) <= real + 1e-9), np.mean(np.array(null) >= real - 1e-9))
    assert found["difference"] == pytest.approx(real) and found["p_exact"] == pytest.approx(expected, abs=0.01)
    edges = found[["null_low", "null_median", "null_high"]].to_numpy(float)
    np.testing.assert_allclose(edges, np.percentile(null, [2.5, 50, 97.5]), atol=0.03)


def test_swap_test_of_changes_holds_its_level():
    p_values = []
    for seed in range(100):
        values = stream(seed, "null change").gamma(4, 1, (4, 60))
        groups = {"g": StimulusPair(*values)}
        p_values.append(stimulus_change(groups, n_permutations=300, n_resamples=2, seed=seed)["p_exact"].iloc[0])
    assert np.mean(np.array(p_values) <= 0.05) < 0.12


def test_change_refuses():
    ones = np.ones(5)
    with pytest.raises(ValueError, match="must be the same"):
        stimulus_change({"g": StimulusPair(ones, ones, ones[:4], ones)})
    with pytest.raises(ValueError, match="no relative change"):
        stimulus_change({"g": StimulusPair(0 * ones, ones, ones, ones)})
    with pytest.raises(ValueError, match="tracked = False"):
        stimulus_change({"g": StimulusPair(ones, ones[:4], ones, ones[:4])})
    with pytest.raises(ValueError, match="called 'all'"):
        stimulus_change({"all": StimulusPair(ones, ones, ones, ones)})


def tidy(seed=0, mice=(3, 8, 5), n=20):
    rng = stream(seed, "tidy")
    rows = [
        {"mouse": m, "session": s, "line": "L5", "plane": "soma", "roi": r, "usi": rng.normal(0, 0.2)}
        for s in (1, 2, 3)
        for m in mice
        for r in range(n)
    ]
    return pd.DataFrame(rows)


def test_both_layouts_give_one_table_whatever_the_order_of_rows():
    frame = tidy()
    parts = [p for _, p in frame.groupby(["session", "mouse"], sort=False)]
    columns = {"mouse_ns": "mouse", "sess_ns": "session", "lines": "line", "planes": "plane"}
    layout = {c: {str(k): p[name].iloc[0] for k, p in enumerate(parts)} for c, name in columns.items()}
    layout["roi_idxs"] = {str(k): p["usi"].tolist() for k, p in enumerate(parts)}
    for source in ({"idx_only_df": layout, "extrapar": {}}, layout, pd.DataFrame(layout), frame):
        pd.testing.assert_frame_equal(usi_frame(source), usi_frame(frame))
    shuffled = usi_frame(frame.sample(frac=1, random_state=1))
    key = ["session", "mouse", "roi"]
    pd.testing.assert_frame_equal(
        shuffled.sort_values(key, ignore_index=True), usi_frame(frame).sort_values(key, ignore_index=True)
    )
    first, last = (usi_frame(frame).query("session == @s") for s in (1, 3))
    assert (first[["mouse", "roi"]].to_numpy() == last[["mouse", "roi"]].to_numpy()).all()


def test_tables_put_each_p_value_in_the_rows_of_its_two_sessions():
    table = mean_abs_usi_table(tidy(), n_permutations=1000)
    assert np.isnan(table["raw_p_1v2"][2]) and table["raw_p_1v2"][0] == table["raw_p_1v2"][1]
    assert np.isnan(table["raw_p_2v3"][0]) and table["raw_p_2v3"][1] == table["raw_p_2v3"][2]
    tests = session_tests_table(tidy(), n_permutations=1000)
    assert table["raw_p_2v3"][2] == tests["raw_p"][2] and len(tests) == 3
    by_mouse = variance_table(tidy(), by=("line", "plane", "mouse"), n_permutations=1000, n_resamples=50)
    assert len(by_mouse) == 9 and (by_mouse["n_rois"] == 20).all()
    untracked = tidy().drop(index=0)
    with pytest.raises(ValueError, match="not tracked"):
        session_tests_table(untracked, n_permutations=100)
    assert len(session_tests_table(untracked, tracked=False, n_permutations=1000)) == 3


def test_tables_refuse_what_they_cannot_read():
    with pytest.raises(KeyError, match="columns \\['usi'\\]"):
        usi_frame(tidy().drop(columns="usi"))
    with pytest.raises(ValueError, match="1 NaN"):
        usi_frame(tidy().assign(usi=[np.nan] + [0.1] * 179))
    with pytest.raises(ValueError, match="comes twice"):
        usi_frame(pd.concat([tidy(), tidy()[:1]]))
    with pytest.raises(KeyError, match="panel's JSON"):
        usi_frame({"extrapar": {"seed": 1}})
    with pytest.raises(ValueError, match="needs both"):
        correlation_table(tidy().query("session < 3"), n_permutations=100)


def clustered(n_mice, seed, spread=1.0, n=50):
    rng = stream(seed, "clustered", n_mice)
    mice = np.repeat(np.arange(n_mice), n)
    return rng.normal(size=n_mice * n) + spread * rng.normal(size=n_mice)[mice], mice


def test_mouse_interval_covers_and_the_pooled_one_does_not():
    covered = []
    for seed in range(200):
        found = mouse_interval(*clustered(3, seed))
        covered.append((found["low"] < 0 < found["high"], abs(found["pooled_mean"]) < 1.96 * found["pooled_sem"]))
    assert np.mean(covered, axis=0)[0] > 0.91 and np.mean(covered, axis=0)[1] < 0.5
    x, mice = clustered(3, 1)
    means = mouse_means(x, mice)
    expected = stats.t.interval(0.95, 2, means.mean(), stats.sem(means))
    assert (mouse_interval(x, mice)["low"], mouse_interval(x, mice)["high"]) == pytest.approx(expected)


def test_too_few_mice_are_refused_with_the_reason():
    x, mice = clustered(2, 0)
    for function in (mouse_interval, mouse_sign_test, hierarchical_bootstrap):
        with pytest.raises(ValueError, match=r"2 are too few .* two-sided p below 0.5"):
            function(x, mice)
    with pytest.raises(ValueError, match="1 is too few"):
        mouse_interval(x, np.zeros(100))
    with pytest.raises(ValueError, match="too few"):
        mixed_model(pd.DataFrame({"y": x, "mouse": mice}), "y ~ 1")
    with pytest.raises(ValueError, match="one mouse per value"):
        mouse_means(x, mice[1:])


def test_exact_tests_over_mice():
    x, mice = clustered(6, 3, spread=0)
    found = mouse_sign_test(x + 5, mice)
    assert found["p"] == found["smallest_p"] == 2 / 64
    three = mice < 3
    assert mouse_sign_test(x[three] + 5, mice[three])["p"] == 0.25
    found = mouse_permutation_test(x[three], mice[three], x[~three] + 9, mice[~three])
    assert found["p"] == pytest.approx(found["smallest_p"]) == pytest.approx(0.1)
    means = mouse_means(x, mice).to_numpy()
    assert found["value"] == pytest.approx(means[3:].mean() + 9 - means[:3].mean())
    with pytest.raises(ValueError, match="both groups"):
        mouse_permutation_test(x, mice, x, mice)
    with pytest.raises(ValueError, match=r"smallest p 0\.25"):
        mouse_permutation_test(x[:50], mice[:50], x[~three], mice[~three])


def test_hierarchical_bootstrap_has_both_levels_of_spread():
    x, mice = clustered(12, 5)
    found = hierarchical_bootstrap(x, mice, n_resamples=4000)
    means = mouse_means(x, mice)
    assert found["mean"] == pytest.approx(means.mean())
    expected = np.sqrt(means.var(ddof=0) / 12 + 1 / 50 / 12)
    assert found["std"] == pytest.approx(expected, rel=0.06)
    assert found["std"] > 2 * x.std() / np.sqrt(len(x))
    x, mice = clustered(12, 6, spread=0)
    expected = np.sqrt(mouse_means(x, mice).var(ddof=0) / 12 + 1 / 50 / 12)
    assert hierarchical_bootstrap(x, mice, n_resamples=4000)["std"] == pytest.approx(expected, rel=0.06)
    uneven = np.concatenate([x, np.full(500, 3.0)]), np.concatenate([mice, np.full(500, 99)])
    by_roi = hierarchical_bootstrap(*uneven, weight="roi", n_resamples=500)
    assert by_roi["mean"] == pytest.approx(uneven[0].mean())


def test_design_effect_and_mixed_model():
    x, mice = clustered(40, 6)
    assert design_effect(x, mice)["icc"] == pytest.approx(0.5, abs=0.13)
    assert design_effect(x, stream(0, "mice").permutation(mice))["design_effect"] < 1.5
    session = np.tile([1, 2], len(x) // 2)
    frame = pd.DataFrame({"y": x + 0.5 * (session == 2), "session": session, "mouse": mice})
    found = mixed_model(frame, "y ~ C(session)")
    row = found.loc["C(session)[T.2]"]
    by_session = frame.groupby("session")["y"].mean()
    assert row["estimate"] == pytest.approx(by_session[2] - by_session[1])  # mice are balanced
    assert row["low"] < row["estimate"] < row["high"] and row["p"] < 1e-6 and row["converged"]
    assert row["std_error"] == pytest.approx(np.sqrt(4 / len(x)), rel=0.1)
    assert found.loc["Intercept", "std_error"] > 0.12  # one of the mice, not of the ROIs


def test_mouse_level_table_says_what_it_refuses():
    frame = pd.concat([tidy(), tidy(1, mice=(1, 2)).assign(line="L23")])
    table = mouse_level_table(frame).set_index(["line", "session"])
    assert table.loc["L5", "refused"].eq("").all() and table.loc["L5", "low"].notna().all()
    assert table.loc["L23", "refused"].str.contains("2 are too few").all() and table.loc["L23", "mean"].isna().all()
    assert table.loc["L23", "pooled_mean"].notna().all()
    with_sign = mouse_level_table(frame, absolute=False)
    assert (with_sign["pooled_mean"].abs() < 0.1).all()
