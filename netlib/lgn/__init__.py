"""Retina and LGN: from a movie to the rates and spikes of orientation channels.

``LGN().respond(movie)`` gives :class:`ChannelRates`; :func:`von_mises_rates` gives idealised ones from a protocol;
:func:`poisson_spikes` turns rates into spikes.
"""

from netlib.lgn.contrast import ContrastResponse
from netlib.lgn.frontend import LGN
from netlib.lgn.idealised import von_mises_rates
from netlib.lgn.poisson import poisson_spikes
from netlib.lgn.rates import ChannelRates
from netlib.lgn.temporal import TemporalKernel

__all__ = ["LGN", "ChannelRates", "ContrastResponse", "TemporalKernel", "poisson_spikes", "von_mises_rates"]
