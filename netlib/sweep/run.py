"""Run a function of (seed, parameters) at every point of a sweep, in parallel, and keep what is done."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from netlib.base.checks import check_integer, check_type
from netlib.base.provenance import atomic_write, jsonable, provenance
from netlib.base.seeds import stream
from netlib.sweep.store import Cache, key_of

__all__ = ["Points", "assemble", "called", "grid", "listed", "load_sweep", "save_sweep", "sweep", "wave", "zipped"]


# -------------------- The points of a sweep: which parameters take which values, and how they lie along dimensions


@dataclass(frozen=True)
class Points:
    """Sets of parameters and their places.

    Attributes
    ----------
    settings : tuple of dict
        Parameters of each point.
    dims : dict
        Name of each dimension and its coordinate values, in order; points run with the last dimension fastest.

    Examples
    --------
    >>> points = Points(({"noise": 0.1}, {"noise": 0.2}), {"noise": [0.1, 0.2]})
    >>> len(points), points.shape
    (2, (2,))
    """

    settings: tuple[dict[str, Any], ...]
    dims: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.settings)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each dimension."""
        return tuple(len(values) for values in self.dims.values())


def grid(**axes: Iterable[Any]) -> Points:
    """Every combination of the values of some parameters.

    Parameters
    ----------
    **axes : iterable
        Values by parameter; give names with dots as ``grid(**{"E_to_E.weight": [...]})``.

    Examples
    --------
    >>> points = grid(contrast=[0.1, 1.0], trials=[1, 2, 3])
    >>> len(points), points.settings[1]
    (6, {'contrast': 0.1, 'trials': 2})
    """
    values = {name: _values(name, axis) for name, axis in axes.items()}
    settings = tuple(dict(zip(values, each, strict=True)) for each in itertools.product(*values.values()))
    return Points(settings, values)


def zipped(**axes: Iterable[Any]) -> Points:
    """Parameters that change together: the first values, the second values... along the dimension ``point``.

    Raises
    ------
    ValueError
        If parameters have different numbers of values.

    Examples
    --------
    >>> zipped(tau_m=[10, 20], tau_refrac=[1, 2]).settings
    ({'tau_m': 10, 'tau_refrac': 1}, {'tau_m': 20, 'tau_refrac': 2})
    """
    values = {name: _values(name, axis) for name, axis in axes.items()}
    lengths = {name: len(axis) for name, axis in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"axes have different numbers of values, {lengths}: they must have as many each")
    return listed(dict(zip(values, each, strict=True)) for each in zip(*values.values(), strict=True))


def listed(settings: Iterable[Mapping[str, Any]]) -> Points:
    """Any sets of parameters, along the dimension ``point``.

    Examples
    --------
    >>> points = listed([{"noise": 0.1}, {"frequency": 2.0}])
    >>> points.dims, points.settings[1]
    ({'point': [0, 1]}, {'frequency': 2.0})
    """
    settings = tuple(dict(each) for each in settings)
    if not settings:
        raise ValueError("settings is empty: a sweep needs at least one point")
    return Points(settings, {"point": list(range(len(settings)))})


def called(function: Callable[[int], Mapping[str, Any]], n: int) -> Points:
    """The sets of parameters ``function(0)``, ``function(1)``... up to n, such as random draws from seeded streams.

    Examples
    --------
    >>> from netlib.base.seeds import stream
    >>> points = called(lambda k: {"noise": round(float(stream(1, "draw", k).random()), 2)}, 3)
    >>> [setting["noise"] for setting in points.settings]
    [0.82, 0.55, 0.94]
    """
    return listed(function(k) for k in range(check_integer("n", n, 1)))


def _values(name: str, axis: Iterable[Any]) -> list[Any]:
    if isinstance(axis, str) or not isinstance(axis, Iterable):
        raise ValueError(f"{name} = {axis!r} is no series of values: give a list, such as [{axis!r}]")
    values = [value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value for value in axis]
    if not values:
        raise ValueError(f"{name} has no values: give at least one")
    repeated = _repeated(values)
    if repeated is not None:
        raise ValueError(f"{name} has the value {repeated!r} twice: each must be given once")
    return values


def _repeated(values: Sequence[Any]) -> Any:
    seen: list[Any] = []
    for value in values:
        if value in seen:
            return value
        seen.append(value)
    return None


# -------------------- Results of a sweep as one data set, and its file


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
    >>> from netlib.sweep.run import grid
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
        empty = np.full(inner, np.nan, float if lacking else kind) if lacking or kind.kind in "fc" else None
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


# -------------------- Run a function of (seed, parameters) at every point of a sweep, in parallel, and keep what ...


#: A callable that gives a context manager in which a point is run; its name and arguments are part of the key.
Context = Callable[[], contextlib.AbstractContextManager]


