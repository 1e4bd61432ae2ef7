"""Parameters of the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlib.base.fields import Declared, choice, integer, number, set_values
from netlib.calcium.indicators import INDICATORS
from netlib.pathways.clusters import METHODS

__all__ = ["PipelineParameters"]


@dataclass(frozen=True)
class PipelineParameters(Declared):
    """What the pipeline does with a data set.

    Attributes
    ----------
    indicator : str
        What the cells express, for deconvolution where the files hold no events.
    guard : float or "auto"
        Shortest shift of the modulation test (ms); "auto" chooses it from each session.
    alpha : float
        False discovery rate of a category in a session.
    fold : float, optional
        Factor by which the rate in a behaviour must differ from the median of those in the others for a category to
        count (:mod:`netlib.pathways.labels`); None takes all that the test finds, as published.
    min_sessions : int, optional
        Sessions in which a registered neuron must be seen to be clustered; by default half of them.
    method : str
        Clustering, one of :data:`netlib.pathways.clusters.METHODS`.
    k : int, optional
        Number of clusters; by default chosen from 2 to ``k_max``.
    k_max : int
        Largest number tried.
    references, resamples : int
        Of the gap statistic, of the stability of clusters.
    bin : float
        Bin of the decoding (ms).
    block : float
        Stretch of time that stays on one side of a split (ms).
    draws : int
        Draws of equal numbers of neurons from each cluster.
    shifts : int
        Label shifts of the null of the decoding.
    permutations : int
        Of tests that permute.
    instants : float
        Interval of the time-time correlation (ms).
    inferred : int
        Neurons of the first session of each mouse whose whole spikes are inferred to compare sources of activity (0.7 s
        each in 20 min); 0 for none.
    margin : float
        Difference of the share of engaged neurons up to which pathways count as similarly engaged.
    seed : int
        Master seed.
    """

    indicator: str = choice("GCaMP6f", INDICATORS)
    guard: float | str = number("auto", "ms", 0, also=("auto",))
    alpha: float = number(0.05, "", 0, 1, low_open=True, high_open=True)
    fold: float | None = number(1.5, "", 1, also=(None,))
    min_sessions: int | None = integer(None, 1, also=(None,))
    method: str = choice("k-means", METHODS)
    k: int | None = integer(None, 2, 50, also=(None,))
    k_max: int = integer(7, 3, 50)
    references: int = integer(5, 2)
    resamples: int = integer(15, 2)
    bin: float = number(500.0, "ms", 0, low_open=True)
    block: float = number(30_000.0, "ms", 0, low_open=True)
    draws: int = integer(3, 1)
    shifts: int = integer(9, 1)
    permutations: int = integer(199, 20)
    instants: float = number(1000.0, "ms", 0, low_open=True)
    inferred: int = integer(6, 0, unit="neurons")
    margin: float = number(0.15, "", 0, 1, low_open=True)
    seed: int = integer(0, 0)

    def check(self) -> None:
        """Store whole numbers as floats where other numbers are legal: 500 and 500.0 are one value."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and "float" in field.type:
                object.__setattr__(self, field.name, float(value))

    def of(self, step: str) -> dict[str, Any]:
        """Those that decide the result of a kind of step."""
        return {name: getattr(self, name) for name in USED[step]}

    def changed(self, settings: Mapping[str, str]) -> PipelineParameters:
        """With other values, given as text: ``{"bin": "200", "guard": "auto", "k": "none"}``.

        Raises
        ------
        ValueError
            If there is no such parameter, or a value is out of range.
        """
        return set_values(self, dict(settings))


#: Parameters that decide the result of each kind of step; of a step that uses others' results also theirs.
USED = {
    "session": ("indicator", "guard", "alpha", "fold", "bin", "instants", "permutations", "seed"),
    "registration": (),
    "clusters": ("min_sessions", "method", "k", "k_max", "references", "resamples", "permutations", "seed"),
    "decoding": ("block", "draws", "shifts", "seed"),
    "time": ("seed",),
    "sources": ("indicator", "inferred", "alpha", "block", "draws", "permutations", "seed"),
    "statistics": ("alpha", "margin", "permutations", "seed"),
}
