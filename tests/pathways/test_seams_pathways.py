"""Where parts of the pathways pipeline meet: keys, joins of mice and sessions, signs, and what the report is told."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

from netlib.base.store import Store
from netlib.pathways import report
from netlib.pathways.behaviour import BEHAVIOURS, GROUPS, bin_labels
from netlib.pathways.claims import judge_claims
from netlib.pathways.dataset import write_dataset
from netlib.pathways.manifest import Manifest, load_manifest
from netlib.pathways.neurons import neuron_table
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.pipeline import hash_files
from netlib.pathways.plan import perform, plan_steps
from netlib.pathways.registration import centroids, register_sessions
from netlib.pathways.results import POOLED, Kept, Results, step_name
from netlib.pathways.simulate import simulate_behaviour
from netlib.pathways.simulated_images import draw_footprints, place_cells
from netlib.pathways.steps import (
    MouseVectors,
    OfMouse,
    analyse_session,
    correlate_time,
    decoding_statistics,
    gather,
    place_of_neurons,
    register_mouse,
    size_curve,
)
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol

FIELDS = [field.name for field in fields(PipelineParameters)]
READ: set[str] = set()


class Watched(PipelineParameters):
    """Parameters that note which of them are asked for."""

    def __getattribute__(self, name):
        if name in FIELDS:
            READ.add(name)
        return super().__getattribute__(name)


QUICK = {"k_max": 3, "references": 2, "resamples": 2, "draws": 1, "shifts": 1, "permutations": 20, "inferred": 3,
         "bin": 1000.0, "instants": 4000.0, "fold": 1.2, "alpha": 0.1}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Manifest:
    folder = tmp_path_factory.mktemp("data")
    return load_manifest(write_dataset(folder, 3, mice=2, sessions=2, neurons=20, minutes=4, registration=False))


@pytest.fixture(scope="module")
def run(manifest, tmp_path_factory) -> tuple[Results, dict[str, set[str]]]:
    """All steps made, one by one, and the parameters that each kind of step asked for."""
    parameters = Watched(**QUICK)
    rounds = plan_steps(manifest, hash_files(manifest), parameters)
    kept = Kept(tmp_path_factory.mktemp("steps"), {step.name: step.key for steps in rounds for step in steps})
    asked: dict[str, set[str]] = {}
    for step in (step for steps in rounds for step in steps):
        READ.clear()
        perform(manifest, parameters, kept, step)
        asked.setdefault(kind_of(step.name), set()).update(READ)
    return Results(manifest, PipelineParameters(**QUICK), kept), asked


def kind_of(name: str) -> str:
    return name.split("-")[0]


# ---------------------------------------------------------------- keys

#: Another value of every parameter.
OTHER = {"indicator": "GCaMP6s", "guard": 15_000.0, "alpha": 0.01, "fold": 2.0, "min_sessions": 2,
         "method": "linkage ward", "k": 3, "k_max": 6, "references": 4, "resamples": 9, "bin": 200.0,
         "block": 20_000.0, "draws": 5, "shifts": 7, "permutations": 99, "instants": 500.0, "inferred": 4,
         "margin": 0.2, "seed": 1}  # fmt: skip
EVERY_STEP = {"session", "registration", "clusters", "decoding", "time", "sources", "statistics"}
#: What is made anew, read off what each step does: what a session is analysed by decides all that follows, clusters
#: decide decoding, and everything the statistics.
MADE_ANEW = {
    **dict.fromkeys(("indicator", "guard", "alpha", "fold", "bin", "instants", "permutations", "seed"), EVERY_STEP),
    **{name: {"clusters", "decoding", "statistics"} for name in ("min_sessions", "method", "k", "k_max")},
    **{name: {"clusters", "decoding", "statistics"} for name in ("references", "resamples")},
    **{name: {"decoding", "sources", "statistics"} for name in ("block", "draws")},
    "shifts": {"decoding", "statistics"},
    "inferred": {"sources", "statistics"},
    "margin": {"statistics"},
}


def planned() -> Manifest:
    """Two mice of two sessions, without files."""
    rows = [(m, p, k, "FR1") for m, p in (("I1", "D1"), ("L1", "A2A")) for k in (1, 2)]
    return Manifest(Path(), pd.DataFrame(rows, columns=["mouse", "pathway", "session", "schedule"]))


HASHES = {(mouse, k): f"files of {mouse}, {k}" for mouse in ("I1", "L1") for k in (0, 1, 2)}


def keys(parameters: PipelineParameters, hashes=HASHES) -> dict[str, str]:
    return {step.name: step.key for steps in plan_steps(planned(), hashes, parameters) for step in steps}


def differing(a: dict[str, str], b: dict[str, str]) -> set[str]:
    return {name for name in a if a[name] != b[name]}


def test_every_parameter_has_a_table_of_what_it_makes_anew():
    assert set(OTHER) == set(MADE_ANEW) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_a_changed_parameter_makes_anew_what_depends_on_it_and_nothing_else(name):
    plain = PipelineParameters()
    changed = differing(keys(plain), keys(replace(plain, **{name: OTHER[name]})))
    every = {step for step in keys(plain) if kind_of(step) in MADE_ANEW[name]}
    assert changed == every


def test_every_parameter_that_a_step_asks_for_is_in_its_key(run):
    _, asked = run
    assert set(asked) == EVERY_STEP
    assert set().union(*asked.values()) == set(FIELDS)  # nothing was missed, and none is without use
    plain = PipelineParameters()
    for name in FIELDS:
        changed = {kind_of(step) for step in differing(keys(plain), keys(replace(plain, **{name: OTHER[name]})))}
        assert {kind for kind, read in asked.items() if name in read} <= changed


def test_another_registration_makes_anew_what_follows_neurons_of_that_mouse():
    plain = PipelineParameters()
    changed = differing(keys(plain), keys(plain, HASHES | {("L1", 0): "another table"}))
    kept = {"session-I1-1", "session-I1-2", "session-L1-1", "session-L1-2", "registration-I1", "time-I1", "sources-I1"}
    assert set(keys(plain)) - changed == kept


@pytest.mark.parametrize(("label", "value"), [("schedule", "FR5"), ("pathway", "A2A")])
def test_another_label_of_a_session_counts_as_another_file(tmp_path, label, value):
    for k in (1, 2):
        (tmp_path / f"a_Sess{k}.dat").write_text("the same")
    rows = [{"mouse": "I1", "pathway": "D1", "session": k, "schedule": "FR1", "dat": f"a_Sess{k}.dat"} for k in (1, 2)]
    table = pd.DataFrame(rows)
    before = hash_files(Manifest(tmp_path, table))
    after = hash_files(Manifest(tmp_path, table.assign(**{label: value})))
    assert differing(before, after) == {("I1", 1), ("I1", 2)}
    assert before["I1", 0] == after["I1", 0] == ""


# ---------------------------------------------------------------- neurons of several sessions and mice


def of_mouse(sessions, registration, clusters=(), candidates=(), mouse="I1", pathway="D1") -> OfMouse:
    return OfMouse(mouse, pathway, sessions, registration, np.array(clusters, int), dict(candidates))


def test_a_neuron_of_a_later_session_is_moved_back_to_the_first_field():
    # The field moved by (6, -9) px: what lay at (10, 20) is found at (16, 11), and a shift of (-6, 9) brings it back.
    registration = {"table": np.array([[0, -1], [-1, 0], [1, 1]]), "shifts": np.array([[0.0, 0.0], [-6.0, 9.0]])}
    sessions = {1: {"centroids": np.array([[50.0, 60.0], [70.0, 80.0]])},
                2: {"centroids": np.array([[16.0, 11.0], [76.5, 71.0]])}}  # fmt: skip
    found = place_of_neurons(of_mouse(sessions, registration))
    assert_allclose(found, [[50, 60], [10, 20], [70, 80]])


def test_registered_neurons_lie_where_their_cells_were_placed():
    cells = place_cells(5, 60)
    seen = [np.arange(40), np.arange(60)[::-1][:45]]
    images = [draw_footprints(cells, who, shift=shift) for who, shift in zip(seen, ((0, 0), (6, -9)), strict=True)]
    registered = register_sessions(images, cells.field)
    sessions = {k: {"centroids": centroids(image, cells.field)} for k, image in enumerate(images, 1)}
    found = place_of_neurons(of_mouse(sessions, {"table": registered.table, "shifts": registered.shifts}))
    identity = [seen[0][a] if a >= 0 else seen[1][b] for a, b in registered.table]
    assert sorted(identity) == list(range(60))
    assert np.abs(found - cells.centres[identity]).max() < 1.0


def test_sessions_are_joined_by_their_numbers_not_by_their_place():
    one = MouseVectors("a", "D1", (1, 2, 3), np.zeros((1, 3), int), [np.full((1, 8), k) for k in (1, 2, 3)])
    late = MouseVectors("b", "A2A", (2, 3), np.array([[1, 0]]), [np.array([[0.0] * 8, [2.0] * 8]), np.full((1, 8), 3)])
    found = gather([one, late])
    assert found["numbers"] == [1, 2, 3] and found["mouse"].tolist() == ["a", "b"]
    wanted = np.repeat([[1.0, 2.0, 3.0], [np.nan, 2.0, 3.0]], 8, axis=1)
    assert_array_equal(found["vectors"], wanted)


def test_candidates_stay_in_their_session_whatever_its_number():
    sessions = {3: {"rates": np.zeros((3, 4))}, 5: {"rates": np.zeros((2, 4))}}
    one = of_mouse(sessions, {"table": np.array([[0, 1]])}, [4], {3: [9, 6, 7], 5: [8, 9]})
    table = neuron_table([one.neurons()], include_candidates=True)
    rows = table[table["behaviour"] == "food"]
    found = sorted(rows[["day", "cluster", "candidate"]].itertuples(index=False, name=None))
    assert found == [(3, 4, False), (3, 6, True), (3, 7, True), (5, 4, False), (5, 8, True)]


def test_registration_keeps_who_is_found_in_whom():
    """Four neurons of session 1, half of them found in session 2, which has two: all of these were there before."""
    found = register_mouse(
        [{"vectors": np.zeros((4, 8))}, {"vectors": np.zeros((2, 8))}],
        np.array([[0, 0], [1, 1], [2, -1], [3, -1]]),
    )
    assert_allclose(found["follow"], [[1.0, 0.5], [1.0, 1.0]])
    assert found["neurons_per_session"].tolist() == [4, 2]


@pytest.fixture
def kept(tmp_path):
    """Puts results of steps by hand, as if they had been made."""

    def put(manifest: Manifest, parts: dict[str, dict]) -> Results:
        store = Store(tmp_path)
        for name, result in parts.items():
            store.put(f"key of {name}", result, name)
        return Results(manifest, PipelineParameters(), Kept(tmp_path, {name: f"key of {name}" for name in parts}))

    return put


def mice_with(sessions: dict[tuple[str, str], tuple[int, ...]]) -> Manifest:
    rows = [(m, p, k, "FR1") for (m, p), numbers in sessions.items() for k in numbers]
    return Manifest(Path(), pd.DataFrame(rows, columns=["mouse", "pathway", "session", "schedule"]))


def test_each_mouse_has_its_own_clusters(kept):
    none = pd.DataFrame({"mouse": ["I2"], "session": [1], "neuron": [0], "cluster": [5]})
    clusters = {"mouse": np.array(["I1", "I1", "I2", "I2"]), "row": np.array([0, 2, 1, 2]),
                "labels": np.array([0, 1, 2, 3]), "candidates": none}  # fmt: skip
    parts = {
        "clusters-D1": clusters,
        "registration-I1": {"table": np.array([[1], [-1], [0]])},
        "registration-I2": {"table": np.array([[-1], [2], [1]])},
        "session-I1-1": {"vectors": np.zeros((3, 8))},
        "session-I2-1": {"vectors": np.zeros((3, 8))},
    }
    results = kept(mice_with({("I1", "D1"): (1,), ("I2", "D1"): (1,)}), parts)
    assert results.row_clusters("I1").tolist() == [0, -1, 1]
    assert results.row_clusters("I2").tolist() == [-1, 2, 3]
    assert results.cell_clusters("I1", 1).tolist() == [1, 0, -1]
    assert results.cell_clusters("I2", 1).tolist() == [5, 3, 2]


def test_the_code_of_a_neuron_leaves_the_decoded_session_out(kept):
    """Neurons are the same rows in three sessions; in each another number of them is activated."""
    manifest = mice_with({("I1", "D1"): (2, 4, 6)})
    leading = {2: [1, 1, 1, 1], 4: [-1, -1, 0, 0], 6: [0, -1, -1, 0]}
    table = np.repeat(np.arange(4)[:, None], 3, axis=1)
    empty = pd.DataFrame({"mouse": [], "session": [], "neuron": [], "cluster": []})
    nobody = {"mouse": np.array([], str), "row": np.array([], int), "labels": np.array([], int), "candidates": empty}
    parts = {"registration-I1": {"table": table}, "clusters-D1": nobody, f"clusters-{POOLED}": nobody}
    for k, signs in leading.items():
        short = {"features": np.zeros((4, 4)), "bin": 500.0, "bin_labels": np.array([0, 1, 2, 3])}  # not decodable
        parts[step_name("session", "I1", k)] = short | {"leading": np.array(signs), "vectors": np.zeros((4, 8))}
    results = kept(manifest, parts)
    steps = {s.name: s for steps in plan_steps(manifest, {("I1", k): "" for k in (0, 2, 4, 6)}, results.parameters)
             for s in steps}  # fmt: skip
    # Sums of the other two sessions by hand: of 2 -1 -2 -1 0; of 4 1 0 0 1; of 6 0 0 1 1.
    wanted = {2: (0, 3), 4: (2, 0), 6: (2, 0)}
    for k, sizes in wanted.items():
        step = steps[step_name("decoding", "I1", k)]
        found = step.function(results, *step.of)["scores"].set_index("set")["size"]
        assert (found["activation"], found["inactivation"]) == sizes


def test_clusters_are_compared_within_their_own_pathway():
    """In the direct pathway a doubling adds 0.1, in the indirect one it takes 0.2."""
    mice = [of_mouse({}, {}, mouse=m, pathway=p) for m, p in (("I1", "D1"), ("I2", "D1"), ("L1", "A2A"), ("L2", "A2A"))]
    decoded = {}
    for one in mice:
        slope = 0.1 if one.pathway == "D1" else -0.2
        scores = pd.DataFrame({"set": ["all", "0", "1"], "size": [12, 4, 8], "score": [0.9, 0.5, 0.5 + slope]})
        parts = {"scores": scores, "matched": scores[:0], "codes": scores[:0], "p": 0.1}
        decoded |= {(one.pathway, one.mouse, k): parts for k in (1, 2)}
    found = decoding_statistics(decoded, mice)
    assert found["sizes D1"]["slope"] == pytest.approx(0.1)
    assert found["sizes A2A"]["slope"] == pytest.approx(-0.2)
    assert found["decoding_p"]["score"].tolist() == [0.9] * 8


# ---------------------------------------------------------------- claims


def test_the_table_of_claims_has_each_pathway_in_its_column():
    mice = pd.DataFrame(
        [("L1", "A2A", 0.3, -0.3), ("L2", "A2A", 0.5, -0.5), ("I1", "D1", 0.6, 0.5), ("I2", "D1", 0.8, 0.9)],
        columns=["mouse", "pathway", "engaged", "bias"],
    )
    clusters = {"ami": 0.4, "p": 1 / 3, "smallest_p": 1 / 3, "n_mice": 4.0}
    found = judge_claims(mice, clusters, margin=0.15, alpha=0.05).set_index("claim")
    assert_allclose(found["direct"], [0.7, 0.4, 0.7, 0.7])
    assert_allclose(found["indirect"], [0.4, 0.4, -0.4, -0.4])
    assert found["verdict"].tolist() == ["not found", "found", "found", "found"]


# ---------------------------------------------------------------- times


def test_a_large_event_is_noted_in_the_middle_of_its_frame():
    session = simulate_behaviour(1, "I1", "D1", 8, duration=240_000.0)
    events = np.random.default_rng(0).poisson(0.2, (4, 4800)).clip(0, 1).astype(np.float32)
    large = {0: [100, 4799], 2: [7], 3: [1000]}
    for neuron, frames in large.items():
        events[neuron, frames] = 30.0
    events[1] = 0.0  # silent
    cells = pd.DataFrame({"population": "D1", "orientation": np.nan, "cell": np.arange(4)})
    protocol = Protocol(pd.DataFrame({"onset": [0.0], "duration": [240_000.0]}))
    traces = {"events": Trace(events, np.arange(4), 50.0, "counts")}
    recording = Recording(cells, np.zeros(0, int), np.zeros(0), 240_000.0, protocol, traces=traces)
    found = analyse_session(session.with_recording(recording), PipelineParameters(**QUICK))
    assert found["event_neuron"].tolist() == [0, 0, 2, 3]
    assert found["event_time"].tolist() == [100.5 * 50, 4799.5 * 50, 7.5 * 50, 1000.5 * 50]


def test_labels_of_instants_are_of_the_instants_that_are_kept():
    """1602 instants are too many: every second is kept, the first of each pair, in activity and in behaviour alike."""
    kinds = np.arange(1602) % 7
    activity = np.random.default_rng(0).normal(size=(12, 7))[:, kinds]
    session = {"instants": activity, "instant_labels": kinds, "instant_step": 1000.0}
    found = correlate_time([session], np.arange(12)[:, None], PipelineParameters())
    assert found["step"] == 2000.0 and len(found["labels"]) == 801 == len(found["matrix"])
    assert_array_equal(found["labels"], kinds[::2])
    same = found["labels"][:, None] == found["labels"][None]
    assert found["matrix"][same].min() > 0.99  # instants of one behaviour were given one activity


def test_the_curve_against_size_is_of_the_last_session(run):
    results, _ = run
    found = results.of_mouse("sources", "L1")["curve"]
    last, first = (size_curve(results.session("L1", k), results.parameters) for k in (2, 1))
    pd.testing.assert_frame_equal(found, last, check_dtype=False)
    assert not np.allclose(found["mean"], first["mean"])


# ---------------------------------------------------------------- the report


class Told:
    """In place of pictures: what each figure is given."""

    def __init__(self) -> None:
        self.given: dict[str, tuple] = {}

    def draw(self, plot, *arguments, alt, caption="", name="", of="", **options) -> None:
        stem = "_".join(filter(None, (name or plot.__name__.removeprefix("plot_"), of)))
        self.given[stem] = (plot, arguments, options)

    def figure(self, name: str) -> Figure:
        draw, arguments, options = self.given[name]
        return draw(*arguments, **options)


def told(section, results: Results) -> Told:
    pictures = Told()
    section(results, pictures)
    return pictures


def test_training_is_drawn_in_the_units_of_its_labels(run):
    results, _ = run
    pictures = told(report._behaviour, results)
    metrics, labels, scale = pictures.given["training"][1]
    metrics = metrics.assign(session_length=240_000.0, inter_sequence_interval=7000.0, cycle_duration=9000.0)
    pictures.given["training"] = (pictures.given["training"][0], (metrics, labels, scale), {})
    axes = {ax.get_ylabel(): ax for ax in pictures.figure("training").axes}
    wanted = {"session (min)": 4.0, "time between sequences (s)": 7.0, "duration of a cycle (s)": 9.0}
    for label, value in wanted.items():
        drawn = np.concatenate([line.get_ydata() for line in axes[label].lines if line.get_gid() != "limit"])
        assert_allclose(drawn, value)


def test_the_confusion_of_sources_has_events_in_its_rows(run):
    results, _ = run
    (counts, _), _ = told(report._modulation, results).given["sign_confusion"][1:]
    table = counts["events and trace"].to_numpy()
    sessions = [results.session(m, k) for _, m, k in results.everything()]
    events, trace = (np.concatenate([s[name].ravel() for s in sessions]) for name in ("signs", "trace signs"))
    ways = (1, 0, -1)
    wanted = [[int(((events == a) & (trace == b)).sum()) for b in ways] for a in ways]
    assert table.tolist() == wanted and wanted != np.transpose(wanted).tolist()


def test_the_confusion_of_behaviours_sums_the_sessions_of_a_pathway(run):
    results, _ = run
    ((matrices,), _) = told(report._decoding, results).given["confusion"][1:]
    for title, mouse in (("direct (D1)", "I1"), ("indirect (A2A)", "L1")):
        bins = [results.session(mouse, k)["bin_labels"] for k in (1, 2)]
        shown = np.bincount(np.concatenate([b[b >= 0] for b in bins]), minlength=4)
        assert_array_equal(matrices[title].sum(axis=1), shown)  # every labelled bin is tested once
        assert matrices[title].index.tolist() == list(GROUPS)


def test_changes_are_drawn_from_the_first_mean_to_the_second(run):
    results, _ = run
    pictures = told(report._statistics, results)
    for pathway in ("D1", "A2A"):
        contrasts = results.statistics()[f"contrasts {pathway}"]
        table = pictures.given[f"cluster_changes_{pathway}"][1][0]
        assert set(table["comparison"]) == {"1→2"}
        known = np.isfinite(table["change"].astype(float))
        assert known.any()
        assert_allclose(table["mean_a"] * (1 + table["change"].astype(float)), table["mean_b"].where(known))
        assert_allclose(table["mean_a"], contrasts["mean_first"])


def test_behaviours_of_bins_and_instants_are_those_of_the_files(run, manifest):
    """Bins of 1 s by the four groups, instants of 4 s by the seven behaviours, both at their centres."""
    from netlib.pathways.files import load_session

    results, _ = run
    found, session = results.session("L1", 2), load_session(manifest, "L1", 2, footprints=False)
    assert_array_equal(found["bin_labels"], bin_labels(session.merged, GROUPS, 240, 1000.0))
    seven = session.intervals
    for k, label in enumerate(found["instant_labels"]):
        centre = (k + 0.5) * 4000.0
        here = seven[(seven["onset"] <= centre) & (centre < seven["offset"])]["label"].tolist()
        assert [BEHAVIOURS[label]] == here if label >= 0 else not here
