"""Mean activity around the shown orientation, over cells and presentations: the bump, without a model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from netlib.analysis.counts import START, mean_and_sem, oriented_rows, response_counts
from netlib.analysis.membrane import trace_means
from netlib.orientation import signed_distance
from netlib.recordings.recording import Recording
from netlib.units import check_integer, check_type

__all__ = ["population_profile"]


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
