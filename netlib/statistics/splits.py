"""Splitting trials into those a decoder learns from and those it is tested on: at random, or by blocks of time.

Random splits put neighbours in time on both sides. Where responses drift and labels keep company with time, a decoder
then reads the time and not the stimulus; blocks with a gap between the sides prevent it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.seeds import simulator_seed, stream

__all__ = ["Split", "blocked_splits", "counts_of_unexpected", "matched_split", "random_split", "time_blocks"]

Split = tuple[np.ndarray, np.ndarray]


def random_split(labels: np.ndarray, seed: int, *names: str | int, train_fraction: float = 0.75) -> Split:
    """One random split that keeps the proportions of the classes (the published one, 75 to 25 %).

    Parameters
    ----------
    labels : ndarray, shape (trials,)
        Classes.
    seed, *names
        Stream to draw from.
    train_fraction : float
        In (0, 1).

    Returns
    -------
    train, test : ndarray of int
    """
    from sklearn.model_selection import StratifiedShuffleSplit

    labels = np.asarray(labels)
    _, counts = np.unique(labels, return_counts=True)
    test = int(np.ceil((1 - train_fraction) * len(labels)))
    if counts.min() < 2 or len(counts) < 2 or min(test, len(labels) - test) < len(counts):
        raise ValueError(
            f"labels has {len(labels)} trials of {len(counts)} classes, {counts.min()} of the rarest: a split needs "
            "2 of each of 2 classes or more, and as many test trials as classes"
        )
    number = simulator_seed(seed, "random split", *names)
    splitter = StratifiedShuffleSplit(1, test_size=1 - train_fraction, random_state=number)
    return next(splitter.split(np.zeros(len(labels)), labels))


def matched_split(
    labels: np.ndarray, counts: Mapping, seed: int, *names: str | int, train_fraction: float = 0.75
) -> Split:
    """One random split of a subsample with a given number of trials of each class (the published control).

    Of the ``counts[c]`` trials drawn from class c, ``int(train_fraction * counts[c])`` are for training.

    Parameters
    ----------
    labels : ndarray, shape (trials,)
        Classes.
    counts : mapping of class to int
        Trials to draw, as many as there are unexpected ones (:func:`counts_of_unexpected`).
    seed, *names
        Stream to draw from.
    train_fraction : float
        In (0, 1).

    Returns
    -------
    train, test : ndarray of int
        Sorted.
    """
    labels = np.asarray(labels)
    rng = stream(seed, "matched split", *names)
    train, test = [], []
    for name in np.unique(labels):
        if name not in counts:
            raise ValueError(f"counts has no class {name!r}: it must hold every class of labels")
        rows = np.flatnonzero(labels == name)
        n = check_integer(f"counts[{name!r}]", counts[name], 2, len(rows), "trials")
        drawn = rng.choice(rows, n, replace=False)
        n_train = int(train_fraction * n)
        if not 0 < n_train < n:
            raise ValueError(
                f"train_fraction = {train_fraction:g} of {n} trials of class {name!r} leaves one side empty"
            )
        train.append(drawn[:n_train])
        test.append(drawn[n_train:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


def counts_of_unexpected(orientations: ArrayLike) -> dict[float, int]:
    """How many unexpected sequences there are of each expected mean orientation, 90 degrees below that of U.

    Examples
    --------
    >>> counts_of_unexpected([90, 90, 135, 225])
    {0.0: 2, 45.0: 1, 135.0: 1}
    """
    values, counts = np.unique(check_array("orientations", orientations, "deg", 0, 360, ndim=1), return_counts=True)
    return {float(value) - 90.0: int(count) for value, count in zip(values, counts, strict=True)}


def time_blocks(times: ArrayLike, length: float) -> np.ndarray:
    """Number of the stretch of ``length`` seconds that each trial falls in, from the first trial on.

    Examples
    --------
    >>> time_blocks([10.0, 11.0, 12.0, 15.0], 2.0).tolist()
    [0, 0, 1, 2]
    """
    times = _times(times)
    length = check_number("length", length, "s", 0, low_open=True)
    return np.floor((times - times[0]) / length).astype(int)


def blocked_splits(
    labels: ArrayLike,
    groups: ArrayLike,
    times: ArrayLike,
    *,
    n_folds: int = 4,
    n_repeats: int = 1,
    gap: float = 3.0,
    seed: int = 905,
    strict: bool = True,
) -> list[Split]:
    """Splits that keep whole groups on one side, with a gap in time between training and test trials.

    Groups are dealt to folds at random such that classes are spread evenly; each fold is the test set once. Training
    trials that lie within ``gap`` of any test trial are dropped.

    Parameters
    ----------
    labels : array_like, shape (trials,)
        Classes.
    groups : array_like of int, shape (trials,)
        Stretches of the session that stay together: :func:`time_blocks`, or
        :func:`netlib.openscope.responses.run_numbers`. They should be longer than what drifts.
    times : array_like, shape (trials,)
        Onsets (s), rising.
    n_folds, n_repeats : int
        Folds, and how often groups are dealt anew.
    gap : float
        Smallest time from a training to a test onset (s), at least the length of the windows and better the memory of
        the signal.
    seed : int
        Master seed.
    strict : bool
        Refuse a training set without one of the classes.

    Returns
    -------
    list of (train, test), ``n_folds * n_repeats`` of them
    """
    from sklearn.model_selection import StratifiedGroupKFold

    labels, groups, times = np.asarray(labels), np.asarray(groups), _times(times)
    if labels.shape != times.shape or groups.shape != times.shape:
        raise ValueError(f"labels {labels.shape}, groups {groups.shape} and times {times.shape} must have equal shapes")
    n_groups = len(np.unique(groups))
    n_folds = check_integer("n_folds", n_folds, 2, unit="folds")
    if n_groups < n_folds:
        raise ValueError(f"groups holds {n_groups} of them: n_folds = {n_folds} needs as many or more")
    gap = check_number("gap", gap, "s", 0)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2 or counts.max() < n_folds:
        raise ValueError(f"labels has {len(classes)} classes, {counts.max()} trials of the commonest: too few to split")
    splits = []
    for repeat in range(check_integer("n_repeats", n_repeats, 1)):
        number = simulator_seed(seed, "blocked split", repeat)
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=number)
        for train, test in _quiet(folds.split(np.zeros(len(labels)), labels, groups)):
            train = train[_distance(times[train], times[test]) > gap]
            missing = np.setdiff1d(classes, labels[train])
            if strict and len(missing):
                raise ValueError(
                    f"a training set has no trial of class {missing[0]!r} (n_folds = {n_folds}, gap = {gap:g} s, "
                    f"{n_groups} groups): take shorter groups, more folds or a smaller gap"
                )
            splits.append((train, test))
    return splits


def _times(times: ArrayLike) -> np.ndarray:
    times = check_array("times", times, "s", ndim=1)
    if (np.diff(times) < 0).any():
        raise ValueError(f"times falls at trial {int(np.flatnonzero(np.diff(times) < 0)[0]) + 1}: it must rise (s)")
    return times


def _distance(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Time from each of ``times`` to the nearest of ``others``, both rising."""
    at = np.searchsorted(others, times)
    before, after = others[np.maximum(at - 1, 0)], others[np.minimum(at, len(others) - 1)]
    return np.minimum(np.abs(times - before), np.abs(times - after))


def _quiet(splits):
    """List of splits, without the warning that a class is rarer than there are folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(splits)
