"""Clusterings put to the test: agreement with others against chance, candidates given to clusters, clusters in space.

Agreement is the Rand index, the adjusted Rand index (ARI), mutual information (MI), adjusted mutual information (AMI)
and Fowlkes-Mallows, with two nulls: labels shuffled (is there any agreement?), and the binary matrix permuted with its
margins kept and clustered anew (is there more than methods find in data without structure?). Neurons with label -1 in
either clustering are left out.

Candidates are neurons of one session that are not registered. The published code gives each the nearest centre of the
last mouse only, and never refuses. Here centres are pooled over all mice, or a Bernoulli mixture gives the probability
of each cluster, and what fits none is "unassigned" (-1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.pathways.clusters import check_vectors, permute_bits, select_sessions
from netlib.statistics.resampling import generator

__all__ = [
    "SCORES",
    "CandidateModel",
    "agreement_matrix",
    "compare",
    "compare_many",
    "contingency",
    "fit_candidates",
    "spatial_clustering",
    "structure_null",
]


SCORES = ("rand", "ari", "mi", "ami", "fowlkes_mallows")


def contingency(a: ArrayLike, b: ArrayLike, *, normalise: str = "none") -> pd.DataFrame:
    """Neurons of each cluster of ``a`` (rows) in each of ``b`` (columns).

    Parameters
    ----------
    a, b : array_like of int, shape (n,)
        Labels; -1 in either is left out.
    normalise : {"none", "rows", "all"}
        Counts, shares of each row, or shares of all neurons.

    Examples
    --------
    >>> contingency([0, 0, 1], [0, 1, 1], normalise="rows").to_numpy().tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    check_choice("normalise", normalise, ("none", "rows", "all"))
    a, b = _labels(a, b)
    table = pd.crosstab(pd.Series(a, name="a"), pd.Series(b, name="b"))
    if normalise == "rows":
        return table.div(table.sum(axis=1), axis=0)
    return table / len(a) if normalise == "all" else table


def scores_of_tables(tables: np.ndarray) -> dict[str, np.ndarray]:
    """The five scores of contingency tables (..., rows, columns) that share their margins.

    Hubert & Arabie 1985, J Classif 2:193; Vinh, Epps & Bailey 2010, JMLR 11:2837 (arithmetic mean of entropies; the
    mutual information expected by chance depends on the margins only, and is computed once); Fowlkes & Mallows 1983, J
    Am Stat Assoc 78:553.
    """
    from sklearn.metrics.cluster import expected_mutual_information

    counts = np.asarray(tables, np.int64)
    n = counts[(0,) * (counts.ndim - 2)].sum()
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)

    def pairs(x: np.ndarray) -> np.ndarray:
        return x * (x - 1) / 2

    both, of_a, of_b = pairs(counts).sum(axis=(-1, -2)), pairs(rows).sum(axis=-1), pairs(columns).sum(axis=-1)
    total = max(pairs(n), 1)
    expected, most = of_a * of_b / total, (of_a + of_b) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ari = np.where(most == expected, 1.0, (both - expected) / (most - expected))
        fowlkes = np.where(of_a * of_b > 0, both / np.sqrt(of_a * of_b), 0.0)
        joint, independent = counts / n, rows[..., :, None] * columns[..., None, :] / n**2
        information = np.where(counts > 0, joint * np.log(joint / independent), 0.0).sum(axis=(-1, -2))
    one = counts.reshape(-1, *counts.shape[-2:])[0]
    one = one[one.sum(axis=1) > 0][:, one.sum(axis=0) > 0]
    chance = float(expected_mutual_information(one, int(n)))
    entropy = [-np.sum(p[p > 0] * np.log(p[p > 0])) for p in (one.sum(axis=1) / n, one.sum(axis=0) / n)]
    span = np.mean(entropy) - chance
    ami = (information - chance) / span if abs(span) > 1e-12 else np.ones_like(information)
    rand = (total + 2 * both - of_a - of_b) / total
    return {"rand": rand, "ari": ari, "mi": information, "ami": ami, "fowlkes_mallows": fowlkes}


