"""Declared parameters: what each kind of field takes and refuses, for the helpers and for every class of the core."""

import dataclasses
import math
import pickle
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from _declared import declared_in, outside

from netlib.base.fields import Declared, choice, integer, number, orientation, parse_value, part, rows_of, set_values
from netlib.networks import Cell, Connection, Delay, RingParameters, TwoRings, Uniform, preset
from netlib.stimuli import Grating, MotionCloud
from netlib.theory import LIFCell, LIFRing, RatePopulation, RateRing

# ---------------------------------------------------------------- the helpers


@dataclass(frozen=True)
class Tip(Declared):
    length: float = number(1.0, "mm", 0, 2)

    prefix = "tip."


@dataclass(frozen=True)
class Probe(Declared):
    depth: float = number(..., "um", 0, 1000, low_open=True, high_open=True)
    gain: float = number(1.0)
    reach: float = number(math.inf, "um", 0, finite=False)
    cut: float | str | None = number(None, "Hz", 1, also=(None, "auto"))
    sites: int = integer(4, 1, 8, "sites")
    shape: str = choice("flat", ("flat", "round"))
    theta: float = orientation(0.0)
    tip: Tip = part(Tip, Tip)
    spare: Tip | None = part(None, Tip, optional=True)
    note: str = ""

    def check(self) -> None:
        if self.sites > self.depth:
            raise ValueError("more sites than depth")


@dataclass(frozen=True)
class LongProbe(Probe):
    shanks: int = integer(1, 1)

    def check(self) -> None:
        super().check()
        if self.shanks > self.sites:
            raise ValueError("more shanks than sites")


@pytest.mark.parametrize(
    "field, values",
    [
        ("depth", [5, 999.9, np.float64(7)]),
        ("gain", [-1e300, 0]),
        ("reach", [0, math.inf]),
        ("cut", [None, "auto", "".join(["au", "to"]), 1]),
        ("sites", [1, 4.0, np.int64(5)]),
        ("shape", ["flat", "round"]),
        ("theta", [-360, -45, 179.9, 360]),
        ("tip", [Tip(0.0), Tip(2)]),
        ("spare", [None, Tip()]),
        ("note", [3]),  # a field that declares nothing takes anything
    ],
)
def test_helpers_accept_and_keep_the_value_as_it_is(field, values):
    for value in values:
        assert getattr(Probe(**{"depth": 500, field: value}), field) is value


