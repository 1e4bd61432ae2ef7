"""The claims of the thesis abstract, mouse by mouse, how far a few mice carry them, and whether planted ones are found.

A claim is "found" if every mouse shows it: three mice of a pathway can be dealt in so few ways that no test over mice
can be significant, and then that is said too (:mod:`netlib.statistics.mice`). The experiment over seeds
(:func:`pathway_claims`) plants the claims, their opposites, or nothing, and analyses the mice as the pipeline does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_integer
from netlib.base.store import Result
from netlib.pathways.behaviour import GROUPS, bin_activity, bin_labels, bin_times
from netlib.pathways.cluster_checks import contingency, scores_of_tables
from netlib.pathways.decoding import Svm, decode_behaviour, matched_scores
from netlib.pathways.labels import categories
from netlib.pathways.modulation import percentile_test
from netlib.pathways.neurons import MouseNeurons
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.session import PATHWAYS, BehaviourSession
from netlib.pathways.simulate import MousePlan, SyntheticParameters, mouse_names, synthetic_mouse
from netlib.pathways.steps import (
    LEAST_NEURONS,
    MouseVectors,
    analyse_session,
    bins_of,
    cluster_neurons,
    codes_of,
    leakage_of,
)
from netlib.statistics.mice import pathway_claim, smallest_p
from netlib.sweep.seeds import over_seeds, save_table

__all__ = [
    "CLAIMS",
    "CONDITIONS",
    "AnalysedMouse",
    "code_table",
    "engagement",
    "judge_claims",
    "make_mice",
    "mouse_table",
    "null_leakage",
    "pathway_claims",
    "planted_clusters",
    "published_share",
    "run_claims",
    "subpopulations",
]


# ---------------------------------------------------------------- the claims


#: Names of the claims.
CLAIMS = (
    "similar engagement",
    "different subpopulations",
    "direct pathway codes by activation",
    "indirect pathway codes by inactivation",
)
#: Share of neurons with any category from which a mouse counts as engaged at all: twice what chance would give.
ENGAGED = 0.1
#: Bias (activated - inactivated) / (activated + inactivated) from which a mouse has a code.
BIAS = 0.2
#: Agreement (AMI) of clusters and pathways from which subpopulations are different.
DIFFERENT = 0.1
#: Ways to deal mice to pathways at most.
MOST_WAYS = 5000


def engagement(vectors: list[np.ndarray], leading: list[np.ndarray]) -> dict[str, float]:
    """How a mouse codes.

    Parameters
    ----------
    vectors : list of ndarray, shape (n, 8)
        Categories of each session.
    leading : list of ndarray, shape (n,)
        Sign of each neuron in each session (:func:`netlib.pathways.labels.leading_signs`).

    Returns
    -------
    dict
        ``engaged``, share of neurons with any category, mean of the sessions; ``activated``, ``inactivated``, neurons
        by sign, all sessions together; ``bias`` = (activated - inactivated) / both, NaN without any.
    """
    engaged = float(np.mean([(np.nansum(v, axis=1) > 0).mean() for v in vectors if len(v)] or [np.nan]))
    up, down = (sum(int((signs == way).sum()) for signs in leading) for way in (1, -1))
    bias = (up - down) / (up + down) if up + down else np.nan
    return {"engaged": engaged, "activated": up, "inactivated": down, "bias": bias}


def subpopulations(labels: np.ndarray, mouse: np.ndarray, pathway: np.ndarray) -> dict[str, float]:
    """Agreement (AMI) of clusters of all mice's neurons with their pathways, against mice dealt to pathways otherwise.

    Returns
    -------
    dict
        ``ami``, ``p`` = share of all ways to deal the mice that give as much, ``smallest_p`` with so many mice,
        ``n_mice``.
    """
    keep = labels >= 0
    labels, mouse, pathway = labels[keep], mouse[keep], pathway[keep]
    names, index = np.unique(mouse, return_inverse=True)
    first = np.array([pathway[mouse == name][0] for name in names]) if len(names) else np.zeros(0, str)
    n_direct = int((first == "D1").sum())
    if len(names) < 2 or n_direct in (0, len(names)) or len(set(labels.tolist())) < 2:
        return {"ami": np.nan, "p": np.nan, "smallest_p": np.nan, "n_mice": float(len(names))}
    ami = _ami(labels, (first == "D1")[index])
    p = np.nan
    if comb(len(names), n_direct) <= MOST_WAYS:
        ways = [np.isin(index, way) for way in combinations(range(len(names)), n_direct)]
        p = float(np.mean([_ami(labels, way) >= ami - 1e-12 for way in ways]))
    least = smallest_p(n_direct, len(names) - n_direct)
    return {"ami": ami, "p": p, "smallest_p": least, "n_mice": float(len(names))}


def _ami(labels: np.ndarray, direct: np.ndarray) -> float:
    table = contingency(labels, direct.astype(int)).to_numpy()
    return float(scores_of_tables(table[None])["ami"][0])


def judge_claims(mice: pd.DataFrame, clusters: dict[str, float], margin: float, alpha: float) -> pd.DataFrame:
    """Every claim with its numbers, and whether it is found in these mice.

    Parameters
    ----------
    mice : DataFrame
        ``mouse``, ``pathway``, ``engaged``, ``bias``.
    clusters : dict
        Of :func:`subpopulations`.
    margin : float
        Difference of shares up to which engagement is similar.
    alpha : float
        Level of the tests over mice.

    Returns
    -------
    DataFrame
        ``claim``, ``measure``, ``direct``, ``indirect`` (mean of mice), ``verdict`` ("found", "reversed", "not found",
        "not engaged", "no comparison"), ``mice`` (how many show it, of how many), ``p`` over mice, ``smallest_p``,
        ``about``: what can be said beyond these mice.
    """
    mean = mice.groupby("pathway")[["engaged", "bias"]].mean().reindex(list(PATHWAYS))
    rows = [_similar(mice, mean, margin, alpha), _different(clusters, mice)]
    rows += [_code(mice, mean, pathway, sign, alpha) for pathway, sign in (("D1", 1.0), ("A2A", -1.0))]
    return pd.DataFrame([{"claim": name, **row} for name, row in zip(CLAIMS, rows, strict=True)])


def _row(measure: str, mean: pd.Series, verdict: str, shown: str, test: dict[str, Any]) -> dict[str, Any]:
    numbers = {"direct": float(mean.get("D1", np.nan)), "indirect": float(mean.get("A2A", np.nan))}
    return {"measure": measure, **numbers, "verdict": verdict, "mice": shown, **test}


def _similar(mice: pd.DataFrame, mean: pd.DataFrame, margin: float, alpha: float) -> dict[str, Any]:
    share, engaged = mean["engaged"], mice["engaged"] >= ENGAGED
    if share.isna().any():
        verdict = "no comparison"
    elif not engaged.all():
        verdict = "not engaged"
    else:
        verdict = "found" if abs(share["D1"] - share["A2A"]) <= margin else "not found"
    test = _over_mice(mice, "engaged", alpha)
    test["about"] = f"similar: shares differ by at most {margin:g}; a large p is no proof of equality"
    return _row("share of neurons with any category", share, verdict, f"{engaged.sum()} of {len(mice)} engaged", test)


def _different(clusters: dict[str, float], mice: pd.DataFrame) -> dict[str, Any]:
    ami, p = clusters["ami"], clusters["p"]
    if np.isnan(ami):
        verdict = "no comparison"
    else:  # p: no other way to deal the mice, but for swapping the pathways, agrees better
        verdict = "found" if ami >= DIFFERENT and not p > clusters["smallest_p"] + 1e-12 else "not found"
    both = pd.Series({"D1": ami, "A2A": ami})
    test = {"p": p, "smallest_p": clusters["smallest_p"], "about": _about(p, clusters["smallest_p"], 0.05)}
    return _row("agreement of pooled clusters with the pathway (AMI)", both, verdict, f"{len(mice)}", test)


def _code(mice: pd.DataFrame, mean: pd.DataFrame, pathway: str, sign: float, alpha: float) -> dict[str, Any]:
    own = mice[mice["pathway"] == pathway]
    engaged = own["engaged"] >= ENGAGED
    away = own["bias"] * sign
    if own.empty:
        verdict = "no comparison"
    elif not engaged.all():
        verdict = "not engaged"
    elif (away >= BIAS).all():
        verdict = "found"
    else:
        verdict = "reversed" if (away <= -BIAS).all() else "not found"
    shown = f"{int((engaged & (away >= BIAS)).sum())} of {len(own)}"
    return _row("bias (activated - inactivated) / both", mean["bias"], verdict, shown, _over_mice(mice, "bias", alpha))


def _over_mice(mice: pd.DataFrame, value: str, alpha: float) -> dict[str, Any]:
    """Test of the difference of pathways with the mouse as the unit."""
    try:
        found = pathway_claim(mice, value=value, alpha=alpha)
    except ValueError as error:
        return {"p": np.nan, "smallest_p": np.nan, "about": str(error)}
    return {"p": found["p"], "smallest_p": found["smallest_p"], "about": found["reason"] or "holds over mice"}


def _about(p: float, least: float, alpha: float) -> str:
    if np.isnan(p):
        return "no test over mice"
    if least > alpha:
        return f"so few mice give no p below {least:.2g}: a claim about pathways needs more"
    return "holds over mice" if p <= alpha else f"p = {p:.2g} over mice is above {alpha:g}"


# ---------------------------------------------------------------- synthetic mice


#: What is planted in the direct and in the indirect pathway (names of :data:`netlib.pathways.simulate.CLAIMS`).
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


@dataclass(frozen=True, eq=False)
class AnalysedMouse:
    """A synthetic mouse and what the pipeline found in it.

    Attributes
    ----------
    plan : MousePlan
        The truth.
    sessions : list of BehaviourSession
    results : list of dict
        Of :func:`netlib.pathways.steps.analyse_session`.
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
    pathways: Sequence[str] = PATHWAYS,
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
        One of :data:`netlib.pathways.simulate.CLAIMS`.
    pathways : sequence of str
        Those wanted.
    mice : int
        Mice of both pathways together.
    parameters : PipelineParameters, optional
    **size
        Of :class:`netlib.pathways.simulate.SyntheticParameters`, such as ``neurons``, ``sessions``, ``minutes``.
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

    The code of a neuron is what it does in the other sessions (:func:`netlib.pathways.steps.codes_of`).

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
        x, y, times = bins_of(result)
        sets = {name: np.flatnonzero(codes == sign) for name, sign in CODES.items()}
        chance = 1.0 / len(np.unique(y[y >= 0]))
        matched = {}
        if min(map(len, sets.values())) >= LEAST_NEURONS:
            found = matched_scores(x, sets, y, times, GROUPS, draws=parameters.draws, svm=svm, seed=parameters.seed)
            matched = found.groupby("set")["balanced_accuracy"].mean()
        head = {"mouse": one.mouse, "pathway": one.pathway, "session": session.session, "chance": chance}
        for name, members in sets.items():
            score = chance
            if len(members) >= LEAST_NEURONS:
                score = decode_behaviour(x[:, members], y, times, GROUPS, svm=svm).balanced_accuracy
            row = {"set": name, "size": len(members), "balanced_accuracy": score, "matched": matched.get(name, np.nan)}
            rows.append(head | row)
    return pd.DataFrame(rows)


