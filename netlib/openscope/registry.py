"""Every panel of the two papers: what it shows, with which parameters, what computes it and what draws it.

Panels of the analysis paper (Gillon, Pina et al. 2024, J Neurosci 44(5) e1009232023) and of the dataset paper
(Gillon, Lecoq et al. 2023, Sci Data 10:287). A panel is named by paper, figure and letter.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from netlib.openscope.parameters import PAPER_SEED, Parameters
from netlib.units import check_choice

__all__ = ["PAPERS", "Panel", "find_panels", "panel", "panels_of"]

PAPERS = ("analysis", "dataset")


@dataclass(frozen=True)
class Panel:
    """One panel of a paper.

    Parameters
    ----------
    paper : {"analysis", "dataset"}
    figure : str
        Number of the figure.
    letter : str
        Letter of the panel.
    title : str
        What it shows, in one line.
    compute : str
        ``module.function`` of this room: (sessions, parameters) -> tables in the published layout. Empty for drawings
        that no data make.
    draw : str
        ``module.function`` of the room of figures: data -> Figure.
    parameters : Parameters
        The published ones.
    low_power : int
        Permutations when not at full power; 0 for a panel without permutations.
    parallel : bool
        The function takes ``workers``, a number of processes.
    """

    paper: str
    figure: str
    letter: str
    title: str
    compute: str = ""
    draw: str = ""
    parameters: Parameters = field(default_factory=Parameters)
    low_power: int = 0
    parallel: bool = False

    @property
    def name(self) -> str:
        """Name for messages, such as ``"analysis Fig 4D"``."""
        return f"{self.paper} Fig {self.figure}{self.letter}"

    @property
    def computable(self) -> bool:
        """Whether data make this panel; others are drawn by hand in the paper."""
        return bool(self.compute)

    @property
    def reason(self) -> str:
        """Why the panel cannot be made; empty if it can."""
        return "" if self.computable else f"{self.name} is not computable: schematic ({self.title})"

    def compute_function(self) -> Callable[..., dict[str, Any]]:
        """The function that makes the data of the panel."""
        return _function("netlib.openscope", self.compute)

    def draw_function(self) -> Callable[..., Any]:
        """The function that draws the panel from its data."""
        return _function("netlib.figures", self.draw)

    def run_parameters(
        self, *, full_power: bool = False, seed: int = PAPER_SEED, n_permutations: int | None = None
    ) -> Parameters:
        """The parameters of one run: the published ones at full power and the papers' seed."""
        if n_permutations is None and not full_power and self.low_power:
            n_permutations = self.low_power
        return self.parameters.with_run(n_permutations, seed)


def _function(package: str, path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"{package}.{module}"), name)


def panels_of(paper: str) -> tuple[Panel, ...]:
    """All panels of one paper, in its order.

    Raises
    ------
    ValueError
        If the paper is unknown.
    """
    check_choice("paper", paper, PAPERS)
    if paper == "analysis":
        from netlib.openscope.registry_analysis import PANELS
    else:
        from netlib.openscope.registry_dataset import PANELS
    return PANELS


def panel(paper: str, figure: str, letter: str) -> Panel:
    """One panel by name.

    Raises
    ------
    ValueError
        If there is none of that name; the message suggests the nearest.

    Examples
    --------
    >>> panel("analysis", "4", "D").name
    'analysis Fig 4D'
    """
    return find_panels(paper, [figure], [letter])[0]


def find_panels(
    paper: str, figures: str | int | Iterable[str | int] = "all", letters: str | Iterable[str] = "all"
) -> list[Panel]:
    """Panels of some figures of a paper.

    Parameters
    ----------
    paper : {"analysis", "dataset"}
    figures : str, int or several
        Numbers of figures, or ``"all"``.
    letters : str or several
        Letters, as ``"BC"`` or ``["B", "C"]``, or ``"all"``. Of several figures, those that have them.

    Returns
    -------
    list of Panel

    Raises
    ------
    ValueError
        If a figure or a letter does not exist; the message suggests the nearest.

    Examples
    --------
    >>> [p.letter for p in find_panels("analysis", 2)]
    ['A', 'B', 'C']
    """
    known = panels_of(paper)
    numbers = list(dict.fromkeys(p.figure for p in known))
    wanted = numbers if figures == "all" else [_figure(paper, f, numbers) for f in _several(figures)]
    there = [p for p in known if p.figure in wanted]
    if letters == "all":
        return there
    asked = [str(letter).upper() for one in _several(letters) for letter in str(one).replace(",", "").split()]
    asked = [letter for word in asked for letter in word]
    for letter in asked:
        check_choice(f"panel of {paper} figure {', '.join(wanted)}", letter, {p.letter for p in there})
    return [p for p in there if p.letter in asked]


def _several(value: Any) -> Sequence[Any]:
    return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else list(value)


def _figure(paper: str, value: Any, numbers: Sequence[str]) -> str:
    text = str(value).strip().lower().removeprefix("fig").removeprefix("ure").strip(" .")
    return check_choice(f"figure of the {paper} paper", text, numbers)
