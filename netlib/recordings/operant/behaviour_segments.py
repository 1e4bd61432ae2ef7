"""Behaviour of a lever-pressing mouse as intervals of time, from the events of the box.

The box has two zones, the lever's (1) and the dispenser's (2). Entries into zones cut a session into passages; each
passage is one of the behaviours below, or three of them (definitions of the published thesis pipeline):

========= ==========================================================================================
label     from -> to
========= ==========================================================================================
sequence  first press-down -> last release of one passage from zone 1 to zone 2
zone 1    last entry into zone 1 before the sequence -> first press-down (approach)
zone 2    last release -> entry into zone 2 (leaving for the dispenser)
pellet    entry into zone 2 -> next entry into zone 1, the dispenser visited with a pellet in it
no pellet the same, visited but never with a pellet
explo 2   the same, not visited
explo 1   entry into zone 1 -> next entry into zone 2, neither a press nor a visit to the dispenser
========= ==========================================================================================

Intervals are half-open, in ms, disjoint and in order; what fits no definition has no label: the time before the first
and after the last entry into another zone, a detour out of zone 1 before the approach, and the rare passage from zone
1 to zone 2 with a visit to the dispenser but no press.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.operant.imetronic import DISPENSER, LEVER, LICK, ZONE
from netlib.units import check_array, check_choice, check_number, check_type

__all__ = [
    "BEHAVIOURS",
    "GROUPS",
    "GROUP_OF",
    "check_intervals",
    "drinking_bouts",
    "from_onsets",
    "irregularities",
    "merge_behaviours",
    "press_counts",
    "presses",
    "segment",
    "state_at",
    "to_onsets",
]

#: The seven behaviours, in the order of the published transition matrices.
BEHAVIOURS = ("sequence", "zone 2", "pellet", "no pellet", "explo 2", "explo 1", "zone 1")
#: The four they merge to, in the order of the category vectors.
GROUPS = ("sequence", "zones", "food", "explo")
GROUP_OF = {
    "sequence": "sequence",
    "zone 1": "zones",
    "zone 2": "zones",
    "pellet": "food",
    "no pellet": "food",
    "explo 1": "explo",
    "explo 2": "explo",
}


def _intervals(onset: ArrayLike, offset: ArrayLike, label: ArrayLike) -> pd.DataFrame:
    table = {"onset": np.asarray(onset, float), "offset": np.asarray(offset, float), "label": np.asarray(label, object)}
    return pd.DataFrame(table).astype({"label": str})


def check_intervals(intervals: pd.DataFrame, duration: float | None = None) -> pd.DataFrame:
    """Return a table of intervals as float, float, str with fresh rows, or raise an error that says what is wrong.

    Raises
    ------
    ValueError
        If a column or a label is unknown, or an interval is empty, overlaps the next, is out of order or leaves the
        session of ``duration`` (ms).
    """
    check_type("intervals", intervals, pd.DataFrame)
    missing = {"onset", "offset", "label"} - set(intervals.columns)
    if missing:
        raise ValueError(f"intervals lacks the columns {sorted(missing)}: it must have 'onset', 'offset' and 'label'")
    table = _intervals(intervals["onset"], intervals["offset"], intervals["label"])
    for label in table["label"].unique():
        check_choice("label of intervals", label, {*BEHAVIOURS, *GROUPS})
    onset, offset = table["onset"].to_numpy(), table["offset"].to_numpy()
    faults = {
        "is not finite": ~(np.isfinite(onset) & np.isfinite(offset)),
        "does not last": offset <= onset,
        "starts before 0 ms": onset < 0,
        "starts before the one above ends: they must be disjoint and in order": onset < np.r_[-np.inf, offset][:-1],
    }
    if duration is not None:
        faults[f"ends after the session ({duration:g} ms)"] = offset > duration
    for fault, where in faults.items():
        if where.any():
            k = int(np.argmax(where))
            raise ValueError(f"intervals row {k}, {table['label'][k]!r} from {onset[k]:g} to {offset[k]:g} ms, {fault}")
    return table


def presses(events: pd.DataFrame) -> pd.DataFrame:
    """Presses of the lever in order of time: ``down`` and ``up`` (ms), ``number`` (column T), ``released``.

    The first row of a number is press-down and the second is release; a press whose release is missing ends as it
    starts.
    """
    lever = events.loc[(events["family"] == LEVER).to_numpy(), ["time", "T"]]
    time, number = lever["time"].to_numpy(float), lever["T"].to_numpy()
    first = np.flatnonzero(np.r_[True, number[1:] != number[:-1]]) if len(time) else np.empty(0, int)
    rows = np.diff(np.r_[first, len(time)])
    released = rows > 1
    return pd.DataFrame(
        {"down": time[first], "up": time[first + released], "number": number[first], "released": released}
    )


def _zone_runs(events: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries into zones (time), the zone of each, and the first entry of each run into the same zone."""
    rows = events[(events["family"] == ZONE).to_numpy() & events["V"].isin((1, 2)).to_numpy()]
    time, zone = rows["time"].to_numpy(float), rows["V"].to_numpy()
    first = np.flatnonzero(np.r_[True, zone[1:] != zone[:-1]]) if len(time) else np.empty(0, int)
    return time, zone, first


