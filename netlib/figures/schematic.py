"""The network drawn from its parameters: who connects to whom, how widely and how strongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from lazyarray import larray
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from netlib.base.checks import check_type
from netlib.figures.style import colour_of, name_of, new_axes, styled
from netlib.networks.kernels import DistanceDecay, Kernel, OneToOne, Probability, VonMises
from netlib.networks.parameters import Connection, RingParameters

__all__ = ["plot_schematic", "projection_profile"]

#: Radius of each population, one wheel per ring of the network: in the second, the first ring is what drives it.
WHEELS = ({"input": 1.5, "E": 1.0, "I": 0.56}, {"E": 1.55, "I": 1.25, "E2": 0.9, "I2": 0.48})
#: Place on the page (deg, counter-clockwise from the right) of the cell whose connections are drawn, so that the
#: fans of one annulus lie on opposite sides.
SOURCES = {
    "input_to_E": 90, "input_to_I": 30, "E_to_E": 270, "E_to_I": 180, "I_to_E": 0, "I_to_I": 240,
    "E_to_E2": 90, "E_to_I2": 30, "I_to_E2": 150, "E2_to_E2": 270, "E2_to_I2": 195, "I2_to_E2": -15, "I2_to_I2": 240,
}  # fmt: skip
GLYPHS = {"input": 36, "E": 36, "I": 24, "E2": 36, "I2": 24}
TARGETS = 72
WIDEST = 4.0
#: Distance between the centres of two wheels.
HEIGHT = 3.5


@dataclass(frozen=True)
class Fan:
    """What is drawn of a projection.

    Attributes
    ----------
    offset : ndarray, shape (n,)
        Orientation of the target minus that of the source (deg), in [-90, 90).
    strength : ndarray, shape (n,)
        Expected weight (probability times weight factor), relative to the largest.
    total : float
        Expected sum of the weights onto one cell (uS or nA).
    in_degree : float
        Expected connections onto one cell.
    """

    offset: np.ndarray
    strength: np.ndarray
    total: float
    in_degree: float


def projection_profile(
    connection: Connection, n_pre: int, n_post: int, recurrent: bool = False, targets: int = TARGETS
) -> Fan:
    """Expected connections from one cell to ``targets`` cells around the ring, and onto one cell in all.

    ``recurrent`` tells that both populations are the same: then a cell may have to leave itself out.
    """
    factor, probability = connection.kernel.factor(n_pre, n_post), connection.kernel.probability(n_pre, n_post)

    def part(array: larray | None, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.ones(len(i)) if array is None else array.base_value.function(i, j)

    j = np.unique(np.arange(min(targets, n_post)) * n_post // min(targets, n_post))
    source = np.zeros_like(j)
    strength = part(probability, source, j) * part(factor, source, j)
    pre, post = np.arange(n_pre), np.zeros(n_pre, int)
    chance = part(probability, pre, post)
    if recurrent and not connection.self_connections:
        strength = np.where(j == 0, 0.0, strength)
        chance = np.where(pre == 0, 0.0, chance)
    offset = (180.0 * j / n_post + 90.0) % 180.0 - 90.0
    top = strength.max()
    return Fan(
        offset,
        strength / top if top > 0 else strength,
        float(connection.weight * (chance * part(factor, pre, post)).sum()),
        float(chance.sum()),
    )


def describe_kernel(kernel: Kernel) -> str:
    """Kernel in a few words, with its width in degrees."""
    if isinstance(kernel, VonMises):
        return f"von Mises, B$_\\theta$ = {kernel.B_theta:.3g}°"
    if isinstance(kernel, DistanceDecay):
        return f"p = exp(−{kernel.decay:g} d)"
    if isinstance(kernel, Probability):
        return f"p = {kernel.p:g}"
    return "one to one" if isinstance(kernel, OneToOne) else "all to all"


def describe_weight(weight: float, unit: str) -> str:
    """Weight with a unit that needs few zeros."""
    small = {"uS": "nS", "nA": "pA"}[unit]
    return f"{weight:.3g} {unit.replace('u', 'µ')}" if weight >= 0.1 or weight == 0 else f"{1000 * weight:.3g} {small}"


@styled
def plot_schematic(parameters: RingParameters, ax: Axes | None = None) -> Axes:
    """Input layer, ring of excitatory cells and ring of inhibitory cells, with the projections that exist.

    Every cell is a short line along its preferred contour; one turn is 180 degrees of orientation. Each projection
    is drawn from one cell: the opacity follows the kernel's profile (probability times weight), the width of the
    lines the expected total weight onto a target cell. A second ring is drawn below, around it the first that
    drives it.

    Parameters
    ----------
    parameters : RingParameters or TwoRings
        The network.
    ax : Axes, optional
        Draw into these.

    Returns
    -------
    Axes
        One line collection per projection, with its name as ``gid``; a legend per ring gives kernels and weights.
    """
    check_type("parameters", parameters, RingParameters)
    wheels = WHEELS[: 2 if "E2" in parameters.populations else 1]
    ax = new_axes(ax, 8.5, 4.9 * len(wheels))
    ax.set(xlim=(-1.7, 4.4), ylim=(1.7 - HEIGHT * len(wheels), 1.7), aspect="equal")
    ax.axis("off")
    fans = {}
    for name, connection in parameters.projections().items():
        pre, post = name.split("_to_")
        fans[name] = projection_profile(connection, parameters.size(pre), parameters.size(post), pre == post)
    for row, radii in enumerate(wheels):
        if row:
            ax.add_artist(ax.get_legend())  # type: ignore[arg-type]  # _draw_wheel has just made it
            ax.text(-1.7, 1.76 - HEIGHT * row, "The second ring, and around it the first")
        _draw_wheel(ax, parameters, fans, radii, -HEIGHT * row)
    ax.set_title(f"{parameters.name}: {parameters.excitatory.model}", loc="left")
    return ax


def _draw_wheel(ax: Axes, parameters: RingParameters, fans: dict[str, Fan], radii: dict[str, float], y: float) -> None:
    """One ring around (0, y), what drives it, the projections onto it, and its legend."""
    mark: dict[str, Any] = {"lw": 0, "marker": "_", "mew": 2.5, "ms": 9}
    handles = [
        Line2D([], [], color=colour_of(p), label=f"{parameters.size(p)} {name_of(p)} cells", **mark) for p in radii
    ]
    onto = ("E2", "I2") if "E2" in radii else ("E", "I")
    own = [name for name in fans if name.split("_to_")[1] in onto]
    for number, name in enumerate(own, start=1):
        fan, connection = fans[name], parameters.projections()[name]
        pre, post = name.split("_to_")
        unit = parameters.cell(post).weight_unit
        same = [f.total for n, f in fans.items() if parameters.cell(n.split("_to_")[1]).weight_unit == unit]
        width = 0.5 + (WIDEST - 0.5) * fan.total / max(max(same), 1e-300)
        _draw_fan(ax, name, fan, width, number, radii, y)
        text = (
            f"{number}  {pre} → {post}: {describe_kernel(connection.kernel)}\n"
            f"     {describe_weight(connection.weight, unit)}{_weight_is(connection.kernel)}, "
            f"{fan.in_degree:.3g} per cell, total {describe_weight(fan.total, unit)}"
        )
        handles.append(Line2D([], [], color=colour_of(pre), lw=width, label=text))
    for population, radius in radii.items():
        _draw_cells(ax, population, parameters.size(population), radius, y)
    ax.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1.78, y), bbox_transform=ax.transData, handlelength=2.0,
        labelspacing=0.75, title="Line width: total weight onto a cell.\nOpacity: kernel's profile, from one cell.",
        title_fontsize=8, alignment="left", borderaxespad=0,
    )  # fmt: skip


def _weight_is(kernel: Kernel) -> str:
    """What the weight of a kernel stands for, where it is not that of a single connection."""
    if isinstance(kernel, VonMises) and kernel.in_degree is None:
        return " summed" if kernel.normalise == "sum" else " at the peak"
    return " each"


def _draw_cells(ax: Axes, population: str, size: int, radius: float, y: float) -> None:
    """Some cells of a population as short lines along their preferred contour."""
    colour = colour_of(population)
    drawn = min(size, GLYPHS[population])
    orientation = 180.0 * np.arange(drawn) / drawn
    centre = 1j * y + radius * np.exp(2j * np.radians(orientation))
    arm = 0.055 * np.exp(1j * np.radians(orientation))
    ends = np.stack([centre - arm, centre + arm], axis=1)
    lines = np.stack([ends.real, ends.imag], axis=2)
    for line_colour, width in (("white", 4.5), (colour, 2.0)):
        ax.add_collection(LineCollection(list(lines), colors=line_colour, linewidths=width, zorder=4, capstyle="round"))


def _draw_fan(ax: Axes, name: str, fan: Fan, width: float, number: int, radii: dict[str, float], y: float) -> None:
    """Curves from one cell to its targets, inside the annulus between the two rings."""
    pre, post = name.split("_to_")
    start = np.radians(SOURCES[name])
    seen = np.flatnonzero(fan.strength > 0.02)
    seen = seen[np.argsort(fan.strength[seen])]
    s = np.linspace(0, 1, 40)
    ease = s * s * (3 - 2 * s)
    angle = start + 2 * np.radians(fan.offset[seen])[:, None] * ease
    radius = radii[pre] + (radii[post] - radii[pre]) * s
    bulge = {"E": 0.34, "I": -0.36}.get(pre[0], 0.0) if pre == post else 0.0
    radius = radius + bulge * np.sin(np.pi * s) * np.abs(fan.offset[seen] / 90.0)[:, None] ** 0.5
    paths = np.stack([radius * np.cos(angle), y + radius * np.sin(angle)], axis=2)
    colours = [to_rgba(colour_of(pre), 0.6 * a) for a in fan.strength[seen]]
    thin = max(0.25, width * 0.45)
    ax.add_collection(LineCollection(list(paths), colors=colours, linewidths=thin, zorder=2, gid=name))
    tips = paths[:, -1]
    marker = "o" if pre.startswith("I") else "."
    ax.scatter(tips[:, 0], tips[:, 1], s=7, marker=marker, c=colours, zorder=3, linewidths=0)
    ax.text(
        radii[pre] * np.cos(start), y + radii[pre] * np.sin(start), str(number),
        ha="center", va="center", fontsize=7, weight="bold", color="white", zorder=7,
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": colour_of(pre), "edgecolor": "white"},
    )  # fmt: skip
