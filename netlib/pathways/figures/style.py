"""What the figures of the two striatal pathways share: colours, marks, matrices with numbers, checks of tables.

No figure computes a result: they draw arrays and tables that the analysis made. A mean drawn over points is the mean of
the points shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from netlib.base.checks import check_type
from netlib.figures.style import PALETTE

__all__ = [
    "BEHAVIOUR_COLOURS",
    "CLUSTER_COLOURS",
    "CLUSTER_MARKS",
    "GROUP_COLOURS",
    "MOUSE_MARKS",
    "PATHWAY_COLOURS",
    "PATHWAY_MARKS",
    "SIGN_COLOURS",
    "behaviour_colour",
    "category_names",
    "check_columns",
    "check_some",
    "cluster_colour",
    "draw_matrix",
    "label_edges",
    "mark_schedules",
    "mouse_marks",
    "p_text",
    "panel_grid",
    "pathways_of",
    "row_shares",
    "side_by_side",
    "sign_image",
    "strip",
]

BLACK, ORANGE, SKY, GREEN, _, BLUE, VERMILLION, PURPLE = PALETTE
#: The published assignment of colours to behaviours, in colours that the colour-blind tell apart.
BEHAVIOUR_COLOURS = {
    "sequence": BLUE,
    "zone 1": GREEN,
    "zone 2": VERMILLION,
    "pellet": PURPLE,
    "no pellet": ORANGE,
    "explo 1": "#BBBBBB",
    "explo 2": "#777777",
}
#: The four merged behaviours.
GROUP_COLOURS = {"sequence": BLUE, "zones": GREEN, "food": PURPLE, "explo": "#999999"}
PATHWAY_COLOURS = {"D1": VERMILLION, "A2A": BLUE}
PATHWAY_MARKS = {"D1": "o", "A2A": "^"}
PATHWAY_NAMES = {"D1": "direct (D1)", "A2A": "indirect (A2A)"}
SIGN_COLOURS = {"activated": VERMILLION, "inactivated": BLUE, "unmodulated": "#CCCCCC", "both": PURPLE}
#: Clusters from 0 on; the eighth begins anew.
CLUSTER_COLOURS = (VERMILLION, BLUE, GREEN, ORANGE, SKY, PURPLE, BLACK)
CLUSTER_MARKS = "osD^vP*"
MOUSE_MARKS = "o^sDvP*XhH<>d"
#: Absent, or not assigned.
MISSING = "#DDDDDD"


def behaviour_colour(label: str) -> str:
    """Colour of one of the seven behaviours or of the four groups; of any other label, light grey."""
    return {**GROUP_COLOURS, **BEHAVIOUR_COLOURS}.get(label, MISSING)


def cluster_colour(cluster: int) -> str:
    """Colour of a cluster, numbered from 0; of a number below, the grey of what is not assigned.

    Examples
    --------
    >>> cluster_colour(0), cluster_colour(7), cluster_colour(-1)
    ('#D55E00', '#D55E00', '#DDDDDD')
    """
    return CLUSTER_COLOURS[int(cluster) % len(CLUSTER_COLOURS)] if cluster >= 0 else MISSING


def check_columns(name: str, table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the table if it has rows and these columns.

    Raises
    ------
    ValueError
        If not; the message names what is missing.
    """
    missing = [column for column in columns if column not in check_type(name, table, pd.DataFrame).columns]
    if missing or table.empty:
        raise ValueError(f"{name} must have rows and the columns {list(columns)}; it lacks {missing or 'rows'}")
    return table


def check_some(name: str, mapping: Mapping) -> None:
    """Refuse a mapping that holds nothing."""
    if not check_type(name, mapping, Mapping):
        raise ValueError(f"{name} is empty: it must hold at least one")


