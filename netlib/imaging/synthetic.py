"""Synthetic sessions with known truth: behaviour, spikes that follow it, and what the microscope makes of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from netlib.imaging.footprints import draw_footprints, to_images
from netlib.imaging.populations import MousePlan, SyntheticParameters, plan_mouse
from netlib.recordings.fluorescence.deconvolution import deconvolve
from netlib.recordings.fluorescence.microscope import Microscope, image
from netlib.recordings.operant.behaviour_segments import GROUPS, merge_behaviours, state_at
from netlib.recordings.operant.behaviour_session import BehaviourSession
from netlib.recordings.operant.simulate_behaviour import simulate_behaviour
from netlib.recordings.recording import Recording
from netlib.seeds import stream
from netlib.stimuli.protocol import Protocol
from netlib.units import check_choice, check_integer, check_number

__all__ = ["behaviour_spikes", "log_gains", "mouse_names", "observe", "synthetic_mouse", "synthetic_session"]

#: Bins of the rates (ms).
BIN = 20.0


def mouse_names(mice: int) -> list[tuple[str, str]]:
    """Names and pathways of synthetic mice, half of each pathway: ("I1", "D1"), ..., ("L1", "A2A"), ...

    Examples
    --------
    >>> mouse_names(3)
    [('I1', 'D1'), ('I2', 'D1'), ('L1', 'A2A')]
    """
    mice = check_integer("mice", mice, 1, 1000, unit="mice")
    direct = (mice + 1) // 2
    return [(f"I{k + 1}", "D1") for k in range(direct)] + [(f"L{k + 1}", "A2A") for k in range(mice - direct)]


def log_gains(categories: np.ndarray, up: float, down: float) -> np.ndarray:
    """Logarithm of the factor of the rate in each of the four groups, shape (..., 4), from categories (..., 8)."""
    active, silent = categories[..., :4], categories[..., 4:]
    return active * np.log(up) + silent * np.log(down)


def behaviour_spikes(
    seed: int,
    intervals: pd.DataFrame,
    duration: float,
    base: np.ndarray,
    gains: np.ndarray,
    *,
    ou_sd: float = 0.4,
    ou_tau: float = 3000.0,
    drift: float = 0.2,
) -> tuple[np.ndarray, np.ndarray]:
    """Inhomogeneous Poisson spikes of neurons whose rate follows behaviour.

    log rate = log base + gain of the behaviour + Ornstein-Uhlenbeck fluctuation + linear drift; the fluctuation is
    scaled to leave the mean rate as it is.

    Parameters
    ----------
    seed : int
        Master seed; each neuron has a stream of its own.
    intervals : DataFrame
        Behaviours of the session, seven or merged.
    duration : float
        Length of the session (ms).
    base : array_like, shape (n,)
        Rates outside of behaviours that matter (Hz).
    gains : array_like, shape (n, 4)
        Addition to the log rate in (sequence, zones, food, explo).
    ou_sd, ou_tau : float
        Standard deviation and correlation time (ms) of the fluctuation.
    drift : float
        Standard deviation of the change of the log rate from start to end.

    Returns
    -------
    index : ndarray of int32, shape (n_spikes,)
    time : ndarray, shape (n_spikes,)
        Neuron and time (ms) of each spike, in order of time.
    """
    from scipy.signal import lfilter

    duration = check_number("duration", duration, "ms", BIN)
    base, gains = np.asarray(base, float), np.asarray(gains, float)
    if gains.shape != (len(base), len(GROUPS)):
        raise ValueError(f"gains has shape {gains.shape}: it must be ({len(base)}, 4), one row per neuron")
    n_bins = int(np.ceil(duration / BIN))
    times = np.arange(n_bins) * BIN
    merged = merge_behaviours(intervals)
    row = state_at(merged, np.minimum(times + BIN / 2, duration))
    code = pd.Index(GROUPS).get_indexer(merged["label"]) if len(merged) else np.zeros(0, int)
    state = np.where(row >= 0, code[row] if len(code) else 0, len(GROUPS))  # the last: no behaviour
    coarse = 5  # fluctuations are drawn per 100 ms
    n_coarse = n_bins // coarse + 1
    keep = np.exp(-coarse * BIN / ou_tau)
    index, found = [], []
    for k, rate in enumerate(base):
        rng = stream(seed, "spikes", k)
        kicks = rng.standard_normal(n_coarse)
        kicks[1:] *= np.sqrt(1.0 - keep**2)
        slow = ou_sd * lfilter([1.0], [1.0, -keep], kicks) - ou_sd**2 / 2
        slow += drift * rng.standard_normal() * np.linspace(-0.5, 0.5, n_coarse)
        level = rate * np.exp(np.append(gains[k], 0.0))[state] * np.repeat(np.exp(slow), coarse)[:n_bins]
        counts = rng.poisson(level * BIN / 1000.0)
        time = np.repeat(times, counts) + rng.uniform(0.0, BIN, counts.sum())
        time = np.sort(time[time < duration])
        index.append(np.full(len(time), k, np.int32))
        found.append(time)
    index, time = np.concatenate(index), np.concatenate(found)
    order = np.argsort(time, kind="stable")
    return index[order], time[order]


def observe(
    session: BehaviourSession,
    plan: MousePlan,
    index: np.ndarray,
    time: np.ndarray,
    seed: int,
    parameters: SyntheticParameters,
    *,
    events: bool = True,
    spikes: bool = True,
    footprints: bool = True,
) -> BehaviourSession:
    """Image the spikes of the neurons that a session shows.

    Parameters
    ----------
    session : BehaviourSession
        What the mouse did.
    plan : MousePlan
        Who is seen.
    index, time : ndarray, shape (n_spikes,)
        Local index and time (ms) of each spike, in order of time.
    seed : int
        Seed of the microscope's noise.
    parameters : SyntheticParameters
        Indicator and microscope.
    events : bool
        Deconvolve dF/F to the trace "events" (AP per frame).
    spikes : bool
        Keep true spikes in the recording, as no file of real data has them; else they are in ``truth`` alone.
    footprints : bool
        Draw the footprints too.

    Returns
    -------
    BehaviourSession
        ``truth`` gains ``cell`` (of the pool), ``cluster``, ``categories`` (n, 8), ``base`` (Hz), ``spikes``
        (index, time), ``shift``.
    """
    k = session.session - 1
    cells = plan.local[k]
    n = len(cells)
    neurons = pd.DataFrame({"population": plan.pathway, "orientation": np.full(n, np.nan), "cell": np.arange(n)})
    protocol = Protocol(pd.DataFrame({"onset": [0.0], "duration": [session.duration]}))
    true = Recording(neurons, index, time, session.duration, protocol, provenance={"simulated": True, "seed": seed})
    optics = Microscope(frame_rate=parameters.frame_rate, noise=parameters.photo_noise)
    seen = image(true, parameters.indicator, optics, seed)
    traces = {"dff": seen.traces["dff"]}
    seen = dataclasses.replace(seen, traces=traces)
    if events:
        seen = deconvolve(seen, indicator=parameters.indicator)
    if not spikes:
        none = (np.zeros(0, np.int32), np.zeros(0))
        seen = dataclasses.replace(seen, spike_index=none[0], spike_time=none[1])
    images = None
    if footprints:
        sparse = draw_footprints(plan.cells, cells, shift=tuple(plan.shifts[k]), jitter=parameters.jitter, seed=seed)
        images = to_images(sparse, plan.cells.field)
    return session.with_recording(
        seen,
        images,
        cell=cells,
        cluster=plan.cluster[cells],
        categories=plan.categories[cells, k],
        base=plan.base[cells],
        spikes=(index, time),
        shift=plan.shifts[k],
    )


def synthetic_session(
    seed: int, plan: MousePlan, session: int, parameters: SyntheticParameters | None = None, **options: bool
) -> BehaviourSession:
    """One session of a planned mouse, spikes drawn from a statistical model (:func:`behaviour_spikes`).

    Parameters
    ----------
    seed : int
        Master seed, that of the plan.
    plan : MousePlan
        The mouse.
    session : int
        From 1.
    parameters : SyntheticParameters, optional
        Those of the plan.
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`observe`.
    """
    p = SyntheticParameters() if parameters is None else parameters
    behaviour = simulate_behaviour(seed, plan.mouse, plan.pathway, session, n_sessions=p.sessions, duration=p.duration)
    cells = plan.local[session - 1]
    gains = log_gains(plan.categories[cells, session - 1], p.up, p.down)
    own = int(stream(seed, "session", plan.mouse, session).integers(2**62))
    index, time = behaviour_spikes(
        own,
        behaviour.intervals,
        behaviour.duration,
        plan.base[cells],
        gains,
        ou_sd=p.ou_sd,
        ou_tau=p.ou_tau,
        drift=p.drift,
    )
    return observe(behaviour, plan, index, time, own, p, **options)


def synthetic_mouse(
    seed: int,
    mouse: str = "I1",
    pathway: str = "D1",
    parameters: SyntheticParameters | None = None,
    *,
    mode: str = "statistical",
    **options: bool,
) -> tuple[list[BehaviourSession], MousePlan]:
    """All sessions of one synthetic mouse, and the truth.

    Parameters
    ----------
    seed : int
        Master seed.
    mouse, pathway : str
        Which mouse.
    parameters : SyntheticParameters, optional
        What is planted.
    mode : {"statistical", "network"}
        Where spikes come from: a statistical model, or a network of the striatum in PyNN on NEST
        (:mod:`netlib.imaging.striatal_mouse`).
    **options
        ``events``, ``spikes``, ``footprints``: see :func:`observe`.
    """
    p = SyntheticParameters() if parameters is None else parameters
    check_choice("mode", mode, ("statistical", "network"))
    plan = plan_mouse(seed, mouse, pathway, p)
    if mode == "network":
        from netlib.imaging.striatal_mouse import network_mouse

        return network_mouse(seed, plan, p, **options), plan
    return [synthetic_session(seed, plan, k, p, **options) for k in range(1, p.sessions + 1)], plan
