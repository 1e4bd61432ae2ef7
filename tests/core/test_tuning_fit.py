"""Tuning fits: recovery, honest intervals, invariances, failures that are flagged, bad input."""

import time

import numpy as np
import pytest

from netlib.base.orientation import hwhh_from_B_theta, signed_distance, von_mises
from netlib.base.seeds import stream
from netlib.tuning import fit_tuning, fit_tuning_continuous
from netlib.tuning.likelihood import CellFit, curve, deviance, maximise, sum_repeats

GRID = np.arange(0, 180, 15.0)


def planted(seed, n, B_theta, baseline=2.0, amplitude=20.0, trials=10, duration=500.0, preferred=None):
    """Poisson counts of cells of known tuning: (orientations, counts, preferred)."""
    rng = stream(seed, "planted")
    preferred = rng.uniform(0, 180, n) if preferred is None else np.broadcast_to(preferred, n)
    theta = np.repeat(GRID, trials)
    rate = baseline + amplitude * von_mises(theta, preferred[:, None], B_theta)
    return theta, rng.poisson(rate * duration / 1000), preferred


@pytest.mark.parametrize(("B_theta", "seed"), [(15.0, 1), (25.0, 2)])
def test_the_interval_of_the_width_covers_the_planted_one_in_93_to_97_percent_of_500_cells(B_theta, seed):
    theta, counts, preferred = planted(seed, 500, B_theta)
    fit = fit_tuning(theta, counts, 500.0)
    covered = fit["success"] & (fit["B_theta_low"] <= B_theta) & (B_theta <= fit["B_theta_high"])
    assert 0.93 <= covered.mean() <= 0.97, f"{covered.mean():.3f} covered, {(~fit['success']).sum()} failures"
    hwhh = hwhh_from_B_theta(B_theta)
    assert ((fit["hwhh_low"] <= hwhh) & (hwhh <= fit["hwhh_high"]))[fit["success"]].mean() == covered.mean()
    off = signed_distance(preferred, fit["preferred"])
    inside = (fit["preferred_low"] <= fit["preferred"] + off) & (fit["preferred"] + off <= fit["preferred_high"])
    assert 0.92 <= inside.mean() <= 0.98
    for name, value in (("baseline", 2.0), ("amplitude", 20.0)):
        assert 0.92 <= ((fit[f"{name}_low"] <= value) & (value <= fit[f"{name}_high"])).mean() <= 0.98


def test_standard_errors_are_the_spread_of_the_estimates():
    theta, counts, _ = planted(3, 500, 20.0, trials=20, preferred=40.0)
    fit = fit_tuning(theta, counts, 500.0)
    for name in ("baseline", "amplitude", "preferred", "B_theta", "hwhh"):
        assert fit[name].std() == pytest.approx(fit[f"{name}_se"].mean(), rel=0.12), name


def test_a_fit_of_expected_counts_returns_the_planted_parameters():
    # With counts large enough the rounding to whole numbers no longer matters.
    theta = GRID
    mean = 1e4 * (2 + 20 * von_mises(theta, np.array([[0.0], [37.0], [90.0], [179.0]]), 18.0))
    fit = fit_tuning(theta, np.round(mean), 1e7)
    np.testing.assert_allclose(signed_distance(fit["preferred"], [0, 37, 90, 179]), 0, atol=1e-2)
    assert fit["preferred"].between(0, 180, inclusive="left").all()
    np.testing.assert_allclose(fit["B_theta"], 18, rtol=1e-3)
    np.testing.assert_allclose(fit["hwhh"], hwhh_from_B_theta(18.0), rtol=1e-3)
    np.testing.assert_allclose(fit["baseline"], 2, rtol=1e-3)
    np.testing.assert_allclose(fit["amplitude"], 20, rtol=1e-3)
    assert fit["r2"].min() > 0.99999
    assert fit["deviance_explained"].min() > 0.99999


def test_rotating_the_stimulus_rotates_the_preferred_orientation_and_nothing_else():
    theta, counts, _ = planted(4, 20, 18.0, preferred=80.0)
    here, there = fit_tuning(theta, counts, 500.0), fit_tuning(theta + 97.5, counts, 500.0)
    turned = signed_distance(there["preferred"], here["preferred"])
    np.testing.assert_allclose(signed_distance(turned, 97.5), 0, atol=1e-3)
    for name in ("baseline", "amplitude", "B_theta", "B_theta_se", "B_theta_low", "B_theta_high"):
        np.testing.assert_allclose(there[name], here[name], rtol=2e-3)
    assert here["preferred"].between(60, 100).all()
    # Now the peak lies across 0/180 (80 + 97.5 = 177.5).
    assert (there["preferred_se"] < 3).all()


