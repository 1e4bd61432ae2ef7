"""Do clusters of instants follow behaviour? Adjusted indices against behaviour shifted along each session."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.cluster_comparison import scores_of_tables
from netlib.seeds import stream
from netlib.units import check_integer

__all__ = ["behaviour_agreement", "indices_of_tables", "shifted_tables"]


def shifted_tables(clusters: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Contingency tables of clusters and labels at every circular lag of the labels, by the Fourier transform.

    Parameters
    ----------
    clusters, labels : array_like of int, shape (n,)
        From 0 on.

    Returns
    -------
    ndarray of int, shape (n, n_clusters, n_labels)
        Row k: labels moved later by k.
    """
    from scipy.fft import irfft, rfft

    a, b = (np.eye(int(np.max(x)) + 1)[np.asarray(x)].T for x in (clusters, labels))
    product = rfft(a, axis=1)[:, None] * rfft(b, axis=1).conj()[None]
    return np.moveaxis(irfft(product, a.shape[1], axis=2).round().astype(np.int64), 2, 0)


def indices_of_tables(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adjusted Rand index and adjusted mutual information of tables (..., n_clusters, n_labels) with equal margins.

    Hubert & Arabie 1985, J Classif 2:193; Vinh, Epps & Bailey 2010, JMLR 11:2837 (arithmetic mean of entropies). The
    mutual information expected by chance depends on margins only, and is computed once.
    """
    found = scores_of_tables(tables)
    return found["ari"], found["ami"]


def behaviour_agreement(
    clusters: ArrayLike,
    labels: ArrayLike,
    session: ArrayLike | None = None,
    *,
    guard: int = 20,
    n_shifts: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Adjusted Rand index and mutual information of clusters of instants and behaviour, with p.

    The null shifts the behaviours of each session in a circle, each by a lag of its own: clusters are as long-lived as
    behaviours, and instants that follow each other are not independent. Instants without behaviour are left out
    beforehand.

    Parameters
    ----------
    clusters, labels : array_like of int, shape (n_instants,)
        Cluster and behaviour of each instant; -1 is a behaviour that is not known.
    session : array_like of int, shape (n_instants,), optional
        Session of each instant; by default all are of one.
    guard : int
        Shortest lag (instants).
    n_shifts : int
        Size of the null.
    seed : int
        Master seed.

    Returns
    -------
    dict
        ``ari``, ``ami``, ``ari_null`` and ``ami_null`` (means), ``ari_p`` and ``ami_p`` = (1 + #) / (1 + N),
        one-sided, ``n`` instants.

    Raises
    ------
    ValueError
        If shapes differ, or a session is too short for the guard.
    """
    clusters, labels = np.asarray(clusters), np.asarray(labels)
    session = np.zeros(len(labels), int) if session is None else np.asarray(session)
    if not clusters.shape == labels.shape == session.shape:
        raise ValueError(f"clusters {clusters.shape}, labels {labels.shape}, session {session.shape} must be one shape")
    check_integer("guard", guard, 1, unit="instants")
    n_shifts = check_integer("n_shifts", n_shifts, 1)
    keep = labels >= 0
    clusters, labels, session = clusters[keep], labels[keep], session[keep]
    names, clusters = np.unique(clusters, return_inverse=True)
    kinds, labels = np.unique(labels, return_inverse=True)
    rng = stream(seed, "instants against behaviour")
    total = np.zeros((1 + n_shifts, len(names), len(kinds)), np.int64)
    for s in np.unique(session):
        here = session == s
        n = int(here.sum())
        if n < 3 * guard:
            raise ValueError(f"session {s} has {n} instants with a behaviour: guard = {guard} needs {3 * guard}")
        tables = _padded(shifted_tables(clusters[here], labels[here]), len(names), len(kinds))
        total[0] += tables[0]
        total[1:] += tables[rng.integers(guard, n - guard + 1, n_shifts)]
    out: dict[str, float] = {"n": float(len(labels))}
    for name, values in zip(("ari", "ami"), indices_of_tables(total), strict=True):
        found, null = float(values[0]), values[1:]
        p = (1 + int((null >= found - 1e-12).sum())) / (1 + n_shifts)
        out |= {name: found, f"{name}_null": float(null.mean()), f"{name}_p": p if math.isfinite(found) else math.nan}
    return out


def _padded(tables: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.pad(tables, ((0, 0), (0, rows - tables.shape[1]), (0, columns - tables.shape[2])))
