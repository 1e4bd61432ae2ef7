"""Sections of the report on what the mice did, and which neurons were seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from netlib.analysis.behaviour import average_transitions
from netlib.analysis.behaviour_cycles import cycle_histogram
from netlib.figures import pathways as draw
from netlib.imaging.report_parts import Pictures, section, short
from netlib.imaging.results import Results
from netlib.report import Section

__all__ = ["behaviour_section", "neurons_section", "session_pictures"]

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
    from netlib.imaging.statistics_step import place_of_neurons

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
