"""Seams of the explorer: labels, lines and numbers are of the population that they name."""

import numpy as np
import pytest


def test_lines_numbers_and_labels_of_the_explorer_are_of_one_population():
    pytest.importorskip("bokeh", reason="the explorer's page needs Panel: pip install 'netlib-v1[explore]'")
    from netlib.explore import ExplorerState, compute
    from netlib.explore.plots import Plots

    result = compute(ExplorerState(network="v1_two_rings"))
    assert result.output == "E2"
    plots = Plots()
    plots.show(result)
    labels = {}
    for item in plots.ring.legend[0].items:
        (line,) = item.renderers
        labels[item.label["value"]] = np.hypot(line.data_source.data["x"], line.data_source.data["y"])
    assert set(labels) == {"input", "I", result.output}
    top = max(result.ring[name][1].max() for name in labels)
    for name, radius in labels.items():
        np.testing.assert_allclose(radius[:-1], result.ring[name][1] / top, err_msg=name)
    # The width of each population, in the title and among the measures.
    widths = {name: result.bumps[name].hwhh for name in labels}
    assert len({round(width) for width in widths.values()}) == 3
    for name, width in widths.items():
        assert f"{name} {width:.0f}°" in plots.bumps.title.text
    assert (result.measures.hwhh, result.measures.hwhh_input) == (widths[result.output], widths["input"])
    seconds = np.diff(result.recording.protocol.windows(), axis=1).sum() / 1000.0
    for measure, name in ((result.measures.rate, result.output), (result.measures.rate_I, "I")):
        cells = result.recording.population(name)
        assert measure == pytest.approx(cells.counts().sum() / len(cells) / seconds)
