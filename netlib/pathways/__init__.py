"""Striatal imaging during motor learning: direct and indirect pathway, from behaviour and imaging files to a report.

Names load at their first use: importing this package, as the command does, loads neither scikit-learn nor NEST.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "dataset": ["read_truth", "write_dataset"],
        "files": ["load_registration", "load_session"],
        "imetronic": ["read_imetronic", "write_imetronic"],
        "manifest": ["Manifest", "build_manifest", "load_manifest"],
        "parameters": ["PipelineParameters"],
        "pipeline": ["PipelineRun", "inspect_manifest", "run_pipeline"],
        "results": ["Results"],
        "session": ["BehaviourSession"],
        "simulate": [
            "CLAIMS",
            "MousePlan",
            "SyntheticParameters",
            "network_mouse",
            "plan_mouse",
            "simulate_behaviour",
            "simulate_training",
            "synthetic_mouse",
            "synthetic_session",
        ],
        "simulated_images": ["render_movie"],
        "simulated_network": ["NetworkParameters"],
    },
)
