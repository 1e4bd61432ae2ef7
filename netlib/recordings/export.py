"""Recordings as Neo blocks or xarray datasets, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from netlib.base.checks import check_type
from netlib.base.provenance import jsonable
from netlib.recordings.columns import decode_columns, encode_columns
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol, rebuild

if TYPE_CHECKING:
    import xarray
    from neo import Block, Segment

__all__ = ["from_neo", "from_xarray", "to_neo", "to_xarray"]

#: Units of traces that Neo (the package quantities) knows; others are dimensionless there.
KNOWN_UNITS = {"mV", "V", "nA", "pA", "nS", "uS", "Hz"}


def to_neo(recording: Recording) -> Block:
    """Neo block of one segment: spike trains (ms), analog signals, and the protocol as epochs.

    Parameters
    ----------
    recording : Recording
        What to convert. Its weights are left out.

    Returns
    -------
    neo.Block
        A SpikeTrain per unit, with the row of the unit as annotations; an AnalogSignal per trace, named as the
        trace, with ``cells`` as array annotation (unit of each channel); an Epoch "protocol", its labels the
        names of the stimuli and all columns as array annotations; provenance as JSON among the annotations.

    Examples
    --------
    >>> shown = Protocol(pd.DataFrame({"onset": [0.0], "duration": [50.0]}))
    >>> units = pd.DataFrame({"population": ["E"], "orientation": [45.0]})
    >>> block = to_neo(Recording(units, np.array([0, 0]), np.array([12.5, 20.0]), 50.0, shown))
    >>> block.segments[0].spiketrains[0]
    <SpikeTrain(array([12.5, 20. ]) * ms, [0.0 ms, 50.0 ms])>
    """
    import neo

    check_type("recording", recording, Recording)
    neurons, neuron_kinds = encode_columns(recording.neurons)
    shown, shown_kinds = encode_columns(recording.protocol.table)
    facts = {
        "duration": float(recording.duration),
        "protocol_duration": float(recording.protocol.duration),
        "neurons": neuron_kinds,
        "protocol": shown_kinds,
        "provenance": jsonable(recording.provenance),
    }
    block, segment = neo.Block(name="recording", netlib=json.dumps(facts)), neo.Segment(name="recording")
    block.segments.append(segment)
    order = np.argsort(recording.spike_index, kind="stable")
    ends = np.cumsum(np.bincount(recording.spike_index, minlength=len(recording)))
    for unit, times in enumerate(np.split(recording.spike_time[order], ends[:-1])):
        train = neo.SpikeTrain(times, units="ms", t_stop=recording.duration, name=f"unit {unit}")
        train.annotate(unit=unit, **{name: _scalar(values[unit]) for name, values in neurons.items()})
        segment.spiketrains.append(train)
    for name, trace in recording.traces.items():
        segment.analogsignals.append(_signal(name, trace))
    segment.epochs.append(
        neo.Epoch(
            times=shown["onset"],
            durations=shown["duration"],
            labels=recording.protocol.table["stimulus"].astype(str).to_numpy(dtype="U"),
            units="ms",
            name="protocol",
            array_annotations={name: _neo_array(values) for name, values in shown.items()},
        )
    )
    return block


def from_neo(block: Block) -> Recording:
    """Recording from a Neo block of one segment: one that :func:`to_neo` made, or any other.

    In a block of others each spike train becomes a unit of the population "unit" (annotations of one value
    become columns), each channel of an analog signal a unit of the population named like the signal, and the
    first epoch the protocol (without one, a single presentation "unknown"). Time 0 is the start of the segment.

    Raises
    ------
    ValueError
        If the block has not just one segment, or a signal starts at another time than the segment.
    """
    import neo

    check_type("block", block, neo.Block)
    if len(block.segments) != 1:
        raise ValueError(f"block holds {len(block.segments)} segments: it must hold one")
    segment = block.segments[0]
    if not segment.spiketrains and not segment.analogsignals:
        raise ValueError("block holds neither spike trains nor analog signals: there is nothing to read")
    if "netlib" in block.annotations:
        return _ours(segment, json.loads(block.annotations["netlib"]))
    return _theirs(segment)


def _ours(segment: Segment, facts: dict[str, Any]) -> Recording:
    rows = [train.annotations for train in segment.spiketrains]
    arrays = {
        name: np.array([row[name] for row in rows], dtype=None if kind == "number" else object)
        for name, kind in facts["neurons"].items()
    }
    index, times = _spikes(segment, 0.0)
    traces = {
        signal.name: Trace(
            np.ascontiguousarray(signal.magnitude.T),
            np.asarray(signal.array_annotations["cells"], dtype=int),
            signal.annotations["dt"],
            signal.annotations["unit"],
        )
        for signal in segment.analogsignals
    }
    shown = decode_columns(segment.epochs[0].array_annotations, facts["protocol"])
    protocol = Protocol(shown, rebuild(shown), facts["protocol_duration"])
    neurons = decode_columns(arrays, facts["neurons"])
    return Recording(neurons, index, times, facts["duration"], protocol, traces, facts["provenance"])


def _theirs(segment: Segment) -> Recording:
    start = float(segment.t_start.rescale("ms"))
    duration = float(segment.t_stop.rescale("ms")) - start
    rows = [
        {key: value for key, value in train.annotations.items() if np.isscalar(value)} for train in segment.spiketrains
    ]
    units = [{"population": "unit", "orientation": np.nan, **row} for row in rows]
    traces: dict[str, Trace] = {}
    for k, signal in enumerate(segment.analogsignals):
        if abs(float(signal.t_start.rescale("ms")) - start) > 1e-6:
            raise ValueError(
                f"signal {signal.name!r} starts at {signal.t_start.rescale('ms')}: all signals must start with the "
                f"segment, at {start:g} ms"
            )
        name = signal.name or f"signal {k}"
        cells = len(units) + np.arange(signal.shape[1])
        units += [{"population": name, "orientation": np.nan} for _ in cells]
        dt = float(signal.sampling_period.rescale("ms"))
        traces[name] = Trace(np.ascontiguousarray(signal.magnitude.T), cells, dt, signal.units.dimensionality.string)
    index, times = _spikes(segment, start)
    return Recording(pd.DataFrame(units), index, np.clip(times, 0, duration), duration, _shown(segment), traces)


def _shown(segment: Segment) -> Protocol:
    start, stop = (float(time.rescale("ms")) for time in (segment.t_start, segment.t_stop))
    if not len(segment.epochs):
        return Protocol(pd.DataFrame({"onset": [0.0], "duration": [stop - start]}))
    epoch = segment.epochs[0]
    table = {
        "onset": epoch.times.rescale("ms").magnitude - start,
        "duration": epoch.durations.rescale("ms").magnitude,
        "stimulus": list(epoch.labels) if len(epoch.labels) else "unknown",
    }
    return Protocol(pd.DataFrame(table), duration=max(stop - start, float((table["onset"] + table["duration"]).max())))


def _spikes(segment: Segment, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit and time (ms) of each spike, in order of time."""
    trains = [train.rescale("ms").magnitude - start for train in segment.spiketrains]
    times = np.concatenate([np.zeros(0), *trains])
    index = np.repeat(np.arange(len(trains), dtype=np.int32), [len(train) for train in trains])
    order = np.lexsort((index, times))
    return index[order], times[order]


