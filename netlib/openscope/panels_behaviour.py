"""Running and pupil: around D and U, by block, over a whole session, histograms (analysis paper 8; dataset 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.behaviour_blocks import block_differences as differences_by_block
from netlib.analysis.behaviour_blocks import block_test
from netlib.openscope.groups import common_columns, groups_of, sort_sessions, to_table
from netlib.openscope.panels_traces import center_and_error
from netlib.openscope.parameters import Parameters
from netlib.openscope.responses import paired_events
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["behaviour_traces", "block_differences", "full_session", "histograms"]

KINDS = ("run", "pupil")
#: Bins of the histograms, and their ends: cm/s and mm; values beyond widen them by whole steps.
N_BINS, ENDS, STEPS = 40, {"run": (-30.0, 90.0), "pupil": (0.03, 2.0)}, {"run": 10.0, "pupil": 0.5}


def _around(session: Session, kind: str, parameters: Parameters, pre: float, post: float) -> tuple[Any, np.ndarray]:
    """Windows (trials, time) around D and U, and which are of U; lost frames are NaN unless bridged."""
    read = session.running_around if kind == "run" else session.pupil_around
    analyspar, events = parameters.analyspar, paired_events(session, parameters.stimpar)
    data = read(events, pre, post, interpolate=analyspar.rem_bad, scale=analyspar.scale)
    return data, events.loc[data["trial"].values, "unexpected"].to_numpy() == 1


def _by_number(sessions: Sequence[Session]) -> dict[int, list[Session]]:
    found: dict[int, list[Session]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(session.metadata.sess_n, []).append(session)
    return dict(sorted(found.items()))


def _mixed_columns(sessions: Sequence[Session]) -> dict[str, Any]:
    """Columns of a row made of sessions of several groups."""
    each = [common_columns([session], rois=False, single=True) for session in sessions]
    return {name: [one[name] for one in each] for name in each[0]} | {"sess_ns": each[0]["sess_ns"]}


def behaviour_traces(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Running and pupil around expected D and unexpected U, sequences pooled over all mice."""
    stimpar, rows = parameters.stimpar, []
    for members in _by_number(sessions).values():
        row = _mixed_columns(members)
        for kind in KINDS:
            found = [_around(s, kind, parameters, stimpar.pre, stimpar.post) for s in members]
            length = min(data.shape[1] for data, _ in found)
            pooled = [np.concatenate([d.values[u == flag, :length] for d, u in found]) for flag in (False, True)]
            row[f"{kind}_trace_stats"] = np.stack([center_and_error(part, parameters.analyspar) for part in pooled])
            row[f"{kind}_time_values"] = found[0][0]["time"].values[:length]
        rows.append(row)
    return {"trace_df": to_table(rows)}


def block_differences(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """U minus D of each block (expected run, then unexpected run), blocks pooled over mice, with a paired test."""
    stimpar, permpar, rows = parameters.stimpar, parameters.permpar, []
    for (line, plane), numbers in groups_of(sessions):
        for n, members in numbers.items():
            row = common_columns(members, rois=False)
            for kind in KINDS:
                found = [_around(s, kind, parameters, stimpar.pre, stimpar.post) for s in members]
                blocks = pd.concat([differences_by_block(d.values, u) for d, u in found], ignore_index=True)
                _, test = block_test(
                    blocks, n_permutations=permpar.n_perms, seed=stream(seed, "blocks", kind, line, plane, n),
                    alpha=permpar.p_val, multcomp=int(permpar.multcomp) or 1,
                )  # fmt: skip
                row |= {
                    f"{kind}_block_diffs": blocks["difference"].to_numpy(), f"{kind}_raw_p_vals": test.raw_p,
                    f"{kind}_p_vals": test.p, f"{kind}_exact_p_vals": test.p_exact,
                }  # fmt: skip
            rows.append(row)
    return {"block_df": to_table(rows)}


def _whole(session: Session, kind: str, parameters: Parameters) -> np.ndarray:
    read = session.running if kind == "run" else session.pupil
    return read(interpolate=parameters.analyspar.rem_bad, scale=parameters.analyspar.scale)


def full_session(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Running and pupil over whole sessions, and the first and last frame of each stretch of a stimulus."""
    rows = []
    for session in sort_sessions(sessions):
        trials = session.trials
        stretch = (trials["stimulus_type"] != trials["stimulus_type"].shift()).cumsum()
        parts = [part for _, part in trials.groupby(stretch, sort=False)]
        clocks = {"run": "stim", "pupil": "twop"}
        row = common_columns([session], rois=False, single=True) | {
            "duration_sec": float(session.stim_times[-1] - session.stim_times[0]),
            "stims": [part["stimulus_type"].iloc[0] for part in parts],
        }
        for kind, clock in clocks.items():
            ends = (f"start_frame_{clock}", f"stop_frame_{clock}")
            row[f"{kind}_data"] = _whole(session, kind, parameters)
            row[f"{kind}_frames"] = [[int(part[ends[0]].iloc[0]), int(part[ends[1]].iloc[-1])] for part in parts]
        rows.append(row)
    return {"sess_df": to_table(rows)}


def histograms(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Histograms of running velocity and pupil diameter of each session; lost frames are left out."""
    values = {kind: {id(s): _whole(s, kind, parameters) for s in sessions} for kind in KINDS}
    ends = {kind: _ends(kind, list(values[kind].values())) for kind in KINDS}
    rows = []
    for members in _by_number(sorted(sessions, key=lambda s: s.metadata.mouse_n)).values():
        row = _mixed_columns(members)
        for kind in KINDS:
            own = (values[kind][id(s)] for s in members)
            row[f"{kind}_vals_binned"] = [np.histogram(v[np.isfinite(v)], N_BINS, ends[kind])[0] for v in own]
            row[f"{kind}_bin_edges"] = ends[kind]
        rows.append(row)
    return {"hist_df": to_table(rows)}


def _ends(kind: str, values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of the histogram that hold all values."""
    (low, high), step = ENDS[kind], STEPS[kind]
    found_low, found_high = min(np.nanmin(v) for v in values), max(np.nanmax(v) for v in values)
    low -= step * max(0, int(np.ceil((low - found_low) / step)))
    return low, high + step * max(0, int(np.ceil((found_high - high) / step)))
