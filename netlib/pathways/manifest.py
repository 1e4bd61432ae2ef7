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
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from netlib.base.checks import check_choice, check_integer
from netlib.base.provenance import atomic_write
from netlib.pathways.imetronic import read_imetronic
from netlib.pathways.session import PATHWAYS, check_schedule
from netlib.pathways.tables import TABLES

__all__ = [
    "COLUMNS",
    "EXCLUDED",
    "FILES",
    "Manifest",
    "build_manifest",
    "eight_sessions",
    "fault_message",
    "is_excluded",
    "load_manifest",
    "natural_key",
    "number_in",
    "read_mouse_table",
    "read_rows",
]

#: Names that mark files to leave out: baselines, and sessions that do not count.
EXCLUDED = ("BASELINE", "nc")


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
            raise ValueError(fault_message("the manifest has", faults))
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
            what = f"session {session} of mouse {mouse!r} has"
            raise FileNotFoundError(fault_message(what, [f"missing {line}" for line in missing]))
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


def fault_message(what: str, faults: list[str], more: str = "") -> str:
    """Message that counts and lists faults, a line each."""
    count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
    return f"{what} {count}{more}:\n" + "\n".join(f"- {fault}" for fault in faults)


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
        raise ValueError(fault_message(f"path = {str(path)!r} has", [f"missing file: {line}" for line in missing]))
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
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    return _from_toml(tomllib.loads(path.read_text(encoding="utf-8-sig")))


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


# ---------------------------------------------------------------- manifest of a folder


#: Columns of a table ``<mouse>.csv`` of the published layout, in order.
MOUSE_COLUMNS = ("dat", *TABLES)
REGISTRATION = "longitudinal_registration"


def build_manifest(
    folder: str | os.PathLike,
    *,
    pathways: Mapping[str, str] | None = None,
    schedules: Mapping[tuple[str, int], str] | None = None,
    choose: str = "all",
    exclude: Sequence[str] = EXCLUDED,
) -> Manifest:
    """Make a manifest of what a folder holds.

    Each folder in ``folder`` (or in one called "D1" or "A2A" there) is of a mouse and has its name. It holds, at any
    depth, ``.dat`` files and whatever of the published tables, CaImAn's ``.hdf5`` and ``.nwb`` there is. Files go
    together by ``Sess<number>`` in their names; ``.dat`` files without one go to the sessions in order of
    ``D<number>``. Where there is a table ``<mouse>.csv`` (one row per session), it tells which files go together.

    Parameters
    ----------
    folder : path
        What to look through.
    pathways : mapping, optional
        "D1" or "A2A" by name of mouse, for those that are not in a folder called so.
    schedules : mapping, optional
        "FR1" or "FR5" by (mouse, session), where neither a file name (``FR<number>``) nor a header tells.
    choose : {"all", "eight"}
        All sessions, or the first and last two of FR1 and of FR5, as published.
    exclude : sequence of str
        Words that mark files to leave out.

    Returns
    -------
    Manifest
        Sessions of each mouse are numbered from 1 in order. Save it with ``manifest.save(folder / "manifest.toml")``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no such file in it.
    ValueError
        If pathways or schedules are unknown, or files do not go together: all faults in one message.
    """
    folder = Path(folder)
    check_choice("choose", choose, ("all", "eight"))
    if not folder.is_dir():
        raise FileNotFoundError(f"folder = {str(folder)!r} does not exist, or is not a folder")
    places = list(dict.fromkeys(_mouse_folder(p, folder) for p in _files(folder, "*", exclude) if _kind(p)))
    if not places:
        raise FileNotFoundError(f"folder = {str(folder)!r} holds no .dat file, and none of the tables of a session")
    faults: list[str] = []
    rows = []
    for place in places:
        rows += _mouse_rows(folder, place, pathways or {}, schedules or {}, choose, exclude, faults.append)
    if faults:
        raise ValueError(f"folder = {str(folder)!r} makes no manifest:\n" + "\n".join(f"- {fault}" for fault in faults))
    return Manifest(folder, pd.DataFrame(rows))


def _files(folder: Path, pattern: str, exclude: Sequence[str]) -> list[Path]:
    found = [p for p in folder.rglob(pattern) if p.is_file() and not is_excluded(p.name, exclude)]
    return sorted(found, key=lambda p: natural_key(p.as_posix()))


