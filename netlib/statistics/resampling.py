"""Bootstrap, relabellings that a null hypothesis allows, corrections for several tests, and what these share.

Which relabelling is right depends on what is exchangeable. Labels of trials that come in runs, with responses that
remember the trial before (calcium does), are not exchangeable one by one: free shuffles then give a null that is
too narrow. Shifting the label sequence round the session, or shuffling whole runs, keeps the runs together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.seeds import stream

__all__ = [
    "PERMUTATIONS",
    "STATISTICS",
    "adjust_p_values",
    "blocks",
    "bootstrap_interval",
    "bootstrap_std",
    "bootstrap_values",
    "correlation",
    "generator",
    "packed_relabellings",
    "relabelled",
    "resolve_statistic",
    "run_lengths",
    "strata_indices",
    "unpacked",
]


Statistic = Callable[..., np.ndarray]


def generator(seed: int | np.random.Generator, *names: str | int) -> np.random.Generator:
    """Return ``seed`` if it is a generator, else the stream called ``names`` under that master seed."""
    return seed if isinstance(seed, np.random.Generator) else stream(seed, *names)


def blocks(total: int, width: int, elements: int = 2_000_000) -> Iterator[slice]:
    """Slices that cover ``range(total)`` in order, each at most ``elements`` values when a row has ``width``.

    Examples
    --------
    >>> list(blocks(5, 10, 20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, elements // max(1, width))
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def mean_abs(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of absolute values."""
    return np.abs(x).mean(axis=axis)


def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson correlation along an axis; NaN where one side does not vary.

    Examples
    --------
    >>> float(correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.0])))
    -1.0
    """
    x = x - x.mean(axis=axis, keepdims=True)
    y = y - y.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=axis) / np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
    return np.clip(r, -1.0, 1.0)


STATISTICS: dict[str, Statistic] = {
    "mean": np.mean,
    "mean_abs": mean_abs,
    "median": np.median,
    "variance": np.var,  # ddof 0, as published
    "correlation": correlation,
}


def resolve_statistic(statistic: str | Statistic) -> Statistic:
    """Return a function of (arrays..., axis) from a name of :data:`STATISTICS` or a function.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return statistic if callable(statistic) else STATISTICS[check_choice("statistic", statistic, STATISTICS)]


# ---------------------------------------------------------------- bootstrap


def bootstrap_values(
    samples: ArrayLike | tuple[ArrayLike, ...],
    statistic: str | Statistic = "mean",
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> np.ndarray:
    """Statistic of resamples with replacement.

    Parameters
    ----------
    samples : array_like (n,), or tuple of them
        Values of n units. Several arrays in a tuple are resampled together: unit k keeps its pair.
    statistic : str or callable
        "mean", "mean_abs", "median", "variance" (ddof 0), "correlation" (two arrays), or a function of the
        arrays and ``axis``.
    n_resamples : int
        Number of resamples.
    seed : int or Generator
        Master seed, or a generator to draw from.

    Returns
    -------
    ndarray, shape (n_resamples,)

    Raises
    ------
    ValueError
        If arrays differ in length, are empty or hold NaN.
    """
    arrays = samples if isinstance(samples, tuple) else (samples,)
    arrays = [check_array(f"samples[{i}]", a, ndim=1) for i, a in enumerate(arrays)]
    n = len(arrays[0])
    if any(len(a) != n for a in arrays):
        raise ValueError(f"samples have lengths {[len(a) for a in arrays]}: paired samples must have one length")
    n_resamples = check_integer("n_resamples", n_resamples, 2)
    function, rng = resolve_statistic(statistic), generator(seed, "bootstrap")
    out = np.empty(n_resamples)
    for rows in blocks(n_resamples, n):
        index = rng.integers(0, n, (rows.stop - rows.start, n))
        out[rows] = function(*(a[index] for a in arrays), axis=-1)
    return out


def bootstrap_std(
    samples: ArrayLike | tuple[ArrayLike, ...],
    statistic: str | Statistic = "mean",
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> float:
    """Standard deviation (ddof 0) of a statistic over resamples: arguments as in :func:`bootstrap_values`.

    Published error bars of variances and correlations are this number at 10,000 resamples (Gillon et al. 2024,
    J Neurosci 44(5) e1009232023).
    """
    return float(np.nanstd(bootstrap_values(samples, statistic, n_resamples, seed)))


def bootstrap_interval(
    samples: ArrayLike | tuple[ArrayLike, ...],
    statistic: str | Statistic = "mean",
    level: float = 0.95,
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
    method: str = "BCa",
) -> tuple[float, float]:
    """Bootstrap confidence interval (low, high), by :func:`scipy.stats.bootstrap`.

    Parameters
    ----------
    samples, statistic, n_resamples, seed
        As in :func:`bootstrap_values`.
    level : float
        Coverage, in (0, 1).
    method : {"BCa", "percentile", "basic"}
        Bias-corrected and accelerated (Efron 1987, J Am Stat Assoc 82:171) unless told.
    """
    from scipy.stats import bootstrap

    check_choice("method", method, ("BCa", "percentile", "basic"))
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    arrays = samples if isinstance(samples, tuple) else (samples,)
    arrays = [check_array(f"samples[{i}]", a, ndim=1) for i, a in enumerate(arrays)]
    found = bootstrap(
        arrays,
        resolve_statistic(statistic),
        n_resamples=check_integer("n_resamples", n_resamples, 2),
        batch=max(1, 2_000_000 // len(arrays[0])),
        paired=len(arrays) > 1,
        vectorized=True,
        confidence_level=level,
        method=method,
        rng=generator(seed, "bootstrap"),
    ).confidence_interval
    return float(found.low), float(found.high)


# ---------------------------------------------------------------- relabelling


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


# ---------------------------------------------------------------- several tests


METHODS = {"bonferroni": "bonferroni", "holm": "holm", "bh": "fdr_bh", "by": "fdr_by"}


def adjust_p_values(p_values: ArrayLike, method: str = "holm") -> np.ndarray:
    """P values adjusted for having made several tests; NaN (no test) stays NaN and is not counted.

    Bonferroni and Holm bound the chance of any false discovery under any dependence (Holm is never weaker);
    "bh" and "by" bound the expected share of false ones among discoveries, under positive and under any
    dependence. P values must be two-sided already where tests are: no factor for tails is added.

    Parameters
    ----------
    p_values : array_like
        Raw p values, any shape.
    method : {"holm", "bonferroni", "bh", "by"}
        Correction; computed by :func:`statsmodels.stats.multitest.multipletests`.

    Returns
    -------
    ndarray, the shape of ``p_values``

    Raises
    ------
    ValueError
        If a value leaves [0, 1] or the method is unknown.

    Examples
    --------
    >>> adjust_p_values([0.01, 0.02, np.nan, 0.5], "bonferroni")
    array([0.03, 0.06,  nan, 1.  ])
    >>> adjust_p_values([0.01, 0.02, np.nan, 0.5], "holm")
    array([0.03, 0.04,  nan, 0.5 ])
    """
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p_values, float)
    tested = np.isfinite(p)
    if np.any((p[tested] < 0) | (p[tested] > 1)) or np.isinf(p).any():
        raise ValueError(f"p_values run from {np.nanmin(p):g} to {np.nanmax(p):g}: they must be in [0, 1] (or NaN)")
    name = METHODS[check_choice("method", method, METHODS)]
    out = np.full(p.shape, np.nan)
    if tested.any():
        out[tested] = multipletests(p[tested], method=name)[1]
    return out
