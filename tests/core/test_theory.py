"""Theories of the ring: closed forms, published numbers, and each model against an independent one."""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import erfc

from netlib.base.orientation import preferred_orientations, von_mises
from netlib.theory import (
    HanselSompolinsky,
    LIFCell,
    LIFRing,
    RandomConnection,
    RatePopulation,
    RateRing,
    SupralinearRing,
    VarianceRing,
    bump_half_width,
    bump_orientation,
    published_cv,
    siegert_rate,
    theta_c,
    virtual_rotation,
    von_mises_kernel,
)

# ---------------------------------------------------------------- bumps


def test_half_width_of_a_known_bump():
    theta = preferred_orientations(720)
    d = np.minimum(theta, 180 - theta)
    assert bump_half_width(np.exp(-(d**2) / (2 * 20.0**2))) == pytest.approx(20 * np.sqrt(2 * np.log(2)), abs=0.01)
    assert bump_half_width(np.roll(np.maximum(1 - d / 40, 0), 101)) == pytest.approx(20, abs=1e-9)
    assert np.isnan(bump_half_width(np.ones(10)))
    assert np.isnan(bump_half_width(np.zeros(10)))


def test_orientation_of_a_bump():
    theta = preferred_orientations(60)
    bumps = np.array([von_mises(theta, 30.0, 15.0), von_mises(theta, 171.0, 15.0)])
    np.testing.assert_allclose(bump_orientation(bumps), [30.0, 171.0], atol=1e-9)


# ---------------------------------------------------------------- Hansel & Sompolinsky

WIDTHS = {2: 90.0, 2.5: 59.73, 3: 52.68, 4: 45.0, 6: 37.32, 8: 33.09, 12: 28.20}


@pytest.mark.parametrize(("J2", "published"), WIDTHS.items())
def test_width_in_the_marginal_phase(J2, published):
    assert theta_c(J2) == pytest.approx(published, abs=0.005)
    t = np.radians(theta_c(J2))
    assert J2 / np.pi * (t - np.sin(4 * t) / 4) == pytest.approx(1, abs=1e-10)
    bump = HanselSompolinsky(J2=J2, tuning=0.0).steady_state(start=(0.1, 0.3, 25.0))
    assert bump.half_width[0] == pytest.approx(theta_c(J2), abs=0.1)
    assert bump.psi[0] == pytest.approx(25.0, abs=1e-3)  # any place is as good


def test_width_in_the_marginal_phase_depends_on_nothing_else():
    for J0, contrast, threshold in ((-10, 2, 1), (-3, 2, 1), (-10, 8, 1), (-10, 2, 0)):
        ring = HanselSompolinsky(J0=J0, J2=6, contrast=contrast, tuning=0.0, threshold=threshold)
        assert ring.steady_state(start=(0.1, 0.3, 0.0)).half_width[0] == pytest.approx(theta_c(6), abs=1e-3)


def test_theta_c_needs_a_marginal_phase():
    with pytest.raises(ValueError, match=r"J2 = 1\.5 is out of range: it must be in \[2, inf\)"):
        theta_c(1.5)


@pytest.mark.parametrize(
    ("J0", "J2", "tuning", "widths"),
    [
        (-10, 6, 0.05, {1.2: 31.0, 2: 34.5, 4: 35.5}),
        (-10, 1.5, 0.05, {1.2: 37.5, 2: 51.5, 4: 57.5}),
        (0, 0, 0.2, {1.2: 40.0, 2: 89.8}),
    ],
)
def test_width_and_contrast(J0, J2, tuning, widths):
    """The expected widths were read off a grid of half degrees, as the last active cell."""
    ring = HanselSompolinsky(J0=J0, J2=J2, tuning=tuning)
    for contrast, expected in widths.items():
        width = dataclasses.replace(ring, contrast=contrast).steady_state().half_width[0]
        assert expected - 0.05 <= width < expected + 0.5


