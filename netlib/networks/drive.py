"""What drives the input cells: spikes drawn once in NumPy and played to any simulator ("frozen" drive)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.orientation import preferred_orientations
from netlib.base.seeds import stream
from netlib.lgn.rates import ChannelRates, poisson_spikes, von_mises_rates
from netlib.networks.parameters import RingParameters
from netlib.stimuli.protocol import Protocol

__all__ = ["SpikeDrive", "input_rates", "rate_drive"]


@dataclass(frozen=True, eq=False)
class SpikeDrive:
    """Spikes of the input cells.

    Attributes
    ----------
    index : ndarray of int, shape (n_spikes,)
        Input cell of each spike.
    time : ndarray, shape (n_spikes,)
        Time of each spike (ms), in order.
    n_cells : int
        Number of input cells.
    duration : float
        Length (ms).

    Examples
    --------
    >>> drive = SpikeDrive(np.array([0, 1, 0]), np.array([1.02, 5.0, 9.5]), n_cells=2, duration=10.0)
    >>> [times.tolist() for times in drive.by_cell()], drive.on_grid(0.1, 0.2).time.round(1).tolist()
    ([[1.02, 9.5], [5.0]], [1.1, 5.0, 9.5])
    >>> drive.between(4.0, 10.0).time.tolist()
    [1.0, 5.5]
    """

    index: np.ndarray
    time: np.ndarray
    n_cells: int
    duration: float

    def __post_init__(self) -> None:
        check_integer("n_cells", self.n_cells, 1, unit="cells")
        check_number("duration", self.duration, "ms", 0, low_open=True)
        if len(self.index) != len(self.time):
            raise ValueError(
                f"index has {len(self.index)} values and time {len(self.time)}: each spike needs one of both"
            )
        if len(self.time):
            check_array("index", self.index, "", 0, self.n_cells - 1, ndim=1)
            check_array("time", self.time, "ms", 0, self.duration, ndim=1)

    def on_grid(self, timestep: float, first: float) -> SpikeDrive:
        """The same spikes moved to the end of their time step, at most one per cell and step.

        Spikes before ``first`` (ms; what a simulator needs to deliver its first spike) are left out, and
        so are those after the last step. A second spike of a cell within a step is left out too: at 100 Hz
        and 0.1 ms that is one spike in 200.
        """
        step = np.ceil(np.asarray(self.time) / timestep - 1e-9).astype(np.int64)
        last = int(np.floor(self.duration / timestep + 1e-9))
        keep = (step >= np.ceil(first / timestep - 1e-9)) & (step <= last)
        pairs = np.unique(np.stack([step[keep], np.asarray(self.index, np.int64)[keep]]), axis=1)
        return SpikeDrive(pairs[1].astype(np.int32), pairs[0] * timestep, self.n_cells, self.duration)

    def between(self, start: float, stop: float) -> SpikeDrive:
        """The spikes in ``(start, stop]`` (ms); ``start`` becomes time 0."""
        check_number("start", start, "ms", 0)
        check_number("stop", stop, "ms", start, low_open=True)
        inside = (self.time > start) & (self.time <= stop) if start else self.time <= stop
        return SpikeDrive(self.index[inside], self.time[inside] - start, self.n_cells, stop - start)

    def by_cell(self) -> list[np.ndarray]:
        """Spike times (ms) of each cell, a list of ``n_cells`` arrays."""
        order = np.lexsort((self.time, self.index))
        edges = np.searchsorted(np.asarray(self.index)[order], np.arange(1, self.n_cells))
        return np.split(np.asarray(self.time)[order], edges)


def input_rates(parameters: RingParameters, protocol: Protocol, dt: float = 1.0) -> ChannelRates:
    """Rates of the input cells that the preset's own tuning gives for a protocol (no movie).

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> from netlib.stimuli import Grating
    >>> input_rates(preset("v1"), Protocol.sequence([Grating(theta=90.0)], duration=300.0))
    ChannelRates(1024 channels, 300 bins of 1 ms, mean 19 Hz)
    """
    tuning = parameters.input_tuning
    return von_mises_rates(
        protocol,
        n_channels=parameters.n_input,
        peak=tuning.peak,
        pedestal=tuning.pedestal,
        B_theta=tuning.B_theta,
        dt=dt,
        contrast_response=tuning.contrast_response,
    )


def rate_drive(rates: ChannelRates, n_cells: int, seed: int) -> SpikeDrive:
    """Draw Poisson spikes for ``n_cells`` input cells from orientation channels.

    Cell i prefers 180 i / n_cells degrees and fires at the rate interpolated between channels.

    Parameters
    ----------
    rates : ChannelRates
        Rates of the channels (Hz).
    n_cells : int
        Number of input cells.
    seed : int
        Master seed; the stream is called ``"drive"``.

    Examples
    --------
    >>> rates = ChannelRates(np.full((4, 1), 20.0), 1000.0, preferred_orientations(4))
    >>> drive = rate_drive(rates, n_cells=100, seed=1)
    >>> drive.n_cells, len(drive.time), drive.duration
    (100, 1990, 1000.0)
    """
    cells = rates if len(rates.orientations) == n_cells else rates.at(preferred_orientations(n_cells))
    index, time = poisson_spikes(cells.rates, cells.dt, stream(seed, "drive"))
    return SpikeDrive(index, time, n_cells, cells.duration)
