"""Sessions in NWB files: round trips, lazy reading, files by other hands, faults."""

import datetime
import shutil
import time

import h5py
import numpy as np
import pandas as pd
import pytest
from _session_maker import (
    METADATA,
    default_rows,
    flow,
    gray,
    make_arrays,
    make_session,
    sequences,
    trials_table,
)

from netlib.openscope.mice import MouseTable
from netlib.openscope.nwb_writing import write_session
from netlib.openscope.schedule import COLUMNS, RAGGED
from netlib.openscope.session import Session

SPIKES = [np.array([1.0, 2.5]), np.empty(0), np.array([7.25])]
BARE = dict.fromkeys(["running", "pupil", "tracking_ids", "masks", "max_projection", "metadata"])
TRUTH = pd.DataFrame({"roi": [0, 1, 2], "surprise": [0.0, 0.5, -0.5], "kind": ["a", "b", "c"]})


@pytest.fixture(scope="module")
def session():
    return make_session(spikes=SPIKES, truth=TRUTH)


@pytest.fixture(scope="module")
def written(session, tmp_path_factory):
    return write_session(session, tmp_path_factory.mktemp("nwb") / "sub-408021_ses-758519303_behavior+ophys.nwb")


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copy(written, tmp_path / written.name)


def analysed(s):
    """Everything that analyses start from."""
    u, onsets = s.gabors.select(frame=["D", "U"]), s.visflow.select(unexpected=True, first_of_run=True)
    return {
        "gabors": s.dff(u, 0.9, 0.6, scale=True).to_numpy(),
        "flow": s.dff(onsets, 2, 2).to_numpy(),
        "scale": np.array(s.scale_factors()),
        "running": s.running_around(u, 0.9, 0.6).to_numpy(),
        "pupil": s.pupil_around(u, 0.9, 0.6, name="y", scale=True).to_numpy(),
        "masks": s.masks(),
        "weights": s.masks(raw=True),
        "projection": s.max_projection,
        "ids": s.roi_ids,
        "tracking": s.tracking_ids,
        "twop": s.twop_times,
        "stim": s.stim_times,
    }


def assert_same(a, b):
    for (name, one), other in zip(analysed(a).items(), analysed(b).values(), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-9, err_msg=name)
    pd.testing.assert_frame_equal(a.trials, b.trials, check_dtype=False)
    pd.testing.assert_frame_equal(a.gabors.runs(), b.gabors.runs())
    for name in RAGGED:
        for one, other in zip(a.ragged(name), b.ragged(name), strict=True):
            assert one.size == other.size and np.array_equal(one.ravel(), other.ravel())
            assert one.shape == other.shape or not one.size
    assert (a.fps, a.stim_fps) == (b.fps, b.stim_fps)


# ---------------------------------------------------------------- round trips


def test_write_read_analyse_equals_analyse(session, written):
    with Session.open(written) as again:
        assert_same(session, again)
        assert again.metadata.known().items() >= METADATA.items() and again.metadata.group == "L2/3-S"
        assert [x.tolist() for x in again.spikes()] == [x.tolist() for x in SPIKES]
        pd.testing.assert_frame_equal(again.truth(), TRUTH, check_dtype=False)
        assert list(again.trials.columns) == list(COLUMNS)


@pytest.mark.parametrize(
    "clock, jitter", [("rate", False), ("auto", False), ("timestamps", False), ("timestamps", True)]
)
def test_both_clocks_and_a_second_round(tmp_path, clock, jitter):
    one = make_session(jitter=jitter)
    path = write_session(one, tmp_path / "a.nwb", clock=clock)
    with h5py.File(path) as file:
        for series in ("ophys/DfOverF/RoiResponseSeries", "behavior/PupilTracking/pupil_diameter"):
            assert ("timestamps" in file[f"processing/{series}"]) == (clock == "timestamps")
    with Session.open(path) as two:
        assert_same(one, two)
        with Session.open(write_session(two, tmp_path / "b.nwb", clock=clock)) as three:
            assert_same(two, three)
            assert three.metadata == two.metadata
        with pytest.raises(ValueError, match=r"is the file that .* reads"):
            write_session(two, path)


def test_tracked_rois_of_a_file(session, written):
    with Session.open(written, tracked_only=True) as tracked:
        order = session.tracked_order()
        assert np.array_equal(tracked.roi_ids, session.roi_ids[order])
        assert np.array_equal(tracked.dff([300], 0.2, 0.2), session.dff([300], 0.2, 0.2, rois=order))


