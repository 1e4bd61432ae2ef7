"""Schedule of the two-photon sessions: published statistics over seeds, clocks, and what drives a ring."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import von_mises
from netlib.openscope.ring import schedule_rates
from netlib.openscope.schedule import SPEED, TRIAL_COLUMNS, credit_assignment_schedule, draw_runs

SEEDS = range(12)


@pytest.fixture(scope="module")
def sessions():
    return [credit_assignment_schedule(seed) for seed in SEEDS]


def runs(flags):
    """Lengths and flags of runs of equal flags, by a plain loop."""
    found = []
    for flag in flags:
        if found and found[-1][0] == flag:
            found[-1][1] += 1
        else:
            found.append([flag, 1])
    return found


def gabors(schedule):
    return schedule.trials[schedule.trials["stimulus_type"] == "gabors"]


def test_a_default_session_is_the_published_one(sessions):
    for schedule in sessions:
        trials = schedule.trials
        assert list(trials.columns) == list(TRIAL_COLUMNS)
        assert trials.index.name == "id" and list(trials.index) == list(range(8844))
        counts = trials["stimulus_type"].value_counts()
        assert dict(counts) == {"gabors": 6800, "visflow": 2040, "grayscreen": 4}
        assert len(schedule.stim_times) == 252_000
        assert 126_700 <= len(schedule.twop_times) <= 127_200
        # Rows 0 and 1 of a published session that starts with gray.
        first = trials.iloc[0]
        assert (first["start_frame_stim"], first["stop_frame_stim"]) == (0, 1800)
        assert (first["start_frame_twop"], first["stop_frame_twop"]) == (143, 1046)
        assert first["start_time_sec"] == pytest.approx(14.306)
        assert first["stop_time_sec"] == pytest.approx(44.332, abs=0.002)
        assert trials["stimulus_type"].iloc[-1] == "grayscreen"


def test_letters_orientations_and_flags_of_gabors(sessions):
    for schedule in sessions:
        rows = gabors(schedule)
        letters = rows["gabor_frame"].to_numpy().reshape(-1, 5)
        unexpected = rows["unexpected"].to_numpy().reshape(-1, 5)
        mean = rows["gabor_mean_orientation"].to_numpy().reshape(-1, 5)
        assert (letters[:, [0, 1, 2, 4]] == np.array(list("ABCG"))).all()
        assert ((letters[:, 3] == "U") == (unexpected[:, 3] == 1)).all()
        assert set(letters[:, 3]) == {"D", "U"}
        assert (unexpected == unexpected[:, :1]).all()
        assert set(mean[:, 0]) == {0, 45, 90, 135}
        np.testing.assert_array_equal(mean[:, 3] - mean[:, 0], np.where(letters[:, 3] == "U", 90, 0))
        np.testing.assert_array_equal(mean[:, [1, 2, 4]], np.repeat(mean[:, :1], 3, axis=1))
        share = np.unique(mean[:, 0], return_counts=True)[1] / len(mean)
        assert np.abs(share - 0.25).max() < 0.06  # five standard deviations


def test_runs_of_gabors(sessions):
    counts, lengths = [], {0: [], 1: []}
    for schedule in sessions:
        flags = gabors(schedule)["unexpected"].to_numpy()[::5]
        found = runs(flags)
        assert found[0][0] == 0, "a block starts with an unexpected run"
        for flag, length in found:
            assert (2 <= length <= 4) if flag else (20 <= length <= 60)
            lengths[flag].append(length)
        counts.append(flags.sum())
    assert min(counts) >= 82 and max(counts) <= 105  # of 1360: published sessions
    assert len(set(counts)) > 4
    assert set(lengths[1]) == {2, 3, 4}
    assert min(lengths[0]) < 25 and max(lengths[0]) > 55
    assert np.mean(lengths[1]) == pytest.approx(3, abs=0.2)


def test_runs_and_directions_of_flow(sessions):
    orders = set()
    for schedule in sessions:
        rows = schedule.trials[schedule.trials["stimulus_type"] == "visflow"]
        first_direction = rows["main_flow_direction"].iloc[0]
        orders.add((first_direction, bool(rows.index[0] == 1)))
        for direction in ("right (temp)", "left (nasal)"):
            block = rows[rows["main_flow_direction"] == direction]
            assert len(block) == 1020 and (np.diff(block.index) == 1).all()
            found = runs(block["unexpected"].to_numpy())
            assert found[0][0] == 0
            assert all((2 <= n <= 4) if flag else (30 <= n <= 90) for flag, n in found)
            assert 14 <= sum(flag for flag, _ in found) <= 18  # published
            np.testing.assert_array_equal(block["square_proportion_flipped"], 0.25 * block["unexpected"])
            assert set(block["num_frames_twop"]) == {30, 31}
    assert len(orders) == 4  # Gabors before or after, directions in either order


def test_patches_belong_to_letters_and_scatter_round_the_mean(sessions):
    rows = gabors(sessions[0])
    places = {}
    for letter, group in rows.groupby("gabor_frame"):
        for column in ("gabor_locations_x", "gabor_locations_y", "gabor_sizes"):
            values = np.stack(list(group[column]))
            assert (values == values[0]).all()
            assert values.shape[1] == (0 if letter == "G" else 30)
            places[letter, column] = values[0]
    assert not np.array_equal(places["D", "gabor_locations_x"], places["U", "gabor_locations_x"])
    sizes = np.concatenate([v for (_, c), v in places.items() if c == "gabor_sizes"])
    assert sizes.min() >= 204 and sizes.max() <= 408
    x = np.concatenate([v for (_, c), v in places.items() if c == "gabor_locations_x"])
    y = np.concatenate([v for (_, c), v in places.items() if c == "gabor_locations_y"])
    assert 800 < np.abs(x).max() <= 960 and 500 < np.abs(y).max() <= 600
    shown = rows[rows["gabor_frame"] != "G"]
    spread = np.stack(list(shown["gabor_orientations"])) - shown["gabor_mean_orientation"].to_numpy()[:, None]
    # Mean resultant length of a von Mises of concentration 16: I1(16) / I0(16).
    assert np.cos(np.radians(spread)).mean() == pytest.approx(0.9682, abs=0.001)
    assert spread.mean() == pytest.approx(0, abs=0.1)
    assert spread.std() == pytest.approx(14.55, abs=0.1)


@pytest.mark.parametrize(
    "settings", [{}, {"gabor_minutes": 2, "flow_minutes": 1}, {"stim_fps": 60.0, "twop_fps": 15.5}]
)
def test_clocks_agree(settings):
    schedule = credit_assignment_schedule(3, **settings)
    trials, stim, twop = schedule.trials, schedule.stim_times, schedule.twop_times
    for clock, times in (("stim", stim), ("twop", twop)):
        start, stop = trials[f"start_frame_{clock}"].to_numpy(), trials[f"stop_frame_{clock}"].to_numpy()
        np.testing.assert_array_equal(start[1:], stop[:-1])
        np.testing.assert_array_equal(stop - start, trials[f"num_frames_{clock}"])
        assert start[0] >= 0 and stop[-1] <= len(times) and (stop > start).all()
    np.testing.assert_array_equal(trials["start_time_sec"], stim[trials["start_frame_stim"]])
    np.testing.assert_allclose(trials["stop_time_sec"][:-1], trials["start_time_sec"][1:])
    nearest = [int(np.argmin(np.abs(twop - t))) for t in trials["start_time_sec"][::97]]
    np.testing.assert_array_equal(trials["start_frame_twop"][::97], nearest)
    assert schedule.stim_fps == pytest.approx(settings.get("stim_fps", 59.95))
    assert schedule.twop_fps == pytest.approx(settings.get("twop_fps", 30.08))
    assert twop[0] < stim[0] and twop[-1] > stim[-1]


def test_the_same_seed_gives_the_same_session_and_another_seed_another():
    a, b, c = (credit_assignment_schedule(seed, gabor_minutes=4, flow_minutes=2) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(a.trials, b.trials)
    assert not gabors(a)["gabor_mean_orientation"].equals(gabors(c)["gabor_mean_orientation"])
    # What one block holds does not depend on the others.
    alone = credit_assignment_schedule(5, gabor_minutes=4, flow_minutes=0)
    for column in ("gabor_frame", "gabor_mean_orientation", "unexpected"):
        np.testing.assert_array_equal(gabors(a)[column], gabors(alone)[column])


def test_short_sessions_keep_the_statistics():
    share = []
    for seed in SEEDS:
        rows = gabors(credit_assignment_schedule(seed, gabor_minutes=5, flow_minutes=0))
        flags = rows["unexpected"].to_numpy()[::5]
        assert all((2 <= n <= 4) if flag else (20 <= n <= 60) for flag, n in runs(flags))
        share.append(flags.mean())
    assert min(share) >= 0.06 and max(share) <= 0.08


def test_a_session_without_surprise_has_none():
    trials = credit_assignment_schedule(1, unexpected=False, gabor_minutes=3, flow_minutes=1).trials
    assert "U" not in set(trials["gabor_frame"])
    assert trials["unexpected"].max() == 0 and trials["square_proportion_flipped"].max() == 0


def test_blocks_come_in_the_order_asked():
    trials = credit_assignment_schedule(1, order=["left (nasal)", "gabors"], gabor_minutes=1, flow_minutes=1).trials
    assert list(dict.fromkeys(trials["main_flow_direction"])) == ["", "left (nasal)"]
    assert trials["stimulus_type"].iloc[1] == "visflow"


def test_squares_move_with_the_flow_and_a_quarter_against_it():
    trials = credit_assignment_schedule(2, gabor_minutes=0, flow_minutes=2, light=False).trials
    rows = trials[trials["main_flow_direction"] == "left (nasal)"]
    x = np.concatenate(list(rows["square_locations_x"]), axis=1)
    assert x.shape == (105, 120 * 60) and np.abs(x).max() <= 960 + 64
    step = np.diff(x.astype(float), axis=1)
    step = (step + 1024) % 2048 - 1024  # over the edge and back on the other side
    np.testing.assert_allclose(np.abs(step), SPEED / 60, rtol=1e-3)
    against = (step > 0).sum(axis=0).reshape(-1)[::60]  # in the first step of each row
    np.testing.assert_array_equal(against, 26 * rows["unexpected"].to_numpy())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gabor_minutes": -1}, "gabor_minutes = -1 min"),
        ({"kappa": 0}, "kappa = 0"),
        ({"unexpected": "often"}, "unexpected = 'often'"),
        ({"gabor_minutes": 0, "flow_minutes": 0}, "nothing is shown"),
        ({"order": ["gabors", "gabors"]}, "names a block twice"),
        ({"order": ["left"]}, "order = 'left'"),
        ({"stim_fps": 0}, "stim_fps = 0 Hz"),
    ],
)
def test_what_makes_no_session_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        credit_assignment_schedule(1, **settings)


def test_runs_drawn_for_few_steps_are_still_legal():
    rng = np.random.default_rng(0)
    for n in range(1, 80):
        flags = draw_runs(rng, n, (20, 60), (2, 4), (0.06, 0.08), tries=200)
        assert flags.shape == (n,)
        found = runs(flags)
        assert all((2 <= k <= 4) if flag else (20 <= k <= 60 or k == n) for flag, k in found)
        assert n < 22 or not n >= 60 or flags.any()


# ---------------------------------------------------------------- excerpt, protocol, drive


def test_an_excerpt_keeps_whole_rows_and_their_times():
    whole = credit_assignment_schedule(4, gabor_minutes=2, flow_minutes=1, order=["gabors", "right (temp)"])
    part = whole.excerpt(50.0, 80.0)
    assert part.trials["start_time_sec"].iloc[0] >= 50 and part.trials["stop_time_sec"].iloc[-1] <= 80
    assert len(part) == 99
    trials = part.trials
    np.testing.assert_allclose(part.stim_times[trials["start_frame_stim"]], trials["start_time_sec"])
    assert np.abs(part.twop_times[trials["start_frame_twop"]] - trials["start_time_sec"]).max() <= 0.5001 / 30.08
    assert trials["stop_frame_twop"].iloc[-1] <= len(part.twop_times)
    with pytest.raises(ValueError, match="hold no whole row"):
        whole.excerpt(50.0, 50.1)


def test_protocol_shows_the_gabors_in_ms():
    schedule = credit_assignment_schedule(4, gabor_minutes=2, flow_minutes=1, order=["right (temp)", "gabors"])
    protocol, rows = schedule.protocol(), gabors(schedule)
    table = protocol.table
    assert len(table) == 400 and set(table["stimulus"]) == {"GaborSequence"}
    np.testing.assert_array_equal(table["trial"], np.repeat(np.arange(80), 5))
    np.testing.assert_allclose(table["onset"] / 1000, rows["start_time_sec"] - schedule.twop_times[0])
    shown = (table["gabor_frame"] != "G").to_numpy()
    np.testing.assert_array_equal(table["orientation"][shown], rows["gabor_mean_orientation"][shown.tolist()] % 180)
    assert table["orientation"][~shown].isna().all() and (table["contrast"][~shown] == 0).all()
    assert table["B_theta"][shown].iloc[0] == pytest.approx(14.324, abs=0.001)
    assert protocol.duration == pytest.approx(1000 * schedule.duration)


def test_rates_are_those_of_the_patches_on_screen():
    schedule = credit_assignment_schedule(4, gabor_minutes=1, flow_minutes=1, order=["gabors", "right (temp)"])
    rates = schedule_rates(schedule, n_channels=12, peak=30.0, pedestal=0.1, flow=0.4, flow_surprise=0.5)
    assert rates.duration == pytest.approx(1000 * schedule.duration, abs=1)
    for i in (0, 1, 4, 5, 23, 100, len(schedule) - 2):
        row = schedule.trials.iloc[i]
        tuned = np.zeros(12)
        if len(row["gabor_orientations"]):
            tuned = np.mean([von_mises(15.0 * np.arange(12), t, 15.0) for t in row["gabor_orientations"]], axis=0)
        elif row["stimulus_type"] == "visflow":
            tuned += 0.4 * (1 + 0.5 * row["unexpected"])
        edge = 1000 * (row["start_time_sec"] - schedule.twop_times[0])
        inside = rates.mean(edge + 2, edge + 1000 * row["duration_sec"] - 2)
        np.testing.assert_allclose(inside, 30 * (0.1 + 0.9 * tuned))
    # The time average over all is that of rows weighted by their lengths, whatever the bins.
    for dt in (1.0, 7.3):
        other = schedule_rates(schedule, n_channels=12, peak=30.0, pedestal=0.1, flow=0.4, flow_surprise=0.5, dt=dt)
        total = other.rates.sum(axis=1) * dt - 3.0 * (other.duration - 1000 * schedule.duration)
        np.testing.assert_allclose(total, rates.rates.sum(axis=1) - 3.0 * (rates.duration - 1000 * schedule.duration))


def test_rates_of_a_part_are_a_part_of_the_rates():
    schedule = credit_assignment_schedule(4, gabor_minutes=1, flow_minutes=0)
    whole = schedule_rates(schedule, n_channels=6)
    part = schedule_rates(schedule, n_channels=6, start=40_000.0, stop=52_000.0)
    np.testing.assert_allclose(part.rates, whole.rates[:, 40_000:52_000])
    with pytest.raises(ValueError, match="flow = 2"):
        schedule_rates(schedule, flow=2.0)
