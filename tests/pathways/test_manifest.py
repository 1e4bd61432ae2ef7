"""Manifests, the published CSV layout, CaImAn and NWB: from files to sessions and back, and clear refusals."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.pathways.files import load_registration, load_session
from netlib.pathways.imetronic import BoxLog, make_header, read_imetronic, write_imetronic
from netlib.pathways.manifest import (
    Manifest,
    build_manifest,
    eight_sessions,
    is_excluded,
    load_manifest,
    natural_key,
    number_in,
)
from netlib.pathways.session import BehaviourSession, check_length, frame_clock
from netlib.pathways.simulate import simulate_behaviour
from netlib.pathways.tables import (
    read_csv_session,
    read_ragged,
    read_registration,
    read_table,
    write_csv_session,
    write_ragged,
    write_registration,
    write_table,
)
from netlib.recordings import Recording, Trace
from netlib.stimuli import Protocol

LENGTH, FRAMES, CELLS = 60_000.0, 1200, 3


def imaged(mouse="I2", session=1, seed=0, n_sessions=8):
    """A session of a minute with a few neurons of noise."""
    bare = simulate_behaviour(seed, mouse, "D1", session, duration=LENGTH, n_sessions=n_sessions)
    rng = np.random.default_rng(seed + 100 * session)
    n = 40
    index = rng.integers(0, CELLS - 1, n).astype(np.int32)  # the last neuron has no event
    time = np.sort(rng.uniform(0, LENGTH, n))
    footprints = np.zeros((CELLS, 200, 320), np.float32)
    for k in range(CELLS):
        footprints[k, 20 + 30 * k : 26 + 30 * k, 50:57] = rng.uniform(0.1, 1, (6, 7))
    cells = np.arange(CELLS)
    recording = Recording(
        neurons=pd.DataFrame({"population": "D1", "orientation": np.full(CELLS, np.nan), "cell": cells}),
        spike_index=index,
        spike_time=time,
        duration=LENGTH,
        protocol=Protocol(pd.DataFrame({"onset": [0.0], "duration": [LENGTH]})),
        traces={
            "dff": Trace(rng.normal(size=(CELLS, FRAMES)), cells, 50.0, "dF/F"),
            "events": Trace(rng.poisson(0.1, (CELLS, FRAMES)).astype(float), cells, 50.0, "counts"),
        },
    )
    return bare.with_recording(recording, footprints, rng.uniform(1, 5, n))


def assert_same(a, b):
    assert (a.mouse, a.pathway, a.session, a.schedule) == (b.mouse, b.pathway, b.session, b.schedule)
    assert a.duration == pytest.approx(b.duration, abs=1e-6) and a.dt == pytest.approx(b.dt, abs=1e-9)
    pd.testing.assert_frame_equal(a.events, b.events)
    pd.testing.assert_frame_equal(a.intervals, b.intervals)
    for name in ("dff", "events"):
        assert np.array_equal(a.recording.traces[name].values, b.recording.traces[name].values)
    assert np.array_equal(a.recording.spike_index, b.recording.spike_index)
    assert np.allclose(a.recording.spike_time, b.recording.spike_time, rtol=0, atol=1e-6)
    assert np.allclose(a.amplitudes, b.amplitudes, rtol=0, atol=1e-12)
    assert np.array_equal(a.footprints, b.footprints)
    assert a.recording.neurons["cell"].tolist() == b.recording.neurons["cell"].tolist()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Folder with two mice of two sessions in the published layout; treat it as read-only."""
    folder = tmp_path_factory.mktemp("data")
    for mouse in ("I2", "I10"):
        for session in (1, 2):
            write_csv_session(imaged(mouse, session), folder / "D1" / mouse)
        table = np.array([[0, 0], [1, -1], [-1, 2]])
        write_registration(folder / "D1" / mouse / f"{mouse}_Longitudinal_Registration.csv", table)
    return folder


@pytest.fixture
def copy(dataset, tmp_path):
    import shutil

    return shutil.copytree(dataset, tmp_path / "data")


