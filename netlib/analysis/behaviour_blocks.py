"""Running and pupil around surprise: one difference for each stretch of expected and unexpected sequences.

Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figure 8.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.event_responses import Summary, check_trials, summarise
from netlib.analysis.permutation import PermutationResult, compare_samples

__all__ = ["block_differences", "block_test", "run_numbers"]


def run_numbers(*keys: ArrayLike) -> np.ndarray:
    """Number of the run of equal values that each trial belongs to, from 0.

    Parameters
    ----------
    *keys : array_like, shape (trials,)
        A run ends where any of them changes.

    Examples
    --------
    >>> run_numbers([0, 0, 1, 1, 0]).tolist(), run_numbers([0, 0, 0], ["a", "b", "b"]).tolist()
    ([0, 0, 1, 1, 2], [0, 1, 1])
    """
    columns = [np.asarray(key) for key in keys]
    if not columns or any(c.ndim != 1 or c.shape != columns[0].shape or c.size == 0 for c in columns):
        raise ValueError(f"keys have shapes {[c.shape for c in columns]}: they must be equal and (trials,), not empty")
    change = np.zeros(len(columns[0]), bool)
    for column in columns:
        change[1:] |= column[1:] != column[:-1]
    return np.cumsum(change)


def block_differences(values: ArrayLike, unexpected: ArrayLike, part: ArrayLike | None = None) -> pd.DataFrame:
    """Mean over unexpected minus mean over expected sequences, for each block.

    A block is a run of consecutive expected sequences and the unexpected run that follows. Expected sequences that no
    unexpected ones follow, and unexpected ones that no expected ones precede, belong to no block.

    Parameters
    ----------
    values : array_like, shape (trials,) or (trials, time)
        Running (cm/s) or pupil (mm) at each sequence, in order of time. Windows are averaged over time. NaN is left
        out.
    unexpected : array_like of bool, shape (trials,)
        Which sequences are unexpected.
    part : array_like, shape (trials,), optional
        Part of the session (such as the main direction of flow); no block crosses from one to another.

    Returns
    -------
    DataFrame, one row per block
        ``first_trial``, ``n_expected`` and ``n_unexpected`` (numbers that are not NaN), ``expected``, ``unexpected``
        and ``difference``. The means are NaN in a block without a number on one side.

    Examples
    --------
    >>> block_differences([1.0, 2, 3, 9, 1], [0, 0, 1, 1, 0])[["n_expected", "difference"]].values.tolist()
    [[2.0, 4.5]]
    """
    values = np.asarray(values, dtype=float)
    if values.ndim not in (1, 2) or values.size == 0:
        raise ValueError(f"values has shape {values.shape}: it must be (trials,) or (trials, time)")
    known = np.isfinite(values)
    if values.ndim == 2:
        with np.errstate(invalid="ignore"):
            values = np.where(known, values, 0.0).sum(1) / known.sum(1)
    unexpected = check_trials("unexpected", unexpected, len(values))
    part = np.zeros(len(values)) if part is None else np.asarray(part)
    runs = run_numbers(part, unexpected)
    starts = np.flatnonzero(np.r_[True, np.diff(runs) > 0])
    rows = []
    for k in range(len(starts) - 1):
        a, b = starts[k], starts[k + 1]
        c = starts[k + 2] if k + 2 < len(starts) else len(values)
        if unexpected[a] or part[a] != part[b]:
            continue
        before, after = (x[np.isfinite(x)] for x in (values[a:b], values[b:c]))
        left, right = (x.mean() if x.size else np.nan for x in (before, after))
        rows.append((a, before.size, after.size, left, right, right - left))
    columns = ["first_trial", "n_expected", "n_unexpected", "expected", "unexpected", "difference"]
    if not rows:
        raise ValueError("unexpected holds no expected run followed by an unexpected one: there is no block")
    return pd.DataFrame(rows, columns=columns)


def block_test(
    blocks: pd.DataFrame, *, n_permutations: int = 10_000, seed: int = 905, alpha: float = 0.05, multcomp: int = 1
) -> tuple[Summary, PermutationResult]:
    """Mean difference over blocks and its paired test: the two sides of each block are swapped or not.

    Parameters
    ----------
    blocks : DataFrame
        Of :func:`block_differences`; those of several sessions may be stacked (``pandas.concat``). Blocks with a NaN
        are left out.
    n_permutations, seed, alpha, multcomp
        As in :func:`netlib.analysis.permutation.compare_samples`; two-tailed. The paper: 10,000, not corrected.

    Returns
    -------
    summary : Summary
        Mean, standard error (ddof 1) and number of blocks.
    test : PermutationResult
    """
    sides = blocks[["expected", "unexpected"]].dropna().to_numpy(float)
    if not len(sides):
        raise ValueError("blocks holds no block with a number on both sides")
    test = compare_samples(
        sides[:, 0], sides[:, 1], paired=True, n_permutations=n_permutations, seed=seed, alpha=alpha, multcomp=multcomp
    )
    return summarise(sides[:, 1] - sides[:, 0]), test
