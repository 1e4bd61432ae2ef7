"""Reading the orientation of the stimulus out of a population's spikes, and how far off the reading is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.analysis.counts import START, response_counts
from netlib.orientation import signed_distance
from netlib.recordings.recording import Recording
from netlib.units import check_array, check_type

__all__ = ["CHANCE", "decode_recording", "decoding_error", "population_vector"]

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
    decoded = np.mod(np.degrees(np.angle(vector)) / 2, 180.0)
    decoded = np.where(decoded >= 180.0, 0.0, decoded)
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
