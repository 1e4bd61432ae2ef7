"""Selectivity indices and population-vector decoding against closed forms."""

import numpy as np
import pytest
from scipy.special import i0, i1

from netlib.base.orientation import distance, hwhh_from_B_theta, kappa_from_B_theta, von_mises
from netlib.base.seeds import stream
from netlib.tuning import (
    circular_variance,
    decoding_error,
    direction_index,
    half_width,
    orientation_index,
    population_vector,
    preferred_orientation,
)

GRID = np.arange(0, 180, 15.0)
FINE = np.arange(0, 180, 0.5)


@pytest.mark.parametrize("B_theta", [12.0, 15.0, 25.0, 36.0, 60.0])
def test_circular_variance_of_a_von_mises_is_1_minus_i1_over_i0(B_theta):
    kappa = kappa_from_B_theta(B_theta)
    expected = 1 - i1(kappa) / i0(kappa)
    assert circular_variance(FINE, von_mises(FINE, 40.0, B_theta)) == pytest.approx(expected, abs=1e-10)
    assert circular_variance(GRID, von_mises(GRID, 40.0, B_theta)) == pytest.approx(expected, abs=0.01)


def test_extremes_and_silent_cells():
    rates = np.stack([np.ones(12), np.eye(12)[3], np.zeros(12)])
    np.testing.assert_allclose(circular_variance(GRID, rates), [1, 0, np.nan], atol=1e-12)
    np.testing.assert_allclose(orientation_index(GRID, rates), [0, 1, np.nan])
    np.testing.assert_allclose(preferred_orientation(GRID, rates), [np.nan, 45, np.nan])
    np.testing.assert_allclose(half_width(GRID, rates), [np.nan, 7.5, np.nan])


@pytest.mark.parametrize("centre", [0.0, 22.5, 90.0, 179.0])
def test_preferred_orientation_by_vector_average(centre):
    found = preferred_orientation(GRID, 3 + von_mises(GRID, centre, 20.0))
    assert distance(found, centre) < 1e-3


def test_curves_keep_their_shape_and_order_of_orientations_does_not_matter():
    rng = stream(0, "curves")
    rates = rng.uniform(1, 10, (3, 4, 12))
    order = rng.permutation(12)
    for measure in (circular_variance, orientation_index, preferred_orientation, half_width):
        value = measure(GRID, rates)
        assert value.shape == (3, 4)
        np.testing.assert_allclose(measure(GRID[order], rates[..., order]), value)


def test_orientation_index_by_hand():
    rates = np.full(12, 4.0)
    rates[2], rates[8] = 12.0, 3.0
    assert orientation_index(GRID, rates) == pytest.approx(9 / 15)
    uneven = [0.0, 30.0, 80.0, 110.0]  # the orthogonal of 0 lies a third of the way from 80 to 110
    assert orientation_index(uneven, [10, 5, 0, 3]) == pytest.approx(9 / 11)


@pytest.mark.parametrize("centre", [0.0, 45.0, 179.5])
@pytest.mark.parametrize("B_theta", [10.0, 20.0, 30.0])
def test_half_width_of_a_fine_curve_is_the_exact_one(B_theta, centre):
    curve = von_mises(FINE, centre, B_theta)
    assert half_width(FINE, curve) == pytest.approx(hwhh_from_B_theta(B_theta), abs=0.02)
    assert half_width(FINE, curve, reference="minimum") == pytest.approx(
        hwhh_from_B_theta(B_theta, "minimum"), abs=0.02
    )
    kappa = kappa_from_B_theta(B_theta)
    narrow = np.degrees(np.arccos(1 - np.log(np.sqrt(2)) / kappa)) / 2
    assert half_width(FINE, curve, 1 / np.sqrt(2)) == pytest.approx(narrow, abs=0.02)


def test_half_width_by_hand_with_unequal_sides():
    # From the peak at 60: half is reached 10 deg to the right, 20 + 10 to the left.
    assert half_width([0, 20, 40, 60, 80, 120], [0, 2, 8, 10, 0, 0]) == pytest.approx((10 + 30) / 2)


