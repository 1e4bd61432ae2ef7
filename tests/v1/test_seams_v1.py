"""What passes between the parts of the V1 model: which cell, which projection, which population a number belongs to."""

import numpy as np
import pandas as pd
import pytest

from netlib.base.orientation import preferred_orientations, signed_distance
from netlib.base.seeds import stream
from netlib.networks import Activity, preset
from netlib.networks.weights import Weights
from netlib.recordings import Recording
from netlib.stimuli import Grating, Protocol, variance_protocol
from netlib.tuning import fit_population
from netlib.v1.adaptation import adaptation
from netlib.v1.demo import summarise
from netlib.v1.rotation import tracking
from netlib.v1.simulators import plastic_twins
from netlib.v1.sweeps import ring_response
from netlib.v1.two_rings import two_rings
from netlib.v1.variance import variance


def answer_by(monkeypatch, experiment, name: str, function) -> None:
    """Let an experiment get its spikes from ``function``, in the place of the simulation that it calls ``name``."""
    assert name in experiment.__globals__
    monkeypatch.setitem(experiment.__globals__, name, function)


def planted(counts: dict[str, np.ndarray], protocol: Protocol) -> Recording:
    """Populations of cells, evenly spread on the ring, that fire ``counts`` (cells, presentations) spikes.

    The spikes of a presentation lie evenly between 60 ms after its onset and its end.
    """
    tables, index, time, first = [], [], [], 0
    for name, own in counts.items():
        tables.append(pd.DataFrame({"population": name, "orientation": preferred_orientations(len(own))}))
        for (cell, k), n in np.ndenumerate(own):
            start, stop = protocol.windows()[k]
            index.append(np.full(n, first + cell))
            time.append(np.linspace(start + 60.0, stop, n, endpoint=False))
        first += len(own)
    index, time = np.concatenate(index), np.concatenate(time)
    order = np.argsort(time, kind="stable")
    neurons = pd.concat(tables, ignore_index=True)
    return Recording(neurons, index[order].astype(np.int32), time[order], protocol.duration, protocol)


def test_the_resilient_cells_are_those_that_stay_tuned_at_large_bandwidths(monkeypatch):
    """Of 18 cells 6 answer to an orientation each at every bandwidth, 6 at the smallest two alone, 6 to all alike."""
    bandwidths = (0.0, 9.0, 18.0, 27.0, 36.0)
    protocol = variance_protocol(None, 6, bandwidths, trials=3, seed=3)
    theta, B = (protocol.table[name].to_numpy() for name in ("orientation", "B_theta"))
    place, kind = preferred_orientations(18)[:, None], np.arange(18)[:, None] % 3
    tuned = np.where(np.abs(signed_distance(place, theta)) < 15.0, 24, 0)
    flat = stream(1, "test").poisson(4.0, tuned.shape)
    seen = planted({"input": tuned, "E": np.where((kind == 0) | (kind == 1) & (B < 18.0), tuned, flat)}, protocol)
    answer_by(monkeypatch, variance, "record_variance", lambda *_, **__: {"none": seen})
    monkeypatch.setitem(variance.__globals__, "STARTS", (0.0, 100.0))  # fewer windows, which are not looked at here
    table = variance(1, preset("v1"), networks=("none",), trials=3, orientations=6, B_thetas=bandwidths)
    rows = table[(table["measure"] == "accuracy") & table["time"].isna()]
    share = rows.pivot_table(index="B_theta", columns="cells", values="value")
    # The six tell all orientations apart at any bandwidth. Flat ones guess one in six.
    assert share["resilient"].min() == 1.0
    assert share.loc[[18.0, 27.0, 36.0], "vulnerable"].max() <= 0.5


