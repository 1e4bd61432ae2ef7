"""What was shown when: one table, one row per presentation.

Protocols of experiments on orientation variance: 12 orientations by 8 bandwidths, random durations, field mapping:
Each returns a :class:`netlib.stimuli.Protocol`; ``protocol.to_csv`` exports it and ``Protocol.from_csv`` reads it back.
"""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from tqdm import tqdm

from netlib.base.checks import check_array, check_integer, check_number, check_orientation, check_type, on_grid
from netlib.base.orientation import preferred_orientations
from netlib.base.provenance import atomic_write
from netlib.base.seeds import simulator_seed, stream
from netlib.stimuli.base import Stimulus
from netlib.stimuli.motion_cloud import MotionCloud
from netlib.stimuli.movie import Movie, frame_count
from netlib.stimuli.noise import DenseNoise, Patch

__all__ = [
    "B_THETAS",
    "COLUMNS",
    "Protocol",
    "checked",
    "numeric",
    "patch_grid",
    "random_durations",
    "rebuild",
    "refuse_overlap",
    "shuffled_trials",
    "variance_protocol",
    "white_noise",
]


# -------------------- The table of a protocol: its columns, their checks, and stimuli built again from its rows


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


# -------------------- What was shown when: one table, one row per presentation


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
    duration: float | None = None

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
        shown, numbers = [], []
        for trial in range(trials):
            order = np.arange(len(conditions)) if rng is None else rng.permutation(len(conditions))
            block = [conditions[i] for i in order]
            if hasattr(stimulus, "seed"):
                seed = simulator_seed(stimulus.seed, "trial", trial)
                block = [dataclasses.replace(s, seed=seed) for s in block]
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
        return cls(table, rebuild(table), duration)


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
    changes = [
        {"theta": float(theta)}
        | ({} if level is None else {"contrast": float(level)})
        | ({} if width is None else {"B_theta": float(width)})
        for level in levels
        for width in widths
        for theta in thetas
    ]
    return [dataclasses.replace(stimulus, **change) for change in changes]


# -------------------- Protocols of experiments on orientation variance: 12 orientations by 8 bandwidths, random ...


#: Bandwidths of Ladret et al. 2023 (Commun Biol 6:667), ``linspace(pi/2, 0, 8) / 2.5`` rad, in degrees: 36 down to 0.
B_THETAS = tuple(np.linspace(36.0, 0.0, 8))


def variance_protocol(
    stimulus: Stimulus | None = None,
    orientations: int | ArrayLike = 12,
    B_thetas: ArrayLike = B_THETAS,
    trials: int = 1,
    duration: float = 300.0,
    gap: float = 0.0,
    lead: float = 200.0,
    seed: int = 0,
) -> Protocol:
    """Every orientation at every bandwidth, in an order shuffled anew in each trial.

    The conditions of Ladret et al. 2023 (12 x 8, shown for 300 ms); :meth:`Protocol.tuning` makes them.

    Parameters
    ----------
    stimulus : Stimulus, optional
        What to vary; by default a MotionCloud whose texture depends on ``seed``. In each trial all conditions show
        one texture, turned and widened; the next trial shows another.
    orientations : int or array_like
        How many, or which (deg).
    B_thetas : array_like
        Bandwidths (deg); 0 is allowed, one single orientation.
    trials : int
        Presentations of each condition.
    duration, gap, lead : float
        As in :meth:`Protocol.sequence` (ms).
    seed : int
        Seed of the order and of the default stimulus.

    Examples
    --------
    >>> protocol = variance_protocol(trials=2)
    >>> protocol, int(protocol.table["B_theta"].nunique())
    (Protocol(192 presentations in 57800 ms), 8)
    """
    stimulus = MotionCloud(seed=simulator_seed(seed, "variance protocol")) if stimulus is None else stimulus
    return Protocol.tuning(
        stimulus, orientations, None, B_thetas, trials, duration, gap, lead, check_integer("seed", seed, 0)
    )


