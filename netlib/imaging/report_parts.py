"""Pieces of the report: figures that are files, tables, and what could not be drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from netlib.figures.style import STYLE
from netlib.provenance import atomic_write
from netlib.report import Image, Section, Table

__all__ = ["Pictures", "section", "short", "write_table"]

#: Dots per inch.
DPI = 110


class Pictures:
    """Figures of a section as PNG files.

    Parameters
    ----------
    folder : Path, optional
        Where they go; None: nothing is drawn.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def draw(
        self, name: str, draw: Callable[..., Figure], *arguments: Any, alt: str, caption: str = "", **options: Any
    ) -> Image | str | None:
        """Draw a figure and keep it; what a figure cannot show (no such data) becomes a sentence instead."""
        if self.folder is None:
            return None
        try:
            figure = draw(*arguments, **options)
        except ValueError as error:
            return f"Not drawn: {alt}. {error}"
        buffer = io.BytesIO()
        with rc_context(STYLE):
            figure.savefig(buffer, format="png", dpi=DPI)
        path = atomic_write(self.folder / f"{name}.png", lambda file: file.write(buffer.getbuffer()))
        return Image(path, alt, caption)


def write_table(path: Path, table: pd.DataFrame) -> Path:
    """Write a table as CSV, with its index if it has a name, atomically."""
    text = table.to_csv(index=table.index.name is not None)
    return atomic_write(path, lambda file: file.write(text.encode()))


def short(table: pd.DataFrame, caption: str, columns: list[str] | None = None, rows: int = 40) -> Table:
    """A table of the report, some columns of it."""
    shown = table if columns is None else table[[c for c in columns if c in table]]
    return Table(shown, caption, digits=3, max_rows=rows)


def section(title: str, items: list[Any]) -> Section:
    """A section of the items there are."""
    return Section(title, [item for item in items if item is not None])
