"""Movies: frames of luminance that each last the same number of milliseconds, and their files."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netlib.base.checks import check_choice, check_integer, check_number, check_type, on_grid
from netlib.base.provenance import atomic_write

__all__ = ["FORMATS", "Movie", "frame_count", "load", "mp4_bytes", "save"]

#: Endings of files: npz is exact, mp4 and gif are to look at.
FORMATS = (".gif", ".mp4", ".npz")
#: Shortest delay (ms) between the frames of a gif that viewers respect.
GIF_DELAY = 20
#: Rounding allowed when a luminance is compared with 0 and 1.
_ROUNDING = 1e-6


def frame_count(duration: float, frame_rate: float, name: str = "duration") -> int:
    """Whole number of frames that ``duration`` (ms) holds at ``frame_rate`` (Hz).

    Raises
    ------
    ValueError
        If either is not positive, or if the duration is not a whole number of frames.

    Examples
    --------
    >>> frame_count(1000, 24)
    24
    """
    duration = check_number(name, duration, "ms", 0, low_open=True)
    frame_rate = check_number("frame_rate", frame_rate, "Hz", 0, low_open=True)
    step = 1000.0 / frame_rate
    if duration < step / 2:
        raise ValueError(f"{name} = {duration:g} ms is less than one frame of {step:g} ms ({frame_rate:g} Hz)")
    return round(on_grid(name, duration, step) / step)


@dataclass(frozen=True, eq=False)
class Movie:
    """Grey-level movie shown by sample and hold: frame ``i`` is on from ``i * frame_duration`` on.

    Attributes
    ----------
    frames : ndarray of float32, shape (n_frames, height, width)
        Luminance in [0, 1]; 0.5 is the grey background. Row 0 is at the top.
    frame_duration : float
        How long each frame lasts (ms): 1000 / frame rate.

    Raises
    ------
    ValueError
        If the movie is empty, is not three-dimensional, holds NaN (the frame is named) or leaves [0, 1].

    Examples
    --------
    >>> film = Movie(np.linspace(0, 1, 5 * 4 * 4).reshape(5, 4, 4), 10.0)
    >>> film, film.duration, film.frame_index([0.0, 9.9, 10.0]).tolist()
    (Movie(5 frames of 4 x 4 pixels, 10 ms each), 50.0, [0, 0, 1])
    """

    frames: np.ndarray
    frame_duration: float

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, dtype=np.float32).view()
        if frames.ndim != 3:
            raise ValueError(
                f"frames has {frames.ndim} dimensions (shape {frames.shape}): it must have 3, (n_frames, height, width)"
            )
        if frames.size == 0:
            raise ValueError(f"frames is empty (shape {frames.shape}): a movie must hold at least one frame")
        low, high = frames.min(), frames.max()
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            _refuse(frames)
        if low < 0 or high > 1:
            frames = frames.clip(0, 1)
        frames.flags.writeable = False
        object.__setattr__(self, "frames", frames)
        duration = check_number("frame_duration", self.frame_duration, "ms", 0, low_open=True)
        object.__setattr__(self, "frame_duration", duration)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        n, height, width = self.shape
        return f"Movie({n} frames of {height} x {width} pixels, {self.frame_duration:g} ms each)"

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n_frames, height, width)``."""
        return self.frames.shape

    @property
    def frame_rate(self) -> float:
        """Frames per second (Hz)."""
        return 1000.0 / self.frame_duration

    @property
    def duration(self) -> float:
        """Length of the movie (ms)."""
        return len(self.frames) * self.frame_duration

    @property
    def times(self) -> np.ndarray:
        """Onset of each frame (ms), shape (n_frames,)."""
        return np.arange(len(self.frames)) * self.frame_duration

    def contrast_signal(self) -> np.ndarray:
        """Luminance relative to grey, ``2 * frames - 1``, in [-1, 1]."""
        return 2 * self.frames - 1

    def frame_index(self, times: np.ndarray) -> np.ndarray:
        """Index of the frame on screen at ``times`` (ms): ``floor(t / frame_duration)``, safe from rounding."""
        return np.floor(np.asarray(times, float) / self.frame_duration + 1e-9).astype(np.int64)

    def resample(self, dt: float, duration: float | None = None) -> Movie:
        """Movie sampled every ``dt`` by sample and hold: sample ``k`` shows the frame on screen at ``k * dt``.

        Parameters
        ----------
        dt : float
            New frame duration (ms).
        duration : float, optional
            Length of the result (ms), a whole number of ``dt``; by default as many whole ``dt`` as the movie holds.

        Raises
        ------
        ValueError
            If ``dt`` is not positive, or the duration is longer than the movie or off the grid of ``dt``.

        Examples
        --------
        >>> film = Movie(np.full((24, 2, 2), 0.5), 1000 / 24)
        >>> film.resample(1.0).shape
        (1000, 2, 2)
        """
        dt = check_number("dt", dt, "ms", 0, low_open=True)
        if duration is None:
            n_samples = int(np.floor(self.duration / dt + 1e-9))
            if n_samples == 0:
                raise ValueError(f"dt = {dt:g} ms is longer than the movie: it must be in (0, {self.duration:g}] ms")
        else:
            n_samples = frame_count(duration, 1000.0 / dt)
            if duration > self.duration * (1 + 1e-9):
                raise ValueError(
                    f"duration = {duration:g} ms is longer than the movie: it must be in (0, {self.duration:g}] ms"
                )
        index = np.minimum(self.frame_index(np.arange(n_samples) * dt), len(self.frames) - 1)
        return Movie(self.frames[index], dt)

    def concatenate(self, *others: Movie) -> Movie:
        """This movie followed by the others, which must have its frame size and frame duration.

        Raises
        ------
        ValueError
            If one of the others differs in size or frame duration.
        """
        for other in others:
            check_type("movie", other, Movie)
            if other.shape[1:] != self.shape[1:]:
                raise ValueError(f"movie has frames of {other.shape[1:]} pixels: they must be {self.shape[1:]}")
            if abs(other.frame_duration - self.frame_duration) > 1e-9 * self.frame_duration:
                raise ValueError(
                    f"frame_duration = {other.frame_duration:g} ms differs: it must be {self.frame_duration:g} ms"
                )
        return Movie(np.concatenate([self.frames, *(other.frames for other in others)]), self.frame_duration)

    def save(self, path: str | os.PathLike, **options: Any) -> Path:
        """Write the movie, atomically, in the format of the file's ending: see :func:`netlib.stimuli.movie.save`."""
        return save(self, path, **options)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Movie:
        """Read a movie that was saved as ``.npz``."""
        return load(path)


