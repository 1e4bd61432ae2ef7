"""Footprints of the components in CaImAn's results."""

from __future__ import annotations

import os

import numpy as np

__all__ = ["read_caiman_footprints"]


def read_caiman_footprints(path: str | os.PathLike, cells: np.ndarray | None = None) -> np.ndarray | None:
    """Spatial components of CaImAn's HDF5 file as images.

    Parameters
    ----------
    path : path
        The file (:func:`netlib.recordings.files.pipeline_readers.read_caiman` checks it).
    cells : ndarray of int, optional
        Components to read, such as ``recording.neurons["id"]``; by default all.

    Returns
    -------
    ndarray of float32, shape (n_cells, height, width), or None
        None where the file does not tell height and width.
    """
    import h5py
    from scipy.sparse import csc_matrix

    with h5py.File(path, "r") as file:
        estimates = file["estimates"]
        dims = estimates["dims"] if "dims" in estimates else file.get("dims")
        dims = None if dims is None or not hasattr(dims, "shape") or dims.size != 2 else dims[()]
        if dims is None:
            return None
        parts = estimates["A"]
        matrix = csc_matrix(
            tuple(parts[name][()] for name in ("data", "indices", "indptr")), shape=tuple(parts["shape"][()])
        )
    height, width = map(int, dims)
    matrix = matrix if cells is None else matrix[:, np.asarray(cells)]
    # Pixels are in Fortran order: down the columns of the image.
    return matrix.T.toarray().astype(np.float32).reshape(-1, width, height).transpose(0, 2, 1)
