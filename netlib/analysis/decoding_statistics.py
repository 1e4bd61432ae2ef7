"""Decoding scores of clusters over mice and sessions: control for size, paired tests, mixed model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from netlib.analysis.mouse_level import mouse_sign_test
from netlib.analysis.multiple import adjust_p_values
from netlib.units import check_choice

__all__ = ["cluster_model", "paired_clusters", "size_control"]

COLUMNS = ("mouse", "session", "cluster", "score", "size")


def _scores(table: pd.DataFrame, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    missing = sorted(set(columns) - set(table.columns))
    if missing:
        raise ValueError(f"table lacks the columns {missing}: it must have {list(columns)}")
    table = table[list(columns)].dropna().reset_index(drop=True)
    if "size" in columns and (table["size"] <= 0).any():
        raise ValueError(f"size = {table['size'].min():g} neurons is out of range: it must be in [1, inf) neurons")
    if len(table) < 4:
        raise ValueError(f"table has {len(table)} rows with a score: at least 4 are needed")
    return table


def size_control(table: pd.DataFrame) -> pd.DataFrame:
    """How much of a cluster's score is its size: slope of the score on log2(size) within mice and sessions.

    Parameters
    ----------
    table : DataFrame
        ``mouse``, ``session``, ``cluster``, ``score`` (one decoding each), ``size`` (neurons).

    Returns
    -------
    DataFrame
        The table with ``adjusted``, the score at the mean log size; ``attrs`` hold ``slope`` (score per doubling),
        ``correlation`` (Pearson, both less their means of mouse and session).
    """
    rows = _scores(table)
    log_size = np.log2(rows["size"].to_numpy(float))
    key = [rows["mouse"], rows["session"]]
    x = log_size - pd.Series(log_size).groupby(key).transform("mean").to_numpy()
    y = (rows["score"] - rows.groupby(["mouse", "session"])["score"].transform("mean")).to_numpy()
    spread = float(x @ x)
    slope = float(x @ y) / spread if spread > 1e-12 else 0.0
    norm = np.sqrt(spread * float(y @ y))
    rows["adjusted"] = rows["score"] - slope * (log_size - log_size.mean())
    rows.attrs.update(slope=slope, correlation=float(x @ y) / norm if norm > 1e-12 else float("nan"))
    return rows


def paired_clusters(table: pd.DataFrame, score: str = "score", method: str = "holm") -> pd.DataFrame:
    """Compare every two clusters within mice: the exact sign-flip test on the differences of each mouse.

    Differences are taken within a session, averaged within a mouse: mice are the unit. With three mice no p can be
    below 0.25, and the column ``smallest_p`` says so.

    Parameters
    ----------
    table : DataFrame
        ``mouse``, ``session``, ``cluster`` and the score.
    score : str
        Its column: "score", or "adjusted" of :func:`size_control`.
    method : str
        Correction over the pairs (:func:`~netlib.analysis.multiple.adjust_p_values`).

    Returns
    -------
    DataFrame
        ``a``, ``b``, ``difference`` (a minus b), ``n_mice``, ``p``, ``p_adjusted``, ``smallest_p``; NaN for pairs that
        fewer than three mice have.
    """
    rows = _scores(table, ("mouse", "session", "cluster", score))
    wide = rows.pivot_table(index=["mouse", "session"], columns="cluster", values=score)
    found = []
    for a, b in combinations(wide.columns, 2):
        difference = (wide[a] - wide[b]).dropna()
        mice = difference.index.get_level_values("mouse").to_numpy()
        head = {"a": a, "b": b, "n_mice": len(set(mice))}
        if head["n_mice"] < 3:
            mean = difference.groupby(level="mouse").mean().mean() if len(difference) else np.nan
            found.append(head | {"difference": mean, "p": np.nan, "smallest_p": np.nan})
            continue
        test = mouse_sign_test(difference.to_numpy(), mice)
        found.append(head | {"difference": test["value"], "p": test["p"], "smallest_p": test["smallest_p"]})
    columns = ["a", "b", "difference", "n_mice", "p", "smallest_p"]
    out = pd.DataFrame(found, columns=columns)
    return out.assign(p_adjusted=adjust_p_values(out["p"].to_numpy(float), method))


def cluster_model(table: pd.DataFrame, mouse: str = "auto") -> dict[str, float | int | str]:
    """Do clusters differ beyond their sizes? Likelihood-ratio test of cluster in a linear model of the scores.

    score ~ cluster + log2(size) + session, with a random intercept of each mouse, by maximum likelihood; with three
    mice or fewer the mouse is a fixed effect (no variance can be estimated), and the result is about these mice only.

    Parameters
    ----------
    table : DataFrame
        As for :func:`size_control`.
    mouse : {"auto", "random", "fixed"}
        How mice enter.

    Returns
    -------
    dict
        ``chi2``, ``df``, ``p`` of cluster; ``size_slope`` (score per doubling), ``n_mice``, ``n_rows``, ``mouse``
        ("random" or "fixed") and ``about`` ("mice like these" or "these mice").
    """
    from scipy.stats import chi2
    from statsmodels.formula.api import mixedlm, ols

    check_choice("mouse", mouse, ("auto", "random", "fixed"))
    rows = _scores(table).assign(log_size=lambda t: np.log2(t["size"]))
    n_mice, n_clusters = rows["mouse"].nunique(), rows["cluster"].nunique()
    if n_clusters < 2:
        raise ValueError(f"table has {n_clusters} cluster with scores: at least 2 are needed to compare")
    if mouse == "auto":
        mouse = "random" if n_mice > 3 else "fixed"
    rest = ["log_size"] if rows["log_size"].std() > 1e-9 else []
    rest += ["C(session)"] if rows["session"].nunique() > 1 else []
    fixed = ["C(mouse)"] if mouse == "fixed" and n_mice > 1 else []

    def fit(terms: list[str]):
        formula = "score ~ " + " + ".join(terms or ["1"])
        if mouse == "fixed":
            return ols(formula, rows).fit()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mixedlm(formula, rows, groups=rows["mouse"]).fit(reml=False)

    full, without = fit(["C(cluster)", *rest, *fixed]), fit([*rest, *fixed])
    value = max(0.0, 2 * (full.llf - without.llf))
    return {
        "chi2": float(value),
        "df": n_clusters - 1,
        "p": float(chi2.sf(value, n_clusters - 1)),
        "size_slope": float(full.params.get("log_size", np.nan)),
        "n_mice": n_mice,
        "n_rows": len(rows),
        "mouse": mouse,
        "about": "mice like these" if mouse == "random" else "these mice",
    }
