"""Statistics over mice, the unit that was sampled, to stand beside ones that pool the ROIs of all mice.

ROIs of one mouse share its brain, its window and its session: taking them as independent (pseudo-replication) makes
standard errors too small (Saravanan, Berman & Sober 2020, Neurons Behav Data Anal Theory 3(5)). With few mice little
can be tested, and the functions here say so rather than return a number.

A mouse has one pathway, so that mice, not neurons, are the sample of a claim about pathways. With three mice in each
they can be dealt to pathways in 20 ways, and no exact test can give p below 0.1.
"""

from __future__ import annotations

import math
import warnings
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.statistics.resampling import blocks, generator

__all__ = [
    "design_effect",
    "hierarchical_bootstrap",
    "mixed_model",
    "mouse_interval",
    "mouse_means",
    "mouse_permutation_test",
    "mouse_sign_test",
    "pathway_claim",
    "refusal_of",
    "smallest_p",
]


def mouse_means(values: ArrayLike, mice: ArrayLike) -> pd.Series:
    """Mean over the ROIs of each mouse, indexed by mouse.

    Examples
    --------
    >>> mouse_means([1.0, 3.0, 5.0], [7, 7, 2]).to_dict()
    {2: 5.0, 7: 2.0}
    """
    x, mice = _check(values, mice)
    return pd.Series(x).groupby(mice).mean()


def mouse_interval(values: ArrayLike, mice: ArrayLike, level: float = 0.95) -> dict[str, float]:
    """Mean of the means of mice, with its standard error and Student's t interval over mice.

    Parameters
    ----------
    values : array_like, shape (rois,)
        One value per ROI.
    mice : array_like, shape (rois,)
        Mouse of each.
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    dict
        ``mean``, ``sem``, ``low``, ``high``, ``n_mice``, and the pooled ``pooled_mean``, ``pooled_sem`` beside them.

    Raises
    ------
    ValueError
        With fewer than 3 mice.

    Examples
    --------
    >>> mouse_interval([1.0, 2.0], [1, 2])
    Traceback (most recent call last):
    ...
    ValueError: mice: 2 are too few for a spread over mice (at least 3); with 2 no exact test over mice can give a \
two-sided p below 0.5
    """
    from scipy.stats import t

    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    x, mice = _check(values, mice)
    means = mouse_means(x, mice).to_numpy()
    _refuse_few(len(means))
    mean, sem = means.mean(), means.std(ddof=1) / math.sqrt(len(means))
    half = t.ppf((1 + level) / 2, len(means) - 1) * sem
    pooled_sem = x.std(ddof=1) / math.sqrt(len(x))
    found = {"mean": mean, "sem": sem, "low": mean - half, "high": mean + half, "n_mice": len(means)}
    return {k: float(v) for k, v in (found | {"pooled_mean": x.mean(), "pooled_sem": pooled_sem}).items()}


def mouse_sign_test(differences: ArrayLike, mice: ArrayLike) -> dict[str, float]:
    """Exact test that the mean of mouse means is 0: the signs of the mice flipped in all 2**n ways.

    Parameters
    ----------
    differences : array_like, shape (rois,)
        Difference of each ROI (unexpected minus expected, or a tracked ROI's later minus earlier session).
    mice : array_like, shape (rois,)
        Mouse of each.

    Returns
    -------
    dict
        ``value``, two-sided ``p``, and ``smallest_p`` = 2 / 2**n, which no data can beat: 0.25 for 3 mice, below
        0.05 from 6 on.

    Raises
    ------
    ValueError
        With fewer than 3 mice, or more than 20.
    """
    means = mouse_means(differences, mice).to_numpy()
    _refuse_few(len(means))
    if len(means) > 20:
        raise ValueError(f"mice: {len(means)} are too many to flip in all ways (at most 20); use mouse_interval")
    signs = np.array(list(product((1.0, -1.0), repeat=len(means))))
    value, null = means.mean(), np.abs(signs @ means / len(means))
    p = np.mean(null >= abs(value) * (1 - 1e-12))
    return {"value": float(value), "p": float(p), "smallest_p": 2.0 ** (1 - len(means)), "n_mice": float(len(means))}


