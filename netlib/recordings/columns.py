"""Columns of a table as plain arrays of numbers or text, for file formats that hold nothing else, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["decode_columns", "encode_columns"]


def encode_columns(table: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays of numbers, booleans or text, one per column, and the kind of each.

    Parameters
    ----------
    table : DataFrame
        Any table whose column names are text.

    Returns
    -------
    arrays : dict of ndarray
        Numbers and booleans as they are; text as an object array of ``str``; anything else (lists, missing
        text) as text in JSON.
    kinds : dict of str
        ``"number"``, ``"text"`` or ``"json"``: what :func:`decode_columns` needs.

    Examples
    --------
    >>> arrays, kinds = encode_columns(pd.DataFrame({"a": [1, 2], "b": ["x", None]}))
    >>> kinds, arrays["b"].tolist()
    ({'a': 'number', 'b': 'json'}, ['"x"', 'null'])
    """
    arrays, kinds = {}, {}
    for column in table.columns:
        values = table[column].to_numpy()
        if values.dtype.kind in "biuf":
            kind = "number"
        elif all(isinstance(value, str) for value in values):
            kind, values = "text", values.astype(object)
        else:
            kind, values = "json", np.array([json.dumps(_plain(value)) for value in values], dtype=object)
        arrays[str(column)], kinds[str(column)] = values, kind
    return arrays, kinds


def decode_columns(arrays: Mapping[str, Any], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Table of which :func:`encode_columns` made these arrays."""
    table = {}
    for name, kind in kinds.items():
        values = np.asarray(arrays[name])
        if kind != "number":
            values = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
        table[name] = [json.loads(value) for value in values] if kind == "json" else values
    return pd.DataFrame(table)


def _plain(value: Any) -> Any:
    """What JSON can hold; NaN and missing values both become null."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value if isinstance(value, (str, int, float, bool)) else str(value)
