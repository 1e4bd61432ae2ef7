"""Who connects to whom and how strongly, as arrays evaluated only where they are needed.

A kernel gives, for a presynaptic ring of ``n_pre`` cells and a postsynaptic one of ``n_post``, a connection
probability and a weight factor for each pair, both as :class:`lazyarray.larray` of shape (n_pre, n_post).
PyNN takes such arrays as they are; the bulk connector evaluates them in blocks of target cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lazyarray import larray

from netlib.base.checks import check_number
from netlib.base.fields import Declared, choice, number
from netlib.base.orientation import von_mises
from netlib.base.seeds import child, pair_uniform

__all__ = [
    "DistanceDecay",
    "Kernel",
    "OneToOne",
    "PairFunction",
    "Probability",
    "Uniform",
    "VonMises",
    "connection_mask",
    "pairwise",
]


class PairFunction:
    """A function of a pair of indices, in the form a lazy array evaluates part by part.

    The function gets ``i`` (presynaptic) and ``j`` (postsynaptic) as integer arrays that broadcast.
    It is wrapped because PyNN takes a bare function for a function of distance.

    Examples
    --------
    >>> ahead = PairFunction(lambda i, j: j - i)
    >>> ahead.lazily_evaluate((slice(None), 2), shape=(3, 4)).tolist()
    [2, 1, 0]
    """

    def __init__(self, function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self.function = function

    def lazily_evaluate(self, addr: Any = None, shape: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Evaluate at ``addr``, a pair of integers, slices or index arrays (None: everywhere)."""
        rows, columns = addr if addr is not None else (slice(None), slice(None))
        i, j = _indices(rows, shape[0]), _indices(columns, shape[1])
        if i.ndim and j.ndim:
            i = i[:, None]
        values = np.asarray(self.function(i, j))
        return np.broadcast_to(values, np.broadcast_shapes(i.shape, j.shape)).copy()


def _indices(address: Any, size: int) -> np.ndarray:
    return np.asarray(np.arange(size)[address])


def pairwise(function: Callable[[np.ndarray, np.ndarray], np.ndarray], n_pre: int, n_post: int) -> larray:
    """Lazy array (n_pre, n_post) of a function of the two indices.

    Examples
    --------
    >>> lazy = pairwise(lambda i, j: 10 * i + j, 3, 4)
    >>> lazy.shape, lazy[2, 1:3].tolist()
    ((3, 4), [21, 22])
    """
    return larray(PairFunction(function), shape=(n_pre, n_post))


@dataclass(frozen=True)
class Kernel(Declared):
    """Base of the kernels: connects every pair with the same strength.

    Examples
    --------
    >>> Kernel().probability(4, 2), Kernel().factor(4, 2)
    (None, None)
    """

    @property
    def weight_is_total(self) -> bool:
        """Whether ``Connection.weight`` is the sum over the synapses onto a cell rather than the weight of each."""
        return False

    def probability(self, n_pre: int, n_post: int) -> larray | None:
        """Connection probability of each pair, shape (n_pre, n_post); None where all pairs connect."""
        return None

    def factor(self, n_pre: int, n_post: int) -> larray | None:
        """Weight factor of each pair, shape (n_pre, n_post); None where it is 1."""
        return None


@dataclass(frozen=True)
class Uniform(Kernel):
    """Every pair is connected with the same weight.

    Examples
    --------
    >>> Uniform().factor(4, 2) is None  # every weight is that of the connection
    True
    """


@dataclass(frozen=True)
class Probability(Kernel):
    """Every pair is connected with the same probability.

    Attributes
    ----------
    p : float
        Connection probability, in (0, 1].

    Examples
    --------
    >>> Probability(0.1).probability(4, 2).evaluate().tolist()
    [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]]
    """

    p: float = number(..., "", 0, 1, low_open=True)

    def probability(self, n_pre: int, n_post: int) -> larray:
        return pairwise(lambda i, j: np.full(np.broadcast_shapes(i.shape, j.shape), self.p), n_pre, n_post)


