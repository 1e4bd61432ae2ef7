"""Figures of the two-photon papers with points, indices and scores, and what all their figures share.

A panel is drawn from a dictionary in the layout of the published data files: one table ``<name>_df`` as
``{column: {row: value}}``, and the parameters it was made with. Nothing is computed from recordings here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_type
from netlib.figures.style import new_figure, styled
from netlib.openscope.metadata import GROUPS, group_name

__all__ = [
    "GROUP_COLOURS",
    "PLAIN",
    "SCORE",
    "draw_changes",
    "draw_correlations",
    "draw_null",
    "draw_percent_significant",
    "draw_percentiles",
    "draw_points",
    "draw_score_timecourses",
    "draw_scores",
    "draw_thirds",
    "draw_tracked",
    "draw_usi_scatter",
    "group_grid",
    "group_of",
    "least_p",
    "rows_of",
    "stars",
    "table_name",
]


#: Colours of the groups, from Okabe & Ito: blue for layer 2/3, orange for layer 5, the lighter the dendrites.
GROUP_COLOURS = {"L2/3-D": "#56B4E9", "L2/3-S": "#0072B2", "L5-D": "#E69F00", "L5-S": "#D55E00", "all": "#000000"}
#: Colour of what is expected, and of nulls.
PLAIN, NULL = "#555555", "#BBBBBB"
#: Height of a bracket with its stars, as a share of the axes.
BRACKET = 0.075
MARKS = {"L2/3-D": "o", "L2/3-S": "s", "L5-D": "^", "L5-S": "D", "all": "P"}


def table_name(data: Mapping[str, Any]) -> str:
    """Name of the one table in the data of a panel.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    names = [name for name in check_type("data", data, Mapping) if name.endswith("_df")]
    if len(names) != 1:
        raise ValueError(f"data of a panel must hold one table, named ..._df; it holds {names} among {sorted(data)}")
    return names[0]


def rows_of(data: Mapping[str, Any], *needed: str) -> list[dict[str, Any]]:
    """Rows of the table of a panel, each a dictionary, with the group added where line and plane say it.

    Parameters
    ----------
    data : mapping
        Data of a panel.
    *needed : str
        Columns that must be there.

    Raises
    ------
    ValueError
        If a column is missing or the table is empty.
    """
    name = table_name(data)
    table = data[name]
    missing = [column for column in needed if column not in table]
    if missing:
        raise ValueError(f"table {name!r} lacks the columns {missing}; it has {sorted(table)}")
    keys = sorted(next(iter(table.values()), {}), key=int)
    if not keys:
        raise ValueError(f"table {name!r} has no rows")
    rows = [{column: values[key] for column, values in table.items()} for key in keys]
    return [{**row, "group": group_of(row)} for row in rows]


def group_of(row: Mapping[str, Any]) -> str:
    """Group of a row, such as ``"L2/3-D"``, or ``"all"`` where it pools groups.

    Examples
    --------
    >>> group_of({"lines": "L5-Rbp4", "planes": "soma"})
    'L5-S'
    """
    line, plane = row.get("lines"), row.get("planes")  # lists where a row pools groups
    return (isinstance(line, str) and group_name(line, plane)) or "all"


def by_group(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of each group that has some, groups in the order of the papers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["group"], []).append(row)
    return {group: found[group] for group in (*GROUPS, "all") if group in found}


def least_p(data: Mapping[str, Any]) -> float:
    """Smallest corrected p-value that the permutations of a panel can tell from 0: tails × comparisons / number.

    Published p-values can be 0, which of few permutations means little.

    Examples
    --------
    >>> least_p({"permpar": {"n_perms": 1000, "multcomp": 24, "tails": 2}})
    0.048
    """
    permpar = data.get("permpar")
    if not permpar:
        return 0.0
    return (2 if permpar["tails"] == 2 else 1) * max(int(permpar["multcomp"]), 1) / permpar["n_perms"]


def stars(p: float | None, least: float = 0.0) -> str:
    """Stars of a p-value: three below 0.001, two below 0.01, one below 0.05; of ``least`` if the p-value is lower.

    Examples
    --------
    >>> stars(0.0), stars(0.02), stars(0.5), stars(float("nan")), stars(0.0, 0.02)
    ('***', '*', '', '', '*')
    """
    if p is None or p != p:
        return ""
    return "*" * sum(max(p, least) < level for level in (0.05, 0.01, 0.001))


