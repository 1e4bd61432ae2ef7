"""Tables of a session for an NWB file: stimulus segments with their ragged columns, and true spikes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.recordings.two_photon.trials import COLUMNS, RAGGED

if TYPE_CHECKING:
    from netlib.recordings.two_photon.session import Session

__all__ = ["packed", "trials_table", "truth_table", "units_table"]

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
