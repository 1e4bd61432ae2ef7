"""Tuning curves with their fits, cell by cell and averaged over a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.orientation import signed_distance, von_mises
from netlib.figures.style import colour_of, dashes_of, new_axes, new_figure, styled

__all__ = ["plot_population_tuning", "plot_tuning_grid"]

FIT = ("cell", "baseline", "amplitude", "preferred", "B_theta", "hwhh", "hwhh_se", "success", "failure")
CURVE = ("cell", "orientation", "rate", "sem")


def _check_table(name: str, table: pd.DataFrame, columns: Sequence[str], key: Sequence[str]) -> pd.DataFrame:
    """The table, if it has the columns and one row for each key."""
    check_type(name, table, pd.DataFrame)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}: it must come from netlib.tuning")
    if table.empty:
        raise ValueError(f"{name} is empty: it must hold at least one cell")
    if table.duplicated(list(key)).any():
        raise ValueError(f"{name} holds several conditions: select one, with one row per {' and '.join(key)}")
    return table


def fitted(row: pd.Series, theta: np.ndarray) -> np.ndarray:
    """Fitted rate (Hz) at ``theta`` (deg)."""
    return row.baseline + row.amplitude * np.asarray(von_mises(theta, row.preferred, row.B_theta))


def _verdict(row: pd.Series) -> str:
    """Title of a cell: the width and its error, or why there is none."""
    if not row.success:
        return f"fit failed: {row.failure}"
    if not np.isfinite(row.hwhh):
        return f"no half height (B$_\\theta$ = {row.B_theta:.1f}°)"
    error = f"{row.hwhh_se:.1f}" if np.isfinite(row.hwhh_se) else "?"
    return f"HWHH {row.hwhh:.1f} ± {error}°"


@styled
def plot_tuning_grid(
    curves: pd.DataFrame,
    table: pd.DataFrame,
    cells: Sequence[int] | None = None,
    columns: int = 4,
    figure: Figure | None = None,
) -> Figure:
    """Tuning curves of single cells: mean rate ± SEM at each orientation, and the fitted curve.

    Parameters
    ----------
    curves : DataFrame
        From :func:`netlib.tuning.tuning_curves` of one population: ``cell``, ``orientation`` (deg), ``rate`` and
        ``sem`` (Hz).
    table : DataFrame
        From :func:`netlib.tuning.tuning_table` of the same population, one row per cell.
    cells : sequence of int, optional
        Which; by default up to 12 spread over the population.
    columns : int
        Panels in a row.
    figure : Figure, optional
        Draw into this one.

    Returns
    -------
    Figure
        One axes per cell; its title gives HWHH ± standard error, or why the fit failed.
    """
    _check_table("curves", curves, CURVE, ("cell", "orientation"))
    _check_table("table", table, FIT, ("cell",))
    columns = check_integer("columns", columns, 1, 12)
    known = table["cell"].to_numpy()
    if cells is None:
        cells = known[np.unique(np.linspace(0, len(known) - 1, min(12, len(known))).round().astype(int))]
    cells = check_array("cells", cells, "", ndim=1, dtype=int)
    unknown = [int(c) for c in cells if c not in known or c not in curves["cell"].to_numpy()]
    if unknown:
        raise ValueError(f"cells = {unknown} are not in the tables: they hold cells {known.min()} to {known.max()}")
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    figure = new_figure(1.9 * columns + 0.5, 1.55 * rows + 0.5, figure)
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for ax in axes[len(cells) :]:
        ax.set_visible(False)
    colour = colour_of(table["population"].iloc[0]) if "population" in table else "#D55E00"
    for ax, cell in zip(axes, cells, strict=False):
        _draw_cell(ax, curves[curves["cell"] == cell], table[table["cell"] == cell].iloc[0], colour)
    for ax in axes[max(0, len(cells) - columns) : len(cells)]:
        ax.tick_params(labelbottom=True)
    figure.supxlabel("stimulus orientation (deg)", fontsize=9)
    figure.supylabel("rate (Hz), mean ± SEM over trials", fontsize=9)
    return figure


def _draw_cell(ax: Axes, curve: pd.DataFrame, row: pd.Series, colour: str) -> None:
    """Points, fit and title of one cell."""
    sem = np.nan_to_num(curve["sem"].to_numpy(float))
    ax.errorbar(curve["orientation"], curve["rate"], sem, fmt="o", ms=3.2, lw=0.9, color="0.2", capsize=0)
    theta = np.linspace(0, 180, 361)
    if np.isfinite([row.baseline, row.amplitude, row.preferred, row.B_theta]).all():
        style, alpha = ("-", 1.0) if row.success else (":", 0.7)
        ax.plot(theta, fitted(row, theta), style, alpha=alpha, color=colour, lw=1.6, gid="fit")
    if row.success:
        ax.axvline(row.preferred, color=colour, lw=0.7, ls=(0, (2, 2)), zorder=0)
    ax.set(xlim=(-6, 186), xticks=[0, 45, 90, 135, 180], ylim=(0, None))
    ax.set_title(f"cell {int(row.cell)}\n{_verdict(row)}", fontsize=7.5, color="black" if row.success else "#A03000")
    if ax.get_ylim()[1] < 1e-3 or curve["rate"].max() == 0:
        ax.set_ylim(0, 1)


@styled
def plot_population_tuning(
    curves: Mapping[str, pd.DataFrame],
    tables: Mapping[str, pd.DataFrame],
    normalise: bool = True,
    bin: float = 10.0,
    ax: Axes | None = None,
) -> Axes:
    """Mean tuning of populations, or of conditions, each cell shifted to its fitted preferred orientation.

    Points are means ± SEM over cells in bins of the distance from the preferred orientation; the line is the mean
    of the fitted curves of the same cells. Only cells whose fit succeeded count; the legend says how many.

    Parameters
    ----------
    curves, tables : mapping of DataFrame
        For each name, such as ``"input"``, ``"E"``, ``"I"``, what :func:`plot_tuning_grid` takes.
    normalise : bool
        Divide points and line by the peak of the line; otherwise rates are in Hz.
    bin : float
        Width of the bins (deg).
    ax : Axes, optional
        Draw into these.

    Returns
    -------
    Axes
        The legend gives the median HWHH and its quartiles over cells.
    """
    names = list(check_type("curves", curves, Mapping))
    if not names or set(names) != set(check_type("tables", tables, Mapping)):
        raise ValueError(f"curves is for {names} and tables for {list(tables)}: both must hold the same names")
    bin = check_number("bin", bin, "deg", 1, 45)
    ax = new_axes(ax, 4.4, 4.4)
    for i, name in enumerate(names):
        curve = _check_table(f"curves[{name!r}]", curves[name], CURVE, ("cell", "orientation"))
        table = _check_table(f"tables[{name!r}]", tables[name], FIT, ("cell",))
        good = table[table["success"].astype(bool)]
        if good.empty:
            raise ValueError(f"tables[{name!r}] holds no successful fit: there is nothing to align")
        colour = colour_of(name) if name in ("input", "E", "I") else ("#D55E00", "#0072B2", "#009E73", "#CC79A7")[i % 4]
        _draw_aligned(ax, curve, good, name, colour, normalise, bin, i)
    ax.set(xlabel="stimulus − preferred orientation (deg)", xlim=(-93, 93), xticks=np.arange(-90, 91, 30))
    ax.set(ylabel="rate / peak of the mean fit" if normalise else "rate (Hz)", ylim=(0, None))
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), title="median HWHH (quartiles)", alignment="left")
    return ax


def _draw_aligned(
    ax: Axes, curve: pd.DataFrame, good: pd.DataFrame, name: str, colour: str, normalise: bool, bin: float, rank: int
) -> None:
    """Mean aligned points and mean aligned fit of one population."""
    theta = np.linspace(-90, 90, 361)
    profile = np.asarray(von_mises(theta, 0.0, good["B_theta"].to_numpy(float)[:, None]))
    line = (good["baseline"].to_numpy()[:, None] + good["amplitude"].to_numpy()[:, None] * profile).mean(0)
    scale = line.max() if normalise else 1.0
    points = curve.merge(good[["cell", "preferred"]], on="cell")
    offset = np.asarray(signed_distance(points["orientation"].to_numpy(), points["preferred"].to_numpy()))
    n = max(3, round(180.0 / bin))
    place = np.floor((offset + 90.0) / (180.0 / n)).astype(int) % n
    grouped = points["rate"].groupby(place)
    centres = -90.0 + (grouped.mean().index.to_numpy() + 0.5) * 180.0 / n
    low, middle, high = np.nanpercentile(good["hwhh"], [25, 50, 75]) if good["hwhh"].notna().any() else [np.nan] * 3
    label = f"{name}: {middle:.1f}° ({low:.1f}–{high:.1f}), {len(good)} cells"
    ax.plot(theta, line / scale, color=colour, ls=dashes_of(name), lw=1.8, label=label, gid=name)
    ax.errorbar(
        centres, grouped.mean() / scale, grouped.sem().fillna(0) / scale, fmt="osD^v"[rank % 5], ms=3.2, lw=0.9,
        color=colour, alpha=0.9,
    )  # fmt: skip
    if np.isfinite(middle):
        heights = np.interp([-middle, middle], theta, line) / scale
        ax.vlines([-middle, middle], 0, heights, color=colour, lw=0.8, ls=dashes_of(name))
