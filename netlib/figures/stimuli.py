"""Stimuli as they look: frames of movies with their labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netlib.base.checks import check_integer, check_number, check_type
from netlib.figures.style import new_figure, styled
from netlib.stimuli.movie import Movie
from netlib.stimuli.stimulus import Stimulus

__all__ = ["plot_montage"]

Shown = Movie | Stimulus


@styled
def plot_montage(
    stimuli: Mapping[str, Shown] | Sequence[Shown] | Shown,
    frames: int = 1,
    columns: int = 6,
    duration: float = 400.0,
    size: int = 64,
    frame_rate: float = 50.0,
    figure: Figure | None = None,
) -> Figure:
    """Frames of stimuli or movies, row 0 at the top, each with its orientation.

    Parameters
    ----------
    stimuli : mapping, sequence, Stimulus or Movie
        What to show; the keys of a mapping are labels. A stimulus without one is labelled by its class, its
        orientation and its bandwidth.
    frames : int
        With 1, a grid of the first frames; with more, one row per stimulus with frames spread over its time.
    columns : int
        Stimuli in a row of the grid.
    duration, size, frame_rate : float, int, float
        How stimuli are rendered (ms, pixels, Hz); movies are taken as they are.
    figure : Figure, optional
        Draw into this one.

    Returns
    -------
    Figure
        One axes per frame; luminance 0 is black and 1 white in all.
    """
    items = _items(stimuli)
    frames = check_integer("frames", frames, 1, 24)
    columns = check_integer("columns", columns, 1, 24)
    check_number("duration", duration, "ms", 0, low_open=True)
    movies = [m if isinstance(m, Movie) else m.movie(duration, size, frame_rate) for _, m in items]
    labels = [label for label, _ in items]
    if frames > 1:
        return _strips(labels, movies, [m for _, m in items], frames, figure)
    columns = min(columns, len(items))
    rows = -(-len(items) // columns)
    figure = new_figure(1.55 * columns, 2.0 * rows + 0.1, figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, label, movie, (_, item) in zip(axes, labels, movies, items, strict=False):
        _draw_frame(ax, movie, 0)
        _draw_bar(ax, item)
        ax.set_title(label, fontsize=8)
    for ax in axes[len(items) :]:
        ax.set_visible(False)
    _scale(axes[(rows - 1) * columns], movies[(rows - 1) * columns])
    return figure


def _items(stimuli: Mapping[str, Shown] | Sequence[Shown] | Shown) -> list[tuple[str, Shown]]:
    """Labels and what they stand for."""
    if isinstance(stimuli, Movie | Stimulus):
        stimuli = [stimuli]
    pairs = list(stimuli.items()) if isinstance(stimuli, Mapping) else [(None, s) for s in stimuli]
    if not pairs:
        raise ValueError("stimuli is empty: there must be at least one stimulus or movie to show")
    for _, item in pairs:
        check_type("stimuli", item, (Movie, Stimulus))
    return [(describe(item) if label is None else str(label), item) for label, item in pairs]


def describe(item: Shown) -> str:
    """Label of a stimulus: class, orientation, bandwidth, contrast where it is not full."""
    if isinstance(item, Movie):
        return f"movie, {item.duration:g} ms"
    facts = [f"θ = {item.orientation:.4g}°"] if np.isfinite(item.orientation) else []
    if item.B_theta > 0 or any(field.name == "B_theta" for field in dataclasses.fields(item)):
        facts.append(f"B$_\\theta$ = {item.B_theta:.3g}°")
    if item.contrast < 1:
        facts.append(f"{100 * item.contrast:.3g} % contrast")
    pairs = [", ".join(facts[i : i + 2]) for i in range(0, len(facts), 2)]
    return "\n".join([type(item).__name__, *pairs])


def _strips(labels: list[str], movies: list[Movie], items: list[Shown], frames: int, figure: Figure | None) -> Figure:
    """One row of frames per stimulus, with the time of each frame."""
    figure = new_figure(1.15 * frames + 1.2, 1.3 * len(movies) + 0.3, figure)
    axes = figure.subplots(len(movies), frames, squeeze=False)
    for row, label, movie, item in zip(axes, labels, movies, items, strict=True):
        index = np.unique(np.linspace(0, len(movie) - 1, frames).round().astype(int))
        for ax, i in zip(row, index, strict=False):
            _draw_frame(ax, movie, int(i))
            ax.set_title(f"{movie.times[i]:g} ms", fontsize=7, pad=2)
        for ax in row[len(index) :]:
            ax.set_visible(False)
        _draw_bar(row[0], item)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    _scale(axes[-1, 0], movies[-1])
    return figure


def _draw_frame(ax: Axes, movie: Movie, index: int) -> None:
    """One frame, as displayed."""
    ax.imshow(movie.frames[index], cmap="gray", vmin=0, vmax=1, origin="upper", interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(visible=True, color="0.6", lw=0.6)


def _draw_bar(ax: Axes, item: Shown) -> None:
    """A short line along the contour in the corner of the frame, where the stimulus has an orientation."""
    angle = item.orientation if isinstance(item, Stimulus) else np.nan
    if not np.isfinite(angle):
        return
    x, y = 0.07 * np.cos(np.radians(angle)), 0.07 * np.sin(np.radians(angle))
    for colour, width in (("white", 4.0), ("#D55E00", 2.0)):
        ax.plot(
            [0.1 - x, 0.1 + x], [0.1 - y, 0.1 + y], transform=ax.transAxes, color=colour, lw=width,
            solid_capstyle="round", gid="contour",
        )  # fmt: skip


def _scale(ax: Axes, movie: Movie) -> None:
    """Say how large a frame is."""
    _, height, width = movie.shape
    ax.set_xlabel(f"{width} × {height} px", fontsize=7, labelpad=2)