def panel_grid(figure: Figure, n: int, columns: int, **options: Any) -> np.ndarray:
    """Grid of axes for ``n`` panels, those that are left over not shown; options as of ``subplots``."""
    grid = figure.subplots(-(-n // columns), columns, squeeze=False, **options)
    for ax in grid.flat[n:]:
        ax.set_visible(False)
    return grid


def label_edges(grid: np.ndarray, x: str, y: str) -> None:
    """Label the axes at the left of a grid, and the lowest that is shown in each column, which gets its ticks too."""
    for ax in grid[:, 0]:
        ax.set_ylabel(y)
    for column in grid.T:
        last = [ax for ax in column if ax.get_visible()][-1]
        last.set_xlabel(x)
        last.tick_params(axis="x", labelbottom=True)


def side_by_side(n: int, width: float) -> np.ndarray:
    """Offsets of n points that would cover each other, from -``width`` to ``width``; 0 of one."""
    return width * np.linspace(-1, 1, n) if n > 1 else np.zeros(n)


def row_shares(counts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Shares of each row, NaN of an empty one, and the counts as text."""
    values = counts.to_numpy(float)
    total = values.sum(axis=1, keepdims=True)
    share = np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0)
    return share, np.vectorize(lambda v: f"{v:.0f}", otypes=[object])(values)


def pathways_of(table: pd.DataFrame) -> list[str]:
    """Pathways of a table, the direct one first."""
    found = set(table["pathway"])
    return [p for p in PATHWAY_COLOURS if p in found] + sorted(found - set(PATHWAY_COLOURS))


def mouse_marks(table: pd.DataFrame) -> dict[Any, str]:
    """A mark for each mouse of a table."""
    return {mouse: MOUSE_MARKS[i % len(MOUSE_MARKS)] for i, mouse in enumerate(sorted(set(table["mouse"])))}


def p_text(p: float) -> str:
    """A p value for a label.

    Examples
    --------
    >>> p_text(0.0312), p_text(2e-9), p_text(float("nan"))
    ('p = 0.031', 'p < 0.0001', 'p undefined')
    """
    if not np.isfinite(p):
        return "p undefined"
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def category_names() -> list[str]:
    """Names of the eight columns of a category vector: the four groups activated, then inactivated."""
    return [f"{group} {arrow}" for arrow in "↑↓" for group in GROUP_COLOURS]


def mark_schedules(ax: Axes, table: pd.DataFrame) -> None:
    """Limits between schedules as dashed lines, and their names above, from columns ``session`` and ``schedule``.

    Where mice changed at different sessions the limit is that of most of them.
    """
    of_session = table.groupby("session")["schedule"].agg(lambda s: s.mode().iloc[0]).sort_index()
    sessions, names = of_session.index.to_numpy(float), of_session.to_numpy(object)
    changes = np.flatnonzero(names[1:] != names[:-1]) + 1
    for k in changes:
        ax.axvline((sessions[k - 1] + sessions[k]) / 2, color="0.4", lw=0.9, ls="--", zorder=0, gid="limit")
    for part in np.split(np.arange(len(names)), changes):
        x = (sessions[part[0]] + sessions[part[-1]]) / 2
        ax.text(x, 1.02, names[part[0]], transform=ax.get_xaxis_transform(), ha="center", fontsize=8)


def draw_matrix(
    ax: Axes,
    values: ArrayLike,
    rows: Sequence[object],
    columns: Sequence[object],
    *,
    cmap: str | Colormap = "cividis",
    limits: tuple[float, float] = (0.0, 1.0),
    text: ArrayLike | None = None,
    decimals: int | None = 2,
    size: float = 6.5,
) -> AxesImage:
    """An image with a number in each cell, dark on light or light on dark; NaN is grey.

    Parameters
    ----------
    values : array_like, shape (n_rows, n_columns)
    rows, columns : sequence
        Labels of the ticks.
    text : array_like of str, optional
        In place of the numbers.
    decimals : int or None
        Of the numbers; None for none.
    """
    values = np.asarray(values, float)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"values has shape {values.shape}: it must be ({len(rows)}, {len(columns)}), as its labels")
    ax.set_facecolor(MISSING)
    image = ax.imshow(values, cmap=cmap, vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(columns)), [str(c) for c in columns])
    ax.set_yticks(range(len(rows)), [str(r) for r in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    for (i, j), value in np.ndenumerate(values):
        words = f"{value:.{decimals}f}" if text is None and decimals is not None else ""
        words = words if text is None else str(np.asarray(text, object)[i, j])
        if np.isfinite(value) and words:
            dark = np.dot(to_rgb(image.cmap(image.norm(value))), (0.299, 0.587, 0.114)) < 0.55
            ax.text(j, i, words, ha="center", va="center", fontsize=size, color="white" if dark else "black")
    return image


def sign_image(vectors: np.ndarray) -> np.ndarray:
    """Category vectors (n, 8 * sessions) of 0, 1 and NaN as an RGB image: ↑ vermillion, ↓ blue, absent grey."""
    vectors = np.asarray(vectors, float)
    if vectors.ndim != 2 or not vectors.size or vectors.shape[1] % 8:
        raise ValueError(f"vectors has shape {vectors.shape}: it must be (n_neurons, 8 * n_sessions)")
    up = np.arange(vectors.shape[1]) % 8 < 4
    image = np.ones((*vectors.shape, 3))
    colours = np.where(up[:, None], to_rgb(SIGN_COLOURS["activated"]), to_rgb(SIGN_COLOURS["inactivated"]))
    image = np.where((vectors > 0.5)[..., None], colours[None], image)
    image[np.isnan(vectors)] = to_rgb(MISSING)
    return image


def strip(ax: Axes, colours: Iterable[str], *, vertical: bool = False, extent: tuple | None = None) -> None:
    """A narrow image of one colour per place, without ticks."""
    line = np.array([to_rgb(colour) for colour in colours])
    ax.imshow(line[:, None] if vertical else line[None], aspect="auto", interpolation="nearest", extent=extent)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def legend_patches(colours: Mapping[str, str]) -> list:
    """Patches for a legend of colours."""
    from matplotlib.patches import Patch

    return [Patch(facecolor=colour, edgecolor="0.5", lw=0.4, label=name) for name, colour in colours.items()]