def sweep(
    function: Callable[..., Mapping[str, Any]],
    points: Points,
    seeds: int | Iterable[int] = 1,
    *,
    workers: int = 1,
    cache: str | os.PathLike | Cache | None = None,
    scheduler: Any = None,
    context: Context | None = None,
    progress: bool | None = None,
) -> xr.Dataset:
    """Run ``function(seed, **parameters)`` for every point and seed.

    A point's result depends on the point and the seed alone: any number of workers, here or on a cluster, gives the
    same. Every result is written to the cache when it is there, so that a sweep that was killed goes on where it was.

    Parameters
    ----------
    function : callable
        Of a module, so that other processes can import it; takes a seed and named parameters and returns numbers or
        arrays by name (a mapping). If it has an attribute ``units``, a mapping from names, they are kept.
    points : Points
        From :func:`~netlib.sweep.grid`, :func:`~netlib.sweep.zipped`, :func:`~netlib.sweep.listed` or
        :func:`~netlib.sweep.called`.
    seeds : int or iterable of int
        Master seeds: 1 to that number, or these. All points get the same ones: differences between points are not
        those of other random numbers.
    workers : int
        Processes.
    cache : path or Cache, optional
        Folder of finished results; without it nothing is kept.
    scheduler : str or distributed.Client, optional
        Address of a Dask scheduler (``tcp://host:8786``), or a client: its workers run the points.
    context : callable, optional
        Gives a context in which each point runs, such as ``functools.partial(use_backend, "auto")``.
    progress : bool or None
        Show one progress bar for all workers; None shows it on a terminal only.

    Returns
    -------
    xarray.Dataset
        Dimensions of the points and ``seed``; a variable for each name that the function returns (NaN where it
        failed), and ``error``, text, "" where it did not. ``attrs`` hold provenance as JSON.

    Raises
    ------
    ValueError
        If there is no seed, or a result cannot be put in the data set.
    OSError
        If the cache cannot be written.

    Examples
    --------
    >>> from netlib.sweep.run import grid
    >>> from netlib.sweep.run import wave
    >>> found = sweep(wave, grid(frequency=[1.0, 2.0, 3.0]), seeds=2)
    >>> found["height"].dims, found["height"].attrs["unit"]
    (('frequency', 'seed'), 'mV')
    """
    check_type("points", points, Points)
    check_integer("workers", workers, 1, 1024)
    seeds = range(1, check_integer("seeds", seeds, 1) + 1) if isinstance(seeds, (int, np.integer)) else seeds
    seeds = [check_integer("seed", seed, 0, 2**63 - 1) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds = {seeds}: give at least one, and each once")
    if cache is not None and not isinstance(cache, Cache):
        cache = Cache(cache)
    jobs = [(setting, seed) for setting in points.settings for seed in seeds]
    keys = [key_of(function, setting, seed, context_name(context)) for setting, seed in jobs]
    results: list[dict[str, np.ndarray] | None] = [cache.get(key) if cache else None for key in keys]
    missing = [k for k, result in enumerate(results) if result is None]
    todo = [(k, function, *jobs[k], keys[k], cache, context) for k in missing]
    hidden = None if progress is None else not progress
    with tqdm(total=len(jobs), initial=len(jobs) - len(todo), unit="point", desc="sweep", disable=hidden) as bar:
        for k, result in _results(todo, workers, scheduler):
            results[k] = result
            bar.update()
    plain = getattr(function, "func", function)  # of a partial
    facts = provenance(
        getattr(function, "keywords", None),
        seeds[0],
        function=f"{plain.__module__}.{plain.__qualname__}",
        seeds=seeds,
        context=context_name(context),
    )
    return assemble(results, points, seeds, getattr(plain, "units", {}), facts)


def context_name(context: Context | None) -> str:
    """What the key and the provenance say of a context: the function and its arguments."""
    if context is None:
        return ""
    plain = getattr(context, "func", context)
    given = [*getattr(context, "args", ()), *(f"{k}={v}" for k, v in getattr(context, "keywords", {}).items())]
    return f"{plain.__module__}.{plain.__qualname__}({', '.join(map(str, given))})"


def run_point(
    k: int,
    function: Callable,
    setting: dict[str, Any],
    seed: int,
    key: str,
    cache: Cache | None,
    context: Context | None,
) -> tuple[int, dict[str, np.ndarray]]:
    """Run one point and keep its result; a point that fails gives its error instead, which is not kept."""
    try:
        with context() if context else contextlib.nullcontext():
            result = _arrays(function(seed, **setting))
    except Exception as error:
        return k, {"error": np.array(f"{type(error).__name__}: {error}")}
    if cache:
        cache.put(key, result)
    return k, result


def _arrays(result: Mapping[str, Any]) -> dict[str, np.ndarray]:
    check_type("result", result, Mapping)
    arrays = {str(name): np.asarray(value) for name, value in result.items()}
    for name, value in arrays.items():
        if name == "error" or value.dtype.kind not in "biufc":
            raise ValueError(f"result[{name!r}] = {result[name]!r} must be a number or an array of numbers")
    return arrays


def _results(todo: list[tuple], workers: int, scheduler: Any) -> Iterator[tuple[int, dict]]:
    if not todo:
        return
    if scheduler is not None:
        from netlib.sweep.cluster import run_on_cluster

        yield from run_on_cluster(run_point, todo, scheduler)
    elif workers == 1:
        yield from (run_point(*job) for job in todo)
    else:
        # A few points at a time: sending one costs a millisecond, and none should wait for a long queue.
        batch = max(1, min(16, math.ceil(len(todo) / workers / 16)))
        jobs = (delayed(run_point)(*job) for job in todo)
        yield from Parallel(n_jobs=workers, batch_size=batch, return_as="generator_unordered")(jobs)


# -------------------- A function to try a sweep on: the sum of a sine and noise


def wave(seed: int, frequency: float = 1.0, noise: float = 0.1) -> dict[str, float]:
    """Largest value of a sine of ``frequency`` (Hz) in a second, with noise (mV), and its mean.

    Examples
    --------
    >>> found = wave(1, frequency=2.0, noise=0.0)
    >>> round(float(found["height"]), 2), wave.units["height"]
    (1.0, 'mV')
    """
    t = np.linspace(0, 1, 100)
    values = np.sin(2 * np.pi * frequency * t) + noise * stream(seed, "wave").standard_normal(len(t))
    return {"height": values.max(), "mean": values.mean()}


wave.units = {"height": "mV", "mean": "mV"}
