"""Seams from movie to potential: sizes, bounds, labels and places go to the population that they belong to."""

import dataclasses

import numpy as np
import pytest

from netlib.lgn.channels import reach, receptive_fields
from netlib.networks import SpikeDrive, TwoRings, preset, run_ring, set_values, with_ratio
from netlib.networks.plasticity import STDP, VogelsSprekeler
from netlib.networks.synapses import synapse_arrays
from netlib.recordings import record_ring
from netlib.stimuli import Grating, Movie, Protocol
from netlib.stimuli.movie import save


def test_each_inhibitory_population_is_sized_by_its_own_excitatory_one():
    rings = dataclasses.replace(preset("v1_two_rings"), n_excitatory=240, n_excitatory2=96)
    changed = with_ratio(rings, 6)
    assert isinstance(changed, TwoRings)
    assert (changed.n_inhibitory, changed.n_inhibitory2) == (40, 16)
    # The number of connections and the weight are rescaled by the change of their own population.
    for name, size in (("I_to_E", rings.n_inhibitory), ("I2_to_E2", rings.n_inhibitory2)):
        factor = {"I_to_E": 40, "I2_to_E2": 16}[name] / size
        before, after = getattr(rings, name), getattr(changed, name)
        assert after.kernel.in_degree == pytest.approx(before.kernel.in_degree * factor)
        assert after.weight == pytest.approx(before.weight / factor)


def test_weights_carry_the_bound_of_their_own_rule():
    rules = {
        "input_to_E": STDP(0.01, 0.01, 20.0, 20.0, w_max=0.5),
        "I_to_E": VogelsSprekeler(eta=0.002, rho0=3.0, tau=15.0, w_max=0.25),
    }
    parameters = preset("internship2019_learning")
    plasticity = {f"{name}.plasticity": rules.get(name) for name in parameters.projections()}
    parameters = set_values(parameters, {"n_excitatory": 8, "n_inhibitory": 8, "n_input": 8, **plasticity})
    drive = SpikeDrive(np.arange(8), np.full(8, 5.0), 8, 10.0)
    static = np.full(len(synapse_arrays(parameters, "E_to_I", seed=1)[0]), 0.001)
    weights = run_ring(parameters, drive, 1, weights={"E_to_I": static}).weights
    bounds = {name: kept.w_max for name, kept in weights.items()}
    assert bounds == {"input_to_E": 0.5, "I_to_E": 0.25, "E_to_I": np.inf}


def test_a_potential_belongs_to_the_cell_that_it_names():
    """Some potentials recorded alone are those of the same cells where all are recorded."""
    ring = preset("v1")
    assert (ring.n_input, ring.n_excitatory, ring.n_inhibitory) == (1024, 256, 64)
    protocol = Protocol.sequence([Grating(theta=45.0)], duration=40.0)
    whole = record_ring(ring, protocol, 2, backend="compiled", record_v=256).traces["v"]
    some = record_ring(ring, protocol, 2, backend="compiled", record_v=4).traces["v"]
    # Evenly spaced: every 64th of the E cells, which come after the input, and every 16th of the I cells after them.
    assert some.cells.tolist() == [1024, 1088, 1152, 1216, 1280, 1296, 1312, 1328]
    assert whole.cells.tolist() == list(range(1024, 1344))
    np.testing.assert_array_equal(some.values, whole.values[some.cells - 1024])
    assert len(np.unique(some.values[:, -1])) == 8  # cells differ: rows cannot be exchanged unseen


# ---------------------------------------------------------------- front end


def test_receptive_fields_of_a_wide_movie_reach_both_of_its_sides():
    positions = receptive_fields(50, 120, 4, sf_0=0.1, B_sf=0.05, B_theta=60.0, n_positions=2)
    # Centres 12 px from the border, 1.25 periods less half a pixel; 16 px to either side, cut at the border.
    assert reach(0.1, 0.05, 60.0) == 16
    rows, columns = [(0, 29), (21, 50)], [(0, 29), (91, 120)]
    found = [((p.rows.start, p.rows.stop), (p.columns.start, p.columns.stop)) for p in positions]
    assert found == [(row, column) for row in rows for column in columns]


@pytest.mark.parametrize(("speed", "delay"), [(1.0, 40), (2.0, 20), (0.5, 80)])
def test_a_gif_shows_every_frame_in_its_turn_at_any_speed(tmp_path, speed, delay):
    """Eight frames of 40 ms, each of another grey: what plays faster or slower are the same frames."""
    image = pytest.importorskip("PIL.Image")
    levels = np.arange(8) / 10.0
    movie = Movie(np.tile(levels[:, None, None], (1, 8, 8)), 40.0)
    greys, delays = [], []
    with image.open(save(movie, tmp_path / "a.gif", speed=speed)) as gif:
        for k in range(gif.n_frames):
            gif.seek(k)
            greys.append(gif.convert("L").getpixel((3, 3)))
            delays.append(gif.info["duration"])
    assert greys == pytest.approx((255 * levels).round(), abs=1)
    assert delays == [delay] * 8
