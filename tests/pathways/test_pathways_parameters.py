import pickle
from dataclasses import fields, replace

import pytest
from _declared import declared_in, outside

from netlib.base.fields import rows_of
from netlib.pathways.decoding import Svm
from netlib.pathways.parameters import PipelineParameters
from netlib.pathways.simulate import BehaviourModel, Subpopulation, SyntheticParameters
from netlib.pathways.simulated_network import NetworkParameters

TABLE = {
    BehaviourModel: {},
    NetworkParameters: {},
    PipelineParameters: {},
    Subpopulation: {"name": "a", "share": 0.5},
    Svm: {},
    SyntheticParameters: {},
}


def test_the_table_holds_every_class_with_declared_fields():
    assert declared_in("netlib.pathways") == set(TABLE)


@pytest.mark.parametrize("cls, needed, name, value, said", outside(TABLE))
def test_a_number_just_outside_its_range_is_refused(cls, needed, name, value, said):
    with pytest.raises(ValueError) as caught:
        cls(**needed | {name: value})
    assert str(caught.value) == said


@pytest.mark.parametrize("cls", TABLE)
def test_parameters_copy_and_pickle(cls):
    one = cls(**TABLE[cls])
    assert replace(one) == pickle.loads(pickle.dumps(one)) == one and hash(replace(one)) == hash(one)


@pytest.mark.parametrize(
    "parameters, said",
    [
        ({"delay": 0.2}, r"timestep = 0.5 ms is out of range: it must be in \(0, 0.2\] ms"),
        ({"timestep": 1.5}, r"timestep = 1.5 ms is out of range: it must be in \(0, 1\] ms"),
    ],
)
def test_a_step_is_no_longer_than_the_delay(parameters, said):
    with pytest.raises(ValueError, match=said):
        NetworkParameters(**parameters)


@pytest.mark.parametrize(
    "rate, said", [((1, 2, 3), r"rate = 2 Hz .* \(0, 1\] Hz"), ((2, 1, 1), r"rate = 1 Hz .* \[2, inf\) Hz")]
)
def test_base_rates_are_in_order(rate, said):
    with pytest.raises(ValueError, match=said):
        SyntheticParameters(rate=rate)


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("guard", "auto", "auto"),
        ("guard", "2000", 2000.0),
        ("fold", "none", None),
        ("k", "None", None),
        ("k", "4", 4),
        ("method", "k-means", "k-means"),
        ("method", "linkage ward", "linkage ward"),
        ("bin", "1e3", 1000.0),
        ("alpha", ".01", 0.01),
        ("margin", "1", 1.0),
        ("seed", "12", 12),
    ],
)
def test_parameters_are_read_from_text(name, text, value):
    found = getattr(PipelineParameters().changed({name: text}), name)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "name, text, kind, said",
    [
        ("alpha", "nan", ValueError, "alpha = nan is out of range"),
        ("alpha", "much", TypeError, "alpha = 'much' is not a number"),
        ("k", "2.5", TypeError, "k = 2.5 is not a whole number"),
        ("method", "kmeans", ValueError, "did you mean 'k-means'"),
        ("alfa", "0.1", ValueError, "did you mean 'alpha'"),
        ("alpha.x", "0.1", ValueError, "alpha = 0.05 has no parts"),
    ],
)
def test_wrong_text_is_refused(name, text, kind, said):
    with pytest.raises(kind, match=said):
        PipelineParameters().changed({name: text})


def test_whole_numbers_are_the_same_value_as_floats():
    whole = PipelineParameters(guard=500, fold=2, bin=500, block=30_000, instants=1000, margin=1)
    assert repr(whole) == repr(PipelineParameters(guard=500.0, fold=2.0, bin=500.0, margin=1.0))
    assert {type(getattr(whole, f.name)) for f in fields(whole) if f.type == "int"} == {int}


def test_rows_say_what_is_legal():
    rows = {name: rest for name, *rest in rows_of(PipelineParameters())}
    assert list(rows) == [field.name for field in fields(PipelineParameters)]
    assert rows["guard"] == ["auto", "ms", "[0, inf) or auto"]
    assert rows["k"] == [None, "", "[2, 50] or none"]
