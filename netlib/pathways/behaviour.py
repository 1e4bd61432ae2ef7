"""Behaviour of a lever-pressing mouse: intervals of time from the events of the box, what follows what, cycles, bins.

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
1 to zone 2 with a visit to the dispenser but no press. For most analyses the seven merge to four groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.pathways.imetronic import DISPENSER, LEVER, LICK, ZONE

__all__ = [
    "BEHAVIOURS",
    "CYCLE",
    "GROUPS",
    "GROUP_OF",
    "AverageTransitions",
    "Transitions",
    "average_transitions",
    "behaviour_durations",
    "bin_activity",
    "bin_labels",
    "bin_times",
    "block_groups",
    "check_intervals",
    "cycle_durations",
    "cycle_groups",
    "cycle_histogram",
    "drinking_bouts",
    "entropy_rate",
    "find_cycles",
    "inter_sequence_intervals",
    "irregularities",
    "match_pattern",
    "merge_behaviours",
    "press_counts",
    "presses",
    "segment",
    "state_at",
    "transitions",
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
        Rows of the ``.dat`` file (:mod:`netlib.pathways.imetronic`).
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


# ---------------------------------------------------------------- transitions


@dataclass(frozen=True, eq=False)
class Transitions:
    """What follows what in one session.

    Attributes
    ----------
    counts : DataFrame of int
        How often the behaviour of a column came after that of a row.
    probability : DataFrame
        Rows of ``counts`` divided by their sums: P(column | row); NaN for a behaviour that nothing followed.
    entropy_rate : float
        Bits per transition (:func:`entropy_rate`); NaN without transitions.
    """

    counts: pd.DataFrame
    probability: pd.DataFrame
    entropy_rate: float


@dataclass(frozen=True, eq=False)
class AverageTransitions:
    """Transition probabilities over mice or sessions: ``mean``, ``sd`` and ``n``, how many had the row's behaviour."""

    mean: pd.DataFrame
    sd: pd.DataFrame
    n: pd.DataFrame


def transitions(intervals: pd.DataFrame, labels: Iterable[str] | None = None) -> Transitions:
    """Transitions between successive behaviours, whatever time passes between them.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours of a session, or its (onset, label) list, in order of time.
    labels : sequence of str, optional
        Rows and columns; by default the seven behaviours in published order (sequence, zone 2, pellet, no pellet,
        explo 2, explo 1, zone 1), or the four groups if ``intervals`` is merged.

    Returns
    -------
    Transitions

    Raises
    ------
    ValueError
        If a label is none of ``labels``, or onsets are not in order.

    Examples
    --------
    >>> session = pd.DataFrame({"onset": [0, 2, 5, 7], "label": ["explo", "food", "explo", "zones"]})
    >>> transitions(session).counts.loc["explo"].to_dict()
    {'sequence': 0, 'zones': 1, 'food': 1, 'explo': 0}
    """
    found = intervals["label"].to_numpy(object)
    if labels is None:
        merged = len(found) and set(found) <= set(GROUPS) and not set(found) <= {"sequence"}
        labels = GROUPS if merged else BEHAVIOURS
    labels = list(labels)
    code = pd.Index(labels).get_indexer(found)
    if (code < 0).any():
        raise ValueError(f"label = {found[np.argmax(code < 0)]!r} is unknown: labels are {labels}")
    if (np.diff(intervals["onset"].to_numpy(float)) < 0).any():
        raise ValueError("intervals are not in order: onsets must rise")
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (code[:-1], code[1:]), 1)
    return Transitions(
        pd.DataFrame(counts, labels, labels), pd.DataFrame(_rows_to_one(counts), labels, labels), entropy_rate(counts)
    )


