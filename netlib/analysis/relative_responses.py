"""Responses relative to those of the first session, mouse by mouse.

Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 2C, 5B and 7A: every ROI's response to a frame is
divided by the mean over ROIs of the same mouse's response to the expected frame in session 1; U is compared with D.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.event_responses import check_trials
from netlib.units import check_choice, check_number

__all__ = [
    "FLOW_PAIRS",
    "GABOR_PAIRS",
    "flow_means",
    "frame_means",
    "group_relative",
    "reference_responses",
    "relative_responses",
]

#: Which expected column each column is divided by, for Gabor sequences and for visual flow.
GABOR_PAIRS = MappingProxyType(
    {"A": "A", "B": "B", "C": "C", "D": "D", "G": "G", "U": "D", "G_unexpected": "G"},
)
FLOW_PAIRS = MappingProxyType({"expected": "expected", "unexpected": "expected"})
#: Columns averaged into the two published measures. ``rel_reg`` holds A, B and C only.
_MEASURES = {
    "rel_reg": (("A", "B", "C"), ("expected",)),
    "rel_unexp": (("U", "G_unexpected"), ("unexpected",)),
}


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
    responses = _table(responses)
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
    responses = _table(responses)
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


def group_relative(mice: Mapping[object, pd.DataFrame] | Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Group means of the two measures: over pooled ROIs, as published, and over mice.

    Parameters
    ----------
    mice : mapping or sequence of DataFrame
        Of :func:`relative_responses`, one per mouse of the group, the same session. NaN is left out.

    Returns
    -------
    DataFrame, rows ``rel_reg`` and ``rel_unexp``
        ``mean`` and ``sem`` (ddof 1) over ``n_rois`` pooled ROIs; ``mouse_mean`` and ``mouse_sem`` over ``n_mice``
        means of mice. The first treats ROIs of one mouse as independent.
    """
    tables = list(mice.values()) if isinstance(mice, Mapping) else list(mice)
    if not tables:
        raise ValueError("mice is empty: it must hold the table of at least one mouse")
    measures = list(_MEASURES)
    pooled = pd.concat([t[measures] for t in tables], ignore_index=True)
    by_mouse = pd.DataFrame([t[measures].mean() for t in tables])
    columns = {"mean": pooled.mean(), "sem": pooled.sem(ddof=1), "n_rois": pooled.count()}
    return pd.DataFrame(
        columns | {"mouse_mean": by_mouse.mean(), "mouse_sem": by_mouse.sem(ddof=1), "n_mice": by_mouse.count()}
    )


def _table(responses: ArrayLike) -> np.ndarray:
    array = np.asarray(responses, dtype=float)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"responses has shape {array.shape}: it must be (segments, rois), with one of each at least")
    return array


def _mean(rows: np.ndarray, what: str) -> np.ndarray:
    if not len(rows):
        raise ValueError(f"there is no segment of {what}: every kind must occur")
    n = np.isfinite(rows).sum(0)
    with np.errstate(invalid="ignore"):
        return np.nansum(rows, axis=0) / n


def _pairs(table: pd.DataFrame) -> Mapping[str, str]:
    for pairs in (GABOR_PAIRS, FLOW_PAIRS):
        if set(pairs) <= set(table.columns):
            return pairs
    raise ValueError(f"table has columns {list(table.columns)}: it must come from frame_means or flow_means")
