"""The store: what was kept is found as it was, what is not whole is not there."""

import os
import time

import numpy as np
import pandas as pd
import pytest

from netlib.base.store import Store

KEY = "ab" * 32
TABLE = pd.DataFrame(
    {
        "rate": [1.0, np.nan, np.inf],
        "n": np.array([1, 2, 3], dtype=np.int32),
        "name": ["a", None, "c"],
        "day": pd.to_datetime(["2020-01-01 00:00:00", None, "2021-05-03 12:00:01"]),
        "kind": pd.Categorical(["u", "v", "u"], categories=["v", "u", "w"], ordered=True),
        "mixed": pd.Series([1, "b", 2.5], dtype=object, index=["p", "q", "r"]).to_numpy(),
        "ok": [True, False, True],
    },
    index=pd.Index(["p", "q", "r"], name="cell"),
)
RESULT = {
    "table": TABLE,
    "plain table": pd.DataFrame({"x": [1.5, 2.5]}),
    "curve": np.arange(6.0).reshape(2, 3),
    "complex": np.array([1 + 2j]),
    "large": np.array([2**40]),
    "texts": np.array(["a", "bcd"]),
    "facts": {"a": [1, None, "x"], "b": float("inf")},
    "file": 1,
    "allow_pickle": "yes",
    "missing": float("nan"),
    "empty": np.zeros((0, 4)),
}


def check_same(found):
    pd.testing.assert_frame_equal(found["table"], TABLE)
    pd.testing.assert_frame_equal(found["plain table"], RESULT["plain table"])
    for name in ("curve", "complex", "large", "texts", "empty"):
        np.testing.assert_array_equal(found[name], RESULT[name], strict=True)
    assert found["facts"] == RESULT["facts"] and found["file"] == 1 and found["allow_pickle"] == "yes"
    assert np.isnan(found["missing"]) and list(found) == list(RESULT)


@pytest.mark.parametrize("name", ["", "session_I2_1"])
def test_what_is_kept_is_found_as_it_was(tmp_path, name):
    store = Store(tmp_path)
    assert store.get(KEY, name) is None and not store.has(KEY, name)
    store.put(KEY, RESULT, name)
    check_same(store.get(KEY, name))
    assert store.get(KEY, name, only=["curve", "not there"]).keys() == {"curve"}
    assert store.get("cd" * 32, name) is None
    assert Store(tmp_path).has(KEY, name)


def test_a_name_holds_the_result_of_one_key(tmp_path):
    store = Store(tmp_path)
    store.put(KEY, {"y": 1}, "step")
    store.put("cd" * 32, {"y": 2}, "step")
    assert store.get(KEY, "step") is None and store.get("cd" * 32, "step") == {"y": 2}
    assert len(list(tmp_path.iterdir())) == 1


def test_every_bit_and_every_length_counts(tmp_path):
    store = Store(tmp_path)
    store.put(KEY, {"y": np.arange(3), "t": pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}), "n": 3})
    path = store.path(KEY)
    whole = path.read_bytes()
    served = []
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            if store.get(KEY) is not None:
                served.append((place, bit))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if store.get(KEY) is not None:
            served.append(length)
    path.write_bytes(whole + b"0")
    assert served == [] and store.get(KEY) is None
    assert not path.exists()  # what is not whole is gone
    path.write_bytes(whole)
    assert store.get(KEY)["n"] == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (check_same, "is a function"),
        (np.array([1, None, "a"], dtype=object), "is an array of objects"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "the same names"),
        (pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])), "several levels"),
        ({1: "a", "1": "b"}, "the same as text"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path, value, message):
    with pytest.raises(TypeError, match=rf"result\['f'\] .*{message}"):
        Store(tmp_path).put(KEY, {"f": value})
    assert list(tmp_path.iterdir()) == []


def test_what_the_dead_left_is_removed(tmp_path):
    store = Store(tmp_path)
    store.put(KEY, {"y": 1})
    (tmp_path / "ab" / ".abab.x1.result.part").write_bytes(b"half")
    (tmp_path / ".step.x1.result.part").write_bytes(b"half")
    (tmp_path / "notes.of.mine.txt").write_text("keep")
    store.clean()
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [f"{KEY}.result", "notes.of.mine.txt"]


def test_the_store_is_bounded_and_keeps_what_was_used_last(tmp_path):
    store = Store(tmp_path, max_size=0.1)
    keys = [f"{k:02d}{'0' * 62}" for k in range(30)]
    for age, key in enumerate(keys):
        store.put(key, {"y": np.zeros(1000)})  # 8.3 kB each
        os.utime(store.path(key), (1e9 + age, 1e9 + age)) if store.path(key).exists() else None
    assert store.get(keys[25]) is not None  # now the newest
    store.trim()
    left = [key for key in keys if store.path(key).exists()]
    assert sum(p.stat().st_size for p in tmp_path.glob("*/*.result")) <= 1e5
    assert keys[25] in left and keys[29] in left and keys[0] not in left


def test_reading_is_quick(tmp_path):
    store = Store(tmp_path)
    store.put("ab" * 32, {"y": np.zeros(10)})
    times = []
    for _ in range(20):
        start = time.perf_counter()
        store.get("ab" * 32)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/x"])
def test_a_name_outside_of_the_store_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="leaves the folder"):
        Store(tmp_path / "s").put("abcd", {"a": 1}, name)


def test_a_masked_array_is_refused(tmp_path):
    with pytest.raises(TypeError, match="masked array"):
        Store(tmp_path).put("abcd", {"a": np.ma.array([1, 2], mask=[0, 1])})
