"""Unexpected against expected responses: differences per ROI, over a group, and early against late in a session.

Responses have shape (trials, rois): integrated responses of :func:`netlib.analysis.event_responses`.
Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 2, 3 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from netlib.analysis.event_responses import Summary, check_trials, summarise
from netlib.analysis.permutation import PermutationResult, joint_difference_test
from netlib.units import check_array

__all__ = ["early_and_late", "pooled_difference", "roi_differences", "third_differences"]


def roi_differences(responses: ArrayLike, unexpected: ArrayLike) -> np.ndarray:
    """Mean unexpected minus mean expected response of each ROI.

    Parameters
    ----------
    responses : array_like, shape (trials, rois)
        Integrated responses. NaN is left out.
    unexpected : array_like of bool, shape (trials,)
        Which trials are unexpected.

    Returns
    -------
    ndarray, shape (rois,)
        NaN for a ROI without a number on either side.

    Examples
    --------
    >>> roi_differences([[1.0], [2.0], [6.0]], [False, False, True]).tolist()
    [4.5]
    """
    responses = _responses(responses)
    unexpected = check_trials("unexpected", unexpected, len(responses))
    u, e = (summarise(responses[rows]).center for rows in (unexpected, ~unexpected))
    return u - e


def pooled_difference(
    sessions: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    n_permutations: int = 10_000,
    seed: int = 905,
    permutation: str = "label",
    alpha: float = 0.05,
    multcomp: int = 1,
) -> tuple[Summary, PermutationResult]:
    """Mean over the pooled ROIs of a group of sessions, and its test within sessions (Figures 2B, 6C).

    ROIs with a NaN in any trial are left out of both.

    Parameters
    ----------
    sessions : sequence of (responses, unexpected)
        As in :func:`roi_differences`, one pair per mouse of the group.
    n_permutations, seed, permutation, alpha, multcomp
        As in :func:`netlib.analysis.permutation.joint_difference_test`; two-tailed. The paper: 100,000 shuffles,
        "label", 0.05 and 24. Unexpected sequences come in runs: where responses remember the one before, the free
        shuffle "label" has a null that is too narrow, and "block" is right.

    Returns
    -------
    summary : Summary
        Mean, standard error (ddof 1) and number of ROIs: ROIs of one mouse count as independent.
    test : PermutationResult
        For two sessions see :func:`netlib.analysis.permutation.compare_samples` on differences per ROI.
    """
    if not sessions:
        raise ValueError("sessions is empty: it must hold at least one (responses, unexpected)")
    used = []
    for responses, unexpected in sessions:
        responses = _responses(responses)
        unexpected = check_trials("unexpected", unexpected, len(responses))
        known = np.isfinite(responses).all(0)
        if known.any():
            used.append((responses[:, known], unexpected))
    if not used:
        raise ValueError("responses holds a NaN in every ROI: there is none to average")
    summary = summarise(np.concatenate([roi_differences(*session) for session in used]))
    test = joint_difference_test(
        used, n_permutations=n_permutations, seed=seed, permutation=permutation, alpha=alpha, multcomp=multcomp
    )
    return summary, test


def early_and_late(segments: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """First and last third of a session, by percentiles of the segment numbers.

    Parameters
    ----------
    segments : array_like, shape (trials,)
        Segment number (or time) of each trial.

    Returns
    -------
    early, late : ndarray of bool, shape (trials,)
        Up to percentile 100/3, and from 200/3 on, ends included (percentiles by linear interpolation).

    Examples
    --------
    >>> early, late = early_and_late(range(10))
    >>> early.nonzero()[0].tolist(), late.nonzero()[0].tolist()
    ([0, 1, 2, 3], [6, 7, 8, 9])
    """
    segments = check_array("segments", segments, ndim=1)
    low, high = np.percentile(segments, [100 / 3, 200 / 3])
    slack = 1e-9 * max(1.0, float(np.abs(segments).max()))  # an end that is itself a segment belongs to its third
    return segments <= low + slack, segments >= high - slack


def third_differences(
    responses: ArrayLike, unexpected: ArrayLike, segments: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Differences per ROI in the first and last third, and their paired change (Figure 3).

    Parameters
    ----------
    responses, unexpected
        As in :func:`roi_differences`.
    segments : array_like, shape (trials,)
        As in :func:`early_and_late`.

    Returns
    -------
    early, late, change : ndarray, shape (rois,)
        ``change = late - early``. Its test: :func:`netlib.analysis.permutation.compare_samples` of early and late,
        paired (12 comparisons in the paper).
    """
    responses = _responses(responses)
    unexpected = check_trials("unexpected", unexpected, len(responses))
    segments = np.asarray(segments)
    if segments.shape != unexpected.shape:
        raise ValueError(f"segments has shape {segments.shape}: it must be {unexpected.shape}, one per trial")
    parts = []
    for name, rows in zip(("early", "late"), early_and_late(segments), strict=True):
        if unexpected[rows].all() or not unexpected[rows].any():
            raise ValueError(f"the {name} third holds {rows.sum()} trials of one kind: both kinds must occur")
        parts.append(roi_differences(responses[rows], unexpected[rows]))
    return parts[0], parts[1], parts[1] - parts[0]


def _responses(value: ArrayLike) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"responses has shape {array.shape}: it must be (trials, rois), with one of each at least")
    if np.isinf(array).any():
        raise ValueError("responses holds infinities: it must hold finite numbers, or NaN where unknown")
    return array
