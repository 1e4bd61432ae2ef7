"""Tables of the panels: traces, differences, relative responses, USIs, decoding, running and pupil.

Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023) and Figures 6 and 9 of the dataset
paper (Gillon, Lecoq et al. 2023, Sci Data 10:287). Each function takes sessions, parameters and a seed, and returns the
one table of its panel under the published name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from netlib.base.seeds import stream
from netlib.openscope import changes
from netlib.openscope.decoding import METRICS, decode_published, decode_timecourse
from netlib.openscope.events import event_responses, paired_events, split_events, split_responses, windows_of_rois
from netlib.openscope.parameters import (
    EXPECTED_ORIENTATIONS,
    UNEXPECTED_ORIENTATIONS,
    AnalysPar,
    Key,
    Parameters,
    StimPar,
    by_mouse,
    common_columns,
    drawn_seed,
    group_rows,
    groups_of,
    several_sessions,
    sort_sessions,
    to_table,
)
from netlib.openscope.responses import block_differences, block_test, early_and_late, summarise, third_differences
from netlib.openscope.schedule import U_ROTATION
from netlib.openscope.session import Session
from netlib.openscope.usi import (
    CorrelationResult,
    null_of,
    pairing_density,
    tracked_correlation,
    tracked_indices,
    variance_std,
)
from netlib.statistics.permutation import (
    PermutationResult,
    compare_samples,
    count_significant,
    joint_difference_test,
    percent_test,
    permutation_result,
)

__all__ = [
    "behaviour_blocks",
    "behaviour_traces",
    "center_and_error",
    "correlations",
    "differences",
    "full_session",
    "histograms",
    "index_changes",
    "index_distributions",
    "index_statistics",
    "p_columns",
    "percent_significant",
    "relative_responses",
    "relative_values",
    "response_changes",
    "scatter",
    "scores",
    "sequence_traces",
    "session_pairs",
    "thirds_differences",
    "timecourses",
    "tracked_usis",
]


# ---------------------------------------------------------------- traces, differences (2A, 2B, 3, 6B, 6C; dataset 9)


def center_and_error(values: Any, analyspar: AnalysPar) -> np.ndarray:
    """Mean and error over the first axis, stacked on a new last axis."""
    found = summarise(values, 0, stats=analyspar.stats, error=analyspar.error)
    return np.stack([found.center, found.error], axis=-1)


def p_columns(test: PermutationResult, before: str = "", after: str = "") -> dict[str, float]:
    """Columns of the p-values of a test: raw, corrected, and exact (not corrected)."""
    values = {"raw_p_vals": test.raw_p, "p_vals": test.p, "exact_p_vals": test.p_exact}
    return {f"{before}{name}{after}": p for name, p in values.items()}


def sequence_traces(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean traces of the pooled ROIs of each group and session, each ROI averaged over events first."""
    split, thirds = parameters.extra("split"), bool(parameters.extra("thirds"))
    names = ("third_0_trace_stats", "third_2_trace_stats") if thirds else ("trace_stats",)
    rows = []
    for *_, members in group_rows(sessions):
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
    for _, values, kept in windows_of_rois(session, events, stimpar.pre, stimpar.post, parameters.analyspar.scale):
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
        As in :func:`netlib.statistics.permutation.session_null`.

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
        columns = p_columns(test, after=f"_{first}v{second}")
        for n in values:
            found[n] |= columns if n in (first, second) else dict.fromkeys(columns, np.nan)
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
            made.append(common_columns(members) | p_columns(test) | {
                "diff_stats": center_and_error(values[n], parameters.analyspar), "null_CIs": test.null_ci,
                "mouse_diffs": [own.mean() for own in rois],
            })  # fmt: skip
        pairs = session_pairs(values, parameters, (seed, "difference pairs", line, plane))
        rows += [row | pairs[row["sess_ns"]] for row in made]
    return {"diffs_df": to_table(rows)}


