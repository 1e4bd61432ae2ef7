"""Similarity of neurons by their categories over sessions: a Jaccard index that knows absent from inactive.

The category vector of a neuron has 8 columns a session, (sequence, zones, food, explo) up and then down, 0 or 1, and
NaN where it is not known: in all columns if the neuron is absent, in two if a behaviour did not occur.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.resampling import generator
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.units import check_choice, check_integer

__all__ = ["CATEGORIES", "check_vectors", "jaccard_similarity", "permute_bits", "select_sessions"]

#: Columns of one session.
CATEGORIES = tuple(f"{group} {way}" for way in ("up", "down") for group in GROUPS)


def check_vectors(vectors: ArrayLike, width: int = 8) -> np.ndarray:
    """Return category vectors as floats (n, width * n_sessions), or raise an error that names what is wrong.

    Raises
    ------
    ValueError
        If a value is not 0, 1 or NaN, or the columns are not whole sessions.

    Examples
    --------
    >>> check_vectors([[0, 1, np.nan, 2]], width=2)
    Traceback (most recent call last):
    ...
    ValueError: vectors[0, 3] = 2: a category is 0, 1, or NaN where it is not known
    """
    x = np.asarray(vectors, float)
    if x.ndim != 2 or not x.size or x.shape[1] % width:
        raise ValueError(f"vectors has shape {x.shape}: it must be (n, {width} columns for each session)")
    bad = ~(np.isnan(x) | (x == 0) | (x == 1))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(f"vectors[{i}, {j}] = {x[i, j]:g}: a category is 0, 1, or NaN where it is not known")
    return x


def select_sessions(vectors: ArrayLike, sessions: Sequence[int] | None, width: int = 8) -> np.ndarray:
    """Columns of some sessions, numbered from 1 (None: all).

    Examples
    --------
    >>> select_sessions([[0, 1, 1, 0]], [2], width=2)
    array([[1., 0.]])
    """
    x = check_vectors(vectors, width)
    if sessions is None:
        return x
    n = x.shape[1] // width
    chosen = [check_integer("sessions", s, 1, n) - 1 for s in sessions]
    return x.reshape(len(x), n, width)[:, chosen].reshape(len(x), -1)


def jaccard_similarity(vectors: ArrayLike, *, width: int = 8, min_shared: int = 1) -> np.ndarray:
    """Jaccard similarity of all pairs of neurons over the categories that are known of both.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
        0, 1, or NaN where not known.
    width : int
        Columns of a session.
    min_shared : int
        Pairs that share fewer sessions (any category known of both) are undefined.

    Returns
    -------
    ndarray, shape (n, n)
        Bits set in both over bits set in either; NaN where undefined: too few shared sessions, or no bit set in
        either (two silent neurons are not known to be alike, nor unlike).

    Examples
    --------
    >>> a = np.nan
    >>> jaccard_similarity([[1, 1, 1, 0], [1, 0, a, a], [0, 0, 0, 0]], width=2).round(2)
    array([[1. , 0.5, 0. ],
           [0.5, 1. , 0. ],
           [0. , 0. , nan]])
    """
    x = check_vectors(vectors, width)
    check_integer("min_shared", min_shared, 1)
    bits, known = np.nan_to_num(x), (~np.isnan(x)).astype(float)
    both = bits @ bits.T
    counted = bits @ known.T  # bits of i that are known of j
    either = counted + counted.T - both
    shared = sum((part @ part.T > 0).astype(int) for part in np.split(known, x.shape[1] // width, axis=1))
    defined = (shared >= min_shared) & (either > 0)
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=defined)


def permute_bits(
    vectors: ArrayLike, seed: int | np.random.Generator = 0, *, keep: str = "margins", width: int = 8, trades: int = 5
) -> np.ndarray:
    """Binary vectors without structure: bits moved at random, what is not known left so.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
    keep : {"margins", "rows"}
        "margins": sums of rows and of columns are kept, by trades of bits between pairs of rows (curveball algorithm:
        Strona, Nappo, Boccacci, Fattorini & San-Miguel-Ayanz 2014, Nat Commun 5:4114) in the columns known of both.
        "rows": each row is permuted by itself over its known entries, which keeps its sum only.
    trades : int
        Trades for each row.

    Examples
    --------
    >>> x = (np.arange(64).reshape(8, 8) % 3 == 0).astype(float)
    >>> y = permute_bits(x, 1)
    >>> bool((x.sum(0) == y.sum(0)).all() and (x.sum(1) == y.sum(1)).all() and (x != y).any())
    True
    """
    check_choice("keep", keep, ("margins", "rows"))
    x, rng = check_vectors(vectors, width).copy(), generator(seed, "permute bits")
    present = ~np.isnan(x)
    if keep == "rows":
        for row, here in zip(x, present, strict=True):
            row[here] = rng.permutation(row[here])
        return x
    for _ in range(check_integer("trades", trades, 1) * len(x) if len(x) > 1 else 0):
        i, j = rng.choice(len(x), 2, replace=False)
        free = np.flatnonzero(present[i] & present[j] & (x[i] != x[j]))
        if len(free):
            x[i, free] = rng.permutation(x[i, free])
            x[j, free] = 1 - x[i, free]
    return x
