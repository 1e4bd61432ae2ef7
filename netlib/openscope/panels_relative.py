"""Responses relative to those of session 1 (analysis paper 2C, 5B, 7A)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis import relative_responses as relative
from netlib.openscope.groups import by_mouse, common_columns, groups_of, to_table
from netlib.openscope.panels_traces import center_and_error, session_pairs
from netlib.openscope.parameters import Parameters, StimPar
from netlib.openscope.responses import responses
from netlib.recordings.two_photon.session import Session

__all__ = ["relative_responses", "relative_values"]


def _roi_means(session: Session, stimpar: StimPar, scale: bool) -> pd.DataFrame:
    """Mean response of each ROI to each expected and unexpected frame, or to expected and unexpected flow."""
    if stimpar.stimtype == "gabors":
        events = session.gabors.select(orientation=list(stimpar.gab_ori), kappa=stimpar.gabk)
        found = responses(session, events, stimpar.pre, stimpar.post, scale)
        table = relative.frame_means(found.values, found.events["gabor_frame"], found.unexpected)
        return table.set_axis(found.rois)
    events = session.visflow.select(direction=list(stimpar.visflow_dir), size=stimpar.visflow_size)
    found = responses(session, events, stimpar.pre, stimpar.post, scale)
    return relative.flow_means(found.values, found.unexpected).set_axis(found.rois)


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
        reference = relative.reference_responses(means[first])
        for n, table in means.items():
            found[mouse, n] = relative.relative_responses(table, reference, unstable="keep")
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
