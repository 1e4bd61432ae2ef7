"""Natural movie: a photograph seen by a drifting eye."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from netlib.base.checks import check_number
from netlib.base.fields import Declared, choice, integer, number
from netlib.base.seeds import stream
from netlib.stimuli.stimulus import LARGEST_SEED, Stimulus, texture

__all__ = ["NATURAL_GAIN", "PHOTOS", "NaturalMovie"]

#: Photographs hold less energy at the scale of the LGN's filters than a MotionCloud: the LGN is turned up for them.
NATURAL_GAIN = 3.0

#: Photographs inside the scikit-image wheel: nothing is downloaded.
PHOTOS = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "rocket": "rocket.jpg",
}


@dataclass(frozen=True)
class NaturalMovie(Declared, Stimulus):
    """A photograph under a seeded eye movement: fixational drift, and saccades if wanted.

    The drift is a Brownian walk, as human fixational drift is over these times, with a diffusion constant of
    some tens of arcmin^2/s (Kuang et al. 2012, Curr Biol 22:510): the default, 40, is in that range if one
    pixel spans one arcmin. Along each axis the gaze moves by a random step of variance ``2 drift t`` in a time
    ``t``, and is reflected where the frame would leave the photograph. Grey levels are taken as coded, with no
    gamma correction. Frames are cut at sub-pixel places by linear interpolation.

    Attributes
    ----------
    photo : str
        One of ``PHOTOS``.
    drift : float
        Diffusion constant of the fixational drift (pixel^2/s).
    saccade_rate : float
        Mean number of saccades per second (Hz), at random times; 0 for none.
    saccade_size : float
        Standard deviation of a saccade's step along each axis (pixels).
    scale : float
        Pixels of the photograph per pixel of the movie, at least 1; the photograph is blurred before.
    contrast : float
        In [0, 1]. The mean luminance is 0.5 and the rms of ``2 L - 1`` over the movie is ``contrast / 3``, as
        for a MotionCloud; what leaves [0, 1] is cut.
    seed : int
        Seed of the eye movement and of where it starts.

    Examples
    --------
    >>> film = NaturalMovie("camera", drift=100.0, seed=2)
    >>> film.gaze(100.0, size=32).shape, round(float(film.movie(100.0, size=32).contrast_signal().std()), 2)
    ((101, 2), 0.29)
    """

    photo: str = choice("camera", PHOTOS)
    drift: float = number(40.0, "pixel^2/s", 0)
    saccade_rate: float = number(0.0, "Hz", 0, 1000)
    saccade_size: float = number(20.0, "pixels", 0)
    scale: float = number(3.0, "photo pixels/pixel", 1)
    contrast: float = number(1.0, "", 0, 1)
    seed: int = integer(0, 0, LARGEST_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "seed", int(self.seed))

    @property
    def B_theta(self) -> float:
        """NaN: a photograph has no single orientation; see :mod:`netlib.stimuli.content` for what it holds."""
        return float("nan")

    def gaze(self, duration: float, size: int = 64) -> np.ndarray:
        """Place of the frame's top left corner in the scaled photograph, every ms.

        Parameters
        ----------
        duration : float
            Length (ms).
        size : int
            Height and width of the frame (pixels).

        Returns
        -------
        ndarray, shape (n_ms, 2)
            Row and column (pixels of the movie). The same for any frame rate.
        """
        check_number("duration", duration, "ms", 0, low_open=True)
        room = np.array(_photograph(self.photo, float(self.scale)).shape) - size
        if (room < 0).any():
            height, width = room + size
            raise ValueError(
                f"size = {size} pixels is larger than the photograph {self.photo!r} at scale {self.scale:g}, "
                f"{height} x {width} pixels: take a smaller scale"
            )
        rng = stream(self.seed, "eye movement")
        n = int(np.ceil(duration)) + 1
        start = rng.random(2) * room
        # Drift and saccades have streams of their own: a longer movie starts like a shorter one.
        drift = stream(self.seed, "eye movement", "drift").standard_normal((n - 1, 2)) * np.sqrt(2 * self.drift / 1000)
        chance = stream(self.seed, "eye movement", "saccade times").random(n - 1) < self.saccade_rate / 1000
        jumps = stream(self.seed, "eye movement", "saccades").standard_normal((n - 1, 2)) * self.saccade_size
        path = start + np.concatenate([np.zeros((1, 2)), np.cumsum(drift + chance[:, None] * jumps, axis=0)])
        # Reflection at both ends: a triangle wave of the free path.
        period = 2 * np.maximum(room, 1e-9)
        return room - np.abs(np.mod(path, period) - room)

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        photo = _photograph(self.photo, float(self.scale))
        path = self.gaze(float(times[-1]) + 1, size)
        corner = np.stack([np.interp(times, np.arange(len(path)), path[:, axis]) for axis in (0, 1)])
        axis = np.arange(size)
        rows, columns = (corner[k][:, None] + axis for k in (0, 1))
        shape = (len(times), size, size)
        grid = [np.broadcast_to(rows[:, :, None], shape), np.broadcast_to(columns[:, None, :], shape)]
        return texture(map_coordinates(photo, grid, order=1, mode="nearest"), self.contrast)


@lru_cache(maxsize=8)
def _photograph(photo: str, scale: float) -> np.ndarray:
    """Grey levels (float32) of a packaged photograph, blurred and made smaller by ``scale``."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter, map_coordinates

    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        raise ImportError("natural movies need scikit-image, which ships the photographs: pip install scikit-image")
    path = Path(package.origin).parent / "data" / PHOTOS[photo]
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: this version of scikit-image does not ship the photograph {photo!r}; "
            "install the version that constraints.txt names"
        )
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L"), np.float32) / 255
    if scale == 1:
        return grey
    grey = gaussian_filter(grey, 0.5 * scale)
    rows, columns = (np.arange(int(n // scale)) * scale + (scale - 1) / 2 for n in grey.shape)
    return map_coordinates(grey, np.meshgrid(rows, columns, indexing="ij"), order=1)
