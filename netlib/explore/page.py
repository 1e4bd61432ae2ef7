"""The explorer's page: controls to the left, what the network does to the right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn

from netlib.explore.breaks import BREAKS
from netlib.explore.controls import CHOICES, Controls
from netlib.explore.plots import Plots, movie_uri
from netlib.explore.run import Measures, Result
from netlib.explore.source import to_python
from netlib.explore.state import LIMITS, ExplorerState
from netlib.explore.worker import Worker, outcome_of

__all__ = ["Page", "sentence"]

#: What fails to be a state, and how; other errors are faults of ours and are shown with their kind.
REFUSALS = (ValueError, TypeError)
COPY = """
const done = () => { button.label = "copied"; setTimeout(() => { button.label = "copy the Python" }, 1500) };
const old = () => {
  const area = document.createElement("textarea");
  area.value = source.value; document.body.appendChild(area); area.select();
  document.execCommand("copy"); area.remove(); done();
};
if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(source.value).then(done, old);
else old();
"""
BUTTON = """
.bk-btn { font-size: 12px; padding: 3px 8px; white-space: nowrap; }
.bk-btn-primary { background: #0072B2 !important; color: white !important; }
"""
OUTLINE = ".bk-btn { border: 1px solid #0072B2 !important; color: #0072B2 !important; background: white !important; }"
STATUS = {"font-size": "12px", "white-space": "nowrap"}
TEXT = {"font-size": "13px", "line-height": "1.35", "color": "#222"}
FRAME = {"font-family": "Helvetica, Arial, sans-serif", "background": "white"}


class Page:
    """One page, or one widget of a notebook.

    Parameters
    ----------
    state : ExplorerState
        What it shows at first.
    later : callable, optional
        Hands a function to the thread of the page's document. With it networks run in a thread of their own; without
        it, as in a notebook, whose program is another than the browser's, the page waits for them.
    changed : callable, optional
        Called with every new state.

    Attributes
    ----------
    layout : Row
        What to show.
    state : ExplorerState
        What it shows, or will as soon as it is computed.
    """

    def __init__(
        self,
        state: ExplorerState,
        later: Callable[[Callable[[], None]], object] | None = None,
        changed: Callable[[ExplorerState], None] | None = None,
    ) -> None:
        self.state, self._follow, self._pictures = state, changed, 0
        self._worker = Worker(self._show, later) if later else None
        self._movie_of: Any = None
        self.controls = Controls(state, self._set)
        self.plots = Plots()
        self.movie = pn.pane.HTML(width=165, margin=(3, 8, 0, 0), styles=TEXT)
        self.message = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 10), visible=False, styles=TEXT)
        self.explanation = pn.pane.HTML(sizing_mode="stretch_width", margin=(3, 10, 2, 8), min_height=36, styles=TEXT)
        self.numbers = pn.pane.HTML(sizing_mode="stretch_width", margin=(0, 10, 2, 8), styles=TEXT)
        self.status = pn.pane.HTML(
            width=115, margin=(7, 0), styles={**TEXT, "font-size": "12px", "text-align": "right"}
        )
        self.source = pn.widgets.TextAreaInput(visible=False, max_length=20000)
        self.buttons = {name: self._break_button(name) for name in BREAKS}
        self.layout = self._make_layout()

    def start(self) -> Page:
        """Compute the first picture; on a server, once the browser has the page: what is drawn before may be lost."""
        self._ask()
        return self

    def _break_button(self, name: str) -> pn.widgets.Button:
        button = pn.widgets.Button(label=BREAKS[name].title, margin=(2, 3, 2, 0), stylesheets=[BUTTON])
        button.on_click(lambda event: self._become(BREAKS[name].state(self.state.seed)))
        return button

    def _make_layout(self) -> pn.Row:
        copy = pn.widgets.Button(label="copy the Python", margin=(2, 0, 2, 20), stylesheets=[BUTTON, OUTLINE])
        copy.js_on_click(args={"source": self.source, "button": copy}, code=COPY)
        title = pn.pane.HTML("<b>netlib explorer</b>", width=150, margin=(3, 8), styles={"font-size": "17px"})
        left = pn.Column(
            pn.Row(title, self.status, margin=0), self.controls.column(),
            width=290, sizing_mode="stretch_height", margin=(0, 6, 0, 0), styles={"background": "#f6f6f6"},
        )  # fmt: skip
        self._panes = [pn.pane.Bokeh(plot, margin=0) for plot in self.plots.all()]
        ring, bumps, tuning, raster, rates = self._panes
        raster.styles = rates.styles = {"flex": "1 1 0"}
        bumps.styles = tuning.styles = {"flex": "1 1 215px", "min-width": "0"}
        wide = {"sizing_mode": "stretch_width", "margin": (2, 10, 0, 6)}
        right = pn.Column(
            pn.FlexBox(*self.buttons.values(), copy, self.source, **wide),
            self.message,
            self.explanation,
            self.numbers,
            pn.FlexBox(self.movie, ring, bumps, tuning, **wide),
            raster,
            rates,
            sizing_mode="stretch_both",
            margin=0,
            styles={"min-width": "0"},
        )
        tall = {"min-height": "98vh"} if self._worker else {}
        return pn.Row(left, right, sizing_mode="stretch_both", margin=0, styles={**FRAME, **tall})

    def _set(self, name: str, value: Any) -> None:
        """A control was let go."""
        try:
            state = dataclasses.replace(self.state, **{name: value})
        except REFUSALS as error:
            self.controls.show(self.state, wrong=name)
            self._say(f"{error}. The picture is that of the last good values.")
        else:
            self._become(state)

    def _become(self, state: ExplorerState) -> None:
        self.state = state
        self.controls.show(state)
        self._say("")
        if self._follow is not None:
            self._follow(state)
        self._ask()

    def _ask(self) -> None:
        self.status.object = '<span class="netlib-status">computing …</span>'
        if self._worker is not None:
            self._worker.ask(self.state)
        else:
            self._show(self.state, outcome_of(self.state))

    def _say(self, text: str) -> None:
        """Show a message; an empty one takes it away."""
        style = "background: #fff3ec; border-left: 5px solid #D55E00; padding: 5px 9px"
        self.message.object = (
            f'<div role="alert" class="netlib-message" style="{style}">{escape(text)}</div>' if text else ""
        )
        self.message.visible = bool(text)

    def _show(self, state: ExplorerState, outcome: Result | Exception) -> None:
        """Draw what was computed, unless the user wants something else by now."""
        if state != self.state:
            return
        if isinstance(outcome, Exception):
            kind = "" if isinstance(outcome, REFUSALS) else f"{type(outcome).__name__}: "
            self._say(f"{kind}{outcome}")
            self.status.object = '<span class="netlib-status">no picture</span>'
            return
        self.plots.show(outcome)
        if self._movie_of != outcome.movie:
            self._movie_of, (uri, slower) = outcome.movie, movie_uri(outcome.movie)
            self.movie.object = _movie_html(uri, slower, state)
        self.source.value = to_python(state)
        self._explain(state, outcome.measures)
        self._pictures += 1
        self.status.object = (
            f'<span class="netlib-status" data-pictures="{self._pictures}">computed in {outcome.seconds:.2g} s</span>'
        )
        if self._worker is None:
            pn.io.push_notebook(*self._panes)

    def _explain(self, state: ExplorerState, measures: Measures) -> None:
        """Say what this state is and what was measured."""
        here = next((name for name, one in BREAKS.items() if one.state(state.seed) == state), None)
        text = f"<b>A state of your own.</b> Other than normal: {escape(differences(state))}."
        if here:
            text = f"<b>{escape(BREAKS[here].title.capitalize())}.</b> {escape(BREAKS[here].explanation)}"
        self.explanation.object = text
        for name, button in self.buttons.items():
            button.button_type = "primary" if name == here else "default"
        self.numbers.object = f'<span class="netlib-numbers">{sentence(measures)}</span>'


def differences(state: ExplorerState) -> str:
    """What differs from the default, in the words of the page.

    Examples
    --------
    >>> differences(ExplorerState(contrast=0.5, E_to_E=2.0, network="v1_two_rings"))
    'network v1_two_rings, contrast 0.5, E to E weight × 2'
    """
    usual = ExplorerState()
    words = {name: name for name in CHOICES} | {name: limit.label for name, limit in LIMITS.items()} | {"seed": "seed"}
    values = {name: getattr(state, name) for name in words if getattr(state, name) != getattr(usual, name)}
    texts = {name: value if isinstance(value, str) else f"{value:g}" for name, value in values.items()}
    return ", ".join(f"{words[name]} {text}" for name, text in texts.items())


def _movie_html(uri: str, slower: float, state: ExplorerState) -> str:
    what = f"{state.stimulus}, first presentation, {slower:g} times slower"
    return (
        f'<b style="font-size: 13px">Movie</b><br><img class="netlib-movie" src="{uri}" alt="{what}" '
        f'style="width: 160px; height: 160px; margin: 4px 0"><br><span style="font-size: 12px">{what}</span>'
    )


def sentence(measures: Measures) -> str:
    """The measures in a line of HTML; what there is none of is a dash.

    Examples
    --------
    >>> sentence(Measures(7.54, 18.7, 26.0, 38.2, 1.0, 3.8, 0.76, 2.6, float("nan"), float("nan")))[:42]
    'Measured: E <b>7.5 Hz</b>, I <b>19 Hz</b>;'
    """

    def number(value: float, unit: str = "") -> str:
        text = "–" if value != value else f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
        return f"<b>{text}{unit if value == value else ''}</b>"

    parts = [
        f"Measured: E {number(measures.rate, ' Hz')}, I {number(measures.rate_I, ' Hz')}",
        f"half width {number(measures.hwhh, '°')} (input {number(measures.hwhh_input, '°')})",
        f"depth {number(measures.modulation)}",
        f"error of readout {number(measures.error, '°')}",
        f"CV2 {number(measures.irregularity)}",
        f"synchrony {number(measures.synchrony)}",
        f"rhythm {number(measures.frequency, ' Hz')}",
    ]
    if measures.weight_change == measures.weight_change:
        parts.append(f"weights {measures.weight_change:+.1f} %")
    return "; ".join(parts)