def compare(
    a: ArrayLike, b: ArrayLike, *, n_permutations: int = 999, seed: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Agreement of two clusterings against shuffled labels.

    Parameters
    ----------
    a, b : array_like of int, shape (n,)
        Labels of the same neurons; -1 in either is left out.
    n_permutations, seed
        Shuffles of ``b``.

    Returns
    -------
    DataFrame, one row per score of :data:`SCORES`
        ``value``, ``null_mean``, ``null_std``, one-sided ``p`` = (1 + b) / (1 + m), ``n``.

    Raises
    ------
    ValueError
        If lengths differ or fewer than 2 neurons are labelled in both.

    Examples
    --------
    >>> compare([0, 0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 0], n_permutations=99)["value"].round(2).to_dict()
    {'rand': 1.0, 'ari': 1.0, 'mi': 0.69, 'ami': 1.0, 'fowlkes_mallows': 1.0}
    """
    a, b = _labels(a, b)
    rng = generator(seed, "compare clusterings")
    a, b = (np.unique(x, return_inverse=True)[1] for x in (a, b))
    shape, m = (a.max() + 1, b.max() + 1), check_integer("n_permutations", n_permutations, 1)
    tables = np.empty((m + 1, *shape), int)
    for k in range(m + 1):
        other = rng.permutation(b) if k else b
        tables[k] = np.bincount(a * shape[1] + other, minlength=shape[0] * shape[1]).reshape(shape)
    rows = []
    for values in scores_of_tables(tables).values():
        null = values[1:]
        p = (1 + np.sum(null >= values[0] - 1e-12)) / (1 + m)
        rows.append((float(values[0]), float(null.mean()), float(null.std()), float(p), len(a)))
    return pd.DataFrame(rows, index=list(SCORES), columns=["value", "null_mean", "null_std", "p", "n"])


def compare_many(
    clusterings: Mapping[str, ArrayLike], *, n_permutations: int = 199, seed: int | np.random.Generator = 0
) -> pd.DataFrame:
    """:func:`compare` for all pairs of any number of clusterings (methods, sources, sets of sessions).

    Returns
    -------
    DataFrame
        ``a``, ``b``, ``score``, and the columns of :func:`compare`.
    """
    if len(clusterings) < 2:
        raise ValueError(f"clusterings holds {len(clusterings)}: there must be at least 2 to compare")
    rng, parts = generator(seed, "compare many"), []
    for a, b in combinations(clusterings, 2):
        found = compare(clusterings[a], clusterings[b], n_permutations=n_permutations, seed=rng)
        parts.append(found.rename_axis("score").reset_index().assign(a=a, b=b))
    table = pd.concat(parts, ignore_index=True)
    return table[["a", "b", "score", "value", "null_mean", "null_std", "p", "n"]]


def agreement_matrix(table: pd.DataFrame, score: str = "ari") -> pd.DataFrame:
    """Square matrix of one score of :func:`compare_many`; 1 on the diagonal (NaN for MI, which has no such bound)."""
    check_choice("score", score, SCORES)
    chosen = table[table["score"] == score]
    names = list(dict.fromkeys([*chosen["a"], *chosen["b"]]))
    out = pd.DataFrame(np.nan, index=names, columns=names)
    for a, b, value in zip(chosen["a"], chosen["b"], chosen["value"], strict=True):
        out.loc[a, b] = out.loc[b, a] = value
    if score != "mi":
        for name in names:
            out.loc[name, name] = 1.0
    return out


def structure_null(
    vectors_a: ArrayLike,
    vectors_b: ArrayLike,
    cluster_a: Callable[[np.ndarray], ArrayLike],
    cluster_b: Callable[[np.ndarray], ArrayLike] | None = None,
    *,
    score: str = "ari",
    n_permutations: int = 99,
    keep: str = "margins",
    seed: int | np.random.Generator = 0,
    width: int = 8,
) -> dict[str, float]:
    """Agreement of two clusterings against that found in binary matrices without structure.

    If ``vectors_b`` is ``vectors_a`` (the same array: two methods on the same data) both methods see the same permuted
    matrix; otherwise (two sources) each matrix is permuted by itself.

    Parameters
    ----------
    vectors_a, vectors_b : array_like, shape (n, width * n_sessions)
        Category vectors of the same neurons.
    cluster_a, cluster_b : function
        Labels from vectors; ``cluster_b`` is ``cluster_a`` if not given.
    score : str
        One of :data:`SCORES`.
    keep : {"margins", "rows"}
        As in :func:`netlib.pathways.clusters.permute_bits`.

    Returns
    -------
    dict
        ``value``, ``null_mean``, ``null_std``, one-sided ``p`` = (1 + b) / (1 + m).
    """
    check_choice("score", score, SCORES)
    same, rng, cluster_b = vectors_a is vectors_b, generator(seed, "structure null"), cluster_b or cluster_a
    values = np.empty(1 + check_integer("n_permutations", n_permutations, 1))
    for k in range(len(values)):
        a, b = np.asarray(vectors_a, float), np.asarray(vectors_b, float)
        if k:
            a = permute_bits(a, rng, keep=keep, width=width)
            b = a if same else permute_bits(b, rng, keep=keep, width=width)
        table = contingency(cluster_a(a), cluster_b(b)).to_numpy()
        values[k] = float(scores_of_tables(table)[score])
    null = values[1:]
    p = (1 + np.sum(null >= values[0] - 1e-12)) / len(values)
    return {"value": values[0], "null_mean": float(null.mean()), "null_std": float(null.std()), "p": float(p)}


def _labels(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: both must be labels of the same neurons (n,)")
    keep = (a != -1) & (b != -1)
    if keep.sum() < 2:
        raise ValueError(f"a, b: {keep.sum()} neurons are labelled in both; a comparison needs at least 2")
    return a[keep], b[keep]


# ---------------------------------------------------------------- candidates


PRIOR = 0.5  # Jeffreys: half a bit set and half a bit not set are added to every column


@dataclass(frozen=True)
class CandidateModel:
    """Clusters as one session shows them.

    Attributes
    ----------
    session : int
        From 1.
    method : {"distance", "posterior"}
    centres, probabilities : ndarray, shape (k, width)
        Mean bits of the members present in the session, pooled over mice (NaN where not known of any), and the same
        with :data:`PRIOR` added.
    log_prior : ndarray, shape (k,)
        Of the shares of the clusters.
    limits : ndarray, shape (k,)
        Percentile of the members' distances to the centre of the others of their cluster ("distance").
    n_members : ndarray of int, shape (k,)
    least_posterior : float
    leave_one_out : dict
        Of members assigned as if they were candidates: ``accuracy`` (nearest cluster is theirs), ``accepted`` (share
        not refused), ``accuracy_accepted``, and ``chance`` (share of the largest cluster).
    """

    session: int
    method: str
    centres: np.ndarray
    probabilities: np.ndarray
    log_prior: np.ndarray
    limits: np.ndarray
    n_members: np.ndarray
    least_posterior: float
    leave_one_out: dict[str, float]

    def assign(self, bits: ArrayLike, *, reject: bool = True) -> pd.DataFrame:
        """Give each candidate a cluster.

        Parameters
        ----------
        bits : array_like, shape (m, width)
            Categories in this session; NaN where a behaviour did not occur, which then says nothing.
        reject : bool
            Leave a candidate unassigned (-1) that is too far or not probable enough.

        Returns
        -------
        DataFrame, one row per candidate
            ``cluster`` (-1 = unassigned), ``nearest``, ``distance`` to its centre, ``posterior``.
        """
        x = np.asarray(bits, float)
        if x.size == 0:
            return _answers(np.zeros((0, len(self.centres))), np.zeros((0, len(self.centres))), self, reject)
        x = check_vectors(x, self.centres.shape[1])
        if x.shape[1] != self.centres.shape[1] or np.isnan(x).all(axis=1).any():
            raise ValueError(
                f"bits has shape {x.shape}: a candidate has {self.centres.shape[1]} bits, some of them known"
            )
        joint = _log_likelihood(x, self.probabilities) + self.log_prior
        return _answers(_distance(x[:, None], self.centres[None]), joint, self, reject)


def fit_candidates(
    vectors: ArrayLike,
    labels: ArrayLike,
    session: int,
    *,
    method: str = "posterior",
    percentile: float = 95.0,
    least_posterior: float = 0.5,
    width: int = 8,
) -> CandidateModel:
    """Learn what members of each cluster look like in one session, and how surely they are told apart.

    Parameters
    ----------
    vectors : array_like, shape (n, width * n_sessions)
        Category vectors of the registered neurons of all mice; NaN where absent.
    labels : array_like of int, shape (n,)
        Their clusters; -1 is left out.
    session : int
        From 1.
    method : {"posterior", "distance"}
        Bernoulli mixture P(cluster | bits), or distance to centres.
    percentile : float
        Of the members' distances, beyond which a candidate is refused.
    least_posterior : float
        Probability below which it is refused.

    Raises
    ------
    ValueError
        If a cluster has fewer than 2 members in the session.
    """
    check_choice("method", method, ("distance", "posterior"))
    check_number("percentile", percentile, "%", 0, 100)
    check_number("least_posterior", least_posterior, "", 0, 1)
    whole, labels = check_vectors(vectors, width), np.asarray(labels)
    check_integer("session", session, 1, whole.shape[1] // width)
    if labels.shape != whole.shape[:1]:
        raise ValueError(f"labels has shape {labels.shape}: there must be one for each of {len(whole)} neurons")
    k = int(labels.max()) + 1
    x = select_sessions(whole, [session], width)
    here = ~np.isnan(x).all(axis=1) & (labels >= 0)
    x, own = x[here], labels[here]
    n = np.bincount(own, minlength=k)
    if k < 1 or n.min() < 2:
        raise ValueError(f"labels: clusters have {n.tolist()} members in session {session}; each needs at least 2")
    member = np.eye(k)[own].T
    bits, known = np.nan_to_num(x), (~np.isnan(x)).astype(float)
    sums, counts = member @ bits, member @ known
    centres, p, log_prior = _ratio(sums, counts), _smoothed(sums, counts), np.log(n / n.sum())
    # Each member against all clusters without it.
    distance = _distance(x[:, None], centres[None])
    joint = _log_likelihood(x, p) + np.log(n / (n.sum() - 1))
    rows, sums, counts = np.arange(len(x)), sums[own] - bits, counts[own] - known
    distance[rows, own] = _distance(x, _ratio(sums, counts))
    others = np.log((n[own] - 1) / (n.sum() - 1))
    joint[rows, own] = _log_likelihood(x[:, None], _smoothed(sums, counts)[:, None])[:, 0, 0] + others
    limits = np.array([np.percentile(distance[own == c, c], percentile) for c in range(k)])
    model = CandidateModel(session, method, centres, p, log_prior, limits, n, least_posterior, {})
    found = _answers(distance, joint, model, True)
    right, accepted = found["nearest"].to_numpy() == own, found["cluster"].to_numpy() >= 0
    model.leave_one_out.update(
        accuracy=float(right.mean()),
        accepted=float(accepted.mean()),
        accuracy_accepted=float(right[accepted].mean()) if accepted.any() else np.nan,
        chance=float(n.max() / n.sum()),
    )
    return model


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _smoothed(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Probability of each bit, with :data:`PRIOR` of each kind added."""
    return (sums + PRIOR) / (counts + 2 * PRIOR)


def _distance(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distance over the last axis, what is not known being as far as the rest on average."""
    squares = (x - centres) ** 2
    known = np.isfinite(squares).sum(axis=-1)
    mean = np.nansum(squares, axis=-1) / np.maximum(known, 1)
    return np.where(known > 0, np.sqrt(mean * x.shape[-1]), np.inf)


def _log_likelihood(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Of bits (..., m, width) under probabilities (..., k, width): (..., m, k); unknown bits are left out."""
    ones, zeros = np.nan_to_num(x), np.nan_to_num(1 - x)
    return ones @ np.log(p).swapaxes(-1, -2) + zeros @ np.log(1 - p).swapaxes(-1, -2)


def _answers(distance: np.ndarray, joint: np.ndarray, model: CandidateModel, reject: bool) -> pd.DataFrame:
    posterior = np.exp(joint - joint.max(axis=1, keepdims=True)) if len(joint) else joint
    posterior = posterior / posterior.sum(axis=1, keepdims=True)
    by_distance = model.method == "distance"
    nearest = distance.argmin(axis=1) if by_distance else posterior.argmax(axis=1)
    rows = np.arange(len(nearest))
    far, probable = distance[rows, nearest], posterior[rows, nearest]
    refused = far > model.limits[nearest] + 1e-12 if by_distance else probable < model.least_posterior
    given = np.where(refused, -1, nearest) if reject else nearest
    return pd.DataFrame({"cluster": given, "nearest": nearest, "distance": far, "posterior": probable})


# ---------------------------------------------------------------- clusters in space


def spatial_clustering(
    points: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    neighbours: int = 1,
    n_permutations: int = 9999,
    seed: int | np.random.Generator = 0,
) -> dict[str, float]:
    """Test whether neurons of one cluster lie together: share of nearest neighbours with the same label.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        Centroids (px).
    labels : array_like of int, shape (n,)
        Clusters; -1 (unassigned) and NaN points are left out.
    groups : array_like, shape (n,), optional
        Mouse (or session) of each: neighbours are sought and labels permuted within it.
    neighbours : int
        Nearest neighbours asked.

    Returns
    -------
    dict
        ``share`` with the same label, ``expected`` (mean of the permutations), ``z``, one-sided ``p`` = (1+b)/(1+m)
        and ``n``.

    Raises
    ------
    ValueError
        If shapes disagree or no group has more than ``neighbours`` neurons.
    """
    from scipy.spatial import cKDTree

    xy, labels = np.asarray(points, float), np.asarray(labels)
    if xy.ndim != 2 or xy.shape[1] != 2 or labels.shape != xy.shape[:1]:
        raise ValueError(f"points has shape {xy.shape} and labels {labels.shape}: they must be (n, 2) and (n,)")
    groups = np.zeros(len(xy), int) if groups is None else np.asarray(groups)
    keep = np.isfinite(xy).all(axis=1) & (labels != -1)
    xy, labels, groups = xy[keep], labels[keep], groups[keep]
    of, to, members = [], [], []
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        if len(own) > neighbours:
            near = cKDTree(xy[own]).query(xy[own], neighbours + 1)[1]
            other = np.array([[j for j in row if j != i][:neighbours] for i, row in enumerate(near)])
            of.append(np.repeat(own, neighbours))
            to.append(own[other].ravel())
            members.append(own)
    if not of:
        raise ValueError(f"points: no group has more than {neighbours} labelled neurons, too few for neighbours")
    i, j, rng = np.concatenate(of), np.concatenate(to), generator(seed, "spatial clustering")
    null = np.empty(check_integer("n_permutations", n_permutations, 1))
    share, shuffled = np.mean(labels[i] == labels[j]), labels.copy()
    for b in range(n_permutations):
        for own in members:
            shuffled[own] = rng.permutation(labels[own])
        null[b] = np.mean(shuffled[i] == shuffled[j])
    p = (1 + np.sum(null >= share - 1e-12)) / (1 + n_permutations)
    z = (share - null.mean()) / null.std() if null.std() > 0 else np.nan
    return {"share": float(share), "expected": float(null.mean()), "z": float(z), "p": float(p), "n": len(labels)}
