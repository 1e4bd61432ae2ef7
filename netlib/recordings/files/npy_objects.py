"""Object arrays in ``.npy`` files, read without running what a pickle might ask for."""

from __future__ import annotations

import datetime
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

__all__ = ["load_objects"]


def _path_text(*parts: str) -> str:
    return os.path.join(*parts) if parts else ""


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"text encoded as {encoding!r} is not allowed")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Callable[..., Any]]:
    """What a pickle of arrays, dictionaries, numbers, dates and paths names, and what stands for it here."""
    array = np._core.multiarray._reconstruct, np._core.multiarray.scalar
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
        allowed[f"{package}.numeric", "_frombuffer"] = np._core.numeric._frombuffer
    return allowed


#: Modules that pickles of paths name, by the version of Python that wrote them.
PATHS = ("pathlib", "pathlib._local")


class _Restricted(pickle.Unpickler):
    """Unpickler that knows nothing but :func:`_allowed`."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.allowed = _allowed()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.allowed:
            return self.allowed[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data have no use for")


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
