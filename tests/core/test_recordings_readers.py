"""Two-photon NWB files of anybody, and the results of CaImAn and Suite2p."""

import datetime
import os
import pathlib
import pickle

import numpy as np
import pandas as pd
import pytest

from netlib.base.seeds import stream
from netlib.recordings.ophys import frame_clock, interval_protocol, list_series, read_ophys, roi_recording, trace_names
from netlib.recordings.readers import load_objects, read_caiman, read_suite2p

h5py = pytest.importorskip("h5py")
pynwb = pytest.importorskip("pynwb")

FRAMES, ROIS = 90, 4
DFF = stream(2, "dff").normal(0, 1, (FRAMES, ROIS)).astype(np.float32)
RATE = 30.0
START = 14.25


def write_nwb(
    path, series=None, *, clock=None, mask="image_mask", trials=True, presentations=(), region=None, data=DFF
):
    """A file as many laboratories write it: series is {container: [names]}."""
    from pynwb import ophys

    file = pynwb.NWBFile("session", "id-1", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), session_id="758519303")
    channel = ophys.OpticalChannel(name="green", description="green", emission_lambda=520.0)
    plane = file.create_imaging_plane(
        name="plane",
        optical_channel=channel,
        description="V1",
        device=file.create_device("microscope"),
        excitation_lambda=910.0,
        indicator="GCaMP6f",
        location="VISp",
    )
    module = file.create_processing_module("ophys", "two-photon data")
    segmentation = ophys.ImageSegmentation()
    module.add(segmentation)
    rois = segmentation.create_plane_segmentation("ROIs", plane, name="PlaneSegmentation")
    for k in range(ROIS):
        if mask == "image_mask":
            image = np.zeros((8, 10))
            image[k, 2:5] = 1.0, 2.0, 1.0  # centroid (x, y) = (3, k)
            rois.add_roi(id=700 + k, image_mask=image)
        else:
            rois.add_roi(id=700 + k, pixel_mask=[(2, k, 1.0), (3, k, 2.0), (4, k, 1.0)])
    rois.add_column("tracking_id", "of the cell", data=[np.nan, 1.0, 2.0, np.nan])
    clock = {"rate": RATE, "starting_time": START} if clock is None else clock
    for container, names in (series or {"DfOverF": ["RoiResponseSeries"]}).items():
        kind = ophys.DfOverF if container == "DfOverF" else ophys.Fluorescence
        module.add(kind(name=container))
        for name in names:
            rows = list(range(ROIS)) if region is None else region
            table = rois.create_roi_table_region(region=rows, description="all")
            module[container].create_roi_response_series(name=name, data=data, rois=table, unit="n.a.", **clock)
    if trials:
        file.add_trial_column("stimulus_type", "what")
        file.add_trial_column("orientation", "deg")
        file.add_trial_column("contrast", "percent")
        file.add_trial_column("gabor_sizes", "px", index=True)
        for k, (start, stop) in enumerate([(10.0, 11.0), (14.75, 15.05), (15.06, 15.36), (15.36, 18.0)]):
            file.add_trial(
                start_time=start,
                stop_time=stop,
                stimulus_type="gabors",
                orientation=[0.0, 225.0, 45.0, 0.0][k],
                contrast=80.0,
                gabor_sizes=[1.0] * k,
            )
    for name in presentations:
        table = pynwb.epoch.TimeIntervals(name=name, description="shown")
        table.add_row(start_time=15.0, stop_time=16.0)
        file.add_time_intervals(table)
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def test_a_file_with_a_rate(tmp_path):
    r = read_ophys(write_nwb(tmp_path / "a.nwb"))
    np.testing.assert_array_equal(r.traces["dff"].values, DFF.T)
    assert r.traces["dff"].dt == pytest.approx(1000 / 30) and r.traces["dff"].unit == "dF/F"
    assert r.duration == pytest.approx(3000) and len(r.spike_time) == 0
    assert r.neurons["population"].tolist() == ["roi"] * ROIS and r.neurons["orientation"].isna().all()
    assert r.neurons["id"].tolist() == [700, 701, 702, 703]
    np.testing.assert_allclose(r.neurons[["x", "y"]], [[3, k] for k in range(ROIS)])
    np.testing.assert_array_equal(r.neurons["tracking_id"], [np.nan, 1, 2, np.nan])
    assert r.provenance["start_time"] == START and r.provenance["session_id"] == "758519303"


