"""Footprints of cells in the field of view: as sparse matrices, their centres, their image, and how to move them.

A footprint says how much of each pixel belongs to a neuron. A session's footprints are held as one sparse matrix, a row
per neuron and a column per pixel (row by row of the image), so that a hundred neurons of 64,000 pixels take a few
megabytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from netlib.units import check_integer, check_number

__all__ = [
    "centre_image",
    "centroids",
    "shift_footprints",
    "sparse_footprints",
    "summed_image",
]

Shape = tuple[int, int]


def sparse_footprints(footprints: Any, shape: Shape | None = None) -> tuple[Any, Shape]:
    """Footprints as a sparse matrix (n_cells, height * width), and the shape (height, width) of the field.

    Parameters
    ----------
    footprints : array (n_cells, height, width), or sparse matrix (n_cells, height * width)
        Not negative; a sparse matrix needs ``shape``.
    shape : (int, int), optional
        Height and width (px).

    Raises
    ------
    ValueError
        If a value is negative or NaN, or if the shapes do not agree.

    Examples
    --------
    >>> matrix, shape = sparse_footprints(np.eye(4).reshape(4, 2, 2))
    >>> matrix.shape, shape
    ((4, 4), (2, 2))
    """
    from scipy.sparse import csr_array, issparse

    if issparse(footprints):
        matrix = csr_array(footprints, dtype=float)
    else:
        images = np.asarray(footprints, float)
        if images.ndim != 3:
            raise ValueError(f"footprints has shape {images.shape}: it must be (n_cells, height, width) or sparse")
        if shape is not None and tuple(shape) != images.shape[1:]:
            raise ValueError(f"footprints have a field of {images.shape[1:]} px: it must be {tuple(shape)} px")
        shape = images.shape[1:]
        matrix = csr_array(images.reshape(len(images), int(np.prod(images.shape[1:]))))
    if shape is None or len(shape) != 2:
        raise ValueError(f"shape = {shape}: a sparse matrix of footprints needs (height, width) in px")
    height, width = (check_integer("shape", s, 1, unit="px") for s in shape)
    if matrix.shape[1] != height * width:
        raise ValueError(f"footprints have {matrix.shape[1]} pixels: {height} x {width} px must be {height * width}")
    if matrix.nnz and not (np.isfinite(matrix.data).all() and matrix.data.min() >= 0):
        raise ValueError("footprints hold negative values, NaN or infinities: they must be weights of 0 or more")
    matrix.eliminate_zeros()
    return matrix, (height, width)


def centroids(
    footprints: Any,
    shape: Shape | None = None,
    *,
    weighted: bool = True,
    threshold: float = 0.0,
    flip_y: bool = False,
) -> np.ndarray:
    """Centre of every footprint (px): columns x (image column) and y (image row).

    Parameters
    ----------
    footprints, shape
        As :func:`sparse_footprints` takes them.
    weighted : bool
        Weight pixels by their value (default), or count those above the threshold alike (published).
    threshold : float
        Pixels at or below it are left out; 0.05 as published.
    flip_y : bool
        y = height - row, upwards, as published.

    Returns
    -------
    ndarray, shape (n_cells, 2)
        NaN for a footprint without a pixel above the threshold.

    Examples
    --------
    >>> image = np.zeros((1, 200, 320))
    >>> image[0, 10, 30], image[0, 10, 31] = 0.75, 0.25
    >>> centroids(image).tolist(), centroids(image, weighted=False, threshold=0.05, flip_y=True).tolist()
    ([[30.25, 10.0]], [[30.5, 190.0]])
    """
    check_number("threshold", threshold, "", 0)
    matrix, (height, width) = sparse_footprints(footprints, shape)
    entries = matrix.tocoo()
    keep = entries.data > threshold
    cell, pixel = entries.row[keep], entries.col[keep]
    weight = entries.data[keep] if weighted else np.ones(int(keep.sum()))
    y, x = np.divmod(pixel, width)
    total = np.bincount(cell, weight, matrix.shape[0])
    with np.errstate(invalid="ignore"):
        found = np.stack([np.bincount(cell, weight * v, matrix.shape[0]) / total for v in (x, y)], axis=1)
    if flip_y:
        found[:, 1] = height - found[:, 1]
    return found


def summed_image(matrix: Any, shape: Shape) -> np.ndarray:
    """Sum of footprints (height, width), each scaled to a peak of 1 so that none dominates."""
    peaks = matrix.max(axis=1).toarray().ravel() if matrix.shape[0] else np.zeros(0)
    scale = np.divide(1.0, peaks, out=np.zeros_like(peaks), where=peaks > 0)
    return np.asarray(matrix.T @ scale).reshape(shape)


def centre_image(matrix: Any, shape: Shape, width: float = 2.0) -> np.ndarray:
    """Image (height, width) with one spot of the same size, a Gaussian of ``width`` px, at the centre of each cell."""
    from scipy.ndimage import gaussian_filter

    image, xy = np.zeros(shape), centroids(matrix, shape)
    x, y = np.round(xy[np.isfinite(xy).all(axis=1)]).astype(int).T
    np.add.at(image, (np.clip(y, 0, shape[0] - 1), np.clip(x, 0, shape[1] - 1)), 1.0)
    return gaussian_filter(image, width)


def shift_footprints(matrix: Any, shape: Shape, shifts: ArrayLike) -> Any:
    """Footprints moved by (dx, dy) px, one shift for all or one for each; what leaves the field is cut.

    A shift that is not whole spreads each pixel over its four neighbours (bilinear), within the sparse matrix.

    Examples
    --------
    >>> matrix, shape = sparse_footprints(np.eye(4)[:1].reshape(1, 2, 2))
    >>> shift_footprints(matrix, shape, (0.25, 0.0)).toarray()
    array([[0.75, 0.25, 0.  , 0.  ]])
    """
    from scipy.sparse import coo_array

    height, width = shape
    n = matrix.shape[0]
    shifts = np.broadcast_to(np.asarray(shifts, float), (n, 2))
    entries = matrix.tocoo()
    y, x = np.divmod(entries.col, width)
    whole = np.floor(shifts)
    part = shifts - whole
    cells, pixels, values = [], [], []
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            to_x = x + (whole[entries.row, 0] + dx).astype(int)
            to_y = y + (whole[entries.row, 1] + dy).astype(int)
            value = entries.data * share[entries.row]
            keep = (to_x >= 0) & (to_x < width) & (to_y >= 0) & (to_y < height) & (value > 0)
            cells.append(entries.row[keep])
            pixels.append((to_y * width + to_x)[keep])
            values.append(value[keep])
    where = (np.concatenate(cells), np.concatenate(pixels))
    return coo_array((np.concatenate(values), where), shape=matrix.shape).tocsr()
