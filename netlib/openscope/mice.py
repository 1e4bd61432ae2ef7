"""The published table of mice and sessions, ``mouse_df.csv``: an index of the files and of what is known of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_type
from netlib.openscope.metadata import GROUPS, LAYERS, PLANES, SessionMetadata, group_name

__all__ = ["MouseTable", "find_file"]

#: Name of the table in a folder of data.
TABLE_NAME = "mouse_df.csv"
#: Columns that every table must have.
NEEDED = ("sessid", "mouse_n", "mouseid", "sess_n", "line", "plane", "runtype", "nrois", "pass_fail", "incl")
#: Texts allowed in some columns.
ALLOWED = {"line": tuple(LAYERS), "plane": tuple(PLANES), "pass_fail": ("P", "F"), "incl": ("yes", "no")}
WHOLE = ("sessid", "mouse_n", "mouseid", "sess_n", "nrois")
#: Parts of the names of the files that hold something; the first file that matches is taken.
NEEDS = ("ophys", "behavior", "image")


@dataclass(frozen=True, eq=False)
class MouseTable:
    """One row per session; columns as published, and ``group``.

    Attributes
    ----------
    table : DataFrame

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a session is listed twice, a mouse has two identifiers or two sessions of the same number, or a
        text is not one of those known.
    """

    table: pd.DataFrame
    path: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", _checked(self.table, str(self.path or "mouse table")))

    @classmethod
    def read(cls, path: str | os.PathLike) -> MouseTable:
        """Read ``mouse_df.csv``.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is no such table.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        texts = dict.fromkeys(("full_timestamp", "DOB", "date", "notes", "sex", *ALLOWED), str)
        try:
            table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"{path} is not a table of mice: {error}") from error
        return cls(table, path)

    @classmethod
    def of(cls, table: str | os.PathLike | pd.DataFrame | MouseTable) -> MouseTable:
        """The table itself, or read from its file."""
        if isinstance(table, cls):
            return table
        return cls(table) if isinstance(table, pd.DataFrame) else cls.read(table)

    def __len__(self) -> int:
        return len(self.table)

    def select(
        self,
        *,
        mouse_n: int | Iterable[int] | str = "any",
        sess_n: int | Iterable[int] | str = "any",
        runtype: str | Iterable[str] = "prod",
        plane: str | Iterable[str] = "any",
        line: str | Iterable[str] = "any",
        group: str | Iterable[str] = "any",
        pass_fail: str | Iterable[str] = "any",
        incl: str | Iterable[str] = "any",
        min_rois: int = 1,
    ) -> pd.DataFrame:
        """Sessions that meet all criteria; "any" and "all" both mean no restriction.

        Parameters
        ----------
        mouse_n, sess_n : int, list of int, or "any"
        runtype, plane, pass_fail, incl : str, list of str, or "any"
            As in the table.
        line : str, list of str, or "any"
            As in the table, or "L2/3", "L23", "L5".
        group : str, list of str, or "any"
            "L2/3-D", "L2/3-S", "L5-D", "L5-S".
        min_rois : int
            Least number of ROIs.

        Returns
        -------
        DataFrame
            Rows of the table, in order of mouse and session.

        Raises
        ------
        ValueError
            If nothing meets them; the criteria are named.
        """
        asked = {"mouse_n": mouse_n, "sess_n": sess_n, "runtype": runtype, "plane": plane}
        asked |= {"line": line, "group": group, "pass_fail": pass_fail, "incl": incl}
        asked = {name: values for name, value in asked.items() if (values := _listed(value)) is not None}
        if "line" in asked:
            asked["line"] = [_line(name) for name in asked["line"]]
        for name, values in asked.items():
            known = GROUPS if name == "group" else ALLOWED.get(name)
            for value in values if known else ():
                check_choice(name, value, known)
        keep = self.table["nrois"] >= check_integer("min_rois", min_rois, 0, unit="ROIs")
        for name, values in asked.items():
            keep &= self.table[name].isin(values)
        if not keep.any():
            criteria = ", ".join(f"{name} = {values}" for name, values in {**asked, "min_rois": min_rois}.items())
            raise ValueError(f"no session of {self.path or 'the mouse table'} has {criteria}")
        return self.table[keep].sort_values(["mouse_n", "sess_n"])

    def row(self, sessid: int) -> pd.Series:
        """Row of one session.

        Raises
        ------
        KeyError
            If it is not in the table.
        """
        found = self.table[self.table["sessid"] == sessid]
        if found.empty:
            raise KeyError(
                f"session {sessid} is not in {self.path or 'the mouse table'}, which has {len(self)} sessions"
            )
        return found.iloc[0]

    def session_id(self, mouse_n: int, sess_n: int, runtype: str = "prod") -> int:
        """Identifier of a session from the numbers of mouse and session."""
        return int(self.select(mouse_n=mouse_n, sess_n=sess_n, runtype=runtype)["sessid"].iloc[0])

    def facts(self, sessid: int) -> dict[str, Any]:
        """What the table knows of a session, by the names of :class:`SessionMetadata`."""
        row = self.row(sessid)
        facts = {name: row[name] for name in SessionMetadata.names() if name in row and not pd.isna(row[name])}
        facts = {name: value.item() if isinstance(value, np.generic) else value for name, value in facts.items()}
        return {name: bool(value) if name.endswith("_files") else value for name, value in facts.items()}

    def find(self, folder: str | os.PathLike, sessid: int, need: str = "ophys") -> Path:
        """NWB file of a session anywhere under a folder: ``sub-<mouseid>_*ses-<sessid>*.nwb``.

        Parameters
        ----------
        folder : path
        sessid : int
        need : {"ophys", "behavior", "image"}
            What the name of the file must say that it holds; of several files the first by name is taken.

        Raises
        ------
        FileNotFoundError
            If there is no such folder or file.
        """
        return find_file(folder, sessid, self.facts(sessid)["mouseid"], need)


