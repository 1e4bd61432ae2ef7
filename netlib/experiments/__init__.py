"""Experiments on the networks: each a function of one seed that returns a table, and the same over many seeds."""

from netlib.experiments.base import load_table, mean_interval, over_seeds, paired_difference, save_table

__all__ = ["load_table", "mean_interval", "over_seeds", "paired_difference", "save_table"]