@dataclass(frozen=True)
class OneToOne(Kernel):
    """Each cell is connected to the cell of the same index; both populations have the same size.

    Examples
    --------
    >>> OneToOne().probability(3, 3).evaluate().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def probability(self, n_pre: int, n_post: int) -> larray:
        if n_pre != n_post:
            raise ValueError(
                f"kernel = OneToOne() needs populations of the same size, not {n_pre} and {n_post} cells: "
                "change the sizes or use a VonMises kernel"
            )
        return pairwise(lambda i, j: (i == j).astype(float), n_pre, n_post)


@dataclass(frozen=True)
class DistanceDecay(Kernel):
    """Connection probability ``exp(-decay d)``, d the chord between two cells on a ring of radius 1.

    The ring turns once for 180 degrees of orientation, so d = 2 sin(difference of orientation), in [0, 2].

    Attributes
    ----------
    decay : float
        Decay per unit of distance (ring radius), >= 0.

    Examples
    --------
    >>> DistanceDecay(1.0).probability(4, 4)[:, 0].round(3).tolist()
    [1.0, 0.243, 0.135, 0.243]
    """

    decay: float = number(..., "per ring radius", 0)

    def probability(self, n_pre: int, n_post: int) -> larray:
        return pairwise(
            lambda i, j: np.exp(-2 * self.decay * np.abs(np.sin(np.pi * (i / n_pre - j / n_post)))), n_pre, n_post
        )


@dataclass(frozen=True)
class VonMises(Kernel):
    """Von Mises profile of the difference of preferred orientation.

    Without ``in_degree`` every pair is connected and the weight follows the profile. With it, connections
    of equal weight are drawn at random, with a probability that follows the profile (cut at 1).

    Attributes
    ----------
    B_theta : float
        Bandwidth (deg), > 0; ``inf`` is flat.
    in_degree : float, optional
        Expected number of connections onto each target cell (self-connections included).
    normalise : {"sum", "peak"}
        With all pairs connected: the profile sums to 1 over the presynaptic cells ("sum", so that the weight
        is the total onto a cell and does not change with the number of cells), or is 1 at its peak.

    Examples
    --------
    >>> VonMises(20.0).factor(4, 4)[:, 0].round(3).tolist()
    [0.785, 0.101, 0.013, 0.101]
    >>> VonMises(20.0, in_degree=2).probability(4, 4)[:, 0].round(3).tolist()
    [1.0, 0.202, 0.026, 0.202]
    """

    B_theta: float = number(..., "deg", 0, low_open=True, finite=False)
    in_degree: float | None = number(None, "connections per cell", 0, low_open=True, also=(None,))
    normalise: str = choice("sum", ("sum", "peak"))

    @property
    def weight_is_total(self) -> bool:
        return self.in_degree is None and self.normalise == "sum"

    def probability(self, n_pre: int, n_post: int) -> larray | None:
        if self.in_degree is None:
            return None
        check_number("in_degree", self.in_degree, "connections per cell", 0, n_pre, low_open=True)
        totals = self._totals(n_pre, n_post)
        return pairwise(
            lambda i, j: np.minimum(1.0, self.in_degree * self._profile(i, j, n_pre, n_post) / totals[j]), n_pre, n_post
        )

    def factor(self, n_pre: int, n_post: int) -> larray | None:
        if self.in_degree is not None:
            return None
        totals = self._totals(n_pre, n_post) if self.normalise == "sum" else np.ones(n_post)
        return pairwise(lambda i, j: self._profile(i, j, n_pre, n_post) / totals[j], n_pre, n_post)

    def _profile(self, i: np.ndarray, j: np.ndarray, n_pre: int, n_post: int) -> np.ndarray:
        return np.asarray(von_mises(180.0 * i / n_pre, 180.0 * j / n_post, self.B_theta))

    def _totals(self, n_pre: int, n_post: int) -> np.ndarray:
        """Sum of the profile over presynaptic cells for each target: it repeats along the ring."""
        period = n_post // math.gcd(n_pre, n_post)
        i, blocks = np.arange(n_pre)[:, None], np.array_split(np.arange(period), max(1, period * n_pre // 10**5))
        sums = np.concatenate([self._profile(i, block, n_pre, n_post).sum(axis=0) for block in blocks])
        return np.tile(sums, n_post // period)


def connection_mask(
    kernel: Kernel, n_pre: int, n_post: int, seed: int, name: str, self_connections: bool = True
) -> larray | None:
    """Draw which pairs connect, as a lazy boolean array; None where all do.

    The draw of a pair depends on the seed, the name and the pair alone (:func:`netlib.base.seeds.pair_uniform`).

    Parameters
    ----------
    kernel : Kernel
        Gives the probabilities.
    n_pre, n_post : int
        Sizes of the populations (cells).
    seed, name : int, str
        Master seed, and name of the projection.
    self_connections : bool
        Whether a cell may connect to the cell of the same index.

    Examples
    --------
    >>> mask = connection_mask(VonMises(20.0, in_degree=16), 128, 128, seed=1, name="E_to_E")
    >>> round(float(mask.evaluate().sum(axis=0).mean()))
    16
    """
    probability = kernel.probability(n_pre, n_post)
    if probability is None and self_connections:
        return None
    key = int(child(seed, "topology", name).generate_state(1, np.uint64)[0])

    def connected(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        if probability is None:
            return i != j
        drawn = pair_uniform(key, i, j) < probability.base_value.function(i, j)
        return drawn if self_connections else drawn & (i != j)

    return pairwise(connected, n_pre, n_post)