def find_file(folder: str | os.PathLike, sessid: int, mouseid: int | str = "*", need: str = "ophys") -> Path:
    """NWB file of a session; see :meth:`MouseTable.find`."""
    check_choice("need", need, NEEDS)
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    pattern = f"sub-{mouseid}_*ses-{sessid}*.nwb"
    found = sorted(path for path in folder.rglob(pattern) if need in path.name)
    if not found:
        raise FileNotFoundError(f"{folder}: no file {pattern} with {need!r} in its name")
    return found[0]


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    table = check_type("table", table, pd.DataFrame).copy()
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise KeyError(f"{where} lacks the columns {missing}: it has {list(table.columns)}")
    for name in WHOLE:
        values = pd.to_numeric(table[name], errors="coerce")
        if values.isna().any() or (values % 1 != 0).any():
            raise ValueError(f"{where}: {name} holds {table[name][values.isna() | (values % 1 != 0)].iloc[0]!r}")
        table[name] = values.astype(np.int64)
    for name, allowed in ALLOWED.items():
        for value in table[name].unique():
            if value not in allowed:
                raise ValueError(f"{where}: {name} holds {value!r}: it must be one of {', '.join(allowed)}")
    for names in (["sessid"], ["mouse_n", "sess_n", "runtype"]):
        twice = table[table.duplicated(names)]
        if len(twice):
            raise ValueError(f"{where} lists {dict(twice[names].iloc[0])} twice")
    for one, other in (("mouse_n", "mouseid"), ("mouseid", "mouse_n")):
        several = table.groupby(one)[other].nunique() > 1
        if several.any():
            raise ValueError(f"{where}: {one} {several.idxmax()} has more than one {other}")
    table["group"] = [group_name(line, plane) for line, plane in zip(table["line"], table["plane"], strict=True)]
    return table.reset_index(drop=True)


def _listed(value: Any) -> list | None:
    if isinstance(value, str):
        return None if value in ("any", "all") else [value]
    values = list(value) if isinstance(value, Iterable) else [value]
    return None if set(values) & {"any", "all"} else values


def _line(name: str) -> str:
    short = {layer.replace("/", ""): line for line, layer in LAYERS.items()}
    return short.get(str(name).replace("/", ""), name)
