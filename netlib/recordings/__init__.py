"""What was recorded: one object for simulated and real data.

Sub-rooms: `fluorescence` (spikes to calcium and back), `two_photon` (sessions over NWB), `operant` (behaviour files
with imaging), `files` (in and out).

Names are loaded at their first use: importing this room loads neither pynwb nor a simulator.
"""

from __future__ import annotations

import importlib

from netlib.recordings.recording import Recording, Trace
from netlib.recordings.simulate import record_ring

#: Names of this room by the module they are in.
_WHERE = {
    "fluorescence.calcium": ("GCAMP6F", "GCAMP6S", "INDICATORS", "Indicator", "calcium_trace", "indicator"),
    "fluorescence.microscope": ("Microscope", "image"),
    "fluorescence.baselines": ("dff", "noise_level", "running_baseline"),
    "fluorescence.deconvolution": ("Deconvolution", "deconvolve", "deconvolve_trace"),
    "fluorescence.spike_score": ("SpikeScore", "spike_rate_correlation"),
    "fluorescence.forward_fit": ("forward_fit",),
    "fluorescence.joint_recordings": ("JointRecording", "load_joint_recordings"),
    "two_photon.session": ("Session",),
    "two_photon.session_metadata": ("SessionMetadata",),
    "two_photon.stim": ("Gabors", "Grayscr", "Stim", "Visflow"),
    "two_photon.mouse_table": ("MouseTable",),
    "two_photon.nwb_session": ("write_session",),
    "two_photon.tracking": ("RoiTracking", "read_roi_tracking", "tracked_order"),
    "two_photon.imaged_session": ("session_from_recording",),
    "two_photon.simulate_session": ("simulate_mouse", "simulate_session"),
    "files.nwb_recording": ("read_recording", "write_recording"),
    "files.neo_export": ("from_neo", "to_neo"),
    "files.xarray_export": ("from_xarray", "to_xarray"),
    "files.ophys_readers": ("list_series", "read_ophys"),
    "files.roi_traces": ("roi_recording",),
    "files.pipeline_readers": ("read_caiman", "read_suite2p"),
    "files.dandi_download": ("DownloadError", "describe_plan", "download", "plan_download"),
    "operant.behaviour_session": ("BehaviourSession",),
    "operant.imetronic": ("read_imetronic", "write_imetronic"),
    "operant.build_manifest": ("build_manifest",),
    "operant.manifest": ("Manifest", "load_manifest"),
    "operant.session_loading": ("load_session",),
    "operant.simulate_behaviour": ("simulate_behaviour", "simulate_training"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = ["Recording", "Trace", "record_ring", *_MODULE_OF]


def __getattr__(name: str):
    """Load a name when it is first asked for (PEP 562)."""
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"netlib.recordings.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'netlib.recordings' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
