"""The ring against the same ring written by hand in PyNEST (benchmarks/twin.py), spike for spike."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from netlib.base.seeds import stream
from netlib.networks import (
    Cell,
    Connection,
    Delay,
    OneToOne,
    RingParameters,
    SpikeDrive,
    VonMises,
    open_simulator,
    run_ring,
)
from netlib.networks.synapses import weight_array

SEED, DURATION, N_E, N_I = 3, 400.0, 60, 45


@pytest.fixture(scope="module")
def twin():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "twin.py"
    spec = importlib.util.spec_from_file_location("twin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dense_ring(model, scale):
    """A ring of unlike populations and widths, so that a transposed or swapped matrix would show."""
    return RingParameters(
        n_excitatory=N_E,
        n_inhibitory=N_I,
        n_input=N_E,
        excitatory=Cell(model, v_reset=-65.0),
        inhibitory=Cell(model, cm=0.2, tau_m=10.0, tau_syn_I=5.0),
        input_to_E=Connection(OneToOne(), 0.03 * scale),
        E_to_E=Connection(VonMises(12.0), 0.02 * scale, self_connections=True),
        E_to_I=Connection(VonMises(25.0), 0.06 * scale),
        I_to_E=Connection(VonMises(30.0), 0.05 * scale),
        I_to_I=Connection(VonMises(20.0), 0.02 * scale, self_connections=True),
    )


def poisson_drive(rate=80.0):
    rng = np.random.default_rng(1)
    n = rng.poisson(rate * N_E * DURATION / 1000)
    return SpikeDrive(rng.integers(0, N_E, n), np.sort(rng.uniform(0, DURATION, n)), N_E, DURATION)


def by_hand(twin, parameters, change=lambda weights: weights):
    """Spikes of the twin, from the drive, the initial potentials and the weights of the ring."""
    played = poisson_drive().on_grid(parameters.timestep, parameters.delay_bounds()[0] + parameters.timestep)
    start = {p: stream(SEED, "v_init", p).uniform(*parameters.v_init, parameters.size(p)) for p in ("E", "I")}
    weights = {}
    for name, connection in parameters.projections().items():
        pre, post = (parameters.size(p) for p in name.split("_to_"))
        if name != "input_to_E":
            weights[name] = np.asarray(weight_array(connection, pre, post).evaluate())
    return twin.simulate(parameters, played, start, change(weights))


def ring(parameters):
    return run_ring(parameters, poisson_drive(), SEED).spikes


def same(a, b):
    return all(np.array_equal(x, y) for p in ("E", "I") for x, y in zip(a[p], b[p], strict=True))


@pytest.mark.parametrize("model, scale", [("IF_cond_exp", 1.0), ("IF_curr_exp", 50.0)])
def test_spike_for_spike(twin, model, scale):
    parameters = dense_ring(model, scale)
    ours, theirs = ring(parameters), by_hand(twin, parameters)
    assert min(len(ours[p][0]) for p in ("E", "I")) > 100, "few spikes: little is compared"
    for p in ("E", "I"):
        np.testing.assert_array_equal(ours[p][0], theirs[p][0])
        np.testing.assert_array_equal(ours[p][1], theirs[p][1])

    # All four kinds of synapse count: without any one of them the spikes are others.
    for name in ("E_to_E", "E_to_I", "I_to_E", "I_to_I"):
        without = by_hand(twin, parameters, lambda weights, name=name: weights | {name: 0 * weights[name]})
        assert not same(ours, without), f"{name} makes no difference"


def test_the_comparison_sees_one_weight(twin):
    def change(weights):
        weights["I_to_E"][7, 11] *= 1.5
        return weights

    parameters = dense_ring("IF_cond_exp", 1.0)
    assert not same(ring(parameters), by_hand(twin, parameters, change))


def test_the_twin_computes_the_same_weights(twin):
    connection = Connection(VonMises(17.0), 0.02)
    theirs = twin.von_mises_weights(N_E, N_I, 17.0, 0.02)
    np.testing.assert_allclose(weight_array(connection, N_E, N_I).evaluate(), theirs, rtol=1e-12)


@pytest.mark.parametrize("delay", [0.1, 1.0, 1.3])
def test_every_input_spike_is_played_when_it_should(delay):
    # PyNN takes the shortest delay off each time; what is left of rounding must not cost a step.
    parameters = dense_ring("IF_cond_exp", 1.0)
    steps = np.arange(20, 20_000)
    drive = SpikeDrive(steps % N_E, steps * 0.1, N_E, 2000.0).on_grid(parameters.timestep, delay + 0.1)
    with open_simulator("nest", min_delay=delay, max_delay=delay) as sim:
        from netlib.networks.pynn import _populations

        source = _populations(sim, parameters, drive, SEED)["input"]
        source.record("spikes")
        sim.run(2000.0)
        events = source.recorder._spike_detector.device.events
        order = np.lexsort((events["senders"], events["times"]))
        np.testing.assert_allclose(np.asarray(events["times"])[order], drive.time, atol=1e-6)
        np.testing.assert_array_equal(np.asarray(events["senders"])[order] - int(source.all_cells[0]), drive.index)


def test_spike_for_spike_with_unlike_delays(twin):
    parameters = dense_ring("IF_cond_exp", 1.0)
    delays = {"input_to_E": 0.3, "E_to_E": 1.7, "E_to_I": 1.2, "I_to_E": 0.8, "I_to_I": 2.1}
    changed = {n: dataclasses.replace(c, delay=Delay(delays[n])) for n, c in parameters.projections().items()}
    parameters = dataclasses.replace(parameters, **changed)
    assert same(ring(parameters), by_hand(twin, parameters))
