"""Everything that the explorer's page sets, in one frozen object: its stimulus, its network, the same as Python."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netlib.base.checks import check_orientation, check_type, on_grid
from netlib.base.fields import Declared, choice, integer, number
from netlib.networks import SHAPES, Delay, RingParameters, VogelsSprekeler, preset, set_values, with_ratio
from netlib.networks.kernels import DistanceDecay, VonMises
from netlib.stimuli import Grating, MotionCloud, NaturalMovie
from netlib.stimuli.natural import NATURAL_GAIN
from netlib.stimuli.stimulus import LARGEST_SEED, Stimulus

__all__ = ["LIMITS", "NETWORKS", "PLASTICITY", "STIMULI", "ExplorerState", "Limit", "to_python"]

STIMULI = ("MotionCloud", "Grating", "NaturalMovie")
#: Presets that answer within seconds.
NETWORKS = ("v1", "v1_two_rings", "internship2019", "internship2019_final", "bump")
#: What may change weights while the network runs.
PLASTICITY = ("off", "STDP, E to E", "inhibitory, I to E")
#: Peak rate of the front end of ``v1`` over the peak of its own tuned input: MotionClouds are weaker than gratings.
_FRONT_END = 60.0 / 28.0
#: Narrowest channels of a front end (deg) that its 16 orientations hold without gaps.
_NARROWEST = 10.0


class Limit(NamedTuple):
    """Range of a number: what is legal, and the step and the label of its slider."""

    low: float
    high: float
    step: float
    unit: str
    label: str


def _slider(
    default: float | None, low: float, high: float, step: float, label: str, unit: str = "", *, also: tuple = ()
) -> Any:
    """A field that holds a number in a range, and what its slider needs."""
    rule = number(default, unit, low, high, also=also).metadata["rule"]
    return field(default=default, metadata={"rule": rule, "limit": Limit(low, high, step, unit, label)})


def _factor(low: float, high: float, step: float, label: str, what: str) -> Any:
    return _slider(1.0, low, high, step, f"{label} ×", f"times the preset's {what}")


@dataclass(frozen=True)
class ExplorerState(Declared):
    """What the explorer shows to which network.

    Attributes
    ----------
    stimulus : {"MotionCloud", "Grating", "NaturalMovie"}
        Kind of stimulus.
    orientation, B_theta : float
        Orientation of the first presentation and bandwidth (deg); only a MotionCloud has a bandwidth, and a
        NaturalMovie neither.
    contrast : float
        In [0, 1].
    network : str
        A preset, one of ``NETWORKS``.
    input, E_to_E, E_to_I, I_to_E, I_to_I : float
        Factors on the weights of the input, and of the recurrent connections (in both rings where there are two).
    width_E, width_I : float
        Factors on the widths over the ring of recurrent excitation and inhibition; flat connections stay flat.
    ratio : float, optional
        Excitatory cells per inhibitory cell, at equal inhibition (:func:`netlib.networks.with_ratio`); None is the
        preset's own.
    delay : float, optional
        Delay of all recurrent connections (ms); None is the preset's own.
    plasticity : {"off", "STDP, E to E", "inhibitory, I to E"}
        Rule by which weights change during the run, up to twice the start (STDP) or four times (inhibitory).
    seed : int
        Master seed.

    Raises
    ------
    ValueError, TypeError
        If a value is out of range, or the network cannot have it.

    Examples
    --------
    >>> ExplorerState(E_to_E=2.0).parameters().E_to_E.weight
    0.00094
    >>> ExplorerState(contrast=2.0)
    Traceback (most recent call last):
    ...
    ValueError: contrast = 2.0 is out of range: it must be in [0, 1]
    """

    stimulus: str = choice("MotionCloud", STIMULI)
    orientation: float = _slider(90.0, 0.0, 180.0, 1.0, "orientation (deg)", "deg")
    B_theta: float = _slider(15.0, 0.0, 60.0, 1.0, "bandwidth B_theta (deg)", "deg")
    contrast: float = _slider(1.0, 0.0, 1.0, 0.05, "contrast")
    network: str = choice("v1", NETWORKS)
    input: float = _factor(0.0, 5.0, 0.05, "input weight", "weight")
    E_to_E: float = _factor(0.0, 20.0, 0.1, "E to E weight", "weight")
    E_to_I: float = _factor(0.0, 20.0, 0.1, "E to I weight", "weight")
    I_to_E: float = _factor(0.0, 20.0, 0.1, "I to E weight", "weight")
    I_to_I: float = _factor(0.0, 20.0, 0.1, "I to I weight", "weight")
    width_E: float = _factor(0.1, 10.0, 0.1, "width of excitation", "width")
    width_I: float = _factor(0.1, 10.0, 0.1, "width of inhibition", "width")
    ratio: float | None = _slider(None, 1.0, 16.0, 0.5, "E cells per I cell", "E cells per I cell", also=(None,))
    delay: float | None = _slider(None, 0.2, 20.0, 0.2, "recurrent delay (ms)", "ms", also=(None,))
    plasticity: str = choice("off", PLASTICITY)
    seed: int = integer(1, 0, LARGEST_SEED)

    def check(self) -> None:
        """Store plain numbers; what the network refuses is refused here."""
        for name in LIMITS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "orientation", check_orientation("orientation", self.orientation))
        object.__setattr__(self, "seed", int(self.seed))
        if self.delay is not None:
            object.__setattr__(self, "delay", round(on_grid("delay", self.delay, preset(self.network).timestep), 6))
        self.parameters()

    def shown(self) -> Stimulus:
        """The stimulus."""
        if self.stimulus == "Grating":
            return Grating(theta=self.orientation, contrast=self.contrast, temporal_frequency=8.0)
        if self.stimulus == "NaturalMovie":
            return NaturalMovie(saccade_rate=4.0, contrast=self.contrast, seed=self.seed)
        return MotionCloud(theta=self.orientation, B_theta=self.B_theta, contrast=self.contrast, seed=self.seed)

    def changes(self) -> dict[str, Any]:
        """What differs from the preset, by dotted name: what :func:`netlib.networks.set_values` takes."""
        base = preset(self.network)
        found = _front_end(base, self.stimulus)
        for name, connection in base.projections().items():
            pre, post = name.split("_to_")
            if pre == "input":
                found |= _scaled(name, connection.weight, self.input)
            elif pre.endswith("2") == post.endswith("2"):  # within one ring
                kind = name.replace("2", "")
                found |= _scaled(name, connection.weight, getattr(self, kind))
                found |= _widened(name, connection.kernel, self.width_E if pre.startswith("E") else self.width_I)
                if self.delay is not None:
                    found[f"{name}.delay"] = Delay(self.delay)
                found |= self._rule(name, connection)
        return found

    def parameters(self) -> RingParameters:
        """The network."""
        changed = set_values(preset(self.network), self.changes())
        return changed if self.ratio is None else with_ratio(changed, self.ratio)

    def _rule(self, name: str, connection: Any) -> dict[str, Any]:
        """The rule of plasticity of a connection, if it has one now."""
        stdp, inhibitory = self.plasticity == PLASTICITY[1], self.plasticity == PLASTICITY[2]
        kind = name.replace("2", "")
        if not (stdp and kind == "E_to_E") and not (inhibitory and kind == "I_to_E"):
            return {}
        if connection.kernel.weight_is_total:
            raise ValueError(
                f"plasticity = {self.plasticity!r} needs synapses of equal weight: network = {self.network!r} has "
                f"dense von Mises weights in {name}; take 'v1', 'v1_two_rings' or 'internship2019_final'"
            )
        weight = connection.weight * getattr(self, kind)
        if weight == 0:
            raise ValueError(f"plasticity = {self.plasticity!r} needs weights to change: {kind} = 0 has none")
        if stdp:
            rule = dataclasses.replace(SHAPES["causal"], w_max=2 * weight)
        else:
            rule = VogelsSprekeler(eta=0.02 * weight, rho0=5.0, w_max=4 * weight)
        return {f"{name}.plasticity": rule}


#: Range and slider of each number of the state.
LIMITS = {one.name: one.metadata["limit"] for one in dataclasses.fields(ExplorerState) if "limit" in one.metadata}


def _scaled(name: str, weight: float, factor: float) -> dict[str, float]:
    return {} if factor == 1 else {f"{name}.weight": float(f"{weight * factor:.6g}")}


def _widened(name: str, kernel: Any, factor: float) -> dict[str, float]:
    """The bandwidth times a factor; a flat kernel has none."""
    if factor == 1:
        return {}
    if isinstance(kernel, VonMises) and np.isfinite(kernel.B_theta):
        return {f"{name}.kernel.B_theta": float(f"{kernel.B_theta * factor:.6g}")}
    if isinstance(kernel, DistanceDecay):
        return {f"{name}.kernel.decay": float(f"{kernel.decay / factor:.6g}")}
    return {}


def _front_end(base: RingParameters, stimulus: str) -> dict[str, float]:
    """Rates of the LGN: those of the preset, or for a preset without a front end of its own those of its input."""
    peak, tuning = base.lgn.peak_rate, base.input_tuning
    found = {}
    if not base.name.startswith("v1"):
        peak = _FRONT_END * tuning.peak * (1 - tuning.pedestal)
        found = {
            "lgn.B_theta": max(tuning.B_theta, _NARROWEST),
            "lgn.spontaneous": float(f"{tuning.peak * tuning.pedestal:.4g}"),
            "lgn.peak_rate": float(f"{peak:.4g}"),
        }
    if stimulus == "NaturalMovie":
        found["lgn.peak_rate"] = float(f"{min(NATURAL_GAIN * peak, 1000.0):.4g}")
    return found


# ---------------------------------------------------------------- as Python

_TEMPLATE = '''\
"""A state of the explorer of netlib: `recording` holds the spikes, `tuning` the fitted tuning curves."""

from netlib.explore import tuning_protocol, turned_rates
from netlib.networks import {networks}
from netlib.recordings import record_ring
from netlib.stimuli import {stimulus_class}
from netlib.tuning import tuning_table

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
        text.replace("from netlib.tuning import tuning_table\n", "").replace(", `tuning` the fitted tuning curves", "")
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
