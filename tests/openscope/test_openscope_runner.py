"""Panels computed from small sessions against plain computations; what the runner keeps, redraws, survives."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from netlib.openscope import runner
from netlib.openscope.command import make_app
from netlib.openscope.panels import find_panels, panel, panels_of
from netlib.openscope.parameters import PermPar
from netlib.openscope.runner import SessionPool, run_panel, run_panels
from netlib.openscope.schedule import credit_assignment_schedule
from netlib.openscope.session import Session

MICE = ((6, "L23-Cux2", "dend"), (9, "L23-Cux2", "dend"), (1, "L23-Cux2", "soma"), (4, "L5-Rbp4", "soma"))
N_ROIS, TRACKED, LOW = 6, 4, 960


def small_session(mouse: int, line: str, plane: str, number: int, schedule) -> Session:
    """Noise with a memory, and some ROIs that answer to U."""
    rng = np.random.default_rng([mouse, number])
    n = len(schedule.twop_times)
    noise = rng.standard_normal((n + 5, N_ROIS))
    dff = sum(noise[k : n + k] for k in range(5)) / 5 + 0.5
    rows = schedule.trials
    for start in rows.loc[rows["gabor_frame"] == "U", "start_frame_twop"]:
        dff[start : start + 15, :3] += 0.3 * number
    masks = np.zeros((N_ROIS, 12, 12))
    for roi in range(N_ROIS):
        masks[roi, 2 * roi : 2 * roi + 2] = 1
    order = rng.permutation(N_ROIS)
    return Session.from_arrays(
        dff=dff[:, order], twop_times=schedule.twop_times, stim_times=schedule.stim_times, trials=schedule.trials,
        running=rng.normal(5, 2, len(schedule.stim_times)), pupil={"diameter": rng.normal(1, 0.1, n)},
        masks=masks[order], max_projection=255 * masks[order].max(0), roi_ids=100 + np.arange(N_ROIS),
        tracking_ids=np.where(order < TRACKED, order, np.nan),
        metadata={"sessid": 1000 * mouse + number, "mouseid": 400000 + mouse, "mouse_n": mouse, "sess_n": number,
                  "line": line, "plane": plane},
    )  # fmt: skip


@pytest.fixture
def quick_pictures(monkeypatch):
    """Pictures that take no time, where they are not what is tested."""
    monkeypatch.setattr(runner, "_svg", lambda _, title: f"<?xml {title}".encode())


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    schedules = [credit_assignment_schedule(k, gabor_minutes=6, flow_minutes=3) for k in range(3)]
    return [small_session(*mouse, n + 1, schedules[n]) for mouse in MICE for n in range(3)]


def compute(sessions, place: str, paper: str = "analysis", n_perms: int = LOW) -> dict:
    """Rows of the table of a panel."""
    one = panel(paper, place[:-1], place[-1])
    parameters = one.run_parameters(n_permutations=n_perms)
    tracked = bool(parameters.analyspar and parameters.analyspar.tracked)
    chosen, _ = SessionPool(sessions=sessions).select(parameters.sesspar, tracked)
    (table,) = one.compute(chosen, parameters, 905).values()
    n = len(next(iter(table.values())))
    return [{name: column[str(i)] for name, column in table.items()} for i in range(n)]


# ---------------------------------------------------------------- plain twins


def plain_responses(session: Session, seconds: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Scaled responses to D and U, trial by trial and ROI by ROI, straight from the arrays."""
    session.tracked_only = False
    whole = session.traces()
    rows = session.trials[session.trials["gabor_frame"].isin(["D", "U"])]
    found, length = [], round(seconds * session.fps)
    for trace in whole:
        low, middle, high = np.percentile(trace, [5, 50, 95])
        scaled = (trace - middle) / (high - low)
        found.append([scaled[start : start + length].sum() / session.fps for start in rows["start_frame_twop"]])
    return np.array(found).T, (rows["gabor_frame"] == "U").to_numpy()


