"""The explorer's plots, in Bokeh: made once, then given new data."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, CustomJS, HoverTool, LinearColorMapper, Range1d
from bokeh.palettes import Inferno256
from bokeh.plotting import figure

from netlib.explore.picture import CELL_COLOURS, DEGREES
from netlib.explore.run import Result
from netlib.figures.style import colour_of
from netlib.figures.tuning import fitted
from netlib.stimuli.movie import Movie

__all__ = ["Plots", "movie_uri"]

#: Most spikes drawn of a population; the rest are left out evenly.
MOST_SPIKES = 6000
MARKS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "star")
DASH = {"E": "solid", "I": "dashed", "input": "dotted", "E2": "solid", "I2": "dashed"}
#: Room to the right of what is drawn over time, for the colour bar of one of the two (px).
ROOM = 55
#: They take what height a large screen has left, and zoom in time.
GROWS = {"tools": "xbox_zoom", "sizing_mode": "stretch_both"}


def movie_uri(movie: Movie) -> tuple[str, float]:
    """The address of an animated gif that holds the movie, about 50 frames of it, and how much slower it plays."""
    from PIL import Image

    every = max(1, len(movie) // 50)
    frames = [Image.fromarray((255 * frame).astype(np.uint8)) for frame in movie.frames[::every]]
    slower = 4.0 if every == 1 else 1.5
    buffer = io.BytesIO()
    wait = max(20, round(movie.frame_duration * every * slower))
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=wait, loop=0)
    return "data:image/gif;base64," + base64.b64encode(buffer.getvalue()).decode(), slower


def _plain(title: str, x: str, y: str, height: int, **options: Any) -> figure:
    """An empty figure in the project's style."""
    plot = figure(
        title=title, height=height, min_height=height, toolbar_location=None,
        **{"tools": "", "sizing_mode": "stretch_width", "min_width": 190, **options},
    )  # fmt: skip
    plot.xaxis.axis_label, plot.yaxis.axis_label = x, y
    plot.title.text_font_size, plot.title.text_font_style = "9pt", "bold"
    plot.grid.grid_line_color = "#ececec"
    plot.outline_line_color = None
    for axis in (plot.xaxis, plot.yaxis):
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "9pt"
        axis.minor_tick_line_color = None
    return plot


