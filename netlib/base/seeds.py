"""One master seed, many named streams: the same name and seed give the same numbers in any order of use."""

from __future__ import annotations

import zlib

import numpy as np

from netlib.base.checks import check_integer

__all__ = ["child", "pair_uniform", "simulator_seed", "stream"]


def child(master: int, *names: str | int) -> np.random.SeedSequence:
    """Seed sequence of the stream called ``names`` under the master seed.

    Parameters
    ----------
    master : int
        Master seed, in [0, 2**63).
    *names : str or int
        Path of the stream, for example ``("drive", 3)``: strings are hashed (CRC-32), numbers kept.

    Examples
    --------
    >>> a = np.random.default_rng(child(1, "drive")).integers(1000)
    >>> b = np.random.default_rng(child(1, "drive")).integers(1000)
    >>> bool(a == b)
    True
    """
    master = check_integer("seed", master, 0, 2**63 - 1)
    key = tuple(zlib.crc32(n.encode()) if isinstance(n, str) else check_integer("stream", n, 0) for n in names)
    return np.random.SeedSequence(master, spawn_key=key)


def stream(master: int, *names: str | int) -> np.random.Generator:
    """Generator of the stream called ``names`` under the master seed (see :func:`child`).

    Examples
    --------
    >>> a, b = stream(1, "drive", 0).random(1000), stream(1, "drive", 0).random(1000)
    >>> bool((a == b).all()), bool((a == stream(1, "drive", 1).random(1000)).any())
    (True, False)
    """
    return np.random.default_rng(child(master, *names))


def simulator_seed(master: int, *names: str | int) -> int:
    """Seed in [1, 2**31) for a simulator's own generator, from a named stream.

    Examples
    --------
    >>> simulator_seed(1, "nest"), simulator_seed(1, "nest", 1)
    (7538448, 1846335237)
    """
    return int(child(master, *names).generate_state(1, np.uint32)[0] % (2**31 - 1)) + 1


def pair_uniform(key: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Uniform numbers in [0, 1) that depend only on ``key`` and on the pair of indices.

    A pair of cells has the same number whatever else is evaluated, in whatever blocks and order, so that a
    random connection matrix need never be held whole. Two rounds of the SplitMix64 mixing function
    (Steele, Lea & Flood 2014, OOPSLA, doi:10.1145/2660193.2660195) on a counter made of the indices.

    Parameters
    ----------
    key : int
        64-bit key of the matrix, such as ``child(seed, "E_to_E").generate_state(1, np.uint64)[0]``.
    i, j : ndarray of int
        Indices in [0, 2**32); they broadcast.

    Examples
    --------
    >>> whole = pair_uniform(7, np.arange(3)[:, None], np.arange(4))
    >>> bool(pair_uniform(7, 2, 3) == whole[2, 3])
    True
    """
    with np.errstate(over="ignore"):
        counter = (np.asarray(i, np.uint64) << np.uint64(32)) | np.asarray(j, np.uint64)
        bits = _mix(_mix(counter + np.uint64(key)) ^ np.uint64(key))
    return (bits >> np.uint64(11)) * 2.0**-53


def _mix(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
