"""Look at every file of a manifest before anything is computed or written, and name all that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd

from netlib.imaging.jobs import Workers
from netlib.provenance import file_hash
from netlib.recordings.operant.manifest import FILES, Manifest, load_manifest, read_rows
from netlib.recordings.operant.registration_table import read_registration
from netlib.recordings.operant.session_loading import load_session

__all__ = ["Inspected", "describe", "hash_files", "inspect_manifest"]


@dataclass(frozen=True, eq=False)
class Inspected:
    """A manifest whose files are sound.

    Attributes
    ----------
    manifest : Manifest
    hashes : dict
        Of :func:`hash_files`.
    cells : dict
        Neurons of each (mouse, session), if the files were read.
    """

    manifest: Manifest
    hashes: dict[tuple[str, int], str]
    cells: dict[tuple[str, int], int] = field(default_factory=dict)


def hash_files(manifest: Manifest) -> dict[tuple[str, int], str]:
    """Hashes by (mouse, session): labels and files, by kind; of (mouse, 0): its registration, "" without."""
    hashes = {}
    for row in manifest.table.to_dict("records"):
        files = {kind: manifest.folder / row[kind] for kind in FILES if row[kind]}
        told = [row["pathway"], row["schedule"], *(f"{kind} {file_hash(path)}" for kind, path in files.items())]
        hashes[row["mouse"], row["session"]] = " ".join(told)
        table = manifest.registration_file(row["mouse"])
        hashes[row["mouse"], 0] = "" if table is None else file_hash(table)
    return hashes


def inspect_manifest(
    manifest: Manifest | str | os.PathLike,
    *,
    known: Callable[[dict[tuple[str, int], str]], bool] | None = None,
    workers: Workers | None = None,
    tell: Callable[[], Any] | None = None,
) -> Inspected:
    """Read all files of a manifest and refuse it, with every fault of every file in one message, if any is unsound.

    Parameters
    ----------
    manifest : Manifest or path
        The manifest.
    known : callable, optional
        Told the hashes; if it returns True the files are known to be sound and are not read again.
    workers : Workers, optional
        Processes; by default this one.
    tell : callable, optional
        Called after each session.

    Raises
    ------
    ValueError
        If a file is missing, truncated, shuffled or mis-labelled, a session has no activity, or a registration does
        not fit its sessions.
    """
    manifest, rows, faults = _judged(manifest)
    missing = [line for own in rows for line in own.missing()]
    faults += [f"missing file: {line}" for line in dict.fromkeys(missing)]
    if manifest is not None and not faults:
        hashes = hash_files(manifest)
        if known is not None and known(hashes):
            return Inspected(manifest, hashes)
    names = [(own.mice[0], own.sessions(own.mice[0])[0]) for own in rows]
    there = [k for k, own in enumerate(rows) if not _missing_of_session(own)]
    looked = (workers or Workers()).run(_look, [(rows[k], *names[k]) for k in there], tell)
    seen = {names[k]: found for k, found in zip(there, looked, strict=True)}
    faults += [f"{mouse}, session {k}: {fault}" for (mouse, k), (fault, *_) in seen.items() if fault]
    if manifest is not None:
        for mouse in manifest.mice:
            faults += _registration_faults(manifest, mouse, seen)
    if faults:
        raise ValueError(_message(faults))
    cells = {name: n for name, (_, n, _) in seen.items()}
    return Inspected(manifest, hashes, cells)


def _judged(manifest: Manifest | str | os.PathLike) -> tuple[Manifest | None, list[Manifest], list[str]]:
    """The manifest, if it is sound as a whole, each of its rows that is sound by itself, and what is wrong."""
    if isinstance(manifest, Manifest):
        folder, table, whole, faults = manifest.folder, manifest.table, manifest, []
    else:
        folder, faults = Path(manifest).parent, []
        try:
            whole = load_manifest(manifest, check_files=False)
            table = whole.table
        except ValueError as error:
            whole, faults = None, [f"the manifest: {error}"]
            try:
                table = read_rows(manifest)
            except ValueError:
                table = None
    rows, said = [], "\n".join(faults)
    for k in range(0 if table is None else len(table)):
        row, wrong = _manifest_of(folder, table.iloc[[k]].reset_index(drop=True))
        rows += [row] if row is not None else []
        faults += [line for line in wrong if line not in said]
    if whole is None and rows:  # faults of labels hide those between rows
        _, wrong = _manifest_of(folder, pd.concat([row.table for row in rows], ignore_index=True))
        faults += [line for line in wrong if line not in said]
    return whole, rows, faults


def _manifest_of(folder: Path, table: pd.DataFrame) -> tuple[Manifest | None, list[str]]:
    """A manifest of these rows, or what is wrong with their files; labels are judged with the whole."""
    try:
        return Manifest(folder, table), []
    except (ValueError, KeyError, TypeError) as error:
        lines = [line.removeprefix("- ") for line in str(error).splitlines()[1:]]
        return None, [line for line in lines if not line.startswith(("row ", "column "))]


def _missing_of_session(row: Manifest) -> bool:
    return any(not line.startswith(f"{row.mice[0]}, registration") for line in row.missing())


def describe(found: Inspected) -> pd.DataFrame:
    """What a data set holds: one row per session, with its kinds of files and, where they were read, its neurons."""
    rows = []
    for row in found.manifest.table.to_dict("records"):
        files = [kind for kind in ("registration", *FILES) if row[kind]]
        size = sum((found.manifest.folder / row[kind]).stat().st_size for kind in files if kind != "registration")
        label = {name: row[name] for name in ("mouse", "pathway", "session", "schedule")}
        n = found.cells.get((row["mouse"], row["session"]))
        rows.append({**label, "neurons": n, "megabytes": round(size / 1e6, 2), "files": ", ".join(files)})
    return pd.DataFrame(rows)


def _message(faults: list[str]) -> str:
    many = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
    return f"the data set has {many}, nothing was written:\n" + "\n".join(f"- {fault}" for fault in faults)


def _look(manifest: Manifest, mouse: str, session: int) -> tuple[str, int, bool]:
    """What is wrong with a session ("" if nothing), how many neurons it has, and whether it has footprints."""
    try:
        found = load_session(manifest, mouse, session)
        if found.recording is None or not len(found.recording):
            raise ValueError("it has no neurons: the manifest must name their files")
        if not {"dff", "events"} & set(found.recording.traces) and not len(found.recording.spike_time):
            raise ValueError("its files hold no activity: neither dF/F nor events")
        if not len(found.intervals):
            raise ValueError("its files hold no behaviour")
        return "", len(found.recording), found.footprints is not None
    except (ValueError, TypeError, KeyError, OSError) as error:
        return str(error.args[0] if isinstance(error, KeyError) and error.args else error), -1, False


def _registration_faults(
    manifest: Manifest, mouse: str, seen: dict[tuple[str, int], tuple[str, int, bool]]
) -> list[str]:
    """What is wrong with the registration of a mouse, or that there is none where it is needed."""
    path, sessions = manifest.registration_file(mouse), manifest.sessions(mouse)
    own = [seen.get((mouse, k), ("missing", -1, True)) for k in sessions]
    if path is None:
        without = [k for k, (fault, _, drawn) in zip(sessions, own, strict=True) if not (fault or drawn)]
        if not without or len(sessions) == 1:
            return []
        return [f"{mouse}: sessions {without} have no footprints, and the mouse no registration: one of them is needed"]
    if not path.is_file():
        return []
    n_cells = [inf if n < 0 else n for _, n, _ in own]
    try:
        read_registration(path, len(sessions), n_cells)
    except (ValueError, OSError) as error:
        return [f"{mouse}, registration: {error}"]
    return []
