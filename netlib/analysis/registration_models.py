"""Probability that two footprints of two sessions are one cell, from a mixture of same and different pairs.

Sheintuch, Rubin, Brande-Eilat, Geva, Sadeh, Pinchasof & Ziv 2017, Cell Rep 21:1102 (CellReg): over all pairs of
neighbours in two sessions, the distance of centroids (or the correlation of footprints) is a mixture of pairs that are
one cell and pairs that are two; its parts, fitted to the data themselves, say how probable each pair is.

The published curve of pairs of one cell is log-normal. Its tail is too heavy where each cell moves by a Gaussian step:
there it takes neighbours for one cell. The curve here is Weibull's, which holds that case (distances are then Rayleigh
distributed). On cells that move by 1.5 px, of which 540 were the same, its probabilities of distances sum to 544 (the
log-normal curve's to 707), and those of correlations to 661 (722): distances are the measure to trust.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_array, check_choice, check_number

__all__ = ["PairModel", "fit_pair_model"]

LEAST_PAIRS = 30


@dataclass(frozen=True)
class PairModel:
    """Two-component mixture of a measure of pairs of footprints.

    Attributes
    ----------
    measure : {"distance", "correlation"}
        Distance of centroids (px), or correlation of footprints.
    weight : float
        Share of the pairs that are one cell.
    same, different : tuple of float
        Parameters of the parts. Distance: Weibull (log of the scale, 1 / shape), against a rise in proportion to the
        distance times a logistic curve (centre, width), as two cells exclude each other. Correlation r: the same of
        1 - r, against a beta density (a, 1 + b) of r.
    maximum : float
        Greatest distance of the pairs that were fitted (px); 1 for correlations.
    n_pairs : int
        Pairs fitted.
    log_likelihood : float
    converged : bool
    """

    measure: str
    weight: float
    same: tuple[float, float]
    different: tuple[float, float]
    maximum: float
    n_pairs: int
    log_likelihood: float
    converged: bool

    def densities(self, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Density of same and of different pairs at values of the measure (for a figure, or a test)."""
        parts = _distance_parts if self.measure == "distance" else _correlation_parts
        return parts(np.asarray(values, float), np.array([*self.same, *self.different]), self.maximum)

    def probability(self, values: ArrayLike) -> np.ndarray:
        """Probability that pairs are one cell; 0 beyond the fitted range (too far, or not overlapping).

        It is made to fall from the most alike pairs to the least, where the tails of the fitted parts would cross.
        """
        values = np.asarray(values, float)
        apart = values if self.measure == "distance" else 1 - values
        grid = np.concatenate([[0.0], np.geomspace(1e-4, 1, 2000)]) * self.maximum
        same, different = self.densities(grid if self.measure == "distance" else 1 - grid)
        same, different = self.weight * same, (1 - self.weight) * different
        p = np.divide(same, same + different, out=np.zeros_like(same), where=same + different > 0)
        peak = same.argmax() + 1
        p[:peak] = p[:peak].max()
        found = np.interp(apart, grid, np.minimum.accumulate(p))
        return np.where(apart <= self.maximum if self.measure == "distance" else values > 0, found, 0.0)


