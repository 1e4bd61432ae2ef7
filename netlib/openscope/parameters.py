"""Parameters of a panel, and tables of its data, in the layout of the published files.

Each tuple of parameters becomes one JSON object under its name in lower case (``analyspar``, ``sesspar``, ...), as in
the files that come with Gillon, Lecoq et al. 2023 (Sci Data 10:287) and Gillon, Pina et al. 2024 (J Neurosci 44(5)
e1009232023), so that those files can be read, compared and drawn. Tables are ``{column: {row: value}}``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netlib.base.checks import check_integer
from netlib.base.seeds import stream
from netlib.openscope.metadata import LAYERS, PLANES
from netlib.openscope.session import Session

__all__ = [
    "PAPER_SEED",
    "AnalysPar",
    "BasePar",
    "IdxPar",
    "LogRegPar",
    "Parameters",
    "PermPar",
    "SessPar",
    "StimPar",
    "by_mouse",
    "common_columns",
    "drawn_seed",
    "group_key",
    "group_rows",
    "groups_of",
    "joined_columns",
    "least_permutations",
    "plain",
    "several_sessions",
    "sort_sessions",
    "to_table",
]


#: Seed of every published panel.
PAPER_SEED = 905
EXPECTED_ORIENTATIONS = (0, 45, 90, 135)
ALL_ORIENTATIONS = (0, 45, 90, 135, 180, 225)
UNEXPECTED_ORIENTATIONS = (90, 135, 180, 225)
COMMON_ORIENTATIONS = (90, 135)


@dataclass(frozen=True)
class AnalysPar:
    """How traces are treated: robust scaling per ROI, error (``sem``/``std``), tracked ROIs only."""

    dend: str = "extr"
    error: str = "sem"
    fluor: str = "dff"
    rem_bad: bool = True
    scale: bool = True
    stats: str = "mean"
    tracked: bool = False


@dataclass(frozen=True)
class SessPar:
    """Which sessions: numbers, mice (``"any"``, one number or several), imaging planes and lines."""

    closest: bool = False
    incl: str = "all"
    line: str = "all"
    min_rois: int = 1
    mouse_n: Any = "any"
    pass_fail: str = "P"
    plane: str = "all"
    runtype: str = "prod"
    sess_n: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class StimPar:
    """Which stimulus, and the window around it: ``pre`` and ``post`` in s, orientations in degrees, squares in px."""

    gab_ori: Any = ALL_ORIENTATIONS
    gabfr: Any = 3
    gabk: Any = 16
    post: Any = 0.6
    pre: Any = 0.9
    stimtype: Any = "gabors"
    visflow_dir: Any = "none"
    visflow_size: Any = "none"


@dataclass(frozen=True)
class PermPar:
    """Permutation test: number, level, tails (2, ``"hi"`` or ``"lo"``), comparisons corrected for (Bonferroni)."""

    multcomp: int | bool = False
    n_perms: int = 100_000
    p_val: float = 0.05
    tails: int | str = 2


@dataclass(frozen=True)
class BasePar:
    """Baseline subtracted: none in the papers."""

    baseline: int = 0


@dataclass(frozen=True)
class IdxPar:
    """The index: ``d-prime`` of the Gabor frames (``by_exp``) or around onsets (``unexp_lock``)."""

    feature: Any = "by_exp"
    op: str = "d-prime"
    position: int = 0


@dataclass(frozen=True)
class LogRegPar:
    """The decoder: what is decoded (``comp``), with control of trial numbers or not (``ctrl``), training share."""

    alg: str = "sklearn"
    bal: bool = False
    batchsize: int = 200
    comp: Any = "Dori"
    ctrl: bool = True
    exp_v_unexp: bool = False
    lr: float = 0.0001
    n_epochs: int = 1000
    q1v4: bool = False
    train_p: float = 0.75
    wd: int = 0


@dataclass(frozen=True)
class Parameters:
    """All parameters of one panel.

    Parameters
    ----------
    sesspar, analyspar, stimpar, permpar, basepar, idxpar, logregpar
        The published tuples; None where the panel has none.
    extrapar : tuple of (name, value)
        What the panel needs beside them. ``seed`` is there if the panel draws random numbers.
    """

    sesspar: SessPar = SessPar()
    analyspar: AnalysPar | None = None
    stimpar: StimPar | None = None
    permpar: PermPar | None = None
    basepar: BasePar | None = None
    idxpar: IdxPar | None = None
    logregpar: LogRegPar | None = None
    extrapar: tuple[tuple[str, Any], ...] = ()

    def extra(self, name: str, default: Any = None) -> Any:
        """Value of one extra parameter."""
        return dict(self.extrapar).get(name, default)

    @property
    def seeded(self) -> bool:
        """Whether the panel draws random numbers."""
        return self.extra("seed") is not None

    def with_run(self, n_perms: int | None = None, seed: int | None = None) -> Parameters:
        """The same with another number of permutations or seed, where the panel has one."""
        new = self
        if n_perms is not None and self.permpar is not None:
            n_perms = check_integer("n_permutations", n_perms, least_permutations(self.permpar))
            new = dataclasses.replace(new, permpar=dataclasses.replace(self.permpar, n_perms=n_perms))
        if seed is not None and self.seeded:
            seed = check_integer("seed", seed, 0, 2**63 - 1)
            extra = tuple((key, seed if key == "seed" else value) for key, value in self.extrapar)
            new = dataclasses.replace(new, extrapar=extra)
        return new

    def to_json(self) -> dict[str, dict[str, Any]]:
        """One dictionary per tuple, as in the published files.

        Examples
        --------
        >>> Parameters(permpar=PermPar(multcomp=24)).to_json()["permpar"]
        {'multcomp': 24, 'n_perms': 100000, 'p_val': 0.05, 'tails': 2}
        """
        tuples = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "extrapar"}
        found = {
            name: {key: plain(value) for key, value in vars(one).items()}
            for name, one in tuples.items()
            if one is not None
        }
        return {**found, "extrapar": {key: plain(value) for key, value in self.extrapar}}


def drawn_seed(seed: int, *names: str | int) -> int:
    """A seed of its own for what has these names, where a function takes a number."""
    return int(stream(seed, *names).integers(2**62))


def least_permutations(permpar: PermPar) -> int:
    """Fewest permutations with which two can lie beyond the corrected level.

    Examples
    --------
    >>> least_permutations(PermPar(multcomp=24)), least_permutations(PermPar(multcomp=60, tails="hi"))
    (960, 2400)
    """
    return math.ceil(2 * max(int(permpar.multcomp), 1) / permpar.p_val - 1e-9)


# ---------------------------------------------------------------- sessions by group, and tables


Key = tuple[str, str]
ORDER = [(line, plane) for line in LAYERS for plane in PLANES]


def group_key(session: Session) -> Key:
    """Line and plane of a session.

    Raises
    ------
    ValueError
        If the session does not say them.
    """
    key = (session.metadata.line, session.metadata.plane)
    if key not in ORDER:
        raise ValueError(
            f"{session} has line = {key[0]!r} and plane = {key[1]!r}: the papers' groups need one of {list(LAYERS)} "
            f"and of {list(PLANES)} (give the table of mice if the file does not say)"
        )
    return key


def sort_sessions(sessions: Iterable[Session]) -> list[Session]:
    """Sessions in the order of the papers: by group, number of the session, number of the mouse."""
    return sorted(sessions, key=lambda s: (ORDER.index(group_key(s)), s.metadata.sess_n or 0, s.metadata.mouse_n or 0))


def groups_of(sessions: Sequence[Session]) -> Iterator[tuple[Key, dict[int, list[Session]]]]:
    """Each group with its sessions by number: ((line, plane), {session number: sessions of its mice})."""
    found: dict[Key, dict[int, list[Session]]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(group_key(session), {}).setdefault(session.metadata.sess_n, []).append(session)
    yield from found.items()


def group_rows(sessions: Sequence[Session]) -> Iterator[tuple[str, str, int, list[Session]]]:
    """What most tables have a row of: line and plane of a group, number of the session, sessions of its mice."""
    for (line, plane), numbers in groups_of(sessions):
        for n, members in numbers.items():
            yield line, plane, n, members


def by_mouse(sessions: Sequence[Session]) -> dict[int, dict[int, Session]]:
    """Sessions of each mouse by number of the session."""
    found: dict[int, dict[int, Session]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(session.metadata.mouse_n, {})[session.metadata.sess_n] = session
    return found


def common_columns(sessions: Sequence[Session], *, rois: bool = True, single: bool = False) -> dict[str, Any]:
    """Columns that every published table has, for a row made of these sessions of one group and session number.

    Parameters
    ----------
    sessions : sequence of Session
        One per mouse.
    rois : bool
        Add number of ROIs and frame rate.
    single : bool
        Values of the one session, where lists stand for several.
    """
    facts = [session.metadata for session in sessions]
    line, plane = group_key(sessions[0])
    row = {
        "lines": line,
        "planes": plane,
        "sess_ns": facts[0].sess_n,
        "mouse_ns": [f.mouse_n for f in facts],
        "mouseids": [f.mouseid for f in facts],
        "sessids": [f.sessid for f in facts],
    }
    if rois:
        row |= {"nrois": [session.n_rois for session in sessions], "twop_fps": [session.fps for session in sessions]}
    if single:
        row = {name: value[0] if isinstance(value, list) else value for name, value in row.items()}
    return row


def several_sessions(numbers: Mapping[int, Sequence[Session]]) -> dict[str, Any]:
    """Columns of a row made of several session numbers of one group: lists of one entry per number."""
    rows = [common_columns(sessions) for sessions in numbers.values()]
    return joined_columns(rows, ("sess_ns", "sessids", "nrois", "twop_fps"))


def joined_columns(rows: Sequence[Mapping[str, Any]], lists: Sequence[str]) -> dict[str, Any]:
    """One row of several: of the columns ``lists`` all values, of the others that of the first row."""
    return {name: [row[name] for row in rows] if name in lists else rows[0][name] for name in rows[0]}


def to_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Rows as a table ``{column: {row: value}}`` of plain numbers, lists and texts; columns sorted, None where absent.

    Raises
    ------
    ValueError
        If there is no row.

    Examples
    --------
    >>> to_table([{"b": np.float64(1)}, {"b": np.array([2, 3])}])
    {'b': {'0': 1.0, '1': [2, 3]}}
    """
    if not rows:
        raise ValueError("the panel has no rows: none of the sessions could be used")
    names = sorted({name for row in rows for name in row})
    return {name: {str(i): plain(row.get(name)) for i, row in enumerate(rows)} for name in names}


def plain(value: Any) -> Any:
    """Arrays and tuples as lists, NumPy numbers as Python's."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