@pytest.mark.parametrize(
    "field, value, error, message",
    [
        ("depth", 0, ValueError, "depth = 0 um is out of range: it must be in (0, 1000) um"),
        ("depth", 1000.0, ValueError, "depth = 1000.0 um is out of range: it must be in (0, 1000) um"),
        ("depth", "deep", TypeError, "depth = 'deep' is not a number: it must be in (0, 1000) um"),
        ("depth", True, TypeError, "depth = True is not a number: it must be in (0, 1000) um"),
        ("gain", math.inf, ValueError, "gain = inf is out of range: it must be in (-inf, inf)"),
        ("gain", math.nan, ValueError, "gain = nan is out of range: it must be in (-inf, inf)"),
        ("gain", None, TypeError, "gain = None is not a number: it must be in (-inf, inf)"),
        ("reach", -math.inf, ValueError, "reach = -inf um is out of range: it must be in [0, inf) um"),
        ("reach", math.nan, ValueError, "reach = nan um is out of range: it must be in [0, inf) um"),
        ("cut", 0.9, ValueError, "cut = 0.9 Hz is out of range: it must be in [1, inf) Hz"),
        ("cut", "Auto", TypeError, "cut = 'Auto' is not a number: it must be in [1, inf) Hz"),
        ("cut", False, TypeError, "cut = False is not a number: it must be in [1, inf) Hz"),
        ("sites", 0, ValueError, "sites = 0 sites is out of range: it must be in [1, 8] sites"),
        ("sites", 9, ValueError, "sites = 9 sites is out of range: it must be in [1, 8] sites"),
        ("sites", 1.5, TypeError, "sites = 1.5 is not a whole number: it must be in [1, 8] sites"),
        ("shape", "rond", ValueError,
         "shape = 'rond' is unknown: it must be one of 'flat', 'round'; did you mean 'round'?"),
        ("theta", 361, ValueError, "theta = 361 deg is out of range: it must be in [-360, 360] deg"),
        ("theta", math.pi / 2, ValueError,
         "theta = 1.5707963267948966 deg looks like radians (90 deg): orientations are in degrees, in [0, 180) deg"),
        ("tip", None, TypeError, "tip = None has the wrong type: it must be a Tip, not NoneType"),
        ("spare", 3, TypeError, "spare = 3 has the wrong type: it must be a Tip, not int"),
        ("sites", 6, ValueError, "more sites than depth"),
    ],
)  # fmt: skip
def test_helpers_refuse(field, value, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Probe(**{"depth": 5, field: value})
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        dataclasses.replace(Probe(5), **{field: value})


def test_a_prefix_stands_before_the_name():
    with pytest.raises(ValueError, match=re.escape("tip.length = 3 mm is out of range: it must be in [0, 2] mm")):
        Tip(3)
    with pytest.raises(ValueError, match=re.escape("delay.mean = 0 ms is out of range: it must be in (0, inf) ms")):
        Delay(0)


def test_a_field_without_default_must_be_given_and_a_class_makes_a_new_part():
    with pytest.raises(TypeError, match="depth"):
        Probe()
    assert Probe(5).tip == Tip() and Probe(5).tip is not Probe(5).tip


def test_fields_and_rules_are_inherited():
    assert [field.name for field in dataclasses.fields(LongProbe)][-1] == "shanks"
    with pytest.raises(ValueError, match=r"^sites = 0 sites"):
        LongProbe(5, sites=0)
    with pytest.raises(ValueError, match="more sites than depth"):
        LongProbe(5, sites=6)
    with pytest.raises(ValueError, match="more shanks than sites"):
        LongProbe(5, sites=2, shanks=3)
    with pytest.raises(ValueError, match=r"n_input = 0 cells is out of range: it must be in \[1, 1e\+07\] cells"):
        TwoRings(n_input=0)
    with pytest.raises(ValueError, match=r"I_to_E2.delay = 0.01 ms is out of range: it must be in \[0.1, inf\)"):
        TwoRings(I_to_E2=Connection(Uniform(), 0.1, Delay(0.01)))


def test_declared_dataclasses_are_dataclasses():
    probe = Probe(5)
    assert repr(probe).startswith("Probe(depth=5, gain=1.0, reach=inf, cut=None, sites=4, shape='flat'")
    assert probe == Probe(5) and hash(probe) == hash(Probe(5)) and probe != Probe(6)
    assert pickle.loads(pickle.dumps(preset("v1_two_rings"))) == preset("v1_two_rings")


# ---------------------------------------------------------------- values by name, and tables


def test_values_are_set_by_dotted_name_together():
    probe = set_values(Probe(5), {"tip.length": "0.5", "sites": 2, "depth": "2", "cut": "auto", "spare": Tip(0)})
    assert probe == Probe(2, cut="auto", sites=2, tip=Tip(0.5), spare=Tip(0))
    with pytest.raises(ValueError, match="more sites than depth"):
        set_values(Probe(5), {"depth": 2})
    with pytest.raises(ValueError, match=re.escape("tip.length = -1 mm is out of range: it must be in [0, 2] mm")):
        set_values(Probe(5), {"tip.length": "-1"})


@pytest.mark.parametrize(
    "name, message",
    [
        ("site", "parameter name in 'site' = 'site' is unknown: it must be one of .*; did you mean 'sites'?"),
        ("tip.lenght", "parameter name in 'tip.lenght' = 'lenght' is unknown: .*; did you mean 'length'?"),
        ("spare.length", "spare.length is unknown: spare = None has no parts"),
        ("sites.left", "sites.left is unknown: sites = 4 has no parts"),
    ],
)
def test_an_unknown_name_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        set_values(Probe(5), {name: 1})


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3), ("0.5", 0.5), ("1e-3", 0.001), ("true", True), ("null", None), ("none", None), ("None", None),
        ("inf", math.inf), ("[1, 2]", (1, 2)), ("matched", "matched"), ("[1,", "[1,"), ('"3"', "3"), (4, 4), ([1], [1]),
    ],
)  # fmt: skip
def test_texts_are_parsed(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


def test_rows_hold_unit_and_range_of_parts_too():
    assert list(rows_of(Probe(5, note="x"))) == [
        ("depth", 5, "um", "(0, 1000)"),
        ("gain", 1.0, "", "(-inf, inf)"),
        ("reach", math.inf, "um", "[0, inf)"),
        ("cut", None, "Hz", "[1, inf) or none or auto"),
        ("sites", 4, "sites", "[1, 8]"),
        ("shape", "flat", "", "flat, round"),
        ("theta", 0.0, "deg", "[0, 180)"),
        ("tip.length", 1.0, "mm", "[0, 2]"),
        ("spare", None, "", "none"),
        ("note", "x", "", ""),
    ]
    rows = {name: row for name, *row in rows_of(preset("v1"))}
    assert rows["E_to_E.delay.mean"][1:] == ["ms", "(0, inf)"] and rows["lgn.sf_0"][1:] == ["cycles/px", "[0.01, 0.35]"]


# ---------------------------------------------------------------- every class of the core

CORE = ("base", "stimuli", "lgn", "networks", "recordings", "tuning", "calcium", "statistics", "figures", "theory")
CELL = LIFCell(0.2, 20.0, 2.0, 5.0, 10.0, -70.0, -70.0, -55.0, 0.0, -80.0)
#: Values for what has no default, by class and field.
GIVEN = {
    "Connection": {"kernel": Uniform(), "weight": 0.1},
    "DistanceDecay": {"decay": 1.0},
    "Image": {"source": "a.png", "alt": "a"},
    "Indicator": {"name": "a", "rise": 10.0, "decay": 100.0, "amplitude": 0.1},
    "LIFCell": dataclasses.asdict(CELL),
    "LIFRing": {"cells": {"E": CELL, "I": CELL}, "sizes": {"input": 9, "E": 9, "I": 9}, "connections": {}},
    "Probability": {"p": 0.5},
    "RandomConnection": {"B_theta": 20.0, "in_degree": 10.0, "weight": 0.1},
    "RateRing": {"populations": {"E": RatePopulation()}},
    "Section": {"title": "a"},
    "Table": {"frame": pd.DataFrame({"a": [1]})},
    "VonMises": {"B_theta": 20.0},
}


CLASSES = sorted(
    set().union(*(declared_in(f"netlib.{room}") for room in CORE)), key=lambda c: (c.__module__, c.__name__)
)
OUTSIDE = outside({kind: GIVEN.get(kind.__name__, {}) for kind in CLASSES})


def test_the_classes_are_found():
    assert {Cell, Delay, RingParameters, TwoRings, Grating, MotionCloud, LIFRing, RateRing} <= set(CLASSES)
    assert len(OUTSIDE) > 200


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_can_be_made_and_remade(kind):
    made = kind(**GIVEN.get(kind.__name__, {}))
    assert repr(dataclasses.replace(made)) == repr(made)
    assert repr(pickle.loads(pickle.dumps(made))) == repr(made)


@pytest.mark.parametrize("kind, needed, name, value, message", OUTSIDE)
def test_every_number_is_refused_just_outside_its_range(kind, needed, name, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(**needed | {name: value})
