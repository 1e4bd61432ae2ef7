"""What the commands of all applications share: refusing in one message, settings of the form name=value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

__all__ = ["Json", "Quiet", "own_refusals", "read_settings", "refused"]

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Json = Annotated[bool, typer.Option("--json", help="Say what was made as JSON, for programs.")]
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
        _refuse(error)


@contextmanager
def own_refusals() -> Iterator[None]:
    """The same for what netlib's own checks refuse and what the system does; a fault of ours keeps its traceback.

    The environment variable NETLIB_DEBUG keeps every traceback.
    """
    try:
        yield
    except (ValueError, TypeError, ImportError, OSError) as error:
        ours = isinstance(error, OSError) or _raised_here(error.__traceback__)
        if not ours or os.environ.get("NETLIB_DEBUG"):
            raise
        _refuse(error)


def _refuse(error: Exception) -> None:
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    typer.secho(f"netlib: {text}", fg="red", err=True)
    raise typer.Exit(2) from None


def _raised_here(trace: TracebackType | None) -> bool:
    """Whether the error was raised by netlib's own code, which checks what it is given."""
    while trace is not None and trace.tb_next:
        trace = trace.tb_next
    folder = Path(__file__).resolve().parents[1]
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).resolve().is_relative_to(folder)


def read_settings(settings: Iterable[str] | None, option: str = "--set") -> dict[str, str]:
    """Texts of the form ``name=value`` as a dictionary.

    Raises
    ------
    ValueError
        If one is not of that form.

    Examples
    --------
    >>> read_settings(["E_to_E.weight=0.001", "preset = v1"])
    {'E_to_E.weight': '0.001', 'preset': 'v1'}
    """
    values: dict[str, str] = {}
    for setting in settings or []:
        key, sign, value = setting.partition("=")
        if not sign:
            raise ValueError(f"{option} {setting!r} is not of the form name=value")
        if key.strip() in values:
            raise ValueError(f"{option} gives {key.strip()} twice, {values[key.strip()]!r} and {value.strip()!r}")
        values[key.strip()] = value.strip()
    return values
