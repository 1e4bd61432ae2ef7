"""Two-photon sessions simulated without a network: cells with tuning, a planted surprise, a microscope.

A session of imaged cells is the same object as one read from a file. Whole mice are written in the layout of the
published data: what every panel needs, without its 15 GB of files.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.orientation import von_mises
from netlib.base.provenance import atomic_write
from netlib.base.seeds import simulator_seed, stream
from netlib.calcium import indicators
from netlib.calcium.indicators import Indicator
from netlib.calcium.microscope import Microscope, image
from netlib.openscope.metadata import SessionMetadata
from netlib.openscope.mice import TABLE_NAME
from netlib.openscope.nwb_writing import write_session
from netlib.openscope.schedule import Schedule, credit_assignment_schedule
from netlib.openscope.session import Session
from netlib.openscope.windows import window_size
from netlib.recordings.recording import Recording
from netlib.stimuli.protocol import Protocol

__all__ = [
    "MICE",
    "add_surprise",
    "draw_cells",
    "draw_spikes",
    "epochs",
    "pupil_traces",
    "roi_masks",
    "roi_numbers",
    "running_speed",
    "segment_rates",
    "session_from_recording",
    "session_numbers",
    "simulate_folder",
    "simulate_mouse",
    "simulate_session",
    "simulated_mice",
    "slow_noise",
    "surprise_epochs",
]

#: Window of the response from the onset of D or U (s): the frame itself and the gray after it.
WINDOW = 0.6
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
        As in :func:`netlib.calcium.microscope.image`; the microscope must have the frame rate of the
        schedule.
    cells : DataFrame, optional
        The cells, as from :func:`draw_cells`.
    tracking_ids, metadata, field
        As in :func:`session_from_recording`.

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
    preset = indicators.indicator(indicator)
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


def session_from_recording(
    recording: Recording,
    schedule: Schedule,
    seed: int = 0,
    *,
    truth: pd.DataFrame | None = None,
    running: np.ndarray | None = None,
    roi_ids: ArrayLike | None = None,
    tracking_ids: ArrayLike | None = None,
    metadata: SessionMetadata | Mapping[str, Any] | None = None,
    field: int = 64,
) -> Session:
    """Session of the imaged cells of a recording, which saw a schedule.

    Time 0 of the recording is the first two-photon frame of the schedule.

    Parameters
    ----------
    recording : Recording
        With the trace ``dff`` (:func:`netlib.calcium.microscope.image`, at the frame rate of the
        schedule).
    schedule : Schedule
        What was shown.
    seed : int
        Master seed of what the recording does not hold: running, pupil, outlines, identifiers.
    truth : DataFrame, optional
        What is known of the imaged cells, one row each; ``roi_id`` is put first.
    running : ndarray, shape (n_stim,), optional
        Running velocity (cm/s); by default one unrelated to the recording.
    roi_ids, tracking_ids : array_like, shape (n_cells,), optional
        By default identifiers of 9 digits, and no tracking.
    metadata : SessionMetadata or dict, optional
        Completes the identifiers of session and mouse, drawn from the seed.
    field : int
        Side of the images and masks (pixels); 512 in published files.

    Raises
    ------
    ValueError
        If the recording was not imaged, or its frames are not those of the schedule.
    """
    check_type("recording", recording, Recording)
    check_type("schedule", schedule, Schedule)
    field = check_integer("field", field, 8, 4096, unit="pixels")
    if "dff" not in recording.traces:
        raise ValueError(
            f"recording has the traces {sorted(recording.traces)}: it must have 'dff', "
            "which netlib.calcium.microscope.image adds"
        )
    trace = recording.traces["dff"]
    n_cells, n_frames = trace.values.shape
    period = 1000.0 / schedule.twop_fps
    if n_frames != len(schedule.twop_times) or abs(trace.dt - period) > 1e-6 * period:
        raise ValueError(
            f"dff has {n_frames} frames of {trace.dt:.6g} ms, the schedule {len(schedule.twop_times)} "
            f"of {period:.6g} ms: image at its frame rate and for as long as it lasts"
        )
    roi_ids = roi_numbers(seed, n_cells) if roi_ids is None else np.asarray(roi_ids)
    running = running_speed(seed, schedule.stim_times) if running is None else np.asarray(running, float)
    speed = np.interp(schedule.twop_times, schedule.stim_times, running)
    masks, projection = roi_masks(seed, n_cells, field)
    order = np.argsort(recording.spike_index, kind="stable")
    edges = np.searchsorted(recording.spike_index[order], np.stack([trace.cells, trace.cells + 1]))
    seconds = recording.spike_time[order] / 1000.0 + schedule.twop_times[0]
    numbers = {**session_numbers(seed), "stim_seed": schedule.seed, "description": "simulated"}
    given = SessionMetadata.of(metadata).known()
    return Session.from_arrays(
        dff=trace.values.T,
        twop_times=schedule.twop_times,
        stim_times=schedule.stim_times,
        trials=schedule.trials,
        running=running,
        pupil=pupil_traces(seed, schedule.twop_times, speed),
        roi_ids=roi_ids,
        tracking_ids=tracking_ids,
        masks=masks,
        max_projection=projection,
        metadata=dataclasses.replace(SessionMetadata(**numbers), **given),
        spikes=[seconds[a:b] for a, b in edges.T],
        truth=None if truth is None else _numbered(truth, roi_ids),
    )


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

    Cells are simulated with :func:`simulate_mouse`; they are no model of
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


def _numbered(truth: pd.DataFrame, roi_ids: np.ndarray) -> pd.DataFrame:
    if len(truth) != len(roi_ids):
        raise ValueError(f"truth has {len(truth)} rows: it must have one per imaged cell, {len(roi_ids)}")
    rest = truth.reset_index(drop=True).drop(columns="roi_id", errors="ignore")
    return pd.concat([pd.Series(roi_ids, name="roi_id"), rest], axis=1)


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


# ---------------------------------------------------------------- cells that answer by a formula


def draw_cells(seed: int, n: int, orientation_tuned: bool = True) -> pd.DataFrame:
    """Draw cells: how much each fires, to what.

    The distributions are assumptions of the order of what layer 2/3 shows; nothing is fitted.

    Returns
    -------
    DataFrame, one row per cell
        ``preferred`` (deg; NaN where untuned), ``B_theta`` (deg), ``baseline`` (Hz), ``amplitude`` (Hz; added by a
        frame of the preferred orientation), ``flow`` (Hz; added by visual flow), and one factor on the amplitude per
        letter, ``A`` to ``D``: the patches of a letter fall well or badly on a receptive field. U shares the factor
        of D, so that nothing but the planted surprise tells them apart.
    """
    n = check_integer("n", n, 1, unit="cells")
    rng = stream(seed, "simulated cells")
    cells = pd.DataFrame(
        {
            "preferred": rng.uniform(0, 180, n) if orientation_tuned else np.full(n, np.nan),
            "B_theta": rng.uniform(15.0, 35.0, n),
            "baseline": rng.gamma(4.0, 0.25, n),
            "amplitude": rng.gamma(4.0, 1.0, n),
            "flow": rng.gamma(2.0, 0.5, n),
        }
    )
    for letter in "ABCD":
        cells[letter] = rng.lognormal(-0.08, 0.4, n)
    return cells


def epochs(schedule: Schedule) -> np.ndarray:
    """Edges of the rows of a schedule (s after its first two-photon frame), and of the time before and after them.

    Epoch 0 comes before the first row, epoch k + 1 is row k, the last comes after the last row: shape (n_rows + 3,).
    """
    starts = schedule.trials["start_time_sec"].to_numpy() - schedule.twop_times[0]
    stop = schedule.trials["stop_time_sec"].iloc[-1] - schedule.twop_times[0]
    inner = np.clip(np.append(starts, stop), 0, schedule.duration)
    return np.concatenate([[0.0], inner, [schedule.duration]])


def surprise_epochs(schedule: Schedule) -> np.ndarray:
    """Whether each epoch is a U or the G after it, bool (n_rows + 2,)."""
    rows = schedule.trials
    flags = (rows["unexpected"] == 1) & rows["gabor_frame"].isin(["U", "G"])
    return np.concatenate([[False], flags.to_numpy(), [False]])


def segment_rates(cells: pd.DataFrame, schedule: Schedule, flow_surprise: float = 0.0) -> np.ndarray:
    """Rates (Hz) of the cells in each epoch, without surprise but for ``flow_surprise``, a fraction of ``flow``.

    Returns
    -------
    ndarray, shape (n_cells, n_rows + 2)
    """
    rows = schedule.trials
    rates = np.repeat(cells["baseline"].to_numpy()[:, None], len(rows) + 2, axis=1)
    inner = rates[:, 1:-1]
    letters, theta = rows["gabor_frame"].to_numpy(), rows["gabor_mean_orientation"].to_numpy()
    for letter in "ABCDU":
        factor = cells["D" if letter == "U" else letter].to_numpy() * cells["amplitude"].to_numpy()
        for angle in np.unique(theta[letters == letter]):
            # A cell without tuning answers to all orientations as much as a tuned one does on average.
            tuning = von_mises(angle, cells["preferred"].to_numpy(), cells["B_theta"].to_numpy())
            inner[:, (letters == letter) & (theta == angle)] += (factor * np.nan_to_num(tuning, nan=0.35))[:, None]
    moving = (rows["stimulus_type"] == "visflow").to_numpy()
    gain = 1 + flow_surprise * (rows["unexpected"].to_numpy()[moving] == 1)
    inner[:, moving] += cells["flow"].to_numpy()[:, None] * gain
    return np.maximum(rates, 0.0)


def slow_noise(rng: np.random.Generator, times: np.ndarray, sd: float, tau: float, n: int) -> np.ndarray:
    """Factors exp(x - sd²/2), of mean 1, x an Ornstein-Uhlenbeck process of that sd and time constant (s).

    Returns
    -------
    ndarray, shape (n, n_times)
    """
    from scipy.signal import lfilter

    step = min(0.5, tau / 10)
    grid = np.arange(times[0], times[-1] + 2 * step, step)
    keep = np.exp(-step / tau)
    kicks = rng.standard_normal((n, len(grid))) * sd
    kicks[:, 1:] *= np.sqrt(1 - keep**2)
    slow = lfilter([1.0], [1.0, -keep], kicks, axis=1)
    return np.exp(np.array([np.interp(times, grid, row) for row in slow]) - sd**2 / 2)


def draw_spikes(rng: np.random.Generator, rates: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poisson spikes of rates (Hz) constant between edges (s): cell and time (s) of each, unordered."""
    lengths = np.diff(edges)
    counts = rng.poisson(rates * lengths)
    cell, epoch = (np.repeat(i, counts.ravel()) for i in (a.ravel() for a in np.indices(counts.shape)))
    return cell, edges[epoch] + lengths[epoch] * rng.random(len(cell))


