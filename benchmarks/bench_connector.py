"""640,000 synapses with weights of their own: netlib's bulk connector, PyNN's, and NEST by hand."""

from timing import Clock, measure, ratio, show  # before NumPy and NEST: it sets their threads

# isort: split

import nest
import numpy as np

from netlib.networks import bulk_connector, open_simulator

N = 800
PYNN, BULK, HAND = "AllToAllConnector", "bulk connector", "PyNEST by hand"


def through_pynn(make, clock: Clock) -> None:
    with open_simulator("nest") as sim:
        pre, post = (sim.Population(N, sim.IF_cond_exp()) for _ in range(2))
        with clock:
            sim.Projection(pre, post, make(sim), sim.StaticSynapse(weight=WEIGHTS, delay=1.0))
        assert nest.num_connections == N * N


def by_hand(clock: Clock) -> None:
    nest.ResetKernel()
    pre, post = (nest.Create("iaf_cond_exp", N) for _ in range(2))
    with clock:
        nest.Connect(pre, post, "all_to_all", {"weight": 1000.0 * WEIGHTS.T, "delay": 1.0})
    assert nest.num_connections == N * N


WEIGHTS = np.random.default_rng(1).uniform(0.5e-3, 1.5e-3, (N, N))

if __name__ == "__main__":
    print(f"{N * N:,} synapses with a matrix of weights (the populations are there before the clock starts)")
    ways = {BULK: lambda clock: through_pynn(bulk_connector, clock), HAND: by_hand}
    quick = measure(ways, 9)
    slow = measure(ways | {PYNN: lambda clock: through_pynn(lambda sim: sim.AllToAllConnector(), clock)}, 3, False)
    show(quick | {PYNN: slow[PYNN]})
    ratio(slow, PYNN, BULK, least=60)
    ratio(quick, BULK, HAND, most=1.5)
