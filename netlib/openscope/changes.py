"""How responses change over sessions: relative to session 1, and those to two stimuli against each other.

Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023. Figures 2C, 5B and 7A: every ROI's response to a frame is
divided by the mean over ROIs of the same mouse's response to the expected frame in session 1; U is compared with D.
Figures 7B and 7E: how much the response to Gabors and to visual flow changed between two sessions, and whether one
changed more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.openscope.responses import check_axes, check_trials, summarise
from netlib.statistics.permutation import permutation_result
from netlib.statistics.resampling import blocks, generator

__all__ = [
    "FLOW_PAIRS",
    "GABOR_PAIRS",
    "StimulusPair",
    "change",
    "flow_means",
    "frame_means",
    "reference_responses",
    "relative_responses",
    "stimulus_change",
]

#: Which expected column each column is divided by, for Gabor sequences and for visual flow.
GABOR_PAIRS = MappingProxyType({"A": "A", "B": "B", "C": "C", "D": "D", "G": "G", "U": "D", "G_unexpected": "G"})
FLOW_PAIRS = MappingProxyType({"expected": "expected", "unexpected": "expected"})
#: Columns averaged into the two published measures. ``rel_reg`` holds A, B and C only.
_MEASURES = {"rel_reg": (("A", "B", "C"), ("expected",)), "rel_unexp": (("U", "G_unexpected"), ("unexpected",))}


def frame_means(responses: ArrayLike, frames: ArrayLike, unexpected: ArrayLike) -> pd.DataFrame:
    """Mean response of each ROI to each kind of Gabor frame.

    Parameters
    ----------
    responses : array_like, shape (segments, rois)
        Response to each Gabor segment, unscaled dF/F integrated over 0 to 0.3 s. NaN is left out.
    frames : array_like of str, shape (segments,)
        "A", "B", "C", "D", "U" or "G".
    unexpected : array_like of bool, shape (segments,)
        Whether the segment belongs to an unexpected sequence, as in the trials table.

    Returns
    -------
    DataFrame, one row per ROI
        Columns of ``GABOR_PAIRS``: the frames of expected sequences, then U and the G that follows it.

    Raises
    ------
    ValueError
        If a kind of frame never occurs, or a U is called expected or a D unexpected.
    """
    responses = check_axes("responses", responses, "(segments, rois)")
    frames = np.asarray(frames, dtype=str)
    unexpected = check_trials("unexpected", unexpected, len(responses))
    if frames.shape != unexpected.shape:
        raise ValueError(f"frames has shape {frames.shape}: it must be {unexpected.shape}, one per segment")
    for frame, flag in (("U", False), ("D", True)):
        if ((frames == frame) & (unexpected == flag)).any():
            raise ValueError(f"frames holds a {frame} in {'an' if flag else 'no'} unexpected sequence")
    rows = {}
    for column in GABOR_PAIRS:
        frame = column[0]
        chosen = (frames == frame) & (unexpected == (column in ("U", "G_unexpected")))
        rows[column] = _mean(responses[chosen], f"frame {frame} ({column})")
    return pd.DataFrame(rows).rename_axis("roi")


def flow_means(responses: ArrayLike, unexpected: ArrayLike) -> pd.DataFrame:
    """Mean response of each ROI to expected and unexpected visual flow.

    Parameters
    ----------
    responses : array_like, shape (segments, rois)
        Response to each second of flow, unscaled dF/F integrated over 0 to 1 s. NaN is left out.
    unexpected : array_like of bool, shape (segments,)

    Returns
    -------
    DataFrame, one row per ROI
        Columns ``expected`` and ``unexpected``.
    """
    responses = check_axes("responses", responses, "(segments, rois)")
    unexpected = check_trials("unexpected", unexpected, len(responses))
    parts = {"expected": responses[~unexpected], "unexpected": responses[unexpected]}
    return pd.DataFrame({name: _mean(part, f"{name} flow") for name, part in parts.items()}).rename_axis("roi")


def reference_responses(session_1: pd.DataFrame) -> pd.DataFrame:
    """Mean over ROIs of a mouse's expected responses in session 1: what all its sessions are divided by.

    Parameters
    ----------
    session_1 : DataFrame
        Of :func:`frame_means` or :func:`flow_means`, session 1 of the mouse.

    Returns
    -------
    DataFrame, one row per expected column
        ``mean`` (dF/F s), ``sem`` over ROIs and ``n``, ROIs that are not NaN.
    """
    columns = list(dict.fromkeys(_pairs(session_1).values()))
    values = session_1[columns]
    return pd.DataFrame({"mean": values.mean(), "sem": values.sem(ddof=1), "n": values.count()})


def relative_responses(
    session: pd.DataFrame, reference: pd.DataFrame, *, floor: float = 2.0, unstable: str = "warn"
) -> pd.DataFrame:
    """Divide a session's responses by the mouse's reference.

    Parameters
    ----------
    session : DataFrame
        Of :func:`frame_means` or :func:`flow_means`, any session of the mouse.
    reference : DataFrame
        Of :func:`reference_responses`, session 1 of the same mouse.
    floor : float
        A denominator is unstable if it is within this many standard errors of zero: the ratio then says little, and its
        sign less.
    unstable : {"warn", "raise", "nan", "keep"}
        What to do then. The published numbers were made with "keep". An exact zero is always refused.

    Returns
    -------
    DataFrame, one row per ROI
        The columns of ``session``, without unit, and ``rel_reg`` (mean of A, B, C) and ``rel_unexp`` (mean of U and the
        G after it); for flow the expected and the unexpected one. A NaN in a part makes the mean NaN.

    Raises
    ------
    ValueError
        If a denominator is zero or NaN, or unstable with ``unstable="raise"``.
    """
    check_choice("unstable", unstable, ("warn", "raise", "nan", "keep"))
    check_number("floor", floor, "standard errors", 0)
    pairs = _pairs(session)
    missing = sorted(set(pairs.values()) - set(reference.index))
    if missing:
        raise ValueError(f"reference has no row {missing}: it must come from the same stimulus as session")
    mean, sem = reference["mean"], reference["sem"]
    for name in set(pairs.values()):
        if not np.isfinite(mean[name]) or mean[name] == 0:
            raise ValueError(f"reference response to {name} is {mean[name]:g} dF/F s: it must be finite and not 0")
    weak = [name for name in dict.fromkeys(pairs.values()) if abs(mean[name]) < floor * sem[name]]
    if weak and unstable in ("warn", "raise"):
        text = ", ".join(f"{name} {mean[name]:.3g} +- {sem[name]:.2g}" for name in weak)
        text = f"reference responses within {floor:g} standard errors of zero (dF/F s): {text}"
        if unstable == "raise":
            raise ValueError(text)
        warnings.warn(text + "; ratios to them say little", stacklevel=2)
    relative = pd.DataFrame({name: session[name] / mean[base] for name, base in pairs.items()}, index=session.index)
    if unstable == "nan":
        relative[[name for name, base in pairs.items() if base in weak]] = np.nan
    for measure, choices in _MEASURES.items():
        columns = next(list(c) for c in choices if set(c) <= set(relative))
        relative[measure] = relative[columns].mean(axis=1, skipna=False)
    return relative


def _mean(rows: np.ndarray, what: str) -> np.ndarray:
    if not len(rows):
        raise ValueError(f"there is no segment of {what}: every kind must occur")
    return summarise(rows).center


def _pairs(table: pd.DataFrame) -> Mapping[str, str]:
    for pairs in (GABOR_PAIRS, FLOW_PAIRS):
        if set(pairs) <= set(table.columns):
            return pairs
    raise ValueError(f"table has columns {list(table.columns)}: it must come from frame_means or flow_means")


# ---------------------------------------------------------------- two stimuli


class StimulusPair(NamedTuple):
    """Values of the ROIs of one group (n_first,) and (n_last,): two stimuli in the first and in the last session.

    Within a session the two stimuli have the same ROIs in the same order.
    """

    gabors_first: ArrayLike
    gabors_last: ArrayLike
    visflow_first: ArrayLike
    visflow_last: ArrayLike


def change(first: ArrayLike, last: ArrayLike, measure: str = "relative") -> np.ndarray | float:
    """Change of a mean from first to last session.

    Parameters
    ----------
    first, last : array_like
        Group means.
    measure : {"relative", "log"}
        "relative", as published: F = abs((last - first) / first). It grows without bound as the first mean nears 0,
        and a halving (0.5) counts less than a doubling (1). "log": abs(log(last / first)), of positive means, has
        neither fault.

    Examples
    --------
    >>> float(change(2.0, 1.0)), float(change(1.0, 2.0))
    (0.5, 1.0)
    """
    first, last = np.asarray(first, float), np.asarray(last, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if check_choice("measure", measure, ("relative", "log")) == "log":
            return np.abs(np.log(last / first))
        return np.abs((last - first) / first)


def stimulus_change(
    groups: Mapping[str, StimulusPair],
    *,
    tracked: bool = True,
    measure: str = "relative",
    n_permutations: int = 10_000,
    n_resamples: int = 10_000,
    seed: int = 0,
    tails: int | str = 2,
    alpha: float = 0.05,
    multcomp: int | None = None,
) -> pd.DataFrame:
    """Change of each stimulus between sessions in each group, and a test of visual flow minus Gabors.

    The test swaps the two stimuli of a ROI within a session, each ROI and session by itself. Row "all" is the mean
    over groups, of the changes, of each permutation and of each resample.

    Parameters
    ----------
    groups : mapping of str to StimulusPair
        Values (absolute indices, or relative responses) of each group.
    tracked : bool
        Both sessions have the same ROIs: resample them together.
    measure : {"relative", "log"}
        As in :func:`change`.
    n_permutations, n_resamples : int
        Size of the null and of the bootstrap.
    seed : int
        Master seed.
    tails, alpha : {2, "hi", "lo"}, float
        As in :func:`netlib.statistics.permutation.permutation_result`.
    multcomp : int, optional
        Comparisons; one per row unless told.

    Returns
    -------
    DataFrame, one row per group and "all"
        ``gabors``, ``gabors_std``, ``visflow``, ``visflow_std``, ``difference`` (visual flow minus Gabors),
        ``raw_p``, ``p``, ``p_exact``, ``null_low``, ``null_median``, ``null_high``.

    Raises
    ------
    ValueError
        If stimuli differ in their ROIs, or a change is not finite (first mean 0; a mean below 0 with "log").
    """
    if not groups or "all" in groups:
        raise ValueError(f"groups = {list(groups)}: there must be at least one, and none called 'all'")
    n_permutations = check_integer("n_permutations", n_permutations, 1)
    n_resamples = check_integer("n_resamples", n_resamples, 2)
    parts = {}
    for name, pair in groups.items():
        first, last = _session(f"{name} first", pair[0], pair[2]), _session(f"{name} last", pair[1], pair[3])
        value = change(first.mean(axis=1), last.mean(axis=1), measure)
        if not np.isfinite(value).all():
            raise ValueError(
                f"{name}: means of Gabors and visual flow {first.mean(axis=1)} in the first session, "
                f"{last.mean(axis=1)} in the last, have no {measure} change"
            )
        rng = generator(seed, "stimulus change", name)
        null = change(_swapped(first, n_permutations, rng), _swapped(last, n_permutations, rng), measure)
        resampled = change(*_resampled(first, last, tracked, n_resamples, rng), measure)
        parts[name] = value, null[:, 1] - null[:, 0], resampled
    parts["all"] = tuple(np.mean([part[i] for part in parts.values()], axis=0) for i in range(3))
    multcomp = multcomp or len(parts)
    rows = []
    for name, (value, null, resampled) in parts.items():
        test = permutation_result(value[1] - value[0], null, tails=tails, alpha=alpha, multcomp=multcomp)
        std = np.nanstd(resampled, axis=0)
        row = {"group": name, "gabors": value[0], "gabors_std": std[0], "visflow": value[1], "visflow_std": std[1]}
        row |= {"difference": test.value, "raw_p": test.raw_p, "p": test.p, "p_exact": test.p_exact}
        rows.append(row | dict(zip(("null_low", "null_median", "null_high"), test.null_ci, strict=True)))
    return pd.DataFrame(rows).set_index("group")


def _session(name: str, gabors: ArrayLike, visflow: ArrayLike) -> np.ndarray:
    """Both stimuli of a session, shape (2, rois)."""
    gabors = check_array(f"{name} Gabors", gabors, ndim=1)
    visflow = check_array(f"{name} visual flow", visflow, ndim=1)
    if len(gabors) != len(visflow):
        raise ValueError(
            f"{name}: {len(gabors)} ROIs with Gabors, {len(visflow)} with visual flow: they must be the same"
        )
    return np.stack([gabors, visflow])


def _swapped(session: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Means of both stimuli, shape (n, 2), when each ROI's stimuli are swapped or not."""
    n_rois = session.shape[1]
    moved = np.empty(n)
    for rows in blocks(n, n_rois):
        swap = rng.integers(0, 2, (rows.stop - rows.start, n_rois), dtype=np.uint8)
        moved[rows] = swap.astype(float) @ (session[1] - session[0]) / n_rois
    return session.mean(axis=1) + np.column_stack([moved, -moved])


def _resampled(
    first: np.ndarray, last: np.ndarray, tracked: bool, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means of both stimuli over ROIs drawn with replacement, (n, 2) for each session."""
    if tracked and first.shape != last.shape:
        raise ValueError(
            f"the first session has {first.shape[1]} ROIs and the last {last.shape[1]}: tracked ROIs are the same; "
            "use tracked = False"
        )
    a, b = np.empty((n, 2)), np.empty((n, 2))
    for rows in blocks(n, first.shape[1] + last.shape[1]):
        k = rows.stop - rows.start
        index = rng.integers(0, first.shape[1], (k, first.shape[1]))
        a[rows] = first[:, index].mean(axis=-1).T
        b[rows] = last[:, index if tracked else rng.integers(0, last.shape[1], (k, last.shape[1]))].mean(axis=-1).T
    return a, b
