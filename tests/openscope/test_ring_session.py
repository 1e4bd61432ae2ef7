"""A ring network with planted surprise: the drive, the session, planted against found."""

import dataclasses

import numpy as np
import pytest

from netlib.networks import preset, set_values
from netlib.networks.synapses import synapse_arrays
from netlib.openscope.ring import (
    effective_gain,
    planted_gains,
    responses_to_surprise,
    ring_session,
    schedule_rates,
    session_drive,
    two_photon,
    two_photon_rois,
)
from netlib.openscope.schedule import credit_assignment_schedule
from netlib.openscope.session import Session
from netlib.sweep.seeds import over_seeds

#: A small v1: a quarter of the cells, with a quarter of the synapses of four times the weight.
SMALL = set_values(
    preset("v1"),
    {
        "n_excitatory": 64,
        "n_inhibitory": 16,
        "n_input": 320,
        "timestep": 0.2,
        "E_to_E.kernel.in_degree": 16,
        "E_to_E.weight": 0.0019,
        "E_to_I.kernel.in_degree": 16,
        "E_to_I.weight": 0.0022,
        "I_to_E.kernel.in_degree": 8,
        "I_to_E.weight": 0.0064,
        "I_to_I.kernel.in_degree": 8,
        "I_to_I.weight": 0.0029,
    },
)


@pytest.fixture(scope="module")
def schedule():
    return credit_assignment_schedule(1, gabor_minutes=0.95, flow_minutes=0, gray=1)


def windows_of_surprise(schedule):
    rows = schedule.trials
    u = np.flatnonzero(rows["gabor_frame"] == "U")
    start, stop = rows["start_time_sec"].to_numpy()[u], rows["stop_time_sec"].to_numpy()[u + 1]
    return 1000 * (np.stack([start, stop], 1) - schedule.twop_times[0])


def inside(times, windows):
    return ((times[:, None] >= windows[:, 0]) & (times[:, None] < windows[:, 1])).any(axis=1)


def test_each_cell_gets_the_gain_that_is_planted():
    group, gain = planted_gains(SMALL, 4, 0.3, 0.25)
    assert [(group == k).sum() for k in (1, -1, 0)] == [16, 16, 32]
    assert gain.shape == (320,) and gain.min() >= -1
    for name, wanted in (("input_to_E", 0.3 * group), ("input_to_I", np.zeros(16))):
        pre, post, weight, _ = synapse_arrays(SMALL, name, 4)
        plain = np.bincount(post, weight, len(wanted))
        changed = np.bincount(post, weight * (1 + gain[pre]), len(wanted))
        np.testing.assert_allclose(changed / plain - 1, wanted, atol=0.02)
    assert not planted_gains(SMALL, 4, 0.0, 0.25)[1].any()


def test_the_gain_of_the_drive_is_close_to_the_planted_one(schedule):
    group, gain = planted_gains(SMALL, 4, 0.3, 0.25)
    np.testing.assert_allclose(effective_gain(SMALL, schedule, 4, gain), 0.3 * group, atol=0.12)
    assert not effective_gain(SMALL, schedule, 4, np.zeros(320)).any()


def test_the_drive_changes_under_surprise_alone(schedule):
    _, gain = planted_gains(SMALL, 4, 0.3, 0.25)
    plain, changed = (session_drive(SMALL, schedule, 4, g) for g in (np.zeros(320), gain))
    windows = windows_of_surprise(schedule)
    assert len(windows) >= 2
    for drive in (plain, changed):
        assert drive.duration == pytest.approx(1000 * schedule.duration)
        assert (np.diff(drive.time) >= 0).all()
    kept = [~inside(d.time, windows) for d in (plain, changed)]
    np.testing.assert_array_equal(plain.time[kept[0]], changed.time[kept[1]])
    np.testing.assert_array_equal(plain.index[kept[0]], changed.index[kept[1]])
    # Within, counts of input cells of like gain change by it.
    counts = [np.bincount(d.index[~k], minlength=320) for d, k in zip((plain, changed), kept, strict=True)]
    for low, high in ((-1.0, -0.3), (-0.3, 0.3), (0.3, 5.0)):
        cells = (gain >= low) & (gain < high)
        expected = (counts[0] * (1 + gain))[cells].sum()
        assert counts[1][cells].sum() == pytest.approx(expected, abs=4 * np.sqrt(expected) + 1)


