"""Neurons followed across sessions: the published table counts from 1 with 0 for absent, here from 0 with -1."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netlib.recordings.operant.number_tables import read_table, write_table

__all__ = ["read_registration", "write_registration"]


def read_registration(
    path: str | os.PathLike, n_sessions: int | None = None, n_cells: Sequence[int] | None = None
) -> np.ndarray:
    """Read a table of neurons followed across sessions.

    Parameters
    ----------
    path : path
        Longitudinal_Registration: numbers from 1, 0 where the neuron was not seen.
    n_sessions : int, optional
        How many columns there must be.
    n_cells : sequence of int, optional
        How many neurons each session has.

    Returns
    -------
    ndarray of int, shape (n_registered, n_sessions)
        Local indices from 0; -1 where absent.

    Raises
    ------
    ValueError
        If a number is not whole, negative or too large, or a neuron of a session is registered twice.
    """
    table = read_table(path)
    if n_sessions is not None and table.shape[1] != n_sessions:
        raise ValueError(f"{path} has {table.shape[1]} columns: it must have one for each of {n_sessions} sessions")
    bad = ~((table >= 0) & (table == np.round(table)))
    if n_cells is not None:
        bad |= table > np.asarray(n_cells)[None, :]
    if bad.any():
        row, column = np.argwhere(bad)[0]
        most = "" if n_cells is None else f" to {n_cells[column]}, the neurons of session {column + 1}"
        raise ValueError(
            f"{path}, line {row + 1}, value {column + 1}: {table[row, column]:g} must be a whole number from 0{most}"
        )
    index = table.astype(np.int64) - 1
    for column in range(index.shape[1]):
        seen, counts = np.unique(index[index[:, column] >= 0, column], return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f"{path}, column {column + 1}: neuron {seen[counts > 1][0] + 1} is registered {counts.max()} times: "
                "a neuron of a session can be only one registered neuron"
            )
    return index


def write_registration(path: str | os.PathLike, index: np.ndarray) -> Path:
    """Write local indices (n_registered, n_sessions; -1 = absent) as numbers from 1, atomically."""
    index = np.asarray(index)
    if index.ndim != 2 or index.dtype.kind not in "iu" or (index < -1).any():
        raise ValueError(f"index has the shape {index.shape}, {index.dtype}: it must be whole numbers, -1 where absent")
    return write_table(path, index + 1)
