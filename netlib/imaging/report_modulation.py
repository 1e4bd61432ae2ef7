"""Section of the report on which neurons are activated and inactivated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.agreement import cohen_kappa, confusion
from netlib.figures import pathways as draw
from netlib.imaging.report_parts import Pictures, section
from netlib.imaging.results import Results
from netlib.report import Section

__all__ = ["modulation_section"]


def modulation_section(results: Results, pictures: Pictures) -> Section:
    """Which neurons are activated and inactivated."""
    found = results.statistics()
    labels = {pathway: found[f"labels {pathway}"] for pathway in results.pathways}
    guards = [results.session(mouse, k, "guard")["guard"] / 1000.0 for _, mouse, k in results.everything()]
    items: list[Any] = [
        f"Activity is shifted in time against behaviour by all lags beyond a guard of {min(guards):.0f} to "
        f"{max(guards):.0f} s; false discovery rate {results.parameters.alpha:g} in each session.",
        _said_of_fold(results.parameters.fold),
        pictures.draw(
            "fractions",
            draw.plot_fractions,
            found["fractions"],
            alt="activated and inactivated neurons",
            caption="Neurons with at least one behaviour of a kind; Wilson's interval over neurons.",
        ),
        pictures.draw(
            "fractions_behaviour",
            draw.plot_fractions,
            found["fractions"],
            "behaviour",
            alt="activated and inactivated neurons by behaviour",
        ),
        pictures.draw("labels_per_neuron", draw.plot_labels_per_neuron, labels, alt="behaviours per neuron"),
    ]
    best = {p: _best_labels(results, p) for p in results.pathways}
    caption = "The one behaviour of each neuron, all sessions; outlines are not significant."
    items.append(pictures.draw("best_labels", draw.plot_best_labels, best, alt="best labels", caption=caption))
    items += [_example(results, pictures, pathway) for pathway in results.pathways]
    items.append(_guard(results, pictures))
    return section("Modulation", items + _sources(results, pictures))


def _best_labels(results: Results, pathway: str) -> pd.DataFrame:
    parts = [results.session(m, k, "labels")["labels"] for p, m, k in results.everything() if p == pathway]
    return pd.concat(parts, ignore_index=True)


def _said_of_fold(fold: float | None) -> str:
    if fold is None:
        return "All that the test finds counts: a neuron activated in one behaviour is then inactivated in the others."
    return (
        f"A category counts if the rate in the behaviour also differs {fold:g}-fold from the median of the rates in "
        "the others: a neuron activated in one long behaviour lies below the session's mean in all others."
    )


def _example(results: Results, pictures: Pictures, pathway: str) -> Any:
    """The clearest neuron of the last session of the first mouse."""
    mouse = results.mice(pathway)[0]
    k = results.manifest.sessions(mouse)[-1]
    one = results.session(mouse, k, "example", "example_lags", "example_null", "guard")
    if "example" not in one:
        return f"{mouse}, session {k}: no neuron has a test."
    facts = one["example"]
    title = f"neuron {facts['neuron']} of {mouse} ({pathway}), session {k}, {facts['behaviour']}"
    return pictures.draw(
        f"shift_null_{pathway}",
        draw.plot_shift_null,
        one["example_null"],
        facts["observed"],
        one["example_lags"],
        guard=float(one["guard"]),
        percentile=facts["percentile"],
        p=facts["p"],
        title=title,
        alt=f"null of {title}",
        caption="The clearest neuron of the session.",
    )


def _guard(results: Results, pictures: Pictures) -> Any:
    mouse = results.mice()[0]
    k = results.manifest.sessions(mouse)[-1]
    one = results.session(mouse, k, "waits", "guard")
    return pictures.draw(
        "guard",
        draw.plot_guard,
        one["waits"],
        float(one["guard"]),
        alt="choice of the guard",
        caption=f"{mouse}, session {k}: times between sequences, and the guard chosen.",
    )


def _sources(results: Results, pictures: Pictures) -> list[Any]:
    """Agreement of events, inferred spikes, peaks and traces."""
    tables, signs = [], []
    for _, mouse, k in results.everything():
        one = results.session(mouse, k, "agreement", "signs", "trace signs")
        if "agreement" in one:
            tables.append(one["agreement"])
        if "trace signs" in one:
            signs.append((one["signs"], one["trace signs"]))
    items: list[Any] = []
    if tables:
        items.append(
            pictures.draw(
                "agreement",
                draw.plot_agreement,
                pd.concat(tables),
                alt="agreement of sources",
                caption="Effects of the test on two sources; a point per session.",
            )
        )
    if signs:
        counts = confusion(*(np.concatenate(part) for part in zip(*signs, strict=True)))
        name = "events and trace"
        items.append(
            pictures.draw(
                "sign_confusion",
                draw.plot_sign_confusion,
                {name: counts},
                {name: cohen_kappa(counts)},
                alt="labels by two sources",
            )
        )
    inferred = [results.of_mouse("sources", mouse) for mouse in results.mice()]
    inferred = [one for one in inferred if "inferred" in one]
    if inferred:
        n = inferred[0]["inferred"]
        items.append(
            pictures.draw(
                "agreement_inferred",
                draw.plot_agreement,
                pd.concat([one["agreement"] for one in inferred]),
                alt="agreement with inferred spikes",
                caption=f"With whole spikes inferred from the trace: {n} neurons of each mouse's first session.",
            )
        )
    return items
