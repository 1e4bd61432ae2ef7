"""Kernels of the LGN against their equations: space, time, log-Gabor."""

import numpy as np
import pytest
from scipy.signal import convolve2d, fftconvolve

from netlib.lgn.channels import centres, log_gabor, log_gabor_envelope, minimum_size, receptive_fields
from netlib.lgn.filters import (
    TemporalKernel,
    dog_gain,
    dog_kernel,
    dog_response,
    hold_matrix,
    local_contrast_moments,
)
from netlib.lgn.rates import ContrastResponse


def dog_profile(r, centre=1.0, surround=1.2):
    return np.exp(-(r**2) / (2 * centre**2)) / centre**2 - np.exp(-(r**2) / (2 * surround**2)) / surround**2


def test_dog_profile_has_the_published_landmarks():
    r = np.linspace(0, 6, 60001)
    D = dog_profile(r)
    assert D[0] == pytest.approx(0.3056, abs=5e-5)
    assert r[np.flatnonzero(np.diff(np.sign(D)))[0]] == pytest.approx(1.55, abs=0.01)
    assert r[D.argmin()] == pytest.approx(2.18, abs=0.01)
    assert D.min() == pytest.approx(-0.040, abs=5e-4)
    assert np.trapezoid(2 * np.pi * r * D, r) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("sigmas", [(1.0, 1.2), (0.7, 2.0), (3.0, 9.0)])
def test_dog_kernel_is_balanced_symmetric_and_follows_the_profile(sigmas):
    kernel = dog_kernel(*sigmas)
    assert abs(kernel.sum()) < 1e-12
    assert np.array_equal(kernel, kernel[::-1, ::-1])
    assert np.allclose(kernel, kernel.T, atol=1e-16)
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    expected = dog_profile(np.hypot(x, y), *sigmas)
    assert np.abs(kernel - expected).max() < 0.01 * expected.max()
    # The window is not cut inside the surround: its rim is negligible against the minimum.
    assert np.abs(kernel[0]).max() < 1e-3 * abs(kernel.min())


def test_dog_response_is_the_inner_product_with_the_kernel():
    frames = np.random.default_rng(1).uniform(-1, 1, (3, 20, 31)).astype(np.float32)
    expected = np.stack([convolve2d(frame, dog_kernel(), mode="same") for frame in frames])
    assert np.allclose(dog_response(frames), expected, atol=2e-6)


def test_dog_ignores_uniform_light_and_has_the_gain_it_states():
    assert np.abs(dog_response(np.ones((1, 41, 41)))[0, 8:-8, 8:-8]).max() < 1e-5
    x = np.arange(101)
    wave = np.broadcast_to(np.cos(2 * np.pi * 0.1 * x), (1, 41, 101))
    assert dog_response(wave)[0, 20, 10:-10].max() == pytest.approx(dog_gain(0.1), rel=1e-4)
    analytic = 2 * np.pi * (np.exp(-2 * np.pi**2 * 0.01) - np.exp(-2 * np.pi**2 * 0.01 * 1.44))
    assert dog_gain(0.1) == pytest.approx(analytic, rel=1e-4)


def test_local_contrast_of_a_grating_and_of_grey():
    x = np.arange(64)
    wave = np.broadcast_to(0.4 * np.cos(2 * np.pi * 0.1 * x), (1, 64, 64))
    mean, square = local_contrast_moments(wave, 8.0)
    contrast = np.sqrt(2 * (square - mean**2))[0]
    assert np.allclose(contrast[:, 12:-12], 0.4, rtol=0.01)
    mean, square = local_contrast_moments(np.full((1, 64, 64), 0.7), 8.0)
    assert np.abs(square - mean**2).max() < 1e-6  # uniform light has no contrast, up to the border


