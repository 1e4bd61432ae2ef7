"""The experiment of the notebook on two-photon imaging, for ``netlib experiment``."""

from __future__ import annotations

from netlib.openscope.ring import two_photon

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {"two_photon": two_photon}
