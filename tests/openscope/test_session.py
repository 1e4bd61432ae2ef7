"""Session and Stim over arrays: windows, selections, clocks, behaviour, tracking, the mouse table, published names."""

import numpy as np
import pandas as pd
import pytest
from _session_maker import (
    LEAD,
    TWOP_FPS,
    default_rows,
    flow,
    gray,
    make_arrays,
    make_session,
    sequences,
    trials_table,
)
from hypothesis import given
from hypothesis import strategies as st

from netlib.openscope import tracking, windows
from netlib.openscope.metadata import GROUPS
from netlib.openscope.mice import MouseTable, find_file
from netlib.openscope.published_names import PublishedSession
from netlib.openscope.schedule import COLUMNS, RAGGED
from netlib.openscope.session import Session
from netlib.openscope.windows import nearest_frames


@pytest.fixture(scope="module")
def session():
    return make_session()


class Counted:
    """An array that counts the elements read from it and remembers the longest stretch."""

    def __init__(self, values, chunks=None):
        self.values, self.chunks = values, chunks
        self.shape, self.ndim, self.read = values.shape, values.ndim, 0

    def __getitem__(self, where):
        found = self.values[where]
        self.read += found.size
        return found


# ---------------------------------------------------------------- windows


@given(
    st.lists(st.integers(0, 380), min_size=1, max_size=40),
    st.integers(1, 20),
    st.sampled_from([None, (16, 2), (64, 5)]),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
)
def test_windows_equal_a_plain_loop(starts, length, chunks, columns):
    data = np.random.default_rng(0).normal(size=(400, 5))
    read = windows.read_windows(Counted(data, chunks), starts, length, columns)
    slow = np.array([[data[s : s + length, c] for c in columns] for s in starts])
    assert np.array_equal(read, slow)
    one = windows.read_windows(Counted(data[:, 0].copy(), chunks and chunks[:1]), starts, length)
    assert np.array_equal(one, np.array([data[s : s + length, 0] for s in starts]))


def test_long_stretches_are_read_in_pieces(monkeypatch):
    monkeypatch.setattr(windows, "LONGEST", 50)
    data = np.random.default_rng(0).normal(size=(400, 3))
    starts = np.arange(0, 380, 3)
    assert max(b - a for a, b in windows.merge(starts, 20, 0, 50)) <= 50
    expected = np.array([data[s : s + 20].T for s in starts])
    assert np.array_equal(windows.read_windows(data, starts, 20), expected)


@pytest.mark.parametrize("chunks", [None, (256, 8)])
def test_few_events_read_few_elements(chunks):
    data = Counted(np.zeros((100_000, 40), np.float32), chunks)
    windows.read_windows(data, [500, 510, 40_000, 90_000], 45, [3, 4])
    frames = 45 + 10 + 45 + 45
    assert data.read <= frames * (2 if chunks is None else 2 + 8)
    data.read = 0
    windows.read_windows(data, [500], 45)
    assert data.read == 45 * 40


def test_time_axis_is_not_stretched():
    n_pre, n_post = windows.window_size(0.9, 0.6, 30.08)
    times = windows.window_times(n_pre, n_post, 30.08)
    assert (n_pre, n_post) == (27, 18) and times[n_pre] == 0 and np.allclose(np.diff(times), 1 / 30.08)
    assert windows.window_size(0, 0.45, 30.08) == (0, 14)
    with pytest.raises(ValueError, match="no frame"):
        windows.window_size(0.001, 0.001, 30)


def test_columns_are_read_in_order_and_in_blocks(monkeypatch):
    monkeypatch.setattr(windows, "BLOCK", 700)
    data = np.random.default_rng(0).normal(size=(100, 20))
    order = np.array([3, 19, 0, 7, 8, 2, 11, 12, 5, 6])
    found = np.full((10, 100), np.nan)
    for place, block in windows.read_columns(data, order):
        assert block.size <= 700
        found[place] = block
    assert np.array_equal(found, data[:, order].T)


# ---------------------------------------------------------------- dF/F around events


def test_dff_around_events_equals_a_plain_loop(session):
    events = session.gabors.select(frame=["D", "U"])
    data = session.dff(events, 0.9, 0.6)
    dff = session._parts.dff
    assert data.dims == ("trial", "roi", "time") and data.shape == (40, 12, 45)
    for k, ref in enumerate(events["start_frame_twop"]):
        assert np.array_equal(data[k], dff[ref - 27 : ref + 18].T)
    assert np.array_equal(data["trial"], events.index)
    assert np.array_equal(data["unexpected"], events["unexpected"])
    assert np.array_equal(data["roi_id"], session.roi_ids)
    assert float(data["time"][27]) == 0 and np.allclose(np.diff(data["time"]), 1 / session.fps)
    some = session.dff(events["start_frame_twop"].to_numpy(), 0.9, 0.6, rois=[5, 2], dtype=np.float32)
    assert some.dtype == np.float32 and np.array_equal(some, data[:, [5, 2]]) and some["roi"].values.tolist() == [5, 2]


