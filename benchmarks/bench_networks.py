"""Time and memory of rings of 120 to 10,000 cells: PyNN as it is, netlib on NEST, PyNEST by hand, the compiled engine.

Every network is built and run in a process of its own, so that its memory is its own too. Dense networks have a
synapse between any two cells, sparse ones 100 afferents of each kind per cell.
"""

from timing import Clock, flashed, keep  # before NumPy and NEST: it sets their threads

# isort: split

import dataclasses
import json
import resource
import subprocess
import sys

import nest
import numpy as np
import pandas as pd
from tqdm import tqdm
from twin import simulate

from netlib.base.seeds import stream
from netlib.networks import VonMises, input_rates, preset, rate_drive, run_ring, set_values
from netlib.networks.parameters import RingParameters
from netlib.networks.synapses import synapse_arrays

DURATION, SEED, IN_DEGREE, REPEATS = 500.0, 1, 100, 3
SIZES = (120, 1000, 4000, 10_000)
PYNN, NETLIB, HAND, COMPILED = "PyNN", "netlib on NEST", "PyNEST by hand", "compiled engine"
#: Largest network (cells) that each way is tried on, by connectivity.
LARGEST = {
    "dense": {PYNN: 1000, NETLIB: 4000, HAND: 4000, COMPILED: 4000},
    "sparse": {PYNN: 1000, NETLIB: 10_000, HAND: 10_000, COMPILED: 10_000},
}
#: What turns conductances (uS) into currents (nA): distance of the reversal potentials from threshold (mV).
DRIVING_FORCE = {"E": 55.0, "I": 15.0, "input": 55.0}


def network(n: int, connectivity: str, cells: str) -> RingParameters:
    """Half of the cells excitatory, half inhibitory; the afferents of a cell sum to the same weight at every size."""
    ring = preset("internship2019")
    ring = set_values(ring, {f"n_{kind}": n // 2 for kind in ("excitatory", "inhibitory", "input")})
    changed = {}
    for name, connection in ring.projections().items():
        source = name.split("_to_")[0]
        weight = connection.weight * (DRIVING_FORCE[source] if cells == "curr" else 1.0)
        if connectivity == "sparse" and source != "input":
            degree = min(IN_DEGREE, n // 4)
            kernel = VonMises(connection.kernel.B_theta, in_degree=degree)
            connection = dataclasses.replace(connection, kernel=kernel, self_connections=False)
            weight /= degree
        changed[name] = dataclasses.replace(connection, weight=weight)
    if cells == "curr":
        kinds = {"excitatory": ring.excitatory, "inhibitory": ring.inhibitory}
        changed |= {kind: dataclasses.replace(cell, model="IF_curr_exp") for kind, cell in kinds.items()}
    return dataclasses.replace(ring, **changed)


def drive_of(ring: RingParameters, duration: float):
    return rate_drive(input_rates(ring, flashed(duration)), ring.n_input, SEED)


def child(way: str, n: int, connectivity: str, cells: str) -> dict:
    """Build and run one network in this process."""
    ring = network(n, connectivity, cells)
    drive = drive_of(ring, DURATION)
    backend, connector = "compiled" if way == COMPILED else "nest", "pynn" if way == PYNN else "bulk"
    small = network(40, connectivity, cells)  # imports, and machine code that is made once per computer
    run_ring(small, drive_of(small, 10.0), SEED, backend=backend, connector=connector)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if way == HAND:
        build, run = Clock(), Clock()
        spikes = by_hand(ring, drive, connectivity, (build, run))
        times = build.cpu, run.cpu
    else:
        with Clock() as clock:
            found = run_ring(ring, drive, SEED, backend=backend, connector=connector)
        # The two parts are known in wall time: shares of the whole.
        whole = found.build_time + found.run_time
        spikes, times = found.spikes, [clock.cpu * part / whole for part in (found.build_time, found.run_time)]
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    n_spikes = sum(len(spikes[population][0]) for population in ("E", "I"))
    n_synapses = nest.num_connections - ring.n_excitatory - ring.n_inhibitory if way != COMPILED else None
    return {"build": times[0], "run": times[1], "memory": memory, "spikes": n_spikes, "synapses": n_synapses}


def by_hand(ring: RingParameters, drive, connectivity: str, clocks: tuple) -> dict:
    """The same network through PyNEST alone; what is drawn (sparse synapses, potentials) is drawn before the clock."""
    played = drive.on_grid(ring.timestep, ring.delay_bounds()[0] + ring.timestep)
    start = {p: stream(SEED, "v_init", p).uniform(*ring.v_init, ring.size(p)) for p in ("E", "I")}
    recurrent = [name for name in ring.projections() if not name.startswith("input")]
    synapses = {name: synapse_arrays(ring, name, SEED) for name in recurrent} if connectivity == "sparse" else None
    return simulate(ring, played, start, synapses=synapses, clocks=clocks)


def fitted(table: pd.DataFrame) -> pd.DataFrame:
    """Exponents of time and memory against synapses, by way and connectivity, from networks of 1,000 cells and more."""
    rows = []
    large = table[(table["n"] >= 1000) & (table["cells"] == "cond")]
    for (way, connectivity), group in large.groupby(["way", "connectivity"]):
        middle = group.groupby("synapses")[["build", "run", "memory"]].median()
        if len(middle) > 1:
            slopes = {c: np.polyfit(np.log(middle.index), np.log(middle[c].clip(lower=1e-3)), 1)[0] for c in middle}
            rows.append({"way": way, "connectivity": connectivity, "points": len(middle), **slopes})
    return pd.DataFrame(rows)


def main() -> None:
    rows, todo = [], []
    for n in SIZES:
        for connectivity, largest in LARGEST.items():
            for cells in ("cond", "curr"):
                ways = [way for way, most in largest.items() if n <= most]
                repeats = REPEATS if n <= 1000 else 1
                todo += [(way, n, connectivity, cells) for _ in range(repeats) for way in ways]
    for job in tqdm(todo, desc="networks", unit=" runs", disable=None):
        told = subprocess.run([sys.executable, __file__, *map(str, job)], capture_output=True, text=True, check=True)
        rows.append(dict(zip(("way", "n", "connectivity", "cells"), job, strict=True)) | json.loads(told.stdout))
    table = pd.DataFrame(rows)
    keys = ["n", "connectivity", "cells"]
    table["synapses"] = table.groupby(keys)["synapses"].transform("max")
    same = table.groupby(keys)["spikes"].nunique() == 1
    print(table.groupby([*keys, "way"])[["synapses", "spikes", "build", "run", "memory"]].median().to_string())
    print(f"spikes the same in number in every way: {same.sum()} of {len(same)} networks")
    print(fitted(table).round(2).to_string(index=False))
    keep("networks", table)
    keep("network_exponents", fitted(table))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(child(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])))
    else:
        main()