def fit_pair_model(values: ArrayLike, measure: str = "distance", maximum: float | None = None) -> PairModel:
    """Fit the mixture of same and different pairs by maximum likelihood.

    Parameters
    ----------
    values : array_like, shape (n_pairs,)
        Measure of all pairs of neighbours of two sessions (of all pairs of sessions): distances of centroids up to
        ``maximum`` (px), or correlations of footprints above 0.
    measure : {"distance", "correlation"}
    maximum : float, optional
        Greatest distance (px); by default that of the values.

    Raises
    ------
    ValueError
        With fewer than 30 pairs, or values out of range.
    """
    from scipy.optimize import minimize

    check_choice("measure", measure, ("distance", "correlation"))
    x = check_array("values", values, "px" if measure == "distance" else "", 0, ndim=1)
    if len(x) < LEAST_PAIRS:
        raise ValueError(f"values holds {len(x)} pairs: a mixture needs at least {LEAST_PAIRS}; use method='overlap'")
    if measure == "distance":
        maximum = check_number("maximum", float(x.max()) if maximum is None else maximum, "px", 0, low_open=True)
        x, parts = np.maximum(x[x <= maximum], 1e-3), _distance_parts
    else:
        maximum, x, parts = 1.0, np.clip(x, 1e-4, 1 - 1e-4), _correlation_parts
    starts = [_start(x, share, measure, maximum) for share in (0.2, 0.35, 0.5, 0.65)]

    def cost(theta: np.ndarray) -> float:
        weight = 1 / (1 + np.exp(-theta[0]))
        same, different = parts(x, np.array([theta[1], *np.exp(theta[2:])]), maximum)
        with np.errstate(divide="ignore"):
            value = -np.log(weight * same + (1 - weight) * different).mean()
        penalty = 0.01 * np.sum(theta[2:] ** 2) + theta[0] ** 2 / 8  # a faint prior: keeps off empty or endless parts
        return float(value + penalty / len(x)) if np.isfinite(value) else 1e6

    best = None
    for first in starts:
        fit = minimize(cost, first, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-8})
        best = fit if best is None or fit.fun < best.fun else best
    weight, (a, b) = 1 / (1 + np.exp(-best.x[0])), np.exp(best.x[3:])
    same = (float(best.x[1]), float(np.exp(best.x[2])))
    return PairModel(
        measure,
        float(weight),
        same,
        (float(a), float(b)),
        maximum,
        len(x),
        float(-best.fun * len(x)),
        bool(best.success),
    )


def _start(x: np.ndarray, share: float, measure: str, maximum: float) -> np.ndarray:
    """Parameters to start from, as if the nearest ``share`` of the pairs were the same cells."""
    near = np.sort(x if measure == "distance" else 1 - x)
    cut = max(2, round(share * len(x)))
    logs, rest = np.log(near[:cut]), near[cut:]
    if measure == "distance":
        different = (float(near[cut]), 0.1 * maximum)
    else:
        mean, variance = 1 - rest.mean(), max(rest.var(), 1e-4)
        total = max(mean * (1 - mean) / variance - 1, 2.0)
        different = (mean * total, max((1 - mean) * total - 1, 0.2))
    positive = np.maximum([logs.std(), *different], 1e-2)
    return np.array([np.log(share / (1 - share)), logs.mean(), *np.log(positive)])


def _weibull(x: np.ndarray, mu: float, sigma: float, maximum: float) -> np.ndarray:
    """Density on (0, maximum) of a Weibull variable with the scale exp(mu) and the shape 1 / sigma."""
    x = np.maximum(x, 1e-6)
    z = (np.log(x) - mu) / sigma
    density = np.exp(np.maximum(z - np.exp(np.minimum(z, 50)), -700)) / (x * sigma)
    return density / max(-np.expm1(-np.exp(min((np.log(maximum) - mu) / sigma, 50))), 1e-12)


def _distance_parts(x: np.ndarray, theta: np.ndarray, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    mu, sigma, centre, width = theta
    grid = (np.arange(400) + 0.5) * maximum / 400

    def rise(d: np.ndarray) -> np.ndarray:
        return d / (1 + np.exp(np.clip((centre - d) / width, -500, 500)))

    total = rise(grid).sum() * maximum / 400
    return _weibull(x, mu, sigma, maximum), rise(x) / max(total, 1e-300)


def _correlation_parts(x: np.ndarray, theta: np.ndarray, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import betaln

    mu, sigma, a, b = theta
    b = 1 + b  # never a peak at r = 1, which is the same cells'
    inside = np.clip(x, 1e-4, 1 - 1e-4)
    log_beta = (a - 1) * np.log(inside) + (b - 1) * np.log1p(-inside) - betaln(a, b)
    return _weibull(1 - inside, mu, sigma, maximum), np.exp(np.clip(log_beta, -700, 700))
