"""The same network and input spikes on NEST, Brian2 and NEURON: do rates and widths depend on the simulator?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from netlib.analysis import counting_windows, fit_population, isi_cv
from netlib.analysis.counts import mean_and_sem
from netlib.networks import BACKENDS, RingParameters, preset
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.units import check_choice, check_integer, check_type

__all__ = ["simulators"]


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
