"""Saturation of a response with contrast: the Naka-Rushton curve as a divisive gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_number

__all__ = ["ContrastResponse"]


@dataclass(frozen=True)
class ContrastResponse:
    """Contrast response ``R(c) = c^n (1 + c50^n) / (c^n + c50^n)``, scaled to 1 at full contrast.

    With ``n = 1`` this is the contrast gain control of LGN cells in Bonin, Mante & Carandini (2005,
    J Neurosci 25:10844): a linear response divided by ``c50 + c``, where ``c`` is the local
    root-mean-square contrast. The general form is that of Sclar, Maunsell & Lennie (1990, Vision Res
    30:1). The default ``c50`` of 0.3 is our choice: it makes the response at 30 % contrast 65 % of the
    response at full contrast.

    Parameters
    ----------
    c50 : float
        Semi-saturation contrast, in (0, inf]; ``inf`` switches the saturation off, ``R(c) = c^n``.
    exponent : float
        ``n``, in [1, 10].

    Examples
    --------
    >>> response = ContrastResponse(c50=0.25)
    >>> float(response(1.0)), float(response(0.25))
    (1.0, 0.625)
    """

    c50: float = 0.3
    exponent: float = 1.0

    def __post_init__(self) -> None:
        check_number("c50", self.c50, "", 0, low_open=True, finite=False)
        check_number("exponent", self.exponent, "", 1, 10)

    def gain(self, contrast: ArrayLike) -> np.ndarray:
        """Gain ``R(c) / c`` at a contrast: what a response linear in contrast is multiplied by."""
        contrast = np.asarray(contrast)
        q = self.c50**self.exponent
        power = contrast ** (self.exponent - 1)
        if np.isinf(q):
            return power
        return (1 + q) * power / (power * contrast + q)

    def __call__(self, contrast: ArrayLike) -> np.ndarray:
        """Response ``R(c)``, 0 at no contrast and 1 at full contrast."""
        return np.asarray(contrast) * self.gain(contrast)
