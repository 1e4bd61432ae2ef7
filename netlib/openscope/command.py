"""The command ``netlib openscope``: figures of the two-photon papers, their data, simulated ones in their stead."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from netlib.base.command import refused

__all__ = ["add_to", "make_app"]

Seed = Annotated[str, typer.Option("--seed", help="Master seed: a number, or 'paper' for the published 905.")]
Table = Annotated[
    Path | None, typer.Option("--mouse-table", help="The published mouse_df.csv. Default: the one in --datadir.")
]


def _seed(text: str) -> int | str:
    if text == "paper":
        return text
    if not text.isdecimal():
        raise ValueError(f"seed = {text!r} is neither 'paper' nor a whole number in [0, 2**63)")
    return int(text)


def figures(
    paper: Annotated[str, typer.Option("--paper", help="analysis (2024) or dataset (2023).")] = "analysis",
    figure: Annotated[str, typer.Option("--figure", help="Number of the figure, several as 2,3, or all.")] = "all",
    panel: Annotated[str, typer.Option("--panel", help="Letters, as BC, or all.")] = "all",
    datadir: Annotated[Path | None, typer.Option("--datadir", help="Folder of the NWB files, at any depth.")] = None,
    output: Annotated[Path, typer.Option("--output", help="Folder for the results.")] = Path(),
    mouse_table: Table = None,
    plot_only: Annotated[bool, typer.Option("--plot-only", help="Draw from kept data; needs no NWB files.")] = False,
    full_power: Annotated[bool, typer.Option("--full-power", help="As many permutations as published.")] = False,
    n_permutations: Annotated[int | None, typer.Option("--permutations", help="Another number of them.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="Processes; the results do not depend on it.")] = 1,
    seed: Seed = "paper",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Compute again what is kept.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the panels and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where a panel failed.")] = False,
) -> None:
    """Make panels of the papers' figures: data (JSON) and picture (SVG) of each."""
    with refused():
        if list_:
            from netlib.openscope.panels import find_panels

            for one in find_panels(paper, figure, panel):
                n = one.parameters.permpar.n_perms if one.low_power else 0
                power = f"  [{one.low_power} permutations, {n} at full power]" if n else ""
                kind = "" if one.computable else "  (schematic)"
                typer.echo(f"{one.figure + one.letter:4} {one.title}{power}{kind}")
            return
        from netlib.openscope.runner import run_panels

        outcomes = run_panels(
            paper, figure, panel, datadir=datadir, mouse_table=mouse_table, output=output, plot_only=plot_only,
            full_power=full_power, n_permutations=n_permutations, jobs=jobs, seed=_seed(seed), overwrite=overwrite,
        )  # fmt: skip
    for outcome in outcomes:
        _report(outcome, debug)
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed or all(outcome.state == "schematic" for outcome in outcomes):
        raise typer.Exit(1)


def _report(outcome: Any, debug: bool) -> None:
    """One line on what became of a panel."""
    if outcome.state == "failed":
        typer.secho(f"failed: {outcome.message}", fg="red", err=True)
        if debug:
            typer.echo(outcome.trace, err=True)
    elif outcome.state == "schematic":
        typer.echo(outcome.message)
    else:
        note = f" ({outcome.message})" if outcome.message else ""
        typer.echo(f"{outcome.name}: {outcome.state} in {outcome.seconds:.1f} s, {outcome.place.svg}{note}")


