"""Change between the first and the last session, responses to Gabors against visual flow (analysis paper 7B, 7E)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from netlib.analysis.stimulus_change import StimulusPair, stimulus_change
from netlib.openscope.groups import Key, common_columns, groups_of, to_table
from netlib.openscope.indices import tracked_indices
from netlib.openscope.panels_relative import relative_values
from netlib.openscope.parameters import Parameters, StimPar
from netlib.recordings.two_photon.session import Session

__all__ = ["index_changes", "response_changes"]

#: Values of the ROIs of each mouse and session.
Values = dict[tuple[int, int], np.ndarray]


def _one_stimulus(stimpar: StimPar, stimulus: str) -> StimPar:
    """Parameters of one of the two stimuli."""
    k = list(stimpar.stimtype).index(stimulus)
    own = dataclasses.replace(stimpar, stimtype=stimulus, pre=stimpar.pre[k], post=stimpar.post[k])
    return own if stimulus == "gabors" else dataclasses.replace(own, gab_ori="none", gabfr="none", gabk="none")


def response_changes(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Change of the unexpected response relative to the expected one of session 1."""
    values = {}
    for stimulus in ("gabors", "visflow"):
        found = relative_values(
            sessions, _one_stimulus(parameters.stimpar, stimulus), scale=parameters.analyspar.scale,
            first=parameters.extra("rel_sess"),
        )  # fmt: skip
        values[stimulus] = {key: table["rel_unexp"] for key, table in found.items()}
    return {"unexp_comp_df": _changes(sessions, parameters, seed, values)}


def index_changes(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Change of the mean |USI| of tracked ROIs."""
    values = {}
    for k, stimulus in enumerate(("gabors", "visflow")):
        idxpar = dataclasses.replace(parameters.idxpar, feature=parameters.idxpar.feature[k])
        stimpar = _one_stimulus(parameters.stimpar, stimulus)
        found = tracked_indices(sessions, stimpar, idxpar, parameters.analyspar.scale)
        values[stimulus] = {key: np.abs(usis) for key, usis in found.items()}
    return {"usi_comp_df": _changes(sessions, parameters, seed, values)}


def _changes(
    sessions: Sequence[Session], parameters: Parameters, seed: int, values: dict[str, Values]
) -> dict[str, Any]:
    permpar, compared = parameters.permpar, parameters.extra("comp_sess")
    pairs, columns = {}, {}
    for key, numbers in groups_of(sessions):
        missing = [n for n in compared if n not in numbers]
        if missing:
            raise ValueError(f"group {' '.join(key)} has no session {missing[0]}: sessions {compared} are compared")
        mice = {n: [s.metadata.mouse_n for s in numbers[n]] for n in compared}
        name = " ".join(key)
        pairs[name] = StimulusPair(*(
            np.concatenate([values[stimulus][mouse, n] for mouse in mice[n]])
            for stimulus in ("gabors", "visflow") for n in compared
        ))  # fmt: skip
        columns[name] = _columns(key, numbers)
    found = stimulus_change(
        pairs, tracked=parameters.analyspar.tracked, n_permutations=permpar.n_perms, tails=permpar.tails,
        alpha=permpar.p_val, multcomp=permpar.multcomp, seed=seed,
    )  # fmt: skip
    columns["all"] = dict.fromkeys(next(iter(columns.values())), "all")
    rows = [
        columns[name] | {
            "sess_ns": "comp" + "v".join(map(str, compared)), "gabors": [row["gabors"], row["gabors_std"]],
            "visflow": [row["visflow"], row["visflow_std"]], "raw_p_vals": row["raw_p"], "p_vals": row["p"],
            "exact_p_vals": row["p_exact"],
        }
        for name, row in found.to_dict("index").items()
    ]  # fmt: skip
    return to_table(rows)


def _columns(key: Key, numbers: dict[int, list[Session]]) -> dict[str, Any]:
    """Columns of a group with the sessions of all numbers in one list."""
    rows = [common_columns(members) for members in numbers.values()]
    joined = {name: [v for row in rows for v in row[name]] for name in rows[0] if isinstance(rows[0][name], list)}
    return rows[0] | joined
