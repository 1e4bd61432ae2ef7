"""Drifting or static waves behind a window: sinusoidal grating, Gabor and log-Gabor patches."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from netlib.base.checks import check_number
from netlib.base.fields import number, orientation, part
from netlib.stimuli.stimulus import DriftingStimulus, image_axes

__all__ = ["Gabor", "Grating", "LogGabor"]


@dataclass(frozen=True)
class Grating(DriftingStimulus):
    """Sinusoidal grating, full field or in a disc, drifting at right angles to its bars.

    The luminance at ``x`` pixels to the right of the centre and ``y`` above it, ``t`` ms after onset, is::

        L = 0.5 + 0.5 * contrast * A(r) * cos(2 pi [sf (x cos d + y sin d) - temporal_frequency t / 1000] + phase)

    with ``d = theta - 90`` degrees (``theta + 90`` when reversed) and ``r`` the distance from the centre. The
    aperture ``A`` is 1 without one; else it falls from 1 at ``(aperture - edge) / 2`` to 0 at
    ``(aperture + edge) / 2`` as a half period of a cosine.

    Attributes
    ----------
    theta : float
        Orientation of the bars (degrees): 0 horizontal, 90 vertical, counter-clockwise.
    sf : float
        Spatial frequency (cycles/pixel), in (0, 0.5).
    temporal_frequency : float
        Cycles per second (Hz), below half the frame rate; 0 stands still. The default, 4 Hz, is a whole
        number of cycles in 500 ms.
    phase : float
        Phase at the centre at onset (degrees); 0 is a bright bar.
    contrast : float
        Michelson contrast, (Lmax - Lmin) / (Lmax + Lmin), in [0, 1].
    reverse : bool
        Drift the opposite way.
    aperture : float
        Diameter of the disc at half height (pixels); ``inf`` fills the frame.
    edge : float
        Width of the aperture's soft edge (pixels).

    Examples
    --------
    >>> movie = Grating(theta=90.0, sf=0.125, temporal_frequency=5.0).movie(200.0, size=32)
    >>> np.allclose(movie.frames[5], np.roll(movie.frames[0], 2, axis=1), atol=1e-5)
    True
    """

    theta: float = orientation(90.0)
    sf: float = number(0.1, "cycles/pixel", 0, 0.5, low_open=True, high_open=True)
    temporal_frequency: float = number(4.0, "Hz", 0)
    phase: float = number(0.0, "deg")
    contrast: float = number(1.0, "", 0, 1)
    reverse: bool = part(False, (bool, np.bool_, int, float))
    aperture: float = number(np.inf, "pixels", 0, low_open=True, finite=False)
    edge: float = number(4.0, "pixels", 0)

    def check(self) -> None:
        check_number("edge", self.edge, "pixels", 0, self.aperture)

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        x, y = image_axes(size)
        wave = self.contrast * self._wave(times, frame_rate, x, y, self.sf)
        if np.isinf(self.aperture):
            return wave
        outside = (np.hypot(x, y) - self.aperture / 2) / max(self.edge, 1e-9)
        window = 0.5 - 0.5 * np.sin(np.pi * np.clip(outside, -0.5, 0.5))
        return wave * window.astype(np.float32)


@dataclass(frozen=True)
class Gabor(DriftingStimulus):
    """A grating behind a round Gaussian window; the window stands still, the wave may drift in it.

    The luminance at ``x`` pixels to the right of the image centre and ``y`` above it, ``t`` ms after onset, is::

        L = 0.5 + 0.5 * contrast * exp(-r^2 / (2 sigma^2))
              * cos(2 pi [sf (u cos d + v sin d) - temporal_frequency t / 1000] + phase)

    with ``u = x - centre_x``, ``v = y - centre_y``, ``r^2 = u^2 + v^2`` and ``d = theta - 90`` degrees
    (``theta + 90`` when reversed).

    Attributes
    ----------
    theta : float
        Orientation of the bars (degrees): 0 horizontal, 90 vertical, counter-clockwise.
    sf : float
        Spatial frequency (cycles/pixel), in (0, 0.5).
    sigma : float
        Standard deviation of the window (pixels).
    temporal_frequency : float
        Cycles per second (Hz), below half the frame rate; 0 stands still.
    phase : float
        Phase at the centre of the window at onset (degrees); 0 is a bright bar.
    contrast : float
        Largest contrast, in [0, 1].
    centre_x, centre_y : float
        Centre of the window from the centre of the image, to the right and up (pixels).
    reverse : bool
        Drift the opposite way.

    Examples
    --------
    >>> frame = Gabor(theta=90.0, sigma=6.0, centre_x=4.5).movie(10.0, size=32).frames[0]
    >>> int(frame.max(axis=0).argmax()) - 15.5
    4.5
    """

    theta: float = orientation(90.0)
    sf: float = number(0.1, "cycles/pixel", 0, 0.5, low_open=True, high_open=True)
    sigma: float = number(10.0, "pixels", 0, low_open=True)
    temporal_frequency: float = number(0.0, "Hz", 0)
    phase: float = number(0.0, "deg")
    contrast: float = number(1.0, "", 0, 1)
    centre_x: float = number(0.0, "pixels")
    centre_y: float = number(0.0, "pixels")
    reverse: bool = part(False, (bool, np.bool_, int, float))

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        x, y = image_axes(size)
        x, y = x - self.centre_x, y - self.centre_y
        window = np.exp(-(x**2 + y**2) / (2 * self.sigma**2)).astype(np.float32)
        return self.contrast * window * self._wave(times, frame_rate, x, y, self.sf)


@dataclass(frozen=True)
class LogGabor(DriftingStimulus):
    """Log-Gabor patch of the LogGabor package (Perrinet 2015, in Biologically Inspired Computer Vision, ch. 14).

    Its amplitude spectrum is ``exp(-ln(f / sf_0)^2 / (2 B_sf^2)) / f`` times ``exp(cos(a) / B_theta^2)``, with
    ``a`` the angle from the normal of the contours and ``B_theta`` in radians. One lobe only: the image is
    complex, its real and imaginary parts being the even and the odd patch. The patch drifts by turning from one
    into the other at ``temporal_frequency``.

    Attributes
    ----------
    theta : float
        Orientation of the bars (degrees): 0 horizontal, 90 vertical, counter-clockwise.
    sf_0 : float
        Peak spatial frequency (cycles/pixel), in (0, 0.5).
    B_sf : float
        Bandwidth: standard deviation of the natural logarithm of the frequency (no unit).
    B_theta : float
        Orientation bandwidth (degrees), in [3, 90]: standard deviation of the amplitude spectrum.
    temporal_frequency : float
        Cycles per second (Hz), below half the frame rate; 0 stands still.
    phase : float
        Phase at the centre of the patch at onset (degrees); 0 is a bright bar.
    contrast : float
        Largest contrast, in [0, 1].
    centre_x, centre_y : float
        Centre of the patch from the centre of the image, to the right and up (pixels).
    reverse : bool
        Drift the opposite way.

    Raises
    ------
    ImportError
        From :meth:`movie`, if the LogGabor package is not installed.

    Examples
    --------
    >>> LogGabor(theta=200.0, B_theta=10.0).parameters()["theta"]
    20.0
    """

    theta: float = orientation(90.0)
    sf_0: float = number(0.1, "cycles/pixel", 0, 0.5, low_open=True, high_open=True)
    B_sf: float = number(0.5, "", 0, low_open=True)
    # exp(1 / B^2) of the package leaves the floating-point range below 2.2 degrees.
    B_theta: float = number(15.0, "deg", 3, 90)
    temporal_frequency: float = number(0.0, "Hz", 0)
    phase: float = number(0.0, "deg")
    contrast: float = number(1.0, "", 0, 1)
    centre_x: float = number(0.0, "pixels")
    centre_y: float = number(0.0, "pixels")
    reverse: bool = part(False, (bool, np.bool_, int, float))

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        for name in ("centre_x", "centre_y"):
            check_number(name, getattr(self, name), "pixels", -size / 2, size / 2)
        patch = _patch(size, self.theta, self.sf_0, self.B_sf, self.B_theta, self.centre_x, self.centre_y)
        phase = self._wave_phase(times, frame_rate)[:, None, None]
        if self.reverse:  # the package's lobe points to theta - 90: a wave going back runs through it backwards
            phase = -phase
        return (self.contrast * (np.cos(phase) * patch.real - np.sin(phase) * patch.imag)).astype(np.float32)


@lru_cache(maxsize=64)
def _patch(
    size: int, theta: float, sf_0: float, B_sf: float, B_theta: float, centre_x: float, centre_y: float
) -> np.ndarray:
    """Complex log-Gabor image (size, size), 1 at the peak of its envelope.

    The package counts rows downwards, then columns: an angle ``theta`` from its first axis is, as displayed, a
    wave towards ``theta - 90`` degrees, so bars of orientation ``theta``. It is periodic: it gets a canvas of
    twice the size, of which the middle is kept.
    """
    canvas = 2 * size
    middle = size // 2 + (size - 1) / 2
    package = _package(canvas)
    with np.errstate(divide="ignore"):
        spectrum = package.loggabor(
            middle - centre_y, middle + centre_x, sf_0, B_sf, np.radians(theta), np.radians(B_theta)
        )
    image = package.invert(spectrum, full=True)
    image = image[size // 2 : size // 2 + size, size // 2 : size // 2 + size]
    return (image / np.abs(image).max()).astype(np.complex64)


@lru_cache(maxsize=4)
def _package(size: int) -> Any:
    """LogGabor package set up for square images, with all its parameters given, so that it fetches nothing."""
    try:
        with warnings.catch_warnings():  # SLIP silences all UserWarnings of the process
            from LogGabor import LogGabor as Package
    except ImportError as error:
        raise ImportError(
            "LogGabor stimuli need the LogGabor package, which pip cannot build by itself: "
            "run `make loggabor` in the netlib folder, or install numpy, scipy, matplotlib, imageio and setuptools, "
            "then NeuroTools, SLIP and LogGabor in this order with `pip install --no-build-isolation`"
        ) from error

    class Quiet(Package):
        def init_logging(self, *args: Any, **options: Any) -> None:
            """Keep the package from writing debug.log in the working directory."""
            self.log = logging.getLogger("LogGabor")

    parameters = {"N_X": size, "N_Y": size, "n_theta": 1, "base_levels": 2.0, "use_cache": False, "verbose": 30}
    return Quiet(parameters)