def download(
    datadir: Annotated[Path, typer.Option("--datadir", help="Folder for the files; made if missing.")],
    mouse_table: Annotated[Path, typer.Option("--mouse-table", help="The published mouse_df.csv.")],
    mouse: Annotated[list[int] | None, typer.Option("--mouse", help="Number of a mouse; may be repeated.")] = None,
    session: Annotated[list[int] | None, typer.Option("--session", help="1, 2 or 3; may be repeated.")] = None,
    failed_too: Annotated[bool, typer.Option("--failed-too", help="Sessions that failed quality control too.")] = False,
    templates: Annotated[bool, typer.Option("--templates", help="Files with the stimulus images.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", help="Files fetched at once.")] = 1,
    api_url: Annotated[str | None, typer.Option("--api-url", help="Address of another archive.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched, and stop.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Fetch the NWB files of mice and sessions from DANDI 000037, resuming what was interrupted; each is verified."""
    with refused():
        from netlib.openscope import dandi
        from netlib.openscope.mice import MouseTable

        plan = dandi.plan_download(
            datadir, mouse_table=MouseTable.read(mouse_table).table, mouse_ns=mouse or "any",
            sess_ns=session or (1, 2, 3), pass_fail="any" if failed_too else "P", templates=templates, api_url=api_url,
        )  # fmt: skip
        for row in plan.itertuples():
            typer.echo(f"mouse {row.mouse_n} session {row.sess_n}: {row.path}, {row.size / 1e6:.0f} MB, {row.state}")
        typer.echo(dandi.describe_plan(plan))
        if not dry_run:
            dandi.download(plan, jobs=jobs, progress=False if quiet else None)
            _keep_table(mouse_table, datadir)
            _keep_version(plan["path"], datadir)
            typer.echo(f"All files are in {datadir.resolve()}")


def _keep_table(table: Path, datadir: Path) -> None:
    """Keep the table of mice beside the files, where the figures look for it."""
    from netlib.base.provenance import atomic_write
    from netlib.openscope.mice import TABLE_NAME

    if not (datadir / TABLE_NAME).exists():
        content = table.read_bytes()
        atomic_write(datadir / TABLE_NAME, lambda file: file.write(content))


def _keep_version(paths: Iterable[str], datadir: Path) -> None:
    """Keep beside the files which version of the dandiset each was last verified against."""
    from netlib.base.provenance import atomic_write
    from netlib.openscope.dandi import DANDISET, VERSION

    place = datadir / "dandiset.json"
    versions = json.loads(place.read_text()) if place.exists() else {}
    versions |= dict.fromkeys(paths, f"DANDI:{DANDISET}/{VERSION}")
    atomic_write(place, lambda file: file.write(json.dumps(versions, indent=1, sort_keys=True).encode()))


def simulate(
    output: Annotated[Path, typer.Option("--output", help="Folder for the files; made if missing.")],
    mice: Annotated[int, typer.Option("--mice", help="Mice, at most 11; the first four are one per group.")] = 8,
    rois: Annotated[int, typer.Option("--rois", help="ROIs per session.")] = 60,
    seed: Seed = "paper",
    gabor_minutes: Annotated[float, typer.Option("--gabor-minutes", help="Length of the Gabor block (min).")] = 34.0,
    flow_minutes: Annotated[float, typer.Option("--flow-minutes", help="Length of each flow block (min).")] = 17.0,
) -> None:
    """Write simulated mice in the layout of the published files, for `figures --datadir`."""
    with refused():
        from netlib.openscope.parameters import PAPER_SEED
        from netlib.openscope.simulate import simulate_folder

        number = _seed(seed)
        table = simulate_folder(
            output, mice, rois, PAPER_SEED if number == "paper" else number, gabor_minutes=gabor_minutes,
            flow_minutes=flow_minutes,
        )  # fmt: skip
        typer.echo(f"Wrote {mice} mice, 3 sessions each, and {table}")


def make_app() -> typer.Typer:
    """The sub-command."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def openscope() -> None:
        """Figures of the two-photon credit-assignment papers, from NWB files of DANDI 000037 or simulated ones."""

    app.command()(figures)
    app.command()(download)
    app.command()(simulate)
    return app


def add_to(netlib: typer.Typer) -> None:
    """Add the sub-command to ``netlib``."""
    netlib.add_typer(make_app(), name="openscope")