def test_scaling_is_over_the_whole_session(session):
    dff = session._parts.dff.astype(float)
    low, middle, high = np.percentile(dff, [5, 50, 95], axis=0)
    median, spread = session.scale_factors()
    assert np.allclose(median, middle, rtol=1e-12) and np.allclose(spread, high - low, rtol=1e-12)
    events = session.gabors.select(frame="U")
    scaled = session.dff(events, 0, 0.6, scale=True)
    raw = session.dff(events, 0, 0.6)
    assert np.allclose(scaled, (raw - middle[:, None]) / (high - low)[:, None], atol=1e-12)
    some = make_session()  # nothing cached yet, and only what is asked for is read
    assert np.array_equal(some.dff(events, 0, 0.6, rois=[4], scale=True)[:, 0], scaled[:, 4])
    assert np.isfinite(some._scale[2]).sum() == 1
    assert np.array_equal(some.scale_factors()[0], median)


def test_events_that_leave_the_recording_are_dropped_and_named(session):
    n = len(session.twop_times)
    data = session.dff([3, 100, n - 18, n - 17], 0.9, 0.6)
    assert data.attrs["dropped"] == [0, 3] and data["trial"].values.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"none of 2 events.*27 \+ 18"):
        session.dff([3, n - 1], 0.9, 0.6)


def test_rois_with_nan_are_flagged_dropped_or_refused():
    arrays = make_arrays()
    arrays["dff"][300, 4] = np.nan  # inside a window
    arrays["dff"][10, 7] = np.nan  # outside
    arrays["dff"][:, 9] = np.nan
    s = Session.from_arrays(**arrays)
    data = s.dff([300], 0.2, 0.2)
    assert np.flatnonzero(data["has_nan"]).tolist() == [4, 9] and data.sizes["roi"] == 12
    left = s.dff([300], 0.2, 0.2, nan="drop")
    assert left["roi"].values.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11] and left.attrs["dropped_rois"] == [4, 9]
    with pytest.raises(ValueError, match=r"NaN.*\[4, 9\]"):
        s.dff([300], 0.2, 0.2, nan="raise")
    assert np.flatnonzero(s.nan_rois()).tolist() == [4, 7, 9]
    median, _ = s.scale_factors()
    assert np.isnan(median).tolist() == [k == 9 for k in range(12)]
    assert median[4] == pytest.approx(np.nanmedian(arrays["dff"][:, 4]), rel=1e-6)
    published = PublishedSession(s)
    assert published.get_nrois() == 9 and published.get_nrois(rem_bad=False) == 12
    assert published.get_bad_rois().tolist() == [4, 7, 9]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda s: s.dff([], 0.1, 0.1), "events has shape"),
        (lambda s: s.dff([1.5], 0.1, 0.1), "whole frames"),
        (lambda s: s.dff([100], 0.1, 0.1, rois=[12]), r"rois holds 12.*\[0, 12\)"),
        (lambda s: s.dff([100], 0.1, 0.1, nan="skip"), "nan = 'skip'"),
        (lambda s: s.dff([100], 0.1, float("nan")), "post"),
        (lambda s: s.stim("movie"), "stimulus = 'movie' is unknown"),
        (lambda s: s.pupil("size"), "pupil = 'size'"),
        (lambda s: s.traces(frames=slice(5, 5)), "not empty"),
    ],
)
def test_wrong_calls_are_refused(session, call, message):
    with pytest.raises(ValueError, match=message):
        call(session)


def test_whole_traces(session):
    assert np.array_equal(session.traces(), session._parts.dff.T)
    assert np.array_equal(session.traces([3, 1], slice(10, 50)), session._parts.dff[10:50, [3, 1]].T)
    median, spread = session.scale_factors()
    assert np.allclose(session.traces([3], scale=True)[0], (session._parts.dff[:, 3] - median[3]) / spread[3])


# ---------------------------------------------------------------- selections


def test_frames_and_unexpectedness(session):
    g = session.gabors
    assert len(g.select(frame="D")) == 35 and len(g.select(frame="U")) == 5
    assert len(g.select(unexpected=True)) == 25  # A, B, C, U and G of five sequences
    assert set(g.select(unexpected=True)["gabor_frame"]) == set("ABCUG")
    assert len(g.select(frame="A", unexpected=True)) == 5
    assert len(g.select(frame="G")) == 40
    assert g.select(frame=["D", "U"]).index.tolist() == list(range(4, 201, 5))
    pd.testing.assert_frame_equal(g.select(), session.trials[session.trials["stimulus_type"] == "gabors"])


def test_an_unexpected_d_is_the_u_in_its_place(session):
    g = session.gabors
    pd.testing.assert_frame_equal(g.select(frame="D", unexpected=True), g.select(frame="U"))
    assert set(g.select(frame=["D", "U"], unexpected=True)["gabor_frame"]) == {"U"}
    assert set(g.select(frame="D", unexpected=False)["gabor_frame"]) == {"D"}


def test_orientations_are_those_of_the_rows(session):
    g = session.gabors
    # Sequences 10, 11, 12, 25, 26 have means 90, 135, 0, 45, 90 deg: U has 90 deg more.
    assert g.select(frame="U")["gabor_mean_orientation"].tolist() == [180, 225, 90, 135, 180]
    assert g.select(frame="U", orientation=[90, 135])["gabor_mean_orientation"].tolist() == [90, 135]
    assert len(g.select(frame="D", orientation=45)) == 9


