"""A two-photon microscope over a recording: spikes to fluorescence with its noises, then to dF/F."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_choice, check_type
from netlib.base.fields import Declared, number
from netlib.base.provenance import jsonable
from netlib.base.seeds import stream
from netlib.calcium.baselines import MEDIAN_STEP, dff
from netlib.calcium.indicators import Indicator, calcium_trace, indicator
from netlib.recordings.recording import Recording, Trace

__all__ = ["Microscope", "image"]


@dataclass(frozen=True)
class Microscope(Declared):
    """How the fluorescence is seen. Cells have a resting fluorescence of 1.

    Attributes
    ----------
    frame_rate : float
        Frames per second (Hz).
    noise : float
        Noise level of the dF/F of a resting cell in the standard unit, % Hz^-1/2 (see :func:`noise_level`);
        good two-photon recordings have 1, poor ones 8.
    shot_share : float
        Share of the noise variance at rest that is photon noise, which grows as the fluorescence does; the rest of
        it is constant.
    neuropil : float
        Neuropil fluorescence within a cell's outline, as a share of the neuropil's own.
    neuropil_time : float
        Time constant of the neuropil (ms): it follows the mean dF/F of the imaged cells with this delay, plus
        fluctuations with this correlation time.
    neuropil_sd : float
        Standard deviation of those fluctuations (dF/F of the neuropil).
    bleaching : float
        Time constant of bleaching (min), infinite for none.
    drift : float
        Slow change of the baseline: standard deviation of its random walk after one minute (share of F0).
    exposure : float
        Share of the frame interval over which a frame is averaged, 0 to 1.

    Examples
    --------
    >>> round(Microscope(frame_rate=30.0, noise=2.0).noise_sd, 3), Microscope(frame_rate=25.0).dt
    (0.115, 40.0)
    """

    frame_rate: float = number(30.0, "Hz", 0, 10_000, low_open=True)
    noise: float = number(1.0, "% Hz^-1/2", 0)
    shot_share: float = number(0.8, "", 0, 1)
    neuropil: float = number(0.5, "", 0)
    neuropil_time: float = number(1000.0, "ms", 0, low_open=True)
    neuropil_sd: float = number(0.05, "dF/F", 0)
    bleaching: float = number(math.inf, "min", 0, low_open=True, finite=False)
    drift: float = number(0.01, "min^-1/2", 0)
    exposure: float = number(1.0, "of a frame", 0, 1)

    @property
    def dt(self) -> float:
        """Frame interval (ms)."""
        return 1000.0 / self.frame_rate

    @property
    def noise_sd(self) -> float:
        """Standard deviation of one frame's noise (dF/F) of a resting cell."""
        return self.noise / 100.0 * math.sqrt(self.frame_rate) / MEDIAN_STEP


