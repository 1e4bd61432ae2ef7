"""Two rings: what is built, what feeds what, and that the second one answers."""

import dataclasses

import numpy as np
import pytest

from netlib import figures
from netlib.networks import Connection, OneToOne, RingParameters, TwoRings, VonMises, preset, set_values, with_ratio
from netlib.recordings import Recording, record_ring
from netlib.stimuli import Grating, Protocol
from netlib.tuning import decode_recording, fit_population, population_summary, tuning_table

LAYERS = ("input", "E", "I", "E2", "I2")


def small(**changes) -> TwoRings:
    """48 + 16 cells per ring."""
    few = {"n_excitatory": 48, "n_inhibitory": 16, "n_input": 96, "n_excitatory2": 48, "n_inhibitory2": 16}
    rings = preset("v1_two_rings")
    for name, connection in rings.projections().items():
        degree = {"input": 36, "E": 32, "I": 8}[name.split("_to_")[0].rstrip("2")]
        few[name] = dataclasses.replace(connection, kernel=dataclasses.replace(connection.kernel, in_degree=degree))
    return dataclasses.replace(rings, **few | changes)


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return Protocol.tuning(Grating(), orientations=5, duration=200, gap=50, lead=50)


@pytest.fixture(scope="module")
def seen(protocol) -> Recording:
    return record_ring(small(), protocol, seed=3, record_v=2)


def spikes(recording: Recording, population: str) -> tuple:
    own = recording.population(population)
    return own.spike_index.tolist(), own.spike_time.tolist()


def total_weight(parameters: RingParameters, name: str) -> float:
    """Expected weight onto cell 0."""
    pre, post = (parameters.size(p) for p in name.split("_to_"))
    connection = parameters.projections()[name]
    kernel = connection.kernel
    expected = kernel.probability(pre, post)
    return connection.weight * float(np.asarray(expected[:, 0]).sum())


# ---------------------------------------------------------------- parameters


def test_a_second_ring_on_the_first():
    rings = preset("v1_two_rings")
    assert rings.first() == dataclasses.replace(preset("v1"), name="v1_two_rings", source=rings.source)
    assert TwoRings.on(preset("v1")).first() == preset("v1")
    assert rings.populations == ("E", "I", "E2", "I2")
    assert [rings.size(p) for p in LAYERS] == [1024, 256, 64, 256, 64]
    assert rings.cell("I2") is rings.inhibitory2
    assert {"input_to_E", "E_to_E2", "E_to_I2", "I_to_E2", "I2_to_I2"} < set(rings.projections())
    assert TwoRings.on(preset("v1")).projections().keys() == preset("v1").projections().keys()


def test_feed_forward_connections_converge():
    rings = preset("v1_two_rings")
    assert rings.E_to_E2.kernel.in_degree >= 30
    onto_one = total_weight(rings, "E_to_E2") / rings.E_to_E2.weight
    assert 45 < onto_one <= 48  # a few probabilities are cut at 1


def test_delays_of_the_second_ring_count():
    slow = Connection(VonMises(12.0, in_degree=8), 0.003, dataclasses.replace(preset("v1").E_to_E.delay, mean=4.5))
    assert TwoRings.on(preset("v1"), E_to_E2=slow).delay_bounds() == (1.0, 4.5)


def test_values_can_be_set_by_name():
    changed = set_values(preset("v1_two_rings"), {"E_to_E2.weight": "0.001", "n_excitatory2": 96, "I_to_E2": "null"})
    assert (changed.E_to_E2.weight, changed.n_excitatory2, changed.I_to_E2) == (0.001, 96, None)
    with pytest.raises(ValueError, match="did you mean 'E_to_E2'"):
        set_values(preset("v1_two_rings"), {"E_to_E_2.weight": 1})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_excitatory2": 0}, ValueError, "n_excitatory2 = 0 cells is out of range"),
        ({"excitatory2": 5}, TypeError, "excitatory2 = 5 has the wrong type"),
        ({"E_to_E2": 0.3}, TypeError, "E_to_E2 = 0.3 has the wrong type"),
        ({"E_to_I2": Connection(OneToOne(), 0.5)}, ValueError, "populations of the same size, not 256 and 64"),
        ({"E_to_E2": Connection(VonMises(9.0, in_degree=300), 0.5)}, ValueError, "in_degree = 300"),
    ],
)
def test_bad_parameters_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        TwoRings.on(preset("v1"), **changes)


def test_on_needs_a_ring():
    with pytest.raises(TypeError, match="ring = 3 has the wrong type"):
        TwoRings.on(3)


