"""The report of a run: sections drawn side by side, tables as CSV, one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from netlib.base.fingerprint import fingerprint
from netlib.base.provenance import LEFT, atomic_write, file_name, hash_of
from netlib.base.store import Store
from netlib.base.workers import Workers
from netlib.figures.report import Facts, Image, Section, Table, write_report
from netlib.figures.style import STYLE
from netlib.pathways import figures as draw
from netlib.pathways.behaviour import BEHAVIOURS, GROUPS, average_transitions, cycle_histogram
from netlib.pathways.cluster_checks import contingency
from netlib.pathways.figures.style import PATHWAY_NAMES
from netlib.pathways.labels import cohen_kappa, confusion
from netlib.pathways.results import POOLED, Results
from netlib.pathways.steps import place_of_neurons

__all__ = ["write_pipeline_report"]


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
    store, report = Store(results.kept.folder), output / "report.html"
    code = fingerprint(write_pipeline_report)
    key = hash_of([results.kept.keys["statistics"], code, str(output.resolve()), figures])
    kept = store.get(key, "report")
    if kept is not None and report.is_file() and all((output / name).is_file() for name in kept["files"]):
        return report
    for pattern in (f".report.html.*{LEFT}", f"tables/.*{LEFT}", f"figures/.*{LEFT}", f"figures/sessions/.*{LEFT}"):
        for path in output.glob(pattern):
            path.unlink(missing_ok=True)  # what a killed run left
    tables = {name: _write_csv(output / "tables" / f"{name}.csv", table) for name, table in _tables(results)}
    folder = output / "figures" if figures else None
    pictures = Pictures(folder)
    jobs = [(make, results, pictures) for make in (_claims, _behaviour, _neurons, _modulation)]
    jobs += [(_clusters, results, pictures, pathway) for pathway in results.pathways]
    jobs += [(make, results, pictures) for make in (_statistics, _decoding, _time)]
    sections = workers.run(_made, jobs)
    if folder is not None:
        own = Pictures(folder / "sessions")
        workers.run(_session_pictures, [(results, own, mouse) for mouse in results.mice()])
    sections.insert(1, _data(results, sorted(tables)))
    write_report(output, f"Striatal pathways: {len(results.mice())} mice", sections, facts)
    files = sorted(
        p.relative_to(output).as_posix() for folder in ("tables", "figures") for p in _whole(output / folder)
    )
    store.put(key, {"files": files}, "report")
    return report


def _whole(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _made(make: Callable[..., tuple[str, list]], *arguments: Any) -> Section:
    """A section of the items there are."""
    title, items = make(*arguments)
    return Section(title, [item for item in items if item is not None])


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
        self,
        plot: Callable[..., Figure],
        *arguments: Any,
        alt: str,
        caption: str = "",
        name: str = "",
        of: str = "",
        **options: Any,
    ) -> Image | str | None:
        """Draw a figure and keep it; what a figure cannot show (no such data) becomes a sentence instead.

        The file is called ``name``, by default as the function without "plot", and ``of`` what it shows.
        """
        if self.folder is None:
            return None
        try:
            figure = plot(*arguments, **options)
        except ValueError as error:
            return f"Not drawn: {alt}. {error}"
        stem = "_".join(filter(None, (name or plot.__name__.removeprefix("plot_"), of)))
        with rc_context(STYLE):
            path = atomic_write(
                self.folder / f"{file_name(stem)}.png", lambda file: figure.savefig(file, format="png", dpi=DPI)
            )
        return Image(path, alt, caption)


def _write_csv(path: Path, table: pd.DataFrame) -> Path:
    """Write a table with its index if it has a name, atomically."""
    text = table.to_csv(index=table.index.name is not None)
    return atomic_write(path, lambda file: file.write(text.encode()))


def _short(table: pd.DataFrame, caption: str, columns: list[str] | None = None, rows: int = 40) -> Table:
    """A table of the report, some columns of it."""
    shown = table if columns is None else table[[c for c in columns if c in table]]
    return Table(shown, caption, digits=3, max_rows=rows)


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
    for name, value in results.statistics().items():
        if isinstance(value, pd.DataFrame):
            yield ("neurons" if name == "table" else name.replace(" ", "_")), value
    parts: dict[str, list[pd.DataFrame]] = {"modulation": [], "agreement": []}
    for pathway, mouse, k in results.everything():
        one = results.session(mouse, k, *parts)
        for name, tables in parts.items():
            if name in one:
                tables.append(one[name].assign(pathway=pathway, mouse=mouse, session=k))
    for name, tables in parts.items():
        if tables:
            yield name, pd.concat(tables, ignore_index=True)
    for mouse in results.mice():
        table = pd.DataFrame(results.registration(mouse)["table"], columns=results.manifest.sessions(mouse))
        yield f"registration_{mouse}", table.rename_axis("registered")
    for pathway in results.pathways:
        clusters = results.clusters(pathway)
        columns = {name: clusters[name] for name in ("mouse", "row")}
        yield f"clusters_of_{pathway}", pd.DataFrame({**columns, "cluster": clusters["labels"]})
        yield f"candidates_{pathway}", clusters["candidates"]


# ---------------------------------------------------------------- claims


def _claims(results: Results, pictures: Pictures) -> tuple[str, list]:
    found = results.statistics()
    items = [
        "A claim is found if every mouse shows it. Pathways are properties of mice: p is over mice, and with few of "
        "them no data could make it small, as the last column says.",
        _short(
            found["claims"],
            "Claims of the thesis abstract in these data. Engagement: share of neurons with any category. "
            "Subpopulations: agreement (AMI) of clusters of all mice with the pathways. Codes: bias, as below.",
            ["claim", "direct", "indirect", "verdict", "mice", "p", "smallest_p"],
        ),
        *(f"{row.claim.capitalize()}: {row.about}." for row in found["claims"].itertuples()),
        _short(
            found["engagement"],
            "Mice: share of neurons with any category (mean of sessions); neurons by the sign of their greatest "
            "contrast between behaviours, all sessions together; bias = (activated - inactivated) / both.",
        ),
    ]
    codes = _complete(found["codes"])
    if len(codes):
        caption = (
            "Behaviour decoded from equal numbers of neurons that are activated, inactivated, or any, as they were in "
            "the other sessions; means of sessions with three neurons or more of each kind."
        )
        alt = "decoding from activated and from inactivated neurons"
        items.append(pictures.draw(draw.plot_codes, codes, score="mean", alt=alt, caption=caption))
    caption = "Decoded from all neurons of a code, as many as there are: means of sessions."
    return "Claims", [*items, _short(_by_code(found["decoding"]), caption)]


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


# ---------------------------------------------------------------- behaviour


TRAINING = {
    "presses_per_sequence": "presses per sequence",
    "presses_per_reward": "presses per reward",
    "rewards_per_visit": "rewards per visit",
    "inter_sequence_interval": "time between sequences (s)",
    "cycle_duration": "duration of a cycle (s)",
    "session_length": "session (min)",
}
SCALE = {"inter_sequence_interval": 1e-3, "cycle_duration": 1e-3, "session_length": 1 / 60_000}


def _behaviour(results: Results, pictures: Pictures) -> tuple[str, list]:
    """What the mice did."""
    found = results.statistics()
    metrics, (mean, sd) = found["metrics"], _transitions(results)
    items = []
    for pathway in results.pathways:
        mouse = results.mice(pathway)[0]
        numbers = results.manifest.sessions(mouse)
        for k in dict.fromkeys((numbers[0], numbers[-1])):
            items.append(_raster(results, pictures, mouse, k, f"raster {mouse} {k}"))
    return "Behaviour", [
        *items,
        "The raster of every session is in the folder figures/sessions.",
        pictures.draw(
            draw.plot_cycles, metrics, alt="cycles per session",
            caption="Whole cycles (sequence, zone 2, pellet, zone 1) of each session. Thin lines are mice.",
        ),
        pictures.draw(draw.plot_training, metrics, TRAINING, SCALE, alt="presses, rewards and times"),
        pictures.draw(draw.plot_time_budget, metrics, alt="time spent in each behaviour"),
        pictures.draw(
            draw.plot_durations, metrics, alt="durations of behaviours",
            caption="Mean duration of each behaviour; points are sessions, lines medians.",
        ),
        pictures.draw(draw.plot_cycle_histogram, _cycles(results), alt="durations of cycles"),
        pictures.draw(
            draw.plot_transition_matrices, mean, sd, alt="transition matrices",
            caption="What follows what: mean and standard deviation over mice.",
        ),
        pictures.draw(
            draw.plot_sessions, found["criterion"], alt="sessions to criterion",
            caption="Sessions given, and sessions until 20 cycles with enough presses.",
        ),
        _short(found["behaviour"], "Pathways compared, each mouse counting once, by schedule."),
    ]  # fmt: skip


def _raster(results: Results, pictures: Pictures, mouse: str, session: int, name: str) -> Image | str | None:
    found = results.session(mouse, session, "intervals", "duration", "presses")
    schedule = results.manifest.row(mouse, session)["schedule"]
    title = f"{mouse} ({results.pathway(mouse)}), session {session}, {schedule}"
    shown = (found["intervals"], found["duration"], found["presses"], title)
    return pictures.draw(draw.plot_session_raster, *shown, alt=f"behaviour of {title}", name=name.replace(" ", "_"))


def _session_pictures(results: Results, pictures: Pictures, mouse: str) -> None:
    """Raster of every session of a mouse, and its matrices of transitions."""
    numbers = results.manifest.sessions(mouse)
    for k in numbers:
        _raster(results, pictures, mouse, k, f"{mouse}_session_{k}")
    matrices = {f"session {k}": _probability(results, mouse, k) for k in numbers}
    pictures.draw(draw.plot_transition_matrices, matrices, alt="transitions", name=f"{mouse}_transitions")


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


# ---------------------------------------------------------------- neurons


def _neurons(results: Results, pictures: Pictures) -> tuple[str, list]:
    """Who was seen when, and where."""
    found = results.statistics()
    counts = found["counts"].merge(found["metrics"][["mouse", "session", "schedule"]])
    test = found["count_test"]
    registered = {mouse: results.registration(mouse) for mouse in results.mice()}
    follow = {f"{mouse} ({results.pathway(mouse)})": one["follow"] for mouse, one in registered.items()}
    bins = {mouse: one["fraction_bins"].set_index("bin")["neurons"] for mouse, one in registered.items()}
    sources = sorted({one["source"] for one in registered.values()})
    return "Neurons", [
        pictures.draw(
            draw.plot_neuron_counts, counts, test.get("p"), alt="neurons per session",
            caption=test.get("statement", test.get("failure", "")),
        ),
        f"Neurons followed across sessions: {'; '.join(sources)}.",
        pictures.draw(draw.plot_follow_matrix, follow, alt="neurons followed"),
        pictures.draw(draw.plot_registration, bins, alt="sessions per neuron"),
        _places(results, pictures, found["spatial"]),
        _short(found["spatial"], "Do nearest neighbours belong to one cluster? Labels permuted within mice."),
    ]  # fmt: skip


def _places(results: Results, pictures: Pictures, spatial: pd.DataFrame) -> Image | str | None:
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
    caption = "Centres of the registered neurons by cluster of their pathway."
    return pictures.draw(
        draw.plot_footprints, points, clusters, shape, tests, alt="maps of the neurons", caption=caption
    )


# ---------------------------------------------------------------- modulation


def _modulation(results: Results, pictures: Pictures) -> tuple[str, list]:
    """Which neurons are activated and inactivated."""
    found = results.statistics()
    labels = {pathway: found[f"labels {pathway}"] for pathway in results.pathways}
    guards = [results.session(mouse, k, "guard")["guard"] / 1000.0 for _, mouse, k in results.everything()]
    best = {p: _best_labels(results, p) for p in results.pathways}
    return "Modulation", [
        f"Activity is shifted in time against behaviour by all lags beyond a guard of {min(guards):.0f} to "
        f"{max(guards):.0f} s; false discovery rate {results.parameters.alpha:g} in each session.",
        _said_of_fold(results.parameters.fold),
        pictures.draw(
            draw.plot_fractions, found["fractions"], alt="activated and inactivated neurons",
            caption="Neurons with at least one behaviour of a kind; Wilson's interval over neurons.",
        ),
        pictures.draw(
            draw.plot_fractions, found["fractions"], "behaviour", of="behaviour",
            alt="activated and inactivated neurons by behaviour",
        ),
        pictures.draw(draw.plot_labels_per_neuron, labels, alt="behaviours per neuron"),
        pictures.draw(
            draw.plot_best_labels, best, alt="best labels",
            caption="The one behaviour of each neuron, all sessions; outlines are not significant.",
        ),
        *(_example(results, pictures, pathway) for pathway in results.pathways),
        _guard(results, pictures),
        *_sources(results, pictures),
    ]  # fmt: skip


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


def _example(results: Results, pictures: Pictures, pathway: str) -> Image | str | None:
    """The clearest neuron of the last session of the first mouse."""
    mouse = results.mice(pathway)[0]
    k = results.manifest.sessions(mouse)[-1]
    one = results.session(mouse, k, "example", "example_lags", "example_null", "guard")
    if "example" not in one:
        return f"{mouse}, session {k}: no neuron has a test."
    facts = one["example"]
    title = f"neuron {facts['neuron']} of {mouse} ({pathway}), session {k}, {facts['behaviour']}"
    return pictures.draw(
        draw.plot_shift_null, one["example_null"], facts["observed"], one["example_lags"], guard=float(one["guard"]),
        percentile=facts["percentile"], p=facts["p"], title=title, of=pathway,
        alt=f"null of {title}", caption="The clearest neuron of the session.",
    )  # fmt: skip


def _guard(results: Results, pictures: Pictures) -> Image | str | None:
    mouse = results.mice()[0]
    k = results.manifest.sessions(mouse)[-1]
    one = results.session(mouse, k, "waits", "guard")
    caption = f"{mouse}, session {k}: times between sequences, and the guard chosen."
    return pictures.draw(draw.plot_guard, one["waits"], float(one["guard"]), alt="choice of the guard", caption=caption)


def _sources(results: Results, pictures: Pictures) -> list:
    """Agreement of events, inferred spikes, peaks and traces."""
    tables, signs, items = [], [], []
    for _, mouse, k in results.everything():
        one = results.session(mouse, k, "agreement", "signs", "trace signs")
        if "agreement" in one:
            tables.append(one["agreement"])
        if "trace signs" in one:
            signs.append((one["signs"], one["trace signs"]))
    if tables:
        caption = "Effects of the test on two sources; a point per session."
        items.append(pictures.draw(draw.plot_agreement, pd.concat(tables), alt="agreement of sources", caption=caption))
    if signs:
        counts = confusion(*(np.concatenate(part) for part in zip(*signs, strict=True)))
        shown = {"events and trace": counts}, {"events and trace": cohen_kappa(counts)}
        items.append(pictures.draw(draw.plot_sign_confusion, *shown, alt="labels by two sources"))
    inferred = [one for one in (results.of_mouse("sources", mouse) for mouse in results.mice()) if "inferred" in one]
    if inferred:
        n, joined = inferred[0]["inferred"], pd.concat([one["agreement"] for one in inferred])
        caption = f"With whole spikes inferred from the trace: {n} neurons of each mouse's first session."
        alt = "agreement with inferred spikes"
        items.append(pictures.draw(draw.plot_agreement, joined, alt=alt, caption=caption, of="inferred"))
    return items


# ---------------------------------------------------------------- clusters


def _clusters(results: Results, pictures: Pictures, pathway: str) -> tuple[str, list]:
    """Clusters of a pathway; after those of the last one, of all mice together."""
    found, title = results.clusters(pathway), PATHWAY_NAMES[pathway]
    n = len(found["labels"])
    if "failure" in found:
        return f"Clusters, {title}", [f"{n} neurons. {found['failure']}."]
    items = [
        _said_of_clusters(found, title, results),
        pictures.draw(
            draw.plot_cluster_map, found["vectors"], found["labels"], found["numbers"], title,
            alt=f"categories by cluster, {title}", of=pathway,
        ),
    ]  # fmt: skip
    if len(found["choice"]):
        table = found["choice"].rename_axis("k") if "k" not in found["choice"] else found["choice"].set_index("k")
        alt = f"choice of the number of clusters, {title}"
        items.append(pictures.draw(draw.plot_cluster_choice, table, found["k"], alt=alt, of=pathway))
    balance = {title: found["balance"].set_index("cluster")}
    items.append(pictures.draw(draw.plot_mouse_balance, balance, alt=f"mice in clusters, {title}", of=pathway))
    items += _methods(found, pictures, pathway)
    items.append(_candidates(results, pictures, pathway, found))
    if len(found["candidates"]):
        shown = (found["models"], found["candidates"], title)
        items.append(pictures.draw(draw.plot_candidates, *shown, alt=f"assignment of candidates, {title}", of=pathway))
    items.append(
        _short(
            found["models"],
            "Neurons seen too seldom to be clustered are assigned to clusters, session by session, or refused; "
            "accuracy of members left out one at a time.",
        )
    )
    if pathway == results.pathways[-1] and len(results.pathways) > 1:
        items.append(_pooled(results, pictures))
    return f"Clusters, {title}", items


def _said_of_clusters(found: dict[str, Any], title: str, results: Results) -> str:
    least, labels = results.parameters.min_sessions, found["labels"]
    often = "half of the sessions" if least is None else f"{least} sessions"
    reasons = dict(found["reasons"])
    doubt = "" if reasons.pop("structure", True) else " The gap statistic sees no more than the margins explain."
    why = ", ".join(f"{name} {value}" for name, value in reasons.items())
    return (
        f"{len(labels)} neurons of {len(set(found['mouse'].tolist()))} mice, seen in at least {often}; "
        f"{results.parameters.method} on similarity profiles, {found['k']} clusters (asked for by: {why}); "
        f"{(labels < 0).sum()} neurons without any category are in none. "
        f"Mean silhouette {found['silhouette']:.2f}.{doubt}"
    )


def _methods(found: dict[str, Any], pictures: Pictures, pathway: str) -> list:
    title = PATHWAY_NAMES[pathway]
    methods = dict(zip(found["methods"], found["method_labels"], strict=True))
    items = [
        pictures.draw(
            draw.plot_dendrogram, found["linkage"], found["k"], None, f"average linkage, {title}",
            alt=f"tree of {len(found['linkage_of'])} neurons, {title}", of=pathway,
        ),
        pictures.draw(
            draw.plot_method_panel, found["vectors"], methods, alt=f"clusters by all methods, {title}", of=pathway
        ),
        pictures.draw(
            draw.plot_ari_matrix, found["ari"], title=title, alt=f"agreement of the methods, {title}", of=pathway
        ),
    ]  # fmt: skip
    first = next((m for m in found["methods"] if m != "k-means"), None)
    if "k-means" in methods and first is not None:
        pair = found["agreement"]
        pair = pair[pair["a"].isin(["k-means", first]) & pair["b"].isin(["k-means", first])].set_index("score")
        caption = f"Agreement of k-means with {first}, against permuted labels."
        alt = f"k-means and {first}, {title}"
        items.append(pictures.draw(draw.plot_comparison, pair, alt=alt, caption=caption, of=pathway))
    if found["method_failures"]:
        items.append("Methods that gave no clusters: " + "; ".join(found["method_failures"].values()))
    return items


def _candidates(results: Results, pictures: Pictures, pathway: str, found: dict[str, Any]) -> Image | str | None:
    """Events of the neurons of one cluster in the session with most candidates of it."""
    given = found["candidates"]
    given = given[given["cluster"] >= 0]
    if given.empty:
        return "No candidate was assigned to a cluster."
    (mouse, k, cluster), _ = max(given.groupby(["mouse", "session", "cluster"]), key=lambda part: len(part[1]))
    one = results.session(mouse, k, "intervals", "duration", "presses", "event_neuron", "event_time", "vectors")
    members = np.flatnonzero(results.cell_clusters(mouse, k, found) == cluster)
    outside = set(given.loc[(given["mouse"] == mouse) & (given["session"] == k), "neuron"])
    status = ["candidate" if neuron in outside else "registered" for neuron in members]
    events = [one["event_time"][one["event_neuron"] == neuron] for neuron in members]
    title = f"cluster {cluster} in {mouse} ({pathway}), session {k}"
    return pictures.draw(
        draw.plot_behaviour_candidates, one["intervals"], one["duration"], events, status, one["vectors"][members],
        presses=one["presses"], cluster=int(cluster), title=title, of=pathway,
        alt=title, caption="Events larger than the neuron's mean event.",
    )  # fmt: skip


def _pooled(results: Results, pictures: Pictures) -> Image | str | None:
    """Clusters of all mice's neurons against pathways."""
    pooled = results.clusters(POOLED)
    if "failure" in pooled:
        return f"All mice together: {pooled['failure']}."
    keep = pooled["labels"] >= 0
    counts = contingency(pooled["labels"][keep], pooled["pathway"][keep])
    caption = "Neurons of both pathways clustered together: does a cluster hold one pathway?"
    return pictures.draw(
        _plot_pooled_clusters, counts, alt="clusters of all mice by pathway", caption=caption, name="pooled_clusters"
    )