def _mouse_folder(path: Path, folder: Path) -> Path:
    parts = path.relative_to(folder).parts[:-1]
    return folder.joinpath(*parts[: 2 if parts and parts[0] in PATHWAYS else 1])


def _mouse_rows(
    folder: Path,
    place: Path,
    pathways: Mapping[str, str],
    schedules: Mapping[tuple[str, int], str],
    choose: str,
    exclude: Sequence[str],
    fault: Callable[[str], None],
) -> list[dict[str, object]]:
    mouse = place.resolve().name
    pathway = pathways.get(mouse) or next((p for p in PATHWAYS if p == place.parent.name and place != folder), None)
    if pathway is None:
        fault(f"{mouse}: its pathway is unknown: pass pathways={{{mouse!r}: 'D1' or 'A2A'}}")
    table = next((p for p in (place / f"{mouse}.csv", place.parent / f"{mouse}.csv") if p.is_file()), None)
    try:
        groups = read_mouse_table(table, place) if table else _by_names(place, exclude)
        found = [schedules.get((mouse, k)) or _schedule(group) for k, group in enumerate(groups, 1)]
        unknown = [k for k, schedule in enumerate(found, 1) if schedule is None]
        if unknown:
            raise ValueError(
                f"schedules of sessions {unknown} are unknown: pass schedules={{({mouse!r}, 1): 'FR1', ...}}"
            )
        chosen = range(len(groups)) if choose == "all" else eight_sessions(found)
    except ValueError as error:
        fault(f"{mouse}: {error}")
        return []
    registration = [p for p in _files(place, "*.csv", exclude) if REGISTRATION in p.name.lower()]
    if len(registration) > 1:
        fault(f"{mouse}: has {len(registration)} tables of registration: {', '.join(p.name for p in registration)}")
    common = {"mouse": mouse, "pathway": pathway or ""}
    common["registration"] = _inside(registration[0], folder) if registration else ""
    return [
        {**common, "session": k, "schedule": found[j], **{kind: _inside(p, folder) for kind, p in groups[j].items()}}
        for k, j in enumerate(chosen, 1)
    ]


