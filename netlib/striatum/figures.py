"""Figures of the striatal learning model: learning curves, forgetting, comparisons, grids, one simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_choice, check_type
from netlib.figures.style import PALETTE, new_axes, new_figure, save, styled
from netlib.striatum.analysis import SimulationView, curve_table, view_simulation
from netlib.striatum.experiment import Result
from netlib.striatum.forgetting import Forgetting
from netlib.striatum.model import Parameters

__all__ = [
    "draw_run",
    "plot_differences",
    "plot_forgetting",
    "plot_learning_curves",
    "plot_setting_grid",
    "plot_simulation",
    "plot_weight_similarity",
]

#: Black first, no yellow: of thin lines, it is hard to see.
LINES = tuple(PALETTE[i] for i in (0, 6, 5, 3, 1, 7, 2))
MARKS = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), "-.")


def _check_tables(tables: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The tables, if there is one and each has rows and the columns."""
    tables = dict(check_type("tables", tables, Mapping))
    if not tables:
        raise ValueError("tables is empty: it must hold at least one")
    for name, table in tables.items():
        missing = [column for column in columns if column not in check_type(f"tables[{name!r}]", table, pd.DataFrame)]
        if missing or table.empty:
            raise ValueError(f"tables[{name!r}] must have rows and the columns {list(columns)}; it lacks {missing}")
    return tables


def _draw_phases(ax: Axes, parameters: Parameters) -> None:
    """Ends of the phases as lines, and what holds in each above the axes."""
    start = 0
    for phase, end in zip(parameters.phases, parameters.phase_ends, strict=True):
        if start:
            ax.axvline(start, color="0.7", lw=0.8, zorder=0)
        text = f"{phase.name}\nreward {'on' if phase.reward else 'off'}, η = {phase.presentation:g}"
        if end > start:
            ax.text((start + end) / 2, 1.02, text, transform=ax.get_xaxis_transform(), ha="center", fontsize=7)
        start = end
    ax.set(xlim=(0, max(start, 1)), xlabel="training trials")


