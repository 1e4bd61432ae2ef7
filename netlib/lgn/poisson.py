"""Spikes of inhomogeneous Poisson processes whose rates are constant within time bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_array, check_number, check_type

__all__ = ["poisson_spikes"]


def poisson_spikes(rates: ArrayLike, dt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw spikes from independent Poisson processes, exactly.

    The expected counts of all (cell, bin) pairs are laid end to end; a Poisson number of points, uniform on
    that line, falls into the bins. This is time rescaling backwards (Brown et al. 2002, Neural Comput
    14:325), exact for rates that are constant within a bin, and its cost grows with the spikes.

    Parameters
    ----------
    rates : array_like (n_cells, n_bins)
        Rates (Hz).
    dt : float
        Length of a bin (ms).
    rng : numpy.random.Generator
        Source of randomness (:func:`netlib.seeds.stream`).

    Returns
    -------
    index : ndarray (n_spikes,) int32
        Cell of each spike.
    time : ndarray (n_spikes,) float64
        Time of each spike (ms), in [0, n_bins * dt). Sorted by time, then by cell.

    Raises
    ------
    ValueError
        If a rate is negative or not finite, or ``dt`` is not positive.

    Examples
    --------
    >>> index, time = poisson_spikes([[0.0, 100.0], [50.0, 50.0]], 5000.0, np.random.default_rng(1))
    >>> np.bincount(index).tolist(), bool(time[index == 0].min() > 5000.0)
    ([507, 494], True)
    """
    rates = check_array("rates", rates, "Hz", 0, ndim=2)
    dt = check_number("dt", dt, "ms", 0, low_open=True)
    check_type("rng", rng, np.random.Generator)
    n_bins = rates.shape[1]
    expected = rates.ravel() * (dt * 1e-3)
    upper = np.cumsum(expected)
    if upper[-1] == 0:
        return np.empty(0, np.int32), np.empty(0)
    place = rng.random(rng.poisson(upper[-1])) * upper[-1]
    place = np.minimum(place, np.nextafter(upper[-1], 0))
    slot = np.searchsorted(upper, place, side="right")  # never a bin of rate 0
    within = np.clip(1 - (upper[slot] - place) / expected[slot], 0, 1)
    index, bins = np.divmod(slot, n_bins)
    time = np.minimum((bins + within) * dt, np.nextafter((bins + 1) * dt, 0))
    order = np.lexsort((index, time))
    return index[order].astype(np.int32), time[order]
