"""Figures that judge clusterings: agreement, the number of clusters, comparison with nulls, mice in clusters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from netlib.figures.pathways_style import check_columns, draw_matrix, p_text
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.units import check_type

__all__ = [
    "plot_ari_matrix",
    "plot_cluster_choice",
    "plot_comparison",
    "plot_contingency",
    "plot_mouse_balance",
]

SCORE_NAMES = {"rand": "Rand", "ari": "adjusted Rand", "mi": "mutual information (nat)"}
SCORE_NAMES |= {"ami": "adjusted mutual information", "fowlkes_mallows": "Fowlkes–Mallows"}


@styled
def plot_ari_matrix(
    table: pd.DataFrame, label: str = "adjusted Rand index", title: str = "", figure: Figure | None = None
) -> Figure:
    """Agreement of every two clusterings.

    Parameters
    ----------
    table : DataFrame
        Square, names of the clusterings as index and columns.
    label : str
        What the numbers are.
    """
    n = len(check_type("table", table, pd.DataFrame))
    figure = new_figure(0.47 * n + 2.4, 0.38 * n + 1.8, figure)
    ax = figure.subplots()
    image = draw_matrix(ax, table, table.index, table.columns)
    ax.set_xticks(range(n), [str(c) for c in table.columns], rotation=45, ha="right", rotation_mode="anchor")
    ax.set_title(title)
    figure.colorbar(image, ax=ax, label=label)
    return figure


@styled
def plot_cluster_choice(table: pd.DataFrame, chosen: int | None = None, figure: Figure | None = None) -> Figure:
    """Measures of the number of clusters: an axes for each of silhouette, gap statistic and stability there is.

    Parameters
    ----------
    table : DataFrame, indexed by k
        Of :class:`netlib.analysis.cluster_choice.KChoice`: any of ``silhouette``, ``gap`` (with ``gap_error``),
        ``stability_ari``.
    chosen : int, optional
        Number of clusters chosen, dashed.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table)
    names = {"silhouette": "mean silhouette", "gap": "gap statistic (nat)", "stability_ari": "stability (ARI)"}
    names = {name: label for name, label in names.items() if name in table}
    if not names:
        raise ValueError(f"table must have one of silhouette, gap, stability_ari; it has {list(table)}")
    figure = new_figure(2.6 * len(names), 2.4, figure)
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    for ax, (name, label) in zip(axes, names.items(), strict=True):
        error = table.get(f"{name}_error")
        ax.errorbar(table.index, table[name], error, marker="o", ms=4, lw=1.2, color=PALETTE[5], capsize=2)
        if chosen is not None:
            ax.axvline(chosen, color="black", lw=0.9, ls="--", zorder=0)
        ax.set(xlabel="number of clusters k", ylabel=label, xticks=table.index)
    return figure


@styled
def plot_comparison(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Scores of agreement of two clusterings, over their permutation nulls (grey: mean ± 2 sd).

    Parameters
    ----------
    table : DataFrame, indexed by score
        From :func:`netlib.analysis.cluster_comparison.compare`: ``value``, ``null_mean``, ``null_std``, ``p``.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "value", "null_mean", "null_std", "p")
    figure = new_figure(4.6, 0.36 * len(table) + 1.0, figure)
    ax = figure.subplots()
    y = np.arange(len(table))
    low, high = (table["null_mean"] + s * 2 * table["null_std"] for s in (-1, 1))
    ax.hlines(y, low, high, color="#BBBBBB", lw=6, label="null")
    ax.plot(table["value"], y, "o", color=PALETTE[5], ms=6, label="found")
    for row, place in zip(table.itertuples(), y, strict=True):
        ax.annotate(p_text(row.p), (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    names = [SCORE_NAMES.get(score, str(score)) for score in table.index]
    ax.set(yticks=y, yticklabels=names, ylim=(len(y) - 0.5, -0.5), xlabel="agreement")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def plot_contingency(counts: pd.DataFrame, first: str, second: str, figure: Figure | None = None) -> Figure:
    """Neurons of each cluster of one clustering (rows) by those of another: shares of the row, and counts."""
    values = check_type("counts", counts, pd.DataFrame).to_numpy(float)
    total = values.sum(axis=1, keepdims=True)
    share = np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0)
    figure = new_figure(0.5 * values.shape[1] + 2.2, 0.4 * values.shape[0] + 1.2, figure)
    ax = figure.subplots()
    text = np.vectorize(lambda v: f"{v:.0f}", otypes=[object])(values)
    image = draw_matrix(ax, share, counts.index, counts.columns, text=text, size=7.5)
    ax.set(ylabel=f"cluster, {first}", xlabel=f"cluster, {second}")
    figure.colorbar(image, ax=ax, label="fraction of the row")
    return figure


@styled
def plot_mouse_balance(counts: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """Neurons of each mouse in each cluster, stacked, an axes for each pathway.

    Parameters
    ----------
    counts : mapping of DataFrame
        By pathway, from :func:`netlib.analysis.cluster_choice.mouse_balance`: a row for each cluster, a column for each
        mouse, and ``balance``, written above the bars.
    """
    if not check_type("counts", counts, Mapping):
        raise ValueError("counts is empty: it must hold at least one")
    figure = new_figure(3.2 * len(counts), 2.6, figure)
    axes = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, counts.items(), strict=True):
        _stack(ax, table)
        ax.set_xlabel(f"cluster of {name}")
    axes[0].set_ylabel("neurons (number above:\nbalance of the mice)")
    return figure


def _stack(ax: Axes, table: pd.DataFrame) -> None:
    table = table.set_index("cluster") if "cluster" in table else table
    balance = table.get("balance")
    table = table.drop(columns="balance", errors="ignore")
    bottom, hatches = np.zeros(len(table)), ("", "///", "...", "xx", "\\\\\\", "++")
    for k, mouse in enumerate(table.columns):
        values = table[mouse].to_numpy(float)
        ax.bar(range(len(table)), values, 0.75, bottom=bottom, color=str(0.9 - 0.6 * k / max(len(table.columns), 1)),
               edgecolor="0.2", lw=0.5, hatch=hatches[k % len(hatches)], label=str(mouse))  # fmt: skip
        bottom += values
    for x, value in enumerate(balance if balance is not None else ()):
        ax.text(x, bottom[x], f"{value:.2f}", ha="center", va="bottom", fontsize=6.5)
    ax.set_xticks(range(len(table)), [str(c) for c in table.index])
    ax.set_ylim(0, None)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=7, ncols=len(table.columns), loc="lower center", bbox_to_anchor=(0.5, 1.0))
