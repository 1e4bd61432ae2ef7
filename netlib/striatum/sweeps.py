"""What ``netlib sweep striatum`` runs at each point: many simulations of the neuron; their mean accuracy."""

from __future__ import annotations

from typing import Any

from netlib.base.checks import check_integer
from netlib.striatum.analysis import checkpoint_table
from netlib.striatum.experiment import run_simulations
from netlib.striatum.options import ARTICLE, from_options

__all__ = ["SWEEPS", "striatum_response"]


def striatum_response(seed: int, n_simulations: int = 50, article: bool = True, **options: Any) -> dict[str, float]:
    """Accuracy of the striatal neuron at the ends of its phases, mean over simulations.

    Parameters
    ----------
    seed : int
        Master seed.
    n_simulations : int
        Simulations.
    article : bool
        The article's values for options not given; else those of the published program.
    **options
        Options of ``netlib striatum run``, such as ``Apostpre=1.0``.

    Returns
    -------
    dict
        ``accuracy_...``, ``balanced_accuracy_...`` and ``success_...`` by checkpoint.
    """
    check_integer("n_simulations", n_simulations, 1)
    parameters = from_options(**(ARTICLE | options if article else options))
    table = checkpoint_table(run_simulations(parameters, seed, n_simulations, progress=False))
    means = table.groupby("checkpoint", sort=False)[["accuracy", "balanced_accuracy", "success"]].mean()
    return {f"{measure}_{point}": float(means.loc[point, measure]) for point in means.index for measure in means}


SWEEPS = {"striatum": striatum_response}