def test_first_of_run_is_the_first_sequence_of_each_run(session):
    g = session.gabors
    # One row of gray, then sequence k at rows 1 + 5k.
    assert g.select(frame="U", first_of_run=True).index.tolist() == [1 + 50 + 3, 1 + 125 + 3]
    assert g.select(unexpected=True, first_of_run=True).index.tolist() == [*range(51, 56), *range(126, 131)]
    assert g.select(frame="A", unexpected=False, first_of_run=True).index.tolist() == [1, 66, 136]
    v = session.visflow
    assert v.select(unexpected=True, first_of_run=True).index.tolist() == [202 + 12, 233 + 8, 233 + 20]
    assert v.select(unexpected=False, first_of_run=True).index.tolist() == [202, 202 + 15, 233, 233 + 10, 233 + 23]


def test_a_gray_row_ends_a_run():
    rows = [*sequences(4, {3}, [0.0]), *gray(), *sequences(4, {0}, [0.0]), *gray()]
    g = make_session(rows=rows).gabors
    assert g.select(frame="U", first_of_run=True).index.tolist() == [18, 24]
    assert len(g.block_params) == 2 and g.runs()["n_sequences"].tolist() == [3, 1, 1, 3]
    assert g.runs()["opens_block"].tolist() == [True, False, True, False]


def test_a_sequence_is_unexpected_as_a_whole():
    table = trials_table(default_rows())
    early = table["gabor_frame"].isin(list("ABC"))
    table.loc[early, "unexpected"] = 0.0  # a table that marks only U and G
    s = Session.from_arrays(**make_arrays(trials=table))
    assert s.gabors.select(frame="A", unexpected=True, first_of_run=True).index.tolist() == [51, 126]


