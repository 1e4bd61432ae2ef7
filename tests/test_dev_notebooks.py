"""The notebooks of dev/: each asks a question, is thin, stores nothing, is in the list, and runs."""

import ast
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "dev"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def faults(notebook: dict) -> list[str]:
    """What is wrong with a notebook, in words."""
    cells = notebook["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    first = "".join(cells[0]["source"]).partition("\n")[0] if cells else ""
    found = [] if first.startswith("# ") and first.endswith("?") else ["the first line is no question"]
    if any(cell["outputs"] or cell["execution_count"] is not None for cell in code):
        found.append("stored outputs")
    for node in ast.walk(ast.parse("\n".join("".join(cell["source"]) for cell in code))):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 10:
            found.append(f"{node.name} has more than ten lines")
    return found


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 7


@each
def test_notebook_is_short_and_asks_a_question(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert faults(notebook) == []
    assert len([cell for cell in notebook["cells"] if cell["cell_type"] == "code"]) <= 10


@each
def test_notebook_is_in_the_list(path):
    assert f"[`{path.name}`]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_planted_faults_are_found():
    code = {"cell_type": "code", "execution_count": None, "outputs": [], "source": ["x = 1"]}
    question = {"cell_type": "markdown", "source": ["# Why?\n", "Because."]}
    assert faults({"cells": [question, code]}) == []
    assert faults({"cells": [code, question]}) == ["the first line is no question"]
    assert faults({"cells": [question, code | {"outputs": [{}]}]}) == ["stored outputs"]
    assert faults({"cells": [question, code | {"execution_count": 3}]}) == ["stored outputs"]
    long = "def f():\n" + "    x = 1\n" * 10
    assert faults({"cells": [question, code | {"source": [long]}]}) == ["f has more than ten lines"]
    assert faults({"cells": [question, code | {"source": [long.replace("    x = 1\n", "", 1)]}]}) == []


@pytest.mark.slow
@each
def test_notebook_runs(path):
    """Two minutes of one core for all of them."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert any(output.output_type == "stream" for output in last.outputs), "the last cell of code prints no answer"
