"""Simulated mice in the layout of the published data: what every panel needs, without 15 GB of recordings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from netlib.openscope.sessions import TABLE_NAME
from netlib.provenance import atomic_write
from netlib.recordings.two_photon.session import Session
from netlib.seeds import simulator_seed
from netlib.units import check_integer, check_number

__all__ = ["MICE", "simulate_folder", "simulated_mice"]

#: Numbers, lines, planes and depths (µm) of the published mice; the first four are one per group.
MICE = (
    *((6, "L23-Cux2", "dend", 50), (1, "L23-Cux2", "soma", 175)),
    *((11, "L5-Rbp4", "dend", 20), (4, "L5-Rbp4", "soma", 375)),
    *((9, "L23-Cux2", "dend", 75), (3, "L23-Cux2", "soma", 175)),
    *((8, "L5-Rbp4", "dend", 20), (7, "L5-Rbp4", "soma", 375)),
    *((13, "L23-Cux2", "soma", 175), (10, "L5-Rbp4", "dend", 20), (12, "L5-Rbp4", "soma", 375)),
)
#: Share of the ROIs that are tracked over sessions.
TRACKED = 2 / 3


def simulated_mice(
    n_mice: int = 8,
    n_rois: int = 60,
    seed: int = 905,
    *,
    gabor_minutes: float = 34.0,
    flow_minutes: float = 17.0,
    spread: float = 0.3,
    flow_surprise: float = 0.3,
) -> Iterator[tuple[Session, dict[str, object]]]:
    """Sessions 1 to 3 of some mice, one after the other, each with its row of the table of mice.

    Cells are simulated with :func:`netlib.recordings.two_photon.simulate_session.simulate_mouse`; they are no model of
    the published groups, which here differ by nothing but name.

    Parameters
    ----------
    n_mice : int
        Mice, at most 11; up to four they are of different groups.
    n_rois : int
        ROIs per session, two thirds of them tracked.
    seed : int
        Master seed.
    gabor_minutes, flow_minutes : float
        Length of the Gabor block and of each block of visual flow (min).
    spread : float
        Standard deviation over cells of the planted USI.
    flow_surprise : float
        What unexpected flow adds to the response to flow, as a fraction of it.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    from netlib.recordings.two_photon.simulate_session import simulate_mouse
    from netlib.stimuli.gabor_sequences import credit_assignment_schedule

    n_mice = check_integer("mice", n_mice, 1, len(MICE), "mice")
    n_rois = check_integer("rois", n_rois, 6, unit="ROIs")
    check_number("gabor_minutes", gabor_minutes, "min", 2)
    check_number("flow_minutes", flow_minutes, "min", 2)
    for mouse, line, plane, depth in MICE[:n_mice]:
        own = simulator_seed(seed, "mouse", mouse)
        schedules = [
            credit_assignment_schedule(
                simulator_seed(own, "schedule", k), gabor_minutes=gabor_minutes, flow_minutes=flow_minutes
            )
            for k in range(3)
        ]
        sessions = simulate_mouse(
            own, n_rois, round(TRACKED * n_rois), spread=spread, schedules=schedules, line=line, plane=plane,
            mouse_n=mouse, flow_surprise=flow_surprise,
        )  # fmt: skip
        for session in sessions:
            yield session, _row(session, depth)


def _row(session: Session, depth: float) -> dict[str, object]:
    """Row of the table of mice."""
    facts = session.metadata
    tracked = 0 if session.tracking_ids is None else len(session.tracked_order())
    return {
        "sessid": facts.sessid, "mouse_n": facts.mouse_n, "mouseid": facts.mouseid, "depth": depth,
        "plane": facts.plane, "line": facts.line, "runtype": "prod", "sess_n": facts.sess_n,
        "nrois": session.n_rois, "nrois_tracked": tracked, "nrois_all": session.n_rois, "pass_fail": "P",
        "all_files": 1, "any_files": 1, "incl": "yes", "notes": "simulated",
    }  # fmt: skip


def simulate_folder(output: str | os.PathLike, n_mice: int = 8, n_rois: int = 60, seed: int = 905, **settings) -> Path:
    """Write simulated mice to a folder: one NWB file per session, and the table of mice last, when all are there.

    Parameters
    ----------
    output : path
        The folder; made if missing.
    n_mice, n_rois, seed, **settings
        As in :func:`simulated_mice`.

    Returns
    -------
    Path
        The table of mice.

    Raises
    ------
    FileExistsError
        If the folder holds a table of mice already: mice of two simulations would mix.
    """
    from netlib.recordings.two_photon.nwb_session import write_session

    folder = Path(output)
    if (folder / TABLE_NAME).exists():
        raise FileExistsError(f"{folder / TABLE_NAME} is there already: choose another folder")
    rows = []
    for session, row in simulated_mice(n_mice, n_rois, seed, **settings):
        place = folder / f"sub-{row['mouseid']}"
        place.mkdir(parents=True, exist_ok=True)
        write_session(session, place / f"sub-{row['mouseid']}_ses-{row['sessid']}_behavior+ophys.nwb")
        rows.append(row)
    table = pd.DataFrame(rows).sort_values(["mouse_n", "sess_n"]).to_csv(index=False)
    return atomic_write(folder / TABLE_NAME, lambda file: file.write(table.encode()))
