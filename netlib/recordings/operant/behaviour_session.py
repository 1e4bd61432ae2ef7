"""One session of one mouse: what it did, and what was recorded meanwhile, from files or from a simulation alike."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from netlib.recordings.operant.behaviour_segments import check_intervals, merge_behaviours
from netlib.recordings.operant.imetronic import COLUMNS, SESSION_END
from netlib.recordings.recording import Recording, Trace
from netlib.units import check_choice, check_integer, check_number, check_type

__all__ = ["PATHWAYS", "BehaviourSession", "as_pathway", "check_length", "check_schedule", "ratio_of"]

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
        Rows of the ``.dat`` file (:mod:`netlib.recordings.operant.imetronic`); may be without rows.
    intervals : DataFrame
        The seven exclusive behaviours: ``onset``, ``offset``, ``label``
        (:func:`netlib.recordings.operant.behaviour_segments.segment`).
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
