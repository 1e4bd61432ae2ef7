"""What the applications offer to the command and the course. An application whose folder is gone offers nothing."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from netlib.base.checks import check_choice

__all__ = ["APPLICATIONS", "applications", "offered"]

#: Folders on top of the core, in the order of the notebooks.
APPLICATIONS = ("v1", "striatum", "openscope", "pathways", "explore")
#: Modules that an application may have, and the name of the table in each.
TABLES = {
    "experiments": "EXPERIMENTS",  # name: function of one seed that returns a table, for `netlib experiment`
    "sweeps": "SWEEPS",  # name: function of a seed and parameters that returns numbers, for `netlib sweep`
    "exercises": "EXERCISES",  # name: a question of the course
}


def applications(module: str) -> list[ModuleType]:
    """That module of each application which is here and has one."""
    folder = Path(__file__).parent
    there = [name for name in APPLICATIONS if (folder / name / f"{module}.py").is_file()]
    return [importlib.import_module(f"netlib.{name}.{module}") for name in there]


def offered(table: str) -> dict[str, Any]:
    """All that the applications offer under one name.

    Parameters
    ----------
    table : {"experiments", "sweeps", "exercises"}

    Examples
    --------
    >>> "ring" in offered("sweeps")
    True
    """
    name = TABLES[check_choice("table", table, TABLES)]
    found: dict[str, Any] = {}
    for module in applications(table):
        found |= getattr(module, name)
    return found
