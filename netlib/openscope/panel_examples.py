"""Tables of the panels that show planes, masks, tracking, quality and single ROIs.

Figures 1, 4A and 4B of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023), Figures 1, 2, 5, 7
and 8 of the dataset paper (Gillon, Lecoq et al. 2023, Sci Data 10:287). Each function takes sessions, parameters and a
seed, and returns the one table of its panel under the published name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.openscope.events import locked_events, paired_events, windows_of_rois
from netlib.openscope.parameters import (
    Parameters,
    by_mouse,
    common_columns,
    drawn_seed,
    group_rows,
    joined_columns,
    sort_sessions,
    to_table,
)
from netlib.openscope.quality import (
    choose_by_selectivity,
    choose_responsive,
    correlation_histogram,
    pairwise_correlations,
    response_features,
    rolling_mean,
    roughness,
    signal_to_noise,
)
from netlib.openscope.responses import summarise
from netlib.openscope.session import Session
from netlib.openscope.tracking import read_roi_tracking, register_image, register_masks
from netlib.openscope.usi import null_of
from netlib.openscope.windows import BLOCK

__all__ = [
    "example_null",
    "example_responses",
    "example_rois",
    "imaging_planes",
    "mean_signals",
    "overlays",
    "overlays_with_planes",
    "roi_correlations",
    "roi_quality",
    "signal_to_noise_ratios",
    "tracking_examples",
]


# ---------------------------------------------------------------- planes, masks, tracking (1B, 1D; dataset 1B, 2, 8)


#: Close-ups: part of the plane, and where its window lies for the published mice (share of the free height, width).
CROP_FACTOR, CROPS, MIDDLE = 3.0, {6: (0.5, 0.5), 11: (0.9, 0.9), 3: (0.3, 0.85), 4: (0.08, 0.95)}, (0.5, 0.5)
#: Folders above a session's file in which tracking files are looked for.
LEVELS = 4


def imaging_planes(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Maximum projections, one row per session."""
    rows = [
        common_columns([s], rois=False, single=True) | {"max_projections": s.max_projection}
        for s in sort_sessions(sessions)
    ]
    return {"imaging_plane_df": to_table(rows)}


def _tracking_file(session: Session) -> Path | None:
    """Published tracking file of a session, in a folder ``roi_tracking`` beside its file or above."""
    name = f"mouse_{session.metadata.mouseid}__session_{session.metadata.sessid}__nway_matched_rois.json"
    for folder in list(session.path.parents)[:LEVELS] if session.path else []:
        found = sorted((folder / "roi_tracking").rglob(name)) if (folder / "roi_tracking").is_dir() else []
        if found:
            return found[0]
    return None


def _transform(first: Session, other: Session) -> np.ndarray | None:
    """Perspective matrix of a session onto the first of its mouse; None (no shift known) without a tracking file."""
    path = _tracking_file(first)
    return None if path is None else read_roi_tracking(path).transforms.get(other.metadata.sess_n)


def _indices(masks: Sequence[np.ndarray]) -> np.ndarray:
    """(session, row, column) of the pixels in a mask, sessions one after the other, overlapping ROIs each."""
    parts = []
    for k, session in enumerate(masks):
        _, row, column = np.nonzero(session)
        parts.append(np.stack([np.full(len(row), k), row, column]))
    return np.concatenate(parts, axis=1)


def _onto_first(sessions: Sequence[Session], each: Sequence[np.ndarray], move: Callable) -> list[np.ndarray]:
    """Masks or image of each session, moved onto the first of its mouse where it is known how."""
    matrices = [_transform(sessions[0], s) for s in sessions]
    return [one if matrix is None else move(one, matrix) for one, matrix in zip(each, matrices, strict=True)]


