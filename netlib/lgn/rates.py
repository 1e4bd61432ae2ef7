"""Firing rates of orientation channels: from a protocol alone, with contrast, at other orientations, and as spikes.

:func:`von_mises_rates` is an idealised LGN, which needs no movie; :class:`netlib.lgn.frontend.LGN` sees one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.fields import Declared, number
from netlib.base.orientation import preferred_orientations, von_mises
from netlib.stimuli.protocol import Protocol

__all__ = ["ChannelRates", "ContrastResponse", "poisson_spikes", "von_mises_rates"]


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


def poisson_spikes(rates: ArrayLike, dt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw spikes from independent Poisson processes, exactly.

    The expected counts of all (cell, bin) pairs are laid end to end; a Poisson number of points, uniform on
    that line, falls into the bins. This is time rescaling backwards (Brown et al. 2002, Neural Comput
    14:325), exact for rates that are constant within a bin, and its cost grows with the spikes.

    Parameters
    ----------
    rates : array_like (n_cells, n_bins)
        Rates (Hz).
    dt : float
        Length of a bin (ms).
    rng : numpy.random.Generator
        Source of randomness (:func:`netlib.base.seeds.stream`).

    Returns
    -------
    index : ndarray (n_spikes,) int32
        Cell of each spike.
    time : ndarray (n_spikes,) float64
        Time of each spike (ms), in [0, n_bins * dt). Sorted by time, then by cell.

    Raises
    ------
    ValueError
        If a rate is negative or not finite, or ``dt`` is not positive.

    Examples
    --------
    >>> index, time = poisson_spikes([[0.0, 100.0], [50.0, 50.0]], 5000.0, np.random.default_rng(1))
    >>> np.bincount(index).tolist(), bool(time[index == 0].min() > 5000.0)
    ([507, 494], True)
    """
    rates = check_array("rates", rates, "Hz", 0, ndim=2)
    dt = check_number("dt", dt, "ms", 0, low_open=True)
    check_type("rng", rng, np.random.Generator)
    n_bins = rates.shape[1]
    expected = rates.ravel() * (dt * 1e-3)
    upper = np.cumsum(expected)
    if upper[-1] == 0:
        return np.empty(0, np.int32), np.empty(0)
    place = rng.random(rng.poisson(upper[-1])) * upper[-1]
    place = np.minimum(place, np.nextafter(upper[-1], 0))
    slot = np.searchsorted(upper, place, side="right")  # never a bin of rate 0
    within = np.clip(1 - (upper[slot] - place) / expected[slot], 0, 1)
    index, bins = np.divmod(slot, n_bins)
    time = np.minimum((bins + within) * dt, np.nextafter((bins + 1) * dt, 0))
    order = np.lexsort((index, time))
    return index[order].astype(np.int32), time[order]


@dataclass(frozen=True)
class ContrastResponse(Declared):
    """Contrast response ``R(c) = c^n (1 + c50^n) / (c^n + c50^n)``, scaled to 1 at full contrast.

    With ``n = 1`` this is the contrast gain control of LGN cells in Bonin, Mante & Carandini (2005,
    J Neurosci 25:10844): a linear response divided by ``c50 + c``, where ``c`` is the local
    root-mean-square contrast. The general form is that of Sclar, Maunsell & Lennie (1990, Vision Res
    30:1). The default ``c50`` of 0.3 is our choice: it makes the response at 30 % contrast 65 % of the
    response at full contrast.

    Parameters
    ----------
    c50 : float
        Semi-saturation contrast, in (0, inf]; ``inf`` switches the saturation off, ``R(c) = c^n``.
    exponent : float
        ``n``, in [1, 10].

    Examples
    --------
    >>> response = ContrastResponse(c50=0.25)
    >>> float(response(1.0)), float(response(0.25))
    (1.0, 0.625)
    """

    c50: float = number(0.3, "", 0, low_open=True, finite=False)
    exponent: float = number(1.0, "", 1, 10)

    def gain(self, contrast: ArrayLike) -> np.ndarray:
        """Gain ``R(c) / c`` at a contrast: what a response linear in contrast is multiplied by."""
        contrast = np.asarray(contrast)
        q = self.c50**self.exponent
        power = contrast ** (self.exponent - 1)
        if np.isinf(q):
            return power
        return (1 + q) * power / (power * contrast + q)

    def __call__(self, contrast: ArrayLike) -> np.ndarray:
        """Response ``R(c)``, 0 at no contrast and 1 at full contrast."""
        return np.asarray(contrast) * self.gain(contrast)


