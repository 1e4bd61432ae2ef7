"""How many clusters: silhouette, gap statistic, stability; and how evenly mice share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.clustering import cluster, cluster_similarity, fill_undefined
from netlib.analysis.resampling import generator
from netlib.analysis.similarity import check_vectors, permute_bits
from netlib.units import check_integer, check_number

__all__ = [
    "KChoice",
    "choose_k",
    "consensus_matrix",
    "gap_statistic",
    "mouse_balance",
    "silhouette",
    "stability",
]

KS = (2, 3, 4, 5, 6, 7)


def features(similarity: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Profiles (rows of the filled similarity) of the neurons that were clustered."""
    keep = labels >= 0
    return fill_undefined(similarity[np.ix_(keep, keep)])


def silhouette(similarity: np.ndarray, labels: ArrayLike) -> float:
    """Mean silhouette of clusters in the space of similarity profiles; NaN with fewer than 2 clusters."""
    from sklearn.metrics import silhouette_score

    labels = np.asarray(labels)
    used = labels[labels >= 0]
    if not 2 <= len(np.unique(used)) < len(used):
        return float("nan")
    return float(silhouette_score(features(similarity, labels), used))


def _scatter(points: np.ndarray, labels: np.ndarray) -> float:
    """Sum of squared distances to the centres of clusters."""
    groups = [points[labels == k] for k in np.unique(labels)]
    return float(sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups))


def gap_statistic(
    vectors: ArrayLike,
    ks: Sequence[int] = KS,
    method: str = "k-means",
    *,
    n_references: int = 10,
    seed: int = 0,
    **options: Any,
) -> pd.DataFrame:
    """Gap statistic: how much tighter clusters are than in binary matrices of the same margins without structure.

    Tibshirani, Walther & Hastie 2001 (J R Stat Soc B 63:411), with references from
    :func:`netlib.analysis.similarity.permute_bits`, clustered and measured in the same way.

    Returns
    -------
    DataFrame, indexed by k
        ``gap``, ``error`` (s_k, with the factor for the number of references).
    """
    rng, n_references = generator(seed, "gap"), check_integer("n_references", n_references, 2)
    width = options.get("width", 8)
    datas = [check_vectors(vectors, width)]
    datas += [permute_bits(datas[0], rng, width=width) for _ in range(n_references)]
    logs = np.empty((len(datas), len(ks)))
    for i, data in enumerate(datas):
        for j, k in enumerate(ks):
            found = cluster(data, method, k, seed=seed, **options)
            points = features(found.similarity, found.labels)
            logs[i, j] = np.log(max(_scatter(points, found.labels[found.labels >= 0]), 1e-12))
    gap = logs[1:].mean(axis=0) - logs[0]
    error = logs[1:].std(axis=0) * np.sqrt(1 + 1 / n_references)
    return pd.DataFrame({"gap": gap, "error": error}, index=pd.Index(ks, name="k"))


