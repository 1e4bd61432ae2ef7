"""Unexpected-event selectivity index (USI) of cells, and its null by relabelling trials.

The index and its published null: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023.

The same ROIs over sessions: correlations of their indices, and size and spread of them:
Published analyses: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Figs. 4G, 4H and 9.

Choosing ROIs to show: by their selectivity, or by how clear and repeatable their responses are:
Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figure 4A; Gillon, Lecoq et al. 2023, Sci Data 10:287,
Figure 5. What is shown was chosen for being clear: it is no sample of the population.

Quality of whole-session traces: signal to noise, correlations between cells, which cells are active:
Traces have shape (frames, rois), as in a session. Facts: Gillon, Lecoq et al. 2023, Sci Data 10:287, Figure 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.openscope.parameters import IdxPar, Parameters, StimPar, by_mouse
from netlib.openscope.responses import split_responses
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
    "active_rois",
    "choose_by_selectivity",
    "choose_responsive",
    "correlation_histogram",
    "mean_abs_sem",
    "null_of",
    "pairing_density",
    "pairwise_correlations",
    "response_features",
    "roi_indices",
    "rolling_mean",
    "roughness",
    "signal_to_noise",
    "tracked_correlation",
    "tracked_indices",
    "trial_correlation",
    "usi",
    "usi_null",
    "variance_std",
]


# -------------------- Unexpected-event selectivity index (USI) of cells, and its null by relabelling trials


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
    label = np.asarray(unexpected)
    if label.shape != (len(x),):
        raise ValueError(f"unexpected has shape {label.shape}: it must be ({len(x)},), one value per row of responses")
    if not np.isin(label, (0, 1)).all():
        raise ValueError(f"unexpected holds {label.dtype} values other than True and False")
    label = label.astype(bool)
    if label.all() or not label.any():
        raise ValueError(f"unexpected is {bool(label[0])} for all {len(x)} trials: the index needs both kinds")
    return x, label


# -------------------- The same ROIs over sessions: correlations of their indices, and size and spread of them


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


# -------------------- USIs of the ROIs of sessions, and those of tracked ROIs in the same order in each session ...


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


# -------------------- Quality of whole-session traces: signal to noise, correlations between cells, which cells ...


def signal_to_noise(traces: ArrayLike, percentile: float = 95.0) -> pd.DataFrame:
    """Signal-to-noise ratio and mean signal of each ROI.

    Noise is the values up to the median, mirrored about it; the threshold is a percentile of the normal distribution
    with the mean and the standard deviation of this noise; signal is the mean of the values above the threshold.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F. NaN is left out.
    percentile : float
        Of the normal distribution, in (0, 100).

    Returns
    -------
    DataFrame, one row per ROI
        ``snr`` (signal over noise sd), ``signal``, ``noise_mean``, ``noise_sd`` and ``threshold`` in the unit of the
        traces, ``n_signal`` and ``n`` frames. ``snr`` is NaN where the noise is flat or nothing exceeds the threshold.
    """
    from scipy.special import ndtri

    traces = _traces(traces)
    z = float(ndtri(check_number("percentile", percentile, "%", 0, 100, low_open=True, high_open=True) / 100))
    rows = []
    for trace in traces.T:
        values = np.asarray(trace[np.isfinite(trace)], float)
        if not values.size:
            rows.append((np.nan,) * 5 + (0, 0))
            continue
        median = np.median(values)
        below = values[values <= median]
        sd = np.sqrt(np.mean((below - median) ** 2))  # of `below` and its mirror image, whose mean is the median
        threshold = median + z * sd
        above = values[values > threshold]
        signal = above.mean() if above.size else np.nan
        rows.append((signal / sd if sd > 0 else np.nan, signal, median, sd, threshold, above.size, values.size))
    columns = ["snr", "signal", "noise_mean", "noise_sd", "threshold", "n_signal", "n"]
    return pd.DataFrame(rows, columns=columns).rename_axis("roi")


def rolling_mean(values: ArrayLike, n: int = 4, axis: int = -1) -> np.ndarray:
    """Rolling mean over ``n`` samples, mirrored at the ends (the last sample is not repeated).

    Parameters
    ----------
    values : array_like
        NaN spreads over its window.
    n : int
        Samples; with an even number the window reaches one further forward than back: ``k - n / 2 + 1`` to
        ``k + n / 2``.
    axis : int
        Axis of time.

    Examples
    --------
    >>> rolling_mean([0.0, 0, 4, 0, 0, 0], 4).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    from scipy.ndimage import convolve1d

    values = np.asarray(values)
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
    n = check_integer("n", n, 1, unit="samples")
    if values.ndim == 0 or values.shape[axis] < n:
        raise ValueError(f"n = {n} samples is longer than the values (shape {values.shape}, axis {axis})")
    return convolve1d(values, np.full(n, 1.0 / n), axis=axis, mode="mirror")


