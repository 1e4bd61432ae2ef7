"""Two rings: the first hears the input, the second only the first, through convergent connections."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from netlib.networks.parameters import Cell, Connection, RingParameters
from netlib.units import check_integer, check_number, check_type

__all__ = ["TwoRings", "with_ratio"]

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
    >>> from netlib.networks import preset
    >>> network = TwoRings.on(preset("v1"), n_excitatory2=128)
    >>> network.populations, network.size("E2"), network.first() == preset("v1")
    (('E', 'I', 'E2', 'I2'), 128, True)
    """

    n_excitatory2: int = 256
    n_inhibitory2: int = 64
    excitatory2: Cell = field(default_factory=Cell)
    inhibitory2: Cell = field(default_factory=Cell)
    E_to_E2: Connection | None = None
    E_to_I2: Connection | None = None
    I_to_E2: Connection | None = None
    E2_to_E2: Connection | None = None
    E2_to_I2: Connection | None = None
    I2_to_E2: Connection | None = None
    I2_to_I2: Connection | None = None

    populations = ("E", "I", "E2", "I2")
    PROJECTIONS = (*RingParameters.PROJECTIONS, *FEED_FORWARD, *SECOND)

    def __post_init__(self) -> None:
        for name in ("n_excitatory2", "n_inhibitory2"):
            check_integer(name, getattr(self, name), 1, 10**7, unit="cells")
        check_type("excitatory2", self.excitatory2, Cell)
        check_type("inhibitory2", self.inhibitory2, Cell)
        super().__post_init__()

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
        return dataclasses.replace(self, **dict.fromkeys(SECOND))

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
        changes = {}
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
    >>> from netlib.networks import preset
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
    kernel, plasticity = connection.kernel, connection.plasticity
    if kernel.weight_is_total:
        return connection
    if getattr(kernel, "in_degree", None) is not None:
        kernel = dataclasses.replace(kernel, in_degree=kernel.in_degree * change)
    if plasticity is not None:
        plasticity = dataclasses.replace(plasticity, w_max=plasticity.w_max / change)
    return dataclasses.replace(connection, kernel=kernel, weight=connection.weight / change, plasticity=plasticity)
