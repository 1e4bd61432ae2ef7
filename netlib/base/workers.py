"""Work in this process or in several, which end with it however it ends; a job that kills its process is told."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any

from netlib.base.checks import check_integer

__all__ = ["WorkerDied", "Workers", "run_jobs"]


class WorkerDied(RuntimeError):
    """A job ended the process that ran it: a crash, ``os._exit``, or the system that had no memory left."""


@dataclass
class _Process:
    """One worker: its program, the pipe to it, and the job that it runs."""

    program: subprocess.Popen
    pipe: Connection
    job: int = -1

    def end(self) -> None:
        self.pipe.close()  # it reads the end of its pipe, and ends
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.program.wait(0.2)
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()


class Workers:
    """Processes for any number of rounds of jobs; a context manager.

    Functions and arguments reach them by cloudpickle: those of a notebook, lambdas and closures too. A program needs no
    ``if __name__ == "__main__"``.

    Parameters
    ----------
    n : int
        Processes; 1 is this process itself.
    name : str
        What the number is called in a refusal.

    Examples
    --------
    >>> with Workers(2) as workers:
    ...     workers.run(lambda x: x * x, [(1,), (2,), (3,)])
    [1, 4, 9]
    """

    def __init__(self, n: int = 1, name: str = "workers") -> None:
        self.n = check_integer(name, n, 1, 1024, unit="processes")
        self._free: list[_Process] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._free:
            process.end()
        self._free.clear()

    def run(
        self, function: Callable[..., Any], jobs: Sequence[tuple], tell: Callable[[], Any] | None = None
    ) -> list[Any]:
        """Results of ``function(*job)`` for each job, in order; ``tell`` is called after each.

        If a job fails those that have not begun are dropped, and its error is raised.
        """
        results: list[Any] = [None] * len(jobs)
        for k, result in self.outcomes(function, jobs):
            if isinstance(result, BaseException):
                raise result
            results[k] = result
            if tell:
                tell()
        return results

    def outcomes(self, function: Callable[..., Any], jobs: Sequence[tuple]) -> Iterator[tuple[int, Any]]:
        """Number and result of each job as it is done; of one that failed its error, of one that took its process
        with it a :class:`WorkerDied`. The others go on."""
        if self.n == 1:
            for k, job in enumerate(jobs):
                try:
                    result = function(*job)
                except Exception as error:
                    result = error
                yield k, result
            return
        yield from self._in_processes(function, jobs)

    def _in_processes(self, function: Callable[..., Any], jobs: Sequence[tuple]) -> Iterator[tuple[int, Any]]:
        left, running = deque(range(len(jobs))), list[_Process]()
        try:
            while left or running:
                while left and len(running) < self.n:
                    process = self._free.pop() if self._free else _start()
                    process.job = left.popleft()
                    running.append(process)
                    with contextlib.suppress(OSError):  # it died just now, which is seen below
                        process.pipe.send_bytes(_pickled((function, jobs[process.job])))
                for pipe in wait([process.pipe for process in running]):
                    process = next(one for one in running if one.pipe is pipe)
                    running.remove(process)
                    outcome = _received(process)
                    if isinstance(outcome, WorkerDied):
                        process.end()
                    else:
                        self._free.append(process)
                    yield process.job, outcome
        finally:
            for process in running:  # somebody stopped listening: what runs is not wanted any more
                process.program.kill()
                process.end()


def run_jobs(
    function: Callable[..., Any], jobs: Sequence[tuple], workers: int = 1, tell: Callable[[], Any] | None = None
) -> list[Any]:
    """One round of :class:`Workers`."""
    with Workers(min(workers, max(len(jobs), 1))) as pool:
        return pool.run(function, jobs, tell)


def _start() -> _Process:
    """A fresh Python that waits for jobs. It does not read the program that started it, as multiprocessing would."""
    ours, theirs = Pipe()
    code = f"import sys; sys.path[:] = {sys.path!r}; from netlib.base.workers import serve; serve({theirs.fileno()})"
    # One thread each: processes are the parallelism, and threads that wait for each other stall.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    program = subprocess.Popen(
        [sys.executable, "-c", code], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=os.environ | threads
    )
    theirs.close()
    return _Process(program, ours)


def _received(process: _Process) -> Any:
    try:
        return pickle.loads(process.pipe.recv_bytes())
    except (EOFError, OSError):
        code = process.program.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        memory = ", for want of memory perhaps" if code == -signal.SIGKILL else ""
        return WorkerDied(f"the process that ran it ended ({how}{memory})")
    except Exception as error:
        return RuntimeError(f"the result cannot be sent back: {error}")


def _pickled(value: Any) -> bytes:
    import cloudpickle

    return cloudpickle.dumps(value)


def serve(descriptor: int) -> None:
    """Run jobs that come through a pipe until it ends, or the process that holds its other end does."""
    pipe = Connection(descriptor)
    jobs: deque[bytes] = deque()
    arrived = threading.Semaphore(0)

    def listen() -> None:
        while True:
            try:
                jobs.append(pipe.recv_bytes())
            except (EOFError, OSError):
                os._exit(0)  # whatever runs: nobody waits for it
            arrived.release()

    # A fork is no worker: it must neither answer nor keep the pipe open when the worker is gone.
    worker = os.getpid()
    os.register_at_fork(after_in_child=pipe.close)
    threading.Thread(target=listen, daemon=True).start()
    while True:
        arrived.acquire()
        try:
            function, job = pickle.loads(jobs.popleft())
            outcome: Any = function(*job)
        except Exception as error:
            outcome = error
        if os.getpid() != worker:
            os._exit(0)
        try:
            content = _pickled(outcome)
            if isinstance(outcome, Exception):
                pickle.loads(content)  # one whose constructor takes other arguments cannot be made again
        except Exception as error:
            kind, said = type(outcome).__name__, outcome if isinstance(outcome, Exception) else error
            content = _pickled(RuntimeError(f"{kind} cannot be sent back: {said}"))
        pipe.send_bytes(content)
