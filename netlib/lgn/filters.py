"""What an LGN cell does to a movie: centre and surround and local contrast in space, a biphasic kernel in time.

Space is summed separably, as two products with banded matrices; the response in time to frames that are held is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import gamma, gammainc

from netlib.base.checks import check_number
from netlib.base.fields import Declared, number

__all__ = [
    "TemporalKernel",
    "check_sigmas",
    "dog_gain",
    "dog_kernel",
    "dog_response",
    "hold_matrix",
    "local_contrast_moments",
]

#: Half-width of the window of a Gaussian, in standard deviations: the tail beyond is below 6e-7 of the mass.
WINDOW = 5.0


def check_sigmas(sigma_centre: float, sigma_surround: float) -> None:
    """Check the two standard deviations (px) of a difference of Gaussians.

    Raises
    ------
    ValueError
        If the centre is narrower than 0.5 px (too coarse a grid) or the surround is not wider.

    Examples
    --------
    >>> check_sigmas(1.0, 0.8)
    Traceback (most recent call last):
    ...
    ValueError: sigma_surround = 0.8 px is out of range: it must be in (1, 200] px
    """
    check_number("sigma_centre", sigma_centre, "px", 0.5, 100)
    check_number("sigma_surround", sigma_surround, "px", sigma_centre, 200, low_open=True)


def dog_kernel(sigma_centre: float = 1.0, sigma_surround: float = 1.2) -> np.ndarray:
    """Receptive field of an ON cell, a difference of Gaussians on the pixel grid (Rodieck 1965, Vision Res 5:583).

    ``D(r) = exp(-r^2 / 2 sc^2) / sc^2 - exp(-r^2 / 2 ss^2) / ss^2``, the surround weighted so that the grid sums to 0
    to rounding. An OFF cell has ``-D``. With the defaults D(0) = 0.3056, D crosses zero at 1.55 px and has its minimum
    of -0.040 at 2.18 px.

    Returns
    -------
    ndarray (2 r + 1, 2 r + 1)
        ``r`` is 5 standard deviations of the surround, so the window holds the whole surround.

    Examples
    --------
    >>> kernel = dog_kernel()
    >>> kernel.shape, round(abs(float(kernel.sum())), 9), round(float(kernel[6, 6]), 2)
    ((13, 13), 0.0, 0.31)
    """
    check_sigmas(sigma_centre, sigma_surround)
    radius = _radius(sigma_surround)
    weight = _surround_weight(sigma_centre, sigma_surround, radius)
    centre, surround = _gaussian(sigma_centre, radius), _gaussian(sigma_surround, radius)
    return np.outer(centre, centre) / sigma_centre**2 - weight * np.outer(surround, surround) / sigma_surround**2


def dog_gain(frequency: float, sigma_centre: float = 1.0, sigma_surround: float = 1.2) -> float:
    """Amplitude of the response to a full-contrast grating of spatial ``frequency`` (cycles/px).

    Examples
    --------
    >>> [round(dog_gain(f), 2) for f in (0.0, 0.1, 0.2, 0.4)]
    [0.0, 0.43, 0.84, 0.21]
    """
    kernel = dog_kernel(sigma_centre, sigma_surround)
    x = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    return float(abs(kernel.sum(axis=0) @ np.cos(2 * np.pi * frequency * x)))


def dog_response(frames: np.ndarray, sigma_centre: float = 1.0, sigma_surround: float = 1.2) -> np.ndarray:
    """Inner product of an ON kernel centred on every pixel with every frame.

    Parameters
    ----------
    frames : ndarray (n_frames, height, width)
        Contrast, 0 for grey. The screen is surrounded by grey.

    Returns
    -------
    ndarray (n_frames, height, width) float32
        The same as a convolution with :func:`dog_kernel`, written as two separable matrix products.

    Examples
    --------
    >>> frames = np.zeros((1, 15, 15))
    >>> frames[0, 7, 7] = 1.0
    >>> bool(np.allclose(dog_response(frames)[0, 1:14, 1:14], dog_kernel(), atol=1e-6))
    True
    """
    check_sigmas(sigma_centre, sigma_surround)
    frames = np.asarray(frames, np.float32)
    radius = _radius(sigma_surround)
    weight = _surround_weight(sigma_centre, sigma_surround, radius)
    response = _smooth(frames, sigma_centre, radius)
    response *= np.float32(1 / sigma_centre**2)
    surround = _smooth(frames, sigma_surround, radius)
    surround *= np.float32(weight / sigma_surround**2)
    response -= surround
    return response


def local_contrast_moments(frames: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean square of the contrast under a Gaussian window around every pixel.

    The window counts the visible screen only, so that a full-field grating has the same contrast
    everywhere.

    Parameters
    ----------
    frames : ndarray (n_frames, height, width)
        Contrast, 0 for grey.
    sigma : float
        Standard deviation of the window (px).

    Returns
    -------
    mean, square : ndarray (n_frames, height, width) float32

    Examples
    --------
    >>> frames = np.broadcast_to(np.resize([0.5, -0.5], 16), (1, 16, 16))
    >>> mean, square = local_contrast_moments(frames, 3.0)
    >>> round(abs(float(mean[0, 8, 8])), 2), round(float(square[0, 8, 8]), 2)
    (0.0, 0.25)
    """
    frames = np.asarray(frames, np.float32)
    radius = _radius(sigma)
    mass = _smooth(np.ones((1, *frames.shape[1:]), np.float32), sigma, radius)
    return _smooth(frames, sigma, radius) / mass, _smooth(frames**2, sigma, radius) / mass


