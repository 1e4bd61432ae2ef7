"""Write a session to an NWB file in the layout of DANDI 000037; ``Session.open`` reads it.

Gillon, Lecoq et al. 2023, Sci Data 10:287, doi:10.1038/s41597-023-02214-y.
"""

from __future__ import annotations

import datetime
import json
import os
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice
from netlib.openscope.metadata import PUPIL
from netlib.openscope.nwb_reading import SCRATCH
from netlib.openscope.schedule import COLUMNS, RAGGED
from netlib.openscope.session import Session

if TYPE_CHECKING:
    from pynwb import NWBFile, TimeSeries
    from pynwb.ophys import RoiResponseSeries


__all__ = ["trials_table", "truth_table", "units_table", "write_session"]


#: Columns named otherwise in a file, or computed from others and not written.
RENAMED = {"start_time_sec": "start_time", "stop_time_sec": "stop_time"}
DERIVED = ("duration_sec",)
#: Step between two times that a simulated spike can have (s).
SPIKE_STEP = 1e-4


def trials_table(session: Session) -> Any:
    """The trials of a session as a ``TimeIntervals`` table, made column by column: rows one by one take minutes."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb.epoch import TimeIntervals

    columns = []
    for name, values in session.trials.drop(columns=list(DERIVED)).items():
        array = values.to_numpy()
        array = array.astype(object) if array.dtype.kind not in "iufb" else array
        text = COLUMNS.get(name, name)
        columns.append(VectorData(name=RENAMED.get(name, name), description=text, data=array))
    names = [column.name for column in columns]
    for name in session._parts.ragged:
        flat, *ends = _flattened(session.ragged(name))
        target = VectorData(name=name, description=RAGGED.get(name, name), data=packed(flat))
        columns.append(target)
        for level, end in enumerate(ends):
            target = VectorIndex(name=name + "_index" * (level + 1), data=end, target=target)
            columns.append(target)
        names.append(name)
    return TimeIntervals(name="trials", description="Stimulus segments", columns=columns, colnames=names)


def _flattened(rows: list[np.ndarray]) -> list[np.ndarray]:
    """Arrays of 1 or 2 dimensions one after the other, and where each ends: one or two levels of indices."""
    ends = np.cumsum([len(row) for row in rows])
    flat = np.concatenate([np.ravel(row) for row in rows])
    if all(row.ndim == 1 for row in rows):
        return [flat, ends]
    widths = np.concatenate([np.full(len(row), row.shape[1] if row.ndim == 2 else 1) for row in rows])
    return [flat, np.cumsum(widths.astype(np.int64)), ends]


def units_table(spikes: Sequence[np.ndarray]) -> Any:
    """Spike times (s), one array per cell, as a ``Units`` table."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb.misc import Units

    ends = np.cumsum([len(times) for times in spikes])
    text = "True spike times of the simulated cell (s)"
    times = VectorData(name="spike_times", description=text, data=np.concatenate([np.empty(0), *spikes]))
    index = VectorIndex(name="spike_times_index", data=ends, target=times)
    text = "Simulated cells, in the order of the ROIs"
    return Units(
        name="units", description=text, columns=[times, index], colnames=["spike_times"], resolution=SPIKE_STEP
    )


def truth_table(truth: pd.DataFrame) -> Any:
    """What a simulation knows of its cells, as a ``DynamicTable``."""
    from hdmf.common import DynamicTable

    return DynamicTable.from_dataframe(
        df=truth.reset_index(drop=True),
        name="truth",
        table_description="What the simulation knows of its cells",
        columns=[{"name": name, "description": f"{name} of the simulated cell"} for name in truth],
    )


def packed(data: np.ndarray, chunks: tuple[int, ...] | None = None) -> Any:
    """Data to be written compressed."""
    from hdmf.backends.hdf5 import H5DataIO

    if not data.size:
        return data
    return H5DataIO(data, compression="gzip", compression_opts=1, shuffle=True, chunks=chunks or True)


#: Chunks of dF/F: short enough in time for few events, narrow enough for whole traces of few ROIs.
CHUNK = (1024, 32)
#: How far the times of a regular clock may be from regular (s).
REGULAR = 1e-9
INDICATOR = {"indicator": "GCaMP6f", "excitation_lambda": 910.0, "location": "VISp"}


