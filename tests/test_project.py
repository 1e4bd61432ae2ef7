"""The project itself: import arrows, module sizes, import time, versions, dependencies, notebooks."""

import ast
import json
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import netlib

ROOT = Path(__file__).resolve().parents[1]

# ---------------------------------------------------------------- import arrows

# Data flows from left to right; a room imports only rooms to its left.
ROOMS = (
    *("units", "orientation", "seeds", "provenance", "refusals"),
    *("stimuli", "lgn", "networks", "recordings", "analysis", "experiments", "figures"),
    *("openscope", "report", "imaging", "teaching", "explore", "doctor", "demo", "cli"),
)
BASE = ROOMS[:5]
MAY_IMPORT = {room: set(ROOMS[:place]) for place, room in enumerate(ROOMS)}
# Analysis does not know where a recording came from.
MAY_IMPORT["analysis"] -= {"lgn", "networks"}
# Rooms beside the line: striatum and theory have engines of their own, sweep runs any function it is handed.
MAY_IMPORT["striatum"] = {*BASE, "stimuli", "lgn", "networks", "recordings", "analysis"}
MAY_IMPORT["theory"] = {*BASE}
MAY_IMPORT["sweep"] = {*BASE}
MAY_IMPORT["figures"] -= {"experiments"}
for _room in ROOMS[ROOMS.index("experiments") :]:
    MAY_IMPORT[_room] |= {"striatum", "theory"}
for _room in ("experiments", *ROOMS[ROOMS.index("report") :]):
    MAY_IMPORT[_room] |= {"sweep"}
# Of these rooms only some modules: figures draw a network from its parameters, they never build one.
ONLY_MODULES = {("analysis", "stimuli"): {"protocol"}, ("figures", "networks"): {"parameters", "presets", "kernels"}}


def imported_modules(path: Path, folder: Path) -> Iterator[tuple[int, str]]:
    """Every netlib module that a source file imports, at any depth of the code: (line, dotted name)."""
    parts = ("netlib", *path.relative_to(folder).with_suffix("").parts)
    package = parts[:-1]  # of netlib/a/b.py and of netlib/a/__init__.py alike: netlib.a
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            names = []
            for alias in node.names:  # of `from netlib.stimuli import protocol, Movie` the first is a module
                place = folder.joinpath(*base.split(".")[1:], alias.name)
                is_module = place.with_suffix(".py").exists() or place.is_dir()
                names.append(f"{base}.{alias.name}" if is_module else base)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        else:
            continue
        yield from ((node.lineno, name) for name in names if str(name).split(".")[0] == "netlib")


def wrong_imports(folder: Path) -> list[str]:
    """One line for every import in the package at ``folder`` that points the wrong way."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        room = relative.parts[0].removesuffix(".py")
        if relative.parts == ("__init__.py",):
            room = "__init__"
        elif room not in MAY_IMPORT:
            found.append(f"netlib/{relative}: room {room!r} has no place in the order of rooms")
            continue
        for line, name in imported_modules(path, folder):
            target, *inner = name.split(".")[1:] or [room]
            only = ONLY_MODULES.get((room, target))
            if target != room and target not in MAY_IMPORT.get(room, ()):
                found.append(f"netlib/{relative}:{line}: {room} may not import {target}")
            elif only and (inner[:1] or [""])[0] not in only:
                modules = ", ".join(f"netlib.{target}.{m}" for m in sorted(only))
                found.append(f"netlib/{relative}:{line}: of {target}, {room} may import only {modules}; not {name}")
    return found


def test_imports_follow_the_arrows():
    assert wrong_imports(ROOT / "netlib") == []


def test_rooms_have_no_cycle():
    left = dict(MAY_IMPORT)
    while left:
        free = [room for room, needs in left.items() if not needs & left.keys()]
        assert free, f"a cycle among {sorted(left)}"
        for room in free:
            del left[room]


@pytest.mark.parametrize(
    ("file", "code", "expected"),
    [
        ("lgn/filters.py", "from netlib.networks import ring", "lgn may not import networks"),
        ("networks/ring.py", "def f():\n    from netlib.tuning import fit", "networks may not import analysis"),
        ("networks/ring.py", "from ..figures import raster", "networks may not import figures"),
        ("networks/ring.py", "from .. import analysis", "networks may not import analysis"),
        ("analysis/tuning.py", "import netlib.networks.ring", "analysis may not import networks"),
        ("analysis/tuning.py", "from netlib import lgn", "analysis may not import lgn"),
        ("analysis/tuning.py", "from netlib.stimuli import Grating", "only netlib.stimuli.protocol"),
        ("stimuli/movie.py", "import importlib\nimportlib.import_module('netlib.cli')", "stimuli may not import cli"),
        ("figures/net.py", "from netlib.networks.ring import Ring", "of networks, figures may import only"),
        ("__init__.py", "import netlib.stimuli", "__init__ may not import stimuli"),
        ("cellar/a.py", "", "has no place"),
    ],
)
def test_a_planted_wrong_import_is_found(tmp_path, file, code, expected):
    folder = tmp_path / "netlib"
    for room in ("stimuli", "lgn", "networks", "analysis", "figures"):
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").touch()
    (folder / "analysis/good.py").write_text(
        "from netlib.stimuli.protocol import Protocol\nfrom netlib.base.checks import check_number\nimport netlib\n"
        "from netlib import recordings\nfrom . import other\nimport numpy\n"
    )
    assert wrong_imports(folder) == []
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(code)
    found = wrong_imports(folder)
    assert len(found) == 1
    assert expected in found[0]


def test_modules_are_short():
    paths = list(ROOT.glob("netlib/**/*.py"))
    assert paths
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: n for path, n in lengths.items() if n > 400} == {}


# ---------------------------------------------------------------- import


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def best_time(code: str, repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run_python(code)
        times.append(time.perf_counter() - start)
    return min(times)


def test_import_is_light():
    heavy = {"nest", "pyNN", "brian2", "neuron", "matplotlib", "scipy", "skimage", "LogGabor"}
    result = run_python("import sys, netlib; print(*{m.split('.')[0] for m in sys.modules})")
    assert result.returncode == 0, result.stderr
    assert heavy & set(result.stdout.split()) == set()
    assert best_time("import netlib") - best_time("pass") < 0.3


def test_rooms_are_reached_by_name():
    assert netlib.base.orientation.wrap(190.0) == 10.0
    assert "networks" in dir(netlib)
    with pytest.raises(AttributeError, match="no attribute 'newtorks'"):
        _ = netlib.newtorks


def test_nest_is_there():
    """Without NEST nothing here works: a failure, not a skip."""
    result = run_python("import nest, pyNN.nest; assert 'iaf_cond_exp' in nest.node_models")
    assert result.returncode == 0, f"NEST or PyNN is missing or broken; run `make test` or see README:\n{result.stderr}"


# ---------------------------------------------------------------- versions and dependencies

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
BUILT_BY_HAND = {canonicalize_name(Requirement(r).name) for r in EXTRAS["loggabor"]}  # no room for them in conda's file
CONDA_NAMES = {"python-neo": "neo"}  # conda-forge's name: PyPI's name
CONDA_ONLY = {"python", "pip", "setuptools", "wheel"}


def requirements(lines: list[str], python: str = "3.12") -> dict[str, SpecifierSet]:
    """The requirements that hold on one version of Python: {canonical name: version range}."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    parsed = [Requirement(line) for line in lines]
    chosen = [r for r in parsed if r.marker is None or r.marker.evaluate(environment)]
    return {canonicalize_name(r.name): r.specifier for r in chosen}