def _inside(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _kind(path: Path) -> str | None:
    """What a file is, by its name."""
    name, suffix = path.name.lower(), path.suffix.lower()
    if suffix in (".dat", ".nwb"):
        return suffix[1:]
    if suffix in (".hdf5", ".h5"):
        return "caiman"
    if suffix != ".csv" or REGISTRATION in name:
        return None
    stem = name.removesuffix(".csv")
    found = [kind for kind, words in TABLES.items() if words.lower() in stem]
    # "Time" is a word of its own; the others hold it nowhere.
    return found[0] if found and (found[0] != "time" or "time" in stem.replace("-", "_").split("_")) else None


def _by_names(place: Path, exclude: Sequence[str]) -> list[dict[str, Path]]:
    """Files of each session, in order of the numbers in their names."""
    groups: dict[int, dict[str, Path]] = {}
    loose = []
    for path in _files(place, "*", exclude):
        kind, number = _kind(path), number_in(path.name, "Sess")
        if kind == "dat" and number is None:
            loose.append(path)
        elif kind is not None:
            if number is None:
                raise ValueError(f"{path.name} tells no session: its name must hold 'Sess' and a number")
            if kind in groups.setdefault(number, {}):
                raise ValueError(
                    f"session Sess{number} has two files of {kind}: {path.name}, {groups[number][kind].name}"
                )
            groups[number][kind] = path
    ordered = [groups[number] for number in sorted(groups)]
    without = [group for group in ordered if "dat" not in group]
    if not ordered:
        ordered = without = [{} for _ in loose]
    if len(loose) != len(without):
        raise ValueError(
            f"{len(loose)} .dat files without 'Sess' in their names ({', '.join(p.name for p in loose) or 'none'}) "
            f"are to go to {len(without)} sessions without .dat: a file is missing or one too many"
        )
    loose.sort(key=lambda p: (number_in(p.name, "D") is None, number_in(p.name, "D") or 0, natural_key(p.name)))
    for group, path in zip(without, loose, strict=True):
        group["dat"] = path
    return ordered


def read_mouse_table(path: str | os.PathLike, place: str | os.PathLike | None = None) -> list[dict[str, Path]]:
    """Files of the sessions of one mouse from its table ``<mouse>.csv``.

    Parameters
    ----------
    path : path
        One row per session; columns in order dat, Temporal_Components, Time, Peaks_TS, Peaks_amplitude,
        Spatial_Components, Deconvolution. A first row with these names is skipped; empty cells are files there are not.
    place : path, optional
        Folder of the files, by default that of the table. A path of another machine counts by its last part.

    Raises
    ------
    ValueError
        If a row has other than seven cells, or files are not there: all are named.
    """
    path = Path(path)
    place = path.parent if place is None else Path(place)
    cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig").to_numpy(str)
    if cells.shape[1] != len(MOUSE_COLUMNS):
        raise ValueError(f"{path} has {cells.shape[1]} columns: it must have {', '.join(MOUSE_COLUMNS)}")
    if cells[0, 0].strip().lower() == "dat":
        cells = cells[1:]
    groups, missing = [], []
    for line in cells:
        group = {}
        for kind, cell in zip(MOUSE_COLUMNS, line, strict=True):
            name = str(cell).strip().replace("\\", "/")
            if name:
                near = [place / name, path.parent / name, place / Path(name).name]
                group[kind] = next((p for p in near if p.is_file()), near[-1])
                missing += [] if group[kind].is_file() else [f"{kind}: {name}"]
        groups.append(group)
    if missing:
        raise ValueError(f"files named in {path} are missing ({len(missing)}): {'; '.join(missing)}")
    return groups


def _schedule(group: Mapping[str, Path]) -> str | None:
    """Schedule from a file name, or from the header of the ``.dat``."""
    for path in group.values():
        number = number_in(path.name, "FR")
        if number:
            return f"FR{number}"
    if "dat" not in group:
        return None
    return read_imetronic(group["dat"]).field("schedule") or None


# ---------------------------------------------------------------- what file names tell


def natural_key(name: str) -> tuple:
    """Key that sorts numbers in names by value.

    Examples
    --------
    >>> sorted(["Sess10", "Sess2", "Sess1"], key=natural_key)
    ['Sess1', 'Sess2', 'Sess10']
    """
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if k % 2 else (-1, part.lower()) for k, part in enumerate(parts))


def number_in(name: str, prefix: str) -> int | None:
    """Number after ``prefix`` ("Sess" or "D") in the name of a file, None without; of several, the last.

    The last, because a mouse may be called D1_3. A letter right before the prefix makes it part of a word.

    Examples
    --------
    >>> number_in("data/D1_3_D12_FR1.dat", "D"), number_in("I2_Sess4_Time.csv", "Sess"), number_in("a.csv", "D")
    (12, 4, None)
    """
    check_choice("prefix", prefix, ("Sess", "D", "FR"))
    found = re.findall(rf"(?<![A-Za-z]){prefix}(\d+)", Path(name).name)
    return int(found[-1]) if found else None


def is_excluded(name: str, exclude: Iterable[str] = EXCLUDED) -> bool:
    """Tell whether a file name holds a word to leave out: the word itself, not letters of a longer one.

    Examples
    --------
    >>> is_excluded("I2_BASELINE_D1.dat"), is_excluded("I2_D3_nc.dat"), is_excluded("Once_Sequence.dat")
    (True, True, False)
    """
    return any(re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", Path(name).name) for word in exclude)


def eight_sessions(schedules: Sequence[str]) -> list[int]:
    """Places of the first two and last two sessions of FR1, then of FR5, as the published analysis chose them.

    Raises
    ------
    ValueError
        If a schedule has fewer than four sessions.

    Examples
    --------
    >>> eight_sessions(["FR1"] * 6 + ["FR5"] * 4)
    [0, 1, 4, 5, 6, 7, 8, 9]
    """
    chosen = []
    for schedule in ("FR1", "FR5"):
        places = [k for k, s in enumerate(schedules) if s == schedule]
        if len(places) < 4:
            raise ValueError(f"schedules hold {len(places)} sessions of {schedule}: eight need 4 of FR1 and 4 of FR5")
        chosen += places[:2] + places[-2:]
    return chosen
