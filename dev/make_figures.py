"""Draw the pictures of the README and of the gallery: ``make_figures.py figs``. About a minute on one core."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from netlib import figures
from netlib.lgn import LGN
from netlib.networks import preset, use_backend
from netlib.recordings import record_ring
from netlib.stimuli import Grating, MotionCloud, NaturalMovie, Protocol
from netlib.sweep import grid, sweep
from netlib.tuning import tuning_curves, tuning_table
from netlib.v1.full_chain import for_photographs
from netlib.v1.sweeps import ring_response

SEED = 1


def network(folder: Path) -> None:
    figures.save(figures.plot_schematic(preset("v1")), folder / "network.png", dpi=60)


def tuning(folder: Path) -> None:
    protocol = Protocol.tuning(MotionCloud(seed=SEED), 12, trials=2, duration=400.0, gap=100.0, shuffle_seed=SEED)
    seen = record_ring(preset("v1"), protocol, SEED, movie=protocol.movie(), backend="auto")
    drawn = figures.plot_tuning_grid(tuning_curves(seen.population("E")), tuning_table(seen, "E", progress=False))
    figures.save(drawn, folder / "tuning.png", dpi=90)


def cloud(folder: Path) -> None:
    movie = Protocol.sequence([MotionCloud(theta=45.0, B_theta=10.0, seed=SEED)], duration=400.0).movie()
    movie.save(folder / "cloud.gif", speed=0.25, min_size=96)


def rotating(folder: Path) -> None:
    """A grating that turns half a circle in 1.2 s, in steps, and the activity of the ring."""
    protocol = Protocol.sequence([Grating(theta=theta) for theta in np.arange(0, 180, 7.5)], duration=50.0)
    movie = protocol.movie()
    seen = record_ring(preset("v1"), protocol, SEED, movie=movie, backend="auto")
    figures.animate(movie, seen, folder / "rotating.gif", fps=12.5, speed=0.5, dpi=64.0, progress=False)


def natural(folder: Path) -> None:
    """A photograph seen through drifting eyes: beside the ring, and with the orientations that the LGN finds in it."""
    protocol = Protocol.sequence([NaturalMovie(seed=SEED)], duration=2000.0, lead=200.0, gap=100.0)
    movie = protocol.movie()
    seen = record_ring(for_photographs(preset("v1")), protocol, SEED, movie=movie, backend="auto")
    figures.animate(movie, seen, folder / "natural.gif", window=(200.0, 1400.0), dpi=64.0, progress=False)
    channels = LGN().respond(movie)
    figure = plt.figure(figsize=(7, 4), layout="constrained")
    layout = figure.add_gridspec(2, 6, height_ratios=(1, 1.3))
    frames = np.linspace(300, 2100, 6)
    for k, time in enumerate(frames):
        ax = figure.add_subplot(layout[0, k])
        ax.imshow(movie.frames[int(movie.frame_index(time))], cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], xlabel=f"{time:.0f} ms")
    ax = figure.add_subplot(layout[1, :])
    bin_ = round(20.0 / channels.dt)
    rates = channels.rates[:, : channels.rates.shape[1] // bin_ * bin_].reshape(len(channels.rates), -1, bin_).mean(2)
    drawn = ax.imshow(
        rates, origin="lower", aspect="auto", cmap="magma", extent=(0, movie.duration, 0, 180), interpolation="none"
    )
    for time in frames:
        ax.axvline(time, color="w", lw=0.6, ls=":")
    ax.set(xlabel="time (ms)", ylabel="orientation (deg)", yticks=(0, 45, 90, 135, 180))
    figure.colorbar(drawn, ax=ax, label="rate of the LGN channel (Hz)")
    figures.save(figure, folder / "orientation_content.png", dpi=100)
    plt.close(figure)


def surfaces(folder: Path) -> None:
    """Rate and width of the E cells over two recurrent weights of ``v1``, as multiples of the preset's."""
    ring, factors = preset("v1"), np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    axes = {f"{name}.weight": (factors * getattr(ring, name).weight).tolist() for name in ("E_to_E", "I_to_E")}
    found = sweep(
        partial(ring_response, orientations=3, duration=300.0),
        grid(**axes),
        seeds=3,
        context=partial(use_backend, "auto"),
        progress=False,
    ).mean("seed")
    figure, panels = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
    shown = {"rate_E": "rate of E cells (Hz)", "hwhh_E": "half width at half height (deg)"}
    for ax, (measure, label) in zip(panels, shown.items(), strict=True):
        values = found[measure].transpose("E_to_E.weight", "I_to_E.weight").values
        norm = "log" if measure == "rate_E" else None
        drawn = ax.pcolormesh(factors, factors, values, cmap="viridis", shading="nearest", norm=norm)
        ax.plot(1, 1, "o", mfc="none", mec="w", ms=9)
        ax.set(xlabel="I to E weight (× v1)", ylabel="E to E weight (× v1)")
        figure.colorbar(drawn, ax=ax, label=label)
    figures.save(figure, folder / "surfaces.png", dpi=100)
    plt.close(figure)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (network, tuning, cloud, rotating, natural, surfaces):
        draw(folder)
        print(f"{draw.__name__} drawn", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
