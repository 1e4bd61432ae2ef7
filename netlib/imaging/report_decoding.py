"""Sections of the report on decoding and on the population in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from netlib.figures import pathways as draw
from netlib.imaging.report_clusters import LONG
from netlib.imaging.report_parts import Pictures, section, short
from netlib.imaging.results import Results
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS, GROUPS
from netlib.report import Section

__all__ = ["decoding_section", "time_section"]


def decoding_section(results: Results, pictures: Pictures) -> Section:
    """Which behaviour is told by which cluster."""
    found = results.statistics()
    p = results.parameters
    items: list[Any] = [
        f"Linear support vector machines on bins of {p.bin:g} ms, classes weighted alike, {p.block / 1000:g}-s blocks "
        "kept on one side of each split. Clusters come from all sessions, the decoded one included: they are chosen "
        "by what they decode, and their scores are to be compared with one another, not with chance."
    ]
    for pathway in results.pathways:
        items += _of_pathway(found, pictures, pathway)
    items.append(_confusion(results, pictures))
    items += _leakage(results, pictures)
    items.append(short(found["decoding_p"], "All neurons: balanced accuracy, and p against shifted labels."))
    return section("Decoding", items)


def _leakage(results: Results, pictures: Pictures) -> list[Any]:
    """Random against blocked splits, and scores against numbers of neurons."""
    leaks, curves, items = [], [], list[Any]()
    for mouse in results.mice():
        one = results.of_mouse("sources", mouse)
        items += [f"{mouse}: {one[name]}." for name in ("leakage failure", "curve failure") if name in one]
        leaks += [one["leakage"]] if "leakage" in one else []
        curves += [one["curve"].assign(pathway=results.pathway(mouse))] if "curve" in one else []
    if leaks:
        items.append(
            pictures.draw(
                "leakage",
                draw.plot_leakage,
                pd.concat(leaks),
                alt="leakage of random splits",
                caption="Labels moved by half a session, so that there is nothing to decode: points are mice. What a "
                "random split finds has leaked from neighbouring bins.",
            )
        )
    if curves:
        curve = pd.concat(curves).groupby(["pathway", "n"])[["mean", "low", "high"]].mean().reset_index()
        items.append(
            pictures.draw(
                "learning_curve",
                draw.plot_learning_curve,
                curve,
                alt="score by number of neurons",
                caption="Last session of each mouse, mean over mice; shaded: range of draws.",
            )
        )
    return items


def _of_pathway(found: dict[str, Any], pictures: Pictures, pathway: str) -> list[Any]:
    own = found["decoding"]
    own = own[(own["pathway"] == pathway) & own["set"].str.isdecimal() & own["score"].notna()]
    if own.empty:
        return [f"{LONG[pathway]}: no cluster has enough neurons in a session."]
    own = own.assign(cluster=own["set"].astype(int))
    items = [
        pictures.draw(
            f"decoding_{pathway}",
            draw.plot_decoding,
            own,
            title=LONG[pathway],
            alt=f"decoding from each cluster, {LONG[pathway]}",
        )
    ]
    recalls = {f"recall {name}": name for name in GROUPS} | {"score": "balanced accuracy"}
    about = f"recall of each behaviour, {LONG[pathway]}"
    items.append(pictures.draw(f"recall_maps_{pathway}", draw.plot_recall_maps, own, recalls, LONG[pathway], alt=about))
    model, sizes = found.get(f"clusters {pathway}", {}), found.get(f"sizes {pathway}", {})
    if "p" in model and sizes:
        items.append(
            f"{LONG[pathway]}: a doubling of the size of a cluster adds {sizes['slope']:.3f} to its score; beyond size "
            f"and session clusters differ with p = {model['p']:.2g} ({model['about']}, n = {model['n_mice']})."
        )
    slope, about = sizes.get("slope"), f"score and size of the clusters, {LONG[pathway]}"
    items.append(pictures.draw(f"score_sizes_{pathway}", draw.plot_score_sizes, own, slope, alt=about))
    if f"pairs {pathway}" in found:
        items.append(
            short(
                found[f"pairs {pathway}"],
                "Clusters compared within mice, scores adjusted for size.",
                ["a", "b", "difference", "n_mice", "p", "smallest_p"],
                15,
            )
        )
    return items


def _confusion(results: Results, pictures: Pictures) -> Any:
    matrices = {}
    for pathway in results.pathways:
        parts = [results.decoded(m, k)["confusion"] for p, m, k in results.everything() if p == pathway]
        matrices[LONG[pathway]] = sum(parts[1:], parts[0])
    return pictures.draw(
        "confusion",
        draw.plot_confusion,
        matrices,
        alt="confusion of behaviours",
        caption="All neurons of a session; sessions and mice summed.",
    )


def time_section(results: Results, pictures: Pictures) -> Section:
    """The population at every two instants."""
    items: list[Any] = []
    rows = []
    for mouse in results.mice():
        found = results.of_mouse("time", mouse)
        if "failure" in found:
            items.append(f"{mouse}: {found['failure']}")
            continue
        rows += [{"mouse": mouse, "k": int(k), **one} for k, one in found["agreement"].items()]
        if mouse == results.mice(results.pathway(mouse))[0]:
            items += _instants(results, pictures, mouse, found)
    if rows:
        items.append(
            short(
                pd.DataFrame(rows),
                "Agreement of clusters of instants with behaviour, against behaviour shifted within each session.",
            )
        )
    return section("Population in time", items)


def _instants(results: Results, pictures: Pictures, mouse: str, found: dict[str, Any]) -> list[Any]:
    names = np.array([*BEHAVIOURS, "none"], object)[found["labels"]]
    best = found["ks"].index(4) if 4 in found["ks"] else 0
    clusters = found["clusters"][best]
    starts = np.flatnonzero(np.diff(found["session"])) + 1
    title = f"{mouse} ({results.pathway(mouse)}), all sessions"
    items = [
        pictures.draw(
            f"time_correlation_{mouse}",
            draw.plot_time_correlation,
            found["matrix"],
            names,
            clusters,
            step=found["step"],
            sessions=starts.tolist(),
            title=title,
            alt=f"time by time, {title}",
        )
    ]
    if "scores" in found:
        items.append(
            pictures.draw(
                f"components_{mouse}",
                draw.plot_population_components,
                found["scores"],
                names,
                clusters,
                found["explained"],
                title,
                alt=f"principal components, {title}",
            )
        )
    return items
