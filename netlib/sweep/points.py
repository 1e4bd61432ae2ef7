"""The points of a sweep: which parameters take which values, and how they lie along dimensions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netlib.base.checks import check_integer

__all__ = ["Points", "called", "grid", "listed", "zipped"]


@dataclass(frozen=True)
class Points:
    """Sets of parameters and their places.

    Attributes
    ----------
    settings : tuple of dict
        Parameters of each point.
    dims : dict
        Name of each dimension and its coordinate values, in order; points run with the last dimension fastest.

    Examples
    --------
    >>> points = Points(({"noise": 0.1}, {"noise": 0.2}), {"noise": [0.1, 0.2]})
    >>> len(points), points.shape
    (2, (2,))
    """

    settings: tuple[dict[str, Any], ...]
    dims: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.settings)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each dimension."""
        return tuple(len(values) for values in self.dims.values())


def grid(**axes: Iterable[Any]) -> Points:
    """Every combination of the values of some parameters.

    Parameters
    ----------
    **axes : iterable
        Values by parameter; give names with dots as ``grid(**{"E_to_E.weight": [...]})``.

    Examples
    --------
    >>> points = grid(contrast=[0.1, 1.0], trials=[1, 2, 3])
    >>> len(points), points.settings[1]
    (6, {'contrast': 0.1, 'trials': 2})
    """
    values = {name: _values(name, axis) for name, axis in axes.items()}
    settings = tuple(dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))
    return Points(settings, values)


def zipped(**axes: Iterable[Any]) -> Points:
    """Parameters that change together: the first values, the second values... along the dimension ``point``.

    Raises
    ------
    ValueError
        If parameters have different numbers of values.

    Examples
    --------
    >>> zipped(tau_m=[10, 20], tau_refrac=[1, 2]).settings
    ({'tau_m': 10, 'tau_refrac': 1}, {'tau_m': 20, 'tau_refrac': 2})
    """
    values = {name: _values(name, axis) for name, axis in axes.items()}
    lengths = {name: len(axis) for name, axis in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"axes have different numbers of values, {lengths}: they must have as many each")
    return listed(dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True))


def listed(settings: Iterable[Mapping[str, Any]]) -> Points:
    """Any sets of parameters, along the dimension ``point``.

    Examples
    --------
    >>> points = listed([{"noise": 0.1}, {"frequency": 2.0}])
    >>> points.dims, points.settings[1]
    ({'point': [0, 1]}, {'frequency': 2.0})
    """
    each = tuple(dict(setting) for setting in settings)
    if not each:
        raise ValueError("settings is empty: a sweep needs at least one point")
    return Points(each, {"point": list(range(len(each)))})


def called(function: Callable[[int], Mapping[str, Any]], n: int) -> Points:
    """The sets of parameters ``function(0)``, ``function(1)``... up to n, such as random draws from seeded streams.

    Examples
    --------
    >>> from netlib.base.seeds import stream
    >>> points = called(lambda k: {"noise": round(float(stream(1, "draw", k).random()), 2)}, 3)
    >>> [setting["noise"] for setting in points.settings]
    [0.82, 0.55, 0.94]
    """
    return listed(function(k) for k in range(check_integer("n", n, 1)))


def _values(name: str, axis: Iterable[Any]) -> list[Any]:
    if isinstance(axis, str) or not isinstance(axis, Iterable):
        raise ValueError(f"{name} = {axis!r} is no series of values: give a list, such as [{axis!r}]")
    values = [value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value for value in axis]
    if not values:
        raise ValueError(f"{name} has no values: give at least one")
    repeated = _repeated(values)
    if repeated is not None:
        raise ValueError(f"{name} has the value {repeated!r} twice: each must be given once")
    return values


def _repeated(values: Sequence[Any]) -> Any:
    seen: list[Any] = []
    for value in values:
        if value in seen:
            return value
        seen.append(value)
    return None