def plain_usi(session: Session) -> np.ndarray:
    x, u = plain_responses(session)
    return (x[u].mean(0) - x[~u].mean(0)) / np.sqrt((x[u].var(0) + x[~u].var(0)) / 2)


def of(sessions, mouse: int, number: int) -> Session:
    return next(s for s in sessions if (s.metadata.mouse_n, s.metadata.sess_n) == (mouse, number))


def tracked_usi(session: Session) -> np.ndarray:
    return plain_usi(session)[session.tracked_order()]


def test_differences_equal_a_plain_computation(sessions):
    rows = compute(sessions, "2B")
    assert [(r["lines"], r["planes"], r["sess_ns"]) for r in rows[:4]] == [
        *(("L23-Cux2", "dend", n) for n in (1, 2, 3)), ("L23-Cux2", "soma", 1),
    ]  # fmt: skip
    assert rows[1]["mouse_ns"] == [6, 9] and rows[1]["nrois"] == [N_ROIS, N_ROIS]
    pooled = []
    for mouse in (6, 9):
        x, u = plain_responses(of(sessions, mouse, 2))
        pooled.append(x[u].mean(0) - x[~u].mean(0))
    values = np.concatenate(pooled)
    assert_allclose(rows[1]["diff_stats"], [values.mean(), values.std(ddof=1) / np.sqrt(len(values))], rtol=1e-9)
    assert_allclose(rows[1]["mouse_diffs"], [p.mean() for p in pooled], rtol=1e-9)
    low, middle, high = rows[1]["null_CIs"]
    assert low < middle < high
    assert rows[2]["p_vals"] < 0.05  # 0.9 of the dF/F planted in half of the ROIs
    assert np.isnan(rows[0]["p_vals_2v3"]) and not np.isnan(rows[2]["p_vals_2v3"])


def test_traces_equal_a_plain_computation(sessions):
    row = compute(sessions, "2A")[4]
    session = of(sessions, 1, 2)
    session.tracked_only = False
    n_pre, n_post = round(0.9 * session.fps), round(0.6 * session.fps)
    rows = session.trials[session.trials["gabor_frame"] == "U"]
    traces = []
    for trace in session.traces():
        low, middle, high = np.percentile(trace, [5, 50, 95])
        starts = [int(s) for s in rows["start_frame_twop"]]
        traces.append(np.mean([(trace[s - n_pre : s + n_post] - middle) / (high - low) for s in starts], axis=0))
    stats = np.array(row["trace_stats"])[1]
    assert_allclose(stats[:, 0], np.mean(traces, axis=0), rtol=1e-9, atol=1e-12)
    assert_allclose(stats[:, 1], np.std(traces, axis=0, ddof=1) / np.sqrt(N_ROIS), rtol=1e-9)
    assert_allclose(row["time_values"], (np.arange(n_pre + n_post) - n_pre) / session.fps)


def test_usis_statistics_and_correlations_equal_plain_computations(sessions):
    rows = compute(sessions, "4F")
    assert len(rows) == 12
    for row in rows:
        assert_allclose(row["roi_idxs"], tracked_usi(of(sessions, row["mouse_ns"], row["sess_ns"])), rtol=1e-9)
    pooled = [np.concatenate([tracked_usi(of(sessions, mouse, n)) for mouse in (6, 9)]) for n in (1, 2, 3)]
    sizes = [row for row in compute(sessions, "4G") if (row["lines"], row["planes"]) == ("L23-Cux2", "dend")]
    assert_allclose([row["abs_roi_idx_stats"][0] for row in sizes], [np.abs(p).mean() for p in pooled], rtol=1e-9)
    spread = [row for row in compute(sessions, "4H") if (row["lines"], row["planes"]) == ("L23-Cux2", "dend")]
    assert_allclose([row["roi_idx_stats"][0] for row in spread], [p.var() for p in pooled], rtol=1e-9)
    corr = compute(sessions, "9C")[0]
    assert_allclose(corr["2v3_corrs"], np.corrcoef(pooled[1], pooled[2])[0, 1], rtol=1e-9)
    drawn = compute(sessions, "9A")[0]
    assert_allclose([drawn["regr_coefs"], drawn["regr_intercepts"]], np.polyfit(pooled[0], pooled[1], 1), rtol=1e-9)
    assert_allclose(drawn["corr_data_xs"], pooled[0], rtol=1e-9)


