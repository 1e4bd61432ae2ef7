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
import pandas as pd

from netlib.base.checks import check_type
from netlib.base.provenance import jsonable
from netlib.networks.weights import Weights
from netlib.recordings.columns import decode_columns, encode_columns
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol, rebuild

if TYPE_CHECKING:
    from pynwb import NWBFile

__all__ = [
    "IMAGING",
    "add_imaging",
    "add_protocol",
    "add_scratch",
    "add_series",
    "add_units",
    "add_weights",
    "import_pynwb",
    "read_recording",
    "read_table",
    "write_recording",
]

#: Traces of imaged cells: container and series that hold them. Other traces are plain TimeSeries.
IMAGING = {
    "dff": ("DfOverF", "RoiResponseSeries"),
    "fluorescence": ("Fluorescence", "fluorescence"),
    "corrected": ("Fluorescence", "corrected"),
    "neuropil": ("Fluorescence", "neuropil"),
    "denoised": ("Fluorescence", "denoised"),
    "events": ("Deconvolved", "events"),
}
#: NWB wants base units: unit of a trace, its base unit, and the factor to it.
BASE_UNITS = {"mV": ("V", 1e-3), "nA": ("A", 1e-9), "pA": ("A", 1e-12), "uS": ("S", 1e-6), "nS": ("S", 1e-9)}
#: Names that the tables of NWB keep for themselves.
RESERVED = {
    *("id", "name", "start_time", "stop_time", "tags", "timeseries", "spike_times", "obs_intervals", "neuron"),
    *("pixel_mask", "image_mask", "voxel_mask", "electrodes", "electrode_group"),
    *("waveform_mean", "waveform_sd", "waveforms"),
}
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
    header: dict[str, Any] = {
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


# ---------------------------------------------------------------- parts of a file


def import_pynwb() -> Any:
    """The package pynwb, or an error that says how to install it."""
    try:
        import pynwb
    except ImportError as error:
        raise ImportError("NWB files need pynwb: pip install 'netlib-v1[nwb]'") from error
    return pynwb


def _stored(name: str) -> str:
    """Name of a column in the file: another where NWB keeps the name, or HDF5 cannot hold it."""
    safe = name.replace("/", "_").replace(":", "_").replace(".", "_")
    return f"{safe}_column" if safe in RESERVED or safe.endswith("_index") else safe


def _columns(arrays: Mapping[str, np.ndarray], about: str) -> list:
    from hdmf.common import VectorData

    columns = []
    for name, values in arrays.items():
        data = values.tolist() if values.dtype == object else values
        columns.append(VectorData(name=_stored(name), description=f"{about}: {name}.", data=data))
    return columns


def read_table(columns: Any, kinds: Mapping[str, str]) -> pd.DataFrame:
    """Table from columns that :func:`encode_columns` made, by their kinds."""
    return decode_columns({name: columns[_stored(name)].data[:] for name in kinds}, kinds)


def add_units(file: NWBFile, recording: Recording, neurons: Mapping[str, np.ndarray]) -> None:
    """Spikes (s) and the columns of the neurons, as the Units table."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb.misc import Units

    order = np.argsort(recording.spike_index, kind="stable")
    times = VectorData(
        name="spike_times", description="Times of the spikes (s).", data=recording.spike_time[order] / 1000.0
    )
    ends = np.cumsum(np.bincount(recording.spike_index, minlength=len(recording)))
    index = VectorIndex(name="spike_times_index", data=ends.astype(np.uint64), target=times)
    file.units = Units(
        name="units",
        description="Units of the recording: their spikes and what is known of them.",
        columns=[times, index, *_columns(neurons, "Of each unit")],
        colnames=["spike_times", *map(_stored, neurons)],
        id=list(range(len(recording))),
        resolution=1e-6,
    )


def add_protocol(file: NWBFile, protocol: Protocol, header: dict[str, Any]) -> None:
    """All columns of a protocol, as the trials table; their kinds go to the header."""
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    arrays, header["protocol"] = encode_columns(protocol.table)
    windows = protocol.windows() / 1000.0
    start = VectorData(name="start_time", description="Start of the presentation (s).", data=windows[:, 0])
    stop = VectorData(name="stop_time", description="End of the presentation (s).", data=windows[:, 1])
    file.trials = TimeIntervals(
        name="trials",
        description="What was shown when. Columns but start_time and stop_time: times in ms, angles in deg.",
        columns=[start, stop, *_columns(arrays, "Of each presentation")],
        colnames=["start_time", "stop_time", *map(_stored, arrays)],
        id=list(range(len(protocol))),
    )


def add_imaging(
    file: NWBFile,
    recording: Recording,
    names: list[str],
    neurons: Mapping[str, np.ndarray],
    header: dict[str, Any],
    indicator: str,
    location: str,
) -> None:
    """Traces of imaged cells, with one imaging plane and one ROI per cell.

    ``neurons`` are columns for the ROI table, one value per unit; with none, only the imaged units get a ROI.
    """
    from pynwb import ophys

    rows = np.unique(np.concatenate([recording.traces[name].cells for name in names]))
    rows = np.arange(len(recording)) if neurons else rows
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        description="The imaged cells.",
        device=file.create_device(name="Microscope", description="The microscope, real or simulated."),
        optical_channel=ophys.OpticalChannel(name="OpticalChannel", description="Green.", emission_lambda=520.0),
        excitation_lambda=920.0,
        indicator=indicator,
        location=location,
    )
    segmentation = ophys.ImageSegmentation()
    module = file.create_processing_module(name="ophys", description="Calcium signals of the imaged cells.")
    module.add(segmentation)
    rois = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="Imaged cells; a mask of one pixel stands for each.", imaging_plane=plane
    )
    for pixel in _pixels(recording.neurons.iloc[rows]):
        rois.add_roi(pixel_mask=[(*pixel, 1.0)])
    rois.add_column(name="neuron", description="Number of the unit in the recording.", data=rows)
    for column in _columns(neurons, "Of each unit"):
        rois.add_column(name=column.name, description=column.description, data=column.data)
    kinds = {"DfOverF": ophys.DfOverF, "Fluorescence": ophys.Fluorescence, "Deconvolved": ophys.Fluorescence}
    for name in names:
        trace = recording.traces[name]
        container, series = IMAGING[name]
        region = rois.create_roi_table_region(
            region=np.searchsorted(rows, trace.cells).tolist(), description=f"Cells of the trace {name}."
        )
        if container not in module.data_interfaces:
            module.add(kinds[container](name=container))
        module[container].create_roi_response_series(
            name=series,
            description=f"Trace {name} of the imaged cells.",
            data=_packed(trace.values),
            rois=region,
            unit=trace.unit or "a.u.",
            rate=1000.0 / trace.dt,
            starting_time=0.0,
        )
        header["traces"][name] = {"dt": float(trace.dt), "unit": trace.unit, "place": ["ophys", container, series]}


def _pixels(neurons: pd.DataFrame) -> list[tuple[int, int]]:
    """Pixel (x, y) that stands for each cell: its centroid where it is known."""
    if {"x", "y"} <= set(neurons.columns):
        centroids = neurons[["x", "y"]].to_numpy(float)
        if np.isfinite(centroids).all() and (centroids >= 0).all():
            return [(round(x), round(y)) for x, y in centroids]
    return [(0, row) for row in range(len(neurons))]


def add_series(file: NWBFile, name: str, trace: Trace, header: dict[str, Any]) -> None:
    """Any other trace, as a plain TimeSeries in base units."""
    from pynwb import TimeSeries

    unit, factor = BASE_UNITS.get(trace.unit, (trace.unit or "a.u.", 1.0))
    cells = np.asarray(trace.cells).tolist()
    file.add_acquisition(
        TimeSeries(
            name=name,
            description=f"Trace {name} of some units; their numbers are in the comments.",
            comments=json.dumps(cells),
            data=_packed(trace.values),
            unit=unit,
            conversion=factor,
            rate=1000.0 / trace.dt,
            starting_time=0.0,
        )
    )
    header["traces"][name] = {"dt": float(trace.dt), "unit": trace.unit, "cells": cells}


def _packed(values: np.ndarray) -> Any:
    """Samples with time first, compressed where that pays."""
    from hdmf.backends.hdf5 import H5DataIO

    return H5DataIO(values.T, compression="gzip", shuffle=True) if values.size > 100_000 else values.T


def add_scratch(file: NWBFile, name: str, description: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays of equal length as a table in the scratch space."""
    from hdmf.common import DynamicTable

    file.add_scratch(DynamicTable(name=name, description=description, columns=_columns(arrays, description[:-1])))


def add_weights(file: NWBFile, name: str, weights: Weights, header: dict[str, Any]) -> None:
    """Weights of a projection in time, one synapse per row, in the scratch space."""
    table = f"weights_{len(header['weights'])}"
    parts = {"pre": weights.pre, "post": weights.post, "delay": weights.delay, "values": weights.values.T}
    add_scratch(file, table, f"Synapses of the projection {name}.", parts)
    header["weights"][name] = {"table": table, "times": weights.times.tolist(), "w_max": str(weights.w_max)}
