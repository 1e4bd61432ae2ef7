"""One long tidy table of all neurons, with ids that never collide, and what changes in it from session to session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_choice, check_integer
from netlib.pathways.behaviour import GROUPS
from netlib.pathways.registration import check_registration
from netlib.pathways.session import PATHWAYS
from netlib.statistics.mice import mouse_permutation_test, mouse_sign_test
from netlib.statistics.mixed_models import clean_table
from netlib.statistics.resampling import adjust_p_values

__all__ = ["PAIRS", "MouseNeurons", "count_test", "neuron_counts", "neuron_table", "session_contrasts"]


@dataclass(frozen=True)
class MouseNeurons:
    """What the table needs of one mouse.

    Attributes
    ----------
    mouse, pathway : str
        Pathway "D1" or "A2A".
    rates : sequence of arrays (n_cells, n_behaviours)
        Of each session: rate of every neuron in each behaviour (events/s, or any one measure); NaN where the
        behaviour is missing.
    registration : array_like of int, shape (n_registered, n_sessions)
        Local indices, -1 where absent.
    clusters : array_like of int, shape (n_registered,)
        -1 = unassigned.
    candidates : mapping of int to array (n_cells,), optional
        For sessions (from 1), the cluster given to each local neuron that is not registered (-1 = unassigned;
        entries of registered neurons are not used).
    days : sequence of int, optional
        Days of recording; by default 1, 2, ...
    """

    mouse: str
    pathway: str
    rates: Sequence[ArrayLike]
    registration: ArrayLike
    clusters: ArrayLike
    candidates: Mapping[int, ArrayLike] = field(default_factory=dict)
    days: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_choice("pathway", self.pathway, PATHWAYS)
        sizes, n_sessions = [len(np.asarray(r)) for r in self.rates], np.shape(self.registration)[1]
        if len(sizes) != n_sessions:
            raise ValueError(f"{self.mouse}: rates holds {len(sizes)} sessions, the registration {n_sessions}")
        table = check_registration(self.registration, sizes)
        if np.shape(self.clusters) != (len(table),):
            raise ValueError(f"{self.mouse}: clusters has shape {np.shape(self.clusters)}: it must be ({len(table)},)")
        if self.days is not None and len(self.days) != len(sizes):
            raise ValueError(f"{self.mouse}: days holds {len(self.days)} values for {len(sizes)} sessions")


def neuron_table(
    mice: Sequence[MouseNeurons], *, include_candidates: bool = False, behaviours: Sequence[str] = GROUPS
) -> pd.DataFrame:
    """Long table of the neurons of all mice; a neuron absent from a session has no row there.

    Parameters
    ----------
    mice : sequence of MouseNeurons
    include_candidates : bool
        Add neurons that are not registered ("extended" table).
    behaviours : sequence of str
        Names of the columns of the rates.

    Returns
    -------
    DataFrame
        ``id`` (mouse/session/local index: the recording of a neuron), ``neuron`` (the neuron: mouse/r + row of the
        registration, one over sessions; the id itself for a candidate), ``mouse``, ``pathway``, ``behaviour``,
        ``cluster`` (-1 = unassigned), ``session``, ``day``, ``rate``, ``candidate``.

    Raises
    ------
    ValueError
        If a mouse is there twice or shapes disagree.
    """
    names = [m.mouse for m in mice]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"mice = {names}: there must be at least one, each once")
    parts = []
    for m in mice:
        table, clusters = check_registration(m.registration), np.asarray(m.clusters)
        for j, rates in enumerate(m.rates):
            rows = np.flatnonzero(table[:, j] >= 0)
            local, ids = table[rows, j], [f"{m.mouse}/r{row}" for row in rows]
            parts.append(_rows(m, j, rates, local, ids, clusters[rows], False, behaviours))
            if include_candidates and j + 1 in m.candidates:
                given = np.asarray(m.candidates[j + 1])
                if given.shape != (len(np.asarray(rates)),):
                    raise ValueError(
                        f"{m.mouse}: candidates of session {j + 1} have shape {given.shape}: there must be one value "
                        f"for each of its {len(np.asarray(rates))} neurons"
                    )
                other = np.setdiff1d(np.arange(len(given)), local)
                parts.append(_rows(m, j, rates, other, None, given[other], True, behaviours))
    return pd.concat(parts, ignore_index=True)


def _rows(
    m: MouseNeurons,
    j: int,
    rates: ArrayLike,
    local: np.ndarray,
    neurons: list[str] | None,
    clusters: np.ndarray,
    candidate: bool,
    behaviours: Sequence[str],
) -> pd.DataFrame:
    rates = np.asarray(rates, float)
    if rates.ndim != 2 or rates.shape[1] != len(behaviours):
        raise ValueError(f"{m.mouse}: rates of session {j + 1} have shape {rates.shape}: (n, {len(behaviours)}) needed")
    ids = [f"{m.mouse}/{j + 1}/{i}" for i in local]
    n, b = len(local), len(behaviours)
    return pd.DataFrame(
        {
            "id": np.repeat(np.array(ids, object), b),
            "neuron": np.repeat(np.array(ids if neurons is None else neurons, object), b),
            "mouse": m.mouse,
            "pathway": m.pathway,
            "behaviour": np.tile(np.array(behaviours, object), n),
            "cluster": np.repeat(clusters.astype(int), b),
            "session": j + 1,
            "day": j + 1 if m.days is None else m.days[j],
            "rate": rates[local].ravel(),
            "candidate": candidate,
        }
    )


def neuron_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Neurons of each mouse and session of a table: ``pathway``, ``mouse``, ``session``, ``n``.

    Only those the table holds are counted: registered ones, or all if it was made with candidates.
    """
    found = table.groupby(["pathway", "mouse", "session"], observed=True)["id"].nunique()
    return found.rename("n").reset_index()


