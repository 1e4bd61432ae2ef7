"""What the experiments on dynamics share: an input whose orientation changes in time, and decoding in time.

Latencies and delays: do delays that make up for the latencies of a code sharpen the response?:
The idea is L. Perrinet's, in the 2018-2019 internship project (Ladret & Perrinet, InternshipM2): a first-spike latency
code on the input, delay lines that bring its spikes together on the cell of the right orientation, and the same network
with one delay for all as the control. Here there are two more controls, as many input spikes, and the same weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.orientation import preferred_orientations, signed_distance, von_mises
from netlib.base.seeds import simulator_seed, stream
from netlib.lgn import ChannelRates
from netlib.lgn.rates import poisson_spikes
from netlib.networks import (
    Activity,
    Cell,
    RingParameters,
    SpikeDrive,
    bulk_connector,
    open_simulator,
    preset,
    rate_drive,
    run_ring,
)
from netlib.networks.kernels import pairwise
from netlib.networks.pynn import spikes_of
from netlib.tuning import half_width, population_vector

__all__ = [
    "DELAYS",
    "LatencyCode",
    "adaptation",
    "adapting_v1",
    "binned_counts",
    "decode_in_time",
    "latency_delays",
    "moving_rates",
    "preferred_shift",
    "respond",
]


# -------------------- What the experiments on dynamics share: an input whose orientation changes in time, and ...


def moving_rates(
    parameters: RingParameters, orientation: ArrayLike, strength: ArrayLike = 1.0, dt: float = 1.0
) -> ChannelRates:
    """Rates of the input cells for an orientation that changes in time, with the tuning of the network's input.

    ``rate = peak [(1 - pedestal) strength vm(theta_i - orientation; B_theta) + pedestal]``: where the strength is
    1, what :func:`netlib.lgn.von_mises_rates` gives at full contrast.

    Parameters
    ----------
    parameters : RingParameters
        Gives the number of input cells and their ``input_tuning``.
    orientation : array_like, shape (n_bins,)
        Orientation in each time bin (deg), any number: it is wrapped.
    strength : array_like, shape (n_bins,) or ()
        Strength of the tuned part, 0 or more; 0 leaves the pedestal.
    dt : float
        Length of a bin (ms).
    """
    check_type("parameters", parameters, RingParameters)
    orientation = check_array("orientation", orientation, "deg", ndim=1)
    strength = np.broadcast_to(check_array("strength", strength, "", 0), orientation.shape)
    tuning, preferred = parameters.input_tuning, preferred_orientations(parameters.n_input)
    bump = strength * von_mises(preferred[:, None], orientation, tuning.B_theta)
    return ChannelRates(tuning.peak * ((1 - tuning.pedestal) * bump + tuning.pedestal), dt, preferred)


def respond(parameters: RingParameters, rates: ChannelRates, seed: int, network_seed: int | None = None) -> Activity:
    """Activity of a network on frozen Poisson spikes drawn from rates.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    rates : ChannelRates
        Rates of the input cells (Hz).
    seed : int
        Seed of the input spikes.
    network_seed : int, optional
        Seed of connections and initial potentials; by default ``seed``.
    """
    drive = rate_drive(rates, parameters.n_input, seed)
    return run_ring(parameters, drive, seed if network_seed is None else network_seed)


def binned_counts(spikes: tuple[np.ndarray, np.ndarray], n_cells: int, duration: float, step: float) -> np.ndarray:
    """Spike counts per cell and time bin.

    Parameters
    ----------
    spikes : tuple of ndarray
        Cell and time (ms) of each spike.
    n_cells : int
        Number of cells.
    duration, step : float
        Length of the whole and of a bin (ms); what does not fill a bin is left out.

    Returns
    -------
    ndarray of int, shape (n_cells, n_bins)
    """
    check_integer("n_cells", n_cells, 1, unit="cells")
    check_number("step", step, "ms", 0, duration, low_open=True)
    n_bins = int(duration / step + 1e-9)
    index, bins = np.asarray(spikes[0], np.int64), (np.asarray(spikes[1]) / step).astype(np.int64)
    keep = bins < n_bins
    return np.bincount(index[keep] * n_bins + bins[keep], minlength=n_cells * n_bins).reshape(n_cells, n_bins)


def decode_in_time(
    spikes: tuple[np.ndarray, np.ndarray], n_cells: int, duration: float, window: float, step: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation read out of a ring by the population vector, in a window that slides in time.

    Parameters
    ----------
    spikes : tuple of ndarray
        Cell and time (ms) of each spike; cell i prefers 180 i / n_cells degrees.
    n_cells : int
        Number of cells.
    duration : float
        Length (ms).
    window, step : float
        Length of the window, a whole number of steps, and the step (ms).

    Returns
    -------
    time, decoded, length : ndarray, shape (n_windows,)
        Middle of each window (ms); orientation in [0, 180) deg, NaN without spikes; length of the mean vector.
    """
    check_number("window", window, "ms", step, duration)
    width = round(window / step)
    total = np.cumsum(np.pad(binned_counts(spikes, n_cells, duration, step), ((0, 0), (1, 0))), axis=1)
    counts = total[:, width:] - total[:, :-width]
    decoded, length = population_vector(counts, preferred_orientations(n_cells))
    return (np.arange(counts.shape[1]) + width / 2) * step, decoded, length


