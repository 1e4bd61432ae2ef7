"""The learning experiment: what is shown, its controls, and its table."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import preferred_orientations
from netlib.networks import preset, set_values
from netlib.v1.learning import CONDITIONS, hebbian, learning, learning_parts, lesson

NETWORK = preset("internship2019_learning")


def test_training_repeats_its_order_and_tests_hold_each_orientation_once():
    shown = lesson(NETWORK, 1, passes=3)
    table = shown.table
    training = table[table["phase"] == "training"]
    assert training["orientation"].tolist() == 3 * [40.0, 160.0, 100.0]
    assert training["pass"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert shown.training == 9000.0 and shown.protocol.duration == 1000.0 * len(table) == shown.rates.duration
    test = table[table["phase"] == "test"]
    assert sorted(test["orientation"]) == [10, 40, 70, 100, 130, 160]
    assert set(test["orientation"][test["familiar"]]) == {40.0, 100.0, 160.0}
    assert np.array_equal(shown.protocol.table["orientation"], table["orientation"])


def test_shuffled_order_changes_the_training_alone():
    fixed, mixed = (lesson(NETWORK, 2, passes=4, shuffle=s) for s in (False, True))
    orders = mixed.table["orientation"].to_numpy()[:12].reshape(4, 3)
    assert (np.sort(orders, axis=1) == [40, 100, 160]).all()
    assert not (orders == orders[0]).all()
    pd.testing.assert_frame_equal(fixed.table[12:], mixed.table[12:])


def test_without_passes_only_tests_are_left():
    shown = lesson(NETWORK, 1, passes=0)
    assert shown.training == 0 and len(shown.table) == 12 and "training" not in set(shown.table["phase"])


@pytest.mark.slow
def test_parts_of_the_weights():
    small = set_values(NETWORK, {"n_excitatory": 20, "n_inhibitory": 20, "n_input": 20})
    table = learning_parts(3, small, passes=1)
    assert table.groupby("part").size().to_dict() == {"all": 6, "input": 6, "none": 6, "recurrent": 6}
    rates = table.groupby("part")["rate"].mean()
    assert rates["all"] != rates["input"] != rates["recurrent"] != rates["none"]


def test_noise_is_what_it_says():
    shown = lesson(NETWORK, 1, passes=1)
    cells = preferred_orientations(60)
    for row, phase in enumerate(shown.table["phase"]):
        profile = shown.rates.rates[:, row * 1000 + 500]
        assert profile.max() == pytest.approx(20.0, rel=0.01)
        assert cells[profile.argmax()] == pytest.approx(shown.table["orientation"][row], abs=3)
        assert profile.min() == pytest.approx({"pedestal": 8.0, "broad": 4.6}.get(phase, 4.0), abs=0.2)
    half = {p: (shown.rates.rates[:, i * 1000] > 12).sum() for i, p in enumerate(shown.table["phase"])}
    assert half["broad"] > 1.3 * half["test"]


def test_hebbian_is_one_rule_with_the_same_bounds():
    rules = {n: c.plasticity for n, c in hebbian(NETWORK).projections().items()}
    assert {(r.A_plus, r.A_minus, r.tau_plus, r.tau_minus) for r in rules.values()} == {(0.025, -0.025, 30.0, 30.0)}
    assert {n: r.w_max for n, r in rules.items()} == {n: c.plasticity.w_max for n, c in NETWORK.projections().items()}


@pytest.mark.slow
def test_the_table_holds_every_condition():
    small = set_values(NETWORK, {"n_excitatory": 20, "n_inhibitory": 20, "n_input": 20})
    table = learning(3, small, passes=1)
    assert set(table["condition"]) == set(CONDITIONS)
    pd.testing.assert_frame_equal(table, learning(3, small, passes=1))
    weights = table[table["phase"] == "weights"]
    assert (weights.loc[weights["pass"] == 0, "mean"] == 0.5).all()
    assert weights.loc[weights["pass"] == 1, "mean"].between(0, 1).all()
    frozen = table[(table["phase"] != "weights") & (table["population"] == "E")]
    assert frozen.groupby("condition").size().to_dict() == {c: 12 if c == "shuffled" else 15 for c in CONDITIONS}
    shuffled, learned = (
        frozen[(frozen["condition"] == c) & (frozen["phase"] == "test")] for c in ("shuffled", "sequence")
    )
    assert shuffled["orientation"].tolist() == learned["orientation"].tolist()
    assert shuffled["rate"].tolist() != learned["rate"].tolist()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="passes"):
        lesson(NETWORK, 1, passes=-1)
    with pytest.raises(ValueError, match="passes"):
        learning(1, passes=0)
    with pytest.raises(ValueError, match=r"duration = 10\.0 ms"):
        lesson(NETWORK, 1, duration=10.0)
    with pytest.raises(TypeError, match="parameters"):
        learning(1, "v1")
