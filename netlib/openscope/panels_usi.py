"""Unexpected-event selectivity of ROIs (analysis paper 4, 5A, 5C, 7C, 7D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netlib.analysis.significance import count_significant, percent_test
from netlib.analysis.tracked import variance_std
from netlib.openscope.groups import common_columns, groups_of, sort_sessions, to_table
from netlib.openscope.indices import null_of, tracked_indices
from netlib.openscope.panels_traces import center_and_error, session_pairs
from netlib.openscope.parameters import Parameters
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["index_distributions", "index_statistics", "percent_significant", "tracked_usis"]


def index_distributions(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Histograms over the pooled ROIs of each group: USIs, USIs of shuffles, percentiles among shuffles."""
    n_bins, half = parameters.extra("n_bins"), 50 * parameters.permpar.p_val
    rows = []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
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
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
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
