"""What a ring of orientation channels sees of a two-photon session: rates from its schedule."""

from __future__ import annotations

import numpy as np

from netlib.lgn.rates import ChannelRates
from netlib.orientation import preferred_orientations, von_mises
from netlib.stimuli.schedule import Schedule
from netlib.units import check_integer, check_number, check_type

__all__ = ["schedule_rates"]


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
    f the profile of :func:`netlib.orientation.von_mises` and theta_k the orientations of the patches actually shown:
    their spread (kappa) widens the profile and lowers its peak. During G and gray all fire at ``peak * pedestal``.
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
    >>> from netlib.stimuli.gabor_sequences import credit_assignment_schedule
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
