"""Tables of numbers as comma-separated text without header, rectangular or ragged: exact, quick where many are 0."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from netlib.provenance import atomic_write

__all__ = ["read_ragged", "read_table", "write_ragged", "write_table"]

COMMA, END, ZERO, NINE = b",\n09"


def _raw(path: str | os.PathLike) -> bytes:
    """The file with plain line ends and no blanks; refuses what is cut short or no text."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path = {str(path)!r} does not exist, or is not a file")
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    for blank in (b"\r", b" ", b"\t"):
        if blank in raw:
            raw = raw.replace(blank, b"")
    if b"\0" in raw:
        raise ValueError(f"{path} is not a table of numbers: it is not text")
    if not raw:
        raise ValueError(f"{path} is empty: truncated, it must hold a table of numbers")
    if not raw.endswith(b"\n"):
        raise ValueError(f"{path}: truncated, its last line has no end; if nothing is missing, end it")
    return raw


def read_table(path: str | os.PathLike) -> np.ndarray:
    """Read a rectangular table of numbers.

    Returns
    -------
    ndarray of float, shape (rows, columns)

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is cut short, ragged, or holds something that is not a number; file and line are named.
    """
    raw = _raw(path)
    data = np.frombuffer(raw, np.uint8)
    stop = np.flatnonzero((data == COMMA) | (data == END))
    start = np.r_[0, stop[:-1] + 1]
    last = np.flatnonzero(data[stop] == END)
    columns = np.diff(last, prepend=-1)
    if (columns != columns[0]).any():
        row = int(np.argmax(columns != columns[0]))
        raise ValueError(
            f"{path}, line {row + 1}: has {columns[row]} values and line 1 has {columns[0]}: "
            "the file is truncated or damaged, lines must be equally long"
        )
    digit = data[start]
    single = (stop - start == 1) & (digit >= ZERO) & (digit <= NINE)
    shape = (len(last), int(columns[0]))
    if single.mean() < 0.5:
        return _dense(raw, shape, path)
    values = (digit - np.uint8(ZERO)).astype(float)
    rest = np.flatnonzero(~single)
    cells = [raw[a:b] for a, b in zip(start[rest].tolist(), stop[rest].tolist(), strict=True)]
    values[rest] = _floats(cells, rest, path, shape[1])
    return values.reshape(shape)


def _dense(raw: bytes, shape: tuple[int, int], path: str | os.PathLike) -> np.ndarray:
    """Values of a table that is mostly long numbers, by NumPy's reader; by ours where that one finds a fault."""
    try:
        values = np.loadtxt(io.BytesIO(raw), delimiter=",", comments=None, ndmin=2, encoding="latin-1")
        if values.shape == shape:
            return values
    except ValueError:
        pass
    cells = raw.replace(b"\n", b",").split(b",")[:-1]
    return np.array(_floats(cells, np.arange(len(cells)), path, shape[1])).reshape(shape)


def _floats(cells: list[bytes], places: np.ndarray, path: str | os.PathLike, columns: int) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError:
        for cell, place in zip(cells, places.tolist(), strict=True):
            try:
                float(cell)
            except ValueError:
                line, column = divmod(place, int(columns))
                words = cell.decode("utf-8", "replace")[:40]
                raise ValueError(f"{path}, line {line + 1}, value {column + 1}: {words!r} is not a number") from None
        raise


def read_ragged(path: str | os.PathLike) -> list[np.ndarray]:
    """Read rows of numbers of any length; a blank line is an empty row, and empty or NaN cells are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is cut short or holds something that is not a number; file and line are named.
    """
    rows = []
    for k, line in enumerate(_raw(path).split(b"\n")[:-1]):
        cells = [cell for cell in line.split(b",") if cell]
        values = np.array(_floats(cells, np.full(len(cells), k), path, 1))
        rows.append(values[~np.isnan(values)])
    return rows


def _texts(row: np.ndarray) -> Iterable[str]:
    """Shortest texts that give the numbers back; whole numbers without a point."""
    row = np.asarray(row) if np.asarray(row).dtype.kind in "iubf" else np.asarray(row, float)
    if row.dtype.kind in "iub":
        return map(str, row.astype(np.int64).tolist())
    if (np.abs(row) < 1e15).all() and (row == np.round(row)).all():
        return map(str, row.astype(np.int64).tolist())
    some = np.flatnonzero(row)
    numbers = row[some].astype(str).tolist() if row.dtype == np.float32 else list(map(repr, row[some].tolist()))
    if len(some) == len(row):
        return numbers
    texts = np.full(len(row), "0", object)
    texts[some] = numbers
    return texts.tolist()


def write_ragged(path: str | os.PathLike, rows: Sequence[np.ndarray]) -> Path:
    """Write rows of numbers of any length, atomically; :func:`read_ragged` gives them back."""
    lines = [",".join(_texts(np.asarray(row))) for row in rows]
    return atomic_write(path, lambda file: file.write("".join(f"{line}\n" for line in lines).encode()))


def write_table(path: str | os.PathLike, table: np.ndarray) -> Path:
    """Write a table of numbers, atomically; :func:`read_table` gives it back.

    Raises
    ------
    ValueError
        If it has no rows or no columns.
    """
    table = np.asarray(table)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"table has the shape {table.shape}: it must be (rows, columns), not empty")

    def write(file: object) -> None:
        for row in table:
            file.write(",".join(_texts(row)).encode() + b"\n")

    return atomic_write(path, write)