def von_mises_rates(
    protocol: Protocol,
    n_channels: int = 60,
    peak: float = 20.0,
    pedestal: float = 0.2,
    B_theta: float | None = 15.0,
    dt: float = 1.0,
    contrast_response: ContrastResponse | None = None,
) -> ChannelRates:
    """Rates of channels whose tuning to the orientation on screen is a von Mises profile.

    While orientation theta is shown at contrast c, channel i fires at
    ``peak * [(1 - pedestal) R(c) f(theta_i - theta) + pedestal]`` with f the profile of
    :func:`netlib.base.orientation.von_mises`; in the gaps at ``peak * pedestal``. At full contrast the defaults
    are the standard drive of the ring (peak 20 Hz, floor 4 Hz, ring mean 7.5 Hz).

    Parameters
    ----------
    protocol : Protocol
        What is shown when.
    n_channels : int
        Number of channels, spread evenly over 180 degrees.
    peak : float
        Rate of the best channel at full contrast (Hz).
    pedestal : float
        Untuned part, as a fraction of ``peak`` in [0, 1]; contrast does not change it.
    B_theta : float or None
        Bandwidth of the drive (degrees), ``inf`` for a flat profile. None takes the ``B_theta`` of each
        presentation.
    dt : float
        Length of a time bin (ms). A bin that a presentation covers in part gets the time average.
    contrast_response : ContrastResponse, optional
        ``R(c)``; linear, ``R(c) = c``, if None.

    Raises
    ------
    ValueError
        If a parameter is out of range, or a presentation of contrast above 0 has no orientation (or, with
        ``B_theta=None``, no bandwidth above 0).

    Examples
    --------
    >>> from netlib.stimuli import Grating
    >>> protocol = Protocol.sequence([Grating(theta=90.0)], duration=300.0, lead=100.0)
    >>> rates = von_mises_rates(protocol, n_channels=4)
    >>> rates.mean(0, 100).round(1).tolist(), rates.mean(100, 400).round(1).tolist()
    ([4.0, 4.0, 4.0, 4.0], [4.0, 4.4, 20.0, 4.4])
    """
    check_type("protocol", protocol, Protocol)
    n_channels = check_integer("n_channels", n_channels, 2, unit="channels")
    peak = check_number("peak", peak, "Hz", 0)
    pedestal = check_number("pedestal", pedestal, "(fraction of peak)", 0, 1)
    dt = check_number("dt", dt, "ms", 0, low_open=True)
    preferred = preferred_orientations(n_channels)
    tuned = peak * (1 - pedestal) * _profiles(protocol, preferred, B_theta, contrast_response)
    rates = np.full((n_channels, int(np.ceil(protocol.duration / dt - 1e-9))), peak * pedestal)
    for profile, (onset, offset) in zip(tuned, protocol.windows(), strict=True):
        first, last = int(onset / dt), int(np.ceil(offset / dt - 1e-9))
        edges = np.arange(first, last + 1) * dt
        covered = np.minimum(edges[1:], offset) - np.maximum(edges[:-1], onset)
        rates[:, first:last] += profile[:, None] * (np.clip(covered, 0, dt) / dt)
    return ChannelRates(rates, dt, preferred)


def _profiles(
    protocol: Protocol, preferred: np.ndarray, B_theta: float | None, contrast_response: ContrastResponse | None
) -> np.ndarray:
    """Tuned part of the rates, per presentation and channel, in [0, 1]."""
    table = protocol.table
    theta, contrast = (table[name].to_numpy(float) for name in ("orientation", "contrast"))
    if B_theta is None:
        widths = table["B_theta"].to_numpy(float)
    else:
        B_theta = check_number("B_theta", B_theta, "deg", 0, low_open=True, finite=False)
        widths = np.full(theta.size, B_theta)
    shown = contrast > 0
    for name, bad in (("orientation", np.isnan(theta)), ("B_theta", ~(widths > 0))):
        if (bad & shown).any():
            row = int(np.argmax(bad & shown))
            value = table[name].iloc[row]
            raise ValueError(
                f"{name} = {value} deg of presentation {row} ({table['stimulus'].iloc[row]}) cannot drive a von Mises "
                f"profile: it must be {'an angle in [0, 180)' if name == 'orientation' else 'in (0, inf]'} deg"
            )
    level = contrast if contrast_response is None else contrast_response(contrast)
    profile = np.zeros((theta.size, preferred.size))
    profile[shown] = level[shown, None] * von_mises(preferred, theta[shown, None], widths[shown, None])
    return profile