def test_runs_and_blocks(session):
    runs = session.visflow.runs()
    assert runs["n_sequences"].tolist() == [12, 3, 15, 8, 2, 10, 3, 7]
    assert runs["block"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert runs["duration_sec"].tolist() == pytest.approx(runs["n_sequences"].tolist())
    assert runs["start_seg"].iloc[1] == 214 and runs["stop_seg"].iloc[1] == 217
    blocks = session.visflow.block_params
    assert blocks["main_flow_direction"].tolist() == ["right (temp)", "left (nasal)"]
    assert (blocks["stop_frame_stim"] - blocks["start_frame_stim"]).tolist() == [1800, 1800]
    p = session.gabors.parameters
    assert p["kappa"] == [16.0] and p["unexpected_run_s"] == pytest.approx((3.0, 4.5))
    assert p["segment_s"] == pytest.approx(0.3)


@pytest.mark.parametrize("word", ["right (temp)", "right", "temp", ["right"]])
def test_directions_by_name_or_word(session, word):
    assert session.visflow.select(direction=word)["main_flow_direction"].unique().tolist() == ["right (temp)"]


def test_ranges_and_numbers(session):
    g = session.gabors
    assert g.select(rows=[3, 4, 9999]).index.tolist() == [3, 4]
    first = g.rows["start_frame_twop"].iloc[0]
    assert g.select(frames_twop=(first, first + 10)).index.tolist() == [1, 2]
    assert g.select(times=(0, g.rows["start_time_sec"].iloc[3])).index.tolist() == [1, 2, 3]
    assert g.select(frames_stim=(240, 258)).index.tolist() == [1]
    assert len(session.grayscr.select()) == 4


@pytest.mark.parametrize(
    "kind, criteria, parts",
    [
        ("gabors", {"frame": "U", "unexpected": False}, ["frame = 'U'", "unexpected = False", "'U' (5)", "200 rows"]),
        ("gabors", {"orientation": 30}, ["orientation = 30", "45.0 (49)"]),
        ("gabors", {"direction": "right"}, ["gabors have no direction"]),
        ("gabors", {"unexpected": "yes"}, ["unexpected = 'yes'", "True, False or None"]),
        ("gabors", {"frame": "X"}, ["frame = 'X' is unknown"]),
        ("visflow", {"direction": "up"}, ["direction = 'up'", "left (nasal)"]),
        ("visflow", {"frame": "D"}, ["visflow have no frame"]),
        ("visflow", {"size": 256, "unexpected": True}, ["size = 256", "128.0 (60)", "60 rows"]),
        ("grayscr", {"unexpected": True}, ["4 rows"]),
    ],
)
def test_an_empty_selection_says_what_there_is(session, kind, criteria, parts):
    with pytest.raises(ValueError) as error:
        session.stim(kind).select(**criteria)
    assert all(part in str(error.value) for part in parts), str(error.value)


def test_a_stimulus_that_was_not_shown_is_named():
    s = make_session(rows=[*gray(), *sequences(3, {1}, [0.0])])
    with pytest.raises(ValueError, match=r"'visflow' was not shown.*'grayscreen', 'gabors'"):
        s.visflow  # noqa: B018
    assert PublishedSession(s).stimtypes == ["gabors"]


# ---------------------------------------------------------------- the table and the parts


def test_the_table_has_all_columns_and_no_arrays(session):
    assert list(session.trials.columns) == list(COLUMNS) and session.trials.index.name == "id"
    assert np.allclose(session.trials["duration_sec"], session.trials["num_frames_stim"] / 60)
    full = session.full_trials()
    assert set(RAGGED) < set(full) and full["gabor_sizes"].iloc[1].shape == (30,)
    assert full["square_locations_x"].iloc[202].shape == (5, 60) and len(full["gabor_sizes"].iloc[0]) == 0


def drop(name):
    return lambda t: t.drop(columns=[name])


def put(name, row, value):
    def change(t):
        t[name] = t[name].astype(object)
        t.loc[row, name] = value
        return t

    return change


@pytest.mark.parametrize(
    "change, error, message",
    [
        (drop("unexpected"), KeyError, "unexpected"),
        (drop("start_frame_twop"), KeyError, "start_frame_twop"),
        (drop("gabor_frame"), KeyError, "with gabors.*gabor_frame"),
        (drop("main_flow_direction"), KeyError, "main_flow_direction"),
        (put("stimulus_type", 7, "dots"), ValueError, "stimulus_type holds 'dots'"),
        (put("start_frame_twop", 7, 10**7), ValueError, "row 7 spans twop frames"),
        (put("stop_frame_stim", 7, 0), ValueError, "row 7 spans stim frames"),
        (put("start_frame_stim", 7, np.nan), ValueError, "start_frame_stim = nan at row 7"),
        (put("start_time_sec", 7, 0.0), ValueError, "start_time_sec does not increase at row 7"),
        (put("gabor_kappa", 7, "big"), ValueError, "gabor_kappa holds values that are not numbers"),
        (lambda t: t.iloc[:0], ValueError, "trials is empty"),
    ],
)
def test_faulty_tables_are_refused(change, error, message):
    arrays = make_arrays(ragged=False)
    arrays["trials"] = change(arrays["trials"])
    with pytest.raises(error, match=message):
        Session.from_arrays(**arrays)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"dff": np.zeros(100)}, "dff has shape"),
        ({"running": np.zeros(5)}, r"running has shape \(5,\)"),
        ({"pupil": {"diameter": np.zeros(5)}}, r"pupil\['diameter'\] has shape"),
        ({"pupil": {"size": np.zeros(5)}}, "pupil = 'size' is unknown"),
        ({"tracking_ids": np.arange(3)}, "tracking_ids has shape"),
        ({"masks": np.zeros((3, 4, 4))}, "masks has shape"),
        ({"roi_ids": np.zeros(12)}, "same number twice"),
        ({"metadata": {"mouse": 3}}, r"unknown names \['mouse'\]"),
        ({"tracking_ids": np.zeros(12), "tracked_only": True}, "ROIs 0 and 1 both have 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_session(**changes)


def test_clocks_must_increase_and_be_in_seconds():
    arrays = make_arrays()
    times = arrays["twop_times"].copy()
    times[50] = times[49]
    with pytest.raises(ValueError, match=r"twop_times\[50\]"):
        Session.from_arrays(**{**arrays, "twop_times": times})
    with pytest.raises(ValueError, match=r"30.* twop frames/s.*0.03.*seconds"):
        Session.from_arrays(**{**arrays, "twop_times": arrays["twop_times"] * 1000})


# ---------------------------------------------------------------- clocks


def test_rates_come_from_the_trials(session):
    t = session.trials
    frames = t["stop_frame_twop"].iloc[-1] - t["start_frame_twop"].iloc[0]
    assert session.fps == frames / (t["stop_time_sec"].iloc[-1] - t["start_time_sec"].iloc[0])
    assert session.stim_fps == pytest.approx(60)


def test_frames_map_to_the_nearest_of_the_other_clock(session):
    stim, twop = session.stim_times, session.twop_times
    some = np.random.default_rng(1).integers(0, len(stim), 300)
    assert np.array_equal(session.stim_to_twop[some], [np.argmin(np.abs(twop - stim[k])) for k in some])
    back = session.twop_to_stim
    outside = (twop < stim[0]) | (twop > stim[-1])
    assert outside.sum() > 100 and np.array_equal(np.isnan(back), outside)
    inner = np.flatnonzero(~outside)[::37]
    assert np.array_equal(back[inner], [np.argmin(np.abs(stim - twop[k])) for k in inner])


@given(st.lists(st.floats(-5, 15), min_size=1, max_size=30))
def test_nearest_frames_equal_a_plain_search(source):
    target = np.array([0.0, 1.0, 1.5, 4.0, 10.0])
    found = nearest_frames(np.array(source), target)
    assert np.allclose(np.abs(target[found] - source), np.abs(target - np.array(source)[:, None]).min(axis=1))


# ---------------------------------------------------------------- behaviour


def test_jumps_are_removed_until_the_signal_is_back():
    v = np.array([5.0, 6, 100, 101, 30, 8, np.nan, 9, -80, -81])
    nan = np.nan
    assert np.array_equal(windows.remove_jumps(v), [5, 6, nan, nan, 30, 8, nan, 9, nan, nan], equal_nan=True)
    assert np.array_equal(windows.remove_jumps([0.0, 50.0, 101.0]), [0, 50, nan], equal_nan=True)


@given(st.lists(st.floats(-200, 200) | st.just(float("nan")), min_size=1, max_size=60))
def test_jumps_equal_a_plain_walk(values):
    slow, good = [], None
    for value in values:
        keep = not np.isnan(value) and (good is None or abs(value - good) <= 50)
        slow.append(value if keep else np.nan)
        good = value if keep else good
    assert np.array_equal(windows.remove_jumps(values), slow, equal_nan=True)


def test_gaps_are_bridged_and_values_scaled():
    nan = np.nan
    assert np.array_equal(windows.bridge_nan([nan, 2, nan, nan, 5, nan]), [2, 2, 3, 4, 5, 5])
    with pytest.raises(ValueError, match="no finite value"):
        windows.bridge_nan([nan, nan])
    x = np.append(np.random.default_rng(0).normal(3, 2, 999), nan)
    q = np.nanpercentile(x, [25, 50, 75])
    assert np.allclose(windows.robust_scale(x)[:-1], (x[:-1] - q[1]) / (q[2] - q[0]))
    with pytest.raises(ValueError, match="cannot be scaled"):
        windows.robust_scale(np.ones(5))


def test_running_and_pupil_around_events():
    arrays = make_arrays()
    arrays["running"][500] = 300.0
    arrays["pupil"]["diameter"][100:200] = np.nan
    s = Session.from_arrays(**arrays)
    lost = s.running(interpolate=False)
    assert np.flatnonzero(np.isnan(lost)).tolist() == [500]
    assert s.running()[500] == pytest.approx((lost[499] + lost[501]) / 2)
    around = s.running_around(s.gabors.select(frame="U"), 0.5, 0.5)
    ref = int(s.gabors.select(frame="U")["start_frame_stim"].iloc[0])
    assert around.dims == ("trial", "time") and around.shape == (5, 60)
    assert np.array_equal(around[0], s.running()[ref - 30 : ref + 30])
    with pytest.warns(UserWarning, match="pupil|diameter.*lost"):
        pupil = s.pupil_around([150], 0.1, 0.1, interpolate=False)
    assert pupil.shape == (1, 6) and np.isnan(pupil).all()
    with pytest.warns(UserWarning, match="0.03%"):
        assert np.isfinite(s.pupil_around([150], 0.1, 0.1, scale=True)).all()
    with pytest.raises(KeyError, match="running"):
        make_session(running=None).running()
    with pytest.raises(KeyError, match=r"pupil_position_x.*\['diameter'\]"):
        make_session(pupil={"diameter": np.ones(len(s.twop_times))}).pupil("x")


# ---------------------------------------------------------------- tracking and masks


def test_tracked_rois_come_in_the_order_of_tracking(session):
    order = session.tracked_order()
    ids = session.tracking_ids
    assert (np.diff(ids[order]) > 0).all() and len(order) == np.isfinite(ids).sum()
    tracked = make_session(tracked_only=True)
    assert np.array_equal(tracked.roi_ids, session.roi_ids[order]) and tracked.n_rois == len(order)
    events = session.gabors.select(frame="U")
    assert np.array_equal(tracked.dff(events, 0, 0.3, scale=True), session.dff(events, 0, 0.3, rois=order, scale=True))
    assert np.array_equal(tracked.masks(), session.masks()[order])
    PublishedSession(tracked).set_only_tracked_rois(False)
    assert tracked.n_rois == 12
    with pytest.raises(KeyError, match="not tracked"):
        make_session(tracking_ids=None, tracked_only=True)


def test_masks_are_thresholded():
    weights = np.zeros((3, 8, 8))
    weights[0, :2, :2] = [[0.9, 0.9], [0.9, 0.05]]  # 2.7 pixels: emptied
    weights[1, :2, :2] = 0.8
    weights[1, 5, 5] = 0.0999
    weights[2] = 0.09  # all below
    masks = tracking.threshold_masks(weights)
    assert masks.dtype == bool and masks.sum(axis=(1, 2)).tolist() == [0, 4, 0]


def test_registration_follows_the_inverse_map():
    image = np.random.default_rng(0).uniform(0, 255, (40, 50))
    shift = np.array([[1, 0, 3.0], [0, 1, -2.0], [0, 0, 1]])  # out(x, y) = image(x + 3, y - 2)
    moved = tracking.register_image(image, shift)
    assert np.allclose(moved[2:, :-3], image[:-2, 3:]) and (moved[:2] == 0).all() and (moved[:, -3:] == 0).all()
    matrix = np.array([[0.99, 0.02, 1.3], [-0.01, 1.01, -0.7], [1e-5, -2e-5, 1]])
    warped = tracking.register_image(image, matrix)
    for y, x in [(5, 7), (20, 30), (33, 41)]:
        u, v, w = matrix @ [x, y, 1]
        u, v = u / w, v / w
        i, j = int(v), int(u)
        dy, dx = v - i, u - j
        square = image[i : i + 2, j : j + 2]
        assert warped[y, x] == pytest.approx(np.array([1 - dy, dy]) @ square @ np.array([1 - dx, dx]), rel=1e-9)
    masks = np.zeros((2, 40, 50), bool)
    masks[0, 10:15, 20:26] = True
    moved = tracking.register_masks(masks, shift)
    assert moved[0, 12:17, 17:23].all() and moved.sum() == 30


def corner_shift(matrix, size=512):
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], float).T
    moved = matrix @ corners
    return np.abs(moved[:2] / moved[2] - corners[:2]).max()


