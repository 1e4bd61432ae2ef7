"""Orientation tuning of sampled traces, such as the membrane potential."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from netlib.analysis.counts import START, counting_windows, oriented_rows, split_conditions
from netlib.analysis.tuning import fit_tuning_continuous
from netlib.recordings.recording import Recording
from netlib.units import check_choice, check_number, check_type

__all__ = ["fit_trace_tuning", "trace_means"]


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
        As in :func:`netlib.analysis.tables.tuning_table`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame, one row per traced cell
        ``cell`` (row of ``recording.population(population).neurons``), ``orientation`` on the ring, the columns of
        ``by`` (``B_theta`` as ``stimulus_B_theta``), and those of :func:`netlib.analysis.tuning.fit_tuning_continuous`.
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
