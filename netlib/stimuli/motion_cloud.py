"""Motion Clouds: random textures of known orientation, spatial frequency and speed.

The spectral envelopes are those of the MotionClouds package (Sanz Leon et al. 2012, J Neurophysiol 107:3217;
Vacher et al. 2018, Neural Comput 30:3355). The package lays them on the Fourier grid of the movie, whose angular
step in a 64-pixel frame, at 0.1 cycles/pixel, is 9 degrees: too coarse for a narrow ``B_theta``, not the same
for all ``theta``, and impossible for ``B_theta = 0``. Here the same envelopes weigh plane waves whose frequencies
are drawn in the frame of the stimulus, off the grid. A cloud of another ``theta`` is then the same cloud turned,
and every bandwidth down to 0 is exact.
"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np

from netlib.base.fields import Declared, integer, number, orientation
from netlib.base.seeds import stream
from netlib.stimuli.stimulus import LARGEST_SEED, Stimulus, image_axes, texture

__all__ = ["MotionCloud"]

#: Frame rate (Hz) that the speeds refer to: MotionClouds' own.
REFERENCE_RATE = 100.0
#: Strata of log frequency, angle and speed from which one wave each is drawn.
STRATA = (16, 12, 6)
#: How far the strata reach, in standard deviations of the amplitude envelope.
REACH = 2.5
#: Below this bandwidth (degrees) the package's exponential overflows; there angles scale with B_theta.
NARROW = 1.5
#: Values held at once while waves are added up.
BLOCK = 2**24


@dataclass(frozen=True)
class MotionCloud(Declared, Stimulus):
    """Random texture that drifts at right angles to its mean contour.

    Attributes
    ----------
    theta : float
        Mean orientation of the contours (degrees): 0 horizontal, 90 vertical, counter-clockwise.
    B_theta : float
        Orientation bandwidth (degrees), in [0, inf]: standard deviation of the amplitude envelope, as in
        MotionClouds; that of the energy is ``B_theta / sqrt(2)``. 0 is one single orientation, ``inf`` all alike.
    sf_0 : float
        Spatial frequency (cycles/pixel), in (0, 0.5). The default, 0.1, is where a centre-surround field of
        sigma 2 and 2.4 pixels responds most (one of 1 and 1.2 pixels, at 0.2), and shows 6 cycles in 64 pixels.
    B_sf : float
        Bandwidth of spatial frequency (cycles/pixel): the envelope is log-normal, of standard deviation
        ``ln(1 + B_sf / sf_0)``.
    V_X, V_Y : float
        Mean velocity in the frame of the stimulus, in pixels per frame at 100 Hz (1 is 100 pixels/s at any
        frame rate): ``V_X`` across the contours, towards ``theta - 90`` degrees, and ``V_Y`` along them,
        towards ``theta``. At ``theta = 90`` that is rightward and upward. So the temporal modulation does not
        depend on ``theta``. The default makes 10 Hz at ``sf_0``, near the best of the LGN's temporal kernel.
    B_V : float
        Bandwidth of speed, in the unit of ``V_X``; 0 is a rigid drift.
    contrast : float
        In [0, 1]. The rms of ``2 L - 1`` over the movie is ``contrast / 3``: three standard deviations of a
        full-contrast cloud reach black and white, and the 0.3 % of pixels beyond are cut. Scaling by the rms,
        not by the largest value, gives the same drive for any seed, duration and bandwidth.
    seed : int
        Seed of the phases. The same seed and another ``theta`` is the same cloud turned.

    Examples
    --------
    >>> from netlib.stimuli.content import dominant_orientation
    >>> cloud = MotionCloud(theta=60.0, B_theta=5.0, seed=1)
    >>> cloud.direction, round(dominant_orientation(cloud.movie(100.0, size=32))[0])
    (330.0, 61)
    """

    theta: float = orientation(90.0)
    B_theta: float = number(15.0, "deg", 0, finite=False)
    sf_0: float = number(0.1, "cycles/pixel", 0, 0.5, low_open=True, high_open=True)
    B_sf: float = number(0.05, "cycles/pixel", 0, low_open=True)
    V_X: float = number(1.0, "pixels/frame at 100 Hz")
    V_Y: float = number(0.0, "pixels/frame at 100 Hz")
    B_V: float = number(0.2, "pixels/frame at 100 Hz", 0)
    contrast: float = number(1.0, "", 0, 1)
    seed: int = integer(0, 0, LARGEST_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "theta", float(self.theta) % 180.0)
        object.__setattr__(self, "seed", int(self.seed))

    @property
    def orientation(self) -> float:
        """Mean orientation of the contours (degrees), NaN if all are alike (infinite bandwidth)."""
        return float("nan") if np.isinf(self.B_theta) else float(self.theta)

    @property
    def direction(self) -> float:
        """Direction of the mean motion (degrees in [0, 360), 0 rightward, 90 upward), NaN without one."""
        if self.V_X == 0 and self.V_Y == 0:
            return float("nan")
        return float((self.theta - 90 + np.degrees(np.arctan2(self.V_Y, self.V_X))) % 360)

    def reversed(self) -> Self:
        """The same cloud drifting the opposite way.

        Raises
        ------
        ValueError
            If its mean speed is 0.
        """
        if self.V_X == 0 and self.V_Y == 0:
            return super().reversed()
        return dataclasses.replace(self, V_X=-self.V_X, V_Y=-self.V_Y)

    def _signal(self, times: np.ndarray, size: int, frame_rate: float) -> np.ndarray:
        fx, fy, ft, amplitude = self._waves(frame_rate)
        x, y = image_axes(size)
        beat = 2 * np.pi * ft[:, None] * times * (REFERENCE_RATE / 1000.0)
        in_time = (amplitude[:, None] * np.exp(1j * beat)).astype(np.complex64)
        # Real part of (space @ time) by real products: half the work.
        in_time = np.concatenate([in_time.real, -in_time.imag])
        columns = np.exp(2j * np.pi * fx[:, None] * x).astype(np.complex64)
        rows = np.exp(2j * np.pi * fy[:, None] * y.T).astype(np.complex64)
        signal = np.empty((size, size, len(times)), np.float32)
        step = max(1, BLOCK // (2 * len(fx) * size))
        for first in range(0, size, step):
            space = rows[:, first : first + step, None] * columns[:, None, :]
            space = np.concatenate([space.real, space.imag]).reshape(2 * len(fx), -1)
            signal[first : first + step] = (space.T @ in_time).reshape(-1, size, len(times))
        return texture(signal.transpose(2, 0, 1), self.contrast)

    def _waves(self, frame_rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Plane waves of the cloud: frequencies to the right, up and in time, and complex amplitudes.

        Space in cycles/pixel, time in cycles per frame at 100 Hz. One wave is drawn in each stratum of (log
        frequency, angle, speed); its amplitude is the package's envelope times the root of the volume of
        Fourier space it stands for, f^3.
        """
        import MotionClouds

        rng = stream(self.seed, "motion cloud")
        jitter = rng.random((3, *STRATA))
        stratum = np.indices(STRATA) + jitter
        octave, angle, pace = REACH * (2 * stratum / np.reshape(STRATA, (3, 1, 1, 1)) - 1)
        f = self.sf_0 * np.exp(octave * np.log1p(self.B_sf / self.sf_0))
        shown = float(np.radians(max(self.B_theta, NARROW)))
        angle = angle * min(shown, np.pi / 2 / REACH)
        scale = min(1.0, self.B_theta / NARROW)

        def frequency(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            fx, fy = f * np.cos(angle), f * np.sin(angle)
            return fx, fy, self.B_V * pace * f - fx * self.V_X - fy * self.V_Y

        envelope = MotionClouds.envelope_gabor(
            *frequency(angle),
            V_X=self.V_X,
            V_Y=self.V_Y,
            B_V=self.B_V or np.inf,  # one speed: no envelope over speeds, all waves are on the plane
            sf_0=self.sf_0,
            B_sf=self.B_sf,
            theta=0.0,
            B_theta=np.inf if np.isinf(shown) else shown,
        )
        fx, fy, ft = (part.ravel() for part in frequency(angle * scale))
        weight = (envelope / envelope.max() * f**1.5).ravel()
        seen = (f.ravel() < 0.5) & (np.abs(ft) < 0.5 * frame_rate / REFERENCE_RATE)
        self._warn(1 - np.sum(weight[seen] ** 2) / np.sum(weight**2), frame_rate)
        phase = np.exp(2j * np.pi * rng.random(seen.size))
        turn = np.exp(1j * np.radians(self.theta - 90)) * (fx + 1j * fy)
        return turn.real[seen], turn.imag[seen], ft[seen], (weight * phase)[seen]

    def _warn(self, lost: float, frame_rate: float) -> None:
        """Say how much of the cloud's energy is too fast or too fine for the frames to show."""
        if lost > 0.9:
            raise ValueError(
                f"V_X = {self.V_X:g}, V_Y = {self.V_Y:g} pixels/frame at 100 Hz, sf_0 = {self.sf_0:g} cycles/pixel: "
                f"{100 * lost:.0f} % of this cloud flickers faster than frame_rate = {frame_rate:g} Hz can show"
            )
        if lost > 0.1:
            warnings.warn(
                f"{100 * lost:.0f} % of the cloud's energy is beyond what frames of {frame_rate:g} Hz and pixels "
                "can show and is left out",
                stacklevel=4,
            )