@pytest.mark.parametrize(("J2", "low", "high"), [(6, 0, 1.5), (1.5, 5, 10)])
def test_only_the_marginal_phase_is_contrast_invariant(J2, low, high):
    width = [HanselSompolinsky(J2=J2, contrast=C).steady_state().half_width[0] for C in (2.0, 4.0)]
    assert low <= width[1] - width[0] < high


def run_cells(ring, times, n, orientation):
    """Activity (n_times, n) of the cells themselves, which the three moments sum up."""
    theta = preferred_orientations(n)
    phase, feed = np.exp(2j * np.radians(theta)), ring.input(theta, orientation)

    def derivative(_, m):
        z = (m @ phase) / n
        drive = feed + ring.J0 * m.mean() + ring.J2 * np.real(np.conj(z) * phase)
        return (np.maximum(drive, 0) - m) / ring.tau

    return solve_ivp(derivative, (0.0, times[-1]), np.full(n, 0.1), t_eval=times, rtol=1e-7, atol=1e-10).y.T


def test_moments_agree_with_the_cells():
    ring = HanselSompolinsky(tuning=0.1)
    state = ring.run(300.0, orientation=40.0, start=(0.1, 1e-9, 0.0))
    rates = run_cells(ring, state.times, n=720, orientation=40.0)
    np.testing.assert_allclose(rates.mean(1), state.r0, rtol=1e-3)
    r2 = np.abs(rates @ np.exp(2j * np.radians(preferred_orientations(720)))) / 720
    np.testing.assert_allclose(r2[20:], state.r2[20:], rtol=1e-3)
    assert bump_orientation(rates[-1]) == pytest.approx(40.0, abs=0.01)
    active = (rates[-1] > 1e-6 * rates[-1].max()).sum() * 180 / 720 / 2  # decays where no longer driven
    assert active >= state.half_width[-1] - 0.25


@pytest.mark.parametrize(
    ("tuning", "t50", "t95", "speed"), [(0.02, 15.5, 52.6, 2.1), (0.05, 5.9, 21.8, 5.7), (0.1, 2.75, 11.4, 13.1)]
)
def test_virtual_rotation(tuning, t50, t95, speed):
    found, path = virtual_rotation(HanselSompolinsky(tuning=tuning, tau=1.0))
    assert found["t50"] == pytest.approx(t50, rel=0.02)
    assert found["t95"] == pytest.approx(t95, rel=0.02)
    assert found["peak_speed"] == pytest.approx(speed, rel=0.03)
    assert found["lowest_r2"] > 0.7
    assert np.diff(path.psi).min() > -1e-6
    assert np.histogram(path.psi, np.arange(0, 61, 5))[0].min() > 0  # it visits all orientations between


def test_rotation_scales_with_tau():
    slow, fast = (virtual_rotation(HanselSompolinsky(tau=tau))[0] for tau in (20.0, 10.0))
    assert slow["t50"] == pytest.approx(2 * fast["t50"], rel=1e-3)
    assert slow["peak_speed"] == pytest.approx(fast["peak_speed"] / 2, rel=1e-3)


def test_without_recurrence_one_bump_fades_and_the_other_grows():
    found, path = virtual_rotation(HanselSompolinsky(J0=0, J2=0, tuning=0.2, contrast=1.2, tau=1.0))
    assert found["t50"] == pytest.approx(np.log(2), rel=1e-3)
    # the sum of two vectors 120 degrees apart in double angle is shortest, 1/2, when they are equal
    assert found["lowest_r2"] == pytest.approx(0.5, abs=1e-3)
    assert path.psi[-1] == pytest.approx(60.0, abs=1e-6)


@pytest.mark.parametrize(("J2", "stays"), [(6.0, True), (1.5, False)])
def test_persistence_of_the_bump(J2, stays):
    ring = HanselSompolinsky(J2=J2, tuning=0.1)
    shown = ring.steady_state(orientation=30.0)
    after = dataclasses.replace(ring, tuning=0.0).run(1000.0, start=shown.last)
    assert shown.r2[0] > 0.02
    assert (after.r2[-1] > 0.9 * shown.r2[0]) == stays
    if stays:
        assert after.psi[-1] == pytest.approx(30.0, abs=1e-3)
    else:
        assert after.r2[-1] < 1e-6


