"""The explorer in a notebook: sliders where somebody can move them, else a picture."""

from __future__ import annotations

import base64
import dataclasses
import importlib.util
import re
from typing import Any

from netlib.explore.run import Result, compute
from netlib.explore.source import to_python
from netlib.explore.state import ExplorerState
from netlib.explore.still import plot_result
from netlib.figures.style import Picture

__all__ = ["Explorer"]


class Explorer:
    """A stimulus, a ring network and what it does; as the last line of a notebook's cell, with sliders.

    Where nobody can move a slider (nbconvert, nbclient, papermill, or Panel is not installed) it shows as a picture,
    and a notebook that was saved with sliders shows the picture too where its program is gone.

    Parameters
    ----------
    **settings
        Fields of :class:`~netlib.explore.state.ExplorerState`.

    Attributes
    ----------
    state : ExplorerState
        What is shown; the sliders set it.

    Examples
    --------
    >>> explorer = Explorer(network="v1", E_to_E=2.0)
    >>> explorer.set(contrast=0.1).state.contrast
    0.1
    >>> explorer.set(contrast=3.0)
    Traceback (most recent call last):
    ...
    ValueError: contrast = 3.0 is out of range: it must be in [0, 1]
    """

    def __init__(self, **settings: Any) -> None:
        self.state = ExplorerState(**settings)

    def __repr__(self) -> str:
        usual = ExplorerState()
        own = {f.name: getattr(self.state, f.name) for f in dataclasses.fields(self.state)}
        return f"Explorer({', '.join(f'{k}={v!r}' for k, v in own.items() if v != getattr(usual, k))})"

    @property
    def result(self) -> Result:
        """What the network does in this state: recording, tuning, measures."""
        return compute(self.state)

    def set(self, **changes: Any) -> Explorer:
        """Change fields of the state; a page that is open does not follow."""
        self.state = dataclasses.replace(self.state, **changes)
        return self

    def python(self) -> str:
        """Source code that makes the recording of this state."""
        return to_python(self.state)

    def figure(self) -> Picture:
        """A picture of this state."""
        return plot_result(self.result)

    def page(self) -> Any:
        """The page as a Panel layout, for a notebook or an app of one's own; its sliders set :attr:`state`.

        Raises
        ------
        ImportError
            Without Panel.
        """
        check_panel()
        from netlib.explore.page import Page

        return Page(self.state, changed=self._follow).start().layout

    def _follow(self, state: ExplorerState) -> None:
        self.state = state

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        still = {"text/plain": repr(self), "image/png": base64.b64encode(self.figure()._repr_png_()).decode()}
        if not (_somebody_is_there() and importlib.util.find_spec("panel")):
            return still
        import panel as pn

        pn.extension(inline=True)  # the scripts go into the notebook: it needs no network
        bundle, metadata = self.page()._repr_mimebundle_(include, exclude)
        bundle["text/html"] = _with_still(_with_styles(bundle["text/html"]), still["image/png"])
        return {**bundle, **still}, metadata


def check_panel() -> None:
    """Raise ImportError, with what to install, if Panel is missing."""
    if importlib.util.find_spec("panel") is None:
        raise ImportError("the explorer's page needs Panel: pip install 'netlib[explore]'")


def _somebody_is_there() -> bool:
    """Whether the cell that runs was sent by a program that can ask its user something, as nbconvert cannot."""
    try:
        from IPython import get_ipython

        return bool(get_ipython().kernel.get_parent("shell")["content"]["allow_stdin"])
    except (ImportError, AttributeError, KeyError, TypeError):
        return False


def _with_still(html: str, png: str) -> str:
    """The page's HTML with a picture that shows only as long as its root stays empty."""
    style = "<style>.netlib-live:has(> :first-child > *) ~ .netlib-still { display: none }</style>"
    picture = f'<img class="netlib-still" style="max-width: 100%" alt="the explorer" src="data:image/png;base64,{png}">'
    return f'{style}<div><div class="netlib-live">{html}</div>{picture}</div>'


def _with_styles(html: str) -> str:
    """The page's HTML with the style sheets that it would fetch from the web put into it."""
    from panel.io.resources import CDN_DIST, DIST_DIR

    def sheet(found: re.Match) -> str:
        path = DIST_DIR / found[1]
        if not path.is_file():
            return found[0]
        return "data:text/css;base64," + base64.b64encode(path.read_bytes()).decode()

    return re.sub(re.escape(CDN_DIST) + r"([\w/.-]+\.css)(?:\?v=[\w.]+)?", sheet, html)
