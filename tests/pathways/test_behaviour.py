"""Behaviour: segmentation against the planted truth and against a plain loop, transitions, cycles, metrics."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, spearmanr

from netlib.pathways.behaviour import (
    BEHAVIOURS,
    CYCLE,
    GROUP_OF,
    GROUPS,
    average_transitions,
    behaviour_durations,
    check_intervals,
    cycle_durations,
    cycle_histogram,
    drinking_bouts,
    entropy_rate,
    find_cycles,
    inter_sequence_intervals,
    irregularities,
    match_pattern,
    merge_behaviours,
    press_counts,
    presses,
    segment,
    state_at,
    transitions,
)
from netlib.pathways.imetronic import BoxLog, event_table, format_imetronic, parse_imetronic
from netlib.pathways.session import check_length
from netlib.pathways.simulate import (
    BehaviourModel,
    plant_behaviour,
    session_log,
    simulate_behaviour,
    simulate_training,
    transition_table,
)
from netlib.pathways.training import (
    compare_pathways,
    metrics_table,
    session_metrics,
    sessions_to_criterion,
)


def intervals(*rows):
    return pd.DataFrame(rows, columns=["onset", "offset", "label"])


def finished(planted):
    """The planted behaviours that the definitions can find: those before the last entry into a zone.

    A passage that the end of the session cuts has no second entry into a zone, so its behaviours are undefined.
    """
    entries = planted.loc[~planted["label"].isin(["sequence", "zone 2"]), "onset"]
    done = planted["onset"] < entries.iloc[-1]
    return planted.loc[done, ["onset", "offset", "label"]].reset_index(drop=True)


def session_of(labels, length=1000.0):
    onset = np.arange(len(labels)) * length
    return pd.DataFrame({"onset": onset, "offset": onset + length, "label": list(labels)})


# ---------------------------------------------------------------- segmentation


def by_hand(events):
    """The definitions as a plain loop over the entries into the other zone."""
    rows = events.to_dict("records")
    entries = [(r["time"], r["V"]) for r in rows if r["family"] == 9 and r["V"] in (1, 2)]
    held = [list(g) for _, g in itertools.groupby((r for r in rows if r["family"] == 2), lambda r: r["T"])]
    down, up = [g[0]["time"] for g in held], [g[min(1, len(g) - 1)]["time"] for g in held]
    changes = [e for k, e in enumerate(entries) if k == 0 or e[1] != entries[k - 1][1]]
    found = []
    for (start, zone), (stop, _) in itertools.pairwise(changes):
        visits = [r["P"] for r in rows if r["family"] == 4 and r["V"] == 1 and start <= r["time"] < stop]
        inside = [k for k, time in enumerate(down) if start <= time < stop]
        if zone == 2:
            label = "pellet" if 1 in visits else "no pellet" if visits else "explo 2"
            found.append((start, stop, label))
        elif inside:
            first, release = down[inside[0]], min(up[inside[-1]], stop)
            entry = max(time for time, _ in entries if time <= first)
            found += [(entry, first, "zone 1"), (first, release, "sequence"), (release, stop, "zone 2")]
        elif not visits:
            found.append((start, stop, "explo 1"))
    return [row for row in found if row[1] > row[0]]


@st.composite
def boxes(draw):
    """Any rows a box could write, sensible or not."""
    n = draw(st.integers(0, 40))
    gaps = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    rows, number, held = [], 0, False
    for time in np.cumsum(gaps):
        family = draw(st.sampled_from([9, 9, 9, 2, 2, 4, 5, 7]))
        row = {"time": int(time), "family": family, "V": draw(st.integers(0, 2)), "P": draw(st.integers(0, 1))}
        if family == 2:
            number += not held
            held = not held or draw(st.booleans())
            row["T"] = number
        rows.append(row)
    return event_table(rows)


@given(boxes())
def test_segmentation_equals_a_plain_loop_and_its_invariants(events):
    found = segment(events)
    assert [tuple(row) for row in found.itertuples(index=False)] == by_hand(events)
    check_intervals(found)  # disjoint, in order, known labels, of some length
    zones = events[(events["family"] == 9) & events["V"].isin((1, 2))]
    if len(found):
        assert found["onset"].min() >= zones["time"].iloc[0]
        assert found["offset"].max() <= zones["time"].iloc[-1]
    merged = merge_behaviours(found)
    assert (merged["offset"] - merged["onset"]).sum() == pytest.approx((found["offset"] - found["onset"]).sum())
    assert set(merged["label"]) <= set(GROUPS)


def test_segmentation_of_one_passage_of_each_kind():
    def zone(time, place):
        return {"time": time, "family": 9, "V": place}

    def press(number, down, up):
        return [{"time": down, "family": 2, "T": number}, {"time": up, "family": 2, "T": number}]

    def visit(time, pellet):
        return {"time": time, "family": 4, "V": 1, "P": pellet}

    rows = [
        *(zone(0, 1), zone(100, 2), zone(200, 1), zone(250, 1)),  # explo 1, explo 2, a detour out of zone 1
        *(*press(1, 300, 310), *press(2, 350, 420), zone(500, 2)),
        *(visit(550, 1), visit(560, 0), zone(600, 1), visit(610, 0), zone(700, 2)),  # a visit from zone 1: no label
        *(visit(720, 0), zone(800, 1), *press(3, 850, 860)),  # cut by the end
    ]
    expected = [
        *((0, 100, "explo 1"), (100, 200, "explo 2"), (250, 300, "zone 1"), (300, 420, "sequence")),
        *((420, 500, "zone 2"), (500, 600, "pellet"), (700, 800, "no pellet")),
    ]
    events = event_table(rows)
    assert [tuple(r) for r in segment(events).itertuples(index=False)] == expected
    assert [tuple(r) for r in segment(events, 500).itertuples(index=False)] == expected[:5]
    assert press_counts(events, segment(events)).tolist() == [0, 0, 0, 2, 0, 0, 0]
    assert irregularities(events) == {
        "presses without release": 0,
        "presses out of zone 1": 0,
        "numbers of presses missing or repeated": 0,
        "visits out of zone 2": 1,
    }


def test_a_press_without_release_ends_as_it_starts():
    events = event_table([{"time": 5, "family": 2, "T": 1}, {"time": 9, "family": 2, "T": 2}])
    assert presses(events)["up"].tolist() == [5, 9]
    assert irregularities(events)["presses without release"] == 2


@pytest.mark.parametrize("learning", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("ratio", [1, 5])
def test_planted_behaviour_is_found_exactly_through_the_file(learning, ratio):
    for seed in range(3):
        planted = plant_behaviour(seed, BehaviourModel(learning, ratio))
        log = session_log(seed, planted, 1_200_000.0)
        again = parse_imetronic(format_imetronic(log))
        assert again == log and isinstance(again, BoxLog)
        found = segment(again.events, 1_200_000.0)
        pd.testing.assert_frame_equal(found, finished(planted))
        sequences = found[found["label"] == "sequence"]
        truth = planted.loc[planted["label"] == "sequence", "presses"].to_numpy()[: len(sequences)]
        assert press_counts(again.events, sequences).tolist() == truth.tolist()
        assert check_length(again.events, 1_200_000.0) == 0
        odd = irregularities(again.events)
        assert odd.pop("presses without release") <= 1  # held when the session ends
        assert set(odd.values()) == {0}
        # Without gaps: the planted states cover the session.
        assert (planted["onset"].to_numpy()[1:] == planted["offset"].to_numpy()[:-1]).all()
        assert planted["onset"].iloc[0] == 0 and planted["offset"].iloc[-1] == 1_200_000


def test_the_mouse_learns():
    table = pd.concat([metrics_table(simulate_training(seed)) for seed in range(5)])
    mean = table.groupby("session")[["cycles_at_ratio", "presses_per_sequence", "rewards_per_visit"]].mean()
    assert spearmanr(mean.index, mean["cycles_at_ratio"]).statistic > 0.9
    assert spearmanr(mean.index, mean["presses_per_sequence"]).statistic > 0.9
    assert mean["rewards_per_visit"].iloc[-1] > mean["rewards_per_visit"].iloc[0] + 0.2
    assert table["schedule"].tolist()[:8] == ["FR1"] * 4 + ["FR5"] * 4
    assert mean["cycles_at_ratio"].iloc[-1] > 3 * mean["cycles_at_ratio"].iloc[0]


def test_planted_transitions_and_dwell_times_are_those_of_the_model():
    model = BehaviourModel(0.7, 1)
    sessions = [plant_behaviour(seed, model) for seed in range(20)]
    expected = transition_table(0.7)
    assert np.allclose(expected.sum(axis=1), 1)
    counts = sum(transitions(s).counts for s in sessions)
    for label in ("zone 2", "pellet", "explo 1"):
        n = counts.loc[label].sum()
        p = expected.loc[label]
        assert (np.abs(counts.loc[label] / n - p) <= 4 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
    length = pd.concat([s[s["label"] == "pellet"] for s in sessions])
    dwell = (length["offset"] - length["onset"]).to_numpy()
    assert dwell.mean() == pytest.approx(model.dwell("pellet"), rel=0.05)
    assert dwell.std() / dwell.mean() == pytest.approx(1 / math.sqrt(3), rel=0.1)


def test_simulated_sessions_repeat_and_differ():
    a, b, c = (simulate_behaviour(s, session=n) for s, n in ((1, 2), (1, 2), (1, 3)))
    assert a.events.equals(b.events) and not a.events.equals(c.events)
    assert simulate_behaviour(1, "other", session=2).events.equals(a.events) is False
    assert a.truth["learning"] == pytest.approx(1 / 7) and a.duration == 1_200_000
    with pytest.raises(ValueError, match="session = 9"):
        simulate_behaviour(1, session=9)
    with pytest.raises(ValueError, match="learning = 2"):
        BehaviourModel(2)


# ---------------------------------------------------------------- forms of a session


def test_merging_follows_the_table_and_joins_neighbours():
    seven = session_of(BEHAVIOURS)
    merged = merge_behaviours(seven)
    assert merged["label"].tolist() == ["sequence", "zones", "food", "explo", "zones"]
    assert merged["offset"].tolist() == [1000, 2000, 4000, 6000, 7000]
    apart = merge_behaviours(intervals((0, 1, "pellet"), (2, 3, "no pellet")))
    assert len(apart) == 2
    assert merge_behaviours(merged).equals(merged)
    assert set(GROUP_OF) == set(BEHAVIOURS) and set(GROUP_OF.values()) == set(GROUPS)
    assert len(merge_behaviours(seven.iloc[:0])) == 0


def test_the_state_at_a_time():
    session = intervals((10, 20, "zone 1"), (20, 30, "sequence"), (35, 50, "zone 2"))
    assert state_at(session, [0, 10, 19.9, 20, 30, 34, 35, 50]).tolist() == [-1, 0, 0, 1, -1, -1, 2, -1]
    assert state_at(session, [0, 31, 50], fill=True).tolist() == [-1, 1, 2]
    assert state_at(session.iloc[:0], [0, 1]).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(0, 5, "zone 3")], "label of intervals = 'zone 3' is unknown"),
        ([(5, 5, "zone 1")], "'zone 1' from 5 to 5 ms, does not last"),
        ([(-5, 5, "zone 1")], "starts before 0 ms"),
        (
            [(0, 9, "zone 1"), (8, 10, "sequence")],
            "row 1, 'sequence' from 8 to 10 ms, starts before the one",
        ),
        ([(0, np.nan, "zone 1")], "not finite"),
        ([(0, 101, "zone 1")], "ends after the session"),
    ],
)
def test_bad_intervals_are_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        check_intervals(intervals(*rows), 100)


def test_bouts_of_licks():
    rows = [{"time": t, "family": 5, "V": 1, "P": p} for t, p in [(0, 0), (900, 1), (1900, 0), (3000, 0)]]
    bouts = drinking_bouts(event_table([*rows, {"time": 2500, "family": 5, "V": 0}]))
    assert bouts.to_numpy().tolist() == [[0, 1900, 3, True], [3000, 3000, 1, False]]
    assert len(drinking_bouts(event_table([]))) == 0


# ---------------------------------------------------------------- transitions


def test_transitions_equal_a_plain_count():
    session = simulate_behaviour(3, session=4).intervals
    found = transitions(session)
    assert found.counts.index.tolist() == ["sequence", "zone 2", "pellet", "no pellet", "explo 2", "explo 1", "zone 1"]
    labels = session["label"].tolist()
    for a in BEHAVIOURS:
        for b in BEHAVIOURS:
            n = sum(x == a and y == b for x, y in itertools.pairwise(labels))
            assert found.counts.loc[a, b] == n
    assert found.counts.to_numpy().sum() == len(session) - 1
    assert np.allclose(found.probability.sum(axis=1), 1)
    assert found.entropy_rate == entropy_rate(found.counts)
    assert transitions(merge_behaviours(session)).counts.shape == (4, 4)


def test_nothing_follows_what_never_happened():
    found = transitions(session_of(["zone 1", "sequence"]))
    assert found.probability.loc["zone 1", "sequence"] == 1 and found.probability.loc["sequence"].isna().all()
    assert math.isnan(transitions(session_of(["zone 1"])).entropy_rate)
    with pytest.raises(ValueError, match="'lever' is unknown"):
        transitions(session_of(["lever"]))
    with pytest.raises(ValueError, match="onsets must rise"):
        transitions(session_of(["zone 1", "sequence"]).iloc[::-1])


def test_entropy_rate_of_a_long_chain_is_that_of_the_model():
    p = transition_table(0.5).to_numpy()
    values, vectors = np.linalg.eig(p.T)
    stationary = np.real(vectors[:, np.argmin(abs(values - 1))])
    stationary /= stationary.sum()
    expected = -(stationary[:, None] * p * np.log2(np.where(p > 0, p, 1))).sum()
    counts = sum(transitions(plant_behaviour(k, BehaviourModel(0.5))).counts for k in range(40))
    assert entropy_rate(counts) == pytest.approx(expected, rel=0.03)


def test_averages_leave_out_mice_that_say_nothing():
    always, never = transitions(session_of(["zone 1", "sequence"] * 3)), transitions(session_of(["pellet", "zone 1"]))
    other = transitions(session_of(["zone 1", "sequence", "zone 1", "pellet"]))
    average = average_transitions([always, never, other])
    assert average.n.loc["zone 1", "sequence"] == 2
    assert average.mean.loc["zone 1", "sequence"] == 0.75
    assert average.sd.loc["zone 1", "sequence"] == pytest.approx(np.std([1, 0.5], ddof=1))
    assert average.mean.loc["explo 1"].isna().all() and np.isnan(average.sd.loc["pellet", "zone 1"])
    with pytest.raises(ValueError, match="empty"):
        average_transitions([])


# ---------------------------------------------------------------- cycles and metrics


def test_the_matcher_resets_and_never_goes_back():
    whole = list(CYCLE)
    assert match_pattern(whole + whole).tolist() == [0, 4]
    assert match_pattern([*whole[:2], "no pellet", "zone 1", *whole]).tolist() == [4]
    assert match_pattern(["sequence", *whole]).tolist() == [1]
    assert match_pattern(["zone 1", *whole[:3], "explo 1"]).tolist() == []
    with pytest.raises(ValueError, match="pattern is empty"):
        match_pattern(whole, [])


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_matches_are_whole_and_disjoint(labels):
    starts = match_pattern(labels, "ab").tolist()
    assert len(starts) == "".join(labels).count("ab")
    assert all(labels[k : k + 2] == ["a", "b"] for k in starts)


def test_cycles_hold_what_the_planted_ones_do():
    session = simulate_behaviour(5, session=6)
    planted = session.truth["planted"]
    n = [
        tuple(planted["label"][k : k + 4]) == CYCLE and planted["offset"][k + 3] <= session.intervals["offset"].max()
        for k in range(len(planted) - 3)
    ]
    cycles = find_cycles(session.intervals, session.events)
    assert len(cycles) == sum(n)
    first = planted[: len(n)][n]
    assert cycles["presses"].tolist() == first["presses"].tolist()
    assert cycles["onset"].tolist() == first["onset"].tolist()
    assert len(find_cycles(session.intervals, session.events, min_presses=7)) == (first["presses"] >= 7).sum()
    assert (cycle_durations(session.intervals) > 0).all()
    with pytest.raises(ValueError, match="needs events"):
        find_cycles(session.intervals, min_presses=5)


def test_histogram_of_cycle_durations():
    table = cycle_histogram([100.0, 499.9, 500.0, 1700.0])
    assert table["start"].tolist() == [0, 500, 1000, 1500] and table["count"].tolist() == [2, 1, 0, 1]
    assert table.attrs["median"] == pytest.approx((499.9 + 500) / 2)
    assert len(cycle_histogram([])) == 0


def test_durations_overall_and_within_cycles():
    session = session_of([*CYCLE, "sequence", "zone 2", "no pellet"])
    session.loc[4, "offset"] -= 500
    table = behaviour_durations(session)
    assert table.loc["sequence"].tolist() == [2, 1500, 750, pytest.approx(353.553, abs=1e-3), 750]
    assert table.loc["explo 1", "count"] == 0 and np.isnan(table.loc["explo 1", "mean"])
    inside = behaviour_durations(session, within_cycles=True)
    assert inside["count"].to_dict() == {**dict.fromkeys(BEHAVIOURS, 0), **dict.fromkeys(CYCLE, 1)}
    assert behaviour_durations(merge_behaviours(session)).index.tolist() == list(GROUPS)
    assert inter_sequence_intervals(session).tolist() == [3000]


def test_metrics_of_a_session_agree_with_each_other():
    session = simulate_behaviour(2, session=7)
    m = session_metrics(session)
    planted = finished(session.truth["planted"].assign())
    truth = session.truth["planted"].iloc[: len(planted)]
    assert m["presses"] == truth["presses"].sum() and m["rewards"] == (planted["label"] == "pellet").sum()
    assert m["presses_per_reward"] == pytest.approx(m["presses"] / m["rewards"])
    assert m["presses_per_sequence"] == pytest.approx(m["presses"] / m["sequences"])
    assert m["presses_per_sequence_sd"] == pytest.approx(truth.loc[truth["label"] == "sequence", "presses"].std())
    assert m["rewards_per_visit"] == pytest.approx(m["rewards"] / m["visits"])
    assert sum(m[f"fraction_{g}"] for g in (*GROUPS, "none")) == pytest.approx(1)
    assert m["cycles_at_ratio"] == m["cycles"]  # a simulated pellet costs at least the ratio
    assert m["session_length"] == 1_200_000
    assert m["duration_in_cycles_pellet"] > 0 and "duration_in_cycles_explo 1" not in m


def test_a_session_without_presses_has_nan_not_zero():
    events = event_table([{"time": t, "family": 9, "V": 1 + k % 2} for k, t in enumerate((0, 100, 300))])
    session = simulate_behaviour(1)
    empty = type(session)("m", "D1", 1, "FR1", events, segment(events), 400.0)
    m = session_metrics(empty)
    assert m["cycles"] == m["rewards"] == 0
    for name in ("presses_per_sequence", "presses_per_reward", "rewards_per_visit", "cycle_duration"):
        assert math.isnan(m[name])
    assert m["fraction_explo"] == pytest.approx(0.75) and m["fraction_none"] == pytest.approx(0.25)


def test_tables_of_mice():
    sessions = [s for mouse in ("b", "a") for s in simulate_training(1, mouse, n_sessions=4, duration=120_000.0)]
    table = metrics_table(sessions)
    assert table["mouse"].tolist() == ["a"] * 4 + ["b"] * 4 and table["session"].tolist() == [1, 2, 3, 4] * 2
    with pytest.raises(ValueError, match="session 1 of mouse 'a' twice"):
        metrics_table([*sessions, sessions[4]])
    with pytest.raises(ValueError, match="empty"):
        metrics_table([])


def test_sessions_to_criterion():
    table = pd.DataFrame(
        {"mouse": ["a"] * 4 + ["b"] * 2, "pathway": "D1", "schedule": "FR1", "session": [1, 2, 3, 4, 1, 2]}
    ).assign(cycles=[5, 1, 6, 7, 1, 2])
    found = sessions_to_criterion(table, "cycles", 5)
    assert found["to_criterion"].tolist()[0] == 1 and np.isnan(found["to_criterion"].tolist()[1])
    assert sessions_to_criterion(table, "cycles", 5, 2)["to_criterion"].tolist()[0] == 4
    assert np.isnan(sessions_to_criterion(table, "cycles", 5, 5)["to_criterion"].tolist()[1])
    with pytest.raises(ValueError, match=r"metric = 'cycle' is unknown.*did you mean 'cycles'"):
        sessions_to_criterion(table, "cycle")


def test_pathways_are_compared_with_the_mouse_as_the_unit():
    rng = np.random.default_rng(0)
    rows = [
        {"mouse": f"{p}{k}", "pathway": p, "schedule": "FR1", "x": v}
        for p, shift in (("D1", 0.0), ("A2A", 10.0))
        for k in range(3)
        for v in rng.normal(shift, 1, 50)  # many sessions of few mice prove nothing about mice
    ]
    row = compare_pathways(pd.DataFrame(rows), "x").iloc[0]
    assert row["p_mann_whitney"] == pytest.approx(0.1) == row["smallest_p"]
    assert row["p_welch"] < 1e-3 and row["mice_D1"] == 3
    few = pd.DataFrame(rows).query("mouse not in ('D11', 'D12')")
    assert math.isnan(compare_pathways(few, "x")["p_mann_whitney"].iloc[0])


@pytest.mark.parametrize("seed", range(3))
def test_the_rank_test_is_scipys_and_exact_with_ties(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=9)
    table = pd.DataFrame({"mouse": range(9), "pathway": ["D1"] * 4 + ["A2A"] * 5, "x": values})
    p = compare_pathways(table, "x", by=None)["p_mann_whitney"].iloc[0]
    assert p == pytest.approx(mannwhitneyu(values[:4], values[4:], method="exact").pvalue)
    tied = compare_pathways(table.assign(x=[0, 0, 0, 0, 1, 1, 1, 1, 1]), "x", by=None).iloc[0]
    assert tied["p_mann_whitney"] == pytest.approx(1 / 126)
    assert tied["p_mann_whitney"] >= tied["smallest_p"] / 2 and math.isnan(tied["p_welch"])