def test_share_of_recurrence():
    for tuning in (0.02, 0.1, 0.3):
        ring = HanselSompolinsky(tuning=tuning)
        state = ring.steady_state()
        t = np.radians(state.half_width[0])
        share = 6 / np.pi * (t - np.sin(4 * t) / 4)
        assert ring.recurrent_share(state.r2[0]) == pytest.approx(share, abs=1e-5)
    assert HanselSompolinsky(J2=0).recurrent_share(0.1) == 0


def test_bad_rings_are_refused():
    with pytest.raises(ValueError, match=r"J0 = 2 is out of range"):
        HanselSompolinsky(J0=2)
    with pytest.raises(ValueError, match=r"tuning = 0\.7 \(fraction of the input\) is out of range"):
        HanselSompolinsky(tuning=0.7)
    with pytest.raises(ValueError, match=r"tau = 0 ms"):
        HanselSompolinsky(tau=0)
    with pytest.raises(ValueError, match="jump = 120 deg"):
        virtual_rotation(HanselSompolinsky(), jump=120)
    with pytest.raises(RuntimeError, match="grows without bound"):
        HanselSompolinsky(J0=0.9, J2=12).run(500.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        HanselSompolinsky().J2 = 3


# ---------------------------------------------------------------- stabilised supralinear network

#: contrast: rate_E, rate_I (Hz), hwhh_E, hwhh_I (deg), weight of the sum
SSN_TABLE = {
    1.25: (0.069, 0.070, 25.24, 25.27, 1.172),
    5: (1.66, 1.80, 26.29, 26.49, 1.528),
    10: (11.69, 15.59, 27.53, 28.20, 0.872),
    20: (24.04, 40.14, 25.37, 26.70, 0.695),
    50: (38.61, 87.18, 21.47, 23.86, 0.689),
}


@pytest.fixture(scope="module")
def ssn():
    ring = SupralinearRing()
    return {c: (*ring.tuning(c).values(), ring.weight_of_sum(c)) for c in SSN_TABLE}


@pytest.mark.parametrize("contrast", SSN_TABLE)
def test_supralinear_ring_against_the_table(ssn, contrast):
    np.testing.assert_allclose(ssn[contrast], SSN_TABLE[contrast], rtol=0.01)


def test_supralinear_ring_normalises(ssn):
    assert all(ssn[c][4] > 1 for c in (1.25, 5))
    assert all(0.65 < ssn[c][4] < 0.75 for c in (20, 50))
    ratio = [ssn[c][1] / ssn[c][0] for c in SSN_TABLE]
    assert np.all(np.diff(ratio) > 0)
    widths = [ssn[c][2] for c in (5, 10, 20, 50)]
    assert max(widths) / min(widths) < 1.3


def test_weak_input_is_a_power_of_the_input():
    ring = SupralinearRing()
    assert ring.tuning(0.01)["hwhh_E"] == pytest.approx(30 * np.sqrt(np.log(2)), abs=0.02)
    assert ring.tuning(0.01)["rate_E"] == pytest.approx(0.04 * 0.01**2, rel=0.01)


def test_runaway_excitation_is_reported():
    with pytest.raises(RuntimeError, match="inhibition does not stabilise"):
        SupralinearRing(J_EI=0.0).steady_state([50.0], [45.0])
    with pytest.raises(RuntimeError, match="not steady after 5 ms"):
        SupralinearRing().steady_state([20.0], [45.0], duration=5.0)
    with pytest.raises(ValueError, match="contrasts has 1 values and orientations 2"):
        SupralinearRing().steady_state([1.0], [0.0, 90.0])
    with pytest.raises(ValueError, match=r"exponent = 0\.5 is out of range"):
        SupralinearRing(exponent=0.5)


# ---------------------------------------------------------------- general rate ring


def test_rate_ring_becomes_hansel_sompolinsky():
    theory = HanselSompolinsky(J2=4, tuning=0.2)
    n = 120
    theta = preferred_orientations(n)
    kernel = (theory.J0 + theory.J2 * np.cos(2 * np.radians(theta))) / n
    ring = RateRing({"A": RatePopulation(tau=theory.tau)}, {"A_to_A": kernel}, n)
    rates = ring.run({"A": theory.input(theta, 60.0)}, 1000.0)["A"][-1]
    state = theory.steady_state(60.0)
    assert rates.mean() == pytest.approx(state.r0[0], rel=2e-3)
    assert abs(rates @ np.exp(2j * np.radians(theta))) / n == pytest.approx(state.r2[0], rel=2e-3)


def test_rate_ring_becomes_the_supralinear_network():
    theory = SupralinearRing(n=90)
    signs = {"E_to_E": 0.044, "I_to_E": -0.023, "E_to_I": 0.042, "I_to_I": -0.018}
    theta = preferred_orientations(90)
    profile = np.exp(-(np.minimum(theta, 180 - theta) ** 2) / (2 * 32.0**2))
    cells = {name: RatePopulation(0.04, 0.0, 2.0, tau) for name, tau in (("E", 20.0), ("I", 10.0))}
    ring = RateRing(cells, {name: J * profile for name, J in signs.items()}, 90)
    h = theory.input([20.0], [50.0])
    rates = ring.run({"E": h, "I": h}, 1500.0, dt=0.5)
    for name, expected in zip("EI", theory.steady_state([20.0], [50.0]), strict=True):
        np.testing.assert_allclose(rates[name][-1], expected, rtol=1e-3, atol=1e-3)


def test_von_mises_kernel():
    kernel = von_mises_kernel(60, 15.0, -2.5)
    assert kernel.sum() == pytest.approx(-2.5)
    assert kernel.argmin() == 0
    np.testing.assert_allclose(kernel[1:], kernel[1:][::-1])


def test_rate_ring_follows_a_changing_input():
    ring = RateRing({"A": RatePopulation(tau=10.0)}, n=8)
    inputs = np.zeros((1000, 8))
    inputs[500:, 3] = 5.0
    rates = ring.run({"A": inputs}, 100.0)["A"]
    assert rates.shape == (1001, 8)
    assert rates[500].max() == 0
    assert rates[-1, 3] == pytest.approx(5 * (1 - np.exp(-5)), rel=0.01)


def test_bad_rate_rings_are_refused():
    cell = RatePopulation()
    with pytest.raises(ValueError, match="populations is empty"):
        RateRing({})
    with pytest.raises(ValueError, match="kernel 'A_to_B' is unknown"):
        RateRing({"A": cell}, {"A_to_B": np.ones(180)})
    with pytest.raises(ValueError, match="it must have n = 180"):
        RateRing({"A": cell}, {"A_to_A": np.ones(10)})
    with pytest.raises(ValueError, match="give one for each of A"):
        RateRing({"A": cell}).run({"B": np.ones(180)}, 10.0)
    with pytest.raises(RuntimeError, match="rates explode"):
        RateRing({"A": cell}, {"A_to_A": np.ones(180)}).run({"A": np.ones(180)}, 1000.0)


# ---------------------------------------------------------------- published rate model


def by_hand(kappa, kappa_e, kappa_i, mu, steps, n=128):
    """The published recursion, written out with sums over pairs of units."""
    x = np.linspace(-np.pi, np.pi, n)

    def scaled(k, centre):
        y = np.exp(k * np.cos(x - centre))
        return (y - y.min()) / (y.max() - y.min())

    P_e, P_i = scaled(kappa_e, 0), scaled(kappa_i, 0)
    K = 1.71 * P_e / P_e.sum() - 2.0178 * P_i / P_i.sum()
    matrix = K[(np.arange(n)[:, None] - np.arange(n)) % n]  # from unit i (column) to unit j (row)
    V, r = np.zeros(n), np.zeros(n)
    for _ in range(steps - 1):
        V = V + (-V + 9.57 * scaled(kappa, mu) + 0.5 * (matrix @ r)) / 10.8
        r = np.round(10.6 * np.maximum(V, 0) * 10000) / 10000
    return r


@pytest.mark.parametrize(("kappa", "kappa_e", "kappa_i"), [(22.85, 1.59, 1.16), (0.7625, 1.59, 1.16), (5.0, 3.0, 1.0)])
def test_published_model_against_a_loop(kappa, kappa_e, kappa_i):
    ring = VarianceRing(kappa_e=kappa_e, kappa_i=kappa_i)
    for mu in (-1.0, 0.0, 2.3):
        expected = by_hand(kappa, kappa_e, kappa_i, mu, 150)
        assert expected.max() > 10
        np.testing.assert_allclose(ring.run(mu, kappa)[-1], expected, rtol=0, atol=1e-10)


def test_published_variance_curve_against_a_loop():
    angles = np.linspace(-np.pi + np.pi / 12, np.pi - np.pi / 12, 32)
    kappas = np.linspace(22.85, 0.7625, 20)[[0, 10, 19]]
    curve = VarianceRing().variance_curve(kappas)
    for kappa, found in zip(kappas, curve, strict=True):
        rates = np.array([by_hand(kappa, 1.59, 1.16, mu, 150)[64] for mu in angles])
        x = np.linspace(-np.pi, np.pi, 32)
        assert found == pytest.approx(1 - abs((rates * np.cos(2 * x)).sum() / rates.sum()), abs=1e-10)
    assert np.all(np.diff(curve) > 0)  # a broader input gives a broader tuning


def test_published_kernel_is_not_centred():
    published, centred = VarianceRing(), VarianceRing(centred=True)
    for kernel in (published.kernel(), centred.kernel()):
        assert kernel.max() == pytest.approx(0, abs=1e-15)  # with the published values nothing excites
    published, centred = (dataclasses.replace(ring, kappa_e=3.0) for ring in (published, centred))
    assert published.kernel().argmax() in (63, 64)
    assert centred.kernel().argmax() == 0
    np.testing.assert_allclose(centred.kernel()[1:], centred.kernel()[1:][::-1], atol=1e-12)
    assert len(np.unique(np.round(np.exp(1j * published.angles), 12))) == 127  # -pi and pi are the same place
    assert len(np.unique(np.round(np.exp(1j * centred.angles), 12))) == 128
    # the centred ring is the same everywhere
    rates = [centred.run(2 * np.pi * k / 128, 3.0)[-1] for k in (0, 17)]
    np.testing.assert_allclose(np.roll(rates[0], 17), rates[1], atol=2e-3)  # the rates are rounded at every step


def test_a_part_of_the_published_scan_explodes():
    assert VarianceRing(kappa_e=7.0, kappa_i=0.35).run(0.0, 5.0).max() > 1e9


def test_published_circular_variance():
    x = np.linspace(-np.pi, np.pi, 1001)[:-1]
    assert published_cv(np.ones(1000)) == pytest.approx(1, abs=2e-3)
    assert published_cv((np.abs(x) < 0.01).astype(float)) == pytest.approx(0, abs=1e-3)
    assert np.isnan(published_cv(np.zeros(5)))
    # a curve along the imaginary axis: the published measure is blind to it
    assert published_cv((np.abs(x - np.pi / 4) < 0.01).astype(float)) == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="kappa_e = 0 is out of range"):
        VarianceRing(kappa_e=0)


