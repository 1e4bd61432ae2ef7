"""What a statistic is compared with: activity shifted in a circle, shifted in a line, or bouts in another order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from netlib.analysis.modulation_grid import autocorrelation_bins, behaviour_weights, lagged_sums
from netlib.analysis.resampling import blocks
from netlib.recordings.operant.behaviour_segments import check_intervals
from netlib.seeds import stream

__all__ = ["FIELDS", "bout_comparison", "compare", "permuted_bouts", "shift_comparison"]

FIELDS = ("statistic", "null_mean", "null_sd", "effect", "percentile", "p", "p_lags", "p_tail", "n_independent")


class Reference(NamedTuple):
    """How many values a null has for one tail, and how many of them count as one independent value."""

    size: float
    clump: np.ndarray | float


def compare(observed: np.ndarray, null: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    """Place each observed value in its null.

    Parameters
    ----------
    observed : ndarray, shape (...)
    null : ndarray, shape (..., n_values)
    reference : Reference
        ``size`` is n_values, or less where a smaller number is honest.

    Returns
    -------
    dict of ndarray, shape (...)
        :data:`FIELDS`; every p is two-sided, twice that of the smaller tail:

        - ``p_lags``: (1 + #) / (1 + N), # of the N values being as extreme (Phipson & Smyth 2010);
        - ``p``: (1 + #/τ) / (1 + N/τ), neighbouring lags being one value τ times over: never below 2 / (1 + N/τ);
        - ``p_tail``: from a Pearson III curve with the mean, variance and skewness of the null (Winkler et al. 2016,
          NeuroImage 141:502), taken to Student's t with N/τ - 1 degrees of freedom, as the moments are of N/τ
          independent values only; at least 2 / (1 + N).
    """
    from scipy.stats import norm, pearson3, t

    tie = 1e-9 * np.maximum(np.abs(null).max(axis=-1), np.abs(observed))[..., None] + 1e-300
    above = (null > observed[..., None] + tie).sum(axis=-1)
    below = (null < observed[..., None] - tie).sum(axis=-1)
    equal = null.shape[-1] - above - below
    mean, sd = null.mean(axis=-1), null.std(axis=-1)
    varies = sd > 1e-9 * np.maximum(np.abs(mean), 1e-300)
    scale = np.where(varies, sd, 1.0)
    effect = np.where(varies, (observed - mean) / scale, 0.0)
    centred = (null - mean[..., None]) / scale[..., None]
    skew = np.where(varies, np.einsum("...k,...k,...k->...", centred, centred, centred) / null.shape[-1], 0.0)
    tail = np.minimum(pearson3.sf(effect, skew), pearson3.cdf(effect, skew))
    independent = np.maximum(reference.size / np.asarray(reference.clump), 3.0)
    normal = norm.isf(np.clip(tail, 1e-300, 0.5)) / np.sqrt(1 + 1 / independent)
    fitted = np.clip(2 * t.sf(normal, independent - 1), 2 / (1 + reference.size), 1.0)
    extreme = np.minimum(above, below) + equal
    clump = reference.size / independent
    found = {
        "statistic": observed,
        "null_mean": mean,
        "null_sd": sd,
        "effect": effect,
        "percentile": 100.0 * (below + equal / 2) / null.shape[-1],
        "p": np.minimum(1.0, 2 * (1 + extreme / clump) / (1 + independent)),
        "p_lags": np.minimum(1.0, 2 * (1 + extreme) / (1 + reference.size)),
        "p_tail": np.where(varies, fitted, 1.0),
        "n_independent": independent,
    }
    return {name: np.broadcast_to(value, observed.shape) for name, value in found.items()}


def _assembled(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}


def shift_comparison(
    values: np.ndarray, weights: np.ndarray, amount: np.ndarray, lags: np.ndarray, linear: bool
) -> dict[str, np.ndarray]:
    """Compare lag 0 with other lags.

    Parameters
    ----------
    values : ndarray, shape (n_neurons, n_bins)
    weights : ndarray, shape (n_labels, n_bins)
    amount : ndarray, shape (n_labels,)
        What sums are divided by.
    lags : ndarray of int
        Lags (bins) of the null, 0 not among them; negative ones are earlier.
    linear : bool
        The weights leave room at both ends, so that no lag wraps. Lags on both sides then count half: m of 2N linear
        shifts prove no more than m / (N + 1) (Harris 2020, bioRxiv 2020.11.29.402719).
    """
    n_lags = len(lags) / 2 if linear else len(lags)
    parts = []
    for _, sums in lagged_sums(values, weights):
        sums /= amount[:, None]
        reference = Reference(n_lags, autocorrelation_bins(sums))
        parts.append(compare(sums[..., 0], sums[..., lags], reference))
    return _assembled(parts)


def permuted_bouts(intervals: pd.DataFrame, duration: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bouts dealt in other orders, each with its own length; time without a label is a bout too.

    Parameters
    ----------
    intervals : DataFrame
        Behaviours.
    duration : float
        Length of the session (ms).
    n : int
        Orders.

    Returns
    -------
    edges : ndarray, shape (n, n_bouts + 1)
        Where bouts begin and end (ms); the first row of a session of its own order would be its onsets.
    order : ndarray of int, shape (n, n_bouts)
        Rows of ``intervals``, -1 for a gap.
    """
    table = check_intervals(intervals, duration)
    times = np.unique(np.r_[0.0, table[["onset", "offset"]].to_numpy().ravel(), duration])
    rows = np.searchsorted(table["onset"].to_numpy(), times[:-1], side="right") - 1
    inside = (rows >= 0) & (times[:-1] < table["offset"].to_numpy()[rows]) if len(table) else np.zeros(len(rows), bool)
    bout = np.where(inside, rows, -1)
    places = stream(seed, "bout permutation").permuted(np.tile(np.arange(len(bout)), (n, 1)), axis=1)
    edges = np.concatenate([np.zeros((n, 1)), np.cumsum(np.diff(times)[places], axis=1)], axis=1)
    return edges, bout[places]


def bout_comparison(
    values: np.ndarray,
    width: float,
    intervals: pd.DataFrame,
    labels: tuple[str, ...],
    amount: np.ndarray,
    n_permutations: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Compare the order of bouts that was with other orders, activity staying where it is.

    What a bin holds is spread evenly over it, as in :func:`~netlib.analysis.modulation_grid.behaviour_weights`.
    """
    n_bins = values.shape[1]
    duration = n_bins * width
    cut = intervals.assign(offset=np.minimum(intervals["offset"], duration))
    edges, order = permuted_bouts(cut[(cut["offset"] > cut["onset"]).to_numpy()], duration, n_permutations, seed)
    code = np.r_[pd.Index(labels).get_indexer(cut["label"][(cut["offset"] > cut["onset"]).to_numpy()]), -1][order]
    cell = np.minimum((edges / width).astype(np.int64), n_bins - 1)
    share = edges / width - cell
    observed = values @ behaviour_weights(intervals, labels, n_bins, width).T / amount
    parts = []
    for rows in blocks(len(values), edges.size):
        total = np.concatenate([np.zeros((len(values[rows]), 1)), np.cumsum(values[rows], axis=1)], axis=1)
        held = np.diff(total[:, cell] * (1 - share) + total[:, cell + 1] * share, axis=2)
        null = np.stack([np.where(code == b, held, 0.0).sum(axis=2) for b in range(len(labels))], axis=1)
        parts.append(compare(observed[rows], null / amount[:, None], Reference(n_permutations, 1.0)))
    return _assembled(parts)
