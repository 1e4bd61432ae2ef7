"""Quality of a registration, and values taken along it: an absent neuron is missing, never an index.

The published code read 0, absent, as an index of -1 and so gave a missing neuron the answers of the last one; here a
table is checked, and values are taken by :func:`pick`, which leaves NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

__all__ = [
    "RegistrationQuality",
    "check_registration",
    "follow_matrix",
    "pick",
    "quality",
    "registration_scores",
]

#: Published bins of the number of sessions, of eight.
COUNT_BINS = ((0, 1), (2, 3), (4, 4), (5, 6), (7, 8))


def check_registration(table: ArrayLike, n_cells: Sequence[int] | None = None) -> np.ndarray:
    """Return a table (n_registered, n_sessions) of local indices with -1 for absent, or raise an error.

    Raises
    ------
    ValueError
        If a value is not whole, below -1, NaN, beyond ``n_cells`` or used twice in a session.

    Examples
    --------
    >>> check_registration([[0, -1], [0, 2]])
    Traceback (most recent call last):
    ...
    ValueError: table, session 1: neuron 0 is registered 2 times: it can be one registered neuron only
    """
    raw = np.asarray(table, float)
    if raw.ndim != 2 or not raw.shape[1]:
        raise ValueError(f"table has shape {raw.shape}: it must be (n_registered, n_sessions)")
    bad = ~((raw >= -1) & (raw == np.round(raw)))
    if n_cells is not None:
        bad |= raw >= np.asarray(n_cells)[None, :]
    if bad.any():
        i, j = np.argwhere(bad)[0]
        most = "" if n_cells is None else f" to {n_cells[j] - 1}"
        raise ValueError(
            f"table[{i}, {j}] = {raw[i, j]:g}: it must be a local index from 0{most}, or -1 where the neuron is absent"
        )
    index = raw.astype(np.int64)
    for j, column in enumerate(index.T):
        used, times = np.unique(column[column >= 0], return_counts=True)
        if (times > 1).any():
            raise ValueError(
                f"table, session {j + 1}: neuron {used[times > 1][0]} is registered {times.max()} times: "
                "it can be one registered neuron only"
            )
    return index


def pick(values: ArrayLike, column: ArrayLike) -> np.ndarray:
    """Values (n_cells, ...) of one session for the registered neurons (n_registered, ...); NaN where absent.

    Examples
    --------
    >>> pick([10.0, 20.0], [1, -1, 0])
    array([20., nan, 10.])
    """
    values = np.asarray(values, float)
    index = check_registration(np.asarray(column).reshape(-1, 1), [len(values)])[:, 0]
    out = np.full((len(index), *values.shape[1:]), np.nan)
    out[index >= 0] = values[index[index >= 0]]
    return out


def follow_matrix(table: ArrayLike) -> np.ndarray:
    """Share of the neurons of one session (row) that are found in another (column); NaN for an empty session.

    Above the diagonal, row before column, it is the published matrix: present in both over present in the earlier.

    Examples
    --------
    >>> follow_matrix([[0, 0], [1, -1]])
    array([[1. , 0.5],
           [1. , 1. ]])
    """
    present = (check_registration(table) >= 0).astype(float)
    both, n = present.T @ present, present.sum(axis=0)
    return np.divide(both, n[:, None], out=np.full(both.shape, np.nan), where=n[:, None] > 0)


def registration_scores(table: ArrayLike, identities: Sequence[ArrayLike]) -> dict[str, float]:
    """Precision, recall and F1 of a registration whose truth is known, over all pairs of neurons of two sessions.

    Parameters
    ----------
    table : array_like of int, shape (n_registered, n_sessions)
    identities : sequence of arrays
        True identity of every neuron of each session (an identity once per session).

    Examples
    --------
    >>> registration_scores([[0, 0], [1, 1], [2, -1]], [[7, 8, 9], [7, 9]])["f1"]
    0.5
    """
    index = check_registration(table, [len(i) for i in identities])
    rows, cells = [], []
    for j, known in enumerate(identities):
        found = np.flatnonzero(index[:, j] >= 0)
        rows.append(found)
        cells.append(np.asarray(known)[index[found, j]])
    pairs = pd.DataFrame({"row": np.concatenate(rows), "cell": np.concatenate(cells)})

    def count(sizes: pd.Series) -> int:
        return int((sizes * (sizes - 1) // 2).sum())

    hit, claimed = count(pairs.value_counts()), count(pairs["row"].value_counts())
    true = count(pd.Series(np.concatenate([np.unique(i) for i in identities])).value_counts())
    precision, recall = hit / claimed if claimed else np.nan, hit / true if true else np.nan
    f1 = 2 * hit / (claimed + true) if claimed + true else np.nan
    return {"precision": precision, "recall": recall, "f1": f1, "true_pairs": true, "found_pairs": claimed}


@dataclass(frozen=True)
class RegistrationQuality:
    """Report on a registration.

    Attributes
    ----------
    sessions_per_neuron : ndarray of int, shape (n_registered,)
    fraction_bins : Series
        Registered neurons by the fraction of sessions they are found in: 0-20, ..., 80-100 % (upper end included).
    count_bins : Series or None
        The published bins 0-1, 2-3, 4, 5-6, 7-8 of eight sessions; None for another number of sessions.
    neurons_per_session : ndarray of int, shape (n_sessions,)
    follow : ndarray, shape (n_sessions, n_sessions)
        :func:`follow_matrix`.
    scores : dict or None
        :func:`registration_scores`, if the truth is known.
    """

    sessions_per_neuron: np.ndarray
    fraction_bins: pd.Series
    count_bins: pd.Series | None
    neurons_per_session: np.ndarray
    follow: np.ndarray
    scores: dict[str, float] | None


def quality(table: ArrayLike, identities: Sequence[ArrayLike] | None = None) -> RegistrationQuality:
    """Report on a registration (n_registered, n_sessions), against the truth if it is known.

    Examples
    --------
    >>> quality([[0, 0, 0, 0], [1, -1, -1, -1]]).fraction_bins.to_dict()
    {'0-20 %': 0, '20-40 %': 1, '40-60 %': 0, '60-80 %': 0, '80-100 %': 1}
    """
    index = check_registration(table)
    present = index >= 0
    n, of = present.sum(axis=1), index.shape[1]
    names = [f"{20 * b}-{20 * b + 20} %" for b in range(5)]
    which = np.clip(np.ceil(5 * n / of - 1e-9).astype(int) - 1, 0, 4)
    fractions = pd.Series(np.bincount(which, minlength=5), index=names)
    counts = None
    if of == 8:
        label = [f"{a}-{b}" if a != b else f"{a}" for a, b in COUNT_BINS]
        counts = pd.Series([int(((n >= a) & (n <= b)).sum()) for a, b in COUNT_BINS], index=label)
    scores = None if identities is None else registration_scores(index, identities)
    return RegistrationQuality(n, fractions, counts, present.sum(axis=0), follow_matrix(index), scores)
