"""Where a panel's data and picture are kept, how they are read, and how both are written whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netlib.openscope.parameters import PAPER_SEED, Parameters
from netlib.openscope.registry import Panel
from netlib.provenance import atomic_write

__all__ = ["PROVENANCE", "Place", "differing_parameters", "place_of", "read_data", "write_panel"]

#: Key of what netlib says of the origin of the data; published files lack it.
PROVENANCE = "provenance"


@dataclass(frozen=True)
class Place:
    """Files of a panel: ``svg`` and, in a folder ``data_files`` beside it, ``data`` (JSON)."""

    svg: Path
    data: Path


def place_of(panel: Panel, parameters: Parameters, output: Path | str = ".") -> Place:
    """Where a panel goes: beside the published one's place if power or seed are not those of the paper.

    Examples
    --------
    >>> from netlib.openscope.registry import panel
    >>> one = panel("analysis", "2", "B")
    >>> place_of(one, one.parameters).svg.as_posix()
    'analysis_paper/Fig2/panel_B.svg'
    >>> place_of(one, one.run_parameters(seed=3)).data.as_posix()
    'analysis_paper/Fig2/panels_with_diff_params/data_files/panel_B_lower_power_seed3.json'
    """
    folder, name = Path(output) / f"{panel.paper}_paper" / f"Fig{panel.figure}", f"panel_{panel.letter}"
    if parameters != panel.parameters:
        folder = folder / "panels_with_diff_params"
        if parameters.permpar != panel.parameters.permpar:
            name += "_lower_power"
        if parameters.extra("seed") not in (None, PAPER_SEED):
            name += f"_seed{parameters.extra('seed')}"
    return Place(folder / f"{name}.svg", folder / "data_files" / f"{name}.json")


def read_data(path: Path) -> dict[str, Any]:
    """Data of a panel.

    Raises
    ------
    ValueError
        If the file holds no such data.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON ({error}): remove it, or use --overwrite") from None
    if not isinstance(data, dict) or not any(name.endswith("_df") for name in data):
        raise ValueError(f"{path} holds no table (..._df): it is not the data of a panel")
    return data


def differing_parameters(data: Mapping[str, Any], parameters: Parameters) -> list[str]:
    """Names of the parameters of stored data that are not the ones wanted, such as ``permpar.n_perms``."""
    wanted = parameters.to_json()
    found = {name: value for name, value in data.items() if not name.endswith("_df") and name != PROVENANCE}
    names = []
    for name in sorted({*wanted, *found}):
        left, right = wanted.get(name), found.get(name)
        if not isinstance(left, dict) or not isinstance(right, dict):
            names += [name] * (left != right)
            continue
        keys = sorted({*left, *right})
        names += [f"{name}.{key}" for key in keys if left.get(key) != right.get(key)]
    return names


def write_panel(place: Place, data: Mapping[str, Any] | None, figure: Figure, title: str) -> None:
    """Write picture and data (if given) of a panel: both are made in memory first, then written, each atomically.

    What a killed run left of an earlier attempt, under hidden names, is removed.
    """
    for path in (place.svg, place.data):
        for left in path.parent.glob(f".{path.name}.*") if path.parent.is_dir() else ():
            left.unlink(missing_ok=True)
    picture = _svg(figure, title)
    text = None if data is None else _json(data)
    if text is not None:
        atomic_write(place.data, lambda file: file.write(text))
    atomic_write(place.svg, lambda file: file.write(picture))


def _json(data: Mapping[str, Any]) -> bytes:
    """JSON in the published dialect, in which a number that is missing is NaN."""
    return json.dumps(data, indent=1, default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _svg(figure: Figure, title: str) -> bytes:
    import matplotlib

    from netlib import __version__
    from netlib.figures.style import STYLE

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        # No date: the same panel is the same file.
        metadata = {"Title": title, "Creator": f"netlib {__version__}", "Date": None}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()