def _plot_pooled_clusters(counts: pd.DataFrame) -> Figure:
    figure = draw.plot_contingency(counts, "all mice", "")
    figure.axes[0].set_xlabel("pathway of the neurons")
    return figure


# ---------------------------------------------------------------- statistics


#: Terms of a model that a figure can show.
MOST_TERMS = 40


def _statistics(results: Results, pictures: Pictures) -> tuple[str, list]:
    """Mixed models and contrasts."""
    found = results.statistics()
    items: list[Any] = [
        "Rates are events per second in each behaviour, log(1 + rate) in the models. Clusters are made from the same "
        "modulation that the rates show: tests of cluster and of behaviour:cluster are circular, and stand here to be "
        "compared with the published ones only."
    ]
    for name in (*results.pathways, *(["both"] if "model both" in found else [])):
        title = PATHWAY_NAMES.get(name, "both pathways")
        model = found[f"model {name}"]
        if "failure" in model:
            items.append(f"{title}: no model. {model['failure']}")
            continue
        tests, terms = found[f"tests {name}"], found[f"coefficients {name}"]
        items.append(f"{title}: rate ~ {model['terms']}; {model['statement']}.")
        items.append(_model(pictures, name, title, tests, terms, found[f"ols {name}"]))
        columns = ["df", "lr", "df_error", "p", "q", "status"]
        items.append(_short(tests, f"Likelihood-ratio tests of the mixed model, {title}.", columns))
        reasons = [why for why in dict.fromkeys(tests["reason"].dropna()) if why]
        items += [f"Refused: {why}." for why in reasons]
        if f"contrasts {name}" in found:
            items.append(_changes(pictures, name, title, found[f"contrasts {name}"]))
    return "Statistics", items


