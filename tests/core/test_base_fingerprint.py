"""Fingerprints: what decides a result changes them, nothing else does; what cannot be told is refused."""

import collections
import dataclasses
import enum
import functools
import importlib
import os
import re
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pandas as pd
import pytest

from netlib.base import fingerprint as module
from netlib.base.fingerprint import fingerprint, reached
from netlib.networks import preset
from netlib.sweep import grid, sweep


def make(k):
    return lambda x: k * x


class Gain:
    def __init__(self, k):
        self.k = k

    def times(self, x):
        return self.k * x


@dataclasses.dataclass(frozen=True)
class Setting:
    a: float
    b: tuple = ()


# ---------------------------------------------------------------- values

DIFFERENT = [
    *(None, True, 1, 1.0, "1", b"1", 1j, -0.0, 0.0, float("inf"), "inf", float("nan"), "nan"),
    *([1, 2], (1, 2), [2, 1], [[1], 2], {1, 2}, {"a": 1}, {"a": 2}, {"b": 1}),
    *(np.float32(0.1), np.arange(3), np.arange(3.0), np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
    np.ma.masked_array([0, 1, 2], [False, True, False]),
    *(Setting(1.0), Setting(2.0), Setting(1.0, (3,)), preset("v1"), preset("bump")),
    *(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}), pd.DataFrame({"b": [1]}), pd.Series([1])),
    *(len, np.sin, np.mean, Gain, Gain(1), Gain(2), Gain(1).times, Gain(2).times, make(1), make(3)),
    *(lambda x: x, lambda x: x + 1, lambda x, y=1: x, lambda x, y=2: x, lambda x, *, y=1: x),
    *(functools.partial(round, ndigits=1), functools.partial(round, ndigits=2), np.random.default_rng(1)),
]


def test_every_value_has_its_own():
    prints = [fingerprint(value) for value in DIFFERENT]
    assert len(set(prints)) == len(DIFFERENT)
    assert prints == [fingerprint(value) for value in DIFFERENT]


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (np.float64(1.5), 1.5),
        (make(2), make(2)),
        (Gain(1).times, Gain(1).times),
        (Setting(1.0), Setting(1.0)),
        (functools.partial(round, ndigits=1, number=2.0), functools.partial(round, number=2.0, ndigits=1)),
        (np.arange(4)[::2], np.array([0, 2])),
    ],
)
def test_what_computes_the_same_is_the_same(one, same):
    assert fingerprint(one) == fingerprint(same)


def test_a_value_that_holds_itself_is_told():
    one = [1]
    one.append(one)
    assert fingerprint(one) != fingerprint([1, [1]])


@pytest.mark.parametrize("value", [threading.Lock(), (k for k in range(3)), sys.stdout])
def test_what_cannot_be_told_is_refused(value):
    with pytest.raises(TypeError, match=r"drive\[0\] is .*cannot be told .*: give its numbers instead"):
        fingerprint([value], where="drive")


def test_a_path_counts_with_its_content(tmp_path):
    path = tmp_path / "movie.npy"
    before = fingerprint(path)
    path.write_bytes(b"a")
    first, folder = fingerprint(path), fingerprint(tmp_path)
    path.write_bytes(b"b")
    assert len({before, first, fingerprint(path)}) == 3 and fingerprint(tmp_path) != folder
    path.write_bytes(b"a")
    assert fingerprint(path) == first


# ---------------------------------------------------------------- code: each case was once served the old result

MODULE = """
    from other import offset
    SCALE = {scale}
    def f(seed, x):
        return {{"y": SCALE * x {sign} offset()}}
    def g(seed, x):
        from another import late
        return {{"y": late() * x}}
"""
OTHER = "def offset():\n    return {offset}\n"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's, and another that it imports; a call writes, and imports anew."""
    monkeypatch.syspath_prepend(tmp_path)
    names = ("mine", "other", "another")

    def write(scale=1, sign="+", offset=0, late=1):
        (tmp_path / "mine.py").write_text(textwrap.dedent(MODULE).format(scale=scale, sign=sign))
        (tmp_path / "other.py").write_text(OTHER.format(offset=offset))
        (tmp_path / "another.py").write_text(f"def late():\n    return {late}\n")
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module._places.clear()
        return importlib.import_module("mine")

    yield write
    for name in names:
        sys.modules.pop(name, None)
    module._places.clear()


