"""Figures: they draw recordings, tables of tuning and parameters, and compute nothing but bins.

No function shows, closes or registers a figure with pyplot: each returns what it drew, and :func:`save` writes it.
"""

from netlib.figures.activity import plot_orientation_time, plot_raster, plot_ring_activity
from netlib.figures.animation import animate
from netlib.figures.plasticity import plot_stdp_window
from netlib.figures.schematic import plot_schematic
from netlib.figures.stimuli import plot_montage
from netlib.figures.style import COLOURS, PALETTE, save
from netlib.figures.tuning import plot_population_tuning, plot_tuning_grid

__all__ = [
    "COLOURS",
    "PALETTE",
    "animate",
    "plot_montage",
    "plot_orientation_time",
    "plot_population_tuning",
    "plot_raster",
    "plot_ring_activity",
    "plot_schematic",
    "plot_stdp_window",
    "plot_tuning_grid",
    "save",
]
