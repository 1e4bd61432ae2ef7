"""A ring of any number of rate populations, of which the other rings of this room are special cases.

Population a follows, with ``*`` a circular convolution over cells and K_ab signed kernels from b to a::

    tau_a dr_a/dt = -r_a + f_a(h_a + sum_b K_ab * r_b),    f_a(x) = gain_a [x - threshold_a]+^exponent_a

The power law is what noise makes of a threshold (Miller & Troyer 2002, J Neurophysiol 87:653,
doi:10.1152/jn.00425.2001). With one population, exponent 1 and ``K = (J0 + J2 cos 2d) / n`` it is the ring of Hansel &
Sompolinsky; with two, exponent 2 and Gaussian kernels the stabilised supralinear network.

Also here: the von Mises kernel, and measures of a noiseless profile of activity on a ring whose cell i of n prefers
180 i / n degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_number, check_type
from netlib.base.fields import Declared, integer, number
from netlib.base.orientation import FloatOrArray, preferred_orientations, von_mises, wrap

__all__ = ["RatePopulation", "RateRing", "bump_half_width", "bump_orientation", "von_mises_kernel"]


def von_mises_kernel(n: int, B_theta: float, weight: float) -> np.ndarray:
    """Kernel (n,) over the distance in cells: a von Mises profile, ``B_theta`` in deg, that sums to ``weight``.

    Examples
    --------
    >>> von_mises_kernel(4, B_theta=20.0, weight=2.0).round(2).tolist()
    [1.57, 0.2, 0.03, 0.2]
    """
    check_number("B_theta", B_theta, "deg", 0, low_open=True, finite=False)
    profile = von_mises(preferred_orientations(n), 0.0, B_theta)
    return check_number("weight", weight) * profile / profile.sum()


@dataclass(frozen=True)
class RatePopulation(Declared):
    """Response of a population: ``gain [x - threshold]+^exponent``.

    Attributes
    ----------
    gain : float
        Hz per (unit of input)^exponent.
    threshold : float
        In the unit of the input.
    exponent : float
        At least 1.
    tau : float
        Time constant (ms).

    Examples
    --------
    >>> RatePopulation(gain=0.5, threshold=1.0, exponent=2.0).response(np.array([0.0, 2.0, 3.0])).tolist()
    [0.0, 0.5, 2.0]
    """

    gain: float = number(1.0, "Hz", 0, low_open=True)
    threshold: float = number(0.0)
    exponent: float = number(1.0, "", 1)
    tau: float = number(10.0, "ms", 0, low_open=True)

    def response(self, drive: np.ndarray) -> np.ndarray:
        """Steady rate (Hz) for an input."""
        return self.gain * np.maximum(drive - self.threshold, 0.0) ** self.exponent


@dataclass(frozen=True, eq=False)
class RateRing(Declared):
    """Populations of ``n`` cells each, and the kernels between them.

    Attributes
    ----------
    populations : dict of RatePopulation
        By name.
    kernels : dict of ndarray, shape (n,)
        By ``"source_to_target"``: signed weight against the distance in cells; a pair left out is not connected.
    n : int
        Cells of each population.

    Examples
    --------
    >>> ring = RateRing({"E": RatePopulation()}, {"E_to_E": von_mises_kernel(36, 20.0, 0.5)}, n=36)
    >>> rates = ring.run({"E": np.full(36, 5.0)}, duration=200.0)["E"]
    >>> rates.shape, round(float(rates[-1, 0]), 2)
    ((2001, 36), 10.0)
    """

    populations: Mapping[str, RatePopulation]
    kernels: Mapping[str, np.ndarray] = field(default_factory=dict)
    n: int = integer(180, 4, 100_000, "cells")

    def check(self) -> None:
        if not self.populations:
            raise ValueError("populations is empty: give at least one RatePopulation")
        for name, population in self.populations.items():
            check_type(f"populations[{name!r}]", population, RatePopulation)
        for name, kernel in self.kernels.items():
            source, _, target = name.partition("_to_")
            if source not in self.populations or target not in self.populations:
                raise ValueError(f"kernel {name!r} is unknown: it must be 'a_to_b' of {', '.join(self.populations)}")
            if np.shape(check_array(name, kernel, ndim=1)) != (self.n,):
                raise ValueError(f"kernel {name!r} has {len(kernel)} values: it must have n = {self.n}")

    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        duration: float,
        dt: float = 0.1,
        start: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, np.ndarray]:
        """Rates over time (Euler).

        Parameters
        ----------
        inputs : dict of array_like
            Input h of each population: shape (n,), or (n_steps, n) if it changes.
        duration, dt : float
            ms.
        start : dict of array_like, optional
            Rates (n,) at time 0; silent by default.

        Returns
        -------
        dict of ndarray, shape (n_steps + 1, n)
            The first row is the start (Hz).

        Raises
        ------
        RuntimeError
            If the rates explode.
        """
        check_number("duration", duration, "ms", 0, low_open=True)
        check_number("dt", dt, "ms", 0, min(p.tau for p in self.populations.values()) / 2, low_open=True)
        steps = max(1, round(duration / dt))
        names = list(self.populations)
        if set(inputs) != set(names):
            raise ValueError(f"inputs are for {', '.join(inputs)}: give one for each of {', '.join(names)}")
        feeds = [np.broadcast_to(check_array(f"inputs[{p!r}]", inputs[p]), (steps, self.n)) for p in names]
        spectrum = np.zeros((len(names), len(names), self.n // 2 + 1), complex)
        for name, kernel in self.kernels.items():
            source, target = name.split("_to_")
            spectrum[names.index(target), names.index(source)] = np.fft.rfft(kernel)
        rates = np.zeros((steps + 1, len(names), self.n))
        if start is not None:
            rates[0] = [check_array(f"start[{p!r}]", start[p], "Hz", 0) for p in names]
        for step in range(steps):
            now = rates[step]
            recurrent = np.fft.irfft(np.einsum("abk,bk->ak", spectrum, np.fft.rfft(now)), self.n)
            for k, p in enumerate(self.populations.values()):
                target_rate = p.response(feeds[k][step] + recurrent[k])
                rates[step + 1, k] = now[k] + (target_rate - now[k]) * dt / p.tau
            if not rates[step + 1].max() < 1e6:
                raise RuntimeError(f"rates explode after {(step + 1) * dt:g} ms: weaken excitation or raise inhibition")
        return {p: rates[:, k] for k, p in enumerate(names)}


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
    >>> from netlib.base.orientation import hwhh_from_B_theta, von_mises
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


def bump_orientation(rates: ArrayLike) -> FloatOrArray:
    """Orientation (deg) of the population vector ``arg(sum r exp(2i theta)) / 2`` along the last axis.

    Examples
    --------
    >>> round(bump_orientation([1.0, 2.0, 1.0, 0.0]), 1)
    45.0
    """
    rates = np.asarray(rates, float)
    vector = rates @ np.exp(2j * np.radians(preferred_orientations(rates.shape[-1])))
    return wrap(np.degrees(np.angle(vector)) / 2)
