"""The command: it writes what it says, and refuses bad input in one line with exit status 2."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from netlib import cli
from netlib.recordings import Recording
from netlib.sweep import load_table
from netlib.v1 import command

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("--set", "n_excitatory=48", "--set", "n_inhibitory=16", "--set", "n_input=96"),
    *("--set", "E_to_E=null", "--set", "I_to_I=null", "--set", "E_to_I.kernel.in_degree=16"),
    *("--set", "I_to_E.kernel.in_degree=8"),
]


def run(*arguments: object):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_ring_writes_recording_table_and_provenance(tmp_path):
    result = run(
        *("ring", "--out", tmp_path, "--seed", 3, "--orientations", 6, "--duration", 300, "--trials", 1, "--quiet"),
        *("--contrast", 0.1, "--contrast", 1, *SMALL),
    )
    assert result.exit_code == 0, result.output
    assert re.search(r"E +48", result.stdout)
    recording = Recording.load(tmp_path / "ring.npz")
    assert len(recording.population("E")) == 48
    assert recording.provenance["seed"] == 3
    assert recording.provenance["parameters"]["E_to_E"] is None
    assert json.loads((tmp_path / "ring.json").read_text())["versions"]["nest-simulator"]
    table = pd.read_csv(tmp_path / "ring.csv")
    assert len(table) == 48 * 2  # cells and contrasts
    assert set(table["contrast"]) == {0.1, 1.0}


def test_demo_writes_a_report_with_figures_inside(tmp_path):
    result = run("demo", "--out", tmp_path, "--trials", 1, "--quiet", *SMALL)
    assert result.exit_code == 0, result.output
    made = {path.name for path in tmp_path.iterdir()}
    wanted = {"report.html", "tuning.npz", "tuning.csv", "natural.npz", "natural.gif", "widths.csv", "ring.png"}
    assert wanted <= made
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/") >= 8
    assert not re.search(r"(src|href)=\"(?!data:|#)", html), "the report needs another file or the network"
    widths = pd.read_csv(tmp_path / "widths.csv").set_index("population")
    assert 15 < widths.loc["E", "HWHH (deg)"] < 45
    assert np.isfinite(widths.loc["input", "SE (deg)"])


def test_experiment_writes_a_table_with_its_provenance(tmp_path):
    result = run(
        *("experiment", "static_ring", "--seeds", 2, "--out", tmp_path, "--quiet"),
        *("--set", "contrasts=[1.0]", "--set", "orientations=2", "--set", "duration=200"),
    )
    assert result.exit_code == 0, result.output
    table = load_table(tmp_path / "static_ring.csv")
    assert len(table) == 2 * 2 * 3  # seeds, with and without recurrence, populations
    assert table.attrs["parameters"]["orientations"] == 2
    assert table.attrs["seeds"] == [1, 2]


def test_the_experiments_are_listed():
    result = run("experiment", "list")
    assert result.exit_code == 0
    assert re.search(r"^static_ring +\w", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ring", "--preset", "v2"], "preset = 'v2'"),
        (["ring", "--set", "E_to_E.wieght=1"], "wieght"),
        (["ring", "--set", "E_to_E.weight"], "not of the form name=value"),
        (["ring", "--set", "E_to_E.weight=-1"], "weight = -1"),
        (["ring", "--set", "E_to_E.weight=heavy"], "weight = 'heavy'"),
        (["ring", "--set", "E_to_E.delay.mean=0.01"], "delay = 0.01 ms"),
        (["ring", "--set", "n_excitatory=0"], "n_excitatory = 0"),
        (["ring", "--contrast", "100"], "contrasts[0] = 100"),
        (["ring", "--orientations", "0"], "orientations = 0"),
        (["ring", "--backend", "nset"], "backend = 'nset'"),
        (["ring", "--seed", "-1"], "seed = -1"),
        (["demo", "--trials", "0"], "trials = 0"),
        (["experiment", "learnign"], "experiment = 'learnign'"),
        (["experiment", "static_ring", "--set", "trails=2"], "argument of static_ring = 'trails'"),
        (["experiment", "static_ring", "--seeds", "0"], "seeds is empty"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, said):
    result = run(*arguments, "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.startswith("netlib: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_fault_of_ours_is_not_dressed_as_bad_input(monkeypatch, tmp_path):
    monkeypatch.setattr("netlib.v1.demo.run_demo", lambda *_: np.zeros(2) + np.zeros(3))  # raised here, not in netlib
    result = run("demo", "--out", tmp_path)
    assert isinstance(result.exception, ValueError)


def test_json_for_programs(tmp_path):
    short = ("--orientations", "6", "--trials", "1", "--duration", "200", "--backend", "auto", "--quiet", "--json")
    made = json.loads(run("ring", "--out", str(tmp_path), *short).stdout)
    assert all(Path(file).is_file() for file in made["files"]) and made["widths"][0]["population"] == "input"
    assert "static_ring" in json.loads(run("experiment", "list", "--json").stdout)
    grid = ("--set", "preset=internship2019_final", "--set", "orientations=1", "--grid", "duration=100,200")
    where = ("--out", str(tmp_path / "x.nc"), "--cache", str(tmp_path / "cache"), "--quiet", "--json")
    assert json.loads(run("sweep", "ring", *grid, *where).stdout)["results"] == 2


def test_values_are_completed():
    assert command.presets("v1") == ["v1", "v1_two_rings"]
    assert "two_rings" in cli.experiment_names("two")


def test_command_tunes_both_rings(tmp_path):
    sizes = [f"--set={n}={v}" for n, v in (("n_excitatory2", 64), ("E2_to_E2", "null"), ("E2_to_I2", "null"))]
    options = ["--preset=v1_two_rings", "--orientations=5", "--trials=1", "--duration=100", "--quiet", *sizes]
    result = CliRunner().invoke(cli.app, ["ring", f"--out={tmp_path}", *options])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "ring.csv")
    assert table["population"].value_counts().to_dict() == {"E": 256, "E2": 64}
    assert "E2" in result.stdout
