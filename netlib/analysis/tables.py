"""Tuning of recordings: one tidy table for cells, one for the profile of activity on the ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from netlib.analysis.counts import START, counting_windows, oriented_rows, response_counts, split_conditions
from netlib.analysis.selectivity import circular_variance, direction_index, half_width, orientation_index
from netlib.analysis.spiking import fano_factor, isi_cv
from netlib.analysis.tuning import fit_tuning
from netlib.orientation import distance, signed_distance
from netlib.recordings.recording import Recording
from netlib.units import check_type

__all__ = ["fit_population", "tuning_table"]


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
        As in :func:`netlib.analysis.tuning.fit_tuning`.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Returns
    -------
    DataFrame
        ``cell`` (row of ``recording.population(population).neurons``), ``population``, ``orientation`` (place on the
        ring, deg) and the columns of ``by`` (``B_theta`` as ``stimulus_B_theta``); the columns of
        :func:`netlib.analysis.tuning.fit_tuning`; then, without a fit, ``rate`` (Hz, mean over orientations),
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
        As in :func:`netlib.analysis.tuning.fit_tuning`.

    Returns
    -------
    DataFrame, one row per presentation
        ``presentation``, ``orientation`` and ``contrast`` shown, the columns of
        :func:`netlib.analysis.tuning.fit_tuning`, ``error`` (signed, deg) and ``absolute_error``.
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
