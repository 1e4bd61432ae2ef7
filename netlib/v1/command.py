"""The commands ``netlib demo`` and ``netlib ring``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from netlib.base.command import Json, Quiet, own_refusals, read_settings

__all__ = ["add_to"]

Seed = Annotated[int, typer.Option(help="Master seed.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter by its dotted name, such as E_to_E.weight=0.001.")
]


def presets(incomplete: str) -> list[str]:
    """Names of networks that begin as typed."""
    from netlib.networks import PRESETS

    return [name for name in sorted(PRESETS) if name.startswith(incomplete)]


Preset = Annotated[str, typer.Option(help="Name of a network, such as v1 or v1_two_rings.", autocompletion=presets)]


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
    with own_refusals():
        from netlib.v1.demo import run_demo

        made = run_demo(out, _parameters(preset, set_), seed, trials, False if quiet else None)
        report = (out / "report.html").resolve()
        if json_:
            typer.echo(json.dumps({"folder": str(out.resolve()), "report": str(report), "widths": _rows(made.widths)}))
            return
        _print_widths(made.widths)
        typer.echo(f"Figures, tables and recordings are in {out.resolve()}")
        typer.echo(f"Open {report}")


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
    with own_refusals():
        import pandas as pd

        from netlib.recordings import record_ring
        from netlib.stimuli import Grating, Protocol
        from netlib.tuning import tuning_table
        from netlib.v1.demo import summarise, write_recording

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


def _parameters(name: str, settings: list[str] | None):
    from netlib.networks import preset, set_values

    return set_values(preset(name), read_settings(settings))


def _print_widths(table) -> None:
    from netlib.v1.demo import to_show

    typer.echo(to_show(table).to_string(index=False, float_format=lambda x: f"{x:.2f}"))


def _rows(table) -> list[dict]:
    return json.loads(table.to_json(orient="records"))


def add_to(app: typer.Typer) -> None:
    """Add the commands to ``netlib``."""
    app.command()(demo)
    app.command()(ring)
