"""Striatal imaging during motor learning as a whole: synthetic data sets with known truth, and files to report.

Names are loaded at their first use: importing this room, as the command does, loads neither scikit-learn nor NEST.
"""

from __future__ import annotations

import importlib
from typing import Any

#: Names of this room by the module they are in.
_WHERE = {
    "dataset": ("read_truth", "write_dataset"),
    "inspection": ("inspect_manifest",),
    "movie": ("render_movie",),
    "pipeline": ("PipelineRun", "run_pipeline"),
    "pipeline_parameters": ("PipelineParameters",),
    "populations": ("CLAIMS", "MousePlan", "SyntheticParameters", "plan_mouse"),
    "results": ("Results",),
    "striatal_mouse": ("network_mouse",),
    "striatal_wiring": ("NetworkParameters",),
    "synthetic": ("synthetic_mouse", "synthetic_session"),
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
