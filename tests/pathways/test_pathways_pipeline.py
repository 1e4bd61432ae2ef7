"""From files to report: resumed after a kill, the same with any number of processes, and no step made twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from netlib.pathways.command import make_app
from netlib.pathways.dataset import read_truth, write_dataset
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.pipeline import run_pipeline
from netlib.pathways.results import step_name

QUICK = PipelineParameters(
    k_max=3, references=2, resamples=2, draws=1, shifts=1, permutations=20, inferred=0, bin=1000.0, instants=4000.0
)
SETTINGS = ["k_max=3", "references=2", "resamples=2", "draws=1", "shifts=1", "permutations=20", "inferred=0",
            "bin=1000", "instants=4000"]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but for the report, which is dated, and the notes on it."""
    left_out = {"report.html", "report.result", ".lock"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in left_out
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return write_dataset(
        tmp_path_factory.mktemp("data"), 3, mice=2, sessions=2, neurons=24, minutes=5, registration=False
    )


@pytest.fixture(scope="module")
def done(dataset, tmp_path_factory):
    return run_pipeline(dataset, tmp_path_factory.mktemp("run") / "out", QUICK, figures=False, progress=False)


def test_every_step_and_the_report_are_made(done):
    output = done.report.parent
    assert not done.kept
    assert {step_name("session", "I1", 2), step_name("clusters", "A2A"), "statistics"} <= set(done.made)
    text = done.report.read_text()
    for title in ("Claims", "Behaviour", "Neurons", "Modulation", "Clusters, direct (D1)", "Statistics", "Decoding"):
        assert f">{title}</h2>" in text
    assert "<img" not in text and text.count("<table>") > 10
    assert not any(src.startswith("http") for src in text.split('src="')[1:])
    tables = {path.stem: pd.read_csv(path) for path in (output / "tables").glob("*.csv")}
    assert len(tables["modulation"]) == 4 * 24 * 4
    assert set(tables["claims"]["claim"]) == set(done.claims["claim"])
    assert not [path for path in output.rglob(".*") if path.name != ".lock"]


@pytest.mark.slow
def test_report_shows_every_figure(done, dataset, tmp_path):
    from netlib.pathways import figures

    output = shutil.copytree(done.report.parent, tmp_path / "out")
    with_candidates = replace(QUICK, min_sessions=2)
    drawn = run_pipeline(dataset, output, with_candidates, progress=False)
    text, folder = drawn.report.read_text(), output / "figures"
    assert "session-I1-1" in drawn.kept and "Not drawn" not in text and text.count("<img ") > 40
    names = {path.stem for path in folder.rglob("*.png")}
    called = {"session_raster": "raster_I1_1", "population_components": "components_I1"}
    ours = [name.removeprefix("plot_") for name in figures.__all__]
    missing = [one for one in ours if not any(name.startswith(called.get(one, one)) for name in names)]
    # Three compare data sets; the last needs more neurons than there are.
    assert set(missing) <= {"mouse_claims", "planted", "verdicts", "contingency"}
    assert len(list((folder / "sessions").glob("*_session_*.png"))) == 4


def test_neurons_are_followed_as_they_were_planted(done, dataset):
    from netlib.pathways.registration import registration_scores

    truth = read_truth(dataset.parent, "I1")["pool_table"]
    cells = [np.flatnonzero(column >= 0)[np.argsort(column[column >= 0])] for column in truth.T]
    found = registration_scores(done.results.registration("I1")["table"], cells)
    assert found["f1"] > 0.9


def test_a_second_run_makes_nothing(done, dataset):
    before = contents(done.report.parent), done.report.stat().st_mtime_ns
    again = run_pipeline(dataset, done.report.parent, QUICK, figures=False, progress=False)
    assert not again.made and set(again.kept) == set(done.made)
    assert (contents(done.report.parent), done.report.stat().st_mtime_ns) == before


def test_only_what_depends_on_a_parameter_is_made_again(done, dataset):
    from netlib.pathways.manifest import load_manifest
    from netlib.pathways.pipeline import hash_files
    from netlib.pathways.plan import plan_steps

    manifest = load_manifest(dataset)

    def keys(parameters, hashes):
        return {step.name: step.key for steps in plan_steps(manifest, hashes, parameters) for step in steps}

    hashes = hash_files(manifest)
    plain = keys(QUICK, hashes)
    changed = keys(replace(QUICK, draws=2), hashes)
    differ = {name.split("-")[0] for name in plain if plain[name] != changed[name]}
    assert differ == {"decoding", "sources", "statistics"}
    other = keys(QUICK, hashes | {("I1", 2): "another file"})
    kept = {name for name in plain if plain[name] == other[name]}
    assert {"session-I1-1", "session-L1-1", "session-L1-2", "registration-L1", "time-L1"} <= kept
    assert not {"session-I1-2", "registration-I1", "clusters-both", "statistics"} & kept


def test_steps_depend_on_the_code_that_they_reach_and_on_no_other():
    from netlib.base.fingerprint import reached

    sources, libraries = reached({"netlib.pathways.plan"})
    assert {"netlib.pathways.modulation", "netlib.statistics.mixed_models", "netlib.base.seeds"} <= sources.keys()
    assert {"scikit-learn", "scipy", "numpy"} <= {name.replace("sklearn", "scikit-learn") for name in libraries}
    others = ("netlib.openscope", "netlib.figures", "netlib.pathways.report", "netlib.pathways.figures", "netlib.v1")
    assert not [name for name in sources if name.startswith(others)]


def test_pictures_of_a_mouse_with_a_foreign_name_stay_in_their_folder(tmp_path):
    from matplotlib.figure import Figure

    from netlib.pathways.report import Pictures

    pictures = Pictures(tmp_path / "figures" / "sessions")
    pictures.draw(lambda: Figure(), alt="a raster", name="../../../x_session_1")
    pictures.draw(lambda: Figure(), alt="a raster", name="I2_session_1")
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert files == ["figures/sessions/%2E.%2F..%2F..%2Fx_session_1.png", "figures/sessions/I2_session_1.png"]


def test_files_of_the_user_in_the_output_stay(done, dataset):
    mine = [done.report.parent / name for name in (".my.notes.txt", "tables/.a.b.c", "notes/.x.y.z")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (done.report.parent / "report.html").unlink()  # the report is written again
    run_pipeline(dataset, done.report.parent, QUICK, figures=False, progress=False)
    assert all(path.read_text() == "mine" for path in mine)
    for path in mine:
        path.unlink()
    mine[2].parent.rmdir()


def test_two_runs_in_one_folder_do_not_meet(done, dataset):
    import fcntl

    with open(done.report.parent / ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another run is at work"):
            run_pipeline(dataset, done.report.parent, QUICK, progress=False)


def test_a_damaged_result_is_made_again(done, dataset):
    for name in ("session-I1-1", "statistics"):
        path = done.report.parent / "steps" / f"{name}.result"
        path.write_bytes(path.read_bytes()[:-10])
    again = run_pipeline(dataset, done.report.parent, QUICK, figures=False, progress=False)
    assert set(again.made) == {"session-I1-1", "statistics"}


def command(dataset: Path, output: Path, jobs: int) -> list[str]:
    code = "from netlib.pathways.command import make_app; make_app()()"
    sets = [part for text in SETTINGS for part in ("--set", text)]
    return [
        sys.executable,
        "-c",
        code,
        "run",
        str(dataset),
        "--output",
        str(output),
        "--jobs",
        str(jobs),
        "--no-figures",
        *sets,
    ]


@pytest.mark.slow
def test_killed_at_any_moment_a_run_ends_with_the_same_files(done, dataset, tmp_path):
    output, expected = tmp_path / "out", contents(done.report.parent)
    seen = set()
    for wanted in (0, 2, 5, 8, 12, 16):  # results that are there when the run is killed
        process = subprocess.Popen(command(dataset, output, 2), start_new_session=True, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < limit:
            if len(list((output / "steps").glob("*.result"))) >= wanted and output.exists():
                break
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)  # the process alone: its workers must end by themselves
        process.wait()
        there = contents(output) if output.exists() else {}
        partial = {name for name in there if Path(name).name.startswith(".")}
        assert all(there[name] == expected[name] for name in there.keys() - partial)
        seen.add(len(there))
    limit = time.monotonic() + 20
    while subprocess.run(["pgrep", "-f", str(output)], capture_output=True).stdout and time.monotonic() < limit:
        time.sleep(0.1)
    again = subprocess.run(command(dataset, output, 2), capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert contents(output) == expected and len(seen) > 2


@pytest.mark.slow
def test_two_processes_find_the_same(done, dataset, tmp_path):
    other = run_pipeline(dataset, tmp_path / "out", QUICK, jobs=2, figures=False, progress=False)
    assert contents(other.report.parent) == contents(done.report.parent)


@pytest.fixture
def invoke():
    runner = CliRunner()
    return lambda *arguments: runner.invoke(make_app(), [str(a) for a in arguments])


def test_command(done, dataset, invoke):
    sets = [part for text in SETTINGS for part in ("--set", text)]
    found = invoke(
        "run", dataset, "--output", done.report.parent, "--jobs", 1, *sets, "--json", "--quiet", "--no-figures"
    )
    assert found.exit_code == 0, found.output
    facts = json.loads(found.stdout)
    assert facts["made"] == [] and Path(facts["report"]) == done.report.resolve() and len(facts["claims"]) == 4
    found = invoke("inspect", dataset, "--jobs", 1)
    assert found.exit_code == 0 and "4 sessions of 2 mice: all files are sound" in found.output
    lines = invoke("parameters").output.splitlines()
    assert lines[0].split() == ["name", "value", "unit", "range"] and len(lines) == 20
    line = next(line for line in lines if line.startswith("inferred"))
    assert line.split() == ["inferred", "6", "neurons", "[0,", "inf)"]
    assert [line.index(word) for word in ("6", "neurons", "[0")] == [
        lines[0].index(w) for w in ("value", "unit", "range")
    ]


@pytest.mark.parametrize(
    ("setting", "message"), [("alpha", "name=value"), ("alpha=2", "alpha = 2"), ("beta=1", "'beta' is unknown")]
)
def test_bad_settings_are_refused(dataset, tmp_path, invoke, setting, message):
    found = invoke("run", dataset, "--output", tmp_path / "out", "--set", setting)
    assert found.exit_code == 2 and message in found.stderr
    assert not (tmp_path / "out").exists()
