"""Events of an Imetronic operant box: the ``.dat`` text file, read and written without loss.

Layout (published thesis pipeline of the striatal recordings): 12 header lines, then one row per event, tab-separated,
with the columns ``time[ms] family num P V L R T W X Y Z``. The last header line may hold the names of the columns; in
some files it follows the twelve.

What the rows mean: family 2 is the lever, T the ordinal number of the press, its first row press-down and its second
release; family 4 with V = 1 is a head entry at the dispenser, P = 1 with a pellet and P = 0 without; family 5 with
V = 1 is the start of a lick; family 9 is the entry into a zone, V = 1 the lever's and V = 2 the dispenser's. Rows of
other families are kept and not interpreted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from netlib.base.checks import check_type
from netlib.base.provenance import atomic_write

__all__ = [
    "COLUMNS",
    "DISPENSER",
    "FORMAT",
    "HEADER_LINES",
    "LEVER",
    "LICK",
    "SESSION_END",
    "ZONE",
    "BoxLog",
    "empty_events",
    "event_table",
    "format_imetronic",
    "make_header",
    "parse_imetronic",
    "read_imetronic",
    "write_imetronic",
]

#: Columns of the event table; ``time`` (ms) is called ``time[ms]`` in the file.
COLUMNS = ("time", "family", "num", "P", "V", "L", "R", "T", "W", "X", "Y", "Z")
IN_FILE = ("time[ms]", *COLUMNS[1:])
HEADER_LINES = 12
#: Families of events that the analyses know.
LEVER, DISPENSER, LICK, ZONE = 2, 4, 5, 9
#: Family of the closing row of files written here (netlib's own; published files end with their last event).
SESSION_END = 1
#: What the header of our own files says of their format.
FORMAT = "Imetronic operant box, netlib"
INTEGER = re.compile(r"-?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, eq=False)
class BoxLog:
    """Content of one ``.dat`` file.

    Attributes
    ----------
    header : tuple of str
        The 12 header lines (13 where the names of the columns follow them), without line ends.
    events : DataFrame
        One row per event, in order of time; columns :data:`COLUMNS`, ``time`` in ms. A column is int64, or float64
        if one of its values is not a whole number.

    Raises
    ------
    ValueError
        If the header has another number of lines, or the table other columns, no rows of a number, or times that are
        negative or not in order.
    """

    header: tuple[str, ...]
    events: pd.DataFrame

    def __post_init__(self) -> None:
        object.__setattr__(self, "header", tuple(check_type("header", line, str) for line in self.header))
        object.__setattr__(self, "events", _checked_events(self.events))
        if len(self.header) not in (HEADER_LINES, HEADER_LINES + 1):
            raise ValueError(f"header has {len(self.header)} lines: it must have {HEADER_LINES}")
        if _names_columns(self.header[-1]):
            _check_names(self.header[-1], "header")
        elif len(self.header) > HEADER_LINES:
            raise ValueError(f"header has {len(self.header)} lines: the last must hold the names of the columns")
        for k, line in enumerate(self.header, 1):
            if any(ord(c) < 32 and c != "\t" for c in line) or "\ufeff" in line:
                raise ValueError(f"header line {k} = {line!r} holds a control character: it must be one line of text")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoxLog) and self.header == other.header and self.events.equals(other.events)

    __hash__ = None

    def __len__(self) -> int:
        return len(self.events)

    @property
    def end(self) -> float:
        """Time of the last event (ms); 0 without events."""
        return float(self.events["time"].iloc[-1]) if len(self.events) else 0.0

    def field(self, name: str) -> str | None:
        """Value of the header line ``name: value``, None if there is none (case does not matter)."""
        for line in self.header:
            key, colon, value = line.partition(":")
            if colon and key.strip().lower() == name.lower():
                return value.strip()
        return None


def _checked_events(events: pd.DataFrame) -> pd.DataFrame:
    check_type("events", events, pd.DataFrame)
    if tuple(events.columns) != COLUMNS:
        raise ValueError(f"events has the columns {list(events.columns)}: they must be {list(COLUMNS)}, in this order")
    arrays = {}
    for name in COLUMNS:
        values = events[name].to_numpy()
        if values.dtype.kind not in "iuf" or (values.dtype.kind == "f" and not np.isfinite(values).all()):
            raise ValueError(f"events column {name!r} holds something that is not a finite number")
        arrays[name] = values.astype(np.float64 if values.dtype.kind == "f" and len(values) else np.int64)
    fault = _time_fault(arrays["time"])
    if fault:
        raise ValueError(f"events row {fault[0]}: {fault[1]}")
    return pd.DataFrame(arrays)


def _time_fault(times: np.ndarray) -> tuple[int, str] | None:
    """First row whose time cannot be, and why."""
    if len(times) and times[0] < 0:
        return 0, f"time = {times[0]} ms is negative"
    back = np.flatnonzero(np.diff(times) < 0)
    if not len(back):
        return None
    row = int(back[0]) + 1
    more = f" ({len(back)} rows go back in all)" if len(back) > 1 else ""
    return (
        row,
        f"time = {times[row]} ms comes after {times[row - 1]} ms: rows are shuffled, times must be in order{more}",
    )


def _names_columns(line: str) -> bool:
    """Tell whether a line names columns, be it in the wrong order: half of the names or more are in it."""
    return len({cell.strip().lower() for cell in line.split("\t")} & {name.lower() for name in IN_FILE}) >= 6


def empty_events() -> pd.DataFrame:
    """Event table without rows."""
    return pd.DataFrame({name: np.empty(0, np.int64) for name in COLUMNS})


def event_table(rows: Iterable[Mapping[str, int]]) -> pd.DataFrame:
    """Event table in order of time from rows that name only the columns they set; the others are 0.

    Examples
    --------
    >>> event_table([{"time": 40, "family": 9, "V": 2}, {"time": 5, "family": 9, "V": 1}])[
    ...     ["time", "V"]
    ... ].values.tolist()
    [[5, 1], [40, 2]]
    """
    rows = list(rows)
    unknown = sorted({name for row in rows for name in row} - set(COLUMNS))
    if unknown:
        raise KeyError(f"rows set the columns {unknown}: they must be among {list(COLUMNS)}")
    if not rows:
        return empty_events()
    table = pd.DataFrame({name: np.array([row.get(name, 0) for row in rows]) for name in COLUMNS})
    return _checked_events(table.sort_values("time", kind="stable", ignore_index=True))


def make_header(subject: str = "", session: str | int = "", schedule: str = "", **more: str | int) -> tuple[str, ...]:
    """Twelve header lines for a file of our own: ``name: value`` pairs, the names of the columns last."""
    fields = {"Format": FORMAT, "Subject": subject, "Session": session, "Schedule": schedule, **more}
    if len(fields) > HEADER_LINES - 1:
        raise ValueError(f"more holds {len(more)} fields: there is room for {HEADER_LINES - 5}")
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return (*lines, *[""] * (HEADER_LINES - 1 - len(lines)), "\t".join(IN_FILE))


def format_imetronic(log: BoxLog) -> str:
    """Text of a ``.dat`` file; :func:`parse_imetronic` gives the same log back."""
    cells = [map(repr, log.events[name].tolist()) for name in COLUMNS]
    rows = ("\t".join(row) for row in zip(*cells, strict=True))
    return "".join(f"{line}\n" for line in (*log.header, *rows))


def parse_imetronic(text: str, source: str = "text") -> BoxLog:
    """Read the text of a ``.dat`` file.

    Parameters
    ----------
    text : str
        The whole file.
    source : str
        What errors call it.

    Raises
    ------
    ValueError
        If it is not such a file, is cut short, has its columns in another order, holds something that is not a number,
        or goes back in time. The message names the file and the line.
    """
    if "\0" in text:
        raise ValueError(f"{source} is not an Imetronic .dat file: it is not text")
    lines = text.split("\n")
    if lines[-1] != "":
        raise ValueError(
            f"{source}, line {len(lines)}: truncated, the last line has no end ({lines[-1][:60]!r}); "
            "if nothing is missing, end it"
        )
    lines = [line.removesuffix("\r") for line in lines[:-1]]
    if len(lines) < HEADER_LINES:
        raise ValueError(
            f"{source} has {len(lines)} lines: truncated, or not an Imetronic .dat file, "
            f"which has {HEADER_LINES} header lines"
        )
    named = len(lines) > HEADER_LINES and _names_columns(lines[HEADER_LINES])
    first = HEADER_LINES + named
    if _names_columns(lines[first - 1]):
        _check_names(lines[first - 1], f"{source}, line {first}")
    rows = _split_rows(lines[first:], first, source)
    columns = [_numbers([row[k] for row in rows], COLUMNS[k], first, source) for k in range(len(COLUMNS))]
    fault = _time_fault(columns[0])
    if fault:
        raise ValueError(f"{source}, line {first + fault[0] + 1}: {fault[1]}")
    return BoxLog(tuple(lines[:first]), pd.DataFrame(dict(zip(COLUMNS, columns, strict=True))))


def _check_names(line: str, where: str) -> None:
    names = [name.strip() for name in line.split("\t")]
    if [name.lower() for name in names] not in ([n.lower() for n in IN_FILE], [n.lower() for n in COLUMNS]):
        raise ValueError(f"{where}: columns are named {names}: they must be {list(IN_FILE)}, in this order")


def _split_rows(lines: Sequence[str], first: int, source: str) -> list[list[str]]:
    rows = [line.replace(" ", "").split("\t") for line in lines]
    for k, row in enumerate(rows):
        if len(row) != len(COLUMNS):
            what = "truncated, the last line" if k == len(rows) - 1 and k else "not an Imetronic .dat row, it"
            raise ValueError(
                f"{source}, line {first + k + 1}: {what} has {len(row)} tab-separated values, "
                f"it must have {len(COLUMNS)} ({', '.join(IN_FILE)})"
            )
    return rows


def _numbers(cells: list[str], name: str, first: int, source: str) -> np.ndarray:
    """Values of one column: int64 if all are written as whole numbers, else float64."""
    whole = all(map(INTEGER.fullmatch, cells))
    for k, cell in enumerate(cells):
        if not NUMBER.fullmatch(cell):
            raise ValueError(f"{source}, line {first + k + 1}: {name} = {cell!r} is not a number")
        if not abs(int(cell) if whole else float(cell)) < (2**63 if whole else np.inf):
            raise ValueError(f"{source}, line {first + k + 1}: {name} = {cell} is too large")
    return np.array([int(cell) for cell in cells], np.int64) if whole else np.array([float(cell) for cell in cells])


def read_imetronic(path: str | os.PathLike) -> BoxLog:
    """Read a ``.dat`` file (see :func:`parse_imetronic`).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If its name does not end in ``.dat``, or it cannot be read as one.
    """
    path = Path(path)
    if path.suffix.lower() != ".dat":
        raise ValueError(f"path = {str(path)!r} is not a .dat file")
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r} does not exist, or is not a file")
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # the box's own software writes accents in its country's encoding
        text = raw.decode("latin-1")
    return parse_imetronic(text, str(path))


def write_imetronic(path: str | os.PathLike, log: BoxLog) -> Path:
    """Write a ``.dat`` file, atomically; :func:`read_imetronic` gives the same log back."""
    text = format_imetronic(check_type("log", log, BoxLog))
    return atomic_write(path, lambda file: file.write(text.encode()))
