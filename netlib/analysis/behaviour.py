"""Behaviour of a session: the seven behaviours, the four they merge to, and what follows what.

The cutting itself (:func:`segment` and the algebra of intervals) lives with the file format, in
:mod:`netlib.recordings.operant.behaviour_segments`, and is offered here too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.recordings.operant.behaviour_segments import (
    BEHAVIOURS,
    GROUP_OF,
    GROUPS,
    check_intervals,
    drinking_bouts,
    from_onsets,
    irregularities,
    merge_behaviours,
    press_counts,
    presses,
    segment,
    state_at,
    to_onsets,
)
from netlib.units import check_array

__all__ = [
    "BEHAVIOURS",
    "GROUPS",
    "GROUP_OF",
    "AverageTransitions",
    "Transitions",
    "average_transitions",
    "check_intervals",
    "drinking_bouts",
    "entropy_rate",
    "from_onsets",
    "irregularities",
    "merge_behaviours",
    "press_counts",
    "presses",
    "segment",
    "state_at",
    "to_onsets",
    "transitions",
]


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