def test_flow_usi_is_after_against_before_the_onset(sessions):
    row = compute(sessions, "7C")[0]
    session = of(sessions, row["mouse_ns"], row["sess_ns"])
    session.tracked_only = True
    flow = session.trials[session.trials["stimulus_type"] == "visflow"]
    before = flow["unexpected"].shift(fill_value=1)
    starts = flow.loc[(flow["unexpected"] == 1) & (before == 0), "start_frame_twop"]
    n, usis = round(2 * session.fps), []
    for trace in session.traces():
        low, middle, high = np.percentile(trace, [5, 50, 95])
        scaled = (trace - middle) / (high - low)
        a, b = (np.array([part.sum() for part in (scaled[s + k : s + k + n] for s in starts)]) for k in (-n, 0))
        usis.append((b.mean() - a.mean()) / np.sqrt((a.var() + b.var()) / 2))
    assert_allclose(row["roi_idxs"], usis, rtol=1e-9)


def test_percent_significant_counts_the_planted_rois(sessions):
    row = compute(sessions, "4D")[0]
    assert sum(row["nrois"]) == 2 * N_ROIS
    for name in ("n_signif_lo", "n_signif_hi", "n_pos"):
        assert 0 <= row[name] <= 2 * N_ROIS
    assert_allclose(row["perc_sig_hi_idxs"], 100 * row["n_signif_hi"] / (2 * N_ROIS))
    by_mouse = compute(sessions, "5A")
    assert [r["mouse_ns"] for r in by_mouse] == [6, 9, 1, 4]
    assert sum(r["n_signif_hi"] for r in by_mouse[:2]) == row["n_signif_hi"]


def test_relative_responses_of_session_1_are_1(sessions):
    rows = compute(sessions, "2C")
    for row in rows[::3]:
        assert row["sess_ns"] == 1
        assert_allclose(row["rel_reg"][0], 1, rtol=1e-9)
    flow = compute(sessions, "7A")
    assert_allclose([row["rel_exp"][0] for row in flow[::3]], 1, rtol=1e-9)
    change = compute(sessions, "7B")
    unexpected = [row["rel_unexp"][0] for row in rows[:3]]
    assert_allclose(change[0]["gabors"][0], abs(unexpected[2] / unexpected[0] - 1), rtol=1e-9)
    assert change[-1]["lines"] == "all" and change[0]["sess_ns"] == "comp1v3"


def test_block_differences_equal_a_plain_computation(sessions):
    row = compute(sessions, "8B")[1]
    session = of(sessions, 1, 1)
    rows = session.trials[session.trials["gabor_frame"].isin(["D", "U"])]
    n = round(0.6 * session.stim_fps)
    mean = [session.running()[int(s) : int(s) + n].mean() for s in rows["start_frame_stim"]]
    blocks, last = [[[], []]], False
    for value, surprising in zip(mean, rows["gabor_frame"] == "U", strict=True):
        if last and not surprising:
            blocks.append([[], []])
        blocks[-1][surprising].append(value)
        last = surprising
    wanted = [np.mean(u) - np.mean(e) for e, u in blocks if u]
    assert_allclose(row["run_block_diffs"], wanted, rtol=1e-9)


