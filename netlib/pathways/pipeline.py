"""From the files of a manifest to a report: every step is kept as soon as it is done, and never made twice.

Files are looked at before anything is computed or written, and all that is wrong with them is said at once.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from netlib.base.fingerprint import fingerprint
from netlib.base.fingerprint import hash_files as read_hashes
from netlib.base.provenance import hash_of, provenance
from netlib.base.store import Store
from netlib.base.workers import Workers
from netlib.pathways.files import load_session
from netlib.pathways.manifest import FILES, Manifest, fault_message, load_manifest, read_rows
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.plan import Step, perform, plan_steps
from netlib.pathways.results import Kept, Results
from netlib.pathways.tables import read_registration

__all__ = [
    "Inspected",
    "PipelineRun",
    "describe",
    "hash_files",
    "inspect_manifest",
    "run_pipeline",
]


@dataclass(frozen=True, eq=False)
class PipelineRun:
    """What a run did.

    Attributes
    ----------
    report : Path
        The report.
    results : Results
        All results.
    claims : DataFrame
        The claims of the abstract, judged (:func:`netlib.pathways.claims.judge_claims`).
    made, kept : list of str
        Steps that were made, and those that were there already.
    seconds : float
        Time it took (s).
    """

    report: Path
    results: Results
    claims: pd.DataFrame
    made: list[str]
    kept: list[str]
    seconds: float


def run_pipeline(
    manifest: Manifest | str | os.PathLike,
    output: str | os.PathLike,
    parameters: PipelineParameters | None = None,
    *,
    jobs: int = 1,
    figures: bool = True,
    progress: bool | None = None,
) -> PipelineRun:
    """Analyse a data set, from its files to a report.

    Before anything is computed or written all files are read, and refused with every fault of every file in one
    message. ``output`` then gets ``steps`` (results), ``tables`` (CSV), ``figures`` (PNG) and ``report.html``. A run
    that was stopped, in whatever way, goes on where it was; a step is made again only if its files, its parameters,
    the code, or a step it needs have changed.

    Parameters
    ----------
    manifest : Manifest or path
        The data set.
    output : path
        Folder for everything; made if missing.
    parameters : PipelineParameters, optional
        What to do.
    jobs : int
        Processes; the results do not depend on it.
    figures : bool
        Draw figures; else the report is text and tables.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.

    Raises
    ------
    ValueError
        If files are missing or unsound: all are named.
    BlockingIOError
        If another run is at work in the same folder.
    """
    start = time.perf_counter()
    parameters = PipelineParameters() if parameters is None else parameters
    output, store = Path(output), Store(Path(output) / "steps")
    hidden = None if progress is None else not progress
    with tqdm(total=1, unit=" steps", desc="files", disable=hidden) as bar, Workers(jobs, "jobs") as workers:
        found, new = _sound(manifest, store, workers, bar)
        manifest = found.manifest
        rounds = plan_steps(manifest, found.hashes, parameters)
        kept = Kept(store.folder, {step.name: step.key for steps in rounds for step in steps})
        with _alone(output):
            store.clean()
            if new:
                store.put(*new)
            made, there = _perform(rounds, manifest, parameters, kept, workers, bar)
            results = Results(manifest, parameters, kept)
            bar.set_description("report")
            report = _report(results, output, workers, figures)
            bar.update()
    claims = results.statistics()["claims"]
    return PipelineRun(report, results, claims, made, there, time.perf_counter() - start)


def _sound(
    manifest: Manifest | str | os.PathLike, store: Store, workers: Workers, bar: Any
) -> tuple[Inspected, tuple | None]:
    """The manifest, all files of which are sound, and what to note of it if that was not known."""
    note: list[tuple] = []

    def known(hashes: dict[tuple[str, int], str]) -> bool:
        key = hash_of([fingerprint(_look), sorted(map(str, hashes.items()))])
        if store.has(key, "inspection"):
            return True
        note.append((key, {"sound": True}, "inspection"))
        bar.reset(total=len(hashes))
        return False

    found = inspect_manifest(manifest, known=known, workers=workers, tell=bar.update)
    return found, note[0] if note else None


def _perform(
    rounds: list[list[Step]], manifest: Manifest, parameters: PipelineParameters, kept: Kept, workers: Workers, bar: Any
) -> tuple[list[str], list[str]]:
    """Make the steps that are not there: their names, and those that were."""
    store, made, there = Store(kept.folder), [], []
    bar.reset(total=sum(map(len, rounds)) + 1)
    for steps in rounds:
        missing = [step for step in steps if not store.has(step.key, step.name)]
        there += [step.name for step in steps if step not in missing]
        bar.update(len(steps) - len(missing))
        if missing:
            bar.set_description(missing[0].name.split("-")[0])
            workers.run(perform, [(manifest, parameters, kept, step) for step in missing], bar.update)
        made += [step.name for step in missing]
    return made, there


def _report(results: Results, output: Path, workers: Workers, figures: bool) -> Path:
    from netlib.pathways.report import write_pipeline_report

    facts = provenance(results.parameters, results.parameters.seed, code=fingerprint(plan_steps))
    return write_pipeline_report(results, output, facts, workers, figures)


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep other runs out of the folder."""
    output.mkdir(parents=True, exist_ok=True)
    with open(output / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"output = {str(output)!r}: another run is at work in this folder") from None
        yield


