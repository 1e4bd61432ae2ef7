"""Networks that differ in their recurrence alone: random, the mean of random, none."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lazyarray import larray

from netlib.networks import RingParameters, preset
from netlib.networks.kernels import Kernel
from netlib.units import check_type

__all__ = ["Expected", "recurrences"]


@dataclass(frozen=True)
class Expected(Kernel):
    """All pairs connected, each with the weight that a random kernel gives it on average.

    Attributes
    ----------
    drawn : Kernel
        The random kernel, of equal weights.
    """

    drawn: Kernel

    def factor(self, n_pre: int, n_post: int) -> larray | None:
        """Probability of each connection, shape (n_pre, n_post); the kernel's own factor if it is not random."""
        probability = self.drawn.probability(n_pre, n_post)
        return self.drawn.factor(n_pre, n_post) if probability is None else probability


def recurrences(parameters: RingParameters | None = None) -> dict[str, RingParameters]:
    """The ring with its random recurrence, with the mean of that recurrence for all its cells, and with none.

    All have the same random feed-forward connections. Without recurrence inhibitory cells reach nobody: one is kept.
    """
    parameters = check_type("parameters", parameters or preset("v1"), RingParameters)
    recurrent = {name: c for name, c in parameters.projections().items() if not name.startswith("input")}
    dense = {name: dataclasses.replace(c, kernel=Expected(c.kernel)) for name, c in recurrent.items()}
    none = dataclasses.replace(parameters.without_recurrence(), n_inhibitory=1, input_to_I=None)
    return {"random": parameters, "dense": dataclasses.replace(parameters, **dense), "none": none}
