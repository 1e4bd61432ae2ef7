"""Statistics over mice, clusters and pathways: numbers worked out by hand, where groups differ in size and order."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from netlib.pathways.cluster_checks import fit_candidates
from netlib.pathways.clusters import mouse_balance
from netlib.pathways.decoding import Svm, decode_behaviour, paired_clusters
from netlib.pathways.labels import pathway_fractions
from netlib.pathways.neurons import MouseNeurons, count_test, neuron_table, session_contrasts
from netlib.pathways.training import compare_pathways
from netlib.statistics.mice import design_effect, hierarchical_bootstrap
from netlib.statistics.mixed_models import fit_mixed_model
from netlib.statistics.permutation import joint_difference_test

# ---------------------------------------------------------------- mice of unequal size


def test_design_effect_of_unequal_mice_is_that_of_the_analysis_of_variance():
    # Mice with 2 and 6 neurons. Means 1 and 5, grand mean (2 + 30) / 8 = 4; between = 2 * 9 + 6 * 1 = 24 with 1 df;
    # within = 2 + 6 = 8 with 6 df, 4/3. Typical size (8 - (4 + 36) / 8) / 1 = 3, not the mean 4.
    # icc = (24 - 4/3) / (24 + 2 * 4/3) = (68/3) / (80/3) = 0.85; effect = 1 + 2 * 0.85 = 2.7.
    found = design_effect([0.0, 2.0, 4.0, 4.0, 4.0, 6.0, 6.0, 6.0], [1, 1, 2, 2, 2, 2, 2, 2])
    assert_allclose(list(found.values()), [0.85, 2.7, 8 / 2.7])


def test_a_bootstrap_weighted_by_roi_draws_the_mean_of_the_rois():
    # Constant within mice: 1 ROI of 0, 1 of 0 and 8 of 1. By ROI a resample with j of 3 draws of the large mouse has
    # the mean 8 j / (8 j + 3 - j); by mouse it has j / 3.
    values, mice = np.r_[0.0, 0.0, np.ones(8)], np.r_[1, 2, np.full(8, 3)]
    ways = np.array([1, 3, 3, 1]) * 2.0 ** np.array([3, 2, 1, 0]) / 27
    for weight, means in (("roi", [0, 8 / 10, 16 / 17, 1]), ("mouse", [0, 1 / 3, 2 / 3, 1])):
        found = hierarchical_bootstrap(values, mice, weight=weight, n_resamples=20_000)
        mean = ways @ means
        assert found["std"] == pytest.approx(np.sqrt(ways @ (np.array(means) - mean) ** 2), rel=0.03)


def test_the_interval_of_fractions_over_mice_is_that_of_students_t():
    from scipy.stats import t

    shares = (0.3, 0.5, 0.6, 0.8)
    vectors = {}
    for k, share in enumerate(shares):
        one = np.zeros((10, 8))
        one[: round(10 * share), 2] = 1.0
        vectors["D1", f"I{k}", 1] = one
    row = pathway_fractions(vectors, "mouse").set_index(["behaviour", "kind"]).loc[("food", "up")]
    half = t.ppf(0.975, 3) * np.std(shares, ddof=1) / 2.0  # four mice: the root is 2
    assert_allclose([row["fraction"], row["low"], row["high"]], [0.55, 0.55 - half, 0.55 + half])


def test_a_session_with_few_unexpected_trials_weighs_as_much_in_the_null_as_in_the_value():
    """Of one session: value and null are differences of means, worked out for every relabelling by hand."""
    from itertools import combinations

    rng = np.random.default_rng(4)
    x, label = rng.normal(size=(7, 3)), np.array([1, 0, 0, 0, 1, 0, 0], bool)
    means = x.mean(axis=1)
    every = [means[list(c)].mean() - np.delete(means, c).mean() for c in combinations(range(7), 2)]
    found = joint_difference_test([(x, label)], n_permutations=4000, alpha=0.2)
    assert found.value == pytest.approx(means[label].mean() - means[~label].mean())
    assert min(every) <= found.null_ci[0] and found.null_ci[2] <= max(every)
    assert_allclose(found.null_ci, np.percentile(every, (10, 50, 90)), atol=0.12)
    assert found.null_ci[2] > 0.3


# ---------------------------------------------------------------- clusters


def test_the_difference_of_clusters_is_the_first_less_the_second():
    rows = [(m, s, c, 0.5 + 0.1 * (c == 1)) for m in "abc" for s in (1, 2) for c in (0, 1)]
    found = paired_clusters(pd.DataFrame(rows, columns=["mouse", "session", "cluster", "score"]))
    assert found[["a", "b"]].to_numpy().tolist() == [[0, 1]]
    assert found["difference"].item() == pytest.approx(-0.1)
    few = paired_clusters(pd.DataFrame(rows[:8], columns=["mouse", "session", "cluster", "score"]))
    assert few["difference"].item() == pytest.approx(-0.1) and np.isnan(few["p"].item())


def test_a_mouse_with_many_neurons_does_not_unbalance_a_cluster():
    # Both mice give half of their neurons to either cluster, though one has nine times as many.
    labels = np.r_[np.repeat([0, 1], 9), 0, 1]
    table = mouse_balance(labels, ["a"] * 18 + ["b"] * 2)
    assert table["balance"].tolist() == pytest.approx([1.0, 1.0])
    assert table["a"].tolist() == [9, 9] and table["b"].tolist() == [1, 1]


def test_a_member_left_out_counts_in_no_prior():
    """Clusters of 4 and 5 members whose bits tell nothing, all being 1."""
    # Without one of the 5 there are 4 and 4: prior 1/2 and bits 4.5 / 5 each, so that its posterior is 0.5.
    # Without one of the 4: 3/8 of (3.5 / 4)**8 against 5/8 of (5.5 / 6)**8, which is 0.71 for the other cluster.
    model = fit_candidates(np.ones((9, 8)), [0] * 4 + [1] * 5, 1, least_posterior=0.51)
    assert model.leave_one_out["accepted"] == pytest.approx(4 / 9)
    assert model.leave_one_out["accuracy_accepted"] == 0.0
    # A candidate is one neuron more: 4/9 of 0.9**8 against 5/9 of (5.5 / 6)**8.
    odds = 4 / 5 * (0.9 / (5.5 / 6)) ** 8
    assert model.assign(np.ones((1, 8)))["posterior"].item() == pytest.approx(1 / (1 + odds))


# ---------------------------------------------------------------- sessions and pathways


def change(first, second):
    rows = [(f"a/{n}", "a", s, v) for n in range(len(first)) for s, v in ((1, first[n]), (2, second[n]))]
    return pd.DataFrame(rows, columns=["neuron", "mouse", "session", "rate"]).assign(cluster=0, behaviour="food")


def test_a_relative_change_is_over_the_first_mean():
    found = session_contrasts(change([1.0, 2, 3, 2, 2], [2.0, 3, 5, 4, 1]), [(1, 2)]).iloc[0]
    assert_allclose(found[["mean_first", "mean_second", "difference", "relative"]].astype(float), [2, 3, 1, 0.5])


def test_pathways_keep_their_names_in_a_comparison():
    rows = [("a", "D1", 1.0), ("a", "D1", 3.0), ("b", "D1", 4.0), ("c", "A2A", 10.0), ("d", "A2A", 14.0)]
    rows += [("e", "A2A", 18.0)]
    found = compare_pathways(pd.DataFrame(rows, columns=["mouse", "pathway", "cycles"]), "cycles", by=None).iloc[0]
    assert found[["mean_D1", "mean_A2A", "mice_D1", "mice_A2A"]].tolist() == [3.0, 14.0, 2, 3]


def test_the_test_of_counts_says_how_many_more_the_indirect_pathway_has():
    rows = [("a", "D1", 10), ("b", "D1", 20), ("c", "A2A", 30), ("d", "A2A", 60)]
    counts = pd.DataFrame(rows, columns=["mouse", "pathway", "n"]).assign(session=1)
    assert count_test(counts)["value"] == 30.0


# ---------------------------------------------------------------- the long table


def rates(n):
    """Rate 10 times the local index, and a little more for each behaviour."""
    return 10.0 * np.arange(n)[:, None] + np.arange(4)


def test_every_neuron_of_a_session_is_once_in_the_extended_table():
    """Rows of the registration are in another order than the neurons of a session."""
    registration = np.array([[4, 1], [-1, 3], [2, -1]])
    candidates = {1: [7, 8, 9, 7, 8], 2: [5, 6, 5, 6]}
    one = MouseNeurons("I2", "D1", [rates(5), rates(4)], registration, [0, 1, 2], candidates)
    table = neuron_table([one], include_candidates=True)
    assert not table.duplicated(["session", "id", "behaviour"]).any()
    assert len(table) == (5 + 4) * 4
    sequence = table[table["behaviour"] == "sequence"].set_index(["session", "rate"])[["neuron", "cluster"]]
    registered = {(1, 40.0): ("I2/r0", 0), (2, 10.0): ("I2/r0", 0), (2, 30.0): ("I2/r1", 1), (1, 20.0): ("I2/r2", 2)}
    others = {(1, 0.0): ("I2/1/0", 7), (1, 10.0): ("I2/1/1", 8), (1, 30.0): ("I2/1/3", 7)}
    others |= {(2, 0.0): ("I2/2/0", 5), (2, 20.0): ("I2/2/2", 5)}
    assert {place: tuple(row) for place, row in sequence.iterrows()} == registered | others


def test_neurons_of_one_name_in_two_mice_are_two():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([list("abcde"), range(6), ["food", "explo"], range(3)])
    table = index.to_frame(index=False, name=["mouse", "neuron", "behaviour", "day"])
    table["rate"] = rng.normal(size=len(table))
    found = fit_mixed_model(table, "behaviour", levels=("mouse", "neuron"))
    other = table.assign(neuron=table["mouse"] + table["neuron"].astype(str))
    again = fit_mixed_model(other, "behaviour", levels=("mouse", "neuron"))
    assert found.n["neurons"] == again.n["neurons"] == 30
    assert_allclose(found.tests["lr"].astype(float), again.tests["lr"].astype(float))


# ---------------------------------------------------------------- decoding


class Timed(Svm):
    """In place of a classifier: the times it is trained and tested at, which are its only feature."""

    seen: ClassVar[list] = []

    def model(self):
        return self

    def fit(self, x, y):
        self.seen.append([x[:, 0]])
        return self

    def predict(self, x):
        self.seen[-1].append(x[:, 0])
        return np.zeros(len(x), int)


def test_no_training_bin_is_within_the_gap_of_a_test_bin():
    """Bins of 500 ms in blocks of 10 s, two behaviours in turn; the gap is 3 s."""
    times = (np.arange(400) + 0.5) * 500.0
    Timed.seen.clear()
    decode_behaviour(times[:, None], np.arange(400) // 2 % 2, times, ("a", "b"), svm=Timed(block=10_000.0, gap=3000.0))
    assert len(Timed.seen) == 5
    assert np.array_equal(np.sort(np.concatenate([test for _, test in Timed.seen])), times)  # each bin is tested once
    for train, test in Timed.seen:
        nearest = np.abs(train[:, None] - test[None]).min()
        assert 3000.0 <= nearest <= 4000.0
