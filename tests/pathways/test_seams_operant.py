"""Files of the operant box and the microscope: clocks, events and schedules are joined as they belong."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from netlib.pathways.manifest import build_manifest
from netlib.pathways.session import frame_clock
from netlib.pathways.simulate import simulate_behaviour
from netlib.recordings.recording import Recording
from netlib.stimuli.protocol import Protocol


def test_an_event_stays_in_the_frame_that_holds_it_when_frames_were_dropped():
    # Frames 4 and 5 of 50 ms are lost: the fifth that was recorded ends at 350 ms, and is frame 6 of the grid.
    ends = np.array([1, 2, 3, 4, 7, 8, 9, 10, 11, 12]) * 50.0
    clock = frame_clock(ends)
    assert not clock.regular and clock.dt == 50.0 and clock.n == 12
    counts = np.zeros((1, 10))
    counts[0, [0, 3, 4, 9]] = [1.0, 2.0, 3.0, 4.0]
    wanted = np.zeros(12)
    wanted[[0, 3, 6, 11]] = [1.0, 2.0, 3.0, 4.0]
    assert_array_equal(clock.counts(counts)[0], wanted)


def test_a_trace_is_laid_on_the_middle_of_the_frames_of_the_grid():
    ends = np.array([1, 2, 3, 4, 7, 8, 9, 10, 11, 12]) * 50.0
    line = (ends - 25.0)[None] * 2.0  # twice the time of the middle of each frame
    assert_allclose(frame_clock(ends).traces(line)[0], 2.0 * (np.arange(12) + 0.5) * 50.0)


def test_amplitudes_stay_with_their_events_through_nwb(tmp_path):
    pytest.importorskip("pynwb")
    from netlib.pathways.files import read_behaviour_nwb, write_behaviour_nwb

    session = simulate_behaviour(0, "I1", "D1", 1, duration=60_000.0)
    cells = pd.DataFrame({"population": "D1", "orientation": np.nan, "cell": np.arange(3)})
    index, time = np.array([1, 2, 0, 2, 0]), np.array([50.0, 100.0, 100.0, 3000.0, 7000.0])  # two at one time
    protocol = Protocol(pd.DataFrame({"onset": [0.0], "duration": [60_000.0]}))
    recording = Recording(cells, index, time, 60_000.0, protocol)
    path = write_behaviour_nwb(
        session.with_recording(recording, amplitudes=10.0 * index + time / 1000), tmp_path / "a.nwb"
    )
    again = read_behaviour_nwb(path)
    assert sorted(again.recording.spike_index) == sorted(index)
    assert_allclose(again.amplitudes, 10.0 * again.recording.spike_index + again.recording.spike_time / 1000)


def test_eight_chosen_sessions_keep_their_own_schedules(tmp_path):
    """Six sessions under FR1 and five under FR5: the last two of the first six are FR1, the ninth to eleventh FR5."""
    schedules = ["FR1"] * 6 + ["FR5"] * 5
    for k, schedule in enumerate(schedules, 1):
        folder = tmp_path / "D1" / "I2"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"I2_D{k:02d}_Sess{k}_{schedule}.dat").write_text("")
    table = build_manifest(tmp_path, choose="eight").table
    assert table["schedule"].tolist() == ["FR1"] * 4 + ["FR5"] * 4
    assert table["dat"].str.extract(r"_Sess(\d+)_")[0].astype(int).tolist() == [1, 2, 5, 6, 7, 8, 10, 11]
    assert table["session"].tolist() == list(range(1, 9))
