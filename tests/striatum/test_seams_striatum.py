"""What passes from simulations of the striatum to their tables: which phase, which trial, which column."""

import dataclasses

import numpy as np
import pytest

from netlib.striatum import Parameters, article
from netlib.striatum.experiment import Result
from netlib.striatum.forgetting import forgetting_table
from netlib.striatum.grid import summary_table

#: Share of right answers at each test: every 5 trials, 20 before learning, 20 of learning, of forgetting, of recall.
CURVE = (0.4, 0.3, 0.2, 0.3, 0.2, 0.4, 0.6, 0.8, 1.0, 0.8, 0.6, 0.5, 0.4, 0.6, 0.9, 1.0, 0.9)


def planted(parameters: Parameters, curve=CURVE, n_simulations: int = 2) -> Result:
    """Simulations of ten patterns, nine of them rewarded, whose neuron answers a share rightly at each of 17 tests."""
    phases = tuple(dataclasses.replace(phase, trials=20) for phase in parameters.phases)
    parameters = dataclasses.replace(parameters, phases=phases, n_pattern=10)
    trial = np.array(parameters.test_trials())
    assert trial.tolist() == list(range(0, 81, 5))
    # The last pattern, not rewarded, never makes it fire: that is one right answer.
    fired = np.arange(10) < np.round(10 * np.array(curve) - 1)[:, None]
    weights = np.linspace(0.0, 1.0, len(trial))[:, None] * np.ones(parameters.P)
    return Result(
        parameters,
        seed=1,
        simulation=np.arange(n_simulations),
        trial=trial,
        weights=np.tile(weights, (n_simulations, 1, 1)),
        fired=np.tile(fired, (n_simulations, 1, 1)),
        patterns=np.zeros((n_simulations, 1, 10, parameters.stim_by_pattern), int),
        rewarded=np.tile(np.arange(10) < 9, (n_simulations, 1, 1)),
    )


def test_forgetting_and_relearning_count_from_the_start_of_their_own_phase():
    row = forgetting_table(planted(Parameters()), group=2).iloc[0]
    assert (row["base"], row["learned"]) == (0.2, 1.0)  # after 20 and after 40 trials
    # Half of what was learned, 0.6, is lost at trial 50; four fifths of it, 0.84, are there again at trial 70.
    assert row["half_life"] == 10.0
    assert row["relearning"] == 10.0
    assert row["tau_capped"] <= 40.0  # twice the 20 trials without learning


def test_a_summary_says_which_options_made_each_file_and_what_came_of_them(tmp_path):
    options = {
        "P": 20, "stim_by_pattern": 5, "Apostpre": 1.5, "Aprepost": 0.5, "homeostasy": 0.3, "homeostasy_post": 0.1,
        "stim_recall": 0.2, "noise_input": 0.001,
    }  # fmt: skip
    other = {**options, "homeostasy": 0.6, "stim_recall": 0.01, "noise_input": 0.02}
    paths = [
        planted(article(**options)).save(tmp_path / "main" / "a.nc"),
        planted(article(**other), curve=CURVE[::-1]).save(tmp_path / "noise" / "b.nc"),
    ]
    table = summary_table(paths, group=2)
    assert table["block"].tolist() == ["main", "noise"]
    for k, made in enumerate((options, other)):
        row = table.iloc[k]
        for name in ("P", "stim_by_pattern", "Apostpre", "Aprepost", "homeostasy", "stim_recall", "noise_input"):
            assert row[name] == pytest.approx(made[name]), name
        assert (row["n_pattern"], row["n_simulations"]) == (10, 2)
    at = {"start": 0, "initial": 4, "learning": 8, "maintenance": 12, "recall": 16}  # positions of the tests
    for name, test in at.items():
        assert table[name].tolist() == pytest.approx([CURVE[test], CURVE[16 - test]]), name
        assert table[f"{name}_sd"].tolist() == pytest.approx([0.0, 0.0]), name
        hits = [(10 * right - 1) / 9 for right in (CURVE[test], CURVE[16 - test])]
        assert table[f"{name}_balanced"].tolist() == pytest.approx([(hit + 1) / 2 for hit in hits]), name
        assert table[f"{name}_w"].tolist() == pytest.approx([test / 16, test / 16]), name
