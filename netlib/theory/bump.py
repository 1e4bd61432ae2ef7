"""Measures of a noiseless profile of activity on a ring whose cell i of n prefers 180 i / n degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.orientation import preferred_orientations, wrap
from netlib.units import check_array, check_number

__all__ = ["bump_half_width", "bump_orientation"]


def bump_half_width(rates: ArrayLike, level: float = 0.5) -> float:
    """Half width (deg) of a profile at a fraction of its peak, counted from 0; mean of the two sides.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Activity of each cell, >= 0.
    level : float
        Fraction of the peak, in (0, 1).

    Returns
    -------
    float
        Linear between neighbours; NaN where the profile is zero or never falls to that level.

    Examples
    --------
    >>> from netlib.orientation import hwhh_from_B_theta, von_mises
    >>> rates = von_mises(preferred_orientations(180), 90.0, 20.0)
    >>> round(bump_half_width(rates), 1), round(hwhh_from_B_theta(20.0), 1)
    (24.3, 24.3)
    """
    rates = check_array("rates", rates, "", 0, ndim=1)
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    peak, step = int(rates.argmax()), 180.0 / len(rates)
    right = np.roll(rates, -peak)
    sides = [_fall(side, level * rates[peak]) for side in (right, np.roll(right[::-1], 1))]
    return float(np.mean(sides) * step)


def _fall(rates: np.ndarray, height: float) -> float:
    """Number of cells from the first one to where the profile first falls to ``height``."""
    below = np.flatnonzero(rates <= height)
    if height <= 0 or not len(below):
        return np.nan
    k = below[0]
    return k - 1 + (rates[k - 1] - height) / (rates[k - 1] - rates[k])


def bump_orientation(rates: ArrayLike) -> np.ndarray | float:
    """Orientation (deg) of the population vector ``arg(sum r exp(2i theta)) / 2`` along the last axis.

    Examples
    --------
    >>> round(bump_orientation([1.0, 2.0, 1.0, 0.0]), 1)
    45.0
    """
    rates = np.asarray(rates, float)
    vector = rates @ np.exp(2j * np.radians(preferred_orientations(rates.shape[-1])))
    return wrap(np.degrees(np.angle(vector)) / 2)
