"""Motion Clouds: the package's spectrum, equal drive at every orientation, seed and bandwidth, no side effects."""

import MotionClouds
import numpy as np
import pytest

from netlib.base.orientation import signed_distance
from netlib.stimuli import MotionCloud, dominant_orientation, orientation_content

SIZE = 64


def spectrum_moments(signal: np.ndarray) -> dict[str, float]:
    """Energy-weighted moments of a contrast signal (n_frames, row, column) in Fourier space."""
    window = np.hanning(SIZE)
    signal = signal * window[:, None, None] * window[None, :, None] * window[None, None, :]
    energy = np.abs(np.fft.fftn(signal)) ** 2
    f = np.fft.fftfreq(SIZE)
    ft, up, right = f[:, None, None], -f[None, :, None], f[None, None, :]
    radius = np.hypot(up, right) + 0 * ft
    energy[radius < 0.03] = 0
    energy /= energy.sum()
    mean = np.sum(energy * radius)
    return {
        "sf": mean,
        "sf_sd": np.sqrt(np.sum(energy * (radius - mean) ** 2)),
        "coherence": np.real(np.sum(energy * np.exp(2j * np.arctan2(up, right)))),
        "rightward": np.sum(-energy * ft * np.sign(right)),
        "flicker": np.sum(energy * np.abs(ft)),
    }


@pytest.mark.parametrize("B_theta", [15.0, 36.0])
def test_spectrum_is_that_of_the_package(B_theta):
    grids = MotionClouds.get_grids(SIZE, SIZE, SIZE)
    envelope = MotionClouds.envelope_gabor(
        *grids, V_X=1.0, V_Y=0.0, B_V=0.2, sf_0=0.1, B_sf=0.05, theta=0.0, B_theta=np.radians(B_theta)
    )
    state = np.random.get_state()  # noqa: NPY002  (random_cloud seeds the global generator)
    theirs = [MotionClouds.random_cloud(envelope, seed=s).transpose(2, 1, 0)[:, ::-1] for s in range(10)]
    np.random.set_state(state)  # noqa: NPY002
    ours = [MotionCloud(theta=90, B_theta=B_theta, seed=s).movie(640).contrast_signal() for s in range(10)]
    theirs, ours = [spectrum_moments(z) for z in theirs], [spectrum_moments(z) for z in ours]
    for name, tolerance in {"sf": 0.06, "sf_sd": 0.12, "coherence": 0.08, "rightward": 0.06, "flicker": 0.06}.items():
        expected = np.mean([m[name] for m in theirs])
        assert np.mean([m[name] for m in ours]) == pytest.approx(expected, rel=tolerance), name


@pytest.mark.parametrize("theta", [0.0, 20.0, 45.0, 70.0, 110.0, 160.0])
def test_mean_orientation_is_theta(theta):
    clouds = [MotionCloud(theta=theta, seed=s).movie(300) for s in range(4)]
    errors = [signed_distance(dominant_orientation(movie)[0], theta) for movie in clouds]
    assert abs(np.mean(errors)) < 2  # one cloud is off by 0.8 degrees (sd)


def test_bandwidth_sets_the_spread_of_orientation():
    coherence = [dominant_orientation(MotionCloud(B_theta=b).movie(200))[1] for b in (0.0, 2.25, 5.0, 15.0, 36.0)]
    assert coherence[0] > 0.999
    assert (np.diff(coherence) < 0).all()
    # The energy's standard deviation is B_theta / sqrt 2: R = exp(-2 var) for a wrapped Gaussian.
    assert coherence[3] == pytest.approx(np.exp(-2 * np.radians(15) ** 2 / 2), abs=0.03)
    flat = orientation_content(MotionCloud(B_theta=np.inf).movie(200), 6)[1].sum(axis=0)
    assert flat.max() / flat.min() < 2


def test_bandwidth_has_no_step_at_the_narrow_limit():
    clouds = [MotionCloud(theta=20, B_theta=b).movie(100).frames for b in (0.0, 1e-6, 1.499999, 1.500001)]
    np.testing.assert_allclose(clouds[0], clouds[1], atol=1e-4)
    np.testing.assert_allclose(clouds[2], clouds[3], atol=1e-3)


