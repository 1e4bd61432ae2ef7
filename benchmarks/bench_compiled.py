"""The compiled engine against NEST, and against the same ring by hand in Brian2's C++ standalone mode (6 s, 120 cells).

Brian2's program is compiled once (half a minute) and then run; it needs a C++ compiler.
"""

from timing import Clock, measure, ratio, show  # before NumPy and NEST: it sets their threads

# isort: split

import resource
import shutil
import tempfile
from pathlib import Path

import numpy as np

from netlib.base.seeds import stream
from netlib.networks import input_rates, preset, rate_drive, run_ring
from netlib.networks.synapses import synapse_arrays
from netlib.stimuli import Grating, Protocol

SEED, SECONDS = 1, 6
COMPILED, NEST, BRIAN2 = "compiled engine", "NEST", "Brian2 standalone"

EQUATIONS = """
dv/dt = (g_L * (v_rest - v) + gE * (rev_E - v) + gI * (rev_I - v)) / C_m : volt (unless refractory)
dgE/dt = -gE / tau_E : siemens
dgI/dt = -gI / tau_I : siemens
"""


def drive_of(parameters):
    shown = Protocol.sequence([Grating(theta=theta) for theta in (20.0, 80.0, 140.0)], duration=SECONDS * 1000.0 / 3)
    return rate_drive(input_rates(parameters, shown), parameters.n_input, SEED)


def standalone(parameters, drive, folder: Path):
    """Compile the static ring; return the device whose ``run`` repeats it, and the spike monitors."""
    import brian2 as b2

    b2.set_device("cpp_standalone", directory=str(folder), build_on_run=False)
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    b2.defaultclock.dt = parameters.timestep * b2.ms
    cell = parameters.excitatory
    assert cell == parameters.inhibitory
    space = {
        "g_L": cell.cm / cell.tau_m * b2.uS, "C_m": cell.cm * b2.nF, "v_rest": cell.v_rest * b2.mV,
        "rev_E": cell.e_rev_E * b2.mV, "rev_I": cell.e_rev_I * b2.mV, "tau_E": cell.tau_syn_E * b2.ms,
        "tau_I": cell.tau_syn_I * b2.ms, "v_thresh": cell.v_thresh * b2.mV, "v_reset": cell.v_reset * b2.mV,
    }  # fmt: skip
    refractory = (cell.tau_refrac + parameters.timestep) * b2.ms
    groups = {
        name: b2.NeuronGroup(
            parameters.size(name), EQUATIONS, threshold="v >= v_thresh", reset="v = v_reset", refractory=refractory,
            method="rk4", namespace=space,
        )
        for name in parameters.populations
    }  # fmt: skip
    for name, group in groups.items():
        group.v = stream(SEED, "v_init", name).uniform(*parameters.v_init, parameters.size(name)) * b2.mV
    groups["input"] = b2.SpikeGeneratorGroup(
        parameters.n_input, drive.index, (drive.time - parameters.timestep) * b2.ms, sorted=True
    )
    net = b2.Network(groups.values())
    for name in parameters.projections():
        source, target = name.split("_to_")
        pre, post, weight, delay = synapse_arrays(parameters, name, SEED)
        receptor = "gI" if source == "I" else "gE"
        synapses = b2.Synapses(groups[source], groups[target], "w : siemens", on_pre=f"{receptor}_post += w")
        synapses.connect(i=pre, j=post)
        synapses.w, synapses.delay = weight * b2.uS, delay * b2.ms
        net.add(synapses)
    monitors = {name: b2.SpikeMonitor(groups[name]) for name in parameters.populations}
    net.add(monitors.values())
    net.run(drive.duration * b2.ms)
    b2.device.build(directory=str(folder), run=False)
    return b2.device, monitors


class ChildClock(Clock):
    """Processor time of finished child processes instead of that of this process."""

    def __enter__(self):
        super().__enter__()
        self._child = resource.getrusage(resource.RUSAGE_CHILDREN)
        return self

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu = now.ru_utime + now.ru_stime - self._child.ru_utime - self._child.ru_stime


if __name__ == "__main__":
    for name, least in (("internship2019_final", 15.0), ("internship2019_learning", 5.0)):
        parameters = preset(name)
        drive = drive_of(parameters)
        kept = {}

        def run(clock: Clock, backend: str, parameters=parameters, drive=drive, kept=kept) -> None:
            with clock:
                kept[backend] = run_ring(parameters, drive, SEED, backend=backend)

        print(f"{name}: 120 cells, {SECONDS} s; build, run and readout")
        times = measure({COMPILED: lambda clock: run(clock, "compiled"), NEST: lambda clock: run(clock, "nest")}, 3)
        show(times)
        ratio(times, NEST, COMPILED, least=least, what=name)
        print({b: {p: len(a.spikes[p][0]) for p in ("E", "I")} for b, a in kept.items()})
    if shutil.which("g++") is None:
        raise SystemExit("no g++: the comparison with Brian2 is left out")
    parameters = preset("internship2019_final")
    drive = drive_of(parameters)
    low = parameters.delay_bounds()[0]
    with tempfile.TemporaryDirectory() as folder:
        device, monitors = standalone(parameters, drive.on_grid(parameters.timestep, low + 0.1), Path(folder))

        def by_hand(clock: Clock) -> None:
            child = ChildClock()
            with child:
                device.run(with_output=False)
            clock.wall, clock.cpu = child.wall, child.cpu

        def ours(clock: Clock) -> None:
            with clock:
                run_ring(parameters, drive, SEED, backend="compiled")

        times = measure({COMPILED: ours, BRIAN2: by_hand}, 7)
        show(times)
        ratio(times, COMPILED, BRIAN2, most=1.3)
        print("Brian2:", {p: int(np.asarray(m.num_spikes)) for p, m in monitors.items()})