def write_session(
    session: Session,
    path: str | os.PathLike,
    *,
    clock: str = "auto",
    spikes: Sequence[np.ndarray] | None = None,
    truth: pd.DataFrame | None = None,
) -> Path:
    """Write any session to an NWB file, which is whole or absent. The session stays as it is.

    All ROIs are written, in the order of the file or arrays that the session has them from.

    Parameters
    ----------
    session : Session
        What to write.
    path : path
        The file, ``*.nwb``; the published names are ``sub-<mouseid>_ses-<sessid>_behavior+ophys.nwb``.
    clock : {"auto", "timestamps", "rate"}
        Whether series have a time for each sample, or a starting time and a rate; "auto" writes a rate where
        the clock is regular.
    spikes : list of ndarray, optional
        True spike times (s), one array per simulated cell, to the table ``units``; by default the session's own.
    truth : DataFrame, optional
        What the simulation knows of its cells, to the file's scratch space; by default the session's own.

    Returns
    -------
    Path

    Raises
    ------
    ImportError
        If pynwb is not installed.
    ValueError
        If the name does not end in ".nwb", or ``clock="rate"`` and a clock is not regular.
    """
    check_choice("clock", clock, ("auto", "timestamps", "rate"))
    path = Path(path)
    if path.suffix != ".nwb":
        raise ValueError(f"path = {str(path)!r}: the name of an NWB file must end in '.nwb'")
    if session.path is not None and path.exists() and path.samefile(session.path):
        raise ValueError(f"path = {str(path)!r} is the file that {session} reads: write to another")
    try:
        from pynwb import NWBHDF5IO
    except ImportError:
        raise ImportError("writing NWB files needs pynwb: pip install 'netlib-v1[nwb]'") from None
    file = _header(session)
    responses = _imaging(file, session, clock)
    _behaviour(file, session, clock, responses)
    file.trials = trials_table(session)
    spikes = session.spikes() if spikes is None else spikes
    if spikes is not None:
        file.units = units_table(spikes)
    truth = session.truth() if truth is None else truth
    if truth is not None:
        file.add_scratch(truth_table(truth))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.nwb")
    try:
        with NWBHDF5IO(str(temporary), "w") as io:
            io.write(file)
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def _header(session: Session) -> NWBFile:
    from pynwb import NWBFile
    from pynwb.file import Subject

    facts = session.metadata
    now = datetime.datetime.now(datetime.UTC)
    start = datetime.datetime.fromisoformat(facts.start_time) if facts.start_time else now
    file = NWBFile(
        session_description=facts.description or "Two-photon imaging of Gabor sequences and visual flow",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, f"netlib/{facts.mouseid}/{facts.sessid}")),
        session_start_time=start if start.tzinfo else start.replace(tzinfo=datetime.UTC),
        session_id=_or(facts.sessid, "simulated"),
        experiment_description="Expected and unexpected events in sequences of Gabors and in visual flow",
        experimenter=["netlib"],
        institution="netlib",
        keywords=["two-photon imaging", "visual cortex", "unexpected events"],
    )
    age = {} if facts.age_weeks is None else {"age": f"P{round(7 * facts.age_weeks)}D"}
    if facts.DOB:
        born = datetime.datetime.strptime(facts.DOB, "%Y%m%d").replace(tzinfo=datetime.UTC)
        age["date_of_birth"] = born
        age.setdefault("age", f"P{(file.session_start_time - born).days}D")
    file.subject = Subject(
        subject_id=_or(facts.mouseid, "simulated"),
        species="Mus musculus",
        sex=facts.sex or "U",
        description=facts.line or "mouse",
        **age or {"age": "P90D/"},
    )
    if facts.known():
        file.add_scratch(json.dumps(facts.known()), name=SCRATCH, description="Facts of the session, as JSON")
    return file


