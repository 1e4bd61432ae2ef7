"""Sweeps: a function of (seed, parameters) at many points, in parallel, cached, resumed, as one data set.

It knows nothing of networks: it runs whatever it is handed.
"""

from netlib.sweep.run import Points, called, grid, listed, load_sweep, save_sweep, sweep, zipped
from netlib.sweep.seeds import load_table, mean_interval, over_seeds, paired_difference, save_table
from netlib.sweep.store import Cache

__all__ = [
    "Cache",
    "Points",
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
