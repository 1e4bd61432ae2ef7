"""The threshold-linear ring of Ben-Yishai, Bar-Or & Sompolinsky (1995) and Hansel & Sompolinsky (1998).

Cell theta (orientation) has activity m(theta), with ``[x]+ = max(x, 0)`` and ``< >`` the mean over orientations::

    tau dm/dt = -m + [I]+
    I(theta)  = C (1 - eps + eps cos 2(theta - theta_0)) - T + J0 r0 + J2 r2 cos 2(theta - psi)
    r0 = <m>,    r2 exp(2i psi) = <m exp(2i theta)>

Only the cells within ``theta_c`` of the peak are active. I depends on m through r0 and r2 exp(2i psi) alone, and these
moments relax linearly, so that they form a closed system of three equations, solved here without any grid.
With ``I = A + B cos 2(theta - psi)`` and ``cos 2 theta_c = -A / B`` the drive of the moments is::

    <[I]+>                      = B / pi (sin 2 theta_c - 2 theta_c cos 2 theta_c)
    |<[I]+ exp(2i theta)>|      = B / pi (theta_c - sin(4 theta_c) / 4)

For J2 > 2 an untuned input makes a bump at any place ("marginal phase"), whose width J2 alone fixes:
``J2 / pi (theta_c - sin(4 theta_c) / 4) = 1``. For J2 < 2 the bump dies with the tuning of its input.

Sources: Ben-Yishai, Bar-Or & Sompolinsky 1995, PNAS 92:3844, doi:10.1073/pnas.92.9.3844; Hansel & Sompolinsky 1998,
in Koch & Segev (eds), Methods in Neuronal Modeling, 2nd ed., MIT Press, chapter 13.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from netlib.base.checks import check_array, check_number, check_type
from netlib.base.fields import Declared, number

__all__ = ["HanselSompolinsky", "OrderParameters", "theta_c", "virtual_rotation"]


def theta_c(J2: float) -> float:
    """Half width at base (deg) of the bump in the marginal phase, from ``J2 / pi (t - sin(4t) / 4) = 1``.

    Parameters
    ----------
    J2 : float
        Tuned part of the recurrence, at least 2.

    Examples
    --------
    >>> round(theta_c(4), 6)
    45.0
    """
    J2 = check_number("J2", J2, "", 2)
    return float(np.degrees(brentq(lambda t: t - np.sin(4 * t) / 4 - np.pi / J2, 0.0, np.pi / 2, xtol=1e-14)))


@dataclass(frozen=True, eq=False)
class OrderParameters:
    """What the ring does over time.

    Attributes
    ----------
    times : ndarray, shape (n_times,)
        ms.
    r0, r2 : ndarray, shape (n_times,)
        Mean activity and its tuned part.
    psi : ndarray, shape (n_times,)
        Orientation of the bump (deg), unwrapped; it means nothing where ``r2`` is 0.
    half_width : ndarray, shape (n_times,)
        Half width at base of the drive ``[I]+`` (deg), ``theta_c``: 90 where all cells are active, 0 where none is.

    Examples
    --------
    >>> path = HanselSompolinsky().steady_state(0.0)
    >>> round(float(path.half_width[-1]), 1), tuple(round(value, 2) for value in path.last)
    (34.9, (0.11, 0.1, 0.0))
    """

    times: np.ndarray
    r0: np.ndarray
    r2: np.ndarray
    psi: np.ndarray
    half_width: np.ndarray

    @property
    def last(self) -> tuple[float, float, float]:
        """``(r0, r2, psi)`` at the end, from which another run may start."""
        return float(self.r0[-1]), float(self.r2[-1]), float(self.psi[-1])


@dataclass(frozen=True)
class HanselSompolinsky(Declared):
    """Parameters of the ring; activities and inputs share one unit, that of the threshold.

    Attributes
    ----------
    J0, J2 : float
        Untuned and tuned parts of the recurrence; J0 < 1.
    contrast : float
        Strength of the input C, >= 0.
    tuning : float
        Tuned fraction of the input eps, in [0, 0.5].
    threshold : float
        T.
    tau : float
        Time constant (ms).

    Examples
    --------
    >>> r0, r2, psi = HanselSompolinsky().steady_state(30.0).last
    >>> round(r0, 2), round(r2, 2), round(psi, 1)
    (0.11, 0.1, 30.0)
    """

    J0: float = number(-10.0, "", None, 1, high_open=True)
    J2: float = number(6.0, "", 0)
    contrast: float = number(2.0, "", 0)
    tuning: float = number(0.05, "(fraction of the input)", 0, 0.5)
    threshold: float = number(1.0, "", 0)
    tau: float = number(10.0, "ms", 0, low_open=True)

    def input(self, theta: np.ndarray, orientation: float) -> np.ndarray:
        """Input less threshold at orientations ``theta`` (deg) while ``orientation`` (deg) is shown."""
        shape = 1 - self.tuning + self.tuning * np.cos(2 * np.radians(theta - orientation))
        return self.contrast * shape - self.threshold

    def recurrent_share(self, r2: float) -> float:
        """Share of the recurrence in the tuned drive, ``J2 r2 / (C eps + J2 r2)``, at a steady ``r2``.

        It equals ``J2 / pi (theta_c - sin(4 theta_c) / 4)``, what a small turn of the bump reproduces of itself: 1 in
        the marginal phase, 0 without recurrence.
        """
        own = self.J2 * check_number("r2", r2, "", 0)
        return own / (self.contrast * self.tuning + own) if own > 0 else 0.0

    def run(
        self,
        duration: float,
        orientation: float = 0.0,
        start: tuple[float, float, float] = (0.1, 0.05, 0.0),
        sampling: float | None = None,
    ) -> OrderParameters:
        """Integrate the three equations of the moments.

        Parameters
        ----------
        duration : float
            ms.
        orientation : float
            Shown orientation (deg).
        start : tuple of float
            ``r0``, ``r2`` and ``psi`` (deg) at time 0.
        sampling : float, optional
            Interval between samples (ms); by default tau / 20.

        Raises
        ------
        RuntimeError
            If activity grows without bound (too much recurrent excitation).
        """
        times = _times(duration, self.tau / 20 if sampling is None else sampling)
        r0, r2, psi = check_array("start", start, ndim=1)
        z = r2 * np.exp(2j * np.radians(psi))
        solution = solve_ivp(
            self._derivative,
            (0.0, times[-1]),
            (r0, z.real, z.imag),
            t_eval=times,
            args=(orientation,),
            method="LSODA",
            rtol=1e-9,
            atol=1e-12,
            events=_exploded,
        )
        if solution.status != 0:
            raise RuntimeError(f"activity grows without bound at J0 = {self.J0:g}, J2 = {self.J2:g}: lower J0 or J2")
        r0, vector = solution.y[0], solution.y[1] + 1j * solution.y[2]
        drive = [self._drive(a, z, orientation) for a, z in zip(r0, vector, strict=True)]
        width = np.degrees([_edge(A, abs(B)) for A, B in drive])
        psi = np.degrees(np.unwrap(np.angle(vector))) / 2
        return OrderParameters(times, r0, np.abs(vector), psi, width)

    def steady_state(
        self, orientation: float = 0.0, start: tuple[float, float, float] = (0.1, 0.05, 0.0), duration: float = 2000.0
    ) -> OrderParameters:
        """State after ``duration`` time constants (one sample).

        Raises
        ------
        RuntimeError
            If the moments still change by more than 1e-6 per time constant.
        """
        end = self.run(duration * self.tau, orientation, start, duration * self.tau)
        r0, r2, psi = end.last
        z = r2 * np.exp(2j * np.radians(psi))
        speed = np.abs(self._derivative(0.0, (r0, z.real, z.imag), orientation)).max() * self.tau
        if speed > 1e-6:
            raise RuntimeError(f"no steady state after {duration:g} time constants (change {speed:.1g} per tau)")
        cut = {f.name: getattr(end, f.name)[-1:] for f in dataclasses.fields(end)}
        return OrderParameters(**cut)

    def _drive(self, r0: float, z: complex, orientation: float) -> tuple[float, complex]:
        """A and B exp(2i psi) of the input current ``A + B cos 2(theta - psi)``."""
        A = self.contrast * (1 - self.tuning) - self.threshold + self.J0 * r0
        return A, self.contrast * self.tuning * np.exp(2j * np.radians(orientation)) + self.J2 * z

    def _derivative(self, _: float, state: tuple[float, float, float], orientation: float) -> list[float]:
        r0, x, y = state
        A, B = self._drive(r0, x + 1j * y, orientation)
        edge, size = _edge(A, abs(B)), abs(B)
        if edge >= np.pi / 2:
            mean, tuned = A, B / 2
        else:
            mean = size / np.pi * (np.sin(2 * edge) - 2 * edge * np.cos(2 * edge))
            tuned = B / np.pi * (edge - np.sin(4 * edge) / 4)
        return [(mean - r0) / self.tau, (tuned.real - x) / self.tau, (tuned.imag - y) / self.tau]


def _edge(A: float, size: float) -> float:
    """theta_c (rad) of the current ``A + size cos 2 theta``."""
    if abs(A) >= size:
        return np.pi / 2 if A > 0 else 0.0
    return float(np.arccos(-A / size) / 2)


def _exploded(_: float, state: np.ndarray, orientation: float) -> float:
    return 1e6 - state[0]


_exploded.terminal = True  # type: ignore[attr-defined]  # how solve_ivp is told to stop there


def _times(duration: float, sampling: float) -> np.ndarray:
    check_number("duration", duration, "ms", 0, low_open=True)
    check_number("sampling", sampling, "ms", 0, duration, low_open=True)
    return np.linspace(0.0, duration, round(duration / sampling) + 1)


def virtual_rotation(
    model: HanselSompolinsky, jump: float = 60.0, duration: float = 150.0
) -> tuple[dict[str, float], OrderParameters]:
    """Path of the bump after the shown orientation jumps, from the steady state at 0 degrees.

    In the marginal phase the bump turns through the orientations between, at a speed that grows with ``tuning``
    (Hansel & Sompolinsky 1998, section on "virtual rotation"); without recurrence it fades here and grows there.

    Parameters
    ----------
    model : HanselSompolinsky
        The ring.
    jump : float
        Change of orientation (deg), in (0, 90).
    duration : float
        Time watched after the jump, in time constants.

    Returns
    -------
    times : dict of float
        ``t50`` and ``t95`` (ms from the jump to 50 and 95 % of the way; NaN if not reached), ``peak_speed`` (deg/ms)
        and ``lowest_r2``, the smallest tuned activity on the way as a fraction of that at the start.
    path : OrderParameters

    Examples
    --------
    >>> times, path = virtual_rotation(HanselSompolinsky(tuning=0.1), jump=60.0, duration=60.0)
    >>> round(times["t50"]), round(times["t95"]), round(float(path.psi[-1]))
    (28, 114, 60)
    """
    check_type("model", model, HanselSompolinsky)
    jump = check_number("jump", jump, "deg", 0, 90, low_open=True, high_open=True)
    before = model.steady_state(0.0)
    path = model.run(duration * model.tau, jump, before.last, model.tau / 100)

    def reached(part: float) -> float:
        there = np.flatnonzero(path.psi >= part * jump)
        if not len(there):
            return np.nan
        way = slice(there[0] + 1)
        return float(np.interp(part * jump, path.psi[way], path.times[way]))

    speed = np.diff(path.psi) / np.diff(path.times)
    found = {"t50": reached(0.5), "t95": reached(0.95), "peak_speed": float(speed.max())}
    return found | {"lowest_r2": float(path.r2.min() / path.r2[0])}, path
