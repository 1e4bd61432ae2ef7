"""Parameters of a ring network, or of two rings the second of which hears only the first: frozen, checked, with units.

Weights are magnitudes; the receptor decides the sign. Times in ms, potentials in mV, capacitances in nF,
weights in uS (conductance cells) or nA (current cells).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from netlib.base.checks import check_number, check_type, on_grid
from netlib.base.fields import Declared, choice, integer, number, part
from netlib.lgn.frontend import LGN
from netlib.lgn.rates import ContrastResponse
from netlib.networks.kernels import Kernel, VonMises
from netlib.networks.plasticity import STDP, VogelsSprekeler

__all__ = [
    "CELL_MODELS",
    "Cell",
    "Connection",
    "Delay",
    "InputTuning",
    "RingParameters",
    "TwoRings",
    "with_ratio",
]


#: PyNN name of each cell model, with the parameters it takes beyond those of all models.
CELL_MODELS = {
    "IF_cond_exp": ("e_rev_E", "e_rev_I"),
    "IF_cond_alpha": ("e_rev_E", "e_rev_I"),
    "IF_curr_exp": (),
    "EIF_cond_exp_isfa_ista": ("e_rev_E", "e_rev_I", "delta_T", "v_spike", "a", "b", "tau_w"),
}
_ALWAYS = ("cm", "tau_m", "tau_refrac", "tau_syn_E", "tau_syn_I", "v_rest", "v_reset", "v_thresh")


@dataclass(frozen=True)
class Cell(Declared):
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

    model: str = choice("IF_cond_exp", CELL_MODELS)
    cm: float = number(0.25, "nF", 0, low_open=True)
    tau_m: float = number(15.0, "ms", 0, low_open=True)
    tau_refrac: float = number(2.0, "ms", 0)
    tau_syn_E: float = number(3.0, "ms", 0, low_open=True)
    tau_syn_I: float = number(8.0, "ms", 0, low_open=True)
    v_rest: float = number(-70.0, "mV", -200, 100)
    v_reset: float = number(-60.0, "mV", -200, 100)
    v_thresh: float = number(-50.0, "mV", -200, 100)
    e_rev_E: float = number(0.0, "mV", -200, 100)
    e_rev_I: float = number(-80.0, "mV", -200, 100)
    delta_T: float = number(2.0, "mV")
    v_spike: float = number(-40.0, "mV", -200, 100)
    a: float = number(0.0, "nS", 0)
    b: float = number(0.0, "nA", 0)
    tau_w: float = number(144.0, "ms", 0, low_open=True)

    def check(self) -> None:
        check_number("v_reset", self.v_reset, "mV", None, self.v_thresh, high_open=True)
        if self.model.startswith("EIF"):
            check_number("delta_T", self.delta_T, "mV", 0, low_open=True)
            check_number("v_spike", self.v_spike, "mV", self.v_thresh)

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
class Delay(Declared):
    """Synaptic delay: one value, or a normal distribution cut to [low, high] by redrawing.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation before cutting (ms).
    low, high : float, optional
        Bounds (ms), needed where ``sd`` > 0.
    """

    mean: float = number(1.0, "ms", 0, low_open=True)
    sd: float = number(0.0, "ms", 0)
    low: float | None = number(None, "ms", also=(None,))
    high: float | None = number(None, "ms", also=(None,))

    prefix = "delay."

    def check(self) -> None:
        if self.sd > 0:
            if self.low is None or self.high is None:
                raise ValueError(f"delay.sd = {self.sd:g} ms needs bounds: give delay.low and delay.high in ms")
            check_number("delay.low", self.low, "ms", 0, low_open=True)
            check_number("delay.high", self.high, "ms", self.low, low_open=True)

    @property
    def bounds(self) -> tuple[float, float]:
        """Shortest and longest delay (ms)."""
        if self.sd == 0 or self.low is None or self.high is None:
            return self.mean, self.mean
        return self.low, self.high

    def check_step(self, timestep: float, name: str = "delay") -> None:
        """Raise ValueError unless the bounds are whole, non-zero numbers of time steps (ms)."""
        for bound in self.bounds:
            check_number(name, bound, "ms", timestep)
            on_grid(name, bound, timestep)


@dataclass(frozen=True)
class Connection(Declared):
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

    kernel: Kernel = part(..., Kernel)
    weight: float = number(..., "uS or nA", 0)
    delay: Delay = part(Delay, Delay)
    self_connections: bool = False
    plasticity: STDP | VogelsSprekeler | None = part(None, (STDP, VogelsSprekeler), optional=True)

    def check(self) -> None:
        # where the weight is the total onto a cell, the run checks each synapse
        if self.plasticity is not None and not self.kernel.weight_is_total:
            check_number("weight", self.weight, "uS or nA", 0, self.plasticity.w_max)


@dataclass(frozen=True)
class InputTuning(Declared):
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

    peak: float = number(20.0, "Hz", 0)
    pedestal: float = number(0.2, "(fraction of peak)", 0, 1)
    B_theta: float = number(15.0, "deg", 0, low_open=True, finite=False)
    contrast_response: ContrastResponse | None = part(None, ContrastResponse, optional=True)


@dataclass(frozen=True)
class RingParameters(Declared):
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

    n_excitatory: int = integer(256, 1, 10**7, "cells")
    n_inhibitory: int = integer(64, 1, 10**7, "cells")
    n_input: int = integer(1024, 1, 10**7, "cells")
    excitatory: Cell = part(Cell, Cell)
    inhibitory: Cell = part(Cell, Cell)
    input_to_E: Connection | None = part(Connection(VonMises(15.0, in_degree=32), 0.003), Connection, optional=True)
    input_to_I: Connection | None = part(None, Connection, optional=True)
    E_to_E: Connection | None = part(None, Connection, optional=True)
    E_to_I: Connection | None = part(None, Connection, optional=True)
    I_to_E: Connection | None = part(None, Connection, optional=True)
    I_to_I: Connection | None = part(None, Connection, optional=True)
    input_tuning: InputTuning = part(InputTuning, InputTuning)
    lgn: LGN = part(LGN, LGN)
    v_init: tuple[float, float] = (-65.0, -55.0)
    timestep: float = number(0.1, "ms", 0, 1, low_open=True)
    name: str = "custom"
    source: str = ""

    #: Cells that are simulated; the name of an inhibitory population starts with I.
    populations: ClassVar[tuple[str, ...]] = ("E", "I")
    PROJECTIONS: ClassVar[tuple[str, ...]] = ("input_to_E", "input_to_I", "E_to_E", "E_to_I", "I_to_E", "I_to_I")

    def check(self) -> None:
        check_number("v_init", self.v_init[1], "mV", self.v_init[0])
        for name, connection in self.projections().items():
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


# ---------------------------------------------------------------- two rings

FEED_FORWARD = ("E_to_E2", "E_to_I2", "I_to_E2")
SECOND = ("E2_to_E2", "E2_to_I2", "I2_to_E2", "I2_to_I2")


@dataclass(frozen=True)
class TwoRings(RingParameters):
    """A ring (every field of :class:`RingParameters`) and a second ring that it drives.

    The second ring gets neither input spikes nor sends anything back: whatever its parameters, the first ring
    fires the same spikes. Cell i of a population of n prefers 180 i / n degrees by its place. A projection set to
    None does not exist.

    Attributes
    ----------
    n_excitatory2, n_inhibitory2 : int
        Numbers of cells of the second ring.
    excitatory2, inhibitory2 : Cell
        Their cell models.
    E_to_E2, E_to_I2 : Connection or None
        Feed-forward excitation.
    I_to_E2 : Connection or None
        Feed-forward inhibition, of one synapse; inhibition through I2 comes in addition.
    E2_to_E2, E2_to_I2, I2_to_E2, I2_to_I2 : Connection or None
        Recurrence of the second ring.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> network = TwoRings.on(preset("v1"), n_excitatory2=128)
    >>> network.populations, network.size("E2"), network.first() == preset("v1")
    (('E', 'I', 'E2', 'I2'), 128, True)
    """

    n_excitatory2: int = integer(256, 1, 10**7, "cells")
    n_inhibitory2: int = integer(64, 1, 10**7, "cells")
    excitatory2: Cell = part(Cell, Cell)
    inhibitory2: Cell = part(Cell, Cell)
    E_to_E2: Connection | None = part(None, Connection, optional=True)
    E_to_I2: Connection | None = part(None, Connection, optional=True)
    I_to_E2: Connection | None = part(None, Connection, optional=True)
    E2_to_E2: Connection | None = part(None, Connection, optional=True)
    E2_to_I2: Connection | None = part(None, Connection, optional=True)
    I2_to_E2: Connection | None = part(None, Connection, optional=True)
    I2_to_I2: Connection | None = part(None, Connection, optional=True)

    populations = ("E", "I", "E2", "I2")
    PROJECTIONS = (*RingParameters.PROJECTIONS, *FEED_FORWARD, *SECOND)

    @classmethod
    def on(cls, ring: RingParameters, **second: Any) -> TwoRings:
        """Put a second ring, described by the fields of this class, on top of ``ring``."""
        check_type("ring", ring, RingParameters)
        return cls(**{f.name: getattr(ring, f.name) for f in dataclasses.fields(RingParameters)} | second)

    def first(self) -> RingParameters:
        """The first ring alone."""
        return RingParameters(**{f.name: getattr(self, f.name) for f in dataclasses.fields(RingParameters)})

    def size(self, population: str) -> int:
        """Number of cells of population ``"input"``, ``"E"``, ``"I"``, ``"E2"`` or ``"I2"``."""
        second = {"E2": self.n_excitatory2, "I2": self.n_inhibitory2}
        return second[population] if population in second else super().size(population)

    def cell(self, population: str) -> Cell:
        """Cell model of population ``"E"``, ``"I"``, ``"E2"`` or ``"I2"``."""
        second = {"E2": self.excitatory2, "I2": self.inhibitory2}
        return second[population] if population in second else super().cell(population)

    def without_recurrence(self) -> TwoRings:
        """The same network without connections inside the first ring and inside the second."""
        return dataclasses.replace(self.without_second_recurrence(), E_to_E=None, E_to_I=None, I_to_E=None, I_to_I=None)

    def without_second_recurrence(self) -> TwoRings:
        """The same network without connections inside the second ring."""
        nothing: dict[str, Any] = dict.fromkeys(SECOND)
        return dataclasses.replace(self, **nothing)

    def without_feedforward_inhibition(self) -> TwoRings:
        """The same network without the inhibition of E2 by the first ring (``I_to_E2``)."""
        return dataclasses.replace(self, I_to_E2=None)

    def with_untuned_feedforward(self) -> TwoRings:
        """The same network with the sources of every feed-forward connection shuffled over the first ring.

        Numbers and weights of connections stay; only who comes from where is lost.

        Raises
        ------
        ValueError
            If a feed-forward kernel has no bandwidth and number of connections to keep.
        """
        changes: dict[str, Any] = {}
        for name in FEED_FORWARD:
            connection = getattr(self, name)
            if connection is None:
                continue
            if getattr(connection.kernel, "in_degree", None) is None:
                raise ValueError(
                    f"{name}.kernel = {connection.kernel!r} cannot be shuffled: it must be a VonMises with an in_degree"
                )
            kernel = dataclasses.replace(connection.kernel, B_theta=float("inf"))
            changes[name] = dataclasses.replace(connection, kernel=kernel)
        return dataclasses.replace(self, **changes)


def with_ratio(parameters: RingParameters, ratio: float) -> RingParameters:
    """The same network with another number of excitatory cells per inhibitory cell, and as much inhibition.

    Each inhibitory population is resized. The number of inhibitory connections onto a cell follows, and their
    weight makes up for it: the expected total weight of every projection stays, carried by fewer or more cells.

    Parameters
    ----------
    parameters : RingParameters or TwoRings
        The network.
    ratio : float
        Excitatory cells per inhibitory cell, at least 1; the number of cells is rounded.

    Raises
    ------
    ValueError
        If an inhibitory population has a one-to-one connection, which fixes its size.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> sparse = with_ratio(preset("v1"), 8)
    >>> sparse.n_excitatory, sparse.n_inhibitory, round(sparse.I_to_E.weight / preset("v1").I_to_E.weight, 2)
    (256, 32, 2.0)
    """
    check_type("parameters", parameters, RingParameters)
    check_number("ratio", ratio, "E cells per I cell", 1)
    changes: dict[str, Any] = {}
    for population in [p for p in parameters.populations if p.startswith("I")]:
        layer = population[1:]
        size = max(1, round(parameters.size(f"E{layer}") / ratio))
        change = size / parameters.size(population)
        changes[f"n_inhibitory{layer}"] = size
        for name, connection in parameters.projections().items():
            if name.startswith(f"{population}_to_"):
                changes[name] = _spread(connection, change)
    return dataclasses.replace(parameters, **changes)


def _spread(connection: Connection, change: float) -> Connection:
    """The same total weight onto a cell, from ``change`` times as many presynaptic cells."""
    kernel: Any = connection.kernel
    plasticity = connection.plasticity
    if kernel.weight_is_total:
        return connection
    if getattr(kernel, "in_degree", None) is not None:
        kernel = dataclasses.replace(kernel, in_degree=kernel.in_degree * change)
    if plasticity is not None:
        plasticity = dataclasses.replace(plasticity, w_max=plasticity.w_max / change)
    return dataclasses.replace(connection, kernel=kernel, weight=connection.weight / change, plasticity=plasticity)
