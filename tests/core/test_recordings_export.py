"""Recordings to NWB, Neo and xarray, and back."""

import dataclasses
import datetime
import json

import numpy as np
import pandas as pd
import pytest

from netlib.base.seeds import stream
from netlib.networks.weights import Weights
from netlib.recordings import Recording, Trace
from netlib.recordings.columns import decode_columns, encode_columns
from netlib.recordings.export import from_neo, from_xarray, to_neo, to_xarray
from netlib.recordings.nwb import read_recording, write_recording
from netlib.stimuli import Grating, Protocol

pynwb = pytest.importorskip("pynwb")

TRACES = {
    "v": Trace(stream(1, "v").normal(-60, 3, (3, 1001)), np.array([4, 0, 2]), 1.0, "mV"),
    "dff": Trace(stream(1, "dff").normal(0, 1, (2, 31)).astype(np.float32), np.array([5, 1]), 1000 / 30.08, "dF/F"),
    "events": Trace(stream(1, "events").random((2, 31)), np.array([5, 1]), 1000 / 30.08, "a.u."),
    "fluorescence": Trace(stream(1, "f").random((1, 40)), np.array([3]), 25.0, ""),
    "g_exc": Trace(stream(1, "g").random((1, 11)), np.array([0]), 0.1, "uS"),
}
WEIGHTS = Weights(
    np.array([0, 1]), np.array([1, 2]), np.array([1.0, 2.5]), np.array([0.0, 50.0]), stream(1, "w").random((2, 2))
)


def recording(spikes=400, traces=tuple(TRACES), **changes):
    rng = stream(1, "spikes", spikes)
    index = rng.integers(0, 5, spikes).astype(np.int32)  # the last of the six units is silent
    time = np.sort(rng.uniform(0, 1000, spikes))
    if spikes:
        time[-1] = 1000.0  # may not leave the recording on the way through seconds
    neurons = {
        "population": list("EEEIII"),
        "orientation": [0.0, 60, 120, 0, 60, np.nan],
        "id": np.arange(6) + 758519303,
        "imaged": [True, False] * 3,
        "note": ["a", None, "b", "c", "d", "e"],
        "a/b.c": [1.5] * 6,
    }
    values = {
        "neurons": pd.DataFrame(neurons),
        "spike_index": index[np.lexsort((index, time))],
        "spike_time": time,
        "duration": 1000.0,
        "protocol": Protocol.tuning(Grating(), orientations=2, duration=300, gap=1 / 3, lead=100 / 3),
        "traces": {name: TRACES[name] for name in traces},
        "provenance": {"seed": 3, "date": "2024-05-06T07:08:09+00:00", "parameters": {"g": [1.5, None], "gain": True}},
    }
    return Recording(**{**values, **changes})


def through_nwb(folder):
    return lambda r: read_recording(write_recording(r, folder / "sub" / "a.nwb"))


def assert_equal(one, other):
    assert np.array_equal(one.spike_index, other.spike_index)
    np.testing.assert_allclose(one.spike_time, other.spike_time, rtol=0, atol=1e-9)
    for a, b in ((one.neurons, other.neurons), (one.protocol.table, other.protocol.table)):
        pd.testing.assert_frame_equal(a, b, check_dtype=False, rtol=0, atol=1e-9)
        assert [kind.kind for kind in a.dtypes if kind.kind in "bif"] == [
            kind.kind for kind in b.dtypes if kind.kind in "bif"
        ]
    assert one.protocol.stimuli == other.protocol.stimuli
    assert (one.duration, one.protocol.duration) == (other.duration, other.protocol.duration)
    assert list(one.traces) == list(other.traces) and one.provenance == other.provenance
    for name, trace in one.traces.items():
        twin = other.traces[name]
        assert (trace.dt, trace.unit, trace.values.dtype) == (twin.dt, twin.unit, twin.values.dtype)
        assert np.array_equal(trace.cells, twin.cells)
        np.testing.assert_allclose(trace.values, twin.values, rtol=0, atol=1e-9)


RECORDINGS = {
    "all": {},
    "spikes alone": {"traces": ()},
    "imaged alone": {"spikes": 0, "traces": ("dff", "fluorescence")},
    "potentials alone": {"spikes": 0, "traces": ("v",)},
    "nothing happened": {"spikes": 0, "traces": ()},
}


@pytest.mark.parametrize("kind", RECORDINGS)
@pytest.mark.parametrize("format", ["nwb", "neo", "xarray"])
def test_round_trip(kind, format, tmp_path):
    r = recording(**RECORDINGS[kind])
    convert = {
        "nwb": through_nwb(tmp_path),
        "neo": lambda r: from_neo(to_neo(r)),
        "xarray": lambda r: from_xarray(to_xarray(r)),
    }[format]
    assert_equal(r, convert(r))


