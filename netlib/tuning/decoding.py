"""Reading the stimulus out of a population's spikes, and how far off the reading is.

Orientation by the population vector; any label by multinomial logistic regression, in windows that slide over the
presentations; and what a population says from moment to moment, against another such content.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.base.orientation import signed_distance, wrap
from netlib.base.seeds import stream
from netlib.recordings.recording import Recording
from netlib.tuning.counts import START, response_counts

__all__ = [
    "CHANCE",
    "accuracy_interval",
    "circular_correlation",
    "content_correlation",
    "content_orientation",
    "decode_over_time",
    "decode_recording",
    "decoding_error",
    "held_out_labels",
    "orientation_rates",
    "population_vector",
    "rise_time",
    "sliding_counts",
]

#: Mean absolute error of a random guess (deg): orientation distances are uniform on [0, 90].
CHANCE = 45.0


def population_vector(counts: ArrayLike, preferred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Decode orientation by the population vector on the doubled angle.

    Each cell votes for its preferred orientation with its response (Georgopoulos, Schwartz & Kettner 1986, Science
    233:1416, for direction; the angle is doubled here as orientation has a period of 180 degrees).

    Parameters
    ----------
    counts : array_like, shape (n_cells, n_presentations)
        Responses, 0 or more.
    preferred : array_like, shape (n_cells,)
        Preferred orientation of each cell (deg); a cell with NaN has no vote.

    Returns
    -------
    decoded : ndarray, shape (n_presentations,)
        Orientation in [0, 180) deg; NaN where no voting cell fired, or votes cancel.
    length : ndarray, shape (n_presentations,)
        Length of the mean vector, from 0 (flat activity) to 1.

    Raises
    ------
    ValueError
        If a response is below 0, lengths differ, or no cell has a preferred orientation.
    """
    counts = check_array("counts", counts, "spikes", 0, ndim=2)
    preferred = np.asarray(preferred, float)
    if preferred.shape != (len(counts),):
        raise ValueError(f"preferred has shape {preferred.shape}: it must be ({len(counts)},), one per cell of counts")
    known = np.isfinite(preferred)
    if not known.any():
        raise ValueError("preferred is NaN for every cell: at least one must have a preferred orientation")
    check_array("preferred", preferred[known], "deg", -360, 360)
    counts = counts[known]
    total = counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        vector = np.exp(2j * np.radians(preferred[known])) @ counts / total
    length = np.abs(vector)
    decoded = wrap(np.degrees(np.angle(vector)) / 2)
    return np.where(length > 1e-12, decoded, np.nan), np.where(total > 0, length, np.nan)


