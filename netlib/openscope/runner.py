"""Make panels of the papers: compute their data, draw them, keep both; draw again from what is kept."""

from __future__ import annotations

import os
import time
import traceback
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlib.openscope.parameters import PAPER_SEED, Parameters
from netlib.openscope.registry import Panel, find_panels
from netlib.openscope.sessions import SessionPool
from netlib.openscope.store import PROVENANCE, Place, differing_parameters, place_of, read_data, write_panel
from netlib.provenance import versions
from netlib.recordings.two_photon.session import Session
from netlib.units import check_integer

__all__ = ["Outcome", "run_panel", "run_panels"]


@dataclass(frozen=True)
class Outcome:
    """What became of a panel.

    Attributes
    ----------
    name : str
        Such as "analysis Fig 4D".
    state : {"computed", "redrawn", "schematic", "failed"}
    place : Place or None
        Its files.
    message : str
        Why it failed, or what to know of it.
    trace : str
        Where in the code it failed.
    seconds : float
        Time it took (s).
    """

    name: str
    state: str
    place: Place | None = None
    message: str = ""
    trace: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What is common to the panels of a run."""

    output: Path
    datadir: Path | None
    mouse_table: Any
    plot_only: bool
    overwrite: bool
    run: str = ""


def run_panels(
    paper: str = "analysis",
    figures: str | int | Iterable[str | int] = "all",
    panels: str | Iterable[str] = "all",
    *,
    datadir: str | os.PathLike | None = None,
    sessions: Sequence[Session] | None = None,
    mouse_table: Any = None,
    output: str | os.PathLike = ".",
    plot_only: bool = False,
    full_power: bool = False,
    n_permutations: int | None = None,
    jobs: int = 1,
    seed: int | str = "paper",
    overwrite: bool = False,
) -> list[Outcome]:
    """Make panels; one that fails does not stop the others.

    The data of a panel are written beside its picture (see :func:`netlib.openscope.store.place_of`). Data that are
    there already, made with the same parameters and, where they say so, from the same sessions, are drawn again.

    Parameters
    ----------
    paper, figures, panels
        As in :func:`netlib.openscope.registry.find_panels`.
    datadir, sessions, mouse_table
        As in :class:`netlib.openscope.sessions.SessionPool`; not needed with ``plot_only``.
    output : path
        Folder of the results.
    plot_only : bool
        Draw from kept data, ours or published ones, whatever their parameters.
    full_power : bool
        The published number of permutations, else the fewest that the tests allow.
    n_permutations : int, optional
        Another number of permutations.
    jobs : int
        Processes, each making one panel at a time, or all one panel of decoders; the results do not depend on it.
    seed : int or "paper"
        Master seed; "paper" is 905, that of all published panels.
    overwrite : bool
        Compute again.

    Returns
    -------
    list of Outcome
        One per panel, in the order of the paper.

    Raises
    ------
    ValueError
        If a figure or panel does not exist, or the options contradict each other.
    FileNotFoundError
        If there is no such folder of data.
    """
    chosen = find_panels(paper, figures, panels)
    jobs = check_integer("jobs", jobs, 1, 1024, "processes")
    seed = PAPER_SEED if seed == "paper" else check_integer("seed", seed, 0, 2**63 - 1)
    if plot_only and overwrite:
        raise ValueError("plot_only and overwrite contradict each other: plot_only keeps the data as they are")
    if sessions is not None and jobs > 1:
        raise ValueError(f"jobs = {jobs} needs datadir: sessions that are open cannot be sent to other processes")
    settings = Settings(
        Path(output), None if datadir is None else Path(datadir), mouse_table, plot_only, overwrite, uuid.uuid4().hex
    )
    options = {"full_power": full_power, "seed": seed, "n_permutations": n_permutations}
    todo = [(panel, panel.run_parameters(**options)) for panel in chosen]
    computable = [one for one, _ in todo if one.computable]
    if jobs > 1 and len(computable) > 1:
        from joblib import Parallel, delayed

        if not plot_only:
            SessionPool(settings.datadir, None, mouse_table).close()  # errors about the folder, once
        return Parallel(n_jobs=jobs)(delayed(_run_in_process)(p, parameters, settings) for p, parameters in todo)
    pool = None if plot_only else SessionPool(settings.datadir, sessions, mouse_table)
    try:
        return [run_panel(p, parameters, settings, pool, jobs) for p, parameters in todo]
    finally:
        if pool is not None:
            pool.close()


#: Sessions of the run that this process works for, by the name of the run.
_pools: dict[str, SessionPool] = {}


def _run_in_process(panel: Panel, parameters: Parameters, settings: Settings) -> Outcome:
    """A panel in a process of its own, whose sessions stay open for its next panel."""
    for other in _pools.keys() - {settings.run}:  # processes outlive a run
        _pools.pop(other).close()
    if settings.run not in _pools and not settings.plot_only:
        _pools[settings.run] = SessionPool(settings.datadir, None, settings.mouse_table)
    return run_panel(panel, parameters, settings, _pools.get(settings.run))


def run_panel(
    panel: Panel, parameters: Parameters, settings: Settings, pool: SessionPool | None, workers: int = 1
) -> Outcome:
    """Make one panel, or say why it could not be made."""
    if not panel.computable:
        return Outcome(panel.name, "schematic", message=panel.reason)
    start, place = time.perf_counter(), place_of(panel, parameters, settings.output)
    try:
        state, message = _make(panel, parameters, settings, pool, place, workers)
        return Outcome(panel.name, state, place, message, seconds=time.perf_counter() - start)
    except Exception as error:  # whatever it was, the other panels go on
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        text = f"{panel.name}: {text or type(error).__name__}"
        return Outcome(panel.name, "failed", place, text, traceback.format_exc(), time.perf_counter() - start)


def _make(
    panel: Panel, parameters: Parameters, settings: Settings, pool: SessionPool | None, place: Place, workers: int
) -> tuple[str, str]:
    """Compute or redraw a panel: what was done, and what to know of it."""
    title = f"{panel.name}: {panel.title}"
    draw = panel.draw_function()
    if settings.plot_only:
        if not place.data.is_file():
            raise FileNotFoundError(f"{place.data} is not there: plot_only draws from kept data")
        data = read_data(place.data)
        write_panel(place, None, draw(data), title)
        other = differing_parameters(data, parameters)
        return "redrawn", f"drawn with other values of {', '.join(other)}" if other else ""
    tracked = bool(parameters.analyspar and parameters.analyspar.tracked)
    sessions, note = pool.select(parameters.sesspar, tracked)
    prints = pool.fingerprint(parameters.sesspar, tracked)
    kept = None if settings.overwrite else _kept(place, parameters, prints)
    if kept is not None:
        write_panel(place, None, draw(kept), title)
        return "redrawn", note
    seed = parameters.extra("seed", PAPER_SEED)
    options = {"workers": workers} if panel.parallel else {}
    tables = panel.compute_function()(sessions, parameters, seed, **options)
    # No date: the same panel is the same file, whatever the number of processes.
    facts = {"panel": panel.name, "title": panel.title, "seed": seed, "sessions": prints, "versions": versions()}
    facts["note"] = note
    data = {**parameters.to_json(), **tables, PROVENANCE: facts}
    write_panel(place, data, draw(data), title)
    return "computed", note


def _kept(place: Place, parameters: Parameters, prints: list[str]) -> dict[str, Any] | None:
    """Kept data of a panel, if they are of these parameters and sessions."""
    if not place.data.is_file():
        return None
    try:
        data = read_data(place.data)
    except ValueError:
        return None
    sessions = data.get(PROVENANCE, {}).get("sessions", prints)
    return data if not differing_parameters(data, parameters) and sessions == prints else None
