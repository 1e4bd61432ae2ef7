"""Rate theories of the ring, each with its paper's equations, to hold the spiking ring against."""

from netlib.theory.hansel_sompolinsky import HanselSompolinsky, OrderParameters, theta_c, virtual_rotation
from netlib.theory.lif_ring import LIFCell, LIFRing, RandomConnection, siegert_rate
from netlib.theory.rings import (
    RatePopulation,
    RateRing,
    SupralinearRing,
    VarianceRing,
    bump_half_width,
    bump_orientation,
    published_cv,
    von_mises_kernel,
)

__all__ = [
    "HanselSompolinsky",
    "LIFCell",
    "LIFRing",
    "OrderParameters",
    "RandomConnection",
    "RatePopulation",
    "RateRing",
    "SupralinearRing",
    "VarianceRing",
    "bump_half_width",
    "bump_orientation",
    "published_cv",
    "siegert_rate",
    "theta_c",
    "virtual_rotation",
    "von_mises_kernel",
]
