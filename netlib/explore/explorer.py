"""The explorer as an object in a notebook, and as a page served from this computer, scripts included.

Without Panel the object still shows its picture, so that this file imports the page only where it is opened.
"""

from __future__ import annotations

import base64
import dataclasses
import errno
import importlib.util
import re
import webbrowser
from collections.abc import Callable
from typing import Any

from netlib.base.checks import check_integer
from netlib.explore.picture import plot_result
from netlib.explore.run import Result, compute
from netlib.explore.state import ExplorerState, to_python
from netlib.figures.style import Picture

__all__ = ["Explorer", "check_panel", "serve"]


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
        raise ImportError("the explorer's page needs Panel: pip install 'netlib-v1[explore]'")


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


# ---------------------------------------------------------------- serve


def serve(
    port: int = 5010,
    *,
    browser: bool = True,
    ready: Callable[[str], Any] | None = None,
    state: ExplorerState | None = None,
) -> None:
    """Serve the explorer until interrupted.

    Parameters
    ----------
    port : int
        Port on this computer; 0 takes a free one.
    browser : bool
        Open the page in the browser.
    ready : callable, optional
        Called with the page's address once it can be opened.
    state : ExplorerState, optional
        What a new page shows; by default the standard network.

    Raises
    ------
    ImportError
        Without Panel.
    OSError
        If the port is taken.
    """
    port = check_integer("port", port, 0, 65535)
    check_panel()
    import panel as pn

    from netlib.explore.page import Page, Worker

    first = state or ExplorerState()
    # The first picture is computed, and what Numba compiles compiled, while the browser opens.
    Worker(lambda state, outcome: None, lambda function: None).ask(first)

    def page() -> Any:
        shown = Page(first, later=_in_turn(pn.state.curdoc))
        pn.state.onload(shown.start)
        return shown.layout

    try:
        server = pn.serve(page, port=port, address="localhost", show=False, start=False, title="netlib explorer")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise OSError(f"port = {port} is taken by another program: choose another one, or 0 for any free one") from None
    address = f"http://localhost:{server.port}/"
    server.start()
    if ready is not None:
        server.io_loop.add_callback(ready, address)
    if browser:
        server.io_loop.add_callback(webbrowser.open, address)
    try:
        server.io_loop.start()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop(wait=False)


def _in_turn(document: Any) -> Callable[[Callable[[], None]], None]:
    """What hands a function to the thread of a document, to be called when it may change the document."""
    from panel.io.state import set_curdoc

    def later(function: Callable[[], None]) -> None:
        def call() -> None:
            with set_curdoc(document):
                function()

        document.add_next_tick_callback(call)

    return later
