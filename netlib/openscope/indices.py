"""USIs of the ROIs of sessions, and those of tracked ROIs in the same order in each session of a mouse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from netlib.analysis.usi import UsiNull, usi, usi_null
from netlib.openscope.groups import by_mouse
from netlib.openscope.parameters import IdxPar, Parameters, StimPar
from netlib.openscope.responses import split_responses
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream

__all__ = ["Indices", "null_of", "roi_indices", "tracked_indices"]


class Indices(NamedTuple):
    """USI of each ROI (rois,) and the numbers of these ROIs in the session (rois,)."""

    values: np.ndarray
    rois: np.ndarray


def roi_indices(session: Session, stimpar: StimPar, idxpar: IdxPar, scale: bool = True) -> Indices:
    """USI of each ROI of a session; ROIs that never vary, or hold a NaN, are left out."""
    found = split_responses(session, stimpar, idxpar.feature, scale)
    values = usi(found.values, found.unexpected, idxpar.op)
    good = np.isfinite(values)
    if not good.any():
        raise ValueError(f"no ROI of {session} has a {idxpar.op}: they do not vary")
    return Indices(values[good], found.rois[good])


def tracked_indices(
    sessions: Sequence[Session], stimpar: StimPar, idxpar: IdxPar, scale: bool = True
) -> dict[tuple[int, int], np.ndarray]:
    """USIs by (mouse, session number), of a mouse the same ROIs in the same order in each of its sessions.

    Sessions must show tracked ROIs only (``session.tracked_only``).
    """
    found = {}
    for mouse, numbers in by_mouse(sessions).items():
        each = {n: roi_indices(session, stimpar, idxpar, scale) for n, session in numbers.items()}
        good = reduce(np.intersect1d, (one.rois for one in each.values()))
        if not good.size:
            raise ValueError(f"mouse {mouse} has no tracked ROI with an index in each of the sessions {list(each)}")
        found |= {(mouse, n): one.values[np.isin(one.rois, good)] for n, one in each.items()}
    return found


def null_of(
    session: Session, parameters: Parameters, seed: int, *, keep_null: bool = False
) -> tuple[UsiNull, np.ndarray]:
    """USIs of a session against shuffled labels, and the numbers of the ROIs; ROIs without an index are left out."""
    idxpar, n_perms = parameters.idxpar, parameters.permpar.n_perms
    found = split_responses(session, parameters.stimpar, idxpar.feature, parameters.analyspar.scale)
    varies = np.isfinite(usi(found.values, found.unexpected, idxpar.op))
    rng = stream(seed, "usi null", str(session.metadata.sessid))
    null = usi_null(
        found.values[:, varies], found.unexpected, n_perms, seed=rng, operator=idxpar.op, keep_null=keep_null
    )
    return null, found.rois[varies]
