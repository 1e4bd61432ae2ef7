"""The same cell in several sessions: order of tracked ROIs, tracking files, masks and registration of images."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_number

__all__ = ["RoiTracking", "read_roi_tracking", "register_image", "register_masks", "threshold_masks", "tracked_order"]

#: Weight from which a pixel belongs to a ROI, and the least summed weight (pixels) of a ROI.
MASK_THRESHOLD, LEAST_PIXELS = 0.1, 3.0
FILE_NAME = re.compile(r"mouse_(\d+)__session_(\d+)__nway_matched_rois\.json")
TRANSFORM = re.compile(r"sess_(\d+)_to_sess_(\d+)_transformation_matrix")


def tracked_order(tracking_ids: ArrayLike) -> np.ndarray:
    """Indices of the tracked ROIs such that place k is the same cell in every session of the mouse.

    Parameters
    ----------
    tracking_ids : array_like, shape (n_rois,)
        Tracking number of each ROI, NaN where it is untracked.

    Raises
    ------
    ValueError
        If two ROIs have the same number.

    Examples
    --------
    >>> tracked_order([2, np.nan, 0, 1]).tolist()
    [2, 3, 0]
    """
    ids = np.asarray(tracking_ids, float)
    order = np.argsort(ids, kind="stable")[: int(np.isfinite(ids).sum())]
    twice = np.flatnonzero(np.diff(ids[order]) == 0)
    if twice.size:
        first, second = order[twice[0]], order[twice[0] + 1]
        raise ValueError(f"tracking_ids: ROIs {first} and {second} both have {ids[first]:g}: each must be different")
    return order


@dataclass(frozen=True, eq=False)
class RoiTracking:
    """Tracked ROIs of one session, as in its published tracking file.

    Attributes
    ----------
    mouseid, sessid, sess_n : int
        Mouse and session, from the name of the file and the keys in it.
    sess_ns, sess_ids : tuple of int
        Numbers and identifiers of the sessions tracked together.
    roi_ids, indices : ndarray of int, shape (n_tracked,)
        Identifiers of the tracked ROIs and their places among all ROIs, bad ones included. Entry k is the
        same cell in each of the sessions.
    bad_roi_ids, bad_indices : ndarray of int, shape (n_bad,)
        The bad ROIs, which NWB files leave out.
    transforms : dict of ndarray, shape (3, 3)
        By number of another session: perspective matrix of that session onto this one.
    minimum_iou : float
        Least overlap of two masks that were matched.
    """

    mouseid: int
    sessid: int
    sess_n: int
    sess_ns: tuple[int, ...]
    sess_ids: tuple[int, ...]
    roi_ids: np.ndarray
    indices: np.ndarray
    bad_roi_ids: np.ndarray
    bad_indices: np.ndarray
    transforms: dict[int, np.ndarray]
    minimum_iou: float

    def nwb_places(self, indices: ArrayLike) -> np.ndarray:
        """Places in the NWB file of ROIs given by their places among all: less the number of bad ROIs before each."""
        indices = np.asarray(indices, int)
        return indices - np.searchsorted(np.sort(self.bad_indices), indices)

    def __len__(self) -> int:
        return len(self.indices)


def read_roi_tracking(path: str | os.PathLike) -> RoiTracking:
    """Read a file ``mouse_<mouseid>__session_<sessid>__nway_matched_rois.json`` of the published data.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, or contradicts itself or its name.
    """
    path = Path(path)
    name = FILE_NAME.fullmatch(path.name)
    if not name:
        raise ValueError(f"{path}: not the name of a tracking file, mouse_<id>__session_<id>__nway_matched_rois.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rois, bad, facts = (content[key] for key in ("rois", "bad_rois", "metadata"))
        found = _session_number(rois)
        tracking = RoiTracking(
            mouseid=int(name[1]),
            sessid=int(name[2]),
            sess_n=found,
            sess_ns=tuple(_first(facts["sess_ns"])),
            sess_ids=tuple(_first(facts["sess_ids"])),
            roi_ids=_column(rois[f"sess_{found}_roi_id"]),
            indices=_column(rois["dff-ordered_roi_index"]),
            bad_roi_ids=_column(bad[f"sess_{found}_bad_roi_id"]),
            bad_indices=_column(bad["dff_local_bad_roi_idx"]),
            transforms={
                int(match[1]): check_array(key, _first(value), ndim=2)
                for key, value in facts.items()
                if (match := TRANSFORM.fullmatch(key))
            },
            minimum_iou=float(_first(facts["minimum_iou"])),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a tracking file ({type(error).__name__}: {error})") from error
    _check(tracking, path)
    return tracking


def threshold_masks(masks: ArrayLike, threshold: float = MASK_THRESHOLD, least: float = LEAST_PIXELS) -> np.ndarray:
    """Boolean masks of ROIs from their weights.

    Parameters
    ----------
    masks : array_like, shape (n_rois, height, width)
        Weight of each pixel.
    threshold : float
        Pixels of a smaller weight are left out.
    least : float
        ROIs whose weights then sum to less are emptied (pixels).

    Returns
    -------
    ndarray of bool, shape (n_rois, height, width)
    """
    masks = np.asarray(masks)
    if masks.ndim != 3:
        raise ValueError(f"masks has shape {masks.shape}: it must be (n_rois, height, width)")
    kept = masks >= check_number("threshold", threshold, "", 0, low_open=True)
    for roi, mask in enumerate(masks):
        if mask[kept[roi]].sum(dtype=float) < least:
            kept[roi] = False
    return kept


def register_image(image: ArrayLike, matrix: ArrayLike) -> np.ndarray:
    """Warp an image by a perspective matrix, linearly, 0 outside: ``out(x, y) = image(matrix (x, y, 1))``.

    The matrix maps places of the result to places of ``image``, as OpenCV's ``warpPerspective`` does with its
    flag ``WARP_INVERSE_MAP``, with which the published masks were registered. (OpenCV rounds places to 1/32
    pixel; here they are exact.)

    Parameters
    ----------
    image : array_like, shape (height, width)
    matrix : array_like, shape (3, 3)

    Returns
    -------
    ndarray of float, shape (height, width)
    """
    from skimage.transform import ProjectiveTransform, warp

    image = check_array("image", image, ndim=2)
    matrix = check_array("matrix", matrix, ndim=2)
    if matrix.shape != (3, 3) or not np.linalg.det(matrix):
        raise ValueError(f"matrix has shape {matrix.shape}: it must be (3, 3) and have an inverse")
    return warp(image, ProjectiveTransform(matrix=matrix), order=1, cval=0.0, preserve_range=True)


def register_masks(masks: ArrayLike, matrix: ArrayLike) -> np.ndarray:
    """Warp boolean masks (n_rois, height, width) as :func:`register_image` does; a pixel half covered counts."""
    masks = np.asarray(masks)
    moved = np.zeros(masks.shape, bool)
    for roi in np.flatnonzero(masks.any(axis=(1, 2))):
        moved[roi] = register_image(masks[roi], matrix) >= 0.5
    return moved


def _session_number(rois: dict) -> int:
    found = [match for key in rois if (match := re.fullmatch(r"sess_(\d+)_roi_id", key))]
    return int(found[0][1]) if found else _absent("sess_<n>_roi_id")


def _absent(key: str) -> Any:
    raise KeyError(key)


def _first(column: dict) -> Any:
    return column["0"]


def _column(column: dict) -> np.ndarray:
    return np.array([column[str(k)] for k in range(len(column))], np.int64)


def _check(tracking: RoiTracking, path: Path) -> None:
    where = dict(zip(tracking.sess_ns, tracking.sess_ids, strict=False))
    if where.get(tracking.sess_n) != tracking.sessid:
        raise ValueError(f"{path} holds session {where.get(tracking.sess_n)}, its name says {tracking.sessid}")
    if len(tracking.roi_ids) != len(tracking.indices) or len(np.unique(tracking.indices)) != len(tracking.indices):
        raise ValueError(f"{path}: indices of ROIs and their identifiers do not match one to one")
    both = np.intersect1d(tracking.indices, tracking.bad_indices)
    if both.size:
        raise ValueError(f"{path}: ROI {both[0]} is both tracked and bad")
