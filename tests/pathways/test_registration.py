"""Registration over sessions: alignment, matching, probabilities, quality; absent is missing, never an index."""

import itertools
from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import shift as shift_image
from scipy.spatial.distance import cdist

from netlib.base.seeds import stream
from netlib.pathways.cluster_checks import spatial_clustering
from netlib.pathways.registration import (
    _correlations,
    _overlap_cost,
    align_sessions,
    centroids,
    check_registration,
    fit_pair_model,
    follow_matrix,
    match_pairs,
    pick,
    quality,
    register_sessions,
    registration_scores,
    shift_footprints,
    sparse_footprints,
    summed_image,
)
from netlib.pathways.simulated_images import draw_footprints, place_cells

SEEDS = range(10)


@lru_cache(maxsize=64)
def make(seed, jitter, n_sessions=2, n=120, turnover=0.25):
    """120 cells, 25 % turnover, the field shifted by (6, -9) px, each cell moved by ``jitter`` px (sd)."""
    rng = stream(seed, "turnover")
    fresh, here = n, np.arange(n)
    cells = place_cells(seed, n + round((n_sessions - 1) * turnover * n))
    sessions, identities, shifts = [], [], []
    for k in range(n_sessions):
        if k:
            kept = rng.choice(here, round((1 - turnover) * n), replace=False)
            here, fresh = rng.permutation(np.r_[kept, np.arange(fresh, fresh + n - len(kept))]), fresh + n - len(kept)
        shift = ((0.0, 0.0), (6.0, -9.0), (-4.5, 3.25))[k % 3]
        sessions.append(draw_footprints(cells, here, shift=shift, jitter=jitter, seed=1000 * seed + k))
        identities.append(here)
        shifts.append(shift)
    return sessions, cells.field, identities, np.array(shifts)


def f1_of(seed, jitter, n_sessions=2, **options):
    sessions, field, identities, _ = make(seed, jitter, n_sessions)
    return registration_scores(register_sessions(sessions, field, **options).table, identities)["f1"]


# --- the bar: F1 >= 0.9 up to 1.5 px


@pytest.mark.parametrize("jitter, least", [(0.5, 0.99), (1.5, 0.92)])
def test_cells_are_followed(jitter, least):
    f1 = [f1_of(seed, jitter) for seed in SEEDS]
    assert np.mean(f1) >= least and np.min(f1) >= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("method", ["overlap", "distance", "correlation"])
@pytest.mark.parametrize("jitter", [0.5, 1.5])
def test_every_method_follows_cells_over_four_sessions(method, jitter):
    f1 = [f1_of(seed, jitter, 4, method=method) for seed in SEEDS]
    assert np.mean(f1) >= (0.99 if jitter < 1 else 0.94) and np.min(f1) >= (0.99 if jitter < 1 else 0.88)


@pytest.mark.slow
def test_probabilities_beat_overlap_where_cells_move():
    """The mixture learns from the data how far cells move; a fixed limit of overlap does not."""
    mean = {m: np.mean([f1_of(s, 1.5, method=m) for s in range(3)]) for m in ("overlap", "distance", "correlation")}
    assert mean["distance"] > mean["overlap"] and mean["correlation"] > mean["overlap"]


def test_more_jitter_is_worse_and_unrelated_fields_match_little():
    assert f1_of(0, 0.5) > f1_of(0, 1.5) > f1_of(0, 3.0)
    a, field, *_ = make(0, 0.5)
    other = make(1, 0.5)[0][0]
    found = register_sessions([a[0], other], field).table
    assert ((found >= 0).all(axis=1)).mean() < 0.2


# --- alignment


def test_shifts_are_found_and_undone():
    for seed in range(4):
        sessions, field, _, shifts = make(seed, 0.5, 3)
        aligned, _, found, similarity = align_sessions(sessions, field)
        np.testing.assert_allclose(found, -shifts, atol=0.4)
        assert similarity[0] == 1 and (similarity[1:] > 0.5).all()
        again = shift_footprints(sessions[0], field, (6, -9))
        exact = align_sessions([sessions[0], again], field, by="phase")[2]
        np.testing.assert_allclose(exact[1], (-6, 9), atol=0.1)
        assert aligned[1].shape == sessions[1].shape


def test_patches_undo_a_stretch():
    cells = place_cells(3, 150)
    one = draw_footprints(cells)
    x = cells.centres[:, 0]
    stretched = shift_footprints(one, cells.field, np.c_[8.0 * (x / 320 - 0.5), np.zeros(150)])
    rigid, patched = (align_sessions([one, stretched], cells.field, patches=p)[0][1] for p in (None, (2, 4)))
    left = [np.abs(centroids(m, cells.field) - cells.centres)[:, 0].mean() for m in (rigid, patched)]
    assert left[0] > 1.5 and left[1] < 0.6 * left[0]