def test_decoding_of_a_planted_orientation():
    """Two mice, few shuffles: ROIs that answer to one orientation each are found, and the null is at chance."""
    one = panel("analysis", "10", "D")
    parameters = dataclasses.replace(one.parameters, permpar=PermPar(1, 40, tails="hi"))
    parameters = dataclasses.replace(parameters, extrapar=(("n_splits", 4), ("seed", 905)))
    chosen, schedule = [], credit_assignment_schedule(3, gabor_minutes=14, flow_minutes=0)
    for mouse in MICE[:2]:
        session = small_session(*mouse, 1, schedule)
        dff = session.traces().T
        for row in session.trials[session.trials["gabor_frame"] == "D"].itertuples():
            dff[row.start_frame_twop : row.stop_frame_twop, int(row.gabor_mean_orientation) // 45] += 2
        chosen.append(Session.from_arrays(
            dff=dff, twop_times=session.twop_times, stim_times=session.stim_times, trials=session.trials,
            metadata=session.metadata,
        ))  # fmt: skip
    table = one.compute(chosen, parameters, 905)["scores_df"]
    assert table["test_balanced_accuracy_stat"]["0"] > 0.8
    assert table["test_balanced_accuracy_p_vals"]["0"] < 0.05
    assert 0.1 < table["test_balanced_accuracy_null_CIs"]["0"][1] < 0.4


@pytest.mark.parametrize("place", ["2A", "2B", "2C", "4D", "4F", "4G", "4H", "9C"])
def test_tables_have_the_published_columns(reference_folder, sessions, place):
    data = json.loads((reference_folder / "openscope" / f"analysis_Fig{place[0]}_panel_{place[1]}.json").read_text())
    table = next(value for name, value in data.items() if name.endswith("_df"))
    row = compute(sessions, place)[0]
    assert set(table) - set(row) == set()
    for column, values in table.items():
        assert np.ndim(values["0"]) == np.ndim(row[column]), column


# ---------------------------------------------------------------- which sessions


def test_examples_of_absent_mice_are_replaced_and_said(sessions):
    pool = SessionPool(sessions=sessions)
    found, note = pool.select(panel("analysis", "1", "B").parameters.sesspar)
    assert [s.metadata.mouse_n for s in found] == [6, 1, 4]
    assert note == ""
    found, note = pool.select(panel("dataset", "2", "C").parameters.sesspar, tracked=True)
    assert {s.metadata.mouse_n for s in found} == {6, 1, 4} and all(s.tracked_only for s in found)
    assert "mouse 1 stands for one of the paper's mice [3, 4, 6, 11]" in note
    with pytest.raises(ValueError, match=r"no mouse with all of the sessions, and tracked ROIs, \[1, 2, 3\]"):
        SessionPool(sessions=sessions[:2]).select(panel("analysis", "4", "F").parameters.sesspar, tracked=True)


def test_sessions_come_from_a_folder_or_are_given(sessions, tmp_path):
    with pytest.raises(ValueError, match="either datadir"):
        SessionPool()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        SessionPool(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no file sub-\*_ses"):
        SessionPool(tmp_path).select(panel("analysis", "2", "A").parameters.sesspar)


# ---------------------------------------------------------------- keeping, redrawing, surviving


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_data_and_picture_are_kept_and_drawn_again(sessions, tmp_path, quick_pictures):
    options = {"sessions": sessions, "output": tmp_path, "n_permutations": LOW}
    first = run_panels("analysis", "4", "FG", **options)
    assert [o.state for o in first] == ["computed", "computed"]
    wanted = {"analysis_paper/Fig4/panel_F.svg", "analysis_paper/Fig4/data_files/panel_F.json"}
    low = "analysis_paper/Fig4/panels_with_diff_params"
    assert files(tmp_path) == wanted | {f"{low}/panel_G_lower_power.svg", f"{low}/data_files/panel_G_lower_power.json"}
    data = json.loads(first[1].place.data.read_text())
    assert data["permpar"]["n_perms"] == LOW and data["provenance"]["versions"]["netlib"]
    assert data["provenance"]["panel"] == "analysis Fig 4G" and len(data["provenance"]["sessions"]) == 12
    before = {path: (tmp_path / path).read_bytes() for path in files(tmp_path)}
    first[0].place.svg.unlink()
    assert [o.state for o in run_panels("analysis", "4", "FG", **options)] == ["redrawn", "redrawn"]
    assert {path: (tmp_path / path).read_bytes() for path in files(tmp_path)} == before
    assert [o.state for o in run_panels("analysis", "4", "F", overwrite=True, **options)] == ["computed"]
    assert first[0].place.svg.read_bytes() == before["analysis_paper/Fig4/panel_F.svg"]


def test_other_seeds_powers_and_sessions_are_computed(sessions, tmp_path, quick_pictures):
    options = {"output": tmp_path, "n_permutations": LOW}
    (other,) = run_panels("analysis", "4", "G", sessions=sessions, seed=3, **options)
    assert other.place.svg.name == "panel_G_lower_power_seed3.svg"
    (more,) = run_panels("analysis", "4", "G", sessions=sessions, seed=3, output=tmp_path, n_permutations=LOW + 1)
    assert (more.state, more.place) == ("computed", other.place)
    kept = json.loads(more.place.data.read_text())["idx_stats_df"]
    fewer = [s for s in sessions if s.metadata.mouse_n != 9]
    (less,) = run_panels("analysis", "4", "G", sessions=fewer, seed=3, output=tmp_path, n_permutations=LOW + 1)
    assert less.state == "computed"
    assert json.loads(less.place.data.read_text())["idx_stats_df"]["nrois"]["0"] == kept["nrois"]["0"][:1]


def test_full_power_goes_to_the_published_place():
    one = panel("analysis", "4", "D")
    assert runner.place_of(one, one.run_parameters(full_power=True), "out").svg == Path(
        "out/analysis_paper/Fig4/panel_D.svg"
    )


def test_published_data_are_drawn_without_sessions(reference_folder, tmp_path):
    for place in ("4G", "2B"):
        data = (reference_folder / "openscope" / f"analysis_Fig{place[0]}_panel_{place[1]}.json").read_bytes()
        target = tmp_path / "analysis_paper" / f"Fig{place[0]}" / "data_files" / f"panel_{place[1]}.json"
        target.parent.mkdir(parents=True)
        target.write_bytes(data)
    (made,) = run_panels("analysis", 4, "G", output=tmp_path, plot_only=True, full_power=True)
    assert (made.state, made.message) == ("redrawn", "")
    picture = made.place.svg.read_bytes()
    assert picture.startswith(b"<?xml") and picture.rstrip().endswith(b"</svg>")
    run_panels("analysis", 4, "G", output=tmp_path, plot_only=True, full_power=True)
    assert made.place.svg.read_bytes() == picture
    assert json.loads(made.place.data.read_text())["extrapar"]["seed"] == 905
    outcomes = run_panels("analysis", "2", "all", output=tmp_path, plot_only=True, full_power=True)
    assert [o.state for o in outcomes] == ["failed", "redrawn", "failed"]
    assert "is not there: plot_only draws from kept data" in outcomes[0].message


def change_panel(monkeypatch, name, **changes):
    """Let the runner find a panel with another function."""

    def changed(*arguments):
        found = find_panels(*arguments)
        return [dataclasses.replace(one, **changes) if one.name == name else one for one in found]

    monkeypatch.setattr(runner, "find_panels", changed)


def test_a_panel_that_fails_stops_no_other(sessions, tmp_path, quick_pictures, monkeypatch):
    def broken(*_):
        raise KeyError("nothing to see")

    change_panel(monkeypatch, "dataset Fig 1B", compute=broken)
    outcomes = run_panels("dataset", "1,8", "AB", sessions=sessions, output=tmp_path)
    assert [o.state for o in outcomes] == ["schematic", "failed", "computed", "computed"]
    assert outcomes[1].message == "dataset Fig 1B: nothing to see" and "broken" in outcomes[1].trace
    assert not any("Fig1" in path for path in files(tmp_path))


@pytest.mark.parametrize("breaks", ["drawing", "picture", "data", "rename"])
def test_a_failure_midway_leaves_the_panel_as_it_was(sessions, tmp_path, monkeypatch, quick_pictures, breaks):
    options = {"sessions": sessions, "output": tmp_path}
    run_panels("dataset", "1", "B", **options)
    before = {path: (tmp_path / path).read_bytes() for path in files(tmp_path)}

    def fail(*_args, **_options):
        raise OSError("the disk is full")

    target = {
        "picture": "netlib.openscope.runner._svg",
        "data": "netlib.openscope.runner._json",
        "rename": "os.replace",
    }
    if breaks == "drawing":
        change_panel(monkeypatch, "dataset Fig 1B", draw=fail)
    else:
        monkeypatch.setattr(target[breaks], fail)
    (outcome,) = run_panels("dataset", "1", "B", overwrite=True, **options)
    assert outcome.state == "failed" and "the disk is full" in outcome.message
    assert {path: (tmp_path / path).read_bytes() for path in files(tmp_path)} == before


KILLED = """
    import json, os, sys, time
    from netlib.openscope import runner
    write = runner.atomic_write

    def slow(path, _):
        def half(file):
            file.write(b'{"half": ')
            file.flush()
            print("writing", flush=True)
            time.sleep(60)
        write(path, half)

    runner.atomic_write = slow
    runner.run_panels("analysis", "4", "G", output=sys.argv[1], plot_only=True, full_power=True)
"""


def test_a_killed_run_leaves_no_half_written_panel(sessions, tmp_path):
    (made,) = run_panels("analysis", "4", "G", sessions=sessions, output=tmp_path, full_power=False, n_permutations=LOW)
    place = runner.place_of(panel("analysis", "4", "G"), panel("analysis", "4", "G").parameters, tmp_path)
    place.data.parent.mkdir(parents=True)
    place.data.write_bytes(made.place.data.read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "writing\n"
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()
    assert not place.svg.exists()
    assert place.data.read_bytes() == made.place.data.read_bytes()
    assert [path.name[:13] for path in place.svg.parent.glob(".*")] == [".panel_G.svg."]
    (again,) = run_panels("analysis", "4", "G", output=tmp_path, plot_only=True, full_power=True)
    assert again.state == "redrawn" and place.svg.exists()
    assert "permpar.n_perms" in again.message
    assert not list(place.svg.parent.glob(".*"))


def test_damaged_data_are_made_again(sessions, tmp_path, quick_pictures):
    options = {"sessions": sessions, "output": tmp_path}
    (made,) = run_panels("dataset", "1", "B", **options)
    whole = made.place.data.read_bytes()
    made.place.data.write_bytes(whole[:100])
    (failed,) = run_panels("dataset", "1", "B", output=tmp_path, plot_only=True)
    assert failed.state == "failed" and "is no JSON" in failed.message
    assert run_panels("dataset", "1", "B", **options)[0].state == "computed"
    assert made.place.data.read_bytes() == whole


def test_options_that_contradict_each_other(sessions):
    with pytest.raises(ValueError, match="plot_only and overwrite"):
        run_panels("analysis", "2", plot_only=True, overwrite=True)
    with pytest.raises(ValueError, match="jobs = 2 needs datadir"):
        run_panels("analysis", "2", sessions=sessions, jobs=2)
    with pytest.raises(ValueError, match=r"jobs = 0 processes is out of range"):
        run_panels("analysis", "2", sessions=sessions, jobs=0)


# ---------------------------------------------------------------- the command


def run(*arguments: str):
    return CliRunner().invoke(make_app(), list(arguments))


def test_the_command_is_light_to_import():
    heavy = ("matplotlib", "sklearn", "h5py", "pandas", "netlib.openscope.panels")
    code = f"import sys, netlib.openscope.command; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_command_lists_the_panels():
    result = run("figures", "--list", "--figure", "4,6")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) == 11
    assert lines[3].startswith("4D") and "1000 permutations, 10000 at full power" in lines[3]
    assert lines[8].startswith("6A") and lines[8].endswith("(schematic)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--figure", "4", "--panel", "Z"], "panel of analysis figure 4 = 'Z' is unknown"),
        (["--paper", "analysys"], "did you mean 'analysis'"),
        (["--figure", "2", "--seed", "often"], "seed = 'often' is neither 'paper' nor a whole number"),
        (["--figure", "2"], "give either datadir"),
        (["--figure", "2", "--datadir", "/nowhere"], "/nowhere: no such folder"),
        (["--figure", "2", "--permutations", "10"], "n_permutations = 10 is out of range"),
    ],
)
def test_command_refuses_in_one_line(arguments, words):
    result = run("figures", *arguments)
    assert result.exit_code == 2
    assert words in result.output and len(result.output.strip().splitlines()) == 1


