"""The compiled engine: a ring network advanced step by step by machine code that Numba makes once per computer.

It runs the same network as PyNN on NEST (the same synapses, weights, delays, initial potentials, input spikes and time
grid) without a Python or NEST object per cell and synapse: for sweeps over many small networks. A time step follows
NEST's order, that of ``iaf_cond_exp`` and ``iaf_psc_exp`` (Morrison et al. 2005, Neural Comput 17:1776): the potential
is advanced with the conductances of the step, the threshold is applied at its end, then what arrives is added.
Conductances decay exactly; the potential of conductance cells takes one Runge-Kutta step of fourth order, that of
current cells is exact (Rotter & Diesmann 1999, Biol Cybern 81:381).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from netlib.base.seeds import stream
from netlib.networks.drive import SpikeDrive
from netlib.networks.parameters import Cell, RingParameters
from netlib.networks.synapses import synapse_arrays

__all__ = ["CompiledRing", "CompiledWeights", "check_supported"]

#: Cells that the engine integrates, by PyNN's names.
SUPPORTED = ("IF_cond_exp", "IF_curr_exp")
#: What one time step needs to know of a cell: factors of decay in a step and in half a step, and for current cells the
#: potential (mV) that 1 nA adds in a step.
FIELDS = (
    *("decay_E", "decay_I", "half_E", "half_I", "v_rest", "e_rev_E", "e_rev_I", "g_L", "cm"),
    *("leak", "from_E", "from_I", "v_thresh", "v_reset"),
)
CELL = np.dtype([(name, float) for name in FIELDS] + [("conductance_based", np.bool_), ("refractory", np.int64)])


def check_supported(parameters: RingParameters) -> None:
    """Raise ValueError if the network has cells that the engine does not know.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> from netlib.base.fields import set_values
    >>> check_supported(set_values(preset("v1"), {"excitatory.model": "EIF_cond_exp_isfa_ista"}))
    Traceback (most recent call last):
    ...
    ValueError: model of E = 'EIF_cond_exp_isfa_ista' is unknown to backend = 'compiled', which ...
    """
    for name in parameters.populations:
        model = parameters.cell(name).model
        if model not in SUPPORTED:
            raise ValueError(
                f"model of {name} = {model!r} is unknown to backend = 'compiled', which has {' and '.join(SUPPORTED)}: "
                "take backend = 'nest'"
            )


def _constants(cell: Cell, step: float) -> tuple:
    """A cell as an element of type ``CELL``."""
    leak = np.exp(-step / cell.tau_m)

    def charge(tau: float) -> float:
        if abs(tau - cell.tau_m) < 1e-9 * tau:
            return step / cell.cm * leak
        return tau * cell.tau_m / (cell.cm * (tau - cell.tau_m)) * (np.exp(-step / tau) - leak)

    decays = [np.exp(-part / tau) for part in (step, step / 2) for tau in (cell.tau_syn_E, cell.tau_syn_I)]
    return (
        *decays, cell.v_rest, cell.e_rev_E, cell.e_rev_I, cell.cm / cell.tau_m, cell.cm,
        leak, charge(cell.tau_syn_E), charge(cell.tau_syn_I), cell.v_thresh, cell.v_reset,
        cell.conductance_based, round(cell.tau_refrac / step),
    )  # fmt: skip


@njit(cache=True)
def _potential(c, v, E, inh, step):
    """Potential of a conductance cell a step later, from its conductances at the start of the step."""
    scale = step / c.cm  # of conductances (uS) and currents (nA) to changes in a step
    E, inh, leak = E * scale, inh * scale, c.g_L * scale
    rest = leak * c.v_rest
    k1 = rest + E * c.e_rev_E + inh * c.e_rev_I - (leak + E + inh) * v
    half_E, half_I = E * c.half_E, inh * c.half_I
    drive, pull = rest + half_E * c.e_rev_E + half_I * c.e_rev_I, leak + half_E + half_I
    k2 = drive - pull * (v + 0.5 * k1)
    k3 = drive - pull * (v + 0.5 * k2)
    E, inh = E * c.decay_E, inh * c.decay_I
    k4 = rest + E * c.e_rev_E + inh * c.e_rev_I - (leak + E + inh) * (v + k3)
    return v + (k1 + 2.0 * (k2 + k3) + k4) / 6.0


@njit(cache=True)
def _send(source, now, first, target, lag, weight, inhibitory, arriving):
    """Put what a spike of ``source`` does into the steps in which it arrives."""
    slots, receptor = arriving.shape[0], inhibitory[source]
    for j in range(first[source], first[source + 1]):
        arriving[(now + lag[j]) % slots, receptor, target[j]] += weight[j]


@njit(cache=True)
def _advance(
    start, stop, step, cells, v, g, wait, arriving, fired_cell, fired_step, n_fired, input_first, input_cell,
    first, target, lag, weight, inhibitory, sampled, every, samples,
):  # fmt: skip
    """Advance all cells from time step ``start`` to ``stop``; return how many spikes there are now."""
    n, slots = len(v), arriving.shape[0]
    for k in range(start + 1, stop + 1):
        slot, before = k % slots, n_fired
        for i in range(n):
            c = cells[i]
            E, inh = g[0, i], g[1, i]
            if wait[i] > 0:
                wait[i] -= 1
            elif c.conductance_based:
                v[i] = _potential(c, v[i], E, inh, step)
            else:
                v[i] = c.v_rest + (v[i] - c.v_rest) * c.leak + E * c.from_E - inh * c.from_I
            g[0, i] = E * c.decay_E + arriving[slot, 0, i]
            g[1, i] = inh * c.decay_I + arriving[slot, 1, i]
            arriving[slot, 0, i] = 0.0
            arriving[slot, 1, i] = 0.0
            if v[i] >= c.v_thresh:
                v[i], wait[i] = c.v_reset, c.refractory
                fired_cell[n_fired], fired_step[n_fired] = i, k
                n_fired += 1
        for s in range(before, n_fired):
            _send(fired_cell[s], k, first, target, lag, weight, inhibitory, arriving)
        for s in range(input_first[k], input_first[k + 1]):
            _send(n + input_cell[s], k, first, target, lag, weight, inhibitory, arriving)
        if every > 0 and k % every == 0:
            for s in range(len(sampled)):
                samples[s, k // every] = v[sampled[s]]
    return n_fired


class CompiledWeights:
    """Access to the weights of a projection, as :class:`~netlib.networks.pynn.PyNNWeights` gives it.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> drive = SpikeDrive(np.array([0]), np.array([1.0]), preset("v1").n_input, 5.0)
    >>> weights = CompiledRing(preset("v1"), drive, 1, {}, 1.0).weights("I_to_E")
    >>> weights.set(2 * weights.get())
    >>> round(float(weights.get()[0] / preset("v1").I_to_E.weight), 6)
    2.0
    """

    def __init__(self, ring: CompiledRing, name: str) -> None:
        self._all, (self.pre, self.post, self._place, self._delay) = ring.weight, ring.table[name]

    def refreshed(self) -> CompiledWeights:
        """Itself: nothing is renumbered here."""
        return self

    def get(self) -> np.ndarray:
        """Weights, shape (n_synapses,) (uS or nA)."""
        return self._all[self._place]

    def set(self, values: np.ndarray) -> None:
        """Set all weights (uS or nA)."""
        self._all[self._place] = values

    def delays(self) -> np.ndarray:
        """Delays (ms)."""
        return self._delay


class CompiledRing:
    """A network and its state, advanced by :meth:`run_to`.

    Parameters
    ----------
    parameters : RingParameters
        The network; its cells are ``IF_cond_exp`` or ``IF_curr_exp``.
    drive : SpikeDrive
        Spikes of the input, on the time grid.
    seed : int
        Master seed of topology, delays and initial potentials.
    recorded : dict
        Cells of each population whose potential is kept.
    sampling : float
        Interval between samples (ms), a whole number of steps.

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> drive = SpikeDrive(np.array([0, 1]), np.array([1.0, 2.0]), preset("v1").n_input, 5.0)
    >>> ring = CompiledRing(preset("v1"), drive, 1, {"E": np.array([0])}, 1.0)
    >>> ring.size("E"), ring.potentials()["E"].shape
    (256, (1, 6))
    """

    def __init__(
        self, parameters: RingParameters, drive: SpikeDrive, seed: int, recorded: dict[str, np.ndarray], sampling: float
    ) -> None:
        check_supported(parameters)
        self.parameters, self.step, self.now, self.slices = parameters, parameters.timestep, 0, 50
        sizes = {name: parameters.size(name) for name in (*parameters.populations, "input")}
        ends = np.cumsum(list(sizes.values()))
        self.span = {name: slice(end - n, end) for (name, n), end in zip(sizes.items(), ends.tolist(), strict=True)}
        self.n = n = int(ends[-2])  # cells; the input comes after them
        self.cells = np.empty(n, CELL)
        self.v = np.empty(n)
        for name in parameters.populations:
            self.cells[self.span[name]] = _constants(parameters.cell(name), self.step)
            self.v[self.span[name]] = stream(seed, "v_init", name).uniform(*parameters.v_init, sizes[name])
        self.g, self.wait = np.zeros((2, n)), np.zeros(n, np.int64)
        self._connect(seed, int(ends[-1]))
        self._listen(drive)
        self.recorded = recorded
        self.sampled = np.array([i + self.span[p].start for p, cells in recorded.items() for i in cells], np.int64)
        self.every = round(sampling / self.step) if len(self.sampled) else 0
        self.samples = np.full((len(self.sampled), self.steps // max(self.every, 1) + 1), np.nan, np.float32)
        self.samples[:, 0] = self.v[self.sampled]
        self.fired_cell, self.fired_step, self.n_fired = np.empty(0, np.int32), np.empty(0, np.int64), 0

    def _connect(self, seed: int, n_sources: int) -> None:
        """All synapses sorted by source, and where those of each projection are among them."""
        names = list(self.parameters.projections())
        parts = [synapse_arrays(self.parameters, name, seed) for name in names]
        spans = [tuple(self.span[p] for p in name.split("_to_")) for name in names]
        none = [np.empty(0)]
        source = np.concatenate([pre + s.start for (pre, *_), (s, _) in zip(parts, spans, strict=True)] or none)
        target = np.concatenate([post + t.start for (_, post, *_), (_, t) in zip(parts, spans, strict=True)] or none)
        weight, delay = (np.concatenate([part[k] for part in parts] or none) for k in (2, 3))
        order = np.argsort(source, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self.target, self.weight = target[order].astype(np.int32), weight[order]
        self.lag = np.round(delay[order] / self.step).astype(np.int32)
        self.first = np.zeros(n_sources + 1, np.int64)
        np.cumsum(np.bincount(source.astype(np.int64), minlength=n_sources), out=self.first[1:])
        self.inhibitory = np.zeros(n_sources, np.int64)
        for name in self.parameters.populations:
            self.inhibitory[self.span[name]] = name.startswith("I")
        self.arriving = np.zeros((int(self.lag.max(initial=1)) + 1, 2, self.n))
        self.table, begin = {}, 0
        for name, (pre, post, _, delays) in zip(names, parts, strict=True):
            self.table[name] = pre, post, place[begin : begin + len(pre)], np.round(delays, 9)
            begin += len(pre)

    def _listen(self, drive: SpikeDrive) -> None:
        at = np.round(np.asarray(drive.time) / self.step).astype(np.int64)
        self.steps = int(np.floor(drive.duration / self.step + 1e-9))
        order = np.argsort(at, kind="stable")
        self.input_cell = np.asarray(drive.index)[order].astype(np.int32)
        self.input_first = np.searchsorted(at[order], np.arange(self.steps + 2))

    def size(self, population: str) -> int:
        """Number of cells."""
        return self.parameters.size(population)

    def weights(self, projection: str) -> CompiledWeights:
        """Access to the weights of a projection."""
        return CompiledWeights(self, projection)

    def run_to(self, _: float, end: float) -> None:
        """Advance to time ``end`` (ms)."""
        stop = min(round(end / self.step), self.steps)
        room = self.n_fired + self.n * ((stop - self.now) // (int(self.cells["refractory"].min()) + 1) + 1)
        if room > len(self.fired_cell):
            self.fired_cell, self.fired_step = np.resize(self.fired_cell, room), np.resize(self.fired_step, room)
        self.n_fired = _advance(
            self.now, stop, self.step, self.cells, self.v, self.g, self.wait, self.arriving,
            self.fired_cell, self.fired_step, self.n_fired, self.input_first, self.input_cell,
            self.first, self.target, self.lag, self.weight, self.inhibitory, self.sampled, self.every, self.samples,
        )  # fmt: skip
        self.now = stop

    def spikes(self, population: str, end: float, since: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of a population from ``since`` to ``end`` (ms): (cell, time in ms), by time, then by cell."""
        steps = self.fired_step[: self.n_fired]
        low, high = np.searchsorted(steps, [(since - 1e-6) / self.step, (end + 1e-6) / self.step])
        span, cell = self.span[population], self.fired_cell[low:high]
        mine = (cell >= span.start) & (cell < span.stop)
        return (cell[mine] - span.start).astype(np.int32), np.round(steps[low:high][mine] * self.step, 6)

    def potentials(self) -> dict[str, np.ndarray]:
        """Sampled potentials (mV) of each population, shape (n_cells, n_samples)."""
        ends = np.cumsum([len(cells) for cells in self.recorded.values()])
        return {p: self.samples[end - len(self.recorded[p]) : end] for p, end in zip(self.recorded, ends, strict=True)}