def assert_one_mouse(trackings):
    """The tracking files of a mouse agree; transforms there and back (estimated one by one) within 20 px."""
    first, by_number = trackings[0], {t.sess_n: t for t in trackings}
    for other in trackings[1:]:
        assert (other.mouseid, other.sess_ns, other.sess_ids) == (first.mouseid, first.sess_ns, first.sess_ids)
        assert len(other) == len(first)
    for t in trackings:
        for number, forth in t.transforms.items():
            back = by_number[number].transforms.get(t.sess_n) if number in by_number else None
            assert back is None or corner_shift(forth @ back) <= 20.0


def test_published_tracking_files_agree(reference_folder):
    table = MouseTable.read(reference_folder / "openscope" / "mouse_df.csv")
    paths = sorted((reference_folder / "openscope" / "roi_tracking").glob("*.json"))
    mice = {}
    for path in paths:
        t = tracking.read_roi_tracking(path)
        row = table.row(t.sessid)
        assert (t.mouseid, t.sess_n, len(t)) == (row["mouseid"], row["sess_n"], row["nrois_tracked"])
        assert len(t.bad_indices) == row["nrois_all"] - row["nrois"]
        places = t.nwb_places(t.indices)
        assert len(set(places)) == len(t) and places.min() >= 0 and places.max() < row["nrois"]
        good = np.setdiff1d(np.arange(row["nrois_all"]), t.bad_indices)
        assert np.array_equal(good[places], t.indices)  # the plain way
        assert t.transforms.keys() == set(t.sess_ns) - {t.sess_n}
        mice.setdefault(t.mouseid, []).append(t)
    assert len(paths) == 39 and {len(m) for m in mice.values()} == {3}
    for three in mice.values():
        assert_one_mouse(three)
    # Gillon et al. 2024: 1160 ROIs tracked over sessions 1 to 3 of the 11 mice used.
    assert sum(len(m[0]) for m in mice.values() if m[0].sess_ns == (1, 2, 3)) == 1160


