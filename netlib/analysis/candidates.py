"""Neurons of one session that are not registered ("candidates"), given to the clusters of those that are.

The published code gives each the nearest centre of the last mouse only, and never refuses. Here centres are pooled over
all mice, or a Bernoulli mixture gives the probability of each cluster, and what fits none is "unassigned" (-1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.similarity import check_vectors, select_sessions
from netlib.units import check_choice, check_integer, check_number

__all__ = ["CandidateModel", "fit_candidates"]

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
    distance, joint = _distance(x[:, None], centres[None]), _log_likelihood(x, p) + log_prior
    # Each member against its cluster without it.
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
