"""Linear mixed model with nested random intercepts, by a likelihood in closed form.

y = X b + intercept of the mouse + intercept of the neuron within the mouse + ... + residual. For nested intercepts the
inverse of the covariance and its determinant follow level by level (the formula of Sherman & Morrison), so that a
likelihood costs a few sums over groups, whatever the number of rows, and hundreds of fits for a parametric bootstrap
are quick. The same model as statsmodels' MixedLM with a variance component, which it is tested against.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["NestedFit", "fit_nested", "fit_statsmodels", "nested_groups", "simulate_nested", "stratum_test"]


@dataclass(frozen=True)
class NestedFit:
    """Fit by maximum likelihood (or restricted maximum likelihood).

    Attributes
    ----------
    beta, std_error : ndarray, shape (p,)
    variances : ndarray, shape (n_levels,)
        Variances of the intercepts, outermost level first; 0 is a legal answer.
    residual : float
        Residual variance.
    log_likelihood : float
    converged : bool
        The optimiser settled on a finite likelihood.
    """

    beta: np.ndarray
    std_error: np.ndarray
    variances: np.ndarray
    residual: float
    log_likelihood: float
    converged: bool
    covariance: np.ndarray = field(repr=False)


def nested_codes(frame: pd.DataFrame, levels: Sequence[str]) -> list[np.ndarray]:
    """Number of the group of each row at each level, outermost first, each nested in those before."""
    parts = [frame.groupby(list(levels[: j + 1]), sort=False, observed=True) for j in range(len(levels))]
    return [part.ngroup().to_numpy() for part in parts]


def nested_groups(frame: pd.DataFrame, levels: Sequence[str]) -> list[np.ndarray]:
    """Codes of the groups of each level, each nested in those before: of rows for the innermost, and of the parents.

    Returns a list, innermost first: ``codes[0][row]`` is the innermost group of a row, ``codes[1][group]`` the group of
    the next level that holds it, and so on.
    """
    if not levels:
        return []
    combined = nested_codes(frame, levels)[::-1]
    out = [combined[0]]
    for inner, outer in pairwise(combined):
        parent = np.zeros(inner.max() + 1, int)
        parent[inner] = outer
        out.append(parent)
    return out


class _Sums:
    """Sums over rows that the likelihood needs, made once for a design; :meth:`with_y` is quick for a new response."""

    def __init__(self, x: np.ndarray, groups: list[np.ndarray]) -> None:
        self.x, self.groups, self.n = x, groups, len(x)
        self.xx = x.T @ x
        if groups:
            self.size = np.bincount(groups[0]).astype(float)
            self.sx = _adder(groups[0]) @ x
        self.up = [_adder(parent) for parent in groups[1:]]

    def with_y(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Cross products of [X y], and its sums over the innermost groups."""
        xy = self.x.T @ y
        cross = np.block([[self.xx, xy[:, None]], [xy[None, :], np.array([[y @ y]])]])
        if not self.groups:
            return cross, None
        sy = np.bincount(self.groups[0], y, len(self.size))
        return cross, np.column_stack([self.sx, sy])


def _adder(codes: np.ndarray) -> Any:
    """Sparse matrix that sums rows over groups."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(codes.max() + 1, len(codes)))


def _whitened(cross: np.ndarray, s: np.ndarray | None, sums: _Sums, theta: np.ndarray) -> tuple[np.ndarray, float]:
    """[X y]' V^-1 [X y] and log det V, with V in units of the residual variance; theta innermost first."""
    total, log_det = cross, 0.0
    if not sums.groups:
        return total, log_det
    w = sums.size
    for level, t in enumerate(theta):
        grown = 1 + t * w
        total = total - (s * (t / grown)[:, None]).T @ s
        log_det += float(np.log(grown).sum())
        s, w = s / grown[:, None], w / grown
        if level + 1 < len(theta):
            s, w = sums.up[level] @ s, sums.up[level] @ w
    return total, log_det


def _profile(total: np.ndarray, log_det: float, n: int, reml: bool) -> tuple[float, np.ndarray, float, np.ndarray]:
    """-2 log likelihood at the best beta and residual variance."""
    xx, xy, yy = total[:-1, :-1], total[:-1, -1], total[-1, -1]
    p = len(xx)
    beta = np.linalg.solve(xx, xy) if p else np.zeros(0)
    rss = max(float(yy - xy @ beta), 1e-300)
    freedom = n - p if reml else n
    value = freedom * (np.log(2 * np.pi * rss / freedom) + 1) + log_det
    if reml and p:
        value += np.linalg.slogdet(xx)[1]
    return value, beta, rss / freedom, xx


