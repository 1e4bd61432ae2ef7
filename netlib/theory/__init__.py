"""Rate theories of the ring, each with its paper's equations, to hold the spiking ring against."""

from netlib.theory.hansel_sompolinsky import HanselSompolinsky, OrderParameters, theta_c, virtual_rotation
from netlib.theory.lif_ring import LIFCell, LIFRing, RandomConnection, siegert_rate
from netlib.theory.rate_ring import RatePopulation, RateRing, bump_half_width, bump_orientation, von_mises_kernel
from netlib.theory.supralinear_ring import SupralinearRing
from netlib.theory.variance_ring import VarianceRing, published_cv

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
