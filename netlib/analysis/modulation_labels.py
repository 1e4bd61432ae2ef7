"""From tests to labels: category vectors, one label per neuron, and how many neurons of each kind there are.

A category vector has eight columns: sequence, zones, food, explo activated, then the same four inactivated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from netlib.analysis.modulation import Modulation
from netlib.analysis.modulation_percentile import HIGH, LOW, Percentiles, percentile_signs
from netlib.analysis.registration_quality import check_registration, pick
from netlib.analysis.similarity import CATEGORIES
from netlib.recordings.operant.behaviour_segments import GROUP_OF, GROUPS
from netlib.units import check_choice, check_number

__all__ = [
    "CATEGORIES",
    "best_label",
    "categories",
    "category_matrix",
    "fractions",
    "labels_per_neuron",
    "multi_label",
    "pathway_fractions",
]


def categories(found: Modulation | Percentiles, alpha: float = 0.05, by: str = "q") -> np.ndarray:
    """Eight-column category vector of each neuron of a session.

    Of a test on the four merged behaviours, each column is its own test (the way to take). Of one on the seven, a
    column is 1 if any of its two behaviours passes, as published: that doubles false labels, and a neuron can be
    activated and inactivated in one group.

    Parameters
    ----------
    found : Modulation or Percentiles
        Of all four or of all seven behaviours.
    alpha, by
        As for :meth:`~netlib.analysis.modulation.Modulation.signs`; percentiles have bounds of 5 and 95 instead.

    Returns
    -------
    ndarray, shape (n_neurons, 8)
        1, 0, or NaN where the neuron was absent or the behaviour missing.

    Raises
    ------
    ValueError
        If a group was not tested.
    """
    signs = found.signs() if isinstance(found, Percentiles) else found.signs(alpha, by)
    group = np.array([GROUP_OF.get(label, label) for label in found.labels], object)
    missing = [name for name in GROUPS if name not in set(group)]
    if missing:
        raise ValueError(f"found has no test of {missing}: categories need all four groups, of {list(GROUPS)}")
    columns = []
    for way in (1.0, -1.0):
        for name in GROUPS:
            own = signs[:, group == name]
            passes = (own == way).any(axis=1).astype(float)
            columns.append(np.where(np.isnan(own).all(axis=1), np.nan, passes))
    return np.stack(columns, axis=1)


def category_matrix(sessions: Sequence[np.ndarray], registration: np.ndarray | pd.DataFrame) -> np.ndarray:
    """Category vectors of registered neurons side by side.

    Parameters
    ----------
    sessions : sequence of ndarray, shape (n_local, 8)
        Categories of all neurons of each session.
    registration : array_like of int, shape (n_registered, n_sessions)
        Local index of each registered neuron in each session, -1 where it was not seen: its eight columns are then
        NaN. (It is never used as an index: -1 would be the last neuron.)

    Returns
    -------
    ndarray, shape (n_registered, 8 * n_sessions)

    Raises
    ------
    ValueError
        If the shapes differ or an index is out of range.

    Examples
    --------
    >>> category_matrix([np.eye(8)[:2]], [[1], [-1]])[:, :3].tolist()
    [[0.0, 1.0, 0.0], [nan, nan, nan]]
    """
    if np.ndim(registration) != 2 or np.shape(registration)[1] != len(sessions):
        raise ValueError(
            f"registration has shape {np.shape(registration)}: it must be (n_registered, {len(sessions)} sessions)"
        )
    table = check_registration(registration, [len(vectors) for vectors in sessions])
    return np.hstack([pick(vectors, here) for vectors, here in zip(sessions, table.T, strict=True)])


def best_label(
    percentile: np.ndarray, labels: Sequence[str], signs: np.ndarray | None = None, low: float = LOW, high: float = HIGH
) -> pd.DataFrame:
    """One label per neuron: its most extreme significant behaviour, else the one nearest to a bound.

    A percentile of 50 or more is called "up", else "down". Of equal ones the first in the order of ``labels`` wins,
    and a neuron without any percentile gets None.

    Parameters
    ----------
    percentile : array_like, shape (n_neurons, n_labels)
        Percentiles; NaN where missing.
    labels : sequence of str
        Columns.
    signs : array_like, shape (n_neurons, n_labels), optional
        Which are significant (not 0); by default those at ``high`` and above or ``low`` and below.

    Returns
    -------
    DataFrame
        ``label``, ``direction`` ("up" or "down"), ``significant``, ``percentile``; one row per neuron.

    Examples
    --------
    >>> best_label([[97, 1, 50], [60, 90, 20]], ["a", "b", "c"]).values.tolist()
    [['b', 'down', True, 1.0], ['b', 'up', False, 90.0]]
    """
    values = np.array(percentile, float, ndmin=2)
    signs = percentile_signs(values, low, high) if signs is None else np.asarray(signs, float)
    if values.shape[1] != len(labels) or signs.shape != values.shape:
        raise ValueError(f"percentile {values.shape} and signs {signs.shape} must be (n_neurons, {len(labels)})")
    known = np.isfinite(values) & np.isfinite(signs)
    passes = known & (signs != 0)
    extreme = np.where(passes, np.abs(values - 50), -1.0)
    near = np.where(known, -np.minimum(np.abs(values - low), np.abs(values - high)), -np.inf)
    some = passes.any(axis=1)
    column = np.where(some, extreme.argmax(axis=1), near.argmax(axis=1))
    best = values[np.arange(len(values)), column]
    shown = known.any(axis=1)
    name = [labels[c] if ok else None for c, ok in zip(column, shown, strict=True)]
    way = [("up" if v >= 50 else "down") if ok else None for v, ok in zip(best, shown, strict=True)]
    columns = {"label": name, "direction": way}
    table = {key: pd.Series(value, dtype=object) for key, value in columns.items()}
    return pd.DataFrame(table | {"significant": some, "percentile": np.where(shown, best, np.nan)})


def multi_label(signs: np.ndarray, labels: Sequence[str]) -> list[list[tuple[str, str]]]:
    """All significant behaviours of each neuron, as (label, "up" or "down"), in the order of ``labels``.

    Examples
    --------
    >>> multi_label([[1, 0, -1], [0, 0, float("nan")]], ["a", "b", "c"])
    [[('a', 'up'), ('c', 'down')], []]
    """
    way = {1.0: "up", -1.0: "down"}
    rows = np.asarray(signs, float)
    return [[(name, way[s]) for name, s in zip(labels, row, strict=True) if s in way] for row in rows]


def labels_per_neuron(vectors: np.ndarray) -> pd.DataFrame:
    """How many neurons have 0, 1, ... 4 behaviours up, down, and either way.

    Parameters
    ----------
    vectors : array_like, shape (n_neurons, 8)
        Category vectors; absent neurons (all NaN) are left out, other NaN count as no label.

    Returns
    -------
    DataFrame
        Rows 0 to 4; columns ``up``, ``down`` and ``any`` (behaviours with a label, up or down).
    """
    v = _present(vectors) > 0
    up, down = v[:, :4], v[:, 4:]
    counts = {"up": up.sum(1), "down": down.sum(1), "any": (up | down).sum(1)}
    table = {name: np.bincount(n, minlength=5) for name, n in counts.items()}
    return pd.DataFrame(table, index=pd.RangeIndex(5, name="behaviours"))


def _present(vectors: np.ndarray) -> np.ndarray:
    vectors = np.array(vectors, float, ndmin=2)
    if vectors.shape[1] != len(CATEGORIES):
        raise ValueError(f"vectors has shape {vectors.shape}: it must be (n_neurons, 8)")
    return vectors[~np.isnan(vectors).all(axis=1)]


def fractions(vectors: np.ndarray, level: float = 0.95) -> pd.DataFrame:
    """Fractions of neurons with a label, overall and per behaviour, with Wilson's interval over neurons.

    Parameters
    ----------
    vectors : array_like, shape (n_neurons, 8)
        Category vectors of one session (or of several pooled).
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    DataFrame
        ``behaviour`` ("any" or a group), ``kind`` ("up": at least one, "down", "both", "none"; of a group "up" and
        "down" only), ``count``, ``n`` (neurons with an answer), ``fraction``, ``low``, ``high``.

    Examples
    --------
    >>> table = fractions(np.eye(8)[[0, 0, 4, 1]])
    >>> table.set_index(["behaviour", "kind"]).fraction[[("any", "up"), ("any", "none"), ("sequence", "down")]].tolist()
    [0.75, 0.0, 0.25]
    """
    from statsmodels.stats.proportion import proportion_confint

    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    present = _present(vectors)
    up, down = (present[:, :4] > 0).any(1), (present[:, 4:] > 0).any(1)
    kinds = {"up": up, "down": down, "both": up & down, "none": ~up & ~down}
    rows = [("any", kind, int(which.sum()), len(present)) for kind, which in kinds.items()]
    for k, name in enumerate(CATEGORIES):
        known = present[~np.isnan(present[:, k]), k]
        rows.append((*name.rsplit(" ", 1), int((known > 0).sum()), len(known)))
    table = pd.DataFrame(rows, columns=["behaviour", "kind", "count", "n"])
    n = table["n"].replace(0, np.nan)
    low, high = proportion_confint(table["count"], n, 1 - level, method="wilson")
    return table.assign(fraction=table["count"] / n, low=low, high=high)


def pathway_fractions(
    sessions: Mapping[tuple[str, str, int], np.ndarray], unit: str = "neuron", level: float = 0.95
) -> pd.DataFrame:
    """Fractions by pathway and session.

    Parameters
    ----------
    sessions : mapping of (pathway, mouse, session) to ndarray, shape (n_neurons, 8)
        Category vectors.
    unit : {"neuron", "mouse"}
        Neurons of all mice pooled, with Wilson's interval (neurons taken as independent, which those of one mouse are
        not); or the mean of the mice's fractions, with Student's t interval over mice, NaN for fewer than three.
    level : float
        Coverage.

    Returns
    -------
    DataFrame
        As :func:`fractions`, with ``pathway``, ``session``, ``n_mice`` and ``unit``; ``low`` and ``high`` are within
        [0, 1].
    """
    from scipy.stats import t

    check_choice("unit", unit, ("neuron", "mouse"))
    if not sessions:
        raise ValueError("sessions is empty: it must hold at least one (pathway, mouse, session)")
    tables = []
    for pathway, number in sorted({(p, s) for p, _, s in sessions}):
        parts = [np.asarray(v, float) for (p, _, s), v in sessions.items() if (p, s) == (pathway, number)]
        table = fractions(np.concatenate(parts), level)
        if unit == "mouse":
            each = np.stack([fractions(part, level)["fraction"].to_numpy(float) for part in parts])
            n = np.isfinite(each).sum(0)
            mean = np.divide(np.nansum(each, 0), n, out=np.full(n.shape, np.nan), where=n > 0)
            variance = np.nansum((each - mean) ** 2, 0) / np.maximum(n - 1, 1)
            quantile = t.ppf((1 + level) / 2, np.maximum(n - 1, 1))
            half = np.where(n >= 3, quantile * np.sqrt(variance / np.maximum(n, 1)), np.nan)
            table = table.assign(fraction=mean, low=np.clip(mean - half, 0, 1), high=np.clip(mean + half, 0, 1))
        tables.append(table.assign(pathway=pathway, session=number, n_mice=len(parts), unit=unit))
    return pd.concat(tables, ignore_index=True)