def tracking_file(folder, mouse=7, session=11, bad=(1,), indices=(0, 3), sess_n=1, roi=(70, 73)):
    import json

    def column(values):
        return {str(k): v for k, v in enumerate(values)}

    other = 3 - sess_n
    matrix = [[1.0, 0, 2.0 if sess_n == 1 else -2.0], [0, 1.0, 0], [0, 0, 1]]
    content = {
        "rois": {f"sess_{sess_n}_roi_id": column(roi), "dff-ordered_roi_index": column(indices)},
        "bad_rois": {f"sess_{sess_n}_bad_roi_id": column(bad), "dff_local_bad_roi_idx": column(bad)},
        "metadata": {
            "nway_info": {"0": ""},
            "minimum_iou": {"0": 0.0},
            "sess_ns": {"0": [1, 2]},
            "sess_ids": {"0": [11, 12]},
            f"sess_{other}_to_sess_{sess_n}_transformation_matrix": {"0": matrix},
        },
    }
    path = folder / f"mouse_{mouse}__session_{session}__nway_matched_rois.json"
    path.write_text(json.dumps(content))
    return path


def test_tracking_files_are_checked(tmp_path):
    one = tracking.read_roi_tracking(tracking_file(tmp_path))
    two = tracking.read_roi_tracking(tracking_file(tmp_path, session=12, sess_n=2))
    assert one.nwb_places(one.indices).tolist() == [0, 2] and one.transforms[2][0, 2] == 2
    assert_one_mouse([one, two])
    with pytest.raises(ValueError, match="both tracked and bad"):
        tracking.read_roi_tracking(tracking_file(tmp_path, bad=(3,)))
    with pytest.raises(ValueError, match="holds session 11, its name says 12"):
        tracking.read_roi_tracking(tracking_file(tmp_path, session=12))
    with pytest.raises(ValueError, match="one to one"):
        tracking.read_roi_tracking(tracking_file(tmp_path, indices=(3, 3)))
    damaged = tracking_file(tmp_path)
    damaged.write_text(damaged.read_text()[:-20])
    with pytest.raises(ValueError, match="not a tracking file"):
        tracking.read_roi_tracking(damaged)
    with pytest.raises(ValueError, match="not the name"):
        tracking.read_roi_tracking(tmp_path / "a.json")


# ---------------------------------------------------------------- the mouse table


def mouse_rows():
    base = {"line": "L23-Cux2", "plane": "dend", "runtype": "prod", "pass_fail": "P", "incl": "yes"}
    return pd.DataFrame(
        [
            {"sessid": 11, "mouse_n": 1, "mouseid": 100001, "sess_n": 1, "nrois": 30, **base},
            {"sessid": 12, "mouse_n": 1, "mouseid": 100001, "sess_n": 2, "nrois": 3, **base, "pass_fail": "F"},
            {"sessid": 21, "mouse_n": 2, "mouseid": 100002, "sess_n": 1, "nrois": 9, **base, "line": "L5-Rbp4"},
        ]
    )


