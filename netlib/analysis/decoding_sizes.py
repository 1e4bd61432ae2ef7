"""Decoding from equal numbers of neurons: clusters, codes of activation and inactivation, and learning curves.

More neurons decode better, so sets of different sizes say little side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.behaviour_decoding import Svm, decode_behaviour
from netlib.seeds import stream
from netlib.units import check_array, check_integer

__all__ = ["code_scores", "learning_curve", "matched_scores", "summarise_draws"]


def matched_scores(
    features: ArrayLike,
    sets: Mapping[str, ArrayLike],
    labels: ArrayLike,
    times: ArrayLike,
    names: Sequence[str],
    *,
    n: int | None = None,
    draws: int = 50,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Decode from the same number of neurons of each set, drawn many times.

    Parameters
    ----------
    features, labels, times, names, groups, svm
        As for :func:`~netlib.analysis.behaviour_decoding.decode_behaviour`.
    sets : mapping of name to array_like
        Neurons of each set (indices, or bool per neuron): clusters, codes, pathways.
    n : int, optional
        Neurons drawn, by default those of the smallest set.
    draws : int
        Draws of each set; one, where the set has no more than ``n``.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        ``set``, ``draw``, ``n``, ``size`` (of the set), ``balanced_accuracy``, ``accuracy``, and ``recall <name>``;
        a set of fewer than ``n`` neurons has a row of NaN: it cannot be matched.

    Raises
    ------
    ValueError
        If the smallest set is empty.
    """
    x = check_array("features", features, ndim=2)
    draws = check_integer("draws", draws, 1)
    members = {name: _members(name, which, x.shape[1]) for name, which in sets.items()}
    smallest = min(members, key=lambda name: len(members[name]))
    if n is None and not len(members[smallest]):
        raise ValueError(f"sets[{smallest!r}] is empty: give n, or leave it out")
    n = check_integer("n", len(members[smallest]) if n is None else n, 1, unit="neurons")
    rows = []
    for name, which in members.items():
        head = {"set": name, "n": n, "size": len(which)}
        if len(which) < n:
            rows.append(head | {"draw": 0, "balanced_accuracy": np.nan, "accuracy": np.nan})
            continue
        for draw in range(draws if len(which) > n else 1):
            chosen = stream(seed, "matched neurons", name, draw).choice(which, n, replace=False)
            found = decode_behaviour(x[:, np.sort(chosen)], labels, times, names, groups=groups, svm=svm)
            scores = {"balanced_accuracy": found.balanced_accuracy, "accuracy": found.accuracy}
            recall = {f"recall {label}": value for label, value in found.recall.items()}
            rows.append(head | {"draw": draw} | scores | recall)
    return pd.DataFrame(rows)


def _members(name: str, which: ArrayLike, n: int) -> np.ndarray:
    which = np.asarray(which)
    if which.dtype == bool:
        if which.shape != (n,):
            raise ValueError(f"sets[{name!r}] has shape {which.shape}: as bool it must be ({n},)")
        return np.flatnonzero(which)
    which = np.unique(which.astype(int))
    if which.size and not 0 <= which.min() <= which.max() < n:
        raise ValueError(f"sets[{name!r}] runs from {which.min()} to {which.max()}: indices must be in [0, {n})")
    return which


def code_scores(
    features: ArrayLike,
    signs: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Sequence[str],
    **options,
) -> pd.DataFrame:
    """Decode from activated neurons only, inactivated only, and all, in equal numbers.

    Take ``signs`` of another session, or of another part of this one: neurons chosen for how they behave in the bins
    that are decoded, decode these well by chance alone.

    Parameters
    ----------
    signs : array_like, shape (n_neurons, n_labels)
        1, 0, -1 or NaN (:meth:`netlib.analysis.modulation.Modulation.signs`). A neuron with both signs has neither
        code.
    features, labels, times, names, **options
        As for :func:`matched_scores`.

    Returns
    -------
    DataFrame
        As :func:`matched_scores`, sets "activation", "inactivation", "all".
    """
    signs = np.asarray(signs, float)
    up, down = (signs == 1).any(axis=1), (signs == -1).any(axis=1)
    sets = {"activation": up & ~down, "inactivation": down & ~up, "all": np.ones(len(signs), bool)}
    return matched_scores(features, sets, labels, times, names, **options)


def learning_curve(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Sequence[str],
    sizes: Sequence[int] | None = None,
    *,
    draws: int = 20,
    **options,
) -> pd.DataFrame:
    """Score against the number of neurons.

    Parameters
    ----------
    sizes : sequence of int, optional
        Numbers of neurons, by default 1, 2, 5, 10, 20, 50, ... up to all.
    features, labels, times, names, draws, **options
        As for :func:`matched_scores`.
    """
    total = np.shape(features)[1]
    if sizes is None:
        sizes = sorted({s * 10**k for k in range(5) for s in (1, 2, 5) if s * 10**k < total} | {total})
    sets = {"all": np.arange(total)}
    tables = [matched_scores(features, sets, labels, times, names, n=n, draws=draws, **options) for n in sizes]
    return pd.concat(tables, ignore_index=True)


def summarise_draws(table: pd.DataFrame, score: str = "balanced_accuracy") -> pd.DataFrame:
    """Mean, sd and range (2.5 to 97.5 %) of a score over draws, per set and number of neurons.

    Draws share neurons and bins: their sd is not a standard error.
    """
    groups = table.groupby(["set", "n"], sort=False)[score]
    quantile = {name: groups.quantile(q) for name, q in (("low", 0.025), ("high", 0.975))}
    return pd.DataFrame({"mean": groups.mean(), "sd": groups.std(), **quantile, "draws": groups.size()}).reset_index()
