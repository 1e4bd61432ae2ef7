"""After learning a sequence: what is left when a stimulus is cut short or omitted, and does a surprise matter?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from netlib.base.checks import check_integer, check_type
from netlib.base.orientation import distance
from netlib.base.seeds import stream
from netlib.networks import RingParameters, preset
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Blank, Grating, Protocol
from netlib.tuning import response_counts

__all__ = ["CONDITIONS", "SLOT", "TRAINED", "UNSEEN", "Slot", "prediction", "slot_protocol", "train", "trial_slots"]

#: Orientations of the sequence, in its order, and orientations never shown in training (deg).
TRAINED = (40.0, 160.0, 100.0)
UNSEEN = (10.0, 130.0, 70.0)
#: Length of a slot (ms): a trained presentation lasts two, a shortened one a single one.
SLOT = 500.0
#: Which weights each network is tested with; they are frozen in all tests.
CONDITIONS = {
    "sequence": "learned from the orientations always in the same order",
    "random": "learned from the same orientations in a new order each pass",
    "static": "the initial weights",
    "shuffled": "those learned in 'sequence', dealt anew among the synapses",
}


@dataclasses.dataclass(frozen=True)
class Slot:
    """Half a second of the test: ``shown`` (deg, None is the pedestal alone) and what it is part of."""

    shown: float | None
    trial: str
    part: str
    before: float = np.nan
    expected: float = np.nan


def trial_slots(seed: int) -> list[Slot]:
    """Slots of the test of one seed: every trial once, in random order, a blank slot at its end.

    Trials: "short", one slot of an orientation and one of blank (part "off"), for trained and unseen ones; "omission",
    a trained orientation at full length, then a blank in the place of the next (part "omitted"); "expected",
    "unexpected" and "new": a trained orientation, then (part "second") the one that followed it in the sequence, the
    other trained one, or an unseen one.
    """
    trials = [[Slot(theta, "short", "on"), Slot(None, "short", "off", theta)] for theta in (*TRAINED, *UNSEEN)]
    rng = stream(seed, "prediction", "test")
    for k, theta in enumerate(TRAINED):
        following, other = TRAINED[(k + 1) % 3], TRAINED[(k + 2) % 3]
        seconds = {"expected": following, "unexpected": other, "new": float(rng.choice(UNSEEN)), "omission": None}
        for trial, second in seconds.items():
            part = "omitted" if second is None else "second"
            first = [Slot(theta, trial, "first")] * 2
            then = [Slot(second, trial, part, theta, following), Slot(second, trial, f"late {part}", theta, following)]
            trials.append([*first, *then, Slot(None, trial, "blank")])
    return [slot for k in rng.permutation(len(trials)) for slot in trials[k]]


def prediction(seed: int, parameters: RingParameters | None = None, passes: int = 4) -> pd.DataFrame:
    """Train a ring on a sequence of three orientations, freeze it, and cut, omit and exchange stimuli.

    All conditions of :data:`CONDITIONS` hear the same test spikes.

    Parameters
    ----------
    seed : int
        Master seed: connections, delays, input spikes, orders.
    parameters : RingParameters, optional
        A plastic network; by default the preset ``internship2019_learning``.
    passes : int
        Passes through the three orientations in training, of 1 s each.

    Returns
    -------
    DataFrame, one row per condition, population, kind of slot and place on the ring
        ``condition``, ``population`` ("input" once, with condition "static"), ``trial``, ``part`` (see
        :func:`trial_slots`), ``familiar``: whether the last orientation shown was trained, ``place``: cells that
        prefer, within 10 deg, the last orientation "shown", the one "expected" next, the "other trained" ones or the
        "unseen" ones not shown; ``rate`` (Hz): mean over these cells and trials, from 50 ms on in each slot of 500 ms.
    """
    parameters = check_type("parameters", parameters or preset("internship2019_learning"), RingParameters)
    check_integer("passes", passes, 1)
    slots = trial_slots(seed)
    test = slot_protocol([slot.shown for slot in slots])
    weights = {"static": {}}
    for condition in ("sequence", "random"):
        weights[condition] = train(parameters, seed, passes, condition == "random").weights
    weights["shuffled"] = {name: w.shuffled(seed) for name, w in weights["sequence"].items()}
    parts = []
    for condition in CONDITIONS:
        seen = record_ring(parameters, test, seed, plastic=False, weights=weights[condition])
        for name in ("input", "E", "I") if condition == "static" else ("E", "I"):
            parts.append(_rates_by_place(seen, name, slots).assign(condition=condition, population=name))
    table = pd.concat(parts, ignore_index=True).round({"rate": 3})
    first = ["condition", "population"]
    return table[[*first, *(c for c in table.columns if c not in first)]]


def train(parameters: RingParameters, seed: int, passes: int = 4, shuffle: bool = False) -> Recording:
    """Show the sequence ``passes`` times to a plastic ring; its ``weights`` are what it learned."""
    orders = [
        stream(seed, "prediction", "order", n).permutation(3) if shuffle else np.arange(3) for n in range(1, passes + 1)
    ]
    return record_ring(parameters, slot_protocol([TRAINED[k] for order in orders for k in np.repeat(order, 2)]), seed)


def slot_protocol(shown: list[float | None]) -> Protocol:
    """One slot after the other: an orientation (deg), or None for the pedestal alone."""
    stimuli = [Blank() if theta is None else Grating(theta=theta) for theta in shown]
    return Protocol.sequence(stimuli, duration=SLOT, gap=0.0, lead=0.0)


def _rates_by_place(seen: Recording, population: str, slots: list[Slot]) -> pd.DataFrame:
    """Mean rate at each place, over the slots of each kind."""
    cells = seen.population(population)
    counts, durations = response_counts(cells)
    own = cells.neurons["orientation"].to_numpy()
    near = {}
    for theta in (*TRAINED, *UNSEEN):
        near[theta] = 1000.0 * counts[distance(own, theta) <= 10.0].mean(0) / durations
    rows = []
    for k, slot in enumerate(slots):
        if slot.part in ("first", "blank"):
            continue
        last = slot.before if slot.shown is None else slot.shown
        expected = () if slot.shown is not None or np.isnan(slot.expected) else (slot.expected,)
        places = {
            "shown": (last,),
            "expected": expected,
            "other trained": [t for t in TRAINED if t not in (last, *expected)],
            "unseen": [t for t in UNSEEN if t != last],
        }
        head = {"trial": slot.trial, "part": slot.part, "familiar": last in TRAINED}
        for place, thetas in places.items():
            if len(thetas):
                rows.append({**head, "place": place, "rate": np.mean([near[theta][k] for theta in thetas])})
    return pd.DataFrame(rows).groupby(["trial", "part", "familiar", "place"], as_index=False)["rate"].mean()
