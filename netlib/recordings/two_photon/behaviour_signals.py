"""Running and pupil: jumps taken out, gaps bridged, values scaled. Pure functions on arrays."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_number

__all__ = ["bridge_nan", "nan_fraction", "remove_jumps", "robust_scale"]

#: Largest change of the running velocity from one frame to the next (cm/s).
LARGEST_JUMP = 50.0
#: Fraction of lost frames above which a signal is suspect.
TOLERATED = 0.0003


def remove_jumps(velocity: ArrayLike, largest: float = LARGEST_JUMP) -> np.ndarray:
    """Replace by NaN what follows a jump, until the signal is back near the last good value.

    Parameters
    ----------
    velocity : array_like, shape (n_frames,)
        Running velocity (cm/s).
    largest : float
        Largest change allowed from the last good value (cm/s).

    Returns
    -------
    ndarray, shape (n_frames,)

    Examples
    --------
    >>> remove_jumps([1.0, 2, 90, 91, 3, 2])
    array([ 1.,  2., nan, nan,  3.,  2.])
    """
    largest = check_number("largest", largest, "cm/s", 0, low_open=True)
    clean = np.array(velocity, float)
    known = np.flatnonzero(np.isfinite(clean))
    values = clean[known]
    back_at = -1
    for jump in np.flatnonzero(np.abs(np.diff(values)) > largest) + 1:
        if jump <= back_at:  # inside what the jump before it spoiled, or the step back
            continue
        back = np.abs(values[jump:] - values[jump - 1]) <= largest
        back_at = jump + int(np.argmax(back)) if back.any() else len(values)
        clean[known[jump:back_at]] = np.nan
    return clean


def bridge_nan(values: ArrayLike, name: str = "values") -> np.ndarray:
    """Fill NaN by linear interpolation along time, at the ends by the nearest value.

    Raises
    ------
    ValueError
        If nothing but NaN is there.

    Examples
    --------
    >>> bridge_nan([np.nan, 1.0, np.nan, 3.0])
    array([1., 1., 2., 3.])
    """
    values = np.array(values, float)
    good = np.isfinite(values)
    if not good.any():
        raise ValueError(f"{name} holds no finite value among {len(values)}: nothing can be interpolated")
    at = np.flatnonzero(good)
    values[~good] = np.interp(np.flatnonzero(~good), at, values[at])
    return values


def nan_fraction(values: np.ndarray, name: str, tolerated: float = TOLERATED) -> float:
    """Fraction of NaN, with a warning where it is above ``tolerated``."""
    fraction = float(np.mean(~np.isfinite(values)))
    if fraction > tolerated:
        warnings.warn(
            f"{name}: {fraction:.2%} of the frames are lost, more than {tolerated:.2%}", UserWarning, stacklevel=3
        )
    return fraction


def robust_scale(values: ArrayLike, low: float = 25.0, high: float = 75.0) -> np.ndarray:
    """Subtract the median and divide by the difference of two percentiles, both without NaN.

    Raises
    ------
    ValueError
        If the percentiles are equal.

    Examples
    --------
    >>> robust_scale([0.0, 1, 2, 3, 4])
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    """
    values = np.asarray(values, float)
    bottom, middle, top = np.nanpercentile(values, [low, 50, high])
    if not top > bottom:
        raise ValueError(f"values are {bottom:g} at both percentiles {low:g} and {high:g}: they cannot be scaled")
    return (values - middle) / (top - bottom)
