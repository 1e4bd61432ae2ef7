"""One two-photon session, from a file or from arrays: clocks, lazily read traces, reads locked to events."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice
from netlib.base.fingerprint import fingerprint
from netlib.openscope.metadata import PUPIL, SessionMetadata, SessionParts
from netlib.openscope.mice import MouseTable
from netlib.openscope.nwb_reading import read_parts
from netlib.openscope.schedule import RAGGED, checked_trials, parameter_values, split_ragged
from netlib.openscope.tracking import threshold_masks, tracked_order
from netlib.openscope.windows import (
    bridge_nan,
    check_clock,
    frame_rate,
    inside,
    nearest_frames,
    read_block,
    read_columns,
    read_windows,
    remove_jumps,
    robust_scale,
    warn_if_lost,
    window_size,
    window_times,
)

if TYPE_CHECKING:
    import xarray

__all__ = ["Gabors", "Grayscr", "Session", "Stim", "Visflow"]


#: Names of the criteria of a selection and the columns they look at.
COLUMN_OF = {
    "frame": "gabor_frame",
    "orientation": "gabor_mean_orientation",
    "kappa": "gabor_kappa",
    "direction": "main_flow_direction",
    "size": "square_size",
}
#: Ranges of a selection and the columns they look at.
RANGE_OF = {"frames_stim": "start_frame_stim", "frames_twop": "start_frame_twop", "times": "start_time_sec"}
#: What the first row of each span of rows and its last say of the span.
EDGES = [f"{what}_{clock}" for clock in ("frame_stim", "frame_twop", "time_sec") for what in ("start", "stop")]


class Stim:
    """One kind of stimulus of a session: its rows, blocks and runs.

    A *block* is an uninterrupted stretch of rows with the same parameters. A *sequence* is what is expected
    or unexpected as a whole: the Gabor frames from one A to the next, or one row of the visual flow. A *run*
    is a stretch of successive sequences of one block that are all expected, or all unexpected.

    Attributes
    ----------
    session : Session
    rows : DataFrame
        The rows of ``session.trials`` that show this stimulus; their index is the number of the segment.
    stimtype : str
        "gabors", "visflow" or "grayscr".
    """

    stimtype = ""
    kind = ""
    criteria: tuple[str, ...] = ()
    block_columns: tuple[str, ...] = ()

    def __init__(self, session: Session) -> None:
        self.session = session
        trials = session.trials
        self.rows = trials[trials["stimulus_type"] == self.kind]
        if self.rows.empty:
            shown = ", ".join(map(repr, dict.fromkeys(trials["stimulus_type"])))
            raise ValueError(f"stimulus {self.stimtype!r} was not shown in {session}: its trials hold {shown}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.rows)} segments in {len(self.block_params)} blocks of {self.session})"

    def __len__(self) -> int:
        return len(self.rows)

    def select(
        self,
        *,
        frame: str | Sequence[str] | None = None,
        unexpected: bool | None = None,
        orientation: ArrayLike | None = None,
        kappa: ArrayLike | None = None,
        direction: str | Sequence[str] | None = None,
        size: ArrayLike | None = None,
        first_of_run: bool = False,
        rows: ArrayLike | None = None,
        frames_stim: tuple[int, int] | None = None,
        frames_twop: tuple[int, int] | None = None,
        times: tuple[float, float] | None = None,
    ) -> pd.DataFrame:
        """Rows of the trials table that meet all criteria: the events of an analysis.

        Parameters
        ----------
        frame : str or list of str
            Letters of Gabor frames, of A, B, C, D, U, G. U takes the place of D in an unexpected sequence:
            with ``unexpected=True`` "D" means the frame in its place, so U.
        unexpected : bool
            Only rows of unexpected, or of expected, sequences. All frames A to G of a sequence with a U are
            unexpected.
        orientation : number or list
            Mean orientations (degrees) as in the table, where those of U are the sequence's + 90.
        kappa : number or list
            Concentrations of the orientations of the patches.
        direction : str or list of str
            Directions of the flow: "right (temp)", "left (nasal)", or one of the words in them.
        size : number or list
            Sizes of the squares of the flow (pixels).
        first_of_run : bool
            Only rows of the first sequence of each run, of the visual flow its first row. With ``unexpected``
            these are the onsets. The run that opens a block counts too (see :meth:`runs`).
        rows : list of int
            Numbers of segments, that is values of the index of the table.
        frames_stim, frames_twop, times : (start, stop)
            Half-open range in which a row must start: stimulus frames, two-photon frames, seconds.

        Returns
        -------
        DataFrame
            Rows of ``session.trials``, in order.

        Raises
        ------
        ValueError
            If a criterion is not one of this stimulus, or nothing meets them all.
        """
        values = {"frame": frame, "orientation": orientation, "kappa": kappa, "direction": direction, "size": size}
        values = {name: value for name, value in values.items() if value is not None}
        ranges = {"frames_stim": frames_stim, "frames_twop": frames_twop, "times": times}
        ranges = {name: check_array(name, value, ndim=1) for name, value in ranges.items() if value is not None}
        keep = np.ones(len(self.rows), bool)
        for name, value in values.items():
            if name not in self.criteria:
                raise ValueError(f"{name} = {value!r}: {self.stimtype} have no {name}, only {', '.join(self.criteria)}")
            keep &= self._matches(name, value, unexpected)
        for name, (start, stop) in ranges.items():
            keep &= self.rows[RANGE_OF[name]].between(start, stop, inclusive="left").to_numpy()
        if unexpected is not None:
            if unexpected not in (True, False):
                raise ValueError(f"unexpected = {unexpected!r}: it must be True, False or None")
            keep &= (self.structure["unexpected"] == bool(unexpected)).to_numpy()
        if first_of_run:
            keep &= self._in_first_sequence()
        if rows is not None:
            keep &= np.isin(self.rows.index, rows)
        if not keep.any():
            asked = {**values, **ranges, "unexpected": unexpected, "first_of_run": first_of_run or None, "rows": rows}
            raise ValueError(self._nothing({k: v for k, v in asked.items() if v is not None}))
        return self.rows[keep]

    @cached_property
    def structure(self) -> pd.DataFrame:
        """Numbers of the block, the run and the sequence of each row, and whether it is unexpected, by segment."""
        rows = self.rows
        changed = np.diff(rows.index, prepend=-9) != 1
        for name in self.block_columns:
            values = rows[name].to_numpy()
            if values.dtype.kind == "f":
                values = np.nan_to_num(values, nan=-1.0)
            changed[1:] |= values[1:] != values[:-1]
        sequence = np.cumsum(self._starts_sequence() | changed) - 1
        # A sequence is unexpected as a whole if any of its rows says so.
        of_sequence = np.zeros(sequence[-1] + 1, bool)
        np.logical_or.at(of_sequence, sequence, rows["unexpected"].to_numpy() == 1)
        unexpected = of_sequence[sequence]
        turned = np.concatenate([[True], unexpected[1:] != unexpected[:-1]])
        return pd.DataFrame(
            {
                "block": np.cumsum(changed) - 1,
                "run": np.cumsum(changed | turned) - 1,
                "sequence": sequence,
                "unexpected": unexpected,
            },
            index=rows.index,
        )

    @cached_property
    def block_params(self) -> pd.DataFrame:
        """One row per block: first and last segment, frames, times, and the parameters that it keeps."""
        spans = self._spans("block")
        return spans.join(self.rows[list(self.block_columns)], on="start_seg")

    def runs(self) -> pd.DataFrame:
        """One row per run of expected or unexpected sequences.

        Returns
        -------
        DataFrame
            ``block``, ``unexpected``, ``opens_block`` (no other run of the block comes before it),
            ``n_sequences``, ``start_seg``, ``stop_seg`` (excluded), frames and times on both clocks.
        """
        s = self.structure
        first = s.loc[self._first_of("run")].set_axis(range(s["run"].iloc[-1] + 1))
        facts = first[["block", "unexpected"]].assign(
            opens_block=~first["block"].duplicated(), n_sequences=s.groupby("run")["sequence"].nunique().to_numpy()
        )
        return pd.concat([facts, self._spans("run")], axis=1).rename_axis("run")

    @property
    def parameters(self) -> dict[str, Any]:
        """What was shown: the values that occur of each parameter, length of a segment (s) and of the runs (s)."""
        columns = {name: COLUMN_OF[name] for name in self.criteria}
        found = parameter_values(self.rows, list(columns.values()))
        runs = self.runs()
        lasting = {
            f"{'unexpected' if flag else 'expected'}_run_s": (float(d.min()), float(d.max()))
            for flag, d in runs["duration_sec"].groupby(runs["unexpected"])
        }
        segment = float(self.rows["duration_sec"].median())
        return {**{name: found[c] for name, c in columns.items()}, "segment_s": segment, **lasting}

    def _starts_sequence(self) -> np.ndarray:
        return np.ones(len(self.rows), bool)

    def _in_first_sequence(self) -> np.ndarray:
        s = self.structure
        return (s["sequence"] == s.groupby("run")["sequence"].transform("first")).to_numpy()

    def _first_of(self, level: str) -> pd.Index:
        return self.structure.index[~self.structure[level].duplicated()]

    def _spans(self, level: str) -> pd.DataFrame:
        first = self._first_of(level)
        last = self.structure.index[~self.structure[level].duplicated(keep="last")]
        spans = pd.DataFrame({"start_seg": first, "stop_seg": last + 1})
        for name in EDGES:
            spans[name] = self.rows.loc[first if name.startswith("start") else last, name].to_numpy()
        return spans.assign(duration_sec=spans["stop_time_sec"] - spans["start_time_sec"]).rename_axis(level)

    def _matches(self, name: str, wanted: Any, unexpected: bool | None) -> np.ndarray:
        column = self.rows[COLUMN_OF[name]]
        if name == "direction":
            known = parameter_values(self.rows, [column.name])[column.name]
            return column.isin([_direction(word, known) for word in _listed(wanted)]).to_numpy()
        if name == "frame":
            letters = [check_choice("frame", letter, "ABCDUG") for letter in _listed(wanted)]
            return column.isin(["U" if unexpected and letter == "D" else letter for letter in letters]).to_numpy()
        wanted = np.atleast_1d(check_array(name, wanted))
        return np.isclose(column.to_numpy()[:, None], wanted, rtol=0, atol=1e-6).any(axis=1)

    def _nothing(self, asked: dict[str, Any]) -> str:
        s = self.structure["unexpected"]
        there = [f"{len(self)} rows, {s.index[0]} to {s.index[-1]}, {int(s.sum())} of them unexpected"]
        for name in self.criteria:
            counts = self.rows[COLUMN_OF[name]].value_counts().sort_index()
            there.append(f"{name} " + ", ".join(f"{value!r} ({n})" for value, n in counts.items()))
        criteria = ", ".join(f"{name} = {value!r}" for name, value in asked.items())
        return f"no {self.stimtype} rows with {criteria} in {self.session}; there are {'; '.join(there)}"


class Gabors(Stim):
    """Sequences A-B-C-D-G of Gabor frames, in which U may take the place of D."""

    stimtype = "gabors"
    kind = "gabors"
    criteria = ("frame", "orientation", "kappa")
    block_columns = ("gabor_kappa",)

    def _starts_sequence(self) -> np.ndarray:
        return (self.rows["gabor_frame"] == "A").to_numpy()


class Visflow(Stim):
    """Visual flow of squares, of which some turn round when it is unexpected."""

    stimtype = "visflow"
    kind = "visflow"
    criteria = ("direction", "size")
    block_columns = ("main_flow_direction", "square_size", "square_number")


class Grayscr(Stim):
    """Gray screen before, between and after the stimuli."""

    stimtype = "grayscr"
    kind = "grayscreen"


#: Stimuli by their own names, and gray by its name in the trials table.
STIM_CLASSES = {"gabors": Gabors, "visflow": Visflow, "grayscr": Grayscr, "grayscreen": Grayscr}


def _listed(value: Any) -> list:
    return [value] if isinstance(value, str) else list(value)


def _direction(word: str, known: list[str]) -> str:
    named = [name for name in known if word in name.replace("(", "").replace(")", "").split()]
    return named[0] if named else check_choice("direction", word, known)


def _given(value: ArrayLike | None, dtype: Any) -> np.ndarray | None:
    return None if value is None else np.asarray(value, dtype)


class Session:
    """One imaging session. Make one with :meth:`open` or :meth:`from_arrays`; close it, or use ``with``.

    Times are in seconds; frames count from 0 on the two-photon ("twop") or the stimulus ("stim") clock.
    Traces stay in the file until asked for. ROIs are numbered from 0 in the order of the file, or, with
    ``tracked_only``, so that ROI k is the same cell in each session of the mouse.

    Attributes
    ----------
    metadata : SessionMetadata
    trials : DataFrame
        One row per stimulus segment, the columns of :data:`netlib.openscope.schedule.COLUMNS`.
    twop_times, stim_times : ndarray
        Time of each frame (s).
    fps, stim_fps : float
        Frames per second of both clocks, by the trials table.
    path : Path or None
        The file.
    columns : ndarray of int, shape (n_rois,)
        Place of each ROI in the file.
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
            The published table of mice (see :mod:`netlib.openscope.mice`): completes metadata,
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
        parts = read_parts(path, mouse_table)
        try:
            return cls(parts, tracked_only=tracked_only)
        except BaseException:
            parts.close()
            raise

    @classmethod
    def find(
        cls,
        folder: str | os.PathLike,
        mouse_table: MouseTable,
        *,
        mouse_n: int = 1,
        sess_n: int = 1,
        runtype: str = "prod",
        tracked_only: bool = False,
    ) -> Session:
        """Find and open a session under a folder by the numbers of mouse and session in the table of mice."""
        path = mouse_table.find(folder, mouse_table.session_id(mouse_n, sess_n, runtype))
        return cls.open(path, mouse_table=mouse_table, tracked_only=tracked_only)

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
            One row per stimulus segment; see :data:`netlib.openscope.schedule.COLUMNS`.
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
        dff = np.ascontiguousarray(dff, dtype=np.float32)
        for name in pupil or {}:
            check_choice("pupil", name, PUPIL)
        if dff.ndim == 2 and roi_ids is None:
            roi_ids = np.arange(dff.shape[1])
        parts = SessionParts(
            dff=dff,
            twop_times=np.asarray(twop_times, float),
            stim_times=np.asarray(stim_times, float),
            trials=trials.drop(columns=[name for name in RAGGED if name in trials]),
            roi_ids=np.asarray(roi_ids, np.int64),
            ragged={name: (lambda rows=rows: rows) for name, rows in split_ragged(trials).items()},
            running=_given(running, float),
            pupil={name: np.asarray(series, float) for name, series in (pupil or {}).items()},
            tracking_ids=_given(tracking_ids, float),
            masks=_given(masks, np.float32),
            max_projection=_given(max_projection, None),
            metadata=SessionMetadata.of(metadata),
            read_spikes=lambda: spikes,
            read_truth=lambda: truth,
        )
        return cls(parts, tracked_only=tracked_only)

    def fingerprint(self) -> str:
        """Hash of all that the session holds."""
        p = self._parts
        arrays = [None if a is None else np.asarray(a[:]) for a in (p.dff, p.running, p.masks, p.max_projection)]
        pupil = {name: np.asarray(values[:]) for name, values in p.pupil.items()}
        shown = {name: read() for name, read in p.ragged.items()}
        clocks = (self.twop_times, self.stim_times, self.trials, p.roi_ids, p.tracking_ids)
        return fingerprint(self.metadata, arrays, pupil, shown, clocks, where=str(self))

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

    # ------------------------------------------------------------------ ROIs

    @property
    def tracked_only(self) -> bool:
        """Whether only tracked ROIs are seen, in the order of tracking."""
        return self._tracked_only

    @tracked_only.setter
    def tracked_only(self, value: bool) -> None:
        self.columns = self.tracked_order() if value else np.arange(self._parts.dff.shape[1])
        self._tracked_only = bool(value)

    @property
    def n_rois(self) -> int:
        """Number of ROIs."""
        return len(self.columns)

    @property
    def roi_ids(self) -> np.ndarray:
        """Identifier of each ROI."""
        return self._parts.roi_ids[self.columns]

    @property
    def tracking_ids(self) -> np.ndarray | None:
        """Tracking number of each ROI, NaN where untracked; None if the session was not tracked."""
        return None if self._parts.tracking_ids is None else self._parts.tracking_ids[self.columns]

    def tracked_order(self) -> np.ndarray:
        """Indices in the file of the tracked ROIs: entry k is the same cell in each session of the mouse.

        Raises
        ------
        KeyError
            If the session was not tracked.
        """
        if self._parts.tracking_ids is None:
            raise KeyError(f"tracking_id: the ROIs of {self} are not tracked over sessions")
        return tracked_order(self._parts.tracking_ids)

    def dff(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        rois: ArrayLike | None = None,
        scale: bool = False,
        nan: str = "flag",
        dtype: Any = np.float64,
    ) -> xarray.DataArray:
        """dF/F around events, in one read of just the frames that it takes.

        The window of an event at frame ``ref`` is ``ref - round(pre * fps)`` up to, without,
        ``ref + round(post * fps)``. Events whose window leaves the recording are dropped.

        Parameters
        ----------
        events : DataFrame or array_like of int
            Rows of the trials table (``stim.select(...)``), or two-photon frames.
        pre, post : float
            Time before and after each event (s).
        rois : array_like of int, optional
            Numbers of the ROIs, by default all.
        scale : bool
            (x - median) / (p95 - p5) of each ROI over the whole session (see :meth:`scale_factors`).
        nan : {"flag", "drop", "raise"}
            What to do about ROIs with NaN in a window: keep them, with the coordinate ``has_nan`` true; leave
            them out; or raise a ValueError.
        dtype : data type
            float32 takes half the memory.

        Returns
        -------
        DataArray, dims (trial, roi, time)
            Coordinates: ``trial`` (index of the table, or place in ``events``), ``roi``, ``roi_id``,
            ``has_nan``, ``time`` (s), and with a table ``unexpected`` and ``orientation``. The attribute
            ``dropped`` lists the trials left out, ``dropped_rois`` the ROIs.

        Raises
        ------
        ValueError
            If no event is left, or a number is out of range.
        """
        check_choice("nan", nan, ("flag", "drop", "raise"))
        self._check_open()
        places = self._places(rois)
        starts, length, coords, attrs = self._window(events, pre, post, "twop", self.fps)
        values = read_windows(self._parts.dff, starts, length, self.columns[places], dtype)
        if scale:
            median, spread = self.scale_factors(places)
            with np.errstate(divide="ignore", invalid="ignore"):
                values -= median[:, None]
                values /= spread[:, None]
        has_nan = np.isnan(values).any(axis=(0, 2))
        if nan == "raise" and has_nan.any():
            raise ValueError(f"dff of {self} holds NaN around these events in ROIs {places[has_nan].tolist()}")
        keep = ~has_nan if nan == "drop" else slice(None)
        coords |= {
            "roi": places[keep],
            "roi_id": ("roi", self.roi_ids[places][keep]),
            "has_nan": ("roi", has_nan[keep]),
        }
        attrs |= {"dropped_rois": places[has_nan].tolist() if nan == "drop" else [], "scaled": scale}
        values = values[:, keep] if nan == "drop" else values
        return _labelled(values, ("trial", "roi", "time"), coords, attrs, "dff")

    def traces(self, rois: ArrayLike | None = None, frames: slice = slice(None), *, scale: bool = False) -> np.ndarray:
        """Whole dF/F traces, or a stretch of them, as float64 (n_rois, n_frames)."""
        self._check_open()
        places = self._places(rois)
        n_frames = len(self.twop_times)
        first, last, step = frames.indices(n_frames)
        if step != 1 or last <= first:
            raise ValueError(f"frames = {frames}: it must be a slice of step 1, not empty, of {n_frames} frames")
        values = read_block(self._parts.dff, slice(first, last), self.columns[places]).T.astype(np.float64)
        if scale:
            median, spread = self.scale_factors(places)
            values = (values - median[:, None]) / spread[:, None]
        return values

    def scale_factors(self, rois: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Median and p95 - p5 of the dF/F of each ROI over the whole session, NaN left out.

        Traces are read some at a time, once.

        Returns
        -------
        tuple of ndarray, shape (n_rois,)
            NaN for a ROI of nothing but NaN; the range of a flat trace is 0.
        """
        median, spread, _ = self._whole_session(rois)
        return median, spread

    def nan_rois(self, rois: ArrayLike | None = None) -> np.ndarray:
        """Tell for each ROI whether its trace has a NaN anywhere in the session."""
        return self._whole_session(rois)[2] > 0

    def masks(self, *, raw: bool = False) -> np.ndarray:
        """Masks of the ROIs (n_rois, height, width): boolean (weights of 0.1 up), or the ``raw`` weights.

        Raises
        ------
        KeyError
            If the session has none.
        """
        if self._parts.masks is None:
            raise KeyError(f"image_mask: {self} has no masks of its ROIs")
        self._check_open()
        weights = self._parts.masks[:][self.columns]
        return weights if raw else threshold_masks(weights)

    @property
    def max_projection(self) -> np.ndarray:
        """Maximum projection of the plane (0 to 255), shape (height, width)."""
        if self._parts.max_projection is None:
            raise KeyError(f"max_projection: {self} has none")
        self._check_open()
        return self._parts.max_projection[:]

    def spikes(self) -> list[np.ndarray] | None:
        """True spike times (s) of simulated cells, or None."""
        self._check_open()
        return self._parts.read_spikes()

    def truth(self) -> pd.DataFrame | None:
        """What the simulation knows of its cells, or None."""
        self._check_open()
        return self._parts.read_truth()

    def _places(self, rois: ArrayLike | None) -> np.ndarray:
        if rois is None:
            return np.arange(self.n_rois)
        places = np.atleast_1d(np.asarray(rois))
        if places.dtype == bool and places.shape == (self.n_rois,):
            return np.flatnonzero(places)
        if places.ndim != 1 or places.dtype.kind not in "iu" or not places.size:
            raise ValueError(f"rois = {rois!r}: it must be a list of numbers of ROIs in [0, {self.n_rois})")
        bad = places[(places < 0) | (places >= self.n_rois)]
        if bad.size:
            raise ValueError(f"rois holds {bad[0]}: {self} has ROIs in [0, {self.n_rois})")
        return places

    def _whole_session(self, rois: ArrayLike | None) -> np.ndarray:
        columns = self.columns[self._places(rois)]
        new = np.unique(columns[np.isnan(self._scale[2, columns])])
        if new.size:
            self._check_open()
        for place, block in read_columns(self._parts.dff, new):
            low, median, high = np.full((3, len(block)), np.nan)
            holed = np.isnan(block).any(axis=1)
            for roi, trace in enumerate(block):
                good = trace[~np.isnan(trace)] if holed[roi] else trace
                if good.size:
                    low[roi], median[roi], high[roi] = np.percentile(good, [5, 50, 95])
            self._scale[:, new[place]] = median, high - low, holed
        return self._scale[:, columns]

    def _window(
        self, events: pd.DataFrame | ArrayLike, pre: float, post: float, clock: str, fps: float
    ) -> tuple[np.ndarray, int, dict, dict]:
        """Starts and length of the windows inside the recording; coordinates and attributes of what is read."""
        frames, labels, facts = self._events(events, clock)
        n_pre, n_post = window_size(pre, post, fps)
        n_frames = len(self.twop_times if clock == "twop" else self.stim_times)
        keep = inside(frames, n_pre, n_post, n_frames)
        if not keep.any():
            raise ValueError(
                f"none of {len(frames)} events has its window of {n_pre} + {n_post} {clock} frames inside the "
                f"recording's {n_frames} frames: shorten pre = {pre:g} s or post = {post:g} s"
            )
        coords = {"trial": labels[keep], "time": ("time", window_times(n_pre, n_post, fps), {"units": "s"})}
        coords |= {name: ("trial", values[keep]) for name, values in facts.items()}
        attrs = {"dropped": labels[~keep].tolist(), "fps": fps, "n_pre": n_pre, "n_post": n_post}
        return frames[keep] - n_pre, n_pre + n_post, coords, attrs

    def _events(self, events: pd.DataFrame | ArrayLike, clock: str) -> tuple[np.ndarray, np.ndarray, dict]:
        if isinstance(events, pd.DataFrame):
            column = f"start_frame_{clock}"
            if column not in events:
                raise KeyError(f"events lacks the column {column!r}: give rows of session.trials")
            names = {"unexpected": "unexpected", "orientation": "gabor_mean_orientation"}
            facts = {name: events[c].to_numpy() for name, c in names.items() if c in events}
            frames, labels = events[column].to_numpy(), events.index.to_numpy()
        else:
            frames, facts = np.atleast_1d(np.asarray(events)), {}
            labels = np.arange(len(frames))
        if frames.ndim != 1 or not frames.size or frames.dtype.kind not in "iu":
            raise ValueError(
                f"events has shape {frames.shape} and type {frames.dtype}: it must be rows of session.trials or "
                "a list of whole frames, not empty"
            )
        return frames.astype(np.int64), labels, facts

    # ------------------------------------------------------------------ running and pupil

    def running(self, *, interpolate: bool = True, scale: bool = False) -> np.ndarray:
        """Running velocity on the stimulus clock, without jumps of more than 50 cm/s in a frame.

        Parameters
        ----------
        interpolate : bool
            Bridge lost frames linearly; else they are NaN.
        scale : bool
            (x - median) / (p75 - p25) over the session.

        Returns
        -------
        ndarray, shape (n_stim_frames,)
            In cm/s. A warning says if more than 0.03 % of the frames are lost.

        Raises
        ------
        KeyError
            If the session has no running velocity.
        """
        if "running" not in self._signals and self._parts.running is not None:
            self._check_open()
            self._signals["running"] = remove_jumps(self._parts.running[:])
        # A file without running still has the series, of NaN: its times are the stimulus clock.
        if "running" not in self._signals or np.isnan(self._signals["running"]).all():
            raise KeyError(f"running_velocity: {self} has no running velocity")
        return self._signal("running", interpolate, scale)

    def pupil(self, name: str = "diameter", *, interpolate: bool = True, scale: bool = False) -> np.ndarray:
        """Pupil ``diameter`` or position ``x`` or ``y`` (mm) on the two-photon clock; see :meth:`running`.

        Raises
        ------
        KeyError
            If the session has no such series; older files have no positions.
        """
        check_choice("pupil", name, PUPIL)
        if name not in self._parts.pupil:
            raise KeyError(f"{PUPIL[name]}: {self} has only {list(self._parts.pupil) or 'no pupil data'}")
        if name not in self._signals:
            self._check_open()
            self._signals[name] = np.array(self._parts.pupil[name][:], float)
        return self._signal(name, interpolate, scale)

    def running_around(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        interpolate: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """Running velocity around events, like :meth:`~netlib.openscope.session.Session.dff` does.

        Parameters
        ----------
        events : DataFrame or array_like of int
            Rows of the trials table, or stimulus frames.
        pre, post : float
            Time before and after each event (s).
        interpolate, scale
            As in :meth:`running`.

        Returns
        -------
        DataArray, dims (trial, time)
        """
        values = self.running(interpolate=interpolate, scale=scale)
        return self._around(values, events, pre, post, "stim", self.stim_fps, "running")

    def pupil_around(
        self,
        events: pd.DataFrame | ArrayLike,
        pre: float,
        post: float,
        *,
        name: str = "diameter",
        interpolate: bool = True,
        scale: bool = False,
    ) -> xarray.DataArray:
        """Pupil around events (rows of the trials table, or two-photon frames); see :meth:`running_around`."""
        values = self.pupil(name, interpolate=interpolate, scale=scale)
        return self._around(values, events, pre, post, "twop", self.fps, PUPIL[name])

    def _around(self, values, events, pre, post, clock, fps, name) -> xarray.DataArray:
        starts, length, coords, attrs = self._window(events, pre, post, clock, fps)
        return _labelled(read_windows(values, starts, length), ("trial", "time"), coords, attrs, name)

    def _signal(self, name: str, interpolate: bool, scale: bool) -> np.ndarray:
        values = self._signals[name]
        warn_if_lost(values, f"{name} of {self}")
        if interpolate:
            values = bridge_nan(values, f"{name} of {self}")
        return robust_scale(values) if scale else values.copy()


def _labelled(values: np.ndarray, dims: tuple, coords: dict, attrs: dict, name: str) -> xarray.DataArray:
    import xarray  # takes long to load

    return xarray.DataArray(values, dims=dims, coords=coords, attrs=attrs, name=name)
