"""Show a protocol to a network and record it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from netlib.base.checks import check_type
from netlib.base.orientation import preferred_orientations
from netlib.base.provenance import provenance
from netlib.lgn.rates import ChannelRates
from netlib.networks.drive import SpikeDrive, input_rates, rate_drive
from netlib.networks.parameters import RingParameters
from netlib.networks.ring import Activity, run_ring
from netlib.networks.weights import Weights
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.movie import Movie
from netlib.stimuli.protocol import Protocol

__all__ = ["record_ring"]


def record_ring(
    parameters: RingParameters,
    protocol: Protocol,
    seed: int,
    *,
    movie: Movie | None = None,
    rates: ChannelRates | None = None,
    drive: SpikeDrive | None = None,
    backend: str | None = None,
    connector: str = "bulk",
    record_v: int = 0,
    threads: int = 1,
    plastic: bool | ArrayLike = True,
    update: float = 50.0,
    snapshots: ArrayLike | None = None,
    weights: Mapping[str, Weights | ArrayLike] | None = None,
    progress: bool | None = False,
) -> Recording:
    """Show a protocol to a ring network and record its cells.

    The drive is, by choice: the preset's own von Mises rates; what the preset's LGN makes of ``movie``;
    ``rates`` of any orientation channels; or ``drive``, any spikes. It is drawn in NumPy before the
    simulation starts ("frozen"): the same seed gives the same spikes to every simulator.

    Parameters
    ----------
    parameters : RingParameters
        The network.
    protocol : Protocol
        What is shown when.
    seed : int
        Master seed of drive, topology, delays and initial potentials.
    movie : Movie, optional
        What the protocol shows, such as ``protocol.movie()``: it goes through ``parameters.lgn``.
    rates : ChannelRates, optional
        Rates of orientation channels, which the input cells interpolate.
    drive : SpikeDrive, optional
        Spikes of the input cells. At most one of movie, rates and drive is given.
    backend, connector, record_v, threads, plastic, update, snapshots, weights, progress
        As in :func:`netlib.networks.run_ring`.

    Returns
    -------
    Recording
        Populations "input", "E" and "I"; trace "v" (mV) of ``record_v`` cells each.

    Raises
    ------
    ValueError
        If more than one drive is given, or it ends before the protocol.
    """
    check_type("parameters", parameters, RingParameters)
    check_type("protocol", protocol, Protocol)
    given = {"movie": movie, "rates": rates, "drive": drive}
    kinds = [name for name, value in given.items() if value is not None] or ["von Mises rates"]
    if len(kinds) > 1:
        raise ValueError(f"{' and '.join(kinds)} are all given: give one, or none for the preset's own rates")
    if movie is not None:
        rates = parameters.lgn.respond(check_type("movie", movie, Movie))
    if drive is None:
        drive = rate_drive(rates or input_rates(parameters, protocol), parameters.n_input, seed)
    if drive.duration < protocol.duration - 1e-6:
        raise ValueError(
            f"drive lasts {drive.duration:g} ms: it must last as long as the protocol, {protocol.duration:g} ms"
        )
    activity = run_ring(
        parameters,
        drive,
        seed,
        backend=backend,
        connector=connector,
        record_v=record_v,
        threads=threads,
        plastic=plastic,
        update=update,
        snapshots=snapshots,
        weights=weights,
        progress=progress,
    )
    facts = {
        "backend": activity.backend,
        "threads": threads,
        "drive": "given spikes" if kinds == ["drive"] else f"frozen Poisson spikes from {kinds[0]}",
        "build_time": activity.build_time,
        "run_time": activity.run_time,
    }
    if activity.weights:
        facts |= {"plastic": plastic, "update": update, "start_weights": sorted(weights or {})}
    return _recording(parameters, protocol, activity, provenance(parameters, seed, **facts))


def _recording(parameters: RingParameters, protocol: Protocol, activity: Activity, source: dict) -> Recording:
    first, tables, index, time, cells, values = 0, [], [], [], [], []
    for name in ("input", *parameters.populations):
        size = parameters.size(name)
        tables.append(pd.DataFrame({"population": name, "orientation": preferred_orientations(size)}))
        index.append(activity.spikes[name][0] + first)
        time.append(activity.spikes[name][1])
        if name in activity.potentials:
            cells.append(activity.potentials[name][0] + first)
            values.append(activity.potentials[name][1])
        first += size
    times, units = np.concatenate(time), np.concatenate(index)
    order = np.lexsort((units, times))
    traces = {"v": Trace(np.concatenate(values), np.concatenate(cells), activity.sampling, "mV")} if values else {}
    return Recording(
        neurons=pd.concat(tables, ignore_index=True),
        spike_index=units[order].astype(np.int32),
        spike_time=times[order],
        duration=activity.duration,
        protocol=protocol,
        traces=traces,
        provenance=source,
        weights=activity.weights,
    )
