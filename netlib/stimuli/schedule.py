"""The schedule of a two-photon session: one row per stimulus segment, and the two clocks that time it.

The tables have the columns of the published files (Gillon, Lecoq et al. 2023, Sci Data 10:287, dandiset 000037).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from netlib.stimuli.protocol import Protocol
from netlib.units import check_number, check_type

__all__ = ["GRAY", "RAGGED", "TRIAL_COLUMNS", "Schedule", "block_table", "draw_runs", "place_rows"]

#: Columns of one array per row.
RAGGED = (
    "gabor_locations_x",
    "gabor_locations_y",
    "gabor_sizes",
    "gabor_orientations",
    "square_locations_x",
    "square_locations_y",
)
#: Columns of the table, in the order of the files, with what a row holds that has no such thing.
TRIAL_COLUMNS = {
    "stimulus_type": "",
    "stimulus_template_name": "",
    "unexpected": np.nan,
    "gabor_frame": "",
    "gabor_kappa": np.nan,
    "gabor_mean_orientation": np.nan,
    "gabor_number": np.nan,
    **dict.fromkeys(RAGGED[:4]),
    "main_flow_direction": "",
    "square_size": np.nan,
    "square_number": np.nan,
    "square_proportion_flipped": np.nan,
    **dict.fromkeys(RAGGED[4:]),
    "start_frame_stim_template": 0,
    "start_frame_stim": 0,
    "stop_frame_stim": 0,
    "num_frames_stim": 0,
    "start_frame_twop": 0,
    "stop_frame_twop": 0,
    "num_frames_twop": 0,
    "start_time_sec": 0.0,
    "stop_time_sec": 0.0,
    "duration_sec": 0.0,
}
#: Name of gray in the table.
GRAY = "grayscreen"


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
    >>> from netlib.stimuli.gabor_sequences import credit_assignment_schedule
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
            raise ValueError(f"trials lacks the columns {missing}: see netlib.stimuli.schedule.TRIAL_COLUMNS")

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
