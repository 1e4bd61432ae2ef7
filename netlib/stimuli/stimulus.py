"""What all stimuli share: the interface, the image axes, drifting waves and envelopes.

Image axes: x to the right, y up, both in pixels from the centre of the image; row 0 of a frame is at the top.
A contour of orientation ``theta`` lies along ``(cos theta, sin theta)``. Moving stimuli drift at right angles
to it, towards ``theta - 90`` degrees (vertical bars move to the right, horizontal bars down), or towards
``theta + 90`` when reversed.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from netlib.base.checks import check_integer, check_number
from netlib.base.fields import Declared
from netlib.stimuli.movie import Movie, frame_count

__all__ = ["LARGEST_SEED", "RMS_PER_CONTRAST", "Blank", "DriftingStimulus", "Stimulus", "image_axes", "texture"]

#: Rms of the contrast signal (2 L - 1) of a texture of contrast 1: three standard deviations reach black and white.
RMS_PER_CONTRAST = 1 / 3
#: Largest seed of a stimulus: a floating-point column of a table holds it exactly.
LARGEST_SEED = 2**53 - 1


class Stimulus(ABC):
    """Something that can be shown: a frozen dataclass of parameters that renders itself as a movie.

    Attributes
    ----------
    contrast : float
        In [0, 1].

    Examples
    --------
    >>> from netlib.stimuli.gratings import Grating
    >>> stimulus = Grating(theta=0.0)
    >>> stimulus.movie(100.0, size=16), stimulus.orientation, stimulus.direction, stimulus.reversed().direction
    (Movie(10 frames of 16 x 16 pixels, 10 ms each), 0.0, 270.0, 90.0)
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    contrast: float

    def movie(self, duration: float, size: int = 64, frame_rate: float = 100.0) -> Movie:
        """Render the stimulus from its onset on.

        Parameters
        ----------
        duration : float
            Length (ms), a whole number of frames.
        size : int
            Height and width (pixels).
        frame_rate : float
            Frames per second (Hz). Each frame is the image at its own onset.

        Raises
        ------
        ValueError
            If the duration is not a positive whole number of frames, or another argument is out of range.
        """
        n_frames = frame_count(duration, frame_rate)
        size = check_integer("size", size, 4, unit="pixels")
        times = np.arange(n_frames) * (1000.0 / frame_rate)
        signal = np.clip(self._signal(times, size, float(frame_rate)), -1, 1)
        return Movie(0.5 + 0.5 * np.broadcast_to(signal, (n_frames, size, size)), 1000.0 / frame_rate)

    @abstractmethod
    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        """Contrast signal (n_frames or 1, size, size) at ``times`` (ms after onset); what leaves [-1, 1] is cut."""

    def parameters(self) -> dict[str, float | int | str]:
        """Flat parameters by name, as a row of a protocol table holds them (booleans as 0 or 1)."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: int(value) if isinstance(value, bool) else value for name, value in values.items()}

    @property
    def orientation(self) -> float:
        """Orientation of the contours (degrees in [0, 180)), NaN where the stimulus has none."""
        return float(getattr(self, "theta", np.nan))

    @property
    def B_theta(self) -> float:
        """Orientation bandwidth (degrees): 0 for a single contour orientation, NaN where there is none."""
        return 0.0

    @property
    def direction(self) -> float:
        """Direction of motion (degrees in [0, 360), 0 rightward, 90 upward), NaN if it has none."""
        return float("nan")

    def reversed(self) -> Self:
        """The same stimulus drifting the opposite way.

        Raises
        ------
        ValueError
            If it has no direction of motion.
        """
        raise ValueError(f"{type(self).__name__} has no direction of motion to reverse")


@dataclass(frozen=True)
class Blank(Stimulus):
    """Uniform grey, luminance 0.5.

    Examples
    --------
    >>> float(Blank().movie(50.0, size=8).frames.mean()), Blank().orientation
    (0.5, nan)
    """

    contrast = 0.0

    @property
    def B_theta(self) -> float:
        """NaN: a blank has no orientation."""
        return float("nan")

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        return np.zeros((1, size, size), np.float32)


def image_axes(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates from the centre of the image: x (1, size) to the right, y (size, 1) up.

    Examples
    --------
    >>> x, y = image_axes(4)
    >>> x.tolist(), y[:, 0].tolist()
    ([[-1.5, -0.5, 0.5, 1.5]], [1.5, 0.5, -0.5, -1.5])
    """
    axis = np.arange(size) - (size - 1) / 2
    return axis[None, :], -axis[:, None]


