"""What the pipeline computes of one session by itself: behaviour, modulation, agreement of sources, features."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.agreement import agreement, sign_agreement
from netlib.analysis.behaviour import presses, transitions
from netlib.analysis.behaviour_bins import bin_activity, bin_labels
from netlib.analysis.behaviour_cycles import cycle_durations, inter_sequence_intervals
from netlib.analysis.behaviour_metrics import session_metrics
from netlib.analysis.footprints import centroids, sparse_footprints
from netlib.analysis.modulation import Modulation, shift_test, suggest_guard
from netlib.analysis.modulation_grid import behaviour_weights, lagged_sums
from netlib.analysis.modulation_labels import best_label, categories
from netlib.imaging.contrast import contrast, leading_signs, standing_out
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.steps import Result
from netlib.recordings.fluorescence.deconvolution import deconvolve
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, GROUPS
from netlib.recordings.operant.behaviour_session import BehaviourSession
from netlib.recordings.recording import Trace

__all__ = ["analyse_session", "modulation_of", "with_events"]


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
    trace = Trace(counts, np.arange(len(recording)), dt, "events")
    made = dataclasses.replace(recording, traces=recording.traces | {name: trace})
    return dataclasses.replace(session, recording=made)


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
    vectors = standing_out(np.where(np.isnan(tested), 0.0, tested), contrasts, p.fold)
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
        "tested": np.where(np.isnan(tested), 0.0, tested),
        "leading": leading_signs(vectors, contrasts),
        "labels": best_label(found.percentile, found.labels, found.signs(p.alpha)),
        "rates": rates,
    }
    result |= _example(session, found) | _large_events(events.values, events.dt)
    result |= _compared(session, found, guard, p)
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


def _compared(session: BehaviourSession, found: Modulation, guard: float, p: PipelineParameters) -> dict[str, Any]:
    """Do the sources of activity that the files hold tell the same?"""
    traces = {"trace": ("dff", "trace"), "peaks": ("peaks", "counts")}
    others = {
        name: modulation_of(session, trace, kind, guard)
        for name, (trace, kind) in traces.items()
        if trace in session.recording.traces
    }
    if not others:
        return {}
    effects = {"events": found.effect, **{name: other.effect for name, other in others.items()}}
    signs = {"events": found.signs(p.alpha), **{name: other.signs(p.alpha) for name, other in others.items()}}
    return {
        "agreement": agreement(effects, GROUPS, n_permutations=p.permutations, seed=p.seed),
        "sign_agreement": sign_agreement(signs, GROUPS),
        **{f"{name} signs": signs[name] for name in others},
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
