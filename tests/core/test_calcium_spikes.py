"""Most likely spikes of a fluorescence trace: against all paths of a short trace, and against the truth."""

import itertools
import math

import numpy as np
import pytest
from scipy.signal import lfilter

from netlib.base.seeds import stream
from netlib.calcium.deconvolution import deconvolve_trace, spike_rate_correlation
from netlib.calcium.indicators import GCAMP6F, Indicator, calcium_trace
from netlib.calcium.spikes import infer_recording, infer_spikes
from netlib.recordings.recording import Recording

RATE = 20.0
SLOW = Indicator("slow", rise=17.5, decay=400.0, amplitude=0.19, hill=2.27, half_saturation=34.0, rest=4.5)


def make_trace(seed, snr, indicator=SLOW, duration=200_000.0, rate=0.5, drift=0.0):
    rng = stream(seed, "viterbi")
    spikes = np.sort(rng.uniform(0, duration, rng.poisson(rate * duration / 1000)))
    clean = calcium_trace(spikes, rate=RATE, duration=duration, indicator=indicator, exposure=50.0)
    walk = np.cumsum(rng.standard_normal(len(clean))) * drift / math.sqrt(RATE)
    return spikes, (1 + walk) * (1 + clean) - 1 + rng.normal(0, indicator.amplitude / snr, len(clean))


def test_no_path_of_a_short_trace_is_better():
    """All 2^11 spike trains of 11 frames, the baseline being almost fixed."""
    flash = Indicator("flash", rise=0.0, decay=300.0, amplitude=0.2, hill=2.0, half_saturation=8.0, rest=2.0)
    keep = math.exp(-50 / 300)
    unit = 300 * (1 - keep) / 50
    for seed in range(3):
        rng = stream(seed, "short")
        truth = rng.random(11) < 0.25
        calm = lfilter([unit], [1, -keep], truth)
        trace = flash.fluorescence(calm) + rng.normal(0, 0.04, 11)
        options = {"sigma": 0.04, "spike_rate": 2.0, "drift": 1e-4, "max_spikes": 1, "n_calcium": 300, "n_baseline": 41}
        found = infer_spikes(trace, RATE, indicator=flash, **options)
        base, start = found.baseline[0], found.calcium[0] - unit * found.counts[0]
        assert np.ptp(found.baseline) == 0

        def cost(counts, start=start, base=base, trace=trace):
            level = lfilter([unit], [1, -keep], np.asarray(counts, float)) + start * keep ** np.arange(11)
            misfit = trace - ((1 + base) * (1 + flash.fluorescence(level)) - 1)
            return (misfit**2).sum() / (2 * 0.04**2) - np.sum(counts) * math.log(2.0 / RATE)

        best = min(itertools.product((0, 1), repeat=11), key=cost)
        assert cost(found.counts) <= cost(best) + 0.05


def test_known_spikes_without_noise_are_found_exactly():
    truth = np.zeros(400, int)
    truth[[30, 31, 100, 101, 102, 300]] = 1, 2, 1, 1, 3, 1
    flash = Indicator("flash", rise=0.0, decay=500.0, amplitude=0.2)
    keep = math.exp(-0.1)
    trace = 0.2 * lfilter([10 * (1 - keep)], [1, -keep], truth)
    found = infer_spikes(trace, RATE, indicator=flash, sigma=0.01)
    np.testing.assert_array_equal(found.counts, truth)
    np.testing.assert_allclose(found.fitted, trace, atol=0.02)


