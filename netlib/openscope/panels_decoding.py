"""Decoding of the mean orientation of Gabor frames, over a window and frame by frame (analysis paper 10, 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netlib.analysis.orientation_decoding import decode_published, decode_timecourse
from netlib.analysis.permutation import permutation_result
from netlib.openscope.groups import common_columns, groups_of, to_table
from netlib.openscope.parameters import EXPECTED_ORIENTATIONS, UNEXPECTED_ORIENTATIONS, Parameters
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["scores", "timecourses"]

METRICS = ("neg_log_loss", "accuracy", "balanced_accuracy")
#: What U adds to the orientation of its sequence (degrees).
ROTATION = 90


def _trials(
    session: Session, comp: str, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray, dict[float, int] | None]:
    """Windows (trials, rois, time), classes (degrees), and with the control the trials to draw of each class.

    The control draws as many trials of a class as there are U whose sequence has its orientation.
    """
    letter, stimpar = comp.removesuffix("ori"), parameters.stimpar
    unexpected = letter == "U"
    oris = UNEXPECTED_ORIENTATIONS if unexpected else EXPECTED_ORIENTATIONS
    events = session.gabors.select(frame=letter, unexpected=unexpected, orientation=list(oris), kappa=stimpar.gabk)
    data = session.dff(events, stimpar.pre, stimpar.post, scale=parameters.analyspar.scale, nan="drop")
    labels = events.loc[data["trial"].values, "gabor_mean_orientation"].to_numpy()
    counts = None
    if parameters.logregpar.ctrl and not unexpected:
        surprises = session.gabors.select(frame="U", unexpected=True)["gabor_mean_orientation"]
        counts = {float(ori): int((surprises == ori + ROTATION).sum()) for ori in np.unique(labels)}
        few = [ori for ori, n in counts.items() if n < 2]
        if few:
            raise ValueError(f"{session} has {counts[few[0]]} U in sequences of {few[0]:g} deg: the control needs 2")
    return data.values, labels, counts


def _seed(seed: int, session: Session, comp: str) -> int:
    return int(stream(seed, "decoding", comp, str(session.metadata.sessid)).integers(2**62))


def _decoded(
    decode: Callable, members: Sequence[Session], comp: str, parameters: Parameters, seed: int, workers: int
) -> list:
    """What a decoder of :mod:`netlib.analysis.orientation_decoding` finds in each session."""
    found = []
    for session in members:
        data, labels, counts = _trials(session, comp, parameters)
        found.append(decode(
            data, labels, counts=counts, n_splits=parameters.extra("n_splits"), n_shuffles=parameters.permpar.n_perms,
            train_fraction=parameters.logregpar.train_p, seed=_seed(seed, session, comp), workers=workers,
        ))  # fmt: skip
    return found


def _columns(values: np.ndarray, null: np.ndarray, prefix: str, parameters: Parameters) -> dict[str, Any]:
    """Columns of one score: mean and error over mice, null interval, p-values of test scores.

    ``values`` (mice,) or (mice, frames); ``null`` (shuffles,) or (shuffles, frames), means over mice.
    """
    permpar, single = parameters.permpar, values.ndim == 1
    table, nulls = (a[:, None] if single else a for a in (values, null))
    n = len(table)
    error = table.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(table.shape[1], np.nan)
    tests = [
        permutation_result(stat, column, tails=permpar.tails, alpha=permpar.p_val, multcomp=permpar.multcomp)
        for stat, column in zip(table.mean(axis=0), nulls.T, strict=True)
    ]
    found = {"stat": table.mean(axis=0), "err": error, "null_CIs": [test.null_ci for test in tests]}
    if prefix.startswith("test"):
        found |= {"raw_p_vals": [t.raw_p for t in tests], "p_vals": [t.p for t in tests]}
        found["exact_p_vals"] = [t.p_exact for t in tests]
    return {f"{prefix}_{name}": value[0] if single else value for name, value in found.items()}


def _facts(members: Sequence[Session], comp: str, parameters: Parameters) -> dict[str, Any]:
    ctrl = (bool(parameters.logregpar.ctrl) and comp != "Uori") or isinstance(parameters.logregpar.comp, tuple)
    return common_columns(members) | {
        "comp": comp, "ctrl": ctrl, "bal": parameters.logregpar.bal, "n_splits_per": parameters.extra("n_splits"),
        "n_shuffled_splits_per": parameters.permpar.n_perms,
    }  # fmt: skip


def scores(sessions: Sequence[Session], parameters: Parameters, seed: int, workers: int = 1) -> dict[str, Any]:
    """Scores of decoders of each session, averaged over mice, against single shuffled splits averaged over mice."""
    comp, rows = parameters.logregpar.comp, []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
            each = _decoded(decode_published, members, comp, parameters, seed, workers)
            row = _facts(members, comp, parameters)
            for prefix in (f"{part}_{metric}" for part in ("test", "train") for metric in METRICS):
                values = np.array([decoding.mean()[prefix] for decoding in each])
                null = np.mean([decoding.null[prefix].to_numpy(float) for decoding in each], axis=0)
                row |= _columns(values, null, prefix, parameters)
            rows.append(row)
    return {"scores_df": to_table(rows)}


def timecourses(sessions: Sequence[Session], parameters: Parameters, seed: int, workers: int = 1) -> dict[str, Any]:
    """Scores of one decoder for each frame around D and around U."""
    rows = []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
            for comp in parameters.logregpar.comp:
                each = _decoded(decode_timecourse, members, comp, parameters, seed, workers)
                n_pre, n = round(parameters.stimpar.pre * members[0].fps), min(len(one.scores) for one in each)
                row = _facts(members, comp, parameters) | {"time_values": (np.arange(n) - n_pre) / members[0].fps}
                for metric in METRICS:
                    for part in ("test", "train"):
                        prefix = f"{part}_{metric}"
                        values = np.array([one.scores[prefix].to_numpy(float)[:n] for one in each])
                        if part == "train":
                            row[f"{prefix}_stat"] = values.mean(axis=0)
                            continue
                        null = np.mean([one.null[prefix][:, :n] for one in each], axis=0)
                        row |= _columns(values, null, prefix, parameters)
                rows.append(row)
    return {"scores_df": to_table(rows)}
