"""What is shown once for each mouse: sources of activity compared, leakage of random splits, scores against size."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.agreement import agreement, sign_agreement
from netlib.analysis.behaviour_bins import bin_times
from netlib.analysis.behaviour_decoding import Svm
from netlib.analysis.decoding_sizes import learning_curve, summarise_draws
from netlib.analysis.modulation import Modulation
from netlib.imaging.pipeline_parameters import PipelineParameters
from netlib.imaging.session_step import modulation_of, with_events
from netlib.imaging.steps import Result
from netlib.recordings.fluorescence.spike_viterbi import infer_spikes
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.recordings.operant.behaviour_session import BehaviourSession
from netlib.recordings.recording import Trace

__all__ = ["compare_sources", "size_curve"]


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
        ``agreement``, ``sign_agreement`` (tables of :mod:`netlib.analysis.agreement`), ``inferred`` (neurons); empty
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
    recording = dataclasses.replace(session.recording, traces={**session.recording.traces, "inferred": trace})
    session = dataclasses.replace(session, recording=recording)
    kinds = {"events": "counts", "inferred": "counts", "dff": "trace"}
    found: dict[str, Modulation] = {
        name: modulation_of(session, trace, kind, guard, n)
        for name, (trace, kind) in zip(("events", "spikes", "trace"), kinds.items(), strict=True)
    }
    return {
        "agreement": agreement(
            {name: one.effect for name, one in found.items()}, GROUPS, n_permutations=p.permutations, seed=p.seed
        ),
        "sign_agreement": sign_agreement({name: one.signs(p.alpha) for name, one in found.items()}, GROUPS),
        "inferred": n,
    }


def size_curve(session: Any, parameters: PipelineParameters) -> pd.DataFrame:
    """Score of decoding against the number of neurons, of one session.

    Parameters
    ----------
    session : mapping
        ``features``, ``bin``, ``bin_labels``, as of :func:`netlib.imaging.session_step.analyse_session`.
    parameters : PipelineParameters
    """
    p = parameters
    x, y = np.asarray(session["features"], float), np.asarray(session["bin_labels"])
    times = bin_times(len(x), float(session["bin"]))
    options = {"draws": p.draws, "svm": Svm(block=p.block, seed=p.seed), "seed": p.seed}
    return summarise_draws(learning_curve(x, y, times, GROUPS, **options))
