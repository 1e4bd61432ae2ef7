"""Likelihood of the tuning model for many cells at once: its maximum, standard errors and profile intervals.

The model of a cell's response to orientation is ``f = baseline + amplitude * von_mises``. Inside this module its four
parameters are the rows ``(baseline, amplitude, 2 * preferred in rad, log of B_theta in rad)`` of an array, and a
*family* says how responses scatter around it:

- ``"poisson"``: the spike count summed over repeats of an orientation has mean and variance ``E f``, with ``E`` the
  time counted (s);
- ``"gaussian"``: the sum has mean ``E f`` and variance ``E sigma^2``, with ``E`` the number of repeats.

Both are exact summaries: the sums over repeats are sufficient statistics, so that no cost grows with trials.

:func:`fit_cells` finds the maximum: lmfit from circular moments, checked by Fisher scoring.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import xlogy
from tqdm import tqdm

__all__ = [
    "B_RANGE",
    "CellFit",
    "Responses",
    "at_bound",
    "curve",
    "deviance",
    "fit_cells",
    "interval",
    "maximise",
    "pearson",
    "standard_errors",
    "sum_repeats",
]

#: Range in which the bandwidth is searched (degrees).
B_RANGE = (1.0, 90.0)

_LOG_B = tuple(np.log(np.radians(B_RANGE)))
_TINY = 1e-9  # smallest rate (Hz), so that log and division stay finite


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of every cell, summed over the repeats of each orientation.

    Attributes
    ----------
    angles : ndarray, shape (n_levels,)
        Distinct orientations, doubled (rad).
    sums, squares : ndarray, shape (n_cells, n_levels)
        Sum over repeats of the response, and of its square divided by its exposure.
    exposure : ndarray, shape (n_levels,)
        Sum over repeats of the time counted (s), or of ones.
    n_presentations : int
        Number of presentations summed.
    family : {"poisson", "gaussian"}
        Distribution of the responses.
    """

    angles: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    exposure: np.ndarray
    n_presentations: int
    family: str

    def cells(self, which: np.ndarray) -> Responses:
        """Responses of some cells only (index or boolean array)."""
        return replace(self, sums=self.sums[which], squares=self.squares[which])

    @property
    def means(self) -> np.ndarray:
        """Mean response at each orientation, shape (n_cells, n_levels)."""
        return self.sums / self.exposure

    @property
    def dof(self) -> int:
        """Presentations less the four parameters."""
        return self.n_presentations - 4