def test_the_drive_has_the_rates_of_the_schedule(schedule):
    drive, tuning = session_drive(SMALL, schedule, 4, np.zeros(320)), SMALL.input_tuning
    rates = schedule_rates(schedule, 320, tuning.peak, tuning.pedestal, tuning.B_theta, 2.0)
    edges = np.arange(0, 1000 * schedule.duration, 300.0)
    for cells in (np.arange(0, 20), np.arange(160, 180)):
        expected = np.add.reduceat(rates.rates[cells].sum(0), (edges[:-1] / 2).astype(int)) * 2e-3
        counts = np.histogram(drive.time[np.isin(drive.index, cells)], edges)[0]
        z = (counts - expected)[:-1] / np.sqrt(expected[:-1])
        assert np.abs(z).max() < 5 and z.std() == pytest.approx(1, abs=0.25)


def test_a_ring_session_is_a_session_with_its_truth(schedule):
    session, truth = ring_session(4, SMALL, gain=0.4, fraction=0.25, schedule=schedule)
    control, other = ring_session(4, SMALL, gain=0.0, fraction=0.25, schedule=schedule)
    assert isinstance(session, Session) and session.n_rois == 64
    np.testing.assert_array_equal(truth["group"], other["group"])
    assert not other["gain"].any()
    np.testing.assert_array_equal(truth["roi_id"], session.roi_ids)
    values, events = responses_to_surprise(session)
    assert values.shape == (len(events), 64) and set(events["gabor_frame"]) == {"D", "U"}
    # Nothing differs before the first U; after it, drive and spikes do, as planted.
    first, stop = (windows_of_surprise(schedule) / 1000 + schedule.twop_times[0]).T
    more, windows = [], np.stack([first, stop], axis=1)
    for a, b in zip(session.spikes(), control.spikes(), strict=True):
        np.testing.assert_allclose(a[a < first[0]], b[b < first[0]])
        more.append(inside(a, windows).sum() - inside(b, windows).sum())
    more = np.array(more)
    assert more[truth["group"] == 1].mean() > 0 > more[truth["group"] == -1].mean()
    rates = np.array([len(s) for s in session.spikes()]) / schedule.duration
    np.testing.assert_allclose(rates, truth["rate"], rtol=0.02, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 2.0}, "gain = 2.0"),
        ({"fraction": 0.6}, "fraction = 0.6"),
        ({"parameters": dataclasses.replace(SMALL, input_to_E=None)}, "input_to_E is missing"),
    ],
)
def test_what_cannot_be_planted_is_refused(schedule, settings, message):
    with pytest.raises(ValueError, match=message):
        ring_session(1, **{"parameters": SMALL, "schedule": schedule, **settings})


@pytest.mark.slow
def test_planted_surprise_is_found_and_the_control_has_none():
    table = over_seeds(
        two_photon, [1, 2], progress=False, parameters=SMALL, minutes=4.0, gain=0.3, n_permutations=500, n_splits=5
    )
    assert list(table.columns) == ["seed", "condition", "measure", "value", "n"]
    mean = table.groupby(["condition", "measure"])["value"].mean()
    assert mean["surprise", "r_gain"] > 0.6 and abs(mean["control", "r_gain"]) < 0.35
    assert mean["surprise", "r_change"] > 0.6
    assert mean["surprise", "high_up"] > 0.4
    assert mean["surprise", "usi_up"] > 0.4 and mean["surprise", "usi_down"] < -0.2
    assert mean["surprise", "low_up"] < 0.1 and mean["surprise", "high_down"] < 0.1


@pytest.mark.slow
def test_the_table_of_cells_agrees_with_the_summary():
    settings = {"parameters": SMALL, "minutes": 2.0, "n_permutations": 200}
    cells = two_photon_rois(3, **settings)
    summary = two_photon(3, n_splits=1, **settings).set_index(["condition", "measure"])["value"]
    for condition, group in cells.groupby("condition"):
        assert len(group) == 64
        up = group["group"] == 1
        assert group.loc[up, "high"].mean() == pytest.approx(summary[condition, "high_up"])
        assert np.corrcoef(group["usi"], group["gain"])[0, 1] == pytest.approx(summary[condition, "r_gain"])
