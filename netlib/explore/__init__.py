"""The explorer: sliders for stimulus and network, and what the network does with them, within seconds.

``netlib explore`` opens it as a page, :class:`Explorer` in a notebook; :func:`compute` is the same without a page.
Names load at their first use: the command line imports this room before it knows whether it is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "breaks": ["BREAKS", "Break"],
        "explorer": ["Explorer", "serve"],
        "picture": ["plot_result"],
        "run": ["Bump", "Measures", "Result", "compute", "shown_movie", "tuning_protocol", "turned_rates"],
        "state": ["ExplorerState", "LIMITS", "NETWORKS", "PLASTICITY", "STIMULI", "to_python"],
    },
)
