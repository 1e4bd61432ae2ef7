"""Results of a sweep as one data set, and its file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from netlib.base.provenance import atomic_write, jsonable
from netlib.sweep.points import Points

__all__ = ["assemble", "load_sweep", "save_sweep"]


def assemble(
    results: Sequence[Mapping[str, np.ndarray]],
    points: Points,
    seeds: Sequence[int],
    units: Mapping[str, str],
    facts: Mapping[str, Any],
) -> xr.Dataset:
    """Put the results of all points and seeds, seeds fastest, into a data set.

    Raises
    ------
    ValueError
        If a name has arrays of different shapes at different points.

    Examples
    --------
    >>> from netlib.sweep import grid
    >>> results = [{"rate": np.array(r)} for r in (1.0, 2.0, 3.0, 4.0)]
    >>> found = assemble(results, grid(contrast=[0.1, 1.0]), seeds=[1, 2], units={"rate": "Hz"}, facts={})
    >>> found["rate"].dims, found["rate"].mean("seed").values.tolist(), found["rate"].attrs["unit"]
    (('contrast', 'seed'), [1.5, 3.5], 'Hz')
    """
    shape, dims = (*points.shape, len(seeds)), (*points.dims, "seed")
    errors = [str(result["error"]) if "error" in result else "" for result in results]
    whole = xr.Dataset(coords={"seed": list(seeds)})
    for name, values in points.dims.items():
        whole = whole.assign_coords({name: (name, [_plain(value) for value in values])})
    if list(points.dims) == ["point"]:  # what changes from point to point, as coordinates along it
        for name in dict.fromkeys(name for setting in points.settings for name in setting):
            column = [_plain(setting.get(name, np.nan)) for setting in points.settings]
            whole = whole.assign_coords({name: ("point", column)})
    for name in dict.fromkeys(name for result in results for name in result if name != "error"):
        arrays = [result.get(name) for result in results]
        shapes = {a.shape for a in arrays if a is not None}
        if len(shapes) > 1:
            raise ValueError(f"result {name!r} has the shapes {sorted(shapes)} at different points: it must have one")
        (inner,) = shapes
        kind = next(a.dtype for a in arrays if a is not None)
        lacking = kind.kind in "biu" and any(a is None for a in arrays)
        empty = (
            np.full(inner, np.nan, float if lacking else kind)
            if lacking or kind.kind in "fc"
            else np.zeros(inner, kind)
        )
        values = np.stack([empty if a is None else a for a in arrays]).reshape(*shape, *inner)
        inner_dims = [f"{name}_{k}" for k in range(len(inner))]
        attrs = {"unit": units[name]} if name in units else {}
        whole[name] = xr.DataArray(values, dims=(*dims, *inner_dims), attrs=attrs)
    whole["error"] = xr.DataArray(np.array(errors, dtype=object).reshape(shape), dims=dims)
    whole.attrs = {"provenance": json.dumps(jsonable(dict(facts)))}
    return whole


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, bool, np.generic)) else str(value)


def save_sweep(found: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a data set as NetCDF, atomically; :func:`load_sweep` reads it back.

    Examples
    --------
    >>> import tempfile
    >>> found = xr.Dataset({"rate": ("contrast", [1.0, 2.0])}, {"contrast": [0.1, 1.0]}, {"provenance": "{}"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_sweep(save_sweep(found, Path(folder) / "sweep.nc")).identical(found)
    True
    """
    bools = {name: found[name].astype("int8") for name in found.variables if found[name].dtype == bool}
    texts = {name: found[name].astype(str) for name in found.variables if found[name].dtype.kind == "O"}
    content = found.assign(bools).assign(texts).to_netcdf(engine="scipy")
    return atomic_write(path, lambda file: file.write(bytes(content)))


def load_sweep(path: str | os.PathLike) -> xr.Dataset:
    """Read a data set written by :func:`save_sweep`.

    Raises
    ------
    ValueError
        If it is not such a file.

    Examples
    --------
    >>> import tempfile
    >>> found = xr.Dataset({"rate": ("contrast", [1.0, 2.0])}, {"contrast": [0.1, 1.0]}, {"provenance": "{}"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_sweep(save_sweep(found, Path(folder) / "sweep.nc"))["rate"].sel(contrast=1.0).item()
    2.0
    """
    try:
        with xr.open_dataset(path, engine="scipy") as file:
            found = file.load()
        if "provenance" not in found.attrs:
            raise ValueError("no provenance")
    except (ValueError, TypeError, OSError) as error:
        if not Path(path).exists():
            raise
        raise ValueError(f"path = {str(path)!r} is not a whole sweep ({error}): run it again") from error
    return found
