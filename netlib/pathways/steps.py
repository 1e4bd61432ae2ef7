"""What the steps of the pipeline compute, each from the results of those before: arrays and tables in, a mapping out.

In order: each session by itself, neurons of a mouse over its sessions, clusters of several mice, decoding of each
session, the population in time, sources of activity compared, and statistics over all neurons, sessions and mice.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.store import Result
from netlib.calcium.deconvolution import deconvolve
from netlib.calcium.spikes import infer_spikes
from netlib.pathways.behaviour import (
    BEHAVIOURS,
    GROUP_OF,
    GROUPS,
    bin_activity,
    bin_labels,
    bin_times,
    cycle_durations,
    inter_sequence_intervals,
    presses,
    transitions,
)
from netlib.pathways.cluster_checks import agreement_matrix, compare_many, fit_candidates, spatial_clustering
from netlib.pathways.clusters import CATEGORIES, METHODS, choose_k, cluster, fill_undefined, mouse_balance, silhouette
from netlib.pathways.decoding import (
    Svm,
    cluster_model,
    decode_behaviour,
    decoding_test,
    leakage,
    learning_curve,
    matched_scores,
    paired_clusters,
    size_control,
    summarise_draws,
)
from netlib.pathways.labels import (
    agreement,
    best_label,
    categories,
    contrast,
    fractions,
    labels_per_neuron,
    leading_signs,
    pathway_fractions,
    sign_agreement,
    standing_out,
)
from netlib.pathways.modulation import GUARD, Modulation, behaviour_weights, lagged_sums, shift_test, suggest_guard
from netlib.pathways.neurons import PAIRS, MouseNeurons, count_test, neuron_table, session_contrasts
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.population_time import (
    behaviour_agreement,
    cluster_instants,
    population_components,
    sample_instants,
    time_correlation,
)
from netlib.pathways.registration import centroids, pick, quality, register_sessions, sparse_footprints
from netlib.pathways.session import BehaviourSession
from netlib.pathways.training import session_metrics
from netlib.recordings.recording import Trace
from netlib.statistics.mixed_models import fit_mixed_model, ols_anova

__all__ = [
    "MouseVectors",
    "OfMouse",
    "analyse_session",
    "assign_candidates",
    "bins_of",
    "cluster_neurons",
    "codes_of",
    "compare_sources",
    "correlate_time",
    "decode_session",
    "decoding_statistics",
    "gather",
    "leak_session",
    "leakage_of",
    "local_clusters",
    "modulation_of",
    "modulation_statistics",
    "place_of_neurons",
    "rate_statistics",
    "register_mouse",
    "size_curve",
    "with_events",
]


# ---------------------------------------------------------------- one session


def with_events(session: BehaviourSession, indicator: str) -> tuple[BehaviourSession, str]:
    """The session with a trace "events", and where it came from.

    It is the files' own trace of that name (their discrete events per frame are then a trace "peaks"), else their
    discrete events per frame, else dF/F deconvolved.
    """
    recording = session.recording
    if "events" in recording.traces:
        return (with_peaks(session) if len(recording.spike_time) else session), "events of the files"
    if len(recording.spike_time):
        return with_peaks(session, "events"), "discrete events of the files"
    made = deconvolve(recording, indicator=indicator)
    return dataclasses.replace(session, recording=made), f"dF/F deconvolved ({indicator})"


def with_peaks(session: BehaviourSession, name: str = "peaks") -> BehaviourSession:
    """The session with its discrete events per frame as a trace."""
    recording, dt = session.recording, session.dt or 50.0
    edges = np.arange(int(np.ceil(session.duration / dt - 1e-9)) + 1) * dt
    place = np.minimum(np.searchsorted(edges, recording.spike_time, side="right") - 1, len(edges) - 2)
    counts = np.zeros((len(recording), len(edges) - 1), np.float32)
    np.add.at(counts, (recording.spike_index, place), 1.0)
    return _with_trace(session, name, Trace(counts, np.arange(len(recording)), dt, "events"))


def _with_trace(session: BehaviourSession, name: str, trace: Trace) -> BehaviourSession:
    recording = dataclasses.replace(session.recording, traces=session.recording.traces | {name: trace})
    return dataclasses.replace(session, recording=recording)


def analyse_session(session: BehaviourSession, parameters: PipelineParameters) -> Result:
    """All that needs no other session.

    Returns
    -------
    dict
        ``metrics`` (one row), ``transitions`` (7 x 7 counts), ``intervals``, ``presses``, ``cycle_durations``,
        ``waits`` (all ms); ``modulation`` (one row per neuron and group), ``signs`` and ``effect`` (n, 4), ``vectors``
        (n, 8) and, before those that do not stand out were left out, ``tested``; ``leading`` signs (n,), ``labels``
        (best label of each neuron), ``rates`` (n, 4; events per s), ``guard``; ``example``, the clearest neuron, with
        ``example_lags`` (ms) and ``example_null``; ``event_neuron`` and ``event_time`` of large events; ``agreement``
        and ``sign_agreement`` of events, peaks and trace, where the files hold several, and ``<source> signs``;
        ``features`` (bins, n) and ``bin_labels``; ``instants`` (n, instants) and ``instant_labels``; footprints as
        ``fp_cell``, ``fp_pixel``, ``fp_value``, ``field``, and ``centroids``.
    """
    p = parameters
    session, source = with_events(session, p.indicator)
    events, merged = session.recording.traces["events"], session.merged
    guard = p.guard
    if guard == "auto":
        guard = suggest_guard(merged, session.duration, events.dt, events.values, "counts").guard
    guard = min(float(guard), session.duration / 4)
    found = modulation_of(session, "events", "counts", guard)
    tested = categories(found, p.alpha)
    rates = np.maximum(found.statistic * 1000.0, 0.0)  # a Fourier transform's 0 may be -1e-17
    contrasts = contrast(rates)
    # A behaviour that did not occur modulates nobody; NaN is for absent neurons alone.
    tested = np.where(np.isnan(tested), 0.0, tested)
    vectors = standing_out(tested, contrasts, p.fold)
    result: Result = {
        "metrics": pd.DataFrame([session_metrics(session)]),
        "transitions": transitions(session.intervals, BEHAVIOURS).counts.rename_axis("from"),
        "intervals": session.intervals,
        "presses": presses(session.events)["down"].to_numpy(float),
        "cycle_durations": np.asarray(cycle_durations(session.intervals, session.events), float),
        "waits": np.asarray(inter_sequence_intervals(session.intervals), float),
        "source": source,
        "duration": session.duration,
        "dt": events.dt,
        "guard": guard,
        "modulation": found.table(),
        "signs": found.signs(p.alpha),
        "effect": found.effect,
        "percentile": found.percentile,
        "vectors": vectors,
        "tested": tested,
        "leading": leading_signs(vectors, contrasts),
        "labels": best_label(found.percentile, found.labels, found.signs(p.alpha)),
        "rates": rates,
    }
    result |= _example(session, found) | _large_events(events.values, events.dt)
    result |= _compared_sources(session, found, guard, p)
    result |= _binned(session, p)
    if session.footprints is not None:
        matrix, field = sparse_footprints(session.footprints)
        entries = matrix.tocoo()
        result |= {
            "fp_cell": entries.row.astype(np.int32),
            "fp_pixel": entries.col.astype(np.int32),
            "fp_value": entries.data.astype(np.float32),
            "field": list(field),
            "centroids": centroids(matrix, field),
        }
    return result


def modulation_of(session: BehaviourSession, trace: str, kind: str, guard: float, n: int | None = None) -> Modulation:
    """Shift test of a trace, of all neurons or the first ``n``, on the four groups of behaviours."""
    source = session.recording.traces[trace]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="guard = ")
        return shift_test(
            source.values[:n], session.merged, session.duration, source.dt, kind, labels=GROUPS, guard=guard
        )


def _example(session: BehaviourSession, found: Modulation) -> dict[str, Any]:
    """The clearest neuron against its null, at all lags, for a figure."""
    shown = np.where(np.isfinite(found.effect), np.abs(found.effect), -1.0)
    neuron, k = np.unravel_index(int(shown.argmax()), shown.shape)
    if shown[neuron, k] <= 0:
        return {}
    events = session.recording.traces["events"]
    values = np.asarray(events.values[neuron], float)[None]
    weights = behaviour_weights(session.merged, [found.labels[k]], values.shape[1], events.dt)
    ((_, sums),) = lagged_sums(values, weights)
    rate = sums[0, 0] / weights.sum() / events.dt * 1000.0
    first = int(np.ceil(found.guard / events.dt))
    lags = np.arange(first, len(rate) - first + 1)[:: max(1, len(rate) // 4000)]
    return {
        "example": {"neuron": int(neuron), "behaviour": found.labels[k], "observed": float(rate[0]),
                    "percentile": float(found.percentile[neuron, k]), "p": float(found.p[neuron, k])},
        "example_lags": lags * events.dt,
        "example_null": rate[lags],
    }  # fmt: skip


def _large_events(values: np.ndarray, dt: float) -> dict[str, np.ndarray]:
    """Neuron and time (ms) of events larger than the mean event of their neuron, for a raster."""
    positive = values > 0
    mean = np.divide(values.sum(axis=1), positive.sum(axis=1), out=np.zeros(len(values)), where=positive.any(axis=1))
    neuron, frame = np.nonzero(positive & (values >= mean[:, None]))
    return {"event_neuron": neuron.astype(np.int32), "event_time": ((frame + 0.5) * dt).astype(np.float32)}


def _compared_sources(
    session: BehaviourSession, found: Modulation, guard: float, p: PipelineParameters
) -> dict[str, Any]:
    """Do the sources of activity that the files hold tell the same?"""
    traces = {"trace": ("dff", "trace"), "peaks": ("peaks", "counts")}
    others = {
        name: modulation_of(session, trace, kind, guard)
        for name, (trace, kind) in traces.items()
        if trace in session.recording.traces
    }
    if not others:
        return {}
    signs = {f"{name} signs": other.signs(p.alpha) for name, other in others.items()}
    return _agreements({"events": found, **others}, p) | signs


def _agreements(found: Mapping[str, Modulation], p: PipelineParameters) -> dict[str, pd.DataFrame]:
    effects = {name: one.effect for name, one in found.items()}
    signs = {name: one.signs(p.alpha) for name, one in found.items()}
    return {
        "agreement": agreement(effects, GROUPS, n_permutations=p.permutations, seed=p.seed),
        "sign_agreement": sign_agreement(signs, GROUPS),
    }


def _binned(session: BehaviourSession, p: PipelineParameters) -> dict[str, Any]:
    """Activity and behaviour in the bins of the decoding, and at the instants of the time-time correlation."""
    events, merged = session.recording.traces["events"], session.merged
    width = max(round(p.bin / events.dt), 1) * events.dt
    features = bin_activity(events.values, events.dt, width)
    source = session.recording.traces.get("dff", events)
    step = max(round(p.instants / source.dt), 1) * source.dt
    instants = bin_activity(source.values, source.dt, step, "mean").T
    return {
        "features": features.astype(np.float32),
        "bin": width,
        "bin_labels": bin_labels(merged, GROUPS, len(features), width),
        "instants": instants.astype(np.float32),
        "instant_step": step,
        "instant_labels": bin_labels(session.intervals, BEHAVIOURS, instants.shape[1], step),
    }


# ---------------------------------------------------------------- registration


def register_mouse(sessions: Sequence[Mapping[str, Any]], given: np.ndarray | None) -> Result:
    """Registration of a mouse and its quality.

    Parameters
    ----------
    sessions : sequence of results of :func:`analyse_session`
        In order.
    given : ndarray of int, shape (n_registered, n_sessions), optional
        Table of the data set (-1 = absent); without it footprints are registered, and a single session is its own.

    Returns
    -------
    dict
        ``table``, ``source``, ``sessions_per_neuron``, ``fraction_bins`` (table: ``bin``, ``neurons``), ``follow``,
        ``neurons_per_session``; of a computed one ``shifts`` (px) and ``similarity``.
    """
    n_cells = [len(session["vectors"]) for session in sessions]
    more: Result = {}
    if given is not None:
        table, source = np.asarray(given), "table of the data set"
    elif len(sessions) == 1:
        table, source = np.arange(n_cells[0])[:, None], "one session"
    else:
        images = [_sparse(session, n) for session, n in zip(sessions, n_cells, strict=True)]
        found = register_sessions(images, tuple(sessions[0]["field"]))
        table, source = found.table, "footprints: aligned, overlap and centroids, Hungarian method"
        more = {"shifts": found.shifts, "similarity": found.similarity}
    report = quality(table)
    bins = pd.DataFrame({"bin": list(report.fraction_bins.index), "neurons": report.fraction_bins.to_numpy()})
    return {
        "table": table,
        "source": source,
        "sessions_per_neuron": report.sessions_per_neuron,
        "fraction_bins": bins,
        "follow": report.follow,
        "neurons_per_session": report.neurons_per_session,
        **more,
    }


def _sparse(session: Mapping[str, Any], n_cells: int) -> Any:
    """Footprints kept by :func:`analyse_session` as a sparse matrix."""
    from scipy.sparse import csr_array

    height, width = session["field"]
    where = session["fp_cell"], session["fp_pixel"]
    return csr_array((session["fp_value"].astype(float), where), shape=(n_cells, height * width))


# ---------------------------------------------------------------- clusters


#: Neurons per cluster that there must be at least for a number of clusters to be tried.
LEAST_PER_CLUSTER = 4


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
        out = np.full((len(rows), len(numbers), len(CATEGORIES)), np.nan)
        for j, number in enumerate(self.numbers):
            out[:, list(numbers).index(number)] = pick(self.vectors[j], self.table[rows, j])
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
    largest = min(p.k_max, modulated // LEAST_PER_CLUSTER)
    if largest < 3:
        failure = (
            f"{modulated} neurons with any category: too few to look for clusters "
            f"(3 or more of {LEAST_PER_CLUSTER} each)"
        )
        return {**found, "labels": np.full(len(vectors), -1), "k": 0, "failure": failure}
    if p.k is None:
        choice = choose_k(
            vectors, range(2, largest + 1), p.method, n_references=p.references, n_resamples=p.resamples, seed=p.seed
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
    return found | (_compared_methods(vectors, k, p) if compare else {})


def _tree(similarity: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    from scipy.cluster.hierarchy import linkage

    of = np.flatnonzero(labels >= 0)
    return {"linkage": linkage(fill_undefined(similarity[np.ix_(of, of)]), "average"), "linkage_of": of}


def _compared_methods(vectors: np.ndarray, k: int, p: PipelineParameters) -> dict[str, Any]:
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


# ---------------------------------------------------------------- decoding


#: Neurons that a cluster or a code must have to be decoded from.
LEAST_NEURONS = 3


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
        Of each session, 1, -1 or 0 per neuron (:func:`netlib.pathways.labels.leading_signs`).
    table : ndarray of int, shape (n_registered, n_sessions)
        Registration.
    column : int
        The session that is decoded, which does not count: neurons chosen by the bins that are decoded would decode
        these by chance alone.
    """
    total = np.zeros(len(table))
    for j, own in enumerate(directions):
        if j != column:
            total += np.nan_to_num(pick(own, table[:, j]))
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
        :func:`analyse_session`.
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
    x, y, times = bins_of(session)
    sets = {"all": np.arange(x.shape[1])}
    sets |= {str(c): np.flatnonzero(clusters == c) for c in range(int(clusters.max(initial=-1)) + 1)}
    sets |= {"activation": np.flatnonzero(codes > 0), "inactivation": np.flatnonzero(codes < 0)}
    try:
        return _decoded(x, y, times, sets, p)
    except ValueError as error:  # too short, or a behaviour too rare
        sizes = pd.DataFrame({"set": list(sets), "size": [len(members) for members in sets.values()]})
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