def fit_nested(
    y: np.ndarray, x: np.ndarray, groups: list[np.ndarray], *, reml: bool = False, sums: _Sums | None = None
) -> NestedFit:
    """Fit the model.

    Parameters
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        Design of full rank.
    groups : list of ndarray
        As :func:`nested_groups` makes them; empty for least squares.
    reml : bool
        Restricted likelihood (variances) instead of the full one (likelihood-ratio tests).

    Raises
    ------
    ValueError
        If the design is not of full rank or has as many columns as rows.
    """
    from scipy.optimize import minimize

    n, p = x.shape
    sums = _Sums(x, groups) if sums is None else sums
    if p >= n or np.linalg.matrix_rank(sums.xx) < p:
        raise ValueError(f"x has shape {x.shape}: a design needs full rank and fewer columns than rows")
    cross, s = sums.with_y(np.asarray(y, float))

    def cost(log_theta: np.ndarray) -> float:
        return _profile(*_whitened(cross, s, sums, np.exp(log_theta)), n, reml)[0]

    log_theta, converged = np.zeros(0), True
    if groups:
        bounds, best = [(-14.0, 8.0)] * len(groups), None
        for start in (-1.0, -4.0):
            fit = minimize(cost, np.full(len(groups), start), method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-6})
            if best is None or fit.fun < best.fun - 1e-9:
                best = fit
        log_theta, converged = best.x, bool(np.isfinite(best.fun) and (best.success or best.status == 2))
    theta = np.exp(log_theta)
    theta[log_theta <= -13.9] = 0.0
    value, beta, variance, xx = _profile(*_whitened(cross, s, sums, theta), n, reml)
    covariance = variance * np.linalg.inv(xx) if p else np.zeros((0, 0))
    return NestedFit(
        beta, np.sqrt(np.diag(covariance)), variance * theta[::-1], variance, -0.5 * value, converged, covariance
    )


def simulate_nested(mean: np.ndarray, fit: NestedFit, groups: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Draw responses around ``mean`` with the variances of a fit (parametric bootstrap)."""
    y = mean + rng.normal(0, np.sqrt(fit.residual), len(mean))
    code = None
    for parent, variance in zip(groups, fit.variances[::-1], strict=True):
        code = parent if code is None else parent[code]
        y += rng.normal(0, np.sqrt(variance), code.max() + 1)[code]
    return y


def stratum_test(
    frame: pd.DataFrame, levels: Sequence[str], x: np.ndarray, df: int, ratio: float
) -> tuple[float, float]:
    """Degrees of freedom of the error, and p from F, of a likelihood ratio.

    A term that does not vary within a mouse is tested on as many values as there are mice, one that does not vary
    within a neuron on as many as there are neurons (less the mice), and so on: the values of its stratum, M.
    Chi-squared, which is for many, flags one null in ten or six with eight mice. The likelihood ratio of M values is
    M log(1 + F df / error); exact for balanced data.

    Parameters
    ----------
    frame, levels
        As for :func:`nested_groups`.
    x : ndarray, shape (n, p)
        Design, the ``df`` columns of the term last.
    df : int
    ratio : float
        Twice the difference of the log likelihoods.

    Returns
    -------
    error, p : float
        NaN and the p of chi-squared where no value is left for the error.
    """
    from scipy.stats import chi2, f

    outer, used = 0, np.zeros(x.shape[1], bool)
    for code in (*nested_codes(frame, levels), np.arange(len(x))):
        _, first, group = np.unique(code, return_index=True, return_inverse=True)
        constant = (x == x[first][group]).all(axis=0)
        size = len(first) - outer
        if constant[-df:].all():
            error = size - int((constant & ~used).sum())
            if error > 0:
                return float(error), float(f.sf(np.expm1(ratio / size) * error / df, df, error))
            break
        outer, used = len(first), constant
    return float("nan"), float(chi2.sf(ratio, df))


def fit_statsmodels(
    y: np.ndarray, x: np.ndarray, frame: pd.DataFrame, levels: tuple[str, ...], reml: bool
) -> NestedFit:
    """The same fit by statsmodels' MixedLM: intercept of the outermost level, variance components of those inside."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    if not levels:
        return fit_nested(y, x, [], reml=reml)
    data = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])]).assign(y_=y)
    for depth in range(len(levels)):
        data[f"level_{depth}"] = frame.groupby(list(levels[: depth + 1]), sort=False, observed=True).ngroup()
    inside = {levels[d]: f"0 + C(level_{d})" for d in range(1, len(levels))}
    formula = "y_ ~ 0 + " + " + ".join(f"x{j}" for j in range(x.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in `converged`
        model = MixedLM.from_formula(formula, data, groups="level_0", re_formula="1", vc_formula=inside or None)
        fit = model.fit(reml=reml)
    order = [list(model.exog_vc.names).index(name) for name in inside] if inside else []
    variances = np.array([fit.cov_re.to_numpy()[0, 0], *(fit.vcomp[i] for i in order)])
    covariance = np.asarray(fit.cov_params())[: x.shape[1], : x.shape[1]]
    beta, se = np.asarray(fit.fe_params), np.asarray(fit.bse_fe)
    return NestedFit(beta, se, variances, float(fit.scale), float(fit.llf), bool(fit.converged), covariance)
