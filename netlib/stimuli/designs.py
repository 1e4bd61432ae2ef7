"""Ready-made protocols: orientations by bandwidths, random durations, shuffled trials, mapping of receptive fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from netlib.base.checks import check_integer, check_number, check_type, on_grid
from netlib.base.seeds import simulator_seed, stream
from netlib.stimuli.motion_cloud import MotionCloud
from netlib.stimuli.noise import DenseNoise, Patch
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.stimulus import Stimulus

__all__ = ["B_THETAS", "patch_grid", "random_durations", "shuffled_trials", "variance_protocol", "white_noise"]

#: Bandwidths of Ladret et al. 2023 (Commun Biol 6:667), ``linspace(pi/2, 0, 8) / 2.5`` rad, in degrees: 36 down to 0.
B_THETAS = tuple(np.linspace(36.0, 0.0, 8))


def variance_protocol(
    stimulus: Stimulus | None = None,
    orientations: int | ArrayLike = 12,
    B_thetas: ArrayLike = B_THETAS,
    trials: int = 1,
    duration: float = 300.0,
    gap: float = 0.0,
    lead: float = 200.0,
    seed: int = 0,
) -> Protocol:
    """Every orientation at every bandwidth, in an order shuffled anew in each trial.

    The conditions of Ladret et al. 2023 (12 x 8, shown for 300 ms); :meth:`Protocol.tuning` makes them.

    Parameters
    ----------
    stimulus : Stimulus, optional
        What to vary; by default a MotionCloud whose texture depends on ``seed``. In each trial all conditions show
        one texture, turned and widened; the next trial shows another.
    orientations : int or array_like
        How many, or which (deg).
    B_thetas : array_like
        Bandwidths (deg); 0 is allowed, one single orientation.
    trials : int
        Presentations of each condition.
    duration, gap, lead : float
        As in :meth:`Protocol.sequence` (ms).
    seed : int
        Seed of the order and of the default stimulus.

    Examples
    --------
    >>> protocol = variance_protocol(trials=2)
    >>> protocol, int(protocol.table["B_theta"].nunique())
    (Protocol(192 presentations in 57800 ms), 8)
    """
    stimulus = MotionCloud(seed=simulator_seed(seed, "variance protocol")) if stimulus is None else stimulus
    return Protocol.tuning(stimulus, orientations, None, B_thetas, trials, duration, gap, lead, seed)


def random_durations(
    n: int, mean: float = 500.0, low: float = 100.0, high: float = 2000.0, step: float = 10.0, seed: int = 0
) -> np.ndarray:
    """Durations that give no clue to when a stimulus ends: exponential, cut to [low, high] by redrawing.

    Parameters
    ----------
    n : int
        How many.
    mean : float
        Mean of the exponential beyond ``low`` before it is cut at ``high``: about ``low + mean`` is the mean duration
        (ms).
    low, high : float
        Shortest and longest (ms), whole numbers of steps.
    step : float
        Durations are rounded down to whole numbers of it, such as the length of a frame (ms).
    seed : int
        Seed.

    Returns
    -------
    ndarray, shape (n,)
        Durations (ms).

    Raises
    ------
    ValueError
        If a bound is not a whole number of steps, or out of range.

    Examples
    --------
    >>> random_durations(4, mean=200.0, step=10.0, seed=1).tolist()
    [1210.0, 130.0, 160.0, 320.0]
    """
    n = check_integer("n", n, 1)
    check_number("mean", mean, "ms", 0, low_open=True)
    check_number("step", step, "ms", 0, low_open=True)
    check_number("low", low, "ms", step)
    check_number("high", high, "ms", low)
    first, last = (round(on_grid(name, value, step) / step) for name, value in (("low", low), ("high", high)))
    uniform = stream(seed, "durations").random(n)
    beyond = -mean * np.log1p(-uniform * -np.expm1(-(high - low + step) / mean))
    return np.minimum(first + np.floor(beyond / step), last) * step


def shuffled_trials(
    stimuli: Iterable[Stimulus],
    trials: int = 1,
    duration: ArrayLike = 300.0,
    gap: float = 0.0,
    lead: float = 200.0,
    seed: int = 0,
) -> Protocol:
    """Show each stimulus once per trial, in an order shuffled anew in each.

    Parameters
    ----------
    stimuli : iterable of Stimulus
        What to show.
    trials : int
        How often.
    duration : float or array_like, shape (n_stimuli * trials,)
        How long (ms): all alike, or in order of presentation, such as :func:`random_durations`.
    gap, lead : float
        As in :meth:`Protocol.sequence` (ms).
    seed : int
        Seed of the order.

    Examples
    --------
    >>> shuffled_trials([Patch(x=0.0), Patch(x=8.0)], trials=3, duration=100.0)
    Protocol(6 presentations in 800 ms)
    """
    stimuli = list(stimuli)
    trials = check_integer("trials", trials, 1)
    rng = stream(seed, "protocol", "order")
    order = [(int(i), trial) for trial in range(trials) for i in rng.permutation(len(stimuli))]
    return Protocol.sequence([stimuli[i] for i, _ in order], duration, gap, lead, [trial for _, trial in order])


def patch_grid(
    n: int = 8, size: int = 64, contrast: float = 1.0, trials: int = 1, duration: float = 50.0, seed: int = 0
) -> Protocol:
    """Sparse mapping of receptive fields: one light or dark square at a time, at each place of an n x n grid.

    Parameters
    ----------
    n : int
        Places along each axis; the squares tile the screen.
    size : int
        Side of the screen (pixels).
    contrast : float
        Contrast of the squares.
    trials : int
        Presentations of each of the 2 n^2 squares.
    duration : float
        How long one stays (ms).
    seed : int
        Seed of the order.

    Examples
    --------
    >>> protocol = patch_grid(4, size=32)
    >>> protocol, protocol.stimuli[0].width
    (Protocol(32 presentations in 1600 ms), 8.0)
    """
    n = check_integer("n", n, 1, check_integer("size", size, 4, unit="pixels"))
    width = size / n
    places = (np.arange(n) - (n - 1) / 2) * width
    squares = [
        Patch(float(x), float(y), width, polarity, contrast)
        for polarity in ("light", "dark")
        for y in places
        for x in places
    ]
    return shuffled_trials(squares, trials, duration, 0.0, 0.0, seed)


def white_noise(
    duration: float = 10_000.0, blocks: int = 1, noise: DenseNoise | None = None, gap: float = 200.0, seed: int = 0
) -> Protocol:
    """Dense mapping of receptive fields: blocks of noise, each other than the last, with grey between.

    Parameters
    ----------
    duration : float
        Length of a block (ms).
    blocks : int
        How many; ``trial`` numbers them.
    noise : DenseNoise, optional
        Size, contrast and hold of the checks; its seed is replaced.
    gap : float
        Grey after each block (ms).
    seed : int
        Seed of the noise.

    Examples
    --------
    >>> white_noise(duration=1000.0, blocks=3, gap=100.0)
    Protocol(3 presentations in 3300 ms)
    """
    noise = check_type("noise", DenseNoise() if noise is None else noise, DenseNoise)
    blocks = check_integer("blocks", blocks, 1)
    shown = [dataclasses.replace(noise, seed=simulator_seed(seed, "white noise", k)) for k in range(blocks)]
    return Protocol.sequence(shown, duration, gap, 0.0, np.arange(blocks))
