"""Clusters of the neurons of several mice, what other methods make of them, and who else belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.candidates import fit_candidates
from netlib.analysis.cluster_choice import choose_k, mouse_balance, silhouette
from netlib.analysis.cluster_comparison import agreement_matrix, compare_many
from netlib.analysis.clustering import METHODS, cluster, fill_undefined
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.steps import Result
from netlib.recordings.operant.behaviour_segments import GROUPS

__all__ = ["MouseVectors", "assign_candidates", "cluster_neurons", "gather"]

#: Categories of a session.
WIDTH = 2 * len(GROUPS)
#: Neurons per cluster that there must be at least for a number of clusters to be tried.
LEAST = 4


@dataclass(frozen=True, eq=False)
class MouseVectors:
    """Categories of a mouse.

    Attributes
    ----------
    mouse, pathway : str
    numbers : tuple of int
        Its sessions.
    table : ndarray of int, shape (n_registered, n_sessions)
        Registration, -1 where absent.
    vectors : list of ndarray, shape (n_cells, 8)
        Of each session.
    """

    mouse: str
    pathway: str
    numbers: tuple[int, ...]
    table: np.ndarray
    vectors: list[np.ndarray]

    def followed(self, least: int) -> np.ndarray:
        """Rows of the registration found in at least so many sessions."""
        return np.flatnonzero((self.table >= 0).sum(axis=1) >= least)

    def matrix(self, rows: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """Vectors of registered neurons side by side for the sessions ``numbers``; NaN where absent."""
        out = np.full((len(rows), len(numbers), WIDTH), np.nan)
        for j, number in enumerate(self.numbers):
            here = self.table[rows, j]
            out[here >= 0, list(numbers).index(number)] = self.vectors[j][here[here >= 0]]
        return out.reshape(len(rows), -1)


def gather(mice: Sequence[MouseVectors], min_sessions: int | None = None) -> Result:
    """Pool the registered neurons of several mice.

    Returns
    -------
    dict
        ``vectors`` (n, 8 · sessions), ``mouse``, ``pathway``, ``row`` (of the mouse's registration), all (n,), and
        ``numbers``, the sessions that any mouse has. A session that a mouse lacks is absent for all its neurons.
    """
    numbers = sorted({number for one in mice for number in one.numbers})
    parts, names, pathways, rows = [], [], [], []
    for one in mice:
        least = min_sessions or (len(one.numbers) + 1) // 2
        chosen = one.followed(min(least, len(one.numbers)))
        parts.append(one.matrix(chosen, numbers))
        rows.append(chosen)
        names += [one.mouse] * len(chosen)
        pathways += [one.pathway] * len(chosen)
    return {
        "vectors": np.concatenate(parts),
        "mouse": np.array(names, str),
        "pathway": np.array(pathways, str),
        "row": np.concatenate(rows).astype(int),
        "numbers": numbers,
    }


def cluster_neurons(mice: Sequence[MouseVectors], parameters: PipelineParameters, compare: bool = True) -> Result:
    """Cluster the registered neurons of mice.

    Parameters
    ----------
    mice : sequence of MouseVectors
        Of one pathway, or of both.
    parameters : PipelineParameters
    compare : bool
        Also cluster with every other method, and compare.

    Returns
    -------
    dict
        What :func:`gather` returns, and ``labels`` (n,; -1 for neurons without any category), ``k``, ``choice`` (table
        by k), ``reasons`` (what each criterion chose), ``silhouette``, ``balance`` (mice by cluster), ``linkage`` and
        ``linkage_of`` (rows in the tree); of a comparison ``methods`` (names), ``method_labels`` (methods, n),
        ``ari`` (square table) and ``agreement``. If there are too few neurons, ``failure`` says so and all labels
        are -1.
    """
    p = parameters
    found = gather(mice, p.min_sessions)
    vectors = found["vectors"]
    modulated = int((np.nansum(vectors, axis=1) > 0).sum()) if len(vectors) else 0
    largest = min(p.k_max, modulated // LEAST)
    if largest < 3:
        failure = f"{modulated} neurons with any category: too few to look for clusters (3 or more of {LEAST} each)"
        return {**found, "labels": np.full(len(vectors), -1), "k": 0, "failure": failure}
    if p.k is None:
        choice = choose_k(
            vectors,
            range(2, largest + 1),
            p.method,
            n_references=p.references,
            n_resamples=p.resamples,
            seed=p.seed,
        )
        k, table = choice.k, choice.table
        reasons = {
            "silhouette": choice.by_silhouette,
            "gap": choice.by_gap,
            "stability": choice.by_stability,
            "structure": choice.structure,
        }
    else:
        k, table, reasons = min(p.k, modulated), pd.DataFrame(), {"given": p.k}
    main = cluster(vectors, p.method, k, seed=p.seed)
    found |= {
        "labels": main.labels,
        "k": main.k,
        "choice": table,
        "reasons": reasons,
        "silhouette": silhouette(main.similarity, main.labels),
        "balance": mouse_balance(main.labels, found["mouse"]).reset_index(),
    }
    found |= _tree(main.similarity, main.labels)
    return found | (_compared(vectors, k, p) if compare else {})


def _tree(similarity: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    from scipy.cluster.hierarchy import linkage

    of = np.flatnonzero(labels >= 0)
    return {"linkage": linkage(fill_undefined(similarity[np.ix_(of, of)]), "average"), "linkage_of": of}


def _compared(vectors: np.ndarray, k: int, p: PipelineParameters) -> dict[str, Any]:
    labels, failures = {}, {}
    for name in METHODS:
        try:
            labels[name] = cluster(vectors, name, k, seed=p.seed).labels
        except ValueError as error:
            failures[name] = str(error)
    table = compare_many(labels, n_permutations=p.permutations, seed=p.seed)
    return {
        "methods": list(labels),
        "method_labels": np.stack(list(labels.values())),
        "method_failures": failures,
        "agreement": table,
        "ari": agreement_matrix(table).rename_axis("method"),
    }


def assign_candidates(mice: Sequence[MouseVectors], clusters: Mapping[str, Any]) -> Result:
    """Give the neurons that were not clustered, because they were seen too seldom, to clusters, session by session.

    Parameters
    ----------
    mice : sequence of MouseVectors
        Those that were clustered.
    clusters : mapping
        Result of :func:`cluster_neurons`.

    Returns
    -------
    dict
        ``candidates``: one row per neuron and session, ``mouse``, ``session``, ``neuron`` (local index), ``cluster``
        (-1 = unassigned), ``posterior``, ``distance``; ``models``: one row per session, ``session``, ``accuracy``,
        ``accepted``, ``accuracy_accepted``, ``chance`` (of members, one left out), ``failure``.
    """
    rows, models = [], []
    for position, number in enumerate(clusters["numbers"], 1):
        model, failure = None, clusters.get("failure", "")
        if not failure:
            try:
                model = fit_candidates(clusters["vectors"], clusters["labels"], position)
            except ValueError as error:
                failure = str(error)
        models.append({"session": number, **(model.leave_one_out if model else {}), "failure": failure})
        for one in mice:
            if number not in one.numbers or model is None:
                continue
            j = one.numbers.index(number)
            own = clusters["row"][clusters["mouse"] == one.mouse]
            others = np.setdiff1d(np.arange(len(one.vectors[j])), one.table[own, j])
            given = model.assign(one.vectors[j][others])
            silent = one.vectors[j][others].sum(axis=1) == 0  # without any category there is nothing to go by
            given["cluster"] = np.where(silent, -1, given["cluster"])
            head = pd.DataFrame({"mouse": one.mouse, "session": number, "neuron": others})
            rows.append(head.join(given[["cluster", "posterior", "distance"]]))
    columns = ["mouse", "session", "neuron", "cluster", "posterior", "distance"]
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame({name: [] for name in columns})
    return {"candidates": table, "models": pd.DataFrame(models)}
