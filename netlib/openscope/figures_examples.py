"""Figures of the two-photon papers with traces, distributions, running and pupil, planes and masks of ROIs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from netlib.base.checks import check_choice
from netlib.figures.style import new_figure, styled
from netlib.openscope.figures import (
    GROUP_COLOURS,
    PLAIN,
    band,
    by_group,
    edge_labels,
    group_grid,
    group_of,
    least_p,
    rest_line,
    rows_of,
    stars,
)

__all__ = [
    "draw_behaviour_histograms",
    "draw_behaviour_traces",
    "draw_blocks",
    "draw_close_ups",
    "draw_example_responses",
    "draw_example_rois",
    "draw_full_session",
    "draw_imaging_planes",
    "draw_overlays",
    "draw_roi_correlations",
    "draw_roi_values",
    "draw_traces",
    "draw_tracking_examples",
]


#: What the two traces of each split are.
NAMES = {
    "by_exp": ("expected", "unexpected"),
    "unexp_lock": ("expected", "unexpected"),
    "exp_lock": ("unexpected", "expected"),
    "stim_onset": ("gray screen", "stimulus"),
    "stim_offset": ("stimulus", "gray screen"),
}


def _halves(time: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Times of the two traces: both around the event, or the first before it and the second after."""
    if split == "by_exp":
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
    split = check_choice("split", data["extrapar"].get("split", "by_exp"), NAMES)
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


# ---------------------------------------------------------------- distributions over ROIs, running and pupil


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
        rest_line(ax)
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


# ---------------------------------------------------------------- planes, and masks laid over each other


#: Colours of the sessions where masks overlap (Okabe & Ito).
SESSION_COLOURS = ("#E69F00", "#0072B2", "#009E73")


@styled
def draw_imaging_planes(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Maximum projections of example planes, one per group, each stretched between its 1st and 99.5th percentile.

    Parameters
    ----------
    data : mapping
        Panel with an ``imaging_plane_df`` that holds ``max_projections`` (rows, columns).
    figure : Figure, optional
        Draw into this.
    """
    rows = _by_group(rows_of(data, "max_projections"))
    figure = new_figure(2.1 * len(rows), 2.4, figure)
    for ax, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        _projection(ax, row["max_projections"])
        ax.set_title(f"{row['group']} (mouse {row['mouse_ns']})")
    return figure


def _by_group(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of the groups."""
    return [row for members in by_group(rows).values() for row in members]


def _projection(ax: Axes, image: Any) -> None:
    image = np.asarray(image, float)
    low, high = np.percentile(image, [1, 99.5])
    ax.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
    ax.set_axis_off()


def _footprints(indices: Sequence[Sequence[int]], shape: Sequence[int]) -> np.ndarray:
    """Pixels (sessions, rows, columns) that belong to a mask, from indices (session, row, column)."""
    session, row, column = (np.asarray(i, int) for i in indices)
    inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2])
    out = np.zeros((int(session.max(initial=0)) + 1, *shape[1:]), bool)
    out[session[inside], row[inside], column[inside]] = True
    return out


def _blend(footprints: np.ndarray) -> np.ndarray:
    """Masks of the sessions in their colours on white; where they overlap the colours multiply."""
    image = np.ones((*footprints.shape[1:], 3))
    for mask, colour in zip(footprints, SESSION_COLOURS, strict=False):
        tone = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        image[mask] *= 0.25 + 0.75 * tone
    return image