def test_command_says_what_failed_and_exits_with_1(reference_folder, tmp_path, quick_pictures):
    target = tmp_path / "analysis_paper/Fig4/data_files/panel_D.json"
    target.parent.mkdir(parents=True)
    target.write_bytes((reference_folder / "openscope/analysis_Fig4_panel_D.json").read_bytes())
    arguments = ("figures", "--figure", "4", "--output", str(tmp_path), "--plot-only", "--full-power")
    assert run(*arguments, "--panel", "D").exit_code == 0
    result = run(*arguments, "--panel", "DE")
    assert result.exit_code == 1
    assert "analysis Fig 4D: redrawn" in result.output and "failed: analysis Fig 4E" in result.output
    schematic = run("figures", "--figure", "6", "--panel", "A", "--plot-only")
    assert schematic.exit_code == 1 and "not computable: schematic" in schematic.output


def test_command_download_plans_by_mouse_and_session(reference_folder, tmp_path, monkeypatch):
    import pandas as pd

    asked, fetched = {}, []

    def plan(datadir, **options):
        asked.update(options, datadir=datadir)
        row = {"mouse_n": 6, "sess_n": 1, "path": "sub-1/a.nwb", "size": 5_000_000, "have": 0, "state": "missing"}
        return pd.DataFrame([row])

    monkeypatch.setattr("netlib.openscope.dandi.plan_download", plan)
    monkeypatch.setattr("netlib.openscope.dandi.download", lambda plan, **options: fetched.append(options))
    table = reference_folder / "openscope" / "mouse_df.csv"
    where = ("--datadir", str(tmp_path), "--mouse-table", str(table), "--mouse", "6", "--mouse", "9", "--session", "1")
    result = run("download", *where, "--dry-run")
    assert result.exit_code == 0 and fetched == [] and not list(tmp_path.iterdir())
    assert "mouse 6 session 1: sub-1/a.nwb, 5 MB, missing" in result.output and "0.01 GB to fetch" in result.output
    assert (asked["mouse_ns"], asked["sess_ns"], asked["pass_fail"]) == ([6, 9], [1], "P")
    (tmp_path / "dandiset.json").write_text('{"sub-0/old.nwb": "DANDI:000037/0"}')
    assert run("download", *where, "--jobs", "2", "--quiet").exit_code == 0
    assert fetched == [{"jobs": 2, "progress": False}]
    assert json.loads((tmp_path / "dandiset.json").read_text()) == {
        "sub-0/old.nwb": "DANDI:000037/0",
        "sub-1/a.nwb": "DANDI:000037/0.230426.0054",
    }
    assert (tmp_path / "mouse_df.csv").read_bytes() == table.read_bytes()
    assert run("download", "--datadir", str(tmp_path), "--mouse-table", "/nowhere.csv").exit_code == 2


