"""The bump without a model."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import hwhh_from_B_theta, preferred_orientations, von_mises
from netlib.recordings import Recording, Trace
from netlib.stimuli import Grating, Protocol
from netlib.tuning import half_width, population_profile


def planted(B=20.0, n=72):
    """Cells whose potential and spikes follow a von Mises of the shown orientation."""
    protocol = Protocol.sequence([Grating(theta=t) for t in (0.0, 35.0, 160.0)], duration=500, gap=0)
    place = preferred_orientations(n)
    values = np.zeros((n, 1501))
    spikes = []
    for theta, (a, b) in zip(protocol.table["orientation"], protocol.windows(), strict=True):
        bump = von_mises(place, theta, B)
        values[:, int(a) : int(b)] = bump[:, None]
        for cell, count in enumerate(np.round(200 * bump).astype(int)):
            spikes += [(t, cell) for t in np.linspace(a + 51, b - 1, count)]
    time, index = map(np.array, zip(*sorted(spikes), strict=True))
    neurons = pd.DataFrame({"population": "E", "orientation": place})
    trace = Trace(values - 60, np.arange(n), 1.0, "mV")
    return Recording(neurons, index, time, 1500.0, protocol, {"v": trace})


@pytest.mark.parametrize("trace", [None, "v"])
def test_profile_is_centred_and_as_wide_as_planted(trace):
    profile = population_profile(planted(), trace=trace, bins=36)
    assert profile["n"].sum() == 72 * 3
    assert profile.loc[profile["mean"].idxmax(), "distance"] == 0
    width = half_width(profile["distance"], profile["mean"] - profile["mean"].min(), reference="minimum")
    assert width == pytest.approx(hwhh_from_B_theta(20.0), abs=1.0)


def test_only_the_asked_presentations_count():
    assert population_profile(planted(), where={"orientation": 35.0})["n"].sum() == 72
    with pytest.raises(ValueError):
        population_profile(planted(), where={"orientation": 36.0})
