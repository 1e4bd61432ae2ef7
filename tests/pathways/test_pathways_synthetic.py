"""Synthetic sessions hold what was planted, and come back from files as they were."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from netlib.pathways.behaviour import GROUPS
from netlib.pathways.claims import engagement, judge_claims, subpopulations
from netlib.pathways.dataset import LAYOUTS, read_truth, write_dataset
from netlib.pathways.files import load_registration, load_session
from netlib.pathways.labels import contrast, leading_signs, standing_out
from netlib.pathways.manifest import load_manifest
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.pipeline import run_pipeline
from netlib.pathways.simulate import (
    CLAIMS,
    SyntheticParameters,
    behaviour_spikes,
    mouse_names,
    plan_mouse,
    simulate_behaviour,
    synthetic_mouse,
    synthetic_session,
)
from netlib.pathways.simulated_images import draw_footprints, place_cells, render_movie, to_images
from netlib.pathways.steps import analyse_session

SMALL = SyntheticParameters(neurons=8, sessions=3, minutes=2.0)


# ---------------------------------------------------------------- what is planted


@pytest.mark.parametrize("claims", CLAIMS)
def test_plan_holds_its_subpopulations(claims):
    p = SyntheticParameters(claims=claims, neurons=100, hit=1.0, noise=0.0)
    for pathway, parts in CLAIMS[claims].items():
        plan = plan_mouse(4, "X", pathway, p)
        shares = np.bincount(plan.cluster, minlength=len(parts)) / len(plan.cluster)
        assert_allclose(shares, [part.share for part in parts], atol=0.02)
        up, down = plan.categories[..., :4].sum(), plan.categories[..., 4:].sum()
        sign = {"abstract": 1, "reverse": -1, "alike": 1, "unequal": 1, "none": 0}[claims]
        if pathway == "A2A" and claims in ("abstract", "reverse", "unequal"):
            sign = -sign
        assert np.sign(up - down) == sign and (claims != "none" or up + down == 0)


def test_neurons_come_and_go():
    p = SyntheticParameters(neurons=40, sessions=6, loss=0.25)
    plan = plan_mouse(1, "I1", "D1", p)
    assert [len(own) for own in plan.local] == [40] * 6
    for before, after in zip(plan.local[:-1], plan.local[1:], strict=True):
        assert len(np.setdiff1d(before, after)) == 10
    table = plan.registration.to_numpy()
    for k, cells in enumerate(plan.local):
        assert_array_equal(plan.seen[table[:, k] >= 0][np.argsort(table[table[:, k] >= 0, k])], cells)
    assert mouse_names(6)[2:4] == [("I3", "D1"), ("L1", "A2A")]


def test_spikes_follow_the_planted_rates():
    session = simulate_behaviour(2, "I1", "D1", 4, duration=1_200_000.0)
    base = np.full(40, 2.0)
    gains = np.zeros((40, 4))
    gains[:20, 2], gains[20:, 0] = np.log(4), np.log(1 / 8)
    index, time = behaviour_spikes(5, session.intervals, session.duration, base, gains)
    assert (np.diff(time) >= 0).all() and time[-1] < session.duration
    again = behaviour_spikes(5, session.intervals, session.duration, base[:3], gains[:3])
    assert_array_equal(again[1], time[index < 3])  # a neuron's spikes do not depend on the others
    merged = session.merged
    rates = np.empty((2, 4))
    for k, name in enumerate(GROUPS):
        own = merged[(merged["label"] == name).to_numpy()]
        inside = sum(((time >= a) & (time < b)).astype(int) for a, b in zip(own.onset, own.offset, strict=True))
        seconds = (own["offset"] - own["onset"]).sum() / 1000
        for half in (0, 1):
            rates[half, k] = (inside * (index // 20 == half)).sum() / 20 / seconds
    assert_allclose(rates[0], [2, 2, 8, 2], rtol=0.15)
    assert_allclose(rates[1], [0.25, 2, 2, 2], rtol=0.2)


def test_footprints_and_movie():
    cells = place_cells(3, 6, field=(60, 80))
    sparse = draw_footprints(cells, np.array([4, 1]), shift=(3.0, -2.0))
    images = to_images(sparse, cells.field)
    peak = np.array([np.unravel_index(image.argmax(), image.shape) for image in images])
    assert_allclose(peak[:, ::-1], cells.centres[[4, 1]] + (3.0, -2.0), atol=1.0)
    activity = np.zeros((2, 40))
    activity[0, 20:] = 2.0
    movie, shifts = render_movie(images, activity, 1, motion=0.0, photons=2000.0)
    change = movie[20:].mean(0) - movie[:20].mean(0)
    assert not shifts.any() and np.corrcoef(change.ravel(), images[0].ravel())[0, 1] > 0.9
    moved, shifts = render_movie(images, activity, 1, motion=2.0)
    assert 0.5 < np.abs(shifts).max() <= 2.0 and moved.shape == (40, 60, 80)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_give_back_the_session(tmp_path, layout):
    path = write_dataset(tmp_path, 7, mice=2, sessions=1, neurons=3, minutes=1, layout=layout, events=True)
    manifest = load_manifest(path)
    p = SyntheticParameters(neurons=3, sessions=1, minutes=1)
    for mouse, pathway in mouse_names(2):
        plan = plan_mouse(7, mouse, pathway, p)
        made = synthetic_session(7, plan, 1, p, spikes=False)
        found = load_session(manifest, mouse, 1)
        assert (found.mouse, found.pathway, found.schedule) == (mouse, pathway, made.schedule)
        assert found.duration == made.duration and found.intervals.equals(made.intervals)
        for name in ("dff", "events"):
            trace, true = found.recording.traces[name], made.recording.traces[name]
            assert trace.dt == true.dt
            assert_allclose(trace.values, true.values, rtol=1e-5, atol=1e-6)
        assert_allclose(found.footprints, made.footprints, atol=1e-5)
        assert_array_equal(load_registration(manifest, mouse), plan.registration)
        truth = read_truth(tmp_path, mouse)
        assert_array_equal(truth["cluster"], plan.cluster)
        assert truth["names"].tolist() == list(plan.names)


def test_a_simulation_that_does_not_fit_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="layout = 'matlab'"):
        write_dataset(tmp_path / "a", layout="matlab")
    with pytest.raises(ValueError, match="claims = 'published'"):
        write_dataset(tmp_path / "b", claims="published")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_files_do_not_depend_on_the_number_of_processes(tmp_path):
    for workers in (1, 2):
        write_dataset(
            tmp_path / str(workers), 2, mice=2, sessions=2, neurons=4, minutes=1, layout="csv", workers=workers
        )
    one, two = (
        {p.relative_to(tmp_path / k): p.read_bytes() for p in (tmp_path / k).rglob("*") if p.is_file()} for k in "12"
    )
    differ = {str(name) for name in one if one[name] != two.get(name)}
    assert set(one) == set(two) and differ <= {"truth/provenance.json"}  # it is dated


# ---------------------------------------------------------------- codes and claims


def test_shadows_of_a_modulation_do_not_count():
    rates = np.array([[1, 1, 4, 1], [2, 2, 2, 0.25], [1, 1, 1, 1.1], [0, 0, 0, 0.01]])
    found = contrast(rates)
    assert found.argmax(axis=1)[0] == 2 and found[1].argmin() == 3
    vectors = np.ones((4, 8))
    kept = standing_out(vectors, found, 1.5)
    assert_array_equal(np.argwhere(kept), [[0, 2], [1, 7]])
    assert_array_equal(leading_signs(kept, found), [1, -1, 0, 0])
    assert standing_out(vectors, found, None) is vectors
    gone = contrast([[1.0, np.nan, 3.0, 1.0]])
    assert np.isnan(gone[0, 1]) and gone[0, 2] > 1


def mice_table(d1: float, a2a: float, engaged: float = 0.6):
    import pandas as pd

    rows = [(f"I{k}", "D1", engaged, d1 + 0.02 * k) for k in range(3)]
    rows += [(f"L{k}", "A2A", engaged + 0.05, a2a + 0.02 * k) for k in range(3)]
    return pd.DataFrame(rows, columns=["mouse", "pathway", "engaged", "bias"])


@pytest.mark.parametrize(
    ("d1", "a2a", "engaged", "verdicts"),
    [
        (0.7, -0.6, 0.6, ["found", "found", "found"]),
        (-0.7, 0.6, 0.6, ["found", "reversed", "reversed"]),
        (0.7, 0.7, 0.6, ["found", "found", "reversed"]),
        (0.05, -0.05, 0.6, ["found", "not found", "not found"]),
        (0.7, -0.6, 0.02, ["not engaged"] * 3),
    ],
)
def test_claims_are_judged_mouse_by_mouse(d1, a2a, engaged, verdicts):
    clusters = {"ami": 0.3, "p": 0.1, "smallest_p": 0.1, "n_mice": 6.0}
    table = judge_claims(mice_table(d1, a2a, engaged), clusters, 0.15, 0.05).set_index("claim")
    assert table["verdict"].drop("different subpopulations").tolist() == verdicts
    assert table.loc["direct pathway codes by activation", "smallest_p"] == pytest.approx(0.1)
    assert "needs more mice" in table.loc["direct pathway codes by activation", "about"]


def test_subpopulations_of_pathways_against_dealt_mice():
    mouse = np.repeat(["a", "b", "c", "d", "e", "f"], 20)
    pathway = np.repeat(["D1", "A2A"], 60)
    rng = np.random.default_rng(0)
    own = np.where(pathway == "D1", 0, 2) + rng.integers(0, 2, 120)
    found = subpopulations(own, mouse, pathway)
    assert found["ami"] > 0.5 and found["p"] == pytest.approx(0.1) == found["smallest_p"]
    null = subpopulations(rng.integers(0, 4, 120), mouse, pathway)
    assert abs(null["ami"]) < 0.1
    assert np.isnan(subpopulations(own[:60], mouse[:60], pathway[:60])["ami"])


def signs_of(claims: str, pathway: str, seed: int) -> dict[str, float]:
    p = SyntheticParameters(claims=claims, neurons=24, sessions=1, minutes=12.0)
    sessions, _ = synthetic_mouse(seed, "X", pathway, p, footprints=False)
    quick = PipelineParameters(permutations=20)
    found = [analyse_session(replace(s, footprints=None), quick) for s in sessions]
    return engagement([f["vectors"] for f in found], [f["leading"] for f in found])


@pytest.mark.parametrize(
    ("claims", "d1", "a2a"), [("abstract", 1, -1), pytest.param("reverse", -1, 1, marks=pytest.mark.slow)]
)
def test_planted_codes_are_found_again(claims, d1, a2a):
    for pathway, sign in (("D1", d1), ("A2A", a2a)):
        found = signs_of(claims, pathway, 11)
        assert found["bias"] * sign > 0.3 and found["engaged"] > 0.35


def test_where_nobody_codes_hardly_anybody_is_found():
    assert signs_of("none", "D1", 12)["engaged"] < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("claims", "codes"), [("abstract", "found"), ("reverse", "reversed")])
def test_claims_from_files_to_report(tmp_path, claims, codes):
    path = write_dataset(tmp_path / "data", 21, mice=4, sessions=2, neurons=24, minutes=8, claims=claims)
    quick = PipelineParameters(
        k_max=3, references=2, resamples=2, draws=1, shifts=1, permutations=20, inferred=0, bin=1000.0
    )
    found = run_pipeline(path, tmp_path / "out", quick, figures=False, progress=False).claims["verdict"].tolist()
    assert found[0] == "found" and found[2:] == [codes] * 2
