"""What passes from a function through a sweep to its data set."""

import functools

import numpy as np
import pytest
from test_sweep import wave

from netlib.sweep import grid, sweep


def test_units_go_along_where_a_parameter_is_held_fixed():
    """The command fixes parameters by a partial: what the function says of its results stays true of it."""
    held = sweep(functools.partial(wave, noise=0.0), grid(frequency=[1.0, 2.0]))
    assert {name: held[name].attrs["unit"] for name in ("height", "mean")} == {"height": "mV", "mean": "mV"}
    # The sine of whole periods has its peak of 1 (nearly, at 100 times), and a mean of 0.
    np.testing.assert_allclose(held["height"], 1.0, atol=0.01)
    np.testing.assert_allclose(held["mean"], 0.0, atol=1e-9)


@pytest.mark.parametrize("noise", [0.2, 0.4])
def test_a_fixed_parameter_gives_what_it_gives_as_an_axis(noise):
    fixed = sweep(functools.partial(wave, noise=noise), grid(frequency=[1.0, 3.0]), seeds=[4, 2])
    varied = sweep(wave, grid(noise=[0.2, 0.4], frequency=[1.0, 3.0]), seeds=[2, 4])
    for frequency in (1.0, 3.0):
        for seed in (2, 4):
            at = {"frequency": frequency, "seed": seed}
            assert float(fixed["height"].sel(at)) == float(varied["height"].sel(at | {"noise": noise}))
            assert float(fixed["height"].sel(at)) == wave(seed, frequency, noise)["height"]