def _imaging(file: NWBFile, session: Session, clock: str) -> RoiResponseSeries:
    from hdmf.common import ElementIdentifiers, VectorData, VectorIndex
    from pynwb.base import Images
    from pynwb.image import GrayscaleImage
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, PlaneSegmentation, RoiResponseSeries

    parts = session._parts
    n_frames, n_rois = parts.dff.shape
    plane = file.create_imaging_plane(
        name="ImagingPlane",
        description=f"Plane of {session.metadata.plane or 'cells'}, depth {_or(session.metadata.depth, 'unknown')} um",
        device=file.create_device(name="Microscope", description="Two-photon microscope"),
        optical_channel=OpticalChannel(name="Green", description="Green fluorescence", emission_lambda=520.0),
        imaging_rate=session.fps,
        **INDICATOR,
    )
    columns = []
    if parts.masks is not None:
        weights = np.asarray(parts.masks[:], np.float32)
        data = packed(weights, (1, *weights.shape[1:]))
        columns.append(VectorData(name="image_mask", description="Weight of each pixel", data=data))
    else:  # a table of ROIs must have masks of some kind
        data = np.zeros(n_rois, [("x", np.uint32), ("y", np.uint32), ("weight", np.float32)])
        pixels = VectorData(name="pixel_mask", description="Not known: one pixel of weight 0", data=data)
        columns += [pixels, VectorIndex(name="pixel_mask_index", data=np.arange(1, n_rois + 1), target=pixels)]
    if parts.tracking_ids is not None:
        text = "Number of the cell over sessions, NaN where untracked"
        columns.append(VectorData(name="tracking_id", description=text, data=np.asarray(parts.tracking_ids, float)))
    segmentation = PlaneSegmentation(
        name="PlaneSegmentation",
        description="ROIs",
        imaging_plane=plane,
        id=ElementIdentifiers(name="id", data=parts.roi_ids),
        columns=columns,
        colnames=[column.name for column in columns if not isinstance(column, VectorIndex)],
    )
    ophys = file.create_processing_module(name="ophys", description="Imaging")
    ophys.add(ImageSegmentation(name="ImageSegmentation", plane_segmentations=[segmentation]))
    region = segmentation.create_roi_table_region(region=list(range(n_rois)), description="All ROIs")
    chunk = (min(CHUNK[0], n_frames), min(CHUNK[1], n_rois))
    with warnings.catch_warnings():  # the table is in the file already, the series not yet
        warnings.filterwarnings("ignore", "The linked table for DynamicTableRegion", UserWarning)
        responses = RoiResponseSeries(
            name="RoiResponseSeries",
            description="dF/F of each ROI",
            data=packed(np.asarray(parts.dff[:], np.float32), chunk),
            rois=region,
            unit="n.a.",
            **_clock("twop", session.twop_times, clock),
        )
        ophys.add(DfOverF(name="DfOverF", roi_response_series=[responses]))
    if parts.max_projection is not None:
        text = "Maximum of the plane over time"
        image = GrayscaleImage(name="max_projection", data=np.asarray(parts.max_projection[:]), description=text)
        ophys.add(Images(name="PlaneImages", images=[image], description="Images of the plane"))
    return responses


def _behaviour(file: NWBFile, session: Session, clock: str, responses: RoiResponseSeries) -> None:
    from pynwb.behavior import BehavioralTimeSeries, PupilTracking

    parts = session._parts
    module = file.create_processing_module(name="behavior", description="Running and pupil")
    # Its times are the stimulus clock: where nothing was measured, NaN keeps it.
    running = np.full(len(session.stim_times), np.nan) if parts.running is None else np.asarray(parts.running[:], float)
    text = "Running velocity; its times are those of the stimulus frames"
    series = _series("running_velocity", text, running, "cm/s", _clock("stim", session.stim_times, clock))
    module.add(BehavioralTimeSeries(name="BehavioralTimeSeries", time_series=[series]))
    if parts.pupil:
        # The same times as dF/F, stored once.
        times = _clock("twop", session.twop_times, clock)
        times = {"timestamps": responses} if "timestamps" in times else times
        texts = {"diameter": "Diameter of the pupil", "x": "Horizontal place of the pupil", "y": "Vertical place"}
        tracking = [
            _series(PUPIL[name], texts[name], np.asarray(values[:], float), "mm", times)
            for name, values in parts.pupil.items()
        ]
        module.add(PupilTracking(name="PupilTracking", time_series=tracking))


def _series(name: str, description: str, values: np.ndarray, unit: str, times: dict[str, Any]) -> TimeSeries:
    from pynwb import TimeSeries

    return TimeSeries(name=name, description=description, data=packed(values), unit=unit, **times)


def _clock(name: str, times: np.ndarray, clock: str) -> dict[str, Any]:
    rate = (len(times) - 1) / (times[-1] - times[0])
    off = float(np.abs(times - (times[0] + np.arange(len(times)) / rate)).max())
    if clock == "rate" and off > REGULAR:
        raise ValueError(
            f"clock = 'rate': times of the {name} clock are up to {off:.3g} s from regular, more than {REGULAR:g} s: "
            "write timestamps"
        )
    if clock == "timestamps" or off > REGULAR:
        return {"timestamps": packed(np.asarray(times, float))}
    return {"starting_time": float(times[0]), "rate": float(rate)}


def _or(value: Any, otherwise: str) -> str:
    return otherwise if value is None else str(value)