def test_a_session_of_little_more_than_traces(tmp_path):
    from pynwb import NWBHDF5IO

    bare = make_session(ragged=False, **BARE)
    with Session.open(write_session(bare, tmp_path / "bare.nwb")) as again:
        assert np.array_equal(again.traces(), bare.traces())
        for call in (again.running, again.pupil, again.masks, again.tracked_order, lambda: again.max_projection):
            with pytest.raises(KeyError, match=r"running|pupil|image_mask|tracking_id|max_projection"):
                call()
        assert again.spikes() is None and again.truth() is None
        with pytest.raises(KeyError, match="gabor_sizes"):
            again.ragged("gabor_sizes")
    with NWBHDF5IO(str(tmp_path / "bare.nwb"), "r") as io:
        assert len(io.read().processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]) == 12


def test_pynwb_reads_what_was_written(session, written):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(written), "r") as io:
        file = io.read()
        series = file.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
        plane = file.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
        assert file.session_id == "758519303" and file.subject.subject_id == "408021"
        assert series.data.dtype == np.float32 and series.data.shape == (len(session.twop_times), 12)
        assert np.array_equal(plane.id[:], session.roi_ids) and series.rois.table is plane
        assert file.processing["behavior"]["BehavioralTimeSeries"]["running_velocity"].unit == "cm/s"
        assert file.processing["ophys"]["PlaneImages"]["max_projection"].data.dtype == np.uint8
        row = file.trials[202]
        assert row["square_locations_x"].iloc[0][4][:] == pytest.approx(session.ragged("square_locations_x")[202][4])
        assert len(file.trials[1]["gabor_sizes"].iloc[0]) == 30
        assert len(file.units) == 3


@pytest.mark.parametrize("kind", ["jitter", "regular", "bare"])
def test_files_are_inspected_clean(tmp_path, kind):
    from nwbinspector import Importance, inspect_nwbfile

    rows = [*gray(), *sequences(8, {4}, [0.0, 45.0]), *gray(), *flow(4, {2}, "left (nasal)")]
    some = BARE if kind == "bare" else {"spikes": SPIKES, "truth": TRUTH}
    s = make_session(n_rois=5, jitter=kind == "jitter", rows=rows[: 42 if kind == "bare" else None], **some)
    path = write_session(s, tmp_path / "sub-408021_ses-758519303_behavior+ophys.nwb")
    found = list(inspect_nwbfile(nwbfile_path=path))
    assert [m.message for m in found if m.importance is not Importance.BEST_PRACTICE_SUGGESTION] == []


