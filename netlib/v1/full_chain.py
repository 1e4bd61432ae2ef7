"""From a movie through LGN and two rings: does the activity say which orientations the movie holds?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_choice, check_number, check_type
from netlib.base.orientation import distance
from netlib.base.seeds import stream
from netlib.networks import RingParameters, preset
from netlib.recordings import Recording, record_ring
from netlib.stimuli import MotionCloud, Movie, NaturalMovie, Protocol
from netlib.stimuli.content import orientation_content
from netlib.stimuli.natural import NATURAL_GAIN, PHOTOS
from netlib.tuning import circular_correlation, content_correlation, content_orientation, orientation_rates

__all__ = ["MOVIES", "chain_protocol", "for_photographs", "full_chain", "movie_content", "run_chain"]

MOVIES = ("MotionClouds", "natural")
#: Grey before the movie, and time after its start that is left out of the comparison (ms).
LEAD, ONSET = 200.0, 150.0


def chain_protocol(kind: str, seed: int, duration: float = 2000.0) -> Protocol:
    """Movie of a seed: MotionClouds of random orientations, 200 ms each; or a photograph under a roving eye.

    The eye drifts and makes 4 saccades per second on average; seeds take the photographs of
    :data:`netlib.stimuli.natural.PHOTOS` in turn.
    """
    check_choice("kind", kind, MOVIES)
    if kind == "natural":
        photo = sorted(PHOTOS)[seed % len(PHOTOS)]
        return Protocol.sequence([NaturalMovie(photo, saccade_rate=4.0, seed=seed)], duration, lead=LEAD)
    n = round(duration / 200.0)
    thetas = stream(seed, "full chain", "orientations").uniform(0, 180, n)
    clouds = [MotionCloud(theta=float(theta), seed=seed + 1000 * i) for i, theta in enumerate(thetas)]
    return Protocol.sequence(clouds, 200.0, lead=LEAD)


def for_photographs(parameters: RingParameters) -> RingParameters:
    """The same network with its LGN turned up by :data:`netlib.stimuli.natural.NATURAL_GAIN`."""
    louder = dataclasses.replace(parameters.lgn, peak_rate=NATURAL_GAIN * parameters.lgn.peak_rate)
    return dataclasses.replace(parameters, lgn=louder)


def movie_content(movie: Movie, edges: np.ndarray, n_bins: int = 18, sf_0: float = 0.1) -> np.ndarray:
    """Fraction of the gradient energy of a movie at each orientation, in bins of time: shape (n_times, n_bins).

    A histogram of the gradients of every pixel (:func:`netlib.stimuli.content.orientation_content`), at the scale
    whose Gaussian derivative answers best to ``sf_0`` (cycles/px), ``sigma = 1 / (2 pi sf_0)``. It knows nothing of
    the model's filters, of time, or of contrast gain.
    """
    _, energy = orientation_content(movie, n_bins, sigma=1 / (2 * np.pi * sf_0))
    middle = (np.arange(len(movie)) + 0.5) * movie.frame_duration
    inside = (middle >= np.asarray(edges)[:-1, None]) & (middle < np.asarray(edges)[1:, None])
    if not inside.any(1).all():
        raise ValueError(f"edges leave bins without a frame: frames last {movie.frame_duration:g} ms")
    binned = inside @ energy
    return binned / np.maximum(binned.sum(1, keepdims=True), 1e-300)


def run_chain(
    kind: str, seed: int, parameters: RingParameters | None = None, duration: float = 2000.0
) -> tuple[Movie, Recording]:
    """A movie, and the recording of both rings that see it."""
    parameters = check_type("parameters", parameters or preset("v1_two_rings"), RingParameters)
    protocol = chain_protocol(kind, seed, duration)
    movie = protocol.movie()
    if kind == "natural":
        parameters = for_photographs(parameters)
    return movie, record_ring(parameters, protocol, seed, movie=movie)


def full_chain(
    seed: int,
    movies: Sequence[str] = MOVIES,
    duration: float = 2000.0,
    bin: float = 50.0,
    lags: Sequence[float] = (0.0, 40.0, 80.0, 120.0, 160.0),
    parameters: RingParameters | None = None,
) -> pd.DataFrame:
    """Correlation between the orientations in a movie and those in the activity of input, first and second ring.

    Parameters
    ----------
    seed : int
        Master seed: the movie, the network, the input spikes.
    movies : sequence of str
        Kinds of movie, of ``MOVIES``.
    duration : float
        Length of the movie (ms).
    bin : float
        Bins of time (ms).
    lags : sequence of float
        The activity is read so much later than the movie (ms).
    parameters : RingParameters, optional
        The network; by default ``v1_two_rings``.

    Returns
    -------
    DataFrame, one row per movie, population, lag and comparison
        ``content``: what the activity is compared with: ``"own"``, the movie itself; or the controls ``"shifted"``,
        the movie at other times (mean over circular shifts by at least a quarter of it), and ``"other"``, the movie of
        the same kind of another seed (for a photograph another photograph). ``pearson``: over all times and
        orientations; ``pearson_changes``: likewise, without the mean over time of each orientation;
        ``circular``: of the dominant orientation (:func:`netlib.tuning.circular_correlation`); ``distance`` (deg):
        mean between the dominant orientations, 45 by chance if evenly spread; ``rate`` (Hz).
    """
    check_number("bin", bin, "ms", 0, duration / 10, low_open=True)
    rows = []
    edges = np.arange(LEAD + ONSET, LEAD + duration - max(lags) + 1e-6, bin)
    for kind in movies:
        movie, seen = run_chain(kind, seed, parameters, duration)
        own = movie_content(movie, edges)
        other = movie_content(chain_protocol(kind, seed + 501, duration).movie(), edges)
        quarter = len(own) // 4
        shifted = [np.roll(own, shift, axis=0) for shift in range(quarter, len(own) - quarter)]
        for population in [p for p in seen.populations if not p.startswith("I")]:
            for lag in lags:
                active = orientation_rates(seen, population, edges + lag)
                head = {"movie": kind, "population": population, "lag": float(lag)}
                for name, contents in (("own", [own]), ("shifted", shifted), ("other", [other])):
                    agreement = pd.DataFrame([_agree(active, content) for content in contents]).mean()
                    rows.append(head | {"content": name, **agreement, "rate": active.mean()})
    return pd.DataFrame(rows)


def _agree(active: np.ndarray, content: np.ndarray) -> dict[str, float]:
    a, b = content_orientation(active), content_orientation(content)
    return {
        "pearson": content_correlation(active, content),
        "pearson_changes": content_correlation(active, content, changes_only=True),
        "circular": circular_correlation(a, b),
        "distance": float(np.nanmean(distance(a, b))) if np.isfinite(a).any() else np.nan,
    }
