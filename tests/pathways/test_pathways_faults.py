"""Files that are truncated, shuffled, mis-labelled or missing: all in one message, and nothing written."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from netlib.pathways.dataset import write_dataset
from netlib.pathways.pipeline import describe, inspect_manifest, run_pipeline


@pytest.fixture(scope="module", params=["caiman", "csv", pytest.param("nwb", marks=pytest.mark.slow)])
def whole(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    neurons = 2 if request.param == "csv" else 6
    return write_dataset(
        folder, 5, mice=2, sessions=3, neurons=neurons, minutes=5, layout=request.param, registration=True
    )


@pytest.fixture
def dataset(whole, tmp_path) -> Path:
    shutil.copytree(whole.parent, tmp_path / "data")
    return tmp_path / "data" / whole.name


def refused(manifest: Path, tmp_path: Path) -> list[str]:
    """Faults that are named, one a line; nothing is written."""
    with pytest.raises(ValueError) as error:
        run_pipeline(manifest, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    head, *lines = str(error.value).splitlines()
    assert "nothing was written" in head
    return [line for line in lines if line.startswith("- ")]


def one(folder: Path, pattern: str) -> Path:
    (path,) = folder.rglob(pattern)
    return path


RECORDED = {"caiman": "{}_Sess{}.hdf5", "nwb": "{}_Sess{}.nwb", "csv": "{}_Sess{}_Temporal_Components.csv"}


def recording(dataset: Path, mouse: str, session: int) -> Path:
    kind = next(kind for kind in RECORDED if f"\n{kind if kind != 'csv' else 'temporal_components'} =" in
                dataset.read_text())  # fmt: skip
    return one(dataset.parent, RECORDED[kind].format(mouse, session))


def test_sound_files_are_described(whole):
    found = inspect_manifest(whole)
    table = describe(found)
    assert len(table) == 6 and set(table["neurons"]) == {2 if "csv" in str(whole) else 6}
    assert table["files"].str.contains("dat").all() and list(dict.fromkeys(table["mouse"])) == ["I1", "L1"]


def test_all_faults_are_named_at_once(dataset, tmp_path):
    folder = dataset.parent
    one(folder, "I1_D01_*.dat").unlink()  # missing
    cut = recording(dataset, "I1", 2)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])  # truncated
    first, second = one(folder, "L1_D01_*.dat"), one(folder, "L1_D02_*.dat")
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())  # shuffled
    second.write_bytes(kept)
    table = one(folder, "L1_Longitudinal_Registration.csv")
    table.write_text(table.read_text().replace("1", "77"))  # of other sessions
    lines = refused(dataset, tmp_path)
    text = "\n".join(lines)
    assert "missing file: I1, session 1, dat" in text
    assert any("I1, session 2" in line for line in lines)
    assert any("L1, session 1" in line for line in lines) and any("L1, session 2" in line for line in lines)
    assert any("L1, registration" in line for line in lines)
    assert len(lines) == 5


def test_faults_of_the_manifest_do_not_hide_those_of_files(dataset, tmp_path):
    text = dataset.read_text()
    two, three = one(dataset.parent, "I1_D02_*.dat"), one(dataset.parent, "I1_D03_*.dat")
    text = text.replace(two.name, "@").replace(three.name, two.name).replace("@", three.name)  # shuffled lines
    dataset.write_text(text.replace('pathway = "A2A"', 'pathway = "D3"'))  # mis-labelled
    cut = recording(dataset, "I1", 1)
    cut.write_bytes(cut.read_bytes()[:100])
    lines = "\n".join(refused(dataset, tmp_path))
    assert "D3" in lines and "I1, session 1" in lines
    assert two.name in lines and three.name in lines


def test_sessions_of_another_mouse_are_refused(dataset, tmp_path):
    one(dataset.parent, "I1_D01_*.dat").write_bytes(one(dataset.parent, "L1_D01_*.dat").read_bytes())
    (line,) = refused(dataset, tmp_path)
    assert "I1, session 1" in line and "L1" in line


def test_an_events_file_cut_short_is_refused(dataset, tmp_path):
    path = one(dataset.parent, "L1_D03_*.dat")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    (line,) = refused(dataset, tmp_path)
    assert "L1, session 3" in line and "truncated" in line


def test_neither_footprints_nor_registration(dataset, tmp_path):
    text = dataset.read_text()
    if "spatial_components" not in text:
        pytest.skip("footprints are in the same file")
    kept = [line for line in text.splitlines() if not line.startswith(("registration", "spatial_components"))]
    dataset.write_text("\n".join(kept))
    lines = refused(dataset, tmp_path)
    assert len(lines) == 2 and "no footprints" in lines[0]


def test_not_a_manifest(tmp_path):
    path = tmp_path / "manifest.toml"
    with pytest.raises(FileNotFoundError, match="does not exist"):
        run_pipeline(path, tmp_path / "out", progress=False)
    path.write_text("[[mouse]\n")
    with pytest.raises(ValueError, match="nothing was written"):
        run_pipeline(path, tmp_path / "out", progress=False)
    assert np.all([not (tmp_path / "out").exists()])
