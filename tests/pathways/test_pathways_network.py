"""A network of the striatum gives the same objects as files and models, and learns from session to session."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from netlib.pathways.behaviour import GROUPS
from netlib.pathways.dataset import write_dataset
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.pipeline import run_pipeline
from netlib.pathways.session import BehaviourSession
from netlib.pathways.simulate import SyntheticParameters, network_mouse, plan_mouse, simulate_behaviour
from netlib.pathways.simulated_network import NetworkParameters, build_network, cortical_drive, learn, run_session
from netlib.pathways.steps import analyse_session

P = SyntheticParameters(neurons=10, sessions=1, minutes=1.0, loss=0.0)


@pytest.fixture(scope="module")
def sessions() -> list[BehaviourSession]:
    return network_mouse(3, plan_mouse(3, "I1", "D1", P), P)


def categories() -> dict[str, np.ndarray]:
    wired = np.zeros((9, 8), bool)
    wired[np.arange(8), np.arange(8)] = True
    return {"D1": wired, "A2A": wired}


def test_cortex_follows_behaviour():
    session = simulate_behaviour(1, "I1", "D1", 4, duration=300_000.0)
    p = NetworkParameters()
    drive = cortical_drive(2, session.intervals, session.duration, p)
    assert drive.n_cells == p.n_cortex == 280
    merged = session.merged
    for k, name in enumerate(GROUPS):
        own = merged[(merged["label"] == name).to_numpy()]
        mine = (drive.index // p.cortex == k) & (drive.index < 160)
        time = drive.time[mine]
        inside = sum(((time >= a) & (time < b)).sum() for a, b in zip(own.onset, own.offset, strict=True))
        seconds = (own["offset"] - own["onset"]).sum() / 1000
        assert_allclose(inside / p.cortex / seconds, p.active, rtol=0.12)
        assert_allclose((mine.sum() - inside) / p.cortex / (300 - seconds), p.idle, rtol=0.12)


def test_wiring_is_what_is_coded():
    network = build_network(1, categories())
    p = network.parameters
    tuned = network.plastic["D1"][:160].reshape(4, p.cortex, 9) > 0
    share = tuned.mean(axis=1)
    for k in range(4):
        assert share[k, k] > 0.2 and np.delete(share[:, k], k).max() < 0.2
        silencers = network.fsi_to_msn["A2A"][:, 4 + k].reshape(4, p.fsi) > 0
        assert silencers[k].sum() >= 1 and not np.delete(silencers, k, axis=0).any()
    assert not np.diag(network.msn_to_msn["D1"]).any()
    with pytest.raises(ValueError, match="must be"):
        build_network(1, {"D1": np.zeros((3, 4)), "A2A": np.zeros((3, 8))})


def test_pairs_around_rewards_change_weights():
    network = build_network(1, categories())
    session = simulate_behaviour(1, "I1", "D1", 4, duration=200_000.0)
    drive = cortical_drive(2, session.intervals, session.duration)
    fed = session.intervals[(session.intervals["label"] == "pellet").to_numpy()]["onset"].to_numpy()
    assert len(fed)
    # Neurons fire 3 ms after each spike of one cortical cell: causal pairs.
    cell = int(drive.index[drive.index < 160][0])
    times = drive.time[drive.index == cell] + 4.0
    neuron = int(np.flatnonzero(network.plastic["D1"][cell])[0]) if network.plastic["D1"][cell].any() else None
    assert neuron is not None
    spikes = {name: (np.full(len(times), neuron), times) for name in ("D1", "A2A")}
    after = learn(network, drive, spikes, session.intervals)
    assert after.plastic["D1"][cell, neuron] > network.plastic["D1"][cell, neuron]
    if network.plastic["A2A"][cell, neuron]:
        assert after.plastic["A2A"][cell, neuron] < network.plastic["A2A"][cell, neuron]
    assert_array_equal(after.plastic["D1"][160:], network.plastic["D1"][160:])
    nothing = learn(network, drive, spikes, session.intervals[:0])
    assert_array_equal(nothing.plastic["D1"], network.plastic["D1"])


def test_a_network_mouse_is_as_any_other(sessions):
    (session,) = sessions
    assert isinstance(session, BehaviourSession) and session.pathway == "D1"
    assert set(session.recording.traces) == {"dff", "events"} and session.footprints.shape == (10, 200, 320)
    rates = np.bincount(session.truth["spikes"][0], minlength=10) / 60
    assert 0.05 < np.median(rates) < 5
    assert session.truth["weights"].shape == (10, 4) and session.truth["wired"].shape == (10, 8)
    found = analyse_session(session, PipelineParameters(permutations=20))
    assert found["vectors"].shape == (10, 8)


@pytest.mark.slow
def test_a_session_strengthens_d1_and_weakens_d2():
    network = build_network(1, categories())
    session = simulate_behaviour(1, "I1", "D1", 4, duration=150_000.0)
    assert (session.intervals["label"] == "pellet").any()
    drive = cortical_drive(2, session.intervals, session.duration)
    spikes = run_session(network, drive)
    after = learn(network, drive, spikes, session.intervals)
    change = {name: (after.plastic[name] - network.plastic[name])[:160].sum() for name in ("D1", "A2A")}
    assert change["D1"] > 0 > change["A2A"]


@pytest.mark.slow
def test_wired_neurons_are_found_by_the_same_analysis():
    p = SyntheticParameters(neurons=16, sessions=1, minutes=5.0)
    for pathway, sign in (("D1", 1), ("A2A", -1)):
        (session,) = network_mouse(5, plan_mouse(5, "X", pathway, p), p, footprints=False)
        found = analyse_session(session, PipelineParameters(permutations=20))
        wired = session.truth["wired"]
        hit = found["vectors"].astype(bool) & wired
        assert hit.sum() / wired.sum() > 0.3
        assert sign * found["leading"].sum() > 0


@pytest.mark.slow
def test_a_network_goes_from_files_to_report(tmp_path):
    path = write_dataset(tmp_path / "data", 4, mice=2, sessions=2, neurons=10, minutes=2, mode="network")
    quick = PipelineParameters(
        k_max=3, references=2, resamples=2, draws=1, shifts=1, permutations=20, inferred=0, bin=1000.0
    )
    done = run_pipeline(path, tmp_path / "out", quick, figures=False, progress=False)
    assert done.report.is_file() and "statistics" in done.made
