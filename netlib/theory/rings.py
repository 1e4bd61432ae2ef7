"""A ring of any number of rate populations, of which the other rings of this room are special cases.

Population a follows, with ``*`` a circular convolution over cells and K_ab signed kernels from b to a::

    tau_a dr_a/dt = -r_a + f_a(h_a + sum_b K_ab * r_b),    f_a(x) = gain_a [x - threshold_a]+^exponent_a

The power law is what noise makes of a threshold (Miller & Troyer 2002, J Neurophysiol 87:653,
doi:10.1152/jn.00425.2001). With one population, exponent 1 and ``K = (J0 + J2 cos 2d) / n`` it is the ring of Hansel &
Sompolinsky; with two, exponent 2 and Gaussian kernels the stabilised supralinear network.

The stabilised supralinear network (SSN) on a ring of orientations (Rubin, Van Hooser & Miller 2015):
Excitatory (E) and inhibitory (I) cells of one ring share their input h and have a power-law response::

    tau_a dr_a(theta)/dt = -r_a + k [h(theta) + sum_b s_b J_ab sum_theta' G(theta - theta') r_b(theta')]+^n

with a, b in {E, I}, s_E = 1, s_I = -1, ``G(d) = exp(-d^2 / (2 sigma_recurrent^2))`` and, for gratings of contrast c_j
at theta_j, ``h(theta) = sum_j c_j exp(-(theta - theta_j)^2 / (2 sigma_input^2))``. Distances are the shorter way around
180 degrees. Weak input: recurrence is negligible and two gratings add up supralinearly (power n). Strong input:
inhibition balances excitation and they add up sublinearly, as in response normalisation.

Source: Rubin, Van Hooser & Miller 2015, Neuron 85:402, doi:10.1016/j.neuron.2014.12.026 (ring model); theory in
Ahmadian, Rubin & Miller 2013, Neural Comput 25:1994, doi:10.1162/NECO_a_00472.

The rate model published for the tuning of V1 to orientation variance (Ladret et al. 2023):
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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_integer, check_number, check_type
from netlib.base.orientation import distance, preferred_orientations, von_mises, wrap

__all__ = [
    "RatePopulation",
    "RateRing",
    "SupralinearRing",
    "VarianceRing",
    "bump_half_width",
    "bump_orientation",
    "published_cv",
    "scaled_von_mises",
    "von_mises_kernel",
]


# -------------------- A ring of any number of rate populations, of which the other rings of this room are special ...


def von_mises_kernel(n: int, B_theta: float, weight: float) -> np.ndarray:
    """Kernel (n,) over the distance in cells: a von Mises profile, ``B_theta`` in deg, that sums to ``weight``.

    Examples
    --------
    >>> von_mises_kernel(4, B_theta=20.0, weight=2.0).round(2).tolist()
    [1.57, 0.2, 0.03, 0.2]
    """
    check_number("B_theta", B_theta, "deg", 0, low_open=True, finite=False)
    profile = von_mises(preferred_orientations(n), 0.0, B_theta)
    return check_number("weight", weight) * profile / profile.sum()


@dataclass(frozen=True)
class RatePopulation:
    """Response of a population: ``gain [x - threshold]+^exponent``.

    Attributes
    ----------
    gain : float
        Hz per (unit of input)^exponent.
    threshold : float
        In the unit of the input.
    exponent : float
        At least 1.
    tau : float
        Time constant (ms).

    Examples
    --------
    >>> RatePopulation(gain=0.5, threshold=1.0, exponent=2.0).response(np.array([0.0, 2.0, 3.0])).tolist()
    [0.0, 0.5, 2.0]
    """

    gain: float = 1.0
    threshold: float = 0.0
    exponent: float = 1.0
    tau: float = 10.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain, "Hz", 0, low_open=True)
        check_number("threshold", self.threshold)
        check_number("exponent", self.exponent, "", 1)
        check_number("tau", self.tau, "ms", 0, low_open=True)

    def response(self, drive: np.ndarray) -> np.ndarray:
        """Steady rate (Hz) for an input."""
        return self.gain * np.maximum(drive - self.threshold, 0.0) ** self.exponent


@dataclass(frozen=True, eq=False)
class RateRing:
    """Populations of ``n`` cells each, and the kernels between them.

    Attributes
    ----------
    populations : dict of RatePopulation
        By name.
    kernels : dict of ndarray, shape (n,)
        By ``"source_to_target"``: signed weight against the distance in cells; a pair left out is not connected.
    n : int
        Cells of each population.

    Examples
    --------
    >>> ring = RateRing({"E": RatePopulation()}, {"E_to_E": von_mises_kernel(36, 20.0, 0.5)}, n=36)
    >>> rates = ring.run({"E": np.full(36, 5.0)}, duration=200.0)["E"]
    >>> rates.shape, round(float(rates[-1, 0]), 2)
    ((2001, 36), 10.0)
    """

    populations: Mapping[str, RatePopulation]
    kernels: Mapping[str, np.ndarray] = field(default_factory=dict)
    n: int = 180

    def __post_init__(self) -> None:
        check_integer("n", self.n, 4, 100_000, unit="cells")
        if not self.populations:
            raise ValueError("populations is empty: give at least one RatePopulation")
        for name, population in self.populations.items():
            check_type(f"populations[{name!r}]", population, RatePopulation)
        for name, kernel in self.kernels.items():
            source, _, target = name.partition("_to_")
            if source not in self.populations or target not in self.populations:
                raise ValueError(f"kernel {name!r} is unknown: it must be 'a_to_b' of {', '.join(self.populations)}")
            if np.shape(check_array(name, kernel, ndim=1)) != (self.n,):
                raise ValueError(f"kernel {name!r} has {len(kernel)} values: it must have n = {self.n}")

    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        duration: float,
        dt: float = 0.1,
        start: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, np.ndarray]:
        """Rates over time (Euler).

        Parameters
        ----------
        inputs : dict of array_like
            Input h of each population: shape (n,), or (n_steps, n) if it changes.
        duration, dt : float
            ms.
        start : dict of array_like, optional
            Rates (n,) at time 0; silent by default.

        Returns
        -------
        dict of ndarray, shape (n_steps + 1, n)
            The first row is the start (Hz).

        Raises
        ------
        RuntimeError
            If the rates explode.
        """
        check_number("duration", duration, "ms", 0, low_open=True)
        check_number("dt", dt, "ms", 0, min(p.tau for p in self.populations.values()) / 2, low_open=True)
        steps = max(1, round(duration / dt))
        names = list(self.populations)
        if set(inputs) != set(names):
            raise ValueError(f"inputs are for {', '.join(inputs)}: give one for each of {', '.join(names)}")
        feeds = [np.broadcast_to(check_array(f"inputs[{p!r}]", inputs[p]), (steps, self.n)) for p in names]
        spectrum = np.zeros((len(names), len(names), self.n // 2 + 1), complex)
        for name, kernel in self.kernels.items():
            source, target = name.split("_to_")
            spectrum[names.index(target), names.index(source)] = np.fft.rfft(kernel)
        rates = np.zeros((steps + 1, len(names), self.n))
        if start is not None:
            rates[0] = [check_array(f"start[{p!r}]", start[p], "Hz", 0) for p in names]
        for step in range(steps):
            now = rates[step]
            recurrent = np.fft.irfft(np.einsum("abk,bk->ak", spectrum, np.fft.rfft(now)), self.n)
            for k, p in enumerate(self.populations.values()):
                target_rate = p.response(feeds[k][step] + recurrent[k])
                rates[step + 1, k] = now[k] + (target_rate - now[k]) * dt / p.tau
            if not rates[step + 1].max() < 1e6:
                raise RuntimeError(f"rates explode after {(step + 1) * dt:g} ms: weaken excitation or raise inhibition")
        return {p: rates[:, k] for k, p in enumerate(names)}


# -------------------- The rate model published for the tuning of V1 to orientation variance (Ladret et al. 2023)


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
class VarianceRing:
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

    n: int = 128
    tau: float = 10.8
    dt: float = 1.0
    alpha: float = 10.6
    J_lgn: float = 9.57
    J_e: float = 1.71
    J_i: float = 2.0178
    kappa_e: float = 1.59
    kappa_i: float = 1.16
    centred: bool = False
    rounded: bool = True

    def __post_init__(self) -> None:
        check_integer("n", self.n, 8, 100_000, unit="units")
        check_number("tau", self.tau, "ms", 0, low_open=True)
        check_number("dt", self.dt, "ms", 0, self.tau, low_open=True)
        check_number("alpha", self.alpha, "Hz/mV", 0, low_open=True)
        for name in ("J_lgn", "J_e", "J_i"):
            check_number(name, getattr(self, name), "", 0)
        for name in ("kappa_e", "kappa_i"):
            check_number(name, getattr(self, name), "", 0, low_open=True)

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


# -------------------- Measures of a noiseless profile of activity on a ring whose cell i of n prefers 180 i / n ...


def bump_half_width(rates: ArrayLike, level: float = 0.5) -> float:
    """Half width (deg) of a profile at a fraction of its peak, counted from 0; mean of the two sides.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Activity of each cell, >= 0.
    level : float
        Fraction of the peak, in (0, 1).

    Returns
    -------
    float
        Linear between neighbours; NaN where the profile is zero or never falls to that level.

    Examples
    --------
    >>> from netlib.base.orientation import hwhh_from_B_theta, von_mises
    >>> rates = von_mises(preferred_orientations(180), 90.0, 20.0)
    >>> round(bump_half_width(rates), 1), round(hwhh_from_B_theta(20.0), 1)
    (24.3, 24.3)
    """
    rates = check_array("rates", rates, "", 0, ndim=1)
    check_number("level", level, "", 0, 1, low_open=True, high_open=True)
    peak, step = int(rates.argmax()), 180.0 / len(rates)
    right = np.roll(rates, -peak)
    sides = [_fall(side, level * rates[peak]) for side in (right, np.roll(right[::-1], 1))]
    return float(np.mean(sides) * step)


def _fall(rates: np.ndarray, height: float) -> float:
    """Number of cells from the first one to where the profile first falls to ``height``."""
    below = np.flatnonzero(rates <= height)
    if height <= 0 or not len(below):
        return np.nan
    k = below[0]
    return k - 1 + (rates[k - 1] - height) / (rates[k - 1] - rates[k])


def bump_orientation(rates: ArrayLike) -> np.ndarray | float:
    """Orientation (deg) of the population vector ``arg(sum r exp(2i theta)) / 2`` along the last axis.

    Examples
    --------
    >>> round(bump_orientation([1.0, 2.0, 1.0, 0.0]), 1)
    45.0
    """
    rates = np.asarray(rates, float)
    vector = rates @ np.exp(2j * np.radians(preferred_orientations(rates.shape[-1])))
    return wrap(np.degrees(np.angle(vector)) / 2)


# -------------------- The stabilised supralinear network (SSN) on a ring of orientations (Rubin, Van Hooser & ...


@dataclass(frozen=True)
class SupralinearRing:
    """Parameters of the ring; the defaults are those of the paper's ring, as public re-implementations quote them.

    Attributes
    ----------
    n : int
        Cells of each population.
    gain, exponent : float
        k and n of the response.
    tau_E, tau_I : float
        Time constants (ms).
    J_EE, J_EI, J_IE, J_II : float
        Magnitude of the weights; the first letter is the target.
    sigma_recurrent, sigma_input : float
        Standard deviations of the weights and of the input (deg).

    Examples
    --------
    >>> {name: round(value, 1) for name, value in SupralinearRing().tuning(50.0).items()}
    {'rate_E': 38.6, 'rate_I': 87.2, 'hwhh_E': 21.5, 'hwhh_I': 23.9}
    """

    n: int = 180
    gain: float = 0.04
    exponent: float = 2.0
    tau_E: float = 20.0
    tau_I: float = 10.0
    J_EE: float = 0.044
    J_EI: float = 0.023
    J_IE: float = 0.042
    J_II: float = 0.018
    sigma_recurrent: float = 32.0
    sigma_input: float = 30.0

    def __post_init__(self) -> None:
        check_integer("n", self.n, 8, 10_000, unit="cells")
        check_number("gain", self.gain, "Hz", 0, low_open=True)
        check_number("exponent", self.exponent, "", 1)
        for name in ("tau_E", "tau_I"):
            check_number(name, getattr(self, name), "ms", 0, low_open=True)
        for name in ("J_EE", "J_EI", "J_IE", "J_II"):
            check_number(name, getattr(self, name), "", 0)
        for name in ("sigma_recurrent", "sigma_input"):
            check_number(name, getattr(self, name), "deg", 0, low_open=True)

    def input(self, contrasts: Sequence[float], orientations: Sequence[float]) -> np.ndarray:
        """Input h to each cell, shape (n,), of gratings shown together; contrast is the input at their orientation."""
        contrasts = check_array("contrasts", contrasts, "", 0, ndim=1)
        orientations = check_array("orientations", orientations, "deg", -360, 360, ndim=1)
        if len(contrasts) != len(orientations):
            raise ValueError(
                f"contrasts has {len(contrasts)} values and orientations {len(orientations)}: one per grating"
            )
        return contrasts @ self._gaussian(orientations[:, None], self.sigma_input)

    def _gaussian(self, orientations: np.ndarray, sigma: float) -> np.ndarray:
        d = distance(preferred_orientations(self.n)[None, :], orientations)
        return np.exp(-(d**2) / (2 * sigma**2))

    def steady_state(
        self,
        contrasts: Sequence[float],
        orientations: Sequence[float],
        *,
        duration: float = 1000.0,
        dt: float = 0.25,
        tolerance: float = 1e-6,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rates of the E and I cells (Hz), each of shape (n,), reached from silence (Euler).

        Parameters
        ----------
        contrasts, orientations : sequence of float
            One value per grating (orientation in deg).
        duration, dt : float
            Longest time and time step (ms).
        tolerance : float
            Steady when no rate changes by more than this part of the largest rate in one ms.

        Raises
        ------
        RuntimeError
            If the rates explode or are not steady after ``duration``.
        """
        check_number("duration", duration, "ms", 1)
        check_number("dt", dt, "ms", 0, min(self.tau_E, self.tau_I) / 2, low_open=True)
        check_number("tolerance", tolerance, "per ms", 0, low_open=True)
        h = self.input(contrasts, orientations)
        profile = self._gaussian(np.zeros((1, 1)), self.sigma_recurrent)[0]
        spectrum = np.fft.rfft(profile)  # the weights are a circular convolution
        J = np.array([[self.J_EE, -self.J_EI], [self.J_IE, -self.J_II]])
        step = dt / np.array([[self.tau_E], [self.tau_I]])
        rates = np.zeros((2, self.n))
        for _ in range(round(duration / dt)):
            spread = np.fft.irfft(np.fft.rfft(rates) * spectrum, self.n)
            change = step * (self.gain * np.maximum(h + J @ spread, 0.0) ** self.exponent - rates)
            rates = rates + change
            largest = rates.max()
            if not largest < 1e6:
                raise RuntimeError("rates explode: inhibition does not stabilise this network; raise J_EI or J_IE")
            if np.abs(change).max() / dt <= tolerance * max(largest, 1e-12):
                return rates[0], rates[1]
        raise RuntimeError(f"rates are not steady after {duration:g} ms: the network oscillates, or give it longer")

    def tuning(self, contrast: float, orientation: float = 45.0) -> dict[str, float]:
        """Response to one grating: peak rates (Hz) and half widths at half height (deg) of E and I.

        The profile over cells at one orientation is also the tuning curve of a cell: all cells are alike.
        """
        rates = dict(zip("EI", self.steady_state([contrast], [orientation]), strict=True))
        peaks = {f"rate_{name}": float(r.max()) for name, r in rates.items()}
        return peaks | {f"hwhh_{name}": bump_half_width(r) for name, r in rates.items()}

    def weight_of_sum(self, contrast: float, orientation: float = 45.0) -> float:
        """Factor w that best makes the E response to two orthogonal gratings ``w`` (sum of the responses to each).

        Least squares over cells: 1 is linear, above 1 supralinear, ``1 / sqrt(2)`` what divisive normalisation by the
        root of the summed squared contrasts gives.
        """
        pair = self.steady_state([contrast, contrast], [orientation, orientation + 90.0])[0]
        alone = [self.steady_state([contrast], [theta])[0] for theta in (orientation, orientation + 90.0)]
        total = alone[0] + alone[1]
        return float(pair @ total / (total @ total))
