"""Simulated sessions: what they hold, the null, planted surprise against found, the same mouse three times."""

import numpy as np
import pandas as pd
import pytest

from netlib.calcium.indicators import calcium_trace
from netlib.calcium.microscope import Microscope, image
from netlib.openscope.decoding import decode_published
from netlib.openscope.schedule import credit_assignment_schedule
from netlib.openscope.session import Session
from netlib.openscope.simulate import (
    draw_cells,
    draw_spikes,
    epochs,
    segment_rates,
    session_from_recording,
    simulate_mouse,
    simulate_session,
    slow_noise,
)
from netlib.openscope.usi import usi, usi_null
from netlib.recordings.recording import Recording


def short(seed, minutes=10.0, **settings):
    return credit_assignment_schedule(seed, gabor_minutes=minutes, flow_minutes=0, gray=10, **settings)


def responses(session):
    events = session.gabors.select(frame=["D", "U"])
    values = session.dff(events, 0, 0.6, scale=True).values.sum(axis=2) / session.fps
    return values, (events["gabor_frame"] == "U").to_numpy()


def significant(session, permutation="label"):
    low, high = usi_null(*responses(session), 1000, permutation=permutation).significant()
    return low, high


@pytest.fixture(scope="module")
def simulated():
    schedule = credit_assignment_schedule(3, gabor_minutes=3, flow_minutes=1.5, gray=10)
    return schedule, *simulate_session(3, 12, schedule, surprise=0.5, metadata={"line": "L5-Rbp4", "plane": "soma"})


def test_a_session_holds_what_a_file_holds(simulated):
    schedule, session, truth = simulated
    assert isinstance(session, Session)
    assert session.n_rois == 12 and len(session.twop_times) == len(schedule.twop_times)
    assert len(session.trials) == len(schedule)
    assert session.fps == pytest.approx(30.08, rel=1e-3) and session.stim_fps == pytest.approx(59.95)
    facts = session.metadata
    assert (len(str(facts.sessid)), len(str(facts.mouseid))) == (9, 6)
    assert (facts.group, facts.stim_seed) == ("L5-S", 3)
    assert {len(str(n)) for n in session.roi_ids} == {9} and len(set(session.roi_ids)) == 12
    assert len(session.running()) == len(schedule.stim_times)
    assert 0 < np.percentile(session.running(), 90) < 40
    for name in ("diameter", "x", "y"):
        assert session.pupil(name).shape == schedule.twop_times.shape and np.isfinite(session.pupil(name)).all()
    masks = session.masks()
    assert masks.any(axis=(1, 2)).all() and masks.sum(axis=0).max() == 1  # no ROI is empty, none overlap
    assert session.max_projection.dtype == np.uint8 and session.max_projection.shape == masks.shape[1:]
    assert session.max_projection[masks.any(axis=0)].mean() > 2 * session.max_projection[~masks.any(axis=0)].mean()
    np.testing.assert_array_equal(truth["roi_id"], session.roi_ids)
    pd.testing.assert_frame_equal(truth, session.truth())
    assert [len(a) for a in session.ragged("gabor_sizes")[:7]] == [len(a) for a in schedule.trials["gabor_sizes"][:7]]


def test_running_widens_the_pupil(simulated):
    schedule, session, _ = simulated
    speed = np.interp(schedule.twop_times, schedule.stim_times, session.running())
    assert np.corrcoef(speed, session.pupil("diameter"))[0, 1] > 0.3


def test_the_same_seed_gives_the_same_traces(simulated):
    schedule, session, truth = simulated
    again, other = (simulate_session(seed, 12, schedule, surprise=size)[0] for seed, size in ((3, 0.5), (4, 0.0)))
    np.testing.assert_array_equal(session.traces(), again.traces())
    assert not np.allclose(session.traces(), other.traces())
    pd.testing.assert_frame_equal(truth, again.truth())


def test_traces_are_the_calcium_of_the_spikes_of_their_cells(simulated):
    schedule, session, _ = simulated
    times = 1000 * schedule.twop_times
    clean = calcium_trace([1000 * s for s in session.spikes()], times, exposure=1000 / 30.08)
    r = np.corrcoef(session.traces(), clean)[:12, 12:]
    assert np.diag(r).min() > 0.55 and np.median(np.diag(r)) > 0.8  # the rest is noise
    assert (r.argmax(axis=1) == np.arange(12)).all()


# ---------------------------------------------------------------- cells


def test_rates_follow_orientation_letter_and_flow():
    schedule = credit_assignment_schedule(1, gabor_minutes=2, flow_minutes=1, gray=10)
    cells = draw_cells(1, 5)
    rates, rows = segment_rates(cells, schedule, flow_surprise=0.5), schedule.trials
    assert rates.shape == (5, len(rows) + 2)
    for i in (0, 1, 2, 3, 4, 5, 60, 200, len(rows) - 1):
        row = rows.iloc[i]
        expected = cells["baseline"].to_numpy(copy=True)
        if row["gabor_frame"] in tuple("ABCDU"):
            away = np.radians(2 * (row["gabor_mean_orientation"] - cells["preferred"]))
            tuning = np.exp((np.cos(away) - 1) / (4 * np.radians(cells["B_theta"]) ** 2))
            expected += cells["amplitude"] * cells[row["gabor_frame"].replace("U", "D")] * tuning
        if row["stimulus_type"] == "visflow":
            expected += cells["flow"] * (1 + 0.5 * row["unexpected"])
        np.testing.assert_allclose(rates[:, i + 1], expected)
    np.testing.assert_array_equal(rates[:, 0], cells["baseline"])