# -------------------- Adaptation: a network with spike-triggered adaptation of its cells is shown an adapter, ...


def adapting_v1(b: float = 0.08, tau_w: float = 150.0) -> RingParameters:
    """The preset ``v1`` with exponential integrate-and-fire E cells whose spikes leave a hyperpolarising current.

    Parameters
    ----------
    b : float
        Size of that current per spike (nA); 0 is the control.
    tau_w : float
        Its time constant (ms). Brette & Gerstner (2005, J Neurophysiol 94:3637) fitted 0.0805 nA and 144 ms to a
        pyramidal cell.
    """
    network = preset("v1")
    cell = dataclasses.asdict(network.excitatory)
    exponential = Cell(**cell | {"model": "EIF_cond_exp_isfa_ista", "delta_T": 1.0, "v_spike": -40.0, "b": b,
                                 "tau_w": tau_w})  # fmt: skip
    return dataclasses.replace(network, excitatory=exponential, timestep=0.2, name=f"v1 with b = {b:g} nA")


def preferred_shift(counts: np.ndarray, adapted: np.ndarray, shown: np.ndarray, adapter: float) -> tuple:
    """Shift of each cell's preferred orientation away from the adapter.

    Parameters
    ----------
    counts, adapted : ndarray, shape (n_cells, n_orientations)
        Responses before and after the adapter; preferred orientation is the angle of the mean vector.
    shown : ndarray, shape (n_orientations,)
        Test orientations (deg), evenly spread.
    adapter : float
        Orientation of the adapter (deg).

    Returns
    -------
    distance, shift : ndarray, shape (n_cells,)
        Preferred orientation before minus the adapter (deg, in (-90, 90]); shift (deg), positive away from it.
        NaN for a cell that was silent.
    """
    before, after = (population_vector(np.asarray(c).T, shown)[0] for c in (counts, adapted))
    distance = np.asarray(signed_distance(before, adapter))
    return distance, np.asarray(signed_distance(after, before)) * np.sign(distance)


def adaptation(
    seed: int,
    sizes: Sequence[float] = (0.0, 0.08),
    gaps: Sequence[float] = (50.0,),
    adapter: float = 200.0,
    test: float = 100.0,
    rest: float = 50.0,
    orientations: int = 6,
) -> pd.DataFrame:
    """Response and preferred orientation after an adapter, with and without spike-triggered adaptation.

    Each test orientation is shown alone and, on the same input spikes, a gap after an adapter of 90 deg.

    Parameters
    ----------
    seed : int
        Master seed.
    sizes : sequence of float
        Values of ``b`` (nA, see :func:`adapting_v1`); 0 is the control.
    gaps : sequence of float
        Times from the end of the adapter to the test (ms).
    adapter, test, rest : float
        Lengths of the adapter, of a test and of the pause after it (ms).
    orientations : int
        Number of test orientations.

    Returns
    -------
    DataFrame, one row per b, gap and bin of distance from the adapter
        ``b``; ``gap``; ``distance`` (deg, from 0 to 90): of the test orientation for ``response`` (spikes of all E
        cells after the adapter over those alone) and ``repulsion`` (deg; error of the population vector away from the
        adapter, minus the same alone; NaN at 0 and 90); of the cell's preferred orientation for ``shift`` (deg, mean
        :func:`preferred_shift` of cells nearest to it); ``rate`` (Hz): of E cells, tests alone.
    """
    check_integer("orientations", orientations, 4)
    check_array("gaps", gaps, "ms", 0)
    check_number("rest", rest, "ms", 0)
    shown, rows = preferred_orientations(orientations), []
    for b in sizes:
        network = adapting_v1(b)
        for gap in gaps:
            lengths = (adapter, gap, test, rest)
            alone, adapted = (_responses(network, seed, shown, lengths, after) for after in (False, True))
            rows += [{"b": b, "gap": gap, **row} for row in _compare(alone, adapted, shown, test)]
    return pd.DataFrame(rows)


