"""Decoding the orientation of Gabor sequences: as published, and without leakage through time.

:func:`decode_published` follows Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 10 and 11: random splits.
:func:`decode_blocked` holds out whole stretches of time. In both the statistic is the mean of a score over splits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.decoder_runs import Decoding, DecodingData, average_scores, spread
from netlib.analysis.linear_decoder import METRICS, LinearDecoder
from netlib.analysis.trial_splits import Split, blocked_splits, matched_split, random_split, time_blocks
from netlib.seeds import stream
from netlib.units import check_choice, check_integer, check_number

__all__ = ["TimecourseDecoding", "decode_blocked", "decode_published", "decode_timecourse", "pool_decodings"]


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


def pool_decodings(decodings: Sequence[Decoding], metric: str = "test_balanced_accuracy") -> dict:
    """Mean over mice of their statistics, and its null: the mean over mice of shuffle k.

    Parameters
    ----------
    decodings : sequence of Decoding
        One per mouse, each made with a seed of its own, so that their shuffles are independent.
    metric : str
        Score, such as "test_balanced_accuracy".

    Returns
    -------
    dict
        ``mean``, ``sem`` over mice (ddof 1, NaN for one), ``n`` mice, ``null`` (shuffles,) and ``null_statistic``.
        The published p-values are one-tailed (high).
    """
    if not decodings:
        raise ValueError("decodings is empty: it must hold at least one")
    check_choice("metric", metric, [f"{part}_{m}" for part in ("test", "train") for m in METRICS])
    kinds = {(d.null_statistic, len(d.null)) for d in decodings}
    if len(kinds) > 1:
        raise ValueError(f"decodings have different nulls {sorted(kinds)}: they must have the same")
    means = np.array([d.mean()[metric] for d in decodings])
    sem = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
    null = np.mean([d.null[metric].to_numpy(float) for d in decodings], axis=0)
    kind = decodings[0].null_statistic
    return {"mean": float(means.mean()), "sem": sem, "n": len(means), "null": null, "null_statistic": kind}


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
