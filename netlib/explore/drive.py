"""What the explorer shows, and what it makes of the input: one movie, turned to twelve orientations."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from threadpoolctl import threadpool_limits

from netlib.lgn.frontend import LGN
from netlib.lgn.rates import ChannelRates
from netlib.stimuli.base import Stimulus
from netlib.stimuli.movie import Movie
from netlib.stimuli.protocol import Protocol
from netlib.units import check_type

__all__ = ["ORIENTATIONS", "shown_movie", "tuning_protocol", "turned_rates"]

#: Orientations shown, 15 degrees apart.
ORIENTATIONS = 12
#: Length of a presentation and of the grey after it (ms), and grey before the first.
LENGTH, GAP, LEAD = 250.0, 50.0, 100.0
#: Length of a natural movie (ms).
SCENE = 2000.0


def tuning_protocol(stimulus: Stimulus) -> Protocol:
    """The stimulus, then the same turned by 15, 30, ... 165 degrees; one long presentation where it has no orientation.

    Examples
    --------
    >>> from netlib.stimuli import Grating
    >>> tuning_protocol(Grating(theta=90.0)).table["orientation"].tolist()[:4]
    [90.0, 105.0, 120.0, 135.0]
    """
    check_type("stimulus", stimulus, Stimulus)
    if not np.isfinite(stimulus.orientation):
        return Protocol.sequence([stimulus], SCENE, gap=GAP, lead=LEAD)
    step = 180.0 / ORIENTATIONS
    turned = [replace(stimulus, theta=(stimulus.theta + step * k) % 180.0) for k in range(ORIENTATIONS)]
    return Protocol.sequence(turned, LENGTH, gap=GAP, lead=LEAD)


@lru_cache(maxsize=16)
def shown_movie(stimulus: Stimulus) -> Movie:
    """The movie of one presentation and of the grey after it."""
    length = LENGTH if np.isfinite(stimulus.orientation) else SCENE
    return Protocol.sequence([stimulus], length, gap=GAP).movie()


@lru_cache(maxsize=16)
def _response(lgn: LGN, stimulus: Stimulus) -> ChannelRates:
    # Linear algebra on several threads sums in another order, and one spike moved moves others: one thread anywhere.
    with threadpool_limits(1, user_api="blas"):
        return lgn.respond(shown_movie(stimulus))


def turned_rates(lgn: LGN, protocol: Protocol) -> ChannelRates:
    """Rates of the front end to a protocol of :func:`tuning_protocol`.

    The front end sees the first movie alone. A turned stimulus is the same stimulus turned, so its response is that
    of channels as far away around the ring: eleven movies less to filter. What the square grid of pixels and of
    receptive fields makes of a turn (a few Hz) is left out.

    Parameters
    ----------
    lgn : LGN
        The front end.
    protocol : Protocol
        From :func:`tuning_protocol`.

    Returns
    -------
    ChannelRates
        As many channels as the front end has, for the whole protocol.
    """
    check_type("lgn", lgn, LGN)
    first = check_type("protocol", protocol, Protocol).stimuli[0]
    response = _response(lgn, first)
    rates = np.full((len(response.rates), round(protocol.duration / lgn.dt)), float(lgn.spontaneous))
    for stimulus, onset in zip(protocol.stimuli, protocol.windows()[:, 0], strict=True):
        turn = stimulus.orientation - first.orientation
        turned = response.at(response.orientations - turn) if len(protocol) > 1 and turn else response
        begin = round(onset / lgn.dt)
        rates[:, begin : begin + turned.rates.shape[1]] = turned.rates
    return ChannelRates(rates, lgn.dt, response.orientations)
