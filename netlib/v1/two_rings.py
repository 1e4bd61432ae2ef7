"""Two rings: does the second answer, is it sparser, is it narrower, and what makes it so?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.base.seeds import stream
from netlib.networks import Connection, Probability, RingParameters, preset, with_ratio
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import counting_windows, fit_population, isi_cv, response_counts, sparseness
from netlib.tuning.counts import mean_and_sem

__all__ = ["CONDITIONS", "SHOWN", "network", "thin", "two_rings"]

#: The networks that are compared, and what each is.
CONDITIONS = {
    "two rings": "the preset v1_two_rings, 4 E cells per I cell",
    "no recurrence": "no connection inside the second ring",
    "no feed-forward inhibition": "no I_to_E2",
    "no inhibition of E2": "neither I_to_E2 nor I2_to_E2",
    "shuffled feed-forward": "every feed-forward connection from anywhere in the first ring",
    "E:I 5:1": "5 E cells per I cell in both rings, the same total inhibition",
    "E:I 1:1": "1 E cell per I cell in both rings, the same total inhibition",
    "internship": "internship2019_two_rings, static weights, one synapse from ring to ring, 60 E and 60 I cells each",
    "internship 5:1": "its first ring with 12 I cells, each input to I with probability 0.05, weights unchanged",
}
#: Those that are run unless others are asked for: "no inhibition of E2" is an exercise and 1:1 takes as long as all.
SHOWN = tuple(name for name in CONDITIONS if name not in ("no inhibition of E2", "E:I 1:1"))


def network(condition: str) -> RingParameters:
    """Parameters of the network called ``condition``, one of ``CONDITIONS``."""
    check_choice("condition", condition, CONDITIONS)
    if condition == "internship":
        return preset("internship2019_two_rings")
    if condition == "internship 5:1":
        ring = preset("internship2019_final")
        sparse = Connection(Probability(0.05), ring.input_to_I.weight, ring.input_to_I.delay)
        return dataclasses.replace(ring, n_inhibitory=12, input_to_I=sparse)
    rings = preset("v1_two_rings")
    if condition.startswith("E:I"):
        return with_ratio(rings, float(condition[4]))
    return {
        "two rings": lambda: rings,
        "no recurrence": rings.without_second_recurrence,
        "no feed-forward inhibition": rings.without_feedforward_inhibition,
        "no inhibition of E2": lambda: dataclasses.replace(rings, I_to_E2=None, I2_to_E2=None),
        "shuffled feed-forward": rings.with_untuned_feedforward,
    }[condition]()


def two_rings(
    seed: int,
    conditions: Sequence[str] = SHOWN,
    orientations: int = 6,
    trials: int = 2,
    duration: float = 400.0,
    slow: float = 2.5,
) -> pd.DataFrame:
    """Rates, sparseness and widths of both rings, in the network and in its controls.

    All networks of a seed see the same protocol, and those made of ``v1_two_rings`` that share a first ring the same
    spikes of it: nothing is fed back.

    Parameters
    ----------
    seed : int
        Master seed: order of the stimuli, connections, initial potentials, input spikes.
    conditions : sequence of str
        Networks, of ``CONDITIONS``; by default ``SHOWN``.
    orientations, trials : int
        Orientations, evenly spread, and presentations of each; 100 ms of blank lie between two.
    duration : float
        Length of a presentation (ms).
    slow : float
        Factor on ``duration`` for the networks of the internship, which have 60 cells and were shown each orientation
        for 1 s.

    Returns
    -------
    DataFrame, one row per condition and population
        ``rate`` (Hz, mean over cells within presentations), ``rate_all`` (Hz, over the whole recording), ``silent``
        (fraction of cells without a spike in any presentation); ``lifetime`` sparseness (over orientations, mean over
        cells that fire) and ``population_sparseness`` (over cells, mean over orientations), both of the mean over
        trials; ``hwhh`` and ``decoding_error`` (deg) of the presentations whose profile could be fitted; ``valid``:
        their fraction, of ``fits``; ``isi_cv``. The population ``"E thinned"`` is E with spikes deleted at random
        down to the rate of E2: its sparseness is what a lower rate alone would give.
    """
    check_integer("trials", trials, 1)
    check_number("slow", slow, "(factor)", 0, low_open=True)
    rows = []
    for condition in conditions:
        parameters = network(condition)
        length = duration * slow if condition.startswith("internship") else duration
        protocol = Protocol.tuning(
            Grating(), orientations, trials=trials, duration=length, gap=100.0, shuffle_seed=seed
        )
        seen = record_ring(parameters, protocol, seed)
        rows += [{"condition": condition, **row} for row in _measure(seen, seed)]
    return pd.DataFrame(rows)


def thin(counts: np.ndarray, keep: float, seed: int) -> np.ndarray:
    """Keep each of the spikes behind ``counts`` with probability ``keep``, in [0, 1]."""
    check_number("keep", keep, "(fraction of spikes)", 0, 1)
    return stream(seed, "thin").binomial(counts, keep)


def _measure(seen: Recording, seed: int) -> list[dict]:
    """One row per population, and one for E thinned to the rate of E2."""
    windows = counting_windows(seen.protocol)
    shown = seen.protocol.table["orientation"].to_numpy()
    rows, counts = [], {}
    for name in seen.populations:
        cells = seen.population(name)
        counts[name], lengths = response_counts(cells)
        fits = fit_population(seen, name, progress=False)
        good = fits[fits["success"]]
        irregular = isi_cv(cells.spike_index, cells.spike_time, len(cells), windows=windows)
        rows.append(
            {
                "population": name,
                "rate": 1000.0 * (counts[name] / lengths).mean(),
                "rate_all": cells.rates().mean(),
                "silent": (counts[name].sum(1) == 0).mean(),
                **_sparse(counts[name], shown),
                "hwhh": good["hwhh"].mean(),
                "decoding_error": good["absolute_error"].mean(),
                "valid": len(good) / len(fits),
                "fits": len(fits),
                "isi_cv": float(mean_and_sem(irregular)[0]),
            }
        )
    if "E2" in counts:
        keep = min(1.0, counts["E2"].mean() / counts["E"].mean())
        thinned = thin(counts["E"], keep, seed)
        rate = 1000.0 * (thinned / lengths).mean()
        silent = (thinned.sum(1) == 0).mean()
        rows.append({"population": "E thinned", "rate": rate, "silent": silent, **_sparse(thinned, shown)})
    return rows


def _sparse(counts: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    """Lifetime and population sparseness of the mean responses to each orientation."""
    means = np.stack([counts[:, shown == theta].mean(1) for theta in np.unique(shown)], axis=1)
    return {
        "lifetime": float(mean_and_sem(sparseness(means, axis=1))[0]),
        "population_sparseness": float(mean_and_sem(sparseness(means, axis=0))[0]),
    }
