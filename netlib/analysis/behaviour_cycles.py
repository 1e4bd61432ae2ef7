"""Cycles of lever, dispenser and back, and how long behaviours last, overall and within cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, GROUPS, press_counts
from netlib.units import check_integer, check_number

__all__ = [
    "CYCLE",
    "behaviour_durations",
    "count_cycles",
    "cycle_durations",
    "cycle_histogram",
    "find_cycles",
    "inter_sequence_intervals",
    "match_pattern",
]

#: The rewarded cycle: press, leave, eat, come back.
CYCLE = ("sequence", "zone 2", "pellet", "zone 1")


def match_pattern(labels: Sequence[str], pattern: Sequence[str] = CYCLE) -> np.ndarray:
    """First place of every whole pattern in a list of labels, by a greedy matcher.

    The matcher goes through the list once and never back. A label that is not the one it waits for resets it; if that
    label begins the pattern, a new match begins with it.

    Returns
    -------
    ndarray of int, shape (n_matches,)

    Examples
    --------
    >>> match_pattern(list("abcababc"), "abc")
    array([0, 5])
    """
    if not len(pattern):
        raise ValueError("pattern is empty: it must hold at least one label")
    starts, place = [], 0
    for k, label in enumerate(labels):
        place = place + 1 if label == pattern[place] else int(label == pattern[0])
        if place == len(pattern):
            starts.append(k - len(pattern) + 1)
            place = 0
    return np.array(starts, np.int64)


def find_cycles(
    intervals: pd.DataFrame,
    events: pd.DataFrame | None = None,
    *,
    pattern: Sequence[str] = CYCLE,
    min_presses: int = 0,
) -> pd.DataFrame:
    """Whole cycles of a session.

    Parameters
    ----------
    intervals : DataFrame
        The seven behaviours.
    events : DataFrame, optional
        Rows of the ``.dat`` file, for the presses.
    pattern : sequence of str
        Labels of a cycle.
    min_presses : int
        Keep the cycles with at least so many presses: the schedule's ratio for those that respect it.

    Returns
    -------
    DataFrame
        ``first`` (row of ``intervals``), ``onset`` and ``offset`` (ms) from the first label to the end of the last,
        ``duration`` (ms), ``presses`` (NaN without events).
    """
    min_presses = check_integer("min_presses", min_presses, 0, unit="presses")
    if min_presses and events is None:
        raise ValueError(f"min_presses = {min_presses} needs events: presses are counted in them")
    first = match_pattern(intervals["label"].tolist(), pattern)
    onset = intervals["onset"].to_numpy(float)[first]
    offset = intervals["offset"].to_numpy(float)[first + len(pattern) - 1]
    presses = np.full(len(first), np.nan)
    if events is not None:
        presses = press_counts(events, pd.DataFrame({"onset": onset, "offset": offset})).astype(float)
    cycles = {"first": first, "onset": onset, "offset": offset, "duration": offset - onset, "presses": presses}
    table = pd.DataFrame(cycles)
    return table[table["presses"] >= min_presses].reset_index(drop=True) if min_presses else table


def count_cycles(intervals: pd.DataFrame, events: pd.DataFrame | None = None, **options: object) -> int:
    """Number of whole cycles of a session: see :func:`find_cycles`."""
    return len(find_cycles(intervals, events, **options))


def cycle_durations(intervals: pd.DataFrame, events: pd.DataFrame | None = None, **options: object) -> np.ndarray:
    """Durations of the whole cycles (ms): see :func:`find_cycles`."""
    return find_cycles(intervals, events, **options)["duration"].to_numpy()


def cycle_histogram(durations: np.ndarray, bin_width: float = 500.0) -> pd.DataFrame:
    """Histogram of durations: ``start`` of each bin (ms), ``count``; bins of 500 ms by default, from 0.

    ``attrs["median"]`` is the median duration (ms), NaN without any.
    """
    bin_width = check_number("bin_width", bin_width, "ms", 0, low_open=True)
    durations = np.asarray(durations, float)
    counts = np.bincount((durations // bin_width).astype(np.int64)) if len(durations) else np.zeros(0, np.int64)
    table = pd.DataFrame({"start": np.arange(len(counts)) * bin_width, "count": counts})
    table.attrs["median"] = float(np.median(durations)) if len(durations) else float("nan")
    return table


def behaviour_durations(
    intervals: pd.DataFrame,
    *,
    within_cycles: bool = False,
    events: pd.DataFrame | None = None,
    min_presses: int = 0,
) -> pd.DataFrame:
    """How long each behaviour lasts.

    Parameters
    ----------
    intervals : DataFrame
        The seven behaviours, or the four merged ones.
    within_cycles : bool
        Only the behaviours that are part of a whole cycle (of seven behaviours).
    events, min_presses
        As in :func:`find_cycles`.

    Returns
    -------
    DataFrame, one row per label
        ``count``; ``total``, ``mean``, ``sd`` (of a sample) and ``median`` (ms), NaN where there is nothing to average.
    """
    if within_cycles:
        first = find_cycles(intervals, events, min_presses=min_presses)["first"].to_numpy()
        intervals = intervals.iloc[(first[:, None] + np.arange(len(CYCLE))).ravel()]
    labels = GROUPS if set(intervals["label"]) & (set(GROUPS) - set(BEHAVIOURS)) else BEHAVIOURS
    length = (intervals["offset"] - intervals["onset"]).astype(float)
    groups = length.groupby(intervals["label"].to_numpy(object))
    table = pd.DataFrame({name: groups.agg(name) for name in ("count", "sum", "mean", "std", "median")})
    table = table.rename(columns={"sum": "total", "std": "sd"}).reindex(pd.Index(labels, name="label"))
    return table.fillna({"count": 0, "total": 0.0}).astype({"count": int})


def inter_sequence_intervals(intervals: pd.DataFrame) -> np.ndarray:
    """Times from the end of each sequence to the start of the next (ms)."""
    sequences = intervals[(intervals["label"] == "sequence").to_numpy()]
    return sequences["onset"].to_numpy(float)[1:] - sequences["offset"].to_numpy(float)[:-1]