LABEL = {"mouse": "I2", "pathway": "D1", "session": 1, "schedule": "FR1"}


# ---------------------------------------------------------------- tables of numbers


@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_tables_are_exact(tmp_path, dtype):
    rng = np.random.default_rng(0)
    table = (rng.normal(size=(5, 40)) * 10.0 ** rng.integers(-12, 12, (5, 40))).astype(dtype)
    table[:, ::3] = 0
    table[4] = np.arange(40)
    again = read_table(write_table(tmp_path / "a.csv", table)).astype(dtype)
    assert np.array_equal(again, table)
    assert np.array_equal(np.loadtxt(tmp_path / "a.csv", delimiter=",").astype(dtype), table)


def test_ragged_tables_are_exact_and_keep_empty_rows(tmp_path):
    rows = [np.array([0.1, 2.0]), np.array([]), np.array([3.0, 1e-9, 7.25]), np.array([])]
    again = read_ragged(write_ragged(tmp_path / "a.csv", rows))
    assert [row.tolist() for row in again] == [row.tolist() for row in rows]
    (tmp_path / "b.csv").write_bytes(b"1.5,2,,\r\n,,,\r\nnan, 3,,\r\n")
    assert [row.tolist() for row in read_ragged(tmp_path / "b.csv")] == [[1.5, 2], [], [3]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"1,2,3\n4,5\n", "line 2: has 2 values and line 1 has 3"),
        (b"1,2,3\n4,5,6", "truncated, its last line has no end"),
        (b"1,2,3\n4,x,6\n", "line 2, value 2: 'x' is not a number"),
        (b"1.25,2.5\n4.5,6.x\n", "line 2, value 2: '6.x' is not a number"),
        (b"1.25\n\n2.25\n", "line 2, value 1: '' is not a number"),
        (b"1,,3\n", "line 1, value 2: '' is not a number"),
        (b"", "is empty"),
        (b"\0\0\n", "not text"),
    ],
)
def test_damaged_tables_are_named(tmp_path, content, words):
    path = tmp_path / "Sess1_Temporal_Components.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as error:
        read_table(path)
    assert str(path) in str(error.value)


# ---------------------------------------------------------------- clocks


def test_clocks_of_starts_and_of_ends():
    ends, starts = frame_clock(np.arange(1, 401) * 50.0), frame_clock(np.arange(400) * 50.0)
    for clock in (ends, starts):
        assert clock.dt == 50 and clock.duration == 20_000 and clock.regular
    values = np.arange(800.0).reshape(2, 400)
    assert ends.traces(values) is values and ends.counts(values) is values


def test_an_offset_clock_and_dropped_frames_are_laid_on_the_grid():
    rng = np.random.default_rng(0)
    times = np.arange(1, 2001) * 50.0 + 80.0  # the camera starts 80 ms late
    times = np.delete(times, rng.choice(np.arange(10, 1990), 20, replace=False))
    clock = frame_clock(times)
    assert not clock.regular and clock.dt == 50 and abs(clock.duration - times[-1]) <= 25
    counts = rng.poisson(1, (2, len(times))).astype(float)
    assert np.array_equal(clock.counts(counts).sum(1), counts.sum(1))
    wave = np.sin((times - 25) / 2000)[None]
    grid = (np.arange(clock.n) + 0.5) * 50
    assert np.abs(clock.traces(wave)[0] - np.sin(grid / 2000))[3:-1].max() < 0.01


@pytest.mark.parametrize(
    ("times", "words"), [([50.0, 150, 100], "frame 2 at 100 ms comes after"), ([50.0], "at least 2")]
)
def test_broken_clocks_are_refused(times, words):
    with pytest.raises(ValueError, match=words):
        frame_clock(np.array(times))


# ---------------------------------------------------------------- CSV layout


