"""Grating, Gabor, log-Gabor, blank: formulas, orientation and direction as displayed, bad input."""

import dataclasses
import logging
import sys
import warnings

import numpy as np
import pytest

from netlib.base.orientation import signed_distance
from netlib.stimuli import (
    Blank,
    Gabor,
    Grating,
    LogGabor,
    MotionCloud,
    Movie,
    NaturalMovie,
    dominant_orientation,
    orientation_content,
)

# Several are not symmetric about an axis or a diagonal: a mirrored or transposed convention fails.
ANGLES = (0.0, 10.0, 20.0, 33.0, 45.0, 70.0, 90.0, 110.0, 135.0, 160.0, 175.0)


def oriented(name: str):
    if name == "LogGabor":
        pytest.importorskip("LogGabor")
    return {
        "Grating": Grating(),
        "GratingAperture": Grating(aperture=40),
        "Gabor": Gabor(),
        "LogGabor": LogGabor(),
        "MotionCloud0": MotionCloud(B_theta=0.0),
        "DriftingGabor": Gabor(temporal_frequency=5),
    }[name]


def speed_along(movie, direction: float) -> float:
    """Speed (pixels/frame) along a direction (degrees, 0 rightward, 90 upward), by least squares on the gradients."""
    signal = movie.contrast_signal().astype(float)
    change = (signal[2:] - signal[:-2]) / 2
    d = np.radians(direction)
    slope = np.gradient(signal, axis=2) * np.cos(d) - np.gradient(signal, axis=1) * np.sin(d)
    slope, change = slope[1:-1, 4:-4, 4:-4], change[:, 4:-4, 4:-4]
    return -np.sum(change * slope) / np.sum(slope**2)


@pytest.mark.parametrize("theta", ANGLES)
@pytest.mark.parametrize("name", ["Grating", "GratingAperture", "Gabor", "DriftingGabor", "LogGabor", "MotionCloud0"])
def test_displayed_orientation_is_theta(name, theta):
    stimulus = dataclasses.replace(oriented(name), theta=theta)
    measured, coherence = dominant_orientation(stimulus.movie(200))
    assert abs(signed_distance(measured, theta)) < 0.5
    assert coherence > 0.9
    assert stimulus.orientation == theta


def test_a_line_drawn_by_hand_has_the_orientation_it_looks_like():
    # The ruler itself: from bottom left to top right is 45 degrees when row 0 is on top.
    frames = np.full((1, 32, 32), 0.5)
    for i in range(32):
        frames[0, 31 - i, i] = 1.0
    assert dominant_orientation(Movie(frames, 10.0))[0] == pytest.approx(45, abs=1)
    orientations, energy = orientation_content(Movie(frames, 10.0), 12)
    assert orientations[energy[0].argmax()] == 45


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("theta", [0.0, 20.0, 90.0, 135.0])
@pytest.mark.parametrize("kind", ["Grating", "Gabor", "LogGabor"])
def test_waves_drift_towards_their_direction(kind, theta, reverse):
    if kind == "LogGabor":
        pytest.importorskip("LogGabor")
    make = {"Grating": Grating, "Gabor": Gabor, "LogGabor": LogGabor}[kind]
    stimulus = make(theta=theta, temporal_frequency=4.0, reverse=reverse)
    assert stimulus.direction == (theta + (90 if reverse else -90)) % 360
    movie = stimulus.movie(250)
    assert speed_along(movie, stimulus.direction) == pytest.approx(0.4, rel=0.2)  # 4 Hz / 0.1 c/px / 100 Hz
    assert stimulus.reversed().direction == (stimulus.direction + 180) % 360


def test_vertical_bars_move_right():
    frames = Grating(theta=90, sf=1 / 16, temporal_frequency=100 / 16).movie(160, 32).frames
    # One pixel per frame, to the right.
    np.testing.assert_allclose(frames[1][:, 1:], frames[0][:, :-1], atol=1e-5)


def test_grating_formula():
    stimulus = Grating(theta=25, sf=0.07, temporal_frequency=3, phase=40, contrast=0.6)
    movie = stimulus.movie(500, 20, 50)
    row, column, frame = 3, 15, 7
    x, y, t = column - 9.5, 9.5 - row, frame * 20 / 1000
    d = np.radians(25 - 90)
    expected = 0.5 + 0.3 * np.cos(2 * np.pi * (0.07 * (x * np.cos(d) + y * np.sin(d)) - 3 * t) + np.radians(40))
    assert movie.frames[frame, row, column] == pytest.approx(expected, abs=1e-5)


def test_grating_contrast_is_michelson():
    frames = Grating(contrast=0.3, temporal_frequency=5).movie(1000).frames
    assert (frames.max() - frames.min()) / (frames.max() + frames.min()) == pytest.approx(0.3, abs=1e-3)
    assert frames.mean() == pytest.approx(0.5, abs=5e-3)


def test_aperture():
    signal = Grating(theta=0, sf=0.01, temporal_frequency=0, aperture=30, edge=6).movie(10, 61).contrast_signal()[0]
    full = Grating(theta=0, sf=0.01, temporal_frequency=0).movie(10, 61).contrast_signal()[0]
    profile = (signal / full)[30, 30:]
    np.testing.assert_allclose(profile[:12], 1, atol=1e-5)
    assert profile[15] == pytest.approx(0.5, abs=1e-5)
    np.testing.assert_allclose(profile[19:], 0, atol=1e-5)


