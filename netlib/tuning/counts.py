"""Spike counts per presentation, mean tuning curves and peristimulus time histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_orientation, check_type
from netlib.recordings.recording import Recording
from netlib.stimuli.protocol import Protocol

__all__ = [
    "check_counts",
    "check_durations",
    "check_length",
    "check_orientations",
    "counting_windows",
    "mean_and_sem",
    "oriented_rows",
    "psth",
    "psth_of_spikes",
    "response_counts",
    "split_conditions",
    "tuning_curves",
]

#: Time after onset left out by default (ms): the latency and the transient of the response.
START = 50.0


def counting_windows(protocol: Protocol, start: float = START, duration: float | None = None) -> np.ndarray:
    """Windows in which the response to each presentation is counted.

    Parameters
    ----------
    protocol : Protocol
        What was shown when.
    start : float
        Time after onset at which counting starts (ms).
    duration : float, optional
        How long it lasts (ms); by default to the end of the presentation.

    Returns
    -------
    ndarray, shape (n_presentations, 2)
        Start and end of each window (ms).

    Raises
    ------
    ValueError
        If a window would be empty or outlast its presentation.
    """
    windows = check_type("protocol", protocol, Protocol).windows().astype(float)
    shortest = float((windows[:, 1] - windows[:, 0]).min())
    start = check_number("start", start, "ms", 0, shortest, high_open=True)
    first = windows[:, 0] + start
    if duration is None:
        return np.column_stack([first, windows[:, 1]])
    duration = check_number("duration", duration, "ms", 0, shortest - start + 1e-9, low_open=True)
    return np.column_stack([first, first + duration])


def response_counts(
    recording: Recording, start: float = START, duration: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of each cell in each presentation, and the time counted.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    start, duration : float
        Counting window after onset (ms), as in :func:`counting_windows`.

    Returns
    -------
    counts : ndarray of int, shape (n_cells, n_presentations)
    durations : ndarray, shape (n_presentations,)
        Time counted in each presentation (ms).
    """
    windows = counting_windows(check_type("recording", recording, Recording).protocol, start, duration)
    return recording.counts(windows), windows[:, 1] - windows[:, 0]


def oriented_rows(protocol: Protocol, where: Mapping[str, object] | None = None) -> np.ndarray:
    """Rows of the protocol that show an orientation and match ``where`` (column: value)."""
    table = protocol.table
    keep = table["orientation"].notna().to_numpy()
    for column, value in (where or {}).items():
        check_choice("where", column, list(table.columns))
        values = table[column].to_numpy()
        close = np.isclose(values.astype(float), float(value)) if isinstance(value, (int, float)) else values == value
        keep = keep & close
    rows = np.flatnonzero(keep)
    if not rows.size:
        raise ValueError(f"where = {dict(where or {})!r}: no presentation with an orientation matches")
    return rows


def split_conditions(protocol: Protocol, rows: np.ndarray, by: Sequence[str]) -> list[tuple[dict, np.ndarray]]:
    """Split the rows by the columns of ``by``, refusing to pool contrasts or bandwidths unasked."""
    table = protocol.table.iloc[rows]
    by = (by,) if isinstance(by, str) else tuple(by)
    for column in by:
        check_choice("by", column, list(table.columns))
    for column in ("contrast", "B_theta", "stimulus"):
        levels = table[column].nunique(dropna=False)
        if column not in by and levels > 1:
            raise ValueError(
                f"the protocol holds {levels} values of {column!r}: pass by=({column!r},) for a curve at each, "
                f"or where={{{column!r}: value}} for one"
            )
    if not by:
        return [({}, rows)]
    # A fit has columns B_theta and orientation of its own.
    names = [f"stimulus_{column}" if column in ("B_theta", "orientation") else column for column in by]
    groups = table.groupby(list(by), dropna=False, sort=True).indices.items()
    return [
        (dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True)), rows[found]) for key, found in groups
    ]


