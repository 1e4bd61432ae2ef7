"""The documentation: built without a warning; its blocks run, its links lead somewhere, its tables are right."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typer.testing import CliRunner

from netlib import cli
from netlib.recordings import Recording

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
sys.path.insert(0, str(DOCS))

from ext import api_pages, command_pages, model_cards, model_text  # noqa: E402

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)

# ---------------------------------------------------------------- blocks of code

#: A fenced block, with the comment that may stand before it: `<!-- no test: why -->` or `<!-- test: fails -->`.
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>(?:no )?test: .*?) -->\n)?^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$",
    re.M | re.S,
)
RUN = ("python", "sh")
#: Blocks that are not code.
OTHER = ("{toctree}", "{image}", "{eval-rst}", "{figure}", "text", "json", "bibtex")


def blocks(text: str) -> list[tuple[str, str, str]]:
    """(language, code, mark) of each block of a page."""
    return [(m["language"].split(" ")[0], m["text"], m["mark"] or "") for m in BLOCK.finditer(text)]


def run_block(language: str, code: str, mark: str, names: dict, where: str) -> None:
    """Run a block in the current folder; a shell block must end as its mark says."""
    if language == "python":
        exec(compile(code, where, "exec"), names)
        return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-e", "-c", code], capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    if mark == "test: fails":
        assert ran.returncode == 2, ran.stdout + ran.stderr
        assert "did you mean" in ran.stderr
    else:
        assert ran.returncode == 0, f"{where}:\n{code}\n{ran.stdout}\n{ran.stderr}"


@each_page
def test_blocks_are_marked(page):
    """A block runs in a test, or says why not."""
    text = page.read_text(encoding="utf-8")
    found = blocks(text)
    assert len(found) == len(re.findall(r"^```+[^\n`]+$", text, re.M)), "a block that the tests do not see"
    for language, code, mark in found:
        assert language in (*RUN, *OTHER), f"{page.name}: block of unknown language {language!r}: {code[:60]}"
        if mark.startswith("no test: "):
            assert len(mark) > len("no test: ") + 5, f"{page.name}: no reason given"
        else:
            assert mark in ("", "test: fails"), f"{page.name}: unknown mark {mark!r}"


@pytest.mark.slow
@each_page
def test_blocks_run(page, tmp_path, monkeypatch):
    """In order, in one namespace and one empty folder per page."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for number, (language, code, mark) in enumerate(blocks(page.read_text(encoding="utf-8")), start=1):
        if language in RUN and not mark.startswith("no test"):
            run_block(language, code, mark, names, f"{page.name}, block {number}")


def test_blocks_are_found_with_their_marks():
    text = "<!-- no test: because -->\n```sh\nrm -rf /\n```\n\n:::{solution}\n```python\nx = 1\n```\n:::\n"
    assert blocks(text) == [("sh", "rm -rf /\n", "no test: because"), ("python", "x = 1\n", "")]


# ---------------------------------------------------------------- links


