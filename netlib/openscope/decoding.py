"""Decoding the orientation of Gabor sequences: as published, and without leakage through time.

:func:`decode_published` follows Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 10 and 11: random splits.
:func:`decode_blocked` holds out whole stretches of time. In both the statistic is the mean of a score over splits.

A decoder scales each ROI by its training trials, rotates to few dimensions, and fits multinomial logistic regression.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.base.workers import run_jobs
from netlib.statistics.splits import Split, blocked_splits, matched_split, random_split, time_blocks

__all__ = [
    "METRICS",
    "Decoding",
    "DecodingData",
    "LinearDecoder",
    "PreparedSplit",
    "TimecourseDecoding",
    "average_scores",
    "decode_blocked",
    "decode_published",
    "decode_timecourse",
    "decoder_scores",
    "fit_decoder",
    "prepare_split",
    "spread",
]


METRICS = ("neg_log_loss", "accuracy", "balanced_accuracy")
#: Percentiles by which the traces of a ROI are scaled: their middle, and the distance of the outer two.
QUANTILES = (5.0, 50.0, 95.0)


# ---------------------------------------------------------------- one decoder on one split


class PreparedSplit(NamedTuple):
    """Training and test trials as (trials, dimensions): scaled, flattened, and rotated if that makes them smaller."""

    train: np.ndarray
    test: np.ndarray


class LinearDecoder(NamedTuple):
    """What the solver is given: inverse strength of the L2 penalty, steps, tolerance of the gradient.

    The published analysis stopped at a tolerance of 1e-4 (the library's default), where decision values may still be
    several percent from the solution; at 1e-8 they are the solution to about 1e-6, rotated or not.
    """

    C: float = 1.0
    max_iter: int = 1000
    tol: float = 1e-8

    def checked(self) -> LinearDecoder:
        """Return itself, or raise an error that names what is out of range."""
        check_number("C", self.C, "", 0, low_open=True)
        check_integer("max_iter", self.max_iter, 1, unit="steps")
        check_number("tol", self.tol, "", 0, low_open=True)
        return self


def prepare_split(windows: np.ndarray, train: np.ndarray, test: np.ndarray, *, rotate: bool = True) -> PreparedSplit:
    """Scale by the training trials, flatten, and rotate to at most as many dimensions as there are training trials.

    Each ROI is scaled by the median and the 5 to 95 % range of its training trials and frames (a range of zero counts
    as 1). An L2 penalty does not see rotations, and the weights of its solution lie in the span of the training trials:
    their principal axes are all that is needed. These come from the eigenvectors of the (train, train) matrix of
    products, faster than a singular value decomposition of the (train, features) matrix itself.

    Parameters
    ----------
    windows : ndarray, shape (trials, rois, time)
        Finite.
    train, test : ndarray of int
        Trials.
    rotate : bool
        False leaves the features as they are; decision values are the same.
    """
    learned = windows[train]
    by_roi = np.swapaxes(learned, 0, 1).reshape(windows.shape[1], -1)
    low, middle, high = np.percentile(by_roi, QUANTILES, axis=1)[:, :, None]
    spread = np.where(high > low, high - low, 1.0)
    x, y = (((w - middle) / spread).reshape(len(w), -1) for w in (learned, windows[test]))
    if not rotate or x.shape[0] >= x.shape[1]:
        return PreparedSplit(x, y)
    values, vectors = np.linalg.eigh(x @ x.T)
    kept = values > values[-1] * len(x) * np.finfo(float).eps
    if not kept.any():
        return PreparedSplit(x[:, :1], y[:, :1])
    sigma = np.sqrt(values[kept])
    vectors = vectors[:, kept]
    return PreparedSplit(vectors * sigma, ((y @ x.T) @ vectors) / sigma)


def fit_decoder(train: np.ndarray, labels: np.ndarray, decoder: LinearDecoder):
    """Fit multinomial logistic regression with balanced classes and an intercept (L-BFGS).

    Parameters
    ----------
    train : ndarray, shape (trials, dimensions)
    labels : ndarray, shape (trials,)
    decoder : LinearDecoder

    Returns
    -------
    sklearn.linear_model.LogisticRegression, fitted

    Raises
    ------
    ValueError
        If the labels hold fewer than 2 classes.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        raise ValueError(f"the {len(labels)} training labels hold fewer than 2 classes: there is nothing to learn")
    model = LogisticRegression(C=decoder.C, class_weight="balanced", max_iter=decoder.max_iter, tol=decoder.tol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the column `converged` of the scores
        return model.fit(train, labels)


def decoder_scores(
    split: PreparedSplit, train_labels: np.ndarray, test_labels: np.ndarray, n_classes: int, decoder: LinearDecoder
) -> dict[str, float]:
    """Fit on the training trials, and score both parts.

    Parameters
    ----------
    split : PreparedSplit
    train_labels, test_labels : ndarray of int
        Classes from 0 to ``n_classes - 1``. A class may be missing in a part.
    n_classes : int
    decoder : LinearDecoder

    Returns
    -------
    dict
        ``test_`` and ``train_`` of each of :data:`METRICS`, ``n_train``, ``n_test``, ``converged``.
    """
    model = fit_decoder(split.train, train_labels, decoder)
    scores: dict[str, float] = {}
    for part, x, y in (("test", split.test, test_labels), ("train", split.train, train_labels)):
        probability = np.zeros((len(x), n_classes))
        probability[:, model.classes_] = model.predict_proba(x)
        for name, value in zip(METRICS, _scores(probability, y), strict=True):
            scores[f"{part}_{name}"] = value
    converged = bool(np.max(model.n_iter_) < decoder.max_iter)
    return scores | {"n_train": len(train_labels), "n_test": len(test_labels), "converged": converged}


def _scores(probability: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Mean log likelihood, fraction right, and its mean over the classes that occur."""
    of_truth = np.clip(probability[np.arange(len(labels)), labels], np.finfo(float).eps, 1.0)
    right = probability.argmax(1) == labels
    shown = np.bincount(labels, minlength=probability.shape[1])
    recall = np.bincount(labels, right, probability.shape[1])[shown > 0] / shown[shown > 0]
    return float(np.log(of_truth).mean()), float(right.mean()), float(recall.mean())


# ---------------------------------------------------------------- many splits


@dataclass(frozen=True)
class Decoding:
    """Scores of a decoder on every split, and the same under shuffled labels.

    Attributes
    ----------
    scores : DataFrame, one row per split
        ``test_`` and ``train_`` of neg_log_loss, accuracy and balanced_accuracy; ``n_train``, ``n_test``,
        ``converged``.
    null : DataFrame, one row per shuffle
        The test and train scores under shuffles; empty without any.
    null_statistic : str
        "single split" or "mean of splits": what a row of ``null`` is. The statistic itself is a mean of splits, so a
        null of single splits is wider than it should be, and its p-values too large.
    classes : dict
        Trials of each class, before any subsampling.
    n_rois, n_left_out, n_frames : int
        ROIs used, ROIs left out for a NaN, frames.
    """

    scores: pd.DataFrame
    null: pd.DataFrame
    null_statistic: str
    classes: dict
    n_rois: int
    n_left_out: int
    n_frames: int
    settings: dict = field(default_factory=dict)

    def mean(self) -> pd.Series:
        """Mean of each score over splits: the statistic."""
        return self.scores.astype(float).mean()


@dataclass(frozen=True)
class DecodingData:
    """Windows (trials, rois, time) without the ROIs that hold a NaN, and classes as numbers from 0."""

    windows: np.ndarray
    labels: np.ndarray  # int, 0 to n_classes - 1
    names: np.ndarray
    n_left_out: int
    decoder: LinearDecoder

    @classmethod
    def checked(cls, windows: ArrayLike, labels: ArrayLike, decoder: LinearDecoder | None) -> DecodingData:
        """Make one from what a caller gave, or raise an error that names it."""
        windows = np.asarray(windows, dtype=float)
        if windows.ndim != 3 or windows.size == 0:
            raise ValueError(f"windows has shape {windows.shape}: it must be (trials, rois, time), not empty")
        if np.isinf(windows).any():
            raise ValueError("windows holds infinities: it must hold finite numbers, or NaN where unknown")
        labels = np.asarray(labels)
        if labels.shape != (len(windows),):
            raise ValueError(f"labels has shape {labels.shape}: it must be ({len(windows)},), one per trial")
        if np.issubdtype(labels.dtype, np.floating) and np.isnan(labels).any():
            raise ValueError(f"labels[{int(np.isnan(labels).argmax())}] is NaN: every trial must have a class")
        names, classes = np.unique(labels, return_inverse=True)
        if len(names) < 2:
            raise ValueError(f"labels holds one class only, {names[0]!r}: it must hold at least 2")
        known = ~np.isnan(windows).any((0, 2))
        if not known.any():
            raise ValueError("windows holds a NaN in every ROI: there is none to decode from")
        decoder = (decoder or LinearDecoder()).checked()
        return cls(windows[:, known] if not known.all() else windows, classes, names, int((~known).sum()), decoder)

    def score(self, split: Split, rows: np.ndarray | None = None, labels: np.ndarray | None = None) -> dict:
        """Scores on a split of the trials ``rows`` of the windows, with ``labels`` for training in their place."""
        train, test = split
        source = (train, test) if rows is None else (rows[train], rows[test])
        learned = self.labels[train] if labels is None else labels
        return decoder_scores(
            prepare_split(self.windows, *source), learned, self.labels[test], len(self.names), self.decoder
        )

    def decoding(self, scores: list[dict], shuffled: list[dict], kind: str, settings: dict) -> Decoding:
        """Put the scores of splits and shuffles together."""
        columns = [f"{part}_{m}" for part in ("test", "train") for m in METRICS]
        counts = np.bincount(self.labels)
        classes = dict(zip(self.names.tolist(), counts.tolist(), strict=True))
        null = pd.DataFrame(shuffled, columns=columns, dtype=float)
        shape = self.windows.shape
        return Decoding(pd.DataFrame(scores), null, kind, classes, shape[1], self.n_left_out, shape[2], settings)


def average_scores(scores: list[dict]) -> dict:
    """Mean of each score over splits."""
    return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}


def spread(task: Callable, data: DecodingData, what: object, n: int, workers: int) -> list[dict]:
    """Results of ``task(data, what, k)`` for k from 0 to n - 1, in order, whatever the number of workers."""
    workers = check_integer("workers", workers, 1, unit="processes")
    if workers == 1 or n < 2:
        return _chunk(task, data, what, range(n))
    edges = np.linspace(0, n, min(n, 4 * workers) + 1).astype(int).tolist()
    chunks = [range(*part) for part in pairwise(edges)]
    done = run_jobs(_chunk, [(task, data, what, chunk) for chunk in chunks], workers)
    return [result for part in done for result in part]


def _chunk(task: Callable, data: DecodingData, what: object, numbers: range) -> list[dict]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # many small problems; and sums in one order on any machine
        return [task(data, what, k) for k in numbers]


# ---------------------------------------------------------------- the two pipelines


class TimecourseDecoding(NamedTuple):
    """One decoder per frame: ``scores`` has a row per frame, ``null`` maps each test score to (shuffles, frames)."""

    scores: pd.DataFrame
    null: dict[str, np.ndarray]


def decode_published(
    windows: ArrayLike,
    labels: ArrayLike,
    *,
    counts: Mapping | None = None,
    n_splits: int = 100,
    n_shuffles: int = 0,
    null: str = "single split",
    train_fraction: float = 0.75,
    decoder: LinearDecoder | None = None,
    seed: int = 905,
    workers: int = 1,
) -> Decoding:
    """Decode by random splits that keep the proportions of classes.

    Trials that are neighbours in time fall on both sides: where responses drift and labels keep company with time, or
    responses overlap, the scores are too good. :func:`decode_blocked` is the alternative.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
        Session-scaled dF/F. ROIs with a NaN in any trial are left out.
    labels : array_like, shape (trials,)
        Class of each trial, such as its mean orientation (deg).
    counts : mapping of class to int, optional
        Draw this many trials of each class for every split (the control for the number of U sequences).
    n_splits : int
        Splits.
    n_shuffles : int
        Shuffles for the null.
    null : {"single split", "mean of splits"}
        "single split", as published: each shuffle draws its own split, responses are shuffled against labels in its
        training part only, and the score of this one split counts. "mean of splits": each shuffle deals responses to
        all labels anew and its score is the mean over the same splits, like the statistic; it takes ``n_splits`` times
        as long, and is exact where trials are exchangeable.
    train_fraction : float
        In (0, 1).
    decoder : LinearDecoder, optional
        Penalty and solver.
    seed : int
        Master seed: split k and shuffle k have streams of their own.
    workers : int
        Processes; results do not depend on it.

    Returns
    -------
    Decoding
    """
    check_choice("null", null, ("single split", "mean of splits"))
    check_number("train_fraction", train_fraction, "", 0, 1, low_open=True, high_open=True)
    data = DecodingData.checked(windows, labels, decoder)
    n_splits, n_shuffles = check_integer("n_splits", n_splits, 1), check_integer("n_shuffles", n_shuffles, 0)
    draw = _RandomDraw(data.labels, None if counts is None else _by_code(counts, data.names), train_fraction, seed)
    draw(0)  # errors about the labels are raised here, not in a worker
    scores = spread(_score_splits, data, draw, n_splits, workers)
    task = _shuffle_single if null == "single split" else _shuffle_mean
    shuffled = spread(task, data, _Shuffles(draw, n_splits), n_shuffles, workers)
    return data.decoding(scores, shuffled, null, {"pipeline": "published", "seed": seed, "matched": counts is not None})


def decode_blocked(
    windows: ArrayLike,
    labels: ArrayLike,
    times: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    block: float = 60.0,
    gap: float = 3.0,
    n_folds: int = 4,
    n_repeats: int = 5,
    n_shuffles: int = 0,
    null: str = "circular shift",
    decoder: LinearDecoder | None = None,
    seed: int = 905,
    workers: int = 1,
) -> Decoding:
    """Decode with whole stretches of time held out, and a gap between training and test trials.

    Parameters
    ----------
    windows, labels
        As in :func:`decode_published`, in order of time.
    times : array_like, shape (trials,)
        Onset of each trial (s), rising.
    groups : array_like of int, shape (trials,), optional
        What stays together, such as runs of sequences; by default stretches of ``block`` seconds.
    block : float
        Length of the stretches (s); longer than what drifts.
    gap : float
        Time between a training and a test onset (s) must exceed it; longer than the windows and the indicator's memory.
    n_folds, n_repeats : int
        Folds, and how often groups are dealt to them anew: ``n_folds * n_repeats`` splits.
    n_shuffles : int
        Shuffles for the null. There are only ``trials - 1`` different circular shifts.
    null : {"circular shift", "block shuffle"}
        How labels are moved against responses: round the session, each shift once; or by whole groups in random order.
        Both keep how labels follow each other, within groups for the second. ``groups``, if given, move with the
        labels. Splits are made anew for every shuffle, and its score is the mean over them, as the statistic.
    decoder, seed, workers
        As in :func:`decode_published`.

    Returns
    -------
    Decoding
        ``null_statistic`` is "mean of splits".
    """
    check_choice("null", null, ("circular shift", "block shuffle"))
    data = DecodingData.checked(windows, labels, decoder)
    n_shuffles = check_integer("n_shuffles", n_shuffles, 0)
    times = np.asarray(times, dtype=float)
    if times.shape != data.labels.shape:
        raise ValueError(f"times has shape {times.shape}: it must be {data.labels.shape}, one per trial")
    moving = groups is not None
    groups = np.asarray(groups) if moving else time_blocks(times, block)
    options = {"n_folds": n_folds, "n_repeats": n_repeats, "gap": gap, "seed": seed}
    splits = blocked_splits(data.labels, groups, times, **options)
    if null == "circular shift" and n_shuffles > len(times) - 1:
        raise ValueError(f"n_shuffles = {n_shuffles} circular shifts: {len(times)} trials have {len(times) - 1}")
    orders = _label_orders(null, groups, n_shuffles, seed)
    scores = spread(_score_splits, data, splits.__getitem__, len(splits), workers)
    moved = _Moved(orders, groups, moving, times, options)
    shuffled = spread(_shuffle_moved, data, moved, n_shuffles, workers)
    settings = {"pipeline": "blocked", "null": null, "groups": len(np.unique(groups))} | options
    return data.decoding(scores, shuffled, "mean of splits", settings)


def decode_timecourse(
    windows: ArrayLike, labels: ArrayLike, *args, decode: Callable[..., Decoding] = decode_published, **options
) -> TimecourseDecoding:
    """Train and test a decoder on every single frame.

    Parameters
    ----------
    windows : array_like, shape (trials, rois, time)
    labels : array_like, shape (trials,)
    *args, **options
        Passed on to ``decode``. Every frame has the same splits and shuffles, so a maximum over frames of each shuffle
        is a null for the maximum of the time course.
    decode : callable
        :func:`decode_published` or :func:`decode_blocked` (which also needs ``times``).

    Returns
    -------
    TimecourseDecoding
        ``scores``: mean over splits of every score, and ``frame``.
    """
    windows = np.asarray(windows, dtype=float)
    if windows.ndim != 3:
        raise ValueError(f"windows has shape {windows.shape}: it must be (trials, rois, time)")
    windows = windows[:, ~np.isnan(windows).any((0, 2))]  # the same ROIs at every frame
    frames = [decode(windows[:, :, [k]], labels, *args, **options) for k in range(windows.shape[2])]
    scores = pd.DataFrame([d.mean() for d in frames]).rename_axis("frame").reset_index()
    null = {f"test_{m}": np.column_stack([d.null[f"test_{m}"] for d in frames]) for m in METRICS}
    return TimecourseDecoding(scores, null)


@dataclass(frozen=True)
class _RandomDraw:
    """Split number k, or the split of a shuffle."""

    labels: np.ndarray
    counts: Mapping | None
    train_fraction: float
    seed: int

    def __call__(self, *names: str | int) -> Split:
        options = {"train_fraction": self.train_fraction}
        if self.counts is None:
            return random_split(self.labels, self.seed, *names, **options)
        return matched_split(self.labels, self.counts, self.seed, *names, **options)


def _by_code(counts: Mapping, names: np.ndarray) -> dict[int, int]:
    missing = [name for name in names.tolist() if name not in counts]
    if missing:
        raise ValueError(f"counts has no class {missing[0]!r}: it must hold every class of labels")
    return {code: counts[name] for code, name in enumerate(names.tolist())}


class _Shuffles(NamedTuple):
    draw: _RandomDraw
    n_splits: int


class _Moved(NamedTuple):
    orders: list[np.ndarray]
    groups: np.ndarray
    moving: bool
    times: np.ndarray
    options: dict


def _score_splits(data: DecodingData, draw: Callable[[int], Split], k: int) -> dict:
    return data.score(draw(k))


def _shuffle_single(data: DecodingData, shuffles: _Shuffles, k: int) -> dict:
    """The published null: own split, training part shuffled, test labels intact."""
    train, test = shuffles.draw("shuffle", k)
    mixed = stream(shuffles.draw.seed, "shuffled training", k).permutation(data.labels[train])
    return data.score((train, test), labels=mixed)


def _shuffle_mean(data: DecodingData, shuffles: _Shuffles, k: int) -> dict:
    rows = stream(shuffles.draw.seed, "shuffled trials", k).permutation(len(data.labels))
    return average_scores([data.score(shuffles.draw(split), rows) for split in range(shuffles.n_splits)])


def _shuffle_moved(data: DecodingData, moved: _Moved, k: int) -> dict:
    order = moved.orders[k]
    groups = moved.groups[order] if moved.moving else moved.groups
    shifted = DecodingData(data.windows, data.labels[order], data.names, data.n_left_out, data.decoder)
    splits = blocked_splits(shifted.labels, groups, moved.times, strict=False, **moved.options)
    return average_scores([shifted.score(split) for split in splits])


def _label_orders(null: str, groups: np.ndarray, n_shuffles: int, seed: int) -> list[np.ndarray]:
    """Which label goes to each trial, for every shuffle."""
    trials = np.arange(len(groups))
    rng = stream(seed, "label orders")
    if null == "circular shift":
        return [np.roll(trials, shift) for shift in rng.permutation(trials[1:])[:n_shuffles]]
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    pieces = np.split(trials, starts[1:])
    return [np.concatenate([pieces[i] for i in rng.permutation(len(pieces))]) for _ in range(n_shuffles)]
