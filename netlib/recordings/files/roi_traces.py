"""Recordings made of traces of regions of interest (ROIs), with their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol
from netlib.units import check_number

__all__ = ["roi_recording"]


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