def segment(events: pd.DataFrame, duration: float | None = None) -> pd.DataFrame:
    """Cut a session into the seven exclusive behaviours.

    Parameters
    ----------
    events : DataFrame
        Rows of the ``.dat`` file (:mod:`netlib.recordings.operant.imetronic`).
    duration : float, optional
        Length of the session (ms): later events are left out.

    Returns
    -------
    DataFrame
        ``onset``, ``offset`` (ms) and ``label``: see the table above. Intervals without length are left out.
    """
    if duration is not None:
        duration = check_number("duration", duration, "ms", 0, low_open=True)
        events = events[(events["time"] <= duration).to_numpy()]
    time, zone, first = _zone_runs(events)
    if len(first) < 2:
        return _intervals([], [], [])
    start, stop, place = time[first[:-1]], time[first[1:]], zone[first[:-1]]
    visits = events[((events["family"] == DISPENSER) & (events["V"] == 1)).to_numpy()]
    visit_time = visits["time"].to_numpy(float)
    visited = _count(visit_time, start, stop) > 0
    fed = _count(visit_time[(visits["P"] == 1).to_numpy()], start, stop) > 0
    press = presses(events)
    down, up = press["down"].to_numpy(), press["up"].to_numpy()
    low, high = np.searchsorted(down, start), np.searchsorted(down, stop)
    pressed = (place == 1) & (high > low)
    whole = (place == 2) | ~(pressed | visited)
    label = np.select([place == 1, fed, visited], ["explo 1", "pellet", "no pellet"], "explo 2")
    # Of a passage with presses: its last entry into zone 1 before them, the first press-down, the last release.
    begin, end = down[low[pressed]], np.minimum(up[high[pressed] - 1], stop[pressed])
    approach = time[np.searchsorted(time, begin, side="right") - 1]
    parts = [
        (start[whole], stop[whole], label[whole]),
        (approach, begin, np.full(len(begin), "zone 1")),
        (begin, end, np.full(len(begin), "sequence")),
        (end, stop[pressed], np.full(len(begin), "zone 2")),
    ]
    onset, offset, label = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(onset, kind="stable")
    order = order[offset[order] > onset[order]]
    return _intervals(onset[order], offset[order], label[order])