def _overlay(ax: Axes, indices: Any, shape: Any) -> int:
    footprints = _footprints(indices, shape)
    ax.imshow(_blend(footprints), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(True)
    return len(footprints)


def _window(row: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Part of the plane shown close up: (top, left, height, width) in px."""
    height, width = row["roi_mask_shapes"][1:3]
    part = row["crop_fact"]
    h, w = int(height / part), int(width / part)
    return int(row["shift_prop_hei"] * (height - h)), int(row["shift_prop_wid"] * (width - w)), h, w


def _session_legend(figure: Figure, names: Sequence[Any]) -> None:
    marks = [Patch(color=colour, label=f"session {n}") for n, colour in zip(names, SESSION_COLOURS, strict=False)]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))


@styled
def draw_overlays(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Masks of tracked ROIs of three sessions over each other, the close-up's frame if there is one; projections above.

    Parameters
    ----------
    data : mapping
        Panel with a ``roi_mask_df``: ``registered_roi_mask_idxs`` ((session, row, column), pixels) and
        ``roi_mask_shapes``; where it has ``registered_max_projections`` (sessions, rows, columns) these are drawn too.
    figure : Figure, optional
        Draw into this.
    """
    rows = _by_group(rows_of(data, "registered_roi_mask_idxs", "roi_mask_shapes", "sess_ns"))
    planes = "registered_max_projections" in rows[0]
    n = len(rows[0]["sess_ns"]) if planes else 0
    figure = new_figure(2.2 * len(rows), 2.5 + 2.1 * n, figure)
    grid = figure.subplots(1 + n, len(rows), squeeze=False)
    for column, row in zip(grid.T, rows, strict=True):
        _overlay(column[n], row["registered_roi_mask_idxs"], row["roi_mask_shapes"])
        title = f"{row['group']} (mouse {row['mouse_ns']})\n{_first(row['nrois'])} ROIs"
        if "crop_fact" in row:
            top, left, height, width = _window(row)
            column[n].add_patch(Rectangle((left, top), width, height, fill=False, lw=1, ec="black"))
        for ax, image, session in (
            zip(column[:n], row.get("registered_max_projections", ()), row["sess_ns"], strict=True) if n else ()
        ):
            _projection(ax, image)
            ax.set_title(f"session {session}")
        column[0].set_title(title + (f"\nsession {row['sess_ns'][0]}" if n else ""))
    _session_legend(figure, rows[0]["sess_ns"])
    return figure


@styled
def draw_close_ups(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Close-ups of the overlays of :func:`draw_overlays`: the part of the plane that the panel names.

    Parameters
    ----------
    data : mapping
        As for :func:`draw_overlays`, with ``crop_fact``, ``shift_prop_hei`` and ``shift_prop_wid``.
    figure : Figure, optional
        Draw into this.
    """
    rows = _by_group(rows_of(data, "registered_roi_mask_idxs", "roi_mask_shapes", "crop_fact", "sess_ns"))
    figure = new_figure(2.2 * len(rows), 2.6, figure)
    for ax, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        top, left, height, width = _window(row)
        _overlay(ax, row["registered_roi_mask_idxs"], row["roi_mask_shapes"])
        ax.set(xlim=(left - 0.5, left + width - 0.5), ylim=(top + height - 0.5, top - 0.5))
        ax.set_title(f"{row['group']} (mouse {row['mouse_ns']})")
    _session_legend(figure, rows[0]["sess_ns"])
    return figure


@styled
def draw_tracking_examples(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Tracked ROIs by the order of sessions that matches fewest and most, and their union.

    Parameters
    ----------
    data : mapping
        Panel with a ``roi_mask_df``: ``fewest_``, ``most_`` and ``union_registered_roi_mask_idxs`` and ``_n_tracked``,
        ``union_n_conflicts``, the order of sessions as ``fewest_sess_ns`` and ``most_sess_ns``.
    figure : Figure, optional
        Draw into this.
    """
    kinds = ("fewest", "most", "union")
    rows = rows_of(data, "roi_mask_shapes", *(f"{kind}_registered_roi_mask_idxs" for kind in kinds))
    figure = new_figure(2.5 * len(kinds), 2.9 * len(rows), figure)
    for line, row in zip(figure.subplots(len(rows), len(kinds), squeeze=False), rows, strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            _overlay(ax, row[f"{kind}_registered_roi_mask_idxs"], row["roi_mask_shapes"])
            text = f"{kind}: {_first(row[f'{kind}_n_tracked'])} ROIs"
            if kind == "union":
                text += f"\n({_first(row['union_n_conflicts'])} conflicts removed)"
            else:
                text += "\nsessions " + ", ".join(map(str, row[f"{kind}_sess_ns"]))
            ax.set_title(text)
    _session_legend(figure, row["sess_ns"])
    return figure


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value
