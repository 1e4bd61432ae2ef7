"""Which behaviour is it, from the activity of a set of neurons? A linear support-vector machine on blocked splits.

Neighbouring bins are nearly the same bin. Dealt at random to training and test they make a classifier look good that
knows nothing (:func:`leakage`); here whole stretches of time go to one side, with a gap between. Behaviours do not last
equally long: scores are means over behaviours, and classes are weighted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.behaviour_bins import block_groups
from netlib.analysis.trial_splits import Split, blocked_splits
from netlib.seeds import simulator_seed, stream
from netlib.units import check_array, check_choice, check_integer, check_number

__all__ = ["Decoding", "DecodingTest", "Svm", "decode_behaviour", "decoding_test", "leakage", "random_splits"]


@dataclass(frozen=True)
class Svm:
    """The classifier and how time is split.

    Attributes
    ----------
    kernel : {"linear", "rbf"}
        Of the machine.
    C : float
        Inverse strength of the penalty.
    splits : {"blocked", "random"}
        Groups of bins to one side, or single bins at random (to show what that does).
    n_folds : int
        Every bin is tested once.
    block : float
        Length of a group (ms), where groups are not given.
    gap : float
        Training bins within this time of a test bin are left out (ms).
    seed : int
        Of the splits.
    """

    kernel: str = "linear"
    C: float = 1.0
    splits: str = "blocked"
    n_folds: int = 5
    block: float = 30_000.0
    gap: float = 2000.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("kernel", self.kernel, ("linear", "rbf"))
        check_choice("splits", self.splits, ("blocked", "random"))
        check_number("C", self.C, "", 0, low_open=True)
        check_integer("n_folds", self.n_folds, 2, unit="folds")
        check_number("block", self.block, "ms", 0, low_open=True)
        check_number("gap", self.gap, "ms", 0)

    def model(self):
        """Scale each neuron by the training bins, then the machine with balanced classes."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC, LinearSVC

        if self.kernel == "linear":
            machine = LinearSVC(C=self.C, class_weight="balanced", dual="auto", tol=1e-3, random_state=0)
        else:
            machine = SVC(C=self.C, class_weight="balanced")
        return make_pipeline(StandardScaler(), machine)


@dataclass(frozen=True, eq=False)
class Decoding:
    """How well behaviours are told apart, over all test bins.

    Attributes
    ----------
    balanced_accuracy : float
        Mean of the recalls of the behaviours that were tested; chance is ``chance``.
    accuracy : float
        Share of bins that were right: a classifier that always says the longest behaviour has a high one.
    recall : Series
        Per behaviour; NaN for one that was never tested.
    confusion : DataFrame of int
        Bins of a behaviour (row) that were taken for another (column).
    chance : float
        1 / number of behaviours tested.
    n_neurons, n_bins : int
        Size.
    """

    balanced_accuracy: float
    accuracy: float
    recall: pd.Series
    confusion: pd.DataFrame
    chance: float
    n_neurons: int
    n_bins: int


@dataclass(frozen=True, eq=False)
class DecodingTest:
    """A score against those with labels shifted in time: ``p`` = (1 + #) / (1 + N), one-sided."""

    score: Decoding
    null: np.ndarray
    p: float


def random_splits(n: int, n_folds: int, seed: int) -> list[Split]:
    """Folds of single bins, each test set once: what must not be done with a signal that has memory."""
    order = stream(seed, "random folds").permutation(n)
    folds = [np.sort(order[k::n_folds]) for k in range(n_folds)]
    return [(np.setdiff1d(np.arange(n), test), test) for test in folds]