def random_durations(
    n: int, mean: float = 500.0, low: float = 100.0, high: float = 2000.0, step: float = 10.0, seed: int = 0
) -> np.ndarray:
    """Durations that give no clue to when a stimulus ends: exponential, cut to [low, high] by redrawing.

    Parameters
    ----------
    n : int
        How many.
    mean : float
        Mean of the exponential beyond ``low`` before it is cut at ``high``: about ``low + mean`` is the mean duration
        (ms).
    low, high : float
        Shortest and longest (ms), whole numbers of steps.
    step : float
        Durations are rounded down to whole numbers of it, such as the length of a frame (ms).
    seed : int
        Seed.

    Returns
    -------
    ndarray, shape (n,)
        Durations (ms).

    Raises
    ------
    ValueError
        If a bound is not a whole number of steps, or out of range.

    Examples
    --------
    >>> random_durations(4, mean=200.0, step=10.0, seed=1).tolist()
    [1210.0, 130.0, 160.0, 320.0]
    """
    n = check_integer("n", n, 1)
    check_number("mean", mean, "ms", 0, low_open=True)
    check_number("step", step, "ms", 0, low_open=True)
    check_number("low", low, "ms", step)
    check_number("high", high, "ms", low)
    first, last = (round(on_grid(name, value, step) / step) for name, value in (("low", low), ("high", high)))
    uniform = stream(seed, "durations").random(n)
    beyond = -mean * np.log1p(-uniform * -np.expm1(-(high - low + step) / mean))
    return np.minimum(first + np.floor(beyond / step), last) * step


def shuffled_trials(
    stimuli: Iterable[Stimulus],
    trials: int = 1,
    duration: ArrayLike = 300.0,
    gap: float = 0.0,
    lead: float = 200.0,
    seed: int = 0,
) -> Protocol:
    """Show each stimulus once per trial, in an order shuffled anew in each.

    Parameters
    ----------
    stimuli : iterable of Stimulus
        What to show.
    trials : int
        How often.
    duration : float or array_like, shape (n_stimuli * trials,)
        How long (ms): all alike, or in order of presentation, such as :func:`random_durations`.
    gap, lead : float
        As in :meth:`Protocol.sequence` (ms).
    seed : int
        Seed of the order.

    Examples
    --------
    >>> shuffled_trials([Patch(x=0.0), Patch(x=8.0)], trials=3, duration=100.0)
    Protocol(6 presentations in 800 ms)
    """
    stimuli = [check_type("stimuli", s, Stimulus) for s in stimuli]
    trials = check_integer("trials", trials, 1)
    rng = stream(seed, "protocol", "order")
    order = [(int(i), trial) for trial in range(trials) for i in rng.permutation(len(stimuli))]
    return Protocol.sequence([stimuli[i] for i, _ in order], duration, gap, lead, [trial for _, trial in order])


def patch_grid(
    n: int = 8, size: int = 64, contrast: float = 1.0, trials: int = 1, duration: float = 50.0, seed: int = 0
) -> Protocol:
    """Sparse mapping of receptive fields: one light or dark square at a time, at each place of an n x n grid.

    Parameters
    ----------
    n : int
        Places along each axis; the squares tile the screen.
    size : int
        Side of the screen (pixels).
    contrast : float
        Contrast of the squares.
    trials : int
        Presentations of each of the 2 n^2 squares.
    duration : float
        How long one stays (ms).
    seed : int
        Seed of the order.

    Examples
    --------
    >>> protocol = patch_grid(4, size=32)
    >>> protocol, protocol.stimuli[0].width
    (Protocol(32 presentations in 1600 ms), 8.0)
    """
    n = check_integer("n", n, 1, check_integer("size", size, 4, unit="pixels"))
    width = size / n
    places = (np.arange(n) - (n - 1) / 2) * width
    squares = [
        Patch(float(x), float(y), width, polarity, contrast)
        for polarity in ("light", "dark")
        for y in places
        for x in places
    ]
    return shuffled_trials(squares, trials, duration, 0.0, 0.0, seed)


def white_noise(
    duration: float = 10_000.0, blocks: int = 1, noise: DenseNoise | None = None, gap: float = 200.0, seed: int = 0
) -> Protocol:
    """Dense mapping of receptive fields: blocks of noise, each other than the last, with grey between.

    Parameters
    ----------
    duration : float
        Length of a block (ms).
    blocks : int
        How many; ``trial`` numbers them.
    noise : DenseNoise, optional
        Size, contrast and hold of the checks; its seed is replaced.
    gap : float
        Grey after each block (ms).
    seed : int
        Seed of the noise.

    Examples
    --------
    >>> white_noise(duration=1000.0, blocks=3, gap=100.0)
    Protocol(3 presentations in 3300 ms)
    """
    noise = check_type("noise", DenseNoise() if noise is None else noise, DenseNoise)
    check_array("duration", duration, "ms", 0)
    blocks = check_integer("blocks", blocks, 1)
    shown = [dataclasses.replace(noise, seed=simulator_seed(seed, "white noise", k)) for k in range(blocks)]
    return Protocol.sequence(shown, duration, gap, 0.0, np.arange(blocks))