def test_trials_become_the_protocol_on_the_clock_of_the_frames(tmp_path):
    r = read_ophys(write_nwb(tmp_path / "a.nwb"))
    table = r.protocol.table  # the first trial ends before the first frame, the last after the last
    assert r.provenance["dropped_intervals"] == 2 and r.provenance["intervals"] == "trials"
    np.testing.assert_allclose(table[["onset", "duration"]], [[500, 300], [810, 300]])
    assert table["stimulus"].tolist() == ["gabors"] * 2
    assert table["orientation"].tolist() == [45.0, 45.0]  # 225 and 45 deg are one orientation
    assert table["contrast"].tolist() == [1.0, 1.0] and table["contrast_file"].tolist() == [80.0, 80.0]
    assert "gabor_sizes" not in table and r.protocol.duration == pytest.approx(r.duration)


def test_timestamps_that_are_nearly_regular_are_taken_as_they_are(tmp_path):
    jitter = stream(2, "jitter").uniform(-0.001, 0.001, FRAMES)
    times = START + np.arange(FRAMES) / 30.08 + jitter
    r = read_ophys(write_nwb(tmp_path / "a.nwb", clock={"timestamps": times}))
    assert r.traces["dff"].dt == pytest.approx(1000 / 30.08, rel=1e-3)
    assert r.provenance["start_time"] == times[0]
    np.testing.assert_array_equal(r.traces["dff"].values, DFF.T)


def test_irregular_timestamps_are_refused_or_interpolated(tmp_path):
    times = START + np.arange(FRAMES) / RATE
    times[40:] += 0.5  # the microscope stopped for a while
    data = np.tile((2.0 * times)[:, None], ROIS)
    path = write_nwb(tmp_path / "a.nwb", clock={"timestamps": times}, data=data)
    with pytest.raises(ValueError, match=r"are irregular .*the longest 0.533333 s\): pass resample=True"):
        read_ophys(path)
    trace = read_ophys(path, resample=True).traces["dff"]
    assert trace.dt == pytest.approx(1000 / 30) and trace.values.shape == (ROIS, FRAMES + 15)
    np.testing.assert_allclose(trace.values[1], 2 * (START + trace.times / 1000))


@pytest.mark.parametrize(
    "times, problem",
    [
        (np.arange(FRAMES - 1) / RATE, "89 timestamps for 90 frames"),
        (np.r_[0.0, np.arange(FRAMES - 1)] / RATE, "does not come after"),
        (np.r_[np.nan, np.arange(FRAMES - 1)] / RATE, "= nan s is out of range"),
    ],
)
def test_impossible_clocks(times, problem):
    with pytest.raises(ValueError, match=problem):
        frame_clock("dff", FRAMES, None, None, times)


def test_a_clock_needs_a_rate_or_timestamps():
    with pytest.raises(ValueError, match="neither a rate nor timestamps"):
        frame_clock("dff", 3, None, None, None)
    assert frame_clock("dff", 3, 30.0, None, None) == (0.0, 30.0, None)