def test_internship_relays_one_to_one():
    rings = preset("internship2019_two_rings")
    for name in ("E_to_E2", "E_to_I2", "I_to_E2"):
        connection = rings.projections()[name]
        assert (connection.kernel, connection.weight) == (OneToOne(), 0.5)
    assert [rings.size(p) for p in LAYERS] == [60] * 5


# ---------------------------------------------------------------- variants


def test_controls_remove_what_they_say():
    rings = preset("v1_two_rings")
    first = set(rings.first().projections())
    assert set(rings.without_second_recurrence().projections()) == first | {"E_to_E2", "E_to_I2", "I_to_E2"}
    assert set(rings.projections()) - set(rings.without_feedforward_inhibition().projections()) == {"I_to_E2"}
    alone = set(rings.without_recurrence().projections())
    assert alone == {"input_to_E", "input_to_I", "E_to_E2", "E_to_I2", "I_to_E2"}


def test_shuffling_keeps_number_and_weight_and_loses_the_tuning():
    rings = preset("v1_two_rings")
    shuffled = rings.with_untuned_feedforward()
    for name in ("E_to_E2", "E_to_I2", "I_to_E2"):
        assert total_weight(shuffled, name) == pytest.approx(total_weight(rings, name), rel=0.05), name
        kernel = shuffled.projections()[name].kernel
        chance = np.asarray(kernel.probability(*(shuffled.size(p) for p in name.split("_to_")))[:, 0])
        assert np.ptp(chance) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match=r"E_to_E2.kernel = OneToOne"):
        preset("internship2019_two_rings").with_untuned_feedforward()


@pytest.mark.parametrize(("ratio", "cells"), [(1, 256), (5, 51), (8, 32)])
def test_any_ratio_of_excitation_to_inhibition(ratio, cells):
    rings = preset("v1_two_rings")
    other = with_ratio(rings, ratio)
    assert (other.n_inhibitory, other.n_inhibitory2) == (cells, cells)
    for name in rings.projections():
        # Leaving a cell itself out, and probabilities cut at 1, make a difference of some percent.
        assert total_weight(other, name) == pytest.approx(total_weight(rings, name), rel=0.06), name


def test_ratio_keeps_dense_weights_and_refuses_one_to_one():
    dense = preset("internship2019")
    assert with_ratio(dense, 4).I_to_E == dense.I_to_E  # its weight is a total
    assert with_ratio(dense, 4).n_inhibitory == 125
    with pytest.raises(ValueError, match="OneToOne"):
        with_ratio(preset("internship2019_final"), 5)
    with pytest.raises(ValueError, match=r"ratio = 0\.5"):
        with_ratio(dense, 0.5)


# ---------------------------------------------------------------- activity


def test_nothing_is_fed_back(seen, protocol):
    alone = record_ring(small().first(), protocol, seed=3)
    for name in ("input", "E", "I"):
        assert spikes(seen, name) == spikes(alone, name)
        assert len(spikes(seen, name)[0]) > 20


def test_second_ring_needs_the_first(protocol):
    deaf = record_ring(small(E_to_E2=None, E_to_I2=None), protocol, seed=3)
    assert len(spikes(deaf, "E2")[0]) == len(spikes(deaf, "I2")[0]) == 0


def test_inhibition_of_both_kinds_lowers_the_rate(seen, protocol):
    free = record_ring(small(I_to_E2=None), protocol, seed=3)
    freer = record_ring(small(I_to_E2=None, I2_to_E2=None), protocol, seed=3)
    counts = [len(spikes(r, "E2")[0]) for r in (seen, free, freer)]
    assert counts[0] < counts[1] < counts[2]


def test_recording_holds_all_populations(seen):
    assert seen.populations == list(LAYERS)
    for name in LAYERS:
        orientation = seen.population(name).neurons["orientation"].to_numpy()
        assert np.allclose(orientation, 180 * np.arange(len(orientation)) / len(orientation))
    assert len(seen.traces["v"].cells) == 2 * 4
    assert list(population_summary(seen).index) == list(LAYERS)


def test_analysis_and_figures_know_the_second_ring(seen):
    assert len(fit_population(seen, "E2", progress=False)) == 5
    assert decode_recording(seen, "E2")["absolute_error"].max() < 20
    assert set(tuning_table(seen, "E2", progress=False)["population"]) == {"E2"}
    assert len(figures.plot_raster(seen).axes) == 6
    figures.plot_orientation_time(seen, "E2")
    assert "E2" in {line.get_gid() for line in figures.plot_ring_activity(seen, populations=["E", "E2"]).lines}