@pytest.mark.parametrize("snr, seeds, least", [(3, 2, 0.9), (5, 10, 0.95)])
def test_counts_follow_the_truth_as_well_as_events_do(snr, seeds, least):
    """The bar is r >= 0.9 at an SNR of 5; ten seeds gave 0.977 (counts) and 0.972 (events), both +- 0.004."""
    whole, events, ratio, noise = [], [], [], []
    for seed in range(seeds):
        spikes, trace = make_trace(seed, snr)
        found = infer_spikes(trace, RATE, indicator=SLOW)
        whole.append(spike_rate_correlation(spikes, found.counts, RATE).r)
        events.append(spike_rate_correlation(spikes, deconvolve_trace(trace, RATE, indicator=SLOW).events, RATE).r)
        ratio.append(found.counts.sum() / len(spikes))
        noise.append(found.sigma / (SLOW.amplitude / snr))
    assert np.min(whole) >= least - 0.02 and np.min(events) >= least - 0.05
    assert np.mean(whole) >= least and np.mean(whole) >= np.mean(events) - 0.01
    assert 0.85 < np.mean(ratio) < 1.15 and np.mean(noise) == pytest.approx(1, abs=0.1)


def test_drift_is_baseline_and_not_spikes():
    spikes, trace = make_trace(9, 5, drift=0.02)
    found = infer_spikes(trace, RATE, indicator=SLOW)
    assert np.ptp(found.baseline) > 0.05 and found.counts.sum() / len(spikes) == pytest.approx(1, abs=0.2)
    assert spike_rate_correlation(spikes, found.counts, RATE).r > 0.9
    quiet = infer_spikes(make_trace(10, 5, rate=0.0)[1], RATE, indicator=SLOW)
    assert quiet.counts.sum() <= 1


def test_saturation_needs_its_curve():
    """Bursts seen through MLspike's polynomial; a straight line counts too few spikes."""
    bent = (-0.03, 0.0)
    straight = Indicator("straight", rise=0.0, decay=400.0, amplitude=0.2)
    rng, keep = stream(11, "bursts"), math.exp(-50 / 400)
    truth = np.zeros(3000, int)
    truth[100::150] = rng.integers(4, 9, 20)
    level = lfilter([8 * (1 - keep)], [1, -keep], truth)
    trace = 0.2 * (level + bent[0] * (level**2 - level)) + rng.normal(0, 0.02, 3000)
    options = {"indicator": straight, "sigma": 0.02, "max_spikes": 9}
    right = infer_spikes(trace, RATE, polynomial=bent, **options)
    wrong = infer_spikes(trace, RATE, **options)
    assert right.counts.sum() == pytest.approx(truth.sum(), rel=0.05) and wrong.counts.sum() < 0.92 * truth.sum()


def test_long_and_short_stretches_agree(monkeypatch):
    _, trace = make_trace(12, 4, duration=40_000.0)
    one = infer_spikes(trace, RATE, indicator=SLOW)
    monkeypatch.setattr("netlib.calcium.spikes.SEGMENT", 37)
    other = infer_spikes(trace, RATE, indicator=SLOW)
    np.testing.assert_array_equal(one.counts, other.counts)
    assert one.cost == pytest.approx(other.cost)


def test_recording_gets_a_trace_of_counts():
    import pandas as pd

    from netlib.recordings.recording import Trace
    from netlib.stimuli.protocol import Protocol

    _, trace = make_trace(13, 5, GCAMP6F, 20_000.0)
    neurons = pd.DataFrame({"population": ["D1"], "orientation": [np.nan]})
    recording = Recording(
        neurons,
        np.zeros(0, int),
        np.zeros(0),
        20_000.0,
        Protocol(pd.DataFrame({"onset": [0.0], "duration": [20_000.0]})),
        traces={"dff": Trace(trace[None], np.array([0]), 50.0, "dF/F")},
    )
    found = infer_recording(recording).traces["counts"]
    np.testing.assert_array_equal(found.values[0], infer_spikes(trace, RATE).counts)
    assert found.unit == "AP" and found.dt == 50.0


@pytest.mark.parametrize(
    "options", [{"sigma": 0.0}, {"spike_rate": 30.0}, {"max_spikes": 0}, {"drift": -1.0}, {"n_calcium": 2}]
)
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        infer_spikes(np.arange(100) % 7 * 1.0, RATE, **options)


def test_bad_traces_are_named():
    for trace in (np.ones(4), np.r_[np.nan, np.ones(50)]):
        with pytest.raises(ValueError, match="dff"):
            infer_spikes(trace, RATE)
