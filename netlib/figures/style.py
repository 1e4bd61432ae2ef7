"""How figures look: colours for the colour-blind, units, figures that need no pyplot, and files that are whole."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib import __version__
from netlib.base.checks import check_choice, check_number, check_type
from netlib.base.provenance import atomic_write, jsonable

__all__ = ["COLOURS", "DASHES", "PALETTE", "Picture", "colour_of", "dashes_of", "save"]

#: Okabe & Ito (2008), "Color universal design": told apart by the colour-blind.
PALETTE = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
#: Excitation is vermillion, inhibition blue, the input green; a second ring is lighter.
COLOURS = {"E": "#D55E00", "I": "#0072B2", "input": "#009E73", "E2": "#E69F00", "I2": "#56B4E9"}
#: Line style of each population: colour is never the only cue.
DASHES = {"E": "-", "I": (0, (5, 1.5)), "input": (0, (1.5, 1.2)), "E2": "-", "I2": (0, (5, 1.5))}
NAMES = {"E": "excitatory (E)", "I": "inhibitory (I)", "E2": "excitatory (E2)", "I2": "inhibitory (I2)"}
FORMATS = (".pdf", ".png", ".svg")

STYLE: dict[Any, Any] = {  # matplotlib's types know its settings by name
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "netlib",
}

P = ParamSpec("P")
R = TypeVar("R")


class Picture(Figure):
    """A figure outside pyplot, which a notebook shows as it is."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function in our style and leave matplotlib's settings as they were."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(STYLE):
            return function(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float, figure: Figure | None = None) -> Figure:
    """The figure given, or a new one (inches)."""
    if figure is None:
        return Picture(figsize=(width, height), layout="constrained")
    return check_type("figure", figure, Figure)


def new_axes(ax: Axes | None, width: float, height: float, projection: str | None = None) -> Axes:
    """The axes given, checked, or those of a new figure (inches)."""
    if ax is None:
        return new_figure(width, height).add_subplot(projection=projection)
    check_type("ax", ax, Axes)
    if projection is not None and ax.name != projection:
        raise ValueError(f"ax has the projection {ax.name!r}: this figure needs {projection!r} axes")
    return ax


def whole_figure(drawn: Figure | Axes) -> Figure:
    """A figure, or the one that axes are in.

    Raises
    ------
    ValueError
        If the axes were removed from theirs.
    """
    figure = drawn.get_figure(root=True) if isinstance(drawn, Axes) else drawn
    if figure is None:
        raise ValueError("the axes are in no figure: there is nothing to write")
    return figure


def colour_of(population: str) -> str:
    """Colour of a population; one not known here gets the same colour every time."""
    others = ("#CC79A7", "#56B4E9", "#E69F00")
    return COLOURS.get(population, others[sum(population.encode()) % len(others)])


def dashes_of(population: str) -> Any:
    """Line style of a population."""
    return DASHES.get(population, "-.")


def name_of(population: str) -> str:
    """Name of a population for a legend."""
    return NAMES.get(population, population)


def save(
    figure: Figure | Axes,
    path: str | os.PathLike,
    *,
    dpi: float = 150.0,
    title: str = "",
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a figure as ``.png``, ``.svg`` or ``.pdf``, atomically, with its origin in the file's metadata.

    Parameters
    ----------
    figure : Figure or Axes
        What to write; of axes, the whole figure.
    path : path
        Where; the folder is made.
    dpi : float
        Resolution (dots per inch) of a png, and of the raster parts of the others.
    title : str
        Title in the metadata.
    provenance : dict, optional
        Facts about the result, kept as JSON in the description.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the ending of the path is none of the three.
    """
    figure = whole_figure(check_type("figure", figure, (Figure, Axes)))
    suffix = check_choice("format", Path(path).suffix.lower(), FORMATS)
    dpi = check_number("dpi", dpi, "dots per inch", 10, 2000)
    facts = json.dumps(jsonable(provenance)) if provenance else ""
    software = f"netlib {__version__}"
    metadata = {
        ".png": {"Title": title, "Description": facts, "Software": software},
        # No date: the same figure is the same file.
        ".svg": {"Title": title, "Description": facts, "Creator": software, "Date": None},
        ".pdf": {"Title": title, "Subject": facts, "Creator": software, "CreationDate": None},
    }[suffix]
    with matplotlib.rc_context(STYLE):
        return atomic_write(path, lambda file: figure.savefig(file, format=suffix[1:], dpi=dpi, metadata=metadata))
