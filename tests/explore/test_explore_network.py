"""The explorer without its page: states, stimuli, what networks do in them, the Python that it gives."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netlib.base.orientation import distance
from netlib.explore import (
    BREAKS,
    LIMITS,
    NETWORKS,
    PLASTICITY,
    Explorer,
    ExplorerState,
    compute,
    shown_movie,
    to_python,
    tuning_protocol,
    turned_rates,
)
from netlib.explore.page import Controls
from netlib.networks import Delay, preset

# ---------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("contrast", 1.5, ["contrast = 1.5", "[0, 1]"]),
        ("delay", 30.0, ["delay = 30.0 ms", "[0.2, 20] ms"]),
        ("delay", 0.25, ["delay", "0.1 ms"]),
        ("E_to_E", -1, ["E_to_E = -1", "[0, 20]"]),
        ("orientation", 181.0, ["orientation = 181.0 deg", "[0, 180] deg"]),
        ("network", "v2", ["network", "'v1'"]),
        ("plasticity", "on", ["plasticity", "'off'"]),
        ("seed", -1, ["seed = -1"]),
    ],
)
def test_a_bad_value_is_named_with_its_range(field, value, words):
    with pytest.raises(ValueError) as caught:
        ExplorerState(**{field: value})
    assert [word for word in words if word not in str(caught.value)] == []


def test_text_for_a_number_is_refused():
    with pytest.raises(TypeError, match=r"contrast = 'much' is not a number: it must be in \[0, 1\]"):
        ExplorerState(contrast="much")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_default_sliders_leave_the_preset_alone(name):
    """Only the front end of a preset without one of its own may differ."""
    changed = {key.split(".")[0] for key in ExplorerState(network=name).changes()}
    assert changed <= ({"lgn"} if not name.startswith("v1") else set())


def test_sliders_multiply_weights_and_widths_of_the_preset():
    base, state = preset("v1"), ExplorerState(E_to_I=2.0, width_I=0.5, delay=3.0, ratio=8.0)
    made = state.parameters()
    assert made.E_to_I.weight == pytest.approx(2 * base.E_to_I.weight)
    assert made.I_to_E.kernel.B_theta == pytest.approx(0.5 * base.I_to_E.kernel.B_theta)
    assert made.E_to_E.kernel == base.E_to_E.kernel
    assert (made.I_to_I.delay, made.size("I")) == (Delay(3.0), base.size("E") // 8)


def test_plasticity_needs_a_network_that_can_have_it():
    with pytest.raises(ValueError, match=r"plasticity = 'STDP, E to E'.*network = 'bump'"):
        ExplorerState(network="bump", plasticity=PLASTICITY[1])


# ---------------------------------------------------------------- stimuli


@pytest.mark.parametrize("kind", ["MotionCloud", "Grating"])
def test_turned_rates_are_near_those_of_turned_movies(kind):
    """The front end sees one movie; its answer turned is its answer to the turned movie, to a few Hz."""
    state = ExplorerState(kind, orientation=0.0, contrast=0.5)
    lgn, protocol = state.parameters().lgn, tuning_protocol(state.shown())
    ours = turned_rates(lgn, protocol)
    turned = 3  # the fourth presentation, at 45 degrees
    direct = lgn.respond(shown_movie(dataclasses.replace(state.shown(), theta=45.0)))
    onset = round(protocol.windows()[turned, 0] / lgn.dt)
    part = ours.rates[:, onset : onset + direct.rates.shape[1]]
    assert np.abs(part.mean(1) - direct.rates.mean(1)).max() < 6.0
    assert direct.rates.max() > 25.0
    assert np.corrcoef(part.mean(1), direct.rates.mean(1))[0, 1] > 0.95


@pytest.mark.slow
def test_rates_do_not_depend_on_the_number_of_threads():
    code = (
        "from netlib.explore import *; s = ExplorerState();"
        "print(turned_rates(s.parameters().lgn, tuning_protocol(s.shown())).rates.tobytes().__hash__())"
    )
    seen = set()
    for threads in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": "0"}
        seen.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        )
    assert len(seen) == 1


# ---------------------------------------------------------------- what the network does


#: Those that run in the default suite, in one network.
NAMED = ("normal", "silence", "epilepsy", "lost_tuning")


@pytest.mark.parametrize("name", NAMED)
def test_a_break_shows_what_it_says(name):
    assert BREAKS[name].surprises(compute(BREAKS[name].state()).measures) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in BREAKS for seed in (1, 2, 3) if seed > 1 or name not in NAMED]
)
def test_a_break_shows_what_it_says_in_several_networks(name, seed):
    assert BREAKS[name].surprises(compute(BREAKS[name].state(seed)).measures) == []


def test_a_break_that_shows_something_else_is_found():
    wrong = compute(BREAKS["normal"].state()).measures
    for name in ("silence", "epilepsy", "lost_tuning"):
        assert BREAKS[name].surprises(wrong), name


@pytest.mark.parametrize("name", [name for name in BREAKS if name != "normal"])
def test_breaks_differ_from_the_default_by_what_the_sliders_reach(name):
    state = BREAKS[name].state()
    assert state != BREAKS["normal"].state()
    assert set(BREAKS[name].changes) <= {field.name for field in dataclasses.fields(state)}
    assert len(BREAKS[name].explanation) > 100
    assert BREAKS[name].expect


def gathered(result):
    """Mean length of the vector sum over the ring of the spikes in 100 ms."""
    cells = result.recording.population(result.output)
    angle = np.exp(2j * np.radians(cells.neurons["orientation"].to_numpy()))[cells.spike_index]
    part = (cells.spike_time // 100.0).astype(int)
    return np.mean([abs(angle[part == k].mean()) for k in range(part.max()) if (part == k).sum() > 5])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_phantom_is_a_bump_and_half_the_recurrence_is_none(seed):
    state = BREAKS["phantom"].state(seed)
    assert gathered(compute(state)) > 0.75
    assert gathered(compute(dataclasses.replace(state, E_to_E=0.5))) < 0.3


@pytest.mark.slow
def test_plasticity_changes_weights():
    assert compute(ExplorerState(plasticity=PLASTICITY[1])).measures.weight_change > 5
    assert abs(compute(ExplorerState(plasticity=PLASTICITY[2])).measures.weight_change) > 1
    assert np.isnan(compute(ExplorerState()).measures.weight_change)


def test_the_map_holds_every_spike_and_the_bump_sits_at_the_stimulus():
    result = compute(ExplorerState())
    cells = result.recording.population("E")
    per_place = len(cells) / len(result.places)
    total = (result.rate_map * np.diff(result.edges) / 1000.0).sum() * per_place
    assert total == pytest.approx(len(cells.spike_time), rel=0.03)  # 256 cells on 36 places: 7 or 8 on each
    place, rate = result.ring["E"]
    vector = (np.nan_to_num(rate) * np.exp(2j * np.radians(place))).sum()
    assert distance(np.degrees(np.angle(vector)) / 2, 90.0) < 12


# ---------------------------------------------------------------- the Python that makes a state

STATES = {
    "normal": ExplorerState(),
    "many changes": ExplorerState("Grating", 30.0, contrast=0.4, E_to_E=1.5, I_to_E=0.8, width_E=1.3, ratio=8, delay=2),
    "natural": ExplorerState("NaturalMovie", network="internship2019", contrast=0.5),
    "two rings, plastic": ExplorerState(network="v1_two_rings", plasticity=PLASTICITY[1], seed=3),
}


@pytest.mark.parametrize(
    "name", [*list(STATES)[:1], *(pytest.param(name, marks=pytest.mark.slow) for name in list(STATES)[1:])]
)
def test_the_copied_python_makes_the_same_spikes(name, capsys):
    space = {}
    exec(compile(to_python(STATES[name]), "copied", "exec"), space)
    here, there = compute(STATES[name]).recording, space["recording"]
    assert np.array_equal(here.spike_index, there.spike_index)
    assert np.array_equal(here.spike_time, there.spike_time)
    assert len(here.spike_time) > 1000
    assert float(capsys.readouterr().out.split()[0 if name == "natural" else 1]) > 0


@pytest.mark.parametrize("name", STATES)
def test_the_copied_python_is_tidy(name):
    text = to_python(STATES[name])
    assert max(map(len, text.splitlines())) <= 140
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "F,I,UP", "-"],
        input=text, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


# ---------------------------------------------------------------- the object of a notebook


def test_an_explorer_shows_a_picture_where_nobody_can_move_sliders():
    explorer = Explorer(contrast=0.4)
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png"}
    assert bundle["text/plain"] == "Explorer(contrast=0.4)"
    assert len(bundle["image/png"]) > 50_000


def test_the_picture_has_units_on_every_axis():
    figure = Explorer().figure()
    axes = [ax for ax in figure.axes if ax.name == "rectilinear" and ax.get_xlabel()]
    labels = [ax.get_xlabel() for ax in axes] + [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()]
    assert len(labels) >= 7
    assert [label for label in labels if not label.endswith(("(deg)", "(Hz)", "(ms)", "rate / largest"))] == []


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("E_to_E", " 1,5 ", 1.5),
        ("E_to_E", ".5", 0.5),
        ("contrast", "much", "much"),
        ("ratio", "preset's", None),
        ("seed", "7", 7),
        ("seed", "1,000", "1,000"),
    ],
)
def test_boxes_are_read(name, text, value):
    assert Controls._parsed(name, text) == value


def test_limits_name_every_number():
    numbers = {f.name for f in dataclasses.fields(ExplorerState) if f.type in ("float", "float | None")}
    assert set(LIMITS) == numbers


def run_notebook(folder: Path, *cells: str) -> dict:
    """Run a notebook as nbconvert does, to HTML; what the cells put out, and the page."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor
    from nbformat import v4

    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    ExecutePreprocessor(timeout=240).preprocess(notebook, {"metadata": {"path": str(folder)}})
    html, _ = HTMLExporter().from_notebook_node(notebook)
    return {"outputs": [json.loads(json.dumps(cell.outputs)) for cell in notebook.cells], "html": html}


def test_without_panel_an_explorer_still_shows_its_picture_and_the_page_says_what_to_install():
    code = (
        "import sys, importlib.util; sys.modules |= {'panel': None, 'bokeh': None}\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'panel' else found(name, *rest)\n"
        "from netlib.explore import Explorer, serve\n"
        "print(*Explorer(contrast=0.4)._repr_mimebundle_())\n"
        "serve()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split()[-2:] == ["text/plain", "image/png"]
    assert done.stderr.endswith("ImportError: the explorer's page needs Panel: pip install 'netlib-v1[explore]'\n")


@pytest.mark.slow
def test_nbconvert_gets_a_picture_instead_of_the_widget(tmp_path):
    made = run_notebook(tmp_path, "from netlib.explore import Explorer\nExplorer(E_to_E=1.5)")
    (output,) = made["outputs"][0]
    assert set(output["data"]) == {"text/plain", "image/png"}
    assert made["html"].count('src="data:image/png;base64,') == 1
    assert "bokeh" not in made["html"].lower()
