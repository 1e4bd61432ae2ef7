"""Reading labels out of population counts with multinomial logistic regression, through time, by trial held out."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.recording import Recording
from netlib.seeds import stream
from netlib.units import check_array, check_choice, check_integer, check_number, check_type

__all__ = ["accuracy_interval", "decode_over_time", "held_out_labels", "rise_time", "sliding_counts"]


def sliding_counts(recording: Recording, starts: ArrayLike, width: float, population: str = "E") -> np.ndarray:
    """Spike counts in windows that slide over each presentation.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    starts : array_like, shape (n_windows,)
        Start of each window from onset (ms); it may lie before it.
    width : float
        Length of the windows (ms).
    population : str
        Whose spikes.

    Returns
    -------
    ndarray of int, shape (n_windows, n_cells, n_presentations)

    Raises
    ------
    ValueError
        If a window of the first or last presentation leaves the recording.
    """
    cells = check_type("recording", recording, Recording).population(population)
    starts = check_array("starts", starts, "ms", ndim=1)
    width = check_number("width", width, "ms", 0, low_open=True)
    onset = cells.protocol.windows()[:, 0]
    first, last = onset.min() + starts.min(), onset.max() + starts.max() + width
    if first < 0 or last > cells.duration + 1e-6:
        raise ValueError(
            f"starts from {starts.min():g} to {starts.max():g} ms reach from {first:g} to {last:g} ms: "
            f"they must stay in the recording, [0, {cells.duration:g}] ms"
        )
    return np.stack([cells.counts(np.column_stack([onset + s, onset + s + width])) for s in starts])


def held_out_labels(
    counts: ArrayLike,
    labels: ArrayLike,
    trials: ArrayLike,
    *,
    C: float = 1.0,
    max_iter: int = 200,
    shuffle_seed: int | None = None,
) -> np.ndarray:
    """Label that multinomial logistic regression gives each presentation when its trial was not learned from.

    Parameters
    ----------
    counts : array_like, shape (n_cells, n_presentations)
        Responses.
    labels : array_like, shape (n_presentations,)
        What was shown; every label in each trial.
    trials : array_like of int, shape (n_presentations,)
        Trial of each presentation; one after the other is held out.
    C : float
        Inverse strength of the L2 penalty; 1, on raw counts, as in Ladret et al. 2023 (Commun Biol 6:667).
    max_iter : int
        Largest number of steps of the solver (L-BFGS).
    shuffle_seed : int, optional
        Control: learn from labels shuffled within each trial with this seed.

    Returns
    -------
    ndarray, shape (n_presentations,)

    Raises
    ------
    ValueError
        If there are fewer than 2 trials or 2 labels, or lengths differ.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    counts = check_array("counts", counts, "spikes", 0, ndim=2)
    labels, trials = np.asarray(labels), np.asarray(trials)
    n = counts.shape[1]
    if labels.shape != (n,) or trials.shape != (n,):
        raise ValueError(
            f"labels has shape {labels.shape} and trials {trials.shape}: both must be ({n},), as presentations"
        )
    for name, values in (("trials", trials), ("labels", labels)):
        if len(np.unique(values)) < 2:
            raise ValueError(f"{name} holds one value only: it must hold at least 2")
    check_number("C", C, "", 0, low_open=True)
    check_integer("max_iter", max_iter, 1)
    learned = labels
    if shuffle_seed is not None:
        rng = stream(shuffle_seed, "shuffled labels")
        learned = labels.copy()
        for trial in np.unique(trials):
            rows = np.flatnonzero(trials == trial)
            learned[rows] = labels[rng.permutation(rows)]
    given = np.empty_like(labels)
    for trial in np.unique(trials):
        out = trials == trial
        model = LogisticRegression(C=C, max_iter=max_iter, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes")
            model.fit(counts[:, ~out].T, learned[~out])
        given[out] = model.predict(counts[:, out].T)
    return given


def accuracy_interval(correct: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Share of correct answers with its interval (Wilson 1927, J Am Stat Assoc 22:209): (share, low, high).

    It takes presentations as independent: over seeds, use the spread over seeds instead.

    Examples
    --------
    >>> tuple(round(x, 3) for x in accuracy_interval([True] * 8 + [False] * 2))
    (0.8, 0.49, 0.943)
    """
    from scipy.stats import binomtest

    correct = np.asarray(correct, bool)
    if not correct.size:
        raise ValueError("correct is empty: it must hold at least one answer")
    ends = binomtest(int(correct.sum()), correct.size).proportion_ci(level, method="wilson")
    return float(correct.mean()), float(ends.low), float(ends.high)


def decode_over_time(
    recording: Recording,
    label: str | Sequence[str] = "orientation",
    population: str = "E",
    starts: ArrayLike = (50.0,),
    width: float = 100.0,
    by: str | None = None,
    where: Mapping[str, float] | None = None,
    C: float = 1.0,
    shuffle_seed: int | None = None,
) -> pd.DataFrame:
    """Accuracy of a decoder of the stimulus, learned and tested anew in each window.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol; its trials are held out in turn.
    label : str or sequence of str
        Column of the protocol to read out, or columns to read out together.
    population : str
        Whose spikes.
    starts, width : array_like, float
        Windows from onset (ms), as in :func:`sliding_counts`.
    by : str, optional
        Column for which accuracy is given by value; the decoder learns from all of them.
    where : mapping, optional
        Columns and the value that presentations must have.
    C, shuffle_seed
        As in :func:`held_out_labels`.

    Returns
    -------
    DataFrame, one row per window and value of ``by``
        ``start`` and ``end`` of the window (ms), ``by``, ``accuracy`` with ``low`` and ``high`` (95 %), ``chance`` and
        ``n``.
    """
    counts = sliding_counts(recording, starts, width, population)
    table = recording.protocol.table
    columns = [label] if isinstance(label, str) else list(label)
    for column in (*columns, *(where or {}), *([by] if by else [])):
        check_choice("column", column, list(table.columns))
    keep = np.ones(len(table), bool)
    for column, value in (where or {}).items():
        keep &= np.isclose(table[column].to_numpy(float), float(value))
    if not keep.any():
        raise ValueError(f"where = {dict(where or {})!r}: no presentation matches")
    shown = table[keep]
    classes = shown.groupby(columns, sort=True).ngroup().to_numpy()
    groups = np.zeros(len(shown)) if by is None else shown[by].to_numpy(float)
    rows = []
    for start, block in zip(np.asarray(starts, float), counts[:, :, keep], strict=True):
        right = held_out_labels(block, classes, shown["trial"].to_numpy(), C=C, shuffle_seed=shuffle_seed) == classes
        for group in np.unique(groups):
            accuracy, low, high = accuracy_interval(right[groups == group])
            row = {"start": start, "end": start + width} | ({by: group} if by else {})
            rows.append(row | {"accuracy": accuracy, "low": low, "high": high, "n": int((groups == group).sum())})
    return pd.DataFrame(rows).assign(chance=1 / len(np.unique(classes)))


def rise_time(times: ArrayLike, values: ArrayLike, floor: float, fraction: float = 0.5) -> float:
    """Time at which a curve first reaches a fraction of the way from ``floor`` to its maximum, by straight lines.

    Parameters
    ----------
    times, values : array_like, shape (n,)
        The curve, times in order (ms).
    floor : float
        Value before the rise, such as chance.
    fraction : float
        In (0, 1).

    Returns
    -------
    float
        NaN if the curve never exceeds ``floor``, or begins above that level.
    """
    times, values = check_array("times", times, "ms", ndim=1), check_array("values", values, ndim=1)
    check_number("fraction", fraction, "", 0, 1, low_open=True, high_open=True)
    level = floor + fraction * (values.max() - floor)
    above = values >= level
    k = int(above.argmax())
    if values.max() <= floor or k == 0:
        return float("nan")
    return float(times[k - 1] + (times[k] - times[k - 1]) * (level - values[k - 1]) / (values[k] - values[k - 1]))
