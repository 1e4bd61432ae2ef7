"""Sessions simulated without a network: cells with tuning, a planted surprise, a microscope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.recordings.fluorescence.calcium import Indicator, indicator
from netlib.recordings.fluorescence.microscope import Microscope, image
from netlib.recordings.recording import Recording
from netlib.recordings.two_photon.imaged_session import session_from_recording
from netlib.recordings.two_photon.session import Session
from netlib.recordings.two_photon.session_metadata import SessionMetadata
from netlib.recordings.two_photon.session_signals import running_speed, session_numbers
from netlib.recordings.two_photon.simulated_cells import (
    add_surprise,
    draw_cells,
    draw_spikes,
    epochs,
    segment_rates,
    slow_noise,
)
from netlib.seeds import simulator_seed, stream
from netlib.stimuli.gabor_sequences import credit_assignment_schedule
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.schedule import Schedule
from netlib.units import check_array, check_integer, check_number, check_type

__all__ = ["simulate_mouse", "simulate_session"]


def simulate_session(
    seed: int,
    n_rois: int = 100,
    schedule: Schedule | None = None,
    *,
    surprise: float | ArrayLike = 0.0,
    selective_fraction: float = 0.2,
    orientation_tuned: bool = True,
    flow_surprise: float = 0.0,
    slow_sd: float = 0.0,
    slow_time: float = 20.0,
    running_gain: float = 0.0,
    indicator: Indicator | str = "GCaMP6f",
    microscope: Microscope | None = None,
    cells: pd.DataFrame | None = None,
    tracking_ids: ArrayLike | None = None,
    metadata: SessionMetadata | Mapping[str, Any] | None = None,
    field: int = 64,
) -> tuple[Session, pd.DataFrame]:
    """Session of independent Poisson cells that answer to each segment by a formula, seen through a microscope.

    What successive sequences share matters, because unexpected ones come in runs of 2-4: a null of free shuffles of
    labels is then too narrow. Without any surprise, 12 sessions of 150 ROIs had so many significant ROIs at 5 % (+- 0.5
    over sessions; in brackets with shuffles of whole runs, ``permutation="block"``): 4.0 % (3.7) with the defaults, the
    calcium of GCaMP6f being gone within a sequence; 7.3 % (4.1) with GCaMP6s; 6.2 % (4.3) with ``slow_sd=0.3``, 8.1 %
    (4.5) with 0.6, 9.2 % (4.5) with 0.6 and ``slow_time=5``. With ``running_gain=1``, common to all ROIs, it was 7.9 %
    (5.3), between 2 and 30 % by session: ROIs then go wrong together. Even without surprise the mean index is slightly
    negative, -0.015 +- 0.002 (-0.023 with GCaMP6s): responses are skewed, and a curved indicator adds more where D
    meets what C of the same orientation left behind than where U does.

    Parameters
    ----------
    seed : int
        Master seed of everything but the schedule.
    n_rois : int
        Number of ROIs.
    schedule : Schedule, optional
        What is shown; by default a published session drawn from ``seed``.
    surprise : float or array_like, shape (n_rois,)
        Planted index of U against D: the difference of mean responses (dF/F over 0-0.6 s) over the root mean of both
        variances, the d' of the analyses. A number is given to ``selective_fraction`` of the ROIs, with either sign.
    selective_fraction : float
        See ``surprise``.
    orientation_tuned : bool
        Give the cells preferred orientations; else they answer to all alike.
    flow_surprise : float
        What unexpected visual flow adds, as a fraction of each cell's response to flow.
    slow_sd, slow_time : float
        Slow gain of each ROI by itself: sd of its logarithm, and its time constant (s).
    running_gain : float
        Gain common to all ROIs: at a velocity of 15 cm/s all rates grow by this fraction.
    indicator, microscope
        As in :func:`netlib.recordings.fluorescence.microscope.image`; the microscope must have the frame rate of the
        schedule.
    cells : DataFrame, optional
        The cells, as from :func:`netlib.recordings.two_photon.simulated_cells.draw_cells`.
    tracking_ids, metadata, field
        As in :func:`netlib.recordings.two_photon.imaged_session.session_from_recording`.

    Returns
    -------
    session : Session
    truth : DataFrame, one row per ROI
        ``roi_id``; ``wanted``, the surprise asked for; ``planted``, the one to expect: less where a cell has too few
        spikes to lose; and the columns of the cells. Also ``session.truth()``.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    n_rois = check_integer("n_rois", n_rois, 1, unit="ROIs")
    schedule = credit_assignment_schedule(seed) if schedule is None else check_type("schedule", schedule, Schedule)
    wanted = _wanted(seed, surprise, selective_fraction, n_rois)
    check_number("flow_surprise", flow_surprise, "(fraction of the response)", -1)
    check_number("slow_sd", slow_sd, "", 0)
    check_number("slow_time", slow_time, "s", 0, low_open=True)
    check_number("running_gain", running_gain, "", -1)
    cells = draw_cells(seed, n_rois, orientation_tuned) if cells is None else cells.reset_index(drop=True)
    if len(cells) != n_rois:
        raise ValueError(f"cells has {len(cells)} rows: it must have one per ROI, {n_rois}")
    optics = Microscope(frame_rate=schedule.twop_fps) if microscope is None else microscope

    running, edges = running_speed(seed, schedule.stim_times), epochs(schedule)
    rates = segment_rates(cells, schedule, flow_surprise)
    middle = (edges[1:] + edges[:-1]) / 2
    if slow_sd:
        rates *= slow_noise(stream(seed, "slow gain"), middle, slow_sd, slow_time, n_rois)
    if running_gain:
        speed = np.interp(middle + schedule.twop_times[0], schedule.stim_times, running)
        rates *= np.maximum(1 + running_gain * speed / 15.0, 0.0)
    spikes = draw_spikes(stream(seed, "spikes"), rates, edges)
    preset = _indicator(indicator)
    seen = image(_recording(spikes, cells, schedule), preset, optics, seed)
    planted = np.zeros(n_rois)
    if wanted.any():
        spikes, planted = add_surprise(
            stream(seed, "surprise"), schedule, spikes, seen.traces["dff"].values, wanted, preset
        )
        seen = image(_recording(spikes, cells, schedule), preset, optics, seed)
    truth = pd.concat([pd.DataFrame({"wanted": wanted, "planted": planted}), cells], axis=1)
    session = session_from_recording(
        seen, schedule, seed, truth=truth, running=running, tracking_ids=tracking_ids, metadata=metadata, field=field
    )
    return session, session.truth()