def test_adaptation_counts_the_spikes_of_the_tests_alone(monkeypatch):
    """One spike of every E cell in each test of 100 ms, and many in adapter, gap and rest: 10 Hz, and no adaptation."""
    adapter, gap, test, rest, orientations = 40.0, 60.0, 100.0, 30.0, 4
    starts = np.arange(orientations) * (adapter + gap + test + rest)
    elsewhere = [*np.arange(2.0, 100.0, 7.0), 202.0, 215.0, 228.0]  # 100 to 200 ms is the test
    times = np.sort(np.concatenate([starts + t for t in (*elsewhere, 190.0)]))

    def answer(network, drive, seed):
        assert drive.duration == starts[-1] + 230.0
        n = network.n_excitatory
        spikes = {"E": (np.tile(np.arange(n), len(times)), np.repeat(times, n))}
        return Activity(spikes, {}, sampling=1.0, duration=drive.duration, build_time=0.0, run_time=0.0)

    answer_by(monkeypatch, adaptation, "run_ring", answer)
    table = adaptation(1, sizes=(0.08,), gaps=(gap,), adapter=adapter, test=test, rest=rest, orientations=orientations)
    assert table["distance"].tolist() == [0.0, 45.0, 90.0]
    assert table["rate"].tolist() == pytest.approx([10.0] * 3)
    assert table["response"].tolist() == pytest.approx([1.0] * 3)


def test_the_silent_of_a_thinned_population_are_cells(monkeypatch):
    """Two of eight E cells never fire, and E2 fires as much as E: nothing is thinned away."""
    protocol = Protocol.tuning(Grating(), 6, duration=200.0, gap=0.0, lead=0.0)
    shown = protocol.table["orientation"].to_numpy()
    counts = np.where(np.abs(signed_distance(preferred_orientations(8)[:, None], shown)) < 40.0, 6, 1)
    counts[[2, 5]] = 0
    seen = planted({"E": counts, "E2": counts[::-1]}, protocol)
    answer_by(monkeypatch, two_rings, "record_ring", lambda *_, **__: seen)
    table = two_rings(1, conditions=("two rings",)).set_index("population")
    assert table["silent"].to_dict() == {"E": 0.25, "E2": 0.25, "E thinned": 0.25}
    # Counted over the 150 ms after the first 50.
    assert table.loc["E thinned", "rate"] == pytest.approx(counts.mean() / 0.15)
    assert table.loc["E thinned", "lifetime"] == pytest.approx(table.loc["E", "lifetime"])


def test_the_response_of_a_sweep_point_has_the_absolute_error(monkeypatch):
    """Profiles 5 deg to the left and to the right of the grating in turn: the mean error is 5 deg, not 0."""
    protocol = Protocol.tuning(Grating(), 6, duration=250.0, gap=0.0, lead=0.0)
    shown = protocol.table["orientation"].to_numpy() + np.where(np.arange(6) % 2, 5.0, -5.0)
    away = signed_distance(preferred_orientations(36)[:, None], shown)
    counts = np.round(2 + 40 * np.exp(-((away / 20.0) ** 2) / 2)).astype(int)
    answer_by(monkeypatch, ring_response, "record_ring", lambda *_: planted({"E": counts}, protocol))
    found = ring_response(1, orientations=6, duration=250.0)
    assert found["error_E"] == pytest.approx(5.0, abs=0.3)
    assert found["failed_E"] == 0.0
    assert found["rate_E"] == pytest.approx(counts.mean() / 0.25)