def test_weights_go_through_nwb(tmp_path):
    again = through_nwb(tmp_path)(recording(weights={"E to E": WEIGHTS}))
    for part in ("pre", "post", "delay", "times", "values"):
        np.testing.assert_allclose(getattr(again.weights["E to E"], part), getattr(WEIGHTS, part), rtol=0, atol=1e-9)
    assert again.weights["E to E"].w_max == np.inf


def test_columns_of_lists_and_reserved_names_survive(tmp_path):
    table = pd.DataFrame({"onset": [0.0, 500.0], "duration": 400.0, "stimulus": "gabors"})
    table["id"], table["start_time"], table["gabor_sizes"] = [3, 4], [0.5, 1.5], [[204.0, 408.0], []]
    again = through_nwb(tmp_path)(recording(protocol=Protocol(table, duration=1000.0)))
    assert again.protocol.table["gabor_sizes"].tolist() == [[204.0, 408.0], []]
    assert again.protocol.table["id"].tolist() == [3, 4] and again.protocol.stimuli == ()
    assert again.protocol.table["start_time"].tolist() == [0.5, 1.5]


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in RECORDINGS if kind not in ("all", "imaged alone")]


@pytest.mark.parametrize("kind", ["all", "imaged alone", *SLOW])
def test_nwbinspector_finds_nothing_wrong(kind, tmp_path):
    inspector = pytest.importorskip("nwbinspector")
    path = write_recording(recording(**RECORDINGS[kind], weights={"E to E": WEIGHTS}), tmp_path / "a.nwb")
    found = [m for m in inspector.inspect_nwbfile(nwbfile_path=path) if m.importance.name != "BEST_PRACTICE_SUGGESTION"]
    assert found == []


def test_other_programs_find_everything_in_its_place(tmp_path):
    r = recording()
    subject = {"subject_id": "408021", "age": "P95D", "sex": "M"}
    start = datetime.datetime(2018, 9, 26, 17, 29, 17)
    path = write_recording(r, tmp_path / "a.nwb", subject=subject, session_start=start, indicator="GCaMP6f")
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        for unit in range(6):
            np.testing.assert_allclose(file.units["spike_times"][unit], r.spike_time[r.spike_index == unit] / 1000)
        v = file.acquisition["v"]
        np.testing.assert_allclose(v.data[:] * v.conversion, TRACES["v"].values.T * 1e-3)
        assert v.unit == "V" and v.rate == 1000.0
        dff = file.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
        np.testing.assert_array_equal(dff.data[:], TRACES["dff"].values.T)
        assert dff.rate == pytest.approx(30.08) and dff.rois.to_dataframe()["neuron"].tolist() == [5, 1]
        assert file.processing["ophys"]["Deconvolved"]["events"].data.shape == (31, 2)
        np.testing.assert_allclose(file.trials["start_time"][:], r.protocol.windows()[:, 0] / 1000)
        np.testing.assert_allclose(file.trials["stop_time"][:], r.protocol.windows()[:, 1] / 1000)
        assert (file.subject.subject_id, file.subject.species) == ("408021", "Mus musculus")
        assert file.session_start_time.replace(tzinfo=None) == start
        assert json.loads(file.notes)["provenance"]["seed"] == 3


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = write_recording(recording(), tmp_path / "a.nwb")
    before = path.read_bytes()

    def fail(io, file):
        io._file["half"] = 1
        raise OSError("disk full")

    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        write_recording(recording(spikes=0), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.nwb"]


def test_clear_errors_of_nwb(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a file"):
        read_recording(tmp_path / "none.nwb")
    path = write_recording(recording(), tmp_path / "a.nwb")
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="not a whole NWB file"):
            read_recording(path)
    other = pynwb.NWBFile("of another", "1", datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), notes="not JSON")
    with pynwb.NWBHDF5IO(tmp_path / "b.nwb", "w") as io:
        io.write(other)
    with pytest.raises(ValueError, match="was not written by write_recording"):
        read_recording(tmp_path / "b.nwb")
    with pytest.raises(ValueError, match=r"traces\['a/b'\] has a name"):
        write_recording(dataclasses.replace(recording(), traces={"a/b": TRACES["v"]}), tmp_path / "c.nwb")
    with pytest.raises(TypeError, match="recording"):
        write_recording("a.npz", tmp_path / "c.nwb")
    assert not (tmp_path / "c.nwb").exists()


