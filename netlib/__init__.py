"""Ring networks of the primary visual cortex: from a movie to orientation tuning curves.

The rooms, in the order in which data flows through them::

    stimuli -> lgn -> networks -> recordings -> analysis -> experiments, figures

and beside them ``theory``, rate models and closed forms of the ring, and ``striatum``, a neuron that learns rewarded
patterns.

``import netlib`` loads none of them: ``netlib.stimuli`` does so at its first use. A simulator is imported when a
network is built.
"""

__version__ = "0.1.0"

_ROOMS = (
    *("orientation", "stimuli", "lgn", "networks", "recordings"),
    *("analysis", "experiments", "figures", "theory", "striatum", "sweep"),
    *("openscope", "imaging", "explore"),
)

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str):
    """Import a room when it is first asked for (PEP 562)."""
    if name in _ROOMS:
        import importlib

        return importlib.import_module(f"netlib.{name}")
    raise AttributeError(f"module 'netlib' has no attribute {name!r}; its rooms are {', '.join(_ROOMS)}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
