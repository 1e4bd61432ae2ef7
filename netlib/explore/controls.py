"""The explorer's sliders, boxes and lists, and the state that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn

from netlib.explore.state import LIMITS, NETWORKS, PLASTICITY, STIMULI, ExplorerState

__all__ = ["Controls"]

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
        try:
            return int(text) if name == "seed" else float(text.replace(",", "."))
        except ValueError:
            return text

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
