import pickle
from dataclasses import replace

import pytest
from _declared import declared_in, outside

from netlib.striatum.grid import Setting
from netlib.striatum.model import Parameters, Phase

PHASE = {"name": "learning"}
TABLE = {Parameters: {}, Phase: PHASE, Setting: {"name": "a", "parameters": Parameters()}}


def test_the_table_holds_every_class_with_declared_fields():
    assert declared_in("netlib.striatum") == set(TABLE)


@pytest.mark.parametrize("cls, needed, name, value, said", outside(TABLE))
def test_a_number_just_outside_its_range_is_refused(cls, needed, name, value, said):
    with pytest.raises(ValueError) as caught:
        cls(**needed | {name: value})
    assert str(caught.value) == ("phase 'learning': " if cls is Phase else "") + said


@pytest.mark.parametrize("cls", TABLE)
def test_parameters_copy_and_pickle(cls):
    one = cls(**TABLE[cls])
    assert replace(one) == pickle.loads(pickle.dumps(one)) == one and hash(replace(one)) == hash(one)


@pytest.mark.parametrize(
    "parameters, said",
    [
        ({"stim_by_pattern": 11}, r"stim_by_pattern = 11 neurons .* \[1, 10\] neurons"),
        ({"stim_duration": 0.2}, r"stim_duration = 0.2 ms .* \[0.4, inf\) ms"),
        ({"stim_offset": 100.0}, r"stim_offset = 100.0 ms .* \[0.2, 100\) ms"),
        ({"w_min": 2.0}, r"w_max = 2.0 .* \(2, inf\)"),
        ({"w_initial_low": 2.5}, r"w_initial_low = 2.5 .* \[0, 2\]"),
        ({"w_initial_low": 1.0}, r"w_initial_high = 0.05 .* \[1, 2\]"),
        ({"V_th": -80.0}, r"V_th = -80.0 mV .* \(-80, inf\) mV"),
        ({"V_reset": -44.0}, r"V_reset = -44.0 mV .* \(-inf, -45\] mV"),
        ({"tau_post": 0.1}, r"tau_post = 0.1 ms .* \[0.2, inf\) ms"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        Parameters(**parameters)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Parameters(phases=[Phase("a")]), "phases = .* must be a tuple, not list"),
        (lambda: Parameters(phases=("a",)), "phase = 'a' has the wrong type: it must be a Phase"),
        (lambda: Parameters(legacy=1), "legacy = 1 has the wrong type: it must be a bool"),
        (lambda: Phase(3), "name = 3 has the wrong type: it must be a str"),
        (lambda: Setting("a", {}), "parameters = {} has the wrong type: it must be a Parameters"),
    ],
)
def test_wrong_types_are_refused(make, said):
    with pytest.raises(TypeError, match=said):
        make()
