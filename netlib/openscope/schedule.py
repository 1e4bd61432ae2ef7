"""The schedule of a two-photon session: one row per stimulus segment, and the two clocks that time it.

Columns, timing and statistics are those of the published experiment: Gillon, Lecoq et al. 2023, Sci Data 10:287
(dandiset 000037); Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023. In sequences of Gabor frames A-B-C-D now and
then U takes the place of D; in the visual flow squares all move one way, until some turn round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.base.seeds import stream
from netlib.stimuli.protocol import Protocol

__all__ = [
    "COLUMNS",
    "DIRECTIONS",
    "GRAY",
    "LETTERS",
    "N_SQUARES",
    "ORIENTATIONS",
    "PROPORTION_FLIPPED",
    "RAGGED",
    "SPEED",
    "SQUARE_SIZE",
    "STIMULI",
    "TRIAL_COLUMNS",
    "U_ROTATION",
    "Schedule",
    "block_table",
    "checked_trials",
    "credit_assignment_schedule",
    "draw_runs",
    "flow_block",
    "gabor_block",
    "parameter_values",
    "place_rows",
    "split_ragged",
    "square_positions",
]

# ---------------------------------------------------------------- the table


#: Columns of one value per row, in order, and what each holds.
COLUMNS = {
    "stimulus_type": "Kind of stimulus: gabors, visflow or grayscreen.",
    "stimulus_template_name": "Name of the images of the stimulus.",
    "unexpected": "1 in an unexpected sequence or flow, 0 in an expected one, NaN for gray.",
    "gabor_frame": "Letter of the Gabor frame: A, B, C, D, U or G.",
    "gabor_kappa": "Concentration of the orientations of the patches (von Mises).",
    "gabor_mean_orientation": "Mean orientation of the patches (degrees).",
    "gabor_number": "Number of Gabor patches.",
    "main_flow_direction": "Direction of the flow: right (temp) or left (nasal).",
    "square_size": "Side of the squares of the flow (pixels).",
    "square_number": "Number of squares of the flow.",
    "square_proportion_flipped": "Proportion of the squares that move against the flow.",
    "start_frame_stim_template": "Index of the first image in the images of the stimulus.",
    "start_frame_stim": "First stimulus frame.",
    "stop_frame_stim": "Stimulus frame after the last.",
    "num_frames_stim": "Number of stimulus frames.",
    "start_frame_twop": "First two-photon frame.",
    "stop_frame_twop": "Two-photon frame after the last.",
    "num_frames_twop": "Number of two-photon frames.",
    "start_time_sec": "Start (s).",
    "stop_time_sec": "Stop (s).",
    "duration_sec": "Duration (s).",
}
#: Columns of one array per row.
RAGGED = {
    "gabor_locations_x": "Position of each patch from the middle of the screen, to the right (pixels).",
    "gabor_locations_y": "Position of each patch from the middle of the screen, upwards (pixels).",
    "gabor_sizes": "Size of each patch (pixels).",
    "gabor_orientations": "Orientation of each patch (degrees).",
    "square_locations_x": "Position of each square in each frame, to the right (pixels).",
    "square_locations_y": "Position of each square in each frame, upwards (pixels).",
}
#: Kinds of stimulus and the columns they need beyond the common ones.
STIMULI = {"gabors": ("gabor_frame", "gabor_mean_orientation"), "visflow": ("main_flow_direction",), "grayscreen": ()}
TEXT = ("stimulus_type", "stimulus_template_name", "gabor_frame", "main_flow_direction")
#: All columns in the order of the files, with what a row holds that has no such thing.
TRIAL_COLUMNS = {
    name: None
    if name in RAGGED
    else ""
    if name in TEXT
    else 0.0
    if name.endswith("_sec")
    else 0
    if "frame" in name
    else np.nan
    for name in [*list(COLUMNS)[:7], *list(RAGGED)[:4], *list(COLUMNS)[7:11], *list(RAGGED)[4:], *list(COLUMNS)[11:]]
}
#: Name of gray in the table.
GRAY = "grayscreen"
FRAMES = ("start_frame_stim", "stop_frame_stim", "start_frame_twop", "stop_frame_twop")
NEEDED = ("stimulus_type", "unexpected", *FRAMES, "start_time_sec", "stop_time_sec")
FILE_NAMES = {"start_time": "start_time_sec", "stop_time": "stop_time_sec"}


def checked_trials(trials: pd.DataFrame, n_stim: int, n_twop: int, where: str = "trials") -> pd.DataFrame:
    """Return the table with all of :data:`COLUMNS` in order, or raise an error that says what is wrong.

    ``start_time`` and ``stop_time``, the names in a file, are renamed; durations and numbers of frames are
    computed; columns that no stimulus of the table needs are filled with NaN or "". Other columns of one
    value per row are kept, those of :data:`RAGGED` dropped (see :func:`split_ragged`). The index is ``id``.

    Parameters
    ----------
    trials : DataFrame
        One row per segment.
    n_stim, n_twop : int
        Frames on both clocks.
    where : str
        What to call the table in errors.

    Raises
    ------
    KeyError
        If a needed column is missing.
    ValueError
        If the table is empty, holds an unknown stimulus, rows out of order, or frames outside the recording.
    """
    table = check_type(where, trials, pd.DataFrame).rename(columns=FILE_NAMES)
    table = table.drop(columns=[c for c in RAGGED if c in table])
    if table.empty:
        raise ValueError(f"{where} is empty: it must have one row per stimulus segment")
    _need(table, NEEDED, where)
    for kind in sorted({_text(value) for value in table["stimulus_type"]}):
        if kind not in STIMULI:
            raise ValueError(f"{where}.stimulus_type holds {kind!r}: it must be one of {', '.join(map(repr, STIMULI))}")
        _need(table, STIMULI[kind], f"{where} (with {kind})")
    for name in TEXT:
        table[name] = [_text(value) for value in table[name].to_numpy()] if name in table else ""
    for name in COLUMNS.keys() - set(TEXT):
        if name in table or name not in ("duration_sec", "num_frames_stim", "num_frames_twop"):
            table[name] = _numbers(table[name] if name in table else np.full(len(table), np.nan), name, where)
    for name in FRAMES:
        table[name] = _whole(table[name], name, where)
    table["num_frames_stim"] = table["stop_frame_stim"] - table["start_frame_stim"]
    table["num_frames_twop"] = table["stop_frame_twop"] - table["start_frame_twop"]
    table["duration_sec"] = table["stop_time_sec"] - table["start_time_sec"]
    for clock, n in (("stim", n_stim), ("twop", n_twop)):
        _within(table, clock, n, where)
    if not (np.diff(table["start_time_sec"]) > 0).all():
        row = int(np.argmin(np.diff(table["start_time_sec"]) > 0)) + 1
        raise ValueError(f"{where}.start_time_sec does not increase at row {row}: rows must be in order of time")
    table.index = pd.RangeIndex(len(table), name="id")
    return table[[*COLUMNS, *(c for c in table if c not in COLUMNS)]]


def split_ragged(trials: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """Columns of one array per row, those with any value: one float array per row, empty where there is none."""
    found = {name: [_array(v) for v in trials[name]] for name in RAGGED if name in trials}
    return {name: rows for name, rows in found.items() if any(row.size for row in rows)}


def parameter_values(rows: pd.DataFrame, names: Sequence[str]) -> Mapping[str, list]:
    """Values that occur in some columns, in order, without NaN and ""."""
    return {name: sorted(v for v in rows[name].dropna().unique().tolist() if v != "") for name in names}


def _array(value: Any) -> np.ndarray:
    if value is None or np.isscalar(value):  # a bare NaN says "none"
        return np.empty(0)
    return np.asarray(value, float)


def _need(table: pd.DataFrame, names: Sequence[str], where: str) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise KeyError(f"{where} lacks the columns {missing}: it has {list(map(str, table.columns))}")


def _text(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return "" if text.lower() in ("nan", "none", "<na>") else text


def _numbers(values: Any, name: str, where: str) -> np.ndarray:
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(f"{where}.{name} holds values that are not numbers") from None


def _whole(values: pd.Series, name: str, where: str) -> np.ndarray:
    bad = ~np.isfinite(values) | (values % 1 != 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{where}.{name} = {values.iloc[row]} at row {row} is not a frame: it must be a whole number")
    return values.to_numpy().astype(np.int64)


def _within(table: pd.DataFrame, clock: str, n: int, where: str) -> None:
    start, stop = (table[f"{edge}_frame_{clock}"].to_numpy() for edge in ("start", "stop"))
    bad = (start < 0) | (stop > n) | (stop <= start)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"{where} row {row} spans {clock} frames [{start[row]}, {stop[row]}): "
            f"it must be a part, not empty, of the recording's [0, {n})"
        )


# ---------------------------------------------------------------- the schedule


@dataclass(frozen=True, eq=False)
class Schedule:
    """What is shown when in a session, on the clocks of stimulus and microscope.

    Attributes
    ----------
    trials : DataFrame
        One row per segment, in order, without gaps; columns of :data:`TRIAL_COLUMNS`, index ``id``. The columns of
        :data:`RAGGED` hold one array per row, empty where there is nothing of the kind.
    stim_times : ndarray, shape (n_stim,)
        Times of the stimulus frames (s).
    twop_times : ndarray, shape (n_twop,)
        Times of the two-photon frames (s); they start before the first stimulus frame and end after the last.
    seed : int
        Master seed.
    parameters : dict
        What it was made with.

    Examples
    --------
    >>> schedule = credit_assignment_schedule(1, gabor_minutes=1.0, flow_minutes=0.0)
    >>> schedule, round(schedule.twop_fps), len(schedule.protocol())
    (Schedule(202 rows: 2 grayscreen, 200 gabors; 134.8 s), 30, 200)
    """

    trials: pd.DataFrame
    stim_times: np.ndarray
    twop_times: np.ndarray
    seed: int
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_type("trials", self.trials, pd.DataFrame)
        missing = [name for name in TRIAL_COLUMNS if name not in self.trials]
        if missing:
            raise ValueError(f"trials lacks the columns {missing}: see netlib.openscope.schedule.TRIAL_COLUMNS")

    def __len__(self) -> int:
        return len(self.trials)

    def __repr__(self) -> str:
        kinds = self.trials["stimulus_type"].value_counts(sort=False)
        rows = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        return f"Schedule({len(self)} rows: {rows}; {self.duration:.1f} s)"

    @property
    def duration(self) -> float:
        """Time from the first two-photon frame to the end of the last (s)."""
        return len(self.twop_times) / self.twop_fps

    @property
    def stim_fps(self) -> float:
        """Stimulus frames per second."""
        return _rate(self.stim_times)

    @property
    def twop_fps(self) -> float:
        """Two-photon frames per second."""
        return _rate(self.twop_times)

    def sequence_numbers(self) -> np.ndarray:
        """Number of the Gabor sequence that each row belongs to, from 0; -1 for other rows, shape (n_rows,)."""
        gabors = (self.trials["stimulus_type"] == "gabors").to_numpy()
        letters = self.trials["gabor_frame"].to_numpy()
        first = np.diff(gabors, prepend=False) & gabors  # a block cut by an excerpt may open with another letter than A
        return np.where(gabors, np.cumsum(gabors & ((letters == "A") | first)) - 1, -1)

    def excerpt(self, start: float, stop: float) -> Schedule:
        """The rows that lie wholly in [start, stop] s of the session, and the clocks cut to it, frames renumbered.

        Times stay those of the session.

        Raises
        ------
        ValueError
            If no row lies there.
        """
        start = check_number("start", start, "s")
        stop = check_number("stop", stop, "s", start, low_open=True)
        slack = 1e-6
        inside = (self.trials["start_time_sec"] >= start - slack) & (self.trials["stop_time_sec"] <= stop + slack)
        if not inside.any():
            low, high = self.trials["start_time_sec"].iloc[0], self.trials["stop_time_sec"].iloc[-1]
            raise ValueError(
                f"start = {start:g} s, stop = {stop:g} s hold no whole row: rows lie in [{low:.3f}, {high:.3f}] s"
            )
        rows = self.trials[inside].reset_index(drop=True).rename_axis("id")
        first, last = rows["start_frame_stim"].iloc[0], rows["stop_frame_stim"].iloc[-1]
        seen = (self.twop_times >= start - slack) & (self.twop_times <= stop + slack)
        # The frames of every row stay, where rounding puts them just outside.
        seen[rows["start_frame_twop"].iloc[0] : rows["stop_frame_twop"].iloc[-1]] = True
        for clock, shift in (("stim", first), ("twop", int(np.argmax(seen)))):
            for edge in ("start", "stop"):
                rows[f"{edge}_frame_{clock}"] -= shift
        parameters = {**self.parameters, "excerpt": (start, stop)}
        return Schedule(rows, self.stim_times[first:last], self.twop_times[seen], self.seed, parameters)

    def protocol(self) -> Protocol:
        """The Gabor segments as a protocol in ms from the first two-photon frame; all else is grey.

        Returns
        -------
        Protocol
            Stimulus "GaborSequence"; ``orientation``: mean of the patches modulo 180 deg, NaN for G, of contrast 0;
            ``B_theta``: small-angle standard deviation of the patches, 1 / sqrt(kappa) in degrees; ``trial``: number
            of the sequence; further columns ``gabor_frame``, ``unexpected`` and ``id`` (row of ``trials``).

        Raises
        ------
        ValueError
            If there are no Gabors.
        """
        rows = self.trials[self.trials["stimulus_type"] == "gabors"]
        if rows.empty:
            raise ValueError("the schedule shows no Gabors: a protocol needs at least one")
        blank = (rows["gabor_frame"] == "G").to_numpy()
        table = pd.DataFrame(
            {
                "onset": 1000.0 * np.maximum(rows["start_time_sec"].to_numpy() - self.twop_times[0], 0.0),
                "duration": 1000.0 * rows["duration_sec"].to_numpy(),
                "stimulus": "GaborSequence",
                "trial": self.sequence_numbers()[rows.index],
                "orientation": np.where(blank, np.nan, rows["gabor_mean_orientation"] % 180.0),
                "B_theta": np.where(blank, np.nan, np.degrees(1 / np.sqrt(rows["gabor_kappa"]))),
                "contrast": np.where(blank, 0.0, 1.0),
                "gabor_frame": rows["gabor_frame"].to_numpy(),
                "unexpected": rows["unexpected"].to_numpy(),
                "id": rows.index,
            }
        )
        end = float(table["onset"].iloc[-1] + table["duration"].iloc[-1])
        return Protocol(table, duration=max(end, 1000.0 * self.duration))


def _rate(times: np.ndarray) -> float:
    return float((len(times) - 1) / (times[-1] - times[0]))


# ---------------------------------------------------------------- a session


#: Frames of a sequence, G being gray; U takes the place of D.
LETTERS = ("A", "B", "C", "D", "G")
#: Mean orientations of a sequence (deg), and what U adds to them.
ORIENTATIONS, U_ROTATION = (0.0, 45.0, 90.0, 135.0), 90.0
#: Patches per frame, and bounds of their sizes (pixels).
N_PATCHES, SIZES = 30, (204, 408)
#: Length of a frame (s), of a sequence (s), shortest and longest runs (sequences: 30-90 s and 3-6 s).
SEGMENT, SEQUENCE, EXPECTED_RUN, UNEXPECTED_RUN = 0.3, 1.5, (20, 60), (2, 4)
#: Share of unexpected sequences in published sessions: 82 to 105 of 1360.
UNEXPECTED_SHARE = (82 / 1360, 105 / 1360)
#: First frame of the stimulus and of the microscope in a published session, and what the latter records after (s).
STIM_START, TWOP_START, TAIL = 14.306, 9.552, 10.0
#: Half the width and height of the screen (pixels).
HALF_SCREEN = (960.0, 600.0)
#: Directions of the flow, by what they are called in the files: to the right of the screen (temporal), to the left.
DIRECTIONS = {"right (temp)": 1, "left (nasal)": -1}
#: Number of squares, their side (pixels), their speed (pixels/s, 50 deg/s), and the proportion that turns round
#: (Gillon, Lecoq et al. 2023, Sci Data 10:287).
N_SQUARES, SQUARE_SIZE, SPEED, PROPORTION_FLIPPED = 105, 128.0, 799.755, 0.25
#: Shortest and longest run (s).
FLOW_EXPECTED_RUN, FLOW_UNEXPECTED_RUN = (30, 90), (2, 4)
#: Unexpected runs per second of published sessions: 14 to 18 in 17 minutes.
ONSETS_PER_SECOND = (14 / 1020, 18 / 1020)


def credit_assignment_schedule(
    seed: int,
    *,
    gabor_minutes: float = 34.0,
    flow_minutes: float = 17.0,
    gray: float = 30.0,
    kappa: float = 16.0,
    unexpected: str | bool = "published",
    stim_fps: float = 59.95,
    twop_fps: float = 30.08,
    order: Sequence[str] | None = None,
    light: bool = True,
) -> Schedule:
    """Schedule of a session: gray, Gabor sequences, gray, visual flow one way, gray, the other way, gray.

    Lengths count stimulus frames as the experiment did, 60 to a second, so that 34 min at 59.95 frames/s last 1.7 s
    longer. A block starts with an expected run. Expected runs last 30-90 s, unexpected ones 3-6 s (Gabors) and 2-4 s
    (flow); all are whole but for the last of a block, where it is expected, and that lasts at least 30 s. Runs are
    drawn again until the share of unexpected sequences lies in the published 82-105 of 1360, and the number of flow
    onsets in the published 14-18 per 17 min (in blocks of few minutes, as near to that as runs allow).

    Parameters
    ----------
    seed : int
        Master seed.
    gabor_minutes : float
        Length of the Gabor block (min), rounded to sequences of 1.5 s; 0 leaves it out.
    flow_minutes : float
        Length of the visual flow in each direction (min), rounded to seconds; 0 leaves it out.
    gray : float
        Gray before, between and after the blocks (s).
    kappa : float
        Concentration of the orientations of patches around the mean of their frame. As in the experiment, the von Mises
        has a period of 360 deg of orientation angle: standard deviation about 1 / sqrt(kappa), 14.3 deg for 16.
    unexpected : "published" or False
        Unexpected events with the published statistics, or none.
    stim_fps, twop_fps : float
        Frames per second of stimulus and microscope (Hz).
    order : sequence of str, optional
        The blocks, of "gabors", "right (temp)", "left (nasal)"; by default the Gabors come first or last and the
        directions in either order, at random.
    light : bool
        Leave out the positions of the squares of the flow (about 100 MB for a whole session).

    Returns
    -------
    Schedule
        By default 8844 rows: 4 gray, 6800 Gabor frames, 2040 s of flow.

    Raises
    ------
    ValueError
        If a parameter is out of range, or nothing but gray is left.

    Examples
    --------
    >>> credit_assignment_schedule(1)
    Schedule(8844 rows: 4 grayscreen, 2040 visflow, 6800 gabors; 4218.2 s)
    """
    n_sequences = round(60 * check_number("gabor_minutes", gabor_minutes, "min", 0, 600) / SEQUENCE)
    seconds = round(60 * check_number("flow_minutes", flow_minutes, "min", 0, 600))
    check_number("gray", gray, "s", 0, 600)
    check_number("kappa", kappa, "", 0, low_open=True)
    check_number("stim_fps", stim_fps, "Hz", 10, 480)
    check_number("twop_fps", twop_fps, "Hz", 1, 480)
    if unexpected not in ("published", False):
        raise ValueError(f"unexpected = {unexpected!r} is unknown: it must be 'published' or False")
    blocks = _blocks(seed, order, n_sequences, seconds)
    nominal, surprise = round(stim_fps), unexpected == "published"
    rest = block_table(1, stimulus_type=GRAY, stimulus_template_name=GRAY, num_frames_stim=round(gray * nominal))
    parts = []
    for name in blocks:
        parts.append(rest)
        if name == "gabors":
            parts.append(gabor_block(seed, n_sequences, round(SEGMENT * nominal), kappa, surprise))
        else:
            parts.append(flow_block(seed, name, seconds, nominal, surprise, light))
    parts = [part for part in [*parts, rest] if part["num_frames_stim"].iloc[0]]
    table = pd.concat(parts, ignore_index=True)
    stim_times = STIM_START + np.arange(table["num_frames_stim"].sum()) / stim_fps
    stop = stim_times[-1] + TAIL - TWOP_START
    twop_times = TWOP_START + np.arange(int(stop * twop_fps)) / twop_fps
    parameters = {
        "gabor_minutes": gabor_minutes,
        "flow_minutes": flow_minutes,
        "gray": gray,
        "kappa": kappa,
        "unexpected": unexpected,
        "stim_fps": stim_fps,
        "twop_fps": twop_fps,
        "order": blocks,
        "light": light,
    }
    return Schedule(place_rows(table, stim_times, stim_fps, twop_times), stim_times, twop_times, seed, parameters)


def gabor_block(
    seed: int, n_sequences: int, frames: int = 18, kappa: float = 16.0, unexpected: bool = True
) -> pd.DataFrame:
    """Rows of one block of Gabor sequences.

    Parameters
    ----------
    seed : int
        Master seed.
    n_sequences : int
        Sequences of five rows A, B, C, D or U, G.
    frames : int
        Stimulus frames per row.
    kappa : float
        Concentration of the orientations of the patches.
    unexpected : bool
        Let U take the place of D in runs of 2-4 sequences, after 20-60 expected ones.

    Returns
    -------
    DataFrame
        ``unexpected`` is 1 in all rows of a sequence with U, and ``gabor_mean_orientation`` of U is the sequence's
        + 90 deg, not wrapped. G, which shows nothing, carries the orientation of its sequence and no patches. Places
        and sizes of patches belong to the letter; their orientations are drawn anew in each frame.

    Examples
    --------
    >>> block = gabor_block(1, n_sequences=200)
    >>> "".join(block["gabor_frame"][:10]), int(block["unexpected"].sum())
    ('ABCDGABCDG', 65)
    """
    check_integer("n_sequences", n_sequences, 1, unit="sequences")
    flags = np.zeros(n_sequences, bool)
    if unexpected:
        rng = stream(seed, "gabors", "runs")
        flags = draw_runs(rng, n_sequences, EXPECTED_RUN, UNEXPECTED_RUN, UNEXPECTED_SHARE)
    letters = np.tile(np.array(LETTERS), (n_sequences, 1))
    letters[flags, 3] = "U"
    mean = np.repeat(stream(seed, "gabors", "orientations").choice(ORIENTATIONS, n_sequences)[:, None], 5, axis=1)
    mean[letters == "U"] += U_ROTATION
    letters, mean = letters.ravel(), mean.ravel()
    shown = letters != "G"
    spread = np.degrees(stream(seed, "gabors", "patches").vonmises(0.0, kappa, (len(mean), N_PATCHES)))
    image = np.where(shown, np.cumsum(shown) - 1, 0)
    return block_table(
        len(letters),
        stimulus_type="gabors",
        stimulus_template_name=np.where(shown, "gabors", GRAY),
        unexpected=np.repeat(flags, 5).astype(float),
        gabor_frame=letters,
        gabor_kappa=float(kappa),
        gabor_mean_orientation=mean,
        gabor_number=np.where(shown, float(N_PATCHES), 0.0),
        gabor_orientations=[
            row if show else np.empty(0) for show, row in zip(shown, mean[:, None] + spread, strict=True)
        ],
        start_frame_stim_template=image,
        num_frames_stim=frames,
        **_patches(seed, letters),
    )


def flow_block(
    seed: int, direction: str, seconds: int, frames: int = 60, unexpected: bool = True, light: bool = True
) -> pd.DataFrame:
    """Rows of one block of visual flow, one per second.

    Parameters
    ----------
    seed : int
        Master seed.
    direction : str
        "right (temp)" or "left (nasal)".
    seconds : int
        Number of rows.
    frames : int
        Stimulus frames per row.
    unexpected : bool
        Let a quarter of the squares turn round for 2-4 s, after 30-90 s.
    light : bool
        Leave the positions of the squares out.

    Examples
    --------
    >>> block = flow_block(1, "right (temp)", seconds=300, unexpected=True)
    >>> len(block), sorted(block["square_proportion_flipped"].unique().tolist())
    (300, [0.0, 0.25])
    """
    rng = stream(seed, "visual flow", direction)
    flags = np.zeros(seconds, bool)
    if unexpected:
        flags = draw_runs(rng, seconds, FLOW_EXPECTED_RUN, FLOW_UNEXPECTED_RUN, ONSETS_PER_SECOND, count_runs=True)
    places = {}
    if not light:
        x, y = square_positions(rng, flags, DIRECTIONS[direction], frames)
        places = {"square_locations_x": list(x), "square_locations_y": list(y)}
    return block_table(
        seconds,
        stimulus_type="visflow",
        stimulus_template_name=f"visflow_{direction.split()[0]}",
        unexpected=flags.astype(float),
        main_flow_direction=direction,
        square_size=SQUARE_SIZE,
        square_number=float(N_SQUARES),
        square_proportion_flipped=np.where(flags, PROPORTION_FLIPPED, 0.0),
        start_frame_stim_template=np.arange(seconds) * frames,
        num_frames_stim=frames,
        **places,
    )


def square_positions(
    rng: np.random.Generator, flags: np.ndarray, direction: int, frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the squares (pixels from the middle of the screen), two arrays (n_rows, n_squares, frames).

    A square that leaves on one side comes back on the other. In each unexpected run other squares turn round.

    Examples
    --------
    >>> x, y = square_positions(np.random.default_rng(0), np.array([False, True]), 1, frames=10)
    >>> x.shape, round(float(x[0, 0, 1] - x[0, 0, 0]), 1)
    ((2, 105, 10), 80.0)
    """
    width = HALF_SCREEN[0] + SQUARE_SIZE / 2
    x = rng.uniform(-width, width, N_SQUARES)
    y = rng.uniform(-HALF_SCREEN[1], HALF_SCREEN[1], N_SQUARES)
    sign = np.full((len(flags), N_SQUARES), float(direction))
    onsets = np.diff(flags, prepend=False) & flags
    for row in np.flatnonzero(onsets):
        stop = row + np.argmin(np.append(flags[row:], False))
        turned = rng.choice(N_SQUARES, round(PROPORTION_FLIPPED * N_SQUARES), replace=False)
        sign[row:stop, turned] = -direction
    before = np.cumsum(sign, axis=0) - sign
    moved = SPEED * (before[:, :, None] + sign[:, :, None] * np.arange(frames) / frames)
    xs = np.mod(x[None, :, None] + moved + width, 2 * width) - width
    ys = np.broadcast_to(y[None, :, None], xs.shape)
    return xs.astype(np.float32), ys.astype(np.float32)


