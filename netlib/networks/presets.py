"""Ring networks by name, each with the source of its values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from netlib.base.checks import check_choice
from netlib.base.orientation import B_theta_from_ring2018
from netlib.lgn.frontend import LGN
from netlib.lgn.rates import ContrastResponse
from netlib.networks.kernels import DistanceDecay, OneToOne, Uniform, VonMises
from netlib.networks.parameters import Cell, Connection, Delay, InputTuning, RingParameters, TwoRings
from netlib.networks.plasticity import SHAPES

__all__ = ["PRESETS", "preset"]


def v1() -> RingParameters:
    """Our default: sparse, balanced enough to be irregular, and nearly contrast-invariant.

    Every cell sums 36 Poisson afferents drawn around its orientation, of 3 nS each (an EPSP of about 2 mV):
    the noise of that sum smooths the threshold into a power law, which sharpens spikes against potential
    without depending on contrast (Anderson et al. 2000, Science 290:1968; Miller & Troyer 2002,
    J Neurophysiol 87:653). Inhibition is driven by the input too (feed-forward) and broader than
    excitation, and grows with contrast. How the values were found is in ``docs/v1_preset.md``.
    """
    excitatory = Cell(
        cm=0.25, tau_m=15.0, tau_refrac=2.0, tau_syn_E=3.0, tau_syn_I=5.5,
        v_rest=-70.0, v_reset=-60.0, v_thresh=-50.5, e_rev_E=0.0, e_rev_I=-80.0,
    )  # fmt: skip
    inhibitory = Cell(
        cm=0.2, tau_m=10.0, tau_refrac=2.0, tau_syn_E=3.0, tau_syn_I=5.5,
        v_rest=-70.0, v_reset=-60.0, v_thresh=-50.5, e_rev_E=0.0, e_rev_I=-80.0,
    )  # fmt: skip
    return RingParameters(
        n_excitatory=256,
        n_inhibitory=64,
        n_input=1024,
        excitatory=excitatory,
        inhibitory=inhibitory,
        input_to_E=Connection(VonMises(19.5, in_degree=36), 0.0027),
        input_to_I=Connection(VonMises(19.5, in_degree=36), 0.00275),
        E_to_E=Connection(VonMises(16.0, in_degree=64), 0.00047),
        E_to_I=Connection(VonMises(30.0, in_degree=64), 0.00056),
        I_to_E=Connection(VonMises(25.5, in_degree=32), 0.0016),
        I_to_I=Connection(VonMises(40.0, in_degree=32), 0.00072),
        input_tuning=InputTuning(38.0, 10.0 / 38.0, 21.0, ContrastResponse(c50=0.3, exponent=1.0)),
        lgn=LGN(B_theta=21.0, spontaneous=10.0, peak_rate=60.0),
        v_init=(-70.0, -55.0),
        name="v1",
        source="netlib, random search on physiological targets; see docs/v1_preset.md",
    )


def internship2019() -> RingParameters:
    """The static Toeplitz ring of 2018: 500 + 500 cells, dense von Mises weights, one input cell per E cell.

    Bandwidths of the source are ``exp{[cos 2d - 1] / b^2}``; here they are converted to standard deviations.
    """
    cell = Cell(
        cm=0.5, tau_m=20.0, tau_refrac=2.0, tau_syn_E=2.0, tau_syn_I=4.0,
        v_rest=-60.0, v_reset=-70.0, v_thresh=-50.0, e_rev_E=0.0, e_rev_I=-70.0,
    )  # fmt: skip

    def dense(b: float, weight: float) -> Connection:
        return Connection(VonMises(B_theta_from_ring2018(b)), weight, Delay(1.0), self_connections=True)

    return RingParameters(
        n_excitatory=500,
        n_inhibitory=500,
        n_input=500,
        excitatory=cell,
        inhibitory=cell,
        input_to_E=Connection(OneToOne(), 0.3),
        E_to_E=dense(10.0, 0.2),
        E_to_I=dense(5.0, 0.2 * 3.0),
        I_to_E=dense(40.0, 0.3),
        I_to_I=dense(10.0, 0.3 * 3.0),
        # The source sets the mean rate of the ring, 10 Hz: the peak follows from the width.
        input_tuning=InputTuning(10.0 / _mean_profile(B_theta_from_ring2018(10.0)), 0.0, B_theta_from_ring2018(10.0)),
        v_init=(-53.5, -49.75),
        name="internship2019",
        source="Ladret & Perrinet, InternshipM2 (2018-2019), Ring.py, recurrent; bandwidths as standard deviations",
    )


def internship2019_final() -> RingParameters:
    """The ring of the 2019 FINAL notebooks, weights held static: 60 + 60 cells, one input train each."""
    cell = Cell(
        cm=0.5, tau_m=30.0, tau_refrac=1.5, tau_syn_E=0.25, tau_syn_I=0.75,
        v_rest=-65.5, v_reset=-56.5, v_thresh=-52.5, e_rev_E=0.0, e_rev_I=-70.0,
    )  # fmt: skip
    delay = Delay(3.0, 5.0, 0.1, 5.0)
    return RingParameters(
        n_excitatory=60,
        n_inhibitory=60,
        n_input=60,
        excitatory=cell,
        inhibitory=cell,
        input_to_E=Connection(OneToOne(), 0.4, delay),
        input_to_I=Connection(OneToOne(), 0.4, delay),
        E_to_E=Connection(DistanceDecay(2.0), 0.1, delay),
        E_to_I=Connection(Uniform(), 0.1, delay),
        I_to_E=Connection(Uniform(), 0.1, delay),
        I_to_I=Connection(DistanceDecay(2.0), 0.1, delay),
        input_tuning=InputTuning(20.0, 0.2, 15.0),
        v_init=(-56.5, -56.5),
        name="internship2019_final",
        source="Ladret & Perrinet, InternshipM2 (2018-2019), FINAL notebooks; static weights, no doubled end point",
    )


def internship2019_learning() -> RingParameters:
    """The ring of the 2019 FINAL notebooks with its plastic weights: every projection learns, up to twice its start.

    The source's amplitudes ran through the wrong branch of NEST's rule where they were negative; here each sign has its
    own bound (:class:`netlib.networks.plasticity.STDP`), the windows are the same.
    """
    static = internship2019_final()
    shapes = {
        "input_to_E": "causal", "input_to_I": "anticausal", "E_to_E": "symmetric_plus",
        "I_to_I": "symmetric_plus", "E_to_I": "causal", "I_to_E": "anticausal",
    }  # fmt: skip
    learning: dict[str, Any] = {}
    for name, connection in static.projections().items():
        rule = dataclasses.replace(SHAPES[shapes[name]], w_max=2 * connection.weight)
        learning[name] = dataclasses.replace(connection, plasticity=rule)
    source = (
        "Ladret & Perrinet, InternshipM2 (2018-2019), FINAL notebooks; bounds right for each sign, no doubled end point"
    )
    return dataclasses.replace(static, **learning, name="internship2019_learning", source=source)


def bump() -> RingParameters:
    """A ring whose activity bump outlives its input: strong local excitation, broad inhibition, slow synapses.

    After Compte et al. (2000, Cereb Cortex 10:910) and the marginal phase of Ben-Yishai, Bar-Or & Sompolinsky
    (1995, PNAS 92:3844): excitatory synapses of 100 ms (the NMDA receptor's decay) and all weights 1/n, so that
    the ring is the same everywhere and the bump may sit anywhere. Current synapses keep it cheap. The input is
    one Poisson train per E cell; its flat part (200 Hz) holds the ring at threshold, its tuned part is the cue.
    Values found by hand. A bump forms even without a cue; with ``E_to_E.weight`` halved it dies within a second or two.
    A strong tuned input also drives the inhibitory cells: during the cue few cells fire.
    """
    excitatory = Cell(
        "IF_curr_exp", cm=0.25, tau_m=20.0, tau_refrac=2.0, tau_syn_E=100.0, tau_syn_I=10.0,
        v_rest=-70.0, v_reset=-60.0, v_thresh=-50.0,
    )  # fmt: skip
    inhibitory = Cell(
        "IF_curr_exp", cm=0.25, tau_m=10.0, tau_refrac=1.0, tau_syn_E=10.0, tau_syn_I=10.0,
        v_rest=-70.0, v_reset=-60.0, v_thresh=-50.0,
    )  # fmt: skip
    return RingParameters(
        n_excitatory=512,
        n_inhibitory=128,
        n_input=512,
        excitatory=excitatory,
        inhibitory=inhibitory,
        input_to_E=Connection(OneToOne(), 0.016),
        # Drawn at random, so that the I cells are not all the same; I to E is flat: it pins no bump.
        input_to_I=Connection(VonMises(np.inf, in_degree=32), 0.00625),
        E_to_E=Connection(VonMises(25.0), 0.25, self_connections=True),
        E_to_I=Connection(VonMises(np.inf), 2.0),
        I_to_E=Connection(VonMises(np.inf), 1.0),
        input_tuning=InputTuning(400.0, 0.5, 20.0),
        v_init=(-70.0, -50.0),
        timestep=0.2,
        name="bump",
        source="netlib, found by hand; after Compte et al. 2000, Cereb Cortex 10:910",
    )


def v1_two_rings() -> TwoRings:
    """The ring ``v1`` and a second one with the same cells and recurrence, each E2 cell driven by about 47 E cells.

    Chosen so that the second ring answers to every orientation in every network. Search, at full contrast: 26 random
    draws (seed 101, 4 orientations) of feed-forward bandwidth (8-22 deg), in-degree (32, 40, 56), weights (E2 3.5-6 nS,
    I2 2.5-5 nS), inhibition I to E2 (0.4-2 nS, 20-45 deg) and of factors on the recurrence (0.25-1.5). All gave fits
    in every presentation, at E2 rates of 0.2 to 28 Hz: the rate is the thing to choose. Then round values with the
    recurrence of ``v1``. A first choice (3.3 nS onto E2, inhibition 1.4 nS; seeds 102, 103) fired at 3 Hz, but stayed
    silent in one of the 60 presentations of seeds 1 to 10: connections drawn at random leave orientations that get
    little, and the weaker the drive, the more that counts. Excitation was raised and inhibition lowered until the
    weakest orientation of seeds 111 to 113 got about 2 Hz. The width was looked at and not chosen for.
    """
    ring = v1()
    feed_forward = VonMises(12.0, in_degree=48)
    return TwoRings.on(
        ring,
        n_excitatory2=ring.n_excitatory,
        n_inhibitory2=ring.n_inhibitory,
        excitatory2=ring.excitatory,
        inhibitory2=ring.inhibitory,
        E_to_E2=Connection(feed_forward, 0.0036),
        E_to_I2=Connection(feed_forward, 0.0035),
        I_to_E2=Connection(VonMises(25.5, in_degree=24), 0.0012),
        E2_to_E2=ring.E_to_E,
        E2_to_I2=ring.E_to_I,
        I2_to_E2=ring.I_to_E,
        I2_to_I2=ring.I_to_I,
        name="v1_two_rings",
        source="netlib, random search on the rate of the second ring; see netlib.networks.presets.v1_two_rings",
    )


def internship2019_two_rings() -> TwoRings:
    """The two rings of the 2019 FINAL notebooks, weights held static: one synapse of 0.5 uS from cell to cell.

    The source lays a second E2 to E2 (``exp(-5 d)``) and a second I2 to I2 projection over the first ones; they are
    left out here.
    """
    ring = internship2019_final()
    relay = Connection(OneToOne(), 0.5, ring.projections()["input_to_E"].delay)
    return TwoRings.on(
        ring,
        n_excitatory2=ring.n_excitatory,
        n_inhibitory2=ring.n_inhibitory,
        excitatory2=ring.excitatory,
        inhibitory2=ring.inhibitory,
        E_to_E2=relay,
        E_to_I2=relay,
        I_to_E2=relay,
        E2_to_E2=ring.E_to_E,
        E2_to_I2=ring.E_to_I,
        I2_to_E2=ring.I_to_E,
        I2_to_I2=ring.I_to_I,
        name="internship2019_two_rings",
        source="Ladret & Perrinet, InternshipM2 (2018-2019), FINAL notebook of two layers; static weights",
    )


def _mean_profile(B_theta: float) -> float:
    """Mean over orientations of a von Mises profile of peak 1."""
    from scipy.special import i0e

    from netlib.base.orientation import kappa_from_B_theta

    return float(i0e(kappa_from_B_theta(B_theta)))


PRESETS: dict[str, Callable[[], RingParameters]] = {
    "v1": v1,
    "v1_two_rings": v1_two_rings,
    "internship2019": internship2019,
    "internship2019_final": internship2019_final,
    "bump": bump,
    "internship2019_learning": internship2019_learning,
    "internship2019_two_rings": internship2019_two_rings,
}


def preset(name: str) -> RingParameters:
    """Parameters of the network called ``name``.

    Raises
    ------
    ValueError
        If there is none; the nearest name is suggested.

    Examples
    --------
    >>> preset("v1").n_excitatory
    256
    """
    return PRESETS[check_choice("preset", name, PRESETS)]()
