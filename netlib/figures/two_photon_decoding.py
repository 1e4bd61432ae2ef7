"""Decoding scores of the two-photon papers: by session, and frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import (
    GROUP_COLOURS,
    MARKS,
    NULL,
    PLAIN,
    band,
    by_group,
    edge_labels,
    group_grid,
    least_p,
    null_bar,
    rows_of,
    stars,
)  # fmt: skip

__all__ = ["SCORE", "draw_score_timecourses", "draw_scores"]

#: The score of the papers.
SCORE = "balanced_accuracy"
CHANCE = 25.0


@styled
def draw_scores(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Balanced accuracy on held-out trials (%) by session, over the null interval, one axes per group.

    Parameters
    ----------
    data : mapping
        Panel with a ``scores_df``: ``test_balanced_accuracy_stat``, ``_err``, ``_null_CIs`` and ``_p_vals``.
    figure : Figure, optional
        Draw into this.
    """
    name = f"test_{SCORE}"
    rows = rows_of(data, f"{name}_stat", f"{name}_err", f"{name}_null_CIs", f"{name}_p_vals", "sess_ns")
    figure, axes = group_grid(list(by_group(rows)), figure)
    sessions = sorted({row["sess_ns"] for row in rows})
    for group, members in by_group(rows).items():
        ax, members = axes[group], sorted(members, key=lambda row: row["sess_ns"])
        score = [100 * row[f"{name}_stat"] for row in members]
        ax.plot([row["sess_ns"] for row in members], score, color=GROUP_COLOURS[group], lw=0.8, alpha=0.6)
        for row, value in zip(members, score, strict=True):
            null_bar(ax, row["sess_ns"], [100 * edge for edge in row[f"{name}_null_CIs"]])
            error = 100 * row[f"{name}_err"]
            ax.errorbar(row["sess_ns"], value, error, fmt=MARKS[group], color=GROUP_COLOURS[group], ms=5, lw=1.3)
            above = row[f"{name}_stat"] > row[f"{name}_null_CIs"][1]  # published p-values are folded
            text = stars(row[f"{name}_p_vals"], least_p(data)) if above else ""
            ax.annotate(text, (row["sess_ns"], value + np.nan_to_num(error)), (0, 1), textcoords="offset points",
                        ha="center", va="bottom", fontsize=8)  # fmt: skip
        ax.axhline(CHANCE, color="0.5", lw=0.7, ls=":", zorder=0)
    first = next(iter(axes.values()))
    first.set_xticks(sessions)
    first.set_xlim(sessions[0] - 0.6, sessions[-1] + 0.6)
    first.set_ylim(0, max(105 * max(row[f"{name}_stat"] + np.nan_to_num(row[f"{name}_err"]) for row in rows) + 5, 60))
    edge_labels(axes.values(), x="session")
    figure.supylabel(f"balanced accuracy, {_target(rows[0]['comp'])} (%)", fontsize=9)
    return figure


def _target(comp: str) -> str:
    """What a decoder decodes, in words.

    Examples
    --------
    >>> _target("Dori")
    'orientation of D'
    """
    return f"orientation of {comp.removesuffix('ori')}"


@styled
def draw_score_timecourses(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Balanced accuracy (%) of a decoder of each frame: groups in columns, what is decoded in rows.

    Parameters
    ----------
    data : mapping
        Panel with a ``scores_df`` whose scores are lists over ``time_values`` (s). Frames whose corrected p-value is
        below 0.05 have a dot above.
    figure : Figure, optional
        Draw into this.
    """
    name = f"test_{SCORE}"
    rows = rows_of(data, f"{name}_stat", f"{name}_err", f"{name}_null_CIs", f"{name}_p_vals", "time_values", "comp")
    groups, targets = by_group(rows), list(dict.fromkeys(row["comp"] for row in rows))
    figure = new_figure(2.2 * len(groups) + 0.5, 1.9 * len(targets) + 0.4, figure)
    grid = figure.subplots(len(targets), len(groups), sharex=True, sharey=True, squeeze=False)
    for column, (group, members) in enumerate(groups.items()):
        for row in members:
            ax = grid[targets.index(row["comp"]), column]
            time = np.asarray(row["time_values"], float)
            score, error = (100 * np.asarray(row[f"{name}_{what}"], float) for what in ("stat", "err"))
            null = 100 * np.asarray(row[f"{name}_null_CIs"], float)
            low = np.where(np.isfinite(null[:, 0]), null[:, 0], null[:, 1])
            ax.fill_between(time, low, null[:, 2], color=NULL, alpha=0.6, lw=0, zorder=0)
            ax.plot(time, null[:, 1], color="#888888", lw=0.8)
            band(ax, time, score, np.nan_to_num(error), GROUP_COLOURS[group])
            found = (np.asarray(row[f"{name}_p_vals"], float) < 0.05) & (score > null[:, 1])
            ax.scatter(time[found], np.full(found.sum(), 0.95), s=3, color=PLAIN, transform=ax.get_xaxis_transform())
            ax.axvline(0, color="0.6", lw=0.8, zorder=0)
        grid[0, column].set_title(group)
    for line, target in zip(grid, targets, strict=True):
        line[0].set_ylabel(f"{_target(target)}:\nbalanced accuracy (%)")
    edge_labels(grid.flat, x="time (s)")
    return figure
