"""Read the parts of a session from an NWB file in the layout of DANDI 000037, through one open file.

Gillon, Lecoq et al. 2023, Sci Data 10:287, doi:10.1038/s41597-023-02214-y. The file is read with h5py alone:
building pynwb's objects for the ragged columns of thousands of trials takes seconds. Datasets of frames or
pixels are handed on unread.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.openscope.metadata import LAYERS, PUPIL, SessionMetadata, SessionParts
from netlib.openscope.mice import MouseTable

if TYPE_CHECKING:
    import h5py


__all__ = ["open_nwb", "read_parts"]

#: Memory for unpacked chunks (bytes).
CACHE = 64 * 2**20
FILE_NAME = re.compile(r"sub-(?P<mouseid>[^_]+)_.*?ses-(?P<sessid>[^_.]+)")
#: Factors to the units of a session: cm/s for running, mm for the pupil.
FACTORS = {"m": 1000.0, "meters": 1000.0, "meter": 1000.0, "m/s": 100.0, "meters/second": 100.0}
SCRATCH = "session_metadata"


def open_nwb(path: str | os.PathLike) -> h5py.File:
    """Open an NWB file for reading, or say what is wrong with it.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, or is no NWB file.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError("reading NWB files needs h5py: pip install 'netlib-v1[nwb]'") from None
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r", rdcc_nbytes=CACHE, rdcc_nslots=100_003)
    except OSError as error:
        if "truncated" in str(error):
            raise ValueError(f"{path} is truncated ({path.stat().st_size} bytes): fetch it again") from error
        if "signature" in str(error) or not path.stat().st_size:
            raise ValueError(f"{path} is not an NWB file: it does not start as an HDF5 file does") from error
        raise
    if "nwb_version" not in file.attrs:
        file.close()
        raise ValueError(f"{path} is an HDF5 file but not an NWB file: it has no attribute nwb_version")
    return file


def read_parts(path: str | os.PathLike, mouse_table: Any = None) -> SessionParts:
    """Parts of the session in a file; see :meth:`netlib.openscope.session.Session.open`."""
    file = open_nwb(path)
    try:
        return _parts(file, Path(path), mouse_table)
    except KeyError as error:
        file.close()
        raise KeyError(f"{path}: {error.args[0]}") from None
    except FileNotFoundError:  # the mouse table
        file.close()
        raise
    except (ValueError, OSError, RuntimeError) as error:
        file.close()
        raise ValueError(f"{path}: {error}") from error
    except BaseException:
        file.close()
        raise


def _parts(file: h5py.File, path: Path, mouse_table: Any) -> SessionParts:
    metadata = _metadata(file, path, mouse_table)
    responses = _only(_need(file, "processing/ophys/DfOverF", "dF/F traces"), "RoiResponseSeries")
    running = _need(file, "processing/behavior/BehavioralTimeSeries/running_velocity", "running and the stimulus clock")
    dff = _data(responses)
    table = _need(file, "intervals/trials", "the table of stimulus segments")
    plane = file.get("processing/ophys/ImageSegmentation")
    plane = _only(plane, "PlaneSegmentation") if plane is not None else {}
    pupil = file.get("processing/behavior/PupilTracking", {})
    images = file.get("processing/ophys/PlaneImages", {})
    templates = file.get("stimulus/templates", {})
    return SessionParts(
        dff=dff,
        twop_times=_times(responses, dff.shape[0]),
        stim_times=_times(running, running["data"].shape[0]),
        trials=_frame(table),
        roi_ids=plane["id"][:].astype(np.int64) if "id" in plane else np.arange(dff.shape[-1]),
        ragged={name: partial(_ragged, table, name) for name in _columns(table) if _is_ragged(table, name)},
        running=_data(running),
        pupil={short: _data(pupil[name]) for short, name in PUPIL.items() if name in pupil},
        tracking_ids=plane["tracking_id"][:].astype(float) if "tracking_id" in plane else None,
        masks=plane.get("image_mask"),
        max_projection=images.get("max_projection"),
        metadata=metadata,
        templates={name: templates[name]["data"] for name in templates if "data" in templates[name]},
        read_spikes=partial(_spikes, file),
        read_truth=partial(_truth, file),
        path=path,
        close=file.close,
    )


# ---------------------------------------------------------------------- metadata


def _metadata(file: h5py.File, path: Path, mouse_table: Any) -> SessionMetadata:
    subject = file.get("general/subject", {})
    genotype = _text(subject, "genotype") or ""
    facts = {
        "sessid": _identifier(_text(file.get("general", {}), "session_id")),
        "mouseid": _identifier(_text(subject, "subject_id")),
        "sex": _text(subject, "sex"),
        "DOB": (_text(subject, "date_of_birth") or "")[:10].replace("-", "") or None,
        "age_weeks": _weeks(_text(subject, "age")),
        "line": next((line for line in LAYERS if line.split("-")[1] in genotype), None),
        "start_time": _text(file, "session_start_time"),
        "description": _text(file, "session_description"),
    }
    facts["date"] = (facts["start_time"] or "")[:10].replace("-", "") or None
    named = FILE_NAME.match(path.name)
    for what in ("sessid", "mouseid"):
        if named and facts[what] is not None and str(facts[what]) != named[what]:
            raise ValueError(f"holds {what} {facts[what]}, but its name says {named[what]}: one of them is wrong")
    # What this library wrote beyond the fields that NWB has.
    own = file.get(f"scratch/{SCRATCH}")
    metadata = SessionMetadata.of({k: v for k, v in facts.items() if v is not None})
    if own is not None:
        metadata = SessionMetadata.of(json.loads(_string(own))).completed(metadata.known())
    if mouse_table is None:
        return metadata
    if metadata.sessid is None:
        raise KeyError("general/session_id is missing: the mouse table cannot be asked about the session")
    row = MouseTable.of(mouse_table).facts(metadata.sessid)
    for what in ("mouseid", "mouse_n", "sess_n"):
        known = getattr(metadata, what)
        if known is not None and known != row[what]:
            raise ValueError(
                f"session {metadata.sessid} has {what} {known} in the file, {row[what]} in the mouse table: "
                "the file is of another mouse or session"
            )
    return metadata.completed(row)


