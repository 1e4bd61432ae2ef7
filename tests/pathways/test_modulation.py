"""Modulation by behaviour: the shift test against loops, its calibration and power, labels and agreement."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import percentileofscore

from netlib.base.seeds import stream
from netlib.pathways.behaviour import GROUPS, merge_behaviours
from netlib.pathways.labels import (
    agreement,
    best_label,
    categories,
    category_matrix,
    labels_per_neuron,
    pathway_fractions,
    sign_agreement,
)
from netlib.pathways.modulation import (
    activity_on_grid,
    behaviour_labels,
    behaviour_weights,
    percentile_signs,
    percentile_test,
    permuted_bouts,
    published_shifts,
    shift_test,
    suggest_guard,
)
from netlib.pathways.simulate import simulate_behaviour

DT = 50.0
SEEDS = range(10)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def make_counts(seed, weights, gain, tau=3000.0, sd=0.7):
    """Counts of neurons with slow changes of rate; ``gain`` (n, labels) is added to the log rate in behaviours."""
    rng = stream(seed, "test modulation")
    n, n_bins = len(gain), weights.shape[1]
    keep = np.exp(-DT / tau)
    slow = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal((n, n_bins + 1000)))[:, 1000:]
    base = np.array([0.3, 1.0, 3.0])[np.arange(n) % 3, None]
    return rng.poisson(base * np.exp(sd * slow - sd**2 / 2 + gain @ weights) * DT / 1000).astype(float)


def make_session(seed, merged=True, duration=1_200_000.0):
    session = simulate_behaviour(seed, session=4 + seed % 5, duration=duration)
    intervals = merge_behaviours(session.intervals) if merged else session.intervals
    labels = behaviour_labels(intervals)
    return intervals, labels, behaviour_weights(intervals, labels, round(duration / DT), DT)


@pytest.fixture(scope="module")
def short():
    """Five minutes, six neurons, as counts, with a missing behaviour."""
    intervals, labels, weights = make_session(1, merged=False, duration=300_000.0)
    intervals = intervals[(intervals["label"] != "no pellet").to_numpy()].reset_index(drop=True)
    weights[labels.index("no pellet")] = 0
    return intervals, labels, weights, make_counts(1, weights, np.zeros((6, 7)))


# --- the grid


def test_weights_measure_time_exactly():
    intervals, labels, weights = make_session(3, merged=False)
    length = (intervals["offset"] - intervals["onset"]).groupby(intervals["label"]).sum().reindex(labels)
    np.testing.assert_allclose(weights.sum(1) * DT, length, rtol=1e-12)
    assert weights.sum(0).max() <= 1 + 1e-12
    # A plain computation, interval by interval and bin by bin.
    plain = np.zeros_like(weights)
    left = np.arange(weights.shape[1]) * DT
    for on, off, label in intervals[["onset", "offset", "label"]].itertuples(index=False):
        plain[labels.index(label)] += np.clip(np.minimum(left + DT, off) - np.maximum(left, on), 0, None) / DT
    np.testing.assert_allclose(weights, plain, atol=1e-9)


def test_events_of_any_form_are_binned_alike():
    lists = [np.array([10.0, 10.5, 999.9]), np.array([]), np.array([0.0, 1000.0])]
    flat = (np.array([2, 0, 0, 0, 2]), np.array([0.0, 999.9, 10.0, 10.5, 1000.0]), 3)
    a, b = (activity_on_grid(x, 1000.0, 50.0) for x in (lists, flat))
    np.testing.assert_array_equal(a.values, b.values)
    assert a.values.sum(1).tolist() == [3, 0, 2] and a.values[0, 0] == 2 and a.values[2, 19] == 1
    assert activity_on_grid(lists, 1000.0, 50.0, grid=1.0).values.shape == (3, 1000)


@pytest.mark.parametrize(
    "activity, kind, message",
    [
        ([[-1.0]], "events", "activity"),
        ([[2000.0]], "events", "activity"),
        (np.ones((2, 7)), "counts", "7 frames"),
        (-np.ones((2, 20)), "counts", "out of range"),
        (np.r_[np.nan, np.ones(19)][None], "trace", "activity"),
        ([[1.0]], "spikes", "kind"),
    ],
)
def test_bad_activity_is_named(activity, kind, message):
    with pytest.raises(ValueError, match=message):
        activity_on_grid(activity, 1000.0, 50.0, kind)


# --- twins


def loop(values, weights, lags, per):
    """Statistic at each lag by moving the activity, one lag after the other."""
    sums = [np.roll(values, k, axis=1) @ weights.T for k in lags]
    return np.stack(sums, axis=2) / (weights.sum(1) * per)[:, None]


@pytest.mark.parametrize("kind", ["events", "counts", "trace"])
def test_fft_equals_a_loop_over_shifts(short, kind):
    intervals, _labels, weights, counts = short
    n_bins = counts.shape[1]
    trace = lfilter([1], [1, -0.9], counts) + 0.1
    times = [np.repeat(np.arange(n_bins) * DT + 20.0, row.astype(int)) for row in counts]
    activity, values = {"events": (times, counts), "counts": (counts, counts), "trace": (trace, trace)}[kind]
    found = shift_test(activity, intervals, 300_000.0, DT, kind)
    shown = weights.sum(1) > 0
    lags = np.arange(400, n_bins - 400 + 1)
    null = loop(values, weights[shown], np.r_[0, lags], 1.0 if kind == "trace" else DT)
    observed, null = null[..., :1], null[..., 1:]
    np.testing.assert_allclose(found.statistic[:, shown], observed[..., 0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.null_mean[:, shown], null.mean(-1), rtol=1e-9)
    np.testing.assert_allclose(found.null_sd[:, shown], null.std(-1), rtol=1e-9)
    near = 1e-10
    above, below = (null >= observed - near).sum(-1), (null <= observed + near).sum(-1)
    p = np.minimum(1, 2 * (1 + np.minimum(above, below)) / (1 + len(lags)))
    np.testing.assert_allclose(found.p_lags[:, shown], p, rtol=1e-12)
    null, observed = np.round(null, 12), np.round(observed[..., 0], 12)
    rank = [[percentileofscore(null[i, b], observed[i, b], "mean") for b in range(null.shape[1])] for i in range(6)]
    np.testing.assert_allclose(found.percentile[:, shown], rank, atol=1e-9)
    assert found.n_null == len(lags) and not found.absent.any()
    assert found.missing.tolist() == (~shown).tolist() and np.isnan(found.q[:, ~shown]).all()


def test_linear_shifts_equal_a_loop_that_never_wraps(short):
    intervals, _, weights, counts = short
    found = shift_test(counts, intervals, 300_000.0, DT, "counts", null="linear", max_shift=60_000.0, guard=5000.0)
    n, last = counts.shape[1], 1200
    window = weights[:, last : n - last]
    for k in (-last, -300, 0, 101, last):
        moved = counts[:, last - k : n - last - k] @ window.T / (window.sum(1) * DT)
        if k == 0:
            np.testing.assert_allclose(found.statistic[:, ~found.missing], moved[:, ~found.missing], rtol=1e-9)
    null = np.stack([counts[:, last - k : n - last - k] @ window.T for k in range(-last, last + 1) if abs(k) >= 100], 2)
    expected = null.mean(2) / np.where(window.sum(1) > 0, window.sum(1), np.nan) / DT
    np.testing.assert_allclose(found.null_mean, expected, rtol=1e-9)
    # m of 2 N lags prove m / (N + 1) only.
    assert np.nanmin(found.p_lags) >= 2 / (1 + found.n_null / 2)


def test_bouts_keep_their_lengths_and_their_sums(short):
    intervals, labels, _, counts = short
    edges, order = permuted_bouts(intervals, 300_000.0, 30, 5)
    length = (intervals["offset"] - intervals["onset"]).to_numpy()
    for e, o in zip(edges, order, strict=True):
        assert e[0] == 0 and e[-1] == pytest.approx(300_000.0)
        np.testing.assert_allclose(np.diff(e)[o >= 0], length[o[o >= 0]], atol=1e-6)
        assert sorted(o[o >= 0]) == list(range(len(intervals)))
    found = shift_test(counts, intervals, 300_000.0, DT, "counts", null="bouts", n_permutations=30, seed=5)
    names, weights = intervals["label"].to_numpy(object), []
    for e, o in zip(edges, order, strict=True):
        dealt = pd.DataFrame({"onset": e[:-1], "offset": e[1:], "label": names[o]})[o >= 0]
        weights.append(behaviour_weights(dealt, labels, 6000, DT))
    null = np.stack([counts @ w.T / np.where(w.sum(1) > 0, w.sum(1) * DT, np.nan) for w in weights], 2)
    np.testing.assert_allclose(found.null_mean, null.mean(2), rtol=1e-8)
    np.testing.assert_allclose(found.null_sd, null.std(2), rtol=1e-6)


# --- the defects of the original


def test_shifts_wrap_on_the_session_so_that_the_null_has_the_mean_rate():
    """Defect 1: wrapping at the last spike, and losing events at negative times, made half of the null too low."""
    intervals, _labels, weights = make_session(2, duration=300_000.0)
    times = [np.sort(stream(k, "early").uniform(0, 150_000.0, 300)) for k in range(5)]  # nothing in the second half
    found = percentile_test(times, intervals, 300_000.0, DT)
    sums = loop(activity_on_grid(times, 300_000.0, DT).values, weights, np.round(found.shifts / DT).astype(int), DT)
    observed = loop(activity_on_grid(times, 300_000.0, DT).values, weights, [0], DT)
    sums, observed = np.round(sums, 12), np.round(observed[..., 0], 12)
    rank = [[percentileofscore(sums[i, b], observed[i, b]) for b in range(4)] for i in range(5)]
    np.testing.assert_allclose(found.percentile, rank, atol=1e-9)
    all_lags = loop(activity_on_grid(times, 300_000.0, DT).values, weights, range(6000), DT)
    np.testing.assert_allclose(all_lags.mean(2), 300 / 300_000.0, rtol=1e-9)  # every event is kept at every lag


def test_near_shifts_are_not_counted_as_independent():
    """Defect 2: 1600 shifts in steps of 0.1 s are some ten independent values."""
    intervals, _, weights = make_session(2)
    trace = lfilter([1], [1, -np.exp(-DT / 3000)], make_counts(2, weights, np.zeros((6, 4))))
    found = shift_test(trace, intervals, 1_200_000.0, DT, "trace")
    assert (found.n_independent < 0.03 * found.n_null).all() and (found.n_independent > 5).all()
    assert (found.p >= 2 / (1 + found.n_independent) - 1e-12).all() and found.p.min() > found.p_lags.min()


def test_published_shifts():
    events, counts = published_shifts(), published_shifts(far=50_000.0)
    assert (len(events), len(counts)) == (1600, 600)
    assert events.min() == -100_000 and np.abs(events).min() >= 20_000 and np.allclose(np.diff(events[:800]), 100)


def test_percentile_bounds_are_inclusive_everywhere():
    """Defect 5: >= 95 here and > 95 there."""
    assert percentile_signs([[95.0, 5.0, 50.0, np.nan]]).tolist()[0][:3] == [1, -1, 0]


def test_missing_behaviour_and_absent_neuron_are_missing_not_fifty(short):
    intervals, labels, _, counts = short
    counts = counts.copy()
    counts[2] = np.nan
    for found in (
        shift_test(counts, intervals, 3e5, DT, "counts"),
        percentile_test(counts, intervals, 3e5, DT, "counts"),
    ):
        gone = labels.index("no pellet")
        assert found.missing.tolist() == [k == gone for k in range(7)] and found.absent.tolist() == [0, 0, 1, 0, 0, 0]
        assert np.isnan(found.percentile[:, gone]).all() and np.isnan(found.percentile[2]).all()
        assert np.isfinite(np.delete(np.delete(found.percentile, 2, 0), gone, 1)).all()
        assert np.isnan(found.signs()[2]).all()


def test_silent_neuron_is_not_modulated(short):
    intervals, *_ = short
    found = shift_test([[], [1000.0]], intervals, 3e5, DT)
    shown = ~found.missing
    assert (
        (found.p[0, shown] == 1).all()
        and (found.effect[0, shown] == 0).all()
        and (found.percentile[0, shown] == 50).all()
    )
    assert np.nanmin(found.p_tail) > 0


# --- calibration and power, ten sessions


@pytest.fixture(scope="module")
def sessions():
    """30 null and 12 tuned neurons (x 4 or / 4 in one behaviour) in each of ten sessions, and what is found."""
    made = []
    for seed in SEEDS:
        intervals, _labels, weights = make_session(seed)
        gain = np.zeros((42, 4))
        gain[np.arange(30, 42), stream(seed, "who").integers(0, 4, 12)] = np.log(4) * np.where(np.arange(12) % 2, 1, -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            found = shift_test(make_counts(seed, weights, gain), intervals, 1_200_000.0, DT, "counts")
        made.append((gain, found))
    return made


def test_null_neurons_are_flagged_at_the_nominal_rate(sessions):
    for name, low in (("p", 0.02), ("p_lags", 0.03), ("p_tail", 0.03)):
        flagged = np.mean([(getattr(found, name)[:30] <= 0.05).mean() for _, found in sessions])
        assert low <= flagged <= 0.08, name
        one = np.mean([((getattr(f, name)[:30] <= 0.1) & (f.effect[:30] > 0)).mean() for _, f in sessions])
        assert 0.02 <= one <= 0.08, name  # one tail, nominal 5 %


def test_tuned_neurons_are_found_and_false_discoveries_are_few(sessions):
    hit, false = [], []
    for gain, found in sessions:
        signs = found.signs(0.05)
        hit.append((signs[gain != 0] == np.sign(gain[gain != 0])).mean())
        # A neuron tuned to one behaviour is not independent of the others either: false ones are of untuned neurons.
        false.append((signs[:30] != 0).sum() / max((signs != 0).sum(), 1))
    assert np.mean(hit) >= 0.95 and np.mean(false) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, null, power", [("trace", "circular", 0.95), ("counts", "bouts", 0.95), ("counts", "linear", 0.4)]
)
def test_other_activity_and_other_nulls_hold_their_level(kind, null, power):
    """Ten sessions each; linear shifts, of which there are few independent ones, prove less."""
    one_tail, hit, false = [], [], []
    for seed in SEEDS:
        intervals, _, weights = make_session(seed)
        gain = np.zeros((80, 4))
        gain[np.arange(60, 80), np.arange(20) % 4] = np.log(4) * np.where(np.arange(20) % 2, 1, -1)
        activity = make_counts(seed, weights, gain)
        if kind == "trace":
            activity = lfilter([0.2], [1, -np.exp(-DT / 500)], activity, axis=1)
            activity += stream(seed, "noise").normal(0, 0.04, activity.shape)
        found = shift_test(activity, intervals, 1_200_000.0, DT, kind, null=null, n_permutations=300)
        signs = found.signs(0.05)
        one_tail.append(((found.p[:60] <= 0.1) & (found.effect[:60] > 0)).mean())
        hit.append((signs[gain != 0] == np.sign(gain[gain != 0])).mean())
        false.append((signs[:60] != 0).sum() / max((signs != 0).sum(), 1))
    assert np.mean(one_tail) <= 0.08 and (null == "linear" or np.mean(one_tail) >= 0.02)
    assert np.mean(hit) >= power and np.mean(false) <= 0.1


def test_ratio_is_the_planted_one(sessions):
    gain, found = sessions[0]
    up = gain > 0
    assert np.median(found.ratio[up]) == pytest.approx(4, rel=0.5) and np.median(found.ratio[:30]) == pytest.approx(
        1, abs=0.1
    )


def test_half_of_null_neurons_get_a_published_label_and_few_get_ours(sessions):
    """Defect 3: eight columns, six of them ORs, at 5 % each and without correction."""
    some, ours = [], []
    for seed in list(SEEDS)[:1]:
        intervals, _, weights = make_session(seed, merged=False)
        counts = make_counts(seed, weights, np.zeros((60, 7)))
        published = categories(percentile_test(counts, intervals, 1_200_000.0, DT, "counts"))
        some.append((published > 0).any(1).mean())
        own = categories(shift_test(counts, merge_behaviours(intervals), 1_200_000.0, DT, "counts"))
        ours.append((own > 0).any(1).mean())
    assert 0.35 <= np.mean(some) <= 0.7 and np.mean(ours) <= 0.03


# --- the guard


def test_guard_follows_the_data():
    intervals, _, weights = make_session(6)
    slow = make_counts(6, weights, np.zeros((30, 4)), tau=20_000.0)
    fast = make_counts(6, weights, np.zeros((30, 4)), tau=500.0)
    long, brief = (suggest_guard(intervals, 1.2e6, DT, x, "counts") for x in (slow, fast))
    assert 10_000 < long.activity_time < 40_000 and brief.activity_time < 2000 and long.guard > brief.guard
    assert brief.guard >= brief.inter_sequence and not brief.limited and long.guard >= 3 * long.activity_time - 1e-6
    with pytest.warns(RuntimeWarning, match="activity"):
        found = shift_test(slow, intervals, 1.2e6, DT, "counts")
    assert found.notes and shift_test(slow, intervals, 1.2e6, DT, "counts", guard="auto").guard == long.guard


@pytest.mark.parametrize(
    "options",
    [{"guard": 110_000.0}, {"null": "linear", "max_shift": 1000.0}, {"null": "jitter"}, {"fdr_on": "z"}, {"grid": 5.0}],
)
def test_bad_options_are_named(short, options):
    intervals, _, _, counts = short
    with pytest.raises(ValueError, match=r"guard|max_shift|null|fdr_on|grid"):
        shift_test(counts, intervals, 300_000.0, DT, "counts", **options)


def test_table_has_a_row_for_each_test(short):
    intervals, labels, _, counts = short
    table = shift_test(counts, intervals, 300_000.0, DT, "counts").table()
    assert len(table) == 42 and table["behaviour"].iloc[:7].tolist() == list(labels) and {"q", "effect"} <= set(table)


def test_four_groups_by_default_when_merged(short):
    intervals, *_, counts = short
    assert shift_test(counts, merge_behaviours(intervals), 300_000.0, DT, "counts").labels == GROUPS


# --- labels


def test_absent_neurons_do_not_take_the_labels_of_the_last():
    """Defect 4: entry 0 of the registration, less one, was the index of the last neuron."""
    vectors = [np.zeros((3, 8)), np.zeros((2, 8))]
    vectors[0][2] = vectors[1][1] = 1.0
    matrix = category_matrix(vectors, pd.DataFrame([[0, -1], [2, 1], [-1, 0]]))
    assert matrix.shape == (3, 16) and np.isnan(matrix[0, 8:]).all() and np.isnan(matrix[2, :8]).all()
    assert (matrix[1] == 1).all() and (matrix[0, :8] == 0).all()
    with pytest.raises(ValueError, match=r"table\[0, 1\] = 2: .* from 0 to 1"):
        category_matrix(vectors, [[0, 2]])
    with pytest.raises(ValueError, match=r"table\[0, 1\] = nan"):
        category_matrix(vectors, [[0, np.nan]])
    with pytest.raises(ValueError, match="2 sessions"):
        category_matrix(vectors, [[0, 1, 1]])


def test_categories_of_four_and_the_published_or(short):
    intervals, labels, _, counts = short
    seven = percentile_test(counts, intervals, 3e5, DT, "counts")
    seven.percentile[0] = [
        50,
        97,
        3,
        np.nan,
        97,
        2,
        50,
    ]  # sequence, zone 2, pellet, no pellet, explo 2, explo 1, zone 1
    assert categories(seven)[0].tolist() == [0, 1, 0, 1, 0, 0, 1, 1]  # explo both up and down
    four = shift_test(counts, merge_behaviours(intervals), 3e5, DT, "counts")
    vectors = categories(four, 0.5, "p")
    np.testing.assert_array_equal(vectors[:, :4] - vectors[:, 4:], four.signs(0.5, "p"))
    with pytest.raises(ValueError, match="explo"):
        categories(shift_test(counts, intervals, 3e5, DT, "counts", labels=labels[:4]))


def test_best_label_and_its_ties():
    table = best_label([[97, 3, 50], [50, 50, 50], [96, 99, 1], [np.nan] * 3], ["a", "b", "c"])
    assert table["label"].tolist() == ["a", "a", "b", None] and table["direction"].tolist()[:3] == ["up", "up", "up"]
    assert table["significant"].tolist() == [True, False, True, False]
    assert best_label([[94, 20, 6]], ["a", "b", "c"])["label"].item() == "a"
    assert best_label([[99, 80, 6]], ["a", "b", "c"], signs=[[0, 1, 0]])["label"].item() == "b"


def test_fractions_have_wilson_and_mouse_intervals():
    rng = stream(1, "fractions")
    sessions = {("D1", f"m{k}", 1): (rng.random((50, 8)) < 0.1).astype(float) for k in range(3)}
    sessions["A2A", "m9", 1] = np.full((4, 8), np.nan)
    pooled, mice = pathway_fractions(sessions), pathway_fractions(sessions, "mouse")
    one = pooled[(pooled.pathway == "D1") & (pooled.behaviour == "sequence") & (pooled.kind == "up")].iloc[0]
    n, k, z = 150, one["count"], 1.959963984540054
    centre, half = (k + z**2 / 2) / (n + z**2), z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    assert (one.low, one.high) == pytest.approx((centre - half, centre + half))
    other = mice[(mice.pathway == "D1") & (mice.behaviour == "sequence") & (mice.kind == "up")].iloc[0]
    each = [sessions["D1", f"m{k}", 1][:, 0].mean() for k in range(3)]
    assert other.fraction == pytest.approx(np.mean(each)) and other.high - other.fraction == pytest.approx(
        4.302652729911275 * np.std(each, ddof=1) / np.sqrt(3)
    )
    assert mice[mice.pathway == "A2A"]["low"].isna().all() and (pooled[pooled.pathway == "A2A"].n == 0).all()
    counts = labels_per_neuron(sessions["D1", "m0", 1])
    assert (counts.sum() == 50).all() and counts["any"][0] == ((sessions["D1", "m0", 1] > 0).sum(1) == 0).sum()


# --- agreement


def test_agreement_finds_what_is_shared_and_nothing_else():
    rng = stream(3, "agreement")
    truth = rng.standard_normal((60, 7))
    noisy = {name: truth + 0.5 * rng.standard_normal((60, 7)) for name in ("events", "counts")}
    noisy["other"] = rng.standard_normal((60, 7))
    noisy["events"][4] = np.nan
    noisy["counts"][:, 3] = np.nan
    table = agreement(noisy, behaviour_labels(make_session(1, False, 300_000.0)[0]), n_permutations=199)
    assert set(table["behaviour"]) == {*GROUPS, "all"} and len(table) == 15
    same = table[(table.a == "events") & (table.b == "counts")]
    assert (same.pearson > 0.6).all() and (same.p == 1 / 200).all() and (same.icc > 0.6).all()
    alone = table[table.b == "other"]
    assert (alone.pearson.abs() < 0.35).all() and (alone.p > 0.005).all()
    food = same[same.behaviour == "food"].iloc[0]
    keep = np.arange(60) != 4
    assert food.n == 59 and food.pearson == pytest.approx(
        np.corrcoef(noisy["events"][keep, 2], noisy["counts"][keep, 2])[0, 1]
    )


def test_kappa_and_icc_against_scikit_and_a_mixed_anova():
    from sklearn.metrics import cohen_kappa_score

    rng = stream(4, "kappa")
    a = rng.integers(-1, 2, (40, 4))
    b = np.where(rng.random((40, 4)) < 0.6, a, rng.integers(-1, 2, (40, 4)))
    table = sign_agreement({"a": a, "b": b}, GROUPS)
    assert table.kappa.iloc[-1] == pytest.approx(cohen_kappa_score(a.ravel(), b.ravel()))
    assert table.agree.iloc[0] == pytest.approx((a[:, 0] == b[:, 0]).mean())
    with pytest.raises(ValueError, match="labels"):
        sign_agreement({"a": a + 1, "b": b}, GROUPS)
