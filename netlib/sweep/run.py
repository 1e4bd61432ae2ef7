"""Run a function of (seed, parameters) at every point of a sweep, in parallel, and keep what is done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from netlib.base.checks import check_integer, check_type
from netlib.base.fingerprint import fingerprint
from netlib.base.provenance import hash_of, provenance
from netlib.base.store import Store
from netlib.base.workers import Workers
from netlib.sweep.dataset import assemble
from netlib.sweep.points import Points

__all__ = ["keys_of", "sweep"]

#: A callable that gives a context manager in which a point is run; it is part of the key.
Context = Callable[[], contextlib.AbstractContextManager]
#: Size that a cache given by its folder may have (MB).
LARGEST_CACHE = 2000.0


def sweep(
    function: Callable[..., Mapping[str, Any]],
    points: Points,
    seeds: int | Iterable[int] = 1,
    *,
    workers: int = 1,
    cache: str | os.PathLike | Store | None = None,
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
        Of a module, a script or a notebook; takes a seed and named parameters and returns numbers or arrays by name (a
        mapping). If it has an attribute ``units``, a mapping from names, they are kept.
    points : Points
        From :func:`~netlib.sweep.grid`, :func:`~netlib.sweep.zipped`, :func:`~netlib.sweep.listed` or
        :func:`~netlib.sweep.called`.
    seeds : int or iterable of int
        Master seeds: 1 to that number, or these. All points get the same ones: differences between points are not
        those of other random numbers.
    workers : int
        Processes. With 2 or more a point that kills its process (a crash, no memory) is a row with its error.
    cache : path or Store, optional
        Folder of finished results, 2 GB at most; without it nothing is kept. A result is found again if the function,
        all that it reaches (:mod:`netlib.base.fingerprint`), the context, the point and the seed are the same.
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
    TypeError
        If there is a cache and what the function depends on cannot be told; the message says what, and the way out.
    ValueError
        If there is no seed, or a result cannot be put in the data set.
    OSError
        If the cache cannot be written.

    Examples
    --------
    >>> from netlib.sweep import grid
    >>> found = sweep(lambda seed, x: {"y": x + seed}, grid(x=[1.0, 2.0, 3.0]), seeds=2)
    >>> found["y"].dims, found["y"].sel(seed=2).values.tolist()
    (('x', 'seed'), [3.0, 4.0, 5.0])
    """
    check_type("points", points, Points)
    check_integer("workers", workers, 1, 1024)
    seeds = range(1, check_integer("seeds", seeds, 1) + 1) if isinstance(seeds, (int, np.integer)) else seeds
    seeds = [check_integer("seed", seed, 0, 2**63 - 1) for seed in seeds]
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds = {seeds}: give at least one, and each once")
    if cache is not None and not isinstance(cache, Store):
        cache = Store(cache, LARGEST_CACHE)
    jobs = [(setting, seed) for setting in points.settings for seed in seeds]
    code = "" if cache is None else fingerprint(function, context, where="function")
    keys = [""] * len(jobs) if cache is None else keys_of(code, points.settings, seeds)
    results: list[dict[str, np.ndarray] | None] = [cache.get(key) if cache else None for key in keys]
    missing = [k for k, result in enumerate(results) if result is None]
    apart = workers > 1 and scheduler is None
    todo = [(function, *jobs[k], keys[k], cache, context, code if apart else "") for k in missing]
    hidden = None if progress is None else not progress
    with tqdm(total=len(jobs), initial=len(jobs) - len(todo), unit="point", desc="sweep", disable=hidden) as bar:
        for k, result in _results(todo, workers, scheduler):
            results[missing[k]] = result
            bar.update()
    plain = getattr(function, "func", function)  # of a partial
    facts = provenance(
        getattr(function, "keywords", None),
        seeds[0],
        function=_name_of(plain),
        seeds=seeds,
        context=context_name(context),
    )
    return assemble([result or {} for result in results], points, seeds, getattr(plain, "units", {}), facts)


def keys_of(code: str, settings: Iterable[Mapping[str, Any]], seeds: Iterable[int]) -> list[str]:
    """Hash of all that a result depends on, seeds fastest; ``code`` is the fingerprint of function and context."""
    seeds = list(seeds)
    told = [fingerprint(dict(sorted(setting.items())), where="setting") for setting in settings]
    return [hash_of([code, setting, seed]) for setting in told for seed in seeds]


def _name_of(function: Callable) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def context_name(context: Context | None) -> str:
    """What the provenance says of a context: the function and its arguments."""
    if context is None:
        return ""
    plain = getattr(context, "func", context)
    given = [*getattr(context, "args", ()), *(f"{k}={v}" for k, v in getattr(context, "keywords", {}).items())]
    return f"{_name_of(plain)}({', '.join(map(str, given))})"


def run_point(
    function: Callable,
    setting: dict[str, Any],
    seed: int,
    key: str,
    cache: Store | None,
    context: Context | None,
    code: str = "",
) -> dict[str, np.ndarray]:
    """Run one point and keep its result; a point that fails gives its error instead, which is not kept.

    ``code`` is the fingerprint of the function where the key was made: in a worker, which reads modules anew, it may be
    another.
    """
    try:
        if code and code not in _of_worker:
            _of_worker[code] = fingerprint(function, context, where="function")
        if code and _of_worker[code] != code:
            raise RuntimeError(
                "a module that the function uses was changed in memory, or edited since its import, and workers read "
                "it from its file: reload it, or take workers=1"
            )
        with context() if context else contextlib.nullcontext():
            result = _arrays(function(seed, **setting))
    except (Exception, SystemExit) as error:
        return _failed(error)
    if cache:
        cache.put(key, result)
    return result


#: Fingerprint that a function has in this process, by the one that it has in the process that sent it.
_of_worker: dict[str, str] = {}


def _failed(error: BaseException) -> dict[str, np.ndarray]:
    return {"error": np.array(f"{type(error).__name__}: {error}")}


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
        return
    with Workers(min(workers, len(todo))) as pool:
        for k, outcome in pool.outcomes(run_point, todo):
            if isinstance(outcome, OSError):  # of the cache: the others would fail alike
                raise outcome
            if isinstance(outcome, Exception):
                _, setting, seed, *_ = todo[k]
                at = ", ".join(f"{n} = {v!r}" for n, v in setting.items())
                outcome = {"error": np.array(f"{type(outcome).__name__}: {outcome}, at {at}, seed {seed}")}
            yield k, outcome
