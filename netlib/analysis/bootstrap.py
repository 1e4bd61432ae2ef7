"""Bootstrap: standard deviations and intervals of any statistic, resampling units alone or in pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.resampling import Statistic, blocks, generator, resolve_statistic
from netlib.units import check_array, check_choice, check_integer, check_number

__all__ = ["bootstrap_interval", "bootstrap_std", "bootstrap_values"]


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
