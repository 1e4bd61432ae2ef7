"""The static ring: width of input and output with and without recurrence, over contrast; potential against spikes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_integer, check_type
from netlib.networks import RingParameters, preset
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import (
    counting_windows,
    fit_population,
    fit_tuning_continuous,
    half_width,
    isi_cv,
    population_profile,
    response_counts,
)
from netlib.tuning.counts import mean_and_sem

__all__ = ["static_ring"]


def static_ring(
    seed: int,
    parameters: RingParameters | None = None,
    contrasts: Sequence[float] = (0.1, 0.3, 1.0),
    orientations: int = 4,
    trials: int = 1,
    duration: float = 400.0,
) -> pd.DataFrame:
    """Tuning of one network of random connections, and of the same network without recurrence (the control).

    Both get the same input spikes and have the same feed-forward connections.

    Parameters
    ----------
    seed : int
        Master seed: connections, initial potentials, input spikes.
    parameters : RingParameters, optional
        The network; by default the preset ``v1``.
    contrasts : sequence of float
        Contrasts shown, all in one run.
    orientations, trials : int
        Orientations, evenly spread, and presentations of each at each contrast.
    duration : float
        Length of a presentation (ms); 150 ms of blank lie between two.

    Returns
    -------
    DataFrame, one row per network (``recurrent``), contrast and population
        ``hwhh`` (deg): mean over presentations of the fitted half width of the activity across the ring;
        ``decoding_error`` (deg): mean distance of the fitted from the shown orientation; ``fits`` and ``failed``:
        numbers of them; ``rate`` (Hz) within presentations; ``isi_cv``: over all presentations of the run;
        ``spike_hwhh`` and ``vm_half_width`` (deg; recurrent E cells alone): of the mean profiles of spikes and of
        potential around the shown orientation.
    """
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    check_integer("trials", trials, 1)
    protocol = Protocol.tuning(
        Grating(), orientations, contrasts=contrasts, trials=trials, duration=duration, gap=150.0, shuffle_seed=seed
    )
    rows = []
    for recurrent in (True, False):
        network = parameters if recurrent else parameters.without_recurrence()
        seen = record_ring(network, protocol, seed, record_v=parameters.n_excitatory if recurrent else 0)
        rows += [{"recurrent": recurrent, **row} for row in _measure(seen, contrasts)]
    return pd.DataFrame(rows)


def _measure(seen: Recording, contrasts: Sequence[float]) -> list[dict]:
    """One row per contrast and population."""
    shown = seen.protocol.table["contrast"].to_numpy()
    windows = counting_windows(seen.protocol)
    rows = []
    for name in seen.populations:
        cells = seen.population(name)
        counts, lengths = response_counts(cells)
        irregular = isi_cv(cells.spike_index, cells.spike_time, len(cells), windows=windows)
        fits = fit_population(seen, name, progress=False)
        fits["contrast"] = shown[fits["presentation"]]
        for contrast in contrasts:
            own = fits[fits["contrast"] == contrast]
            good = own[own["success"]]
            row = {
                "contrast": contrast,
                "population": name,
                "hwhh": good["hwhh"].mean(),
                "decoding_error": good["error"].abs().mean(),
                "fits": len(own),
                "failed": len(own) - len(good),
                "rate": 1000.0 * (counts / lengths)[:, shown == contrast].mean(),
                "isi_cv": float(mean_and_sem(irregular)[0]),
            }
            if name == "E" and seen.traces:
                row |= _profile_widths(seen, contrast)
            rows.append(row)
    return rows


def _profile_widths(seen: Recording, contrast: float) -> dict[str, float]:
    """Half widths of the mean profiles of E cells around the shown orientation (deg).

    That of potential is flatter than any von Mises: it is read off halfway between its extremes, which for spikes,
    fitted, is the half height.
    """
    spikes, vm = (population_profile(seen, "E", trace, where={"contrast": contrast}) for trace in (None, "v"))
    fit = fit_tuning_continuous(np.mod(spikes["distance"], 180.0), spikes["mean"].to_numpy()[None], progress=False)
    return {
        "spike_hwhh": float(fit["hwhh"][0]) if fit["success"][0] else np.nan,
        "vm_half_width": float(half_width(vm["distance"], vm["mean"] - vm["mean"].min(), reference="minimum")),
    }
