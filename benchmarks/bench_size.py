"""A ring of 10,000 cells: time, and memory inside and outside Python; and a dense kernel of 10,000 x 10,000 cells."""

from timing import flashed  # before NumPy and NEST: it sets their threads

# isort: split

import resource
import time
import tracemalloc

import nest

from netlib.networks import VonMises, input_rates, preset, rate_drive, run_ring, set_values
from netlib.networks.bulk import BLOCK_SYNAPSES
from netlib.networks.parameters import Connection
from netlib.networks.synapses import weight_array

N = 10_000
DURATION = 100.0


def dense() -> None:
    """Evaluate a dense matrix of weights as the bulk connector does, a block of target cells after the other."""
    weights = weight_array(Connection(VonMises(15.0), 0.1), N, N)
    width = BLOCK_SYNAPSES // N
    for first in range(0, N, width):
        weights[:, first : first + width]


def ring() -> None:
    sizes = {"n_excitatory": 8 * N // 10, "n_inhibitory": 2 * N // 10, "n_input": 8 * N // 10}
    parameters = set_values(preset("v1"), sizes)
    drive = rate_drive(input_rates(parameters, flashed(DURATION)), parameters.n_input, 1)
    activity = run_ring(parameters, drive, 1)
    rates = {p: len(activity.spikes[p][0]) / parameters.size(p) / DURATION * 1e3 for p in ("E", "I")}
    print(
        f"  {nest.num_connections:,} connections; build {activity.build_time:.1f} s, {DURATION:g} ms in "
        f"{activity.run_time:.1f} s; E {rates['E']:.1f} Hz, I {rates['I']:.1f} Hz"
    )


def observe(title: str, function) -> None:
    print(title)
    wall, cpu = time.perf_counter(), time.process_time()
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"  {wall:.1f} s wall, {cpu:.1f} s processor time; at the peak {peak / 1e6:.0f} MB in Python")
    print(f"  {resident:.0f} MB in the process so far (NEST included)")


if __name__ == "__main__":
    observe(f"dense kernel of {N:,} x {N:,} cells by blocks; the whole matrix is {N * N * 8 / 1e6:.0f} MB", dense)
    observe(f"v1 with {N:,} cells; the largest matrix of weights would be {(8 * N // 10) ** 2 * 8 / 1e6:.0f} MB", ring)
