"""Sessions of a simulated mouse that learns to press a lever for food: planted behaviours, and the file the box writes.

A semi-Markov chain on the seven behaviours: a transition table and gamma-distributed dwell times (shape 3), both moved
by one learning parameter from 0 (naive) to 1 (trained). It is written as rows of the operant box, so that the parser
and the segmentation are tested end to end. The numbers are plausible ones of our own, not fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, segment
from netlib.recordings.operant.behaviour_session import BehaviourSession, check_schedule, ratio_of
from netlib.recordings.operant.imetronic import (
    DISPENSER,
    LEVER,
    LICK,
    SESSION_END,
    ZONE,
    BoxLog,
    event_table,
    make_header,
)
from netlib.seeds import stream
from netlib.units import check_choice, check_integer, check_number

__all__ = [
    "BehaviourModel",
    "finished",
    "plant_behaviour",
    "session_log",
    "simulate_behaviour",
    "simulate_training",
    "transition_table",
]

SHAPE = 3.0
#: Mean dwell (ms) of a naive and of a trained mouse; of a sequence, per press.
DWELL = {
    "sequence": (500.0, 350.0),
    "zone 1": (3500.0, 1500.0),
    "zone 2": (3500.0, 1500.0),
    "pellet": (9000.0, 6000.0),
    "no pellet": (5000.0, 3000.0),
    "explo 1": (16000.0, 8000.0),
    "explo 2": (14000.0, 6000.0),
}
#: Behaviours that begin with an entry into zone 1 and into zone 2.
AT_LEVER, AT_DISPENSER = ("zone 1", "explo 1"), ("pellet", "no pellet", "explo 2")


@dataclass(frozen=True)
class BehaviourModel:
    """How the mouse behaves in one session.

    Attributes
    ----------
    learning : float
        From 0 (naive) to 1 (trained).
    ratio : int
        Presses for a pellet.
    duration : float
        Length of the session (ms).
    """

    learning: float = 1.0
    ratio: int = 1
    duration: float = 1_200_000.0

    def __post_init__(self) -> None:
        check_number("learning", self.learning, "", 0, 1)
        check_integer("ratio", self.ratio, 1, unit="presses")
        check_number("duration", self.duration, "ms", 60_000)

    @property
    def mean_presses(self) -> float:
        """Mean presses of a rewarded sequence: the ratio, and extra presses that grow with learning."""
        return self.ratio + 0.3 + 1.2 * self.learning

    def dwell(self, label: str) -> float:
        """Mean dwell (ms) in a behaviour; in a sequence, per press."""
        naive, trained = DWELL[check_choice("label", label, BEHAVIOURS)]
        return naive + (trained - naive) * self.learning


def transition_table(learning: float) -> pd.DataFrame:
    """Probability of each behaviour (column) after each (row); rows and columns in published order.

    P(pellet | zone 2) rises from 0.45 to 0.9 and P(zone 1), going to the lever to press, from 0.4 to 0.9.
    """
    learning = check_number("learning", learning, "", 0, 1)
    food, lever = 0.45 + 0.45 * learning, 0.4 + 0.5 * learning
    table = pd.DataFrame(0.0, index=list(BEHAVIOURS), columns=list(BEHAVIOURS))
    table.loc["zone 1", "sequence"] = table.loc["sequence", "zone 2"] = 1.0
    table.loc["zone 2", ["pellet", "no pellet", "explo 2"]] = food, 0.6 * (1 - food), 0.4 * (1 - food)
    table.loc["explo 1", ["no pellet", "explo 2"]] = 0.4, 0.6
    table.loc[list(AT_DISPENSER), ["zone 1", "explo 1"]] = lever, 1 - lever
    return table


def plant_behaviour(seed: int, model: BehaviourModel) -> pd.DataFrame:
    """Behaviours of one session: ``onset``, ``offset`` (whole ms), ``label`` and ``presses`` (0 outside sequences).

    They cover the session from 0 to its end without gaps; the last is cut there. A sequence that leads to a pellet has
    at least ``ratio`` presses, and one that leads to an empty dispenser fewer, unless one press is enough.
    """
    rng = stream(seed, "behaviour", "states")
    table = transition_table(model.learning)

    def after(label: str) -> str:
        return str(rng.choice(table.columns, p=table.loc[label]))

    rows, label, start, coming = [], "explo 1", 0, ""
    while start < model.duration:
        presses = 0
        if label == "sequence":
            coming = after("zone 2")  # drawn now: it decides how many presses the sequence needs
            presses = _presses(rng, model, coming)
        dwell = rng.gamma(SHAPE, model.dwell(label) * max(presses, 1) / SHAPE)
        stop = start + max(round(dwell), 20 * max(presses, 1))
        rows.append((float(start), float(min(stop, model.duration)), label, presses))
        label, start = coming if label == "zone 2" else after(label), stop
    return pd.DataFrame(rows, columns=["onset", "offset", "label", "presses"]).astype({"label": str})


def _presses(rng: np.random.Generator, model: BehaviourModel, leads_to: str) -> int:
    if leads_to == "no pellet" and model.ratio > 1:
        return int(rng.integers(1, model.ratio))
    return model.ratio + int(rng.poisson(model.mean_presses - model.ratio))


def finished(planted: pd.DataFrame) -> pd.DataFrame:
    """The planted behaviours that the definitions can find: those before the last entry into a zone.

    A passage that the end of the session cuts has no second entry into a zone, so its behaviours are undefined.
    """
    entries = planted.loc[planted["label"].isin(AT_LEVER + AT_DISPENSER), "onset"]
    done = planted["onset"] < entries.iloc[-1]
    return planted.loc[done, ["onset", "offset", "label"]].reset_index(drop=True)


def session_log(seed: int, planted: pd.DataFrame, duration: float, header: tuple[str, ...] | None = None) -> BoxLog:
    """The file that the box writes during the planted behaviours.

    Beside the rows that define the behaviours it holds what a mouse does meanwhile and must not disturb them: licks,
    heads drawn back, second looks at the empty dispenser, entries into the same zone again.
    """
    rng = stream(seed, "behaviour", "rows")
    rows = [row for row in _rows(rng, planted) if row["time"] < duration]
    rows.append({"time": int(duration), "family": SESSION_END})
    return BoxLog(header or make_header(), event_table(rows))


def _rows(rng: np.random.Generator, planted: pd.DataFrame) -> Iterator[dict[str, int]]:
    number = 0
    for onset, offset, label, presses in planted.itertuples(index=False):
        start, stop = int(onset), int(offset)
        if label in AT_LEVER + AT_DISPENSER:
            zone = 1 if label in AT_LEVER else 2
            yield {"time": start, "family": ZONE, "num": zone, "V": zone}
            if label != "zone 1" and stop - start > 100 and rng.random() < 0.2:
                yield {"time": int(rng.integers(start + 1, stop)), "family": ZONE, "num": zone, "V": zone}
        if label == "sequence":
            yield from _press_rows(rng, start, stop, presses, number)
            number += presses
        if label in ("pellet", "no pellet"):
            yield from _visit_rows(rng, start, stop, label == "pellet")


def _press_rows(rng: np.random.Generator, start: int, stop: int, presses: int, number: int) -> Iterator[dict[str, int]]:
    """Press-down and release of each press; the first is down at ``start`` and the last released at ``stop``."""
    least = 1.0 if stop - start >= 2 * presses else 0.0
    gaps = least + rng.dirichlet(np.full(2 * presses - 1, 4.0)) * (stop - start - least * (2 * presses - 1))
    times = start + np.r_[0, np.round(np.cumsum(gaps))].astype(int)
    for k in range(presses):
        for time, down in ((times[2 * k], 1), (times[2 * k + 1], 0)):
            yield {"time": int(time), "family": LEVER, "num": 1, "V": down, "T": number + k + 1}


def _visit_rows(rng: np.random.Generator, start: int, stop: int, full: bool) -> Iterator[dict[str, int]]:
    """Heads in and out of the dispenser, licks between; the pellet, if any, is there at the first visit."""
    times = np.sort(rng.integers(start, stop, 2 * int(rng.integers(1, 4))))
    for k, time in enumerate(times):
        pellet = int(full and k < 2)
        yield {"time": int(time), "family": DISPENSER, "num": 1, "V": 1 - k % 2, "P": pellet}
        if k % 2 == 0:
            yield {"time": int(time), "family": LICK, "num": 1, "V": 1, "P": pellet}


def simulate_behaviour(
    seed: int,
    mouse: str = "S1",
    pathway: str = "D1",
    session: int = 1,
    *,
    n_sessions: int = 8,
    schedule: str | None = None,
    learning: float | None = None,
    duration: float = 1_200_000.0,
) -> BehaviourSession:
    """One simulated session without neurons.

    Parameters
    ----------
    seed : int
        Seed of the mouse: sessions draw from streams of their own.
    mouse, pathway, session
        Which session this is; ``session`` in 1..``n_sessions``.
    schedule : str, optional
        By default "FR1" in the first half of the sessions and "FR5" in the second.
    learning : float, optional
        By default it rises evenly from 0 in the first session to 1 in the last.
    duration : float
        Length of the session (ms); 20 minutes.

    Returns
    -------
    BehaviourSession
        ``intervals`` are segmented from the simulated events; ``truth`` holds ``planted`` (with presses), ``learning``
        and ``header``, that of the file.
    """
    n_sessions = check_integer("n_sessions", n_sessions, 1)
    session = check_integer("session", session, 1, n_sessions)
    if learning is None:
        learning = (session - 1) / max(n_sessions - 1, 1)
    schedule = check_schedule("schedule", schedule or ("FR1" if session <= n_sessions / 2 else "FR5"))
    model = BehaviourModel(learning, ratio_of(schedule), duration)
    own = int(stream(seed, "behaviour", mouse, session).integers(2**62))
    planted = plant_behaviour(own, model)
    header = make_header(mouse, session, schedule)
    events = session_log(own, planted, duration, header).events
    truth = {"planted": planted, "learning": float(learning), "header": header}
    return BehaviourSession(
        mouse, pathway, session, schedule, events, segment(events, duration), float(duration), truth=truth
    )


def simulate_training(
    seed: int, mouse: str = "S1", pathway: str = "D1", n_sessions: int = 8, **options: float
) -> list[BehaviourSession]:
    """All sessions of one mouse: see :func:`simulate_behaviour`."""
    return [
        simulate_behaviour(seed, mouse, pathway, session, n_sessions=n_sessions, **options)
        for session in range(1, n_sessions + 1)
    ]
