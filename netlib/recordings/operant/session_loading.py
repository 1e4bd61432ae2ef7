"""Sessions of a manifest as objects, whatever their files are: the published tables, CaImAn's HDF5, or NWB."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from netlib.recordings.operant.behaviour_segments import segment
from netlib.recordings.operant.behaviour_session import BehaviourSession, as_pathway, check_length
from netlib.recordings.operant.csv_layout import check_label, read_csv_session
from netlib.recordings.operant.imetronic import read_imetronic
from netlib.recordings.operant.manifest import Manifest
from netlib.recordings.operant.registration_table import read_registration
from netlib.recordings.recording import Recording

__all__ = ["load_registration", "load_session"]


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
    from netlib.recordings.files.pipeline_readers import read_caiman
    from netlib.recordings.operant.caiman_footprints import read_caiman_footprints

    recording = as_pathway(read_caiman(path), pathway)
    return recording, read_caiman_footprints(path, recording.neurons["id"]) if footprints else None


def _from_nwb(files: dict[str, Path], label: dict[str, object], footprints: bool) -> BehaviourSession:
    from netlib.recordings.operant.behaviour_nwb import read_behaviour_nwb

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
