"""Mixed models of rates: behaviour x cluster x day x pathway, with random mice and neurons nested in them.

A neuron gives a row for each day and behaviour. The published "ANOVA on the mixed model" is least squares that takes
these rows as independent, and finds differences between groups of neurons where there are none (nine times in ten in a
simulation); :func:`netlib.analysis.rate_models.ols_anova` makes that table, under its true name. Here factors are
tested by likelihood ratios of models with the right random effects (Aarts et al. 2014, Nat Neurosci 17:491), and what
few mice cannot answer is refused, with the reason.

Two warnings that no model can heal. Clusters made from the same rates differ in them by construction: tests of cluster
and cluster:behaviour are circular unless clusters come from other sessions. And the pathway is a property of mice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from netlib.analysis.fixed_effects import Design, clean_table, expand_terms, make_design, marginal_terms
from netlib.analysis.multiple import adjust_p_values
from netlib.analysis.nested_model import (
    NestedFit,
    fit_nested,
    fit_statsmodels,
    nested_groups,
    simulate_nested,
    stratum_test,
)
from netlib.analysis.pathway_claims import refusal_of
from netlib.analysis.resampling import generator
from netlib.units import check_choice, check_integer, check_number

__all__ = [
    "MixedModel",
    "fit_mixed_model",
]

TERMS = "behaviour * cluster * day * pathway"
FEW_MICE = 3
#: Factors that vary within a neuron, of which "auto" adds one to the random levels.
WITHIN = ("behaviour", "day", "session")


@dataclass(frozen=True)
class MixedModel:
    """A mixed model and the tests of its terms.

    Attributes
    ----------
    tests : DataFrame, indexed by term
        ``df``, ``lr`` (likelihood ratio), ``df_error`` (values that a term is tested on, less coefficients: of mice,
        neurons or rows), ``p`` (F of ``df`` and ``df_error``), ``p_bootstrap`` (NaN if not asked), ``q`` (BH over the
        terms tested), ``status`` ("tested", "refused", "failed" or "not estimable") and ``reason``.
    coefficients : DataFrame, indexed by name
        ``estimate``, ``std_error``, ``low``, ``high`` (95 %), ``p`` (Wald), ``effect`` (estimate over the standard
        deviation of a single value), ``term``; from the restricted likelihood. Those of refused terms have no p.
    variances : dict
        Of each random intercept, and ``residual``.
    n : dict
        ``rows``, ``neurons``, ``mice``, ``dropped`` (rows with a missing value).
    mouse : {"random", "fixed"}
    statement : str
        What the inference is about.
    converged : bool
    """

    tests: pd.DataFrame
    coefficients: pd.DataFrame
    variances: dict[str, float]
    n: dict[str, int]
    mouse: str
    statement: str
    converged: bool


@dataclass
class _Fitter:
    """Fits of one table for any terms, kept for reuse."""

    frame: pd.DataFrame
    y: np.ndarray
    levels: tuple[str, ...]
    linear: tuple[str, ...]
    engine: str
    fits: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.groups = nested_groups(self.frame, self.levels)

    def design(self, terms: tuple[str, ...]) -> Design:
        return make_design(self.frame, terms, self.linear)

    def fit(self, terms: tuple[str, ...], *, reml: bool = False) -> tuple[Design, NestedFit]:
        if (terms, reml) not in self.fits:
            design = self.design(terms)
            if self.engine == "statsmodels":
                found = fit_statsmodels(self.y, design.x, self.frame, self.levels, reml)
            else:
                found = fit_nested(self.y, design.x, self.groups, reml=reml)
            self.fits[terms, reml] = (design, found)
        return self.fits[terms, reml]


def fit_mixed_model(
    table: pd.DataFrame,
    terms: str | Sequence[str] = TERMS,
    *,
    value: str = "rate",
    order: int = 2,
    levels: Sequence[str] = ("mouse", "neuron"),
    within: str = "auto",
    transform: str = "none",
    linear: Sequence[str] = (),
    mouse: str = "auto",
    bootstrap: int = 0,
    alpha: float = 0.05,
    insist: bool = False,
    engine: str = "closed form",
    seed: int | np.random.Generator = 0,
) -> MixedModel:
    """Fit a linear mixed model to a tidy table and test every term by a likelihood ratio.

    Parameters
    ----------
    table : DataFrame
        Such as :func:`netlib.analysis.neuron_table.neuron_table` makes. Rows with a missing value, or of cluster -1 if
        the cluster is a term, are dropped and counted.
    terms : str or sequence of str
        Fixed effects, "a * b" for a, b and a:b.
    value : str
        Column explained.
    order : int
        Most factors in one term of a product (4 for all of the default).
    levels : sequence of str
        Random intercepts, each nested in those before.
    within : {"auto", "none"}
        "auto": a term with the behaviour (or the day) is tested with one more intercept, of each neuron's behaviours
        (days), if these have several rows each. Neurons have their own tuning, alike on all days: taking its rows as
        independent given the neuron, 44 % of nulls of the behaviour and 72 % of those of behaviour:cluster had p <
        0.05 (4 % and 2 % with that intercept; standard deviations 0.3 of neurons, 0.4 of tuning and of rows).
    transform : {"none", "log1p"}
        Of the value.
    linear : sequence of str
        Factors taken as numbers, such as ("day",).
    mouse : {"auto", "random", "fixed"}
        "auto": fixed with 3 mice or fewer, whose spread cannot be estimated; inference is then about neurons.
    bootstrap : int
        Resamples of a parametric bootstrap of each likelihood ratio (worth it below 10 mice); 0 for none.
    alpha : float
        A term with the pathway is refused if dealing the mice to pathways in all ways could not give p <= alpha.
    insist : bool
        Test refused terms all the same; the p then rests on mice being drawn from a normal distribution.
    engine : {"closed form", "statsmodels"}
        The same likelihood, in closed form (:mod:`netlib.analysis.nested_model`) or by statsmodels' MixedLM (slow).

    Raises
    ------
    ValueError
        If a column is missing, values are not finite, or there are too few rows.
    """
    check_choice("engine", engine, ("closed form", "statsmodels"))
    check_choice("within", within, ("auto", "none"))
    check_choice("mouse", mouse, ("auto", "random", "fixed"))
    check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
    bootstrap, names = check_integer("bootstrap", bootstrap, 0), expand_terms(terms, order)
    frame, y, dropped = clean_table(table, names, value, transform, tuple(levels))
    n_mice = frame["mouse"].nunique()
    fixed = mouse == "fixed" or (mouse == "auto" and n_mice <= FEW_MICE)
    inner = tuple(level for level in levels if not (fixed and level == "mouse"))
    # a name of the mouse goes into every level inside it, or neurons of two mice with one name would be one
    combined = ("mouse", *inner) if fixed else inner
    frame, fitters = _with_unique(frame, combined), {}

    def fitter(term: str) -> _Fitter:
        level = _levels_of(frame, term, combined, inner) if within == "auto" else inner
        if level not in fitters:
            fitters[level] = _Fitter(frame, y, level, tuple(linear), engine)
        return fitters[level]

    always = ("mouse",) if fixed else ()
    rng = generator(seed, "mixed model")
    refusals = {t: refusal_of(frame, t, alpha, fixed, insist) for t in names}
    kept = tuple(t for t in names if not (fixed and t == "pathway"))
    everything = ":".join(names)
    rows = {}
    for t in names:
        own = t if set(t.split(":")) & set(WITHIN) else everything
        rows[t] = _test(fitter(own), always, kept, t, refusals[t], bootstrap, rng)
    tests = pd.DataFrame.from_dict(rows, orient="index")
    tests["q"] = adjust_p_values(tests["p"].to_numpy(float), "bh")
    main = fitter(everything)
    design, best = main.fit(always + kept, reml=True)
    variances = dict(zip(main.levels, map(float, best.variances), strict=True)) | {"residual": float(best.residual)}
    n = {"rows": len(frame), "neurons": int(frame["neuron"].nunique()), "mice": int(n_mice), "dropped": dropped}
    return MixedModel(
        tests[["df", "lr", "df_error", "p", "p_bootstrap", "q", "status", "reason"]],
        _coefficients(design, best, [t for t, why in refusals.items() if why]),
        variances,
        n,
        "fixed" if fixed else "random",
        _statement(n, fixed),
        best.converged,
    )


def _levels_of(frame: pd.DataFrame, term: str, combined: tuple[str, ...], levels: tuple[str, ...]) -> tuple[str, ...]:
    """Levels with the first factor of the term that varies within neurons and has several rows in each."""
    for factor in WITHIN:
        if factor in term.split(":") and factor not in levels:
            several = frame.groupby([*combined, factor], observed=True).ngroups < len(frame)
            return (*levels, factor) if several else levels
    return levels


def _with_unique(frame: pd.DataFrame, levels: tuple[str, ...]) -> pd.DataFrame:
    """Frame whose neurons have names of their own in every mouse."""
    if "neuron" not in levels or "mouse" not in levels:
        return frame
    return frame.assign(neuron=frame["mouse"].astype(str) + "/" + frame["neuron"].astype(str))


def _test(
    fitter: _Fitter,
    always: tuple[str, ...],
    terms: tuple[str, ...],
    term: str,
    refusal: str,
    bootstrap: int,
    rng: np.random.Generator,
) -> dict:
    row = dict.fromkeys(("df", "lr", "df_error", "p", "p_bootstrap"), np.nan) | {"status": "refused", "reason": refusal}
    if refusal:
        return row
    others = always + marginal_terms(terms, term)
    try:
        small, under = fitter.fit(others)
        large, over = fitter.fit((*others, term))
    except (ValueError, np.linalg.LinAlgError) as error:
        return row | {"status": "failed", "reason": str(error)}
    df = large.x.shape[1] - small.x.shape[1]
    if not df:
        return row | {"df": 0, "status": "not estimable", "reason": "its columns are combinations of the other terms'"}
    ratio = 2 * (over.log_likelihood - under.log_likelihood)
    if not (under.converged and over.converged and np.isfinite(ratio)):
        return row | {"df": df, "status": "failed", "reason": "the optimiser did not converge"}
    ratio = max(ratio, 0.0)
    error, p = stratum_test(fitter.frame, fitter.levels, large.x, df, ratio)
    row |= {"df": df, "lr": ratio, "df_error": error, "p": p, "status": "tested"}
    if bootstrap:
        mean, null = small.x @ under.beta, np.empty(bootstrap)
        for b in range(bootstrap):
            y = simulate_nested(mean, under, fitter.groups, rng)
            pair = [fit_nested(y, d.x, fitter.groups).log_likelihood for d in (large, small)]
            null[b] = 2 * (pair[0] - pair[1])
        row["p_bootstrap"] = float((1 + np.sum(null >= ratio - 1e-9)) / (1 + bootstrap))
    return row


def _coefficients(design: Design, fit: NestedFit, refused: Sequence[str]) -> pd.DataFrame:
    from scipy.stats import norm

    half = norm.ppf(0.975) * fit.std_error
    p = 2 * norm.sf(np.abs(fit.beta / fit.std_error))
    spread = math.sqrt(fit.residual + float(np.sum(fit.variances)))
    return pd.DataFrame(
        {
            "estimate": fit.beta,
            "std_error": fit.std_error,
            "low": fit.beta - half,
            "high": fit.beta + half,
            "p": np.where([t in refused for t in design.term], np.nan, p),
            "effect": fit.beta / spread,
            "term": design.term,
        },
        index=pd.Index(design.names, name="name"),
    )


def _statement(n: dict[str, int], fixed: bool) -> str:
    if fixed:
        return (
            f"mouse is a fixed effect (n = {n['mice']} mice): inference is about neurons of these mice "
            f"(n = {n['neurons']}), not about mice in general"
        )
    return f"random intercepts: a sample of n = {n['mice']} mice, with {n['neurons']} neurons nested in them"
