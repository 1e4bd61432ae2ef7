"""Signal and noise of whole traces (dataset paper 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.trace_quality import correlation_histogram, pairwise_correlations, signal_to_noise
from netlib.openscope.groups import by_mouse, common_columns, groups_of, to_table
from netlib.openscope.parameters import Parameters
from netlib.recordings.two_photon.session import Session

__all__ = ["mean_signals", "roi_correlations", "roi_quality", "signal_to_noise_ratios"]

#: Values of whole traces held at once (64 MB), and bins of the correlations.
BLOCK, N_BINS = 8_000_000, 40


def _blocks(session: Session) -> Iterator[np.ndarray]:
    step = max(1, BLOCK // len(session.twop_times))
    yield from (np.arange(a, min(a + step, session.n_rois)) for a in range(0, session.n_rois, step))


def roi_quality(session: Session, scale: bool = False) -> pd.DataFrame:
    """Table of :func:`netlib.analysis.trace_quality.signal_to_noise` of all ROIs of a session."""
    parts = [signal_to_noise(session.traces(rois, scale=scale).T) for rois in _blocks(session)]
    return pd.concat(parts, ignore_index=True)


def _values(sessions: Sequence[Session], parameters: Parameters, source: str, column: str) -> dict[str, Any]:
    rows = []
    for numbers in by_mouse(sessions).values():
        for session in numbers.values():
            table = roi_quality(session, parameters.analyspar.scale)
            rows.append(common_columns([session], single=True) | {column: table[source].to_numpy()})
    return to_table(sorted(rows, key=lambda row: (row["mouse_ns"], row["sess_ns"])))


def signal_to_noise_ratios(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Signal-to-noise ratio of each ROI, one row per mouse and session."""
    return {"snr_df": _values(sessions, parameters, "snr", "snrs")}


def mean_signals(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Mean dF/F above the threshold of the noise of each ROI, one row per mouse and session."""
    return {"sig_mean_df": _values(sessions, parameters, "signal", "signal_means")}


def roi_correlations(sessions: Sequence[Session], parameters: Parameters, seed: int) -> dict[str, Any]:
    """Numbers of pairs of ROIs of a session by the correlation of their smoothed traces, pooled over mice.

    The traces of a whole session are held in memory: 6 GB for 1,600 ROIs over 70 min.
    """
    rows = []
    for _, numbers in groups_of(sessions):
        for members in numbers.values():
            counts = np.zeros(N_BINS, int)
            for session in members:
                traces = np.concatenate([session.traces(rois).astype(np.float32) for rois in _blocks(session)])
                matrix = pairwise_correlations(traces.T, parameters.extra("rolling_win"))
                counts += correlation_histogram(matrix, N_BINS)["count"].to_numpy()
            rows.append(common_columns(members) | {"bin_edges": (-1.0, 1.0), "corrs_binned": counts})
    return {"corr_df": to_table(rows)}
