"""Agreement of clusterings of the same neurons, against chance.

Rand, adjusted Rand (ARI), mutual information (MI), adjusted mutual information (AMI) and Fowlkes-Mallows, with two
nulls: labels shuffled (is there any agreement?), and the binary matrix permuted with its margins kept and clustered
anew (is there more than methods find in data without structure?). Neurons with label -1 in either are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.resampling import generator
from netlib.analysis.similarity import permute_bits
from netlib.units import check_choice, check_integer, check_number

__all__ = ["SCORES", "agreement_matrix", "compare", "compare_many", "contingency", "ranked_pairs", "structure_null"]

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


def ranked_pairs(a: ArrayLike, b: ArrayLike, cumulative: float = 0.8) -> pd.DataFrame:
    """Pairs of clusters by their share of all neurons, greatest first, until they hold ``cumulative`` of them.

    Examples
    --------
    >>> ranked_pairs([0, 0, 0, 1, 1], [1, 1, 1, 0, 1], 0.7)
       a  b  n  share  cumulative
    0  0  1  3    0.6         0.6
    1  1  0  1    0.2         0.8
    """
    check_number("cumulative", cumulative, "", 0, 1, low_open=True)
    table = contingency(a, b).stack().rename("n").reset_index()
    table = table[table["n"] > 0].sort_values("n", ascending=False, kind="stable").reset_index(drop=True)
    table["share"] = table["n"] / table["n"].sum()
    table["cumulative"] = table["share"].cumsum()
    return table[: int((table["cumulative"] < cumulative - 1e-12).sum()) + 1]


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
        As in :func:`netlib.analysis.similarity.permute_bits`.

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
