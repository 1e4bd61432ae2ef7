"""Rules of synaptic plasticity, and the synapses that follow them: what a pair of spikes does to a weight.

Weights are magnitudes in [0, w_max], for excitatory and inhibitory synapses alike. A positive amplitude potentiates and
a negative one depresses, on either side of the window: ``A_plus`` is for a presynaptic spike followed by a postsynaptic
one, ``A_minus`` for the reverse. Every pair of spikes counts (all-to-all), each through traces that its own synapse
keeps. The window is that of the spikes as they reach the synapse.

The simulators' own rules are not used: outside A_plus >= 0 >= A_minus (in this convention) NEST's scales with the wrong
bound and leaves [0, w_max], and it keeps ``tau_minus`` in the postsynaptic cell, one for all projections onto it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_number
from netlib.base.fields import Declared, number

__all__ = ["SHAPES", "STDP", "Synapses", "VogelsSprekeler"]

#: Two spikes closer than this reach a synapse together (ms), well below a time step.
TOGETHER = 1e-6


@dataclass(frozen=True)
class STDP(Declared):
    r"""Spike-timing-dependent plasticity with bounds that are right for each sign.

    At a postsynaptic spike ``A_plus`` and the presynaptic trace x give the change, at a presynaptic spike
    ``A_minus`` and the postsynaptic trace y:

    .. math:: \Delta w / w_{max} = A x (1 - w / w_{max})^\mu \; (A > 0), \quad A x (w / w_{max})^\mu \; (A < 0)

    and the weight is then clipped to [0, w_max]. Spikes that reach the synapse at the same time are no pair. With
    A_plus > 0 > A_minus it is the rule of Gütig et al. 2003, J Neurosci 23:3697.

    Attributes
    ----------
    A_plus : float
        Change for pre before post, as a fraction of ``w_max``, in [-1, 1].
    A_minus : float
        Change for post before pre, likewise. **Positive potentiates**; PyNN and NEST write the opposite
        (:meth:`from_pynn`).
    tau_plus, tau_minus : float
        Time constants of the two sides (ms).
    w_max : float
        Largest weight (uS or nA).
    mu : float
        1 for multiplicative (soft) bounds, 0 for additive changes with hard bounds, or between.
    dendritic : float
        Fraction of the delay that the postsynaptic spike takes to reach the synapse; the presynaptic spike takes
        the rest. NEST knows 1 alone.

    Examples
    --------
    >>> STDP(w_max=1.0, mu=1.0).change([0.1, -0.1], 0.95).round(3).tolist()  # soft bounds
    [0.005, -0.095]
    >>> STDP(w_max=1.0, mu=0.0).change([0.1, -0.1], 0.95).round(3).tolist()  # hard bounds
    [0.05, -0.1]
    """

    A_plus: float = number(0.0375, "(fraction of w_max)", -1, 1)
    A_minus: float = number(-0.025, "(fraction of w_max)", -1, 1)
    tau_plus: float = number(37.5, "ms", 0, low_open=True)
    tau_minus: float = number(30.0, "ms", 0, low_open=True)
    w_max: float = number(0.2, "uS or nA", 0, low_open=True)
    mu: float = number(1.0, "", 0, 1)
    dendritic: float = number(1.0, "(fraction of the delay)", 0, 1)

    #: Change at each presynaptic spike whatever the postsynaptic cell does (fraction of w_max).
    offset = 0.0

    @classmethod
    def from_pynn(
        cls, A_plus: float, A_minus: float, tau_plus: float, tau_minus: float, w_max: float, **others: Any
    ) -> STDP:
        """Rule from amplitudes in PyNN's and NEST's sense, where a positive ``A_minus`` depresses."""
        return cls(A_plus, -A_minus, tau_plus, tau_minus, w_max, **others)

    def change(self: STDP | VogelsSprekeler, amplitude: ArrayLike, weight: ArrayLike) -> np.ndarray:
        """Change (uS or nA) of weights by a signed amplitude (fraction of w_max), clipped at the bounds."""
        u = np.asarray(weight, dtype=float) / self.w_max
        amplitude = np.asarray(amplitude, dtype=float)
        room = np.where(amplitude > 0, 1 - u, u)
        return self.w_max * (np.clip(u + amplitude * room**self.mu, 0, 1) - u)

    def window(self, delta_t: ArrayLike, weight: float, delay: float = 0.0) -> np.ndarray:
        """Change of a weight by one pair of spikes.

        Parameters
        ----------
        delta_t : array_like
            Time of the postsynaptic spike minus that of the presynaptic one, at their cells (ms).
        weight : float
            Weight before, in [0, w_max] (uS or nA).
        delay : float
            Delay of the synapse (ms): with dendritic = 1 the postsynaptic spike arrives that much later.

        Returns
        -------
        ndarray
            Change (uS or nA); 0 where the two arrive together.

        Examples
        --------
        >>> STDP(0.0375, -0.025, 37.5, 30.0, w_max=200.0).window([-30, 5], 100.0, delay=0.1).round(2).tolist()
        [-0.92, 3.27]
        """
        check_number("weight", weight, "uS or nA", 0, self.w_max)
        check_number("delay", delay, "ms", 0)
        lag = check_array("delta_t", delta_t, "ms") + (2 * self.dendritic - 1) * delay
        lag = np.where(np.abs(lag) < 1e-6, 0.0, lag)
        before = self.A_plus * np.exp(-np.maximum(lag, 0) / self.tau_plus) * (lag > 0)
        after = self.A_minus * np.exp(np.minimum(lag, 0) / self.tau_minus) * (lag < 0)
        return self.change(before + after, weight)


@dataclass(frozen=True)
class VogelsSprekeler(Declared):
    """Plasticity of inhibitory synapses that holds the rate of the postsynaptic cell.

    Every pair, dt apart in either order, adds ``eta`` exp(-abs(dt) / tau), and every presynaptic spike takes
    ``eta alpha`` away, alpha = 2 rho0 tau: in balance where the cell fires at rho0 (Vogels et al. 2011,
    Science 334:1569). Clipped to [0, w_max].

    Attributes
    ----------
    eta : float
        Learning rate: change by one coincidence (uS or nA).
    rho0 : float
        Target rate of the postsynaptic cell (Hz).
    tau : float
        Time constant of the window (ms).
    w_max : float
        Largest weight (uS or nA).
    dendritic : float
        As in :class:`STDP`.

    Examples
    --------
    >>> rule = VogelsSprekeler(eta=0.01, rho0=5.0, tau=20.0, w_max=1.0)
    >>> rule.offset
    -0.002
    """

    eta: float = number(1e-4, "uS or nA", 0, low_open=True)
    rho0: float = number(5.0, "Hz", 0)
    tau: float = number(20.0, "ms", 0, low_open=True)
    w_max: float = number(0.2, "uS or nA", 0, low_open=True)
    dendritic: float = number(1.0, "(fraction of the delay)", 0, 1)

    mu = 0.0

    def check(self) -> None:
        check_number("eta", self.eta, "uS or nA", 0, self.w_max, low_open=True)

    @property
    def alpha(self) -> float:
        """What a presynaptic spike takes away, in units of ``eta``."""
        return 2 * self.rho0 * self.tau / 1000.0

    @property
    def A_plus(self) -> float:
        """Change by a coincidence, as a fraction of w_max."""
        return self.eta / self.w_max

    @property
    def offset(self) -> float:
        """Change at each presynaptic spike, as a fraction of w_max."""
        return -self.alpha * self.A_plus

    A_minus = A_plus
    tau_plus = tau_minus = property(lambda self: self.tau)
    change = STDP.change

    def window(self, delta_t: ArrayLike, weight: float, delay: float = 0.0) -> np.ndarray:
        """Change of a weight (uS or nA) by one pair of spikes; see :meth:`STDP.window`."""
        check_number("weight", weight, "uS or nA", 0, self.w_max)
        check_number("delay", delay, "ms", 0)
        lag = check_array("delta_t", delta_t, "ms") + (2 * self.dendritic - 1) * delay
        pair = self.A_plus * np.exp(-np.abs(lag) / self.tau) * (np.abs(lag) > 1e-6)
        pair_first = lag > 0  # then the presynaptic spike comes alone, and each change is clipped on its own
        first = self.change(np.where(pair_first, self.offset, 0.0), weight)
        then = self.change(np.where(pair_first, pair, pair + self.offset), np.asarray(weight) + first)
        return first + then


def _shape(A_plus: float, A_minus: float, tau_plus: float) -> STDP:
    return STDP.from_pynn(A_plus, A_minus, tau_plus, 30.0, w_max=0.2)


#: The four windows of the 2018-2019 internship project (Ladret & Perrinet, InternshipM2), in our convention:
#: pre before post / post before pre. ``dataclasses.replace(SHAPES["causal"], w_max=0.8)`` sets another bound.
SHAPES = {
    "causal": _shape(0.0375, 0.025, 37.5),  # potentiates / depresses
    "anticausal": _shape(-0.0075, -0.025, 22.5),  # depresses / potentiates
    "symmetric_plus": _shape(0.025, -0.025, 48.0),  # potentiates both ways
    "symmetric_minus": _shape(-0.04375, 0.025, 30.0),  # depresses both ways
}


# ---------------------------------------------------------------- synapses that follow a rule


@njit(cache=True)
def _changed(u: float, amplitude: float, mu: float) -> float:
    """Weight (fraction of w_max) after a change, clipped."""
    if amplitude > 0:
        u += amplitude * (1.0 - u) ** mu
    else:
        u += amplitude * u**mu
    return min(max(u, 0.0), 1.0)


@njit(cache=True)
def _advance(
    u, x, y, pre, post, axonal, dendritic, pre_first, pre_time, post_first, post_time,
    start, stop, learn, A_plus, A_minus, tau_plus, tau_minus, offset, mu,
):  # fmt: skip
    """Advance every synapse by the spikes that reach it in (start, stop], in order of arrival."""
    for s in range(len(u)):
        i, i_end = pre_first[pre[s]], pre_first[pre[s] + 1]
        j, j_end = post_first[post[s]], post_first[post[s] + 1]
        while i < i_end and pre_time[i] + axonal[s] <= start + TOGETHER:
            i += 1
        while j < j_end and post_time[j] + dendritic[s] <= start + TOGETHER:
            j += 1
        last = start
        while True:
            t_pre = pre_time[i] + axonal[s] if i < i_end else np.inf
            t_post = post_time[j] + dendritic[s] if j < j_end else np.inf
            now = min(t_pre, t_post)
            if now > stop + TOGETHER:
                break
            x[s] *= np.exp((last - now) / tau_plus)
            y[s] *= np.exp((last - now) / tau_minus)
            last = now
            is_pre, is_post = t_pre <= now + TOGETHER, t_post <= now + TOGETHER
            if learn and is_post:
                u[s] = _changed(u[s], A_plus * x[s], mu)
            if learn and is_pre:
                u[s] = _changed(u[s], A_minus * y[s] + offset, mu)
            if is_pre:
                x[s] += 1.0
                i += 1
            if is_post:
                y[s] += 1.0
                j += 1
        x[s] *= np.exp((last - stop) / tau_plus)
        y[s] *= np.exp((last - stop) / tau_minus)


class Synapses:
    """Plastic synapses of one projection, one entry each.

    Parameters
    ----------
    rule : STDP or VogelsSprekeler
        The rule they follow.
    pre, post : ndarray of int, shape (n_synapses,)
        Cells they connect.
    delay : ndarray, shape (n_synapses,)
        Delays (ms).
    weight : ndarray, shape (n_synapses,)
        Weights at time 0, in [0, w_max] (uS or nA).
    n_pre, n_post : int
        Sizes of the populations (cells).

    Raises
    ------
    ValueError
        If a weight is out of bounds.

    Examples
    --------
    >>> synapse = Synapses(STDP(), np.array([0]), np.array([0]), np.array([1.0]), np.array([0.1]), 1, 1)
    >>> synapse.advance((np.array([0]), np.array([10.0])), (np.array([0]), np.array([15.0])), stop=50.0)
    >>> synapse.weight.round(5).tolist()
    [0.1032]
    """

    def __init__(
        self,
        rule: STDP | VogelsSprekeler,
        pre: np.ndarray,
        post: np.ndarray,
        delay: np.ndarray,
        weight: np.ndarray,
        n_pre: int,
        n_post: int,
    ) -> None:
        # A bound that is met to rounding is met.
        if len(weight) and not (weight.min() >= 0 and weight.max() <= rule.w_max * (1 + 1e-9)):
            raise ValueError(
                f"weights span [{weight.min():g}, {weight.max():g}]: they must be in [0, w_max = {rule.w_max:g}]"
            )
        self.rule, self.n_pre, self.n_post = rule, n_pre, n_post
        self.pre, self.post = (np.ascontiguousarray(a, dtype=np.int64) for a in (pre, post))
        self.dendritic = rule.dendritic * np.asarray(delay, dtype=float)
        self.axonal = np.asarray(delay, dtype=float) - self.dendritic
        self.time = 0.0
        self._u = np.minimum(np.asarray(weight, dtype=float) / rule.w_max, 1.0)
        self._x, self._y = np.zeros(len(pre)), np.zeros(len(pre))

    @property
    def weight(self) -> np.ndarray:
        """Weights now (uS or nA)."""
        return self._u * self.rule.w_max

    def advance(
        self,
        pre_spikes: tuple[np.ndarray, np.ndarray],
        post_spikes: tuple[np.ndarray, np.ndarray],
        stop: float,
        learn: bool = True,
    ) -> None:
        """Advance to time ``stop`` (ms).

        Parameters
        ----------
        pre_spikes, post_spikes : tuple of ndarray
            (cell, time in ms) of all spikes until ``stop`` that had not reached the synapse; older ones are ignored.
        stop : float
            New time (ms).
        learn : bool
            Whether weights change; the traces are kept up in any case.
        """
        rule = self.rule
        _advance(
            self._u, self._x, self._y, self.pre, self.post, self.axonal, self.dendritic,
            *_by_cell(*pre_spikes, self.n_pre), *_by_cell(*post_spikes, self.n_post),
            self.time, float(stop), learn,
            float(rule.A_plus), float(rule.A_minus), float(rule.tau_plus), float(rule.tau_minus),
            float(rule.offset), float(rule.mu),
        )  # fmt: skip
        self.time = float(stop)


def _by_cell(index: np.ndarray, time: np.ndarray, n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes sorted by cell, then time: (position of the first of each cell, with a last end; times)."""
    order = np.lexsort((time, index))
    first = np.zeros(n_cells + 1, dtype=np.int64)
    np.cumsum(np.bincount(index, minlength=n_cells), out=first[1:])
    return first, np.ascontiguousarray(np.asarray(time, dtype=float)[order])
