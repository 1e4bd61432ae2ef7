"""Which engine runs a network: named at each call, or for a whole block of code."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from netlib.networks.parameters import RingParameters
from netlib.networks.simulator import BACKENDS
from netlib.units import check_choice

__all__ = ["ENGINES", "chosen_backend", "use_backend"]

#: The PyNN simulators, the compiled engine, and the choice between it and NEST.
ENGINES = (*BACKENDS, "compiled", "auto")
_DEFAULT: contextvars.ContextVar[str] = contextvars.ContextVar("netlib backend", default="nest")


@contextlib.contextmanager
def use_backend(backend: str) -> Iterator[None]:
    """Have every network run by ``backend`` where the call names none.

    Parameters
    ----------
    backend : {"nest", "brian2", "neuron", "compiled", "auto"}
        The engine. "auto" is the compiled engine where it knows the cells of a network, else NEST.

    Examples
    --------
    >>> from netlib.networks import preset
    >>> with use_backend("auto"):
    ...     chosen_backend(None, preset("v1"))
    'compiled'
    >>> chosen_backend(None, preset("v1"))
    'nest'
    """
    token = _DEFAULT.set(check_choice("backend", backend, ENGINES))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def chosen_backend(backend: str | None, parameters: RingParameters) -> str:
    """The engine that runs a network: the one named, else the default, with "auto" decided.

    Examples
    --------
    >>> from netlib.networks import preset
    >>> chosen_backend("auto", preset("v1")), chosen_backend("brian2", preset("v1"))
    ('compiled', 'brian2')
    """
    name = check_choice("backend", _DEFAULT.get() if backend is None else backend, ENGINES)
    if name != "auto":
        return name
    from netlib.networks.compiled import SUPPORTED

    known = all(parameters.cell(population).model in SUPPORTED for population in parameters.populations)
    return "compiled" if known else "nest"
