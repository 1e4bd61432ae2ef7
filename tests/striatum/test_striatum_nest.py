"""NEST, an independent simulator, does what the engines do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from netlib.striatum import article, draw_plan, simulate, simulate_on_nest


@pytest.mark.parametrize("Apostpre", [-1.0, 1.0])
def test_nest_fires_at_the_same_steps_and_learns_the_same(Apostpre):
    trials = {f"num_training_{name}": n for name, n in (("initial", 10), ("learning", 40), ("maintenance", 10))}
    p = article(Apostpre=Apostpre, noise_input=0.02, num_training_recall=0, **trials)
    plan = draw_plan(p, 1, 0)
    nest, ours = simulate_on_nest(p, plan), simulate(p, plan, record=True)
    assert len(ours.spikes) > 200
    # Until a pattern comes so near the threshold that weights changed earlier in the same trial decide it.
    differ = np.setxor1d(nest.spikes, ours.spikes)
    first = differ.min() // p.steps if len(differ) else p.n_trials
    assert first >= 15
    assert_array_equal(nest.n_spikes[:first], ours.n_spikes[:first])
    # A spike in the last step of a trial is learned from in the next.
    spikes = np.concatenate([plan.noise_step, ours.spikes])
    late = np.isin(np.arange(first), spikes[spikes % p.steps == p.steps - 1] // p.steps)
    assert late.mean() < 0.1
    nest_weights, our_weights = nest.trial_weights[:first][~late], ours.trial_weights[:first][~late]
    assert_allclose(nest_weights, our_weights, atol=1e-12)
    assert np.ptp(our_weights, axis=0).max() > 0.02
    assert np.mean(nest.n_spikes == ours.n_spikes) > 0.9


def test_what_is_not_built_on_nest_is_refused():
    for options in ({"legacy": True}, {"stop_learning": "number_success"}, {"constants": {"nearest": True}}):
        p = article(**options)
        with pytest.raises(ValueError, match="parameters must have stop_learning"):
            simulate_on_nest(p, None)
