"""One self-contained HTML report: figures, animations and tables inside the file, nothing fetched when it is read."""

from __future__ import annotations

import base64
import functools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_choice, check_type
from netlib.base.fields import Declared, integer, number, part
from netlib.base.provenance import atomic_write, jsonable
from netlib.figures.style import STYLE, whole_figure

__all__ = ["Facts", "Image", "Section", "Table", "write_report"]

MEDIA = {
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, eq=False)
class Image(Declared):
    """A figure or an animation.

    Attributes
    ----------
    source : Figure, Axes or path
        A figure (embedded as png), or a file: png, svg, jpg, gif or mp4.
    alt : str
        What it shows, for those who cannot see it. Not empty.
    caption : str
        Text below it.
    dpi : float
        Resolution of a figure (dots per inch).
    """

    source: Figure | Axes | str | os.PathLike = part(..., (Figure, Axes, str, os.PathLike))
    alt: str = part(..., str)
    caption: str = ""
    dpi: float = number(120.0, "dots per inch", 10, 600)

    def check(self) -> None:
        if not self.alt.strip():
            raise ValueError("alt is empty: it must say what the image shows")


@dataclass(frozen=True, eq=False)
class Table(Declared):
    """A table.

    Attributes
    ----------
    frame : DataFrame
        Its index is shown if it has a name.
    caption : str
        Text above it; units belong in the names of the columns or here.
    digits : int
        Significant digits of numbers that are not whole.
    max_rows : int
        Rows shown; the caption says if there are more.
    """

    frame: pd.DataFrame = part(..., pd.DataFrame)
    caption: str = ""
    digits: int = integer(4, 1, 17)
    max_rows: int = integer(200, 1, unit="rows")


@dataclass(frozen=True)
class Facts:
    """Parameters or other facts, folded away until asked for.

    Attributes
    ----------
    summary : str
        What they are.
    value : mapping or dataclass
        The facts; shown as indented JSON.
    """

    summary: str
    value: Any


Item = str | Image | Table | Facts


@dataclass(frozen=True, eq=False)
class Section(Declared):
    """A heading and what stands below it, in order: text (a paragraph each), images, tables, facts."""

    title: str = part(..., str)
    items: tuple[Item, ...] | list[Item] = part((), (tuple, list))

    def check(self) -> None:
        for item in self.items:
            check_type("item", item, (str, Image, Table, Facts))


def write_report(
    folder: str | os.PathLike,
    title: str,
    sections: Iterable[Section] | Mapping[str, Iterable[Item]],
    provenance: Mapping[str, Any] | None = None,
    name: str = "report.html",
) -> Path:
    """Write one HTML file that holds everything it shows and needs neither network nor other files.

    Parameters
    ----------
    folder : path
        Where the file goes; it is made.
    title : str
        Title of the report.
    sections : iterable of Section, or mapping of title to items
        What it holds, in order.
    provenance : mapping, optional
        Parameters, seed, versions: folded at the end.
    name : str
        Name of the file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If there is no section, or an image file is missing or of an unknown kind.
    """
    if not check_type("title", title, str).strip():
        raise ValueError("title is empty: a report needs a title")
    if isinstance(sections, Mapping):
        sections = [Section(heading, tuple(items)) for heading, items in sections.items()]
    sections = [check_type("sections", section, Section) for section in sections]
    if not sections:
        raise ValueError("sections is empty: a report must hold at least one section")
    text = _template().render(title=title, sections=sections, provenance=dict(provenance or {}), made=_made(provenance))
    return atomic_write(Path(folder) / name, lambda file: file.write(text.encode()))


@functools.cache
def _template() -> jinja2.Template:
    page = jinja2.Environment(autoescape=True, loader=jinja2.PackageLoader("netlib.figures", "."))
    page.filters |= {"as_json": _as_json, "embedded": _embedded, "cells": _cells}
    page.tests |= {"image": lambda item: isinstance(item, Image), "table": lambda item: isinstance(item, Table)}
    return page.get_template("report.html")


def _as_json(value: Any) -> str:
    return json.dumps(jsonable(value), indent=2, ensure_ascii=False)


def _made(provenance: Mapping[str, Any] | None) -> str:
    """How the report was made, in a line."""
    facts = dict(provenance or {})
    version = (facts.get("versions") or {}).get("netlib")
    line = [f"netlib {version}" if version else "netlib"]
    return " · ".join([*line, *(f"{key} {facts[key]}" for key in ("seed", "date") if key in facts)])


def _embedded(image: Image) -> tuple[str, str]:
    """Media type and data URI of an image."""
    data, kind = _bytes_of(image)
    return kind, f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _bytes_of(image: Image) -> tuple[bytes, str]:
    """Content and media type of an image."""
    if isinstance(image.source, Figure | Axes):
        buffer = BytesIO()
        with matplotlib.rc_context(STYLE):
            whole_figure(image.source).savefig(buffer, format="png", dpi=image.dpi)
        return buffer.getvalue(), "image/png"
    path = Path(image.source)
    kind = MEDIA[check_choice("format of the image", path.suffix.lower(), MEDIA)]
    if not path.is_file():
        raise ValueError(f"source = {str(path)!r} does not exist: an image must be a figure or a file")
    return path.read_bytes(), kind


def _cells(table: Table) -> tuple[str, list[tuple[str, Markup]], list[list[tuple[str, Markup]]]]:
    """Caption, columns and rows of a table: numbers to the right, text to the left."""
    frame = table.frame.reset_index() if table.frame.index.name is not None else table.frame
    shown, note = frame.head(table.max_rows), table.caption
    kinds = [Markup("" if pd.api.types.is_numeric_dtype(frame[c]) else ' class="text"') for c in frame.columns]
    if len(frame) > len(shown):
        note = f"{note} (the first {len(shown)} of {len(frame)} rows)".strip()
    rows = [
        [(_cell(value, table.digits), kind) for value, kind in zip(row, kinds, strict=True)]
        for row in shown.itertuples(index=False, name=None)
    ]
    return note, list(zip(map(str, frame.columns), kinds, strict=True)), rows


def _cell(value: Any, digits: int) -> str:
    """One value; what is missing is a dash."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    return str(value)
