"""What permutations and bootstraps share: generators, blocks of bounded memory, statistics over the last axis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from netlib.seeds import stream
from netlib.units import check_choice

__all__ = ["STATISTICS", "blocks", "correlation", "generator", "resolve_statistic"]

Statistic = Callable[..., np.ndarray]


def generator(seed: int | np.random.Generator, *names: str | int) -> np.random.Generator:
    """Return ``seed`` if it is a generator, else the stream called ``names`` under that master seed."""
    return seed if isinstance(seed, np.random.Generator) else stream(seed, *names)


def blocks(total: int, width: int, elements: int = 2_000_000) -> Iterator[slice]:
    """Slices that cover ``range(total)`` in order, each at most ``elements`` values when a row has ``width``.

    Examples
    --------
    >>> list(blocks(5, 10, 20))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, elements // max(1, width))
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def mean_abs(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of absolute values."""
    return np.abs(x).mean(axis=axis)


def correlation(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Pearson correlation along an axis; NaN where one side does not vary.

    Examples
    --------
    >>> float(correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 0.0])))
    -1.0
    """
    x = x - x.mean(axis=axis, keepdims=True)
    y = y - y.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (x * y).sum(axis=axis) / np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
    return np.clip(r, -1.0, 1.0)


STATISTICS: dict[str, Statistic] = {
    "mean": np.mean,
    "mean_abs": mean_abs,
    "median": np.median,
    "variance": np.var,  # ddof 0, as published
    "correlation": correlation,
}


def resolve_statistic(statistic: str | Statistic) -> Statistic:
    """Return a function of (arrays..., axis) from a name of :data:`STATISTICS` or a function.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return statistic if callable(statistic) else STATISTICS[check_choice("statistic", statistic, STATISTICS)]
