"""The project itself: the house, import time, versions, dependencies, notebooks."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import netlib
import netlib.doctor

ROOT = Path(__file__).resolve().parents[1]

# ---------------------------------------------------------------- the house

# A core, in the order in which data flows through it, applications on top, and the skin (docs/architecture.md).
FLOW = ("base", "stimuli", "lgn", "networks", "recordings", "tuning")
BESIDE = ("statistics", "sweep", "theory")  # need base alone
CORE = (*FLOW, *BESIDE, "calcium", "figures")
APPLICATIONS = ("v1", "explore", "striatum", "openscope", "pathways")
SKIN = ("registry", "teaching", "doctor", "cli")
MAY_IMPORT: dict[str, set[str]] = {room: set(FLOW[:place]) for place, room in enumerate(FLOW)}
MAY_IMPORT |= {room: {"base"} for room in BESIDE}
MAY_IMPORT["calcium"] = {*FLOW[: FLOW.index("recordings") + 1], "statistics"}
MAY_IMPORT["figures"] = set(CORE) - {"figures"}
MAY_IMPORT |= {room: set(CORE) for room in APPLICATIONS}
# The skin reaches applications by the folders that are there, never by name.
MAY_IMPORT |= {room: {"base", "sweep", "networks", *SKIN[:place]} for place, room in enumerate(SKIN)}
MAY_IMPORT["__init__"] = set()
#: Lines of code of a function, without its docstring: what fits on a screen.
SCREEN = 65


def imported_modules(path: Path, folder: Path, parts: tuple[str, ...] = ()) -> Iterator[tuple[int, str]]:
    """Every netlib module that a source file imports, at any depth of the code: (line, dotted name)."""
    parts = parts or ("netlib", *path.relative_to(folder).with_suffix("").parts)
    package = parts[:-1]  # of netlib/a/b.py and of netlib/a/__init__.py alike: netlib.a
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            names = [place_of(base, alias.name, folder) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        else:
            continue
        yield from ((node.lineno, name) for name in names if str(name).split(".")[0] == "netlib")


def place_of(module: str, name: str, folder: Path) -> str:
    """Module that ``from module import name`` reaches: through a package's face, the file that defines the name."""
    place = folder.joinpath(*module.split(".")[1:])
    if (place / f"{name}.py").exists() or (place / name).is_dir():
        return f"{module}.{name}"
    face = place / "__init__.py"
    for node in ast.walk(ast.parse(face.read_text(encoding="utf-8"))) if face.exists() else ():
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            return place_of(node.module, name, folder)
        if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):  # of a lazy face
            for key, value in zip(node.keys, node.values, strict=True):
                if name in {constant.value for constant in ast.walk(value) if isinstance(constant, ast.Constant)}:
                    return f"{module}.{key.value}"
    return module


def wrong_imports(folder: Path) -> list[str]:
    """One line for every import in the package at ``folder`` that points the wrong way."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        room = relative.parts[0].removesuffix(".py")
        if room not in MAY_IMPORT:
            found.append(f"netlib/{relative}: room {room!r} has no place in the house")
            continue
        for line, name in imported_modules(path, folder):
            target, *_ = name.split(".")[1:] or [room]
            if target != room and target not in MAY_IMPORT[room]:
                found.append(f"netlib/{relative}:{line}: {room} may not import {target}")
    return found


def circles(folder: Path) -> list[list[str]]:
    """Groups of files of the package at ``folder`` that import each other in a circle."""
    house = networkx.DiGraph()
    for path in folder.rglob("*.py"):
        name = ".".join(("netlib", *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        if path.name != "__init__.py":  # a face hands on names, and computes nothing
            house.add_edges_from((name, target) for _, target in imported_modules(path, folder))
    return [sorted(group) for group in networkx.strongly_connected_components(house) if len(group) > 1]


def test_imports_follow_the_arrows():
    assert wrong_imports(ROOT / "netlib") == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(ROOT / "netlib") == []


def test_tests_stand_beside_their_subject():
    """Tests of the core import the core, those of an application the core, that application and the skin."""
    wrong = []
    for path in sorted(ROOT.glob("tests/*/*.py")):
        room = path.parent.name
        allowed = {*CORE, room, *(SKIN if room != "core" else ())}
        for line, name in imported_modules(path, ROOT / "netlib", parts=("tests",)):
            target, *_ = name.split(".")[1:] or ["base"]
            if target not in allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: imports netlib.{target}")
    assert wrong == []


def make_rooms(tmp_path: Path, *rooms: str) -> Path:
    folder = tmp_path / "netlib"
    for room in rooms:
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").touch()
    return folder


@pytest.mark.parametrize(
    ("file", "code", "expected"),
    [
        ("lgn/filters.py", "from netlib.networks import ring", "lgn may not import networks"),
        ("networks/ring.py", "def f():\n    from netlib.tuning import fit", "networks may not import tuning"),
        ("networks/ring.py", "from ..figures import raster", "networks may not import figures"),
        ("networks/ring.py", "from .. import tuning", "networks may not import tuning"),
        ("tuning/fit.py", "import netlib.figures.style", "tuning may not import figures"),
        ("statistics/mice.py", "from netlib import tuning", "statistics may not import tuning"),
        ("stimuli/movie.py", "import importlib\nimportlib.import_module('netlib.cli')", "stimuli may not import cli"),
        ("figures/net.py", "from netlib.v1 import demo", "figures may not import v1"),
        ("pathways/claims.py", "from netlib.openscope.session import Session", "pathways may not import openscope"),
        ("cli.py", "from netlib.v1.command import demo", "cli may not import v1"),
        ("__init__.py", "import netlib.stimuli", "__init__ may not import stimuli"),
        ("cellar/a.py", "", "has no place"),
    ],
)
def test_a_planted_wrong_import_is_found(tmp_path, file, code, expected):
    folder = make_rooms(tmp_path, *CORE, *APPLICATIONS)
    (folder / "tuning/good.py").write_text(
        "from netlib.stimuli.protocol import Protocol\nfrom netlib.base.checks import check_number\nimport netlib\n"
        "from netlib import recordings\nfrom . import other\nimport numpy\n"
    )
    assert wrong_imports(folder) == []
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(code)
    found = wrong_imports(folder)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize("face", ["from netlib.lgn.b import g\n", "A = attach(__name__, submod_attrs={'b': ['g']})\n"])
def test_a_planted_circle_is_found_also_through_a_face(tmp_path, face):
    folder = make_rooms(tmp_path, "lgn")
    (folder / "lgn/__init__.py").write_text(face)
    (folder / "lgn/a.py").write_text("from netlib.lgn import g\n")
    (folder / "lgn/b.py").write_text("import numpy\n")
    assert circles(folder) == []
    (folder / "lgn/b.py").write_text("def g():\n    from netlib.lgn.a import f\n")
    assert circles(folder) == [["netlib.lgn.a", "netlib.lgn.b"]]


IMPORT_ALL = """
import importlib, pkgutil, netlib, netlib.cli
names = [module.name for module in pkgutil.walk_packages(netlib.__path__, "netlib.")]
for name in names:
    importlib.import_module(name)
