"""Measure the window of a plasticity rule with pairs of spikes in a simulator, to compare it with its formula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lazyarray import larray
from numpy.typing import ArrayLike

from netlib.base.checks import check_array, check_choice, check_number, on_grid
from netlib.networks.drive import SpikeDrive
from netlib.networks.kernels import Kernel, OneToOne, pairwise
from netlib.networks.parameters import Cell, Connection, Delay, RingParameters
from netlib.networks.plasticity import STDP, VogelsSprekeler
from netlib.networks.ring import run_ring

__all__ = ["measure_window"]


@dataclass(frozen=True)
class _Partner(Kernel):
    """Connects cell i of the first half of a population to cell i of the second half."""

    def probability(self, n_pre: int, n_post: int) -> larray:
        return pairwise(lambda i, j: (j - i == n_pre // 2).astype(float), n_pre, n_post)


def measure_window(
    rule: STDP | VogelsSprekeler,
    delta_t: ArrayLike = (-30.0, -10.0, -5.0, 5.0, 10.0, 30.0),
    *,
    weight: float | None = None,
    delay: float = 1.0,
    receptor: str = "excitatory",
    update: float = 50.0,
    backend: str = "nest",
) -> pd.DataFrame:
    """Change of a weight by one pair of spikes, for each difference of time, in a run of real cells.

    For each difference two cells are driven to fire once, by an input each so strong that it decides their spikes to
    the time step; the plastic synapse between them is far too weak to matter. Differences are those that the cells
    fired at, read from the recording.

    Parameters
    ----------
    rule : STDP or VogelsSprekeler
        The rule.
    delta_t : array_like, shape (n_pairs,)
        Time of the postsynaptic minus that of the presynaptic spike (ms), whole time steps of 0.1 ms.
    weight : float, optional
        Weight before (uS), in [0, w_max]; by default half of w_max.
    delay : float
        Delay of the synapse (ms).
    receptor : {"excitatory", "inhibitory"}
        Kind of synapse.
    update : float
        Time between updates of the weights (ms).
    backend : str
        Simulator.

    Returns
    -------
    DataFrame, one row per pair
        ``delta_t`` (ms), ``measured`` and ``theory``: changes as fractions of w_max.

    Examples
    --------
    >>> table = measure_window(STDP(0.04, -0.02, 20.0, 20.0, w_max=0.1, mu=0.0), [-10.0, 10.0], delay=1.0)
    >>> table.round(4).to_numpy().tolist()
    [[-10.0, -0.0128, -0.0128], [10.0, 0.0231, 0.0231]]
    """
    lag = check_array("delta_t", delta_t, "ms", -1000, 1000, ndim=1)
    for value in lag:
        on_grid("delta_t", float(value), 0.1)
    check_choice("receptor", receptor, ("excitatory", "inhibitory"))
    weight = rule.w_max / 2 if weight is None else check_number("weight", weight, "uS", 0, rule.w_max)
    n = len(lag)
    # Large cells: the input, of 10 mS, fires them within a step; a synapse of 0.2 uS moves them by some 10 uV.
    cell = Cell("IF_cond_exp", cm=100.0, tau_m=10.0, tau_syn_E=0.1, tau_syn_I=0.1, v_rest=-70.0, v_reset=-70.0)
    tested = Connection(_Partner(), weight, Delay(delay), plasticity=rule)
    drive_all = Connection(OneToOne(), 1e4, Delay(1.0))
    inhibitory = receptor == "inhibitory"
    parameters = RingParameters(
        n_excitatory=1 if inhibitory else 2 * n,
        n_inhibitory=2 * n if inhibitory else 1,
        n_input=2 * n,
        excitatory=cell,
        inhibitory=cell,
        input_to_E=None if inhibitory else drive_all,
        input_to_I=drive_all if inhibitory else None,
        E_to_E=None if inhibitory else tested,
        I_to_I=tested if inhibitory else None,
        v_init=(-70.0, -70.0),
        name="pairing",
    )
    first = 10.0
    times = np.concatenate([first + np.maximum(-lag, 0), first + np.maximum(lag, 0)])
    order = np.argsort(times, kind="stable")
    end = float(np.ceil(times.max() + delay + 10.0))
    drive = SpikeDrive(order, times[order], 2 * n, end)
    activity = run_ring(parameters, drive, 0, backend=backend, update=update)
    index, fired = activity.spikes["I" if inhibitory else "E"]
    if not np.array_equal(np.sort(index), np.arange(2 * n)):
        raise RuntimeError(f"cells fired {len(index)} spikes: each of the {2 * n} must fire one; the drive failed")
    fired = fired[np.argsort(index)]
    found = activity.weights["I_to_I" if inhibitory else "E_to_E"]
    measured = fired[n + found.pre] - fired[found.pre]
    table = pd.DataFrame(
        {
            "delta_t": measured.round(6),
            "measured": (found.last - found.values[0]) / rule.w_max,
            "theory": rule.window(measured, weight, delay) / rule.w_max,
        }
    )
    return table.sort_values("delta_t", ignore_index=True)
