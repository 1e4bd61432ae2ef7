"""From a movie to the rates of orientation channels: ON and OFF cells, contrast gain, pooling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_number, check_type
from netlib.base.fields import Declared, integer, number, part
from netlib.base.orientation import preferred_orientations
from netlib.lgn.channels import check_channels, pool, receptive_fields
from netlib.lgn.filters import TemporalKernel, check_sigmas, dog_gain, dog_response, hold_matrix, local_contrast_moments
from netlib.lgn.rates import ChannelRates, ContrastResponse
from netlib.stimuli.movie import Movie

__all__ = ["LGN"]

#: Pixels times bins computed at a time: bounds the memory a long movie takes.
BLOCK = 2**22


@dataclass(frozen=True)
class LGN(Declared):
    """Retina and LGN as a front end: ON and OFF cells on every pixel, pooled into orientation channels.

    1. Linear response L of an ON cell on every pixel: difference of Gaussians (:mod:`netlib.lgn.filters`) and
       biphasic temporal kernel. OFF cells have -L. Frames are held, and the
       temporal integral of held frames is exact. L is scaled so that a full-contrast grating of
       spatial frequency ``sf_0`` at the best temporal frequency has amplitude 1.
    2. Contrast gain: L is multiplied by ``R(c) / c`` with R of :class:`ContrastResponse` and c the local contrast,
       the standard deviation of contrast under a Gaussian window in space and ``|h|`` in time, times
       sqrt 2 (so that a grating of contrast c has c). All orientations divide by the same c: tuning does
       not depend on contrast (Bonin, Mante & Carandini 2005, J Neurosci 25:10844).
    3. ON rate ``spontaneous + peak_rate max(L, 0)``, OFF rate ``spontaneous + peak_rate max(-L, 0)``.
    4. Log-Gabor receptive fields pool ON minus OFF into channels (:func:`netlib.lgn.channels.pool`); a channel
       fires at ``spontaneous`` plus what it pools.

    Before the movie and around the screen there is grey: the onset response is that of a screen that lights up.

    Parameters
    ----------
    n_orientations : int
        Number of channels, 2 or more; channel i prefers ``180 i / n_orientations`` degrees.
    sigma_centre, sigma_surround : float
        Standard deviations of centre and surround (px).
    sf_0, B_sf : float
        Spatial frequency of the channels and its bandwidth (cycles/px).
    B_theta : float
        Orientation bandwidth of the receptive fields (degrees).
    n_positions : int
        Receptive fields along each axis of the screen, per channel.
    spontaneous : float
        Rate without contrast (Hz).
    peak_rate : float
        Rate above ``spontaneous`` (Hz) of a channel, or of an LGN cell, at the peak of its response to a
        full-contrast grating of spatial frequency ``sf_0``, of the best orientation and temporal frequency
        (7.4 Hz). Held frames and the border of the screen take 1 to 3 % off.
    c50, exponent : float
        Contrast response (:class:`ContrastResponse`); ``c50 = inf`` switches saturation off.
    sigma_gain : float
        Standard deviation of the window of the contrast gain (px).
    temporal : TemporalKernel
        Temporal kernel.
    dt : float
        Length of a time bin (ms), at most one frame. Rates are those of the middle of the bin.

    Examples
    --------
    >>> grey = Movie(np.full((10, 32, 32), 0.5), 10.0)
    >>> LGN(n_orientations=12, spontaneous=5.0).respond(grey)
    ChannelRates(12 channels, 100 bins of 1 ms, mean 5 Hz)
    """

    n_orientations: int = integer(16, 2, 720, "channels")
    sigma_centre: float = number(1.0, "px", 0.5, 100)
    sigma_surround: float = number(1.2, "px", 0.5, 200, low_open=True)
    sf_0: float = number(0.1, "cycles/px", 0.01, 0.35)
    B_sf: float = number(0.05, "cycles/px", 0, low_open=True)
    B_theta: float = number(15.0, "deg", 2, 60)
    n_positions: int = integer(4, 1, 32, "positions per axis")
    spontaneous: float = number(5.0, "Hz", 0, 1000)
    peak_rate: float = number(30.0, "Hz", 0, 1000, low_open=True)
    c50: float = number(0.3, "", 0, low_open=True, finite=False)
    exponent: float = number(1.0, "", 1, 10)
    sigma_gain: float = number(8.0, "px", 1, 1000)
    temporal: TemporalKernel = part(TemporalKernel, TemporalKernel)
    dt: float = number(1.0, "ms", 0, 1000, low_open=True)

    def check(self) -> None:
        check_channels(self.n_orientations, self.sf_0, self.B_sf, self.B_theta, self.n_positions)
        check_sigmas(self.sigma_centre, self.sigma_surround)

    @property
    def contrast_response(self) -> ContrastResponse:
        """Response against contrast, 1 at full contrast."""
        return ContrastResponse(self.c50, self.exponent)

    @property
    def orientations(self) -> np.ndarray:
        """Preferred orientations of the channels (degrees)."""
        return preferred_orientations(self.n_orientations)

    def respond(self, movie: Movie) -> ChannelRates:
        """Rates of the orientation channels to a movie.

        Parameters
        ----------
        movie : Movie
            Frames of at least 2.5 periods of ``sf_0`` on each side.

        Returns
        -------
        ChannelRates
            ``n_orientations`` channels; as many whole bins of ``dt`` as the movie holds.

        Raises
        ------
        ValueError
            If the movie is too small for the receptive fields, or ``dt`` is longer than a frame.
        """
        self._check(movie)
        positions = receptive_fields(
            *movie.shape[1:], self.n_orientations, self.sf_0, self.B_sf, self.B_theta, self.n_positions
        )
        pooled = np.concatenate([pool(block, positions) for block in self._signed(movie)], axis=1)
        return ChannelRates(self.spontaneous + self.peak_rate * pooled.astype(float), self.dt, self.orientations)

    def on_off(self, movie: Movie) -> tuple[np.ndarray, np.ndarray]:
        """Rates of the ON and of the OFF cell on every pixel.

        Returns
        -------
        on, off : ndarray (n_bins, height, width) float32
            Rates (Hz): 33 MB per second of a 64 x 64 movie at 1 ms.

        Raises
        ------
        ValueError
            If ``dt`` is longer than a frame.
        """
        self._check(movie)
        signed = self.peak_rate * np.concatenate(list(self._signed(movie)))
        return self.spontaneous + np.maximum(signed, 0), self.spontaneous + np.maximum(-signed, 0)

    def linear(self, movie: Movie) -> np.ndarray:
        """Linear response of the ON cell on every pixel, before contrast gain and rectification.

        Returns
        -------
        ndarray (n_bins, height, width) float32
            1 is the amplitude for a full-contrast grating of ``sf_0`` at the best temporal frequency.
        """
        self._check(movie)
        return np.concatenate([drive for drive, _ in self._blocks(movie)])

    def _check(self, movie: Movie) -> None:
        check_type("movie", movie, Movie)
        check_number("dt", self.dt, "ms", 0, movie.frame_duration * (1 + 1e-9), low_open=True)

    def _signed(self, movie: Movie) -> Iterator[np.ndarray]:
        """ON minus OFF (units of ``peak_rate``), a block of bins at a time."""
        response = self.contrast_response
        for drive, contrast in self._blocks(movie):
            drive *= response.gain(contrast)
            yield drive

    def _blocks(self, movie: Movie) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Linear response and local contrast (n_bins, height, width), a block of bins at a time.

        Space and time separate: space is filtered once per frame, and each bin of the output is a weighted sum
        of the frames that the kernel remembers.
        """
        signal = movie.contrast_signal()
        scale = dog_gain(self.sf_0, self.sigma_centre, self.sigma_surround) * self.temporal.best_gain[1]
        drive = dog_response(signal, self.sigma_centre, self.sigma_surround)
        drive *= np.float32(1 / scale)
        maps = [m.reshape(len(signal), -1) for m in (drive, *local_contrast_moments(signal, self.sigma_gain))]
        n_bins = int(np.floor(movie.duration / self.dt + 1e-9))
        block = max(1, BLOCK // signal[0].size)
        for start in range(0, n_bins, block):
            times = (np.arange(start, min(start + block, n_bins)) + 0.5) * self.dt
            first = max(0, int((times[0] - self.temporal.duration) / movie.frame_duration))
            last = min(len(signal), int(times[-1] / movie.frame_duration + 1e-9) + 1)
            edges = np.arange(first, last + 1) * movie.frame_duration
            held = hold_matrix(self.temporal.step, times, edges)
            weight = hold_matrix(self.temporal.absolute_step, times, edges)
            linear, mean, square = (m @ x[first:last] for m, x in zip((held, weight, weight), maps, strict=True))
            square -= mean**2
            np.maximum(square, 0, out=square)
            contrast = np.sqrt(2 * square)
            yield tuple(m.reshape(-1, *signal.shape[1:]) for m in (linear, contrast))
