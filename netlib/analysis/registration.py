"""The same neurons over sessions: matching of aligned footprints, by overlap or by probability, and its quality.

Sessions are brought into one field, then matched one after the other to the union of the cells found so far
(Giovannucci et al. 2019, eLife 8:e38173) with the Hungarian method. In the table of registered neurons -1 is absent:
it is missing, never an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.footprint_alignment import align_sessions
from netlib.analysis.footprints import centroids
from netlib.analysis.registration_models import PairModel, fit_pair_model
from netlib.units import check_choice, check_number

__all__ = ["Registration", "match_pairs", "register_sessions"]

ABSENT = -1


@dataclass(frozen=True)
class Registration:
    """Neurons followed over sessions.

    Attributes
    ----------
    table : ndarray of int, shape (n_registered, n_sessions)
        Local index of each registered neuron in each session, -1 where absent; in order of first appearance.
    confidence : ndarray, shape (n_registered, n_sessions)
        1 - cost of the match (overlap), or the same-cell probability; 1 at the first appearance, NaN where absent.
    shifts : ndarray, shape (n_sessions, 2)
        (dx, dy) that carried each session into the field of the first (px).
    similarity : ndarray, shape (n_sessions,)
        Correlation of the aligned image with that of the sessions before.
    model : PairModel or None
        The mixture of the probabilistic methods.
    """

    table: np.ndarray
    confidence: np.ndarray
    shifts: np.ndarray
    similarity: np.ndarray
    model: PairModel | None = None


def register_sessions(
    sessions: Sequence[Any],
    shape: tuple[int, int] | None = None,
    *,
    method: str = "overlap",
    max_cost: float = 0.7,
    max_distance: float = 12.0,
    centroid_weight: float = 0.3,
    threshold: float = 0.5,
    min_probability: float = 0.5,
    update: str = "mean",
    align_by: str = "centres",
    patches: tuple[int, int] | None = None,
    max_shift: float | None = None,
) -> Registration:
    """Register the neurons of several sessions by their footprints.

    Parameters
    ----------
    sessions : sequence of arrays (n_cells, height, width), or sparse matrices (n_cells, height * width)
        Footprints of each session.
    shape : (int, int), optional
        Height and width of sparse footprints (px).
    method : {"overlap", "distance", "correlation"}
        "overlap": cost (1 - w)(1 - IoU) + w d / max_distance, with IoU the intersection over union of binarised
        footprints, d the distance of centroids, w = ``centroid_weight``. The others: probability that a pair is one
        cell from the distances of centroids or the correlations of footprints (:func:`fit_pair_model`).
    max_cost : float
        Matches of greater cost are undone ("overlap").
    max_distance : float
        Gate: centroids further apart (px) are never one cell.
    threshold : float
        A pixel belongs to the binarised footprint above this share of its peak.
    min_probability : float
        Matches of lower probability are undone ("distance", "correlation").
    update : {"mean", "last"}
        Footprint of a cell in the union after a match: mean of its footprints so far, or the last.
    align_by, patches, max_shift
        Alignment: :func:`netlib.analysis.footprint_alignment.align_sessions`.

    Raises
    ------
    ValueError
        If fields differ, a parameter is out of range, or there are too few pairs for the mixture.
    """
    check_choice("method", method, ("overlap", "distance", "correlation"))
    check_choice("update", update, ("mean", "last"))
    check_number("max_cost", max_cost, "", 0, 1)
    check_number("max_distance", max_distance, "px", 0, low_open=True)
    check_number("centroid_weight", centroid_weight, "", 0, 1)
    check_number("threshold", threshold, "", 0, 1, high_open=True)
    check_number("min_probability", min_probability, "", 0, 1)
    aligned, shape, shifts, similarity = align_sessions(
        sessions, shape, by=align_by, patches=patches, max_shift=max_shift
    )
    model = None if method == "overlap" else _fit_model(aligned, shape, method, max_distance)
    table = np.full((aligned[0].shape[0], len(aligned)), ABSENT)
    table[:, 0] = np.arange(len(table))
    confidence = np.where(table >= 0, 1.0, np.nan)
    union, seen = aligned[0], np.ones(len(table))
    for k, session in enumerate(aligned[1:], start=1):
        if model is None:
            gain = 1 - _overlap_cost(union, session, shape, max_distance, centroid_weight, threshold)
            least = 1 - max_cost
        else:
            gain, least = _probability(union, session, shape, model, max_distance), min_probability
        rows, columns = match_pairs(gain, least)
        new = np.setdiff1d(np.arange(session.shape[0]), columns)
        table, confidence = _grow(table, len(new)), _grow(confidence, len(new), np.nan)
        table[rows, k], confidence[rows, k] = columns, gain[rows, columns]
        table[len(table) - len(new) :, k], confidence[len(table) - len(new) :, k] = new, 1.0
        union, seen = _updated(union, seen, session, rows, columns, new, update)
    return Registration(table, confidence, shifts, similarity, model)


def match_pairs(gain: ArrayLike, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (rows, columns) of greatest total gain above ``least``, each row and column used once at most.

    By the Hungarian method on the gains less ``least``, those below it at 0: an impossible pair is never forced, and a
    poor one is not made to let another in.

    Examples
    --------
    >>> [index.tolist() for index in match_pairs([[0.9, 0.8], [0.85, 0.1]], 0.3)]
    [[0, 1], [1, 0]]
    """
    from scipy.optimize import linear_sum_assignment

    gain = np.asarray(gain, float)
    rows, columns = linear_sum_assignment(np.maximum(gain - least, 0), maximize=True)
    good = gain[rows, columns] >= least
    return rows[good], columns[good]