def _signal(name: str, trace: Trace) -> Any:
    import neo
    import quantities

    known = trace.unit in KNOWN_UNITS
    return neo.AnalogSignal(
        trace.values.T,
        units=trace.unit if known else "dimensionless",
        sampling_period=trace.dt * quantities.ms,
        name=name,
        array_annotations={"cells": np.asarray(trace.cells)},
        unit=trace.unit,
        dt=float(trace.dt),
    )


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _neo_array(values: np.ndarray) -> np.ndarray:
    """Array that Neo takes as annotation: text of fixed length."""
    return values.astype("U") if values.dtype == object else values


# ---------------------------------------------------------------- xarray


def to_xarray(recording: Recording) -> xarray.Dataset:
    """Dataset with the traces of a recording, its spikes as flat arrays, its units and its protocol.

    Parameters
    ----------
    recording : Recording
        What to convert. Its weights are left out.

    Returns
    -------
    xarray.Dataset
        ``trace_<name>`` (cell, time) with attribute ``units``; coordinates ``cell``, the number of the unit, and
        ``time`` (ms). Traces of other cells or another sampling have the dimensions ``cell_<name>`` and
        ``time_<name>``. ``spike_time`` (ms) and ``spike_index`` over ``spike``; ``neuron_<column>`` over
        ``neuron``; ``protocol_<column>`` over ``presentation``. It can be written with ``to_netcdf``.

    Examples
    --------
    >>> shown = Protocol(pd.DataFrame({"onset": [0.0], "duration": [50.0]}))
    >>> units = pd.DataFrame({"population": ["E"], "orientation": [45.0]})
    >>> v = Trace(np.zeros((1, 51)), np.array([0]), 1.0, "mV")
    >>> data = to_xarray(Recording(units, np.array([0]), np.array([12.5]), 50.0, shown, {"v": v}))
    >>> data["trace_v"].dims, data["trace_v"].attrs, float(data["time"][-1])
    (('cell', 'time'), {'units': 'mV', 'dt': 1.0}, 50.0)
    """
    import xarray

    check_type("recording", recording, Recording)
    neurons, neuron_kinds = encode_columns(recording.neurons)
    protocol, protocol_kinds = encode_columns(recording.protocol.table)
    variables: dict[str, Any] = {
        "spike_time": ("spike", np.asarray(recording.spike_time), {"units": "ms"}),
        "spike_index": ("spike", np.asarray(recording.spike_index)),
    }
    variables |= {f"neuron_{name}": ("neuron", values) for name, values in neurons.items()}
    variables |= {f"protocol_{name}": ("presentation", values) for name, values in protocol.items()}
    coordinates: dict[str, Any] = {}
    grids: list[tuple[str, Trace]] = []
    for name, trace in recording.traces.items():
        suffix = next((suffix for suffix, other in grids if _same_grid(trace, other)), None)
        if suffix is None:
            suffix = f"_{name}" if grids else ""
            grids.append((suffix, trace))
            about = {"long_name": "number of the unit"}
            coordinates[f"cell{suffix}"] = (f"cell{suffix}", np.asarray(trace.cells), about)
            coordinates[f"time{suffix}"] = (f"time{suffix}", trace.times, {"units": "ms"})
        facts = {"units": trace.unit, "dt": float(trace.dt)}
        variables[f"trace_{name}"] = ((f"cell{suffix}", f"time{suffix}"), trace.values, facts)
    facts = {
        "netlib_recording": 1,
        "duration": float(recording.duration),
        "protocol_duration": float(recording.protocol.duration),
        "traces": json.dumps(list(recording.traces)),
        "neurons": json.dumps(neuron_kinds),
        "protocol": json.dumps(protocol_kinds),
        "provenance": json.dumps(jsonable(recording.provenance)),
    }
    return xarray.Dataset(variables, coordinates, facts)


