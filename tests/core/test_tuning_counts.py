"""Counts, histograms, spiking statistics, traces and tables, on recordings made by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import distance, von_mises
from netlib.base.seeds import stream
from netlib.recordings.recording import Recording, Trace
from netlib.stimuli.protocol import Protocol
from netlib.tuning import (
    counting_windows,
    decode_recording,
    decoding_error,
    fano_factor,
    fit_population,
    fit_trace_tuning,
    isi_cv,
    isi_cv2,
    population_summary,
    psth,
    psth_of_spikes,
    response_counts,
    spike_intervals,
    trace_means,
    tuning_curves,
    tuning_table,
)

N = 48


def protocol(contrasts=(1.0,), trials=4, duration=400.0, gap=100.0, n_orientations=12):
    grid = [(c, 180.0 * k / n_orientations) for c in contrasts for _ in range(trials) for k in range(n_orientations)]
    table = pd.DataFrame(grid, columns=["contrast", "orientation"])
    table["onset"] = 100.0 + (duration + gap) * np.arange(len(table))
    table["duration"] = duration
    table["B_theta"] = 15.0
    return Protocol.from_table(table)


def planted_recording(shown=None, seed=0, B_theta=18.0, baseline=2.0, amplitude=30.0):
    """Ring of N cells, silent but for Poisson spikes tuned to what is shown; a trace follows the tuning."""
    shown = protocol() if shown is None else shown
    rng = stream(seed, "recording")
    place = 180.0 * np.arange(N) / N
    windows, table = shown.windows(), shown.table
    profile = von_mises(place[:, None], table["orientation"].to_numpy(), B_theta)
    rate = (baseline + amplitude * profile) * table["contrast"].to_numpy()
    counts = rng.poisson(rate * (windows[:, 1] - windows[:, 0]) / 1000)
    cell, row = (np.repeat(a.ravel(), counts.ravel()) for a in np.indices(counts.shape))
    times = rng.uniform(windows[row, 0], windows[row, 1])
    order = np.argsort(times)
    samples = np.arange(round(shown.duration)) + 0.0
    v = np.full((4, len(samples)), -65.0)
    for k, (on, off) in enumerate(windows):
        v[:, round(on) : round(off)] += 8 * von_mises(place[::12], table["orientation"][k], 30.0)[:, None]
    return Recording(
        pd.DataFrame({"population": "E", "orientation": place}),
        cell[order].astype(np.int32),
        times[order],
        shown.duration,
        shown,
        {"v": Trace(v, np.arange(0, N, 12), 1.0, "mV")},
    )


def train(index, times, shown=None, n=1, duration=1000.0):
    """Recording of given spikes."""
    shown = shown or Protocol.from_table(pd.DataFrame({"onset": [100.0, 500.0], "duration": [300.0, 300.0]}), duration)
    order = np.argsort(times, kind="stable")
    return Recording(
        pd.DataFrame({"population": ["E"] * n, "orientation": 180.0 * np.arange(n) / n}),
        np.asarray(index, np.int32)[order],
        np.asarray(times, float)[order],
        duration,
        shown,
    )


def test_counts_equal_a_brute_force_count():
    recording = planted_recording()
    counts, durations = response_counts(recording, start=50, duration=200)
    assert (durations == 200).all()
    for cell, row in [(0, 0), (7, 3), (20, 40), (47, 47)]:
        on = recording.protocol.table["onset"][row] + 50
        mine = recording.spike_time[recording.spike_index == cell]
        assert counts[cell, row] == sum(on <= t < on + 200 for t in mine)
    windows = counting_windows(recording.protocol, 50)
    assert counting_windows(recording.protocol, 0)[0] == pytest.approx([100, 500])
    expected = sum(((recording.spike_time >= a) & (recording.spike_time < b)).sum() for a, b in windows)
    assert response_counts(recording)[0].sum() == expected


def test_counting_windows_are_half_open():
    recording = train([0, 0, 0], [150.0, 200.0, 250.0])
    assert response_counts(recording, 50, 100)[0].tolist() == [[2, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "start = -1 ms"),
        ({"start": 400}, "start = 400 ms"),
        ({"start": 100, "duration": 301.0}, "duration = 301.0 ms"),
        ({"duration": 0}, "duration = 0 ms"),
    ],
)
def test_bad_counting_windows_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        counting_windows(protocol(), **options)


def test_tuning_curves_equal_a_brute_force_mean():
    recording = planted_recording(protocol((0.5, 1.0)))
    curves = tuning_curves(recording, group=["contrast"], start=0)
    assert len(curves) == N * 2 * 12
    one = curves[(curves["cell"] == 10) & (curves["contrast"] == 0.5) & (curves["orientation"] == 45.0)].iloc[0]
    table = recording.protocol.table
    rows = np.flatnonzero((table["contrast"] == 0.5) & (table["orientation"] == 45.0))
    rates = recording.counts()[10, rows] / 0.4
    assert one["rate"] == pytest.approx(rates.mean())
    assert one["sem"] == pytest.approx(rates.std(ddof=1) / 2)
    assert one["n"] == 4
    assert set(tuning_curves(recording, by="contrast")["contrast"]) == {0.5, 1.0}
    with pytest.raises(ValueError, match="did you mean 'orientation'"):
        tuning_curves(recording, by="orientations")


def test_psth_of_a_known_train():
    # One cell, a spike 5 ms and one 25 ms after the first event, one 5 ms after the second.
    time, rate, sem = psth_of_spikes([125.0, 105.0, 505.0], [100.0, 500.0], (0, 40), bin=10)
    np.testing.assert_allclose(time, [5, 15, 25, 35])
    np.testing.assert_allclose(rate, [100, 0, 50, 0])
    np.testing.assert_allclose(sem, [0, 0, 50, 0])


def test_psth_edges_belong_to_the_bin_they_open():
    _, rate, _ = psth_of_spikes([100.0, 110.0, 120.0], [100.0], (0, 20), bin=10)
    np.testing.assert_allclose(rate, [100, 100])
    onsets = 0.1 + 0.7 * np.arange(1000)  # edges that are not exact in binary
    _, rate, _ = psth_of_spikes(onsets + 0.3, onsets, (0, 0.6), bin=0.1)
    np.testing.assert_allclose(rate, [0, 0, 0, 1e4, 0, 0])


def test_psth_outside_the_recording_is_missing_not_silent():
    _, rate, _ = psth_of_spikes([5.0], [0.0], (-20, 20), bin=10, duration=10.0)
    np.testing.assert_array_equal(np.isnan(rate), [True, True, False, True])


def test_psth_of_a_recording_averages_cells_and_presentations():
    recording = train([0, 1, 1], [105.0, 107.0, 405.0], n=2)
    time, rate, _ = psth(recording, "E", bin=10)
    assert len(time) == 30
    assert rate[0] == pytest.approx(2 / 2 / 2 * 100)
    _, rate, _ = psth(recording, align="offset", window=(0, 10), presentations=[0])
    np.testing.assert_allclose(rate, [50])
    with pytest.raises(ValueError, match="whole number of bins"):
        psth(recording, bin=7, window=(0, 10))
    with pytest.raises(ValueError, match="align = 'start'"):
        psth(recording, align="start")
    assert (psth(train([], []))[1] == 0).all()


def test_intervals_and_their_cv_equal_a_loop():
    rng = stream(1, "isi")
    index, times = rng.integers(0, 5, 800), rng.uniform(0, 5000, 800)
    cv = isi_cv(index, times, 6)
    for k in range(5):
        isi = np.diff(np.sort(times[index == k]))
        assert cv[k] == pytest.approx(isi.std(ddof=1) / isi.mean())
    assert np.isnan(cv[5])
    halves = [[0.0, 2500.0], [2500.0, 5000.0]]
    pairs = []
    for low, high in halves:
        isi = np.diff(np.sort(times[(index == 3) & (times >= low) & (times < high)]))
        pairs += [2 * abs(b - a) / (a + b) for a, b in itertools.pairwise(isi)]
    assert isi_cv2(index, times, 6, windows=halves)[3] == pytest.approx(np.mean(pairs))
    assert np.isnan(isi_cv([0] * 9, np.arange(9.0), 1)[0])
    assert isi_cv([0] * 10, np.arange(10.0), 1)[0] == pytest.approx(0)


def test_the_cv_of_a_poisson_train_is_1_and_windows_remove_changes_of_rate():
    rng = stream(2, "isi")
    slow, fast = np.cumsum(rng.exponential(100, 2000)), np.cumsum(rng.exponential(5, 2000))
    slow_end = slow[-1] + 1
    times = np.concatenate([slow, slow_end + fast])
    assert isi_cv(np.zeros(2000, int), slow, 1)[0] == pytest.approx(1, abs=0.06)
    assert isi_cv(np.zeros(4000, int), times, 1)[0] > 1.5
    assert isi_cv2(np.zeros(4000, int), times, 1)[0] == pytest.approx(1, abs=0.04)
    clocks = np.concatenate([np.arange(0, 1000, 10.0), np.arange(2000, 3000, 50.0)])
    _, intervals = spike_intervals(np.zeros(len(clocks), int), clocks, [[0, 1000], [2000, 3000]])
    assert set(intervals) == {10.0, 50.0}
    with pytest.raises(ValueError, match="overlap"):
        spike_intervals([0], [1.0], [[0, 10], [5, 20]])


def test_fano_factor():
    rng = stream(3, "fano")
    labels = np.repeat(np.arange(12), 50)
    mean = np.array([[5.0], [20.0]]) * (1 + labels)
    counts = rng.poisson(mean)
    np.testing.assert_allclose(fano_factor(counts, labels), 1, atol=0.15)
    assert (fano_factor(counts) > 3).all()  # pooling conditions adds their variance
    assert np.isnan(fano_factor(np.zeros((1, 4)))[0])
    assert fano_factor([[1, 3, 1, 3]], [0, 0, 1, 1])[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="none is repeated"):
        fano_factor([[1, 2]], [0, 1])


def test_population_summary():
    recording = planted_recording()
    row = population_summary(recording).loc["E"]
    assert row["n"] == N
    assert row["rate"] == pytest.approx(recording.rates().mean())
    assert row["rate_sem"] == pytest.approx(recording.rates().std(ddof=1) / np.sqrt(N))
    assert row["isi_cv2"] == pytest.approx(1, abs=0.1)
    assert row["isi_cv"] > row["isi_cv2"]  # tuned: fast at one orientation, slow at the others


def test_trace_means_leave_out_what_is_clipped():
    shown = Protocol.from_table(pd.DataFrame({"onset": [10.0, 50.0], "duration": [20.0, 20.0]}), 100.0)
    base = train([1, 0, 0], [15.0, 15.0, 55.0], shown, n=2, duration=100.0)
    v = np.zeros((1, 100))
    v[0, 15:18] = 50.0
    recording = Recording(
        base.neurons, base.spike_index, base.spike_time, 100.0, shown, {"v": Trace(v, np.array([1]), 1.0, "mV")}
    )
    cells, means = trace_means(recording, start=0)
    assert cells.tolist() == [1]
    np.testing.assert_allclose(means, [[7.5, 0]])
    np.testing.assert_allclose(trace_means(recording, start=0, clip_spikes=3.0)[1], [[0, 0]])
    np.testing.assert_allclose(trace_means(recording, start=0, clip_spikes=2.0)[1], [[50 / 18, 0]])
    with pytest.raises(ValueError, match="name = 'w' is unknown"):
        trace_means(recording, "w")


def test_the_trace_of_a_planted_recording_has_the_planted_width():
    fit = fit_trace_tuning(planted_recording())
    assert list(fit["cell"]) == [0, 12, 24, 36]
    np.testing.assert_allclose(fit["B_theta"], 30, rtol=1e-3)
    np.testing.assert_allclose(distance(fit["preferred"], fit["orientation"]), 0, atol=0.01)


def test_the_table_of_a_planted_recording():
    recording = planted_recording()
    table = tuning_table(recording)
    assert len(table) == N
    assert table.columns.is_unique
    assert table["success"].mean() > 0.95
    assert np.median(distance(table["preferred"], table["orientation"])) < 3
    assert table["B_theta"].median() == pytest.approx(18, rel=0.1)
    assert table["circular_variance"].between(0, 0.7).all()
    assert table["fano"].mean() == pytest.approx(1, abs=0.15)
    assert table["direction_index"].isna().all()


def test_contrasts_are_never_pooled_unasked():
    recording = planted_recording(protocol((0.5, 1.0)))
    with pytest.raises(ValueError, match=r"2 values of 'contrast': pass by="):
        tuning_table(recording)
    both = tuning_table(recording, by=["contrast"])
    assert both.groupby("contrast")["cell"].count().to_dict() == {0.5: N, 1.0: N}
    one = tuning_table(recording, where={"contrast": 0.5})
    np.testing.assert_allclose(one["amplitude"], both.loc[both["contrast"] == 0.5, "amplitude"])
    assert "stimulus_B_theta" in tuning_table(recording, by=["contrast", "B_theta"])
    with pytest.raises(ValueError, match="no presentation"):
        tuning_table(recording, where={"contrast": 0.2})


def test_the_profile_on_the_ring_points_at_the_stimulus():
    recording = planted_recording()
    fit = fit_population(recording)
    assert len(fit) == len(recording.protocol)
    assert fit["success"].mean() > 0.95
    assert fit["absolute_error"].mean() < 4
    covered = (fit["B_theta_low"] <= 18) & (fit["B_theta_high"] >= 18)
    assert covered.mean() > 0.8
    assert fit_population(recording, presentations=5)["presentation"].tolist() == [5]


def test_decoding_a_recording():
    recording = planted_recording()
    table = decode_recording(recording)
    summary = decoding_error(table["decoded"], table["orientation"])
    assert summary["n"] == len(recording.protocol)
    assert summary["absolute"] < 8
    assert abs(summary["bias"]) < 3
    wrong = decode_recording(recording, preferred=stream(0, "shuffle").permutation(180.0 * np.arange(N) / N))
    assert decoding_error(wrong["decoded"], wrong["orientation"])["absolute"] > 25
