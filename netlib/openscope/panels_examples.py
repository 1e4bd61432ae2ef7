"""Single-trial responses of example ROIs (dataset paper 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.example_rois import choose_responsive, response_features
from netlib.analysis.trace_quality import rolling_mean
from netlib.openscope.groups import common_columns, groups_of, to_table
from netlib.openscope.panels_quality import roi_quality
from netlib.openscope.parameters import Parameters
from netlib.openscope.responses import locked_events, paired_events, windows
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["example_responses"]

#: Features that must be high, by stimulus.
FEATURES = {"gabors": ("std", "skew", "trial_correlation"), "visflow": ("difference", "trial_correlation")}


def _events(session: Session, parameters: Parameters) -> pd.DataFrame:
    """D of expected or U of unexpected sequences, or onsets of unexpected flow in one direction."""
    if parameters.stimpar.stimtype == "visflow":
        return locked_events(session, parameters.stimpar)
    events = paired_events(session, parameters.stimpar)
    return events[events["unexpected"] == parameters.extra("unexp")]


def example_responses(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Smoothed single trials and mean traces of some ROIs of each group, drawn among the clear and repeatable ones."""
    stimpar, scale, rows = parameters.stimpar, parameters.analyspar.scale, []
    for (line, plane), numbers in groups_of(sessions):
        for n, members in numbers.items():
            tables, ratios, place = [], [], []
            for session in members:
                n_pre = round(stimpar.pre * session.fps) if stimpar.stimtype == "visflow" else None
                parts = windows(session, _events(session, parameters), stimpar.pre, stimpar.post, scale)
                tables += [response_features(values, n_pre) for _, values, _ in parts]
                ratios.append(roi_quality(session)["snr"].to_numpy())
                place += [(session, roi) for roi in range(session.n_rois)]
            chosen = choose_responsive(
                np.concatenate(ratios), pd.concat(tables, ignore_index=True), columns=FEATURES[stimpar.stimtype],
                n=parameters.extra("n_ex"), seed=int(stream(seed, "examples", line, plane, n).integers(2**62)),
            )  # fmt: skip
            rows += [_row(*place[number], parameters) for number in chosen]
    if not rows:
        raise ValueError("no ROI of any group is clear and repeatable enough to be an example: more ROIs are needed")
    return {"ex_traces_df": to_table(rows)}


def _row(session: Session, roi: int, parameters: Parameters) -> dict[str, Any]:
    stimpar = parameters.stimpar
    data = session.dff(
        _events(session, parameters), stimpar.pre, stimpar.post, rois=[roi], scale=parameters.analyspar.scale
    )
    trials = data.values[:, 0]
    return common_columns([session], single=True) | {
        "roi_ns": roi, "time_values": data["time"].values, "trace_stats": trials.mean(axis=0),
        "traces_sm": rolling_mean(trials, parameters.extra("rolling_win")),
    }  # fmt: skip
