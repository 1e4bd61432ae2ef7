"""Decoding of behaviour: bins, chance under blocked splits, leakage, planted codes, statistics over mice."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from sklearn.metrics import balanced_accuracy_score

from netlib.base.seeds import stream
from netlib.calcium.indicators import Indicator, calcium_trace
from netlib.pathways.behaviour import GROUPS, bin_activity, bin_labels, bin_times, cycle_groups, merge_behaviours
from netlib.pathways.decoding import (
    Svm,
    cluster_model,
    code_scores,
    decode_behaviour,
    decoding_test,
    leakage,
    learning_curve,
    matched_scores,
    paired_clusters,
    size_control,
    summarise_draws,
)
from netlib.pathways.simulate import simulate_behaviour

DT = 50.0
T = 900_000.0
SLOW = Indicator("slow", rise=50.0, decay=500.0, amplitude=0.2)


def make_session(seed, gain=None, n=60, duration=T):
    """Intervals, and spike times of neurons with slow changes of rate; ``gain`` (n, 4) is on the log rate."""
    intervals = merge_behaviours(simulate_behaviour(seed, session=5 + seed % 4, duration=duration).intervals)
    rng, n_frames = stream(seed, "test decoding"), round(duration / DT)
    code = bin_labels(intervals, GROUPS, n_frames, DT)
    keep = np.exp(-DT / 3000)
    slow = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((n, n_frames + 500)))[:, 500:]
    log_rate = np.log(np.exp(rng.normal(0, 0.7, n)))[:, None] + 0.7 * slow
    if gain is not None:
        log_rate += np.c_[gain, np.zeros(n)][:, code]
    counts = rng.poisson(np.exp(log_rate) * DT / 1000)
    return intervals, counts


def make_fluorescence(counts, seed, duration=T):
    rng = stream(seed, "noise")
    times = [(np.repeat(np.flatnonzero(c), c[c > 0]) + 0.5) * DT for c in counts]
    clean = calcium_trace(times, rate=1000 / DT, duration=duration, indicator=SLOW, saturation=False)
    return clean + rng.normal(0, 0.04, clean.shape)


def decode_frames(values, intervals, every=4, width=DT, how="mean", **options):
    x = bin_activity(values, DT, width, how)
    labels, times = bin_labels(intervals, GROUPS, len(x), width), bin_times(len(x), width)
    return decode_behaviour(x[::every], labels[::every], times[::every], GROUPS, svm=Svm(**options))


# --- bins


def test_bins_and_labels():
    table = pd.DataFrame({"onset": [100.0, 400.0], "offset": [300.0, 500.0], "label": ["food", "explo"]})
    assert bin_labels(table, GROUPS, 6, 100.0).tolist() == [-1, 2, 2, -1, 3, -1]
    assert bin_labels(table, GROUPS, 6, 100.0, fill=True).tolist() == [-1, 2, 2, 2, 3, 3]
    x = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(bin_activity(x, 50.0, 200.0, "mean"), x.reshape(2, 3, 4).mean(2).T)
    with pytest.raises(ValueError, match="whole number of frames"):
        bin_activity(x, 50.0, 130.0)


def test_groups_never_share_sides_and_the_gap_is_kept():
    from netlib.statistics.splits import blocked_splits

    intervals, _ = make_session(1, n=1)
    times = bin_times(4500, 200.0)
    groups = cycle_groups(intervals, times)
    labels = bin_labels(intervals, GROUPS, 4500, 200.0)
    keep = labels >= 0
    y, group, when = labels[keep], groups[keep], times[keep] / 1000
    for train, test in blocked_splits(y, group, when, n_folds=5, gap=2.0, strict=False):
        assert not set(group[train]) & set(group[test])
        assert np.abs(when[train][:, None] - when[test][None, ::7]).min() > 2.0


# --- the bars, ten sessions of null neurons


@pytest.fixture(scope="module")
def nulls():
    return [make_session(seed) for seed in range(10)]


def test_null_decoding_is_at_chance_under_blocked_splits(nulls):
    spikes = [decode_frames(c, i, 2, 500.0, "sum").balanced_accuracy for i, c in nulls]
    assert 0.20 <= np.mean(spikes) <= 0.30 and np.max(spikes) < 0.36


def test_random_splits_leak_on_smooth_features_and_blocked_ones_do_not(nulls):
    random, blocked = [], []
    for seed, (intervals, counts) in enumerate(nulls):
        smooth = gaussian_filter1d(counts.astype(float), 10, axis=1)
        trace = make_fluorescence(counts, seed) if seed % 2 else smooth
        random.append(decode_frames(trace, intervals, 6, splits="random").balanced_accuracy)
        blocked.append(decode_frames(trace, intervals, 6).balanced_accuracy)
    assert np.mean(random[::2]) >= 0.35 and np.mean(random[1::2]) >= 0.35
    assert 0.20 <= np.mean(blocked[::2]) <= 0.30 and 0.20 <= np.mean(blocked[1::2]) <= 0.30


@pytest.mark.slow
def test_radial_kernels_leak_more(nulls):
    intervals, counts = nulls[1]
    x = bin_activity(make_fluorescence(counts, 1), DT, DT, "mean")[::4]
    labels, times = bin_labels(intervals, GROUPS, 18000, DT)[::4], bin_times(18000, DT)[::4]
    table = leakage(x, labels, times, GROUPS)
    assert table.loc["rbf", "random"] > 0.6 > 0.35 > table["blocked"].max() and table.loc["linear", "random"] > 0.35


def test_smoothed_activity_does_not_decode_with_shifted_labels():
    gain = np.zeros((30, 4))
    gain[np.arange(30), np.arange(30) % 4] = np.log(3)
    tuned, null = make_session(3, gain, 30, 600_000.0), make_session(4, None, 30, 600_000.0)
    found = []
    for intervals, counts in (tuned, null):
        x = bin_activity(counts, DT, 1000.0)
        labels, times = bin_labels(intervals, GROUPS, len(x), 1000.0), bin_times(len(x), 1000.0)
        found.append(decoding_test(x, labels, times, GROUPS, n_shifts=19))
    assert found[0].p == 0.05 and found[0].score.balanced_accuracy > 0.4
    assert found[1].p > 0.05 and len(found[1].null) == 19 and abs(found[1].null.mean() - 0.25) < 0.05


# --- scores


def test_scores_are_those_of_the_confusion(nulls):
    intervals, counts = nulls[2]
    found = decode_frames(counts, intervals, 1, 1000.0, "sum")
    table = found.confusion.to_numpy()
    truth, said = np.repeat(np.indices((4, 4)).reshape(2, -1), table.ravel(), axis=1)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, said))
    assert (
        found.accuracy == pytest.approx((truth == said).mean()) and found.n_bins == table.sum() and found.chance == 0.25
    )
    labels = bin_labels(intervals, GROUPS, 900, 1000.0)
    assert found.n_bins == (labels >= 0).sum()


def test_missing_behaviour_has_no_recall(nulls):
    intervals, counts = nulls[2]
    some = intervals[(intervals["label"] != "sequence").to_numpy()]
    found = decode_frames(counts, some, 1, 1000.0, "sum")
    assert np.isnan(found.recall["sequence"]) and found.chance == pytest.approx(1 / 3)


def test_bad_input_is_named():
    x, y, t = np.zeros((40, 2)), np.arange(40) % 2, np.arange(40) * 1000.0
    for features, labels, times, match in (
        (x[:9], y, t, "features has 9 bins"),
        (x, y + 5, t, "labels"),
        (x, y * 0, t, "at least 2"),
        (x * np.nan, y, t, "features"),
    ):
        with pytest.raises(ValueError, match=match):
            decode_behaviour(features, labels, times, ["a", "b"])
    with pytest.raises(ValueError, match="kernel"):
        Svm(kernel="cubic")


# --- equal numbers


def test_activation_and_inactivation_codes_at_matched_n():
    """Planted: activation is by a factor of 4 up, inactivation of 1.3 down. Reversed, the order of scores reverses."""
    means = []
    for strong, weak in ((np.log(4), -np.log(1.3)), (np.log(1.3), -np.log(8))):
        gain = np.zeros((36, 4))
        gain[np.arange(12), np.arange(12) % 4] = strong
        gain[np.arange(12, 30), np.arange(18) % 4] = weak
        intervals, counts = make_session(5, gain, 36)
        x = bin_activity(counts, DT, 500.0)
        labels, times = bin_labels(intervals, GROUPS, len(x), 500.0), bin_times(len(x), 500.0)
        table = code_scores(x, np.sign(gain), labels, times, GROUPS, draws=3)
        assert (table.n == 12).all()
        assert table.set.value_counts().to_dict() == {"activation": 1, "inactivation": 3, "all": 3}
        means.append(summarise_draws(table).set_index("set")["mean"])
    assert means[0]["activation"] > means[0]["inactivation"] + 0.05
    assert means[1]["inactivation"] > means[1]["activation"] + 0.01


def test_more_neurons_decode_better_and_small_sets_are_not_matched():
    gain = np.zeros((24, 4))
    gain[np.arange(24), np.arange(24) % 4] = np.log(3)
    intervals, counts = make_session(6, gain, 24, 600_000.0)
    x = bin_activity(counts, DT, 500.0)
    labels, times = bin_labels(intervals, GROUPS, len(x), 500.0), bin_times(len(x), 500.0)
    curve = summarise_draws(learning_curve(x, labels, times, GROUPS, [2, 8, 24], draws=3))["mean"]
    assert curve.is_monotonic_increasing
    table = matched_scores(x, {"a": [0, 1], "b": np.arange(24) > 3}, labels, times, GROUPS, n=5, draws=2)
    assert table[table.set == "a"]["balanced_accuracy"].isna().all() and len(table[table.set == "b"]) == 2
    with pytest.raises(ValueError, match="empty"):
        matched_scores(x, {"a": [], "b": [1]}, labels, times, GROUPS)


# --- statistics


def make_table(seed, n_mice=6, cluster_effect=0.0, slope=0.05):
    rng, rows = stream(seed, "scores"), []
    for m in range(n_mice):
        mouse, own = rng.normal(0, 0.03), rng.integers(5, 60, 4)
        for s in range(1, 5):
            for c in range(4):
                score = 0.4 + mouse + slope * np.log2(own[c]) / 2 + cluster_effect * (c == 0) + rng.normal(0, 0.02)
                rows.append((f"m{m}", s, c, score, own[c]))
    return pd.DataFrame(rows, columns=["mouse", "session", "cluster", "score", "size"])


def test_size_alone_makes_no_cluster():
    table = make_table(1)
    adjusted = size_control(table)
    assert adjusted.attrs["slope"] == pytest.approx(0.025, abs=0.01) and adjusted.attrs["correlation"] > 0.5
    p = [cluster_model(make_table(seed))["p"] for seed in range(6)]
    assert np.mean(np.array(p) < 0.05) <= 0.34 and np.median(p) > 0.1
    assert cluster_model(make_table(2, cluster_effect=0.06))["p"] < 1e-3
    raw, fair = (
        paired_clusters(make_table(3, cluster_effect=0.06)),
        paired_clusters(size_control(make_table(3, cluster_effect=0.06)), "adjusted"),
    )
    assert (
        (fair[fair.a == 0]["p"] == 2 / 64).all()
        and raw.smallest_p.iloc[0] == 2 / 64
        and (fair.p_adjusted >= fair.p).all()
    )


def test_three_mice_are_said_to_be_these_mice():
    found = cluster_model(make_table(4, n_mice=3))
    assert found["mouse"] == "fixed" and found["about"] == "these mice" and found["n_mice"] == 3
    table = paired_clusters(make_table(4, n_mice=3))
    assert (table.p >= 0.25).all() and (table.smallest_p == 0.25).all()
    assert paired_clusters(make_table(4, n_mice=2))["p"].isna().all()
