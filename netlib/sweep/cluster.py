"""Points of a sweep on the workers of a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["run_on_cluster"]


def run_on_cluster(run: Callable, jobs: list[tuple], scheduler: Any) -> Iterator[tuple[int, dict]]:
    """Run jobs on the workers of a scheduler, and yield the number of each and what it returns as it comes.

    A job whose worker dies is given to another one; one that three workers died of raises an error. Workers should have
    one thread each, since a simulator is one per process.

    Parameters
    ----------
    run : callable
        Of a module that the workers can import.
    jobs : list of tuple
        Its arguments.
    scheduler : str or distributed.Client
        Address, or a client.

    Raises
    ------
    ImportError
        If Dask is not installed.
    OSError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ImportError(f"scheduler = {scheduler!r} needs Dask: pip install 'netlib-v1[cluster]'") from error
    with contextlib.ExitStack() as stack:
        client = scheduler
        if not isinstance(scheduler, Client):
            try:
                client = stack.enter_context(Client(scheduler, timeout=10))
            except OSError as error:
                raise OSError(f"scheduler = {scheduler!r} does not answer: {error}") from error
        several = [address for address, n in client.nthreads().items() if n > 1]
        if several:
            raise ValueError(
                f"scheduler = {scheduler!r} has workers of several threads ({', '.join(several)}): start them with "
                "one thread each (dask worker --nthreads 1), a simulator is one per process"
            )
        futures = {client.submit(run, *job, pure=False, retries=1): k for k, job in enumerate(jobs)}
        for future in as_completed(list(futures)):
            yield futures[future], future.result()
            future.release()