def test_series_are_chosen_by_name_container_or_place(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", {"Fluorescence": ["plane0"], "Neuropil": ["plane0"], "Deconvolved": ["d"]})
    places = ["ophys/Deconvolved/d", "ophys/Fluorescence/plane0", "ophys/Neuropil/plane0"]
    assert list_series(path) == places
    assert list(read_ophys(path, "d").traces) == ["events"]
    assert list(read_ophys(path, "Neuropil").traces) == ["neuropil"]
    assert list(read_ophys(path, "ophys/Fluorescence/plane0").traces) == ["fluorescence"]
    r = read_ophys(path, places)
    assert list(r.traces) == ["events", "fluorescence", "neuropil"] and r.provenance["series"] == places
    assert r.traces["events"].unit == "n.a."
    with pytest.raises(ValueError, match="several series: pass series"):
        read_ophys(path)
    with pytest.raises(ValueError, match="'plane0' matches several"):
        read_ophys(path, "plane0")
    with pytest.raises(ValueError, match="'dff' is unknown: it must be one of"):
        read_ophys(path, "dff")
    assert trace_names(["a/x", "a/y"], ["DfOverF"] * 2) == ["a/x", "a/y"]


def test_masks_of_pixels_and_some_of_the_rois(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", mask="pixel_mask", region=[3, 1], data=DFF[:, [3, 1]])
    r = read_ophys(path)
    assert r.neurons["id"].tolist() == [703, 701]
    np.testing.assert_allclose(r.neurons[["x", "y"]], [[3, 3], [3, 1]])
    assert "x" not in read_ophys(path, centroids=False).neurons


@pytest.mark.filterwarnings("ignore")
def test_rois_first_is_understood_and_other_shapes_are_refused(tmp_path):
    r = read_ophys(write_nwb(tmp_path / "a.nwb", data=DFF.T))
    np.testing.assert_array_equal(r.traces["dff"].values, DFF.T)
    with pytest.raises(ValueError, match=r"has the shape \(90, 3\): it must be \(frames, 4 ROIs\)"):
        read_ophys(write_nwb(tmp_path / "b.nwb", data=DFF[:, :3]))


def test_without_trials_there_is_one_presentation_or_the_only_table(tmp_path):
    r = read_ophys(write_nwb(tmp_path / "a.nwb", trials=False))
    assert r.protocol.table[["onset", "duration", "stimulus"]].to_numpy().tolist() == [[0.0, r.duration, "unknown"]]
    r = read_ophys(write_nwb(tmp_path / "b.nwb", trials=False, presentations=["gabor_presentations"]))
    np.testing.assert_allclose(r.protocol.windows(), [[750, 1750]])
    both = write_nwb(tmp_path / "c.nwb", trials=False, presentations=["gabors", "gratings"])
    with pytest.raises(ValueError, match=r"several tables of intervals.*\['gabors', 'gratings'\]"):
        read_ophys(both)
    assert read_ophys(both, intervals="gratings").provenance["intervals"] == "gratings"
    with pytest.raises(ValueError, match="intervals = 'x' is unknown"):
        read_ophys(both, intervals="x")


def test_nan_and_damaged_files(tmp_path):
    data = DFF.copy()
    data[7, 2] = np.nan
    path = write_nwb(tmp_path / "a.nwb", data=data)
    with pytest.raises(ValueError, match="1 values that are not finite, in 1 ROIs; the first is in ROI 2 at frame 7"):
        read_ophys(path)
    assert np.isnan(read_ophys(path, allow_nan=True).traces["dff"].values[2, 7])
    whole = path.read_bytes()
    for size in (100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="not a whole NWB file"):
            read_ophys(path)
    with pytest.raises(FileNotFoundError, match="is not a file"):
        read_ophys(tmp_path / "none.nwb")
    empty = pynwb.NWBFile("empty", "1", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    with pynwb.NWBHDF5IO(tmp_path / "b.nwb", "w") as io:
        io.write(empty)
    with pytest.raises(ValueError, match="holds no RoiResponseSeries"):
        read_ophys(tmp_path / "b.nwb")


def test_our_own_files_are_read_as_those_of_others(tmp_path):
    from netlib.recordings.nwb import write_recording

    ours = roi_recording({"dff": (DFF.T, "dF/F"), "events": (abs(DFF.T), "a.u.")}, RATE, {"x": range(4), "y": range(4)})
    path = write_recording(ours, tmp_path / "a.nwb")
    r = read_ophys(path, ["RoiResponseSeries", "events"])
    np.testing.assert_array_equal(r.traces["dff"].values, DFF.T)
    np.testing.assert_array_equal(r.traces["events"].values, abs(DFF.T))
    np.testing.assert_allclose(r.neurons[["x", "y"]], [[k, k] for k in range(4)])


def test_intervals_in_any_order_with_gaps_and_small_overlaps():
    table = pd.DataFrame(
        {
            "start_time": [3.0, 1.0, 2.0, np.nan, 5.0],
            "stop_time": [4.0, 2.02, 3.0, 1.0, 5.0],
            "orientation": [np.pi / 4, 30.0, np.nan, 0.0, 0.0],
            "trial": ["a", 1, 2, 3, 4],
            "duration": [9.0] * 5,
        }
    )
    protocol, dropped = interval_protocol(table, 1.0, 6000.0, slack=30.0)
    np.testing.assert_allclose(protocol.windows(), [[0, 1000], [1000, 2000], [2000, 3000]])
    assert dropped == 2 and protocol.table["duration_file"].tolist() == [9.0] * 3
    assert protocol.table["orientation"].tolist()[0] == 30.0 and protocol.table["orientation"][1:].isna().all()
    assert protocol.table["orientation_file"][2] == np.pi / 4  # would be taken for radians: kept, not used
    assert protocol.table["trial"].tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="presentations 0 and 1 overlap"):
        interval_protocol(table, 1.0, 6000.0)
    assert interval_protocol(table, 50.0, 1000.0)[0].table["stimulus"].tolist() == ["unknown"]


# CaImAn --------------------------------------------------------------------------------------------------------------

HEIGHT, WIDTH = 6, 5


def write_caiman(path, **changes):
    """The layout of caiman.utils.utils.save_dict_to_hdf5: None as the text NoneType, A as parts of a CSC matrix."""
    import scipy.sparse

    rng = stream(3, "caiman")
    masks = np.zeros((ROIS, HEIGHT, WIDTH))
    for k in range(ROIS):
        masks[k, k, 1], masks[k, k, 3] = 1.0, 3.0  # centroid (x, y) = (2.5, k)
    A = scipy.sparse.csc_matrix(np.stack([mask.ravel(order="F") for mask in masks], axis=1))
    estimates = {
        "C": rng.random((ROIS, FRAMES)),
        "S": rng.random((ROIS, FRAMES)),
        "F_dff": rng.random((ROIS, FRAMES)),
        "YrA": rng.normal(size=(ROIS, FRAMES)),
        "idx_components": np.array([0, 2, 3]),
        "SNR_comp": np.arange(ROIS) + 1.5,
        "r_values": "NoneType",
        "dims": np.array([HEIGHT, WIDTH]),
        "g": np.array([[0.9], [0.9]]),
    }
    values = {"estimates": estimates, "A": A, "fr": 15.0, "dims": np.array([HEIGHT, WIDTH])}
    for key, value in changes.items():
        (values if key in values else estimates)[key] = value
    with h5py.File(path, "w") as file:
        for key, value in estimates.items():
            if value is not None:
                file[f"estimates/{key}"] = value
        if A is not None:
            for part in ("data", "indices", "indptr", "shape"):
                file[f"estimates/A/{part}"] = getattr(values["A"], part)
        file["params/data/fr"] = values["fr"]
        file["dims"] = values["dims"]
        file["dview"] = "NoneType"
        file["estimates"].attrs["method"] = "text is stored as an attribute"
    return path, estimates


def test_caiman_accepted_components(tmp_path):
    path, held = write_caiman(tmp_path / "a.hdf5")
    r = read_caiman(path)
    keep = [0, 2, 3]
    assert set(r.traces) == {"dff", "denoised", "events", "fluorescence"}
    for name, key in (("dff", "F_dff"), ("denoised", "C"), ("events", "S")):
        np.testing.assert_array_equal(r.traces[name].values, held[key][keep])
    np.testing.assert_allclose(r.traces["fluorescence"].values, (held["C"] + held["YrA"])[keep])
    assert r.traces["dff"].dt == pytest.approx(1000 / 15) and r.duration == pytest.approx(6000)
    assert r.neurons["id"].tolist() == keep and r.neurons["snr"].tolist() == [1.5, 3.5, 4.5]
    np.testing.assert_allclose(r.neurons[["x", "y"]], [[2.5, k] for k in keep])
    everything = read_caiman(path, accepted_only=False, rate=30)
    assert everything.neurons["accepted"].tolist() == [True, False, True, True]
    assert everything.traces["dff"].dt == pytest.approx(1000 / 30)


def test_caiman_without_what_is_optional(tmp_path):
    none = {"F_dff": "NoneType", "S": "NoneType", "YrA": None, "idx_components": "NoneType", "dims": "NoneType"}
    r = read_caiman(write_caiman(tmp_path / "a.hdf5", **none)[0])
    assert list(r.traces) == ["denoised"] and len(r) == ROIS and r.neurons["accepted"].all()


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"C": None}, r"lacks \['estimates/C'\]"),
        ({"fr": "NoneType"}, "has no frame rate"),
        ({"idx_components": np.array([0, 9])}, "idx_components leaves the range: there are 4 components"),
        ({"idx_components": np.zeros(0)}, "no component was accepted"),
        ({"S": np.zeros((ROIS, 7))}, "traces have the shapes"),
        ({"F_dff": np.zeros((3, FRAMES))}, "trace 'dff' has the shape .3, 90.: estimates/A has 4 components"),
        ({"C": np.full((ROIS, FRAMES), np.nan)}, "not finite"),
        ({"fr": 0.0}, "rate = 0.0 Hz is out of range"),
    ],
)
def test_caiman_errors(tmp_path, changes, problem):
    with pytest.raises(ValueError, match=problem):
        read_caiman(write_caiman(tmp_path / "a.hdf5", **changes)[0])


