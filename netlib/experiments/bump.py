"""Does activity outlive its input? A bump on the spiking ring after its cue, and on rings of weaker recurrence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.experiments.dynamics import decode_in_time, moving_rates, respond
from netlib.lgn import ChannelRates
from netlib.networks import Connection, RingParameters, VonMises, preset, set_values
from netlib.orientation import signed_distance
from netlib.units import check_integer, check_number, check_type

__all__ = ["cue_rates", "persistence", "sized_bump", "sparse", "weakened"]


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
