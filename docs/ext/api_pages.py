"""The reference of the Python package: a page for each room, and one for each module in it, from their docstrings."""

import importlib
import inspect
import pkgutil
import re
from types import ModuleType

from sphinx.pycode import ModuleAnalyzer

import netlib

#: Order in which data flows; what is not named here follows.
ORDER = (
    *("base", "stimuli", "lgn", "networks", "recordings", "tuning"),
    *("calcium", "statistics", "figures", "sweep", "theory"),
    *("v1", "explore", "striatum", "openscope", "pathways", "teaching", "registry", "doctor"),
)
HIDDEN = ("cli",)  # has a page of its own


def pages() -> dict[str, str]:
    """Text of each page by its path without ending: ``api/index``, ``api/netlib.stimuli`` and so on."""
    rooms = [info.name for info in pkgutil.iter_modules(netlib.__path__) if info.name not in HIDDEN]
    rooms.sort(key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    made = {"api/index": _index(rooms)}
    for room in rooms:
        module = importlib.import_module(f"netlib.{room}")
        if hasattr(module, "__path__"):
            inside = [info.name for info in pkgutil.walk_packages(module.__path__, f"{module.__name__}.")]
            modules = [name for name in inside if not name.endswith(".__main__")]
            made[f"api/{module.__name__}"] = _room(module, modules)
            made |= {f"api/{name}": _module(name) for name in modules}
        else:
            made[f"api/{module.__name__}"] = _module(module.__name__)
    return made


def _index(rooms: list[str]) -> str:
    lines = ["# Reference of the Python package", "", "Data flows from top to bottom.", "", "| room | what it is |"]
    lines.append("|---|---|")
    for room in rooms:
        text = _first_line(importlib.import_module(f"netlib.{room}"))
        lines.append(f"| [`netlib.{room}`](netlib.{room}.md) | {text} |")
    entries = "\n".join(f"netlib.{room}" for room in rooms)
    return "\n".join([*lines, "", f"```{{toctree}}\n:hidden:\n\n{entries}\n```", ""])


def _room(module: ModuleType, modules: list[str]) -> str:
    lines = [f"# {module.__name__}", "", *_automodule(module.__name__, members=False)]
    names = list(getattr(module, "__all__", []))
    if names:
        lines += ["", "## Names", "", f"`from {module.__name__} import ...`", "", "| name | what it is |", "|---|---|"]
        constants = _constants(modules)
        for name in names:
            value = getattr(module, name)
            described = inspect.isclass(value) or inspect.isroutine(value)
            text = _first_line(value) if described else constants.get(name, "")
            lines.append(f"| {{py:obj}}`{name} <{module.__name__}.{name}>` | {text} |")
    lines += ["", "## Modules", "", "| module | what is in it |", "|---|---|"]
    lines += [f"| [`{name}`]({name}.md) | {_first_line(importlib.import_module(name))} |" for name in modules]
    return "\n".join([*lines, ""])


def _constants(modules: list[str]) -> dict[str, str]:
    """First line of the comment ``#:`` of each constant of some modules."""
    found = {}
    for name in modules:
        for (_, constant), lines in ModuleAnalyzer.for_module(name).find_attr_docs().items():
            found.setdefault(constant, _markdown(lines[0]))
    return found


def _module(name: str) -> str:
    is_package = hasattr(importlib.import_module(name), "__path__")
    lines = [f"# {name}", "", *_automodule(name, members=not is_package), ""]
    # A few hundred pages in the sidebar of each page would be of no use, and slow.
    return "\n".join(["---", "orphan: true", "---", "", *lines] if name.count(".") > 1 else lines)


def _automodule(name: str, members: bool) -> list[str]:
    return ["```{eval-rst}", f".. automodule:: {name}", *([] if members else ["   :no-members:"]), "```"]


def _first_line(thing: object) -> str:
    """First line of a docstring."""
    return _markdown((inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " "))


def _markdown(text: str) -> str:
    """From the mark-up of docstrings to that of these pages."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    return text.replace("|", "\\|").replace("<", "&lt;")
