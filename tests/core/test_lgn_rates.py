"""Rates of channels, their interpolation, idealised rates and Poisson spikes."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, poisson

from netlib.base.orientation import preferred_orientations, von_mises
from netlib.base.seeds import stream
from netlib.lgn import ChannelRates, ContrastResponse, poisson_spikes, von_mises_rates
from netlib.stimuli.protocol import Protocol


def protocol(*rows, duration=None):
    columns = ["onset", "duration", "orientation", "contrast", "B_theta"]
    table = pd.DataFrame([dict(zip(columns, row, strict=False)) for row in rows])
    return Protocol(table, duration=duration)


# --- ChannelRates ---------------------------------------------------------------------------------------------------


def test_channel_rates_describe_themselves():
    rates = ChannelRates(np.arange(8.0).reshape(2, 4), 0.5, [0, 90])
    assert rates.duration == 2.0
    assert rates.mean().tolist() == [1.5, 5.5]
    assert rates.mean(1.0, 2.0).tolist() == [2.5, 6.5]
    assert rates.times.tolist() == [0.25, 0.75, 1.25, 1.75]
    with pytest.raises(ValueError, match="start = 5 ms"):
        rates.mean(5.0)


def test_interpolation_is_exact_at_the_channels_and_periodic():
    theta = preferred_orientations(16)
    rates = ChannelRates(np.random.default_rng(1).uniform(5, 40, (16, 7)), 1.0, theta)
    assert np.allclose(rates.at(theta).rates, rates.rates)
    wanted = np.linspace(0, 180, 50, endpoint=False)
    assert np.allclose(rates.at(wanted + 180).rates, rates.at(wanted).rates)
    assert np.allclose(rates.at([179.999999]).rates, rates.rates[:1], atol=1e-4)
    shuffled = np.random.default_rng(2).permutation(16)
    same = ChannelRates(rates.rates[shuffled], 1.0, theta[shuffled])
    assert np.allclose(same.at(wanted).rates, rates.at(wanted).rates)


def test_interpolation_turns_with_the_channels():
    values = np.random.default_rng(3).uniform(5, 40, (12, 3))
    wanted = np.array([3.0, 47.0, 171.0])
    rates = ChannelRates(values, 1.0, preferred_orientations(12)).at(wanted)
    turned = ChannelRates(np.roll(values, 5, axis=0), 1.0, preferred_orientations(12)).at(wanted + 75)
    assert np.allclose(rates.rates, turned.rates)


@pytest.mark.parametrize("stimulus", [0.0, 5.6, 31.0, 90.0])
def test_interpolation_keeps_peak_and_shape_of_a_tuning_curve(stimulus):
    profile = von_mises(preferred_orientations(16), stimulus, 15.0)
    wanted = preferred_orientations(1000)
    cells = ChannelRates(5 + 30 * profile[:, None], 1.0, preferred_orientations(16)).at(wanted)
    expected = 5 + 30 * von_mises(wanted, stimulus, 15.0)
    assert np.abs(cells.rates[:, 0] - expected).max() < 0.02 * 35
    assert cells.rates.max() == pytest.approx(35, rel=0.01)


def test_interpolation_is_never_negative_and_works_from_two_channels():
    spike = np.zeros((12, 1))
    spike[3] = 50.0
    assert ChannelRates(spike, 1.0, preferred_orientations(12)).at(np.arange(180)).rates.min() >= 0
    two = ChannelRates([[10.0], [20.0]], 1.0, [0, 90]).at([0, 45, 90, 135]).rates[:, 0]
    assert np.allclose(two, [10, 15, 20, 15])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([[1.0, -2.0]], 1.0, [0]), r"rates\[0, 1\] = -2 Hz"),
        (([[1.0, np.nan]], 1.0, [0]), "rates.*nan"),
        ((np.empty((0, 0)), 1.0, []), "rates is empty"),
        (([[1.0]], 0.0, [0]), "dt = 0.0 ms"),
        (([[1.0]], 1.0, [0, 90]), "orientations holds 2 values"),
    ],
)
def test_bad_channel_rates_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        ChannelRates(*arguments)


def test_interpolation_needs_two_distinct_orientations():
    with pytest.raises(ValueError, match="2 or more"):
        ChannelRates([[1.0]], 1.0, [0]).at([10])
    with pytest.raises(ValueError, match="distinct"):
        ChannelRates([[1.0], [2.0]], 1.0, [0, 180]).at([10])


# --- idealised rates ------------------------------------------------------------------------------------------------


def test_von_mises_rates_are_the_standard_drive():
    rates = von_mises_rates(protocol((100, 200, 40.0, 1.0), duration=400))
    theta = preferred_orientations(60)
    expected = 20 * (0.8 * von_mises(theta, 40.0, 15.0) + 0.2)
    assert rates.rates.shape == (60, 400)
    assert rates.dt == 1.0
    assert np.allclose(rates.rates[:, 100:300], expected[:, None])
    assert np.allclose(rates.rates[:, :100], 4.0)
    assert np.allclose(rates.rates[:, 300:], 4.0)
    assert expected.max() == pytest.approx(20, abs=0.1)
    assert expected.mean() == pytest.approx(7.5, abs=0.1)


def test_presentations_off_the_grid_of_bins_are_averaged_exactly():
    ours = von_mises_rates(protocol((10.3, 0.4, 0.0, 1.0), (20.25, 3.5, 0.0, 1.0), duration=40), 2, 10.0, 0.0)
    row = ours.rates[0]
    assert row[10] == pytest.approx(4.0)
    assert row[20:24].tolist() == pytest.approx([7.5, 10, 10, 7.5])
    assert row.sum() == pytest.approx(10 * 3.9)
    coarse = von_mises_rates(protocol((10.3, 7.7, 0.0, 1.0), duration=40), 2, 10.0, 0.0, dt=7.0)
    assert coarse.rates.shape == (2, 6)
    assert coarse.rates[0].sum() * 7 == pytest.approx(77)


def test_contrast_scales_the_tuned_part_only():
    shown = protocol((0, 10, 30.0, 0.25), (10, 10, 30.0, 0.0))
    linear = von_mises_rates(shown, 6).rates
    assert linear[1, 0] == pytest.approx(20 * (0.8 * 0.25 + 0.2))
    assert np.allclose(linear[:, 15], 4)
    curve = ContrastResponse(0.3, 2.0)
    assert von_mises_rates(shown, 6, contrast_response=curve).rates[1, 0] == pytest.approx(16 * curve(0.25) + 4)


def test_bandwidth_is_an_argument_or_a_column():
    shown = protocol((0, 10, 30.0, 1.0, 10.0), (10, 10, 30.0, 1.0, 30.0))
    own = von_mises_rates(shown, 18, 10.0, 0.0, B_theta=None).rates
    theta = preferred_orientations(18)
    assert np.allclose(own[:, 0], 10 * von_mises(theta, 30, 10))
    assert np.allclose(own[:, 19], 10 * von_mises(theta, 30, 30))
    assert np.allclose(von_mises_rates(shown, 18, 10.0, 0.0, B_theta=np.inf).rates, 10)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_channels": 0}, "n_channels = 0 channels"),
        ({"peak": -1}, "peak = -1 Hz"),
        ({"pedestal": 1.5}, "pedestal = 1.5"),
        ({"B_theta": 0}, "B_theta = 0 deg"),
        ({"dt": 0}, "dt = 0 ms"),
        ({"B_theta": None}, "B_theta = nan deg of presentation 0"),
    ],
)
def test_bad_drive_is_refused(change, match):
    with pytest.raises(ValueError, match=match):
        von_mises_rates(protocol((0, 10, 30.0, 1.0)), **change)


def test_a_stimulus_without_orientation_has_no_idealised_drive_but_a_blank_is_fine():
    with pytest.raises(ValueError, match="orientation = nan deg of presentation 1"):
        von_mises_rates(protocol((0, 10, 30.0, 1.0), (10, 10, np.nan, 1.0)))
    assert np.allclose(von_mises_rates(protocol((0, 10, np.nan, 0.0))).rates, 4)


# --- Poisson spikes -------------------------------------------------------------------------------------------------


def test_poisson_counts_have_poisson_mean_variance_and_distribution():
    rates = np.repeat([[20.0], [0.0], [60.0]], 500, axis=0) * np.ones((1, 200))  # 200 bins of 1 ms
    index, time = poisson_spikes(rates, 1.0, stream(1, "test"))
    counts = np.bincount(index, minlength=1500).reshape(3, 500)
    assert counts[1].sum() == 0
    for row, expected in ((0, 4.0), (2, 12.0)):
        assert counts[row].mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 500))
        assert counts[row].var() / counts[row].mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 500))
        assert np.mean(counts[row] <= expected) == pytest.approx(poisson.cdf(expected, expected), abs=0.07)
    first, second = (((time >= a) & (time < a + 100)) for a in (0, 100))
    a, b = (np.bincount(index[half], minlength=1500)[1000:] for half in (first, second))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.15  # independent increments


def test_time_rescaling_gives_exponential_intervals():
    """Brown et al. 2002: the integral of the rate between spikes is exponential of mean 1, if the spikes are right."""
    bins = np.arange(400)
    rate = 40 * (1 + np.sin(2 * np.pi * bins / 100)) + 200 * (bins % 50 == 7)
    index, time = poisson_spikes(np.tile(rate, (200, 1)), 2.0, stream(2, "test"))
    cumulative = np.concatenate([[0], np.cumsum(rate * 2e-3)])
    rescaled = np.interp(time, np.arange(401) * 2.0, cumulative)
    order = np.lexsort((rescaled, index))
    intervals = np.diff(rescaled[order])[np.diff(index[order]) == 0]
    # Keep the intervals that start early enough to be complete almost surely.
    start = rescaled[order][:-1][np.diff(index[order]) == 0]
    complete = intervals[start < cumulative[-1] - 12]
    assert complete.size > 1000
    assert kstest(complete, "expon").pvalue > 0.01
    assert kstest(time % 2.0 / 2.0, "uniform").pvalue > 0.01  # uniform within the bin


def test_spikes_are_sorted_reproducible_and_inside_the_recording():
    rates = np.random.default_rng(5).uniform(0, 100, (30, 50))
    index, time = poisson_spikes(rates, 0.5, stream(7, "drive"))
    assert index.dtype == np.int32
    assert time.dtype == np.float64
    assert np.all(np.diff(time) >= 0)
    assert time.min() >= 0
    assert time.max() < 25
    again = poisson_spikes(rates, 0.5, stream(7, "drive"))
    assert np.array_equal(index, again[0])
    assert np.array_equal(time, again[1])
    other = poisson_spikes(rates, 0.5, stream(8, "drive"))
    assert not np.array_equal(time, other[1])


def test_no_rate_no_spikes():
    index, time = poisson_spikes(np.zeros((3, 10)), 1.0, stream(1))
    assert index.size == time.size == 0
    assert index.dtype == np.int32


@pytest.mark.parametrize(
    ("rates", "dt", "match"),
    [
        ([[-1.0]], 1.0, r"rates\[0, 0\] = -1 Hz"),
        ([[np.inf]], 1.0, "rates"),
        ([1.0, 2.0], 1.0, "dimensions"),
        ([[1.0]], -0.1, "dt = -0.1 ms"),
    ],
)
def test_bad_rates_are_refused(rates, dt, match):
    with pytest.raises(ValueError, match=match):
        poisson_spikes(rates, dt, stream(1))


def test_a_seed_is_not_a_generator():
    with pytest.raises(TypeError, match="rng"):
        poisson_spikes([[1.0]], 1.0, 42)