def test_a_session_goes_through_the_published_layout_unchanged(tmp_path):
    session = imaged(session=5)
    files = write_csv_session(session, tmp_path / "I2")
    assert sorted(files) == sorted(
        ["dat", "temporal_components", "time", "peaks_ts", "peaks_amplitude", "spatial_components", "deconvolution"]
    )
    assert read_table(files["spatial_components"]).shape == (200, 320 * CELLS)
    assert read_table(files["time"])[0, -1] == pytest.approx(60)
    again = read_csv_session(files, **{**LABEL, "session": 5, "schedule": "FR5"})
    assert_same(again, session)
    bare = read_csv_session({k: files[k] for k in ("dat", "time", "temporal_components")}, **LABEL | {"session": 5})
    assert bare.footprints is None and len(bare.recording.spike_time) == 0 and list(bare.recording.traces) == ["dff"]
    assert read_csv_session(files, **LABEL | {"session": 5}, footprints=False).footprints is None


def line_of(path, k, change):
    lines = path.read_text().split("\n")
    lines[k] = change(lines[k])
    path.write_text("\n".join(lines))


def drop_columns(path, n):
    write_table(path, read_table(path)[:, n:])


FAULTS = {
    "dat cut": (lambda f: f["dat"].write_bytes(f["dat"].read_bytes()[:-30]), r"\.dat, line \d+: truncated"),
    "frames cut": (lambda f: drop_columns(f["temporal_components"], 5), "1195 frames and .*Time.csv has 1200"),
    "time cut": (lambda f: drop_columns(f["time"], 5), "1200 frames and .*Time.csv has 1195"),
    "time shuffled": (lambda f: write_table(f["time"], read_table(f["time"])[:, ::-1]), "frames are shuffled"),
    "peaks cut": (lambda f: f["peaks_ts"].write_text(f["peaks_ts"].read_text().split("\n")[0] + "\n"), "has 1 neurons"),
    "peaks shuffled": (
        lambda f: line_of(f["peaks_ts"], 0, lambda x: ",".join(x.split(",")[::-1])),
        "line 1: event times",
    ),
    "peaks in ms": (lambda f: line_of(f["peaks_ts"], 0, lambda _: "1000,2000"), "another unit"),
    "amplitudes": (lambda f: line_of(f["peaks_amplitude"], 1, lambda _: "1,2"), "2 events in line 2 and .*Peaks_TS"),
    "footprints": (lambda f: drop_columns(f["spatial_components"], 320), r"3 neurons it must have 200 and 320 x 3"),
    "deconvolution": (lambda f: write_table(f["deconvolution"], -read_table(f["deconvolution"])), "0 or more"),
    "tables swapped": (lambda f: f["temporal_components"].rename(f["deconvolution"]), "files are missing|0 or more"),
    "another mouse": (
        lambda f: write_imetronic(f["dat"], BoxLog(make_header("I3", 1), read_imetronic(f["dat"]).events)),
        "mis-labelled: its header says subject 'I3', expected 'I2'",
    ),
    "another session": (
        lambda f: write_imetronic(f["dat"], BoxLog(make_header("I2", 7), read_imetronic(f["dat"]).events)),
        "mis-labelled: its header says session '7', expected '1'",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_damaged_sessions_are_refused_with_the_file_named(tmp_path, name):
    files = write_csv_session(imaged(), tmp_path)
    fault, words = FAULTS[name]
    fault(files)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as error:
        read_csv_session(files, **LABEL)
    assert str(tmp_path) in str(error.value)


def test_a_file_cut_between_rows_is_found_by_the_clock(tmp_path):
    events = simulate_behaviour(1).events
    assert check_length(events, 1_200_000.0) == 0
    with pytest.raises(ValueError, match=r"ms before the frame clock .* events are truncated"):
        check_length(events.iloc[:-100], 1_200_000.0)
    with pytest.raises(ValueError, match=r"ms after the frame clock .* frames are truncated"):
        check_length(events, 1_100_000.0)
    with pytest.raises(ValueError, match="holds no event"):
        check_length(events.iloc[:0], 1_200_000.0)


def test_all_missing_files_are_named_at_once(tmp_path):
    files = write_csv_session(imaged(), tmp_path)
    for kind in ("time", "peaks_ts"):
        files[kind].unlink()
    with pytest.raises(FileNotFoundError, match=r"missing \(2\): time: .*; peaks_ts: "):
        read_csv_session({k: files[k] for k in ("dat", "temporal_components", "time", "peaks_ts")}, **LABEL)
    with pytest.raises(KeyError, match="'time'"):
        read_csv_session({k: files[k] for k in ("dat", "temporal_components")}, **LABEL)
    with pytest.raises(ValueError, match="no trace 'dff'"):
        write_csv_session(simulate_behaviour(1), tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mouse": ""}, "mouse is empty"),
        ({"pathway": "D2"}, "pathway = 'D2' is unknown"),
        ({"session": 0}, "session = 0"),
        ({"schedule": "VR5"}, "schedule = 'VR5' is not a schedule"),
        ({"duration": 50_000.0}, "starts|ends after the session|recording lasts"),
        ({"pathway": "A2A"}, r"recording holds neurons of \['D1'\]"),
        ({"footprints": np.zeros((2, 200, 320))}, "footprints has shape"),
        ({"amplitudes": np.zeros(3)}, "amplitudes holds 3 values"),
        ({"recording": None}, "footprints is given without a recording"),
        ({"events": pd.DataFrame({"time": [1]})}, "events lacks the columns"),
    ],
)
def test_sessions_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(imaged(), **changes)


def test_a_session_tells_what_it_is():
    session = imaged(session=6)
    assert repr(session).startswith("BehaviourSession(I2, D1, session 6, FR5, 1 min") and "3 neurons" in repr(session)
    assert session.ratio == 5 and session.dt == 50
    assert set(session.merged["label"]) <= {"sequence", "zones", "food", "explo"}
    bare = BehaviourSession("m", "A2A", 1, "FR1", session.events, session.intervals, LENGTH)
    assert bare.dt is None and "no recording" in repr(bare)


# ---------------------------------------------------------------- registration


def test_registration_counts_from_1_in_files_and_from_0_here(tmp_path):
    index = np.array([[0, 3], [-1, 0], [2, -1]])
    path = write_registration(tmp_path / "r.csv", index)
    assert path.read_text() == "1,4\n0,1\n3,0\n"
    assert np.array_equal(read_registration(path, 2, [3, 4]), index)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n1,3\n", "column 1: neuron 1 is registered 2 times"),
        ("1,-1\n", "line 1, value 2: -1 must be a whole number"),
        ("1,1.5\n", "1.5 must be a whole number"),
        ("1,9\n", "9 must be a whole number from 0 to 4, the neurons of session 2"),
        ("1\n", "has 1 columns"),
    ],
)
def test_bad_registrations_are_refused(tmp_path, text, words):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_registration(tmp_path / "r.csv", 2, [3, 4])
    with pytest.raises(ValueError, match="-1 where absent"):
        write_registration(tmp_path / "s.csv", np.array([[-2, 1]]))