# ---------------------------------------------------------------- mean field of integrate-and-fire cells


def test_siegert_against_quadrature():
    for mu, sigma in ((-55.0, 4.0), (-49.0, 5.0), (-65.0, 6.0)):
        low, high = (-60.0 - mu) / sigma, (-50.0 - mu) / sigma
        integral = quad(lambda u: np.exp(u**2) * erfc(-u), low, high, epsrel=1e-10)[0]  # erfc: 1 + erf cancels
        expected = 1000 / (2.0 + 10.0 * np.sqrt(np.pi) * integral)
        assert siegert_rate(mu, sigma, 10.0, -50.0, -60.0, 2.0) == pytest.approx(expected, rel=1e-6)


def test_siegert_without_noise_is_the_deterministic_rate():
    mu, tau = -45.0, 10.0
    period = 2.0 + tau * np.log((mu + 60.0) / (mu + 50.0))
    assert siegert_rate(mu, 0.05, tau, -50.0, -60.0, 2.0) == pytest.approx(1000 / period, rel=1e-3)
    assert siegert_rate(-60.0, 0.05, tau, -50.0, -60.0, 2.0) == pytest.approx(0, abs=1e-12)
    assert siegert_rate(-55.0, 3.0, tau, -50.0, -60.0, 2.0, 3.0) < siegert_rate(-55.0, 3.0, tau, -50.0, -60.0, 2.0)


