"""Read spikes and traces out of a PyNN population as flat arrays: straight from NEST, through Neo elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["spikes_of", "traces_of"]


def spikes_of(sim: Any, population: Any, duration: float, since: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of a population.

    Parameters
    ----------
    sim : module
        The PyNN simulator that runs it.
    population : pyNN.Population
        Its spikes were recorded.
    duration : float
        Later spikes are left out (ms): NEST runs a little longer than asked.
    since : float
        Earlier spikes are left out (ms).

    Returns
    -------
    index, time : ndarray, shape (n_spikes,)
        Cell and time (ms) of each, sorted by time, then by cell.
    """
    if sim.__name__ == "pyNN.nest":
        events = population.recorder._spike_detector.device.events
        first = int(population.all_cells[0])
        index, time = np.asarray(events["senders"]) - first, np.asarray(events["times"])
    else:
        trains = population.get_data("spikes").segments[0].spiketrains
        index = np.concatenate([np.full(len(t), t.annotations["source_index"]) for t in trains] or [np.empty(0)])
        time = np.concatenate([t.rescale("ms").magnitude for t in trains] or [np.empty(0)])
        if sim.__name__ == "pyNN.brian2":  # dates a spike by the start of its step, the others by the end
            time = time + sim.get_time_step()
    if since > 0:
        late = time >= since - 1e-6
        index, time = index[late], time[late]
    index, time = index.astype(np.int32), np.round(time.astype(float), 6)
    keep = time <= duration
    order = np.lexsort((index[keep], time[keep]))
    return index[keep][order], time[keep][order]


def traces_of(sim: Any, population: Any, cells: np.ndarray, sampling: float, duration: float) -> np.ndarray:
    """Membrane potentials of some cells (mV), shape (n_cells, n_samples), the first sample at time 0."""
    n_samples = int(np.floor(duration / sampling + 1e-9)) + 1
    if sim.__name__ != "pyNN.nest":
        signal = population[cells].get_data("v").segments[0].filter(name="v")[0]
        every = round(sampling / float(signal.sampling_period.rescale("ms")))
        values = np.asarray(signal.magnitude)[::every].T[:, :n_samples].astype(np.float32)
        if sim.__name__ == "pyNN.neuron" and (n_samples - 1) * sampling > duration - 1e-6:
            # Rounding makes NEURON stop before it samples the end, and PyNN repeats the sample before.
            values[:, -1] = [cell._cell.seg.v for cell in population[cells]]
        return values
    events = population.recorder._multimeter.device.events
    row = np.searchsorted(np.asarray(population.all_cells[cells], np.int64), np.asarray(events["senders"]))
    column = np.round(np.asarray(events["times"]) / sampling).astype(int)
    values = np.full((len(cells), n_samples), np.nan, dtype=np.float32)
    keep = column < n_samples
    values[row[keep], column[keep]] = np.asarray(events["V_m"])[keep]
    values[:, 0] = np.atleast_1d(population.initial_values["v"].evaluate())[cells]  # a number where there is one cell
    return values