def test_caiman_damaged_files(tmp_path):
    path, _ = write_caiman(tmp_path / "a.hdf5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a whole HDF5 file"):
        read_caiman(path)
    with pytest.raises(FileNotFoundError):
        read_caiman(tmp_path / "none.hdf5")

    def replace(name, value):
        def change(file):
            del file[name]
            if value is not None:
                file[name] = value

        return change

    for problem, change in {
        "lacks 'estimates'": replace("estimates", None),
        r"A lacks \['indptr'\]": replace("estimates/A/indptr", None),
        "no sparse matrix of 4 columns": replace("estimates/A/data", [1.0]),
        "dims = 6 × 9 pixels: estimates/A has 30": replace("estimates/dims", [6, 9]),
    }.items():
        path.write_bytes(whole)
        with h5py.File(path, "a") as file:
            change(file)
        with pytest.raises(ValueError, match=problem):
            read_caiman(path)


# Suite2p -------------------------------------------------------------------------------------------------------------


def write_suite2p(folder, options="ops.npy"):
    folder.mkdir(parents=True)
    rng = stream(4, "suite2p")
    F, neuropil, spikes = (rng.random((ROIS, FRAMES)).astype(np.float32) for _ in range(3))
    stat = np.array(
        [
            {
                "ypix": np.array([k, k]),
                "xpix": np.array([1, 2]),
                "lam": np.ones(2, np.float32),
                "med": [k, 1.5],
                "npix": 2,
            }
            for k in range(ROIS)
        ],
        dtype=object,
    )
    settings = {
        "fs": 7.5,
        "tau": np.float32(1.0),
        "date_proc": datetime.datetime.now().astimezone(),
        "save_path": pathlib.PurePosixPath("/data/suite2p/plane0"),
        "meanImg": np.ones((4, 4), np.float32),
        "nested": {"block_size": [128, 128], "empty": None},
    }
    for name, array in (("F", F), ("Fneu", neuropil), ("spks", spikes), ("stat", stat)):
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "iscell.npy", np.array([[1, 0.9], [0, 0.2], [1, 0.8], [1, 0.7]]))
    np.save(folder / options, settings)
    return F, neuropil, spikes


