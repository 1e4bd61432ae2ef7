"""One decoder on one split: robust scaling, rotation to few dimensions, multinomial logistic regression, scores.

Facts: Gillon et al. 2024, J Neurosci 44(5):e1009232023, Figures 10 and 11.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from netlib.analysis.scaling import ROI_QUANTILES
from netlib.units import check_integer, check_number

__all__ = ["METRICS", "LinearDecoder", "PreparedSplit", "decoder_scores", "fit_decoder", "prepare_split"]

METRICS = ("neg_log_loss", "accuracy", "balanced_accuracy")


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
    low, middle, high = np.percentile(by_roi, [ROI_QUANTILES[0], 50.0, ROI_QUANTILES[1]], axis=1)[:, :, None]
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
