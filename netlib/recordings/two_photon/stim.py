"""The stimuli of a session: which rows of its trials table are which, and selections of them as events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.two_photon.stim_aliases import GaborNames, GrayNames, StimNames, VisflowNames
from netlib.recordings.two_photon.trials import parameter_values
from netlib.units import check_array, check_choice

if TYPE_CHECKING:
    from netlib.recordings.two_photon.session import Session

__all__ = ["Gabors", "Grayscr", "Stim", "Visflow"]

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


class Stim(StimNames):
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
            opens_block=~first["block"].duplicated(),
            n_sequences=s.groupby("run")["sequence"].nunique().to_numpy(),
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


class Gabors(GaborNames, Stim):
    """Sequences A-B-C-D-G of Gabor frames, in which U may take the place of D."""

    stimtype = "gabors"
    kind = "gabors"
    criteria = ("frame", "orientation", "kappa")
    block_columns = ("gabor_kappa",)

    def _starts_sequence(self) -> np.ndarray:
        return (self.rows["gabor_frame"] == "A").to_numpy()


class Visflow(VisflowNames, Stim):
    """Visual flow of squares, of which some turn round when it is unexpected."""

    stimtype = "visflow"
    kind = "visflow"
    criteria = ("direction", "size")
    block_columns = ("main_flow_direction", "square_size", "square_number")


class Grayscr(GrayNames, Stim):
    """Gray screen before, between and after the stimuli."""

    stimtype = "grayscr"
    kind = "grayscreen"


def _listed(value: Any) -> list:
    return [value] if isinstance(value, str) else list(value)


def _direction(word: str, known: list[str]) -> str:
    named = [name for name in known if word in name.replace("(", "").replace(")", "").split()]
    return named[0] if named else check_choice("direction", word, known)
