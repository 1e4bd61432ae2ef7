"""A ring network watches a two-photon session and is imaged: planted against found surprise.

The session's truth is known, so the analyses of the papers can be judged by how well they find it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_integer, check_number, check_type
from netlib.base.orientation import preferred_orientations, von_mises
from netlib.base.seeds import stream
from netlib.calcium.indicators import Indicator
from netlib.calcium.microscope import Microscope, image
from netlib.lgn.rates import ChannelRates, poisson_spikes
from netlib.networks import RingParameters, preset
from netlib.networks.drive import SpikeDrive
from netlib.networks.synapses import synapse_arrays
from netlib.openscope.decoding import decode_published
from netlib.openscope.responses import integrated_response
from netlib.openscope.schedule import Schedule, credit_assignment_schedule
from netlib.openscope.session import Session
from netlib.openscope.simulate import session_from_recording
from netlib.openscope.usi import usi, usi_null
from netlib.recordings.simulate import record_ring

__all__ = [
    "effective_gain",
    "planted_gains",
    "responses_to_surprise",
    "ring_session",
    "schedule_rates",
    "session_drive",
    "two_photon",
    "two_photon_rois",
]


# ---------------------------------------------------------------- what the ring sees


def schedule_rates(
    schedule: Schedule,
    n_channels: int = 60,
    peak: float = 20.0,
    pedestal: float = 0.2,
    B_theta: float = 15.0,
    dt: float = 1.0,
    *,
    start: float = 0.0,
    stop: float | None = None,
    flow: float = 0.2,
    flow_surprise: float = 0.0,
) -> ChannelRates:
    """Rates of orientation channels while a schedule is shown.

    During a Gabor frame channel i fires at ``peak [(1 - pedestal) mean_k f(theta_i - theta_k) + pedestal]``, with
    f the profile of :func:`netlib.base.orientation.von_mises` and theta_k the orientations of the patches shown: their
    spread (kappa) widens the profile and lowers its peak. During G and gray all fire at ``peak * pedestal``.
    Places of patches do not enter: the ring has no space.

    Of the visual flow the ring sees nothing but that something moves. Squares hold all orientations alike, so every
    channel gets the same ``flow`` in place of the profile, for both directions; ``flow_surprise`` adds that fraction of
    it in unexpected flow. It is an assumption, not a model of motion.

    Parameters
    ----------
    schedule : Schedule
        What is shown when.
    n_channels : int
        Number of channels, spread evenly over 180 degrees.
    peak, pedestal, B_theta
        As in :func:`netlib.lgn.von_mises_rates`; the contrast is 1.
    dt : float
        Length of a time bin (ms). A bin that a row covers in part gets the time average.
    start, stop : float
        Part of the schedule (ms after its first two-photon frame); by default all.
    flow : float
        Drive by visual flow, in [0, 1] of that by the preferred orientation.
    flow_surprise : float
        What unexpected flow adds, as a fraction of ``flow``, at least -1.

    Returns
    -------
    ChannelRates
        Its time 0 is ``start``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> schedule = credit_assignment_schedule(1, gabor_minutes=1.0, flow_minutes=0.0)
    >>> schedule_rates(schedule, 12, start=60_000.0, stop=62_000.0)
    ChannelRates(12 channels, 2000 bins of 1 ms, mean 6.44 Hz)
    """
    check_type("schedule", schedule, Schedule)
    n_channels = check_integer("n_channels", n_channels, 2, unit="channels")
    peak = check_number("peak", peak, "Hz", 0)
    pedestal = check_number("pedestal", pedestal, "(fraction of peak)", 0, 1)
    check_number("B_theta", B_theta, "deg", 0, low_open=True, finite=False)
    dt = check_number("dt", dt, "ms", 0, low_open=True)
    check_number("flow", flow, "(fraction of the tuned drive)", 0, 1)
    check_number("flow_surprise", flow_surprise, "(fraction of flow)", -1)
    whole = 1000.0 * schedule.duration
    start = check_number("start", start, "ms", 0, whole, high_open=True)
    stop = check_number("stop", whole if stop is None else stop, "ms", start, whole + 1e-6, low_open=True)

    edges = 1000.0 * (schedule.trials[["start_time_sec", "stop_time_sec"]].to_numpy() - schedule.twop_times[0]) - start
    seen = (edges[:, 1] > 0) & (edges[:, 0] < stop - start)
    rows, edges = schedule.trials[seen], np.clip(edges[seen], 0, stop - start)
    preferred = preferred_orientations(n_channels)
    tuned = np.zeros((len(rows), n_channels))
    for profile, patches in zip(tuned, rows["gabor_orientations"], strict=True):
        if len(patches):
            profile[:] = von_mises(preferred[:, None], patches, B_theta).mean(axis=1)
    moving = (rows["stimulus_type"] == "visflow").to_numpy()
    tuned[moving] = flow * (1 + flow_surprise * rows["unexpected"].to_numpy()[moving, None])
    tuned *= peak * (1 - pedestal)

    rates = np.full((n_channels, int(np.ceil((stop - start) / dt - 1e-9))), peak * pedestal)
    for profile, (onset, offset) in zip(tuned, edges, strict=True):
        first, last = int(onset / dt), int(np.ceil(offset / dt - 1e-9))
        if last > first and profile.any():
            bins = np.arange(first, last + 1) * dt
            covered = np.minimum(bins[1:], offset) - np.maximum(bins[:-1], onset)
            rates[:, first:last] += profile[:, None] * (np.clip(covered, 0, dt) / dt)
    return ChannelRates(rates, dt, preferred)


# ---------------------------------------------------------------- a session with planted surprise


#: The drive is drawn piece by piece (ms), in bins (ms).
PIECE, BIN = 10_000.0, 2.0


def ring_session(
    seed: int,
    parameters: RingParameters | None = None,
    minutes: float = 8.0,
    gain: float = 0.3,
    fraction: float = 0.2,
    *,
    schedule: Schedule | None = None,
    indicator: Indicator | str = "GCaMP6f",
    microscope: Microscope | None = None,
    backend: str = "auto",
) -> tuple[Session, pd.DataFrame]:
    """Session of a ring network that sees Gabor sequences, with a planted surprise signal.

    While U is shown and in the gray after it, rates of input cells are multiplied by 1 + their gain, so that the drive
    of some E cells grows by the fraction ``gain``, that of others shrinks by it, and that of the rest, and of the I
    cells, stays (:func:`planted_gains`). Where the surprise comes from is left open. Everything else, the connections,
    the input spikes outside U, noise, is the same for any gain.

    Parameters
    ----------
    seed : int
        Master seed of schedule, network, input spikes and microscope.
    parameters : RingParameters, optional
        The network; by default the preset ``v1``.
    minutes : float
        Length of the Gabors (min), with 10 s of gray before and after.
    gain : float
        In [0, 1]; 0 plants nothing.
    fraction : float
        Share of the E cells whose drive grows, and of those whose drive shrinks, in [0, 0.5].
    schedule : Schedule, optional
        Instead of ``minutes``.
    indicator, microscope
        As in :func:`netlib.calcium.microscope.image`.
    backend : str
        As in :func:`netlib.networks.run_ring`.

    Returns
    -------
    session : Session
        Of the E cells, with their spikes.
    truth : DataFrame, one row per ROI
        ``roi_id``, ``orientation`` (deg; place on the ring), ``group`` (1, -1 or 0), ``gain``: by which fraction its
        drive through ``input_to_E`` was changed in U (:func:`effective_gain`), ``rate`` (Hz), mean over the session.
    """
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    check_number("gain", gain, "", 0, 1)
    check_number("fraction", fraction, "", 0, 0.5)
    if schedule is None:
        schedule = credit_assignment_schedule(seed, gabor_minutes=minutes, flow_minutes=0.0, gray=10.0)
    group, input_gain = planted_gains(parameters, seed, gain, fraction)
    drive = session_drive(parameters, schedule, seed, input_gain)
    recording = record_ring(parameters, schedule.protocol(), seed, drive=drive, backend=backend).population("E")
    optics = Microscope(frame_rate=schedule.twop_fps) if microscope is None else microscope
    seen = image(recording, indicator, optics, seed)
    truth = pd.DataFrame(
        {
            "orientation": recording.neurons["orientation"],
            "group": group,
            "gain": effective_gain(parameters, schedule, seed, input_gain),
            "rate": recording.rates(),
        }
    )
    facts = {"notes": f"{parameters.name} ring, surprise gain {gain:g} of {fraction:g} of the cells each way"}
    session = session_from_recording(seen, schedule, seed, truth=truth, metadata=facts)
    return session, session.truth()


def planted_gains(parameters: RingParameters, seed: int, gain: float, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Which E cells get more and which less drive under surprise, and the gain of each input cell that does it.

    An input cell projects to several E and I cells: its gain must suit all of them. Gains that give every E cell its
    own drive, leave that of the I cells as it was, and are nowhere below -1, where an input cell is silent, are found
    by alternating projections: to the nearest gains that do the one, then to the nearest that do the other.

    Returns
    -------
    group : ndarray of int, shape (n_excitatory,)
        1, -1 or 0.
    input_gain : ndarray, shape (n_input,)
        Fraction by which the rate of each input cell changes, at least -1.
    """
    n = parameters.n_excitatory
    order = stream(seed, "surprise", "cells").permutation(n)
    size = round(fraction * n)
    group = np.zeros(n, int)
    group[order[:size]], group[order[size : 2 * size]] = 1, -1
    if not gain or not size:
        return group, np.zeros(parameters.n_input)
    shares, wanted = [_shares(parameters, "input_to_E", seed)], [gain * group]
    if parameters.input_to_I is not None:
        shares.append(_shares(parameters, "input_to_I", seed))
        wanted.append(np.zeros(parameters.n_inhibitory))
    matrix, goal = np.vstack(shares), np.concatenate(wanted)
    inverse, found = np.linalg.pinv(matrix), np.zeros(parameters.n_input)
    for _ in range(300):
        found = np.maximum(found - inverse @ (matrix @ found - goal), -1.0)
    return group, found


