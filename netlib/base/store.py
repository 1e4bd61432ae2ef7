"""The one store of results: what was computed is found again by the key of all that it depends on, or computed anew.

An entry is one file, whole or absent: a line that names the format, the checksums of its parts, its parts. Whatever was
changed in it, a bit or its length, it is not whole, counts as absent, and is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_number
from netlib.base.provenance import inside

__all__ = ["Result", "Store"]

Result = dict[str, Any]
_FORMAT = b"netlib result 1\n"
_ENDING = ".result"
#: Length of a SHA-256 and of a number in a file (bytes).
_SUM, _NUMBER = 32, 8


class Store:
    """Results on disk; any number of processes may use one folder at a time.

    A result is a mapping of names to arrays, tables (DataFrame), and whatever JSON can hold.

    Parameters
    ----------
    folder : path
        Where the files lie; made when the first result is kept.
    max_size : float, optional
        Bound of the size of all files (MB): the least recently used go first. By default there is none.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder)
    ...     store.put("abcd", {"rate": np.arange(3), "file": "a name like any other"})
    ...     print(store.get("abcd"), store.get("ef01"))
    {'rate': array([0, 1, 2]), 'file': 'a name like any other'} None
    """

    def __init__(self, folder: str | os.PathLike, max_size: float | None = None) -> None:
        self.folder = Path(folder)
        self.max_size = None if max_size is None else check_number("max_size", max_size, "MB", 0, low_open=True)
        self._written = 0.0

    def path(self, key: str, name: str = "") -> Path:
        """File of a key, or of a name that people know: a name holds the result of one key at a time."""
        return inside(self.folder, f"{name}{_ENDING}" if name else f"{key[:2]}/{key}{_ENDING}")

    def get(self, key: str, name: str = "", only: Sequence[str] = ()) -> Result | None:
        """The result, or the parts of it that ``only`` names; None if there is none of that key, or it is damaged."""
        path = self.path(key, name)
        try:
            with path.open("rb") as file:
                header = _read_header(file)
                if header["key"] != key:
                    return None
                parts = {part: entry for part, entry in header["parts"].items() if not only or part in only}
                found = {part: _read_part(file, entry) for part, entry in parts.items()}
        except FileNotFoundError:
            return None
        except _Damaged:
            with contextlib.suppress(OSError):  # the folder may be read only
                path.unlink()
            return None
        if self.max_size is not None:
            with contextlib.suppress(OSError):  # another process may have removed it
                os.utime(path)
        return found

    def has(self, key: str, name: str = "") -> bool:
        """Whether there is a whole result of that key."""
        return self.get(key, name) is not None

    def put(self, key: str, result: Mapping[str, Any], name: str = "") -> None:
        """Keep a result.

        Raises
        ------
        TypeError
            If a part of it can be kept neither as numbers nor as text.
        OSError
            If it cannot be written, for example on a full disk; what was there stays.
        """
        content = _packed(key, result)
        path = self.path(key, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content)
        except OSError as error:
            text = f"the store cannot be written ({error.strerror}); what it held is whole"
            raise OSError(error.errno, text, str(self.folder)) from error
        self._written += len(content) / 1e6
        if self.max_size is not None and self._written > self.max_size / 20:
            self._written = 0.0
            self.trim()

    def make(self, key: str, function: Callable[[], Mapping[str, Any]], name: str = "") -> bool:
        """Compute and keep a result unless it is there; tell whether it was computed."""
        if self.has(key, name):
            return False
        self.put(key, function(), name)
        return True

    def trim(self) -> None:
        """Remove the least recently used files until the size is within bounds."""
        found = []
        for path in self._files():
            with contextlib.suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size / 1e6, path))
        excess = sum(size for _, size, _ in found) - (np.inf if self.max_size is None else self.max_size)
        for _, size, path in sorted(found):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size

    def clean(self) -> None:
        """Remove what killed runs left under hidden names."""
        for path in self._files(".", ".part"):
            path.unlink(missing_ok=True)

    def _files(self, start: str = "", ending: str = "") -> Iterator[Path]:
        for pattern in (f"{start}*{_ENDING}{ending}", f"*/{start}*{_ENDING}{ending}"):
            yield from self.folder.glob(pattern)


class _Damaged(Exception):
    """A file that is not whole."""


def _write(path: Path, content: bytes) -> None:
    """Write under a hidden name, then rename. Nothing waits for the disk: what a power cut damages is not whole."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=f"{_ENDING}.part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


# ---------------------------------------------------------------- files


def _packed(key: str, result: Mapping[str, Any]) -> bytes:
    body, parts = io.BytesIO(), {}
    for name, value in result.items():
        form, arrays = _encoded(str(name), value)
        places = []
        for array in arrays:
            start = body.tell()
            np.lib.format.write_array(body, array, allow_pickle=False)
            places.append([start, body.tell() - start, hashlib.sha256(body.getbuffer()[start:]).hexdigest()])
        parts[str(name)] = {"form": form, "arrays": places}
    header = json.dumps({"key": key, "parts": parts}).encode()
    head = len(header).to_bytes(_NUMBER, "little") + header
    return _FORMAT + hashlib.sha256(head).digest() + head + body.getvalue()


