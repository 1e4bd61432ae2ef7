"""Points with errors of the two-photon papers: differences, relative responses, indices, changes, correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import (
    GROUP_COLOURS,
    MARKS,
    PLAIN,
    brackets,
    by_group,
    edge_labels,
    group_grid,
    head_room,
    least_p,
    null_bar,
    rows_of,
    stars,
)  # fmt: skip

__all__ = ["draw_changes", "draw_correlations", "draw_percent_significant", "draw_points", "draw_thirds"]

#: Columns of mean and error that may be drawn, their labels, the prefix of their p-values, and their level of rest.
SERIES = {
    "diff_stats": ("unexpected − expected ΔF/F (scaled, integrated)", "", 0.0),
    "rel_reg": ("response relative to session 1", "rel_reg_", 1.0),
    "rel_exp": ("response relative to session 1", "rel_exp_", 1.0),
    "rel_unexp": ("response relative to session 1", "rel_unexp_", 1.0),
    "abs_roi_idx_stats": ("mean |USI|", "", None),
    "roi_idx_stats": ("variance of USI", "", None),
}
#: Columns of what was expected, drawn in grey.
EXPECTED = ("rel_reg", "rel_exp")
SERIES_NAMES = {"rel_reg": "expected (A, B, C)", "rel_exp": "expected", "rel_unexp": "unexpected (colour of the group)"}


def _point(ax: Axes, x: float, value: Sequence[float], group: str, **style: Any) -> None:
    """One mean with its error."""
    colour = style.pop("color", GROUP_COLOURS[group])
    ax.errorbar(x, value[0], value[1], fmt=style.pop("fmt", MARKS[group]), color=colour, ms=5, lw=1.3, capsize=0,
                **style)  # fmt: skip


def _star_point(ax: Axes, x: float, value: Sequence[float], p: float | None, least: float = 0.0) -> None:
    """Stars above a point."""
    if stars(p, least):
        ax.annotate(stars(p, least), (x, value[0] + (value[1] or 0)), (0, 1), textcoords="offset points", ha="center",
                    va="bottom", fontsize=8)  # fmt: skip


def _found(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], least: float
) -> list[tuple[float, float, str, str]]:
    """Brackets over the pairs of sessions that differ, in grey those of what was expected; short ones first."""
    sessions = sorted({row["sess_ns"] for row in rows})
    pairs = sorted(combinations(sessions, 2), key=lambda pair: pair[1] - pair[0])
    found = []
    for column, (first, second) in product(columns, pairs):
        row = next(row for row in rows if row["sess_ns"] == first)
        text = stars(row.get(f"{SERIES[column][1]}p_vals_{first}v{second}"), least)
        if text:
            found.append((first, second, text, PLAIN if column in EXPECTED else "black"))
    return found


@styled
def draw_points(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Mean and error by session, one axes per group, with null intervals and stars where the panel has them.

    Parameters
    ----------
    data : mapping
        Panel of differences (``diff_stats``), relative responses (``rel_reg`` or ``rel_exp``, and ``rel_unexp``) or
        indices (``abs_roi_idx_stats``, ``roi_idx_stats``), each (mean, error); rows are groups × sessions, or
        mice × sessions, which are joined by lines. Stars: corrected p-values, between sessions over brackets.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "sess_ns", "mouse_ns")
    columns = [column for column in SERIES if column in rows[0]]
    if not columns:
        raise ValueError(f"the table holds none of the columns {', '.join(SERIES)}")
    groups = by_group(rows)
    figure, axes = group_grid(list(groups), figure)
    label, _, rest = SERIES[columns[0]]
    found = {}
    for group, members in groups.items():
        mice = list(dict.fromkeys(str(row["mouse_ns"]) for row in members))
        found[group] = _found(members, columns, least_p(data)) if len(mice) == 1 else []
        for (k, column), (m, mouse) in product(enumerate(columns), enumerate(mice)):
            own = sorted((r for r in members if str(r["mouse_ns"]) == mouse), key=lambda r: r["sess_ns"])
            shift = (k - (len(columns) - 1) / 2) * 0.14 + (m - (len(mice) - 1) / 2) * 0.1
            name = f"mouse {mouse}" if len(mice) > 1 else SERIES_NAMES.get(column, "")
            _series(axes[group], own, column, shift, name, least_p(data))
        if len(mice) > 1:
            axes[group].legend(fontsize=6, loc="upper right")
        if rest is not None:
            axes[group].axhline(rest, color="0.5", lw=0.7, ls=":", zorder=0)
    _finish_sessions(axes, rows, label, found)
    if len(columns) > 1:
        handles, labels = axes[next(iter(groups))].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def _series(ax: Axes, rows: Sequence[Mapping[str, Any]], column: str, shift: float, name: str, least: float) -> None:
    """Points of one column over sessions, joined by a thin line."""
    group = rows[0]["group"]
    plain = column in EXPECTED
    colour = PLAIN if plain else GROUP_COLOURS[group]
    x = [row["sess_ns"] + shift for row in rows]
    ax.plot(x, [row[column][0] for row in rows], color=colour, lw=0.8, alpha=0.6, ls="--" if plain else "-")
    for place, row in zip(x, rows, strict=True):
        if "null_CIs" in row:
            null_bar(ax, place, row["null_CIs"])
        mark = {"fmt": "v"} if plain else {}
        _point(ax, place, row[column], group, color=colour, label=name if row is rows[0] else None, **mark)
        if column == "diff_stats":
            _star_point(ax, place, row[column], row.get("p_vals"), least)


def _finish_sessions(
    axes: Mapping[str, Axes],
    rows: Sequence[Mapping[str, Any]],
    label: str,
    found: Mapping[str, Sequence[tuple[float, float, str, str]]],
) -> None:
    """Sessions along x, labels at the edges, brackets with room for them."""
    first, sessions = next(iter(axes.values())), sorted({row["sess_ns"] for row in rows})
    first.set_xticks(sessions)
    first.set_xlim(sessions[0] - 0.6, sessions[-1] + 0.6)
    edge_labels(axes.values(), x="session")
    first.figure.supylabel(label, fontsize=9)
    levels = max(map(len, found.values()), default=0)
    head_room([first], levels)
    for group, some in found.items():
        brackets(axes[group], some, levels)


@styled
def draw_thirds(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Differences in the early and the late third of each session, joined, one axes per group.

    Parameters
    ----------
    data : mapping
        Panel with ``third_0_diff_stats`` and ``third_2_diff_stats`` (mean, error) and ``p_vals_0v2``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data, "third_0_diff_stats", "third_2_diff_stats", "sess_ns")
    figure, axes = group_grid(list(by_group(rows)), figure)
    for row in rows:
        ax, x = axes[row["group"]], row["sess_ns"]
        ends = (x - 0.18, x + 0.18)
        values = (row["third_0_diff_stats"], row["third_2_diff_stats"])
        ax.plot(ends, [v[0] for v in values], color=GROUP_COLOURS[row["group"]], lw=1)
        _point(ax, ends[0], values[0], row["group"], mfc="white", label="early third" if row is rows[0] else None)
        _point(ax, ends[1], values[1], row["group"], label="late third" if row is rows[0] else None)
        higher = max(values, key=sum)
        _star_point(ax, x, higher, row.get("p_vals_0v2"), least_p(data))
    for ax in axes.values():
        ax.axhline(0, color="0.5", lw=0.7, ls=":", zorder=0)
    _finish_sessions(axes, rows, SERIES["diff_stats"][0], {})
    handles, labels = axes[rows[0]["group"]].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


@styled
def draw_changes(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Change from the first to the last session of the response to Gabors and to visual flow, for each group.

    Parameters
    ----------
    data : mapping
        Panel with ``gabors`` and ``visflow`` (change, error) and ``p_vals``, one row per group and one for all.
    figure : Figure, optional
        Draw into this.
    """
    groups = by_group(rows_of(data, "gabors", "visflow"))
    what = {"usis": "mean |USI|", "rel_unexp_resp": "unexpected response"}.get(
        data["extrapar"].get("datatype"), "value"
    )
    first, last = data["extrapar"].get("comp_sess", (1, 3))
    figure = new_figure(1.3 * len(groups) + 0.8, 3.2, figure)
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for ax, (group, members) in zip(axes, groups.items(), strict=True):
        row = members[0]
        values = (row["gabors"], row["visflow"])
        ax.plot([0, 1], [v[0] for v in values], color=GROUP_COLOURS[group], lw=0.8, alpha=0.6)
        for x, value in enumerate(values):
            _point(ax, x, value, group)
        if stars(row.get("p_vals"), least_p(data)):
            brackets(ax, [(0, 1, stars(row["p_vals"], least_p(data)), "black")], 1)
        ax.set_title(group)
        ax.set(xlim=(-0.5, 1.5), xticks=[0, 1], xticklabels=["Gabors", "flow"])
    axes[0].set_ylabel(f"change of {what}\n(|relative|, session {first} to {last})")
    axes[0].set_ylim(0, None)
    head_room(axes[:1], 1)
    return figure