def curve(parameters: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tuning curve and its derivatives.

    Parameters
    ----------
    parameters : ndarray, shape (..., 4)
    angles : ndarray, shape (n_levels,)

    Returns
    -------
    f : ndarray, shape (..., n_levels)
    gradient : ndarray, shape (..., 4, n_levels)
    """
    baseline, amplitude, centre, log_B = (parameters[..., k, None] for k in range(4))
    kappa = np.exp(-2 * log_B) / 4
    delta = angles - centre
    fall = kappa * (np.cos(delta) - 1)
    bump = np.exp(fall)
    tall = amplitude * bump
    gradient = np.stack([np.ones_like(bump), bump, tall * kappa * np.sin(delta), -2 * tall * fall], axis=-2)
    return baseline + tall, gradient


def deviance(data: Responses, f: np.ndarray) -> np.ndarray:
    """Deviance of the summed responses, shape (n_cells,): twice the log likelihood lost against a perfect fit."""
    if data.family == "gaussian":
        return ((data.sums - data.exposure * f) ** 2 / data.exposure).sum(-1)
    mean = data.exposure * np.maximum(f, _TINY)
    return 2 * (xlogy(data.sums, data.sums / mean) - (data.sums - mean)).sum(-1)


def pearson(data: Responses, f: np.ndarray) -> np.ndarray:
    """Pearson's chi-square over single presentations, shape (n_cells,), from the sums alone."""
    square = data.squares - 2 * f * data.sums + f**2 * data.exposure
    weight = 1.0 if data.family == "gaussian" else 1 / np.maximum(f, 1e-3)
    return np.maximum((square * weight).sum(-1), 0)


def _score_and_information(data: Responses, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deviance (n_cells,), score (n_cells, 4) and expected Fisher information (n_cells, 4, 4)."""
    f, gradient = curve(parameters, data.angles)
    weight = np.ones_like(f) if data.family == "gaussian" else 1 / np.maximum(f, _TINY)
    score = ((weight * (data.sums - data.exposure * f))[:, None, :] * gradient).sum(-1)
    information = (gradient * (weight * data.exposure)[:, None, :]) @ gradient.swapaxes(-1, -2)
    return deviance(data, f), score, information


def _bounds(family: str) -> tuple[np.ndarray, np.ndarray]:
    lowest = 0.0 if family == "poisson" else -np.inf
    return np.array([lowest, 0, -np.inf, _LOG_B[0]]), np.array([np.inf, np.inf, np.inf, _LOG_B[1]])


def _freeze(score: np.ndarray, information: np.ndarray, frozen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the frozen parameters (n_cells, 4) out of the linear system, keeping its size."""
    out = frozen[:, :, None] | frozen[:, None, :]
    information = np.where(out, 0.0, information)
    diagonal = np.arange(4)
    scale = information[:, diagonal, diagonal]
    information[:, diagonal, diagonal] = np.where(frozen | (scale <= 0), 1.0, scale)
    return np.where(frozen, 0.0, score), information


def maximise(
    data: Responses, start: np.ndarray, fixed: int | None = None, steps: int = 60, tolerance: float | np.ndarray = 1e-6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Climb the likelihood of all cells at once by Fisher scoring, damped and inside the bounds.

    Parameters
    ----------
    data : Responses
    start : ndarray, shape (n_cells, 4)
    fixed : int, optional
        Parameter held where it starts (for a profile).
    steps : int
        Largest number of steps; 0 only measures how far the top is.
    tolerance : float or ndarray, shape (n_cells,)
        A cell is done when one more step should lower its deviance by less than this.

    Returns
    -------
    parameters : ndarray, shape (n_cells, 4)
    deviance : ndarray, shape (n_cells,)
    gain : ndarray, shape (n_cells,)
        Fall in deviance that the next full step promises (Newton decrement): near 0 at a maximum.
    """
    low, high = _bounds(data.family)
    parameters = np.clip(np.array(start, float), low, high)
    damping = np.full(len(parameters), 1e-3)
    value, score, information = _score_and_information(data, parameters)
    for step in range(steps + 1):
        frozen = ((parameters <= low) & (score <= 0)) | ((parameters >= high) & (score >= 0))
        if fixed is not None:
            frozen[:, fixed] = True
        free_score, free_information = _freeze(score, information, frozen)
        ridge = 1e-12 if step == steps else damping
        system = free_information * (1 + np.eye(4) * np.reshape(ridge + 1e-12, (-1, 1, 1)))
        move = np.linalg.solve(system, free_score[..., None])[..., 0]
        gain = (move * free_score).sum(-1)
        if step == steps or (gain < tolerance).all():
            break
        move[:, 2] = np.clip(move[:, 2], -0.5, 0.5)
        move[:, 3] = np.clip(move[:, 3], -0.7, 0.7)
        trial = np.clip(parameters + move, low, high)
        new_value, new_score, new_information = _score_and_information(data, trial)
        better = new_value <= value
        parameters[better], value[better] = trial[better], new_value[better]
        score[better], information[better] = new_score[better], new_information[better]
        damping = np.where(better, damping / 10, damping * 10)
    return parameters, value, gain


def standard_errors(data: Responses, parameters: np.ndarray) -> np.ndarray:
    """Standard errors from the expected Fisher information, shape (n_cells, 4), for a dispersion of 1.

    A baseline at its bound of 0 has none (NaN) and is taken as known. All are NaN where the information is singular.
    """
    _, _, information = _score_and_information(data, parameters)
    low, _ = _bounds(data.family)
    at_zero = parameters <= low + 1e-6
    at_zero[:, 1:] = False
    _, information = _freeze(np.zeros_like(parameters), information, at_zero)
    scale = np.sqrt(np.einsum("nkk->nk", information))
    normal = information / (scale[:, :, None] * scale[:, None, :])
    sound = np.isfinite(normal).all((1, 2))
    sound[sound] = np.linalg.cond(normal[sound]) < 1e12
    variance = np.full(parameters.shape, np.nan)
    variance[sound] = np.einsum("nkk->nk", np.linalg.inv(normal[sound])) / scale[sound] ** 2
    return np.where(at_zero, np.nan, np.sqrt(variance))


def interval(
    data: Responses, parameters: np.ndarray, errors: np.ndarray, which: int, rise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Profile-likelihood interval of one parameter for all cells.

    Its ends are where the deviance, minimised over the other three parameters, has risen by ``rise`` above
    its minimum (Venzon & Moolgavkar 1988, Appl Stat 37:87): asymmetric where the likelihood is, and the same
    interval on any scale of the parameter.

    Parameters
    ----------
    parameters, errors : ndarray, shape (n_cells, 4)
        Maximum of the likelihood, and standard errors for the first guess.
    which : int
        The parameter.
    rise : ndarray, shape (n_cells,)
        Rise of the deviance at the ends: 3.84 for 95 % and Poisson counts.

    Returns
    -------
    low, high : ndarray, shape (n_cells,)
        An end the data do not limit is the end of the parameter's range.
    """
    best = deviance(data, curve(parameters, data.angles)[0])
    bounds = _bounds(data.family)
    centre = parameters[:, which]
    ends = []
    for side in (-1, 1):
        limit = np.full(len(centre), bounds[(side + 1) // 2][which])
        if which == 2:
            limit = centre + side * np.pi
        ends.append(_profile_end(data, parameters, errors[:, which], which, rise, best, limit, side))
    return ends[0], ends[1]


def _profile_end(
    data: Responses,
    parameters: np.ndarray,
    error: np.ndarray,
    which: int,
    rise: np.ndarray,
    best: np.ndarray,
    limit: np.ndarray,
    side: int,
    rounds: int = 14,
) -> np.ndarray:
    """Find one end: secant steps on the square root of the rise, nearly straight, inside a bracket."""
    centre = parameters[:, which]
    target = np.sqrt(rise)
    guess = np.where(np.isfinite(error), error, 0.1 * np.abs(centre) + 0.1) * target
    inner, inner_root = np.zeros_like(centre), np.zeros_like(centre)
    outer, outer_root = np.full_like(centre, np.inf), np.full_like(centre, np.inf)
    reach = np.abs(limit - centre)
    distance = np.minimum(guess, reach)
    warm, done = parameters.copy(), reach <= 0
    end = distance.copy()
    for _ in range(rounds):
        run = np.flatnonzero(~done)
        if not run.size:
            break
        start = warm[run]
        start[:, which] = centre[run] + side * distance[run]
        warm[run], value, _ = maximise(data.cells(run), start, which, steps=25, tolerance=1e-4 * rise[run])
        root = np.sqrt(np.maximum(value - best[run], 0))
        over = root >= target[run]
        here = distance[run]
        outer[run[over]], outer_root[run[over]] = here[over], root[over]
        inner[run[~over]], inner_root[run[~over]] = here[~over], root[~over]
        end[run] = here
        unlimited = ~over & (here >= reach[run] * (1 - 1e-9))
        done[run] = unlimited | (np.abs(root - target[run]) < 2e-3 * target[run])
        distance = _next_distance(inner, inner_root, outer, outer_root, target, reach)
    return centre + side * end


def _next_distance(
    inner: np.ndarray,
    inner_root: np.ndarray,
    outer: np.ndarray,
    outer_root: np.ndarray,
    target: np.ndarray,
    reach: np.ndarray,
) -> np.ndarray:
    """Interpolate inside a closed bracket, extrapolate (at most threefold) from an open one."""
    closed = np.isfinite(outer)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (target - inner_root) / (outer_root - inner_root)
        between = inner + np.clip(part, 0.05, 0.95) * (outer - inner)
        beyond = inner * np.clip(1.02 * target / inner_root, 1.05, 3.0)
    return np.where(closed, between, np.minimum(beyond, reach))


# ---------------------------------------------------------------- the maximum, cell by cell


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
