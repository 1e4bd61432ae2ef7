"""Does a change of the code change a result? Compute many on two checkouts, and compare what came out.

    python dev/compare_results.py make FOLDER           # on the checkout that this script stands in
    python dev/compare_results.py compare BEFORE AFTER  # exit status 1 if anything differs

`make` executes six notebooks and runs the commands below, one process at a time, and writes every number that they
give to text files in FOLDER: what cells print, tables whole, large arrays and pictures by their SHA-256. It knows
nothing of modules inside netlib, so that it can be run before and after they move. It asks for equality to the last
bit, which two runs of the same code on one machine reach; on two machines expect differences of rounding. It takes
about six minutes of one processor; what fails is noted in the text, and the exit status is then 1.

Left out, as no result: standard error (warnings, progress bars), report.html and SVG pictures (their numbers are in
the tables; SVG has dates and random ids), and the keys and data sets named in NOT_RESULTS. Times, addresses, paths and
the modules of classes in printed text are replaced by a word, because they differ from run to run or after a move.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

# Core and stimuli; the V1 ring; theory; striatum; two-photon; pathways.
NOTEBOOKS = ("FINAL_1_*", "FINAL_3_*", "FINAL_9_*", "FINAL_10_*", "FINAL_11_*", "FINAL_12_*")

# Folder for what they make, and the commands, run one after the other in it.
COMMANDS = {
    "ring": ["ring --orientations 6 --contrast 0.5 --trials 1 --duration 300 --seed 3 --quiet --out ring"],
    "openscope": [
        "openscope simulate --output mice --mice 4 --rois 12 --gabor-minutes 4 --flow-minutes 2",
        "openscope figures --datadir mice --output figures --figure 2 --panel AB --permutations 1000",
        "openscope figures --datadir mice --output figures --figure 4 --panel BDG --permutations 1000",
    ],
    "striatum": ["striatum run --num_simu 40 --n_pattern 5 --n_pattern 10 --save --save_dir made --quiet"],
    "imaging": [
        "imaging simulate data --mice 4 --sessions 3 --neurons 30 --minutes 6 --jobs 1 --quiet",
        "imaging run data/manifest.toml --output report --jobs 1 --quiet",
    ],
}

# When, where, with what and how fast a result was made; keys of caches, hashes of code that a move changes.
NOT_RESULTS = {"date", "platform", "versions", "build_time", "run_time", "wall_time", "key", "file_create_date"}
NOT_RESULTS |= {"session_start_time", "timestamps_reference_time", "specifications"}

# Python runs this at the start of each child. An editable installation offers the modules of its own checkout wherever
# the checkout under test lacks one: a forgotten import of an old name would pass.
GUARD = """import sys
sys.meta_path[:] = [one for one in sys.meta_path if "__editable___netlib" not in str(getattr(one, "__module__", ""))]
"""

# Tables are printed whole and with all digits, so that the text is as strict as the numbers.
SHOW_ALL = """import numpy, pandas
pandas.set_option("display.max_rows", None, "display.max_columns", None, "display.width", 200, "display.precision", 15)
numpy.set_printoptions(precision=16, threshold=10_000)
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def plain(text: str) -> str:
    """Text without what differs from run to run, or with the place of a module."""
    text = re.sub(r"[^\n]*\r(?!\n)", "", text)  # a progress bar overwrites its line
    text = re.sub(r"\b0x[0-9a-f]+", "ADDRESS", text)
    text = re.sub(r"(?<![\w.])/(?:[\w.+-]+/)+[\w.+-]*", "PATH", text)
    text = re.sub(r"\bin [\d.]+ (ms|s|min)\b", r"in TIME \1", text)
    text = re.sub(r"\bnetlib(\.\w+)+\.(\w+)", r"netlib:\2", text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def json_text(text: str) -> str:
    """JSON without what is no result, at any depth."""
    kept = json.loads(text, object_hook=lambda one: {k: v for k, v in one.items() if k not in NOT_RESULTS})
    return json.dumps(kept, indent=1, ensure_ascii=False)


def array_text(name: str, array: np.ndarray) -> str:
    """A line on an array: type, shape, hash, first values; of text that is JSON, the JSON."""
    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        words = [one.decode() if isinstance(one, bytes) else str(one) for one in array.ravel().tolist()]
        if len(words) == 1 and words[0].startswith("{"):
            return f"{name}: {json_text(words[0])}"
        array = np.array(words, dtype=str).reshape(array.shape)
    first = " ".join(map(str, array.ravel()[:8].tolist()))
    return f"{name}: {array.dtype} {array.shape} {sha256(np.ascontiguousarray(array).tobytes())} {first}"


def hdf5_lines(path: Path) -> list[str]:
    """The data sets of an HDF5 file, NWB or CaImAn's."""
    import h5py

    found = []
    with h5py.File(path) as file:
        file.visititems(lambda name, one: found.append((name, one[()])) if isinstance(one, h5py.Dataset) else None)
    return [array_text(name, value) for name, value in found if not NOT_RESULTS & set(name.split("/"))]


def file_text(path: Path) -> str | None:
    """What a file holds, as text; None for files without results."""
    kind = path.suffix
    if kind in (".csv", ".toml", ".dat"):
        return path.read_text(encoding="utf-8")
    if kind == ".json":
        return json_text(path.read_text(encoding="utf-8"))
    if kind == ".npz":
        with np.load(path) as arrays:
            return "\n".join(array_text(name, arrays[name]) for name in sorted(arrays.files))
    if kind == ".nc":
        import xarray as xr

        with xr.open_dataset(path) as data:
            lines = [array_text(name, data[name].values) for name in sorted(data.variables)]
            lines += [f"{name} = {value}" for name, value in sorted(data.attrs.items()) if name not in NOT_RESULTS]
        return "\n".join(lines)
    if kind in (".nwb", ".hdf5", ".h5"):
        return "\n".join(hdf5_lines(path))
    return None if kind in (".html", ".svg", ".lock", "") else f"sha256 {sha256(path.read_bytes())}"


def output_text(output: dict) -> str:
    """What one output of a cell shows: text, and the hashes of pictures."""
    if output["output_type"] == "stream":
        return plain(output["text"]) if output["name"] == "stdout" else ""
    if output["output_type"] == "error":
        return plain(f"FAILED {output['ename']}: {output['evalue']}")
    data = output["data"]
    pictures = [f"{kind} sha256 {sha256(data[kind].encode())}\n" for kind in sorted(data) if kind.startswith("image/")]
    return "".join(pictures) + plain(data.get("text/plain", ""))


def run_notebook(path: Path) -> str:
    """Execute a notebook in its folder; the outputs of its cells of code, in order."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHOW_ALL))
    NotebookClient(
        notebook, timeout=1200, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": path.parent}}
    ).execute()
    cells = [cell for cell in notebook.cells[1:] if cell.cell_type == "code"]
    return "".join(f"--- cell {i}\n" + "".join(map(output_text, cell.outputs)) for i, cell in enumerate(cells, 1))


def run_commands(commands: list[str], into: Path) -> None:
    """Run commands in a folder of their own; write there what they say and what their files hold."""
    script = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]["netlib"]
    module, _, name = script.partition(":")
    python = [sys.executable, "-c", f"from {module} import {name}; {name}()"]
    said = []
    with tempfile.TemporaryDirectory() as work:
        for command in commands:
            done = subprocess.run([*python, *command.split()], cwd=work, capture_output=True, text=True)
            failed = f"FAILED {done.stderr}" if done.returncode else ""
            said.append(f"--- netlib {command}\n{plain(done.stdout + failed)}")
        for path in sorted(Path(work).rglob("*")):
            if path.is_file() and (text := file_text(path)) is not None:
                write(into / f"{path.relative_to(work)}.txt", text)
    write(into / "said.txt", "".join(said))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def make(folder: Path) -> int:
    """Compute everything and write it to a new folder; 1 if a cell or a command failed."""
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"{folder} is not empty")
    os.environ.pop("NETLIB_REFERENCE", None)  # published values that not every machine has
    with tempfile.TemporaryDirectory() as guard:
        (Path(guard) / "sitecustomize.py").write_text(GUARD)
        os.environ |= {"PYTHONPATH": f"{guard}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        taken = subprocess.check_output([sys.executable, "-c", "import netlib; print(netlib.__path__[0])"], text=True)
        assert Path(taken.strip()).parent == ROOT, f"netlib is taken from {taken}"
        for name, commands in COMMANDS.items():
            print(f"netlib {name}", flush=True)
            run_commands(commands, folder / name)
        for pattern in NOTEBOOKS:
            (path,) = (ROOT / "FINAL_notebooks").glob(f"{pattern}.ipynb")
            print(path.name, flush=True)
            write(folder / "notebooks" / f"{path.stem}.txt", run_notebook(path))
    failed = [path for path in sorted(folder.rglob("*.txt")) if "\nFAILED " in path.read_text(encoding="utf-8")]
    for path in failed:
        print(f"something failed: {path}")
    return int(bool(failed))


def compare(before: Path, after: Path, shown: int = 5) -> int:
    """Print every file that differs, with its first differing lines; 1 if there is one."""
    texts = [
        {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*.txt")} for folder in (before, after)
    ]
    counts = Counter()
    for name in sorted(set().union(*texts)):
        old, new = (text.get(name) for text in texts)
        state = "only after" if old is None else "only before" if new is None else "same" if old == new else "different"
        counts[state] += 1
        if state != "same":
            print(f"{name}: {state}")
        if state == "different":
            pairs = enumerate(itertools.zip_longest(old.splitlines(), new.splitlines(), fillvalue="(no line)"), 1)
            for i, a, b in [(i, a, b) for i, (a, b) in pairs if a != b][:shown]:
                alike = sum(1 for _ in itertools.takewhile(lambda two: two[0] == two[1], zip(a, b, strict=False)))
                start = max(0, alike - 80)  # of long lines what is around their first difference
                print(f"  line {i}\n    - {a[start : start + 200]}\n    + {b[start : start + 200]}")
    states = ("same", "different", "only before", "only after")
    print(f"{counts.total()} files: " + ", ".join(f"{counts[state]} {state}" for state in states))
    return int(counts["same"] == 0 or counts["same"] < counts.total())


def main() -> int:
    match sys.argv[1:]:
        case ["make", folder]:
            return make(Path(folder).resolve())
        case ["compare", before, after]:
            return compare(Path(before), Path(after))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
