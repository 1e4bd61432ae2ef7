"""Run a network whose weights change: in short stretches, with every weight updated after each from its spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from netlib.base.checks import check_array, check_choice, check_number, on_grid
from netlib.networks.drive import SpikeDrive
from netlib.networks.parameters import RingParameters
from netlib.networks.plasticity import Synapses
from netlib.networks.weights import Weights

__all__ = ["Learning"]


class Learning:
    """Weights of a network in the course of a run.

    The simulator runs for at most ``update`` ms at a time with constant weights. Then every plastic synapse is
    advanced through all its spike pairs in exact order of time, and its new weight is set in the simulator: only what
    the weights do to the spikes comes late, by ``update`` ms at most.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    duration : float
        Length of the run (ms).
    plastic : bool or array_like, shape (n_windows, 2)
        Whether weights change; or windows (ms): spikes that reach a synapse in (start, stop] change it.
    update : float
        Longest time between updates of the weights (ms).
    snapshots : array_like, optional
        Times (ms) at which weights are kept, besides the start and the end.
    weights : mapping, optional
        Weights to start from, by projection: an array (n_synapses,) in order of pre, then post, or a
        :class:`~netlib.networks.weights.Weights`, whose last are taken.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> learning = Learning(preset("v1"), 400.0, plastic=[(100.0, 200.0)], snapshots=[150.0])
    >>> learning.times.tolist(), learning.ends().tolist()
    ([0.0, 150.0, 400.0], [100.0, 150.0, 200.0, 400.0])
    """

    def __init__(
        self,
        parameters: RingParameters,
        duration: float,
        plastic: bool | ArrayLike = True,
        update: float = 50.0,
        snapshots: ArrayLike | None = None,
        weights: Mapping[str, Weights | ArrayLike] | None = None,
    ) -> None:
        step = parameters.timestep
        self.parameters, self.duration = parameters, duration
        self.rules = {n: c.plasticity for n, c in parameters.projections().items() if c.plasticity is not None}
        self.windows = _windows(plastic, duration)
        check_number("update", update, "ms", step)
        self.update = on_grid("update", update, step)
        given = np.empty(0) if snapshots is None else check_array("snapshots", snapshots, "ms", 0, duration, ndim=1)
        self.times = np.unique(np.round([0.0, *given, duration], 6))
        for name, times in (("snapshots", self.times[1:-1]), ("plastic", self.windows.ravel())):
            for time in times[times < duration]:
                on_grid(name, float(time), step)
        self.start = dict(weights or {})
        for name in self.start:
            check_choice("weights", name, parameters.projections())

    def ends(self) -> np.ndarray:
        """Times (ms) at which the simulator stops: every ``update`` where weights change, seldom elsewhere."""
        grid = np.arange(self.update, self.duration, self.update)
        learning = np.array([self._learns(time - self.update) for time in grid.tolist()], dtype=np.bool_)
        seldom = np.arange(len(grid)) % 20 == 19
        grid = grid[learning | seldom]
        ends = np.unique(np.round(np.concatenate([grid, self.windows.ravel(), self.times]), 6))
        return ends[(ends > 0) & (ends <= self.duration)]

    def run(
        self,
        ring: Any,
        drive: SpikeDrive,
        progress: bool | None = False,
    ) -> dict[str, Weights]:
        """Run a network (of PyNN or compiled) and return the weights of projections that are plastic or were given."""
        access = {name: ring.weights(name) for name in {**self.rules, **self.start}}
        for name in self.start:
            access[name].set(_start_weights(name, self.start[name], access[name]))
        synapses, delays = {}, {name: a.delays() for name, a in access.items()}
        for name, rule in self.rules.items():
            a, (pre, post) = access[name], (ring.size(p) for p in name.split("_to_"))
            try:
                synapses[name] = Synapses(rule, a.pre, a.post, delays[name], a.get(), pre, post)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        longest = max((d.max() for d in delays.values() if len(d)), default=0.0)
        kept = {name: [a.get()] for name, a in access.items()}
        now = 0.0
        hidden = None if progress is None else not progress
        bar = tqdm(total=self.duration, unit=" ms", desc="simulating", disable=hidden)
        for end in self.ends():
            ring.run_to(now, end)
            if not now:
                access = {name: a.refreshed() for name, a in access.items()}
            learn = self._learns(now)
            self._advance(ring, drive, synapses, now - longest, end, learn)
            for name in synapses if learn else ():
                access[name].set(synapses[name].weight)
            if np.abs(self.times - end).min() < 1e-6:
                for name, values in kept.items():
                    values.append(synapses[name].weight if name in synapses else values[-1])
            bar.update(float(end) - now)
            now = float(end)
        bar.close()
        bounds = {name: rule.w_max for name, rule in self.rules.items()}
        return {
            name: Weights(a.pre, a.post, delays[name], self.times, np.array(kept[name]), bounds.get(name, np.inf))
            for name, a in access.items()
        }

    def _learns(self, time: float) -> bool:
        """Whether weights change just after ``time`` (ms)."""
        return bool(((self.windows[:, 0] <= time + 1e-6) & (time + 1e-6 < self.windows[:, 1])).any())

    def _advance(
        self,
        ring: Any,
        drive: SpikeDrive,
        synapses: dict[str, Synapses],
        since: float,
        end: float,
        learn: bool,
    ) -> None:
        spikes = {}
        for population in {p for name in synapses for p in name.split("_to_")}:
            if population == "input":
                low, high = np.searchsorted(drive.time, [since - 1e-6, end + 1e-6])
                spikes[population] = drive.index[low:high], drive.time[low:high]
            else:
                spikes[population] = ring.spikes(population, end + 1e-6, since)
        for name, group in synapses.items():
            source, target = name.split("_to_")
            group.advance(spikes[source], spikes[target], end, learn)


def _windows(plastic: bool | ArrayLike, duration: float) -> np.ndarray:
    if isinstance(plastic, (bool, np.bool_)):
        return np.array([[0.0, duration]]) if plastic else np.empty((0, 2))
    windows = check_array("plastic", plastic, "ms", 0, ndim=2)
    if windows.shape[1] != 2 or (windows[:, 1] <= windows[:, 0]).any():
        raise ValueError(f"plastic = {windows.tolist()} ms: it must be True, False or rows (start, stop), start < stop")
    return np.minimum(windows, duration)


def _start_weights(name: str, given: Weights | ArrayLike, access: Any) -> np.ndarray:
    if isinstance(given, Weights):
        if not (np.array_equal(given.pre, access.pre) and np.array_equal(given.post, access.post)):
            raise ValueError(f"weights[{name!r}] belong to other synapses: take them from a run with the same seed")
        given = given.last
    values = check_array(f"weights[{name!r}]", given, "uS or nA", 0, ndim=1)
    if len(values) != len(access.pre):
        raise ValueError(f"weights[{name!r}] has {len(values)} values: it must have one per synapse, {len(access.pre)}")
    return values
