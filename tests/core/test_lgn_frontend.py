"""The LGN as a whole: impulse, step, moving disk, tuning of every channel, contrast gain, bad input."""

import dataclasses

import numpy as np
import pytest

from netlib.base.orientation import distance, hwhh_from_B_theta, signed_distance
from netlib.lgn import LGN, ContrastResponse, frontend
from netlib.lgn.channels import pool, receptive_fields
from netlib.lgn.filters import dog_gain, dog_kernel
from netlib.stimuli.movie import Movie

STEADY = 200.0  # ms: the onset transient is over


def show(signal, frame_duration=10.0):
    return Movie(0.5 + 0.5 * np.asarray(signal), frame_duration)


def grating(theta, contrast=1.0, duration=300.0, size=64, sf=0.1, tf=8.0, frame_duration=10.0):
    """Drifting grating written here from the definition: contours along (cos theta, sin theta), y up."""
    x = np.arange(size) - (size - 1) / 2
    y = -x[:, None]
    across = -x * np.sin(np.radians(theta)) + y * np.cos(np.radians(theta))
    t = np.arange(round(duration / frame_duration)) * frame_duration / 1000
    return show(contrast * np.cos(2 * np.pi * (sf * across - tf * t[:, None, None])), frame_duration)


@pytest.fixture(scope="module")
def lgn():
    return LGN(n_orientations=12, spontaneous=5.0, peak_rate=30.0)


@pytest.fixture(scope="module")
def coarse(lgn):
    """The same front end in steps of 5 ms, enough for mean rates."""
    return dataclasses.replace(lgn, dt=5.0)


@pytest.fixture(scope="module")
def tuning(lgn, coarse):
    """Rates above spontaneous (n_stimuli, n_channels) and the stimulus orientations."""
    theta = np.arange(0, 180, 5.0)
    return theta, np.array([coarse.respond(grating(a)).mean(STEADY) for a in theta]) - lgn.spontaneous


def test_impulse_gives_the_receptive_field_in_space_and_the_kernel_in_time(lgn):
    signal = np.zeros((300, 33, 33))
    signal[40, 16, 16] = 1.0
    response = lgn.linear(show(signal, 1.0))  # one pixel lights up for 1 ms
    scale = dog_gain(0.1) * lgn.temporal.best_gain[1]
    after = np.arange(300) + 0.5 - 40.5  # middle of the bin against middle of the flash
    assert np.allclose(response[:, 16, 16] * scale, dog_kernel()[6, 6] * lgn.temporal(after), atol=3e-3)
    assert np.all(response[:40] == 0)
    frame = response[40 + 27]
    assert np.allclose(frame[10:23, 10:23] / frame[16, 16], dog_kernel() / dog_kernel()[6, 6], atol=1e-5)


def test_step_gives_the_step_response_and_a_sustained_rate(lgn):
    signal = np.zeros((60, 33, 33))
    signal[10:, 16, 16] = 0.5
    response = lgn.linear(show(signal))
    scale = dog_gain(0.1) * lgn.temporal.best_gain[1]
    expected = 0.5 * dog_kernel()[6, 6] * lgn.temporal.step(np.arange(600) + 0.5 - 100)
    assert np.allclose(response[:, 16, 16] * scale, expected, atol=1e-4)
    assert response[:, 16, 16].argmax() == 149  # the peak is where the kernel crosses zero, 50 ms after onset
    assert 0 < response[-1, 16, 16] < 0.5 * response[:, 16, 16].max()


def test_on_and_off_are_opposite(lgn):
    signal = np.random.default_rng(3).uniform(-1, 1, (20, 32, 32)).astype(np.float32)
    on, off = lgn.on_off(show(signal))
    dark_on, dark_off = lgn.on_off(show(-signal))
    assert np.allclose(on, dark_off, atol=1e-4)
    assert np.allclose(off, dark_on, atol=1e-4)
    assert np.all((on == lgn.spontaneous) | (off == lgn.spontaneous))  # never both at once
    assert np.array_equal(lgn.linear(show(signal)) > 0, on > lgn.spontaneous)
    assert on.max() > 2 * lgn.spontaneous


