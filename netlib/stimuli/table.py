"""The table of a protocol: its columns, their checks, and stimuli built again from its rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from netlib.stimuli.base import Stimulus
from netlib.units import check_array, check_orientation, check_type

__all__ = ["COLUMNS", "checked", "numeric", "rebuild", "refuse_overlap"]

#: Columns of every protocol table, with the value a plain table gets where it says nothing.
COLUMNS = {
    "onset": None,
    "duration": None,
    "stimulus": "unknown",
    "trial": 0,
    "orientation": np.nan,
    "B_theta": np.nan,
    "contrast": 1.0,
    "direction": np.nan,
    "seed": np.nan,
}


def numeric(table: pd.DataFrame) -> pd.DataFrame:
    """Table with numbers wherever a column holds only numbers, be they written as text.

    Examples
    --------
    >>> numeric(pd.DataFrame({"onset": ["0", "500"], "stimulus": ["Grating", "Blank"]}))["onset"].tolist()
    [0, 500]
    """
    check_type("table", table, pd.DataFrame)
    table = table.copy()
    for column in table.columns:
        values = table[column].astype(object)
        values = values.where(~values.isin(["nan", "NaN", ""]), np.nan)
        try:
            table[column] = pd.to_numeric(values)
        except (ValueError, TypeError):
            table[column] = values
    return table


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Table with all common columns first, its values checked and its orientations wrapped.

    Examples
    --------
    >>> table = checked(pd.DataFrame({"onset": [0, 500], "duration": 300, "orientation": [190, 45]}))
    >>> table["orientation"].tolist(), table["contrast"].tolist()
    ([10.0, 45.0], [1.0, 1.0])
    """
    check_type("table", table, pd.DataFrame)
    if table.empty:
        raise ValueError("table is empty: a protocol must hold at least one presentation")
    missing = [name for name in ("onset", "duration") if name not in table.columns]
    if missing:
        raise ValueError(f"table lacks the columns {missing}: a presentation needs an onset and a duration (ms)")
    table = table.reset_index(drop=True).copy()
    for name, default in COLUMNS.items():
        if name not in table.columns:
            table[name] = default
    table = table[[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)]]
    for name in COLUMNS:
        if name not in ("stimulus", "trial"):
            table[name] = table[name].astype(float)
    check_array("onset", table["onset"], "ms", 0)
    durations = check_array("duration", table["duration"], "ms", 0)
    check_array("contrast", table["contrast"], "", 0, 1)
    if (table["B_theta"] < 0).any():
        raise ValueError(f"B_theta = {table['B_theta'].min():g} deg is out of range: it must be in [0, inf] deg")
    table["trial"] = check_array("trial", table["trial"], "", 0).astype(int)
    if (durations == 0).any():
        raise ValueError(f"duration[{int(np.argmin(durations))}] = 0 ms is out of range: it must be in (0, inf) ms")
    table["orientation"] = [
        angle if np.isnan(angle) else check_orientation(f"orientation[{i}]", angle)
        for i, angle in enumerate(table["orientation"])
    ]
    return table


def refuse_overlap(table: pd.DataFrame) -> None:
    """Raise a ValueError if two presentations of a sorted table overlap.

    Examples
    --------
    >>> refuse_overlap(pd.DataFrame({"onset": [0.0, 200.0], "duration": [300.0, 300.0]}))
    Traceback (most recent call last):
    ...
    ValueError: presentations 0 and 1 overlap: one ends at 300 ms, the next starts at 200 ms
    """
    onset = table["onset"].to_numpy()
    end = onset + table["duration"].to_numpy()
    overlap = onset[1:] < end[:-1] - 1e-6
    if overlap.any():
        i = int(np.argmax(overlap))
        raise ValueError(
            f"presentations {i} and {i + 1} overlap: one ends at {end[i]:g} ms, the next starts at {onset[i + 1]:g} ms"
        )


def rebuild(table: pd.DataFrame) -> tuple[Stimulus, ...]:
    """Stimuli of a table, or () if one of them is of an unknown class or lacks a parameter.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus": ["DenseNoise"], "check": 2, "hold": 10.0, "contrast": 1.0, "seed": 3})
    >>> rebuild(table), rebuild(table.drop(columns="hold"))
    ((DenseNoise(check=2, hold=10.0, contrast=1.0, seed=3),), ())
    """
    import netlib.stimuli as room

    stimuli: list[Stimulus] = []
    for row in table.to_dict("records"):
        kind = getattr(room, str(row["stimulus"]), None)
        if not (isinstance(kind, type) and issubclass(kind, Stimulus) and kind is not Stimulus):
            return ()
        names = [f.name for f in dataclasses.fields(kind)]
        if any(name not in row or pd.isna(row[name]) for name in names):
            return ()
        stimuli.append(kind(**{name: row[name] for name in names}))
    return tuple(stimuli)