CELL = LIFCell(0.25, 15.0, 2.0, 3.0, 5.5, -70.0, -60.0, -50.5, 0.0, -80.0)


def lif_ring(**connections):
    made = {"input_to_E": RandomConnection(20.0, 36.0, 0.0027), "input_to_I": RandomConnection(20.0, 36.0, 0.0027)}
    return LIFRing({"E": CELL, "I": CELL}, {"input": 1024, "E": 256, "I": 64}, made | connections, n=24)


def test_mean_field_without_tuning_is_flat():
    rates = lif_ring(I_to_E=RandomConnection(25.0, 32.0, 0.001)).steady_state(np.full(24, 15.0))
    assert np.ptp(rates["E"]) < 1e-6
    assert rates["E"].mean() < rates["I"].mean()  # only E is inhibited


def test_mean_field_of_many_cells_matches_a_simulated_cell():
    """A conductance cell driven by Poisson trains, integrated in NumPy; its in-degree is fixed."""
    rng, dt, steps, n = np.random.default_rng(5), 0.1, 10_000, 400
    weight, trains, rate = 0.0027, 36, 24.0
    v, g, held, spikes = np.full(n, -60.0), np.zeros(n), np.zeros(n), 0
    for step in range(steps):
        g = g * np.exp(-dt / 3.0) + weight * rng.poisson(trains * rate * dt / 1000, n)
        dv = dt / 0.25 * (0.25 / 15.0 * (-70.0 - v) - g * v)
        v = np.where(held > 0, -60.0, v + dv)
        fired = v >= -50.5
        v, held = np.where(fired, -60.0, v), np.where(fired, 2.0, held - dt)
        spikes += fired.sum() * (step * dt > 200)
    simulated = spikes / n / (steps * dt - 200) * 1000
    # a flat input through as many sources as connections: probability 1, hence a fixed in-degree
    flat = RandomConnection(np.inf, 36.0, weight)
    theory = LIFRing({"E": CELL, "I": CELL}, {"input": 36, "E": 1, "I": 1}, {"input_to_E": flat}, n=8)
    predicted = theory.steady_state(np.full(8, rate))["E"].mean()
    assert 5 < simulated < 100
    assert predicted == pytest.approx(simulated, rel=0.15)


