"""Permutation tests between samples and sessions, and binomial tests of a percent of ROIs: as published, and exact.

Published conventions (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023; percents: its Fig. 4D and E): p is the
percentile of the value in its null with ties counted half, folded to min(p, 1 - p) for tails 2 and "hi"; it is then
multiplied by the number of tails and of comparisons. It can be 0, and a value far in the *other* tail of a "hi" test
looks significant. Beside each stands (b + 1) / (m + 1) (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39), which has
neither fault.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.statistics.resampling import Statistic, blocks, generator, packed_relabellings, resolve_statistic, unpacked

__all__ = [
    "PermutationResult",
    "binomial_interval",
    "binomial_p",
    "compare_samples",
    "count_significant",
    "exact_p",
    "joint_difference_test",
    "null_interval",
    "percent_test",
    "permutation_result",
    "published_binomial_p",
    "published_p",
    "session_null",
]


TAILS = {2: 2, "hi": 1, "lo": 1}


def _n_tails(tails: int | str) -> int:
    if tails not in TAILS:
        raise ValueError(f"tails = {tails!r} is unknown: it must be 2, 'hi' or 'lo'")
    return TAILS[tails]


def published_p(value: float, null: ArrayLike, tails: int | str = 2, multcomp: int = 1) -> tuple[float, float]:
    """Published p values (raw, corrected) of a value in its null.

    Parameters
    ----------
    value : float
        The real value.
    null : array_like, shape (n_permutations,)
        Values under the null.
    tails : {2, "hi", "lo"}
        The raw p is for one tail; the correction multiplies it by the number of tails.
    multcomp : int
        Number of comparisons (Bonferroni).

    Examples
    --------
    >>> published_p(3.0, [0.0, 1.0, 2.0, 3.0], tails=2, multcomp=2)
    (0.125, 0.5)
    """
    n_tails = _n_tails(tails)
    null = check_array("null", null, ndim=1)
    raw = float(np.mean(null < value) + np.mean(null <= value)) / 2
    if tails != "lo":
        raw = min(raw, 1 - raw)
    return raw, min(1.0, raw * n_tails * check_integer("multcomp", multcomp, 1))


def exact_p(value: float, null: ArrayLike, tails: int | str = 2) -> float:
    """(b + 1) / (m + 1): b of the m values under the null are as extreme; two-sided p is twice the smaller side.

    Examples
    --------
    >>> exact_p(3.0, [0.0, 1.0, 2.0, 2.5], "hi"), exact_p(3.0, [0.0, 1.0, 2.0, 2.5], "lo")
    (0.2, 1.0)
    """
    _n_tails(tails)
    null = check_array("null", null, ndim=1)
    tie = 1e-12 * max(abs(value), np.abs(null).max())
    low, high = ((np.sum(side) + 1) / (len(null) + 1) for side in (null <= value + tie, null >= value - tie))
    return float({"lo": low, "hi": high, 2: min(1.0, 2 * min(low, high))}[tails])


def null_interval(
    null: ArrayLike, alpha: float = 0.05, tails: int | str = 2, multcomp: int = 1
) -> tuple[float, float, float]:
    """Low edge, median and high edge of the null at level alpha / multcomp.

    Parameters
    ----------
    null : array_like, shape (n_permutations,)
        Values under the null.
    alpha : float
        Level, divided by ``multcomp`` (and shared by the tails if there are 2). For one tail, the edge on the other
        side is the extreme of the null.

    Raises
    ------
    ValueError
        If the null has fewer than 2 values beyond the level.
    """
    _n_tails(tails)
    null = check_array("null", null, ndim=1)
    check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
    level = alpha / check_integer("multcomp", multcomp, 1)
    if int(len(null) * level + 1e-9) < 2:
        raise ValueError(
            f"n_permutations = {len(null)} is too few for alpha = {alpha:g} over {multcomp} comparisons: "
            f"it must be at least {int(np.ceil(2 / level - 1e-9))}"
        )
    percent = 100 * level
    edges = {2: (percent / 2, 50, 100 - percent / 2), "hi": (0, 50, 100 - percent), "lo": (percent, 50, 100)}[tails]
    low, median, high = np.percentile(null, edges)
    return float(low), float(median), float(high)


@dataclass(frozen=True)
class PermutationResult:
    """A value against its null: ``raw_p`` and ``p`` as published, ``p_exact`` = (b + 1) / (m + 1), both tails in it.

    ``null_ci`` is the null's (low, median, high) at alpha / multcomp; ``p`` is corrected by Bonferroni,
    ``p_exact`` is not (see :func:`netlib.statistics.resampling.adjust_p_values`).
    """

    value: float
    raw_p: float
    p: float
    p_exact: float
    null_ci: tuple[float, float, float]
    n_permutations: int
    tails: int | str
    multcomp: int


def permutation_result(
    value: float, null: ArrayLike, *, tails: int | str = 2, alpha: float = 0.05, multcomp: int = 1
) -> PermutationResult:
    """Both kinds of p value and the interval of a null: see the functions of this module."""
    null = check_array("null", null, ndim=1)
    interval = null_interval(null, alpha, tails, multcomp)
    raw, corrected = published_p(value, null, tails, multcomp)
    return PermutationResult(
        float(value), raw, corrected, exact_p(value, null, tails), interval, len(null), tails, multcomp
    )


def session_null(
    a: ArrayLike,
    b: ArrayLike,
    *,
    paired: bool = False,
    statistic: str | Statistic = "mean",
    n_permutations: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> tuple[float, np.ndarray]:
    """Difference statistic(b) - statistic(a), and its null when values do not care for the session.

    Parameters
    ----------
    a, b : array_like, shape (n_a,), (n_b,)
        One value per ROI in each session.
    paired : bool
        The same ROIs in the same order: each ROI's two values are swapped or not. Else all values are dealt anew to
        the two sessions.
    statistic : {"mean", "mean_abs", "median", "variance"} or callable
        Of an array along ``axis``. Means and variances (ddof 0) go by matrix products.
    n_permutations : int
        Size of the null.
    seed : int or Generator
        Master seed, or a generator to draw from.

    Returns
    -------
    value : float
    null : ndarray, shape (n_permutations,)

    Raises
    ------
    ValueError
        If paired samples differ in length, or a value is NaN.
    """
    a, b = check_array("a", a, ndim=1), check_array("b", b, ndim=1)
    if paired and len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b {len(b)}: paired samples must have one length")
    function = resolve_statistic(statistic)
    n_permutations, rng = check_integer("n_permutations", n_permutations, 1), generator(seed, "session null")
    value = float(function(b, axis=-1) - function(a, axis=-1))
    draw = _swapped if paired else _dealt
    null = np.empty(n_permutations)
    for rows in blocks(n_permutations, len(a) + len(b)):
        null[rows] = draw(a, b, statistic, rows.stop - rows.start, rng)
    return value, null


def _features(statistic: str | Statistic, x: np.ndarray) -> np.ndarray | None:
    """Columns whose sums give the statistic, or None."""
    if statistic == "mean":
        return x[:, None]
    if statistic == "mean_abs":
        return np.abs(x)[:, None]
    return np.column_stack([x, x * x]) if statistic == "variance" else None


def _from_means(statistic: str | Statistic, means: np.ndarray) -> np.ndarray:
    return means[:, 1] - means[:, 0] ** 2 if statistic == "variance" else means[:, 0]


def _swapped(a: np.ndarray, b: np.ndarray, statistic: str | Statistic, n: int, rng: np.random.Generator) -> np.ndarray:
    swap = rng.integers(0, 2, (n, len(a)), dtype=np.uint8)
    centre = np.concatenate([a, b]).mean() if statistic == "variance" else 0.0
    fa, fb = _features(statistic, a - centre), _features(statistic, b - centre)
    if fa is None or fb is None:
        function, swap = resolve_statistic(statistic), swap.astype(bool)
        return function(np.where(swap, a, b), axis=-1) - function(np.where(swap, b, a), axis=-1)
    moved = swap.astype(float) @ (fb - fa)
    in_a, in_b = fa.sum(axis=0) + moved, fb.sum(axis=0) - moved
    return _from_means(statistic, in_b / len(b)) - _from_means(statistic, in_a / len(a))


def _dealt(a: np.ndarray, b: np.ndarray, statistic: str | Statistic, n: int, rng: np.random.Generator) -> np.ndarray:
    pool = np.concatenate([a, b])
    f = _features(statistic, pool - pool.mean() if statistic == "variance" else pool)
    if f is None:
        function, dealt = resolve_statistic(statistic), rng.permuted(np.tile(pool, (n, 1)), axis=1)
        return function(dealt[:, len(a) :], axis=-1) - function(dealt[:, : len(a)], axis=-1)
    member = np.tile(np.repeat(np.array([1, 0], np.uint8), [len(a), len(b)]), (n, 1))
    in_a = rng.permuted(member, axis=1).astype(float) @ f
    in_b = f.sum(axis=0) - in_a
    return _from_means(statistic, in_b / len(b)) - _from_means(statistic, in_a / len(a))


def compare_samples(
    a: ArrayLike,
    b: ArrayLike,
    *,
    paired: bool = False,
    statistic: str | Statistic = "mean",
    n_permutations: int = 10_000,
    seed: int | np.random.Generator = 0,
    tails: int | str = 2,
    alpha: float = 0.05,
    multcomp: int = 1,
) -> PermutationResult:
    """Test statistic(b) - statistic(a) by permutation: arguments as in :func:`session_null` and below.

    Parameters
    ----------
    tails : {2, "hi", "lo"}
        Which side counts.
    alpha, multcomp
        Level of the null's interval, and number of comparisons.
    """
    value, null = session_null(a, b, paired=paired, statistic=statistic, n_permutations=n_permutations, seed=seed)
    return permutation_result(value, null, tails=tails, alpha=alpha, multcomp=multcomp)


def joint_difference_test(
    sessions: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    permutation: str = "label",
    n_permutations: int = 10_000,
    seed: int | np.random.Generator = 0,
    tails: int | str = 2,
    alpha: float = 0.05,
    multcomp: int = 1,
) -> PermutationResult:
    """Mean over pooled ROIs of (mean unexpected - mean expected), against relabelled trials in each session.

    All ROIs of a session share each relabelling, so correlations between ROIs stay in the null.

    Parameters
    ----------
    sessions : sequence of (responses (trials, rois), unexpected (trials,))
        One recording of each mouse.
    permutation : {"label", "circular", "block"}
        As in :func:`netlib.openscope.usi.usi_null`.

    Returns
    -------
    PermutationResult
    """
    check_choice("permutation", permutation, ("label", "circular", "block"))
    rng = generator(seed, "joint difference")
    value, null, n_rois = 0.0, np.zeros(check_integer("n_permutations", n_permutations, 1)), 0
    for k, (responses, unexpected) in enumerate(sessions):
        x = check_array(f"sessions[{k}] responses", responses, ndim=2)
        label = np.asarray(unexpected).astype(bool)
        if label.shape != (len(x),) or label.all() or not label.any():
            raise ValueError(f"sessions[{k}]: unexpected must hold both kinds, shape ({len(x)},), not {label.shape}")
        total = x.sum(axis=1) - x.sum(axis=1).mean()  # a difference of means is linear in the ROIs
        weight = 1 / label.sum() + 1 / (~label).sum()  # with the mean taken out, sum_e = -sum_u
        value += weight * total[label].sum()
        packed = packed_relabellings(label, n_permutations, rng, permutation)
        for rows in blocks(n_permutations, len(x)):
            null[rows] += weight * (unpacked(packed[rows], len(x)) @ total)
        n_rois += x.shape[1]
    if not n_rois:
        raise ValueError("sessions is empty: it must hold at least one (responses, unexpected)")
    return permutation_result(value / n_rois, null / n_rois, tails=tails, alpha=alpha, multcomp=multcomp)


# ---------------------------------------------------------------- percent of ROIs


def published_binomial_p(k: int, n: int, null: float) -> float:
    """One-tailed binomial p as published: P(X <= k), folded to P(X > k) when that is above a half.

    The side above chance should be P(X >= k) (:func:`binomial_p`). The published count was rebuilt from a percent in
    floating point, k / n * 100 / 100 * n, and rounded down: it loses one ROI when the product falls a hair short
    (117 of 204 becomes 116). Both quirks are kept here, and only here.

    Examples
    --------
    >>> published_binomial_p(14, 204, 0.025)
    0.000219747...
    """
    from scipy.stats import binom

    _check_counts(k, n, null)
    rebuilt = math.floor(k / n * 100 / 100 * n)
    p = float(binom.cdf(rebuilt, n, null))
    return 1 - p if p > 0.5 else p


def binomial_p(k: int, n: int, null: float, tails: int | str = 2) -> float:
    """Exact binomial p value by :func:`scipy.stats.binomtest`.

    Parameters
    ----------
    k, n : int
        Number found, of how many.
    null : float
        Probability of each under the null.
    tails : {2, "hi", "lo"}
        P of a result as unlikely or more; P(X >= k); P(X <= k).
    """
    from scipy.stats import binomtest

    _check_counts(k, n, null)
    if tails not in (2, "hi", "lo"):
        raise ValueError(f"tails = {tails!r} is unknown: it must be 2, 'hi' or 'lo'")
    side = {2: "two-sided", "hi": "greater", "lo": "less"}[tails]
    return float(binomtest(int(k), int(n), null, alternative=side).pvalue)


def binomial_interval(probability: float, n: int, alpha: float = 0.05, multcomp: int = 1) -> tuple[float, float, float]:
    """Percents (low, median, high) between which Binomial(n, probability) / n lies, at alpha / (2 multcomp) a side.

    With the share found it is the published interval of the percent, with the share expected the published null.

    Examples
    --------
    >>> [round(x, 4) for x in binomial_interval(0.025, 204, multcomp=8)]
    [0.0, 2.451, 5.8824]
    """
    from scipy.stats import binom

    check_number("probability", probability, "", 0, 1)
    n = check_integer("n", n, 1)
    check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
    side = alpha / 2 / check_integer("multcomp", multcomp, 1)
    low, median, high = binom.ppf([side, 0.5, 1 - side], n, probability) / n * 100
    return float(low), float(median), float(high)


def percent_test(
    k: int,
    n: int,
    null: float = 0.025,
    *,
    alpha: float = 0.05,
    multcomp: int = 1,
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> dict[str, float | tuple[float, ...]]:
    """Percent k / n with its spread, intervals and p values.

    Parameters
    ----------
    k, n : int
        ROIs found, of how many.
    null : float
        Share expected: 0.025 for one tail of a two-tailed test at 5 %, 0.5 for the sign.
    alpha, multcomp : float, int
        Level, and number of comparisons over which it is shared.
    n_resamples, seed
        Bootstrap of the standard deviation (binomial draws).

    Returns
    -------
    dict
        ``percent``; ``std`` (bootstrap) and ``std_exact`` = 100 sqrt(p (1 - p) / n); ``ci`` and ``null_ci``
        (low, median, high); published ``raw_p`` and ``p`` = min(1, 2 multcomp raw_p); ``p_exact`` two-sided
        (twice the smaller of P(X <= k), P(X >= k)), not corrected for the comparisons; ``wilson`` (low, high) interval
        at alpha / multcomp, which unlike ``ci`` covers as it says near 0 and 100 %.
    """
    from scipy.stats import binomtest

    raw = published_binomial_p(k, n, null)
    share = k / n
    draws = generator(seed, "percent").binomial(n, share, check_integer("n_resamples", n_resamples, 2))
    sides = binomial_p(k, n, null, "lo"), binomial_p(k, n, null, "hi")
    wilson = binomtest(int(k), int(n)).proportion_ci(1 - alpha / multcomp, "wilson")
    return {
        "percent": share * 100,
        "std": float(np.std(draws / n * 100)),
        "std_exact": 100 * math.sqrt(share * (1 - share) / n),
        "ci": binomial_interval(share * 100 / 100, n, alpha, multcomp),
        "null_ci": binomial_interval(null, n, alpha, multcomp),
        "raw_p": raw,
        "p": min(1.0, raw * 2 * multcomp),
        "p_exact": min(1.0, 2 * min(sides)),
        "wilson": (100 * float(wilson.low), 100 * float(wilson.high)),
    }


def count_significant(percentiles: ArrayLike, values: ArrayLike, alpha: float = 0.05) -> dict[str, int]:
    """Number of ROIs, and of those below, above their null (two-tailed at ``alpha``) and with a positive value.

    Parameters
    ----------
    percentiles : array_like, shape (rois,)
        Percentile of each ROI in its null, 0 to 100.
    values : array_like, shape (rois,)
        Index of each ROI.

    Examples
    --------
    >>> count_significant([1.0, 50.0, 99.0, 97.5], [-0.2, 0.0, 0.3, 0.2])
    {'n_rois': 4, 'n_low': 1, 'n_high': 1, 'n_positive': 2}
    """
    percentiles = check_array("percentiles", percentiles, "%", 0, 100, ndim=1)
    values = check_array("values", values, ndim=1)
    if values.shape != percentiles.shape:
        raise ValueError(f"values has {len(values)} entries and percentiles {len(percentiles)}: they must be equal")
    check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
    return {
        "n_rois": len(values),
        "n_low": int((percentiles < 50 * alpha).sum()),
        "n_high": int((percentiles > 100 - 50 * alpha).sum()),
        "n_positive": int((values > 0).sum()),
    }


def _check_counts(k: int, n: int, null: float) -> None:
    n = check_integer("n", n, 1)
    check_integer("k", k, 0, n)
    check_number("null", null, "", 0, 1)
