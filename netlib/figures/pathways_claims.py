"""Figures of claims about pathways: mice of each pathway side by side, and what many data sets say of each claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from netlib.figures.pathways_style import (
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    check_columns,
    draw_matrix,
    pathways_of,
)
from netlib.figures.style import new_figure, styled
from netlib.units import check_integer, check_type

__all__ = ["plot_mouse_claims", "plot_planted", "plot_verdicts"]


@styled
def plot_mouse_claims(
    tables: Mapping[str, pd.DataFrame],
    values: Mapping[str, str],
    limits: Mapping[str, tuple[float, float]] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """Mice of both pathways, a point each, with the mean of a pathway; an axes for each value.

    Parameters
    ----------
    tables : mapping of DataFrame
        By what was planted (or another title): ``pathway`` and the columns of ``values``.
    values : mapping of str
        Label of each column to draw, such as ``{"engaged": "share of neurons engaged"}``.
    limits : mapping of (float, float), optional
        Range of the axis of a value; a range that crosses 0 gets a line there.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("tables", tables, Mapping) or not check_type("values", values, Mapping):
        raise ValueError("tables and values must hold at least one each")
    figure = new_figure(max(2.2, 0.75 * len(tables) + 1.1) * len(values), 2.7, figure)
    axes = figure.subplots(1, len(values), squeeze=False)[0]
    for ax, (value, label) in zip(axes, values.items(), strict=True):
        for x, table in enumerate(tables.values()):
            pathways = pathways_of(check_columns("table", table, "pathway", value))
            for k, pathway in enumerate(pathways):
                own = table.loc[table["pathway"] == pathway, value].dropna().to_numpy(float)
                centre = x + 0.34 * (k - (len(pathways) - 1) / 2)
                colour = PATHWAY_COLOURS.get(pathway, "0.3")
                spread = 0.08 * np.linspace(-1, 1, len(own)) if len(own) > 1 else np.zeros(len(own))
                ax.plot(centre + spread, own, PATHWAY_MARKS.get(pathway, "s"), ms=4.5, color=colour, alpha=0.8)
                if len(own):
                    ax.hlines(own.mean(), centre - 0.13, centre + 0.13, color="black", lw=1.4)
        ax.set_xticks(range(len(tables)), list(tables))
        ax.set(ylabel=label, xlim=(-0.5, len(tables) - 0.5), ylim=(limits or {}).get(value))
        if ax.get_ylim()[0] < 0 < ax.get_ylim()[1]:
            ax.axhline(0, color="0.6", lw=0.8, ls="--", zorder=0, gid="zero")
    names = list(dict.fromkeys(p for table in tables.values() for p in pathways_of(table)))
    handles = [
        Line2D([], [], color=PATHWAY_COLOURS.get(p, "0.3"), marker=PATHWAY_MARKS.get(p, "s"), ls="",
               label=PATHWAY_NAMES.get(p, p)) for p in names
    ]  # fmt: skip
    figure.legend(handles=[*handles, Line2D([], [], color="black", label="mean of mice")],
                  loc="outside lower center", ncols=len(names) + 1)  # fmt: skip
    return figure


@styled
def plot_planted(
    table: pd.DataFrame,
    panels: Mapping[str, Sequence[str]],
    references: Mapping[str, float] | None = None,
    columns: int = 3,
    figure: Figure | None = None,
) -> Figure:
    """Measures by what was planted, means over data sets with their intervals; an axes for each panel.

    Parameters
    ----------
    table : DataFrame
        ``condition``, ``measure``, ``mean``, ``low``, ``high``.
    panels : mapping of sequence of str
        Measures drawn together, by the label of their axis. A measure that ends in a pathway has its colour and mark;
        one that names a code is filled for activation, and hollow for inactivation.
    references : mapping of float, optional
        A dashed line for a panel, such as chance.
    columns : int
        Panels in a row.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "condition", "measure", "mean", "low", "high")
    conditions = list(dict.fromkeys(table["condition"]))
    columns = min(check_integer("columns", columns, 1), len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure((0.42 * len(conditions) + 1.3) * columns, 2.9 * rows, figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (label, measures) in zip(grid.flat, panels.items(), strict=False):
        for k, measure in enumerate(measures):
            own = table[table["measure"] == measure].set_index("condition").reindex(conditions)
            if own["mean"].isna().all():
                raise ValueError(f"table has no values of the measure {measure!r}")
            x = np.arange(len(conditions)) + 0.62 * (k - (len(measures) - 1) / 2) / len(measures)
            error = np.clip([own["mean"] - own["low"], own["high"] - own["mean"]], 0, None)
            ax.errorbar(x, own["mean"], error, ls="", ms=4.5, elinewidth=1.1, capsize=2, **_look(measure))
        if label in (references or {}):
            ax.axhline(references[label], color="black", lw=0.9, ls="--", zorder=0, gid="reference")
        ax.set_xticks(range(len(conditions)), conditions, rotation=40, ha="right", rotation_mode="anchor")
        ax.set(ylabel=label, xlim=(-0.5, len(conditions) - 0.5))
        if len(measures) > 1:
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=6.5, handletextpad=0.2)
    return figure


def _look(measure: str) -> dict[str, object]:
    pathway = next((p for p in PATHWAY_COLOURS if measure.endswith(f" {p}")), None)
    colour = PATHWAY_COLOURS.get(pathway, "0.25")
    hollow = "inactivation" in measure
    name = measure.replace(str(pathway), PATHWAY_NAMES.get(pathway, "")) if pathway else measure
    mark = PATHWAY_MARKS.get(pathway, "s")
    return {"color": colour, "marker": mark, "mfc": "white" if hollow else colour, "label": name}


@styled
def plot_verdicts(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """How often each claim was found, by what was planted, and how often its opposite.

    Parameters
    ----------
    table : DataFrame
        ``condition``, ``claim``, ``found`` and ``reversed`` (number of data sets), ``n`` (data sets).
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "condition", "claim", "found", "reversed", "n")
    conditions, claims = list(dict.fromkeys(table["condition"])), list(dict.fromkeys(table["claim"]))
    wide = table.set_index(["claim", "condition"]).reindex(pd.MultiIndex.from_product([claims, conditions]))
    shape = (len(claims), len(conditions))
    net = ((wide["found"] - wide["reversed"]) / wide["n"]).to_numpy(float).reshape(shape)
    text = np.array([_count(row) for row in wide.itertuples()], object).reshape(shape)
    figure = new_figure(0.95 * len(conditions) + 3.3, 0.42 * len(claims) + 1.2, figure)
    ax = figure.subplots()
    image = draw_matrix(ax, net, claims, conditions, cmap="RdBu_r", limits=(-1, 1), text=text, size=7.5)
    ax.set_xlabel("planted")
    figure.colorbar(image, ax=ax, label="(found − opposite found)\n/ data sets", ticks=(-1, 0, 1))
    return figure


def _count(row: tuple) -> str:
    if not row.n > 0:
        return ""
    if row.reversed:
        return f"{row.found:.0f} / {row.n:.0f}\nopposite {row.reversed:.0f}"
    return f"{row.found:.0f} / {row.n:.0f}"
