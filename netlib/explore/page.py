"""The explorer's page, in Panel: controls to the left, what the network does to the right.

Networks run in one thread beside the page, so that it stays alive.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import Any

import panel as pn

from netlib.base.fields import parse_value
from netlib.explore.breaks import BREAKS
from netlib.explore.plots import Plots, movie_uri
from netlib.explore.run import Measures, Result, compute
from netlib.explore.state import LIMITS, NETWORKS, PLASTICITY, STIMULI, ExplorerState, to_python

__all__ = ["Controls", "Page", "Worker", "differences", "sentence"]

# ---------------------------------------------------------------- controls

#: What the page calls the preset's own value of ``ratio`` and ``delay``.
OWN = "preset's"
OPTIONAL = ("ratio", "delay")
#: Sliders that end before the legal range does, where all that happens happens; the box beside takes the rest.
SLIDER_ENDS = {
    **dict.fromkeys(("E_to_E", "E_to_I", "I_to_E", "I_to_I"), 6.0),
    **dict.fromkeys(("width_E", "width_I"), 6.0),
    "input": 3.0,
}
GROUPS = {
    "Stimulus": ("stimulus", "orientation", "B_theta", "contrast"),
    "Network": (
        *("network", "input", "E_to_E", "E_to_I", "I_to_E", "I_to_I"),
        *("width_E", "width_I", "ratio", "delay"),
    ),
    "Plasticity and chance": ("plasticity", "seed"),
}
CHOICES = {"stimulus": STIMULI, "network": NETWORKS, "plasticity": PLASTICITY}
#: Styles reach into the shadow root of each widget by being handed to it.
SMALL = """
:host { font-size: 12px; }
label, .bk-slider-title { font-size: 12px; color: #222; }
.bk-input { font-size: 12px; height: 23px; min-height: 23px; padding: 0 5px; }
.bk-input-group { gap: 1px; }
select.bk-input { padding-right: 20px; background-position: right 6px center; }
.noUi-base, .noUi-connects { background-color: #ddd; }
.noUi-connect { background-color: #0072B2 !important; }
.noUi-horizontal { height: 4px; }
.noUi-horizontal .noUi-handle { width: 12px; height: 12px; top: -5px; right: -6px; }
"""


class Controls:
    """Widgets for every field of an :class:`~netlib.explore.state.ExplorerState`.

    Parameters
    ----------
    state : ExplorerState
        What they show at first.
    changed : callable
        Called with the name and the value of a field when the user lets go of its slider, or ends typing; the value
        of a box is text if it is not a number.
    """

    def __init__(self, state: ExplorerState, changed: Callable[[str, Any], None]) -> None:
        self._changed, self._silent = changed, True
        self.sliders: dict[str, pn.widgets.FloatSlider] = {}
        self.boxes: dict[str, pn.widgets.TextInput] = {}
        self.lists: dict[str, pn.widgets.Select] = {}
        for name, options in CHOICES.items():
            self.lists[name] = pn.widgets.Select(
                options=list(options), value=getattr(state, name), width=262, margin=(0, 4, 2, 4), stylesheets=[SMALL],
            )  # fmt: skip
            self.lists[name].param.watch(self._listener(name), "value")
        for name, limit in LIMITS.items():
            self.sliders[name] = pn.widgets.FloatSlider(
                label=limit.label, start=limit.low, end=SLIDER_ENDS.get(name, limit.high), step=limit.step,
                show_value=False, width=186, height=32, margin=(0, 8, 0, 8), stylesheets=[SMALL],
            )  # fmt: skip
            self.sliders[name].param.watch(self._listener(name), "value_throttled")
        for name in (*LIMITS, "seed"):
            self.boxes[name] = pn.widgets.TextInput(width=58, margin=(7, 0, 0, 0), stylesheets=[SMALL])
            self.boxes[name].param.watch(self._listener(name, self._parsed), "value")
        self.show(state)

    def _listener(self, name: str, read: Callable[[str, Any], Any] = lambda name, value: value) -> Callable:
        def listen(event: Any) -> None:
            if not self._silent:
                self._changed(name, read(name, event.new))

        return listen

    @staticmethod
    def _parsed(name: str, text: str) -> Any:
        """What a box says: a number where it is one, else its text; None for the preset's own."""
        text = text.strip()
        if name in OPTIONAL and text in ("", OWN):
            return None
        value = parse_value(text if name == "seed" else text.replace(",", "."))  # a comma may be a decimal one
        return value if isinstance(value, int | float) else text

    def show(self, state: ExplorerState, wrong: str = "") -> None:
        """Set all widgets, without a call of ``changed``; the box of the ``wrong`` field keeps its text, marked."""
        self._silent = True
        try:
            for name, widget in self.lists.items():
                widget.value = getattr(state, name)
            for name, slider in self.sliders.items():
                value = getattr(state, name)
                slider.value = slider.start if value is None else min(max(value, slider.start), slider.end)
                if name != wrong:
                    self.boxes[name].value = OWN if value is None else f"{value:g}"
            if wrong != "seed":
                self.boxes["seed"].value = str(state.seed)
            for name, box in self.boxes.items():
                box.styles = {"outline": "2px solid #D55E00" if name == wrong else "none"}
            self._use("orientation", state.stimulus != "NaturalMovie")
            self._use("B_theta", state.stimulus == "MotionCloud")
        finally:
            self._silent = False

    def _use(self, name: str, used: bool) -> None:
        """Grey out what the stimulus does not have."""
        for widget in (self.sliders[name], self.boxes[name]):
            widget.disabled = not used
            widget.styles = {**widget.styles, "opacity": "1" if used else "0.35"}

    def column(self) -> pn.Column:
        """All of them, below each other."""
        rows: list[Any] = []
        for title, names in GROUPS.items():
            rows.append(pn.pane.HTML(f"<b>{title}</b>", margin=(5, 4, 1, 4), styles={"font-size": "13px"}))
            rows += [self._row(name) for name in names]
        return pn.Column(*rows, width=286, margin=0)

    def _row(self, name: str) -> Any:
        if name in self.lists:
            return self.lists[name]
        if name == "seed":
            label = pn.pane.HTML(
                "seed of network and stimulus", width=186, margin=(8, 8, 0, 8), styles={"font-size": "12px"}
            )
            return pn.Row(label, self.boxes[name], margin=0)
        return pn.Row(self.sliders[name], self.boxes[name], margin=0, height=34)


# ---------------------------------------------------------------- the page

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


# ---------------------------------------------------------------- computing beside it

#: One for all pages: stimuli draw from NumPy's global generator, which two threads must not share.
_POOL = ThreadPoolExecutor(1, thread_name_prefix="netlib explore")


class Worker:
    """Computes the newest state that a page asked for; those it asked for in between are skipped.

    Parameters
    ----------
    done : callable
        Called with the state, and with its :class:`~netlib.explore.run.Result` or the error instead of one.
    later : callable
        Hands a function without arguments to the page's own thread.
    """

    def __init__(
        self, done: Callable[[ExplorerState, Result | Exception], None], later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._done, self._later = done, later
        self._lock, self._wanted, self._busy = threading.Lock(), None, False

    def ask(self, state: ExplorerState) -> None:
        """Have a state computed; returns at once."""
        with self._lock:
            self._wanted = state
            if self._busy:
                return
            self._busy = True
        _POOL.submit(self._work)

    def _work(self) -> None:
        with self._lock:
            state, self._wanted = self._wanted, None
        outcome = outcome_of(state)
        with self._lock:
            newer = self._wanted is not None
            self._busy = newer
        if newer:
            _POOL.submit(self._work)
        else:
            self._later(lambda: self._done(state, outcome))


def outcome_of(state: ExplorerState) -> Result | Exception:
    """The result of a state, or the error that kept it from having one."""
    try:
        return compute(state)
    except Exception as error:  # whatever it is, the page says it and goes on
        return error