@pytest.mark.parametrize("options", ["ops.npy", "settings.npy"])
def test_suite2p_cells(tmp_path, options):
    F, neuropil, spikes = write_suite2p(tmp_path / "suite2p" / "plane1", options)
    r = read_suite2p(tmp_path, plane=1)
    keep = [0, 2, 3]
    np.testing.assert_array_equal(r.traces["fluorescence"].values, F[keep])
    np.testing.assert_array_equal(r.traces["neuropil"].values, neuropil[keep])
    np.testing.assert_array_equal(r.traces["events"].values, spikes[keep])
    np.testing.assert_allclose(r.traces["corrected"].values, (F - 0.7 * neuropil)[keep], rtol=1e-6)
    assert r.traces["events"].dt == pytest.approx(1000 / 7.5) and r.duration == pytest.approx(12_000)
    assert r.neurons["id"].tolist() == keep and r.neurons["p_cell"].tolist() == [0.9, 0.8, 0.7]
    np.testing.assert_allclose(r.neurons[["x", "y"]], [[1.5, k] for k in keep])
    everything = read_suite2p(tmp_path / "suite2p" / "plane1", cells_only=False, rate=30, neuropil=0)
    assert len(everything) == ROIS and everything.neurons["cell"].tolist() == [True, False, True, True]
    np.testing.assert_array_equal(everything.traces["corrected"].values, F)