def answer(function, folder):
    return sweep(function, grid(x=[10.0]), cache=folder)["y"].item()


def test_a_function_defined_again_is_another(tmp_path):
    def f(seed, x):
        return {"y": x}

    assert answer(f, tmp_path) == 10

    def f(seed, x):
        return {"y": 2 * x}

    assert answer(f, tmp_path) == 20


def test_two_lambdas_of_one_line_and_closures(tmp_path):
    one, two = lambda seed, x: {"y": x}, lambda seed, x: {"y": 3 * x}
    assert (answer(one, tmp_path), answer(two, tmp_path)) == (10, 30)

    def scaled(k):
        return lambda seed, x: {"y": k * x}

    assert (answer(scaled(1), tmp_path), answer(scaled(3), tmp_path)) == (10, 30)


def test_methods_of_two_objects(tmp_path):
    class Model:
        def __init__(self, k):
            self.k = k

        def run(self, seed, x):
            return {"y": self.k * x}

    assert (answer(Model(1).run, tmp_path), answer(Model(4).run, tmp_path)) == (10, 40)


def test_a_changed_global_variable(tmp_path, own):
    mine = own()
    assert answer(mine.f, tmp_path / "c") == 10
    mine.SCALE = 5
    assert answer(mine.f, tmp_path / "c") == 50


def test_an_edited_module_and_a_fixed_helper(tmp_path, own):
    assert answer(own().f, tmp_path / "c") == 10
    assert answer(own(scale=2).f, tmp_path / "c") == 20  # edited and loaded again
    assert answer(own(scale=2, sign="-", offset=1).f, tmp_path / "c") == 19
    assert answer(own(scale=2, sign="-", offset=3).f, tmp_path / "c") == 17  # the imported helper
    assert answer(own().f, tmp_path / "c") == 10
    assert answer(own().g, tmp_path / "c") == 10
    assert answer(own(late=7).g, tmp_path / "c") == 70  # imported inside the function


def test_what_a_function_does_not_reach_changes_nothing(own):
    before = fingerprint(own().g)
    assert fingerprint(own(late=1).g) == before
    assert fingerprint(own(offset=9).g) != before or "other" not in reached({"mine"})[0]


# ---------------------------------------------------------------- netlib's own modules


def test_a_function_of_netlib_reaches_what_it_imports_and_no_more():
    sources, libraries = reached({"netlib.tuning.fit"})
    assert {"netlib.tuning.fit", "netlib.base.orientation", "netlib.base.checks"} <= sources.keys()
    assert not sources.keys() & {"netlib.networks.ring", "netlib.figures.style", "netlib.openscope.session"}
    assert {"numpy", "lmfit"} <= libraries.keys() and "json" not in libraries


def test_closures_of_netlib_and_of_libraries_are_told():
    from netlib.networks.kernels import pairwise

    one, two = (pairwise(lambda i, j, k=k: i + j + k, 2, 2).base_value for k in (1, 2))
    assert fingerprint(one) != fingerprint(two)
    cached = functools.wraps(make)(lambda k: make(k))
    assert fingerprint(cached) != fingerprint(make)


def test_names_taken_through_a_face_reach_the_file_behind_it():
    sources, _ = reached({"netlib.tuning.tables"})
    assert "netlib.recordings.recording" in sources  # `from netlib.recordings import Recording`
    assert not sources.keys() & {"netlib.recordings.nwb", "netlib.recordings.simulate"}


COPY = """
import sys
from netlib.base.fingerprint import fingerprint
from netlib.tuning import fit_tuning
print(fingerprint(fit_tuning))
"""