def pairwise_correlations(traces: ArrayLike, n: int = 4) -> np.ndarray:
    """Pearson correlation of every pair of ROIs, after a rolling mean over ``n`` frames.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F.
    n : int
        Frames of the rolling mean; 1 for none.

    Returns
    -------
    ndarray, shape (rois, rois)
        Ones on the diagonal. A ROI that is flat or holds a NaN has NaN in its row and column.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(50.0))
    >>> pairwise_correlations(np.column_stack([x, -x]), 1).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    traces = _traces(traces)
    smooth = rolling_mean(traces, n, axis=0).astype(float, copy=False)
    smooth -= smooth.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.sqrt(np.einsum("ij,ij->j", smooth, smooth))
        smooth /= np.where(traces.max(0) > traces.min(0), norm, np.nan)
    known = np.isfinite(smooth[0])
    smooth = smooth if known.all() else smooth[:, known]
    matrix = np.full((len(known), len(known)), np.nan)
    matrix[np.ix_(known, known)] = np.clip(smooth.T @ smooth, -1.0, 1.0)
    diagonal = np.flatnonzero(known)
    matrix[diagonal, diagonal] = 1.0
    return matrix


def correlation_histogram(matrix: ArrayLike, bins: int = 40) -> pd.DataFrame:
    """Histogram on [-1, 1] of the correlations of distinct pairs.

    Parameters
    ----------
    matrix : array_like, shape (rois, rois)
        Of :func:`pairwise_correlations`. NaN is left out.
    bins : int
        Number of bins.

    Returns
    -------
    DataFrame, one row per bin
        ``low`` and ``high`` edge, ``count`` of pairs and ``fraction`` of those that are not NaN. Its ``attrs`` hold
        ``n`` pairs and their ``median``.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise ValueError(f"matrix has shape {matrix.shape}: it must be (rois, rois), with 2 ROIs or more")
    pairs = matrix[np.triu_indices(len(matrix), 1)]
    pairs = pairs[np.isfinite(pairs)]
    count, edges = np.histogram(pairs, check_integer("bins", bins, 1), (-1.0, 1.0))
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count, "fraction": count / max(1, len(pairs))})
    table.attrs = {"n": len(pairs), "median": float(np.median(pairs)) if len(pairs) else float("nan")}
    return table


def active_rois(traces: ArrayLike, n: int = 5, n_sd: float = 3.0) -> np.ndarray:
    """Which ROIs ever exceed their median by ``n_sd`` standard deviations, after a median filter.

    Parameters
    ----------
    traces : array_like, shape (frames, rois)
        dF/F, of the frames to judge by. A NaN counts as the ROI's median.
    n : int
        Frames of the median filter, odd (zeros beyond the ends).
    n_sd : float
        Median and standard deviation (ddof 0) are those of the filtered trace.

    Returns
    -------
    ndarray of bool, shape (rois,)
        False for a ROI that is NaN throughout.
    """
    from scipy.signal import medfilt

    traces = _traces(traces)
    check_number("n_sd", n_sd, "standard deviations", 0)
    if check_integer("n", n, 1, unit="frames") % 2 == 0:
        raise ValueError(f"n = {n} frames is even: the median filter needs an odd number of frames")
    active = np.zeros(traces.shape[1], bool)
    for k, trace in enumerate(traces.T):
        known = np.isfinite(trace)
        if known.any():
            smooth = medfilt(np.where(known, trace, np.median(trace[known])).astype(float), int(n))
            active[k] = bool((smooth > np.median(smooth) + n_sd * smooth.std()).any())
    return active


