"""Correlations of the USIs of tracked ROIs between sessions (analysis paper 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from netlib.analysis.tracked import CorrelationResult, pairing_density, tracked_correlation
from netlib.openscope.groups import groups_of, several_sessions, to_table
from netlib.openscope.indices import tracked_indices
from netlib.openscope.parameters import Parameters
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["correlations", "scatter"]

#: Bins of the density of random pairs.
N_BINS = 200


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
        alpha=permpar.p_val, multcomp=permpar.multcomp, seed=_number(seed, "correlation", name),
    )  # fmt: skip


def _number(seed: int, *names: str) -> int:
    return int(stream(seed, *names).integers(2**62))


def correlations(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Correlation between each session and the next, with null interval and bootstrapped spread."""
    rows = []
    for name, row, values in _pooled(sessions, parameters):
        numbers = sorted(values)
        for first, second in pairwise(numbers):
            pair = f"{first}v{second}"
            found = _correlation(values[first], values[second], parameters, seed, f"{name} {pair}")
            row |= {
                f"{pair}_corrs": found.r, f"{pair}_corr_stds": found.std, f"{pair}_null_CIs": found.test.null_ci,
                f"{pair}_raw_p_vals": found.test.raw_p, f"{pair}_p_vals": found.test.p,
                f"{pair}_exact_p_vals": found.test.p_exact,
            }  # fmt: skip
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
        density, x_edges, y_edges = pairing_density(x, y, n_bins=N_BINS, seed=_number(seed, "pairs", name))
        rows.append(row | {
            "corr_data_xs": x, "corr_data_ys": y, "corrs": found.r, "regr_coefs": slope, "regr_intercepts": intercept,
            "raw_p_vals": found.test.raw_p, "p_vals": found.test.p, "exact_p_vals": found.test.p_exact,
            "rand_corr_meds": found.test.null_ci[1], "binned_rand_stats": density,
            "x_bin_mids": (x_edges[1:] + x_edges[:-1]) / 2, "y_bin_mids": (y_edges[1:] + y_edges[:-1]) / 2,
        })  # fmt: skip
    return {"idx_corr_df": to_table(rows)}
