"""Do moments of a session look alike? Correlation of the population between instants, and clusters of instants.

Neurons that a session lacks are left out of every pair of sessions it is in; they are never filled with zeros, which
would make any two instants of such sessions alike. Whether clusters follow behaviour is asked against behaviour shifted
along each session.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.seeds import simulator_seed, stream
from netlib.pathways.cluster_checks import scores_of_tables
from netlib.pathways.clusters import canonical_labels

__all__ = [
    "Instants",
    "behaviour_agreement",
    "cluster_instants",
    "population_components",
    "sample_instants",
    "shifted_tables",
    "time_correlation",
]


@dataclass(frozen=True, eq=False)
class Instants:
    """Population vectors at regular instants of one or more sessions.

    Attributes
    ----------
    values : ndarray, shape (n_neurons, n_instants)
        z scores; NaN where the neuron was not in the session.
    session : ndarray of int, shape (n_instants,)
        Which of the sessions, from 0.
    times : ndarray, shape (n_instants,)
        Time in the session (ms).
    """

    values: np.ndarray
    session: np.ndarray
    times: np.ndarray

    def present(self) -> np.ndarray:
        """Which neurons each session has: bool (n_sessions, n_neurons)."""
        first = [int(np.argmax(self.session == s)) for s in range(int(self.session.max()) + 1)]
        return np.isfinite(self.values[:, first]).T


def sample_instants(
    traces: ArrayLike | Sequence[ArrayLike],
    dt: float,
    step: float = 1000.0,
    *,
    windows: Sequence[tuple[float, float]] | None = None,
    average: bool = False,
) -> Instants:
    """z-score each neuron within each session, and take the population at every ``step``.

    Parameters
    ----------
    traces : array_like, shape (n_neurons, n_frames), or list of them
        One session, or several with the same registered neurons in the same rows; a neuron that was not in a session
        is a row of NaN.
    dt : float
        Frame interval (ms).
    step : float
        Time between instants (ms), a whole number of frames.
    windows : sequence of (start, stop), optional
        Part of each session to take (ms): from the first to the last onset of behaviour, as published.
    average : bool
        Average the frames of each step; else take the first of them, as published.

    Returns
    -------
    Instants

    Raises
    ------
    ValueError
        If sessions differ in neurons, a trace has NaN in part, or the step is not a whole number of frames.
    """
    sessions = [traces] if np.ndim(traces[0]) == 1 else list(traces)
    arrays = [np.asarray(s, float) for s in sessions]
    if any(a.ndim != 2 or len(a) != len(arrays[0]) for a in arrays):
        raise ValueError(f"traces have shapes {[a.shape for a in arrays]}: all must be (n_neurons, n_frames), one n")
    frames = check_number("step", step, "ms", 0, low_open=True) / check_number("dt", dt, "ms", 0, low_open=True)
    every = round(frames)
    if every < 1 or abs(frames - every) > 1e-6:
        raise ValueError(f"step = {step:g} ms is not a whole number of frames of {dt:g} ms")
    if windows is not None and len(windows) != len(arrays):
        raise ValueError(f"windows holds {len(windows)} of them: it must hold one for each of {len(arrays)} sessions")
    values, session, times = [], [], []
    for s, array in enumerate(arrays):
        start, stop = (0, array.shape[1]) if windows is None else (int(np.ceil(t / dt - 1e-9)) for t in windows[s])
        part = _z_scored(array[:, start:stop], s)
        n = part.shape[1] // every
        if n < 2:
            raise ValueError(f"traces[{s}] has {part.shape[1]} frames: at least 2 steps of {every} are needed")
        blocks = part[:, : n * every].reshape(len(part), n, every)
        values.append(blocks.mean(axis=2) if average else blocks[:, :, 0])
        session.append(np.full(n, s))
        times.append((start + np.arange(n) * every) * dt)
    return Instants(np.concatenate(values, axis=1), np.concatenate(session), np.concatenate(times))


def _z_scored(part: np.ndarray, session: int) -> np.ndarray:
    absent = np.isnan(part).all(axis=1)
    if absent.all():
        raise ValueError(f"traces[{session}] has no neuron: every row is NaN")
    check_array(f"traces[{session}]", part[~absent])
    sd = part.std(axis=1, keepdims=True)
    # A trace that never changes is 0 throughout.
    return (part - part.mean(axis=1, keepdims=True)) / np.where(sd == 0, 1.0, sd)


def time_correlation(instants: Instants, least: int = 10) -> np.ndarray:
    """Pearson correlation of the population between every two instants, over the neurons that both sessions have.

    Parameters
    ----------
    instants : Instants
    least : int
        Fewest neurons in common; pairs of sessions with fewer are NaN.

    Returns
    -------
    ndarray of float32, shape (n_instants, n_instants)
        Four bytes per pair: 370 MB for eight sessions of 20 minutes at 1 s.
    """
    check_integer("least", least, 2, unit="neurons")
    present, n = instants.present(), len(instants.session)
    out = np.full((n, n), np.nan, np.float32)
    rows = [np.flatnonzero(instants.session == s) for s in range(len(present))]
    for a in range(len(present)):
        for b in range(a, len(present)):
            both = present[a] & present[b]
            if both.sum() >= least:
                x, y = (_unit(instants.values[np.ix_(both, rows[s])]) for s in (a, b))
                block = np.clip(x.T @ y, -1, 1)
                out[np.ix_(rows[a], rows[b])] = block
                out[np.ix_(rows[b], rows[a])] = block.T
    return out


def _unit(x: np.ndarray) -> np.ndarray:
    """Columns less their mean, of length 1; NaN where all neurons are equal."""
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=0)
    return x / np.where(length > 1e-12, length, np.nan)


def cluster_instants(
    correlation: np.ndarray, k: Iterable[int] = range(2, 11), *, n_starts: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Cluster instants by their rows of the correlation matrix, with k-means.

    Columns that are not known for all rows (sessions without enough neurons in common with another) are left out.

    Parameters
    ----------
    correlation : array_like, shape (n_instants, n_instants)
        Of :func:`time_correlation`.
    k : iterable of int
        Numbers of clusters.
    n_starts : int
        Starts; the best is kept.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame, one row per k
        ``labels`` (array of int, by size: 0 is the largest), ``inertia`` and ``silhouette`` (on at most 2000 instants).

    Raises
    ------
    ValueError
        If no column is known for all rows.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    matrix = np.asarray(correlation)
    known = np.isfinite(matrix).all(axis=0)
    if not known.any():
        raise ValueError("correlation has no column known for all instants: cluster sessions apart, or lower `least`")
    features, rows = matrix[:, known], []
    for n in k:
        n = check_integer("k", n, 2, len(features) - 1, "clusters")
        state = simulator_seed(seed, "instants", n)
        model = KMeans(n, n_init=n_starts, random_state=state).fit(features)
        labels = canonical_labels(model.labels_)
        size = 2000 if len(features) > 2000 else None
        score = silhouette_score(features, labels, sample_size=size, random_state=state)
        rows.append((n, labels, float(model.inertia_), float(score)))
    return pd.DataFrame(rows, columns=["k", "labels", "inertia", "silhouette"]).set_index("k")


def population_components(instants: Instants, n_components: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of the population over time, of the neurons that all sessions have.

    Returns
    -------
    scores : ndarray, shape (n_instants, n_components)
    explained : ndarray, shape (n_components,)
        Share of the variance.

    Raises
    ------
    ValueError
        If fewer neurons than ``n_components`` are in all sessions.
    """
    from sklearn.decomposition import PCA

    always = instants.present().all(axis=0)
    check_integer("n_components", n_components, 1, unit="components")
    if always.sum() < n_components:
        raise ValueError(
            f"n_components = {n_components} is out of range: {always.sum()} neurons are in all sessions, and there "
            "must be as many or more"
        )
    model = PCA(n_components, svd_solver="full")
    return model.fit_transform(instants.values[always].T), model.explained_variance_ratio_


# ---------------------------------------------------------------- agreement with behaviour


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
    scores = scores_of_tables(total)
    for name in ("ari", "ami"):
        found, null = float(scores[name][0]), scores[name][1:]
        p = (1 + int((null >= found - 1e-12).sum())) / (1 + n_shifts)
        out |= {name: found, f"{name}_null": float(null.mean()), f"{name}_p": p if math.isfinite(found) else math.nan}
    return out


def _padded(tables: np.ndarray, rows: int, columns: int) -> np.ndarray:
    return np.pad(tables, ((0, 0), (0, rows - tables.shape[1]), (0, columns - tables.shape[2])))
