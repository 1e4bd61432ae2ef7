"""Synthetic mice in which claims are planted, through the steps of the pipeline, without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.behaviour_bins import bin_activity, bin_labels, bin_times
from netlib.analysis.behaviour_decoding import Svm, decode_behaviour, leakage
from netlib.analysis.decoding_sizes import matched_scores
from netlib.analysis.modulation_labels import categories
from netlib.analysis.modulation_percentile import percentile_test
from netlib.analysis.neuron_table import MouseNeurons
from netlib.imaging.claims import engagement
from netlib.imaging.cluster_step import MouseVectors
from netlib.imaging.decoding_step import codes_of
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.populations import MousePlan, SyntheticParameters
from netlib.imaging.session_step import analyse_session
from netlib.imaging.steps import Result
from netlib.imaging.synthetic import mouse_names, synthetic_mouse
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.recordings.operant.behaviour_session import BehaviourSession

__all__ = [
    "CONDITIONS",
    "AnalysedMouse",
    "code_table",
    "make_mice",
    "mouse_table",
    "null_leakage",
    "published_share",
]

#: What is planted in the direct and in the indirect pathway (names of :data:`netlib.imaging.populations.CLAIMS`).
#: "abstract" has all that the abstract claims; the others lack it: "reverse" has the codes swapped, "alike" the same
#: subpopulations in both pathways, "unequal" hardly any engagement of the indirect one, "none" nothing at all.
CONDITIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "abstract": ("abstract", "abstract"),
        "reverse": ("reverse", "reverse"),
        "alike": ("abstract", "reverse"),
        "unequal": ("abstract", "unequal"),
        "none": ("none", "none"),
    }
)
CODES = {"activation": 1, "inactivation": -1}
#: Neurons that a code must have to be decoded from.
LEAST = 3


@dataclass(frozen=True, eq=False)
class AnalysedMouse:
    """A synthetic mouse and what the pipeline found in it.

    Attributes
    ----------
    plan : MousePlan
        The truth.
    sessions : list of BehaviourSession
    results : list of dict
        Of :func:`netlib.imaging.session_step.analyse_session`.
    """

    plan: MousePlan
    sessions: list[BehaviourSession]
    results: list[Result]

    @property
    def mouse(self) -> str:
        """Its name."""
        return self.plan.mouse

    @property
    def pathway(self) -> str:
        """D1 or A2A."""
        return self.plan.pathway

    @property
    def table(self) -> np.ndarray:
        """Registered neurons (true ones), int (n_registered, n_sessions), -1 where absent."""
        return self.plan.registration.to_numpy()

    @property
    def planted(self) -> float:
        """Share of neurons that code something in a session, mean of the sessions."""
        return float(np.mean([session.truth["categories"].any(axis=1).mean() for session in self.sessions]))

    def all_of(self, name: str) -> list[Any]:
        """One result of every session."""
        return [result[name] for result in self.results]

    def vectors(self) -> MouseVectors:
        """As the clustering wants them."""
        numbers = tuple(session.session for session in self.sessions)
        return MouseVectors(self.mouse, self.pathway, numbers, self.table, self.all_of("vectors"))

    def neurons(self) -> MouseNeurons:
        """As the long table of rates wants them, without clusters."""
        return MouseNeurons(self.mouse, self.pathway, self.all_of("rates"), self.table, np.full(len(self.table), -1))


def make_mice(
    seed: int,
    planted: str = "abstract",
    pathways: Sequence[str] = ("D1", "A2A"),
    *,
    mice: int = 6,
    parameters: PipelineParameters | None = None,
    **size: Any,
) -> list[AnalysedMouse]:
    """Make mice, half of each pathway, and analyse each of their sessions.

    Parameters
    ----------
    seed : int
        Master seed. Mice of one name behave alike whatever is planted, and have the same cells in the same sessions.
    planted : str
        One of :data:`netlib.imaging.populations.CLAIMS`.
    pathways : sequence of str
        Those wanted.
    mice : int
        Mice of both pathways together.
    parameters : PipelineParameters, optional
    **size
        Of :class:`netlib.imaging.populations.SyntheticParameters`, such as ``neurons``, ``sessions``, ``minutes``.
    """
    parameters = PipelineParameters() if parameters is None else parameters
    synthetic = SyntheticParameters(claims=planted, **size)
    made = []
    for mouse, pathway in mouse_names(mice):
        if pathway in pathways:
            sessions, plan = synthetic_mouse(seed, mouse, pathway, synthetic, footprints=False, spikes=False)
            made.append(AnalysedMouse(plan, sessions, [analyse_session(one, parameters) for one in sessions]))
    return made


def code_table(one: AnalysedMouse, parameters: PipelineParameters) -> pd.DataFrame:
    """Decode the four groups in every session from activated neurons only and from inactivated ones only.

    The code of a neuron is what it does in the other sessions (:func:`netlib.imaging.decoding_step.codes_of`).

    Returns
    -------
    DataFrame, one row per session and code
        ``mouse``, ``pathway``, ``session``, ``set``, ``size`` (neurons), ``balanced_accuracy`` of all neurons of the
        code (chance, where there are fewer than three), ``matched`` of as many neurons as the smaller code has (NaN, if
        either has fewer than three), and ``chance``.
    """
    svm = Svm(block=parameters.block, seed=parameters.seed)
    rows = []
    for k, (session, result) in enumerate(zip(one.sessions, one.results, strict=True)):
        codes = codes_of(one.all_of("leading"), one.table, k)
        x, y = np.asarray(result["features"], float), np.asarray(result["bin_labels"])
        times = bin_times(len(x), float(result["bin"]))
        sets = {name: np.flatnonzero(codes == sign) for name, sign in CODES.items()}
        chance = 1.0 / len(np.unique(y[y >= 0]))
        matched = _matched(x, sets, y, times, svm, parameters)
        head = {"mouse": one.mouse, "pathway": one.pathway, "session": session.session, "chance": chance}
        for name, members in sets.items():
            score = chance
            if len(members) >= LEAST:
                score = decode_behaviour(x[:, members], y, times, GROUPS, svm=svm).balanced_accuracy
            row = {"set": name, "size": len(members), "balanced_accuracy": score, "matched": matched.get(name, np.nan)}
            rows.append(head | row)
    return pd.DataFrame(rows)


def _matched(
    x: np.ndarray,
    sets: Mapping[str, np.ndarray],
    y: np.ndarray,
    times: np.ndarray,
    svm: Svm,
    parameters: PipelineParameters,
) -> dict[str, float]:
    if min(map(len, sets.values())) < LEAST:
        return {}
    options = {"draws": parameters.draws, "svm": svm, "seed": parameters.seed}
    found = matched_scores(x, sets, y, times, GROUPS, **options)
    return found.groupby("set")["balanced_accuracy"].mean().to_dict()


def mouse_table(mice: Sequence[AnalysedMouse], codes: pd.DataFrame | None = None) -> pd.DataFrame:
    """What the claims are judged by, one row per mouse.

    Returns
    -------
    DataFrame
        ``mouse``, ``pathway``, ``planted``, what :func:`netlib.imaging.claims.engagement` returns and, with tables of
        :func:`code_table`, ``advantage``: the score of the activated less that of the inactivated neurons, mean of the
        sessions.
    """
    rows = []
    for one in mice:
        row = {"mouse": one.mouse, "pathway": one.pathway, "planted": one.planted}
        rows.append(row | engagement(one.all_of("vectors"), one.all_of("leading")))
    table = pd.DataFrame(rows)
    if codes is not None:
        wide = codes.pivot_table(index="mouse", columns="set", values="balanced_accuracy")
        table["advantage"] = table["mouse"].map(wide["activation"] - wide["inactivation"])
    return table


def published_share(one: AnalysedMouse) -> float:
    """Share of neurons with any of eight labels by the published percentiles of seven behaviours, mean of the sessions.

    Activity is the trace "events", as counts; nothing corrects for the number of tests.
    """
    shares = []
    for session in one.sessions:
        events = session.recording.traces["events"]
        found = percentile_test(events.values, session.intervals, session.duration, events.dt, "counts")
        shares.append(float((np.nansum(categories(found), axis=1) > 0).mean()))
    return float(np.mean(shares))


def null_leakage(
    one: AnalysedMouse, parameters: PipelineParameters, *, width: float = 200.0, smooth: float = 500.0
) -> pd.DataFrame:
    """Scores of random and of blocked splits in the last session of a mouse in which nothing is planted.

    Parameters
    ----------
    one : AnalysedMouse
    parameters : PipelineParameters
    width : float
        Of the bins that are decoded (ms).
    smooth : float
        Standard deviation of the Gaussian that the second kind of features is smoothed by (ms).

    Returns
    -------
    DataFrame
        ``features`` ("events, linear", "smoothed, rbf", ...), ``split``, ``score`` (balanced accuracy), ``chance``.
    """
    from scipy.ndimage import gaussian_filter1d

    session, svm = one.sessions[-1], Svm(block=parameters.block, seed=parameters.seed)
    events = session.recording.traces["events"]
    values = np.asarray(events.values, float)
    kinds = {"events": values, "smoothed": gaussian_filter1d(values, smooth / events.dt, axis=1)}
    rows = []
    for name, activity in kinds.items():
        x = bin_activity(activity, events.dt, width)
        table = leakage(x, bin_labels(session.merged, GROUPS, len(x), width), bin_times(len(x), width), GROUPS, svm=svm)
        for kernel, row in table.iterrows():
            for split in ("random", "blocked"):
                head = {"features": f"{name}, {kernel}", "split": split}
                rows.append(head | {"score": row[split], "chance": row["chance"]})
    return pd.DataFrame(rows).assign(mouse=one.mouse)
