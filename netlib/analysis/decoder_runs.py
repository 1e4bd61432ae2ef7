"""What decoders over many splits share: checked data, scores and nulls kept together, splits spread over processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.linear_decoder import METRICS, LinearDecoder, decoder_scores, prepare_split
from netlib.analysis.trial_splits import Split
from netlib.units import check_integer

__all__ = ["Decoding", "DecodingData", "average_scores", "spread"]


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
    from joblib import Parallel, delayed

    workers = check_integer("workers", workers, 1, unit="processes")
    if workers == 1 or n < 2:
        return _chunk(task, data, what, range(n))
    edges = np.linspace(0, n, min(n, 4 * workers) + 1).astype(int).tolist()
    chunks = [range(*part) for part in pairwise(edges)]
    done = Parallel(n_jobs=workers)(delayed(_chunk)(task, data, what, chunk) for chunk in chunks)
    return [result for part in done for result in part]


def _chunk(task: Callable, data: DecodingData, what: object, numbers: range) -> list[dict]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # many small problems; and sums in one order on any machine
        return [task(data, what, k) for k in numbers]