def _model(
    pictures: Pictures, name: str, title: str, tests: pd.DataFrame, coefficients: pd.DataFrame, ols: pd.DataFrame
) -> Image | str | None:
    tested = tests[tests["status"] == "tested"]
    factors = pd.DataFrame({"factor": tested.index, "p": tested["p"], "p_ols": ols["p"].reindex(tested.index)})
    terms = coefficients.drop(columns="term").rename_axis("term").reset_index()
    terms = terms[~terms["term"].isin(["1", "Intercept", "intercept"])][:MOST_TERMS]
    caption = "Hatched: least squares with rows taken as independent, as published."
    shown = (terms, factors, "log(1 + rate)", title)
    return pictures.draw(draw.plot_mixed_model, *shown, alt=f"mixed model, {title}", caption=caption, of=name)


def _changes(pictures: Pictures, name: str, title: str, contrasts: pd.DataFrame) -> Image | str | None:
    new = {"mean_first": "mean_a", "mean_second": "mean_b", "relative": "change"}
    comparison = contrasts["first"].astype(str) + "→" + contrasts["second"].astype(str)
    return pictures.draw(
        draw.plot_cluster_changes, contrasts.rename(columns=new).assign(comparison=comparison), title=title, of=name,
        alt=f"changes of clusters between sessions, {title}",
        caption="Neurons seen in both sessions; tests over neurons within these mice, corrected for all contrasts.",
    )  # fmt: skip


