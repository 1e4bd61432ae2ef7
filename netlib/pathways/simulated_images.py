"""Footprints of synthetic cells: tilted two-dimensional Gaussians that move a little from session to session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, shift

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.seeds import stream
from netlib.pathways.tables import FIELD

__all__ = ["CellShapes", "draw_footprints", "place_cells", "render_movie", "to_images"]


#: Full width at half maximum of a Gaussian of standard deviation 1.
FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True, eq=False)
class CellShapes:
    """Where cells lie and how they look.

    Attributes
    ----------
    centres : ndarray, shape (n, 2)
        x (column) and y (row) of each (px).
    widths : ndarray, shape (n, 2)
        Standard deviations along the two axes (px).
    tilts : ndarray, shape (n,)
        Angle of the first axis (rad).
    field : (int, int)
        Rows and columns of the field of view (px).
    """

    centres: np.ndarray
    widths: np.ndarray
    tilts: np.ndarray
    field: tuple[int, int]

    def __len__(self) -> int:
        return len(self.centres)


def place_cells(
    seed: int,
    n: int,
    *,
    field: tuple[int, int] = FIELD,
    diameter: tuple[float, float] = (6.0, 10.0),
    margin: float = 18.0,
    spacing: float = 6.0,
) -> CellShapes:
    """Scatter cells over a field of view.

    Parameters
    ----------
    seed : int
        Master seed.
    n : int
        Cells.
    field : (int, int)
        Rows and columns (px).
    diameter : (float, float)
        Range of the full width at half maximum of each axis (px).
    margin : float
        Least distance from the edge (px), so that a shifted field cuts no cell.
    spacing : float
        Least distance of two centres (px); smaller than a diameter, footprints overlap.

    Raises
    ------
    ValueError
        If so many cells do not fit.
    """
    n = check_integer("n", n, 1, unit="cells")
    low, high = (check_number("diameter", value, "px", 1) for value in diameter)
    height, width = (check_integer("field", size, math.ceil(2 * margin) + 1, unit="px") for size in field)
    rng = stream(seed, "footprints", "cells")
    centres = np.empty((0, 2))
    for _ in range(200):
        drawn = rng.uniform((margin, margin), (width - margin, height - margin), (n, 2))
        for point in drawn:
            if len(centres) < n and (((centres - point) ** 2).sum(1) >= spacing**2).all():
                centres = np.vstack([centres, point])
        if len(centres) == n:
            widths = rng.uniform(low, high, (n, 2)) / FWHM
            return CellShapes(centres, widths, rng.uniform(0, math.pi, n), (height, width))
    raise ValueError(
        f"n = {n} cells do not fit into a field of {height} x {width} px with spacing = {spacing:g} px "
        f"and margin = {margin:g} px: only {len(centres)} did"
    )


def draw_footprints(
    cells: CellShapes,
    chosen: np.ndarray | None = None,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    jitter: float = 0.0,
    seed: int = 0,
    floor: float = 0.05,
) -> Any:
    """Footprints of one session as a sparse matrix (n_chosen, height * width) with peaks of 1.

    Parameters
    ----------
    cells : CellShapes
        All cells.
    chosen : ndarray of int, optional
        Which, in order; by default all.
    shift : (float, float)
        How far the field moved in x and y (px).
    jitter : float
        Standard deviation of each cell's own displacement, in x and in y (px).
    seed : int
        Seed of the jitter.
    floor : float
        Pixels below it are 0.
    """
    from scipy.sparse import csr_array

    check_number("jitter", jitter, "px", 0)
    check_number("floor", floor, "of the peak", 0, 1, low_open=True, high_open=True)
    chosen = np.arange(len(cells)) if chosen is None else np.asarray(chosen)
    moved = stream(seed, "footprints", "jitter").standard_normal((len(cells), 2)) * jitter
    height, width = cells.field
    rows, columns, values = [], [], []
    for place, k in enumerate(chosen):
        x, y = cells.centres[k] + moved[k] + shift
        pixel, value = _spot(x, y, cells.widths[k], cells.tilts[k], floor, height, width)
        rows.append(np.full(len(pixel), place))
        columns.append(pixel)
        values.append(value)
    where = np.concatenate([*rows, []]).astype(int), np.concatenate([*columns, []]).astype(int)
    return csr_array((np.concatenate([*values, []]).astype(np.float32), where), shape=(len(chosen), height * width))


def _spot(
    x: float, y: float, widths: np.ndarray, tilt: float, floor: float, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (row * width + column) of one Gaussian above the floor, and their values."""
    reach = math.sqrt(-2.0 * math.log(floor)) * widths.max()
    r = np.arange(max(0, math.ceil(y - reach)), min(height, math.floor(y + reach) + 1))
    c = np.arange(max(0, math.ceil(x - reach)), min(width, math.floor(x + reach) + 1))
    dy, dx = np.meshgrid(r - y, c - x, indexing="ij")
    along = (dx * math.cos(tilt) + dy * math.sin(tilt)) / widths[0]
    across = (dy * math.cos(tilt) - dx * math.sin(tilt)) / widths[1]
    value = np.exp(-(along**2 + across**2) / 2.0)
    inside = value >= floor
    pixel = r[:, None] * width + c[None, :]
    return pixel[inside], value[inside]


def to_images(footprints: Any, field: tuple[int, int]) -> np.ndarray:
    """Sparse footprints (n, height * width) as images (n, height, width) of float32."""
    return footprints.toarray().astype(np.float32).reshape(-1, *field)


# ---------------------------------------------------------------- movie


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
