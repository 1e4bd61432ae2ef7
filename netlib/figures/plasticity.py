"""Figures of plasticity: windows of rules, weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from netlib.base.checks import check_type
from netlib.figures.style import PALETTE, new_figure, styled

__all__ = ["plot_stdp_window"]

COLUMNS = ("delta_t", "measured", "theory")


@styled
def plot_stdp_window(tables: Mapping[str, pd.DataFrame] | pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Measured changes of weights by one pair of spikes (points) on their theory (lines), a panel per rule.

    Parameters
    ----------
    tables : mapping of DataFrame, or DataFrame
        For each name of a rule, the table of :func:`netlib.networks.pairing.measure_window`: ``delta_t`` (ms),
        ``measured`` and ``theory`` (fractions of w_max).
    figure : Figure, optional
        Draw into this one.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a table lacks a column or is empty.
    """
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else dict(check_type("tables", tables, Mapping))
    for name, table in tables.items():
        if table.empty or not set(COLUMNS) <= set(table.columns):
            raise ValueError(f"tables[{name!r}] must have rows and the columns {list(COLUMNS)}")
    if not tables:
        raise ValueError("tables is empty: it must hold at least one")
    figure = new_figure(2.2 * len(tables) + 0.6, 2.4, figure)
    axes = np.atleast_1d(figure.subplots(1, len(tables), sharex=True, sharey=True, squeeze=False)[0])
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        table = table.sort_values("delta_t")
        ax.axhline(0, color="0.6", lw=0.6)
        ax.axvline(0, color="0.6", lw=0.6)
        for side in (table[table["delta_t"] <= 0], table[table["delta_t"] > 0]):
            ax.plot(side["delta_t"], 100 * side["theory"], color=PALETTE[0], lw=1.2, label="theory")
            ax.plot(side["delta_t"], 100 * side["measured"], "o", ms=4, mfc="none", color=PALETTE[6], label="measured")
        ax.set_title(name)
    axes[0].set_ylabel("change of weight (% of w$_{max}$)")
    figure.supxlabel("postsynaptic − presynaptic spike (ms)", fontsize=9)
    handles, labels = axes[-1].get_legend_handles_labels()
    axes[-1].legend(handles[:2], labels[:2], loc="best")
    return figure
