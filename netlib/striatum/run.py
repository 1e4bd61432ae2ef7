"""What an engine returns for one simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One simulation.

    Parameters
    ----------
    weights : ndarray, shape (n_tests, P)
        Weights at each test.
    fired : ndarray of bool, shape (n_tests, n_pattern)
        Whether each pattern made the neuron fire in each test.
    correct : ndarray of int, shape (n_trials,)
        1 where the answer to the pattern of a training trial was right, 0 where wrong, -1 where none was shown.
    n_spikes : ndarray of int, shape (n_trials,)
        Postsynaptic spikes in each trial.
    spikes : ndarray of int
        Steps since the start of training at which the neuron fired.
    trial_weights : ndarray, shape (n_trials, P)
        Weights at the end of each trial.
    active_step, active_voltage : ndarray
        Steps in which spikes arrived and potential (mV) after them; from the event-driven engine only.

    Examples
    --------
    >>> Run(np.zeros((2, 10)), np.zeros((2, 5), bool), np.array([1, 0, -1]), np.array([1, 0, 0])).correct.tolist()
    [1, 0, -1]
    """

    weights: np.ndarray
    fired: np.ndarray
    correct: np.ndarray
    n_spikes: np.ndarray
    spikes: np.ndarray | None = None
    trial_weights: np.ndarray | None = None
    active_step: np.ndarray | None = None
    active_voltage: np.ndarray | None = None
