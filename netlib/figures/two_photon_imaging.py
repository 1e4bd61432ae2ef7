"""Images of the two-photon papers: imaging planes, and masks of ROIs laid over each other across sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from netlib.figures.style import new_figure, styled
from netlib.figures.two_photon import by_group, rows_of

__all__ = ["draw_close_ups", "draw_imaging_planes", "draw_overlays", "draw_tracking_examples"]

#: Colours of the sessions where masks overlap (Okabe & Ito).
SESSION_COLOURS = ("#E69F00", "#0072B2", "#009E73")


@styled
def draw_imaging_planes(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Maximum projections of example planes, one per group, each stretched between its 1st and 99.5th percentile.

    Parameters
    ----------
    data : mapping
        Panel with an ``imaging_plane_df`` that holds ``max_projections`` (rows, columns).
    figure : Figure, optional
        Draw into this.
    """
    rows = [row for members in by_group(rows_of(data, "max_projections")).values() for row in members]
    figure = new_figure(2.1 * len(rows), 2.4, figure)
    for ax, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        _projection(ax, row["max_projections"])
        ax.set_title(f"{row['group']} (mouse {row['mouse_ns']})")
    return figure


def _projection(ax: Axes, image: Any) -> None:
    image = np.asarray(image, float)
    low, high = np.percentile(image, [1, 99.5])
    ax.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-9), interpolation="nearest")
    ax.set_axis_off()


def _footprints(indices: Sequence[Sequence[int]], shape: Sequence[int]) -> np.ndarray:
    """Pixels (sessions, rows, columns) that belong to a mask, from indices (session, row, column)."""
    session, row, column = (np.asarray(i, int) for i in indices)
    inside = (row >= 0) & (row < shape[1]) & (column >= 0) & (column < shape[2])
    out = np.zeros((int(session.max(initial=0)) + 1, *shape[1:]), bool)
    out[session[inside], row[inside], column[inside]] = True
    return out


def _blend(footprints: np.ndarray) -> np.ndarray:
    """Masks of the sessions in their colours on white; where they overlap the colours multiply."""
    image = np.ones((*footprints.shape[1:], 3))
    for mask, colour in zip(footprints, SESSION_COLOURS, strict=False):
        tone = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        image[mask] *= 0.25 + 0.75 * tone
    return image


def _overlay(ax: Axes, indices: Any, shape: Any) -> int:
    footprints = _footprints(indices, shape)
    ax.imshow(_blend(footprints), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(True)
    return len(footprints)


def _window(row: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Part of the plane shown close up: (top, left, height, width) in px."""
    height, width = row["roi_mask_shapes"][1:3]
    part = row["crop_fact"]
    h, w = int(height / part), int(width / part)
    return int(row["shift_prop_hei"] * (height - h)), int(row["shift_prop_wid"] * (width - w)), h, w


def _session_legend(figure: Figure, names: Sequence[Any]) -> None:
    marks = [Patch(color=colour, label=f"session {n}") for n, colour in zip(names, SESSION_COLOURS, strict=False)]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))


def _count(row: Mapping[str, Any]) -> int:
    return row["nrois"][0] if isinstance(row["nrois"], list) else row["nrois"]


@styled
def draw_overlays(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Masks of tracked ROIs of three sessions over each other, the close-up's frame if there is one; projections above.

    Parameters
    ----------
    data : mapping
        Panel with a ``roi_mask_df``: ``registered_roi_mask_idxs`` ((session, row, column), pixels) and
        ``roi_mask_shapes``; where it has ``registered_max_projections`` (sessions, rows, columns) these are drawn too.
    figure : Figure, optional
        Draw into this.
    """
    groups = by_group(rows_of(data, "registered_roi_mask_idxs", "roi_mask_shapes", "sess_ns"))
    rows = [row for members in groups.values() for row in members]
    planes = "registered_max_projections" in rows[0]
    n = len(rows[0]["sess_ns"]) if planes else 0
    figure = new_figure(2.2 * len(rows), 2.5 + 2.1 * n, figure)
    grid = figure.subplots(1 + n, len(rows), squeeze=False)
    for column, row in zip(grid.T, rows, strict=True):
        _overlay(column[n], row["registered_roi_mask_idxs"], row["roi_mask_shapes"])
        title = f"{row['group']} (mouse {row['mouse_ns']})\n{_count(row)} ROIs"
        if "crop_fact" in row:
            top, left, height, width = _window(row)
            column[n].add_patch(Rectangle((left, top), width, height, fill=False, lw=1, ec="black"))
        for ax, image, session in (
            zip(column[:n], row.get("registered_max_projections", ()), row["sess_ns"], strict=True) if n else ()
        ):
            _projection(ax, image)
            ax.set_title(f"session {session}")
        column[0].set_title(title + (f"\nsession {row['sess_ns'][0]}" if n else ""))
    _session_legend(figure, rows[0]["sess_ns"])
    return figure


@styled
def draw_close_ups(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Close-ups of the overlays of :func:`draw_overlays`: the part of the plane that the panel names.

    Parameters
    ----------
    data : mapping
        As for :func:`draw_overlays`, with ``crop_fact``, ``shift_prop_hei`` and ``shift_prop_wid``.
    figure : Figure, optional
        Draw into this.
    """
    groups = by_group(rows_of(data, "registered_roi_mask_idxs", "roi_mask_shapes", "crop_fact", "sess_ns"))
    rows = [row for members in groups.values() for row in members]
    figure = new_figure(2.2 * len(rows), 2.6, figure)
    for ax, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        top, left, height, width = _window(row)
        _overlay(ax, row["registered_roi_mask_idxs"], row["roi_mask_shapes"])
        ax.set(xlim=(left - 0.5, left + width - 0.5), ylim=(top + height - 0.5, top - 0.5))
        ax.set_title(f"{row['group']} (mouse {row['mouse_ns']})")
    _session_legend(figure, rows[0]["sess_ns"])
    return figure


@styled
def draw_tracking_examples(data: Mapping[str, Any], figure: Figure | None = None) -> Figure:
    """Tracked ROIs by the order of sessions that matches fewest and most, and their union.

    Parameters
    ----------
    data : mapping
        Panel with a ``roi_mask_df``: ``fewest_``, ``most_`` and ``union_registered_roi_mask_idxs`` and ``_n_tracked``,
        ``union_n_conflicts``, the order of sessions as ``fewest_sess_ns`` and ``most_sess_ns``.
    figure : Figure, optional
        Draw into this.
    """
    kinds = ("fewest", "most", "union")
    rows = rows_of(data, "roi_mask_shapes", *(f"{kind}_registered_roi_mask_idxs" for kind in kinds))
    figure = new_figure(2.5 * len(kinds), 2.9 * len(rows), figure)
    for line, row in zip(figure.subplots(len(rows), len(kinds), squeeze=False), rows, strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            _overlay(ax, row[f"{kind}_registered_roi_mask_idxs"], row["roi_mask_shapes"])
            text = f"{kind}: {_first(row[f'{kind}_n_tracked'])} ROIs"
            if kind == "union":
                text += f"\n({_first(row['union_n_conflicts'])} conflicts removed)"
            else:
                text += "\nsessions " + ", ".join(map(str, row[f"{kind}_sess_ns"]))
            ax.set_title(text)
    _session_legend(figure, row["sess_ns"])
    return figure


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value
