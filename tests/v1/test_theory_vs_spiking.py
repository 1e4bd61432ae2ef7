"""The spiking ring against theory: the measures, and one network against its mean field."""

import itertools

import numpy as np
import pytest

from netlib.base.orientation import preferred_orientations, von_mises
from netlib.lgn import ChannelRates
from netlib.networks import input_rates, preset, rate_drive, run_ring
from netlib.stimuli import Grating, Protocol
from netlib.v1 import theory as module


def test_input_is_that_of_the_preset():
    network = preset("v1")
    protocol = Protocol.tuning(Grating(), orientations=[30.0], contrasts=[0.3], duration=10.0)
    expected = input_rates(network, protocol).rates[:, int(protocol.windows()[0, 0]) + 5]
    place = preferred_orientations(network.n_input)
    B_theta = network.input_tuning.B_theta
    np.testing.assert_allclose(module.input_rates_at(network, place, 0.3, B_theta, 30.0), expected)
    both, other = (module.input_rates_at(network, place, 0.3, B_theta, *t) for t in ((30.0, 120.0), (120.0,)))
    pedestal = network.input_tuning.peak * network.input_tuning.pedestal
    np.testing.assert_allclose(both, expected + other - pedestal)


@pytest.mark.parametrize("weight", [0.7, 1.0, 1.5])
def test_weight_of_sum_is_recovered(weight):
    alone = von_mises(preferred_orientations(256), 0.0, 18.0)
    pair = weight * (alone + np.roll(alone, 128))
    assert module._weight_of_sum(pair, alone) == pytest.approx(weight)


def test_vector_after_a_jump():
    rows = [
        {"kind": "jump", "orientations": (theta,), "onset": onset, "stop": onset + 200.0}
        for theta, onset in ((0.0, 100.0), (60.0, 300.0))
    ]
    time = np.arange(110.0, 500.0, 1.0)
    index = np.where(time < 300, 0, 20)  # of 60 cells: 0 deg, then 60 deg
    found = module._after_jump(rows, (index, time), 60)
    by_time = {(row["measure"], row["time"]): row["value"] for row in found}
    rate = 1000.0 / 60  # one spike per ms, over 60 cells
    assert by_time["jump_cos", -25.0] == pytest.approx(rate)
    assert by_time["jump_sin", -25.0] == pytest.approx(0, abs=1e-9)
    assert by_time["jump_cos", 25.0] == pytest.approx(rate * np.cos(np.radians(120)))
    assert by_time["jump_sin", 25.0] == pytest.approx(rate * np.sin(np.radians(120)))


def test_schedule_holds_every_condition_once_and_does_not_overlap():
    rows = module._schedule(preset("v1"), 3)
    kinds = [row["kind"] for row in rows]
    assert kinds.count("pair") == len(module.CONTRASTS)
    assert kinds.count("jump") == module.N_JUMPS + 1
    assert all(a["stop"] <= b["onset"] for a, b in itertools.pairwise(rows))
    orders = [[row["contrast"] for row in module._schedule(preset("v1"), seed)] for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]


def test_mean_field_of_the_ring_and_one_network():
    network = preset("v1")
    theory = module.lif_ring(network, 40)
    B_theta = network.input_tuning.B_theta
    place = preferred_orientations(40)
    predicted = theory.steady_state(module.input_rates_at(network, place, 1.0, B_theta, 0.0))
    channels = preferred_orientations(network.n_input)
    rates = module.input_rates_at(network, channels, 1.0, B_theta, 0.0)
    drive = rate_drive(ChannelRates(np.tile(rates[:, None], 800), 1.0, channels), network.n_input, 3)
    activity = run_ring(network, drive, 3)
    for population in ("E", "I"):
        seen = (activity.spikes[population][1] > 200).sum() / network.size(population) / 0.6
        assert predicted[population].mean() == pytest.approx(seen, rel=0.25)


def test_networks_without_this_mean_field_are_refused():
    with pytest.raises(ValueError, match="needs a VonMises with an in_degree"):
        module.lif_ring(preset("internship2019"))
