"""Kernels: who connects to whom, lazily."""

import numpy as np
import pytest

from netlib.base.orientation import distance, preferred_orientations, von_mises
from netlib.networks import DistanceDecay, OneToOne, Probability, Uniform, VonMises
from netlib.networks.kernels import connection_mask, pairwise
from netlib.networks.parameters import Connection, Delay
from netlib.networks.synapses import delay_array, weight_array


def test_lazy_array_evaluates_like_the_whole():
    lazy = pairwise(lambda i, j: 10.0 * i + j, 6, 4)
    whole = lazy.evaluate()
    assert whole.shape == (6, 4) and whole[5, 3] == 53
    assert np.array_equal(lazy[:, 1:3], whole[:, 1:3])
    assert np.array_equal(lazy[np.array([0, 2]), 3], whole[[0, 2], 3])
    assert lazy[2, 3] == 23
    assert np.array_equal((lazy * 2.0)[:, 0:2], 2 * whole[:, :2])


@pytest.mark.parametrize("n_pre, n_post", [(60, 60), (60, 12), (12, 60), (50, 75)])
def test_dense_von_mises_weights(n_pre, n_post):
    kernel = VonMises(20.0)
    assert kernel.probability(n_pre, n_post) is None
    factor = kernel.factor(n_pre, n_post).evaluate()
    assert np.allclose(factor.sum(axis=0), 1)
    pre, post = preferred_orientations(n_pre), preferred_orientations(n_post)
    expected = von_mises(pre[:, None], post[None, :], 20.0)
    assert np.allclose(factor / factor[0, 0], expected / expected[0, 0])
    peak = VonMises(20.0, normalise="peak").factor(n_pre, n_post).evaluate()
    assert np.allclose(peak, expected)


def test_square_dense_weights_are_circulant():
    weights = VonMises(12.0).factor(40, 40).evaluate()
    assert np.allclose(weights, np.roll(np.roll(weights, 7, 0), 7, 1), atol=1e-14)


def test_random_von_mises_has_the_degree_and_the_profile():
    mask = connection_mask(VonMises(20.0, in_degree=30), 512, 400, 1, "test").evaluate()
    degree = mask.sum(axis=0)
    assert abs(degree.mean() - 30) < 5 * degree.std() / np.sqrt(len(degree))
    pre, post = preferred_orientations(512), preferred_orientations(400)
    d = distance(pre[:, None], post[None, :])
    near, far = mask[d < 10].mean(), mask[(d > 35) & (d < 45)].mean()
    expected = von_mises(5.0, 0, 20.0) / von_mises(40.0, 0, 20.0)
    assert near / far == pytest.approx(expected, rel=0.15)


def test_distance_decay_matches_the_published_degrees():
    # Ring of 60 cells, exp(-2 d): nearest neighbour 0.81, opposite 0.018, expected out-degree 9.3.
    p = DistanceDecay(2.0).probability(60, 60).evaluate()
    assert p[0, 1] == pytest.approx(0.81, abs=0.005) and p[0, 30] == pytest.approx(0.018, abs=0.0005)
    assert p[0].sum() - 1 == pytest.approx(9.30, abs=0.2)
    assert DistanceDecay(5.0).probability(60, 60).evaluate()[0].sum() - 1 == pytest.approx(2.97, abs=0.1)


def test_uniform_probability_and_one_to_one():
    assert Uniform().probability(5, 4) is None and Uniform().factor(5, 4) is None
    mask = connection_mask(Probability(0.25), 300, 200, 1, "p").evaluate()
    assert mask.mean() == pytest.approx(0.25, abs=0.01)
    assert np.array_equal(connection_mask(OneToOne(), 5, 5, 1, "o").evaluate(), np.eye(5, dtype=bool))
    with pytest.raises(ValueError, match="same size, not 5 and 4"):
        OneToOne().probability(5, 4)


def test_self_connections_can_be_left_out():
    mask = connection_mask(Uniform(), 6, 6, 1, "EE", self_connections=False).evaluate()
    assert np.array_equal(mask, ~np.eye(6, dtype=bool))
    assert connection_mask(Uniform(), 6, 6, 1, "EE", self_connections=True) is None


def test_drawn_connections_depend_on_seed_and_name_and_not_on_blocks():
    kernel = Probability(0.3)
    whole = connection_mask(kernel, 50, 40, 1, "a").evaluate()
    lazy = connection_mask(kernel, 50, 40, 1, "a")
    assert np.array_equal(np.concatenate([lazy[:, k : k + 7] for k in range(0, 40, 7)], axis=1), whole)
    for other in (connection_mask(kernel, 50, 40, 2, "a"), connection_mask(kernel, 50, 40, 1, "b")):
        assert not np.array_equal(other.evaluate(), whole)


def test_delays_are_cut_normal_and_on_the_grid():
    delays = delay_array(Delay(3.0, 5.0, 0.1, 5.0), 300, 300, 1, "EE", 0.1).evaluate()
    steps = delays / 0.1
    assert np.allclose(steps, np.round(steps), atol=1e-6)
    assert delays.min() >= 0.1 - 1e-9 and delays.max() <= 5.0 + 1e-9
    # Published for this distribution: mean 2.585, sd 1.39 ms.
    assert delays.mean() == pytest.approx(2.585, abs=0.02) and delays.std() == pytest.approx(1.39, abs=0.02)
    assert delay_array(Delay(1.5), 3, 3, 1, "EE", 0.1) == 1.5


def test_total_weight_does_not_depend_on_the_number_of_cells():
    connection = Connection(VonMises(20.0), 0.4)
    for n in (30, 300):
        assert np.allclose(weight_array(connection, n, n).evaluate().sum(axis=0), 0.4)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: VonMises(-1.0), ["B_theta", "-1", "deg"]),
        (lambda: VonMises(20.0, in_degree=100).probability(50, 50), ["in_degree", "100", "(0, 50]"]),
        (lambda: VonMises(20.0, normalise="max"), ["normalise", "'max'"]),
        (lambda: Probability(1.5), ["p = 1.5", "(0, 1]"]),
        (lambda: DistanceDecay(-2.0), ["decay", "-2"]),
        (lambda: Connection(Uniform(), -0.1), ["weight", "-0.1", "[0, inf)"]),
        (lambda: Delay(3.0, 1.0), ["delay.sd", "delay.low"]),
        (lambda: Delay(3.0, 1.0, 5.0, 1.0), ["delay.high", "(5, inf)"]),
        (lambda: Delay(-1.0), ["delay.mean", "-1", "ms"]),
    ],
)
def test_bad_values_are_named(make, words):
    with pytest.raises(ValueError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
