"""Quality of the recordings of the two-photon papers, and behaviour: values of ROIs, histograms, whole sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import (
    GROUP_COLOURS,
    by_group,
    edge_labels,
    group_grid,
    group_of,
    least_p,
    rows_of,
    stars,
)

__all__ = ["draw_behaviour_histograms", "draw_blocks", "draw_full_session", "draw_roi_correlations", "draw_roi_values"]

BEHAVIOUR = {"run": "running velocity (cm/s)", "pupil": "pupil diameter (mm)"}
#: Shades of the stimuli behind a whole session.
SHADES = {"gabors": "#009E73", "visflow": "#CC79A7", "grayscreen": "#999999"}
STIMULI = {"gabors": "Gabors", "visflow": "visual flow", "grayscreen": "gray screen"}


@styled
def draw_roi_values(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Distribution over ROIs of the signal-to-noise ratio or of the mean signal, by session, for each group.

    Parameters
    ----------
    data : mapping
        Panel with ``snrs`` or ``signal_means``, one row per mouse and session, a value per ROI.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "sess_ns")
    labels = {"snrs": "signal-to-noise ratio", "signal_means": "mean signal (ΔF/F)"}
    column = next((column for column in labels if column in rows[0]), None)
    if column is None:
        raise ValueError(f"the table holds none of the columns {', '.join(labels)}")
    groups = by_group(rows)
    figure, axes = group_grid(list(groups), figure, share=(True, False))
    for group, members in groups.items():
        ax, top = axes[group], 0.0
        for session in sorted({row["sess_ns"] for row in members}):
            values = np.concatenate([np.asarray(r[column], float) for r in members if r["sess_ns"] == session])
            values = values[np.isfinite(values)]
            parts = ax.violinplot([values], [session], widths=0.8, showextrema=False)
            for body in parts["bodies"]:
                body.set(facecolor=GROUP_COLOURS[group], alpha=0.5)
            low, middle, high = np.percentile(values, [25, 50, 75])
            ax.vlines(session, low, high, color="black", lw=2)
            ax.plot(session, middle, "o", color="white", mec="black", ms=4)
            top = max(top, float(np.percentile(values, 99.5)))
            ax.text(
                session, 0.97, f"{middle:.2f}", transform=ax.get_xaxis_transform(), fontsize=7, ha="center", va="top"
            )
    first = next(iter(axes.values()))
    first.set_xticks(sorted({row["sess_ns"] for row in rows}))
    edge_labels(axes.values(), x="session", y=labels[column])
    return figure


@styled
def draw_roi_correlations(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Share of pairs of ROIs (log scale) by the correlation of their traces, a line per session, for each group.

    Parameters
    ----------
    data : mapping
        Panel with a ``corr_df``: ``corrs_binned`` (counts) and ``bin_edges``.
    figure : Figure, optional
        Draw into this.
    """
    groups = by_group(rows_of(data, "corrs_binned", "bin_edges", "sess_ns"))
    figure, axes = group_grid(list(groups), figure)
    for group, members in groups.items():
        for row, dashes in zip(members, ("-", "--", ":", "-.") * len(members), strict=False):
            counts = np.asarray(row["corrs_binned"], float)
            edges = np.linspace(row["bin_edges"][0], row["bin_edges"][-1], len(counts) + 1)
            share = 100 * counts / counts.sum()
            axes[group].stairs(
                share, edges, color=GROUP_COLOURS[group], ls=dashes, lw=1.2, label=f"session {row['sess_ns']}"
            )
        axes[group].set_yscale("log")
        axes[group].axvline(0, color="0.6", lw=0.7, zorder=0)
    next(iter(axes.values())).legend(fontsize=6)
    edge_labels(axes.values(), x="correlation of two ROIs", y="pairs of ROIs (%)")
    return figure


