"""Sessions of behaviour as NWB files: the recording, and the behaviours as a table of intervals."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.recordings.files.nwb_parts import add_scratch, import_pynwb
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS
from netlib.recordings.operant.behaviour_session import BehaviourSession, as_pathway
from netlib.recordings.operant.imetronic import COLUMNS, empty_events
from netlib.units import check_type

__all__ = ["INTERVALS", "read_behaviour_nwb", "write_behaviour_nwb"]

#: Name of the table of intervals, and the key under which the provenance holds the labels of the session.
INTERVALS, LABELS = "behaviours", "behaviour_session"


def write_behaviour_nwb(session: BehaviourSession, path: str | os.PathLike) -> Path:
    """Write a session to one NWB file, atomically; :func:`read_behaviour_nwb` reads it back.

    The recording is written by :func:`netlib.recordings.files.nwb_recording.write_recording`; behaviours become a
    ``TimeIntervals`` table "behaviours" with a column ``label``; rows of the ``.dat``, amplitudes and footprints (the
    pixels that are not 0) go to the scratch. ``truth`` is not written.

    Raises
    ------
    ValueError
        If the session has no recording.
    """
    from netlib.recordings.files.nwb_recording import write_recording

    pynwb = import_pynwb()
    if check_type("session", session, BehaviourSession).recording is None:
        raise ValueError(f"{session!r} has no recording: an NWB file needs one")
    path = Path(path)
    labels = {name: getattr(session, name) for name in ("mouse", "pathway", "session", "schedule", "duration")}
    if session.footprints is not None:
        labels["field"] = list(session.footprints.shape[1:])
    facts = {**session.recording.provenance, LABELS: labels}
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.nwb")
    try:
        recording = dataclasses.replace(session.recording, provenance=facts)
        write_recording(recording, temporary, subject={"subject_id": session.mouse}, location="STRd")
        with pynwb.NWBHDF5IO(temporary, "a") as io:
            file = io.read()
            _add_behaviour(file, session)
            io.write(file)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _add_behaviour(file: Any, session: BehaviourSession) -> None:
    from pynwb.epoch import TimeIntervals

    table = TimeIntervals(name=INTERVALS, description="Behaviours of the mouse, exclusive and in order of time.")
    table.add_column(name="label", description=f"One of {', '.join(BEHAVIOURS)}.")
    for onset, offset, label in session.intervals.itertuples(index=False):
        table.add_row(start_time=onset / 1000.0, stop_time=offset / 1000.0, label=label)
    if len(table):
        file.add_time_intervals(table)
    if len(session.events):
        columns = {name: session.events[name].to_numpy() for name in COLUMNS}
        add_scratch(file, "box_events", "Rows of the operant box's file, time in ms.", columns)
    if session.amplitudes is not None and len(session.amplitudes):
        order = np.lexsort((session.recording.spike_index, session.recording.spike_time))  # that of the file
        add_scratch(
            file, "amplitudes", "Amplitude of each event.", {"amplitude": np.asarray(session.amplitudes)[order]}
        )
    if session.footprints is not None:
        cell, row, column = np.nonzero(session.footprints)
        pixels = {"cell": cell, "row": row, "column": column, "weight": session.footprints[cell, row, column]}
        add_scratch(file, "footprints", "Pixels of the footprints.", pixels)


def read_behaviour_nwb(
    path: str | os.PathLike,
    *,
    mouse: str | None = None,
    pathway: str | None = None,
    session: int | None = None,
    schedule: str | None = None,
    intervals: str = INTERVALS,
) -> BehaviourSession:
    """Read a session from a file of ours, or from anybody's NWB file with ROIs and a table of the seven behaviours.

    Parameters
    ----------
    path : path
        The file.
    mouse, pathway, session, schedule
        Whose session it is; of a file of ours they are known, and must agree if given.
    intervals : str
        Name of the table of intervals; its column ``label`` holds the behaviours. A file without it gives a session
        without behaviours.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or of another mouse or session than said.
    """
    from netlib.recordings.files.nwb_recording import read_recording
    from netlib.recordings.files.ophys_readers import read_ophys

    given = {"mouse": mouse, "pathway": pathway, "session": session, "schedule": schedule}
    given = {name: value for name, value in given.items() if value is not None}
    ours, tables = _look(path)
    if ours:
        recording = read_recording(path)
        found = dict(recording.provenance.get(LABELS, {}))
    else:
        recording, found = read_ophys(path, intervals=intervals if intervals in tables else None), {}
    for name, value in given.items():
        if found.get(name, value) != value:
            raise ValueError(f"{path} is mis-labelled: it says {name} = {found[name]!r}, expected {value!r}")
    label = {**{name: found[name] for name in ("mouse", "pathway", "session", "schedule") if name in found}, **given}
    lacking = {"mouse", "pathway", "session", "schedule"} - set(label)
    if lacking:
        raise ValueError(f"{path} does not tell {sorted(lacking)}: pass them")
    start = float(recording.provenance.get("start_time", 0.0)) * 1000.0
    parts = _parts(path, intervals, start, len(recording), found.get("field"))
    duration = float(found.get("duration", recording.duration))
    if start or not found:
        parts["intervals"] = _clipped(parts["intervals"], duration)
    if "cell" not in recording.neurons.columns or set(recording.neurons["population"]) != {label["pathway"]}:
        recording = as_pathway(recording, label["pathway"])
    return BehaviourSession(**label, **parts, duration=duration, recording=recording)


def _look(path: str | os.PathLike) -> tuple[bool, set[str]]:
    """Whether a file was written by :mod:`netlib.recordings.files.nwb_recording`, and its tables of intervals."""
    import h5py

    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r} is not a file")
    try:
        with h5py.File(path, "r") as file:
            text = file["general/notes"].asstr()[()] if "general/notes" in file else "{}"
            tables = set(file.get("intervals", {}))
    except (OSError, RuntimeError) as error:
        raise ValueError(f"path = {str(path)!r} is not a whole NWB file ({error})") from error
    try:
        return "netlib_recording" in json.loads(text), tables
    except (ValueError, TypeError):
        return False, tables


def _parts(path: str | os.PathLike, name: str, start: float, n_cells: int, field: list[int] | None) -> dict[str, Any]:
    """Behaviours, box events, amplitudes and footprints that the file holds."""
    import h5py

    with h5py.File(path, "r") as file:
        scratch = file.get("scratch", {})
        tables = {key: _columns(scratch[key]) for key in ("box_events", "amplitudes", "footprints") if key in scratch}
        shown = file.get(f"intervals/{name}")
        shown = None if shown is None else _columns(shown)
    table = pd.DataFrame({"onset": [], "offset": [], "label": []})
    if shown is not None:
        if "label" not in shown:
            raise ValueError(f"{path}: intervals/{name} has no column 'label', which must hold the behaviours")
        onset, offset = (np.round(shown[key] * 1000.0 - start, 6) for key in ("start_time", "stop_time"))
        table = pd.DataFrame({"onset": onset, "offset": offset, "label": shown["label"]})
    events = pd.DataFrame({c: tables["box_events"][c] for c in COLUMNS}) if "box_events" in tables else empty_events()
    images = None
    if "footprints" in tables and field is not None:
        pixels = tables["footprints"]
        images = np.zeros((n_cells, *field), np.float32)
        images[pixels["cell"], pixels["row"], pixels["column"]] = pixels["weight"]
    amplitudes = tables["amplitudes"]["amplitude"] if "amplitudes" in tables else None
    return {"intervals": table, "events": events, "amplitudes": amplitudes, "footprints": images}


def _columns(table: Any) -> dict[str, np.ndarray]:
    found = {}
    for key in table:
        data = table[key]
        if hasattr(data, "dtype"):
            found[key] = data.asstr()[()] if data.dtype.kind == "O" else data[()]
    return found


def _clipped(intervals: pd.DataFrame, duration: float) -> pd.DataFrame:
    """Intervals within the recording, in order of time."""
    ends = {name: intervals[name].clip(0.0, duration) for name in ("onset", "offset")}
    table = intervals.assign(**ends).sort_values("onset", kind="stable", ignore_index=True)
    return table[table["offset"] > table["onset"]].reset_index(drop=True)
