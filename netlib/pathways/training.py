"""One tidy row of numbers per session of behaviour, and pathways compared with the mouse as the unit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.pathways.behaviour import (
    BEHAVIOURS,
    GROUPS,
    behaviour_durations,
    find_cycles,
    inter_sequence_intervals,
    merge_behaviours,
    press_counts,
)
from netlib.pathways.session import PATHWAYS, BehaviourSession

__all__ = ["compare_pathways", "metrics_table", "session_metrics", "sessions_to_criterion"]

#: Above so many ways to deal the mice to two pathways, the rank test is no longer exact.
MOST_ORDERS = 50_000


def session_metrics(session: BehaviourSession) -> dict[str, object]:
    """Numbers that describe one session.

    Returns
    -------
    dict
        ``mouse``, ``pathway``, ``session``, ``schedule``, ``session_length`` (ms, the frame clock's where there is
        one); counts ``sequences``, ``presses``, ``rewards`` (visits to the dispenser with a pellet), ``visits`` (with
        and without), ``cycles`` and ``cycles_at_ratio`` (at least the schedule's presses);
        ``presses_per_sequence`` and its ``_sd``, ``presses_per_reward``, ``presses_per_visit``, ``rewards_per_visit``;
        medians (ms) ``inter_sequence_interval``, ``cycle_duration`` and ``cycle_duration_at_ratio``;
        ``fraction_<group>`` of the session in each of the four groups and ``fraction_none`` in none;
        ``duration_<behaviour>`` and ``duration_in_cycles_<behaviour>``, means (ms). NaN where undefined.
    """
    check_type("session", session, BehaviourSession)
    intervals, events = session.intervals, session.events
    counts = intervals["label"].value_counts()
    per_sequence = press_counts(events, intervals[(intervals["label"] == "sequence").to_numpy()])
    presses, rewards = int(per_sequence.sum()), int(counts.get("pellet", 0))
    visits = rewards + int(counts.get("no pellet", 0))
    cycles = find_cycles(intervals, events)
    at_ratio = cycles[cycles["presses"] >= session.ratio]
    return {
        "mouse": session.mouse,
        "pathway": session.pathway,
        "session": session.session,
        "schedule": session.schedule,
        "session_length": session.duration,
        "sequences": len(per_sequence),
        "presses": presses,
        "rewards": rewards,
        "visits": visits,
        "cycles": len(cycles),
        "cycles_at_ratio": len(at_ratio),
        "presses_per_sequence": _ratio(presses, len(per_sequence)),
        "presses_per_sequence_sd": float(per_sequence.std(ddof=1)) if len(per_sequence) > 1 else math.nan,
        "presses_per_reward": _ratio(presses, rewards),
        "presses_per_visit": _ratio(presses, visits),
        "rewards_per_visit": _ratio(rewards, visits),
        "inter_sequence_interval": _median(inter_sequence_intervals(intervals)),
        "cycle_duration": _median(cycles["duration"]),
        "cycle_duration_at_ratio": _median(at_ratio["duration"]),
        **_fractions(intervals, session.duration),
        **_mean_durations(intervals),
    }


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def _median(values: Iterable[float]) -> float:
    values = np.asarray(values, float)
    return float(np.median(values)) if len(values) else math.nan


def _fractions(intervals: pd.DataFrame, duration: float) -> dict[str, float]:
    merged = merge_behaviours(intervals)
    total = (merged["offset"] - merged["onset"]).groupby(merged["label"].to_numpy(object)).sum()
    found = {f"fraction_{group}": float(total.get(group, 0.0)) / duration for group in GROUPS}
    return {**found, "fraction_none": max(0.0, 1.0 - sum(found.values()))}


def _mean_durations(intervals: pd.DataFrame) -> dict[str, float]:
    everywhere = behaviour_durations(intervals)["mean"]
    inside = behaviour_durations(intervals, within_cycles=True)["mean"].dropna()
    return {
        **{f"duration_{label}": float(everywhere[label]) for label in BEHAVIOURS},
        **{
            f"duration_in_cycles_{label}": float(inside.get(label, math.nan))
            for label in BEHAVIOURS[:3] + BEHAVIOURS[6:]
        },
    }


def metrics_table(sessions: Iterable[BehaviourSession]) -> pd.DataFrame:
    """One row of :func:`session_metrics` per session, in order of mouse and session.

    Raises
    ------
    ValueError
        If there are no sessions, or the same session of a mouse comes twice.
    """
    rows = [session_metrics(session) for session in sessions]
    if not rows:
        raise ValueError("sessions is empty: a table needs at least one session")
    table = pd.DataFrame(rows).sort_values(["mouse", "session"], kind="stable", ignore_index=True)
    twice = table.duplicated(["mouse", "session"])
    if twice.any():
        row = table[twice].iloc[0]
        raise ValueError(f"sessions holds session {row['session']} of mouse {row['mouse']!r} twice")
    return table


def sessions_to_criterion(
    table: pd.DataFrame, metric: str = "cycles_at_ratio", threshold: float = 20.0, consecutive: int = 1
) -> pd.DataFrame:
    """Sessions that each mouse needed, under each schedule, until ``metric`` reached a criterion.

    Parameters
    ----------
    table : DataFrame
        One row per session (:func:`metrics_table`).
    metric : str
        Column that must reach ``threshold``.
    threshold : float
        Smallest value that counts, in the column's unit.
    consecutive : int
        In so many sessions in a row; the count goes to the last of them.

    Returns
    -------
    DataFrame
        ``mouse``, ``pathway``, ``schedule``, ``sessions`` (how many there were), ``to_criterion`` (NaN if never met: at
        least ``sessions`` + 1).
    """
    check_choice("metric", metric, table.columns)
    threshold = check_number("threshold", threshold)
    consecutive = check_integer("consecutive", consecutive, 1, unit="sessions")
    rows = []
    for (mouse, pathway, schedule), part in table.sort_values("session").groupby(["mouse", "pathway", "schedule"]):
        good = (part[metric].to_numpy(float) >= threshold).astype(int)
        runs = np.convolve(good, np.ones(consecutive, int))[: len(good)] == consecutive
        reached = float(np.argmax(runs) + 1) if runs.any() else math.nan
        rows.append((mouse, pathway, schedule, len(part), reached))
    return pd.DataFrame(rows, columns=["mouse", "pathway", "schedule", "sessions", "to_criterion"])


def compare_pathways(table: pd.DataFrame, metric: str, by: str | None = "schedule") -> pd.DataFrame:
    """Compare the two pathways in one metric: each mouse counts once, with the mean of its rows.

    Parameters
    ----------
    table : DataFrame
        Rows with ``mouse``, ``pathway`` and ``metric``, such as those of :func:`metrics_table`.
    metric : str
        Column to compare.
    by : str or None
        Compare separately for each value of this column.

    Returns
    -------
    DataFrame, one row per value of ``by``
        Mean and number of mice of each pathway; ``p_mann_whitney``, two-sided and exact, ties included; Welch's
        ``p_welch``; ``smallest_p``, the least that the rank test can give with so many mice and no ties: three
        against three never fall below 0.1. p is NaN with fewer than two mice in a pathway.
    """
    check_choice("metric", metric, table.columns)
    groups = table.groupby(by, sort=True) if by is not None else [("all", table)]
    rows = []
    for value, part in groups:
        mice = part.groupby(["pathway", "mouse"])[metric].mean().dropna()
        values = [mice[mice.index.get_level_values("pathway") == p].to_numpy(float) for p in PATHWAYS]
        rows.append({by or "group": value, "metric": metric, **_compare(*values)})
    return pd.DataFrame(rows)


def _compare(d1: np.ndarray, a2a: np.ndarray) -> dict[str, float]:
    from scipy.stats import ttest_ind

    n, m = len(d1), len(a2a)
    found = {"mean_D1": _mean(d1), "mean_A2A": _mean(a2a), "mice_D1": n, "mice_A2A": m}
    enough = min(n, m) > 1
    spread = enough and d1.std() + a2a.std() > 0
    return {
        **found,
        "p_mann_whitney": _mann_whitney(d1, a2a) if enough else math.nan,
        "p_welch": float(ttest_ind(d1, a2a, equal_var=False).pvalue) if spread else math.nan,
        "smallest_p": 2.0 / math.comb(n + m, n) if enough else math.nan,
    }


def _mann_whitney(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided p of the rank sum over all ways to deal the ranks, ties too; for many mice SciPy's approximation."""
    from scipy.stats import mannwhitneyu, rankdata

    n, total = len(a), len(a) + len(b)
    if math.comb(total, n) > MOST_ORDERS:
        return float(mannwhitneyu(a, b).pvalue)
    ranks = rankdata(np.concatenate([a, b]))
    sums = np.array([ranks[list(chosen)].sum() for chosen in itertools.combinations(range(total), n)])
    away = np.abs(sums - n * (total + 1) / 2)
    return float((away >= away[0] - 1e-9).mean())  # the first way is the one observed


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
