"""Compile the mechanisms that PyNN's cells need in NEURON, once per installation."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

__all__ = ["compile_mechanisms", "missing_tools"]


def missing_tools() -> list[str]:
    """What of the C compiler, the C++ compiler and make cannot be found; NEURON's ``nrnivmodl`` runs all three.

    Compilers are those of the environment variables CC and CXX, else those that Python was built with.
    """
    tools = {name: os.environ.get(name) or sysconfig.get_config_var(name) or "" for name in ("CC", "CXX")}
    kinds = {"C compiler": tools["CC"], "C++ compiler": tools["CXX"], "make": "make"}
    return [f"{kind} ({tool})" for kind, tool in kinds.items() if not shutil.which((tool.split() or ["?"])[0])]


def compile_mechanisms(folder: Path | None = None) -> None:
    """Run ``nrnivmodl`` in PyNN's folder of mechanisms unless that was done: half a minute.

    PyNN 0.13 does so itself at its first import, but only where ``nrnivmodl`` is on the PATH, without a reason when
    it fails, and two processes at a time would disturb each other: here the second waits for the first.

    Parameters
    ----------
    folder : Path, optional
        Folder of ``.mod`` files; by default PyNN's own.

    Raises
    ------
    ImportError
        If PyNN, NEURON or a compiler is missing, or the compilation fails; the message says which.
    """
    if folder is None:
        pynn = importlib.util.find_spec("pyNN")
        if pynn is None:
            raise ImportError("PyNN is not installed")
        folder = Path(pynn.origin).parent / "neuron" / "nmodl"
    if _done(folder):
        return
    program = shutil.which("nrnivmodl", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))
    if program is None:
        raise ImportError("NEURON is not installed: its program nrnivmodl is not found")
    missing = missing_tools()
    if missing:
        raise ImportError(
            f"NEURON must compile PyNN's mechanisms once, and there is no {' and no '.join(missing)}. "
            "On Debian or Ubuntu: apt install build-essential"
        )
    try:
        with open(folder / "compile.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _done(folder):
                ran = subprocess.run([program], cwd=folder, capture_output=True, text=True, check=False)
                if ran.returncode or not _done(folder):
                    said = "\n".join((ran.stdout + ran.stderr).splitlines()[-15:])
                    raise ImportError(f"nrnivmodl failed on PyNN's mechanisms in {folder}:\n{said}")
    except OSError as error:
        raise ImportError(f"PyNN's mechanisms cannot be compiled in {folder}: {error}") from error


def _done(folder: Path) -> bool:
    """Whether there is what nrnivmodl makes last, its program ``special``, in the folder of an architecture."""
    return any(folder.glob("*/special"))
