"""Exercises of the practical: what is asked, and a check that computes the right answer anew each time.

No answer is stored: :func:`check` runs the simulation or solves the equation, and compares. Where networks are drawn at
random our answer is the mean of three, and one of any other seed is right within the spread over networks.
"""

from __future__ import annotations

import functools

import numpy as np

from netlib.base.checks import check_choice, check_number
from netlib.registry import offered

__all__ = ["EXERCISES", "ask", "check"]

#: The exercises of all applications by name, in the order of the notebooks.
EXERCISES = offered("exercises")


def ask(name: str) -> None:
    """Print what an exercise asks.

    Raises
    ------
    ValueError
        If there is no such exercise; the nearest name is suggested.

    Examples
    --------
    >>> ask("cloud_width")
    cloud_width: A MotionCloud has B_theta = 15 deg. How wide is its profile of orientations (HWHH)? [deg]
    """
    exercise = EXERCISES[check_choice("exercise", name, EXERCISES)]
    print(f"{name}: {exercise.question} [{exercise.unit}]")


def check(name: str, answer: float | None) -> bool:
    """Compare an answer with one computed now, say what comes of it, and return whether it is right.

    Parameters
    ----------
    name : str
        Name of the exercise, of ``EXERCISES``.
    answer : float or None
        The answer, in the unit of the question; None for none yet.

    Raises
    ------
    TypeError, ValueError
        If the answer is not a finite number, or there is no such exercise.

    Examples
    --------
    >>> check("cloud_width", 30)
    cloud_width: 30 deg is too much. hwhh_from_B_theta of netlib.base.orientation converts.
    False
    >>> check("cloud_width", 17.7)
    cloud_width: right! 17.7 deg; we find 18 deg.
    True
    """
    exercise = EXERCISES[check_choice("exercise", name, EXERCISES)]
    if answer is None:
        print(f"{name}: no answer yet.")
        return False
    value, truth = check_number("answer", _plain(answer), exercise.unit), _find(name)
    unit = exercise.unit.rjust(len(exercise.unit) + 1) if exercise.unit else ""
    right = abs(value - truth) <= exercise.tolerance
    if right:
        print(f"{name}: right! {value:.3g}{unit}; we find {truth:.3g}{unit}.")
    else:
        print(f"{name}: {value:.3g}{unit} is too {'much' if value > truth else 'little'}. {exercise.hint}")
    return right


def _plain(answer: object) -> object:
    """A Python number from a NumPy one, or from an array that holds one."""
    return answer.item() if isinstance(answer, np.generic | np.ndarray) and answer.size == 1 else answer


@functools.cache
def _find(name: str) -> float:
    """Our answer to an exercise, computed once."""
    return float(EXERCISES[name].find())
