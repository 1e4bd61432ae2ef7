"""NEST, Brian2 and NEURON run the same network: same synapses and potentials; rates and widths that agree.

Each simulator runs in an interpreter of its own. Without a C compiler NEURON is skipped, and nothing else is.
"""

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from netlib.networks import Cell, Connection, Delay, OneToOne, RingParameters, VonMises, preset, ring, set_values
from netlib.networks.simulators import BACKENDS, compile_mechanisms, integration_step, load, missing_tools
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import fit_population

OTHERS = ("brian2", "neuron")
STORED = Path(__file__).parents[2] / "FINAL_notebooks" / "results" / "simulators.csv"
SCRIPT = """
import pickle, sys
from netlib.recordings import record_ring
backend, folder = sys.argv[1:]
with open(f"{folder}/cases.pickle", "rb") as file:
    cases = pickle.load(file)
for name, (arguments, settings) in cases.items():
    if not settings.get("connector") or backend == "brian2":
        record_ring(*arguments, backend=backend, record_v=10, **settings).save(f"{folder}/{name}_{backend}.npz")
"""
MODELS = {
    "IF_cond_exp": Cell(v_thresh=0.0),
    "IF_cond_alpha": Cell("IF_cond_alpha", v_thresh=0.0),
    "IF_curr_exp": Cell("IF_curr_exp", v_thresh=0.0),
    "EIF_cond_exp_isfa_ista": Cell("EIF_cond_exp_isfa_ista", v_thresh=0.0, v_spike=20.0, a=4.0, b=0.05),
}


def protocol(orientations=1, duration=300.0):
    return Protocol.tuning(Grating(), orientations, duration=duration, gap=100.0, lead=100.0)


def chain(cell):
    """Input makes I cells fire one to one; E cells, which never reach threshold, hear both by many synapses."""
    spread = Delay(2.0, 1.0, 0.5, 4.0)
    scale = 1.0 if cell.conductance_based else 60.0  # nA for uS: the driving force, mV
    return RingParameters(
        n_excitatory=20, n_inhibitory=20, n_input=20, excitatory=cell,
        inhibitory=Cell(tau_m=5.0, tau_syn_E=0.5, tau_refrac=3.0, v_reset=-70.0),
        input_to_E=Connection(VonMises(25.0), 0.05 * scale, spread),
        input_to_I=Connection(OneToOne(), 0.25),
        I_to_E=Connection(VonMises(40.0), 0.05 * scale, spread),
        v_init=(-72.0, -62.0),
    )  # fmt: skip


CASES = {
    "v1": ((set_values(preset("v1"), {"E_to_E.delay": Delay(2.0, 1.0, 0.5, 4.0)}), protocol(4), 1), {}),
    **{model: ((chain(cell), protocol(), 2), {}) for model, cell in MODELS.items()},
    "PyNN's connector": ((chain(MODELS["IF_cond_exp"]), protocol(), 2), {"connector": "pynn"}),
}