def test_an_irregular_clock_has_no_rate(tmp_path):
    with pytest.raises(ValueError, match=r"clock = 'rate'.*twop clock.*write timestamps"):
        write_session(make_session(), tmp_path / "a.nwb", clock="rate")
    with pytest.raises(ValueError, match=r"must end in '.nwb'"):
        write_session(make_session(), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(session, written, copy, monkeypatch):
    from pynwb import NWBHDF5IO

    def fail(self, *_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(NWBHDF5IO, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        write_session(session, copy)
    assert copy.read_bytes() == written.read_bytes() and list(copy.parent.iterdir()) == [copy]


# ---------------------------------------------------------------- laziness


class Reads:
    """What h5py reads: elements by name of the dataset."""

    def __init__(self, monkeypatch):
        self.elements = {}
        original = h5py.Dataset.__getitem__

        def counted(dataset, *args, **kwargs):
            found = original(dataset, *args, **kwargs)
            self.elements[dataset.name] = self.elements.get(dataset.name, 0) + np.size(found)
            return found

        monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)

    def of(self, word):
        return sum(n for name, n in self.elements.items() if word in name)


def test_opening_touches_no_traces_and_events_read_little(tmp_path, monkeypatch):
    rows = [*gray(), *sequences(120, {60, 61}, [0.0, 45.0]), *gray()]
    s = make_session(n_rois=70, rows=rows)
    path = write_session(s, tmp_path / "a.nwb")
    reads = Reads(monkeypatch)
    with Session.open(path) as again:
        assert reads.of("trials") > 0
        touched = {name for name in reads.elements if name.endswith("/data")}
        assert touched == set() and not reads.of("image_mask") and not reads.of("locations")
        again.dff(again.gabors.select(frame="U", first_of_run=True), 0.9, 0.6)
        assert reads.of("RoiResponseSeries/data") == 45 * 70
        again.dff([300, 4000], 0.9, 0.6, rois=[69, 3])
        assert reads.of("RoiResponseSeries/data") == 45 * 70 + 2 * 45 * 2
        whole = s._parts.dff.size
        assert reads.of("RoiResponseSeries/data") < 0.02 * whole
        again.scale_factors()
        assert reads.of("RoiResponseSeries/data") < 1.03 * whole
        again.scale_factors()
        assert reads.of("RoiResponseSeries/data") < 1.03 * whole  # cached


@pytest.mark.slow
def test_a_whole_session_opens_in_a_second(tmp_path):
    flips = set(range(60, 1020, 70))
    odd = set(range(30, 1360, 40)) | set(range(31, 1360, 40))
    rows = [*gray(30), *sequences(1360, odd, [0.0, 45.0, 90.0, 135.0]), *gray(30)]
    rows += [*flow(1020, flips, "right (temp)"), *gray(30), *flow(1020, flips, "left (nasal)"), *gray(30)]
    table = trials_table(rows, ragged=False)
    patches = [np.zeros(30 if kind == "gabors" else 0) for kind in table["stimulus_type"]]
    for name in RAGGED:
        table[name] = pd.Series(patches, dtype=object)
    path = write_session(make_session(n_rois=300, rows=rows, trials=table), tmp_path / "a.nwb")
    Session.open(path).close()  # imports
    start = time.process_time()
    with Session.open(path) as s:
        opened = time.process_time() - start
        assert len(s.trials) == 8844 and s.n_rois == 300
        s.dff(s.gabors.select(frame="U", first_of_run=True)[:5], 0.9, 0.6)
        assert time.process_time() - start < 3
    assert opened < 1


# ---------------------------------------------------------------- files by other hands


def foreign(path, arrays, *, clock="timestamps", positions=True, tracking=True, masks=True, unit="cm/s", scale=1.0):
    """A file made row by row with pynwb, as others make them."""
    from pynwb import NWBHDF5IO, NWBFile, TimeSeries
    from pynwb.behavior import BehavioralTimeSeries, PupilTracking
    from pynwb.file import Subject
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, RoiResponseSeries

    def times(values):
        if clock == "timestamps":
            return {"timestamps": values}
        return {"starting_time": values[0], "rate": (len(values) - 1) / (values[-1] - values[0])}

    start = datetime.datetime(2018, 9, 26, 17, 29, tzinfo=datetime.UTC)
    file = NWBFile(session_description="x", identifier="x", session_start_time=start, session_id="758519303")
    file.subject = Subject(subject_id="408021", species="Mus musculus", sex="M", age="P95D", genotype="Cux2-CreERT2")
    device = file.create_device(name="scope")
    channel = OpticalChannel(name="c", description="c", emission_lambda=500.0)
    facts = {"excitation_lambda": 900.0, "indicator": "GCaMP6f", "location": "VISp", "description": "d"}
    plane = file.create_imaging_plane(name="p", optical_channel=channel, device=device, **facts)
    ophys = file.create_processing_module("ophys", "d")
    segmentation = ImageSegmentation()
    ophys.add(segmentation)
    rois = segmentation.create_plane_segmentation(name="PlaneSegmentation", description="d", imaging_plane=plane)
    if tracking:
        rois.add_column("tracking_id", "d")
    for k, roi in enumerate(arrays["roi_ids"]):
        mask = {"image_mask": arrays["masks"][k]} if masks else {"pixel_mask": [(1, 1, 1.0)]}
        rois.add_roi(id=int(roi), **mask, **({"tracking_id": arrays["tracking_ids"][k]} if tracking else {}))
    region = rois.create_roi_table_region(description="all", region=list(range(len(arrays["roi_ids"]))))
    data = {"data": arrays["dff"], "rois": region, "unit": "n.a."}
    ophys.add(
        DfOverF(roi_response_series=RoiResponseSeries(name="RoiResponseSeries", **data, **times(arrays["twop_times"])))
    )
    behavior = file.create_processing_module("behavior", "d")
    running = {"data": arrays["running"] / scale, "unit": unit}
    series = TimeSeries(name="running_velocity", **running, **times(arrays["stim_times"]))
    behavior.add(BehavioralTimeSeries(time_series=series))
    names = {"diameter": "pupil_diameter", "x": "pupil_position_x", "y": "pupil_position_y"}
    pupil = PupilTracking()
    for short in names if positions else ["diameter"]:
        facts = {"unit": "mm", "data": arrays["pupil"][short]}
        pupil.add_timeseries(TimeSeries(name=names[short], **facts, **times(arrays["twop_times"])))
    behavior.add(pupil)
    table = arrays["trials"].rename(columns={"start_time_sec": "start_time", "stop_time_sec": "stop_time"})
    table["unexpected"] = table["unexpected"].astype(float)
    ragged = [name for name in RAGGED if name in table]
    for name in table.columns:
        if name not in ("start_time", "stop_time"):
            file.add_trial_column(name, "d", index=2 if name.startswith("square_loc") else name in ragged)
    for row in table.to_dict("records"):
        row = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in row.items()}
        file.add_trial(**row, check_ragged=False)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("clock", ["timestamps", "rate"])
def test_files_made_row_by_row_are_read(tmp_path, clock):
    rows = [*gray(), *sequences(9, {3}, [0.0, 45.0]), *gray(), *flow(6, {3}, "left (nasal)"), *gray()]
    arrays = make_arrays(rows=rows, jitter=clock == "timestamps")
    with Session.open(foreign(tmp_path / "a.nwb", arrays, clock=clock)) as s:
        one = Session.from_arrays(**arrays)
        u = one.gabors.select(frame=["D", "U"])
        assert np.allclose(s.dff(u, 0.9, 0.6, scale=True), one.dff(u, 0.9, 0.6, scale=True), rtol=0, atol=1e-9)
        assert np.allclose(s.twop_times, one.twop_times, rtol=0, atol=1e-9)
        assert np.array_equal(s.pupil("x"), one.pupil("x")) and np.array_equal(s.masks(), one.masks())
        pd.testing.assert_frame_equal(s.trials, one.trials, check_dtype=False)
        assert np.array_equal(s.ragged("gabor_sizes")[4], one.ragged("gabor_sizes")[4])
        assert np.array_equal(s.ragged("square_locations_y")[50], one.ragged("square_locations_y")[50])
        facts = s.metadata
        assert (facts.sessid, facts.mouseid, facts.sex, facts.line, facts.date) == (
            758519303,
            408021,
            "M",
            "L23-Cux2",
            "20180926",
        )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_older_files_and_other_units(tmp_path):
    rows = [*gray(), *sequences(5, {3}, [0.0]), *gray()]
    arrays = make_arrays(rows=rows, ragged=False)
    path = tmp_path / "a.nwb"
    foreign(path, arrays, positions=False, tracking=False, masks=False, unit="m/s", scale=100.0)
    with Session.open(path) as s:
        assert np.allclose(s.running(), Session.from_arrays(**arrays).running(), rtol=1e-12)
        assert len(s.pupil()) == len(s.twop_times)
        for call in (lambda: s.pupil("x"), s.masks, s.tracked_order):
            with pytest.raises(KeyError):
                call()
    with pytest.raises(KeyError, match="not tracked"):
        Session.open(path, tracked_only=True)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_truncated_files_are_named(copy, part):
    whole = copy.read_bytes()
    copy.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"ses-758519303.*is truncated"):
        Session.open(copy)


