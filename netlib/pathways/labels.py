"""From tests to labels: category vectors, one label per neuron, how many neurons of each kind; agreement of sources.

A category vector has eight columns: sequence, zones, food, explo activated, then the same four inactivated.

A test by shifts compares a behaviour with the whole session. A neuron that is activated in one long behaviour is then
"inactivated" in all others, and the other way round, though its rate there is what it always is. Against the median of
the other behaviours (:func:`contrast`) such shadows vanish: of four rates, one that stands out moves no median.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.pathways.behaviour import GROUP_OF, GROUPS
from netlib.pathways.clusters import CATEGORIES
from netlib.pathways.modulation import HIGH, LOW, Modulation, Percentiles, percentile_signs
from netlib.pathways.registration import check_registration, pick
from netlib.statistics.resampling import correlation

__all__ = [
    "agreement",
    "best_label",
    "categories",
    "category_matrix",
    "cohen_kappa",
    "confusion",
    "contrast",
    "fractions",
    "intraclass_correlation",
    "labels_per_neuron",
    "leading_signs",
    "pathway_fractions",
    "sign_agreement",
    "standing_out",
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
        As for :meth:`~netlib.pathways.modulation.Modulation.signs`; percentiles have bounds of 5 and 95 instead.

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


# ---------------------------------------------------------------- agreement of sources


SIGNS = (1, 0, -1)
SIGN_NAMES = ("up", "none", "down")


def intraclass_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """ICC(2,1): agreement of two raters, differences of their means counting against it.

    Shrout & Fleiss 1979, Psychol Bull 86:420: (MSR - MSE) / (MSR + MSE + 2 (MSC - MSE) / n) for two raters of n.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Ratings; pairs with a NaN are left out.

    Examples
    --------
    >>> intraclass_correlation([1, 2, 3, 4], [1, 2, 3, 4])
    1.0
    >>> round(intraclass_correlation([1, 2, 3, 4], [3, 4, 5, 6]), 3)
    0.455
    """
    pairs = _pairs(x, y)
    n = len(pairs)
    if n < 2:
        return float("nan")
    grand = pairs.mean()
    rows, columns = pairs.mean(axis=1), pairs.mean(axis=0)
    between = 2 * ((rows - grand) ** 2).sum() / (n - 1)
    raters = n * ((columns - grand) ** 2).sum()
    error = ((pairs - rows[:, None] - columns + grand) ** 2).sum() / (n - 1)
    bottom = between + error + 2 * (raters - error) / n
    return float((between - error) / bottom) if bottom > 0 else float("nan")


def _pairs(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    x, y = np.asarray(x, float).ravel(), np.asarray(y, float).ravel()
    if x.shape != y.shape:
        raise ValueError(f"x has {x.size} values and y {y.size}: they must be of the same neurons")
    both = np.isfinite(x) & np.isfinite(y)
    return np.stack([x[both], y[both]], axis=1)


def confusion(a: ArrayLike, b: ArrayLike) -> pd.DataFrame:
    """How often source a says up, none, down (rows) where b says so (columns); pairs with a NaN are left out.

    Examples
    --------
    >>> confusion([1, 1, 0, -1], [1, 0, 0, float("nan")]).values.tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    pairs = _pairs(a, b)
    if not np.isin(pairs, SIGNS).all():
        raise ValueError(f"labels hold {sorted(set(pairs.ravel()) - set(SIGNS))}: they must be 1, 0, -1 or NaN")
    counts = np.zeros((3, 3), np.int64)
    np.add.at(counts, tuple((1 - pairs).astype(int).T), 1)
    return pd.DataFrame(counts, SIGN_NAMES, SIGN_NAMES)


def cohen_kappa(counts: pd.DataFrame | np.ndarray) -> float:
    """Cohen's kappa of a square table: agreement above that of chance, given how often each says what.

    NaN where both say only one thing.

    Examples
    --------
    >>> round(cohen_kappa([[20, 5], [10, 15]]), 9)
    0.4
    """
    counts = np.asarray(counts, float)
    total = counts.sum()
    if total == 0:
        return float("nan")
    chance = (counts.sum(0) @ counts.sum(1)) / total**2
    return float((np.trace(counts) / total - chance) / (1 - chance)) if chance < 1 else float("nan")


