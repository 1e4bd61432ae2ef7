"""Stimuli: movies, what they are made from, and the protocol that says what was shown when.

Orientations are those of the contours, in degrees: 0 is horizontal, 90 vertical, counter-clockwise as displayed.
"""

from netlib.stimuli.content import dominant_orientation, orientation_content
from netlib.stimuli.designs import (
    B_THETAS,
    patch_grid,
    random_durations,
    shuffled_trials,
    variance_protocol,
    white_noise,
)
from netlib.stimuli.gratings import Gabor, Grating, LogGabor
from netlib.stimuli.motion_cloud import MotionCloud
from netlib.stimuli.movie import Movie
from netlib.stimuli.natural import PHOTOS, NaturalMovie
from netlib.stimuli.noise import DenseNoise, Patch
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.stimulus import Blank, Stimulus

__all__ = [
    "B_THETAS",
    "PHOTOS",
    "Blank",
    "DenseNoise",
    "Gabor",
    "Grating",
    "LogGabor",
    "MotionCloud",
    "Movie",
    "NaturalMovie",
    "Patch",
    "Protocol",
    "Stimulus",
    "dominant_orientation",
    "orientation_content",
    "patch_grid",
    "random_durations",
    "shuffled_trials",
    "variance_protocol",
    "white_noise",
]