# ---------------------------------------------------------------- inspection


@dataclass(frozen=True, eq=False)
class Inspected:
    """A manifest whose files are sound.

    Attributes
    ----------
    manifest : Manifest
    hashes : dict
        Of :func:`hash_files`.
    cells : dict
        Neurons of each (mouse, session), if the files were read.
    """

    manifest: Manifest
    hashes: dict[tuple[str, int], str]
    cells: dict[tuple[str, int], int] = field(default_factory=dict)


def hash_files(manifest: Manifest) -> dict[tuple[str, int], str]:
    """Hashes by (mouse, session): labels and files, by kind; of (mouse, 0): its registration, "" without."""
    hashes = {}
    for row in manifest.table.to_dict("records"):
        files = {kind: manifest.folder / row[kind] for kind in FILES if row[kind]}
        told = [row["pathway"], row["schedule"]]
        told += [f"{kind} {told_hash}" for kind, told_hash in zip(files, read_hashes(files.values()), strict=True)]
        hashes[row["mouse"], row["session"]] = " ".join(told)
        table = manifest.registration_file(row["mouse"])
        hashes[row["mouse"], 0] = "" if table is None else read_hashes([table])[0]
    return hashes


def inspect_manifest(
    manifest: Manifest | str | os.PathLike,
    *,
    known: Callable[[dict[tuple[str, int], str]], bool] | None = None,
    workers: Workers | None = None,
    tell: Callable[[], Any] | None = None,
) -> Inspected:
    """Read all files of a manifest and refuse it, with every fault of every file in one message, if any is unsound.

    Parameters
    ----------
    manifest : Manifest or path
        The manifest.
    known : callable, optional
        Told the hashes; if it returns True the files are known to be sound and are not read again.
    workers : Workers, optional
        Processes; by default this one.
    tell : callable, optional
        Called after each session.

    Raises
    ------
    ValueError
        If a file is missing, truncated, shuffled or mis-labelled, a session has no activity, or a registration does
        not fit its sessions.
    """
    manifest, rows, faults = _judged(manifest)
    missing = [line for own in rows for line in own.missing()]
    faults += [f"missing file: {line}" for line in dict.fromkeys(missing)]
    if manifest is not None and not faults:
        hashes = hash_files(manifest)
        if known is not None and known(hashes):
            return Inspected(manifest, hashes)
    names = [(own.mice[0], own.sessions(own.mice[0])[0]) for own in rows]
    there = [k for k, own in enumerate(rows) if not _missing_of_session(own)]
    looked = (workers or Workers()).run(_look, [(rows[k], *names[k]) for k in there], tell)
    seen = {names[k]: found for k, found in zip(there, looked, strict=True)}
    faults += [f"{mouse}, session {k}: {fault}" for (mouse, k), (fault, *_) in seen.items() if fault]
    if manifest is not None:
        for mouse in manifest.mice:
            faults += _registration_faults(manifest, mouse, seen)
    if faults:
        raise ValueError(fault_message("the data set has", faults, ", nothing was written"))
    cells = {name: n for name, (_, n, _) in seen.items()}
    return Inspected(manifest, hashes, cells)


