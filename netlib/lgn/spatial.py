"""Centre-surround receptive fields (difference of Gaussians) and local contrast, as separable sums."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_number

__all__ = ["check_sigmas", "dog_gain", "dog_kernel", "dog_profile", "dog_response", "local_contrast_moments"]

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


def dog_profile(r: ArrayLike, sigma_centre: float = 1.0, sigma_surround: float = 1.2) -> np.ndarray:
    """Difference of Gaussians of an ON cell at distance ``r`` (px) from its centre.

    ``D(r) = exp(-r^2 / 2 sc^2) / sc^2 - exp(-r^2 / 2 ss^2) / ss^2`` (Rodieck 1965, Vision Res 5:583). Its
    integral over the plane is 0. An OFF cell has ``-D``. With the defaults D(0) = 0.3056, it crosses zero
    at 1.55 px and has its minimum of -0.040 at 2.18 px.

    Examples
    --------
    >>> dog_profile([0.0, 1.55, 2.18]).round(3).tolist()
    [0.306, -0.001, -0.04]
    """
    check_sigmas(sigma_centre, sigma_surround)
    r2 = np.asarray(r, float) ** 2
    return np.exp(-r2 / (2 * sigma_centre**2)) / sigma_centre**2 - np.exp(-r2 / (2 * sigma_surround**2)) / (
        sigma_surround**2
    )


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


def dog_kernel(sigma_centre: float = 1.0, sigma_surround: float = 1.2) -> np.ndarray:
    """Difference of Gaussians on the pixel grid, balanced: it sums to 0 to rounding.

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
