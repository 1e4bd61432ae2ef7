"""Ring networks of the primary visual cortex: from a movie to orientation tuning curves.

A core, its rooms in the order in which data flows through them, and applications on top::

    base -> stimuli -> lgn -> networks -> recordings -> tuning      figures   sweep   theory
                                                    \\-> calcium, statistics
    v1   explore   striatum   openscope   pathways

``import netlib`` loads none of them: ``netlib.stimuli`` does so at its first use. A simulator is imported when a
network is built.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        *("base", "stimuli", "lgn", "networks", "recordings", "tuning"),
        *("calcium", "statistics", "figures", "sweep", "theory"),
        *("v1", "explore", "striatum", "openscope", "pathways"),
    ],
)
