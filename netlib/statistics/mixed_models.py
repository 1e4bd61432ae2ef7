"""Mixed models of rates: behaviour x cluster x day x pathway, with random mice and neurons nested in them.

A neuron gives a row for each day and behaviour. The published "ANOVA on the mixed model" is least squares that takes
these rows as independent, and finds differences between groups of neurons where there are none (nine times in ten in a
simulation); :func:`ols_anova` makes that table, under its true name. Here factors are tested by likelihood ratios of
models with the right random effects (Aarts et al. 2014, Nat Neurosci 17:491), and what few mice cannot answer is
refused, with the reason.

The model is y = X b + intercept of the mouse + intercept of the neuron within the mouse + ... + residual. For nested
intercepts the inverse of the covariance and its determinant follow level by level (the formula of Sherman & Morrison),
so that a likelihood costs a few sums over groups, whatever the number of rows, and hundreds of fits for a parametric
bootstrap are quick. It is the model of statsmodels' MixedLM with a variance component, which it is tested against.

Two warnings that no model can heal. Clusters made from the same rates differ in them by construction: tests of cluster
and cluster:behaviour are circular unless clusters come from other sessions. And the pathway is a property of mice.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.statistics.mice import refusal_of
from netlib.statistics.resampling import adjust_p_values, generator

__all__ = [
    "OLS_LABEL",
    "Design",
    "MixedModel",
    "NestedFit",
    "clean_table",
    "expand_terms",
    "fit_mixed_model",
    "fit_nested",
    "fit_statsmodels",
    "make_design",
    "marginal_terms",
    "nested_groups",
    "ols_anova",
    "poisson_gee",
    "simulate_nested",
    "stratum_test",
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
        A row for each neuron, day and behaviour: ``mouse``, ``neuron``, the value and the factors of the terms. Rows
        with a missing value, or of cluster -1 if the cluster is a term, are dropped and counted.
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
        The same likelihood, in closed form or by statsmodels' MixedLM (slow).

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


# ---------------------------------------------------------------- other models of the same table


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

    It stands beside :func:`fit_mixed_model` to show the trap: it takes the rows of one
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


# ---------------------------------------------------------------- fixed effects


INTERCEPT = "1"


def expand_terms(terms: str | Sequence[str], order: int = 2) -> tuple[str, ...]:
    """Terms of a model: "a * b" stands for a, b and a:b, up to ``order`` factors in one term.

    Examples
    --------
    >>> expand_terms("behaviour * cluster + day")
    ('behaviour', 'cluster', 'day', 'behaviour:cluster')
    """
    order = check_integer("order", order, 1)
    pieces = [p.strip() for p in terms.split("+")] if isinstance(terms, str) else list(terms)
    found = set()
    for piece in pieces:
        factors = [f.strip() for f in piece.split("*")]
        if len(factors) == 1:
            found.add(tuple(f.strip() for f in piece.split(":")))
            continue
        for size in range(1, min(order, len(factors)) + 1):
            found.update(combinations(factors, size))
    names = list(dict.fromkeys(f.strip() for piece in pieces for f in piece.replace("*", ":").split(":")))
    if "" in names:
        raise ValueError(f"terms = {terms!r} has an empty term: it must be such as 'behaviour * cluster + day'")
    tidy = {tuple(sorted(set(t), key=names.index)) for t in found}
    return tuple(":".join(t) for t in sorted(tidy, key=lambda t: (len(t), [names.index(f) for f in t])))


def marginal_terms(terms: Sequence[str], term: str) -> tuple[str, ...]:
    """Terms that a test of ``term`` keeps beside it: all that do not contain it (tests of type II).

    Examples
    --------
    >>> marginal_terms(("a", "b", "c", "a:b"), "a")
    ('b', 'c')
    """
    own = set(term.split(":"))
    return tuple(t for t in terms if not own <= set(t.split(":")))


@dataclass(frozen=True)
class Design:
    """Design of full rank: ``x`` (n, p), ``names`` of its columns, ``term`` of each column."""

    x: np.ndarray
    names: tuple[str, ...]
    term: tuple[str, ...]


def make_design(frame: pd.DataFrame, terms: Sequence[str], linear: Sequence[str] = ()) -> Design:
    """Columns of the intercept and the terms, against the first level of each factor; dependent ones left out.

    Parameters
    ----------
    frame : DataFrame
    terms : sequence of str
        As :func:`expand_terms` gives them; a term's columns are kept as far as those before do not hold them.
    linear : sequence of str
        Columns taken as numbers (centred), not as categories.

    Raises
    ------
    ValueError
        If a column is unknown.
    """
    columns, names, term_of = [np.ones(len(frame))], [INTERCEPT], [INTERCEPT]
    parts = {}
    for factor in dict.fromkeys(f for t in terms for f in t.split(":")):
        check_choice("terms", factor, [str(c) for c in frame.columns])
        values = frame[factor]
        if factor in linear:
            number = values.to_numpy(float)
            parts[factor] = [(factor, number - number.mean())]
        else:
            levels = sorted(values.unique())
            parts[factor] = [(f"{factor}[{v}]", (values == v).to_numpy(float)) for v in levels[1:]]
    for term in terms:
        products = [("", np.ones(len(frame)))]
        for factor in term.split(":"):
            products = [(f"{a}:{b}" if a else b, x * y) for a, x in products for b, y in parts[factor]]
        names += [name for name, _ in products]
        columns += [x for _, x in products]
        term_of += [term] * len(products)
    x = np.column_stack(columns)
    keep = _independent(x.T @ x)
    return Design(x[:, keep], tuple(np.array(names, object)[keep]), tuple(np.array(term_of, object)[keep]))


def _independent(gram: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """Which columns are not combinations of those before them, by elimination on their cross products."""
    left, scale = gram.astype(float).copy(), np.maximum(np.diag(gram), 1e-300)
    keep = np.zeros(len(gram), bool)
    for j in range(len(gram)):
        if left[j, j] > tolerance * scale[j]:
            keep[j] = True
            left -= np.outer(left[:, j], left[j]) / left[j, j]
    return keep


def clean_table(
    table: pd.DataFrame, terms: Sequence[str], value: str, transform: str, levels: tuple[str, ...]
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Rows with a value (and a cluster, if it is a term), the values transformed, and how many rows were dropped.

    Raises
    ------
    ValueError
        If a column is missing, fewer than 10 rows are left, or the values are all the same.
    """
    factors = {f for t in terms for f in t.split(":")}
    for name in (*sorted(factors), value, *levels, "mouse", "neuron"):
        check_choice("column", name, [str(c) for c in table.columns])
    check_choice("transform", transform, ("none", "log1p"))
    keep = np.isfinite(table[value].to_numpy(float))
    if "cluster" in factors:
        keep &= (table["cluster"] != -1).to_numpy()
    frame = table[keep].reset_index(drop=True)
    if len(frame) < 10:
        raise ValueError(f"table: {len(frame)} rows have a {value} (and a cluster): a model needs at least 10")
    y = frame[value].to_numpy(float)
    if transform == "log1p":
        if y.min() < 0:
            raise ValueError(f"{value} falls to {y.min():g}: log1p is for rates of 0 or more")
        y = np.log1p(y)
    if np.ptp(y) == 0:
        raise ValueError(f"{value} is {y[0]:g} in all rows: there is nothing to explain")
    return frame, y, int(len(table) - len(frame))


# ---------------------------------------------------------------- likelihood


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
        bounds, options = [(-14.0, 8.0)] * len(groups), {"gtol": 1e-6}
        starts = (np.full(len(groups), start) for start in (-1.0, -4.0))
        best, other = (minimize(cost, s, method="L-BFGS-B", bounds=bounds, options=options) for s in starts)
        if other.fun < best.fun - 1e-9:
            best = other
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