def count_test(counts: pd.DataFrame, session: int | None = None) -> dict[str, float | str]:
    """Test that pathways have as many neurons per session, with the mouse as the unit.

    Parameters
    ----------
    counts : DataFrame
        ``pathway``, ``mouse``, ``session``, ``n``.
    session : int, optional
        One session; by default the mean over sessions of each mouse.

    Returns
    -------
    dict
        ``value`` (A2A minus D1, mean of mice), exact ``p`` (all ways to deal the mice), ``smallest_p`` (0.1 with 3 and
        3 mice), ``n_mice``, ``statement``.

    Raises
    ------
    ValueError
        If a pathway has fewer than 2 mice.
    """
    chosen = counts if session is None else counts[counts["session"] == session]
    d1, a2a = (chosen[chosen["pathway"] == p] for p in PATHWAYS)
    few = [p for p, part in (("D1", d1), ("A2A", a2a)) if part["mouse"].nunique() < 2]
    if few:
        raise ValueError(f"counts: pathway {few[0]} has fewer than 2 mice: pathways cannot be compared over mice")
    found = mouse_permutation_test(
        d1["n"].to_numpy(float), d1["mouse"].to_numpy(), a2a["n"].to_numpy(float), a2a["mouse"].to_numpy()
    )
    said = f"inference is about mice (n = {int(found['n_mice'])}); no data can give p below {found['smallest_p']:g}"
    return found | {"statement": said}


# ---------------------------------------------------------------- changes between sessions


#: Published pairs of sessions: each with the next; first and last of FR1, last of FR1 and first of FR5, first and last
#: of FR5.
PAIRS = (*((s, s + 1) for s in range(1, 8)), (1, 4), (5, 8))


