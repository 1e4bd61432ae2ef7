"""Naka-Rushton curves over bandwidth: planted values come back, intervals cover, failures are called failures."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ive

from netlib.tuning.naka_rushton import fit_naka_rushton, naka_rushton
from netlib.tuning.selectivity import circular_variance_of_counts, squared_resultant

B = np.linspace(36.0, 0.0, 8)
THETA = np.arange(12) * 15.0
PUBLISHED = {"log_n": 3.6, "B50": 19.2, "f0": 0.75}


def von_mises_rates(cv: float, n_spikes: float) -> np.ndarray:
    """Spikes expected at each of THETA for a von Mises of circular variance ``cv = 1 - I1(k) / I0(k)``."""
    k = brentq(lambda k: 1 - ive(1, k) / ive(0, k) - cv, 1e-9, 200.0)
    rates = np.exp(k * (np.cos(2 * np.radians(THETA - 40.0)) - 1))
    return n_spikes * rates / rates.sum()


def test_curve_is_the_formula():
    x = np.array([0.0, 10.0, 20.0, 36.0])
    by_hand = 0.2 + 0.6 * x**3 / (x**3 + 20.0**3)
    np.testing.assert_allclose(naka_rushton(x, 0.2, 0.8, 20.0, 3.0), by_hand, rtol=1e-12)
    assert naka_rushton(0.0, 0.2, 0.8, 20.0, 3.0) == 0.2
    assert np.isfinite(naka_rushton(x, 0.2, 0.8, 20.0, 1e6)).all()


def test_published_medians_come_back_from_a_noiseless_curve():
    fit = fit_naka_rushton(B, naka_rushton(B, 0.75, 0.95, 19.2, np.exp(3.6))).iloc[0]
    assert fit["success"]
    for name, value in (PUBLISHED | {"f_max": 0.95}).items():
        assert abs(fit[name] - value) < 1e-3
        assert fit[name + "_low"] <= value + 1e-3
        assert fit[name + "_high"] >= value - 1e-3
    assert fit["n"] == pytest.approx(np.exp(3.6), rel=1e-3)


@pytest.mark.parametrize("f0, f_max, B50, n", [(0.4, 0.7, 14.7, 8.4), (0.3, 0.9, 35.0, 2.4), (0.1, 0.6, 8.0, 1.3)])
def test_other_curves_come_back(f0, f_max, B50, n):
    fit = fit_naka_rushton(B, naka_rushton(B, f0, f_max, B50, n)).iloc[0]
    np.testing.assert_allclose(fit[["f0", "f_max", "B50", "n"]].astype(float), [f0, f_max, B50, n], rtol=1e-3)


def test_order_of_bandwidths_and_scale_do_not_matter():
    values = naka_rushton(B, 0.4, 0.8, 17.0, 5.0) + 0.02 * np.sin(7 * B)
    first, second = fit_naka_rushton(B, values).iloc[0], fit_naka_rushton(B[::-1], values[::-1]).iloc[0]
    wide = fit_naka_rushton(B, 40 * values, upper=np.inf).iloc[0]
    for name in ("log_n", "B50", "f0", "f0_low", "B50_high"):
        assert first[name] == pytest.approx(second[name], rel=1e-4)
        assert wide[name] / (40 if name.startswith("f0") else 1) == pytest.approx(first[name], rel=2e-3)


@pytest.mark.parametrize("log_n, f0, f_max, n_spikes", [(3.6, 0.75, 0.95, 1000), (2.0, 0.4, 0.85, 200)])
def test_intervals_from_poisson_counts_cover(log_n, f0, f_max, n_spikes):
    """At 95 % of 60 draws: fewer than 51 covering has a probability of 2e-4."""
    truth = {"log_n": log_n, "B50": 19.2, "f0": f0}
    rng = np.random.default_rng(0)
    curve = naka_rushton(B, f0, f_max, 19.2, np.exp(log_n))
    drawn = [rng.poisson(von_mises_rates(cv, n_spikes), (60, 12)) for cv in curve]
    measured = [circular_variance_of_counts(THETA, counts) for counts in drawn]
    values, errors = (np.stack([m[k] for m in measured], axis=1) for k in (0, 1))
    fit = fit_naka_rushton(B, values, errors, progress=False)
    assert fit["success"].mean() > 0.9
    for name, value in truth.items():
        assert fit[name + "_low"].le(value).mul(fit[name + "_high"].ge(value)).sum() >= 51, name
        assert (fit[name + "_low"] <= fit[name]).all()
        assert (fit[name] <= fit[name + "_high"]).all()


def test_a_step_leaves_n_open_and_b50_between_two_bandwidths():
    values = np.where(B > 18.0, 0.9, 0.4) + 1e-3 * np.cos(np.arange(8))
    fit = fit_naka_rushton(B, values).iloc[0]
    assert fit["success"]
    assert fit["log_n_high"] == pytest.approx(np.log(300.0))
    step = B[B < 18.0].max(), B[B > 18.0].min()
    assert step[0] < fit["B50"] < step[1]
    assert step[0] - 0.5 < fit["B50_low"] < fit["B50_high"] < step[1] + 0.5


@pytest.mark.parametrize(
    "values, failure",
    [
        (np.full(8, 0.5) + 0.01 * np.cos(5 * np.arange(8)), "flat"),
        (naka_rushton(B, 0.8, 0.3, 18.0, 4.0), "falling"),
        (0.2 + 0.3 * (B / 36.0) ** 3, "at bound"),
        (np.full(8, np.nan), "missing"),
    ],
)
def test_failures_are_named(values, failure):
    fit = fit_naka_rushton(B, values).iloc[0]
    assert fit["failure"] == failure
    assert not fit["success"]


def test_flat_cells_are_rarely_called_tuned_to_variance():
    counts = np.random.default_rng(3).poisson(von_mises_rates(0.6, 150), (8, 80, 12))
    measured = [circular_variance_of_counts(THETA, c) for c in counts]
    values, errors = (np.stack([m[k] for m in measured], axis=1) for k in (0, 1))
    assert fit_naka_rushton(B, values, errors)["success"].mean() < 0.08


def test_circular_variance_of_counts_has_no_bias_of_small_counts():
    rng = np.random.default_rng(1)
    for cv in (0.3, 0.9):
        counts = rng.poisson(von_mises_rates(cv, 20), (20_000, 12))
        square = squared_resultant(THETA, counts)
        assert square.mean() == pytest.approx((1 - cv) ** 2, abs=5 * square.std() / np.sqrt(len(square)))
        naive = np.abs(counts @ np.exp(2j * np.radians(THETA))) / counts.sum(1)
        assert (naive**2).mean() > square.mean() + 0.01


def test_error_of_circular_variance_is_its_spread():
    rng = np.random.default_rng(2)
    for cv, n in ((0.2, 100), (0.6, 100), (0.6, 1000)):
        value, error, total = circular_variance_of_counts(THETA, rng.poisson(von_mises_rates(cv, n), (4000, 12)))
        assert total.mean() == pytest.approx(n, rel=0.02)
        assert value.mean() == pytest.approx(cv, abs=0.02)
        assert np.median(error) == pytest.approx(value.std(), rel=0.12)


def test_silent_cells_have_no_variance():
    value, error, total = circular_variance_of_counts(THETA, np.zeros((2, 12)))
    assert np.isnan(value).all()
    assert np.isnan(error).all()
    assert (total == 0).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: fit_naka_rushton(B[:4], np.ones(4)), "B_thetas holds 4 distinct values"),
        (lambda: fit_naka_rushton(B, np.ones(7)), "values has shape"),
        (lambda: fit_naka_rushton(B, np.full(8, 1.5)), "values.* = 1.5 is out of range"),
        (lambda: fit_naka_rushton(B, np.full(8, 0.5), np.zeros(8)), "errors.* is out of range"),
        (lambda: fit_naka_rushton(-B, np.full(8, 0.5)), "B_thetas.* = -36 deg"),
        (lambda: circular_variance_of_counts(THETA[:6], np.ones((1, 6))), "not an even grid"),
        (lambda: circular_variance_of_counts(np.append(THETA, 0.0), np.ones((1, 13))), "not an even grid"),
        (lambda: circular_variance_of_counts(THETA, np.full((1, 12), 0.5)), "is not a whole number"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
