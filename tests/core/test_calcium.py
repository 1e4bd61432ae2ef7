"""Spikes to fluorescence: kernel, sampling, saturation, noise, baseline."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import percentile_filter

from netlib.calcium.baselines import dff, noise_level, running_baseline
from netlib.calcium.indicators import GCAMP6F, GCAMP6S, Indicator, calcium_trace, indicator
from netlib.calcium.microscope import Microscope, image
from netlib.recordings import Recording
from netlib.stimuli import Grating, Protocol

LINEAR = Indicator("linear", rise=40.0, decay=300.0, amplitude=0.2)


def recording(rates, duration, seed=0, populations=None):
    """Poisson units of given rates (Hz)."""
    rng = np.random.default_rng(seed)
    numbers = rng.poisson(np.asarray(rates) * duration / 1000.0)
    index = np.repeat(np.arange(len(rates)), numbers).astype(np.int32)
    time = rng.uniform(0, duration, len(index))
    order = np.argsort(time)
    return Recording(
        neurons=pd.DataFrame({"population": populations or ["E"] * len(rates), "orientation": 0.0}),
        spike_index=index[order],
        spike_time=time[order],
        duration=duration,
        protocol=Protocol.sequence([Grating(theta=0.0)], duration=300.0),
    )


def direct(spikes, times, kind):
    """Sum of double exponentials, spike by spike."""
    t = np.subtract.outer(times, spikes)
    shape = np.where(t >= 0, np.exp(-np.maximum(t, 0) / kind.decay) - np.exp(-np.maximum(t, 0) / kind.rise), 0.0)
    fine = np.linspace(0, 2 * kind.decay, 100_001)
    return shape.sum(axis=1) / (np.exp(-fine / kind.decay) - np.exp(-fine / kind.rise)).max()


def test_trace_is_the_sum_of_kernels_at_regular_and_irregular_frames():
    rng = np.random.default_rng(1)
    spikes = np.concatenate([rng.uniform(-500, 20_000, 300), [1000.0, 1000.0]])
    regular = np.arange(600) * 1000 / 30
    irregular = np.sort(rng.uniform(0, 20_000, 500))
    for times in (regular, irregular):
        expected = 0.2 * direct(spikes, times, LINEAR)
        assert np.abs(calcium_trace(spikes, times, indicator=LINEAR) - expected).max() < 1e-9
    by_rate = calcium_trace(spikes, rate=30.0, duration=20_000.0, indicator=LINEAR)
    assert by_rate.shape == (600,)
    assert np.abs(by_rate - 0.2 * direct(spikes, regular, LINEAR)).max() < 1e-9


def test_spike_times_are_not_rounded_to_frames():
    early, late = (calcium_trace([t], rate=10.0, duration=1000.0, indicator=LINEAR) for t in (110.0, 190.0))
    assert early[2] > 2 * late[2] > 0
    assert early[1] == late[1] == 0


def test_exposure_averages_the_instants():
    rng = np.random.default_rng(2)
    spikes, times, exposure = rng.uniform(0, 3000, 40), np.arange(1, 90) * 33.3, 33.3
    fine = (np.arange(2000) + 0.5) / 2000
    expected = [0.2 * direct(spikes, t - exposure * fine, LINEAR).mean() for t in times]
    assert calcium_trace(spikes, times, indicator=LINEAR, exposure=exposure) == pytest.approx(expected, abs=1e-5)


def test_many_cells_equal_one_by_one():
    cells = [[100.0, 500.5], [], [900.0]]
    together = calcium_trace(cells, rate=20.0, duration=2000.0)
    assert together.shape == (3, 40)
    for row, spikes in zip(together, cells, strict=True):
        assert np.array_equal(row, calcium_trace(spikes, rate=20.0, duration=2000.0))
    assert not together[1].any()


@pytest.mark.parametrize("preset, peak, half, amplitude", [(GCAMP6F, 45.0, 142.0, 0.19), (GCAMP6S, 180.0, 550.0, 0.23)])
def test_presets_have_the_peak_and_half_decay_they_were_made_from(preset, peak, half, amplitude):
    t = np.arange(0, 4000, 0.05)
    trace = preset.kernel(t)
    top = int(trace.argmax())
    assert t[top] == pytest.approx(peak, abs=0.5)
    assert trace[top] == pytest.approx(1.0, abs=1e-6)
    assert t[top + np.argmax(trace[top:] < 0.5)] - t[top] == pytest.approx(half, abs=1.0)
    assert calcium_trace([0.0], t, indicator=preset).max() == pytest.approx(amplitude, rel=1e-6)


def test_saturation_keeps_one_spike_and_bounds_many():
    for preset in (GCAMP6F, GCAMP6S, Indicator("Hill", 10.0, 200.0, 0.3, hill=2.0, half_saturation=3.0)):
        assert preset.fluorescence(1.0) == pytest.approx(preset.amplitude)
        assert preset.fluorescence(0.0) == 0
        n, k, rest = preset.hill, preset.half_saturation, preset.rest

        def h(c, n=n, k=k):
            return c**n / (c**n + k**n)

        for calcium in (0.3, 7.0, 40.0):
            expected = preset.amplitude * (h(rest + calcium) - h(rest)) / (h(rest + 1) - h(rest))
            assert preset.fluorescence(calcium) == pytest.approx(expected)
        limit = preset.amplitude * (1 - h(rest)) / (h(rest + 1) - h(rest))
        assert preset.fluorescence(1e6) == pytest.approx(limit, rel=1e-3)
    # Supralinear at first: the burst of an in vivo GCaMP6 cell is more than the sum of its spikes.
    assert GCAMP6S.fluorescence(5.0) > 5 * GCAMP6S.amplitude


def test_calcium_undoes_fluorescence():
    levels = np.array([-2.0, -0.1, 0.0, 0.2, 1.0, 5.0, 30.0])
    for preset in (GCAMP6F, GCAMP6S, LINEAR):
        assert preset.calcium(preset.fluorescence(levels)) == pytest.approx(levels, abs=1e-9)
    assert np.isfinite(GCAMP6F.calcium(1e6))


def test_wrong_indicators_are_named():
    assert indicator("gcamp6F") is GCAMP6F and indicator(GCAMP6S) is GCAMP6S
    with pytest.raises(ValueError, match="indicator = 'GCaMP6x' is unknown"):
        indicator("GCaMP6x")
    with pytest.raises(ValueError, match=r"rise = 500\.0 ms .* \[0, 300\) ms"):
        Indicator("slow", rise=500.0, decay=300.0, amplitude=0.2)
    with pytest.raises(ValueError, match="half_saturation = -1"):
        Indicator("x", 1.0, 2.0, 0.1, half_saturation=-1.0)
    with pytest.raises(ValueError, match=r"spike_times\[1\] = nan ms"):
        calcium_trace([1.0, np.nan], rate=30.0, duration=100.0)
    with pytest.raises(ValueError, match="either times"):
        calcium_trace([1.0], rate=30.0)
    with pytest.raises(ValueError, match=r"times\[2\] = 5 ms is not after"):
        calcium_trace([1.0], times=[0.0, 10.0, 5.0])


@pytest.mark.parametrize("nu", [1.0, 8.0])
@pytest.mark.parametrize("rate", [10.0, 30.0])
def test_silent_cells_give_the_noise_level_asked_for(nu, rate):
    cells = recording(np.zeros(12), 300_000.0)
    imaged = image(cells, "GCaMP6f", Microscope(frame_rate=rate, noise=nu), seed=3)
    found = noise_level(imaged.traces["dff"].values, rate)
    assert found.mean() == pytest.approx(nu, rel=0.03)
    assert np.abs(imaged.traces["dff"].values.mean(axis=1)).max() < 0.02


def test_noise_level_is_the_formula():
    x = np.array([0.0, 0.01, -0.02, 0.05, 0.05])
    assert noise_level(x, 25.0) == pytest.approx(100 * np.median([0.01, 0.03, 0.07, 0.0]) / 5)
    assert noise_level(np.stack([x, 2 * x]), 25.0)[1] == pytest.approx(2 * noise_level(x, 25.0))


def test_photon_noise_grows_with_the_fluorescence():
    """With photon noise alone the variance of a frame is proportional to its light."""
    silent, busy = np.zeros(20), np.full(20, 40.0)
    optics = Microscope(noise=4.0, shot_share=1.0, neuropil=0.0, drift=0.0)
    steady = Indicator("steady", 0.0, 30_000.0, 1e-3)
    quiet = image(recording(silent, 200_000.0), steady, optics).traces["fluorescence"].values[:, 4500:]
    loud = image(recording(busy, 200_000.0), steady, optics).traces["fluorescence"].values[:, 4500:]
    variances = [np.diff(x, axis=1).var() / 2 for x in (quiet, loud)]
    assert variances[0] == pytest.approx(optics.noise_sd**2, rel=0.02)
    assert variances[1] / variances[0] == pytest.approx(loud.mean() / quiet.mean(), rel=0.03)
    assert loud.mean() > 1.8


def test_imaging_without_noise_is_the_calcium_trace():
    cells = recording([0.3, 0.1, 0.2], 240_000.0)
    optics = Microscope(noise=0.0, neuropil=0.7, drift=0.0, exposure=0.0)
    imaged = image(cells, "GCaMP6f", optics)
    for k in range(3):
        expected = calcium_trace(cells.spike_time[cells.spike_index == k], rate=30.0, duration=240_000.0)
        # What is left is the error of the percentile baseline, which sees the tails of transients.
        assert np.abs(imaged.traces["dff"].values[k] - expected).max() < 0.02 * max(1.0, expected.max())
    raw = dff(imaged.traces["fluorescence"].values, 30.0)
    assert np.corrcoef(raw[0], raw[1])[0, 1] > np.corrcoef(*imaged.traces["dff"].values[:2])[0, 1] + 0.05


def test_bleaching_and_drift_are_taken_out():
    cells = recording(np.zeros(4), 600_000.0)
    imaged = image(cells, "GCaMP6s", Microscope(noise=0.5, bleaching=10.0, neuropil=0.0))
    raw = imaged.traces["fluorescence"].values
    assert (raw[:, -300:].mean(axis=1) / raw[:, :300].mean(axis=1)).mean() == pytest.approx(np.exp(-1), abs=0.06)
    # In a window of 1 min the percentile 20 of a line that falls by 10 % a minute lies 3 % below its middle.
    assert np.abs(imaged.traces["dff"].values[:, 900:-900].mean(axis=1)).max() < 0.03


def test_imaging_keeps_the_recording_and_says_what_was_done():
    cells = recording([1.0] * 5, 30_000.0, populations=["input", "E", "E", "I", "I"])
    imaged = image(cells, "GCaMP6s", Microscope(noise=2.0), seed=5)
    assert imaged.traces["dff"].cells.tolist() == [1, 2, 3, 4]
    assert imaged.traces["dff"].values.shape == (4, 900) and imaged.traces["dff"].unit == "dF/F"
    assert imaged.traces["dff"].dt == pytest.approx(1000 / 30)
    assert np.array_equal(imaged.spike_time, cells.spike_time)
    said = imaged.provenance["imaging"]
    assert said["indicator"]["name"] == "GCaMP6s" and said["microscope"]["noise"] == 2.0 and said["seed"] == 5
    again = image(cells, "GCaMP6s", Microscope(noise=2.0), seed=5)
    assert np.array_equal(again.traces["dff"].values, imaged.traces["dff"].values)
    other = image(cells, "GCaMP6s", Microscope(noise=2.0), seed=6)
    assert not np.array_equal(other.traces["dff"].values, imaged.traces["dff"].values)
    assert image(cells, populations=["I"]).traces["dff"].cells.tolist() == [3, 4]
    with pytest.raises(ValueError, match="populations = 'X' is unknown"):
        image(cells, populations=["X"])
    with pytest.raises(ValueError, match="noise = -1"):
        Microscope(noise=-1.0)


def test_quick_baseline_is_near_the_running_percentile():
    rng = np.random.default_rng(7)
    slow = 1 + 0.3 * np.sin(np.arange(6000) / 1500)
    trace = slow + rng.normal(0, 0.02, 6000)
    quick = running_baseline(trace, 10.0, 30_000.0, 20.0)
    exact = percentile_filter(trace, 20.0, size=301, mode="nearest")
    # The plain percentile lies 0.84 sd below the middle of the noise, and ours does not.
    assert np.median(quick - exact) == pytest.approx(0.84 * 0.02, abs=0.006)
    assert np.abs(quick - exact - 0.84 * 0.02).max() < 0.03
    assert np.abs((quick - slow)[300:-300]).max() < 0.06


def test_dff_subtracts_the_neuropil_and_refuses_what_has_no_baseline():
    rng = np.random.default_rng(8)
    around = 50 + 5 * rng.standard_normal(3000)
    cell = 100 + np.zeros(3000)
    cell[1500] = 200
    found = dff(cell + 0.7 * around, 30.0, neuropil=around)
    assert found[1500] == pytest.approx(1.0, rel=1e-6) and np.abs(np.delete(found, 1500)).max() < 1e-6
    with pytest.raises(ValueError, match="baseline of the fluorescence falls to"):
        dff(cell - 100, 30.0)
    with pytest.raises(ValueError, match="neuropil has shape"):
        dff(cell, 30.0, neuropil=around[:10])
    with pytest.raises(ValueError, match="window = 60"):
        dff(cell, 30.0, window=60.0)
