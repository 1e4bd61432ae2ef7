"""Results of a run by mouse and session, read from where the steps kept them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from netlib.base.store import Result, Store
from netlib.pathways.manifest import Manifest
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.session import PATHWAYS
from netlib.pathways.steps import MouseVectors, OfMouse, local_clusters

__all__ = ["POOLED", "Kept", "Results", "step_name"]


#: Name of the clusters of all mice together.
POOLED = "both"


def step_name(kind: str, *of: str | int) -> str:
    """Name of a step, which is the name of its file.

    Examples
    --------
    >>> step_name("session", "I2/b", 3)
    'session-I2%2Fb-3'
    """
    return "-".join([kind, *(quote(str(part), safe="") for part in of)])


@dataclass(frozen=True)
class Kept:
    """Results of a run by the names of the steps: where they are, and their keys."""

    folder: Path
    keys: dict[str, str]

    def load(self, name: str, *only: str) -> Result:
        """Result of a step, or some parts of it; a part that the step did not make is not there.

        Raises
        ------
        RuntimeError
            If it is not there, which is a fault of the pipeline, or somebody removed it meanwhile.
        """
        found = Store(self.folder).get(self.keys[name], name, only)
        if found is None:
            raise RuntimeError(f"the result of step {name!r} is not in {self.folder}: it was removed while in use")
        return found


@dataclass(frozen=True, eq=False)
class Results:
    """What the steps of a run found.

    Attributes
    ----------
    manifest : Manifest
    parameters : PipelineParameters
    kept : Kept
    """

    manifest: Manifest
    parameters: PipelineParameters
    kept: Kept

    @property
    def pathways(self) -> list[str]:
        """Pathways there are, the direct one first."""
        found = set(self.manifest.table["pathway"])
        return [pathway for pathway in PATHWAYS if pathway in found]

    def mice(self, pathway: str | None = None) -> list[str]:
        """Mice of a pathway, or all, those of the direct one first."""
        table = self.manifest.table
        wanted = self.pathways if pathway is None else [pathway]
        return [mouse for p in wanted for mouse in dict.fromkeys(table.loc[table["pathway"] == p, "mouse"])]

    def pathway(self, mouse: str) -> str:
        """Pathway of a mouse."""
        return str(self.manifest.row(mouse, self.manifest.sessions(mouse)[0])["pathway"])

    def everything(self) -> Iterator[tuple[str, str, int]]:
        """Pathway, mouse and number of every session."""
        for mouse in self.mice():
            for k in self.manifest.sessions(mouse):
                yield self.pathway(mouse), mouse, k

    def session(self, mouse: str, session: int, *only: str) -> Result:
        """Of :func:`netlib.pathways.steps.analyse_session`, or some parts."""
        return self.kept.load(step_name("session", mouse, session), *only)

    def registration(self, mouse: str) -> Result:
        """Of :func:`netlib.pathways.steps.register_mouse`."""
        return self.kept.load(step_name("registration", mouse))

    def clusters(self, of: str) -> Result:
        """Clusters and candidates of a pathway, or of :data:`POOLED`."""
        return self.kept.load(step_name("clusters", of))

    def of_mouse(self, kind: str, mouse: str) -> Result:
        """Of the steps "time" and "sources"."""
        return self.kept.load(step_name(kind, mouse))

    def decoded(self, mouse: str, session: int) -> Result:
        """Of :func:`netlib.pathways.steps.decode_session`."""
        return self.kept.load(step_name("decoding", mouse, session))

    def statistics(self) -> Result:
        """Of the last step."""
        return self.kept.load("statistics")

    def vectors(self, mouse: str) -> MouseVectors:
        """Categories of a mouse, for clustering."""
        numbers = tuple(self.manifest.sessions(mouse))
        vectors = [self.session(mouse, k, "vectors")["vectors"] for k in numbers]
        return MouseVectors(mouse, self.pathway(mouse), numbers, self.registration(mouse)["table"], vectors)

    def row_clusters(self, mouse: str, of: str | None = None, clusters: Result | None = None) -> np.ndarray:
        """Cluster of each row of the registration of a mouse; -1 without."""
        found = clusters or self.clusters(of or self.pathway(mouse))
        own = found["mouse"] == mouse
        out = np.full(len(self.registration(mouse)["table"]), -1)
        out[found["row"][own]] = found["labels"][own]
        return out

    def cell_clusters(self, mouse: str, session: int, clusters: Result | None = None) -> np.ndarray:
        """Cluster of each neuron of a session, registered or candidate; -1 without."""
        found = clusters or self.clusters(self.pathway(mouse))
        table = self.registration(mouse)["table"]
        given: pd.DataFrame = found["candidates"]
        given = given[(given["mouse"] == mouse) & (given["session"] == session)]
        own = found["mouse"] == mouse
        column = self.manifest.sessions(mouse).index(session)
        n = len(self.session(mouse, session, "vectors")["vectors"])
        return local_clusters(n, table, column, found["row"][own], found["labels"][own], given)

    def for_statistics(self, mouse: str) -> OfMouse:
        """What the statistics need of a mouse."""
        wanted = ("vectors", "leading", "rates", "centroids", "metrics")
        numbers = self.manifest.sessions(mouse)
        clusters = self.clusters(self.pathway(mouse))
        sessions: dict[int, Any] = {k: self.session(mouse, k, *wanted) for k in numbers}
        candidates = {k: self.cell_clusters(mouse, k, clusters) for k in numbers}
        rows = self.row_clusters(mouse, clusters=clusters)
        return OfMouse(mouse, self.pathway(mouse), sessions, self.registration(mouse), rows, candidates)
