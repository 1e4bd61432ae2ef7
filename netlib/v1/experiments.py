"""The experiments of the notebooks by name, for ``netlib experiment``: each a function of one seed."""

from __future__ import annotations

from netlib.v1.adaptation import adaptation
from netlib.v1.bumps import diffusion, persistence, pinning
from netlib.v1.delays import latency_delays
from netlib.v1.full_chain import full_chain
from netlib.v1.learning import learning, learning_parts
from netlib.v1.prediction import prediction
from netlib.v1.rotation import jump, tracking
from netlib.v1.simulators import plastic_twins, simulators
from netlib.v1.static_ring import static_ring
from netlib.v1.theory import theory_vs_spiking
from netlib.v1.two_rings import two_rings
from netlib.v1.variance import variance

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = {
    "static_ring": static_ring,
    "learning": learning,
    "learning_parts": learning_parts,
    "two_rings": two_rings,
    "full_chain": full_chain,
    "prediction": prediction,
    "variance": variance,
    "dynamics_tracking": tracking,
    "dynamics_jump": jump,
    "dynamics_delays": latency_delays,
    "dynamics_persistence": persistence,
    "dynamics_diffusion": diffusion,
    "dynamics_pinning": pinning,
    "dynamics_adaptation": adaptation,
    "theory_vs_spiking": theory_vs_spiking,
    "simulators": simulators,
    "plastic_twins": plastic_twins,
}
