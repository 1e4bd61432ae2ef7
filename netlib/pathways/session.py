"""One session of one mouse: what it did, and what was recorded meanwhile, from files or from a simulation alike."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_type
from netlib.pathways.behaviour import check_intervals, merge_behaviours
from netlib.pathways.imetronic import COLUMNS, SESSION_END
from netlib.recordings.recording import Recording, Trace

__all__ = [
    "PATHWAYS",
    "BehaviourSession",
    "FrameClock",
    "as_pathway",
    "check_length",
    "check_schedule",
    "frame_clock",
    "ratio_of",
]


#: Pathways by their Cre line: direct and indirect.
PATHWAYS = ("D1", "A2A")


def check_schedule(name: str, value: Any) -> str:
    """Return ``value`` if it is a fixed-ratio schedule such as "FR1" or "FR5", or raise an error."""
    if not isinstance(value, str) or not re.fullmatch(r"FR[1-9][0-9]*", value):
        raise ValueError(f"{name} = {value!r} is not a schedule: it must be 'FR' and a number, such as 'FR1' or 'FR5'")
    return value


def ratio_of(schedule: str) -> int:
    """Presses that a fixed-ratio schedule asks for a pellet.

    Examples
    --------
    >>> ratio_of("FR5")
    5
    """
    return int(check_schedule("schedule", schedule)[2:])


@dataclass(frozen=True, eq=False)
class BehaviourSession:
    """Behaviour and activity of one mouse in one session. Times are in ms.

    Attributes
    ----------
    mouse : str
        Name of the mouse.
    pathway : {"D1", "A2A"}
        Cre line: neurons of the direct or of the indirect pathway.
    session : int
        Number of the session, from 1.
    schedule : str
        "FR1" or "FR5".
    events : DataFrame
        Rows of the ``.dat`` file (:mod:`netlib.pathways.imetronic`); may be without rows.
    intervals : DataFrame
        The seven exclusive behaviours: ``onset``, ``offset``, ``label``
        (:func:`netlib.pathways.behaviour.segment`).
    duration : float
        Length of the session.
    recording : Recording, optional
        Neurons with columns ``population`` (the pathway), ``orientation`` (NaN) and ``cell`` (local index); traces
        "dff" and/or "events" on the frame clock; spikes are discrete events, or true spikes of a simulation.
    footprints : ndarray, shape (n_cells, height, width), optional
        Spatial footprints.
    amplitudes : ndarray, shape (n_spikes,), optional
        Amplitude of each discrete event.
    truth : dict
        What only a simulation knows.

    Raises
    ------
    ValueError
        If a part is out of range or does not fit the others.
    """

    mouse: str
    pathway: str
    session: int
    schedule: str
    events: pd.DataFrame
    intervals: pd.DataFrame
    duration: float
    recording: Recording | None = None
    footprints: np.ndarray | None = None
    amplitudes: np.ndarray | None = None
    truth: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not check_type("mouse", self.mouse, str):
            raise ValueError("mouse is empty: it must be the name of the mouse")
        check_choice("pathway", self.pathway, PATHWAYS)
        check_integer("session", self.session, 1)
        check_schedule("schedule", self.schedule)
        check_number("duration", self.duration, "ms", 0, low_open=True)
        missing = set(COLUMNS) - set(check_type("events", self.events, pd.DataFrame).columns)
        if missing:
            raise ValueError(f"events lacks the columns {sorted(missing)}: it must have those of the .dat file")
        object.__setattr__(self, "intervals", check_intervals(self.intervals, self.duration))
        self._check_recording()

    def _check_recording(self) -> None:
        if self.recording is None:
            for name in ("footprints", "amplitudes"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} is given without a recording: it needs one")
            return
        cells = check_type("recording", self.recording, Recording).neurons
        if abs(self.recording.duration - self.duration) > (self.dt or 1.0):
            raise ValueError(
                f"recording lasts {self.recording.duration:g} ms and the session {self.duration:g} ms: "
                "they must agree to a frame"
            )
        if "cell" not in cells.columns:
            raise ValueError("recording.neurons lacks the column 'cell', the local index of each neuron")
        strange = set(cells["population"]) - {self.pathway}
        if strange:
            raise ValueError(f"recording holds neurons of {sorted(strange)}: all must be of {self.pathway!r}")
        if self.footprints is not None and (np.ndim(self.footprints) != 3 or len(self.footprints) != len(cells)):
            raise ValueError(
                f"footprints has shape {np.shape(self.footprints)}: it must be ({len(cells)}, height, width), "
                "one image per neuron"
            )
        if self.amplitudes is not None and len(self.amplitudes) != len(self.recording.spike_time):
            raise ValueError(
                f"amplitudes holds {len(self.amplitudes)} values: it must hold one for each of the "
                f"{len(self.recording.spike_time)} events"
            )

    def __repr__(self) -> str:
        cells = "no recording" if self.recording is None else f"{len(self.recording)} neurons"
        return (
            f"BehaviourSession({self.mouse}, {self.pathway}, session {self.session}, {self.schedule}, "
            f"{self.duration / 60_000:.3g} min, {len(self.intervals)} intervals, {cells})"
        )

    @property
    def ratio(self) -> int:
        """Presses that the schedule asks for a pellet."""
        return ratio_of(self.schedule)

    @property
    def merged(self) -> pd.DataFrame:
        """The four merged behaviours."""
        return merge_behaviours(self.intervals)

    @property
    def dt(self) -> float | None:
        """Frame interval (ms) of the traces; None without them."""
        traces = {} if self.recording is None else self.recording.traces
        return next(iter(traces.values())).dt if traces else None

    def with_recording(
        self,
        recording: Recording,
        footprints: np.ndarray | None = None,
        amplitudes: np.ndarray | None = None,
        **truth: Any,
    ) -> BehaviourSession:
        """The same behaviour with another recording; ``truth`` is added to what was known."""
        return dataclasses.replace(
            self, recording=recording, footprints=footprints, amplitudes=amplitudes, truth={**self.truth, **truth}
        )


def check_length(
    events: pd.DataFrame,
    duration: float,
    *,
    tolerance: float = 1000.0,
    silence: float = 120_000.0,
    source: str = "events",
) -> float:
    """Compare the session length of the frame clock with the end of the ``.dat`` file.

    Parameters
    ----------
    events : DataFrame
        Rows of the ``.dat`` file.
    duration : float
        Length of the session by the frame clock (ms).
    tolerance : float
        How much later than the frame clock the file may end (ms); with a closing row (family 1, in files of our own)
        also how much earlier.
    silence : float
        How long before the end the last event may be in a file without closing row (ms).
    source : str
        What errors call the file.

    Returns
    -------
    float
        End of the file minus duration (ms).

    Raises
    ------
    ValueError
        If they disagree: one of the two is cut short, or belongs to another session.
    """
    check_number("duration", duration, "ms", 0, low_open=True)
    if not len(events):
        raise ValueError(f"{source} holds no event: truncated, or not of this session of {duration:g} ms")
    end = float(events["time"].iloc[-1])
    closed = events["family"].iloc[-1] == SESSION_END
    difference = end - duration
    if difference > tolerance:
        raise ValueError(
            f"{source} ends at {end:g} ms, {difference:g} ms after the frame clock ({duration:g} ms): "
            "the frames are truncated, or the two are of different sessions"
        )
    if -difference > (tolerance if closed else silence):
        raise ValueError(
            f"{source} ends at {end:g} ms, {-difference:g} ms before the frame clock ({duration:g} ms): "
            "the events are truncated, or the two are of different sessions"
        )
    return difference


def as_pathway(recording: Recording, pathway: str) -> Recording:
    """The same recording as one of neurons of a pathway, with the column ``cell`` and a trace called "dff".

    The trace is dF/F where there is one, else the denoised or the plain fluorescence.
    """
    traces = dict(recording.traces)
    best = next((name for name in ("dff", "denoised", "corrected", "fluorescence") if name in traces), None)
    if best is not None:
        trace = traces.pop(best)
        traces = {"dff": Trace(trace.values, trace.cells, trace.dt, trace.unit), **traces}
    own = {"population": pathway, "orientation": np.nan, "cell": np.arange(len(recording))}
    return dataclasses.replace(recording, neurons=recording.neurons.assign(**own), traces=traces)


# ---------------------------------------------------------------- frame clock


@dataclass(frozen=True, eq=False)
class FrameClock:
    """When frames were taken, and the regular grid that stands for them.

    Attributes
    ----------
    ends : ndarray, shape (n_frames,)
        End of each recorded frame (ms).
    dt : float
        Frame interval of the grid (ms).
    n : int
        Frames of the grid: frame k is [k dt, (k + 1) dt).
    regular : bool
        Whether each recorded frame is that of the grid, to half a frame; if not, activity must be laid on the grid.
    """

    ends: np.ndarray
    dt: float
    n: int
    regular: bool

    @property
    def duration(self) -> float:
        """Length of the session (ms)."""
        return self.n * self.dt

    def traces(self, values: np.ndarray) -> np.ndarray:
        """Sampled signals (n_cells, n_frames) on the grid, by linear interpolation where frames are not regular."""
        if self.regular:
            return values
        grid, centres = (np.arange(self.n) + 0.5) * self.dt, self.ends - self.dt / 2
        return np.stack([np.interp(grid, centres, row) for row in values])

    def counts(self, values: np.ndarray) -> np.ndarray:
        """Counts (n_cells, n_frames) on the grid: each goes to the frame that holds it, and none is lost."""
        if self.regular:
            return values
        frame = np.clip(((self.ends - self.dt / 2) // self.dt).astype(int), 0, self.n - 1)
        return np.stack([np.bincount(frame, row, self.n) for row in values])


def frame_clock(times: np.ndarray, source: str = "times") -> FrameClock:
    """Clock from the times of the frames.

    The last time is the length of the session, as in the published files, where each time ends a frame; times that
    begin at 0 are starts of frames, and the session lasts a frame longer.

    Parameters
    ----------
    times : ndarray, shape (n_frames,)
        Times (ms) from the start of the session.
    source : str
        What errors call them.

    Raises
    ------
    ValueError
        If there are fewer than two, or they are negative or not in order.
    """
    times = check_array(source, times, "ms", 0, ndim=1)
    if len(times) < 2:
        raise ValueError(f"{source} holds {len(times)} frame: truncated, a clock needs at least 2")
    steps = np.diff(times)
    if (steps <= 0).any():
        k = int(np.argmax(steps <= 0)) + 1
        raise ValueError(
            f"{source}: frame {k} at {times[k]:g} ms comes after one at {times[k - 1]:g} ms: "
            "frames are shuffled or damaged, times must rise"
        )
    typical, mean = float(np.median(steps)), float(steps.mean())
    dt = round(mean if abs(mean / typical - 1) < 0.001 else typical, 6)
    ends = times + (dt if times[0] < dt / 2 else 0.0)
    regular = bool(np.abs(ends - (np.arange(len(ends)) + 1) * dt).max() <= dt / 2)
    return FrameClock(ends, dt, len(ends) if regular else max(round(ends[-1] / dt), 1), regular)
