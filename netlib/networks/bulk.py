"""Connect two PyNN populations with a few calls of the simulator instead of one or more per target cell.

PyNN evaluates and connects one target cell at a time. :func:`bulk_connector` gives a PyNN connector that
hands NEST or Brian2 whole blocks of target cells: the same synapses, spikes and ``projection.get``, much sooner.
Anything but static synapses, NEST in more than one process, and NEURON go PyNN's own way.

It relies on private parts of PyNN 0.13 (``_sources``, ``_connections``, ``nest_synapse_label``,
``_brian2_synapses``), which ``tests/core/test_networks_bulk.py`` and ``tests/core/test_simulators.py`` watch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from lazyarray import larray

__all__ = ["BLOCK_SYNAPSES", "blocks", "bulk_connector", "pynn_connector"]

#: Pairs of cells evaluated at a time: bounds the memory, 16 bytes or so each.
BLOCK_SYNAPSES = 100_000


def pynn_connector(sim: Any, mask: larray | None) -> Any:
    """PyNN's own connector for a lazy boolean mask (n_pre, n_post), or for all pairs where it is None."""
    return sim.AllToAllConnector() if mask is None else sim.ArrayConnector(mask)


def bulk_connector(sim: Any, mask: larray | None = None, block: int = BLOCK_SYNAPSES) -> Any:
    """Connector that makes the same synapses as :func:`pynn_connector`, in blocks of target cells.

    Parameters
    ----------
    sim : module
        A PyNN simulator, such as ``pyNN.nest``; NEURON gets PyNN's own connector.
    mask : larray of bool, shape (n_pre, n_post), optional
        Which pairs connect; all where it is None.
    block : int
        Pairs of cells evaluated at a time.
    """
    if sim.__name__ not in ("pyNN.nest", "pyNN.brian2"):
        return pynn_connector(sim, mask)
    connect_in_bulk = _connect_nest if sim.__name__ == "pyNN.nest" else _connect_brian2
    base: Any = sim.AllToAllConnector if mask is None else sim.ArrayConnector

    class BulkConnector(base):
        """See :func:`bulk_connector`."""

        def connect(self, projection: Any) -> None:
            if not (
                isinstance(projection.synapse_type, sim.StaticSynapse) and connect_in_bulk(sim, projection, mask, block)
            ):
                super().connect(projection)

    return BulkConnector() if mask is None else BulkConnector(mask)


def _connect_nest(sim: Any, projection: Any, mask: larray | None, block: int) -> bool:
    """Connect, where NEST runs in a single process; False where it does not."""
    import nest

    if nest.num_processes > 1:
        return False
    n_pre, n_post = projection.pre.size, projection.post.size
    space = projection.synapse_type.native_parameters
    space.shape = (n_pre, n_post)
    inhibitory = projection.receptor_type == "inhibitory" and projection.post.conductance_based
    sign = {"weight": -1.0 if inhibitory else 1.0, "delay": 1.0}
    common = {
        name: sign[name] * float(space[name].evaluate(simplify=True)) for name in sign if space[name].is_homogeneous
    }
    model = _own_model(nest, projection, common)
    pre_ids, post_ids = (np.asarray(p.all_cells, dtype=np.int64) for p in (projection.pre, projection.post))
    connected = np.zeros(n_pre, dtype=bool)
    for columns in blocks(n_pre, n_post, block):
        targets = post_ids[columns]
        if mask is None:  # by target cell, then by source: PyNN's order
            chosen, sources, targets = None, np.tile(pre_ids, len(targets)), np.repeat(targets, n_pre)
            connected[:] = True
        else:
            chosen = np.ascontiguousarray(np.asarray(mask[:, columns], dtype=bool).T)
            target, source = np.nonzero(chosen)
            connected[source] = True
            sources, targets = pre_ids[source], targets[target]
        if not len(sources):
            continue
        own = {name: sign[name] * _values(space[name], columns, chosen) for name in sign if name not in common}
        if "weight" in own and own["weight"].min() < 0 < own["weight"].max():
            raise ValueError("weight has both signs in one projection: all must have the sign of its receptor")
        nest.Connect(sources, targets, {"rule": "one_to_one"}, {"synapse_model": model, **own})
    projection._sources.update(pre_ids[connected].tolist())
    projection._connections = None
    projection._simulator.state.stale_connection_cache = True
    return True


def blocks(n_pre: int, n_post: int, block: int) -> Iterator[slice]:
    """Slices of the target cells, of at most ``block`` pairs or one target each.

    Examples
    --------
    >>> list(blocks(n_pre=100, n_post=5, block=200))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    width = max(1, block // n_pre)
    for start in range(0, n_post, width):
        yield slice(start, min(start + width, n_post))


def _own_model(nest: Any, projection: Any, common: dict[str, float]) -> str:
    """Give the projection a synapse model of its own, which holds the parameters all its synapses share.

    PyNN tells projections apart by a label in every synapse, which costs a third more time and memory.
    """
    name = f"static_synapse_projection_{projection.nest_synapse_label}"
    nest.CopyModel("static_synapse", name, common)
    projection.nest_synapse_model = name
    projection.nest_synapse_label = None
    return name


def _values(parameter: larray, columns: slice, chosen: np.ndarray | None) -> np.ndarray:
    values = np.asarray(parameter[:, columns], dtype=float).T
    return values.ravel() if chosen is None else values[chosen]


def _connect_brian2(sim: Any, projection: Any, mask: larray | None, block: int) -> bool:
    """The same for Brian2, where PyNN sets the weight and the delay of every synapse by two calls each."""
    n_pre, n_post = projection.pre.size, projection.post.size
    space = projection.synapse_type.parameter_space  # in PyNN's units
    space.shape = (n_pre, n_post)
    sources, targets, weights, delays = [], [], [], []
    for columns in blocks(n_pre, n_post, block):
        size = columns.stop - columns.start
        chosen = np.ones((size, n_pre), bool) if mask is None else np.asarray(mask[:, columns], dtype=bool).T
        target, source = np.nonzero(chosen)
        sources.append(source)
        targets.append(target + columns.start)
        weights.append(_values(space["weight"], columns, chosen))
        delays.append(_values(space["delay"], columns, chosen))
    synapses = projection._brian2_synapses[0][0]
    synapses.connect(i=np.concatenate(sources), j=np.concatenate(targets))
    # A trailing underscore: values in siemens or ampere, and in seconds.
    synapses.weight_ = np.concatenate(weights) * (1e-6 if projection.post.conductance_based else 1e-9)
    timestep = sim.get_time_step()
    synapses.delay_ = np.round(np.concatenate(delays) / timestep) * timestep * 1e-3
    projection._n_connections += len(synapses)
    return True
