"""Decoding of behaviour in one session, by cluster and by code, on blocked splits; and what leaks without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.behaviour_bins import bin_times
from netlib.analysis.behaviour_decoding import Svm, decode_behaviour, decoding_test, leakage
from netlib.analysis.decoding_sizes import matched_scores, summarise_draws
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.steps import Result
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, GROUP_OF, GROUPS

__all__ = ["codes_of", "decode_session", "leak_session", "local_clusters"]

#: Neurons that a cluster or a code must have to be decoded from.
LEAST = 3


def local_clusters(
    n: int, table: np.ndarray, column: int, rows: np.ndarray, labels: np.ndarray, candidates: pd.DataFrame
) -> np.ndarray:
    """Cluster of each of the ``n`` neurons of a session, registered or candidate; -1 without.

    Parameters
    ----------
    n : int
    table : ndarray of int, shape (n_registered, n_sessions)
    column : int
        Of the session.
    rows, labels : ndarray of int
        Rows of the table that were clustered, and their clusters.
    candidates : DataFrame
        ``neuron`` and ``cluster`` of this session.
    """
    out = np.full(n, -1)
    out[candidates["neuron"].to_numpy(int)] = candidates["cluster"].to_numpy(int)
    here = table[rows, column]
    out[here[here >= 0]] = labels[here >= 0]
    return out


def codes_of(directions: Sequence[np.ndarray], table: np.ndarray, column: int) -> np.ndarray:
    """Code of each neuron of a session by what it does in the others: 1 activation, -1 inactivation, 0 neither.

    Parameters
    ----------
    directions : sequence of ndarray
        Of each session, 1, -1 or 0 per neuron (:func:`netlib.imaging.contrast.leading_signs`).
    table : ndarray of int, shape (n_registered, n_sessions)
        Registration.
    column : int
        The session that is decoded, which does not count: neurons chosen by the bins that are decoded would decode
        these by chance alone.
    """
    total = np.zeros(len(table))
    for j, own in enumerate(directions):
        here = table[:, j] >= 0
        if j != column:
            total[here] += own[table[here, j]]
    out = np.zeros(len(directions[column]), int)
    rows = np.flatnonzero(table[:, column] >= 0)
    out[table[rows, column]] = np.sign(total[rows])
    return out


def decode_session(
    session: Mapping[str, Any], clusters: np.ndarray, codes: np.ndarray, parameters: PipelineParameters
) -> Result:
    """Decode the four groups of behaviours.

    Parameters
    ----------
    session : mapping
        ``features`` (bins, n), ``bin`` (ms) and ``bin_labels``, of
        :func:`netlib.imaging.session_step.analyse_session`.
    clusters, codes : ndarray of int, shape (n,)
        Of each neuron: :func:`local_clusters`, :func:`codes_of`.
    parameters : PipelineParameters

    Returns
    -------
    dict
        ``scores``: all neurons of each set ("all" and clusters "0", "1", ...), ``set``, ``size``, ``score`` (balanced
        accuracy), ``accuracy``, ``chance``, ``recall <group>``; sets "activation" and "inactivation" are all neurons
        of a code, as many as there are; ``matched``: means over draws of equal numbers of neurons of each cluster,
        ``set``, ``n``, ``mean``, ``sd``, ``low``, ``high``, ``draws``; ``codes``: the same
        for "activation", "inactivation", "all"; ``confusion`` of all neurons, ``null`` (scores) and ``p``; of a session
        that is too short, or has too little of a behaviour, there are no scores but ``failure``, which tells why.
    """
    p = parameters
    x, y = np.asarray(session["features"], float), np.asarray(session["bin_labels"])
    times = bin_times(len(x), float(session["bin"]))
    sets = {"all": np.arange(x.shape[1])}
    sets |= {str(c): np.flatnonzero(clusters == c) for c in range(int(clusters.max(initial=-1)) + 1)}
    sets |= {"activation": np.flatnonzero(codes > 0), "inactivation": np.flatnonzero(codes < 0)}
    sizes = pd.DataFrame({"set": list(sets), "size": [len(members) for members in sets.values()]})
    try:
        return _decoded(x, y, times, sets, p)
    except ValueError as error:  # too short, or a behaviour too rare
        scores = sizes.assign(score=np.nan, accuracy=np.nan, chance=np.nan)
        none = np.zeros((len(GROUPS), len(GROUPS)), int)
        return {
            "scores": scores,
            "matched": _nothing_matched(),
            "codes": _nothing_matched(),
            "confusion": pd.DataFrame(none, GROUPS, GROUPS).rename_axis("behaviour"),
            "null": np.zeros(0),
            "p": float("nan"),
            "failure": str(error),
        }


def _decoded(
    x: np.ndarray, y: np.ndarray, times: np.ndarray, sets: dict[str, np.ndarray], p: PipelineParameters
) -> Result:
    svm = Svm(block=p.block, seed=p.seed)
    rows = []
    for name, members in sets.items():
        row: dict[str, Any] = {"set": name, "size": len(members)}
        if len(members) >= LEAST and name != "all":
            row |= _row(decode_behaviour(x[:, members], y, times, GROUPS, svm=svm))
        rows.append(row)
    guard = min(20_000.0, times[-1] / 4)
    whole = decoding_test(x, y, times, GROUPS, n_shifts=p.shifts, guard=guard, svm=svm)
    rows[0] |= _row(whole.score)
    options = {"draws": p.draws, "svm": svm, "seed": p.seed}
    clustered = {name: members for name, members in sets.items() if name.isdecimal()}
    coded = {name: sets[name] for name in ("activation", "inactivation", "all")}
    return {
        "scores": pd.DataFrame(rows),
        "matched": _matched(x, clustered, y, times, options),
        "codes": _matched(x, coded, y, times, options),
        "confusion": whole.score.confusion.rename_axis("behaviour"),
        "null": whole.null,
        "p": whole.p,
    }


def _row(found: Any) -> dict[str, float]:
    facts = {"score": found.balanced_accuracy, "accuracy": found.accuracy, "chance": found.chance}
    return facts | {f"recall {name}": float(value) for name, value in found.recall.items()}


def _matched(
    x: np.ndarray, sets: dict[str, np.ndarray], y: np.ndarray, times: np.ndarray, options: dict[str, Any]
) -> pd.DataFrame:
    """Scores from equal numbers of neurons of each set that has enough; an empty table with fewer than two sets."""
    enough = {name: members for name, members in sets.items() if len(members) >= LEAST}
    if len(enough) < 2:
        return _nothing_matched()
    return summarise_draws(matched_scores(x, enough, y, times, GROUPS, **options))


def _nothing_matched() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in ("set", "n", "mean", "sd", "low", "high", "draws")})


def leak_session(session: Mapping[str, Any], parameters: PipelineParameters) -> pd.DataFrame:
    """Scores of random and blocked splits where there is nothing to decode: labels are moved by half a session.

    Features are means of the trace over the instants of the time-time correlation.

    Returns
    -------
    DataFrame
        ``features`` ("linear" and "rbf" kernels on the trace), ``split``, ``score``, ``chance``.
    """
    x, seven = np.asarray(session["instants"], float).T, np.asarray(session["instant_labels"])
    code = np.array([GROUPS.index(GROUP_OF[name]) for name in BEHAVIOURS] + [-1])
    moved = np.roll(code[seven], len(seven) // 2)
    table = leakage(
        x, moved, bin_times(len(x), float(session["instant_step"])), GROUPS, svm=Svm(block=parameters.block)
    )
    rows = [
        {"features": f"trace, {kernel}", "split": split, "score": row[split], "chance": row["chance"]}
        for kernel, row in table.iterrows()
        for split in ("random", "blocked")
    ]
    return pd.DataFrame(rows)
