"""Declared parameters: frozen dataclasses whose fields say their unit and range, set by dotted name from any text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from netlib.base.checks import check_choice, check_integer, check_number, check_orientation, check_type, legal_range

__all__ = ["Declared", "choice", "integer", "number", "orientation", "parse_value", "part", "rows_of", "set_values"]


@dataclass(frozen=True)
class Rule:
    """What a field may hold.

    Attributes
    ----------
    check : callable
        ``check(name, value)`` raises where the value is refused.
    unit, legal : str
        For tables: the unit, and the range or the choices.
    also : tuple
        Values that need no check, such as None or "auto".
    """

    check: Callable[[str, Any], Any]
    unit: str = ""
    legal: str = ""
    also: tuple[Any, ...] = ()


def number(
    default: Any,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    low_open: bool = False,
    high_open: bool = False,
    finite: bool = True,
    also: tuple[Any, ...] = (),
) -> Any:
    """A field that holds a number in a range; ``...`` for no default; ``also`` other values, such as None."""

    def check(name: str, value: Any) -> None:
        check_number(name, value, unit, low, high, low_open=low_open, high_open=high_open, finite=finite)

    return _field(default, Rule(check, unit, legal_range(low, high, "", low_open, high_open), also))


def integer(
    default: Any, low: int | None = None, high: int | None = None, unit: str = "", *, also: tuple[Any, ...] = ()
) -> Any:
    """A field that holds a whole number in a range."""

    def check(name: str, value: Any) -> None:
        check_integer(name, value, low, high, unit)

    return _field(default, Rule(check, unit, legal_range(low, high, ""), also))


def choice(default: Any, choices: Iterable[str], *, also: tuple[Any, ...] = ()) -> Any:
    """A field that holds one of some words."""
    known = tuple(choices)

    def check(name: str, value: Any) -> None:
        check_choice(name, value, known)

    return _field(default, Rule(check, "", ", ".join(known), also))


def orientation(default: Any) -> Any:
    """A field that holds an orientation in degrees; radians given by mistake are refused."""
    return _field(default, Rule(check_orientation, "deg", "[0, 180)"))


def part(default: Any, kinds: type | tuple[type, ...], *, optional: bool = False) -> Any:
    """A field that holds an object of some kinds; a class as default makes one."""

    def check(name: str, value: Any) -> None:
        check_type(name, value, kinds)

    return _field(default, Rule(check, also=(None,) if optional else ()))


def _field(default: Any, rule: Rule) -> Any:
    facts = {"rule": rule}
    if default is ...:
        return dataclasses.field(metadata=facts)
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=facts)
    return dataclasses.field(default=default, metadata=facts)


class Declared:
    """Base of dataclasses with declared fields: each is checked when one is made, then :meth:`check` what lies between.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Pulse(Declared):
    ...     width: float = number(2.0, "ms", 0, low_open=True)
    ...     shape: str = choice("square", ("square", "sine"))
    >>> Pulse(width=-1)
    Traceback (most recent call last):
    ...
    ValueError: width = -1 ms is out of range: it must be in (0, inf) ms
    >>> set_values(Pulse(), {"width": "3.5"})
    Pulse(width=3.5, shape='square')
    """

    #: Said before the name of a field in a refusal, such as "delay.".
    prefix: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            rule, value = field.metadata.get("rule"), getattr(self, field.name)
            if rule is not None and not any(
                value is other or (isinstance(value, str) and value == other) for other in rule.also
            ):
                rule.check(f"{self.prefix}{field.name}", value)
        self.check()

    def check(self) -> None:
        """Refuse fields that do not go together."""


def rows_of(parameters: Any, path: str = "") -> Iterator[tuple[str, Any, str, str]]:
    """Dotted name, value, unit and legal range of each declared field, also of the parts, for a table.

    Examples
    --------
    >>> from netlib.networks import Cell
    >>> list(rows_of(Cell()))[1]
    ('cm', 0.25, 'nF', '(0, inf)')
    """
    for field in dataclasses.fields(parameters):
        value, rule = getattr(parameters, field.name), field.metadata.get("rule")
        if dataclasses.is_dataclass(value):
            yield from rows_of(value, f"{path}{field.name}.")
        else:
            others = [str(other).lower() for other in rule.also] if rule else []
            legal = " or ".join(filter(None, [rule.legal, *others])) if rule else ""
            yield f"{path}{field.name}", value, rule.unit if rule else "", legal


# ---------------------------------------------------------------- values given as text


def set_values(parameters: Any, values: dict[str, Any]) -> Any:
    """Replace values deep inside a parameter dataclass.

    Parameters
    ----------
    parameters : dataclass
        Such as :class:`netlib.networks.RingParameters`.
    values : dict
        New values by dotted name, such as ``{"E_to_E.weight": 0.001, "n_excitatory": 128}``; text is read as by
        :func:`parse_value`.

    Raises
    ------
    ValueError
        If a name does not exist (the nearest one is suggested), or a value is refused.

    Examples
    --------
    >>> from netlib.networks import RingParameters
    >>> set_values(RingParameters(), {"excitatory.tau_m": "10"}).excitatory.tau_m
    10
    """
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *branches, leaf = path.split(".")
        node = tree
        for name in branches:
            node = node.setdefault(name, {})
        node[leaf] = parse_value(value)
    return _replace(parameters, tree, "")


def parse_value(value: Any) -> Any:
    """What a text means: JSON (``null``, ``true``, lists), a number, none, or the text itself; lists become tuples.

    Examples
    --------
    >>> [parse_value(text) for text in ("3", ".5", "None", "inf", "k-means", "[1, 2]")]
    [3, 0.5, None, inf, 'k-means', (1, 2)]
    """
    if not isinstance(value, str):
        return value
    with suppress(json.JSONDecodeError):
        parsed = json.loads(value)
        return tuple(parsed) if isinstance(parsed, list) else parsed
    for kind in (int, float):  # also what JSON does not take for a number, such as .5 or inf
        with suppress(ValueError):
            return kind(value)
    return None if value.strip().lower() == "none" else value


def _replace(node: Any, tree: dict[str, Any], path: str) -> Any:
    """Replace all the values of a branch at once, so that they are checked together."""
    if not dataclasses.is_dataclass(node):
        raise ValueError(f"{path}.{next(iter(tree), '')} is unknown: {path} = {node!r} has no parts")
    changes = {}
    for name, value in tree.items():
        whole = f"{path}.{name}".lstrip(".")
        check_choice(f"parameter name in {whole!r}", name, [f.name for f in dataclasses.fields(node)])
        changes[name] = _replace(getattr(node, name), value, whole) if isinstance(value, dict) else value
    return dataclasses.replace(node, **changes)  # type: ignore[type-var]
