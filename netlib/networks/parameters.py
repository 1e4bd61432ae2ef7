"""Parameters of a ring network: frozen, validated, with units.

Weights are magnitudes; the receptor decides the sign. Times in ms, potentials in mV, capacitances in nF,
weights in uS (conductance cells) or nA (current cells).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from netlib.lgn.contrast import ContrastResponse
from netlib.lgn.frontend import LGN
from netlib.networks.kernels import Kernel, VonMises
from netlib.networks.plasticity import STDP, VogelsSprekeler
from netlib.units import check_choice, check_integer, check_number, check_type, on_grid

__all__ = ["CELL_MODELS", "Cell", "Connection", "Delay", "InputTuning", "RingParameters", "set_values"]

#: PyNN name of each cell model, with the parameters it takes beyond those of all models.
CELL_MODELS = {
    "IF_cond_exp": ("e_rev_E", "e_rev_I"),
    "IF_cond_alpha": ("e_rev_E", "e_rev_I"),
    "IF_curr_exp": (),
    "EIF_cond_exp_isfa_ista": ("e_rev_E", "e_rev_I", "delta_T", "v_spike", "a", "b", "tau_w"),
}
_ALWAYS = ("cm", "tau_m", "tau_refrac", "tau_syn_E", "tau_syn_I", "v_rest", "v_reset", "v_thresh")


@dataclass(frozen=True)
class Cell:
    """A point neuron, by its PyNN name.

    Attributes
    ----------
    model : str
        ``IF_cond_exp`` (leaky integrate-and-fire, exponential conductances), ``IF_cond_alpha``,
        ``IF_curr_exp`` or ``EIF_cond_exp_isfa_ista`` (exponential, with adaptation where ``a`` or ``b`` > 0).
    cm : float
        Capacitance (nF).
    tau_m, tau_refrac, tau_syn_E, tau_syn_I : float
        Membrane time constant, refractory period, synaptic time constants (ms).
    v_rest, v_reset, v_thresh : float
        Resting, reset and threshold potentials (mV).
    e_rev_E, e_rev_I : float
        Reversal potentials (mV); conductance models.
    delta_T, v_spike : float
        Sharpness of spike initiation and cut-off potential (mV); EIF only.
    a, b, tau_w : float
        Subthreshold (nS) and spike-triggered (nA) adaptation and its time constant (ms); EIF only.
    """

    model: str = "IF_cond_exp"
    cm: float = 0.25
    tau_m: float = 15.0
    tau_refrac: float = 2.0
    tau_syn_E: float = 3.0
    tau_syn_I: float = 8.0
    v_rest: float = -70.0
    v_reset: float = -60.0
    v_thresh: float = -50.0
    e_rev_E: float = 0.0
    e_rev_I: float = -80.0
    delta_T: float = 2.0
    v_spike: float = -40.0
    a: float = 0.0
    b: float = 0.0
    tau_w: float = 144.0

    def __post_init__(self) -> None:
        check_choice("model", self.model, CELL_MODELS)
        check_number("cm", self.cm, "nF", 0, low_open=True)
        for name in ("tau_m", "tau_syn_E", "tau_syn_I", "tau_w"):
            check_number(name, getattr(self, name), "ms", 0, low_open=True)
        check_number("tau_refrac", self.tau_refrac, "ms", 0)
        for name in ("v_rest", "v_reset", "v_thresh", "e_rev_E", "e_rev_I", "v_spike"):
            check_number(name, getattr(self, name), "mV", -200, 100)
        check_number("v_reset", self.v_reset, "mV", None, self.v_thresh, high_open=True)
        if self.model.startswith("EIF"):
            check_number("delta_T", self.delta_T, "mV", 0, low_open=True)
            check_number("v_spike", self.v_spike, "mV", self.v_thresh)
        check_number("a", self.a, "nS", 0)
        check_number("b", self.b, "nA", 0)

    @property
    def conductance_based(self) -> bool:
        """Whether synaptic weights are conductances (uS) rather than currents (nA)."""
        return "cond" in self.model

    @property
    def weight_unit(self) -> str:
        """Unit of a synaptic weight onto this cell."""
        return "uS" if self.conductance_based else "nA"

    def pynn_parameters(self) -> dict[str, float]:
        """Parameters that the PyNN model takes."""
        return {name: getattr(self, name) for name in (*_ALWAYS, *CELL_MODELS[self.model])}


@dataclass(frozen=True)
class Delay:
    """Synaptic delay: one value, or a normal distribution cut to [low, high] by redrawing.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation before cutting (ms).
    low, high : float, optional
        Bounds (ms), needed where ``sd`` > 0.
    """

    mean: float = 1.0
    sd: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        check_number("delay.mean", self.mean, "ms", 0, low_open=True)
        check_number("delay.sd", self.sd, "ms", 0)
        if self.sd > 0:
            if self.low is None or self.high is None:
                raise ValueError(f"delay.sd = {self.sd:g} ms needs bounds: give delay.low and delay.high in ms")
            check_number("delay.low", self.low, "ms", 0, low_open=True)
            check_number("delay.high", self.high, "ms", self.low, low_open=True)

    @property
    def bounds(self) -> tuple[float, float]:
        """Shortest and longest delay (ms)."""
        return (self.low, self.high) if self.sd > 0 else (self.mean, self.mean)

    def check_step(self, timestep: float, name: str = "delay") -> None:
        """Raise ValueError unless the bounds are whole, non-zero numbers of time steps (ms)."""
        for bound in self.bounds:
            check_number(name, bound, "ms", timestep)
            on_grid(name, bound, timestep)


@dataclass(frozen=True)
class Connection:
    """A projection between two populations.

    Attributes
    ----------
    kernel : Kernel
        Who connects to whom, and the profile of the weights.
    weight : float
        Magnitude of the weight, >= 0 (uS or nA), times the kernel's factor.
    delay : Delay
        Distribution of delays.
    self_connections : bool
        Whether a cell may connect to itself (where both populations are the same).
    plasticity : STDP, VogelsSprekeler or None
        Rule by which spikes change the weights, in [0, its ``w_max``]; None is static.
    """

    kernel: Kernel
    weight: float
    delay: Delay = field(default_factory=Delay)
    self_connections: bool = False
    plasticity: STDP | VogelsSprekeler | None = None

    def __post_init__(self) -> None:
        check_type("kernel", self.kernel, Kernel)
        check_type("delay", self.delay, Delay)
        check_number("weight", self.weight, "uS or nA", 0)
        if self.plasticity is not None:
            check_type("plasticity", self.plasticity, (STDP, VogelsSprekeler))
            if not self.kernel.weight_is_total:  # of those that are, the run checks each synapse
                check_number("weight", self.weight, "uS or nA", 0, self.plasticity.w_max)


@dataclass(frozen=True)
class InputTuning:
    """Rates of the input cells when no movie drives them: a pedestal and a von Mises bump.

    ``rate = peak [(1 - pedestal) R(c) vm(theta; B_theta) + pedestal]``
    (:func:`netlib.lgn.von_mises_rates`).

    Attributes
    ----------
    peak : float
        Rate at the preferred orientation and full contrast (Hz).
    pedestal : float
        Rate without stimulus, as a fraction of ``peak``, in [0, 1].
    B_theta : float
        Bandwidth of the bump (deg).
    contrast_response : ContrastResponse or None
        ``R(c)``; None is linear.
    """

    peak: float = 20.0
    pedestal: float = 0.2
    B_theta: float = 15.0
    contrast_response: ContrastResponse | None = None

    def __post_init__(self) -> None:
        check_number("peak", self.peak, "Hz", 0)
        check_number("pedestal", self.pedestal, "(fraction of peak)", 0, 1)
        check_number("B_theta", self.B_theta, "deg", 0, low_open=True, finite=False)
        if self.contrast_response is not None:
            check_type("contrast_response", self.contrast_response, ContrastResponse)


@dataclass(frozen=True)
class RingParameters:
    """A ring of excitatory and inhibitory cells, driven by a layer of input cells.

    Cell i of a population of n prefers 180 i / n degrees. A projection set to None does not exist.

    Attributes
    ----------
    n_excitatory, n_inhibitory, n_input : int
        Numbers of cells.
    excitatory, inhibitory : Cell
        Cell models.
    input_to_E, input_to_I, E_to_E, E_to_I, I_to_E, I_to_I : Connection or None
        Projections.
    input_tuning : InputTuning
        Rates of the input when no movie drives it.
    lgn : LGN
        Front end that turns a movie into the rates of the input.
    v_init : tuple of float
        Range of the uniform initial potentials (mV).
    timestep : float
        Integration step (ms).
    name, source : str
        Name of the preset and where its values come from.
    """

    n_excitatory: int = 256
    n_inhibitory: int = 64
    n_input: int = 1024
    excitatory: Cell = field(default_factory=Cell)
    inhibitory: Cell = field(default_factory=Cell)
    input_to_E: Connection | None = field(default_factory=lambda: Connection(VonMises(15.0, in_degree=32), 0.003))
    input_to_I: Connection | None = None
    E_to_E: Connection | None = None
    E_to_I: Connection | None = None
    I_to_E: Connection | None = None
    I_to_I: Connection | None = None
    input_tuning: InputTuning = field(default_factory=InputTuning)
    lgn: LGN = field(default_factory=LGN)
    v_init: tuple[float, float] = (-65.0, -55.0)
    timestep: float = 0.1
    name: str = "custom"
    source: str = ""

    #: Cells that are simulated; the name of an inhibitory population starts with I.
    populations = ("E", "I")
    PROJECTIONS = ("input_to_E", "input_to_I", "E_to_E", "E_to_I", "I_to_E", "I_to_I")

    def __post_init__(self) -> None:
        for name in ("n_excitatory", "n_inhibitory", "n_input"):
            check_integer(name, getattr(self, name), 1, 10**7, unit="cells")
        check_type("excitatory", self.excitatory, Cell)
        check_type("inhibitory", self.inhibitory, Cell)
        check_type("input_tuning", self.input_tuning, InputTuning)
        check_type("lgn", self.lgn, LGN)
        check_number("timestep", self.timestep, "ms", 0, 1, low_open=True)
        check_number("v_init", self.v_init[1], "mV", self.v_init[0])
        for name, connection in self.projections().items():
            check_type(name, connection, Connection)
            connection.delay.check_step(self.timestep, f"{name}.delay")
            pre, post = self.size(name.split("_to_")[0]), self.size(name.split("_to_")[1])
            connection.kernel.probability(pre, post)

    def size(self, population: str) -> int:
        """Number of cells of population ``"input"``, ``"E"`` or ``"I"``."""
        return {"input": self.n_input, "E": self.n_excitatory, "I": self.n_inhibitory}[population]

    def cell(self, population: str) -> Cell:
        """Cell model of population ``"E"`` or ``"I"``."""
        return {"E": self.excitatory, "I": self.inhibitory}[population]

    def projections(self) -> dict[str, Connection]:
        """The projections that exist, by name."""
        found = {name: getattr(self, name) for name in self.PROJECTIONS}
        return {name: connection for name, connection in found.items() if connection is not None}

    def delay_bounds(self) -> tuple[float, float]:
        """Shortest and longest delay of all projections (ms)."""
        bounds = [connection.delay.bounds for connection in self.projections().values()]
        return min((b[0] for b in bounds), default=1.0), max((b[1] for b in bounds), default=1.0)

    def without_recurrence(self) -> RingParameters:
        """The same network with its input alone: no connection between its cells."""
        return dataclasses.replace(self, E_to_E=None, E_to_I=None, I_to_E=None, I_to_I=None)


def set_values(parameters: Any, values: dict[str, Any]) -> Any:
    """Replace values deep inside a parameter dataclass.

    Parameters
    ----------
    parameters : dataclass
        Such as :class:`RingParameters`.
    values : dict
        New values by dotted name, such as ``{"E_to_E.weight": 0.001, "n_excitatory": 128}``. A string is
        read as JSON where it is JSON (numbers, ``null``, ``true``, lists).

    Raises
    ------
    ValueError
        If a name does not exist (the nearest one is suggested), or a value is refused.

    Examples
    --------
    >>> set_values(RingParameters(), {"excitatory.tau_m": "10"}).excitatory.tau_m
    10
    """
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *branches, leaf = path.split(".")
        node = tree
        for name in branches:
            node = node.setdefault(name, {})
        node[leaf] = parse_value(value)
    return _replace(parameters, tree, "")


def parse_value(value: Any) -> Any:
    """What a text on the command line means: JSON, None, inf, or the text itself; lists become tuples."""
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        return {"none": None, "None": None, "inf": float("inf")}.get(value, value)
    return tuple(parsed) if isinstance(parsed, list) else parsed


def _replace(node: Any, tree: dict[str, Any], path: str) -> Any:
    """Replace all the values of a branch at once, so that they are checked together."""
    if not dataclasses.is_dataclass(node):
        raise ValueError(f"{path}.{next(iter(tree))} is unknown: {path} = {node!r} has no parts")
    changes = {}
    for name, value in tree.items():
        whole = f"{path}.{name}".lstrip(".")
        check_choice(f"parameter name in {whole!r}", name, [f.name for f in dataclasses.fields(node)])
        changes[name] = _replace(getattr(node, name), value, whole) if isinstance(value, dict) else value
    return dataclasses.replace(node, **changes)
