"""The sessions a panel needs: found in a folder by the table of mice, or given, and opened once for all panels."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlib.openscope.groups import group_key, sort_sessions
from netlib.openscope.parameters import SessPar
from netlib.recordings.two_photon.mouse_table import MouseTable, find_file
from netlib.recordings.two_photon.session import Session
from netlib.recordings.two_photon.session_metadata import LAYERS
from netlib.units import check_type

__all__ = ["TABLE_NAME", "SessionPool"]

#: Name of the table of mice in a folder of data.
TABLE_NAME = "mouse_df.csv"
#: Frames and ROIs of which a session's fingerprint is made.
SAMPLE = (2000, 8)


class SessionPool:
    """Sessions of a folder, or given ones; each is opened when a panel first asks for it, and stays open.

    Parameters
    ----------
    datadir : path, optional
        Folder in which the NWB files lie at any depth. With a table of mice files are found by its sessions; without
        one every ``sub-*_ses-*.nwb`` is opened and must itself say mouse, session, line and plane.
    sessions : sequence of Session, optional
        Open sessions, instead of a folder.
    mouse_table : path or MouseTable, optional
        By default the ``mouse_df.csv`` in the folder, if there is one.

    Raises
    ------
    ValueError
        If neither or both of folder and sessions are given.
    FileNotFoundError
        If there is no such folder, or no NWB file in it.
    """

    def __init__(
        self,
        datadir: str | os.PathLike | None = None,
        sessions: Iterable[Session] | None = None,
        mouse_table: str | os.PathLike | MouseTable | None = None,
    ) -> None:
        if (datadir is None) == (sessions is None):
            raise ValueError("give either datadir, a folder of NWB files, or sessions")
        self.datadir = None if datadir is None else Path(datadir)
        self._opened: dict[Any, Session] = {}
        self._given = None
        if sessions is not None:
            self._given = [check_type("sessions", session, Session) for session in sessions]
            self.table = None
            return
        if not self.datadir.is_dir():
            raise FileNotFoundError(
                f"{self.datadir}: no such folder; `netlib openscope download` and `simulate` make one"
            )
        beside = self.datadir / TABLE_NAME
        table = mouse_table if mouse_table is not None else beside if beside.is_file() else None
        self.table = None if table is None else MouseTable.of(table)

    def select(self, sesspar: SessPar, tracked: bool = False) -> tuple[list[Session], str]:
        """Sessions that a panel needs, open, and what to say of those that are not there.

        Mice that a panel names are examples of their groups: where one is absent another mouse of the group with the
        same sessions takes its place. Of tracked ROIs a mouse must have all the sessions.

        Parameters
        ----------
        sesspar : SessPar
            What the panel asks for.
        tracked : bool
            Show only tracked ROIs.

        Raises
        ------
        ValueError
            If no session is left.
        """
        found, missing = self._all(sesspar)
        kept = [s for s in found if _fits(s, sesspar)]
        numbers = set(sesspar.sess_n)
        if tracked:
            there: dict[Any, set] = {}
            for session in kept:
                there.setdefault(session.metadata.mouse_n, set()).add(session.metadata.sess_n)
            kept = [s for s in kept if there[s.metadata.mouse_n] >= numbers and s.tracking_ids is not None]
        kept, replaced = _examples(kept, sesspar)
        if not kept:
            what = "mouse with all of the sessions, and tracked ROIs," if tracked else "session"
            raise ValueError(f"no {what} {sorted(numbers)} of {_criteria(sesspar)} among {len(found)} sessions found")
        for session in kept:
            if session.tracked_only != tracked:
                session.tracked_only = tracked
        notes = [f"{missing} sessions of the table have no file"] if missing else []
        return sort_sessions(kept), "; ".join([*notes, *replaced])

    def fingerprint(self, sesspar: SessPar, tracked: bool = False) -> list[str]:
        """What tells the data of a panel from other data: identifier, size and a checksum of part of each session."""
        return [_fingerprint(session) for session in self.select(sesspar, tracked)[0]]

    def close(self) -> None:
        """Close the files that were opened here."""
        for session in self._opened.values():
            session.close()
        self._opened.clear()

    def __enter__(self) -> SessionPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self, sesspar: SessPar) -> tuple[list[Session], int]:
        """Sessions that may fit, and how many of the table's have no file."""
        if self._given is not None:
            return self._given, 0
        if self.table is None:
            paths = sorted(p for p in self.datadir.rglob("sub-*_ses-*.nwb") if "ophys" in p.name)
            if not paths:
                raise FileNotFoundError(f"{self.datadir}: no file sub-*_ses-*ophys*.nwb in it")
            return [self._open(path) for path in paths], 0
        rows = self.table.select(
            sess_n=list(sesspar.sess_n), runtype=sesspar.runtype, pass_fail=sesspar.pass_fail, plane=sesspar.plane,
            line=sesspar.line, incl=sesspar.incl, min_rois=sesspar.min_rois,
        )  # fmt: skip
        sessions, missing = [], 0
        for row in rows.itertuples():
            try:
                sessions.append(self._open(find_file(self.datadir, row.sessid, row.mouseid)))
            except FileNotFoundError:
                missing += 1
        if not sessions:
            raise FileNotFoundError(f"{self.datadir} has none of the {missing} sessions of {self.table.path} asked for")
        return sessions, missing

    def _open(self, path: Path) -> Session:
        if path not in self._opened:
            self._opened[path] = Session.open(path, mouse_table=self.table)
        return self._opened[path]