def _judged(manifest: Manifest | str | os.PathLike) -> tuple[Manifest | None, list[Manifest], list[str]]:
    """The manifest, if it is sound as a whole, each of its rows that is sound by itself, and what is wrong."""
    if isinstance(manifest, Manifest):
        folder, table, whole, faults = manifest.folder, manifest.table, manifest, []
    else:
        folder, faults = Path(manifest).parent, []
        try:
            whole = load_manifest(manifest, check_files=False)
            table = whole.table
        except ValueError as error:
            whole, faults = None, [f"the manifest: {error}"]
            try:
                table = read_rows(manifest)
            except ValueError:
                table = None
    rows, said = [], "\n".join(faults)
    for k in range(0 if table is None else len(table)):
        row, wrong = _manifest_of(folder, table.iloc[[k]].reset_index(drop=True))
        rows += [row] if row is not None else []
        faults += [line for line in wrong if line not in said]
    if whole is None and rows:  # faults of labels hide those between rows
        _, wrong = _manifest_of(folder, pd.concat([row.table for row in rows], ignore_index=True))
        faults += [line for line in wrong if line not in said]
    return whole, rows, faults


def _manifest_of(folder: Path, table: pd.DataFrame) -> tuple[Manifest | None, list[str]]:
    """A manifest of these rows, or what is wrong with their files; labels are judged with the whole."""
    try:
        return Manifest(folder, table), []
    except (ValueError, KeyError, TypeError) as error:
        lines = [line.removeprefix("- ") for line in str(error).splitlines()[1:]]
        return None, [line for line in lines if not line.startswith(("row ", "column "))]


def _missing_of_session(row: Manifest) -> bool:
    return any(not line.startswith(f"{row.mice[0]}, registration") for line in row.missing())


def describe(found: Inspected) -> pd.DataFrame:
    """What a data set holds: one row per session, with its kinds of files and, where they were read, its neurons."""
    rows = []
    for row in found.manifest.table.to_dict("records"):
        files = [kind for kind in ("registration", *FILES) if row[kind]]
        size = sum((found.manifest.folder / row[kind]).stat().st_size for kind in files if kind != "registration")
        label = {name: row[name] for name in ("mouse", "pathway", "session", "schedule")}
        n = found.cells.get((row["mouse"], row["session"]))
        rows.append({**label, "neurons": n, "megabytes": round(size / 1e6, 2), "files": ", ".join(files)})
    return pd.DataFrame(rows)


def _look(manifest: Manifest, mouse: str, session: int) -> tuple[str, int, bool]:
    """What is wrong with a session ("" if nothing), how many neurons it has, and whether it has footprints."""
    try:
        found = load_session(manifest, mouse, session)
        if found.recording is None or not len(found.recording):
            raise ValueError("it has no neurons: the manifest must name their files")
        if not {"dff", "events"} & set(found.recording.traces) and not len(found.recording.spike_time):
            raise ValueError("its files hold no activity: neither dF/F nor events")
        if not len(found.intervals):
            raise ValueError("its files hold no behaviour")
        return "", len(found.recording), found.footprints is not None
    except (ValueError, TypeError, KeyError, OSError) as error:
        return str(error.args[0] if isinstance(error, KeyError) and error.args else error), -1, False


def _registration_faults(
    manifest: Manifest, mouse: str, seen: dict[tuple[str, int], tuple[str, int, bool]]
) -> list[str]:
    """What is wrong with the registration of a mouse, or that there is none where it is needed."""
    path, sessions = manifest.registration_file(mouse), manifest.sessions(mouse)
    own = [seen.get((mouse, k), ("missing", -1, True)) for k in sessions]
    if path is None:
        without = [k for k, (fault, _, drawn) in zip(sessions, own, strict=True) if not (fault or drawn)]
        if not without or len(sessions) == 1:
            return []
        return [f"{mouse}: sessions {without} have no footprints, and the mouse no registration: one of them is needed"]
    if not path.is_file():
        return []
    n_cells = [inf if n < 0 else n for _, n, _ in own]
    try:
        read_registration(path, len(sessions), n_cells)
    except (ValueError, OSError) as error:
        return [f"{mouse}, registration: {error}"]
    return []
