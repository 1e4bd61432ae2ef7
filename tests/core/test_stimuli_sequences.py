"""Protocols of the variance experiments: what they show, how long, in what order, and back from a file."""

import numpy as np
import pytest

from netlib.stimuli import (
    B_THETAS,
    DenseNoise,
    Grating,
    MotionCloud,
    Patch,
    Protocol,
    orientation_content,
    patch_grid,
    random_durations,
    shuffled_trials,
    variance_protocol,
    white_noise,
)


def test_bandwidths_are_those_published():
    np.testing.assert_allclose(np.radians(B_THETAS), np.linspace(np.pi / 2, 0, 8) / 2.5)


def test_variance_protocol_shows_every_condition_once_per_trial():
    table = variance_protocol(trials=3, seed=4).table
    assert len(table) == 12 * 8 * 3
    for _, block in table.groupby("trial"):
        assert len(block.groupby(["orientation", "B_theta"])) == 96
        assert block["seed"].nunique() == 1
        assert (np.diff(block["onset"]) == 300).all()
    assert table.groupby("trial")["seed"].first().nunique() == 3
    orders = [tuple(block["orientation"]) for _, block in table.groupby("trial")]
    assert len(set(orders)) == 3


def test_variance_protocol_depends_on_its_seed_alone():
    same, again, other = (variance_protocol(seed=s).table for s in (1, 1, 2))
    assert same.equals(again)
    assert not same["orientation"].equals(other["orientation"])
    assert same["seed"].iloc[0] != other["seed"].iloc[0]


def test_a_cloud_of_no_bandwidth_is_one_orientation():
    length = []
    for B_theta in (0.0, 36.0):
        angles, energy = orientation_content(MotionCloud(theta=30.0, B_theta=B_theta, seed=1).movie(100.0))
        length.append(abs(energy.sum(0) @ np.exp(2j * np.radians(angles))) / energy.sum())
    assert length[0] > 0.9
    assert length[1] < length[0] - 0.2


@pytest.mark.parametrize(
    "protocol",
    [
        variance_protocol(orientations=3, B_thetas=(36.0, 0.0), trials=2, seed=1),
        patch_grid(3, 32, trials=2, seed=1),
        white_noise(200.0, 2, DenseNoise(check=4, hold=20.0), seed=1),
        shuffled_trials([Grating(), MotionCloud()], 2, random_durations(4, seed=3), seed=3),
    ],
    ids=["variance", "patches", "noise", "random durations"],
)
def test_protocols_come_back_from_csv(protocol, tmp_path):
    back = Protocol.from_csv(protocol.to_csv(tmp_path / "shown.csv"))
    assert back.duration == protocol.duration
    assert back.stimuli == protocol.stimuli
    assert back.windows().tolist() == protocol.windows().tolist()
    assert back.table["trial"].tolist() == protocol.table["trial"].tolist()


def test_random_durations_are_exponential_within_bounds():
    low, high, mean, step = 100.0, 2000.0, 500.0, 10.0
    drawn = random_durations(20_000, mean, low, high, step, seed=2)
    assert drawn.min() == low
    assert drawn.max() <= high
    assert np.all(drawn % step == 0)
    # Cut exponential: P(d < t) = (1 - exp(-(t - low) / mean)) / (1 - exp(-(high - low + step) / mean)).
    edges = np.array([200.0, 500.0, 1000.0, 1500.0])
    expected = np.expm1(-(edges - low) / mean) / np.expm1(-(high - low + step) / mean)
    np.testing.assert_allclose([(drawn < edge).mean() for edge in edges], expected, atol=0.012)
    assert len(set(random_durations(50, low=100.0, high=100.0))) == 1


def test_patches_tile_the_screen():
    protocol = patch_grid(4, 32, duration=10.0)
    assert len(protocol) == 2 * 16
    frames = protocol.movie(32).frames
    light, dark = frames == 1.0, frames == 0.0
    assert (light.sum(0) == 1).all()
    assert (dark.sum(0) == 1).all()
    assert ((light | dark).sum((1, 2)) == 64).all()


def test_a_patch_is_up_and_to_the_right():
    frame = Patch(x=8.0, y=8.0, width=4.0).movie(10.0, 32).frames[0]
    rows, columns = np.nonzero(frame == 1.0)
    assert rows.max() < 16 <= columns.min()


def test_dense_noise_is_white():
    noise = DenseNoise(check=4, hold=20.0, contrast=0.5, seed=3)
    frames = noise.movie(4000.0, 32).frames
    assert set(np.unique(frames)) == {0.25, 0.75}
    assert (frames[::2] == frames[1::2]).all()
    checks = 4 * frames[::2, ::4, ::4].reshape(200, -1) - 2
    assert abs(checks.mean()) < 0.01
    correlation = checks.T @ checks / len(checks)
    away = correlation[~np.eye(len(correlation), dtype=bool)]
    assert abs(away).max() < 5 / np.sqrt(len(checks))
    assert abs((checks[1:] * checks[:-1]).mean()) < 0.02


def test_dense_noise_goes_on_as_it_began():
    short, long = (DenseNoise(seed=5).movie(d).frames for d in (100.0, 300.0))
    np.testing.assert_array_equal(short, long[: len(short)])
    blocks = white_noise(100.0, 2, seed=1)
    assert blocks.stimuli[0] != blocks.stimuli[1]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: random_durations(3, low=105.0), "low = 105 ms is not a whole number"),
        (lambda: random_durations(3, low=200.0, high=100.0), "high = 100.0 ms is out of range"),
        (lambda: random_durations(0), "n = 0"),
        (lambda: variance_protocol(B_thetas=(-1.0,)), "B_theta = -1.0 deg"),
        (lambda: patch_grid(0), "n = 0"),
        (lambda: DenseNoise(check=0), "check = 0 pixels"),
        (lambda: Patch(polarity="red"), "polarity = 'red' is unknown"),
        (lambda: shuffled_trials([Grating()], 2, [100.0, 200.0, 300.0]), "duration holds 3 values"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