def decoding_error(decoded: ArrayLike, shown: ArrayLike) -> dict[str, float]:
    """Summarise the error of a decoder.

    Parameters
    ----------
    decoded, shown : array_like, shape (n_presentations,)
        Decoded and true orientation (deg). A NaN in either leaves the presentation out.

    Returns
    -------
    dict
        ``absolute`` and ``absolute_sem``: mean absolute error (deg; 45 by chance) and its standard error; ``median``;
        ``bias``: circular mean of the signed error (deg); ``circular_sd`` of the signed error (deg), from
        ``sqrt(-2 ln R) / 2`` on the doubled angle; ``chance``; ``n`` presentations decoded; ``n_silent`` left out.
    """
    decoded, shown = np.asarray(decoded, float), np.asarray(shown, float)
    if decoded.shape != shown.shape or decoded.ndim != 1:
        raise ValueError(f"decoded has shape {decoded.shape} and shown {shown.shape}: both must be (n_presentations,)")
    oriented = np.isfinite(shown)
    error = np.asarray(signed_distance(decoded, shown))[np.isfinite(decoded) & oriented]
    n = len(error)
    summary = {"chance": CHANCE, "n": n, "n_silent": int(oriented.sum()) - n}
    if n == 0:
        return dict.fromkeys(("absolute", "absolute_sem", "median", "bias", "circular_sd"), np.nan) | summary
    vector = np.exp(2j * np.radians(error)).mean()
    length = min(abs(vector), 1.0)
    return {
        "absolute": float(np.abs(error).mean()),
        "absolute_sem": float(np.abs(error).std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan,
        "median": float(np.median(np.abs(error))),
        "bias": float(np.degrees(np.angle(vector)) / 2),
        "circular_sd": float(np.degrees(np.sqrt(-2 * np.log(length))) / 2) if length > 0 else np.inf,
    } | summary


def decode_recording(
    recording: Recording,
    population: str = "E",
    preferred: ArrayLike | None = None,
    start: float = START,
    duration: float | None = None,
) -> pd.DataFrame:
    """Decode the orientation of every presentation from a population's spike counts.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    population : str
        Population that votes.
    preferred : array_like, shape (n_cells,), optional
        Preferred orientation of its cells (deg); by default their place on the ring.
    start, duration : float
        Counting window after onset (ms).

    Returns
    -------
    DataFrame, one row per presentation with an orientation
        ``presentation``, ``orientation``, ``decoded``, ``error`` (signed, deg), ``absolute_error``, ``length`` of the
        vector and ``n_spikes``. :func:`decoding_error` of ``decoded`` and ``orientation`` summarises it.
    """
    cells = check_type("recording", recording, Recording).population(population)
    preferred = cells.neurons["orientation"].to_numpy(float) if preferred is None else preferred
    counts, _ = response_counts(cells, start, duration)
    shown = recording.protocol.table["orientation"].to_numpy(float)
    rows = np.flatnonzero(np.isfinite(shown))
    decoded, length = population_vector(counts[:, rows], preferred) if rows.size else (np.empty(0), np.empty(0))
    error = np.asarray(signed_distance(decoded, shown[rows]), float)
    return pd.DataFrame(
        {
            "presentation": rows,
            "orientation": shown[rows],
            "decoded": decoded,
            "error": error,
            "absolute_error": np.abs(error),
            "length": length,
            "n_spikes": counts[:, rows].sum(0),
        }
    )


# ---------------------------------------------------------------- labels, through time


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


# ---------------------------------------------------------------- orientation, from moment to moment


def orientation_rates(recording: Recording, population: str, edges: ArrayLike, n_bins: int = 18) -> np.ndarray:
    """Mean rate of the cells of a population by their orientation and time.

    Parameters
    ----------
    recording : Recording
        Cells need an ``orientation``.
    population : str
        Which cells.
    edges : array_like, shape (n_times + 1,)
        Edges of the bins of time (ms), rising.
    n_bins : int
        Bins of orientation; bin i is centred on ``180 i / n_bins`` degrees.

    Returns
    -------
    ndarray, shape (n_times, n_bins)
        Rates (Hz).

    Raises
    ------
    ValueError
        If edges do not rise, or a bin of orientation holds no cell.
    """
    cells = check_type("recording", recording, Recording).population(population)
    edges = check_array("edges", edges, "ms", 0, ndim=1)
    check_integer("n_bins", n_bins, 2)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError("edges do not rise: they must be the edges of at least one bin of time (ms)")
    place = np.round(cells.neurons["orientation"].to_numpy(float) / (180.0 / n_bins)).astype(int) % n_bins
    counts = pd.DataFrame(cells.counts(np.column_stack([edges[:-1], edges[1:]]))).groupby(place).mean()
    if len(counts) < n_bins:
        raise ValueError(f"n_bins = {n_bins} leaves bins without cells: there are {len(cells)} cells, take fewer bins")
    return 1000.0 * (counts.to_numpy() / np.diff(edges)).T


def content_orientation(content: ArrayLike) -> np.ndarray:
    """Population vector of each row of an orientation content (n_times, n_bins): degrees, NaN where it is empty."""
    content = check_array("content", content, "", 0, ndim=2)
    return population_vector(content.T, 180.0 * np.arange(content.shape[1]) / content.shape[1])[0]


def circular_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Correlation of two series of orientations, from -1 to 1.

    ``sum sin 2(a_i - a_j) sin 2(b_i - b_j) / sqrt(sum sin^2 2(a_i - a_j) sum sin^2 2(b_i - b_j))`` over all pairs
    i < j (Fisher & Lee 1983, Biometrika 70:327, on the doubled angle): it needs no mean direction, which evenly spread
    orientations do not have. 1 where b is a rotated, -1 where it is a mirrored.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Orientations (deg); a pair with a NaN is left out.

    Returns
    -------
    float
        NaN with fewer than 3 pairs, or where one series is constant.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: both must be (n,), orientations of the same times")
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3:
        return float("nan")
    x, y = (np.sin(2 * np.radians(np.subtract.outer(v[known], v[known]))) for v in (a, b))
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale > 1e-9 else float("nan")


def content_correlation(a: ArrayLike, b: ArrayLike, changes_only: bool = False) -> float:
    """Pearson correlation of two orientation contents, over all times and orientations.

    Parameters
    ----------
    a, b : array_like, shape (n_times, n_bins)
        Contents: rates, energies or fractions.
    changes_only : bool
        Subtract from each orientation its mean over time: what is left does not credit a content that never changes.

    Returns
    -------
    float
        NaN where one of them is constant.
    """
    a, b = (check_array(name, value, "", ndim=2) for name, value in (("a", a), ("b", b)))
    if a.shape != b.shape:
        raise ValueError(f"a has shape {a.shape} and b {b.shape}: both must be (n_times, n_bins)")
    axis = 0 if changes_only else None
    a, b = a - a.mean(axis, keepdims=True), b - b.mean(axis, keepdims=True)
    scale = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / scale) if scale > 1e-12 else float("nan")