def test_the_order_of_presentations_does_not_matter():
    theta, counts, _ = planted(5, 5, 18.0)
    order = stream(0, "order").permutation(len(theta))
    first, second = fit_tuning(theta, counts, 500.0), fit_tuning(theta[order], counts[:, order], 500.0)
    np.testing.assert_allclose(first["B_theta"], second["B_theta"], rtol=1e-6)


def test_counting_for_longer_scales_rates_only():
    theta, counts, _ = planted(6, 5, 18.0)
    short, long = fit_tuning(theta, counts, 500.0), fit_tuning(theta, counts, np.full(len(theta), 1000.0))
    np.testing.assert_allclose(long["amplitude"], short["amplitude"] / 2, rtol=1e-4)
    np.testing.assert_allclose(long["B_theta"], short["B_theta"], rtol=1e-4)
    np.testing.assert_allclose(long["B_theta_high"], short["B_theta_high"], rtol=2e-3)


def test_the_ends_of_the_interval_are_where_the_profile_deviance_has_risen_by_3_84():
    theta, counts, _ = planted(7, 3, 20.0)
    fit = fit_tuning(theta, counts, 500.0)
    data = sum_repeats(theta, counts.astype(float), np.full(len(theta), 0.5), "poisson")
    start = np.column_stack(
        [fit["baseline"], fit["amplitude"], 2 * np.radians(fit["preferred"]), np.log(np.radians(fit["B_theta"]))]
    )
    best = deviance(data, curve(start, data.angles)[0])
    for end in ("B_theta_low", "B_theta_high"):
        at_end = start.copy()
        at_end[:, 3] = np.log(np.radians(fit[end]))
        _, risen, _ = maximise(data, at_end, fixed=3)
        np.testing.assert_allclose(risen - best, 3.8415, rtol=0.02)


