"""The same network on NEST, Brian2 and NEURON: do rates, widths and learned weights depend on the simulator?

Simulators integrate the same equations differently, so that spikes shift, and a recurrent network amplifies the
smallest difference. Plasticity writes the shifts into the weights: a plastic network is compared with twins on one
simulator that differ in a known way, to tell whether weights can be compared one by one, or only their distribution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number, check_type
from netlib.networks import (
    BACKENDS,
    SHAPES,
    Activity,
    RingParameters,
    SpikeDrive,
    input_rates,
    preset,
    rate_drive,
    run_ring,
)
from netlib.networks.plasticity import Synapses
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import counting_windows, fit_population, isi_cv
from netlib.tuning.counts import mean_and_sem

__all__ = ["plastic_ring", "plastic_twins", "simulators"]


def simulators(
    seed: int,
    backends: Sequence[str] = ("nest", "brian2", "neuron"),
    parameters: RingParameters | None = None,
    orientations: int = 4,
    trials: int = 1,
    duration: float = 400.0,
) -> pd.DataFrame:
    """Run one network on one drive on each simulator, one after the other in this process.

    All get the same synapses, weights, delays, initial potentials and input spikes, spike by spike; what differs is
    how they integrate. A recurrent network amplifies the smallest difference, so that single spikes may shift or differ
    in number: rates and widths must agree.

    Parameters
    ----------
    seed : int
        Master seed: connections, initial potentials, input spikes.
    backends : sequence of {"nest", "brian2", "neuron"}
        Simulators.
    parameters : RingParameters, optional
        The network, all its synapses static; by default the preset ``v1``.
    orientations, trials : int
        Orientations, evenly spread, and presentations of each.
    duration : float
        Length of a presentation (ms); 100 ms of blank lie between two.

    Returns
    -------
    DataFrame, one row per backend and population (the input too, the same for all: a check)
        ``spikes``: number in the run; ``rate`` (Hz): over the run; ``hwhh`` and ``hwhh_sem`` (deg): mean and its
        standard error over presentations of the fitted half width of the activity across the ring; ``fits`` and
        ``failed``: numbers of them; ``isi_cv``: mean over cells, within presentations; ``build_time`` and
        ``run_time`` (s of wall time): of the construction and of the simulation.

    Raises
    ------
    ValueError
        If a simulator is unknown or named twice.
    ImportError
        If a simulator is not installed; the message says what to install.
    """
    for backend in backends:
        check_choice("backends", backend, BACKENDS)
    if not backends or len(set(backends)) < len(backends):
        raise ValueError(f"backends = {tuple(backends)}: it must name at least one simulator, and each once")
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    check_integer("trials", trials, 1)
    protocol = Protocol.tuning(Grating(), orientations, trials=trials, duration=duration, gap=100.0, shuffle_seed=seed)
    rows = []
    for backend in backends:
        seen = record_ring(parameters, protocol, seed, backend=backend)
        rows += [{"backend": backend, **_measure(seen, name)} for name in seen.populations]
    return pd.DataFrame(rows)


def _measure(seen: Recording, name: str) -> dict:
    cells = seen.population(name)
    fits = fit_population(seen, name, progress=False)
    good = fits[fits["success"]]
    hwhh, sem = mean_and_sem(good["hwhh"].to_numpy())
    irregular = isi_cv(cells.spike_index, cells.spike_time, len(cells), windows=counting_windows(seen.protocol))
    return {
        "population": name,
        "spikes": len(cells.spike_time),
        "rate": cells.rates().mean(),
        "hwhh": float(hwhh),
        "hwhh_sem": float(sem),
        "fits": len(fits),
        "failed": len(fits) - len(good),
        "isi_cv": float(mean_and_sem(irregular)[0]),
        "build_time": seen.provenance["build_time"],
        "run_time": seen.provenance["run_time"],
    }


# ---------------------------------------------------------------- twins of a plastic ring


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
