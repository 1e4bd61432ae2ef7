"""Recordings as xarray datasets, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from netlib.provenance import jsonable
from netlib.recordings.files.columns import decode_columns, encode_columns
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol
from netlib.stimuli.table import rebuild
from netlib.units import check_type

if TYPE_CHECKING:
    import xarray

__all__ = ["from_xarray", "to_xarray"]


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
    >>> import pandas as pd
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
            coordinates[f"cell{suffix}"] = (
                f"cell{suffix}",
                np.asarray(trace.cells),
                {"long_name": "number of the unit"},
            )
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
