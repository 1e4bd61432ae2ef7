"""A whole simulation, from parameters to sorted spikes: netlib's ring against the same ring by hand in PyNEST."""

from timing import Clock, flashed, measure, ratio, show  # before NumPy and NEST: it sets their threads

# isort: split

import numpy as np
from twin import simulate

from netlib.base.seeds import stream
from netlib.networks import input_rates, preset, rate_drive, run_ring

DURATION, SEED = 1000.0, 1
NETLIB, TWIN = "netlib", "PyNEST twin"

if __name__ == "__main__":
    parameters = preset("internship2019")
    drive = rate_drive(input_rates(parameters, flashed(DURATION)), parameters.n_input, SEED)
    played = drive.on_grid(parameters.timestep, parameters.delay_bounds()[0] + parameters.timestep)
    start = {p: stream(SEED, "v_init", p).uniform(*parameters.v_init, parameters.size(p)) for p in ("E", "I")}
    spikes = {}

    def netlib(clock: Clock) -> None:
        with clock:
            spikes[NETLIB] = run_ring(parameters, drive, SEED).spikes

    def twin(clock: Clock) -> None:
        with clock:
            spikes[TWIN] = simulate(parameters, played, start)

    print(f"{parameters.name}: 500 + 500 cells, 1,000,500 synapses, {DURATION:g} ms; build, run and readout")
    times = measure({NETLIB: netlib, TWIN: twin}, 5)
    show(times)
    ratio(times, NETLIB, TWIN, most=1.25)
    found, expected = ([part for p in ("E", "I") for part in spikes[name][p]] for name in (NETLIB, TWIN))
    same = all(map(np.array_equal, found, expected))
    n_spikes = len(found[0]) + len(found[2])
    print(f"{n_spikes:,} spikes, {'the same in both, one by one' if same else 'NOT the same in both'}")
