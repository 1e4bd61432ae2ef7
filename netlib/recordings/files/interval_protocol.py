"""Protocols from tables of time intervals (NWB's trials, stimulus presentations), whatever their columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from netlib.stimuli.protocol import Protocol
from netlib.stimuli.table import COLUMNS
from netlib.units import check_orientation

__all__ = ["interval_protocol"]

#: Columns that name what was shown, the first that a table holds.
STIMULUS_NAMES = ("stimulus", "stimulus_name", "stimulus_type", "stimulus_template_name")


def interval_protocol(
    intervals: pd.DataFrame, start: float, duration: float, *, slack: float = 0.0
) -> tuple[Protocol, int]:
    """Protocol from intervals in seconds, on the clock of a recording.

    Parameters
    ----------
    intervals : DataFrame
        Columns ``start_time`` and ``stop_time`` (s), and any others. Columns that a protocol has too
        (``orientation`` in deg, ``contrast`` from 0 to 1, ``trial``...) are taken over where their values are legal
        there; where some are not, these get the default and the whole column is kept as ``<name>_file``.
    start : float
        Start of the recording on the clock of the intervals (s).
    duration : float
        Length of the recording (ms).
    slack : float
        By how much a presentation may run into the next, and is then cut (ms), such as one frame.

    Returns
    -------
    protocol : Protocol
        The intervals within the recording, in order; a single "unknown" where there is none.
    dropped : int
        Intervals left out: not within the recording, empty, or with NaN for a time.

    Raises
    ------
    ValueError
        If intervals overlap by more than ``slack``.

    Examples
    --------
    >>> table = pd.DataFrame({"start_time": [9.0, 10.5], "stop_time": [9.5, 11.0], "orientation": [0, 45]})
    >>> protocol, dropped = interval_protocol(table, start=10.0, duration=5000.0)
    >>> protocol.table[["onset", "duration", "orientation"]].to_numpy().tolist(), dropped
    ([[500.0, 500.0, 45.0]], 1)
    """
    onset = (intervals["start_time"].to_numpy(float) - start) * 1000.0
    stop = (intervals["stop_time"].to_numpy(float) - start) * 1000.0
    keep = (onset > -1e-6) & (stop < duration + slack + 1e-6) & (stop > onset)
    onset, stop = np.maximum(onset[keep], 0.0), np.minimum(stop[keep], duration)
    order = np.argsort(onset, kind="stable")
    onset, stop = onset[order], stop[order]
    dropped = int(len(keep) - keep.sum())
    if not len(onset):
        return Protocol(pd.DataFrame({"onset": [0.0], "duration": [duration]})), dropped
    late = (stop[:-1] > onset[1:]) & (stop[:-1] <= onset[1:] + slack) & (onset[1:] > onset[:-1])
    stop[:-1][late] = onset[1:][late]
    table = intervals.drop(columns=["start_time", "stop_time"])[keep].iloc[order].reset_index(drop=True)
    table = _adopted(table)
    table.insert(0, "onset", onset)
    table.insert(1, "duration", stop - onset)
    return Protocol(table, duration=max(duration, float(stop.max()))), dropped


def _adopted(table: pd.DataFrame) -> pd.DataFrame:
    """Table whose columns a protocol takes: what is not legal there moves to ``<name>_file``."""
    taken: dict[str, object] = {}
    stimulus = next((name for name in STIMULUS_NAMES if name in table.columns), None)
    if stimulus is not None:
        taken["stimulus"] = table[stimulus].astype(str)
    for name in table.columns:
        if name == "stimulus":
            continue
        if name not in COLUMNS:
            taken[name] = table[name]
            continue
        if name in ("onset", "duration"):
            taken[f"{name}_file"] = table[name]
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        legal = np.array([_legal(name, value) for value in values])
        taken[name] = values.where(legal, COLUMNS[name])
        if not legal.all():
            taken[f"{name}_file"] = table[name]
    return pd.DataFrame(taken, index=table.index)


def _legal(name: str, value: float) -> bool:
    if np.isnan(value):
        return False
    if name == "orientation":
        try:
            check_orientation(name, value)
        except ValueError:
            return False
        return True
    low, high = {"contrast": (0, 1), "direction": (-360, 360)}.get(name, (0, np.inf))
    return low <= value <= high
