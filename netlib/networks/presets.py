"""Ring networks by name, each with the source of its values."""

from __future__ import annotations

from collections.abc import Callable

from netlib.lgn.contrast import ContrastResponse
from netlib.lgn.frontend import LGN
from netlib.networks.kernels import DistanceDecay, OneToOne, Uniform, VonMises
from netlib.networks.parameters import Cell, Connection, Delay, InputTuning, RingParameters
from netlib.orientation import B_theta_from_ring2018
from netlib.units import check_choice

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


def _mean_profile(B_theta: float) -> float:
    """Mean over orientations of a von Mises profile of peak 1."""
    from scipy.special import i0e

    from netlib.orientation import kappa_from_B_theta

    return float(i0e(kappa_from_B_theta(B_theta)))


PRESETS: dict[str, Callable[[], RingParameters]] = {
    "v1": v1,
    "internship2019": internship2019,
    "internship2019_final": internship2019_final,
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
