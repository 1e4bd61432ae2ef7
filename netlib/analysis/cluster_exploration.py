"""Clusterings of one mouse, or of several pooled, over numbers of clusters and sets of sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.cluster_choice import KS, mouse_balance, silhouette
from netlib.analysis.clustering import cluster
from netlib.analysis.similarity import check_vectors, select_sessions

__all__ = ["Exploration", "explore"]


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
        As in :func:`netlib.analysis.clustering.cluster`.
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
