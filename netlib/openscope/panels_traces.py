"""Mean traces around events, and differences of integrated responses (analysis paper 2A, 2B, 3, 6B, 6C; dataset 9)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from netlib.analysis.event_responses import summarise
from netlib.analysis.permutation import compare_samples, joint_difference_test
from netlib.analysis.response_differences import early_and_late, third_differences
from netlib.openscope.groups import common_columns, groups_of, to_table
from netlib.openscope.parameters import AnalysPar, Parameters
from netlib.openscope.responses import split_events, split_responses, windows
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["center_and_error", "differences", "sequence_traces", "session_pairs", "thirds_differences"]


def center_and_error(values: Any, analyspar: AnalysPar) -> np.ndarray:
    """Mean and error over the first axis, stacked on a new last axis."""
    found = summarise(values, 0, stats=analyspar.stats, error=analyspar.error)
    return np.stack([found.center, found.error], axis=-1)


def sequence_traces(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean traces of the pooled ROIs of each group and session, each ROI averaged over events first."""
    split, thirds = parameters.extra("split"), bool(parameters.extra("thirds"))
    names = ("third_0_trace_stats", "third_2_trace_stats") if thirds else ("trace_stats",)
    rows = []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
            pooled = [_roi_traces(s, parameters, split, thirds) for s in members]
            row = common_columns(members) | {"time_values": pooled[0][1]}
            for k, name in enumerate(names):
                whole = np.concatenate([traces[k] for traces, _ in pooled], axis=1)  # (2, rois, time)
                row[name] = np.stack([center_and_error(kind, parameters.analyspar) for kind in whole])
            rows.append(row)
    return {"trace_df": to_table(rows)}


def _roi_traces(session: Session, parameters: Parameters, split: str, thirds: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean trace of each ROI, shape (1 or 2 parts of the session, 2 kinds, rois, time), and the times (s)."""
    stimpar, stats = parameters.stimpar, parameters.analyspar.stats
    events = split_events(session, stimpar, split)
    n_pre = round(stimpar.pre * session.fps)
    parts = []
    for _, values, kept in windows(session, events, stimpar.pre, stimpar.post, parameters.analyspar.scale):
        if split != "by_exp":
            if values.shape[-1] != 2 * n_pre:
                raise ValueError(f"pre = {stimpar.pre:g} s and post = {stimpar.post:g} s must be equal for {split!r}")
            kinds = [values[..., :n_pre], values[..., n_pre:]]
            parts.append(np.stack([[summarise(kind, 0, stats=stats).center for kind in kinds]]))
            continue
        unexpected = kept["unexpected"].to_numpy() == 1
        pieces = early_and_late(kept.index) if thirds else [np.ones(len(kept), bool)]
        parts.append(np.stack([[summarise(values[piece & (unexpected == flag)], 0, stats=stats).center
                                for flag in (False, True)] for piece in pieces]))  # fmt: skip
    traces = np.concatenate(parts, axis=2)
    start = -n_pre if split == "by_exp" else 0
    return traces, (start + np.arange(traces.shape[-1])) / session.fps


def session_pairs(
    values: dict[int, np.ndarray], parameters: Parameters, rng_names: Sequence[str | int], statistic: str = "mean"
) -> dict[int, dict[str, float]]:
    """Tests between all pairs of sessions of a group: for each session number its columns of p-values.

    Parameters
    ----------
    values : dict of ndarray
        One value per ROI, by number of the session. Tracked ROIs are compared in pairs.
    parameters : Parameters
        Of the panel: permutations, tails, comparisons.
    rng_names : sequence
        Master seed and names of the stream of random numbers.
    statistic : str
        As in :func:`netlib.analysis.permutation.session_null`.

    Returns
    -------
    dict of dict
        ``raw_p_vals_1v2``, ``p_vals_1v2`` and ``exact_p_vals_1v2`` (not corrected) on the rows of both sessions, NaN
        on the others. (In the published files the third session lacks its comparison with the second.)
    """
    permpar, (seed, *names) = parameters.permpar, rng_names
    found: dict[int, dict[str, float]] = {n: {} for n in values}
    for first, second in combinations(sorted(values), 2):
        test = compare_samples(
            values[first], values[second], paired=parameters.analyspar.tracked, statistic=statistic,
            n_permutations=permpar.n_perms, seed=stream(seed, *names, first, second), tails=permpar.tails,
            alpha=permpar.p_val, multcomp=int(permpar.multcomp) or 1,
        )  # fmt: skip
        columns = {"raw_p_vals": test.raw_p, "p_vals": test.p, "exact_p_vals": test.p_exact}
        for n in values:
            within = n in (first, second)
            found[n] |= {f"{k}_{first}v{second}": p if within else np.nan for k, p in columns.items()}
    return found


def differences(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Unexpected minus expected responses: mean over pooled ROIs, null by joint shuffles, tests between sessions."""
    split, permpar = parameters.extra("split"), parameters.permpar
    rows = []
    for (line, plane), numbers in groups_of(sessions):
        values, made = {}, []
        for n, members in numbers.items():
            each = [split_responses(s, parameters.stimpar, split, parameters.analyspar.scale) for s in members]
            rois = [r.values[r.unexpected].mean(0) - r.values[~r.unexpected].mean(0) for r in each]
            values[n] = np.concatenate(rois)
            test = joint_difference_test(
                [(r.values, r.unexpected) for r in each], n_permutations=permpar.n_perms, tails=permpar.tails,
                seed=stream(seed, "differences", line, plane, n), alpha=permpar.p_val, multcomp=permpar.multcomp,
            )  # fmt: skip
            row = common_columns(members) | {
                "diff_stats": center_and_error(values[n], parameters.analyspar),
                "null_CIs": test.null_ci, "raw_p_vals": test.raw_p, "p_vals": test.p, "exact_p_vals": test.p_exact,
                "mouse_diffs": [own.mean() for own in rois],
            }  # fmt: skip
            made.append(row)
        pairs = session_pairs(values, parameters, (seed, "difference pairs", line, plane))
        rows += [row | pairs[row["sess_ns"]] for row in made]
    return {"diffs_df": to_table(rows)}


def thirds_differences(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Differences in the first and the last third of each session, and a paired test between them over ROIs."""
    permpar, rows = parameters.permpar, []
    for (line, plane), numbers in groups_of(sessions):
        for n, members in numbers.items():
            parts = []
            for s in members:
                found = split_responses(s, parameters.stimpar, parameters.extra("split"), parameters.analyspar.scale)
                parts.append(third_differences(found.values, found.unexpected, found.events.index))
            early, late, _ = (np.concatenate(part) for part in zip(*parts, strict=True))
            test = compare_samples(
                early, late, paired=True, n_permutations=permpar.n_perms, tails=permpar.tails, alpha=permpar.p_val,
                seed=stream(seed, "thirds", line, plane, n), multcomp=permpar.multcomp,
            )  # fmt: skip
            rows.append(common_columns(members) | {
                "third_0_diff_stats": center_and_error(early, parameters.analyspar),
                "third_2_diff_stats": center_and_error(late, parameters.analyspar),
                "raw_p_vals_0v2": test.raw_p, "p_vals_0v2": test.p, "exact_p_vals_0v2": test.p_exact,
            })  # fmt: skip
    return {"diffs_df": to_table(rows)}
