"""Figures of the two pathways draw the numbers they are given, with units, and no text over another."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.testing import assert_allclose, assert_array_equal

from netlib.pathways import figures as draw
from netlib.pathways.behaviour import cycle_histogram, presses, transitions
from netlib.pathways.cluster_checks import compare
from netlib.pathways.clusters import mouse_balance
from netlib.pathways.figures.style import GROUP_COLOURS, SIGN_COLOURS, cluster_colour, sign_image
from netlib.pathways.labels import best_label, labels_per_neuron, pathway_fractions
from netlib.pathways.registration import follow_matrix, quality
from netlib.pathways.simulate import simulate_training
from netlib.pathways.training import metrics_table, sessions_to_criterion

RNG = np.random.default_rng(0)
GROUPS = list(GROUP_COLOURS)
MICE = {"I2": "D1", "I3": "D1", "I6": "D1", "L0": "A2A", "L2": "A2A", "L3": "A2A"}
SESSIONS = {mouse: simulate_training(k, mouse, p, duration=300_000.0) for k, (mouse, p) in enumerate(MICE.items())}
SESSION = SESSIONS["I2"][5]
METRICS = metrics_table(s for own in SESSIONS.values() for s in own)
REGISTERED = np.where(RNG.random((60, 8)) < 0.75, np.arange(60)[:, None], -1)
CLUSTERS = np.sort(RNG.integers(-1, 6, 90))
TEMPLATE = RNG.random((7, 64)) < 0.2
VECTORS = np.where(RNG.random((90, 64)) < np.where(TEMPLATE[CLUSTERS], 0.8, 0.05), 1.0, 0.0)
VECTORS[np.repeat(RNG.random((90, 8)) < 0.2, 8, axis=1)] = np.nan
METHODS = ["average", "complete", "ward", "k-means", "agglomerative average", "agglomerative complete",
           "agglomerative ward", "spectral", "affinity"]  # fmt: skip


def linkage() -> np.ndarray:
    from scipy.cluster.hierarchy import linkage

    return linkage(np.nan_to_num(VECTORS), "ward")


def durations_per_schedule() -> dict[str, pd.DataFrame]:
    return {name: cycle_histogram(RNG.gamma(9, scale, 300), 500.0) for name, scale in (("FR1", 1500), ("FR5", 1900))}


def decoding_table() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([range(6), range(1, 9), list(MICE)[:3]], names=["cluster", "session", "mouse"])
    table = index.to_frame(index=False)
    return table.assign(score=RNG.uniform(0.2, 0.7, len(table)), size=RNG.integers(3, 20, len(table)))


def change_table() -> pd.DataFrame:
    steps = [f"{k}→{k + 1}" for k in range(1, 8)]
    index = pd.MultiIndex.from_product([range(6), GROUPS, steps], names=["cluster", "behaviour", "comparison"])
    table = index.to_frame(index=False)
    a, b = RNG.uniform(0.1, 2, (2, len(table)))
    return table.assign(mean_a=a, mean_b=b, change=b / a - 1, q=RNG.uniform(0, 0.2, len(table)))


def source_table() -> pd.DataFrame:
    pairs = [("events", "counts"), ("events", "trace"), ("counts", "trace")]
    rows = [(a, b, g, RNG.uniform(0.3, 0.9), 0.1) for a, b in pairs for g in [*GROUPS, "all"] for _ in range(8)]
    return pd.DataFrame(rows, columns=["a", "b", "behaviour", "pearson", "null_sd"])


def terms() -> pd.DataFrame:
    names = ["intercept", *(f"behaviour: {g}" for g in GROUPS[1:]), *(f"cluster: {k}" for k in range(1, 6)), "session"]
    estimate = RNG.normal(0, 0.3, len(names))
    return pd.DataFrame({"term": names, "estimate": estimate, "low": estimate - 0.2, "high": estimate + 0.2})


def counts(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        RNG.integers(0, 60, (len(names), len(names))) + 80 * np.eye(len(names), dtype=int), names, names
    )


def neuron_counts() -> pd.DataFrame:
    columns = ["mouse", "pathway", "session", "schedule"]
    return METRICS[columns].assign(n=RNG.integers(40, 110, len(METRICS)))


def correlation() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(RNG.choice([*GROUPS, "none"], 30), 10)
    codes = pd.factorize(labels)[0]
    features = RNG.normal(size=(40, 6))[:, codes] + RNG.normal(size=(40, 300))
    return np.corrcoef(features.T), labels


def categories() -> dict[tuple[str, str, int], np.ndarray]:
    return {(p, m, s): (RNG.random((50, 8)) < 0.15).astype(float) for m, p in MICE.items() for s in range(1, 9)}


RECALLS = {"score": "all (balanced accuracy)", **{f"recall {g}": g for g in GROUPS}}
CODES = [f"{code} {pathway}" for pathway in ("D1", "A2A") for code in ("activation", "inactivation")]
CONDITIONS = ["abstract", "reverse", "alike", "unequal", "none"]


def recall_table() -> pd.DataFrame:
    table = decoding_table()
    return table.assign(**{f"recall {g}": RNG.uniform(0, 1, len(table)) for g in GROUPS})


def mouse_values() -> pd.DataFrame:
    rows = [(m, p, RNG.uniform(0.5, 0.8), RNG.uniform(-0.8, 0.8)) for m, p in MICE.items()]
    return pd.DataFrame(rows, columns=["mouse", "pathway", "engaged", "bias"])


def planted_table() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([CONDITIONS, ["engaged D1", "engaged A2A", *CODES, "AMI"]])
    table = index.to_frame(index=False, name=["condition", "measure"])
    mean = RNG.uniform(0.3, 0.8, len(table))
    return table.assign(mean=mean, low=mean - 0.05, high=mean + 0.05)


def verdicts() -> pd.DataFrame:
    claims = ["similar engagement", "different subpopulations", "direct pathway codes by activation"]
    table = pd.MultiIndex.from_product([CONDITIONS, claims]).to_frame(index=False, name=["condition", "claim"])
    found = RNG.integers(0, 11, len(table))
    return table.assign(found=found, reversed=(10 - found) // 2, n=10)


MATRIX, LABELS = correlation()
LAGS = np.arange(20_000.0, 380_000.0, 50.0)
NULL = 0.4 + 0.1 * np.convolve(RNG.normal(size=len(LAGS) + 399), np.ones(400) / 20, "valid")
# fmt: off
DRAW: dict[str, Callable[[], Figure]] = {
    "session_raster": lambda: draw.plot_session_raster(
        SESSION.intervals, SESSION.duration, presses(SESSION.events)["down"], "I2, session 6, FR5"
    ),
    "transition_matrices": lambda: draw.plot_transition_matrices(
        {f"session {s.session} ({s.schedule})": transitions(s.intervals).probability for s in SESSIONS["I2"]}
    ),
    "cycles": lambda: draw.plot_cycles(METRICS),
    "cycle_histogram": lambda: draw.plot_cycle_histogram(durations_per_schedule()),
    "durations": lambda: draw.plot_durations(METRICS),
    "sessions": lambda: draw.plot_sessions(sessions_to_criterion(METRICS, threshold=12)),
    "time_budget": lambda: draw.plot_time_budget(METRICS),
    "training": lambda: draw.plot_training(
        METRICS,
        {
            "presses_per_sequence": "presses per sequence",
            "presses_per_reward": "presses per reward",
            "rewards_per_visit": "rewards per visit",
            "inter_sequence_interval": "time between sequences (s)",
            "session_length": "session (min)",
        },
        {"inter_sequence_interval": 1e-3, "session_length": 1 / 60_000},
    ),
    "neuron_counts": lambda: draw.plot_neuron_counts(neuron_counts(), p=0.4),
    "follow_matrix": lambda: draw.plot_follow_matrix({m: follow_matrix(REGISTERED) for m in ("I2", "L0")}),
    "registration": lambda: draw.plot_registration({m: quality(REGISTERED).fraction_bins for m in MICE}),
    "footprints": lambda: draw.plot_footprints(
        {m: RNG.uniform((0, 0), (320, 200), (90, 2)) for m in MICE},
        dict.fromkeys(MICE, CLUSTERS),
        tests={m: {"p": 0.02} for m in MICE},
    ),
    "fractions": lambda: draw.plot_fractions(pathway_fractions(categories()), "behaviour"),
    "labels_per_neuron": lambda: draw.plot_labels_per_neuron(
        {p: labels_per_neuron(np.concatenate([v for k, v in categories().items() if k[0] == p])) for p in ("D1", "A2A")}
    ),
    "best_labels": lambda: draw.plot_best_labels(
        {p: best_label(RNG.uniform(0, 100, (150, 4)), GROUPS) for p in ("D1", "A2A")}
    ),
    "shift_null": lambda: draw.plot_shift_null(
        NULL, 0.85, LAGS, percentile=99.2, p=0.013, title="neuron 12 of I2, session 6, sequence"
    ),
    "guard": lambda: draw.plot_guard(
        RNG.gamma(3, 6000, 80),
        22_000.0,
        np.arange(0, 60_000, 500.0),
        {name: np.exp(-np.arange(120) / tau) for name, tau in (("sequence", 4), ("explo", 20), ("activity", 8))},
    ),
    "agreement": lambda: draw.plot_agreement(source_table()),
    "sign_confusion": lambda: draw.plot_sign_confusion(
        {f"{a} and {b}": counts(["up", "none", "down"]) for a, b in (("events", "counts"), ("events", "trace"))},
        {"events and counts": 0.61},
    ),
    "cluster_map": lambda: draw.plot_cluster_map(VECTORS, CLUSTERS, title="direct (D1)"),
    "dendrogram": lambda: draw.plot_dendrogram(linkage(), 6, title="ward, direct (D1)"),
    "method_panel": lambda: draw.plot_method_panel(VECTORS, {m: RNG.permutation(CLUSTERS) for m in METHODS}),
    "ari_matrix": lambda: draw.plot_ari_matrix(pd.DataFrame(RNG.random((9, 9)), METHODS, METHODS)),
    "cluster_choice": lambda: draw.plot_cluster_choice(
        pd.DataFrame({"silhouette": RNG.random(6), "gap": RNG.random(6), "gap_error": 0.05,
                      "stability_ari": RNG.random(6)}, index=pd.Index(range(2, 8), name="k")), 6
    ),
    "comparison": lambda: draw.plot_comparison(compare(CLUSTERS, RNG.permutation(CLUSTERS), n_permutations=99)),
    "contingency": lambda: draw.plot_contingency(counts(list("012345")), "events", "counts"),
    "mouse_balance": lambda: draw.plot_mouse_balance(
        {p: mouse_balance(CLUSTERS, RNG.choice([m for m in MICE if MICE[m] == p], 90)) for p in ("D1", "A2A")}
    ),
    "candidates": lambda: draw.plot_candidates(
        pd.DataFrame({"session": range(1, 9), "accuracy": RNG.uniform(0.3, 0.7, 8), "accepted": 0.7,
                      "accuracy_accepted": RNG.uniform(0.6, 0.9, 8), "chance": 0.2}),
        pd.DataFrame({"session": RNG.integers(1, 9, 400), "cluster": RNG.integers(-1, 6, 400)}),
        "direct (D1)",
    ),
    "mixed_model": lambda: draw.plot_mixed_model(
        terms(),
        pd.DataFrame(
            {
                "factor": ["behaviour", "cluster", "session", "pathway"],
                "p": [1e-12, 1e-4, 0.2, 0.6],
                "p_ols": [1e-30, 1e-12, 1e-3, 1e-8],
            }
        ),
        "log1p rate",
        "rate ~ behaviour + cluster + session + pathway, 6 mice",
    ),
    "cluster_changes": lambda: draw.plot_cluster_changes(change_table(), title="direct (D1)"),
    "decoding": lambda: draw.plot_decoding(decoding_table(), title="direct (D1)"),
    "confusion": lambda: draw.plot_confusion({"direct (D1)": counts(GROUPS), "indirect (A2A)": counts(GROUPS)}),
    "codes": lambda: draw.plot_codes(
        pd.DataFrame(
            [(p, c, m, RNG.uniform(0.3, 0.8)) for m, p in MICE.items() for c in ("activation", "inactivation", "all")],
            columns=["pathway", "set", "mouse", "balanced_accuracy"],
        )
    ),
    "leakage": lambda: draw.plot_leakage(
        pd.DataFrame([(f"trace, {kernel}", split, RNG.uniform(0.2, 0.8), 0.25) for _ in range(6)
                      for kernel in ("linear", "rbf") for split in ("random", "blocked")],
                     columns=["features", "split", "score", "chance"])
    ),
    "learning_curve": lambda: draw.plot_learning_curve(
        pd.DataFrame(
            [(p, n, 0.25 + 0.4 * n / (n + 20), 0.2, 0.7) for p in ("D1", "A2A") for n in (5, 10, 20, 40, 80)],
            columns=["pathway", "n", "mean", "low", "high"],
        )
    ),
    "recall_maps": lambda: draw.plot_recall_maps(recall_table(), RECALLS, "direct (D1)"),
    "score_sizes": lambda: draw.plot_score_sizes(decoding_table(), 0.031),
    "time_correlation": lambda: draw.plot_time_correlation(
        MATRIX, LABELS, pd.factorize(LABELS)[0], sessions=(100, 200), title="I2, sessions 1 to 3"
    ),
    "population_components": lambda: draw.plot_population_components(
        np.linalg.eigh(MATRIX)[1][:, :-4:-1], LABELS, pd.factorize(LABELS)[0], [0.3, 0.2, 0.1], "I2"
    ),
    "behaviour_candidates": lambda: draw.plot_behaviour_candidates(
        SESSION.intervals,
        SESSION.duration,
        [np.sort(RNG.uniform(0, 400_000, 150)) for _ in range(30)],
        ["registered", "registered", "candidate"] * 10,
        VECTORS[:30, :8],
        presses=presses(SESSION.events)["down"],
        title="I2, session 6, FR5",
    ),
    "mouse_claims": lambda: draw.plot_mouse_claims(
        {name: mouse_values() for name in ("abstract", "reverse", "none")},
        {"engaged": "share of neurons engaged", "bias": "bias: (activated −\ninactivated) / both"},
        {"engaged": (0, 1), "bias": (-1, 1)},
    ),
    "planted": lambda: draw.plot_planted(
        planted_table(), {"engaged neurons": ["engaged D1", "engaged A2A"], "balanced accuracy": CODES, "AMI": ["AMI"]},
        {"balanced accuracy": 0.25},
    ),
    "verdicts": lambda: draw.plot_verdicts(verdicts()),
}
# fmt: on


def drawn(figure: Figure) -> list[tuple[str, np.ndarray, bool]]:
    """Every text one can see: words, box in pixels (left, bottom, right, top), and whether it is slanted."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    seen, stack = [], [figure]
    while stack:
        artist = stack.pop()
        if not artist.get_visible() or getattr(artist, "axison", True) is False:
            continue
        if isinstance(artist, Text) and artist.get_text().strip():
            seen.append(artist)
        elif isinstance(artist, Axis):  # ticks outside the range are kept, but not drawn
            low, high = sorted(artist.get_view_interval())
            ticks = [*artist.get_major_ticks(), *artist.get_minor_ticks()]
            stack += [artist.label, *(t for t in ticks if low <= t.get_loc() <= high)]
        else:
            stack += artist.get_children()
    boxes = [(t.get_text(), np.array(t.get_window_extent().extents), t.get_rotation() % 90 != 0) for t in seen]
    return [found for found in boxes if np.ptp(found[1]) > 0]


