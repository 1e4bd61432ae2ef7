"""The command ``netlib explore``."""

from __future__ import annotations

from typing import Annotated

import typer

from netlib.base.command import refused

__all__ = ["add_to"]


def explore(
    port: Annotated[int, typer.Option(help="Port of the page on this computer; 0 takes a free one.")] = 5010,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page with sliders for stimulus, network and plasticity, and what the network does with them."""
    with refused(ValueError, ImportError, OSError):
        from netlib.explore.explorer import serve

        serve(port, browser=browser, ready=lambda address: typer.echo(f"The explorer is at {address} (Ctrl-C ends it)"))


def add_to(netlib: typer.Typer) -> None:
    """Add the command to ``netlib``."""
    netlib.command()(explore)
