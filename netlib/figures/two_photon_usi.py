"""The index of unexpected-event selectivity (USI) in the two-photon papers: nulls, percentiles, ROIs over sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import GROUP_COLOURS, NULL, PLAIN, by_group, edge_labels, group_grid, rows_of, stars

__all__ = ["draw_null", "draw_percentiles", "draw_tracked", "draw_usi_scatter"]


def _edges(row: Mapping[str, Any], column: str, ends: Any = None) -> np.ndarray:
    """Edges of the bins of a stored histogram: first and last are stored, or all."""
    edges = np.asarray(row["bin_edges"] if ends is None else ends, float)
    n = len(row[column])
    return edges if len(edges) == n + 1 else np.linspace(edges[0], edges[-1], n + 1)


@styled
def draw_null(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """USI of one ROI over its distribution under shuffled labels, the tails beyond 2.5 % in colour.

    Parameters
    ----------
    data : mapping
        Panel with an ``ex_idx_df``: ``rand_idx_binned``, ``bin_edges``, ``CI_edges``, ``roi_idxs``, ``roi_idx_percs``.
    figure : Figure, optional
        Draw into this.
    """
    row = rows_of(data, "rand_idx_binned", "bin_edges", "CI_edges", "roi_idxs", "roi_idx_percs")[0]
    figure = new_figure(3.6, 2.7, figure)
    ax = figure.add_subplot()
    colour = GROUP_COLOURS[row["group"]]
    _null_histogram(ax, row)
    ax.axvline(row["roi_idxs"], color=colour, lw=2)
    ax.annotate(
        f"USI {row['roi_idxs']:.2f}\n(percentile {row['roi_idx_percs']:.1f})", (row["roi_idxs"], 0.97),
        (4, 0), xycoords=ax.get_xaxis_transform(), textcoords="offset points", va="top", fontsize=8, color=colour,
    )  # fmt: skip
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, row["roi_idxs"]), max(high, row["roi_idxs"] + 0.55 * (high - low) / 2))
    ax.set(xlabel="USI", ylabel="share of shuffles (%)")
    ax.set_title(f"{row['group']}, mouse {_one(row['mouse_ns'])}, ROI {row['roi_ns']}")
    return figure


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _null_histogram(ax: Axes, row: Mapping[str, Any]) -> None:
    edges = _edges(row, "rand_idx_binned")
    ax.stairs(100 * np.asarray(row["rand_idx_binned"]), edges, fill=True, color=NULL, alpha=0.8)
    for edge in row["CI_edges"]:
        ax.axvline(edge, color=PLAIN, lw=0.9, ls="--")


@styled
def draw_percentiles(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Distributions of USIs against shuffles (top), and of the percentiles of the ROIs (bottom), for each group.

    Parameters
    ----------
    data : mapping
        Panel with an ``idx_df``: ``roi_idx_binned``, ``rand_idx_binned``, ``perc_idx_binned``, ``bin_edges``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "roi_idx_binned", "rand_idx_binned", "perc_idx_binned", "bin_edges", "CI_perc")
    figure = new_figure(2.1 * len(rows) + 0.4, 4.0, figure)
    grid = figure.subplots(2, len(rows), sharey="row", squeeze=False)
    members = [member for group in by_group(rows).values() for member in group]
    for (top, bottom), row in zip(grid.T, members, strict=True):
        colour = GROUP_COLOURS[row["group"]]
        _null_histogram(top, row)
        top.stairs(100 * np.asarray(row["roi_idx_binned"]), _edges(row, "roi_idx_binned"), color=colour, lw=1.4)
        top.set(title=row["group"], xlabel="USI")
        percent = 100 * np.asarray(row["perc_idx_binned"])
        edges = _edges(row, "perc_idx_binned", (0, 100))
        bottom.stairs(percent, edges, color=colour, fill=True, alpha=0.35)
        bottom.stairs(percent, edges, color=colour, lw=1.0)
        bottom.axhline(100 / len(percent), color=PLAIN, lw=0.9, ls=":")
        for edge in row["CI_perc"]:
            bottom.axvline(edge, color=PLAIN, lw=0.9, ls="--")
        n = sum(row["nrois"]) if isinstance(row["nrois"], list) else row["nrois"]
        text = f"{100 * row['n_signif_lo'] / n:.1f} % low\n{100 * row['n_signif_hi'] / n:.1f} % high"
        bottom.text(0.5, 0.97, text, transform=bottom.transAxes, ha="center", va="top", fontsize=7)
        bottom.set(xlabel="percentile of USI\namong shuffles", xticks=[0, 50, 100])
    grid[0, 0].set_ylabel("ROIs (line),\nshuffles (grey) (%)")
    grid[1, 0].set_ylabel("ROIs (%)")
    return figure


@styled
def draw_tracked(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """USI of every tracked ROI over the sessions, one line each, and their mean as a thick line.

    Parameters
    ----------
    data : mapping
        Panel with an ``idx_only_df``: one row per mouse and session, ``roi_idxs`` in the same order in each session.
    figure : Figure, optional
        Draw into this.
    """
    groups = by_group(rows_of(data, "roi_idxs", "mouse_ns", "sess_ns"))
    figure, axes = group_grid(list(groups), figure, size=(2.6, 2.4))
    for group, members in groups.items():
        ax, pooled = axes[group], []
        sessions = sorted({row["sess_ns"] for row in members})
        for mouse in dict.fromkeys(row["mouse_ns"] for row in members):
            own = sorted((row for row in members if row["mouse_ns"] == mouse), key=lambda row: row["sess_ns"])
            if [row["sess_ns"] for row in own] != sessions:
                continue  # without all sessions there is no line
            pooled.append(np.array([row["roi_idxs"] for row in own], float))
        values = np.concatenate(pooled, axis=1)
        for line in ax.plot(sessions, values, color=GROUP_COLOURS[group], lw=0.4, alpha=0.3):
            line.set_rasterized(values.shape[1] > 300)
        ax.plot(sessions, np.nanmean(values, axis=1), color="black", lw=2, marker="o", ms=4)
        ax.axhline(0, color="0.5", lw=0.7, ls=":", zorder=0)
        ax.text(0.98, 0.98, f"{values.shape[1]} ROIs", transform=ax.transAxes, ha="right", va="top", fontsize=7)
        ax.set_xticks(sessions)
    edge_labels(axes.values(), x="session", y="USI")
    return figure


@styled
def draw_usi_scatter(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """USI of tracked ROIs in one session against the next, over the density of shuffled pairs, with the regression.

    Parameters
    ----------
    data : mapping
        Panel with an ``idx_corr_df``: ``corr_data_xs``, ``corr_data_ys``, ``binned_rand_stats`` (x, y), ``x_bin_mids``,
        ``y_bin_mids``, ``corrs``, ``regr_coefs``, ``regr_intercepts``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "corr_data_xs", "corr_data_ys", "binned_rand_stats", "x_bin_mids", "y_bin_mids", "corrs")
    figure, axes = group_grid([row["group"] for row in rows], figure, size=(2.6, 2.5), share=(False, False))
    for row in rows:
        ax, group = axes[row["group"]], row["group"]
        x, y = np.asarray(row["corr_data_xs"], float), np.asarray(row["corr_data_ys"], float)
        mids = np.asarray(row["x_bin_mids"], float), np.asarray(row["y_bin_mids"], float)
        ax.pcolormesh(*mids, np.asarray(row["binned_rand_stats"], float).T, cmap="Greys", alpha=0.7, rasterized=True)
        ax.scatter(x, y, s=6, color=GROUP_COLOURS[group], alpha=0.6, lw=0, rasterized=len(x) > 2000)
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, row["regr_intercepts"] + row["regr_coefs"] * ends, color="black", lw=1.2)
        ax.text(
            0.03,
            0.97,
            f"r = {row['corrs']:.2f} {stars(row.get('p_vals'))}",
            transform=ax.transAxes,
            va="top",
            fontsize=8,
        )
        ax.axhline(0, color="0.5", lw=0.6, ls=":")
        ax.axvline(0, color="0.5", lw=0.6, ls=":")
    first, second = rows[0]["sess_ns"]
    edge_labels(axes.values(), x=f"USI in session {first}", y=f"USI in session {second}")
    return figure
