"""Do the neurons of one cluster lie together in the field? Nearest neighbours against permuted labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.resampling import generator
from netlib.units import check_integer

__all__ = ["spatial_clustering"]


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
    share, null, shuffled = np.mean(labels[i] == labels[j]), np.empty(n_permutations), labels.copy()
    for b in range(check_integer("n_permutations", n_permutations, 1)):
        for own in members:
            shuffled[own] = rng.permutation(labels[own])
        null[b] = np.mean(shuffled[i] == shuffled[j])
    p = (1 + np.sum(null >= share - 1e-12)) / (1 + n_permutations)
    z = (share - null.mean()) / null.std() if null.std() > 0 else np.nan
    return {"share": float(share), "expected": float(null.mean()), "z": float(z), "p": float(p), "n": len(labels)}