@pytest.mark.parametrize("B_theta", [0.0, 5.0, 36.0])
def test_drive_is_equal_over_orientations(B_theta):
    space, time = [], []
    for theta in np.arange(0, 180, 15.0):
        signal = MotionCloud(theta=theta, B_theta=B_theta).movie(500).contrast_signal()
        space.append(signal.std())
        time.append(np.mean(np.diff(signal, axis=0) ** 2))
    assert np.ptp(space) / np.mean(space) < 0.01
    assert np.ptp(time) / np.mean(time) < 0.04


def test_rms_contrast_is_equal_over_seeds_and_bandwidths():
    rms = [
        MotionCloud(seed=seed, B_theta=b, contrast=0.5).movie(200).contrast_signal().std()
        for seed in range(4)
        for b in (0.0, 15.0, np.inf)
    ]
    np.testing.assert_allclose(rms, 0.5 / 3, rtol=2e-3)
    frames = MotionCloud(contrast=1.0).movie(500).frames
    assert frames.mean() == pytest.approx(0.5, abs=1e-3)
    assert np.mean((frames == 0) | (frames == 1)) < 0.01


def test_turning_by_90_degrees_turns_the_pixels():
    upright = MotionCloud(theta=90, seed=3).movie(100).frames
    flat = MotionCloud(theta=0, seed=3).movie(100).frames
    np.testing.assert_allclose(np.rot90(flat, axes=(1, 2)), upright, atol=1e-4)


@pytest.mark.parametrize("theta", [0.0, 20.0, 90.0, 135.0])
@pytest.mark.parametrize(("V_X", "V_Y"), [(0.5, 0.0), (-0.5, 0.0), (0.3, 0.4)])
def test_rigid_drift_in_the_frame_of_the_stimulus(theta, V_X, V_Y):
    cloud = MotionCloud(theta=theta, B_theta=36.0, V_X=V_X, V_Y=V_Y, B_V=0.0)
    assert cloud.direction == pytest.approx((theta - 90 + np.degrees(np.arctan2(V_Y, V_X))) % 360)
    signal = cloud.movie(200).contrast_signal().astype(float)
    d = np.radians(cloud.direction)
    right, up = 0.5 * np.cos(d), 0.5 * np.sin(d)  # pixels per frame
    f = np.fft.fftfreq(SIZE)
    # Move frame 0 by 10 frames' worth and compare away from the border.
    moved = np.fft.ifft2(np.fft.fft2(signal[0]) * np.exp(-20j * np.pi * (f[None] * right - f[:, None] * up))).real
    inside = (slice(12, -12), slice(12, -12))
    assert np.corrcoef(moved[inside].ravel(), signal[10][inside].ravel())[0, 1] > 0.97


def test_speed_does_not_depend_on_the_frame_rate():
    fast = MotionCloud(theta=20).movie(400, frame_rate=100).contrast_signal()[::2]
    slow = MotionCloud(theta=20).movie(400, frame_rate=50).contrast_signal()
    assert np.corrcoef(fast.ravel(), slow.ravel())[0, 1] > 0.99


def test_too_fast_for_the_frames():
    with pytest.warns(UserWarning, match="% of the cloud's energy is beyond"):
        MotionCloud().movie(1000, 16, frame_rate=24)
    with pytest.raises(ValueError, match=r"V_X = 20.*flickers faster than frame_rate = 100 Hz"):
        MotionCloud(V_X=20.0).movie(100)


def test_seed():
    one, same, other = (MotionCloud(seed=s).movie(100).frames for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.3


def test_no_motion():
    cloud = MotionCloud(V_X=0.0, B_V=0.0)
    assert np.ptp(cloud.movie(100).frames, axis=0).max() < 1e-5
    assert np.isnan(cloud.direction)
    assert MotionCloud().reversed().direction == 180.0


@pytest.mark.parametrize("size", [31, 64, 100])
def test_any_size(size):
    assert MotionCloud().movie(70, size).shape == (7, size, size)
