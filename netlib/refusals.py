"""What a user or a file did wrong, said by a command in one message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = ["refused"]

#: What netlib's checks and the system raise.
WRONG = (ValueError, TypeError, KeyError, OSError, ImportError)


@contextmanager
def refused(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors of some kinds into a message on stderr and exit status 2; others keep their traceback.

    Parameters
    ----------
    *kinds : type
        Exceptions that tell of a wrong option or file; by default ``WRONG``.

    Examples
    --------
    >>> with refused(ValueError):
    ...     print("all is well")
    all is well
    """
    caught = kinds or WRONG
    try:
        yield
    except caught as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        typer.secho(f"netlib: {text}", fg="red", err=True)
        raise typer.Exit(2) from None
