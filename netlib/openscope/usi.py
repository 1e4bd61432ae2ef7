"""Unexpected-event selectivity index (USI) of cells: its null by relabelling trials, and the same ROIs over sessions.

The index, its published null, and correlations, sizes and spreads of the indices of tracked ROIs: Gillon, Pina et al.
2024, J Neurosci 44(5) e1009232023, Figures 4 and 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.openscope.events import split_responses
from netlib.openscope.parameters import IdxPar, Parameters, StimPar, by_mouse
from netlib.openscope.responses import check_trials
from netlib.openscope.session import Session
from netlib.statistics.permutation import PermutationResult, permutation_result
from netlib.statistics.resampling import (
    blocks,
    bootstrap_std,
    bootstrap_values,
    correlation,
    generator,
    packed_relabellings,
    strata_indices,
    unpacked,
)

__all__ = [
    "OPERATORS",
    "CorrelationResult",
    "Indices",
    "UsiNull",
    "mean_abs_sem",
    "null_of",
    "pairing_density",
    "roi_indices",
    "tracked_correlation",
    "tracked_indices",
    "usi",
    "usi_null",
    "variance_std",
]

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
        responses of neighbouring trials are correlated (see :mod:`netlib.statistics.resampling`).
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
    return x, check_trials("unexpected", unexpected, len(x))


# ---------------------------------------------------------------- indices of sessions


class Indices(NamedTuple):
    """USI of each ROI (rois,) and the numbers of these ROIs in the session (rois,)."""

    values: np.ndarray
    rois: np.ndarray


def roi_indices(session: Session, stimpar: StimPar, idxpar: IdxPar, scale: bool = True) -> Indices:
    """USI of each ROI of a session; ROIs that never vary, or hold a NaN, are left out."""
    found = split_responses(session, stimpar, idxpar.feature, scale)
    values = usi(found.values, found.unexpected, idxpar.op)
    good = np.isfinite(values)
    if not good.any():
        raise ValueError(f"no ROI of {session} has a {idxpar.op}: they do not vary")
    return Indices(values[good], found.rois[good])


def tracked_indices(
    sessions: Sequence[Session], stimpar: StimPar, idxpar: IdxPar, scale: bool = True
) -> dict[tuple[int, int], np.ndarray]:
    """USIs by (mouse, session number), of a mouse the same ROIs in the same order in each of its sessions.

    Sessions must show tracked ROIs only (``session.tracked_only``).
    """
    found = {}
    for mouse, numbers in by_mouse(sessions).items():
        each = {n: roi_indices(session, stimpar, idxpar, scale) for n, session in numbers.items()}
        good = reduce(np.intersect1d, (one.rois for one in each.values()))
        if not good.size:
            raise ValueError(f"mouse {mouse} has no tracked ROI with an index in each of the sessions {list(each)}")
        found |= {(mouse, n): one.values[np.isin(one.rois, good)] for n, one in each.items()}
    return found


def null_of(
    session: Session, parameters: Parameters, seed: int, *, keep_null: bool = False
) -> tuple[UsiNull, np.ndarray]:
    """USIs of a session against shuffled labels, and the numbers of the ROIs; ROIs without an index are left out."""
    idxpar, n_perms = parameters.idxpar, parameters.permpar.n_perms
    found = split_responses(session, parameters.stimpar, idxpar.feature, parameters.analyspar.scale)
    varies = np.isfinite(usi(found.values, found.unexpected, idxpar.op))
    rng = stream(seed, "usi null", str(session.metadata.sessid))
    null = usi_null(
        found.values[:, varies], found.unexpected, n_perms, seed=rng, operator=idxpar.op, keep_null=keep_null
    )
    return null, found.rois[varies]


# ---------------------------------------------------------------- tracked ROIs over sessions


def mean_abs_sem(values: ArrayLike) -> tuple[float, float]:
    """Mean of |values| and its standard error (ddof 1) over ROIs.

    Examples
    --------
    >>> mean_abs_sem([-1.0, 3.0])
    (2.0, 1.0)
    """
    x = np.abs(check_array("values", values, ndim=1))
    return float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")


def variance_std(
    values: ArrayLike, n_resamples: int = 10_000, seed: int | np.random.Generator = 0
) -> tuple[float, float]:
    """Variance of values over ROIs (ddof 0, as published) and its bootstrapped standard deviation."""
    x = check_array("values", values, ndim=1)
    return float(x.var()), bootstrap_std(x, "variance", n_resamples, seed)


@dataclass(frozen=True)
class CorrelationResult:
    """Correlation over sessions: ``r`` (normalised where asked), bootstrapped ``std``, ``n``, and its ``test``."""

    r: float
    std: float
    n: int
    test: PermutationResult


def tracked_correlation(
    x: ArrayLike,
    y: ArrayLike,
    *,
    permute: str = "tracking",
    kind: str = "r",
    mice: ArrayLike | None = None,
    n_permutations: int = 10_000,
    n_resamples: int = 10_000,
    seed: int = 0,
    tails: int | str = "lo",
    alpha: float = 0.05,
    multcomp: int = 1,
) -> CorrelationResult:
    """Correlation of the indices of tracked ROIs between two sessions, against a null.

    Parameters
    ----------
    x, y : array_like, shape (rois,)
        Index in the earlier and the later session, the same ROIs in the same order.
    permute : {"tracking", "sess"}
        "tracking": r(x, y), identities of ROIs shuffled between sessions. "sess": r(x, y - x), each ROI's two
        sessions swapped or not; as x is in both sides this null is not centred on 0, so r is rescaled to put the
        null's median at 0 and keep -1 and 1: (r - median) / abs(±1 - median).
    kind : {"r", "r_squared"}
        Pearson r, or its square (use ``tails="hi"``).
    mice : array_like, shape (rois,), optional
        Shuffle identities within each mouse only. The published null does not: differences between mice then count
        as correlation.
    n_permutations, n_resamples : int
        Size of the null and of the bootstrap (pairs are resampled).
    seed : int
        Master seed.
    tails, alpha, multcomp
        As in :func:`netlib.statistics.permutation.permutation_result`; published: "lo", 8 comparisons.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 3 ROIs or one session does not vary.
    """
    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=1)
    if len(x) != len(y) or len(x) < 3:
        raise ValueError(f"x has {len(x)} ROIs and y {len(y)}: they must be equal, at least 3")
    check_choice("kind", kind, ("r", "r_squared"))
    by_session = check_choice("permute", permute, ("tracking", "sess")) == "sess"
    if by_session and mice is not None:
        raise ValueError("mice = ... has no effect with permute = 'sess': swaps never leave the ROI")
    n_permutations = check_integer("n_permutations", n_permutations, 1)
    rng = generator(seed, "tracked null", permute)
    null = _swap_null(x, y, n_permutations, rng) if by_session else _shuffle_null(x, y, mice, n_permutations, rng)
    pair = (x, y - x) if by_session else (x, y)
    r = float(correlation(*pair))
    if np.isnan(r) or np.isnan(null).any():
        raise ValueError("x or y does not vary over ROIs: there is no correlation")
    resampled = bootstrap_values(pair, "correlation", n_resamples, generator(seed, "tracked bootstrap"))
    values = [np.atleast_1d(r), null, resampled]
    if by_session:
        median = float(np.median(null))
        values = [_about(v, median) for v in values]
    if kind == "r_squared":
        values = [v * v for v in values]
    r = float(values[0][0])
    test = permutation_result(r, values[1], tails=tails, alpha=alpha, multcomp=multcomp)
    return CorrelationResult(r, float(np.nanstd(values[2])), len(x), test)


def _about(r: np.ndarray, median: float) -> np.ndarray:
    """Rescale r so that ``median`` becomes 0, and -1 and 1 stay."""
    return np.where(r >= median, (r - median) / (1 - median), (r - median) / (1 + median))


def _shuffle_null(x: np.ndarray, y: np.ndarray, mice: ArrayLike | None, n: int, rng: np.random.Generator) -> np.ndarray:
    u, v = ((a - a.mean()) / np.linalg.norm(a - a.mean()) if np.ptp(a) else np.full(len(a), np.nan) for a in (x, y))
    parts = strata_indices(mice, len(x))
    null = np.empty(n)
    for rows in blocks(n, len(x)):
        shuffled = np.tile(v, (rows.stop - rows.start, 1))
        for part in parts:
            shuffled[:, part] = rng.permuted(shuffled[:, part], axis=1)
        null[rows] = shuffled @ u
    return null


def _swap_null(x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    null = np.empty(n)
    for rows in blocks(n, len(x)):
        swap = rng.integers(0, 2, (rows.stop - rows.start, len(x)), dtype=np.uint8).astype(bool)
        first, second = np.where(swap, y, x), np.where(swap, x, y)
        null[rows] = correlation(first, second - first)
    return null


def pairing_density(
    x: ArrayLike, y: ArrayLike, *, n_bins: int = 200, n_permutations: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Density of (x, y) over random pairings of ROIs, smoothed: the background of the published scatter panels.

    Parameters
    ----------
    x, y : array_like, shape (rois,)
        Index in two sessions.
    n_bins : int
        Bins along each axis; smoothing is Gaussian with standard deviation n_bins / 20 bins.

    Returns
    -------
    density : ndarray, shape (n_bins, n_bins)
        Mean count per pairing, x along the first axis.
    x_edges, y_edges : ndarray, shape (n_bins + 1,)
    """
    from scipy.ndimage import gaussian_filter

    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=1)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} ROIs and y {len(y)}: they must be equal")
    rng = generator(seed, "pairing density")
    x_edges, y_edges = (np.histogram_bin_edges(a, check_integer("n_bins", n_bins, 1)) for a in (x, y))
    density = np.zeros((n_bins, n_bins))
    for rows in blocks(check_integer("n_permutations", n_permutations, 1), len(x)):
        shuffled = rng.permuted(np.tile(y, (rows.stop - rows.start, 1)), axis=1)
        density += np.histogram2d(np.tile(x, len(shuffled)), shuffled.ravel(), (x_edges, y_edges))[0]
    return gaussian_filter(density / n_permutations, n_bins / 20), x_edges, y_edges
