"""Diffusion of a bump of activity: a rate ring of Poisson cells for the statistics, and the spiking ring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.experiments.bump import cue_rates, sized_bump, sparse
from netlib.experiments.dynamics import decode_in_time, respond
from netlib.experiments.poisson_bump import PoissonBump
from netlib.orientation import preferred_orientations, signed_distance
from netlib.seeds import simulator_seed, stream
from netlib.units import check_array, check_integer, check_number

__all__ = [
    "diffusion",
    "diffusion_coefficient",
    "growth_exponent",
    "pinning",
    "rate_diffusion",
    "scaling_exponent",
    "spiking_diffusion",
]


def rate_diffusion(
    seed: int,
    sizes: Sequence[int] = (200, 400, 800, 1600, 3200),
    trajectories: int = 64,
    duration: float = 4000.0,
    heterogeneity: float = 0.0,
    settle: float = 0.0,
    lags: int = 8,
) -> pd.DataFrame:
    """Mean squared displacement of the bump of :class:`PoissonBump` over time.

    Parameters
    ----------
    seed : int
        Master seed of noise and network.
    sizes : sequence of int
        Numbers of cells.
    trajectories : int
        Runs of each network, from starts evenly spread.
    duration : float
        Length that counts (ms).
    heterogeneity : float
        Of the weights.
    settle : float
        Time before displacement is counted (ms).
    lags : int
        Number of times kept, evenly spread to ``duration``.

    Returns
    -------
    DataFrame, one row per size and lag
        ``model`` ("rate"), ``n``, ``heterogeneity``, ``lag`` (s), ``variance`` (deg^2): squared displacement, mean
        over trajectories; ``theory`` (deg^2): 2 D lag with D of :meth:`PoissonBump.diffusion`, for equal cells.
    """
    check_integer("trajectories", trajectories, 2)
    check_integer("lags", lags, 2)
    check_number("settle", settle, "ms", 0)
    model, step, rows = PoissonBump(heterogeneity=heterogeneity), 10.0, []
    for n in sizes:
        position = model.simulate(n, trajectories, settle + duration, seed, step)[:, round(settle / step) :]
        for k in np.linspace(0, position.shape[1] - 1, lags + 1).round().astype(int)[1:]:
            lag, moved = k * step / 1000.0, position[:, k] - position[:, 0]
            row = {"model": "rate", "n": n, "heterogeneity": heterogeneity, "lag": lag}
            rows.append(row | {"variance": np.mean(moved**2), "theory": 2 * model.diffusion(n) * lag})
    return pd.DataFrame(rows)


def spiking_diffusion(
    seed: int,
    sizes: Sequence[int] = (128, 256, 512, 1024),
    duration: float = 6000.0,
    lags: Sequence[float] = (200.0, 400.0, 600.0, 800.0, 1000.0),
) -> pd.DataFrame:
    """Mean squared displacement of the bump of the preset ``bump`` at several sizes, along one long run of each.

    The cue lasts 400 ms; the run counts from 1.5 s on. The weights from E to E are the same everywhere, so that
    displacements over one lag from any start are alike and are averaged.

    Parameters
    ----------
    seed : int
        Master seed.
    sizes : sequence of int
        Excitatory cells.
    duration : float
        Length that counts (ms).
    lags : sequence of float
        Time differences (ms), multiples of 50.

    Returns
    -------
    DataFrame, one row per size and lag
        ``model`` ("spiking"), ``n``, ``lag`` (s), ``variance`` (deg^2), ``length``: shortest population vector in
        the run (a bump that breaks down would show here).
    """
    rows = []
    for n in sizes:
        network = sized_bump(n)
        rates = cue_rates(network, 1500.0 + duration, [(0.0, 400.0, 90.0)])
        spikes = respond(network, rates, seed).spikes["E"]
        time, decoded, length = decode_in_time(spikes, n, rates.duration, 200.0, 50.0)
        late = time > 1500.0
        position = np.unwrap(decoded[late], period=180.0)
        for lag in lags:
            moved = position[round(lag / 50.0) :] - position[: -round(lag / 50.0)]
            row = {"model": "spiking", "n": n, "lag": lag / 1000.0, "variance": np.mean(moved**2)}
            rows.append(row | {"length": length[late].min()})
    return pd.DataFrame(rows)


def diffusion(seed: int, heterogeneity: float = 0.2) -> pd.DataFrame:
    """All on the diffusion of a bump: rate rings of several sizes, equal and heterogeneous rings, spiking rings.

    Parameters
    ----------
    seed : int
        Master seed.
    heterogeneity : float
        Of the weights of the heterogeneous rate ring of 400 cells; its control has equal cells. Both settle for 10 s.

    Returns
    -------
    DataFrame
        Tables of :func:`rate_diffusion` and :func:`spiking_diffusion`; ``case`` is "sizes", "equal cells",
        "heterogeneous" or "spiking".
    """
    long = {"sizes": (400,), "duration": 10_000.0, "settle": 10_000.0, "lags": 5}
    tables = {
        "sizes": rate_diffusion(seed),
        "equal cells": rate_diffusion(seed, **long),
        "heterogeneous": rate_diffusion(seed, heterogeneity=heterogeneity, **long),
        "spiking": spiking_diffusion(seed),
    }
    return pd.concat([table.assign(case=case) for case, table in tables.items()], ignore_index=True)


def pinning(
    seed: int, n: int = 256, in_degree: float = 64.0, cues: int = 4, wait: float = 2000.0, trials: int = 2
) -> pd.DataFrame:
    """Is the wandering of a spiking bump chance, or written in the connections? The same network on new input spikes.

    Parameters
    ----------
    seed : int
        Seed of the network; the input spikes have other seeds.
    n : int
        Excitatory cells.
    in_degree : float
        Connections per cell of the random network; the control has equal weights between all pairs.
    cues : int
        Orientations of the cue, evenly spread, shown one after the other for 500 ms.
    wait : float
        Time from the end of a cue to the reading of the bump (ms).
    trials : int
        Runs on different input spikes.

    Returns
    -------
    DataFrame, one row per network, trial and cue
        ``network`` ("equal weights" or "random connections"), ``trial``, ``cue`` (deg), ``displacement`` (deg).
    """
    theta, period, rows = preferred_orientations(cues), 500.0 + wait, []
    networks = {"equal weights": sized_bump(n), "random connections": sparse(sized_bump(n), in_degree)}
    shown = [(k * period, k * period + 500.0, float(angle)) for k, angle in enumerate(theta)]
    for name, network in networks.items():
        rates = cue_rates(network, cues * period, shown)
        for trial in range(trials):
            spikes = respond(network, rates, simulator_seed(seed, "trial", trial), seed).spikes["E"]
            time, decoded, _ = decode_in_time(spikes, n, rates.duration, 200.0, 50.0)
            for k, angle in enumerate(theta):
                away = signed_distance(decoded[np.searchsorted(time, (k + 1) * period - 100.0 - 1e-6)], angle)
                rows.append({"network": name, "trial": trial, "cue": angle, "displacement": away})
    return pd.DataFrame(rows)


def diffusion_coefficient(lag: ArrayLike, variance: ArrayLike) -> float:
    """Diffusion coefficient D (deg^2 / s) of ``variance = 2 D lag + error``, a straight line by least squares.

    The constant takes up the error of the decoder, which does not grow with time.
    """
    return float(np.polyfit(check_array("lag", lag, "s", 0), check_array("variance", variance, "deg^2", 0), 1)[0] / 2)


def growth_exponent(lag: ArrayLike, variance: ArrayLike) -> float:
    """Slope of log variance on log lag: 1 is diffusion, below 1 sub-diffusion."""
    return float(np.polyfit(np.log(lag), np.log(variance), 1)[0])


def scaling_exponent(table: pd.DataFrame, resamples: int = 1000, level: float = 0.95) -> tuple[float, float, float]:
    """Slope of log D on log n, D from the variances averaged over seeds, and its bootstrap interval over seeds.

    Parameters
    ----------
    table : DataFrame
        Columns ``seed``, ``n``, ``lag`` and ``variance``, of one model.
    resamples : int
        Of the seeds, with replacement. A resample in which a D is not positive has no slope and is left out.
    level : float
        Of the interval.

    Returns
    -------
    slope, low, high : float
    """
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    check_integer("resamples", resamples, 10)
    cube = table.pivot_table(index="seed", columns=["n", "lag"], values="variance")
    sizes = cube.columns.unique("n")

    def slope(rows: pd.DataFrame) -> float:
        means = rows.mean()
        D = np.array([diffusion_coefficient(means[n].index.to_numpy(float), means[n].to_numpy()) for n in sizes])
        return float(np.polyfit(np.log(sizes), np.log(D), 1)[0]) if (D > 0).all() else np.nan

    rng = stream(0, "bootstrap")
    drawn = [slope(cube.iloc[rng.integers(len(cube), size=len(cube))]) for _ in range(resamples)]
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return slope(cube), float(low), float(high)
