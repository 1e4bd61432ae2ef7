"""What a session is made of, read from a file or given as arrays, before anything is computed of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon.session_metadata import SessionMetadata
from netlib.recordings.two_photon.trials import RAGGED, split_ragged
from netlib.units import check_array, check_choice

__all__ = ["PUPIL", "SessionParts", "parts_of_arrays"]

#: Short names of the pupil's series and their names in files.
PUPIL = {"diameter": "pupil_diameter", "x": "pupil_position_x", "y": "pupil_position_y"}


@dataclass
class SessionParts:
    """Raw parts of a session. Large ones may be HDF5 datasets, which are read when sliced.

    Attributes
    ----------
    dff : array-like, shape (n_twop_frames, n_rois)
    twop_times, stim_times : array-like
        Times of the frames (s).
    trials : DataFrame
        Columns of one value per row.
    ragged : mapping of callables
        By name of a column of arrays, what reads it: one array per row.
    running : array-like, shape (n_stim_frames,), or None
        Velocity (cm/s).
    pupil : dict of array-like, shape (n_twop_frames,)
        Of "diameter", "x", "y" (mm), those that there are.
    roi_ids : ndarray of int, shape (n_rois,)
    tracking_ids : ndarray, shape (n_rois,), or None
    masks : array-like, shape (n_rois, height, width), or None
    max_projection : array-like, shape (height, width), or None
    metadata : SessionMetadata
    templates : dict of array-like
        Images of the stimuli by name.
    read_spikes : callable
        Gives the true spike times (s), a list of arrays, or None.
    read_truth : callable
        Gives the table of what the simulation knows of its cells, or None.
    path : Path or None
    close : callable
        Closes the file.
    """

    dff: Any
    twop_times: Any
    stim_times: Any
    trials: pd.DataFrame
    roi_ids: np.ndarray
    ragged: Mapping[str, Callable[[], list[np.ndarray]]] = field(default_factory=dict)
    running: Any = None
    pupil: dict[str, Any] = field(default_factory=dict)
    tracking_ids: np.ndarray | None = None
    masks: Any = None
    max_projection: Any = None
    metadata: SessionMetadata = field(default_factory=SessionMetadata)
    templates: dict[str, Any] = field(default_factory=dict)
    read_spikes: Callable[[], list[np.ndarray] | None] = lambda: None
    read_truth: Callable[[], pd.DataFrame | None] = lambda: None
    path: Path | None = None
    close: Callable[[], None] = lambda: None

    def check(self) -> None:
        """Refuse parts whose shapes do not fit each other.

        Raises
        ------
        ValueError
            Naming the part, its shape and the one it must have.
        """
        if len(self.dff.shape) != 2 or 0 in self.dff.shape:
            raise ValueError(f"{self._where}dff has shape {self.dff.shape}: it must be (frames, ROIs), neither 0")
        frames, rois = self.dff.shape
        wanted = {
            "twop_times": (self.twop_times, (frames,)),
            "roi_ids": (self.roi_ids, (rois,)),
            "running": (self.running, (len(self.stim_times),)),
            "tracking_ids": (self.tracking_ids, (rois,)),
        }
        wanted |= {f"pupil[{name!r}]": (series, (frames,)) for name, series in self.pupil.items()}
        for name, (part, shape) in wanted.items():
            if part is not None and tuple(part.shape) != shape:
                raise ValueError(
                    f"{self._where}{name} has shape {part.shape}: it must be {shape}, as dff and clocks say"
                )
        if self.masks is not None and (len(self.masks.shape) != 3 or self.masks.shape[0] != rois):
            raise ValueError(f"{self._where}masks has shape {self.masks.shape}: it must be ({rois}, height, width)")
        if len(np.unique(self.roi_ids)) != rois:
            raise ValueError(f"{self._where}roi_ids holds the same number twice: each ROI needs its own")

    @property
    def _where(self) -> str:
        return f"{self.path}: " if self.path else ""


def parts_of_arrays(
    *,
    dff: ArrayLike,
    twop_times: ArrayLike,
    stim_times: ArrayLike,
    trials: pd.DataFrame,
    running: ArrayLike | None,
    pupil: Mapping[str, ArrayLike] | None,
    roi_ids: ArrayLike | None,
    tracking_ids: ArrayLike | None,
    masks: ArrayLike | None,
    max_projection: ArrayLike | None,
    metadata: SessionMetadata | Mapping[str, Any] | None,
    spikes: list[np.ndarray] | None,
    truth: pd.DataFrame | None,
) -> SessionParts:
    """Parts of a session from arrays; see :meth:`netlib.recordings.two_photon.session.Session.from_arrays`."""
    dff = np.ascontiguousarray(dff, dtype=np.float32)
    for name in pupil or {}:
        check_choice("pupil", name, PUPIL)
    ragged = split_ragged(trials)
    if dff.ndim == 2 and roi_ids is None:
        roi_ids = np.arange(dff.shape[1])
    return SessionParts(
        dff=dff,
        twop_times=check_array("twop_times", twop_times, "s", ndim=1),
        stim_times=check_array("stim_times", stim_times, "s", ndim=1),
        trials=trials.drop(columns=[name for name in RAGGED if name in trials]),
        roi_ids=np.asarray(roi_ids, np.int64),
        ragged={name: (lambda rows=rows: rows) for name, rows in ragged.items()},
        running=_given(running, float),
        pupil={name: np.asarray(series, float) for name, series in (pupil or {}).items()},
        tracking_ids=_given(tracking_ids, float),
        masks=_given(masks, np.float32),
        max_projection=_given(max_projection, None),
        metadata=SessionMetadata.of(metadata),
        read_spikes=lambda: spikes,
        read_truth=lambda: truth,
    )


def _given(value: ArrayLike | None, dtype: Any) -> np.ndarray | None:
    return None if value is None else np.asarray(value, dtype)
