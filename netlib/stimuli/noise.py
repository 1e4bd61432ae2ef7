"""Stimuli that map receptive fields: dense noise for reverse correlation, and single patches on a grey screen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_integer, check_number
from netlib.base.fields import Declared, choice, number
from netlib.base.seeds import stream
from netlib.stimuli.stimulus import LARGEST_SEED, Stimulus, image_axes

__all__ = ["DenseNoise", "Patch"]


class _Unoriented(Stimulus):
    @property
    def B_theta(self) -> float:
        """NaN: no orientation."""
        return float("nan")


@dataclass(frozen=True)
class DenseNoise(_Unoriented):
    """Checks that are black or white at random, all drawn anew every ``hold`` ms.

    Attributes
    ----------
    check : int
        Side of a check (pixels).
    hold : float
        How long an image stays (ms); a whole number of frames.
    contrast : float
        In [0, 1]: checks are at ``0.5 (1 + contrast)`` or ``0.5 (1 - contrast)``.
    seed : int
        Seed of the noise. The images do not depend on how long the movie is.

    Examples
    --------
    >>> movie = DenseNoise(check=4, hold=20.0, contrast=0.5).movie(100.0, size=16)
    >>> np.unique(movie.frames).tolist(), len(np.unique(movie.frames, axis=0))
    ([0.25, 0.75], 5)
    """

    check: int = 2
    hold: float = 10.0
    contrast: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:  # by hand: the field ``check`` has the name of the method of a Declared
        object.__setattr__(self, "check", check_integer("check", self.check, 1, unit="pixels"))
        check_number("hold", self.hold, "ms", 0, low_open=True)
        check_number("contrast", self.contrast, "", 0, 1)
        object.__setattr__(self, "seed", check_integer("seed", self.seed, 0, LARGEST_SEED))

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        image = np.floor(times / self.hold + 1e-9).astype(int)
        side = -(-size // self.check)
        checks = stream(self.seed, "dense noise").integers(0, 2, (image[-1] + 1, side, side), dtype=np.int8)
        drawn = (2 * checks - 1).repeat(self.check, 1).repeat(self.check, 2)[:, :size, :size]
        return (self.contrast * drawn[image]).astype(np.float32)


@dataclass(frozen=True)
class Patch(Declared, _Unoriented):
    """A light or dark square on grey.

    Attributes
    ----------
    x, y : float
        Centre, in pixels from the centre of the screen, to the right and up.
    width : float
        Side (pixels); a pixel belongs to it if its middle does.
    polarity : {"light", "dark"}
        Lighter or darker than the grey around it.
    contrast : float
        In [0, 1]: the square is at ``0.5 (1 + contrast)`` or ``0.5 (1 - contrast)``.

    Examples
    --------
    >>> frame = Patch(x=4.0, y=4.0, width=4.0, polarity="dark").movie(10.0, size=16).frames[0]
    >>> int((frame == 0).sum()), bool((frame[2:6, 10:14] == 0).all())
    (16, True)
    """

    x: float = number(0.0, "pixels")
    y: float = number(0.0, "pixels")
    width: float = number(8.0, "pixels", 0, low_open=True)
    polarity: str = choice("light", ("light", "dark"))
    contrast: float = number(1.0, "", 0, 1)

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        x, y = image_axes(size)
        half = self.width / 2
        inside = (-half <= x - self.x) & (x - self.x < half) & (-half <= y - self.y) & (y - self.y < half)
        sign = 1.0 if self.polarity == "light" else -1.0
        return (sign * self.contrast * inside).astype(np.float32)[None]