def thirds_differences(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Differences in the first and the last third of each session, and a paired test between them over ROIs."""
    permpar, rows = parameters.permpar, []
    for line, plane, n, members in group_rows(sessions):
        parts = []
        for s in members:
            found = split_responses(s, parameters.stimpar, parameters.extra("split"), parameters.analyspar.scale)
            parts.append(third_differences(found.values, found.unexpected, found.events.index))
        early, late, _ = (np.concatenate(part) for part in zip(*parts, strict=True))
        test = compare_samples(
            early, late, paired=True, n_permutations=permpar.n_perms, tails=permpar.tails, alpha=permpar.p_val,
            seed=stream(seed, "thirds", line, plane, n), multcomp=permpar.multcomp,
        )  # fmt: skip
        rows.append(common_columns(members) | p_columns(test, after="_0v2") | {
            "third_0_diff_stats": center_and_error(early, parameters.analyspar),
            "third_2_diff_stats": center_and_error(late, parameters.analyspar),
        })  # fmt: skip
    return {"diffs_df": to_table(rows)}


# ---------------------------------------------------------------- responses relative to session 1 (2C, 5B, 7A)


def _roi_means(session: Session, stimpar: StimPar, scale: bool) -> pd.DataFrame:
    """Mean response of each ROI to each expected and unexpected frame, or to expected and unexpected flow."""
    if stimpar.stimtype == "gabors":
        events = session.gabors.select(orientation=list(stimpar.gab_ori), kappa=stimpar.gabk)
        found = event_responses(session, events, stimpar.pre, stimpar.post, scale)
        table = changes.frame_means(found.values, found.events["gabor_frame"], found.unexpected)
        return table.set_axis(found.rois)
    events = session.visflow.select(direction=list(stimpar.visflow_dir), size=stimpar.visflow_size)
    found = event_responses(session, events, stimpar.pre, stimpar.post, scale)
    return changes.flow_means(found.values, found.unexpected).set_axis(found.rois)


def relative_values(
    sessions: Sequence[Session], stimpar: StimPar, *, scale: bool = False, first: int = 1, tracked: bool = False
) -> dict[tuple[int, int], pd.DataFrame]:
    """Relative responses of the ROIs of each mouse and session: columns ``rel_reg`` (expected) and ``rel_unexp``.

    Each mouse's responses are divided by the mean over its ROIs of the expected response in session ``first``. Means
    near zero are kept, as published, however unstable that makes the ratio.

    Raises
    ------
    ValueError
        If a mouse lacks session ``first``.
    """
    found = {}
    for mouse, numbers in by_mouse(sessions).items():
        if first not in numbers:
            raise ValueError(f"mouse {mouse} has no session {first}, to which the others are relative")
        means = {n: _roi_means(session, stimpar, scale) for n, session in numbers.items()}
        if tracked:  # ROIs without a NaN in any of the sessions
            good = reduce(lambda a, b: a.intersection(b), (table.index for table in means.values()))
            means = {n: table.loc[good] for n, table in means.items()}
        reference = changes.reference_responses(means[first])
        for n, table in means.items():
            found[mouse, n] = changes.relative_responses(table, reference, unstable="keep")
    return found


def relative_responses(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean over pooled ROIs of the relative responses, expected and unexpected, and tests between sessions."""
    stimpar = parameters.stimpar
    expected = "rel_reg" if stimpar.stimtype == "gabors" else "rel_exp"
    found = relative_values(
        sessions, stimpar, scale=parameters.analyspar.scale, first=parameters.extra("rel_sess"),
        tracked=parameters.analyspar.tracked,
    )  # fmt: skip
    rows = []
    for (line, plane), numbers in groups_of(sessions):
        made = {n: common_columns(members) for n, members in numbers.items()}
        for name, column in ((expected, "rel_reg"), ("rel_unexp", "rel_unexp")):
            values = {
                n: np.concatenate([found[mouse, n][column] for mouse in row["mouse_ns"]]) for n, row in made.items()
            }
            pairs = session_pairs(values, parameters, (seed, name, line, plane))
            for n, row in made.items():
                row[name] = center_and_error(values[n], parameters.analyspar)
                row |= {f"{name}_{key}": p for key, p in pairs[n].items()}
        rows += made.values()
    return {"rel_resp_df": to_table(rows)}


# ---------------------------------------------------------------- changes, Gabors against visual flow (7B, 7E)


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
        pairs[name] = changes.StimulusPair(*(
            np.concatenate([values[stimulus][mouse, n] for mouse in mice[n]])
            for stimulus in ("gabors", "visflow") for n in compared
        ))  # fmt: skip
        columns[name] = _joined_columns(key, numbers)
    found = changes.stimulus_change(
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


def _joined_columns(key: Key, numbers: dict[int, list[Session]]) -> dict[str, Any]:
    """Columns of a group with the sessions of all numbers in one list."""
    rows = [common_columns(members) for members in numbers.values()]
    joined = {name: [v for row in rows for v in row[name]] for name in rows[0] if isinstance(rows[0][name], list)}
    return rows[0] | joined


# ---------------------------------------------------------------- USI (4C to 4H, 5A, 5C, 7C, 7D)


def index_distributions(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Histograms over the pooled ROIs of each group: USIs, USIs of shuffles, percentiles among shuffles."""
    n_bins, half = parameters.extra("n_bins"), 50 * parameters.permpar.p_val
    rows = []
    for *_, members in group_rows(sessions):
        nulls = [null_of(s, parameters, seed, keep_null=True)[0] for s in members]
        values = np.concatenate([null.value for null in nulls])
        percentiles = np.concatenate([null.percentile for null in nulls])
        pooled = np.concatenate([null.null.ravel() for null in nulls])
        ends = min(values.min(), pooled.min()), max(values.max(), pooled.max())
        counts = count_significant(percentiles, values, parameters.permpar.p_val)
        rows.append(common_columns(members) | {
            "bin_edges": ends,
            "roi_idx_binned": _shares(values, n_bins, ends),
            "rand_idx_binned": _shares(pooled, n_bins, ends),
            "perc_idx_binned": _shares(percentiles, n_bins, (0, 100)),
            "CI_perc": (half, 100 - half),
            "CI_edges": np.percentile(pooled, [half, 100 - half]),
            "n_pos": counts["n_positive"], "n_signif_lo": counts["n_low"], "n_signif_hi": counts["n_high"],
        })  # fmt: skip
    return {"idx_df": to_table(rows)}


def _shares(values: np.ndarray, n_bins: int, ends: tuple[float, float]) -> np.ndarray:
    """Share of the values in each bin."""
    return np.histogram(values, n_bins, ends)[0] / len(values)


def percent_significant(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Percent of ROIs with a significantly low or high, and with a positive USI, against binomial chance."""
    permpar, rows = parameters.permpar, []
    for *_, members in group_rows(sessions):
        each = [[s] for s in members] if parameters.extra("by_mouse") else [members]
        for some in each:
            nulls = [null_of(s, parameters, seed)[0] for s in some]
            percentiles = np.concatenate([null.percentile for null in nulls])
            counts = count_significant(percentiles, np.concatenate([n.value for n in nulls]), permpar.p_val)
            row = common_columns(some, single=len(some) == 1 and bool(parameters.extra("by_mouse")))
            rows.append(row | _percents(counts, parameters, seed, len(rows)))
    return {"perc_sig_df": to_table(rows)}


def _percents(counts: dict[str, int], parameters: Parameters, seed: int, row: int) -> dict[str, Any]:
    """Columns of the three percents of a row."""
    permpar, columns = parameters.permpar, {}
    chance = permpar.p_val / 2
    tails = (
        ("sig_lo", "n_signif_lo", "n_low", chance), ("sig_hi", "n_signif_hi", "n_high", chance),
        ("pos", "n_pos", "n_positive", 0.5),
    )  # fmt: skip
    for name, column, counted, null in tails:
        k = counts[counted]
        test = percent_test(k, counts["n_rois"], null, alpha=permpar.p_val, multcomp=int(permpar.multcomp) or 1,
                            seed=stream(seed, "percent", name, row))  # fmt: skip
        prefix = f"perc_{name}_idxs"
        columns |= {
            column: k, prefix: test["percent"], f"{prefix}_stds": test["std"], f"{prefix}_CIs": test["ci"],
            f"{prefix}_null_CIs": test["null_ci"], f"{prefix}_raw_p_vals": test["raw_p"], f"{prefix}_p_vals": test["p"],
            f"{prefix}_exact_p_vals": test["p_exact"],
        }  # fmt: skip
    return columns


def tracked_usis(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """USI of each tracked ROI, one row per mouse and session, ROIs in the same order in each session of a mouse."""
    found = tracked_indices(sessions, parameters.stimpar, parameters.idxpar, parameters.analyspar.scale)
    rows = []
    for session in sort_sessions(sessions):
        values = found[session.metadata.mouse_n, session.metadata.sess_n]
        rows.append(common_columns([session], single=True) | {"roi_idxs": values, "nrois": len(values)})
    return {"idx_only_df": to_table(rows)}


def index_statistics(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean |USI| and its error, or variance of the USIs and its bootstrapped spread, by session; tests in pairs."""
    absolute, by_mouse = parameters.extra("absolute"), parameters.extra("by_mouse")
    variance = parameters.extra("stat") == "var"
    found = tracked_indices(sessions, parameters.stimpar, parameters.idxpar, parameters.analyspar.scale)
    found = {key: np.abs(values) if absolute else values for key, values in found.items()}
    column = "abs_roi_idx_stats" if absolute else "roi_idx_stats"
    rows = []
    for (line, plane), numbers in groups_of(sessions):
        mice = sorted({s.metadata.mouse_n for members in numbers.values() for s in members})
        for some in [[mouse] for mouse in mice] if by_mouse else [mice]:
            members = {n: [s for s in own if s.metadata.mouse_n in some] for n, own in numbers.items()}
            members = {n: own for n, own in members.items() if own}
            values = {n: np.concatenate([found[s.metadata.mouse_n, n] for s in own]) for n, own in members.items()}
            names = (seed, "index pairs", line, plane, *some)
            pairs = {n: {} for n in values}
            if parameters.permpar:
                pairs = session_pairs(values, parameters, names, "variance" if variance else "mean")
            for n, own in members.items():
                rng = stream(seed, "index spread", line, plane, n)
                stats = (
                    variance_std(values[n], seed=rng) if variance else center_and_error(values[n], parameters.analyspar)
                )
                each = [found[s.metadata.mouse_n, n] for s in own]
                extra = {} if by_mouse else {"mouse_idx_stats": [v.var() if variance else v.mean() for v in each]}
                row = common_columns(own, single=bool(by_mouse)) | {"nrois": [len(v) for v in each]}
                row["nrois"] = row["nrois"][0] if by_mouse else row["nrois"]
                rows.append(row | {column: stats} | extra | pairs[n])
    return {"idx_stats_df": to_table(rows)}


# ---------------------------------------------------------------- correlations of USIs between sessions (9)


#: Bins of the density of random pairs.
CORRELATION_BINS = 200


def _pooled(
    sessions: Sequence[Session], parameters: Parameters
) -> Iterator[tuple[str, dict[str, Any], dict[int, np.ndarray]]]:
    """For each group its name, its columns, and the USIs of its pooled ROIs by session number."""
    found = tracked_indices(sessions, parameters.stimpar, parameters.idxpar, parameters.analyspar.scale)
    for (line, plane), numbers in groups_of(sessions):
        values = {n: [found[s.metadata.mouse_n, n] for s in own] for n, own in numbers.items()}
        row = several_sessions(numbers) | {"nrois": [[len(v) for v in own] for own in values.values()]}
        yield f"{line} {plane}", row, {n: np.concatenate(own) for n, own in values.items()}


def _correlation(x: np.ndarray, y: np.ndarray, parameters: Parameters, seed: int, name: str) -> CorrelationResult:
    permpar = parameters.permpar
    return tracked_correlation(
        x, y, permute=parameters.extra("permute"), n_permutations=permpar.n_perms, tails=permpar.tails,
        alpha=permpar.p_val, multcomp=permpar.multcomp, seed=drawn_seed(seed, "correlation", name),
    )  # fmt: skip


def correlations(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Correlation between each session and the next, with null interval and bootstrapped spread."""
    rows = []
    for name, row, values in _pooled(sessions, parameters):
        numbers = sorted(values)
        for first, second in pairwise(numbers):
            pair = f"{first}v{second}"
            found = _correlation(values[first], values[second], parameters, seed, f"{name} {pair}")
            row |= p_columns(found.test, f"{pair}_")
            row |= {f"{pair}_corrs": found.r, f"{pair}_corr_stds": found.std, f"{pair}_null_CIs": found.test.null_ci}
        rows.append(row)
    return {"idx_corr_df": to_table(rows)}


def scatter(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """USIs of two sessions, their regression, and the smoothed density of randomly paired ROIs."""
    first, second = parameters.sesspar.sess_n
    rows = []
    for name, row, values in _pooled(sessions, parameters):
        x, y = values[first], values[second]
        found = _correlation(x, y, parameters, seed, f"{name} {first}v{second}")
        slope, intercept = np.polyfit(x, y, 1)
        density, x_edges, y_edges = pairing_density(x, y, n_bins=CORRELATION_BINS, seed=drawn_seed(seed, "pairs", name))
        rows.append(row | p_columns(found.test) | {
            "corr_data_xs": x, "corr_data_ys": y, "corrs": found.r, "regr_coefs": slope, "regr_intercepts": intercept,
            "rand_corr_meds": found.test.null_ci[1], "binned_rand_stats": density,
            "x_bin_mids": (x_edges[1:] + x_edges[:-1]) / 2, "y_bin_mids": (y_edges[1:] + y_edges[:-1]) / 2,
        })  # fmt: skip
    return {"idx_corr_df": to_table(rows)}


# ---------------------------------------------------------------- decoding (10, 11)


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
        surprises = session.gabors.select(frame="U", unexpected=True, kappa=stimpar.gabk)["gabor_mean_orientation"]
        counts = {float(ori): int((surprises == ori + U_ROTATION).sum()) for ori in np.unique(labels)}
        few = [ori for ori, n in counts.items() if n < 2]
        if few:
            raise ValueError(f"{session} has {counts[few[0]]} U in sequences of {few[0]:g} deg: the control needs 2")
    return data.values, labels, counts


def _decoded(
    decode: Callable, members: Sequence[Session], comp: str, parameters: Parameters, seed: int, workers: int
) -> list:
    """What a decoder of :mod:`netlib.openscope.decoding` finds in each session."""
    found = []
    for session in members:
        data, labels, counts = _trials(session, comp, parameters)
        own_seed = drawn_seed(seed, "decoding", comp, str(session.metadata.sessid))
        found.append(decode(
            data, labels, counts=counts, n_splits=parameters.extra("n_splits"), n_shuffles=parameters.permpar.n_perms,
            train_fraction=parameters.logregpar.train_p, seed=own_seed, workers=workers,
        ))  # fmt: skip
    return found


def _score_columns(values: np.ndarray, null: np.ndarray, prefix: str, parameters: Parameters) -> dict[str, Any]:
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
        columns = [p_columns(test) for test in tests]
        found |= {name: [one[name] for one in columns] for name in columns[0]}
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
    for *_, members in group_rows(sessions):
        each = _decoded(decode_published, members, comp, parameters, seed, workers)
        row = _facts(members, comp, parameters)
        for prefix in (f"{part}_{metric}" for part in ("test", "train") for metric in METRICS):
            values = np.array([decoding.mean()[prefix] for decoding in each])
            null = np.mean([decoding.null[prefix].to_numpy(float) for decoding in each], axis=0)
            row |= _score_columns(values, null, prefix, parameters)
        rows.append(row)
    return {"scores_df": to_table(rows)}


def timecourses(sessions: Sequence[Session], parameters: Parameters, seed: int, workers: int = 1) -> dict[str, Any]:
    """Scores of one decoder for each frame around D and around U."""
    rows = []
    for *_, members in group_rows(sessions):
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
                    row |= _score_columns(values, null, prefix, parameters)
            rows.append(row)
    return {"scores_df": to_table(rows)}


# ---------------------------------------------------------------- running and pupil (8; dataset 6)


KINDS = ("run", "pupil")
#: Bins of the histograms, and their ends: cm/s and mm; values beyond widen them by whole steps.
BEHAVIOUR_BINS, ENDS, STEPS = 40, {"run": (-30.0, 90.0), "pupil": (0.03, 2.0)}, {"run": 10.0, "pupil": 0.5}


def _around(session: Session, kind: str, parameters: Parameters, pre: float, post: float) -> tuple[Any, np.ndarray]:
    """Windows (trials, time) around D and U, and which are of U; lost frames are NaN unless bridged."""
    read = session.running_around if kind == "run" else session.pupil_around
    analyspar, events = parameters.analyspar, paired_events(session, parameters.stimpar)
    data = read(events, pre, post, interpolate=analyspar.rem_bad, scale=analyspar.scale)
    return data, events.loc[data["trial"].values, "unexpected"].to_numpy() == 1


def _by_number(sessions: Sequence[Session]) -> dict[int, list[Session]]:
    found: dict[int, list[Session]] = {}
    for session in sort_sessions(sessions):
        found.setdefault(session.metadata.sess_n, []).append(session)
    return dict(sorted(found.items()))


def _mixed_columns(sessions: Sequence[Session]) -> dict[str, Any]:
    """Columns of a row made of sessions of several groups."""
    each = [common_columns([session], rois=False, single=True) for session in sessions]
    return {name: [one[name] for one in each] for name in each[0]} | {"sess_ns": each[0]["sess_ns"]}


def behaviour_traces(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Running and pupil around expected D and unexpected U, sequences pooled over all mice."""
    stimpar, rows = parameters.stimpar, []
    for members in _by_number(sessions).values():
        row = _mixed_columns(members)
        for kind in KINDS:
            found = [_around(s, kind, parameters, stimpar.pre, stimpar.post) for s in members]
            length = min(data.shape[1] for data, _ in found)
            pooled = [np.concatenate([d.values[u == flag, :length] for d, u in found]) for flag in (False, True)]
            row[f"{kind}_trace_stats"] = np.stack([center_and_error(part, parameters.analyspar) for part in pooled])
            row[f"{kind}_time_values"] = found[0][0]["time"].values[:length]
        rows.append(row)
    return {"trace_df": to_table(rows)}


def behaviour_blocks(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """U minus D of each block (expected run, then unexpected run), blocks pooled over mice, with a paired test."""
    stimpar, permpar, rows = parameters.stimpar, parameters.permpar, []
    for line, plane, n, members in group_rows(sessions):
        row = common_columns(members, rois=False)
        for kind in KINDS:
            found = [_around(s, kind, parameters, stimpar.pre, stimpar.post) for s in members]
            blocks = pd.concat([block_differences(d.values, u) for d, u in found], ignore_index=True)
            _, test = block_test(
                blocks, n_permutations=permpar.n_perms, seed=stream(seed, "blocks", kind, line, plane, n),
                alpha=permpar.p_val, multcomp=int(permpar.multcomp) or 1,
            )  # fmt: skip
            row |= {f"{kind}_block_diffs": blocks["difference"].to_numpy()} | p_columns(test, f"{kind}_")
        rows.append(row)
    return {"block_df": to_table(rows)}


def _whole(session: Session, kind: str, parameters: Parameters) -> np.ndarray:
    read = session.running if kind == "run" else session.pupil
    return read(interpolate=parameters.analyspar.rem_bad, scale=parameters.analyspar.scale)


def full_session(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Running and pupil over whole sessions, and the first and last frame of each stretch of a stimulus."""
    rows = []
    for session in sort_sessions(sessions):
        trials = session.trials
        stretch = (trials["stimulus_type"] != trials["stimulus_type"].shift()).cumsum()
        parts = [part for _, part in trials.groupby(stretch, sort=False)]
        clocks = {"run": "stim", "pupil": "twop"}
        row = common_columns([session], rois=False, single=True) | {
            "duration_sec": float(session.stim_times[-1] - session.stim_times[0]),
            "stims": [part["stimulus_type"].iloc[0] for part in parts],
        }
        for kind, clock in clocks.items():
            ends = (f"start_frame_{clock}", f"stop_frame_{clock}")
            row[f"{kind}_data"] = _whole(session, kind, parameters)
            row[f"{kind}_frames"] = [[int(part[ends[0]].iloc[0]), int(part[ends[1]].iloc[-1])] for part in parts]
        rows.append(row)
    return {"sess_df": to_table(rows)}


def histograms(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Histograms of running velocity and pupil diameter of each session; lost frames are left out."""
    values = {kind: {id(s): _whole(s, kind, parameters) for s in sessions} for kind in KINDS}
    ends = {kind: _ends(kind, list(values[kind].values())) for kind in KINDS}
    rows = []
    for members in _by_number(sorted(sessions, key=lambda s: s.metadata.mouse_n)).values():
        row = _mixed_columns(members)
        for kind in KINDS:
            own = (values[kind][id(s)] for s in members)
            row[f"{kind}_vals_binned"] = [np.histogram(v[np.isfinite(v)], BEHAVIOUR_BINS, ends[kind])[0] for v in own]
            row[f"{kind}_bin_edges"] = ends[kind]
        rows.append(row)
    return {"hist_df": to_table(rows)}


def _ends(kind: str, values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Ends of the histogram that hold all values."""
    (low, high), step = ENDS[kind], STEPS[kind]
    found_low, found_high = min(np.nanmin(v) for v in values), max(np.nanmax(v) for v in values)
    low -= step * max(0, int(np.ceil((low - found_low) / step)))
    return low, high + step * max(0, int(np.ceil((found_high - high) / step)))
