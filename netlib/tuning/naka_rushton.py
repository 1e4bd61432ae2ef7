"""How tuning changes with the orientation variance of the stimulus: a Naka-Rushton curve over B_theta for each cell.

``f(B) = f0 + (f_max - f0) B^n / (B^n + B50^n)``, the form of Ladret et al. 2023 (Commun Biol 6:667,
doi:10.1038/s42003-023-05042-3) for the circular variance of V1 cells; after Naka & Rushton 1966, J Physiol 185:536.
There ``n`` is reported as a natural logarithm, and fitted in [1, 300].

Three things to know before numbers are compared with those of that paper's public code
(hugoladret/variance-processing-V1). It measures B as a fraction of its maximum; the example cells' B50 are multiplied
by that maximum (36 degrees), the population's by 180/pi. It takes for circular variance ``1 - |Re sum r exp(2i theta)|
/ sum r``, the real part alone, which is larger than the usual measure for a cell whose preferred orientation is
neither 0 nor 90 degrees. And for example cells it prints n itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2
from scipy.stats import f as fisher_f
from tqdm import tqdm

from netlib.base.checks import check_array, check_number

__all__ = ["LOG_N_RANGE", "fit_naka_rushton", "naka_rushton"]

#: Range of the natural logarithm of the exponent: n from 1 to 300, as in the published fits.
LOG_N_RANGE = (0.0, float(np.log(300.0)))
#: B50 is searched above this fraction of the largest B_theta.
LEAST_B50 = 0.01

NAMES = ("log_n", "B50", "f0", "f_max")
#: Candidates of log n and of B50 common to all cells; as many again as GRID[2] lie around the optimum of each.
GRID = (40, 60, 25)


def naka_rushton(B_theta: ArrayLike, f0: ArrayLike, f_max: ArrayLike, B50: ArrayLike, n: ArrayLike) -> np.ndarray:
    """Naka-Rushton curve ``f0 + (f_max - f0) B^n / (B^n + B50^n)``; arguments broadcast.

    Parameters
    ----------
    B_theta, B50 : array_like
        Bandwidth of the stimulus, and bandwidth half way from ``f0`` to ``f_max`` (deg).
    f0, f_max : array_like
        Value at 0 and at infinite bandwidth.
    n : array_like
        Exponent: the larger, the more like a step.

    Examples
    --------
    >>> naka_rushton([0.0, 19.2, 1e9], f0=0.75, f_max=0.95, B50=19.2, n=36.6).round(3).tolist()
    [0.75, 0.85, 0.95]
    """
    B50 = check_array("B50", B50, "deg", 0)
    return f0 + (np.asarray(f_max) - f0) * _rise(check_array("B_theta", B_theta, "deg", 0), np.log(n), B50)


def _rise(B: np.ndarray, log_n: ArrayLike, B50: ArrayLike) -> np.ndarray:
    """``B^n / (B^n + B50^n)`` without overflow."""
    with np.errstate(divide="ignore", over="ignore"):
        return 1 / (1 + np.exp(np.exp(log_n) * (np.log(B50) - np.log(B))))


class _Linear:
    """Best f0 and f_max in [0, upper] where log n and B50 are given, for many curves at once.

    ``rise`` has shape (..., m), values and weights broadcast with it.
    """

    def __init__(self, rise: np.ndarray, values: np.ndarray, weights: np.ndarray, upper: float) -> None:
        left, right = 1 - rise, rise
        self.a = (weights * left**2).sum(-1)
        self.b = (weights * left * right).sum(-1)
        self.c = (weights * right**2).sum(-1)
        p, q = (weights * left * values).sum(-1), (weights * right * values).sum(-1)
        total = (weights * values**2).sum(-1)
        self.det = np.maximum(self.a * self.c - self.b**2, 1e-300)
        f0, f_max = (self.c * p - self.b * q) / self.det, (self.a * q - self.b * p) / self.det
        # Outside the box: one of them at its bound, the other the best that is left.
        stuck = np.clip(f_max, 0, upper) != f_max
        f_max = np.clip(f_max, 0, upper)
        f0 = np.where(stuck, (p - self.b * f_max) / np.maximum(self.a, 1e-300), f0)
        stuck = np.clip(f0, 0, upper) != f0
        f0 = np.clip(f0, 0, upper)
        f_max = np.where(stuck, np.clip((q - self.b * f0) / np.maximum(self.c, 1e-300), 0, upper), f_max)
        self.f0, self.f_max = f0, f_max
        self.cost = total + self.a * f0**2 + 2 * self.b * f0 * f_max + self.c * f_max**2 - 2 * (p * f0 + q * f_max)

    def reach(self, which: str, spare: np.ndarray) -> np.ndarray:
        """How far f0 or f_max can move, the other following, before the cost has risen by ``spare``."""
        stiffness = self.det / np.maximum(self.c if which == "f0" else self.a, 1e-300)
        return np.sqrt(np.maximum(spare, 0) / np.maximum(stiffness, 1e-300))


def _axes(largest: float) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(*LOG_N_RANGE, GRID[0]), np.linspace(LEAST_B50 * largest, largest, GRID[1])


def _refine(B: np.ndarray, values: np.ndarray, weights: np.ndarray, start: tuple, upper: float) -> Any:
    """lmfit's Levenberg-Marquardt from the best candidate."""
    import lmfit

    largest = float(B.max())
    bounds = (LOG_N_RANGE, (LEAST_B50 * largest, largest), (0.0, upper), (0.0, upper))
    parameters = lmfit.Parameters()
    for name, value, (low, high) in zip(NAMES, start, bounds, strict=True):
        margin = 1e-6 * min(high - low, 1.0)  # lmfit cannot leave a bound it starts on
        parameters.add(name, float(np.clip(value, low + margin, high - margin)), min=low, max=high)

    def residuals(p: Any) -> np.ndarray:
        v = p.valuesdict()
        rise = _rise(B, v["log_n"], v["B50"])
        return np.sqrt(weights) * (v["f0"] + (v["f_max"] - v["f0"]) * rise - values)

    return lmfit.minimize(
        residuals, parameters, method="leastsq", scale_covar=False, ftol=1e-12, xtol=1e-10, max_nfev=400
    )