@styled
def draw_blocks(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Difference of running and of pupil between unexpected and expected frames, a point per block, by group.

    Parameters
    ----------
    data : mapping
        Panel with a ``block_df``: ``run_block_diffs``, ``pupil_block_diffs`` and their ``_p_vals``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "run_block_diffs", "pupil_block_diffs")
    figure = new_figure(0.9 * len(rows) + 1.2, 4.4, figure)
    axes = figure.subplots(2, 1, sharex=True)
    for ax, (kind, label) in zip(axes, BEHAVIOUR.items(), strict=True):
        for x, row in enumerate(rows):
            values = np.asarray(row[f"{kind}_block_diffs"], float)
            values = values[np.isfinite(values)]
            rank = np.argsort(np.argsort(values))
            spread = 0.5 * ((rank * 0.6180339887) % 1 - 0.5)  # even, and the same every time
            ax.scatter(x + spread, values, s=8, color=GROUP_COLOURS[row["group"]], alpha=0.6, lw=0)
            ax.hlines(np.mean(values), x - 0.3, x + 0.3, color="black", lw=1.5)
            text = stars(row.get(f"{kind}_p_vals"), least_p(data)) or "n.s."
            ax.text(x, 0.99, text, transform=ax.get_xaxis_transform(), ha="center", va="top", fontsize=8)
        ax.axhline(0, color="0.5", lw=0.7, ls=":", zorder=0)
        ax.margins(y=0.15)
        ax.set_ylabel(f"U − D, {label}".replace(" (", "\n("))
    axes[-1].set_xticks(range(len(rows)), [row["group"] for row in rows])
    return figure


@styled
def draw_full_session(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Running velocity and pupil diameter over a whole session, its stimuli as shades.

    Parameters
    ----------
    data : mapping
        Panel with a ``sess_df``: ``run_data``, ``pupil_data``, ``duration_sec``, ``stims``, ``run_frames`` and
        ``pupil_frames`` (first and last frame of each stimulus).
    figure : Figure, optional
        Draw into this.
    """
    row = rows_of(data, "run_data", "pupil_data", "duration_sec", "stims", "run_frames", "pupil_frames")[0]
    figure = new_figure(8.0, 3.6, figure)
    axes = figure.subplots(2, 1, sharex=True)
    for ax, (kind, label) in zip(axes, BEHAVIOUR.items(), strict=True):
        values = np.asarray(row[f"{kind}_data"], float)
        minutes = row["duration_sec"] / 60 / len(values)
        line = ax.plot(np.arange(len(values)) * minutes, values, color="black", lw=0.4)[0]
        line.set_rasterized(True)
        for name, (start, stop) in zip(row["stims"], row[f"{kind}_frames"], strict=True):
            known = next((key for key in SHADES if name.startswith(key[:4])), "grayscreen")
            ax.axvspan(
                start * minutes, stop * minutes, color=SHADES[known], alpha=0.25, lw=0, zorder=0, label=STIMULI[known]
            )
        ax.set_ylabel(label.replace(" (", "\n("))
    axes[-1].set_xlabel("time (min)")
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    axes[0].set_title(f"mouse {row['mouse_ns']}, session {row['sess_ns']}")
    return figure


@styled
def draw_behaviour_histograms(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Distributions of running velocity and pupil diameter, a line per mouse, sessions in columns.

    Parameters
    ----------
    data : mapping
        Panel with a ``hist_df``: ``run_vals_binned``, ``pupil_vals_binned`` (mice, bins) and their ``_bin_edges``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "run_vals_binned", "pupil_vals_binned", "run_bin_edges", "pupil_bin_edges", "sess_ns")
    figure = new_figure(2.4 * len(rows) + 0.4, 4.0, figure)
    grid = figure.subplots(2, len(rows), sharex="row", sharey="row", squeeze=False)
    for line, (kind, label) in zip(grid, BEHAVIOUR.items(), strict=True):
        for ax, row in zip(line, rows, strict=True):
            lines, planes = row["lines"], row["planes"]
            for counts, one, plane in zip(row[f"{kind}_vals_binned"], lines, planes, strict=True):
                counts = np.asarray(counts, float)
                if not counts.sum():
                    continue
                edges = np.linspace(*row[f"{kind}_bin_edges"], len(counts) + 1)
                group = group_of({"lines": one, "planes": plane})
                ax.stairs(100 * counts / counts.sum(), edges, color=GROUP_COLOURS[group], lw=0.9, alpha=0.8)
            ax.set_xlabel(label)
        line[0].set_ylabel("share of frames (%)")
    for ax, row in zip(grid[0], rows, strict=True):
        ax.set_title(f"session {row['sess_ns']}")
    for group, colour in GROUP_COLOURS.items():
        if group != "all":
            grid[0, 0].plot([], [], color=colour, label=group)
    grid[0, 0].legend(fontsize=6)
    return figure
