"""Best tuning parameters of every cell: lmfit from circular moments, checked by Fisher scoring."""

from __future__ import annotations

from typing import Any

import numpy as np
from tqdm import tqdm

from netlib.analysis.likelihood import B_RANGE, Responses, curve, maximise

__all__ = ["CellFit", "at_bound", "fit_cells", "sum_repeats"]


def sum_repeats(orientations: np.ndarray, values: np.ndarray, exposure: np.ndarray, family: str) -> Responses:
    """Sum responses over repeats of an orientation."""
    levels, inverse = np.unique(orientations, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    first = np.searchsorted(inverse[order], np.arange(len(levels)))
    return Responses(
        np.radians(2 * levels),
        np.add.reduceat(values[:, order], first, axis=1),
        np.add.reduceat((values**2 / exposure)[:, order], first, axis=1),
        np.add.reduceat(exposure[order], first),
        len(orientations),
        family,
    )


def _starts(data: Responses) -> tuple[np.ndarray, np.ndarray]:
    """Two starting points for each cell: circular moments, and a narrow peak at the largest response."""
    means = data.means
    low = np.quantile(means, 0.2, axis=1)
    above = np.clip(means - low[:, None], 0, None)
    vector = above @ np.exp(1j * data.angles)
    length = np.clip(np.abs(vector) / np.maximum(above.sum(1), 1e-12), 1e-3, 0.999)
    B = np.clip(np.sqrt(-np.log(length) / 2), np.radians(6), np.radians(45))
    height = np.maximum(means.max(1) - low, 1e-3)
    floor = np.maximum(low, 0.05 * means.mean(1) + 1e-3) if data.family == "poisson" else low
    moments = np.column_stack([floor, height, np.angle(vector), np.log(B)])
    narrow = np.column_stack([floor, height, data.angles[means.argmax(1)], np.full(len(B), np.log(np.radians(10.0)))])
    return moments, narrow


class CellFit:
    """lmfit's Levenberg-Marquardt on the deviance residuals of one cell at a time."""

    def __init__(self, data: Responses) -> None:
        import lmfit

        self.data = data
        self.names = ("baseline", "amplitude", "centre", "log_B")
        self.lmfit = lmfit
        self.parameters = lmfit.Parameters()
        low, high = np.log(np.radians(B_RANGE))
        self.parameters.add("baseline", 1.0, min=0.0 if data.family == "poisson" else -np.inf)
        self.parameters.add("amplitude", 1.0, min=0.0)
        self.parameters.add("centre", 0.0)
        self.parameters.add("log_B", -1.0, min=low, max=high)

    def _vector(self, parameters: Any) -> np.ndarray:
        return np.array([parameters[name].value for name in self.names])

    def residuals(self, parameters: Any, sums: np.ndarray) -> np.ndarray:
        """Signed square roots of the terms of the deviance."""
        f, _ = curve(self._vector(parameters), self.data.angles)
        return self._residuals(f, sums)

    def _residuals(self, f: np.ndarray, sums: np.ndarray) -> np.ndarray:
        mean = self.data.exposure * f
        if self.data.family == "gaussian":
            return (mean - sums) / np.sqrt(self.data.exposure)
        mean = np.maximum(mean, 1e-12)
        term = mean - sums
        spikes = sums > 0
        term[spikes] += sums[spikes] * np.log(sums[spikes] / mean[spikes])
        return np.sign(mean - sums) * np.sqrt(2 * np.maximum(term, 0))

    def jacobian(self, parameters: Any, sums: np.ndarray) -> np.ndarray:
        """Derivatives of the residuals, shape (4, n_levels)."""
        f, gradient = curve(self._vector(parameters), self.data.angles)
        exposure = self.data.exposure
        if self.data.family == "gaussian":
            return gradient * np.sqrt(exposure)
        mean = np.maximum(exposure * f, 1e-12)
        residual = self._residuals(f, sums)
        near = np.abs(mean - sums) < 1e-4 * mean  # 0/0 there; the limit is 1 / sqrt(mean)
        slope = np.where(near, 1 / np.sqrt(mean), (1 - sums / mean) / np.where(near, 1, residual))
        return gradient * (slope * exposure)

    def __call__(self, sums: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Fit one cell from ``start`` (4,) and return its parameters (4,)."""
        for name, value in zip(self.names, start, strict=True):
            self.parameters[name].value = value
        minimizer = self.lmfit.Minimizer(self.residuals, self.parameters, fcn_args=(sums,), calc_covar=False)
        result = minimizer.leastsq(Dfun=self.jacobian, col_deriv=1, ftol=1e-10, xtol=1e-8, max_nfev=100)
        return self._vector(result.params)


def fit_cells(data: Responses, progress: bool | None) -> tuple[np.ndarray, np.ndarray]:
    """Best parameters (n_cells, 4), and the fall in deviance that one more step promises (near 0: converged).

    lmfit starts from the circular moments; where that ends at a bound or short of the top, Fisher scoring tries again
    from a narrow peak.
    """
    fit = CellFit(data)
    moments, narrow = _starts(data)
    best = np.empty_like(moments)
    bar = tqdm(total=len(best), desc="fitting tuning", unit="cell", disable=None if progress is None else not progress)
    with bar:
        for k, sums in enumerate(data.sums):
            best[k] = fit(sums, moments[k])
            bar.update()
    # lmfit's change of variable stops within rounding of a bound such as baseline = 0: scoring steps onto it.
    fine = 1e-6 if data.family == "poisson" else 1e-10
    best, value, gain = maximise(data, best, tolerance=fine)
    again = np.flatnonzero((gain > 10 * fine) | at_bound(best))
    if again.size:
        second, second_value, second_gain = maximise(data.cells(again), narrow[again], tolerance=fine)
        better = second_value < value[again] - 1e-6
        best[again[better]], gain[again[better]] = second[better], second_gain[better]
    return best, gain


def at_bound(parameters: np.ndarray) -> np.ndarray:
    """Tell which cells (n_cells, 4) have their bandwidth at an end of its range."""
    low, high = np.log(np.radians(B_RANGE))
    return (parameters[:, 3] < low + 1e-2) | (parameters[:, 3] > high - 1e-2)
