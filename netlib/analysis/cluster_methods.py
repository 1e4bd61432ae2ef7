"""The methods of clustering: nine published ones and mean shift, each from a complete similarity matrix to labels.

All take ``run(similarity, k, seed, profile)``. With ``profile`` they cluster the rows of the matrix as features;
without, 1 - similarity as a distance, or points with those squared distances where a method needs points.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

__all__ = ["METHODS", "Method", "embed"]


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
    parameters: str
    free_k: bool = False


#: The nine published methods and mean shift. With input "profile" all take the rows of the similarity matrix (those of
#: scikit-learn's hierarchy and spectral, of 1 - similarity: the same distances); with "distance", 1 - similarity as a
#: precomputed distance, or points embedded with those squared distances where a method needs points (ward, k-means,
#: mean shift).
METHODS: Mapping[str, Method] = MappingProxyType(
    {f"linkage {kind}": Method(_linkage(kind), "scipy linkage, cut at k") for kind in ("average", "complete", "ward")}
    | {"k-means": Method(_k_means, "10 starts, seeded")}
    | {
        f"agglomerative {kind}": Method(_agglomerative(kind), "scikit-learn")
        for kind in ("average", "complete", "ward")
    }
    | {
        "spectral": Method(_spectral, "10 nearest neighbours (profile) or similarity as affinity (distance)"),
        "affinity propagation": Method(
            _affinity, "damping 0.5; preference -40 as published if k is None, else tuned to k", True
        ),
        "mean shift": Method(_mean_shift, "bandwidth 1.8 as published if k is None, else tuned to k", True),
    }
)
