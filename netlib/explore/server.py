"""The explorer as a page: served by Panel from this computer, scripts included; it needs no network."""

from __future__ import annotations

import errno
import webbrowser
from collections.abc import Callable
from typing import Any

from netlib.explore.explorer import check_panel
from netlib.explore.state import ExplorerState
from netlib.units import check_integer

__all__ = ["serve"]


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

    from netlib.explore.page import Page
    from netlib.explore.worker import Worker

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
