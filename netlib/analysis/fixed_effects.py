"""Fixed effects of a tidy table: terms such as "behaviour:cluster", their columns, and designs of full rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from netlib.units import check_choice, check_integer

__all__ = ["Design", "clean_table", "expand_terms", "make_design", "marginal_terms"]

INTERCEPT = "1"


def expand_terms(terms: str | Sequence[str], order: int = 2) -> tuple[str, ...]:
    """Terms of a model: "a * b" stands for a, b and a:b, up to ``order`` factors in one term.

    Examples
    --------
    >>> expand_terms("behaviour * cluster + day")
    ('behaviour', 'cluster', 'day', 'behaviour:cluster')
    """
    order = check_integer("order", order, 1)
    pieces = [p.strip() for p in terms.split("+")] if isinstance(terms, str) else list(terms)
    found = set()
    for piece in pieces:
        factors = [f.strip() for f in piece.split("*")]
        if len(factors) == 1:
            found.add(tuple(f.strip() for f in piece.split(":")))
            continue
        for size in range(1, min(order, len(factors)) + 1):
            found.update(combinations(factors, size))
    names = list(dict.fromkeys(f.strip() for piece in pieces for f in piece.replace("*", ":").split(":")))
    if "" in names:
        raise ValueError(f"terms = {terms!r} has an empty term: it must be such as 'behaviour * cluster + day'")
    tidy = {tuple(sorted(set(t), key=names.index)) for t in found}
    return tuple(":".join(t) for t in sorted(tidy, key=lambda t: (len(t), [names.index(f) for f in t])))


def marginal_terms(terms: Sequence[str], term: str) -> tuple[str, ...]:
    """Terms that a test of ``term`` keeps beside it: all that do not contain it (tests of type II).

    Examples
    --------
    >>> marginal_terms(("a", "b", "c", "a:b"), "a")
    ('b', 'c')
    """
    own = set(term.split(":"))
    return tuple(t for t in terms if not own <= set(t.split(":")))


@dataclass(frozen=True)
class Design:
    """Design of full rank: ``x`` (n, p), ``names`` of its columns, ``term`` of each column."""

    x: np.ndarray
    names: tuple[str, ...]
    term: tuple[str, ...]


def make_design(frame: pd.DataFrame, terms: Sequence[str], linear: Sequence[str] = ()) -> Design:
    """Columns of the intercept and the terms, against the first level of each factor; dependent ones left out.

    Parameters
    ----------
    frame : DataFrame
    terms : sequence of str
        As :func:`expand_terms` gives them; a term's columns are kept as far as those before do not hold them.
    linear : sequence of str
        Columns taken as numbers (centred), not as categories.

    Raises
    ------
    ValueError
        If a column is unknown.
    """
    columns, names, term_of = [np.ones(len(frame))], [INTERCEPT], [INTERCEPT]
    parts = {}
    for factor in dict.fromkeys(f for t in terms for f in t.split(":")):
        check_choice("terms", factor, [str(c) for c in frame.columns])
        values = frame[factor]
        if factor in linear:
            number = values.to_numpy(float)
            parts[factor] = [(factor, number - number.mean())]
        else:
            levels = sorted(values.unique())
            parts[factor] = [(f"{factor}[{v}]", (values == v).to_numpy(float)) for v in levels[1:]]
    for term in terms:
        products = [("", np.ones(len(frame)))]
        for factor in term.split(":"):
            products = [(f"{a}:{b}" if a else b, x * y) for a, x in products for b, y in parts[factor]]
        names += [name for name, _ in products]
        columns += [x for _, x in products]
        term_of += [term] * len(products)
    x = np.column_stack(columns)
    keep = _independent(x.T @ x)
    return Design(x[:, keep], tuple(np.array(names, object)[keep]), tuple(np.array(term_of, object)[keep]))


def _independent(gram: np.ndarray, tolerance: float = 1e-9) -> np.ndarray:
    """Which columns are not combinations of those before them, by elimination on their cross products."""
    left, scale = gram.astype(float).copy(), np.maximum(np.diag(gram), 1e-300)
    keep = np.zeros(len(gram), bool)
    for j in range(len(gram)):
        if left[j, j] > tolerance * scale[j]:
            keep[j] = True
            left -= np.outer(left[:, j], left[j]) / left[j, j]
    return keep


def clean_table(
    table: pd.DataFrame, terms: Sequence[str], value: str, transform: str, levels: tuple[str, ...]
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Rows with a value (and a cluster, if it is a term), the values transformed, and how many rows were dropped.

    Raises
    ------
    ValueError
        If a column is missing, fewer than 10 rows are left, or the values are all the same.
    """
    factors = {f for t in terms for f in t.split(":")}
    for name in (*sorted(factors), value, *levels, "mouse", "neuron"):
        check_choice("column", name, [str(c) for c in table.columns])
    check_choice("transform", transform, ("none", "log1p"))
    keep = np.isfinite(table[value].to_numpy(float))
    if "cluster" in factors:
        keep &= (table["cluster"] != -1).to_numpy()
    frame = table[keep].reset_index(drop=True)
    if len(frame) < 10:
        raise ValueError(f"table: {len(frame)} rows have a {value} (and a cluster): a model needs at least 10")
    y = frame[value].to_numpy(float)
    if transform == "log1p":
        if y.min() < 0:
            raise ValueError(f"{value} falls to {y.min():g}: log1p is for rates of 0 or more")
        y = np.log1p(y)
    if np.ptp(y) == 0:
        raise ValueError(f"{value} is {y[0]:g} in all rows: there is nothing to explain")
    return frame, y, int(len(table) - len(frame))
