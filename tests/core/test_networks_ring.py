"""The ring network: reproducible, rotation-invariant, honest about bad input; presets run."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import preferred_orientations, signed_distance
from netlib.networks import (
    PRESETS,
    Cell,
    Connection,
    Delay,
    OneToOne,
    RingParameters,
    SpikeDrive,
    Uniform,
    VonMises,
    input_rates,
    preset,
    rate_drive,
    run_ring,
    set_values,
)
from netlib.networks.parameters import InputTuning
from netlib.networks.simulators import load, open_simulator
from netlib.recordings import record_ring
from netlib.stimuli import Protocol
from netlib.tuning import fit_population

SMALL = {"n_excitatory": 80, "n_inhibitory": 20, "n_input": 240}


def small(**changes):
    parameters = set_values(preset("v1"), {**SMALL, "I_to_E.kernel.in_degree": 15, "I_to_I.kernel.in_degree": 15})
    return dataclasses.replace(parameters, **changes)


def protocol(orientations=(0.0, 60.0, 120.0), duration=300.0, gap=100.0, lead=100.0):
    rows = [
        {"onset": lead + k * (duration + gap), "duration": duration, "orientation": theta, "contrast": 1.0}
        for k, theta in enumerate(orientations)
    ]
    return Protocol.from_table(pd.DataFrame(rows), lead + len(orientations) * (duration + gap))


def centre(counts, preferred):
    """Population vector (deg) of spike counts."""
    return np.degrees(np.angle((counts * np.exp(2j * np.radians(preferred))).sum())) / 2 % 180


def same(a, b):
    return np.array_equal(a.spike_index, b.spike_index) and np.array_equal(a.spike_time, b.spike_time)


def test_same_seed_same_spikes_and_another_seed_others():
    first, again, other = (record_ring(small(), protocol(), seed, record_v=4) for seed in (1, 1, 2))
    assert len(first.spike_time) > 1000
    assert same(first, again)
    assert np.array_equal(first.traces["v"].values, again.traces["v"].values)
    assert not same(first, other)


def test_bulk_and_pynn_build_the_same_network():
    delay = Delay(2.0, 1.0, 0.5, 4.0)
    parameters = small(
        E_to_E=Connection(VonMises(16.0, in_degree=20), 0.001, delay), I_to_I=Connection(Uniform(), 1e-4)
    )
    a, b = (record_ring(parameters, protocol(), 3, connector=c) for c in ("bulk", "pynn"))
    assert same(a, b) and len(a.population("E").spike_time) > 100


def test_recording_potentials_or_not_changes_no_spike():
    assert same(record_ring(small(), protocol(), 1), record_ring(small(), protocol(), 1, record_v=10, progress=True))


def test_rotating_the_stimulus_rotates_the_response():
    shown = np.array([10.0, 45.0, 100.0, 170.0])
    recording = record_ring(preset("v1"), protocol(shown), 1)
    for name in ("input", "E", "I"):
        part = recording.population(name)
        found = np.array([centre(c, part.neurons["orientation"]) for c in part.counts().T])
        # Connections are drawn at random: the answer is right to a few degrees, not exactly.
        assert np.all(np.abs(signed_distance(found, shown)) < 12), f"{name}: {found} for {shown}"


def test_rotating_the_drive_rotates_a_homogeneous_ring_exactly():
    parameters = set_values(
        preset("internship2019"), {"n_excitatory": 60, "n_inhibitory": 60, "n_input": 60, "v_init": (-60.0, -60.0)}
    )
    shown, turn = protocol((60.0,), 300.0), 17
    drive = rate_drive(input_rates(parameters, shown), 60, 1)
    turned = dataclasses.replace(drive, index=(drive.index + turn) % 60)
    a, b = (run_ring(parameters, d, 1) for d in (drive, turned))
    for name in ("E", "I"):
        there = {((i + turn) % 60, t) for i, t in zip(*a.spikes[name], strict=True)}
        assert len(there) > 20 and there == set(zip(*b.spikes[name], strict=True))


def test_disconnected_cells_copy_their_input():
    # One suprathreshold synapse each, nothing else: one spike per input spike, refractoriness aside.
    cell = Cell(tau_m=5.0, tau_syn_E=0.5, tau_refrac=3.0, v_reset=-70.0)
    parameters = RingParameters(
        n_excitatory=60, n_inhibitory=1, n_input=60, excitatory=cell, input_to_E=Connection(OneToOne(), 0.25),
        input_tuning=InputTuning(20.0, 0.2, 15.0), v_init=(-70.0, -70.0),
    )  # fmt: skip
    recording = record_ring(parameters, protocol(duration=900.0), 1)
    given, answered = (recording.population(p).counts() for p in ("input", "E"))
    assert given.sum() > 1000
    assert answered.sum() == pytest.approx(given.sum(), rel=0.1)
    assert np.corrcoef(given.ravel(), answered.ravel())[0, 1] > 0.98
    widths = [fit_population(recording, p)["B_theta"].mean() for p in ("input", "E")]
    assert widths[1] == pytest.approx(widths[0], rel=0.08)


def test_inhibition_inhibits_and_excitation_excites():
    def rate(**values):
        return record_ring(set_values(small(), values), protocol(), 1).population("E").rates().mean()

    base = rate()
    assert rate(**{"I_to_E.weight": 0.016}) < 0.8 * base
    assert rate(**{"E_to_E.weight": 0.0015}) > 1.1 * base


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_and_are_tuned(name):
    parameters = preset(name)
    assert parameters.name == name and parameters.source
    recording = record_ring(parameters, protocol((60.0,), 500.0), 1)
    part = recording.population("E")
    counts = part.counts()[:, 0]
    assert counts.sum() > 20, "silent"
    assert abs(signed_distance(centre(counts, part.neurons["orientation"]), 60.0)) < 15


@pytest.mark.parametrize("model", ["IF_cond_exp", "IF_cond_alpha", "IF_curr_exp", "EIF_cond_exp_isfa_ista"])
def test_cell_models_by_name(model):
    parameters = set_values(small(), {"excitatory.model": model, "inhibitory.model": model})
    if model == "IF_curr_exp":  # nA instead of uS: about 60 mV of driving force
        values = {f"{name}.weight": 60 * c.weight for name, c in parameters.projections().items()}
        parameters = set_values(parameters, values | {"I_to_E.weight": 0.02, "I_to_I.weight": 0.02})
    recording = record_ring(parameters, protocol(), 1)
    rates = [recording.population(p).rates().mean() for p in ("E", "I")]
    assert all(0.2 < r < 100 for r in rates), rates


def test_unequal_sizes_and_ratios():
    parameters = set_values(small(), {"n_excitatory": 120, "n_inhibitory": 24, "n_input": 90})
    recording = record_ring(parameters, protocol(), 1)
    assert recording.neurons["population"].value_counts().to_dict() == {"E": 120, "input": 90, "I": 24}
    assert recording.population("E").rates().mean() > 0.2


def test_potentials_start_at_the_initial_value_and_stay_under_threshold():
    recording = record_ring(small(), protocol(), 1, record_v=5)
    trace = recording.traces["v"]
    assert trace.values.shape == (10, int(recording.duration) + 1) and np.isfinite(trace.values).all()
    assert trace.values.max() <= -50.5 + 1e-3 and trace.values.min() > -85
    assert (trace.values[:, 0] >= -70).all() and (trace.values[:, 0] <= -55).all()


def test_drive_keeps_to_the_grid():
    drive = SpikeDrive(np.array([0, 0, 1, 2]), np.array([0.3, 5.01, 5.02, 9.99]), 3, 10.0)
    grid = drive.on_grid(0.1, 1.1)
    assert grid.index.tolist() == [0, 1, 2] and np.allclose(grid.time, [5.1, 5.1, 10.0])
    assert [len(t) for t in grid.by_cell()] == [1, 1, 1]
    twice = SpikeDrive(np.array([0, 0]), np.array([5.01, 5.02]), 1, 10.0).on_grid(0.1, 1.1)
    assert len(twice.time) == 1


def test_input_rates_are_the_standard_drive():
    rates = input_rates(preset("internship2019_final"), protocol((60.0,), 1000.0, 0.0, 0.0))
    assert rates.rates.max() == pytest.approx(20.0) and rates.rates.min() == pytest.approx(4.0, abs=0.02)
    assert rates.rates.mean() == pytest.approx(7.5, abs=0.4)
    assert preferred_orientations(60)[rates.rates[:, 500].argmax()] == 60.0


def bad_drive(**changes):
    values = {"index": np.array([0]), "time": np.array([5.0]), "n_cells": 240, "duration": 10.0, **changes}
    return SpikeDrive(**values)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: preset("v2"), ["preset", "'v2'", "'v1'"]),
        (lambda: set_values(preset("v1"), {"n_excitatory": 0}), ["n_excitatory", "0 cells", "[1"]),
        (lambda: set_values(preset("v1"), {"E_to_E.wieght": 1}), ["'wieght'", "did you mean 'weight'"]),
        (lambda: set_values(preset("v1"), {"E_to_E.delay.mean": 0.05}), ["E_to_E.delay", "0.05 ms", "[0.1"]),
        (lambda: set_values(preset("v1"), {"E_to_E.delay.mean": 1.234}), ["E_to_E.delay", "1.2 ms"]),
        (lambda: set_values(preset("v1"), {"input_tuning.peak": -5}), ["peak", "-5 Hz", "[0, inf)"]),
        (lambda: set_values(preset("v1"), {"excitatory.model": "IF_cond"}), ["model", "IF_cond_exp"]),
        (lambda: set_values(preset("v1"), {"excitatory.tau_m": 0}), ["tau_m", "0 ms", "(0, inf)"]),
        (lambda: set_values(preset("v1"), {"excitatory.v_reset": -40}), ["v_reset", "-40 mV"]),
        (lambda: set_values(preset("v1"), {"input_to_E.kernel.in_degree": 5000}), ["in_degree", "5000", "1024"]),
        (lambda: bad_drive(n_cells=0), ["n_cells", "0 cells"]),
        (lambda: bad_drive(time=np.array([np.nan])), ["time", "nan ms"]),
        (lambda: bad_drive(time=np.array([11.0])), ["time", "11 ms", "[0, 10] ms"]),
        (lambda: bad_drive(index=np.array([240])), ["index", "240"]),
        (lambda: run_ring(small(), bad_drive(n_cells=7), 1), ["drive", "7 cells", "240"]),
        (lambda: run_ring(small(), bad_drive(), 1, backend="genesis"), ["backend", "'genesis'", "'nest'"]),
        (lambda: run_ring(small(), bad_drive(), -1), ["seed", "-1"]),
        (lambda: record_ring(small(), protocol(), 1, drive=bad_drive()), ["drive lasts 10 ms", "1300 ms"]),
        (lambda: protocol((np.pi / 4,)), ["orientation", "radians"]),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_a_simulator_that_cannot_start_says_what_to_install(monkeypatch):
    import importlib

    def broken(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(ImportError, match=r"nest.*pip install 'nest-simulator"):
        load("nest")


def test_the_simulator_is_ended_after_an_error():
    def fail():
        with open_simulator("nest") as sim:
            sim.Population(2, sim.IF_cond_exp())
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        fail()
    assert same(record_ring(small(), protocol(), 1), record_ring(small(), protocol(), 1))


def test_frozen_drive_is_the_same_for_any_later_choice():
    rates = input_rates(small(), protocol())
    a, b = (rate_drive(rates, 240, 5) for _ in range(2))
    assert np.array_equal(a.time, b.time) and not np.array_equal(a.time[:50], rate_drive(rates, 240, 6).time[:50])