# ---------------------------------------------------------------- everything, on simulated mice


@pytest.fixture(scope="module")
def simulated() -> list[Session]:
    from netlib.openscope.simulate import simulated_mice

    return [session for session, _ in simulated_mice(8, 12, 7, gabor_minutes=12, flow_minutes=4)]


EVERY = (*panels_of("analysis"), *panels_of("dataset"))


def quick(one):
    """Parameters with so few shuffles and frames that a decoder is quick."""
    parameters = one.run_parameters()
    if parameters.logregpar is None:
        return parameters
    stimpar = parameters.stimpar
    if one.figure == "11":
        stimpar = dataclasses.replace(stimpar, pre=0.04, post=0.04)
    return dataclasses.replace(
        parameters, permpar=PermPar(1, 40, tails="hi"), stimpar=stimpar, extrapar=(("n_splits", 2), ("seed", 905))
    )


@pytest.mark.slow
@pytest.mark.parametrize(("paper", "figure"), list(dict.fromkeys((p.paper, p.figure) for p in EVERY)))
def test_every_panel_runs_on_simulated_mice(simulated, tmp_path, paper, figure):
    settings = runner.Settings(tmp_path, None, None, False, False)
    pool = SessionPool(sessions=simulated[:12] if figure == "11" else simulated)  # of 11, one mouse per group
    for one in find_panels(paper, figure):
        outcome = run_panel(one, quick(one), settings, pool)
        assert outcome.state == ("computed" if one.computable else "schematic"), outcome.trace
        if one.computable:
            assert outcome.place.svg.stat().st_size > 2000
            data = runner.read_data(outcome.place.data)
            assert differing_free(data, quick(one))
            again = run_panel(one, quick(one), dataclasses.replace(settings, plot_only=True), None)
            assert again.state == "redrawn"