def _traces(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value)
    array = array if np.issubdtype(array.dtype, np.floating) else array.astype(float)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"traces has shape {array.shape}: it must be (frames, rois), with one of each at least")
    return array


# -------------------- Choosing ROIs to show: by their selectivity, or by how clear and repeatable their responses ...


def roughness(mean_traces: ArrayLike, n: int = 3) -> np.ndarray:
    """Mean squared distance between each trace and its rolling mean over ``n`` samples.

    Parameters
    ----------
    mean_traces : array_like, shape (rois, time)
        Mean trace of each ROI. A ROI with a NaN has NaN.

    Returns
    -------
    ndarray, shape (rois,)
    """
    traces = np.asarray(mean_traces, dtype=float)
    if traces.ndim != 2:
        raise ValueError(f"mean_traces has shape {traces.shape}: it must be (rois, time)")
    return ((traces - rolling_mean(traces, n)) ** 2).mean(-1)


def choose_by_selectivity(
    usi: ArrayLike,
    significant: ArrayLike,
    rough: ArrayLike,
    *,
    targets: Sequence[tuple[float, bool]] = ((0.5, True), (0.0, False), (-0.5, True)),
    smoothest: float = 12.0,
) -> pd.DataFrame:
    """For each target, the ROI nearest to it among the smoothest (Figure 4A).

    Parameters
    ----------
    usi : array_like, shape (rois,)
        Unexpected-event selectivity index.
    significant : array_like of bool, shape (rois,)
        Whether it differs from its null.
    rough : array_like, shape (rois,)
        Of :func:`roughness`.
    targets : sequence of (usi, significant)
        A ROI is a candidate for a target if its significance is the target's and, if the target's USI is not 0, its
        sign too.
    smoothest : float
        Percentile of the roughness of these candidates up to which they are considered (%), in (0, 100].

    Returns
    -------
    DataFrame, one row per target
        ``target``, ``roi`` (-1 if there is no candidate), ``usi``, ``significant``, ``n_candidates`` (smooth ones). A
        ROI with a NaN is no candidate; the first of equally near ones is taken.
    """
    usi, rough = np.asarray(usi, dtype=float), np.asarray(rough, dtype=float)
    significant = np.asarray(significant, dtype=bool)
    if usi.ndim != 1 or not usi.shape == rough.shape == significant.shape:
        shapes = f"{usi.shape}, {significant.shape} and {rough.shape}"
        raise ValueError(f"usi, significant and rough have shapes {shapes}: all must be (rois,)")
    check_number("smoothest", smoothest, "%", 0, 100, low_open=True)
    rows = []
    for target, wanted in targets:
        fit = np.isfinite(usi) & np.isfinite(rough) & (significant == wanted)
        if target:
            fit &= np.sign(usi) == np.sign(target)
        candidates = np.flatnonzero(fit)
        if candidates.size:
            candidates = candidates[rough[candidates] <= np.percentile(rough[candidates], smoothest)]
            best = int(candidates[np.abs(usi[candidates] - target).argmin()])
            rows.append((target, best, usi[best], bool(significant[best]), candidates.size))
        else:
            rows.append((target, -1, np.nan, wanted, 0))
    return pd.DataFrame(rows, columns=["target", "roi", "usi", "significant", "n_candidates"])


