"""Recordings as Neurodata Without Borders (NWB) files, and back."""

from __future__ import annotations

import datetime
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netlib.networks.weights import Weights
from netlib.provenance import jsonable
from netlib.recordings.files.columns import encode_columns
from netlib.recordings.files.nwb_parts import (
    IMAGING,
    add_imaging,
    add_protocol,
    add_scratch,
    add_series,
    add_units,
    add_weights,
    import_pynwb,
    read_table,
)
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.table import rebuild
from netlib.units import check_type

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = ["read_recording", "write_recording"]

#: What NWB wants to know of a subject, where the caller says nothing: a mouse of unknown sex and any age.
SUBJECT = {
    "subject_id": "simulated",
    "species": "Mus musculus",
    "sex": "U",
    "age": "P0D/",
    "description": "Simulated, or an animal of which no more was said.",
}


def write_recording(
    recording: Recording,
    path: str | os.PathLike,
    *,
    description: str | None = None,
    session_start: datetime.datetime | None = None,
    subject: Mapping[str, str] | None = None,
    indicator: str = "unknown",
    location: str = "VISp",
) -> Path:
    """Write a recording to one NWB file, atomically; :func:`read_recording` reads it back.

    Spikes go to the Units table with the columns of ``recording.neurons`` (without spikes these go to the table
    of the imaged cells, or else to the scratch); ``"dff"`` to a DfOverF; fluorescence and deconvolved events to
    RoiResponseSeries; other traces to plain TimeSeries in base units (V, A, S) by ``conversion``; the protocol
    to the trials table with all its columns; weights to the scratch; provenance, and what NWB has no place for,
    to the notes, as JSON. Each imaged cell gets a mask of one pixel.

    Parameters
    ----------
    recording : Recording
        What to write. Time in the file is in seconds.
    path : path
        File name; NWB files end in ``.nwb``.
    description : str, optional
        What the recording is.
    session_start : datetime, optional
        When it was made; by default the date in its provenance, or else now. Without a time zone: UTC.
    subject : mapping, optional
        Fields of a ``pynwb.file.Subject``: subject_id, species, sex, age...; by default a simulated mouse.
    indicator, location : str
        Calcium indicator and imaged area (in the Allen atlas VISp is V1), for imaged cells.

    Raises
    ------
    ValueError
        If the recording has no unit, or a trace has a name that a file cannot hold.
    """
    pynwb = import_pynwb()
    check_type("recording", recording, Recording)
    if not len(recording):
        raise ValueError("neurons is empty: a recording must hold at least one unit to be written")
    bad = [name for name in recording.traces if not name or set(name) & set("/:.")]
    if bad:
        raise ValueError(f"traces[{bad[0]!r}] has a name that no NWB file can hold: leave out '/', ':' and '.'")
    start = session_start or _start(recording.provenance)
    file = pynwb.NWBFile(
        session_description=description or "Spikes and traces of a population of cells.",
        identifier=str(uuid.uuid4()),
        session_start_time=start if start.tzinfo else start.replace(tzinfo=datetime.UTC),
        keywords=["visual cortex", "orientation", "population activity"],
        subject=pynwb.file.Subject(**{**SUBJECT, **(subject or {})}),
    )
    header = {
        "netlib_recording": 1,
        "duration": float(recording.duration),
        "protocol_duration": float(recording.protocol.duration),
        "traces": {},
        "order": list(recording.traces),
        "weights": {},
        "provenance": jsonable(recording.provenance),
    }
    imaged = [name for name in recording.traces if name in IMAGING]
    neurons, header["neurons"] = encode_columns(recording.neurons)
    header["neurons_in"] = "units" if len(recording.spike_index) else "rois" if imaged else "scratch"
    if header["neurons_in"] == "units":
        add_units(file, recording, neurons)
    if header["neurons_in"] == "scratch":
        add_scratch(file, "neurons", "Units of the recording.", neurons)
    add_protocol(file, recording.protocol, header)
    if imaged:
        columns = neurons if header["neurons_in"] == "rois" else {}
        add_imaging(file, recording, imaged, columns, header, indicator, location)
    for name in recording.traces:
        if name not in IMAGING:
            add_series(file, name, recording.traces[name], header)
    for name, weights in recording.weights.items():
        add_weights(file, name, weights, header)
    file.notes = json.dumps(header)
    with _replacing(Path(path)) as temporary, pynwb.NWBHDF5IO(temporary, "w") as io:
        io.write(file)
    return Path(path)


