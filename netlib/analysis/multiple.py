"""Corrections for several tests: Bonferroni, Holm, Benjamini–Hochberg, Benjamini–Yekutieli."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_choice

__all__ = ["adjust_p_values"]

METHODS = {"bonferroni": "bonferroni", "holm": "holm", "bh": "fdr_bh", "by": "fdr_by"}


def adjust_p_values(p_values: ArrayLike, method: str = "holm") -> np.ndarray:
    """P values adjusted for having made several tests; NaN (no test) stays NaN and is not counted.

    Bonferroni and Holm bound the chance of any false discovery under any dependence (Holm is never weaker);
    "bh" and "by" bound the expected share of false ones among discoveries, under positive and under any
    dependence. P values must be two-sided already where tests are: no factor for tails is added.

    Parameters
    ----------
    p_values : array_like
        Raw p values, any shape.
    method : {"holm", "bonferroni", "bh", "by"}
        Correction; computed by :func:`statsmodels.stats.multitest.multipletests`.

    Returns
    -------
    ndarray, the shape of ``p_values``

    Raises
    ------
    ValueError
        If a value leaves [0, 1] or the method is unknown.

    Examples
    --------
    >>> adjust_p_values([0.01, 0.02, np.nan, 0.5], "bonferroni")
    array([0.03, 0.06,  nan, 1.  ])
    >>> adjust_p_values([0.01, 0.02, np.nan, 0.5], "holm")
    array([0.03, 0.04,  nan, 0.5 ])
    """
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p_values, float)
    tested = np.isfinite(p)
    if np.any((p[tested] < 0) | (p[tested] > 1)) or np.isinf(p).any():
        raise ValueError(f"p_values run from {np.nanmin(p):g} to {np.nanmax(p):g}: they must be in [0, 1] (or NaN)")
    name = METHODS[check_choice("method", method, METHODS)]
    out = np.full(p.shape, np.nan)
    if tested.any():
        out[tested] = multipletests(p[tested], method=name)[1]
    return out
