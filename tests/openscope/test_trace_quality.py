"""Quality of traces, and the choice of ROIs to show."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from netlib.base.seeds import stream
from netlib.openscope.quality import (
    choose_by_selectivity,
    choose_responsive,
    correlation_histogram,
    pairwise_correlations,
    response_features,
    rolling_mean,
    roughness,
    signal_to_noise,
    trial_correlation,
)

# ---------------------------------------------------------------- signal to noise


def test_signal_to_noise_against_its_definition():
    rng = stream(1, "snr")
    traces = rng.normal(size=(3001, 5)) + 5.0 * (rng.random((3001, 5)) < 0.02)
    traces[rng.random(traces.shape) < 0.01] = np.nan
    table = signal_to_noise(traces)
    for k in range(5):
        values = traces[:, k][~np.isnan(traces[:, k])]
        median = np.median(values)
        noise = [v for v in values if v <= median]
        noise = np.array(noise + [2 * median - v for v in noise])
        threshold = stats.norm.ppf(0.95, noise.mean(), noise.std())
        signal = values[values > threshold]
        row = table.loc[k]
        assert row["snr"] == pytest.approx(signal.mean() / noise.std(), abs=1e-12)
        assert (row["signal"], row["n_signal"]) == (pytest.approx(signal.mean(), abs=1e-12), len(signal))
        assert row["n"] == len(values)


def test_noise_alone_has_the_ratio_of_a_normal_tail_and_flat_or_empty_traces_none():
    noise = 0.3 * stream(2, "snr").normal(size=(200_000, 1))
    tail = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert signal_to_noise(noise)["snr"][0] == pytest.approx(tail, abs=0.02)  # 2.06, whatever the scale
    table = signal_to_noise(np.column_stack([np.ones(50), np.full(50, np.nan)]))
    assert table["snr"].isna().all() and table["n"].tolist() == [50, 0]
    with pytest.raises(ValueError, match=r"must be \(frames, rois\)"):
        signal_to_noise(np.ones(5))


# ---------------------------------------------------------------- rolling mean and correlations


@pytest.mark.parametrize("n", [1, 3, 4, 5])
def test_rolling_mean_against_a_loop_with_mirrored_ends(n):
    x = stream(3, "rolling").normal(size=11)
    got = rolling_mean(x, n)
    for k in range(11):
        window = range(k - (n - 1) // 2, k + n // 2 + 1)
        mirrored = [x[-i] if i < 0 else x[20 - i] if i > 10 else x[i] for i in window]
        assert got[k] == pytest.approx(np.mean(mirrored), abs=1e-14)


def test_mean_of_smoothed_trials_is_the_smoothed_mean_trace():
    trials = stream(4, "rolling").normal(size=(93, 119))
    np.testing.assert_allclose(rolling_mean(trials, 4).mean(0), rolling_mean(trials.mean(0), 4), rtol=0, atol=1e-15)
    with pytest.raises(ValueError, match="n = 200 samples is longer"):
        rolling_mean(trials, 200)


def test_correlations_against_numpy_with_flat_and_broken_rois_marked():
    traces = stream(5, "pairs").normal(size=(400, 6)) @ stream(6, "pairs").normal(size=(6, 6)) + 100.0
    traces[:, 2] = 7.3
    traces[5, 4] = np.nan
    matrix = pairwise_correlations(traces)
    good = [0, 1, 3, 5]
    smooth = np.array([rolling_mean(traces[:, k], 4) for k in good])
    np.testing.assert_allclose(matrix[np.ix_(good, good)], np.corrcoef(smooth), atol=1e-12)
    assert np.isnan(matrix[[2, 4]]).all() and np.isnan(matrix[:, [2, 4]]).all()
    table = correlation_histogram(matrix)
    assert len(table) == 40 and table["low"][0] == -1.0 and table["high"][39] == 1.0
    assert table["count"].sum() == table.attrs["n"] == 6 and table["fraction"].sum() == pytest.approx(1.0)
    pairs = matrix[np.ix_(good, good)][np.triu_indices(4, 1)]
    assert table.attrs["median"] == pytest.approx(np.median(pairs))
    with pytest.raises(ValueError, match="2 ROIs or more"):
        correlation_histogram([[1.0]])


def test_smoothing_reveals_correlation_that_noise_hides():
    rng = stream(7, "shared")
    shared = np.repeat(rng.normal(size=(500, 1)), 8, axis=0)
    traces = shared + 2.0 * rng.normal(size=(4000, 12))
    raw, smooth = (np.median(pairwise_correlations(traces, n)[np.triu_indices(12, 1)]) for n in (1, 4))
    assert raw == pytest.approx(0.2, abs=0.04) and smooth > raw + 0.15


# ---------------------------------------------------------------- examples


def test_roughness_tells_smooth_from_jagged():
    time = np.linspace(0, 1, 45)
    smooth = np.sin(2 * np.pi * time)
    traces = np.array([smooth, smooth + 0.3 * (-1.0) ** np.arange(45)])
    rough = roughness(traces)
    assert rough[0] < 1e-3 and rough[1] == pytest.approx((0.3 * 4 / 3) ** 2, rel=0.1)


def test_choice_by_selectivity_is_near_its_targets_and_smooth():
    rng = stream(9, "choice")
    usi = rng.normal(0, 0.4, 500)
    significant = np.abs(usi) > 0.3
    rough = rng.random(500)
    usi[3], rough[4] = np.nan, np.nan
    chosen = choose_by_selectivity(usi, significant, rough)
    assert chosen["target"].tolist() == [0.5, 0.0, -0.5] and chosen["significant"].tolist() == [True, False, True]
    for row in chosen.itertuples():
        fit = [
            k
            for k in range(500)
            if np.isfinite(usi[k] + rough[k]) and significant[k] == row.significant and usi[k] * row.target >= 0
        ]
        smooth = [k for k in fit if rough[k] <= np.percentile(rough[fit], 12)]
        assert row.roi == min(smooth, key=lambda k: abs(usi[k] - row.target)) and row.n_candidates == len(smooth)
    none = choose_by_selectivity([0.1, -0.6], [False, True], [0.2, 0.1])
    assert none["roi"].tolist() == [-1, 0, 1] and np.isnan(none["usi"][0])
    with pytest.raises(ValueError, match=r"must be \(rois,\)"):
        choose_by_selectivity([0.1], [True, False], [0.1])


def test_trial_correlation_against_every_pair():
    rng = stream(10, "trials")
    windows = rng.normal(size=(7, 3, 20)) + np.sin(np.arange(20)) * np.array([0.0, 1.0, 5.0])[:, None]
    windows[2, 1, 4] = np.nan
    windows[3, 2] = 1.0
    got = trial_correlation(windows)
    for roi, left_out in enumerate([[], [2], [3]]):
        kept = [k for k in range(7) if k not in left_out]
        pairs = [np.corrcoef(windows[i, roi], windows[j, roi])[0, 1] for i in kept for j in kept if i < j]
        assert got[roi] == pytest.approx(np.median(pairs), abs=1e-12)
    assert got[2] > 0.8 and np.isnan(trial_correlation(windows[:1])).all()


def test_responsive_rois_are_found_among_noise():
    rng = stream(11, "responsive")
    windows = rng.normal(size=(15, 80, 45))
    bump = np.exp(-((np.arange(45) - 32.0) ** 2) / 8)
    windows[:, :10] += 6.0 * bump
    snr = np.where(np.arange(80) < 30, 3.0, 1.0) + 0.01 * rng.random(80)
    features = response_features(windows, n_pre=27)
    assert features["skew"].tolist() == pytest.approx(stats.skew(windows.mean(0), axis=1).tolist())
    assert features["difference"][0] == pytest.approx(6.0 * bump[27:].mean(), abs=0.3)
    chosen = choose_responsive(snr, features, percentile=60.0)
    assert len(chosen) == 6 and (chosen < 10).all()
    np.testing.assert_array_equal(chosen, choose_responsive(snr, features, percentile=60.0))
    few = choose_responsive(snr, features, columns=("difference", "trial_correlation"), percentile=70.0, n=50)
    assert 5 <= len(few) <= 10 and (few < 10).all()


def test_choice_among_rois_with_nan_and_wrong_columns():
    features = pd.DataFrame({"std": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]})
    assert choose_responsive(np.arange(6.0), features, columns=["std"], percentile=0.0).tolist() == [5]
    assert choose_responsive(np.full(6, np.nan), features, columns=["std"]).size == 0
    with pytest.raises(ValueError, match="no column"):
        choose_responsive(np.ones(6), features)
    with pytest.raises(ValueError, match="one per row"):
        choose_responsive(np.ones(5), features, columns=["std"])