def test_tracking_gives_lag_and_rate_of_each_network_in_the_time_that_counts(monkeypatch):
    """In every millisecond the cell fires that prefers what was shown 9 deg of turning ago."""
    speeds, duration, skip = (90.0, 180.0), 200.0, 50.0
    time = np.arange(0.5, 400.0)
    turned = np.where(time < 200.0, 0.09 * time, 18.0 + 0.18 * (time - 200.0))

    def answer(network, rates, seed):
        sizes = {name: network.size(name) for name in ("input", "E")}
        spikes = {name: (np.round((turned - 9.0) / 180.0 * n).astype(int) % n, time) for name, n in sizes.items()}
        return Activity(spikes, {}, sampling=1.0, duration=400.0, build_time=0.0, run_time=0.0)

    answer_by(monkeypatch, tracking, "respond", answer)
    table = tracking(1, speeds=speeds, duration=duration, skip=skip, n_bump=128).set_index(["network", "speed"])
    cells = {"v1": 256, "input": 1024, "v1, no recurrence": 256, "bump": 128}
    assert list(dict.fromkeys(table.index.get_level_values("network"))) == list(cells)
    for name, n in cells.items():
        for speed in speeds:
            row = table.loc[name, speed]
            assert row["lag"] == pytest.approx(9.0, abs=0.1)
            assert row["lag_ms"] == pytest.approx(1000.0 * 9.0 / speed, rel=0.02)
            assert row["rate"] == pytest.approx(1000.0 / n)  # one spike per ms among n cells
            assert row["gain"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # the replay changes no weight: no correlation
def test_twins_are_compared_with_the_weights_at_the_end_of_the_first_run(monkeypatch):
    """Two synapses go from 1 to 2 and 4 (in 0.1 nS) in the first run, in its twins to 3 and 6, with one spike more."""
    pre, post = np.array([0, 1]), np.array([1, 2])

    def activity(last, n_spikes):
        values = 1e-4 * np.array([[1.0, 1.0], last])
        kept = Weights(pre, post, np.ones(2), np.array([0.0, 500.0]), values, w_max=5e-4)
        spikes = {"E": (np.full(n_spikes, 5), 100.0 * np.arange(1, n_spikes + 1))}
        return Activity(spikes, {}, 1.0, 500.0, build_time=0.0, run_time=0.0, weights={"E_to_E": kept})

    runs = iter([activity((2.0, 4.0), 2), *(activity((3.0, 6.0), 3) for _ in range(3))])
    answer_by(monkeypatch, plastic_twins, "run_ring", lambda *_, **__: next(runs))
    table = plastic_twins(1, duration=50.0).set_index("twin")
    assert list(table.index) == ["replay", "one spike less", "other simulator", "other input spikes"]
    for _, row in table.iloc[1:].iterrows():
        # Differences of 1 and 2 in a range of 5.
        assert row["rms"] == pytest.approx(np.sqrt((0.2**2 + 0.4**2) / 2))
        assert row["largest"] == pytest.approx(0.4)
        assert row["mean"] == pytest.approx(4.5 / 3.0 - 1)
        assert row["sd"] == pytest.approx(1.5 / 1.0 - 1)
        assert row["correlation"] == pytest.approx(1.0)
        assert (row["rate"], row["spikes"]) == (0.5, 1.0)
    # No spike reached either synapse: the rule alone leaves both at 1.
    assert table.loc["replay", "largest"] == pytest.approx(0.6)
    assert table.loc["replay", "mean"] == pytest.approx(1.0 / 3.0 - 1)


# ---------------------------------------------------------------- summaries


def test_the_summary_gives_the_standard_error_of_the_widths():
    protocol = Protocol.tuning(Grating(), 6, duration=300.0, gap=0.0, lead=0.0)
    shown = protocol.table["orientation"].to_numpy()
    away = signed_distance(preferred_orientations(36)[:, None], shown)
    width = 14.0 + 3.0 * np.arange(6)  # another in each presentation
    seen = planted({"E": np.round(2 + 40 * np.exp(-((away / width) ** 2) / 2)).astype(int)}, protocol)
    row = summarise(seen).set_index("population").loc["E"]
    widths = fit_population(seen, "E", progress=False)["hwhh"].to_numpy()
    assert np.ptp(widths) > 5.0
    assert row["fits that failed"] == "0 of 6"
    assert row["HWHH (deg)"] == pytest.approx(widths.sum() / 6)
    assert row["SE (deg)"] == pytest.approx(np.sqrt(((widths - widths.mean()) ** 2).sum() / 5 / 6))
    assert row["rate"] > 0 and row["cells"] == 36