def test_neo_holds_the_recording_in_its_own_objects():
    r = recording()
    segment = to_neo(r).segments[0]
    for unit, train in enumerate(segment.spiketrains):
        np.testing.assert_array_equal(train.rescale("ms").magnitude, r.spike_time[r.spike_index == unit])
        assert train.annotations["population"] == r.neurons["population"][unit] and float(train.t_stop) == 1000.0
    signals = {signal.name: signal for signal in segment.analogsignals}
    np.testing.assert_array_equal(signals["v"].magnitude, TRACES["v"].values.T)
    assert signals["v"].units.dimensionality.string == "mV" and float(signals["v"].sampling_rate.rescale("Hz")) == 1000
    assert float(signals["dff"].sampling_rate.rescale("Hz")) == pytest.approx(30.08)
    assert signals["dff"].array_annotations["cells"].tolist() == [5, 1]
    epoch = segment.epochs[0]
    np.testing.assert_array_equal(epoch.times.rescale("ms").magnitude, r.protocol.table["onset"])
    np.testing.assert_array_equal(epoch.array_annotations["orientation"], r.protocol.table["orientation"])
    assert set(epoch.labels) == {"Grating"}


def test_neo_blocks_of_others_are_read():
    import neo
    import quantities

    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    for k in range(2):
        segment.spiketrains.append(
            neo.SpikeTrain([0.2 + k, 0.3], units="s", t_start=0.1, t_stop=2.1, depth=100.0 * k, other=[1, 2])
        )
    values = np.arange(20.0).reshape(10, 2)
    segment.analogsignals.append(
        neo.AnalogSignal(values, units="mV", sampling_rate=5 * quantities.Hz, t_start=0.1 * quantities.s, name="lfp")
    )
    segment.epochs.append(neo.Epoch(times=[0.6], durations=[0.5], labels=["bar"], units="s"))
    r = from_neo(block)
    np.testing.assert_allclose(r.spike_time, [100, 200, 200, 1100])
    assert r.spike_index.tolist() == [0, 0, 1, 1] and r.duration == pytest.approx(2000)
    assert r.neurons["population"].tolist() == ["unit", "unit", "lfp", "lfp"]
    assert r.neurons["depth"].tolist()[:2] == [0, 100] and "other" not in r.neurons
    assert r.traces["lfp"].cells.tolist() == [2, 3] and r.traces["lfp"].dt == pytest.approx(200)
    assert r.protocol.table[["onset", "duration"]].to_numpy() == pytest.approx(np.array([[500.0, 500.0]]))
    assert r.protocol.table["stimulus"].tolist() == ["bar"]
    segment.epochs.clear()
    assert from_neo(block).protocol.table["stimulus"].tolist() == ["unknown"]
    block.segments.append(neo.Segment())
    with pytest.raises(ValueError, match="holds 2 segments"):
        from_neo(block)
    block.segments.clear()
    block.segments.append(neo.Segment())
    with pytest.raises(ValueError, match="neither spike trains nor"):
        from_neo(block)


def test_xarray_selects_by_time_and_cell():
    r = recording()
    data = to_xarray(r)
    assert float(data["trace_v"].sel(cell=0, time=17.0)) == TRACES["v"].values[1, 17]
    assert data["trace_dff"].dims == data["trace_events"].dims == ("cell_dff", "time_dff")
    assert data["trace_v"].attrs["units"] == "mV" and data["time"].attrs["units"] == "ms"
    assert int((data["spike_index"] == 2).sum()) == (r.spike_index == 2).sum()
    assert data["neuron_population"].to_numpy().tolist() == list("EEEIII")
    with pytest.raises(ValueError, match="trace_v"):
        from_xarray(data.drop_vars("trace_v"))
    with pytest.raises(ValueError, match="must be one that to_xarray made"):
        from_xarray(data[["trace_v"]].drop_attrs())


def test_xarray_goes_through_netcdf(tmp_path):
    import xarray

    r = recording(spikes=20)
    to_xarray(r).to_netcdf(tmp_path / "a.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "a.nc", engine="scipy") as data:
        assert_equal(r, from_xarray(data.load()))


def test_columns_keep_their_values():
    table = pd.DataFrame({"a": [1, 2], "b": [np.nan, 1.5], "c": ["x", ""], "d": [None, "y"], "e": [[1, 2], (3,)]})
    table["f"], table["g"] = pd.array([1, None], dtype="Int64"), [np.arange(2), np.nan]
    arrays, kinds = encode_columns(table)
    assert all(values.dtype.kind in "if" or all(isinstance(v, str) for v in values) for values in arrays.values())
    again = decode_columns({name: np.array(values) for name, values in arrays.items()}, kinds)
    assert again["e"].tolist() == [[1, 2], [3]] and again["g"].tolist() == [[0, 1], None]
    assert again["c"].tolist() == ["x", ""] and again["d"].isna().tolist() == [True, False]
    np.testing.assert_array_equal(again["b"], table["b"])
