"""Sections of the report on claims, models, decoding and the population in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from netlib.figures import pathways as draw
from netlib.imaging.report_clusters import LONG
from netlib.imaging.report_parts import Pictures, section, short
from netlib.imaging.results import Results
from netlib.recordings.operant.behaviour_segments import BEHAVIOURS
from netlib.report import Section

__all__ = ["claims_section", "decoding_section", "statistics_section", "time_section"]

#: Terms of a model that a figure can show.
MOST_TERMS = 40


def claims_section(results: Results, pictures: Pictures) -> Section:
    """What was claimed, and whether it is found."""
    found = results.statistics()
    items: list[Any] = [
        "A claim is found if every mouse shows it. Pathways are properties of mice: p is over mice, and with few of "
        "them no data could make it small, as the last column says.",
        short(
            found["claims"],
            "Claims of the thesis abstract in these data. Engagement: share of neurons with any category. "
            "Subpopulations: agreement (AMI) of clusters of all mice with the pathways. Codes: bias, as below.",
            ["claim", "direct", "indirect", "verdict", "mice", "p", "smallest_p"],
        ),
        *(f"{row.claim.capitalize()}: {row.about}." for row in found["claims"].itertuples()),
        short(
            found["engagement"],
            "Mice: share of neurons with any category (mean of sessions); neurons by the sign of their greatest "
            "contrast between behaviours, all sessions together; bias = (activated - inactivated) / both.",
        ),
    ]
    codes = _complete(found["codes"])
    if len(codes):
        items.append(
            pictures.draw(
                "codes",
                draw.plot_codes,
                codes,
                score="mean",
                alt="decoding from activated and from inactivated neurons",
                caption="Behaviour decoded from equal numbers of neurons that are activated, inactivated, or any, as "
                "they were in the other sessions; means of sessions with three neurons or more of each kind.",
            )
        )
    items.append(
        short(
            _by_code(found["decoding"]), "Decoded from all neurons of a code, as many as there are: means of sessions."
        )
    )
    return section("Claims", items)


def _by_code(decoding: pd.DataFrame) -> pd.DataFrame:
    """Sizes and scores of the two codes of each mouse."""
    own = decoding[decoding["set"].isin(["activation", "inactivation"])]
    means = own.groupby(["pathway", "mouse", "set"], sort=False)[["size", "score"]].mean().reset_index()
    return means.rename(columns={"set": "neurons of", "size": "number", "score": "balanced accuracy"})


def _complete(codes: pd.DataFrame) -> pd.DataFrame:
    """Sessions in which both codes were decoded."""
    if codes.empty:
        return codes
    return codes.groupby(["mouse", "session"]).filter(lambda own: {"activation", "inactivation"} <= set(own["set"]))


def statistics_section(results: Results, pictures: Pictures) -> Section:
    """Mixed models and contrasts."""
    found = results.statistics()
    items: list[Any] = [
        "Rates are events per second in each behaviour, log(1 + rate) in the models. Clusters are made from the same "
        "modulation that the rates show: tests of cluster and of behaviour:cluster are circular, and stand here to be "
        "compared with the published ones only."
    ]
    for name in (*results.pathways, *(["both"] if "model both" in found else [])):
        title = LONG.get(name, "both pathways")
        model = found[f"model {name}"]
        if "failure" in model:
            items.append(f"{title}: no model. {model['failure']}")
            continue
        tests, terms = found[f"tests {name}"], found[f"coefficients {name}"]
        items.append(f"{title}: rate ~ {model['terms']}; {model['statement']}.")
        items.append(_model(pictures, name, title, tests, terms, found[f"ols {name}"]))
        columns = ["df", "lr", "df_error", "p", "q", "status"]
        items.append(short(tests, f"Likelihood-ratio tests of the mixed model, {title}.", columns))
        reasons = [why for why in dict.fromkeys(tests["reason"].dropna()) if why]
        items += [f"Refused: {why}." for why in reasons]
        if f"contrasts {name}" in found:
            items.append(_changes(pictures, name, title, found[f"contrasts {name}"]))
    return section("Statistics", items)


def _model(
    pictures: Pictures, name: str, title: str, tests: pd.DataFrame, coefficients: pd.DataFrame, ols: pd.DataFrame
) -> Any:
    tested = tests[tests["status"] == "tested"]
    factors = pd.DataFrame({"factor": tested.index, "p": tested["p"], "p_ols": ols["p"].reindex(tested.index)})
    terms = coefficients.rename_axis("term_name").reset_index().drop(columns="term")
    terms = terms.rename(columns={"term_name": "term"})
    terms = terms[~terms["term"].isin(["1", "Intercept", "intercept"])][:MOST_TERMS]
    return pictures.draw(
        f"mixed_model_{name}",
        draw.plot_mixed_model,
        terms,
        factors,
        "log(1 + rate)",
        title,
        alt=f"mixed model, {title}",
        caption="Hatched: least squares with rows taken as independent, as published.",
    )


def _changes(pictures: Pictures, name: str, title: str, contrasts: pd.DataFrame) -> Any:
    table = pd.DataFrame(
        {
            "cluster": contrasts["cluster"],
            "behaviour": contrasts["behaviour"],
            "comparison": contrasts["first"].astype(str) + "→" + contrasts["second"].astype(str),
            "mean_a": contrasts["mean_first"],
            "mean_b": contrasts["mean_second"],
            "change": contrasts["relative"],
            "q": contrasts["q"],
        }
    )
    return pictures.draw(
        f"cluster_changes_{name}",
        draw.plot_cluster_changes,
        table,
        title=title,
        alt=f"changes of clusters between sessions, {title}",
        caption="Neurons seen in both sessions; tests over neurons within these mice, corrected for all contrasts.",
    )


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
    leaks, curves = [], []
    for mouse in results.mice():
        one = results.of_mouse("sources", mouse)
        leaks.append(one["leakage"])
        curves.append(one["curve"].assign(pathway=results.pathway(mouse)))
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
    items.append(short(found["decoding_p"], "All neurons: balanced accuracy, and p against shifted labels."))
    return section("Decoding", items)


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
    model, sizes = found.get(f"clusters {pathway}", {}), found.get(f"sizes {pathway}", {})
    if "p" in model and sizes:
        items.append(
            f"{LONG[pathway]}: a doubling of the size of a cluster adds {sizes['slope']:.3f} to its score; beyond size "
            f"and session clusters differ with p = {model['p']:.2g} ({model['about']}, n = {model['n_mice']})."
        )
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
