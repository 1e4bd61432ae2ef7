"""Mean field of a sparse random ring of conductance-based integrate-and-fire cells: rates with no free parameter.

A cell of orientation theta receives from each source s a mean conductance ``g_s = w_s tau_s K_s nu_s`` (w weight, K
connections, nu their mean rate), which sets its mean potential mu, its time constant ``tau = C / g`` (g the sum with
the leak) and, with ``(E_s - mu) / g`` for the effect of a conductance, the noise of its potential. Its rate is that of
an integrate-and-fire cell with white noise (Siegert), thresholds shifted for the filtering of noise by the synapses::

    1 / r = tau_refrac + tau sqrt(pi) integral_a^b exp(u^2) (1 + erf u) du
    a, b  = (V_reset - mu) / sigma + 1.03 sqrt(tau_s / tau),  (V_thresh - mu) / sigma + 1.03 sqrt(tau_s / tau)

A cell's number of connections is random, so that mu varies from cell to cell: the rate is averaged over that normal
distribution, of variance ``sum_s [w_s tau_s (E_s - mu) / g]^2 sum_j p_j (<nu_j^2> - p_j <nu_j>^2)``. Rates of sources
and targets must agree: the fixed point is found by damped iteration.

Valid for many weak inputs, independent Poisson trains, and synapses faster than the membrane; in the ring ``v1`` the
last is only roughly so (tau_s 3 and 5.5 ms, tau 7 to 12 ms).

Sources: Siegert 1951, Phys Rev 81:617; conductances: Kuhn, Aertsen & Rotter 2004, J Neurosci 24:2345; shift of the
thresholds: Brunel & Sergi 1998, J Theor Biol 195:87, Fourcaud & Brunel 2002, Neural Comput 14:2057; random in-degree:
van Vreeswijk & Sompolinsky 1998, Neural Comput 10:1321; Roxin et al. 2011, J Neurosci 31:16217.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.fields import Declared, integer, number
from netlib.theory.rate_ring import von_mises_kernel

__all__ = ["LIFCell", "LIFRing", "RandomConnection", "siegert_rate"]

SHIFT = 1.0326265  # sqrt(2) |zeta(1/2)| / 2
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_NORMAL, _MASS = np.polynomial.hermite_e.hermegauss(7)
_MASS = _MASS / _MASS.sum()


def siegert_rate(
    mu: np.ndarray,
    sigma: np.ndarray | float,
    tau: np.ndarray | float,
    v_thresh: float,
    v_reset: float,
    tau_refrac: float,
    tau_syn: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Rate (Hz) of an integrate-and-fire cell with noise.

    Parameters
    ----------
    mu, sigma : ndarray or float
        Mean of the free potential and ``sqrt(2)`` times the standard deviation that white noise gives it (mV).
    tau, tau_refrac, tau_syn : ndarray or float
        Membrane time constant, refractory period, time constant of the noise (ms; 0 is white).
    v_thresh, v_reset : float
        mV.

    Examples
    --------
    >>> rate = siegert_rate(np.array([10.0, 20.0, 30.0]), 5.0, 20.0, v_thresh=20.0, v_reset=0.0, tau_refrac=2.0)
    >>> rate.round(1).tolist()
    [0.9, 20.1, 43.4]
    """
    shift = SHIFT * np.sqrt(np.asarray(tau_syn) / tau)
    low, high = (v_reset - mu) / sigma + shift, (v_thresh - mu) / sigma + shift
    half = (high - low) / 2
    u = half[..., None] * _NODES + ((high + low) / 2)[..., None]
    # exp(u^2) (1 + erf u) = erfcx(-u); above 25, where it would overflow, the rate is 0 to machine precision
    integral = half * (erfcx(-np.minimum(u, 25.0)) @ _WEIGHTS)
    return 1000.0 / (tau_refrac + np.asarray(tau) * np.sqrt(np.pi) * integral)