def test_half_width_is_nan_where_the_curve_stays_high():
    assert np.isnan(half_width(GRID, 10 + von_mises(GRID, 45.0, 15.0)))
    assert half_width(GRID, 10 + von_mises(GRID, 45.0, 15.0), reference="minimum") == pytest.approx(18, abs=2)


def test_direction_index():
    directions = np.arange(0, 360, 30.0)
    rates = np.ones((3, 12))
    rates[0, [2, 8]] = 10, 5
    rates[1, 2] = 10
    rates[2] = 0
    np.testing.assert_allclose(direction_index(directions, rates), [5 / 15, 9 / 11, np.nan])
    odd = np.arange(0, 360, 120.0)  # the opposite of 0 lies between 120 and 240
    assert direction_index(odd, [10, 2, 6]) == pytest.approx(6 / 14)


@pytest.mark.parametrize(
    ("measure", "angles", "rates", "message"),
    [
        (circular_variance, [0, 10, 20, 90.0], np.ones(4), "not evenly spread"),
        (circular_variance, np.radians(GRID), np.ones(12), "looks like radians"),
        (circular_variance, GRID, np.ones(11), "rates has 11 values per curve"),
        (circular_variance, GRID, -np.ones(12), r"rates\[0\] = -1 Hz"),
        (half_width, GRID, np.full(12, np.nan), r"rates\[0\] = nan Hz"),
        (direction_index, np.arange(0, 180, 15.0), np.ones(12), "all around"),
        (direction_index, np.linspace(0, 2 * np.pi, 8, endpoint=False), np.ones(8), "radians"),
        (direction_index, [0, 0, 180], np.ones(3), "each once"),
    ],
)
def test_bad_curves_are_named(measure, angles, rates, message):
    with pytest.raises(ValueError, match=message):
        measure(angles, rates)


def test_decoding_a_planted_population():
    preferred = 180.0 * np.arange(60) / 60
    shown = np.array([0.0, 33.0, 90.0, 178.0])
    counts = 100 * von_mises(preferred[:, None], shown, 20.0) + 10
    decoded, length = population_vector(counts, preferred)
    np.testing.assert_allclose(distance(decoded, shown), 0, atol=1e-6)
    assert ((length > 0.3) & (length < 1)).all()
    noisy = stream(0, "decode").poisson(counts / 10)
    assert decoding_error(population_vector(noisy, preferred)[0], shown)["absolute"] < 6


def test_silent_presentations_and_cells_without_preference_have_no_vote():
    preferred = np.array([0.0, 90.0, np.nan])
    counts = np.array([[0, 3, 2, 0], [0, 0, 2, 0], [0, 9, 9, 9]])
    decoded, length = population_vector(counts, preferred)
    np.testing.assert_allclose(decoded, [np.nan, 0, np.nan, np.nan])
    np.testing.assert_allclose(length, [np.nan, 1, 0, np.nan], atol=1e-12)
    summary = decoding_error(decoded, [10.0, 10.0, 10.0, np.nan])
    assert summary["n"] == 1
    assert summary["n_silent"] == 2
    assert summary["absolute"] == pytest.approx(10)
    assert summary["bias"] == pytest.approx(-10)


def test_errors_wrap_and_a_guess_is_45_degrees_off():
    summary = decoding_error([175.0, 5.0], [5.0, 175.0])
    assert summary["absolute"] == pytest.approx(10)
    assert summary["bias"] == pytest.approx(0, abs=1e-9)
    assert summary["circular_sd"] == pytest.approx(10, rel=0.05)
    rng = stream(1, "guess")
    guess = decoding_error(rng.uniform(0, 180, 20000), rng.uniform(0, 180, 20000))
    assert guess["absolute"] == pytest.approx(guess["chance"], abs=0.6)
    nothing = decoding_error([np.nan], [10.0])
    assert nothing["n"] == 0
    assert np.isnan(nothing["absolute"])


def test_bad_votes_are_named():
    with pytest.raises(ValueError, match="preferred has shape"):
        population_vector(np.ones((3, 2)), [0, 90])
    with pytest.raises(ValueError, match="NaN for every cell"):
        population_vector(np.ones((2, 2)), [np.nan, np.nan])
    with pytest.raises(ValueError, match=r"counts\[0, 0\] = -1 spikes"):
        population_vector(-np.ones((2, 2)), [0, 90])
