"""An orientation that turns, and one that jumps: how the ring follows, and whether its bump turns too or fades."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.orientation import preferred_orientations
from netlib.networks import Activity, RingParameters, preset, set_values
from netlib.tuning import population_vector
from netlib.v1.bumps import sized_bump
from netlib.v1.dynamics import binned_counts, moving_rates, respond

__all__ = ["fade_or_turn", "frame_vector", "jump", "jump_networks", "jump_profile", "tracking"]


def frame_vector(index: ArrayLike, time: ArrayLike, n_cells: int, orientation: ArrayLike) -> complex:
    """Population vector in the frame of a moving stimulus: mean over spikes of ``exp 2i (theta_cell - theta(t))``.

    Its angle / 2 is minus the lag of the population behind the stimulus, its modulus how well they go together
    (the same demodulation that gives amplitude and phase of a response to a flickering stimulus).

    Parameters
    ----------
    index, time : array_like, shape (n_spikes,)
        Cell and time (ms) of each spike; cell i prefers 180 i / n_cells degrees.
    n_cells : int
        Number of cells.
    orientation : array_like, shape (n_bins,)
        Orientation of the stimulus (deg) in bins of 1 ms.

    Returns
    -------
    complex
        NaN without spikes.
    """
    check_integer("n_cells", n_cells, 1, unit="cells")
    orientation = check_array("orientation", orientation, "deg", ndim=1)
    if not len(index):
        return complex(np.nan, np.nan)
    theta = preferred_orientations(n_cells)[np.asarray(index, int)]
    shown = np.interp(np.asarray(time, float), np.arange(len(orientation)) + 0.5, orientation)
    return complex(np.exp(2j * np.radians(theta - shown)).mean())


def tracking(
    seed: int,
    speeds: Sequence[float] = (90.0, 180.0, 360.0, 720.0, 1440.0, 2880.0, 5760.0),
    duration: float = 600.0,
    skip: float = 100.0,
    n_bump: int = 256,
    strength: float = 0.2,
) -> pd.DataFrame:
    """How a ring follows a rotating stimulus: lag and gain against speed.

    Networks: ``v1``; ``v1`` without recurrence and the spikes of the input itself (the controls); ``bump``, whose
    recurrence is strong and slow. All speeds follow one another in one run.

    Parameters
    ----------
    seed : int
        Master seed.
    speeds : sequence of float
        Speeds (deg/s), above 0; the gain refers to the first.
    duration, skip : float
        Length of each speed, and how much of its start does not count (ms).
    n_bump : int
        Excitatory cells of the bump network.
    strength : float
        Strength of its tuned input, as a fraction of its flat input; that of ``v1`` is 1.

    Returns
    -------
    DataFrame, one row per network and speed
        ``network``; ``speed`` (deg/s); ``vector``: modulus of :func:`frame_vector`; ``gain``: the same over that at the
        first speed; ``lag`` (deg, in (-90, 90]) and ``lag_ms``, NaN where the gain is below 0.5: the stimulus is lost;
        ``rate`` (Hz per cell).
    """
    speeds = check_array("speeds", speeds, "deg/s", 0, ndim=1)
    check_number("skip", skip, "ms", 0, duration, high_open=True)
    per_ms = np.repeat(speeds, round(duration)) / 1000.0
    orientation = np.cumsum(per_ms) - per_ms / 2
    v1 = preset("v1")
    networks = {"v1": v1, "v1, no recurrence": v1.without_recurrence(), "bump": sized_bump(n_bump)}
    rows = []
    for name, network in networks.items():
        rates = moving_rates(network, orientation, strength if name == "bump" else 1.0)
        activity = respond(network, rates, seed)
        rows += _follow(activity, network, "E", name, orientation, speeds, duration, skip)
        if name == "v1":
            rows += _follow(activity, network, "input", "input", orientation, speeds, duration, skip)
    return pd.DataFrame(rows)


def _follow(
    activity: Activity, network: RingParameters, population: str, name: str, orientation: np.ndarray,
    speeds: np.ndarray, duration: float, skip: float,
) -> list[dict]:  # fmt: skip
    index, time = activity.spikes[population]
    n, rows = network.size(population), []
    for k, speed in enumerate(speeds):
        inside = (time >= k * duration + skip) & (time < (k + 1) * duration)
        vector = frame_vector(index[inside], time[inside], n, orientation)
        reference = rows[0]["vector"] if rows else abs(vector)
        lag = -np.degrees(np.angle(vector)) / 2 if abs(vector) >= reference / 2 else np.nan
        rows.append({
            "network": name, "speed": speed, "lag": lag, "lag_ms": 1000.0 * lag / speed if speed else np.nan,
            "vector": abs(vector), "gain": abs(vector) / reference,
            "rate": 1000.0 * inside.sum() / n / (duration - skip),
        })  # fmt: skip
    return rows


def jump_profile(
    network: RingParameters,
    seed: int,
    strength: float = 1.0,
    hold: float = 400.0,
    jumps: int = 6,
    angle: float = 60.0,
    step: float = 5.0,
    before: float = 100.0,
) -> pd.DataFrame:
    """Activity around the jumps of a stimulus, in the frame of the old orientation, mean over jumps.

    Parameters
    ----------
    network : RingParameters
        The network.
    seed : int
        Master seed.
    strength : float
        Strength of the tuned input (1 is the network's own).
    hold : float
        Time between jumps (ms).
    jumps : int
        Number of jumps; the first orientation is held twice as long.
    angle : float
        Size of a jump (deg), all in one direction.
    step : float
        Length of a time bin (ms); everything is averaged over three of them.
    before : float
        Time before the jump that is kept (ms).

    Returns
    -------
    DataFrame
        Rows: time after the jump (ms, middle of the three bins). Columns: rate of E cells (Hz) by orientation minus the
        old one (deg, 18 bins of 10 deg, middle from -90 to 80); and ``length`` of the population vector of each jump.
    """
    check_integer("jumps", jumps, 1)
    check_number("hold", hold, "ms", before)
    orientation = angle * np.clip(np.arange(round(hold * (jumps + 2))) // round(hold) - 1, 0, None)
    activity = respond(network, moving_rates(network, orientation.astype(float), strength), seed)
    n = network.n_excitatory
    counts = binned_counts(activity.spikes["E"], n, hold * (jumps + 2), step)
    counts = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    first, n_bins, theta = round(before / step), round((hold + before) / step) - 2, preferred_orientations(n)
    profile, length = np.zeros((n_bins, 18)), np.zeros((jumps, n_bins))
    for k in range(jumps):
        at = round(hold * (k + 2) / step) - first
        part = counts[:, at : at + n_bins]
        place = np.round((theta - k * angle + 90.0) / 10.0 - 1e-9).astype(int) % 18
        in_place = np.stack([np.bincount(place, row, 18) for row in part.T])
        profile += in_place / np.bincount(place, minlength=18) / jumps * (1000.0 / (3 * step))
        length[k] = population_vector(part, theta)[1]
    time = (np.arange(n_bins) + 1.5) * step - before
    table = pd.DataFrame(profile, index=pd.Index(time, name="time"), columns=10.0 * np.arange(18) - 90.0)
    return table.assign(length=[np.nan if np.isnan(column).all() else np.nanmean(column) for column in length.T])


def fade_or_turn(profile: pd.DataFrame, angle: float = 60.0) -> dict[str, float]:
    """Does activity turn through the orientations between the old and the new one, or fade from one to the other?

    Parameters
    ----------
    profile : DataFrame
        From :func:`jump_profile`.
    angle : float
        Size of the jump (deg).

    Returns
    -------
    dict
        ``t50``, ``t95`` (ms): when the population vector has made half and 95 % of the jump; NaN if it never does.
        ``middle``: rate of the cells halfway at t50, over the rate of the best cells before the jump, each above the
        lowest rate before the jump. ``dip``: shortest mean ``length`` after the jump over that before. A bump that
        turns keeps both near 1; one of 20 deg that fades while another grows 60 deg away has 0.3 and 0.5.
    """
    rates = profile.drop(columns="length")
    time, theta = rates.index.to_numpy(), rates.columns.to_numpy(float)
    vector = rates.to_numpy() @ np.exp(2j * np.radians(theta))
    after = time > 0
    made = np.degrees(np.unwrap(np.angle(vector))) / 2
    made -= made[~after].mean()
    old = rates[~after].mean()
    found = {"t50": np.nan, "t95": np.nan, "middle": np.nan}
    for name, part in (("t50", 0.5), ("t95", 0.95)):
        if (beyond := np.flatnonzero(after & (made >= part * angle))).size:
            found[name] = float(time[beyond[0]])
    if np.isfinite(found["t50"]):
        halfway = np.interp(angle / 2, theta, rates.loc[found["t50"]])
        found["middle"] = float((halfway - old.min()) / (old.max() - old.min()))
    length = profile["length"].to_numpy()
    return {**found, "dip": float(np.nanmin(length[after]) / np.nanmean(length[~after]))}


def jump_networks(n_bump: int = 256) -> dict[str, tuple[RingParameters, dict[str, float]]]:
    """The networks of :func:`jump` and the settings of :func:`jump_profile` for each.

    ``bump`` gets a broad weak input, which pulls the bump from wherever it is, at two strengths; and one as narrow as
    the cue and stronger, which hardly reaches a bump 60 deg away.
    """
    v1, bump = preset("v1"), sized_bump(n_bump)
    broad, slow = set_values(bump, {"input_tuning.B_theta": 60.0}), {"hold": 2000.0, "step": 50.0, "before": 500.0}
    return {
        "v1": (v1, {"hold": 300.0}),
        "v1, no recurrence": (v1.without_recurrence(), {"hold": 300.0}),
        "bump, broad input 0.1": (broad, {"strength": 0.1, **slow}),
        "bump, broad input 0.2": (broad, {"strength": 0.2, **slow}),
        "bump, narrow input 0.4": (bump, {"strength": 0.4, **slow}),
    }


def jump(seed: int, jumps: int = 5, n_bump: int = 256) -> pd.DataFrame:
    """Virtual rotation: jumps of the stimulus by 60 deg, on the networks of :func:`jump_networks`.

    Parameters
    ----------
    seed : int
        Master seed.
    jumps : int
        Jumps per run.
    n_bump : int
        Excitatory cells of the bump network.

    Returns
    -------
    DataFrame, one row per network
        ``network`` and the measures of :func:`fade_or_turn`.
    """
    rows = []
    for name, (network, settings) in jump_networks(n_bump).items():
        rows.append({"network": name, **fade_or_turn(jump_profile(network, seed, jumps=jumps, **settings))})
    return pd.DataFrame(rows)
