"""Where a result comes from (parameters, seed, versions, platform), and files that are whole or absent."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np

from netlib import __version__

__all__ = [
    "atomic_write",
    "file_hash",
    "file_name",
    "hash_of",
    "inside",
    "jsonable",
    "provenance",
    "source_hash",
    "versions",
    "write_json",
]

PACKAGES = (
    "numpy",
    "scipy",
    "lmfit",
    "PyNN",
    "nest-simulator",
    "numba",
    "Brian2",
    "neuron",
    "MotionClouds",
    "LogGabor",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result, those installed only.

    Examples
    --------
    >>> versions()["numpy"] == np.__version__
    True
    """
    return dict(_versions())


@functools.lru_cache  # reading them takes longer than a short simulation
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "netlib": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def jsonable(value: Any) -> Any:
    """Turn dataclasses, arrays and paths into what JSON can hold; a dataclass keeps its class name.

    Examples
    --------
    >>> jsonable({"rates": np.array([1.0, np.inf]), "path": Path("a") / "b"})
    {'rates': [1.0, 'inf'], 'path': 'a/b'}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [jsonable(v) for v in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


def provenance(parameters: Any, seed: int, **extra: Any) -> dict[str, Any]:
    """Describe a result: parameters, seed, versions, platform, date, and whatever else the caller knows.

    Parameters
    ----------
    parameters : dataclass, dict or None
        What the result was made from.
    seed : int
        The master seed.
    **extra
        More facts, such as ``wall_time`` (s), ``backend`` or ``drive``.

    Examples
    --------
    >>> found = provenance({"tau_m": 10.0}, seed=3, backend="nest")
    >>> found["parameters"], found["seed"], found["backend"]
    ({'tau_m': 10.0}, 3, 'nest')
    """
    return {
        "parameters": jsonable(parameters),
        "seed": int(seed),
        "versions": versions(),
        "platform": platform.platform(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{key: jsonable(value) for key, value in extra.items()},
    }


def hash_of(facts: Any) -> str:
    """SHA-256 of anything that :func:`jsonable` can turn into JSON; the order of the keys of a dict does not matter.

    Examples
    --------
    >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(jsonable(facts), sort_keys=True).encode()).hexdigest()


def file_hash(path: str | os.PathLike) -> str:
    """SHA-256 of the content of a file.

    Examples
    --------
    >>> file_hash(__file__) == file_hash(__file__)
    True
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_hash(paths: Iterable[Path], folder: Path) -> str:
    """SHA-256 of the names, seen from ``folder``, and of the contents of source files, in the order given.

    Examples
    --------
    >>> len(source_hash([Path(__file__)], Path(__file__).parent))
    64
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def file_name(word: str) -> str:
    """A foreign word (a mouse, a behaviour) as part of the name of one file: what names folders is written as %2F.

    Examples
    --------
    >>> file_name("I2 (left)"), file_name("../../x"), file_name("..")
    ('I2 (left)', '%2E.%2F..%2Fx', '%2E.')
    """
    name = quote(str(word), safe=" !#$&'()+,;=@[]~µ°")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def inside(folder: str | os.PathLike, name: str) -> Path:
    """Path of a name, which may hold folders, below a folder.

    Raises
    ------
    ValueError
        If it leaves the folder.

    Examples
    --------
    >>> inside("results", "local/test").as_posix()
    'results/local/test'
    """
    if not name or ".." in Path(name).parts or Path(name).is_absolute() or "\0" in name:
        raise ValueError(f"name = {name!r} leaves the folder {str(folder)!r}, or names no file: give one below it")
    return Path(folder) / name


#: Ending of the hidden names under which files are written; a killed process leaves them.
LEFT = ".part"


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it
    os.umask(mask)
    return mask


def atomic_write(path: str | os.PathLike, write: Callable[[BinaryIO], Any]) -> Path:
    """Write a file that is either whole or absent: temporary name, fsync, rename.

    Parameters
    ----------
    path : path
        Where the file goes; its folder is made.
    write : callable
        Receives the open binary file and writes to it.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder) / "new" / "a.txt", lambda file: file.write(b"whole")).read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=LEFT)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Write ``value`` as indented JSON, atomically.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_json(Path(folder) / "a.json", {"rates": np.arange(2)}).read_text())
    {
      "rates": [
        0,
        1
      ]
    }
    """
    text = json.dumps(jsonable(value), indent=2)
    return atomic_write(path, lambda file: file.write(text.encode()))