@dataclass(frozen=True)
class LIFCell(Declared):
    """A leaky integrate-and-fire cell with exponential conductances (nF, ms, mV), as ``netlib.networks.Cell``.

    Examples
    --------
    >>> LIFCell(0.2, 20.0, 2.0, 5.0, 10.0, -70.0, v_reset=-50.0, v_thresh=-55.0, e_rev_E=0.0, e_rev_I=-80)
    Traceback (most recent call last):
    ...
    ValueError: v_reset = -50.0 mV is out of range: it must be in (-inf, -55) mV
    """

    cm: float = number(..., "nF", 0, low_open=True)
    tau_m: float = number(..., "ms", 0, low_open=True)
    tau_refrac: float = number(..., "ms", 0)
    tau_syn_E: float = number(..., "ms", 0, low_open=True)
    tau_syn_I: float = number(..., "ms", 0, low_open=True)
    v_rest: float = number(..., "mV", -200, 100)
    v_reset: float = number(..., "mV")
    v_thresh: float = number(..., "mV", -200, 100)
    e_rev_E: float = number(..., "mV", -200, 100)
    e_rev_I: float = number(..., "mV", -200, 100)

    def check(self) -> None:
        check_number("v_reset", self.v_reset, "mV", None, self.v_thresh, high_open=True)


@dataclass(frozen=True)
class RandomConnection(Declared):
    """Connections drawn with a von Mises probability of the difference of orientation.

    Attributes
    ----------
    B_theta : float
        Bandwidth (deg).
    in_degree : float
        Mean number onto each cell.
    weight : float
        Each of them (uS).

    Examples
    --------
    >>> connection = RandomConnection(B_theta=20.0, in_degree=100.0, weight=0.001)
    >>> round(connection.in_degree * connection.weight, 3)
    0.1
    """

    B_theta: float = number(..., "deg", 0, low_open=True, finite=False)
    in_degree: float = number(..., "connections per cell", 0, low_open=True)
    weight: float = number(..., "uS", 0)


