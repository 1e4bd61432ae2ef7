"""A folder of results by what they depend on: parameters, seed, code and versions."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netlib.base.checks import check_number
from netlib.base.provenance import atomic_write, file_hash, hash_of, source_hash, versions

__all__ = ["Cache", "code_version", "key_of"]

#: Rooms whose code cannot change a number.
NOT_COMPUTING = ("figures", "cli", "sweep")


@functools.lru_cache
def code_version() -> str:
    """Hash of the source of netlib, without the rooms that only draw and talk.

    Examples
    --------
    >>> len(code_version()), code_version() == code_version()
    (64, True)
    """
    folder = Path(__file__).resolve().parents[1]
    paths = sorted(folder.rglob("*.py"))
    computing = (p for p in paths if p.relative_to(folder).parts[0].removesuffix(".py") not in NOT_COMPUTING)
    return source_hash(computing, folder)


_file_version = functools.lru_cache(file_hash)


def key_of(function: Callable, setting: Mapping[str, Any], seed: int, context: str = "") -> str:
    """Hash of everything the result of ``function(seed, **setting)`` depends on.

    Parameters
    ----------
    function : callable
        Of a module, or a :class:`functools.partial` of one.
    setting : mapping
        Its parameters.
    seed : int
        Master seed.
    context : str
        Whatever else decides the result, such as the engine.

    Examples
    --------
    >>> from netlib.sweep.run import wave
    >>> key_of(wave, {"noise": 0.1}, 1) == key_of(wave, {"noise": 0.2}, 1)
    False
    """
    fixed: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        fixed = {"args": function.args, **function.keywords, **fixed}
        function = function.func
    with contextlib.suppress(TypeError, OSError):
        fixed["file"] = _file_version(inspect.getsourcefile(function))
    facts = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "fixed": fixed,
        "setting": dict(setting),
        "seed": int(seed),
        "context": context,
        "code": code_version(),
        "versions": versions(),
    }
    return hash_of(facts)


class Cache:
    """Results on disk, one file each, whole or absent; any number of processes may use one folder at a time.

    Parameters
    ----------
    folder : path
        Where they lie; made if missing.
    max_size : float
        Bound of the size of all files (MB); the least recently used go first.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(folder)
    ...     cache.put("abcd", {"rate": np.arange(3)})
    ...     print(cache.get("abcd"), cache.get("ef01"))
    {'rate': array([0, 1, 2])} None
    """

    def __init__(self, folder: str | os.PathLike, max_size: float = 2000.0) -> None:
        self.folder, self.max_size = Path(folder), check_number("max_size", max_size, "MB", 0, low_open=True)
        self._written = 0.0

    def path(self, key: str) -> Path:
        """File of a key."""
        return self.folder / key[:2] / f"{key}.npz"

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The result, or None where there is none; a damaged file is removed and counts as none."""
        path = self.path(key)
        try:
            with np.load(path, allow_pickle=False) as file:
                found = dict(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):  # another process may have removed it
            os.utime(path)
        return found

    def put(self, key: str, result: Mapping[str, np.ndarray]) -> None:
        """Keep a result.

        Raises
        ------
        OSError
            If it cannot be written, for example on a full disk; what was there stays.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **result)
        try:
            atomic_write(self.path(key), lambda file: file.write(buffer.getbuffer()))
        except OSError as error:
            raise OSError(
                error.errno, f"the cache cannot be written ({error.strerror}); what it held is whole", str(self.folder)
            ) from error
        self._written += buffer.getbuffer().nbytes / 1e6
        if self._written > self.max_size / 20:
            self._written = 0.0
            self.trim()

    def trim(self) -> None:
        """Remove the least recently used files until the size is within bounds, and temporary files of the dead."""
        found = []
        for path in self.folder.glob("*/*.npz*"):
            with contextlib.suppress(OSError):
                facts = path.stat()
                found.append((facts.st_mtime, facts.st_size / 1e6, path))
        excess = sum(size for _, size, _ in found) - self.max_size
        for _, size, path in sorted(found):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size