class Plots:
    """Five plots: raster, map of orientation and time, ring, bumps, tuning curves; :meth:`show` updates them all."""

    def __init__(self) -> None:
        self.sources: dict[str, ColumnDataSource] = {}
        self.raster = self._make_raster()
        self.map = self._make_map()
        self.ring = self._make_ring()
        self.bumps = self._make_bumps()
        self.tuning = self._make_tuning()

    def all(self) -> list[figure]:
        """The plots, from the top left to the bottom right."""
        return [self.ring, self.bumps, self.tuning, self.raster, self.map]

    def _new(self, name: str, *columns: str) -> ColumnDataSource:
        self.sources[name] = ColumnDataSource({column: [] for column in columns})
        return self.sources[name]

    def _make_raster(self) -> figure:
        plot = _plain(
            "Spikes", "", "orientation (deg)", 190, y_range=Range1d(-3, 183), tools="xbox_zoom", output_backend="canvas"
        )
        shade = self._new("shown", "left", "right", "theta")
        plot.quad("left", "right", 183, -3, source=shade, color="#f0f0f0", line_color=None, level="underlay")
        for name in ("I", "E"):
            source = self._new(f"spikes {name}", "t", "theta")
            plot.scatter("t", "theta", source=source, size=2, color=colour_of(name), alpha=0.65, line_color=None)
        plot.segment("left", "theta", "right", "theta", source=shade, color="black", line_dash="dashed", line_width=1.5)
        plot.yaxis.ticker = DEGREES
        plot.min_border_right = ROOM
        self.times = plot.x_range = Range1d(0, 1)
        plot.js_on_event("doubletap", self._back())
        return plot

    def _back(self) -> CustomJS:
        """What a double click does: show all of the time again."""
        return CustomJS(args={"times": self.times}, code="times.setv({start: times.reset_start, end: times.reset_end})")

    def _make_map(self) -> figure:
        time = "time (ms); drag to zoom, double-click to return"
        span = {"x_range": self.times, "y_range": Range1d(-3, 178)}
        plot = _plain("Rate", time, "orientation (deg)", 212, **span, **GROWS)
        plot.js_on_event("doubletap", self._back())
        plot.min_border_right = ROOM
        self.colours = LinearColorMapper(Inferno256, low=0, high=1)
        plot.image("rate", "x", "y", "dw", "dh", source=self._new("map", "rate", "x", "y", "dw", "dh"),
                   color_mapper=self.colours)  # fmt: skip
        for colour, width in (("black", 3.5), ("#56B4E9", 1.8)):
            plot.segment(
                "left", "theta", "right", "theta", source=self.sources["shown"], color=colour, line_width=width
            )
        plot.add_layout(ColorBar(color_mapper=self.colours, width=10, padding=2), "right")
        plot.yaxis.ticker, plot.grid.grid_line_color = DEGREES, None
        return plot

    def _make_ring(self) -> figure:
        plot = _plain("Ring, first presentation", "", "", 252, width=262, sizing_mode="fixed", match_aspect=True,
                      x_range=Range1d(-1.45, 1.45), y_range=Range1d(-1.3, 1.3))  # fmt: skip
        plot.axis.visible, plot.grid.visible = False, False
        plot.circle(0, 0, radius=[0.5, 1.0], fill_color=None, line_color="#d5d5d5")
        angle = 2 * np.radians(np.arange(0, 180, 30))
        plot.segment(0, 0, np.cos(angle), np.sin(angle), color="#e2e2e2")
        plot.text(1.17 * np.cos(angle), 1.15 * np.sin(angle), [f"{k}°" for k in range(0, 180, 30)], color="#505050",
                  text_align="center", text_baseline="middle", text_font_size="8pt")  # fmt: skip
        for name in ("input", "I", "E"):
            source = self._new(f"ring {name}", "x", "y")
            plot.line(
                "x", "y", source=source, color=colour_of(name), line_width=2, line_dash=DASH[name], legend_label=name
            )
        marks = self._new("mark", "x", "y")
        plot.line("x", "y", source=marks, color="black", line_dash="dotted")
        plot.scatter("x", "y", source=marks, marker="diamond", color="black", size=8)
        plot.text("x", "y", "text", source=self._new("scale", "x", "y", "text"), text_font_size="8pt", color="#505050",
                  text_align="center", text_baseline="middle")  # fmt: skip
        plot.legend.location, plot.legend.label_text_font_size = "bottom_left", "9pt"
        plot.legend.background_fill_alpha, plot.legend.border_line_color = 0.6, None
        plot.legend.glyph_height, plot.legend.spacing, plot.legend.padding = 12, 0, 2
        return plot

    def _make_bumps(self) -> figure:
        plot = _plain("Bump", "cell − stimulus orientation (deg)",
                      "rate / largest", 252, x_range=Range1d(-90, 90), y_range=Range1d(0, 1.15))  # fmt: skip
        for name in ("input", "I", "E"):
            points, line = self._new(f"bump {name}", "x", "y"), self._new(f"fit {name}", "x", "y")
            plot.scatter("x", "y", source=points, size=5, color=colour_of(name), alpha=0.6,
                         marker=MARKS[("E", "I", "input").index(name)])  # fmt: skip
            plot.line("x", "y", source=line, color=colour_of(name), line_dash=DASH[name], line_width=2, name=name)
        plot.xaxis.ticker = [-90, -45, 0, 45, 90]
        return plot

    def _make_tuning(self) -> figure:
        plot = _plain("Tuning", "stimulus orientation (deg)", "rate (Hz)", 252, x_range=Range1d(-4, 184))
        for k, colour in enumerate(CELL_COLOURS):
            points, line = self._new(f"cell {k}", "x", "y"), self._new(f"curve {k}", "x", "y", "text")
            plot.scatter("x", "y", source=points, size=6, color=colour, marker=MARKS[k], alpha=0.8)
            drawn = plot.line("x", "y", source=line, color=colour, line_width=2)
            plot.add_tools(HoverTool(renderers=[drawn], tooltips=[("cell", "@text")], visible=False))
        plot.xaxis.ticker, plot.y_range.start = DEGREES, 0
        return plot

    def show(self, result: Result) -> None:
        """Draw a result."""
        windows = result.recording.protocol.windows()
        theta = result.recording.protocol.table["orientation"].to_numpy(float)
        self.sources["shown"].data = {"left": windows[:, 0], "right": windows[:, 1], "theta": theta}
        duration = result.recording.duration
        self.times.update(start=0, end=duration, reset_start=0, reset_end=duration)
        self._show_spikes(result)
        high = max(float(np.nanmax(result.rate_map)), 1.0)
        step = 180.0 / len(result.places)
        self.colours.update(low=0, high=high)
        self.sources["map"].data = {
            "rate": [result.rate_map.astype(np.float32)],
            "x": [0], "y": [-step / 2], "dw": [result.edges[-1]], "dh": [180.0],
        }  # fmt: skip
        self.map.title.text = f"Rate of {result.output} cells (Hz)" + ("; line: stimulus" if result.bumps else "")
        self._show_ring(result, float(theta[0]))
        self._show_bumps(result)
        self._show_tuning(result)

    def _show_spikes(self, result: Result) -> None:
        names = {"E": result.output, "I": "E" if result.output == "E2" else "I"}
        texts = []
        for slot, name in names.items():
            cells = result.recording.population(name)
            every = -(-len(cells.spike_time) // MOST_SPIKES) or 1
            place = cells.neurons["orientation"].to_numpy(float)
            self.sources[f"spikes {slot}"].data = {
                "t": cells.spike_time[::every].astype(np.float32),
                "theta": place[cells.spike_index[::every]].astype(np.float32),
            }
            colour = "orange" if slot == "E" else "blue"
            texts.append(f"{len(cells)} {name} ({colour})" + (f", 1 spike in {every} drawn" if every > 1 else ""))
        self.raster.title.text = f"Spikes: {'; '.join(texts)}" + ("; dashed: stimulus" if result.bumps else "")

    def _show_ring(self, result: Result, theta: float) -> None:
        names = {"E": result.output, "I": "I", "input": "input"}
        top = max(float(np.nanmax(result.ring[name][1])) for name in names.values())
        top = top if top > 0 else 1.0
        for slot, name in names.items():
            place, rate = result.ring[name]
            angle = 2 * np.radians(np.append(place, place[0] + 180.0))
            radius = np.append(rate, rate[0]) / top
            self.sources[f"ring {slot}"].data = {"x": radius * np.cos(angle), "y": radius * np.sin(angle)}
        angle = 2 * np.radians(theta)
        known = [] if np.isnan(theta) else [0.0, 1.0]
        self.sources["mark"].data = {"x": np.multiply(known, np.cos(angle)), "y": np.multiply(known, np.sin(angle))}
        away = angle + np.pi + 0.2 if known else 1.3
        self.sources["scale"].data = {
            "x": [r * np.cos(away) for r in (0.5, 1)], "y": [r * np.sin(away) for r in (0.5, 1)],
            "text": [f"{0.5 * top:.3g}", f"{top:.3g} Hz"],
        }  # fmt: skip

    def _show_bumps(self, result: Result) -> None:
        names = {"E": result.output, "I": "I", "input": "input"}
        for item, name in zip(self.ring.legend[0].items, ("input", "I", result.output), strict=True):
            item.label = {"value": name}
        texts = []
        x = np.linspace(-90, 90, 121)
        for slot, name in names.items():
            bump = result.bumps.get(name)
            empty = {"x": [], "y": []}
            if bump is None:
                self.sources[f"bump {slot}"].data = self.sources[f"fit {slot}"].data = empty
                continue
            fit = bump.fit if bump.fit is not None and np.isfinite(bump.fit["amplitude"]) else None
            line = None if fit is None else fitted(fit, x)
            top = max(float(bump.rate.max()), 0.0 if line is None else float(line.max())) or 1.0
            self.sources[f"bump {slot}"].data = {"x": bump.distance, "y": bump.rate / top}
            good = line is not None and fit["success"]
            self.sources[f"fit {slot}"].data = {"x": x, "y": line / top} if good else empty
            texts.append(f"{name} {bump.hwhh:.0f}°" if np.isfinite(bump.hwhh) else f"{name} –")
        self.bumps.title.text = f"HWHH {', '.join(texts)}" if texts else "No bump: many orientations"

    def _show_tuning(self, result: Result) -> None:
        for k in range(len(CELL_COLOURS)):
            self.sources[f"cell {k}"].data = {"x": [], "y": []}
            self.sources[f"curve {k}"].data = {"x": [], "y": [], "text": []}
        if result.table is None:
            self.tuning.title.text = "No tuning: nothing was turned"
            return
        x = np.linspace(0, 180, 121)
        for k, row in result.table.iterrows():
            curve = result.curves[result.curves["cell"] == row["cell"]]
            self.sources[f"cell {k}"].data = {"x": curve["orientation"].to_numpy(), "y": curve["rate"].to_numpy()}
            if row["success"]:
                text = f"at {row['orientation']:.0f}°: HWHH {row['hwhh']:.0f} ± {row['hwhh_se']:.0f}°"
                self.sources[f"curve {k}"].data = {"x": x, "y": fitted(row, x), "text": [text] * len(x)}
        good = int(result.table["success"].sum())
        self.tuning.title.text = f"Tuning: {len(result.table)} {result.output} cells, {good} fits"
