"""The command ``netlib pathways``: a data set of both striatal pathways, from files to report, or a synthetic one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from netlib.base.command import refused

__all__ = ["add_to", "make_app"]

Manifest_ = Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest: .toml or .csv.")]
Jobs = Annotated[int, typer.Option("--jobs", help="Processes; the results do not depend on it.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Json = Annotated[bool, typer.Option("--json", help="What was found, as JSON.")]


def run(
    manifest: Manifest_,
    output: Annotated[Path, typer.Option("--output", help="Folder for report, figures, tables and steps.")],
    jobs: Jobs = 2,
    seed: Annotated[int | None, typer.Option("--seed", help="Master seed.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, such as alpha=0.01; `netlib pathways parameters` lists them."),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures/--no-figures", help="Draw figures, or write tables alone.")
    ] = True,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Analyse a data set; started again, it goes on where it was."""
    with refused():
        from netlib.pathways.parameters import PipelineParameters
        from netlib.pathways.pipeline import run_pipeline

        settings = dict(_setting(text) for text in set_ or [])
        if seed is not None:
            settings["seed"] = str(seed)
        parameters = PipelineParameters().changed(settings)
        progress = False if quiet else None
        done = run_pipeline(manifest, output, parameters, jobs=jobs, figures=figures, progress=progress)
    claims = done.claims.replace({float("nan"): None}).to_dict("records")
    if json_:
        facts = {"report": str(done.report.resolve()), "made": done.made, "kept": done.kept, "seconds": done.seconds}
        typer.echo(json.dumps({**facts, "claims": claims}, indent=2))
        return
    for claim in claims:
        typer.echo(f"{claim['claim']:42} {claim['verdict']:14} {claim['mice']} mice")
    typer.echo(f"{len(done.made)} steps made, {len(done.kept)} kept, in {done.seconds:.0f} s")
    typer.echo(f"Open {done.report.resolve()}")


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise ValueError(f"--set {text!r} is not of the form name=value")
    return name.strip(), value.strip()


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files; made if missing.")],
    mice: Annotated[int, typer.Option("--mice", help="Mice, half of each pathway.")] = 6,
    sessions: Annotated[int, typer.Option("--sessions", help="Sessions of each mouse.")] = 8,
    neurons: Annotated[int, typer.Option("--neurons", help="Neurons seen in a session.")] = 100,
    minutes: Annotated[float, typer.Option("--minutes", help="Length of a session (min).")] = 20.0,
    claims: Annotated[
        str, typer.Option("--claims", help="What is planted: abstract, reverse, alike, unequal or none.")
    ] = "abstract",
    network: Annotated[
        bool, typer.Option("--network", help="Spikes of a PyNN/NEST network of the striatum, not of a model.")
    ] = False,
    layout: Annotated[str, typer.Option("--layout", help="Recordings as caiman (HDF5), csv or nwb.")] = "caiman",
    registration: Annotated[
        bool, typer.Option("--registration/--no-registration", help="Write the true table of followed neurons.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Master seed.")] = 1,
    jobs: Jobs = 2,
    quiet: Quiet = False,
) -> None:
    """Write a synthetic data set: .dat files, recordings, footprints, a manifest, and the truth beside."""
    with refused():
        from tqdm.auto import tqdm

        from netlib.pathways.dataset import write_dataset

        mode = "network" if network else "statistical"
        total = mice if network else mice * sessions
        with tqdm(total=total, desc="simulating", disable=True if quiet else None) as bar:
            manifest = write_dataset(
                folder, seed, mice=mice, sessions=sessions, neurons=neurons, minutes=minutes, claims=claims, mode=mode,
                layout=layout, registration=registration, workers=jobs, tell=bar.update,
            )  # fmt: skip
    typer.echo(f"Wrote {manifest.resolve()}; the truth is in {(folder / 'truth').resolve()}")


def inspect(manifest: Manifest_, jobs: Jobs = 2, json_: Json = False) -> None:
    """Say what a data set holds, and name all that is missing, damaged, shuffled or mis-labelled."""
    with refused():
        from netlib.base.workers import Workers
        from netlib.pathways.pipeline import describe, inspect_manifest

        with Workers(jobs) as workers:
            table = describe(inspect_manifest(manifest, workers=workers))
    if json_:
        typer.echo(table.to_json(orient="records", indent=2))
    else:
        typer.echo(table.to_string(index=False))
        typer.echo(f"{len(table)} sessions of {table['mouse'].nunique()} mice: all files are sound")


def parameters() -> None:
    """List the parameters of a run, for --set."""
    from netlib.base.fields import rows_of
    from netlib.pathways.parameters import PipelineParameters

    rows = [("name", "value", "unit", "range"), *rows_of(PipelineParameters())]
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(f"{cell!s:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def claims(
    output: Annotated[Path, typer.Option("--output", help="CSV file.")] = Path("pathways.csv"),
    seeds: Annotated[int, typer.Option("--seeds", help="Number of seeds: 1, 2, ...")] = 10,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Plant the claims about the pathways and their opposites in synthetic mice; see what is found."""
    with refused():
        from netlib.pathways.claims import run_claims

        typer.echo(f"Wrote {run_claims(output, seeds, workers=jobs, progress=False if quiet else None)}")


def make_app() -> typer.Typer:
    """The sub-command."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def pathways() -> None:
        """Calcium imaging of the direct and the indirect pathway during motor learning, from files to a report."""

    for function in (run, simulate, inspect, parameters, claims):
        app.command()(function)
    return app


def add_to(netlib: typer.Typer) -> None:
    """Add the sub-command to ``netlib``: ``netlib pathways``, and the same under its old name ``netlib imaging``."""
    netlib.add_typer(make_app(), name="pathways")
    netlib.add_typer(make_app(), name="imaging", hidden=True)
