"""Sparseness, orientation over time, and the experiments on two rings and on the full chain."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import distance, von_mises
from netlib.base.seeds import stream
from netlib.networks import TwoRings
from netlib.recordings import Recording
from netlib.stimuli import Grating, Movie, Protocol
from netlib.sweep import over_seeds
from netlib.tuning import (
    circular_correlation,
    content_correlation,
    content_orientation,
    orientation_rates,
    sparseness,
)
from netlib.v1.full_chain import _agree, chain_protocol, full_chain, movie_content
from netlib.v1.two_rings import CONDITIONS, SHOWN, network, thin, two_rings

# ---------------------------------------------------------------- sparseness


def test_sparseness_formula():
    assert sparseness([5.0, 5.0, 5.0]) == pytest.approx(0)
    assert sparseness([0.0, 0.0, 7.0]) == pytest.approx(1)
    r = np.array([1.0, 4.0, 0.0, 2.0])  # (1 - (7/4)^2 / (21/4)) / (3/4), by hand
    assert sparseness(r) == pytest.approx((1 - 3.0625 / 5.25) / 0.75)
    assert sparseness(100 * r) == pytest.approx(sparseness(r))


def test_sparseness_of_cells_and_of_stimuli():
    responses = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    assert sparseness(responses, axis=1).tolist() == [1, 1, 1]
    assert sparseness(responses, axis=0) == pytest.approx([(1 - (4 / 9) / (2 / 3)) / (2 / 3), 1])


def test_sparseness_of_silence_is_nan():
    assert np.isnan(sparseness([[0, 0], [0, 1]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("responses", "axis", "message"),
    [
        ([1, -1], -1, "out of range"),
        ([1, np.nan], -1, "out of range"),
        ([[1]], 1, "at least 2"),
        ([1, 2], 1, "axis = 1"),
    ],
)
def test_sparseness_refuses(responses, axis, message):
    with pytest.raises(ValueError, match=message):
        sparseness(responses, axis)


def test_few_spikes_look_sparse():
    """Why populations are compared with one thinned to the same rate."""
    counts = stream(1, "test").poisson(20.0, (500, 8))
    few = thin(counts, 0.05, 1)
    assert few.mean() == pytest.approx(1.0, rel=0.1)
    assert sparseness(few[few.sum(1) > 0]).mean() > 5 * sparseness(counts).mean()
    assert (thin(counts, 1.0, 1) == counts).all()
    with pytest.raises(ValueError, match="keep = 2"):
        thin(counts, 2, 1)


# ---------------------------------------------------------------- orientation over time


def test_circular_correlation_of_turned_and_mirrored_series():
    a = stream(2, "test").uniform(0, 180, 200)
    assert circular_correlation(a, (a + 70) % 180) == pytest.approx(1)
    assert circular_correlation(a, (30 - a) % 180) == pytest.approx(-1)
    assert abs(circular_correlation(a, stream(3, "test").uniform(0, 180, 200))) < 0.1
    noisy = (a + stream(4, "test").normal(0, 10, 200)) % 180
    assert 0.5 < circular_correlation(a, noisy) < 0.95


def test_circular_correlation_leaves_nan_out():
    a = np.array([10.0, 50.0, 90.0, np.nan, 130.0])
    b = np.array([12.0, 52.0, 92.0, 7.0, np.nan])
    assert circular_correlation(a, b) == pytest.approx(1)
    assert np.isnan(circular_correlation(a[3:], b[3:]))
    assert np.isnan(circular_correlation(np.full(5, 20.0), np.arange(5.0)))
    with pytest.raises(ValueError, match="both must be"):
        circular_correlation(a, b[:3])


def test_content_correlation_and_what_never_changes():
    rng = stream(5, "test")
    a = rng.random((40, 18))
    assert content_correlation(a, 3 * a + 2) == pytest.approx(1)
    assert content_correlation(a, -a) == pytest.approx(-1)
    fixed = np.tile(10 * rng.random(18), (40, 1))
    b = rng.random((40, 18))
    assert content_correlation(fixed + a, fixed + b) > 0.9
    assert abs(content_correlation(fixed + a, fixed + b, changes_only=True)) < 0.15
    assert np.isnan(content_correlation(fixed, fixed, changes_only=True))
    with pytest.raises(ValueError, match="both must be"):
        content_correlation(a, b[:, :3])


def test_dominant_orientation_of_a_content():
    centres = np.arange(18) * 10.0
    content = np.array([von_mises(centres, theta, 15.0) for theta in (3.0, 77.0, 178.0)])
    assert distance(content_orientation(content), [3.0, 77.0, 178.0]).max() < 0.1
    assert np.isnan(content_orientation(np.zeros((1, 18)))).all()


def test_orientation_rates_count_spikes():
    neurons = pd.DataFrame({"population": "E", "orientation": [0.0, 45.0, 90.0, 135.0, 178.0]})
    time = np.array([5.0, 15.0, 16.0, 20.0, 39.0])
    index = np.array([0, 1, 4, 3, 3], dtype=np.int32)
    recording = Recording(neurons, index, time, 40.0, Protocol.sequence([Grating()], 40.0))
    rates = orientation_rates(recording, "E", [0, 20, 40], n_bins=4)
    assert rates.tolist() == [[50, 50, 0, 0], [0, 0, 0, 100]]  # 0 and 178 deg share a bin
    with pytest.raises(ValueError, match="n_bins = 9 leaves bins without cells"):
        orientation_rates(recording, "E", [0, 20], n_bins=9)
    with pytest.raises(ValueError, match="do not rise"):
        orientation_rates(recording, "E", [20, 20])


# ---------------------------------------------------------------- two rings


@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_every_condition_is_a_network(condition):
    parameters = network(condition)
    assert isinstance(parameters, TwoRings) == (condition != "internship 5:1")
    if "5:1" in condition:
        assert parameters.n_excitatory / parameters.n_inhibitory == pytest.approx(5, rel=0.01)


def test_unknown_condition_is_refused():
    assert set(SHOWN) < set(CONDITIONS)
    with pytest.raises(ValueError, match="did you mean 'no recurrence'"):
        network("no recurence")


def test_table_of_one_seed():
    table = two_rings(4, conditions=("internship",), orientations=3, trials=2, duration=100.0, slow=2.0)
    assert table["population"].tolist() == ["input", "E", "I", "E2", "I2", "E thinned"]
    assert (table["fits"].dropna() == 6).all()
    assert table["valid"].dropna().between(0, 1).all()
    own = table.set_index("population")
    assert own.loc["input", "rate"] == pytest.approx(7.5, rel=0.3)
    assert own.loc["E thinned", "rate"] < own.loc["E", "rate"]


# ---------------------------------------------------------------- full chain


def test_movie_content_finds_the_orientation_shown():
    protocol = Protocol.sequence([Grating(theta=40.0), Grating(theta=130.0)], 200.0)
    content = movie_content(protocol.movie(), np.arange(0, 401, 50.0))
    assert content.sum(1) == pytest.approx(np.ones(8))
    assert distance(content_orientation(content), [40.0] * 4 + [130.0] * 4).max() < 2
    with pytest.raises(ValueError, match="without a frame"):
        movie_content(Movie(np.zeros((4, 32, 32)), 50.0), np.arange(0, 200, 10.0))


def test_agreement_of_a_content_with_itself_and_with_another():
    theta = stream(6, "test").uniform(0, 180, 50)
    content = von_mises(np.arange(18) * 10.0, theta[:, None], 15.0)
    same, other = _agree(content, content), _agree(content, content[::-1])
    assert (same["pearson"], same["circular"], same["distance"]) == pytest.approx((1, 1, 0), abs=1e-9)
    assert max(abs(other["pearson_changes"]), abs(other["circular"])) < 0.3


def test_movies_of_the_chain():
    clouds, natural = chain_protocol("MotionClouds", 1, 1000.0), chain_protocol("natural", 1, 1000.0)
    assert len(clouds.table) == 5
    assert clouds.duration == natural.duration == 1200.0
    assert natural.stimuli[0].photo != chain_protocol("natural", 502, 1000.0).stimuli[0].photo
    assert (chain_protocol("MotionClouds", 2, 1000.0).table["orientation"] != clouds.table["orientation"]).all()
    with pytest.raises(ValueError, match="did you mean 'MotionClouds'"):
        chain_protocol("MotionCloud", 1)


@pytest.mark.slow
def test_the_rings_follow_the_clouds_and_the_controls_do_not():
    table = over_seeds(full_chain, range(1, 4), workers=2, progress=False, movies=("MotionClouds",), lags=(40.0,))
    means = table.groupby(["population", "content"])[["pearson", "circular"]].mean()
    for population in ("input", "E", "E2"):
        assert means.loc[population, "own"].min() > 0.25
        assert means.loc[population, "shifted"].abs().max() < 0.15
        assert means.loc[population, "other"].abs().max() < 0.2


@pytest.mark.slow
def test_second_ring_answers_for_every_seed():
    """The bar: E2 at 1 Hz or more and a valid fit in 95 % of presentations, for each of ten seeds."""
    table = over_seeds(two_rings, range(1, 11), workers=2, progress=False, conditions=("two rings",), duration=300.0)
    second = table[table["population"] == "E2"]
    assert len(second) == 10
    assert (second["rate"] >= 1).all(), second["rate"].tolist()
    assert (second["rate_all"] >= 1).all(), second["rate_all"].tolist()
    assert (second["valid"] >= 0.95).all(), second["valid"].tolist()
    first = table[table["population"] == "E"]
    assert (second["rate"].to_numpy() < first["rate"].to_numpy()).all()
