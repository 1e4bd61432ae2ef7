"""What the figures of the two-photon papers share: groups and their colours, tables as stored, stars, null intervals.

A panel is drawn from a dictionary in the layout of the published data files: one table ``<name>_df`` as
``{column: {row: value}}``, and the parameters it was made with. Nothing is computed from recordings here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.figures.style import new_figure
from netlib.units import check_type

__all__ = ["GROUPS", "GROUP_COLOURS", "PLAIN", "group_grid", "group_of", "least_p", "rows_of", "stars", "table_name"]

#: The groups of the papers, in their order: layer and compartment (dendrites, somata).
GROUPS = ("L2/3-D", "L2/3-S", "L5-D", "L5-S")
#: Colours of the groups, from Okabe & Ito: blue for layer 2/3, orange for layer 5, the lighter the dendrites.
GROUP_COLOURS = {"L2/3-D": "#56B4E9", "L2/3-S": "#0072B2", "L5-D": "#E69F00", "L5-S": "#D55E00", "all": "#000000"}
#: Colour of what is expected, and of nulls.
PLAIN, NULL = "#555555", "#BBBBBB"
LAYERS = {"L23-Cux2": "L2/3", "L5-Rbp4": "L5"}
PLANES = {"dend": "D", "soma": "S"}
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
    line, plane = row.get("lines"), row.get("planes")
    if isinstance(line, str) and line in LAYERS and plane in PLANES:
        return f"{LAYERS[line]}-{PLANES[plane]}"
    return "all"


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
    if whole:
        names = GROUPS
        shape = (2, 2)
    else:
        names, shape = tuple(groups), (1, len(groups))
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
