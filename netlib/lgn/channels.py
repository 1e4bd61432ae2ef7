"""Log-Gabor receptive fields that pool ON and OFF cells into orientation channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import ifft2, ifftshift, next_fast_len

from netlib.base.checks import check_integer, check_number, check_orientation
from netlib.base.orientation import preferred_orientations

__all__ = [
    "ReceptiveFields",
    "centres",
    "check_channels",
    "log_gabor",
    "log_gabor_envelope",
    "minimum_size",
    "pool",
    "reach",
    "receptive_fields",
]


def check_channels(n_orientations: int, sf_0: float, B_sf: float, B_theta: float, n_positions: int) -> None:
    """Check the parameters of a bank of channels (see :func:`receptive_fields`).

    Raises
    ------
    ValueError
        If one is out of range.

    Examples
    --------
    >>> check_channels(12, 0.1, 0.05, 15.0, 1)
    >>> check_channels(12, 0.6, 0.05, 15.0, 1)
    Traceback (most recent call last):
    ...
    ValueError: sf_0 = 0.6 cycles/px is out of range: it must be in [0.01, 0.35] cycles/px
    """
    check_integer("n_orientations", n_orientations, 2, 720, unit="channels")
    check_number("sf_0", sf_0, "cycles/px", 0.01, 0.35)
    check_number("B_sf", B_sf, "cycles/px", 0, sf_0 * 3, low_open=True)
    check_number("B_theta", B_theta, "deg", 2, 60)
    check_integer("n_positions", n_positions, 1, 32, unit="positions per axis")


def log_gabor_envelope(
    f_col: np.ndarray, f_row: np.ndarray, sf_0: float, B_sf: float, theta: float, B_theta: float
) -> np.ndarray:
    """Log-Gabor envelope in the Fourier plane, 1 at its peak.

    ``exp{-ln(f / sf_0)^2 / (2 ln(1 + B_sf / sf_0)^2)} exp{(cos d - 1) / B^2}`` with d the angle to the
    preferred frequency vector and B in radians (Fischer et al. 2007, Int J Comput Vis 75:231; the single
    bump is the LogGabor package's). One bump only: its inverse transform is complex, the real and imaginary
    parts being an even and an odd receptive field.

    Parameters
    ----------
    f_col, f_row : ndarray
        Spatial frequency along columns (rightward) and rows (downward), cycles/px; they broadcast.
    sf_0, B_sf : float
        Preferred spatial frequency and its bandwidth (cycles/px).
    theta : float
        Orientation of the contours (degrees).
    B_theta : float
        Bandwidth (degrees): small-angle standard deviation.

    Examples
    --------
    >>> f = np.array([0.05, 0.1, 0.2])  # horizontal bars modulate luminance down the rows
    >>> log_gabor_envelope(0.0, f, 0.1, 0.05, 0.0, 15.0).round(2).tolist()
    [0.23, 1.0, 0.23]
    """
    angle = np.radians(90.0 - theta)  # frequency vector: at right angles to the contour, rows pointing down
    f = np.hypot(f_col, f_row)
    with np.errstate(divide="ignore"):
        radial = np.exp(-(np.log(f / sf_0) ** 2) / (2 * np.log1p(B_sf / sf_0) ** 2))
    return radial * np.exp((np.cos(np.arctan2(f_row, f_col) - angle) - 1) / np.radians(B_theta) ** 2)


def log_gabor(
    size: int, sf_0: float = 0.1, B_sf: float = 0.05, theta: float = 0.0, B_theta: float = 15.0
) -> np.ndarray:
    """Complex log-Gabor receptive field centred on the middle of a patch.

    Parameters
    ----------
    size : int
        Side of the patch (px, odd: the centre is pixel ``size // 2``).
    sf_0, B_sf : float
        Preferred spatial frequency and its bandwidth (cycles/px).
    theta, B_theta : float
        Orientation of the contours and bandwidth (degrees).

    Returns
    -------
    ndarray (size, size) complex
        Real part even, imaginary part odd; the inner product with a full-contrast grating of frequency
        ``sf_0`` and orientation ``theta`` has modulus 1 whatever its phase.

    Examples
    --------
    >>> field = log_gabor(41, sf_0=0.1, theta=90.0)
    >>> grating = np.cos(2 * np.pi * 0.1 * (np.arange(41) - 20) + 0.7) * np.ones((41, 1))
    >>> round(float(abs((field * grating).sum())), 2)
    1.0
    """
    check_channels(2, sf_0, B_sf, B_theta, 1)
    theta = check_orientation("theta", theta)
    size = check_integer("size", size, 3, unit="px")
    # A wide period, so that the receptive field does not fold over onto itself.
    period = next_fast_len(2 * max(size, int(np.ceil(8 / sf_0))))
    f = np.fft.fftfreq(period)
    field = ifftshift(ifft2(log_gabor_envelope(f[None, :], f[:, None], sf_0, B_sf, theta, B_theta)))
    middle, half = period - period // 2, size // 2
    field = field[middle - half : middle - half + size, middle - half : middle - half + size]
    x = np.arange(size) - half
    wave = np.outer(
        np.exp(-2j * np.pi * sf_0 * np.cos(np.radians(theta)) * x),
        np.exp(-2j * np.pi * sf_0 * np.sin(np.radians(theta)) * x),
    )
    return 2 * field / abs((field * wave).sum())


def minimum_size(sf_0: float) -> int:
    """Smallest side (px) of a movie that channels of spatial frequency ``sf_0`` (cycles/px) can see: 2.5 periods.

    Examples
    --------
    >>> minimum_size(0.1)
    25
    """
    return int(np.ceil(2.5 / sf_0))


def centres(size: int, n_positions: int, sf_0: float) -> np.ndarray:
    """Centres (px) of the receptive fields along one axis, 1.25 periods or more from the border.

    Examples
    --------
    >>> centres(64, 3, 0.1).tolist()
    [12, 32, 51]
    """
    margin = 1.25 / sf_0 - 0.5
    if n_positions == 1:
        return np.array([size // 2])
    return np.round(np.linspace(margin, size - 1 - margin, n_positions)).astype(int)


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """Receptive fields of all channels at one position of the screen.

    Attributes
    ----------
    rows, columns : slice
        The patch of the screen they see.
    fields : ndarray (2 * n_orientations, n_pixels) float32
        Even phase of every channel, then odd phase.

    Examples
    --------
    >>> here = receptive_fields(32, 32, 12, 0.1, 0.05, 15.0, 1)[0]
    >>> here.fields.shape[0], here.rows, here.columns
    (24, slice(0, 32, None), slice(0, 32, None))
    """

    rows: slice
    columns: slice
    fields: np.ndarray


def reach(sf_0: float, B_sf: float, B_theta: float) -> int:
    """Half-width (px) of the patch a receptive field sees: four standard deviations of its longer axis.

    Examples
    --------
    >>> reach(0.1, 0.05, 15.0), reach(0.1, 0.05, 5.0)
    (25, 73)
    """
    bandwidth = sf_0 * min(np.log1p(B_sf / sf_0), np.radians(B_theta))
    return int(np.ceil(4 / (2 * np.pi * bandwidth)))


@lru_cache(maxsize=8)
def receptive_fields(
    height: int, width: int, n_orientations: int, sf_0: float, B_sf: float, B_theta: float, n_positions: int
) -> tuple[ReceptiveFields, ...]:
    """Receptive fields of all channels, position by position; kept for the next call.

    Parameters
    ----------
    height, width : int
        Size of the movie (px). A patch that leaves the screen is cut at its border.
    n_orientations : int
        Number of channels; channel i prefers ``180 i / n_orientations`` degrees.
    sf_0, B_sf : float
        Preferred spatial frequency and its bandwidth (cycles/px).
    B_theta : float
        Bandwidth in orientation (degrees).
    n_positions : int
        Receptive fields along each axis, on a regular grid.

    Raises
    ------
    ValueError
        If the movie is smaller than two and a half periods of ``sf_0``.

    Examples
    --------
    >>> positions = receptive_fields(40, 40, 6, 0.1, 0.05, 15.0, 2)
    >>> len(positions), positions[0].fields.shape
    (4, (12, 1444))
    """
    check_channels(n_orientations, sf_0, B_sf, B_theta, n_positions)
    for name, side in (("height", height), ("width", width)):
        check_integer(f"movie {name}", side, minimum_size(sf_0), unit="px")
    half = min(reach(sf_0, B_sf, B_theta), max(height, width))
    bank = np.stack([log_gabor(2 * half + 1, sf_0, B_sf, t, B_theta) for t in preferred_orientations(n_orientations)])
    bank = np.concatenate([bank.real, bank.imag]).astype(np.float32)
    positions = []
    for row in centres(height, n_positions, sf_0):
        for column in centres(width, n_positions, sf_0):
            rows = slice(max(0, row - half), min(height, row + half + 1))
            columns = slice(max(0, column - half), min(width, column + half + 1))
            part = bank[:, rows.start - row + half : rows.stop - row + half]
            part = part[:, :, columns.start - column + half : columns.stop - column + half]
            fields = part.reshape(len(bank), -1)
            fields.setflags(write=False)
            positions.append(ReceptiveFields(rows, columns, fields))
    return tuple(positions)


def pool(signed: np.ndarray, positions: tuple[ReceptiveFields, ...]) -> np.ndarray:
    """Response of every orientation channel to the signed LGN response, ON minus OFF.

    A subfield of one sign is excited by the cells of its sign and inhibited by the cells of the opposite sign
    (push-pull: Ferster 1988, J Neurosci 8:1172; Troyer et al. 1998, J Neurosci 18:5908). So a receptive
    field w takes the inner product ``sum w (ON - OFF)``. A channel holds half-rectified cells of all phases:
    their mean is the modulus of the (even, odd) pair over pi, here scaled to the modulus. It does not
    fluctuate while a grating drifts. The channel averages over positions.

    Parameters
    ----------
    signed : ndarray (n_bins, height, width)
        ON minus OFF.
    positions : tuple of ReceptiveFields
        As :func:`receptive_fields` makes them.

    Returns
    -------
    ndarray (n_orientations, n_bins) float32

    Examples
    --------
    >>> signed = np.tile(np.sin(2 * np.pi * 0.1 * np.arange(32)), (1, 32, 1))  # vertical bars
    >>> pool(signed, receptive_fields(32, 32, 4, 0.1, 0.05, 15.0, 1)).round(2)[:, 0].tolist()
    [0.0, 0.01, 1.0, 0.01]
    """
    total: np.ndarray | float = 0.0
    for here in positions:
        patch = signed[:, here.rows, here.columns].reshape(len(signed), -1)
        even, odd = np.split(here.fields @ patch.T, 2)
        total = total + np.hypot(even, odd)
    return np.asarray(total / len(positions))