def test_published_sessions_are_selected(reference_folder):
    table = MouseTable.read(reference_folder / "openscope" / "mouse_df.csv")
    assert len(table) == 50 and len(table.select(pass_fail="P")) == 42
    used = table.select(sess_n=[1, 2, 3], pass_fail="P", incl="yes")
    assert len(used) == 33 and used["mouse_n"].nunique() == 11
    # Gillon, Lecoq et al. 2023: mice of each group and their ROIs in sessions 1, 2, 3.
    mice = {"L2/3-D": {6, 9}, "L2/3-S": {1, 3, 13}, "L5-D": {8, 10, 11}, "L5-S": {4, 7, 12}}
    rois = {"L2/3-D": [1355, 648, 845], "L2/3-S": [407, 388, 397], "L5-D": [2807, 1633, 1664], "L5-S": [204, 183, 205]}
    for group in GROUPS:
        rows = used[used["group"] == group]
        assert set(rows["mouse_n"]) == mice[group]
        assert rows.groupby("sess_n")["nrois"].sum().tolist() == rois[group]
        pd.testing.assert_frame_equal(rows, table.select(sess_n=[1, 2, 3], pass_fail="P", incl="all", group=group))
    assert len(table.select(line="L2/3", plane="soma")) == len(table.select(group="L2/3-S"))
    facts = table.facts(758519303)
    assert (facts["mouseid"], facts["DOB"], facts["stim_seed"], facts["all_files"]) == (408021, "20180623", 30587, True)


@pytest.mark.parametrize(
    "criteria, expected",
    [
        ({}, [11, 12, 21]),
        ({"mouse_n": "any", "sess_n": "all"}, [11, 12, 21]),
        ({"min_rois": 5}, [11, 21]),
        ({"line": "L5"}, [21]),
        ({"line": "L23", "pass_fail": "P"}, [11]),
        ({"group": ["L2/3-D", "L5-D"], "sess_n": 1}, [11, 21]),
    ],
)
def test_selection(criteria, expected):
    assert MouseTable(mouse_rows()).select(**criteria)["sessid"].tolist() == expected


def test_wrong_selections_are_refused():
    table = MouseTable(mouse_rows())
    with pytest.raises(ValueError, match=r"plane = 'axon' is unknown"):
        table.select(plane="axon")
    with pytest.raises(ValueError, match=r"no session.*mouse_n = \[3\]"):
        table.select(mouse_n=3)
    with pytest.raises(KeyError, match="session 99 is not"):
        table.row(99)


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda t: t.drop(columns="mouseid"), KeyError, "mouseid"),
        (lambda t: t.assign(plane="axon"), ValueError, "plane holds 'axon'"),
        (lambda t: t.assign(sessid=11), ValueError, "sessid.*twice"),
        (lambda t: t.assign(sess_n=1), ValueError, "twice"),
        (lambda t: t.assign(nrois=[1, "x", 3]), ValueError, "nrois holds 'x'"),
        (lambda t: t.assign(mouseid=[1, 2, 3]), ValueError, "mouse_n 1 has more than one mouseid"),
        (lambda t: t.assign(mouseid=5), ValueError, "mouseid 5 has more than one mouse_n"),
    ],
)
def test_faulty_mouse_tables_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        MouseTable(change(mouse_rows()))


def test_files_are_found_by_mouse_and_session(tmp_path):
    (tmp_path / "sub-100001").mkdir()
    for name in ("behavior+image+ophys", "behavior+ophys", "obj-raw_behavior"):
        (tmp_path / "sub-100001" / f"sub-100001_ses-11_{name}.nwb").touch()
    table = MouseTable(mouse_rows())
    assert table.find(tmp_path, 11).name == "sub-100001_ses-11_behavior+image+ophys.nwb"
    assert find_file(tmp_path, 11, need="image").name == "sub-100001_ses-11_behavior+image+ophys.nwb"
    with pytest.raises(FileNotFoundError, match=r"sub-100001_\*ses-12"):
        table.find(tmp_path, 12)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        table.find(tmp_path / "none", 11)
    with pytest.raises(FileNotFoundError):
        MouseTable.read(tmp_path / "none.csv")
    mouse_rows().to_csv(tmp_path / "mice.csv", index=False)
    assert MouseTable.of(tmp_path / "mice.csv").session_id(2, 1) == 21


# ---------------------------------------------------------------- published names


def test_published_names_of_the_session(session):
    s = PublishedSession(session)
    assert s.extract_info(roi=True, run=True) is None and s.data_loaded() == (True, True, True)
    assert s.get_stim("gabors").stim is session.gabors and s.n_stims == 2 and s.stim_df is session.trials
    assert (s.mouse_n, s.sess_n, s.plane, s.twop_fps) == (1, 1, "soma", session.fps)
    assert (s.tot_twop_fr, s.tot_stim_fr) == (len(session.twop_times), len(session.stim_times))
    with pytest.raises(AttributeError, match="no_such_name"):
        s.no_such_name  # noqa: B018
    assert np.array_equal(s.get_roi_traces(), session.traces())
    assert np.array_equal(s.get_roi_traces([5, 6]), session.traces()[:, 5:7])
    assert np.array_equal(s.get_single_roi_trace(3), session.traces([3])[0])
    assert np.array_equal(s.get_run_velocity(), session.running())
    assert np.array_equal(s.get_pup_data("pup_center_x"), session.pupil("x"))
    assert s.roi_facts_df["range"].tolist() == session.scale_factors()[1].tolist()
    assert s.get_frames_timestamps(0.9, 0.6).shape == (45,)
    assert s.check_flanks([3, 100], (0.9, 0.6)).tolist() == [100]
    assert s.check_flanks([3, 100], (0.9, 0.6), ret_idx=True).tolist() == [1]
    assert s.get_fr_ran([3, 100], 0.1, 0.1).tolist() == [[0, 1, 2, 3, 4, 5], [97, 98, 99, 100, 101, 102]]
    active = make_arrays()
    active["dff"] = np.random.default_rng(0).normal(size=active["dff"].shape)
    active["dff"][2000:2050, 4] += 30
    assert 4 in PublishedSession(Session.from_arrays(**active)).get_active_rois("gabors")


