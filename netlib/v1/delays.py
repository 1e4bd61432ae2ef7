"""Latencies and delays: do delays that make up for the latencies of a code sharpen the response?

The idea is L. Perrinet's, in the 2018-2019 internship project (Ladret & Perrinet, InternshipM2): a first-spike latency
code on the input, delay lines that bring its spikes together on the cell of the right orientation, and the same network
with one delay for all as the control. Here there are two more controls, as many input spikes, and the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_type
from netlib.base.fields import Declared, number
from netlib.base.orientation import preferred_orientations, signed_distance, von_mises
from netlib.base.seeds import simulator_seed, stream
from netlib.lgn.rates import poisson_spikes
from netlib.networks import Cell, SpikeDrive, bulk_connector, open_simulator
from netlib.networks.kernels import pairwise
from netlib.networks.pynn import spikes_of
from netlib.tuning import half_width
from netlib.v1.dynamics import binned_counts

__all__ = ["DELAYS", "LatencyCode", "latency_delays"]

#: How the delays of the connections are made.
DELAYS = ("matched", "shuffled", "constant")


@dataclass(frozen=True)
class LatencyCode(Declared):
    """First-spike latencies of a leaky integrator at constant current.

    ``t = tau ln[1 / (1 - 1 / I)]`` with ``I = current * vm(d; B_theta)`` in units of the threshold current; no spike
    where I <= 1.

    Attributes
    ----------
    current : float
        Current at the preferred orientation (threshold = 1), > 1.
    B_theta : float
        Bandwidth of the tuning (deg). The source's 0.618 in ``exp{[cos 2d - 1] / b^2}`` (rad) is 17.7 deg.
    tau : float
        Time constant (ms).
    longest : float
        Later spikes are left out (ms): the latency has no bound as I comes down to 1.
    """

    current: float = number(2.2, "", 1, low_open=True)
    B_theta: float = number(17.7, "deg", 0, low_open=True)
    tau: float = number(50.0, "ms", 0, low_open=True)
    longest: float = number(120.0, "ms", 0, low_open=True)

    def latency(self, difference: ArrayLike) -> np.ndarray:
        """Latency (ms) at differences of orientation (deg); ``inf`` where the cell does not fire."""
        current = self.current * np.asarray(von_mises(difference, 0.0, self.B_theta))
        with np.errstate(divide="ignore", invalid="ignore"):
            latency = np.where(current > 1, -self.tau * np.log1p(-1 / np.maximum(current, 1)), np.inf)
        return np.where(latency <= self.longest, latency, np.inf)


def latency_delays(
    seed: int,
    weights: Sequence[float] = (0.02, 0.03, 0.05, 0.1, 0.2, 0.4),
    noise: Sequence[float] = (0.0, 2.0, 4.0, 8.0),
    trials: int = 12,
    code: LatencyCode | None = None,
    n_input: int = 360,
    n_output: int = 60,
) -> pd.DataFrame:
    """Profile of a layer that sees a latency code through matched, shuffled or constant delays.

    Each output cell gets equal weights from the input cells that fire at its own orientation (its ON zone), and the
    delays differ: ``matched`` ones make up for the latencies, ``shuffled`` ones are the same numbers dealt anew within
    each cell, ``constant`` ones are their mean. Everything else is shared: input spikes, weights, cells.
    Each trial shows one orientation for 400 ms; the input also fires Poisson spikes at the rate of the noise.

    Parameters
    ----------
    seed : int
        Master seed; streams: orientations, noise, shuffling.
    weights : sequence of float
        Weight of one connection (nA); the membrane's rheobase is 0.25 nA.
    noise : sequence of float
        Rates of the noise on each input cell (Hz).
    trials : int
        Orientations shown at each level of noise.
    code : LatencyCode, optional
        The code; by default the source's.
    n_input, n_output : int
        Numbers of cells.

    Returns
    -------
    DataFrame, one row per delays, weight and noise
        ``delays``, ``weight`` (nA), ``noise`` (Hz); ``peak``: spikes per trial of the best-placed cells (within 4.5 deg
        of the stimulus) in the 200 ms around the volley; ``flank``: the same 60 deg and more away; ``hwhh`` (deg): half
        width of the mean profile above its minimum, NaN where the peak rises less than 0.2 spikes above the flank;
        ``synchrony``: share of the spikes of the best-placed cells that fall in the fullest 5 ms, NaN without spikes.
    """
    code = check_type("code", LatencyCode() if code is None else code, LatencyCode)
    noise, period = check_array("noise", noise, "Hz", 0, ndim=1), 400.0
    weights = check_array("weights", weights, "nA", 0, ndim=1)
    shown = stream(seed, "orientations").uniform(0, 180, (len(noise), trials))
    drive = _volleys(code, shown, noise, n_input, period, stream(seed, "noise"))
    delays = _delays(code, n_input, n_output, seed)
    volley = code.longest + 2.0  # when the matched spikes arrive, ms after the start of a trial
    rows = []
    for (kind, weight), spikes in _run(drive, delays, weights, n_output, seed).items():
        counts = binned_counts(spikes, n_output, drive.duration, 5.0)
        counts = counts.reshape(n_output, len(noise), trials, round(period / 5.0))
        inside = slice(round((volley - 100) / 5.0), round((volley + 100) / 5.0))
        for level, rate in enumerate(noise):
            measured = _measure(counts[:, level, :, inside], shown[level])
            rows.append({"delays": kind, "weight": weight, "noise": rate, **measured})
    return pd.DataFrame(rows)


def _volleys(
    code: LatencyCode, shown: np.ndarray, noise: np.ndarray, n_input: int, period: float, rng: np.random.Generator
) -> SpikeDrive:
    theta, index, time = preferred_orientations(n_input), [], []
    for k, angle in enumerate(shown.ravel()):
        latency = code.latency(signed_distance(theta, angle))
        fired = np.flatnonzero(np.isfinite(latency))
        index.append(fired)
        time.append(k * period + 1.0 + latency[fired])
    rates = np.repeat(np.repeat(noise, shown.shape[1])[None], n_input, axis=0)
    background = poisson_spikes(rates, period, rng)
    index, time = np.concatenate([*index, background[0]]), np.concatenate([*time, background[1]])
    order = np.lexsort((index, time))
    return SpikeDrive(index[order], time[order], n_input, shown.size * period)


def _delays(code: LatencyCode, n_input: int, n_output: int, seed: int) -> dict[str, np.ndarray]:
    """Delays (ms), shape (n_input, n_output), NaN outside the ON zone of the output cell."""
    difference = signed_distance(preferred_orientations(n_input)[:, None], preferred_orientations(n_output))
    latency = code.latency(difference)
    zone = np.isfinite(latency)
    matched = np.where(zone, code.longest + 1.0 - np.where(zone, latency, 0), np.nan)
    shuffled, rng = matched.copy(), stream(seed, "shuffle")
    for cell in range(n_output):
        shuffled[zone[:, cell], cell] = rng.permutation(matched[zone[:, cell], cell])
    constant = np.where(zone, np.nanmean(matched, axis=0), np.nan)
    return {"matched": matched, "shuffled": shuffled, "constant": constant}


def _run(
    drive: SpikeDrive, delays: dict[str, np.ndarray], weights: np.ndarray, n_output: int, seed: int
) -> dict[tuple[str, float], tuple[np.ndarray, np.ndarray]]:
    """Spikes of one output population per kind of delays and weight, all driven by the same input."""
    from pyNN.parameters import Sequence as Train

    cell, step = Cell("IF_curr_exp", tau_m=10.0, tau_syn_E=3.0, cm=0.125), 0.1
    longest = max(np.nanmax(values) for values in delays.values())
    frozen = drive.on_grid(step, 1.0 + step)
    with open_simulator(
        timestep=step, min_delay=1.0, max_delay=float(np.ceil(longest)), seed=simulator_seed(seed, "simulator")
    ) as sim:
        trains = [Train(train) for train in frozen.by_cell()]
        source = sim.Population(drive.n_cells, sim.SpikeSourceArray(spike_times=trains))
        outputs = {}
        for kind, values in delays.items():
            zone, grid = np.isfinite(values), np.maximum(np.round(np.nan_to_num(values) / step) * step, 1.0)
            for weight in weights:
                model = getattr(sim, cell.model)(**cell.pynn_parameters())
                output = sim.Population(n_output, model, initial_values={"v": cell.v_rest})
                output.record("spikes")
                shape = (drive.n_cells, n_output)
                synapse = sim.StaticSynapse(
                    weight=float(weight), delay=pairwise(lambda i, j, grid=grid: grid[i, j], *shape)
                )
                mask = pairwise(lambda i, j, zone=zone: zone[i, j], *shape)
                projection = sim.Projection(
                    source, output, bulk_connector(sim, mask), synapse, receptor_type="excitatory"
                )
                outputs[kind, float(weight)] = output, projection  # the projection must outlive the run
        sim.run(drive.duration)
        return {key: spikes_of(sim, output, drive.duration) for key, (output, _) in outputs.items()}


def _measure(counts: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    """Measures of counts (n_cells, n_trials, n_bins of 5 ms)."""
    away = signed_distance(preferred_orientations(len(counts))[:, None], shown)
    totals = counts.sum(axis=2)
    place = np.round((away + 90.0) / 9.0).astype(int) % 20
    profile = np.bincount(place.ravel(), totals.ravel(), 20) / np.bincount(place.ravel(), minlength=20)
    near, far = np.abs(away) <= 4.5, np.abs(away) >= 60.0
    peak, flank = profile[10], totals[far].mean()
    local = np.einsum("ct,ctb->tb", near.astype(float), counts)
    spikes = local.sum(axis=1)
    fullest = np.divide(local.max(axis=1), spikes, out=np.full(len(spikes), np.nan), where=spikes > 0)
    width = np.nan
    if peak - flank >= 0.2:
        width = float(half_width(9.0 * np.arange(20) - 90.0, profile - profile.min(), reference="minimum"))
    synchrony = float(np.nanmean(fullest)) if np.isfinite(fullest).any() else np.nan
    return {"peak": float(peak), "flank": float(flank), "hwhh": width, "synchrony": synchrony}
