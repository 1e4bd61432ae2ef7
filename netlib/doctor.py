"""The command ``netlib doctor``: what is installed, which simulators work, and what to do about the rest."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

import netlib
from netlib.base.checks import check_choice, check_number
from netlib.base.command import refused

__all__ = ["doctor", "examine", "run_simulator", "to_text"]

#: What pip calls this package: on PyPI `netlib` is another project.
DISTRIBUTION = "netlib-v1"
#: Engines that are run, and what each needs beyond what is in the core.
ENGINES = {
    "nest": "pip install 'nest-simulator==3.10.0'",
    "compiled": "pip install 'numba>=0.62'",
    "brian2": "pip install 'netlib-v1[brian2]'",
    "neuron": "pip install 'netlib-v1[neuron]'; it also needs C and C++ compilers and make",
}
#: The engines without which netlib is broken.
CORE_ENGINES = ("nest", "compiled")
#: Ten milliseconds of a ring of a few cells, in a process of its own: a simulator that crashes takes nothing along.
_PROGRAM = """
from netlib.networks import preset, set_values
from netlib.recordings import record_ring
from netlib.stimuli import Grating, Protocol
small = set_values(preset("internship2019_final"), {name: 6 for name in ("n_excitatory", "n_inhibitory", "n_input")})
shown = Protocol.sequence([Grating()], duration=10.0, lead=0.0, gap=0.0)
print(record_ring(small, shown, seed=1, backend=BACKEND).duration)
"""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Extras that pip cannot build by itself.
_BY_HAND = {"loggabor": "make loggabor BIN={bin}  (from a checkout of netlib; these packages build from source)"}


def examine(engines: tuple[str, ...] = tuple(ENGINES), timeout: float = 300.0) -> dict[str, Any]:
    """Look at the installation: versions, extras, simulators, compiler, caches, notebooks, browser.

    Parameters
    ----------
    engines : tuple of str
        Those to run for 10 ms, each in a process of its own: of "nest", "compiled", "brian2", "neuron".
    timeout : float
        Longest time that each may take (s). NEURON compiles its mechanisms at its first run: half a minute.

    Returns
    -------
    dict
        ``core_works``: whether Python, the packages of the core, NEST and the compiled engine are in order (of the
        engines, those that were run); ``todo``: what to do, in words; and one entry for each thing looked at.

    Raises
    ------
    ValueError
        If an engine is unknown.

    Examples
    --------
    >>> found = examine(engines=())
    >>> found["python"]["supported"], sorted(found["packages"]["core"])[:2]
    (True, ['MotionClouds', 'PyNN'])
    """
    check_number("timeout", timeout, "s", 0, low_open=True)
    for engine in engines:
        check_choice("engine", engine, ENGINES)
    found: dict[str, Any] = {
        "netlib": {"version": netlib.__version__, "folder": str(Path(netlib.__file__).parent)},
        "python": _python(),
        "packages": _packages(),
        "simulators": {engine: run_simulator(engine, timeout) for engine in engines},
        "compiler": _compiler(),
        "caches": _caches(),
        "notebook_kernel": _kernel(),
        "browser": next((path for path in map(shutil.which, _BROWSERS) if path), None),
    }
    broken = [name for name in CORE_ENGINES if name in engines and not found["simulators"][name]["works"]]
    core = found["packages"]["core"]
    found["core_works"] = found["python"]["supported"] and not broken and all(p["fits"] for p in core.values())
    found["todo"] = _todo(found)
    return found


def run_simulator(engine: str, timeout: float = 300.0) -> dict[str, Any]:
    """Run 10 ms of a small ring with an engine, in a process of its own.

    Returns
    -------
    dict
        ``works``; ``seconds``: wall time of the process; ``error``: its last line where it failed, else "".
    """
    check_choice("engine", engine, ENGINES)
    start = time.perf_counter()
    program = f"BACKEND = {engine!r}\n{_PROGRAM}"
    try:
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=timeout, check=False
        )
        works = ran.returncode == 0 and ran.stdout.strip().endswith("10.0")
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        error = "" if works else (said[-1] if said else f"ended with status {ran.returncode} and said nothing")
    except subprocess.TimeoutExpired:
        works, error = False, f"did not end within {timeout:g} s"
    return {"works": works, "seconds": round(time.perf_counter() - start, 2), "error": error}


def _python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "supported": (3, 11) <= sys.version_info[:2] <= (3, 13),
    }


def _packages() -> dict[str, dict[str, dict[str, Any]]]:
    """What netlib asks for, the core and each extra: wanted range, installed version, whether it fits."""
    from packaging.requirements import Requirement

    groups: dict[str, dict[str, dict[str, Any]]] = {"core": {}}
    for group, lines in _requirements().items():
        for requirement in map(Requirement, lines):
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": group})
            if applies and requirement.name != DISTRIBUTION:  # the extra `all` is the others together
                groups.setdefault(group, {})[requirement.name] = _installed(requirement)
    return groups


def _requirements() -> dict[str, list[str]]:
    """Requirements of the core and of each extra: of the checkout, where there is one, else as installed."""
    from importlib import metadata  # the command starts with this file, and this is its slowest import

    checkout = Path(netlib.__file__).parents[1] / "pyproject.toml"
    if checkout.is_file():  # what was installed may be older
        project = tomllib.loads(checkout.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:
            return {"core": project["dependencies"], **project["optional-dependencies"]}
    groups: dict[str, list[str]] = {"core": []}
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        lines = []
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        groups.setdefault(extra[1] if extra else "core", []).append(line)
    return groups


def _installed(requirement: Any) -> dict[str, Any]:
    from importlib import metadata

    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        version = None
    fits = version is not None and requirement.specifier.contains(version, prereleases=True)
    return {"wanted": str(requirement.specifier), "installed": version, "fits": fits}


def _compiler() -> str | None:
    """First line of what the C++ compiler says of itself, None where there is none."""
    for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        path = shutil.which(name) if name else None
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
            return said[0] if said else path
    return None


def _caches() -> dict[str, dict[str, Any]]:
    """Folders of kept results and kept machine code, with their sizes (MB)."""
    package = Path(netlib.__file__).parent
    kept = os.environ.get("NUMBA_CACHE_DIR")
    code = [f for f in Path(kept or package).rglob("*.nb[ci]") if f.is_file()]
    sweep = Path("netlib_cache").resolve()
    results = [f for f in sweep.rglob("*") if f.is_file()] if sweep.is_dir() else []
    return {
        "machine code": {"folder": str(kept or package), "files": len(code), "MB": _megabytes(code)},
        "sweeps": {"folder": str(sweep), "files": len(results), "MB": _megabytes(results)},
    }


def _megabytes(files: list[Path]) -> float:
    return round(sum(f.stat().st_size for f in files) / 1e6, 2)


def _kernel() -> str | None:
    """Name of a Jupyter kernel that runs this Python, None where there is none."""
    if not all(importlib.util.find_spec(name) for name in ("ipykernel", "jupyter_client")):
        return None
    from jupyter_client.kernelspec import KernelSpecManager

    for name, spec in KernelSpecManager().get_all_specs().items():
        program = spec["spec"]["argv"][0]
        ours = re.fullmatch(r"python[\d.]*", program) is not None  # Jupyter then takes the Python that it runs on
        if ours or Path(program).absolute() == Path(sys.executable).absolute():
            return name
    return None


def _todo(found: dict[str, Any]) -> list[str]:
    """What to do, the most important first."""
    todo = []
    if not found["python"]["supported"]:
        todo.append("Python 3.11, 3.12 or 3.13 is needed (NEST has wheels for these): make demo PYTHON=/path/to/python")
    if not found["packages"]["core"]:
        todo.append("netlib is not installed, only found in a folder: install it with pip (or: make demo)")
    for name, package in found["packages"]["core"].items():
        if not package["fits"]:
            todo.append(f"{name} {package['installed'] or 'is missing'}: pip install '{name}{package['wanted']}'")
    for name, ran in found["simulators"].items():
        if not ran["works"]:
            todo.append(f"{name} does not run ({ran['error']}): {ENGINES[name]}")
    for extra, packages in found["packages"].items():
        missing = [name for name, package in packages.items() if not package["fits"]]
        if missing and extra != "core":
            by_hand = _BY_HAND.get(extra, f"pip install 'netlib-v1[{extra}]'").format(bin=Path(sys.executable).parent)
            todo.append(f"extra {extra} lacks {', '.join(missing)}: {by_hand}")
    if found["compiler"] is None:
        todo.append("no C++ compiler, which NEURON needs: on Debian or Ubuntu: apt install build-essential")
    if found["notebook_kernel"] is None:
        todo.append("no notebook kernel runs this Python: pip install 'netlib-v1[notebooks]'")
    return todo


def to_text(found: dict[str, Any]) -> str:
    """What :func:`examine` found, as lines to read."""
    python = found["python"]
    lines = [
        f"netlib     {found['netlib']['version']} in {found['netlib']['folder']}",
        f"Python     {python['version']} at {python['executable']}",
        f"platform   {python['platform']}, {python['cores']} cores",
    ]
    for group, packages in found["packages"].items():
        names = [f"{name} {p['installed'] or 'MISSING'}{_doubt(p)}" for name, p in sorted(packages.items())]
        lines.append(_wrapped(group, names))
    for engine, ran in found["simulators"].items():
        said = f"ran 10 ms of a small ring ({ran['seconds']:.1f} s)" if ran["works"] else f"FAILS: {ran['error']}"
        lines.append(f"{engine:10} {said}")
    lines.append(f"compiler   {found['compiler'] or 'none'}")
    for name, cache in found["caches"].items():
        lines.append(f"cache      {name}: {cache['files']} files, {cache['MB']:g} MB in {cache['folder']}")
    lines += [f"kernel     {found['notebook_kernel'] or 'none'}", f"browser    {found['browser'] or 'none'}", ""]
    lines.append("netlib works." if found["core_works"] else "netlib does NOT work: see below.")
    return "\n".join(lines + [f"- {what}" for what in found["todo"]])


def _doubt(package: dict[str, Any]) -> str:
    return "" if package["fits"] or package["installed"] is None else f" (wanted {package['wanted']})"


def _wrapped(group: str, names: list[str]) -> str:
    return textwrap.fill(", ".join(names), 110, initial_indent=f"{group:10} ", subsequent_indent=" " * 11)


def doctor(
    json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")] = False,
    engine: Annotated[
        list[str] | None, typer.Option("--engine", help="Run this engine only; may be repeated. Default: all.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Longest time for each simulator (s).")] = 300.0,
) -> None:
    """What is installed, which simulators work, and what to do about the rest. Exit status 1 if the core is broken."""
    with refused(ValueError, TypeError):
        found = examine(tuple(engine or ENGINES), timeout)
    typer.echo(json.dumps(found, indent=2) if json_ else to_text(found))
    raise typer.Exit(0 if found["core_works"] else 1)
