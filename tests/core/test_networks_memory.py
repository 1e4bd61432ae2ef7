"""Large networks never hold more than a block of their matrices."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from netlib.networks import (
    VonMises,
    bulk_connector,
    input_rates,
    open_simulator,
    preset,
    rate_drive,
    run_ring,
    set_values,
)
from netlib.networks.parameters import Connection
from netlib.networks.synapses import weight_array
from netlib.stimuli import Protocol

MB = 1e6


def peak_of(function):
    """What a call returns, and the most memory (bytes) that Python and NumPy held at once meanwhile."""
    tracemalloc.start()
    try:
        return function(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_sizes_without_common_factor_take_no_more_memory():
    _, peak = peak_of(lambda: weight_array(Connection(VonMises(20.0), 0.1), 3001, 3000)[:, :10])
    assert peak < 10 * MB  # the matrix has 72 MB


@pytest.mark.slow
def test_a_dense_matrix_of_100_million_weights_is_never_whole(monkeypatch):
    # NEST's own synapses would take gigabytes: here it only counts them.
    import nest

    n, synapses = 10_000, []
    with open_simulator("nest") as sim:
        pre, post = (sim.Population(n, sim.IF_cond_exp()) for _ in range(2))
        weight = weight_array(Connection(VonMises(20.0), 0.1), n, n)
        total = np.zeros(n)

        def connect(sources, targets, rule, synapse):
            synapses.append(len(sources))
            np.add.at(total, np.unique(targets) - int(post.all_cells[0]), synapse["weight"].reshape(-1, n).sum(axis=1))

        monkeypatch.setitem(nest.__dict__, "Connect", connect)
        make, synapse = bulk_connector(sim), sim.StaticSynapse(weight=weight, delay=1.0)
        _, peak = peak_of(lambda: sim.Projection(pre, post, make, synapse))
        monkeypatch.undo()
    assert sum(synapses) == n * n and max(synapses) <= 100_000
    np.testing.assert_allclose(total, 100.0)  # 0.1 uS onto each cell, in nS
    assert peak < 40 * MB, f"{peak / MB:.0f} MB; the matrix has {n * n * 8 / MB:.0f} MB"


@pytest.mark.slow
def test_a_ring_of_10_000_cells():
    parameters = set_values(preset("v1"), {"n_excitatory": 8000, "n_inhibitory": 2000, "n_input": 8000})
    row = {"onset": [0.0], "duration": [100.0], "orientation": [45.0], "contrast": [1.0]}
    protocol = Protocol.from_table(pd.DataFrame(row), 100.0)
    drive = rate_drive(input_rates(parameters, protocol), parameters.n_input, 1)
    activity, peak = peak_of(lambda: run_ring(parameters, drive, 1))
    assert len(activity.spikes["E"][0]) > 1000 and activity.spikes["E"][0].max() > 1000
    assert peak < 100 * MB, f"{peak / MB:.0f} MB; the largest matrix has {8000 * 8000 * 8 / MB:.0f} MB"
