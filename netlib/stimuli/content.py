"""Orientations that a movie really holds, measured from its pixels."""

from __future__ import annotations

import numpy as np

from netlib.base.checks import check_integer, check_number, check_type
from netlib.base.orientation import preferred_orientations
from netlib.stimuli.movie import Movie

__all__ = ["dominant_orientation", "orientation_content"]


def orientation_content(movie: Movie, n_bins: int = 36, sigma: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Gradient energy per contour orientation in each frame.

    Each pixel votes for the orientation at right angles to its luminance gradient, with the squared gradient
    as weight. Gradients are Gaussian derivatives; a margin of ``3 sigma`` is left out.

    Parameters
    ----------
    movie : Movie
        The movie, at least ``8 sigma`` wide and high.
    n_bins : int
        Bins of orientation; bin ``i`` is centred on ``180 i / n_bins`` degrees.
    sigma : float
        Scale of the gradients (pixels).

    Returns
    -------
    orientations : ndarray, shape (n_bins,)
        Centres of the bins (degrees).
    energy : ndarray, shape (n_frames, n_bins)
        Mean squared gradient of the contrast signal in each bin (1/pixel^2); the sum over bins is the energy of
        the frame, 0 if it is uniform.

    Examples
    --------
    >>> from netlib.stimuli.gratings import Grating
    >>> theta, energy = orientation_content(Grating(theta=45.0).movie(50.0, size=32), n_bins=12)
    >>> energy.shape, float(theta[energy[0].argmax()])
    ((5, 12), 45.0)
    """
    n_bins = check_integer("n_bins", n_bins, 2)
    right, up = _gradients(movie, sigma)
    contour = np.degrees(np.arctan2(up, right)) + 90
    width = 180 / n_bins
    bins = np.round(contour / width).astype(np.int64) % n_bins
    frame = np.arange(len(movie))[:, None, None] * n_bins
    energy = np.bincount((bins + frame).ravel(), (right**2 + up**2).ravel(), len(movie) * n_bins)
    return preferred_orientations(n_bins), energy.reshape(len(movie), n_bins) / right[0].size


def dominant_orientation(movie: Movie, sigma: float = 1.0) -> tuple[float, float]:
    """Mean contour orientation of a whole movie and its coherence, from the structure tensor.

    Parameters
    ----------
    movie, sigma
        As for :func:`orientation_content`.

    Returns
    -------
    orientation : float
        Degrees in [0, 180); NaN for a uniform movie.
    coherence : float
        Length of the mean resultant of the doubled angle: 1 for one orientation, 0 for none.

    Examples
    --------
    >>> from netlib.stimuli.gratings import Grating
    >>> [round(value, 2) for value in dominant_orientation(Grating(theta=30.0).movie(50.0, size=32))]
    [30.0, 1.0]
    """
    right, up = _gradients(movie, sigma)
    total = np.sum(right**2 + up**2)
    if total == 0:
        return float("nan"), 0.0
    resultant = np.sum((right + 1j * up) ** 2) / total
    return float((np.degrees(np.angle(resultant)) / 2 + 90) % 180), float(abs(resultant))


def _gradients(movie: Movie, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the contrast signal to the right and up, without the margin, as float64."""
    from scipy.ndimage import gaussian_filter1d

    check_type("movie", movie, Movie)
    sigma = check_number("sigma", sigma, "pixels", 0, min(movie.shape[1:]) / 8, low_open=True)
    signal = movie.contrast_signal().astype(float)
    margin = int(np.ceil(3 * sigma))
    inside = (slice(None), slice(margin, -margin), slice(margin, -margin))
    right = gaussian_filter1d(gaussian_filter1d(signal, sigma, axis=2, order=1), sigma, axis=1)[inside]
    down = gaussian_filter1d(gaussian_filter1d(signal, sigma, axis=1, order=1), sigma, axis=2)[inside]
    return right, -down