# ---------------------------------------------------------------- decoding


def _decoding(results: Results, pictures: Pictures) -> tuple[str, list]:
    """Which behaviour is told by which cluster."""
    found, p = results.statistics(), results.parameters
    items = [
        f"Linear support vector machines on bins of {p.bin:g} ms, classes weighted alike, {p.block / 1000:g}-s blocks "
        "kept on one side of each split. Clusters come from all sessions, the decoded one included: they are chosen "
        "by what they decode, and their scores are to be compared with one another, not with chance."
    ]
    for pathway in results.pathways:
        items += _decoding_of(found, pictures, pathway)
    return "Decoding", [
        *items,
        _confusion(results, pictures),
        *_leakage(results, pictures),
        _short(found["decoding_p"], "All neurons: balanced accuracy, and p against shifted labels."),
    ]


def _decoding_of(found: dict[str, Any], pictures: Pictures, pathway: str) -> list:
    """Scores of the clusters of a pathway."""
    title, own = PATHWAY_NAMES[pathway], found["decoding"]
    own = own[(own["pathway"] == pathway) & own["set"].str.isdecimal() & own["score"].notna()]
    if own.empty:
        return [f"{title}: no cluster has enough neurons in a session."]
    own = own.assign(cluster=own["set"].astype(int))
    recalls = {f"recall {name}": name for name in GROUPS} | {"score": "balanced accuracy"}
    about = f"recall of each behaviour, {title}"
    items = [
        pictures.draw(draw.plot_decoding, own, title=title, alt=f"decoding from each cluster, {title}", of=pathway),
        pictures.draw(draw.plot_recall_maps, own, recalls, title, alt=about, of=pathway),
    ]
    model, sizes = found.get(f"clusters {pathway}", {}), found.get(f"sizes {pathway}", {})
    if "p" in model and sizes:
        items.append(
            f"{title}: a doubling of the size of a cluster adds {sizes['slope']:.3f} to its score; beyond size "
            f"and session clusters differ with p = {model['p']:.2g} ({model['about']}, n = {model['n_mice']})."
        )
    about = f"score and size of the clusters, {title}"
    items.append(pictures.draw(draw.plot_score_sizes, own, sizes.get("slope"), alt=about, of=pathway))
    if f"pairs {pathway}" in found:
        caption = "Clusters compared within mice, scores adjusted for size."
        columns = ["a", "b", "difference", "n_mice", "p", "smallest_p"]
        items.append(_short(found[f"pairs {pathway}"], caption, columns, 15))
    return items


