"""What was shown when: one table, one row per presentation.

Ready-made protocols are in :mod:`netlib.stimuli.designs`.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from tqdm import tqdm

from netlib.base.checks import check_array, check_integer, check_number, check_orientation, check_type, on_grid
from netlib.base.orientation import preferred_orientations
from netlib.base.provenance import atomic_write
from netlib.base.seeds import simulator_seed, stream
from netlib.stimuli.movie import Movie, frame_count
from netlib.stimuli.stimulus import Stimulus

__all__ = ["COLUMNS", "Protocol", "checked", "numeric", "rebuild", "refuse_overlap"]

#: Columns of every protocol table, with the value a plain table gets where it says nothing.
COLUMNS = {
    "onset": None,
    "duration": None,
    "stimulus": "unknown",
    "trial": 0,
    "orientation": np.nan,
    "B_theta": np.nan,
    "contrast": 1.0,
    "direction": np.nan,
    "seed": np.nan,
}


@dataclass(frozen=True, eq=False)
class Protocol:
    """Presentations of stimuli, in order of onset. Whatever no row covers is grey.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per presentation: ``onset`` and ``duration`` (ms), ``stimulus`` (class name), ``trial``,
        ``orientation`` and ``B_theta`` (degrees), ``contrast`` (0 to 1), ``direction`` (degrees in [0, 360)),
        ``seed``, then the parameters of the stimuli. NaN where a stimulus has no such thing.
    stimuli : tuple of Stimulus
        One per row; empty when only the table is known.
    duration : float
        Length of the whole protocol (ms); by default it ends with the last presentation.

    Raises
    ------
    ValueError
        If the table is empty, lacks a column, holds a negative onset or a duration of 0 or less, an
        orientation in radians, a contrast outside [0, 1], or presentations that overlap.

    Examples
    --------
    >>> from netlib.stimuli.gratings import Grating
    >>> protocol = Protocol.tuning(Grating(), orientations=4, duration=300.0, gap=100.0, lead=100.0)
    >>> protocol, protocol.table["orientation"].tolist(), protocol.windows()[1].tolist()
    (Protocol(4 presentations in 1700 ms), [0.0, 45.0, 90.0, 135.0], [500.0, 800.0])
    """

    table: pd.DataFrame
    stimuli: tuple[Stimulus, ...] = ()
    duration: float = None  # type: ignore[assignment]  # until __post_init__ knows when the last one ends

    def __post_init__(self) -> None:
        table = checked(self.table)
        stimuli = tuple(check_type("stimuli", s, Stimulus) for s in self.stimuli)
        if stimuli and len(stimuli) != len(table):
            raise ValueError(f"stimuli holds {len(stimuli)}: it must hold one per row of the table, {len(table)}")
        order = np.argsort(table["onset"].to_numpy(), kind="stable")
        table = table.iloc[order].reset_index(drop=True)
        refuse_overlap(table)
        end = float((table["onset"] + table["duration"]).iloc[-1])
        duration = end if self.duration is None else check_number("duration", self.duration, "ms")
        if duration < end * (1 - 1e-12):
            raise ValueError(f"duration = {duration:g} ms is too short: the last presentation ends at {end:g} ms")
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "stimuli", tuple(stimuli[i] for i in order) if stimuli else ())
        object.__setattr__(self, "duration", duration)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"Protocol({len(self)} presentations in {self.duration:g} ms)"

    def windows(self) -> np.ndarray:
        """Half-open windows ``[onset, offset)`` of the presentations (ms), shape (n, 2)."""
        onset = self.table["onset"].to_numpy(float)
        return np.stack([onset, onset + self.table["duration"].to_numpy(float)], axis=1)

    @classmethod
    def sequence(
        cls,
        stimuli: Iterable[Stimulus],
        duration: ArrayLike = 500.0,
        gap: float = 0.0,
        lead: float = 0.0,
        trials: ArrayLike = 0,
    ) -> Protocol:
        """Stimuli one after the other: grey for ``lead``, then each for ``duration`` and grey for ``gap``.

        Parameters
        ----------
        stimuli : iterable of Stimulus
            What to show, in order.
        duration : float or sequence of float
            How long each is shown (ms).
        gap, lead : float
            Grey after each presentation, the last one too, and before the first (ms).
        trials : int or sequence of int
            Number of the trial, per stimulus.
        """
        stimuli = tuple(check_type("stimuli", s, Stimulus) for s in stimuli)
        if not stimuli:
            raise ValueError("stimuli is empty: a protocol must show at least one stimulus")
        gap = check_number("gap", gap, "ms", 0)
        lead = check_number("lead", lead, "ms", 0)
        durations = _per_stimulus("duration", check_array("duration", duration, "ms"), len(stimuli))
        if (durations <= 0).any():
            raise ValueError(f"duration = {durations.min():g} ms is out of range: it must be in (0, inf) ms")
        numbers = _per_stimulus("trials", check_array("trials", trials, "", 0, dtype=int), len(stimuli))
        # Onsets by multiplication when all last equally long: a sum would drift off the grid.
        before = np.arange(len(stimuli)) * (durations[0] + gap)
        if (durations != durations[0]).any():
            before = np.concatenate([[0.0], np.cumsum(durations + gap)[:-1]])
        onsets = lead + before
        rows = [
            {"onset": onset, "duration": length, "trial": int(trial), **_row(stimulus)}
            for stimulus, onset, length, trial in zip(stimuli, onsets, durations, numbers, strict=True)
        ]
        return cls(pd.DataFrame(rows), stimuli, float(onsets[-1] + durations[-1] + gap))

    @classmethod
    def tuning(
        cls,
        stimulus: Stimulus,
        orientations: int | ArrayLike = 12,
        contrasts: ArrayLike | None = None,
        B_thetas: ArrayLike | None = None,
        trials: int = 1,
        duration: float = 500.0,
        gap: float = 200.0,
        lead: float = 200.0,
        shuffle_seed: int | None = None,
        both_directions: bool = False,
    ) -> Protocol:
        """One stimulus at every combination of orientation, contrast and bandwidth, in each trial.

        Parameters
        ----------
        stimulus : Stimulus
            The stimulus to vary; it must have a ``theta``.
        orientations : int or array_like
            How many, evenly spread from 0, or which (degrees).
        contrasts, B_thetas : array_like, optional
            Contrasts (0 to 1) and bandwidths (degrees); by default the stimulus's own.
        trials : int
            How often each combination is shown. In each trial a stimulus that has a seed gets a new one,
            the same for all combinations: they differ by what is varied, not by chance.
        duration, gap, lead : float
            As in :meth:`sequence` (ms).
        shuffle_seed : int, optional
            Shuffle the order within each trial with this seed; by default the order is that of the arguments.
        both_directions : bool
            Show each combination drifting both ways.

        Raises
        ------
        ValueError
            If the stimulus has no orientation, or no bandwidth to vary.
        """
        check_type("stimulus", stimulus, Stimulus)
        trials = check_integer("trials", trials, 1)
        conditions = _conditions(stimulus, orientations, contrasts, B_thetas)
        if both_directions:
            conditions = [one for c in conditions for one in (c, c.reversed())]
        rng = None if shuffle_seed is None else stream(shuffle_seed, "protocol", "order")
        shown: list[Stimulus] = []
        numbers: list[int] = []
        for trial in range(trials):
            order = np.arange(len(conditions)) if rng is None else rng.permutation(len(conditions))
            block = [conditions[i] for i in order]
            if hasattr(stimulus, "seed"):
                new: dict[str, Any] = {"seed": simulator_seed(stimulus.seed, "trial", trial)}
                block = [dataclasses.replace(s, **new) for s in block]
            shown += block
            numbers += [trial] * len(block)
        return cls.sequence(shown, duration, gap, lead, numbers)

    def movie(self, size: int = 64, frame_rate: float = 100.0) -> Movie:
        """Render the whole protocol, grey where nothing is shown.

        Equal stimuli are rendered once. A progress bar shows on a terminal.

        Raises
        ------
        ValueError
            If the stimuli are unknown, or an onset or a duration is not a whole number of frames.
        """
        if not self.stimuli:
            raise ValueError("stimuli is empty: this protocol is a plain table, it cannot be rendered")
        size = check_integer("size", size, 4, unit="pixels")
        frames = np.full((frame_count(self.duration, frame_rate), size, size), 0.5, np.float32)
        step = 1000.0 / frame_rate
        jobs = [(s, float(d)) for s, d in zip(self.stimuli, self.table["duration"], strict=True)]
        firsts = [round(on_grid("onset", onset, step) / step) for onset in self.table["onset"]]
        shown = defaultdict(list)
        for job, first in zip(jobs, firsts, strict=True):
            shown[job].append(first)
        for (stimulus, length), starts in tqdm(shown.items(), "stimuli", disable=None):
            part = stimulus.movie(length, size, frame_rate).frames
            for first in starts:
                frames[first : first + len(part)] = part
        return Movie(frames, step)

    def to_csv(self, path: str | os.PathLike) -> Path:
        """Write the table as CSV, atomically; its first line, a comment, gives the duration of the protocol."""
        text = f"# duration (ms): {self.duration!r}\n" + self.table.to_csv(index=False)
        return atomic_write(path, lambda file: file.write(text.encode()))

    @classmethod
    def from_csv(cls, path: str | os.PathLike) -> Protocol:
        """Read a table written by :meth:`to_csv`, or any CSV with the columns ``onset`` and ``duration``."""
        with open(path, encoding="utf-8") as file:
            first = file.readline()
        duration = float(first.split(":")[1]) if first.startswith("# duration") else None
        return cls.from_table(pd.read_csv(path, comment="#"), duration)

    @classmethod
    def from_table(cls, table: pd.DataFrame, duration: float | None = None) -> Protocol:
        """Protocol from a plain table; the stimuli are built again where the table holds all their parameters.

        Parameters
        ----------
        table : pandas.DataFrame
            At least ``onset`` and ``duration`` (ms); other known columns get a default where missing.
        duration : float, optional
            Length of the protocol (ms); by default it ends with the last presentation.
        """
        table = checked(numeric(table))
        return cls(table, rebuild(table), cast(float, duration))


def _row(stimulus: Stimulus) -> dict:
    common = {
        "stimulus": type(stimulus).__name__,
        "orientation": stimulus.orientation,
        "B_theta": stimulus.B_theta,
        "contrast": stimulus.contrast,
        "direction": stimulus.direction,
    }
    return {**stimulus.parameters(), **common}


def _per_stimulus(name: str, values: np.ndarray, n: int) -> np.ndarray:
    if values.ndim == 0 or len(values) == n:
        return np.broadcast_to(values, (n,))
    raise ValueError(f"{name} holds {len(values)} values: it must hold one, or one per stimulus ({n})")


def _conditions(
    stimulus: Stimulus, orientations: int | ArrayLike, contrasts: ArrayLike | None, B_thetas: ArrayLike | None
) -> list[Stimulus]:
    fields = {f.name for f in dataclasses.fields(stimulus)}
    name = type(stimulus).__name__
    if "theta" not in fields:
        raise ValueError(f"{name} has no orientation: a tuning protocol needs a stimulus with theta")
    if B_thetas is not None and "B_theta" not in fields:
        raise ValueError(f"{name} has no bandwidth to vary: B_thetas must be left out")
    if np.ndim(orientations) == 0:
        orientations = preferred_orientations(check_integer("orientations", orientations, 1))
    thetas = np.asarray(orientations, float)
    if thetas.size == 0:
        raise ValueError("orientations is empty: it must hold at least one angle")
    levels = [None] if contrasts is None else np.atleast_1d(check_array("contrasts", contrasts, "", 0, 1))
    widths = [None] if B_thetas is None else np.atleast_1d(np.asarray(B_thetas, float))
    changes: list[dict[str, Any]] = [
        {"theta": float(theta)}
        | ({} if level is None else {"contrast": float(level)})
        | ({} if width is None else {"B_theta": float(width)})
        for level in levels
        for width in widths
        for theta in thetas
    ]
    return [dataclasses.replace(stimulus, **change) for change in changes]


# ---------------------------------------------------------------- tables


def numeric(table: pd.DataFrame) -> pd.DataFrame:
    """Table with numbers wherever a column holds only numbers, be they written as text.

    Examples
    --------
    >>> numeric(pd.DataFrame({"onset": ["0", "500"], "stimulus": ["Grating", "Blank"]}))["onset"].tolist()
    [0, 500]
    """
    check_type("table", table, pd.DataFrame)
    table = table.copy()
    for column in table.columns:
        values = table[column].astype(object)
        values = values.where(~values.isin(["nan", "NaN", ""]), np.nan)
        try:
            table[column] = pd.to_numeric(values)
        except (ValueError, TypeError):
            table[column] = values
    return table


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """Table with all common columns first, its values checked and its orientations wrapped.

    Examples
    --------
    >>> table = checked(pd.DataFrame({"onset": [0, 500], "duration": 300, "orientation": [190, 45]}))
    >>> table["orientation"].tolist(), table["contrast"].tolist()
    ([10.0, 45.0], [1.0, 1.0])
    """
    check_type("table", table, pd.DataFrame)
    if table.empty:
        raise ValueError("table is empty: a protocol must hold at least one presentation")
    missing = [name for name in ("onset", "duration") if name not in table.columns]
    if missing:
        raise ValueError(f"table lacks the columns {missing}: a presentation needs an onset and a duration (ms)")
    table = table.reset_index(drop=True).copy()
    for name, default in COLUMNS.items():
        if name not in table.columns:
            table[name] = default
    table = table[[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)]]
    for name in COLUMNS:
        if name not in ("stimulus", "trial"):
            table[name] = table[name].astype(float)
    check_array("onset", table["onset"], "ms", 0)
    durations = check_array("duration", table["duration"], "ms", 0)
    check_array("contrast", table["contrast"], "", 0, 1)
    if (table["B_theta"] < 0).any():
        raise ValueError(f"B_theta = {table['B_theta'].min():g} deg is out of range: it must be in [0, inf] deg")
    table["trial"] = check_array("trial", table["trial"], "", 0).astype(int)
    if (durations == 0).any():
        raise ValueError(f"duration[{int(np.argmin(durations))}] = 0 ms is out of range: it must be in (0, inf) ms")
    table["orientation"] = [
        angle if np.isnan(angle) else check_orientation(f"orientation[{i}]", angle)
        for i, angle in enumerate(table["orientation"])
    ]
    return table


def refuse_overlap(table: pd.DataFrame) -> None:
    """Raise a ValueError if two presentations of a sorted table overlap.

    Examples
    --------
    >>> refuse_overlap(pd.DataFrame({"onset": [0.0, 200.0], "duration": [300.0, 300.0]}))
    Traceback (most recent call last):
    ...
    ValueError: presentations 0 and 1 overlap: one ends at 300 ms, the next starts at 200 ms
    """
    onset = table["onset"].to_numpy()
    end = onset + table["duration"].to_numpy()
    overlap = onset[1:] < end[:-1] - 1e-6
    if overlap.any():
        i = int(np.argmax(overlap))
        raise ValueError(
            f"presentations {i} and {i + 1} overlap: one ends at {end[i]:g} ms, the next starts at {onset[i + 1]:g} ms"
        )


def rebuild(table: pd.DataFrame) -> tuple[Stimulus, ...]:
    """Stimuli of a table, or () if one of them is of an unknown class or lacks a parameter.

    Examples
    --------
    >>> table = pd.DataFrame({"stimulus": ["DenseNoise"], "check": 2, "hold": 10.0, "contrast": 1.0, "seed": 3})
    >>> rebuild(table), rebuild(table.drop(columns="hold"))
    ((DenseNoise(check=2, hold=10.0, contrast=1.0, seed=3),), ())
    """
    import netlib.stimuli as room

    stimuli: list[Stimulus] = []
    for row in table.to_dict("records"):
        kind = getattr(room, str(row["stimulus"]), None)
        if not (isinstance(kind, type) and issubclass(kind, Stimulus) and kind is not Stimulus):
            return ()
        names = [f.name for f in dataclasses.fields(kind)]
        if any(name not in row or pd.isna(row[name]) for name in names):
            return ()
        stimuli.append(kind(**{name: row[name] for name in names}))
    return tuple(stimuli)