def test_masks_under_their_published_names(session):
    s = PublishedSession(session)
    assert np.array_equal(s.get_roi_masks(raw=True), session.masks(raw=True))
    assert np.array_equal(s.get_registered_roi_masks(np.eye(3)), session.masks())


def test_every_published_name_that_is_the_session_s_own_is_there(session):
    s = PublishedSession(session)
    for name in ("stim2twopfr", "twop2stimfr", "nrois", "roi_names", "roi_masks", "max_proj", "tracked_rois"):
        assert getattr(s, name) is not None
    assert s.only_tracked_rois is False and s.stimtypes == ["gabors", "visflow"]
    g = s.get_stim("gabors")
    assert (g.stim_fps, g.seg_len_s, g.kappas) == (session.stim_fps, session.gabors.parameters["segment_s"], [16.0])
    assert (
        len(g) == len(session.gabors)
        and g.get_A_frame_1s().tolist() == g.select(frame="A")["start_frame_stim"].tolist()
    )
    v = s.get_stim("visflow")
    assert v.main_flow_direcs == ["left (nasal)", "right (temp)"] and v.square_sizes == [128.0]
    assert len(s.get_stim("grayscr").get_stop_fr()) == 4


def test_frames_are_converted_and_nan_kept(session):
    s = PublishedSession(session)
    frames = s.convert_frames([[200, np.nan]], "twop", "stim")
    assert frames[0, 0] == session.twop_to_stim[200] and np.isnan(frames[0, 1])
    assert np.isnan(s.convert_frames(0, "twop", "stim"))  # before the stimuli
    assert s.convert_frames(100, "stim", "twop") == round((LEAD + 100 / 60) * TWOP_FPS)
    with pytest.raises(ValueError, match="outside the stim clock"):
        s.convert_frames([-1], "stim", "twop")
    velocity = s.get_run_velocity_by_fr([0, 200], fr_type="twop")
    assert np.isnan(velocity[0]) and velocity[1] == session.running()[int(frames[0, 0])]


def test_published_names_of_the_stimuli(session):
    s = PublishedSession(session)
    g, v, gray = (s.get_stim(name) for name in ("gabors", "visflow", "grayscr"))
    assert g.get_segs_by_criteria(gabfr=3).tolist() == g.select(frame=["D", "U"]).index.tolist()
    assert g.get_segs_by_criteria(gabfr=3, unexp=1).tolist() == g.select(frame="U").index.tolist()
    assert g.get_segs_by_criteria(gabfr=[0, "U"], unexp=[1], gab_ori=[90, 180]).tolist() == [51, 54, 64, 131, 134]
    assert g.get_segs_by_criteria(unexp=1, remconsec=True).tolist() == [51, 126]
    assert g.get_start_unexp_segs().tolist() == [51, 126]
    assert [len(part) for part in v.get_segs_by_criteria(unexp=0, by="block")] == [27, 25]
    assert v.get_segs_by_criteria(visflow_dir="right (temp)", unexp=1, remconsec=True).tolist() == [214]
    assert v.get_start_unexp_segs(by="block")[1].tolist() == [241, 253]
    frames = v.get_frames_by_criteria(unexp=1, fr_type="stim", start_fr=False)
    assert np.array_equal(frames, v.get_all_unexp_stim_fr()) and len(frames) == 8 * 60
    assert (
        v.get_start_unexp_stim_fr_trans().tolist() == session.trials.loc[[214, 241, 253], "start_frame_stim"].tolist()
    )
    first = int(g.rows["start_frame_twop"].iloc[0])
    assert g.get_segs_by_frame([0, first, first + 8, first + 9]).tolist() == [-1, 1, 1, 2]
    assert g.get_fr_by_seg([1, 2]).to_numpy().tolist() == [[first, first + 9], [first + 9, first + 18]]
    assert g.get_n_fr_by_seg([1, 2], "stim").tolist() == [18, 18]
    assert len(g.get_A_segs()) == 40 and g.n_patches == 30 and v.n_squares == [105]
    assert v.get_dir_segs_exp().keys() == {"right (temp)", "left (nasal)"}
    assert g.get_stim_par_by_seg([3], ori=False)["gabor_sizes"][0].shape == (30,)
    assert len(gray.get_all_fr()) == 4 * 240 and len(gray.get_start_fr("twop")) == 4
    data = g.get_roi_data(g.select(frame="U"), 0, 0.6, integ=True)
    expected = session.dff(g.select(frame="U"), 0, 0.6).to_numpy().sum(axis=2) / session.fps
    assert np.allclose(data, expected, rtol=1e-12)
    assert g.get_run_data([500], 0.1, 0.1).shape == (1, 12) and v.get_pup_diam_data([500], 0.1, 0.1).shape == (1, 6)


def test_flow_and_gabors_in_any_order():
    rows = [*gray(), *flow(5, {2}, "left (nasal)"), *gray(), *sequences(3, {1}, [0.0])]
    s = PublishedSession(make_session(rows=rows))
    assert s.get_stim("visflow").get_start_unexp_segs().tolist() == [3]
    assert s.get_stim("gabors").get_start_unexp_segs().tolist() == [12]