def _ends(axis: np.ndarray, cost: np.ndarray, best: float, rise: float) -> tuple[float, float]:
    """Where the profile ``cost`` over ``axis`` has risen by ``rise`` above ``best`` on both sides (in square roots)."""
    root = np.sqrt(np.maximum(cost - best, 0)) - np.sqrt(rise)
    inside = root <= 0
    if not inside.any():
        centre = axis[cost.argmin()]
        return float(centre), float(centre)
    first, last = np.flatnonzero(inside)[[0, -1]]
    ends = []
    for k, step in ((first, -1), (last, 1)):
        beyond = k + step
        if not 0 <= beyond < len(axis):
            ends.append(axis[k])
            continue
        part = root[k] / (root[k] - root[beyond])
        ends.append(axis[k] + part * (axis[beyond] - axis[k]))
    return float(ends[0]), float(ends[1])


def _intervals(
    B: np.ndarray, values: np.ndarray, weights: np.ndarray, fit: dict[str, float], rise: float, upper: float
) -> dict[str, tuple[float, float]]:
    """Profile-likelihood intervals of one cell, from candidates everywhere and more of them around the optimum."""
    axes = []
    for name, common in zip(NAMES[:2], _axes(float(B.max())), strict=True):
        spread = fit[name + "_se"] if np.isfinite(fit[name + "_se"]) else 0.1 * np.ptp(common)
        near = fit[name] + 4 * np.clip(spread, 1e-7, np.ptp(common)) * np.linspace(-1, 1, GRID[2])
        axes.append(np.unique(np.clip(np.append(near, common), common[0], common[-1])))
    linear = _Linear(_rise(B, axes[0][:, None, None], axes[1][:, None]), values, weights, upper)
    best = min(fit["cost"], float(linear.cost.min()))
    found = {
        "log_n": _ends(axes[0], linear.cost.min(1), best, rise),
        "B50": _ends(axes[1], linear.cost.min(0), best, rise),
    }
    spare = best + rise - linear.cost
    allowed = spare >= 0
    for name in NAMES[2:]:
        centre = getattr(linear, name)
        reach = linear.reach(name, spare)
        ends = ((centre - reach)[allowed], (centre + reach)[allowed]) if allowed.any() else ([fit[name]], [fit[name]])
        found[name] = (max(0.0, float(np.min(ends[0]))), min(upper, float(np.max(ends[1]))))
    # An estimate beyond the nearest candidate, where data are all but exact, still belongs to its interval.
    return {name: (min(low, fit[name]), max(high, fit[name])) for name, (low, high) in found.items()}


