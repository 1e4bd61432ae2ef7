"""Two-photon recordings in Neurodata Without Borders (NWB) files of anybody, read as recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.recordings.files.interval_protocol import interval_protocol
from netlib.recordings.files.nwb_parts import import_pynwb
from netlib.recordings.files.roi_series import plain_columns, roi_columns, series_samples, trace_names
from netlib.recordings.files.roi_traces import roi_recording
from netlib.recordings.recording import Recording
from netlib.units import check_number

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ophys import RoiResponseSeries

__all__ = ["list_series", "read_ophys"]


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