def test_the_derivatives_are_right():
    parameters = np.array([2.0, 15.0, 1.1, np.log(0.3)])
    angles = np.radians(2 * GRID)
    _, gradient = curve(parameters, angles)
    for k, step in enumerate(1e-6 * np.eye(4)):
        slope = (curve(parameters + step, angles)[0] - curve(parameters - step, angles)[0]) / 2e-6
        np.testing.assert_allclose(gradient[k], slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_squared_residuals_sum_to_the_deviance_and_have_the_right_jacobian(family):
    sums = np.array([[12.0, 30, 80, 40, 0, 5, 9, 11, 14, 10, 8, 10]])
    data = sum_repeats(GRID, sums, np.full(12, 5.0), family)
    fit = CellFit(data)
    vector = np.array([2.2, 14.0, 1.1, -1.0])

    def residuals(v):
        for name, value in zip(fit.names, v, strict=True):
            fit.parameters[name].value = value
        return fit.residuals(fit.parameters, sums[0])

    assert (residuals(vector) ** 2).sum() == pytest.approx(deviance(data, curve(vector, data.angles)[0])[None, :][0])
    slopes = [(residuals(vector + s) - residuals(vector - s)) / 2e-6 for s in 1e-6 * np.eye(4)]
    residuals(vector)
    np.testing.assert_allclose(fit.jacobian(fit.parameters, sums[0]), slopes, rtol=1e-4, atol=1e-6)


def test_cells_that_cannot_be_fitted_are_flagged():
    rng = stream(8, "flat")
    theta = np.repeat(GRID, 10)
    single = np.where(theta == 45, 30, 0)
    good = planted(8, 1, 15.0)[1][0]
    counts = np.stack([np.zeros(len(theta), int), rng.poisson(5, len(theta)), single, good])
    fit = fit_tuning(theta, counts, 500.0)
    assert list(fit["failure"]) == ["silent", "untuned", "at bound", ""]
    assert list(fit["success"]) == [False, False, False, True]
    assert list(fit["n_spikes"]) == list(counts.sum(1))
    assert fit.loc[0, ["baseline", "amplitude", "preferred", "B_theta", "hwhh", "r2", "p_tuned"]].isna().all()
    assert fit.loc[[1, 2], "B_theta_low"].isna().all()
    assert len(fit_tuning(theta, counts[:1], 500.0)) == 1  # nothing at all to fit


def test_few_flat_cells_pass_as_tuned():
    theta = np.repeat(GRID, 10)
    fit = fit_tuning(theta, stream(9, "flat").poisson(5, (300, len(theta))), 500.0)
    assert (fit["p_tuned"] < 0.01).mean() < 0.03
    assert set(fit["failure"]) <= {"", "untuned", "at bound"}


def test_overdispersed_counts_are_noticed_and_can_widen_the_intervals():
    theta, _, preferred = planted(10, 200, 15.0)
    mean = 0.5 * (2 + 20 * von_mises(theta, preferred[:, None], 15.0))
    counts = stream(10, "negative binomial").negative_binomial(mean / 2, 1 / 3)  # variance 3 x mean
    poisson, scaled = (fit_tuning(theta, counts, 500.0, overdispersion=o) for o in ("poisson", "estimate"))
    assert poisson["overdispersion"].mean() == pytest.approx(3, rel=0.1)

    def coverage(fit):
        return (fit["success"] & (fit["B_theta_low"] <= 15) & (fit["B_theta_high"] >= 15)).mean()

    assert coverage(poisson) < 0.85
    assert coverage(scaled) > 0.90
    both = poisson["success"] & scaled["success"]
    np.testing.assert_allclose(
        (scaled["B_theta_se"] / poisson["B_theta_se"])[both], np.sqrt(scaled["overdispersion"])[both], rtol=1e-6
    )


def test_poisson_counts_have_an_overdispersion_of_1():
    theta, counts, _ = planted(11, 200, 20.0, trials=4)
    fit = fit_tuning(theta, counts, 500.0)
    assert fit["overdispersion"].mean() == pytest.approx(1, abs=0.05)
    assert fit["reduced_deviance"].mean() == pytest.approx(1, abs=0.25)


def test_a_thousand_cells_take_seconds():
    theta, counts, _ = planted(12, 1000, 20.0)
    begin = time.process_time()
    fit_tuning(theta, counts, 500.0)
    assert time.process_time() - begin < 20  # about 2 s on an idle core; the margin is for a busy one


def test_continuous_values_give_the_same_width_as_counts_with_honest_intervals():
    rng = stream(13, "membrane")
    theta = np.repeat(GRID, 4)
    preferred = rng.uniform(0, 180, 300)
    values = -62 + 6 * von_mises(theta, preferred[:, None], 30.0) + rng.normal(0, 0.7, (300, len(theta)))
    fit = fit_tuning_continuous(theta, values)
    covered = fit["success"] & (fit["B_theta_low"] <= 30) & (fit["B_theta_high"] >= 30)
    assert 0.915 <= covered.mean() <= 0.985
    assert fit["baseline"].median() == pytest.approx(-62, abs=0.3)
    assert fit["overdispersion"].mean() == pytest.approx(0.49, rel=0.05)
    assert ((fit["baseline_low"] <= -62) & (fit["baseline_high"] >= -62)).mean() > 0.9
    assert np.abs(signed_distance(fit["preferred"], preferred)).max() < 12


def test_continuous_values_without_noise_return_the_planted_parameters():
    fit = fit_tuning_continuous(GRID, [-60 + 5 * von_mises(GRID, 50.0, 25.0), np.full(12, -60.0)])
    assert list(fit["failure"]) == ["", "silent"]
    found = fit.loc[0, ["baseline", "amplitude", "preferred", "B_theta"]].astype(float)
    np.testing.assert_allclose(found, [-60, 5, 50, 25], rtol=1e-5)


COUNTS = np.full((2, 12), 3)


@pytest.mark.parametrize(
    ("orientations", "counts", "duration", "message"),
    [
        (GRID, -COUNTS, 500.0, r"counts\[0, 0\] = -3 spikes"),
        (GRID, COUNTS + 0.5, 500.0, r"counts\[0, 0\] = 3.5 spikes is not a whole number"),
        (GRID, np.where(np.eye(2, 12), np.nan, 3), 500.0, r"counts\[0, 0\] = nan"),
        (np.radians(GRID), COUNTS, 500.0, "looks like radians"),
        (stream(0, "r").uniform(0, np.pi, 12), COUNTS, 500.0, "looks like radians"),
        (np.tile([0, 45, 90, 135.0], 3), COUNTS, 500.0, "4 distinct orientations"),
        (np.tile([0, 45, 90, 135, 180.0, 0], 2), COUNTS, 500.0, "4 distinct orientations"),
        (GRID[:-1], COUNTS, 500.0, "counts has 12 columns"),
        (np.where(GRID == 0, np.nan, GRID), COUNTS, 500.0, r"orientations\[0\] = nan deg"),
        (GRID, COUNTS, 0.0, "duration = 0.0 ms"),
        (GRID, COUNTS, np.zeros(12), r"duration\[0\] = 0.0 ms"),
        (GRID, COUNTS, np.ones(3), "duration has 3 values"),
        (GRID, COUNTS[0], 500.0, "counts has 1 dimensions"),
        (GRID, np.empty((0, 12)), 500.0, "counts is empty"),
    ],
)
def test_bad_input_is_named(orientations, counts, duration, message):
    with pytest.raises(ValueError, match=message):
        fit_tuning(orientations, counts, duration)


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="did you mean 'poisson'"):
        fit_tuning(GRID, COUNTS, 500.0, overdispersion="poison")
    with pytest.raises(ValueError, match="level = 95 is out of range"):
        fit_tuning(GRID, COUNTS, 500.0, level=95)
    with pytest.raises(ValueError, match=r"values\[0, 3\] = nan"):
        fit_tuning_continuous(GRID, [np.where(GRID == 45, np.nan, 1.0)])
