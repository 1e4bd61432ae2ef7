"""Natural movies: the eye's walk, luminance, no download."""

import socket

import numpy as np
import pytest

from netlib.stimuli import PHOTOS, NaturalMovie, dominant_orientation
from netlib.stimuli.natural import _photograph


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _photograph.cache_clear()


@pytest.mark.parametrize("photo", PHOTOS)
def test_every_photograph_is_in_the_wheel(offline, photo):
    movie = NaturalMovie(photo=photo).movie(50)
    assert movie.shape == (5, 64, 64)
    assert movie.frames.mean() == pytest.approx(0.5, abs=0.02)


def test_rms_contrast():
    for seed in range(3):
        signal = NaturalMovie(seed=seed, contrast=0.3).movie(200).contrast_signal()
        assert signal.std() == pytest.approx(0.1, rel=0.02)
        assert signal.mean() == pytest.approx(0, abs=2e-3)


def test_drift_has_its_diffusion_constant():
    # Mean squared step over 100 ms along one axis: 2 D t. Small frames: the border is far.
    steps = []
    for seed in range(150):
        path = NaturalMovie(drift=40.0, seed=seed, scale=1.0).gaze(100, size=16)
        if path.min() > 40 and path.max() < 440:
            steps.append(path[100] - path[0])
    steps = np.array(steps)
    assert len(steps) > 80
    assert np.mean(steps**2) == pytest.approx(2 * 40 * 0.1, rel=0.25)


def test_gaze_stays_in_the_photograph():
    path = NaturalMovie(drift=4000.0, saccade_rate=20.0, saccade_size=100.0, scale=2.0).gaze(3000, size=64)
    assert path.min() >= 0
    assert path.max() <= 256 - 64
    assert np.ptp(path, axis=0).min() > 150


def test_saccades_are_jumps():
    still = NaturalMovie(drift=0.0, saccade_rate=0.0).gaze(2000)
    assert np.ptp(still, axis=0).max() == 0
    jumps = NaturalMovie(drift=0.0, saccade_rate=3.0).gaze(20_000)
    moved = (np.abs(np.diff(jumps, axis=0)).sum(axis=1) > 0).sum()
    assert 35 < moved < 90  # 60 expected


def test_the_same_walk_for_any_duration_and_frame_rate():
    film = NaturalMovie(seed=4, saccade_rate=2.0, contrast=0.2)  # nothing is cut
    np.testing.assert_array_equal(film.gaze(500)[:200], film.gaze(200)[:200])
    fast, slow = film.movie(500).contrast_signal(), film.movie(500, frame_rate=50).contrast_signal()
    assert np.corrcoef(fast[::2].ravel(), slow.ravel())[0, 1] > 0.9999


def test_pixels_are_those_of_the_photograph():
    film = NaturalMovie(drift=0.0, scale=1.0, photo="grass", contrast=0.2)
    frame = film.movie(10).frames[0]
    row, column = np.round(film.gaze(10)[0]).astype(int)
    patch = _photograph("grass", 1.0)[row : row + 64, column : column + 64]
    assert np.corrcoef(frame.ravel(), patch.ravel())[0, 1] > 0.9


def test_seed():
    one, same, other = (NaturalMovie(seed=s).movie(50).frames for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.05
    assert np.isnan([NaturalMovie().orientation, NaturalMovie().B_theta]).all()
    assert 0 < dominant_orientation(NaturalMovie().movie(50))[1] < 0.9


def test_bad_input():
    with pytest.raises(ValueError, match=r"photo = 'camra' is unknown.*did you mean 'camera'"):
        NaturalMovie(photo="camra")
    with pytest.raises(ValueError, match="drift = -1 pixel"):
        NaturalMovie(drift=-1)
    with pytest.raises(ValueError, match=r"size = 400 pixels is larger than the photograph 'camera'.*smaller scale"):
        NaturalMovie().movie(10, 400)
