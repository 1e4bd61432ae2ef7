"""Files in the layout of CaImAn's results, so that synthetic sessions go through the reader that real ones do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from netlib.recordings.operant.behaviour_session import BehaviourSession

__all__ = ["write_caiman"]


def write_caiman(session: BehaviourSession, path: str | os.PathLike) -> Path:
    """Write the recording of a session as CaImAn would, atomically.

    ``estimates`` holds the footprints ``A``, ``F_dff`` and ``C`` (both dF/F: synthetic traces know no other) and, of a
    deconvolved recording, ``S``; every component is accepted.
    :func:`netlib.recordings.files.pipeline_readers.read_caiman` reads it.

    Raises
    ------
    ValueError
        If the session has no trace "dff" or no footprints.
    """
    import h5py

    recording, images = session.recording, session.footprints
    if recording is None or "dff" not in recording.traces or images is None:
        raise ValueError(f"{session!r} lacks a trace 'dff' or footprints: CaImAn's layout needs both")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with h5py.File(temporary, "w") as file:
            _fill(file, recording.traces, images)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _fill(file: Any, traces: Any, images: np.ndarray) -> None:
    from scipy.sparse import csc_matrix

    estimates = file.create_group("estimates")
    for name, trace in {"C": "dff", "F_dff": "dff", "S": "events"}.items():
        if trace in traces:
            estimates[name] = traces[trace].values
    n = len(images)
    estimates["idx_components"] = np.arange(n)
    estimates["dims"] = np.array(images.shape[1:])
    # Pixels down the columns of the image (Fortran order), components side by side.
    shapes = csc_matrix(images.transpose(0, 2, 1).reshape(n, -1).T)
    parts = {"data": shapes.data, "indices": shapes.indices, "indptr": shapes.indptr, "shape": np.array(shapes.shape)}
    for name, values in parts.items():
        estimates.create_dataset(f"A/{name}", data=values)
    file["params/data/fr"] = 1000.0 / traces["dff"].dt