def trial_correlation(windows: ArrayLike) -> np.ndarray:
    """Median Pearson correlation between the traces of every pair of trials, for each ROI.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        Trials that are flat or hold a NaN are left out, ROI by ROI.

    Returns
    -------
    ndarray, shape (rois,)
        NaN with fewer than 2 trials left.
    """
    windows = _windows(windows)
    result = np.full(windows.shape[1], np.nan)
    for k in range(windows.shape[1]):
        trials = windows[:, k]
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = trials - trials.mean(1, keepdims=True)
            centred /= np.sqrt((centred**2).sum(1, keepdims=True))
        centred = centred[np.isfinite(centred).all(1)]
        if len(centred) > 1:
            result[k] = np.median((centred @ centred.T)[np.triu_indices(len(centred), 1)])
    return result


def response_features(windows: ArrayLike, n_pre: int | None = None) -> pd.DataFrame:
    """How clear and repeatable the response of each ROI is.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        One kind of event. NaN is left out of the mean traces.
    n_pre : int, optional
        Frames before the event: adds the column ``difference``.

    Returns
    -------
    DataFrame, one row per ROI
        ``std`` (ddof 0) and ``skew`` of the mean trace over time, ``trial_correlation``, and with ``n_pre``
        ``difference`` of the mean trace, after minus before the event.
    """
    from scipy.stats import skew

    windows = _windows(windows)
    known = np.isfinite(windows)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, windows, 0.0).sum(0) / known.sum(0)
    table = pd.DataFrame(
        {"std": mean.std(1), "skew": skew(mean, axis=1), "trial_correlation": trial_correlation(windows)}
    )
    if n_pre is not None:
        n_pre = check_integer("n_pre", n_pre, 1, windows.shape[2] - 1, "frames")
        table["difference"] = mean[:, n_pre:].mean(1) - mean[:, :n_pre].mean(1)
    return table.rename_axis("roi")


def choose_responsive(
    snr: ArrayLike,
    features: pd.DataFrame,
    *,
    columns: Sequence[str] = ("std", "skew", "trial_correlation"),
    percentile: float = 75.0,
    n: int = 6,
    seed: int = 905,
) -> np.ndarray:
    """Pick ROIs at random among the clear ones (data paper, Figure 5).

    First the signal-to-noise ratio must exceed its median over ROIs; then every feature must exceed its percentile over
    the ROIs that are left.

    Parameters
    ----------
    snr : array_like, shape (rois,)
        Of :func:`netlib.openscope.usi.signal_to_noise`.
    features : DataFrame, one row per ROI
        Of :func:`response_features`.
    columns : sequence of str
        Features to use: the default for Gabor sequences, ("difference", "trial_correlation") for flow.
    percentile : float
        In [0, 100) %.
    n : int
        ROIs to pick; fewer are returned if fewer qualify.
    seed : int
        Master seed.

    Returns
    -------
    ndarray of int
        Indices, in order. A ROI with a NaN never qualifies.
    """
    snr = np.asarray(snr, dtype=float)
    if snr.shape != (len(features),) or not len(snr):
        raise ValueError(f"snr has shape {snr.shape}: it must be ({len(features)},), one per row of features")
    missing = [c for c in columns if c not in features]
    if missing:
        raise ValueError(f"features has no column {missing}: it has {list(features.columns)}")
    check_number("percentile", percentile, "%", 0, 100, high_open=True)
    n = check_integer("n", n, 1)
    values = features[list(columns)].to_numpy(float)
    known = np.isfinite(snr) & np.isfinite(values).all(1)
    if not known.any():
        return np.empty(0, int)
    kept = known & (snr > np.median(check_array("snr", snr[known])))
    if not kept.any():
        return np.empty(0, int)
    kept &= (values > np.percentile(values[kept], percentile, axis=0)).all(1)
    found = np.flatnonzero(kept)
    if len(found) <= n:
        return found
    return np.sort(stream(seed, "example rois").choice(found, n, replace=False))


def _windows(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"windows has shape {array.shape}: it must be (trials, rois, time), with one of each at least")
    return array
