"""The explorer: sliders for stimulus and network, and what the network does with them, within seconds.

``netlib explore`` opens it as a page, :class:`Explorer` in a notebook; :func:`compute` is the same without a page.
Names are loaded at their first use: the command line imports this room before it knows whether it is needed.
"""

from __future__ import annotations

import importlib

#: Names of this room by the module they are in.
_WHERE = {
    "breaks": ("BREAKS", "Break"),
    "drive": ("shown_movie", "tuning_protocol", "turned_rates"),
    "explorer": ("Explorer",),
    "run": ("Bump", "Measures", "Result", "compute"),
    "server": ("serve",),
    "source": ("to_python",),
    "state": ("LIMITS", "NETWORKS", "PLASTICITY", "STIMULI", "ExplorerState"),
    "still": ("plot_result",),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [*_MODULE_OF]


def __getattr__(name: str):
    """Load a name when it is first asked for (PEP 562)."""
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"netlib.explore.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'netlib.explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
