"""Parameters of the pipeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.calcium.indicators import INDICATORS
from netlib.pathways.clusters import METHODS

__all__ = ["PipelineParameters"]


@dataclass(frozen=True)
class PipelineParameters:
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

    indicator: str = "GCaMP6f"
    guard: float | str = "auto"
    alpha: float = 0.05
    fold: float | None = 1.5
    min_sessions: int | None = None
    method: str = "k-means"
    k: int | None = None
    k_max: int = 7
    references: int = 5
    resamples: int = 15
    bin: float = 500.0
    block: float = 30_000.0
    draws: int = 3
    shifts: int = 9
    permutations: int = 199
    instants: float = 1000.0
    inferred: int = 6
    margin: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("indicator", self.indicator, INDICATORS)
        if self.guard != "auto":
            check_number("guard", self.guard, "ms", 0)
        check_number("alpha", self.alpha, "", 0, 1, low_open=True, high_open=True)
        if self.fold is not None:
            check_number("fold", self.fold, "", 1)
        if self.min_sessions is not None:
            check_integer("min_sessions", self.min_sessions, 1)
        check_choice("method", self.method, METHODS)
        if self.k is not None:
            check_integer("k", self.k, 2, 50)
        check_integer("k_max", self.k_max, 3, 50)
        check_integer("references", self.references, 2)
        check_integer("resamples", self.resamples, 2)
        for name in ("bin", "block", "instants"):
            check_number(name, getattr(self, name), "ms", 0, low_open=True)
        for name in ("guard", "alpha", "fold", "bin", "block", "instants", "margin"):
            if isinstance(getattr(self, name), int):  # 500 and 500.0 are one value
                object.__setattr__(self, name, float(getattr(self, name)))
        check_integer("draws", self.draws, 1)
        check_integer("shifts", self.shifts, 1)
        check_integer("permutations", self.permutations, 20)
        check_integer("inferred", self.inferred, 0, unit="neurons")
        check_number("margin", self.margin, "", 0, 1, low_open=True)
        check_integer("seed", self.seed, 0)

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
        names = [field.name for field in dataclasses.fields(self)]
        values = {check_choice("parameter", name, names): _value(text) for name, text in settings.items()}
        return dataclasses.replace(self, **values)


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


def _value(text: str) -> Any:
    """A whole number, a number, None or text."""
    if text.lower() == "none":
        return None
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text
