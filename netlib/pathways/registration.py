"""The same neurons over sessions, from their footprints: alignment, matching, and how good the result is.

A footprint says how much of each pixel belongs to a neuron. A session's footprints are held as one sparse matrix, a row
per neuron and a column per pixel (row by row of the image), so that a hundred neurons of 64,000 pixels take a few
megabytes. Sessions are brought into one field, then matched one after the other to the union of the cells found so far
(Giovannucci et al. 2019, eLife 8:e38173) with the Hungarian method, by overlap or by the probability that two
footprints are one cell.

That probability is of Sheintuch, Rubin, Brande-Eilat, Geva, Sadeh, Pinchasof & Ziv 2017, Cell Rep 21:1102 (CellReg):
over all pairs of neighbours in two sessions, the distance of centroids (or the correlation of footprints) is a mixture
of pairs that are one cell and pairs that are two; its parts, fitted to the data themselves, say how probable each pair
is. The published curve of pairs of one cell is log-normal. Its tail is too heavy where each cell moves by a Gaussian
step: there it takes neighbours for one cell. The curve here is Weibull's, which holds that case (distances are then
Rayleigh distributed). On cells that move by 1.5 px, of which 540 were the same, its probabilities of distances sum to
544 (the log-normal curve's to 707), and those of correlations to 661 (722): distances are the measure to trust.

In the table of registered neurons -1 is absent: it is missing, never an index. (The published code read 0, absent, as
an index of -1 and so gave a missing neuron the answers of the last one.) Values are taken along a table by
:func:`pick`, which leaves NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number

__all__ = [
    "PairModel",
    "Registration",
    "RegistrationQuality",
    "align_sessions",
    "centre_image",
    "centroids",
    "check_registration",
    "fit_pair_model",
    "follow_matrix",
    "image_shift",
    "match_pairs",
    "pick",
    "quality",
    "register_sessions",
    "registration_scores",
    "shift_footprints",
    "sparse_footprints",
    "summed_image",
]

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
        Alignment: :func:`align_sessions`.

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


# ---------------------------------------------------------------- same-cell probability


LEAST_PAIRS = 30


@dataclass(frozen=True)
class PairModel:
    """Two-component mixture of a measure of pairs of footprints.

    Attributes
    ----------
    measure : {"distance", "correlation"}
        Distance of centroids (px), or correlation of footprints.
    weight : float
        Share of the pairs that are one cell.
    same, different : tuple of float
        Parameters of the parts. Distance: Weibull (log of the scale, 1 / shape), against a rise in proportion to the
        distance times a logistic curve (centre, width), as two cells exclude each other. Correlation r: the same of
        1 - r, against a beta density (a, 1 + b) of r.
    maximum : float
        Greatest distance of the pairs that were fitted (px); 1 for correlations.
    n_pairs : int
        Pairs fitted.
    log_likelihood : float
    converged : bool
    """

    measure: str
    weight: float
    same: tuple[float, float]
    different: tuple[float, float]
    maximum: float
    n_pairs: int
    log_likelihood: float
    converged: bool

    def densities(self, values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Density of same and of different pairs at values of the measure (for a figure, or a test)."""
        parts = _distance_parts if self.measure == "distance" else _correlation_parts
        return parts(np.asarray(values, float), np.array([*self.same, *self.different]), self.maximum)

    def probability(self, values: ArrayLike) -> np.ndarray:
        """Probability that pairs are one cell; 0 beyond the fitted range (too far, or not overlapping).

        It is made to fall from the most alike pairs to the least, where the tails of the fitted parts would cross.
        """
        values = np.asarray(values, float)
        apart = values if self.measure == "distance" else 1 - values
        grid = np.concatenate([[0.0], np.geomspace(1e-4, 1, 2000)]) * self.maximum
        same, different = self.densities(grid if self.measure == "distance" else 1 - grid)
        same, different = self.weight * same, (1 - self.weight) * different
        p = np.divide(same, same + different, out=np.zeros_like(same), where=same + different > 0)
        peak = same.argmax() + 1
        p[:peak] = p[:peak].max()
        found = np.interp(apart, grid, np.minimum.accumulate(p))
        return np.where(apart <= self.maximum if self.measure == "distance" else values > 0, found, 0.0)


