"""Synthetic sessions with known truth: behaviour, spikes that follow it, and what the microscope makes of them.

Behaviour is a semi-Markov chain on the seven behaviours: a transition table and gamma-distributed dwell times (shape
3), both moved by one learning parameter from 0 (naive) to 1 (trained). It is written as rows of the operant box, so
that the parser and the segmentation are tested end to end. The numbers are plausible ones of our own, not fits.

What neurons code is a set of subpopulations, each activated or inactivated by some of the four groups of behaviours, in
all sessions or in the first or second half of them. Codes are named by the claims they plant: ``"abstract"`` are those
of the thesis abstract (both pathways similarly engaged, by different subpopulations, the direct pathway coding by
activation and the indirect by inactivation). Spikes come from a statistical model, or from a network of the striatum
(:mod:`netlib.pathways.simulated_network`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.base.fields import Declared, choice, integer, number
from netlib.base.seeds import stream
from netlib.calcium.deconvolution import deconvolve
from netlib.calcium.microscope import Microscope, image
from netlib.pathways.behaviour import BEHAVIOURS, GROUPS, merge_behaviours, segment, state_at
from netlib.pathways.clusters import CATEGORIES
from netlib.pathways.imetronic import DISPENSER, LEVER, LICK, SESSION_END, ZONE, BoxLog, event_table, make_header
from netlib.pathways.session import PATHWAYS, BehaviourSession, check_schedule, ratio_of
from netlib.pathways.simulated_images import CellShapes, draw_footprints, place_cells, to_images
from netlib.pathways.simulated_network import NetworkParameters, build_network, cortical_drive, learn, run_session
from netlib.recordings.recording import Recording
from netlib.stimuli.protocol import Protocol

__all__ = [
    "CLAIMS",
    "BehaviourModel",
    "MousePlan",
    "Subpopulation",
    "SyntheticParameters",
    "behaviour_spikes",
    "log_gains",
    "mouse_names",
    "network_mouse",
    "observe",
    "plan_mouse",
    "plant_behaviour",
    "session_log",
    "simulate_behaviour",
    "simulate_training",
    "synthetic_mouse",
    "synthetic_session",
    "template",
    "transition_table",
    "wiring",
]


# ---------------------------------------------------------------- what neurons code, and who is seen


#: Sessions in which a subpopulation has a category.
WHEN = ("all", "early", "late")


@dataclass(frozen=True)
class Subpopulation(Declared):
    """Neurons that code alike.

    Attributes
    ----------
    name : str
        What they do.
    share : float
        Their share of the cells of the pathway.
    categories : tuple of (str, str)
        Pairs of category, such as "food up", and when: "all" sessions, "early" (first half) or "late".
    """

    name: str
    share: float = number(..., "", 0, 1)
    categories: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        for category, when in self.categories:
            check_choice("category", category, CATEGORIES)
            check_choice("when", when, WHEN)


def _code(sign: str, engaged: float = 0.75) -> tuple[Subpopulation, ...]:
    """Five subpopulations of one sign, a small one of the other, and cells that code nothing."""
    other = {"up": "down", "down": "up"}[sign]
    parts = (
        ("press", 0.2, ((f"sequence {sign}", "all"),)),
        ("move", 0.2, ((f"zones {sign}", "all"),)),
        ("eat", 0.2, ((f"food {sign}", "all"),)),
        ("explore, then press", 0.15, ((f"explo {sign}", "early"), (f"sequence {sign}", "late"))),
        ("move, then eat", 0.15, ((f"zones {sign}", "early"), (f"food {sign}", "late"))),
        (f"eat, {other}", 0.1, ((f"food {other}", "all"),)),
    )
    named = tuple(Subpopulation(f"{name} ({sign})", engaged * share, what) for name, share, what in parts)
    return (*named, Subpopulation("none", 1.0 - engaged))


#: Subpopulations of each pathway by the name of what is claimed. "reverse": the direct pathway by inactivation, the
#: indirect by activation. "alike": both by the same subpopulations. "unequal": the indirect pathway hardly engaged.
#: "none": nobody codes.
CLAIMS = {
    "abstract": {"D1": _code("up"), "A2A": _code("down")},
    "reverse": {"D1": _code("down"), "A2A": _code("up")},
    "alike": {"D1": _code("up"), "A2A": _code("up")},
    "unequal": {"D1": _code("up"), "A2A": _code("down", 0.2)},
    "none": {pathway: (Subpopulation("none", 1.0),) for pathway in PATHWAYS},
}


@dataclass(frozen=True)
class SyntheticParameters(Declared):
    """A synthetic mouse.

    Attributes
    ----------
    claims : str
        Which of :data:`CLAIMS` is planted.
    neurons : int
        Neurons seen in each session.
    sessions : int
        Sessions, the first half under FR1 and the second under FR5.
    minutes : float
        Length of a session (min).
    loss : float
        Share of the neurons of a session that are not seen in the next; as many others come, half of them or so
        neurons that were seen before.
    rate : tuple of float
        Median, least and largest base rate (Hz); log-normal with ``rate_sd``, the sd of its logarithm.
    up, down : float
        Factors of the rate in a behaviour that activates or inactivates a neuron.
    hit, noise : float
        Probability that a neuron has a category of its subpopulation in a session, and that it has another.
    ou_sd, ou_tau : float
        Standard deviation of the slow fluctuation of the log rate, and its correlation time (ms).
    drift : float
        Standard deviation of the change of the log rate from start to end of a session.
    shift, jitter : float
        Largest shift of the field between sessions, and sd of each cell's own displacement (px).
    indicator : str
        What the cells express.
    frame_rate : float
        Frames per second (Hz).
    photo_noise : float
        Noise level of the microscope (% Hz^-1/2).
    """

    claims: str = choice("abstract", CLAIMS)
    neurons: int = integer(100, 2, 2000, "neurons")
    sessions: int = integer(8, 1, 100)
    minutes: float = number(20.0, "min", 1, 600)
    loss: float = number(0.25, "", 0, 0.5)
    rate: tuple[float, float, float] = (0.5, 0.1, 5.0)
    rate_sd: float = number(0.8, "", 0)
    up: float = number(4.0, "", 0, low_open=True)
    down: float = number(1.0 / 8.0, "", 0, low_open=True)
    hit: float = number(0.95, "", 0, 1)
    noise: float = number(0.01, "", 0, 1)
    ou_sd: float = number(0.4, "", 0)
    ou_tau: float = number(3000.0, "ms", 0, low_open=True)
    drift: float = number(0.2, "", 0)
    shift: float = number(10.0, "px", 0, 15)
    jitter: float = number(0.5, "px", 0)
    indicator: str = "GCaMP6f"
    frame_rate: float = number(20.0, "Hz", 1, 1000)
    photo_noise: float = number(2.0, "% Hz^-1/2", 0)

    def check(self) -> None:
        middle, low, high = self.rate
        check_number("rate", low, "Hz", 0, middle, low_open=True)
        check_number("rate", high, "Hz", middle)

    @property
    def duration(self) -> float:
        """Length of a session (ms)."""
        return self.minutes * 60_000.0


@dataclass(frozen=True, eq=False)
class MousePlan:
    """The truth of one synthetic mouse: cells of a pool, of which each session shows some.

    Attributes
    ----------
    mouse, pathway : str
        Which mouse.
    cells : CellShapes
        Footprints of the pool.
    base : ndarray, shape (n_pool,)
        Base rates (Hz).
    cluster : ndarray of int, shape (n_pool,)
        Subpopulation of each.
    names : tuple of str
        Names of the subpopulations.
    categories : ndarray of bool, shape (n_pool, n_sessions, 8)
        What each neuron codes in each session: (sequence, zones, food, explo) up, then down.
    local : list of ndarray of int
        Cells of the pool seen in each session, in order of their local index.
    shifts : ndarray, shape (n_sessions, 2)
        Shift of the field in x and y (px), 0 in the first.
    """

    mouse: str
    pathway: str
    cells: CellShapes
    base: np.ndarray
    cluster: np.ndarray
    names: tuple[str, ...]
    categories: np.ndarray
    local: list[np.ndarray]
    shifts: np.ndarray

    @property
    def pool_table(self) -> np.ndarray:
        """Local index of each cell of the pool in each session, -1 where absent: (n_pool, n_sessions)."""
        table = np.full((len(self.base), len(self.local)), -1)
        for k, cells in enumerate(self.local):
            table[cells, k] = np.arange(len(cells))
        return table

    @property
    def seen(self) -> np.ndarray:
        """Cells of the pool that any session shows: the rows of :attr:`registration`."""
        return np.flatnonzero((self.pool_table >= 0).any(axis=1))

    @property
    def registration(self) -> pd.DataFrame:
        """Registered neurons: local index in each session (column), -1 where absent."""
        columns = pd.Index(np.arange(1, len(self.local) + 1), name="session")
        return pd.DataFrame(self.pool_table[self.seen], columns=columns)


def template(part: Subpopulation, sessions: int) -> np.ndarray:
    """Categories of a subpopulation, bool (sessions, 8).

    Examples
    --------
    >>> template(Subpopulation("a", 1.0, (("food up", "late"),)), 4)[:, 2].tolist()
    [False, False, True, True]
    """
    late = np.arange(sessions) >= sessions / 2
    when = {"all": np.ones(sessions, bool), "early": ~late, "late": late}
    table = np.zeros((sessions, len(CATEGORIES)), bool)
    for category, times in part.categories:
        table[when[times], CATEGORIES.index(category)] = True
    return table


def plan_mouse(seed: int, mouse: str, pathway: str, parameters: SyntheticParameters | None = None) -> MousePlan:
    """Draw the truth of one mouse: who its cells are, what they code, and which of them each session shows."""
    p = SyntheticParameters() if parameters is None else parameters
    check_choice("pathway", pathway, PATHWAYS)
    rng = stream(seed, "population", mouse)
    n_pool = p.neurons + 2 * round(p.loss * p.neurons)
    parts = CLAIMS[p.claims][pathway]
    cluster = _shares(rng, np.array([part.share for part in parts]), n_pool)
    middle, low, high = p.rate
    base = np.clip(middle * np.exp(p.rate_sd * rng.standard_normal(n_pool)), low, high)
    plans = np.stack([template(part, p.sessions) for part in parts])[cluster]
    categories = np.where(plans, rng.random(plans.shape) < p.hit, rng.random(plans.shape) < p.noise)
    if p.claims == "none":
        categories[:] = False
    both = categories[..., :4] & categories[..., 4:]
    categories[..., 4:] &= ~both | plans[..., 4:]  # a category by chance does not undo a planted one
    categories[..., :4] &= ~both | ~plans[..., 4:]
    shifts = rng.uniform(-p.shift, p.shift, (p.sessions, 2))
    shifts[0] = 0.0
    own = int(stream(seed, "population", mouse, "cells").integers(2**62))
    return MousePlan(
        mouse=mouse,
        pathway=pathway,
        cells=place_cells(own, n_pool),
        base=base,
        cluster=cluster,
        names=tuple(part.name for part in parts),
        categories=categories,
        local=_presence(rng, n_pool, p),
        shifts=shifts,
    )


def _shares(rng: np.random.Generator, shares: np.ndarray, n: int) -> np.ndarray:
    """Labels in these shares, as near as whole numbers allow, in random order."""
    edges = np.round(np.cumsum(shares) / shares.sum() * n).astype(int)
    return rng.permutation(np.searchsorted(edges, np.arange(n), side="right"))


def _presence(rng: np.random.Generator, n_pool: int, p: SyntheticParameters) -> list[np.ndarray]:
    """Cells that each session shows, in random order: some are lost from one to the next, as many others come."""
    turnover = round(p.loss * p.neurons)
    here = rng.permutation(n_pool)[: p.neurons]
    seen = [here]
    for _ in range(p.sessions - 1):
        away = np.setdiff1d(np.arange(n_pool), here)
        stay = rng.permutation(here)[turnover:]
        here = rng.permutation(np.concatenate([stay, rng.permutation(away)[:turnover]]))
        seen.append(here)
    return seen


# ---------------------------------------------------------------- behaviour


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
class BehaviourModel(Declared):
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

    learning: float = number(1.0, "", 0, 1)
    ratio: int = integer(1, 1, unit="presses")
    duration: float = number(1_200_000.0, "ms", 60_000)

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


# ---------------------------------------------------------------- spikes and images


#: Bins of the rates (ms).
BIN = 20.0


def mouse_names(mice: int) -> list[tuple[str, str]]:
    """Names and pathways of synthetic mice, half of each pathway: ("I1", "D1"), ..., ("L1", "A2A"), ...

    Examples
    --------
    >>> mouse_names(3)
    [('I1', 'D1'), ('I2', 'D1'), ('L1', 'A2A')]
    """
    mice = check_integer("mice", mice, 1, 1000, unit="mice")
    direct = (mice + 1) // 2
    return [(f"I{k + 1}", "D1") for k in range(direct)] + [(f"L{k + 1}", "A2A") for k in range(mice - direct)]


def log_gains(categories: np.ndarray, up: float, down: float) -> np.ndarray:
    """Logarithm of the factor of the rate in each of the four groups, shape (..., 4), from categories (..., 8)."""
    active, silent = categories[..., :4], categories[..., 4:]
    return active * np.log(up) + silent * np.log(down)


def behaviour_spikes(
    seed: int,
    intervals: pd.DataFrame,
    duration: float,
    base: np.ndarray,
    gains: np.ndarray,
    *,
    ou_sd: float = 0.4,
    ou_tau: float = 3000.0,
    drift: float = 0.2,
) -> tuple[np.ndarray, np.ndarray]:
    """Inhomogeneous Poisson spikes of neurons whose rate follows behaviour.

    log rate = log base + gain of the behaviour + Ornstein-Uhlenbeck fluctuation + linear drift; the fluctuation is
    scaled to leave the mean rate as it is.

    Parameters
    ----------
    seed : int
        Master seed; each neuron has a stream of its own.
    intervals : DataFrame
        Behaviours of the session, seven or merged.
    duration : float
        Length of the session (ms).
    base : array_like, shape (n,)
        Rates outside of behaviours that matter (Hz).
    gains : array_like, shape (n, 4)
        Addition to the log rate in (sequence, zones, food, explo).
    ou_sd, ou_tau : float
        Standard deviation and correlation time (ms) of the fluctuation.
    drift : float
        Standard deviation of the change of the log rate from start to end.

    Returns
    -------
    index : ndarray of int32, shape (n_spikes,)
    time : ndarray, shape (n_spikes,)
        Neuron and time (ms) of each spike, in order of time.
    """
    from scipy.signal import lfilter

    duration = check_number("duration", duration, "ms", BIN)
    base, gains = np.asarray(base, float), np.asarray(gains, float)
    if gains.shape != (len(base), len(GROUPS)):
        raise ValueError(f"gains has shape {gains.shape}: it must be ({len(base)}, 4), one row per neuron")
    n_bins = int(np.ceil(duration / BIN))
    times = np.arange(n_bins) * BIN
    merged = merge_behaviours(intervals)
    row = state_at(merged, np.minimum(times + BIN / 2, duration))
    code = pd.Index(GROUPS).get_indexer(merged["label"]) if len(merged) else np.zeros(0, int)
    state = np.where(row >= 0, code[row] if len(code) else 0, len(GROUPS))  # the last: no behaviour
    coarse = 5  # fluctuations are drawn per 100 ms
    n_coarse = n_bins // coarse + 1
    keep = np.exp(-coarse * BIN / ou_tau)
    index, found = [], []
    for k, rate in enumerate(base):
        rng = stream(seed, "spikes", k)
        kicks = rng.standard_normal(n_coarse)
        kicks[1:] *= np.sqrt(1.0 - keep**2)
        slow = ou_sd * lfilter([1.0], [1.0, -keep], kicks) - ou_sd**2 / 2
        slow += drift * rng.standard_normal() * np.linspace(-0.5, 0.5, n_coarse)
        level = rate * np.exp(np.append(gains[k], 0.0))[state] * np.repeat(np.exp(slow), coarse)[:n_bins]
        counts = rng.poisson(level * BIN / 1000.0)
        time = np.repeat(times, counts) + rng.uniform(0.0, BIN, counts.sum())
        time = np.sort(time[time < duration])
        index.append(np.full(len(time), k, np.int32))
        found.append(time)
    index, time = np.concatenate(index), np.concatenate(found)
    order = np.argsort(time, kind="stable")
    return index[order], time[order]


def observe(
    session: BehaviourSession,
    plan: MousePlan,
    index: np.ndarray,
    time: np.ndarray,
    seed: int,
    parameters: SyntheticParameters,
    *,
    events: bool = True,
    spikes: bool = True,
    footprints: bool = True,
) -> BehaviourSession:
    """Image the spikes of the neurons that a session shows.

    Parameters
    ----------
    session : BehaviourSession
        What the mouse did.
    plan : MousePlan
        Who is seen.
    index, time : ndarray, shape (n_spikes,)
        Local index and time (ms) of each spike, in order of time.
    seed : int
        Seed of the microscope's noise.
    parameters : SyntheticParameters
        Indicator and microscope.
    events : bool
        Deconvolve dF/F to the trace "events" (AP per frame).
    spikes : bool
        Keep true spikes in the recording, as no file of real data has them; else they are in ``truth`` alone.
    footprints : bool
        Draw the footprints too.

    Returns
    -------
    BehaviourSession
        ``truth`` gains ``cell`` (of the pool), ``cluster``, ``categories`` (n, 8), ``base`` (Hz), ``spikes``
        (index, time), ``shift``.
    """
    k = session.session - 1
    cells = plan.local[k]
    n = len(cells)
    neurons = pd.DataFrame({"population": plan.pathway, "orientation": np.full(n, np.nan), "cell": np.arange(n)})
    protocol = Protocol(pd.DataFrame({"onset": [0.0], "duration": [session.duration]}))
    true = Recording(neurons, index, time, session.duration, protocol, provenance={"simulated": True, "seed": seed})
    optics = Microscope(frame_rate=parameters.frame_rate, noise=parameters.photo_noise)
    seen = image(true, parameters.indicator, optics, seed)
    traces = {"dff": seen.traces["dff"]}
    seen = dataclasses.replace(seen, traces=traces)
    if events:
        seen = deconvolve(seen, indicator=parameters.indicator)
    if not spikes:
        none = (np.zeros(0, np.int32), np.zeros(0))
        seen = dataclasses.replace(seen, spike_index=none[0], spike_time=none[1])
    images = None
    if footprints:
        sparse = draw_footprints(plan.cells, cells, shift=tuple(plan.shifts[k]), jitter=parameters.jitter, seed=seed)
        images = to_images(sparse, plan.cells.field)
    return session.with_recording(
        seen,
        images,
        cell=cells,
        cluster=plan.cluster[cells],
        categories=plan.categories[cells, k],
        base=plan.base[cells],
        spikes=(index, time),
        shift=plan.shifts[k],
    )


def synthetic_session(
    seed: int, plan: MousePlan, session: int, parameters: SyntheticParameters | None = None, **options: bool
) -> BehaviourSession:
    """One session of a planned mouse, spikes drawn from a statistical model (:func:`behaviour_spikes`).

    Parameters
    ----------
    seed : int
        Master seed, that of the plan.
    plan : MousePlan
        The mouse.
    session : int
        From 1.
    parameters : SyntheticParameters, optional
        Those of the plan.
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`observe`.
    """
    p = SyntheticParameters() if parameters is None else parameters
    behaviour = simulate_behaviour(seed, plan.mouse, plan.pathway, session, n_sessions=p.sessions, duration=p.duration)
    cells = plan.local[session - 1]
    gains = log_gains(plan.categories[cells, session - 1], p.up, p.down)
    own = int(stream(seed, "session", plan.mouse, session).integers(2**62))
    fluctuation = {"ou_sd": p.ou_sd, "ou_tau": p.ou_tau, "drift": p.drift}
    index, time = behaviour_spikes(own, behaviour.intervals, behaviour.duration, plan.base[cells], gains, **fluctuation)
    return observe(behaviour, plan, index, time, own, p, **options)


def synthetic_mouse(
    seed: int,
    mouse: str = "I1",
    pathway: str = "D1",
    parameters: SyntheticParameters | None = None,
    *,
    mode: str = "statistical",
    **options: bool,
) -> tuple[list[BehaviourSession], MousePlan]:
    """All sessions of one synthetic mouse, and the truth.

    Parameters
    ----------
    seed : int
        Master seed.
    mouse, pathway : str
        Which mouse.
    parameters : SyntheticParameters, optional
        What is planted.
    mode : {"statistical", "network"}
        Where spikes come from: a statistical model, or a network of the striatum in PyNN on NEST
        (:mod:`netlib.pathways.simulated_network`).
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`observe`.
    """
    p = SyntheticParameters() if parameters is None else parameters
    check_choice("mode", mode, ("statistical", "network"))
    plan = plan_mouse(seed, mouse, pathway, p)
    if mode == "network":
        return network_mouse(seed, plan, p, **options), plan
    return [synthetic_session(seed, plan, k, p, **options) for k in range(1, p.sessions + 1)], plan


# ---------------------------------------------------------------- mice of a network


def wiring(parameters: SyntheticParameters, plan: MousePlan, seed: int) -> dict[str, np.ndarray]:
    """What the MSNs of both pathways are wired to code; those of the imaged pathway by the plan of the mouse."""
    found = {}
    for pathway in PATHWAYS:
        own = plan if pathway == plan.pathway else plan_mouse(seed, f"{plan.mouse} (other)", pathway, parameters)
        parts = CLAIMS[parameters.claims][pathway]
        ever = np.stack([template(part, parameters.sessions).any(axis=0) for part in parts])
        found[pathway] = ever[own.cluster]
    return found


def network_mouse(
    seed: int,
    plan: MousePlan,
    parameters: SyntheticParameters,
    network: NetworkParameters | None = None,
    **options: bool,
) -> list[BehaviourSession]:
    """All sessions of a mouse, its spikes from a network whose cortical synapses learn from session to session.

    Parameters
    ----------
    seed : int
        Master seed.
    plan : MousePlan
        Who is imaged when. Its base rates and categories by session are not used: what the neurons do is the
        network's affair. ``truth["cluster"]`` tells which share cortical input.
    parameters : SyntheticParameters
        Those of the plan.
    network : NetworkParameters, optional
        The network around the MSNs.
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`observe`.

    Returns
    -------
    list of BehaviourSession
        ``truth`` also holds ``weights``, the mean weight (uS) of each MSN from each of the four cortical populations
        during the session, shape (n_neurons, 4), and ``wired``, the categories it is wired to code.
    """
    own = int(stream(seed, "network", plan.mouse).integers(2**62))
    wired = wiring(parameters, plan, seed)
    striatum = build_network(own, wired, network)
    p = striatum.parameters
    sessions = []
    for k in range(parameters.sessions):
        label = (plan.mouse, plan.pathway, k + 1)
        behaviour = simulate_behaviour(seed, *label, n_sessions=parameters.sessions, duration=parameters.duration)
        drive_seed = int(stream(own, "drive", k).integers(2**62))
        drive = cortical_drive(drive_seed, behaviour.intervals, behaviour.duration, p)
        spikes = run_session(striatum, drive)
        index, time = _visible(spikes[plan.pathway], plan.local[k], len(plan.base))
        seen = observe(behaviour, plan, index, time, drive_seed, parameters, **options)
        tuned = striatum.plastic[plan.pathway][: len(GROUPS) * p.cortex, plan.local[k]]
        tuned = tuned.reshape(len(GROUPS), p.cortex, -1)
        truth = {
            "weights": (tuned.sum(axis=1) / np.maximum((tuned > 0).sum(axis=1), 1)).T,
            "wired": wired[plan.pathway][plan.local[k]],
            "fsi": spikes["FSI"],
        }
        sessions.append(dataclasses.replace(seen, truth={**seen.truth, **truth}))
        striatum = learn(striatum, drive, spikes, behaviour.intervals)
    return sessions


def _visible(spikes: tuple[np.ndarray, np.ndarray], cells: np.ndarray, n_pool: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of the imaged cells by local index."""
    local = np.full(n_pool, -1)
    local[cells] = np.arange(len(cells))
    index, time = spikes
    keep = local[index] >= 0
    return local[index[keep]].astype(np.int32), time[keep]