def image(
    recording: Recording,
    indicator: Indicator | str = "GCaMP6f",
    microscope: Microscope | None = None,
    seed: int = 0,
    *,
    populations: Sequence[str] | None = None,
    window: float = 60_000.0,
    percentile: float = 20.0,
) -> Recording:
    """Image cells of a recording: adds the traces ``fluorescence``, ``neuropil`` and ``dff``.

    fluorescence = (1 + dF/F + neuropil share · neuropil) · bleaching · drift + noise, ``neuropil`` being what a
    region around the cell shows; ``dff`` is made as from a real movie, by :func:`dff` of the two, with the true share.
    Frame k is taken at k / frame rate.

    Parameters
    ----------
    recording : Recording
        Its spikes are used as they are; traces, protocol and weights are kept.
    indicator : Indicator or str
        What the cells express.
    microscope : Microscope, optional
        By default ``Microscope()``.
    seed : int
        Master seed; the noise of a cell depends on it and on the cell's row, not on who else is imaged.
    populations : sequence of str, optional
        Populations to image; by default all but ``"input"``.
    window, percentile : float
        Baseline of ``dff`` (ms, %).

    Raises
    ------
    ValueError
        If a population is unknown or empty, or the recording lasts less than two frames.

    Examples
    --------
    >>> from netlib.calcium.ground_truth import JointRecording
    >>> cell = JointRecording("one", np.arange(300) * 40.0, np.zeros(300), np.array([2000.0])).recording()
    >>> trace = image(cell, "GCaMP6s", Microscope(frame_rate=25.0, noise=0.5), seed=1).traces["dff"]
    >>> trace.values.shape, bool(2000 < trace.times[trace.values[0].argmax()] < 2500)
    ((1, 300), True)
    """
    check_type("recording", recording, Recording)
    optics = check_type("microscope", Microscope() if microscope is None else microscope, Microscope)
    preset = _preset(indicator)
    chosen = [name for name in recording.populations if name != "input"] if populations is None else list(populations)
    for name in chosen:
        check_choice("populations", name, recording.populations)
    rows = np.flatnonzero(recording.neurons["population"].isin(chosen))
    if not len(rows):
        raise ValueError(f"populations = {chosen!r} has no cell to image")
    n_frames = math.ceil(recording.duration / optics.dt - 1e-9)
    if n_frames < 2:
        raise ValueError(f"recording lasts {recording.duration:g} ms: it must last two frames, {2 * optics.dt:g} ms")
    signal = _signal(recording, rows, preset, optics)
    neuropil = _neuropil(signal.mean(axis=0), optics, seed)
    fluorescence = np.empty(signal.shape, np.float32)
    background = np.empty(signal.shape, np.float32)
    for k, row in enumerate(rows):
        fluorescence[k], background[k] = _see(signal[k], neuropil, optics, stream(seed, "imaging", int(row)))
    values = dff(
        fluorescence, optics.frame_rate, window, percentile, neuropil=background, contamination=optics.neuropil
    ).astype(np.float32)
    facts = {"indicator": preset, "microscope": optics, "seed": int(seed), "populations": chosen}
    facts |= {"dff": {"window": window, "percentile": percentile}}
    added = {"fluorescence": (fluorescence, "F0"), "neuropil": (background, "F0"), "dff": (values, "dF/F")}
    return dataclasses.replace(
        recording,
        traces=recording.traces | {name: Trace(v, rows, optics.dt, unit) for name, (v, unit) in added.items()},
        provenance=recording.provenance | {"imaging": jsonable(facts)},
    )


_preset = indicator


def _signal(recording: Recording, rows: np.ndarray, preset: Indicator, optics: Microscope) -> np.ndarray:
    order = np.argsort(recording.spike_index, kind="stable")
    edges = np.searchsorted(recording.spike_index[order], np.stack([rows, rows + 1]))
    spikes = [recording.spike_time[order[a:b]] for a, b in edges.T]
    return calcium_trace(
        spikes,
        rate=optics.frame_rate,
        duration=recording.duration,
        indicator=preset,
        exposure=optics.exposure * optics.dt,
    )


def _neuropil(mean: np.ndarray, optics: Microscope, seed: int) -> np.ndarray:
    """Fluorescence of the neuropil at rest 1: the low-passed mean of the cells, plus slow noise (an AR(1) process)."""
    from scipy.signal import lfilter

    keep = math.exp(-optics.dt / optics.neuropil_time)
    kicks = stream(seed, "imaging", "neuropil").standard_normal(len(mean))
    kicks[1:] *= math.sqrt(1.0 - keep**2)
    slow = lfilter([1.0 - keep], [1.0, -keep], mean)
    return np.maximum(1.0 + slow + optics.neuropil_sd * lfilter([1.0], [1.0, -keep], kicks), 0.0)


def _see(
    signal: np.ndarray, neuropil: np.ndarray, optics: Microscope, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Fluorescence of one cell and of the region around it, which is large and so free of noise."""
    minutes = np.arange(len(signal)) * optics.dt / 60_000.0
    walk = np.cumsum(rng.standard_normal(len(signal))) * optics.drift * math.sqrt(optics.dt / 60_000.0)
    slow = np.exp(walk - walk[0] - minutes / optics.bleaching)
    light = (1.0 + signal + optics.neuropil * neuropil) * slow
    variance = 1.0 - optics.shot_share + optics.shot_share * light / (1.0 + optics.neuropil)
    noise = rng.standard_normal(len(signal)) * optics.noise_sd * np.sqrt(variance)
    return light + noise, neuropil * slow
