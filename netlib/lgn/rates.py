"""Firing rates of orientation channels through time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from netlib.units import check_array, check_number

__all__ = ["ChannelRates"]


@dataclass(frozen=True, eq=False)
class ChannelRates:
    """Rates of orientation channels, constant within each time bin.

    Attributes
    ----------
    rates : ndarray (n_channels, n_bins)
        Rates (Hz), 0 or more.
    dt : float
        Length of a bin (ms).
    orientations : ndarray (n_channels,)
        Preferred orientation of each channel (degrees, wrapped to [0, 180)).

    Raises
    ------
    ValueError
        If a rate is negative or not finite, ``dt`` is not positive, or the sizes disagree.

    Examples
    --------
    >>> rates = ChannelRates(np.array([[20.0, 20.0], [4.0, 8.0]]), 10.0, np.array([0.0, 90.0]))
    >>> rates, rates.mean(start=10.0).tolist(), rates.at([45.0]).rates.round(2).tolist()
    (ChannelRates(2 channels, 2 bins of 10 ms, mean 13 Hz), [20.0, 8.0], [[12.0, 14.0]])
    """

    rates: np.ndarray
    dt: float
    orientations: np.ndarray

    def __post_init__(self) -> None:
        rates = check_array("rates", self.rates, "Hz", 0, ndim=2)
        dt = check_number("dt", self.dt, "ms", 0, low_open=True)
        orientations = check_array("orientations", self.orientations, "deg", -360, 360, ndim=1) % 180.0
        if orientations.size != len(rates):
            raise ValueError(
                f"orientations holds {orientations.size} values: it must hold one per channel, {len(rates)}"
            )
        for name, value in (("rates", rates), ("dt", dt), ("orientations", orientations)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        n_channels, n_bins = self.rates.shape
        return f"ChannelRates({n_channels} channels, {n_bins} bins of {self.dt:g} ms, mean {self.rates.mean():.3g} Hz)"

    @property
    def duration(self) -> float:
        """Length (ms)."""
        return self.rates.shape[1] * self.dt

    @property
    def times(self) -> np.ndarray:
        """Middle of each bin (ms)."""
        return (np.arange(self.rates.shape[1]) + 0.5) * self.dt

    def mean(self, start: float = 0.0, stop: float | None = None) -> np.ndarray:
        """Mean rate (Hz) of each channel over the bins whose middle lies in [start, stop) ms.

        Raises
        ------
        ValueError
            If no bin lies there.
        """
        inside = (self.times >= start) & (self.times < (np.inf if stop is None else stop))
        if not inside.any():
            raise ValueError(
                f"start = {start:g} ms, stop = {stop} ms hold no bin: they must lie in [0, {self.duration:g}] ms"
            )
        return self.rates[:, inside].mean(axis=1)

    def at(self, orientations: ArrayLike) -> ChannelRates:
        """Rates of cells that prefer other orientations, interpolated around the circle of 180 degrees.

        A periodic cubic spline passes through every channel and rounds the peak between channels, where
        straight lines would cut it. What it undershoots below 0 is set to 0.

        Parameters
        ----------
        orientations : array_like (n_cells,)
            Preferred orientations wanted (degrees), any number, in any order.

        Raises
        ------
        ValueError
            If there are fewer than 2 channels, or two of them prefer the same orientation.
        """
        wanted = check_array("orientations", np.atleast_1d(orientations), "deg", -360, 360, ndim=1) % 180.0
        order = np.argsort(self.orientations)
        knots = self.orientations[order]
        if knots.size < 2 or (np.diff(knots) < 1e-9).any():
            raise ValueError(f"orientations = {knots} deg cannot be interpolated: they must be 2 or more, all distinct")
        knots = np.append(knots, knots[0] + 180.0)
        identity = np.eye(order.size)[:, np.argsort(order)]  # row k: the channel that knot k is
        weights = CubicSpline(knots, np.vstack([identity, identity[:1]]), bc_type="periodic")(
            knots[0] + (wanted - knots[0]) % 180.0
        )
        return ChannelRates(np.maximum(weights @ self.rates, 0.0), self.dt, wanted)
