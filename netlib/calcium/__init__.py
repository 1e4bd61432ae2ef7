"""Calcium imaging: indicators, the microscope, from fluorescence back to spikes, and cells whose spikes are known.

Names load at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines": ["dff", "noise_level", "running_baseline"],
        "deconvolution": ["Deconvolution", "SpikeScore", "deconvolve", "deconvolve_trace", "spike_rate_correlation"],
        "ground_truth": ["JointRecording", "forward_fit", "load_joint_recordings"],
        "indicators": ["GCAMP6F", "GCAMP6S", "INDICATORS", "Indicator", "calcium_trace", "indicator"],
        "microscope": ["Microscope", "image"],
        "spikes": ["SpikeInference", "infer_recording", "infer_spikes"],
    },
)
