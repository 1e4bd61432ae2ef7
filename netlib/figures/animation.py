"""What was shown and what the ring did, side by side, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from tqdm import tqdm

from netlib.base.checks import check_choice, check_number, check_type
from netlib.base.provenance import atomic_write
from netlib.figures.activity import (
    RING_PLACES,
    check_populations,
    check_window,
    closed,
    finish_legend,
    prepare_ring,
    ring_rates,
)
from netlib.figures.style import COLOURS, colour_of, dashes_of, name_of, styled
from netlib.recordings.recording import Recording
from netlib.stimuli.movie import Movie, mp4_bytes

__all__ = ["animate"]

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
    data = _gif(images, delay) if suffix == ".gif" else mp4_bytes(images, 1000.0 / delay, quality=7)
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
        bumps[name] = ring_rates(cells, windows, min(RING_PLACES, len(cells)))
    top = max(float(np.nanmax(rates)) for _, rates in bumps.values())
    figure = Figure(figsize=(6.8, 3.6), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    left = figure.add_axes((0.03, 0.13, 0.40, 0.40 * 6.8 / 3.6))
    right = cast(PolarAxes, figure.add_axes((0.56, 0.23, 0.36, 0.36 * 6.8 / 3.6), projection="polar"))
    shown = movie.frame_index(times)
    grey: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1, "origin": "upper", "interpolation": "nearest"}
    image = left.imshow(movie.frames[shown[0]], animated=True, **grey)
    left.set(xticks=[], yticks=[], xlabel=f"{movie.shape[2]} × {movie.shape[1]} px")
    clock = left.text(0.5, 1.03, "", transform=left.transAxes, ha="center", animated=True)
    angles = _orientation_at(recording, times)
    lines = {}
    for name in names:
        (lines[name],) = right.plot(
            [], [], lw=1.8, animated=True, color=colour_of(name), ls=dashes_of(name), label=name_of(name)
        )
    prepare_ring(right, top)
    label = "stimulus" if np.isfinite(angles).any() else None
    (mark,) = right.plot(
        [], [], animated=True, clip_on=False, color="black", lw=1.2, ls=(0, (1, 1.5)), marker="D", ms=5,
        markevery=[-1], label=label,
    )  # fmt: skip
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
        if np.isnan(angle):
            mark.set_data([], [])
        else:
            mark.set_data(2 * np.radians([angle, angle]), [0, right.get_ylim()[1]])
        for axes, artists in ((left, (image, clock)), (right, (*lines.values(), mark))):
            for artist in artists:
                axes.draw_artist(artist)
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