@styled
def plot_learning_curves(
    curves: Mapping[str, pd.DataFrame], parameters: Parameters, value: str = "accuracy", ax: Axes | None = None
) -> Axes:
    """Mean test accuracy during training, one line for each condition, with its 95 % interval as a band.

    Parameters
    ----------
    curves : mapping of DataFrame
        For each condition, from :func:`netlib.striatum.curve_table`.
    parameters : Parameters
        Of one of the conditions: they give the phases.
    value : {"accuracy", "balanced_accuracy", "success"}
        What is drawn; the band is that of the accuracy only.
    ax : Axes, optional
        Draw into these.
    """
    check_choice("value", value, ("accuracy", "balanced_accuracy", "success"))
    curves = _check_tables(curves, ("trial", value, "low", "high"))
    ax = new_axes(ax, 6.4, 3.2)
    for i, (name, table) in enumerate(curves.items()):
        colour, mark = LINES[i % len(LINES)], MARKS[i // len(LINES) % len(MARKS)]
        ax.plot(table["trial"], table[value], color=colour, ls=mark, lw=1.4, label=name)
        if value == "accuracy":
            ax.fill_between(table["trial"], table["low"], table["high"], color=colour, alpha=0.2, lw=0)
    _draw_phases(ax, parameters)
    ax.set_ylabel({"success": "fraction all right"}.get(value, value.replace("_", " ")))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


@styled
def plot_forgetting(
    time: Sequence[float],
    accuracy: Sequence[float],
    fit: Forgetting,
    taus: Sequence[float] = (),
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Loss of accuracy: data (circles), fit (line), base (dashed), tangent at the start (dotted) and tau.

    Parameters
    ----------
    time, accuracy : array
        What was fitted (trials, accuracy).
    fit : Forgetting
        From :func:`netlib.striatum.fit_forgetting`; one that failed is drawn without a line and says why.
    taus : array, optional
        Times of groups of simulations, drawn as crosses on the axis.
    label : str
        Begins the title.
    ax : Axes, optional
        Draw into these.
    """
    ax = new_axes(ax, 3.6, 2.8)
    time = np.asarray(time, float)
    end = time.max()
    ax.plot(time, accuracy, "o", ms=4, mfc="none", color=PALETTE[0])
    ax.axhline(fit.base, color="0.5", ls="--", lw=0.9)
    ax.set(xlim=(-0.02 * end, 1.02 * end), xlabel="trials since reward stopped", ylabel="accuracy")
    if fit.success:
        smooth = np.linspace(0, end, 500)
        ax.plot(smooth, fit(smooth), color=PALETTE[6], lw=1.5)
        ax.plot([0, fit.tau], [fit.learned, fit.base], color=PALETTE[5], ls=":", lw=1.2)
        ax.vlines(fit.tau, fit.base, fit.learned, color="0.8", lw=1, zorder=0)
        digits = 0 if fit.tau > 20 else 1
        verdict = f"τ = {fit.tau:.{digits}f} ± {fit.tau_se:.{digits}f} trials (SE)"
    else:
        verdict = f"no τ: {fit.failure}"
    inside = [tau for tau in taus if tau <= end]
    ax.plot(
        inside, np.zeros(len(inside)), "x", ms=4, color=PALETTE[5], transform=ax.get_xaxis_transform(), clip_on=False
    )
    ax.set_title(f"{label}: {verdict}" if label else verdict)
    return ax


@styled
def plot_differences(table: pd.DataFrame, reference: str, unit: str = "accuracy", ax: Axes | None = None) -> Axes:
    """Differences from a reference condition with their 95 % intervals, and corrected p values.

    Parameters
    ----------
    table : DataFrame
        From :func:`netlib.striatum.compare`.
    reference : str
        Name of the reference.
    unit : str
        What the difference is of.
    ax : Axes, optional
        Draw into these.
    """
    _check_tables({"table": table}, ("condition", "difference", "low", "high", "p_holm"))
    ax = new_axes(ax, 4.6, 0.32 * len(table) + 1.0)
    place = np.arange(len(table))[::-1]
    ax.axvline(0, color="0.6", lw=0.8)
    error = [table["difference"] - table["low"], table["high"] - table["difference"]]
    ax.errorbar(table["difference"], place, xerr=error, fmt="o", ms=4, lw=1.2, color=PALETTE[5])
    for y, p in zip(place, table["p_holm"], strict=True):
        text = "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
        ax.text(1.01, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=7)
    ax.set(yticks=place, yticklabels=table["condition"], ylim=(-0.6, len(table) - 0.4))
    ax.set_xlabel(f"{unit} − that of {reference} (95 % interval; p after Holm)")
    return ax


@styled
def plot_weight_similarity(tables: Mapping[str, pd.DataFrame], parameters: Parameters, ax: Axes | None = None) -> Axes:
    """Similarity (dotted) and cosine (dashed) of the weights to those at the end of learning.

    Parameters
    ----------
    tables : mapping of DataFrame
        For each condition, from :func:`netlib.striatum.similarity_table`.
    parameters : Parameters
        Of one of the conditions: they give the phases.
    ax : Axes, optional
        Draw into these.
    """
    tables = _check_tables(tables, ("trial", "similarity", "cosine"))
    ax = new_axes(ax, 6.4, 3.0)
    for i, (name, table) in enumerate(tables.items()):
        for value, dashes in (("similarity", MARKS[2]), ("cosine", MARKS[1])):
            ax.plot(
                table["trial"], table[value], color=LINES[i % len(LINES)], ls=dashes, lw=1.4, label=f"{name}, {value}"
            )
    _draw_phases(ax, parameters)
    ax.set(ylabel="likeness to learned weights", ylim=(-0.05, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


@styled
def plot_setting_grid(
    table: pd.DataFrame,
    x: str,
    y: str,
    value: str,
    limits: tuple[float, float] | None = None,
    decimals: int = 2,
    ax: Axes | None = None,
) -> Axes:
    """A value over two options, as colours and numbers: the noise grid, the controls.

    Parameters
    ----------
    table : DataFrame
        One row for each pair of values of ``x`` and ``y``, as from :func:`netlib.striatum.summary_table`.
    x, y, value : str
        Columns.
    limits : tuple of float, optional
        Range of the colours.
    decimals : int
        Of the numbers.
    ax : Axes, optional
        Draw into these.
    """
    _check_tables({"table": table}, (x, y, value))
    if table.duplicated([x, y]).any():
        raise ValueError(f"table has several rows for a pair of {x} and {y}: select one")
    wide = table.pivot(index=y, columns=x, values=value)
    ax = new_axes(ax, 0.62 * wide.shape[1] + 1.7, 0.34 * wide.shape[0] + 1.1)
    low, high = limits or (np.nanmin(wide.to_numpy()), np.nanmax(wide.to_numpy()))
    image = ax.pcolormesh(wide.to_numpy(float), cmap="cividis", vmin=low, vmax=high)
    for (row, column), number in np.ndenumerate(wide.to_numpy(float)):
        colour = "black" if number > (low + high) / 2 else "white"
        if np.isfinite(number):
            ax.text(
                column + 0.5, row + 0.5, f"{number:.{decimals}f}", ha="center", va="center", fontsize=7, color=colour
            )
    for axis, values in ((ax.xaxis, wide.columns), (ax.yaxis, wide.index)):
        axis.set_ticks(np.arange(len(values)) + 0.5, [v if isinstance(v, str) else f"{v:g}" for v in values])
    ax.set(xlabel=x, ylabel=y)
    ax.get_figure(root=True).colorbar(image, ax=ax, label=value.replace("_", " "))
    return ax


@styled
def plot_simulation(view: SimulationView, figure: Figure | None = None) -> Figure:
    """One simulation in six rows: cortical spikes, potential, weights, training and test accuracy, patterns.

    Parameters
    ----------
    view : SimulationView
        From :func:`netlib.striatum.view_simulation`.
    figure : Figure, optional
        Draw into this one.
    """
    p = view.parameters
    figure = new_figure(7.0, 8.6, figure)
    spikes, V, weights, training, test, patterns = figure.subplots(6, 1, height_ratios=(1.3, 1, 1.2, 0.8, 0.8, 0.9))
    edges = np.arange(view.first, view.last + 1) * p.stim_duration
    for ax in (spikes, V):
        ax.vlines(edges, 0, 1, color="0.85", lw=0.7, transform=ax.get_xaxis_transform(), zorder=0)
        ax.set_xlim(edges[0], edges[-1])
    spikes.plot(view.spike_time, view.spike_neuron, "|", ms=5, color=PALETTE[3])
    spikes.plot(view.background_time, np.full(len(view.background_time), p.P), "|", ms=5, color=PALETTE[6])
    spikes.set(ylabel="cortical neuron", ylim=(-0.7, p.P + 0.7), yticks=np.arange(0, p.P, max(1, p.P // 5)))
    spikes.set_title(f"trials {view.first} to {view.last - 1}; top row: background spikes", loc="left")
    V.plot(view.time, view.voltage, color=PALETTE[0], lw=0.8)
    V.vlines(view.output_time, p.V_th, p.V_th + 40, color=PALETTE[0], lw=0.8)
    V.axhline(p.V_th, color="0.6", lw=0.7, ls="--")
    V.set(ylabel="potential (mV)", xlabel="time (ms)")
    done = np.arange(1, p.n_trials + 1)
    for i in range(p.P):
        weights.plot(
            done, view.weights[:, i], lw=0.9, color=LINES[i % len(LINES)], ls=MARKS[i // len(LINES) % len(MARKS)]
        )
    weights.axhline(p.threshold, color="0.6", lw=0.7, ls="--")
    weights.set_ylabel("weight")
    training.plot(done, view.training_accuracy, color=PALETTE[5], lw=1)
    training.set(ylabel="training\naccuracy", ylim=(-0.05, 1.05))
    test.plot(view.test_trial, view.test_accuracy, ".-", ms=3, color=PALETTE[5], lw=1)
    test.set(ylabel="test\naccuracy", ylim=(-0.05, 1.05), xlabel="training trials")
    for ax in (weights, training, test):
        ax.set_xlim(0, p.n_trials)
        for end in p.phase_ends[:-1]:
            ax.axvline(end, color="0.7", lw=0.8, zorder=0)
    for rewarded, colour, name in ((True, PALETTE[6], "rewarded"), (False, "0.6", "not rewarded")):
        place = np.flatnonzero(view.rewarded == rewarded)
        patterns.bar(place, view.in_a_row[place], color=colour, label=name)
    patterns.set(xlabel="pattern", ylabel="right in a row\nat the end", xticks=np.arange(p.n_pattern))
    patterns.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    return figure


def draw_run(results: Mapping[int, Result], stem: Path) -> list[Path]:
    """Figures of ``netlib striatum run --plot``: learning curves, and the first simulation in detail.

    Parameters
    ----------
    results : mapping
        Results by number of patterns.
    stem : path
        Files are ``<stem>_curves.png`` and, for each number n, ``<stem>_n<n>_simulation.png``.
    """
    curves = {f"{n} patterns": curve_table(result) for n, result in results.items()}
    parameters = next(iter(results.values())).parameters
    files = [save(plot_learning_curves(curves, parameters), stem.with_name(f"{stem.name}_curves.png"))]
    for n, result in results.items():
        view = view_simulation(result.parameters, result.seed, int(result.simulation[0]))
        files.append(save(plot_simulation(view), stem.with_name(f"{stem.name}_n{n}_simulation.png")))
    return files
