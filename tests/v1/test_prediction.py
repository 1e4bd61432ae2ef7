"""Prediction: the trials are what they say, rates are read at the right place, and the stored table is ours."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import distance, preferred_orientations
from netlib.recordings import Recording
from netlib.sweep import load_table, mean_interval
from netlib.v1.prediction import (
    CONDITIONS,
    SLOT,
    TRAINED,
    UNSEEN,
    _rates_by_place,
    prediction,
    slot_protocol,
    trial_slots,
)

STORED = Path(__file__).parents[2] / "FINAL_notebooks" / "results" / "prediction.csv"


def test_each_trial_is_there_once_and_ends_without_a_stimulus():
    slots = trial_slots(1)
    table = pd.DataFrame([vars(slot) for slot in slots])
    assert table.groupby("trial").size().to_dict() == {
        "short": 12, "expected": 15, "unexpected": 15, "new": 15, "omission": 15,
    }  # fmt: skip
    ends = [slot for slot, after in zip(slots, [*slots[1:], None], strict=True) if slot.part in ("off", "blank")]
    assert all(slot.shown is None for slot in ends)
    for slot in slots:
        if slot.part == "second":
            following = TRAINED[(TRAINED.index(slot.before) + 1) % 3]
            assert slot.expected == following
            assert (slot.shown == following) == (slot.trial == "expected")
            assert (slot.shown in UNSEEN) == (slot.trial == "new")


def test_the_order_of_trials_depends_on_the_seed_alone():
    assert trial_slots(3) == trial_slots(3)
    assert [s.trial for s in trial_slots(3)] != [s.trial for s in trial_slots(4)]


def planted(slots, near_shown, elsewhere):
    """A recording in which cells near what is shown, or near the last shown, fire a given number of spikes a slot."""
    orientations = preferred_orientations(60)
    index, time, last = [], [], 0.0
    for k, slot in enumerate(slots):
        last = last if slot.shown is None else slot.shown
        n = near_shown[slot.shown is not None]
        for cell in range(60):
            count = n if distance(orientations[cell], last) <= 10 else elsewhere
            index += [cell] * count
            time += list(k * SLOT + 60 + 400 * np.arange(count) / max(count, 1))
    order = np.argsort(time, kind="stable")
    neurons = pd.DataFrame({"population": "E", "orientation": orientations})
    protocol = slot_protocol([slot.shown for slot in slots])
    return Recording(neurons, np.array(index)[order], np.array(time)[order], protocol.duration, protocol)


def test_rates_are_read_at_the_right_place():
    slots = trial_slots(2)
    table = _rates_by_place(planted(slots, near_shown={True: 9, False: 3}, elsewhere=0), "E", slots)
    rate = table.set_index(["trial", "part", "familiar", "place"])["rate"]
    assert rate["short", "on", True, "shown"] == pytest.approx(9 / 0.45)
    assert rate["short", "off", True, "shown"] == pytest.approx(3 / 0.45)  # activity that stays where it was
    assert rate["short", "off", True, "unseen"] == 0
    assert rate["omission", "omitted", True, "shown"] == pytest.approx(3 / 0.45)
    assert rate["omission", "omitted", True, "expected"] == 0
    assert rate["unexpected", "second", True, "shown"] == pytest.approx(9 / 0.45)
    assert rate["new", "second", False, "shown"] == pytest.approx(9 / 0.45)


@pytest.mark.parametrize("passes", [0, -1, 1.5])
def test_bad_passes_are_refused(passes):
    with pytest.raises((ValueError, TypeError), match="passes"):
        prediction(1, passes=passes)


@pytest.fixture(scope="module")
def stored() -> pd.DataFrame:
    return load_table(STORED)


def difference(stored, condition, a, b):
    own = stored[(stored["condition"] == condition) & (stored["population"] == "E") & stored["familiar"]]
    own = own[(own["trial"] == "short") & (own["part"] == "off")].pivot(index="seed", columns="place", values="rate")
    assert len(own) >= 10
    return mean_interval(own[a] - own[b])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_is_left_is_a_trace_of_training_and_not_of_the_last_stimulus(stored, condition):
    _, low, high = difference(stored, condition, "other trained", "unseen")
    if condition in ("sequence", "random"):
        assert low > 1.0
    else:
        assert low < 0 < high
    sustained, low, high = difference(stored, condition, "shown", "other trained")
    assert low < 0 < high
    assert abs(sustained) < 0.5


@pytest.mark.slow
def test_the_stored_table_is_what_the_code_makes(stored):
    made = prediction(1)
    kept = stored[stored["seed"] == 1].drop(columns="seed").reset_index(drop=True)
    pd.testing.assert_frame_equal(made, kept, check_dtype=False, rtol=1e-4)