def need(backend):
    """Skip NEURON where it cannot compile for want of a compiler; any other failure is one."""
    if backend == "neuron":
        try:
            compile_mechanisms()
        except ImportError:
            if missing_tools():
                pytest.skip(f"no {' and no '.join(missing_tools())}: NEURON must compile its mechanisms")
            raise


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Recording of a case on a backend; the first one asked of a backend runs all its cases."""
    folder = tmp_path_factory.mktemp("simulators")
    (folder / "cases.pickle").write_bytes(pickle.dumps(CASES))
    said = {}

    def get(case, backend):
        need(backend)
        if backend not in said:
            done = subprocess.run([sys.executable, "-c", SCRIPT, backend, folder], capture_output=True, text=True)
            said[backend] = done.stdout + done.stderr
        assert (folder / f"{case}_{backend}.npz").exists(), said[backend]
        return Recording.load(folder / f"{case}_{backend}.npz")

    get.said = said

    return get


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
def test_recurrent_network_agrees_with_nest(recorded, backend):
    nest, other = recorded("v1", "nest"), recorded("v1", backend)
    assert np.array_equal(nest.population("input").spike_time, other.population("input").spike_time)
    number = [sum(len(r.population(p).spike_time) for p in "EI") for r in (nest, other)]
    assert number[0] > 3000 and number[1] == pytest.approx(number[0], rel=0.03)
    for name in "EI":
        fits = [fit_population(r, name, progress=False) for r in (nest, other)]
        assert all(f["success"].all() for f in fits)
        assert fits[1]["hwhh"].mean() == pytest.approx(fits[0]["hwhh"].mean(), abs=1.5)
        assert len(nest.population(name).spike_time) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_weights_delays_signs_and_cells_agree_with_nest(recorded, model, backend):
    nest, other = recorded(model, "nest"), recorded(model, backend)
    spikes = [r.population("I") for r in (nest, other)]
    assert len(spikes[0].spike_time) > 40 and not len(nest.population("E").spike_time)
    assert np.array_equal(*(np.bincount(s.spike_index, minlength=20) for s in spikes))
    times = [s.spike_time[np.lexsort((s.spike_time, s.spike_index))] for s in spikes]
    assert np.abs(times[0] - times[1]).max() < 0.101
    a, b = (r.population("E").traces["v"] for r in (nest, other))
    assert a.values.shape == b.values.shape == (10, 501)
    assert np.array_equal(a.cells, b.cells) and a.dt == b.dt == 1.0
    assert np.array_equal(a.values[:, 0], b.values[:, 0])  # initial potentials
    assert np.ptp(a.values, axis=1).min() > 3 and np.abs(a.values - b.values).max() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_simulators_are_quiet(recorded, backend):
    recorded("v1", backend)
    assert not recorded.said[backend]


@pytest.mark.slow
def test_brian2_gets_the_same_synapses_in_bulk(recorded):
    bulk, pynn = recorded("IF_cond_exp", "brian2"), recorded("PyNN's connector", "brian2")
    assert np.array_equal(bulk.spike_time, pynn.spike_time) and np.array_equal(bulk.spike_index, pynn.spike_index)
    assert np.abs(bulk.traces["v"].values - pynn.traces["v"].values).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("order", [("nest", *OTHERS), (*OTHERS, "nest")])
def test_simulators_do_not_disturb_each_other_in_one_process(recorded, order):
    for backend in order:
        alone = recorded("IF_cond_exp", backend)
        together = record_ring(*CASES["IF_cond_exp"][0], backend=backend, record_v=10)
        assert np.array_equal(alone.spike_time, together.spike_time)
        assert np.array_equal(alone.traces["v"].values, together.traces["v"].values)


def test_drive_that_is_played_takes_the_time_it_says():
    # Once a hidden progress bar counted no time, and the run began each slice at 0.
    for progress in (True, False):
        calls = []
        network = SimpleNamespace(slices=50, run_to=lambda now, end, calls=calls: calls.append((now, end)))
        ring._run(network, 1234.5, progress)
        starts, ends = np.array(calls).T
        assert starts[0] == 0 and ends[-1] == 1234.5 and np.array_equal(starts[1:], ends[:-1]) and len(calls) > 10


def test_step_of_neuron_follows_the_shortest_synapse():
    cells = [Cell(tau_syn_E=3.0), Cell(tau_syn_E=0.25)]
    assert integration_step("nest", 0.1, cells) == integration_step("brian2", 0.1, cells) == 0.1
    step = integration_step("neuron", 0.1, cells)
    assert step <= 0.0025 + 1e-12 and (0.1 / step) == pytest.approx(round(0.1 / step))
    assert integration_step("neuron", 0.01, [Cell(tau_syn_E=3.0)]) == 0.01


def test_threads_are_for_nest_alone():
    arguments = CASES["IF_cond_exp"][0]
    for backend in OTHERS:
        with pytest.raises(ValueError, match="threads = 2 is for NEST alone"):
            record_ring(*arguments, backend=backend, threads=2)


def test_no_compiler_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "/no/such/compiler -O2")
    assert missing_tools() == ["C compiler (/no/such/compiler -O2)"]
    with pytest.raises(ImportError, match=r"no C compiler .*apt install build-essential"):
        compile_mechanisms(tmp_path)


def test_no_neuron_says_what_to_install(monkeypatch):
    def absent(*_):
        raise ImportError("NEURON is not installed")

    monkeypatch.setattr("netlib.networks.simulators.compile_mechanisms", absent)
    with pytest.raises(ImportError, match=r"'neuron' cannot be loaded .*pip install 'netlib-v1\[neuron\]', and C and"):
        load("neuron")


def test_compiled_mechanisms_are_left_alone_and_a_bad_folder_is_named(monkeypatch, tmp_path):
    (tmp_path / "x86_64").mkdir()
    (tmp_path / "x86_64" / "special").touch()
    monkeypatch.setattr(subprocess, "run", None)
    compile_mechanisms(tmp_path)
    monkeypatch.setattr("netlib.networks.simulators.missing_tools", list)
    with pytest.raises(ImportError, match=r"cannot be compiled in .*nowhere"):
        compile_mechanisms(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_failed_compilation_shows_why(tmp_path):
    need("neuron")
    (tmp_path / "wrong.mod").write_text("NEURON { POINT_PROCESS Wrong \n")
    with pytest.raises(ImportError, match=r"(?s)nrnivmodl failed on .*[Ee]rror"):
        compile_mechanisms(tmp_path)


REFRACTORY = """
import sys
import numpy as np
from netlib.networks import Cell
from netlib.networks.simulators import integration_step, open_simulator, set_solver
backend, model = sys.argv[1:]
cell = Cell(model, v_spike=-45.0)
with open_simulator(backend, timestep=integration_step(backend, 0.1, [cell])) as sim:
    one = sim.Population(1, getattr(sim, model)(**cell.pynn_parameters(), i_offset=0.6), initial_values={"v": -70.0})
    set_solver(sim, one, cell)
    one.record("spikes")
    sim.run(200.0)
    print(np.diff(one.get_data().segments[0].spiketrains[0].magnitude).mean())
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["IF_cond_exp", "IF_curr_exp", "EIF_cond_exp_isfa_ista"])
def test_a_clock_ticks_alike(model):
    """A cell with a constant current: what it does after a spike, the refractory period above all, is the same."""
    backends = ["nest", "brian2", *(() if missing_tools() else ("neuron",))]
    interval = {}
    for backend in backends:
        ran = subprocess.run([sys.executable, "-c", REFRACTORY, backend, model], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        interval[backend] = float(ran.stdout.split()[-1])
    assert max(interval.values()) - min(interval.values()) < 0.05, interval  # half a step
