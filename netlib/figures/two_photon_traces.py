"""Traces of the two-photon papers: sequences by group and session, running and pupil, single ROIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import (
    GROUP_COLOURS,
    PLAIN,
    band,
    by_group,
    edge_labels,
    rows_of,
)  # fmt: skip
from netlib.units import check_choice

__all__ = ["draw_behaviour_traces", "draw_example_responses", "draw_example_rois", "draw_traces"]

LOCKED = ("unexp_lock", "exp_lock", "stim_onset", "stim_offset")
#: What the two traces of each split are.
NAMES = {
    "by_exp": ("expected", "unexpected"),
    "unexp_lock": ("expected", "unexpected"),
    "exp_lock": ("unexpected", "expected"),
    "stim_onset": ("gray screen", "stimulus"),
    "stim_offset": ("stimulus", "gray screen"),
}
SPLITS = tuple(NAMES)


def _halves(time: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Times of the two traces: both around the event, or the first before it and the second after."""
    if split not in LOCKED:
        return time, time
    step = float(np.median(np.diff(time)))
    before = time - time[0] - step * len(time)
    return before, time


def _mark_gabors(ax: Axes, start: float, stop: float) -> None:
    """Letters of the Gabor frames above the axes, D/U at 0, and lines between them."""
    for k, letter in zip(range(-3, 3), ("A", "B", "C", "D/U", "G", "A"), strict=True):
        if k * 0.3 >= start - 1e-6 and (k + 1) * 0.3 <= stop + 0.02:
            ax.text((k + 0.5) * 0.3, 0.99, letter, transform=ax.get_xaxis_transform(),
                    ha="center", va="top", fontsize=6, color="0.45")  # fmt: skip
            ax.axvline(k * 0.3, color="0.88", lw=0.6, zorder=0)
    ax.axvline(0, color="0.6", lw=0.8, zorder=0)


def _two_traces(ax: Axes, time: Any, values: Any, split: str, colour: str, dashes: Any = "-", name: str = "") -> None:
    """Expected in grey and unexpected in colour, with their errors."""
    time, values = np.asarray(time, float), np.asarray(values, float)
    for k, (x, tone) in enumerate(zip(_halves(time, split), (PLAIN, colour), strict=True)):
        band(ax, x, values[k, :, 0], values[k, :, 1], tone, linestyle=dashes, label=f"{name}{NAMES[split][k]}")


