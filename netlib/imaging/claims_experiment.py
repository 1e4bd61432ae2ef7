"""An experiment over seeds: do the pipeline's analyses find what is planted, and not what is not?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.experiments.base import over_seeds, save_table
from netlib.imaging.claims import CLAIMS, ENGAGED, judge_claims, subpopulations
from netlib.imaging.claims_mice import (
    CONDITIONS,
    AnalysedMouse,
    code_table,
    make_mice,
    mouse_table,
    null_leakage,
    published_share,
)
from netlib.imaging.cluster_step import cluster_neurons
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.units import check_choice, check_integer

__all__ = ["pathway_claims", "planted_clusters", "run_claims"]

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
        Of :data:`netlib.imaging.claims_mice.CONDITIONS`.
    parameters : PipelineParameters, optional
        Of the analysis; by default with six clusters, as published, and three draws of matched neurons.

    Returns
    -------
    DataFrame, one row per condition and measure; columns ``value`` and ``n`` (mice)
        Each of :data:`netlib.imaging.claims.CLAIMS`, by its verdict: 1 found, -1 reversed, 0 neither. By pathway,
        means of mice: "planted <pathway>" and "engaged <pathway>" (share of neurons that code, and that are found to);
        "bias <pathway>" (activated less inactivated neurons, over both; NaN if no mouse is engaged); "activation
        <pathway>" and "inactivation <pathway>" (balanced accuracy from the neurons of a code), "matched activation
        <pathway>" and so on (from equal numbers); "ARI <pathway>" (clusters against planted subpopulations). Of both:
        "AMI" of clusters with the pathway; "p engaged", "p bias", "p AMI" over mice, and the "smallest p" there is.
        Where nothing is planted: "published", share of neurons with any published label, and the balanced accuracy of
        "<features>, <split> split" in one mouse of each pathway (:func:`netlib.imaging.claims_mice.null_leakage`).
    """
    p = PipelineParameters(k=CLUSTERS, draws=3, permutations=49) if parameters is None else parameters
    check_integer("mice", mice, 4, unit="mice")
    size = {"mice": mice, "sessions": sessions, "neurons": neurons, "minutes": minutes, "parameters": p}
    made: dict[tuple[str, str], tuple[list[AnalysedMouse], pd.DataFrame]] = {}
    rows = []
    for name in conditions:
        planted = CONDITIONS[check_choice("condition", name, CONDITIONS)]
        for key in zip(planted, ("D1", "A2A"), strict=True):
            if key not in made:
                own = make_mice(seed, key[0], key[1:], **size)
                made[key] = own, pd.concat([code_table(one, p) for one in own], ignore_index=True)
        parts = [made[key] for key in zip(planted, ("D1", "A2A"), strict=True)]
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
        Of :func:`netlib.imaging.cluster_step.cluster_neurons`.
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
    for pathway in ("D1", "A2A"):
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
    output: str | os.PathLike,
    seeds: int = 10,
    *,
    workers: int = 1,
    progress: bool | None = None,
    **settings: Any,
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