def test_temporal_kernel_has_the_published_landmarks():
    h = TemporalKernel()
    t = np.arange(0, 400, 0.01)
    values = h(t)
    assert values.max() == pytest.approx(1.035, abs=5e-4)
    assert t[values.argmax()] == pytest.approx(27, abs=0.1)
    assert h.zero_crossings == pytest.approx([50], abs=0.2)
    assert values.min() == pytest.approx(-0.422, abs=5e-4)
    assert t[values.argmin()] == pytest.approx(70, abs=0.5)
    assert h.step(1e4) == pytest.approx(7.1, abs=0.05)
    assert np.all(h([-5.0, -0.001]) == 0)


def test_step_responses_are_the_integrals_of_the_kernel():
    h = TemporalKernel()
    edges = np.arange(0, 320, 0.01)
    middle = h(edges[:-1] + 0.005) * 0.01
    assert np.allclose(h.step(edges[1:]), np.cumsum(middle), atol=1e-5)
    absolute = np.cumsum(np.abs(middle))
    assert np.allclose(h.absolute_step(edges[1:]), absolute / absolute[-1], atol=1e-5)
    assert h.step(-3.0) == 0
    assert h.absolute_step(-3.0) == 0
    assert h.absolute_step(1e5) == pytest.approx(1)
    assert abs(h.step(h.duration) - h.step(1e5)) < 1e-5


def test_hold_matrix_is_exact_for_frames_off_the_millisecond_grid():
    h = TemporalKernel()
    edges = np.arange(25) * 1000 / 24
    frames = np.random.default_rng(2).uniform(-1, 1, 24)
    times = np.arange(1000) + 0.5
    fine = 1 / 60  # ms: 2500 of them make a frame
    signal = np.repeat(frames, 2500)
    kernel = h(np.arange(0, 300, fine) + fine / 2) * fine
    brute = fftconvolve(signal, kernel)  # sample k: output at the end of fine step k
    expected = brute[np.round(times / fine).astype(int) - 1]
    assert np.allclose(hold_matrix(h.step, times, edges) @ frames, expected, atol=1e-4)


def test_best_gain_is_a_maximum_over_temporal_frequency():
    h = TemporalKernel()
    frequency, gain = h.best_gain
    t = np.arange(0.005, 300, 0.01)
    for f in (frequency - 0.5, frequency, frequency + 0.5):
        amplitude = abs((h(t) * np.exp(-2j * np.pi * f * t * 1e-3)).sum() * 0.01)
        assert amplitude <= gain * (1 + 1e-3)
    assert 5 < frequency < 10


@pytest.mark.parametrize("theta", [0, 20, 45, 71, 90, 133])
def test_log_gabor_is_a_quadrature_pair_for_its_own_orientation(theta):
    field = log_gabor(81, 0.1, 0.05, theta, 15.0)
    assert np.allclose(field.real, field.real[::-1, ::-1])
    assert np.allclose(field.imag, -field.imag[::-1, ::-1])
    assert abs(field.sum()) < 1e-3
    x = np.arange(81) - 40
    y = -x[:, None]
    across = -x * np.sin(np.radians(theta)) + y * np.cos(np.radians(theta))
    for phase in (0.0, 0.7, 2.0):
        assert abs((field * np.cos(2 * np.pi * 0.1 * across + phase)).sum()) == pytest.approx(1, abs=2e-3)
        along = x * np.cos(np.radians(theta)) + y * np.sin(np.radians(theta))
        assert abs((field * np.cos(2 * np.pi * 0.1 * along + phase)).sum()) < 2e-3


def test_log_gabor_envelope_equation():
    assert log_gabor_envelope(np.array(0.0), np.array(0.1), 0.1, 0.05, 0.0, 15.0) == pytest.approx(1)
    at_sd = log_gabor_envelope(np.array(0.0), np.array(0.15), 0.1, 0.05, 0.0, 15.0)
    assert at_sd == pytest.approx(np.exp(-0.5))
    d = np.radians(10.0)
    turned = log_gabor_envelope(0.1 * np.sin(d), 0.1 * np.cos(d), 0.1, 0.05, 0.0, 15.0)
    assert turned == pytest.approx(np.exp((np.cos(d) - 1) / np.radians(15) ** 2))
    assert log_gabor_envelope(np.array(0.0), np.array(0.0), 0.1, 0.05, 0.0, 15.0) == 0


