"""The registry of the papers' panels, their published parameters, and pictures drawn from published data."""

import dataclasses
import functools
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from netlib.openscope import figures, figures_examples
from netlib.openscope.metadata import GROUPS
from netlib.openscope.panels import PAPERS, find_panels, panel, panels_of
from netlib.openscope.parameters import PAPER_SEED, Parameters, PermPar, StimPar, least_permutations
from netlib.openscope.runner import differing_parameters

#: Letters of each figure of the papers; small letters are drawings that no data make.
ANALYSIS = {
    "1": "aBcDef", "2": "ABC", "3": "AB", "4": "ABCDEFGH", "5": "ABC", "6": "aBC", "7": "ABCDE", "8": "AB",
    "9": "ABCDEF", "10": "ABCDE", "11": "ABC",
}  # fmt: skip
DATASET = {"1": "aBc", "2": "aBCD", "3": "ab", "4": "ab", "5": "ABCD", "6": "AB", "7": "ABC", "8": "AB", "9": "AB"}
#: Published data in the folder of reference data: panels of the analysis paper.
PUBLISHED = ["2A", "2B", "2C", "4D", "4F", "4G", "4H", "9C", "10D"]


def published(folder, place: str) -> dict:
    return json.loads((folder / "openscope" / f"analysis_Fig{place[:-1]}_panel_{place[-1]}.json").read_text())


@functools.cache
def drawn(folder, place: str) -> Figure:
    return one(place).draw(published(folder, place))


def one(place: str):
    return panel("analysis", place[:-1], place[-1])


# ---------------------------------------------------------------- the registry


@pytest.mark.parametrize(("paper", "wanted"), [("analysis", ANALYSIS), ("dataset", DATASET)])
def test_every_panel_of_the_paper_is_registered(paper, wanted):
    found = {}
    for p in panels_of(paper):
        found[p.figure] = found.get(p.figure, "") + (p.letter if p.computable else p.letter.lower())
    assert found == wanted
    names = [p.name for p in panels_of(paper)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_panel_has_functions_or_a_reason(paper):
    for p in panels_of(paper):
        if p.computable:
            assert callable(p.compute) and callable(p.draw)
            assert p.reason == ""
        else:
            assert "not computable: schematic" in p.reason and p.name in p.reason
            assert not p.draw


@pytest.mark.parametrize("paper", PAPERS)
def test_power_of_the_panels(paper):
    for p in panels_of(paper):
        permpar = p.parameters.permpar
        assert bool(permpar) == bool(p.low_power)
        if permpar:
            assert p.low_power >= least_permutations(permpar)
            assert p.low_power < permpar.n_perms
            assert p.parameters.seeded
            assert p.run_parameters().permpar.n_perms == p.low_power
            assert p.run_parameters(full_power=True) == p.parameters


def test_published_power_seed_and_comparisons():
    assert {p.parameters.extra("seed") for paper in PAPERS for p in panels_of(paper)} == {PAPER_SEED, None}
    full = {
        place: one(place).parameters.permpar for place in ("2B", "3B", "4D", "4G", "5A", "7B", "8B", "9C", "10A", "11A")
    }
    assert {place: p.n_perms for place, p in full.items()} == {
        "2B": 100_000, "3B": 100_000, "4D": 10_000, "4G": 100_000, "5A": 10_000, "7B": 100_000, "8B": 10_000,
        "9C": 100_000, "10A": 100_000, "11A": 10_000,
    }  # fmt: skip
    assert [int(p.multcomp) for p in full.values()] == [24, 12, 8, 12, 22, 5, 0, 8, 60, 8]
    assert [one(place).parameters.permpar.tails for place in ("2B", "9C", "10A")] == [2, "lo", "hi"]


@pytest.mark.parametrize("place", PUBLISHED)
def test_parameters_are_the_published_ones(reference_folder, place):
    assert differing_parameters(published(reference_folder, place), one(place).parameters) == []


def test_differing_parameters_are_named(reference_folder):
    changed = one("2B").parameters.with_run(960, 4)
    assert differing_parameters(published(reference_folder, "2B"), changed) == ["extrapar.seed", "permpar.n_perms"]
    lacking = dataclasses.replace(one("2B").parameters, basepar=None)
    assert differing_parameters(published(reference_folder, "2B"), lacking) == ["basepar"]


def test_panels_are_found_by_figure_and_letter():
    assert [p.name for p in find_panels("analysis", "2,6", "BC")] == [
        f"analysis Fig {n}" for n in ("2B", "2C", "6B", "6C")
    ]
    assert [p.letter for p in find_panels("dataset", ["Fig 7"], ["a", "C"])] == ["A", "C"]
    assert len(find_panels("analysis")) == sum(map(len, ANALYSIS.values()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("analyses",), "did you mean 'analysis'"),
        (("analysis", 12), "figure of the analysis paper = '12' is unknown"),
        (("analysis", "4", "K"), "panel of analysis figure 4 = 'K' is unknown: it must be one of 'A', 'B'"),
        (("dataset", "10"), "did you mean '1'"),
    ],
)
def test_unknown_panels_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        find_panels(*arguments)


def test_too_few_permutations_are_refused():
    with pytest.raises(ValueError, match=r"n_permutations = 100 is out of range: it must be in \[960"):
        one("2B").run_parameters(n_permutations=100)
    assert least_permutations(PermPar(multcomp=False)) == 40