class Lazily(dict):
    """Each value made when it is first asked for."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, name):
        return self.setdefault(name, self.make(name))


@pytest.fixture(scope="module")
def made() -> dict[str, Figure]:
    return Lazily(lambda name: DRAW[name]())


@pytest.fixture(scope="module")
def texts(made) -> dict[str, list[tuple[str, np.ndarray, bool]]]:
    return Lazily(lambda name: drawn(made[name]))


#: Figures that take long to lay out.
LONG = {"cluster_changes", "recall_maps", "transition_matrices", "follow_matrix", "fractions", "training", "durations",
        "ari_matrix", "population_components", "candidates", "method_panel", "footprints", "decoding", "sign_confusion",
        "planted", "confusion"}  # fmt: skip


def test_every_figure_has_its_example():
    assert {f"plot_{name}" for name in DRAW} == set(draw.__all__)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in DRAW])
def test_texts_do_not_overlap_and_stay_inside(made, texts, name):
    figure, seen = made[name], texts[name]
    assert isinstance(figure, Figure)
    names, boxes = [text for text, _, _ in seen], np.array([box for _, box, _ in seen])
    slanted = np.array([slant for _, _, slant in seen])  # the box of a slanted text says little
    width, height = figure.bbox.size
    outside = (boxes[:, :2] < -1).any(1) | (boxes[:, 2] > width + 1) | (boxes[:, 3] > height + 1)
    assert not outside.any(), [names[k] for k in np.flatnonzero(outside)]
    left, right = np.maximum(boxes[:, None, 0], boxes[None, :, 0]), np.minimum(boxes[:, None, 2], boxes[None, :, 2])
    low, high = np.maximum(boxes[:, None, 1], boxes[None, :, 1]), np.minimum(boxes[:, None, 3], boxes[None, :, 3])
    over = np.argwhere(np.triu((right - left > 1.5) & (high - low > 1.5) & ~np.logical_or.outer(slanted, slanted), 1))
    pairs = {(names[i], names[j]) for i, j in over}
    assert not pairs, sorted(pairs)[:8]


@pytest.mark.parametrize("sessions", [1, 4])
def test_cluster_map_of_few_sessions_shows_its_words(sessions):
    figure = draw.plot_cluster_map(VECTORS[:, : 8 * sessions], CLUSTERS)
    width, height = figure.bbox.size
    assert all((box[:2] > -1).all() and box[2] < width + 1 and box[3] < height + 1 for _, box, _ in drawn(figure))


@pytest.mark.parametrize("name", DRAW)
def test_axes_with_ticks_are_labelled(made, name):
    axes = [ax for ax in made[name].axes if ax.get_visible() and ax.axison]
    for side in "xy":
        numbered = [ax for ax in axes if any(t.get_text() for t in getattr(ax, f"get_{side}ticklabels")())]
        words = [getattr(ax, f"get_{side}label")() for ax in axes]
        # Shared axes are labelled at the edge; ticks that are names say what they are.
        assert not numbered or any(words) or all(_named(ax, side) for ax in numbered), name
    assert not any("ms" in ax.get_xlabel().split() for ax in axes)


def _named(ax, side: str) -> bool:
    return not any(t.get_text().replace(".", "").isdigit() for t in getattr(ax, f"get_{side}ticklabels")())


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("session_raster", "(min)"), ("cycle_histogram", "(s)"),
        ("shift_null", "(s)"), ("shift_null", "events per s"), ("guard", "(s)"), ("behaviour_candidates", "(min)"),
        ("time_correlation", "(min)"), ("mixed_model", "(log1p rate)"), ("neuron_counts", "neurons per session"),
    ],
)  # fmt: skip
def test_units(texts, name, unit):
    assert any(unit in text for text, _, _ in texts[name])


# ---------------------------------------------------------------- they draw the numbers they are given


def collections_by_gid(ax, gid):
    return [c for c in ax.collections if c.get_gid() == gid]


def test_raster_draws_every_interval(made):
    ax = made["session_raster"].axes[0]
    for label, own in SESSION.intervals.groupby("label"):
        (bars,) = collections_by_gid(ax, label)
        spans = [(p.vertices[:, 0].min(), p.vertices[:, 0].max()) for p in bars.get_paths()]
        assert_allclose(spans, own[["onset", "offset"]].to_numpy(float) / 60_000)
    (lines,) = collections_by_gid(ax, "press")
    assert len(lines.get_segments()) == len(presses(SESSION.events))
    merged = draw.plot_session_raster(SESSION.merged, SESSION.duration).axes[0]
    assert {c.get_gid() for c in merged.collections} == set(SESSION.merged["label"])


def test_cycles_mark_where_the_schedule_changes(made):
    for ax, value in zip(made["cycles"].axes, ("cycles", "cycles_at_ratio"), strict=True):
        (limit,) = [line for line in ax.lines if line.get_gid() == "limit"]
        assert set(limit.get_xdata()) == {4.5}
        assert [t.get_text() for t in ax.texts] == ["FR1", "FR5"]
        mouse = next(line for line in ax.lines if line.get_gid() == "mouse I3")
        assert_array_equal(mouse.get_ydata(), METRICS.loc[METRICS.mouse == "I3", value])
        mean = next(line for line in ax.lines if line.get_gid() == "A2A")
        assert_allclose(mean.get_ydata(), METRICS[METRICS.pathway == "A2A"].groupby("session")[value].mean())


def test_vectors_are_coloured_and_sorted(made):
    image = sign_image(np.array([[1, 0, 0, 0, 0, 0, 0, 1], [np.nan] * 8]))
    assert to_hex(image[0, 0]) == SIGN_COLOURS["activated"].lower() and to_hex(image[0, 7]) == "#0072b2"
    assert to_hex(image[0, 1]) == "#ffffff" and to_hex(image[1, 3]) == "#dddddd"
    shuffled = np.random.default_rng(1).permutation(len(CLUSTERS))
    side, ax = draw.plot_cluster_map(VECTORS[shuffled], CLUSTERS[shuffled]).axes
    strip = side.images[0].get_array()[:, 0]
    assigned = np.sort(CLUSTERS[CLUSTERS >= 0])
    expected = [to_rgb(cluster_colour(c)) for c in assigned] + [to_rgb("#DDDDDD")] * (CLUSTERS < 0).sum()
    assert_allclose(strip, expected)
    assert ax.images[0].get_array().shape == (90, 64, 3)
    assert [t.get_text() for t in side.get_yticklabels()] == [*map(str, range(6)), "none"]


@pytest.mark.parametrize("k", [1, 2, 6, 90])
def test_dendrogram_cuts_into_k(k):
    from scipy.cluster.hierarchy import fcluster

    tree = linkage()
    labels = fcluster(tree, k, "maxclust") - 1
    ax = draw.plot_dendrogram(tree, k, labels).axes[0]
    (cut,) = [line for line in ax.lines if line.get_gid() == "cut"]
    height = cut.get_ydata()[0]
    assert (tree[:, 2] >= height).sum() == k - 1
    lines = ax.collections[0]
    colours = [to_hex(c) for c in lines.get_colors()]
    for line, colour in zip(lines.get_segments(), colours, strict=True):
        assert (colour == "#555555") == (line[:, 1].max() >= height)
    sizes = np.bincount(labels)
    wanted = {cluster_colour(c).lower() for c in np.flatnonzero(sizes > 1)}
    assert set(colours) - {"#555555"} == wanted


def test_matrices_hold_their_numbers(made):
    ax = made["ari_matrix"].axes[0]
    values = ax.images[0].get_array()
    assert {t.get_text() for t in ax.texts} == {f"{v:.2f}" for v in values.ravel()}
    probability = transitions(SESSIONS["I2"][0].intervals).probability
    assert_allclose(made["transition_matrices"].axes[0].images[0].get_array(), probability)
    with pytest.raises(ValueError, match="matrices is empty"):
        draw.plot_transition_matrices({})


def test_decoding_has_points_and_chance(made):
    ax = made["decoding"].axes[0]
    (chance,) = [line for line in ax.lines if line.get_gid() == "chance"]
    assert set(chance.get_ydata()) == {0.25}
    points = sum(len(line.get_xdata()) for line in ax.lines if line is not chance)
    assert points == 6 * 8 * 3
    with pytest.raises(ValueError, match=r"lacks \['score'\]"):
        draw.plot_decoding(decoding_table().drop(columns="score"))


def test_shift_null_shows_the_observed_value(made):
    left, right = made["shift_null"].axes
    assert_allclose([p.get_x() for p in left.patches if p.get_gid() == "guard"], [0, 380 - 0.05])
    (observed,) = [line for line in right.lines if line.get_gid() == "observed"]
    assert set(observed.get_ydata()) == {0.85}
    edges = [line.get_ydata()[0] for line in right.lines if line.get_gid() == "threshold"]
    assert_allclose(edges, np.percentile(NULL, (5, 95)))
    assert right.get_title() == "percentile 99.2, p = 0.013"
    alone = draw.plot_shift_null(NULL, 0.85)
    assert "events per s" in alone.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (draw.plot_cluster_map, (np.zeros((4, 7)), np.zeros(4, int)), "8 \\* n_sessions"),
        (draw.plot_cluster_map, (np.zeros((4, 8)), np.zeros(3, int)), "one for each neuron"),
        (draw.plot_footprints, ({"a": np.zeros((2, 2))}, {}), "the same names"),
        (draw.plot_behaviour_candidates, (SESSION.intervals, 4e5, [[1.0]], ["seen"]), "'registered' or 'candidate'"),
        (draw.plot_time_correlation, (np.eye(3), ["a", "b"]), "n labels"),
        (draw.plot_cluster_choice, (pd.DataFrame({"k": [2]}),), "silhouette, gap, stability_ari"),
        (draw.plot_fractions, (pd.DataFrame({"pathway": ["D1"]}),), "lacks"),
    ],
)
def test_figures_refuse(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)


# ---------------------------------------------------------------- what the published modules draw

#: Modules of the published analysis that plot, and what draws the same (and more) here.
PUBLISHED = {
    "average_transition": {"transition_matrices"},
    "behaviors_and_candidates": {"behaviour_candidates"},
    "duration_behaviors": {"durations", "time_budget"},
    "duration_cycles": {"cycle_histogram"},
    "duration_experience": {"training"},
    "get_image": {"session_raster", "transition_matrices"},
    "image_function": {"transition_matrices"},
    "num_cycles": {"cycles", "training"},
    "num_neurons": {"neuron_counts"},
    "num_sessions": {"sessions"},
    "offset_percentile": {"guard"},
    "quality_registration": {"follow_matrix", "registration"},
    "bfp": {"best_labels"},
    "frac_of_behav": {"fractions", "labels_per_neuron"},
    "opti_similarities": {"cluster_map", "dendrogram", "contingency", "cluster_choice"},
    "opti_similarities_combined": {"cluster_map", "dendrogram", "mouse_balance"},
    "percentile": {"shift_null"},
    "plot_centroids": {"footprints"},
    "all_clustering_methods": {"method_panel", "ari_matrix"},
    "plot_LMM_results": {"mixed_model"},
    "stat_plots": {"cluster_changes"},
    "compare_clusters": {"comparison", "contingency", "ari_matrix"},
    "compare_percentiles": {"agreement", "sign_confusion"},
    "find_new_candidates": {"candidates"},
    "compare_scores": {"comparison"},
    "temporal_corr": {"time_correlation", "population_components"},
    "combined_svm": {"recall_maps", "confusion", "learning_curve"},
    "compare_pop": {"decoding"},
    "svm_stat": {"score_sizes"},
}
#: Figures of what the published analysis lacks: codes, leakage, claims judged mouse by mouse and over data sets.
OWN = {"codes", "leakage", "mouse_claims", "planted", "verdicts"}


def test_every_published_figure_has_ours():
    assert set().union(OWN, *PUBLISHED.values()) == set(DRAW)


def test_best_labels_count_neurons(made):
    table = pd.DataFrame({"label": ["food"] * 4, "direction": ["up", "up", "down", "up"], "significant": [1, 1, 1, 0]})
    ax = draw.plot_best_labels({"D1": table}).axes[0]
    heights = sorted(bar.get_height() for bar in ax.patches if bar.get_height())
    assert heights == [-1, -1, 2, 3]


def test_recall_maps_average_mice():
    table = pd.DataFrame({"cluster": [0, 0, 1], "session": [1, 1, 1], "mouse": ["a", "b", "a"], "score": [0.2, 0.4, 1]})
    image = draw.plot_recall_maps(table, {"score": "all"}).axes[0].images[0]
    assert_allclose(image.get_array(), [[0.3], [1.0]])


def test_score_sizes_draw_the_slope():
    table = pd.DataFrame({"cluster": [0, 1], "mouse": ["a", "a"], "score": [0.4, 0.6], "size": [4, 16]})
    ax = draw.plot_score_sizes(table, 0.1).axes[0]
    (line,) = [line for line in ax.lines if line.get_gid() == "slope"]
    assert_allclose(line.get_ydata(), [0.4, 0.6])


def test_planted_and_verdicts_show_their_numbers(made):
    ax = made["planted"].axes[1]
    assert [line.get_ydata()[0] for line in ax.lines if line.get_gid() == "reference"] == [0.25]
    with pytest.raises(ValueError, match="no values of the measure 'no such'"):
        draw.plot_planted(planted_table(), {"x": ["no such"]})
    table = pd.DataFrame({"condition": ["a"], "claim": ["c"], "found": [1], "reversed": [6], "n": [10]})
    ax = draw.plot_verdicts(table).axes[0]
    assert_allclose(ax.images[0].get_array(), [[-0.5]])
    assert [t.get_text() for t in ax.texts] == ["1 / 10\nopposite 6"]
