"""Figures of labels that single neurons get: the behaviour that they tell of best, and the cluster of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from netlib.figures.pathways_style import (
    GROUP_COLOURS,
    PATHWAY_COLOURS,
    PATHWAY_NAMES,
    check_columns,
    cluster_colour,
)
from netlib.figures.style import PALETTE, new_figure, styled
from netlib.units import check_type

__all__ = ["plot_best_labels", "plot_candidates"]


@styled
def plot_best_labels(
    tables: Mapping[str, pd.DataFrame],
    labels: Sequence[str] = tuple(GROUP_COLOURS),
    figure: Figure | None = None,
) -> Figure:
    """Neurons by the one behaviour that they tell of best: activated upwards, inactivated downwards.

    Parameters
    ----------
    tables : mapping of DataFrame
        By pathway (or another name), from :func:`netlib.analysis.modulation_labels.best_label`: ``label``,
        ``direction``, ``significant``. Bars count significant ones; outlines add those that are not.
    labels : sequence of str
        Behaviours, in order.
    figure : Figure, optional
        Draw into this one.
    """
    if not check_type("tables", tables, Mapping):
        raise ValueError("tables is empty: it must hold at least one")
    figure = new_figure(0.55 * len(labels) * len(tables) + 1.8, 2.8, figure)
    axes = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, tables.items(), strict=True):
        check_columns("table", table, "label", "direction", "significant")
        for k, label in enumerate(labels):
            for direction, sign in (("up", 1), ("down", -1)):
                own = table[(table["label"] == label) & (table["direction"] == direction)]
                colour = GROUP_COLOURS.get(label, PATHWAY_COLOURS.get(name, "0.5"))
                ax.bar(k, sign * int(own["significant"].sum()), 0.7, color=colour, lw=0)
                ax.bar(k, sign * len(own), 0.7, fill=False, edgecolor="0.4", lw=0.7, ls=":")
        ax.axhline(0, color="black", lw=0.8)
        ax.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(f"{PATHWAY_NAMES.get(name, name)}: {len(table)} neurons", fontsize=8)
        ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("neurons: activated ↑,\ninactivated ↓ (dotted: all)")
    return figure


@styled
def plot_candidates(
    models: pd.DataFrame, candidates: pd.DataFrame, title: str = "", figure: Figure | None = None
) -> Figure:
    """How well members are assigned to their own cluster, left out one by one, and where the candidates go.

    Parameters
    ----------
    models : DataFrame
        A row for each session: ``session``, ``accuracy``, ``accepted`` (share of members not rejected),
        ``accuracy_accepted``, ``chance``, as of ``Candidates.leave_one_out`` of
        :func:`netlib.analysis.candidates.fit_candidates`.
    candidates : DataFrame
        ``session``, ``cluster`` (-1: rejected), a row for each.
    title : str
        Such as the pathway.
    figure : Figure, optional
        Draw into this one.
    """
    check_columns("models", models, "session", "accuracy", "accepted", "accuracy_accepted", "chance")
    check_columns("candidates", candidates, "session", "cluster")
    figure = new_figure(7.4, 2.8, figure)
    left, right = figure.subplots(1, 2)
    names = {"accuracy": ("all members", PALETTE[0], "o-"), "accuracy_accepted": ("not rejected", PALETTE[5], "s-")}
    names["accepted"] = ("share not rejected", "0.6", "^:")
    for column, (name, colour, style) in names.items():
        left.plot(models["session"], models[column], style, color=colour, ms=4, lw=1.2, label=name)
    left.plot(models["session"], models["chance"], color="black", lw=0.9, ls="--", label="chance", gid="chance")
    left.set(xlabel="session", ylabel="members assigned\nto their own cluster", ylim=(0, 1.02))
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=6.5)
    _stack_candidates(right, candidates)
    sessions = sorted(set(models["session"]) | set(candidates["session"]))
    for ax in (left, right):
        ax.set(xticks=sessions, xlim=(sessions[0] - 0.6, sessions[-1] + 0.6))
    figure.suptitle(title, fontsize=9)
    return figure


def _stack_candidates(ax: Axes, candidates: pd.DataFrame) -> None:
    counts = pd.crosstab(candidates["session"], candidates["cluster"])
    order = [c for c in counts.columns if c >= 0] + [c for c in counts.columns if c < 0]
    bottom = np.zeros(len(counts))
    for cluster in order:
        n = counts[cluster].to_numpy(float)
        name = f"cluster {cluster}" if cluster >= 0 else "rejected"
        ax.bar(counts.index, n, 0.75, bottom=bottom, color=cluster_colour(cluster), lw=0, label=name)
        bottom += n
    ax.set(xlabel="session", ylabel="candidates")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
