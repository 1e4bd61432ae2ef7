"""Rates in one behaviour against those in the others: which of the modulations are more than another's shadow.

A test by shifts compares a behaviour with the whole session. A neuron that is activated in one long behaviour is then
"inactivated" in all others, and the other way round, though its rate there is what it always is. Against the median of
the other behaviours such shadows vanish: of four rates, one that stands out moves no median.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_number

__all__ = ["contrast", "leading_signs", "standing_out"]

#: Rate added to both sides (events per s), so that a neuron with hardly an event has no great contrast.
FLOOR = 0.05


def contrast(rates: ArrayLike, floor: float = FLOOR) -> np.ndarray:
    """Logarithm of the rate in each behaviour over the median of the rates in the others.

    Parameters
    ----------
    rates : array_like, shape (n, n_behaviours)
        Events per s; NaN for a behaviour that did not occur.
    floor : float
        Added to both.

    Examples
    --------
    >>> contrast([[4.0, 1.0, 1.0, 1.0]], floor=0.0).round(2).tolist()
    [[1.39, 0.0, 0.0, 0.0]]
    """
    rates, floor = np.array(rates, float, ndmin=2), check_number("floor", floor, "per s", 0)
    out = np.full(rates.shape, np.nan)
    for k in range(rates.shape[1]):
        others = np.delete(rates, k, axis=1)
        known = np.isfinite(others).any(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[known, k] = np.log((rates[known, k] + floor) / (np.nanmedian(others[known], axis=1) + floor))
    return out


def standing_out(vectors: np.ndarray, contrasts: np.ndarray, fold: float | None) -> np.ndarray:
    """Category vectors without the categories whose contrast is less than ``fold``-fold, or of the other sign.

    Parameters
    ----------
    vectors : ndarray, shape (n, 8)
        Four categories up, four down.
    contrasts : ndarray, shape (n, 4)
        Of :func:`contrast`.
    fold : float or None
        1 or more; None leaves the vectors as they are.

    Examples
    --------
    >>> standing_out(np.array([[1, 0, 0, 0, 0, 1, 0, 0.0]]), contrast([[4.0, 1.0, 1.0, 1.0]]), 1.5)[0].tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if fold is None:
        return vectors
    least = np.log(check_number("fold", fold, "", 1))
    clear = np.concatenate([contrasts >= least, -contrasts >= least], axis=1)
    return np.where(np.isnan(vectors), np.nan, vectors * clear)


def leading_signs(vectors: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """1 or -1 for each neuron, the sign of its greatest contrast among its categories; 0 without a category."""
    has = (np.nan_to_num(vectors[:, :4]) > 0) | (np.nan_to_num(vectors[:, 4:]) > 0)
    shown = np.where(has & np.isfinite(contrasts), contrasts, 0.0)
    return np.sign(shown[np.arange(len(shown)), np.abs(shown).argmax(axis=1)]).astype(int)