def draw_runs(
    rng: np.random.Generator,
    n: int,
    expected: tuple[int, int],
    unexpected: tuple[int, int],
    share: tuple[float, float],
    *,
    count_runs: bool = False,
    tries: int = 2000,
) -> np.ndarray:
    """Alternate expected and unexpected runs of random lengths: which of ``n`` steps are unexpected.

    Lengths are uniform between their bounds (steps, both included). The first run is expected; the last is whole, or
    expected and at least as long as the shortest. Sequences of runs are drawn until the share of unexpected steps (with
    ``count_runs`` the number of unexpected runs per step) lies in ``share``; when none of ``tries`` does, as may be
    where ``n`` is small, the nearest is taken.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> draw_runs(np.random.default_rng(1), 12, (3, 4), (1, 2), (0.1, 0.4)).astype(int).tolist()
    [0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    """
    best, best_miss = np.zeros(n, bool), np.inf
    for _ in range(tries):
        lengths = np.empty(2 * (n // (expected[0] + unexpected[0]) + 2), int)
        lengths[::2] = rng.integers(expected[0], expected[1] + 1, len(lengths) // 2)
        lengths[1::2] = rng.integers(unexpected[0], unexpected[1] + 1, len(lengths) // 2)
        stops = np.cumsum(lengths)
        last = int(np.searchsorted(stops, n))  # the run in which, or with which, the steps end
        whole = stops[last] == n
        left = n - (stops[last] - lengths[last])
        if not whole and (last % 2 or left < expected[0]):
            continue
        flags = np.repeat(np.arange(last + 1) % 2 == 1, lengths[: last + 1])[:n]
        value = ((last + 1) // 2 if count_runs else flags.sum()) / n
        miss = max(share[0] - value, value - share[1], 0.0)
        if miss < best_miss:
            best, best_miss = flags, miss
        if miss == 0:
            break
    return best


def block_table(n: int, **columns: Any) -> pd.DataFrame:
    """Table of ``n`` rows with all columns; those not given hold what a row without such a thing holds.

    Examples
    --------
    >>> block_table(2, stimulus_type="gabors", gabor_frame=["A", "B"])[["stimulus_type", "gabor_frame", "unexpected"]]
      stimulus_type gabor_frame  unexpected
    0        gabors           A         NaN
    1        gabors           B         NaN
    """
    values = {}
    for name, default in TRIAL_COLUMNS.items():
        value = columns.get(name, default)
        if name in RAGGED:
            cells = [np.empty(0)] * n if value is None else value
            value = pd.Series(cells, dtype=object)
        values[name] = value
    return pd.DataFrame(values, index=pd.RangeIndex(n))


def place_rows(trials: pd.DataFrame, stim_times: np.ndarray, stim_fps: float, twop_times: np.ndarray) -> pd.DataFrame:
    """Fill in frames and times of rows that follow each other, from their ``num_frames_stim``.

    A row starts with its first stimulus frame, and with the two-photon frame nearest to that in time.

    Examples
    --------
    >>> rows = place_rows(block_table(2, num_frames_stim=3), np.arange(6) / 60, 60.0, np.arange(5) / 30)
    >>> rows["start_frame_twop"].tolist(), rows["start_time_sec"].tolist()
    ([0, 2], [0.0, 0.05])
    """
    trials = trials.copy()
    edges = np.concatenate([[0], np.cumsum(trials["num_frames_stim"].to_numpy())])
    seconds = np.append(stim_times, stim_times[-1] + 1 / stim_fps)[edges]
    twop = np.rint((seconds - twop_times[0]) * _rate(twop_times)).astype(int)
    for name, values in (("frame_stim", edges), ("frame_twop", twop), ("time_sec", seconds)):
        trials[f"start_{name}"], trials[f"stop_{name}"] = values[:-1], values[1:]
    trials["num_frames_twop"] = np.diff(twop)
    trials["duration_sec"] = np.diff(seconds)
    return trials.rename_axis("id")


def _patches(seed: int, letters: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Places and sizes of the patches of each row, the same in every frame of a letter."""
    found = {}
    for letter in "ABCDU":
        rng = stream(seed, "gabors", "letter", letter)
        x, y = (rng.uniform(-half, half, N_PATCHES) for half in HALF_SCREEN)
        found[letter] = (x, y, rng.integers(SIZES[0], SIZES[1] + 1, N_PATCHES).astype(float))
    found["G"] = (np.empty(0),) * 3
    names = ("gabor_locations_x", "gabor_locations_y", "gabor_sizes")
    return {name: [found[letter][k] for letter in letters] for k, name in enumerate(names)}


def _blocks(seed: int, order: Sequence[str] | None, n_sequences: int, seconds: int) -> tuple[str, ...]:
    """Names of the blocks, in order."""
    if order is None:
        rng = stream(seed, "order")
        flow = [str(name) for name in rng.permutation(list(DIRECTIONS))]
        order = ["gabors", *flow] if rng.random() < 0.5 else [*flow, "gabors"]
    order = [check_choice("order", name, ("gabors", *DIRECTIONS)) for name in order]
    if len(set(order)) < len(order):
        raise ValueError(f"order = {order} names a block twice: each may come once")
    kept = tuple(name for name in order if (n_sequences if name == "gabors" else seconds))
    if not kept:
        raise ValueError(
            f"nothing is shown: gabor_minutes gives {n_sequences} sequences, flow_minutes {seconds} s, order is {order}"
        )
    return kept
