"""The report of a run: sections drawn side by side, tables as CSV, one HTML file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from netlib.base.provenance import atomic_write, hash_of
from netlib.figures.report import Facts, Image, Section, Table, write_report
from netlib.figures.style import STYLE
from netlib.pathways import figures as draw
from netlib.pathways.behaviour import BEHAVIOURS, GROUPS, average_transitions, cycle_histogram
from netlib.pathways.cluster_checks import contingency
from netlib.pathways.labels import cohen_kappa, confusion
from netlib.pathways.results import POOLED, Results
from netlib.pathways.store import StepStore, Workers, code_version

__all__ = [
    "LONG",
    "Pictures",
    "behaviour_section",
    "claims_section",
    "clusters_section",
    "decoding_section",
    "modulation_section",
    "neurons_section",
    "section",
    "session_pictures",
    "short",
    "statistics_section",
    "time_section",
    "write_pipeline_report",
    "write_table",
]


# ---------------------------------------------------------------- pieces


#: Dots per inch.
DPI = 110


class Pictures:
    """Figures of a section as PNG files.

    Parameters
    ----------
    folder : Path, optional
        Where they go; None: nothing is drawn.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def draw(
        self, name: str, draw: Callable[..., Figure], *arguments: Any, alt: str, caption: str = "", **options: Any
    ) -> Image | str | None:
        """Draw a figure and keep it; what a figure cannot show (no such data) becomes a sentence instead."""
        if self.folder is None:
            return None
        try:
            figure = draw(*arguments, **options)
        except ValueError as error:
            return f"Not drawn: {alt}. {error}"
        buffer = io.BytesIO()
        with rc_context(STYLE):
            figure.savefig(buffer, format="png", dpi=DPI)
        path = atomic_write(self.folder / f"{name}.png", lambda file: file.write(buffer.getbuffer()))
        return Image(path, alt, caption)


def write_table(path: Path, table: pd.DataFrame) -> Path:
    """Write a table as CSV, with its index if it has a name, atomically."""
    text = table.to_csv(index=table.index.name is not None)
    return atomic_write(path, lambda file: file.write(text.encode()))


def short(table: pd.DataFrame, caption: str, columns: list[str] | None = None, rows: int = 40) -> Table:
    """A table of the report, some columns of it."""
    shown = table if columns is None else table[[c for c in columns if c in table]]
    return Table(shown, caption, digits=3, max_rows=rows)


def section(title: str, items: list[Any]) -> Section:
    """A section of the items there are."""
    return Section(title, [item for item in items if item is not None])


# ---------------------------------------------------------------- behaviour and neurons


TRAINING = {
    "presses_per_sequence": "presses per sequence",
    "presses_per_reward": "presses per reward",
    "rewards_per_visit": "rewards per visit",
    "inter_sequence_interval": "time between sequences (s)",
    "cycle_duration": "duration of a cycle (s)",
    "session_length": "session (min)",
}
SCALE = {"inter_sequence_interval": 1e-3, "cycle_duration": 1e-3, "session_length": 1 / 60_000}


def behaviour_section(results: Results, pictures: Pictures) -> Section:
    """What the mice did."""
    found = results.statistics()
    metrics = found["metrics"]
    items: list[Any] = []
    for pathway in results.pathways:
        mouse = results.mice(pathway)[0]
        numbers = results.manifest.sessions(mouse)
        for k in dict.fromkeys((numbers[0], numbers[-1])):
            items.append(_raster(results, pictures, mouse, k, f"raster {mouse} {k}"))
    items.append("The raster of every session is in the folder figures/sessions.")
    items.append(
        pictures.draw(
            "cycles",
            draw.plot_cycles,
            metrics,
            alt="cycles per session",
            caption="Whole cycles (sequence, zone 2, pellet, zone 1) of each session. Thin lines are mice.",
        ),
    )
    items.append(
        pictures.draw("training", draw.plot_training, metrics, TRAINING, SCALE, alt="presses, rewards and times")
    )
    items.append(pictures.draw("time_budget", draw.plot_time_budget, metrics, alt="time spent in each behaviour"))
    items.append(
        pictures.draw(
            "durations",
            draw.plot_durations,
            metrics,
            alt="durations of behaviours",
            caption="Mean duration of each behaviour; points are sessions, lines medians.",
        )
    )
    items.append(
        pictures.draw("cycle_histogram", draw.plot_cycle_histogram, _cycles(results), alt="durations of cycles")
    )
    mean, sd = _transitions(results)
    items.append(
        pictures.draw(
            "transition_matrices",
            draw.plot_transition_matrices,
            mean,
            sd,
            alt="transition matrices",
            caption="What follows what: mean and standard deviation over mice.",
        )
    )
    items.append(
        pictures.draw(
            "sessions",
            draw.plot_sessions,
            found["criterion"],
            alt="sessions to criterion",
            caption="Sessions given, and sessions until 20 cycles with enough presses.",
        )
    )
    items.append(short(found["behaviour"], "Pathways compared, each mouse counting once, by schedule."))
    return section("Behaviour", items)