def direct(python: str = "3.12") -> dict[str, SpecifierSet]:
    extras = [line for name, lines in EXTRAS.items() if name != "all" for line in lines]
    return requirements(PROJECT["dependencies"], python) | {
        name: spec & requirements(PROJECT["dependencies"], python).get(name, SpecifierSet())
        for name, spec in requirements(extras, python).items()
    }


def constraints(python: str = "3.12") -> dict[str, SpecifierSet]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return requirements([line for line in lines if line and not line.startswith("#")], python)


def conda_requirements() -> dict[str, SpecifierSet]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip_entries,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    # conda's `name=1.2` is pip's `name==1.2.*`
    plain = [re.sub(r"^([\w-]+)=([\d.]+)$", r"\1==\2.*", e) for e in entries if isinstance(e, str)]
    found = requirements(plain + pip_entries)
    return {CONDA_NAMES.get(name, name): spec for name, spec in found.items()}


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = re.search(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation["version"] == netlib.__version__
    assert changelog
    assert changelog[1] == netlib.__version__
    assert "version" in PROJECT["dynamic"], "pyproject.toml takes its version from netlib.__version__"
    assert citation["license"] == PROJECT["license"] == "GPL-2.0-or-later"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_constraints_pin_every_direct_dependency(python):
    pins = constraints(python)
    for name, spec in direct(python).items():
        assert name in pins, f"constraints.txt has no {name} for Python {python}"
        (pin,) = pins[name]
        assert pin.operator == "=="
        assert spec.contains(pin.version), f"{name}=={pin.version} in constraints.txt is outside {spec}"


def test_conda_environment_agrees_with_pyproject():
    conda = conda_requirements()
    wanted = {name: spec for name, spec in direct().items() if name not in BUILT_BY_HAND}
    assert conda.keys() - CONDA_ONLY == wanted.keys()
    for name, spec in wanted.items():
        assert conda[name] == spec, f"{name}: {conda[name]} in environment.yml, {spec} in pyproject.toml"
    (python,) = conda["python"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.version.removesuffix(".*"))
    assert "make loggabor" in (ROOT / "environment.yml").read_text(encoding="utf-8")


def test_all_holds_every_extra_that_pip_can_install():
    (line,) = EXTRAS["all"]
    assert Requirement(line).extras == EXTRAS.keys() - {"all", "loggabor"}


def test_pre_commit_uses_the_pinned_tools():
    pins = constraints()
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    tools = re.findall(r'"([\w-]+)==([\w.]+)"', text)
    assert {name for name, _ in tools} == {"ruff", "nbstripout"}
    for name, version in tools:
        assert str(pins[name]) == f"=={version}"


# ---------------------------------------------------------------- notebooks

NOTEBOOKS = sorted(ROOT.glob("FINAL_notebooks/FINAL_*.ipynb"))


def code_without_magics(cell: dict) -> str:
    lines = "".join(cell["source"]).splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    text = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    stored = [n for n, cell in enumerate(code, start=1) if cell["outputs"] or cell["execution_count"] is not None]
    assert stored == [], f"code cells with stored outputs or counts: {stored}; run `make format`"
    for cell in code:
        for node in ast.walk(ast.parse(code_without_magics(cell))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= 10, f"{node.name} has {length} lines: it belongs in netlib"
    assert cells[0]["cell_type"] == "markdown"
    assert any("learning objectives" in t.lower() for t in text[:2]), "no learning objectives at the start"
    assert any(re.search(r"^#+ .*Exercises", t, re.MULTILINE) for t in text), "no section called Exercises"