# ---------------------------------------------------------------- manifest


def test_names_sort_by_number_and_leave_out_what_does_not_count():
    names = ["I2_D10_FR1.dat", "I2_D9_FR1.dat", "I2_D1_BASELINE.dat", "I2_D11_nc.dat", "Sess2_x.dat", "I2_D12_Once.dat"]
    found = sorted((name for name in names if not is_excluded(name)), key=natural_key)
    assert found == ["I2_D9_FR1.dat", "I2_D10_FR1.dat", "I2_D12_Once.dat", "Sess2_x.dat"]
    assert [(number_in(name, "Sess"), number_in(name, "D")) for name in found] == [
        (None, 9), (None, 10), (None, 12), (2, None)
    ]  # fmt: skip
    assert not any(is_excluded(name, ()) for name in names)
    assert sorted(["b10", "b9", "B1", "a"], key=natural_key) == ["a", "B1", "b9", "b10"]


@pytest.mark.parametrize("suffix", [".toml", ".csv"])
def test_a_manifest_is_built_saved_moved_and_read(copy, suffix):
    manifest = build_manifest(copy)
    assert manifest.mice == ["I10", "I2"] and len(manifest) == 4
    path = manifest.save(copy / f"manifest{suffix}")
    assert str(copy) not in path.read_text()
    moved = copy.rename(copy.with_name("elsewhere"))
    again = load_manifest(moved / path.name)
    pd.testing.assert_frame_equal(again.table, manifest.table)
    assert again.table["schedule"].tolist() == ["FR1"] * 4 and set(again.table["pathway"]) == {"D1"}
    files = again.session_files("I2", 2)
    assert len(files) == 7 and files["peaks_ts"].name == "I2_Sess2_Peaks_TS.csv"
    assert_same(load_session(again, "I2", 2), imaged("I2", 2))
    registered = load_registration(again, "I10")
    assert registered.to_numpy().tolist() == [[0, 0], [1, -1], [-1, 2]] and registered.columns.tolist() == [1, 2]
    again.save(moved.parent / f"above{suffix}")
    assert load_manifest(moved.parent / f"above{suffix}").table["dat"][0].startswith("elsewhere/D1/I")


