"""Decoding orientation: the solver, the splits, the two pipelines and their nulls."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss
from sklearn.preprocessing import RobustScaler

from netlib.base.seeds import stream
from netlib.openscope.decoding import (
    METRICS,
    LinearDecoder,
    decode_blocked,
    decode_published,
    decode_timecourse,
    decoder_scores,
    fit_decoder,
    prepare_split,
)
from netlib.statistics.permutation import exact_p
from netlib.statistics.splits import blocked_splits, counts_of_unexpected, matched_split, random_split, time_blocks

ACCURACY = "test_balanced_accuracy"
ORIENTATIONS = np.array([0.0, 45.0, 90.0, 135.0])
#: For tests of statistics over many fits; what the solver's tolerance does has its own test.
QUICK = LinearDecoder(tol=1e-3)


def gabors(seed, n=100, rois=40, frames=3, effect=0.0):
    """White noise, plus ``effect`` in a few ROIs that each prefer one of the four orientations."""
    rng = stream(seed, "gabors")
    labels = rng.permutation(np.resize(ORIENTATIONS, n))
    windows = rng.normal(size=(n, rois, frames))
    if effect:
        windows[:, :4] += effect * (labels[:, None] == ORIENTATIONS)[:, :, None]
    return windows, labels


# ---------------------------------------------------------------- the solver


def plain_pipeline(windows, labels, train, test, tol):
    """The published steps without any short cut: scaler by ROI over trials and frames, then all features."""
    n, rois, _ = windows.shape
    scaler = RobustScaler(quantile_range=(5, 95)).fit(np.swapaxes(windows[train], 1, 2).reshape(-1, rois))
    scaled = np.array([scaler.transform(windows[k].T).T for k in range(n)]).reshape(n, -1)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000, tol=tol).fit(scaled[train], labels[train])
    return model, scaled[test]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_rotated_decision_values_are_those_of_all_features(n_classes):
    for seed in range(3):
        windows, labels = gabors(seed, rois=60, frames=14, effect=0.5)
        windows[:, 5] = 1e-3 * windows[:, 5] + 50.0  # badly scaled
        windows[:, 6] = 2.0  # flat
        keep = labels < 45.0 * n_classes
        windows, labels = windows[keep], labels[keep]
        train, test = random_split(labels, seed)
        split = prepare_split(windows, train, test)
        assert split.train.shape[1] <= len(train) < 60 * 14
        for tol, bar in ((1e-10, 1e-6), (LinearDecoder().tol, 1e-5)):
            model, features = plain_pipeline(windows, labels, train, test, tol)
            ours = fit_decoder(split.train, labels[train], LinearDecoder(tol=tol)).decision_function(split.test)
            np.testing.assert_allclose(ours, model.decision_function(features), rtol=0, atol=bar)


def test_few_features_are_left_as_they_are():
    windows, labels = gabors(1, rois=5)
    train, test = random_split(labels, 1)
    assert prepare_split(windows, train, test).train.shape == (75, 15)


def test_scores_are_those_of_scikit_learn():
    windows, labels = gabors(2, effect=0.8)
    codes = np.searchsorted(ORIENTATIONS, labels)
    train, test = random_split(labels, 2)
    split = prepare_split(windows, train, test)
    scores = decoder_scores(split, codes[train], codes[test], 4, LinearDecoder())
    model = fit_decoder(split.train, codes[train], LinearDecoder())
    for part, x, y in (("train", split.train, codes[train]), ("test", split.test, codes[test])):
        guess, probability = model.predict(x), model.predict_proba(x)
        assert scores[f"{part}_accuracy"] == pytest.approx(accuracy_score(y, guess))
        assert scores[f"{part}_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, guess))
        assert scores[f"{part}_neg_log_loss"] == pytest.approx(-log_loss(y, probability, labels=range(4)))
    assert (scores["n_train"], scores["n_test"], scores["converged"]) == (75, 25, True)


def test_a_class_that_training_never_saw_costs_and_does_not_fail():
    windows, labels = gabors(3)
    codes = np.searchsorted(ORIENTATIONS, labels)
    train, test = np.flatnonzero(codes < 3), np.flatnonzero(codes == 3)
    scores = decoder_scores(prepare_split(windows, train, test), codes[train], codes[test], 4, LinearDecoder())
    assert scores["test_accuracy"] == 0.0 and scores["test_neg_log_loss"] < -30
    with pytest.raises(ValueError, match="fewer than 2 classes"):
        fit_decoder(windows[test].reshape(len(test), -1), codes[test], LinearDecoder())


# ---------------------------------------------------------------- splits


def test_random_splits_keep_proportions_and_have_their_own_streams():
    labels = stream(7, "labels").permutation(np.repeat([0, 45, 90, 135], [40, 20, 20, 20]))
    train, test = random_split(labels, 7, 0)
    assert np.array_equal(np.sort(np.r_[train, test]), np.arange(100)) and len(test) == 25
    assert np.unique(labels[test], return_counts=True)[1].tolist() == [10, 5, 5, 5]
    assert np.array_equal(random_split(labels, 7, 0)[0], train) and not np.array_equal(
        random_split(labels, 7, 1)[0], train
    )
    with pytest.raises(ValueError, match="1 of the rarest"):
        random_split([0, 0, 0, 1], 0)


def test_matched_splits_draw_as_many_trials_as_there_are_unexpected_ones():
    labels = np.repeat([0.0, 45.0, 90.0, 135.0], 300)
    counts = counts_of_unexpected(np.repeat([90, 135, 180, 225], [27, 20, 24, 23]))
    assert counts == {0.0: 27, 45.0: 20, 90.0: 24, 135.0: 23}
    train, test = matched_split(labels, counts, 905, 3)
    assert np.unique(labels[train], return_counts=True)[1].tolist() == [20, 15, 18, 17]
    assert np.unique(labels[test], return_counts=True)[1].tolist() == [7, 5, 6, 6]
    assert np.intersect1d(train, test).size == 0
    result = decode_published(gabors(0, 1200, 3, 1)[0], labels, counts=counts, n_splits=2)
    assert result.scores["n_train"].tolist() == [70, 70] and result.classes[45.0] == 300
    with pytest.raises(ValueError, match=r"counts has no class 135"):
        decode_published(gabors(0, 1200, 3, 1)[0], labels, counts={0.0: 9, 45.0: 9, 90.0: 9}, n_splits=2)


def test_blocked_splits_never_share_a_group_and_keep_their_distance():
    rng = stream(4, "blocks")
    times = np.cumsum(rng.uniform(1.5, 4.0, 240))
    labels = rng.permutation(np.resize(ORIENTATIONS, 240))
    groups = time_blocks(times, 30.0)
    splits = blocked_splits(labels, groups, times, n_folds=4, n_repeats=3, gap=6.0, seed=1)
    assert len(splits) == 12
    for repeat in range(3):
        tests = np.concatenate([test for _, test in splits[4 * repeat : 4 * repeat + 4]])
        assert np.array_equal(np.sort(tests), np.arange(240))  # every trial is tested once
    for train, test in splits:
        assert np.intersect1d(groups[train], groups[test]).size == 0
        nearest = min(abs(times[i] - times[j]) for i in train for j in test)
        assert nearest > 6.0
        dropped = np.setdiff1d(np.arange(240), np.r_[train, test])
        assert all(np.abs(times[test] - times[k]).min() <= 6.0 for k in dropped) and len(dropped)


def test_blocked_splits_say_what_is_wrong():
    times, labels = np.arange(40.0), np.resize([0, 1], 40)
    with pytest.raises(ValueError, match="n_folds = 4 needs as many"):
        blocked_splits(labels, time_blocks(times, 20.0), times, gap=0)
    with pytest.raises(ValueError, match="smaller gap"):
        blocked_splits(labels, time_blocks(times, 5.0), times, gap=50.0)
    with pytest.raises(ValueError, match="times falls at trial 1"):
        blocked_splits(labels, labels, times[::-1])


# ---------------------------------------------------------------- both pipelines


def decode_both(windows, labels, seed, **options):
    times = 1.5 * np.arange(len(labels))
    options |= {"seed": seed, "decoder": QUICK}
    yield decode_published(windows, labels, n_splits=4, **options)
    yield decode_blocked(windows, labels, times, block=9.0, gap=1.6, n_repeats=1, **options)


def test_noise_decodes_at_chance_over_seeds():
    means = np.array([[d.mean()[ACCURACY] for d in decode_both(*gabors(seed, rois=20), seed)] for seed in range(16)])
    sem = means.std(0, ddof=1) / 4
    assert (np.abs(means.mean(0) - 0.25) < 3.3 * sem).all() and (sem < 0.02).all()


def test_a_planted_code_is_decoded_and_its_p_value_is_the_smallest_possible():
    windows, labels = gabors(5, effect=4.0)
    for decoding in decode_both(windows, labels, 5, n_shuffles=19):
        mean = decoding.mean()
        assert mean[ACCURACY] > 0.9 and mean["train_accuracy"] == 1.0 and decoding.scores["converged"].all()
        assert mean["test_neg_log_loss"] > -0.5
        assert exact_p(mean[ACCURACY], decoding.null[ACCURACY], "hi") == 1 / 20
        assert decoding.null[ACCURACY].mean() == pytest.approx(0.25, abs=0.06)


def drifting(seed, n_runs=24, per_run=8, rois=10):
    """Responses that wander slowly and never see the stimulus; labels that stay for a run of trials."""
    rng = stream(seed, "drift")
    labels = np.repeat(rng.permutation(np.resize(ORIENTATIONS, n_runs)), per_run)
    drift = np.cumsum(rng.normal(size=(len(labels), rois, 1)), axis=0)
    return drift + 0.3 * rng.normal(size=(len(labels), rois, 1)), labels, np.repeat(np.arange(n_runs), per_run)


def test_drift_and_labels_in_runs_fool_random_splits_and_not_blocked_ones():
    random, blocked, p_random, p_blocked = [], [], [], []
    for seed in range(9):
        windows, labels, runs = drifting(seed)
        options = {"n_shuffles": 9, "seed": seed, "decoder": QUICK}
        one = decode_published(windows, labels, n_splits=4, **options)
        times = 1.5 * np.arange(len(labels))
        two = decode_blocked(windows, labels, times, groups=runs, n_repeats=1, gap=3.1, null="block shuffle", **options)
        random.append(one.mean()[ACCURACY])
        blocked.append(two.mean()[ACCURACY])
        p_random.append(exact_p(random[-1], one.null[ACCURACY], "hi"))
        p_blocked.append(exact_p(blocked[-1], two.null[ACCURACY], "hi"))
    assert np.mean(random) > 0.5 and np.max(p_random) == 0.1  # "significant" each time, of nothing
    sem = np.std(blocked, ddof=1) / 3
    assert abs(np.mean(blocked) - 0.25) < 3.5 * sem and sem < 0.03
    assert 0.25 < np.mean(p_blocked) < 0.85


def test_one_split_scatters_more_than_a_mean_of_splits():
    windows, labels = gabors(6, n=60, rois=8, frames=1)
    options = {"n_splits": 6, "n_shuffles": 25, "seed": 6, "decoder": QUICK}
    single = decode_published(windows, labels, null="single split", **options)
    mean = decode_published(windows, labels, null="mean of splits", **options)
    assert (single.null_statistic, mean.null_statistic) == ("single split", "mean of splits")
    assert single.null[ACCURACY].std() > 1.2 * mean.null[ACCURACY].std()
    assert single.null["train_accuracy"].mean() > single.null[ACCURACY].mean() + 0.2  # it learns what is shuffled
    assert single.scores.equals(mean.scores) and mean.null[ACCURACY].nunique() > 10


def test_a_null_of_means_is_at_chance_where_the_code_is_clear():
    windows, labels = gabors(10, n=60, rois=8, frames=1, effect=4.0)
    got = decode_published(windows, labels, n_splits=3, n_shuffles=9, null="mean of splits", decoder=QUICK)
    assert got.mean()[ACCURACY] > 0.9 and got.null[ACCURACY].mean() == pytest.approx(0.25, abs=0.1)


def test_a_circular_shift_is_the_whole_pipeline_on_shifted_labels_and_groups():
    windows, labels = gabors(11, n=24, rois=4, frames=1)
    times, groups = 1.5 * np.arange(24), np.repeat(np.arange(6), [3, 5, 4, 3, 5, 4])
    options = {"n_folds": 3, "gap": 0.1, "n_repeats": 1, "decoder": QUICK}
    every = decode_blocked(windows, labels, times, groups=groups, n_shuffles=23, **options).null["test_neg_log_loss"]
    by_hand = []
    for shift in range(1, 24):
        moved = np.roll(labels, shift), times
        got = decode_blocked(windows, *moved, groups=np.roll(groups, shift), **options)
        by_hand.append(got.mean()["test_neg_log_loss"])
    np.testing.assert_allclose(np.sort(every), np.sort(by_hand), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", ["published", "circular shift", "block shuffle"])
def test_exact_nulls_reject_as_often_as_they_say(pipeline):
    n, rejected = 50, 0
    for seed in range(n):
        windows, labels = gabors(100 + seed, n=48, rois=5, frames=1)
        if pipeline == "published":
            options = {"n_splits": 3, "n_shuffles": 9, "null": "mean of splits"}
            got = decode_published(windows, labels, decoder=QUICK, seed=seed, **options)
        else:
            times = 1.5 * np.arange(48)
            options = {"block": 6.0, "gap": 1.0, "n_repeats": 1, "n_shuffles": 9}
            got = decode_blocked(windows, labels, times, null=pipeline, decoder=QUICK, seed=seed, **options)
        rejected += exact_p(got.mean()["test_neg_log_loss"], got.null["test_neg_log_loss"], "hi") <= 0.2
    assert 3 <= rejected <= 19  # 99.6 % of Binomial(50, 0.2)


def test_workers_and_seeds():
    windows, labels = gabors(7, n=40, rois=10)
    times = 1.5 * np.arange(40)
    for decode, extra in ((decode_published, ()), (decode_blocked, (times,))):
        options = {"block": 6.0, "gap": 1.0, "n_repeats": 1} if extra else {"n_splits": 5}
        alone, two = (
            decode(windows, labels, *extra, n_shuffles=5, seed=3, workers=workers, **options) for workers in (1, 2)
        )
        assert alone.scores.equals(two.scores) and alone.null.equals(two.null)
        other = decode(windows, labels, *extra, n_shuffles=5, seed=4, **options)
        assert not alone.null.equals(other.null)


def test_time_course_finds_the_frames_that_know():
    windows, labels = gabors(8, n=80, rois=12, frames=4)
    windows[:, :4, 2:] += 4.0 * (labels[:, None] == ORIENTATIONS)[:, :, None]
    windows[3, 11, 0] = np.nan
    course = decode_timecourse(windows, labels, n_splits=3, n_shuffles=4, seed=1)
    values = course.scores[ACCURACY].to_numpy()
    assert (values[:2] < 0.45).all() and (values[2:] > 0.9).all() and course.scores["frame"].tolist() == [0, 1, 2, 3]
    assert course.null[ACCURACY].shape == (4, 4)
    one = decode_published(windows[:, :11, [2]], labels, n_splits=3, n_shuffles=4, seed=1)
    assert values[2] == one.mean()[ACCURACY] and np.array_equal(course.null[ACCURACY][:, 2], one.null[ACCURACY])
    times = 1.5 * np.arange(80)
    blocked = decode_timecourse(windows[:, :, 1:3], labels, times, decode=decode_blocked, block=6.0, n_repeats=1)
    assert blocked.scores[ACCURACY][1] > 0.9 > 0.45 > blocked.scores[ACCURACY][0]


def test_unusable_input_is_named():
    windows, labels = gabors(9, n=40, rois=5)
    holes = windows.copy()
    holes[0, 2, 1] = np.nan
    got = decode_published(holes, labels, n_splits=2)
    assert (got.n_rois, got.n_left_out, got.n_frames) == (4, 1, 3)
    assert got.scores.equals(decode_published(np.delete(windows, 2, 1), labels, n_splits=2).scores)
    for bad, message in (
        ({"windows": np.full_like(windows, np.nan)}, "NaN in every ROI"),
        ({"windows": windows[0]}, r"must be \(trials, rois, time\)"),
        ({"labels": labels[1:]}, r"must be \(40,\), one per trial"),
        ({"labels": np.zeros(40)}, "one class only"),
        ({"labels": np.where(np.arange(40) == 7, np.nan, labels)}, r"labels\[7\] is NaN"),
        ({"null": "mean"}, "null = 'mean' is unknown"),
        ({"decoder": LinearDecoder(C=0.0)}, "C = 0.0 is out of range"),
        ({"train_fraction": 1.0}, "train_fraction = 1.0 is out of range"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_published(**({"windows": windows, "labels": labels, "n_splits": 2} | bad))
    with pytest.raises(ValueError, match="40 trials have 39"):
        decode_blocked(windows, labels, 1.5 * np.arange(40), block=6.0, gap=1.0, n_shuffles=40)
    assert METRICS == ("neg_log_loss", "accuracy", "balanced_accuracy")
