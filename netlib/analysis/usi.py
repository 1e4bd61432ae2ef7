"""Unexpected-event selectivity index (USI) of cells, and its null by relabelling trials.

The index and its published null: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.relabelling import packed_relabellings, unpacked
from netlib.analysis.resampling import blocks
from netlib.units import check_array, check_choice, check_integer, check_number

__all__ = ["OPERATORS", "UsiNull", "usi", "usi_null"]

OPERATORS = ("d-prime", "diff", "rel_diff", "ratio")
_NULL_VALUES = 4_000_000  # held at once, 32 MB
_TIE = 1e-9  # values closer than this, relative to 1 + |value|, are one value


def usi(responses: ArrayLike, unexpected: ArrayLike, operator: str = "d-prime") -> np.ndarray:
    """Selectivity of each ROI for unexpected over expected events.

    Parameters
    ----------
    responses : array_like, shape (trials, rois)
        Integrated response of each ROI to each event, any unit.
    unexpected : array_like of bool, shape (trials,)
        Which events were unexpected.
    operator : {"d-prime", "diff", "rel_diff", "ratio"}
        With means u, e and variances (ddof 0) of unexpected and expected:
        (u - e) / sqrt((var_u + var_e) / 2); u - e; (u - e) / (u + e); u / e.

    Returns
    -------
    ndarray, shape (rois,)
        NaN where the index is 0 / 0 (a ROI that never varies).

    Raises
    ------
    ValueError
        If a response is NaN, shapes differ, or one kind of event is missing.

    Examples
    --------
    >>> usi([[0.0], [2.0], [4.0], [6.0]], [False, False, True, True])
    array([4.])
    """
    x, label = _check(responses, unexpected)
    check_choice("operator", operator, OPERATORS)
    u, e = x[label], x[~label]
    return _operate(operator, u.mean(axis=0), e.mean(axis=0), u.var(axis=0) + e.var(axis=0))


@dataclass(frozen=True)
class UsiNull:
    """Indices of ROIs against their null.

    Attributes
    ----------
    value : ndarray, shape (rois,)
        Index of each ROI.
    percentile : ndarray, shape (rois,)
        Where it lies in its null, 0 to 100, ties counted half (the published convention).
    p_low, p_high : ndarray, shape (rois,)
        One-sided (b + 1) / (m + 1), b the null values at least as low, or high (Phipson & Smyth 2010,
        Stat Appl Genet Mol Biol 9:39): never 0.
    levels : ndarray, shape (k,)
        Levels of ``quantiles``, in [0, 1].
    quantiles : ndarray, shape (k, rois)
        Quantiles of the null.
    n_permutations : int
        Number of relabellings m.
    permutation : str
        Kind of relabelling.
    null : ndarray, shape (n_permutations, rois), or None
        The null itself, where asked.
    """

    value: np.ndarray
    percentile: np.ndarray
    p_low: np.ndarray
    p_high: np.ndarray
    levels: np.ndarray
    quantiles: np.ndarray
    n_permutations: int
    permutation: str
    null: np.ndarray | None = None

    @property
    def p(self) -> np.ndarray:
        """Two-sided p value of each ROI, twice the smaller side."""
        return np.minimum(1.0, 2 * np.minimum(self.p_low, self.p_high))

    def significant(self, alpha: float = 0.05, rule: str = "published") -> tuple[np.ndarray, np.ndarray]:
        """ROIs below and above their null (low, high), two-tailed at ``alpha``, no correction over ROIs.

        Parameters
        ----------
        alpha : float
            Level of both tails together.
        rule : {"published", "exact"}
            "published": percentile below 100 alpha / 2 or above 100 - 100 alpha / 2; "exact": one-sided
            (b + 1) / (m + 1) at most alpha / 2.
        """
        check_number("alpha", alpha, "", 0, 1, low_open=True, high_open=True)
        if check_choice("rule", rule, ("published", "exact")) == "published":
            return self.percentile < 50 * alpha, self.percentile > 100 - 50 * alpha
        return self.p_low <= alpha / 2, self.p_high <= alpha / 2


def usi_null(
    responses: ArrayLike,
    unexpected: ArrayLike,
    n_permutations: int = 10_000,
    *,
    seed: int | np.random.Generator = 0,
    permutation: str = "label",
    strata: ArrayLike | None = None,
    operator: str = "d-prime",
    quantiles: Sequence[float] = (0.025, 0.5, 0.975),
    keep_null: bool = False,
) -> UsiNull:
    """Index of each ROI against relabellings of the trials, the same relabellings for all ROIs.

    A matrix of relabellings (0 and 1) times the columns [z, z²] of standardised responses gives sums and sums of
    squares of one group; those of the other follow from the totals. Work goes by blocks of relabellings and of
    ROIs: memory is bounded whatever their number (about 32 MB of null at once, and one bit per label).

    Parameters
    ----------
    responses, unexpected, operator
        As in :func:`usi`. For "circular" and "block", trials in order of time.
    n_permutations : int
        Number of relabellings.
    seed : int or Generator
        Master seed, or a generator to draw from.
    permutation : {"label", "circular", "block"}
        Free shuffles of labels (published), or ones that keep runs of unexpected events whole: use them when
        responses of neighbouring trials are correlated (see :mod:`netlib.analysis.relabelling`).
    strata : array_like, shape (trials,), optional
        Relabel within each value only.
    quantiles : sequence of float
        Levels in [0, 1] at which to give quantiles of the null.
    keep_null : bool
        Keep the whole null, 8 bytes per relabelling and ROI.

    Returns
    -------
    UsiNull

    Raises
    ------
    ValueError
        As :func:`usi`, or if the labels allow fewer than 20 relabellings.
    """
    x, label = _check(responses, unexpected)
    check_choice("operator", operator, OPERATORS)
    n_permutations = check_integer("n_permutations", n_permutations, 1)
    levels = check_array("quantiles", quantiles, "", 0, 1, ndim=1)
    value = usi(x, label, operator)
    packed = packed_relabellings(label, n_permutations, seed, permutation, strata)
    n_rois = x.shape[1]
    below, above = np.empty(n_rois), np.empty(n_rois)
    edges = np.empty((len(levels), n_rois))
    kept = np.empty((n_permutations, n_rois)) if keep_null else None
    for rois in _roi_blocks(n_rois, n_permutations):
        null = _null(x[:, rois], packed, int(label.sum()), operator)
        tie = _TIE * (1 + np.nan_to_num(np.abs(value[rois]), posinf=0.0))
        below[rois] = np.mean(null < value[rois] - tie, axis=0)
        above[rois] = np.mean(null > value[rois] + tie, axis=0)
        edges[:, rois] = np.quantile(null, levels, axis=0)
        if kept is not None:
            kept[:, rois] = null
    undefined = np.isnan(value)
    below[undefined] = above[undefined] = np.nan
    low, high = ((m * n_permutations + 1) / (n_permutations + 1) for m in (1 - above, 1 - below))
    percentile = 50 * (below + 1 - above)
    return UsiNull(value, percentile, low, high, levels, edges, n_permutations, permutation, kept)


def _roi_blocks(n_rois: int, n_permutations: int) -> list[slice]:
    """Blocks of ROIs whose null fits in memory, wide enough for the matrix product and of even width."""
    widest = int(np.clip(_NULL_VALUES // n_permutations, 8, 256))
    width = -(-n_rois // -(-n_rois // widest))
    return list(blocks(n_rois, 1, width))


def _null(x: np.ndarray, packed: np.ndarray, n_true: int, operator: str) -> np.ndarray:
    """Null of some ROIs, shape (n_permutations, rois)."""
    n, rois = x.shape
    centre, scale = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / np.where(scale > 0, scale, 1.0)
    features = np.hstack([z, z * z])
    total = features.sum(axis=0)
    null = np.empty((len(packed), rois))
    for rows in blocks(len(packed), n):
        sums = unpacked(packed[rows], n).astype(float) @ features
        u, e = sums / n_true, (total - sums) / (n - n_true)
        spread = u[:, rois:] - u[:, :rois] ** 2 + e[:, rois:] - e[:, :rois] ** 2
        if operator == "d-prime":  # the same for standardised responses
            null[rows] = _operate(operator, u[:, :rois], e[:, :rois], spread)
        else:
            null[rows] = _operate(operator, centre + scale * u[:, :rois], centre + scale * e[:, :rois], spread)
    return null


def _operate(operator: str, u: np.ndarray, e: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Index from the means of both groups and the sum of their variances."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if operator == "d-prime":
            return (u - e) / np.sqrt(np.maximum(spread, 0) / 2)
        if operator == "diff":
            return u - e
        return (u - e) / (u + e) if operator == "rel_diff" else u / e


def _check(responses: ArrayLike, unexpected: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x = check_array("responses", responses, ndim=2)
    label = np.asarray(unexpected)
    if label.shape != (len(x),):
        raise ValueError(f"unexpected has shape {label.shape}: it must be ({len(x)},), one value per row of responses")
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"unexpected holds {label.dtype} values other than True and False")
    label = label.astype(bool)
    if label.all() or not label.any():
        raise ValueError(f"unexpected is {bool(label[0])} for all {len(x)} trials: the index needs both kinds")
    return x, label
