"""A manifest from a folder of files: by the tables of the published layout, or by file names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from netlib.recordings.operant.behaviour_session import PATHWAYS
from netlib.recordings.operant.csv_layout import TABLES
from netlib.recordings.operant.imetronic import read_imetronic
from netlib.recordings.operant.manifest import Manifest
from netlib.recordings.operant.session_names import EXCLUDED, eight_sessions, is_excluded, natural_key, number_in
from netlib.units import check_choice

__all__ = ["build_manifest", "read_mouse_table"]

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
