"""Statistics over all neurons, sessions and mice: tables, mixed models, contrasts, decoding, claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.decoding_statistics import cluster_model, paired_clusters, size_control
from netlib.analysis.mixed_models import fit_mixed_model
from netlib.analysis.modulation_labels import fractions, labels_per_neuron, pathway_fractions
from netlib.analysis.neuron_table import MouseNeurons, count_test, neuron_table
from netlib.analysis.rate_models import ols_anova
from netlib.analysis.session_contrasts import PAIRS, session_contrasts
from netlib.analysis.spatial_clustering import spatial_clustering
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.steps import Result

__all__ = ["OfMouse", "decoding_statistics", "modulation_statistics", "place_of_neurons", "rate_statistics"]

#: Fixed effects of the model of each pathway, and of both.
TERMS = "behaviour * cluster + day"
BOTH = "behaviour * pathway + day"


class OfMouse:
    """What statistics need of one mouse.

    Parameters
    ----------
    mouse, pathway : str
    sessions : mapping of int to mapping
        By number, ``vectors``, ``rates`` and, where there are footprints, ``centroids``.
    registration : mapping
        ``table`` and perhaps ``shifts``.
    clusters, candidates
        Clusters of the rows of the registration (-1 = none), and by session those of its neurons.
    """

    def __init__(
        self,
        mouse: str,
        pathway: str,
        sessions: Mapping[int, Mapping[str, Any]],
        registration: Mapping[str, Any],
        clusters: np.ndarray,
        candidates: Mapping[int, np.ndarray],
    ) -> None:
        self.mouse, self.pathway, self.sessions = mouse, pathway, sessions
        self.registration, self.clusters, self.candidates = registration, clusters, candidates

    def neurons(self) -> MouseNeurons:
        """As the long table wants them."""
        numbers = list(self.sessions)
        given = {numbers.index(k) + 1: labels for k, labels in self.candidates.items()}
        rates = [self.sessions[k]["rates"] for k in numbers]
        table = self.registration["table"]
        return MouseNeurons(self.mouse, self.pathway, rates, table, self.clusters, given, numbers)


def place_of_neurons(one: OfMouse) -> np.ndarray:
    """Centres (px) of the registered neurons of a mouse, in the field of its first session; NaN without footprints."""
    table = one.registration["table"]
    shifts = one.registration.get("shifts", np.zeros((len(one.sessions), 2)))
    out = np.full((len(table), 2), np.nan)
    for j, session in reversed(list(enumerate(one.sessions.values()))):
        if "centroids" in session:
            here = table[:, j] >= 0
            out[here] = session["centroids"][table[here, j]] - shifts[j]
    return out


def modulation_statistics(mice: list[OfMouse], parameters: PipelineParameters) -> Result:
    """Shares of activated and inactivated neurons, labels per neuron, counts of neurons, where clusters lie.

    Returns
    -------
    dict
        ``fractions`` (neurons pooled), ``fractions_mice`` (mouse as unit), ``labels <pathway>``, ``counts``,
        ``count_test``, ``spatial`` (table by mouse).
    """
    vectors = {(m.pathway, m.mouse, k): s["vectors"] for m in mice for k, s in m.sessions.items()}
    counts = pd.DataFrame(
        [(m.mouse, m.pathway, k, len(s["vectors"])) for m in mice for k, s in m.sessions.items()],
        columns=["mouse", "pathway", "session", "n"],
    )
    result: Result = {
        "fractions": pathway_fractions(vectors, "neuron"),
        "fractions_mice": pathway_fractions(vectors, "mouse"),
        "fractions_each": pd.concat(
            [fractions(v).assign(pathway=p, mouse=m, session=k) for (p, m, k), v in vectors.items()], ignore_index=True
        ),
        "counts": counts,
        "count_test": _or_reason(count_test, counts),
    }
    for pathway in dict.fromkeys(m.pathway for m in mice):
        own = np.concatenate([v for (p, _, _), v in vectors.items() if p == pathway])
        result[f"labels {pathway}"] = labels_per_neuron(own)
    rows = []
    for m in mice:
        options = {"n_permutations": 999, "seed": parameters.seed}
        rows.append({"mouse": m.mouse, **_or_reason(spatial_clustering, place_of_neurons(m), m.clusters, **options)})
    return result | {"spatial": pd.DataFrame(rows)}


def rate_statistics(mice: list[OfMouse], parameters: PipelineParameters) -> Result:
    """Mixed models and contrasts of the rates.

    Returns
    -------
    dict
        ``table`` (one row per neuron, session and behaviour, candidates included); for each pathway
        ``tests <pathway>``, ``coefficients <pathway>``, ``ols <pathway>``, ``contrasts <pathway>`` and ``model
        <pathway>`` (statement, numbers), or ``model <pathway>`` with a ``failure``; with two pathways the same of
        "both".
    """
    table = neuron_table([m.neurons() for m in mice], include_candidates=True)
    table["session"] = table["day"]
    registered = table[~table["candidate"]]
    result: Result = {"table": table}
    pathways = list(dict.fromkeys(m.pathway for m in mice))
    for pathway in pathways:
        own = registered[registered["pathway"] == pathway]
        result |= _model(own, TERMS, pathway, parameters)
        numbers = set(own["session"])
        pairs = [pair for pair in PAIRS if set(pair) <= numbers]
        clustered = own[own["cluster"] >= 0]
        if pairs and len(clustered):
            found = _or_reason(session_contrasts, clustered, pairs)
            if isinstance(found, pd.DataFrame):
                result[f"contrasts {pathway}"] = found
    if len(pathways) > 1:
        result |= _model(registered, BOTH, "both", parameters)
    return result


def _model(table: pd.DataFrame, terms: str, name: str, p: PipelineParameters) -> Result:
    try:
        found = fit_mixed_model(table, terms, transform="log1p", linear=("day",), alpha=p.alpha, seed=p.seed)
        published = ols_anova(table, terms, transform="log1p")
    except ValueError as error:
        return {f"model {name}": {"failure": str(error)}}
    facts = {"terms": terms, "statement": found.statement, "n": found.n, "variances": found.variances}
    return {
        f"model {name}": facts | {"converged": found.converged},
        f"tests {name}": found.tests.rename_axis("term"),
        f"coefficients {name}": found.coefficients,
        f"ols {name}": published,
    }


def decoding_statistics(decoded: Mapping[tuple[str, str, int], Mapping[str, Any]], mice: list[OfMouse]) -> Result:
    """Scores of all sessions, and clusters compared.

    Parameters
    ----------
    decoded : mapping of (pathway, mouse, session) to results of :func:`netlib.imaging.decoding_step.decode_session`
    mice : list of OfMouse

    Returns
    -------
    dict
        ``decoding``, ``matched``, ``codes`` (tables of all sessions), ``decoding_p``; for each pathway
        ``pairs <pathway>``, ``sizes <pathway>``, ``clusters <pathway>`` (results or their ``failure``).
    """
    parts: dict[str, list[pd.DataFrame]] = {"scores": [], "matched": [], "codes": []}
    tests = []
    for (pathway, mouse, k), one in decoded.items():
        label = {"pathway": pathway, "mouse": mouse, "session": k}
        found = {"score": one["scores"]["score"].iloc[0], "p": one["p"], "failure": one.get("failure", "")}
        tests.append({**label, **found})
        for name, tables in parts.items():
            tables.append(one[name].assign(**label))
    joined = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    result: Result = {
        "decoding": joined["scores"],
        "matched": joined["matched"],
        "codes": joined["codes"],
        "decoding_p": pd.DataFrame(tests),
    }
    columns = ["mouse", "session", "cluster", "score", "size"]
    for pathway in dict.fromkeys(m.pathway for m in mice):
        own = joined["scores"]
        own = own[(own["pathway"] == pathway) & own["set"].str.isdecimal() & own["score"].notna()]
        own = own.assign(cluster=own["set"].astype(int))[columns]
        sizes = _or_reason(size_control, own)
        if isinstance(sizes, pd.DataFrame):
            result[f"sizes {pathway}"] = {"slope": sizes.attrs["slope"], "correlation": sizes.attrs["correlation"]}
            pairs = _or_reason(paired_clusters, sizes, "adjusted")
            if isinstance(pairs, pd.DataFrame):
                result[f"pairs {pathway}"] = pairs
        result[f"clusters {pathway}"] = _or_reason(cluster_model, own)
    return result


def _or_reason(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a function returns, or why it refuses."""
    try:
        return function(*arguments, **options)
    except ValueError as error:
        return {"failure": str(error)}
