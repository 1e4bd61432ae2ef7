"""The command ``netlib``: a thin skin over the package."""

from __future__ import annotations

import importlib
import inspect
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from netlib.doctor import doctor
from netlib.explore.command import explore
from netlib.imaging.command import make_app as make_imaging
from netlib.openscope.command import make_app as make_openscope
from netlib.striatum.command import make_app as make_striatum
from netlib.units import check_choice, check_integer

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for each other stall on a busy machine

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Ring networks of primary visual cortex.",
)

Seed = Annotated[int, typer.Option(help="Master seed.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter by its dotted name, such as E_to_E.weight=0.001.")
]


def _known(room: str, table: str):
    """Completion of a value by the names in a table of a room, loaded when the shell asks."""

    def complete(incomplete: str) -> list[str]:
        names = getattr(importlib.import_module(f"netlib.{room}"), table)
        return [name for name in sorted(names) if name.startswith(incomplete)]

    return complete


Preset = Annotated[
    str,
    typer.Option(
        help="Name of a network, such as v1 or v1_two_rings.", autocompletion=_known("networks.presets", "PRESETS")
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]
Json = Annotated[bool, typer.Option("--json", help="Say what was made as JSON, for programs.")]


@app.callback()
def version() -> None:
    """Ring networks of primary visual cortex: stimuli, LGN, network, tuning curves."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("netlib_demo"),
    seed: Seed = 1,
    trials: Annotated[int, typer.Option(help="Presentations of each orientation.")] = 2,
    preset: Preset = "v1",
    set_: Settings = None,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """MotionClouds and a natural movie through LGN and ring to tuning curves, with figures and a report."""
    with _errors():
        from netlib.demo import run_demo

        made = run_demo(out, _parameters(preset, set_), seed, trials, False if quiet else None)
        report = (out / "report.html").resolve()
        if json_:
            typer.echo(json.dumps({"folder": str(out.resolve()), "report": str(report), "widths": _rows(made.widths)}))
            return
        _print_widths(made.widths)
        typer.echo(f"Figures, tables and recordings are in {out.resolve()}")
        typer.echo(f"Open {report}")


@app.command()
def ring(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("netlib_ring"),
    preset: Preset = "v1",
    set_: Settings = None,
    seed: Seed = 1,
    orientations: Annotated[int, typer.Option(help="Number of orientations, evenly spread.")] = 12,
    contrast: Annotated[list[float] | None, typer.Option(help="Contrast, 0 to 1; may be repeated.")] = None,
    trials: Annotated[int, typer.Option(help="Presentations of each condition.")] = 2,
    duration: Annotated[float, typer.Option(help="Length of a presentation (ms).")] = 500.0,
    backend: Annotated[str, typer.Option(help="nest, compiled, auto, brian2 or neuron.")] = "nest",
    threads: Annotated[int, typer.Option(help="Threads of NEST; more than 1 pays only on an idle machine.")] = 1,
    quiet: Quiet = False,
    json_: Json = False,
) -> None:
    """Tuning curves of a ring network driven by von Mises rates (no movie)."""
    with _errors():
        import pandas as pd

        from netlib.analysis import tuning_table
        from netlib.demo import summarise, write_recording
        from netlib.recordings import record_ring
        from netlib.stimuli import Grating, Protocol

        progress = False if quiet else None
        parameters = _parameters(preset, set_)
        contrasts = contrast or [1.0]
        protocol = Protocol.tuning(
            Grating(), orientations, contrasts=contrasts, trials=trials, duration=duration, shuffle_seed=seed
        )
        recording = record_ring(parameters, protocol, seed, backend=backend, threads=threads, progress=progress)
        by = ["contrast"] if len(contrasts) > 1 else ()
        rings = [p for p in recording.populations if p.startswith("E")]
        table = pd.concat([tuning_table(recording, p, by=by, progress=progress) for p in rings], ignore_index=True)
        files, widths = write_recording(recording, out, "ring", table), summarise(recording)
        if json_:
            typer.echo(json.dumps({"files": list(map(str, files)), "widths": _rows(widths)}))
            return
        for file in files:
            typer.echo(f"Wrote {file}")
        _print_widths(widths)


@app.command()
def experiment(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the experiment; `netlib experiment list` lists them.",
            autocompletion=_known("experiments", "EXPERIMENTS"),
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
    with _errors():
        from netlib import experiments
        from netlib.networks.parameters import parse_value

        if name == "list":
            about = {key: experiments.experiment(key).__doc__.splitlines()[0] for key in experiments.EXPERIMENTS}
            lines = (f"{known:24} {text}" for known, text in about.items())
            typer.echo(json.dumps(about) if json_ else "\n".join(lines))
            return
        function = experiments.experiment(name)
        settings = {key: parse_value(value) for key, value in _settings(set_).items()}
        for key in settings:
            check_choice(f"argument of {name}", key, list(inspect.signature(function).parameters)[1:])
        table = experiments.over_seeds(
            function, range(1, seeds + 1), workers=workers, progress=False if quiet else None, **settings
        )
        file = experiments.save_table(table, out / f"{name}.csv")
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
    with _errors():
        from functools import partial

        from netlib import sweep as sweeps
        from netlib.experiments.responses import RESPONSES
        from netlib.networks import ENGINES, use_backend
        from netlib.networks.parameters import parse_value

        check_choice("engine", engine, ENGINES)
        function = RESPONSES[check_choice("name", name, RESPONSES)]
        fixed = {key: parse_value(value) for key, value in _settings(set_).items()}
        points = sweeps.grid(**{key: _axis(key, value) for key, value in _settings(grid, "--grid").items()})
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
    from netlib.networks.parameters import parse_value

    parts = [parse_value(part) for part in text.split(":")]
    if len(parts) == 3 and all(isinstance(part, (int, float)) for part in parts):
        import numpy as np

        return np.linspace(parts[0], parts[1], check_integer(f"number of values of {name}", parts[2], 1)).tolist()
    return [parse_value(part) for part in text.split(",")]


def _draw_striatum(results, stem):
    from netlib.figures.striatum import draw_run

    return draw_run(results, stem)


app.add_typer(make_striatum(_draw_striatum), name="striatum")
app.add_typer(make_openscope(), name="openscope")
app.add_typer(make_imaging(), name="imaging")
app.command()(explore)
app.command()(doctor)


def _settings(settings: list[str] | None, option: str = "--set") -> dict[str, str]:
    values = {}
    for setting in settings or []:
        key, sign, value = setting.partition("=")
        if not sign:
            raise ValueError(f"{option} {setting!r} is not of the form name=value")
        values[key.strip()] = value.strip()
    return values


def _parameters(name: str, settings: list[str] | None):
    from netlib.networks import preset, set_values

    return set_values(preset(name), _settings(settings))


def _print_widths(table) -> None:
    from netlib.demo import to_show

    typer.echo(to_show(table).to_string(index=False, float_format=lambda x: f"{x:.2f}"))


def _rows(table) -> list[dict]:
    return json.loads(table.to_json(orient="records"))


class _errors:
    """Turn what a user did wrong into one line on stderr and exit status 2; a fault of ours keeps its traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> bool:
        refused = isinstance(error, ValueError | TypeError | ImportError) and _raised_here(trace)
        if (refused or isinstance(error, OSError)) and not os.environ.get("NETLIB_DEBUG"):
            typer.secho(f"netlib: {error}", fg="red", err=True)
            raise typer.Exit(2) from None
        return False


def _raised_here(trace) -> bool:
    """Whether the error was raised by netlib's own code, which checks what it is given."""
    while trace.tb_next:
        trace = trace.tb_next
    return Path(trace.tb_frame.f_code.co_filename).is_relative_to(Path(__file__).parent)


if __name__ == "__main__":
    app()
