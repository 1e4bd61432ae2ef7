"""Orientation in degrees: wrapping, distances, the von Mises profile of period 180 and its three widths.

An orientation is the angle of a contour: 0 is horizontal, 90 vertical, counter-clockwise as displayed.
It lives in [0, 180) degrees.

**Bandwidth.** ``B_theta`` is the small-angle standard deviation of the profile
``exp{[cos 2d - 1] / (4 B^2)}`` with ``d`` the orientation distance and ``B`` in radians: the convention of
MotionClouds (Sanz Leon et al. 2012, J Neurophysiol 107:3217, eq. 10). The literature of this model also
holds ``exp{[cos 2d - 1] / B^2}``, whose standard deviation is ``B / 2``: see :func:`B_theta_from_ring2018`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_integer

__all__ = [
    "B_theta_from_hwhh",
    "B_theta_from_ring2018",
    "B_theta_max_hwhh",
    "FloatOrArray",
    "distance",
    "hwhh_from_B_theta",
    "kappa_from_B_theta",
    "preferred_orientations",
    "signed_distance",
    "von_mises",
    "wrap",
]

#: A number where all arguments are numbers, else an array; type checkers cannot tell which.
FloatOrArray = Any

LN2 = np.log(2.0)

#: Above this bandwidth (degrees) the profile never falls to half of its peak: it has no HWHH.
B_theta_max_hwhh = float(np.degrees(np.sqrt(1 / (2 * LN2))))


def wrap(theta: ArrayLike) -> FloatOrArray:
    """Wrap angles (degrees) to [0, 180).

    Examples
    --------
    >>> wrap(-30)
    150.0
    """
    wrapped = np.mod(np.asarray(theta, float), 180.0)
    return _scalar(np.where(wrapped >= 180.0, 0.0, wrapped))


def signed_distance(a: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """Signed orientation distance ``a - b`` (degrees), in (-90, 90].

    Examples
    --------
    >>> signed_distance(10, 170)
    20.0
    """
    return _scalar(90.0 - np.mod(90.0 - (np.asarray(a, float) - np.asarray(b, float)), 180.0))


def distance(a: ArrayLike, b: ArrayLike) -> FloatOrArray:
    """Absolute orientation distance (degrees), in [0, 90].

    Examples
    --------
    >>> distance(170, 10)
    20.0
    """
    return _scalar(np.abs(signed_distance(a, b)))


def preferred_orientations(n: int) -> np.ndarray:
    """Orientations ``180 i / n`` (degrees) of ``n`` cells on a ring, without a duplicated end point.

    Raises
    ------
    ValueError
        If ``n`` is less than 1.

    Examples
    --------
    >>> preferred_orientations(4).tolist()
    [0.0, 45.0, 90.0, 135.0]
    """
    n = check_integer("n", n, 1, unit="cells")
    return 180.0 * np.arange(n) / n


def von_mises(theta: ArrayLike, preferred: ArrayLike = 0.0, B_theta: ArrayLike = 15.0) -> FloatOrArray:
    """Von Mises profile of period 180 degrees, 1 at its peak.

    ``exp{[cos 2(theta - preferred) - 1] / (4 B^2)}`` with B in radians (MotionClouds' convention).

    Parameters
    ----------
    theta, preferred : array_like
        Orientations (degrees); they broadcast.
    B_theta : array_like
        Bandwidth (degrees): small-angle standard deviation. ``inf`` gives a flat profile of 1.

    Examples
    --------
    >>> von_mises(30.0, 30.0, 15.0)
    1.0
    """
    delta = 2 * np.radians(np.asarray(theta, float) - np.asarray(preferred, float))
    return _scalar(np.exp((np.cos(delta) - 1) * kappa_from_B_theta(B_theta)))


def kappa_from_B_theta(B_theta: ArrayLike) -> FloatOrArray:
    """Concentration ``kappa = 1 / (4 B^2)`` (B in radians) of the von Mises on the doubled angle.

    Examples
    --------
    >>> round(kappa_from_B_theta(15.0), 3)
    3.648
    """
    B = np.radians(np.asarray(B_theta, float))
    return _scalar(1.0 / (4.0 * B**2))


def hwhh_from_B_theta(B_theta: ArrayLike, reference: str = "zero") -> FloatOrArray:
    """Half width at half height (degrees) of the profile of bandwidth ``B_theta``, exactly.

    Parameters
    ----------
    B_theta : array_like
        Bandwidth (degrees).
    reference : {"zero", "minimum"}
        Height counted from zero, ``h = arccos(1 - 4 ln2 B^2) / 2``, which is NaN above
        ``B_theta_max_hwhh`` (48.7 degrees) where the profile never falls to half its peak; or from
        the profile's own minimum, ``h = arccos{1 + ln[(1 + exp(-2k)) / 2] / k} / 2`` with ``k = 1/(4 B^2)``
        (Swindale 1998, Biol Cybern 78:45), which always exists and tends to 45 degrees.

    Examples
    --------
    >>> round(hwhh_from_B_theta(36.0), 3)
    47.713
    """
    kappa = np.asarray(kappa_from_B_theta(B_theta), float)
    if reference == "zero":
        cosine = 1 - LN2 / kappa
    elif reference == "minimum":
        # log1p and expm1 keep the limit kappa -> 0 (cosine -> 0) exact.
        cosine = 1 + np.log1p(np.expm1(-2 * kappa) / 2) / kappa
    else:
        raise ValueError(f"reference = {reference!r} is unknown: it must be 'zero' or 'minimum'")
    legal = cosine >= -1
    return _scalar(np.where(legal, np.degrees(np.arccos(np.where(legal, cosine, 0))) / 2, np.nan))


def B_theta_from_hwhh(hwhh: ArrayLike) -> FloatOrArray:
    """Bandwidth (degrees) of the profile that falls to half its peak at ``hwhh`` (degrees, in (0, 90]).

    Examples
    --------
    >>> round(B_theta_from_hwhh(20.0), 2)
    16.64
    """
    cosine = np.cos(2 * np.radians(np.asarray(hwhh, float)))
    return _scalar(np.degrees(np.sqrt((1 - cosine) / (4 * LN2))))


def B_theta_from_ring2018(b: ArrayLike) -> FloatOrArray:
    """Bandwidth (degrees) of a profile written ``exp{[cos 2d - 1] / b^2}``: half of ``b``.

    Examples
    --------
    >>> B_theta_from_ring2018(30.0)
    15.0
    """
    return _scalar(np.asarray(b, float) / 2)


def _scalar(array: np.ndarray) -> FloatOrArray:
    return float(array) if np.ndim(array) == 0 else array
