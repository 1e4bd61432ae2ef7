"""The Python that makes what the explorer shows."""

from __future__ import annotations

from typing import Any

from netlib.explore.state import ExplorerState
from netlib.stimuli.base import Stimulus
from netlib.units import check_type

__all__ = ["to_python"]

_TEMPLATE = '''\
"""A state of the explorer of netlib: `recording` holds the spikes, `tuning` the fitted tuning curves."""

from netlib.analysis import tuning_table
from netlib.explore import tuning_protocol, turned_rates
from netlib.networks import {networks}
from netlib.recordings import record_ring
from netlib.stimuli import {stimulus_class}

{lines}parameters = {parameters}
stimulus = {stimulus}
protocol = tuning_protocol(stimulus)  # a table of what is shown when
rates = turned_rates(parameters.lgn, protocol)  # from the movie, through retina and LGN
recording = record_ring(parameters, protocol, seed={seed}, rates=rates, backend="auto")
'''
_TUNING = 'tuning = tuning_table(recording, "{output}")\nprint(tuning[tuning["success"]]["hwhh"].describe())\n'
_RATES = 'print(recording.population("E").rates().mean(), "Hz")\n'


def to_python(state: ExplorerState) -> str:
    """Source code that makes the recording of a state, spike for spike.

    Parameters
    ----------
    state : ExplorerState
        What the explorer shows.

    Examples
    --------
    >>> print(to_python(ExplorerState(E_to_E=2.0)).splitlines()[8])
    parameters = set_values(preset("v1"), {"E_to_E.weight": 0.00094})
    """
    check_type("state", state, ExplorerState)
    changes = state.changes()
    names = {"preset"} | {type(value).__name__ for value in changes.values()} - {"float", "int"}
    parameters, lines = f'preset("{state.network}")', ""
    if changes:
        names.add("set_values")
        body = f"{{{', '.join(_entries(changes))}}}"
        if len(body) > 60:
            lines = "".join(f"    {entry},\n" for entry in _entries(changes))
            lines, body = f"changes = {{\n{lines}}}\n", "changes"
        parameters = f"set_values({parameters}, {body})"
    if state.ratio is not None:
        names.add("with_ratio")
        parameters = f"with_ratio({parameters}, {state.ratio:g})"
    stimulus = state.shown()
    oriented = state.stimulus != "NaturalMovie"
    text = _TEMPLATE.format(
        networks=", ".join(sorted(names, key=lambda name: (name.islower(), name))),
        stimulus_class=type(stimulus).__name__,
        lines=lines,
        parameters=parameters,
        stimulus=_call(stimulus),
        seed=state.seed,
    )
    if oriented:
        return text + _TUNING.replace("{output}", "E2" if state.network == "v1_two_rings" else "E")
    return (
        text.replace("from netlib.analysis import tuning_table\n", "").replace(
            ", `tuning` the fitted tuning curves", ""
        )
        + _RATES
    )


def _entries(changes: dict[str, Any]) -> list[str]:
    return [f'"{name}": {value!r}' for name, value in changes.items()]


def _call(stimulus: Stimulus) -> str:
    """The call that makes a stimulus, with the arguments that are not its defaults."""
    own = stimulus.parameters()
    usual = type(stimulus)().parameters()
    kept = {name: value for name, value in own.items() if value != usual[name] or name in ("theta", "contrast")}
    return f"{type(stimulus).__name__}({', '.join(f'{name}={value!r}' for name, value in kept.items())})"