def test_what_is_no_nwb_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.nwb"):
        Session.open(tmp_path / "none.nwb")
    for content in (b"", b"PK\x03\x04 something else entirely" * 50):
        (tmp_path / "a.nwb").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.nwb is not an NWB file"):
            Session.open(tmp_path / "a.nwb")
    with h5py.File(tmp_path / "b.nwb", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match=r"b\.nwb is an HDF5 file but not an NWB file"):
        Session.open(tmp_path / "b.nwb")


@pytest.mark.parametrize(
    "name",
    [
        "processing/ophys/DfOverF",
        "processing/ophys/DfOverF/RoiResponseSeries",
        "processing/ophys/DfOverF/RoiResponseSeries/data",
        "processing/ophys/DfOverF/RoiResponseSeries/timestamps",
        "processing/behavior/BehavioralTimeSeries/running_velocity",
        "intervals/trials",
        "intervals/trials/unexpected",
        "intervals/trials/start_time",
        "intervals/trials/gabor_frame",
        "intervals/trials/main_flow_direction",
    ],
)
def test_missing_tables_and_columns_are_named(copy, name):
    with h5py.File(copy, "r+") as file:
        del file[name]
    with pytest.raises(KeyError, match=name.split("/")[-1]) as error:
        Session.open(copy)
    assert copy.name in str(error.value)


