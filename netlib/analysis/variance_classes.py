"""Classes of cells by how their tuning resists the orientation variance of the stimulus."""

from __future__ import annotations

import numpy as np
import pandas as pd

from netlib.units import check_number, check_type

__all__ = ["CLASSES", "classify"]

#: Boxes of the Naka-Rushton parameters that name a cell's class, as in the public notebook of Ladret et al. 2023
#: (Commun Biol 6:667): B50 as a fraction of the largest bandwidth, n itself. There "tuned" is resilient, "untuned"
#: vulnerable.
CLASSES = {
    "resilient": {"f_max": (0.0, 0.7), "f0": (0.4, 0.5), "n": (0.0, 5.0)},
    "vulnerable": {"B50": (0.5, 0.8), "f0": (0.2, 0.6)},
    "ultratuned": {"f0": (0.0, 0.25), "n": (0.0, 3.0)},
}


def classify(fits: pd.DataFrame, largest: float) -> pd.Series:
    """Class of each cell by :data:`CLASSES`; "failed" where the fit failed, "other" outside all boxes.

    Parameters
    ----------
    fits : DataFrame
        From :func:`netlib.analysis.naka_rushton.fit_naka_rushton`, on circular variance.
    largest : float
        Largest bandwidth (deg).
    """
    check_type("fits", fits, pd.DataFrame)
    check_number("largest", largest, "deg", 0, low_open=True)
    scaled = fits.assign(B50=fits["B50"] / largest)
    found = pd.Series("other", index=fits.index)
    for name, box in CLASSES.items():
        inside = np.logical_and.reduce([scaled[key].between(*ends) for key, ends in box.items()])
        found[inside & (found == "other")] = name
    return found.where(fits["success"], "failed")