def add_surprise(
    rng: np.random.Generator,
    schedule: Schedule,
    spikes: tuple[np.ndarray, np.ndarray],
    dff: np.ndarray,
    wanted: np.ndarray,
    indicator: Indicator,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Change the spikes of U and the G after it, so that the responses to U and D differ by a wanted d'.

    The response is the sum of dF/F over 0.6 s from the onset of D (see :data:`WINDOW`). A spike adds s w to it, w being
    the integral of the kernel from the spike to the end of the window, and s the slope of the responses on the sums of
    w (within each orientation: what C leaves behind depends on it too). The variance v of the responses is known. x
    more spikes shift the mean by s <w> x and, being Poisson, add s² <w²> x to the variance: x solves
    ``d' = s <w> x / sqrt(v + s² <w²> x / 2)``. Added spikes fall anywhere in the window; a negative x deletes spikes at
    random, all of them at most.

    Parameters
    ----------
    rng : Generator
    schedule : Schedule
    spikes : tuple
        Cell and time (s) of each spike without surprise.
    dff : ndarray, shape (n_cells, n_frames)
        What they look like under the microscope.
    wanted : ndarray, shape (n_cells,)
        d' to plant.
    indicator : Indicator
        The kernel gives q.

    Returns
    -------
    spikes : tuple
        With surprise.
    planted : ndarray, shape (n_cells,)
        The d' to expect: ``wanted``, or less where a cell has not enough spikes to lose.
    """
    cell, time = spikes
    rows, edges = schedule.trials, epochs(schedule)
    d = (rows["gabor_frame"] == "D").to_numpy()
    frames = rows["start_frame_twop"].to_numpy()[d]
    length = window_size(0.0, WINDOW, schedule.twop_fps)[1]
    total = np.cumsum(np.pad(dff.astype(float), ((0, 0), (1, 0))), axis=1)
    response = (total[:, frames + length] - total[:, frames]) / schedule.twop_fps
    kernel = np.cumsum(indicator.kernel(np.arange(0.0, 1000 * WINDOW)))  # w by the ms that are left
    count, first, second = _window_sums(cell, time, edges[1:-2][d], kernel, len(dff))
    theta = rows["gabor_mean_orientation"].to_numpy()[d]
    slope = _slope(response, first, theta)

    extra, planted = np.zeros(len(dff)), np.zeros(len(dff))
    natural = np.maximum(count.sum(axis=1), 1)
    for sign, w, w2 in (
        (1, kernel.mean(), (kernel**2).mean()),
        (-1, first.sum(axis=1) / natural, second.sum(axis=1) / natural),
    ):
        shift, spread = slope * w, slope**2 * w2
        half, safe = wanted**2 * spread / 4, np.maximum(shift**2, 1e-30)
        x = (half + sign * np.sqrt(half**2 + wanted**2 * response.var(axis=1) * shift**2)) / safe
        x = np.maximum(x, -count.mean(axis=1))
        index = shift * x / np.sqrt(np.maximum(response.var(axis=1) + spread * x / 2, 1e-30))
        extra, planted = (np.where(np.sign(wanted) == sign, new, old) for new, old in ((x, extra), (index, planted)))

    surprising = surprise_epochs(schedule)
    in_surprise = surprising[np.clip(np.searchsorted(edges, time, side="right") - 1, 0, len(surprising) - 1)]
    lose = np.maximum(-extra, 0) / np.maximum(count.mean(axis=1), 1e-12)
    keep = ~in_surprise | (rng.random(len(time)) >= lose[cell])
    rates = np.zeros((len(dff), len(surprising)))
    rates[:, surprising] = np.maximum(extra, 0)[:, None] / WINDOW
    new_cell, new_time = draw_spikes(rng, rates, edges)
    return (np.append(cell[keep], new_cell), np.append(time[keep], new_time)), planted


def _window_sums(
    cell: np.ndarray, time: np.ndarray, onsets: np.ndarray, kernel: np.ndarray, n_cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of spikes, sums of w and of w² in the window after each onset (s), each (n_cells, n_onsets)."""
    window = np.searchsorted(onsets, time, side="right") - 1
    inside = (window >= 0) & (time - onsets[window] < WINDOW)
    left = (1000 * (WINDOW - time[inside] + onsets[window[inside]])).astype(int)
    w = kernel[np.clip(left, 0, len(kernel) - 1)]
    flat = cell[inside] * len(onsets) + window[inside]
    sums = (np.bincount(flat, weights, n_cells * len(onsets)) for weights in (np.ones(len(w)), w, w**2))
    return tuple(s.reshape(n_cells, len(onsets)) for s in sums)


def _slope(response: np.ndarray, drive: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Least-squares slope of responses on drive, row by row, both less their means in each group; at least 0."""
    residuals = []
    for values in (response, drive):
        rest = values.copy()
        for value in np.unique(group):
            rest[:, group == value] -= rest[:, group == value].mean(axis=1, keepdims=True)
        residuals.append(rest)
    y, x = residuals
    return np.maximum((x * y).sum(axis=1) / np.maximum((x * x).sum(axis=1), 1e-12), 0.0)


# ---------------------------------------------------------------- what surrounds the traces


def running_speed(
    seed: int, times: np.ndarray, bout: float = 8.0, rest: float = 20.0, speed: float = 15.0
) -> np.ndarray:
    """Running velocity (cm/s) at regular times (s): bouts and rests of exponential lengths (s), smoothed, and noise.

    Bouts have a velocity each, ``speed`` on average.
    """
    from scipy.ndimage import gaussian_filter1d

    rng = stream(seed, "running")
    fps = (len(times) - 1) / (times[-1] - times[0])
    n = int((times[-1] - times[0]) / (bout + rest) * 2) + 50
    lengths = rng.exponential(np.tile([rest, bout], n))
    edges = times[0] + np.cumsum(lengths)
    running = np.searchsorted(edges, times, side="right") % 2 == 1
    level = np.repeat(rng.gamma(9.0, speed / 9.0, n), 2)[np.minimum(np.searchsorted(edges, times), 2 * n - 1)]
    smooth = gaussian_filter1d(np.where(running, level, 0.0), 0.4 * fps)
    return smooth + 0.3 * rng.standard_normal(len(times))


def pupil_traces(seed: int, times: np.ndarray, speed: np.ndarray) -> dict[str, np.ndarray]:
    """Pupil diameter, x and y (mm) at the times (s) of frames, given the running velocity (cm/s) then.

    The pupil follows running with 1.5 s of delay, and wanders slowly.
    """
    from scipy.signal import lfilter

    rng = stream(seed, "pupil")
    step = (times[-1] - times[0]) / (len(times) - 1)

    def slow(values: np.ndarray, tau: float) -> np.ndarray:
        keep = np.exp(-step / tau)
        return lfilter([1 - keep], [1, -keep], values, axis=-1)

    wander = slow(rng.standard_normal((3, len(times))), 10.0)
    wander /= np.sqrt(step / 20.0)  # to standard deviation 1
    diameter = 1.4 + 0.02 * slow(speed, 1.5) + 0.08 * wander[0]
    noise = 0.005 * rng.standard_normal((3, len(times)))
    return {
        "diameter": np.maximum(diameter + noise[0], 0.2),
        "x": 0.05 * wander[1] + noise[1],
        "y": 0.05 * wander[2] + noise[2],
    }


def roi_masks(seed: int, n_rois: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of cells, one in each place of a grid, and the image of the plane.

    Returns
    -------
    masks : ndarray of float32, shape (n_rois, size, size)
        Weights in [0, 1].
    projection : ndarray of uint8, shape (size, size)
    """
    rng = stream(seed, "masks")
    side = int(np.ceil(np.sqrt(n_rois)))
    pitch = size / side
    rows, columns = np.mgrid[:size, :size]
    masks = np.zeros((n_rois, size, size), np.float32)
    for mask, place in zip(masks, rng.permutation(side**2)[:n_rois], strict=True):
        row, column = (np.array(divmod(place, side)) + 0.5 + rng.uniform(-0.08, 0.08, 2)) * pitch
        radius = pitch * rng.uniform(0.3, 0.4)
        away = np.hypot(rows + 0.5 - row, columns + 0.5 - column) / radius
        mask[:] = np.where(away < 1, 1 - 0.7 * away**2, 0)
    brightness = rng.uniform(80, 220, n_rois)
    image = 15 + np.tensordot(brightness, masks, axes=1) + 5 * rng.standard_normal((size, size))
    return masks, np.clip(image, 0, 255).astype(np.uint8)


def roi_numbers(seed: int, n: int) -> np.ndarray:
    """Identifiers of ROIs: distinct numbers of 9 digits."""
    return np.sort(stream(seed, "roi ids").choice(100_000_000, n, replace=False)) + 900_000_000


def session_numbers(seed: int, sess_n: int = 1, mouse_seed: int | None = None) -> dict[str, int]:
    """Identifiers like those of the published sessions: ``sessid`` of 9 digits, ``mouseid`` of 6."""
    mouse = seed if mouse_seed is None else mouse_seed
    return {
        "sessid": 700_000_000 + int(stream(seed, "session id", sess_n).integers(100_000_000)),
        "mouseid": 400_000 + int(stream(mouse, "mouse id").integers(100_000)),
        "sess_n": sess_n,
    }
