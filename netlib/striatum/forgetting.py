"""How fast what was learned is lost and learned again: curves of groups of simulations, as in the published study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lmfit
import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_choice, check_integer, check_number
from netlib.striatum.experiment import Result

__all__ = ["Forgetting", "fit_forgetting", "forgetting_table", "relearning_time"]


@dataclass(frozen=True)
class Forgetting:
    """Fit of a forgetting curve: A(t) = base + (learned - base) (1 + t / (tau d))**(-d), of Lomax or Burr XII.

    Parameters
    ----------
    tau, tau_se : float
        Time at which the tangent at t = 0 reaches the base, and its standard error (trials).
    d, d_se : float
        Exponent, large where the decay is exponential, and its standard error.
    base, learned : float
        Accuracies between which the curve falls, given and not fitted.
    rms : float
        Root mean square residual (accuracy).
    half_life : float
        First time at which half of what was learned is lost, from the data; inf if never (trials).
    success : bool
        Whether there was something to fit and the fit found a finite standard error.
    failure : str
        Why not.

    Examples
    --------
    >>> nan = float("nan")
    >>> curve = Forgetting(100.0, nan, 1.0, nan, base=0.5, learned=0.9, rms=0.0, half_life=100.0, success=True)
    >>> curve([0, 100, 300]).round(2).tolist()
    [0.9, 0.7, 0.6]
    """

    tau: float
    tau_se: float
    d: float
    d_se: float
    base: float
    learned: float
    rms: float
    half_life: float
    success: bool
    failure: str = ""

    def __call__(self, time: Any) -> np.ndarray:
        """Accuracy ``time`` trials after learning stopped."""
        return self.base + (self.learned - self.base) * (1 + np.asarray(time) / (self.tau * self.d)) ** -self.d


def fit_forgetting(time: Any, accuracy: Any, base: float, learned: float) -> Forgetting:
    """Fit the loss of accuracy by least squares, with lmfit; tau d here is g of the published analysis.

    Parameters
    ----------
    time : array
        Trials since learning stopped.
    accuracy : array
        Mean accuracy at these times.
    base : float
        Accuracy before learning.
    learned : float
        Accuracy at the end of learning.

    Examples
    --------
    >>> time = np.arange(0, 500, 10)
    >>> fit = fit_forgetting(time, 0.5 + 0.4 / (1 + time / 100), base=0.5, learned=0.9)
    >>> round(fit.tau), round(fit.d, 2), fit.half_life
    (100, 1.0, 100.0)
    """
    time = check_array("time", time, "trials", 0, ndim=1)
    accuracy = check_array("accuracy", accuracy, "", 0, 1, ndim=1)
    if len(time) != len(accuracy) or len(time) < 3:
        raise ValueError(f"time and accuracy have {len(time)} and {len(accuracy)} values: give as many, at least 3")
    span = time.max()
    lost = np.nonzero(accuracy <= (base + learned) / 2)[0]
    half_life = float(time[lost[0]]) if len(lost) else np.inf
    if learned <= base:
        nan = float("nan")
        return Forgetting(nan, nan, nan, nan, base, learned, nan, half_life, False, "nothing was learned")

    def residual(values: lmfit.Parameters) -> np.ndarray:
        tau, d = np.exp(values["log_tau"].value), np.exp(values["log_d"].value)
        return base + (learned - base) * (1 + time / (tau * d)) ** -d - accuracy

    fits = []
    for start in (span / 50, span / 5, span):
        values = lmfit.Parameters()
        values.add("log_tau", np.log(start), min=np.log(1e-2), max=np.log(1e4 * span))
        values.add("log_d", 0.0, min=np.log(1e-2), max=np.log(1e3))
        fits.append(lmfit.minimize(residual, values))
    best = min(fits, key=lambda fit: fit.chisqr)
    tau, d = (float(np.exp(best.params[name].value)) for name in ("log_tau", "log_d"))
    # Errors of the logarithms, carried over.
    errors = [best.params[name].stderr for name in ("log_tau", "log_d")]
    tau_se, d_se = (float("nan") if e is None else float(e * v) for e, v in zip(errors, (tau, d), strict=True))
    failure = ""
    if not best.success:
        failure = "the fit did not converge"
    elif not np.isfinite(tau_se):
        failure = "the data do not fix tau"
    elif tau > 2 * span:
        failure = "tau is more than twice the time observed"
    rms = float(np.sqrt(np.mean(best.residual**2)))
    return Forgetting(tau, tau_se, d, d_se, base, learned, rms, half_life, not failure, failure)


def relearning_time(time: Any, accuracy: Any, base: float, learned: float, ratio: float = 0.8) -> float:
    """First time at which a fraction ``ratio`` of what was learned is there again; inf if never (trials).

    Examples
    --------
    >>> relearning_time([0, 10, 20, 30], [0.5, 0.7, 0.85, 0.9], base=0.5, learned=0.9)
    20.0
    """
    check_number("ratio", ratio, "", 0, 1)
    time, accuracy = np.asarray(time, float), np.asarray(accuracy, float)
    there = np.nonzero(accuracy - base > ratio * (learned - base))[0]
    return float(time[there[0]]) if len(there) else np.inf


def forgetting_table(
    result: Result,
    group: int = 20,
    ratio: float = 0.8,
    phases: tuple[str, str, str, str] = ("initial", "learning", "maintenance", "recall"),
) -> pd.DataFrame:
    """Forgetting and relearning of groups of simulations, from the mean curve of each.

    Parameters
    ----------
    result : Result
    group : int
        Simulations in a group; a rest that makes no whole group is left out.
    ratio : float
        See :func:`relearning_time`.
    phases : tuple of str
        Names of the phases before learning, of learning, forgetting and relearning.

    Returns
    -------
    DataFrame
        One row for each group: the fields of :class:`Forgetting`; ``tau_capped``, at twice the phase as in the
        published analysis, and NaN where nothing was learned; ``relearning`` (trials).

    Examples
    --------
    >>> from netlib.striatum import article, run_simulations
    >>> result = run_simulations(article(), seed=1, simulations=20)
    >>> table = forgetting_table(result, group=10)
    >>> len(table), bool((table["learned"] > table["base"]).all())
    (2, True)
    """
    check_integer("group", group, 1, len(result.simulation), "simulations")
    places = result.checkpoints
    first, start, stop, last = (places[check_choice("phase", name, places)] for name in phases)
    rows = []
    for i in range(len(result.simulation) // group):
        curve = result.accuracy[i * group : (i + 1) * group].mean(0)
        base, learned = float(curve[first]), float(curve[start])
        time = result.trial[start:stop] - result.trial[start]
        fit = fit_forgetting(time, curve[start:stop], base, learned)
        again = relearning_time(
            result.trial[stop : last + 1] - result.trial[stop], curve[stop : last + 1], base, learned, ratio
        )
        cap = 2.0 * (result.trial[stop] - result.trial[start])
        row = {name: getattr(fit, name) for name in Forgetting.__dataclass_fields__}
        rows.append({"group": i, **row, "tau_capped": np.minimum(fit.tau, cap), "relearning": again})
    return pd.DataFrame(rows)