def moving_disk(sign, speed=0.2, radius=5.0, size=48, duration=400):
    """A disk that crosses the screen from left to right at ``speed`` px/ms."""
    x = np.arange(size)
    y = np.arange(size)[:, None]
    t = np.arange(0, duration, 5.0)
    inside = np.hypot(x - speed * t[:, None, None], y - size // 2) < radius
    return show(sign * inside.astype(float), 5.0)


def test_moving_disk_excites_on_cells_at_its_leading_edge_and_off_cells_behind(lgn):
    on, off = lgn.on_off(moving_disk(+1))
    path_on, path_off = on[:, 24, :], off[:, 24, :]
    reached = (np.array([20, 30]) - 5.0) / 0.2  # when the leading edge reaches these columns (ms)
    left = (np.array([20, 30]) + 5.0) / 0.2  # when the trailing edge leaves them
    on_peak, off_peak = path_on[:, [20, 30]].argmax(0), path_off[:, [20, 30]].argmax(0)
    assert np.all((on_peak > reached) & (on_peak < left + 27))
    assert np.all(off_peak > on_peak + 10)
    assert on_peak[1] - on_peak[0] == pytest.approx(10 / 0.2, abs=6)  # the response travels with the disk
    dark_on, dark_off = lgn.on_off(moving_disk(-1))
    assert np.allclose(dark_on, off, atol=1e-4)
    assert np.allclose(dark_off, on, atol=1e-4)
    assert np.abs(path_on[:100, 40:] - lgn.spontaneous).max() < 1e-3  # nothing ahead of the disk


def test_grey_gives_exactly_the_spontaneous_rate(lgn):
    rates = lgn.respond(show(np.zeros((20, 32, 40)))).rates
    assert rates.shape == (12, 200)
    assert np.all(rates == lgn.spontaneous)


def test_every_channel_prefers_its_own_orientation(lgn, tuning):
    theta, response = tuning
    vector = np.exp(2j * np.radians(theta)) @ response
    preferred = np.degrees(np.angle(vector)) / 2 % 180
    assert np.abs(signed_distance(preferred, lgn.orientations)).max() < 0.5
    best = lgn.orientations[response.argmax(axis=1)]
    assert np.all(distance(best, theta) <= distance(lgn.orientations[:, None], theta).min(axis=0) + 1e-9)
    assert np.ptp(response.max(axis=0)) < 0.02 * response.max()  # all channels are equally strong


def test_tuning_is_symmetric_and_as_wide_as_asked(lgn, tuning):
    theta, response = tuning
    offsets = np.arange(0, 90, 5)
    for channel, preferred in enumerate(lgn.orientations):
        at = np.interp(np.append(preferred + offsets, preferred - offsets) % 180, theta, response[:, channel])
        right, left = np.split(at, 2)
        assert np.allclose(left, right, atol=0.02 * response.max())
        half = np.interp(-0.5 * right[0], -right, offsets)
        assert half == pytest.approx(hwhh_from_B_theta(lgn.B_theta), abs=1.0)
    orthogonal = distance(theta[:, None], lgn.orientations) > 80
    assert response[orthogonal].max() < 0.01 * response.max()


@pytest.mark.parametrize("turn", [15.0, 45.0, 105.0])
def test_rotating_the_stimulus_rotates_the_response(coarse, turn):
    before = coarse.respond(grating(7.0)).mean(STEADY)
    after = coarse.respond(grating(7.0 + turn)).mean(STEADY)
    assert np.allclose(np.roll(before, round(turn / 15)), after, atol=0.02 * coarse.peak_rate)


def test_transposing_the_movie_mirrors_the_channels(lgn):
    """Exchanging rows and columns maps theta to 90 - theta (mod 180), whatever the movie."""
    signal = np.random.default_rng(4).uniform(-1, 1, (20, 40, 40))
    direct = lgn.respond(show(signal)).rates
    mirrored = lgn.respond(show(-signal.transpose(0, 2, 1))).rates
    # Rows point down: transposing reflects about the falling diagonal, 135 degrees.
    channel = ((270 - lgn.orientations) % 180 / 15).round().astype(int)
    assert np.allclose(mirrored[channel], direct, atol=1e-3)


def test_response_to_a_drifting_grating_is_stationary_and_of_the_stated_size(lgn):
    rates = lgn.respond(grating(30.0, duration=600, tf=7.5)).rates[2]
    steady = rates[int(STEADY) :]
    assert steady.std() < 0.01 * steady.mean()
    assert steady.mean() - lgn.spontaneous == pytest.approx(lgn.peak_rate, rel=0.03)
    assert rates[0] == pytest.approx(lgn.spontaneous, abs=0.1)
    assert rates.max() < 2 * steady.mean()


@pytest.mark.parametrize(("c50", "exponent"), [(0.3, 1.0), (0.2, 2.0), (np.inf, 1.0)])
def test_contrast_gain_follows_the_formula_and_keeps_the_tuning(c50, exponent):
    lgn = LGN(n_orientations=12, c50=c50, exponent=exponent, dt=5.0)
    contrasts = np.array([0.05, 0.1, 0.3, 0.6, 1.0])
    response = np.array([lgn.respond(grating(20.0, c)).mean(STEADY) for c in contrasts]) - lgn.spontaneous
    best = response[:, 1]
    assert np.allclose(best / best[-1], ContrastResponse(c50, exponent)(contrasts), rtol=0.02)
    shapes = response / best[:, None]
    assert np.abs(shapes - shapes[-1]).max() < 0.01


def test_channels_pool_on_minus_off_by_inner_product(lgn):
    movie = show(np.random.default_rng(5).uniform(-1, 1, (10, 32, 32)))
    on, off = lgn.on_off(movie)
    positions = receptive_fields(32, 32, 12, lgn.sf_0, lgn.B_sf, lgn.B_theta, lgn.n_positions)
    pooled = pool(on - off, positions)
    assert np.allclose(lgn.spontaneous + pooled, lgn.respond(movie).rates, rtol=1e-4)
    here = positions[5]
    patch = (on - off)[70, here.rows, here.columns].ravel()
    by_hand = np.hypot(here.fields[3] @ patch, here.fields[12 + 3] @ patch)
    assert pool((on - off)[70:71], (here,))[3, 0] == pytest.approx(by_hand, rel=1e-5)


def test_a_later_stimulus_gives_the_same_response_later(lgn):
    """Blocks, memory of the kernel and time steps leave no seam: 430 ms of grey delay everything by 430 ms."""
    alone = grating(60.0, duration=600.0, size=32)
    late = Movie(np.concatenate([np.full((43, 32, 32), 0.5), alone.frames]), 10.0)
    assert np.allclose(lgn.respond(late).rates[:, 430:], lgn.respond(alone).rates, atol=1e-3)


def test_blocks_leave_no_seam(lgn, monkeypatch):
    movie = grating(60.0, duration=600.0, size=32)
    whole = lgn.respond(movie).rates
    monkeypatch.setattr(frontend, "BLOCK", 70 * 32 * 32)  # 70 bins at a time, off the frames
    assert np.allclose(lgn.respond(movie).rates, whole, atol=1e-3)


def test_mean_luminance_is_no_contrast(coarse):
    """The gain divides by local contrast, not by brightness: a brighter screen changes nothing in the middle."""
    bright = grating(60.0, 0.2)
    bright = Movie(bright.frames + 0.2, 10.0)
    one = dataclasses.replace(coarse, n_positions=1)
    assert np.allclose(one.respond(bright).mean(250), one.respond(grating(60.0, 0.2)).mean(250), rtol=0.02)


def test_time_step_and_frame_rate_change_only_the_sampling(lgn, coarse):
    movie = grating(45.0, duration=500.0, size=32, frame_duration=1000 / 24)
    fine = lgn.respond(movie).rates
    assert fine.shape == (12, 500)
    assert np.allclose(coarse.respond(movie).rates, fine[:, 2::5], atol=1e-3)


def test_channels_agree_with_the_gratings_of_the_stimuli_room(coarse):
    from netlib.stimuli import Grating

    for theta in (20.0, 100.0, 155.0):
        rates = coarse.respond(Grating(theta=theta).movie(300.0)).mean(STEADY)
        assert distance(coarse.orientations[rates.argmax()], theta) <= 7.5


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_orientations": 1}, "n_orientations = 1 channels"),
        ({"spontaneous": -1}, "spontaneous = -1 Hz"),
        ({"peak_rate": 0}, "peak_rate = 0 Hz"),
        ({"sf_0": 0.6}, "sf_0 = 0.6 cycles/px"),
        ({"B_sf": 0}, "B_sf = 0 cycles/px"),
        ({"B_theta": 0.26}, "B_theta = 0.26 deg"),
        ({"c50": -0.1}, "c50 = -0.1"),
        ({"exponent": 0}, "exponent = 0"),
        ({"sigma_gain": 0}, "sigma_gain = 0 px"),
        ({"dt": 0}, "dt = 0 ms"),
        ({"dt": float("nan")}, "dt = nan ms"),
    ],
)
def test_bad_parameters_are_named(change, match):
    with pytest.raises(ValueError, match=match):
        LGN(**change)


def test_bad_movies_are_refused(lgn):
    with pytest.raises(ValueError, match="movie height = 20 px"):
        lgn.respond(show(np.zeros((5, 20, 64))))
    with pytest.raises(ValueError, match=r"dt = 20.0 ms .* 10 ?\]? ?"):
        dataclasses.replace(lgn, dt=20.0).respond(show(np.zeros((5, 32, 32))))
    with pytest.raises(TypeError, match="Movie"):
        lgn.respond(np.zeros((5, 32, 32)))
    with pytest.raises(TypeError, match="temporal"):
        LGN(temporal="biphasic")
