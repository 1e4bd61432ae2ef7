"""Two-photon recordings in Neurodata Without Borders (NWB) files of anybody, read as recordings.

Also what readers of other formats share: :func:`roi_recording` makes a recording of traces of regions of interest
(ROIs), with their checks, and :func:`interval_protocol` a protocol of a table of intervals of time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_number, check_orientation
from netlib.recordings.nwb import import_pynwb
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import COLUMNS, Protocol

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ophys import RoiResponseSeries

__all__ = [
    "frame_clock",
    "interval_protocol",
    "list_series",
    "plain_columns",
    "read_ophys",
    "roi_columns",
    "roi_recording",
    "series_samples",
    "trace_names",
]

#: What the name of a series, or of its container, says of it.
KINDS = (
    ("dff", ("dfoverf", "df_over_f", "dff")),
    ("neuropil", ("neuropil",)),
    ("events", ("deconv", "event", "spike")),
    ("denoised", ("denoised",)),
)
#: Columns that name what was shown, the first that a table holds.
STIMULUS_NAMES = ("stimulus", "stimulus_name", "stimulus_type", "stimulus_template_name")


def list_series(path: str | os.PathLike) -> list[str]:
    """Places of the series of ROI responses in an NWB file, such as ``"ophys/DfOverF/RoiResponseSeries"``."""
    pynwb = import_pynwb()
    with _opened(pynwb, path) as io:
        return list(_all_series(_read(io, path)))


def read_ophys(
    path: str | os.PathLike,
    series: str | Sequence[str] | None = None,
    *,
    intervals: str | None = None,
    resample: bool = False,
    tolerance: float = 0.1,
    centroids: bool = True,
    allow_nan: bool = False,
) -> Recording:
    """Read the traces of ROIs in any NWB file, with what was shown.

    Parameters
    ----------
    path : path
        The file.
    series : str or sequence of str, optional
        Which RoiResponseSeries: name, name of its container, or place (see :func:`list_series`). By default the
        only one in a DfOverF, or else the only one.
    intervals : str, optional
        Name of the table of intervals that becomes the protocol; by default the trials, or else the only one.
        Without any: one presentation "unknown". Columns of more than one value per row are left out.
    resample : bool
        Interpolate traces with irregular timestamps linearly to regular ones, which is otherwise refused.
    tolerance : float
        By how many frames a timestamp may miss the regular grid.
    centroids : bool
        Find the centroid of each ROI from its mask; slow for thousands of large masks.
    allow_nan : bool
        Take traces that hold NaN.

    Returns
    -------
    Recording
        Traces "dff", "fluorescence", "neuropil", "events" or "denoised", by the name of the series; neurons with
        ``id``, centroid ``x`` and ``y`` (pixels; masks are taken as (y, x)) and the plain columns of the ROI table.
        Time 0 is the first frame; its time in the file (s) and the number of dropped intervals are in the
        provenance.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, has no (or several) such series, irregular timestamps, NaN, or contradicts itself.
    """
    pynwb = import_pynwb()
    tolerance = check_number("tolerance", tolerance, "frames", 0, 0.5)
    with _opened(pynwb, path) as io:
        file = _read(io, path)
        known = _all_series(file)
        places = _chosen(known, series, path)
        try:
            parts = [series_samples(place, known[place], tolerance, resample) for place in places]
            regions = [np.asarray(known[place].rois.data[:], dtype=int) for place in places]
            table = known[places[0]].rois.table
            neurons = roi_columns(table, regions[0], centroids)
            shown, plain = _intervals(file, intervals)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"path = {str(path)!r} is not a whole NWB file ({error})") from error
        facts = {
            "file": Path(path).name,
            "identifier": file.identifier,
            "session_id": file.session_id,
            "series": places,
            "intervals": shown,
        }
        same = all(known[place].rois.table is table for place in places)
    _, start, rate, _ = parts[0]
    for place, region, (_, other, other_rate, _) in zip(places, regions, parts, strict=True):
        if not same or not np.array_equal(region, regions[0]):
            raise ValueError(f"series {place!r} is of other ROIs than {places[0]!r}: read them one by one")
        if abs(other - start) * rate > tolerance or abs(other_rate / rate - 1) > 1e-6:
            raise ValueError(f"series {place!r} runs on another clock than {places[0]!r}: read them one by one")
    names = trace_names(places, [type(known[place].parent).__name__ for place in places])
    traces = {name: (values, _unit(name, unit)) for name, (values, _, _, unit) in zip(names, parts, strict=True)}
    duration = parts[0][0].shape[1] * 1000.0 / rate
    protocol, dropped = None, 0
    if plain is not None:
        protocol, dropped = interval_protocol(plain, start, duration, slack=1000.0 / rate)
    facts |= {"start_time": start, "dropped_intervals": dropped}
    return roi_recording(traces, rate, neurons, protocol=protocol, provenance=facts, allow_nan=allow_nan)


def roi_recording(
    traces: Mapping[str, tuple[np.ndarray, str]],
    rate: float,
    neurons: Mapping[str, Any],
    *,
    protocol: Protocol | None = None,
    provenance: Mapping[str, Any] | None = None,
    allow_nan: bool = False,
) -> Recording:
    """Recording without spikes of units that are all of the population "roi".

    Parameters
    ----------
    traces : mapping of (ndarray, str)
        Samples, shape (n_rois, n_frames), and unit of each trace, by name.
    rate : float
        Frames per second (Hz).
    neurons : mapping of array_like
        Columns of the neuron table beside ``population`` and ``orientation`` (NaN), one value per ROI.
    protocol : Protocol, optional
        What was shown; by default one presentation "unknown" as long as the recording.
    provenance : mapping, optional
        Where the traces come from.
    allow_nan : bool
        Take traces that hold NaN or infinities, which are refused by default.

    Raises
    ------
    ValueError
        If the traces are empty, differ in shape, or hold NaN.

    Examples
    --------
    >>> r = roi_recording({"dff": (np.zeros((2, 60)), "dF/F")}, 30.0, {"id": [7, 9]})
    >>> r.duration, r.neurons["id"].tolist(), r.protocol.table["stimulus"].tolist()
    (2000.0, [7, 9], ['unknown'])
    """
    dt = 1000.0 / check_number("rate", rate, "Hz", 0, low_open=True)
    if not traces:
        raise ValueError("traces is empty: a recording of ROIs must hold at least one trace")
    shapes = {name: np.shape(values) for name, (values, _) in traces.items()}
    shape = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or len(shape) != 2:
        raise ValueError(f"traces have the shapes {shapes}: all must be (n_rois, n_frames), the same for all")
    if not shape[0] or not shape[1]:
        raise ValueError(f"traces have the shape {shape}: there must be at least one ROI and one frame")
    cells = np.arange(shape[0])
    made = {}
    for name, (values, unit) in traces.items():
        bad = ~np.isfinite(values)
        if bad.any() and not allow_nan:
            roi, frame = np.argwhere(bad)[0]
            raise ValueError(
                f"trace {name!r} holds {bad.sum()} values that are not finite, in {bad.any(axis=1).sum()} ROIs; the "
                f"first is in ROI {roi} at frame {frame}: pass allow_nan=True to read them all the same"
            )
        made[name] = Trace(np.ascontiguousarray(values), cells, dt, unit)
    duration = shape[1] * 1000.0 / rate
    if protocol is None:
        protocol = Protocol(pd.DataFrame({"onset": [0.0], "duration": [duration]}))
    return Recording(
        neurons=pd.DataFrame({"population": "roi", "orientation": np.full(shape[0], np.nan), **neurons}),
        spike_index=np.zeros(0, np.int32),
        spike_time=np.zeros(0),
        duration=duration,
        protocol=protocol,
        traces=made,
        provenance=dict(provenance or {}),
    )


def interval_protocol(
    intervals: pd.DataFrame, start: float, duration: float, *, slack: float = 0.0
) -> tuple[Protocol, int]:
    """Protocol from intervals in seconds, on the clock of a recording.

    Parameters
    ----------
    intervals : DataFrame
        Columns ``start_time`` and ``stop_time`` (s), and any others. Columns that a protocol has too
        (``orientation`` in deg, ``contrast`` from 0 to 1, ``trial``...) are taken over where their values are legal
        there; where some are not, these get the default and the whole column is kept as ``<name>_file``.
    start : float
        Start of the recording on the clock of the intervals (s).
    duration : float
        Length of the recording (ms).
    slack : float
        By how much a presentation may run into the next, and is then cut (ms), such as one frame.

    Returns
    -------
    protocol : Protocol
        The intervals within the recording, in order; a single "unknown" where there is none.
    dropped : int
        Intervals left out: not within the recording, empty, or with NaN for a time.

    Raises
    ------
    ValueError
        If intervals overlap by more than ``slack``.

    Examples
    --------
    >>> table = pd.DataFrame({"start_time": [9.0, 10.5], "stop_time": [9.5, 11.0], "orientation": [0, 45]})
    >>> protocol, dropped = interval_protocol(table, start=10.0, duration=5000.0)
    >>> protocol.table[["onset", "duration", "orientation"]].to_numpy().tolist(), dropped
    ([[500.0, 500.0, 45.0]], 1)
    """
    onset = (intervals["start_time"].to_numpy(float) - start) * 1000.0
    stop = (intervals["stop_time"].to_numpy(float) - start) * 1000.0
    keep = (onset > -1e-6) & (stop < duration + slack + 1e-6) & (stop > onset)
    onset, stop = np.maximum(onset[keep], 0.0), np.minimum(stop[keep], duration)
    order = np.argsort(onset, kind="stable")
    onset, stop = onset[order], stop[order]
    dropped = int(len(keep) - keep.sum())
    if not len(onset):
        return Protocol(pd.DataFrame({"onset": [0.0], "duration": [duration]})), dropped
    late = (stop[:-1] > onset[1:]) & (stop[:-1] <= onset[1:] + slack) & (onset[1:] > onset[:-1])
    stop[:-1][late] = onset[1:][late]
    table = intervals.drop(columns=["start_time", "stop_time"])[keep].iloc[order].reset_index(drop=True)
    table = _adopted(table)
    table.insert(0, "onset", onset)
    table.insert(1, "duration", stop - onset)
    return Protocol(table, duration=max(duration, float(stop.max()))), dropped


def _adopted(table: pd.DataFrame) -> pd.DataFrame:
    """Table whose columns a protocol takes: what is not legal there moves to ``<name>_file``."""
    taken: dict[str, object] = {}
    stimulus = next((name for name in STIMULUS_NAMES if name in table.columns), None)
    if stimulus is not None:
        taken["stimulus"] = table[stimulus].astype(str)
    for name in table.columns:
        if name == "stimulus":
            continue
        if name not in COLUMNS:
            taken[name] = table[name]
            continue
        if name in ("onset", "duration"):
            taken[f"{name}_file"] = table[name]
            continue
        values = pd.to_numeric(table[name], errors="coerce").astype(float)
        legal = np.array([_legal(name, value) for value in values])
        taken[name] = values.where(legal, COLUMNS[name])
        if not legal.all():
            taken[f"{name}_file"] = table[name]
    return pd.DataFrame(taken, index=table.index)


def _legal(name: str, value: float) -> bool:
    if np.isnan(value):
        return False
    if name == "orientation":
        try:
            check_orientation(name, value)
        except ValueError:
            return False
        return True
    low, high = {"contrast": (0, 1), "direction": (-360, 360)}.get(name, (0, np.inf))
    return low <= value <= high


# ---------------------------------------------------------------- parts of a file


def _unit(name: str, unit: str) -> str:
    return "dF/F" if name == "dff" and "%" not in unit else unit


def _opened(pynwb: Any, path: str | os.PathLike) -> Any:
    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r} is not a file")
    try:
        return pynwb.NWBHDF5IO(path, "r")
    except Exception as error:  # what is raised depends on where the file is damaged
        raise ValueError(f"path = {str(path)!r} is not a whole NWB file: {error}") from error


def _read(io: Any, path: str | os.PathLike) -> NWBFile:
    try:
        return io.read()
    except Exception as error:  # as above
        raise ValueError(f"path = {str(path)!r} is not a whole NWB file: {error}") from error


def _all_series(file: NWBFile) -> dict[str, RoiResponseSeries]:
    from pynwb.ophys import RoiResponseSeries

    found = {}
    for item in file.objects.values():
        if isinstance(item, RoiResponseSeries):
            names, place = [item.name], item.parent
            while place is not None and place.parent is not None:
                names.append(place.name)
                place = place.parent
            found["/".join(reversed(names))] = item
    return dict(sorted(found.items()))


def _chosen(known: dict[str, Any], series: str | Sequence[str] | None, path: str | os.PathLike) -> list[str]:
    if not known:
        raise ValueError(f"path = {str(path)!r} holds no RoiResponseSeries: there is nothing to read")
    if series is None:
        first = [place for place in known if type(known[place].parent).__name__ == "DfOverF"] or list(known)
        if len(first) > 1:
            raise ValueError(f"path = {str(path)!r} holds several series: pass series, of {list(known)}")
        return first
    chosen = []
    for name in [series] if isinstance(series, str) else series:
        match = [name] if name in known else [place for place in known if f"/{name}/" in f"/{place}/"]
        if len(match) != 1:
            what = "matches several" if match else "is unknown"
            raise ValueError(f"series = {name!r} {what}: it must be one of {list(known)}")
        chosen += match
    return chosen


def _intervals(file: NWBFile, name: str | None) -> tuple[str | None, pd.DataFrame | None]:
    """Name and plain columns of the table of intervals to use."""
    tables = dict(file.intervals or {})
    tables |= {key: table for key, table in (("trials", file.trials), ("epochs", file.epochs)) if table is not None}
    tables = {key: table for key, table in tables.items() if len(table) and key != "invalid_times"}
    if name is not None and name not in tables:
        raise ValueError(f"intervals = {name!r} is unknown: it must be one of {sorted(tables)}")
    if name is None:
        if len(tables) > 1 and "trials" not in tables:
            raise ValueError(f"the file holds several tables of intervals: pass intervals, one of {sorted(tables)}")
        name = "trials" if "trials" in tables else next(iter(tables), None)
    if name is None:
        return None, None
    return name, pd.DataFrame(plain_columns(tables[name]))


# ---------------------------------------------------------------- series and tables of ROIs


def frame_clock(
    name: str, n: int, rate: float | None, start: float | None, timestamps: Any, tolerance: float = 0.1
) -> tuple[float, float, np.ndarray | None]:
    """Regular clock of a series, from its rate or its timestamps.

    Parameters
    ----------
    name : str
        Name of the series, for messages.
    n : int
        Number of frames.
    rate, start : float or None
        Frames per second (Hz) and time of the first (s), where there are no timestamps.
    timestamps : array_like, shape (n,), or None
        Time of each frame (s).
    tolerance : float
        By how many frames a timestamp may miss the regular grid.

    Returns
    -------
    start, rate : float
        Time of the first frame (s) and frames per second (Hz).
    irregular : ndarray or None
        The timestamps, where they miss the grid by more than that.

    Raises
    ------
    ValueError
        If there is neither, or the timestamps are too few, not finite or not increasing.

    Examples
    --------
    >>> frame_clock("dff", 4, None, None, [1.0, 1.25, 1.5, 1.75])[:2]
    (1.0, 4.0)
    """
    if timestamps is None:
        if rate is None:
            raise ValueError(f"series {name!r} has neither a rate nor timestamps")
        return float(start or 0.0), check_number(f"rate of {name}", float(rate), "Hz", 0, low_open=True), None
    times = check_array(f"timestamps of {name}", timestamps, "s", ndim=1)
    if len(times) != n or n < 2:
        raise ValueError(
            f"series {name!r} has {len(times)} timestamps for {n} frames: it must have one each, at least 2"
        )
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0))
        raise ValueError(f"timestamps of {name}[{k + 1}] = {times[k + 1]:g} s does not come after {times[k]:g} s")
    mean = (times[-1] - times[0]) / (n - 1)
    miss = np.abs(times - times[0] - mean * np.arange(n)).max() / mean
    if miss <= tolerance:
        return float(times[0]), float(1.0 / mean), None
    return float(times[0]), 1.0 / float(np.median(steps)), times


def series_samples(
    place: str, series: RoiResponseSeries, tolerance: float, resample: bool
) -> tuple[np.ndarray, float, float, str]:
    """Samples (rois, frames) of a series, time of the first (s), rate (Hz) and unit."""
    values = np.asarray(series.data[:])
    n_rois = len(series.rois.data)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape[1] != n_rois and values.shape[0] == n_rois:
        values = values.T  # some programs write ROIs first
    if values.shape[1] != n_rois:
        raise ValueError(f"series {place!r} has the shape {values.shape}: it must be (frames, {n_rois} ROIs)")
    if series.conversion not in (None, 1.0) or series.offset:
        values = values * series.conversion + series.offset
    timestamps = None if series.timestamps is None else np.asarray(series.timestamps[:])
    start, rate, irregular = frame_clock(place, len(values), series.rate, series.starting_time, timestamps, tolerance)
    values = values.T
    if irregular is not None:
        if not resample:
            gap = np.diff(irregular).max()
            raise ValueError(
                f"timestamps of {place} are irregular (steps of {1 / rate:.6g} s, the longest {gap:.6g} s): "
                "pass resample=True to interpolate them"
            )
        grid = np.arange(start, irregular[-1] + 1e-9, 1.0 / rate)
        values = np.stack([np.interp(grid, irregular, row) for row in values])
    return values, start, rate, series.unit


def trace_names(places: list[str], containers: list[str]) -> list[str]:
    """Name of the trace of each series by what it is, or its place in the file where several are the same.

    Examples
    --------
    >>> trace_names(["ophys/DfOverF/RoiResponseSeries", "ophys/Neuropil/plane0"], ["DfOverF", "Fluorescence"])
    ['dff', 'neuropil']
    """
    kinds = []
    for place, container in zip(places, containers, strict=True):
        text = f"{container}/{place}".lower()
        kinds.append(next((kind for kind, words in KINDS if any(word in text for word in words)), "fluorescence"))
    return [kind if kinds.count(kind) == 1 else place for kind, place in zip(kinds, places, strict=True)]


def roi_columns(table: Any, rows: np.ndarray, centroids: bool) -> dict[str, np.ndarray]:
    """Columns of the neurons: id, centroid, and the plain columns of the ROI table."""
    neurons = {"id": np.asarray(table.id[:])[rows]}
    if centroids:
        x, y = _centroids(table, rows)
        neurons |= {"x": x, "y": y}
    for name, values in plain_columns(table).items():
        taken = name in neurons or name in ("population", "orientation")
        neurons[f"{name}_file" if taken else name] = values[rows]
    return neurons


def _centroids(table: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = np.full((len(rows), 2), np.nan)
    kind = next((name for name in ("pixel_mask", "voxel_mask", "image_mask") if name in table.colnames), None)
    for k, row in enumerate(rows if kind else []):
        mask = table[kind][int(row)]
        if kind == "image_mask":
            y, x = np.nonzero(np.asarray(mask) if np.ndim(mask) == 2 else np.max(mask, axis=-1))
            weight = np.asarray(mask)[y, x] if np.ndim(mask) == 2 else np.ones(len(x))
        else:
            pixels = np.array([tuple(pixel) for pixel in mask], dtype=float).reshape(len(mask), -1)
            x, y, weight = pixels[:, 0], pixels[:, 1], pixels[:, -1]
        if np.sum(weight) > 0:
            centre[k] = np.average(x, weights=weight), np.average(y, weights=weight)
    return centre[:, 0], centre[:, 1]


def plain_columns(table: Any) -> dict[str, np.ndarray]:
    """Columns of a table of NWB that hold one number, boolean or text per row."""
    plain = {}
    for name in table.colnames:
        column = table[name]
        if type(column).__name__ not in ("VectorData", "EnumData") or len(np.shape(column.data)) != 1:
            continue
        values = np.asarray(column.data[:])
        if values.dtype.kind in "biufUS" or all(isinstance(value, str) for value in values):
            plain[name] = values
    return plain
