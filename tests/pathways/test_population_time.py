"""Correlation of the population over time: missing neurons, clusters of instants, behaviour shifted."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from netlib.base.seeds import stream
from netlib.pathways.behaviour import GROUPS, bin_labels, merge_behaviours
from netlib.pathways.cluster_checks import scores_of_tables
from netlib.pathways.population_time import (
    behaviour_agreement,
    cluster_instants,
    population_components,
    sample_instants,
    shifted_tables,
    time_correlation,
)
from netlib.pathways.simulate import simulate_behaviour

DT = 50.0


def make_session(seed, tuned=2.0, n=40, duration=600_000.0):
    """Smooth traces whose pattern over neurons depends on behaviour by ``tuned`` standard deviations."""
    intervals = merge_behaviours(simulate_behaviour(seed, session=7, duration=duration).intervals)
    frames = round(duration / DT)
    code = bin_labels(intervals, GROUPS, frames, DT)
    rng = stream(seed, "population")
    noise = gaussian_filter1d(rng.standard_normal((n, frames)), 20, axis=1)
    pattern = np.c_[stream(0, "patterns").standard_normal((n, 4)), np.zeros(n)]
    return noise / noise.std() + tuned * pattern[:, code], code[::20]


def test_correlation_equals_numpy_over_the_shared_neurons():
    a, b = make_session(1)[0], make_session(2)[0]
    a[:5], b[3:12] = np.nan, np.nan
    found = sample_instants([a, b], DT)
    matrix = time_correlation(found)
    assert matrix.shape == (1200, 1200) and found.session.tolist() == [0] * 600 + [1] * 600
    z = [(x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in (a, b)]
    for (s, i), (t, j) in (((0, 3), (0, 500)), ((0, 10), (1, 77)), ((1, 0), (1, 599))):
        x, y = z[s][:, 20 * i], z[t][:, 20 * j]
        both = np.isfinite(x) & np.isfinite(y)
        assert both.sum() == {(0, 0): 35, (0, 1): 28, (1, 1): 31}[s, t]
        assert matrix[600 * s + i, 600 * t + j] == pytest.approx(np.corrcoef(x[both], y[both])[0, 1], abs=1e-5)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_missing_neurons_are_left_out_not_filled_with_zeros():
    """Independent sessions that lack the same half of the neurons are not alike; filled with zeros they seem to be."""
    rng = stream(3, "apart")
    a, b = 1 + rng.standard_normal((2, 60, 2000)).cumsum(axis=2) * 0.01 + np.r_[np.zeros(30), np.full(30, 3.0)][:, None]
    a[:30], b[:30] = np.nan, np.nan
    block = time_correlation(sample_instants([a, b], DT))[:100, 100:]
    alone = time_correlation(sample_instants([a[30:], b[30:]], DT))[:100, 100:]
    np.testing.assert_allclose(block, alone, atol=1e-6)
    a[20:40], b[:40] = np.nan, np.nan
    a[:20] = 1 + rng.standard_normal((20, 2000))
    a[40:] = np.nan
    few = time_correlation(sample_instants([a, b], DT))
    assert np.isnan(few[:100, 100:]).all() and np.isfinite(few[:100, :100]).all()
    with pytest.raises(ValueError, match="no column"):
        cluster_instants(few, [2])


def test_clusters_find_planted_behaviour_and_only_that():
    traces, code = make_session(4)
    matrix = time_correlation(sample_instants(traces, DT))
    table = cluster_instants(matrix, range(2, 7), n_starts=3, seed=1)
    labels = table.loc[4, "labels"]
    found = behaviour_agreement(labels, code, n_shifts=299)
    assert found["ari"] > 0.7 and found["ari_p"] == found["ami_p"] == 1 / 300 and abs(found["ari_null"]) < 0.05
    keep = code >= 0
    assert found["ari"] == pytest.approx(adjusted_rand_score(code[keep], labels[keep]))
    assert found["ami"] == pytest.approx(adjusted_mutual_info_score(code[keep], labels[keep]))
    assert (np.diff(table["inertia"]) < 0).all() and (np.diff(np.bincount(labels)) <= 0).all()
    again = cluster_instants(matrix, [4], n_starts=3, seed=1).loc[4, "labels"]
    np.testing.assert_array_equal(labels, again)


@pytest.mark.slow
def test_null_agreement_has_uniform_p():
    p = []
    for seed in range(12):
        traces, code = make_session(20 + seed, tuned=0.0, duration=360_000.0)
        smooth = gaussian_filter1d(traces, 60, axis=1)  # memory of seconds: instants are not independent
        labels = cluster_instants(time_correlation(sample_instants(smooth, DT)), [4], n_starts=1).loc[4, "labels"]
        p.append(behaviour_agreement(labels, code, n_shifts=199)["ari_p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.25 and 0.2 < np.mean(p) < 0.8


def test_tables_at_all_lags_equal_a_loop():
    rng = stream(5, "tables")
    clusters, labels = rng.integers(0, 3, 150), np.repeat(rng.integers(0, 4, 30), 5)
    tables = shifted_tables(clusters, labels)
    scores = scores_of_tables(tables)
    for k in (0, 1, 17, 149):
        moved = np.roll(labels, k)
        plain = np.zeros((3, 4), int)
        np.add.at(plain, (clusters, moved), 1)
        np.testing.assert_array_equal(tables[k], plain)
        assert scores["ari"][k] == pytest.approx(adjusted_rand_score(clusters, moved))
        assert scores["ami"][k] == pytest.approx(adjusted_mutual_info_score(clusters, moved))


def test_each_session_is_shifted_by_itself():
    parts = [make_session(seed) for seed in (6, 7)]
    found = sample_instants([p[0] for p in parts], DT)
    labels = cluster_instants(time_correlation(found), [4], n_starts=2).loc[4, "labels"]
    code = np.concatenate([p[1] for p in parts])
    result = behaviour_agreement(labels, code, found.session, n_shifts=99)
    assert result["ari_p"] == 0.01 and result["n"] == (code >= 0).sum()
    with pytest.raises(ValueError, match="session 1 has"):
        behaviour_agreement(labels[:640], code[:640], found.session[:640])


def test_windows_averages_and_components():
    traces, _ = make_session(8)
    traces[2] = np.nan
    part = sample_instants(traces, DT, windows=[(10_000.0, 60_000.0)], average=True)
    assert part.values.shape == (40, 50) and part.times[0] == 10_000 and part.times[-1] == 59_000
    z = traces[0, 200:1200]
    assert part.values[0, 3] == pytest.approx(((z - z.mean()) / z.std())[60:80].mean())
    scores, explained = population_components(part)
    assert scores.shape == (50, 3) and (np.diff(explained) < 0).all() and 0.3 < explained.sum() < 1
    with pytest.raises(ValueError, match="n_components"):
        population_components(part, 40)
    with pytest.raises(ValueError, match="whole number of frames"):
        sample_instants(traces, DT, 130.0)
    with pytest.raises(ValueError, match="one n"):
        sample_instants([traces, traces[:3]], DT)
