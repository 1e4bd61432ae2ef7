"""A ring of any number of rate populations, of which the other rings of this room are special cases.

Population a follows, with ``*`` a circular convolution over cells and K_ab signed kernels from b to a::

    tau_a dr_a/dt = -r_a + f_a(h_a + sum_b K_ab * r_b),    f_a(x) = gain_a [x - threshold_a]+^exponent_a

The power law is what noise makes of a threshold (Miller & Troyer 2002, J Neurophysiol 87:653,
doi:10.1152/jn.00425.2001). With one population, exponent 1 and ``K = (J0 + J2 cos 2d) / n`` it is the ring of Hansel &
Sompolinsky; with two, exponent 2 and Gaussian kernels the stabilised supralinear network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from netlib.orientation import preferred_orientations, von_mises
from netlib.units import check_array, check_integer, check_number, check_type

__all__ = ["RatePopulation", "RateRing", "von_mises_kernel"]


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
class RatePopulation:
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

    gain: float = 1.0
    threshold: float = 0.0
    exponent: float = 1.0
    tau: float = 10.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain, "Hz", 0, low_open=True)
        check_number("threshold", self.threshold)
        check_number("exponent", self.exponent, "", 1)
        check_number("tau", self.tau, "ms", 0, low_open=True)

    def response(self, drive: np.ndarray) -> np.ndarray:
        """Steady rate (Hz) for an input."""
        return self.gain * np.maximum(drive - self.threshold, 0.0) ** self.exponent


@dataclass(frozen=True, eq=False)
class RateRing:
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
    n: int = 180

    def __post_init__(self) -> None:
        check_integer("n", self.n, 4, 100_000, unit="cells")
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
