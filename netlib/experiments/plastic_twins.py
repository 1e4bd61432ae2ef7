"""What can be compared between two simulations of a plastic ring: weights one by one, or only their distribution?

Simulators integrate the same equations differently, so that spikes shift, and plasticity writes the shifts into the
weights. The same plastic network is run on two simulators, and set against twins on one simulator that differ in a
known way.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from netlib.networks import SHAPES, RingParameters, SpikeDrive, input_rates, preset, rate_drive, run_ring
from netlib.networks.ring import Activity
from netlib.networks.stdp import Synapses
from netlib.stimuli import Grating, Protocol
from netlib.units import check_number

__all__ = ["plastic_twins"]


def plastic_ring() -> RingParameters:
    """The ring ``v1`` with causal STDP, soft bounds from 0 to twice the initial weight, between its E cells."""
    parameters = preset("v1")
    rule = dataclasses.replace(SHAPES["causal"], w_max=2 * parameters.E_to_E.weight)
    return dataclasses.replace(parameters, E_to_E=dataclasses.replace(parameters.E_to_E, plasticity=rule))


def plastic_twins(seed: int, duration: float = 200.0, backend: str = "neuron") -> pd.DataFrame:
    """Weights of one plastic network under four orientations, against those of its twins.

    Parameters
    ----------
    seed : int
        Of connections, initial potentials and input spikes.
    duration : float
        Length of each of the four presentations (ms).
    backend : {"neuron", "brian2"}
        The simulator that is set against NEST.

    Returns
    -------
    DataFrame
        One row per ``twin`` of a first run on NEST: "replay" (the plasticity alone, on the spikes of the first run),
        "one spike less" (without one input spike, the first of the first presentation), "other simulator" and "other
        input spikes" (the control: a new draw at the same rates). Columns: ``rms`` and ``largest`` difference of
        single weights, as a fraction of ``w_max``; ``correlation`` of the weight changes; ``mean`` and ``sd``, the
        differences of the mean and of the standard deviation of all weights, relative to those of the first run;
        ``rate``, that of the mean E rate; ``spikes``, the fraction of the E spikes of the first run that the twin has
        too, in the same cell and within 0.2 ms.
    """
    check_number("duration", duration, "ms", 20)
    parameters = plastic_ring()
    protocol = Protocol.tuning(Grating(), orientations=4, duration=duration, gap=50.0, shuffle_seed=seed)
    rates = input_rates(parameters, protocol)
    drive = rate_drive(rates, parameters.n_input, seed)
    first = run_ring(parameters, drive, seed)
    keep = np.ones(len(drive.time), dtype=bool)
    keep[np.searchsorted(drive.time, protocol.windows()[0, 0])] = False
    less = SpikeDrive(drive.index[keep], drive.time[keep], drive.n_cells, drive.duration)
    other = rate_drive(rates, parameters.n_input, seed + 10_000)
    rows = [{"twin": "replay", **_compared(first, _replayed(parameters, first), first)}]
    twins = (
        ("one spike less", less, "nest"),
        ("other simulator", drive, backend),
        ("other input spikes", other, "nest"),
    )
    for name, spikes, simulator in twins:
        twin = run_ring(parameters, spikes, seed, backend=simulator)
        rows.append({"twin": name, **_compared(first, twin.weights["E_to_E"].last, twin)})
    return pd.DataFrame(rows)


def _replayed(parameters: RingParameters, activity: Activity) -> np.ndarray:
    """Weights at the end that the recorded spikes alone give, advanced in one step."""
    kept, n = activity.weights["E_to_E"], parameters.n_excitatory
    rule = parameters.E_to_E.plasticity
    synapses = Synapses(rule, kept.pre, kept.post, kept.delay, kept.values[0], n, n)
    synapses.advance(activity.spikes["E"], activity.spikes["E"], activity.duration)
    return synapses.weight


def _compared(first: Activity, weights: np.ndarray, twin: Activity) -> dict[str, float]:
    kept = first.weights["E_to_E"]
    difference = (weights - kept.last) / kept.w_max
    counts = [len(a.spikes["E"][1]) for a in (first, twin)]
    return {
        "rms": float(np.sqrt((difference**2).mean())),
        "largest": float(np.abs(difference).max()),
        "correlation": float(np.corrcoef(weights - kept.values[0], kept.last - kept.values[0])[0, 1]),
        "mean": float(weights.mean() / kept.last.mean() - 1),
        "sd": float(weights.std() / kept.last.std() - 1),
        "rate": counts[1] / counts[0] - 1,
        "spikes": _shared(first.spikes["E"], twin.spikes["E"]),
    }


def _shared(first: tuple[np.ndarray, np.ndarray], twin: tuple[np.ndarray, np.ndarray], within: float = 0.2) -> float:
    """Fraction of the first spikes, (cell, time), that the twin has in the same cell within a time (ms)."""
    ours, theirs = (np.sort(index * 1e7 + time) for index, time in (first, twin))
    place = np.searchsorted(theirs, ours)
    nearest = [np.abs(ours - theirs[np.clip(place + k, 0, len(theirs) - 1)]) for k in (-1, 0)]
    return float((np.minimum(*nearest) < within + 1e-3).mean())