def test_spikes_have_the_rates_asked():
    edges = np.array([0.0, 10.0, 10.5, 400.0])
    rates = np.array([[20.0, 400.0, 1.0], [0.0, 100.0, 5.0]])
    cell, time = draw_spikes(np.random.default_rng(1), rates, edges)
    for k in range(2):
        counts = np.histogram(time[cell == k], edges)[0]
        expected = rates[k] * np.diff(edges)
        assert (np.abs(counts - expected) <= 4 * np.sqrt(expected)).all()


def test_slow_noise_has_its_mean_and_time_constant():
    times = np.arange(0, 4000, 2.0)
    noise = slow_noise(np.random.default_rng(2), times, 0.5, 20.0, 50)
    assert noise.mean() == pytest.approx(1, abs=0.02)
    x = np.log(noise)
    assert x.std() == pytest.approx(0.5, abs=0.02)
    x = x - x.mean()
    assert (x[:, 10:] * x[:, :-10]).mean() / x.var() == pytest.approx(np.exp(-1), abs=0.05)


def test_epochs_cover_the_recording():
    schedule = short(1, 2.0)
    edges = epochs(schedule)
    assert edges[0] == 0 and edges[-1] == schedule.duration and (np.diff(edges) > 0).all()
    np.testing.assert_allclose(edges[1:-2] + schedule.twop_times[0], schedule.trials["start_time_sec"])


# ---------------------------------------------------------------- null and planted


def test_planted_surprise_is_found():
    wanted = np.repeat([0.8, -0.5, 0.0], 20)
    session, truth = simulate_session(11, 60, short(11, 17.0), surprise=wanted)
    values, unexpected = responses(session)
    found = usi(values, unexpected)
    low, high = significant(session)
    for size, spread in ((0.8, 0.1), (-0.5, 0.1), (0.0, 0.1)):
        cells = wanted == size
        assert found[cells].mean() == pytest.approx(truth["planted"][cells].mean(), abs=spread)
    # About 47 U: an index of 0.8 is 5 standard errors from 0, one of -0.5 is 3.
    assert high[wanted > 0].mean() > 0.9 and low[wanted > 0].sum() == 0
    assert low[wanted < 0].mean() > 0.6 and high[wanted < 0].sum() == 0
    assert (low | high)[wanted == 0].mean() < 0.2
    assert np.corrcoef(found, truth["planted"])[0, 1] > 0.9


def test_a_cell_cannot_lose_more_spikes_than_it_has():
    session, truth = simulate_session(2, 20, short(2, 5.0), surprise=-4.0, selective_fraction=1.0)
    planted = truth["planted"][truth["wanted"] < 0]
    assert len(planted) > 3
    assert (planted > -2.5).all() and (planted < -0.2).all()
    np.testing.assert_allclose(truth["planted"][truth["wanted"] > 0], 4.0)
    u = session.gabors.select(frame="U")["start_time_sec"].to_numpy()
    for k in np.flatnonzero(truth["wanted"] < 0):
        spikes = session.spikes()[k]
        assert (np.searchsorted(spikes, u + 0.6) - np.searchsorted(spikes, u)).sum() == 0


def test_a_number_is_planted_in_a_share_of_the_cells():
    _, truth = simulate_session(2, 50, short(2, 1.0), surprise=0.3, selective_fraction=0.4)
    assert (truth["wanted"] != 0).sum() == 20
    assert set(truth["wanted"]) == {-0.3, 0.0, 0.3}


def test_without_surprise_few_cells_are_significant():
    share = [np.mean(np.logical_or(*significant(simulate_session(seed, 60, short(seed))[0]))) for seed in range(20, 23)]
    assert 0.005 < np.mean(share) < 0.10  # 180 cells at 5 %; the slow test says it better


def test_orientation_is_decoded_where_there_is_tuning_and_only_there():
    schedule, scores = short(5), {}
    for tuned in (True, False):
        session, _ = simulate_session(5, 40, schedule, orientation_tuned=tuned)
        events = session.gabors.select(frame="D", unexpected=False)
        windows = session.dff(events, 0, 0.45, scale=True).values
        scores[tuned] = decode_published(windows, events["gabor_mean_orientation"].to_numpy(), n_splits=3)
    assert scores[True].mean()["test_balanced_accuracy"] > 0.6
    assert scores[False].mean()["test_balanced_accuracy"] == pytest.approx(0.25, abs=0.08)


