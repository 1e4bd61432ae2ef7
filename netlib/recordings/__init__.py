"""What was recorded: one object for simulated and real data; calcium imaging; sessions over NWB; files in and out.

Names are loaded at their first use: importing this room loads neither pynwb nor a simulator.
"""

from __future__ import annotations

import importlib

from netlib.recordings.recording import Recording, Trace
from netlib.recordings.simulate import record_ring

#: Names of this room by the module they are in.
_WHERE = {
    "calcium": ("GCAMP6F", "GCAMP6S", "INDICATORS", "Indicator", "calcium_trace", "indicator"),
    "microscope": ("Microscope", "image"),
    "baselines": ("dff", "noise_level", "running_baseline"),
    "deconvolution": ("Deconvolution", "deconvolve", "deconvolve_trace"),
    "spike_score": ("SpikeScore", "spike_rate_correlation"),
    "joint_recordings": ("JointRecording", "load_joint_recordings"),
    "session": ("Session",),
    "session_metadata": ("SessionMetadata",),
    "stim": ("Gabors", "Grayscr", "Stim", "Visflow"),
    "mouse_table": ("MouseTable",),
    "nwb_session": ("write_session",),
    "tracking": ("RoiTracking", "read_roi_tracking", "tracked_order"),
    "imaged_session": ("session_from_recording",),
    "simulate_session": ("simulate_mouse",),
    "nwb_recording": ("read_recording", "write_recording"),
    "neo_export": ("from_neo", "to_neo"),
    "xarray_export": ("from_xarray", "to_xarray"),
    "ophys_readers": ("list_series", "read_ophys"),
    "roi_traces": ("roi_recording",),
    "pipeline_readers": ("read_caiman", "read_suite2p"),
    "dandi_download": ("DownloadError", "describe_plan", "download", "plan_download"),
    "behaviour_session": ("BehaviourSession",),
    "imetronic": ("read_imetronic", "write_imetronic"),
    "manifest": ("Manifest", "load_manifest"),
    "session_loading": ("load_session",),
    "simulate_behaviour": ("simulate_training",),
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
