"""What ``netlib sweep ring`` runs at each point: a network shown some orientations."""

from __future__ import annotations

from typing import Any

from netlib import networks
from netlib.base.checks import check_integer
from netlib.recordings import record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import fit_population, population_summary
from netlib.tuning.counts import mean_and_sem

__all__ = ["SWEEPS", "ring_response"]

POPULATIONS = ("input", "E", "I", "E2", "I2")


def ring_response(
    seed: int,
    preset: str = "v1",
    orientations: int = 6,
    contrast: float = 1.0,
    duration: float = 400.0,
    fits: bool = True,
    **values: Any,
) -> dict[str, float]:
    """Rates, widths and irregularity of a ring, or of two, shown gratings one after the other.

    Parameters
    ----------
    seed : int
        Master seed: connections, delays, initial potentials, input spikes, order of the orientations.
    preset : str
        Name of the network; a plastic one learns while it is shown them.
    orientations : int
        Orientations, evenly spread, shown once each in random order.
    contrast : float
        Contrast (0 to 1).
    duration : float
        Length of a presentation (ms).
    fits : bool
        Fit the activity over the ring (the dearest part of the analysis of a short run).
    **values
        Parameters of the network by dotted name, such as ``{"E_to_E.weight": 0.001}``.

    Returns
    -------
    dict
        For each population, such as "E": ``rate_E`` (Hz), ``isi_cv_E``, and of the fitted profiles ``hwhh_E`` and
        ``error_E`` (deg; means over presentations) and ``failed_E`` (share of fits that failed); for each plastic
        projection, such as "E_to_E", ``weight_E_to_E``, the mean final weight over w_max.
    """
    network = networks.set_values(networks.preset(preset), values)
    check_integer("orientations", orientations, 1)
    protocol = Protocol.tuning(
        Grating(contrast=contrast), orientations, duration=duration, gap=0.0, lead=0.0, shuffle_seed=seed
    )
    seen = record_ring(network, protocol, seed)
    summary = population_summary(seen)
    found = {}
    for name in seen.populations:
        found |= {f"rate_{name}": summary.loc[name, "rate"], f"isi_cv_{name}": summary.loc[name, "isi_cv"]}
        if fits:
            table = fit_population(seen, name, progress=False)
            good = table[table["success"]]
            for measure, column in (("hwhh", "hwhh"), ("error", "absolute_error")):
                found[f"{measure}_{name}"] = mean_and_sem(good[column].to_numpy(float))[0]
            found[f"failed_{name}"] = 1 - len(good) / len(table)
    for name, weights in seen.weights.items():
        found[f"weight_{name}"] = (weights.last / weights.w_max).mean()
    return {name: float(value) for name, value in found.items()}


ring_response.units = {
    f"{measure}_{population}": unit
    for population in POPULATIONS
    for measure, unit in (("rate", "Hz"), ("isi_cv", "1"), ("hwhh", "deg"), ("error", "deg"), ("failed", "1"))
}


SWEEPS = {"ring": ring_response}