@pytest.mark.parametrize(
    ("edited", "changes"),
    [("tuning/fit.py", True), ("base/orientation.py", True), ("networks/ring.py", False), ("v1/demo.py", False)],
)
def test_an_edit_changes_what_reaches_it(tmp_path, edited, changes):
    import shutil

    shutil.copytree(module._PACKAGE, tmp_path / "netlib", ignore=shutil.ignore_patterns("__pycache__"))

    def told():
        done = subprocess.run([sys.executable, "-c", COPY], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    before = told()
    assert told() == before
    with open(tmp_path / "netlib" / edited, "a") as file:
        file.write("\nNEW = 1\n")
    assert (told() != before) is changes


def test_a_module_edited_after_its_import_is_refused(tmp_path):
    import shutil

    shutil.copytree(module._PACKAGE, tmp_path / "netlib", ignore=shutil.ignore_patterns("__pycache__"))
    code = """
        import importlib, pathlib, time
        from netlib.base.fingerprint import fingerprint
        from netlib.base import orientation
        before = fingerprint(orientation.wrap)
        time.sleep(0.05)
        path = pathlib.Path(orientation.__file__)
        text = path.read_text()
        path.write_text(text.replace("import numpy as np\\n", "import numpy as np\\n\\nEXTRA = 1\\n", 1))
        try:
            fingerprint(orientation.wrap)
        except TypeError as error:
            print("edited after netlib.base.orientation was imported" in str(error))
        print(fingerprint(importlib.reload(orientation).wrap) != before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_versions_of_libraries_count(monkeypatch):
    before = fingerprint(np.mean)
    monkeypatch.setattr(module, "_version", lambda top: "0.0" if top == "numpy" else "")
    assert fingerprint(np.mean) != before


# ---------------------------------------------------------------- what hides


def _attribute(k):
    def f():
        return f.k

    f.k = k
    return f


class Decorator:
    def __init__(self, function, k):
        functools.update_wrapper(self, function)
        self.k = k

    def __call__(self, x):
        return self.k * self.__wrapped__(x)


def _named_as_numpys(k):
    @functools.wraps(np.mean)
    def mean(x):
        return k * np.mean(x)

    return mean


class Named(str):
    __slots__ = ()

    def __repr__(self):
        return "Named"


class Table(dict):
    pass


def _table(k):
    table = Table(a=1)
    table.k = k
    return table


def _more_than_fields(k):
    setting = Setting(1.0)
    object.__setattr__(setting, "k", k)
    return setting


def _executed(k):
    space = {}
    exec(f"class C:\n    def m(self):\n        return {k}", space)
    return space["C"]()


@pytest.mark.parametrize(
    "made",
    [
        _attribute,
        lambda k: Decorator(make(1), k),
        _named_as_numpys,
        lambda k: Named(k),
        lambda k: collections.defaultdict(make(k)),
        _table,
        _more_than_fields,
        _executed,
        lambda k: 10**5000 + k,
        lambda k: re.compile(str(k)),
        lambda k: enum.Flag("Flag", "A B")(k),
    ],
)
def test_what_hides_is_told(made):
    assert fingerprint(made(1)) == fingerprint(made(1)) != fingerprint(made(2))


def test_what_a_module_holds_in_memory_is_told(tmp_path, monkeypatch):
    (tmp_path / "tool_of_mine.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    tool = importlib.import_module("tool_of_mine")

    def outer(x):
        return tool.double(x)

    def inner(x):
        import tool_of_mine

        return tool_of_mine.double(x)

    before = [fingerprint(outer), fingerprint(inner)]
    assert before == [fingerprint(outer), fingerprint(inner)]
    monkeypatch.setattr(tool, "double", make(3))
    assert all(a != b for a, b in zip(before, [fingerprint(outer), fingerprint(inner)], strict=True))


def test_modules_of_packages_and_those_written_later_are_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pack_of_mine").mkdir()
    (tmp_path / "pack_of_mine" / "__init__.py").write_text("")
    (tmp_path / "bare_of_mine").mkdir()  # without __init__.py
    space = {"__name__": "__main__"}
    exec("def f():\n    from pack_of_mine import part\n    return part", space)
    exec("def g():\n    import bare_of_mine.part\n    return 1", space)
    exec("def h():\n    import late_of_mine\n    return 1", space)
    files = ("pack_of_mine/part.py", "bare_of_mine/part.py", "late_of_mine.py")
    for function, file in zip("fgh", files, strict=True):
        fingerprint(space[function])
        found = []
        for text in ("k = 1\n", "k = 22\n"):
            (tmp_path / file).write_text(text)
            importlib.invalidate_caches()
            found.append(fingerprint(space[function]))
        assert found[0] != found[1], file


def test_a_set_in_code_is_the_same_in_every_process():
    code = "from netlib.base.fingerprint import fingerprint; print(fingerprint(lambda x: x in {'a', 'b', 'c', 'd'}))"
    found = {
        subprocess.check_output([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_file_written_again_at_the_same_time_is_another(tmp_path):
    found = []
    for text in "12":
        (tmp_path / "a").write_text(text)
        os.utime(tmp_path / "a", (1e9, 1e9))
        found.append(fingerprint(tmp_path / "a"))
    assert found[0] != found[1]
