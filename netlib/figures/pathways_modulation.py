"""Figures of modulation by behaviour: one neuron against its null, fractions, guard interval, agreement of sources."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from netlib.figures.pathways_style import (
    GROUP_COLOURS,
    PATHWAY_COLOURS,
    PATHWAY_MARKS,
    PATHWAY_NAMES,
    SIGN_COLOURS,
    check_columns,
    draw_matrix,
    p_text,
    pathways_of,
)
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.units import check_array, check_choice, check_type

__all__ = [
    "plot_agreement",
    "plot_fractions",
    "plot_guard",
    "plot_labels_per_neuron",
    "plot_shift_null",
    "plot_sign_confusion",
]

SECOND = 1000.0
KINDS = {"up": "activated", "down": "inactivated", "both": "both", "none": "unmodulated"}


@styled
def plot_shift_null(
    null: ArrayLike,
    observed: float,
    lags: ArrayLike | None = None,
    *,
    guard: float = 20_000.0,
    percentile: float | None = None,
    p: float | None = None,
    unit: str = "events per s",
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """One neuron and one behaviour: the statistic at every lag, and the histogram of this null with the true value.

    Parameters
    ----------
    null : array_like, shape (n_lags,)
        Statistic at each shift of activity against behaviour.
    observed : float
        Statistic without a shift.
    lags : array_like, shape (n_lags,), optional
        Shifts (ms); without them the histogram is drawn alone.
    guard : float
        Shortest shift (ms), shaded.
    percentile, p : float, optional
        Stated in the title; dotted lines are the 5th and 95th percentiles of the null.
    unit : str
        Unit of the statistic.
    figure : Figure, optional
        Draw into this one.
    """
    null = check_array("null", null, ndim=1)
    figure = new_figure(7.2 if lags is not None else 3.4, 2.6, figure)
    if lags is None:
        right = figure.subplots()
    else:
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1), sharey=True)
        _draw_lags(left, null, observed, np.asarray(lags, float) / SECOND, guard / SECOND)
        left.set_ylabel(f"activity in the behaviour\n({unit})")
    right.hist(null, 40, color="0.65", orientation="vertical" if lags is None else "horizontal")
    draw = right.axvline if lags is None else right.axhline
    draw(observed, color=SIGN_COLOURS["activated"], lw=1.8, gid="observed")
    for edge in np.percentile(null, (5, 95)):
        draw(edge, color="black", lw=0.9, ls=":", gid="threshold")
    (right.set_ylabel if lags is None else right.set_xlabel)("shifts")
    if lags is None:
        right.set_xlabel(f"activity in the behaviour ({unit})")
    found = [] if percentile is None else [f"percentile {percentile:.1f}"]
    found += [] if p is None else [p_text(p)]
    right.set_title(", ".join(found))
    figure.suptitle(title, fontsize=9)
    return figure


def _draw_lags(ax: Axes, null: np.ndarray, observed: float, lags: np.ndarray, guard: float) -> None:
    """The null over the lags, with gaps where lags are left out."""
    order = np.argsort(lags)
    lags, null = lags[order], null[order]
    step = np.median(np.diff(lags)) if len(lags) > 1 else 1.0
    breaks = np.flatnonzero(np.diff(lags) > 3 * step) + 1
    ax.plot(np.insert(lags, breaks, np.nan), np.insert(null, breaks, np.nan), color="0.45", lw=0.8)
    two_sided = lags[0] < 0
    last = lags[-1] + guard
    shades = [(-guard, guard)] if two_sided else [(0, guard), (last - guard, last)]
    for low, high in shades:
        ax.axvspan(low, high, color="0.92", lw=0, zorder=0, gid="guard")
    ax.plot(0, observed, "o", color=SIGN_COLOURS["activated"], ms=6, clip_on=False, zorder=5)
    ax.set(xlabel="shift of activity (s); grey: guard", xlim=(lags[0], lags[-1]) if two_sided else (0, last))


@styled
def plot_guard(
    waits: ArrayLike,
    chosen: float,
    lags: ArrayLike | None = None,
    curves: Mapping[str, ArrayLike] | None = None,
    figure: Figure | None = None,
) -> Figure:
    """What the guard interval is chosen from: times between sequences, and autocorrelations.

    Parameters
    ----------
    waits : array_like
        Times from one sequence to the next (ms).
    chosen : float
        Guard (ms).
    lags : array_like, optional
        Of the autocorrelations (ms).
    curves : mapping of array_like, optional
        Autocorrelations by name, such as "sequence" or "activity".
    figure : Figure, optional
        Draw into this one.
    """
    waits = check_array("waits", waits, "ms", 0, ndim=1)
    figure = new_figure(3.5 if not curves else 7.0, 2.5, figure)
    axes = figure.subplots(1, 1 if not curves else 2, squeeze=False)[0]
    axes[0].hist(waits / SECOND, 30, color="0.6")
    axes[0].set(xlabel="time between sequences (s)", ylabel="intervals")
    if curves:
        extra = iter((PALETTE[0], PALETTE[6], PALETTE[1]))
        for name, curve in curves.items():
            colour = GROUP_COLOURS.get(name) or next(extra, "0.4")
            style = "-" if name in GROUP_COLOURS else "--"
            axes[1].plot(np.asarray(lags, float) / SECOND, curve, color=colour, ls=style, lw=1.3, label=name)
        axes[1].axhline(0, color="0.7", lw=0.7, zorder=0)
        axes[1].set(xlabel="lag (s)", ylabel="autocorrelation")
        axes[1].legend(loc="upper right")
    for ax in axes:
        ax.axvline(chosen / SECOND, color=SIGN_COLOURS["activated"], lw=1.5, ls="--", gid="guard")
    axes[0].set_title(f"guard {chosen / SECOND:.1f} s (dashed)")
    return figure


@styled
def plot_fractions(table: pd.DataFrame, by: str = "any", figure: Figure | None = None) -> Figure:
    """Fractions of neurons activated, inactivated and neither, by session and pathway, with their intervals.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.analysis.modulation_labels.pathway_fractions`: ``pathway``, ``session``, ``behaviour``,
        ``kind``, ``fraction``, ``low``, ``high``.
    by : {"any", "behaviour"}
        Neurons with at least one behaviour of a kind; or a row of axes for each of the four groups.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "pathway", "session", "behaviour", "kind", "fraction", "low", "high")
    rows = ["any"] if check_choice("by", by, ("any", "behaviour")) == "any" else list(GROUP_COLOURS)
    shown = table[table["behaviour"].isin(rows)]
    kinds = [kind for kind in KINDS if kind in set(shown["kind"])]
    if not kinds:
        raise ValueError(f"table has no rows of behaviour {rows}")
    figure = new_figure(2.4 * len(kinds) + 0.4, 1.6 * len(rows) + 1.0, figure)
    grid = figure.subplots(len(rows), len(kinds), sharex=True, sharey=True, squeeze=False)
    for line, row in zip(grid, rows, strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            _fraction_lines(ax, shown[(shown["behaviour"] == row) & (shown["kind"] == kind)])
        line[0].set_ylabel("fraction of neurons" if row == "any" else f"{row}:\nfraction of neurons")
    for ax, kind in zip(grid[0], kinds, strict=True):
        ax.set_title(KINDS[kind])
    for ax in grid[-1]:
        ax.set(xlabel="session", xticks=sorted(set(shown["session"])), ylim=(0, None))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _fraction_lines(ax: Axes, table: pd.DataFrame) -> None:
    pathways = pathways_of(table)
    for k, pathway in enumerate(pathways):
        own = table[table["pathway"] == pathway].sort_values("session")
        value = own["fraction"].to_numpy(float)
        error = np.clip([value - own["low"], own["high"] - value], 0, None)
        x = own["session"] + 0.16 * (k - (len(pathways) - 1) / 2)
        ax.errorbar(x, value, error, color=PATHWAY_COLOURS.get(pathway, "0.3"), marker=PATHWAY_MARKS.get(pathway, "s"),
                    ms=4, lw=1.2, elinewidth=0.8, label=PATHWAY_NAMES.get(pathway, pathway))  # fmt: skip


@styled
def plot_labels_per_neuron(tables: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """How many neurons are modulated in 0 to 4 behaviours, by pathway: activated, inactivated, either.

    Parameters
    ----------
    tables : mapping of DataFrame
        By pathway (or another name), from :func:`netlib.analysis.modulation_labels.labels_per_neuron`.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("tables", tables, Mapping):
        raise ValueError("tables is empty: it must hold at least one")
    figure = new_figure(7.0, 2.5, figure)
    axes = figure.subplots(1, 3, sharey=True)
    width = 0.8 / len(tables)
    columns = {"up": "activated", "down": "inactivated", "any": "either"}
    for ax, (column, title) in zip(axes, columns.items(), strict=True):
        for k, (name, table) in enumerate(tables.items()):
            x = np.asarray(table.index, float) + (k - (len(tables) - 1) / 2) * width
            colour = PATHWAY_COLOURS.get(name, str(0.3 + 0.5 * k / len(tables)))
            ax.bar(x, table[column], 0.92 * width, color=colour, lw=0, label=PATHWAY_NAMES.get(name, name))
        ax.set(xlabel="behaviours of a neuron", xticks=range(5), title=title)
    axes[0].set_ylabel("neurons")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(tables))
    return figure


@styled
def plot_agreement(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Correlation of two sources of activity by behaviour; the grey bar is the null, 0 ± 2 sd.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.analysis.agreement.agreement`: ``a``, ``b``, ``behaviour``, ``pearson``, ``null_sd``.
        Tables of several sessions or mice may be stacked: each row is a point, and a line their mean.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("table", table, "a", "b", "behaviour", "pearson")
    pairs = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    names = list(dict.fromkeys(table["behaviour"]))
    figure = new_figure(2.5 * len(pairs) + 0.4, 2.7, figure)
    axes = figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for ax, (a, b) in zip(axes, pairs, strict=True):
        part = table[(table["a"] == a) & (table["b"] == b)]
        for k, name in enumerate(names):
            own = part[part["behaviour"] == name]
            x = k + (0.25 * np.linspace(-1, 1, len(own)) if len(own) > 1 else np.zeros(len(own)))
            if "null_sd" in own:
                ax.vlines(x, -2 * own["null_sd"], 2 * own["null_sd"], color="#CCCCCC", lw=3.5, zorder=0, gid="null")
            ax.plot(x, own["pearson"], "o", ms=3.5, color=GROUP_COLOURS.get(name, "0.3"))
            ax.hlines(own["pearson"].mean(), k - 0.35, k + 0.35, color="black", lw=1.4)
        ax.axhline(0, color="0.7", lw=0.7, zorder=0)
        ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(f"{a} and {b}")
    axes[0].set(ylabel="correlation r (grey: null)", ylim=(min(-0.3, axes[0].get_ylim()[0]), 1.05))
    return figure