def _fits(session: Session, sesspar: SessPar) -> bool:
    """Whether a session is one that the panel asks for; facts that are not known do not speak against it."""
    facts, (line, plane) = session.metadata, group_key(session)
    short = {layer.replace("/", ""): name for name, layer in LAYERS.items()}
    wanted = {"line": short.get(sesspar.line, sesspar.line), "plane": sesspar.plane, "runtype": sesspar.runtype}
    wanted |= {"pass_fail": sesspar.pass_fail}
    known = {"line": line, "plane": plane, "runtype": facts.runtype, "pass_fail": facts.pass_fail}
    if any(value not in ("all", "any", known[name]) and known[name] is not None for name, value in wanted.items()):
        return False
    return facts.sess_n in sesspar.sess_n and len(session.roi_ids) >= sesspar.min_rois


def _examples(sessions: Sequence[Session], sesspar: SessPar) -> tuple[list[Session], list[str]]:
    """Sessions of the mice that a panel names, or of others of the same groups, and which were replaced."""
    if sesspar.mouse_n in ("any", "all"):
        return list(sessions), []
    named = np.atleast_1d(sesspar.mouse_n).tolist()
    groups: dict[Any, dict[int, set]] = {}
    for session in sort_sessions(sessions):
        mice = groups.setdefault(group_key(session), {})
        mice.setdefault(session.metadata.mouse_n, set()).add(session.metadata.sess_n)
    chosen, replaced = [], []
    for mice in groups.values():
        present = [mouse for mouse in named if mouse in mice]
        if not present:
            present = [max(mice, key=lambda mouse: (len(mice[mouse]), -mouse))]
            replaced.append(f"mouse {present[0]} stands for one of the paper's mice {named}")
        chosen += present
    if len(named) == 1 and len(chosen) > 1:
        chosen = [mouse for mouse in chosen if mouse in named] or chosen[:1]
        replaced = [note for note in replaced if f"mouse {chosen[0]} " in note]
    return [s for s in sessions if s.metadata.mouse_n in chosen], replaced


def _criteria(sesspar: SessPar) -> str:
    asked = {"mouse_n": sesspar.mouse_n, "line": sesspar.line, "plane": sesspar.plane, "pass_fail": sesspar.pass_fail}
    return ", ".join(f"{name} = {value}" for name, value in asked.items() if value not in ("any", "all")) or "any mouse"


def _fingerprint(session: Session) -> str:
    frames, rois = SAMPLE
    n = session.n_rois
    some = session.traces(np.arange(min(rois, n)), slice(0, min(frames, len(session.twop_times))))
    starts = session.trials[["start_frame_stim", "start_frame_twop"]].to_numpy()
    checksum = zlib.crc32(some.tobytes(), zlib.crc32(np.ascontiguousarray(starts).tobytes()))
    return f"{session.metadata.sessid}:{len(session.twop_times)}x{n}:{checksum:08x}"
