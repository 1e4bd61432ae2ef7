"""Spikes sorted into bins of time and of place on the ring, to be drawn."""

from __future__ import annotations

import numpy as np

from netlib.recordings.recording import Recording
from netlib.units import check_array, check_choice, check_integer, check_number, check_type

__all__ = [
    "check_populations",
    "check_window",
    "ring_place",
    "ring_rates",
    "shown_in",
    "space_time_rates",
    "spikes_in",
    "time_edges",
]

#: Most places on the ring that are drawn: 5 degrees each.
PLACES = 36


def check_window(recording: Recording, window: object | None) -> tuple[float, float]:
    """Start and end (ms) of what is drawn: ``window``, or the whole recording."""
    check_type("recording", recording, Recording)
    if window is None:
        return 0.0, recording.duration
    ends = check_array("window", window, "ms", 0, recording.duration, ndim=1)
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError(f"window = {window!r} is not a stretch of time: it must be (start, end) in ms, start < end")
    return float(ends[0]), float(ends[1])


def check_populations(recording: Recording, populations: object | None, default: object | None = None) -> list[str]:
    """Names of the populations to draw: those asked for, or the default ones that exist, or all."""
    if populations is None:
        known = [name for name in (default or recording.populations) if name in recording.populations]
        return known or recording.populations
    names = [populations] if isinstance(populations, str) else list(populations)
    if not names:
        raise ValueError("populations is empty: it must name at least one population")
    return [check_choice("populations", name, recording.populations) for name in names]


def time_edges(start: float, stop: float, width: float) -> np.ndarray:
    """Edges of bins of ``width`` from start to stop (ms); the last bin may be shorter."""
    width = check_number("bin", width, "ms", 0, stop - start, low_open=True)
    n = int(np.ceil((stop - start) / width - 1e-9))
    return np.append(start + width * np.arange(n), stop)


def spikes_in(recording: Recording, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit and time of the spikes in [start, stop) ms."""
    first, last = np.searchsorted(recording.spike_time, (start, stop), side="left")
    return recording.spike_index[first:last], recording.spike_time[first:last]


def ring_place(recording: Recording, places: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place on the ring of each unit, among ``places`` centred on 0, 180/places, ... degrees.

    Returns
    -------
    place : ndarray of int, shape (n_units,)
    centres : ndarray, shape (places,)
        Orientation (deg).
    cells : ndarray of int, shape (places,)
        How many units each place holds.
    """
    orientation = recording.neurons["orientation"].to_numpy(float)
    if not np.isfinite(orientation).all():
        raise ValueError(
            f"orientation is unknown for {(~np.isfinite(orientation)).sum()} of {len(recording)} units: "
            "every unit needs a place on the ring (deg)"
        )
    n = min(PLACES, len(recording)) if places is None else check_integer("places", places, 3, 720)
    place = np.floor(orientation / (180.0 / n) + 0.5 + 1e-9).astype(int) % n
    return place, 180.0 * np.arange(n) / n, np.bincount(place, minlength=n)


def ring_rates(recording: Recording, windows: np.ndarray, places: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean rate per cell at each place on the ring in each window.

    Returns
    -------
    centres : ndarray, shape (places,)
        Orientation (deg).
    rates : ndarray, shape (places, n_windows)
        Hz; NaN where a place holds no cell.
    """
    place, centres, cells = ring_place(recording, places)
    sums = np.zeros((len(centres), len(windows)))
    np.add.at(sums, place, recording.counts(windows))
    seconds = np.diff(windows, axis=1).ravel() / 1000.0
    with np.errstate(invalid="ignore"):
        return centres, sums / cells[:, None] / seconds


def space_time_rates(
    recording: Recording, edges: np.ndarray, places: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`ring_rates` for the adjacent bins of time between ``edges`` (ms), in one pass."""
    place, centres, cells = ring_place(recording, places)
    index, time = spikes_in(recording, edges[0], edges[-1])
    bins = len(edges) - 1
    when = np.searchsorted(edges, time, side="right") - 1
    counts = np.bincount(place[index] * bins + when, minlength=len(centres) * bins).reshape(len(centres), bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        return centres, counts / cells[:, None] / (np.diff(edges) / 1000.0)


def shown_in(recording: Recording, start: float, stop: float) -> list[tuple[float, float, float]]:
    """Presentations that overlap [start, stop): (onset, offset, orientation), times cut to the stretch (ms, deg)."""
    windows = recording.protocol.windows()
    angles = recording.protocol.table["orientation"].to_numpy(float)
    seen = (windows[:, 0] < stop) & (windows[:, 1] > start)
    return [
        (max(on, start), min(off, stop), float(angle))
        for (on, off), angle in zip(windows[seen], angles[seen], strict=True)
    ]
