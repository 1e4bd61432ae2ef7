"""The compiled passes of :mod:`netlib.recordings.fluorescence.spike_viterbi`.

State of frame t is (calcium c, baseline b) after its spikes. value[t][c, b] is the least cost of frame t and all later
ones from that state; going on costs, per frame, the squared misfit, the spikes and the move of the baseline.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["backward", "forward"]


@njit(cache=True)
def backward(trace, end, mean, precision, place, share, spike, move):
    """Values of a stretch of frames, the row after the last being ``end``.

    Parameters
    ----------
    trace : ndarray, shape (n_frames,)
    end : ndarray, shape (n_calcium, n_baseline)
        What follows: least cost from each state of the last frame on, without that frame itself.
    mean : ndarray, shape (n_calcium, n_baseline)
        Trace without noise.
    precision : float
        1 / (2 σ²).
    place, share : ndarray, shape (n_calcium, n_spikes + 1)
        Where calcium goes after one frame with so many spikes: left point of the grid, and share of the right one.
    spike : ndarray, shape (n_calcium, n_spikes + 1)
        Cost of spikes, infinite where calcium would leave the grid.
    move : ndarray, shape (2,)
        Cost of a baseline that stays, or moves by one point.

    Returns
    -------
    ndarray, shape (n_frames + 1, n_calcium, n_baseline)
        Row t: least cost of going on from a state of the frame before frame t.
    """
    n, (n_c, n_b), n_s = len(trace), mean.shape, spike.shape[1]
    values = np.empty((n + 1, n_c, n_b))
    values[n] = end
    here, moved = np.empty((n_c, n_b)), np.empty((n_c, n_b))
    for t in range(n - 1, -1, -1):
        for c in range(n_c):
            for b in range(n_b):
                misfit = trace[t] - mean[c, b]
                here[c, b] = values[t + 1, c, b] + precision * misfit * misfit
            for b in range(n_b):
                best = here[c, b] + move[0]
                if b > 0:
                    best = min(best, here[c, b - 1] + move[1])
                if b < n_b - 1:
                    best = min(best, here[c, b + 1] + move[1])
                moved[c, b] = best
        for c in range(n_c):
            for b in range(n_b):
                best = np.inf
                for s in range(n_s):
                    if spike[c, s] < np.inf:
                        k, w = place[c, s], share[c, s]
                        best = min(best, spike[c, s] + (1 - w) * moved[k, b] + w * moved[k + 1, b])
                values[t, c, b] = best
    return values


@njit(cache=True)
def forward(trace, values, mean, precision, calcium, keep, unit, spike, move, now, base, counts, level, at):
    """Follow the least cost through a stretch of frames, calcium being a number and not a point of the grid.

    Parameters
    ----------
    trace, mean, precision, move
        As for :func:`backward`, whose result is ``values``.
    calcium : ndarray, shape (n_calcium,)
        Grid.
    keep, unit : float
        Share of calcium left after a frame, and what a spike adds.
    spike : ndarray, shape (n_spikes + 1,)
        Cost of spikes.
    now, base : float, int
        Calcium and baseline (its point) of the frame before.
    counts, level, at : ndarray, shape (n_frames,)
        Filled in: spikes, calcium and baseline of each frame.

    Returns
    -------
    now, base
        Of the last frame.
    """
    n_c, n_b = mean.shape
    for t in range(len(trace)):
        best, best_s, best_b = np.inf, 0, base
        k = 0
        for s in range(len(spike)):
            c = keep * now + unit * s
            if s > 0 and c > calcium[n_c - 1]:
                break
            while k < n_c - 2 and calcium[k + 1] <= c:
                k += 1
            w = min(max((c - calcium[k]) / (calcium[k + 1] - calcium[k]), 0.0), 1.0)
            for b in range(max(base - 1, 0), min(base + 2, n_b)):
                misfit = trace[t] - (1 - w) * mean[k, b] - w * mean[k + 1, b]
                cost = spike[s] + move[0 if b == base else 1] + precision * misfit * misfit
                cost += (1 - w) * values[t + 1, k, b] + w * values[t + 1, k + 1, b]
                if cost < best:
                    best, best_s, best_b = cost, s, b
        now, base = keep * now + unit * best_s, best_b
        counts[t], level[t], at[t] = best_s, now, base
    return now, base