def local_links(text: str) -> list[str]:
    """Targets of links and pictures of a Markdown page that are files."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("README*.md"), ROOT / "dev/README.md"], ids=lambda page: page.name)
def test_links_between_files_lead_somewhere(page):
    for link in local_links(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_picture_is_in_the_gallery():
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    pictures = [p.name for p in (ROOT / "figs").iterdir() if p.suffix in (".gif", ".png", ".svg", ".jpg")]
    missing = [name for name in pictures if not name.startswith("FINAL_") and f"../figs/{name}" not in gallery]
    assert pictures
    assert missing == []


# ---------------------------------------------------------------- model cards


def flat(node, path: str = "") -> dict:
    """Every value of a tree of dataclasses by its dotted name; what another cell model would use is left out."""
    found = {}
    unused = set()
    if hasattr(node, "pynn_parameters"):
        unused = {f.name for f in dataclasses.fields(node)} - {"model", *node.pynn_parameters()}
    for field in dataclasses.fields(node):
        value, name = getattr(node, field.name), f"{path}{field.name}"
        if field.name in unused:
            continue
        if dataclasses.is_dataclass(value) and dataclasses.fields(value):
            found |= flat(value, f"{name}.")
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for number, part in enumerate(value):
                found |= flat(part, f"{name}[{number}].")
        else:
            found[name] = value
    return found


def rows(lines: list[str]) -> dict[str, list[str]]:
    """Rows of the tables of parameters of a card by the name in their first cell."""
    cells = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in cells if len(row) == 5}


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.mark.parametrize("card", model_cards.CARDS)
def test_a_card_holds_every_parameter(card):
    parameters = model_cards.parameters_of(card)
    table = rows(model_cards._parameter_table(card, parameters))
    expected = {name: value for name, value in flat(parameters).items() if name not in ("name", "source")}
    assert table.keys() == expected.keys()
    for name, value in expected.items():
        shown, unit, meaning, source = table[name]
        if value is None:
            assert shown == "none"
        elif isinstance(value, bool | str) or dataclasses.is_dataclass(value):
            assert shown.strip("`") == (type(value).__name__ if dataclasses.is_dataclass(value) else str(value))
        elif isinstance(value, tuple):
            assert [number(part) for part in shown.split(", ")] == pytest.approx(list(value))
        else:
            assert number(shown) == pytest.approx(value, rel=1e-5), name
        assert meaning, name
        assert source, name
        if isinstance(value, float) and re.search(r"tau|v_|weight$|delay\.mean|cm$|peak", name):
            assert unit or card == "striatum", name


@pytest.mark.parametrize("card", model_cards.CARDS)
def test_blocks_of_a_card_run(card):
    text = model_cards._striatum() if card == "striatum" else model_cards._ring(card)
    found = blocks(text)
    assert found
    for language, code, mark in found:
        run_block(language, code, mark, {}, card)


def test_a_changed_preset_changes_its_card():
    from netlib.networks import preset, set_values

    before = model_cards._parameter_table("v1", preset("v1"))
    after = model_cards._parameter_table("v1", set_values(preset("v1"), {"I_to_E.weight": 0.0017}))
    assert [line for line in after if line not in before] == [
        "| `I_to_E.weight` | 0.0017 | µS | weight (magnitude) | " + model_cards.source_of("v1", "I_to_E.weight") + " |"
    ]


def test_weights_have_the_unit_of_their_target():
    from netlib.networks import preset

    table = rows(model_cards._parameter_table("bump", preset("bump")))
    assert table["E_to_E.weight"][1] == "nA"
    assert rows(model_cards._parameter_table("v1", preset("v1")))["E_to_E.weight"][1] == "µS"


def test_no_meaning_is_left_over():
    """Every field that has a meaning here is still a field of its class."""
    nodes = [node for card in model_cards.CARDS for node in parts(model_cards.parameters_of(card))]
    classes = {type(node).__name__: node for node in nodes}
    for owner, field in model_text.FIELDS:
        node = classes.get(owner) or classes["TwoRings"]
        assert field in {f.name for f in dataclasses.fields(node)}, f"{owner}.{field}"


def parts(node) -> list:
    """A dataclass and all that it holds."""
    found = [node]
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(part):
                found += parts(part)
    return found


# ---------------------------------------------------------------- other pages


def test_the_command_page_has_every_command():
    (text,) = command_pages.pages().values()
    import typer

    from netlib.cli import app

    program = typer.main.get_command(app)
    for name, command in program.commands.items():
        assert f"## netlib {name}\n" in text
        assert command.help, f"netlib {name} has no help"


@pytest.mark.slow
def test_the_reference_has_every_module():
    """It imports them all."""
    pages = set(api_pages.pages())
    for path in (ROOT / "netlib").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("netlib", "netlib.cli"):
            assert f"api/{name}" in pages, f"{name} has no page"


#: `Neural Comput 30:3355`, `PLoS Comput Biol 13:e1005423`, `Cell Reports 38(11):110521`
LOCATOR = re.compile(r"\b[A-Z][A-Za-z]+(?: [A-Z]?[A-Za-z]+){0,5}\.?,? (\d{1,4}(?:\(\d+(?:-\d+)?\))?:[eE]?\d{2,7})\b")


def test_the_bibliography_has_every_citation():
    bibliography = (DOCS / "bibliography.md").read_text(encoding="utf-8")
    missing = {}
    sources = [*(ROOT / "netlib").rglob("*.py"), *(p for p in PAGES if p.stem != "bibliography")]
    for path in sources:
        text = re.sub(r"\s*\n\s*(?:#:? ?)?", " ", path.read_text(encoding="utf-8"))
        for found in LOCATOR.finditer(text):
            if found[1] not in bibliography:
                missing[found[0]] = path.name
    assert missing == {}


# ---------------------------------------------------------------- course

NOTEBOOKS = sorted(path.stem for path in ROOT.glob("FINAL_notebooks/FINAL_*.ipynb"))


def first_notebook() -> list[dict]:
    path = ROOT / "FINAL_notebooks/FINAL_0_start_here.ipynb"
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_the_path_has_every_notebook():
    course = (DOCS / "course.md").read_text(encoding="utf-8")
    first = "".join("".join(cell["source"]) for cell in first_notebook())
    assert [name for name in NOTEBOOKS if f"`{name}`" not in course] == []
    assert [name for name in NOTEBOOKS if f"`{name}`" not in first] == []


def test_every_exercise_is_asked_and_solved():
    from netlib.teaching import EXERCISES

    course = (DOCS / "course.md").read_text(encoding="utf-8")
    for name in EXERCISES:
        assert f'`ask("{name}")`' in course, f"{name} is not asked in the course"
        assert f'assert check("{name}", ' in course, f"{name} is not solved in the course"


def test_solutions_of_the_first_notebook_are_hidden_and_checked():
    cells = [cell for cell in first_notebook() if cell["cell_type"] == "code"]
    solutions = [c for c in cells if "".join(c["source"]).startswith("# Solution")]
    assert len(solutions) >= 4
    for cell in solutions:
        assert "assert " in "".join(cell["source"])
        assert cell["metadata"]["jupyter"]["source_hidden"] is True
        assert {"solution", "hide-input"} <= set(cell["metadata"]["tags"])
    asked = set(re.findall(r"^ask\(\"(\w+)\"\)", "\n".join("".join(c["source"]) for c in cells), re.M))
    solved = set(re.findall(r"assert check\(\"(\w+)\"", "\n".join("".join(c["source"]) for c in solutions)))
    assert asked == solved


# ---------------------------------------------------------------- French README


def skeleton(text: str) -> list[str]:
    """What two languages of one text share: levels of headings, code, links and pictures, rows of tables, in order."""
    parts = []
    for block in re.split(r"(^```.*?^```$)", text, flags=re.M | re.S):
        if block.startswith("```"):
            code = [line.partition("#")[0].strip() for line in block.splitlines()]
            parts.append("code " + "\n".join(line for line in code if line))
            continue
        for line in block.splitlines():
            heading = re.match(r"#+ ", line)
            if heading:
                parts.append(f"heading {len(heading[0]) - 1}")
            if line.startswith("|"):
                parts.append(f"row of {line.count(' | ') + 1}")
            parts += [f"link {target}" for target in re.findall(r"\]\(([^)\s]+)\)", line)]
    return parts


def test_the_french_readme_keeps_step():
    """Headings, code, links and tables are the same, in the same order; each README links to the other."""
    english, french = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md"))
    assert "](README.fr.md)" in english
    assert skeleton(french.replace("](README.md)", "](README.fr.md)")) == skeleton(english)


def test_the_skeleton_sees_what_changed():
    text = "# A\n\n[x](a.md) | b\n\n```sh\nls  # all\n```\n\n| a | b |\n"
    assert skeleton(text) == ["heading 1", "link a.md", "code ```sh\nls\n```", "row of 2"]
    assert skeleton(text) == skeleton(text.replace("# all", "# tout").replace("# A", "# B"))
    for old, new in (("# A", "## A"), ("a.md", "b.md"), ("ls", "rm"), ("| a | b |", "| a |")):
        assert skeleton(text) != skeleton(text.replace(old, new))


# ---------------------------------------------------------------- launch files


def test_launch_files_name_what_exists():
    lines = (ROOT / ".binder/requirements.txt").read_text(encoding="utf-8").splitlines()
    extras = re.search(r"\[(.*)\]", next(line for line in lines if line.startswith(".[")))[1].split(",")
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    assert (ROOT / ".binder" / next(line for line in lines if line.startswith("-c")).split()[1]).resolve().is_file()
    assert re.fullmatch(r"python-3\.1[123]\n", (ROOT / ".binder/runtime.txt").read_text(encoding="utf-8"))
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    target = re.fullmatch(r"make (\w+)( .*)?", container["postCreateCommand"])[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)


# ---------------------------------------------------------------- the site


class Page(HTMLParser):
    """Targets of the links of a page, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        self.links |= {values[key] for key in ("href", "src") if values.get(key) and tag != "link"}