def consensus_matrix(
    similarity: np.ndarray,
    method: str = "k-means",
    k: int = 6,
    *,
    n_resamples: int = 30,
    fraction: float = 0.8,
    seed: int = 0,
    input: str = "profile",
    usable: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """How often two neurons share a cluster when a part of the neurons is clustered by itself.

    Monti, Tamayo, Mesirov & Golub 2003 (Mach Learn 52:91).

    Returns
    -------
    consensus : ndarray, shape (n, n)
        Share of the resamples with both in which both have one cluster; NaN for pairs never drawn together.
    labels : ndarray of int, shape (n_resamples, n)
        -1 for neurons not drawn.
    """
    check_number("fraction", fraction, "", 0, 1, low_open=True)
    rng, n = generator(seed, "consensus", k), len(similarity)
    pool = np.arange(n) if usable is None else np.flatnonzero(usable)
    labels = np.full((check_integer("n_resamples", n_resamples, 1), n), -1)
    together, drawn = np.zeros((n, n)), np.zeros((n, n))
    for row in labels:
        part = np.sort(rng.choice(pool, max(k + 1, round(fraction * len(pool))), replace=False))
        found = cluster_similarity(similarity[np.ix_(part, part)], method, k, seed=seed, input=input)
        row[part] = found.labels
        member = (row[:, None] == np.unique(found.labels[found.labels >= 0])[None, :]).astype(float)
        here = (row >= 0).astype(float)
        together += member @ member.T
        drawn += np.outer(here, here)
    return np.divide(together, drawn, out=np.full((n, n), np.nan), where=drawn > 0), labels


def stability(consensus: np.ndarray, resampled: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Stability of a clustering under resampling.

    Returns
    -------
    dict
        ``ari``: mean adjusted Rand index of the resampled with the whole clustering; ``ambiguous``: share of pairs
        whose consensus is in (0.1, 0.9); ``consensus``: mean consensus of pairs in one cluster.
    """
    from sklearn.metrics import adjusted_rand_score

    scores = []
    for row in resampled:
        both = (row >= 0) & (labels >= 0)
        scores.append(adjusted_rand_score(labels[both], row[both]))
    pair = np.triu(np.isfinite(consensus) & (labels >= 0)[:, None] & (labels >= 0)[None, :], 1)
    values, same = consensus[pair], (labels[:, None] == labels[None, :])[pair]
    ambiguous = float(np.mean((values > 0.1) & (values < 0.9)))
    return {"ari": float(np.mean(scores)), "ambiguous": ambiguous, "consensus": float(values[same].mean())}


@dataclass(frozen=True)
class KChoice:
    """Number of clusters by three criteria.

    Attributes
    ----------
    table : DataFrame, indexed by k
        ``silhouette``, ``gap``, ``gap_error``, ``stability_ari``, ``ambiguous``, ``consensus``.
    by_silhouette : int
        Greatest silhouette.
    by_gap : int
        Smallest k whose gap is at least that of the next less its error; the greatest gap if there is none. It is for
        ``structure`` more than for k: of four strong clusters it said the greatest k tried, the others 4 (9 in 10).
    by_stability : int
        Greatest k whose ARI under resampling is within 0.02 of the greatest (small k are stable for little reason).
    k : int
        What two criteria agree on, else the silhouette's.
    structure : bool
        False if the gap at ``k`` is within two errors of 0: no more clusters than margins explain.
    """

    table: pd.DataFrame
    by_silhouette: int
    by_gap: int
    by_stability: int
    k: int
    structure: bool


def choose_k(
    vectors: ArrayLike,
    ks: Sequence[int] = KS,
    method: str = "k-means",
    *,
    n_references: int = 10,
    n_resamples: int = 30,
    seed: int = 0,
    **options: Any,
) -> KChoice:
    """Number of clusters by silhouette, gap statistic and bootstrap stability.

    Parameters
    ----------
    vectors : array_like, shape (n, 8 * n_sessions)
    ks : sequence of int
        Numbers tried, rising.
    method, options
        As in :func:`netlib.analysis.clustering.cluster`.
    n_references, n_resamples : int
        Of the gap statistic, of the stability.

    Raises
    ------
    ValueError
        If there are fewer than 2 numbers, or a clustering is not possible.
    """
    ks = [check_integer("ks", k, 2) for k in ks]
    if len(ks) < 2 or sorted(set(ks)) != ks:
        raise ValueError(f"ks = {ks}: there must be at least 2 numbers of clusters, rising")
    gaps = gap_statistic(vectors, ks, method, n_references=n_references, seed=seed, **options)
    rows = []
    for k in ks:
        found = cluster(vectors, method, k, seed=seed, **options)
        usable, kind = found.labels >= 0, options.get("input", "profile")
        consensus, resampled = consensus_matrix(
            found.similarity, method, k, n_resamples=n_resamples, seed=seed, input=kind, usable=usable
        )
        steady = stability(consensus, resampled, found.labels)
        rows.append((silhouette(found.similarity, found.labels), *gaps.loc[k], *steady.values()))
    names = ["silhouette", "gap", "gap_error", "stability_ari", "ambiguous", "consensus"]
    table = pd.DataFrame(rows, index=gaps.index, columns=names)
    by_silhouette = int(table["silhouette"].fillna(-2).idxmax())
    gap, error = table["gap"].to_numpy(), table["gap_error"].to_numpy()
    first = np.flatnonzero(gap[:-1] >= gap[1:] - error[1:])
    by_gap = ks[int(first[0])] if len(first) else ks[int(gap.argmax())]
    ari = table["stability_ari"]
    by_stability = int(ari.index[ari >= ari.max() - 0.02].max())
    chosen = by_gap if by_gap == by_stability else by_silhouette
    structure = bool(table.loc[chosen, "gap"] > 2 * table.loc[chosen, "gap_error"])
    return KChoice(table, by_silhouette, by_gap, by_stability, chosen, structure)


def mouse_balance(labels: ArrayLike, mice: ArrayLike) -> pd.DataFrame:
    """How mice share each cluster.

    Returns
    -------
    DataFrame, one row per cluster
        Neurons of each mouse, and ``balance``: entropy over mice of the share of each mouse's neurons that are in the
        cluster, over its greatest value: 1 if all mice give the same share, 0 if one mouse gives all (and with one).

    Examples
    --------
    >>> mouse_balance([0, 0, 0, 1], ["a", "a", "b", "a"])["balance"].round(2).tolist()
    [0.97, 0.0]
    """
    labels, mice = np.asarray(labels), np.asarray(mice)
    if labels.shape != mice.shape or labels.ndim != 1:
        raise ValueError(f"labels has shape {labels.shape} and mice {mice.shape}: they must be one per neuron")
    keep = labels >= 0
    table = pd.crosstab(pd.Series(labels[keep], name="cluster"), pd.Series(mice[keep], name="mouse"))
    share = (table / table.sum(axis=0)).to_numpy()
    p = share / share.sum(axis=1, keepdims=True)
    entropy = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=1)
    most = np.log(table.shape[1])
    table["balance"] = np.abs(entropy) / most if most > 0 else 0.0
    return table
