"""Bins of time for decoding: activity in them, the behaviour they belong to, and the stretches that stay together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.operant.behaviour_segments import check_intervals, state_at
from netlib.units import check_array, check_choice, check_integer, check_number

__all__ = ["bin_activity", "bin_labels", "bin_times", "block_groups", "cycle_groups"]


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
