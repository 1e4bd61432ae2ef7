"""What the experiments on dynamics share: an input whose orientation changes in time, and reading a ring in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.orientation import preferred_orientations, von_mises
from netlib.lgn import ChannelRates
from netlib.networks import Activity, RingParameters, rate_drive, run_ring
from netlib.tuning import population_vector

__all__ = ["binned_counts", "decode_in_time", "moving_rates", "respond"]


def moving_rates(
    parameters: RingParameters, orientation: ArrayLike, strength: ArrayLike = 1.0, dt: float = 1.0
) -> ChannelRates:
    """Rates of the input cells for an orientation that changes in time, with the tuning of the network's input.

    ``rate = peak [(1 - pedestal) strength vm(theta_i - orientation; B_theta) + pedestal]``: where the strength is
    1, what :func:`netlib.lgn.von_mises_rates` gives at full contrast.

    Parameters
    ----------
    parameters : RingParameters
        Gives the number of input cells and their ``input_tuning``.
    orientation : array_like, shape (n_bins,)
        Orientation in each time bin (deg), any number: it is wrapped.
    strength : array_like, shape (n_bins,) or ()
        Strength of the tuned part, 0 or more; 0 leaves the pedestal.
    dt : float
        Length of a bin (ms).
    """
    check_type("parameters", parameters, RingParameters)
    orientation = check_array("orientation", orientation, "deg", ndim=1)
    strength = np.broadcast_to(check_array("strength", strength, "", 0), orientation.shape)
    tuning, preferred = parameters.input_tuning, preferred_orientations(parameters.n_input)
    bump = strength * von_mises(preferred[:, None], orientation, tuning.B_theta)
    return ChannelRates(tuning.peak * ((1 - tuning.pedestal) * bump + tuning.pedestal), dt, preferred)


def respond(parameters: RingParameters, rates: ChannelRates, seed: int, network_seed: int | None = None) -> Activity:
    """Activity of a network on frozen Poisson spikes drawn from rates.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    rates : ChannelRates
        Rates of the input cells (Hz).
    seed : int
        Seed of the input spikes.
    network_seed : int, optional
        Seed of connections and initial potentials; by default ``seed``.
    """
    drive = rate_drive(rates, parameters.n_input, seed)
    return run_ring(parameters, drive, seed if network_seed is None else network_seed)


def binned_counts(spikes: tuple[np.ndarray, np.ndarray], n_cells: int, duration: float, step: float) -> np.ndarray:
    """Spike counts per cell and time bin.

    Parameters
    ----------
    spikes : tuple of ndarray
        Cell and time (ms) of each spike.
    n_cells : int
        Number of cells.
    duration, step : float
        Length of the whole and of a bin (ms); what does not fill a bin is left out.

    Returns
    -------
    ndarray of int, shape (n_cells, n_bins)
    """
    check_integer("n_cells", n_cells, 1, unit="cells")
    check_number("step", step, "ms", 0, duration, low_open=True)
    n_bins = int(duration / step + 1e-9)
    index, bins = np.asarray(spikes[0], np.int64), (np.asarray(spikes[1]) / step).astype(np.int64)
    keep = bins < n_bins
    return np.bincount(index[keep] * n_bins + bins[keep], minlength=n_cells * n_bins).reshape(n_cells, n_bins)


def decode_in_time(
    spikes: tuple[np.ndarray, np.ndarray], n_cells: int, duration: float, window: float, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation read out of a ring by the population vector, in a window that slides in time.

    Parameters
    ----------
    spikes : tuple of ndarray
        Cell and time (ms) of each spike; cell i prefers 180 i / n_cells degrees.
    n_cells : int
        Number of cells.
    duration : float
        Length (ms).
    window, step : float
        Length of the window, a whole number of steps, and the step (ms).

    Returns
    -------
    time, decoded, length : ndarray, shape (n_windows,)
        Middle of each window (ms); orientation in [0, 180) deg, NaN without spikes; length of the mean vector.
    """
    check_number("window", window, "ms", step, duration)
    width = round(window / step)
    total = np.cumsum(np.pad(binned_counts(spikes, n_cells, duration, step), ((0, 0), (1, 0))), axis=1)
    counts = total[:, width:] - total[:, :-width]
    decoded, length = population_vector(counts, preferred_orientations(n_cells))
    return (np.arange(counts.shape[1]) + width / 2) * step, decoded, length
