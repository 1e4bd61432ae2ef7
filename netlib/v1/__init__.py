"""Experiments on the ring networks: each a function of one seed that returns a table, run over many.

``netlib experiment NAME`` runs one from the shell; the notebooks redraw what it stored. Names load at their first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"experiments": ["EXPERIMENTS"]})
