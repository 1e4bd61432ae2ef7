"""Events of a panel and the responses of all ROIs to them, read some ROIs at a time.

Responses around events: windows and their time axes, integrated responses, and traces pooled over cells:
Windows have shape (trials, rois, time). Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023.

Responses relative to those of the first session, mouse by mouse:
Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 2C, 5B and 7A: every ROI's response to a frame is
divided by the mean over ROIs of the same mouse's response to the expected frame in session 1; U is compared with D.

Unexpected against expected responses: differences per ROI, over a group, and early against late in a session:
Responses have shape (trials, rois): integrated responses of :func:`netlib.openscope.responses`.
Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 2, 3 and 6.

How much responses to two stimuli changed between sessions, and whether one changed more:
Published analysis: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Fig. 7B and E.

Running and pupil around surprise: one difference for each stretch of expected and unexpected sequences:
Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figure 8.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.openscope.parameters import StimPar
from netlib.openscope.session import Session
from netlib.statistics.permutation import PermutationResult, compare_samples, joint_difference_test, permutation_result
from netlib.statistics.resampling import blocks, generator

__all__ = [
    "FLOW_PAIRS",
    "GABOR_PAIRS",
    "Responses",
    "SequenceTraces",
    "StimulusPair",
    "Summary",
    "block_differences",
    "block_test",
    "change",
    "early_and_late",
    "edge_events",
    "flow_means",
    "frame_means",
    "group_relative",
    "integrated_response",
    "locked_events",
    "paired_events",
    "pool_traces",
    "pooled_difference",
    "published_stretched_times",
    "reference_responses",
    "relative_responses",
    "responses",
    "roi_differences",
    "run_numbers",
    "sequence_traces",
    "split_events",
    "stimulus_change",
    "summarise",
    "third_differences",
    "window_length",
    "window_times",
    "windows",
]


# -------------------- Responses around events: windows and their time axes, integrated responses, and traces ...


class Summary(NamedTuple):
    """Centre and error of values, and how many of them counted. Quartiles have a first axis of 2 (low, high)."""

    center: np.ndarray
    error: np.ndarray
    n: np.ndarray


class SequenceTraces(NamedTuple):
    """Traces around one kind of event.

    ``per_roi`` (rois, time) averages over sequences; ``center`` and ``error`` (time,) summarise it over ROIs.
    ``n_sequences`` counts events and ``n_rois`` the ROIs with a number in ``per_roi`` at each time.
    """

    per_roi: np.ndarray
    center: np.ndarray
    error: np.ndarray
    n_sequences: int
    n_rois: np.ndarray


def window_length(pre: float, post: float, fps: float) -> tuple[int, int]:
    """Frames before and after an event: frames ``ref - n_pre`` to ``ref + n_post - 1`` are the window.

    Parameters
    ----------
    pre, post : float
        Time before and after the event (s); a negative one starts the window late, or ends it early.
    fps : float
        Frame rate (Hz).

    Examples
    --------
    >>> window_length(0.9, 0.6, 30.08), window_length(0, 0.45, 30.08)
    ((27, 18), (0, 14))
    """
    fps = check_number("fps", fps, "Hz", 0, low_open=True)
    n_pre, n_post = (round(check_number(name, x, "s") * fps) for name, x in (("pre", pre), ("post", post)))
    if n_pre + n_post < 1:
        raise ValueError(f"pre = {pre:g} s and post = {post:g} s leave no frame at {fps:g} Hz")
    return n_pre, n_post


def window_times(pre: float, post: float, fps: float) -> np.ndarray:
    """Time of each frame of a window from its event (s): ``(k - n_pre) / fps``.

    Examples
    --------
    >>> window_times(0.1, 0.1, 30.0).round(4).tolist()
    [-0.1, -0.0667, -0.0333, 0.0, 0.0333, 0.0667]
    """
    n_pre, n_post = window_length(pre, post, fps)
    return np.arange(-n_pre, n_post) / fps


def published_stretched_times(pre: float, post: float, fps: float) -> np.ndarray:
    """Time axis of the published figures (s), for comparison with them only: ``linspace(-pre, post, n)``.

    Its last label is ``post``, one frame late, so labels are stretched by n / (n - 1), by up to about 35 ms.
    :func:`window_times` is right.

    Examples
    --------
    >>> published_stretched_times(0.1, 0.1, 30.0).round(4).tolist()
    [-0.1, -0.06, -0.02, 0.02, 0.06, 0.1]
    """
    return np.linspace(-pre, post, sum(window_length(pre, post, fps)))


def integrated_response(windows: ArrayLike, fps: float, *, frames: slice | None = None) -> np.ndarray:
    """Integral of each window over time: the sum over its frames, divided by the frame rate.

    Parameters
    ----------
    windows : array_like, shape (..., time)
        Such as (trials, rois, time), in dF/F.
    fps : float
        Frame rate (Hz).
    frames : slice, optional
        Frames to take; by default all.

    Returns
    -------
    ndarray, shape (...)
        In dF/F s. No baseline is subtracted. A window with a NaN frame gives NaN.
    """
    windows = _windows("windows", windows, 1)
    fps = check_number("fps", fps, "Hz", 0, low_open=True)
    taken = windows if frames is None else windows[..., frames]
    if taken.shape[-1] == 0:
        raise ValueError(f"frames = {frames!r} holds no frame: windows have {windows.shape[-1]}")
    return taken.sum(-1) / fps


def summarise(values: ArrayLike, axis: int = 0, *, stats: str = "mean", error: str = "sem") -> Summary:
    """Centre and error of values along one axis; NaN is left out.

    Parameters
    ----------
    values : array_like
        Values.
    axis : int
        Along which axis.
    stats : {"mean", "median"}
        Centre.
    error : {"sem", "std"}
        With the mean: standard error (ddof 1) or standard deviation (ddof 0). With the median: median absolute
        deviation for "sem", quartiles (25, 75 %, on a new first axis) for "std".

    Returns
    -------
    Summary
        NaN where nothing counted; a standard error of one value is NaN.

    Examples
    --------
    >>> summary = summarise([1.0, 2.0, 3.0, float("nan")])
    >>> float(summary.center), round(float(summary.error), 4), int(summary.n)
    (2.0, 0.5774, 3)
    """
    check_choice("stats", stats, ("mean", "median"))
    check_choice("error", error, ("sem", "std"))
    values = np.moveaxis(_windows("values", values, 1), axis, 0)
    n = np.isfinite(values).sum(0)
    if stats == "mean":
        center, spread = _mean_and_error(values, n, error)
        return Summary(center, spread, n)
    filled = np.where(n == 0, 0.0, values)  # an all-NaN column would warn
    center = np.nanmedian(filled, axis=0)
    spread = (
        np.nanmedian(np.abs(filled - center), axis=0) if error == "sem" else np.nanpercentile(filled, [25, 75], axis=0)
    )
    return Summary(np.where(n == 0, np.nan, center), np.where(n == 0, np.nan, spread), n)


def sequence_traces(windows: ArrayLike, *, stats: str = "mean", error: str = "sem") -> SequenceTraces:
    """Trace of each ROI over sequences, then their centre and error over ROIs (section "sequential pooling").

    Statistics are pooled one axis after the other, and the error is taken over the last of them only, ROIs: it says
    nothing about the variability of sequences, nor of mice.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        One kind of event; NaN is left out.
    stats, error : str
        As in :func:`summarise`.
    """
    windows = _windows("windows", windows, 3)
    if windows.ndim != 3:
        raise ValueError(f"windows has shape {windows.shape}: it must be (trials, rois, time)")
    per_roi = summarise(windows, 0, stats=stats, error=error).center
    pooled = summarise(per_roi, 0, stats=stats, error=error)
    return SequenceTraces(per_roi, pooled.center, pooled.error, len(windows), pooled.n)


def pool_traces(
    traces: list[SequenceTraces] | tuple[SequenceTraces, ...], *, stats: str = "mean", error: str = "sem"
) -> SequenceTraces:
    """Traces of a group of sessions: their ROIs are pooled, so a session counts by its number of ROIs.

    Raises
    ------
    ValueError
        If there is none, or their windows differ in length.
    """
    if not traces:
        raise ValueError("traces is empty: it must hold the traces of at least one session")
    lengths = {t.per_roi.shape[1] for t in traces}
    if len(lengths) > 1:
        raise ValueError(f"traces have {sorted(lengths)} frames: all must have the same number")
    per_roi = np.concatenate([t.per_roi for t in traces])
    pooled = summarise(per_roi, 0, stats=stats, error=error)
    return SequenceTraces(per_roi, pooled.center, pooled.error, sum(t.n_sequences for t in traces), pooled.n)


def _windows(name: str, value: ArrayLike, ndim: int) -> np.ndarray:
    """Return an array of floats; NaN may be in it, infinities may not."""
    array = np.asarray(value, dtype=float)
    if array.ndim < ndim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: it must have {ndim} dimensions or more and hold a number")
    if np.isinf(array).any():
        where = tuple(int(i) for i in np.argwhere(np.isinf(array))[0])
        raise ValueError(f"{name}{list(where)} is infinite: it must hold finite numbers, or NaN where unknown")
    return array


def _mean_and_error(values: np.ndarray, n: np.ndarray, error: str) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=0) / n
        squares = np.nansum((values - mean) ** 2, axis=0)
        if error == "std":
            return mean, np.where(n > 0, np.sqrt(squares / n), np.nan)
        spread = np.sqrt(squares / (n - 1) / n)
    return mean, np.where(n > 1, spread, np.nan)


def check_trials(name: str, value: ArrayLike, n_trials: int) -> np.ndarray:
    """Return one bool per trial, or raise an error that names them; both kinds must occur."""
    flags = np.asarray(value)
    if flags.shape != (check_integer("n_trials", n_trials, 1),):
        raise ValueError(f"{name} has shape {flags.shape}: it must be ({n_trials},), one per trial")
    if flags.dtype != bool:
        numbers = flags.astype(float)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise ValueError(f"{name} must hold only True and False (or 1 and 0)")
        flags = numbers.astype(bool)
    if flags.all() or not flags.any():
        raise ValueError(f"{name} is {bool(flags[0])} for every trial: both kinds must occur")
    return flags


# -------------------- Events of a panel and the responses of all ROIs to them, read some ROIs at a time


LETTERS = "ABCD"
#: Values of the windows held at once (64 MB).
BLOCK = 8_000_000


class Responses(NamedTuple):
    """Integrated responses: ``values`` (trials, rois) in dF/F s, ``unexpected`` (trials,), ``events`` (rows of trials).

    ``rois`` are the numbers of the ROIs, those without a NaN.
    """

    values: np.ndarray
    unexpected: np.ndarray
    events: pd.DataFrame
    rois: np.ndarray


def _orientations(stimpar: StimPar) -> list[int] | None:
    return None if stimpar.gab_ori == "none" else list(stimpar.gab_ori)


def paired_events(session: Session, stimpar: StimPar) -> pd.DataFrame:
    """D of expected and U of unexpected sequences, in order of time (split "by_exp")."""
    events = session.gabors.select(frame=["D", "U"], orientation=_orientations(stimpar), kappa=stimpar.gabk)
    if events["unexpected"].nunique() < 2:
        raise ValueError(f"{session} has only {'un' * bool(events['unexpected'].iloc[0])}expected sequences: need both")
    return events


def locked_events(session: Session, stimpar: StimPar, split: str = "unexp_lock") -> pd.DataFrame:
    """First rows of the runs of unexpected ("unexp_lock") or expected ("exp_lock") visual flow that follow another."""
    flow = session.visflow
    directions = stimpar.visflow_dir if isinstance(stimpar.visflow_dir, str) else list(stimpar.visflow_dir)
    events = flow.select(
        unexpected=split == "unexp_lock", direction=directions, size=stimpar.visflow_size, first_of_run=True
    )
    runs = flow.runs()
    opening = runs.loc[runs["opens_block"], "start_seg"]
    events = events[~events.index.isin(opening)]
    if events.empty:
        raise ValueError(f"{session} has no visual flow that turns {'un' * (split == 'unexp_lock')}expected")
    return events


def edge_events(session: Session, split: str) -> pd.DataFrame:
    """First rows after the gray screen ("stim_onset"), or first gray rows after a stimulus ("stim_offset")."""
    gray = (session.trials["stimulus_type"] == "grayscreen").to_numpy()
    before = np.roll(gray, 1)
    turns = before & ~gray if split == "stim_onset" else gray & ~before
    turns[0] = False
    if not turns.any():
        raise ValueError(f"{session} has no {'start' if split == 'stim_onset' else 'end'} of a stimulus beside gray")
    return session.trials[turns]


def split_events(session: Session, stimpar: StimPar, split: str) -> pd.DataFrame:
    """Events of a split: "by_exp", "unexp_lock", "exp_lock", "stim_onset" or "stim_offset"."""
    check_choice("split", split, ("by_exp", "unexp_lock", "exp_lock", "stim_onset", "stim_offset"))
    if split == "by_exp":
        return paired_events(session, stimpar)
    return edge_events(session, split) if split.startswith("stim") else locked_events(session, stimpar, split)


def windows(
    session: Session, events: pd.DataFrame, pre: float, post: float, scale: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """Windows of some ROIs at a time: (numbers of the ROIs, (trials, rois, time), events whose window was complete)."""
    frames = max(1, round((pre + post) * session.fps))
    step = max(8, BLOCK // (len(events) * frames))
    for first in range(0, session.n_rois, step):
        rois = np.arange(first, min(first + step, session.n_rois))
        data = session.dff(events, pre, post, rois=rois, scale=scale)
        yield rois, data.values, events.loc[data["trial"].values]


def responses(
    session: Session, events: pd.DataFrame, pre: float, post: float, scale: bool, locked: bool = False
) -> Responses:
    """Integrated response of each ROI to each event.

    Parameters
    ----------
    session : Session
    events : DataFrame
        Rows of the trials table.
    pre, post : float
        Window (s).
    scale : bool
        Scale the dF/F of each ROI robustly over the session.
    locked : bool
        Take what precedes each event, ``pre``, as the expected and what follows, ``post``, as the unexpected
        response: twice as many rows, those of before first. Otherwise the window is one response and the
        table says whether it was unexpected.

    Returns
    -------
    Responses
        ROIs with a NaN are left out.
    """
    parts, kept = [], events
    for _, values, kept in windows(session, events, pre, post, scale):  # noqa: B007
        if locked:
            n_pre = round(pre * session.fps)
            halves = values[..., :n_pre], values[..., n_pre:]
            parts.append(np.concatenate([integrated_response(half, session.fps) for half in halves]))
        else:
            parts.append(integrated_response(values, session.fps))
    table = np.concatenate(parts, axis=1)
    good = np.isfinite(table).all(axis=0)
    if not good.any():
        raise ValueError(f"every ROI of {session} has NaN in its responses")
    unexpected = np.repeat([False, True], len(kept)) if locked else kept["unexpected"].to_numpy() == 1
    return Responses(table[:, good], unexpected, kept, np.flatnonzero(good))


def split_responses(session: Session, stimpar: StimPar, split: str, scale: bool, pre: float | None = None) -> Responses:
    """Responses of the index and of the differences: D and U over the ``post`` window, or before and after onsets.

    For "by_exp" the window starts at the event, for the locked splits it is ``pre`` before and ``post`` after.
    """
    events, locked = split_events(session, stimpar, split), split != "by_exp"
    start = (stimpar.pre if pre is None else pre) if locked else 0.0
    return responses(session, events, start, stimpar.post, scale, locked)


# -------------------- Responses relative to those of the first session, mouse by mouse


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


# -------------------- Unexpected against expected responses: differences per ROI, over a group, and early against ...


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
        As in :func:`netlib.statistics.permutation.joint_difference_test`; two-tailed. The paper: 100,000 shuffles,
        "label", 0.05 and 24. Unexpected sequences come in runs: where responses remember the one before, the free
        shuffle "label" has a null that is too narrow, and "block" is right.

    Returns
    -------
    summary : Summary
        Mean, standard error (ddof 1) and number of ROIs: ROIs of one mouse count as independent.
    test : PermutationResult
        For two sessions see :func:`netlib.statistics.permutation.compare_samples` on differences per ROI.
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
        ``change = late - early``. Its test: :func:`netlib.statistics.permutation.compare_samples` of early and late,
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


# -------------------- How much responses to two stimuli changed between sessions, and whether one changed more


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


# -------------------- Running and pupil around surprise: one difference for each stretch of expected and ...


def run_numbers(*keys: ArrayLike) -> np.ndarray:
    """Number of the run of equal values that each trial belongs to, from 0.

    Parameters
    ----------
    *keys : array_like, shape (trials,)
        A run ends where any of them changes.

    Examples
    --------
    >>> run_numbers([0, 0, 1, 1, 0]).tolist(), run_numbers([0, 0, 0], ["a", "b", "b"]).tolist()
    ([0, 0, 1, 1, 2], [0, 1, 1])
    """
    columns = [np.asarray(key) for key in keys]
    if not columns or any(c.ndim != 1 or c.shape != columns[0].shape or c.size == 0 for c in columns):
        raise ValueError(f"keys have shapes {[c.shape for c in columns]}: they must be equal and (trials,), not empty")
    change = np.zeros(len(columns[0]), bool)
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.cumsum(change)


def block_differences(values: ArrayLike, unexpected: ArrayLike, part: ArrayLike | None = None) -> pd.DataFrame:
    """Mean over unexpected minus mean over expected sequences, for each block.

    A block is a run of consecutive expected sequences and the unexpected run that follows. Expected sequences that no
    unexpected ones follow, and unexpected ones that no expected ones precede, belong to no block.

    Parameters
    ----------
    values : array_like, shape (trials,) or (trials, time)
        Running (cm/s) or pupil (mm) at each sequence, in order of time. Windows are averaged over time. NaN is left
        out.
    unexpected : array_like of bool, shape (trials,)
        Which sequences are unexpected.
    part : array_like, shape (trials,), optional
        Part of the session (such as the main direction of flow); no block crosses from one to another.

    Returns
    -------
    DataFrame, one row per block
        ``first_trial``, ``n_expected`` and ``n_unexpected`` (numbers that are not NaN), ``expected``, ``unexpected``
        and ``difference``. The means are NaN in a block without a number on one side.

    Examples
    --------
    >>> block_differences([1.0, 2, 3, 9, 1], [0, 0, 1, 1, 0])[["n_expected", "difference"]].values.tolist()
    [[2.0, 4.5]]
    """
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(f"values has shape {values.shape}: it must be (trials,) or (trials, time)")
    known = np.isfinite(values)
    if values.ndim == 2:
        with np.errstate(invalid="ignore"):
            values = np.where(known, values, 0.0).sum(1) / known.sum(1)
    unexpected = check_trials("unexpected", unexpected, len(values))
    part = np.zeros(len(values)) if part is None else np.asarray(part)
    runs = run_numbers(part, unexpected)
    starts = np.flatnonzero(np.r_[True, np.diff(runs) > 0])
    rows = []
    for k in range(len(starts) - 1):
        a, b = starts[k], starts[k + 1]
        c = starts[k + 2] if k + 2 < len(starts) else len(values)
        if unexpected[a] or part[a] != part[b]:
            continue
        before, after = (x[np.isfinite(x)] for x in (values[a:b], values[b:c]))
        left, right = (x.mean() if x.size else np.nan for x in (before, after))
        rows.append((a, before.size, after.size, left, right, right - left))
    columns = ["first_trial", "n_expected", "n_unexpected", "expected", "unexpected", "difference"]
    if not rows:
        raise ValueError("unexpected holds no expected run followed by an unexpected one: there is no block")
    return pd.DataFrame(rows, columns=columns)


def block_test(
    blocks: pd.DataFrame, *, n_permutations: int = 10_000, seed: int = 905, alpha: float = 0.05, multcomp: int = 1
) -> tuple[Summary, PermutationResult]:
    """Mean difference over blocks and its paired test: the two sides of each block are swapped or not.

    Parameters
    ----------
    blocks : DataFrame
        Of :func:`block_differences`; those of several sessions may be stacked (``pandas.concat``). Blocks with a NaN
        are left out.
    n_permutations, seed, alpha, multcomp
        As in :func:`netlib.statistics.permutation.compare_samples`; two-tailed. The paper: 10,000, not corrected.

    Returns
    -------
    summary : Summary
        Mean, standard error (ddof 1) and number of blocks.
    test : PermutationResult
    """
    sides = blocks[["expected", "unexpected"]].dropna().to_numpy(float)
    if not len(sides):
        raise ValueError("blocks holds no block with a number on both sides")
    test = compare_samples(
        sides[:, 0], sides[:, 1], paired=True, n_permutations=n_permutations, seed=seed, alpha=alpha, multcomp=multcomp
    )
    return summarise(sides[:, 1] - sides[:, 0]), test