def test_gabor_window_and_centre():
    signal = Gabor(sf=0.01, theta=90, sigma=5, centre_x=10.5, centre_y=4.5).movie(10, 64).contrast_signal()[0]
    row, column = np.unravel_index(signal.argmax(), signal.shape)
    assert (column - 31.5, 31.5 - row) == (10.5, 4.5)
    assert signal[row, column] == pytest.approx(1, abs=1e-5)
    assert signal[row + 5, column] == pytest.approx(np.exp(-0.5), abs=1e-4)


def test_static_waves_stand_still():
    for stimulus in (Gabor(), Grating(temporal_frequency=0), Blank()):
        frames = stimulus.movie(50).frames
        assert np.ptp(frames, axis=0).max() == 0
        assert np.isnan(stimulus.direction)
        with pytest.raises(ValueError, match="no direction of motion"):
            stimulus.reversed()


def test_blank_is_grey():
    assert (Blank().movie(100, 8).frames == 0.5).all()
    assert np.isnan([Blank().orientation, Blank().B_theta]).all()
    assert Blank().contrast == 0


def test_log_gabor_follows_its_parameters():
    pytest.importorskip("LogGabor")
    signal = LogGabor(theta=20, centre_x=8.5, centre_y=-4.5, contrast=0.8).movie(10).contrast_signal()[0]
    row, column = np.unravel_index(signal.argmax(), signal.shape)
    assert (column - 31.5, 31.5 - row) == pytest.approx((8.5, -4.5), abs=1)
    assert signal.max() == pytest.approx(0.8, abs=0.02)
    spectrum = np.abs(np.fft.fft2(LogGabor(theta=0, sf_0=0.125).movie(10).contrast_signal()[0]))[:32, 0]
    assert spectrum.argmax() / 64 == pytest.approx(0.11, abs=0.02)  # ln-normal times 1/f: peak at sf_0 exp(-B_sf^2)
    # A wider bandwidth holds more orientations.
    coherence = [dominant_orientation(LogGabor(theta=70, B_theta=b).movie(10))[1] for b in (8, 20, 45)]
    assert coherence[0] > coherence[1] > coherence[2]


@pytest.mark.parametrize("size", [33, 64])
def test_log_gabor_odd_and_even_sizes(size):
    pytest.importorskip("LogGabor")
    assert abs(signed_distance(dominant_orientation(LogGabor(theta=20).movie(10, size))[0], 20)) < 0.5


def test_log_gabor_touches_nothing_else(tmp_path, monkeypatch):
    pytest.importorskip("LogGabor")
    import socket

    from netlib.stimuli import gratings as gabor

    def refuse(*args, **options):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    gabor._package.cache_clear()
    gabor._patch.cache_clear()
    handlers, filters = list(logging.getLogger().handlers), list(warnings.filters)
    LogGabor(theta=20).movie(10)
    assert list(tmp_path.iterdir()) == []  # no debug.log
    assert logging.getLogger().handlers == handlers
    assert warnings.filters == filters


def test_log_gabor_missing_says_what_to_install(monkeypatch):
    from netlib.stimuli import gratings as gabor

    gabor._package.cache_clear()
    gabor._patch.cache_clear()
    monkeypatch.setitem(sys.modules, "LogGabor", None)
    with pytest.raises(ImportError, match="make loggabor"):
        LogGabor().movie(10)


@pytest.mark.parametrize("stimulus", [Grating(), Gabor(), MotionCloud(), NaturalMovie(), Blank()])
def test_numpys_global_generator_is_untouched(stimulus):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    stimulus.movie(50)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2:] == after[2:]
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize("make", [Grating, Gabor, LogGabor, MotionCloud])
def test_radians_by_mistake(make):
    with pytest.raises(ValueError, match=r"theta = 0.785.* deg looks like radians \(45 deg\)"):
        make(theta=np.pi / 4)


@pytest.mark.parametrize("make", [Grating, Gabor, LogGabor, MotionCloud, NaturalMovie])
@pytest.mark.parametrize("contrast", [1.5, -0.1, np.nan])
def test_bad_contrast(make, contrast):
    with pytest.raises(ValueError, match=r"contrast = .* is out of range: it must be in \[0, 1\]"):
        make(contrast=contrast)


def test_angles_wrap():
    assert Grating(theta=200).theta == 20
    assert Grating(theta=-45).theta == 135


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Grating, {"sf": 0.7}, r"sf = 0.7 cycles/pixel is out of range: it must be in \(0, 0.5\) cycles/pixel"),
        (Grating, {"temporal_frequency": -1}, "temporal_frequency = -1 Hz"),
        (Grating, {"edge": 30.0, "aperture": 20.0}, "edge = 30.0 pixels"),
        (Gabor, {"sigma": 0}, "sigma = 0 pixels"),
        (LogGabor, {"B_theta": 1.0}, "B_theta = 1.0 deg"),
        (MotionCloud, {"B_theta": -1.0}, r"B_theta = -1.0 deg is out of range: it must be in \[0, inf\) deg"),
        (MotionCloud, {"B_sf": 0}, "B_sf = 0 cycles/pixel"),
        (MotionCloud, {"seed": -1}, "seed = -1"),
    ],
)
def test_bad_parameters(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": -100}, r"duration = -100 ms is out of range: it must be in \(0, inf\) ms"),
        ({"duration": 100, "frame_rate": -60}, r"frame_rate = -60 Hz is out of range: it must be in \(0, inf\) Hz"),
        ({"duration": 100, "size": 0}, "size = 0 pixels"),
        (
            {"duration": 1000, "frame_rate": 8},
            r"temporal_frequency = 4.0 Hz is out of range: it must be in \[0, 4\) Hz",
        ),
    ],
)
def test_bad_rendering(options, message):
    with pytest.raises(ValueError, match=message):
        Grating().movie(**options)