def mean_and_sem(values: np.ndarray, axis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """Mean along an axis and its standard error (NaN for a single value), leaving NaN out."""
    known = np.isfinite(values)
    n = known.sum(axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis) / n
        square = np.where(known, (values - np.expand_dims(mean, axis)) ** 2, 0).sum(axis)
        return mean, np.sqrt(square / np.where(n > 1, n - 1, np.nan) / n)


def tuning_curves(
    recording: Recording,
    by: str = "orientation",
    group: Sequence[str] = (),
    start: float = START,
    duration: float | None = None,
) -> pd.DataFrame:
    """Mean rate of each cell at each value of a stimulus parameter.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    by : str
        Column of the protocol table along which the curve runs. Presentations where it is NaN are left out.
    group : sequence of str
        Further columns that give separate curves, such as ``["contrast"]``.
    start, duration : float
        Counting window after onset (ms).

    Returns
    -------
    DataFrame
        One row per cell and condition: ``cell``, the columns of ``group``, ``by``, ``rate`` (Hz), ``sem`` (Hz;
        NaN for one presentation) and ``n`` presentations.

    Raises
    ------
    ValueError
        If a column is unknown or holds NaN only.
    """
    counts, durations = response_counts(recording, start, duration)
    table = recording.protocol.table
    group = (group,) if isinstance(group, str) else tuple(group)
    columns = [*group, by]
    for column in columns:
        check_choice("by" if column == by else "group", column, list(table.columns))
    shown = table[columns].notna().all(axis=1).to_numpy()
    if not shown.any():
        raise ValueError(f"by = {by!r}: no presentation has a value there")
    rates = 1000.0 * counts / durations
    parts = []
    for key, rows in table[shown].groupby(columns, sort=True).indices.items():
        mean, sem = mean_and_sem(rates[:, shown][:, rows])
        key = key if isinstance(key, tuple) else (key,)
        part = {"cell": np.arange(len(recording))} | dict(zip(columns, key, strict=True))
        parts.append(pd.DataFrame(part | {"rate": mean, "sem": sem, "n": len(rows)}))
    return pd.concat(parts).sort_values(["cell", *columns]).reset_index(drop=True)


def psth_of_spikes(
    spike_time: ArrayLike,
    events: ArrayLike,
    window: tuple[float, float],
    bin: float = 10.0,
    n_cells: int = 1,
    duration: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peristimulus time histogram of pooled spikes around events.

    Parameters
    ----------
    spike_time : array_like, shape (n_spikes,)
        Times of the spikes of all cells together (ms), in any order.
    events : array_like, shape (n_events,)
        Times to align on (ms).
    window : tuple of float
        Start and end relative to the event (ms).
    bin : float
        Width of a bin (ms); the window holds a whole number of them.
    n_cells : int
        How many cells the spikes belong to.
    duration : float, optional
        Length of the recording (ms): a bin that leaves it counts as missing, not as silence.

    Returns
    -------
    time : ndarray, shape (n_bins,)
        Centres of the bins (ms from the event).
    rate : ndarray, shape (n_bins,)
        Mean rate per cell (Hz).
    sem : ndarray, shape (n_bins,)
        Standard error over events (Hz; NaN for a single event).
    """
    times = np.sort(check_array("spike_time", spike_time, "ms", ndim=1)) if np.size(spike_time) else np.empty(0)
    events = check_array("events", events, "ms", ndim=1)
    bin = check_number("bin", bin, "ms", 0, low_open=True)
    n_cells = check_integer("n_cells", n_cells, 1, unit="cells")
    low, high = check_array("window", window, "ms", ndim=1)
    n_bins = round((high - low) / bin)
    if n_bins < 1 or abs(n_bins * bin - (high - low)) > 1e-6 * bin:
        raise ValueError(f"window = ({low:g}, {high:g}) ms does not hold a whole number of bins of {bin:g} ms")
    offsets = low + bin * np.arange(n_bins + 1)
    edges = events[:, None] + offsets
    # A nanosecond of slack: onset + k * bin must not fall just beyond a spike on the edge by rounding.
    counts = np.diff(np.searchsorted(times, edges - 1e-6), axis=1).astype(float)
    inside = edges[:, :-1] >= -1e-6
    if duration is not None:
        inside &= edges[:, 1:] <= check_number("duration", duration, "ms", 0, low_open=True) + 1e-6
    rate, sem = mean_and_sem(np.where(inside, counts, np.nan) * 1000.0 / (bin * n_cells), axis=0)
    return offsets[:-1] + bin / 2, rate, sem


def psth(
    recording: Recording,
    population: str | None = None,
    bin: float = 10.0,
    align: str = "onset",
    window: tuple[float, float] | None = None,
    presentations: ArrayLike | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Peristimulus time histogram of a population, averaged over its cells and over presentations.

    Parameters
    ----------
    recording : Recording
        Spikes and protocol.
    population : str, optional
        Population to take; by default all units.
    bin : float
        Width of a bin (ms).
    align : {"onset", "offset"}
        Moment of each presentation that is time 0.
    window : tuple of float, optional
        Start and end relative to it (ms); by default from 0 to the shortest presentation, in whole bins.
    presentations : array_like, optional
        Rows of the protocol to use (boolean or index); by default all.

    Returns
    -------
    time, rate, sem : ndarray, shape (n_bins,)
        As in :func:`psth_of_spikes`.
    """
    check_type("recording", recording, Recording)
    check_choice("align", align, ("onset", "offset"))
    bin = check_number("bin", bin, "ms", 0, low_open=True)
    cells = recording if population is None else recording.population(population)
    shown = recording.protocol.windows()
    shown = shown if presentations is None else shown[np.asarray(presentations)]
    if not len(shown):
        raise ValueError("presentations selects no row of the protocol: it must select at least one")
    if window is None:
        window = (0.0, bin * max(1, np.floor((shown[:, 1] - shown[:, 0]).min() / bin + 1e-9)))
    events = shown[:, 0 if align == "onset" else 1]
    return psth_of_spikes(cells.spike_time, events, window, bin, len(cells), recording.duration)


# ---------------------------------------------------------------- checks


def check_orientations(name: str, value: ArrayLike, distinct: int = 5) -> np.ndarray:
    """Return orientations wrapped to [0, 180) degrees, or raise an error that names them.

    Raises
    ------
    ValueError
        If one is NaN, out of [-360, 360] degrees or looks like radians, or if fewer than ``distinct`` differ.

    Examples
    --------
    >>> check_orientations("orientations", np.linspace(0, np.pi, 8, endpoint=False))
    Traceback (most recent call last):
    ...
    ValueError: orientations[1] = 0.39269908169872414 deg looks like radians (22.5 deg): orientations are in degrees, \
in [0, 180) deg
    """
    raw = check_array(name, value, "deg", -360, 360, ndim=1)
    levels, first, inverse = np.unique(raw, return_index=True, return_inverse=True)
    checked = np.array([check_orientation(f"{name}[{i}]", float(raw[i])) for i in first])
    if len(levels) >= 5 and np.abs(levels).max() < 2 * np.pi + 1e-6:
        raise ValueError(
            f"{name} runs from {levels[0]:g} to {levels[-1]:g} deg: it looks like radians; "
            "orientations are in degrees, in [0, 180) deg"
        )
    wrapped = np.mod(np.round(checked, 9), 180.0)[inverse]
    found = len(np.unique(wrapped))
    if found < distinct:
        raise ValueError(f"{name} holds {found} distinct orientations: a fit needs at least {distinct} of them")
    return wrapped


def check_counts(name: str, value: ArrayLike, n_presentations: int) -> np.ndarray:
    """Return spike counts as floats of shape (n_cells, n_presentations), or raise an error that names them.

    Raises
    ------
    ValueError
        If a count is negative, NaN or not whole, or if the shape is wrong.
    """
    counts = check_array(name, value, "spikes", 0, ndim=2)
    check_length(name, counts, n_presentations)
    broken = counts != np.round(counts)
    if broken.any():
        where = tuple(int(i) for i in np.argwhere(broken)[0])
        raise ValueError(
            f"{name}[{where[0]}, {where[1]}] = {counts[where]:g} spikes is not a whole number: "
            "it must be a count in [0, inf) spikes"
        )
    return counts


def check_length(name: str, values: np.ndarray, n_presentations: int) -> None:
    """Refuse values (n_cells, n) whose n is not the number of presentations."""
    if values.shape[1] != n_presentations:
        raise ValueError(
            f"{name} has {values.shape[1]} columns (shape {values.shape}): it must have one for each of the "
            f"{n_presentations} orientations presented"
        )


def check_durations(duration: ArrayLike, n: int) -> np.ndarray:
    """Return the time counted in each of ``n`` presentations (ms), from one number or one for each."""
    if np.ndim(duration) == 0:
        return np.full(n, check_number("duration", duration, "ms", 0, low_open=True))
    durations = check_array("duration", duration, "ms", 0, ndim=1)
    if len(durations) != n:
        raise ValueError(f"duration has {len(durations)} values: it must be one number, or one per presentation ({n})")
    for i in np.flatnonzero(durations == 0)[:1]:
        check_number(f"duration[{i}]", 0.0, "ms", 0, low_open=True)
    return durations
