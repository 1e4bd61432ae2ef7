"""Decoding of labels from population counts: chance is chance, information is found, held-out trials do not leak."""

import numpy as np
import pandas as pd
import pytest

from netlib.recordings import Recording
from netlib.stimuli import Protocol
from netlib.tuning.decoding import accuracy_interval, decode_over_time, held_out_labels, rise_time, sliding_counts

ANGLES, WIDTHS, TRIALS = np.arange(6) * 30.0, (0.0, 36.0), 5


def recording(latency: float = 40.0, seed: int = 0) -> Recording:
    """24 Poisson cells tuned to orientation from ``latency`` on, sharply at bandwidth 0 and hardly at 36."""
    rng = np.random.default_rng(seed)
    rows = [(t, a, w) for t in range(TRIALS) for a, w in rng.permutation([(a, w) for a in ANGLES for w in WIDTHS])]
    table = pd.DataFrame(rows, columns=["trial", "orientation", "B_theta"])
    table["onset"], table["duration"] = 200.0 + 300.0 * np.arange(len(table)), 300.0
    protocol = Protocol.from_table(table)
    preferred = np.arange(24) * 7.5
    index, time = [], []
    for onset, angle, width in zip(table["onset"], table["orientation"], table["B_theta"], strict=True):
        sharp = np.exp((np.cos(2 * np.radians(preferred - angle)) - 1) * (4.0 if width == 0 else 0.2))
        for start, stop, rate in ((0.0, latency, np.full(24, 20.0)), (latency, 300.0, 60.0 * sharp)):
            n = rng.poisson(rate * (stop - start) / 1000.0)
            index.append(np.repeat(np.arange(24), n))
            time.append(rng.uniform(onset + start, onset + stop, n.sum()))
    index, time = np.concatenate(index), np.concatenate(time)
    order = np.argsort(time)
    neurons = pd.DataFrame({"population": "E", "orientation": preferred})
    return Recording(neurons, index[order].astype(np.int32), time[order], protocol.duration, protocol)


@pytest.fixture(scope="module")
def seen() -> Recording:
    return recording()


def test_orientation_is_read_out_and_better_where_tuning_is_sharp(seen):
    table = decode_over_time(seen, starts=(100.0,), width=150.0, by="B_theta").set_index("B_theta")
    assert (table["chance"] == 1 / 6).all()
    assert table.loc[0.0, "low"] > 0.7
    assert table.loc[0.0, "accuracy"] > table.loc[36.0, "accuracy"] + 0.3


def test_before_the_response_and_with_shuffled_labels_it_is_chance(seen):
    before = decode_over_time(seen, starts=(-100.0,), width=100.0).iloc[0]
    shuffled = decode_over_time(seen, starts=(100.0,), width=150.0, shuffle_seed=1).iloc[0]
    for row in (before, shuffled):
        assert row["n"] == 60
        assert row["accuracy"] < 0.4  # 2e-5 by chance


def test_orientation_and_bandwidth_together(seen):
    both = decode_over_time(seen, ("orientation", "B_theta"), starts=(50.0,), width=250.0).iloc[0]
    assert both["chance"] == pytest.approx(1 / 12)
    assert both["low"] > 2 * both["chance"]
    narrow = decode_over_time(seen, starts=(50.0,), width=250.0, where={"B_theta": 0.0}).iloc[0]
    assert narrow["n"] == 30
    assert narrow["accuracy"] > 0.8


def test_sliding_counts_are_counts(seen):
    counts = sliding_counts(seen, (-50.0, 0.0, 200.0), 100.0)
    assert counts.shape == (3, 24, 60)
    onset = seen.protocol.table["onset"].iloc[7]
    inside = (seen.spike_time >= onset + 200.0) & (seen.spike_time < onset + 300.0)
    np.testing.assert_array_equal(counts[2, :, 7], np.bincount(seen.spike_index[inside], minlength=24))


def test_held_out_trials_teach_nothing():
    """Cells that code the trial and the label only within one trial: anything above chance would be a leak."""
    rng = np.random.default_rng(1)
    trials, labels = np.repeat(np.arange(4), 10), np.tile(np.arange(5), 8)
    counts = np.zeros((20, 40))
    for k, trial in enumerate(np.unique(trials)):
        counts[5 * k + rng.permutation(5)[labels[trials == trial]], np.flatnonzero(trials == trial)] = 10
    assert (held_out_labels(counts, labels, trials) == labels).mean() < 0.5
    assert (held_out_labels(np.eye(5)[labels].T * 10, labels, trials) == labels).all()


def test_shuffling_depends_on_its_seed_and_keeps_every_label():
    rng = np.random.default_rng(2)
    trials, labels = np.repeat(np.arange(3), 8), np.tile(np.arange(4), 6)
    counts = rng.poisson(3.0, (10, 24)) + 6 * np.eye(4)[labels].T.repeat(3, 0)[:10]
    a, b, c = (held_out_labels(counts, labels, trials, shuffle_seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert (held_out_labels(counts, labels, trials) == labels).all()


def test_wilson_interval():
    # Newcombe 1998, Stat Med 17:857, table I: 81 of 263.
    share, low, high = accuracy_interval(np.arange(263) < 81)
    assert (round(share, 4), round(low, 4), round(high, 4)) == (0.3080, 0.2553, 0.3662)


def test_rise_time():
    times = np.arange(0.0, 100.0, 10.0)
    curve = np.clip((times - 20.0) / 40.0, 0, 1)
    assert rise_time(times, 0.1 + 0.8 * curve, floor=0.1) == pytest.approx(40.0)
    assert rise_time(times, 0.1 + 0.8 * curve, floor=0.1, fraction=0.25) == pytest.approx(30.0)
    assert np.isnan(rise_time(times, np.full(10, 0.1), floor=0.1))
    assert np.isnan(rise_time(times, np.ones(10), floor=0.1))


def test_rise_time_of_the_decoder_follows_the_latency():
    starts = np.arange(-100.0, 161.0, 20.0)
    found = []
    for latency in (20.0, 120.0):
        curve = decode_over_time(recording(latency, seed=3), starts=starts, width=100.0, where={"B_theta": 0.0})
        found.append(rise_time(curve["end"], curve["accuracy"], 1 / 6))
    assert found[1] > found[0] + 50.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r: held_out_labels(np.ones((3, 4)), [0, 1, 0, 1], [0, 0, 0, 0]), "trials holds one value"),
        (lambda r: held_out_labels(np.ones((3, 4)), [1, 1, 1, 1], [0, 0, 1, 1]), "labels holds one value"),
        (lambda r: held_out_labels(np.ones((3, 4)), [0, 1], [0, 1]), "labels has shape"),
        (lambda r: held_out_labels(-np.ones((3, 4)), [0, 1, 0, 1], [0, 0, 1, 1]), "is out of range"),
        (lambda r: sliding_counts(r, (-300.0,), 100.0), "must stay in the recording"),
        (lambda r: sliding_counts(r, (250.0,), 100.0), "must stay in the recording"),
        (lambda r: decode_over_time(r, "orientatoin"), "did you mean 'orientation'"),
        (lambda r: decode_over_time(r, where={"B_theta": 1.0}), "no presentation matches"),
        (lambda r: accuracy_interval([]), "correct is empty"),
    ],
)
def test_bad_values_are_named(seen, call, message):
    with pytest.raises(ValueError, match=message):
        call(seen)
