"""A network of the striatum: its parameters, and who connects to whom.

Cortical cells of five populations drive the network: one for each group of behaviours, active during it, and one that
knows no behaviour. Spiny neurons (MSNs) of one subpopulation share cortical input: those activated by a behaviour get
many synapses from its cortical population, those inactivated by it are inhibited by fast-spiking interneurons (FSIs)
that it drives.

Cells are leaky integrate-and-fire with conductances; their parameters are textbook values of our choice
(hyperpolarised, slow MSNs; fast FSIs), not fits, and weights were set for MSN rates of about 1 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netlib.networks.parameters import Cell
from netlib.networks.plasticity import STDP
from netlib.recordings.operant.behaviour_segments import GROUPS
from netlib.recordings.operant.behaviour_session import PATHWAYS
from netlib.seeds import stream
from netlib.units import check_integer, check_number

__all__ = ["NetworkParameters", "StriatalNetwork", "build_network"]

#: Medium spiny neuron: rests far below threshold.
MSN = Cell(cm=0.2, tau_m=20.0, tau_refrac=2.0, tau_syn_E=5.0, tau_syn_I=10.0,
           v_rest=-80.0, v_reset=-75.0, v_thresh=-50.0, e_rev_E=0.0, e_rev_I=-75.0)  # fmt: skip
#: Fast-spiking interneuron.
FSI = Cell(cm=0.1, tau_m=10.0, tau_refrac=1.0, tau_syn_E=3.0, tau_syn_I=8.0,
           v_rest=-75.0, v_reset=-70.0, v_thresh=-52.0, e_rev_E=0.0, e_rev_I=-75.0)  # fmt: skip


@dataclass(frozen=True)
class NetworkParameters:
    """The network around the MSNs.

    Attributes
    ----------
    cortex, background : int
        Cortical cells of each behaviour, and of no behaviour.
    active, idle, background_rate : float
        Rates of a behaviour's cells during it and else, and of the background (Hz).
    fsi : int
        Interneurons for each behaviour.
    msn, interneuron : Cell
        Cell models.
    to_msn, to_fsi : float
        Weights of cortical synapses (uS).
    fsi_to_msn, msn_to_msn : float
        Weights of inhibitory synapses (uS).
    p_strong, p_weak, p_background, p_fsi, p_msn : float
        Connection probabilities: cortex to the MSNs it activates, to the others, background to MSNs, FSIs to the
        MSNs they silence, MSNs to MSNs.
    d1, d2 : STDP
        What pairs of spikes around a reward do to cortical synapses onto D1 and D2 neurons.
    before, after : float
        Pairs from so long before the entry to a full dispenser until so long after it change weights (ms).
    delay, timestep : float
        Synaptic delay and time step (ms).
    """

    cortex: int = 40
    background: int = 120
    active: float = 12.0
    idle: float = 2.0
    background_rate: float = 5.0
    fsi: int = 4
    msn: Cell = MSN
    interneuron: Cell = FSI
    to_msn: float = 0.0016
    to_fsi: float = 0.0025
    fsi_to_msn: float = 0.01
    msn_to_msn: float = 0.0005
    p_strong: float = 0.35
    p_weak: float = 0.1
    p_background: float = 0.6
    p_fsi: float = 0.8
    p_msn: float = 0.1
    d1: STDP = field(default_factory=lambda: STDP(0.01, -0.004, 20.0, 20.0, w_max=0.0032))
    d2: STDP = field(default_factory=lambda: STDP(-0.004, 0.002, 20.0, 20.0, w_max=0.0032))
    before: float = 5000.0
    after: float = 1000.0
    delay: float = 1.0
    timestep: float = 0.5

    def __post_init__(self) -> None:
        for name in ("cortex", "background", "fsi"):
            check_integer(name, getattr(self, name), 1, 100_000, unit="cells")
        for name in ("active", "idle", "background_rate"):
            check_number(name, getattr(self, name), "Hz", 0, 1000)
        for name in ("to_msn", "to_fsi", "fsi_to_msn", "msn_to_msn"):
            check_number(name, getattr(self, name), "uS", 0)
        for name in ("p_strong", "p_weak", "p_background", "p_fsi", "p_msn"):
            check_number(name, getattr(self, name), "", 0, 1)
        for name in ("before", "after"):
            check_number(name, getattr(self, name), "ms", 0)
        check_number("timestep", self.timestep, "ms", 0, self.delay, low_open=True)

    @property
    def n_cortex(self) -> int:
        """All cortical cells."""
        return len(GROUPS) * self.cortex + self.background


@dataclass(frozen=True, eq=False)
class StriatalNetwork:
    """Who connects to whom, and how strongly. Arrays are (n_pre, n_post), weights in uS, 0 where not connected.

    Attributes
    ----------
    parameters : NetworkParameters
    seed : int
    plastic : dict of ndarray
        Cortex to "D1" and "A2A" MSNs: these weights learn.
    cortex_to_fsi : ndarray
    fsi_to_msn, msn_to_msn : dict of ndarray
        By pathway of the target; MSNs inhibit those of their own pathway.
    """

    parameters: NetworkParameters
    seed: int
    plastic: dict[str, np.ndarray]
    cortex_to_fsi: np.ndarray
    fsi_to_msn: dict[str, np.ndarray]
    msn_to_msn: dict[str, np.ndarray]


def build_network(
    seed: int, categories: dict[str, np.ndarray], parameters: NetworkParameters | None = None
) -> StriatalNetwork:
    """Draw the connections of a network.

    Parameters
    ----------
    seed : int
        Master seed.
    categories : dict of ndarray of bool, shape (n_neurons, 8)
        By pathway ("D1", "A2A"), what each MSN is wired to code: (sequence, zones, food, explo) up, then down.
    parameters : NetworkParameters, optional
    """
    p = NetworkParameters() if parameters is None else parameters
    owner = np.repeat(np.arange(len(GROUPS)), p.cortex)
    fsi_owner = np.repeat(np.arange(len(GROUPS)), p.fsi)
    plastic, fsi_to_msn, msn_to_msn = {}, {}, {}
    for pathway in PATHWAYS:
        wired = np.asarray(categories[pathway], bool)
        if wired.ndim != 2 or wired.shape[1] != 2 * len(GROUPS):
            raise ValueError(f"categories[{pathway!r}] has shape {wired.shape}: it must be (n_neurons, 8)")
        rng = stream(seed, "striatum", pathway)
        n = len(wired)
        probability = np.vstack(
            [np.where(wired[:, :4].T[owner], p.p_strong, p.p_weak), np.full((p.background, n), p.p_background)]
        )
        plastic[pathway] = p.to_msn * (rng.random(probability.shape) < probability)
        fsi_to_msn[pathway] = p.fsi_to_msn * (rng.random((len(fsi_owner), n)) < p.p_fsi * wired[:, 4:].T[fsi_owner])
        msn_to_msn[pathway] = p.msn_to_msn * (rng.random((n, n)) < p.p_msn) * ~np.eye(n, dtype=bool)
    own = np.concatenate([owner[:, None] == fsi_owner[None, :], np.zeros((p.background, len(fsi_owner)), bool)])
    return StriatalNetwork(p, seed, plastic, p.to_fsi * own, fsi_to_msn, msn_to_msn)
