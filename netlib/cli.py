"""The command ``netlib``: a thin skin over the applications that are here, and over sweeps and experiments."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from netlib.base.checks import check_choice, check_integer
from netlib.base.command import Json, Quiet, own_refusals, read_settings
from netlib.doctor import doctor
from netlib.registry import applications, offered

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for each other stall on a busy machine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Ring networks of primary visual cortex.",
)


def experiment_names(incomplete: str) -> list[str]:
    """Names of experiments that begin as typed."""
    return [name for name in sorted(offered("experiments")) if name.startswith(incomplete)]


@app.callback()
def version() -> None:
    """Ring networks of primary visual cortex: stimuli, LGN, network, tuning curves."""


for application in applications("command"):
    application.add_to(app)
app.command()(doctor)


@app.command()
def experiment(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the experiment; `netlib experiment list` lists them.",
            autocompletion=experiment_names,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the table.")] = Path("netlib_experiments"),
    seeds: Annotated[int, typer.Option(help="Number of seeds: 1, 2, ...")] = 10,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="An argument of the experiment, such as trials=2.")
    ] = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """An experiment of the notebooks over many seeds, into one table that says where it comes from."""
    with own_refusals():
        from netlib.base.fields import parse_value
        from netlib.sweep import over_seeds, save_table

        experiments = offered("experiments")
        if name == "list":
            about = {key: (function.__doc__ or "").splitlines()[0] for key, function in experiments.items()}
            lines = (f"{known:24} {text}" for known, text in about.items())
            typer.echo(json.dumps(about) if json_ else "\n".join(lines))
            return
        function = experiments[check_choice("experiment", name, experiments)]
        settings = {key: parse_value(value) for key, value in read_settings(set_).items()}
        for key in settings:
            check_choice(f"argument of {name}", key, list(inspect.signature(function).parameters)[1:])
        table = over_seeds(
            function, range(1, seeds + 1), workers=workers, progress=False if quiet else None, **settings
        )
        file = save_table(table, out / f"{name}.csv")
        typer.echo(json.dumps({"file": str(file), "rows": len(table)}) if json_ else f"Wrote {file}")


@app.command()
def sweep(
    name: Annotated[str, typer.Argument(help="What to run at each point: ring or striatum.")],
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="name=values: 1,2,5 or start:stop:number; several span a grid."),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter held fixed, such as preset=v1.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds: 1, 2, ...")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://host:port.")] = None,
    engine: Annotated[str, typer.Option(help="nest, compiled, auto, brian2 or neuron.")] = "auto",
    out: Annotated[Path, typer.Option(help="NetCDF file for the results.")] = Path("netlib_sweep.nc"),
    cache: Annotated[Path, typer.Option(help="Folder of finished points; started again, a sweep goes on.")] = Path(
        "netlib_cache"
    ),
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """A grid of parameters at several seeds, in parallel, cached, as one file."""
    with own_refusals():
        from functools import partial

        from netlib import sweep as sweeps
        from netlib.base.fields import parse_value
        from netlib.networks import ENGINES, use_backend

        check_choice("engine", engine, ENGINES)
        known = offered("sweeps")
        function = known[check_choice("name", name, known)]
        fixed = {key: parse_value(value) for key, value in read_settings(set_).items()}
        points = sweeps.grid(**{key: _axis(key, value) for key, value in read_settings(grid, "--grid").items()})
        found = sweeps.sweep(
            partial(function, **fixed),
            points,
            seeds,
            workers=workers,
            cache=cache,
            scheduler=scheduler,
            context=partial(use_backend, engine),
            progress=False if quiet else None,
        )
        failed = int((found["error"] != "").sum())
        file, size = sweeps.save_sweep(found, out), found["error"].size
        facts = {"file": str(file), "results": size, "failed": failed, "engine": engine}
        typer.echo(json.dumps(facts) if json_ else f"Wrote {file}: {size} results, engine {engine}")
        if failed:
            first = next(text for text in found["error"].values.ravel() if text)
            typer.secho(f"netlib: {failed} results failed; the first: {first}", fg="red", err=True)
            raise typer.Exit(1)


def _axis(name: str, text: str) -> list:
    """Values of a parameter: ``1,2,5``, or ``start:stop:number``, evenly spread with both ends."""
    from netlib.base.fields import parse_value

    parts = [parse_value(part) for part in text.split(":")]
    if len(parts) == 3 and all(isinstance(part, (int, float)) for part in parts):
        import numpy as np

        return np.linspace(parts[0], parts[1], check_integer(f"number of values of {name}", parts[2], 1)).tolist()
    return [parse_value(part) for part in text.split(",")]


if __name__ == "__main__":
    app()