def mouse_permutation_test(
    values_a: ArrayLike, mice_a: ArrayLike, values_b: ArrayLike, mice_b: ArrayLike
) -> dict[str, float]:
    """Exact test that two groups of different mice have one mean: all ways to deal the mice to the groups.

    Returns
    -------
    dict
        ``value`` (mean of mouse means of b minus of a), two-sided ``p``, ``smallest_p`` (0.1 for 3 and 3 mice).

    Raises
    ------
    ValueError
        If a mouse is in both groups, or either has fewer than 2, or there are more than 100,000 ways.
    """
    a, b = mouse_means(values_a, mice_a), mouse_means(values_b, mice_b)
    both = sorted(set(a.index) & set(b.index))
    if both:
        raise ValueError(f"mice {both} are in both groups: test their differences by mouse_sign_test")
    n, ways = len(a) + len(b), math.comb(len(a) + len(b), len(a))
    smallest = (2 if len(a) == len(b) else 1) / ways
    if min(len(a), len(b)) < 2 or ways > 100_000:
        raise ValueError(
            f"mice: {len(a)} and {len(b)} can be dealt in {ways} ways (smallest p {smallest:g}): there must be "
            "at least 2 in each group and at most 100000 ways"
        )
    means = np.concatenate([a.to_numpy(), b.to_numpy()])
    in_a = np.zeros((ways, n), bool)
    for row, chosen in zip(in_a, combinations(range(n), len(a)), strict=True):
        row[list(chosen)] = True
    null = (~in_a @ means) / len(b) - (in_a @ means) / len(a)
    value = float(null[0])
    p = float(np.mean(np.abs(null) >= abs(value) * (1 - 1e-12)))
    return {"value": value, "p": p, "smallest_p": smallest, "n_mice": float(n)}


