"""A ring network watches a two-photon session and is imaged: a session whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from netlib.lgn.gabor_drive import schedule_rates
from netlib.lgn.poisson import poisson_spikes
from netlib.lgn.rates import ChannelRates
from netlib.networks import RingParameters, preset
from netlib.networks.drive import SpikeDrive
from netlib.networks.synapses import synapse_arrays
from netlib.recordings.fluorescence.calcium import Indicator
from netlib.recordings.fluorescence.microscope import Microscope, image
from netlib.recordings.simulate import record_ring
from netlib.recordings.two_photon.imaged_session import session_from_recording
from netlib.recordings.two_photon.session import Session
from netlib.seeds import stream
from netlib.stimuli.gabor_sequences import credit_assignment_schedule
from netlib.stimuli.schedule import Schedule
from netlib.units import check_number, check_type

__all__ = ["effective_gain", "planted_gains", "ring_session", "session_drive"]

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
        As in :func:`netlib.recordings.fluorescence.microscope.image`.
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