def test_running_gain_drives_all_cells_together():
    schedule = short(6, 5.0)
    mean = {}
    for gain in (0.0, 2.0):
        session, _ = simulate_session(6, 20, schedule, running_gain=gain)
        speed = np.interp(schedule.twop_times, schedule.stim_times, session.running())
        # Over 3 s: one sequence is not told from the next.
        smooth = np.convolve(session.traces().mean(axis=0), np.ones(90) / 90, "same")
        mean[gain] = np.corrcoef(smooth, speed)[0, 1]
    assert mean[2.0] > 0.4 > abs(mean[0.0]) + 0.1


@pytest.mark.slow
def test_null_sessions_are_significant_as_often_as_they_should():
    """5 % +- 1.5 %, as published (free shuffles), with an indicator's memory and a microscope's noise."""
    share = []
    for seed in range(30, 36):
        session, _ = simulate_session(seed, 100, credit_assignment_schedule(seed, flow_minutes=0))
        share.append(np.mean(np.logical_or(*significant(session))))
    assert np.mean(share) == pytest.approx(0.05, abs=0.02)  # 600 cells: standard error 0.9 %


@pytest.mark.slow
def test_slow_gain_breaks_free_shuffles_and_not_shuffles_of_runs():
    share = {"label": [], "block": []}
    for seed in range(40, 45):
        schedule = credit_assignment_schedule(seed, flow_minutes=0)
        session, _ = simulate_session(seed, 100, schedule, slow_sd=0.8, slow_time=6.0)
        for kind, values in share.items():
            values.append(np.mean(np.logical_or(*significant(session, kind))))
    assert np.mean(share["label"]) > 0.07
    assert np.mean(share["block"]) == pytest.approx(0.05, abs=0.025)


# ---------------------------------------------------------------- a mouse


def test_a_mouse_has_the_same_cells_in_three_sessions():
    schedules = [short(k, 1.0) for k in range(3)]
    mouse = simulate_mouse(8, 20, 15, schedules=schedules, spread=0.3, persistence=0.6)
    assert [s.metadata.sess_n for s in mouse] == [1, 2, 3]
    assert len({s.metadata.sessid for s in mouse}) == 3 and len({s.metadata.mouseid for s in mouse}) == 1
    truths = []
    for session in mouse:
        order = session.tracked_order()
        assert len(order) == 15 and np.isnan(session.tracking_ids).sum() == 5
        truths.append(session.truth().iloc[order].reset_index(drop=True))
    for truth in truths[1:]:
        np.testing.assert_array_equal(truth["preferred"], truths[0]["preferred"])
        assert not np.array_equal(truth["roi_id"], truths[0]["roi_id"])
    own = [set(s.truth()["preferred"][np.isnan(s.tracking_ids)]) for s in mouse]
    assert not own[0] & own[1] and not own[1] & own[2]
    assert not np.array_equal(mouse[0].tracked_order(), mouse[1].tracked_order())


def test_the_surprise_of_a_mouse_persists_as_asked():
    schedules = [short(k, 0.5) for k in range(3)]
    mouse = simulate_mouse(9, 200, 200, schedules=schedules, spread=0.3, persistence=0.6)
    wanted = [s.truth()["wanted"].to_numpy()[s.tracked_order()] for s in mouse]
    assert np.corrcoef(wanted)[0, 1] == pytest.approx(0.6, abs=0.15)
    assert np.corrcoef(wanted)[1, 2] == pytest.approx(0.6, abs=0.15)
    assert np.corrcoef(wanted)[0, 2] == pytest.approx(0.36, abs=0.2)
    assert [w.std() for w in wanted] == pytest.approx([0.3] * 3, abs=0.04)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_rois": 0}, "n_rois = 0 ROIs"),
        ({"surprise": [0.1, 0.2]}, "surprise holds 2 values"),
        ({"surprise": 0.5, "selective_fraction": 2.0}, "selective_fraction = 2.0"),
        ({"slow_sd": -1.0}, "slow_sd = -1.0"),
        ({"cells": draw_cells(1, 3)}, "cells has 3 rows"),
        ({"indicator": "GCaMP9"}, "GCaMP9"),
    ],
)
def test_what_cannot_be_simulated_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        simulate_session(1, **{"n_rois": 4, "schedule": short(1, 0.5), **settings})


def test_a_recording_that_is_not_of_the_schedule_is_refused():
    schedule = short(1, 0.5)
    neurons = pd.DataFrame({"population": ["E"], "orientation": [0.0]})
    recording = Recording(neurons, np.array([0]), np.array([50.0]), 1000 * schedule.duration, schedule.protocol())
    with pytest.raises(ValueError, match="it must have 'dff'"):
        session_from_recording(recording, schedule)
    seen = image(recording, microscope=Microscope(frame_rate=20.0))
    with pytest.raises(ValueError, match="image at its frame rate"):
        session_from_recording(seen, schedule)
    seen = image(recording, microscope=Microscope(frame_rate=schedule.twop_fps))
    assert session_from_recording(seen, schedule).n_rois == 1
    with pytest.raises(ValueError, match="truth has 2 rows"):
        session_from_recording(seen, schedule, truth=pd.DataFrame({"a": [1, 2]}))
