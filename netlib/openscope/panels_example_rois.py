"""Example ROIs by their USI, and the null of one ROI (analysis paper 4A, 4B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netlib.analysis.event_responses import summarise
from netlib.analysis.example_rois import choose_by_selectivity, roughness
from netlib.openscope.groups import common_columns, groups_of, to_table
from netlib.openscope.indices import null_of
from netlib.openscope.parameters import Parameters
from netlib.openscope.responses import paired_events, windows
from netlib.recordings.two_photon.session import Session

__all__ = ["example_null", "example_rois"]

#: USIs looked for, and whether they are to be significant.
TARGETS = {"0.5_sig": (0.5, True), "0_not_sig": (0.0, False), "-0.5_sig": (-0.5, True)}
#: ROI of the published panel 4B, by session; in other sessions the one whose percentile is nearest to its 99.8.
PUBLISHED_ROI, PUBLISHED_PERCENTILE = {758519303: 14}, 99.8
N_BINS = 40


def _stats(session: Session, parameters: Parameters, pre: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and error over trials of the expected and the unexpected trace of each ROI (rois, 2, time, 2); times (s)."""
    events, parts = paired_events(session, parameters.stimpar), []
    for _, values, kept in windows(session, events, pre, parameters.stimpar.post, parameters.analyspar.scale):
        unexpected = kept["unexpected"].to_numpy() == 1
        found = [summarise(values[unexpected == flag], 0, error=parameters.analyspar.error) for flag in (False, True)]
        parts.append(np.stack([np.stack([f.center, f.error], axis=-1) for f in found], axis=1))
    stats = np.concatenate(parts)
    return stats, (np.arange(stats.shape[2]) - round(pre * session.fps)) / session.fps


def example_rois(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """For each group the smoothest ROIs nearest to a USI of 0.5 and -0.5 (significant) and 0 (not significant).

    ``pre`` holds two values: of the window of the USI, and of the traces shown. A target that no ROI meets has no row.
    """
    _, trace_pre = parameters.stimpar.pre
    rows = []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
            values, percentiles, rough, place = [], [], [], []
            shown = {}
            for k, session in enumerate(members):
                null, rois = null_of(session, parameters, seed)
                stats, time = _stats(session, parameters, trace_pre)
                shown[k] = stats, time
                values.append(null.value)
                percentiles.append(null.percentile)
                rough.append(roughness(stats[rois, 0, :, 0]) + roughness(stats[rois, 1, :, 0]))
                place += [(k, roi) for roi in rois.tolist()]
            usis, percent = np.concatenate(values), np.concatenate(percentiles)
            edge = 50 * parameters.permpar.p_val
            significant = (percent < edge) | (percent > 100 - edge)
            chosen = choose_by_selectivity(usis, significant, np.concatenate(rough), targets=list(TARGETS.values()))
            for name, number in zip(TARGETS, chosen["roi"], strict=True):
                if number < 0:
                    continue
                k, roi = place[number]
                rows.append(common_columns([members[k]], single=True) | {
                    "target_idxs": name, "roi_ns": roi, "roi_idxs": usis[number], "roi_idx_percs": percent[number],
                    "roi_trace_stats": shown[k][0][roi], "time_values": shown[k][1],
                })  # fmt: skip
    return {"chosen_rois_df": to_table(rows)}


def example_null(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Distribution of the USI of one ROI under shuffled labels."""
    session = sessions[0]
    null, rois = null_of(session, parameters, seed, keep_null=True)
    wanted = PUBLISHED_ROI.get(session.metadata.sessid)
    column = (
        np.abs(null.percentile - PUBLISHED_PERCENTILE).argmin()
        if wanted is None
        else int(np.searchsorted(rois, wanted))
    )
    values, half = null.null[:, column], 50 * parameters.permpar.p_val
    ends = min(values.min(), null.value[column]), max(values.max(), null.value[column])
    row = common_columns([session]) | {
        "roi_ns": rois[column], "roi_idxs": null.value[column], "roi_idx_percs": null.percentile[column],
        "bin_edges": ends, "rand_idx_binned": np.histogram(values, N_BINS, ends)[0] / len(values),
        "CI_perc": (half, 100 - half), "CI_edges": np.percentile(values, [half, 100 - half]),
    }  # fmt: skip
    return {"ex_idx_df": to_table([row])}
