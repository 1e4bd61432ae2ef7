"""The biphasic temporal kernel of the LGN, and its exact response to frames that are held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import gamma, gammainc

from netlib.units import check_number

__all__ = ["TemporalKernel", "hold_matrix"]


@dataclass(frozen=True)
class TemporalKernel:
    """Difference of two gamma functions, the impulse response of an LGN cell.

    ``h(t) = scale * {w1 g(t; c1, n1) - w2 g(t; c2, n2)}`` for t >= 0, 0 before, with
    ``g(t; c, n) = [c (t - t0)]^n exp(-c (t - t0)) exp(-n) / n^2``
    (after Cai, DeAngelis & Freeman 1997, J Neurophysiol 78:1045). With the defaults h peaks at 27 ms
    (1.035), crosses zero at 50 ms, has its trough at 70 ms (-0.422) and integrates to 7.1 ms: a constant
    stimulus leaves a small sustained response.

    Parameters
    ----------
    scale : float
        Overall factor.
    w1, w2 : float
        Weights of the first and of the second lobe.
    c1, c2 : float
        Rates of the two lobes (1/ms).
    n1, n2 : float
        Orders of the two lobes.
    t0 : float
        Start of the gamma functions (ms, not after 0).

    Examples
    --------
    >>> round(float(TemporalKernel()(27.0)), 3)
    1.035
    """

    scale: float = 90.0
    w1: float = 0.92
    w2: float = 0.2
    c1: float = 0.2
    c2: float = 0.12
    n1: float = 7.0
    n2: float = 8.0
    t0: float = -6.0

    def __post_init__(self) -> None:
        check_number("scale", self.scale, "", 0, low_open=True)
        check_number("w1", self.w1, "", 0, low_open=True)
        check_number("w2", self.w2, "", 0)
        for name in ("c1", "c2"):
            check_number(name, getattr(self, name), "1/ms", 0, 10, low_open=True)
        for name in ("n1", "n2"):
            check_number(name, getattr(self, name), "", 1, 30)
        check_number("t0", self.t0, "ms", -1000, 0)

    def _lobes(self) -> tuple[tuple[float, float, float], ...]:
        """(signed amplitude, rate, order) of each lobe."""
        return (
            (self.scale * self.w1 * np.exp(-self.n1) / self.n1**2, self.c1, self.n1),
            (-self.scale * self.w2 * np.exp(-self.n2) / self.n2**2, self.c2, self.n2),
        )

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """Kernel at times ``t`` (ms); 0 before time 0."""
        t = np.asarray(t, float)
        age = np.maximum(t, 0) - self.t0
        total = sum(a * (c * age) ** n * np.exp(-c * age) for a, c, n in self._lobes())
        return np.where(t >= 0, total, 0.0)

    def step(self, t: ArrayLike) -> np.ndarray:
        """Integral of the kernel from 0 to ``t`` (ms): the response to a step, in closed form."""
        age = np.maximum(np.asarray(t, float), 0) - self.t0
        return sum(
            a * gamma(n + 1) / c * (gammainc(n + 1, c * age) - gammainc(n + 1, -c * self.t0))
            for a, c, n in self._lobes()
        )

    @cached_property
    def duration(self) -> float:
        """Time (ms) after which both lobes are below 1e-7 of their peak: the kernel's memory."""
        t = np.arange(0.0, 20 * max(self.n1 / self.c1, self.n2 / self.c2))
        alive = np.zeros(t.size, bool)
        for _, c, n in self._lobes():
            x = c * (t - self.t0)
            alive |= n * np.log(x / n) - (x - n) > np.log(1e-7)
        return float(t[alive][-1] + 1)

    @cached_property
    def zero_crossings(self) -> np.ndarray:
        """Times (ms) at which the kernel changes sign."""
        t = np.linspace(0, self.duration, 2000)
        sign = np.sign(self(t))
        return np.array([brentq(self, t[i], t[i + 1]) for i in np.flatnonzero(sign[1:] * sign[:-1] < 0)])

    def absolute_step(self, t: ArrayLike) -> np.ndarray:
        """Integral of ``|h|`` from 0 to ``t`` (ms), divided by its total: it rises from 0 to 1."""
        nodes = np.concatenate([[0.0], self.zero_crossings, [self.duration]])
        at_nodes = self.step(nodes)
        area = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(at_nodes)))])
        t = np.clip(np.asarray(t, float), 0, self.duration)
        piece = np.clip(np.searchsorted(nodes, t, side="right") - 1, 0, nodes.size - 2)
        return (area[piece] + np.abs(self.step(t) - at_nodes[piece])) / area[-1]

    @cached_property
    def best_gain(self) -> tuple[float, float]:
        """Temporal frequency (Hz) that the kernel amplifies most, and the amplitude it gives there (ms)."""
        t = np.arange(0.05, self.duration, 0.1)
        frequency = np.arange(0.0, 60.0, 0.1)
        gain = np.abs(np.exp(-2j * np.pi * frequency[:, None] * t * 1e-3) @ self(t)) * 0.1
        best = int(gain.argmax())
        return float(frequency[best]), float(gain[best])


def hold_matrix(step: Callable[[np.ndarray], np.ndarray], times: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Matrix that turns held frames into the filter's exact output.

    A frame shown from ``edges[j]`` to ``edges[j + 1]`` adds ``S(t - edges[j]) - S(t - edges[j + 1])`` to
    the output at time t, with S the step response. Nothing (grey) comes before the first edge.

    Parameters
    ----------
    step : callable
        Step response of the filter, 0 for negative times (ms).
    times : ndarray (n_times,)
        Times of the output (ms).
    edges : ndarray (n_frames + 1,)
        Onsets of the frames, and the end of the last (ms).

    Returns
    -------
    ndarray (n_times, n_frames) float32

    Examples
    --------
    >>> kernel = TemporalKernel()
    >>> matrix = hold_matrix(kernel.step, np.array([30.0, 60.0]), np.array([0.0, 10.0, 20.0]))
    >>> matrix.astype(float).round(1).tolist()
    [[9.8, 5.2], [-1.9, 2.6]]
    """
    response = step(times[:, None] - edges[None, :])
    return (response[:, :-1] - response[:, 1:]).astype(np.float32)