def _responses(
    network: RingParameters, seed: int, shown: np.ndarray, lengths: tuple[float, ...], adapted: bool
) -> np.ndarray:
    """Counts of the E cells during each test, shape (n_cells, n_orientations).

    ``lengths`` (ms) are those of adapter, gap, test and rest. Without adapter its time is blank, and the tests get
    the same input spikes.
    """
    adapter, gap, test, rest = (round(length) for length in lengths)
    one = np.repeat([0, 1, 2, 1], [adapter, gap, test, rest])  # 0: adapter, 1: blank, 2: test
    phase = np.tile(one, len(shown))
    orientation = np.where(phase == 0, 90.0, np.repeat(shown, len(one)))
    strength = np.where(phase == 0, float(adapted), phase == 2)
    rates = moving_rates(network, orientation, strength)
    drives = []
    for name, during in (("adapter", phase == 0), ("test", phase > 0)):
        part = ChannelRates(rates.rates * during, rates.dt, rates.orientations)
        drives.append(rate_drive(part, network.n_input, simulator_seed(seed, name)))
    index, time = (np.concatenate([getattr(drive, what) for drive in drives]) for what in ("index", "time"))
    order = np.lexsort((index, time))
    drive = SpikeDrive(index[order], time[order], network.n_input, rates.duration)
    index, time = run_ring(network, drive, seed).spikes["E"]
    starts = np.arange(len(shown)) * len(one) + adapter + gap
    inside = [(time >= start) & (time < start + test) for start in starts]
    return np.stack([np.bincount(index[now], minlength=network.n_excitatory) for now in inside], axis=1)


def _compare(alone: np.ndarray, adapted: np.ndarray, shown: np.ndarray, test: float) -> list[dict]:
    from_adapter = np.asarray(signed_distance(shown, 90.0))
    ratio = adapted.sum(axis=0) / np.maximum(alone.sum(axis=0), 1)
    cells = preferred_orientations(len(alone))
    seen = [np.asarray(signed_distance(population_vector(c, cells)[0], shown)) for c in (alone, adapted)]
    repulsion = (seen[1] - seen[0]) * np.sign(from_adapter)
    repulsion[np.isin(np.abs(from_adapter), (0.0, 90.0))] = np.nan
    distance, shift = preferred_shift(alone, adapted, shown, 90.0)
    rate, rows, half = 1000.0 * alone.mean() / test, [], 90.0 / len(shown)
    for angle in np.unique(np.abs(from_adapter)):
        tests, near = np.abs(from_adapter) == angle, np.abs(np.abs(distance) - angle) <= half
        moved = repulsion[tests]
        rows.append({
            "distance": angle, "response": ratio[tests].mean(),
            "repulsion": np.nan if np.isnan(moved).all() else np.nanmean(moved),
            "shift": np.nanmean(shift[near]) if np.isfinite(shift[near]).any() else np.nan, "rate": rate,
        })  # fmt: skip
    return rows


# -------------------- Latencies and delays: do delays that make up for the latencies of a code sharpen the response?


#: How the delays of the connections are made.
DELAYS = ("matched", "shuffled", "constant")