def _gaussian(sigma: float, radius: int) -> np.ndarray:
    x = np.arange(-radius, radius + 1)
    return np.exp(-(x**2) / (2 * sigma**2))


def _surround_weight(sigma_centre: float, sigma_surround: float, radius: int) -> float:
    """Weight of the surround that makes the sampled kernel sum to exactly 0 (1 in the continuum)."""
    centre = _gaussian(sigma_centre, radius).sum() / sigma_centre
    surround = _gaussian(sigma_surround, radius).sum() / sigma_surround
    return float((centre / surround) ** 2)


def _radius(sigma: float) -> int:
    return int(np.ceil(WINDOW * sigma))


@lru_cache(maxsize=32)
def _band(size: int, sigma: float, radius: int) -> np.ndarray:
    """Matrix (size, size) of a 1-D Gaussian filter whose window is cut at ``radius`` px."""
    offset = np.subtract.outer(np.arange(size), np.arange(size))
    band = np.where(np.abs(offset) <= radius, np.exp(-(offset**2) / (2 * sigma**2)), 0.0).astype(np.float32)
    band.setflags(write=False)
    return band


def _smooth(frames: np.ndarray, sigma: float, radius: int) -> np.ndarray:
    """Sum of the frames under a Gaussian window of unit height, at every pixel; 0 beyond the border."""
    height, width = frames.shape[-2:]
    return _band(height, sigma, radius) @ frames @ _band(width, sigma, radius)


# ---------------------------------------------------------------- time


