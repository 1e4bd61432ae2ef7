"""The compiled engine against NEST: the same spikes, potentials and weights, and clear refusals."""

import dataclasses

import numpy as np
import pytest

from netlib.networks import (
    Cell,
    Connection,
    OneToOne,
    RingParameters,
    SpikeDrive,
    input_rates,
    preset,
    rate_drive,
    run_ring,
    set_values,
    use_backend,
)
from netlib.networks.compiled import CompiledRing
from netlib.networks.synapses import synapse_arrays
from netlib.recordings import record_ring
from netlib.stimuli import Grating, Protocol


def both(parameters, duration=800.0, seed=1, **settings):
    protocol = Protocol.sequence([Grating(theta=20.0), Grating(theta=110.0)], duration=duration / 2)
    drive = rate_drive(input_rates(parameters, protocol), parameters.n_input, seed)
    return [run_ring(parameters, drive, seed, backend=b, record_v=3, **settings) for b in ("compiled", "nest")]


def common(ours, theirs):
    """Share of the spikes of each simulated population that both have, in the same cell and step."""
    shares = {}
    for name in [n for n in ours.spikes if n != "input"]:
        a, b = (set(zip(*(x.tolist() for x in activity.spikes[name]), strict=True)) for activity in (ours, theirs))
        shares[name] = len(a & b) / max(len(a | b), 1)
        assert len(b) > 20, f"{name} hardly fired: nothing is compared"
    return shares


@pytest.mark.parametrize("name", ["v1", "bump", "internship2019_final"])
def test_spikes_equal_nests(name):
    ours, theirs = both(preset(name), 2000.0 if name == "internship2019_final" else 600.0)
    assert min(common(ours, theirs).values()) == 1.0
    for population, (cells, values) in ours.potentials.items():
        np.testing.assert_array_equal(cells, theirs.potentials[population][0])
        np.testing.assert_allclose(values, theirs.potentials[population][1], atol=1e-3)


def test_two_rings_equal_nests():
    ours, theirs = both(preset("v1_two_rings"), 300.0)
    assert min(common(ours, theirs).values()) == 1.0


def test_plastic_weights_equal_nests():
    ours, theirs = both(preset("internship2019_learning"), 1000.0, snapshots=[500.0])
    assert min(common(ours, theirs).values()) == 1.0
    for name, weights in theirs.weights.items():
        assert np.abs(np.diff(weights.values, axis=0)).max() > 0
        np.testing.assert_allclose(ours.weights[name].values, weights.values, rtol=1e-9)
        np.testing.assert_array_equal(ours.weights[name].delay, weights.delay)


@pytest.mark.parametrize("model", ["IF_cond_exp", "IF_curr_exp"])
def test_membrane_of_one_cell(model):
    """One cell, one train, no threshold in reach: against NEST, with strong and fast synapses."""
    cell = Cell(model, cm=0.5, tau_m=5.0, tau_syn_E=0.25, tau_syn_I=0.75, v_thresh=0.0 if "curr" in model else -1.0)
    network = RingParameters(
        n_excitatory=1, n_inhibitory=1, n_input=1, excitatory=cell, inhibitory=cell, v_init=(-70.0, -70.0),
        input_to_E=Connection(OneToOne(), 0.05 if "cond" in model else 1.0), input_to_I=None,
    )  # fmt: skip
    drive = SpikeDrive(np.zeros(20, int), np.sort(np.linspace(5.0, 80.0, 20).round(1)), 1, 100.0)
    ours, theirs = (run_ring(network, drive, 0, backend=b, record_v=1, sampling=0.1) for b in ("compiled", "nest"))
    values, expected = (activity.potentials["E"][1] for activity in (ours, theirs))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(values, expected, atol=2e-3 if "cond" in model else 1e-4)


def test_synapse_arrays_do_not_depend_on_blocks():
    network = preset("v1")
    whole, parts = (synapse_arrays(network, "E_to_I", 3, block) for block in (10**7, 1000))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a, b)
    pre, post, weight, delay = whole
    assert (np.diff(pre * 10_000 + post) > 0).all()
    assert weight.min() > 0
    assert delay.min() >= network.timestep


def test_slices_change_nothing():
    network = preset("internship2019_final")
    protocol = Protocol.sequence([Grating(theta=20.0)], duration=300.0)
    drive = rate_drive(input_rates(network, protocol), network.n_input, 2).on_grid(0.1, 0.2)
    found = []
    for ends in ([300.0], [0.1, 37.3, 37.4, 200.0, 300.0]):
        ring, now = CompiledRing(network, drive, 2, {}, 1.0), 0.0
        for end in ends:
            ring.run_to(now, end)
            now = end
        found.append(ring.spikes("I", 300.0))
    np.testing.assert_array_equal(found[0], found[1])
    assert len(found[0][0]) > 20


def test_unknown_cells_are_refused_and_auto_takes_nest():
    network = set_values(preset("v1"), {"excitatory.model": "IF_cond_alpha"})
    drive = SpikeDrive(np.empty(0, int), np.empty(0), network.n_input, 10.0)
    with pytest.raises(ValueError, match="'IF_cond_alpha' is unknown to backend = 'compiled'"):
        run_ring(network, drive, 1, backend="compiled")
    with use_backend("auto"):
        assert run_ring(network, drive, 1).backend == "nest"
        assert run_ring(preset("v1"), drive, 1).backend == "compiled"
    with pytest.raises(ValueError, match="threads = 2 is for NEST alone"):
        run_ring(preset("v1"), drive, 1, backend="compiled", threads=2)


def test_recording_says_what_ran_it():
    protocol = Protocol.sequence([Grating()], duration=20.0)
    small = dataclasses.replace(preset("internship2019_final"), name="small")
    with use_backend("compiled"):
        assert record_ring(small, protocol, 1).provenance["backend"] == "compiled"
    assert record_ring(small, protocol, 1).provenance["backend"] == "nest"


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="did you mean 'compiled'"), use_backend("compield"):
        pass
