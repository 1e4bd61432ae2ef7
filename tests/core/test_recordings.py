"""Recording: counts, selection, files."""

import numpy as np
import pandas as pd
import pytest

from netlib.recordings import Recording, Trace
from netlib.stimuli import Grating, Protocol


def recording(**changes):
    rng = np.random.default_rng(0)
    n, spikes = 6, 400
    values = {
        "neurons": pd.DataFrame({"population": list("EEEIII"), "orientation": [0.0, 60, 120, 0, 60, np.nan]}),
        "spike_index": rng.integers(0, n, spikes).astype(np.int32),
        "spike_time": np.sort(rng.uniform(0, 1000, spikes)),
        "duration": 1000.0,
        "protocol": Protocol.sequence([Grating(theta=0.0), Grating(theta=90.0)], duration=300, gap=100, lead=50),
        "traces": {"v": Trace(rng.normal(-60, 3, (3, 1001)), np.array([0, 2, 4]), 1.0, "mV")},
        "provenance": {"seed": 3},
    }
    return Recording(**{**values, **changes})


def test_counts_equal_a_plain_loop():
    r = recording()
    windows = np.array([[0.0, 100.0], [50.0, 350.0], [999.0, 1000.0]])
    for w, (a, b) in enumerate(windows):
        for cell in range(len(r)):
            expected = sum(1 for i, t in zip(r.spike_index, r.spike_time, strict=True) if i == cell and a <= t < b)
            assert r.counts(windows)[cell, w] == expected
    assert np.array_equal(r.counts(), r.counts(r.protocol.windows()))
    assert r.rates().sum() == pytest.approx(400)


def test_windows_are_half_open():
    r = recording(spike_index=np.array([0, 0]), spike_time=np.array([100.0, 200.0]))
    assert r.counts(np.array([[100.0, 200.0]]))[0, 0] == 1


def test_a_population_is_renumbered_with_its_spikes_and_traces():
    r = recording()
    part = r.population("I")
    assert part.neurons["population"].unique().tolist() == ["I"] and len(part) == 3
    assert np.array_equal(part.counts(), r.counts()[3:])
    assert part.traces["v"].cells.tolist() == [1]
    assert np.array_equal(part.traces["v"].values[0], r.traces["v"].values[2])
    assert r.populations == ["E", "I"]
    with pytest.raises(ValueError, match="population = 'X'"):
        r.population("X")


def test_file_round_trip(tmp_path):
    r = recording()
    again = Recording.load(r.save(tmp_path / "a.npz"))
    pd.testing.assert_frame_equal(again.neurons, r.neurons, check_dtype=False)
    assert np.array_equal(again.spike_time, r.spike_time) and np.array_equal(again.spike_index, r.spike_index)
    assert np.array_equal(again.traces["v"].values, r.traces["v"].values) and again.traces["v"].unit == "mV"
    assert again.protocol.duration == r.protocol.duration and again.provenance == {"seed": 3}
    pd.testing.assert_frame_equal(again.protocol.table, r.protocol.table, check_dtype=False)
    assert again.protocol.stimuli == r.protocol.stimuli


def test_a_damaged_file_is_refused(tmp_path):
    path = recording().save(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="not a whole recording"):
        Recording.load(path)
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spike_time": np.array([5.0, 1.0]), "spike_index": np.array([0, 0])}, "sorted"),
        ({"spike_time": np.array([5.0]), "spike_index": np.array([6])}, r"spike_index\[0\] = 6"),
        ({"spike_time": np.array([1001.0]), "spike_index": np.array([0])}, r"1001 ms .* \[0, 1000\] ms"),
        ({"spike_time": np.array([5.0])}, "each spike needs one of both"),
        ({"duration": 0.0}, "duration = 0.0 ms"),
        ({"neurons": pd.DataFrame({"population": ["E"]})}, "orientation"),
    ],
)
def test_bad_recordings_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        recording(**changes)


def test_bad_traces_are_refused():
    with pytest.raises(ValueError, match=r"n_cells = 2"):
        Trace(np.zeros((3, 10)), np.arange(2), 1.0, "mV")