@pytest.mark.parametrize(
    "name, index, value, message",
    [
        ("intervals/trials/stimulus_type", 5, "dots", "holds 'dots'"),
        ("intervals/trials/stop_frame_twop", 5, 10**6, "row 5 spans twop frames"),
        ("intervals/trials/start_time", 5, 0.0, "does not increase at row 5"),
        ("processing/ophys/DfOverF/RoiResponseSeries/timestamps", 9, np.nan, r"twop_times\[9\] = nan"),
        ("processing/behavior/BehavioralTimeSeries/running_velocity/timestamps", 9, 0.0, "stim_times"),
        ("processing/ophys/ImageSegmentation/PlaneSegmentation/tracking_id", slice(0, 3), 1.0, "both have 1"),
    ],
)
def test_wrong_values_are_named(copy, name, index, value, message):
    with h5py.File(copy, "r+") as file:
        file[name][index] = value
    with pytest.raises(ValueError, match=message):
        Session.open(copy, tracked_only=True).close()


def mouse_table(**changes):
    row = {"sessid": 758519303, "mouse_n": 1, "mouseid": 408021, "sess_n": 1, "line": "L23-Cux2", "plane": "soma"}
    row |= {"runtype": "prod", "nrois": 96, "pass_fail": "P", "incl": "yes", "stim_seed": 30587, "notes": None}
    return pd.DataFrame([{**row, **changes}])


def test_ids_must_agree_with_name_and_mouse_table(copy):
    with Session.open(copy, mouse_table=mouse_table()) as s:
        assert s.metadata.stim_seed == 30587 and s.metadata.pass_fail == "P"
    with pytest.raises(FileNotFoundError, match=r"mice\.csv"):
        Session.open(copy, mouse_table=copy.parent / "mice.csv")
    with pytest.raises(KeyError, match="session 758519303 is not in"):
        Session.open(copy, mouse_table=mouse_table(sessid=5))
    with pytest.raises(ValueError, match="mouseid 408021 in the file, 9 in the mouse table"):
        Session.open(copy, mouse_table=mouse_table(mouseid=9))
    with pytest.raises(ValueError, match="sess_n 1 in the file, 2 in the mouse table"):
        Session.open(copy, mouse_table=mouse_table(sess_n=2))
    for name in ("sub-408021_ses-111111111_ophys.nwb", "sub-99_ses-758519303_ophys.nwb"):
        with pytest.raises(ValueError, match="but its name says"):
            Session.open(copy.rename(copy.with_name(name)))
        copy = copy.with_name(name)


def test_a_session_is_found_and_opened_by_its_numbers(written):
    table = MouseTable(mouse_table())
    with Session.find(written.parent, table, mouse_n=1, sess_n=1, tracked_only=True) as s:
        assert s.path == written and s.tracked_only
    with pytest.raises(ValueError, match="no session"):
        Session.find(written.parent, table, mouse_n=1, sess_n=2)


def test_a_damaged_chunk_is_named(copy):
    with h5py.File(copy) as file:
        data = file["processing/ophys/DfOverF/RoiResponseSeries/data"]
        chunk = data.id.get_chunk_info(0)
    with copy.open("r+b") as raw:
        raw.seek(chunk.byte_offset + 100)
        raw.write(b"\x00" * 2000)
    with Session.open(copy) as s, pytest.raises(ValueError, match=r"RoiResponseSeries/data is damaged"):
        s.dff([300], 0.2, 0.2)


def test_a_closed_session_says_so(written):
    s = Session.open(written)
    s.close()
    s.close()
    for read in (
        lambda: s.dff([300], 0.2, 0.2),
        s.traces,
        s.running,
        s.masks,
        s.spikes,
        lambda: s.ragged("gabor_sizes"),
    ):
        with pytest.raises(ValueError, match=r"is closed: open .*nwb again"):
            read()
    assert len(s.gabors.select(frame="U")) == 5  # what was read stays


def test_a_file_that_is_refused_is_not_left_open(copy):
    with h5py.File(copy, "r+") as file:
        del file["intervals/trials/unexpected"]
    with pytest.raises(KeyError):
        Session.open(copy)
    with h5py.File(copy, "r+") as file:  # fails while any handle is open
        assert "intervals/trials" in file


def test_nan_in_a_file_is_flagged(tmp_path):
    arrays = make_arrays(rows=default_rows())
    arrays["dff"][300, 4] = np.nan
    with Session.open(write_session(Session.from_arrays(**arrays), tmp_path / "a.nwb")) as s:
        assert np.flatnonzero(s.dff([300], 0.1, 0.1)["has_nan"]).tolist() == [4]
        assert np.flatnonzero(s.nan_rois()).tolist() == [4]
