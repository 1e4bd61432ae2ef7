"""Work in this process or in several, which end with it even if it is killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any

from netlib.units import check_integer

__all__ = ["Workers", "run_jobs"]


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