@dataclass(frozen=True)
class TemporalKernel(Declared):
    """Difference of two gamma functions, the impulse response of an LGN cell.

    ``h(t) = scale * {w1 g(t; c1, n1) - w2 g(t; c2, n2)}`` for t >= 0, 0 before, with
    ``g(t; c, n) = [c (t - t0)]^n exp(-c (t - t0)) exp(-n) / n^2``
    (after Cai, DeAngelis & Freeman 1997, J Neurophysiol 78:1045). With the defaults h peaks at 27 ms
    (1.035), crosses zero at 50 ms, has its trough at 70 ms (-0.422) and integrates to 7.1 ms: a constant
    stimulus leaves a small sustained response.

    Parameters
    ----------
    scale : float
        Overall factor.
    w1, w2 : float
        Weights of the first and of the second lobe.
    c1, c2 : float
        Rates of the two lobes (1/ms).
    n1, n2 : float
        Orders of the two lobes.
    t0 : float
        Start of the gamma functions (ms, not after 0).

    Examples
    --------
    >>> round(float(TemporalKernel()(27.0)), 3)
    1.035
    """

    scale: float = number(90.0, "", 0, low_open=True)
    w1: float = number(0.92, "", 0, low_open=True)
    w2: float = number(0.2, "", 0)
    c1: float = number(0.2, "1/ms", 0, 10, low_open=True)
    c2: float = number(0.12, "1/ms", 0, 10, low_open=True)
    n1: float = number(7.0, "", 1, 30)
    n2: float = number(8.0, "", 1, 30)
    t0: float = number(-6.0, "ms", -1000, 0)

    def _lobes(self) -> tuple[tuple[float, float, float], ...]:
        """(signed amplitude, rate, order) of each lobe."""
        return (
            (self.scale * self.w1 * np.exp(-self.n1) / self.n1**2, self.c1, self.n1),
            (-self.scale * self.w2 * np.exp(-self.n2) / self.n2**2, self.c2, self.n2),
        )

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """Kernel at times ``t`` (ms); 0 before time 0."""
        t = np.asarray(t, float)
        age = np.maximum(t, 0) - self.t0
        total = sum(a * (c * age) ** n * np.exp(-c * age) for a, c, n in self._lobes())
        return np.where(t >= 0, total, 0.0)

    def step(self, t: ArrayLike) -> np.ndarray:
        """Integral of the kernel from 0 to ``t`` (ms): the response to a step, in closed form."""
        age = np.maximum(np.asarray(t, float), 0) - self.t0
        return sum(
            a * gamma(n + 1) / c * (gammainc(n + 1, c * age) - gammainc(n + 1, -c * self.t0))
            for a, c, n in self._lobes()
        )

    @cached_property
    def duration(self) -> float:
        """Time (ms) after which both lobes are below 1e-7 of their peak: the kernel's memory."""
        t = np.arange(0.0, 20 * max(self.n1 / self.c1, self.n2 / self.c2))
        alive = np.zeros(t.size, bool)
        for _, c, n in self._lobes():
            x = c * (t - self.t0)
            alive |= n * np.log(x / n) - (x - n) > np.log(1e-7)
        return float(t[alive][-1] + 1)

    @cached_property
    def zero_crossings(self) -> np.ndarray:
        """Times (ms) at which the kernel changes sign."""
        t = np.linspace(0, self.duration, 2000)
        sign = np.sign(self(t))
        return np.array([brentq(self, t[i], t[i + 1]) for i in np.flatnonzero(sign[1:] * sign[:-1] < 0)])

    def absolute_step(self, t: ArrayLike) -> np.ndarray:
        """Integral of ``|h|`` from 0 to ``t`` (ms), divided by its total: it rises from 0 to 1."""
        nodes = np.concatenate([[0.0], self.zero_crossings, [self.duration]])
        at_nodes = self.step(nodes)
        area = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(at_nodes)))])
        t = np.clip(np.asarray(t, float), 0, self.duration)
        piece = np.clip(np.searchsorted(nodes, t, side="right") - 1, 0, nodes.size - 2)
        return (area[piece] + np.abs(self.step(t) - at_nodes[piece])) / area[-1]

    @cached_property
    def best_gain(self) -> tuple[float, float]:
        """Temporal frequency (Hz) that the kernel amplifies most, and the amplitude it gives there (ms)."""
        t = np.arange(0.05, self.duration, 0.1)
        frequency = np.arange(0.0, 60.0, 0.1)
        gain = np.abs(np.exp(-2j * np.pi * frequency[:, None] * t * 1e-3) @ self(t)) * 0.1
        best = int(gain.argmax())
        return float(frequency[best]), float(gain[best])


def hold_matrix(step: Callable[[np.ndarray], np.ndarray], times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Matrix that turns held frames into the filter's exact output.

    A frame shown from ``edges[j]`` to ``edges[j + 1]`` adds ``S(t - edges[j]) - S(t - edges[j + 1])`` to
    the output at time t, with S the step response. Nothing (grey) comes before the first edge.

    Parameters
    ----------
    step : callable
        Step response of the filter, 0 for negative times (ms).
    times : ndarray (n_times,)
        Times of the output (ms).
    edges : ndarray (n_frames + 1,)
        Onsets of the frames, and the end of the last (ms).

    Returns
    -------
    ndarray (n_times, n_frames) float32

    Examples
    --------
    >>> kernel = TemporalKernel()
    >>> matrix = hold_matrix(kernel.step, np.array([30.0, 60.0]), np.array([0.0, 10.0, 20.0]))
    >>> matrix.astype(float).round(1).tolist()
    [[9.8, 5.2], [-1.9, 2.6]]
    """
    response = step(times[:, None] - edges[None, :])
    return (response[:, :-1] - response[:, 1:]).astype(np.float32)