def test_parameters_without_seed_or_permutations_do_not_change():
    traces = one("2A")
    assert traces.run_parameters(seed=3, n_permutations=1000) == traces.parameters
    assert Parameters(stimpar=StimPar(gabfr=((0, 1), (3,)))).to_json()["stimpar"]["gabfr"] == [[0, 1], [3]]


# ---------------------------------------------------------------- drawing published data


@pytest.mark.parametrize("place", PUBLISHED)
def test_published_data_are_drawn(reference_folder, place):
    figure = drawn(reference_folder, place)
    assert isinstance(figure, Figure)
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == (12 if place == "2A" else 4)
    assert all(ax.has_data() for ax in shown)
    titles = {ax.get_title() for ax in shown} | {ax.get_ylabel().split("\n")[0] for ax in shown}
    assert set(GROUPS) <= titles


def drawn_points(ax) -> dict[float, float]:
    return {float(c[0].get_xdata()[0]): float(c[0].get_ydata()[0]) for c in ax.containers if hasattr(c, "has_yerr")}


def test_points_and_stars_are_the_published_ones(reference_folder):
    """Mean |USI| of Fig 4G, Gillon et al. 2024: values of L5-D, and its significant pairs (1v2, 1v3)."""
    figure = drawn(reference_folder, "4G")
    ax = next(ax for ax in figure.axes if ax.get_title() == "L5-D")
    points = drawn_points(ax)
    assert_allclose([points[n] for n in (1, 2, 3)], [0.1265, 0.1711, 0.1631], atol=5e-5)
    pairs = [tuple(line.get_xdata()[[0, -1]]) for line in ax.lines if line.get_gid() == "bracket"]
    assert pairs == [(1, 2), (1, 3)]
    assert [text.get_text() for text in ax.texts] == ["***", "***"]


def test_percents_over_their_null(reference_folder):
    """Fig 4D: 194 of 1355 ROIs of L2/3-D are low, 81 high."""
    ax = drawn(reference_folder, "4D").axes[0]
    assert_allclose(sorted(drawn_points(ax).values()), [100 * 81 / 1355, 100 * 194 / 1355])
    low, middle, high = 1.4022140221402213, 2.5092250922509227, 3.7638376383763834
    bar = next(patch for patch in ax.patches if patch.get_gid() == "null" or patch.get_height() > 1)
    assert_allclose([bar.get_y(), bar.get_y() + bar.get_height()], [low, high])
    assert low < middle < high


def test_traces_are_drawn_at_their_times(reference_folder):
    data = published(reference_folder, "2A")
    figure = drawn(reference_folder, "2A")
    expected, unexpected = (line for line in figure.axes[4].lines if len(line.get_xdata()) > 2)
    table = data["trace_df"]
    assert (table["lines"]["4"], table["planes"]["4"], table["sess_ns"]["4"]) == ("L23-Cux2", "soma", 2)
    stats = np.array(table["trace_stats"]["4"])
    assert_allclose(expected.get_ydata(), stats[0, :, 0])
    assert_allclose(unexpected.get_ydata(), stats[1, :, 0])
    assert_allclose(expected.get_xdata(), table["time_values"]["4"])


def test_traces_around_an_onset_lie_before_and_after_it():
    """Time of the second trace starts at 0; the first ends one frame before it."""
    time = (np.arange(60) / 30).tolist()
    table = {
        "lines": "L5-Rbp4",
        "planes": "soma",
        "sess_ns": 1,
        "time_values": time,
        "trace_stats": np.ones((2, 60, 2)),
    }
    data = {"trace_df": {k: {"0": v} for k, v in table.items()}, "extrapar": {"split": "unexp_lock"}}
    before, after = (line.get_xdata() for line in figures_examples.draw_traces(data).axes[0].lines[:2])
    assert_allclose([before[0], before[-1], after[0], after[-1]], [-2, -1 / 30, 0, 59 / 30], atol=1e-12)


def test_tracked_usis_are_all_drawn(reference_folder):
    """254, 261, 516 and 129 tracked ROIs."""
    figure = drawn(reference_folder, "4F")
    assert [len(ax.lines) - 2 for ax in figure.axes] == [254, 261, 516, 129]  # a mean and a line at 0 beside


def test_few_permutations_show_fewer_stars():
    assert figures.least_p({"permpar": {"n_perms": 100_000, "multcomp": 60, "tails": "hi"}}) == pytest.approx(6e-4)
    assert figures.least_p({}) == 0
    assert [figures.stars(0.0, p) for p in (0.0, 0.005, 0.02, 0.05)] == ["***", "**", "*", ""]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"extrapar": {}}, "must hold one table, named ..._df"),
        ({"a_df": {"x": {"0": 1}}, "b_df": {}}, "must hold one table"),
        ({"diffs_df": {"lines": {"0": "L5-Rbp4"}}}, r"lacks the columns \['sess_ns', 'mouse_ns'\]"),
        ({"diffs_df": {"sess_ns": {}, "mouse_ns": {}}}, "has no rows"),
        ({"diffs_df": {"sess_ns": {"0": 1}, "mouse_ns": {"0": 1}}}, "holds none of the columns diff_stats"),
    ],
)
def test_data_that_cannot_be_drawn_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        figures.draw_points(data)
