"""What passes between recordings, their files and their analysis: which cell, which presentation, which unit."""

import numpy as np
import pandas as pd
import pytest

from netlib.calcium.microscope import Microscope, image
from netlib.recordings import Recording, Trace
from netlib.recordings.export import from_neo
from netlib.recordings.nwb import read_recording, write_recording
from netlib.stimuli import Protocol
from netlib.tuning import decode_recording, tuning_curves, tuning_table


def shown(*rows, length=100.0) -> Protocol:
    """Presentations of ``length`` ms, one after the other; a row is an orientation (NaN: blank) and a contrast."""
    theta, contrast = zip(*rows, strict=True)
    return Protocol(
        pd.DataFrame({"onset": length * np.arange(len(rows)), "duration": length, "orientation": theta,
                      "contrast": contrast})
    )  # fmt: skip


def recording(trains, protocol, **changes) -> Recording:
    """One E cell for each train (ms), at evenly spaced places on the ring."""
    index = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    time = np.concatenate([np.asarray(train, float) for train in trains])
    order = np.argsort(time, kind="stable")
    values = {
        "neurons": pd.DataFrame({"population": "E", "orientation": 180.0 * np.arange(len(trains)) / len(trains)}),
        "spike_index": index[order].astype(np.int32),
        "spike_time": time[order],
        "duration": protocol.duration,
        "protocol": protocol,
    }
    return Recording(**{**values, **changes})


# ---------------------------------------------------------------- files


