"""Who was recorded, where and when, and the raw parts that a session is made of, from a file or from arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["GROUPS", "LAYERS", "PLANES", "PUPIL", "SessionMetadata", "SessionParts", "group_name"]


#: Names of the lines in the mouse table and the layer that each labels.
LAYERS = {"L23-Cux2": "L2/3", "L5-Rbp4": "L5"}
#: Names of the planes in the mouse table and their letter in the papers.
PLANES = {"dend": "D", "soma": "S"}
#: Short names of the pupil's series and their names in files.
PUPIL = {"diameter": "pupil_diameter", "x": "pupil_position_x", "y": "pupil_position_y"}


def group_name(line: str | None, plane: str | None) -> str | None:
    """Name of a group of sessions in the papers, or None where line or plane is unknown.

    Examples
    --------
    >>> group_name("L23-Cux2", "dend")
    'L2/3-D'
    """
    return f"{LAYERS[line]}-{PLANES[plane]}" if line in LAYERS and plane in PLANES else None


#: The groups of the papers, in their order: layer and compartment (dendrites, somata).
GROUPS = tuple(group_name(line, plane) for line in LAYERS for plane in PLANES)


@dataclass(frozen=True)
class SessionMetadata:
    """Facts of one session; None where unknown. The names are the columns of the published mouse table.

    Attributes
    ----------
    sessid, mouseid : int or str
        Identifiers of the session and of the mouse.
    mouse_n, sess_n : int
        Number of the mouse, and of the session within the mouse.
    line, plane : str
        "L23-Cux2" or "L5-Rbp4"; "dend" or "soma".
    depth : float
        Depth of the plane (µm).
    sex : str
        "M", "F" or "U".
    DOB, date : str
        Day of birth and of the recording, yyyymmdd.
    age_weeks : float
        Age at the recording (weeks).
    start_time : str
        Start of the recording, ISO 8601 with time zone.
    description : str
        What the file or the simulation says of itself.
    runtype, stim_seed, pass_fail, all_files, any_files, incl, notes
        As in the mouse table.
    """

    sessid: int | str | None = None
    mouseid: int | str | None = None
    mouse_n: int | None = None
    sess_n: int | None = None
    line: str | None = None
    plane: str | None = None
    depth: float | None = None
    sex: str | None = None
    DOB: str | None = None
    date: str | None = None
    age_weeks: float | None = None
    start_time: str | None = None
    runtype: str | None = None
    stim_seed: int | None = None
    pass_fail: str | None = None
    all_files: bool | None = None
    any_files: bool | None = None
    incl: str | None = None
    notes: str | None = None
    description: str | None = None

    @property
    def group(self) -> str | None:
        """Group of the papers, such as ``"L2/3-D"``."""
        return group_name(self.line, self.plane)

    @classmethod
    def of(cls, facts: SessionMetadata | Mapping[str, Any] | None) -> SessionMetadata:
        """Metadata from a mapping of its attributes, refusing any other name.

        Raises
        ------
        ValueError
            If a name is not an attribute.
        """
        if isinstance(facts, cls):
            return facts
        facts = dict(facts or {})
        unknown = sorted(facts.keys() - set(cls.names()))
        if unknown:
            raise ValueError(f"metadata holds the unknown names {unknown}: it may hold {', '.join(cls.names())}")
        return cls(**facts)

    @classmethod
    def names(cls) -> list[str]:
        """Names of all attributes."""
        return [f.name for f in dataclasses.fields(cls)]

    def known(self) -> dict[str, Any]:
        """The facts that are known."""
        return {name: value for name in self.names() if (value := getattr(self, name)) is not None}

    def completed(self, other: Mapping[str, Any]) -> SessionMetadata:
        """These facts, and those of ``other`` where these say nothing."""
        names = set(self.names())
        return SessionMetadata(**{**{k: v for k, v in other.items() if k in names}, **self.known()})


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