def effective_gain(
    parameters: RingParameters, schedule: Schedule, seed: int, input_gain: np.ndarray, n_frames: int = 40
) -> np.ndarray:
    """Fraction by which the mean drive of each E cell changes in U, by its own input cells and their rates then.

    Parameters
    ----------
    n_frames : int
        U frames over which rates are averaged (evenly spaced, all where there are fewer).

    Returns
    -------
    ndarray, shape (n_excitatory,)
    """
    rows = schedule.trials[schedule.trials["gabor_frame"] == "U"]
    if rows.empty or not input_gain.any():
        return np.zeros(parameters.n_excitatory)
    rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, n_frames).round().astype(int))]
    starts = 1000.0 * (rows["start_time_sec"].to_numpy() - schedule.twop_times[0])
    rates = np.mean([_rates(parameters, schedule, t + 10.0, t + 290.0).mean() for t in starts], axis=0)
    shares = _shares(parameters, "input_to_E", seed)
    return shares @ (rates * input_gain) / np.maximum(shares @ rates, 1e-12)


def session_drive(parameters: RingParameters, schedule: Schedule, seed: int, input_gain: np.ndarray) -> SpikeDrive:
    """Poisson spikes of the input cells while a schedule is shown, changed by their gains in U and the G after it.

    Spikes are added or deleted there; all others are the same for any gain.
    """
    end = 1000.0 * schedule.duration
    windows = _surprise_windows(schedule)
    index, time = [], []
    for piece, start in enumerate(np.arange(0.0, end, PIECE)):
        stop = min(start + PIECE, end)
        rates = _rates(parameters, schedule, start, stop)
        cells, times = poisson_spikes(rates.rates, BIN, stream(seed, "drive", piece))
        if input_gain.any() and len(windows):
            rng = stream(seed, "surprise", "drive", piece)
            keep = ~_inside(times + start, windows) | (rng.random(len(times)) < 1.0 + input_gain[cells])
            more = poisson_spikes(rates.rates * np.maximum(input_gain, 0.0)[:, None], BIN, rng)
            new = _inside(more[1] + start, windows)
            cells, times = np.append(cells[keep], more[0][new]), np.append(times[keep], more[1][new])
            order = np.lexsort((cells, times))
            cells, times = cells[order], times[order]
        index.append(cells)
        time.append(np.minimum(times + start, stop))
    return SpikeDrive(np.concatenate(index), np.concatenate(time), parameters.n_input, end)


