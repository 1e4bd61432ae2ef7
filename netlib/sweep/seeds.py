"""A function of one seed run over many seeds in parallel, and tables that say where they come from."""

from __future__ import annotations

import functools
import io
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from tqdm.auto import tqdm

from netlib.base.checks import check_integer, check_number
from netlib.base.provenance import atomic_write, jsonable, provenance
from netlib.base.workers import run_jobs

__all__ = ["load_table", "mean_interval", "over_seeds", "paired_difference", "save_table"]


def over_seeds(
    function: Callable[..., pd.DataFrame],
    seeds: Iterable[int],
    *,
    workers: int = 1,
    progress: bool | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Run ``function(seed, **settings)`` for each seed and stack the tables it returns.

    The table is the same for any number of workers: each seed is one process's business, on one thread.

    Parameters
    ----------
    function : callable
        Of a module, a script or a notebook; returns a table.
    seeds : iterable of int
        Master seeds.
    workers : int
        Processes.
    progress : bool or None
        Show a progress bar; None shows it on a terminal only.
    **settings
        Passed on.

    Returns
    -------
    DataFrame
        With a first column ``seed``; ``attrs`` hold the provenance that :func:`save_table` writes.
    """
    seeds = [check_integer("seed", seed, 0) for seed in seeds]
    if not seeds:
        raise ValueError("seeds is empty: give at least one")
    check_integer("workers", workers, 1, 1024)
    name = function.__module__.rpartition(".")[2]
    with tqdm(total=len(seeds), desc=name, unit="seed", disable=None if progress is None else not progress) as bar:
        found = run_jobs(functools.partial(function, **settings), [(seed,) for seed in seeds], workers, bar.update)
    tables = [table.assign(seed=seed) for seed, table in zip(seeds, found, strict=True)]
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[["seed", *(c for c in whole.columns if c != "seed")]]
    whole.attrs = provenance(settings, seeds[0], seeds=seeds, function=f"{function.__module__}.{function.__name__}")
    return whole


def save_table(table: pd.DataFrame, path: str | os.PathLike, digits: int = 6) -> Path:
    """Write a table as CSV whose first line, ``# {...}``, is its provenance (``table.attrs``) as JSON."""
    text = f"# {json.dumps(jsonable(table.attrs))}\n" + table.to_csv(index=False, float_format=f"%.{digits}g")
    return atomic_write(path, lambda file: file.write(text.encode()))


def load_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table written by :func:`save_table`; its provenance is in ``attrs``.

    Raises
    ------
    ValueError
        If its first line is not a provenance.
    """
    head, _, body = Path(path).read_text(encoding="utf-8").partition("\n")
    try:
        if not head.startswith("# "):
            raise ValueError("no line of provenance")
        attrs = json.loads(head[2:])
    except ValueError as error:
        raise ValueError(f"path = {str(path)!r} is not a table of netlib ({error}): make it again") from error
    table = pd.read_csv(io.StringIO(body))
    table.attrs = attrs
    return table


def mean_interval(values: Any, level: float = 0.95) -> tuple[float, float, float]:
    """Mean over seeds and its Student interval: (mean, low, high); NaN are left out.

    Examples
    --------
    >>> tuple(round(float(x), 2) for x in mean_interval([1.0, 2.0, 3.0]))
    (2.0, -0.48, 4.48)
    """
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def paired_difference(table: pd.DataFrame, value: str, condition: str, a: Any, b: Any) -> tuple[float, float, float]:
    """Mean over seeds of ``value`` in condition ``a`` minus in condition ``b``, with its 95 % interval."""
    wide = table.pivot_table(index="seed", columns=condition, values=value, aggfunc="mean")
    return mean_interval(wide[a] - wide[b])