@dataclass(frozen=True)
class LIFRing(Declared):
    """Populations "E" and "I" of integrate-and-fire cells, driven by "input" cells.

    Attributes
    ----------
    cells : dict of LIFCell
        "E" and "I".
    sizes : dict of int
        Cells of "input", "E" and "I".
    connections : dict of RandomConnection
        By "source_to_target".
    n : int
        Orientations at which the rates are computed.

    Examples
    --------
    >>> cell = LIFCell(0.2, 20.0, 2.0, 5.0, 10.0, -70.0, -70.0, -55.0, 0.0, -80.0)
    >>> drive = {"input_to_E": RandomConnection(20.0, 100.0, 0.0008)}
    >>> ring = LIFRing({"E": cell, "I": cell}, {"input": 1000, "E": 400, "I": 100}, drive, n=8)
    >>> ring.steady_state(np.array([4.0, 4, 6, 12, 20, 12, 6, 4]))["E"].round(1).tolist()
    [1.9, 4.8, 22.0, 51.5, 67.7, 51.5, 22.0, 4.8]
    """

    cells: Mapping[str, LIFCell]
    sizes: Mapping[str, int]
    connections: Mapping[str, RandomConnection]
    n: int = integer(90, 8, 10_000, "orientations")

    def check(self) -> None:
        for name in ("E", "I"):
            check_type(f"cells[{name!r}]", self.cells.get(name), LIFCell)
        for name in ("input", "E", "I"):
            check_integer(f"sizes[{name!r}]", self.sizes.get(name), 1, unit="cells")
        for name, connection in self.connections.items():
            check_type(name, connection, RandomConnection)
            source, _, target = name.partition("_to_")
            if source not in self.sizes or target not in self.cells:
                raise ValueError(f"connection {name!r} is unknown: it must be 'input_to_E', 'E_to_I' or the like")

    def steady_state(
        self, input_rates: ArrayLike, *, tolerance: float = 1e-5, iterations: int = 2000
    ) -> dict[str, np.ndarray]:
        """Mean rates (Hz) of "E" and "I" at each orientation, shape (n,), for those of the input, shape (n,).

        Raises
        ------
        RuntimeError
            If the iteration does not settle: no stable fixed point was found.
        """
        state = self._fixed_point(self._checked(input_rates), tolerance, iterations)
        return {"E": state[0, 0], "I": state[1, 0]}

    def turning_gain(self, input_rates: ArrayLike) -> float:
        """How much of a small turn of the bump its own recurrence reproduces.

        The largest real part among the eigenvalues, for perturbations that are odd about the peak, of the map from the
        rates of the ring to the rates they evoke. It is 0 without recurrence and 1 in a marginal phase, where the ring
        holds its bump at any place; in the ring of Hansel & Sompolinsky it is ``J2 r2 / (C eps + J2 r2)``, the share of
        recurrence in the tuned drive (:meth:`netlib.theory.HanselSompolinsky.recurrent_share`).

        Parameters
        ----------
        input_rates : array_like, shape (n,)
            Hz, symmetric about its peak at index 0.
        """
        feed = self._checked(input_rates)
        mirror = -np.arange(self.n) % self.n
        if feed.argmax() != 0 or np.abs(feed - feed[mirror]).max() > 1e-6 * feed.max():
            raise ValueError("input_rates is not symmetric about index 0: show the orientation 0 deg")
        state = self._fixed_point(feed, 1e-7, 5000)
        right = np.arange(1, (self.n + 1) // 2)
        columns = []
        for place in np.ndindex(2, 2, len(right)):
            k = right[place[2]]
            size = 1e-4 * max(state[place[0], place[1]].max(), 1e-3)
            turn = np.zeros_like(state)
            turn[place[0], place[1], [k, mirror[k]]] = size, -size
            change = self._update(state + turn, feed) - self._update(state - turn, feed)
            columns.append(change[:, :, right].ravel() / (2 * size))
        return float(np.linalg.eigvals(np.array(columns).T).real.max())

    def _checked(self, input_rates: ArrayLike) -> np.ndarray:
        feed = check_array("input_rates", input_rates, "Hz", 0, ndim=1)
        if len(feed) != self.n:
            raise ValueError(f"input_rates has {len(feed)} values: it must have n = {self.n}")
        return feed

    def _fixed_point(self, feed: np.ndarray, tolerance: float, iterations: int) -> np.ndarray:
        state = np.zeros((2, 2, self.n))
        for _ in range(iterations):
            new = self._update(state, feed)
            if np.abs(new - state)[:, 0].max() < tolerance:
                return new
            state = state + 0.2 * (new - state)
        raise RuntimeError(f"the rates do not settle in {iterations} iterations: the mean field may oscillate")

    def _update(self, state: np.ndarray, feed: np.ndarray) -> np.ndarray:
        """Mean and mean square rates, shape (population, moment, n), that the given ones evoke."""
        moments = {"input": (feed, feed**2), "E": state[0], "I": state[1]}
        return np.array([self._evoked(target, moments) for target in ("E", "I")])

    def _evoked(
        self, target: str, moments: Mapping[str, tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        cell = self.cells[target]
        leak = cell.cm / cell.tau_m
        total: np.ndarray | float = leak
        current: np.ndarray | float = leak * cell.v_rest
        arrivals = []
        for name, connection in self.connections.items():
            source, _, end = name.partition("_to_")
            if end != target:
                continue
            rate, spread = self._arriving(connection, self.sizes[source], *moments[source])
            tau, reversal = (cell.tau_syn_I, cell.e_rev_I) if source == "I" else (cell.tau_syn_E, cell.e_rev_E)
            conductance = connection.weight * tau * rate / 1000.0
            total, current = total + conductance, current + conductance * reversal
            arrivals.append((connection.weight, tau, reversal, rate / 1000.0, spread / 1e6))
        mu, tau_eff = current / total, cell.cm / total
        white, filtered, across = (np.zeros(self.n) for _ in range(3))
        for weight, tau, reversal, rate, spread in arrivals:
            effect = ((reversal - mu) / total) ** 2
            power = effect * weight**2 * tau**2 * rate / tau_eff
            white, filtered = white + power, filtered + power * tau
            across += effect * (weight * tau) ** 2 * spread
        sigma, tau_noise = np.sqrt(np.maximum(white, 1e-12)), filtered / np.maximum(white, 1e-300)
        means = mu + _NORMAL[:, None] * np.sqrt(across)
        rates = siegert_rate(means, sigma, tau_eff, cell.v_thresh, cell.v_reset, cell.tau_refrac, tau_noise)
        return _MASS @ rates, _MASS @ rates**2

    def _arriving(
        self, connection: RandomConnection, size: int, mean: np.ndarray, square: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean over cells of the summed rate (Hz) of the connected sources, and its variance from cell to cell."""
        kernel = von_mises_kernel(self.n, connection.B_theta, connection.in_degree)
        probability = np.minimum(kernel * self.n / size, 1.0)
        spectra = np.fft.rfft([kernel, kernel * probability])
        rate, lost = np.fft.irfft(spectra * np.fft.rfft([mean, mean**2]), self.n)
        squares = np.fft.irfft(spectra[0] * np.fft.rfft(square), self.n)
        return rate, np.maximum(squares - lost, 0.0)
