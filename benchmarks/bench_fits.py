"""Tuning fits of 1,000 cells to their spike counts, with standard errors and 95 % intervals."""

from timing import Clock, measure, show  # before NumPy and NEST: it sets their threads

# isort: split

import numpy as np

from netlib.base.orientation import von_mises
from netlib.tuning import fit_tuning

N_CELLS, SECONDS = 1000, 1.0

if __name__ == "__main__":
    rng = np.random.default_rng(1)
    theta = np.repeat(np.arange(0, 180, 15.0), 10)
    preferred, width = rng.uniform(0, 180, (2, N_CELLS, 1)) * [[[1]], [[1 / 9]]] + [[[0]], [[10]]]
    counts = rng.poisson(SECONDS * (3 + 20 * von_mises(theta, preferred, width)))
    tables = []

    def fit(clock: Clock) -> None:
        with clock:
            tables.append(fit_tuning(theta, counts, 1000 * SECONDS, progress=False))

    print(f"{N_CELLS} cells, 12 orientations x 10 presentations of 1 s, 3 + 20 Hz, widths of 10 to 30 deg")
    show(measure({"fit_tuning": fit}, 3))
    table = tables[-1]
    inside = (table.B_theta_low <= width[:, 0]) & (width[:, 0] <= table.B_theta_high)
    print(f"{table.success.sum()} fits succeeded; {inside[table.success].mean():.1%} of their intervals hold the width")
