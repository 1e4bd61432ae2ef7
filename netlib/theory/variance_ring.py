"""The rate model published for the tuning of V1 to orientation variance (Ladret et al. 2023).

n units lie on a circle of angles x in [-pi, pi] (one turn for 180 degrees of orientation) and follow, step by step::

    V(t+1) = V(t) + dt/tau (-V(t) + J_lgn L(x - mu; kappa_in) + (K * r(t)) / 2)
    r(t+1) = round(alpha [V(t+1)]+, 4 decimals)
    K      = J_e P(x; kappa_e) - J_i P(x; kappa_i)

L is a von Mises ``exp(kappa cos x)`` scaled so that its minimum is 0 and its maximum 1, P the same divided by its sum,
and ``*`` a circular convolution. Model and values (alpha, tau, J, kappa) come from Quiroga, Morris & Krekelberg 2016,
Cell Rep 17:58, doi:10.1016/j.celrep.2016.08.089; the discrete form is that of the public notebook of Ladret, Cortes,
Ikan, Chavane, Casanova & Perrinet 2023, Commun Biol 6:667, doi:10.1038/s42003-023-05042-3 (``model/recurrent.ipynb``
of hugoladret/variance-processing-V1).

As published, the kernel is convolved with its centre at index n/2 instead of 0, on a grid that holds both -pi and pi:
what is meant for a unit's neighbours reaches those half a turn away (the orthogonal orientation). ``centred=True`` puts
the centre at distance 0, on a grid without the doubled end. With the published values the kernel, in either place, is
nowhere above 0, inhibition weakest at its centre and at the far side; with kappa_e well above kappa_i its centre
excites, and in a part of the published scan (kappa_e 7, kappa_i 0.35) the rates explode. The published circular
variance, too, differs from the usual one: :func:`published_cv`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.fields import Declared, integer, number

__all__ = ["VarianceRing", "published_cv", "scaled_von_mises"]


def scaled_von_mises(x: ArrayLike, mu: float, kappa: float) -> np.ndarray:
    """``exp(kappa cos(x - mu))`` over the angles ``x`` (rad), scaled to a minimum of 0 and a maximum of 1.

    Examples
    --------
    >>> scaled_von_mises([0.0, np.pi / 2, np.pi], 0.0, 1.0).round(3).tolist()
    [1.0, 0.269, 0.0]
    """
    check_number("kappa", kappa, "", 0, low_open=True)
    curve = np.exp(kappa * np.cos(check_array("x", x, "rad") - mu))
    return (curve - curve.min()) / (curve.max() - curve.min())


def published_cv(rates: ArrayLike) -> float:
    """Circular variance as the notebook has it: ``1 - |Re sum r exp(2ix) / sum r|``, x from -pi to pi inclusive.

    The usual measure on an angle that turns once is ``1 - |sum r exp(ix)| / sum r``: this one takes the second
    harmonic, its real part alone, and the axis of all cells for a curve measured over fewer angles.

    Examples
    --------
    >>> x = np.linspace(-np.pi, np.pi, 33)
    >>> [round(published_cv(np.exp(kappa * np.cos(x))), 2) for kappa in (1.0, 10.0)]
    [0.88, 0.19]
    """
    rates = check_array("rates", rates, "Hz", 0, ndim=1)
    x = np.linspace(-np.pi, np.pi, len(rates))
    return float(1 - abs(np.real(np.sum(rates * np.exp(2j * x)) / rates.sum()))) if rates.sum() > 0 else np.nan


@dataclass(frozen=True)
class VarianceRing(Declared):
    """Parameters of the model; the defaults are the published values.

    Attributes
    ----------
    n : int
        Units.
    tau, dt : float
        Time constant and time step (ms).
    alpha : float
        Gain (Hz/mV).
    J_lgn, J_e, J_i : float
        Weights of input, excitation and inhibition.
    kappa_e, kappa_i : float
        Concentrations of the recurrent kernels on the circle.
    centred : bool
        Put the kernel's centre at distance 0, on a grid without the doubled end; False is as published.
    rounded : bool
        Round rates to 4 decimals at each step, as published.

    Examples
    --------
    >>> rates = VarianceRing().run(mu=0.0, kappa=5.0)
    >>> rates.shape, round(float(rates[-1].max()), 1)
    ((150, 128), 99.7)
    """

    n: int = integer(128, 8, 100_000, "units")
    tau: float = number(10.8, "ms", 0, low_open=True)
    dt: float = number(1.0, "ms", 0, low_open=True)
    alpha: float = number(10.6, "Hz/mV", 0, low_open=True)
    J_lgn: float = number(9.57, "", 0)
    J_e: float = number(1.71, "", 0)
    J_i: float = number(2.0178, "", 0)
    kappa_e: float = number(1.59, "", 0, low_open=True)
    kappa_i: float = number(1.16, "", 0, low_open=True)
    centred: bool = False
    rounded: bool = True

    def check(self) -> None:
        check_number("dt", self.dt, "ms", 0, self.tau, low_open=True)

    @property
    def angles(self) -> np.ndarray:
        """Angle of each unit on the circle (rad), shape (n,); half of it is an orientation."""
        return np.linspace(-np.pi, np.pi, self.n, endpoint=not self.centred)

    def kernel(self) -> np.ndarray:
        """Recurrent kernel as it is convolved, shape (n,): element d acts on the unit d places further on."""
        x = 2 * np.pi * np.arange(self.n) / self.n if self.centred else self.angles
        excitation, inhibition = (scaled_von_mises(x, 0.0, k) for k in (self.kappa_e, self.kappa_i))
        return self.J_e * excitation / excitation.sum() - self.J_i * inhibition / inhibition.sum()

    def run(self, mu: float, kappa: float, duration: int = 150) -> np.ndarray:
        """Rates (Hz), shape (duration, n), for an input of concentration ``kappa`` around the angle ``mu`` (rad).

        Row 0 is the silent start, each further row one time step later.
        """
        check_integer("duration", duration, 2, 10**6, unit="steps")
        feed = self.J_lgn * scaled_von_mises(self.angles, check_number("mu", mu, "rad"), kappa)
        spectrum = np.fft.rfft(self.kernel() / 2)
        rates, V = np.zeros((duration, self.n)), np.zeros(self.n)
        for step in range(1, duration):
            recurrent = np.fft.irfft(spectrum * np.fft.rfft(rates[step - 1]), self.n)
            V = V + (feed + recurrent - V) * self.dt / self.tau
            rates[step] = self.alpha * np.maximum(V, 0.0)
            if self.rounded:
                rates[step] = np.round(rates[step] * 10_000) / 10_000
        return rates

    def tuning_curve(self, kappa: float, angles: ArrayLike | None = None, duration: int = 150) -> np.ndarray:
        """Final rate (Hz) of unit n // 2 for inputs at each of ``angles`` (rad); by default the 32 published ones."""
        offset = np.pi / 12
        grid = np.linspace(-np.pi + offset, np.pi - offset, 32)
        angles = grid if angles is None else check_array("angles", angles, "rad", ndim=1)
        return np.array([self.run(mu, kappa, duration)[-1, self.n // 2] for mu in angles])

    def variance_curve(self, kappas: ArrayLike | None = None, duration: int = 150) -> np.ndarray:
        """:func:`published_cv` of the tuning curve for each input concentration, by default the 20 published ones.

        Those go from 22.85 to 0.7625: B_theta from 6 to 36 degrees by the approximation ``HWHH = B sqrt(2 ln 2)`` and
        the half width of a von Mises counted from 0.
        """
        grid = np.linspace(22.85, 0.7625, 20)
        kappas = grid if kappas is None else check_array("kappas", kappas, "", 0, ndim=1)
        return np.array([published_cv(self.tuning_curve(kappa, None, duration)) for kappa in kappas])