@dataclass(frozen=True)
class LatencyCode:
    """First-spike latencies of a leaky integrator at constant current.

    ``t = tau ln[1 / (1 - 1 / I)]`` with ``I = current * vm(d; B_theta)`` in units of the threshold current; no spike
    where I <= 1.

    Attributes
    ----------
    current : float
        Current at the preferred orientation (threshold = 1), > 1.
    B_theta : float
        Bandwidth of the tuning (deg). The source's 0.618 in ``exp{[cos 2d - 1] / b^2}`` (rad) is 17.7 deg.
    tau : float
        Time constant (ms).
    longest : float
        Later spikes are left out (ms): the latency has no bound as I comes down to 1.
    """

    current: float = 2.2
    B_theta: float = 17.7
    tau: float = 50.0
    longest: float = 120.0

    def __post_init__(self) -> None:
        check_number("current", self.current, "", 1, low_open=True)
        check_number("B_theta", self.B_theta, "deg", 0, low_open=True)
        check_number("tau", self.tau, "ms", 0, low_open=True)
        check_number("longest", self.longest, "ms", 0, low_open=True)

    def latency(self, difference: ArrayLike) -> np.ndarray:
        """Latency (ms) at differences of orientation (deg); ``inf`` where the cell does not fire."""
        current = self.current * np.asarray(von_mises(difference, 0.0, self.B_theta))
        with np.errstate(divide="ignore", invalid="ignore"):
            latency = np.where(current > 1, -self.tau * np.log1p(-1 / np.maximum(current, 1)), np.inf)
        return np.where(latency <= self.longest, latency, np.inf)


def latency_delays(
    seed: int,
    weights: Sequence[float] = (0.02, 0.03, 0.05, 0.1, 0.2, 0.4),
    noise: Sequence[float] = (0.0, 2.0, 4.0, 8.0),
    trials: int = 12,
    code: LatencyCode | None = None,
    n_input: int = 360,
    n_output: int = 60,
) -> pd.DataFrame:
    """Profile of a layer that sees a latency code through matched, shuffled or constant delays.

    Each output cell gets equal weights from the input cells that fire at its own orientation (its ON zone), and the
    delays differ: ``matched`` ones make up for the latencies, ``shuffled`` ones are the same numbers dealt anew within
    each cell, ``constant`` ones are their mean. Everything else is shared: input spikes, weights, cells.
    Each trial shows one orientation for 400 ms; the input also fires Poisson spikes at the rate of the noise.

    Parameters
    ----------
    seed : int
        Master seed; streams: orientations, noise, shuffling.
    weights : sequence of float
        Weight of one connection (nA); the membrane's rheobase is 0.25 nA.
    noise : sequence of float
        Rates of the noise on each input cell (Hz).
    trials : int
        Orientations shown at each level of noise.
    code : LatencyCode, optional
        The code; by default the source's.
    n_input, n_output : int
        Numbers of cells.

    Returns
    -------
    DataFrame, one row per delays, weight and noise
        ``delays``, ``weight`` (nA), ``noise`` (Hz); ``peak``: spikes per trial of the best-placed cells (within 4.5 deg
        of the stimulus) in the 200 ms around the volley; ``flank``: the same 60 deg and more away; ``hwhh`` (deg): half
        width of the mean profile above its minimum, NaN where the peak rises less than 0.2 spikes above the flank;
        ``synchrony``: share of the spikes of the best-placed cells that fall in the fullest 5 ms, NaN without spikes.
    """
    code = check_type("code", LatencyCode() if code is None else code, LatencyCode)
    noise, period = check_array("noise", noise, "Hz", 0, ndim=1), 400.0
    weights = check_array("weights", weights, "nA", 0, ndim=1)
    shown = stream(seed, "orientations").uniform(0, 180, (len(noise), trials))
    drive = _volleys(code, shown, noise, n_input, period, stream(seed, "noise"))
    delays = _delays(code, n_input, n_output, seed)
    volley = code.longest + 2.0  # when the matched spikes arrive, ms after the start of a trial
    rows = []
    for (kind, weight), spikes in _run(drive, delays, weights, n_output, seed).items():
        counts = binned_counts(spikes, n_output, drive.duration, 5.0)
        counts = counts.reshape(n_output, len(noise), trials, round(period / 5.0))
        inside = slice(round((volley - 100) / 5.0), round((volley + 100) / 5.0))
        for level, rate in enumerate(noise):
            measured = _measure(counts[:, level, :, inside], shown[level])
            rows.append({"delays": kind, "weight": weight, "noise": rate, **measured})
    return pd.DataFrame(rows)


def _volleys(
    code: LatencyCode, shown: np.ndarray, noise: np.ndarray, n_input: int, period: float, rng: np.random.Generator
) -> SpikeDrive:
    theta, index, time = preferred_orientations(n_input), [], []
    for k, angle in enumerate(shown.ravel()):
        latency = code.latency(signed_distance(theta, angle))
        fired = np.flatnonzero(np.isfinite(latency))
        index.append(fired)
        time.append(k * period + 1.0 + latency[fired])
    rates = np.repeat(np.repeat(noise, shown.shape[1])[None], n_input, axis=0)
    background = poisson_spikes(rates, period, rng)
    index, time = np.concatenate([*index, background[0]]), np.concatenate([*time, background[1]])
    order = np.lexsort((index, time))
    return SpikeDrive(index[order], time[order], n_input, shown.size * period)


