"""Section of the report on the clusters of a pathway."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from netlib.analysis.cluster_comparison import contingency
from netlib.figures import pathways as draw
from netlib.imaging.report_parts import Pictures, section, short
from netlib.imaging.results import POOLED, Results
from netlib.report import Section

__all__ = ["LONG", "clusters_section"]

LONG = {"D1": "direct (D1)", "A2A": "indirect (A2A)"}


def clusters_section(results: Results, pictures: Pictures, pathway: str) -> Section:
    """Clusters of a pathway."""
    found, title = results.clusters(pathway), LONG[pathway]
    n = len(found["labels"])
    if "failure" in found:
        return Section(f"Clusters, {title}", [f"{n} neurons. {found['failure']}."])
    labels, least = found["labels"], results.parameters.min_sessions
    often = "half of the sessions" if least is None else f"{least} sessions"
    reasons = dict(found["reasons"])
    doubt = "" if reasons.pop("structure", True) else " The gap statistic sees no more than the margins explain."
    why = ", ".join(f"{name} {value}" for name, value in reasons.items())
    items: list[Any] = [
        f"{n} neurons of {len(set(found['mouse'].tolist()))} mice, seen in at least {often}; "
        f"{results.parameters.method} on similarity profiles, {found['k']} clusters (asked for by: {why}); "
        f"{(labels < 0).sum()} neurons without any category are in none. "
        f"Mean silhouette {found['silhouette']:.2f}.{doubt}",
        pictures.draw(
            f"cluster_map_{pathway}",
            draw.plot_cluster_map,
            found["vectors"],
            labels,
            found["numbers"],
            title,
            alt=f"categories by cluster, {title}",
        ),
    ]
    if len(found["choice"]):
        table = found["choice"].rename_axis("k") if "k" not in found["choice"] else found["choice"].set_index("k")
        items.append(
            pictures.draw(
                f"cluster_choice_{pathway}",
                draw.plot_cluster_choice,
                table,
                found["k"],
                alt=f"choice of the number of clusters, {title}",
            )
        )
    items.append(
        pictures.draw(
            f"mouse_balance_{pathway}",
            draw.plot_mouse_balance,
            {title: found["balance"].set_index("cluster")},
            alt=f"mice in clusters, {title}",
        )
    )
    items += _methods(found, pictures, pathway)
    items.append(_candidates(results, pictures, pathway, found))
    given = found["candidates"]
    if len(given):
        picture = (draw.plot_candidates, found["models"], given, title)
        items.append(pictures.draw(f"candidates_{pathway}", *picture, alt=f"assignment of candidates, {title}"))
    items.append(
        short(
            found["models"],
            "Neurons seen too seldom to be clustered are assigned to clusters, session by "
            "session, or refused; accuracy of members left out one at a time.",
        )
    )
    if pathway == results.pathways[-1] and len(results.pathways) > 1:
        items.append(_pooled(results, pictures))
    return section(f"Clusters, {title}", items)


def _methods(found: dict[str, Any], pictures: Pictures, pathway: str) -> list[Any]:
    title = LONG[pathway]
    tree = found["labels"][found["linkage_of"]]
    methods = dict(zip(found["methods"], found["method_labels"], strict=True))
    items = [
        pictures.draw(
            f"dendrogram_{pathway}",
            draw.plot_dendrogram,
            found["linkage"],
            found["k"],
            None,
            f"average linkage, {title}",
            alt=f"tree of {len(tree)} neurons, {title}",
        ),
        pictures.draw(
            f"method_panel_{pathway}",
            draw.plot_method_panel,
            found["vectors"],
            methods,
            alt=f"clusters by all methods, {title}",
        ),
        pictures.draw(
            f"ari_matrix_{pathway}",
            draw.plot_ari_matrix,
            found["ari"],
            title=title,
            alt=f"agreement of the methods, {title}",
        ),
    ]
    first = next((m for m in found["methods"] if m != "k-means"), None)
    if "k-means" in methods and first is not None:
        pair = found["agreement"]
        pair = pair[pair["a"].isin(["k-means", first]) & pair["b"].isin(["k-means", first])].set_index("score")
        items.append(
            pictures.draw(
                f"comparison_{pathway}",
                draw.plot_comparison,
                pair,
                alt=f"k-means and {first}, {title}",
                caption=f"Agreement of k-means with {first}, against permuted labels.",
            )
        )
    if found["method_failures"]:
        items.append("Methods that gave no clusters: " + "; ".join(found["method_failures"].values()))
    return items


def _candidates(results: Results, pictures: Pictures, pathway: str, found: dict[str, Any]) -> Any:
    """Events of the neurons of one cluster in the session with most candidates of it."""
    given = found["candidates"]
    given = given[given["cluster"] >= 0]
    if given.empty:
        return "No candidate was assigned to a cluster."
    (mouse, k, cluster), _ = max(given.groupby(["mouse", "session", "cluster"]), key=lambda part: len(part[1]))
    one = results.session(mouse, k, "intervals", "duration", "presses", "event_neuron", "event_time", "vectors")
    labels = results.cell_clusters(mouse, k, found)
    members = np.flatnonzero(labels == cluster)
    outside = set(given.loc[(given["mouse"] == mouse) & (given["session"] == k), "neuron"])
    status = ["candidate" if neuron in outside else "registered" for neuron in members]
    events = [one["event_time"][one["event_neuron"] == neuron] for neuron in members]
    title = f"cluster {cluster} in {mouse} ({pathway}), session {k}"
    return pictures.draw(
        f"behaviour_candidates_{pathway}",
        draw.plot_behaviour_candidates,
        one["intervals"],
        one["duration"],
        events,
        status,
        one["vectors"][members],
        presses=one["presses"],
        cluster=int(cluster),
        title=title,
        alt=title,
        caption="Events larger than the neuron's mean event.",
    )


def _pooled(results: Results, pictures: Pictures) -> Any:
    """Clusters of all mice's neurons against pathways."""
    pooled = results.clusters(POOLED)
    if "failure" in pooled:
        return f"All mice together: {pooled['failure']}."
    keep = pooled["labels"] >= 0
    counts = contingency(pooled["labels"][keep], pooled["pathway"][keep])
    return pictures.draw(
        "pooled_clusters",
        _plot_pooled,
        counts,
        alt="clusters of all mice by pathway",
        caption="Neurons of both pathways clustered together: does a cluster hold one pathway?",
    )


def _plot_pooled(counts: pd.DataFrame) -> Figure:
    figure = draw.plot_contingency(counts, "all mice", "")
    figure.axes[0].set_xlabel("pathway of the neurons")
    return figure
