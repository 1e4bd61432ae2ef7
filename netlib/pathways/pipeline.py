"""From the files of a manifest to a report: every step is kept as soon as it is done, and never made twice.

Files are looked at before anything is computed or written, and all that is wrong with them is said at once.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from netlib.base.provenance import file_hash, hash_of, provenance
from netlib.pathways.claims import engagement, judge_claims, subpopulations
from netlib.pathways.files import load_session
from netlib.pathways.manifest import FILES, Manifest, fault_message, load_manifest, read_rows
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.results import POOLED, Results, step_name
from netlib.pathways.steps import (
    OfMouse,
    analyse_session,
    assign_candidates,
    cluster_neurons,
    codes_of,
    compare_sources,
    correlate_time,
    decode_session,
    decoding_statistics,
    leak_session,
    modulation_statistics,
    rate_statistics,
    register_mouse,
    size_curve,
)
from netlib.pathways.store import Kept, Result, StepStore, Workers, code_version
from netlib.pathways.tables import read_registration
from netlib.pathways.training import compare_pathways, sessions_to_criterion

__all__ = [
    "Inspected",
    "PipelineRun",
    "Step",
    "describe",
    "hash_files",
    "inspect_manifest",
    "perform",
    "plan_steps",
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
    output, store = Path(output), StepStore(Path(output) / "steps")
    hidden = None if progress is None else not progress
    with tqdm(total=1, unit=" steps", desc="files", disable=hidden) as bar, Workers(jobs) as workers:
        found, new = _sound(manifest, store, workers, bar)
        manifest = found.manifest
        rounds = plan_steps(manifest, found.hashes, parameters)
        kept = Kept(store.folder, {step.name: step.key for steps in rounds for step in steps})
        with _alone(output):
            store.clean()
            if new:
                store.put("inspection", *new)
            made, there = _perform(rounds, manifest, parameters, kept, workers, bar)
            results = Results(manifest, parameters, kept)
            bar.set_description("report")
            report = _report(results, output, workers, figures)
            bar.update()
    claims = results.statistics()["claims"]
    return PipelineRun(report, results, claims, made, there, time.perf_counter() - start)


def _sound(
    manifest: Manifest | str | os.PathLike, store: StepStore, workers: Workers, bar: Any
) -> tuple[Inspected, tuple | None]:
    """The manifest, all files of which are sound, and what to note of it if that was not known."""
    note: list[tuple] = []

    def known(hashes: dict[tuple[str, int], str]) -> bool:
        key = hash_of([code_version(("base", "recordings", "pathways")), sorted(map(str, hashes.items()))])
        if store.has("inspection", key):
            return True
        note.append((key, {"sound": True}))
        bar.reset(total=len(hashes))
        return False

    found = inspect_manifest(manifest, known=known, workers=workers, tell=bar.update)
    return found, note[0] if note else None


def _perform(
    rounds: list[list[Step]], manifest: Manifest, parameters: PipelineParameters, kept: Kept, workers: Workers, bar: Any
) -> tuple[list[str], list[str]]:
    """Make the steps that are not there: their names, and those that were."""
    store, made, there = StepStore(kept.folder), [], []
    bar.reset(total=sum(map(len, rounds)) + 1)
    for steps in rounds:
        missing = [step for step in steps if not store.has(step.name, step.key)]
        there += [step.name for step in steps if step not in missing]
        bar.update(len(steps) - len(missing))
        if missing:
            bar.set_description(missing[0].name.split("-")[0])
            workers.run(perform, [(manifest, parameters, kept, step) for step in missing], bar.update)
        made += [step.name for step in missing]
    return made, there


def _report(results: Results, output: Path, workers: Workers, figures: bool) -> Path:
    from netlib.pathways.report import write_pipeline_report

    facts = provenance(results.parameters, results.parameters.seed, code=code_version())
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


# ---------------------------------------------------------------- steps


@dataclass(frozen=True)
class Step:
    """One result to be made.

    Attributes
    ----------
    name, key : str
        Name of its file, and what it must have been made from to count.
    function : callable
        ``function(results, *of)`` makes it.
    of : tuple
        Mouse, session or pathway.
    """

    name: str
    key: str
    function: Callable[..., Result]
    of: tuple[Any, ...] = ()


def plan_steps(
    manifest: Manifest, hashes: Mapping[tuple[str, int], str], parameters: PipelineParameters
) -> list[list[Step]]:
    """All steps, in rounds: those of a round need only the rounds before.

    Parameters
    ----------
    manifest : Manifest
    hashes : mapping
        Of :func:`hash_files`.
    parameters : PipelineParameters
    """
    code, keys = code_version(), dict[str, str]()

    def step(function: Callable[..., Result], kind: str, of: tuple, needs: list[Any]) -> Step:
        name = step_name(kind, *of)
        keys[name] = hash_of([name, code, parameters.of(kind), needs])
        return Step(name, keys[name], function, of)

    mice = {mouse: manifest.sessions(mouse) for mouse in manifest.mice}
    everything = [(mouse, k) for mouse, own in mice.items() for k in own]
    sessions = [step(_session, "session", of, [hashes[of]]) for of in everything]
    own = {mouse: [keys[step_name("session", mouse, k)] for k in mice[mouse]] for mouse in mice}
    registrations = [step(_registration, "registration", (m,), [hashes[m, 0], own[m]]) for m in mice]
    all_before = dict(keys)
    pathways = dict.fromkeys(manifest.table["pathway"])
    groups = [step(_clusters, "clusters", (of,), [all_before]) for of in (*pathways, POOLED)]
    clustered = dict(keys)
    later = [step(_decoding, "decoding", of, [clustered]) for of in everything]
    of_mice = [
        step(function, kind, (m,), [own[m], keys[step_name("registration", m)]])
        for function, kind in ((_time, "time"), (_sources, "sources"))
        for m in mice
    ]
    last = step(_statistics, "statistics", (), [dict(keys)])
    return [sessions, registrations, groups, [*of_mice, *later], [last]]


def perform(manifest: Manifest, parameters: PipelineParameters, kept: Kept, step: Step) -> bool:
    """Make a step unless it is there, and keep it; tell whether it was made."""
    results = Results(manifest, parameters, kept)
    try:
        return StepStore(kept.folder).make(step.name, step.key, lambda: step.function(results, *step.of))
    except ValueError as error:
        raise ValueError(f"step {step.name}: {error}; all steps before it are kept") from error


def _session(results: Results, mouse: str, session: int) -> Result:
    return analyse_session(load_session(results.manifest, mouse, session), results.parameters)


def _registration(results: Results, mouse: str) -> Result:
    sessions = [
        results.session(mouse, k, "vectors", "fp_cell", "fp_pixel", "fp_value", "field")
        for k in results.manifest.sessions(mouse)
    ]
    path = results.manifest.registration_file(mouse)
    given = None if path is None else read_registration(path, len(sessions), [len(s["vectors"]) for s in sessions])
    return register_mouse(sessions, given)


def _clusters(results: Results, of: str) -> Result:
    mice = [results.vectors(mouse) for mouse in results.mice(None if of == POOLED else of)]
    found = cluster_neurons(mice, results.parameters, compare=of != POOLED)
    return found if of == POOLED else found | assign_candidates(mice, found)


def _decoding(results: Results, mouse: str, session: int) -> Result:
    numbers = results.manifest.sessions(mouse)
    directions = [results.session(mouse, k, "leading")["leading"] for k in numbers]
    table = results.registration(mouse)["table"]
    codes = codes_of(directions, table, numbers.index(session))
    features = results.session(mouse, session, "features", "bin", "bin_labels")
    return decode_session(features, results.cell_clusters(mouse, session), codes, results.parameters)


def _time(results: Results, mouse: str) -> Result:
    numbers = results.manifest.sessions(mouse)
    wanted = ("instants", "instant_labels", "instant_step")
    sessions = [results.session(mouse, k, *wanted) for k in numbers]
    return correlate_time(sessions, results.registration(mouse)["table"], results.parameters)


def _sources(results: Results, mouse: str) -> Result:
    numbers = results.manifest.sessions(mouse)
    first, last = results.session(mouse, numbers[0]), results.session(mouse, numbers[-1])
    session = load_session(results.manifest, mouse, numbers[0], footprints=False)
    found = compare_sources(session, float(first["guard"]), results.parameters)
    for name, function, one in (("leakage", leak_session, first), ("curve", size_curve, last)):
        try:
            found[name] = function(one, results.parameters)
        except ValueError as error:  # a session too short, or too little of a behaviour
            found[f"{name} failure"] = str(error)
    return found


def _statistics(results: Results) -> Result:
    p = results.parameters
    mice = [results.for_statistics(mouse) for mouse in results.mice()]
    metrics = pd.concat([s["metrics"] for m in mice for s in m.sessions.values()], ignore_index=True)
    decoded = {(pathway, mouse, k): results.decoded(mouse, k) for pathway, mouse, k in results.everything()}
    found = {"metrics": metrics, "criterion": sessions_to_criterion(metrics)}
    found["behaviour"] = pd.concat([compare_pathways(metrics, name) for name in ("cycles", "presses", "rewards")])
    found |= modulation_statistics(mice, p) | rate_statistics(mice, p) | decoding_statistics(decoded, mice)
    table = pd.DataFrame([_engagement(m) for m in mice])
    pooled = results.clusters(POOLED)
    together = subpopulations(pooled["labels"], pooled["mouse"], pooled["pathway"])
    return found | {"engagement": table, "pooled": together, "claims": judge_claims(table, together, p.margin, p.alpha)}


def _engagement(one: OfMouse) -> dict[str, Any]:
    vectors, leading = ([session[name] for session in one.sessions.values()] for name in ("vectors", "leading"))
    return {"mouse": one.mouse, "pathway": one.pathway, **engagement(vectors, leading)}


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
        told = [row["pathway"], row["schedule"], *(f"{kind} {file_hash(path)}" for kind, path in files.items())]
        hashes[row["mouse"], row["session"]] = " ".join(told)
        table = manifest.registration_file(row["mouse"])
        hashes[row["mouse"], 0] = "" if table is None else file_hash(table)
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
