"""Results of the steps of a pipeline on disk, one file each, whole or absent, and the processes that make them.

A result is a mapping of names to tables (DataFrame), arrays, and whatever JSON can hold; it counts for what it was made
from.
"""

from __future__ import annotations

import functools
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_integer
from netlib.base.provenance import atomic_write, jsonable, source_hash

__all__ = ["Kept", "Result", "StepStore", "Workers", "code_version", "run_jobs"]


Result = dict[str, Any]
#: Folders of netlib whose code decides a number of the pipeline.
COMPUTING = ("base", "recordings", "calcium", "statistics", "pathways")


@functools.lru_cache
def code_version(folders: tuple[str, ...] = COMPUTING) -> str:
    """Hash of the code of some folders, by default of all that compute."""
    root = Path(__file__).resolve().parents[1]
    return source_hash((path for folder in folders for path in sorted((root / folder).rglob("*.py"))), root)


class StepStore:
    """A folder of results, ``<name>.npz`` each; a result counts only for the key it was made with.

    Parameters
    ----------
    folder : path
        Where; made when the first result is kept.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    def path(self, name: str) -> Path:
        """File of a step."""
        return self.folder / f"{name}.npz"

    def get(self, name: str, key: str, only: Sequence[str] = ()) -> Result | None:
        """The result, or the parts of it that ``only`` names; None if there is none of that key, or it is damaged."""
        try:
            with np.load(self.path(name), allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                if header["key"] != key:
                    return None
                parts = header["result"]
                return _decoded({part: parts[part] for part in only if part in parts} if only else parts, file)
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None

    def has(self, name: str, key: str) -> bool:
        """Tell whether there is a whole result of that key."""
        try:
            with np.load(self.path(name), allow_pickle=False) as file:
                return json.loads(str(file["header"]))["key"] == key and file.zip.testzip() is None
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return False

    def put(self, name: str, key: str, result: Mapping[str, Any]) -> None:
        """Keep a result, atomically."""
        arrays: dict[str, np.ndarray] = {}
        header = {"key": key, "result": {name: _encoded(name, value, arrays) for name, value in result.items()}}
        buffer = io.BytesIO()
        np.savez(buffer, header=json.dumps(header), **arrays)
        atomic_write(self.path(name), lambda file: file.write(buffer.getbuffer()))

    def make(self, name: str, key: str, function: Callable[[], Mapping[str, Any]]) -> bool:
        """Compute and keep a result unless it is there; tell whether it was computed."""
        if self.has(name, key):
            return False
        self.put(name, key, function())
        return True

    def clean(self) -> None:
        """Remove what killed runs left under hidden names."""
        for path in self.folder.glob(".*.npz.*"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Kept:
    """Results of a run by the names of the steps: where they are, and their keys."""

    folder: Path
    keys: dict[str, str]

    def load(self, name: str, *only: str) -> Result:
        """Result of a step, or some parts of it; a part that the step did not make is not there.

        Raises
        ------
        RuntimeError
            If it is not there, which is a fault of the pipeline, or somebody removed it meanwhile.
        """
        found = StepStore(self.folder).get(name, self.keys[name], only)
        if found is None:
            raise RuntimeError(f"the result of step {name!r} is not in {self.folder}: it was removed while in use")
        return found


def _encoded(name: str, value: Any, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(value, pd.DataFrame):
        table = value.reset_index() if value.index.name is not None else value.reset_index(drop=True)
        kinds = []
        for k, column in enumerate(table.columns):
            values = table[column].to_numpy()
            if values.dtype.kind in "biuf":
                arrays[f"{name}|{k}"] = values
                kinds.append(None)
            else:
                kinds.append([None if pd.isna(v) else jsonable(v) for v in table[column].tolist()])
        return {"table": jsonable(table.columns.tolist()), "kinds": kinds, "index": value.index.name}
    if isinstance(value, np.ndarray):
        arrays[name] = value.astype(str) if value.dtype.kind in "OT" else value
        return {"array": True}
    return {"json": _plain(value)}


def _plain(value: Any) -> Any:
    """As JSON; a number that is missing is NaN, which Python's JSON knows."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _decoded(header: Mapping[str, Any], file: Any) -> Result:
    result: Result = {}
    for name, facts in header.items():
        if "table" in facts:
            columns = {}
            for k, (column, values) in enumerate(zip(facts["table"], facts["kinds"], strict=True)):
                columns[column] = file[f"{name}|{k}"] if values is None else pd.Series(values, dtype=object)
            table = pd.DataFrame(columns)
            result[name] = table.set_index(facts["index"]) if facts["index"] is not None else table
        elif "array" in facts:
            result[name] = file[name]
        else:
            result[name] = facts["json"]
    return result


# ---------------------------------------------------------------- workers


class Workers:
    """Processes for any number of rounds of jobs; a context manager.

    Parameters
    ----------
    n : int
        Processes; 1 is this process itself.
    """

    def __init__(self, n: int = 1) -> None:
        self.n = check_integer("jobs", n, 1, 1024, unit="processes")
        self._pool: Executor | None = None

    def __enter__(self) -> Workers:
        if self.n > 1:
            self._pool = ProcessPoolExecutor(self.n, get_context("spawn"), _end_with_parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def run(self, function: Callable, jobs: Sequence[tuple], tell: Callable[[], Any] | None = None) -> list[Any]:
        """Results of ``function(*job)`` for each job, in order; ``tell`` is called after each.

        If a job fails those that have not begun are dropped, and its error is raised.
        """
        tell = tell or (lambda: None)
        if self._pool is None:
            results = []
            for job in jobs:
                results.append(function(*job))
                tell()
            return results
        futures = [self._pool.submit(function, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                tell()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]


def run_jobs(
    function: Callable, jobs: Sequence[tuple], workers: int = 1, tell: Callable[[], Any] | None = None
) -> list[Any]:
    """One round of :class:`Workers`."""
    with Workers(min(workers, max(len(jobs), 1))) as pool:
        return pool.run(function, jobs, tell)


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is gone, however it went."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
