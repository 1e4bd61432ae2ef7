"""Figures of the two-photon credit-assignment papers: every panel, its data, its parameters.

Gillon, Lecoq et al. 2023, Sci Data 10:287; Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023. Panels read
:class:`~netlib.recordings.two_photon.session.Session` objects, published or simulated, and call :mod:`netlib.analysis`;
each is kept as JSON in the published layout beside its picture.
"""

from netlib.openscope.registry import Panel, find_panels, panel, panels_of

__all__ = ["Panel", "find_panels", "panel", "panels_of"]