def from_xarray(dataset: xarray.Dataset) -> Recording:
    """Recording of which :func:`to_xarray` made this dataset, without weights.

    Raises
    ------
    ValueError
        If the dataset lacks a variable or an attribute that it needs.
    """
    import xarray

    check_type("dataset", dataset, xarray.Dataset)
    try:
        facts = dataset.attrs
        tables = {}
        for prefix, key in (("neuron", "neurons"), ("protocol", "protocol")):
            kinds = json.loads(facts[key])
            tables[key] = decode_columns({name: dataset[f"{prefix}_{name}"].to_numpy() for name in kinds}, kinds)
        traces = {}
        for name in json.loads(facts["traces"]):
            data = dataset[f"trace_{name}"]
            cells = dataset[data.dims[0]].to_numpy()
            traces[name] = Trace(data.to_numpy(), cells, float(data.attrs["dt"]), data.attrs["units"])
        return Recording(
            neurons=tables["neurons"],
            spike_index=dataset["spike_index"].to_numpy(),
            spike_time=dataset["spike_time"].to_numpy(),
            duration=float(facts["duration"]),
            protocol=Protocol(tables["protocol"], rebuild(tables["protocol"]), float(facts["protocol_duration"])),
            traces=traces,
            provenance=json.loads(facts["provenance"]),
        )
    except KeyError as error:
        raise ValueError(f"dataset lacks something ({error.args[0]}): it must be one that to_xarray made") from error


def _same_grid(one: Trace, other: Trace) -> bool:
    return one.dt == other.dt and one.values.shape == other.values.shape and np.array_equal(one.cells, other.cells)