def _delays(code: LatencyCode, n_input: int, n_output: int, seed: int) -> dict[str, np.ndarray]:
    """Delays (ms), shape (n_input, n_output), NaN outside the ON zone of the output cell."""
    difference = signed_distance(preferred_orientations(n_input)[:, None], preferred_orientations(n_output))
    latency = code.latency(difference)
    zone = np.isfinite(latency)
    matched = np.where(zone, code.longest + 1.0 - np.where(zone, latency, 0), np.nan)
    shuffled, rng = matched.copy(), stream(seed, "shuffle")
    for cell in range(n_output):
        shuffled[zone[:, cell], cell] = rng.permutation(matched[zone[:, cell], cell])
    constant = np.where(zone, np.nanmean(matched, axis=0), np.nan)
    return {"matched": matched, "shuffled": shuffled, "constant": constant}


def _run(
    drive: SpikeDrive, delays: dict[str, np.ndarray], weights: np.ndarray, n_output: int, seed: int
) -> dict[tuple[str, float], tuple[np.ndarray, np.ndarray]]:
    """Spikes of one output population per kind of delays and weight, all driven by the same input."""
    from pyNN.parameters import Sequence as Train

    cell, step = Cell("IF_curr_exp", tau_m=10.0, tau_syn_E=3.0, cm=0.125), 0.1
    longest = max(np.nanmax(values) for values in delays.values())
    frozen = drive.on_grid(step, 1.0 + step)
    with open_simulator(
        timestep=step, min_delay=1.0, max_delay=float(np.ceil(longest)), seed=simulator_seed(seed, "simulator")
    ) as sim:
        trains = [Train(train) for train in frozen.by_cell()]
        source = sim.Population(drive.n_cells, sim.SpikeSourceArray(spike_times=trains))
        outputs = {}
        for kind, values in delays.items():
            zone, grid = np.isfinite(values), np.maximum(np.round(np.nan_to_num(values) / step) * step, 1.0)
            for weight in weights:
                model = getattr(sim, cell.model)(**cell.pynn_parameters())
                output = sim.Population(n_output, model, initial_values={"v": cell.v_rest})
                output.record("spikes")
                shape = (drive.n_cells, n_output)
                synapse = sim.StaticSynapse(
                    weight=float(weight), delay=pairwise(lambda i, j, grid=grid: grid[i, j], *shape)
                )
                mask = pairwise(lambda i, j, zone=zone: zone[i, j], *shape)
                projection = sim.Projection(
                    source, output, bulk_connector(sim, mask), synapse, receptor_type="excitatory"
                )
                outputs[kind, float(weight)] = output, projection  # the projection must outlive the run
        sim.run(drive.duration)
        return {key: spikes_of(sim, output, drive.duration) for key, (output, _) in outputs.items()}


def _measure(counts: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    """Measures of counts (n_cells, n_trials, n_bins of 5 ms)."""
    away = signed_distance(preferred_orientations(len(counts))[:, None], shown)
    totals = counts.sum(axis=2)
    place = np.round((away + 90.0) / 9.0).astype(int) % 20
    profile = np.bincount(place.ravel(), totals.ravel(), 20) / np.bincount(place.ravel(), minlength=20)
    near, far = np.abs(away) <= 4.5, np.abs(away) >= 60.0
    peak, flank = profile[10], totals[far].mean()
    local = np.einsum("ct,ctb->tb", near.astype(float), counts)
    spikes = local.sum(axis=1)
    fullest = np.divide(local.max(axis=1), spikes, out=np.full(len(spikes), np.nan), where=spikes > 0)
    width = np.nan
    if peak - flank >= 0.2:
        width = float(half_width(9.0 * np.arange(20) - 90.0, profile - profile.min(), reference="minimum"))
    synchrony = float(np.nanmean(fullest)) if np.isfinite(fullest).any() else np.nan
    return {"peak": float(peak), "flank": float(flank), "hwhh": width, "synchrony": synchrony}
