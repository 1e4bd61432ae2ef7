"""Ring networks of excitatory and inhibitory cells, built in PyNN.

``run_ring(preset("v1"), drive, seed)`` runs one; :func:`netlib.recordings.record_ring` shows it a protocol.
"""

from netlib.base.fields import set_values
from netlib.networks.bulk import bulk_connector
from netlib.networks.drive import SpikeDrive, input_rates, rate_drive
from netlib.networks.kernels import DistanceDecay, Kernel, OneToOne, Probability, Uniform, VonMises
from netlib.networks.parameters import (
    Cell,
    Connection,
    Delay,
    InputTuning,
    RingParameters,
    TwoRings,
    with_ratio,
)
from netlib.networks.plasticity import SHAPES, STDP, VogelsSprekeler
from netlib.networks.presets import PRESETS, preset
from netlib.networks.ring import ENGINES, Activity, run_ring, use_backend
from netlib.networks.simulators import BACKENDS, open_simulator
from netlib.networks.weights import Weights

__all__ = [
    "BACKENDS",
    "ENGINES",
    "PRESETS",
    "SHAPES",
    "STDP",
    "Activity",
    "Cell",
    "Connection",
    "Delay",
    "DistanceDecay",
    "InputTuning",
    "Kernel",
    "OneToOne",
    "Probability",
    "RingParameters",
    "SpikeDrive",
    "TwoRings",
    "Uniform",
    "VogelsSprekeler",
    "VonMises",
    "Weights",
    "bulk_connector",
    "input_rates",
    "open_simulator",
    "preset",
    "rate_drive",
    "run_ring",
    "set_values",
    "use_backend",
    "with_ratio",
]