def test_bad_alignments_are_named():
    sessions, field, *_ = make(0, 0.5)
    with pytest.raises(ValueError, match=r"sessions\[1\] is shifted"):
        align_sessions(sessions, field, max_shift=5.0)
    with pytest.raises(ValueError, match=r"sessions\[1\]: footprints have a field of \(9, 8\)"):
        align_sessions([np.ones((1, 8, 9)), np.ones((1, 9, 8))])
    with pytest.raises(ValueError, match="empty"):
        align_sessions([])
    with pytest.raises(ValueError, match="patches"):
        align_sessions(sessions, field, patches=(1, 4))


def test_moved_footprints_equal_a_moved_image():
    rng = stream(1, "images")
    images = np.zeros((3, 30, 40))
    images[:, 8:20, 10:30] = rng.random((3, 12, 20))
    matrix, shape = sparse_footprints(images)
    for dx, dy in ((0.25, -1.75), (3, 2), (-14.5, 0.5)):
        plain = np.stack([shift_image(i, (dy, dx), order=1, mode="constant") for i in images])
        moved = shift_footprints(matrix, shape, (dx, dy)).toarray().reshape(3, 30, 40)
        np.testing.assert_allclose(moved[:, 1:-1, 1:-1], plain[:, 1:-1, 1:-1], atol=1e-12)
    peaks = images.max(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(summed_image(matrix, shape), (images / peaks).sum(axis=0))


def test_centroids_equal_a_loop_and_empty_footprints_have_none():
    rng = stream(2, "images")
    images = rng.random((4, 9, 11)) * (rng.random((4, 9, 11)) > 0.5)
    images[3] = 0
    y, x = np.mgrid[:9, :11]
    plain = [[(i * v).sum() / i.sum() for v in (x, y)] for i in images[:3]]
    found = centroids(images)
    np.testing.assert_allclose(found[:3], plain)
    assert np.isnan(found[3]).all()
    counted = [[v[i > 0.3].mean() for v in (x, y)] for i in images[:3]]
    np.testing.assert_allclose(centroids(images, weighted=False, threshold=0.3)[:3], counted)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_bad_footprints_are_named(value):
    images = np.ones((2, 4, 4))
    images[1, 2, 2] = value
    with pytest.raises(ValueError, match="footprints"):
        register_sessions([images])


# --- matching


def test_pairs_have_the_greatest_gain():
    for seed in range(30):
        rng = stream(seed, "gain")
        gain = rng.random((4, 5))
        gain[rng.random((4, 5)) < 0.2] = -np.inf  # beyond the gate
        rows, columns = match_pairs(gain, 0.4)
        assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns) and (gain[rows, columns] >= 0.4).all()
        best = max(
            sum(max(gain[i, j] - 0.4, 0) for i, j in enumerate(order)) for order in itertools.permutations(range(5), 4)
        )
        assert (gain[rows, columns] - 0.4).sum() == pytest.approx(best)


def test_costs_equal_a_plain_computation():
    sessions, field, *_ = make(2, 1.5)
    a, b = (s[:30].toarray() for s in sessions)
    moved = shift_footprints(sessions[1][:30], field, (-6, 9))
    b = moved.toarray()
    cost = _overlap_cost(sessions[0][:30].tocsr(), moved, field, 12.0, 0.3, 0.5)
    inside = [m > 0.5 * m.max(axis=1, keepdims=True) for m in (a, b)]
    distance = cdist(*(centroids(m.reshape(30, *field)) for m in (a, b)))
    for i, j in np.ndindex(30, 30):
        iou = (inside[0][i] & inside[1][j]).sum() / (inside[0][i] | inside[1][j]).sum()
        plain = 0.7 * (1 - iou) + 0.3 * distance[i, j] / 12 if distance[i, j] <= 12 else np.inf
        assert cost[i, j] == pytest.approx(plain, rel=1e-6)
    np.testing.assert_allclose(_correlations(sessions[0][:30].tocsr(), moved), np.corrcoef(a, b)[:30, 30:], atol=1e-7)


def test_every_neuron_is_registered_once_and_absent_is_minus_one():
    sessions, field, identities, _ = make(4, 1.5, 4)
    for method in ("overlap", "distance"):
        found = register_sessions(sessions, field, method=method)
        check_registration(found.table, [len(i) for i in identities])
        for column, ids in zip(found.table.T, identities, strict=True):
            assert sorted(column[column >= 0]) == list(range(len(ids)))
        absent = found.table < 0
        assert (found.table[absent] == -1).all() and np.isnan(found.confidence[absent]).all()
        assert ((found.confidence[~absent] > 0) & (found.confidence[~absent] <= 1 + 1e-12)).all()


