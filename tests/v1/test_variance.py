"""The variance experiment: three networks that differ in recurrence alone, and a table that says what it measured."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.lgn import LGN
from netlib.networks import preset
from netlib.networks.kernels import VonMises
from netlib.v1 import variance as module
from netlib.v1.variance import Expected, classify, record_variance, recurrences, variance, variance_curves

BANDWIDTHS = (36.0, 27.0, 18.0, 9.0, 0.0)


def small_ring():
    """The preset, a quarter of its size, with a cheaper front end."""
    lgn = LGN(B_theta=21.0, spontaneous=10.0, peak_rate=60.0, n_orientations=12, n_positions=2, dt=5.0)
    return dataclasses.replace(preset("v1"), n_excitatory=96, n_inhibitory=36, n_input=256, lgn=lgn)


@pytest.fixture(scope="module")
def seen():
    return record_variance(3, small_ring(), trials=2, orientations=6, B_thetas=BANDWIDTHS)


@pytest.fixture(scope="module")
def table(seen):
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "record_variance", lambda *args, **kwargs: seen)
    patch.setattr(module, "STARTS", (-100.0, 0.0, 100.0, 200.0))
    made = variance(3, small_ring(), orientations=6, B_thetas=BANDWIDTHS)
    patch.undo()
    return made


def test_networks_get_the_same_input(seen):
    trains = [(r.population("input").spike_index, r.population("input").spike_time) for r in seen.values()]
    for index, time in trains[1:]:
        np.testing.assert_array_equal(index, trains[0][0])
        np.testing.assert_array_equal(time, trains[0][1])
    assert list(seen) == ["random", "dense", "none"]


def test_dense_recurrence_is_the_mean_of_the_random_one():
    ring = preset("v1")
    made = recurrences(ring)
    for name in ("E_to_E", "E_to_I", "I_to_E", "I_to_I"):
        random, dense = getattr(made["random"], name), getattr(made["dense"], name)
        sizes = [ring.size(p) for p in name.split("_to_")]
        weights, chances = dense.kernel.factor(*sizes), random.kernel.probability(*sizes)
        np.testing.assert_array_equal(weights.evaluate(), chances.evaluate())
        assert dense.kernel.probability(*sizes) is None
        assert dense.weight == random.weight
        assert getattr(made["none"], name) is None
    assert made["dense"].input_to_E == made["random"].input_to_E == made["none"].input_to_E
    already = Expected(VonMises(20.0)).factor(8, 8).evaluate()
    np.testing.assert_array_equal(already, VonMises(20.0).factor(8, 8).evaluate())


def test_without_recurrence_inhibition_reaches_nobody(seen):
    assert len(seen["none"].population("I")) == 1
    assert seen["none"].population("E").rates().mean() > seen["random"].population("E").rates().mean()


def rows(table, **where):
    keep = np.logical_and.reduce([table[key] == value for key, value in where.items()])
    return table[keep]


def test_tuning_widens_with_bandwidth(table):
    for network in ("input", "random", "dense", "none"):
        cv = rows(table, network=network, measure="cv").set_index("B_theta")["value"]
        assert sorted(cv.index) == sorted(BANDWIDTHS)
        assert cv[36.0] > cv[0.0] + 0.1
        assert (rows(table, network=network, measure="cv")["low"] <= cv.to_numpy()).all()


def test_table_has_every_measure_once(table):
    assert not table.duplicated(["network", "cells", "measure", "B_theta", "time"]).any()
    common = {"cv", "hwhh", "rate", "log_n", "B50", "f0", "f_max", "fitted", "share", "score_mean", "score_sd"}
    common |= {"reliability", "accuracy", "joint", "shuffled", "rise_time"}
    for network in ("random", "dense", "none"):
        own = set(rows(table, network=network)["measure"])
        assert common <= own
        assert ("r_E_number" in own) == (network == "random")
        assert ("r_input_spread" in own) == (network != "none")
        assert rows(table, network=network, measure="share")["value"].sum() == pytest.approx(1.0)


def test_decoding_is_at_chance_before_the_stimulus_and_for_shuffled_labels(table):
    random = table[table["network"] == "random"]
    chance, n = 1 / 6, 60
    high = chance + 4 * np.sqrt(chance * (1 - chance) / n)
    curve = rows(random, measure="accuracy", cells="over time")
    assert curve[curve["time"] == 0.0]["value"].mean() < high
    assert rows(random, measure="shuffled")["value"].mean() < high
    late = curve[(curve["time"] >= 200.0) & (curve["B_theta"] < 18.0)]
    assert late["value"].min() > high
    whole = rows(random, measure="accuracy", cells="all").set_index("B_theta")["value"]
    assert whole[0.0] > 2 * chance
    for network in ("random", "dense", "none"):
        both = [rows(table, network=network, measure="accuracy", cells=c)["value"].mean() for c in ("all", "matched")]
        assert both[1] < both[0] + 0.1


def test_curves_have_errors_and_fits(seen):
    B, cv, error, fits = variance_curves(seen["none"], every=8)
    assert B.tolist() == sorted(BANDWIDTHS)
    assert cv.shape == error.shape == (len(fits), 5)
    known = np.isfinite(cv).all(1)
    assert known.mean() > 0.8
    assert (error[known] > 0).all()
    assert (fits["success"] == (fits["failure"] == "")).all()


def test_classes_are_the_published_boxes():
    fits = pd.DataFrame(
        {
            "f0": [0.45, 0.45, 0.3, 0.1, 0.9, 0.45],
            "f_max": [0.6, 0.6, 0.9, 0.9, 0.95, 0.6],
            "B50": [10.0, 10.0, 20.0, 10.0, 10.0, 10.0],
            "n": [3.0, 8.0, 8.0, 2.0, 2.0, 3.0],
            "success": [True] * 5 + [False],
        }
    )
    assert classify(fits, 36.0).tolist() == ["resilient", "other", "vulnerable", "ultratuned", "other", "failed"]


def test_groups_do_not_use_the_trial_held_out(seen):
    """Each choice of cells sees half of the presentations: those of the other trial."""
    recording = seen["random"]
    chosen = module._score
    used = []

    def spy(counts, theta, B):
        used.append(counts.shape[1])
        return chosen(counts, theta, B)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_score", spy)
        module._groups(recording, 1, 1.0)
    assert used == [30, 30]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: record_variance(1, small_ring(), networks=("sparse",)), "networks = 'sparse' is unknown"),
        (lambda: variance(1, small_ring(), trials=1), "trials = 1"),
        (lambda: record_variance(1, small_ring(), trials=0), "trials = 0"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
