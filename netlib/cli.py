"""The command ``netlib``: a thin skin over the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

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
Preset = Annotated[str, typer.Option(help="v1, internship2019 or internship2019_final.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bars.")]


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
) -> None:
    """MotionClouds and a natural movie through LGN and ring to tuning curves, with figures and a report."""
    with _errors():
        from netlib.demo import run_demo

        made = run_demo(out, _parameters(preset, set_), seed, trials, False if quiet else None)
        _print_widths(made.widths)
        typer.echo(f"Figures, tables and recordings are in {out.resolve()}")
        typer.echo(f"Open {(out / 'report.html').resolve()}")


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
    backend: Annotated[str, typer.Option(help="nest, brian2 or neuron.")] = "nest",
    threads: Annotated[int, typer.Option(help="Threads of NEST; more than 1 pays only on an idle machine.")] = 1,
    quiet: Quiet = False,
) -> None:
    """Tuning curves of a ring network driven by von Mises rates (no movie)."""
    with _errors():
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
        table = tuning_table(recording, "E", by=["contrast"] if len(contrasts) > 1 else (), progress=progress)
        for file in write_recording(recording, out, "ring", table):
            typer.echo(f"Wrote {file}")
        _print_widths(summarise(recording))


def _parameters(name: str, settings: list[str] | None):
    from netlib.networks import preset, set_values

    values = {}
    for setting in settings or []:
        key, sign, value = setting.partition("=")
        if not sign:
            raise ValueError(f"--set {setting!r} is not of the form name=value")
        values[key.strip()] = value.strip()
    return set_values(preset(name), values)


def _print_widths(table) -> None:
    columns = ["population", "cells", "rate", "isi_cv", "HWHH (deg)", "SE (deg)", "decoding error (deg)"]
    shown = table[[c for c in columns if c in table]].rename(columns={"rate": "rate (Hz)", "isi_cv": "ISI CV"})
    typer.echo(shown.to_string(index=False, float_format=lambda x: f"{x:.2f}"))


class _errors:
    """Turn what a user did wrong into one line on stderr and exit status 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> bool:
        if isinstance(error, (ValueError, TypeError, ImportError, OSError)) and not os.environ.get("NETLIB_DEBUG"):
            typer.secho(f"netlib: {error}", fg="red", err=True)
            raise typer.Exit(2) from None
        return False


if __name__ == "__main__":
    app()
