"""Checks of what a user passes: each returns the value, or raises an error that names it, its unit and what is legal.

They stand at the edge, in public constructors, functions and readers; what lies behind them is trusted.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = [
    "check_array",
    "check_choice",
    "check_integer",
    "check_number",
    "check_orientation",
    "check_type",
    "legal_range",
    "on_grid",
]


def check_number(
    name: str,
    value: Any,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    low_open: bool = False,
    high_open: bool = False,
    finite: bool = True,
) -> float:
    """Return ``value`` as a float, or raise an error that names it.

    Parameters
    ----------
    name : str
        What the user calls the parameter.
    value : number
        The value to check.
    unit : str
        Its unit, for the message.
    low, high : float, optional
        Legal range; the ends belong to it unless ``low_open`` or ``high_open``.
    finite : bool
        Refuse infinities (NaN is always refused).

    Raises
    ------
    TypeError
        If ``value`` is not a real number.
    ValueError
        If it is NaN, infinite (with ``finite``) or out of range.

    Examples
    --------
    >>> check_number("delay", 1, "ms", 0.1, 10)
    1.0
    >>> check_number("rate", -3, "Hz", 0)
    Traceback (most recent call last):
    ...
    ValueError: rate = -3 Hz is out of range: it must be in [0, inf) Hz
    """
    legal = legal_range(low, high, unit, low_open, high_open)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} = {value!r} is not a number: it must be in {legal}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is beyond the largest floating-point number: it must be in {legal}") from None
    bad = math.isnan(number) or (finite and math.isinf(number))
    if low is not None:
        bad = bad or number < low or (low_open and number == low)
    if high is not None:
        bad = bad or number > high or (high_open and number == high)
    if bad:
        shown = f"{value!r} {unit}".rstrip()
        raise ValueError(f"{name} = {shown} is out of range: it must be in {legal}")
    return number


def check_integer(name: str, value: Any, low: int | None = None, high: int | None = None, unit: str = "") -> int:
    """Return ``value`` as an int, or raise an error that names it.

    Raises
    ------
    TypeError
        If ``value`` is not a whole number.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> check_integer("n_excitatory", 0, 1, unit="cells")
    Traceback (most recent call last):
    ...
    ValueError: n_excitatory = 0 cells is out of range: it must be in [1, inf) cells
    """
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if isinstance(value, bool) or not whole:
        raise TypeError(f"{name} = {value!r} is not a whole number: it must be in {legal_range(low, high, unit)}")
    check_number(name, int(value), unit, low, high)
    return int(value)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``, or raise an error that suggests the nearest name.

    Raises
    ------
    ValueError
        If ``value`` is none of the choices.

    Examples
    --------
    >>> check_choice("preset", "v2", ["v1", "internship2019"])
    Traceback (most recent call last):
    ...
    ValueError: preset = 'v2' is unknown: it must be one of 'internship2019', 'v1'; did you mean 'v1'?
    """
    known = sorted(choices)
    if not isinstance(value, np.ndarray) and value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} = {value!r} is unknown: it must be one of {', '.join(map(repr, known))}{hint}")


def check_type(name: str, value: Any, kinds: type | tuple[type, ...]) -> Any:
    """Return ``value`` if it is an instance of ``kinds``, or raise a TypeError that names it.

    Examples
    --------
    >>> check_type("seed", 3, (int, str))
    3
    >>> check_type("path", 3, str)
    Traceback (most recent call last):
    ...
    TypeError: path = 3 has the wrong type: it must be a str, not int
    """
    if isinstance(value, kinds):
        return value
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    wanted = " or ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{name} = {value!r} has the wrong type: it must be a {wanted}, not {type(value).__name__}")


