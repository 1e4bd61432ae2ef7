"""Do sources agree? The same neurons tested on discrete events, on inferred counts and on traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.resampling import correlation
from netlib.recordings.operant.behaviour_segments import GROUP_OF
from netlib.seeds import stream
from netlib.units import check_integer

__all__ = ["agreement", "cohen_kappa", "confusion", "intraclass_correlation", "sign_agreement"]

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
