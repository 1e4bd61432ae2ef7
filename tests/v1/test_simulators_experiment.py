"""The same network on each simulator, and a plastic one against its twins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netlib.networks import preset, set_values
from netlib.networks.simulators import BACKENDS, missing_tools
from netlib.sweep import load_table, mean_interval
from netlib.v1.simulators import _shared, plastic_twins, simulators

OTHERS = ("brian2", "neuron")
STORED = Path(__file__).parents[2] / "FINAL_notebooks" / "results" / "simulators.csv"


@pytest.mark.slow
def test_experiment_on_a_small_ring():
    if missing := missing_tools():
        pytest.skip(f"NEURON needs {', '.join(missing)}")
    small = {"n_excitatory": 80, "n_inhibitory": 20, "n_input": 240}
    parameters = set_values(preset("v1"), {**small, "I_to_E.kernel.in_degree": 15, "I_to_I.kernel.in_degree": 15})
    table = simulators(1, parameters=parameters, orientations=2, duration=300.0)
    assert len(table) == 9 and not table[["spikes", "hwhh", "rate"]].isna().any(axis=None)
    given = table[table["population"] == "input"]
    assert given["spikes"].nunique() == given["hwhh"].nunique() == 1
    total = table[table["population"] != "input"].groupby("backend")["spikes"].sum()
    assert total.to_numpy() == pytest.approx(total["nest"], rel=0.05)  # 1000 spikes
    again = simulators(1, ("nest",), parameters, orientations=2, duration=300.0)
    timeless = [t.drop(columns=["build_time", "run_time"]) for t in (table[table["backend"] == "nest"], again)]
    pd.testing.assert_frame_equal(*timeless)


@pytest.mark.slow
def test_stored_result_over_seeds_meets_the_bars():
    table = load_table(STORED)
    assert table["seed"].nunique() >= 10 and set(table["backend"]) == set(BACKENDS)
    assert table["failed"].sum() == 0
    for name in "EI":
        own = table[table["population"] == name]
        rate, width = (own.pivot(index="seed", columns="backend", values=v) for v in ("rate", "hwhh"))
        sem = rate["nest"].std() / np.sqrt(len(rate))
        for backend in OTHERS:
            assert abs((rate[backend] - rate["nest"]).mean()) < 3 * sem
            low, high = mean_interval(width[backend] - width["nest"])[1:]
            assert low > -1.5 and high < 1.5


@pytest.mark.parametrize("backends", [(), ("nest", "nest"), ("nest", "brian")])
def test_experiment_refuses_bad_backends(backends):
    with pytest.raises(ValueError, match="backends"):
        simulators(1, backends)


# ---------------------------------------------------------------- twins of a plastic ring


def test_spikes_shared_by_two_runs():
    first = (np.array([0, 0, 3, 7]), np.array([10.0, 20.0, 20.0, 30.0]))
    assert _shared(first, first) == 1
    moved = (np.array([0, 0, 3, 6]), np.array([10.2, 20.4, 20.0, 30.0]))  # too late, and another cell
    assert _shared(first, moved) == 0.5


@pytest.mark.slow
def test_twins_of_a_plastic_ring():
    table = plastic_twins(1, duration=50.0).set_index("twin")
    assert table.loc["replay", "largest"] < 1e-9
    assert table.loc["other input spikes", "rms"] > 2 * table.loc["other simulator", "rms"] > 0