def hierarchical_bootstrap(
    values: ArrayLike,
    mice: ArrayLike,
    *,
    level: float = 0.95,
    weight: str = "mouse",
    n_resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> dict[str, float]:
    """Mean with its bootstrap spread when mice are drawn first, then ROIs within each mouse drawn.

    With 3 mice the percentile interval is narrower than it should be, as the bootstrap divides by n where the
    standard error divides by n - 1: trust :func:`mouse_interval` for coverage.

    Parameters
    ----------
    values, mice : array_like, shape (rois,)
        Value and mouse of each ROI.
    level : float
        Coverage, in (0, 1).
    weight : {"mouse", "roi"}
        Each mouse counts the same, or by its number of ROIs (as pooling does).
    n_resamples, seed
        Size and seed of the bootstrap.

    Returns
    -------
    dict
        ``mean``, ``std`` over resamples, ``low``, ``high`` (percentiles), ``n_mice``.

    Raises
    ------
    ValueError
        With fewer than 3 mice.
    """
    x, mice = _check(values, mice)
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    by_roi = check_choice("weight", weight, ("mouse", "roi")) == "roi"
    groups = [x[mice == m] for m in np.unique(mice)]
    _refuse_few(len(groups))
    n_resamples, rng = check_integer("n_resamples", n_resamples, 2), generator(seed, "hierarchical bootstrap")
    drawn = rng.integers(0, len(groups), (n_resamples, len(groups)))
    means, sizes = np.empty(drawn.shape), np.ones(drawn.shape)
    for k, group in enumerate(groups):
        where = drawn == k
        means[where] = _resampled_means(group, int(where.sum()), rng)
        sizes[where] = len(group) if by_roi else 1
    resampled = (means * sizes).sum(axis=1) / sizes.sum(axis=1)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    mean = x.mean() if by_roi else np.mean([g.mean() for g in groups])
    found = {"mean": mean, "std": resampled.std(), "low": low, "high": high, "n_mice": len(groups)}
    return {k: float(v) for k, v in found.items()}


def _resampled_means(group: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    out = np.empty(n)
    for rows in blocks(n, len(group)):
        out[rows] = group[rng.integers(0, len(group), (rows.stop - rows.start, len(group)))].mean(axis=1)
    return out


def design_effect(values: ArrayLike, mice: ArrayLike) -> dict[str, float]:
    """Correlation of ROIs within mice, and how many independent ROIs the pooled ones are worth.

    Intraclass correlation by one-way analysis of variance (at least 0), design effect 1 + (m - 1) icc with m the
    typical number of ROIs per mouse, effective number n / effect (Kish 1965, Survey Sampling).

    Examples
    --------
    >>> found = design_effect([1.0, 1.1, 5.0, 5.1], [1, 1, 2, 2])
    >>> round(found["icc"], 3), round(found["effective_n"], 2)
    (0.999, 2.0)
    """
    x, mice = _check(values, mice)
    groups = [x[mice == m] for m in np.unique(mice)]
    n, sizes = len(x), np.array([len(g) for g in groups])
    if len(groups) < 2 or n == len(groups):
        raise ValueError(f"{len(groups)} mice with {n} ROIs: it needs at least 2 mice, and one with 2 ROIs")
    between = sum(len(g) * (g.mean() - x.mean()) ** 2 for g in groups) / (len(groups) - 1)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - len(groups))
    typical = (n - (sizes**2).sum() / n) / (len(groups) - 1)
    spread = between + (typical - 1) * within
    icc = max(0.0, (between - within) / spread) if spread > 0 else 0.0
    effect = max(1.0, 1 + (typical - 1) * icc)
    return {"icc": float(icc), "design_effect": float(effect), "effective_n": float(n / effect)}


def mixed_model(frame: pd.DataFrame, formula: str, mouse: str = "mouse") -> pd.DataFrame:
    """Linear mixed model with a random intercept for each mouse, by :func:`statsmodels.formula.api.mixedlm`.

    Parameters
    ----------
    frame : DataFrame
        One row per ROI and session.
    formula : str
        Fixed effects, such as ``"abs_usi ~ C(session)"``.
    mouse : str
        Column of mice.

    Returns
    -------
    DataFrame, one row per fixed effect
        ``estimate``, ``std_error``, ``low``, ``high`` (95 %), ``p`` of Wald's z (too small with few mice), and
        ``converged``.

    Raises
    ------
    ValueError
        With fewer than 3 mice.
    """
    import statsmodels.formula.api as smf

    check_type("frame", frame, pd.DataFrame)
    check_choice("mouse", mouse, list(frame.columns))
    _refuse_few(frame[mouse].nunique())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in the column `converged`
        fit = smf.mixedlm(formula, frame, groups=frame[mouse]).fit(reml=True)
    names = fit.fe_params.index
    interval = fit.conf_int().loc[names].to_numpy(float)
    return pd.DataFrame(
        {
            "estimate": fit.fe_params,
            "std_error": fit.bse_fe,
            "low": interval[:, 0],
            "high": interval[:, 1],
            "p": fit.pvalues.loc[names],
            "converged": bool(fit.converged),
        }
    )


def _check(values: ArrayLike, mice: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, mice = check_array("values", values, ndim=1), np.asarray(mice)
    if mice.shape != x.shape:
        raise ValueError(f"mice has shape {mice.shape}: it must be {x.shape}, one mouse per value")
    return x, mice


def _refuse_few(n_mice: int) -> None:
    if n_mice < 3:
        raise ValueError(
            f"mice: {n_mice} {'is' if n_mice == 1 else 'are'} too few for a spread over mice (at least 3); "
            f"with {n_mice} no exact test over mice can give a two-sided p below {min(1.0, 2.0 ** (1 - n_mice)):g}"
        )


# ---------------------------------------------------------------- pathways


def smallest_p(n_a: int, n_b: int) -> float:
    """Smallest two-sided p that any data can give when mice are dealt to two groups in all ways.

    Examples
    --------
    >>> round(smallest_p(3, 3), 3), round(smallest_p(4, 4), 3)
    (0.1, 0.029)
    """
    n_a, n_b = check_integer("n_a", n_a, 0, unit="mice"), check_integer("n_b", n_b, 0, unit="mice")
    return min(1.0, (2 if n_a == n_b else 1) / math.comb(n_a + n_b, n_a))


def _mice_per_pathway(frame: pd.DataFrame) -> dict[str, int]:
    return frame.groupby("pathway", observed=True)["mouse"].nunique().to_dict()


def refusal_of(frame: pd.DataFrame, term: str, alpha: float, fixed: bool, insist: bool) -> str:
    """Why a term cannot be tested, or an empty string."""
    if "pathway" not in term.split(":"):
        return ""
    mice = _mice_per_pathway(frame)
    said = " and ".join(f"{n} {p}" for p, n in mice.items())
    if len(mice) != 2:
        return f"pathway has {len(mice)} levels ({said} mice): there is nothing to compare"
    if fixed and term == "pathway":
        return f"mouse is a fixed effect ({said} mice): a mouse has one pathway, whose effect is then the mice's own"
    least = smallest_p(*mice.values())
    if least > alpha and not insist:
        return (
            f"pathway is a property of mice, and {said} mice can be dealt to pathways in so few ways that no data give "
            f"p below {least:.3g} (alpha = {alpha:g}): a claim about pathways needs more mice"
        )
    return ""


def pathway_claim(table: pd.DataFrame, *, value: str = "rate", alpha: float = 0.05) -> dict[str, float | bool | str]:
    """Compare pathways with the mouse as the unit, and say whether these mice can support a claim at all.

    Returns
    -------
    dict
        ``value`` (A2A minus D1, or second minus first in order of names, mean of mouse means), exact ``p``,
        ``smallest_p``, ``supported`` (True only if p <= alpha), ``refused`` (no data of so few mice could be) and
        ``reason``.

    Raises
    ------
    ValueError
        If there are not two pathways of at least two mice each.
    """
    frame = table[np.isfinite(table[value].to_numpy(float))]
    mice = _mice_per_pathway(frame)
    if len(mice) != 2 or min(mice.values()) < 2:
        raise ValueError(f"table: mice per pathway are {mice}: a comparison needs two pathways of at least 2 mice")
    names = ["D1", "A2A"] if set(mice) == {"D1", "A2A"} else sorted(mice)
    a, b = (frame[frame["pathway"] == p] for p in names)
    found = mouse_permutation_test(
        a[value].to_numpy(float), a["mouse"].to_numpy(), b[value].to_numpy(float), b["mouse"].to_numpy()
    )
    refused = found["smallest_p"] > alpha
    reason = refusal_of(frame, "pathway", alpha, False, False) if refused else ""
    if not reason and found["p"] > alpha:
        reason = f"p = {found['p']:.3g} over {int(found['n_mice'])} mice is above alpha = {alpha:g}"
    supported = bool(found["p"] <= alpha)
    return {
        **{k: found[k] for k in ("value", "p", "smallest_p", "n_mice")},
        "supported": supported,
        "refused": bool(refused),
        "reason": reason,
    }
