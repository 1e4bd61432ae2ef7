"""Statistics of spiking: rates, irregularity of intervals, variability of counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_type
from netlib.recordings.recording import Recording
from netlib.tuning.counts import mean_and_sem

__all__ = ["fano_factor", "isi_cv", "isi_cv2", "population_summary", "spike_intervals"]


def spike_intervals(
    spike_index: ArrayLike, spike_time: ArrayLike, windows: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Interspike intervals of many cells from flat arrays.

    Parameters
    ----------
    spike_index, spike_time : array_like, shape (n_spikes,)
        Cell and time (ms) of each spike, in any order.
    windows : array_like, shape (n_windows, 2), optional
        Start and end (ms) of windows that do not overlap: only intervals that lie within one of them count.

    Returns
    -------
    cell : ndarray of int, shape (n_intervals,)
    interval : ndarray, shape (n_intervals,)
        In ms, sorted by cell, then time.

    Raises
    ------
    ValueError
        If the arrays differ in length or windows overlap.
    """
    cell, interval, _ = _intervals(spike_index, spike_time, windows)
    return cell, interval


def _intervals(
    spike_index: ArrayLike, spike_time: ArrayLike, windows: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell and length of each interval, and whether the next one follows it in the same cell and window."""
    index, times = np.asarray(spike_index, np.int64), np.asarray(spike_time, float)
    if index.shape != times.shape or index.ndim != 1:
        raise ValueError(f"spike_index has shape {index.shape} and spike_time {times.shape}: both must be (n_spikes,)")
    period = np.zeros(len(index), np.int64)
    if windows is not None:
        windows = check_array("windows", windows, "ms", ndim=2)
        windows = windows[np.argsort(windows[:, 0])]
        if (windows[1:, 0] < windows[:-1, 1] - 1e-9).any():
            raise ValueError("windows overlap: an interval must belong to one window")
        period = np.searchsorted(windows[:, 0], times, side="right") - 1
        inside = (period >= 0) & (times < windows[period, 1])
        index, times, period = index[inside], times[inside], period[inside]
    order = np.lexsort((times, index))
    index, times, period = index[order], times[order], period[order]
    same = (index[1:] == index[:-1]) & (period[1:] == period[:-1])
    followed = np.append(same[1:], False) if same.size else same
    return index[1:][same], np.diff(times)[same], followed[same]


def isi_cv(
    spike_index: ArrayLike,
    spike_time: ArrayLike,
    n_cells: int,
    min_spikes: int = 10,
    windows: ArrayLike | None = None,
) -> np.ndarray:
    """Coefficient of variation of the interspike intervals of each cell: 1 for Poisson, 0 for a clock.

    Changes of rate inflate it. With the presentations as ``windows`` no interval spans two of them, but those of a
    tuned cell still mix the rates of many orientations: :func:`isi_cv2` does not mind.

    Parameters
    ----------
    spike_index, spike_time : array_like, shape (n_spikes,)
        Cell and time (ms) of each spike.
    n_cells : int
        Number of cells.
    min_spikes : int
        A cell with fewer than ``min_spikes - 1`` intervals has NaN.
    windows : array_like, shape (n_windows, 2), optional
        As in :func:`spike_intervals`.

    Returns
    -------
    ndarray, shape (n_cells,)
        Standard deviation (n - 1 in the denominator) over mean.
    """
    n_cells = check_integer("n_cells", n_cells, 1, unit="cells")
    min_spikes = check_integer("min_spikes", min_spikes, 3, unit="spikes")
    cell, interval = spike_intervals(spike_index, spike_time, windows)
    n = np.bincount(cell, minlength=n_cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell, interval, n_cells) / n
        square = np.bincount(cell, (interval - mean[cell]) ** 2, n_cells)
        cv = np.sqrt(square / (n - 1)) / mean
    return np.where(n >= min_spikes - 1, cv, np.nan)


def isi_cv2(
    spike_index: ArrayLike,
    spike_time: ArrayLike,
    n_cells: int,
    min_spikes: int = 10,
    windows: ArrayLike | None = None,
) -> np.ndarray:
    """Local irregularity of each cell, CV2: 1 for Poisson whatever its slow changes of rate, 0 for a clock.

    Mean over pairs of consecutive intervals of ``2 |b - a| / (a + b)`` (Holt, Softky, Koch & Douglas 1996,
    J Neurophysiol 75:1806). Parameters and shape as in :func:`isi_cv`; a cell with fewer than ``min_spikes - 2``
    pairs has NaN.
    """
    n_cells = check_integer("n_cells", n_cells, 1, unit="cells")
    min_spikes = check_integer("min_spikes", min_spikes, 3, unit="spikes")
    cell, interval, followed = _intervals(spike_index, spike_time, windows)
    first = np.flatnonzero(followed)
    a, b = interval[first], interval[first + 1]
    together = np.where(a + b > 0, a + b, 1.0)
    n = np.bincount(cell[first], minlength=n_cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(cell[first], 2 * np.abs(b - a) / together, n_cells) / n
    return np.where(n >= min_spikes - 2, mean, np.nan)


def fano_factor(counts: ArrayLike, conditions: ArrayLike | None = None) -> np.ndarray:
    """Fano factor of each cell: variance over mean of its counts across repeats of a condition.

    Parameters
    ----------
    counts : array_like, shape (n_cells, n_presentations)
        Spike counts.
    conditions : array_like, shape (n_presentations,), optional
        Label of the condition of each presentation; by default all are repeats of one.

    Returns
    -------
    ndarray, shape (n_cells,)
        Variance within conditions over mean, both summed over conditions that have at least 2 repeats; NaN for a
        silent cell.

    Raises
    ------
    ValueError
        If no condition is repeated, or lengths differ.
    """
    counts = check_array("counts", counts, "spikes", 0, ndim=2)
    labels = np.zeros(counts.shape[1]) if conditions is None else np.asarray(conditions)
    if labels.shape != (counts.shape[1],):
        raise ValueError(f"conditions has shape {labels.shape}: it must be ({counts.shape[1]},), one per presentation")
    _, inverse, repeats = np.unique(labels, return_inverse=True, return_counts=True)
    if (repeats < 2).all():
        raise ValueError("conditions: none is repeated, the variance of counts needs at least 2 repeats")
    member = (inverse[:, None] == np.arange(len(repeats))).astype(float)
    mean = counts @ member / repeats
    square = (counts - mean[:, inverse]) ** 2 @ member
    use = repeats > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return (square[:, use] / (repeats[use] - 1)).sum(1) / mean[:, use].sum(1)


def population_summary(recording: Recording, min_spikes: int = 10) -> pd.DataFrame:
    """Rates and irregularity of every population.

    Returns
    -------
    DataFrame, one row per population
        ``n`` cells, ``rate`` and ``rate_sem`` (Hz, over cells), ``rate_median``, ``rate_max``, ``silent`` (fraction of
        cells without a spike), then the mean over cells of the irregularity of intervals within presentations:
        ``isi_cv``, its ``isi_cv_sem``, the number of cells it is from, ``isi_cv_n``, and ``isi_cv2``.
    """
    check_type("recording", recording, Recording)
    rates = recording.rates()
    trains = recording.spike_index, recording.spike_time, len(recording), min_spikes, recording.protocol.windows()
    cv, cv2 = isi_cv(*trains), isi_cv2(*trains)
    rows = {}
    for name in recording.populations:
        member = (recording.neurons["population"] == name).to_numpy()
        rate, rate_sem = mean_and_sem(rates[member])
        mean_cv, cv_sem = mean_and_sem(cv[member])
        rows[name] = {
            "n": int(member.sum()),
            "rate": float(rate),
            "rate_sem": float(rate_sem),
            "rate_median": float(np.median(rates[member])),
            "rate_max": float(rates[member].max()),
            "silent": float((rates[member] == 0).mean()),
            "isi_cv": float(mean_cv),
            "isi_cv_sem": float(cv_sem),
            "isi_cv_n": int(np.isfinite(cv[member]).sum()),
            "isi_cv2": float(mean_and_sem(cv2[member])[0]),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "population"
    return table
