"""From the files of a manifest to a report: every step is kept as soon as it is done, and never made twice."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from netlib.imaging.inspection import Inspected, inspect_manifest
from netlib.imaging.jobs import Workers
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.plan import Step, perform, plan_steps
from netlib.imaging.results import Results
from netlib.imaging.steps import Kept, StepStore, code_version
from netlib.provenance import hash_of, provenance
from netlib.recordings.operant.manifest import Manifest

__all__ = ["PipelineRun", "run_pipeline"]


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
        The claims of the abstract, judged (:func:`netlib.imaging.claims.judge_claims`).
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
        key = hash_of([code_version(("recordings", "imaging")), sorted(map(str, hashes.items()))])
        if store.has("inspection", key):
            return True
        note.append((key, {"sound": True}))
        bar.reset(total=len(hashes))
        return False

    found = inspect_manifest(manifest, known=known, workers=workers, tell=bar.update)
    return found, note[0] if note else None


def _perform(
    rounds: list[list[Step]],
    manifest: Manifest,
    parameters: PipelineParameters,
    kept: Kept,
    workers: Workers,
    bar: Any,
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
    from netlib.imaging.report_writing import write_pipeline_report

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