def test_suite2p_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no F\.npy"):
        read_suite2p(tmp_path)
    folder = tmp_path / "plane0"
    F, _, _ = write_suite2p(folder)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    def refused(problem, kind=ValueError, **choice):
        with pytest.raises(kind, match=problem):
            read_suite2p(tmp_path, **choice)
        for name, content in whole.items():
            (folder / name).write_bytes(content)

    (folder / "Fneu.npy").unlink()
    refused("Fneu.npy is missing", FileNotFoundError)
    (folder / "iscell.npy").unlink()
    refused("iscell.npy is missing", FileNotFoundError)
    (folder / "F.npy").write_bytes(whole["F.npy"][:-100])
    refused("F.npy' is not a whole file")
    (folder / "stat.npy").write_bytes(whole["stat.npy"][:-100])
    refused("stat.npy' is not a whole file of plain data")
    np.save(folder / "Fneu.npy", F[:, :-1])
    refused(r"F.npy has the shape \(4, 90\) and Fneu.npy \(4, 89\)")
    np.save(folder / "spks.npy", F[:3])
    refused("differ from F.npy")
    np.save(folder / "stat.npy", np.array([{}] * ROIS))
    refused("lacks the centre of a ROI")
    np.save(folder / "stat.npy", np.array([{"med": [1, 1]}]))
    refused(r"stat.npy has the shape \(1,\)")
    np.save(folder / "iscell.npy", np.zeros((ROIS, 2)))
    refused("marks no ROI as a cell")
    np.save(folder / "iscell.npy", np.zeros((3, 2)))
    refused("iscell.npy has the shape")
    np.save(folder / "F.npy", np.where(np.arange(FRAMES) == 5, np.nan, F))
    refused("first is in ROI 0 at frame 5")
    (folder / "ops.npy").unlink()
    refused("tells no frame rate")
    np.save(folder / "ops.npy", {"nframes": 3})
    refused("tells no frame rate")
    refused("neuropil = 2", neuropil=2)
    (folder / "ops.npy").unlink()
    assert read_suite2p(tmp_path, rate=10).traces["events"].dt == 100.0


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("bombed",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_that_would_run_something_are_refused(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    array = np.array([{"med": [0, 0]}, Bomb()], dtype=object)
    with open("stat.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (2,)})
        pickle.dump(array, file, protocol=protocol)
    with pytest.raises(ValueError, match=r"asks for (posix|nt)\.mkdir, which data have no use for"):
        load_objects("stat.npy")
    assert not os.path.exists("bombed")
    np.load("stat.npy", allow_pickle=True)
    assert os.path.exists("bombed")  # so the test is one


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_objects_are_read_whatever_the_protocol(tmp_path, protocol):
    held = {"a": np.arange(3.0), "b": [1, "é", None, True], "c": np.float32(2.5), "d": b"bytes", "e": (1, {2: 3})}
    held["f"], held["g"] = datetime.timedelta(seconds=3), np.array(["x", "yy"])
    held["h"] = pathlib.PurePosixPath("/a/b")
    array = np.empty((), dtype=object)
    array[()] = held
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(array, file, protocol=protocol)
    again = load_objects(tmp_path / "a.npy").item()
    np.testing.assert_array_equal(again.pop("a"), held.pop("a"))
    np.testing.assert_array_equal(again.pop("g"), held.pop("g"))
    assert again.pop("h") == "/a/b" and held.pop("h") and again == held


def test_numbers_are_read_as_by_numpy(tmp_path):
    np.save(tmp_path / "a.npy", DFF)
    np.testing.assert_array_equal(load_objects(tmp_path / "a.npy"), DFF)
    with pytest.raises(FileNotFoundError):
        load_objects(tmp_path / "b.npy")
