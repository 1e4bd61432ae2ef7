"""The stabilised supralinear network (SSN) on a ring of orientations (Rubin, Van Hooser & Miller 2015).

Excitatory (E) and inhibitory (I) cells of one ring share their input h and have a power-law response::

    tau_a dr_a(theta)/dt = -r_a + k [h(theta) + sum_b s_b J_ab sum_theta' G(theta - theta') r_b(theta')]+^n

with a, b in {E, I}, s_E = 1, s_I = -1, ``G(d) = exp(-d^2 / (2 sigma_recurrent^2))`` and, for gratings of contrast c_j
at theta_j, ``h(theta) = sum_j c_j exp(-(theta - theta_j)^2 / (2 sigma_input^2))``. Distances are the shorter way around
180 degrees. Weak input: recurrence is negligible and two gratings add up supralinearly (power n). Strong input:
inhibition balances excitation and they add up sublinearly, as in response normalisation.

Source: Rubin, Van Hooser & Miller 2015, Neuron 85:402, doi:10.1016/j.neuron.2014.12.026 (ring model); theory in
Ahmadian, Rubin & Miller 2013, Neural Comput 25:1994, doi:10.1162/NECO_a_00472.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_array, check_number
from netlib.base.fields import Declared, integer, number
from netlib.base.orientation import distance, preferred_orientations
from netlib.theory.rate_ring import bump_half_width

__all__ = ["SupralinearRing"]


@dataclass(frozen=True)
class SupralinearRing(Declared):
    """Parameters of the ring; the defaults are those of the paper's ring, as public re-implementations quote them.

    Attributes
    ----------
    n : int
        Cells of each population.
    gain, exponent : float
        k and n of the response.
    tau_E, tau_I : float
        Time constants (ms).
    J_EE, J_EI, J_IE, J_II : float
        Magnitude of the weights; the first letter is the target.
    sigma_recurrent, sigma_input : float
        Standard deviations of the weights and of the input (deg).

    Examples
    --------
    >>> {name: round(value, 1) for name, value in SupralinearRing().tuning(50.0).items()}
    {'rate_E': 38.6, 'rate_I': 87.2, 'hwhh_E': 21.5, 'hwhh_I': 23.9}
    """

    n: int = integer(180, 8, 10_000, "cells")
    gain: float = number(0.04, "Hz", 0, low_open=True)
    exponent: float = number(2.0, "", 1)
    tau_E: float = number(20.0, "ms", 0, low_open=True)
    tau_I: float = number(10.0, "ms", 0, low_open=True)
    J_EE: float = number(0.044, "", 0)
    J_EI: float = number(0.023, "", 0)
    J_IE: float = number(0.042, "", 0)
    J_II: float = number(0.018, "", 0)
    sigma_recurrent: float = number(32.0, "deg", 0, low_open=True)
    sigma_input: float = number(30.0, "deg", 0, low_open=True)

    def input(self, contrasts: Sequence[float], orientations: Sequence[float]) -> np.ndarray:
        """Input h to each cell, shape (n,), of gratings shown together; contrast is the input at their orientation."""
        contrasts = check_array("contrasts", contrasts, "", 0, ndim=1)
        orientations = check_array("orientations", orientations, "deg", -360, 360, ndim=1)
        if len(contrasts) != len(orientations):
            raise ValueError(
                f"contrasts has {len(contrasts)} values and orientations {len(orientations)}: one per grating"
            )
        return contrasts @ self._gaussian(orientations[:, None], self.sigma_input)

    def _gaussian(self, orientations: np.ndarray, sigma: float) -> np.ndarray:
        d = distance(preferred_orientations(self.n)[None, :], orientations)
        return np.exp(-(d**2) / (2 * sigma**2))

    def steady_state(
        self,
        contrasts: Sequence[float],
        orientations: Sequence[float],
        *,
        duration: float = 1000.0,
        dt: float = 0.25,
        tolerance: float = 1e-6,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rates of the E and I cells (Hz), each of shape (n,), reached from silence (Euler).

        Parameters
        ----------
        contrasts, orientations : sequence of float
            One value per grating (orientation in deg).
        duration, dt : float
            Longest time and time step (ms).
        tolerance : float
            Steady when no rate changes by more than this part of the largest rate in one ms.

        Raises
        ------
        RuntimeError
            If the rates explode or are not steady after ``duration``.
        """
        check_number("duration", duration, "ms", 1)
        check_number("dt", dt, "ms", 0, min(self.tau_E, self.tau_I) / 2, low_open=True)
        check_number("tolerance", tolerance, "per ms", 0, low_open=True)
        h = self.input(contrasts, orientations)
        profile = self._gaussian(np.zeros((1, 1)), self.sigma_recurrent)[0]
        spectrum = np.fft.rfft(profile)  # the weights are a circular convolution
        J = np.array([[self.J_EE, -self.J_EI], [self.J_IE, -self.J_II]])
        step = dt / np.array([[self.tau_E], [self.tau_I]])
        rates = np.zeros((2, self.n))
        for _ in range(round(duration / dt)):
            spread = np.fft.irfft(np.fft.rfft(rates) * spectrum, self.n)
            change = step * (self.gain * np.maximum(h + J @ spread, 0.0) ** self.exponent - rates)
            rates = rates + change
            largest = rates.max()
            if not largest < 1e6:
                raise RuntimeError("rates explode: inhibition does not stabilise this network; raise J_EI or J_IE")
            if np.abs(change).max() / dt <= tolerance * max(largest, 1e-12):
                return rates[0], rates[1]
        raise RuntimeError(f"rates are not steady after {duration:g} ms: the network oscillates, or give it longer")

    def tuning(self, contrast: float, orientation: float = 45.0) -> dict[str, float]:
        """Response to one grating: peak rates (Hz) and half widths at half height (deg) of E and I.

        The profile over cells at one orientation is also the tuning curve of a cell: all cells are alike.
        """
        rates = dict(zip("EI", self.steady_state([contrast], [orientation]), strict=True))
        peaks = {f"rate_{name}": float(r.max()) for name, r in rates.items()}
        return peaks | {f"hwhh_{name}": bump_half_width(r) for name, r in rates.items()}

    def weight_of_sum(self, contrast: float, orientation: float = 45.0) -> float:
        """Factor w that best makes the E response to two orthogonal gratings ``w`` (sum of the responses to each).

        Least squares over cells: 1 is linear, above 1 supralinear, ``1 / sqrt(2)`` what divisive normalisation by the
        root of the summed squared contrasts gives.
        """
        pair = self.steady_state([contrast, contrast], [orientation, orientation + 90.0])[0]
        alone = [self.steady_state([contrast], [theta])[0] for theta in (orientation, orientation + 90.0)]
        total = alone[0] + alone[1]
        return float(pair @ total / (total @ total))
