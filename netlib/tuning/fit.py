"""Orientation tuning of many cells: baseline + von Mises fitted to counts or to continuous values.

Every cell gets the same model, ``baseline + amplitude * von_mises(theta, preferred, B_theta)``, fitted by lmfit on
deviance residuals, with standard errors from the Fisher information and intervals from the profile likelihood
(:mod:`netlib.tuning.likelihood`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2
from scipy.stats import f as fisher_f

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.base.orientation import hwhh_from_B_theta, wrap
from netlib.tuning.counts import check_counts, check_durations, check_length, check_orientations
from netlib.tuning.likelihood import (
    Responses,
    at_bound,
    curve,
    deviance,
    fit_cells,
    interval,
    pearson,
    standard_errors,
    sum_repeats,
)

__all__ = ["PARAMETERS", "fit_tuning", "fit_tuning_continuous"]

#: Converged when one more Fisher-scoring step should lower the deviance (over the dispersion) by less than this.
CONVERGED = 1e-2

PARAMETERS = ("baseline", "amplitude", "preferred", "B_theta", "hwhh")


def fit_tuning(
    orientations: ArrayLike,
    counts: ArrayLike,
    duration: ArrayLike,
    *,
    overdispersion: str = "poisson",
    level: float = 0.95,
    alpha: float = 0.01,
    min_spikes: int = 10,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fit orientation tuning to the spike counts of many cells.

    Counts are Poisson with mean ``T (baseline + amplitude * von_mises(theta, preferred, B_theta))``. lmfit
    (Levenberg-Marquardt on deviance residuals) maximises the likelihood; standard errors are from the expected
    Fisher information, intervals from the profile likelihood.

    Parameters
    ----------
    orientations : array_like, shape (n_presentations,)
        Orientation of each presentation (deg); at least 5 distinct ones. Directions are taken modulo 180.
    counts : array_like of int, shape (n_cells, n_presentations)
        Spikes of each cell in each presentation.
    duration : float or array_like, shape (n_presentations,)
        Time counted in each presentation (ms).
    overdispersion : {"poisson", "estimate"}
        ``"poisson"`` takes the variance of counts to be their mean, for which intervals are exact to the order of
        the likelihood-ratio approximation. ``"estimate"`` scales errors, intervals and the test of tuning by the
        column ``overdispersion`` (quasi-likelihood; McCullagh & Nelder 1989, Generalized Linear Models, ch. 9),
        for counts more or less variable than Poisson.
    level : float
        Confidence of the intervals.
    alpha : float
        A cell is untuned unless a likelihood-ratio test against a flat curve (chi-square, 3 degrees of freedom) has
        p < ``alpha``. The test is a little liberal, as width and preferred orientation have no meaning for a flat
        curve: 1.0-1.3 % of flat Poisson cells pass at 0.01, 6-8 % at 0.05 (12 orientations).
    min_spikes : int
        A cell with fewer spikes in all is silent.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame, one row per cell
        ``baseline``, ``amplitude`` (Hz), ``preferred``, ``B_theta`` and ``hwhh`` (deg; half width at half height of
        the von Mises part, NaN above B_theta = 48.7 where it never falls to half), each with ``_se``, ``_low``,
        ``_high``. The ends of ``preferred`` are not wrapped, so that low <= preferred <= high; an ``hwhh_high`` of 90
        means no half height inside the interval.
        ``deviance_explained`` (1 - D/D0), ``r2`` and ``reduced_deviance`` of the mean tuning curve (the last near 1
        for a good fit if the summed counts are above 5 or so);
        ``overdispersion`` (Pearson chi-square over presentations / degrees of freedom: 1 for Poisson);
        ``p_tuned``; ``n_spikes``; ``success``; ``failure``: "" or "silent", "untuned", "not converged", "at bound"
        (bandwidth at an end of its range 1-90 deg, or undetermined: standard error of log B_theta above 1).
        A silent cell has NaN everywhere; another failed fit keeps its values for inspection, without intervals.

    Raises
    ------
    ValueError
        If counts are negative, fractional or NaN, orientations in radians or fewer than 5, lengths differ, or
        ``duration`` is not above 0.

    Examples
    --------
    >>> theta = np.repeat(np.arange(0, 180, 15.0), 10)
    >>> mean = 0.5 * (2 + 20 * np.exp((np.cos(2 * np.radians(theta - 45)) - 1) / (4 * np.radians(15) ** 2)))
    >>> counts = np.random.default_rng(1).poisson(mean, (1, len(theta)))
    >>> row = fit_tuning(theta, counts, 500.0).iloc[0]
    >>> bool(row.success), bool(row.B_theta_low < 15 < row.B_theta_high)
    (True, True)
    """
    check_choice("overdispersion", overdispersion, ("poisson", "estimate"))
    theta = check_orientations("orientations", orientations)
    counts = check_counts("counts", counts, len(theta))
    seconds = check_durations(duration, len(theta)) / 1000.0
    min_spikes = check_integer("min_spikes", min_spikes, 1, unit="spikes")
    data = sum_repeats(theta, counts, seconds, "poisson")
    n_spikes = counts.sum(1).astype(int)
    table = _table(data, n_spikes >= min_spikes, overdispersion, level, alpha, progress)
    table.insert(table.columns.get_loc("success"), "n_spikes", n_spikes)
    return table


