"""Non-negative deconvolution, exact and in time linear in the number of frames: the compiled kernels.

Both minimise ½ Σ (target - c)² over calcium c with events s ≥ 0, where s[t] = c[t] - g₁ c[t-1] - g₂ c[t-2] and c is 0
before the first frame: s[0] is the calcium the trace starts with.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["events_of", "oasis_ar1", "pivoting_ar2"]

#: Exchanges of whole blocks without progress that are allowed before single exchanges, which cannot cycle.
PATIENCE = 10


def events_of(calcium: np.ndarray, g1: float, g2: float = 0.0) -> np.ndarray:
    """Events s[t] = c[t] - g₁ c[t-1] - g₂ c[t-2], those below rounding error set to 0.

    Examples
    --------
    >>> events_of(np.array([0.0, 1.0, 0.5, 0.25, 1.125]), 0.5).tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0]
    """
    events = calcium.copy()
    events[1:] -= g1 * calcium[:-1]
    events[2:] -= g2 * calcium[:-2]
    events[events < 1e-10 * max(calcium.max(), 1e-300)] = 0.0
    return events


@njit(cache=True)
def oasis_ar1(target: np.ndarray, g: float, minimum: float = 0.0) -> np.ndarray:
    """Calcium of order 1 by pooling adjacent frames that would need a negative event.

    Friedrich, Zhou & Paninski 2017, PLoS Comput Biol 13:e1005423, algorithm 1 (exact with ``minimum`` 0), and
    with the condition of its section on hard thresholds, s[t] = 0 or s[t] ≥ minimum (a greedy pass, not exact).

    Parameters
    ----------
    target : ndarray, shape (n_frames,)
        dF/F minus baseline and penalty.
    g : float
        Share of calcium that is left after one frame, exp(-frame / decay).
    minimum : float
        Smallest event.

    Examples
    --------
    >>> calcium = oasis_ar1(np.array([0.0, 1.0, 0.5, 0.25, -0.1]), 0.5, 0.0)
    >>> events_of(calcium, 0.5).round(2).tolist()
    [0.0, 0.98, 0.0, 0.0, 0.0]
    """
    n = len(target)
    powers = np.ones(n + 1)
    for t in range(n):
        powers[t + 1] = powers[t] * g
    value, weight = np.empty(n), np.empty(n)
    start, length = np.empty(n, np.int64), np.empty(n, np.int64)
    last = -1
    for t in range(n):
        last += 1
        value[last], weight[last], start[last], length[last] = target[t], 1.0, t, 1
        while last > 0 and value[last] < value[last - 1] * powers[length[last - 1]] + minimum:
            before = last - 1
            shrink = powers[length[before]]
            total = weight[before] + shrink * shrink * weight[last]
            value[before] = (weight[before] * value[before] + shrink * weight[last] * value[last]) / total
            weight[before] = total
            length[before] += length[last]
            last = before
    calcium = np.empty(n)
    for k in range(last + 1):
        for j in range(length[k]):
            calcium[start[k] + j] = max(value[k], 0.0) * powers[j]
    return calcium


@njit(cache=True)
def _calcium_of(target, g1, g2, free, multiplier, inverse, lower1, lower2, place):
    """Best calcium with events only where ``free``; fills in the multipliers of the other frames.

    c = target + Gᵀμ with (G c)[t] = 0 and μ[t] unknown where not free: the equations in μ are rows and columns of
    G Gᵀ, a matrix of five diagonals, factorised as L D Lᵀ on the way down and solved on the way up.
    """
    n = len(target)
    m = 0
    for t in range(n):
        multiplier[t] = 0.0
        if free[t]:
            continue
        diagonal, value = 1.0, -target[t]
        if t > 0:
            diagonal += g1 * g1
            value += g1 * target[t - 1]
        if t > 1:
            diagonal += g2 * g2
            value += g2 * target[t - 2]
        near = far = 0.0
        if m > 1 and t - place[m - 2] == 2:
            far = -g2
        if m > 0 and t - place[m - 1] == 1:
            near = -g1 + (g1 * g2 if t > 1 else 0.0)
        elif m > 0 and t - place[m - 1] == 2:
            near = -g2
        if m > 0:
            if m > 1:
                lower2[m] = far * inverse[m - 2]
                near -= far * lower1[m - 1]
                diagonal -= far * lower2[m]
                value -= lower2[m] * multiplier[place[m - 2]]
            lower1[m] = near * inverse[m - 1]
            diagonal -= near * lower1[m]
            value -= lower1[m] * multiplier[place[m - 1]]
        place[m], inverse[m], multiplier[t] = t, 1.0 / diagonal, value
        m += 1
    for k in range(m - 1, -1, -1):
        value = multiplier[place[k]] * inverse[k]
        if k + 1 < m:
            value -= lower1[k + 1] * multiplier[place[k + 1]]
        if k + 2 < m:
            value -= lower2[k + 2] * multiplier[place[k + 2]]
        multiplier[place[k]] = value
    calcium = target + multiplier
    calcium[:-1] -= g1 * multiplier[1:]
    calcium[:-2] -= g2 * multiplier[2:]
    return calcium


@njit(cache=True)
def pivoting_ar2(target: np.ndarray, g1: float, g2: float, free: np.ndarray) -> np.ndarray:
    """Calcium of order 2, where the OASIS pass is not exact, by exchanging frames with and without an event.

    Block principal pivoting (Portugal, Júdice & Vicente 1994, Math Comput 63:625): every frame that breaks a
    condition (a negative event, or a multiplier that asks for one) changes side at once; about ten solutions of a
    banded system. With g₂ = 0 it solves order 1 too.

    Parameters
    ----------
    target : ndarray, shape (n_frames,)
        dF/F minus baseline and penalty.
    g1, g2 : float
        d + r and -d r for the shares d, r of calcium left after one frame of decay and of rise.
    free : ndarray of bool, shape (n_frames,)
        Where events are thought to be: a first guess, changed in place into the answer.

    Examples
    --------
    >>> calcium = np.array([0.0, 1.0, 1.1, 0.91, 0.671])  # one event, with g1 = 1.1 and g2 = -0.3
    >>> found = pivoting_ar2(calcium, 1.1, -0.3, np.zeros(5, bool))
    >>> events_of(found, 1.1, -0.3).round(2).tolist()
    [0.0, 1.0, 0.0, 0.0, 0.0]
    """
    n = len(target)
    multiplier, inverse, lower1, lower2 = np.empty(n), np.empty(n), np.zeros(n), np.zeros(n)
    place = np.empty(n, np.int64)
    wrong = np.empty(n, np.int64)
    tolerance = 1e-10 * max(np.abs(target).max(), 1e-300)
    fewest, patience = n + 1, PATIENCE
    calcium = np.empty(n)
    for _ in range(20 * n + 100):
        calcium = _calcium_of(target, g1, g2, free, multiplier, inverse, lower1, lower2, place)
        count = 0
        for t in range(n):
            size = multiplier[t]
            if free[t]:
                size = calcium[t]
                if t > 0:
                    size -= g1 * calcium[t - 1]
                if t > 1:
                    size -= g2 * calcium[t - 2]
            if size < -tolerance:
                wrong[count] = t
                count += 1
        if count == 0:
            break
        if count < fewest:
            fewest, patience = count, PATIENCE
        else:
            patience -= 1
        for k in range(count if patience >= 0 else 1):
            t = wrong[count - 1 - k]
            free[t] = not free[t]
    return calcium