def _distances(union: Any, session: Any, shape: tuple[int, int]) -> np.ndarray:
    from scipy.spatial.distance import cdist

    d = cdist(centroids(union, shape), centroids(session, shape))
    return np.where(np.isfinite(d), d, np.inf)


def _binary(matrix: Any, threshold: float) -> Any:
    """Pixels above a share of the peak of each footprint, as 1."""
    peaks = matrix.max(axis=1).toarray().ravel() if matrix.shape[0] else np.zeros(0)
    binary = matrix.copy()
    binary.data = (matrix.data > threshold * np.repeat(peaks, np.diff(matrix.indptr))).astype(float)
    binary.eliminate_zeros()
    return binary


def _overlap_cost(
    union: Any, session: Any, shape: tuple[int, int], max_distance: float, weight: float, threshold: float
) -> np.ndarray:
    a, b = _binary(union, threshold), _binary(session, threshold)
    shared = (a @ b.T).toarray()
    either = np.asarray(a.sum(axis=1)).reshape(-1, 1) + np.asarray(b.sum(axis=1)).reshape(1, -1) - shared
    iou = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    distance = _distances(union, session, shape)
    cost = (1 - weight) * (1 - iou) + weight * np.minimum(distance / max_distance, 1)
    return np.where(distance <= max_distance, cost, np.inf)


def _correlations(union: Any, session: Any) -> np.ndarray:
    """Pearson correlations of footprints, from sparse products."""
    n = union.shape[1]
    means = [np.asarray(m.sum(axis=1)).ravel() / n for m in (union, session)]
    squares = [np.asarray(m.multiply(m).sum(axis=1)).ravel() / n for m in (union, session)]
    std = [np.sqrt(np.maximum(s - m**2, 0)) for s, m in zip(squares, means, strict=True)]
    scale = np.outer(*std)
    covariance = (union @ session.T).toarray() / n - np.outer(*means)
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _fit_model(aligned: list[Any], shape: tuple[int, int], method: str, max_distance: float) -> PairModel:
    """Mixture over the neighbours of all pairs of following sessions."""
    values = []
    for a, b in pairwise(aligned):
        distance = _distances(a, b, shape)
        measured = distance if method == "distance" else _correlations(a, b)
        values.append(measured[(distance <= max_distance) & (measured > (-1 if method == "distance" else 0))])
    return fit_pair_model(np.concatenate([np.zeros(0), *values]), method, max_distance)


def _probability(union: Any, session: Any, shape: tuple[int, int], model: PairModel, gate: float) -> np.ndarray:
    distance = _distances(union, session, shape)
    p = model.probability(distance if model.measure == "distance" else _correlations(union, session))
    return np.where(distance <= gate, p, 0.0)


def _grow(table: np.ndarray, n: int, fill: float = ABSENT) -> np.ndarray:
    return np.vstack([table, np.full((n, table.shape[1]), fill, table.dtype)])


def _updated(
    union: Any, seen: np.ndarray, session: Any, rows: np.ndarray, columns: np.ndarray, new: np.ndarray, update: str
) -> tuple[Any, np.ndarray]:
    from scipy.sparse import csr_array, diags_array, vstack

    n = union.shape[0]
    keep, take = np.ones(n), np.zeros(n)
    keep[rows] = seen[rows] / (seen[rows] + 1) if update == "mean" else 0.0
    take[rows] = 1 - keep[rows]
    where = np.zeros(n, int)
    where[rows] = columns
    grown = diags_array(keep) @ union
    if len(rows):
        grown = grown + diags_array(take) @ session[where]
    seen = seen.copy()
    seen[rows] += 1
    parts = [csr_array(grown), session[new]] if len(new) else [csr_array(grown)]
    return vstack(parts, format="csr"), np.concatenate([seen, np.ones(len(new))])
