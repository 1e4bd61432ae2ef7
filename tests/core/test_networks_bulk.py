"""The bulk connector against PyNN's own path: the same synapses, weights, delays and spikes."""

import tracemalloc

import numpy as np
import pytest

from netlib.networks.bulk import bulk_connector, pynn_connector
from netlib.networks.kernels import pairwise
from netlib.networks.simulators import open_simulator

N_PRE, N_POST = 23, 17


def weights(scale):
    rng = np.random.default_rng(3)
    return scale * rng.uniform(0.5, 1.5, (N_PRE, N_POST))


def simulate(make, receptor, cell, mask, weight, delay):
    """Connect driven cells to others through one projection; return what PyNN says of it, and the spikes."""
    with open_simulator("nest", min_delay=0.5, max_delay=4.0) as sim:
        times = np.random.default_rng(1).uniform(5, 300, (N_PRE, 60)).round(1)
        pre = sim.Population(N_PRE, sim.SpikeSourceArray(spike_times=[sorted(set(t)) for t in times]))
        post = sim.Population(N_POST, getattr(sim, cell)(i_offset=3.0), initial_values={"v": -62.0})
        post.record("spikes")
        projection = sim.Projection(
            pre, post, make(sim, mask), sim.StaticSynapse(weight=weight, delay=delay), receptor_type=receptor
        )
        matrices = [projection.get(name, "array") for name in ("weight", "delay")]
        as_list = projection.get(["weight", "delay"], "list")
        size = len(projection)
        sim.run(300)
        events = post.recorder._spike_detector.device.events
        spikes = np.stack([events["senders"] - int(post.all_cells[0]), events["times"]])
    return matrices, sorted(map(tuple, as_list)), size, spikes[:, np.lexsort(spikes)]


def assert_same(mask, weight, delay, receptor="excitatory", cell="IF_cond_exp"):
    ours = simulate(bulk_connector, receptor, cell, mask, weight, delay)
    theirs = simulate(pynn_connector, receptor, cell, mask, weight, delay)
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    assert ours[1] == theirs[1]
    assert ours[2] == theirs[2] == len(ours[1])
    assert ours[3].shape[1] > 50, "no spikes: nothing is compared"
    assert np.array_equal(ours[3], theirs[3])
    return ours


@pytest.mark.parametrize("receptor", ["excitatory", "inhibitory"])
@pytest.mark.parametrize("cell", ["IF_cond_exp", "IF_cond_alpha", "EIF_cond_exp_isfa_ista"])
def test_dense_rectangular_asymmetric(receptor, cell):
    w = weights(0.002)
    ours = assert_same(None, w, 1.0, receptor, cell)
    assert np.allclose(ours[0][0], w)  # not its transpose, not its opposite


@pytest.mark.parametrize("receptor, sign", [("excitatory", 1), ("inhibitory", -1)])
def test_current_based_cells(receptor, sign):
    assert_same(None, sign * weights(0.05), 1.0, receptor, "IF_curr_exp")


@pytest.mark.parametrize("receptor", ["excitatory", "inhibitory"])
def test_sparse_lazy_with_lazy_delays(receptor):
    mask = pairwise(lambda i, j: (7 * i + 3 * j) % 5 < 2, N_PRE, N_POST)
    w = pairwise(lambda i, j: 0.001 + 0.0001 * i + 0.00002 * j, N_PRE, N_POST)
    d = pairwise(lambda i, j: 0.5 + 0.1 * ((i + 2 * j) % 30), N_PRE, N_POST)
    ours = assert_same(mask, w, d, receptor)
    assert np.array_equal(np.isfinite(ours[0][0]), mask.evaluate())


def test_a_cell_without_any_synapse():
    mask = pairwise(lambda i, j: (j != 4) & (i % 2 == 0), N_PRE, N_POST)
    assert_same(mask, 0.003, 1.5)


def test_weights_differ_only_when_something_differs():
    # The comparison itself must be able to fail.
    a = simulate(bulk_connector, "excitatory", "IF_cond_exp", None, weights(0.002), 1.0)
    b = simulate(bulk_connector, "excitatory", "IF_cond_exp", None, weights(0.002)[::-1], 1.0)
    assert not np.array_equal(a[3], b[3])


@pytest.mark.parametrize("block", [1, 50, 10**6])
def test_blocks_change_nothing(block):
    mask = pairwise(lambda i, j: (i + j) % 3 > 0, N_PRE, N_POST)
    w = weights(0.002)

    def in_blocks(sim, mask):
        return bulk_connector(sim, mask, block)

    a = simulate(in_blocks, "excitatory", "IF_cond_exp", mask, w, 1.0)
    b = simulate(pynn_connector, "excitatory", "IF_cond_exp", mask, w, 1.0)
    assert np.array_equal(a[3], b[3]) and a[1] == b[1]


def test_two_projections_are_told_apart():
    with open_simulator("nest") as sim:
        a, b = (sim.Population(n, sim.IF_cond_exp()) for n in (5, 4))
        w1, w2 = np.arange(1, 21).reshape(5, 4) * 1e-3, np.arange(21, 41).reshape(5, 4) * 1e-3
        first = sim.Projection(a, b, bulk_connector(sim), sim.StaticSynapse(weight=w1, delay=1.0))
        second = sim.Projection(a, b, bulk_connector(sim), sim.StaticSynapse(weight=w2, delay=1.0))
        assert np.allclose(first.get("weight", "array"), w1) and np.allclose(second.get("weight", "array"), w2)


def test_plastic_synapses_take_pynns_path():
    with open_simulator("nest") as sim:
        a, b = (sim.Population(3, sim.IF_cond_exp()) for _ in range(2))
        rule = sim.STDPMechanism(
            sim.SpikePairRule(A_plus=0.01, A_minus=0.01), sim.AdditiveWeightDependence(w_max=0.1), weight=0.05
        )
        projection = sim.Projection(a, b, bulk_connector(sim), rule)
        assert np.allclose(projection.get("weight", "array"), 0.05)
        assert "stdp" in projection.nest_synapse_model


def test_mixed_signs_are_refused():
    with open_simulator("nest") as sim:
        a, b = (sim.Population(2, sim.IF_curr_exp()) for _ in range(2))
        with pytest.raises(ValueError, match="both signs"):
            sim.Projection(a, b, bulk_connector(sim), sim.StaticSynapse(weight=np.array([[1.0, -1], [1, 1]])))


def test_memory_is_one_block_and_not_the_matrix():
    n = 3000
    evaluated = []

    def profile(i, j):
        evaluated.append(np.broadcast_shapes(i.shape, j.shape))
        return np.full(evaluated[-1], 1e-5)

    mask = pairwise(lambda i, j: (i * 7919 + j * 104729) % 1000 < 2, n, n)
    with open_simulator("nest") as sim:
        a, b = (sim.Population(n, sim.IF_cond_exp()) for _ in range(2))
        synapse = sim.StaticSynapse(weight=pairwise(profile, n, n), delay=1.0)
        tracemalloc.start()
        sim.Projection(a, b, bulk_connector(sim, mask), synapse)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    matrix = n * n * 8
    assert peak < matrix / 10, f"{peak / 1e6:.0f} MB at the peak; the whole matrix is {matrix / 1e6:.0f} MB"
    assert max(np.prod(shape) for shape in evaluated) <= 100_000