def differing_free(data, parameters) -> bool:
    return runner.differing_parameters(data, parameters) == []


@pytest.mark.slow
def test_simulated_files_give_the_same_panels_whatever_the_jobs(tmp_path):
    data = tmp_path / "data"
    arguments = ("--mice", "2", "--rois", "9", "--seed", "4", "--gabor-minutes", "6", "--flow-minutes", "3")
    made = run("simulate", "--output", str(data), *arguments)
    assert made.exit_code == 0, made.output
    assert len(list(data.rglob("sub-*_ses-*_behavior+ophys.nwb"))) == 6
    assert run("simulate", "--output", str(data), *arguments).exit_code == 2  # never over another
    for jobs in (1, 2):
        common = ("--datadir", str(data), "--output", str(tmp_path / f"jobs{jobs}"), "--jobs", str(jobs))
        result = run("figures", "--figure", "2,4", "--panel", "BFG", *common)
        assert result.exit_code == 0, result.output
    one, two = ({p: (tmp_path / f"jobs{n}" / p).read_bytes() for p in files(tmp_path / f"jobs{n}")} for n in (1, 2))
    assert len(one) == 8 and one == two
    # What was written and read again gives what the sessions gave before.
    from netlib.openscope.simulate import simulated_mice

    direct = [session for session, _ in simulated_mice(2, 9, 4, gabor_minutes=6, flow_minutes=3)]
    run_panels("analysis", "4", "F", sessions=direct, output=tmp_path / "direct")
    tables = [
        json.loads((tmp_path / f / "analysis_paper/Fig4/data_files/panel_F.json").read_text())
        for f in ("direct", "jobs1")
    ]
    for left, right in zip(*(t["idx_only_df"]["roi_idxs"].values() for t in tables), strict=True):
        assert_allclose(left, right, rtol=0, atol=1e-9)


def test_time_is_told(sessions, tmp_path, quick_pictures):
    start = time.perf_counter()
    (outcome,) = run_panels("dataset", "1", "B", sessions=sessions, output=tmp_path)
    assert 0 < outcome.seconds <= time.perf_counter() - start
