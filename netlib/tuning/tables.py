"""Tuning of recordings in tidy tables: cells by their spikes or traces, and the profile of activity on the ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.base.orientation import distance, signed_distance
from netlib.recordings.recording import Recording
from netlib.tuning.counts import START, counting_windows, mean_and_sem, oriented_rows, response_counts, split_conditions
from netlib.tuning.fit import fit_tuning, fit_tuning_continuous
from netlib.tuning.selectivity import circular_variance, direction_index, half_width, orientation_index
from netlib.tuning.spiking import fano_factor, isi_cv

__all__ = ["fit_population", "fit_trace_tuning", "population_profile", "trace_means", "tuning_table"]


def tuning_table(
    recording: Recording,
    population: str = "E",
    start: float = START,
    duration: float | None = None,
    by: Sequence[str] = (),
    where: Mapping[str, object] | None = None,
    overdispersion: str = "poisson",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Everything about the tuning of every cell, one row per cell and condition.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    population : str
        Population to describe.
    start, duration : float
        Counting window after onset (ms); by default from 50 ms to the end of the presentation.
    by : sequence of str
        Columns of the protocol with a curve for each value, such as ``["contrast"]``. A protocol that varies contrast,
        bandwidth or kind of stimulus needs them here or in ``where``: they are never pooled silently.
    where : mapping, optional
        Columns and the value presentations must have, such as ``{"contrast": 1.0}``.
    overdispersion : {"poisson", "estimate"}
        As in :func:`netlib.tuning.fit.fit_tuning`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame
        ``cell`` (row of ``recording.population(population).neurons``), ``population``, ``orientation`` (place on the
        ring, deg) and the columns of ``by`` (``B_theta`` as ``stimulus_B_theta``); the columns of
        :func:`netlib.tuning.fit.fit_tuning`; then, without a fit, ``rate`` (Hz, mean over orientations),
        ``circular_variance`` (NaN if the orientations are uneven), ``osi``, ``half_width``, ``half_width_sqrt2`` (at
        1/sqrt2 of the peak), ``fano`` (within orientations; NaN without repeats), ``direction_index`` (NaN unless
        directions go all around) and ``isi_cv`` (within the windows).
    """
    cells = check_type("recording", recording, Recording).population(population)
    counts, durations = response_counts(cells, start, duration)
    windows = counting_windows(cells.protocol, start, duration)
    shown = cells.protocol.table["orientation"].to_numpy(float)
    directions = cells.protocol.table["direction"].to_numpy(float)
    parts = []
    for labels, rows in split_conditions(cells.protocol, oriented_rows(cells.protocol, where), by):
        fit = fit_tuning(
            shown[rows], counts[:, rows], durations[rows], overdispersion=overdispersion, progress=progress
        ).reset_index(drop=True)
        head = {"cell": np.arange(len(cells)), "population": population} | {
            "orientation": cells.neurons["orientation"].to_numpy(float)
        }
        direct = _direct_measures(shown[rows], counts[:, rows], durations[rows])
        direct["direction_index"] = _direction_index(directions[rows], counts[:, rows], durations[rows])
        direct["isi_cv"] = isi_cv(cells.spike_index, cells.spike_time, len(cells), windows=windows[rows])
        parts.append(pd.concat([pd.DataFrame(head | labels), fit, pd.DataFrame(direct)], axis=1))
    return pd.concat(parts, ignore_index=True)


