"""Write the pictures of executed notebooks to a folder: ``extract_figures.py figs build/notebooks/FINAL_1.ipynb ...``.

The n-th picture of ``FINAL_1_stimuli.ipynb`` becomes ``FINAL_1_stimuli_0n`` with the ending of its format. Of one
output in several formats the first of `ENDINGS` is kept. Pictures of an earlier run of the same notebook go first.
"""

import base64
import json
import sys
from pathlib import Path

ENDINGS = {"image/gif": "gif", "image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}


def pictures(notebook: dict):
    """Yield ``(ending, bytes)`` for every output of the notebook that is a picture."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            kind = next((k for k in ENDINGS if k in data), None)
            if kind is None:
                continue
            text = "".join(data[kind])
            yield ENDINGS[kind], text.encode() if kind == "image/svg+xml" else base64.b64decode(text)


def main(folder: Path, notebooks: list[Path]) -> None:
    """Extract the pictures of every notebook into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebooks:
        found = list(pictures(json.loads(path.read_text(encoding="utf-8"))))
        for old in folder.glob(f"{path.stem}_[0-9][0-9].*"):
            old.unlink()
        for number, (ending, content) in enumerate(found, start=1):
            (folder / f"{path.stem}_{number:02d}.{ending}").write_bytes(content)
        print(f"{path.stem}: {len(found)} pictures in {folder}/")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]])