def test_a_session_without_neurons_is_absent_throughout():
    sessions, field, identities, _ = make(5, 0.5)
    empty = sessions[0][:0]
    found = register_sessions([sessions[0], empty, sessions[1]], field)
    assert (found.table[:, 1] == -1).all() and np.isnan(found.similarity[1])
    both = registration_scores(found.table[:, [0, 2]], identities)
    assert both["f1"] > 0.98
    late = register_sessions([empty, sessions[0]], field).table
    assert (late[:, 0] == -1).all() and (late[:, 1] == np.arange(120)).all()


def test_a_cell_comes_back_after_an_absence():
    """The union of what was seen is matched, not the session before only."""
    cells = place_cells(7, 60)
    order = [np.arange(60), np.arange(30), np.arange(60)[::-1]]
    found = register_sessions([draw_footprints(cells, o) for o in order], cells.field, update="last").table
    assert len(found) == 60 and (found[30:, 1] == -1).all() and (found[:, 2] == 59 - found[:, 0]).all()


@pytest.mark.parametrize(
    "options, match",
    [
        ({"method": "nearest"}, "method"),
        ({"max_cost": 1.5}, "max_cost"),
        ({"max_distance": 0.0}, "max_distance"),
        ({"centroid_weight": -0.1}, "centroid_weight"),
        ({"threshold": 1.0}, "threshold"),
        ({"update": "first"}, "update"),
        ({"method": "distance", "max_distance": 0.5}, "at least 30"),
    ],
)
def test_bad_options_are_named(options, match):
    sessions, field, *_ = make(0, 1.5)
    with pytest.raises(ValueError, match=match):
        register_sessions([s[:40] for s in sessions], field, **options)


# --- probabilities


def test_the_mixture_finds_what_was_drawn():
    rng = stream(1, "mixture")
    near = 1.5 * rng.weibull(2.0, 400)  # cells that move by a Gaussian step
    far = 12 * np.sqrt(rng.random(4000))
    far = far[rng.random(4000) < 1 / (1 + np.exp((6 - far) / 0.8))][:800]
    model = fit_pair_model(np.r_[near, far], "distance", 12.0)
    assert model.converged and model.weight == pytest.approx(1 / 3, abs=0.05)
    assert np.exp(model.same[0]) == pytest.approx(1.5, rel=0.1) and 1 / model.same[1] == pytest.approx(2, rel=0.2)
    assert model.different[0] == pytest.approx(6, abs=0.7)
    d = np.linspace(0, 12, 4001)
    for part in model.densities(d):
        assert np.trapezoid(part, d) == pytest.approx(1, abs=0.02)
    p = model.probability(d)
    assert (np.diff(p) <= 1e-12).all() and p[0] > 0.95 and p[-1] < 0.05 and model.probability([12.01])[0] == 0


@pytest.mark.parametrize("method", ["distance", pytest.param("correlation", marks=pytest.mark.slow)])
def test_probabilities_are_calibrated(method):
    """Of pairs that are one cell with probability p, a share p are one cell."""
    said, true = [], []
    for seed in range(4):
        sessions, field, identities, _ = make(seed, 1.5)
        aligned, *_ = align_sessions(sessions, field)
        distance = cdist(*(centroids(m, field) for m in aligned))
        measure = distance if method == "distance" else _correlations(*aligned)
        near = (distance <= 12) & (measure > 0)
        model = fit_pair_model(measure[near], method, 12.0)
        said.append(model.probability(measure[near]))
        true.append((identities[0][:, None] == identities[1][None])[near])
    said, true = np.concatenate(said), np.concatenate(true)
    for low, high in ((0, 0.2), (0.2, 0.8), (0.8, 1.01)):
        here = (said >= low) & (said < high)
        assert true[here].mean() == pytest.approx(said[here].mean(), abs=0.15 if method == "distance" else 0.35)
    assert said.sum() == pytest.approx(true.sum(), rel=0.05 if method == "distance" else 0.3)


def test_few_or_wrong_pairs_are_refused():
    with pytest.raises(ValueError, match="29 pairs"):
        fit_pair_model(np.ones(29))
    with pytest.raises(ValueError, match="values"):
        fit_pair_model(np.r_[-1.0, np.ones(50)])


# --- quality, and taking values along a table


