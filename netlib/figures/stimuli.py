"""Stimuli as they look: frames of movies with their labels."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from tqdm import tqdm

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.base.provenance import atomic_write
from netlib.figures.activity import RING_PLACES as PLACES
from netlib.figures.activity import check_populations, check_window, closed, finish_legend, prepare_ring, ring_rates
from netlib.figures.style import COLOURS, colour_of, dashes_of, name_of, new_figure, styled
from netlib.recordings.recording import Recording
from netlib.stimuli.movie import Movie
from netlib.stimuli.stimulus import Stimulus

__all__ = ["animate", "plot_montage"]


# -------------------- Stimuli as they look: frames of movies with their labels


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


# -------------------- What was shown and what the ring did, side by side, frame by frame


FORMATS = (".gif", ".mp4")
#: Colours of a gif besides greys, each in some steps to white: few enough for small files.
TINTS = (*COLOURS.values(), "#CC79A7")


@styled
def animate(
    movie: Movie,
    recording: Recording,
    path: str | os.PathLike,
    *,
    fps: float = 20.0,
    speed: float = 1.0,
    window: tuple[float, float] | None = None,
    integration: float = 50.0,
    populations: Sequence[str] | None = None,
    dpi: float = 80.0,
    progress: bool | None = None,
) -> Path:
    """Write an animation of the movie next to the activity on the ring, as ``.gif`` or ``.mp4``.

    Parameters
    ----------
    movie : Movie
        What was shown; its time 0 is that of the recording.
    recording : Recording
        What the ring did.
    path : path
        Where; written atomically.
    fps : float
        Frames per second of the file (Hz). A gif holds whole hundredths of a second per frame: 20 and 25 are exact.
    speed : float
        Playing speed; 1 is real time, 0.25 is four times slower.
    window : tuple of float, optional
        Start and end (ms); by default all that both hold.
    integration : float
        Rates are means over this much time up to the end of the frame (ms).
    populations : sequence of str, optional
        Which populations; by default E and I.
    dpi : float
        Resolution; at 80 a frame has 544 × 288 pixels.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the ending is neither ``.gif`` nor ``.mp4``, the window leaves the movie or the recording, or it is
        shorter than one frame.
    """
    check_type("movie", movie, Movie)
    check_type("recording", recording, Recording)
    suffix = check_choice("format", Path(path).suffix.lower(), FORMATS)
    fps = check_number("fps", fps, "Hz", 0.1, 50 if suffix == ".gif" else 120)
    speed = check_number("speed", speed, "", 0, low_open=True)
    integration = check_number("integration", integration, "ms", 0, low_open=True)
    dpi = check_number("dpi", dpi, "dots per inch", 20, 400)
    end = min(movie.duration, recording.duration)
    start, stop = check_window(recording, (0.0, end) if window is None else window)
    if stop > movie.duration + 1e-6:
        raise ValueError(f"window ends at {stop:g} ms, after the movie: it must end by {movie.duration:g} ms")
    delay = 10.0 * round(100.0 / fps) if suffix == ".gif" else 1000.0 / fps
    step = delay * speed
    n = int(np.floor((stop - start) / step + 1e-6))
    if n < 1:
        raise ValueError(f"window lasts {stop - start:g} ms, less than one frame of {step:g} ms: make it longer")
    times = start + step * np.arange(n)
    names = check_populations(recording, populations, ("E", "I"))
    images = tqdm(
        _images(movie, recording, times, step, integration, names, dpi), "animation", n,
        disable=None if progress is None else not progress,
    )  # fmt: skip
    data = _gif(images, delay) if suffix == ".gif" else _mp4(images, 1000.0 / delay)
    return atomic_write(path, lambda file: file.write(data))


def _images(
    movie: Movie, recording: Recording, times: np.ndarray, step: float, integration: float, names: list[str], dpi: float
) -> Iterator[np.ndarray]:
    """Frames (height, width, 3) of 8 bits; what does not change is drawn once."""
    ends = times + step
    windows = np.column_stack([np.maximum(ends - integration, 0.0), np.minimum(ends, recording.duration)])
    bumps = {}
    for name in names:
        cells = recording.population(name)
        bumps[name] = ring_rates(cells, windows, min(PLACES, len(cells)))
    top = max(float(np.nanmax(rates)) for _, rates in bumps.values())
    figure = Figure(figsize=(6.8, 3.6), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    left = figure.add_axes((0.03, 0.13, 0.40, 0.40 * 6.8 / 3.6))
    right = figure.add_axes((0.56, 0.23, 0.36, 0.36 * 6.8 / 3.6), projection="polar")
    shown = movie.frame_index(times)
    options = {"cmap": "gray", "vmin": 0, "vmax": 1, "origin": "upper", "interpolation": "nearest", "animated": True}
    image = left.imshow(movie.frames[shown[0]], **options)
    left.set(xticks=[], yticks=[], xlabel=f"{movie.shape[2]} × {movie.shape[1]} px")
    clock = left.text(0.5, 1.03, "", transform=left.transAxes, ha="center", animated=True)
    angles = _orientation_at(recording, times)
    lines = {}
    for name in names:
        style = {"color": colour_of(name), "ls": dashes_of(name), "label": name_of(name)}
        lines[name] = right.plot([], [], lw=1.8, animated=True, **style)[0]
    prepare_ring(right, top)
    style = {
        "color": "black",
        "lw": 1.2,
        "ls": (0, (1, 1.5)),
        "marker": "D",
        "ms": 5,
        "markevery": [-1],
        "label": "stimulus" if np.isfinite(angles).any() else None,
    }
    (mark,) = right.plot([], [], animated=True, clip_on=False, **style)
    finish_legend(right, f"mean rate per cell in the last {integration:g} ms")
    canvas.draw()
    background = canvas.copy_from_bbox(figure.bbox)
    for k, angle in enumerate(angles):
        canvas.restore_region(background)
        image.set_data(movie.frames[shown[k]])
        clock.set_text(f"{times[k]:.0f} ms")
        for name, line in lines.items():
            centres, rates = bumps[name]
            line.set_data(*closed(centres, rates[:, k]))
        mark.set_data(([], []) if np.isnan(angle) else (2 * np.radians([angle, angle]), [0, right.get_ylim()[1]]))
        for artist in (image, clock, *lines.values(), mark):
            artist.axes.draw_artist(artist)
        yield np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _orientation_at(recording: Recording, times: np.ndarray) -> np.ndarray:
    """Orientation on screen (deg) at each time, NaN in the gaps."""
    windows = recording.protocol.windows()
    angles = recording.protocol.table["orientation"].to_numpy(float)
    row = np.searchsorted(windows[:, 0], times + 1e-6, side="right") - 1
    seen = (row >= 0) & (times < windows[np.maximum(row, 0), 1] - 1e-6)
    return np.where(seen, angles[np.maximum(row, 0)], np.nan)


def _gif(images: Iterator[np.ndarray], delay: float) -> bytes:
    from PIL import Image

    # One palette for all frames: no flicker, smaller differences.
    palette = Image.new("P", (1, 1))
    palette.putpalette(_palette().ravel().tolist())
    pages = [Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE) for pixels in images]
    buffer = BytesIO()
    pages[0].save(buffer, "GIF", save_all=True, append_images=pages[1:], duration=int(delay), loop=0)
    return buffer.getvalue()


def _palette() -> np.ndarray:
    """64 colours (64, 3) of 8 bits: greys, and our colours in steps to white."""
    white = np.ones(3)
    greys = np.linspace(0, 1, 40)[:, None] * white
    steps = np.linspace(0, 0.85, 6)[:, None]
    tints = [(1 - steps) * np.array(to_rgb(colour)) + steps * white for colour in TINTS]
    return np.round(255 * np.concatenate([greys, *tints])).astype(np.uint8)


def _mp4(images: Iterator[np.ndarray], fps: float) -> bytes:
    import imageio.v2 as imageio

    options = {"codec": "libx264", "pixelformat": "yuv420p", "macro_block_size": 2, "quality": 7}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        with imageio.get_writer(path, format="FFMPEG", fps=fps, **options) as writer:
            for pixels in images:
                writer.append_data(pixels)
        return path.read_bytes()
