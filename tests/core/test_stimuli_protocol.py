"""Protocol: the table, its checks, what is rendered when, and files."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.stimuli import Blank, Gabor, Grating, MotionCloud, NaturalMovie, Protocol, dominant_orientation


def test_tuning_table():
    protocol = Protocol.tuning(
        MotionCloud(), 8, contrasts=[0.1, 1.0], B_thetas=[0, 36], trials=3, duration=300, gap=100
    )
    table = protocol.table
    assert len(protocol) == 8 * 2 * 2 * 3 == len(protocol.stimuli)
    assert protocol.duration == 200 + 96 * 400
    np.testing.assert_allclose(np.diff(table["onset"]), 400)
    assert sorted(table["orientation"].unique()) == [22.5 * i for i in range(8)]
    assert (table.groupby(["orientation", "contrast", "B_theta", "trial"]).size() == 1).all()
    # One seed per trial, a new one for each.
    assert (table.groupby("trial")["seed"].nunique() == 1).all()
    assert table["seed"].nunique() == 3
    assert (table["stimulus"] == "MotionCloud").all()
    for stimulus, row in zip(protocol.stimuli, table.itertuples(), strict=True):
        assert (stimulus.theta, stimulus.contrast, stimulus.B_theta) == (row.orientation, row.contrast, row.B_theta)
        assert (stimulus.direction, stimulus.seed) == (row.direction, row.seed)


def test_tuning_keeps_the_stimulus_own_contrast():
    assert (Protocol.tuning(Grating(contrast=0.4), 4).table["contrast"] == 0.4).all()


def test_tuning_takes_given_orientations_and_both_directions():
    table = Protocol.tuning(Grating(), [10, 55], both_directions=True).table
    assert list(table["orientation"]) == [10, 10, 55, 55]
    assert list(table["direction"]) == [280, 100, 325, 145]


def test_shuffle_is_seeded_and_within_trials():
    plain, one, same, other = (Protocol.tuning(Grating(), 12, trials=4, shuffle_seed=s).table for s in (None, 1, 1, 2))
    assert list(plain["orientation"][:12]) == [15.0 * i for i in range(12)]
    assert list(one["orientation"]) == list(same["orientation"]) != list(other["orientation"])
    assert list(one["orientation"][:12]) != list(one["orientation"][12:24])
    for _, block in one.groupby("trial"):
        assert sorted(block["orientation"]) == [15.0 * i for i in range(12)]
    assert list(one["trial"]) == list(plain["trial"])


def test_windows():
    protocol = Protocol.sequence([Grating(), Blank(), Gabor()], [100, 50, 200], gap=30, lead=20)
    np.testing.assert_allclose(protocol.windows(), [[20, 120], [150, 200], [230, 430]])
    assert protocol.duration == 460
    assert np.isnan(protocol.table["orientation"][1])


def test_movie_shows_each_stimulus_in_its_window():
    stimuli = [Grating(theta=20), MotionCloud(theta=110, B_theta=0), Grating(theta=20)]
    protocol = Protocol.sequence(stimuli, 200, gap=100, lead=50)
    movie = protocol.movie(32)
    assert movie.duration == protocol.duration
    for (start, stop), stimulus in zip(protocol.windows(), stimuli, strict=True):
        part = movie.frames[round(start / 10) : round(stop / 10)]
        np.testing.assert_array_equal(part, stimulus.movie(200, 32).frames)
    covered = np.zeros(len(movie), bool)
    for start, stop in protocol.windows():
        covered[round(start / 10) : round(stop / 10)] = True
    assert (movie.frames[~covered] == 0.5).all()
    assert dominant_orientation(stimuli[0].movie(200))[0] == pytest.approx(20, abs=0.5)


def test_equal_stimuli_are_rendered_once(monkeypatch):
    calls = []
    real = Grating._signal
    monkeypatch.setattr(Grating, "_signal", lambda self, *a: (calls.append(self.theta), real(self, *a))[1])
    Protocol.tuning(Grating(), 3, trials=5, duration=50, gap=0, lead=0).movie(16)
    assert sorted(calls) == [0, 60, 120]


def test_movie_refuses_times_between_frames():
    with pytest.raises(ValueError, match="onset = 5 ms is not a whole number"):
        Protocol.sequence([Grating()], 100, lead=5, gap=5).movie(16)
    with pytest.raises(ValueError, match="plain table"):
        Protocol(pd.DataFrame({"onset": [0], "duration": [10]})).movie()


def test_csv_round_trip(tmp_path):
    stimuli = [
        Grating(theta=20, reverse=True),
        MotionCloud(seed=2**50 + 1),
        Blank(),
        NaturalMovie(photo="cat"),
        Gabor(),
    ]
    protocol = Protocol.sequence(stimuli, 100, gap=50, lead=10, trials=[0, 0, 1, 1, 2])
    again = Protocol.from_csv(protocol.to_csv(tmp_path / "protocol.csv"))
    pd.testing.assert_frame_equal(again.table, protocol.table, check_dtype=False)
    assert again.duration == protocol.duration
    assert again.stimuli == protocol.stimuli


def test_table_written_as_json_comes_back():
    # What a Recording does: lists, with NaN and infinity as text.
    protocol = Protocol.sequence([Grating(theta=20), Blank(), NaturalMovie(), MotionCloud(B_theta=np.inf)], 100)
    lists = {
        name: [str(v) if isinstance(v, float) and not np.isfinite(v) else v for v in values]
        for name, values in protocol.table.to_dict("list").items()
    }
    again = Protocol.from_table(pd.DataFrame(lists), protocol.duration)
    assert again.stimuli == protocol.stimuli
    np.testing.assert_array_equal(again.windows(), protocol.windows())


def test_plain_table():
    protocol = Protocol.from_table(pd.DataFrame({"onset": [500, 0], "duration": [250, 250], "orientation": [190, 45]}))
    assert protocol.stimuli == ()
    assert list(protocol.table["onset"]) == [0, 500]
    assert list(protocol.table["orientation"]) == [45, 10]
    assert protocol.duration == 750
    assert list(protocol.table["contrast"]) == [1, 1]
    assert list(protocol.table["stimulus"]) == ["unknown"] * 2


def test_rows_are_sorted_with_their_stimuli():
    table = pd.DataFrame({"onset": [100, 0], "duration": [50, 50]})
    protocol = Protocol(table, (Grating(theta=10), Grating(theta=80)))
    assert [s.theta for s in protocol.stimuli] == [80, 10]


GOOD = {"onset": [0.0, 100.0], "duration": [100.0, 100.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"onset": [0.0, 99.0]}, "presentations 0 and 1 overlap: one ends at 100 ms, the next starts at 99 ms"),
        ({"onset": [-1.0, 100.0]}, r"onset\[0\] = -1 ms is out of range: it must be in \[0, inf\) ms"),
        ({"duration": [100.0, -5.0]}, r"duration\[1\] = -5 ms"),
        ({"duration": [100.0, 0.0]}, r"duration\[1\] = 0 ms"),
        ({"duration": [100.0, np.nan]}, r"duration\[1\] = nan ms"),
        ({"orientation": [0.0, np.pi / 4]}, r"orientation\[1\] = 0.785.* looks like radians \(45 deg\)"),
        ({"contrast": [1.5, 1.0]}, r"contrast\[0\] = 1.5 is out of range: it must be in \[0, 1\]"),
        ({"B_theta": [-3.0, 1.0]}, "B_theta = -3 deg is out of range"),
    ],
)
def test_bad_tables(change, message):
    with pytest.raises(ValueError, match=message):
        Protocol.from_table(pd.DataFrame(GOOD | change))


def test_bad_protocols():
    with pytest.raises(ValueError, match="table is empty"):
        Protocol(pd.DataFrame({"onset": [], "duration": []}))
    with pytest.raises(ValueError, match=r"lacks the columns \['duration'\]"):
        Protocol(pd.DataFrame({"onset": [0]}))
    with pytest.raises(ValueError, match="duration = 150 ms is too short: the last presentation ends at 200 ms"):
        Protocol(pd.DataFrame(GOOD), duration=150)
    with pytest.raises(ValueError, match="one per row"):
        Protocol(pd.DataFrame(GOOD), (Grating(),))
    with pytest.raises(ValueError, match="stimuli is empty"):
        Protocol.sequence([])
    with pytest.raises(TypeError, match="stimuli = 'grating' has the wrong type: it must be a Stimulus"):
        Protocol.sequence(["grating"])
    with pytest.raises(ValueError, match="gap = -1 ms"):
        Protocol.sequence([Grating()], gap=-1)
    with pytest.raises(ValueError, match="duration = 0 ms"):
        Protocol.sequence([Grating()], 0)


def test_bad_tuning():
    with pytest.raises(ValueError, match="NaturalMovie has no orientation"):
        Protocol.tuning(NaturalMovie())
    with pytest.raises(ValueError, match="Grating has no bandwidth to vary"):
        Protocol.tuning(Grating(), B_thetas=[5])
    with pytest.raises(ValueError, match="looks like radians"):
        Protocol.tuning(Grating(), np.linspace(0, np.pi, 4, endpoint=False))
    with pytest.raises(ValueError, match="orientations is empty"):
        Protocol.tuning(Grating(), [])
    with pytest.raises(ValueError, match=r"contrasts\[1\] = 1.5"):
        Protocol.tuning(Grating(), contrasts=[0.5, 1.5])
    with pytest.raises(ValueError, match="trials = 0"):
        Protocol.tuning(Grating(), trials=0)


@pytest.mark.parametrize("stimulus", [Grating(), Gabor(), MotionCloud(), NaturalMovie(), Blank()])
def test_parameters_are_flat_and_rebuild_the_stimulus(stimulus):
    parameters = stimulus.parameters()
    assert all(type(value) in (int, float, str) for value in parameters.values())
    assert type(stimulus)(**parameters) == stimulus
    assert set(parameters) == {f.name for f in dataclasses.fields(stimulus)}
