"""Mice in which claims are planted: the truth they hold, what is decoded from codes, and what ten seeds found."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from netlib.pathways.claims import (
    CLAIMS,
    CONDITIONS,
    AnalysedMouse,
    code_table,
    make_mice,
    mouse_table,
    null_leakage,
    pathway_claims,
    planted_clusters,
    published_share,
    run_claims,
)
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.simulate import CLAIMS as PLANTED
from netlib.pathways.steps import gather
from netlib.sweep.seeds import load_table, mean_interval

SIZE = {"mice": 4, "sessions": 2, "neurons": 14, "minutes": 3.0}
P = PipelineParameters(k=6, draws=1, permutations=20)
STORED = Path(__file__).parents[2] / "FINAL_notebooks" / "results" / "pathways.csv"


@pytest.fixture(scope="module")
def direct() -> list[AnalysedMouse]:
    return make_mice(3, "abstract", ("D1",), parameters=P, **SIZE)


@pytest.fixture(scope="module")
def silent() -> list[AnalysedMouse]:
    return make_mice(3, "none", ("D1",), parameters=P, **SIZE)


def test_conditions_name_what_can_be_planted():
    assert {name for pair in CONDITIONS.values() for name in pair} <= set(PLANTED)
    assert CONDITIONS["alike"] == ("abstract", "reverse")
    for pathway, name in (("D1", "abstract"), ("A2A", "reverse")):
        first = PLANTED[name][pathway][0]
        assert {category.split()[1] for category, _ in first.categories} == {"up"}


def test_mice_behave_alike_whatever_is_planted(direct, silent):
    assert [one.mouse for one in direct] == [one.mouse for one in silent] == ["I1", "I2"]
    for a, b in zip(direct, silent, strict=True):
        assert_array_equal(a.table, b.table)
        for one, other in zip(a.sessions, b.sessions, strict=True):
            pd.testing.assert_frame_equal(one.intervals, other.intervals)
    assert [one.planted for one in silent] == [0, 0]
    assert all(0.4 < one.planted < 0.95 for one in direct)


def test_table_of_mice(direct):
    codes = pd.concat([code_table(one, P) for one in direct])
    table = mouse_table(direct, codes)
    own = codes[codes["mouse"] == "I2"].groupby("set")["balanced_accuracy"].mean()
    assert_allclose(table.set_index("mouse")["advantage"]["I2"], own["activation"] - own["inactivation"])
    assert_allclose(
        table["bias"], (table["activated"] - table["inactivated"]) / (table["activated"] + table["inactivated"])
    )


def test_code_of_a_neuron_is_of_other_sessions(direct):
    one = direct[0]
    plain = code_table(one, P)
    changed = [dict(result) for result in one.results]
    changed[0]["leading"] = -np.ones_like(changed[0]["leading"])
    other = code_table(AnalysedMouse(one.plan, one.sessions, changed), P)
    first = plain["session"] == 1
    pd.testing.assert_frame_equal(plain[first], other[first])
    assert_array_equal(other.loc[~first, "size"], [0, (one.table >= 0).all(axis=1).sum()])


def test_codes_of_few_neurons_score_chance(silent):
    table = code_table(silent[0], P)
    assert (table["size"] < 3).all()
    assert_array_equal(table["balanced_accuracy"], table["chance"])
    assert table["matched"].isna().all()


def test_planted_clusters_follow_the_rows(direct):
    clusters = gather([one.vectors() for one in direct])
    truth = planted_clusters(direct, clusters)
    plan = direct[1].plan
    rows = clusters["row"][clusters["mouse"] == "I2"]
    expected = plan.cluster[plan.seen][rows]
    assert_array_equal(truth[clusters["mouse"] == "I2"], np.where(expected == len(plan.names) - 1, -1, expected))


def test_published_labels_are_many_where_nothing_is(silent):
    share = np.mean([published_share(one) for one in silent])
    assert share > 0.35 > 0.1 > mouse_table(silent)["engaged"].mean()


@pytest.mark.slow
def test_smoothed_features_leak(silent):
    table = null_leakage(silent[0], P).set_index(["features", "split"])["score"]
    assert table["smoothed, rbf", "random"] > 0.6
    assert abs(table["smoothed, rbf", "blocked"] - 0.25) < 0.12


def test_experiment_is_tidy_and_written(tmp_path):
    small = {"mice": 4, "sessions": 2, "neurons": 10, "minutes": 2.5}
    path = run_claims(
        tmp_path / "pathways.csv", 1, progress=False, **small, conditions=("abstract", "alike"), parameters=P
    )
    table = load_table(path)
    assert list(table) == ["seed", "condition", "measure", "value", "n"]
    assert set(CLAIMS) < set(table["measure"]) and (table["n"] == 4).all()
    wide = table.pivot_table(index="measure", columns="condition", values="value")
    for measure in ("engaged D1", "bias D1", "activation D1"):  # the same mice
        assert wide["abstract"][measure] == wide["alike"][measure]
    assert_allclose(wide.loc["smallest p"], 1 / 3, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"), [({"mice": 3}, "mice = 3"), ({"conditions": ["abstrct"]}, "abstract")]
)
def test_experiment_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        pathway_claims(1, **settings)


@pytest.mark.slow
def test_claims_are_found_and_their_opposites_not():
    table = pathway_claims(21, conditions=("abstract", "reverse"))
    value = table.pivot_table(index="measure", columns="condition", values="value")
    assert_array_equal(value.loc[list(CLAIMS[1:]), "abstract"], 1)
    assert_array_equal(value.loc[list(CLAIMS[1:]), "reverse"], [1, -1, -1])
    difference = value.loc["engaged D1"] - value.loc["engaged A2A"]  # inactivation is harder to see: 0.10 ± 0.04
    assert 0 < difference["abstract"] < 0.25 and -0.25 < difference["reverse"] < 0


# ---------------------------------------------------------------- ten seeds, as stored


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    table = load_table(STORED)
    assert table["seed"].nunique() == 10
    return table.pivot_table(index=["condition", "seed"], columns="measure", values="value")


def test_stored_claims(stored):
    counts = {name: (stored.loc[name, list(CLAIMS)] == 1).sum().tolist() for name in CONDITIONS}
    assert min(counts["abstract"]) >= 8
    assert counts["none"] == [0, 0, 0, 0]
    assert counts["reverse"][2:] == [0, 0] and counts["alike"][1] <= 1 and counts["unequal"][0] == 0
    assert (stored.loc["reverse", list(CLAIMS[2:])] == -1).mean().min() >= 0.8


def test_stored_intervals(stored):
    for name, sign in (("abstract", 1), ("reverse", -1)):
        for value in ("bias", "advantage"):
            by_pathway = {
                p: stored.loc[name, f"bias {p}"]
                if value == "bias"
                else stored.loc[name, f"activation {p}"] - stored.loc[name, f"inactivation {p}"]
                for p in ("D1", "A2A")
            }
            _, low, high = mean_interval(by_pathway["D1"] - by_pathway["A2A"])
            assert low * sign > 0 and high * sign > 0
    assert mean_interval(stored.loc["abstract", "AMI"])[1] > 0.1
    low, high = mean_interval(stored.loc["alike", "AMI"])[1:]
    assert -0.1 < low <= high < 0.1


def test_stored_nulls(stored):
    null = stored.loc["none"]
    assert null[["engaged D1", "engaged A2A"]].max().max() < 0.05
    assert null["published"].min() > 0.5
    assert_allclose(null[[c for c in null if "blocked" in c]].mean(), 0.25, atol=0.05)
    assert null["smoothed, rbf, random split"].min() > 0.7
    assert (stored["smallest p"].dropna().round(6) == 0.1).all()