def _rows_to_one(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def entropy_rate(counts: np.ndarray | pd.DataFrame) -> float:
    """Entropy rate of a first-order chain with these transition counts (bits per transition).

    -sum_i p_i sum_j p_ij log2 p_ij, where p_i is the share of transitions that leave i. This plug-in estimate is too
    low for few transitions, by about (number of cells above 0 - number of rows above 0) / (2 n ln 2).

    Parameters
    ----------
    counts : array_like, shape (n_states, n_states)
        From row to column.

    Examples
    --------
    >>> entropy_rate([[0, 5], [5, 0]])
    0.0
    >>> entropy_rate([[5, 5], [5, 5]])
    1.0
    """
    counts = check_array("counts", counts, "transitions", 0, ndim=2)
    if counts.sum() == 0:
        return float("nan")
    p = _rows_to_one(counts)
    information = np.where(counts > 0, -np.log2(np.where(counts > 0, p, 1.0)), 0.0)
    return float((counts * information).sum() / counts.sum()) + 0.0


def average_transitions(sessions: Iterable[Transitions | pd.DataFrame]) -> AverageTransitions:
    """Mean and sd of transition probabilities over mice (or sessions), each of equal weight.

    A mouse that never showed a behaviour says nothing of what follows it: it is left out of that row, whose ``n`` tells
    how many remain. The sd (of a sample) is NaN for fewer than two.

    Parameters
    ----------
    sessions : sequence of Transitions, or of probability matrices

    Raises
    ------
    ValueError
        If there are none, or they have different labels.
    """
    tables = [s.probability if isinstance(s, Transitions) else s for s in sessions]
    if not tables:
        raise ValueError("sessions is empty: an average needs at least one matrix of transitions")
    labels = tables[0].index
    if any(not (t.index.equals(labels) and t.columns.equals(labels)) for t in tables):
        raise ValueError("sessions have matrices with different labels: they must be the same, in the same order")
    stack = np.stack([t.to_numpy(float) for t in tables])
    n = np.isfinite(stack).sum(0)
    total = np.nansum(stack, 0)
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    squares = np.nansum((stack - mean) ** 2, 0)
    sd = np.sqrt(np.divide(squares, n - 1, out=np.full(total.shape, np.nan), where=n > 1))
    return AverageTransitions(*(pd.DataFrame(x, labels, labels) for x in (mean, sd, n)))


# ---------------------------------------------------------------- cycles and durations


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
    intervals: pd.DataFrame, events: pd.DataFrame | None = None, *, pattern: Sequence[str] = CYCLE, min_presses: int = 0
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
    intervals: pd.DataFrame, *, within_cycles: bool = False, events: pd.DataFrame | None = None, min_presses: int = 0
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


# ---------------------------------------------------------------- bins of time


def bin_times(n_bins: int, width: float) -> np.ndarray:
    """Centre of each bin (ms).

    Examples
    --------
    >>> bin_times(3, 200.0).tolist()
    [100.0, 300.0, 500.0]
    """
    return (np.arange(n_bins) + 0.5) * width


def bin_activity(values: ArrayLike, dt: float, width: float = 200.0, how: str = "sum") -> np.ndarray:
    """Activity per bin.

    Parameters
    ----------
    values : array_like, shape (n_neurons, n_frames)
        Counts or a trace per frame.
    dt : float
        Frame interval (ms).
    width : float
        Bin (ms), a whole number of frames (50, 200 or 500 at 20 Hz); frames beyond the last whole bin are left out.
    how : {"sum", "mean"}
        Sum counts, average traces.

    Returns
    -------
    ndarray, shape (n_bins, n_neurons)

    Examples
    --------
    >>> bin_activity([[1, 2, 3, 4, 5]], 50.0, 100.0).tolist()
    [[3.0], [7.0]]
    """
    values = check_array("values", values, ndim=2)
    check_choice("how", how, ("sum", "mean"))
    frames = check_number("width", width, "ms", 0, low_open=True) / check_number("dt", dt, "ms", 0, low_open=True)
    size = round(frames)
    if size < 1 or abs(frames - size) > 1e-6 or size > values.shape[1]:
        raise ValueError(f"width = {width:g} ms is not a whole number of frames of {dt:g} ms within the session")
    n_bins = values.shape[1] // size
    blocks = values[:, : n_bins * size].reshape(len(values), n_bins, size)
    return (blocks.sum(axis=2) if how == "sum" else blocks.mean(axis=2)).T


def bin_labels(
    intervals: pd.DataFrame, names: Sequence[str], n_bins: int, width: float, fill: bool = False
) -> np.ndarray:
    """Behaviour at the centre of each bin: its place in ``names``, -1 for none.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours, seven or four.
    names : sequence of str
        Behaviours by number; others count as none.
    n_bins : int
    width : float
        Bin (ms).
    fill : bool
        Let each behaviour last to the next onset, as published.
    """
    table = check_intervals(intervals)
    rows = state_at(table, bin_times(n_bins, width), fill)
    code = np.append(pd.Index(list(names)).get_indexer(table["label"]), -1)
    return code[rows]


def block_groups(times: ArrayLike, length: float = 30_000.0) -> np.ndarray:
    """Number of the block of ``length`` ms that each time (ms) falls in.

    Examples
    --------
    >>> block_groups([0.0, 29_999.0, 30_000.0]).tolist()
    [0, 0, 1]
    """
    check_number("length", length, "ms", 0, low_open=True)
    return np.floor(check_array("times", times, "ms", ndim=1) / length).astype(int)


def cycle_groups(intervals: pd.DataFrame, times: ArrayLike, n_cycles: int = 3) -> np.ndarray:
    """Number of the stretch of ``n_cycles`` sequences that each time falls in: a stretch begins as a sequence does.

    Examples
    --------
    >>> table = pd.DataFrame({"onset": [10.0, 20.0, 30.0], "offset": [12.0, 22.0, 32.0], "label": "sequence"})
    >>> cycle_groups(table, [5.0, 15.0, 25.0, 35.0], 2).tolist()
    [0, 0, 1, 1]
    """
    n_cycles = check_integer("n_cycles", n_cycles, 1, unit="cycles")
    onset = intervals.loc[(intervals["label"] == "sequence").to_numpy(), "onset"].to_numpy(float)
    return np.searchsorted(onset, check_array("times", times, "ms", ndim=1), side="right") // n_cycles
