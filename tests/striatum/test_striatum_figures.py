"""Figures of the striatal model draw the numbers they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from netlib.striatum import (
    article,
    compare,
    curve_table,
    fit_forgetting,
    run_simulations,
    similarity_table,
    view_simulation,
)
from netlib.striatum import figures as draw


@pytest.fixture(scope="module")
def result():
    trials = {f"num_training_{name}": 60 for name in ("initial", "learning", "maintenance", "recall")}
    return run_simulations(article(Apostpre=1.0, **trials), 1, 8)


def test_learning_curves(result):
    table = curve_table(result)
    ax = draw.plot_learning_curves({"DLS": table, "again": table}, result.parameters)
    assert_allclose(ax.lines[0].get_ydata(), table["accuracy"])
    assert {line.get_xdata()[0] for line in ax.lines[2:]} == {60, 120, 180}
    assert [t.get_text().splitlines()[0] for t in ax.texts] == ["initial", "learning", "maintenance", "recall"]
    assert "reward off, η = 0" in ax.texts[0].get_text() and "reward on, η = 1" in ax.texts[1].get_text()
    balanced = draw.plot_learning_curves({"DLS": table}, result.parameters, "balanced_accuracy")
    assert_allclose(balanced.lines[0].get_ydata(), table["balanced_accuracy"])


def test_forgetting():
    t = np.arange(0.0, 300.0, 20.0)
    fit = fit_forgetting(t, 0.5 + 0.3 * np.exp(-t / 60), 0.5, 0.8)
    ax = draw.plot_forgetting(t, 0.5 + 0.3 * np.exp(-t / 60), fit, [50.0, 70.0, 4000.0], "DLS")
    assert ax.get_title().startswith("DLS: τ = 60 ± ")
    data, base, curve, tangent, crosses = ax.lines
    assert_allclose(data.get_xdata(), t)
    assert_allclose(curve.get_ydata(), fit(curve.get_xdata()))
    assert_allclose(tangent.get_xdata(), [0, fit.tau])
    assert set(base.get_ydata()) == {0.5}
    assert list(crosses.get_xdata()) == [50.0, 70.0]
    failed = fit_forgetting(t, np.full(len(t), 0.5), 0.5, 0.5)
    assert "nothing was learned" in draw.plot_forgetting(t, np.full(len(t), 0.5), failed).get_title()


def test_differences_and_similarity(result):
    rng = np.random.default_rng(0)
    base = rng.normal(size=50)
    table = compare({"a": base, "b": base + 1 + 0.1 * rng.normal(size=50), "c": base}, "a")
    ax = draw.plot_differences(table, "a")
    assert [text.get_text() for text in ax.texts] == ["p < 0.0001", "p = 1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c"]
    alike = similarity_table(result)
    ax = draw.plot_weight_similarity({"DLS": alike}, result.parameters)
    assert_allclose(ax.lines[1].get_ydata(), alike["cosine"])


def test_setting_grid():
    table = pd.DataFrame({"x": [0.0, 0.0, 1.0, 1.0], "y": [0.0, 1.0, 0.0, 1.0], "value": [0.1, 0.2, 0.3, np.nan]})
    ax = draw.plot_setting_grid(table, "x", "y", "value")
    assert [text.get_text() for text in ax.texts] == ["0.10", "0.30", "0.20"]
    with pytest.raises(ValueError, match="several rows"):
        draw.plot_setting_grid(pd.concat([table, table]), "x", "y", "value")
    with pytest.raises(ValueError, match="lacks"):
        draw.plot_setting_grid(table, "x", "y", "tau")


def test_one_simulation_in_six_rows(result, tmp_path):
    view = view_simulation(result.parameters, 1, 2)
    figure = draw.plot_simulation(view)
    assert isinstance(figure, Figure) and len(figure.axes) == 6
    assert_allclose(figure.axes[1].lines[0].get_ydata(), view.voltage)
    assert_allclose(figure.axes[4].lines[0].get_ydata(), result.accuracy[2])
    files = draw.draw_run({10: result}, tmp_path / "a" / "run")
    assert [file.name for file in files] == ["run_curves.png", "run_n10_simulation.png"]
    assert all(file.stat().st_size > 10_000 for file in files)


def test_bad_input(result):
    with pytest.raises(ValueError, match="empty"):
        draw.plot_learning_curves({}, result.parameters)
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        draw.plot_learning_curves({"a": curve_table(result)}, result.parameters, "acuracy")
