"""The main job in one call: movies through LGN and ring to tuning curves, with figures, a table and a report."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from netlib.base.checks import check_integer, check_type
from netlib.base.provenance import atomic_write, provenance, write_json
from netlib.networks import RingParameters, preset
from netlib.recordings import Recording, record_ring
from netlib.stimuli import MotionCloud, Movie, NaturalMovie, Protocol
from netlib.stimuli.natural import NATURAL_GAIN
from netlib.tuning import decode_recording, fit_population, population_summary, tuning_curves, tuning_table
from netlib.v1.full_chain import for_photographs

__all__ = ["Demo", "run_demo", "summarise", "to_show", "write_recording"]


@dataclasses.dataclass(frozen=True)
class Demo:
    """What the demonstration made.

    Attributes
    ----------
    folder : Path
        Where it is written.
    tuning, natural : Recording
        The ring while MotionClouds, and a natural movie, were shown.
    clouds, scene : Movie
        The movies.
    table : DataFrame
        Fitted tuning of each E cell.
    widths : DataFrame
        Mean HWHH (deg) and its standard error over presentations, per population.
    """

    folder: Path
    tuning: Recording
    natural: Recording
    clouds: Movie
    scene: Movie
    table: pd.DataFrame
    widths: pd.DataFrame


def run_demo(
    folder: str | os.PathLike = "netlib_demo",
    parameters: RingParameters | None = None,
    seed: int = 1,
    trials: int = 2,
    progress: bool | None = None,
) -> Demo:
    """Show MotionClouds and a natural movie to a ring network and write what came out.

    Parameters
    ----------
    folder : path
        Where figures, table, recordings and ``report.html`` go.
    parameters : RingParameters, optional
        The network; by default the preset ``v1``.
    seed : int
        Master seed.
    trials : int
        Presentations of each of 12 orientations.
    progress : bool or None
        Progress bars; None shows them on a terminal.
    """
    check_integer("trials", trials, 1)
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    folder = Path(folder)
    started = time.perf_counter()
    with tqdm(total=5, desc="demo", disable=None if progress is None else not progress) as bar:
        protocol = Protocol.tuning(
            MotionCloud(seed=seed), orientations=12, trials=trials, duration=400.0, gap=100.0, shuffle_seed=seed
        )
        clouds = protocol.movie()
        bar.update()
        tuning = record_ring(parameters, protocol, seed, movie=clouds, record_v=32, progress=progress)
        bar.update()
        scene_protocol = Protocol.sequence([NaturalMovie(seed=seed)], duration=2000.0, lead=200.0, gap=100.0)
        scene = scene_protocol.movie()
        natural = record_ring(for_photographs(parameters), scene_protocol, seed, movie=scene, progress=progress)
        bar.update()
        table = tuning_table(tuning, "E", progress=progress)
        widths = summarise(tuning)
        bar.update()
        demo = Demo(folder, tuning, natural, clouds, scene, table, widths)
        _write(demo, parameters, seed, started)
        bar.update()
    return demo


def summarise(recording: Recording) -> pd.DataFrame:
    """One row per population: rate, ISI CV, fitted width over the ring, decoding error.

    The width is fitted to the activity of all cells of a population in each oriented presentation, with the
    same model for input and output; the standard error is over presentations.
    """
    rows = []
    summary = population_summary(recording)
    oriented = np.isfinite(recording.protocol.table["orientation"].to_numpy())
    for name in recording.populations:
        row: dict[str, Any] = {"population": name, "cells": len(recording.population(name)), **summary.loc[name]}
        if oriented.any():
            fits = fit_population(recording, name, progress=False)
            good = fits[fits["success"]]
            row |= {
                "HWHH (deg)": good["hwhh"].mean(),
                "SE (deg)": good["hwhh"].sem(),
                "fits that failed": f"{len(fits) - len(good)} of {len(fits)}",
                "decoding error (deg)": decode_recording(recording, name)["absolute_error"].mean(),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def to_show(summary: pd.DataFrame) -> pd.DataFrame:
    """The columns of :func:`summarise` that a reader wants, with their units, rounded."""
    names = {"population": "population", "cells": "cells", "rate": "rate (Hz)", "isi_cv": "ISI CV"}
    names |= {n: n for n in ("HWHH (deg)", "SE (deg)", "fits that failed", "decoding error (deg)")}
    return summary[[n for n in names if n in summary]].rename(columns=names).round(2)


def write_recording(recording: Recording, folder: Path, name: str, table: pd.DataFrame | None = None) -> list[Path]:
    """Write a recording, its provenance and its table of fits to a folder; return the files."""
    files = [
        recording.save(folder / f"{name}.npz"),
        write_json(folder / f"{name}.json", recording.provenance),
    ]
    if table is not None:
        files.append(atomic_write(folder / f"{name}.csv", lambda file: file.write(table.to_csv(index=False).encode())))
    return files


def _write(demo: Demo, parameters: RingParameters, seed: int, started: float) -> None:
    """Write recordings, table, figures and the report."""
    import matplotlib

    matplotlib.use("Agg")
    from netlib import figures
    from netlib.figures.report import write_report

    folder = demo.folder
    write_recording(demo.tuning, folder, "tuning", demo.table)
    write_recording(demo.natural, folder, "natural")
    atomic_write(folder / "widths.csv", lambda file: file.write(demo.widths.to_csv(index=False).encode()))
    first = demo.tuning.protocol.windows()[0]
    drawn = {
        "network": figures.plot_schematic(parameters),
        "stimuli": figures.plot_montage(demo.tuning.protocol.stimuli[:12], duration=200.0),
        "raster": figures.plot_raster(demo.tuning, window=(0.0, min(2500.0, demo.tuning.duration))),
        "ring": figures.plot_ring_activity(demo.tuning, window=tuple(first)),
        "orientation_time": figures.plot_orientation_time(
            demo.tuning, bin=25.0, window=(0.0, min(6000.0, demo.tuning.duration))
        ),
        "tuning": figures.plot_tuning_grid(tuning_curves(demo.tuning.population("E")), demo.table),
        "natural": figures.plot_orientation_time(demo.natural, bin=25.0),
    }
    for name, figure in drawn.items():
        figures.save(figure, folder / f"{name}.png")
    movie = figures.animate(demo.scene, demo.natural, folder / "natural.gif", window=(200.0, 1400.0), progress=False)
    facts = provenance(parameters, seed, wall_time=time.perf_counter() - started)
    write_report(folder, "netlib: from a movie to tuning curves", _sections(demo, parameters, drawn, movie), facts)


def _sections(demo: Demo, parameters: RingParameters, drawn: dict[str, Any], movie: Path) -> list[Any]:
    """The report, section by section."""
    from netlib.figures.report import Image, Section, Table

    good = demo.table[demo.table["success"]]
    width = {
        name: f"{row['HWHH (deg)']:.1f} ± {row['SE (deg)']:.1f}°"
        for name, row in demo.widths.set_index("population").iterrows()
    }

    def image(name: str, alt: str) -> Image:
        return Image(drawn[name], alt, alt)

    return [
        Section(
            "The network",
            [
                f"{parameters.n_input} input cells, {parameters.n_excitatory} excitatory and "
                f"{parameters.n_inhibitory} inhibitory cells on a ring of orientations (preset {parameters.name}), "
                "in PyNN on NEST.",
                image("network", "The network, drawn from its parameters."),
            ],
        ),
        Section(
            "What it saw",
            [
                "MotionClouds of 12 orientations, through a model of retina and LGN to Poisson spikes.",
                image("stimuli", "MotionClouds, in the order shown."),
                image("raster", "Spikes of all cells in the first presentations."),
            ],
        ),
        Section(
            "What it answered",
            [
                "Width of the activity over the ring in each presentation (half width at half height, mean ± standard "
                f"error): input {width['input']}, E cells {width['E']}. The same baseline + von Mises model is fitted "
                f"to input and output. Of {len(demo.table)} E cells, {len(good)} could be fitted alone: median HWHH "
                f"{good['hwhh'].median():.1f}°. This is one network of one seed; FINAL_3_ring_tuning does ten.",
                Table(to_show(demo.widths), "By population"),
                image("ring", "Activity around the ring in the first presentation."),
                image("orientation_time", "Rate of E cells by orientation and time."),
                image("tuning", "Tuning curves of some E cells: mean ± standard error, and fit."),
            ],
        ),
        Section(
            "A natural movie",
            [
                "A photograph seen through drifting eyes: its orientation content drives the ring (peak rate of the "
                f"LGN × {NATURAL_GAIN:g}).",
                image("natural", "Rate of E cells by orientation and time."),
                Image(
                    movie, "The natural movie and the activity of the ring.", "The movie, and the ring, slowed down."
                ),
            ],
        ),
    ]
