"""Sparseness of responses: how few stimuli drive a cell, how few cells answer a stimulus."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_array

__all__ = ["sparseness"]


def sparseness(responses: ArrayLike, axis: int = -1) -> np.ndarray:
    """Sparseness ``(1 - <r>^2 / <r^2>) / (1 - 1/n)``: 0 for equal responses, 1 for a single one.

    The activity ratio ``<r>^2 / <r^2>`` is that of Rolls & Tovee (1995, J Neurophysiol 73:713), the scale from 0 to 1
    that of Vinje & Gallant (2000, Science 287:1273). Over stimuli it is the *lifetime* sparseness of a cell, over
    cells the *population* sparseness of a response. Noise of the counts adds to ``<r^2>``: few spikes look sparse,
    so that populations are compared at equal rates (:func:`netlib.experiments.two_rings.thin`) or not at all.

    Parameters
    ----------
    responses : array_like
        Responses, 0 or more (spikes or Hz): for example (n_cells, n_stimuli).
    axis : int
        Axis of the n >= 2 stimuli (lifetime) or cells (population).

    Returns
    -------
    ndarray
        Without that axis; NaN where every response is 0.

    Raises
    ------
    ValueError
        If a response is below 0 or not finite, or there are fewer than 2.

    Examples
    --------
    >>> sparseness([[1, 1, 1, 1], [0, 0, 3, 0], [0, 2, 2, 0]]).round(3).tolist()
    [0.0, 1.0, 0.667]
    """
    responses = check_array("responses", responses, "", 0)
    if not -responses.ndim <= axis < responses.ndim:
        raise ValueError(f"axis = {axis} does not exist: responses has {responses.ndim} dimensions")
    n = responses.shape[axis]
    if n < 2:
        raise ValueError(f"responses has {n} value along axis {axis}: sparseness needs at least 2")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = responses.mean(axis) ** 2 / (responses**2).mean(axis)
        return np.maximum(1 - ratio, 0.0) / (1 - 1 / n)
