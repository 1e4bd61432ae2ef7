"""A rate ring of Poisson cells whose bump of activity wanders, and the theory of how fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.orientation import preferred_orientations
from netlib.seeds import stream
from netlib.theory.hansel_sompolinsky import theta_c
from netlib.units import check_integer, check_number

__all__ = ["PoissonBump"]


@dataclass(frozen=True)
class PoissonBump:
    """Threshold-linear ring of Poisson cells, in the marginal phase and with flat input: its bump may sit anywhere.

    The synaptic trace ``m_i`` (Hz) of cell i follows ``tau dm_i/dt = -m_i + S_i(t)``, with S_i a Poisson train of
    rate ``f_i = [C + J0 r0 + J2 r2 cos 2(theta_i - psi)]+``; r0 and r2 exp(2i psi) are the means over cells of m
    and m exp(2i theta) (Ben-Yishai, Bar-Or & Sompolinsky 1995, PNAS 92:3844). Spikes enter as Gaussian noise of the
    same variance. C is set so that the bump has a given peak.

    Attributes
    ----------
    J0, J2 : float
        Untuned and tuned recurrence (no unit); ``J2`` > 2.
    peak : float
        Rate at the top of the bump (Hz).
    tau : float
        Time constant of the trace (ms).
    heterogeneity : float
        All weights onto a cell are multiplied by 1 + heterogeneity x a standard normal number, drawn per cell.
    """

    J0: float = -10.0
    J2: float = 4.0
    peak: float = 30.0
    tau: float = 100.0
    heterogeneity: float = 0.0

    def __post_init__(self) -> None:
        check_number("J0", self.J0, "", None, 0)
        check_number("J2", self.J2, "", 2, low_open=True)
        check_number("peak", self.peak, "Hz", 0, low_open=True)
        check_number("tau", self.tau, "ms", 0, low_open=True)
        check_number("heterogeneity", self.heterogeneity, "", 0)

    @property
    def half_width(self) -> float:
        """Half width of the bump at its base (deg), from ``J2 / pi (x - sin(4 x) / 4) = 1``."""
        return float(theta_c(self.J2))

    def profile(self, n: int) -> np.ndarray:
        """Rates (Hz) of n cells with the bump at 0 deg, shape (n,)."""
        edge = np.cos(2 * np.radians(self.half_width))
        return self.peak * np.maximum(np.cos(2 * np.radians(preferred_orientations(n))) - edge, 0) / (1 - edge)

    def diffusion(self, n: int) -> float:
        """Diffusion coefficient D (deg^2 / s), Var = 2 D t, of n equal cells for weak noise.

        The noise is projected on the left null vector of the linearised dynamics, ``v = sin 2x``:
        ``D = sum(v^2 f) / [2 (tau sum(v df/dpsi))^2]``.
        """
        theta, f = np.radians(preferred_orientations(n)), self.profile(n)
        v = np.sin(2 * theta)
        slope = np.where(f > 0, 2 * v * self.peak / (1 - np.cos(2 * np.radians(self.half_width))), 0)
        return float(np.degrees(1) ** 2 * (v**2 @ f) / (2 * (self.tau * 1e-3 * (v @ slope)) ** 2))

    def simulate(self, n: int, trajectories: int, duration: float, seed: int, step: float = 10.0) -> np.ndarray:
        """Position of the bump (deg, unwrapped), shape (trajectories, n_steps + 1); starts evenly spread.

        Parameters
        ----------
        n : int
            Number of cells.
        trajectories : int
            Runs, all of the same network.
        duration, step : float
            Length and Euler step (ms).
        seed : int
            Master seed; streams: heterogeneity, noise.
        """
        check_integer("trajectories", trajectories, 1)
        check_number("step", step, "ms", 0, self.tau, low_open=True)
        theta = np.radians(preferred_orientations(n))
        modes = np.stack([np.ones(n), np.cos(2 * theta), np.sin(2 * theta)])
        gains = np.array([self.J0, self.J2, self.J2])[:, None] / n
        f = self.profile(n)
        constant = self.peak - gains[:, 0] @ (modes @ f)  # cell 0 is at the peak, where the modes are 1, 1 and 0
        m = np.stack([np.roll(f, (k * n) // trajectories) for k in range(trajectories)], axis=1)
        onto = 1 + self.heterogeneity * stream(seed, "heterogeneity", n).standard_normal((n, 1))
        noise, leak = stream(seed, "noise", n), step / self.tau
        vector = np.empty((round(duration / step) + 1, trajectories), complex)
        for k in range(len(vector)):
            means = modes @ m
            vector[k] = means[1] + 1j * means[2]
            f = np.maximum(constant + onto * (modes.T @ (gains * means)), 0)
            spikes = f + np.sqrt(f * (1e3 / step)) * noise.standard_normal(f.shape)  # Hz
            m += leak * (spikes - m)
        return np.degrees(np.unwrap(np.angle(vector), axis=0)).T / 2
