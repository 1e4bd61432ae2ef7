"""Neurons that are not registered: the cluster they get, the reject option, leave-one-out; the tidy table with them."""

import numpy as np
import pytest

from netlib.base.seeds import stream
from netlib.pathways.cluster_checks import fit_candidates
from netlib.pathways.neurons import MouseNeurons, count_test, neuron_counts, neuron_table

SEEDS = range(10)
TEMPLATE = np.array([[0.8, 0.7, 0.05, 0.05, 0.05, 0.05, 0.05, 0.7], [0.05, 0.05, 0.8, 0.05, 0.7, 0.05, 0.05, 0.05]])


def draw(seed, n=120, mice=3, sessions=2, absent=0.2):
    """Registered neurons of three mice in two clusters, their vectors and clusters, and 60 candidates of session 2."""
    rng = stream(seed, "candidates")
    group, other = rng.integers(0, 2, n), rng.integers(0, 2, 60)
    bits = (rng.random((n, sessions, 8)) < TEMPLATE[group][:, None]).astype(float)
    bits[rng.random((n, sessions)) < absent] = np.nan
    return bits.reshape(n, -1), group, (rng.random((60, 8)) < TEMPLATE[other]).astype(float), other


@pytest.mark.parametrize("method", ["posterior", "distance"])
def test_candidates_get_their_cluster(method):
    right, loo, accepted = [], [], []
    for seed in SEEDS:
        bits, group, new, other = draw(seed)
        model = fit_candidates(bits, group, 2, method=method)
        found = model.assign(new)
        right.append((found["nearest"] == other).mean())
        loo.append(model.leave_one_out["accuracy"])
        accepted.append((found["cluster"] >= 0).mean())
        assert model.leave_one_out["chance"] == pytest.approx(model.n_members.max() / model.n_members.sum())
    assert np.mean(right) >= 0.9 and np.mean(loo) == pytest.approx(np.mean(right), abs=0.04)
    assert np.mean(accepted) >= 0.9


def test_posterior_and_distance_equal_their_formulas():
    bits, group, new, _ = draw(1)
    model = fit_candidates(bits, group, 2)
    here = bits[:, 8:]
    seen = ~np.isnan(here[:, 0])
    centres = np.stack([here[seen & (group == c)].mean(axis=0) for c in (0, 1)])
    np.testing.assert_allclose(model.centres, centres)
    n = np.array([(seen & (group == c)).sum() for c in (0, 1)])
    p = (centres * n[:, None] + 0.5) / (n[:, None] + 1)
    likelihood = np.prod(np.where(new[:, None] == 1, p, 1 - p), axis=2) * n / n.sum()
    found = model.assign(new)
    np.testing.assert_allclose(found["posterior"], likelihood.max(axis=1) / likelihood.sum(axis=1))
    distance = np.sqrt(((new[:, None] - centres) ** 2).sum(axis=2))
    by_distance = fit_candidates(bits, group, 2, method="distance").assign(new)
    np.testing.assert_allclose(by_distance["distance"], distance.min(axis=1))
    np.testing.assert_array_equal(by_distance["nearest"], distance.argmin(axis=1))


def test_leave_one_out_equals_leaving_one_out():
    bits, group, *_ = draw(2, n=24)
    seen = np.flatnonzero(~np.isnan(bits[:, 8]))
    for method in ("posterior", "distance"):
        model = fit_candidates(bits, group, 2, method=method)
        hits = []
        for i in seen:
            labels = group.copy()
            labels[i] = -1
            answer = fit_candidates(bits, labels, 2, method=method).assign(bits[i : i + 1, 8:])
            hits.append(answer["nearest"].item() == group[i])
        assert model.leave_one_out["accuracy"] == pytest.approx(np.mean(hits))


def test_centres_are_of_all_mice():
    """The published centre was that of the last mouse only."""
    one, two = np.tile([1.0, 0, 0, 0, 0, 0, 0, 0], (10, 1)), np.tile([0, 0, 0, 0, 0, 0, 0, 1.0], (10, 1))
    model = fit_candidates(np.r_[one, two, one * 0, one * 0 + 1], np.repeat([0, 1], 20), 1)
    np.testing.assert_allclose(model.centres[0], [0.5, 0, 0, 0, 0, 0, 0, 0.5])


def test_what_fits_no_cluster_is_refused():
    bits, group, *_ = draw(3)
    model = fit_candidates(bits, group, 1, method="distance")
    strange = np.array([[0.0, 0, 0, 1, 0, 1, 1, 0]])
    assert model.assign(strange)["cluster"].item() == -1
    assert model.assign(strange, reject=False)["cluster"].item() in (0, 1)
    even = fit_candidates(bits, group, 1, least_posterior=0.999).assign(np.zeros((1, 8)))
    assert even["cluster"].item() == -1
    # The limit holds 95 % of members: about 5 % of them would be refused.
    refused = 1 - np.mean([fit_candidates(*draw(s)[:2], 1, method="distance").leave_one_out["accepted"] for s in SEEDS])
    assert 0.0 <= refused <= 0.12


