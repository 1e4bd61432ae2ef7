"""The report of a run: sections drawn side by side, tables as CSV, one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from netlib.imaging.jobs import Workers
from netlib.imaging.report_behaviour import behaviour_section, neurons_section, session_pictures
from netlib.imaging.report_clusters import clusters_section
from netlib.imaging.report_decoding import decoding_section, time_section
from netlib.imaging.report_modulation import modulation_section
from netlib.imaging.report_parts import Pictures, write_table
from netlib.imaging.report_statistics import claims_section, statistics_section
from netlib.imaging.results import Results
from netlib.imaging.steps import StepStore, code_version
from netlib.provenance import hash_of
from netlib.report import Facts, Section, write_report

__all__ = ["write_pipeline_report"]

SECTIONS = {
    "claims": claims_section,
    "behaviour": behaviour_section,
    "neurons": neurons_section,
    "modulation": modulation_section,
    "clusters": clusters_section,
    "statistics": statistics_section,
    "decoding": decoding_section,
    "time": time_section,
}


def write_pipeline_report(
    results: Results, output: Path, facts: dict[str, Any], workers: Workers, figures: bool = True
) -> Path:
    """Write tables, figures and ``report.html`` into a folder, unless they are there already.

    Parameters
    ----------
    results : Results
        All steps are made.
    output : Path
        Gets ``tables``, ``figures`` and the report.
    facts : dict
        Provenance.
    workers : Workers
        Sections are drawn by them.
    figures : bool
        Draw figures; else text and tables alone.

    Returns
    -------
    Path
        The report.
    """
    store, report = StepStore(results.kept.folder), output / "report.html"
    key = hash_of(
        [results.kept.keys["statistics"], code_version(("imaging", "figures")), str(output.resolve()), figures]
    )
    kept = store.get("report", key)
    if kept is not None and report.is_file() and all((output / name).is_file() for name in kept["files"]):
        return report
    for path in output.rglob(".*.*.*"):
        path.unlink(missing_ok=True)  # what a killed run left
    tables = {name: write_table(output / "tables" / f"{name}.csv", table) for name, table in _tables(results)}
    folder = output / "figures" if figures else None
    jobs = [(results, folder, name, ()) for name in SECTIONS if name != "clusters"]
    jobs[4:4] = [(results, folder, "clusters", (pathway,)) for pathway in results.pathways]
    sections = workers.run(_section, jobs)
    if folder is not None:
        workers.run(_pictures, [(results, folder, mouse) for mouse in results.mice()])
    sections.insert(1, _data(results, sorted(tables)))
    write_report(output, f"Striatal pathways: {len(results.mice())} mice", sections, facts)
    files = sorted(
        p.relative_to(output).as_posix() for folder in ("tables", "figures") for p in _whole(output / folder)
    )
    store.put("report", key, {"files": files})
    return report


def _whole(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _section(results: Results, folder: Path | None, name: str, of: tuple) -> Section:
    return SECTIONS[name](results, Pictures(folder), *of)


def _pictures(results: Results, folder: Path, mouse: str) -> None:
    session_pictures(results, folder / "sessions", mouse)


def _data(results: Results, tables: list[str]) -> Section:
    """What was analysed, and how."""
    mice = {pathway: results.mice(pathway) for pathway in results.pathways}
    sessions = list(results.everything())
    hours = sum(results.session(m, k, "duration")["duration"] for _, m, k in sessions) / 3.6e6
    sources = sorted({results.session(m, k, "source")["source"] for _, m, k in sessions})
    who = "; ".join(f"{pathway}: {', '.join(names)}" for pathway, names in mice.items())
    return Section(
        "Data",
        [
            f"{len(sessions)} sessions, {hours:.1f} h in all, of {sum(map(len, mice.values()))} mice ({who}).",
            f"Activity: {'; '.join(sources)}.",
            f"All tables are in the folder tables, as CSV: {', '.join(tables)}.",
            Facts("Parameters", results.parameters),
        ],
    )


def _tables(results: Results) -> Iterator[tuple[str, pd.DataFrame]]:
    """All tables, by name of their file."""
    found = results.statistics()
    for name, value in found.items():
        if isinstance(value, pd.DataFrame):
            yield ("neurons" if name == "table" else name.replace(" ", "_")), value
    modulation = []
    agreement = []
    for pathway, mouse, k in results.everything():
        label = {"pathway": pathway, "mouse": mouse, "session": k}
        one = results.session(mouse, k, "modulation", "labels", "agreement")
        modulation.append(one["modulation"].assign(**label))
        if "agreement" in one:
            agreement.append(one["agreement"].assign(**label))
    yield "modulation", pd.concat(modulation, ignore_index=True)
    if agreement:
        yield "agreement", pd.concat(agreement, ignore_index=True)
    for mouse in results.mice():
        table = pd.DataFrame(results.registration(mouse)["table"], columns=results.manifest.sessions(mouse))
        yield f"registration_{mouse}", table.rename_axis("registered")
    for pathway in results.pathways:
        clusters = results.clusters(pathway)
        columns = {name: clusters[name] for name in ("mouse", "row")}
        yield f"clusters_of_{pathway}", pd.DataFrame({**columns, "cluster": clusters["labels"]})
        yield f"candidates_{pathway}", clusters["candidates"]
