"""A striatal neuron that learns, keeps and forgets rewarded cortical patterns by anti-Hebbian STDP.

After Perez, Cui, Vignoud, Perrin, Mendes, Touboul & Venance (2022), Cell Reports 38(11):110521. Modules load when
one of their names is first used, so that the command starts without the compiler.
"""

import importlib

_MODULES = {
    "analysis": (
        *("checkpoint_table", "compare", "curve_table", "separability_bound", "similarity_table", "weight_similarity"),
    ),
    "engine": ("patterns_fire", "simulate"),
    "experiment": ("Result", "run_simulations"),
    "forgetting": ("Forgetting", "fit_forgetting", "forgetting_table", "relearning_time"),
    "grid": ("BLOCKS", "Setting", "article_grid", "run_grid", "summary_table"),
    "parameters": ("LEGACY", "Parameters", "Phase"),
    "plan": ("Plan", "draw_plan"),
    "published": ("ARTICLE", "PUBLISHED", "article", "default_n_patterns", "from_options"),
    "reference": ("simulate_by_steps",),
    "on_nest": ("simulate_on_nest",),
    "run": ("Run",),
    "view": ("SimulationView", "view_simulation"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