def check_array(
    name: str,
    value: Any,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    ndim: int | None = None,
    dtype: Any = float,
) -> np.ndarray:
    """Return ``value`` as a non-empty array of finite numbers in range, or raise an error that names it.

    Raises
    ------
    TypeError
        If it holds what is no real number: text, complex numbers, objects.
    ValueError
        If it is empty, has the wrong number of dimensions, holds masked values, NaN or infinities, leaves the range, or
        with a ``dtype`` of whole numbers is not whole.

    Examples
    --------
    >>> check_array("rates", [5, -1], "Hz", 0)
    Traceback (most recent call last):
    ...
    ValueError: rates[1] = -1 Hz is out of range: it must be in [0, inf) Hz
    """
    array = _real_numbers(name, value, dtype)
    if array.size == 0:
        raise ValueError(f"{name} is empty (shape {array.shape}): it must hold at least one value")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} has {array.ndim} dimensions (shape {array.shape}): it must have {ndim}")
    bad = ~np.isfinite(array)
    if low is not None:
        bad |= array < low
    if high is not None:
        bad |= array > high
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        at = ", ".join(map(str, where))
        number = f"{array[where]:g} {unit}".rstrip()
        raise ValueError(f"{name}[{at}] = {number} is out of range: it must be in {legal_range(low, high, unit)}")
    return array


def check_orientation(name: str, value: Any) -> float:
    """Return an orientation in degrees wrapped to [0, 180), refusing radians given by mistake.

    Any finite angle in [-360, 360] degrees is taken and wrapped. A number that is a simple fraction of
    pi to machine precision (``np.pi / 4``, ``np.deg2rad(30)``) is refused: it is an angle in radians.

    Raises
    ------
    TypeError
        If ``value`` is not a number.
    ValueError
        If it is out of range or looks like radians.

    Examples
    --------
    >>> check_orientation("theta", -45)
    135.0
    >>> check_orientation("theta", 3.141592653589793 / 4)
    Traceback (most recent call last):
    ...
    ValueError: theta = 0.7853981633974483 deg looks like radians (45 deg): orientations are in degrees, in [0, 180) deg
    """
    number = check_number(name, value, "deg", -360, 360)
    if _looks_like_radians(number):
        raise ValueError(
            f"{name} = {number!r} deg looks like radians ({math.degrees(number):g} deg): "
            "orientations are in degrees, in [0, 180) deg"
        )
    return number % 180.0


def on_grid(name: str, value: float, step: float, unit: str = "ms") -> float:
    """Return ``value`` if it is a whole number of steps, or raise an error that names the nearest one.

    Examples
    --------
    >>> on_grid("delay", 1.234, 0.1)
    Traceback (most recent call last):
    ...
    ValueError: delay = 1.234 ms is not a whole number of time steps of 0.1 ms: the nearest is 1.2 ms
    """
    steps = round(value / step)
    if abs(value - steps * step) > 1e-6 * step:
        raise ValueError(
            f"{name} = {value:g} {unit} is not a whole number of time steps of {step:g} {unit}: "
            f"the nearest is {steps * step:g} {unit}"
        )
    return steps * step


def legal_range(
    low: float | None, high: float | None, unit: str, low_open: bool = False, high_open: bool = False
) -> str:
    """The legal range as text, such as ``(0, 10] ms``."""
    left = "(-inf" if low is None else f"{'(' if low_open else '['}{low:g}"
    right = "inf)" if high is None else f"{high:g}{')' if high_open else ']'}"
    return f"{left}, {right} {unit}".rstrip()


def _real_numbers(name: str, value: Any, dtype: Any) -> np.ndarray:
    """An array of a type, where nothing is lost or guessed on the way."""
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.getmaskarray(value).any():
            raise ValueError(f"{name} has masked values: fill them, or leave them out")
        value = value.data
    try:
        given = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} has rows of different lengths: it must be an array") from None
    items = given.ravel()[:1000].tolist() if given.dtype.kind == "O" else []
    foreign = next((item for item in items if item is None or isinstance(item, (str, bytes, complex))), items)
    if given.dtype.kind in "cSUmMV" or foreign is not items:
        shown = repr(given.ravel()[0].item() if foreign is items else foreign)
        raise TypeError(f"{name} holds {shown}: it must hold real numbers")
    try:
        array = given.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} holds what is no number: it must hold real numbers ({error})") from None
    if array.dtype.kind in "iu" and given.dtype.kind == "f" and (bad := array != given).any():
        raise ValueError(f"{name} holds {given[bad].flat[0]:g}: it must hold whole numbers")
    return array


def _looks_like_radians(value: float) -> bool:
    """Tell whether a number is, to machine precision, a simple fraction of pi, as no hand-typed degree is."""
    turns = value / math.pi
    if value == 0 or abs(turns) > 2:
        return False
    return abs(turns - float(Fraction(turns).limit_denominator(360))) < 1e-13
