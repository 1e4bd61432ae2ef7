"""Bumps of activity that outlive their input: how long they last, how fast they wander, and what pins them.

A spiking ring of strong, slow recurrence (the preset ``bump``), the same with its recurrence weakened, and for the
statistics of diffusion a rate ring of Poisson cells, whose theory is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.fields import Declared, number
from netlib.base.orientation import preferred_orientations, signed_distance
from netlib.base.seeds import simulator_seed, stream
from netlib.lgn import ChannelRates
from netlib.networks import Connection, RingParameters, VonMises, preset, set_values
from netlib.theory.hansel_sompolinsky import theta_c
from netlib.v1.dynamics import decode_in_time, moving_rates, respond

__all__ = [
    "PoissonBump",
    "cue_rates",
    "diffusion",
    "diffusion_coefficient",
    "growth_exponent",
    "persistence",
    "pinning",
    "rate_diffusion",
    "scaling_exponent",
    "sized_bump",
    "sparse",
    "spiking_diffusion",
    "weakened",
]


def sized_bump(n: int) -> RingParameters:
    """The preset ``bump`` with n excitatory and input cells and n / 4 inhibitory ones; n a multiple of 4."""
    if check_integer("n", n, 32, 10**6, unit="cells") % 4:
        raise ValueError(f"n = {n} cells is not a multiple of 4: there is one inhibitory cell for four excitatory ones")
    return set_values(preset("bump"), {"n_excitatory": n, "n_input": n, "n_inhibitory": n // 4})


def weakened(parameters: RingParameters, fraction: float) -> RingParameters:
    """The same network with the weights from E to E times ``fraction``."""
    check_number("fraction", fraction, "", 0)
    return set_values(parameters, {"E_to_E.weight": parameters.E_to_E.weight * fraction})


def sparse(parameters: RingParameters, in_degree: float) -> RingParameters:
    """The same network with random E to E connections, ``in_degree`` per cell, of the same summed weight."""
    check_type("parameters", parameters, RingParameters)
    dense = parameters.E_to_E
    kernel = VonMises(dense.kernel.B_theta, in_degree=in_degree)
    drawn = Connection(kernel, dense.weight / in_degree, dense.delay, dense.self_connections)
    return dataclasses.replace(parameters, E_to_E=drawn)


def cue_rates(
    parameters: RingParameters, duration: float, cues: Sequence[tuple[float, float, float]], dt: float = 1.0
) -> ChannelRates:
    """Rates of the input cells: flat, but for the tuned cues.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    duration : float
        Length (ms).
    cues : sequence of (start, stop, orientation)
        When (ms) and at which orientation (deg) each is shown.
    dt : float
        Length of a time bin (ms).
    """
    time = (np.arange(round(duration / dt)) + 0.5) * dt
    orientation, strength = np.zeros(len(time)), np.zeros(len(time))
    for start, stop, theta in cues:
        shown = (time >= start) & (time < stop)
        orientation[shown], strength[shown] = theta, 1.0
    return moving_rates(parameters, orientation, strength, dt)


def persistence(
    seed: int,
    fractions: Sequence[float] = (1.0, 0.7, 0.5),
    delays: Sequence[float] = (250.0, 500.0, 1000.0, 2000.0, 3000.0, 4000.0),
    n: int = 256,
    cue: float = 500.0,
) -> pd.DataFrame:
    """Activity after the cue: on the preset ``bump``, with its recurrence weakened (control), and on ``v1`` (control).

    Parameters
    ----------
    seed : int
        Master seed of connections, initial potentials and input spikes; it also sets the orientation of the cue.
    fractions : sequence of float
        Factors on the weights from E to E.
    delays : sequence of float
        Times after the end of the cue (ms) at which activity is measured, in 200 ms that end there; on ``v1`` to 1 s.
    n : int
        Excitatory cells of the bump network.
    cue : float
        Length of the cue (ms), which comes 500 ms after the start.

    Returns
    -------
    DataFrame, one row per network, fraction and delay
        ``network``; ``fraction``; ``delay`` (ms; 0 is the last 200 ms of the cue); ``length`` of the population
        vector; ``displacement`` (deg) from the cue; ``rate`` (Hz), mean over E cells; ``alive``: the vector is longer
        than half its length during the cue and within 30 deg of the cue, at this delay and at all shorter ones.
    """
    theta = 180.0 * ((seed * 0.618034) % 1.0)
    networks = [("bump", f, weakened(sized_bump(n), f)) for f in fractions] + [("v1", 1.0, preset("v1"))]
    rows = []
    for name, fraction, network in networks:
        waits = [delay for delay in delays if name == "bump" or delay <= 1000.0]
        duration = 500.0 + cue + max(waits, default=0.0)
        spikes = respond(network, cue_rates(network, duration, [(500.0, 500.0 + cue, theta)]), seed).spikes["E"]
        ends, decoded, length = decode_in_time(spikes, network.n_excitatory, duration, 200.0, 50.0)
        alive, full = True, None
        for delay in (0.0, *waits):
            k = int(np.argmin(np.abs(ends + 100.0 - (500.0 + cue + delay))))
            stop = ends[k] + 100.0
            n_spikes = np.sum((spikes[1] >= stop - 200.0) & (spikes[1] < stop))
            away = float(signed_distance(decoded[k], theta))
            full = length[k] if full is None else full
            alive = bool(alive and length[k] > full / 2 and abs(away) < 30.0)
            row = {"network": name, "fraction": fraction, "delay": delay, "length": length[k], "displacement": away}
            rows.append(row | {"rate": n_spikes / network.n_excitatory / 0.2, "alive": alive})
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- a rate ring of Poisson cells


@dataclass(frozen=True)
class PoissonBump(Declared):
    """Threshold-linear ring of Poisson cells, in the marginal phase and with flat input: its bump may sit anywhere.

    The synaptic trace ``m_i`` (Hz) of cell i follows ``tau dm_i/dt = -m_i + S_i(t)``, with S_i a Poisson train of
    rate ``f_i = [C + J0 r0 + J2 r2 cos 2(theta_i - psi)]+``; r0 and r2 exp(2i psi) are the means over cells of m
    and m exp(2i theta) (Ben-Yishai, Bar-Or & Sompolinsky 1995, PNAS 92:3844). Spikes enter as Gaussian noise of the
    same variance. C is set so that the bump has a given peak.

    Attributes
    ----------
    J0, J2 : float
        Untuned and tuned recurrence (no unit); ``J2`` > 2.
    peak : float
        Rate at the top of the bump (Hz).
    tau : float
        Time constant of the trace (ms).
    heterogeneity : float
        All weights onto a cell are multiplied by 1 + heterogeneity x a standard normal number, drawn per cell.
    """

    J0: float = number(-10.0, "", None, 0)
    J2: float = number(4.0, "", 2, low_open=True)
    peak: float = number(30.0, "Hz", 0, low_open=True)
    tau: float = number(100.0, "ms", 0, low_open=True)
    heterogeneity: float = number(0.0, "", 0)

    @property
    def half_width(self) -> float:
        """Half width of the bump at its base (deg), from ``J2 / pi (x - sin(4 x) / 4) = 1``."""
        return float(theta_c(self.J2))

    def profile(self, n: int) -> np.ndarray:
        """Rates (Hz) of n cells with the bump at 0 deg, shape (n,)."""
        edge = np.cos(2 * np.radians(self.half_width))
        return self.peak * np.maximum(np.cos(2 * np.radians(preferred_orientations(n))) - edge, 0) / (1 - edge)

    def diffusion(self, n: int) -> float:
        """Diffusion coefficient D (deg^2 / s), Var = 2 D t, of n equal cells for weak noise.

        The noise is projected on the left null vector of the linearised dynamics, ``v = sin 2x``:
        ``D = sum(v^2 f) / [2 (tau sum(v df/dpsi))^2]``.
        """
        theta, f = np.radians(preferred_orientations(n)), self.profile(n)
        v = np.sin(2 * theta)
        slope = np.where(f > 0, 2 * v * self.peak / (1 - np.cos(2 * np.radians(self.half_width))), 0)
        return float(np.degrees(1) ** 2 * (v**2 @ f) / (2 * (self.tau * 1e-3 * (v @ slope)) ** 2))

    def simulate(self, n: int, trajectories: int, duration: float, seed: int, step: float = 10.0) -> np.ndarray:
        """Position of the bump (deg, unwrapped), shape (trajectories, n_steps + 1); starts evenly spread.

        Parameters
        ----------
        n : int
            Number of cells.
        trajectories : int
            Runs, all of the same network.
        duration, step : float
            Length and Euler step (ms).
        seed : int
            Master seed; streams: heterogeneity, noise.
        """
        check_integer("trajectories", trajectories, 1)
        check_number("step", step, "ms", 0, self.tau, low_open=True)
        theta = np.radians(preferred_orientations(n))
        modes = np.stack([np.ones(n), np.cos(2 * theta), np.sin(2 * theta)])
        gains = np.array([self.J0, self.J2, self.J2])[:, None] / n
        f = self.profile(n)
        constant = self.peak - gains[:, 0] @ (modes @ f)  # cell 0 is at the peak, where the modes are 1, 1 and 0
        m = np.stack([np.roll(f, (k * n) // trajectories) for k in range(trajectories)], axis=1)
        onto = 1 + self.heterogeneity * stream(seed, "heterogeneity", n).standard_normal((n, 1))
        noise, leak = stream(seed, "noise", n), step / self.tau
        vector = np.empty((round(duration / step) + 1, trajectories), complex)
        for k in range(len(vector)):
            means = modes @ m
            vector[k] = means[1] + 1j * means[2]
            f = np.maximum(constant + onto * (modes.T @ (gains * means)), 0)
            spikes = f + np.sqrt(f * (1e3 / step)) * noise.standard_normal(f.shape)  # Hz
            m += leak * (spikes - m)
        return np.degrees(np.unwrap(np.angle(vector), axis=0)).T / 2


# ---------------------------------------------------------------- diffusion and pinning


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