@pytest.mark.parametrize("theta", [0, 20, 75, 130])
def test_log_gabor_envelope_is_that_of_the_loggabor_package(theta, tmp_path, monkeypatch):
    package = pytest.importorskip("LogGabor")
    monkeypatch.chdir(tmp_path)  # the package writes a debug.log where it runs
    parameters = dict.fromkeys(("verbose", "white_n_learning", "white_N_0"), 0) | {
        "N_X": 64, "N_Y": 64, "figsize": 4, "use_cache": False, "do_mask": False, "base_levels": 2.0, "n_theta": 8,
        "B_sf": 0.4, "B_theta": 0.3, "white_name_database": "", "white_N": 0.07, "white_f_0": 0.4, "white_alpha": 1.4,
        "white_steepness": 4.0, "white_recompute": False, "mask_exponent": 3.0, "do_whitening": False,
    }  # fmt: skip
    filters = package.LogGabor(parameters)
    # The package takes radians, the bandwidth of ln f, rows before columns, and weighs by 1 / f.
    theirs = filters.loggabor(0, 0, 0.1, np.log(1.5), np.radians(theta), np.radians(15), preprocess=False) * filters.f
    ours = log_gabor_envelope(filters.f_y, filters.f_x, 0.1, 0.05, theta, 15.0)
    assert np.allclose(theirs / theirs.max(), ours / ours.max(), atol=1e-9)


def test_receptive_fields_lie_on_a_symmetric_grid_inside_the_screen():
    assert centres(64, 4, 0.1).tolist() == [12, 25, 38, 51]
    assert centres(minimum_size(0.1), 2, 0.1).tolist() == [12, 12]
    positions = receptive_fields(40, 64, 5, 0.1, 0.05, 15.0, 3)
    assert len(positions) == 9
    for here in positions:
        rows, columns = here.rows.stop - here.rows.start, here.columns.stop - here.columns.start
        assert 0 <= here.rows.start < here.rows.stop <= 40
        assert 0 <= here.columns.start < here.columns.stop <= 64
        assert here.fields.shape == (10, rows * columns)


def test_contrast_response_is_the_naka_rushton_curve():
    c = np.array([0.0, 0.1, 0.4, 1.0])
    response = ContrastResponse(c50=0.4, exponent=2.0)
    naka_rushton = c**2 / (c**2 + 0.4**2)
    assert np.allclose(response(c), naka_rushton / naka_rushton[-1])
    assert response(0.4) == pytest.approx(0.5 * (1 + 0.4**2))
    assert np.allclose(ContrastResponse(c50=np.inf, exponent=1.0)(c), c)
    assert ContrastResponse(0.3, 1.0).gain(0.0) == pytest.approx(1.3 / 0.3)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: ContrastResponse(c50=0), "c50 = 0"),
        (lambda: ContrastResponse(exponent=0.5), "exponent = 0.5"),
        (lambda: TemporalKernel(c1=-0.1), "c1 = -0.1 1/ms"),
        (lambda: TemporalKernel(t0=6), "t0 = 6 ms"),
        (lambda: dog_kernel(1.0, 0.9), "sigma_surround = 0.9 px"),
        (lambda: dog_kernel(0.2, 0.9), "sigma_centre = 0.2 px"),
        (lambda: log_gabor(41, theta=np.pi / 4), "radians"),
        (lambda: receptive_fields(24, 64, 12, 0.1, 0.05, 15.0, 4), "movie height = 24 px"),
    ],
)
def test_bad_parameters_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()
