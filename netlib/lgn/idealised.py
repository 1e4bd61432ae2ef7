"""An idealised LGN: rates with von Mises tuning, straight from a protocol table."""

from __future__ import annotations

import numpy as np

from netlib.lgn.contrast import ContrastResponse
from netlib.lgn.rates import ChannelRates
from netlib.orientation import preferred_orientations, von_mises
from netlib.stimuli.protocol import Protocol
from netlib.units import check_integer, check_number, check_type

__all__ = ["von_mises_rates"]


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
    :func:`netlib.orientation.von_mises`; in the gaps at ``peak * pedestal``. At full contrast the defaults
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
