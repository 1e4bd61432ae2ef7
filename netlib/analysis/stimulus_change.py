"""How much responses to two stimuli changed between sessions, and whether one changed more.

Published analysis: Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023, Fig. 7B and E.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.permutation import permutation_result
from netlib.analysis.resampling import blocks, generator
from netlib.units import check_array, check_choice, check_integer

__all__ = ["StimulusPair", "change", "stimulus_change"]


class StimulusPair(NamedTuple):
    """Values of the ROIs of one group (n_first,) and (n_last,): two stimuli in the first and in the last session.

    Within a session the two stimuli have the same ROIs in the same order.
    """

    gabors_first: ArrayLike
    gabors_last: ArrayLike
    visflow_first: ArrayLike
    visflow_last: ArrayLike


def change(first: ArrayLike, last: ArrayLike, measure: str = "relative") -> np.ndarray | float:
    """Change of a mean from first to last session.

    Parameters
    ----------
    first, last : array_like
        Group means.
    measure : {"relative", "log"}
        "relative", as published: F = abs((last - first) / first). It grows without bound as the first mean nears 0,
        and a halving (0.5) counts less than a doubling (1). "log": abs(log(last / first)), of positive means, has
        neither fault.

    Examples
    --------
    >>> float(change(2.0, 1.0)), float(change(1.0, 2.0))
    (0.5, 1.0)
    """
    first, last = np.asarray(first, float), np.asarray(last, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if check_choice("measure", measure, ("relative", "log")) == "log":
            return np.abs(np.log(last / first))
        return np.abs((last - first) / first)


def stimulus_change(
    groups: Mapping[str, StimulusPair],
    *,
    tracked: bool = True,
    measure: str = "relative",
    n_permutations: int = 10_000,
    n_resamples: int = 10_000,
    seed: int = 0,
    tails: int | str = 2,
    alpha: float = 0.05,
    multcomp: int | None = None,
) -> pd.DataFrame:
    """Change of each stimulus between sessions in each group, and a test of visual flow minus Gabors.

    The test swaps the two stimuli of a ROI within a session, each ROI and session by itself. Row "all" is the mean
    over groups, of the changes, of each permutation and of each resample.

    Parameters
    ----------
    groups : mapping of str to StimulusPair
        Values (absolute indices, or relative responses) of each group.
    tracked : bool
        Both sessions have the same ROIs: resample them together.
    measure : {"relative", "log"}
        As in :func:`change`.
    n_permutations, n_resamples : int
        Size of the null and of the bootstrap.
    seed : int
        Master seed.
    tails, alpha : {2, "hi", "lo"}, float
        As in :func:`netlib.analysis.permutation.permutation_result`.
    multcomp : int, optional
        Comparisons; one per row unless told.

    Returns
    -------
    DataFrame, one row per group and "all"
        ``gabors``, ``gabors_std``, ``visflow``, ``visflow_std``, ``difference`` (visual flow minus Gabors),
        ``raw_p``, ``p``, ``p_exact``, ``null_low``, ``null_median``, ``null_high``.

    Raises
    ------
    ValueError
        If stimuli differ in their ROIs, or a change is not finite (first mean 0; a mean below 0 with "log").
    """
    if not groups or "all" in groups:
        raise ValueError(f"groups = {list(groups)}: there must be at least one, and none called 'all'")
    n_permutations = check_integer("n_permutations", n_permutations, 1)
    n_resamples = check_integer("n_resamples", n_resamples, 2)
    parts = {}
    for name, pair in groups.items():
        first, last = _session(f"{name} first", pair[0], pair[2]), _session(f"{name} last", pair[1], pair[3])
        value = change(first.mean(axis=1), last.mean(axis=1), measure)
        if not np.isfinite(value).all():
            raise ValueError(
                f"{name}: means of Gabors and visual flow {first.mean(axis=1)} in the first session, "
                f"{last.mean(axis=1)} in the last, have no {measure} change"
            )
        rng = generator(seed, "stimulus change", name)
        null = change(_swapped(first, n_permutations, rng), _swapped(last, n_permutations, rng), measure)
        resampled = change(*_resampled(first, last, tracked, n_resamples, rng), measure)
        parts[name] = value, null[:, 1] - null[:, 0], resampled
    parts["all"] = tuple(np.mean([part[i] for part in parts.values()], axis=0) for i in range(3))
    multcomp = multcomp or len(parts)
    rows = []
    for name, (value, null, resampled) in parts.items():
        test = permutation_result(value[1] - value[0], null, tails=tails, alpha=alpha, multcomp=multcomp)
        std = np.nanstd(resampled, axis=0)
        row = {"group": name, "gabors": value[0], "gabors_std": std[0], "visflow": value[1], "visflow_std": std[1]}
        row |= {"difference": test.value, "raw_p": test.raw_p, "p": test.p, "p_exact": test.p_exact}
        rows.append(row | dict(zip(("null_low", "null_median", "null_high"), test.null_ci, strict=True)))
    return pd.DataFrame(rows).set_index("group")


def _session(name: str, gabors: ArrayLike, visflow: ArrayLike) -> np.ndarray:
    """Both stimuli of a session, shape (2, rois)."""
    gabors = check_array(f"{name} Gabors", gabors, ndim=1)
    visflow = check_array(f"{name} visual flow", visflow, ndim=1)
    if len(gabors) != len(visflow):
        raise ValueError(
            f"{name}: {len(gabors)} ROIs with Gabors, {len(visflow)} with visual flow: they must be the same"
        )
    return np.stack([gabors, visflow])


def _swapped(session: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Means of both stimuli, shape (n, 2), when each ROI's stimuli are swapped or not."""
    n_rois = session.shape[1]
    moved = np.empty(n)
    for rows in blocks(n, n_rois):
        swap = rng.integers(0, 2, (rows.stop - rows.start, n_rois), dtype=np.uint8)
        moved[rows] = swap.astype(float) @ (session[1] - session[0]) / n_rois
    return session.mean(axis=1) + np.column_stack([moved, -moved])


def _resampled(
    first: np.ndarray, last: np.ndarray, tracked: bool, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Means of both stimuli over ROIs drawn with replacement, (n, 2) for each session."""
    if tracked and first.shape != last.shape:
        raise ValueError(
            f"the first session has {first.shape[1]} ROIs and the last {last.shape[1]}: tracked ROIs are the same; "
            "use tracked = False"
        )
    a, b = np.empty((n, 2)), np.empty((n, 2))
    for rows in blocks(n, first.shape[1] + last.shape[1]):
        k = rows.stop - rows.start
        index = rng.integers(0, first.shape[1], (k, first.shape[1]))
        a[rows] = first[:, index].mean(axis=-1).T
        b[rows] = last[:, index if tracked else rng.integers(0, last.shape[1], (k, last.shape[1]))].mean(axis=-1).T
    return a, b