@styled
def draw_correlations(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Correlation of USIs of the same ROIs between sessions, over the null interval, one axes per group.

    Parameters
    ----------
    data : mapping
        Panel with, for each pair such as ``1v2``: ``1v2_corrs``, ``1v2_corr_stds``, ``1v2_null_CIs``, ``1v2_p_vals``.
    figure : Figure, optional
        Draw into this.
    """
    rows = rows_of(data)
    pairs = [column.removesuffix("_corrs") for column in rows[0] if column.endswith("_corrs")]
    if not pairs:
        raise ValueError("the table holds no column of correlations, such as '1v2_corrs'")
    figure, axes = group_grid([row["group"] for row in rows], figure)
    for row in rows:
        ax = axes[row["group"]]
        for x, pair in enumerate(pairs):
            null_bar(ax, x, row[f"{pair}_null_CIs"])
            value = (row[f"{pair}_corrs"], row[f"{pair}_corr_stds"])
            _point(ax, x, value, row["group"])
            _star_point(ax, x, value, row[f"{pair}_p_vals"], least_p(data))
        ax.axhline(0, color="0.5", lw=0.7, ls=":", zorder=0)
    first = next(iter(axes.values()))
    first.set_xticks(range(len(pairs)), [f"{a} and {b}" for a, b in (pair.split("v") for pair in pairs)])
    first.set_xlim(-0.6, len(pairs) - 0.4)
    edge_labels(axes.values(), x="sessions")
    figure.supylabel("correlation of USI", fontsize=9)
    return figure


@styled
def draw_percent_significant(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Percent of ROIs with a significantly low and high USI, over null intervals; by group or by mouse.

    Parameters
    ----------
    data : mapping
        Panel with ``perc_sig_lo_idxs`` and ``perc_sig_hi_idxs``, their ``_stds``, ``_null_CIs`` and ``_p_vals``.
    figure : Figure, optional
        Draw into this.
    """
    tails = {"low": "perc_sig_lo_idxs", "high": "perc_sig_hi_idxs"}
    rows = rows_of(data, *tails.values())
    groups = by_group(rows)
    figure = new_figure(1.5 * len(groups) + 0.35 * len(rows), 3.0, figure)
    widths = [len(members) + 1 for members in groups.values()]
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False, width_ratios=widths)[0]
    for ax, (group, members) in zip(axes, groups.items(), strict=True):
        for k, column in enumerate(tails.values()):
            for m, row in enumerate(members):
                x = k * (len(members) + 0.4) + m
                value = (row[column], row[f"{column}_stds"])
                null_bar(ax, x, row[f"{column}_null_CIs"], 0.8)
                _point(ax, x, value, group)
                _star_point(ax, x, value, row[f"{column}_p_vals"])
                if len(members) > 1:
                    ax.text(x, 0.01, f"m{row['mouse_ns']}", transform=ax.get_xaxis_transform(), fontsize=6,
                            ha="center", va="bottom", color="0.35")  # fmt: skip
        middle = (len(members) - 1) / 2
        ax.set_xticks([middle, middle + len(members) + 0.4], list(tails))
        ax.set_xlim(-0.8, 2 * len(members) + 0.2)
        ax.set_title(group)
        ax.set_xlabel("tail")
    low = axes[0].get_ylim()[1] * (-0.08 if len(rows) > len(groups) else 0)
    axes[0].set_ylim(low, axes[0].get_ylim()[1] * 1.06)
    axes[0].set_ylabel("ROIs with a significant USI (%)")
    return figure
