"""Figures of statistics: coefficients and p values of mixed models, changes of clusters between sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.figures.pathways_style import check_columns, draw_matrix
from netlib.figures.style import PALETTE, new_figure, styled

__all__ = ["plot_cluster_changes", "plot_mixed_model"]


@styled
def plot_mixed_model(
    terms: pd.DataFrame, factors: pd.DataFrame, unit: str = "", title: str = "", figure: Figure | None = None
) -> Figure:
    """Coefficients of a mixed model with their intervals, and the p value of each factor.

    Parameters
    ----------
    terms : DataFrame
        ``term``, ``estimate``, ``low``, ``high``; filled points where the interval excludes 0.
    factors : DataFrame
        ``factor``, ``p`` (of the mixed model) and, optionally, ``p_ols``, of a model that takes repeated measures as
        independent: shown beside as what not to trust.
    unit : str
        Unit of the coefficients.
    title : str
        Such as the formula and the number of mice.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("terms", terms, "term", "estimate", "low", "high")
    check_columns("factors", factors, "factor", "p")
    figure = new_figure(7.6, max(2.3, 0.22 * len(terms) + 1.1), figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    y = np.arange(len(terms))
    away = ((terms["low"] > 0) | (terms["high"] < 0)).to_numpy()
    left.axvline(0, color="0.6", lw=0.8, ls="--", zorder=0)
    left.hlines(y, terms["low"], terms["high"], color=PALETTE[5], lw=1.3)
    for shown, face in ((away, PALETTE[5]), (~away, "white")):
        left.plot(terms["estimate"][shown], y[shown], "o", mec=PALETTE[5], mfc=face, ms=4.5)
    left.set(yticks=y, yticklabels=terms["term"], ylim=(len(y) - 0.4, -0.6))
    left.set_xlabel(f"coefficient, 95 % interval{f' ({unit})' if unit else ''}")
    _draw_log_p(right, factors)
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_log_p(ax: Axes, factors: pd.DataFrame) -> None:
    series = {"p": ("mixed model", PALETTE[5], "")}
    if "p_ols" in factors:
        series["p_ols"] = ("OLS (repeated measures taken as independent)", "0.75", "///")
    height = 0.8 / len(series)
    for k, (column, (name, colour, hatch)) in enumerate(series.items()):
        p = np.clip(factors[column].to_numpy(float), 1e-300, 1)
        y = np.arange(len(factors)) + (k - (len(series) - 1) / 2) * height
        ax.barh(y, -np.log10(p), 0.9 * height, color=colour, hatch=hatch, edgecolor="white", lw=0, label=name)
    ax.axvline(-np.log10(0.05), color="black", lw=0.9, ls="--")
    ax.text(-np.log10(0.05), 1.01, "0.05", transform=ax.get_xaxis_transform(), ha="center", fontsize=7)
    ax.set(yticks=range(len(factors)), yticklabels=factors["factor"], ylim=(len(factors) - 0.4, -0.6))
    ax.set_xlabel("−log10 p of the factor")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower right", fontsize=7, ncols=2)


@styled
def plot_cluster_changes(
    table: pd.DataFrame, limit: float | None = None, unit: str = "Hz", title: str = "", figure: Figure | None = None
) -> Figure:
    """Change of activity of each cluster from session to session: its sign where significant, and its size.

    Parameters
    ----------
    table : DataFrame
        ``cluster``, ``behaviour``, ``comparison`` (such as "1→2"), ``mean_a``, ``mean_b``, ``change`` (relative) and
        ``q`` (corrected).
    limit : float, optional
        Largest change of the colours; by default the largest there is, but at most 1.
    unit : str
        Unit of the means.
    title : str
        Such as the pathway.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "cluster", "behaviour", "comparison", "mean_a", "mean_b", "change", "q")
    behaviours, steps = list(dict.fromkeys(table["behaviour"])), list(dict.fromkeys(table["comparison"]))
    clusters = sorted(set(table["cluster"]))
    finite = np.abs(table["change"][np.isfinite(table["change"])])
    limit = min(1.0, float(finite.max())) if limit is None and len(finite) else limit or 1.0
    columns = min(2, len(behaviours))
    figure = new_figure(columns * (0.55 * len(steps) + 1.0) + 0.8, -(-len(behaviours) // columns) *
                        (0.3 * len(clusters) + 0.95) + 0.3, figure)  # fmt: skip
    grid = figure.subplots(-(-len(behaviours) // columns), columns, squeeze=False, sharex=True, sharey=True)
    for ax in grid.flat[len(behaviours) :]:
        ax.set_visible(False)
    for ax, behaviour in zip(grid.flat, behaviours, strict=False):
        own = table[table["behaviour"] == behaviour].set_index(["cluster", "comparison"])
        own = own.reindex(pd.MultiIndex.from_product([clusters, steps]))
        text = np.array([_change_text(row) for row in own.itertuples()], object).reshape(len(clusters), len(steps))
        values = own["change"].to_numpy(float).reshape(text.shape)
        image = draw_matrix(ax, values, clusters, steps, cmap="RdBu_r", limits=(-limit, limit), text=text, size=5.5)
        ax.set_title(behaviour)
    for ax in grid[:, 0]:
        ax.set_ylabel("cluster")
    for ax in grid[-1]:
        ax.set_xlabel("sessions compared")
    label = f"relative change (mean → mean in {unit};\n▲ ▼ where q < 0.05)"
    figure.colorbar(image, ax=grid, label=label, shrink=0.8, extend="both")
    figure.suptitle(title, fontsize=9)
    return figure


def _change_text(row: tuple) -> str:
    if not np.isfinite(row.change):
        return ""
    sign = "" if not row.q < 0.05 else "▲" if row.change > 0 else "▼"
    return f"{row.mean_a:.2g}→{row.mean_b:.2g}" + (f"\n{sign}" if sign else "")