def fit_pair_model(values: ArrayLike, measure: str = "distance", maximum: float | None = None) -> PairModel:
    """Fit the mixture of same and different pairs by maximum likelihood.

    Parameters
    ----------
    values : array_like, shape (n_pairs,)
        Measure of all pairs of neighbours of two sessions (of all pairs of sessions): distances of centroids up to
        ``maximum`` (px), or correlations of footprints above 0.
    measure : {"distance", "correlation"}
    maximum : float, optional
        Greatest distance (px); by default that of the values.

    Raises
    ------
    ValueError
        With fewer than 30 pairs, or values out of range.
    """
    from scipy.optimize import minimize

    check_choice("measure", measure, ("distance", "correlation"))
    x = check_array("values", values, "px" if measure == "distance" else "", 0, ndim=1)
    if len(x) < LEAST_PAIRS:
        raise ValueError(f"values holds {len(x)} pairs: a mixture needs at least {LEAST_PAIRS}; use method='overlap'")
    if measure == "distance":
        maximum = check_number("maximum", float(x.max()) if maximum is None else maximum, "px", 0, low_open=True)
        x, parts = np.maximum(x[x <= maximum], 1e-3), _distance_parts
    else:
        maximum, x, parts = 1.0, np.clip(x, 1e-4, 1 - 1e-4), _correlation_parts
    starts = [_start(x, share, measure, maximum) for share in (0.2, 0.35, 0.5, 0.65)]

    def cost(theta: np.ndarray) -> float:
        weight = 1 / (1 + np.exp(-theta[0]))
        same, different = parts(x, np.array([theta[1], *np.exp(theta[2:])]), maximum)
        with np.errstate(divide="ignore"):
            value = -np.log(weight * same + (1 - weight) * different).mean()
        penalty = 0.01 * np.sum(theta[2:] ** 2) + theta[0] ** 2 / 8  # a faint prior: keeps off empty or endless parts
        return float(value + penalty / len(x)) if np.isfinite(value) else 1e6

    best = None
    for first in starts:
        fit = minimize(cost, first, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-4, "fatol": 1e-8})
        best = fit if best is None or fit.fun < best.fun else best
    weight, (a, b) = 1 / (1 + np.exp(-best.x[0])), np.exp(best.x[3:])
    same = (float(best.x[1]), float(np.exp(best.x[2])))
    return PairModel(
        measure,
        float(weight),
        same,
        (float(a), float(b)),
        maximum,
        len(x),
        float(-best.fun * len(x)),
        bool(best.success),
    )


def _start(x: np.ndarray, share: float, measure: str, maximum: float) -> np.ndarray:
    """Parameters to start from, as if the nearest ``share`` of the pairs were the same cells."""
    near = np.sort(x if measure == "distance" else 1 - x)
    cut = max(2, round(share * len(x)))
    logs, rest = np.log(near[:cut]), near[cut:]
    if measure == "distance":
        different = (float(near[cut]), 0.1 * maximum)
    else:
        mean, variance = 1 - rest.mean(), max(rest.var(), 1e-4)
        total = max(mean * (1 - mean) / variance - 1, 2.0)
        different = (mean * total, max((1 - mean) * total - 1, 0.2))
    positive = np.maximum([logs.std(), *different], 1e-2)
    return np.array([np.log(share / (1 - share)), logs.mean(), *np.log(positive)])


def _weibull(x: np.ndarray, mu: float, sigma: float, maximum: float) -> np.ndarray:
    """Density on (0, maximum) of a Weibull variable with the scale exp(mu) and the shape 1 / sigma."""
    x = np.maximum(x, 1e-6)
    z = (np.log(x) - mu) / sigma
    density = np.exp(np.maximum(z - np.exp(np.minimum(z, 50)), -700)) / (x * sigma)
    return density / max(-np.expm1(-np.exp(min((np.log(maximum) - mu) / sigma, 50))), 1e-12)


