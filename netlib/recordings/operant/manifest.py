"""A manifest names the files of every mouse and session, relative to itself, so that no path is written in code.

TOML::

    [[mouse]]
    name = "I2"
    pathway = "D1"
    registration = "I2/I2_Longitudinal_Registration.csv"

    [[mouse.session]]
    session = 1
    schedule = "FR1"
    dat = "I2/I2_D01.dat"
    temporal_components = "I2/I2_Sess1_Temporal_Components.csv"

or CSV with one row per session and the columns :data:`COLUMNS`; a file that a session does not have is left out, or its
cell is empty.
"""

from __future__ import annotations

import itertools
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from netlib.provenance import atomic_write
from netlib.recordings.operant.behaviour_session import PATHWAYS, check_schedule
from netlib.recordings.operant.csv_layout import TABLES
from netlib.recordings.operant.session_names import number_in
from netlib.units import check_choice, check_integer

__all__ = ["COLUMNS", "FILES", "Manifest", "load_manifest", "read_rows"]

#: Files of a session.
FILES = ("dat", *TABLES, "caiman", "nwb")
#: Columns of the table.
COLUMNS = ("mouse", "pathway", "session", "schedule", "registration", *FILES)


@dataclass(frozen=True, eq=False)
class Manifest:
    """Files of mice and sessions.

    Attributes
    ----------
    folder : Path
        What the paths are relative to: the folder of the manifest.
    table : DataFrame
        One row per mouse and session, columns :data:`COLUMNS`; paths are text, empty for a file there is not.
        ``registration`` is of the mouse, the same in all its rows.

    Raises
    ------
    ValueError
        If a label is wrong, a session comes twice, a file belongs to two rows, or files of a row are of different
        sessions by their names. All faults are in one message.
    """

    folder: Path
    table: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        faults, rows = _label_faults(self.table)
        if not faults:
            rows = rows.sort_values(["mouse", "session"], kind="stable", ignore_index=True)
            faults = _file_faults(rows)
        if faults:
            raise ValueError(_message("the manifest", faults))
        object.__setattr__(self, "table", rows)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def mice(self) -> list[str]:
        """Names of the mice."""
        return list(dict.fromkeys(self.table["mouse"]))

    def sessions(self, mouse: str) -> list[int]:
        """Numbers of the sessions of a mouse."""
        check_choice("mouse", mouse, self.mice)
        return self.table.loc[self.table["mouse"] == mouse, "session"].tolist()

    def row(self, mouse: str, session: int) -> dict[str, Any]:
        """Labels and paths of one session, as in the table."""
        known = self.sessions(mouse)
        if session not in known:
            raise ValueError(f"session = {session!r} of mouse {mouse!r} is not in the manifest: it has {known}")
        return self.table[(self.table["mouse"] == mouse) & (self.table["session"] == session)].iloc[0].to_dict()

    def session_files(self, mouse: str, session: int) -> dict[str, Path]:
        """All files of one session, by kind; kinds it does not have are left out.

        Raises
        ------
        FileNotFoundError
            If any is not there: all are named.
        """
        row = self.row(mouse, session)
        files = {kind: self.folder / row[kind] for kind in FILES if row[kind]}
        missing = [f"{kind}: {path}" for kind, path in files.items() if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                _message(f"session {session} of mouse {mouse!r}", [f"missing {m}" for m in missing])
            )
        return files

    def registration_file(self, mouse: str) -> Path | None:
        """Table of the neurons followed across the sessions of a mouse; None if there is none."""
        name = self.row(mouse, self.sessions(mouse)[0])["registration"]
        return self.folder / name if name else None

    def missing(self) -> list[str]:
        """One line for every file that is not there, as "mouse, session, kind: path"."""
        found = []
        for mouse in self.mice:
            path = self.registration_file(mouse)
            if path is not None and not path.is_file():
                found.append(f"{mouse}, registration: {path}")
        for row in self.table.to_dict("records"):
            paths = {kind: self.folder / row[kind] for kind in FILES if row[kind]}
            where = f"{row['mouse']}, session {row['session']}"
            found += [f"{where}, {kind}: {path}" for kind, path in paths.items() if not path.is_file()]
        return found

    def save(self, path: str | os.PathLike) -> Path:
        """Write the manifest as ``.toml`` or ``.csv``, atomically, with paths relative to where it is written."""
        path = Path(path)
        check_choice("suffix of path", path.suffix.lower(), (".toml", ".csv"))
        rows = self.table.copy()
        for kind in ("registration", *FILES):
            rows[kind] = [_relative(self.folder / name, path.parent) if name else "" for name in rows[kind]]
        text = rows.to_csv(index=False) if path.suffix.lower() == ".csv" else _toml(rows)
        return atomic_write(path, lambda file: file.write(text.encode()))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _message(what: str, faults: list[str]) -> str:
    return f"{what} has {len(faults)} fault{'s' if len(faults) > 1 else ''}:\n" + "\n".join(f"- {f}" for f in faults)


