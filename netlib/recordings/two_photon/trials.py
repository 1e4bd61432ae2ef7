"""The table of stimulus segments of a session: its columns, and what a table must hold to be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.units import check_type

__all__ = ["COLUMNS", "RAGGED", "STIMULI", "checked_trials", "parameter_values", "split_ragged"]

#: Columns of one value per row, in order, and what each holds.
COLUMNS = {
    "stimulus_type": "Kind of stimulus: gabors, visflow or grayscreen.",
    "stimulus_template_name": "Name of the images of the stimulus.",
    "unexpected": "1 in an unexpected sequence or flow, 0 in an expected one, NaN for gray.",
    "gabor_frame": "Letter of the Gabor frame: A, B, C, D, U or G.",
    "gabor_kappa": "Concentration of the orientations of the patches (von Mises).",
    "gabor_mean_orientation": "Mean orientation of the patches (degrees).",
    "gabor_number": "Number of Gabor patches.",
    "main_flow_direction": "Direction of the flow: right (temp) or left (nasal).",
    "square_size": "Side of the squares of the flow (pixels).",
    "square_number": "Number of squares of the flow.",
    "square_proportion_flipped": "Proportion of the squares that move against the flow.",
    "start_frame_stim_template": "Index of the first image in the images of the stimulus.",
    "start_frame_stim": "First stimulus frame.",
    "stop_frame_stim": "Stimulus frame after the last.",
    "num_frames_stim": "Number of stimulus frames.",
    "start_frame_twop": "First two-photon frame.",
    "stop_frame_twop": "Two-photon frame after the last.",
    "num_frames_twop": "Number of two-photon frames.",
    "start_time_sec": "Start (s).",
    "stop_time_sec": "Stop (s).",
    "duration_sec": "Duration (s).",
}
#: Columns of one array per row.
RAGGED = {
    "gabor_locations_x": "Position of each patch from the middle of the screen, to the right (pixels).",
    "gabor_locations_y": "Position of each patch from the middle of the screen, upwards (pixels).",
    "gabor_sizes": "Size of each patch (pixels).",
    "gabor_orientations": "Orientation of each patch (degrees).",
    "square_locations_x": "Position of each square in each frame, to the right (pixels).",
    "square_locations_y": "Position of each square in each frame, upwards (pixels).",
}
#: Kinds of stimulus and the columns they need beyond the common ones.
STIMULI = {"gabors": ("gabor_frame", "gabor_mean_orientation"), "visflow": ("main_flow_direction",), "grayscreen": ()}

TEXT = ("stimulus_type", "stimulus_template_name", "gabor_frame", "main_flow_direction")
FRAMES = ("start_frame_stim", "stop_frame_stim", "start_frame_twop", "stop_frame_twop")
NEEDED = ("stimulus_type", "unexpected", *FRAMES, "start_time_sec", "stop_time_sec")
FILE_NAMES = {"start_time": "start_time_sec", "stop_time": "stop_time_sec"}


def checked_trials(trials: pd.DataFrame, n_stim: int, n_twop: int, where: str = "trials") -> pd.DataFrame:
    """Return the table with all of :data:`COLUMNS` in order, or raise an error that says what is wrong.

    ``start_time`` and ``stop_time``, the names in a file, are renamed; durations and numbers of frames are
    computed; columns that no stimulus of the table needs are filled with NaN or "". Other columns of one
    value per row are kept, those of :data:`RAGGED` dropped (see :func:`split_ragged`). The index is ``id``.

    Parameters
    ----------
    trials : DataFrame
        One row per segment.
    n_stim, n_twop : int
        Frames on both clocks.
    where : str
        What to call the table in errors.

    Raises
    ------
    KeyError
        If a needed column is missing.
    ValueError
        If the table is empty, holds an unknown stimulus, rows out of order, or frames outside the recording.
    """
    table = check_type(where, trials, pd.DataFrame).rename(columns=FILE_NAMES)
    table = table.drop(columns=[c for c in RAGGED if c in table])
    if table.empty:
        raise ValueError(f"{where} is empty: it must have one row per stimulus segment")
    _need(table, NEEDED, where)
    for kind in sorted({_text(value) for value in table["stimulus_type"]}):
        if kind not in STIMULI:
            raise ValueError(f"{where}.stimulus_type holds {kind!r}: it must be one of {', '.join(map(repr, STIMULI))}")
        _need(table, STIMULI[kind], f"{where} (with {kind})")
    for name in TEXT:
        table[name] = [_text(value) for value in table[name].to_numpy()] if name in table else ""
    for name in COLUMNS.keys() - set(TEXT):
        if name in table or name not in ("duration_sec", "num_frames_stim", "num_frames_twop"):
            table[name] = _numbers(table[name] if name in table else np.full(len(table), np.nan), name, where)
    for name in FRAMES:
        table[name] = _whole(table[name], name, where)
    table["num_frames_stim"] = table["stop_frame_stim"] - table["start_frame_stim"]
    table["num_frames_twop"] = table["stop_frame_twop"] - table["start_frame_twop"]
    table["duration_sec"] = table["stop_time_sec"] - table["start_time_sec"]
    for clock, n in (("stim", n_stim), ("twop", n_twop)):
        _within(table, clock, n, where)
    if not (np.diff(table["start_time_sec"]) > 0).all():
        row = int(np.argmin(np.diff(table["start_time_sec"]) > 0)) + 1
        raise ValueError(f"{where}.start_time_sec does not increase at row {row}: rows must be in order of time")
    table.index = pd.RangeIndex(len(table), name="id")
    return table[[*COLUMNS, *(c for c in table if c not in COLUMNS)]]


def split_ragged(trials: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """Columns of one array per row, those with any value: one float array per row, empty where there is none."""
    found = {name: [_array(v) for v in trials[name]] for name in RAGGED if name in trials}
    return {name: rows for name, rows in found.items() if any(row.size for row in rows)}


def _array(value: Any) -> np.ndarray:
    if value is None or np.isscalar(value):  # a bare NaN says "none"
        return np.empty(0)
    return np.asarray(value, float)


def _need(table: pd.DataFrame, names: Sequence[str], where: str) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise KeyError(f"{where} lacks the columns {missing}: it has {list(map(str, table.columns))}")


def _text(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return "" if text.lower() in ("nan", "none", "<na>") else text


def _numbers(values: Any, name: str, where: str) -> np.ndarray:
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(f"{where}.{name} holds values that are not numbers") from None


def _whole(values: pd.Series, name: str, where: str) -> np.ndarray:
    bad = ~np.isfinite(values) | (values % 1 != 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{where}.{name} = {values.iloc[row]} at row {row} is not a frame: it must be a whole number")
    return values.to_numpy().astype(np.int64)


def _within(table: pd.DataFrame, clock: str, n: int, where: str) -> None:
    start, stop = (table[f"{edge}_frame_{clock}"].to_numpy() for edge in ("start", "stop"))
    bad = (start < 0) | (stop > n) | (stop <= start)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{where} row {row} spans {clock} frames [{start[row]}, {stop[row]}): "
            f"it must be a part, not empty, of the recording's [0, {n})"
        )


def parameter_values(rows: pd.DataFrame, names: Sequence[str]) -> Mapping[str, list]:
    """Values that occur in some columns, in order, without NaN and ""."""
    return {name: sorted(v for v in rows[name].dropna().unique().tolist() if v != "") for name in names}