def fit_tuning_continuous(
    orientations: ArrayLike,
    values: ArrayLike,
    *,
    level: float = 0.95,
    alpha: float = 0.01,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fit the tuning model to continuous responses, such as mean membrane potential, by least squares.

    The same model and columns as :func:`fit_tuning`, with ``baseline`` and ``amplitude`` in the unit of the
    values, so that widths compare. Errors are Gaussian with one variance per cell, estimated from single
    presentations (column ``overdispersion``, in squared units); intervals use the F distribution.

    Parameters
    ----------
    orientations : array_like, shape (n_presentations,)
        Orientation of each presentation (deg); at least 5 distinct ones.
    values : array_like, shape (n_cells, n_presentations)
        Response of each cell to each presentation.
    level, alpha, progress
        As in :func:`fit_tuning`.

    Returns
    -------
    DataFrame, one row per cell
        Columns of :func:`fit_tuning` but ``n_spikes``. A cell whose response never varies is "silent".
    """
    theta = check_orientations("orientations", orientations)
    values = check_array("values", values, ndim=2)
    check_length("values", values, len(theta))
    centre = values.mean(1)
    spread = values.std(1)
    varies = spread > 1e-12 * np.maximum(np.abs(centre), 1e-300)
    unit = np.where(varies, spread, 1.0)
    data = sum_repeats(theta, (values - centre[:, None]) / unit[:, None], np.ones(len(theta)), "gaussian")
    table = _table(data, varies, "estimate", level, alpha, progress)
    for name in ("baseline", "amplitude"):
        for suffix in ("", "_se", "_low", "_high"):
            table[name + suffix] *= unit
    for suffix in ("", "_low", "_high"):
        table["baseline" + suffix] += centre
    table["overdispersion"] *= unit**2
    table["reduced_deviance"] *= unit**2
    return table


def _table(
    data: Responses, alive: np.ndarray, overdispersion: str, level: float, alpha: float, progress: bool | None
) -> pd.DataFrame:
    """Fit the cells that are alive and put all in one table, the others as silent."""
    level = check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    alpha = check_number("alpha", alpha, "", 0, 1, low_open=True)
    if data.dof < 1:
        raise ValueError(f"{data.n_presentations} presentations cannot determine 4 parameters: show at least 5")
    columns = _estimate(data.cells(alive), overdispersion, level, alpha, progress)
    table = pd.DataFrame(columns, index=np.flatnonzero(alive)).reindex(np.arange(len(alive)))
    table["success"] = table["success"].eq(True)
    table["failure"] = table["failure"].where(alive, "silent").astype(str)
    table.index.name = "cell"
    return table


def _estimate(
    data: Responses, overdispersion: str, level: float, alpha: float, progress: bool | None
) -> dict[str, Any]:
    """Fit, errors, intervals and goodness of cells that respond at all, as columns."""
    best, gain = fit_cells(data, progress)
    f, _ = curve(best, data.angles)
    fitted = deviance(data, f)
    flat = data.sums.sum(1, keepdims=True) / data.exposure.sum()
    null = deviance(data, np.broadcast_to(flat, data.sums.shape))
    phi = pearson(data, f) / data.dof
    scale = phi if overdispersion == "estimate" else np.ones_like(phi)
    p_value = _p_tuned(null - fitted, scale, data.dof, overdispersion)
    errors = standard_errors(data, best)
    short = ~(gain < CONVERGED * np.maximum(scale, 1e-8))
    undetermined = at_bound(best) | ~(errors[:, 3] * np.sqrt(scale) < 1)
    failure = np.select([~(p_value < alpha), short, undetermined], ["untuned", "not converged", "at bound"], "")
    good = np.flatnonzero(failure == "")
    quantile = chi2.ppf(level, 1) if overdispersion == "poisson" else fisher_f.ppf(level, 1, data.dof)
    ends = np.full((2, *best.shape), np.nan)
    block = max(1, 200_000 // len(data.angles))
    for i in range(0, len(good), block):
        part = good[i : i + block]
        for which in range(4):
            ends[:, part, which] = interval(
                data.cells(part), best[part], errors[part], which, np.maximum(quantile * scale[part], 1e-12)
            )
    columns = _parameter_columns(best, errors * np.sqrt(scale)[:, None], *ends)
    means = data.means
    total = ((means - means.mean(1, keepdims=True)) ** 2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns |= {
            "deviance_explained": 1 - fitted / null,
            "r2": 1 - ((means - f) ** 2).sum(1) / total,
            "reduced_deviance": fitted / (len(data.angles) - 4),
        }
    return columns | {"overdispersion": phi, "p_tuned": p_value, "success": failure == "", "failure": failure}


def _p_tuned(gain: np.ndarray, scale: np.ndarray, dof: int, overdispersion: str) -> np.ndarray:
    """Probability of so large a gain over a flat curve, by likelihood ratio with 3 more parameters."""
    if overdispersion == "poisson":
        return chi2.sf(gain, 3)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(gain > 0, gain / (3 * scale), 0.0)
    return fisher_f.sf(ratio, 3, dof)


def _parameter_columns(
    best: np.ndarray, errors: np.ndarray, low: np.ndarray, high: np.ndarray
) -> dict[str, np.ndarray]:
    """Columns in public units from internal parameters, their errors and intervals."""
    B, B_low, B_high = (np.degrees(np.exp(x[:, 3])) for x in (best, low, high))
    preferred = np.asarray(wrap(np.degrees(best[:, 2]) / 2))
    shift = preferred - np.degrees(best[:, 2]) / 2
    step = 1e-4 * B
    with np.errstate(invalid="ignore"):
        slope = (hwhh_from_B_theta(B + step) - hwhh_from_B_theta(B - step)) / (2 * step)
        half_high = np.where(np.isfinite(B_high), np.nan_to_num(hwhh_from_B_theta(B_high), nan=90.0), np.nan)
        half_low = np.where(np.isfinite(B_low), np.nan_to_num(hwhh_from_B_theta(B_low), nan=90.0), np.nan)
    rows = {
        "baseline": (best[:, 0], errors[:, 0], low[:, 0], high[:, 0]),
        "amplitude": (best[:, 1], errors[:, 1], low[:, 1], high[:, 1]),
        "preferred": (
            preferred,
            np.degrees(errors[:, 2]) / 2,
            np.degrees(low[:, 2]) / 2 + shift,
            np.degrees(high[:, 2]) / 2 + shift,
        ),
        "B_theta": (B, B * errors[:, 3], B_low, B_high),
        "hwhh": (hwhh_from_B_theta(B), slope * B * errors[:, 3], half_low, half_high),
    }
    suffixes = ("", "_se", "_low", "_high")
    return {name + suffix: column for name in PARAMETERS for suffix, column in zip(suffixes, rows[name], strict=True)}
