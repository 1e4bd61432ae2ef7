"""From a state of the explorer to all that its page shows: the network runs, and what it did is measured.

The front end sees one movie, whose answer is turned to twelve orientations.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from netlib.base.checks import check_type
from netlib.base.orientation import signed_distance
from netlib.explore.state import ExplorerState
from netlib.figures.activity import ring_rates, space_time_rates, time_edges
from netlib.lgn.frontend import LGN
from netlib.lgn.rates import ChannelRates
from netlib.networks import RingParameters
from netlib.recordings import Recording, record_ring
from netlib.stimuli.movie import Movie
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.stimulus import Stimulus
from netlib.tuning import decode_recording, fit_tuning, isi_cv2, response_counts, tuning_curves, tuning_table

__all__ = ["ORIENTATIONS", "Bump", "Measures", "Result", "compute", "shown_movie", "tuning_protocol", "turned_rates"]

#: Orientations shown, 15 degrees apart.
ORIENTATIONS = 12
#: Length of a presentation and of the grey after it (ms), and grey before the first.
LENGTH, GAP, LEAD = 250.0, 50.0, 100.0
#: Length of a natural movie (ms).
SCENE = 2000.0


def tuning_protocol(stimulus: Stimulus) -> Protocol:
    """The stimulus, then the same turned by 15, 30, ... 165 degrees; one long presentation where it has no orientation.

    Examples
    --------
    >>> from netlib.stimuli import Grating
    >>> tuning_protocol(Grating(theta=90.0)).table["orientation"].tolist()[:4]
    [90.0, 105.0, 120.0, 135.0]
    """
    check_type("stimulus", stimulus, Stimulus)
    if not np.isfinite(stimulus.orientation):
        return Protocol.sequence([stimulus], SCENE, gap=GAP, lead=LEAD)
    step = 180.0 / ORIENTATIONS
    turned = [replace(stimulus, theta=(stimulus.theta + step * k) % 180.0) for k in range(ORIENTATIONS)]
    return Protocol.sequence(turned, LENGTH, gap=GAP, lead=LEAD)


@lru_cache(maxsize=16)
def shown_movie(stimulus: Stimulus) -> Movie:
    """The movie of one presentation and of the grey after it."""
    length = LENGTH if np.isfinite(stimulus.orientation) else SCENE
    return Protocol.sequence([stimulus], length, gap=GAP).movie()


@lru_cache(maxsize=16)
def _response(lgn: LGN, stimulus: Stimulus) -> ChannelRates:
    # Linear algebra on several threads sums in another order, and one spike moved moves others: one thread anywhere.
    with threadpool_limits(1, user_api="blas"):
        return lgn.respond(shown_movie(stimulus))


def turned_rates(lgn: LGN, protocol: Protocol) -> ChannelRates:
    """Rates of the front end to a protocol of :func:`tuning_protocol`.

    The front end sees the first movie alone. A turned stimulus is the same stimulus turned, so its response is that
    of channels as far away around the ring: eleven movies less to filter. What the square grid of pixels and of
    receptive fields makes of a turn (a few Hz) is left out.

    Parameters
    ----------
    lgn : LGN
        The front end.
    protocol : Protocol
        From :func:`tuning_protocol`.

    Returns
    -------
    ChannelRates
        As many channels as the front end has, for the whole protocol.
    """
    check_type("lgn", lgn, LGN)
    first = check_type("protocol", protocol, Protocol).stimuli[0]
    response = _response(lgn, first)
    rates = np.full((len(response.rates), round(protocol.duration / lgn.dt)), float(lgn.spontaneous))
    for stimulus, onset in zip(protocol.stimuli, protocol.windows()[:, 0], strict=True):
        turn = stimulus.orientation - first.orientation
        turned = response.at(response.orientations - turn) if len(protocol) > 1 and turn else response
        begin = round(onset / lgn.dt)
        rates[:, begin : begin + turned.rates.shape[1]] = turned.rates
    return ChannelRates(rates, lgn.dt, response.orientations)


# ---------------------------------------------------------------- what the network does

#: Bins of time of the map (ms), and single cells whose tuning is fitted.
MAP_BIN, CELLS = 20.0, 6
#: Fewest spikes of a population from which a width is taken.
FEWEST = 50


@dataclass(frozen=True, eq=False)
class Bump:
    """Activity over the ring, every presentation turned so that the shown orientation is 0.

    Attributes
    ----------
    distance, rate : ndarray, shape (n_bins,)
        Distance from the shown orientation (deg) and mean rate per cell (Hz).
    fit : Series or None
        The row of :func:`netlib.tuning.fit_tuning`; None where the population is all but silent.
    """

    distance: np.ndarray
    rate: np.ndarray
    fit: pd.Series | None

    @property
    def hwhh(self) -> float:
        """Half width at half height (deg); NaN without a successful fit."""
        return float(self.fit["hwhh"]) if self.fit is not None and self.fit["success"] else float("nan")

    @property
    def contrast(self) -> float:
        """Fitted amplitude over fitted peak, 1 for a bump on a silent ring, 0 for a flat one; 0 without a fit."""
        if self.fit is None or not np.isfinite(self.fit["amplitude"]):
            return 0.0
        peak = self.fit["baseline"] + self.fit["amplitude"]
        return float(self.fit["amplitude"] / peak) if peak > 0 and self.fit["success"] else 0.0


@dataclass(frozen=True)
class Measures:
    """A few numbers that say what the network does.

    Attributes
    ----------
    rate, rate_I : float
        Mean rate of the output cells and of the I cells while something is shown (Hz).
    hwhh, hwhh_input : float
        Width of the bump of activity of output and input (half width at half height, deg); NaN where there is none.
    modulation : float
        Amplitude over peak of the output's bump, in [0, 1].
    error : float
        Mean error of the orientation read from the output (deg); 45 is chance; NaN without spikes.
    irregularity : float
        CV2 of interspike intervals of the output: 1 is Poisson, 0 a clock.
    synchrony : float
        Variance over mean of the output's spike count in bins of 2 ms: 1 where cells fire independently.
    frequency : float
        Strongest rhythm of the output's rate from 10 to 250 Hz (Hz); NaN where none stands out.
    weight_change : float
        Mean change of plastic weights (%); NaN where they are static.
    """

    rate: float
    rate_I: float
    hwhh: float
    hwhh_input: float
    modulation: float
    error: float
    irregularity: float
    synchrony: float
    frequency: float
    weight_change: float


@dataclass(frozen=True, eq=False)
class Result:
    """All that the page shows.

    Attributes
    ----------
    state, parameters, recording, movie
        What was run, on what, and the movie of the first presentation.
    output : str
        Population whose tuning is shown: E, or E2 where there are two rings.
    ring : dict
        For each population: orientations (deg) and rates (Hz) in the first presentation.
    edges, places, rate_map : ndarray
        Bins of time (ms), orientations (deg) and rates (Hz, places by bins) of the output.
    bumps : dict of Bump
        For the input, E, I (and E2, I2); empty for a natural movie.
    curves, table : DataFrame or None
        Tuning curves of some output cells and their fits; None for a natural movie.
    measures : Measures
    seconds : float
        Time that all this took (s).
    """

    state: ExplorerState
    parameters: RingParameters
    recording: Recording
    movie: Movie
    output: str
    ring: dict[str, tuple[np.ndarray, np.ndarray]]
    edges: np.ndarray
    places: np.ndarray
    rate_map: np.ndarray
    bumps: dict[str, Bump]
    curves: pd.DataFrame | None
    table: pd.DataFrame | None
    measures: Measures
    seconds: float


@lru_cache(maxsize=32)
def compute(state: ExplorerState) -> Result:
    """Run the network of a state on its stimulus and measure what it does; recent states are remembered.

    Parameters
    ----------
    state : ExplorerState
        What to show to which network.

    Returns
    -------
    Result
    """
    started = time.perf_counter()
    check_type("state", state, ExplorerState)
    parameters, stimulus = state.parameters(), state.shown()
    protocol = tuning_protocol(stimulus)
    rates = turned_rates(parameters.lgn, protocol)
    recording = record_ring(parameters, protocol, state.seed, rates=rates, backend="auto")
    output = "E2" if "E2" in recording.populations else "E"
    cells = {name: recording.population(name) for name in recording.populations}
    first = protocol.windows()[:1]
    ring = {name: ring_rates(part, first, min(18, len(part))) for name, part in cells.items()}
    ring = {name: (place, rate[:, 0]) for name, (place, rate) in ring.items()}
    edges = time_edges(0.0, recording.duration, MAP_BIN)
    places, rate_map = space_time_rates(cells[output], edges, min(36, len(cells[output])))
    oriented = len(protocol) > 1
    bumps = {name: aligned_bump(part) for name, part in cells.items()} if oriented else {}
    curves, table = _examples(recording, output) if oriented else (None, None)
    measures = _measures(recording, cells, output, bumps)
    seconds = time.perf_counter() - started
    return Result(
        state, parameters, recording, shown_movie(stimulus), output, ring, edges, places, rate_map,
        bumps, curves, table, measures, seconds,
    )  # fmt: skip


def aligned_bump(cells: Recording) -> Bump:
    """The bump of a population, mean over presentations turned onto each other, with one fit to all counts."""
    counts, lengths = response_counts(cells)
    shown = cells.protocol.table["orientation"].to_numpy(float)
    place = cells.neurons["orientation"].to_numpy(float)
    apart = np.asarray(signed_distance(place[:, None], shown[None, :]))
    bins = min(36, len(cells))
    which = np.floor((apart + 90.0) / 180.0 * bins + 0.5).astype(int) % bins
    spikes = np.bincount(which.ravel(), counts.ravel(), bins)
    times = np.bincount(which.ravel(), np.broadcast_to(lengths, counts.shape).ravel(), bins)
    distance = 180.0 * np.arange(bins) / bins - 90.0
    fit = None
    if spikes.sum() >= FEWEST:
        # Several cells share a bin: what each presentation of the bin lasted is summed, as its spikes are.
        fit = fit_tuning(distance % 180.0, spikes[None].astype(int), times, progress=False).iloc[0]
    return Bump(distance, 1000.0 * spikes / times, fit)


def _examples(recording: Recording, population: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tuning curves and fits of the most active cell of each sixth of the ring; ``cell`` is its orientation's rank."""
    member = np.flatnonzero((recording.neurons["population"] == population).to_numpy())
    spikes = recording.rates()
    keep = np.zeros(len(recording), bool)
    for part in np.array_split(member, min(CELLS, len(member))):
        keep[part[np.argmax(spikes[part])]] = True
    some = recording.select(keep)
    return tuning_curves(some), tuning_table(some, population, progress=False)