def test_absent_is_never_an_index():
    """The published code gave a missing neuron the answers of the last one."""
    values = np.arange(12.0).reshape(4, 3)
    found = pick(values, [3, -1, 0])
    assert np.isnan(found[1]).all() and found[0].tolist() == [9, 10, 11] and found[2].tolist() == [0, 1, 2]
    assert np.isnan(pick(np.zeros((0, 8)), [-1, -1])).all()


@pytest.mark.parametrize(
    "table, match",
    [
        ([[0, -2]], r"table\[0, 1\] = -2"),
        ([[0.5, 1]], r"table\[0, 0\] = 0.5"),
        ([[np.nan, 1]], r"table\[0, 0\] = nan"),
        ([[0, 3]], r"table\[0, 1\] = 3.*from 0 to 2"),
        ([[0, 1], [1, 1]], "session 2: neuron 1 is registered 2 times"),
        ([0, 1], "shape"),
    ],
)
def test_bad_tables_are_named(table, match):
    with pytest.raises(ValueError, match=match):
        check_registration(table, [3, 3])


def test_scores_and_follow_matrix_equal_loops():
    rng = stream(6, "scores")
    identities = [rng.choice(40, 25, replace=False) for _ in range(3)]
    table = np.full((60, 3), -1)
    for k in range(3):
        rows = rng.choice(60, 25, replace=False)
        table[rows, k] = rng.permutation(25)
    both = ((0, 1), (0, 2), (1, 2))
    true = {
        (a, i, b, np.flatnonzero(identities[b] == c)[0])
        for a, b in both
        for i, c in enumerate(identities[a])
        if c in identities[b]
    }
    claimed = {(a, r[a], b, r[b]) for r in table for a, b in both if r[a] >= 0 <= r[b]}
    hit = len(true & claimed)
    found = registration_scores(table, identities)
    assert (found["true_pairs"], found["found_pairs"]) == (len(true), len(claimed))
    assert found["precision"] == pytest.approx(hit / len(claimed)) and found["recall"] == pytest.approx(hit / len(true))
    assert found["f1"] == pytest.approx(2 * hit / (len(claimed) + len(true)))
    present, follow = table >= 0, follow_matrix(table)
    for a, b in np.ndindex(3, 3):
        assert follow[a, b] == pytest.approx((present[:, a] & present[:, b]).sum() / present[:, a].sum())
    assert np.isnan(follow_matrix([[0, -1]])[1]).all()


def test_a_perfect_and_a_wrong_registration():
    identities = [np.arange(10), np.arange(10)[::-1]]
    assert registration_scores(np.c_[np.arange(10), np.arange(10)[::-1]], identities)["f1"] == 1
    assert registration_scores(np.c_[np.arange(10), np.arange(10)], identities)["f1"] == 0
    alone = np.full((20, 2), -1)
    alone[:10, 0] = alone[10:, 1] = np.arange(10)
    nothing = registration_scores(alone, identities)
    assert nothing["f1"] == 0 and np.isnan(nothing["precision"])


def test_quality_counts_sessions():
    table = np.full((5, 8), -1)
    for row, n in enumerate((1, 3, 4, 6, 8)):
        table[row, :n] = row
    report = quality(table)
    assert report.count_bins.to_dict() == {"0-1": 1, "2-3": 1, "4": 1, "5-6": 1, "7-8": 1}
    assert report.fraction_bins.tolist() == [1, 1, 1, 1, 1] and report.sessions_per_neuron.tolist() == [1, 3, 4, 6, 8]
    assert report.neurons_per_session.tolist() == [5, 4, 4, 3, 2, 2, 1, 1] and report.scores is None
    assert quality(table[:, :4]).count_bins is None


# --- clusters in space


def test_neurons_that_lie_together_are_found_and_others_are_not():
    rng, p = stream(8, "space"), []
    for seed in range(40):
        xy = stream(seed, "points").uniform(0, 200, (60, 2))
        p.append(spatial_clustering(xy, rng.integers(0, 3, 60), n_permutations=199, seed=seed)["p"])
    assert np.mean(np.array(p) <= 0.1) <= 0.25 and 0.35 < np.mean(p) < 0.65
    labels = (xy[:, 0] > 100).astype(int)
    found = spatial_clustering(xy, labels, n_permutations=199)
    assert found["p"] == 0.005 and found["share"] > 0.85 and found["z"] > 3
    apart = spatial_clustering(np.r_[xy, xy], np.r_[labels, labels], np.repeat([0, 1], 60), n_permutations=199)
    assert apart["share"] == pytest.approx(found["share"])  # mice are not one field
    with pytest.raises(ValueError, match="too few"):
        spatial_clustering(xy, np.full(60, -1))
