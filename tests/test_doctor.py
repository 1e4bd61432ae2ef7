"""netlib doctor: it sees what is there, what is missing and what is broken, and says what to do."""

import importlib.metadata
import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from netlib import doctor

FINE = {"works": True, "seconds": 1.0, "error": ""}


def run(*arguments: str):
    app = typer.Typer()
    app.command()(doctor.doctor)
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def quick(monkeypatch):
    """No simulator is started; the test may set what each says."""
    said = dict.fromkeys(doctor.ENGINES, FINE)
    monkeypatch.setattr(doctor, "run_simulator", lambda engine, timeout: said[engine])
    return said


def test_a_complete_installation(quick):
    result = run()
    assert result.exit_code == 0, result.output
    assert "netlib works." in result.output
    for engine in doctor.ENGINES:
        assert f"{engine:10} ran 10 ms" in result.output
    assert importlib.metadata.version("numpy") in result.output


def test_json_is_what_examine_found(quick):
    result = run("--json")
    found = json.loads(result.output)
    assert found["core_works"] is True
    assert found["packages"]["core"]["PyNN"]["installed"] == importlib.metadata.version("PyNN")
    assert {"brian2", "neuron", "notebooks", "loggabor"} <= found["packages"].keys()
    assert found["caches"].keys() == {"machine code", "sweeps"}
    assert found == json.loads(json.dumps(doctor.examine()))


def test_a_broken_nest_is_a_broken_core(quick):
    quick["nest"] = {"works": False, "seconds": 0.1, "error": "ImportError: libgsl.so"}
    result = run()
    assert result.exit_code == 1
    assert "netlib does NOT work" in result.output
    assert "nest does not run (ImportError: libgsl.so): pip install 'nest-simulator" in result.output


def test_a_broken_extra_is_not(quick):
    quick["neuron"] = {"works": False, "seconds": 0.1, "error": "no C++ compiler"}
    result = run()
    assert result.exit_code == 0
    assert "neuron does not run (no C++ compiler): pip install 'netlib-v1[neuron]'" in result.output


def test_missing_packages_are_named_with_the_command(quick, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name in ("Brian2", "lmfit", "LogGabor"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "scipy" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    result = run()
    assert result.exit_code == 1
    text = " ".join(result.output.split())
    assert "lmfit is missing: pip install 'lmfit>=" in text
    assert "scipy 0.1: pip install 'scipy>=" in text
    assert "extra brian2 lacks Brian2: pip install 'netlib-v1[brian2]'" in text
    assert "extra loggabor lacks LogGabor: make loggabor BIN=" in text


def test_requirements_of_an_installation_without_its_checkout(tmp_path, monkeypatch):
    lines = ["numpy>=2", 'Brian2>=2.9; extra == "brian2"', 'numpy<1; python_version < "3" and extra == "brian2"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    monkeypatch.setattr(doctor.netlib, "__file__", str(tmp_path / "netlib" / "__init__.py"))
    packages = doctor._packages()
    assert packages.keys() == {"core", "brian2"}
    assert packages["core"]["numpy"]["fits"]
    assert packages["brian2"].keys() == {"Brian2"}  # the other line is for another Python


def test_compiler_kernel_and_browser_may_be_missing(quick, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "_kernel", lambda: None)
    found = doctor.examine()
    assert found["compiler"] is None
    assert found["browser"] is None
    assert found["core_works"]
    assert any("apt install build-essential" in line for line in found["todo"])
    assert any("netlib-v1[notebooks]" in line for line in found["todo"])


def test_bad_input_is_one_line():
    result = run("--engine", "nst")
    assert result.exit_code == 2
    assert "did you mean 'nest'" in result.stderr
    assert run("--timeout", "-1").exit_code == 2


def test_a_simulator_really_runs():
    ran = doctor.run_simulator("nest")
    assert ran["works"], ran["error"]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("raise ImportError('libgsl.so is missing')", "ImportError: libgsl.so is missing"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with status -11 and said nothing"),
        ("print('nothing ran')", "nothing ran"),
        ("import time; time.sleep(60)", "did not end within 0.5 s"),
    ],
)
def test_a_simulator_that_fails_is_reported(monkeypatch, program, error):
    monkeypatch.setattr(doctor, "_PROGRAM", program)
    timeout = 0.5 if "sleep" in program else 60.0
    ran = doctor.run_simulator("compiled", timeout)
    assert not ran["works"]
    assert ran["error"] == error


@pytest.mark.parametrize("module", ["netlib.doctor", "netlib.cli"])
def test_the_command_starts_without_what_is_heavy(module):
    heavy = {"nest", "pyNN", "brian2", "numba", "matplotlib", "scipy", "pandas", "panel", "lmfit", "sklearn"}
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
