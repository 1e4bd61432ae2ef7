"""Dynamics: moving inputs, decoding in time, delays, bumps that turn, fade, last or wander; adaptation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import distance, preferred_orientations, signed_distance, von_mises
from netlib.networks import input_rates, preset
from netlib.networks.synapses import weight_array
from netlib.stimuli import Grating, Protocol
from netlib.v1.adaptation import adapting_v1, preferred_shift
from netlib.v1.bumps import (
    PoissonBump,
    cue_rates,
    diffusion_coefficient,
    growth_exponent,
    persistence,
    pinning,
    rate_diffusion,
    scaling_exponent,
    sized_bump,
    sparse,
    spiking_diffusion,
    weakened,
)
from netlib.v1.delays import LatencyCode, _delays, _measure, latency_delays
from netlib.v1.dynamics import binned_counts, decode_in_time, moving_rates
from netlib.v1.rotation import fade_or_turn, frame_vector, jump_networks, jump_profile, tracking

# ---------------------------------------------------------------- inputs that move, decoding in time


def test_a_still_orientation_gives_the_rates_of_the_protocol():
    v1 = preset("v1")
    protocol = Protocol.sequence([Grating(theta=30.0)], 100.0)
    still = moving_rates(v1, np.full(100, 30.0))
    np.testing.assert_allclose(still.rates, input_rates(v1, protocol).rates)
    assert (moving_rates(v1, np.full(100, 30.0), 0.0).rates == 10.0).all()


def test_the_input_moves_with_the_orientation():
    rates = moving_rates(preset("v1"), np.arange(0.0, 720.0, 3.0))
    best = rates.orientations[rates.rates.argmax(axis=0)]
    assert distance(best, np.arange(0.0, 720.0, 3.0)).max() < 0.1


def test_a_cue_is_shown_only_in_its_time():
    network = sized_bump(64)
    rates = cue_rates(network, 300.0, [(100.0, 200.0, 90.0)])
    tuned = np.ptp(rates.rates, axis=0) > 1
    assert np.flatnonzero(tuned).tolist() == list(range(100, 200))
    assert rates.rates[32, 150] == pytest.approx(network.input_tuning.peak)


def test_counts_hold_every_spike_once():
    rng = np.random.default_rng(1)
    index, time = rng.integers(0, 7, 500), rng.uniform(0, 95, 500)
    counts = binned_counts((index, time), 7, 100.0, 10.0)
    assert counts.shape == (7, 10)
    assert counts.sum() == 500
    assert counts[3, 2] == np.sum((index == 3) & (time >= 20) & (time < 30))


def test_decoding_follows_planted_spikes():
    time = np.arange(0.5, 1000.0, 1.0)
    index = np.round(time * 0.09).astype(int) % 180  # 90 deg/s on 180 cells
    middle, decoded, length = decode_in_time((index, time), 180, 1000.0, 50.0, 10.0)
    assert distance(decoded, 0.09 * middle).max() < 1.0
    assert length.min() > 0.95


def test_the_frame_of_the_stimulus_gives_the_planted_lag():
    orientation = 0.36 * (np.arange(2000) + 0.5)
    time = np.arange(200.0, 1900.0, 0.37)
    index = np.round((np.interp(time - 25.0, np.arange(2000) + 0.5, orientation) % 180) / 0.5).astype(int) % 360
    vector = frame_vector(index, time, 360, orientation)
    assert -np.degrees(np.angle(vector)) / 2 == pytest.approx(0.36 * 25.0, abs=0.05)
    assert abs(vector) > 0.999
    assert np.isnan(frame_vector([], [], 360, orientation))


# ---------------------------------------------------------------- turning or fading


def planted(turning: bool) -> pd.DataFrame:
    time, theta = np.arange(-100.0, 300.0, 5.0), 10.0 * np.arange(18) - 90.0
    way = np.clip(time / 200.0, 0, 1)[:, None]
    if turning:
        rates = von_mises(theta, 60 * way, 20.0)
    else:
        rates = (1 - way) * von_mises(theta, 0.0, 20.0) + way * von_mises(theta, 60.0, 20.0)
    length = np.abs(rates @ np.exp(2j * np.radians(theta))) / rates.sum(axis=1)
    return pd.DataFrame(10.0 * rates, index=time, columns=theta).assign(length=length)


def test_a_planted_bump_turns_and_a_planted_pair_fades():
    turn, fade = (fade_or_turn(planted(turning)) for turning in (True, False))
    assert turn["t50"] == fade["t50"] == pytest.approx(100.0, abs=5.0)
    assert turn["middle"] == pytest.approx(1.0, abs=0.05)
    assert turn["dip"] == pytest.approx(1.0, abs=0.02)
    assert fade["middle"] == pytest.approx(0.3, abs=0.08)
    assert fade["dip"] == pytest.approx(0.5, abs=0.02)


def test_a_bump_that_stays_has_no_times():
    found = fade_or_turn(planted(True).assign(**{"-60": 0.0}).drop(columns="-60").iloc[:22])
    assert np.isnan(found["t50"])
    assert np.isnan(found["t95"])


# ---------------------------------------------------------------- latencies and delays


def test_latencies_are_those_of_the_formula():
    code = LatencyCode()
    assert code.latency(0.0) == pytest.approx(50.0 * np.log(1 / (1 - 1 / 2.2)))
    latency = code.latency(np.arange(0.0, 90.0, 5.0))
    fires = np.isfinite(latency)
    assert (np.diff(latency[fires]) > 0).all()
    assert not fires[5:].any()  # the current at 25 deg is below threshold


def test_matched_delays_bring_the_volley_together_and_only_on_its_cell():
    code = LatencyCode()
    delays = _delays(code, 360, 60, 1)
    latency = code.latency(signed_distance(preferred_orientations(360), 90.0))

    def spread(kind: str, cell: int) -> float:
        arrival = latency + delays[kind][:, cell]
        return float(np.std(arrival[np.isfinite(arrival)]))

    assert spread("matched", 30) == pytest.approx(0.0, abs=1e-9)
    assert spread("matched", 33) > 5.0
    assert min(spread(kind, 30) for kind in ("shuffled", "constant")) > 5.0


def test_the_controls_have_the_same_connections_and_the_same_delays():
    delays = _delays(LatencyCode(), 360, 60, 1)
    for kind in ("shuffled", "constant"):
        np.testing.assert_array_equal(np.isnan(delays[kind]), np.isnan(delays["matched"]))
        np.testing.assert_allclose(np.nanmean(delays[kind], axis=0), np.nanmean(delays["matched"], axis=0))
    np.testing.assert_array_equal(np.sort(delays["shuffled"], axis=0), np.sort(delays["matched"], axis=0))
    assert not np.array_equal(delays["shuffled"], delays["matched"], equal_nan=True)


def test_the_measures_find_a_planted_profile():
    shown = np.linspace(0, 180, 40, endpoint=False)
    away = signed_distance(preferred_orientations(60)[:, None], shown)
    counts = np.zeros((60, 40, 40), int)
    counts[:, :, 20] = np.round(100 * von_mises(away, 0.0, 15.0))
    found = _measure(counts, shown)
    assert found["hwhh"] == pytest.approx(17.9, abs=1.5)
    assert found["synchrony"] == 1.0
    assert found["peak"] == pytest.approx(99, abs=2)
    assert np.isnan(_measure(0 * counts, shown)["hwhh"])


def test_matched_delays_fire_where_the_others_do_not():
    table = latency_delays(1, weights=(0.06,), noise=(0.0,), trials=6, n_input=180, n_output=30).set_index("delays")
    assert table.loc["matched", "peak"] > 0.2
    assert table.loc[["shuffled", "constant"], "peak"].max() == 0
    assert table["flank"].max() == 0


# ---------------------------------------------------------------- bumps


def test_the_weights_of_the_bump_ring_are_the_same_at_any_size():
    for n in (64, 128):
        network = sized_bump(n)
        weights = weight_array(network.E_to_E, n, n)[:, :]
        np.testing.assert_allclose(weights.sum(axis=0), network.E_to_E.weight)
    assert weakened(network, 0.5).E_to_E.weight == network.E_to_E.weight / 2
    drawn = sparse(network, 32)
    assert drawn.E_to_E.weight * drawn.E_to_E.kernel.in_degree == pytest.approx(network.E_to_E.weight)


def test_the_poisson_bump_is_a_steady_state_of_its_equations():
    bump, n = PoissonBump(), 360
    assert bump.half_width == pytest.approx(45.0)  # J2 = 4: exact
    f, theta = bump.profile(n), np.radians(preferred_orientations(n))
    field = bump.J0 * f.mean() + bump.J2 * (f @ np.cos(2 * theta)) / n * np.cos(2 * theta)
    np.testing.assert_allclose(np.maximum(f.max() - field[0] + field, 0), f, atol=0.02)


def test_its_diffusion_is_that_of_the_theory():
    bump = PoissonBump()
    assert bump.diffusion(400) / bump.diffusion(1600) == pytest.approx(
        4.0, rel=0.03
    )  # the edge of the bump falls between cells
    moved = bump.simulate(800, 128, 3000.0, 1)
    ratio = np.mean((moved[:, -1] - moved[:, 0]) ** 2) / (2 * 3.0 * bump.diffusion(800))
    assert 0.6 < ratio < 1.5  # 128 squares of normal numbers: 12 % of standard error


def test_heterogeneous_weights_pin_the_bump():
    settings = {"sizes": (400,), "trajectories": 32, "duration": 4000.0, "settle": 8000.0, "lags": 4}
    free, pinned = (rate_diffusion(1, heterogeneity=h, **settings) for h in (0.0, 0.2))
    assert growth_exponent(pinned["lag"], pinned["variance"]) < 0.6 < growth_exponent(free["lag"], free["variance"])
    assert pinned["variance"].iloc[-1] < free["variance"].iloc[-1] / 1.5


def test_the_scaling_is_that_planted():
    rng, rows = np.random.default_rng(3), []
    for seed in range(10):
        for n in (100, 200, 400, 800):
            factor = rng.chisquare(20) / 20
            rows += [
                {"seed": seed, "n": n, "lag": t, "variance": 1.0 + 2 * 500 / n * t * factor} for t in (1.0, 2.0, 3.0)
            ]
    slope, low, high = scaling_exponent(pd.DataFrame(rows), 200)
    assert low < -1.0 < high
    assert -1.15 < slope < -0.85
    assert diffusion_coefficient([1, 2, 3], [5.0, 7.0, 9.0]) == pytest.approx(1.0)
    assert growth_exponent([1, 2, 4], [3.0, 6.0, 12.0]) == pytest.approx(1.0)


# ---------------------------------------------------------------- adaptation


def test_the_shift_is_positive_away_from_the_adapter():
    shown = preferred_orientations(12)
    before = von_mises(np.array([[70.0], [110.0]]), shown, 20.0)
    after = von_mises(np.array([[67.0], [113.0]]), shown, 20.0)
    away, shift = preferred_shift(before, after, shown, 90.0)
    np.testing.assert_allclose(away, [-20, 20], atol=0.1)
    np.testing.assert_allclose(shift, [3, 3], atol=0.1)


def test_the_control_differs_in_the_spike_triggered_current_alone():
    adapting, control = adapting_v1(), adapting_v1(0.0)
    assert control.excitatory.b == 0
    same = dataclasses.replace(adapting, excitatory=control.excitatory, name=control.name)
    assert same == control


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sized_bump(130), "n = 130 cells is not a multiple of 4"),
        (lambda: weakened(preset("bump"), -1), "fraction = -1"),
        (lambda: moving_rates(preset("v1"), [1.0, np.nan]), r"orientation\[1\]"),
        (lambda: moving_rates(preset("v1"), [1.0, 2.0], -1.0), "strength"),
        (lambda: decode_in_time(([0], [1.0]), 4, 100.0, 5.0, 10.0), "window = 5"),
        (lambda: frame_vector([0], [1.0], 0, [1.0]), "n_cells = 0"),
        (lambda: LatencyCode(current=1.0), "current = 1"),
        (lambda: PoissonBump(J2=2.0), "J2 = 2"),
        (lambda: rate_diffusion(1, trajectories=1), "trajectories = 1"),
        (lambda: tracking(1, duration=100.0, skip=100.0), "skip = 100"),
        (lambda: jump_profile(preset("v1"), 1, jumps=0), "jumps = 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


# ---------------------------------------------------------------- the physics, on NEST


@pytest.mark.slow
def test_a_bump_outlives_its_cue_only_with_recurrence():
    table = persistence(1, fractions=(1.0, 0.5), delays=(1000.0, 3000.0), n=256)
    assert table.groupby(["network", "fraction"])["alive"].last().to_dict() == {
        ("bump", 1.0): True,
        ("bump", 0.5): False,
        ("v1", 1.0): False,
    }


@pytest.mark.slow
def test_a_larger_bump_wanders_less():
    table = pd.concat([spiking_diffusion(seed, sizes=(128, 512), duration=4000.0) for seed in (1, 2)])
    last = table[table["lag"] == 1.0].groupby("n")["variance"].mean()
    assert last[128] > 2 * last[512]
    assert table["length"].min() > 0.5


@pytest.mark.slow
def test_random_connections_move_the_bump_the_same_way_twice():
    table = pd.concat([pinning(seed, cues=4).assign(seed=seed) for seed in (1, 2)])
    random = table[table["network"] == "random connections"].pivot_table(
        index=["seed", "cue"], columns="trial", values="displacement"
    )
    assert np.mean(random[0] * random[1]) > 0


@pytest.mark.slow
def test_a_narrow_input_makes_a_new_bump_where_a_broad_one_moves_the_old():
    """The cells halfway stay silent under the narrow input; the same network, jumps and seed under a broad one."""
    networks = jump_networks()
    (broad, weak), (narrow, strong) = networks["bump, broad input 0.1"], networks["bump, narrow input 0.4"]
    moved = fade_or_turn(jump_profile(broad, 1, jumps=5, **weak))
    replaced = fade_or_turn(jump_profile(narrow, 1, jumps=5, **strong))
    assert replaced["middle"] < 0.35
    assert moved["middle"] > replaced["middle"] + 0.2
    assert moved["dip"] > replaced["dip"]