def _distance_parts(x: np.ndarray, theta: np.ndarray, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    mu, sigma, centre, width = theta
    grid = (np.arange(400) + 0.5) * maximum / 400

    def rise(d: np.ndarray) -> np.ndarray:
        return d / (1 + np.exp(np.clip((centre - d) / width, -500, 500)))

    total = rise(grid).sum() * maximum / 400
    return _weibull(x, mu, sigma, maximum), rise(x) / max(total, 1e-300)


def _correlation_parts(x: np.ndarray, theta: np.ndarray, maximum: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.special import betaln

    mu, sigma, a, b = theta
    b = 1 + b  # never a peak at r = 1, which is the same cells'
    inside = np.clip(x, 1e-4, 1 - 1e-4)
    log_beta = (a - 1) * np.log(inside) + (b - 1) * np.log1p(-inside) - betaln(a, b)
    return _weibull(1 - inside, mu, sigma, maximum), np.exp(np.clip(log_beta, -700, 700))


# ---------------------------------------------------------------- footprints


Shape = tuple[int, int]


def sparse_footprints(footprints: Any, shape: Shape | None = None) -> tuple[Any, Shape]:
    """Footprints as a sparse matrix (n_cells, height * width), and the shape (height, width) of the field.

    Parameters
    ----------
    footprints : array (n_cells, height, width), or sparse matrix (n_cells, height * width)
        Not negative; a sparse matrix needs ``shape``.
    shape : (int, int), optional
        Height and width (px).

    Raises
    ------
    ValueError
        If a value is negative or NaN, or if the shapes do not agree.

    Examples
    --------
    >>> matrix, shape = sparse_footprints(np.eye(4).reshape(4, 2, 2))
    >>> matrix.shape, shape
    ((4, 4), (2, 2))
    """
    from scipy.sparse import csr_array, issparse

    if issparse(footprints):
        matrix = csr_array(footprints, dtype=float)
    else:
        images = np.asarray(footprints, float)
        if images.ndim != 3:
            raise ValueError(f"footprints has shape {images.shape}: it must be (n_cells, height, width) or sparse")
        if shape is not None and tuple(shape) != images.shape[1:]:
            raise ValueError(f"footprints have a field of {images.shape[1:]} px: it must be {tuple(shape)} px")
        shape = images.shape[1:]
        matrix = csr_array(images.reshape(len(images), int(np.prod(images.shape[1:]))))
    if shape is None or len(shape) != 2:
        raise ValueError(f"shape = {shape}: a sparse matrix of footprints needs (height, width) in px")
    height, width = (check_integer("shape", s, 1, unit="px") for s in shape)
    if matrix.shape[1] != height * width:
        raise ValueError(f"footprints have {matrix.shape[1]} pixels: {height} x {width} px must be {height * width}")
    if matrix.nnz and not (np.isfinite(matrix.data).all() and matrix.data.min() >= 0):
        raise ValueError("footprints hold negative values, NaN or infinities: they must be weights of 0 or more")
    matrix.eliminate_zeros()
    return matrix, (height, width)


def centroids(
    footprints: Any, shape: Shape | None = None, *, weighted: bool = True, threshold: float = 0.0, flip_y: bool = False
) -> np.ndarray:
    """Centre of every footprint (px): columns x (image column) and y (image row).

    Parameters
    ----------
    footprints, shape
        As :func:`sparse_footprints` takes them.
    weighted : bool
        Weight pixels by their value (default), or count those above the threshold alike (published).
    threshold : float
        Pixels at or below it are left out; 0.05 as published.
    flip_y : bool
        y = height - row, upwards, as published.

    Returns
    -------
    ndarray, shape (n_cells, 2)
        NaN for a footprint without a pixel above the threshold.

    Examples
    --------
    >>> image = np.zeros((1, 200, 320))
    >>> image[0, 10, 30], image[0, 10, 31] = 0.75, 0.25
    >>> centroids(image).tolist(), centroids(image, weighted=False, threshold=0.05, flip_y=True).tolist()
    ([[30.25, 10.0]], [[30.5, 190.0]])
    """
    check_number("threshold", threshold, "", 0)
    matrix, (height, width) = sparse_footprints(footprints, shape)
    entries = matrix.tocoo()
    keep = entries.data > threshold
    cell, pixel = entries.row[keep], entries.col[keep]
    weight = entries.data[keep] if weighted else np.ones(int(keep.sum()))
    y, x = np.divmod(pixel, width)
    total = np.bincount(cell, weight, matrix.shape[0])
    with np.errstate(invalid="ignore"):
        found = np.stack([np.bincount(cell, weight * v, matrix.shape[0]) / total for v in (x, y)], axis=1)
    if flip_y:
        found[:, 1] = height - found[:, 1]
    return found


def summed_image(matrix: Any, shape: Shape) -> np.ndarray:
    """Sum of footprints (height, width), each scaled to a peak of 1 so that none dominates."""
    peaks = matrix.max(axis=1).toarray().ravel() if matrix.shape[0] else np.zeros(0)
    scale = np.divide(1.0, peaks, out=np.zeros_like(peaks), where=peaks > 0)
    return np.asarray(matrix.T @ scale).reshape(shape)


def centre_image(matrix: Any, shape: Shape, width: float = 2.0) -> np.ndarray:
    """Image (height, width) with one spot of the same size, a Gaussian of ``width`` px, at the centre of each cell."""
    from scipy.ndimage import gaussian_filter

    image, xy = np.zeros(shape), centroids(matrix, shape)
    x, y = np.round(xy[np.isfinite(xy).all(axis=1)]).astype(int).T
    np.add.at(image, (np.clip(y, 0, shape[0] - 1), np.clip(x, 0, shape[1] - 1)), 1.0)
    return gaussian_filter(image, width)


def shift_footprints(matrix: Any, shape: Shape, shifts: ArrayLike) -> Any:
    """Footprints moved by (dx, dy) px, one shift for all or one for each; what leaves the field is cut.

    A shift that is not whole spreads each pixel over its four neighbours (bilinear), within the sparse matrix.

    Examples
    --------
    >>> matrix, shape = sparse_footprints(np.eye(4)[:1].reshape(1, 2, 2))
    >>> shift_footprints(matrix, shape, (0.25, 0.0)).toarray()
    array([[0.75, 0.25, 0.  , 0.  ]])
    """
    from scipy.sparse import coo_array

    height, width = shape
    n = matrix.shape[0]
    shifts = np.broadcast_to(np.asarray(shifts, float), (n, 2))
    entries = matrix.tocoo()
    y, x = np.divmod(entries.col, width)
    whole = np.floor(shifts)
    part = shifts - whole
    cells, pixels, values = [], [], []
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            to_x = x + (whole[entries.row, 0] + dx).astype(int)
            to_y = y + (whole[entries.row, 1] + dy).astype(int)
            value = entries.data * share[entries.row]
            keep = (to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height) & (value > 0)
            cells.append(entries.row[keep])
            pixels.append((to_y * width + to_x)[keep])
            values.append(value[keep])
    where = (np.concatenate(cells), np.concatenate(pixels))
    return coo_array((np.concatenate(values), where), shape=matrix.shape).tocsr()


# ---------------------------------------------------------------- alignment


def image_shift(reference: np.ndarray, moving: np.ndarray, *, upsample: int = 10, phase: bool = False) -> np.ndarray:
    """Shift (dx, dy) in px that carries ``moving`` onto ``reference``.

    Parameters
    ----------
    reference, moving : ndarray, shape (height, width)
        Images of two sessions.
    upsample : int
        The shift is found to 1 / upsample px.
    phase : bool
        Phase correlation (spectrum whitened); else cross-correlation. Both by
        :func:`skimage.registration.phase_cross_correlation`.
    """
    from skimage.registration import phase_cross_correlation

    if not (reference.any() and moving.any()):
        return np.zeros(2)
    centred = [image - image.mean() for image in (reference, moving)]
    shift, *_ = phase_cross_correlation(*centred, upsample_factor=upsample, normalization="phase" if phase else None)
    return np.asarray(shift, float)[::-1]


def align_sessions(
    sessions: Sequence[Any],
    shape: Shape | None = None,
    *,
    by: str = "centres",
    patches: tuple[int, int] | None = None,
    max_shift: float | None = None,
) -> tuple[list[Any], Shape, np.ndarray, np.ndarray]:
    """Bring the footprints of all sessions into the field of the first, one session after the other.

    Each session is aligned to the sum of the images of those before it, which holds most of its cells even when few of
    the first session's are left.

    Parameters
    ----------
    sessions : sequence of footprints
        As :func:`sparse_footprints` takes them; a session may be without neurons.
    by : {"centres", "sum", "phase"}
        Images correlated: spots at the centres of the cells, or sums of footprints, or the latter with their spectra
        whitened (phase correlation). Phase correlation is the most exact (0.1 px) where footprints repeat exactly, but
        is lost where each cell moves by its own 1.5 px; centres stay within 0.7 px there, for any size of footprint.
    patches : (int, int), optional
        Rows and columns of patches of the field that are aligned again, each by itself, after the rigid shift (for
        fields that stretch); the shift of a neuron is interpolated between the centres of the patches.
    max_shift : float, optional
        Refuse a rigid shift beyond it (px).

    Returns
    -------
    aligned : list of sparse matrices
    shape : (int, int)
    shifts : ndarray, shape (n_sessions, 2)
        Rigid shift (dx, dy) applied (px).
    similarity : ndarray, shape (n_sessions,)
        Correlation of the aligned image with that of the sessions before; 1 for the first, NaN if empty.

    Raises
    ------
    ValueError
        If fields differ in size or a shift exceeds ``max_shift``.
    """
    make = _IMAGES[check_choice("by", by, _IMAGES)]
    phase, matrices = by == "phase", []
    for k, session in enumerate(sessions):
        try:
            matrix, shape = sparse_footprints(session, shape)
        except ValueError as error:
            raise ValueError(f"sessions[{k}]: {error}") from error
        matrices.append(matrix)
    if not matrices:
        raise ValueError("sessions is empty: there must be at least one")
    aligned, shifts = [matrices[0]], np.zeros((len(matrices), 2))
    total, similarity = make(matrices[0], shape), np.ones(len(matrices))
    for k, matrix in enumerate(matrices[1:], start=1):
        shifts[k] = image_shift(total, make(matrix, shape), phase=phase)
        if max_shift is not None and np.hypot(*shifts[k]) > max_shift:
            raise ValueError(
                f"sessions[{k}] is shifted by {shifts[k].tolist()} px: more than max_shift = {max_shift:g} px"
            )
        moved = shift_footprints(matrix, shape, shifts[k])
        if patches is not None and moved.nnz and total.any():
            moved = shift_footprints(
                matrix, shape, shifts[k] + _patch_shifts(total, make(moved, shape), moved, shape, patches)
            )
        image = make(moved, shape)
        varied = image.std() > 0 and total.std() > 0
        similarity[k] = np.corrcoef(total.ravel(), image.ravel())[0, 1] if varied else np.nan
        total = total + image
        aligned.append(moved)
    return aligned, tuple(shape), shifts, similarity


_IMAGES = {"centres": centre_image, "sum": summed_image, "phase": summed_image}


def _patch_shifts(
    total: np.ndarray, image: np.ndarray, moved: Any, shape: Shape, patches: tuple[int, int]
) -> np.ndarray:
    """Residual shift (n_cells, 2) of each neuron, interpolated between patches that overlap by half."""
    from scipy.interpolate import RegularGridInterpolator

    if min(patches) < 2:
        raise ValueError(f"patches = {patches}: there must be at least 2 rows and 2 columns of them")
    sizes = [n / p for n, p in zip(shape, patches, strict=True)]
    centres = [(np.arange(p) + 0.5) * size for p, size in zip(patches, sizes, strict=True)]
    residual = np.zeros((*patches, 2))
    for i, cy in enumerate(centres[0]):
        for j, cx in enumerate(centres[1]):
            rows = slice(max(0, int(cy - 0.75 * sizes[0])), int(cy + 0.75 * sizes[0]))
            columns = slice(max(0, int(cx - 0.75 * sizes[1])), int(cx + 0.75 * sizes[1]))
            found = image_shift(total[rows, columns], image[rows, columns])
            residual[i, j] = found if np.hypot(*found) < 0.25 * min(sizes) else 0.0
    where = np.nan_to_num(centroids(moved, shape))[:, ::-1]
    where = np.clip(where, [c[0] for c in centres], [c[-1] for c in centres])
    return RegularGridInterpolator(centres, residual)(where)


# ---------------------------------------------------------------- quality


#: Published bins of the number of sessions, of eight.
COUNT_BINS = ((0, 1), (2, 3), (4, 4), (5, 6), (7, 8))


def check_registration(table: ArrayLike, n_cells: Sequence[int] | None = None) -> np.ndarray:
    """Return a table (n_registered, n_sessions) of local indices with -1 for absent, or raise an error.

    Raises
    ------
    ValueError
        If a value is not whole, below -1, NaN, beyond ``n_cells`` or used twice in a session.

    Examples
    --------
    >>> check_registration([[0, -1], [0, 2]])
    Traceback (most recent call last):
    ...
    ValueError: table, session 1: neuron 0 is registered 2 times: it can be one registered neuron only
    """
    raw = np.asarray(table, float)
    if raw.ndim != 2 or not raw.shape[1]:
        raise ValueError(f"table has shape {raw.shape}: it must be (n_registered, n_sessions)")
    bad = ~((raw >= -1) & (raw == np.round(raw)))
    if n_cells is not None:
        bad |= raw >= np.asarray(n_cells)[None, :]
    if bad.any():
        i, j = np.argwhere(bad)[0]
        most = "" if n_cells is None else f" to {n_cells[j] - 1}"
        raise ValueError(
            f"table[{i}, {j}] = {raw[i, j]:g}: it must be a local index from 0{most}, or -1 where the neuron is absent"
        )
    index = raw.astype(np.int64)
    for j, column in enumerate(index.T):
        used, times = np.unique(column[column >= 0], return_counts=True)
        if (times > 1).any():
            raise ValueError(
                f"table, session {j + 1}: neuron {used[times > 1][0]} is registered {times.max()} times: "
                "it can be one registered neuron only"
            )
    return index


def pick(values: ArrayLike, column: ArrayLike) -> np.ndarray:
    """Values (n_cells, ...) of one session for the registered neurons (n_registered, ...); NaN where absent.

    Examples
    --------
    >>> pick([10.0, 20.0], [1, -1, 0])
    array([20., nan, 10.])
    """
    values = np.asarray(values, float)
    index = check_registration(np.asarray(column).reshape(-1, 1), [len(values)])[:, 0]
    out = np.full((len(index), *values.shape[1:]), np.nan)
    out[index >= 0] = values[index[index >= 0]]
    return out


def follow_matrix(table: ArrayLike) -> np.ndarray:
    """Share of the neurons of one session (row) that are found in another (column); NaN for an empty session.

    Above the diagonal, row before column, it is the published matrix: present in both over present in the earlier.

    Examples
    --------
    >>> follow_matrix([[0, 0], [1, -1]])
    array([[1. , 0.5],
           [1. , 1. ]])
    """
    present = (check_registration(table) >= 0).astype(float)
    both, n = present.T @ present, present.sum(axis=0)
    return np.divide(both, n[:, None], out=np.full(both.shape, np.nan), where=n[:, None] > 0)


def registration_scores(table: ArrayLike, identities: Sequence[ArrayLike]) -> dict[str, float]:
    """Precision, recall and F1 of a registration whose truth is known, over all pairs of neurons of two sessions.

    Parameters
    ----------
    table : array_like of int, shape (n_registered, n_sessions)
    identities : sequence of arrays
        True identity of every neuron of each session (an identity once per session).

    Examples
    --------
    >>> registration_scores([[0, 0], [1, 1], [2, -1]], [[7, 8, 9], [7, 9]])["f1"]
    0.5
    """
    index = check_registration(table, [len(i) for i in identities])
    rows, cells = [], []
    for j, known in enumerate(identities):
        found = np.flatnonzero(index[:, j] >= 0)
        rows.append(found)
        cells.append(np.asarray(known)[index[found, j]])
    pairs = pd.DataFrame({"row": np.concatenate(rows), "cell": np.concatenate(cells)})

    def count(sizes: pd.Series) -> int:
        return int((sizes * (sizes - 1) // 2).sum())

    hit, claimed = count(pairs.value_counts()), count(pairs["row"].value_counts())
    true = count(pd.Series(np.concatenate([np.unique(i) for i in identities])).value_counts())
    precision, recall = hit / claimed if claimed else np.nan, hit / true if true else np.nan
    f1 = 2 * hit / (claimed + true) if claimed + true else np.nan
    return {"precision": precision, "recall": recall, "f1": f1, "true_pairs": true, "found_pairs": claimed}


@dataclass(frozen=True)
class RegistrationQuality:
    """Report on a registration.

    Attributes
    ----------
    sessions_per_neuron : ndarray of int, shape (n_registered,)
    fraction_bins : Series
        Registered neurons by the fraction of sessions they are found in: 0-20, ..., 80-100 % (upper end included).
    count_bins : Series or None
        The published bins 0-1, 2-3, 4, 5-6, 7-8 of eight sessions; None for another number of sessions.
    neurons_per_session : ndarray of int, shape (n_sessions,)
    follow : ndarray, shape (n_sessions, n_sessions)
        :func:`follow_matrix`.
    scores : dict or None
        :func:`registration_scores`, if the truth is known.
    """

    sessions_per_neuron: np.ndarray
    fraction_bins: pd.Series
    count_bins: pd.Series | None
    neurons_per_session: np.ndarray
    follow: np.ndarray
    scores: dict[str, float] | None


def quality(table: ArrayLike, identities: Sequence[ArrayLike] | None = None) -> RegistrationQuality:
    """Report on a registration (n_registered, n_sessions), against the truth if it is known.

    Examples
    --------
    >>> quality([[0, 0, 0, 0], [1, -1, -1, -1]]).fraction_bins.to_dict()
    {'0-20 %': 0, '20-40 %': 1, '40-60 %': 0, '60-80 %': 0, '80-100 %': 1}
    """
    index = check_registration(table)
    present = index >= 0
    n, of = present.sum(axis=1), index.shape[1]
    names = [f"{20 * b}-{20 * b + 20} %" for b in range(5)]
    which = np.clip(np.ceil(5 * n / of - 1e-9).astype(int) - 1, 0, 4)
    fractions = pd.Series(np.bincount(which, minlength=5), index=names)
    counts = None
    if of == 8:
        label = [f"{a}-{b}" if a != b else f"{a}" for a, b in COUNT_BINS]
        counts = pd.Series([int(((n >= a) & (n <= b)).sum()) for a, b in COUNT_BINS], index=label)
    scores = None if identities is None else registration_scores(index, identities)
    return RegistrationQuality(n, fractions, counts, present.sum(axis=0), follow_matrix(index), scores)
