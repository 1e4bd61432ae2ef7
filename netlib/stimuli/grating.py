"""Drifting sinusoidal grating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.stimuli.base import DriftingStimulus, image_axes
from netlib.units import check_number

__all__ = ["Grating"]


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

    theta: float = 90.0
    sf: float = 0.1
    temporal_frequency: float = 4.0
    phase: float = 0.0
    contrast: float = 1.0
    reverse: bool = False
    aperture: float = np.inf
    edge: float = 4.0

    def __post_init__(self) -> None:
        self._check_drift()
        check_number("sf", self.sf, "cycles/pixel", 0, 0.5, low_open=True, high_open=True)
        check_number("aperture", self.aperture, "pixels", 0, low_open=True, finite=False)
        check_number("edge", self.edge, "pixels", 0, self.aperture)

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        x, y = image_axes(size)
        wave = self.contrast * self._wave(times, frame_rate, x, y, self.sf)
        if np.isinf(self.aperture):
            return wave
        outside = (np.hypot(x, y) - self.aperture / 2) / max(self.edge, 1e-9)
        window = 0.5 - 0.5 * np.sin(np.pi * np.clip(outside, -0.5, 0.5))
        return wave * window.astype(np.float32)