def _rates(parameters: RingParameters, schedule: Schedule, start: float, stop: float) -> ChannelRates:
    tuning = parameters.input_tuning
    return schedule_rates(
        schedule, parameters.n_input, tuning.peak, tuning.pedestal, tuning.B_theta, BIN, start=start, stop=stop
    )


def _surprise_windows(schedule: Schedule) -> np.ndarray:
    """Start and stop (ms after the first two-photon frame) of each U with the G after it, shape (n, 2)."""
    rows = schedule.trials
    u = np.flatnonzero(rows["gabor_frame"] == "U")
    last = np.minimum(u + 1, len(rows) - 1)
    seconds = np.stack([rows["start_time_sec"].to_numpy()[u], rows["stop_time_sec"].to_numpy()[last]], axis=1)
    return 1000.0 * (seconds - schedule.twop_times[0])


def _inside(times: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Whether each time lies in one of the windows, which are in order and do not overlap."""
    return np.searchsorted(windows[:, 0], times, side="right") > np.searchsorted(windows[:, 1], times, side="right")


def _shares(parameters: RingParameters, name: str, seed: int) -> np.ndarray:
    """Share of each input cell in the weights onto each target, (n_targets, n_input), rows of sum 1."""
    if name not in parameters.projections():
        raise ValueError(f"{name} is missing from {parameters.name}: a surprise is planted through it")
    pre, post, weight, _ = synapse_arrays(parameters, name, seed)
    shares = np.zeros((parameters.size(name.split("_to_")[1]), parameters.n_input))
    np.add.at(shares, (post, pre), weight)
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)


# ---------------------------------------------------------------- planted against found


#: Window of the index and of the decoders (s), as published.
WINDOW, DECODING = 0.6, 0.45
#: Fewest U sequences of each orientation to decode from.
LEAST = 3


def two_photon_rois(
    seed: int,
    minutes: float = 8.0,
    gain: float = 0.3,
    fraction: float = 0.2,
    parameters: RingParameters | None = None,
    n_permutations: int = 2000,
    permutation: str = "label",
    indicator: Indicator | str = "GCaMP6f",
    microscope: Microscope | None = None,
    backend: str = "auto",
) -> pd.DataFrame:
    """Index of every cell of a ring session, with the planted surprise and without it (the control).

    Labels are shuffled over all orientations, as published. To shuffle them among frames of one orientation only, which
    might seem fairer to cells as tuned as these, is wrong: D follows a C of its own orientation, U one at right angles
    to it, and calcium remembers which. It made 40 % of the cells of the control significant (3 sessions of ``v1``).

    Parameters
    ----------
    seed : int
        Master seed.
    minutes, gain, fraction, parameters, indicator, microscope, backend
        As in :func:`ring_session`.
    n_permutations, permutation
        As in :func:`netlib.openscope.usi.usi_null`.

    Returns
    -------
    DataFrame, one row per condition ("surprise", "control") and cell
        The columns of the truth (``gain`` is what would be planted also in the control), ``usi``, its ``percentile``
        in the null, ``low`` and ``high`` (significant at 5 %), and ``spike_usi``, the index of the true spike counts.
    """
    sessions = _with_control(
        seed, gain, minutes=minutes, fraction=fraction, parameters=parameters, indicator=indicator,
        microscope=microscope, backend=backend,
    )  # fmt: skip
    tables = [
        _index(session, truth, n_permutations, permutation, seed).assign(condition=name)
        for name, (session, truth) in sessions.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["condition", *(c for c in table if c != "condition")]]


def two_photon(
    seed: int,
    minutes: float = 8.0,
    gain: float = 0.3,
    fraction: float = 0.2,
    parameters: RingParameters | None = None,
    n_permutations: int = 2000,
    n_splits: int = 20,
    **settings: Any,
) -> pd.DataFrame:
    """How well the analyses of a session find what was planted in it.

    Parameters
    ----------
    seed : int
        Master seed.
    minutes, gain, fraction, parameters, n_permutations
        As in :func:`two_photon_rois`.
    n_splits : int
        Splits of the decoders, and shuffles of their control.
    **settings
        Of :func:`ring_session`: indicator, microscope, backend.

    Returns
    -------
    DataFrame, one row per condition ("surprise", "control") and measure; columns ``value`` and ``n`` (cells or trials)
        "r_gain", "r_spikes": correlation over cells of the found index with the planted gain and with the index of the
        true spike counts; "r_change": of gain and index less that of the control; "high_up", "low_up", "high_down",
        "low_down", "high_rest", "low_rest": share of the cells whose drive grew, shrank or stayed that are significant
        at 2.5 % on either side ("high_up" and "low_down" are what should be found; cells of the rest hear of the
        surprise through the network); "usi_up", "usi_down", "usi_rest": mean index; "decode_D", "decode_U": balanced
        accuracy of the mean orientation, D with as many sequences as U; "shuffled_D", "shuffled_U": with shuffled
        labels; "chance": one over the number of orientations with at least 3 U, the others being left out.
    """
    check_integer("n_splits", n_splits, 1)
    sessions = _with_control(seed, gain, minutes=minutes, fraction=fraction, parameters=parameters, **settings)
    rows, indices = [], {}
    for name, (session, truth) in sessions.items():
        cells = _index(session, truth, n_permutations, "label", seed)
        indices[name] = cells["usi"]
        rows += [{"condition": name, **row} for row in _summary(cells) + _decoding(session, n_splits, seed)]
    planted = sessions["surprise"][1]["gain"]
    change = _correlation(indices["surprise"] - indices["control"], planted)
    rows.append({"condition": "surprise", "measure": "r_change", "value": change, "n": len(planted)})
    return pd.DataFrame(rows)


def responses_to_surprise(session: Session, window: float = WINDOW) -> tuple[np.ndarray, pd.DataFrame]:
    """Integrated scaled responses (trials, rois) to D and U from their onset on, and the rows of the trials table."""
    check_number("window", window, "s", 0, low_open=True)
    events = session.gabors.select(frame=["D", "U"])
    windows = session.dff(events, 0.0, window, scale=True)
    return integrated_response(windows.values, session.fps), events.loc[windows["trial"].values]


def _with_control(seed: int, gain: float, **settings: Any) -> dict[str, tuple[Session, pd.DataFrame]]:
    """Session and truth with the surprise and without it; the ``gain`` of both truths is the one with it."""
    made = {name: ring_session(seed, gain=g, **settings) for name, g in (("surprise", gain), ("control", 0.0))}
    planted = made["surprise"][1]["gain"]
    return {name: (session, truth.assign(gain=planted)) for name, (session, truth) in made.items()}


def _index(session: Session, truth: pd.DataFrame, n: int, permutation: str, seed: int) -> pd.DataFrame:
    responses, events = responses_to_surprise(session)
    unexpected = (events["gabor_frame"] == "U").to_numpy()
    null = usi_null(responses, unexpected, n, seed=seed, permutation=permutation)
    low, high = null.significant()
    onsets = events["start_time_sec"].to_numpy()
    counts = np.stack([_between(spikes, onsets, onsets + WINDOW) for spikes in session.spikes()], axis=1)
    return truth.assign(
        usi=null.value, percentile=null.percentile, low=low, high=high, spike_usi=usi(counts, unexpected)
    )


def _between(times: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    return np.searchsorted(times, stops) - np.searchsorted(times, starts)


def _summary(cells: pd.DataFrame) -> list[dict]:
    groups = {"up": cells["group"] == 1, "down": cells["group"] == -1, "rest": cells["group"] == 0}
    rows = [
        {"measure": "r_gain", "value": _correlation(cells["usi"], cells["gain"]), "n": len(cells)},
        {"measure": "r_spikes", "value": _correlation(cells["usi"], cells["spike_usi"]), "n": len(cells)},
    ]
    for name, inside in groups.items():
        for measure in ("high", "low", "usi"):
            value = cells.loc[inside, measure].mean()
            rows.append({"measure": f"{measure}_{name}", "value": float(value), "n": int(inside.sum())})
    return rows


def _decoding(session: Session, n_splits: int, seed: int) -> list[dict]:
    windows = session.dff(session.gabors.select(frame=["D", "U"]), 0.0, DECODING, scale=True, nan="drop")
    values, theta = windows.values, windows["orientation"].values
    unexpected = windows["unexpected"].values == 1
    names, n_u = np.unique(theta[unexpected], return_counts=True)
    names, n_u = names[n_u >= LEAST], n_u[n_u >= LEAST]
    n = int(n_u.sum())
    rows = [{"measure": "chance", "value": 1.0 / len(names) if len(names) else np.nan, "n": n}]
    for letter, rows_of in (
        ("D", ~unexpected & np.isin(theta, names - 90.0)),
        ("U", unexpected & np.isin(theta, names)),
    ):
        found = shuffled = np.nan
        if len(names) > 1:
            counts = dict(zip(names - 90.0, n_u.tolist(), strict=True)) if letter == "D" else None
            result = decode_published(
                values[rows_of], theta[rows_of], counts=counts, n_splits=n_splits, n_shuffles=n_splits, seed=seed
            )
            found = result.mean()["test_balanced_accuracy"]
            shuffled = result.null["test_balanced_accuracy"].mean()
        rows.append({"measure": f"decode_{letter}", "value": float(found), "n": n})
        rows.append({"measure": f"shuffled_{letter}", "value": float(shuffled), "n": n})
    return rows


def _correlation(a: pd.Series, b: pd.Series) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 2 and a.std() > 0 and b.std() > 0 else np.nan
