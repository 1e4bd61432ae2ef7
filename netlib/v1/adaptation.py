"""Adaptation: a network whose cells adapt with each spike is shown an adapter, then test orientations."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from netlib.base.checks import check_array, check_integer, check_number
from netlib.base.orientation import preferred_orientations, signed_distance
from netlib.base.seeds import simulator_seed
from netlib.lgn import ChannelRates
from netlib.networks import Cell, RingParameters, SpikeDrive, preset, rate_drive, run_ring
from netlib.tuning import population_vector
from netlib.v1.dynamics import moving_rates

__all__ = ["adaptation", "adapting_v1", "preferred_shift"]


def adapting_v1(b: float = 0.08, tau_w: float = 150.0) -> RingParameters:
    """The preset ``v1`` with exponential integrate-and-fire E cells whose spikes leave a hyperpolarising current.

    Parameters
    ----------
    b : float
        Size of that current per spike (nA); 0 is the control.
    tau_w : float
        Its time constant (ms). Brette & Gerstner (2005, J Neurophysiol 94:3637) fitted 0.0805 nA and 144 ms to a
        pyramidal cell.
    """
    network = preset("v1")
    cell = dataclasses.asdict(network.excitatory)
    exponential = Cell(**cell | {"model": "EIF_cond_exp_isfa_ista", "delta_T": 1.0, "v_spike": -40.0, "b": b,
                                 "tau_w": tau_w})  # fmt: skip
    return dataclasses.replace(network, excitatory=exponential, timestep=0.2, name=f"v1 with b = {b:g} nA")


def preferred_shift(counts: np.ndarray, adapted: np.ndarray, shown: np.ndarray, adapter: float) -> tuple:
    """Shift of each cell's preferred orientation away from the adapter.

    Parameters
    ----------
    counts, adapted : ndarray, shape (n_cells, n_orientations)
        Responses before and after the adapter; preferred orientation is the angle of the mean vector.
    shown : ndarray, shape (n_orientations,)
        Test orientations (deg), evenly spread.
    adapter : float
        Orientation of the adapter (deg).

    Returns
    -------
    distance, shift : ndarray, shape (n_cells,)
        Preferred orientation before minus the adapter (deg, in (-90, 90]); shift (deg), positive away from it.
        NaN for a cell that was silent.
    """
    before, after = (population_vector(np.asarray(c).T, shown)[0] for c in (counts, adapted))
    distance = np.asarray(signed_distance(before, adapter))
    return distance, np.asarray(signed_distance(after, before)) * np.sign(distance)


def adaptation(
    seed: int,
    sizes: Sequence[float] = (0.0, 0.08),
    gaps: Sequence[float] = (50.0,),
    adapter: float = 200.0,
    test: float = 100.0,
    rest: float = 50.0,
    orientations: int = 6,
) -> pd.DataFrame:
    """Response and preferred orientation after an adapter, with and without spike-triggered adaptation.

    Each test orientation is shown alone and, on the same input spikes, a gap after an adapter of 90 deg.

    Parameters
    ----------
    seed : int
        Master seed.
    sizes : sequence of float
        Values of ``b`` (nA, see :func:`adapting_v1`); 0 is the control.
    gaps : sequence of float
        Times from the end of the adapter to the test (ms).
    adapter, test, rest : float
        Lengths of the adapter, of a test and of the pause after it (ms).
    orientations : int
        Number of test orientations.

    Returns
    -------
    DataFrame, one row per b, gap and bin of distance from the adapter
        ``b``; ``gap``; ``distance`` (deg, from 0 to 90): of the test orientation for ``response`` (spikes of all E
        cells after the adapter over those alone) and ``repulsion`` (deg; error of the population vector away from the
        adapter, minus the same alone; NaN at 0 and 90); of the cell's preferred orientation for ``shift`` (deg, mean
        :func:`preferred_shift` of cells nearest to it); ``rate`` (Hz): of E cells, tests alone.
    """
    check_integer("orientations", orientations, 4)
    check_array("gaps", gaps, "ms", 0)
    check_number("rest", rest, "ms", 0)
    shown, rows = preferred_orientations(orientations), []
    for b in sizes:
        network = adapting_v1(b)
        for gap in gaps:
            lengths = (adapter, gap, test, rest)
            alone, adapted = (_responses(network, seed, shown, lengths, after) for after in (False, True))
            rows += [{"b": b, "gap": gap, **row} for row in _compare(alone, adapted, shown, test)]
    return pd.DataFrame(rows)


def _responses(
    network: RingParameters, seed: int, shown: np.ndarray, lengths: tuple[float, ...], adapted: bool
) -> np.ndarray:
    """Counts of the E cells during each test, shape (n_cells, n_orientations).

    ``lengths`` (ms) are those of adapter, gap, test and rest. Without adapter its time is blank, and the tests get
    the same input spikes.
    """
    adapter, gap, test, rest = (round(length) for length in lengths)
    one = np.repeat([0, 1, 2, 1], [adapter, gap, test, rest])  # 0: adapter, 1: blank, 2: test
    phase = np.tile(one, len(shown))
    orientation = np.where(phase == 0, 90.0, np.repeat(shown, len(one)))
    strength = np.where(phase == 0, float(adapted), phase == 2)
    rates = moving_rates(network, orientation, strength)
    drives = []
    for name, during in (("adapter", phase == 0), ("test", phase > 0)):
        part = ChannelRates(rates.rates * during, rates.dt, rates.orientations)
        drives.append(rate_drive(part, network.n_input, simulator_seed(seed, name)))
    index, time = (np.concatenate([getattr(drive, what) for drive in drives]) for what in ("index", "time"))
    order = np.lexsort((index, time))
    drive = SpikeDrive(index[order], time[order], network.n_input, rates.duration)
    index, time = run_ring(network, drive, seed).spikes["E"]
    starts = np.arange(len(shown)) * len(one) + adapter + gap
    inside = [(time >= start) & (time < start + test) for start in starts]
    return np.stack([np.bincount(index[now], minlength=network.n_excitatory) for now in inside], axis=1)


def _compare(alone: np.ndarray, adapted: np.ndarray, shown: np.ndarray, test: float) -> list[dict]:
    from_adapter = np.asarray(signed_distance(shown, 90.0))
    ratio = adapted.sum(axis=0) / np.maximum(alone.sum(axis=0), 1)
    cells = preferred_orientations(len(alone))
    seen = [np.asarray(signed_distance(population_vector(c, cells)[0], shown)) for c in (alone, adapted)]
    repulsion = (seen[1] - seen[0]) * np.sign(from_adapter)
    repulsion[np.isin(np.abs(from_adapter), (0.0, 90.0))] = np.nan
    distance, shift = preferred_shift(alone, adapted, shown, 90.0)
    rate, rows, half = 1000.0 * alone.mean() / test, [], 90.0 / len(shown)
    for angle in np.unique(np.abs(from_adapter)):
        tests, near = np.abs(from_adapter) == angle, np.abs(np.abs(distance) - angle) <= half
        moved = repulsion[tests]
        rows.append({
            "distance": angle, "response": ratio[tests].mean(),
            "repulsion": np.nan if np.isnan(moved).all() else np.nanmean(moved),
            "shift": np.nanmean(shift[near]) if np.isfinite(shift[near]).any() else np.nan, "rate": rate,
        })  # fmt: skip
    return rows
