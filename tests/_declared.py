"""Declared parameters of a package: which there are, and values just outside the range of each field."""

import dataclasses
import importlib
import math
import pkgutil
import re

from netlib.base.checks import check_orientation
from netlib.base.fields import Declared

RANGE = re.compile(r"([\[(])(\S+), (\S+)([\])])")


def declared_in(package: str) -> set[type]:
    """Subclasses of Declared that the modules of a package define."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
    found, todo = set(), [Declared]
    while todo:
        below = todo.pop().__subclasses__()
        todo += below
        found |= {
            cls for cls in below if cls.__module__.startswith(f"{package}.") and "__dataclass_fields__" in vars(cls)
        }
    return found


def outside(table: dict[type, dict]) -> list[tuple]:
    """Class, arguments it needs, name of a numeric field, value just outside its range, and what must be said."""
    rows = []
    for cls, needed in table.items():
        for field in dataclasses.fields(cls):
            rule = field.metadata.get("rule")
            interval = RANGE.match(rule.legal) if rule and rule.check is not check_orientation else None
            if not interval:
                continue
            for value in _outside(*interval.groups(), whole=field.type.startswith("int")):
                legal, name = interval[0], f"{_prefix(cls)}{field.name}"
                said = f"{name} = {f'{value!r} {rule.unit}'.rstrip()} is out of range: it must be in {legal}"
                rows.append((cls, needed, field.name, value, f"{said} {rule.unit}".rstrip()))
    return rows


def _prefix(cls: type) -> str:
    return cls.prefix if isinstance(cls.prefix, str) else ""


def _outside(left: str, low: str, high: str, right: str, whole: bool) -> list[float]:
    values = [] if whole else [math.nan]
    for end, closed, sign in ((float(low), left == "[", -1), (float(high), right == "]", 1)):
        if math.isfinite(end) and whole:
            values.append(int(end) + sign)
        elif math.isfinite(end):
            values.append(math.nextafter(end, sign * math.inf) if closed else end)
    return values
