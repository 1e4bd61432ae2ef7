"""Receptive fields by reverse correlation: the mean movie before a spike, and how far it stands out of chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.seeds import stream

__all__ = ["ReceptiveField", "reverse_correlation"]


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """Spike-triggered average of a movie.

    Attributes
    ----------
    lags : ndarray, shape (n_lags,)
        How long before the spike the frame began at the latest (ms): lag 0 is the frame on at the time of the spike.
    average : ndarray, shape (n_lags, height, width)
        Mean contrast signal at each lag, less that of the whole movie; after whitening, in units of the signal per
        variance.
    z : ndarray, same shape
        ``average`` less its mean over shifted spikes, in standard deviations over them.
    n_spikes : int
        Spikes used.
    """

    lags: np.ndarray
    average: np.ndarray
    z: np.ndarray
    n_spikes: int

    @property
    def best_lag(self) -> float:
        """Lag (ms) at which z has the largest power."""
        return float(self.lags[(self.z**2).sum((1, 2)).argmax()])

    @property
    def field(self) -> np.ndarray:
        """Average at the best lag, shape (height, width)."""
        return self.average[int(np.flatnonzero(self.lags == self.best_lag)[0])]

    @property
    def separable(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Best product of a time course and an image: (n_lags,), (height, width), share of the power it holds."""
        n = len(self.lags)
        u, s, v = np.linalg.svd(self.average.reshape(n, -1), full_matrices=False)
        sign = np.sign(u[np.abs(u[:, 0]).argmax(), 0])
        return sign * s[0] * u[:, 0], sign * v[0].reshape(self.average.shape[1:]), float(s[0] ** 2 / (s**2).sum())


def reverse_correlation(
    signal: ArrayLike,
    frame_duration: float,
    spike_time: ArrayLike,
    n_lags: int = 15,
    *,
    whiten: bool = False,
    ridge: float = 0.1,
    shifts: int = 50,
    seed: int = 0,
) -> ReceptiveField:
    """Average the frames before each spike (de Boer & Kuyper 1968, IEEE Trans Biomed Eng 15:169).

    For white noise and a linear-nonlinear Poisson cell the average is proportional to its linear filter, except for an
    even nonlinearity, which leaves nothing (Chichilnisky 2001, Network 12:199).

    Parameters
    ----------
    signal : array_like, shape (n_frames, height, width)
        What was shown, such as ``movie.contrast_signal()``.
    frame_duration : float
        Length of a frame (ms).
    spike_time : array_like, shape (n_spikes,)
        Spikes of one cell (ms from the first frame). Those outside the movie, or before the longest lag, are left out.
    n_lags : int
        Frames to look back, the one on at the spike included.
    whiten : bool
        Divide by the covariance of pixels (Theunissen et al. 2001, Network 12:289): for a movie with correlations
        between pixels. Those in time are left as they are.
    ridge : float
        Added to the diagonal of the covariance, as a fraction of the mean variance of a pixel.
    shifts : int
        How often the spikes are shifted around the movie by random times, to know what chance gives.
    seed : int
        Seed of the shifts.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    ValueError
        If the movie is shorter than twice the lags or does not vary, or no spike is left.
    """
    signal = check_array("signal", signal, ndim=3, dtype=np.float32)
    frame_duration = check_number("frame_duration", frame_duration, "ms", 0, low_open=True)
    n_lags = check_integer("n_lags", n_lags, 1, len(signal) // 2, unit="frames")
    shifts = check_integer("shifts", shifts, 2)
    check_number("ridge", ridge, "", 0)
    times = np.asarray(spike_time, float)
    frame = np.floor(times / frame_duration + 1e-9).astype(int)
    frame = frame[(frame >= n_lags - 1) & (frame < len(signal))]
    if not frame.size:
        raise ValueError("spike_time holds no spike within the movie: there is nothing to average")
    pixels = signal.reshape(len(signal), -1)
    pixels = pixels - pixels.mean(0)
    if not pixels.any():
        raise ValueError("signal does not vary: a receptive field needs a movie that changes")
    counts = np.bincount(frame, minlength=len(signal)).astype(np.float32)
    rng = stream(seed, "reverse correlation")
    # Shifted by more than the lags in either direction, all around the movie.
    moved = [np.roll(counts, by) for by in rng.integers(n_lags, len(signal) - n_lags + 1, shifts)]
    trains = np.stack([counts, *moved])
    averages = np.stack([trains[:, lag:] @ pixels[: len(pixels) - lag] for lag in range(n_lags)], axis=1) / counts.sum()
    if whiten:
        covariance = pixels.T @ pixels / len(pixels)
        covariance[np.diag_indices_from(covariance)] += ridge * np.trace(covariance) / len(covariance)
        averages = np.linalg.solve(covariance.astype(float), averages.reshape(-1, pixels.shape[1]).T).T.reshape(
            averages.shape
        )
    spread = averages[1:].std(0, ddof=1)
    # One spread for all pixels of a lag: they share the noise, and 50 shifts say little of a single one.
    spread = np.sqrt((spread**2).mean(-1, keepdims=True))
    z = (averages[0] - averages[1:].mean(0)) / spread
    shape = (n_lags, *signal.shape[1:])
    return ReceptiveField(
        np.arange(n_lags) * frame_duration,
        averages[0].reshape(shape).astype(float),
        z.reshape(shape).astype(float),
        len(frame),
    )
