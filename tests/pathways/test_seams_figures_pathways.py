"""Figures of the two pathways: legends are whole, marks beside what they mark, numbers in the unit of the axis."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from numpy.testing import assert_allclose

from netlib.pathways import figures
from netlib.pathways.figures.style import GROUP_COLOURS, SIGN_COLOURS, behaviour_colour, cluster_colour, sign_image


def legend_of(figure) -> dict[str, str]:
    """Colour of each entry of the legend of a figure."""
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, [to_hex(h.get_facecolor()).upper() for h in legend.legend_handles], strict=True))


def test_every_behaviour_of_the_instants_is_in_the_legend_once():
    labels = ["sequence", "food", "sequence", "none", "zones", "explo", "food", "none"]
    found = legend_of(figures.plot_time_correlation(np.eye(8), labels))
    assert found == {name: behaviour_colour(name).upper() for name in ("sequence", "food", "none", "zones", "explo")}


def test_every_behaviour_and_cluster_of_the_components_is_in_a_legend():
    labels, clusters = ["food", "explo", "food", "zones"], [2, 0, 1, 2]
    points = np.arange(8.0).reshape(4, 2)
    by_behaviour, by_cluster = figures.plot_population_components(points, labels, clusters).axes[:2]
    assert [t.get_text() for t in by_behaviour.get_legend().get_texts()] == ["explo", "food", "zones"]
    assert [t.get_text() for t in by_cluster.get_legend().get_texts()] == ["0", "1", "2"]
    for ax, colour_of, names in ((by_behaviour, behaviour_colour, labels), (by_cluster, cluster_colour, clusters)):
        for name, dots in zip(sorted(set(names)), ax.collections, strict=True):
            assert to_hex(dots.get_facecolor()[0]) == to_hex(colour_of(name))
            assert_allclose(dots.get_offsets(), points[[k for k, own in enumerate(names) if own == name]])


def test_every_behaviour_of_a_raster_is_in_the_legend():
    names = ["zone 1", "sequence", "zone 2", "no pellet", "explo 1", "explo 2"]
    onset = np.arange(6) * 1000.0
    table = pd.DataFrame({"onset": onset, "offset": onset + 900.0, "label": names})
    found = legend_of(figures.plot_session_raster(table, 6000.0))
    assert found == {name: behaviour_colour(name).upper() for name in names}


def test_every_cluster_of_any_field_is_in_the_legend():
    figure = figures.plot_footprints({"a": np.ones((2, 2)), "b": np.full((3, 2), 5.0)}, {"a": [0, 0], "b": [3, -1, 1]})
    (legend,) = figure.legends
    assert {t.get_text() for t in legend.get_texts()} == {"not assigned", "cluster 0", "cluster 1", "cluster 3"}


def test_a_significant_rise_is_marked_upwards_and_a_fall_downwards():
    rows = [("1→2", 1.0, 2.0, 1.0, 0.01), ("2→3", 2.0, 1.0, -0.5, 0.01), ("3→4", 1.0, 2.0, 1.0, 0.5)]
    table = pd.DataFrame(rows, columns=["comparison", "mean_a", "mean_b", "change", "q"])
    ax = figures.plot_cluster_changes(table.assign(cluster=0, behaviour="food")).axes[0]
    assert [text.get_text() for text in ax.texts] == ["1→2\n▲", "2→1\n▼", "1→2"]


def test_confusions_are_shares_of_what_was_shown():
    counts = pd.DataFrame([[6, 2], [10, 30]], ["food", "explo"], ["food", "explo"])
    wanted = [[0.75, 0.25], [0.25, 0.75]]
    signs = counts.set_axis(["up", "down"], axis=0).set_axis(["up", "down"], axis=1)
    for name, arguments in (
        ("confusion", ({"D1": counts},)),
        ("sign_confusion", ({"events and trace": signs},)),
        ("contingency", (counts, "events", "counts")),
    ):
        assert_allclose(getattr(figures, f"plot_{name}")(*arguments).axes[0].images[0].get_array(), wanted)


def test_lines_and_means_of_training_share_a_unit():
    rows = [(m, "D1", s, 60_000.0 * (s + k)) for k, m in enumerate(("a", "b")) for s in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["mouse", "pathway", "session", "wait"])
    ax = figures.plot_training(table, {"wait": "wait (min)"}, {"wait": 1 / 60_000}).axes[0]
    lines = {line.get_gid(): line.get_ydata() for line in ax.lines}
    assert_allclose(lines["mouse a"], [1, 2, 3])
    assert_allclose(lines["mouse b"], [2, 3, 4])
    assert_allclose(lines["D1"], [1.5, 2.5, 3.5])


def test_categories_stand_beside_the_events_of_their_neuron():
    """Registered neurons are drawn above candidates, and their categories with them."""
    table = pd.DataFrame({"onset": [0.0], "offset": [1000.0], "label": ["sequence"]})
    vectors = np.eye(8)[:3]
    events = [[60_000.0 * k] for k in (1, 2, 3)]
    figure = figures.plot_behaviour_candidates(
        table, 300_000.0, events, ["candidate", "registered", "candidate"], vectors
    )
    below, side = figure.axes[2:4]
    order = [1, 0, 2]
    assert [row.get_positions()[0] for row in below.collections] == [events[k][0] / 60_000.0 for k in order]
    assert_allclose(side.images[0].get_array(), sign_image(vectors[order]))
    assert "1 registered, 2 candidates" in below.get_title()


def test_categories_are_red_when_up_and_blue_when_down():
    image = sign_image(np.array([[1, 0, 0, 0, 1, 0, 0, np.nan]]))
    assert_allclose(image[0, 0], to_rgb(SIGN_COLOURS["activated"]))
    assert_allclose(image[0, 4], to_rgb(SIGN_COLOURS["inactivated"]))
    assert_allclose(image[0, 1], 1.0)


def test_time_budgets_are_stacked_means_of_the_mice_of_a_pathway():
    rows = [("D1", 1, 0.1), ("D1", 1, 0.3), ("A2A", 1, 0.5)]
    table = pd.DataFrame(rows, columns=["pathway", "session", "fraction_sequence"])
    table = table.assign(**{f"fraction_{g}": 0.1 for g in list(GROUP_COLOURS)[1:]})
    direct, indirect = figures.plot_time_budget(table).axes[:2]
    for ax, title, first in ((direct, "direct (D1)", 0.2), (indirect, "indirect (A2A)", 0.5)):
        assert ax.get_title() == title
        assert [b.get_height() for b in ax.patches] == pytest.approx([first, 0.1, 0.1, 0.1])
        assert [b.get_y() for b in ax.patches] == pytest.approx([0.0, first, first + 0.1, first + 0.2])
