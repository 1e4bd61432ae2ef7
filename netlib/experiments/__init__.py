"""Experiments on the networks: each a function of one seed that returns a table, and the same over many seeds.

``netlib experiment NAME`` runs one from the shell; the notebooks redraw what it stored.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import pandas as pd

from netlib.experiments.base import load_table, mean_interval, over_seeds, paired_difference, save_table
from netlib.units import check_choice

__all__ = [
    "EXPERIMENTS",
    "experiment",
    "load_table",
    "mean_interval",
    "over_seeds",
    "paired_difference",
    "save_table",
]

#: Experiments by name: the module of netlib.experiments and the function of one seed in it.
EXPERIMENTS = {
    "static_ring": ("static_ring", "static_ring"),
    "learning": ("learning", "learning"),
    "learning_parts": ("learning", "learning_parts"),
    "two_rings": ("two_rings", "two_rings"),
    "full_chain": ("full_chain", "full_chain"),
    "prediction": ("prediction", "prediction"),
    "variance": ("variance", "variance"),
    "dynamics_tracking": ("rotation", "tracking"),
    "dynamics_jump": ("rotation", "jump"),
    "dynamics_delays": ("delays", "latency_delays"),
    "dynamics_persistence": ("bump", "persistence"),
    "dynamics_diffusion": ("diffusion", "diffusion"),
    "dynamics_pinning": ("diffusion", "pinning"),
    "dynamics_adaptation": ("adaptation", "adaptation"),
    "theory_vs_spiking": ("theory_vs_spiking", "theory_vs_spiking"),
    "simulators": ("simulators", "simulators"),
    "plastic_twins": ("plastic_twins", "plastic_twins"),
    "two_photon": ("two_photon", "two_photon"),
}


def experiment(name: str) -> Callable[..., pd.DataFrame]:
    """Function ``f(seed, **settings) -> DataFrame`` of the experiment called ``name``.

    Raises
    ------
    ValueError
        If there is none; the nearest name is suggested.
    """
    module, function = EXPERIMENTS[check_choice("experiment", name, EXPERIMENTS)]
    return getattr(importlib.import_module(f"netlib.experiments.{module}"), function)