def _label_faults(table: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """What is wrong with columns and labels, and the table with all columns as text, sessions as numbers."""
    unknown = [str(name) for name in table.columns if name not in COLUMNS]
    lacking = [name for name in ("mouse", "pathway", "session", "schedule") if name not in table.columns]
    faults = [f"column {name!r} is unknown: columns are {', '.join(COLUMNS)}" for name in unknown]
    faults += [f"column {name!r} is missing" for name in lacking]
    if faults or not len(table):
        return faults or ["it names no session"], table
    rows = _all_columns(table)
    sessions = []
    for k, row in enumerate(rows.to_dict("records"), 1):
        where = f"row {k} ({row['mouse'] or 'no mouse'}, session {row['session']})"
        sessions.append(0)
        try:
            if not row["mouse"]:
                raise ValueError("mouse is empty")
            check_choice("pathway", row["pathway"], PATHWAYS)
            check_schedule("schedule", row["schedule"])
            sessions[-1] = _whole(row["session"])
        except (ValueError, TypeError) as error:
            faults.append(f"{where}: {error}")
    rows["session"] = sessions
    return faults, rows


def _all_columns(table: pd.DataFrame) -> pd.DataFrame:
    """All columns in order; but for the session they are text, empty where there is nothing."""
    empty = [""] * len(table)
    found = {name: table[name].tolist() if name in table.columns else empty for name in COLUMNS}
    found = {name: ["" if v is None or v != v else v for v in values] for name, values in found.items()}
    text = {name: list(map(str, values)) for name, values in found.items() if name != "session"}
    return pd.DataFrame({**found, **text}).astype(dict.fromkeys(text, str))


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    return check_integer("session", value, 1)


def _file_faults(rows: pd.DataFrame) -> list[str]:
    """Sessions and files that come twice, labels that differ within a mouse, file names of different sessions."""
    faults = [
        f"{mouse}, session {session} comes {count} times"
        for (mouse, session), count in rows.groupby(["mouse", "session"]).size().items()
        if count > 1
    ]
    for name in ("pathway", "registration"):
        for mouse, values in rows.groupby("mouse")[name].unique().items():
            if len(values) > 1:
                faults.append(f"{mouse} has several values of {name}: {', '.join(map(repr, sorted(values)))}")
    faults += _order_faults(rows)
    owner: dict[str, str] = {}
    for row in rows.to_dict("records"):
        where = f"{row['mouse']}, session {row['session']}"
        names = {kind: row[kind] for kind in FILES if row[kind]}
        for kind, name in names.items():
            here = f"{where}, {kind}"
            if name in owner:
                faults.append(f"{here}: {name} is also {owner[name]}")
            owner.setdefault(name, here)
        numbers = {kind: number_in(name, "Sess") for kind, name in names.items()}
        if len({n for n in numbers.values() if n is not None}) > 1:
            told = ", ".join(f"{names[kind]} (Sess{n})" for kind, n in numbers.items() if n is not None)
            faults.append(f"{where}: files are of different sessions by their names: {told}")
    return faults


def _order_faults(rows: pd.DataFrame) -> list[str]:
    """Sessions of a mouse whose files, by the numbers in their names, come before those of the session above."""
    faults = []
    for mouse, sessions in rows.groupby("mouse"):
        for kind, prefix in [("dat", "D"), *((kind, "Sess") for kind in FILES)]:
            names = [name for name in sessions[kind] if number_in(name, prefix) is not None]
            for before, after in itertools.pairwise(names):
                if number_in(after, prefix) < number_in(before, prefix):
                    faults.append(f"{mouse}, {kind}: sessions are shuffled: {after} comes after {before}")
    return faults


def _toml(rows: pd.DataFrame) -> str:
    def pair(name: str, value: Any) -> str:
        return f"{name} = {json.dumps(value, ensure_ascii=False)}\n"

    parts = []
    for mouse, sessions in rows.groupby("mouse", sort=False):
        first = sessions.iloc[0]
        parts.append("[[mouse]]\n" + pair("name", mouse) + pair("pathway", first["pathway"]))
        if first["registration"]:
            parts.append(pair("registration", first["registration"]))
        for row in sessions.to_dict("records"):
            named = {"session": int(row["session"]), "schedule": row["schedule"]}
            named |= {kind: row[kind] for kind in FILES if row[kind]}
            parts.append("\n[[mouse.session]]\n" + "".join(pair(*item) for item in named.items()))
        parts.append("\n")
    return "".join(parts)


def load_manifest(path: str | os.PathLike, *, check_files: bool = True) -> Manifest:
    """Read a manifest.

    Parameters
    ----------
    path : path
        A ``.toml`` or ``.csv`` file.
    check_files : bool
        See that every file is there.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If it cannot be read, labels are wrong, or files are missing: all of them in one message.
    """
    path = Path(path)
    try:
        manifest = Manifest(path.parent, read_rows(path))
    except (ValueError, KeyError, TypeError) as error:  # errors of TOML, CSV and Unicode are ValueErrors
        raise ValueError(f"path = {str(path)!r} is no sound manifest: {error}") from error
    missing = manifest.missing() if check_files else []
    if missing:
        raise ValueError(_message(f"path = {str(path)!r}", [f"missing file: {line}" for line in missing]))
    return manifest


def read_rows(path: str | os.PathLike) -> pd.DataFrame:
    """Rows of a manifest as they are written, whatever they say; :class:`Manifest` judges them.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If it is neither TOML with mice and sessions nor CSV.
    """
    path = Path(path)
    check_choice("suffix of path", path.suffix.lower(), (".toml", ".csv"))
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r} does not exist, or is not a file: it must be a manifest")
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    return _from_toml(tomllib.loads(path.read_text(encoding="utf-8-sig")))


def _from_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _from_toml(content: Mapping[str, Any]) -> pd.DataFrame:
    strange = set(content) - {"mouse"}
    mice = content.get("mouse", [])
    if strange or not isinstance(mice, list):
        raise ValueError(f"it holds {sorted(content)}: it must hold [[mouse]] tables")
    rows = []
    for k, mouse in enumerate(mice, 1):
        sessions = mouse.get("session", [])
        if not isinstance(sessions, list) or not sessions:
            raise ValueError(f"[[mouse]] {k} ({mouse.get('name', 'no name')}) has no [[mouse.session]]")
        own = {"mouse" if name == "name" else name: value for name, value in mouse.items() if name != "session"}
        rows += [{**own, **session} for session in sessions]
    return pd.DataFrame(rows)