def read_recording(path: str | os.PathLike) -> Recording:
    """Read a recording written by :func:`write_recording`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or not such a recording (:func:`netlib.recordings.read_ophys` reads other NWB files).
    """
    pynwb = import_pynwb()
    header = _header(path)
    try:
        with pynwb.NWBHDF5IO(path, "r") as io:
            return _recording(io.read(), header)
    except Exception as error:  # a damaged file fails in as many ways as there are layers below
        raise ValueError(f"path = {str(path)!r} is not a whole NWB file ({error}): write it again") from error


def _header(path: str | os.PathLike) -> dict[str, Any]:
    """What the notes of the file say of the recording."""
    import h5py

    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r} is not a file")
    try:
        with h5py.File(path, "r") as file:
            text = file["general/notes"].asstr()[()] if "general/notes" in file else "{}"
    except (OSError, RuntimeError) as error:
        raise ValueError(f"path = {str(path)!r} is not a whole NWB file ({error}): write it again") from error
    try:
        header = json.loads(text)
        if header["netlib_recording"] == 1:
            return header
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(
        f"path = {str(path)!r} was not written by write_recording: read_ophys reads two-photon NWB files of others"
    )


def _start(facts: Mapping[str, Any]) -> datetime.datetime:
    now = datetime.datetime.now(datetime.UTC)
    try:
        start = datetime.datetime.fromisoformat(str(facts.get("date")))
    except ValueError:
        return now
    return min(start if start.tzinfo else start.replace(tzinfo=datetime.UTC), now)


def _recording(file: NWBFile, header: dict[str, Any]) -> Recording:
    index, times = np.zeros(0, np.int32), np.zeros(0)
    place = header["neurons_in"]
    if place == "units":
        ends = np.asarray(file.units["spike_times"].data[:], dtype=np.int64)
        times = np.asarray(file.units["spike_times"].target.data[:], dtype=float) * 1000.0
        index = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
        order = np.lexsort((index, times))
        index, times = index[order], np.minimum(times[order], header["duration"])
    traces, rois = {}, None
    for name in header["order"]:
        facts = header["traces"][name]
        if "place" in facts:
            module, container, series = facts["place"]
            source = file.processing[module][container][series]
            rois = source.rois
            cells = np.asarray(rois.table["neuron"].data[:])[np.asarray(rois.data[:], dtype=int)]
        else:
            source, cells = file.acquisition[name], np.asarray(facts["cells"], dtype=int)
        traces[name] = Trace(np.ascontiguousarray(np.asarray(source.data[:]).T), cells, facts["dt"], facts["unit"])
    table = {"units": file.units, "scratch": file.scratch.get("neurons"), "rois": rois and rois.table}[place]
    neurons = read_table(table, header["neurons"])
    weights = {}
    for name, facts in header["weights"].items():
        table = file.scratch[facts["table"]]
        pre, post, delay, values = (np.asarray(table[part].data[:]) for part in ("pre", "post", "delay", "values"))
        weights[name] = Weights(pre, post, delay, np.asarray(facts["times"]), values.T, float(facts["w_max"]))
    shown = read_table(file.trials, header["protocol"])
    protocol = Protocol(shown, rebuild(shown), header["protocol_duration"])
    return Recording(neurons, index, times, header["duration"], protocol, traces, header["provenance"], weights)


@contextmanager
def _replacing(path: Path) -> Iterator[str]:
    """Name to write to, which becomes ``path`` once all is written, and is removed if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".nwb")
    os.close(handle)
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
