"""Results of the imaging pipelines CaImAn and Suite2p, read as recordings."""

from __future__ import annotations

import datetime
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from netlib.base.checks import check_integer, check_number
from netlib.recordings.ophys import roi_recording
from netlib.recordings.recording import Recording

__all__ = ["load_objects", "read_caiman", "read_suite2p"]

#: Traces among the estimates of CaImAn: name here, name there, unit.
CAIMAN_TRACES = (("dff", "F_dff", "dF/F"), ("denoised", "C", "a.u."), ("events", "S", "a.u."))
CAIMAN_NAMES = ("A", "C", "S", "F_dff", "YrA", "idx_components", "dims", "SNR_comp", "r_values")
#: Modules that pickles of paths name, by the version of Python that wrote them.
PATHS = ("pathlib", "pathlib._local")


def read_caiman(
    path: str | os.PathLike, *, rate: float | None = None, accepted_only: bool = True, allow_nan: bool = False
) -> Recording:
    """Read the results that CaImAn saves as HDF5 (``cnm.save("results.hdf5")``).

    Parameters
    ----------
    path : path
        The file; its group ``estimates`` holds ``A`` (pixels × components, compressed sparse columns, pixels in
        Fortran order), ``C`` and perhaps ``S``, ``F_dff`` and ``YrA`` (components × frames), and
        ``idx_components``.
    rate : float, optional
        Frames per second (Hz); by default ``params/data/fr``.
    accepted_only : bool
        Read the accepted components alone (``idx_components``; where it is missing, all were accepted).
    allow_nan : bool
        Take traces that hold NaN.

    Returns
    -------
    Recording
        Traces "dff" (F_dff), "denoised" (C), "events" (S), "fluorescence" (C + YrA), those that the file holds;
        neurons with ``id`` (component), centroid ``x`` and ``y`` (pixels), ``accepted``, ``snr``, ``r_value``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or lacks or contradicts something.

    References
    ----------
    Giovannucci et al. (2019) CaImAn an open source tool for scalable calcium imaging data analysis, eLife 8:e38173.
    """
    import h5py

    if not Path(path).is_file():
        raise FileNotFoundError(f"path = {str(path)!r} is not a file")
    try:
        with h5py.File(path, "r") as file:
            if "estimates" not in file:
                raise ValueError(f"path = {str(path)!r} lacks 'estimates': CaImAn's results must hold it")
            estimates = {name: _value(file["estimates"], name) for name in CAIMAN_NAMES}
            dims = estimates["dims"] if estimates["dims"] is not None else _value(file, "dims")
            rate = rate if rate is not None else _value(file, "params/data/fr")
    except (OSError, RuntimeError) as error:
        raise ValueError(f"path = {str(path)!r} is not a whole HDF5 file: {error}") from error
    missing = [name for name in ("A", "C") if estimates[name] is None]
    if missing:
        raise ValueError(f"path = {str(path)!r} lacks {['estimates/' + name for name in missing]}: it must hold them")
    if rate is None:
        raise ValueError(f"path = {str(path)!r} has no frame rate (params/data/fr): pass rate, in Hz")
    return _components(
        estimates, dims, float(rate), accepted_only, allow_nan, {"file": Path(path).name, "source": "CaImAn"}
    )


def _value(group: Any, name: str) -> Any:
    """What a group of the file holds under a name: an array, the parts of a sparse matrix, or None."""
    if name not in group:
        return None
    item = group[name]
    if hasattr(item, "keys"):
        missing = {"data", "indices", "indptr", "shape"} - set(item.keys())
        if missing:
            raise ValueError(f"{name} lacks {sorted(missing)}: a sparse matrix must hold them")
        return {part: item[part][()] for part in ("data", "indices", "indptr", "shape")}
    value = item[()]
    return None if isinstance(value, (bytes, str)) else value


def _components(
    estimates: dict[str, Any], dims: Any, rate: float, accepted_only: bool, allow_nan: bool, facts: dict[str, Any]
) -> Recording:
    x, y = _caiman_centroids(estimates["A"], dims)
    n = len(x)
    traces = {name: (estimates[key], unit) for name, key, unit in CAIMAN_TRACES if estimates[key] is not None}
    if estimates["YrA"] is not None and np.shape(estimates["YrA"]) == np.shape(estimates["C"]):
        traces["fluorescence"] = (estimates["C"] + estimates["YrA"], "a.u.")
    for name, (values, _) in traces.items():
        if np.ndim(values) != 2 or len(values) != n:
            raise ValueError(f"trace {name!r} has the shape {np.shape(values)}: estimates/A has {n} components")
    accepted = np.ones(n, bool)
    if estimates["idx_components"] is not None:
        chosen = np.atleast_1d(estimates["idx_components"]).astype(int)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= n):
            raise ValueError(f"idx_components leaves the range: there are {n} components, 0 to {n - 1}")
        accepted = np.isin(np.arange(n), chosen)
    keep = accepted if accepted_only else np.ones(n, bool)
    if not keep.any():
        raise ValueError("idx_components is empty: no component was accepted; pass accepted_only=False to read all")
    neurons = {"id": np.arange(n)[keep], "x": x[keep], "y": y[keep], "accepted": accepted[keep]}
    for name, key in (("snr", "SNR_comp"), ("r_value", "r_values")):
        if np.shape(estimates[key]) == (n,):
            neurons[name] = np.asarray(estimates[key])[keep]
    kept = {name: (np.asarray(values)[keep], unit) for name, (values, unit) in traces.items()}
    return roi_recording(kept, rate, neurons, provenance=facts, allow_nan=allow_nan)