def fit_naka_rushton(
    B_thetas: ArrayLike,
    values: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    upper: float = 1.0,
    level: float = 0.95,
    alpha: float = 0.01,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fit a Naka-Rushton curve over B_theta to each cell.

    The best of a grid of (n, B50), for each of which the best ``f0`` and ``f_max`` are known, is refined by lmfit.
    Intervals are those of the profile likelihood: as ``n`` grows the curve becomes a step and the data no longer limit
    it, which a standard error cannot say.

    Parameters
    ----------
    B_thetas : array_like, shape (m,)
        Bandwidths of the stimulus (deg), 5 or more distinct ones.
    values : array_like, shape (n_cells, m) or (m,)
        What changes with bandwidth, 0 or more: circular variance, or half width (deg). A cell with a NaN is "missing".
    errors : array_like, same shape, optional
        Standard errors of the values. Without them all are taken as equal and estimated from the residuals.
    upper : float
        Largest possible value: 1 for circular variance, ``inf`` for a width.
    level : float
        Confidence of the intervals.
    alpha : float
        A cell is flat unless the curve beats a constant with p < ``alpha`` (chi-square with errors, F without; 3
        degrees of freedom, though n and B50 mean nothing for a flat cell).
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame, one row per cell
        ``log_n`` (natural logarithm), ``B50`` (deg), ``f0``, ``f_max``, each with ``_se``, ``_low``, ``_high``; ``n``;
        ``r2``; ``chi2`` (with errors: weighted sum of squares; near m - 4 for a good fit); ``p_flat``; ``success``;
        ``failure``: "" or "missing", "flat", "falling" (f_max < f0) or "at bound" (B50 at the largest bandwidth shown:
        half of the rise was not seen). An ``n`` at its bound is a step between two bandwidths, not a failure: its
        interval says so.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than 5 bandwidths, or a value, error or bandwidth is out of range.
    """
    B = check_array("B_thetas", B_thetas, "deg", 0, ndim=1)
    if len(np.unique(B)) < 5:
        raise ValueError(f"B_thetas holds {len(np.unique(B))} distinct values: four parameters need at least 5")
    check_number("upper", upper, "", 0, low_open=True, finite=False)
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    check_number("alpha", alpha, "", 0, 1, low_open=True)
    values = np.atleast_2d(np.asarray(values, float))
    errors = np.ones_like(values) if (given := errors) is None else np.atleast_2d(np.asarray(errors, float))
    if values.ndim != 2 or values.shape[1] != len(B) or errors.shape != values.shape:
        raise ValueError(
            f"values has shape {values.shape} and errors {errors.shape}: both must be (n_cells, {len(B)}), as B_thetas"
        )
    known = np.isfinite(values).all(1) & np.isfinite(errors).all(1)
    if known.any():
        check_array("values", values[known], "", 0, upper + 1e-9)
        check_array("errors", errors[known], "", np.finfo(float).tiny)
    rows = []
    disable = None if progress is None else not progress
    for y, error, whole in tqdm(
        zip(values, errors, known, strict=True), "fitting", len(values), unit="cell", disable=disable
    ):
        rows.append(_fit(B, y, error**-2, upper, level, alpha, given is not None) if whole else {"failure": "missing"})
    columns = [name + end for name in NAMES for end in ("", "_se", "_low", "_high")]
    table = pd.DataFrame(rows, columns=[*columns, "n", "r2", "chi2", "p_flat", "success", "failure"])
    table["success"] = table["failure"] == ""
    table.index.name = "cell"
    return table


def _fit(
    B: np.ndarray, y: np.ndarray, weights: np.ndarray, upper: float, level: float, alpha: float, known: bool
) -> dict:
    """One row of the table; ``known``: weights are inverse variances, not equal by default."""
    log_n, B50 = _axes(float(B.max()))
    grid = _Linear(_rise(B, log_n[:, None, None], B50[:, None]), y, weights, upper)
    i, j = np.unravel_index(grid.cost.argmin(), grid.cost.shape)
    result = _refine(B, y, weights, (log_n[i], B50[j], grid.f0[i, j], grid.f_max[i, j]), upper)
    dof = len(B) - 4
    cost = float((result.residual**2).sum())
    scale = 1.0 if known else max(cost / dof, 1e-24 * float((y**2).sum()) + 1e-300)
    fit: dict[str, Any] = {"cost": cost}
    for name in NAMES:
        parameter = result.params[name]
        fit[name] = float(parameter.value)
        fit[name + "_se"] = float(parameter.stderr * np.sqrt(scale)) if parameter.stderr else np.nan
    quantile = chi2.ppf(level, 1) if known else fisher_f.ppf(level, 1, dof)
    for name, ends in _intervals(B, y, weights, fit, scale * quantile, upper).items():
        fit[name + "_low"], fit[name + "_high"] = ends
    mean = (weights * y).sum() / weights.sum()
    total = float((weights * (y - mean) ** 2).sum())
    gain = max(total - cost, 0.0) / scale
    p_flat = float(chi2.sf(gain, 3) if known else fisher_f.sf(gain / 3, 3, dof))
    failure = "at bound" if fit["B50"] > (1 - 1e-3) * B.max() else ""
    failure = "falling" if fit["f_max"] <= fit["f0"] else failure
    failure = "flat" if not p_flat < alpha else failure
    return fit | {
        "n": np.exp(fit["log_n"]),
        "r2": 1 - cost / total if total > 0 else np.nan,
        "chi2": cost if known else np.nan,
        "p_flat": p_flat,
        "failure": failure,
    }