def broken_links(site: Path) -> list[str]:
    """Links inside a built site to a page, file or anchor that does not exist."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                found.append(f"{path.name}: {link}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{path.name}: {link}, no such anchor")
    return sorted(found)


def test_a_planted_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x">b</a><a href="https://example.org/none">c</a><p id="y">')
    (tmp_path / "b.html").write_text('<p id="x"><a href="a.html#y">a</a><img src="none.png"><a href="a.html#z">z</a>')
    assert broken_links(tmp_path) == ["b.html: a.html#z, no such anchor", "b.html: none.png"]


@pytest.mark.slow
def test_the_site_builds_without_warnings(tmp_path):
    """About a minute of one core; `make docs` builds the same."""
    source = tmp_path / "docs"
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("generated", "_build", "__pycache__"))
    for folder in ("figs", "FINAL_notebooks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    ran = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", source, tmp_path / "site"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-6000:]
    assert broken_links(tmp_path / "site") == []


# ---------------------------------------------------------------- the README's commands and example


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert len(Recording.load("ring.npz").population("E")) == 256


def test_the_commands_of_the_readme_exist():
    (shell,) = re.findall(r"```sh\n(netlib .*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in shell.splitlines():
        command = line.partition(" --")[0].split()[1:]
        options = set(re.findall(r"(--[\w-]+)", line))
        shown = CliRunner().invoke(cli.app, [*command, "--help"]).output
        assert all(option in shown for option in options), line
