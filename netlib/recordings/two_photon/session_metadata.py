"""Who was recorded, where and when: the facts of a session that are not arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["LAYERS", "PLANES", "SessionMetadata", "group_name"]

#: Names of the lines in the mouse table and the layer that each labels.
LAYERS = {"L23-Cux2": "L2/3", "L5-Rbp4": "L5"}
#: Names of the planes in the mouse table and their letter in the papers.
PLANES = {"dend": "D", "soma": "S"}


def group_name(line: str | None, plane: str | None) -> str | None:
    """Name of a group of sessions in the papers, or None where line or plane is unknown.

    Examples
    --------
    >>> group_name("L23-Cux2", "dend")
    'L2/3-D'
    """
    return f"{LAYERS[line]}-{PLANES[plane]}" if line in LAYERS and plane in PLANES else None


@dataclass(frozen=True)
class SessionMetadata:
    """Facts of one session; None where unknown. The names are the columns of the published mouse table.

    Attributes
    ----------
    sessid, mouseid : int or str
        Identifiers of the session and of the mouse.
    mouse_n, sess_n : int
        Number of the mouse, and of the session within the mouse.
    line, plane : str
        "L23-Cux2" or "L5-Rbp4"; "dend" or "soma".
    depth : float
        Depth of the plane (µm).
    sex : str
        "M", "F" or "U".
    DOB, date : str
        Day of birth and of the recording, yyyymmdd.
    age_weeks : float
        Age at the recording (weeks).
    start_time : str
        Start of the recording, ISO 8601 with time zone.
    description : str
        What the file or the simulation says of itself.
    runtype, stim_seed, pass_fail, all_files, any_files, incl, notes
        As in the mouse table.
    """

    sessid: int | str | None = None
    mouseid: int | str | None = None
    mouse_n: int | None = None
    sess_n: int | None = None
    line: str | None = None
    plane: str | None = None
    depth: float | None = None
    sex: str | None = None
    DOB: str | None = None
    date: str | None = None
    age_weeks: float | None = None
    start_time: str | None = None
    runtype: str | None = None
    stim_seed: int | None = None
    pass_fail: str | None = None
    all_files: bool | None = None
    any_files: bool | None = None
    incl: str | None = None
    notes: str | None = None
    description: str | None = None

    @property
    def group(self) -> str | None:
        """Group of the papers, such as ``"L2/3-D"``."""
        return group_name(self.line, self.plane)

    @classmethod
    def of(cls, facts: SessionMetadata | Mapping[str, Any] | None) -> SessionMetadata:
        """Metadata from a mapping of its attributes, refusing any other name.

        Raises
        ------
        ValueError
            If a name is not an attribute.
        """
        if isinstance(facts, cls):
            return facts
        facts = dict(facts or {})
        unknown = sorted(facts.keys() - set(cls.names()))
        if unknown:
            raise ValueError(f"metadata holds the unknown names {unknown}: it may hold {', '.join(cls.names())}")
        return cls(**facts)

    @classmethod
    def names(cls) -> list[str]:
        """Names of all attributes."""
        return [f.name for f in dataclasses.fields(cls)]

    def known(self) -> dict[str, Any]:
        """The facts that are known."""
        return {name: value for name in self.names() if (value := getattr(self, name)) is not None}

    def completed(self, other: Mapping[str, Any]) -> SessionMetadata:
        """These facts, and those of ``other`` where these say nothing."""
        names = set(self.names())
        return SessionMetadata(**{**{k: v for k, v in other.items() if k in names}, **self.known()})
