"""The engine of plasticity: traces and weights of synapses, advanced over a stretch of time from the spikes in it."""

from __future__ import annotations

import numpy as np
from numba import njit

from netlib.networks.plasticity import STDP, VogelsSprekeler

__all__ = ["Synapses"]

#: Two spikes closer than this reach a synapse together (ms), well below a time step.
TOGETHER = 1e-6


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
    >>> from netlib.networks.plasticity import STDP
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