def _measures(recording: Recording, cells: dict, output: str, bumps: dict[str, Bump]) -> Measures:
    part, windows = cells[output], recording.protocol.windows()
    seconds = np.diff(windows, axis=1).sum() / 1000.0

    def rate(one: Recording) -> float:
        return float(one.counts(windows).sum() / seconds / len(one))

    own = rate(part)
    cv2 = isi_cv2(part.spike_index, part.spike_time, len(part), 5, windows)
    changes = [100.0 * (w.values[-1].mean() / w.values[0].mean() - 1.0) for w in recording.weights.values()]
    none = float("nan")
    return Measures(
        rate=own,
        rate_I=rate(cells["I"]),
        hwhh=bumps[output].hwhh if bumps else none,
        hwhh_input=bumps["input"].hwhh if bumps else none,
        modulation=bumps[output].contrast if bumps else none,
        error=float(decode_recording(recording, output)["absolute_error"].mean()) if bumps and own > 0 else none,
        irregularity=float(np.nanmean(cv2)) if np.isfinite(cv2).any() else none,
        synchrony=_synchrony(part, windows),
        frequency=_rhythm(part, windows),
        weight_change=float(np.mean(changes)) if changes else none,
    )


def _synchrony(cells: Recording, windows: np.ndarray, width: float = 2.0) -> float:
    """Variance over mean of the count of all cells in bins of ``width`` (ms), over presentations without onsets."""
    counts = _counts(cells, windows, width)
    return float(counts.var() / counts.mean()) if counts.sum() else float("nan")


def _counts(cells: Recording, windows: np.ndarray, width: float) -> np.ndarray:
    """Spikes of all cells in bins of ``width`` from 50 ms after each onset, shape (n_presentations, n_bins)."""
    number = int((np.diff(windows, axis=1).min() - 50.0) / width)
    edges = np.arange(number + 1) * width
    return np.stack([np.histogram(cells.spike_time - on - 50.0, edges)[0] for on, _ in windows])


def _rhythm(cells: Recording, windows: np.ndarray) -> float:
    """Frequency of the highest peak of the mean spectrum, if it stands out fivefold from the spectrum's median."""
    counts = _counts(cells, windows, 1.0)
    size = 512
    signal = (counts - counts.mean(1, keepdims=True)) * np.hanning(counts.shape[1])
    power = (np.abs(np.fft.rfft(signal, size, axis=1)) ** 2).mean(0)
    frequency = np.fft.rfftfreq(size, 0.001)
    inside = (frequency >= 10) & (frequency <= 250)
    best = int(np.argmax(np.where(inside, power, 0.0)))
    typical = np.median(power[inside])
    return float(frequency[best]) if typical > 0 and power[best] > 5 * typical else float("nan")