def _caiman_centroids(parts: dict[str, np.ndarray], dims: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weighted centroids (x, y) in pixels of the columns of A; NaN for a volume or unknown dimensions."""
    data, indices, indptr = parts["data"], parts["indices"], parts["indptr"]
    n_pixels, n = (int(size) for size in parts["shape"])
    if len(indptr) != n + 1 or indptr[-1] != len(data) or len(data) != len(indices):
        raise ValueError(
            f"estimates/A is no sparse matrix of {n} columns: indptr has {len(indptr)} values and ends at "
            f"{indptr[-1]}, data has {len(data)} and indices {len(indices)}"
        )
    if dims is None or np.size(dims) != 2:
        return np.full(n, np.nan), np.full(n, np.nan)
    height, width = (int(size) for size in dims)
    if height * width != n_pixels:
        raise ValueError(f"dims = {height} × {width} pixels: estimates/A has {n_pixels} pixels")
    column = np.repeat(np.arange(n), np.diff(indptr))
    total = np.bincount(column, data, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.bincount(column, data * (indices // height), n) / total
        y = np.bincount(column, data * (indices % height), n) / total
    return x, y


def read_suite2p(
    folder: str | os.PathLike,
    *,
    rate: float | None = None,
    plane: int = 0,
    cells_only: bool = True,
    neuropil: float = 0.7,
    allow_nan: bool = False,
) -> Recording:
    """Read the results that Suite2p saves in the folder of a plane (``suite2p/plane0``).

    ``stat.npy``, ``ops.npy`` and ``settings.npy`` are pickles. They are read by
    :func:`~netlib.recordings.readers.load_objects`, which takes nothing but data.

    Parameters
    ----------
    folder : path
        Folder with ``F.npy``, ``Fneu.npy`` (ROIs × frames) and ``iscell.npy`` (ROIs × 2), perhaps ``spks.npy`` and
        ``stat.npy``; or the folder above, of which ``plane`` is then read.
    rate : float, optional
        Frames per second (Hz); by default ``fs`` in ``ops.npy`` or ``settings.npy``.
    plane : int
        Number of the plane, where ``folder`` holds several.
    cells_only : bool
        Read only the ROIs that were classified as cells.
    neuropil : float
        Fraction of the neuropil subtracted in the trace "corrected" (0 to 1).
    allow_nan : bool
        Take traces that hold NaN.

    Returns
    -------
    Recording
        Traces "fluorescence" (F), "neuropil" (Fneu), "corrected" (F - ``neuropil`` Fneu), "events" (spks), all in
        a.u.; neurons with ``id`` (ROI), ``p_cell``, ``cell`` and the centroid ``x``, ``y`` (pixels).

    Raises
    ------
    FileNotFoundError
        If the folder or a file in it is missing.
    ValueError
        If a file is damaged, or files contradict each other.

    References
    ----------
    Pachitariu et al. (2017) Suite2p: beyond 10,000 neurons with standard two-photon microscopy, bioRxiv 061507.
    """
    neuropil = check_number("neuropil", neuropil, "", 0, 1)
    place = _plane_folder(Path(folder), check_integer("plane", plane, 0))
    fluorescence, background = _numbers(place / "F.npy"), _numbers(place / "Fneu.npy")
    if fluorescence.ndim != 2 or fluorescence.shape != background.shape:
        raise ValueError(
            f"F.npy has the shape {fluorescence.shape} and Fneu.npy {background.shape}: both must be (ROIs, frames)"
        )
    traces = {
        "fluorescence": fluorescence,
        "neuropil": background,
        "corrected": fluorescence - np.asarray(neuropil, fluorescence.dtype) * background,
    }
    if (place / "spks.npy").is_file():
        traces["events"] = _numbers(place / "spks.npy")
    n = len(fluorescence)
    neurons: dict[str, np.ndarray] = {"id": np.arange(n)}
    keep = np.ones(n, bool)
    if cells_only or (place / "iscell.npy").is_file():
        classified = _numbers(place / "iscell.npy")
        if classified.shape != (n, 2):
            raise ValueError(
                f"iscell.npy has the shape {classified.shape}: it must be ({n}, 2), a row per ROI of F.npy"
            )
        neurons |= {"cell": classified[:, 0] > 0.5, "p_cell": classified[:, 1]}
        keep = neurons["cell"] if cells_only else keep
    if not keep.any():
        raise ValueError("iscell.npy marks no ROI as a cell: pass cells_only=False to read all")
    if (place / "stat.npy").is_file():
        neurons |= _suite2p_centroids(place / "stat.npy", n)
    mismatched = {f"{name}: {values.shape}" for name, values in traces.items() if values.shape != fluorescence.shape}
    if mismatched:
        raise ValueError(f"traces {sorted(mismatched)} differ from F.npy, which has the shape {fluorescence.shape}")
    return roi_recording(
        {name: (values[keep], "a.u.") for name, values in traces.items()},
        _suite2p_rate(place) if rate is None else rate,
        {name: values[keep] for name, values in neurons.items()},
        provenance={"folder": str(folder), "source": "Suite2p", "plane": plane, "neuropil": neuropil},
        allow_nan=allow_nan,
    )


def _plane_folder(folder: Path, plane: int) -> Path:
    for place in (folder, folder / f"plane{plane}", folder / "suite2p" / f"plane{plane}"):
        if (place / "F.npy").is_file():
            return place
    raise FileNotFoundError(
        f"folder = {str(folder)!r} holds no F.npy, and no plane{plane} with one: it must hold Suite2p's results"
    )


def _numbers(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path.name} is missing in {str(path.parent)!r}") from None
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"path = {str(path)!r} is not a whole file of numbers: {error}") from error


def _suite2p_rate(place: Path) -> float:
    for name in ("ops.npy", "settings.npy"):
        if (place / name).is_file():
            stored = load_objects(place / name)
            options = stored.item() if stored.shape == () else None
            if isinstance(options, dict) and options.get("fs") is not None:
                return float(options["fs"])
    raise ValueError(f"folder = {str(place)!r} tells no frame rate ('fs' in ops.npy or settings.npy): pass rate, in Hz")


def _suite2p_centroids(path: Path, n: int) -> dict[str, np.ndarray]:
    stat = load_objects(path)
    if stat.shape != (n,):
        raise ValueError(f"stat.npy has the shape {stat.shape}: it must be ({n},), one value per ROI of F.npy")
    try:
        centre = np.array([roi["med"] for roi in stat], dtype=float).reshape(n, 2)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"stat.npy lacks the centre of a ROI ({error}): each must have 'med', (y, x)") from error
    return {"x": centre[:, 1], "y": centre[:, 0]}


# ---------------------------------------------------------------- pickles, read without running what they ask for


def load_objects(path: str | os.PathLike) -> np.ndarray:
    """Array of objects in a ``.npy`` file: arrays, dictionaries, lists, numbers, text, dates; paths become text.

    Such files are pickles, which can make a program run anything when they are loaded by ``np.load`` with
    ``allow_pickle=True``. Here whatever is not plain data is refused. A file of plain numbers is read too.

    Parameters
    ----------
    path : path
        File written by ``np.save``.

    Raises
    ------
    ValueError
        If the file is damaged, or holds anything but data.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if dtype.hasobject:
                array = _Restricted(file).load()
                return np.asarray(array).reshape(shape)
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged pickles raise nearly anything
        raise ValueError(f"path = {str(path)!r} is not a whole file of plain data: {error}") from error


def _path_text(*parts: str) -> str:
    return os.path.join(*parts) if parts else ""


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoded as {encoding!r} is not allowed")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    """What a pickle of arrays, dictionaries, numbers, dates and paths names, and what stands for it here."""
    core: Any = np._core  # type: ignore[attr-defined]  # not shown in NumPy's types, but named in its pickles
    array = core.multiarray._reconstruct, core.multiarray.scalar
    allowed: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("collections", "OrderedDict"): OrderedDict,
        ("_codecs", "encode"): _encode,
        **{("datetime", name): getattr(datetime, name) for name in ("datetime", "date", "timedelta", "timezone")},
        **{(module, f"{kind}Path"): _path_text for module in PATHS for kind in ("Posix", "Windows", "PurePosix")},
    }
    for package in ("numpy.core", "numpy._core"):
        allowed[f"{package}.multiarray", "_reconstruct"], allowed[f"{package}.multiarray", "scalar"] = array
        allowed[f"{package}.numeric", "_frombuffer"] = core.numeric._frombuffer
    return allowed


class _Restricted(pickle.Unpickler):
    """Unpickler that knows nothing but :func:`_allowed`."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.allowed = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name that the pickle asks for."""
        if (module, name) in self.allowed:
            return self.allowed[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data have no use for")
