"""Plasticity: windows, bounds, the engine against a plain twin and against NEST's own rule, freezing, determinism."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.networks import (
    SHAPES,
    STDP,
    Connection,
    SpikeDrive,
    Uniform,
    VogelsSprekeler,
    VonMises,
    Weights,
    input_rates,
    preset,
    rate_drive,
    run_ring,
    set_values,
)
from netlib.networks.pairing import measure_window
from netlib.networks.plasticity import Synapses
from netlib.networks.simulators import open_simulator
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol

LAGS = [-30.0, -10.0, -5.0, 5.0, 10.0, 30.0]
RULES = {**SHAPES, "vogels": VogelsSprekeler(eta=0.002, rho0=3.0, tau=15.0, w_max=0.2)}


def learning_ring(n=20, **values):
    sizes = {"n_excitatory": n, "n_inhibitory": n, "n_input": n}
    return set_values(preset("internship2019_learning"), {**sizes, **values})


def drive_of(parameters, duration=600.0, seed=1):
    shown = Protocol.sequence([Grating(theta=t) for t in (40.0, 160.0)], duration=duration / 2)
    return rate_drive(input_rates(parameters, shown), parameters.n_input, seed)


# ---------------------------------------------------------------- windows


@pytest.mark.parametrize("receptor", ["excitatory", "inhibitory"])
@pytest.mark.parametrize("mu", [0.0, 1.0])
@pytest.mark.parametrize("name", SHAPES)
def test_measured_window_is_the_theory(name, mu, receptor):
    rule = dataclasses.replace(SHAPES[name], mu=mu)
    # Away from half of w_max, where the two soft bounds would look alike.
    table = measure_window(rule, LAGS, weight=0.06, receptor=receptor)
    assert table["delta_t"].tolist() == LAGS
    assert np.abs(table["measured"] / table["theory"] - 1).max() < 0.01
    before, after = np.sign(table["measured"].to_numpy()[[2, 3]])
    signs = {"causal": (-1, 1), "anticausal": (1, -1), "symmetric_plus": (1, 1), "symmetric_minus": (-1, -1)}
    assert (before, after) == signs[name]


def test_measured_window_of_vogels_sprekeler():
    table = measure_window(RULES["vogels"], LAGS, receptor="inhibitory")
    rule = RULES["vogels"]
    # Vogels et al. 2011: each pair adds eta exp(-|dt| / tau), each presynaptic spike takes eta alpha away.
    lag = np.abs(table["delta_t"] + 1.0)  # the delay of 1 ms is the postsynaptic spike's
    expected = rule.eta * (np.exp(-lag / 15.0) - 2 * 0.003 * 15.0) / rule.w_max
    assert np.allclose(table["measured"], expected, rtol=1e-6)
    assert np.allclose(table["theory"], expected, rtol=1e-6)


def test_windows_of_the_project_of_2019():
    # Measured by hand with NEST 3.10 in single pairs: w0 = 100, w_max = 200 nS, delay 0.1 ms.
    hand = {
        "causal": [-0.92, -1.80, -2.12, 3.27, 2.87, 1.68],
        "anticausal": [0.92, 1.80, 2.12, -0.60, -0.48, -0.20],
        "symmetric_plus": [0.92, 1.80, 2.12, 2.25, 2.03, 1.34],
    }
    for name, values in hand.items():
        rule = dataclasses.replace(SHAPES[name], w_max=200.0)
        assert rule.window(LAGS, 100.0, delay=0.1) == pytest.approx(values, abs=0.006), name


def test_soft_bounds_scale_with_the_room_left_in_the_direction_of_the_change():
    for rule in SHAPES.values():
        for w in (0.0, 0.05, 0.15, 0.2):
            additive = dataclasses.replace(rule, mu=0.0)
            for lag in (-5.0, 5.0):
                full = dataclasses.replace(rule, mu=0.0, w_max=1e9).window(lag, 5e8) / 1e9
                room = 1 - w / 0.2 if full > 0 else w / 0.2
                assert rule.window(lag, w) == pytest.approx(0.2 * full * room, abs=1e-15)
                assert additive.window(lag, w) == pytest.approx(np.clip(w + 0.2 * full, 0, 0.2) - w, abs=1e-12)


def test_the_delay_shifts_the_window():
    late = dataclasses.replace(SHAPES["causal"], dendritic=0.0)
    even = dataclasses.replace(SHAPES["causal"], dendritic=0.5)
    for rule, sign in ((SHAPES["causal"], 1), (late, -1), (even, -1)):
        table = measure_window(rule, LAGS, delay=3.0)
        assert np.allclose(table["measured"], table["theory"], rtol=1e-9)
        assert (table["measured"].iloc[2] < 0) and (table["measured"].iloc[3] > 0), sign
    assert measure_window(SHAPES["causal"], [-2.0], delay=3.0)["measured"].item() > 0
    assert measure_window(late, [2.0], delay=3.0)["measured"].item() < 0
    assert measure_window(SHAPES["causal"], [-3.0], delay=3.0)["measured"].item() == 0


# ---------------------------------------------------------------- the engine and its twins


def twin(rule, pre, post, delay, weight, pre_spikes, post_spikes, stop):
    """Every pair of every synapse from the definition: no traces carried, no chunks."""
    final = []
    for i, j, d, w in zip(pre, post, delay, weight, strict=True):
        arrive_post = [t + rule.dendritic * d for c, t in zip(*post_spikes, strict=True) if c == j]
        arrive_pre = [t + (1 - rule.dendritic) * d for c, t in zip(*pre_spikes, strict=True) if c == i]
        events = sorted({round(t, 6) for t in arrive_pre + arrive_post if t <= stop + 1e-9})
        for now in events:
            earlier = [now - t for t in arrive_pre if t < now - 1e-6]
            if any(abs(t - now) < 1e-6 for t in arrive_post):
                amplitude = rule.A_plus * sum(np.exp(-gap / rule.tau_plus) for gap in earlier)
                w = np.clip(w + rule.change(amplitude, w), 0, rule.w_max)
            earlier = [now - t for t in arrive_post if t < now - 1e-6]
            if any(abs(t - now) < 1e-6 for t in arrive_pre):
                amplitude = rule.A_minus * sum(np.exp(-gap / rule.tau_minus) for gap in earlier) + rule.offset
                w = np.clip(w + rule.change(amplitude, w), 0, rule.w_max)
        final.append(float(w))
    return np.array(final)


def random_synapses(seed, n=40, duration=400.0):
    rng = np.random.default_rng(seed)
    trains = []
    for size in (7, 5):
        step = np.unique(rng.integers(1, 10 * int(duration), 25 * size))
        trains.append((rng.integers(0, size, len(step)), step * 0.1))
    delay = rng.integers(1, 51, n) * 0.1
    return rng.integers(0, 7, n), rng.integers(0, 5, n), delay, rng.uniform(0, 0.2, n), *trains


@pytest.mark.parametrize("dendritic", [1.0, 0.0, 0.4])
@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", RULES)
def test_engine_is_the_plain_twin(name, mu, dendritic):
    rule = dataclasses.replace(RULES[name], dendritic=dendritic)
    rule = rule if name == "vogels" else dataclasses.replace(rule, mu=mu)
    pre, post, delay, weight, *trains = random_synapses(len(name))
    expected = twin(rule, pre, post, delay, weight, *trains, 400.0)
    assert np.abs(expected - weight).max() > 0.01, "nothing changes: nothing is compared"
    for chunk in (400.0, 37.0, 0.5):  # one call, uneven calls, calls shorter than a delay
        group = Synapses(rule, pre, post, delay, weight, 7, 5)
        for stop in [*np.arange(chunk, 400.0, chunk), 400.0]:
            known = [(c[t <= stop + 1e-9], t[t <= stop + 1e-9]) for c, t in trains]
            group.advance(*known, stop)
        assert np.allclose(group.weight, expected, rtol=1e-9, atol=1e-12), chunk


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_engine_is_nests_own_rule_where_that_is_right(mu):
    rule = dataclasses.replace(SHAPES["causal"], mu=mu, w_max=1e-6)
    rng = np.random.default_rng(4)
    n_pre, n_post, delay, stop = 6, 5, 1.7, 600.0
    trains = [np.sort(rng.choice(np.arange(20, 5000), 20, replace=False)) / 10 for _ in range(n_pre + n_post)]
    with open_simulator("nest", min_delay=0.1, max_delay=5.0) as sim:
        # NEST brings a weight up to date at presynaptic spikes: one long after all else.
        pre = sim.Population(n_pre, sim.SpikeSourceArray(spike_times=[[*t, 580.0] for t in trains[:n_pre]]))
        teacher = sim.Population(n_post, sim.SpikeSourceArray(spike_times=trains[n_pre:]))
        post = sim.Population(n_post, sim.IF_cond_exp(cm=1.0, tau_refrac=0.1, tau_syn_E=0.1, v_reset=-65.0))
        post.record("spikes")
        sim.Projection(teacher, post, sim.OneToOneConnector(), sim.StaticSynapse(weight=50.0, delay=0.1))
        pairs = sim.SpikePairRule(rule.tau_plus, rule.tau_minus, rule.A_plus, -rule.A_minus)
        bounds = sim.MultiplicativeWeightDependence if mu else sim.AdditiveWeightDependence
        own = sim.STDPMechanism(
            pairs, bounds(0.0, rule.w_max), weight=0.4e-6, delay=delay, dendritic_delay_fraction=1.0
        )
        plastic = sim.Projection(pre, post, sim.AllToAllConnector(), own)
        sim.run(stop)
        found = plastic.get("weight", "array")
        events = post.recorder._spike_detector.device.events
    fired = np.asarray(events["senders"]) - int(post.all_cells[0]), np.asarray(events["times"])
    assert len(fired[0]) >= 95
    index = np.repeat(np.arange(n_pre), 21), np.concatenate([[*t, 580.0] for t in trains[:n_pre]])
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n_pre), np.arange(n_post), indexing="ij"))
    group = Synapses(rule, i, j, np.full(len(i), delay), np.full(len(i), 0.4e-6), n_pre, n_post)
    for end in np.arange(25.0, stop + 1, 25.0):
        group.advance(index, fired, end)
    assert np.ptp(found) > 1e-8
    assert np.allclose(group.weight, found.ravel(), rtol=1e-6, atol=0)


# ---------------------------------------------------------------- rings


@pytest.mark.parametrize("name", [*RULES, "extreme"])
def test_weights_stay_in_bounds_and_reach_the_simulator(name, monkeypatch):
    read = {}
    from netlib.networks import pynn as on_pynn

    class Spy(on_pynn.PyNNWeights):
        def set(self, values):
            super().set(values)
            read[self.projection.label] = self.get()

    monkeypatch.setattr(on_pynn, "PyNNWeights", Spy)
    parameters = learning_ring()
    extreme = STDP(0.9, 0.9, 40.0, 40.0, mu=0.0)
    for projection, connection in parameters.projections().items():
        rule = dataclasses.replace(RULES.get(name, extreme), w_max=2 * connection.weight)
        parameters = set_values(parameters, {f"{projection}.plasticity": rule})
    activity = run_ring(parameters, drive_of(parameters), 1, snapshots=np.arange(50.0, 600.0, 50.0))
    assert len(activity.spikes["E"][0]) > 20
    for projection, weights in activity.weights.items():
        assert weights.values.min() >= 0 and weights.values.max() <= weights.w_max, projection
        assert np.ptp(weights.values[-1] - weights.values[0]) > 0, f"{projection} did not learn"
        # rtol: NEST holds nS
        assert np.allclose(read.get(projection, 0), weights.last, rtol=1e-12), projection


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_weights_stay_in_bounds_for_ten_seconds(name):
    parameters = learning_ring(60)
    for projection, connection in parameters.projections().items():
        rule = dataclasses.replace(SHAPES[name], w_max=2 * connection.weight)
        parameters = set_values(parameters, {f"{projection}.plasticity": rule})
    activity = run_ring(parameters, drive_of(parameters, 10_000.0), 1, snapshots=np.arange(250.0, 1e4, 250.0))
    for projection, weights in activity.weights.items():
        assert weights.values.shape[0] == 41
        assert weights.values.min() >= 0 and weights.values.max() <= weights.w_max, projection


@pytest.mark.parametrize("connector", ["bulk", "pynn"])
def test_inhibitory_and_excitatory_changes_act(connector):
    # What the weights become must be felt: potentiated inhibition silences, potentiated excitation excites.
    def spikes(projection, amplitude):
        parameters = learning_ring()
        for name, connection in parameters.projections().items():
            rule = STDP(amplitude, amplitude, 40.0, 40.0, w_max=3 * connection.weight) if name == projection else None
            parameters = set_values(parameters, {f"{name}.plasticity": rule})
        return len(run_ring(parameters, drive_of(parameters), 1, connector=connector).spikes["E"][0])

    for projection, sign in (("input_to_E", 1), ("I_to_E", -1)):
        down, still, up = (spikes(projection, a) for a in (-0.3, 0.0, 0.3))
        assert sign * down < sign * still < sign * up, projection


def test_the_interval_between_updates_matters_little():
    parameters = learning_ring(40)
    drive = drive_of(parameters, 1000.0)
    fine, coarse = (run_ring(parameters, drive, 2, update=update) for update in (10.0, 50.0))
    assert len(fine.spikes["E"][0]) == pytest.approx(len(coarse.spikes["E"][0]), rel=0.25)
    for name, weights in fine.weights.items():
        a, b = weights.last, coarse.weights[name].last
        # The spikes of a recurrent network diverge after any difference: what converges is where the weights go.
        assert np.abs(a.mean() - b.mean()) < 0.01 * weights.w_max, name
        assert np.abs(a - b).mean() < 0.02 * weights.w_max, name


def test_frozen_weights_are_constant_and_the_spikes_static():
    parameters = learning_ring()
    drive = drive_of(parameters)
    frozen = run_ring(parameters, drive, 1, plastic=False, snapshots=[100.0])
    for weights in frozen.weights.values():
        assert (weights.values == weights.values[0]).all() and weights.times.tolist() == [0.0, 100.0, 600.0]
    static = set_values(parameters, {f"{name}.plasticity": None for name in parameters.projections()})
    assert run_ring(static, drive, 1).weights == {}
    assert same(frozen, run_ring(static, drive, 1))


def test_windows_of_plasticity():
    parameters = learning_ring()
    times = [100.0, 200.0, 333.3, 500.0]
    activity = run_ring(parameters, drive_of(parameters), 1, plastic=[[100.0, 200.0], [333.3, 500.0]], snapshots=times)
    for name, weights in activity.weights.items():
        changed = (np.diff(weights.values, axis=0) != 0).any(axis=1)
        assert changed.tolist() == [False, True, False, True, False], name
    weights = activity.weights["E_to_I"]
    assert np.array_equal(weights.at(250.0), weights.values[2]) and np.array_equal(weights.last, weights.values[-1])


def same(a, b):
    return all(np.array_equal(x, y) for p in ("E", "I") for x, y in zip(a.spikes[p], b.spikes[p], strict=True))


def test_same_seed_same_weights():
    parameters = learning_ring()
    drive = drive_of(parameters)
    a, b, c = (run_ring(parameters, drive, seed) for seed in (1, 1, 2))
    assert same(a, b) and not same(a, c)
    for name in a.weights:
        assert np.array_equal(a.weights[name].values, b.weights[name].values)


def test_weights_can_be_given_kept_and_shuffled(tmp_path):
    parameters = learning_ring()
    shown = Protocol.sequence([Grating(theta=40.0)], duration=400.0)
    taught = record_ring(parameters, shown, 1)
    read = Recording.load(taught.save(tmp_path / "r.npz"))
    assert read.weights.keys() == taught.weights.keys() == parameters.projections().keys()
    for name, weights in taught.weights.items():
        for part in ("pre", "post", "delay", "times", "values", "w_max"):
            assert np.array_equal(getattr(read.weights[name], part), getattr(weights, part))
    again = record_ring(parameters, shown, 1, plastic=False, weights=read.weights)
    for name, weights in again.weights.items():
        assert np.allclose(weights.values, taught.weights[name].last, rtol=1e-12)
    naive = record_ring(parameters, shown, 1, plastic=False)
    counts = [len(r.population("E").spike_time) for r in (again, naive)]
    assert counts[0] > counts[1], "learned weights change nothing"
    mixed = {"E_to_I": taught.weights["E_to_I"].shuffled(3), "I_to_E": np.full(400, 0.07)}
    other = record_ring(parameters, shown, 1, plastic=False, weights=mixed)
    assert np.allclose(np.sort(other.weights["E_to_I"].last), np.sort(taught.weights["E_to_I"].last))
    assert not np.allclose(other.weights["E_to_I"].last, taught.weights["E_to_I"].last)
    assert np.allclose(other.weights["I_to_E"].last, 0.07)


def test_vogels_sprekeler_holds_the_rate():
    # Inhibition that starts far too weak grows until cells fire nearer to the target.
    def rate(plasticity):
        parameters = learning_ring(30, **{"I_to_E.plasticity": plasticity, "I_to_E.weight": 0.001})
        static = {f"{n}.plasticity": None for n in parameters.projections() if n != "I_to_E"}
        parameters = set_values(parameters, {**static, "input_to_E.weight": 0.6})
        _, time = run_ring(parameters, drive_of(parameters, 3000.0), 1).spikes["E"]
        return (time > 2000).sum() / 30

    target = 3.0
    start = rate(None)
    assert start > 1.5 * target
    assert abs(rate(VogelsSprekeler(0.01, rho0=target, w_max=1.0)) - target) < 0.5 * abs(start - target)


@pytest.mark.slow
def test_another_simulator_learns_the_same_window():
    a = measure_window(SHAPES["anticausal"], LAGS, receptor="inhibitory", backend="brian2")
    assert np.allclose(a["measured"], a["theory"], rtol=0.01) and len(a) == len(LAGS)


# ---------------------------------------------------------------- bad input


def run_badly(**settings):
    return run_ring(learning_ring(), drive_of(learning_ring()), 1, **settings)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: STDP(A_plus=1.5), ["A_plus", "1.5", "[-1, 1]"]),
        (lambda: STDP(tau_plus=0), ["tau_plus", "0 ms"]),
        (lambda: STDP(mu=2), ["mu", "2", "[0, 1]"]),
        (lambda: STDP(w_max=0), ["w_max", "uS or nA"]),
        (lambda: STDP(dendritic=-0.1), ["dendritic", "-0.1"]),
        (lambda: STDP().window(5.0, 0.3), ["weight", "0.3", "0.2"]),
        (lambda: VogelsSprekeler(eta=0), ["eta"]),
        (lambda: VogelsSprekeler(rho0=-1), ["rho0", "-1 Hz"]),
        (lambda: Connection(Uniform(), 0.3, plasticity=STDP(w_max=0.2)), ["weight", "0.3", "0.2"]),
        (lambda: run_badly(update=0.01), ["update", "0.01 ms"]),
        (
            lambda: run_badly(plastic=[[5, 1]]),
            ["plastic", "start < stop"],
        ),
        (lambda: run_badly(snapshots=[900.0]), ["snapshots", "900 ms"]),
        (lambda: run_badly(snapshots=[0.55]), ["snapshots", "0.55 ms"]),
        (lambda: run_badly(weights={"E_to_X": [1.0]}), ["'E_to_X'"]),
        (
            lambda: run_badly(weights={"E_to_I": [0.1]}),
            ["1 values", "400"],
        ),
        (
            lambda: run_badly(weights={"E_to_I": np.full(400, 0.3)}),
            ["E_to_I", "0.3", "w_max = 0.2"],
        ),
        (
            lambda: run_badly(weights={"E_to_E": _weights_of_others()}),
            ["other synapses", "same seed"],
        ),
        (lambda: measure_window(STDP(), [0.05]), ["delta_t", "0.1 ms"]),
        (lambda: measure_window(STDP(), [5.0], receptor="gaba"), ["receptor", "'inhibitory'"]),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def _weights_of_others():
    return Weights(np.arange(2), np.arange(2), np.ones(2), np.zeros(1), np.full((1, 2), 0.1))


def test_a_total_weight_is_checked_per_synapse():
    dense = VonMises(15.0)
    rule = STDP(w_max=0.1)
    assert Connection(dense, 0.4, plasticity=rule).plasticity is rule
    parameters = learning_ring(20, E_to_E=Connection(dense, 0.4, plasticity=rule))
    assert run_ring(parameters, drive_of(parameters, 100.0), 1).weights["E_to_E"].values.max() <= 0.1
    tight = learning_ring(20, E_to_E=Connection(dense, 0.4, plasticity=STDP(w_max=0.01)))
    with pytest.raises(ValueError, match=r"E_to_E: weights span"):
        run_ring(tight, drive_of(tight, 100.0), 1)


def test_a_network_without_synapses_in_a_projection_runs():
    parameters = learning_ring(2, **{"E_to_E.kernel.decay": 50.0})
    drive = SpikeDrive(np.array([0, 1]), np.array([5.0, 9.0]), 2, 40.0)
    assert len(run_ring(parameters, drive, 1).weights["E_to_E"]) == 0


def test_figure_of_windows():
    from netlib.figures import plot_stdp_window

    table = pd.DataFrame({"delta_t": LAGS, "measured": np.arange(6.0), "theory": np.arange(6.0)})
    assert len(plot_stdp_window({"a": table, "b": table}).axes) == 2
    with pytest.raises(ValueError, match="theory"):
        plot_stdp_window(table[["delta_t", "measured"]])