def agreement(
    sources: Mapping[str, np.ndarray],
    labels: Sequence[str],
    *,
    grouped: bool = True,
    n_permutations: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlate every two sources, behaviour by behaviour, in one session.

    Behaviours of one group (zone 1 and zone 2, ...) are put one after the other, as published. The null deals the
    neurons of the second source anew, whole rows at a time, so that what a neuron's behaviours have in common stays;
    every behaviour has its own (the published control of "explo" was that of the zones).

    Parameters
    ----------
    sources : mapping of str to ndarray, shape (n_neurons, n_labels)
        Percentiles or effects of the same neurons; NaN where missing.
    labels : sequence of str
        Columns.
    grouped : bool
        By the four groups; else by label.
    n_permutations : int
        Orders of neurons.
    seed : int
        Master seed.

    Returns
    -------
    DataFrame
        ``a``, ``b``, ``behaviour`` (groups, and "all" columns), ``n`` (pairs), ``pearson``, its two-sided ``p``
        (1 + #) / (1 + N) and ``null_sd``, ``spearman``, ``icc``.
    """
    n_permutations = check_integer("n_permutations", n_permutations, 20)
    arrays = {name: np.asarray(values, float) for name, values in sources.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(arrays) < 2 or len(shapes) > 1 or next(iter(shapes))[1:] != (len(labels),):
        raise ValueError(f"sources have shapes {sorted(shapes)}: two or more of (n_neurons, {len(labels)}) are needed")
    group = np.array([GROUP_OF.get(label, label) if grouped else label for label in labels], object)
    columns = {name: np.flatnonzero(group == name) for name in dict.fromkeys(group)}
    columns["all"] = np.arange(len(labels))
    rows = []
    for a, b in combinations(arrays, 2):
        for name, which in columns.items():
            x, y = arrays[a][:, which], arrays[b][:, which]
            rng = stream(seed, "agreement", a, b, name)
            rows.append({"a": a, "b": b, "behaviour": name} | _compared(x, y, n_permutations, rng))
    return pd.DataFrame(rows)


def _compared(x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> dict[str, float]:
    from scipy.stats import rankdata

    # Neurons without any answer are out; a column that one source lacks for the rest is too.
    column = np.isfinite(x).any(0) & np.isfinite(y).any(0)
    x, y = x[:, column], y[:, column]
    row = np.isfinite(x).all(1) & np.isfinite(y).all(1)
    x, y = x[row], y[row]
    if len(x) < 3 or not x.size:
        return {"n": x.size, **dict.fromkeys(("pearson", "p", "null_sd", "spearman", "icc"), np.nan)}
    r = float(correlation(x.ravel(), y.ravel()))
    order = rng.permuted(np.tile(np.arange(len(y)), (n, 1)), axis=1)
    null = correlation(x.ravel()[None], y[order].reshape(n, -1))
    p = (1 + (np.abs(null) >= abs(r) - 1e-12).sum()) / (1 + n) if np.isfinite(r) else np.nan
    ranked = correlation(rankdata(x.ravel()), rankdata(y.ravel()))
    numbers = {"pearson": r, "p": p, "null_sd": null.std(), "spearman": ranked, "icc": intraclass_correlation(x, y)}
    return {"n": x.size} | {name: float(value) for name, value in numbers.items()}


def sign_agreement(sources: Mapping[str, np.ndarray], labels: Sequence[str]) -> pd.DataFrame:
    """Agreement of labels (1, 0, -1) of every two sources, behaviour by behaviour.

    Returns
    -------
    DataFrame
        ``a``, ``b``, ``behaviour`` (labels and "all"), ``n``, ``agree`` (share), ``opposite`` (up against down,
        share) and ``kappa``.
    """
    rows = []
    for a, b in combinations(sources, 2):
        x, y = np.asarray(sources[a], float), np.asarray(sources[b], float)
        for k, name in enumerate((*labels, "all")):
            which = slice(None) if k == len(labels) else slice(k, k + 1)
            table = confusion(x[:, which], y[:, which]).to_numpy()
            n = table.sum()
            shares = (np.trace(table) / n, (table[0, 2] + table[2, 0]) / n) if n else (np.nan, np.nan)
            rows.append((a, b, name, int(n), *shares, cohen_kappa(table)))
    return pd.DataFrame(rows, columns=["a", "b", "behaviour", "n", "agree", "opposite", "kappa"])


# ---------------------------------------------------------------- contrasts of rates


#: Rate added to both sides (events per s), so that a neuron with hardly an event has no great contrast.
FLOOR = 0.05


def contrast(rates: ArrayLike, floor: float = FLOOR) -> np.ndarray:
    """Logarithm of the rate in each behaviour over the median of the rates in the others.

    Parameters
    ----------
    rates : array_like, shape (n, n_behaviours)
        Events per s; NaN for a behaviour that did not occur.
    floor : float
        Added to both.

    Examples
    --------
    >>> contrast([[4.0, 1.0, 1.0, 1.0]], floor=0.0).round(2).tolist()
    [[1.39, 0.0, 0.0, 0.0]]
    """
    rates, floor = np.array(rates, float, ndmin=2), check_number("floor", floor, "per s", 0)
    out = np.full(rates.shape, np.nan)
    for k in range(rates.shape[1]):
        others = np.delete(rates, k, axis=1)
        known = np.isfinite(others).any(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            out[known, k] = np.log((rates[known, k] + floor) / (np.nanmedian(others[known], axis=1) + floor))
    return out


def standing_out(vectors: np.ndarray, contrasts: np.ndarray, fold: float | None) -> np.ndarray:
    """Category vectors without the categories whose contrast is less than ``fold``-fold, or of the other sign.

    Parameters
    ----------
    vectors : ndarray, shape (n, 8)
        Four categories up, four down.
    contrasts : ndarray, shape (n, 4)
        Of :func:`contrast`.
    fold : float or None
        1 or more; None leaves the vectors as they are.

    Examples
    --------
    >>> standing_out(np.array([[1, 0, 0, 0, 0, 1, 0, 0.0]]), contrast([[4.0, 1.0, 1.0, 1.0]]), 1.5)[0].tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if fold is None:
        return vectors
    least = np.log(check_number("fold", fold, "", 1))
    clear = np.concatenate([contrasts >= least, -contrasts >= least], axis=1)
    return np.where(np.isnan(vectors), np.nan, vectors * clear)


def leading_signs(vectors: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """1 or -1 for each neuron, the sign of its greatest contrast among its categories; 0 without a category."""
    has = (np.nan_to_num(vectors[:, :4]) > 0) | (np.nan_to_num(vectors[:, 4:]) > 0)
    shown = np.where(has & np.isfinite(contrasts), contrasts, 0.0)
    return np.sign(shown[np.arange(len(shown)), np.abs(shown).argmax(axis=1)]).astype(int)