def _count(times: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """How many of the sorted ``times`` are in each half-open window."""
    return np.searchsorted(times, stop) - np.searchsorted(times, start)


def merge_behaviours(intervals: pd.DataFrame) -> pd.DataFrame:
    """Merge the seven behaviours to four: sequence, zones (zone 1 and 2), food (pellet or not), explo (1 and 2).

    Neighbours that get the same label and touch become one interval.

    Examples
    --------
    >>> seven = pd.DataFrame({"onset": [0, 5, 9], "offset": [5, 9, 12], "label": ["explo 1", "explo 2", "zone 1"]})
    >>> merge_behaviours(seven).values.tolist()
    [[0.0, 9.0, 'explo'], [9.0, 12.0, 'zones']]
    """
    table = check_intervals(intervals)
    group = table["label"].map(lambda label: GROUP_OF.get(label, label)).to_numpy(object)
    onset, offset = table["onset"].to_numpy(), table["offset"].to_numpy()
    new = np.r_[True, (group[1:] != group[:-1]) | (onset[1:] > offset[:-1])] if len(table) else np.empty(0, bool)
    first = np.flatnonzero(new)
    last = np.r_[first[1:], len(table)] - 1 if len(table) else first
    return _intervals(onset[first], offset[last], group[first])


def press_counts(events: pd.DataFrame, intervals: pd.DataFrame) -> np.ndarray:
    """Presses in each interval: last number (T) minus first plus one, as published; 0 where none falls in it."""
    press = presses(events)
    down, number = press["down"].to_numpy(), press["number"].to_numpy()
    low = np.searchsorted(down, intervals["onset"].to_numpy(float))
    high = np.searchsorted(down, intervals["offset"].to_numpy(float))
    counts = np.zeros(len(intervals), np.int64)
    some = high > low
    counts[some] = number[high[some] - 1] - number[low[some]] + 1
    return counts


def to_onsets(intervals: pd.DataFrame) -> pd.DataFrame:
    """A session as the list of (``onset``, ``label``) in order of time: each state lasts to the next onset."""
    return check_intervals(intervals)[["onset", "label"]]


def from_onsets(onsets: pd.DataFrame, duration: float) -> pd.DataFrame:
    """Intervals from a list of (``onset``, ``label``): each lasts to the next onset, the last to ``duration`` (ms)."""
    order = np.argsort(onsets["onset"].to_numpy(float), kind="stable")
    onset = onsets["onset"].to_numpy(float)[order]
    return check_intervals(
        _intervals(onset, np.r_[onset[1:], duration][: len(onset)], onsets["label"].to_numpy()[order])
    )


def state_at(intervals: pd.DataFrame, times: ArrayLike, fill: bool = False) -> np.ndarray:
    """Number of the interval that holds each time, -1 for none.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours.
    times : array_like
        Times (ms), such as those of the frames.
    fill : bool
        Let each state last to the next onset, as in the published decoding.

    Returns
    -------
    ndarray of int
        Rows of ``intervals``: ``intervals["label"].to_numpy()[rows]`` are the labels where ``rows >= 0``.
    """
    times = check_array("times", times, "ms")
    rows = np.searchsorted(intervals["onset"].to_numpy(float), times, side="right") - 1
    if fill or not len(intervals):
        return rows
    return np.where((rows >= 0) & (times < intervals["offset"].to_numpy(float)[rows]), rows, -1)


def drinking_bouts(events: pd.DataFrame, gap: float = 1000.0) -> pd.DataFrame:
    """Bouts of licks (family 5, V = 1): ``onset`` and ``offset`` (ms) of first and last lick, ``licks``, ``full``.

    A pause longer than ``gap`` (ms) ends a bout; ``full`` tells whether the trough was full (P = 1) at any lick.
    """
    gap = check_number("gap", gap, "ms", 0)
    rows = events[((events["family"] == LICK) & (events["V"] == 1)).to_numpy()]
    time, full = rows["time"].to_numpy(float), rows["P"].to_numpy() == 1
    first = np.flatnonzero(np.r_[True, np.diff(time) > gap]) if len(time) else np.empty(0, int)
    last = np.r_[first[1:], len(time)] - 1 if len(time) else first
    filled = np.logical_or.reduceat(full, first) if len(time) else full
    return pd.DataFrame({"onset": time[first], "offset": time[last], "licks": last - first + 1, "full": filled})


def irregularities(events: pd.DataFrame) -> dict[str, int]:
    """Count what a sound file does not hold: presses without release or out of zone 1, visits out of zone 2."""
    time, zone, _ = _zone_runs(events)
    press = presses(events)
    visit = events[((events["family"] == DISPENSER) & (events["V"] == 1)).to_numpy()]["time"].to_numpy(float)

    def outside(times: np.ndarray, place: int) -> int:
        return int((np.r_[0, zone][np.searchsorted(time, times, side="right")] != place).sum())

    return {
        "presses without release": int((~press["released"]).sum()),
        "presses out of zone 1": outside(press["down"].to_numpy(), 1),
        "numbers of presses missing or repeated": int((np.diff(press["number"]) != 1).sum()),
        "visits out of zone 2": outside(visit, 2),
    }
