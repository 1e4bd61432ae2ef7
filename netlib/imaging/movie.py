"""A small movie of synthetic cells: what the microscope would see before cells are found."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from netlib.seeds import stream
from netlib.units import check_array, check_number

__all__ = ["render_movie"]


def render_movie(
    footprints: np.ndarray,
    dff: np.ndarray,
    seed: int = 0,
    *,
    brightness: float = 1.0,
    background: float = 1.0,
    vessels: float = 0.3,
    motion: float = 2.0,
    photons: float = 400.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Render footprints and their dF/F as a movie with background, motion and photon noise.

    A frame is background · vessels + sum over cells of brightness · (1 + dF/F) · footprint, moved as a whole, then
    counted in photons.

    Parameters
    ----------
    footprints : ndarray, shape (n_cells, height, width)
        Images of the cells, with peaks of about 1.
    dff : ndarray, shape (n_cells, n_frames)
        Activity (1 = 100 %).
    seed : int
        Master seed.
    brightness, background : float
        Fluorescence of a cell at rest, and of the tissue.
    vessels : float
        How far dark vessels lower the background, 0 to 1.
    motion : float
        Largest displacement (px): a bounded random walk.
    photons : float
        Photons per unit of fluorescence, pixel and frame; fewer are noisier.

    Returns
    -------
    movie : ndarray of float32, shape (n_frames, height, width)
        In units of fluorescence. It needs n_frames · height · width · 4 bytes: keep it small.
    shifts : ndarray, shape (n_frames, 2)
        True displacement in x and y (px).
    """
    images = check_array("footprints", footprints, "", 0, ndim=3)
    activity = check_array("dff", dff, "dF/F", ndim=2)
    if len(images) != len(activity):
        raise ValueError(f"footprints holds {len(images)} cells and dff {len(activity)}: they must be the same cells")
    check_number("vessels", vessels, "", 0, 1)
    check_number("motion", motion, "px", 0)
    check_number("photons", photons, "", 0, low_open=True)
    rng = stream(seed, "movie")
    dark = gaussian_filter(rng.standard_normal(images.shape[1:]), 5.0)
    still = background * (1.0 - vessels * np.clip(np.abs(dark) / np.abs(dark).max(), 0, 1))
    steps = np.cumsum(rng.normal(0.0, 0.3, (activity.shape[1], 2)), axis=0)
    shifts = motion * np.sin(steps / max(motion, 1e-9)) if motion else np.zeros_like(steps)
    movie = np.empty((activity.shape[1], *images.shape[1:]), np.float32)
    for t, (dx, dy) in enumerate(shifts):
        frame = still + brightness * np.tensordot(1.0 + np.maximum(activity[:, t], -1.0), images, axes=1)
        moved = shift(frame, (dy, dx), order=1, mode="nearest") if motion else frame
        movie[t] = rng.poisson(np.maximum(moved, 0.0) * photons) / photons
    return movie, shifts
