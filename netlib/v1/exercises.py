"""Exercises of the notebooks on the ring: what is asked, and what computes the right answer anew each time."""

from __future__ import annotations

import functools

import numpy as np

from netlib.base.exercises import Exercise

__all__ = ["EXERCISES", "practical_protocol"]

#: Seeds of our own networks.
SEEDS = (1, 2, 3)


def practical_protocol(contrast: float = 1.0):
    """What the practical shows: gratings of eight orientations, 400 ms each, in random order.

    Examples
    --------
    >>> practical_protocol()
    Protocol(8 presentations in 4600 ms)
    """
    from netlib.stimuli import Grating, Protocol

    return Protocol.tuning(Grating(contrast=contrast), orientations=8, duration=400.0, gap=150.0, shuffle_seed=1)


def _cloud_width() -> float:
    from netlib.base.orientation import hwhh_from_B_theta

    return hwhh_from_B_theta(15.0)


def _half_contrast() -> float:
    from scipy.optimize import brentq

    from netlib.networks import preset

    response = preset("v1").lgn.contrast_response
    return brentq(lambda contrast: response(contrast) - 0.5, 0.0, 1.0)


@functools.cache
def _practical(name: str = "v1", inhibited: bool = True):
    """A network shown the protocol of the practical, once for each seed; its E cells may be left without inhibition."""
    from netlib.networks import preset, set_values
    from netlib.recordings import record_ring

    network = preset(name) if inhibited else set_values(preset(name), {"I_to_E.weight": 0.0})
    return [record_ring(network, practical_protocol(), seed=seed, backend="auto") for seed in SEEDS]


def _rate(recordings) -> np.ndarray:
    from netlib.tuning import response_counts

    counted = [response_counts(recording.population("E")) for recording in recordings]
    return np.array([1000.0 * (counts / lengths).mean() for counts, lengths in counted])


def _width(recordings, population: str) -> np.ndarray:
    from netlib.tuning import fit_population

    fits = [fit_population(recording, population, progress=False) for recording in recordings]
    return np.array([table.loc[table["success"], "hwhh"].mean() for table in fits])


def _mean_rate() -> float:
    return _rate(_practical()).mean()


def _without_inhibition() -> float:
    return (_rate(_practical(inhibited=False)) / _rate(_practical())).mean()


def _narrowing() -> float:
    return (_width(_practical(), "input") - _width(_practical(), "E")).mean()


def _second_ring() -> float:
    two = _practical("v1_two_rings")
    return (_width(two, "E") - _width(two, "E2")).mean()


def _causal_change() -> float:
    from netlib.networks import SHAPES

    rule = SHAPES["causal"]
    change = rule.window([10.0, -10.0], rule.w_max / 2, delay=0.0) / rule.w_max
    return 100.0 * change.sum()


def _marginal_width() -> float:
    from netlib.theory import theta_c

    return theta_c(6.0)


#: The exercises by name, in the order of the notebooks. Tolerances of what is random are some three standard deviations
#: over networks (seeds 1 to 20).
EXERCISES = {
    "cloud_width": Exercise(
        "A MotionCloud has B_theta = 15 deg. How wide is its profile of orientations (HWHH)?",
        "deg", 0.5, _cloud_width, "hwhh_from_B_theta of netlib.base.orientation converts.",
    ),
    "half_contrast": Exercise(
        "At which contrast (0 to 1) is the LGN of v1 at half of its response to full contrast?",
        "", 0.01, _half_contrast, "preset('v1').lgn.contrast_response is a function of contrast.",
    ),
    "mean_rate": Exercise(
        "How many spikes per second does an E cell of v1 fire, on average, while a grating is shown?",
        "Hz", 2.0, _mean_rate, "response_counts gives counts in the presentations and their lengths.",
    ),
    "narrowing": Exercise(
        "By how much is the activity of the E cells of v1 narrower than that of its input (HWHH)?",
        "deg", 1.6, _narrowing, "Fit both with fit_population and take the mean of hwhh where success is True.",
    ),
    "without_inhibition": Exercise(
        "By which factor does the rate of the E cells grow when I cells no longer reach them?",
        "times", 8.0, _without_inhibition, "set_values(preset('v1'), {'I_to_E.weight': 0}).",
    ),
    "causal_change": Exercise(
        "Rule SHAPES['causal'], weight at half of w_max: what do two pairs 10 ms apart, one with pre and one with post "
        "first, change together?",
        "% of w_max", 0.05, _causal_change, "rule.window([10, -10], weight) in units of rule.w_max, times 100.",
    ),
    "second_ring": Exercise(
        "In v1_two_rings, by how much is the second ring (E2) narrower than the first (E; HWHH)?",
        "deg", 1.5, _second_ring, "As narrowing, with populations E and E2.",
    ),
    "marginal_width": Exercise(
        "In the marginal phase of Hansel and Sompolinsky, how wide is the bump (half width at base) at J2 = 6?",
        "deg", 0.5, _marginal_width, "theta_c of netlib.theory.",
    ),
}  # fmt: skip