def _confusion(results: Results, pictures: Pictures) -> Image | str | None:
    matrices = {}
    for pathway in results.pathways:
        parts = [results.decoded(m, k)["confusion"] for p, m, k in results.everything() if p == pathway]
        matrices[PATHWAY_NAMES[pathway]] = sum(parts[1:], parts[0])
    caption = "All neurons of a session; sessions and mice summed."
    return pictures.draw(draw.plot_confusion, matrices, alt="confusion of behaviours", caption=caption)


def _leakage(results: Results, pictures: Pictures) -> list:
    """Random against blocked splits, and scores against numbers of neurons."""
    leaks, curves, items = [], [], list[Any]()
    for mouse in results.mice():
        one = results.of_mouse("sources", mouse)
        items += [f"{mouse}: {one[name]}." for name in ("leakage failure", "curve failure") if name in one]
        leaks += [one["leakage"]] if "leakage" in one else []
        curves += [one["curve"].assign(pathway=results.pathway(mouse))] if "curve" in one else []
    if leaks:
        caption = (
            "Labels moved by half a session, so that there is nothing to decode: points are mice. What a random split "
            "finds has leaked from neighbouring bins."
        )
        items.append(
            pictures.draw(draw.plot_leakage, pd.concat(leaks), alt="leakage of random splits", caption=caption)
        )
    if curves:
        curve = pd.concat(curves).groupby(["pathway", "n"])[["mean", "low", "high"]].mean().reset_index()
        caption = "Last session of each mouse, mean over mice; shaded: range of draws."
        items.append(pictures.draw(draw.plot_learning_curve, curve, alt="score by number of neurons", caption=caption))
    return items


# ---------------------------------------------------------------- time


def _time(results: Results, pictures: Pictures) -> tuple[str, list]:
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
        caption = "Agreement of clusters of instants with behaviour, against behaviour shifted within each session."
        items.append(_short(pd.DataFrame(rows), caption))
    return "Population in time", items


def _instants(results: Results, pictures: Pictures, mouse: str, found: dict[str, Any]) -> list:
    names = np.array([*BEHAVIOURS, "none"], object)[found["labels"]]
    best = found["ks"].index(4) if 4 in found["ks"] else 0
    clusters = found["clusters"][best]
    starts = np.flatnonzero(np.diff(found["session"])) + 1
    title = f"{mouse} ({results.pathway(mouse)}), all sessions"
    items = [
        pictures.draw(
            draw.plot_time_correlation, found["matrix"], names, clusters, step=found["step"],
            sessions=starts.tolist(), title=title, alt=f"time by time, {title}", of=mouse,
        )
    ]  # fmt: skip
    if "scores" in found:
        shown = (found["scores"], names, clusters, found["explained"], title)
        alt = f"principal components, {title}"
        items.append(pictures.draw(draw.plot_population_components, *shown, alt=alt, name="components", of=mouse))
    return items