def decode_behaviour(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Iterable[str],
    *,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
) -> Decoding:
    """Decode the behaviour of each bin from activity in it.

    Parameters
    ----------
    features : array_like, shape (n_bins, n_neurons)
        Activity (:func:`~netlib.analysis.behaviour_bins.bin_activity`) of any set of neurons.
    labels : array_like of int, shape (n_bins,)
        Behaviour of each bin (:func:`~netlib.analysis.behaviour_bins.bin_labels`); -1 is left out.
    times : array_like, shape (n_bins,)
        Centre of each bin (ms), rising.
    names : sequence of str
        Behaviours by number.
    groups : array_like of int, shape (n_bins,), optional
        Stretches that stay together, such as cycles (:func:`~netlib.analysis.behaviour_bins.cycle_groups`); by default
        blocks of ``svm.block``.
    svm : Svm, optional
        Classifier and splits.

    Returns
    -------
    Decoding

    Raises
    ------
    ValueError
        If shapes differ, a feature is NaN, or fewer than two behaviours have bins.
    """
    svm = Svm() if svm is None else svm
    x, y, when, group, names = _checked(features, labels, times, groups, names, svm)
    if svm.splits == "random":
        splits = random_splits(len(y), svm.n_folds, svm.seed)
    else:
        seed = simulator_seed(svm.seed, "behaviour folds")
        splits = blocked_splits(
            y, group, when / 1000.0, n_folds=svm.n_folds, gap=svm.gap / 1000.0, seed=seed, strict=False
        )
    counts = np.zeros((len(names), len(names)), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*failed to converge.*")
        for train, test in splits:
            if len(np.unique(y[train])) >= 2:
                np.add.at(counts, (y[test], svm.model().fit(x[train], y[train]).predict(x[test])), 1)
    return _scored(counts, names, x.shape[1])


def _checked(features, labels, times, groups, names, svm):
    x = check_array("features", features, ndim=2)
    y, when, names = np.asarray(labels), check_array("times", times, "ms", ndim=1), list(names)
    group = block_groups(when, svm.block) if groups is None else np.asarray(groups)
    if not len(x) == len(y) == len(when) == len(group):
        raise ValueError(
            f"features has {len(x)} bins, labels {len(y)}, times {len(when)}, groups {len(group)}: they must be one"
        )
    if y.size and not (y.min() >= -1 and y.max() < len(names)):
        raise ValueError(f"labels run from {y.min()} to {y.max()}: they must be in [0, {len(names)}), or -1 for none")
    keep = y >= 0
    if len(np.unique(y[keep])) < 2:
        raise ValueError(f"labels hold {len(np.unique(y[keep]))} behaviours: at least 2 are needed to tell apart")
    return x[keep], y[keep].astype(int), when[keep], group[keep], names


def _scored(counts: np.ndarray, names: list[str], n_neurons: int) -> Decoding:
    shown = counts.sum(axis=1)
    recall = np.divide(np.diag(counts), shown, out=np.full(len(names), np.nan), where=shown > 0)
    total = int(shown.sum())
    return Decoding(
        balanced_accuracy=float(np.nanmean(recall)) if total else float("nan"),
        accuracy=float(np.trace(counts) / total) if total else float("nan"),
        recall=pd.Series(recall, names, name="recall"),
        confusion=pd.DataFrame(counts, names, names),
        chance=1.0 / max(int((shown > 0).sum()), 1),
        n_neurons=n_neurons,
        n_bins=total,
    )


def decoding_test(
    features: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    names: Iterable[str],
    *,
    n_shifts: int = 39,
    guard: float = 20_000.0,
    groups: ArrayLike | None = None,
    svm: Svm | None = None,
) -> DecodingTest:
    """Compare the balanced accuracy with that of labels shifted along the session.

    Shifts are evenly spread over the session, at least ``guard`` away from none; the memory of labels and activity, and
    the shares of behaviours, stay as they are.

    Parameters
    ----------
    features, labels, times, names, groups, svm
        As for :func:`decode_behaviour`; all bins of the session at equal distances, those without label too.
    n_shifts : int
        Size of the null, each a new training.
    guard : float
        Shortest shift (ms).
    """
    n_shifts = check_integer("n_shifts", n_shifts, 1)
    labels, names = np.asarray(labels), list(names)
    when = check_array("times", times, "ms", ndim=1)
    step = np.diff(when)
    if not np.allclose(step, step[0]):
        raise ValueError("times are not evenly spaced: a shift of labels needs all bins of the session")
    first = int(np.ceil(guard / step[0]))
    if 2 * first >= len(labels):
        raise ValueError(f"guard = {guard:g} ms leaves no shift in a session of {len(labels) * step[0]:g} ms")
    lags = np.unique(np.linspace(first, len(labels) - first, n_shifts).round().astype(int))
    options = {"groups": groups, "svm": svm}
    score = decode_behaviour(features, labels, times, names, **options)
    null = [decode_behaviour(features, np.roll(labels, k), times, names, **options).balanced_accuracy for k in lags]
    p = (1 + np.sum(np.array(null) >= score.balanced_accuracy - 1e-12)) / (1 + len(null))
    return DecodingTest(score, np.array(null), float(p))


def leakage(
    features: ArrayLike, labels: ArrayLike, times: ArrayLike, names: Iterable[str], *, svm: Svm | None = None
) -> pd.DataFrame:
    """Balanced accuracy of random and of blocked splits, for a linear and a radial kernel.

    Returns
    -------
    DataFrame, rows "linear" and "rbf"
        ``random``, ``blocked`` and ``chance``.
    """
    from dataclasses import replace

    svm, names, rows = Svm() if svm is None else svm, list(names), {}
    for kernel in ("linear", "rbf"):
        row = {}
        for splits in ("random", "blocked"):
            found = decode_behaviour(features, labels, times, names, svm=replace(svm, kernel=kernel, splits=splits))
            row |= {splits: found.balanced_accuracy, "chance": found.chance}
        rows[kernel] = row
    return pd.DataFrame.from_dict(rows, orient="index")[["random", "blocked", "chance"]]
