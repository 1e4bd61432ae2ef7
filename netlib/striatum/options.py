"""Parameters from the options of the published command line, with its defaults or the article's values."""

from __future__ import annotations

import dataclasses
from typing import Any

from netlib.base.checks import check_choice, check_integer, check_number
from netlib.striatum.model import Parameters, Phase

__all__ = ["ARTICLE", "PUBLISHED", "article", "default_n_patterns", "from_options"]

#: Options of the published command line and their defaults there.
PUBLISHED = {
    "P": 10,
    "stim_by_pattern": 3,
    "Apostpre": -1.0,
    "Aprepost": -1.0,
    "homeostasy": 0.95,
    "epsilon": 0.2,
    "noise_pattern": 0.0,
    "noise_input": 0.01,
    "stop_learning": "None",
    "num_success_params": 0,
    "p_reward": 0.5,
    "stim_duration": 50.0,
    "stim_offset": 20.0,
    "homeostasy_post": 0.0,
    "stim_recall": 0.0,
    "dt": 0.2,
    "num_training_initial": 200,
    "num_training_learning": 200,
    "num_training_maintenance": 200,
    "num_training_recall": 200,
    "new_set": 0,
}
#: Where the article's values differ from these defaults.
ARTICLE = {
    "epsilon": 0.02,
    "noise_pattern": 0.2,
    "noise_input": 0.005,
    "stim_duration": 100.0,
    "stim_offset": 50.0,
    "num_training_initial": 500,
    "num_training_learning": 500,
    "num_training_maintenance": 500,
    "num_training_recall": 500,
}


def default_n_patterns(P: int) -> tuple[int, ...]:
    """Numbers of patterns that the published program runs for ``P`` cortical neurons.

    Examples
    --------
    >>> default_n_patterns(10), default_n_patterns(20), default_n_patterns(8)
    ((10, 15), (30,), (4, 8, 12))
    """
    check_integer("P", P, 2, 10_000, "neurons")
    return {10: (10, 15), 20: (30,)}.get(P) or tuple(range(P // 2, 2 * P, P // 2))


def from_options(
    n_pattern: int = 10,
    noise_ratio: float = 4.0,
    legacy: bool = False,
    constants: dict[str, Any] | None = None,
    **options,
) -> Parameters:
    """Parameters from options of the published command line; those left out have its defaults.

    Parameters
    ----------
    n_pattern : int
        Patterns to learn.
    noise_ratio : float
        Factor of the noise in the initial and maintenance phases.
    legacy : bool
        See :class:`Parameters`.
    constants : dict, optional
        Other fields of :class:`Parameters`.
    **options
        See ``PUBLISHED``.

    Examples
    --------
    >>> from_options(epsilon=0.1).phases[1]
    Phase(name='learning', trials=200, noise=1.0, reward=0.95, presentation=1.0, pattern_set=0)
    """
    for name in options:
        check_choice("option", name, PUBLISHED)
    value = PUBLISHED | options
    for name in ("homeostasy", "homeostasy_post"):
        check_number(name, value[name])
    check_number("stim_recall", value["stim_recall"], "", 0, 1)
    check_number("noise_ratio", noise_ratio, "", 0)
    check_integer("new_set", value["new_set"], 0, 1)
    for name in ("initial", "learning", "maintenance", "recall"):
        check_integer(f"num_training_{name}", value[f"num_training_{name}"], 0, unit="trials")
    off = {"noise": noise_ratio, "reward": value["homeostasy_post"], "presentation": value["stim_recall"]}
    on = {"reward": value["homeostasy"]}
    phases = (
        Phase("initial", value["num_training_initial"], **off),
        Phase("learning", value["num_training_learning"], **on),
        Phase("maintenance", value["num_training_maintenance"], **off),
        Phase("recall", value["num_training_recall"], **on, pattern_set=value["new_set"]),
    )
    fields = {field.name for field in dataclasses.fields(Parameters)}
    taken = {name: v for name, v in value.items() if name in fields}
    if taken["stop_learning"] is None:
        taken["stop_learning"] = "None"
    return Parameters(n_pattern=n_pattern, phases=phases, legacy=legacy, **(taken | (constants or {})))


def article(**options) -> Parameters:
    """Parameters of the article; options as for :func:`from_options`.

    Examples
    --------
    >>> dls = article(Apostpre=1.0)
    >>> article() == Parameters(), dls.Apostpre, len(dls.test_trials())
    (True, 1.0, 77)
    """
    return from_options(**(ARTICLE | options))