def _identifier(text: str | None) -> int | str | None:
    return int(text) if text and text.isdecimal() else text or None


def _weeks(age: str | None) -> float | None:
    match = re.match(r"P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?$", age or "")
    if not match or not (match[1] or match[2]):
        return None
    return float(match[1] or 0) + float(match[2] or 0) / 7


# ---------------------------------------------------------------------- series and tables


def _need(file: h5py.File, name: str, what: str) -> Any:
    if name not in file:
        raise KeyError(f"{name} is missing: {what} cannot be read")
    return file[name]


def _only(group: Any, name: str) -> Any:
    """The member of that name, or the only one."""
    if name not in group and len(group) != 1:
        raise KeyError(f"{group.name}/{name} is missing: there are {sorted(group) or 'no members'}")
    return group[name] if name in group else group[next(iter(group))]


class Converted:
    """A dataset whose values are multiplied, and shifted, when they are read."""

    def __init__(self, data: Any, factor: float, offset: float) -> None:
        self.data, self.factor, self.offset = data, factor, offset
        self.shape, self.ndim, self.chunks = data.shape, data.ndim, data.chunks
        self.name, self.file = data.name, data.file

    def __getitem__(self, where: Any) -> np.ndarray:
        return self.data[where] * self.factor + self.offset


def _data(series: Any) -> Any:
    if "data" not in series:
        raise KeyError(f"{series.name}/data is missing")
    data = series["data"]
    unit = data.attrs.get("unit", "")
    factor = FACTORS.get(unit.decode() if isinstance(unit, bytes) else str(unit), 1.0)
    conversion, offset = float(data.attrs.get("conversion", 1.0)), float(data.attrs.get("offset", 0.0))
    if conversion * factor == 1.0 and offset == 0.0:
        return data
    return Converted(data, conversion * factor, offset * factor)


def _times(series: Any, n: int) -> np.ndarray:
    """Times of the samples (s), from ``timestamps``, or from ``starting_time`` and its rate."""
    if "timestamps" in series:
        times = series["timestamps"][:]
        if len(times) != n:
            raise ValueError(f"{series.name} has {len(times)} timestamps for {n} samples: both must be as many")
        return times.astype(np.float64)
    if "starting_time" not in series:
        raise KeyError(f"{series.name} has neither timestamps nor starting_time")
    start = series["starting_time"]
    rate = float(start.attrs.get("rate", 0))
    if not rate > 0:
        raise ValueError(f"{series.name}/starting_time has rate = {rate:g} Hz: it must be in (0, inf) Hz")
    return float(start[()]) + np.arange(n) / rate


def _columns(table: Any) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in table.attrs.get("colnames", ())]


def _is_ragged(table: Any, name: str) -> bool:
    return f"{name}_index" in table or (name in table and table[name].ndim > 1)


def _frame(table: Any) -> pd.DataFrame:
    """Columns of one value per row."""
    found = {}
    for name in _columns(table):
        if name in table and not _is_ragged(table, name) and table[name].dtype.names is None:
            data = table[name]
            found[name] = data.asstr()[:] if data.dtype.kind in "OS" else data[:]
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{table.name} has columns of different lengths: {lengths}")
    return pd.DataFrame(found)


def _ragged(table: Any, name: str) -> list[np.ndarray]:
    """A column of arrays: one per row, 2-D where the file has two levels of indices."""
    data = table[name][:]
    if f"{name}_index" not in table:
        return [np.asarray(row, float) for row in data]
    ends = table[f"{name}_index"][:].astype(np.int64)
    if f"{name}_index_index" not in table:
        return [np.asarray(row, float) for row in np.split(data, ends[:-1])]
    rows = np.split(ends, table[f"{name}_index_index"][:-1].astype(np.int64))
    found, first = [], 0
    for inner in rows:
        lengths = np.diff(inner, prepend=first)
        block = np.full((len(inner), lengths.max(initial=0)), np.nan)
        block[np.arange(block.shape[1]) < lengths[:, None]] = data[first : inner[-1] if len(inner) else first]
        found.append(block)
        first = inner[-1] if len(inner) else first
    return found


def _spikes(file: h5py.File) -> list[np.ndarray] | None:
    units = file.get("units", {})
    return _ragged(units, "spike_times") if "spike_times" in units else None


def _truth(file: h5py.File) -> pd.DataFrame | None:
    table = file.get("scratch/truth")
    return None if table is None else _frame(table)


def _text(group: Any, name: str) -> str | None:
    return _string(group[name]) if name in group else None


def _string(dataset: Any) -> str:
    value = dataset[()]
    return value.decode() if isinstance(value, bytes) else str(value)