def _mean_rates(
    shown: np.ndarray, counts: np.ndarray, durations: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct angles, the one of each presentation by number, and the mean rate (Hz) of each cell at each."""
    levels, inverse = np.unique(shown, return_inverse=True)
    member = (inverse[:, None] == np.arange(len(levels))).astype(float)
    return levels, inverse, 1000.0 * (counts @ member) / (durations @ member)


def _direction_index(directions: np.ndarray, counts: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """Direction index of each cell, NaN unless directions are known and go all around."""
    if not np.isfinite(directions).all():
        return np.full(len(counts), np.nan)
    levels, _, rates = _mean_rates(directions, counts, durations)
    gaps = np.diff(np.append(levels, levels[0] + 360.0))
    return direction_index(levels, rates) if gaps.max() < 180.0 else np.full(len(counts), np.nan)


def _direct_measures(shown: np.ndarray, counts: np.ndarray, durations: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of the mean tuning curve (n_cells,), without a fit."""
    levels, inverse, rates = _mean_rates(shown, counts, durations)
    nothing = np.full(len(counts), np.nan)
    even = abs(np.exp(2j * np.radians(levels)).mean()) < 1e-6
    repeated = np.bincount(inverse).max() > 1
    return {
        "rate": rates.mean(1),
        "circular_variance": circular_variance(levels, rates) if even else nothing,
        "osi": orientation_index(levels, rates),
        "half_width": half_width(levels, rates),
        "half_width_sqrt2": half_width(levels, rates, 1 / np.sqrt(2)),
        "fano": fano_factor(counts, inverse) if repeated else nothing,
    }


def fit_population(
    recording: Recording,
    population: str = "E",
    presentations: int | Sequence[int] | None = None,
    start: float = START,
    duration: float | None = None,
    overdispersion: str = "poisson",
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fit the profile of activity across the ring in single presentations, with the model used for single cells.

    The abscissa is the cell's place on the ring, so that the fitted ``preferred`` is the orientation decoded from the
    presentation, and ``error`` how far it is from the one shown.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol; cells need an ``orientation``.
    population : str
        Population to fit: inputs and outputs alike.
    presentations : int or sequence of int, optional
        Rows of the protocol; by default every one that shows an orientation.
    start, duration : float
        Counting window after onset (ms).
    overdispersion, progress
        As in :func:`netlib.tuning.fit.fit_tuning`.

    Returns
    -------
    DataFrame, one row per presentation
        ``presentation``, ``orientation`` and ``contrast`` shown, the columns of
        :func:`netlib.tuning.fit.fit_tuning`, ``error`` (signed, deg) and ``absolute_error``.
    """
    cells = check_type("recording", recording, Recording).population(population)
    table = cells.protocol.table
    if presentations is None:
        rows = oriented_rows(cells.protocol)
    else:
        rows = np.arange(len(table))[np.atleast_1d(presentations)]
    counts, durations = response_counts(cells, start, duration)
    lengths = durations[rows]
    if np.ptp(lengths) > 1e-6:
        raise ValueError("presentations last unequally: pass a common duration to count in (ms)")
    place = cells.neurons["orientation"].to_numpy(float)
    fit = fit_tuning(
        place, counts[:, rows].T, float(lengths[0]), overdispersion=overdispersion, progress=progress
    ).reset_index(drop=True)
    shown = table["orientation"].to_numpy(float)[rows]
    fit.insert(0, "presentation", rows)
    fit.insert(1, "orientation", shown)
    fit.insert(2, "contrast", table["contrast"].to_numpy(float)[rows])
    preferred = fit["preferred"].to_numpy(float)
    fit["error"] = signed_distance(preferred, shown)
    fit["absolute_error"] = distance(preferred, shown)
    return fit


# ---------------------------------------------------------------- sampled traces, such as the membrane potential


def trace_means(
    recording: Recording,
    name: str = "v",
    start: float = START,
    duration: float | None = None,
    clip_spikes: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of a trace in each presentation.

    Parameters
    ----------
    recording : Recording
        Traces and protocol.
    name : str
        Which trace.
    start, duration : float
        Window after onset (ms).
    clip_spikes : float
        Time from each spike of a cell that is left out of its mean (ms), such as its refractory period; 0 keeps all.

    Returns
    -------
    cells : ndarray of int, shape (n_traced,)
        Rows of ``recording.neurons``.
    means : ndarray, shape (n_traced, n_presentations)
        In the unit of the trace; NaN where a window holds no sample.

    Raises
    ------
    ValueError
        If no such trace was recorded.
    """
    check_type("recording", recording, Recording)
    check_choice("name", name, recording.traces)
    clip = check_number("clip_spikes", clip_spikes, "ms", 0)
    trace = recording.traces[name]
    # Half-open windows on samples: the first sample at or after the start, up to the end, which is left out.
    windows = counting_windows(recording.protocol, start, duration)
    edges = np.ceil(windows / trace.dt - 1e-6).astype(int)
    edges = np.minimum(edges, trace.values.shape[1])
    keep = _outside_spikes(recording, name, clip) if clip > 0 else None
    means = np.full((len(trace.cells), len(edges)), np.nan)
    for k, (first, stop) in enumerate(edges):
        part = trace.values[:, first:stop]
        if keep is None:
            means[:, k] = part.mean(1) if stop > first else np.nan
            continue
        used = keep[:, first:stop]
        with np.errstate(invalid="ignore", divide="ignore"):
            means[:, k] = np.where(used, part, 0).sum(1) / used.sum(1)
    return np.asarray(trace.cells), means


def _outside_spikes(recording: Recording, name: str, clip: float) -> np.ndarray:
    """Samples (n_traced, n_samples) that no spike of their cell precedes by less than ``clip`` ms."""
    trace = recording.traces[name]
    n_samples = trace.values.shape[1]
    row = np.full(len(recording), -1)
    row[trace.cells] = np.arange(len(trace.cells))
    spiking = row[recording.spike_index]
    mine = spiking >= 0
    times, spiking = recording.spike_time[mine], spiking[mine]
    first = np.minimum(np.ceil(times / trace.dt - 1e-6).astype(int), n_samples)
    stop = np.minimum(np.ceil((times + clip) / trace.dt - 1e-6).astype(int), n_samples)
    change = np.zeros((len(trace.cells), n_samples + 1), np.int32)
    np.add.at(change, (spiking, first), 1)
    np.add.at(change, (spiking, stop), -1)
    return np.cumsum(change, axis=1)[:, :-1] == 0


def fit_trace_tuning(
    recording: Recording,
    name: str = "v",
    population: str = "E",
    start: float = START,
    duration: float | None = None,
    clip_spikes: float = 0.0,
    by: Sequence[str] = (),
    where: Mapping[str, object] | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fit orientation tuning to a trace, with the same profile as for spikes, so that their widths compare.

    Parameters
    ----------
    recording, name, start, duration, clip_spikes
        As in :func:`trace_means`.
    population : str
        Population whose traced cells are fitted.
    by, where
        As in :func:`netlib.tuning.tables.tuning_table`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame, one row per traced cell
        ``cell`` (row of ``recording.population(population).neurons``), ``orientation`` on the ring, the columns of
        ``by`` (``B_theta`` as ``stimulus_B_theta``), and those of :func:`netlib.tuning.fit.fit_tuning_continuous`.
    """
    cells = check_type("recording", recording, Recording).population(population)
    rows, means = trace_means(cells, name, start, duration, clip_spikes)
    shown = cells.protocol.table["orientation"].to_numpy(float)
    place = cells.neurons["orientation"].to_numpy(float)[rows]
    parts = []
    for labels, found in split_conditions(cells.protocol, oriented_rows(cells.protocol, where), by):
        fit = fit_tuning_continuous(shown[found], means[:, found], progress=progress).reset_index(drop=True)
        parts.append(pd.concat([pd.DataFrame({"cell": rows, "orientation": place} | labels), fit], axis=1))
    return pd.concat(parts, ignore_index=True)


# ---------------------------------------------------------------- the bump, without a fit


def population_profile(
    recording: Recording,
    population: str = "E",
    trace: str | None = None,
    bins: int = 24,
    start: float = START,
    duration: float | None = None,
    where: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Response against the distance between a cell's orientation and the shown one.

    Parameters
    ----------
    recording : Recording
        Spikes or traces, and protocol.
    population : str
        Population whose cells are pooled.
    trace : str, optional
        A trace, such as ``"v"``; by default the rate of spikes (Hz).
    bins : int
        Number of bins of distance over 180 degrees.
    start, duration : float
        Window after onset (ms).
    where : dict, optional
        Presentations to keep, by column of the protocol, such as ``{"contrast": 0.1}``.

    Returns
    -------
    DataFrame, one row per bin
        ``distance`` (deg, centre of the bin), ``mean`` and ``sem`` of the response, ``n`` responses.

    Raises
    ------
    ValueError
        If no presentation is left, or no cell of the population was traced.
    """
    check_integer("bins", bins, 4)
    cells = check_type("recording", recording, Recording).population(population)
    shown = oriented_rows(recording.protocol, where)
    if trace is None:
        counts, lengths = response_counts(cells, start, duration)
        which, responses = np.arange(len(cells)), counts / lengths * 1000.0
    else:
        which, responses = trace_means(cells, trace, start, duration)
    own = cells.neurons["orientation"].to_numpy(float)[which]
    theta = recording.protocol.table["orientation"].to_numpy(float)[shown]
    width = 180.0 / bins
    place = np.mod(np.round(signed_distance(own[:, None], theta[None, :]) / width).astype(int), bins)
    responses = responses[:, shown]
    rows = []
    for k in range(bins):
        inside = responses[place == k]
        mean, sem = mean_and_sem(inside) if inside.size else (np.nan, np.nan)
        rows.append({"distance": signed_distance(k * width, 0.0), "mean": mean, "sem": sem, "n": inside.size})
    return pd.DataFrame(rows).sort_values("distance", ignore_index=True)
