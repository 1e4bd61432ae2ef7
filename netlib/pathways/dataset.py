"""A synthetic data set as files: what a laboratory would hand over, and the truth beside it."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice
from netlib.base.provenance import atomic_write, provenance, write_json
from netlib.base.workers import run_jobs
from netlib.pathways.files import write_behaviour_nwb, write_caiman
from netlib.pathways.imetronic import BoxLog, make_header, write_imetronic
from netlib.pathways.manifest import Manifest
from netlib.pathways.session import BehaviourSession
from netlib.pathways.simulate import (
    MousePlan,
    SyntheticParameters,
    mouse_names,
    plan_mouse,
    synthetic_mouse,
    synthetic_session,
)
from netlib.pathways.tables import write_csv_session, write_registration

__all__ = ["LAYOUTS", "read_truth", "write_dataset", "write_session_files"]

#: What the recordings are written as.
LAYOUTS = ("caiman", "csv", "nwb")


def write_dataset(
    folder: str | os.PathLike,
    seed: int = 0,
    *,
    mice: int = 6,
    sessions: int = 8,
    neurons: int = 100,
    minutes: float = 20.0,
    claims: str = "abstract",
    mode: str = "statistical",
    layout: str = "caiman",
    events: bool = False,
    registration: bool = True,
    workers: int = 1,
    tell: Callable[[], Any] | None = None,
) -> Path:
    """Write a synthetic data set: ``.dat`` files, recordings, registration, truth and manifest.

    Each file is whole or absent; the manifest comes last. The folders are ``D1/<mouse>`` and ``A2A/<mouse>``, as
    :func:`netlib.pathways.manifest.build_manifest` expects them, and ``truth``.

    Parameters
    ----------
    folder : path
        Where; made if missing.
    seed : int
        Master seed.
    mice, sessions, neurons, minutes
        Size: mice (half of each pathway), sessions per mouse, neurons per session, length of a session (min).
    claims : str
        What is planted: :data:`netlib.pathways.simulate.CLAIMS`.
    mode : {"statistical", "network"}
        Where spikes come from.
    layout : {"caiman", "csv", "nwb"}
        Files of a session beside the ``.dat``: CaImAn's HDF5, the published tables (some ten times slower), NWB.
    events : bool
        Deconvolve here; else the analysis has to.
    registration : bool
        Write the true table of registered neurons; else the analysis has to find it from the footprints.
    workers : int
        Processes; files do not depend on them.
    tell : callable, optional
        Called after each session (of a network: each mouse) that is written.

    Returns
    -------
    Path
        ``manifest.toml``.
    """
    check_choice("layout", layout, LAYOUTS)
    check_choice("mode", mode, ("statistical", "network"))
    p = SyntheticParameters(claims=claims, neurons=neurons, sessions=sessions, minutes=minutes)
    folder, names = Path(folder), mouse_names(mice)
    common = (folder, seed, p, mode, layout, events)
    if mode == "network":  # weights learn from session to session: a mouse is one job
        jobs = [(*common, mouse, pathway, None) for mouse, pathway in names]
    else:
        jobs = [(*common, mouse, pathway, k + 1) for mouse, pathway in names for k in range(sessions)]
    rows = [row for part in run_jobs(_write_sessions, jobs, workers, tell) for row in part]
    for mouse, pathway in names:
        plan = plan_mouse(seed, mouse, pathway, p)
        table = f"{pathway}/{mouse}/{mouse}_Longitudinal_Registration.csv"
        if registration:
            write_registration(folder / table, plan.registration.to_numpy())
            rows = [{**row, "registration": table} if row["mouse"] == mouse else row for row in rows]
        _write_truth(folder / "truth" / f"{mouse}.npz", plan)
    facts = {**dataclasses.asdict(p), "mode": mode, "mice": mice}
    write_json(folder / "truth" / "provenance.json", provenance(facts, seed))
    return Manifest(folder, pd.DataFrame(rows)).save(folder / "manifest.toml")


def _write_sessions(
    folder: Path,
    seed: int,
    p: SyntheticParameters,
    mode: str,
    layout: str,
    events: bool,
    mouse: str,
    pathway: str,
    session: int | None,
) -> list[dict[str, Any]]:
    """Write one session, or all of a mouse (session None), and return their rows of the manifest."""
    options = {"events": events, "spikes": False}
    if mode == "network":
        made, _ = synthetic_mouse(seed, mouse, pathway, p, mode=mode, **options)
    else:
        plan = plan_mouse(seed, mouse, pathway, p)
        numbers = range(1, p.sessions + 1) if session is None else [session]
        made = (synthetic_session(seed, plan, k, p, **options) for k in numbers)
    rows = []
    for one in made:
        files = write_session_files(one, folder / pathway / mouse, layout)
        index, time = one.truth["spikes"]
        _write_npz(folder / "truth" / f"{mouse}_Sess{one.session}_spikes.npz", {"index": index, "time": time})
        label = {"mouse": mouse, "pathway": pathway, "session": one.session, "schedule": one.schedule}
        rows.append({**label, **{kind: path.relative_to(folder).as_posix() for kind, path in files.items()}})
    return rows


def write_session_files(session: BehaviourSession, folder: Path, layout: str = "caiman") -> dict[str, Path]:
    """Write the files of a session, the box's and the microscope's, by column of a manifest."""
    if layout == "csv":
        return write_csv_session(session, folder)
    header = session.truth.get("header") or make_header(session.mouse, session.session, session.schedule)
    stem = f"{session.mouse}_D{session.session:02d}_Sess{session.session}_{session.schedule}"
    files = {"dat": write_imetronic(folder / f"{stem}.dat", BoxLog(header, session.events))}
    stem = f"{session.mouse}_Sess{session.session}"
    if layout == "caiman":
        return files | {"caiman": write_caiman(session, folder / f"{stem}.hdf5")}
    return files | {"nwb": write_behaviour_nwb(session, folder / f"{stem}.nwb")}


def _write_npz(path: Path, arrays: dict[str, Any]) -> Path:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return atomic_write(path, lambda file: file.write(buffer.getbuffer()))


def _write_truth(path: Path, plan: MousePlan) -> Path:
    arrays = {
        "base": plan.base,
        "cluster": plan.cluster,
        "names": np.array(plan.names),
        "categories": plan.categories,
        "pool_table": plan.pool_table,
        "centres": plan.cells.centres,
        "shifts": plan.shifts,
    }
    return _write_npz(path, arrays)


def read_truth(folder: str | os.PathLike, mouse: str) -> dict[str, np.ndarray]:
    """Truth of a mouse of a synthetic data set.

    Returns
    -------
    dict
        ``cluster`` (n_pool,) and ``names`` of the subpopulations, ``categories`` (n_pool, n_sessions, 8),
        ``pool_table`` (n_pool, n_sessions; local index or -1), ``base`` (Hz), ``centres``, ``shifts`` (px).
    """
    path = Path(folder) / "truth" / f"{mouse}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: the data set has no truth of mouse {mouse!r}")
    with np.load(path, allow_pickle=False) as data:
        return dict(data)
