"""Weights and delays of the synapses of a projection: lazy arrays, or one table of all."""

from __future__ import annotations

import numpy as np
from lazyarray import larray
from scipy.special import ndtr, ndtri

from netlib.base.seeds import child, pair_uniform
from netlib.networks.bulk import BLOCK_SYNAPSES, blocks
from netlib.networks.kernels import connection_mask, pairwise
from netlib.networks.parameters import Connection, Delay, RingParameters

__all__ = ["delay_array", "synapse_arrays", "weight_array"]


def weight_array(connection: Connection, n_pre: int, n_post: int) -> float | larray:
    """Magnitude of the weights of a projection: one number, or a lazy array (n_pre, n_post).

    Examples
    --------
    >>> from netlib.networks.kernels import Uniform, VonMises
    >>> weight_array(Connection(Uniform(), 0.01), 4, 4)
    0.01
    >>> weight_array(Connection(VonMises(20.0), 0.01), 4, 4)[:, 0].round(4).tolist()
    [0.0079, 0.001, 0.0001, 0.001]
    """
    factor = connection.kernel.factor(n_pre, n_post)
    return connection.weight if factor is None else factor * connection.weight


def delay_array(delay: Delay, n_pre: int, n_post: int, seed: int, name: str, timestep: float) -> float | larray:
    """Delays of a projection (ms), rounded to time steps: one number, or a lazy array (n_pre, n_post).

    Examples
    --------
    >>> delay_array(Delay(1.5), 3, 3, 1, "E_to_E", 0.1)
    1.5
    >>> delay_array(Delay(1.5, 0.3, 0.5, 2.5), 3, 3, 1, "E_to_E", 0.1)[0, :].round(1).tolist()
    [1.9, 1.4, 1.5]
    """
    if delay.sd == 0:
        return delay.mean
    key = int(child(seed, "delays", name).generate_state(1, np.uint64)[0])
    low, high = (ndtr((bound - delay.mean) / delay.sd) for bound in delay.bounds)

    def drawn(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        values = delay.mean + delay.sd * ndtri(low + (high - low) * pair_uniform(key, i, j))
        return np.clip(np.round(values / timestep), *np.round(np.array(delay.bounds) / timestep)) * timestep

    return pairwise(drawn, n_pre, n_post)


def synapse_arrays(
    parameters: RingParameters, name: str, seed: int, block: int = BLOCK_SYNAPSES
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All synapses of a projection, in order of presynaptic, then postsynaptic cell.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    name : str
        The projection, such as ``"E_to_I"``.
    seed : int
        Master seed of topology and delays.
    block : int
        Pairs of cells evaluated at a time.

    Returns
    -------
    pre, post : ndarray of int32, shape (n_synapses,)
    weight : ndarray, shape (n_synapses,)
        Magnitudes (uS or nA).
    delay : ndarray, shape (n_synapses,)
        Delays (ms).

    Examples
    --------
    >>> from netlib.networks.presets import preset
    >>> pre, post, weight, delay = synapse_arrays(preset("v1"), "E_to_I", seed=1)
    >>> len(pre) == len(delay), round(len(pre) / preset("v1").n_inhibitory)
    (True, 64)
    """
    connection, (source, target) = parameters.projections()[name], name.split("_to_")
    n_pre, n_post = parameters.size(source), parameters.size(target)
    mask = connection_mask(
        connection.kernel, n_pre, n_post, seed, name, connection.self_connections or source != target
    )
    weight = weight_array(connection, n_pre, n_post)
    delay = delay_array(connection.delay, n_pre, n_post, seed, name, parameters.timestep)
    parts = []
    for columns in blocks(n_pre, n_post, block):
        size = columns.stop - columns.start
        chosen = np.ones((n_pre, size), bool) if mask is None else _block(mask, columns, size)
        pre, post = np.nonzero(chosen)
        values = [
            _block(v, columns, size)[chosen] if isinstance(v, larray) else np.full(len(pre), float(v))
            for v in (weight, delay)
        ]
        parts.append((pre.astype(np.int32), (post + columns.start).astype(np.int32), *values))
    pre, post, weights, delays = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(pre, kind="stable")
    return pre[order], post[order], weights[order], delays[order]


def _block(lazy: larray, columns: slice, size: int) -> np.ndarray:
    """Columns of a lazy array, two-dimensional even where there is one row or column."""
    return np.asarray(lazy[:, columns]).reshape(-1, size)