def _raster(results: Results, pictures: Pictures, mouse: str, session: int, name: str) -> Any:
    found = results.session(mouse, session, "intervals", "duration", "presses")
    schedule = results.manifest.row(mouse, session)["schedule"]
    title = f"{mouse} ({results.pathway(mouse)}), session {session}, {schedule}"
    return pictures.draw(
        name.replace(" ", "_"),
        draw.plot_session_raster,
        found["intervals"],
        found["duration"],
        found["presses"],
        title,
        alt=f"behaviour of {title}",
    )


def session_pictures(results: Results, folder: Path, mouse: str) -> None:
    """Raster of every session of a mouse, and its matrices of transitions."""
    pictures = Pictures(folder)
    for k in results.manifest.sessions(mouse):
        _raster(results, pictures, mouse, k, f"{mouse}_session_{k}")
    matrices = {f"session {k}": _probability(results, mouse, k) for k in results.manifest.sessions(mouse)}
    pictures.draw(f"{mouse}_transitions", draw.plot_transition_matrices, matrices, alt="transitions")


def _probability(results: Results, mouse: str, session: int) -> pd.DataFrame:
    counts = results.session(mouse, session, "transitions")["transitions"]
    return counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)


def _transitions(results: Results) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame] | None]:
    """Mean and sd over mice of the transition matrices of each session; no sd with one mouse."""
    by_session: dict[int, list[pd.DataFrame]] = {}
    for _, mouse, k in results.everything():
        by_session.setdefault(k, []).append(_probability(results, mouse, k))
    found = {f"session {k}": average_transitions(tables) for k, tables in sorted(by_session.items())}
    several = max(map(len, by_session.values())) > 1
    return {k: v.mean for k, v in found.items()}, {k: v.sd for k, v in found.items()} if several else None


def _cycles(results: Results) -> dict[str, pd.DataFrame]:
    durations: dict[str, list[np.ndarray]] = {}
    for _, mouse, k in results.everything():
        own = results.session(mouse, k, "cycle_durations")["cycle_durations"]
        durations.setdefault(results.manifest.row(mouse, k)["schedule"], []).append(own)
    return {name: cycle_histogram(np.concatenate(parts)) for name, parts in sorted(durations.items())}


def neurons_section(results: Results, pictures: Pictures) -> Section:
    """Who was seen when, and where."""
    found = results.statistics()
    schedules = found["metrics"][["mouse", "session", "schedule"]]
    test = found["count_test"]
    items: list[Any] = [
        pictures.draw(
            "neuron_counts",
            draw.plot_neuron_counts,
            found["counts"].merge(schedules),
            test.get("p"),
            alt="neurons per session",
            caption=test.get("statement", test.get("failure", "")),
        )
    ]
    registered = {mouse: results.registration(mouse) for mouse in results.mice()}
    follow = {f"{mouse} ({results.pathway(mouse)})": found["follow"] for mouse, found in registered.items()}
    bins = {mouse: found["fraction_bins"].set_index("bin")["neurons"] for mouse, found in registered.items()}
    sources = {mouse: one["source"] for mouse, one in registered.items()}
    items.append(f"Neurons followed across sessions: {'; '.join(sorted(set(sources.values())))}.")
    items.append(pictures.draw("follow_matrix", draw.plot_follow_matrix, follow, alt="neurons followed"))
    items.append(pictures.draw("registration", draw.plot_registration, bins, alt="sessions per neuron"))
    items.append(_places(results, pictures, found["spatial"]))
    items.append(short(found["spatial"], "Do nearest neighbours belong to one cluster? Labels permuted within mice."))
    return section("Neurons", items)


def _places(results: Results, pictures: Pictures, spatial: pd.DataFrame) -> Any:
    from netlib.pathways.steps import place_of_neurons

    points, clusters, tests, shape = {}, {}, {}, (200, 320)
    for mouse in results.mice():
        one = results.for_statistics(mouse)
        xy = place_of_neurons(one)
        if np.isfinite(xy).any():
            points[mouse], clusters[mouse] = xy, one.clusters
            field = results.session(mouse, results.manifest.sessions(mouse)[0], "field").get("field")
            shape = tuple(field) if field else shape
            p = spatial.set_index("mouse").get("p", pd.Series(dtype=float)).get(mouse, np.nan)
            tests |= {mouse: {"p": p}} if np.isfinite(p) else {}
    if not points:
        return "The files hold no footprints: there is no map of the neurons."
    return pictures.draw(
        "footprints",
        draw.plot_footprints,
        points,
        clusters,
        shape,
        tests,
        alt="maps of the neurons",
        caption="Centres of the registered neurons by cluster of their pathway.",
    )