def _refuse(frames: np.ndarray) -> None:
    """Raise the ValueError that says which frame is not a luminance."""
    flat = frames.reshape(len(frames), -1)
    unknown = ~np.isfinite(flat).all(axis=1)
    if unknown.any():
        frame = int(np.argmax(unknown))
        raise ValueError(
            f"frames[{frame}] holds NaN or infinite luminance ({unknown.sum()} such frames): it must be in [0, 1]"
        )
    outside = (flat.min(axis=1) < -_ROUNDING) | (flat.max(axis=1) > 1 + _ROUNDING)
    frame = int(np.argmax(outside))
    raise ValueError(
        f"frames[{frame}] has luminance in [{flat[frame].min():g}, {flat[frame].max():g}]: it must be in [0, 1]"
    )


# ---------------------------------------------------------------- files


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


def mp4_bytes(images: Iterable[np.ndarray], fps: float, quality: float) -> bytes:
    """H.264 video of images (height, width, 3) of 8 bits and even size, at ``fps`` (Hz); 10 is the best quality."""
    import imageio.v2 as imageio

    options: dict[str, Any] = {"codec": "libx264", "pixelformat": "yuv420p", "macro_block_size": 2, "quality": quality}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "movie.mp4"
        writer: Any
        with imageio.get_writer(path, format="FFMPEG", fps=fps, **options) as writer:
            for image in images:
                writer.append_data(image)
        return path.read_bytes()


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
    pixels = _pixels(movie.frames, min_size)
    odd = [(0, n % 2) for n in pixels.shape[1:]]
    images = (np.repeat(np.pad(frame, odd, mode="edge")[:, :, None], 3, axis=2) for frame in pixels)
    return mp4_bytes(images, movie.frame_rate * speed, quality=8)


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