def texture(signal: np.ndarray, contrast: float) -> np.ndarray:
    """Scale a noise or a photograph to mean 0 and rms ``contrast * RMS_PER_CONTRAST``, over all frames together.

    The peak of a random texture depends on its seed and length, its rms does not: so equal contrast is equal
    drive. A rare pixel (0.3 % of a Gaussian texture at contrast 1) is cut at black or white afterwards.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(5.0, 2.0, (4, 16, 16)).astype(np.float32)
    >>> round(float(texture(noise, 0.5).std() / RMS_PER_CONTRAST), 3)
    0.5
    """
    signal = signal - signal.mean(dtype=np.float64).astype(np.float32)
    rms = float(np.sqrt(np.mean(signal**2, dtype=np.float64)))
    if rms == 0:
        raise ValueError("the texture is uniform: it cannot be given a contrast")
    return signal * np.float32(contrast * RMS_PER_CONTRAST / rms)


class DriftingStimulus(Declared, Stimulus):
    """A stimulus with ``theta`` (degrees), ``temporal_frequency`` (Hz) and ``reverse``: one wave behind a window.

    Examples
    --------
    >>> from netlib.stimuli.gratings import Grating
    >>> isinstance(Grating(), DriftingStimulus), Grating(theta=45.0, temporal_frequency=0.0).direction
    (True, nan)
    """

    theta: float
    temporal_frequency: float
    phase: float
    reverse: bool

    def __post_init__(self) -> None:
        """Check the fields; ``theta`` is wrapped to [0, 180)."""
        super().__post_init__()
        object.__setattr__(self, "theta", float(self.theta) % 180.0)
        object.__setattr__(self, "reverse", bool(self.reverse))

    @property
    def _normal(self) -> float:
        """Direction at right angles to the contours, in which a drift goes (degrees in [0, 360))."""
        return float((self.theta + (90 if self.reverse else -90)) % 360)

    @property
    def direction(self) -> float:
        """Direction of motion (degrees in [0, 360), 0 rightward, 90 upward), NaN if the wave stands still."""
        return self._normal if self.temporal_frequency > 0 else float("nan")

    def reversed(self) -> Self:
        """The same stimulus drifting the opposite way.

        Raises
        ------
        ValueError
            If it stands still.
        """
        if self.temporal_frequency == 0:
            return super().reversed()
        return dataclasses.replace(self, reverse=not self.reverse)

    def _wave_phase(self, times: np.ndarray, frame_rate: float) -> np.ndarray:
        """Phase (radians) at ``times`` (ms), one value if the wave stands still; refuses what frames cannot show."""
        if self.temporal_frequency == 0:
            return np.radians([float(self.phase)])
        check_number("temporal_frequency", self.temporal_frequency, "Hz", 0, frame_rate / 2, high_open=True)
        return np.radians(self.phase) - 2 * np.pi * self.temporal_frequency * times / 1000.0

    def _wave(self, times: np.ndarray, frame_rate: float, x: np.ndarray, y: np.ndarray, sf: float) -> np.ndarray:
        """``cos(2 pi sf (x cos d + y sin d) + phase(t))``, shape (n_frames or 1, height, width), by the sum rule."""
        phase = self._wave_phase(times, frame_rate).astype(np.float32)[:, None, None]
        d = np.radians(self._normal)
        place = (2 * np.pi * sf * (x * np.cos(d) + y * np.sin(d))).astype(np.float32)
        return np.cos(phase) * np.cos(place) - np.sin(phase) * np.sin(place)
