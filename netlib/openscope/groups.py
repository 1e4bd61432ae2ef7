"""Sessions by group, and tables in the layout of the published files: ``{column: {row: value}}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netlib.recordings.two_photon.session import Session
from netlib.recordings.two_photon.session_metadata import LAYERS, PLANES

__all__ = ["by_mouse", "common_columns", "groups_of", "roi_counts", "sort_sessions", "to_table"]

Key = tuple[str, str]
ORDER = [(line, plane) for line in LAYERS for plane in PLANES]


def group_key(session: Session) -> Key:
    """Line and plane of a session.

    Raises
    ------
    ValueError
        If the session does not say them.
    """
    key = (session.metadata.line, session.metadata.plane)
    if key not in ORDER:
        raise ValueError(
            f"{session} has line = {key[0]!r} and plane = {key[1]!r}: the papers' groups need one of {list(LAYERS)} "
            f"and of {list(PLANES)} (give the table of mice if the file does not say)"
        )
    return key


def sort_sessions(sessions: Iterable[Session]) -> list[Session]:
    """Sessions in the order of the papers: by group, number of the session, number of the mouse."""
    return sorted(sessions, key=lambda s: (ORDER.index(group_key(s)), s.metadata.sess_n or 0, s.metadata.mouse_n or 0))


def groups_of(sessions: Sequence[Session]) -> Iterator[tuple[Key, dict[int, list[Session]]]]:
    """Each group with its sessions by number: ((line, plane), {session number: sessions of its mice})."""
    found: dict[Key, dict[int, list[Session]]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(group_key(session), {}).setdefault(session.metadata.sess_n, []).append(session)
    yield from found.items()


def by_mouse(sessions: Sequence[Session]) -> dict[int, dict[int, Session]]:
    """Sessions of each mouse by number of the session."""
    found: dict[int, dict[int, Session]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(session.metadata.mouse_n, {})[session.metadata.sess_n] = session
    return found


def roi_counts(sessions: Sequence[Session]) -> list[int]:
    """Number of ROIs of each session, of the tracked ones where only those are seen."""
    return [session.n_rois for session in sessions]


def common_columns(sessions: Sequence[Session], *, rois: bool = True, single: bool = False) -> dict[str, Any]:
    """Columns that every published table has, for a row made of these sessions of one group and session number.

    Parameters
    ----------
    sessions : sequence of Session
        One per mouse.
    rois : bool
        Add number of ROIs and frame rate.
    single : bool
        Values of the one session, where lists stand for several.
    """
    facts = [session.metadata for session in sessions]
    line, plane = group_key(sessions[0])
    row = {
        "lines": line,
        "planes": plane,
        "sess_ns": facts[0].sess_n,
        "mouse_ns": [f.mouse_n for f in facts],
        "mouseids": [f.mouseid for f in facts],
        "sessids": [f.sessid for f in facts],
    }
    if rois:
        row |= {"nrois": roi_counts(sessions), "twop_fps": [session.fps for session in sessions]}
    if single:
        row = {name: value[0] if isinstance(value, list) else value for name, value in row.items()}
    return row


def several_sessions(numbers: Mapping[int, Sequence[Session]]) -> dict[str, Any]:
    """Columns of a row made of several session numbers of one group: lists of one entry per number."""
    rows = [common_columns(sessions) for sessions in numbers.values()]
    lists = ("sess_ns", "sessids", "nrois", "twop_fps")
    return {name: [row[name] for row in rows] if name in lists else rows[0][name] for name in rows[0]}


def to_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows as a table ``{column: {row: value}}`` of plain numbers, lists and texts; columns sorted, None where absent.

    Raises
    ------
    ValueError
        If there is no row.

    Examples
    --------
    >>> to_table([{"b": np.float64(1)}, {"b": np.array([2, 3])}])
    {'b': {'0': 1.0, '1': [2, 3]}}
    """
    if not rows:
        raise ValueError("the panel has no rows: none of the sessions could be used")
    names = sorted({name for row in rows for name in row})
    return {name: {str(i): plain(row.get(name)) for i, row in enumerate(rows)} for name in names}


def plain(value: Any) -> Any:
    """Arrays and tuples as lists, NumPy numbers as Python's."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
