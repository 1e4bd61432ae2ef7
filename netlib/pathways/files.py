"""Sessions of a manifest as objects, whatever their files are: the published tables, CaImAn's HDF5, or NWB.

NWB files, and files in the layout of CaImAn's results, are also written, the latter so that synthetic sessions go
through the reader of real ones.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_type
from netlib.pathways.behaviour import BEHAVIOURS, segment
from netlib.pathways.imetronic import COLUMNS, empty_events, read_imetronic
from netlib.pathways.manifest import Manifest
from netlib.pathways.session import BehaviourSession, as_pathway, check_length
from netlib.pathways.tables import check_label, read_csv_session, read_registration
from netlib.recordings.nwb import add_scratch, import_pynwb, read_recording, write_recording
from netlib.recordings.ophys import read_ophys
from netlib.recordings.readers import read_caiman
from netlib.recordings.recording import Recording

__all__ = [
    "INTERVALS",
    "load_registration",
    "load_session",
    "read_behaviour_nwb",
    "read_caiman_footprints",
    "write_behaviour_nwb",
    "write_caiman",
]


def load_session(manifest: Manifest, mouse: str, session: int, *, footprints: bool = True) -> BehaviourSession:
    """Read one session.

    The activity comes from the published tables if the manifest names them, else from CaImAn's file, else from NWB;
    without any, the session has no recording. The behaviour comes from the ``.dat``, or without one from the NWB file.

    Parameters
    ----------
    manifest : Manifest
        Which files.
    mouse, session
        Which session.
    footprints : bool
        Read the footprints too.

    Raises
    ------
    FileNotFoundError
        If files are missing: all are named.
    ValueError
        If files are damaged, mis-labelled or contradict each other; the file is named.
    """
    files, row = manifest.session_files(mouse, session), manifest.row(mouse, session)
    label = {name: row[name] for name in ("mouse", "pathway", "session", "schedule")}
    if "temporal_components" in files:
        tables = {kind: path for kind, path in files.items() if kind not in ("caiman", "nwb")}
        return read_csv_session(tables, **label, footprints=footprints)
    if "nwb" in files and "caiman" not in files:
        return _from_nwb(files, label, footprints)
    if "dat" not in files:
        raise ValueError(f"session {session} of mouse {mouse!r} has no .dat file: the manifest must name one")
    recording, images = (
        _from_caiman(files["caiman"], label["pathway"], footprints) if "caiman" in files else (None, None)
    )
    return _with_behaviour(files["dat"], label, recording, images)


def _with_behaviour(
    dat: Path, label: dict[str, object], recording: Recording | None, images: np.ndarray | None
) -> BehaviourSession:
    log = read_imetronic(dat)
    check_label(log, label["mouse"], label["session"], str(dat))
    duration = log.end if recording is None else recording.duration
    check_length(log.events, duration, source=str(dat))
    intervals = segment(log.events, duration)
    return BehaviourSession(
        **label, events=log.events, intervals=intervals, duration=duration, recording=recording, footprints=images
    )


def _from_caiman(path: Path, pathway: str, footprints: bool) -> tuple[Recording, np.ndarray | None]:
    recording = as_pathway(read_caiman(path), pathway)
    return recording, read_caiman_footprints(path, recording.neurons["id"]) if footprints else None


def _from_nwb(files: dict[str, Path], label: dict[str, object], footprints: bool) -> BehaviourSession:
    session = read_behaviour_nwb(files["nwb"], **label)
    if not footprints:
        session = dataclasses.replace(session, footprints=None)
    if "dat" not in files:
        return session
    again = _with_behaviour(files["dat"], label, session.recording, session.footprints)
    return dataclasses.replace(again, amplitudes=session.amplitudes)


def load_registration(manifest: Manifest, mouse: str) -> pd.DataFrame:
    """Registered neurons of a mouse: local index in each session (column), -1 where absent.

    Raises
    ------
    ValueError
        If the manifest names no table, or it has not one column for each session.
    """
    path = manifest.registration_file(mouse)
    if path is None:
        raise ValueError(f"mouse {mouse!r} has no registration: the manifest must name a table")
    sessions = manifest.sessions(mouse)
    return pd.DataFrame(read_registration(path, len(sessions)), columns=pd.Index(sessions, name="session"))


# ---------------------------------------------------------------- NWB


#: Name of the table of intervals, and the key under which the provenance holds the labels of the session.
INTERVALS, LABELS = "behaviours", "behaviour_session"


def write_behaviour_nwb(session: BehaviourSession, path: str | os.PathLike) -> Path:
    """Write a session to one NWB file, atomically; :func:`read_behaviour_nwb` reads it back.

    The recording is written by :func:`netlib.recordings.nwb.write_recording`; behaviours become a
    ``TimeIntervals`` table "behaviours" with a column ``label``; rows of the ``.dat``, amplitudes and footprints (the
    pixels that are not 0) go to the scratch. ``truth`` is not written.

    Raises
    ------
    ValueError
        If the session has no recording.
    """
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
    """Whether a file was written by :mod:`netlib.recordings.nwb`, and its tables of intervals."""
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


# ---------------------------------------------------------------- CaImAn


def read_caiman_footprints(path: str | os.PathLike, cells: np.ndarray | None = None) -> np.ndarray | None:
    """Spatial components of CaImAn's HDF5 file as images.

    Parameters
    ----------
    path : path
        The file (:func:`netlib.recordings.readers.read_caiman` checks it).
    cells : ndarray of int, optional
        Components to read, such as ``recording.neurons["id"]``; by default all.

    Returns
    -------
    ndarray of float32, shape (n_cells, height, width), or None
        None where the file does not tell height and width.
    """
    import h5py
    from scipy.sparse import csc_matrix

    with h5py.File(path, "r") as file:
        estimates = file["estimates"]
        dims = estimates["dims"] if "dims" in estimates else file.get("dims")
        dims = None if dims is None or not hasattr(dims, "shape") or dims.size != 2 else dims[()]
        if dims is None:
            return None
        parts = estimates["A"]
        matrix = csc_matrix(
            tuple(parts[name][()] for name in ("data", "indices", "indptr")), shape=tuple(parts["shape"][()])
        )
    height, width = map(int, dims)
    matrix = matrix if cells is None else matrix[:, np.asarray(cells)]
    # Pixels are in Fortran order: down the columns of the image.
    return matrix.T.toarray().astype(np.float32).reshape(-1, width, height).transpose(0, 2, 1)


def write_caiman(session: BehaviourSession, path: str | os.PathLike) -> Path:
    """Write the recording of a session as CaImAn would, atomically.

    ``estimates`` holds the footprints ``A``, ``F_dff`` and ``C`` (both dF/F: synthetic traces know no other) and, of a
    deconvolved recording, ``S``; every component is accepted.
    :func:`netlib.recordings.readers.read_caiman` reads it.

    Raises
    ------
    ValueError
        If the session has no trace "dff" or no footprints.
    """
    import h5py

    recording, images = session.recording, session.footprints
    if recording is None or "dff" not in recording.traces or images is None:
        raise ValueError(f"{session!r} lacks a trace 'dff' or footprints: CaImAn's layout needs both")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with h5py.File(temporary, "w") as file:
            _fill(file, recording.traces, images)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _fill(file: Any, traces: Any, images: np.ndarray) -> None:
    from scipy.sparse import csc_matrix

    estimates = file.create_group("estimates")
    for name, trace in {"C": "dff", "F_dff": "dff", "S": "events"}.items():
        if trace in traces:
            estimates[name] = traces[trace].values
    n = len(images)
    estimates["idx_components"] = np.arange(n)
    estimates["dims"] = np.array(images.shape[1:])
    # Pixels down the columns of the image (Fortran order), components side by side.
    shapes = csc_matrix(images.transpose(0, 2, 1).reshape(n, -1).T)
    parts = {"data": shapes.data, "indices": shapes.indices, "indptr": shapes.indptr, "shape": np.array(shapes.shape)}
    for name, values in parts.items():
        estimates.create_dataset(f"A/{name}", data=values)
    file["params/data/fr"] = 1000.0 / traces["dff"].dt
