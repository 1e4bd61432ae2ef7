"""Events of a panel, and the responses of all ROIs to them, read some ROIs at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice
from netlib.openscope.parameters import StimPar
from netlib.openscope.responses import integrated_response
from netlib.openscope.session import Session
from netlib.openscope.windows import BLOCK

__all__ = [
    "Responses",
    "edge_events",
    "event_responses",
    "locked_events",
    "paired_events",
    "split_events",
    "split_responses",
    "windows_of_rois",
]


class Responses(NamedTuple):
    """Integrated responses: ``values`` (trials, rois) in dF/F s, ``unexpected`` (trials,), ``events`` (rows of trials).

    ``rois`` are the numbers of the ROIs, those without a NaN.
    """

    values: np.ndarray
    unexpected: np.ndarray
    events: pd.DataFrame
    rois: np.ndarray


def paired_events(session: Session, stimpar: StimPar) -> pd.DataFrame:
    """D of expected and U of unexpected sequences, in order of time (split "by_exp")."""
    orientations = None if stimpar.gab_ori == "none" else list(stimpar.gab_ori)
    events = session.gabors.select(frame=["D", "U"], orientation=orientations, kappa=stimpar.gabk)
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


def windows_of_rois(
    session: Session, events: pd.DataFrame, pre: float, post: float, scale: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """Windows of some ROIs at a time: (numbers of the ROIs, (trials, rois, time), events whose window was complete)."""
    frames = max(1, round((pre + post) * session.fps))
    step = max(8, BLOCK // (len(events) * frames))
    for first in range(0, session.n_rois, step):
        rois = np.arange(first, min(first + step, session.n_rois))
        data = session.dff(events, pre, post, rois=rois, scale=scale)
        yield rois, data.values, events.loc[data["trial"].values]


def event_responses(
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
    for _, values, kept in windows_of_rois(session, events, pre, post, scale):  # noqa: B007
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
    return event_responses(session, events, start, stimpar.post, scale, locked)
