"""Movies to and from files: npz (exact), mp4 and gif (to look at). All are written atomically."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from netlib.provenance import atomic_write
from netlib.stimuli.movie import Movie
from netlib.units import check_choice, check_integer, check_number, check_type

__all__ = ["FORMATS", "load", "save"]

FORMATS = (".gif", ".mp4", ".npz")
#: Shortest delay (ms) between the frames of a gif that viewers respect.
GIF_DELAY = 20


def save(movie: Movie, path: str | os.PathLike, *, speed: float = 1.0, min_size: int = 256) -> Path:
    """Write a movie in the format that the ending of ``path`` names: ``.npz``, ``.mp4`` or ``.gif``.

    Parameters
    ----------
    movie : Movie
        What to write.
    path : path
        Where; the folder is made.
    speed : float
        Playing speed of mp4 and gif; 1 is real time, 0.25 is four times slower.
    min_size : int
        Frames smaller than this (pixels) are enlarged by a whole factor in mp4 and gif.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the ending is unknown, or speed or min_size is out of range.

    Notes
    -----
    mp4 is H.264 (8 bits, 4:2:0), at the movie's own frame rate; a frame with an odd size gets one more row or
    column. A gif plays at most 50 frames per second and its delays are whole hundredths of a second: frames
    are dropped or held so that its length stays right.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(Movie(np.full((24, 8, 8), 0.5), 10.0), Path(folder) / "grey.gif").suffix
    '.gif'
    """
    check_type("movie", movie, Movie)
    suffix = check_choice("format", Path(path).suffix.lower(), FORMATS)
    speed = check_number("speed", speed, "", 0, low_open=True)
    min_size = check_integer("min_size", min_size, 1, unit="pixels")
    data = _npz(movie) if suffix == ".npz" else {".mp4": _mp4, ".gif": _gif}[suffix](movie, speed, min_size)
    return atomic_write(path, lambda file: file.write(data))


def load(path: str | os.PathLike) -> Movie:
    """Read a movie that was written as ``.npz``.

    Raises
    ------
    ValueError
        If the file is of another format or does not hold a movie.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(Movie(np.full((24, 8, 8), 0.5), 10.0), Path(folder) / "grey.npz"))
    Movie(24 frames of 8 x 8 pixels, 10 ms each)
    """
    check_choice("format", Path(path).suffix.lower(), [".npz"])
    with np.load(path, allow_pickle=False) as data:
        missing = {"frames", "frame_duration"} - set(data.files)
        if missing:
            raise ValueError(f"{path} is not a movie of netlib: it lacks {sorted(missing)}")
        return Movie(data["frames"], float(data["frame_duration"]))


def _npz(movie: Movie) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, frames=movie.frames, frame_duration=movie.frame_duration)
    return buffer.getvalue()


def _pixels(frames: np.ndarray, min_size: int) -> np.ndarray:
    """Grey levels of 8 bits, enlarged by a whole factor until the shorter side has ``min_size`` pixels."""
    factor = -(-min_size // min(frames.shape[1:]))
    levels = np.round(255 * frames).astype(np.uint8)
    return levels.repeat(factor, axis=1).repeat(factor, axis=2)


def _mp4(movie: Movie, speed: float, min_size: int) -> bytes:
    import imageio.v2 as imageio

    options: dict[str, Any] = {"codec": "libx264", "pixelformat": "yuv420p", "macro_block_size": 2, "quality": 8}
    pixels = _pixels(movie.frames, min_size)
    odd = [(0, n % 2) for n in pixels.shape[1:]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "movie.mp4"
        with imageio.get_writer(path, format="FFMPEG", fps=movie.frame_rate * speed, **options) as writer:
            for frame in pixels:
                writer.append_data(np.repeat(np.pad(frame, odd, mode="edge")[:, :, None], 3, axis=2))
        return path.read_bytes()


def _gif(movie: Movie, speed: float, min_size: int) -> bytes:
    from PIL import Image

    length = movie.duration / speed
    delay = max(GIF_DELAY, 10 * round(movie.frame_duration / speed / 10))
    n = max(1, round(length / delay))
    shown = np.minimum(movie.frame_index(np.arange(n) * delay * speed), len(movie) - 1)
    images = [Image.fromarray(frame) for frame in _pixels(movie.frames[shown], min_size)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=delay, loop=0)
    return buffer.getvalue()