print(len(names), *(command.name for command in netlib.cli.app.registered_groups))
"""


@pytest.mark.parametrize("gone", APPLICATIONS)
def test_without_an_application_the_rest_imports_and_its_tests_are_found(tmp_path, gone):
    for part in ("netlib", "tests", "FINAL_notebooks/results", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    shutil.rmtree(tmp_path / "netlib" / gone)
    shutil.rmtree(tmp_path / "tests" / gone)
    there = [str(path) for path in (tmp_path / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"]
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *there]
    for command in ([sys.executable, "-c", IMPORT_ALL], collect):
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        if command is not collect:
            assert gone not in done.stdout.split() and int(done.stdout.split()[0]) > 100


def function_lengths(path: Path) -> Iterator[tuple[str, int]]:
    """Lines of code of each function of a file, without its docstring, comments and blank lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            start = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno - 1
            code = [
                line for line in lines[start : node.end_lineno] if line.strip() and not line.strip().startswith("#")
            ]
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", len(code)


def test_functions_fit_on_a_screen():
    lengths = dict(pair for path in ROOT.glob("netlib/**/*.py") for pair in function_lengths(path))
    assert len(lengths) > 1000
    assert {name: n for name, n in lengths.items() if n > SCREEN} == {}


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
    assert netlib.tuning.__name__ == "netlib.tuning"
    assert "networks" in dir(netlib)
    with pytest.raises(AttributeError, match="newtorks"):
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


def test_what_is_imported_is_declared():
    """Every library that netlib imports, anywhere in its code, is a dependency or in an extra by its own name."""
    homes = importlib.metadata.packages_distributions()
    declared = direct().keys() | BUILT_BY_HAND
    found = {}
    for path in ROOT.glob("netlib/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            found |= {name.partition(".")[0]: path.relative_to(ROOT) for name in names}
    foreign = found.keys() - sys.stdlib_module_names - {"netlib"}
    assert len(foreign) > 20
    assert {
        top: found[top] for top in foreign if not {canonicalize_name(d) for d in homes.get(top, [top])} & declared
    } == {}


def test_every_instruction_installs_this_project():
    """`netlib` on PyPI is another project: whatever a page or a message tells to install must be ours."""
    told, wrong = 0, []
    files = [
        *ROOT.glob("netlib/**/*.py"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("FINAL_notebooks/*.ipynb"),
    ]
    for path in [
        *files,
        *ROOT.glob("dev/*"),
        ROOT / "environment.yml",
        *ROOT.glob(".binder/*"),
        *ROOT.glob(".devcontainer/*"),
    ]:
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            for name in re.findall(r"(?:pip3?|uv|pipx|mamba|conda) (?:install|add)[^|;&]*?[ '\"](netlib[\w-]*)", line):
                told += 1
                wrong += [] if name == PROJECT["name"] == "netlib-v1" else [f"{path.relative_to(ROOT)}: {line.strip()}"]
    assert wrong == [] and told > 10
    assert PROJECT["name"] == netlib.doctor.DISTRIBUTION


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
