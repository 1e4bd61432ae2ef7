"""Sweeps: a function of (seed, parameters) at many points, in parallel, cached, resumed, as one data set.

It knows nothing of networks: it runs whatever it is handed.
"""

from netlib.base.store import Store
from netlib.sweep.dataset import load_sweep, save_sweep
from netlib.sweep.points import Points, called, grid, listed, zipped
from netlib.sweep.run import sweep
from netlib.sweep.seeds import load_table, mean_interval, over_seeds, paired_difference, save_table

__all__ = [
    "Points",
    "Store",
    "called",
    "grid",
    "listed",
    "load_sweep",
    "load_table",
    "mean_interval",
    "over_seeds",
    "paired_difference",
    "save_sweep",
    "save_table",
    "sweep",
    "zipped",
]
