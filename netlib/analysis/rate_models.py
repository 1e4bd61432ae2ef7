"""Two other models of the same table: the published least squares under its true name, and a Poisson model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.analysis.fixed_effects import clean_table, expand_terms, make_design, marginal_terms

__all__ = ["OLS_LABEL", "ols_anova", "poisson_gee"]

OLS_LABEL = "OLS: rows taken as independent (too many false positives on repeated measures)"


def ols_anova(
    table: pd.DataFrame,
    terms: str | Sequence[str] = "behaviour + cluster + day + mouse",
    *,
    value: str = "rate",
    order: int = 2,
    transform: str = "none",
) -> pd.DataFrame:
    """The published table: sequential (type I) analysis of variance of least squares, labelled as what it is.

    It stands beside :func:`netlib.analysis.mixed_models.fit_mixed_model` to show the trap: it takes the rows of one
    neuron as independent.

    Returns
    -------
    DataFrame, indexed by term
        ``df``, ``sum_sq``, ``F``, ``p``, ``model`` (:data:`OLS_LABEL`).
    """
    from scipy.stats import f as f_distribution

    names = expand_terms(terms, order)
    frame, y, _ = clean_table(table, names, value, transform, ())
    design = make_design(frame, names)
    q, _ = np.linalg.qr(design.x)
    share, term = (q.T @ y) ** 2, np.array(design.term)
    freedom = len(y) - design.x.shape[1]
    if freedom < 1:
        raise ValueError(f"table: {len(y)} rows for {design.x.shape[1]} coefficients leave nothing to test with")
    residual = (float(y @ y) - share.sum()) / freedom
    rows = []
    for name in names:
        df, total = int((term == name).sum()), float(share[term == name].sum())
        ratio = total / df / residual if df and residual > 0 else np.nan
        rows.append((df, total, ratio, float(f_distribution.sf(ratio, df, freedom)) if df else np.nan, OLS_LABEL))
    return pd.DataFrame(rows, index=pd.Index(names, name="term"), columns=["df", "sum_sq", "F", "p", "model"])


def poisson_gee(
    table: pd.DataFrame,
    terms: str | Sequence[str] = "behaviour + cluster + day",
    *,
    value: str = "rate",
    exposure: str | None = None,
    order: int = 2,
    linear: Sequence[str] = (),
) -> pd.DataFrame:
    """Robustness: Poisson model of rates (or counts over an exposure) by generalised estimating equations.

    Rows of one neuron are correlated alike (exchangeable) and standard errors are robust; groups are mice if there are
    10 or more, else neurons, with the mouse as a fixed effect.

    Returns
    -------
    DataFrame, indexed by term
        ``df``, ``wald``, ``p``, ``groups`` ("mouse" or "neuron"), ``status`` ("tested", "failed", "not estimable") and
        ``reason``.
    """
    import statsmodels.api as sm

    names = expand_terms(terms, order)
    frame, y, _ = clean_table(table, names, value, "none", ())
    if y.min() < 0:
        raise ValueError(f"{value} falls to {y.min():g}: a Poisson model is for values of 0 or more")
    by = "mouse" if frame["mouse"].nunique() >= 10 else "neuron"
    always = () if by == "mouse" else ("mouse",)
    codes = frame.groupby(["mouse"] if by == "mouse" else ["mouse", "neuron"], sort=False).ngroup().to_numpy()
    sizes = None if exposure is None else frame[exposure].to_numpy(float)
    rows = []
    for term in names:
        design = make_design(frame, (*always, *marginal_terms(names, term), term), linear)
        own = np.flatnonzero(np.array(design.term) == term)
        if not len(own):
            rows.append((0, np.nan, np.nan, by, "not estimable", "its columns are combinations of the other terms'"))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fit = sm.GEE(
                    y,
                    design.x,
                    codes,
                    family=sm.families.Poisson(),
                    cov_struct=sm.cov_struct.Exchangeable(),
                    exposure=sizes,
                ).fit()
                test = fit.wald_test(np.eye(design.x.shape[1])[own], scalar=True)
                good, p = bool(fit.converged) and np.isfinite(test.pvalue), float(test.pvalue)
                row = (
                    len(own),
                    float(test.statistic),
                    p if good else np.nan,
                    by,
                    "tested" if good else "failed",
                    "" if good else "the equations did not converge",
                )
            except (ValueError, np.linalg.LinAlgError) as error:
                row = (len(own), np.nan, np.nan, by, "failed", str(error))
        rows.append(row)
    columns = ["df", "wald", "p", "groups", "status", "reason"]
    return pd.DataFrame(rows, index=pd.Index(names, name="term"), columns=columns)