@styled
def draw_traces(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Mean traces and their errors: groups in rows, sessions in columns; early and late thirds side by side.

    Parameters
    ----------
    data : mapping
        Panel with a ``trace_df`` that holds ``trace_stats`` (2, frames, 2: mean and error) or
        ``third_0_trace_stats`` and ``third_2_trace_stats``, and ``time_values`` (s).
    figure : Figure, optional
        Draw into this.

    Returns
    -------
    Figure
    """
    rows = rows_of(data, "time_values", "sess_ns")
    split = check_choice("split", data["extrapar"].get("split", "by_exp"), SPLITS)
    gabors = data.get("stimpar", {}).get("stimtype") == "gabors"
    columns = [c for c in ("trace_stats", "third_0_trace_stats", "third_2_trace_stats") if c in rows[0]]
    names = {"trace_stats": "", "third_0_trace_stats": "early third", "third_2_trace_stats": "late third"}
    groups, sessions = by_group(rows), sorted({row["sess_ns"] for row in rows})
    figure = new_figure(1.9 * len(sessions) * len(columns) + 0.6, 1.45 * len(groups) + 0.7, figure)
    grid = figure.subplots(len(groups), len(sessions) * len(columns), sharex=True, sharey="row", squeeze=False)
    for line, (group, members) in zip(grid, groups.items(), strict=True):
        for row in members:
            for k, column in enumerate(columns):
                ax = line[sessions.index(row["sess_ns"]) * len(columns) + k]
                _two_traces(ax, row["time_values"], row[column], split, GROUP_COLOURS[group])
        line[0].set_ylabel(f"{group}\nΔF/F (scaled)")
    for ax in grid.flat:
        if gabors and split == "by_exp":
            _mark_gabors(ax, *ax.get_xlim())
        else:
            ax.axvline(0, color="0.6", lw=0.8, zorder=0)
    for k, ax in enumerate(grid[0]):
        title = f"session {sessions[k // len(columns)]}"
        ax.set_title("\n".join(t for t in (title, names[columns[k % len(columns)]]) if t))
    edge_labels(grid.flat, x="time (s)")
    _legend(figure, grid[0, 0])
    return figure


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    labels = [f"{labels[0]} (grey line)", f"{labels[1]} (coloured line)"]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


@styled
def draw_behaviour_traces(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Running velocity and pupil diameter around D and U, one column per session number.

    Parameters
    ----------
    data : mapping
        Panel with ``run_trace_stats`` and ``pupil_trace_stats`` (2, frames, 2) and their ``_time_values`` (s).
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "run_trace_stats", "pupil_trace_stats", "run_time_values", "pupil_time_values")
    labels = {"run": "running velocity\n(cm/s)", "pupil": "pupil diameter\n(mm)"}
    figure = new_figure(3.4 * len(rows), 4.2, figure)
    grid = figure.subplots(2, len(rows), sharex=True, sharey="row", squeeze=False)
    for line, (kind, label) in zip(grid, labels.items(), strict=True):
        line[0].set_ylabel(label)
        for ax, row in zip(line, rows, strict=True):
            _two_traces(ax, row[f"{kind}_time_values"], row[f"{kind}_trace_stats"], "by_exp", "#D55E00")
            _mark_gabors(ax, *ax.get_xlim())
    for ax, row in zip(grid[0], rows, strict=True):
        ax.set_title(f"session {row['sess_ns']}")
    edge_labels(grid.flat, x="time (s)")
    _legend(figure, grid[0, 0])
    return figure


@styled
def draw_example_rois(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Traces of one ROI with a high, one with no and one with a low USI, for each group (columns).

    Parameters
    ----------
    data : mapping
        Panel with a ``chosen_rois_df``: ``target_idxs``, ``roi_idxs``, ``roi_trace_stats`` (2, frames, 2).
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "target_idxs", "roi_idxs", "roi_trace_stats", "time_values")
    groups = by_group(rows)
    targets = list(dict.fromkeys(row["target_idxs"] for row in rows))
    figure = new_figure(2.1 * len(groups) + 0.4, 1.6 * len(targets) + 0.6, figure)
    grid = figure.subplots(len(targets), len(groups), sharex=True, squeeze=False)
    for column, (group, members) in enumerate(groups.items()):
        for row in members:
            ax = grid[targets.index(row["target_idxs"]), column]
            _two_traces(ax, row["time_values"], row["roi_trace_stats"], "by_exp", GROUP_COLOURS[group])
            _mark_gabors(ax, *ax.get_xlim())
            mark = " *" if row["target_idxs"].endswith("_sig") and not row["target_idxs"].endswith("not_sig") else ""
            head = f"{group}\n" if ax.get_subplotspec().is_first_row() else ""
            ax.set_title(f"{head}USI {row['roi_idxs']:.2f}{mark}")
    edge_labels(grid.flat, x="time (s)", y="ΔF/F (scaled)")
    _legend(figure, grid[0, 0])
    return figure


@styled
def draw_example_responses(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Single trials (thin) and mean (thick) of example ROIs: groups in rows, one axes per ROI.

    Parameters
    ----------
    data : mapping
        Panel with an ``ex_traces_df``: ``traces_sm`` (trials, frames), ``trace_stats`` (frames,), ``roi_ns``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "traces_sm", "trace_stats", "time_values", "roi_ns", "mouse_ns")
    groups = by_group(rows)
    n = max(len(members) for members in groups.values())
    figure = new_figure(1.35 * n + 0.6, 1.3 * len(groups) + 0.5, figure)
    grid = figure.subplots(len(groups), n, sharex=True, squeeze=False)
    for line, (group, members) in zip(grid, groups.items(), strict=True):
        for ax in line[len(members) :]:
            ax.set_visible(False)
        for ax, row in zip(line, members, strict=False):
            time, trials = np.asarray(row["time_values"], float), np.asarray(row["traces_sm"], float)
            lines = ax.plot(time, trials.T, color=PLAIN, lw=0.25, alpha=0.35)
            for trial in lines:
                trial.set_rasterized(len(trials) > 200)
            ax.plot(time, row["trace_stats"], color=GROUP_COLOURS[group], lw=1.5)
            low, high = np.nanpercentile(trials, [0.5, 99.5])
            ax.set_ylim(low - 0.1 * (high - low), high + 0.15 * (high - low))
            ax.axvline(0, color="0.6", lw=0.8, zorder=0)
            ax.set_title(f"mouse {row['mouse_ns']}, ROI {row['roi_ns']}", fontsize=7)
            ax.tick_params(labelsize=6)
        line[0].set_ylabel(f"{group}\nΔF/F (scaled)")
    edge_labels(grid.flat, x="time (s)")
    return figure
