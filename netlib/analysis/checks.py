"""Checks shared by the measures of tuning: orientations, counts, durations."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_array, check_number, check_orientation

__all__ = ["check_counts", "check_durations", "check_length", "check_orientations"]


def check_orientations(name: str, value: ArrayLike, distinct: int = 5) -> np.ndarray:
    """Return orientations wrapped to [0, 180) degrees, or raise an error that names them.

    Raises
    ------
    ValueError
        If one is NaN, out of [-360, 360] degrees or looks like radians, or if fewer than ``distinct`` differ.

    Examples
    --------
    >>> import numpy as np
    >>> check_orientations("orientations", np.linspace(0, np.pi, 8, endpoint=False))
    Traceback (most recent call last):
    ...
    ValueError: orientations[1] = 0.39269908169872414 deg looks like radians (22.5 deg): orientations are in degrees, \
in [0, 180) deg
    """
    raw = check_array(name, value, "deg", -360, 360, ndim=1)
    levels, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
    checked = np.array([check_orientation(f"{name}[{i}]", float(raw[i])) for i in first])
    if len(levels) >= 5 and np.abs(levels).max() < 2 * np.pi + 1e-6:
        raise ValueError(
            f"{name} runs from {levels[0]:g} to {levels[-1]:g} deg: it looks like radians; "
            "orientations are in degrees, in [0, 180) deg"
        )
    wrapped = np.mod(np.round(checked, 9), 180.0)[inverse]
    found = len(np.unique(wrapped))
    if found < distinct:
        raise ValueError(f"{name} holds {found} distinct orientations: a fit needs at least {distinct} of them")
    return wrapped


def check_counts(name: str, value: ArrayLike, n_presentations: int) -> np.ndarray:
    """Return spike counts as floats of shape (n_cells, n_presentations), or raise an error that names them.

    Raises
    ------
    ValueError
        If a count is negative, NaN or not whole, or if the shape is wrong.
    """
    counts = check_array(name, value, "spikes", 0, ndim=2)
    check_length(name, counts, n_presentations)
    broken = counts != np.round(counts)
    if broken.any():
        where = tuple(int(i) for i in np.argwhere(broken)[0])
        raise ValueError(
            f"{name}[{where[0]}, {where[1]}] = {counts[where]:g} spikes is not a whole number: "
            "it must be a count in [0, inf) spikes"
        )
    return counts


def check_length(name: str, values: np.ndarray, n_presentations: int) -> None:
    """Refuse values (n_cells, n) whose n is not the number of presentations."""
    if values.shape[1] != n_presentations:
        raise ValueError(
            f"{name} has {values.shape[1]} columns (shape {values.shape}): it must have one for each of the "
            f"{n_presentations} orientations presented"
        )


def check_durations(duration: ArrayLike, n: int) -> np.ndarray:
    """Return the time counted in each of ``n`` presentations (ms), from one number or one for each."""
    if np.ndim(duration) == 0:
        return np.full(n, check_number("duration", duration, "ms", 0, low_open=True))
    durations = check_array("duration", duration, "ms", 0, ndim=1)
    if len(durations) != n:
        raise ValueError(f"duration has {len(durations)} values: it must be one number, or one per presentation ({n})")
    for i in np.flatnonzero(durations == 0)[:1]:
        check_number(f"duration[{i}]", 0.0, "ms", 0, low_open=True)
    return durations