_indicator = indicator


def simulate_mouse(
    seed: int,
    n_rois: int = 60,
    n_tracked: int = 40,
    *,
    spread: float = 0.3,
    persistence: float = 0.5,
    schedules: Sequence[Schedule] | None = None,
    line: str = "L23-Cux2",
    plane: str = "soma",
    mouse_n: int = 1,
    **settings: Any,
) -> tuple[Session, Session, Session]:
    """Three sessions of a mouse, with the same cells where tracked, and a surprise that drifts.

    The surprise of a tracked cell in session k + 1 is ``persistence`` times that in session k, plus what is needed of
    fresh noise to keep its standard deviation over cells: the correlation of the true values between successive
    sessions is ``persistence``.

    Parameters
    ----------
    seed : int
        Master seed.
    n_rois, n_tracked : int
        ROIs per session, and how many of them are the same cells in all.
    spread : float
        Standard deviation over cells of the wanted surprise (d').
    persistence : float
        In [-1, 1].
    schedules : sequence of three Schedule, optional
        By default published sessions drawn from the seed.
    line, plane, mouse_n
        Metadata.
    **settings
        Passed on to :func:`simulate_session`.

    Returns
    -------
    tuple of three Session
        Each with its ``truth()``; ROIs come in another order in each, ``tracking_ids`` tell which is which.
    """
    n_rois = check_integer("n_rois", n_rois, 1, unit="ROIs")
    n_tracked = check_integer("n_tracked", n_tracked, 0, n_rois, unit="ROIs")
    check_number("spread", spread, "", 0)
    check_number("persistence", persistence, "", -1, 1)
    if schedules is not None and len(schedules) != 3:
        raise ValueError(f"schedules holds {len(schedules)}: it must hold one per session, 3")
    rng = stream(seed, "mouse")
    own = n_rois - n_tracked
    pool = draw_cells(seed, n_tracked + 3 * own, settings.pop("orientation_tuned", True))
    effect = rng.standard_normal(n_tracked)
    sessions = []
    for k in range(3):
        if k:
            effect = persistence * effect + np.sqrt(1 - persistence**2) * rng.standard_normal(n_tracked)
        order = rng.permutation(n_rois)
        which = np.concatenate([np.arange(n_tracked), n_tracked + k * own + np.arange(own)])[order]
        surprise = spread * np.append(effect, rng.standard_normal(own))[order]
        numbers = session_numbers(seed, k + 1) | {"line": line, "plane": plane, "mouse_n": mouse_n}
        session_seed = simulator_seed(seed, "session", k)
        session, _ = simulate_session(
            session_seed,
            n_rois,
            credit_assignment_schedule(session_seed) if schedules is None else schedules[k],
            surprise=surprise,
            cells=pool.iloc[which],
            tracking_ids=np.where(order < n_tracked, order, np.nan).astype(float),
            metadata=numbers,
            **settings,
        )
        sessions.append(session)
    return tuple(sessions)


def _wanted(seed: int, surprise: float | ArrayLike, fraction: float, n_rois: int) -> np.ndarray:
    if np.ndim(surprise):
        wanted = check_array("surprise", surprise, "", -10, 10, ndim=1)
        if len(wanted) != n_rois:
            raise ValueError(f"surprise holds {len(wanted)} values: it must hold one, or one per ROI ({n_rois})")
        return wanted
    size = check_number("surprise", surprise, "", -10, 10)
    check_number("selective_fraction", fraction, "", 0, 1)
    rng = stream(seed, "selective")
    wanted = np.zeros(n_rois)
    chosen = rng.permutation(n_rois)[: round(fraction * n_rois)]
    wanted[chosen] = size * rng.choice([-1.0, 1.0], len(chosen))
    return wanted


def _recording(spikes: tuple[np.ndarray, np.ndarray], cells: pd.DataFrame, schedule: Schedule) -> Recording:
    cell, time = spikes
    order = np.argsort(time, kind="stable")
    neurons = pd.DataFrame({"population": "E", "orientation": cells["preferred"]})
    duration = 1000.0 * schedule.duration
    gray = Protocol(pd.DataFrame({"onset": [0.0], "duration": [duration], "contrast": [0.0]}))
    protocol = schedule.protocol() if (schedule.trials["stimulus_type"] == "gabors").any() else gray
    return Recording(
        neurons, cell[order].astype(np.int32), np.minimum(1000.0 * time[order], duration), duration, protocol
    )
