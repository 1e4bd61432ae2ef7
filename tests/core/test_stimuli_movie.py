"""Movie: exact sampling in ms, bad input, and files."""

import os

import imageio.v2 as imageio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netlib.stimuli import Grating, Movie
from netlib.stimuli.movie import FORMATS, frame_count


def ramp(n: int, frame_duration: float, size: int = 2) -> Movie:
    """Movie whose frame ``i`` has luminance ``i / n``."""
    return Movie(np.tile((np.arange(n) / n)[:, None, None], (1, size, size)), frame_duration)


def shown(movie: Movie, n: int) -> np.ndarray:
    """Index of the frame of a ``ramp`` of ``n`` that each frame of ``movie`` shows."""
    return np.round(movie.frames[:, 0, 0] * n).astype(int)


def test_24_hz_is_exact_in_ms():
    film = ramp(24, 1000 / 24)
    assert film.duration == pytest.approx(1000, abs=1e-9)
    index = shown(film.resample(1.0), 24)
    assert len(index) == 1000
    # Frame 1 comes on at 41.667 ms: sample 41 is still frame 0, sample 42 is frame 1.
    np.testing.assert_array_equal(index[[41, 42, 83, 84]], [0, 1, 1, 2])
    assert index[-1] == 23
    # Each group of 3 frames lasts exactly 125 ms.
    assert (np.bincount(index).reshape(8, 3).sum(axis=1) == 125).all()


def test_24_hz_stays_exact_over_a_minute():
    film = ramp(24 * 60, 1000 / 24, size=1)
    index = shown(film.resample(1.0), 24 * 60)
    assert len(index) == 60_000
    exact = np.arange(60_000) * 24 // 1000  # in whole numbers
    np.testing.assert_array_equal(index, exact)


@given(rate=st.integers(1, 240), step=st.integers(1, 50))
def test_resample_equals_integer_arithmetic(rate, step):
    film = ramp(rate, 1000 / rate, size=1)  # one second
    dt = step / 10  # ms
    if 10_000 // step == 0:
        return
    index = film.frame_index(np.arange(10_000 // step) * dt)
    np.testing.assert_array_equal(index, np.arange(10_000 // step) * step * rate // 10_000)


def test_resample_to_slower_and_shorter():
    film = ramp(10, 10.0)
    np.testing.assert_array_equal(shown(film.resample(25.0), 10), [0, 2, 5, 7])
    assert film.resample(5.0, duration=50.0).shape == (10, 2, 2)


def test_resample_refuses():
    film = ramp(10, 10.0)
    with pytest.raises(ValueError, match=r"duration = 110 ms is longer than the movie: it must be in \(0, 100\] ms"):
        film.resample(1.0, 110)
    with pytest.raises(ValueError, match="dt = -1 ms is out of range"):
        film.resample(-1)
    with pytest.raises(ValueError, match="dt = 200 ms is longer than the movie"):
        film.resample(200.0)
    with pytest.raises(ValueError, match="whole number of time steps"):
        film.resample(3.0, 10.0)


def test_frame_count():
    assert frame_count(1000, 24) == 24
    assert frame_count(500, 24) == 12
    with pytest.raises(ValueError, match=r"duration = 100 ms is not a whole number .* nearest is 83.33"):
        frame_count(100, 24)
    with pytest.raises(ValueError, match="less than one frame"):
        frame_count(1, 100)


def test_contrast_signal_and_times():
    film = ramp(4, 25.0)
    np.testing.assert_allclose(film.contrast_signal()[:, 0, 0], [-1, -0.5, 0, 0.5])
    np.testing.assert_allclose(film.times, [0, 25, 50, 75])
    assert film.frames.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        film.frames[0] = 0


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((0, 4, 4)), "frames is empty"),
        (np.zeros((4, 0, 4)), "frames is empty"),
        (np.zeros((4, 4)), "frames has 2 dimensions"),
        (np.full((2, 2, 2), 1.5), r"frames\[0\] has luminance in \[1.5, 1.5\]: it must be in \[0, 1\]"),
        (np.full((2, 2, 2), -0.1), "it must be in"),
    ],
)
def test_bad_frames(frames, message):
    with pytest.raises(ValueError, match=message):
        Movie(frames, 10.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_names_the_frame(bad):
    frames = np.full((5, 3, 3), 0.5)
    frames[3, 1, 1] = bad
    with pytest.raises(ValueError, match=r"frames\[3\] holds NaN or infinite luminance \(1 such frames\)"):
        Movie(frames, 10.0)


@pytest.mark.parametrize("duration", [0, -10.0, np.nan])
def test_bad_frame_duration(duration):
    with pytest.raises(ValueError, match=r"frame_duration = .* ms is out of range: it must be in \(0, inf\) ms"):
        Movie(np.full((1, 2, 2), 0.5), duration)


def test_rounding_at_the_ends_is_forgiven():
    movie = Movie(np.full((1, 2, 2), 1 + 1e-7), 10.0)
    assert movie.frames.max() <= 1


def test_concatenate():
    film = ramp(3, 10.0)
    both = film.concatenate(film, film)
    assert both.duration == 90
    np.testing.assert_array_equal(shown(both, 3), [0, 1, 2] * 3)
    with pytest.raises(ValueError, match="frame_duration"):
        film.concatenate(ramp(3, 20.0))
    with pytest.raises(ValueError, match="pixels"):
        film.concatenate(ramp(3, 10.0, size=3))


def test_npz_is_exact(tmp_path):
    film = Grating(theta=20).movie(100, 16, 24 * 2.5)
    path = film.save(tmp_path / "new" / "film.npz")
    again = Movie.load(path)
    np.testing.assert_array_equal(again.frames, film.frames)
    assert again.frame_duration == film.frame_duration


@pytest.mark.parametrize("size", [32, 33])
def test_mp4_can_be_read_back(tmp_path, size):
    film = Grating(theta=30, sf=0.05).movie(200, size, 50)
    path = film.save(tmp_path / "film.mp4", min_size=64)
    with imageio.get_reader(path) as reader:
        assert reader.get_meta_data()["fps"] == pytest.approx(50)
        frames = np.array([frame[..., 0] for frame in reader])
    factor = -(-64 // size)
    assert len(frames) == len(film)
    assert frames.shape[1] == size * factor + size * factor % 2
    small = frames[:, : size * factor : factor, : size * factor : factor] / 255
    assert np.corrcoef(small.ravel(), film.frames.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("rate", "speed"), [(100, 1.0), (24, 1.0), (60, 0.5)])
def test_gif_lasts_as_long_as_the_movie(tmp_path, rate, speed):
    film = Grating(theta=30).movie(1000, 32, rate)
    with Image.open(film.save(tmp_path / "film.gif", speed=speed)) as image:
        assert image.size == (256, 256)
        lengths = []
        for k in range(image.n_frames):
            image.seek(k)
            lengths.append(image.info["duration"])
    assert sum(lengths) == pytest.approx(1000 / speed, abs=25)
    assert min(lengths) >= 20


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"format = '.avi' is unknown: it must be one of '.gif', '.mp4', '.npz'"):
        ramp(2, 10.0).save(tmp_path / "film.avi")
    with pytest.raises(ValueError, match="format"):
        Movie.load(tmp_path / "film.mp4")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_failed_export_leaves_the_old_file(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"old")

    def full(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        ramp(3, 20.0, size=16).save(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_load_refuses_other_npz(tmp_path):
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match=r"lacks .*frame_duration"):
        Movie.load(tmp_path / "other.npz")