def group_grid(
    groups: Sequence[str],
    figure: Figure | None = None,
    *,
    size: tuple[float, float] = (2.4, 2.2),
    share: tuple[Any, Any] = (True, True),
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one axes per group, laid out by layer (rows) and compartment (columns).

    Parameters
    ----------
    groups : sequence of str
        Groups there are.
    figure : Figure, optional
        Draw into this.
    size : (float, float)
        Width and height of one axes (inches).
    share : (x, y)
        Axes shared, as in ``Figure.subplots``.

    Returns
    -------
    (Figure, dict of Axes)
    """
    whole = set(groups) <= set(GROUPS) and len(groups) > 2
    names, shape = (GROUPS, (2, 2)) if whole else (tuple(groups), (1, len(groups)))
    figure = new_figure(size[0] * shape[1], size[1] * shape[0] + 0.3, figure)
    grid = figure.subplots(*shape, sharex=share[0], sharey=share[1], squeeze=False)
    axes = dict(zip(names, grid.flat, strict=True))
    for name, ax in axes.items():
        ax.set_title(name)
        ax.set_visible(name in groups)
    return figure, axes


def edge_labels(axes: Iterable[Axes], x: str = "", y: str = "") -> None:
    """Label the outer axes only: those of the last row and of the first column."""
    for ax in axes:
        place = ax.get_subplotspec()
        if x and place.is_last_row():
            ax.set_xlabel(x)
        if y and place.is_first_col():
            ax.set_ylabel(y)


def rest_line(ax: Axes, y: float = 0.0) -> None:
    """A dotted line at the level of no effect."""
    ax.axhline(y, color="0.5", lw=0.7, ls=":", zorder=0)


def band(ax: Axes, x: np.ndarray, y: np.ndarray, error: np.ndarray, colour: str, **line: Any) -> None:
    """A line with its error as a band."""
    ax.plot(x, y, color=colour, lw=line.pop("lw", 1.2), **line)
    ax.fill_between(x, y - error, y + error, color=colour, alpha=0.25, lw=0)


def null_bar(ax: Axes, x: float, interval: Sequence[float], width: float = 0.5) -> None:
    """The interval of a null distribution as a grey bar, its median as a line."""
    low, middle, high = interval
    if not np.isfinite(low):
        low = 2 * middle - high
    if not np.isfinite(high):
        high = 2 * middle - low
    ax.bar(x, high - low, width, bottom=low, color=NULL, alpha=0.6, lw=0, zorder=0, gid="null")
    ax.hlines(middle, x - width / 2, x + width / 2, color="#888888", lw=0.8, zorder=0.5)


def brackets(ax: Axes, found: Sequence[tuple[float, float, str, str]], levels: int) -> None:
    """Stars over pairs of x positions, in the top part of the axes that :func:`head_room` keeps free.

    Parameters
    ----------
    ax : Axes
        Where.
    found : sequence of (left, right, text, colour)
        What to draw, the lowest first.
    levels : int
        Brackets that must fit above each other.
    """
    transform = ax.get_xaxis_transform()
    for level, (left, right, text, colour) in enumerate(found):
        y = 1 - (levels - level) * BRACKET
        line = ax.plot(
            [left, left, right, right], [y - 0.015, y, y, y - 0.015], transform=transform, color=colour, lw=0.8
        )
        line[0].set_gid("bracket")
        ax.text(
            (left + right) / 2, y - 0.018, text, transform=transform, ha="center", va="bottom", fontsize=7, color=colour
        )


def head_room(axes: Iterable[Axes], levels: int) -> None:
    """Stretch the y axis upwards so that brackets at some levels have no data below them."""
    share = min(0.7, levels * BRACKET + 0.08) if levels else 0.0
    for ax in axes:
        low, high = ax.get_ylim()
        ax.set_ylim(low, low + (high - low) / (1 - share))


# ---------------------------------------------------------------- points with errors


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
            rest_line(axes[group], rest)
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


def _session_axis(axes: Mapping[str, Axes], rows: Sequence[Mapping[str, Any]]) -> Axes:
    """Sessions along x; the axes are shared, and the first is returned."""
    first, sessions = next(iter(axes.values())), sorted({row["sess_ns"] for row in rows})
    first.set_xticks(sessions)
    first.set_xlim(sessions[0] - 0.6, sessions[-1] + 0.6)
    return first


def _finish_sessions(
    axes: Mapping[str, Axes],
    rows: Sequence[Mapping[str, Any]],
    label: str,
    found: Mapping[str, Sequence[tuple[float, float, str, str]]],
) -> None:
    """Sessions along x, labels at the edges, brackets with room for them."""
    first = _session_axis(axes, rows)
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
        rest_line(ax)
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
        rest_line(ax)
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


# ---------------------------------------------------------------- USI: nulls, percentiles, tracked ROIs


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
        rest_line(ax)
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
        text = f"r = {row['corrs']:.2f} {stars(row.get('p_vals'))}"
        ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=8)
        ax.axhline(0, color="0.5", lw=0.6, ls=":")
        ax.axvline(0, color="0.5", lw=0.6, ls=":")
    first, second = rows[0]["sess_ns"]
    edge_labels(axes.values(), x=f"USI in session {first}", y=f"USI in session {second}")
    return figure


# ---------------------------------------------------------------- decoding scores


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
        rest_line(ax, CHANCE)
    first = _session_axis(axes, rows)
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
