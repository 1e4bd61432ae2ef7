"""One two-photon session, from a file or from arrays: clocks, lazily read traces, reads locked to events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon.aliases import SessionNames
from netlib.recordings.two_photon.clocks import check_clock, frame_rate, nearest_frames
from netlib.recordings.two_photon.session_behaviour import SessionBehaviour
from netlib.recordings.two_photon.session_metadata import SessionMetadata
from netlib.recordings.two_photon.session_parts import SessionParts, parts_of_arrays
from netlib.recordings.two_photon.session_rois import SessionRois
from netlib.recordings.two_photon.stim import Gabors, Grayscr, Stim, Visflow
from netlib.recordings.two_photon.trials import checked_trials
from netlib.units import check_choice

if TYPE_CHECKING:
    from netlib.recordings.two_photon.mouse_table import MouseTable

__all__ = ["Session"]

STIM_CLASSES = {"gabors": Gabors, "visflow": Visflow, "grayscr": Grayscr, "grayscreen": Grayscr}


class Session(SessionRois, SessionBehaviour, SessionNames):
    """One imaging session. Make one with :meth:`open` or :meth:`from_arrays`; close it, or use ``with``.

    Times are in seconds; frames count from 0 on the two-photon ("twop") or the stimulus ("stim") clock.
    Traces stay in the file until asked for. ROIs are numbered from 0 in the order of the file, or, with
    ``tracked_only``, so that ROI k is the same cell in each session of the mouse.

    Attributes
    ----------
    metadata : SessionMetadata
    trials : DataFrame
        One row per stimulus segment, the columns of :data:`netlib.recordings.two_photon.trials.COLUMNS`.
    twop_times, stim_times : ndarray
        Time of each frame (s).
    fps, stim_fps : float
        Frames per second of both clocks, by the trials table.
    path : Path or None
        The file.
    """

    def __init__(self, parts: SessionParts, *, tracked_only: bool = False) -> None:
        self._parts, self.path, self.metadata = parts, parts.path, parts.metadata
        self._closed = False
        where = f"{self.path}: " if self.path else ""
        self.twop_times = check_clock(f"{where}twop_times", parts.twop_times)
        self.stim_times = check_clock(f"{where}stim_times", parts.stim_times)
        parts.check()
        self.trials = checked_trials(parts.trials, len(self.stim_times), len(self.twop_times), f"{where}trials")
        self.fps = frame_rate(self.trials, "twop", self.twop_times, where)
        self.stim_fps = frame_rate(self.trials, "stim", self.stim_times, where)
        self._scale = np.full((3, parts.dff.shape[1]), np.nan)  # of each column: median, spread, whether it has NaN
        self._signals: dict[str, np.ndarray] = {}
        self._stims: dict[str, Stim] = {}
        self.tracked_only = tracked_only

    @classmethod
    def open(
        cls,
        path: str | os.PathLike,
        *,
        tracked_only: bool = False,
        mouse_table: str | os.PathLike | pd.DataFrame | MouseTable | None = None,
    ) -> Session:
        """Open an NWB file in the layout of DANDI 000037; its traces are read when they are asked for.

        Parameters
        ----------
        path : path
            The file.
        tracked_only : bool
            Only the ROIs tracked over sessions, in the order of tracking.
        mouse_table : path, DataFrame or MouseTable, optional
            The published table of mice (see :mod:`netlib.recordings.two_photon.mouse_table`): completes metadata,
            and the file is refused if it is of another mouse or session than the table says.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        KeyError
            If a table or column is missing from the file, or the session from the mouse table.
        ValueError
            If the file is no NWB file, is truncated, contradicts itself, its name or the mouse table.
        """
        from netlib.recordings.two_photon.nwb_reading import read_parts

        parts = read_parts(path, mouse_table)
        try:
            return cls(parts, tracked_only=tracked_only)
        except BaseException:
            parts.close()
            raise

    @classmethod
    def from_arrays(
        cls,
        *,
        dff: ArrayLike,
        twop_times: ArrayLike,
        stim_times: ArrayLike,
        trials: pd.DataFrame,
        running: ArrayLike | None = None,
        pupil: Mapping[str, ArrayLike] | None = None,
        roi_ids: ArrayLike | None = None,
        tracking_ids: ArrayLike | None = None,
        masks: ArrayLike | None = None,
        max_projection: ArrayLike | None = None,
        metadata: SessionMetadata | Mapping[str, Any] | None = None,
        spikes: list[np.ndarray] | None = None,
        truth: pd.DataFrame | None = None,
        tracked_only: bool = False,
    ) -> Session:
        """Make a session of arrays, such as simulated ones.

        Parameters
        ----------
        dff : array_like, shape (n_twop_frames, n_rois)
            dF/F, held as float32 like in a file.
        twop_times, stim_times : array_like
            Times of the two-photon and of the stimulus frames (s).
        trials : DataFrame
            One row per stimulus segment; see :data:`netlib.recordings.two_photon.trials.COLUMNS`.
        running : array_like, shape (n_stim_frames,), optional
            Running velocity (cm/s).
        pupil : dict of array_like, shape (n_twop_frames,), optional
            ``diameter``, ``x``, ``y`` (mm).
        roi_ids, tracking_ids : array_like, shape (n_rois,), optional
            Identifiers, and tracking numbers (NaN where untracked).
        masks : array_like, shape (n_rois, height, width), optional
            Weights of the pixels of each ROI.
        max_projection : array_like, shape (height, width), optional
            Image of the plane (0 to 255).
        metadata : SessionMetadata or dict, optional
        spikes : list of ndarray, optional
            True spike times (s), one array per simulated cell.
        truth : DataFrame, optional
            What the simulation knows of its cells.

        Raises
        ------
        KeyError, ValueError
            If a column is missing, or shapes, clocks and trials do not fit each other.
        """
        parts = parts_of_arrays(
            dff=dff,
            twop_times=twop_times,
            stim_times=stim_times,
            trials=trials,
            running=running,
            pupil=pupil,
            roi_ids=roi_ids,
            tracking_ids=tracking_ids,
            masks=masks,
            max_projection=max_projection,
            metadata=metadata,
            spikes=spikes,
            truth=truth,
        )
        return cls(parts, tracked_only=tracked_only)

    def close(self) -> None:
        """Close the file; what was read stays."""
        if not self._closed:
            self._parts.close()
            self._closed = True

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self} is closed: open {self.path or 'it'} again to read more of it")

    def __repr__(self) -> str:
        facts = self.metadata
        name = f"Session {facts.sessid}" if facts.sessid is not None else "Session"
        return f"{name} (mouse {facts.mouseid})" if facts.mouseid is not None else name

    # ------------------------------------------------------------------ stimuli

    def stim(self, name: str) -> Stim:
        """The stimulus "gabors", "visflow" or "grayscr".

        Raises
        ------
        ValueError
            If it is unknown or was not shown.
        """
        kind = STIM_CLASSES[check_choice("stimulus", name, STIM_CLASSES)]
        if kind.stimtype not in self._stims:
            self._stims[kind.stimtype] = kind(self)
        return self._stims[kind.stimtype]

    @property
    def gabors(self) -> Gabors:
        """The Gabor sequences."""
        return self.stim("gabors")

    @property
    def visflow(self) -> Visflow:
        """The visual flow."""
        return self.stim("visflow")

    @property
    def grayscr(self) -> Grayscr:
        """The gray screen."""
        return self.stim("grayscr")

    def ragged(self, name: str) -> list[np.ndarray]:
        """One array per row of the trials: positions, sizes or orientations of patches, positions of squares.

        Raises
        ------
        KeyError
            If the session has no such column.
        """
        if name not in self._parts.ragged:
            raise KeyError(f"trials.{name}: {self} has only {list(self._parts.ragged) or 'no columns of arrays'}")
        self._check_open()
        return self._parts.ragged[name]()

    @property
    def templates(self) -> dict[str, Any]:
        """Images of the stimuli by name, read when they are sliced; only files with "image" in their name have any."""
        return self._parts.templates

    def full_trials(self) -> pd.DataFrame:
        """The trials table with its columns of arrays (of the visual flow: large)."""
        return self.trials.assign(**{name: pd.Series(self.ragged(name), dtype=object) for name in self._parts.ragged})

    # ------------------------------------------------------------------ clocks

    @cached_property
    def stim_to_twop(self) -> np.ndarray:
        """Nearest two-photon frame of each stimulus frame."""
        return nearest_frames(self.stim_times, self.twop_times)

    @cached_property
    def twop_to_stim(self) -> np.ndarray:
        """Nearest stimulus frame of each two-photon frame, NaN before the first and after the last."""
        return nearest_frames(self.twop_times, self.stim_times, outside="nan")