def mouse_table(mice: Sequence[AnalysedMouse], codes: pd.DataFrame | None = None) -> pd.DataFrame:
    """What the claims are judged by, one row per mouse.

    Returns
    -------
    DataFrame
        ``mouse``, ``pathway``, ``planted``, what :func:`engagement` returns and, with tables of
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
    tables = []
    for name, activity in kinds.items():
        x = bin_activity(activity, events.dt, width)
        labels = bin_labels(session.merged, GROUPS, len(x), width)
        tables.append(leakage_of(name, x, labels, bin_times(len(x), width), svm))
    return pd.concat(tables, ignore_index=True).assign(mouse=one.mouse)


# ---------------------------------------------------------------- experiment over seeds


#: Of the published analysis.
CLUSTERS = 6
VERDICTS = {"found": 1.0, "reversed": -1.0}


def pathway_claims(
    seed: int,
    mice: int = 6,
    sessions: int = 4,
    neurons: int = 30,
    minutes: float = 8.0,
    conditions: Sequence[str] = tuple(CONDITIONS),
    parameters: PipelineParameters | None = None,
) -> pd.DataFrame:
    """Plant the claims of the abstract and their opposites in the same mice, and analyse them as the pipeline does.

    Parameters
    ----------
    seed : int
        Master seed.
    mice, sessions, neurons, minutes
        Mice (half of each pathway), sessions of each, neurons in a session, length of a session (min).
    conditions : sequence of str
        Of :data:`CONDITIONS`.
    parameters : PipelineParameters, optional
        Of the analysis; by default with six clusters, as published, and three draws of matched neurons.

    Returns
    -------
    DataFrame, one row per condition and measure; columns ``value`` and ``n`` (mice)
        Each of :data:`CLAIMS`, by its verdict: 1 found, -1 reversed, 0 neither. By pathway,
        means of mice: "planted <pathway>" and "engaged <pathway>" (share of neurons that code, and that are found to);
        "bias <pathway>" (activated less inactivated neurons, over both; NaN if no mouse is engaged); "activation
        <pathway>" and "inactivation <pathway>" (balanced accuracy from the neurons of a code), "matched activation
        <pathway>" and so on (from equal numbers); "ARI <pathway>" (clusters against planted subpopulations). Of both:
        "AMI" of clusters with the pathway; "p engaged", "p bias", "p AMI" over mice, and the "smallest p" there is.
        Where nothing is planted: "published", share of neurons with any published label, and the balanced accuracy of
        "<features>, <split> split" in one mouse of each pathway (:func:`null_leakage`).
    """
    p = PipelineParameters(k=CLUSTERS, draws=3, permutations=49) if parameters is None else parameters
    check_integer("mice", mice, 4, unit="mice")
    size = {"mice": mice, "sessions": sessions, "neurons": neurons, "minutes": minutes, "parameters": p}
    made: dict[tuple[str, str], tuple[list[AnalysedMouse], pd.DataFrame]] = {}
    rows = []
    for name in conditions:
        planted = CONDITIONS[check_choice("condition", name, CONDITIONS)]
        for key in zip(planted, PATHWAYS, strict=True):
            if key not in made:
                own = make_mice(seed, key[0], key[1:], **size)
                made[key] = own, pd.concat([code_table(one, p) for one in own], ignore_index=True)
        parts = [made[key] for key in zip(planted, PATHWAYS, strict=True)]
        both = [one for own, _ in parts for one in own]
        found = _judged(both, pd.concat([codes for _, codes in parts]), p) | _true_clusters(both, p)
        if name == "none":
            found |= _published(both, p)
        rows += [{"condition": name, "measure": measure, "value": value, "n": mice} for measure, value in found.items()]
    return pd.DataFrame(rows)


def _judged(mice: list[AnalysedMouse], codes: pd.DataFrame, p: PipelineParameters) -> dict[str, float]:
    table = mouse_table(mice)
    pooled = cluster_neurons([one.vectors() for one in mice], p, compare=False)
    together = subpopulations(pooled["labels"], pooled["mouse"], pooled["pathway"])
    claims = judge_claims(table, together, p.margin, p.alpha).set_index("claim")
    found = {name: VERDICTS.get(claims["verdict"][name], 0.0) for name in CLAIMS}
    found |= {"AMI": together["ami"], "p AMI": together["p"], "smallest p": together["smallest_p"]}
    found |= {"p engaged": claims["p"][CLAIMS[0]], "p bias": claims["p"][CLAIMS[2]]}
    table["bias"] = table["bias"].where(table["engaged"] >= ENGAGED)  # of a handful of false labels it says nothing
    means = table.groupby("pathway")[["planted", "engaged", "bias"]].mean()
    found |= {f"{measure} {pathway}": value for pathway, row in means.iterrows() for measure, value in row.items()}
    by_mouse = codes.groupby(["pathway", "set", "mouse"])[["balanced_accuracy", "matched"]].mean()
    for (pathway, code), row in by_mouse.groupby(["pathway", "set"]).mean().iterrows():
        found |= {f"{code} {pathway}": row["balanced_accuracy"], f"matched {code} {pathway}": row["matched"]}
    return {name: float(value) for name, value in found.items()}


def planted_clusters(mice: Sequence[AnalysedMouse], clusters: dict[str, Any]) -> np.ndarray:
    """Planted subpopulation of each clustered neuron; -1 for neurons that code nothing.

    Parameters
    ----------
    mice : sequence of AnalysedMouse
    clusters : dict
        Of :func:`netlib.pathways.steps.cluster_neurons`.
    """
    truth = {}
    for one in mice:
        silent = one.plan.cluster == one.plan.names.index("none")
        truth[one.mouse] = np.where(silent, -1, one.plan.cluster)[one.plan.seen]
    return np.array([truth[mouse][row] for mouse, row in zip(clusters["mouse"], clusters["row"], strict=True)], int)


def _true_clusters(mice: list[AnalysedMouse], p: PipelineParameters) -> dict[str, float]:
    """Clusters of each pathway against the planted ones, of neurons that have both."""
    from sklearn.metrics import adjusted_rand_score

    found = {}
    for pathway in PATHWAYS:
        own = [one for one in mice if one.pathway == pathway]
        clusters = cluster_neurons([one.vectors() for one in own], p, compare=False)
        truth = planted_clusters(own, clusters)
        known = (truth >= 0) & (clusters["labels"] >= 0)
        found[f"ARI {pathway}"] = np.nan
        if known.sum() > 1:
            found[f"ARI {pathway}"] = float(adjusted_rand_score(truth[known], clusters["labels"][known]))
    return found


def _published(mice: list[AnalysedMouse], p: PipelineParameters) -> dict[str, float]:
    """What the published tests, and random splits, find where there is nothing."""
    first = {one.pathway: one for one in reversed(mice)}
    tables = pd.concat([null_leakage(one, p) for one in first.values()])
    scores = tables.groupby(["features", "split"])["score"].mean()
    found = {f"{features}, {split} split": float(value) for (features, split), value in scores.items()}
    return {"published": float(np.mean([published_share(one) for one in mice])), **found}


def run_claims(
    output: str | os.PathLike, seeds: int = 10, *, workers: int = 1, progress: bool | None = None, **settings: Any
) -> Path:
    """Run :func:`pathway_claims` for the seeds 1 to ``seeds`` and write one table that says where it comes from.

    Parameters
    ----------
    output : path
        A CSV file.
    seeds, workers : int
        Seeds, and processes.
    progress : bool, optional
        Show a progress bar; by default only on a terminal.
    **settings
        Of :func:`pathway_claims`.
    """
    numbers = range(1, check_integer("seeds", seeds, 1) + 1)
    table = over_seeds(pathway_claims, numbers, workers=workers, progress=progress, **settings)
    return save_table(table, output)