def test_unknown_bits_say_nothing():
    bits, group, new, _ = draw(4)
    model = fit_candidates(bits, group, 2)
    part = new.copy()
    part[:, [1, 5]] = np.nan  # a behaviour that did not occur
    p = np.delete(model.probabilities, [1, 5], axis=1)
    left = np.delete(new, [1, 5], axis=1)
    joint = np.prod(np.where(left[:, None] == 1, p, 1 - p), axis=2) * np.exp(model.log_prior)
    np.testing.assert_allclose(model.assign(part)["posterior"], joint.max(axis=1) / joint.sum(axis=1))
    gone = bits.copy()
    gone[::2, 9] = np.nan
    assert np.isfinite(fit_candidates(gone, group, 2, method="distance").limits).all()
    assert len(model.assign(np.zeros((0, 8)))) == 0


def test_faults_are_named():
    bits, group, new, _ = draw(5)
    for options, match in (
        ((bits, group, 3), "session"),
        ((bits, group[:5], 1), "labels"),
        ((bits, np.where(np.arange(120) == 3, 2, group), 2), "at least 2"),
        ((bits, np.full(120, -1), 1), "at least 2"),
    ):
        with pytest.raises(ValueError, match=match):
            fit_candidates(*options)
    model = fit_candidates(bits, group, 1)
    for bad in (new[:, :4], new * np.nan, new + 0.5):
        with pytest.raises(ValueError, match=r"bits|vectors"):
            model.assign(bad)


# --- the tidy table


def mouse(name="I2", pathway="D1", n=3):
    rates = [np.arange(20.0).reshape(5, 4), 100 + np.arange(16.0).reshape(4, 4)]
    return MouseNeurons(
        name, pathway, rates, [[4, -1], [0, 3], [-1, 1]][:n], [1, 0, -1][:n], {2: np.array([2, 9, -1, 9])}
    )


def test_absent_neurons_have_no_row_and_take_no_others():
    table = neuron_table([mouse(), mouse("L0", "A2A")])
    own = table[table["mouse"] == "I2"]
    assert len(own) == 4 * 4 and set(own["id"]) == {"I2/1/4", "I2/1/0", "I2/2/3", "I2/2/1"}
    assert own[own["id"] == "I2/1/4"]["rate"].tolist() == [16, 17, 18, 19]
    assert set(own[own["neuron"] == "I2/r1"]["id"]) == {"I2/1/0", "I2/2/3"} and not own["candidate"].any()
    assert (own.groupby("neuron")["cluster"].first() == [1, 0, -1]).all()


def test_candidates_have_ids_of_their_own():
    """In the published table their ids were those of registered neurons."""
    table = neuron_table([mouse(), mouse("L0", "A2A")], include_candidates=True)
    extra = table[table["candidate"] & (table["mouse"] == "I2")]
    assert set(extra["id"]) == {"I2/2/0", "I2/2/2"} and (extra["neuron"] == extra["id"]).all()
    assert not set(extra["neuron"]) & set(table[~table["candidate"]]["neuron"])
    assert extra.groupby("id")["cluster"].first().to_dict() == {"I2/2/0": 2, "I2/2/2": -1}
    assert not table.duplicated(["id", "behaviour"]).any()
    counts = neuron_counts(table)
    assert counts.set_index(["mouse", "session"])["n"].to_dict() == {
        ("I2", 1): 2, ("I2", 2): 4, ("L0", 1): 2, ("L0", 2): 4
    }  # fmt: skip


def test_counts_are_compared_over_mice():
    names = [("I2", "D1"), ("I3", "D1"), ("I6", "D1"), ("L0", "A2A"), ("L2", "A2A"), ("L3", "A2A")]
    counts = neuron_counts(neuron_table([mouse(m, p, 3 if p == "D1" else 2) for m, p in names]))
    found = count_test(counts)
    assert found["p"] == pytest.approx(0.1) and found["smallest_p"] == pytest.approx(0.1) and found["value"] == -0.5
    assert "n = 6" in found["statement"]
    with pytest.raises(ValueError, match="fewer than 2 mice"):
        count_test(counts[counts["pathway"] == "D1"])


def test_bad_mice_are_named():
    with pytest.raises(ValueError, match="each once"):
        neuron_table([mouse(), mouse()])
    with pytest.raises(ValueError, match="pathway"):
        mouse(pathway="D2")
    with pytest.raises(ValueError, match=r"table\[0, 0\] = 7"):
        MouseNeurons("I2", "D1", [np.zeros((5, 4))], [[7]], [0])
    with pytest.raises(ValueError, match="holds 1 sessions"):
        MouseNeurons("I2", "D1", [np.zeros((5, 4))], [[0, 0]], [0])
    with pytest.raises(ValueError, match="clusters"):
        MouseNeurons("I2", "D1", [np.zeros((5, 4))], [[0]], [0, 1])
