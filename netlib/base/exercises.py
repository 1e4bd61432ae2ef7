"""A question of the course with one number as its answer; the applications hold the questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Exercise"]


@dataclass(frozen=True)
class Exercise:
    """A question with one number as its answer.

    Attributes
    ----------
    question : str
        What is asked.
    unit : str
        Unit of the answer.
    tolerance : float
        How far an answer may be from ours, in that unit.
    find : callable
        Computes our answer.
    hint : str
        Said after a wrong answer.
    """

    question: str
    unit: str
    tolerance: float
    find: Callable[[], float]
    hint: str
