"""Neurons of one mouse over its sessions: the table that was given, or one computed from the footprints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.registration import register_sessions
from netlib.analysis.registration_quality import quality
from netlib.imaging.steps import Result

__all__ = ["register_mouse", "sparse_of"]


def sparse_of(session: Mapping[str, Any], n_cells: int) -> Any:
    """Footprints kept by :func:`netlib.imaging.session_step.analyse_session` as a sparse matrix."""
    from scipy.sparse import csr_array

    height, width = session["field"]
    where = session["fp_cell"], session["fp_pixel"]
    return csr_array((session["fp_value"].astype(float), where), shape=(n_cells, height * width))


def register_mouse(sessions: Sequence[Mapping[str, Any]], given: np.ndarray | None) -> Result:
    """Registration of a mouse and its quality.

    Parameters
    ----------
    sessions : sequence of results of :func:`netlib.imaging.session_step.analyse_session`
        In order.
    given : ndarray of int, shape (n_registered, n_sessions), optional
        Table of the data set (-1 = absent); without it footprints are registered, and a single session is its own.

    Returns
    -------
    dict
        ``table``, ``source``, ``sessions_per_neuron``, ``fraction_bins`` (table: ``bin``, ``neurons``), ``follow``,
        ``neurons_per_session``; of a computed one ``shifts`` (px) and ``similarity``.
    """
    n_cells = [len(session["vectors"]) for session in sessions]
    more: Result = {}
    if given is not None:
        table, source = np.asarray(given), "table of the data set"
    elif len(sessions) == 1:
        table, source = np.arange(n_cells[0])[:, None], "one session"
    else:
        images = [sparse_of(session, n) for session, n in zip(sessions, n_cells, strict=True)]
        found = register_sessions(images, tuple(sessions[0]["field"]))
        table, source = found.table, "footprints: aligned, overlap and centroids, Hungarian method"
        more = {"shifts": found.shifts, "similarity": found.similarity}
    report = quality(table)
    bins = pd.DataFrame({"bin": list(report.fraction_bins.index), "neurons": report.fraction_bins.to_numpy()})
    return {
        "table": table,
        "source": source,
        "sessions_per_neuron": report.sessions_per_neuron,
        "fraction_bins": bins,
        "follow": report.follow,
        "neurons_per_session": report.neurons_per_session,
        **more,
    }