def test_turning_gain():
    feed = 10 + 28 * von_mises(preferred_orientations(24), 0.0, 21.0)
    assert lif_ring().turning_gain(feed) == pytest.approx(0, abs=1e-6)
    weak, strong = (lif_ring(E_to_E=RandomConnection(16.0, 64.0, w)).turning_gain(feed) for w in (0.0001, 0.0003))
    assert 0 < weak < strong < 1
    with pytest.raises(ValueError, match="not symmetric about index 0"):
        lif_ring().turning_gain(np.roll(feed, 3))


def test_bad_mean_fields_are_refused():
    with pytest.raises(ValueError, match="connection 'E_to_X' is unknown"):
        lif_ring(E_to_X=RandomConnection(20.0, 10.0, 0.001))
    with pytest.raises(ValueError, match="it must have n = 24"):
        lif_ring().steady_state(np.ones(10))
    with pytest.raises(ValueError, match=r"weight = -1 uS is out of range"):
        RandomConnection(20.0, 10.0, -1)
    with pytest.raises(ValueError, match=r"v_reset = -40.0 mV is out of range"):
        dataclasses.replace(CELL, v_reset=-40.0)
    with pytest.raises(RuntimeError, match="do not settle in 3 iterations"):
        lif_ring().steady_state(np.full(24, 30.0), iterations=3)
