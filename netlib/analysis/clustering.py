"""Clusters of neurons from their categories: nine methods and mean shift behind one registry, explicit k and seed.

The published analysis clusters the rows of the similarity matrix as features ("profile": neurons are alike if they are
alike to the same others), not a distance between neurons. On planted groups that is the better choice by far, and the
default here; ``input="distance"`` clusters 1 - similarity itself.

Pairs whose similarity is undefined (NaN) are given the mean of the two neurons' defined similarities. Neurons without
any defined similarity to another, and (unless ``unmodulated="keep"``) neurons without any category in any session, are
not clustered: their label is -1.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.cluster_methods import METHODS, Method
from netlib.analysis.similarity import check_vectors, jaccard_similarity
from netlib.seeds import simulator_seed
from netlib.units import check_choice, check_integer

__all__ = [
    "METHODS",
    "Clustering",
    "Method",
    "canonical_labels",
    "cluster",
    "cluster_all",
    "cluster_similarity",
    "fill_undefined",
]

UNASSIGNED = -1


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
        As in :func:`netlib.analysis.similarity.jaccard_similarity`.
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


def cluster_all(vectors: ArrayLike, k: int = 6, *, seed: int = 0, **options: Any) -> dict[str, Clustering]:
    """Clusterings by every method of :data:`METHODS` with the same k; options as in :func:`cluster`."""
    return {name: cluster(vectors, name, k, seed=seed, **options) for name in METHODS}
