"""From a recording that was imaged to a session: the same object as one read from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.recording import Recording
from netlib.recordings.two_photon.session import Session
from netlib.recordings.two_photon.session_metadata import SessionMetadata
from netlib.recordings.two_photon.session_signals import (
    pupil_traces,
    roi_masks,
    roi_numbers,
    running_speed,
    session_numbers,
)
from netlib.stimuli.schedule import Schedule
from netlib.units import check_integer, check_type

__all__ = ["session_from_recording"]


def session_from_recording(
    recording: Recording,
    schedule: Schedule,
    seed: int = 0,
    *,
    truth: pd.DataFrame | None = None,
    running: np.ndarray | None = None,
    roi_ids: ArrayLike | None = None,
    tracking_ids: ArrayLike | None = None,
    metadata: SessionMetadata | Mapping[str, Any] | None = None,
    field: int = 64,
) -> Session:
    """Session of the imaged cells of a recording, which saw a schedule.

    Time 0 of the recording is the first two-photon frame of the schedule.

    Parameters
    ----------
    recording : Recording
        With the trace ``dff`` (:func:`netlib.recordings.fluorescence.microscope.image`, at the frame rate of the
        schedule).
    schedule : Schedule
        What was shown.
    seed : int
        Master seed of what the recording does not hold: running, pupil, outlines, identifiers.
    truth : DataFrame, optional
        What is known of the imaged cells, one row each; ``roi_id`` is put first.
    running : ndarray, shape (n_stim,), optional
        Running velocity (cm/s); by default one unrelated to the recording.
    roi_ids, tracking_ids : array_like, shape (n_cells,), optional
        By default identifiers of 9 digits, and no tracking.
    metadata : SessionMetadata or dict, optional
        Completes the identifiers of session and mouse, drawn from the seed.
    field : int
        Side of the images and masks (pixels); 512 in published files.

    Raises
    ------
    ValueError
        If the recording was not imaged, or its frames are not those of the schedule.
    """
    check_type("recording", recording, Recording)
    check_type("schedule", schedule, Schedule)
    field = check_integer("field", field, 8, 4096, unit="pixels")
    if "dff" not in recording.traces:
        raise ValueError(
            f"recording has the traces {sorted(recording.traces)}: it must have 'dff', "
            "which netlib.recordings.fluorescence.microscope.image adds"
        )
    trace = recording.traces["dff"]
    n_cells, n_frames = trace.values.shape
    period = 1000.0 / schedule.twop_fps
    if n_frames != len(schedule.twop_times) or abs(trace.dt - period) > 1e-6 * period:
        raise ValueError(
            f"dff has {n_frames} frames of {trace.dt:.6g} ms, the schedule {len(schedule.twop_times)} "
            f"of {period:.6g} ms: image at its frame rate and for as long as it lasts"
        )
    roi_ids = roi_numbers(seed, n_cells) if roi_ids is None else np.asarray(roi_ids)
    running = running_speed(seed, schedule.stim_times) if running is None else np.asarray(running, float)
    speed = np.interp(schedule.twop_times, schedule.stim_times, running)
    masks, projection = roi_masks(seed, n_cells, field)
    order = np.argsort(recording.spike_index, kind="stable")
    edges = np.searchsorted(recording.spike_index[order], np.stack([trace.cells, trace.cells + 1]))
    seconds = recording.spike_time[order] / 1000.0 + schedule.twop_times[0]
    numbers = {**session_numbers(seed), "stim_seed": schedule.seed, "description": "simulated"}
    given = SessionMetadata.of(metadata).known()
    return Session.from_arrays(
        dff=trace.values.T,
        twop_times=schedule.twop_times,
        stim_times=schedule.stim_times,
        trials=schedule.trials,
        running=running,
        pupil=pupil_traces(seed, schedule.twop_times, speed),
        roi_ids=roi_ids,
        tracking_ids=tracking_ids,
        masks=masks,
        max_projection=projection,
        metadata=dataclasses.replace(SessionMetadata(**numbers), **given),
        spikes=[seconds[a:b] for a, b in edges.T],
        truth=None if truth is None else _numbered(truth, roi_ids),
    )


def _numbered(truth: pd.DataFrame, roi_ids: np.ndarray) -> pd.DataFrame:
    if len(truth) != len(roi_ids):
        raise ValueError(f"truth has {len(truth)} rows: it must have one per imaged cell, {len(roi_ids)}")
    table = truth.reset_index(drop=True)
    return table.drop(columns=[c for c in ("roi_id",) if c in table]).pipe(
        lambda rest: pd.concat([pd.Series(roi_ids, name="roi_id"), rest], axis=1)
    )
