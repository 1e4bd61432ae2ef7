"""The steps of the pipeline: what each needs, what key it has, what makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from netlib.base.fingerprint import fingerprint
from netlib.base.provenance import hash_of
from netlib.base.store import Result, Store
from netlib.pathways.claims import engagement, judge_claims, subpopulations
from netlib.pathways.files import load_session
from netlib.pathways.manifest import Manifest
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.results import POOLED, Kept, Results, step_name
from netlib.pathways.steps import (
    OfMouse,
    analyse_session,
    assign_candidates,
    cluster_neurons,
    codes_of,
    compare_sources,
    correlate_time,
    decode_session,
    decoding_statistics,
    leak_session,
    modulation_statistics,
    rate_statistics,
    register_mouse,
    size_curve,
)
from netlib.pathways.tables import read_registration
from netlib.pathways.training import compare_pathways, sessions_to_criterion

__all__ = ["Step", "perform", "plan_steps"]


@dataclass(frozen=True)
class Step:
    """One result to be made.

    Attributes
    ----------
    name, key : str
        Name of its file, and what it must have been made from to count.
    function : callable
        ``function(results, *of)`` makes it.
    of : tuple
        Mouse, session or pathway.
    """

    name: str
    key: str
    function: Callable[..., Result]
    of: tuple[Any, ...] = ()


def plan_steps(
    manifest: Manifest, hashes: Mapping[tuple[str, int], str], parameters: PipelineParameters
) -> list[list[Step]]:
    """All steps, in rounds: those of a round need only the rounds before.

    Parameters
    ----------
    manifest : Manifest
    hashes : mapping
        Of :func:`netlib.pathways.pipeline.hash_files`.
    parameters : PipelineParameters
    """
    keys = dict[str, str]()

    def step(function: Callable[..., Result], kind: str, of: tuple, needs: list[Any]) -> Step:
        name = step_name(kind, *of)
        keys[name] = hash_of([name, fingerprint(function), parameters.of(kind), needs])
        return Step(name, keys[name], function, of)

    mice = {mouse: manifest.sessions(mouse) for mouse in manifest.mice}
    everything = [(mouse, k) for mouse, own in mice.items() for k in own]
    sessions = [step(_session, "session", of, [hashes[of]]) for of in everything]
    own = {mouse: [keys[step_name("session", mouse, k)] for k in mice[mouse]] for mouse in mice}
    registrations = [step(_registration, "registration", (m,), [hashes[m, 0], own[m]]) for m in mice]
    all_before = dict(keys)
    pathways = dict.fromkeys(manifest.table["pathway"])
    groups = [step(_clusters, "clusters", (of,), [all_before]) for of in (*pathways, POOLED)]
    clustered = dict(keys)
    later = [step(_decoding, "decoding", of, [clustered]) for of in everything]
    of_mice = [
        step(function, kind, (m,), [own[m], keys[step_name("registration", m)]])
        for function, kind in ((_time, "time"), (_sources, "sources"))
        for m in mice
    ]
    last = step(_statistics, "statistics", (), [dict(keys)])
    return [sessions, registrations, groups, [*of_mice, *later], [last]]


def perform(manifest: Manifest, parameters: PipelineParameters, kept: Kept, step: Step) -> bool:
    """Make a step unless it is there, and keep it; tell whether it was made."""
    results = Results(manifest, parameters, kept)
    try:
        return Store(kept.folder).make(step.key, lambda: step.function(results, *step.of), step.name)
    except ValueError as error:
        raise ValueError(f"step {step.name}: {error}; all steps before it are kept") from error


def _session(results: Results, mouse: str, session: int) -> Result:
    return analyse_session(load_session(results.manifest, mouse, session), results.parameters)


def _registration(results: Results, mouse: str) -> Result:
    sessions = [
        results.session(mouse, k, "vectors", "fp_cell", "fp_pixel", "fp_value", "field")
        for k in results.manifest.sessions(mouse)
    ]
    path = results.manifest.registration_file(mouse)
    given = None if path is None else read_registration(path, len(sessions), [len(s["vectors"]) for s in sessions])
    return register_mouse(sessions, given)


def _clusters(results: Results, of: str) -> Result:
    mice = [results.vectors(mouse) for mouse in results.mice(None if of == POOLED else of)]
    found = cluster_neurons(mice, results.parameters, compare=of != POOLED)
    return found if of == POOLED else found | assign_candidates(mice, found)


def _decoding(results: Results, mouse: str, session: int) -> Result:
    numbers = results.manifest.sessions(mouse)
    directions = [results.session(mouse, k, "leading")["leading"] for k in numbers]
    table = results.registration(mouse)["table"]
    codes = codes_of(directions, table, numbers.index(session))
    features = results.session(mouse, session, "features", "bin", "bin_labels")
    return decode_session(features, results.cell_clusters(mouse, session), codes, results.parameters)


def _time(results: Results, mouse: str) -> Result:
    numbers = results.manifest.sessions(mouse)
    wanted = ("instants", "instant_labels", "instant_step")
    sessions = [results.session(mouse, k, *wanted) for k in numbers]
    return correlate_time(sessions, results.registration(mouse)["table"], results.parameters)


def _sources(results: Results, mouse: str) -> Result:
    numbers = results.manifest.sessions(mouse)
    first, last = results.session(mouse, numbers[0]), results.session(mouse, numbers[-1])
    session = load_session(results.manifest, mouse, numbers[0], footprints=False)
    found = compare_sources(session, float(first["guard"]), results.parameters)
    for name, function, one in (("leakage", leak_session, first), ("curve", size_curve, last)):
        try:
            found[name] = function(one, results.parameters)
        except ValueError as error:  # a session too short, or too little of a behaviour
            found[f"{name} failure"] = str(error)
    return found


def _statistics(results: Results) -> Result:
    p = results.parameters
    mice = [results.for_statistics(mouse) for mouse in results.mice()]
    metrics = pd.concat([s["metrics"] for m in mice for s in m.sessions.values()], ignore_index=True)
    decoded = {(pathway, mouse, k): results.decoded(mouse, k) for pathway, mouse, k in results.everything()}
    found = {"metrics": metrics, "criterion": sessions_to_criterion(metrics)}
    found["behaviour"] = pd.concat([compare_pathways(metrics, name) for name in ("cycles", "presses", "rewards")])
    found |= modulation_statistics(mice, p) | rate_statistics(mice, p) | decoding_statistics(decoded, mice)
    table = pd.DataFrame([_engagement(m) for m in mice])
    pooled = results.clusters(POOLED)
    together = subpopulations(pooled["labels"], pooled["mouse"], pooled["pathway"])
    return found | {"engagement": table, "pooled": together, "claims": judge_claims(table, together, p.margin, p.alpha)}


def _engagement(one: OfMouse) -> dict[str, Any]:
    vectors, leading = ([session[name] for session in one.sessions.values()] for name in ("vectors", "leading"))
    return {"mouse": one.mouse, "pathway": one.pathway, **engagement(vectors, leading)}
