"""Footprints of all sessions brought into one field: shifts of whole images, or of patches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netlib.analysis.footprints import (
    Shape,
    centre_image,
    centroids,
    shift_footprints,
    sparse_footprints,
    summed_image,
)
from netlib.units import check_choice

__all__ = ["align_sessions", "image_shift"]


def image_shift(reference: np.ndarray, moving: np.ndarray, *, upsample: int = 10, phase: bool = False) -> np.ndarray:
    """Shift (dx, dy) in px that carries ``moving`` onto ``reference``.

    Parameters
    ----------
    reference, moving : ndarray, shape (height, width)
        Images of two sessions.
    upsample : int
        The shift is found to 1 / upsample px.
    phase : bool
        Phase correlation (spectrum whitened); else cross-correlation. Both by
        :func:`skimage.registration.phase_cross_correlation`.
    """
    from skimage.registration import phase_cross_correlation

    if not (reference.any() and moving.any()):
        return np.zeros(2)
    centred = [image - image.mean() for image in (reference, moving)]
    shift, *_ = phase_cross_correlation(*centred, upsample_factor=upsample, normalization="phase" if phase else None)
    return np.asarray(shift, float)[::-1]


def align_sessions(
    sessions: Sequence[Any],
    shape: Shape | None = None,
    *,
    by: str = "centres",
    patches: tuple[int, int] | None = None,
    max_shift: float | None = None,
) -> tuple[list[Any], Shape, np.ndarray, np.ndarray]:
    """Bring the footprints of all sessions into the field of the first, one session after the other.

    Each session is aligned to the sum of the images of those before it, which holds most of its cells even when few of
    the first session's are left.

    Parameters
    ----------
    sessions : sequence of footprints
        As :func:`sparse_footprints` takes them; a session may be without neurons.
    by : {"centres", "sum", "phase"}
        Images correlated: spots at the centres of the cells, or sums of footprints, or the latter with their spectra
        whitened (phase correlation). Phase correlation is the most exact (0.1 px) where footprints repeat exactly, but
        is lost where each cell moves by its own 1.5 px; centres stay within 0.7 px there, for any size of footprint.
    patches : (int, int), optional
        Rows and columns of patches of the field that are aligned again, each by itself, after the rigid shift (for
        fields that stretch); the shift of a neuron is interpolated between the centres of the patches.
    max_shift : float, optional
        Refuse a rigid shift beyond it (px).

    Returns
    -------
    aligned : list of sparse matrices
    shape : (int, int)
    shifts : ndarray, shape (n_sessions, 2)
        Rigid shift (dx, dy) applied (px).
    similarity : ndarray, shape (n_sessions,)
        Correlation of the aligned image with that of the sessions before; 1 for the first, NaN if empty.

    Raises
    ------
    ValueError
        If fields differ in size or a shift exceeds ``max_shift``.
    """
    make = _IMAGES[check_choice("by", by, _IMAGES)]
    phase, matrices = by == "phase", []
    for k, session in enumerate(sessions):
        try:
            matrix, shape = sparse_footprints(session, shape)
        except ValueError as error:
            raise ValueError(f"sessions[{k}]: {error}") from error
        matrices.append(matrix)
    if not matrices:
        raise ValueError("sessions is empty: there must be at least one")
    aligned, shifts = [matrices[0]], np.zeros((len(matrices), 2))
    total, similarity = make(matrices[0], shape), np.ones(len(matrices))
    for k, matrix in enumerate(matrices[1:], start=1):
        shifts[k] = image_shift(total, make(matrix, shape), phase=phase)
        if max_shift is not None and np.hypot(*shifts[k]) > max_shift:
            raise ValueError(
                f"sessions[{k}] is shifted by {shifts[k].tolist()} px: more than max_shift = {max_shift:g} px"
            )
        moved = shift_footprints(matrix, shape, shifts[k])
        if patches is not None and moved.nnz and total.any():
            moved = shift_footprints(
                matrix, shape, shifts[k] + _patch_shifts(total, make(moved, shape), moved, shape, patches)
            )
        image = make(moved, shape)
        varied = image.std() > 0 and total.std() > 0
        similarity[k] = np.corrcoef(total.ravel(), image.ravel())[0, 1] if varied else np.nan
        total = total + image
        aligned.append(moved)
    return aligned, tuple(shape), shifts, similarity


_IMAGES = {"centres": centre_image, "sum": summed_image, "phase": summed_image}


def _patch_shifts(
    total: np.ndarray, image: np.ndarray, moved: Any, shape: Shape, patches: tuple[int, int]
) -> np.ndarray:
    """Residual shift (n_cells, 2) of each neuron, interpolated between patches that overlap by half."""
    from scipy.interpolate import RegularGridInterpolator

    if min(patches) < 2:
        raise ValueError(f"patches = {patches}: there must be at least 2 rows and 2 columns of them")
    sizes = [n / p for n, p in zip(shape, patches, strict=True)]
    centres = [(np.arange(p) + 0.5) * size for p, size in zip(patches, sizes, strict=True)]
    residual = np.zeros((*patches, 2))
    for i, cy in enumerate(centres[0]):
        for j, cx in enumerate(centres[1]):
            rows = slice(max(0, int(cy - 0.75 * sizes[0])), int(cy + 0.75 * sizes[0]))
            columns = slice(max(0, int(cx - 0.75 * sizes[1])), int(cx + 0.75 * sizes[1]))
            found = image_shift(total[rows, columns], image[rows, columns])
            residual[i, j] = found if np.hypot(*found) < 0.25 * min(sizes) else 0.0
    where = np.nan_to_num(centroids(moved, shape))[:, ::-1]
    where = np.clip(where, [c[0] for c in centres], [c[-1] for c in centres])
    return RegularGridInterpolator(centres, residual)(where)
