"""Percent of ROIs that are significant, or positive, against what chance gives: binomial tests and intervals.

Published conventions: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Fig. 4D and E.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.resampling import generator
from netlib.units import check_array, check_integer, check_number

__all__ = ["binomial_interval", "binomial_p", "count_significant", "percent_test", "published_binomial_p"]


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
) -> dict[str, float | tuple[float, float, float]]:
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