def test_files_that_are_missing_are_told_all_at_once(copy):
    path = build_manifest(copy).save(copy / "m.toml")
    gone = ["I2/I2_Sess1_Time.csv", "I2/I2_D02_Sess2_FR1.dat", "I10/I10_Longitudinal_Registration.csv"]
    for name in gone:
        (copy / "D1" / name).unlink()
    with pytest.raises(ValueError, match="has 3 faults") as error:
        load_manifest(path)
    assert all(name in str(error.value) for name in gone)
    manifest = load_manifest(path, check_files=False)
    assert len(manifest.missing()) == 3
    with pytest.raises(FileNotFoundError, match=r"missing time: .*I2_Sess1_Time\.csv"):
        manifest.session_files("I2", 1)
    with pytest.raises(ValueError, match="session = 3 of mouse 'I2' is not in the manifest"):
        manifest.session_files("I2", 3)
    with pytest.raises(ValueError, match="mouse = 'I3' is unknown"):
        manifest.session_files("I3", 1)


ROW = {"mouse": "I2", "pathway": "D1", "session": 1, "schedule": "FR1", "dat": "a.dat"}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**ROW, "pathway": "D2"}, {**ROW, "schedule": "5"}], "2 faults:\n- row 1 .*pathway = 'D2'.*\n- row 2"),
        ([{**ROW, "session": "one"}], "session = 'one' is not a whole number"),
        ([{**ROW, "mouse": ""}], "mouse is empty"),
        ([ROW, {**ROW, "dat": "b.dat"}], "I2, session 1 comes 2 times"),
        ([ROW, {**ROW, "session": 2}], "I2, session 2, dat: a.dat is also I2, session 1, dat"),
        ([ROW, {**ROW, "session": 2, "dat": "b.dat", "pathway": "A2A"}], "several values of pathway: 'A2A', 'D1'"),
        ([{**ROW, "time": "Sess1_Time.csv", "peaks_ts": "Sess2_Peaks_TS.csv"}], "different sessions by their names"),
        ([{**ROW, "dat": "D9.dat"}, {**ROW, "session": 2, "dat": "D3.dat"}], "shuffled: D3.dat comes after D9.dat"),
        ([{**ROW, "film": "a.avi"}], "column 'film' is unknown"),
        ([{"mouse": "I2"}], "column 'pathway' is missing"),
        ([], "column 'mouse' is missing"),
    ],
)
def test_mislabelled_manifests_are_refused(tmp_path, rows, words):
    with pytest.raises(ValueError, match=words):
        Manifest(tmp_path, pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("m.toml", "[[mouse]]\nname = 'I2'\n", "has no \\[\\[mouse.session\\]\\]"),
        ("m.toml", "[[mouse", "is no sound manifest"),
        ("m.toml", "mice = 3\n", "must hold \\[\\[mouse\\]\\] tables"),
        ("m.csv", "mouse,session\n", "column 'pathway' is missing"),
        ("m.csv", "", "is no sound manifest"),
    ],
)
def test_files_that_are_no_manifest(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        load_manifest(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        load_manifest(tmp_path / "none.toml")
    with pytest.raises(ValueError, match=r"suffix of path = '\.json'"):
        load_manifest(tmp_path / "m.json")


def box(path, schedule="", minutes=1):
    session = simulate_behaviour(1, duration=minutes * 60_000.0)
    write_imetronic(path, BoxLog(make_header(schedule=schedule), session.events))


def test_folders_by_names_and_days(tmp_path):
    place = tmp_path / "L0" / "box"
    for day in (2, 10, 11):
        box(place / f"L0_D{day}_FR{1 if day < 11 else 5}.dat")
    box(place / "L0_BASELINE_D1.dat")
    for k in (3, 7, 12):
        write_table(tmp_path / "L0" / "tables" / f"L0_Sess{k}_Temporal_Components.csv", np.ones((2, 1200)))
        write_table(tmp_path / "L0" / "tables" / f"L0_Sess{k}_Time.csv", np.arange(1, 1201)[None] * 0.05)
    with pytest.raises(ValueError, match="L0: its pathway is unknown"):
        build_manifest(tmp_path)
    manifest = build_manifest(tmp_path, pathways={"L0": "A2A"})
    assert manifest.table["schedule"].tolist() == ["FR1", "FR1", "FR5"]
    assert manifest.row("L0", 3)["dat"] == "L0/box/L0_D11_FR5.dat"
    assert manifest.row("L0", 2)["time"] == "L0/tables/L0_Sess7_Time.csv"
    assert load_session(manifest, "L0", 2).recording.traces["dff"].values.shape == (2, 1200)
    (place / "L0_D10_FR1.dat").unlink()
    with pytest.raises(ValueError, match=r"2 \.dat files .* are to go to 3 sessions"):
        build_manifest(tmp_path, pathways={"L0": "A2A"})


def test_folders_without_schedule_and_the_choice_of_eight(tmp_path):
    for day in range(1, 11):
        box(tmp_path / "D1" / "I3" / f"day_D{day}.dat")
    with pytest.raises(ValueError, match=r"schedules of sessions \[1, 2, 3, 4, 5, 6, 7, 8, 9, 10\] are unknown"):
        build_manifest(tmp_path)
    schedules = {("I3", k): "FR1" if k < 7 else "FR5" for k in range(1, 11)}
    eight = build_manifest(tmp_path, schedules=schedules, choose="eight")
    assert eight.table["dat"].str.extract(r"_D(\d+)")[0].astype(int).tolist() == [1, 2, 5, 6, 7, 8, 9, 10]
    assert eight.sessions("I3") == list(range(1, 9))
    session = load_session(eight, "I3", 1)
    assert session.recording is None and session.duration == 60_000
    with pytest.raises(ValueError, match="3 sessions of FR5"):
        eight_sessions(["FR1"] * 5 + ["FR5"] * 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds no \.dat"):
        build_manifest(tmp_path / "empty")


def test_the_published_table_of_a_mouse(copy):
    place = copy / "D1" / "I2"
    names = [
        "dat",
        *["Temporal_Components", "Time", "Peaks_TS", "Peaks_amplitude", "Spatial_Components", "Deconvolution"],
    ]
    by_names = build_manifest(copy)
    rows = [[rf"C:\Users\me\{by_names.row('I2', k)[n.lower()].split('/')[-1]}" for n in names] for k in (1, 2)]
    pd.DataFrame(rows, columns=names).to_csv(place / "I2.csv", index=False)
    pd.testing.assert_frame_equal(build_manifest(copy).table, by_names.table)
    pd.DataFrame(rows).to_csv(place / "I2.csv", index=False, header=False)
    pd.testing.assert_frame_equal(build_manifest(copy).table, by_names.table)
    (place / "I2_Sess2_Time.csv").unlink()
    with pytest.raises(ValueError, match=r"missing \(1\): time: .*I2_Sess2_Time\.csv"):
        build_manifest(copy)


# ---------------------------------------------------------------- CaImAn and NWB


def caiman_file(path, session):
    h5py = pytest.importorskip("h5py")
    from scipy.sparse import csc_matrix

    images = session.footprints
    flat = csc_matrix(images.transpose(0, 2, 1).reshape(CELLS, -1).T)
    with h5py.File(path, "w") as file:
        estimates = file.create_group("estimates")
        for name, values in (("data", flat.data), ("indices", flat.indices), ("indptr", flat.indptr)):
            estimates[f"A/{name}"] = values
        estimates["A/shape"] = flat.shape
        estimates["C"] = session.recording.traces["dff"].values
        estimates["S"] = session.recording.traces["events"].values
        estimates["dims"] = (200, 320)
        file["params/data/fr"] = 20.0


def test_a_session_from_caiman(tmp_path):
    session = imaged()
    caiman_file(tmp_path / "results.hdf5", session)
    write_imetronic(tmp_path / "a.dat", BoxLog(session.truth["header"], session.events))
    manifest = Manifest(tmp_path, pd.DataFrame([{**ROW, "caiman": "results.hdf5"}]))
    found = load_session(manifest, "I2", 1)
    pd.testing.assert_frame_equal(found.intervals, session.intervals)
    for name in ("dff", "events"):
        assert np.array_equal(found.recording.traces[name].values, session.recording.traces[name].values)
    assert np.array_equal(found.footprints, session.footprints)
    assert found.recording.neurons["cell"].tolist() == [0, 1, 2]
    assert load_session(manifest, "I2", 1, footprints=False).footprints is None


def test_a_session_through_nwb(tmp_path):
    pytest.importorskip("pynwb")
    from netlib.pathways.files import read_behaviour_nwb, write_behaviour_nwb

    session = imaged(session=3)
    path = write_behaviour_nwb(session, tmp_path / "a.nwb")
    assert [p.name for p in tmp_path.iterdir()] == ["a.nwb"]
    assert_same(read_behaviour_nwb(path), session)
    with pytest.raises(ValueError, match="mis-labelled: it says mouse = 'I2', expected 'I3'"):
        read_behaviour_nwb(path, mouse="I3")
    with pytest.raises(ValueError, match="no recording"):
        write_behaviour_nwb(simulate_behaviour(1), tmp_path / "b.nwb")
    manifest = Manifest(tmp_path, pd.DataFrame([{**ROW, "session": 3, "dat": "", "nwb": "a.nwb"}]))
    assert_same(load_session(manifest, "I2", 3), session)
    write_imetronic(tmp_path / "a.dat", BoxLog(session.truth["header"], session.events))
    both = Manifest(tmp_path, pd.DataFrame([{**ROW, "session": 3, "nwb": "a.nwb"}]))
    assert_same(load_session(both, "I2", 3), session)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a whole NWB file"):
        read_behaviour_nwb(path)


def test_a_session_from_somebody_elses_nwb(tmp_path):
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("pynwb")
    from netlib.pathways.files import read_behaviour_nwb, write_behaviour_nwb

    session = imaged()
    path = write_behaviour_nwb(session, tmp_path / "a.nwb")
    with h5py.File(path, "a") as file:  # forget all that only our files hold
        del file["general/notes"], file["scratch"]
    with pytest.raises(ValueError, match="does not tell"):
        read_behaviour_nwb(path)
    found = read_behaviour_nwb(path, **LABEL)
    pd.testing.assert_frame_equal(found.intervals, session.intervals)
    assert np.array_equal(found.recording.traces["dff"].values, session.recording.traces["dff"].values)
    assert set(found.recording.neurons["population"]) == {"D1"} and len(found.events) == 0