def bins_of(session: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (bins, n), number of the behaviour of each bin, and its centre (ms)."""
    x, y = np.asarray(session["features"], float), np.asarray(session["bin_labels"])
    return x, y, bin_times(len(x), float(session["bin"]))


def _decoded(
    x: np.ndarray, y: np.ndarray, times: np.ndarray, sets: dict[str, np.ndarray], p: PipelineParameters
) -> Result:
    svm = Svm(block=p.block, seed=p.seed)
    rows = []
    for name, members in sets.items():
        row: dict[str, Any] = {"set": name, "size": len(members)}
        if len(members) >= LEAST_NEURONS and name != "all":
            row |= _row(decode_behaviour(x[:, members], y, times, GROUPS, svm=svm))
        rows.append(row)
    guard = min(GUARD, times[-1] / 4)
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
    enough = {name: members for name, members in sets.items() if len(members) >= LEAST_NEURONS}
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
    times = bin_times(len(x), float(session["instant_step"]))
    return leakage_of("trace", x, moved, times, Svm(block=parameters.block))


def leakage_of(features: str, x: np.ndarray, labels: np.ndarray, times: np.ndarray, svm: Svm) -> pd.DataFrame:
    """:func:`netlib.pathways.decoding.leakage` as rows: ``features`` and kernel, ``split``, ``score``, ``chance``."""
    rows = [
        {"features": f"{features}, {kernel}", "split": split, "score": row[split], "chance": row["chance"]}
        for kernel, row in leakage(x, labels, times, GROUPS, svm=svm).iterrows()
        for split in ("random", "blocked")
    ]
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- time


#: Instants of a mouse at most: the matrix has the square of them.
MOST_INSTANTS = 1600
#: Numbers of clusters of instants.
KS = (2, 4, 7)


def correlate_time(sessions: Sequence[Mapping[str, Any]], table: np.ndarray, parameters: PipelineParameters) -> Result:
    """Time-time correlation of the registered neurons of a mouse.

    Parameters
    ----------
    sessions : sequence of results of :func:`analyse_session`
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
    every = max(1, int(np.ceil(sum(session["instants"].shape[1] for session in sessions) / MOST_INSTANTS)))
    followed = table[(table >= 0).sum(axis=1) >= (table.shape[1] + 1) // 2]
    traces, labels = [], []
    for j, session in enumerate(sessions):
        values = pick(session["instants"], followed[:, j])
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


# ---------------------------------------------------------------- sources of activity


def compare_sources(session: BehaviourSession, guard: float, parameters: PipelineParameters) -> Result:
    """Modulation by events, by whole spikes inferred from the trace, and by the trace itself, of the same neurons.

    Parameters
    ----------
    session : BehaviourSession
        Its first ``parameters.inferred`` neurons are taken: inference is slow.
    guard : float
        Of the tests (ms).
    parameters : PipelineParameters

    Returns
    -------
    dict
        ``agreement``, ``sign_agreement`` (tables of :mod:`netlib.pathways.labels`), ``inferred`` (neurons); empty
        where there is no trace, or fewer than three neurons.
    """
    p = parameters
    n = min(p.inferred, len(session.recording))
    if "dff" not in session.recording.traces or n < 3:
        return {}
    session, _ = with_events(session, p.indicator)
    dff = session.recording.traces["dff"]
    counts = [infer_spikes(row, 1000.0 / dff.dt, indicator=p.indicator).counts for row in dff.values[:n]]
    trace = Trace(np.array(counts, np.float32), np.arange(n), dff.dt, "AP")
    session = _with_trace(session, "inferred", trace)
    found = {
        "events": modulation_of(session, "events", "counts", guard, n),
        "spikes": modulation_of(session, "inferred", "counts", guard, n),
        "trace": modulation_of(session, "dff", "trace", guard, n),
    }
    return {**_agreements(found, p), "inferred": n}


def size_curve(session: Mapping[str, Any], parameters: PipelineParameters) -> pd.DataFrame:
    """Score of decoding against the number of neurons, of one session.

    Parameters
    ----------
    session : mapping
        ``features``, ``bin``, ``bin_labels``, as of :func:`analyse_session`.
    parameters : PipelineParameters
    """
    p = parameters
    x, y, times = bins_of(session)
    options = {"draws": p.draws, "svm": Svm(block=p.block, seed=p.seed), "seed": p.seed}
    return summarise_draws(learning_curve(x, y, times, GROUPS, **options))


# ---------------------------------------------------------------- statistics


#: Fixed effects of the model of each pathway, and of both.
TERMS, TERMS_OF_BOTH = "behaviour * cluster + day", "behaviour * pathway + day"


@dataclass(frozen=True, eq=False)
class OfMouse:
    """What statistics need of one mouse.

    Attributes
    ----------
    mouse, pathway : str
    sessions : mapping of int to mapping
        By number, ``vectors``, ``rates`` and, where there are footprints, ``centroids``.
    registration : mapping
        ``table`` and perhaps ``shifts``.
    clusters, candidates
        Clusters of the rows of the registration (-1 = none), and by session those of its neurons.
    """

    mouse: str
    pathway: str
    sessions: Mapping[int, Mapping[str, Any]]
    registration: Mapping[str, Any]
    clusters: np.ndarray
    candidates: Mapping[int, np.ndarray]

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
            out[here] = session["centroids"][table[here, j]] + shifts[j]
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
        result |= _model(registered, TERMS_OF_BOTH, "both", parameters)
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
    decoded : mapping of (pathway, mouse, session) to results of :func:`decode_session`
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
