"""Learning a sequence of orientations on a plastic ring: gain, width and weights, with their controls."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_integer, check_number, check_type
from netlib.base.orientation import distance
from netlib.base.seeds import stream
from netlib.lgn import ChannelRates
from netlib.networks import STDP, RingParameters, input_rates, preset, rate_drive
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import fit_population, response_counts

__all__ = ["CONDITIONS", "Lesson", "hebbian", "learning", "learning_parts", "lesson"]

#: What each network of the experiment is.
CONDITIONS = {
    "sequence": "plastic, the orientations always in the same order",
    "random": "plastic, the orientations in a new order each pass",
    "static": "the same network, never plastic",
    "hebbian": "plastic, with one Hebbian rule for all projections",
    "shuffled": "tested with the weights learned in 'sequence', dealt anew among the synapses",
}
FRACTIONS = ("mean", "near_zero", "near_max")


@dataclasses.dataclass(frozen=True, eq=False)
class Lesson:
    """What is shown: passes through some orientations to learn, then tests with the weights frozen.

    Attributes
    ----------
    protocol : Protocol
        Presentations, one after the other.
    table : DataFrame, one row per presentation
        ``phase`` ("training", "test", "pedestal", "broad"), ``pass`` (from 1; 0 in tests), ``orientation`` (deg) and
        ``familiar`` (whether it is one of those trained).
    rates : ChannelRates
        Rates of the input (Hz).
    training : float
        Length of the training (ms).
    """

    protocol: Protocol
    table: pd.DataFrame
    rates: ChannelRates
    training: float


def hebbian(parameters: RingParameters) -> RingParameters:
    """The same network with one causal rule for every projection: amplitude 0.025 and 30 ms on both sides."""
    changes = {
        name: dataclasses.replace(c, plasticity=STDP(0.025, -0.025, 30.0, 30.0, w_max=c.plasticity.w_max))
        for name, c in parameters.projections().items()
        if c.plasticity is not None
    }
    return dataclasses.replace(parameters, **changes)


def lesson(
    parameters: RingParameters,
    seed: int,
    passes: int = 4,
    trained: Sequence[float] = (40.0, 160.0, 100.0),
    unseen: Sequence[float] = (10.0, 130.0, 70.0),
    duration: float = 1000.0,
    shuffle: bool = False,
    pedestal: float = 0.4,
    broad: float = 22.5,
) -> Lesson:
    """Training and tests of one seed.

    Parameters
    ----------
    parameters : RingParameters
        The network, for the tuning of its input.
    seed : int
        Master seed, for the orders.
    passes : int
        Passes through the trained orientations; 0 for the tests alone.
    trained, unseen : sequence of float
        Orientations trained and tested, and those only tested (deg).
    duration : float
        Length of a presentation (ms).
    shuffle : bool
        Train in a new order each pass.
    pedestal, broad : float
        In the tests of noise, the pedestal of the input (fraction of its peak) and its bandwidth (deg), one raised at a
        time.
    """
    check_integer("passes", passes, 0)
    check_number("duration", duration, "ms", 100)
    tuning = parameters.input_tuning
    rows = []
    for n in range(1, passes + 1):
        order = stream(seed, "learning", "order", n).permutation(len(trained)) if shuffle else np.arange(len(trained))
        rows += [("training", n, trained[k], True) for k in order]
    test = [("test", 0, theta, theta in trained) for theta in (*trained, *unseen)]
    rows += [test[k] for k in stream(seed, "learning", "test").permutation(len(test))]
    rows += [(phase, 0, theta, True) for phase in ("pedestal", "broad") for theta in trained]
    table = pd.DataFrame(rows, columns=["phase", "pass", "orientation", "familiar"])
    protocol = Protocol.sequence([Grating(theta=theta) for theta in table["orientation"]], duration=duration)
    changed = {"pedestal": {"pedestal": pedestal}, "broad": {"B_theta": broad}}
    clean = input_rates(parameters, protocol)
    rates = clean.rates.copy()
    bins = round(duration / clean.dt)
    for phase, change in changed.items():
        other = dataclasses.replace(parameters, input_tuning=dataclasses.replace(tuning, **change))
        noisy = input_rates(other, protocol).rates
        for row in np.flatnonzero(table["phase"] == phase):
            span = slice(row * bins, (row + 1) * bins)
            rates[:, span] = noisy[:, span]
    return Lesson(
        protocol, table, dataclasses.replace(clean, rates=rates), float((table["phase"] == "training").sum() * duration)
    )


def learning(seed: int, parameters: RingParameters | None = None, passes: int = 4) -> pd.DataFrame:
    """Train rings on three orientations, then test them frozen: on these, on others, and with a noisier input.

    Every condition of :data:`CONDITIONS` has the same connections and initial weights; all but "random" hear the same
    input spikes.

    Parameters
    ----------
    seed : int
        Master seed: connections, delays, input spikes, orders.
    parameters : RingParameters, optional
        A plastic network; by default the preset ``internship2019_learning``.
    passes : int
        Passes through the three orientations, of 1 s each.

    Returns
    -------
    DataFrame
        One row per condition, presentation and population: ``condition``, ``phase``, ``pass``, ``orientation`` (deg),
        ``familiar``, ``population``; ``rate`` (Hz, mean of the population), ``near`` (Hz, mean of the cells within
        10 deg of the shown orientation); of the fitted profile on the ring ``baseline`` and ``amplitude`` (Hz),
        ``B_theta`` (deg), ``error`` (deg, distance of its centre from what was shown) and ``failure`` (why there is no
        fit; "" for a good one). Then, with phase "weights", one row per plastic condition and projection
        (``population``), at the start (``pass`` 0) and the end of training: ``mean`` of w / w_max, and fractions of
        synapses below 0.1 (``near_zero``) and above 0.9 (``near_max``) of w_max.
    """
    parameters = check_type("parameters", parameters or preset("internship2019_learning"), RingParameters)
    check_integer("passes", passes, 1)
    fixed = lesson(parameters, seed, passes)
    mixed = lesson(parameters, seed, passes, shuffle=True)
    drive = rate_drive(fixed.rates, parameters.n_input, seed)
    parts, learned = [], {}
    for condition in ("sequence", "random", "static", "hebbian"):
        network = hebbian(parameters) if condition == "hebbian" else parameters
        shown = mixed if condition == "random" else fixed
        seen = record_ring(
            network,
            shown.protocol,
            seed,
            drive=rate_drive(shown.rates, parameters.n_input, seed) if shown is mixed else drive,
            plastic=condition != "static" and [[0.0, shown.training]],
        )
        populations = ("input", "E", "I") if condition == "static" else ("E", "I")
        parts.append(_responses(seen, shown.table, populations).assign(condition=condition))
        if condition != "static":
            learned[condition] = seen.weights
            parts.append(_weights(seen, passes).assign(condition=condition))
    tests = fixed.table[fixed.table["phase"] != "training"].reset_index(drop=True)
    seen = record_ring(
        parameters,
        Protocol.sequence([Grating(theta=theta) for theta in tests["orientation"]], duration=1000.0),
        seed,
        drive=drive.between(fixed.training, drive.duration),
        plastic=False,
        weights={name: w.shuffled(seed) for name, w in learned["sequence"].items()},
    )
    parts.append(_responses(seen, tests, ("E", "I")).assign(condition="shuffled"))
    table = pd.concat(parts, ignore_index=True)
    first = ["condition", "phase", "pass", "orientation", "familiar", "population"]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def learning_parts(seed: int, parameters: RingParameters | None = None, passes: int = 4) -> pd.DataFrame:
    """Which projections carry what was learned: test a ring with the learned weights of some of them alone.

    Parameters
    ----------
    seed, parameters, passes
        As in :func:`learning`.

    Returns
    -------
    DataFrame, one row per part and presentation
        ``part``: which learned weights are kept ("none", "input", "recurrent" or "all"; the other projections have
        their initial weights); the other columns as those of E cells in :func:`learning`, tests with the standard
        input alone.
    """
    parameters = check_type("parameters", parameters or preset("internship2019_learning"), RingParameters)
    check_integer("passes", passes, 1)
    taught, tests = lesson(parameters, seed, passes), lesson(parameters, seed, 0)
    drive = rate_drive(taught.rates, parameters.n_input, seed)
    drive = drive.between(0.0, taught.training)
    training = Protocol.sequence(taught.protocol.stimuli[: round(taught.training / 1000.0)], duration=1000.0)
    learned = record_ring(parameters, training, seed, drive=drive).weights
    clean = tests.table[tests.table["phase"] == "test"]
    shown = Protocol.sequence(tests.protocol.stimuli[: len(clean)], duration=1000.0)
    kept = {
        "none": {},
        "input": {name: w for name, w in learned.items() if name.startswith("input")},
        "recurrent": {name: w for name, w in learned.items() if not name.startswith("input")},
        "all": learned,
    }
    parts = []
    for part, weights in kept.items():
        seen = record_ring(parameters, shown, seed, plastic=False, weights=weights)
        parts.append(_responses(seen, clean, ("E",)).assign(part=part))
    table = pd.concat(parts, ignore_index=True)
    return table[["part", *(c for c in table.columns if c != "part")]]


def _responses(seen: Recording, shown: pd.DataFrame, populations: Sequence[str]) -> pd.DataFrame:
    parts = []
    for name in populations:
        cells = seen.population(name)
        counts, durations = response_counts(cells)
        rates = 1000.0 * counts / durations
        close = distance(cells.neurons["orientation"].to_numpy()[:, None], shown["orientation"].to_numpy()) <= 10.0
        fit = fit_population(seen, name, progress=False)
        part = shown.assign(population=name, rate=rates.mean(0), near=(rates * close).sum(0) / close.sum(0))
        for column in ("baseline", "amplitude", "B_theta"):
            part[column] = fit[column].to_numpy()
        part["error"], part["failure"] = fit["absolute_error"].to_numpy(), fit["failure"].to_numpy()
        parts.append(part)
    return _short(pd.concat(parts, ignore_index=True))


def _weights(seen: Recording, passes: int) -> pd.DataFrame:
    rows = []
    for name, weights in seen.weights.items():
        for number, values in ((0, weights.values[0]), (passes, weights.last)):
            u = values / weights.w_max
            row = {"mean": u.mean(), "near_zero": (u < 0.1).mean(), "near_max": (u > 0.9).mean()}
            rows.append({"phase": "weights", "pass": number, "population": name, **row})
    return _short(pd.DataFrame(rows))


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Fewer decimals are enough (0.01 Hz, 0.01 deg, 0.1 % of synapses), and keep the stored table small."""
    digits = {name: 3 if name in FRACTIONS else 2 for name in table.select_dtypes("float").columns}
    return table.round(digits)
