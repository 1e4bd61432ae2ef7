"""Units, orientation, seeds, provenance: the rooms everything else stands on."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from netlib.base import orientation as ori
from netlib.base.checks import check_array, check_choice, check_integer, check_number, check_orientation, on_grid
from netlib.base.command import read_settings
from netlib.base.provenance import atomic_write, provenance, write_json
from netlib.base.seeds import child, pair_uniform, simulator_seed, stream

angles = st.floats(-1e4, 1e4, allow_nan=False)


@given(angles)
def test_wrap_is_in_range_and_keeps_the_orientation(theta):
    wrapped = ori.wrap(theta)
    assert 0 <= wrapped < 180
    assert np.isclose(np.cos(2 * np.radians(wrapped)), np.cos(2 * np.radians(theta)), atol=1e-8)


@given(angles, angles)
def test_distance_is_symmetric_bounded_and_wraps(a, b):
    d = ori.distance(a, b)
    assert 0 <= d <= 90
    assert np.isclose(d, ori.distance(b, a), atol=1e-7)
    assert np.isclose(d, ori.distance(a + 180, b), atol=1e-7)
    signed = ori.signed_distance(a, b)
    assert -90 < signed <= 90
    assert np.isclose(ori.distance(b + signed, a), 0, atol=1e-7)


def test_no_duplicated_end_point():
    preferred = ori.preferred_orientations(60)
    assert preferred[0] == 0 and preferred[-1] == 177
    steps = np.diff(np.append(preferred, 180))
    assert np.allclose(steps, 3)


@pytest.mark.parametrize("B", [2.0, 15.0, 36.0, 48.0])
def test_hwhh_is_where_the_profile_is_half(B):
    half = brentq(lambda d: ori.von_mises(d, 0, B) - 0.5, 0, 90)
    assert np.isclose(ori.hwhh_from_B_theta(B), half, rtol=1e-9)
    assert np.isclose(ori.B_theta_from_hwhh(half), B, rtol=1e-9)
    low = ori.von_mises(90, 0, B)
    middle = brentq(lambda d: ori.von_mises(d, 0, B) - (1 + low) / 2, 0, 90)
    assert np.isclose(ori.hwhh_from_B_theta(B, "minimum"), middle, rtol=1e-9)


def test_hwhh_does_not_exist_for_broad_profiles():
    limit = ori.B_theta_max_hwhh
    assert np.isfinite(ori.hwhh_from_B_theta(limit * 0.999)) and np.isnan(ori.hwhh_from_B_theta(limit * 1.001))
    assert np.isclose(ori.hwhh_from_B_theta(1e4, "minimum"), 45, atol=1e-3)


@given(st.floats(1, 80))
def test_width_conversions_round_trip(B):
    assert np.isclose(ori.kappa_from_B_theta(B), 1 / (4 * np.radians(B) ** 2))
    assert np.isclose(ori.B_theta_from_ring2018(2 * B), B)


def test_small_bandwidth_is_the_standard_deviation():
    d = np.linspace(-90, 90, 20001)
    p = ori.von_mises(d, 0, 5.0)
    assert np.isclose(np.sqrt((p * d**2).sum() / p.sum()), 5.0, rtol=0.01)


@pytest.mark.parametrize(
    "call, error, parts",
    [
        (lambda: check_number("rate", -1, "Hz", 0), ValueError, ["rate", "-1", "Hz", "[0, inf)"]),
        (lambda: check_number("rate", float("nan"), "Hz", 0), ValueError, ["rate", "nan"]),
        (lambda: check_number("rate", "3", "Hz"), TypeError, ["rate", "'3'"]),
        (lambda: check_integer("n", 0, 1, unit="cells"), ValueError, ["n = 0", "cells", "[1"]),
        (lambda: check_integer("n", 1.5, 1), TypeError, ["n = 1.5"]),
        (lambda: check_orientation("theta", np.pi / 4), ValueError, ["theta", "radians", "[0, 180)"]),
        (lambda: check_orientation("theta", np.deg2rad(30)), ValueError, ["radians", "30"]),
        (lambda: check_array("counts", [], "Hz"), ValueError, ["counts", "empty"]),
        (lambda: check_array("counts", [[1, np.nan]], "Hz"), ValueError, ["counts[0, 1]"]),
        (lambda: on_grid("delay", 0.25, 0.1), ValueError, ["delay", "0.25 ms", "0.1 ms"]),
    ],
)
def test_errors_name_parameter_value_and_range(call, error, parts):
    with pytest.raises(error) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_degrees_are_not_taken_for_radians():
    for theta in (0, 1, 0.5, 3, 3.14, 45.0, 1.0471, 179.9, -30):
        assert check_orientation("theta", theta) == theta % 180


def test_streams_depend_on_seed_and_name_alone():
    first = stream(1, "drive").random(5)
    stream(1, "topology").random(100)
    assert np.array_equal(first, stream(1, "drive").random(5))
    others = [stream(2, "drive"), stream(1, "topology"), stream(1, "drive", 0), stream(1, "drive", 1)]
    for other in others:
        assert not np.array_equal(first, other.random(5))
    assert 1 <= simulator_seed(1, "nest") < 2**31


def test_pair_uniform_is_uniform_independent_and_the_same_in_any_block():
    key = int(child(1, "x").generate_state(1, np.uint64)[0])
    i, j = np.arange(400)[:, None], np.arange(500)[None, :]
    u = pair_uniform(key, i, j)
    assert np.array_equal(u[7:19, 100:200], pair_uniform(key, i[7:19], j[:, 100:200]))
    assert u.min() >= 0 and u.max() < 1
    counts = np.histogram(u, 100, (0, 1))[0]
    chi2 = ((counts - 2000) ** 2 / 2000).sum()
    assert 99 - 5 * np.sqrt(198) < chi2 < 99 + 5 * np.sqrt(198)
    for lagged in (u[1:, :], u[:, 1:].T, (u[1:, 1:]).T):
        a, b = u.ravel()[: lagged.size - 1], lagged.ravel()[1 : lagged.size]
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(a.size)
    assert abs(np.corrcoef(u[:, :-1].ravel(), u[:, 1:].ravel())[0, 1]) < 5 / np.sqrt(u.size)
    assert abs(np.corrcoef(u.ravel(), pair_uniform(key + 1, i, j).ravel())[0, 1]) < 5 / np.sqrt(u.size)


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": np.float64(1.5), "b": np.arange(2), "c": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1.5, "b": [0, 1], "c": "nan"}

    def fail(file):
        file.write(b"half")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError):
        atomic_write(path, fail)
    assert json.loads(path.read_text())["a"] == 1.5
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_provenance_says_where_a_result_comes_from():
    facts = provenance({"n": 3}, 7, backend="nest")
    assert facts["seed"] == 7 and facts["backend"] == "nest"
    assert {"nest-simulator", "PyNN", "numpy", "python"} <= set(facts["versions"])


@pytest.mark.parametrize(
    ("value", "options", "error", "message"),
    [
        (np.ma.masked_array([1.0, 2.0], [False, True]), {}, ValueError, "rates has masked values"),
        (["1", "2"], {}, TypeError, "rates holds '1': it must hold real numbers"),
        ([1.0, None], {}, TypeError, "rates holds None"),
        ([1 + 2j], {}, TypeError, r"rates holds \(1\+2j\)"),
        (None, {}, TypeError, "rates holds None"),
        ([[1, 2], [3]], {}, ValueError, "rates has rows of different lengths"),
        ([0.7, 1.0], {"dtype": int}, ValueError, "rates holds 0.7: it must hold whole numbers"),
        ([10**400], {}, TypeError, "rates holds what is no number"),
        (np.array(["2020-01-01"], dtype="M8[D]"), {}, TypeError, "must hold real numbers"),
    ],
)
def test_arrays_of_what_are_no_numbers_are_refused(value, options, error, message):
    with pytest.raises(error, match=message):
        check_array("rates", value, "Hz", **options)


def test_arrays_of_numbers_are_taken_whatever_holds_them():
    assert check_array("n", [1.0, 2.0], dtype=int).tolist() == [1, 2]
    assert check_array("n", np.ma.masked_array([1.0, 2.0]), "Hz").tolist() == [1.0, 2.0]
    assert check_array("n", np.array([1, 2.5], dtype=object)).tolist() == [1.0, 2.5]


def test_numbers_beyond_all_numbers_and_choices_of_arrays_are_refused():
    for number in (10**400, -(10**5000)):
        with pytest.raises(ValueError, match="rate is beyond the largest floating-point number"):
            check_number("rate", number, "Hz")
    with pytest.raises(ValueError, match=r"kind = .* is unknown"):
        check_choice("kind", np.array(["a", "b"]), ["a", "b"])


def test_a_setting_given_twice_is_refused():
    with pytest.raises(ValueError, match=r"--grid gives contrast twice, '0.1' and '1'"):
        read_settings(["contrast=0.1", "contrast=1"], "--grid")
