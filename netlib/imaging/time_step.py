"""Correlation of the population of one mouse between instants of all its sessions, against behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netlib.analysis.population_time import (
    behaviour_agreement,
    cluster_instants,
    population_components,
    sample_instants,
    time_correlation,
)
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.steps import Result

__all__ = ["correlate_time"]

#: Instants of a mouse at most: the matrix has the square of them.
MOST = 1600
#: Shortest shift of behaviour in the null (ms).
GUARD = 20_000.0
KS = (2, 4, 7)


def correlate_time(sessions: Sequence[Mapping[str, Any]], table: np.ndarray, parameters: PipelineParameters) -> Result:
    """Time-time correlation of the registered neurons of a mouse.

    Parameters
    ----------
    sessions : sequence of results of :func:`netlib.imaging.session_step.analyse_session`
        In order.
    table : ndarray of int, shape (n_registered, n_sessions)
        Registration.
    parameters : PipelineParameters

    Returns
    -------
    dict
        ``matrix`` (float16), ``session`` (place) and ``labels`` (behaviour, by number) of each instant, ``clusters``
        (one row per number in ``ks``), ``silhouettes``, ``agreement`` with behaviour (dict, by number of clusters),
        ``step`` (ms), ``scores`` and ``explained`` of the principal components; or ``failure``.
    """
    step = float(sessions[0]["instant_step"])
    if any(float(session["instant_step"]) != step for session in sessions):
        return {"failure": "sessions have instants at different intervals: their frame rates differ"}
    every = max(1, int(np.ceil(sum(session["instants"].shape[1] for session in sessions) / MOST)))
    followed = table[(table >= 0).sum(axis=1) >= (table.shape[1] + 1) // 2]
    traces, labels = [], []
    for j, session in enumerate(sessions):
        values = np.full((len(followed), session["instants"].shape[1]), np.nan)
        here = followed[:, j] >= 0
        values[here] = session["instants"][followed[here, j]]
        traces.append(values)
        n = values.shape[1] // every
        labels.append(np.asarray(session["instant_labels"])[: n * every : every])
    try:
        instants = sample_instants(traces, step, every * step)
        matrix = time_correlation(instants, least=min(10, max(2, len(followed) // 4)))
        ks = [k for k in KS if k < len(matrix)]
        found = cluster_instants(matrix, ks, n_starts=3, seed=parameters.seed)
    except ValueError as error:
        return {"failure": str(error)}
    behaviour = np.concatenate(labels)
    result: Result = {
        "matrix": matrix.astype(np.float16),
        "session": instants.session,
        "labels": behaviour,
        "clusters": np.stack(list(found["labels"])),
        "ks": ks,
        "silhouettes": found["silhouette"].tolist(),
        "step": every * step,
        "agreement": {},
    }
    guard = max(1, int(np.ceil(GUARD / (every * step))))
    for k in ks:
        try:
            result["agreement"][str(k)] = behaviour_agreement(
                found.loc[k, "labels"], behaviour, instants.session, guard=guard, seed=parameters.seed
            )
        except ValueError as error:
            result["agreement"][str(k)] = {"failure": str(error)}
    try:
        result["scores"], result["explained"] = population_components(instants, 3)
    except ValueError as error:
        result["components_failure"] = str(error)
    return result
