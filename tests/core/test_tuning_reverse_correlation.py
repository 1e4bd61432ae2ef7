"""Receptive fields by reverse correlation, against the known fields of simulated cells."""

import numpy as np
import pytest

from netlib.lgn import LGN, poisson_spikes
from netlib.stimuli import DenseNoise
from netlib.tuning.reverse_correlation import reverse_correlation

SIZE, STEP = 16, 10.0


def gabor(size: int = SIZE, theta: float = 30.0, wavelength: float = 8.0, sigma: float = 2.5) -> np.ndarray:
    """Odd Gabor whose contours lie along ``theta``, of unit norm, row 0 at the top."""
    axis = np.arange(size) - (size - 1) / 2
    x, y = axis[None, :], -axis[:, None]
    across = -x * np.sin(np.radians(theta)) + y * np.cos(np.radians(theta))
    field = np.sin(2 * np.pi * across / wavelength) * np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return field / np.linalg.norm(field)


TIME_COURSE = np.array([0.0, 0.3, 1.0, 0.6, -0.3, -0.2, 0.0])


def simple_cell(signal: np.ndarray, seed: int, rate: float = 150.0) -> np.ndarray:
    """Spikes (ms) of a half-wave rectified linear filter with a Gabor field."""
    drive = np.convolve(signal.reshape(len(signal), -1) @ gabor().ravel(), TIME_COURSE)[: len(signal)]
    drive = np.maximum(drive, 0)
    return poisson_spikes(rate * drive[None] / drive.mean(), STEP, np.random.default_rng(seed))[1]


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return DenseNoise(check=1, hold=STEP, seed=2).movie(60_000.0, SIZE, 1000 / STEP).contrast_signal()


@pytest.fixture(scope="module")
def mapped(noise):
    return reverse_correlation(noise, STEP, simple_cell(noise, 1), len(TIME_COURSE), seed=1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def test_field_of_a_simple_cell_comes_back(mapped):
    assert mapped.best_lag == STEP * TIME_COURSE.argmax()
    assert correlation(mapped.field, gabor()) > 0.8
    truth = TIME_COURSE[:, None, None] * gabor()
    assert correlation(mapped.average, truth) > 0.8


def test_time_course_and_image_separate(mapped):
    course, image, share = mapped.separable
    assert correlation(course, TIME_COURSE) > 0.95
    assert correlation(image, gabor()) > 0.9
    assert 0.5 < share <= 1


def test_z_is_of_unit_spread_where_there_is_no_field(mapped, noise):
    outside = np.abs(gabor()) < 1e-4
    assert mapped.z[:, outside].std() == pytest.approx(1.0, abs=0.3)
    assert np.abs(mapped.z).max() > 8
    unrelated = np.random.default_rng(3).uniform(0, 60_000, mapped.n_spikes)
    chance = reverse_correlation(noise, STEP, unrelated, len(TIME_COURSE))
    assert chance.z.std() == pytest.approx(1.0, abs=0.15)
    assert np.abs(chance.z).max() < 5.5
    assert abs(correlation(chance.average, TIME_COURSE[:, None, None] * gabor())) < 0.1


def test_average_is_the_formula():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 2, 3))
    frames = np.array([5, 9, 9, 30])
    found = reverse_correlation(signal, 10.0, frames * 10.0 + 3.0, 4, shifts=2)
    centred = signal - signal.mean(0)
    for lag in range(4):
        np.testing.assert_allclose(found.average[lag], centred[frames - lag].mean(0), atol=1e-6)
    assert found.n_spikes == 4
    assert found.lags.tolist() == [0.0, 10.0, 20.0, 30.0]


def test_whitening_undoes_the_correlations_of_the_movie(noise):
    """A field of one pixel, in a movie where neighbours in a row are alike: only the plain average is smeared."""
    blurred = (noise + np.roll(noise, 1, 2) + np.roll(noise, 2, 2)) / 3
    drive = np.maximum(blurred[:, 8, 8], 0)
    spikes = poisson_spikes(100.0 * drive[None], STEP, np.random.default_rng(4))[1]
    plain, white = (reverse_correlation(blurred, STEP, spikes, 1, whiten=w).field[8] for w in (False, True))
    assert plain[7] / plain[8] == pytest.approx(2 / 3, abs=0.1)
    assert white.argmax() == 8
    assert abs(white[7] / white[8]) < 0.25


def test_centre_and_surround_of_an_lgn_cell():
    """The ON cell of the front end: light in the centre, dark around, after the latency of its temporal kernel."""
    movie = DenseNoise(check=1, hold=STEP, seed=5).movie(15_000.0, SIZE, 1000 / STEP)
    lgn = LGN(spontaneous=0.0, peak_rate=600.0, c50=np.inf, dt=5.0)
    on, off = lgn.on_off(movie)
    centre = (slice(None), SIZE // 2, SIZE // 2)
    maps = []
    for k, rate in enumerate((on, off)):
        _, spikes = poisson_spikes(rate[centre][None], lgn.dt, np.random.default_rng(k))
        maps.append(reverse_correlation(movie.contrast_signal(), STEP, spikes, 10))
    for sign, found in zip((1, -1), maps, strict=True):
        peak = np.unravel_index(np.abs(found.field).argmax(), found.field.shape)
        assert max(abs(p - SIZE // 2) for p in peak) <= 1
        assert sign * found.field[peak] > 0
        assert 10.0 <= found.best_lag <= 60.0
    assert correlation(maps[0].field, maps[1].field) < -0.7


def test_same_seed_same_z(noise):
    spikes = simple_cell(noise[:1000], 4)
    a, b, c = (reverse_correlation(noise[:1000], STEP, spikes, 4, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.z, b.z)
    assert not np.array_equal(a.z, c.z)
    np.testing.assert_array_equal(a.average, c.average)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"spike_time": []}, "spike_time holds no spike"),
        ({"spike_time": [1e9]}, "spike_time holds no spike"),
        ({"n_lags": 30}, "n_lags = 30 frames is out of range"),
        ({"signal": np.ones((40, 4))}, "signal has 2 dimensions"),
        ({"signal": np.ones((40, 4, 4))}, "signal does not vary"),
        ({"shifts": 1}, "shifts = 1"),
    ],
)
def test_bad_values_are_named(change, message):
    good = {"signal": np.random.default_rng(0).normal(size=(40, 4, 4)), "frame_duration": 10.0, "spike_time": [200.0]}
    with pytest.raises(ValueError, match=message):
        reverse_correlation(**(good | {"n_lags": 4} | change))