def session_contrasts(
    table: pd.DataFrame,
    pairs: Sequence[tuple[int, int]] = PAIRS,
    *,
    by: Sequence[str] = ("cluster", "behaviour"),
    value: str = "rate",
    transform: str = "none",
    least: int = 5,
) -> pd.DataFrame:
    """Change of a value from one session to another, for each cluster and behaviour.

    Neurons present in both sessions are compared with themselves. Two tests stand side by side: over neurons, with the
    mouse as a fixed effect (Student's t of the mean difference, spread within mice: inference is about the neurons of
    these mice), and over mice, exact (inference is about mice; no p below 2 / 2**n).

    Parameters
    ----------
    table : DataFrame
        Such as :func:`neuron_table` makes; candidates are in one session and drop out.
    pairs : sequence of (int, int)
        Sessions compared; (4, 5) is among the first seven of the default.
    by : sequence of str
        Columns that tell contrasts apart.
    value, transform
        As in :func:`netlib.statistics.mixed_models.fit_mixed_model`.
    least : int
        Fewest neurons of a contrast.

    Returns
    -------
    DataFrame, one row per contrast
        ``first``, ``second``, the columns of ``by``, ``n_neurons``, ``n_mice``, ``mean_first``, ``mean_second``,
        ``difference``, ``relative`` (difference over the first mean), ``effect`` (mean difference over its standard
        deviation), ``p`` and ``q`` over neurons, ``p_mouse``, ``q_mouse``, ``smallest_p_mouse`` over mice (NaN below 3
        mice), ``status`` ("tested" or why not). q: Benjamini-Hochberg over all contrasts of the call.
    """
    check_integer("least", least, 2)
    frame, y, _ = clean_table(table, [*by, "session"], value, transform, ())
    wide = frame.assign(y_=y).pivot_table(index=["mouse", "neuron", *by], columns="session", values="y_", observed=True)
    wide = wide.reset_index()
    rows = []
    for first, second in pairs:
        both = wide.dropna(subset=[first, second]) if {first, second} <= set(wide.columns) else wide[:0]
        groups = dict(iter(both.groupby(list(by), observed=True)))
        for key in wide[list(by)].drop_duplicates().sort_values(list(by)).itertuples(index=False, name=None):
            part = groups.get(key, both[:0])
            row = dict(zip(("first", "second", *by), (first, second, *key), strict=True))
            rows.append(row | _contrast(part, first, second, least))
    out = pd.DataFrame(rows)
    for p, q in (("p", "q"), ("p_mouse", "q_mouse")):
        out[q] = adjust_p_values(out[p].to_numpy(float), "bh")
    return out


def _contrast(part: pd.DataFrame, first: int, second: int, least: int) -> dict:
    from scipy.stats import t as student

    names = ("mean_first", "mean_second", "difference", "relative", "effect", "p", "p_mouse", "smallest_p_mouse")
    row = dict.fromkeys(names, np.nan) | {"n_neurons": len(part), "n_mice": part["mouse"].nunique(), "status": "tested"}
    if len(part) < least or len(part) <= row["n_mice"]:
        return row | {"status": f"{len(part)} neurons are in both sessions: at least {least} are needed"}
    a, b = part[first].to_numpy(float), part[second].to_numpy(float)
    difference, mice = b - a, part["mouse"].to_numpy()
    mean, freedom = difference.mean(), len(part) - row["n_mice"]
    within = pd.Series(difference).groupby(mice).transform("mean").to_numpy()
    variance = float(((difference - within) ** 2).sum()) / freedom
    row |= {"mean_first": a.mean(), "mean_second": b.mean(), "difference": mean}
    row["relative"] = mean / a.mean() if a.mean() else np.nan
    if variance <= 1e-18:
        return row | {"status": "all neurons change by the same: there is no spread to test with"}
    row["effect"] = mean / difference.std(ddof=1)
    row["p"] = float(2 * student.sf(abs(mean) / np.sqrt(variance / len(part)), freedom))
    if row["n_mice"] >= 3:
        over_mice = mouse_sign_test(difference, mice)
        row |= {"p_mouse": over_mice["p"], "smallest_p_mouse": over_mice["smallest_p"]}
    return row
