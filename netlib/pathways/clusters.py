"""Clusters of neurons by what they do: similarity of categories, nine methods and mean shift, and how many clusters.

The category vector of a neuron has 8 columns a session, (sequence, zones, food, explo) up and then down, 0 or 1, and
NaN where it is not known: in all columns if the neuron is absent, in two if a behaviour did not occur. Neurons are
compared by a Jaccard index over what is known of both.

The published analysis clusters the rows of the similarity matrix as features ("profile": neurons are alike if they are
alike to the same others), not a distance between neurons. On planted groups that is the better choice by far, and the
default here; ``input="distance"`` clusters 1 - similarity itself.

Pairs whose similarity is undefined (NaN) are given the mean of the two neurons' defined similarities. Neurons without
any defined similarity to another, and (unless ``unmodulated="keep"``) neurons without any category in any session, are
not clustered: their label is -1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.base.seeds import simulator_seed
from netlib.pathways.behaviour import GROUPS
from netlib.statistics.resampling import generator

__all__ = [
    "CATEGORIES",
    "METHODS",
    "Clustering",
    "Exploration",
    "KChoice",
    "Method",
    "canonical_labels",
    "check_vectors",
    "choose_k",
    "cluster",
    "cluster_similarity",
    "consensus_matrix",
    "embed",
    "explore",
    "fill_undefined",
    "gap_statistic",
    "jaccard_similarity",
    "mouse_balance",
    "permute_bits",
    "select_sessions",
    "silhouette",
    "stability",
]

UNASSIGNED = -1
KS = (2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class Clustering:
    """Clusters of neurons.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        0 for the largest cluster, 1 for the next, ...; -1 for neurons that were not clustered.
    k : int
        Clusters found (affinity propagation and mean shift may miss the number asked).
    method, input : str
    similarity : ndarray, shape (n, n)
        With NaN where undefined.
    n_filled : int
        Pairs of clustered neurons whose undefined similarity was filled.
    """

    labels: np.ndarray
    k: int
    method: str
    input: str
    similarity: np.ndarray = field(repr=False)
    n_filled: int


def fill_undefined(similarity: np.ndarray) -> np.ndarray:
    """Similarity with 1 on the diagonal and undefined pairs at the mean of both neurons' defined similarities."""
    s = np.array(similarity, float)
    np.fill_diagonal(s, np.nan)
    known = np.isfinite(s)
    means = np.where(known, s, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    s = np.where(known, s, (means[:, None] + means[None, :]) / 2)
    np.fill_diagonal(s, 1.0)
    return s


def canonical_labels(labels: ArrayLike) -> np.ndarray:
    """Labels renumbered by size, largest 0, ties in order of appearance; negative ones become -1.

    Examples
    --------
    >>> canonical_labels([7, 3, 3, -1]).tolist()
    [1, 0, 0, -1]
    """
    labels = np.asarray(labels)
    out = np.full(labels.shape, UNASSIGNED)
    names, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    for new, at in enumerate(np.lexsort((first, -sizes))):
        out[labels == names[at]] = new
    return out


def cluster(
    vectors: ArrayLike,
    method: str = "k-means",
    k: int | None = 6,
    *,
    seed: int = 0,
    input: str = "profile",
    width: int = 8,
    min_shared: int = 1,
    unmodulated: str = "exclude",
) -> Clustering:
    """Cluster neurons by the Jaccard similarity of their category vectors.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
        0, 1, or NaN where absent.
    method : str
        One of :data:`METHODS`.
    k : int or None
        Number of clusters; None, for affinity propagation and mean shift, uses their published parameters.
    seed : int
        Seed of the methods that draw.
    input : {"profile", "distance"}
    width, min_shared
        As in :func:`jaccard_similarity`.
    unmodulated : {"exclude", "keep"}
        Neurons without any category: label -1, or clustered (they are 0 to all modulated neurons).

    Raises
    ------
    ValueError
        If the method is unknown, k is missing, or fewer than k neurons can be clustered.
    """
    x = check_vectors(vectors, width)
    check_choice("unmodulated", unmodulated, ("exclude", "keep"))
    usable = np.nansum(x, axis=1) > 0 if unmodulated == "exclude" else np.ones(len(x), bool)
    similarity = jaccard_similarity(x, width=width, min_shared=min_shared)
    return cluster_similarity(similarity, method, k, seed=seed, input=input, usable=usable)


def cluster_similarity(
    similarity: np.ndarray,
    method: str = "k-means",
    k: int | None = 6,
    *,
    seed: int = 0,
    input: str = "profile",
    usable: np.ndarray | None = None,
) -> Clustering:
    """Cluster neurons of a similarity matrix (n, n), NaN where undefined; see :func:`cluster`."""
    check_choice("input", input, ("profile", "distance"))
    chosen = METHODS[check_choice("method", method, METHODS)]
    if k is None and not chosen.free_k:
        free = [name for name, m in METHODS.items() if m.free_k]
        raise ValueError(f"k = None: method = {method!r} needs a number of clusters; only {free} can do without")
    others = np.array(similarity, float)
    np.fill_diagonal(others, np.nan)
    keep = np.isfinite(others).any(axis=1)
    if usable is not None:
        keep &= usable
        keep &= np.isfinite(np.where(keep[None, :], others, np.nan)).any(axis=1)
    n, least = int(keep.sum()), 2 if k is None else check_integer("k", k, 1)
    if n < max(least, 2):
        raise ValueError(f"vectors: {n} of {len(keep)} neurons can be clustered, fewer than k = {k}")
    part = others[np.ix_(keep, keep)]
    labels = np.full(len(keep), UNASSIGNED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a similarity looks like a distance, or a graph falls apart
        number = simulator_seed(seed, "clustering", method)
        labels[keep] = chosen.run(fill_undefined(part), k, number, input == "profile")
    labels = canonical_labels(labels)
    n_filled = int(np.isnan(part[np.triu_indices(n, 1)]).sum())
    return Clustering(labels, len(np.unique(labels[keep])), method, input, similarity, n_filled)


# ---------------------------------------------------------------- number of clusters


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
    :func:`permute_bits`, clustered and measured in the same way.

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
        As in :func:`cluster`.
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


# ---------------------------------------------------------------- numbers of clusters and sets of sessions


@dataclass(frozen=True)
class Exploration:
    """Clusterings over numbers of clusters and sets of sessions.

    Attributes
    ----------
    labels : dict of (str, int) -> ndarray
        Labels of all neurons for each set of sessions and k.
    table : DataFrame
        One row for each: ``sessions``, ``k``, ``silhouette``, ``n_clustered``, ``smallest``, ``largest``,
        ``balance`` (smallest of the clusters; NaN for one mouse).
    balance : dict of (str, int) -> DataFrame
        :func:`mouse_balance`, for several mice.
    failures : dict of (str, int) -> str
        Why a clustering was not possible.
    """

    labels: dict[tuple[str, int], np.ndarray]
    table: pd.DataFrame
    balance: dict[tuple[str, int], pd.DataFrame] = field(repr=False)
    failures: dict[tuple[str, int], str]


def explore(
    vectors: ArrayLike,
    mice: ArrayLike | None = None,
    *,
    ks: Sequence[int] = KS,
    subsets: Mapping[str, Sequence[int] | None] | None = None,
    method: str = "k-means",
    seed: int = 0,
    **options: Any,
) -> Exploration:
    """Cluster one mouse, or several pooled, for every k and set of sessions.

    Parameters
    ----------
    vectors : array_like, shape (n, 8 * n_sessions)
    mice : array_like, shape (n,), optional
        Mouse of each neuron, if several are pooled.
    subsets : mapping of str to sessions (from 1), optional
        By default all sessions and, with eight, the last two of FR1 (3, 4) and of FR5 (7, 8) as published.
    method, options
        As in :func:`cluster`.
    """
    width = options.get("width", 8)
    x = check_vectors(vectors, width)
    if subsets is None:
        last = {"last 2 FR1": (3, 4), "last 2 FR5": (7, 8)} if x.shape[1] // width == 8 else {}
        subsets = {"all": None} | last
    several = mice is not None and len(np.unique(mice)) > 1
    labels, rows, balances, failures = {}, [], {}, {}
    for name, sessions in subsets.items():
        part = select_sessions(x, sessions, width)
        for k in ks:
            try:
                found = cluster(part, method, k, seed=seed, **options)
            except ValueError as error:
                failures[name, k] = str(error)
                continue
            labels[name, k] = found.labels
            sizes = np.bincount(found.labels[found.labels >= 0])
            if several:
                balances[name, k] = mouse_balance(found.labels, mice)
            even = float(balances[name, k]["balance"].min()) if several else np.nan
            score = silhouette(found.similarity, found.labels)
            rows.append((name, k, score, int(sizes.sum()), int(sizes.min()), int(sizes.max()), even))
    names = ["sessions", "k", "silhouette", "n_clustered", "smallest", "largest", "balance"]
    return Exploration(labels, pd.DataFrame(rows, columns=names), balances, failures)


# ---------------------------------------------------------------- similarity


#: Columns of one session.
CATEGORIES = tuple(f"{group} {way}" for way in ("up", "down") for group in GROUPS)


def check_vectors(vectors: ArrayLike, width: int = 8) -> np.ndarray:
    """Return category vectors as floats (n, width * n_sessions), or raise an error that names what is wrong.

    Raises
    ------
    ValueError
        If a value is not 0, 1 or NaN, or the columns are not whole sessions.

    Examples
    --------
    >>> check_vectors([[0, 1, np.nan, 2]], width=2)
    Traceback (most recent call last):
    ...
    ValueError: vectors[0, 3] = 2: a category is 0, 1, or NaN where it is not known
    """
    x = np.asarray(vectors, float)
    if x.ndim != 2 or not x.size or x.shape[1] % width:
        raise ValueError(f"vectors has shape {x.shape}: it must be (n, {width} columns for each session)")
    bad = ~(np.isnan(x) | (x == 0) | (x == 1))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(f"vectors[{i}, {j}] = {x[i, j]:g}: a category is 0, 1, or NaN where it is not known")
    return x


def select_sessions(vectors: ArrayLike, sessions: Sequence[int] | None, width: int = 8) -> np.ndarray:
    """Columns of some sessions, numbered from 1 (None: all).

    Examples
    --------
    >>> select_sessions([[0, 1, 1, 0]], [2], width=2)
    array([[1., 0.]])
    """
    x = check_vectors(vectors, width)
    if sessions is None:
        return x
    n = x.shape[1] // width
    chosen = [check_integer("sessions", s, 1, n) - 1 for s in sessions]
    return x.reshape(len(x), n, width)[:, chosen].reshape(len(x), -1)


def jaccard_similarity(vectors: ArrayLike, *, width: int = 8, min_shared: int = 1) -> np.ndarray:
    """Jaccard similarity of all pairs of neurons over the categories that are known of both.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
        0, 1, or NaN where not known.
    width : int
        Columns of a session.
    min_shared : int
        Pairs that share fewer sessions (any category known of both) are undefined.

    Returns
    -------
    ndarray, shape (n, n)
        Bits set in both over bits set in either; NaN where undefined: too few shared sessions, or no bit set in
        either (two silent neurons are not known to be alike, nor unlike).

    Examples
    --------
    >>> a = np.nan
    >>> jaccard_similarity([[1, 1, 1, 0], [1, 0, a, a], [0, 0, 0, 0]], width=2).round(2)
    array([[1. , 0.5, 0. ],
           [0.5, 1. , 0. ],
           [0. , 0. , nan]])
    """
    x = check_vectors(vectors, width)
    check_integer("min_shared", min_shared, 1)
    bits, known = np.nan_to_num(x), (~np.isnan(x)).astype(float)
    both = bits @ bits.T
    counted = bits @ known.T  # bits of i that are known of j
    either = counted + counted.T - both
    shared = sum((part @ part.T > 0).astype(int) for part in np.split(known, x.shape[1] // width, axis=1))
    defined = (shared >= min_shared) & (either > 0)
    return np.divide(both, either, out=np.full(both.shape, np.nan), where=defined)


def permute_bits(
    vectors: ArrayLike, seed: int | np.random.Generator = 0, *, keep: str = "margins", width: int = 8, trades: int = 5
) -> np.ndarray:
    """Binary vectors without structure: bits moved at random, what is not known left so.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
    keep : {"margins", "rows"}
        "margins": sums of rows and of columns are kept, by trades of bits between pairs of rows (curveball algorithm:
        Strona, Nappo, Boccacci, Fattorini & San-Miguel-Ayanz 2014, Nat Commun 5:4114) in the columns known of both.
        "rows": each row is permuted by itself over its known entries, which keeps its sum only.
    trades : int
        Trades for each row.

    Examples
    --------
    >>> x = (np.arange(64).reshape(8, 8) % 3 == 0).astype(float)
    >>> y = permute_bits(x, 1)
    >>> bool((x.sum(0) == y.sum(0)).all() and (x.sum(1) == y.sum(1)).all() and (x != y).any())
    True
    """
    check_choice("keep", keep, ("margins", "rows"))
    x, rng = check_vectors(vectors, width).copy(), generator(seed, "permute bits")
    present = ~np.isnan(x)
    if keep == "rows":
        for row, here in zip(x, present, strict=True):
            row[here] = rng.permutation(row[here])
        return x
    for _ in range(check_integer("trades", trades, 1) * len(x) if len(x) > 1 else 0):
        i, j = rng.choice(len(x), 2, replace=False)
        free = np.flatnonzero(present[i] & present[j] & (x[i] != x[j]))
        if len(free):
            x[i, free] = rng.permutation(x[i, free])
            x[j, free] = 1 - x[i, free]
    return x


# ---------------------------------------------------------------- methods


def embed(similarity: np.ndarray) -> np.ndarray:
    """Points whose squared Euclidean distances are 1 - similarity (classical scaling; exact for complete vectors).

    The square root of the Jaccard distance is Euclidean (Gower & Legendre 1986, J Classif 3:5).
    """
    squared = 1 - similarity
    centred = -0.5 * (squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean())
    values, axes = np.linalg.eigh(centred)
    keep = values > 1e-9 * max(values.max(), 1e-12)
    return axes[:, keep] * np.sqrt(values[keep])


def _linkage(kind: str) -> Callable[..., np.ndarray]:
    def run(s: np.ndarray, k: int, seed: int, profile: bool) -> np.ndarray:
        from scipy.cluster.hierarchy import cut_tree, linkage
        from scipy.spatial.distance import squareform

        if profile or kind == "ward":
            tree = linkage(s if profile else embed(s), kind)
        else:
            tree = linkage(squareform(1 - s, checks=False), kind)
        return cut_tree(tree, k)[:, 0]  # not fcluster: where many distances are 1, "maxclust" gives fewer than k

    return run


def _agglomerative(kind: str) -> Callable[..., np.ndarray]:
    def run(s: np.ndarray, k: int, seed: int, profile: bool) -> np.ndarray:
        from sklearn.cluster import AgglomerativeClustering

        if profile or kind == "ward":
            return AgglomerativeClustering(k, linkage=kind).fit_predict(1 - s if profile else embed(s))
        return AgglomerativeClustering(k, linkage=kind, metric="precomputed").fit_predict(1 - s)

    return run


def _k_means(s: np.ndarray, k: int, seed: int, profile: bool) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=10, random_state=seed).fit_predict(s if profile else embed(s))


def _spectral(s: np.ndarray, k: int, seed: int, profile: bool, neighbours: int = 10) -> np.ndarray:
    from sklearn.cluster import SpectralClustering

    if profile:
        neighbours = min(neighbours, len(s))
        model = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=neighbours, random_state=seed)
        return model.fit_predict(1 - s)
    return SpectralClustering(k, affinity="precomputed", random_state=seed).fit_predict(s)


def _affinity(
    s: np.ndarray, k: int | None, seed: int, profile: bool, preference: float = -40.0, damping: float = 0.5
) -> np.ndarray:
    from scipy.spatial.distance import cdist
    from sklearn.cluster import AffinityPropagation

    likeness = -cdist(s, s, "sqeuclidean") if profile else s - 1

    def run(at: float, held: float = damping, steps: int = 400) -> np.ndarray:
        model = AffinityPropagation(
            preference=at, damping=held, affinity="precomputed", max_iter=steps, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what does not settle is tried again below
            return model.fit_predict(likeness)

    if k is None:
        labels = run(preference)
        return labels if labels.max() >= 0 else run(preference, 0.9, 1000)
    steepest = -float(likeness.min())
    return _tuned(lambda x: run(-np.exp(x), 0.8), k, np.log(0.01 * steepest), np.log(0.5 * len(s) * steepest))


def _mean_shift(s: np.ndarray, k: int | None, seed: int, profile: bool, bandwidth: float = 1.8) -> np.ndarray:
    from sklearn.cluster import MeanShift

    points = s if profile else embed(s)

    starts = points[np.random.default_rng(seed).permutation(len(points))[:100]]  # climbers: enough to find every peak

    def run(width: float) -> np.ndarray:
        return MeanShift(bandwidth=width, seeds=starts, max_iter=100).fit_predict(points)

    if k is None:
        return run(bandwidth)
    spread = float(np.linalg.norm(points - points.mean(axis=0), axis=1).max())
    return _tuned(lambda x: run(np.exp(x)), k, np.log(max(0.05 * spread, 1e-6)), np.log(max(2 * spread, 2e-6)), 8)


def _tuned(run: Callable[[float], np.ndarray], k: int, low: float, high: float, steps: int = 12) -> np.ndarray:
    """Labels with k clusters, or nearest to it, by halving the range of a parameter that merges them as it grows."""
    best = None
    for _ in range(steps):
        middle = 0.5 * (low + high)
        labels = run(middle)
        if labels.min() < 0:  # did not settle: a little further on
            labels = run(middle + 0.03 * (high - low))
        found = len(np.unique(labels))
        if best is None or abs(found - k) < abs(len(np.unique(best)) - k):
            best = labels
        if found == k:
            break
        low, high = (middle, high) if found > k else (low, middle)
    return best


@dataclass(frozen=True)
class Method:
    """One way to cluster: ``run(similarity, k, seed, profile) -> labels``; ``free_k`` if k may be left to it."""

    run: Callable[..., np.ndarray]
    free_k: bool = False


LINKAGES = ("average", "complete", "ward")
#: The nine published methods and mean shift. With input "profile" all take the rows of the similarity matrix (those of
#: scikit-learn's hierarchy and spectral, of 1 - similarity: the same distances); with "distance", 1 - similarity as a
#: precomputed distance, or points embedded with those squared distances where a method needs points (ward, k-means,
#: mean shift). Without k, affinity propagation (damping 0.5, preference -40) and mean shift (bandwidth 1.8) are as
#: published; else they are tuned to k.
METHODS: Mapping[str, Method] = MappingProxyType(
    {f"linkage {kind}": Method(_linkage(kind)) for kind in LINKAGES}
    | {"k-means": Method(_k_means)}
    | {f"agglomerative {kind}": Method(_agglomerative(kind)) for kind in LINKAGES}
    | {"spectral": Method(_spectral)}
    | {"affinity propagation": Method(_affinity, free_k=True), "mean shift": Method(_mean_shift, free_k=True)}
)
