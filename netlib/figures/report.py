"""One self-contained HTML report: figures, animations and tables inside the file, nothing fetched when it is read."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
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


CSS = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5a636e; --paper: #fdfdfc; --line: #d9dde2; --mark: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --soft: #a3acb6; --paper: #16191d; --line: #353b43; --mark: #56b4e9; }
}
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .6rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
p { max-width: 44rem; }
a { color: var(--mark); }
nav ol { margin: 0; padding-left: 1.3rem; columns: 16rem; }
figure { margin: 1.4rem 0; }
figure img, figure video { display: block; max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
figcaption, caption { color: var(--soft); font-size: .9rem; text-align: left; margin: .45rem 0; max-width: 50rem; }
.wide { overflow-x: auto; margin: 1.2rem 0; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; }
td.text, th.text { text-align: left; }
details { margin: 1rem 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem .9rem; }
summary { cursor: pointer; }
pre { overflow-x: auto; font-size: .8rem; line-height: 1.4; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
"""


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
    provenance = jsonable(dict(provenance or {}))
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{CSS}</style></head>",
        f"<body><header><h1>{html.escape(title)}</h1>{_contents(sections)}</header>",
        "<main>",
        *(_section(number, section) for number, section in enumerate(sections, start=1)),
        "</main>",
        _provenance(provenance),
        "</body></html>",
    ]
    text = "\n".join(parts)
    return atomic_write(Path(folder) / name, lambda file: file.write(text.encode()))


def _contents(sections: list[Section]) -> str:
    """Links to the sections, if there are several."""
    if len(sections) < 3:
        return ""
    links = (f'<li><a href="#s{n}">{html.escape(s.title)}</a></li>' for n, s in enumerate(sections, start=1))
    return f'<nav aria-label="Contents"><ol>{"".join(links)}</ol></nav>'


def _section(number: int, section: Section) -> str:
    """Heading and items of a section."""
    draw: dict[type, Callable[[Any], str]] = {
        Image: _image,
        Table: _table,
        Facts: lambda item: _facts(item.summary, item.value),
    }
    body = [
        f"<p>{html.escape(item)}</p>" if isinstance(item, str) else draw[type(item)](item) for item in section.items
    ]
    return "\n".join([f'<section id="s{number}"><h2>{html.escape(section.title)}</h2>', *body, "</section>"])


def _image(image: Image) -> str:
    """Figure or file as a data URI."""
    data, kind = _bytes_of(image)
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    alt = html.escape(image.alt, quote=True)
    if kind == "video/mp4":
        tag = f'<video controls loop muted playsinline aria-label="{alt}" src="{uri}"></video>'
    else:
        tag = f'<img alt="{alt}" src="{uri}">'
    caption = f"<figcaption>{html.escape(image.caption)}</figcaption>" if image.caption else ""
    return f"<figure>{tag}{caption}</figure>"


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


def _table(table: Table) -> str:
    """Table with numbers to the right and text to the left."""
    frame = table.frame.reset_index() if table.frame.index.name is not None else table.frame
    shown = frame.head(table.max_rows)
    kinds = ["" if pd.api.types.is_numeric_dtype(frame[c]) else ' class="text"' for c in frame.columns]
    head = "".join(f'<th scope="col"{k}>{html.escape(str(c))}</th>' for c, k in zip(frame.columns, kinds, strict=True))
    rows = (
        "".join(f"<td{k}>{_cell(value, table.digits)}</td>" for value, k in zip(row, kinds, strict=True))
        for row in shown.itertuples(index=False, name=None)
    )
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    note = table.caption
    if len(frame) > len(shown):
        note = f"{note} (the first {len(shown)} of {len(frame)} rows)".strip()
    caption = f"<caption>{html.escape(note)}</caption>" if note else ""
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any, digits: int) -> str:
    """One value; what is missing is a dash."""
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
    return html.escape(str(value))


def _facts(summary: str, value: Any) -> str:
    """Facts as JSON, folded."""
    text = json.dumps(jsonable(value), indent=2, ensure_ascii=False)
    return f"<details><summary>{html.escape(summary)}</summary><pre>{html.escape(text)}</pre></details>"


def _provenance(provenance: dict[str, Any]) -> str:
    """Footer: how the report was made."""
    if not provenance:
        return ""
    versions = provenance.get("versions") or {}
    line = [f"netlib {versions['netlib']}" if "netlib" in versions else "netlib"]
    line += [f"{key} {provenance[key]}" for key in ("seed", "date") if key in provenance]
    facts = _facts("Parameters, versions and platform", provenance)
    return f"<footer><p>{html.escape(' · '.join(line))}</p>{facts}</footer>"
