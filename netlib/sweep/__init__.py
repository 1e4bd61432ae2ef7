"""Sweeps: a function of (seed, parameters) at many points, in parallel, cached, resumed, as one data set.

It knows nothing of networks: it runs whatever it is handed.
"""

from netlib.sweep.cache import Cache
from netlib.sweep.dataset import load_sweep, save_sweep
from netlib.sweep.points import Points, called, grid, listed, zipped
from netlib.sweep.run import sweep

__all__ = ["Cache", "Points", "called", "grid", "listed", "load_sweep", "save_sweep", "sweep", "zipped"]