def _read_header(file: Any) -> dict[str, Any]:
    if file.read(len(_FORMAT)) != _FORMAT:
        raise _Damaged
    checksum, length = file.read(_SUM), file.read(_NUMBER)
    n = int.from_bytes(length, "little")
    size = os.fstat(file.fileno()).st_size
    if n > size:
        raise _Damaged
    header = file.read(n)
    if hashlib.sha256(length + header).digest() != checksum:
        raise _Damaged
    found = json.loads(header)
    found["start"] = file.tell()
    end = max((start + n for part in found["parts"].values() for start, n, _ in part["arrays"]), default=0)
    if size != found["start"] + end:
        raise _Damaged
    for part in found["parts"].values():
        part["start"] = found["start"]
    return found


def _read_part(file: Any, part: Mapping[str, Any]) -> Any:
    arrays = []
    for start, length, checksum in part["arrays"]:
        file.seek(part["start"] + start)
        content = file.read(length)
        if hashlib.sha256(content).hexdigest() != checksum:
            raise _Damaged
        arrays.append(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
    return _decoded(part["form"], iter(arrays))


def _encoded(name: str, value: Any) -> tuple[Any, list[np.ndarray]]:
    """How a value is kept: what JSON holds of it, and arrays."""
    if isinstance(value, pd.DataFrame):
        if not value.columns.is_unique or value.index.nlevels > 1 or value.columns.nlevels > 1:
            raise TypeError(f"result[{name!r}] is a table whose columns or index have several levels or the same names")
        columns = [_encoded(f"{name}[{column!r}]", value[column]) for column in value.columns]
        index, of_index = _encoded(f"the index of {name}", value.index.to_series())
        arrays = [array for _, of_column in columns for array in of_column]
        labels = [_plain(f"a column of {name}", column) for column in value.columns]
        plain = isinstance(value.index, pd.RangeIndex) and value.index.equals(pd.RangeIndex(len(value)))
        form = {"table": labels, "forms": [form for form, _ in columns], "index": None if plain else index}
        form["named"] = value.index.name
        return form, [*arrays, *([] if plain else of_index)]
    if isinstance(value, pd.Series):
        if isinstance(value.dtype, pd.CategoricalDtype):
            levels, of_levels = _encoded(name, value.cat.categories.to_series())
            return {"categories": levels, "ordered": value.cat.ordered}, [value.cat.codes.to_numpy(), *of_levels]
        values = value.to_numpy()
        if values.dtype.kind in "biufcmM" and not isinstance(value.dtype, pd.api.extensions.ExtensionDtype):
            return {"series": None}, [values]
        text = [None if _missing(v) else _plain(name, v) for v in value.tolist()]
        nans = [k for k, v in enumerate(value.tolist()) if isinstance(v, float) and np.isnan(v)]
        return {"series": text, "nan": nans, "dtype": str(value.dtype)}, []
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"result[{name!r}] is a masked array, whose mask cannot be kept: give both as arrays")
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O" and not all(isinstance(item, str) for item in value.ravel()):
            raise TypeError(f"result[{name!r}] is an array of objects: it must hold numbers or text")
        return {"array": True}, [value.astype(str) if value.dtype.kind in "OT" else value]
    return {"json": _plain(name, value)}, []


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) or value is pd.NaT


def _plain(name: str, value: Any) -> Any:
    """As JSON; a number that is missing is NaN, which Python's JSON knows."""
    if isinstance(value, Mapping):
        if len({str(k) for k in value}) < len(value):
            raise TypeError(f"result[{name!r}] has keys that are the same as text: {list(value)}")
        return {str(k): _plain(name, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, v) for v in value]
    if isinstance(value, np.generic):
        return _plain(name, value.item())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"result[{name!r}] is a {type(value).__name__}: it must be numbers, text, a table or an array")


def _decoded(form: Mapping[str, Any], arrays: Iterator[np.ndarray]) -> Any:
    if "table" in form:
        columns = [_decoded(one, arrays) for one in form["forms"]]
        table = pd.DataFrame({k: column.reset_index(drop=True) for k, column in enumerate(columns)})
        table.columns = [tuple(label) if isinstance(label, list) else label for label in form["table"]]
        if form["index"] is not None:
            table.index = pd.Index(_decoded(form["index"], arrays))
        table.index.name = form["named"]
        return table
    if "categories" in form:
        codes = next(arrays)
        levels = _decoded(form["categories"], arrays)
        return pd.Series(pd.Categorical.from_codes(codes, pd.Index(levels), form["ordered"]))
    if "series" in form:
        if form["series"] is None:
            return pd.Series(next(arrays))
        values = [np.nan if k in set(form["nan"]) else v for k, v in enumerate(form["series"])]
        return pd.Series(values, dtype=form["dtype"])
    return next(arrays) if "array" in form else form["json"]
