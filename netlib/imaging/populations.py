"""What the neurons of a synthetic mouse code, and who is seen when: the truth that analyses are to find again.

A code is a set of subpopulations, each activated or inactivated by some of the four groups of behaviours, in all
sessions or in the first or second half of them. Codes are named by the claims they plant: ``"abstract"`` are those of
the thesis abstract (both pathways similarly engaged, by different subpopulations, the direct pathway coding by
activation and the indirect by inactivation).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from netlib.imaging.footprints import CellShapes, place_cells
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.recordings.operant.behaviour_session import PATHWAYS
from netlib.seeds import stream
from netlib.units import check_choice, check_integer, check_number

__all__ = ["CLAIMS", "MousePlan", "Subpopulation", "SyntheticParameters", "plan_mouse", "template"]

#: Categories of a neuron in a session: the four groups up, then the same down.
CATEGORIES = (*(f"{group} up" for group in GROUPS), *(f"{group} down" for group in GROUPS))
#: Sessions in which a subpopulation has a category.
WHEN = ("all", "early", "late")


@dataclass(frozen=True)
class Subpopulation:
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
    share: float
    categories: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_number("share", self.share, "", 0, 1)
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
class SyntheticParameters:
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

    claims: str = "abstract"
    neurons: int = 100
    sessions: int = 8
    minutes: float = 20.0
    loss: float = 0.25
    rate: tuple[float, float, float] = (0.5, 0.1, 5.0)
    rate_sd: float = 0.8
    up: float = 4.0
    down: float = 1.0 / 8.0
    hit: float = 0.95
    noise: float = 0.01
    ou_sd: float = 0.4
    ou_tau: float = 3000.0
    drift: float = 0.2
    shift: float = 10.0
    jitter: float = 0.5
    indicator: str = "GCaMP6f"
    frame_rate: float = 20.0
    photo_noise: float = 2.0

    def __post_init__(self) -> None:
        check_choice("claims", self.claims, CLAIMS)
        check_integer("neurons", self.neurons, 2, 2000, unit="neurons")
        check_integer("sessions", self.sessions, 1, 100)
        check_number("minutes", self.minutes, "min", 1, 600)
        check_number("loss", self.loss, "", 0, 0.5)
        middle, low, high = self.rate
        check_number("rate", low, "Hz", 0, middle, low_open=True)
        check_number("rate", high, "Hz", middle)
        for name in ("up", "down"):
            check_number(name, getattr(self, name), "", 0, low_open=True)
        for name in ("hit", "noise"):
            check_number(name, getattr(self, name), "", 0, 1)
        for name in ("rate_sd", "ou_sd", "drift"):
            check_number(name, getattr(self, name), "", 0)
        check_number("ou_tau", self.ou_tau, "ms", 0, low_open=True)
        check_number("shift", self.shift, "px", 0, 15)
        check_number("jitter", self.jitter, "px", 0)
        check_number("frame_rate", self.frame_rate, "Hz", 1, 1000)
        check_number("photo_noise", self.photo_noise, "% Hz^-1/2", 0)

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
