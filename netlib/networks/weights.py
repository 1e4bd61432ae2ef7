"""Weights of a projection as a record in time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_number
from netlib.base.seeds import stream

__all__ = ["Weights"]


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of the synapses of a projection at some times.

    Attributes
    ----------
    pre, post : ndarray of int, shape (n_synapses,)
        Cells each synapse connects, in order of ``pre``, then ``post``.
    delay : ndarray, shape (n_synapses,)
        Delays (ms).
    times : ndarray, shape (n_times,)
        Times (ms), in order.
    values : ndarray, shape (n_times, n_synapses)
        Magnitudes of the weights (uS or nA).
    w_max : float
        Upper bound (uS or nA); infinite where the projection is static.

    Examples
    --------
    >>> cells, times = np.array([0, 1]), np.array([0.0, 100.0])
    >>> weights = Weights(cells, cells, np.ones(2), times, np.array([[0.1, 0.1], [0.1, 0.15]]), w_max=0.2)
    >>> weights.at(50.0).tolist(), weights.last.tolist()
    ([0.1, 0.1], [0.1, 0.15])
    """

    pre: np.ndarray
    post: np.ndarray
    delay: np.ndarray
    times: np.ndarray
    values: np.ndarray
    w_max: float = np.inf

    def __post_init__(self) -> None:
        n = len(self.pre)
        if not (len(self.post) == len(self.delay) == n and self.values.shape == (len(self.times), n)):
            raise ValueError(
                f"values has shape {self.values.shape}: it must be (n_times, n_synapses) = ({len(self.times)}, {n}), "
                f"and pre, post and delay ({len(self.post)}, {len(self.delay)}) one value per synapse"
            )

    def __len__(self) -> int:
        return len(self.pre)

    @property
    def last(self) -> np.ndarray:
        """Weights at the last time, shape (n_synapses,)."""
        return self.values[-1]

    def at(self, time: float) -> np.ndarray:
        """Weights at the last recorded time that is not after ``time`` (ms), shape (n_synapses,)."""
        check_number("time", time, "ms", float(self.times[0]))
        return self.values[np.searchsorted(self.times, time + 1e-6) - 1]

    def shuffled(self, seed: int) -> Weights:
        """The last weights dealt anew among the synapses: the same distribution without its structure."""
        order = stream(seed, "shuffled weights").permutation(len(self))
        return dataclasses.replace(self, times=self.times[-1:], values=self.values[-1:, order])