@styled
def plot_sign_confusion(
    matrices: Mapping[str, pd.DataFrame], kappa: Mapping[str, float] | None = None, figure: Figure | None = None
) -> Figure:
    """Neurons called ↑, 0 or ↓ by one source (rows) and by another (columns), with Cohen's κ.

    Parameters
    ----------
    matrices : mapping of DataFrame
        Counts by title, such as "events and trace"; colours are shares of the row.
    kappa : mapping of float, optional
        By title.
    """
    if not check_type("matrices", matrices, Mapping):
        raise ValueError("matrices is empty: it must hold at least one")
    figure = new_figure(2.5 * len(matrices) + 0.8, 2.6, figure)
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (title, counts) in zip(axes, matrices.items(), strict=True):
        values = counts.to_numpy(float)
        total = values.sum(axis=1, keepdims=True)
        share = np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0)
        text = np.vectorize(lambda v: f"{v:.0f}", otypes=[object])(values)
        image = draw_matrix(ax, share, counts.index, counts.columns, text=text, size=8)
        first, _, second = title.partition(" and ")
        stated = f"κ = {kappa[title]:.2f}" if kappa and title in kappa else ""
        ax.set(title=stated, ylabel=first, xlabel=second or "other source")
    figure.colorbar(image, ax=axes, label="fraction of the row")
    return figure
