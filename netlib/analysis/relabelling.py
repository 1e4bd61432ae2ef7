"""Random relabellings of trials that a null hypothesis allows: free, circular, or by whole runs.

Which one is right depends on what is exchangeable. Labels of trials that come in runs, with responses that
remember the trial before (calcium does), are not exchangeable one by one: free shuffles then give a null that is
too narrow. Shifting the label sequence round the session, or shuffling whole runs, keeps the runs together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.resampling import blocks, generator
from netlib.units import check_choice, check_integer

__all__ = ["PERMUTATIONS", "packed_relabellings", "relabelled", "run_lengths", "strata_indices", "unpacked"]

PERMUTATIONS = ("label", "circular", "block")


def run_lengths(labels: ArrayLike) -> np.ndarray:
    """Lengths of runs of equal labels, in order.

    Examples
    --------
    >>> run_lengths([0, 0, 1, 1, 1, 0])
    array([2, 3, 1])
    """
    labels = np.asarray(labels)
    edges = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    return np.diff(np.concatenate([[0], edges, [len(labels)]]))


def relabelled(
    labels: ArrayLike,
    n_permutations: int,
    seed: int | np.random.Generator = 0,
    permutation: str = "label",
    strata: ArrayLike | None = None,
) -> np.ndarray:
    """Random relabellings, all with as many True as ``labels``.

    Parameters
    ----------
    labels : array_like of bool, shape (trials,)
        Group of each trial, in order of time.
    n_permutations : int
        How many.
    seed : int or Generator
        Master seed, or a generator to draw from.
    permutation : {"label", "circular", "block"}
        "label": any order (the published null). "circular": the sequence shifted round by a random number of
        trials. "block": runs of True keep their lengths and are dealt in random order, so are runs of False: exact
        for a schedule that drew its runs independently, whatever the memory of the responses.
    strata : array_like, shape (trials,), optional
        Relabel within each value only (pairs of windows around one event; two blocks of a session).

    Returns
    -------
    ndarray of bool, shape (n_permutations, trials)

    Raises
    ------
    ValueError
        If the labels leave fewer than 20 different relabellings of the kind asked.
    """
    rng = generator(seed, "relabelling")
    packed = packed_relabellings(labels, n_permutations, rng, permutation, strata)
    return unpacked(packed, len(np.asarray(labels))).astype(bool)


def packed_relabellings(
    labels: ArrayLike,
    n_permutations: int,
    seed: int | np.random.Generator = 0,
    permutation: str = "label",
    strata: ArrayLike | None = None,
) -> np.ndarray:
    """:func:`relabelled` at one bit per label, shape (n_permutations, ceil(trials / 8)): see :func:`unpacked`."""
    return np.concatenate(list(_packed(labels, n_permutations, generator(seed, "relabelling"), permutation, strata)))


def unpacked(packed: np.ndarray, n_trials: int) -> np.ndarray:
    """Labels 0 and 1 (uint8) of shape (n_permutations, n_trials) from packed ones."""
    return np.unpackbits(packed, axis=1, count=n_trials)


def _packed(
    labels: ArrayLike, n: int, rng: np.random.Generator, permutation: str, strata: ArrayLike | None
) -> Iterator[np.ndarray]:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels have shape {labels.shape}, {labels.dtype}: they must be True or False, (trials,)")
    labels = labels.astype(np.uint8)
    n = check_integer("n_permutations", n, 1)
    check_choice("permutation", permutation, PERMUTATIONS)
    make = {"label": _free, "circular": _circular, "block": _runs}[permutation]
    parts = strata_indices(strata, len(labels))
    _refuse_too_few(sum(_log_distinct(labels[part], permutation) for part in parts), permutation)
    for rows in blocks(n, len(labels)):
        block = np.empty((rows.stop - rows.start, len(labels)), np.uint8)
        for part in parts:
            block[:, part] = make(labels[part], len(block), rng)
        yield np.packbits(block, axis=1)


def strata_indices(strata: ArrayLike | None, n: int) -> list[np.ndarray]:
    """Indices of each stratum in order, all of them for None.

    Examples
    --------
    >>> strata_indices(["b", "a", "b"], 3)
    [array([1]), array([0, 2])]
    """
    if strata is None:
        return [np.arange(n)]
    strata = np.asarray(strata)
    if strata.shape != (n,):
        raise ValueError(f"strata has shape {strata.shape}: it must be ({n},), one value per trial")
    order = np.argsort(strata, kind="stable")
    return np.split(order, np.flatnonzero(strata[order][1:] != strata[order][:-1]) + 1)


def _free(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permuted(np.tile(labels, (n, 1)), axis=1)


def _circular(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    shift = rng.integers(0, len(labels), n)[:, None]
    return labels[(np.arange(len(labels)) - shift) % len(labels)]


def _runs(labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    lengths = np.tile(run_lengths(labels), (n, 1))
    for kind in (0, 1):
        lengths[:, kind::2] = rng.permuted(lengths[:, kind::2], axis=1)
    flips = np.zeros((n, len(labels)), np.uint8)
    np.put_along_axis(flips, np.cumsum(lengths, axis=1)[:, :-1], 1, axis=1)
    return np.bitwise_xor.accumulate(flips, axis=1) ^ labels[0]


def _log_distinct(labels: np.ndarray, permutation: str) -> float:
    """Logarithm of the number of different relabellings."""
    if permutation == "circular":
        return math.log(_period(labels))
    if permutation == "label":
        return _log_orders(np.bincount(labels))
    lengths = run_lengths(labels)
    return sum(_log_orders(np.bincount(lengths[kind::2])) for kind in (0, 1) if len(lengths[kind::2]))


def _period(labels: np.ndarray) -> int:
    """Number of different circular shifts: the first divisor of the length by which a shift changes nothing."""
    n = len(labels)
    return next(k for k in range(1, n + 1) if n % k == 0 and np.array_equal(np.roll(labels, k), labels))


def _log_orders(counts: np.ndarray) -> float:
    return math.lgamma(counts.sum() + 1) - sum(math.lgamma(c + 1) for c in counts)


def _refuse_too_few(log_distinct: float, permutation: str) -> None:
    if log_distinct < math.log(20) - 1e-9:
        raise ValueError(
            f"permutation = {permutation!r} has only {math.exp(log_distinct):.0f} different relabellings of these "
            "labels: a test at 5 % needs at least 20"
        )