def _moved(plane: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.rint(register_image(plane, matrix)).astype(int)


def _mice(sessions: Sequence[Session]) -> list[list[Session]]:
    """Sessions of each mouse, in order; mice in the order of the groups."""
    return [list(numbers.values()) for numbers in by_mouse(sessions).values()]


def _plane_row(sessions: Sequence[Session]) -> dict[str, Any]:
    each = [common_columns([s], single=True) for s in sessions]
    return joined_columns(each, ("sess_ns", "sessids", "mouseids", "nrois", "twop_fps"))


def overlays(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Masks of tracked ROIs registered onto the first session of each mouse, and a window for the close-up."""
    rows = []
    for own in _mice(sessions):
        masks = _onto_first(own, [s.masks() for s in own], register_masks)
        down, right = CROPS.get(own[0].metadata.mouse_n, MIDDLE)
        rows.append(_plane_row(own) | {
            "registered_roi_mask_idxs": _indices(masks), "roi_mask_shapes": (len(own), *masks[0].shape[1:]),
            "crop_fact": CROP_FACTOR, "shift_prop_hei": down, "shift_prop_wid": right,
        })  # fmt: skip
    return {"roi_mask_df": to_table(rows)}


def overlays_with_planes(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """As :func:`overlays`, with the masks as they were and the maximum projections, as they were and registered."""
    rows = []
    for own in _mice(sessions):
        masks, planes = [s.masks() for s in own], [np.asarray(s.max_projection) for s in own]
        rows.append(_plane_row(own) | {
            "registered_roi_mask_idxs": _indices(_onto_first(own, masks, register_masks)),
            "roi_mask_idxs": _indices(masks), "roi_mask_shapes": (len(own), *masks[0].shape[1:]),
            "max_projections": planes, "registered_max_projections": _onto_first(own, planes, _moved),
        })  # fmt: skip
    return {"roi_mask_df": to_table(rows)}


def tracking_examples(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Masks matched by the order of sessions that tracks fewest and most ROIs, and by the union over orders.

    The published tracking files of mice 4 and 6 tell which ROIs an order misses or adds. Of sessions without such a
    file all three are the ROIs that are tracked, without conflict.
    """
    rows = []
    for own in _mice(sessions):
        row = _plane_row(own)
        examples = [_examples(s) for s in own]
        for kind in ("fewest", "most", "union"):
            found = [example[kind] for example in examples]
            masks = [_masks_of(s, one["rois"]) for s, one in zip(own, found, strict=True)]
            row[f"{kind}_registered_roi_mask_idxs"] = _indices(_onto_first(own, masks, register_masks))
            row[f"{kind}_n_tracked"] = [found[0]["n"]]
            if kind == "union":
                row["union_n_conflicts"] = [found[0]["n"] - len(found[0]["rois"])]
            else:
                row[f"{kind}_sess_ns"] = found[0]["order"] or row["sess_ns"]
        row["roi_mask_shapes"] = (len(own), *own[0].masks().shape[1:])
        rows.append(row)
    return {"roi_mask_df": to_table(rows)}


def _masks_of(session: Session, rois: np.ndarray) -> np.ndarray:
    """Masks of ROIs by their places in the file."""
    session.tracked_only = False
    try:
        return session.masks()[rois]
    finally:
        session.tracked_only = True


def _examples(session: Session) -> dict[str, dict[str, Any]]:
    """For each way of matching: places of its ROIs in the file, their number, the order of sessions."""
    tracked, path = session.tracked_order(), _tracking_file(session)
    plain = {kind: {"rois": tracked, "n": len(tracked), "order": None} for kind in ("fewest", "most", "union")}
    content = json.loads(path.read_text(encoding="utf-8")).get("match_perm_examples") if path else None
    if not content:
        return plain
    tracking, found = read_roi_tracking(path), {}
    for row, kind in content["match_level"].items():
        listed = (content[f"dff_local_{what}_roi_idx"][row] for what in ("missing", "extra"))
        # NaN where there is none.
        missing, extra = (tracking.nwb_places(some if isinstance(some, list) else []) for some in listed)
        rois = np.union1d(np.setdiff1d(tracked, missing), extra)
        order = content["sess_order"][row]
        found[kind] = {"rois": rois, "n": content["n_total"][row], "order": order if isinstance(order, list) else None}
    return plain | found


# ---------------------------------------------------------------- example ROIs by their USI (analysis 4A, 4B)


#: USIs looked for, and whether they are to be significant.
TARGETS = {"0.5_sig": (0.5, True), "0_not_sig": (0.0, False), "-0.5_sig": (-0.5, True)}
#: ROI of the published panel 4B, by session; in other sessions the one whose percentile is nearest to its 99.8.
PUBLISHED_ROI, PUBLISHED_PERCENTILE = {758519303: 14}, 99.8
EXAMPLE_BINS = 40


def _stats(session: Session, parameters: Parameters, pre: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and error over trials of the expected and the unexpected trace of each ROI (rois, 2, time, 2); times (s)."""
    events, parts = paired_events(session, parameters.stimpar), []
    for _, values, kept in windows_of_rois(session, events, pre, parameters.stimpar.post, parameters.analyspar.scale):
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
    for *_, members in group_rows(sessions):
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
        "bin_edges": ends, "rand_idx_binned": np.histogram(values, EXAMPLE_BINS, ends)[0] / len(values),
        "CI_perc": (half, 100 - half), "CI_edges": np.percentile(values, [half, 100 - half]),
    }  # fmt: skip
    return {"ex_idx_df": to_table([row])}


# ---------------------------------------------------------------- signal and noise of whole traces (dataset 7)


#: Bins of the correlations.
QUALITY_BINS = 40


def _blocks(session: Session) -> Iterator[np.ndarray]:
    step = max(1, BLOCK // len(session.twop_times))
    yield from (np.arange(a, min(a + step, session.n_rois)) for a in range(0, session.n_rois, step))


def roi_quality(session: Session, scale: bool = False) -> pd.DataFrame:
    """Table of :func:`netlib.openscope.quality.signal_to_noise` of all ROIs of a session."""
    parts = [signal_to_noise(session.traces(rois, scale=scale).T) for rois in _blocks(session)]
    return pd.concat(parts, ignore_index=True)


def _values(sessions: Sequence[Session], parameters: Parameters, source: str, column: str) -> dict[str, Any]:
    rows = []
    for numbers in by_mouse(sessions).values():
        for session in numbers.values():
            table = roi_quality(session, parameters.analyspar.scale)
            rows.append(common_columns([session], single=True) | {column: table[source].to_numpy()})
    return to_table(sorted(rows, key=lambda row: (row["mouse_ns"], row["sess_ns"])))


def signal_to_noise_ratios(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Signal-to-noise ratio of each ROI, one row per mouse and session."""
    return {"snr_df": _values(sessions, parameters, "snr", "snrs")}


def mean_signals(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean dF/F above the threshold of the noise of each ROI, one row per mouse and session."""
    return {"sig_mean_df": _values(sessions, parameters, "signal", "signal_means")}


def roi_correlations(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Numbers of pairs of ROIs of a session by the correlation of their smoothed traces, pooled over mice.

    The traces of a whole session are held in memory: 6 GB for 1,600 ROIs over 70 min.
    """
    rows = []
    for *_, members in group_rows(sessions):
        counts = np.zeros(QUALITY_BINS, int)
        for session in members:
            traces = np.concatenate([session.traces(rois).astype(np.float32) for rois in _blocks(session)])
            matrix = pairwise_correlations(traces.T, parameters.extra("rolling_win"))
            counts += correlation_histogram(matrix, QUALITY_BINS)["count"].to_numpy()
        rows.append(common_columns(members) | {"bin_edges": (-1.0, 1.0), "corrs_binned": counts})
    return {"corr_df": to_table(rows)}


# ---------------------------------------------------------------- single trials of example ROIs (dataset 5)


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
    for line, plane, n, members in group_rows(sessions):
        tables, ratios, place = [], [], []
        for session in members:
            n_pre = round(stimpar.pre * session.fps) if stimpar.stimtype == "visflow" else None
            parts = windows_of_rois(session, _events(session, parameters), stimpar.pre, stimpar.post, scale)
            tables += [response_features(values, n_pre) for _, values, _ in parts]
            ratios.append(roi_quality(session)["snr"].to_numpy())
            place += [(session, roi) for roi in range(session.n_rois)]
        chosen = choose_responsive(
            np.concatenate(ratios), pd.concat(tables, ignore_index=True), columns=FEATURES[stimpar.stimtype],
            n=parameters.extra("n_ex"), seed=drawn_seed(seed, "examples", line, plane, n),
        )  # fmt: skip
        rows += [_example_row(*place[number], parameters) for number in chosen]
    if not rows:
        raise ValueError("no ROI of any group is clear and repeatable enough to be an example: more ROIs are needed")
    return {"ex_traces_df": to_table(rows)}


def _example_row(session: Session, roi: int, parameters: Parameters) -> dict[str, Any]:
    stimpar = parameters.stimpar
    data = session.dff(
        _events(session, parameters), stimpar.pre, stimpar.post, rois=[roi], scale=parameters.analyspar.scale
    )
    trials = data.values[:, 0]
    return common_columns([session], single=True) | {
        "roi_ns": roi, "time_values": data["time"].values, "trace_stats": trials.mean(axis=0),
        "traces_sm": rolling_mean(trials, parameters.extra("rolling_win")),
    }  # fmt: skip
