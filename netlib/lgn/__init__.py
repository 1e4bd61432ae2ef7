"""Retina and LGN: from a movie to the rates and spikes of orientation channels.

``LGN().respond(movie)`` gives :class:`ChannelRates`; :func:`von_mises_rates` gives idealised ones from a protocol;
:func:`poisson_spikes` turns rates into spikes.
"""

from netlib.lgn.filters import TemporalKernel
from netlib.lgn.frontend import LGN
from netlib.lgn.rates import ChannelRates, ContrastResponse, poisson_spikes, von_mises_rates

__all__ = ["LGN", "ChannelRates", "ContrastResponse", "TemporalKernel", "poisson_spikes", "von_mises_rates"]
