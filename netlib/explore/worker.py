"""One thread that computes what the pages ask for, so that a page stays alive while a network runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from netlib.explore.run import Result, compute
from netlib.explore.state import ExplorerState

__all__ = ["Worker"]

#: One for all pages: stimuli draw from NumPy's global generator, which two threads must not share.
_POOL = ThreadPoolExecutor(1, thread_name_prefix="netlib explore")


class Worker:
    """Computes the newest state that a page asked for; those it asked for in between are skipped.

    Parameters
    ----------
    done : callable
        Called with the state, and with its :class:`~netlib.explore.run.Result` or the error instead of one.
    later : callable
        Hands a function without arguments to the page's own thread.
    """

    def __init__(
        self, done: Callable[[ExplorerState, Result | Exception], None], later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._done, self._later = done, later
        self._lock, self._wanted, self._busy = threading.Lock(), None, False

    def ask(self, state: ExplorerState) -> None:
        """Have a state computed; returns at once."""
        with self._lock:
            self._wanted = state
            if self._busy:
                return
            self._busy = True
        _POOL.submit(self._work)

    def _work(self) -> None:
        with self._lock:
            state, self._wanted = self._wanted, None
        outcome = outcome_of(state)
        with self._lock:
            newer = self._wanted is not None
            self._busy = newer
        if newer:
            _POOL.submit(self._work)
        else:
            self._later(lambda: self._done(state, outcome))


def outcome_of(state: ExplorerState) -> Result | Exception:
    """The result of a state, or the error that kept it from having one."""
    try:
        return compute(state)
    except Exception as error:  # whatever it is, the page says it and goes on
        return error