def test_traces_in_an_nwb_file_are_in_si_units_for_other_programs(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    si = {"mV": ("V", 1e-3), "nA": ("A", 1e-9), "pA": ("A", 1e-12), "uS": ("S", 1e-6), "nS": ("S", 1e-9)}
    values = np.array([[250.0, -3.0, 0.5]])
    traces = {f"in {unit}": Trace(values, np.array([0]), 50.0, unit) for unit in si}
    path = write_recording(recording([[5.0]], shown((0.0, 1.0)), traces=traces), tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(path, "r") as io:
        file = io.read()
        for unit, (base, factor) in si.items():
            series = file.acquisition[f"in {unit}"]
            np.testing.assert_allclose(series.data[:] * series.conversion, values.T * factor, err_msg=unit)
            assert (series.unit, series.rate) == (base, 20.0), unit  # one sample in 50 ms
    back = read_recording(path).traces
    assert {name: (t.unit, t.values.tolist()) for name, t in back.items()} == {
        f"in {unit}": (unit, values.tolist()) for unit in si
    }


def test_imaged_cells_keep_their_numbers_through_nwb(tmp_path):
    """Only two of four cells are imaged, so their rows among the ROIs are not their rows among the neurons."""
    pytest.importorskip("pynwb")
    values = np.array([[3.0, 3.5], [1.0, 1.5]])
    traces = {"dff": Trace(values, np.array([3, 1]), 50.0, "dF/F")}
    path = write_recording(recording([[5.0]] * 4, shown((0.0, 1.0)), traces=traces), tmp_path / "a.nwb")
    back = read_recording(path).traces["dff"]
    assert (back.cells.tolist(), back.values.tolist()) == ([3, 1], values.tolist())


def test_channels_of_each_neo_signal_are_units_of_their_own():
    import neo
    import quantities

    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    segment.spiketrains.append(neo.SpikeTrain([0.2], units="s", t_stop=2.0))
    for name, channels, unit in (("lfp", 2, "mV"), ("patch", 1, "pA"), ("eye", 2, "dimensionless")):
        values = np.arange(10.0 * channels).reshape(10, channels)
        segment.analogsignals.append(neo.AnalogSignal(values, units=unit, sampling_rate=5 * quantities.Hz, name=name))
    found = from_neo(block)
    assert found.neurons["population"].tolist() == ["unit", "lfp", "lfp", "patch", "eye", "eye"]
    assert {name: trace.cells.tolist() for name, trace in found.traces.items()} == {
        "lfp": [1, 2], "patch": [3], "eye": [4, 5],
    }  # fmt: skip
    # So the recording of one of them holds its own trace alone.
    assert list(found.population("patch").traces) == ["patch"]
    assert found.population("patch").traces["patch"].unit == "pA"


# ---------------------------------------------------------------- fluorescence


def test_the_noise_of_a_cell_does_not_depend_on_who_else_is_imaged():
    neurons = pd.DataFrame({"population": ["input", "E", "I", "E", "I"], "orientation": 0.0})
    cells = recording([[100.0], [900.0], [50.0, 700.0], [], [300.0]], shown((0.0, 1.0), length=2000.0), neurons=neurons)
    optics = Microscope(noise=3.0, neuropil=0.0)
    everyone = image(cells, "GCaMP6f", optics, seed=4).traces["fluorescence"]
    few = image(cells, "GCaMP6f", optics, seed=4, populations=["I"]).traces["fluorescence"]
    assert (everyone.cells.tolist(), few.cells.tolist()) == ([1, 2, 3, 4], [2, 4])
    np.testing.assert_array_equal(few.values, everyone.values[[1, 3]])


def test_dff_takes_the_share_of_neuropil_that_the_microscope_put_in():
    """A silent cell among active ones, without noise: with the true share, nothing of the neuropil is left."""
    trains = [[], *(np.arange(3000.0, 60_000.0, 2500.0) + 40.0 * k for k in range(5))]
    cells = recording(trains, shown((0.0, 1.0), length=60_000.0))
    optics = Microscope(noise=0.0, drift=0.0, neuropil=0.3, neuropil_sd=0.2)
    imaged = image(cells, "GCaMP6s", optics, seed=2).traces
    assert np.ptp(imaged["neuropil"].values[0]) > 0.5
    np.testing.assert_allclose(imaged["dff"].values[0], 0.0, atol=1e-5)


# ---------------------------------------------------------------- analysis


def test_curves_leave_blanks_out_and_take_each_orientation_from_its_own_presentations():
    """Blanks stand before and between the gratings, so that rows of the protocol and of the gratings differ."""
    nan = np.nan
    protocol = shown((nan, 0.0), (90.0, 1.0), (nan, 0.0), (0.0, 1.0), (90.0, 1.0))
    # Spikes per presentation: 5 in the first blank, then 1, 4, 2, 3.
    train = [
        start + 55.0 + 5 * k for start, n in zip(range(0, 500, 100), (5, 1, 4, 2, 3), strict=True) for k in range(n)
    ]
    curve = tuning_curves(recording([train], protocol), start=50.0).set_index("orientation")
    # Half of each 100 ms is counted: a spike is 20 Hz.
    assert curve.loc[0.0, ["rate", "n"]].tolist() == [40.0, 1]
    assert curve.loc[90.0, ["rate", "n"]].tolist() == [40.0, 2]  # 1 and 3 spikes
    assert curve.loc[90.0, "sem"] == pytest.approx(20.0)  # 20 and 60 Hz: sd 28.3, over sqrt 2


def test_decoded_presentations_stand_beside_their_own_spikes():
    nan = np.nan
    protocol = shown((nan, 0.0), (nan, 0.0), (90.0, 1.0), (nan, 0.0), (0.0, 1.0))
    trains = [[60.0, 70.0, 80.0, 90.0, 460.0, 470.0], [260.0, 360.0, 370.0]]  # cells of 0 and 90 deg
    found = decode_recording(recording(trains, protocol))
    assert found[["presentation", "orientation", "decoded", "n_spikes"]].to_numpy().tolist() == [
        [2, 90.0, 90.0, 1], [4, 0.0, 0.0, 2],
    ]  # fmt: skip


def test_irregularity_of_a_condition_is_that_of_its_own_presentations():
    """A clock at full contrast and pairs of spikes at half: the CV of each is its own."""
    angles = np.arange(0.0, 180.0, 30.0)
    protocol = shown(*((theta, c) for c in (1.0, 0.5) for theta in angles), length=1000.0)
    train = []
    for k, contrast in enumerate(protocol.table["contrast"]):
        gaps = np.full(40, 20.0) if contrast == 1.0 else np.tile([5.0, 35.0], 20)
        train.append(1000.0 * k + 60.0 + np.concatenate([[0.0], np.cumsum(gaps)]))
    cells = recording([np.concatenate(train)], protocol)
    table = tuning_table(cells, by=["contrast"], progress=False).set_index("contrast")
    assert table.loc[1.0, "isi_cv"] == pytest.approx(0.0, abs=1e-9)
    # Intervals of 5 and 35 ms, as many of both: mean 20, sd 15 (to the correction for 240 of them).
    assert table.loc[0.5, "isi_cv"] == pytest.approx(0.75, rel=0.01)
