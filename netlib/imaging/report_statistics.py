"""Sections of the report on claims and models."""

from __future__ import annotations

from typing import Any

import pandas as pd

from netlib.figures import pathways as draw
from netlib.imaging.report_clusters import LONG
from netlib.imaging.report_parts import Pictures, section, short
from netlib.imaging.results import Results
from netlib.report import Section

__all__ = ["claims_section", "statistics_section"]

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
