"""Images of the planes and masks of tracked ROIs across sessions (analysis paper 1B, 1D; dataset paper 1B, 2, 8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netlib.openscope.groups import by_mouse, common_columns, sort_sessions, to_table
from netlib.openscope.parameters import Parameters
from netlib.recordings.two_photon.session import Session
from netlib.recordings.two_photon.tracking import read_roi_tracking, register_image, register_masks

__all__ = ["imaging_planes", "overlays", "overlays_with_planes", "tracking_examples"]

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


def _registered(sessions: Sequence[Session], masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    matrices = [_transform(sessions[0], s) for s in sessions]
    return [m if matrix is None else register_masks(m, matrix) for m, matrix in zip(masks, matrices, strict=True)]


def _moved(plane: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return np.rint(register_image(plane, matrix)).astype(int)


def _mice(sessions: Sequence[Session]) -> list[list[Session]]:
    """Sessions of each mouse, in order; mice in the order of the groups."""
    found = by_mouse(sessions)
    return [list(found[mouse].values()) for mouse in dict.fromkeys(s.metadata.mouse_n for s in sort_sessions(sessions))]


def _row(sessions: Sequence[Session]) -> dict[str, Any]:
    each = [common_columns([s], single=True) for s in sessions]
    lists = ("sess_ns", "sessids", "mouseids", "nrois", "twop_fps")
    return {name: [one[name] for one in each] if name in lists else each[0][name] for name in each[0]}


def overlays(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Masks of tracked ROIs registered onto the first session of each mouse, and a window for the close-up."""
    rows = []
    for own in _mice(sessions):
        masks = _registered(own, [s.masks() for s in own])
        down, right = CROPS.get(own[0].metadata.mouse_n, MIDDLE)
        rows.append(_row(own) | {
            "registered_roi_mask_idxs": _indices(masks), "roi_mask_shapes": (len(own), *masks[0].shape[1:]),
            "crop_fact": CROP_FACTOR, "shift_prop_hei": down, "shift_prop_wid": right,
        })  # fmt: skip
    return {"roi_mask_df": to_table(rows)}


def overlays_with_planes(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """As :func:`overlays`, with the masks as they were and the maximum projections, as they were and registered."""
    rows = []
    for own in _mice(sessions):
        masks, planes = [s.masks() for s in own], [np.asarray(s.max_projection) for s in own]
        matrices = [_transform(own[0], s) for s in own]
        moved = [
            p if m is None else np.rint(register_image(p, m)).astype(int) for p, m in zip(planes, matrices, strict=True)
        ]
        rows.append(_row(own) | {
            "registered_roi_mask_idxs": _indices(_registered(own, masks)), "roi_mask_idxs": _indices(masks),
            "roi_mask_shapes": (len(own), *masks[0].shape[1:]),
            "max_projections": planes, "registered_max_projections": moved,
        })  # fmt: skip
    return {"roi_mask_df": to_table(rows)}


def tracking_examples(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Masks matched by the order of sessions that tracks fewest and most ROIs, and by the union over orders.

    The published tracking files of mice 4 and 6 tell which ROIs an order misses or adds. Of sessions without such a
    file all three are the ROIs that are tracked, without conflict.
    """
    rows = []
    for own in _mice(sessions):
        row = _row(own)
        examples = [_examples(s) for s in own]
        for kind in ("fewest", "most", "union"):
            found = [example[kind] for example in examples]
            masks = _registered(own, [_masks_of(s, one["rois"]) for s, one in zip(own, found, strict=True)])
            row[f"{kind}_registered_roi_mask_idxs"] = _indices(masks)
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
    bad = np.sort(read_roi_tracking(path).bad_indices)
    found = {}
    for row, kind in content["match_level"].items():
        missing, extra = (_listed(content[f"dff_local_{what}_roi_idx"][row], bad) for what in ("missing", "extra"))
        rois = np.union1d(np.setdiff1d(tracked, missing), extra)
        order = content["sess_order"][row]
        found[kind] = {"rois": rois, "n": content["n_total"][row], "order": order if isinstance(order, list) else None}
    return plain | found


def _listed(value: Any, bad: np.ndarray) -> np.ndarray:
    """Places in the NWB file of ROIs given by their place among all, bad ones included; none for NaN."""
    places = np.asarray(value if isinstance(value, list) else [], int)
    return places - np.searchsorted(bad, places)