# ---------------------------------------------------------------- modulation


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


# ---------------------------------------------------------------- clusters


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


# ---------------------------------------------------------------- decoding and time


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


# ---------------------------------------------------------------- claims and models


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


# ---------------------------------------------------------------- the report


SECTIONS = {
    "claims": claims_section,
    "behaviour": behaviour_section,
    "neurons": neurons_section,
    "modulation": modulation_section,
    "clusters": clusters_section,
    "statistics": statistics_section,
    "decoding": decoding_section,
    "time": time_section,
}


def write_pipeline_report(
    results: Results, output: Path, facts: dict[str, Any], workers: Workers, figures: bool = True
) -> Path:
    """Write tables, figures and ``report.html`` into a folder, unless they are there already.

    Parameters
    ----------
    results : Results
        All steps are made.
    output : Path
        Gets ``tables``, ``figures`` and the report.
    facts : dict
        Provenance.
    workers : Workers
        Sections are drawn by them.
    figures : bool
        Draw figures; else text and tables alone.

    Returns
    -------
    Path
        The report.
    """
    store, report = StepStore(results.kept.folder), output / "report.html"
    key = hash_of(
        [results.kept.keys["statistics"], code_version(("base", "figures", "pathways")), str(output.resolve()), figures]
    )
    kept = store.get("report", key)
    if kept is not None and report.is_file() and all((output / name).is_file() for name in kept["files"]):
        return report
    for path in output.rglob(".*.*.*"):
        path.unlink(missing_ok=True)  # what a killed run left
    tables = {name: write_table(output / "tables" / f"{name}.csv", table) for name, table in _tables(results)}
    folder = output / "figures" if figures else None
    jobs = [(results, folder, name, ()) for name in SECTIONS if name != "clusters"]
    jobs[4:4] = [(results, folder, "clusters", (pathway,)) for pathway in results.pathways]
    sections = workers.run(_section, jobs)
    if folder is not None:
        workers.run(_pictures, [(results, folder, mouse) for mouse in results.mice()])
    sections.insert(1, _data(results, sorted(tables)))
    write_report(output, f"Striatal pathways: {len(results.mice())} mice", sections, facts)
    files = sorted(
        p.relative_to(output).as_posix() for folder in ("tables", "figures") for p in _whole(output / folder)
    )
    store.put("report", key, {"files": files})
    return report


def _whole(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _section(results: Results, folder: Path | None, name: str, of: tuple) -> Section:
    return SECTIONS[name](results, Pictures(folder), *of)


def _pictures(results: Results, folder: Path, mouse: str) -> None:
    session_pictures(results, folder / "sessions", mouse)


def _data(results: Results, tables: list[str]) -> Section:
    """What was analysed, and how."""
    mice = {pathway: results.mice(pathway) for pathway in results.pathways}
    sessions = list(results.everything())
    hours = sum(results.session(m, k, "duration")["duration"] for _, m, k in sessions) / 3.6e6
    sources = sorted({results.session(m, k, "source")["source"] for _, m, k in sessions})
    who = "; ".join(f"{pathway}: {', '.join(names)}" for pathway, names in mice.items())
    return Section(
        "Data",
        [
            f"{len(sessions)} sessions, {hours:.1f} h in all, of {sum(map(len, mice.values()))} mice ({who}).",
            f"Activity: {'; '.join(sources)}.",
            f"All tables are in the folder tables, as CSV: {', '.join(tables)}.",
            Facts("Parameters", results.parameters),
        ],
    )


def _tables(results: Results) -> Iterator[tuple[str, pd.DataFrame]]:
    """All tables, by name of their file."""
    found = results.statistics()
    for name, value in found.items():
        if isinstance(value, pd.DataFrame):
            yield ("neurons" if name == "table" else name.replace(" ", "_")), value
    modulation = []
    agreement = []
    for pathway, mouse, k in results.everything():
        label = {"pathway": pathway, "mouse": mouse, "session": k}
        one = results.session(mouse, k, "modulation", "labels", "agreement")
        modulation.append(one["modulation"].assign(**label))
        if "agreement" in one:
            agreement.append(one["agreement"].assign(**label))
    yield "modulation", pd.concat(modulation, ignore_index=True)
    if agreement:
        yield "agreement", pd.concat(agreement, ignore_index=True)
    for mouse in results.mice():
        table = pd.DataFrame(results.registration(mouse)["table"], columns=results.manifest.sessions(mouse))
        yield f"registration_{mouse}", table.rename_axis("registered")
    for pathway in results.pathways:
        clusters = results.clusters(pathway)
        columns = {name: clusters[name] for name in ("mouse", "row")}
        yield f"clusters_of_{pathway}", pd.DataFrame({**columns, "cluster": clusters["labels"]})
        yield f"candidates_{pathway}", clusters["candidates"]
