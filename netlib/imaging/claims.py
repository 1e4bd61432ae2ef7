"""The claims of the thesis abstract, mouse by mouse, and how far a few mice carry them.

A claim is "found" if every mouse shows it: three mice of a pathway can be dealt in so few ways that no test over mice
can be significant, and then that is said too (:mod:`netlib.analysis.pathway_claims`).
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.cluster_comparison import contingency, scores_of_tables
from netlib.analysis.pathway_claims import pathway_claim, smallest_p

__all__ = ["CLAIMS", "engagement", "judge_claims", "subpopulations"]

#: Names of the claims.
CLAIMS = (
    "similar engagement",
    "different subpopulations",
    "direct pathway codes by activation",
    "indirect pathway codes by inactivation",
)
#: Share of neurons with any category from which a mouse counts as engaged at all: twice what chance would give.
ENGAGED = 0.1
#: Bias (activated - inactivated) / (activated + inactivated) from which a mouse has a code.
BIAS = 0.2
#: Agreement (AMI) of clusters and pathways from which subpopulations are different.
DIFFERENT = 0.1
#: Ways to deal mice to pathways at most.
MOST_WAYS = 5000


def engagement(vectors: list[np.ndarray], leading: list[np.ndarray]) -> dict[str, float]:
    """How a mouse codes.

    Parameters
    ----------
    vectors : list of ndarray, shape (n, 8)
        Categories of each session.
    leading : list of ndarray, shape (n,)
        Sign of each neuron in each session (:func:`netlib.imaging.contrast.leading_signs`).

    Returns
    -------
    dict
        ``engaged``, share of neurons with any category, mean of the sessions; ``activated``, ``inactivated``, neurons
        by sign, all sessions together; ``bias`` = (activated - inactivated) / both, NaN without any.
    """
    engaged = float(np.mean([(np.nansum(v, axis=1) > 0).mean() for v in vectors if len(v)] or [np.nan]))
    up, down = (sum(int((signs == way).sum()) for signs in leading) for way in (1, -1))
    bias = (up - down) / (up + down) if up + down else np.nan
    return {"engaged": engaged, "activated": up, "inactivated": down, "bias": bias}


def subpopulations(labels: np.ndarray, mouse: np.ndarray, pathway: np.ndarray) -> dict[str, float]:
    """Agreement (AMI) of clusters of all mice's neurons with their pathways, against mice dealt to pathways otherwise.

    Returns
    -------
    dict
        ``ami``, ``p`` = share of all ways to deal the mice that give as much, ``smallest_p`` with so many mice,
        ``n_mice``.
    """
    keep = labels >= 0
    labels, mouse, pathway = labels[keep], mouse[keep], pathway[keep]
    names, index = np.unique(mouse, return_inverse=True)
    first = np.array([pathway[mouse == name][0] for name in names]) if len(names) else np.zeros(0, str)
    n_direct = int((first == "D1").sum())
    if len(names) < 2 or n_direct in (0, len(names)) or len(set(labels.tolist())) < 2:
        return {"ami": np.nan, "p": np.nan, "smallest_p": np.nan, "n_mice": float(len(names))}
    ami = _ami(labels, (first == "D1")[index])
    p = np.nan
    if comb(len(names), n_direct) <= MOST_WAYS:
        ways = [np.isin(index, way) for way in combinations(range(len(names)), n_direct)]
        p = float(np.mean([_ami(labels, way) >= ami - 1e-12 for way in ways]))
    least = smallest_p(n_direct, len(names) - n_direct)
    return {"ami": ami, "p": p, "smallest_p": least, "n_mice": float(len(names))}


def _ami(labels: np.ndarray, direct: np.ndarray) -> float:
    table = contingency(labels, direct.astype(int)).to_numpy()
    return float(scores_of_tables(table[None])["ami"][0])


def judge_claims(mice: pd.DataFrame, clusters: dict[str, float], margin: float, alpha: float) -> pd.DataFrame:
    """Every claim with its numbers, and whether it is found in these mice.

    Parameters
    ----------
    mice : DataFrame
        ``mouse``, ``pathway``, ``engaged``, ``bias``.
    clusters : dict
        Of :func:`subpopulations`.
    margin : float
        Difference of shares up to which engagement is similar.
    alpha : float
        Level of the tests over mice.

    Returns
    -------
    DataFrame
        ``claim``, ``measure``, ``direct``, ``indirect`` (mean of mice), ``verdict`` ("found", "reversed", "not found",
        "not engaged", "no comparison"), ``mice`` (how many show it, of how many), ``p`` over mice, ``smallest_p``,
        ``about``: what can be said beyond these mice.
    """
    mean = mice.groupby("pathway")[["engaged", "bias"]].mean().reindex(["D1", "A2A"])
    rows = [_similar(mice, mean, margin, alpha), _different(clusters, mice)]
    rows += [_code(mice, mean, pathway, sign, alpha) for pathway, sign in (("D1", 1.0), ("A2A", -1.0))]
    return pd.DataFrame([{"claim": name, **row} for name, row in zip(CLAIMS, rows, strict=True)])


def _row(measure: str, mean: pd.Series, verdict: str, shown: str, test: dict[str, Any]) -> dict[str, Any]:
    numbers = {"direct": float(mean.get("D1", np.nan)), "indirect": float(mean.get("A2A", np.nan))}
    return {"measure": measure, **numbers, "verdict": verdict, "mice": shown, **test}


def _similar(mice: pd.DataFrame, mean: pd.DataFrame, margin: float, alpha: float) -> dict[str, Any]:
    share, engaged = mean["engaged"], mice["engaged"] >= ENGAGED
    if share.isna().any():
        verdict = "no comparison"
    elif not engaged.all():
        verdict = "not engaged"
    else:
        verdict = "found" if abs(share["D1"] - share["A2A"]) <= margin else "not found"
    test = _over_mice(mice, "engaged", alpha)
    test["about"] = f"similar: shares differ by at most {margin:g}; a large p is no proof of equality"
    return _row("share of neurons with any category", share, verdict, f"{engaged.sum()} of {len(mice)} engaged", test)


def _different(clusters: dict[str, float], mice: pd.DataFrame) -> dict[str, Any]:
    ami, p = clusters["ami"], clusters["p"]
    if np.isnan(ami):
        verdict = "no comparison"
    else:  # p: no other way to deal the mice, but for swapping the pathways, agrees better
        verdict = "found" if ami >= DIFFERENT and not p > clusters["smallest_p"] + 1e-12 else "not found"
    both = pd.Series({"D1": ami, "A2A": ami})
    test = {"p": p, "smallest_p": clusters["smallest_p"], "about": _about(p, clusters["smallest_p"], 0.05)}
    return _row("agreement of pooled clusters with the pathway (AMI)", both, verdict, f"{len(mice)}", test)


def _code(mice: pd.DataFrame, mean: pd.DataFrame, pathway: str, sign: float, alpha: float) -> dict[str, Any]:
    own = mice[mice["pathway"] == pathway]
    engaged = own["engaged"] >= ENGAGED
    away = own["bias"] * sign
    if own.empty:
        verdict = "no comparison"
    elif not engaged.all():
        verdict = "not engaged"
    elif (away >= BIAS).all():
        verdict = "found"
    else:
        verdict = "reversed" if (away <= -BIAS).all() else "not found"
    shown = f"{int((engaged & (away >= BIAS)).sum())} of {len(own)}"
    return _row("bias (activated - inactivated) / both", mean["bias"], verdict, shown, _over_mice(mice, "bias", alpha))


def _over_mice(mice: pd.DataFrame, value: str, alpha: float) -> dict[str, Any]:
    """Test of the difference of pathways with the mouse as the unit."""
    try:
        found = pathway_claim(mice, value=value, alpha=alpha)
    except ValueError as error:
        return {"p": np.nan, "smallest_p": np.nan, "about": str(error)}
    return {"p": found["p"], "smallest_p": found["smallest_p"], "about": found["reason"] or "holds over mice"}


def _about(p: float, least: float, alpha: float) -> str:
    if np.isnan(p):
        return "no test over mice"
    if least > alpha:
        return f"so few mice give no p below {least:.2g}: a claim about pathways needs more"
    return "holds over mice" if p <= alpha else f"p = {p:.2g} over mice is above {alpha:g}"
